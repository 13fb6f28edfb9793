//! Decides which issues a pass may give to an agent, from what is remembered of earlier ones.
//!
//! Invariants:
//!
//! * An issue is given to an agent once, whatever becomes of its session.
//! * A start that failed is tried again after a pause that grows, [`MOST_ATTEMPTS`] times in all;
//!   then a person is told, once.
//! * An attempt is counted before it is made: one that was cut short has been one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::id::SessionId;
use crate::model::time::Timestamp;

/// How often an issue's session is started at most.
pub const MOST_ATTEMPTS: u32 = 3;

/// How often a person is tried to be told that an issue was given up.
const MOST_TELLS: u32 = 5;

/// The pause after the first failure; it is four times as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What is remembered of one project's issues, in `projects/<id>.intake.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// The schema it was written in.
    pub schema: u64,
    /// When the tracker was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// By the issue's id.
    pub issues: BTreeMap<String, Attempt>,
}

/// What is remembered of one issue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    /// The session that has it, or had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// How often its start was begun.
    pub attempts: u32,
    /// Not before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Why it failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How often a person was tried to be told.
    #[serde(skip_serializing_if = "is_zero")]
    pub tells: u32,
    /// Who was told, and when.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, Timestamp>,
    /// Nobody is left to be told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_settled: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What is to be done about an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is somebody's, or was given up.
    Nothing,
    /// Its pause is not over.
    Later,
    /// It may be given to an agent.
    Start,
    /// A person is to be told that it was given up.
    Tell,
}

impl Ledger {
    /// Returns whether the tracker may be asked again.
    pub fn may_ask(&self, interval: Duration, now: Timestamp) -> bool {
        // A clock that was set back must not make it wait for years.
        self.asked_at.is_none_or(|at| at > now || now.since(at) >= interval)
    }

    /// Returns what is to be done about an issue that is open and has the label.
    pub fn due(&self, issue: &str, now: Timestamp) -> Due {
        match self.issues.get(issue) {
            None => Due::Start,
            Some(attempt) if attempt.session.is_some() => Due::Nothing,
            Some(attempt) if attempt.attempts >= MOST_ATTEMPTS => {
                let silent = attempt.is_settled || attempt.tells >= MOST_TELLS;
                // The last attempt may be one that was cut short: its session may come to life.
                match attempt.next_at {
                    Some(next) if next > now && attempt.last_error.is_none() => Due::Later,
                    Some(_) | None if silent => Due::Nothing,
                    Some(_) | None => Due::Tell,
                }
            }
            Some(attempt) if attempt.next_at.is_some_and(|next| next > now) => Due::Later,
            Some(_) => Due::Start,
        }
    }

    /// Counts an attempt that is about to be made.
    pub fn begin(&mut self, issue: &str, now: Timestamp) {
        let attempt = self.issues.entry(issue.to_owned()).or_default();
        let pause = FIRST_PAUSE * 4_u32.saturating_pow(attempt.attempts.min(8));
        attempt.attempts = attempt.attempts.saturating_add(1);
        attempt.next_at = Some(now.plus(pause));
        attempt.last_error = None;
    }

    /// Takes an attempt back that was none: nothing of it began.
    pub fn take_back(&mut self, issue: &str) {
        let Some(attempt) = self.issues.get_mut(issue) else { return };
        attempt.attempts = attempt.attempts.saturating_sub(1);
        attempt.next_at = None;
        if attempt.attempts == 0 {
            self.issues.remove(issue);
        }
    }

    /// Notes that a session has an issue.
    pub fn taken(&mut self, issue: &str, session: &SessionId) {
        let attempt = self.issues.entry(issue.to_owned()).or_default();
        attempt.session = Some(session.clone());
        attempt.next_at = None;
        attempt.last_error = None;
    }

    /// Notes why an attempt failed.
    pub fn failed(&mut self, issue: &str, why: &str) {
        if let Some(attempt) = self.issues.get_mut(issue) {
            attempt.last_error = Some(why.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn an_issue_is_tried_three_times_with_growing_pauses_and_then_told() {
        let mut ledger = Ledger::default();
        let mut table = String::new();
        let mut now = 0;
        for attempt in 1..=3 {
            assert_eq!(ledger.due("7", at(now)), Due::Start, "attempt {attempt}");
            ledger.begin("7", at(now));
            // Killed here it has been an attempt all the same.
            assert_eq!(ledger.due("7", at(now)), Due::Later);
            ledger.failed("7", "no room");
            let due = |at: Timestamp| format!("{:?}", ledger.due("7", at));
            let pause = 300 * 4_i64.pow(attempt - 1);
            let words = [now + pause - 1, now + pause].map(|then| due(at(then))).join(" ");
            table.push_str(&format!("{attempt} {pause}s {words}\n"));
            now += pause;
        }
        insta::assert_snapshot!(table, @"
        1 300s Later Start
        2 1200s Later Start
        3 4800s Tell Tell
        ");
        let attempt = ledger.issues.get_mut("7").unwrap();
        attempt.is_settled = true;
        assert_eq!(ledger.due("7", at(now * 9)), Due::Nothing);
    }

    #[test]
    fn an_issue_that_somebody_has_is_left_alone_for_ever() {
        let mut ledger = Ledger::default();
        ledger.begin("7", at(0));
        ledger.taken("7", &"web-1".parse().unwrap());
        assert_eq!(ledger.due("7", at(i64::from(u32::MAX))), Due::Nothing);
        ledger.begin("8", at(0));
        ledger.take_back("8");
        assert_eq!(ledger.due("8", at(0)), Due::Start);
        assert_eq!(ledger.issues.len(), 1);
    }

    #[test]
    fn the_tracker_is_left_alone_for_the_interval() {
        let mut ledger = Ledger::default();
        let minute = Duration::from_secs(60);
        assert!(ledger.may_ask(minute, at(0)));
        ledger.asked_at = Some(at(100));
        assert!(!ledger.may_ask(minute, at(159)) && ledger.may_ask(minute, at(160)));
        assert!(ledger.may_ask(minute, at(99)), "the clock was set back");
    }
}
