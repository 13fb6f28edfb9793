//! Restore: starts a session that has ended again, in the same workspace.

use crate::adapter::{failpoint, fs, git, ids};
use crate::decide;
use crate::invocation::{self, World};
use crate::model::facts::{Observation, Restore};
use crate::model::id::{LaunchId, SessionId};
use crate::model::record::{IntentOp, Record, RuntimeKind};
use crate::model::status::Status;
use crate::session::agent_files::{self, Beginning};
use crate::session::spawn::{self, Spawned};
use crate::session::start::{self, Task};
use crate::session::{SessionError, check, intent, orchestrator, preflight, role, workspace};
use crate::store::{Loaded, LockedSession, StoreError};

/// Starts a terminal session again.
pub fn restore(world: &World, id: &SessionId) -> Result<Spawned, SessionError> {
    intent::recover_first(world, id)?;
    let Loaded { record: before, archived, .. } = check(world, id)?;
    // Leftovers of the old launch must be gone before another one begins; nothing is archived
    // before its own are.
    if !archived {
        end_leftovers(world, id, &before)?;
    }
    let launch = ids::launch();
    let beginning = choose_beginning(world, &before)?;
    let is_reopened = {
        // One at a time: of two that look at once, neither would see the other.
        let _counting = world.home.lock_file("spawn.lock", world.lock_timeout)?;
        orchestrator::require_alone(world, &before)?;
        reopen(world, id, &before, &launch, &beginning)?
    };
    if !is_reopened {
        return restore(world, id);
    }
    let fence = world.home.load(id)?.record.revision;
    pass("restore.recorded")?;
    let made = make(world, id, &launch, &beginning).and_then(|(running, notes)| {
        spawn::complete(world, id, running)?;
        Ok(Spawned { id: id.clone(), revision: fence, notes })
    });
    match made {
        Ok(spawned) => Ok(spawned),
        Err(error) => {
            if let Err(undo) = intent::undo_restore(world, id, &error.to_string()) {
                tracing::warn!("the restore of {id} is not undone yet: {undo}");
            }
            Err(error)
        }
    }
}

/// Checks everything that can be checked, before anything is changed: a session that cannot come
/// back stays as it ended.
pub fn check(world: &World, id: &SessionId) -> Result<Loaded, SessionError> {
    let loaded = world.home.load(id)?;
    let record = &loaded.record;
    intent::require_free(id, record)?;
    if !record.lifecycle.is_terminal() {
        return Err(SessionError::WrongState {
            id: id.clone(),
            status: Status::of(&record.lifecycle),
            why: "only a session that has ended can be restored",
        });
    }
    start::require_workspace(id, record)?;
    orchestrator::require_alone(world, record)?;
    let cards = world.cards()?;
    let card = cards.find(&record.agent)?;
    let config = world.config_of(record)?;
    preflight::require_usable(world, card, &config)?;
    if let Some(handle) = record.handles.workspace.as_ref().filter(|handle| handle.owned) {
        workspace::refuse_links(world, handle)?;
        let repository = workspace::repository_of(handle)?;
        git::require_restorable(&repository, handle, id, record.created_at)?;
    }
    Ok(loaded)
}

fn end_leftovers(world: &World, id: &SessionId, record: &Record) -> Result<(), SessionError> {
    if let Some(launch) = &record.handles.launch {
        intent::end_launch(world, id, record, launch)?;
    }
    check::end(world, id)
}

/// Locks a session, brought back from the archive where it was there; returns whether it was.
fn lock(world: &World, id: &SessionId) -> Result<(LockedSession, bool), StoreError> {
    let live = || world.home.lock_session(id, world.lock_timeout);
    match live() {
        Err(StoreError::Archived { .. }) => {}
        locked => return Ok((locked?, false)),
    }
    match world.home.unarchive(id, world.lock_timeout) {
        // Another restore was first.
        Err(StoreError::NotFound { .. }) => Ok((live()?, false)),
        locked => Ok((locked?, true)),
    }
}

