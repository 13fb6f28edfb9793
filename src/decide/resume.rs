//! Decides when an agent whose usage limit has ended is told to go on.
//!
//! Off unless configured. One text for each time the limit is met, at most `max` until a turn
//! ends well, and only within the hours that the person allows.

use std::time::Duration;

use crate::model::facts::Observation;
use crate::model::lifecycle::{Lifecycle, SessionReason, SessionState};
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::time::Timestamp;

/// The key of its tracker and of its texts in the outbox.
pub(super) const KEY: &str = "resume-after-limit";

/// How long after its announced end a limit is believed to be over: agents say it to the minute,
/// and clocks differ.
const SLACK: Duration = Duration::from_secs(60);

/// Returns whether the session waits for the end of its agent's usage limit.
pub(super) fn is_limited(lifecycle: &Lifecycle) -> bool {
    let session = &lifecycle.session;
    session.state == SessionState::Stuck
        && session.reason == SessionReason::UsageLimited
        && !lifecycle.is_stuck_by_escalation()
}

/// Returns when the agent is told to go on, the hours that are allowed apart; `None` where it
/// never is.
pub(super) fn due_at(record: &Record, policy: &Policy) -> Option<Timestamp> {
    let session = &record.lifecycle.session;
    if !policy.resume.on_limit || !is_limited(&record.lifecycle) {
        return None;
    }
    match session.until {
        Some(until) => Some(until.plus(SLACK)),
        None => Some(session.since?.plus(policy.resume.retry_after)),
    }
}

/// Returns the incident that a text is due for at `now`, if it was not recorded before.
pub(super) fn due(record: &Record, policy: &Policy, now: Timestamp) -> Option<String> {
    let at = due_at(record, policy)?;
    if now < at || !policy.resume.window.contains(now, policy.resume.utc_offset) {
        return None;
    }
    let signature = signature(record);
    (known(record) != Some(&signature)).then_some(signature)
}

/// Returns whether the text that was recorded for `signature` is still to be sent.
pub(super) fn still_holds(record: &Record, signature: Option<&String>) -> bool {
    is_limited(&record.lifecycle) && known(record) == signature
}

/// Returns whether the step from `before` to `after` is a turn that ended as turns should.
pub(super) fn ended_well(before: &Record, after: &Record, observation: &Observation) -> bool {
    let states = (before.lifecycle.session.state, after.lifecycle.session.state);
    matches!(observation, Observation::Activity(_))
        && states == (SessionState::Working, SessionState::Idle)
}

fn known(record: &Record) -> Option<&String> {
    record.reactions.get(KEY)?.signature.as_ref()
}

/// Each time that the limit is met is another incident, and so is another end of it.
fn signature(record: &Record) -> String {
    let session = &record.lifecycle.session;
    let text = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
    format!("{}/{}", text(session.since), text(session.until))
}
