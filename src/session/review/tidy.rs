//! What a pass does about reviews: closes runs whose reviewer died, whose head is an old one or
//! that took too long; ends reviewers that have nothing left to do; begins what is to be reviewed
//! by itself.

use std::time::Duration;

use crate::adapter::clock;
use crate::adapter::git::Assessment;
use crate::adapter::process::{self, Presence};
use crate::decide::review::{self, FAILED, Fate, Launching, Reviewer, Surroundings};
use crate::invocation::{self, World};
use crate::model::effect::{EntryKind, OutboxEntry, Priority};
use crate::model::facts::{CiState, KillCause, ScmFact};
use crate::model::id::{SessionId, short};
use crate::model::lifecycle::PrState;
use crate::model::record::{Kind, Record};
use crate::model::review::{Run, RunState};
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::session::deliver::Patience;
use crate::session::review::delivery::{Placed, placed};
use crate::session::review::trigger::{Wanted, trigger};
use crate::session::review::{ReviewError, change, pass, withdraw};
use crate::session::{SessionError, cleanup, kill, workspace};
use crate::store::StoreError;

/// How long a reviewer without work is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// As configured.
    AsConfigured(Timestamp),
    /// Not at all.
    None,
}

/// Returns whether the session reviews that worker.
pub(super) fn is_reviewer_of(record: &Record, worker: &SessionId) -> bool {
    record.kind == Kind::Reviewer && record.parent.as_ref() == Some(worker)
}

/// Returns the head that is to be reviewed where heads are reviewed by themselves: that of an
/// open pull request whose checks pass, or that has none.
pub fn green(fact: &ScmFact) -> Option<String> {
    let is_open = fact.fetched && fact.pr.state == Some(PrState::Open) && !fact.pr.draft;
    let passes = match fact.ci {
        Some(CiState::Passing | CiState::None) | None => true,
        Some(CiState::Pending | CiState::Failing) => false,
    };
    fact.pr.head_sha.clone().filter(|_| is_open && passes)
}

/// A run that goes on no more as it was.
#[derive(Debug)]
struct Outlook {
    run: Run,
    /// The session that has it.
    session: Option<SessionId>,
    fate: Fate,
}

/// Returns what becomes of the running runs of a worker; changes nothing.
fn fates(
    world: &World,
    worker: &SessionId,
    record: &Record,
    now: Timestamp,
) -> Result<Vec<Outlook>, SessionError> {
    let mut running = world.home.review_runs(worker)?;
    running.retain(Run::is_running);
    if running.is_empty() {
        return Ok(Vec::new());
    }
    let timeout = world.config_of(record)?.config.review.timeout;
    let status = record.lifecycle.is_terminal().then(|| Status::of(&record.lifecycle));
    let tip = if status.is_none() { tip_of(record) } else { None };
    let look = |run: Run| {
        let launching = launching(&run)?;
        let (session, reviewer) = reviewer(world, &run, launching)?;
        let tip = tip.as_deref();
        let around = Surroundings { worker: status, tip, launching, reviewer, timeout };
        let fate = review::fate(&run, &around, now);
        Ok(Outlook { run, session, fate })
    };
    running.into_iter().map(look).collect()
}

/// Returns which runs of a worker a pass would close, and why.
pub fn would_close(
    world: &World,
    worker: &SessionId,
    record: &Record,
    now: Timestamp,
) -> Result<Vec<(String, String)>, SessionError> {
    let due = fates(world, worker, record, now)?.into_iter();
    Ok(due
        .filter_map(|due| match due.fate {
            Fate::Ends(state, why) => Some((format!("close review {}: {state}", due.run.run), why)),
            Fate::Stays | Fate::Arrived => None,
        })
        .collect())
}

