//! `ao decide`: lines in, lines out.

use serde_json::{Value, json};

use super::at;
use crate::decide::batch::evaluate_line;
use crate::model::policy::Policy;

fn answer(line: &str) -> Value {
    let result = evaluate_line(line, &Policy::default(), at(0));
    serde_json::from_str(&result.unwrap_or_else(|error| error)).unwrap()
}

#[test]
fn a_bare_lifecycle_is_a_record_and_missing_axes_take_their_initial_values() {
    let line = json!({
        "record": {"lifecycle": {"session": {"state": "working", "reason": "task_in_progress"}},
                   "future": {"x": 1}},
        "observation": {"kind": "runtime", "runtime": "dead", "process": "dead"},
        "now": "2026-11-20T10:00:00Z",
    });
    let answer = evaluate_line(&line.to_string(), &Policy::default(), at(9)).unwrap();
    insta::assert_snapshot!(answer, @"");
}

#[test]
fn a_policy_in_the_line_counts_for_the_line() {
    let line = json!({
        "record": {"lifecycle": {"pr": {"state": "open", "reason": "in_progress"}}},
        "observation": {"kind": "scm", "fetched": true, "pr": {"state": "open"}, "ci": "failing"},
        "policy": {"reactions": {"ci-failed": {"action": "run", "command": ["make", "fix"]}}},
        "now": "2026-11-20T10:00:00Z",
    });
    assert_eq!(
        answer(&line.to_string())["effects"],
        json!([{"kind": "run", "reaction": "ci-failed", "command": ["make", "fix"]}])
    );
}

#[test]
fn bad_lines_say_what_is_wrong() {
    let mut table = String::new();
    for line in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"record":{}}"#,
        r#"{"record":[],"observation":{"kind":"tick"}}"#,
        r#"{"record":{},"observation":{}}"#,
        r#"{"record":{},"observation":{"kind":"x"}}"#,
        r#"{"record":{},"observation":{"kind":"runtime","runtime":"x","process":"dead"}}"#,
        r#"{"record":{"lifecycle":{"session":{"state":"x","reason":"y"}}},"observation":{"kind":"tick"}}"#,
        r#"{"record":{},"observation":{"kind":"tick"},"now":"today"}"#,
        r#"{"record":{},"observation":{"kind":"tick"},"policy":{"recent_window":5}}"#,
        r#"{"record":{"schema":9},"observation":{"kind":"tick"}}"#,
        r#"{"record":{},"observation":{"kind":"spawn_completed"}}"#,
        r#"{"record":{"lifecycle":{}},"observation":{"kind":"restore"}}"#,
    ] {
        let error = evaluate_line(line, &Policy::default(), at(0)).unwrap_err();
        table.push_str(&format!("{line}\n  {error}\n"));
    }
    insta::assert_snapshot!(table, @"");
}

#[test]
fn a_seeded_spawn_completes() {
    let line = r#"{"record":{"lifecycle":{}},"observation":{"kind":"spawn_completed"}}"#;
    let answer = answer(line);
    assert_eq!(answer["decision"]["rule"], "spawn_completed");
    assert_eq!(
        answer["patch"],
        json!({"lifecycle": {"runtime": {"state": "alive", "reason": "process_running"}}})
    );
}
