//! Every row of the table of exit codes, and every sentence below it, provoked once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ao::cli::exit::Exit;
use serde_json::{Value, json};

use crate::agents::{agent, configure, wait_status};
use crate::env::{Outcome, TestEnvironment};
use crate::schema::assert_answer;

const SHELL: &[&str] = &["spawn", "-a", "shell", "--runtime", "process"];

/// Runs commands, and notes which exit codes it has seen.
struct Rows {
    env: TestEnvironment,
    repo: PathBuf,
    seen: RefCell<BTreeSet<i32>>,
}

impl Rows {
    fn new() -> Self {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        Self { env, repo, seen: RefCell::default() }
    }

    /// Runs `ao` in the repository, and expects that exit code.
    #[track_caller]
    fn exits(&self, args: &[&str], exit: Exit) -> Outcome {
        self.exits_in(&self.repo, args, exit)
    }

    #[track_caller]
    fn exits_in(&self, directory: &Path, args: &[&str], exit: Exit) -> Outcome {
        let args = [&["--json"], args].concat();
        let outcome = self.env.ao_in(directory, &args).code(i32::from(exit.code()));
        self.seen.borrow_mut().insert(outcome.status);
        outcome
    }

    /// [`Self::exits`] where the answer is an error: kind and code agree, and it says what to do.
    #[track_caller]
    fn fails(&self, args: &[&str], exit: Exit) -> Value {
        self.fails_in(&self.repo, args, exit)
    }

    #[track_caller]
    fn fails_in(&self, directory: &Path, args: &[&str], exit: Exit) -> Value {
        let outcome = self.exits_in(directory, args, exit);
        let line = outcome.stderr.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{outcome}"));
        assert_answer("ErrorAnswer", &error);
        assert_eq!(error["error"]["kind"], exit.kind(), "{outcome}");
        error["error"].clone()
    }

    fn spawn(&self, script: &'static str) -> String {
        let outcome = self.env.ao_in(&self.repo, &[SHELL, &[script]].concat()).success();
        outcome.stdout.trim().to_owned()
    }
}

#[test]
fn every_row_of_the_table_is_provoked() {
    let rows = Rows::new();
    let env = &rows.env;
    rows.exits(&["ls"], Exit::Done);
    rows.fails(&["ls", "--frobnicate"], Exit::Invalid);
    rows.fails(&["show", "nobody"], Exit::NotFound);
    let id = rows.spawn("exec sleep 600");
    rows.fails(&[SHELL, &["--id", &id, "true"]].concat(), Exit::Conflict);
    rows.exits(&["wait", &id, "--until", "done", "--timeout", "50ms"], Exit::Timeout);
    let fact = json!({ "confidence": "valid", "activity": "waiting_input", "source": "hook" });
    env.ao_stdin(&["observe", "activity", &id], fact.to_string()).success();
    rows.exits(&["wait", &id], Exit::WaitNeedsInput);
    env.ao(&["kill", &id]).success();
    rows.exits(&["wait", &id], Exit::WaitEnded);
    fs::write(env.home().join("worktrees/app").join(&id).join("note"), "x").unwrap();
    rows.fails(&["cleanup", &id], Exit::Refused);
    let failing = rows.spawn("exit 3");
    rows.exits(&["wait", &failing, "--timeout", "20s"], Exit::WaitErrored);
    rows.fails(&["exec", &failing, "--", "no-such-program"], Exit::MissingDependency);
    let limited = "hook session-start\nhook user-prompt-submit\n\
         hook stop-failure {\"error\":\"usage limit reached, resets in 3 hours\"}\nread\n";
    agent(env, "limited", limited);
    rows.exits(&["spawn", "--agent", "limited", "--id", "limited", "x"], Exit::Done);
    wait_status(env, "limited", "stuck");
    rows.exits(&["wait", "limited"], Exit::WaitLimited);
    // A forge that cannot be reached, and one at which nobody is logged in.
    env.set("GITHUB_API_URL", "http://127.0.0.1:9");
    env.git(&rows.repo, &["remote", "add", "origin", "git@github.com:octo/app.git"]);
    let worker = rows.spawn("git commit -q --allow-empty -m work");
    env.ao(&["wait", &worker, "--timeout", "20s"]).success();
    let refused = rows.fails(&["merge", &worker], Exit::Denied);
    assert!(refused["message"].as_str().unwrap().contains("no token"), "{refused}");
    env.set("AO_GITHUB_TOKEN", "t0ken");
    rows.fails(&["issue", "ls"], Exit::Unavailable);
    // Damage that nothing repairs.
    for file in ["session.json", "events.jsonl"] {
        fs::write(env.home().join("sessions").join(&failing).join(file), "{\n").unwrap();
    }
    rows.fails(&["show", &failing], Exit::Internal);

    let seen = rows.seen.into_inner();
    let missing: Vec<_> =
        Exit::ALL.iter().filter(|exit| !seen.contains(&i32::from(exit.code()))).collect();
    assert!(missing.is_empty(), "never provoked: {missing:?}");
}

