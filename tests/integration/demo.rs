//! `ao demo`: the whole loop, with nothing left behind.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;

use ao::adapter::clock::{Deadline, poll_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::env::TestEnvironment;
use crate::schema::assert_answer;

/// Returns the temporary directories of demos that are still there.
fn stages(env: &TestEnvironment) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(env.path("tmp")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("ao-demo-")).collect()
}

/// Only the socket of a home whose path is short is inside it; the test's home has to stay so.
fn assert_nothing_left(env: &TestEnvironment) {
    assert_eq!(stages(env), Vec::<PathBuf>::new());
    assert_eq!(std::fs::read_dir(env.home()).unwrap().count(), 0, "the caller's home was used");
    let gone = || env.processes().is_empty().then_some(());
    let gone = poll_until(Deadline::after(Duration::from_secs(20)), gone);
    assert!(gone.is_some(), "{:?}", env.processes());
}

#[test]
fn it_shows_the_whole_loop_and_leaves_nothing() {
    let env = TestEnvironment::new();
    let outcome = env.ao(&["demo", "--json"]).success();
    let lines: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, events) = lines.split_last().unwrap();
    assert_answer("DemoAnswer", summary);
    events.iter().for_each(|event| assert_answer("EventAnswer", event));
    let summary = &summary["summary"];
    assert_eq!(summary["ok"], true);
    assert_eq!(summary["runtime"], "tmux");
    assert_eq!(summary["left"], serde_json::json!([]));
    assert_eq!(summary["events"], events.len());
    let path = |id: &str| {
        let path = summary["sessions"][id].as_array().unwrap().iter();
        path.map(|status| status.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    // A slow machine sees `idle` between `spawning` and `working`, or not.
    let ends = [
        ("app-1", "merged cleanup"),
        ("app-2", "working needs_input working needs_input killed"),
        ("app-3", "working done"),
        ("app-4", "working errored"),
        ("app-5", "working exited"),
    ];
    for (id, end) in ends {
        assert!(path(id).starts_with("spawning"), "{id}: {}", path(id));
        assert!(path(id).ends_with(end), "{id}: {}", path(id));
    }
    assert!(events.iter().any(|event| event["id"] == "app-1-r1"), "it was reviewed");
    let of = |id: &str| events.iter().filter(|event| event["id"] == id).collect::<Vec<_>>();
    for (id, _) in ends {
        let numbers: Vec<_> = of(id).iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        let wanted: Vec<u64> = (1..=u64::try_from(numbers.len()).unwrap()).collect();
        assert_eq!(numbers, wanted, "{id}");
    }
    assert_nothing_left(&env);
}

#[test]
fn a_person_reads_a_timeline_and_a_summary() {
    let env = TestEnvironment::new();
    let outcome = env.ao(&["demo"]).success();
    let has = |wanted: &str| outcome.stdout.lines().any(|line| line.contains(wanted));
    for wanted in [
        "$ ao spawn 'greet the world' --mode interactive --runtime tmux",
        "app-2     needs_input -> working      the agent says that it is active",
        "error: app-2: held: a dialog is open",
        "app-1     deliver                     delivered ",
        "app-5     working -> exited           the agent's process has exited",
        "app-1     merged -> cleanup           ended on purpose: merged",
        "app-2 cleaned up, branch deleted",
        "Nothing is left: no session, pane, process, worktree, branch or changed file.",
    ] {
        assert!(has(wanted), "{wanted}\n{}", outcome.stdout);
    }
    assert_eq!(outcome.stderr, "");
}

#[test]
fn without_tmux_it_says_so_and_plays_in_the_process_runtime() {
    let env = TestEnvironment::new();
    env.hide(&["tmux"]);
    let outcome = env.ao(&["demo"]).success();
    assert!(outcome.stdout.starts_with("tmux is not there: "), "{}", outcome.stdout);
    assert_nothing_left(&env);
}

#[test]
fn ctrl_c_strikes_the_stage() {
    let env = TestEnvironment::new();
    let mut demo = env.spawn_ao(&["demo"]);
    let mut stdout = BufReader::new(demo.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("app-1     spawning") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0);
    }
    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    stdout.read_to_string(&mut line).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    assert_nothing_left(&env);
}

#[test]
fn a_broken_step_is_named_and_keep_keeps() {
    let env = TestEnvironment::new();
    env.shims(&[(
        "git",
        "case \"$*\" in *'show main:'*) exit 9;; esac; PATH=${PATH#*:} exec git \"$@\"",
    )]);
    let outcome = env.ao(&["demo", "--keep"]).code(1);
    assert!(
        outcome.stderr.starts_with("error: the demo failed\ncaused by: merge what is green and approved, and clean up after it\n"),
        "{}",
        outcome.stderr
    );
    let [stage] = stages(&env).try_into().unwrap();
    let kept = format!("everything is kept in {}", stage.display());
    assert!(outcome.stdout.lines().any(|line| line == kept), "{}", outcome.stdout);
    assert!(stage.join("home/sessions/app-2/session.json").is_file());
    let running = || env.processes().is_empty().then_some(());
    assert!(poll_until(Deadline::after(Duration::from_secs(20)), running).is_some());
}
