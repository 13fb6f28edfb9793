//! Effects to adapters: delivers what the outboxes hold.
//!
//! Chooses nothing: whether an entry may go out, and when, is decided in `decide`. An entry is
//! claimed before it is begun, so that two deliverers never work on one, and so that a claim
//! whose owner died tells that the outcome is unknown.

use std::path::Path;
use std::time::Duration;

use crate::adapter::agent;
use crate::adapter::clock::{self, Deadline};
use crate::adapter::cmd::{self, Cmd};
use crate::adapter::notify::{self, Notice};
use crate::adapter::process::{self, Presence};
use crate::adapter::runtime::tmux::Tmux;
use crate::adapter::runtime::tmux_send::{SendOptions, SendOutcome};
use crate::config::Layered;
use crate::decide::{self, Sendable};
use crate::invocation::{self, World};
use crate::model::effect::{Claim, Effect, EntryKind, OutboxEntry, Priority};
use crate::model::facts::{Bare, Observation};
use crate::model::id::{LaunchId, SessionId};
use crate::model::lifecycle::ActivityState;
use crate::model::record::{Mode, Record, RuntimeKind, Signals};
use crate::model::sanitize;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::session::SessionError;
use crate::store::{Change, StoreError, lock};

/// How long a text to the same session is waited for that somebody else is typing.
const SEND_LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an agent may take until it shows that it takes its first prompt.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Lines of the screen that are searched for that sign.
const READY_LINES: u32 = 80;

/// How long a configured command may take.
const RUN_DEADLINE: Duration = Duration::from_secs(60);

/// What became of one outbox entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It arrived, provably.
    Delivered,
    /// It was typed, and nothing shows that it was submitted; it will not be typed again.
    Unconfirmed(String),
    /// It waits: a dialog is open, a turn is under way, a back-off runs.
    Held(String),
    /// It could not be delivered; a later pass tries again, or gives up.
    Failed(String),
    /// It does not hold any more, and is gone.
    Dropped(String),
}

impl Delivery {
    /// Returns the word that stands for it in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "submitted",
            Self::Unconfirmed(_) => "unconfirmed",
            Self::Held(_) => "held",
            Self::Failed(_) => "failed",
            Self::Dropped(_) => "dropped",
        }
    }

    /// Returns why it is not delivered.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::Unconfirmed(why) | Self::Held(why) | Self::Failed(why) | Self::Dropped(why) => {
                Some(why)
            }
        }
    }
}

/// An entry's key and what became of it.
pub type Attempt = (String, Result<Delivery, SessionError>);

/// Delivers what one session's outbox holds and is due; one failure stops nothing else.
pub fn deliver(world: &World, id: &SessionId) -> Result<Vec<Attempt>, SessionError> {
    let record = world.home.load(id)?.record;
    let mut due: Vec<String> =
        record.outbox.iter().filter(|(_, entry)| !entry.dead).map(|(key, _)| key.clone()).collect();
    due.sort_by_key(|key| order(key));
    Ok(due
        .into_iter()
        .map(|key| {
            let result = deliver_entry(world, id, &key);
            (key, result)
        })
        .collect())
}

/// Oldest first: the id begins with the revision that recorded it.
fn order(key: &str) -> (u64, String) {
    let revision = key.split('.').next().and_then(|number| number.parse().ok());
    (revision.unwrap_or(u64::MAX), key.to_owned())
}

/// Delivers one entry, if it may go out now.
pub fn deliver_entry(world: &World, id: &SessionId, key: &str) -> Result<Delivery, SessionError> {
    let record = world.home.load(id)?.record;
    let layered = world.config_of(&record)?;
    let entry = match claim(world, id, key, &layered)? {
        Claimed::Yes(entry) => entry,
        Claimed::No(delivery) => return Ok(delivery),
    };
    crate::adapter::failpoint::pass("deliver.claimed").map_err(SessionError::Proc)?;
    let delivery = match entry.kind {
        EntryKind::Notify => notify_person(world, id, key, &entry, &layered)?,
        EntryKind::Send => type_text(world, id, key, &entry)?,
        EntryKind::Run => run_command(id, &record, &entry),
        EntryKind::Merge => {
            Delivery::Failed("merging needs a source-control adapter, and none is set up".into())
        }
    };
    crate::adapter::failpoint::pass("deliver.done").map_err(SessionError::Proc)?;
    settle(world, id, key, &entry, &delivery)?;
    Ok(delivery)
}

