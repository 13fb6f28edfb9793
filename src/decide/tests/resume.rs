//! Usage limits: what is known of their end, and who tells the agent to go on.

use serde_json::{Value, json};

use super::{at, observation, record, step, summary};
use crate::decide::{Sendable, enqueue, sendable, still_holds};
use crate::model::effect::Effect;
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::time::Timestamp;

fn policy(resume: Value) -> Policy {
    let mut set = json!({ "on_limit": true });
    set.as_object_mut().unwrap().extend(resume.as_object().unwrap().clone());
    serde_json::from_value(json!({ "resume": set })).unwrap()
}

fn limit(resets_at: Option<Timestamp>) -> Value {
    match resets_at {
        Some(time) => json!({"kind": "limit", "launch": "aaaaaaaa", "resets_at": time}),
        None => json!({"kind": "limit", "launch": "aaaaaaaa"}),
    }
}

fn activity(state: &str, boundary: bool) -> Value {
    json!({"kind": "activity", "confidence": "valid", "source": "hook", "activity": state,
        "boundary": boundary})
}

fn tick() -> Value {
    json!({"kind": "tick"})
}

/// One step after the other; each line is the second, the fact's kind, the outcome and its budget.
struct Story {
    record: Record,
    policy: Policy,
    text: String,
}

impl Story {
    fn new(resume: Value) -> Self {
        Self { record: record(json!({})), policy: policy(resume), text: String::new() }
    }

    fn see(&mut self, seconds: u64, fact: Value) -> Vec<Effect> {
        let outcome = step(&self.record, &observation(fact.clone()), &self.policy, at(seconds));
        let tracker = outcome.after.reactions.get("resume-after-limit");
        let tracker = tracker.map_or(String::new(), |tracker| {
            let escalated = if tracker.escalated { ", a person was asked" } else { "" };
            format!(" [{} of {}{escalated}]", tracker.attempts, self.policy.resume.max)
        });
        let kind = fact.get("activity").or(fact.get("kind")).unwrap().as_str().unwrap();
        self.text += &format!("{seconds:>6}s {kind:<13} {}{tracker}\n", summary(&outcome));
        self.record = outcome.after;
        outcome.effects
    }
}

