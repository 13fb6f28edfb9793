//! Kill: ends processes and pane, never touches the workspace.
//!
//! The decision is stored first, so that what the dying agent still says changes nothing, and
//! so that a killed `ao kill` is finished by the next reap.

use crate::adapter::failpoint;
use crate::decide;
use crate::invocation::{self, World};
use crate::model::facts::{Kill, KillCause, Observation};
use crate::model::id::SessionId;
use crate::model::record::{IntentOp, Record};
use crate::session::{SessionError, check, intent};
use crate::store::StoreError;

/// What a kill found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killed {
    /// It was live, and is gone.
    Ended,
    /// It was gone already; leftovers, if any, are gone as well.
    AlreadyGone,
}

/// Ends a session.
pub fn kill(
    world: &World,
    id: &SessionId,
    cause: KillCause,
    detail: Option<String>,
) -> Result<Killed, SessionError> {
    match kill_at(world, id, None, cause, detail) {
        // What is archived has ended; what it left was ended before, or came to light since.
        Err(SessionError::Store(StoreError::Archived { id: gone })) if gone == *id => {
            let loaded = world.home.load(id)?;
            // One that was restored meanwhile runs under another launch, which nobody decided on.
            if let (true, Some(launch)) = (loaded.archived, &loaded.record.handles.launch) {
                intent::end_launch(world, id, &loaded.record, launch)?;
            }
            Ok(Killed::AlreadyGone)
        }
        killed => Ok(killed?.expect("whatever its revision is will do")),
    }
}

/// [`kill`] of a session that is as it was at `revision`; `None`, with nothing done, where
/// somebody has changed it since: who decides by himself that an agent is to end must not erase
/// a text that he has not seen.
pub fn kill_unchanged(
    world: &World,
    id: &SessionId,
    revision: u64,
    cause: KillCause,
    detail: Option<String>,
) -> Result<Option<Killed>, SessionError> {
    kill_at(world, id, Some(revision), cause, detail)
}

fn kill_at(
    world: &World,
    id: &SessionId,
    expected: Option<u64>,
    cause: KillCause,
    detail: Option<String>,
) -> Result<Option<Killed>, SessionError> {
    intent::recover_first(world, id)?;
    let Some(was_terminal) = record(world, id, expected, cause, detail)? else { return Ok(None) };
    failpoint_pass("kill.recorded")?;
    finish(world, id)?;
    Ok(Some(if was_terminal { Killed::AlreadyGone } else { Killed::Ended }))
}

/// Stores the decision and the intent in one write; returns whether it had ended already, `None`
/// where it has another revision than the expected one.
fn record(
    world: &World,
    id: &SessionId,
    expected: Option<u64>,
    cause: KillCause,
    detail: Option<String>,
) -> Result<Option<bool>, SessionError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    let before = locked.record().clone();
    if expected.is_some_and(|revision| before.revision != revision) {
        return Ok(None);
    }
    intent::require_free(id, &before)?;
    let was_terminal = before.lifecycle.is_terminal();
    let observation = Observation::Kill(Kill { observed_at: None, cause, detail });
    // An emergency stop does not wait for somebody to mend a file.
    let policy = world.config_of(&before).map(|layered| layered.config.policy.clone());
    let now = crate::adapter::clock::now();
    let outcome = decide::reduce(&before, &observation, &policy.unwrap_or_default(), now)?;
    let mut after: Record =
        decide::enqueue(&outcome.after, &outcome.effects, before.revision + 1, now);
    after.intent = Some(intent::begin(IntentOp::Kill, "recorded")?);
    let change = invocation::change_of("kill", &outcome, &observation, now);
    locked.commit(change.with_patch(before.difference(&after)))?;
    Ok(Some(was_terminal))
}

/// Ends what still runs of a session whose end is decided, and lets go of the intent.
pub fn finish(world: &World, id: &SessionId) -> Result<(), SessionError> {
    let record = world.home.load(id)?.record;
    if let Some(launch) = &record.handles.launch {
        intent::end_launch(world, id, &record, launch)?;
    }
    check::end(world, id)?;
    failpoint_pass("kill.ended")?;
    invocation::amend(world, id, "kill", |record| {
        record.intent = None;
        Ok::<(), SessionError>(())
    })?;
    Ok(())
}

fn failpoint_pass(point: &'static str) -> Result<(), SessionError> {
    failpoint::pass(point).map_err(SessionError::Proc)
}
