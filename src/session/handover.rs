//! Hands a session's text to another session: a notice to the orchestrator that spawned it, or a
//! reaction's text that is addressed to its parent or to the project's orchestrator.
//!
//! The text moves from the one outbox into the other, under a key that names session and entry;
//! from there it goes out as any other text does. Killed in between, the next pass finds that key
//! in the other's outbox or log, and hands nothing over twice. The two locks are never held at
//! once.

use crate::act::Delivery;
use crate::adapter::{clock, failpoint};
use crate::decide;
use crate::invocation::{self, World};
use crate::model::effect::{EntryKind, OutboxEntry};
use crate::model::id::SessionId;
use crate::model::policy::Recipient;
use crate::model::record::{Kind, Record};
use crate::model::status::Status;
use crate::session::{SessionError, deliver, orchestrator};
use crate::store::{Change, LockedSession, StoreError};

/// The cause of the event by which an orchestrator takes a notice.
const CAUSE: &str = "notice";

/// Why a notice is not taken.
enum Refusal {
    /// It has no place there; nobody misses it.
    Nobody(String),
    /// There was an orchestrator, and it has ended: a person has to know.
    Ended(String),
}

/// Moves the entry `key` of `worker` to the session it is for.
pub fn hand_over(
    world: &World,
    worker: &SessionId,
    key: &str,
    entry: &OutboxEntry,
) -> Result<Delivery, SessionError> {
    let taken = match addressee(world, worker, key, entry)? {
        Some(to) => give(world, &to, worker, key, entry)?,
        None if entry.recipient.is_some() => {
            Err(Refusal::Ended("the project has no other orchestrator that lives".to_owned()))
        }
        None => Err(Refusal::Nobody("it names no session that it is for".to_owned())),
    };
    failpoint::pass("notice.taken").map_err(SessionError::Proc)?;
    match taken {
        Ok(()) => Ok(Delivery::Delivered),
        Err(Refusal::Nobody(why)) => Ok(Delivery::Dropped(why)),
        Err(Refusal::Ended(why)) => {
            give_up(world, worker, key, &why)?;
            Ok(Delivery::Dropped(why))
        }
    }
}

/// Returns the session that the entry is for.
///
/// Which orchestrator that is gets written down before it is given anything: whoever comes after
/// a death in between must ask the same one.
fn addressee(
    world: &World,
    worker: &SessionId,
    key: &str,
    entry: &OutboxEntry,
) -> Result<Option<SessionId>, SessionError> {
    let named = entry.to.clone();
    if entry.recipient != Some(Recipient::Orchestrator) {
        return Ok(named);
    }
    if let Some(to) = named
        && (is_alive(world, &to)? || was_there(world, &to, &format!("{worker}.{key}"))?)
    {
        return Ok(Some(to));
    }
    let Some(project) = world.home.load(worker)?.record.project else { return Ok(None) };
    let live = orchestrator::live_of(world, &project)?;
    let Some((to, _)) = live.into_iter().find(|(id, _)| id != worker) else { return Ok(None) };
    invocation::amend(world, worker, "deliver", |record| {
        if let Some(entry) = record.outbox.get_mut(key) {
            entry.to = Some(to.clone());
        }
        Ok::<(), SessionError>(())
    })?;
    Ok(Some(to))
}

