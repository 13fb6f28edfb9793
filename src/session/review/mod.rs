//! Reviews: a reviewer's pass over one head of a worker's branch.
//!
//! A run is recorded beside the worker's record, under the worker's lock, before its reviewer is
//! started or written to; whoever gives it to the reviewer stands in it, so that the next reap
//! finishes or closes what a dead owner began. The worker's lock and the reviewer's are never
//! held at once.

pub mod delivery;
pub mod error;
pub mod pass;
pub mod submit;
pub mod tidy;
pub mod trigger;

pub use error::ReviewError;

use crate::adapter::{clock, failpoint};
use crate::invocation::{self, World};
use crate::model::id::SessionId;
use crate::model::record::Record;
use crate::model::review::{Reviews, Run, RunState};
use crate::session::SessionError;

/// Returns the run of that name.
pub fn find(world: &World, name: &str) -> Result<Run, SessionError> {
    let none = || ReviewError::NoRun { run: name.to_owned() };
    let worker = worker_of(name).ok_or_else(none)?;
    let runs = match world.home.review_runs(&worker) {
        Err(crate::store::StoreError::NotFound { .. }) => return Err(none().into()),
        runs => runs?,
    };
    Ok(runs.into_iter().find(|run| run.run == name).ok_or_else(none)?)
}

/// Returns the worker that a run is named after.
fn worker_of(name: &str) -> Option<SessionId> {
    let (worker, number) = name.rsplit_once("-r")?;
    number.parse::<u64>().ok()?;
    worker.parse().ok()
}

/// Changes the reviews of a worker under its lock; what `edit` refuses stays as it was.
fn change<T>(
    world: &World,
    worker: &SessionId,
    edit: impl FnOnce(&mut Reviews, &Record) -> Result<T, SessionError>,
) -> Result<T, SessionError> {
    let locked = world.home.lock_session(worker, world.lock_timeout)?;
    let before = locked.reviews()?;
    let mut reviews = before.clone();
    let result = edit(&mut reviews, locked.record())?;
    if reviews != before {
        locked.store_reviews(&reviews)?;
    }
    Ok(result)
}

/// Ends runs of a worker that are still running, for one reason; returns them.
fn close(
    world: &World,
    worker: &SessionId,
    state: RunState,
    why: &str,
    wanted: impl Fn(&Run) -> bool,
) -> Result<Vec<Run>, SessionError> {
    let closed = change(world, worker, |reviews, _| {
        let mut closed = Vec::new();
        for run in reviews.runs.iter_mut().filter(|run| run.is_running() && wanted(run)) {
            run.close(state, why, clock::now());
            closed.push(run.clone());
        }
        Ok(closed)
    })?;
    closed.iter().try_for_each(|run| withdraw(world, run))?;
    Ok(closed)
}

/// Takes a pass that nobody has read out of its reviewer's outbox.
fn withdraw(world: &World, run: &Run) -> Result<(), SessionError> {
    let Some(session) = &run.session else { return Ok(()) };
    let suffix = pass::key_suffix(run);
    let waits = |record: &Record| {
        let mut waiting = record.outbox.iter().filter(|(_, entry)| entry.claim.is_none());
        waiting.find(|(key, _)| key.ends_with(&suffix)).map(|(key, _)| key.clone())
    };
    match world.home.load(session) {
        Ok(loaded) if !loaded.archived && waits(&loaded.record).is_some() => {}
        // A reviewer that cannot be read, or is gone, reads nothing either.
        Ok(_) | Err(_) => return Ok(()),
    }
    invocation::amend(world, session, "review", |record| {
        if let Some(key) = waits(record) {
            record.outbox.remove(&key);
        }
        Ok::<(), SessionError>(())
    })?;
    Ok(())
}

/// Ends the runs of a worker that is being cleaned up: once it is archived nothing is written
/// into its reviews any more.
pub fn worker_is_cleaned_up(world: &World, worker: &SessionId) -> Result<(), SessionError> {
    if world.home.review_runs(worker)?.iter().any(Run::is_running) {
        let why = format!("{worker} is cleaned up");
        close(world, worker, RunState::Cancelled, &why, |_| true)?;
    }
    Ok(())
}

/// Ends a run at a person's wish, and its reviewer where that has nothing else to review.
///
/// Returns the run, and whether it was cancelled before.
pub fn cancel(world: &World, name: &str) -> Result<(Run, bool), SessionError> {
    let run = find(world, name)?;
    if !is_cancellable(&run)? {
        return Ok((run, true));
    }
    close(world, &run.worker, RunState::Cancelled, "it was ended by `ao review cancel`", |it| {
        it.run == name
    })?;
    failpoint::pass("review.cancelled").map_err(SessionError::Proc)?;
    let run = find(world, name)?;
    // Its verdict may have been quicker.
    is_cancellable(&run)?;
    if let Some(session) = tidy::reviewer_of(world, &run) {
        tidy::retire(world, &session, tidy::Rest::None)?;
    }
    Ok((run, false))
}

/// Returns whether a run goes on, so that it can be cancelled; one that came to an end of its own
/// is refused.
pub fn is_cancellable(run: &Run) -> Result<bool, ReviewError> {
    match run.state {
        RunState::Running => Ok(true),
        RunState::Cancelled => Ok(false),
        RunState::Complete | RunState::Delivered | RunState::Failed => {
            let (name, state) = (run.run.clone(), run.state);
            Err(ReviewError::Over { run: name, state, why: run.why.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_names_its_worker() {
        let worker = |name| worker_of(name).map(|id| id.to_string());
        assert_eq!(worker("web-1-r12").as_deref(), Some("web-1"));
        assert_eq!(worker("web-r-1-r2").as_deref(), Some("web-r-1"));
        assert_eq!((worker("web-1"), worker("web-rx"), worker("-r1")), (None, None, None));
    }
}
