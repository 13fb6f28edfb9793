//! What has to be there before an operation: the machine, and the session.

use std::any::Any;
use std::fs;
use std::path::Path;

use ao::store::lock::is_held_shared_probe;
use serde_json::{Value, json};

use super::table::Operation;
use crate::agents::{card, configure};
use crate::env::TestEnvironment;
use crate::faulted::{AGENT, Case};
use crate::server::{Server, reply};

pub(crate) const SPAWN: &[&str] =
    &["spawn", "--agent", "shell", "--runtime", "process", "--id", "ID", AGENT];

/// The session's agent leaves work behind that is committed nowhere, and stays.
pub(super) const DIRTY: &str =
    r#"echo precious >work.txt; echo ran >>"$AO_HOME/ran"; exec sleep 600"#;

pub(super) fn as_it_is(_: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    None
}

pub(super) fn nothing(_: &Case<'_>) {}

pub(super) fn notifier(env: &TestEnvironment) -> String {
    format!(
        "[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n",
        env.path("notices.jsonl").display()
    )
}

pub(super) fn with_tracker(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    crate::issue::tracker(env, &notifier(env));
    crate::issue::issues(env, &[crate::issue::open_issue("7", "Seven")]);
    None
}

pub(super) fn with_check(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    configure(env, &format!("[check]\ncommand = [\"true\"]\n{}", notifier(env)));
    None
}

pub(super) fn with_webhook(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    let server = Server::start(|_, _| reply(200, &[], ""));
    let url = server.url("/hook");
    let hook = format!("[notifiers.web]\nkind = \"webhook\"\nurl = \"{url}\"\n");
    configure(env, &format!("{hook}{}", notifier(env)));
    Some(Box::new(server))
}

pub(super) fn with_answers(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    configure(env, &format!("{}[env]\nAO_DEMO_AGENT = \"odd\"\n", notifier(env)));
    card(env, "odd", "read\n", |text| {
        let answer = "answer = { decision = \"block\", reason = \"{message}\" }\n";
        text.replace("[hooks.events.stop]\n", &format!("[hooks.events.stop]\n{answer}"))
    });
    None
}

pub(crate) fn with_judge(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    configure(env, &notifier(env));
    card(env, "judge", "hook user-prompt-submit\nhook stop\nread\n", |it| it);
    None
}

/// A working session whose workspace holds uncommitted work.
pub(super) fn working(case: &Case<'_>) {
    case.spawn(DIRTY);
    wait_until_it_ran(case);
}

/// The same in tmux.
pub(super) fn working_in_tmux(case: &Case<'_>) {
    let words = ["spawn", "--agent", "shell", "--runtime", "tmux", "--id", "ID", DIRTY];
    case.ao(&words).success();
    wait_until_it_ran(case);
}

/// The same, ended.
pub(super) fn killed(case: &Case<'_>) {
    working(case);
    case.ao(&["kill", "ID"]).success();
}

/// A session that ended by itself, with a commit on its branch and nothing else.
pub(super) fn committed(case: &Case<'_>) {
    // Restored, it has nothing to commit: a git of the agent's own that dies with its launcher
    // would leave a lock, which is nobody's to take away.
    let script =
        "[ -e work.txt ] || { echo precious >work.txt; git add work.txt; git commit -qm work; }";
    let words =
        ["spawn", "--agent", "shell", "--runtime", "process", "--id", "ID", "--wait", script];
    case.ao(&words).success();
    case.ao(&["reap"]).success();
}

pub(super) fn cleaned_up(case: &Case<'_>) {
    committed(case);
    case.ao(&["cleanup", "ID"]).success();
}

pub(super) fn wait_until_it_ran(case: &Case<'_>) {
    case.stage.env.wait_for("the agent runs", || {
        fs::read_to_string(case.home.join("ran")).ok().filter(|text| text == "ran\n")
    });
}

/// A session that failed, of which nobody was told yet.
pub(super) fn failed(case: &Case<'_>) {
    case.spawn("exit 3");
    wait_until_it_ended(case);
}

/// The launcher goes last, when it has told how the agent ended.
pub(super) fn wait_until_it_ended(case: &Case<'_>) {
    let lock = case.home.join("sessions").join(&case.id).join("alive.lock");
    let is_gone = || (lock.exists() && !is_held_shared_probe(&lock).unwrap()).then_some(());
    case.stage.env.wait_for("the agent's end", is_gone);
}

/// An agent that notes each line it is sent.
pub(super) fn listening(case: &Case<'_>) {
    let script = r#"while read -r line; do echo "$line" >>"$AO_HOME/heard"; done"#;
    let words = ["spawn", "--agent", "shell", "--mode", "interactive", "--runtime", "process"];
    let here = ["--workspace", "none", "--id", "ID", script];
    case.ao(&[&words[..], &here].concat()).success();
    case.ao(&["reap"]).success();
}

/// The same agent, whose checks fail.
pub(super) fn told_to_fix(case: &Case<'_>) {
    listening(case);
    let fact = r#"{"fetched":true,"ci":"failing","pr":{"state":"open","number":7,"head_sha":"a1"},
        "checks":[{"name":"build","conclusion":"failure"}]}"#;
    let command = case.command(&["observe", "scm", "ID"]).stdin(fact);
    case.stage.env.run(&command).success();
}

