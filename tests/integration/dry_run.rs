//! Dry runs against the real ones: what would be refused is refused, with the same exit code.

use std::path::PathBuf;

use serde_json::Value;

use crate::agents::configure;
use crate::env::TestEnvironment;

/// A machine with one repository, and agents that are quickly started.
fn prepared() -> (TestEnvironment, PathBuf) {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    (env, repo)
}

fn ops(plan: &Value) -> Vec<String> {
    let steps = plan["plan"].as_array().unwrap().iter();
    steps.map(|step| step["op"].as_str().unwrap().to_owned()).collect()
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
