//! Send: a person's (or another session's) text to an agent.

use crate::act::Delivery;
use crate::adapter::clock;
use crate::decide::{self, Sendable};
use crate::invocation::{self, World};
use crate::model::effect::{EntryKind, OutboxEntry, SendWhen};
use crate::model::id::SessionId;
use crate::model::lifecycle::SessionState;
use crate::model::record::Record;
use crate::model::status::Status;
use crate::session::deliver::{self, Patience};
use crate::session::{SessionError, intent};

/// When the text is to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum When {
    /// As configured: at once to a waiting agent, at the end of its turn to a busy one.
    #[default]
    AsConfigured,
    /// At once, busy or not.
    Now,
    /// Recorded only; a reap delivers it.
    Queue,
}

/// A text and how it is to go out.
#[derive(Clone, Debug)]
pub struct Message {
    /// The text.
    pub text: String,
    /// When.
    pub when: When,
    /// A draft that somebody has typed is cleared first.
    pub force: bool,
    /// The session that sends it.
    pub from: Option<SessionId>,
}

/// What came of a text.
#[derive(Debug)]
pub struct Sent {
    /// Its key in the outbox.
    pub key: String,
    /// The revision to fence a `wait` with.
    pub revision: u64,
    /// The agent was at work when it was recorded.
    pub was_busy: bool,
    /// What came of it; `None` where it is queued.
    pub delivery: Option<Delivery>,
}

/// Records a text and, unless it is to be queued, delivers it.
///
/// A text that is held for a dialog or a draft is taken back: whoever sent it is told, and it
/// must not turn up an hour later unasked.
pub fn send(world: &World, id: &SessionId, message: &Message) -> Result<Sent, SessionError> {
    let sent = record(world, id, message)?;
    if message.when == When::Queue {
        return Ok(sent);
    }
    deliver(world, id, message, &sent).inspect_err(|_| {
        // Whoever is told that it failed sends it again; what kept it from going out may keep it
        // from being taken back too, and only the first is worth telling.
        let _ = take_back(world, id, &sent.key);
    })
}

fn deliver(
    world: &World,
    id: &SessionId,
    message: &Message,
    sent: &Sent,
) -> Result<Sent, SessionError> {
    let patience = if message.force { Patience::Insistent } else { Patience::Foreground };
    let delivery = deliver_in_order(world, id, &sent.key, patience)?;
    // Held for the end of a turn, or in another deliverer's hands: it stays in the outbox.
    let queued = matches!(delivery, Delivery::Held(_)) && is_queued(world, id, &sent.key)?;
    let stays = matches!(delivery, Delivery::Held(_) | Delivery::Draft(_) | Delivery::Failed(_));
    if !queued && stays {
        take_back(world, id, &sent.key)?;
    }
    let delivery = (!queued).then_some(delivery);
    Ok(Sent { key: sent.key.clone(), delivery, ..*sent })
}

/// Delivers what waits for this agent, oldest first, up to `key`.
fn deliver_in_order(
    world: &World,
    id: &SessionId,
    key: &str,
    patience: Patience,
) -> Result<Delivery, SessionError> {
    let attempts = deliver::deliver_texts(world, id, patience)?;
    match attempts.into_iter().find(|(own, _)| own == key) {
        Some((_, delivery)) => delivery,
        // A reap was quicker; whether it arrived is in the record.
        None => deliver::deliver_entry(world, id, key, patience),
    }
}

/// Refuses a session in which there is no agent to be told, or that is only made.
pub fn require_possible(id: &SessionId, record: &Record) -> Result<(), SessionError> {
    intent::require_free(id, record)?;
    if !record.lifecycle.is_terminal() {
        return Ok(());
    }
    Err(SessionError::WrongState {
        id: id.clone(),
        status: Status::of(&record.lifecycle),
        why: "there is no agent to read it; `ao restore` starts it again",
    })
}

fn record(world: &World, id: &SessionId, message: &Message) -> Result<Sent, SessionError> {
    let mut key = String::new();
    let record = invocation::amend(world, id, "send", |record| {
        require_possible(id, record)?;
        key = format!("{}.message", record.revision + 1);
        let entry = OutboxEntry {
            message: message.text.clone(),
            launch: record.handles.launch.clone(),
            from: message.from.clone(),
            when: (message.when == When::Now).then_some(SendWhen::Now),
            ..OutboxEntry::new(EntryKind::Send, clock::now())
        };
        record.outbox.insert(key.clone(), entry);
        Ok::<(), SessionError>(())
    })?;
    let was_busy = record.lifecycle.session.state == SessionState::Working;
    Ok(Sent { key, revision: record.revision, was_busy, delivery: None })
}

/// Returns whether a text that was held goes out by itself, with nobody having to do anything.
fn is_queued(world: &World, id: &SessionId, key: &str) -> Result<bool, SessionError> {
    let record = world.home.load(id)?.record;
    let Some(entry) = record.outbox.get(key) else { return Ok(true) };
    let layered = world.config_of(&record)?;
    let free = match decide::sendable(&record, entry, &layered.config.policy) {
        Sendable::Now | Sendable::Wait(_) => true,
        Sendable::Hold(_) | Sendable::Never(_) => false,
    };
    // An error is what the screen held it for: a dialog, or a draft of the person's.
    Ok(free && (entry.claim.is_some() || entry.last_error.is_none()))
}

fn take_back(world: &World, id: &SessionId, key: &str) -> Result<(), SessionError> {
    invocation::amend(world, id, "send", |record| {
        // What somebody else is typing by now cannot be taken back.
        if record.outbox.get(key).is_some_and(|entry| entry.claim.is_none()) {
            record.outbox.remove(key);
        }
        Ok::<(), SessionError>(())
    })?;
    Ok(())
}
