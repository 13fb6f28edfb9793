//! Delivers what the outboxes hold.
//!
//! An entry is claimed before it is begun, so that two deliverers never work on one, and so that
//! a claim whose owner died tells that the outcome is unknown. What came of it is recorded in the
//! same write that takes it out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::act::run::{self, Reaction};
use crate::act::{self, Delivery, Typing};
use crate::adapter::clock::{self, Deadline};
use crate::adapter::git::GitError;
use crate::adapter::notify::Notice;
use crate::adapter::process::{self, Presence};
use crate::adapter::runtime::tmux::Tmux;
use crate::config::Layered;
use crate::decide::{self, Sendable};
use crate::invocation::{self, World};
use crate::model::collect::Sorted;
use crate::model::effect::{Claim, Effect, EntryKind, OutboxEntry, Priority, SendWhen};
use crate::model::event::Event;
use crate::model::facts::{ActivityFact, Bare, Confidence, Observation};
use crate::model::id::SessionId;
use crate::model::lifecycle::{ActivitySource, ActivityState, SessionState};
use crate::model::policy::ReactionPolicy;
use crate::model::record::{Record, RuntimeKind, Signals};
use crate::model::sanitize;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::session::merge::{self, MergeError, MergeOptions};
use crate::session::{SessionError, handover, tracker};
use crate::store::{Change, LockError, StoreError, lock};

/// How the key of a task that has to be pasted ends.
pub const TASK: &str = ".prompt";

/// How long a delivery may wait for an agent that starts, or for a text that somebody else types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as a person would.
    Foreground,
    /// As long, and a draft that somebody has typed is cleared first.
    Insistent,
    /// Not at all: a pass looks once, and the next one looks again.
    Pass,
}

impl Patience {
    fn limit(self) -> Duration {
        match self {
            Self::Foreground | Self::Insistent => Duration::from_secs(30),
            Self::Pass => Duration::ZERO,
        }
    }
}

/// How often what deliveries recorded is looked for.
const ROUNDS: usize = 3;

/// The shortest and the longest time until a text that was held is tried again.
const HELD: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5 * 60));

/// An entry's key and what became of it.
pub type Attempt = (String, Result<Delivery, SessionError>);

/// Delivers what one session's outbox holds and is due; one failure stops nothing else.
pub fn deliver(
    world: &World,
    id: &SessionId,
    patience: Patience,
) -> Result<Vec<Attempt>, SessionError> {
    deliver_those(world, id, patience, |_| true)
}

/// [`deliver`] of what goes to others: notices to an orchestrator, notifications to a person.
pub fn deliver_outward(world: &World, id: &SessionId) -> Result<Vec<Attempt>, SessionError> {
    // A command may take its time, and nobody waits for one but a pass.
    let outward = |entry: &OutboxEntry| matches!(entry.kind, EntryKind::Notify | EntryKind::Relay);
    deliver_those(world, id, Patience::Pass, outward)
}

/// [`deliver`] of the notices to an orchestrator alone.
pub fn deliver_notices(world: &World, id: &SessionId) -> Result<Vec<Attempt>, SessionError> {
    deliver_those(world, id, Patience::Pass, |entry| entry.kind == EntryKind::Relay)
}

/// [`deliver`] of the texts to the agent alone.
pub fn deliver_texts(
    world: &World,
    id: &SessionId,
    patience: Patience,
) -> Result<Vec<Attempt>, SessionError> {
    deliver_those(world, id, patience, |entry| entry.kind == EntryKind::Send)
}

fn deliver_those(
    world: &World,
    id: &SessionId,
    patience: Patience,
    wanted: impl Fn(&OutboxEntry) -> bool,
) -> Result<Vec<Attempt>, SessionError> {
    let mut attempts = Vec::new();
    let mut tried = BTreeSet::new();
    // What a delivery records in its turn (a person is told of a text that cannot go out) goes
    // out at once; a delivery of that can record nothing more than its own notice.
    for _ in 0..ROUNDS {
        let outbox = world.home.load(id)?.record.outbox;
        let due = outbox.iter().filter(|(_, entry)| !entry.dead && wanted(entry));
        let mut due: Vec<String> =
            due.map(|(key, _)| key.clone()).filter(|key| tried.insert(key.clone())).collect();
        oldest_first(&mut due);
        if due.is_empty() {
            break;
        }
        for key in due {
            let result = deliver_entry(world, id, &key, patience);
            attempts.push((key, result));
        }
    }
    Ok(attempts)
}

/// Puts the keys of an outbox in the order in which they were recorded.
pub fn oldest_first(keys: &mut [String]) {
    keys.sort_by_key(|key| order(key));
}

