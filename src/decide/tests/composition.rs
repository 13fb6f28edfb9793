//! Who may write the session axis: every observer against every state.

use serde_json::{Value, json};

use super::{at, axis, observation, record, see};
use crate::decide::{DecideError, reduce};
use crate::model::policy::Policy;

/// Every kind of session there is, by name.
fn subjects() -> Vec<(&'static str, Value)> {
    let session = |state: &str, reason: &str| json!({"state": state, "reason": reason});
    let memory = json!({"attempts": 1, "started_at": at(0), "last_at": at(0),
        "evidence_hash": "0".repeat(64), "from": session("idle", "inactive")});
    vec![
        ("not_started", json!({"session": session("not_started", "spawn_requested")})),
        ("working", json!({})),
        ("idle", json!({"session": session("idle", "inactive")})),
        ("needs_input", json!({"session": session("needs_input", "awaiting_user_input")})),
        ("stuck", json!({"session": session("stuck", "usage_limited")})),
        (
            "detecting",
            json!({"session": session("detecting", "runtime_lost"), "detecting": memory}),
        ),
        ("escalated", json!({"session": session("stuck", "runtime_lost"), "detecting": memory})),
        ("done", json!({"session": session("done", "completed")})),
        ("terminated", json!({"session": session("terminated", "runtime_lost")})),
    ]
}

/// Shows what each fact makes of the session axis in each state.
fn table(observers: &[(&str, Value)]) -> String {
    let mut table = String::new();
    for (observer, fact) in observers {
        table.push_str(&format!("{observer}:\n"));
        for (name, lifecycle) in subjects() {
            let before = record(json!({ "lifecycle": lifecycle }));
            let outcome = see(&before, fact.clone(), at(100));
            let session = if outcome.after.lifecycle.session == before.lifecycle.session {
                "same".to_owned()
            } else {
                axis(&outcome)
            };
            let unchanged = if outcome.patch.is_empty() { ", unchanged" } else { "" };
            table.push_str(&format!("  {name}: {} {session}{unchanged}\n", outcome.rule));
        }
    }
    table
}

fn activity(state: &str) -> Value {
    json!({"kind":"activity","confidence":"valid","source":"hook","boundary":true,
        "activity":state})
}

fn scm(state: &str) -> Value {
    json!({"kind":"scm","fetched":true,"pr":{"state":state}})
}

fn probe(runtime: &str, process: &str) -> Value {
    json!({"kind":"runtime","runtime":runtime,"process":process})
}

