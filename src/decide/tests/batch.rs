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
    insta::assert_snapshot!(answer, @r#"{"patch":{"lifecycle":{"runtime":{"reason":"tmux_missing","state":"exited"},"session":{"reason":"runtime_lost","since":"2026-11-20T10:00:00.000Z","state":"terminated"}}},"record":{"schema":1,"kind":"worker","mode":"interactive","agent":"","signals":"none","revision":0,"lifecycle":{"session":{"state":"terminated","reason":"runtime_lost","since":"2026-11-20T10:00:00.000Z"},"pr":{"state":"none","reason":"not_created"},"runtime":{"state":"exited","reason":"tmux_missing"}},"future":{"x":1}},"status":{"before":"working","after":"exited"},"evidence":"dead runtime=dead process=dead recent=false","decision":{"rule":"probe.7","reason":"the agent's process and its pane are gone"},"effects":[{"kind":"notify","reaction":"agent-exited","priority":"urgent","escalation":false,"message":"the session exited: runtime lost."}]}"#);
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
        json!([{
            "kind": "run",
            "reaction": "ci-failed",
            "signature": "@",
            "message": "the session: checks fail on the pull request at commit (unknown).",
            "command": ["make", "fix"]
        }])
    );
}

#[test]
fn bad_lines_say_what_is_wrong() {
    let mut table = String::new();
    for line in [
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
    insta::assert_snapshot!(table, @r#"
    {
      {"error":{"code":2,"kind":"invalid","message":"the line is not JSON: EOF while parsing an object at line 1 column 1","retryable":false}}
    []
      {"error":{"code":2,"kind":"invalid","message":"the line is not a JSON object","retryable":false}}
    {}
      {"error":{"code":2,"kind":"invalid","message":"the line needs an object `record`","retryable":false}}
    {"record":{}}
      {"error":{"code":2,"kind":"invalid","message":"the line needs an `observation`","retryable":false}}
    {"record":[],"observation":{"kind":"tick"}}
      {"error":{"code":2,"kind":"invalid","message":"the line needs an object `record`","retryable":false}}
    {"record":{},"observation":{}}
      {"error":{"code":2,"kind":"invalid","message":"an observation needs a `kind`: one of runtime, activity, scm, spawn_completed, spawn_failed, kill, restore, limit, sent, tick","retryable":false}}
    {"record":{},"observation":{"kind":"x"}}
      {"error":{"code":2,"kind":"invalid","message":"unknown observation kind `x`; it is one of runtime, activity, scm, spawn_completed, spawn_failed, kill, restore, limit, sent, tick","retryable":false}}
    {"record":{},"observation":{"kind":"runtime","runtime":"x","process":"dead"}}
      {"error":{"code":2,"kind":"invalid","message":"invalid `runtime` observation: unknown variant `x`, expected one of `alive`, `dead`, `indeterminate`, `failed`","retryable":false}}
    {"record":{"lifecycle":{"session":{"state":"x","reason":"y"}}},"observation":{"kind":"tick"}}
      {"error":{"code":2,"kind":"invalid","message":"not a session record: unknown variant `y`, expected one of `spawn_requested`, `agent_acknowledged`, `task_in_progress`, `pr_created`, `fixing_ci`, `resolving_review_comments`, `awaiting_user_input`, `awaiting_external_review`, `research_complete`, `inactive`, `merged_waiting_decision`, `completed`, `manually_killed`, `pr_merged`, `auto_cleanup`, `runtime_lost`, `agent_process_exited`, `probe_failure`, `error_in_process`, `never_started`, `usage_limited`","retryable":false}}
    {"record":{},"observation":{"kind":"tick"},"now":"today"}
      {"error":{"code":2,"kind":"invalid","message":"invalid `now`: `today` is not an RFC 3339 time such as 2026-11-20T10:00:00.000Z","retryable":false}}
    {"record":{},"observation":{"kind":"tick"},"policy":{"recent_window":5}}
      {"error":{"code":2,"kind":"invalid","message":"invalid `policy`: invalid type: number, expected a string","retryable":false}}
    {"record":{"schema":9},"observation":{"kind":"tick"}}
      {"error":{"code":8,"kind":"missing_dependency","message":"record schema 9 is newer than 1","retryable":false}}
    {"record":{},"observation":{"kind":"spawn_completed"}}
      {"error":{"code":3,"kind":"not_found","message":"there is no such session: its spawn was never recorded","retryable":false}}
    {"record":{"lifecycle":{}},"observation":{"kind":"restore"}}
      {"error":{"code":4,"kind":"conflict","message":"only a session that has ended can be restored; this one is not_started","retryable":false}}
    "#);
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
