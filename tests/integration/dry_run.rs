//! Dry runs against the real ones: what would be refused is refused, with the same exit code.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::agents::{agent, agents_alive, configure, spawn, wait_status};
use crate::env::{Outcome, TestEnvironment};
use crate::schema::assert_answer;

/// A session that stays at an empty prompt.
const IDLE: &str = "hook session-start\nread\n";

/// A machine with one repository, and agents that are quickly started.
fn prepared() -> (TestEnvironment, PathBuf) {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    (env, repo)
}

fn quick(env: &TestEnvironment, repo: &Path, id: &str, script: &str) {
    spawn(env, repo, &["-a", "shell", "--runtime", "process", "--id", id, script]);
}

fn ops(plan: &Value) -> Vec<String> {
    let steps = plan["plan"].as_array().unwrap().iter();
    steps.map(|step| step["op"].as_str().unwrap().to_owned()).collect()
}

/// Runs a command dry, then in earnest; both must end with `code`. Returns what the dry run said.
#[track_caller]
fn alike(env: &TestEnvironment, repo: &Path, args: &[&str], code: i32) -> Outcome {
    let dry = env.ao_in(repo, &[args, &["--dry-run"]].concat());
    let real = env.ao_in(repo, args);
    assert_eq!((dry.status, real.status), (code, code), "ao {args:?}\n{dry}\n{real}");
    dry
}

#[test]
fn what_a_session_refuses_is_refused_in_a_dry_run() {
    let (env, repo) = prepared();
    agent(&env, "asker", "hook session-start\nhook permission-request\ndialog Sure? y\n");
    quick(&env, &repo, "live", "exec sleep 600");
    quick(&env, &repo, "dirty", "echo x >note");
    quick(&env, &repo, "gone", "true");
    spawn(&env, &repo, &["-a", "asker", "--id", "asks", "x"]);
    wait_status(&env, "asks", "needs_input");
    wait_status(&env, "dirty", "done");
    wait_status(&env, "gone", "done");
    env.ao(&["cleanup", "gone"]).success();
    let alike = |args: &[&str], code: i32| alike(&env, &repo, args, code);

    alike(&["restore", "live"], 4);
    alike(&["rename", "gone", "New"], 4);
    alike(&["cleanup", "live"], 4);
    alike(&["cleanup", "dirty"], 5);
    alike(&["send", "dirty", "hello"], 4);
    alike(&["send", "asks", "hello"], 5);
    let queued = alike(&["send", "asks", "hello", "--queue"], 0);
    assert!(queued.stdout.starts_with("would record it for asks"), "{queued}");
    let spawn = ["spawn", "-a", "shell", "--runtime", "process", "true"];
    alike(&[&spawn[..], &["--id", "live"]].concat(), 4);
    for args in [&["kill", "gone"][..], &["cleanup", "gone"]] {
        let left = alike(args, 0);
        assert_eq!(left.stdout, "would leave gone: it is cleaned up already\n");
    }

    // Of several the others are planned; the code is that of the one that is refused.
    let plan = env.ao(&["restore", "dirty", "live", "--dry-run", "--json"]).code(4).json();
    assert_answer("PlanAnswer", &plan);
    assert_eq!(ops(&plan), ["restore dirty", "leave live"]);
    let plan = env.ao(&["send", "asks", "live", "hello", "--dry-run", "--json"]).code(5).json();
    assert_eq!(ops(&plan), ["leave asks", "type it into live"]);
}

#[test]
fn a_batch_is_planned_as_if_each_line_had_been_followed() {
    let (env, repo) = prepared();
    configure(&env, "max_sessions = 3\n");
    let batch = |lines: &str, more: &[&str]| {
        let words = ["spawn", "-a", "shell", "--runtime", "process", "--batch", "-", "--json"];
        env.run(&env.ao_command(&[&words[..], more].concat()).cwd(&repo).stdin(lines))
    };
    let line = |rest: &str| format!("{{\"prompt\":\"exec sleep 600\"{rest}}}\n");
    let twice = |rest: &str| line(rest).repeat(2);
    for (lines, code) in [
        (twice(",\"id\":\"same\""), 4),
        (twice(",\"issue\":\"7\""), 4),
        (twice(",\"branch\":\"fix/one\""), 4),
        (line("") + "{\"title\":\"nothing to do\"}\n", 2),
    ] {
        let planned = batch(&lines, &["--dry-run"]).code(code).json();
        assert_eq!(ops(&planned).last().unwrap(), "leave line 2 out", "{planned:#}");
        assert_eq!(ops(&planned).len(), 5, "{planned:#}");
        let failed = &batch(&lines, &[]).code(code).json()["failed"];
        assert_eq!((failed.as_array().unwrap().len(), &failed[0]["line"]), (1, &2.into()));
        env.ao(&["kill", "--all", "--yes"]).success();
        env.ao(&["cleanup", "--yes"]).success();
    }

    // Those that there is no room for are no part of the plan.
    let spawn = ["spawn", "-a", "shell", "--runtime", "process", "--count", "5", "--json"];
    let run = |more: &[&str]| {
        let words = [&spawn[..], more, &["exec sleep 600"]].concat();
        env.ao_in(&repo, &words).code(4).json()
    };
    let planned = ops(&run(&["--dry-run"]));
    let count = |start: &str| planned.iter().filter(|op| op.starts_with(start)).count();
    assert_eq!((count("record session"), count("leave line")), (3, 2), "{planned:?}");
    let answer = run(&[]);
    let count = |list: &str| answer[list].as_array().unwrap().len();
    assert_eq!((count("sessions"), count("failed")), (3, 2));
}

#[test]
fn what_a_look_would_find_lost_is_planned_to_come_back() {
    let (env, repo) = prepared();
    agent(&env, "idler", IDLE);
    spawn(&env, &repo, &["-a", "idler", "x"]);
    wait_status(&env, "app-1", "idle");
    quick(&env, &repo, "well", "exec sleep 600");
    let server = env.tmux(&["display-message", "-p", "#{pid}"]).stdout;
    let launcher = env.record("app-1")["handles"]["runtime"]["pid"].to_string();
    for pid in [launcher, server] {
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
    env.ao(&["kill", "well"]).success();
    env.wait_for("nothing is left", || agents_alive(&env).is_empty().then_some(()));
    let before = fs::read(env.home().join("sessions/app-1/session.json")).unwrap();
    let plan = env.ao_json(&["restore", "--all", "--dry-run", "--json"]);
    assert_answer("PlanAnswer", &plan);
    assert_eq!(ops(&plan), ["restore app-1"]);
    assert_eq!(fs::read(env.home().join("sessions/app-1/session.json")).unwrap(), before);
    assert_eq!(env.ao(&["restore", "--all"]).success().stdout, "app-1 restored\n");
}