#[test]
fn every_probe_against_every_state() {
    let observers = [
        ("healthy", probe("alive", "alive")),
        ("doubt", probe("failed", "failed")),
        ("death", probe("dead", "dead")),
        ("exit code", json!({"kind":"runtime","runtime":"dead","process":"dead","exit_code":1})),
    ];
    insta::assert_snapshot!(table(&observers), @"
    healthy:
      not_started: probe.5 same, unchanged
      working: probe.5 same, unchanged
      idle: probe.5 same, unchanged
      needs_input: probe.5 same, unchanged
      stuck: probe.5 same, unchanged
      detecting: probe.5 idle/inactive
      escalated: probe.5 idle/inactive
      done: noop.terminal same, unchanged
      terminated: noop.terminal same, unchanged
    doubt:
      not_started: probe.3 detecting/probe_failure
      working: probe.3 detecting/probe_failure
      idle: probe.3 detecting/probe_failure
      needs_input: probe.3 detecting/probe_failure
      stuck: probe.3 detecting/probe_failure
      detecting: probe.3 detecting/probe_failure
      escalated: probe.3 same
      done: noop.terminal same, unchanged
      terminated: noop.terminal same, unchanged
    death:
      not_started: probe.7 terminated/runtime_lost
      working: probe.7 terminated/runtime_lost
      idle: probe.7 terminated/runtime_lost
      needs_input: probe.7 terminated/runtime_lost
      stuck: probe.7 terminated/runtime_lost
      detecting: probe.7 terminated/runtime_lost
      escalated: probe.7 terminated/runtime_lost
      done: noop.terminal same, unchanged
      terminated: noop.terminal same, unchanged
    exit code:
      not_started: probe.2 terminated/agent_process_exited
      working: probe.2 terminated/agent_process_exited
      idle: probe.2 terminated/agent_process_exited
      needs_input: probe.2 terminated/agent_process_exited
      stuck: probe.2 terminated/agent_process_exited
      detecting: probe.2 terminated/agent_process_exited
      escalated: probe.2 terminated/agent_process_exited
      done: noop.terminal same, unchanged
      terminated: noop.terminal same, unchanged
    ");
}

#[test]
fn every_word_of_the_agent_against_every_state() {
    let observers = [
        ("active", activity("active")),
        ("exited", activity("exited")),
        ("limit", json!({"kind":"limit"})),
    ];
    insta::assert_snapshot!(table(&observers), @"
    active:
      not_started: activity.active working/task_in_progress
      working: activity.active same
      idle: activity.active working/task_in_progress
      needs_input: activity.active working/task_in_progress
      stuck: activity.active working/task_in_progress
      detecting: activity.active working/task_in_progress
      escalated: activity.active same
      done: noop.terminal same, unchanged
      terminated: noop.terminal same, unchanged
    exited:
      not_started: activity.exited same
      working: activity.exited same
      idle: activity.exited same
      needs_input: activity.exited same
      stuck: activity.exited same
      detecting: activity.exited same
      escalated: activity.exited same
      done: noop.terminal same, unchanged
      terminated: noop.terminal same, unchanged
    limit:
      not_started: limit stuck/usage_limited
      working: limit stuck/usage_limited
      idle: limit stuck/usage_limited
      needs_input: limit stuck/usage_limited
      stuck: limit same, unchanged
      detecting: limit stuck/usage_limited
      escalated: limit same, unchanged
      done: noop.terminal same, unchanged
      terminated: noop.terminal same, unchanged
    ");
}

#[test]
fn every_pull_request_against_every_state() {
    let observers = [("open", scm("open")), ("merged", scm("merged")), ("closed", scm("closed"))];
    insta::assert_snapshot!(table(&observers), @"
    open:
      not_started: pr.10 same
      working: pr.10 same
      idle: pr.10 same
      needs_input: pr.10 same
      stuck: pr.10 same
      detecting: pr.10 same
      escalated: pr.10 same
      done: pr.10 same
      terminated: pr.10 same
    merged:
      not_started: pr.merged idle/merged_waiting_decision
      working: pr.merged idle/merged_waiting_decision
      idle: pr.merged idle/merged_waiting_decision
      needs_input: pr.merged idle/merged_waiting_decision
      stuck: pr.merged idle/merged_waiting_decision
      detecting: pr.merged idle/merged_waiting_decision
      escalated: pr.merged idle/merged_waiting_decision
      done: pr.merged same
      terminated: pr.merged same
    closed:
      not_started: pr.closed idle/awaiting_user_input
      working: pr.closed idle/awaiting_user_input
      idle: pr.closed idle/awaiting_user_input
      needs_input: pr.closed idle/awaiting_user_input
      stuck: pr.closed idle/awaiting_user_input
      detecting: pr.closed idle/awaiting_user_input
      escalated: pr.closed idle/awaiting_user_input
      done: pr.closed same
      terminated: pr.closed same
    ");
}

#[test]
fn every_explicit_fact_against_every_state() {
    let observers = [
        ("sent", json!({"kind":"sent"})),
        ("tick", json!({"kind":"tick"})),
        ("kill", json!({"kind":"kill","cause":"manual"})),
    ];
    insta::assert_snapshot!(table(&observers), @"
    sent:
      not_started: sent same, unchanged
      working: sent same, unchanged
      idle: sent same, unchanged
      needs_input: sent same, unchanged
      stuck: sent same, unchanged
      detecting: sent same, unchanged
      escalated: sent same, unchanged
      done: sent same, unchanged
      terminated: sent same, unchanged
    tick:
      not_started: tick same, unchanged
      working: tick same, unchanged
      idle: tick same, unchanged
      needs_input: tick same, unchanged
      stuck: tick same, unchanged
      detecting: tick same, unchanged
      escalated: tick same, unchanged
      done: tick same, unchanged
      terminated: tick same, unchanged
    kill:
      not_started: kill.manual terminated/manually_killed
      working: kill.manual terminated/manually_killed
      idle: kill.manual terminated/manually_killed
      needs_input: kill.manual terminated/manually_killed
      stuck: kill.manual terminated/manually_killed
      detecting: kill.manual terminated/manually_killed
      escalated: kill.manual terminated/manually_killed
      done: kill.manual same, unchanged
      terminated: kill.manual same, unchanged
    ");
}

#[test]
fn three_ways_to_be_killed() {
    for (cause, expected) in [
        ("manual", "killed terminated/manually_killed exited/manual_kill_requested"),
        ("cleanup", "cleanup terminated/auto_cleanup exited/auto_cleanup"),
        ("error", "errored terminated/error_in_process exited/probe_error"),
    ] {
        let subject = record(json!({
            "reactions": {"ci-failed": {"attempts": 1, "first_attempt_at": at(0), "escalated": false},
                          "agent-idle": {"attempts": 0, "escalated": true}},
            "outbox": {"3.ci-failed": {"kind": "send", "message": "x", "created_at": at(0)}},
        }));
        let outcome = see(&subject, json!({"kind":"kill","cause":cause}), at(10));
        let runtime = &outcome.after.lifecycle.runtime;
        let actual = format!(
            "{} {} {}/{}",
            outcome.status_after,
            axis(&outcome),
            runtime.state,
            runtime.reason
        );
        assert_eq!(actual, expected);
        assert!(outcome.after.reactions.is_empty() && outcome.after.outbox.is_empty());
        assert_eq!(outcome.effects, []);
    }
}

#[test]
fn a_restore_starts_from_nothing_and_only_after_the_end() {
    let ended = record(json!({
        "lifecycle": {"session": {"state": "terminated", "reason": "runtime_lost"},
                      "pr": {"state": "merged", "reason": "merged", "number": 17}},
        "reactions": {"ci-failed": {"attempts": 0, "escalated": false, "signature": "x"}},
        "outbox": {"3.agent-exited": {"kind": "notify", "message": "x", "created_at": at(0)}},
    }));
    let outcome = see(&ended, json!({"kind":"restore","launch":"bbbbbbbb"}), at(10));
    assert_eq!(
        Value::Object(outcome.patch),
        json!({
            "lifecycle": {
                "session": {"state": "not_started", "reason": "spawn_requested", "since": at(10)},
                "pr": {"state": "none", "reason": "cleared_on_restore", "number": null},
                "runtime": {"state": "unknown", "reason": "spawn_incomplete"},
                "activity": null,
            },
            "handles": {"launch": "bbbbbbbb"},
            "reactions": null,
            "outbox": null,
        })
    );
    let alive = record(json!({}));
    let refused =
        reduce(&alive, &observation(json!({"kind":"restore"})), &Policy::default(), at(10));
    assert!(matches!(refused, Err(DecideError::NotTerminal { .. })));
}
