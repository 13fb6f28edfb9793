//! Writes to the session axis: the one place where its times and the quarantine's memory follow.

use crate::model::id::LaunchId;
use crate::model::lifecycle::{ActivityState, Lifecycle, SessionAxis, SessionReason, SessionState};
use crate::model::record::Record;
use crate::model::time::Timestamp;

/// Puts the session into `state`, which ends any quarantine.
///
/// `since` moves only where the state does: a reason of its own is no change of state.
pub(super) fn enter(
    lifecycle: &mut Lifecycle,
    state: SessionState,
    reason: SessionReason,
    now: Timestamp,
) {
    let since = if lifecycle.session.state == state { lifecycle.session.since } else { Some(now) };
    lifecycle.session = SessionAxis { state, reason, since, until: None };
    lifecycle.detecting = None;
}

/// Takes a session in quarantine back to where it was, `since` included.
///
/// Returns whether it was in quarantine.
pub(super) fn recover(lifecycle: &mut Lifecycle) -> bool {
    let in_quarantine =
        lifecycle.session.state == SessionState::Detecting || lifecycle.is_stuck_by_escalation();
    if in_quarantine {
        lifecycle.session = interrupted(lifecycle).clone();
        lifecycle.detecting = None;
    }
    in_quarantine
}

/// Returns the session axis as it is without the quarantine.
///
/// A `detecting` session whose memory was lost counts as interrupted at work.
pub(super) fn interrupted(lifecycle: &Lifecycle) -> &SessionAxis {
    const AT_WORK: SessionAxis = SessionAxis {
        state: SessionState::Working,
        reason: SessionReason::TaskInProgress,
        since: None,
        until: None,
    };
    match (&lifecycle.detecting, lifecycle.session.state) {
        (Some(memory), SessionState::Detecting | SessionState::Stuck) => &memory.from,
        (None, SessionState::Detecting) => &AT_WORK,
        (
            Some(_) | None,
            SessionState::NotStarted
            | SessionState::Working
            | SessionState::Idle
            | SessionState::NeedsInput
            | SessionState::Stuck
            | SessionState::Done
            | SessionState::Terminated,
        ) => &lifecycle.session,
    }
}

/// Returns whether a turn has ended in a need that its agent reported: who is to know was told
/// when it was reported.
pub(super) fn ended_in_need(lifecycle: &Lifecycle) -> bool {
    let activity = lifecycle.activity.as_ref().map(|activity| activity.state);
    let state = interrupted(lifecycle).state;
    (state, activity) == (SessionState::NeedsInput, Some(ActivityState::Idle))
}

/// Returns whether the agent says in this step what it said before, and nobody has answered.
pub(super) fn repeats_itself(before: &Record, after: &Record) -> bool {
    match (&before.report, &after.report) {
        (Some(old), Some(new)) => {
            old.open && new.open && old.at != new.at && old.says_the_same(new)
        }
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}

/// Returns whether a fact about `launch` is about an earlier process of the same session.
pub(super) fn is_stale_launch(record: &Record, launch: Option<&LaunchId>) -> bool {
    match (launch, &record.handles.launch) {
        (Some(theirs), Some(ours)) => theirs != ours,
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}
