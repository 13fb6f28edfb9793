//! Decides what a look at the forge means.
//!
//! An open or draft pull request writes its own axis only; a merge or a close is a milestone and
//! parks the session, once. A failed fetch is never "no pull request".

use crate::decide::outcome::Decision;
use crate::decide::session;
use crate::model::facts::{CiState, Mergeability, PrFact, ReviewState, ScmFact};
use crate::model::lifecycle::{PrAxis, PrReason, PrState, SessionReason, SessionState};
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::time::Timestamp;

/// Applies the look `fact`, taken at `at`.
pub(super) fn decide(
    after: &mut Record,
    fact: &ScmFact,
    policy: &Policy,
    at: Timestamp,
    now: Timestamp,
) -> Decision {
    let evidence = evidence(fact);
    if !fact.fetched {
        let reason = "the forge could not be asked, which says nothing about the pull request";
        return Decision::new("noop.not_fetched", evidence, reason);
    }
    let state = state_of(&fact.pr);
    if state == PrState::None {
        return Decision::new("noop.no_pr", evidence, "there is no pull request");
    }
    // A look of the future was taken before the clock stepped back: nothing can be told by it.
    if after.lifecycle.pr.as_of.is_some_and(|as_of| at < as_of && as_of <= now) {
        return Decision::new("noop.older", evidence, "a later look was taken already");
    }
    match state {
        PrState::Merged => milestone(after, fact, PrState::Merged, evidence, at, now),
        PrState::Closed => milestone(after, fact, PrState::Closed, evidence, at, now),
        PrState::None | PrState::Open | PrState::Draft => {
            let (rule, reason, why) = ladder(after, fact, state, policy, now);
            write(after, &fact.pr, state, reason, at);
            if rule == "pr.9" {
                stall(after, now);
            }
            Decision::new(rule, evidence, why)
        }
    }
}

fn evidence(fact: &ScmFact) -> String {
    let bots = fact.comments.iter().filter(|comment| comment.is_bot).count();
    format!(
        "pr={} ci={} review={} mergeable={} comments={} bot_comments={bots} fetched={}",
        state_of(&fact.pr),
        fact.ci.map_or("none", CiState::as_str),
        fact.review.map_or("none", ReviewState::as_str),
        fact.mergeability.as_ref().is_some_and(|merge| merge.mergeable),
        fact.comments.len() - bots,
        fact.fetched,
    )
}

/// Returns the state, a draft being told in either of two ways.
fn state_of(pr: &PrFact) -> PrState {
    match pr.state {
        Some(PrState::Open) if pr.draft => PrState::Draft,
        Some(state) => state,
        None => PrState::None,
    }
}

/// Returns the first rung of the ladder that holds: its rule, the reason, and why.
fn ladder(
    record: &Record,
    fact: &ScmFact,
    state: PrState,
    policy: &Policy,
    now: Timestamp,
) -> (&'static str, PrReason, &'static str) {
    let merge = fact.mergeability.as_ref();
    let human_comment = fact.comments.iter().any(|comment| !comment.is_bot);
    if fact.ci == Some(CiState::Failing) {
        ("pr.1", PrReason::CiFailing, "checks fail")
    } else if state == PrState::Draft {
        ("pr.2", PrReason::InProgress, "it is a draft")
    } else if fact.review == Some(ReviewState::ChangesRequested) || human_comment {
        ("pr.3", PrReason::ChangesRequested, "people ask for changes")
    } else if !fact.comments.is_empty() {
        ("pr.4", PrReason::BotComments, "a program asks for changes")
    } else if merge.is_some_and(conflicts) {
        ("pr.5", PrReason::MergeConflicts, "it conflicts with its base")
    } else if merge.is_some_and(|merge| merge.mergeable) {
        ("pr.6", PrReason::MergeReady, "it can be merged")
    } else if fact.review == Some(ReviewState::Approved) {
        ("pr.7", PrReason::Approved, "it is approved")
    } else if fact.review == Some(ReviewState::Pending) {
        ("pr.8", PrReason::ReviewPending, "it waits for a review")
    } else if is_stalled(record, policy, now) {
        ("pr.9", PrReason::InProgress, "it is open and nothing was heard from the agent")
    } else {
        ("pr.10", PrReason::InProgress, "it is open")
    }
}

/// Returns whether it is a conflict that blocks, not merely a forge that has not looked yet.
fn conflicts(merge: &Mergeability) -> bool {
    !merge.mergeable
        && !merge.no_conflicts
        && (merge.ci_passing || merge.approved || !merge.blockers.is_empty())
}

/// Returns whether the agent was silent for longer than the policy bears.
fn is_stalled(record: &Record, policy: &Policy, now: Timestamp) -> bool {
    let heard = match &record.lifecycle.activity {
        Some(activity) => Some(activity.last_activity_at),
        None => record.created_at,
    };
    match (policy.pr_stalled_after, heard) {
        (Some(limit), Some(heard)) => now.since(heard) >= limit,
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}

/// Asks for a person where an open pull request waits for an agent that does nothing.
fn stall(after: &mut Record, now: Timestamp) {
    let lifecycle = &mut after.lifecycle;
    match lifecycle.session.state {
        SessionState::Working | SessionState::Idle => {
            session::enter(lifecycle, SessionState::Stuck, SessionReason::AwaitingUserInput, now);
        }
        SessionState::NotStarted
        | SessionState::NeedsInput
        | SessionState::Stuck
        | SessionState::Detecting
        | SessionState::Done
        | SessionState::Terminated => {}
    }
}

/// Applies a merge or a close; only the look that first sees it parks the session.
fn milestone(
    after: &mut Record,
    fact: &ScmFact,
    state: PrState,
    evidence: String,
    at: Timestamp,
    now: Timestamp,
) -> Decision {
    let (rule, pr_reason, session_reason) = if state == PrState::Merged {
        ("pr.merged", PrReason::Merged, SessionReason::MergedWaitingDecision)
    } else {
        ("pr.closed", PrReason::ClosedUnmerged, SessionReason::AwaitingUserInput)
    };
    let is_news = after.lifecycle.pr.state != state;
    write(after, &fact.pr, state, pr_reason, at);
    if is_news && !after.lifecycle.is_terminal() {
        session::enter(&mut after.lifecycle, SessionState::Idle, session_reason, now);
    }
    let reason = if is_news {
        format!("the pull request is {state}")
    } else {
        format!("the pull request was {state} already")
    };
    Decision::new(rule, evidence, reason)
}

/// Writes the axis; what the fact lacks keeps its value, and `as_of` moves only with a change.
fn write(after: &mut Record, fact: &PrFact, state: PrState, reason: PrReason, at: Timestamp) {
    let stored = &mut after.lifecycle.pr;
    let another = is_another(stored.number, fact.number);
    // The address and head of one pull request say nothing about another.
    let kept = |value: &Option<String>| if another { None } else { value.clone() };
    let axis = PrAxis {
        state,
        reason,
        number: fact.number.or(stored.number),
        url: fact.url.clone().or_else(|| kept(&stored.url)),
        head_sha: fact.head_sha.clone().or_else(|| kept(&stored.head_sha)),
        as_of: stored.as_of,
    };
    if axis != *stored {
        *stored = PrAxis { as_of: Some(at), ..axis };
    }
}

/// Returns whether two known numbers name two pull requests.
pub(super) fn is_another(before: Option<u64>, after: Option<u64>) -> bool {
    matches!((before, after), (Some(before), Some(after)) if before != after)
}
