//! The outbox as data: what goes in, whether it still holds, when it may go out, what a failed
//! delivery means. Delivering is for the shell around the reducer.

use std::time::Duration;

use crate::decide::notice;
use crate::decide::reaction::{self, Lane};
use crate::decide::resume;
use crate::decide::review;
use crate::model::effect::{Effect, EntryKind, OutboxEntry, Priority, SendWhen};
use crate::model::lifecycle::{ActivityState, SessionReason, SessionState};
use crate::model::policy::Policy;
use crate::model::record::{Record, Signals, Tracker};
use crate::model::time::Timestamp;

/// After this many failed deliveries an entry is a dead letter.
pub const MAX_FAILURES: u32 = 5;

/// The same for the text of a review.
const MAX_REVIEW_FAILURES: u32 = 3;

/// The wait after the first failure; it doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_secs(60);

/// Whether a text may be given to the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sendable {
    /// At once.
    Now,
    /// Not while the reason holds: typing could do harm.
    Hold(String),
    /// The agent is busy; at the end of its turn.
    Wait(String),
    /// Nobody is there to read it; a person should know instead.
    Never(String),
}

/// Returns `after` with `effects` in its outbox, recorded by the write that makes `revision`.
///
/// What is already waiting there, the same text for the same reason, is not put there twice.
pub fn enqueue(after: &Record, effects: &[Effect], revision: u64, now: Timestamp) -> Record {
    let mut record = after.clone();
    for effect in effects {
        let entry = entry_of(&record, effect, now);
        if record.outbox.values().any(|waiting| is_same(waiting, &entry)) {
            continue;
        }
        let id = free_id(&record, revision, effect.reaction());
        record.outbox.insert(id, entry);
    }
    record
}

fn free_id(record: &Record, revision: u64, reaction: &str) -> String {
    let id = format!("{revision}.{reaction}");
    if !record.outbox.contains_key(&id) {
        return id;
    }
    (2u32..)
        .map(|n| format!("{id}.{n}"))
        .find(|id| !record.outbox.contains_key(id))
        .expect("an outbox holds fewer entries than there are numbers")
}

fn entry_of(record: &Record, effect: &Effect, now: Timestamp) -> OutboxEntry {
    let reaction = Some(effect.reaction().to_owned());
    let entry = OutboxEntry { reaction, ..OutboxEntry::new(EntryKind::Notify, now) };
    match effect.clone() {
        Effect::Send { signature, repeat, message, .. } => OutboxEntry {
            kind: EntryKind::Send,
            signature: Some(signature),
            repeat,
            message,
            launch: record.handles.launch.clone(),
            ..entry
        },
        Effect::Notify { priority, escalation, message, .. } => {
            OutboxEntry { priority: Some(priority), escalation, message, ..entry }
        }
        Effect::Run { signature, message, command, .. } => OutboxEntry {
            kind: EntryKind::Run,
            signature: Some(signature),
            message,
            command,
            ..entry
        },
        Effect::Merge { signature, .. } => {
            OutboxEntry { kind: EntryKind::Merge, signature: Some(signature), ..entry }
        }
        Effect::Comment { message, .. } => {
            OutboxEntry { kind: EntryKind::Comment, message, ..entry }
        }
        Effect::Relay { to, recipient, signature, message, .. } => OutboxEntry {
            kind: EntryKind::Relay,
            to,
            recipient,
            signature,
            message,
            launch: record.handles.launch.clone(),
            ..entry
        },
    }
}

/// Returns whether `waiting` will do what `fresh` asks for.
///
/// A claimed notification may have gone out before its cause came back, so it does not count.
fn is_same(waiting: &OutboxEntry, fresh: &OutboxEntry) -> bool {
    let same = !waiting.dead && waiting.kind == fresh.kind && waiting.reaction == fresh.reaction;
    same && match fresh.kind {
        EntryKind::Send => waiting.signature == fresh.signature,
        EntryKind::Notify => {
            waiting.claim.is_none()
                && waiting.escalation == fresh.escalation
                && waiting.message == fresh.message
        }
        EntryKind::Run | EntryKind::Merge => {
            waiting.claim.is_none() && waiting.signature == fresh.signature
        }
        EntryKind::Relay | EntryKind::Comment => {
            waiting.claim.is_none() && waiting.message == fresh.message
        }
    }
}