/// Finishes or closes the runs of a worker; returns what was done to which, and why.
pub fn close_runs(
    world: &World,
    worker: &SessionId,
    record: &Record,
    now: Timestamp,
) -> Result<Vec<(String, String)>, SessionError> {
    let mut done = Vec::new();
    for Outlook { run, session, fate } in fates(world, worker, record, now)? {
        match fate {
            Fate::Stays => {}
            Fate::Arrived => apply(world, &run, |it| {
                it.session = session;
                it.launching = None;
            })?,
            Fate::Ends(state, why) => {
                apply(world, &run, |it| it.close(state, &why, now))?;
                withdraw(world, &run)?;
                done.push((format!("{} {state}", run.run), why));
            }
        }
    }
    Ok(done)
}

/// Changes a run that is still as it was looked at.
fn apply(world: &World, run: &Run, edit: impl FnOnce(&mut Run)) -> Result<(), SessionError> {
    change(world, &run.worker, |reviews, _| {
        if let Some(found) = reviews.find_mut(&run.run).filter(|found| *found == run) {
            edit(found);
        }
        Ok(())
    })
}

fn tip_of(record: &Record) -> Option<String> {
    let handle = record.handles.workspace.as_ref()?;
    let repository = workspace::repository_of(handle).ok()?;
    repository.tip(handle.branch.as_ref()?).ok()?
}

fn launching(run: &Run) -> Result<Launching, SessionError> {
    let Some(claim) = &run.launching else { return Ok(Launching::Over) };
    let owner = claim.owner();
    // What is this process's own failed: it does one thing at a time.
    let is_own = owner == process::current().map_err(SessionError::Proc)?;
    let alive = process::presence(&owner).map_err(SessionError::Proc)? == Presence::Alive;
    Ok(if alive && !is_own { Launching::Alive } else { Launching::Dead })
}

/// Returns the session that has a run, or would have by its name.
pub(super) fn reviewer_of(world: &World, run: &Run) -> Option<SessionId> {
    let named = run.session.clone().or_else(|| run.run.parse().ok())?;
    let record = world.home.load(&named).ok()?.record;
    is_reviewer_of(&record, &run.worker).then_some(named)
}

fn reviewer(
    world: &World,
    run: &Run,
    launching: Launching,
) -> Result<(Option<SessionId>, Reviewer), SessionError> {
    let Some(session) = reviewer_of(world, run) else { return Ok((None, Reviewer::Absent)) };
    let loaded = world.home.load(&session)?;
    let record = loaded.record;
    let state = if record.lifecycle.is_terminal() || loaded.archived {
        Reviewer::Ended(Status::of(&record.lifecycle))
    } else if launching != Launching::Dead || session.as_str() == run.run {
        Reviewer::HasIt
    } else {
        match placed(world, &session, &record, &pass::key_suffix(run))? {
            Placed::Never => Reviewer::Lacks,
            Placed::Waits | Placed::Gone { .. } => Reviewer::HasIt,
        }
    };
    Ok((Some(session), state))
}

/// Ends a reviewer that has nothing left to review, and cleans it up if nothing is lost with it;
/// returns whether anything was done.
pub fn retire(world: &World, id: &SessionId, rest: Rest) -> Result<bool, SessionError> {
    let record = match world.home.load(id) {
        Ok(loaded) if loaded.archived => return Ok(false),
        loaded => loaded?.record,
    };
    if record.kind != Kind::Reviewer || record.intent.is_some() {
        return Ok(false);
    }
    let (runs, worker_lives) = of_parent(world, &record)?;
    let is_its = |run: &&Run| match &run.session {
        Some(session) => session == id,
        None => run.run == id.as_str(),
    };
    if runs.iter().filter(is_its).any(Run::is_running) {
        return Ok(false);
    }
    if let (Rest::AsConfigured(now), true) = (rest, worker_lives) {
        let ended = runs.iter().filter(is_its).filter_map(|run| run.ended_at).max();
        let activity = record.lifecycle.activity.as_ref();
        let heard = activity.map(|activity| activity.last_activity_at);
        let last = [ended, heard, record.lifecycle.session.since].into_iter().flatten().max();
        if last.is_some_and(|last| now.since(last) < world_rest(world, &record)) {
            return Ok(false);
        }
    }
    let lived = !record.lifecycle.is_terminal();
    if lived {
        let why = "nothing is left to review".to_owned();
        kill::kill(world, id, KillCause::Cleanup, Some(why))?;
    }
    Ok(clean(world, id)? || lived)
}