/// An agent at work, for which a text waits.
pub(super) fn busy_with_a_text(case: &Case<'_>) {
    listening(case);
    let hook = Operation {
        args: &["hook", "odd", "user-prompt-submit"],
        stdin: "{}",
        inside: true,
        ..Operation::PLAIN
    };
    case.stage.env.run(&hook.command(case)).success();
    case.ao(&["send", "ID", "--queue", "the instruction"]).success();
}

/// A spawn died when its worktree was half made.
pub(super) fn half_spawned(case: &Case<'_>) {
    case.faulted(SPAWN, "workspace.checked_out#1=kill").code(137);
}

/// A kill died when it was recorded.
pub(super) fn half_killed(case: &Case<'_>) {
    working(case);
    case.faulted(&["kill", "ID"], "kill.recorded#1=kill").code(137);
}

/// A cleanup died when the worktree was gone.
pub(super) fn half_cleaned(case: &Case<'_>) {
    committed(case);
    case.faulted(&["cleanup", "ID"], "cleanup.removed#1=kill").code(137);
}

/// A worker that has committed, and reads what it is sent.
pub(crate) fn at_rest(case: &Case<'_>) {
    let script = r#"echo precious >work.txt; git add work.txt; git commit -qm work
        echo ran >>"$AO_HOME/ran"; while read -r line; do echo "$line" >>"$AO_HOME/heard"; done"#;
    let words = ["spawn", "--agent", "shell", "--mode", "interactive", "--runtime", "process"];
    case.ao(&[&words[..], &["--id", "ID", script]].concat()).success();
    wait_until_it_ran(case);
    case.ao(&["reap"]).success();
}

pub(super) fn triggered(case: &Case<'_>) {
    at_rest(case);
    case.ao(&["review", "trigger", "ID", "--reviewer", "judge"]).success();
}

pub(super) fn with_parent(case: &Case<'_>) {
    let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", &case.id, AGENT];
    case.ao(&words).success();
    wait_until_it_ran(case);
}

pub(super) fn registered(case: &Case<'_>) {
    case.ao(&["project", "add"]).success();
}

pub(super) fn untouched_repository(case: &Case<'_>) {
    let _ = fs::remove_dir_all(case.stage.repo.join(".ao"));
}

pub(super) fn with_repository_configuration(case: &Case<'_>) {
    let folder = case.stage.repo.join(".ao");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), "[check]\ncommand = [\"true\"]\n").unwrap();
    registered(case);
}

pub(super) fn without_timer(case: &Case<'_>) {
    let _ = fs::remove_file(case.stage.env.path("crontab"));
}

pub(super) fn with_timer(case: &Case<'_>) {
    without_timer(case);
    case.ao(&["timer", "install"]).success();
}

/// A record and a log that cannot be read from some line on.
pub(super) fn damaged(case: &Case<'_>) {
    killed(case);
    let directory = case.home.join("sessions").join(&case.id);
    let log = directory.join("events.jsonl");
    let mut lines = fs::read_to_string(&log).unwrap();
    lines.push_str("nonsense\n");
    fs::write(&log, lines).unwrap();
    fs::write(directory.join("session.json"), "{").unwrap();
}

/// A log that the next change makes long enough to be begun anew.
pub(super) fn long_log(case: &Case<'_>) {
    killed(case);
    let log = case.home.join("sessions").join(&case.id).join("events.jsonl");
    let length = || usize::try_from(fs::metadata(&log).unwrap().len()).unwrap();
    let before = length();
    case.ao(&["rename", "ID", "before"]).success();
    // One more like this is still in it, and the next one is not.
    let full = (1 << 20) - (length() - before) * 3 / 2;
    let text = fs::read_to_string(&log).unwrap();
    let mut last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let (seq, at) = (last["seq"].as_u64().unwrap() + 1, last["at"].clone());
    last["seq"] = seq.into();
    last["patch"] = json!({ "revision": seq, "updated_at": at });
    last["evidence"] = "".into();
    let room = full - text.len() - last.to_string().len();
    last["evidence"] = "x".repeat(room).into();
    fs::write(&log, format!("{text}{last}\n")).unwrap();
    case.ao(&["rename", "ID", "almost"]).success();
    assert!(length() <= 1 << 20, "too early");
}

/// A hook's log that the next line makes too long.
pub(super) fn long_hooks_log(case: &Case<'_>) {
    listening(case);
    fs::write(case.home.join("hooks.log"), "x\n".repeat((1 << 19) - 4)).unwrap();
}

/// A session that has ended with a commit, which no pass has seen.
pub(super) fn committed_unseen(case: &Case<'_>) {
    let script = "echo precious >work.txt; git add work.txt; git commit -qm work";
    case.spawn(script);
    wait_until_it_ended(case);
}
