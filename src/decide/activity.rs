//! Decides what an agent's own signals mean.
//!
//! Only a valid signal counts, and none of them concludes death. A session with an open dialog
//! stays blocked until the dialog can be known to be gone.

use crate::decide::outcome::Decision;
use crate::decide::{resume, session};
use crate::model::facts::{ActivityFact, Confidence, Limit};
use crate::model::lifecycle::{
    ActivityAxis, ActivitySource, ActivityState, SessionReason, SessionState,
};
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::report::{Report, ReportState};
use crate::model::time::Timestamp;

/// Applies the signal `fact`, given at `at`.
pub(super) fn decide(
    after: &mut Record,
    fact: &ActivityFact,
    policy: &Policy,
    at: Timestamp,
    now: Timestamp,
) -> Decision {
    let evidence = format!(
        "activity={} confidence={} source={} boundary={}",
        fact.activity, fact.confidence, fact.source, fact.boundary
    );
    if let Some((rule, reason)) = set_aside(after, fact, at, now) {
        return Decision::new(rule, evidence, reason);
    }
    if is_held(after, fact) {
        if let Some(activity) = &mut after.lifecycle.activity {
            activity.last_activity_at = at;
        }
        hear_report(after, fact, at);
        if after.lifecycle.session.state == SessionState::Detecting {
            session::recover(&mut after.lifecycle);
        }
        let reason = "a dialog is open; only a turn boundary or the end of its tool closes it";
        return Decision::new("activity.held", evidence, reason);
    }
    if is_reminder(after, fact, at) {
        if let Some(activity) = &mut after.lifecycle.activity {
            activity.last_activity_at = at;
        }
        let reason = "the usage limit holds, and that nothing goes on is no news";
        return Decision::new("activity.held", evidence, reason);
    }
    if is_heartbeat(after, fact, policy, at, now) {
        let reason = "it was working a moment ago";
        return Decision::new("noop.coalesced", evidence, reason);
    }
    let reason = apply(after, fact, at, now);
    Decision::new(rule_of(fact.activity), evidence, reason)
}

/// Returns why the signal is dropped before any rule, if it is.
fn set_aside(
    record: &Record,
    fact: &ActivityFact,
    at: Timestamp,
    now: Timestamp,
) -> Option<(&'static str, &'static str)> {
    match fact.confidence {
        Confidence::Valid => {}
        Confidence::Stale
        | Confidence::Null
        | Confidence::Unavailable
        | Confidence::ProbeFailure => {
            return Some(("noop.confidence", "only a valid signal counts"));
        }
    }
    if session::is_stale_launch(record, fact.launch.as_ref()) {
        return Some(("noop.stale_launch", "the signal is from an earlier launch of this session"));
    }
    if record.lifecycle.is_terminal() {
        return Some(("noop.terminal", "the session has ended already"));
    }
    match &record.lifecycle.activity {
        Some(activity) if is_later(activity, at, now) => {
            Some(("noop.older", "a later signal was heard already"))
        }
        Some(_) | None => None,
    }
}

/// Returns whether the stored signal is a later one than one given at `at`.
///
/// One of the future was stored before the clock stepped back: nothing can be told by it.
fn is_later(stored: &ActivityAxis, at: Timestamp, now: Timestamp) -> bool {
    at < stored.last_activity_at && stored.last_activity_at <= now
}

/// Returns whether an open dialog keeps the signal from being taken at its word.
fn is_held(record: &Record, fact: &ActivityFact) -> bool {
    let Some(stored) = &record.lifecycle.activity else { return false };
    let ends_the_asking_tool = stored.tool.is_some() && stored.tool == fact.tool;
    stored.state == ActivityState::Blocked
        && fact.activity != ActivityState::Blocked
        && !fact.boundary
        && !ends_the_asking_tool
}

/// Returns whether the signal says nothing but that an agent rests whose limit is known to hold.
///
/// Agents remind of themselves when they have been idle for a while; that is no turn's end.
fn is_reminder(record: &Record, fact: &ActivityFact, at: Timestamp) -> bool {
    let rests = match fact.activity {
        ActivityState::Ready | ActivityState::Idle | ActivityState::WaitingInput => true,
        ActivityState::Active | ActivityState::Blocked | ActivityState::Exited => false,
    };
    let until = record.lifecycle.session.until;
    rests
        && !fact.boundary
        && resume::is_limited(&record.lifecycle)
        && until.is_some_and(|until| at < until)
}

/// Returns whether the signal says nothing but that the agent still works.
///
/// A boundary says more: that it took a prompt, which somebody may be waiting to hear.
fn is_heartbeat(
    record: &Record,
    fact: &ActivityFact,
    policy: &Policy,
    at: Timestamp,
    now: Timestamp,
) -> bool {
    let session = &record.lifecycle.session;
    let Some(stored) = &record.lifecycle.activity else { return false };
    let is_news = at > stored.last_activity_at || stored.last_activity_at > now;
    let is_boundary = fact.boundary && is_news;
    fact.activity == ActivityState::Active
        && !is_boundary
        && stored.state == ActivityState::Active
        && stored.source == fact.source
        && session.state == SessionState::Working
        && session.reason == SessionReason::TaskInProgress
        && !is_another_conversation(record, fact)
        && fact.report.is_none()
        && at.since(stored.last_activity_at) < policy.activity_coalesce
}