#[test]
fn a_repository_and_a_home_that_cannot_serve_say_so_by_their_code() {
    let rows = Rows::new();
    let env = &rows.env;
    let repos = env.path("repos");
    fs::create_dir(repos.join("plain")).unwrap();
    env.git(&repos, &["init", "-q", "--bare", "bare.git"]);
    env.git(&repos, &["init", "-q", "empty"]);
    let spawn = [SHELL, &["true"]].concat();
    rows.fails_in(&repos.join("plain"), &spawn, Exit::NotFound);
    rows.fails_in(&repos.join("bare.git"), &spawn, Exit::Invalid);
    rows.fails_in(&repos.join("empty"), &spawn, Exit::Invalid);

    configure(env, "max_sessions = 1\n");
    let id = rows.spawn("exec sleep 600");
    rows.fails(&spawn, Exit::Conflict);
    configure(env, "");
    // A fact that says nothing is ignored, and that is no failure.
    let stale = json!({ "confidence": "probe_failure", "activity": "ready", "source": "hook" });
    env.ao_stdin(&["observe", "activity", &id], stale.to_string()).success();

    // A mistake in the user's own file stops passes, and hooks are as quiet as ever.
    configure(env, "agnet = \"shell\"\n");
    for args in [&["reap"][..], &["reap", "--strict"], &["reap", "--dry-run"], &["config", "show"]]
    {
        let error = rows.fails(args, Exit::Invalid);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("config.toml:1: unknown key `agnet`; did you mean `agent`?"));
    }
    let hook = rows.exits(&["hook", "demo", "stop"], Exit::Done);
    assert_eq!((&*hook.stdout, &*hook.stderr), ("", ""));
    rows.exits(&["hook"], Exit::Done);
    // A repository's own mistake is one project's: its sessions go on without it.
    configure(env, "");
    fs::create_dir_all(rows.repo.join(".ao")).unwrap();
    fs::write(rows.repo.join(".ao/config.toml"), "agnet = 1\n").unwrap();
    rows.exits(&["reap"], Exit::Done);

    fs::write(env.home().join("format"), "999\n").unwrap();
    rows.fails(&["rename", &id, "x"], Exit::MissingDependency);
    rows.exits(&["ls"], Exit::Done);
}

#[test]
fn what_is_kept_is_no_failure_unless_it_was_named() {
    let rows = Rows::new();
    let ids = [rows.spawn("echo x >note"), rows.spawn("true")];
    for id in &ids {
        rows.exits(&["wait", id, "--timeout", "20s"], Exit::Done);
    }
    let killed = rows.exits(&["kill", &ids[0]], Exit::Done);
    assert_answer("SessionsAnswer", &killed.json());
    let cleaned = rows.exits(&["cleanup", "--yes"], Exit::Done).json();
    assert_eq!(cleaned["cleanup"][0]["id"], *ids[0]);
    assert!(!cleaned["cleanup"][0]["kept"].as_array().unwrap().is_empty(), "{cleaned:#}");
    rows.fails(&["cleanup", &ids[0]], Exit::Refused);
}

#[test]
fn what_became_of_a_text_is_its_exit_code() {
    let rows = Rows::new();
    let env = &rows.env;
    let idle = |name: &str, script: &str| {
        agent(env, name, &format!("hook user-prompt-submit\nhook stop\n{script}"));
        rows.exits(&["spawn", "--agent", name, "--id", name, "x"], Exit::Done);
        wait_status(env, name, "idle");
        env.wait_for("its composer", || {
            env.ao(&["output", name]).stdout.contains('>').then_some(())
        });
    };
    idle("takes", "loop {\nread\nhook user-prompt-submit\nhook stop\n}\n");
    let sent = rows.exits(&["send", "takes", "hello"], Exit::Done).json();
    assert_eq!(sent["send"]["delivery"], "submitted");
    // A draft of a person's.
    idle("drafts", "draft not yet\nread\nread\n");
    rows.fails(&["send", "drafts", "hello"], Exit::Refused);
    // A dialog that opens upon Enter: nothing proves that the text was taken, or that it was not.
    idle("doubts", "read\ndialog Trust it? enter\nread\n");
    let doubted = rows.fails(&["send", "doubts", "hello"], Exit::Internal);
    assert!(doubted["message"].as_str().unwrap().contains("unconfirmed"), "{doubted}");
    assert_eq!(doubted["retryable"], true, "{doubted}");
}
