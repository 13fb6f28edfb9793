//! The outbox as data.

use serde_json::json;

use super::{at, record, see};
use crate::decide::{
    MAX_FAILURES, delivered, delivery_failed, dropped, enqueue, sendable, still_holds,
    undeliverable,
};
use crate::model::effect::{Effect, OutboxEntry, Priority};
use crate::model::policy::Policy;
use crate::model::record::Record;

const ID: &str = "4.ci-failed";

/// A session whose agent is to be told that a check fails.
fn told() -> Record {
    let fact = json!({"kind":"scm","fetched":true,"pr":{"state":"open","head_sha":"a1"},
        "ci":"failing","checks":[{"name":"test","conclusion":"failure"}]});
    let outcome = see(&record(json!({})), fact, at(10));
    enqueue(&outcome.after, &outcome.effects, 4, at(10))
}

fn entry(record: &Record) -> &OutboxEntry {
    &record.outbox[ID]
}

#[test]
fn an_effect_is_put_there_once() {
    let told = told();
    assert_eq!(entry(&told).signature.as_deref(), Some("test@a1"));
    assert_eq!(entry(&told).launch, told.handles.launch);
    let send = Effect::Send {
        reaction: "ci-failed".into(),
        signature: "test@a1".into(),
        repeat: true,
        message: "x".into(),
    };
    assert_eq!(enqueue(&told, &[send], 5, at(20)), told);
    let other = Effect::Send {
        reaction: "ci-failed".into(),
        signature: "test@a2".into(),
        repeat: false,
        message: "x".into(),
    };
    let two = enqueue(&told, &[other.clone(), other], 4, at(20));
    assert_eq!(two.outbox.keys().collect::<Vec<_>>(), [ID, "4.ci-failed.2"]);
}

#[test]
fn an_entry_is_stale_when_its_cause_is_over() {
    let told = told();
    assert_eq!(still_holds(&told, entry(&told)), Ok(()));
    let scm = |rest: serde_json::Value| {
        let mut fact = json!({"kind":"scm","fetched":true,"pr":{"state":"open"}});
        fact.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        see(&told, fact, at(20)).after
    };
    let stale = |record: &Record| still_holds(record, entry(&told)).unwrap_err();
    assert_eq!(stale(&scm(json!({"ci":"passing"}))), "what triggered ci-failed is over");
    let other = scm(json!({"ci":"failing","checks":[{"name":"lint","conclusion":"failure"}]}));
    assert_eq!(stale(&other), "ci-failed is about something else by now");
    let mut restarted = told.clone();
    restarted.handles.launch = Some("bbbbbbbb".parse().unwrap());
    assert_eq!(stale(&restarted), "it was meant for an earlier launch of this session");
}

