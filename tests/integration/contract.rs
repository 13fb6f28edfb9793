//! What every command promises its callers: exit codes, streams, and hooks that never disturb.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use ao::cli::exit::Exit;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::env::{Outcome, TestEnvironment};
use crate::tree::Tree;

/// A machine with the repository `app` and sessions without tmux.
struct Story {
    env: TestEnvironment,
    repo: PathBuf,
}

impl Story {
    fn new() -> Self {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        Self { env, repo }
    }

    fn ao(&self, args: &[&str]) -> Outcome {
        self.env.ao_in(&self.repo, args)
    }

    /// Starts a shell script in the process runtime and returns its session.
    fn spawn(&self, script: &str) -> String {
        let args = ["spawn", "-a", "shell", "--runtime", "process", script];
        self.ao(&args).success().stdout.trim().to_owned()
    }

    fn observe(&self, id: &str, activity: &str) {
        let fact = json!({ "confidence": "valid", "activity": activity, "source": "hook" });
        let observe = self.env.ao_command(&["observe", "activity", id]).stdin(fact.to_string());
        self.env.run(&observe).success();
    }

    #[track_caller]
    fn exits(&self, args: &[&str], exit: Exit) -> Outcome {
        self.ao(args).code(i32::from(exit.code()))
    }
}

#[test]
fn each_exit_code_of_the_table_is_what_the_shell_sees() {
    let story = Story::new();
    story.exits(&["ls"], Exit::Done);
    story.exits(&["ls", "--frobnicate"], Exit::Invalid);
    story.exits(&["show", "nobody"], Exit::NotFound);

    let id = story.spawn("exec sleep 600");
    let again = ["spawn", "-a", "shell", "--runtime", "process", "--id", &id, "true"];
    story.exits(&again, Exit::Conflict);
    story.exits(&["cleanup", &id], Exit::Conflict);
    story.exits(&["wait", &id, "--until", "done", "--timeout", "50ms"], Exit::Timeout);
    story.observe(&id, "waiting_input");
    story.exits(&["wait", &id], Exit::WaitNeedsInput);
    story.exits(&["wait", &id, "--until", "needs_input"], Exit::Done);
    story.ao(&["kill", &id]).success();
    story.exits(&["wait", &id], Exit::WaitEnded);
    std::fs::write(story.env.home().join("worktrees/app").join(&id).join("note"), "x").unwrap();
    story.exits(&["cleanup", &id], Exit::Refused);

    let id = story.spawn("exit 3");
    story.exits(&["wait", &id, "--timeout", "20s"], Exit::WaitErrored);
    let id = story.spawn("exit 0");
    story.exits(&["wait", &id, "--timeout", "20s"], Exit::Done);
    assert_eq!(story.ao(&["exec", &id, "--", "sh", "-c", "exit 41"]).code(41).stderr, "");
    assert_eq!(story.ao(&["exec", &id, "--", "sh", "-c", "kill -9 $$"]).status, 137);
    story.exits(&["exec", &id, "--", "no-such-program"], Exit::MissingDependency);

    let session = story.env.home().join("sessions").join(&id);
    for file in ["session.json", "events.jsonl"] {
        std::fs::write(session.join(file), "{\n").unwrap();
    }
    story.exits(&["show", &id], Exit::Internal);
    std::fs::write(story.env.home().join("format"), "999\n").unwrap();
    story.exits(&["rename", "app-1", "x"], Exit::MissingDependency);
}

#[test]
fn a_home_that_others_can_write_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let story = Story::new();
    story.spawn("true");
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(story.env.home(), mode(0o777)).unwrap();
    let outcome = story.exits(&["rename", "app-1", "x"], Exit::Denied);
    assert!(outcome.stderr.contains("/home"), "{outcome}");
    assert!(outcome.stderr.contains("hint: "), "{outcome}");
    std::fs::set_permissions(story.env.home(), mode(0o700)).unwrap();
    story.exits(&["rename", "app-1", "x"], Exit::Done);
}

#[test]
fn a_wait_that_is_interrupted_ends_by_that_signal() {
    let story = Story::new();
    let id = story.spawn("exec sleep 600");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        // Children inherit what is ignored, as SIGINT is where the tests run in the background.
        // SAFETY: nothing in this process handles these signals.
        unsafe { libc::signal(signal.as_raw(), libc::SIG_DFL) };
        let mut child = story.env.spawn_ao(&["wait", &id, "--until", "done"]);
        story.env.wait_for("the waiter to watch", || {
            let mut files = std::fs::read_dir(format!("/proc/{}/fd", child.id())).ok()?.flatten();
            let target = |file: std::fs::DirEntry| std::fs::read_link(file.path()).ok();
            files
                .any(|file| target(file).is_some_and(|it| it.ends_with("anon_inode:inotify")))
                .then_some(())
        });
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
    }
    story.ao(&["reap"]).success();
    assert_eq!(story.env.record(&id)["lifecycle"]["session"]["state"], "working");
}