/// Returns what the agent goes on with, from what there is before anything is changed.
fn choose_beginning(world: &World, record: &Record) -> Result<Beginning, SessionError> {
    let layered = world.config_of(record)?;
    let cards = world.cards()?;
    agent_files::beginning(world, record, &layered.config, cards.find(&record.agent)?)
}

/// Applies the `restore` observation and records the intent, in one write; returns whether it did.
/// It does not where the session has lived and ended since it was `seen`: that launch is to be
/// cleared away as well, and its conversation is the last.
///
/// What comes from the archive is reopened under the lock that it comes back with, and goes back
/// where that fails; where this process is killed between the two, a pass archives it, for it is
/// cleaned up as it was.
fn reopen(
    world: &World,
    id: &SessionId,
    seen: &Record,
    launch: &LaunchId,
    beginning: &Beginning,
) -> Result<bool, SessionError> {
    let (mut locked, was_archived) = lock(world, id)?;
    let reopened = reopen_locked(world, &mut locked, seen, launch, beginning);
    if was_archived
        && !matches!(reopened, Ok(true))
        && let Err(error) = locked.archive()
    {
        tracing::warn!("{id} is not back in the archive yet: {error}");
    }
    reopened
}

fn reopen_locked(
    world: &World,
    locked: &mut LockedSession,
    seen: &Record,
    launch: &LaunchId,
    beginning: &Beginning,
) -> Result<bool, SessionError> {
    let before = locked.record().clone();
    if before.lifecycle.is_terminal() && before.handles.launch != seen.handles.launch {
        return Ok(false);
    }
    intent::require_free(locked.id(), &before)?;
    let observation =
        Observation::Restore(Restore { observed_at: None, launch: Some(launch.clone()) });
    let layered = world.config_of(&before)?;
    let now = crate::adapter::clock::now();
    let outcome = decide::reduce(&before, &observation, &layered.config.policy, now)?;
    let mut after = outcome.after.clone();
    after.handles.launch = Some(launch.clone());
    // A conversation that is not gone on with is nobody's; some agents take an id for the next.
    after.handles.agent_session = beginning.conversation.clone();
    after.intent = Some(intent::begin(IntentOp::Restore, "seeded")?);
    let mut change = invocation::change_of("restore", &outcome, &observation, now);
    if let Some(note) = &beginning.note {
        change.reason = Some(format!("{}; {note}", outcome.reason));
    }
    locked.commit(change.with_patch(before.difference(&after)))?;
    Ok(true)
}

fn make(
    world: &World,
    id: &SessionId,
    launch: &LaunchId,
    beginning: &Beginning,
) -> Result<(start::Running, Vec<String>), SessionError> {
    let record = world.home.load(id)?.record;
    let layered = world.config_of(&record)?;
    if let Some(handle) = record.handles.workspace.as_ref().filter(|handle| handle.owned) {
        let repository = workspace::repository_of(handle)?;
        let _lock = workspace::lock_repository(&repository)?;
        workspace::refuse_links(world, handle)?;
        git::restore_worktree(&repository, handle, id, record.created_at)?;
    }
    let cards = world.cards()?;
    let card = cards.find(&record.agent)?;
    // A conversation that goes on has the task in it already.
    let prompt = match beginning.resumes {
        true => None,
        false => fs::read_own(&world.home.session_dir(id).join("prompt.md"))?,
    };
    let runtime = record.handles.runtime.as_ref().map_or(RuntimeKind::Tmux, |runtime| runtime.kind);
    let (system, left_out) = role::system_prompt(world, id, &record, card, &layered.config)?;
    let task = Task {
        card,
        prompt: prompt.as_deref(),
        system: system.as_deref(),
        resume: beginning.conversation.as_deref().filter(|_| beginning.resumes),
        runtime,
    };
    let mut notes: Vec<String> = beginning.note.iter().cloned().chain(left_out).collect();
    let prepared = start::prepare(world, id, &record, launch, &layered.config, &task, &mut notes)?;
    let running = start::start(world, prepared)?;
    // Recorded with the completion: nothing is done between.
    pass("restore.runtime")?;
    Ok((running, notes))
}

fn pass(point: &'static str) -> Result<(), SessionError> {
    failpoint::pass(point).map_err(SessionError::Proc)
}
