//! Answer: what an agent's own hook says, and, at the end of a turn, the next instruction in reply.
//!
//! Where an agent takes its next instruction as the answer of a hook, a text that waits is given
//! to it that way: without a keystroke, one for each end of a turn, the oldest first. It is
//! claimed before it is printed, as before it is typed; whoever finds the claim of a hook that
//! died knows that the outcome is not known.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapter::agent::Heard;
use crate::adapter::fs::{self, Durability};
use crate::adapter::{clock, failpoint, process};
use crate::decide::{self, Sendable};
use crate::invocation::{self, World};
use crate::model::effect::{Claim, EntryKind, OutboxEntry};
use crate::model::event::Event;
use crate::model::facts::{ActivityFact, Bare, Observation};
use crate::model::id::{LaunchId, SessionId};
use crate::model::lifecycle::{ActivitySource, ActivityState};
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::time::Timestamp;
use crate::session::{SessionError, deliver};
use crate::store::{LockedSession, lock};

/// What follows `delivered KEY` in the event log.
const BY_HOOK: &str = "by the agent's hook";

/// How many texts are given this way in a row.
///
/// Agents let their hooks hold them up only so often, eight times for one of them, and the user's
/// own hooks count as well; what came after would be lost.
const MOST_IN_A_ROW: usize = 5;

/// Prints a text as the agent takes it.
pub type Print<'a> = dyn FnMut(&str) -> io::Result<()> + 'a;

/// Applies what a hook said. With `print`, which is for the end of a turn only, a text that waits
/// is given to the agent in answer, and the turn goes on.
pub fn heard(
    world: &World,
    id: &SessionId,
    heard: Heard,
    print: Option<&mut Print<'_>>,
) -> Result<(), SessionError> {
    if print.is_none() && changes_nothing(world, id, &heard) {
        return Ok(());
    }
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    keep_words(world, id, locked.record(), &heard);
    let said = about(locked.record(), heard);
    // The one time that the configuration is read.
    let (policy, sync) = &world.policy_of(locked.record())?;
    locked.set_sync(*sync);
    let now = clock::now();
    if let Some(print) = print
        && let Observation::Activity(fact) = &said
        && let Some(key) = next_text(locked.record(), &said, policy, now)
        && given_in_a_row(world, id) < MOST_IN_A_ROW
        && let Ok(typing) = lock::acquire(&deliver::send_lock(world, id), std::time::Duration::ZERO)
    {
        let entry = claim(&mut locked, &key, now)?;
        drop(locked);
        failpoint::pass("answer.claimed").map_err(SessionError::Proc)?;
        let printed = print(&entry.message);
        failpoint::pass("answer.printed").map_err(SessionError::Proc)?;
        let mut locked = world.home.lock_session(id, world.lock_timeout)?;
        locked.set_sync(*sync);
        let result = settle(&mut locked, &key, &entry, fact, printed, policy);
        drop(typing);
        return result;
    }
    apply(&mut locked, &said, policy)
}

/// Whether what was said leaves the session as it is, seen at a glance: nearly every use of a tool
/// says what the last one said, and then its agent waits for nobody's lock and nothing is written.
/// What is otherwise, or cannot be told this way, is decided again under the lock.
fn changes_nothing(world: &World, id: &SessionId, heard: &Heard) -> bool {
    // The end of a turn, and what is said at it, is news.
    let is_tool = matches!(&heard.observation, Observation::Activity(fact) if !fact.boundary);
    let glances = (is_tool && heard.words.is_none()).then(|| world.home.glances()).flatten();
    let glance = glances.and_then(|mut glances| glances.at(id, |_, _| ()));
    let Some((glance, ())) = glance else { return false };
    let record = &*glance.record;
    let Ok((policy, _)) = world.policy_of(record) else { return false };
    let said = about(record, heard.clone());
    decide::leaves_alone(record, &mut record.clone(), &said, &policy, clock::now())
}

/// What an agent said last, in `answer.json` beside the record: whole, which its screen seldom is.
#[derive(Debug, Serialize, Deserialize)]
struct Words {
    /// When the hook that told it was called.
    at: Timestamp,
    /// The launch that said it.
    launch: LaunchId,
    text: String,
}

/// Keeps what the agent said at the end of its turn. It can be lost: the screen shows it too.
fn keep_words(world: &World, id: &SessionId, record: &Record, heard: &Heard) {
    let Observation::Activity(fact) = &heard.observation else { return };
    let (Some(text), Some(at), Some(launch)) = (&heard.words, fact.observed_at, &fact.launch)
    else {
        return;
    };
    if record.handles.launch.as_ref() != Some(launch) {
        return;
    }
    let words = Words { at, launch: launch.clone(), text: text.clone() };
    let bytes = serde_json::to_vec(&words).expect("words are JSON");
    let path = words_file(world, id);
    if let Err(error) = fs::replace(&path, &bytes, Durability::Process) {
        tracing::warn!("{}", crate::model::sanitize::chain(&error));
    }
}

fn words_file(world: &World, id: &SessionId) -> PathBuf {
    world.home.session_dir(id).join("answer.json")
}

/// Returns what the agent of `record` said at the end of its last turn; `None` where its own hook
/// did not tell of that end, or what was said.
pub fn last_words(world: &World, id: &SessionId, record: &Record) -> Option<String> {
    let activity = record.lifecycle.activity.as_ref()?;
    let bytes = fs::read_own(&words_file(world, id)).ok()??;
    let words: Words = serde_json::from_slice(&bytes).ok()?;
    let is_of_that_end = activity.source == ActivitySource::Hook
        && words.at == activity.last_activity_at
        && record.handles.launch.as_ref() == Some(&words.launch);
    is_of_that_end.then_some(words.text)
}