#[test]
fn an_empty_home_answers_every_reader_and_stays_away() {
    let story = Story::new();
    let home = story.env.path("nowhere");
    story.env.set("AO_HOME", &home);
    for args in [&["ls", "--json"][..], &["ls", "--all", "--json"], &["status", "--json"]] {
        let mut answer = story.ao(args).success().json();
        answer.as_object_mut().unwrap().remove("last_reap");
        assert_eq!(answer, json!({ "schema": 1, "sessions": [] }), "{args:?}");
    }
    let outbox = story.ao(&["outbox", "ls", "--json"]).success().json();
    assert_eq!(outbox, json!({ "schema": 1, "outbox": [] }));
    let projects = story.ao(&["project", "ls", "--json"]).success().json();
    assert_eq!(projects, json!({ "schema": 1, "projects": [] }));
    assert_eq!(story.ao(&["ls"]).success().stdout, "");
    assert_eq!(story.ao(&["status", "-q"]).success().stdout, "0\n");
    assert_eq!(story.ao(&["events"]).success().stdout, "");
    for args in
        [&["show", "x"][..], &["explain", "x"], &["log", "x"], &["path", "x"], &["output", "x"]]
    {
        story.exits(args, Exit::NotFound);
    }
    assert!(!home.exists());
}

#[test]
fn colour_is_for_terminals_and_those_who_ask() {
    let story = Story::new();
    let coloured = |args: &[&str], variables: &[(&str, &str)]| {
        let outcome = story.env.ao_env(args, variables).code(3);
        assert!(outcome.stderr.contains("no session `nobody`"), "{outcome}");
        outcome.stderr.contains('\u{1b}')
    };
    let show = ["show", "nobody"];
    assert!(!coloured(&show, &[]));
    assert!(coloured(&["--color", "always", "show", "nobody"], &[]));
    assert!(coloured(&["--color", "always", "show", "nobody"], &[("NO_COLOR", "1")]));
    assert!(coloured(&show, &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&show, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&["--color", "never", "show", "nobody"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&["--json", "show", "nobody"], &[]));
    let json = story.env.ao(&["--color", "always", "--json", "show", "nobody"]).code(3);
    assert_eq!(json.json_error()["error"]["kind"], "not_found");
}

#[test]
fn a_hook_is_silent_and_changes_nothing_whatever_it_is_given() {
    let story = Story::new();
    let id = story.spawn("exec sleep 600");
    let record = story.env.record(&id);
    let launch = record["handles"]["launch"].as_str().unwrap().to_owned();
    let other = "0".repeat(32);
    let deep = "[".repeat(200_000);
    let big = format!("{{\"session_id\":\"{}\"}}", "x".repeat(5 * 1024 * 1024));
    story.env.counting_path();
    let before = Tree::of(&story.env.home());
    let user = Tree::of(&story.env.path("user"));

    let silent = |args: &[&str], variables: &[(&str, &str)], stdin: &str| {
        let mut ao = story.env.ao_command(args).stdin(stdin);
        for (name, value) in variables {
            ao = ao.env(*name, *value);
        }
        let outcome = story.env.run(&ao).code(0);
        assert_eq!((&*outcome.stdout, &*outcome.stderr), ("", ""), "{args:?} {variables:?}");
        let changes = before.changes(&story.env.home());
        let unexpected: Vec<_> = changes.iter().filter(|it| !it.contains("hooks.log")).collect();
        assert!(unexpected.is_empty(), "{args:?} {variables:?}: {unexpected:?}");
    };
    let inside = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch)];
    // Wrong usage, inside a session.
    for args in [
        &["hook"][..],
        &["hook", "demo"],
        &["hook", "demo", "stop", "more"],
        &["hook", "--frob", "demo", "stop"],
        &["hook", "--home"],
        &["hook", "", ""],
        &["hook", "nobody", "stop"],
        &["hook", "../demo", "stop"],
        &["hook", "demo", "no-such-event"],
        &["hook", "shell", "stop"],
    ] {
        silent(args, &inside, "{}");
    }
    // Outside a session, or in one that is not this one.
    let stop = ["hook", "demo", "stop"];
    silent(&stop, &[], "{}");
    for (session, launch) in [
        (&*id, &*other),
        (&*id, ""),
        (&*id, "../.."),
        (&*id, "x"),
        ("", &*launch),
        ("nobody", &*launch),
        ("../x", &*launch),
        (&*"x".repeat(300), &*launch),
    ] {
        silent(&stop, &[("AO_SESSION", session), ("AO_LAUNCH", launch)], "{}");
    }
    // Payloads that are none, for an event that says nothing without one.
    for payload in ["", "not JSON", "{", "null", "[]", "\u{0}\u{1}", &deep, &big] {
        silent(&["hook", "demo", "no-such-event"], &inside, payload);
        silent(&stop, &[("AO_SESSION", &id), ("AO_LAUNCH", &other)], payload);
    }
    // A home that is not there, is no directory, is on a newer format.
    let file = story.env.path("user/file");
    for home in ["/nonexistent/ao", "/dev/null", file.to_str().unwrap(), "relative/home"] {
        let dead = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch), ("AO_HOME", home)];
        silent(&stop, &dead, "{}");
    }
    assert_eq!(story.env.calls(), Vec::<String>::new());
    assert_eq!(user.changes(&story.env.path("user")), Vec::<String>::new());
    assert_eq!(story.env.record(&id), record);
}

