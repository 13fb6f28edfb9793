//! Storms and loops, with the shell around the reducer played by hand: what goes out is exactly
//! what the table of reactions says, whatever flaps, and nothing goes out twice.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{at, observation, record, step};
use crate::decide::{Sendable, delivered, dropped, enqueue, sendable, still_holds, undeliverable};
use crate::model::effect::{EntryKind, OutboxEntry};
use crate::model::policy::{Policy, ReactionPolicy};
use crate::model::record::Record;
use crate::model::time::Timestamp;

/// A session, its outbox delivered after every observation, and what went out.
struct Storm {
    record: Record,
    policy: Policy,
    now: Timestamp,
    out: Vec<String>,
    ids: BTreeSet<String>,
}

impl Storm {
    fn new() -> Self {
        let resting = json!({"lifecycle": {
            "session": {"state": "idle", "reason": "research_complete"},
            "activity": {"state": "ready"}
        }});
        let (record, policy) = (record(resting), Policy::default());
        Self { record, policy, now: at(0), out: Vec::new(), ids: BTreeSet::new() }
    }

    /// Sees the fact `seconds` later, and delivers what is due, as a pass does.
    fn see(&mut self, seconds: u64, fact: Value) {
        self.now = self.now.plus(std::time::Duration::from_secs(seconds));
        let outcome = step(&self.record, &observation(fact), &self.policy, self.now);
        if !outcome.is_unchanged() {
            let revision = self.record.revision + 1;
            let written = Record { revision, ..outcome.after };
            self.record = enqueue(&written, &outcome.effects, revision, self.now);
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        let keys: Vec<String> = self.record.outbox.keys().cloned().collect();
        for key in keys {
            let entry = self.record.outbox[&key].clone();
            self.record = match (still_holds(&self.record, &entry), entry.kind) {
                (Err(_), _) => dropped(&self.record, &key),
                (Ok(()), EntryKind::Send) => match sendable(&self.record, &entry, &self.policy) {
                    Sendable::Now => self.deliver_one(&key, &entry),
                    Sendable::Hold(_) | Sendable::Wait(_) => continue,
                    Sendable::Never(why) => {
                        let (after, effects) = undeliverable(&self.record, &key, &why);
                        enqueue(&after, &effects, after.revision + 1, self.now)
                    }
                },
                (Ok(()), _) => self.deliver_one(&key, &entry),
            };
        }
    }

    fn deliver_one(&mut self, key: &str, entry: &OutboxEntry) -> Record {
        assert!(self.ids.insert(key.to_owned()), "{key} went out twice");
        let reaction = entry.reaction.as_deref().unwrap_or_default();
        let word = match (entry.repeat, entry.escalation) {
            (true, _) => " again",
            (_, true) => " escalated",
            (false, false) => "",
        };
        self.out.push(format!("{} {reaction}{word}", entry.kind));
        delivered(&self.record, key)
    }

    /// Returns what went out, each with how often, in the order of its first time.
    fn counts(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for line in &self.out {
            match counts.iter_mut().find(|(known, _)| known == line) {
                Some((_, count)) => *count += 1,
                None => counts.push((line, 1)),
            }
        }
        counts
    }
}

fn ci(state: &str, head: &str, run: u32) -> Value {
    let conclusion = if state == "failing" { "failure" } else { "success" };
    json!({"kind":"scm","fetched":true,"pr":{"state":"open","number":7,"head_sha":head},"ci":state,
        "checks":[{"name":"test","conclusion":conclusion,"url":format!("https://ci/run/{run}")}]})
}

fn commented(head: &str, ids: &[u32], is_bot: bool) -> Value {
    let comment = |id: &u32| json!({"id": id, "author": "a", "body": "b", "is_bot": is_bot});
    let comments: Vec<Value> = ids.iter().map(comment).collect();
    json!({"kind":"scm","fetched":true,"pr":{"state":"open","number":7,"head_sha":head},
        "ci":"passing","comments":comments})
}

fn conflicted(head: &str, base: &str, conflicts: bool) -> Value {
    json!({"kind":"scm","fetched":true,"pr":{"state":"open","number":7,"head_sha":head},
        "base_sha":base,"ci":"passing",
        "mergeability":{"ci_passing":true,"mergeable":false,"no_conflicts":!conflicts}})
}

/// The table's numbers, read from the table.
fn retries(key: &str) -> usize {
    ReactionPolicy::built_in(key).retries.unwrap() as usize
}

fn minutes(key: &str) -> usize {
    (ReactionPolicy::built_in(key).escalate_after.unwrap().as_secs() / 60) as usize
}

#[test]
fn ci_that_flaps_twenty_times_on_one_head_drains_one_budget() {
    let mut storm = Storm::new();
    for run in 0..20 {
        storm.see(60, ci("failing", "a1", run));
        storm.see(60, ci("pending", "a1", run));
    }
    // The first text whole, each further one a line, then a person, then silence.
    assert_eq!(
        storm.counts(),
        [
            ("send ci-failed", 1),
            ("send ci-failed again", retries("ci-failed") - 1),
            ("notify ci-failed escalated", 1),
        ]
    );
}

#[test]
fn ci_that_flaps_twenty_times_on_new_heads_drains_one_budget() {
    let mut storm = Storm::new();
    for run in 0..20 {
        storm.see(60, ci("failing", &format!("a{run}"), run));
        storm.see(60, ci("pending", &format!("a{run}"), run));
    }
    let expected = [("send ci-failed", retries("ci-failed")), ("notify ci-failed escalated", 1)];
    assert_eq!(storm.counts(), expected);
}

#[test]
fn ci_that_passes_in_between_is_twenty_incidents() {
    let mut storm = Storm::new();
    for run in 0..20 {
        storm.see(60, ci("failing", "a1", run));
        storm.see(60, ci("passing", "a1", run));
    }
    assert_eq!(storm.counts(), [("send ci-failed", 20)]);
}

#[test]
fn a_check_that_is_run_again_ten_times_is_no_news() {
    let mut storm = Storm::new();
    for run in 0..=10 {
        storm.see(60, ci("failing", "a1", run));
        storm.see(60, json!({"kind":"tick"}));
    }
    assert_eq!(storm.counts(), [("send ci-failed", 1)]);
}

#[test]
fn a_bot_that_comments_on_every_push_is_passed_on_until_its_time_is_up() {
    let key = "bugbot-comments";
    let pushes = |pause: usize, resolved: bool| {
        let mut storm = Storm::new();
        let mut open = Vec::new();
        for push in 0..20 {
            if resolved {
                open.clear();
            }
            open.push(push);
            storm.see(pause as u64 * 60, commented(&format!("a{push}"), &open, true));
            storm.see(0, json!({"kind":"tick"}));
        }
        storm
    };
    // Twenty pushes within the time: each is news. Whether old comments are resolved is not asked.
    for resolved in [false, true] {
        assert_eq!(pushes(1, resolved).counts(), [("send bugbot-comments", 20)]);
    }
    // Slower ones: what falls into the time since the first, then a person, then silence.
    assert_eq!(
        pushes(5, false).counts(),
        [("send bugbot-comments", minutes(key) / 5), ("notify bugbot-comments escalated", 1)]
    );
}

#[test]
fn comments_that_are_resolved_and_opened_again_are_a_new_incident_each_time() {
    let mut storm = Storm::new();
    for _ in 0..10 {
        storm.see(60, commented("a1", &[1, 2], false));
        storm.see(60, commented("a1", &[1, 2], false));
        storm.see(60, commented("a1", &[], false));
    }
    assert_eq!(storm.counts(), [("send changes-requested", 10)]);
}

#[test]
fn conflicts_that_come_and_go_with_a_moving_base() {
    let mut storm = Storm::new();
    for base in 0..20 {
        storm.see(60, conflicted("a1", &format!("b{base}"), true));
        storm.see(60, conflicted("a1", &format!("b{base}"), true));
        storm.see(60, conflicted("a1", &format!("b{base}"), false));
    }
    assert_eq!(storm.counts(), [("send merge-conflicts", 20)]);

    // A conflict that stays while the base moves every minute: news each time, until its time is up.
    let mut storm = Storm::new();
    for base in 0..60 {
        storm.see(60, conflicted("a1", &format!("b{base}"), true));
    }
    let sends = minutes("merge-conflicts");
    let expected = [("send merge-conflicts", sends), ("notify merge-conflicts escalated", 1)];
    assert_eq!(storm.counts(), expected);
}

#[test]
fn heads_that_fail_while_the_agent_is_busy_cost_one_attempt() {
    let mut storm = Storm::new();
    let working = |activity: &str| {
        json!({"kind":"activity","confidence":"valid","source":"hook","boundary":true,
            "activity":activity})
    };
    storm.see(1, working("active"));
    for run in 0..10 {
        storm.see(60, ci("failing", &format!("a{run}"), run));
    }
    assert_eq!(storm.counts(), []);
    assert_eq!(storm.record.reactions["ci-failed"].attempts, 1);
    storm.see(60, working("ready"));
    assert_eq!(storm.counts(), [("send ci-failed", 1)]);
    assert_eq!(storm.record.outbox.len(), 0);
}

#[test]
fn a_command_runs_once_for_each_incident() {
    let mut storm = Storm::new();
    let run = json!({"reactions": {"ci-failed": {"action": "run", "command": ["x"]}}});
    storm.policy = serde_json::from_value(run).unwrap();
    for run in 0..5 {
        for head in ["a1", "a1", "a2"] {
            storm.see(60, ci("failing", head, run));
        }
    }
    // Both heads in turn: ten changes of what it is about, the first sight among them.
    assert_eq!(storm.counts(), [("run ci-failed", 10)]);
}

#[test]
fn a_merge_is_tried_once_for_each_head() {
    let mut storm = Storm::new();
    let merge = json!({"reactions": {"approved-and-green": {"action": "merge"}}});
    storm.policy = serde_json::from_value(merge).unwrap();
    for head in ["a1", "a1", "a2", "a2", "a2"] {
        let fact = json!({"kind":"scm","fetched":true,"ci":"passing",
            "pr":{"state":"open","number":7,"head_sha":head},"mergeability":{"mergeable":true}});
        storm.see(60, fact);
    }
    assert_eq!(storm.counts(), [("merge approved-and-green", 2)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Between two times at which its checks pass, an agent gets two texts at most, a person one
    /// notice, and after that nobody hears a thing.
    #[test]
    fn whatever_ci_does_one_budget_is_never_exceeded(
        steps in proptest::collection::vec((0u64..4000, 0u8..6, 0u8..3), 1..60)
    ) {
        let mut storm = Storm::new();
        let mut seen = 0;
        let (mut sends, mut told) = (0, 0);
        for (pause, what, head) in steps {
            let head = format!("a{head}");
            storm.see(pause, match what {
                0..3 => ci("failing", &head, 1),
                3 => ci("pending", &head, 1),
                4 => ci("passing", &head, 1),
                _ => json!({"kind":"tick"}),
            });
            for line in &storm.out[seen..] {
                let escalated = line == "notify ci-failed escalated";
                if escalated { told += 1 } else { sends += 1 }
                prop_assert!(told == 0 || escalated, "silence after an escalation: {:?}", storm.out);
                prop_assert!(sends <= retries("ci-failed") && told <= 1, "{:?}", storm.out);
            }
            seen = storm.out.len();
            if what == 4 {
                (sends, told) = (0, 0);
            }
        }
    }
}