enum Claimed {
    Yes(Box<OutboxEntry>),
    No(Delivery),
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
        return Ok(Claimed::No(Delivery::Dropped("it is not in the outbox any more".into())));
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

/// A claim of a living owner is respected. One of a dead owner has an unknown outcome: a notice
/// goes out again under the same id, a text does not, and a person is told.
fn settle_old_claim(
    locked: &mut crate::store::LockedSession,
    key: &str,
    entry: &OutboxEntry,
    claim: &Claim,
    now: Timestamp,
) -> Result<Claimed, SessionError> {
    if process::presence(&claim.owner()).map_err(SessionError::Proc)? == Presence::Alive {
        return Ok(Claimed::No(Delivery::Held(format!("process {} delivers it", claim.pid))));
    }
    let before = locked.record().clone();
    let mut after = before.clone();
    match entry.kind {
        EntryKind::Notify => {
            let me = process::current().map_err(SessionError::Proc)?;
            let mut entry = entry.clone();
            entry.claim = Some(Claim::of(&me, now));
            after.outbox.insert(key.to_owned(), entry.clone());
            commit(locked, &before, &after, "deliver", None, now)?;
            Ok(Claimed::Yes(Box::new(entry)))
        }
        EntryKind::Send | EntryKind::Run | EntryKind::Merge => {
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
        Delivery::Held(why) => {
            let mut after = before.clone();
            if let Some(entry) = after.outbox.get_mut(key) {
                entry.claim = None;
                entry.last_error = Some(why.clone());
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
    let is_message = entry.kind == EntryKind::Send && entry.reaction.is_none();
    if is_message && *delivery == Delivery::Delivered {
        let sent = Observation::Sent(Bare::default());
        invocation::apply_locked(world, &mut locked, &sent, "send")?;
    }
    Ok(())
}

/// Tells every notifier that is routed this priority and has not got it yet.
fn notify_person(
    world: &World,
    id: &SessionId,
    key: &str,
    entry: &OutboxEntry,
    layered: &Layered,
) -> Result<Delivery, SessionError> {
    let record = world.home.load(id)?.record;
    let priority = entry.priority.unwrap_or(Priority::Info);
    let Some(project) = &record.project else {
        return Ok(Delivery::Dropped("its session belongs to no project".into()));
    };
    let mut failures = Vec::new();
    let mut told = Vec::new();
    for (name, notifier) in &layered.config.notifiers {
        if !notifier.priorities.contains(&priority) || entry.delivered.contains_key(name) {
            continue;
        }
        let notice = Notice {
            id: &format!("{id}.{key}"),
            session: id,
            project,
            status: Status::of(&record.lifecycle),
            priority,
            escalation: entry.escalation,
            reaction: entry.reaction.as_deref().unwrap_or("message"),
            title: record.title.as_deref().unwrap_or_default(),
            message: &entry.message,
            at: entry.created_at,
        };
        match notify::deliver(name, notifier, &notice) {
            Ok(()) => told.push(name.clone()),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    if failures.is_empty() {
        return Ok(Delivery::Delivered);
    }
    let now = clock::now();
    // Those that have it must not get it again when the others are retried.
    invocation::amend(world, id, "deliver", |record| {
        if let Some(entry) = record.outbox.get_mut(key) {
            entry.delivered.extend(told.into_iter().map(|name| (name, now)));
        }
        Ok::<(), SessionError>(())
    })?;
    Ok(Delivery::Failed(failures.join("; ")))
}

/// Types a text into the agent, and waits for the proof that it was submitted.
fn type_text(
    world: &World,
    id: &SessionId,
    key: &str,
    entry: &OutboxEntry,
) -> Result<Delivery, SessionError> {
    let path = world.home.session_dir(id).join("send.lock");
    let _typing = match lock::acquire(&path, SEND_LOCK_TIMEOUT) {
        Ok(typing) => typing,
        Err(error) => return Ok(Delivery::Failed(error.to_string())),
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
        Sendable::Never(why) => return Ok(Delivery::Dropped(why)),
    }
    let (Some(handle), Some(launch)) = (&record.handles.runtime, &record.handles.launch) else {
        return Ok(Delivery::Failed("the session has no runtime".into()));
    };
    if handle.kind == RuntimeKind::Process {
        return Ok(Delivery::Failed("an agent in the process runtime takes no messages".into()));
    }
    let since = clock::now();
    let by_hook = record.signals == Signals::Hooks;
    let mut submitted = || {
        let record = world.home.load(id).ok()?.record;
        let activity = record.lifecycle.activity?;
        let heard = activity.state == ActivityState::Active && activity.last_activity_at >= since;
        heard.then_some(())
    };
    let mut proof =
        |deadline: Deadline| by_hook && clock::poll_until(deadline, &mut submitted).is_some();
    let cards = agent::load_cards(&world.config_directory.join("agents"))?;
    let card = cards.find(&record.agent)?;
    let dialog = |screen: &str| {
        let open = card.terminal.dialog.iter().any(|pattern| pattern.is_match(screen));
        open.then(|| "a dialog is open".to_owned())
    };
    let options = SendOptions {
        submit: true,
        bracketed: record.mode == Mode::Interactive,
        blocked: Some(&dialog),
        proof: &mut proof,
    };
    let tmux = Tmux::new(world.home.root(), &world.config_directory)?;
    if key.ends_with(".prompt")
        && let Some(ready) = &card.prompt.ready
        && !wait_ready(&tmux, id, launch, ready)?
    {
        return Ok(Delivery::Held("the agent is not ready for its prompt".into()));
    }
    let text = sanitize::paste(&entry.message);
    Ok(match tmux.send(id, launch, &text, options) {
        Ok(SendOutcome::Submitted) => Delivery::Delivered,
        Ok(SendOutcome::Unconfirmed { why }) => Delivery::Unconfirmed(why),
        Ok(SendOutcome::Held { why }) => Delivery::Held(why),
        Ok(SendOutcome::Failed { why }) => Delivery::Failed(why),
        Err(error) => Delivery::Failed(chain(&error)),
    })
}

/// Waits for the screen on which the agent takes its first prompt.
fn wait_ready(
    tmux: &Tmux,
    id: &SessionId,
    launch: &LaunchId,
    ready: &regex::Regex,
) -> Result<bool, SessionError> {
    let target = [(id.clone(), launch.clone())];
    let look = || match tmux.capture(&target, READY_LINES, false) {
        Ok(screens) => {
            screens.get(id).is_some_and(|screen| ready.is_match(screen)).then_some(Ok(()))
        }
        Err(error) => Some(Err(error)),
    };
    Ok(clock::poll_until(Deadline::after(READY_DEADLINE), look).transpose()?.is_some())
}

/// Runs the command of a `run` reaction in the workspace.
fn run_command(id: &SessionId, record: &Record, entry: &OutboxEntry) -> Delivery {
    let Some((program, arguments)) = entry.command.split_first() else {
        return Delivery::Dropped("the reaction names no command".into());
    };
    let workspace = record.handles.workspace.as_ref().map(|handle| handle.path.as_path());
    let directory = workspace.filter(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let result = Cmd::new(program)
        .args(arguments)
        .cwd(directory)
        .env("AO_SESSION", id.as_str())
        .env("AO_REACTION", entry.reaction.clone().unwrap_or_default())
        .env("AO_STATUS", Status::of(&record.lifecycle).as_str())
        .deadline(RUN_DEADLINE)
        .output();
    match result {
        Ok(output) if output.success() => Delivery::Delivered,
        Ok(output) => {
            let code = cmd::exit_code(output.status);
            Delivery::Failed(format!("`{program}` exited {code}"))
        }
        Err(error) => Delivery::Failed(chain(&error)),
    }
}

/// Returns an error with its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    sanitize::line(&text)
}