/// Checks once more, just before delivery, that what `entry` is about is still so.
///
/// # Errors
///
/// Why it is stale. A notification never is: what it tells did happen.
pub fn still_holds(record: &Record, entry: &OutboxEntry) -> Result<(), String> {
    if entry.kind == EntryKind::Notify {
        return Ok(());
    }
    if entry.launch.is_some() && entry.launch != record.handles.launch {
        return Err("it was meant for an earlier launch of this session".to_owned());
    }
    let Some(key) = entry.reaction.as_deref() else { return Ok(()) };
    if entry.kind == EntryKind::Relay && entry.recipient.is_none() {
        return notice::still_holds(record, key, entry.signature.as_deref());
    }
    if key == resume::KEY {
        let holds = resume::still_holds(record, entry.signature.as_ref());
        return holds.then_some(()).ok_or_else(|| "the usage limit is over".to_owned());
    }
    let Some(lane) = reaction::lane_of(key) else { return Ok(()) };
    if reaction::trigger_of(record, lane) != Some(key) {
        return Err(format!("what triggered {key} is over"));
    }
    let tracker = record.reactions.get(key);
    let known = tracker.and_then(|tracker| tracker.signature.as_ref());
    // The end of a session clears its trackers; what triggered the text is still so.
    let is_other = known != entry.signature.as_ref() && !record.lifecycle.is_terminal();
    if entry.signature.is_some() && is_other {
        return Err(format!("{key} is about something else by now"));
    }
    Ok(())
}

/// Returns whether the text of `entry` may be given to the agent.
pub fn sendable(record: &Record, entry: &OutboxEntry, policy: &Policy) -> Sendable {
    let lifecycle = &record.lifecycle;
    if lifecycle.is_terminal() {
        return Sendable::Never("the session has ended".to_owned());
    }
    let activity = lifecycle.activity.as_ref().map(|activity| activity.state);
    match activity {
        Some(ActivityState::Exited) => {
            return Sendable::Never("the agent has exited".to_owned());
        }
        Some(ActivityState::Blocked) => {
            return Sendable::Hold("a dialog is open; typing could answer it".to_owned());
        }
        Some(
            ActivityState::Active
            | ActivityState::Ready
            | ActivityState::Idle
            | ActivityState::WaitingInput,
        )
        | None => {}
    }
    if lifecycle.session.state == SessionState::Detecting || lifecycle.is_stuck_by_escalation() {
        return Sendable::Hold("it is not sure that the agent lives".to_owned());
    }
    let limited = lifecycle.session.reason == SessionReason::UsageLimited;
    let resumes = entry.reaction.as_deref() == Some(resume::KEY);
    if limited && entry.reaction.is_some() && !resumes {
        return Sendable::Hold("the agent's usage limit is reached".to_owned());
    }
    // A limit ends a turn without a word, and an agent without signals never says that one ended.
    if limited || record.signals == Signals::None {
        return Sendable::Now;
    }
    match (activity, entry.when.unwrap_or(policy.send_when)) {
        (Some(ActivityState::Active), SendWhen::TurnEnd) => {
            Sendable::Wait("the agent is busy; it gets it at the end of its turn".to_owned())
        }
        (None, SendWhen::TurnEnd) if lifecycle.session.state == SessionState::NotStarted => {
            Sendable::Wait("the agent has not started".to_owned())
        }
        (
            Some(
                ActivityState::Active
                | ActivityState::Ready
                | ActivityState::Idle
                | ActivityState::WaitingInput
                | ActivityState::Blocked
                | ActivityState::Exited,
            )
            | None,
            SendWhen::TurnEnd | SendWhen::Now,
        ) => Sendable::Now,
    }
}