#[test]
fn an_agent_is_told_once_for_each_limit_and_a_person_after_the_last() {
    let mut story = Story::new(json!({ "max": 2 }));
    story.see(10, limit(Some(at(600))));
    for seconds in [599, 600, 659, 660, 720] {
        story.see(seconds, tick());
    }
    story.see(725, activity("active", true));
    story.see(730, limit(Some(at(1000))));
    story.see(1060, tick());
    story.see(1061, activity("active", true));
    story.see(1070, limit(None));
    story.see(4669, tick());
    story.see(4670, tick());
    story.see(9999, tick());
    story.see(10_000, activity("active", true));
    story.see(10_010, activity("idle", true));
    story.see(10_020, activity("active", true));
    story.see(10_030, limit(Some(at(10_100))));
    story.see(10_160, tick());
    insta::assert_snapshot!(story.text, @"
       10s limit         limit working -> stuck; notify agent-stuck urgent
      599s tick          tick stuck (unchanged)
      600s tick          tick stuck (unchanged)
      659s tick          tick stuck (unchanged)
      660s tick          tick stuck; send resume-after-limit [1 of 2]
      720s tick          tick stuck (unchanged) [1 of 2]
      725s active        activity.active stuck -> working [1 of 2]
      730s limit         limit working -> stuck; notify agent-stuck urgent [1 of 2]
     1060s tick          tick stuck; send resume-after-limit [2 of 2]
     1061s active        activity.active stuck -> working [2 of 2]
     1070s limit         limit working -> stuck; notify agent-stuck urgent [2 of 2]
     4669s tick          tick stuck (unchanged) [2 of 2]
     4670s tick          tick stuck; notify resume-after-limit urgent escalation [3 of 2, a person was asked]
     9999s tick          tick stuck (unchanged) [3 of 2, a person was asked]
    10000s active        activity.active stuck -> working [3 of 2, a person was asked]
    10010s idle          activity.idle working -> idle
    10020s active        activity.active idle -> working
    10030s limit         limit working -> stuck; notify agent-stuck urgent
    10160s tick          tick stuck; send resume-after-limit [1 of 2]
    ");
}

#[test]
fn nobody_is_told_who_did_not_ask_for_it() {
    let mut story = Story::new(json!({ "on_limit": false }));
    story.see(10, limit(Some(at(600))));
    story.see(9999, tick());
    insta::assert_snapshot!(story.text, @"
      10s limit         limit working -> stuck; notify agent-stuck urgent
    9999s tick          tick stuck (unchanged)
    ");
}

#[test]
fn outside_its_hours_a_text_waits() {
    // Stories begin at 10:00 UTC.
    let mut story = Story::new(json!({ "window": "13:00-15:00", "utc_offset": 3600 }));
    story.see(10, limit(Some(at(600))));
    for seconds in [700, 2 * 3600 - 1, 2 * 3600] {
        story.see(seconds, tick());
    }
    let mut late = Story::new(json!({ "window": "13:00-15:00", "utc_offset": 3600 }));
    late.see(10, limit(Some(at(600))));
    late.see(4 * 3600, tick());
    insta::assert_snapshot!(format!("{}\n{}", story.text, late.text), @"
       10s limit         limit working -> stuck; notify agent-stuck urgent
      700s tick          tick stuck (unchanged)
     7199s tick          tick stuck (unchanged)
     7200s tick          tick stuck; send resume-after-limit [1 of 3]

       10s limit         limit working -> stuck; notify agent-stuck urgent
    14400s tick          tick stuck (unchanged)
    ");
}

#[test]
fn the_text_goes_out_while_the_limit_lasts_and_no_other_does() {
    let mut story = Story::new(json!({ "text": "Go on, {id}." }));
    story.see(10, limit(Some(at(600))));
    let effects = story.see(660, tick());
    let record = enqueue(&story.record, &effects, 7, at(660));
    let entry = &record.outbox["7.resume-after-limit"];
    assert_eq!(entry.message, "Go on, web-7.");
    assert_eq!(still_holds(&record, entry), Ok(()));
    assert_eq!(sendable(&record, entry, &story.policy), Sendable::Now);
    let other =
        crate::model::effect::OutboxEntry { reaction: Some("ci-failed".into()), ..entry.clone() };
    assert!(matches!(sendable(&record, &other, &story.policy), Sendable::Hold(_)));

    story.record = record.clone();
    story.see(670, activity("blocked", false));
    assert!(matches!(sendable(&story.record, entry, &story.policy), Sendable::Hold(_)));
    story.see(680, activity("active", true));
    assert_eq!(still_holds(&story.record, entry), Err("the usage limit is over".to_owned()));
    story.record = record.clone();
    story.see(680, limit(Some(at(900))));
    assert_eq!(still_holds(&story.record, entry), Ok(()), "it is recorded again when it is due");
}

#[test]
fn a_limit_ends_the_turn_and_its_dialog() {
    let mut story = Story::new(json!({}));
    story.see(10, activity("blocked", false));
    story.see(20, limit(Some(at(600))));
    story.see(30, activity("waiting_input", false));
    story.see(660, tick());
    assert_eq!(story.record.lifecycle.activity.as_ref().unwrap().state.as_str(), "idle");
    insta::assert_snapshot!(story.text, @"
     10s blocked       activity.blocked working -> needs_input; notify agent-needs-input urgent
     20s limit         limit needs_input -> stuck; notify agent-stuck urgent
     30s waiting_input activity.held stuck
    660s tick          tick stuck; send resume-after-limit [1 of 3]
    ");
}

#[test]
fn what_is_known_of_a_limit() {
    let mut story = Story::new(json!({}));
    let mut table = String::new();
    let mut see = |seconds: u64, fact: Value| {
        let line = story.text.len();
        story.see(seconds, fact);
        let session = &story.record.lifecycle.session;
        let until = session.until.map_or("-".to_owned(), |until| until.to_string());
        table += &format!("{} until {until}\n", story.text[line..].trim_end());
    };
    see(10, limit(None));
    see(20, limit(Some(at(600))));
    see(21, limit(Some(at(600))));
    // Another place says only that there is one.
    see(30, limit(None));
    // An agent at rest says so; that is no turn's end.
    see(90, activity("idle", false));
    see(95, activity("waiting_input", false));
    see(700, limit(None));
    see(710, activity("idle", false));
    see(720, limit(Some(at(900))));
    see(730, activity("idle", true));
    let mut stale = limit(Some(at(5000)));
    stale["observed_at"] = json!(at(725));
    see(740, stale.clone());
    stale["observed_at"] = json!(at(750));
    stale["launch"] = json!("bbbbbbbb");
    see(750, stale);
    insta::assert_snapshot!(table, @"
     10s limit         limit working -> stuck; notify agent-stuck urgent until -
     20s limit         limit stuck until 2026-11-20T10:10:00.000Z
     21s limit         limit stuck (unchanged) until 2026-11-20T10:10:00.000Z
     30s limit         limit stuck (unchanged) until 2026-11-20T10:10:00.000Z
     90s idle          activity.held stuck until 2026-11-20T10:10:00.000Z
     95s waiting_input activity.held stuck until 2026-11-20T10:10:00.000Z
    700s limit         limit stuck until -
    710s idle          activity.idle stuck -> idle until -
    720s limit         limit idle -> stuck; notify agent-stuck urgent until 2026-11-20T10:15:00.000Z
    730s idle          activity.idle stuck -> idle until -
    740s limit         noop.older idle (unchanged) until -
    750s limit         noop.stale_launch idle (unchanged) until -
    ");
}