/// Returns what is said without the id of a conversation that is held outside of the workspace:
/// it may be a sub-agent's, and is never the one to go on with.
fn about(record: &Record, heard: Heard) -> Observation {
    let Heard { mut observation, directory, words: _ } = heard;
    if let Observation::Activity(fact) = &mut observation
        && fact.agent_session.is_some()
        && fact.agent_session != record.handles.agent_session
        && let (Some(directory), Some(handle)) = (directory, &record.handles.workspace)
    {
        let real = |path: &Path| fs::canonical(path).unwrap_or_else(|_| path.to_owned());
        if !real(&directory).starts_with(real(&handle.path)) {
            fact.agent_session = None;
        }
    }
    observation
}

fn apply(
    locked: &mut LockedSession,
    said: &Observation,
    policy: &Policy,
) -> Result<(), SessionError> {
    invocation::apply_with(locked, said, policy, "hook", None, clock::now())?;
    Ok(())
}

/// Returns the oldest text that may be given to the agent once what it `said` has ended its turn.
fn next_text(
    record: &Record,
    said: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Option<String> {
    let waits = |key: &str, entry: &OutboxEntry| {
        let is_text = entry.kind == EntryKind::Send && !key.ends_with(deliver::TASK);
        is_text && !entry.dead && entry.claim.is_none()
    };
    if !record.outbox.iter().any(|(key, entry)| waits(key, entry)) {
        return None;
    }
    let outcome = decide::reduce(record, said, policy, now).ok()?;
    let after = &outcome.after;
    let is_over = after.lifecycle.activity.as_ref().map(|it| it.state) == Some(ActivityState::Idle);
    if outcome.rule.starts_with("noop.") || !is_over {
        return None;
    }
    let may_go = |key: &str, entry: &OutboxEntry| {
        // What was held for the screen's sake is due: no key is pressed.
        let is_due = entry.attempts == 0 || entry.next_at.is_none_or(|next| next <= now);
        is_due
            && decide::still_holds(after, entry).is_ok()
            && deliver::earlier_text(after, key, entry).is_none()
            && decide::sendable(after, entry, policy) == Sendable::Now
    };
    let ready = after.outbox.iter().filter(|(key, entry)| waits(key, entry) && may_go(key, entry));
    ready.map(|(key, _)| key).min_by_key(|key| deliver::order(key)).cloned()
}

/// Returns how many texts were given by hook since the agent was last at rest.
fn given_in_a_row(world: &World, id: &SessionId) -> usize {
    let Ok(events) = world.home.events(id) else { return 0 };
    let moved = |event: &Event| {
        event.patch.get("lifecycle").is_some_and(|lifecycle| lifecycle.get("session").is_some())
    };
    let of_this_turn = events.iter().rev().take_while(|event| !moved(event));
    let is_given = |event: &&Event| event.reason.as_ref().is_some_and(|it| it.ends_with(BY_HOOK));
    of_this_turn.filter(is_given).count()
}

fn claim(
    locked: &mut LockedSession,
    key: &str,
    now: Timestamp,
) -> Result<OutboxEntry, SessionError> {
    let me = process::current().map_err(SessionError::Proc)?;
    let record = invocation::amend_locked(locked, "hook", |record| {
        if let Some(entry) = record.outbox.get_mut(key) {
            entry.claim = Some(Claim::of(&me, now));
        }
        Ok::<(), SessionError>(())
    })?;
    Ok(record.outbox.get(key).cloned().expect("it was found under the same lock"))
}

/// Records that the agent has the text and works on, or, where it could not be printed, that it
/// waits and the turn is over.
fn settle(
    locked: &mut LockedSession,
    key: &str,
    entry: &OutboxEntry,
    fact: &ActivityFact,
    printed: io::Result<()>,
    policy: &Policy,
) -> Result<(), SessionError> {
    if let Err(error) = printed {
        invocation::amend_locked(locked, "hook", |record| {
            if let Some(entry) = record.outbox.get_mut(key) {
                entry.claim = None;
                entry.last_error = Some(format!("the agent's hook did not take it: {error}"));
            }
            Ok::<(), SessionError>(())
        })?;
        return apply(locked, &Observation::Activity(fact.clone()), policy);
    }
    let before = locked.record().clone();
    if !before.outbox.contains_key(key) {
        return Ok(());
    }
    let now = clock::now();
    let activity = ActivityState::Active;
    let goes_on = ActivityFact { activity, boundary: true, ..fact.clone() };
    let observation = Observation::Activity(goes_on);
    let delivered = decide::delivered(&before, key);
    let outcome = decide::reduce(&delivered, &observation, policy, now)?;
    let after = decide::enqueue(&outcome.after, &outcome.effects, before.revision + 1, now);
    let mut change = invocation::change_of("hook", &outcome, &observation, now);
    change.evidence = Some(outcome.evidence);
    change.reason = Some(format!("delivered {key} {BY_HOOK}"));
    locked.commit(change.with_patch(before.difference(&after)))?;
    if entry.reaction.is_none() {
        let sent = Observation::Sent(Bare::default());
        invocation::apply_with(locked, &sent, policy, "send", None, now)?;
    }
    Ok(())
}
