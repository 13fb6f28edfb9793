//! Tests of the composed reducer: tables, stories and properties.

mod activity;
mod batch;
mod composition;
mod fuzz;
mod notices;
mod outbox;
mod probe;
mod properties;
mod pull_request;
mod reactions;
mod resume;
mod scenario;
mod storms;

use std::time::Duration;

use serde_json::{Value, json};

use crate::decide::{Outcome, reduce};
use crate::model::check::check;
use crate::model::effect::Effect;
use crate::model::facts::Observation;
use crate::model::patch;
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::time::Timestamp;

/// Returns the time `seconds` after the start of every story.
fn at(seconds: u64) -> Timestamp {
    at_millis(seconds * 1000)
}

fn at_millis(milliseconds: u64) -> Timestamp {
    let start: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
    start.plus(Duration::from_millis(milliseconds))
}

/// Returns a working session with hooks, changed by the merge patch `change`.
fn record(change: Value) -> Record {
    let mut object = json!({
        "id": "web-7", "agent": "claude-code", "signals": "hooks", "revision": 3,
        "created_at": at(0),
        "lifecycle": {
            "session": {"state": "working", "reason": "task_in_progress", "since": at(0)},
            "runtime": {"state": "alive", "reason": "process_running"},
            "activity": {"state": "active", "last_activity_at": at(0), "source": "hook"}
        },
        "handles": {"launch": "aaaaaaaa"}
    });
    let (Value::Object(target), Value::Object(change)) = (&mut object, &change) else {
        panic!("not an object: {change}");
    };
    patch::apply(target, change);
    serde_json::from_value(object).unwrap()
}

fn observation(value: Value) -> Observation {
    Observation::from_value(value).unwrap()
}

/// Reduces and checks what holds for every outcome there is.
fn step(record: &Record, observation: &Observation, policy: &Policy, now: Timestamp) -> Outcome {
    let outcome = reduce(record, observation, policy, now).unwrap();
    assert_eq!(check(&outcome.after), [], "{observation:?}");
    let document = record.to_document().patched(&outcome.patch);
    assert_eq!(document.view().unwrap(), outcome.after, "the patch gives the record");
    assert_eq!(outcome.patch.is_empty(), *record == outcome.after);
    assert_eq!(
        reduce(record, observation, policy, now).unwrap(),
        outcome,
        "equal inputs give equal outcomes"
    );
    outcome
}

fn see(record: &Record, fact: Value, now: Timestamp) -> Outcome {
    step(record, &observation(fact), &Policy::default(), now)
}

/// Returns the outcome as one line: rule, status, effects.
fn summary(outcome: &Outcome) -> String {
    let status = if outcome.status_before == outcome.status_after {
        outcome.status_after.to_string()
    } else {
        format!("{} -> {}", outcome.status_before, outcome.status_after)
    };
    let effects: String =
        outcome.effects.iter().map(|effect| format!("; {}", word(effect))).collect();
    let unchanged = if outcome.patch.is_empty() { " (unchanged)" } else { "" };
    format!("{} {status}{unchanged}{effects}", outcome.rule)
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::Send { reaction, repeat, .. } => {
            format!("send {reaction}{}", if *repeat { " again" } else { "" })
        }
        Effect::Notify { reaction, priority, escalation, .. } => {
            format!("notify {reaction} {priority}{}", if *escalation { " escalation" } else { "" })
        }
        Effect::Run { reaction, command, .. } => format!("run {reaction} {command:?}"),
        Effect::Merge { reaction, .. } => format!("merge {reaction}"),
        Effect::Comment { reaction, .. } => format!("comment {reaction}"),
        Effect::Relay { reaction, to, recipient, .. } => {
            let to = to.as_ref().map(|id| id.as_str());
            let to = to.or(recipient.map(|it| it.as_str())).unwrap_or("nobody");
            format!("relay {reaction} to {to}")
        }
    }
}

fn axis(outcome: &Outcome) -> String {
    let session = &outcome.after.lifecycle.session;
    format!("{}/{}", session.state, session.reason)
}
