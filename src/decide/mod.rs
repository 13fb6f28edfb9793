//! The pure middle: from a record and one observation to a merge patch and effects.
//!
//! Each decider answers one question and writes one part of the lifecycle; [`reduce`] composes
//! them. Nothing here reads a clock, a file, the environment or a random number, and nothing
//! here panics: equal inputs give equal outcomes, and whatever cannot be used is a `noop.<why>`.
//!
//! Invariants, each a test:
//!
//! * A fact that changes nothing gives an empty patch; the same fact twice changes nothing twice.
//! * Nothing observed changes a terminal session, its pull-request axis apart.
//! * A failed probe is never death; a failed fetch is never "no pull request".

mod activity;
pub mod batch;
mod closing;
mod explain;
mod explicit;
pub mod intake;
pub mod local_scm;
mod message;
mod notice;
mod outbox;
mod outcome;
mod probe;
mod pull_request;
mod quarantine;
mod reaction;
mod resume;
pub mod review;
mod screen;
mod session;
mod text;

use std::time::Duration;

use crate::model::effect::Effect;
use crate::model::facts::{Bare, Observation, RuntimeFact};
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::status::Status;
use crate::model::time::Timestamp;

pub use explain::explain;
pub use outbox::{
    MAX_FAILURES, Sendable, delivered, delivery_failed, dropped, enqueue, revived, sendable,
    still_holds, undeliverable,
};
pub use outcome::{DecideError, Outcome};
pub use probe::{calm_storm, storm};
pub use reaction::{pr_trigger, session_trigger};
pub use screen::{of_screen, wants_screen};

use outcome::Decision;

/// How far ahead of the clock an observation may claim to be: clocks of two machines differ.
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

/// Returns what `observation` means for `record` at `now`.
///
/// The patch holds neither `revision` nor `updated_at`, which the store stamps, nor additions to
/// the outbox, which [`enqueue`] makes once the revision of the write is known.
///
/// # Errors
///
/// Completing a spawn that was never seeded, or restoring a session that is not terminal.
pub fn reduce(
    record: &Record,
    observation: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Result<Outcome, DecideError> {
    if matches!(observation, Observation::SpawnCompleted(_)) && !is_seeded(record) {
        return Err(DecideError::NeverSeeded);
    }
    reduce_seeded(record, observation, policy, now)
}

/// Returns whether [`reduce`] would say that `observation` changes nothing and asks for nothing:
/// for a pass, which asks that of every session and more than once.
///
/// `copy` is one of `record`, and still is where the answer is yes.
pub fn leaves_alone(
    record: &Record,
    copy: &mut Record,
    observation: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> bool {
    conclude(record, copy, observation, policy, now)
        .is_ok_and(|(_, effects)| effects.is_empty() && record == copy)
}

/// Returns whether a session stays as it is where its runtime is as `expected`, whatever `now` is
/// the time for.
pub fn leaves_at_rest(
    record: &Record,
    expected: &RuntimeFact,
    policy: &Policy,
    now: Timestamp,
) -> bool {
    let mut copy = record.clone();
    [Observation::Runtime(expected.clone()), Observation::Tick(Bare::default())]
        .iter()
        .all(|it| leaves_alone(record, &mut copy, it, policy, now))
}

/// [`reduce`] of a record whose existence is not in doubt.
fn reduce_seeded(
    record: &Record,
    observation: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Result<Outcome, DecideError> {
    let mut after = record.clone();
    let (decision, effects) = conclude(record, &mut after, observation, policy, now)?;
    Ok(Outcome {
        patch: record.difference(&after),
        status_before: Status::of(&record.lifecycle),
        status_after: Status::of(&after.lifecycle),
        after,
        evidence: decision.evidence,
        rule: decision.rule,
        reason: decision.reason,
        effects,
    })
}

/// Changes `after`, a copy of `record`, to what it becomes, and returns what is to be done.
fn conclude(
    record: &Record,
    after: &mut Record,
    observation: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Result<(Decision, Vec<Effect>), DecideError> {
    let decision = decide(after, observation, policy, now)?;
    if decision.is_noop() {
        return Ok((decision, Vec::new()));
    }
    let mut effects = reaction::react(record, after, observation, policy, now);
    effects.extend(notice::of(record, after, observation, policy));
    effects.extend(closing::of(record, after, policy));
    Ok((decision, effects))
}

/// Applies the decider that `observation` belongs to.
fn decide(
    after: &mut Record,
    observation: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Result<Decision, DecideError> {
    let at = observed_at(observation, now);
    Ok(match observation {
        Observation::Runtime(fact) => probe::decide(after, fact, policy, now),
        Observation::Activity(fact) => activity::decide(after, fact, policy, at, now),
        Observation::Scm(fact) => pull_request::decide(after, fact, policy, at, now),
        Observation::Limit(fact) => activity::limit(after, fact, at, now),
        Observation::SpawnCompleted(fact) => explicit::spawn_completed(after, fact),
        Observation::SpawnFailed(fact) => explicit::spawn_failed(after, fact, now),
        Observation::Kill(fact) => explicit::kill(after, fact, now),
        Observation::Restore(fact) => return explicit::restore(after, fact, now),
        Observation::Sent(_) => explicit::sent(after),
        Observation::Tick(_) => explicit::tick(after, policy, now),
    })
}

/// Returns when `observation` was made: `now` where it does not say or claims the far future.
fn observed_at(observation: &Observation, now: Timestamp) -> Timestamp {
    match observation.observed_at() {
        Some(at) if at <= now.plus(MAX_SKEW) => at,
        Some(_) | None => now,
    }
}

/// Returns whether a spawn ever wrote `record`: an untouched one is the default of its type.
fn is_seeded(record: &Record) -> bool {
    *record != Record::default()
}

#[cfg(test)]
mod tests;