fn is_alive(world: &World, id: &SessionId) -> Result<bool, SessionError> {
    match world.home.load(id) {
        Ok(loaded) => Ok(!loaded.archived && !loaded.record.lifecycle.is_terminal()),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn give(
    world: &World,
    to: &SessionId,
    worker: &SessionId,
    key: &str,
    entry: &OutboxEntry,
) -> Result<Result<(), Refusal>, SessionError> {
    let is_reaction = entry.recipient.is_some();
    match world.home.lock_session(to, world.lock_timeout) {
        Ok(mut locked) => take(world, &mut locked, to, worker, key, entry),
        Err(StoreError::NotFound { .. }) if is_reaction => {
            Ok(Err(Refusal::Ended(format!("there is no {to}"))))
        }
        Err(StoreError::NotFound { .. }) => Ok(Err(Refusal::Nobody(format!("there is no {to}")))),
        Err(StoreError::Archived { .. }) => {
            if was_there(world, to, &format!("{worker}.{key}"))? {
                return Ok(Ok(()));
            }
            let ended = || Refusal::Ended(format!("{to} is in the archive"));
            let record = world.home.load(to)?.record;
            Ok(Err(refusal(to, &record, is_reaction).unwrap_or_else(ended)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Puts the text into the other session's outbox, unless it is or was there.
fn take(
    world: &World,
    locked: &mut LockedSession,
    to: &SessionId,
    worker: &SessionId,
    key: &str,
    entry: &OutboxEntry,
) -> Result<Result<(), Refusal>, SessionError> {
    let before = locked.record().clone();
    let what = format!("{worker}.{key}");
    if is_there(&before, &what) || was_there(world, to, &what)? {
        return Ok(Ok(()));
    }
    if let Some(refusal) = refusal(to, &before, entry.recipient.is_some()) {
        return Ok(Err(refusal));
    }
    if waits(&before, worker, &entry.message) {
        return Ok(Ok(()));
    }
    let now = clock::now();
    let mut after = before.clone();
    // Under its bare key it would be taken for a reaction of the session that reads it.
    let reaction = match (&entry.reaction, entry.recipient) {
        (Some(reaction), Some(_)) => Some(format!("worker.{reaction}")),
        (reaction, _) => reaction.clone(),
    };
    let text = OutboxEntry {
        reaction,
        message: entry.message.clone(),
        launch: before.handles.launch.clone(),
        from: Some(worker.clone()),
        ..OutboxEntry::new(EntryKind::Send, now)
    };
    after.outbox.insert(format!("{}.{what}", before.revision + 1), text);
    let mut change = Change::new(CAUSE, now);
    change.patch = before.difference(&after);
    change.reason = Some(taken(&what));
    locked.commit(change)?;
    Ok(Ok(()))
}

fn taken(what: &str) -> String {
    format!("took {what}")
}

/// Returns why the session cannot take a text, if it cannot; a notice is for orchestrators alone.
fn refusal(to: &SessionId, record: &Record, is_reaction: bool) -> Option<Refusal> {
    let status = Status::of(&record.lifecycle);
    let ended = record.lifecycle.is_terminal().then(|| Refusal::Ended(format!("{to} is {status}")));
    match record.kind {
        Kind::Orchestrator => ended,
        Kind::Worker | Kind::Reviewer if is_reaction => ended,
        Kind::Worker | Kind::Reviewer => Some(Refusal::Nobody(format!("{to} is no orchestrator"))),
    }
}

/// Returns whether the same worker's same words wait there, unread: an orchestrator that is busy or
/// blocked for long must not find them twenty times.
fn waits(record: &Record, worker: &SessionId, message: &str) -> bool {
    record.outbox.values().any(|waiting| {
        let unread = !waiting.dead && waiting.claim.is_none();
        unread && waiting.from.as_ref() == Some(worker) && waiting.message == message
    })
}

fn is_there(record: &Record, what: &str) -> bool {
    let revision_first = |key: &String| key.split_once('.').is_some_and(|(_, rest)| rest == what);
    record.outbox.keys().any(revision_first)
}

/// Returns whether the session took it before, by its log: it may have read it since.
fn was_there(world: &World, to: &SessionId, what: &str) -> Result<bool, SessionError> {
    let reason = taken(what);
    let events = world.home.events(to)?;
    let is_it = |reason_then: Option<&str>| reason_then == Some(reason.as_str());
    Ok(events.iter().any(|event| event.cause == CAUSE && is_it(event.reason.as_deref())))
}

/// Drops a notice that nobody is left to read, and has a person told instead.
fn give_up(world: &World, worker: &SessionId, key: &str, why: &str) -> Result<(), SessionError> {
    let mut locked = world.home.lock_session(worker, world.lock_timeout)?;
    let before = locked.record().clone();
    if !before.outbox.contains_key(key) {
        return Ok(());
    }
    let now = clock::now();
    let (mut after, told) = decide::undeliverable(&before, key, why);
    after.outbox.remove(key);
    let after = decide::enqueue(&after, &told, before.revision + 1, now);
    let mut change = Change::new("deliver", now);
    change.patch = before.difference(&after);
    change.reason = Some(format!("dropped {key}: {why}"));
    locked.commit(change)?;
    Ok(())
}

/// Delivers what a report of `worker` caused: to the person, and to its orchestrator, if that one
/// is at its composer. What cannot go out at once waits in an outbox.
pub fn pass_on(world: &World, worker: &SessionId) -> Result<(), SessionError> {
    deliver::deliver_outward(world, worker)?;
    let Some(parent) = world.home.load(worker)?.record.parent else { return Ok(()) };
    let from_worker = |entry: &OutboxEntry| entry.from.as_ref() == Some(worker);
    match world.home.load(&parent) {
        Ok(loaded) if loaded.record.outbox.values().any(from_worker) => {
            deliver::deliver(world, &parent, deliver::Patience::Pass).map(drop)
        }
        Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