fn is_another_conversation(record: &Record, fact: &ActivityFact) -> bool {
    fact.agent_session.is_some() && fact.agent_session != record.handles.agent_session
}

/// Writes the activity axis, and the session axis where it may follow.
fn apply(after: &mut Record, fact: &ActivityFact, at: Timestamp, now: Timestamp) -> String {
    let left = if is_another_conversation(after, fact) {
        std::mem::replace(&mut after.handles.agent_session, fact.agent_session.clone())
    } else {
        None
    };
    hear_report(after, fact, at);
    let tool = match fact.activity {
        ActivityState::Blocked => fact.tool.clone(),
        ActivityState::Active
        | ActivityState::Ready
        | ActivityState::Idle
        | ActivityState::WaitingInput
        | ActivityState::Exited => None,
    };
    after.lifecycle.activity = Some(ActivityAxis {
        state: fact.activity,
        last_activity_at: at,
        source: fact.source,
        tool,
    });
    let Some((state, reason)) = session_of(after, fact.activity) else {
        return "the agent says that it exits; the next probe decides".to_owned();
    };
    if after.lifecycle.is_stuck_by_escalation() {
        return "it speaks, but only a probe resolves the doubt that made it stuck".to_owned();
    }
    session::enter(&mut after.lifecycle, state, reason, now);
    let said = format!("the agent says that it is {}", fact.activity);
    match left {
        Some(old) => format!("{said}, in another conversation: {old} was not continued"),
        None => said,
    }
}

/// Keeps what the agent says of itself; a prompt that it takes answers what it said before.
fn hear_report(after: &mut Record, fact: &ActivityFact, at: Timestamp) {
    // A screen that shows work right after a report shows the turn in which it was made, and the
    // same screen read twice shows no other.
    let goes_on = |it: &ActivityAxis| {
        it.source == ActivitySource::Native
            || (it.state == ActivityState::Active && it.last_activity_at == at)
    };
    let same_turn = fact.source == ActivitySource::Terminal
        && after.lifecycle.activity.as_ref().is_some_and(goes_on);
    let takes_a_prompt = fact.boundary && fact.activity == ActivityState::Active && !same_turn;
    match (&fact.report, &mut after.report) {
        (Some(said), earlier) => *earlier = Some(Report::of(said, at, earlier.as_ref())),
        (None, Some(earlier)) if takes_a_prompt => earlier.open = false,
        (None, Some(_) | None) => {}
    }
}

/// Returns where the session axis follows the activity axis to.
///
/// A turn that ends after its agent reported that it needs something ends in that need.
fn session_of(after: &Record, activity: ActivityState) -> Option<(SessionState, SessionReason)> {
    let open = after.report.as_ref().filter(|report| report.open);
    let in_need = open.is_some_and(|report| report.state == ReportState::NeedsInput);
    match activity {
        ActivityState::Idle if in_need => {
            Some((SessionState::NeedsInput, SessionReason::AwaitingUserInput))
        }
        ActivityState::Active => Some((SessionState::Working, SessionReason::TaskInProgress)),
        ActivityState::Ready => Some((SessionState::Idle, SessionReason::ResearchComplete)),
        ActivityState::Idle => Some((SessionState::Idle, SessionReason::Inactive)),
        ActivityState::WaitingInput | ActivityState::Blocked => {
            Some((SessionState::NeedsInput, SessionReason::AwaitingUserInput))
        }
        ActivityState::Exited => None,
    }
}

fn rule_of(activity: ActivityState) -> &'static str {
    match activity {
        ActivityState::Active => "activity.active",
        ActivityState::Ready => "activity.ready",
        ActivityState::Idle => "activity.idle",
        ActivityState::WaitingInput => "activity.waiting_input",
        ActivityState::Blocked => "activity.blocked",
        ActivityState::Exited => "activity.exited",
    }
}

/// Applies a usage limit that the agent ran into, seen `at`.
pub(super) fn limit(after: &mut Record, fact: &Limit, at: Timestamp, now: Timestamp) -> Decision {
    let evidence = match fact.resets_at {
        Some(at) => format!("limit resets_at={at}"),
        None => "limit".to_owned(),
    };
    if session::is_stale_launch(after, fact.launch.as_ref()) {
        let reason = "the limit was met by an earlier launch of this session";
        return Decision::new("noop.stale_launch", evidence, reason);
    }
    if after.lifecycle.is_terminal() {
        return Decision::new("noop.terminal", evidence, "the session has ended already");
    }
    if after.lifecycle.activity.as_ref().is_some_and(|stored| is_later(stored, at, now)) {
        return Decision::new("noop.older", evidence, "a later signal was heard already");
    }
    if after.lifecycle.is_stuck_by_escalation() {
        let reason = "only a probe resolves the doubt that made it stuck";
        return Decision::new("limit", evidence, reason);
    }
    let lifecycle = &mut after.lifecycle;
    // One place may say when the limit ends, and another only that there is one.
    let known = lifecycle.session.until.filter(|until| *until > now);
    session::enter(lifecycle, SessionState::Stuck, SessionReason::UsageLimited, now);
    lifecycle.session.until = fact.resets_at.or(known);
    // The turn is over, and a dialog that was asked in it with it.
    if let Some(activity) = &mut lifecycle.activity
        && activity.state == ActivityState::Blocked
    {
        activity.state = ActivityState::Idle;
        activity.tool = None;
    }
    Decision::new("limit", evidence, "the agent's usage limit is reached")
}