fn world_rest(world: &World, record: &Record) -> Duration {
    // A configuration that cannot be read ends nobody early.
    world.config_of(record).map_or(Duration::MAX, |layered| layered.config.review.rest)
}

/// Returns the runs of a reviewer's worker, and whether that worker lives.
fn of_parent(world: &World, record: &Record) -> Result<(Vec<Run>, bool), SessionError> {
    let Some(parent) = &record.parent else { return Ok((Vec::new(), false)) };
    let loaded = match world.home.load(parent) {
        Err(StoreError::NotFound { .. }) => return Ok((Vec::new(), false)),
        loaded => loaded?,
    };
    let lives = !loaded.archived && !loaded.record.lifecycle.is_terminal();
    Ok((world.home.review_runs(parent)?, lives))
}

/// Cleans up a reviewer that has ended, if nothing is lost with its worktree.
pub(super) fn clean(world: &World, id: &SessionId) -> Result<bool, SessionError> {
    let record = world.home.load(id)?.record;
    let waits = record.undelivered().next().is_some();
    if waits || record.intent.is_some() || !record.lifecycle.is_terminal() {
        return Ok(false);
    }
    match cleanup::assess(world, id, &record)? {
        Assessment::Keep(_) => Ok(false),
        Assessment::Removable { .. } | Assessment::Gone => {
            Ok(cleanup::cleanup(world, id, false)?.kept.is_empty())
        }
    }
}

/// Has a green head reviewed where that is configured; returns the run that was begun.
pub fn review_by_itself(
    world: &World,
    worker: &SessionId,
    record: &Record,
    head: &str,
) -> Result<Option<Run>, SessionError> {
    let eligible = record.kind == Kind::Worker && !record.lifecycle.is_terminal();
    if !eligible || !world.config_of(record)?.config.review.auto {
        return Ok(None);
    }
    let runs = world.home.review_runs(worker)?;
    match review::due(&runs, head) {
        review::Due::Nothing => Ok(None),
        review::Due::Tell => tell(world, worker, &runs, head).map(|()| None),
        review::Due::Review => {
            let wanted = Wanted {
                worker: worker.clone(),
                reviewer: None,
                head: Some(head.to_owned()),
                patience: Patience::Pass,
            };
            match trigger(world, &wanted) {
                Ok(triggered) => Ok(triggered.created.then_some(triggered.run)),
                // The next look sees the head that it moved to.
                Err(SessionError::Review(ReviewError::HeadMoved { .. })) => Ok(None),
                Err(error) => Err(error),
            }
        }
    }
}

/// Has a person told, once, that a head could not be reviewed.
fn tell(world: &World, worker: &SessionId, runs: &[Run], head: &str) -> Result<(), SessionError> {
    let failed = |run: &&Run| run.head_sha == head && run.state == RunState::Failed;
    let Some(last) = runs.iter().rev().find(failed) else { return Ok(()) };
    let suffix = format!(".{FAILED}.{}", last.run);
    let record = world.home.load(worker)?.record;
    if placed(world, worker, &record, &suffix)? != Placed::Never {
        return Ok(());
    }
    let why = last.why.as_deref().unwrap_or("it failed");
    let head = short(head);
    let message = format!(
        "{worker}: its commit {head} could not be reviewed: {why}. `ao review trigger {worker}` \
         tries again."
    );
    invocation::amend(world, worker, "review", |record| {
        let entry = OutboxEntry {
            reaction: Some(FAILED.to_owned()),
            priority: Some(Priority::Action),
            message,
            ..OutboxEntry::new(EntryKind::Notify, clock::now())
        };
        record.outbox.insert(format!("{}{suffix}", record.revision + 1), entry);
        Ok::<(), SessionError>(())
    })?;
    Ok(())
}