/// Returns how many failures make `entry` a dead letter.
fn failures_of(entry: &OutboxEntry) -> u32 {
    let is_review = entry.reaction.as_deref() == Some(review::CHANGES);
    if is_review { MAX_REVIEW_FAILURES } else { MAX_FAILURES }
}

/// Records that delivering the entry `id` failed with `error`, without its claim.
///
/// The attempt is given back, the entry waits longer after each failure (and no shorter than its
/// `next_at`, where the other side asked for time), and the last one makes it a dead letter that a
/// person is told of. An unknown id changes nothing.
pub fn delivery_failed(
    record: &Record,
    id: &str,
    error: &str,
    now: Timestamp,
) -> (Record, Vec<Effect>) {
    let mut after = record.clone();
    let Some(entry) = after.outbox.get_mut(id).filter(|entry| !entry.dead) else {
        return (after, Vec::new());
    };
    let first = entry.attempts == 0;
    entry.attempts = entry.attempts.saturating_add(1);
    entry.claim = None;
    entry.last_error = Some(error.to_owned());
    let given_up = entry.attempts >= failures_of(entry);
    if given_up {
        entry.dead = true;
        entry.next_at = None;
    } else {
        let back_off = now.plus(FIRST_BACK_OFF * (1 << (entry.attempts - 1)));
        entry.next_at = entry.next_at.max(Some(back_off));
    }
    let entry = entry.clone();
    if first {
        give_back(&mut after, &entry);
    }
    if given_up {
        by_another_route(&mut after, id, &entry, error, now);
    }
    let effects = if given_up { instead(&entry, error) } else { Vec::new() };
    (after, effects)
}

/// Records a notice for the notifiers that did not fail, in place of the dead letter `id`.
///
/// Who was told of `entry` itself needs to hear of its other route once, not with every notice;
/// and where the other routes fail as well there is none left.
fn by_another_route(
    record: &mut Record,
    id: &str,
    entry: &OutboxEntry,
    error: &str,
    now: Timestamp,
) {
    if entry.kind != EntryKind::Notify || entry.failing.is_empty() || !entry.except.is_empty() {
        return;
    }
    let is_known = |(own, other): (&String, &OutboxEntry)| {
        own != id && other.dead && other.failing == entry.failing
    };
    if !entry.delivered.is_empty() && record.outbox.iter().any(is_known) {
        return;
    }
    let failing: Vec<&str> = entry.failing.iter().map(String::as_str).collect();
    let message = format!(
        "could not be told by {} ({MAX_FAILURES} attempts), so it comes this way; `ao outbox ls \
         --dead` keeps it\n{error}\n\n{}",
        failing.join(", "),
        entry.message
    );
    let other = OutboxEntry {
        reaction: entry.reaction.clone(),
        priority: entry.priority,
        escalation: entry.escalation,
        message,
        except: entry.failing.clone(),
        ..OutboxEntry::new(EntryKind::Notify, now)
    };
    let reaction = entry.reaction.as_deref().unwrap_or("message");
    let own = free_id(record, record.revision.saturating_add(1), reaction);
    record.outbox.insert(own, other);
}

/// Records that the entry `id` can never be delivered: a dead letter at once, and a notification
/// in its place. An unknown id changes nothing.
pub fn undeliverable(record: &Record, id: &str, why: &str) -> (Record, Vec<Effect>) {
    let mut after = record.clone();
    let Some(entry) = after.outbox.get_mut(id).filter(|entry| !entry.dead) else {
        return (after, Vec::new());
    };
    entry.claim = None;
    entry.last_error = Some(why.to_owned());
    entry.dead = true;
    entry.next_at = None;
    let entry = entry.clone();
    if entry.attempts == 0 {
        give_back(&mut after, &entry);
    }
    // The person is told now: another look at the same incident is no news to them.
    if let (true, Some(key)) = (after.lifecycle.is_terminal(), &entry.reaction) {
        let tracker = after.reactions.entry(key.clone()).or_default();
        tracker.signature.clone_from(&entry.signature);
    }
    let effects = instead(&entry, why);
    (after, effects)
}