/// Oldest first: the id begins with the revision that recorded it.
pub fn order(key: &str) -> (u64, String) {
    let revision = key.split('.').next().and_then(|number| number.parse().ok());
    (revision.unwrap_or(u64::MAX), key.to_owned())
}

/// Delivers one entry, if it may go out now.
pub fn deliver_entry(
    world: &World,
    id: &SessionId,
    key: &str,
    patience: Patience,
) -> Result<Delivery, SessionError> {
    let record = world.home.load(id)?.record;
    let layered = world.config_of(&record)?;
    let entry = match claim(world, id, key, &layered)? {
        Claimed::Yes(entry) => entry,
        Claimed::No(delivery) => return Ok(delivery),
        Claimed::Gone => return fate(world, id, key),
    };
    crate::adapter::failpoint::pass("deliver.claimed").map_err(SessionError::Proc)?;
    let delivery = match entry.kind {
        EntryKind::Notify => notify_person(world, id, key, &entry, &layered),
        EntryKind::Send => type_text(world, id, key, &entry, patience),
        EntryKind::Run => run_command(world, id, key, &entry, &layered),
        EntryKind::Relay => handover::hand_over(world, id, key, &entry),
        EntryKind::Comment => tracker::comment(world, &record, &entry),
        EntryKind::Merge => Ok(merge_branch(world, id)),
    };
    // Errors come from before anything went out, and a claim must never be left behind.
    let delivery = delivery.unwrap_or_else(|error| Delivery::Failed(sanitize::chain(&error)));
    crate::adapter::failpoint::pass("deliver.done").map_err(SessionError::Proc)?;
    settle(world, id, key, &entry, &delivery)?;
    Ok(delivery)
}

enum Claimed {
    Yes(Box<OutboxEntry>),
    No(Delivery),
    Gone,
}

/// Returns what came of an entry that somebody else delivered meanwhile, by the event log.
fn fate(world: &World, id: &SessionId, key: &str) -> Result<Delivery, SessionError> {
    let events = world.home.events(id)?;
    let mut reasons = events.iter().rev().filter_map(|event| event.reason.as_deref());
    let unconfirmed = format!("{key} is unconfirmed: ");
    Ok(match reasons.find(|reason| reason.contains(key)) {
        Some(reason) if is_delivery(reason, key) => Delivery::Delivered,
        Some(reason) => match reason.strip_prefix(&unconfirmed) {
            Some(why) => Delivery::Unconfirmed(why.to_owned()),
            None => Delivery::Dropped(reason.to_owned()),
        },
        None => Delivery::Dropped(format!("{key} is not in the outbox")),
    })
}

/// Returns whether an event's reason says that an entry was delivered, in whatever way.
pub fn is_delivery(reason: &str, key: &str) -> bool {
    let rest = reason.strip_prefix("delivered ").and_then(|rest| rest.strip_prefix(key));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Takes an entry for this process, under the lock, if it still holds and is due.
fn claim(
    world: &World,
    id: &SessionId,
    key: &str,
    layered: &Layered,
) -> Result<Claimed, SessionError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    let before = locked.record().clone();
    let now = clock::now();
    let Some(entry) = before.outbox.get(key) else {
        return Ok(Claimed::Gone);
    };
    if let Some(claim) = &entry.claim {
        return settle_old_claim(&mut locked, key, entry, claim, now);
    }
    if let Err(why) = decide::still_holds(&before, entry) {
        drop_entry(&mut locked, key, &why, now)?;
        return Ok(Claimed::No(Delivery::Dropped(why)));
    }
    if let Some(next) = entry.next_at.filter(|next| *next > now) {
        return Ok(Claimed::No(Delivery::Held(format!("tried again at {next}"))));
    }
    if entry.kind == EntryKind::Send {
        if let Some(earlier) = earlier_text(&before, key, entry) {
            return Ok(Claimed::No(Delivery::Held(format!("{earlier} goes first"))));
        }
        match decide::sendable(&before, entry, &layered.config.policy) {
            Sendable::Now => {}
            Sendable::Hold(why) | Sendable::Wait(why) => {
                return Ok(Claimed::No(Delivery::Held(why)));
            }
            Sendable::Never(why) => {
                // The person is told what the agent never will be.
                let (after, effects) = decide::undeliverable(&before, key, &why);
                let after = decide::enqueue(&after, &effects, before.revision + 1, now);
                let reason = Some(format!("{key} cannot be delivered: {why}"));
                commit(&mut locked, &before, &after, "deliver", reason, now)?;
                return Ok(Claimed::No(Delivery::Failed(why)));
            }
        }
    }
    let me = process::current().map_err(SessionError::Proc)?;
    let mut after = before.clone();
    let mut entry = entry.clone();
    entry.claim = Some(Claim::of(&me, now));
    after.outbox.insert(key.to_owned(), entry.clone());
    commit(&mut locked, &before, &after, "deliver", None, now)?;
    Ok(Claimed::Yes(Box::new(entry)))
}