#[test]
fn nothing_is_typed_where_it_could_do_harm() {
    let mut table = String::new();
    let session = |state: &str, reason: &str| json!({"state": state, "reason": reason});
    for (name, change) in [
        ("active", json!({})),
        ("idle", json!({"lifecycle": {"activity": {"state": "idle"}}})),
        ("ready", json!({"lifecycle": {"activity": {"state": "ready"}}})),
        ("waiting_input", json!({"lifecycle": {"activity": {"state": "waiting_input"}}})),
        ("blocked", json!({"lifecycle": {"activity": {"state": "blocked"}}})),
        ("exited", json!({"lifecycle": {"activity": {"state": "exited"}}})),
        ("terminal", json!({"lifecycle": {"session": session("terminated", "runtime_lost")}})),
        ("done", json!({"lifecycle": {"session": session("done", "completed")}})),
        ("detecting", json!({"lifecycle": {"session": session("detecting", "runtime_lost")}})),
        ("limited", json!({"lifecycle": {"session": session("stuck", "usage_limited")}})),
        ("no signals", json!({"signals": "none"})),
        (
            "starting",
            json!({"lifecycle": {"activity": null,
            "session": session("not_started", "spawn_requested")}}),
        ),
    ] {
        let subject = record(change);
        let (reaction, told) = (entry(&told()).clone(), told());
        let person = OutboxEntry { reaction: None, ..entry(&told).clone() };
        let policy = Policy::default();
        let (reaction, person) =
            (sendable(&subject, &reaction, &policy), sendable(&subject, &person, &policy));
        let person =
            if person == reaction { String::new() } else { format!(", a person's {person:?}") };
        table.push_str(&format!("{name}: {reaction:?}{person}\n"));
    }
    insta::assert_snapshot!(table, @r#"
    active: Wait("the agent is busy; it gets it at the end of its turn")
    idle: Now
    ready: Now
    waiting_input: Now
    blocked: Hold("a dialog is open; typing could answer it")
    exited: Never("the agent has exited")
    terminal: Never("the session has ended")
    done: Never("the session has ended")
    detecting: Hold("it is not sure that the agent lives")
    limited: Hold("the agent's usage limit is reached"), a person's Now
    no signals: Now
    starting: Wait("the agent has not started")
    "#);
}

#[test]
fn failures_give_the_attempt_back_wait_longer_and_end_as_one_dead_letter() {
    let mut record = told();
    assert_eq!(record.reactions["ci-failed"].attempts, 1);
    let mut waits = Vec::new();
    for failure in 1..=MAX_FAILURES {
        let (after, effects) = delivery_failed(&record, ID, "no pane", at(100));
        assert_eq!(after.reactions["ci-failed"].attempts, 0);
        assert_eq!(effects.len(), usize::from(failure == MAX_FAILURES));
        waits.push(after.outbox[ID].next_at.map(|next| next.since(at(100)).as_secs()));
        if let [Effect::Notify { priority, escalation, message, .. }] = &effects[..] {
            assert_eq!((*priority, *escalation), (Priority::Action, false));
            assert!(message.starts_with("ci-failed: could not be given to the agent: no pane"));
        }
        record = after;
    }
    assert_eq!(waits, [Some(60), Some(120), Some(240), Some(480), None]);
    assert!(record.outbox[ID].dead);
    let (same, effects) = delivery_failed(&record, ID, "no pane", at(100));
    assert_eq!((same, effects), (record.clone(), vec![]));
    assert_eq!(crate::model::check::check(&record), []);
}

#[test]
fn a_delivery_after_failures_counts_once() {
    let (failed, _) = delivery_failed(&told(), ID, "busy", at(100));
    let (failed, _) = delivery_failed(&failed, ID, "busy", at(200));
    let after = delivered(&failed, ID);
    assert!(after.outbox.is_empty());
    let tracker = &after.reactions["ci-failed"];
    assert_eq!((tracker.attempts, tracker.first_attempt_at), (1, Some(at(320))));
    assert_eq!(delivered(&told(), ID).reactions, told().reactions);
}

#[test]
fn a_dropped_text_was_no_attempt() {
    let after = dropped(&told(), ID);
    assert!(after.outbox.is_empty());
    let tracker = &after.reactions["ci-failed"];
    assert_eq!((tracker.attempts, tracker.first_attempt_at), (0, None));
    let (failed, _) = delivery_failed(&told(), ID, "busy", at(100));
    assert_eq!(dropped(&failed, ID).reactions, failed.reactions);
}

#[test]
fn what_can_never_be_delivered_goes_to_a_person_at_once() {
    let (after, effects) = undeliverable(&told(), ID, "the agent has exited");
    assert!(after.outbox[ID].dead);
    assert_eq!(effects.len(), 1);
    assert_eq!(after.reactions["ci-failed"].attempts, 0);
}

#[test]
fn a_text_that_arrives_answers_what_the_agent_reported() {
    let mut told = record(json!({"report": {"state": "needs-input", "at": at(1), "open": true}}));
    for kind in ["notify", "send"] {
        let entry = json!({"kind": kind, "created_at": at(2), "message": "8080"});
        told.outbox.insert(format!("4.{kind}"), serde_json::from_value(entry).unwrap());
    }
    let open = |key: &str| crate::decide::delivered(&told, key).report.unwrap().open;
    assert!(open("4.notify"), "a person who knows has not answered yet");
    assert!(!open("4.send"));
}

/// Returns a session with a notice that waits for the notifiers `failing`, and went to `reached`.
fn notice(failing: &[&str], reached: &[&str]) -> Record {
    let mut subject = record(json!({}));
    let entry = OutboxEntry {
        reaction: Some("agent-stuck".to_owned()),
        priority: Some(Priority::Urgent),
        message: "it is stuck".to_owned(),
        failing: failing.iter().map(|name| (*name).to_owned()).collect(),
        delivered: reached.iter().map(|name| ((*name).to_owned(), at(1))).collect(),
        ..OutboxEntry::new(crate::model::effect::EntryKind::Notify, at(1))
    };
    subject.outbox.insert("7.agent-stuck".to_owned(), entry);
    subject
}

fn given_up(mut record: Record, id: &str) -> Record {
    for _ in 0..MAX_FAILURES {
        let (after, effects) = delivery_failed(&record, id, "it is down", at(100));
        assert_eq!(effects, []);
        record = after;
    }
    assert!(record.outbox[id].dead);
    assert_eq!(crate::model::check::check(&record), []);
    record
}

#[test]
fn a_notice_that_died_goes_by_another_route_once() {
    let died = given_up(notice(&["hook"], &[]), "7.agent-stuck");
    let others: Vec<&String> = died.outbox.keys().filter(|key| *key != "7.agent-stuck").collect();
    assert_eq!(others.len(), 1);
    let key = others[0].clone();
    let other = &died.outbox[&key];
    assert_eq!((other.dead, other.priority), (false, Some(Priority::Urgent)));
    assert!(other.except.contains("hook") && other.failing.is_empty());
    assert_eq!(
        other.message,
        "could not be told by hook (5 attempts), so it comes this way; `ao outbox ls --dead` \
         keeps it\nit is down\n\nit is stuck"
    );
    // Where that fails as well, there is no third way.
    let mut worse = died.clone();
    worse.outbox.get_mut(&key).unwrap().failing.insert("log".to_owned());
    let worse = given_up(worse, &key);
    assert_eq!(worse.outbox.len(), 2);
}

#[test]
fn who_was_told_hears_of_an_outage_once_a_session() {
    let died = given_up(notice(&["hook"], &["log"]), "7.agent-stuck");
    assert_eq!(died.outbox.len(), 2, "the first time it is said");
    let mut again = died.clone();
    let entry = notice(&["hook"], &["log"]).outbox["7.agent-stuck"].clone();
    again.outbox.insert("9.agent-stuck".to_owned(), entry);
    assert_eq!(given_up(again, "9.agent-stuck").outbox.len(), 3);
    // What nobody was told goes out each time.
    let mut unheard = died;
    let entry = notice(&["hook"], &[]).outbox["7.agent-stuck"].clone();
    unheard.outbox.insert("9.agent-stuck".to_owned(), entry);
    assert_eq!(given_up(unheard, "9.agent-stuck").outbox.len(), 4);
}

#[test]
fn who_asks_for_time_gets_it() {
    let wait = |asked: Option<u64>| {
        let mut asking = notice(&["hook"], &[]);
        asking.outbox.get_mut("7.agent-stuck").unwrap().next_at = asked.map(at);
        let (after, _) = delivery_failed(&asking, "7.agent-stuck", "429", at(100));
        after.outbox["7.agent-stuck"].next_at.unwrap().since(at(100)).as_secs()
    };
    assert_eq!([wait(None), wait(Some(50)), wait(Some(110)), wait(Some(700))], [60, 60, 60, 600]);
}