#[test]
fn a_hook_with_a_useless_payload_still_tells_its_event_and_says_nothing() {
    let story = Story::new();
    let id = story.spawn("exec sleep 600");
    let launch = story.env.record(&id)["handles"]["launch"].as_str().unwrap().to_owned();
    story.env.set("AO_SESSION", &*id);
    story.env.set("AO_LAUNCH", launch);
    let state = || story.env.record(&id)["lifecycle"]["session"]["state"].clone();
    let big = "x".repeat(5 * 1024 * 1024);
    for (event, payload, wanted) in [
        ("stop", "not JSON", "idle"),
        ("user-prompt-submit", &*"[".repeat(200_000), "working"),
        ("stop", &*big, "idle"),
    ] {
        let hook = story.env.ao_command(&["hook", "demo", event]).stdin(payload);
        let outcome = story.env.run(&hook).success();
        assert_eq!((&*outcome.stdout, &*outcome.stderr), ("", ""), "{event}");
        assert_eq!(state(), Value::from(wanted), "{event}");
    }
}

#[test]
fn a_word_that_was_mistyped_is_answered_with_the_one_that_was_meant() {
    let story = Story::new();
    for (args, meant) in [
        (&["help", "spwan"][..], "spawn"),
        (&["man", "spwan"], "spawn"),
        (&["man", "timer", "instal"], "install"),
    ] {
        let refused = story.ao(args).code(2);
        assert!(refused.stderr.contains(&format!("did you mean `{meant}`?")), "{args:?} {refused}");
    }
    let refused = story.ao(&["config", "get", "agnt"]).code(3);
    assert!(refused.stderr.contains("did you mean `agent`?"), "{refused}");
    let refused = story.ao(&["config", "set", "reactions.ci-faild.retries", "5"]).code(2);
    assert!(refused.stderr.contains("unknown key `reactions.ci-faild`;"), "{refused}");
    assert!(refused.stderr.contains("did you mean `ci-failed`?"), "{refused}");
    story.ao(&["project", "add"]).success();
    let refused = story.ao(&["config", "set", "--project", "app", "max_sessions", "5"]).code(2);
    assert!(refused.stderr.contains("is one for the whole home"), "{refused}");
}

#[test]
fn a_hint_names_what_there_is() {
    let story = Story::new();
    for _ in 0..2 {
        story.ao(&["spawn", "-a", "shell", "--runtime", "process", "--wait", "true"]).success();
    }
    let refused = story.ao(&["project", "rm", "app"]).code(4);
    assert!(refused.stderr.contains("app-1, app-2"), "{refused}");
    assert!(refused.stderr.contains("ao cleanup app-1 app-2"), "{refused}");

    let workspace = story.env.record("app-1")["handles"]["workspace"].clone();
    let (path, branch) =
        (workspace["path"].as_str().unwrap(), workspace["branch"].as_str().unwrap());
    story.env.git(&story.repo, &["worktree", "remove", "--force", path]);
    story.env.git(&story.repo, &["switch", branch]);
    let refused = story.ao(&["restore", "app-1"]).code(4);
    assert!(refused.stderr.contains("hint: check out something else there"), "{refused}");
    assert!(!refused.stderr.contains("--branch"), "{refused}");

    let ao = env!("CARGO_BIN_EXE_ao");
    let full = format!("'{ao}' ls --all >/dev/full");
    let refused = story.env.run(&story.env.command("sh").args(["-c", &full])).code(1);
    assert!(refused.stderr.contains("could not write to standard output"), "{refused}");
    let refused = story.ao(&["metrics", "--output", "/tmp"]).code(2);
    assert!(refused.stderr.contains("/tmp is a directory"), "{refused}");
}

#[test]
fn examples_name_reviewers_that_review() {
    let story = Story::new();
    let help = story.ao(&["review", "trigger", "--help"]).success().stdout
        + &story.ao(&["review", "--help"]).success().stdout;
    let named = help.split("--reviewer ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    let named: Vec<&str> = named.filter(|word| !word.starts_with('<')).collect();
    assert_eq!(named.len(), 2, "{help}");
    for agent in named {
        let card = story.ao(&["agent", "show", agent]).success().stdout;
        assert!(card.contains("[review"), "{agent}");
    }
}