/// Returns the text that was recorded before this one and still waits: an agent reads them in the
/// order they were written, unless a person wants one read at once.
pub(super) fn earlier_text(record: &Record, key: &str, entry: &OutboxEntry) -> Option<String> {
    if entry.when == Some(SendWhen::Now) || entry.reaction.is_some() {
        return None;
    }
    let waits = |other: &OutboxEntry| {
        let is_message = other.kind == EntryKind::Send && other.reaction.is_none();
        is_message && !other.dead && other.attempts == 0
    };
    let mut earlier = record.outbox.iter().filter(|(_, other)| waits(other)).map(|(own, _)| own);
    earlier.find(|own| order(own) < order(key)).cloned()
}

/// A claim of a living owner is respected. One of a dead owner has an unknown outcome: a notice
/// goes out again under the same id, a text does not, and a person is told.
fn settle_old_claim(
    locked: &mut crate::store::LockedSession,
    key: &str,
    entry: &OutboxEntry,
    claim: &Claim,
    now: Timestamp,
) -> Result<Claimed, SessionError> {
    let owner = claim.owner();
    let is_own = owner == process::current().map_err(SessionError::Proc)?;
    if !is_own && process::presence(&owner).map_err(SessionError::Proc)? == Presence::Alive {
        return Ok(Claimed::No(Delivery::Held(format!("process {} delivers it", claim.pid))));
    }
    let before = locked.record().clone();
    let mut after = before.clone();
    match entry.kind {
        // The notifier knows the id, the other session's record knows what it was handed, and the
        // base shows whether it was merged.
        EntryKind::Notify | EntryKind::Relay | EntryKind::Merge => {
            let me = process::current().map_err(SessionError::Proc)?;
            let mut entry = entry.clone();
            entry.claim = Some(Claim::of(&me, now));
            after.outbox.insert(key.to_owned(), entry.clone());
            commit(locked, &before, &after, "deliver", None, now)?;
            Ok(Claimed::Yes(Box::new(entry)))
        }
        EntryKind::Send | EntryKind::Run | EntryKind::Comment => {
            let why = format!(
                "its delivery was cut short (process {} died), so whether it arrived is unknown",
                claim.pid
            );
            after.outbox.remove(key);
            let after = tell_person(&after, entry, &why, before.revision + 1, now);
            commit(locked, &before, &after, "deliver", Some(why.clone()), now)?;
            Ok(Claimed::No(Delivery::Unconfirmed(why)))
        }
    }
}

/// Records a notice in place of a text that cannot be delivered.
fn tell_person(
    record: &Record,
    entry: &OutboxEntry,
    why: &str,
    revision: u64,
    now: Timestamp,
) -> Record {
    let reaction = entry.reaction.clone().unwrap_or_else(|| "message".to_owned());
    let message = format!("{why}\n\n{}", entry.message);
    let effect = Effect::Notify { reaction, priority: Priority::Urgent, escalation: true, message };
    decide::enqueue(record, &[effect], revision, now)
}

fn drop_entry(
    locked: &mut crate::store::LockedSession,
    key: &str,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let before = locked.record().clone();
    let after = decide::dropped(&before, key);
    commit(locked, &before, &after, "deliver", Some(format!("dropped {key}: {why}")), now)
}

fn commit(
    locked: &mut crate::store::LockedSession,
    before: &Record,
    after: &Record,
    cause: &str,
    reason: Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut change = Change::new(cause, now);
    change.patch = before.difference(after);
    change.reason = reason;
    locked.commit(change).map(drop)
}