/// Returns the record without the delivered entry `id`; its attempt counts again if an earlier
/// failure had given it back.
pub fn delivered(record: &Record, id: &str) -> Record {
    let mut after = record.clone();
    let Some(entry) = after.outbox.remove(id) else { return after };
    // What the agent said of itself before it was written to is answered.
    if let (EntryKind::Send, Some(report)) = (entry.kind, &mut after.report) {
        report.open = false;
    }
    if entry.attempts > 0
        && let Some(tracker) = tracker_of(&mut after, &entry)
    {
        tracker.attempts = tracker.attempts.saturating_add(1);
        // The end of the last wait is the closest known time before the delivery.
        tracker.first_attempt_at.get_or_insert(entry.next_at.unwrap_or(entry.created_at));
    }
    after
}

/// Returns the record without the entry `id`, which was given up before it was delivered: its
/// attempt is given back.
pub fn dropped(record: &Record, id: &str) -> Record {
    let mut after = record.clone();
    let Some(entry) = after.outbox.remove(id) else { return after };
    if entry.attempts == 0 && !entry.dead {
        give_back(&mut after, &entry);
    }
    after
}

/// Returns the record with the entry `id` due at once, a dead letter alive again.
pub fn revived(record: &Record, id: &str) -> Record {
    let mut after = record.clone();
    if let Some(entry) = after.outbox.get_mut(id) {
        entry.dead = false;
        entry.next_at = None;
        // One failure is remembered: by it a delivery knows that its attempt was given back.
        entry.attempts = entry.attempts.min(1);
    }
    after
}

/// Takes the attempt that `entry` stands for off its budget: only delivered ones count.
fn give_back(record: &mut Record, entry: &OutboxEntry) {
    if let Some(tracker) = tracker_of(record, entry) {
        tracker.attempts = tracker.attempts.saturating_sub(1);
        if tracker.attempts == 0 {
            tracker.first_attempt_at = None;
        }
    }
}

/// Returns the budget that the text `entry` was charged to, if the incident is still the same: one
/// that news took over before it went out was charged to it as well.
fn tracker_of<'a>(record: &'a mut Record, entry: &OutboxEntry) -> Option<&'a mut Tracker> {
    let is_text = matches!(entry.kind, EntryKind::Send | EntryKind::Relay);
    let key = entry.reaction.as_ref().filter(|_| is_text)?;
    let is_its = |tracker: &&mut Tracker| {
        let since = tracker.first_attempt_at;
        tracker.signature == entry.signature || since.is_some_and(|since| entry.created_at >= since)
    };
    record.reactions.get_mut(key).filter(is_its)
}

/// Returns the notification that goes out instead of `entry`.
///
/// None for a notification: that goes by another route (`by_another_route`), or none.
fn instead(entry: &OutboxEntry, error: &str) -> Vec<Effect> {
    if entry.kind == EntryKind::Notify {
        return Vec::new();
    }
    let key = entry.reaction.clone().unwrap_or_else(|| "message".to_owned());
    let what = match (entry.kind, &entry.to) {
        (EntryKind::Send | EntryKind::Notify, _) => "could not be given to the agent".to_owned(),
        (EntryKind::Run, _) => "the command failed".to_owned(),
        (EntryKind::Merge, _) => "could not be merged".to_owned(),
        (EntryKind::Relay, Some(to)) => format!("could not be given to {to}"),
        (EntryKind::Relay, None) => "could not be given to the orchestrator".to_owned(),
        (EntryKind::Comment, _) => "could not be written into the issue".to_owned(),
    };
    let text = if entry.message.is_empty() {
        format!("{key}: {what}: {error}")
    } else {
        format!("{key}: {what}: {error}\n\n{}", entry.message)
    };
    let priority = match reaction::lane_of(&key) {
        Some(Lane::Session | Lane::Pr) => reaction::priority_of(&key),
        None => Priority::Action,
    };
    vec![Effect::Notify { reaction: key, priority, escalation: false, message: text }]
}