/// Records what came of an entry.
fn settle(
    world: &World,
    id: &SessionId,
    key: &str,
    entry: &OutboxEntry,
    delivery: &Delivery,
) -> Result<(), SessionError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    let before = locked.record().clone();
    if !before.outbox.contains_key(key) {
        return Ok(());
    }
    let now = clock::now();
    let (after, reason) = match delivery {
        Delivery::Delivered => (decide::delivered(&before, key), format!("delivered {key}")),
        Delivery::Unconfirmed(why) => {
            let after = decide::delivered(&before, key);
            let after = if entry.reaction.is_some() {
                tell_person(&after, entry, why, before.revision + 1, now)
            } else {
                after
            };
            (after, format!("{key} is unconfirmed: {why}"))
        }
        Delivery::Held(why) | Delivery::Draft(why) => {
            let mut after = before.clone();
            if let Some(entry) = after.outbox.get_mut(key) {
                entry.claim = None;
                entry.last_error = Some(why.clone());
                // The longer it has been held, the rarer it is tried: each try is two writes.
                let pause = (now.since(entry.created_at) / 2).clamp(HELD.0, HELD.1);
                entry.next_at = Some(now.plus(pause));
            }
            (after, format!("{key} is held: {why}"))
        }
        Delivery::Failed(why) => {
            let (after, effects) = decide::delivery_failed(&before, key, why, now);
            (
                decide::enqueue(&after, &effects, before.revision + 1, now),
                format!("{key} failed: {why}"),
            )
        }
        Delivery::Dropped(why) => (decide::dropped(&before, key), format!("dropped {key}: {why}")),
    };
    commit(&mut locked, &before, &after, "deliver", Some(reason), now)?;
    let is_taken = entry.kind == EntryKind::Send && *delivery == Delivery::Delivered;
    if is_taken && before.signals == Signals::Terminal {
        // No hook will say that the turn began, and a short one is over before anybody looks.
        let began = ActivityFact {
            observed_at: Some(now),
            confidence: Confidence::Valid,
            activity: ActivityState::Active,
            source: ActivitySource::Terminal,
            launch: entry.launch.clone(),
            agent_session: None,
            boundary: true,
            tool: None,
            report: None,
        };
        invocation::apply_locked(world, &mut locked, &Observation::Activity(began), "deliver")?;
    }
    let is_message = entry.kind == EntryKind::Send && entry.reaction.is_none();
    if is_message && *delivery == Delivery::Delivered {
        let sent = Observation::Sent(Bare::default());
        invocation::apply_locked(world, &mut locked, &sent, "send")?;
    }
    Ok(())
}

/// Tells the notifiers; those that have it are recorded, so that a retry reaches only the others.
fn notify_person(
    world: &World,
    id: &SessionId,
    key: &str,
    entry: &OutboxEntry,
    layered: &Layered,
) -> Result<Delivery, SessionError> {
    let record = world.home.load(id)?.record;
    let Some(project) = &record.project else {
        return Ok(Delivery::Dropped("its session belongs to no project".into()));
    };
    let notice = Notice {
        id: &format!("{id}.{key}"),
        session: id,
        project,
        status: Status::of(&record.lifecycle),
        priority: entry.priority.unwrap_or(Priority::Info),
        escalation: entry.escalation,
        reaction: entry.reaction.as_deref().unwrap_or("message"),
        title: record.title.as_deref().unwrap_or_default(),
        message: &entry.message,
        link: record.lifecycle.pr.url.as_deref(),
        at: entry.created_at,
    };
    let told = act::tell(&world.notifiers, &layered.config, entry, &notice);
    let open = told.failed.len() + told.skipped.len();
    if open == 0 && told.reached.is_empty() && entry.delivered.is_empty() {
        // The event log and `ao status` still tell it; only "delivered" would be a lie.
        let other = if entry.except.is_empty() { "" } else { "other " };
        let what = notice.priority;
        return Ok(Delivery::Dropped(format!("no {other}notifier takes what is {what}")));
    }
    if open == 0 {
        return Ok(Delivery::Delivered);
    }
    remember_told(world, id, key, &told)?;
    let why = |(name, why): (&String, &String)| format!("{name}: {why}");
    let failed: Vec<String> = told.failed.iter().map(why).collect();
    if failed.is_empty() {
        let names = told.skipped.join(", ");
        return Ok(Delivery::Held(format!("{names} let the time run out too often in this pass")));
    }
    Ok(Delivery::Failed(failed.join("; ")))
}

/// Records who has a notice already and who does not, for the attempts that follow.
fn remember_told(
    world: &World,
    id: &SessionId,
    key: &str,
    told: &act::Told,
) -> Result<(), SessionError> {
    let now = clock::now();
    invocation::amend(world, id, "deliver", |record| {
        if let Some(entry) = record.outbox.get_mut(key) {
            entry.delivered.extend(told.reached.iter().map(|name| (name.clone(), now)));
            entry.failing = told.failed.keys().chain(&told.skipped).cloned().into_set();
            // The next attempt is no sooner than what is recorded here.
            entry.next_at = told.wait.map(|wait| now.plus(wait));
        }
        Ok::<(), SessionError>(())
    })?;
    Ok(())
}

/// Runs the command of a `run` reaction, which reads what it is about.
fn run_command(
    world: &World,
    id: &SessionId,
    key: &str,
    entry: &OutboxEntry,
    layered: &Layered,
) -> Result<Delivery, SessionError> {
    let record = world.home.load(id)?.record;
    let reaction = entry.reaction.as_deref().unwrap_or_default();
    let limit = layered.config.policy.reaction(reaction).timeout;
    let limit = limit.unwrap_or(ReactionPolicy::TIMEOUT);
    Ok(run::run(world.home.root(), &Reaction { id, key, record: &record, entry }, limit))
}

/// Merges the branch, which is looked at afresh; merged already is merged.
fn merge_branch(world: &World, id: &SessionId) -> Delivery {
    match merge::merge(world, id, &MergeOptions::default()) {
        Ok(_) => Delivery::Delivered,
        Err(
            error @ (SessionError::Merge(MergeError::MidTurn { .. } | MergeError::InReview { .. })
            | SessionError::Busy { .. }
            | SessionError::Git(GitError::TargetMoved { .. })),
        ) => Delivery::Held(error.to_string()),
        Err(error) => Delivery::Failed(sanitize::chain(&error)),
    }
}

/// Returns the file that is locked while a text is given to the agent or a key is pressed.
pub(super) fn send_lock(world: &World, id: &SessionId) -> PathBuf {
    world.home.session_dir(id).join("send.lock")
}

/// Gives a text to the agent, one text to a session at a time.
fn type_text(
    world: &World,
    id: &SessionId,
    key: &str,
    entry: &OutboxEntry,
    patience: Patience,
) -> Result<Delivery, SessionError> {
    let _typing = match lock::acquire(&send_lock(world, id), patience.limit()) {
        Ok(typing) => typing,
        Err(error @ LockError::Timeout { .. }) => return Ok(Delivery::Held(error.to_string())),
        Err(error) => return Ok(Delivery::Failed(sanitize::chain(&error))),
    };
    // What was true when the entry was claimed may have changed while another text was typed.
    let record = world.home.load(id)?.record;
    let layered = world.config_of(&record)?;
    if let Err(why) = decide::still_holds(&record, entry) {
        return Ok(Delivery::Dropped(why));
    }
    match decide::sendable(&record, entry, &layered.config.policy) {
        Sendable::Now => {}
        Sendable::Hold(why) | Sendable::Wait(why) => return Ok(Delivery::Held(why)),
        // The next pass finds that under the lock, and has a person told.
        Sendable::Never(why) => return Ok(Delivery::Held(why)),
    }
    let (Some(handle), Some(launch)) = (&record.handles.runtime, &record.handles.launch) else {
        return Ok(Delivery::Failed("the session has no runtime".into()));
    };
    if handle.kind == RuntimeKind::Process {
        return Ok(act::write_text(&world.home.session_dir(id), &entry.message));
    }
    let cards = world.cards()?;
    let typing = Typing {
        session: id,
        launch,
        card: cards.find(&record.agent)?,
        mode: record.mode,
        signals: record.signals,
        text: &entry.message,
        force: patience == Patience::Insistent,
        joins: record.lifecycle.session.state == SessionState::Working,
        ready_within: key.ends_with(TASK).then(|| patience.limit()),
    };
    let tmux = Tmux::new(world.home.root(), &world.config_directory)?;
    Ok(act::type_text(&tmux, &typing, &mut hook_proof(world, id, &record)))
}

/// Returns what waits for the agent's own hook to say that it took a prompt.
///
/// The event log is asked, not the record: a turn may be over before anybody looks.
fn hook_proof<'a>(
    world: &'a World,
    id: &'a SessionId,
    record: &Record,
) -> impl FnMut(Deadline) -> bool + 'a {
    let before = record.revision;
    let has_hooks = record.signals == Signals::Hooks;
    let submitted = move || {
        if world.home.load(id).ok()?.record.revision == before {
            return None;
        }
        let events = world.home.events(id).ok()?;
        let later = events.iter().rev().take_while(|event| event.seq > before);
        later.into_iter().any(is_prompt_taken).then_some(())
    };
    move |deadline| has_hooks && clock::poll_until(deadline, submitted).is_some()
}

/// Returns whether an agent said with this that it took a prompt.
pub fn is_prompt_taken(event: &Event) -> bool {
    let Some(observation) = &event.observation else { return false };
    observation["activity"] == ActivityState::Active.as_str() && observation["boundary"] == true
}
