//! Press: what a person would press, an answer to a dialog or the end of a turn, with proof.
//!
//! A key is pressed only where it means what is wished: an answer needs a dialog that is really
//! open, and an interrupt a turn that is under way. Many agents say nothing of either, so what
//! came of it is read from the screen and recorded as a signal of the terminal.

use std::time::Duration;

use crate::adapter::agent::{self, Card, CardError};
use crate::adapter::clock::{self, Deadline};
use crate::adapter::process;
use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::screen::{Composer, Screen};
use crate::adapter::runtime::tmux::Tmux;
use crate::invocation::{self, World};
use crate::model::facts::{ActivityFact, Confidence, Observation};
use crate::model::id::{LaunchId, SessionId};
use crate::model::lifecycle::{ActivitySource, ActivityState};
use crate::model::record::{Record, RuntimeKind, Signals};
use crate::model::status::Status;
use crate::session::{SessionError, deliver};
use crate::store::{StoreError, lock};

/// How long somebody else's text or key is waited for.
const TURN: Duration = Duration::from_secs(30);
/// How long after its hook an agent may take to draw its dialog.
const DRAWN: Duration = Duration::from_secs(2);
/// How long an agent may take to close a dialog.
const CLOSED: Duration = Duration::from_secs(5);
/// How long an agent may take to stop.
const STOPPED: Duration = Duration::from_secs(10);
/// How long an agent that tells nothing may take to end.
const ENDED: Duration = Duration::from_secs(5);
/// How many lines of a prompt that was put back are cleared at the most.
const MOST_CLEARS: usize = 40;
/// Between two looks at a screen.
const BETWEEN: Duration = Duration::from_millis(150);

/// What is wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Say yes to the dialog that is open.
    Approve,
    /// Say no to it.
    Deny,
    /// End the turn; with `force`, whatever the agent is at.
    Interrupt {
        /// Press the key even where it may mean something else.
        force: bool,
    },
}

impl Wish {
    fn keys(self, card: &Card) -> Result<&[String], CardError> {
        let (keys, what) = match self {
            Self::Approve => (&card.keys.approve, "known key that approves (`keys.approve`)"),
            Self::Deny => (&card.keys.deny, "known key that denies (`keys.deny`)"),
            Self::Interrupt { .. } => (&card.keys.interrupt, "known key that interrupts"),
        };
        if keys.is_empty() {
            let agent = card.name().to_owned();
            return Err(CardError::Unsupported { agent, what: what.to_owned() });
        }
        Ok(keys)
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// The dialog is gone, or the turn is over.
    Done,
    /// The agent was at no turn, so no key was pressed.
    Needless,
    /// The key was pressed, and nothing shows what came of it.
    Unconfirmed(&'static str),
}

/// Checks that the wish makes sense for the session as it is recorded, and returns that and its
/// agent's card; presses nothing.
pub fn require(world: &World, id: &SessionId, wish: Wish) -> Result<(Record, Card), SessionError> {
    let record = world.home.load(id)?.record;
    let why = match (&record.handles.runtime, wish) {
        _ if record.lifecycle.is_terminal() => {
            Some("it has ended, and there is no agent to press a key for")
        }
        (None, Wish::Approve | Wish::Deny | Wish::Interrupt { .. }) => Some("it has no runtime"),
        (Some(handle), Wish::Approve | Wish::Deny) if handle.kind == RuntimeKind::Process => {
            Some("it has no terminal, so no dialog can be open")
        }
        (Some(_), Wish::Approve | Wish::Deny | Wish::Interrupt { .. }) => None,
    };
    if let Some(why) = why {
        let status = Status::of(&record.lifecycle);
        return Err(SessionError::WrongState { id: id.clone(), status, why });
    }
    let card = agent::load_card(&world.config_directory.join("agents"), &record.agent)?;
    wish.keys(&card)?;
    Ok((record, card))
}

/// Presses what is wished, and waits for what shows that it had its effect.
pub fn press(world: &World, id: &SessionId, wish: Wish) -> Result<Pressed, SessionError> {
    let (mut record, card) = require(world, id, wish)?;
    let handles = record.handles.clone();
    let (Some(handle), Some(launch)) = (&handles.runtime, &handles.launch) else {
        let (id, status) = (id.clone(), Status::of(&record.lifecycle));
        return Err(SessionError::WrongState { id, status, why: "it has no runtime" });
    };
    // No text and no other key may come between the look and the press.
    let lock = lock::acquire(&deliver::send_lock(world, id), TURN);
    let _pressing = lock.map_err(|error| SessionError::Store(StoreError::Locked(error)))?;
    let tmux = Tmux::new(world.home.root(), &world.config_directory)?;
    let pane = Pane { world, id, launch, card: &card, tmux };
    if handle.kind == RuntimeKind::Process {
        process::interrupt_marked(launch).map_err(SessionError::Proc)?;
        return pane.stopped(&record, false);
    }
    let before = std::mem::replace(&mut record, pane.record()?);
    match wish {
        Wish::Approve | Wish::Deny => {
            // Who held the lock may have answered the dialog that is meant; the next is another.
            if activity(&before) == Some(ActivityState::Blocked) && has_moved_on(&before, &record) {
                let why = "the dialog that was to be answered is gone";
                return Err(pane.left_alone(why, format!("`ao status {id}` says what it does")));
            }
            pane.require_dialog(&record)?;
        }
        Wish::Interrupt { force: true } => {}
        Wish::Interrupt { force: false } if pane.is_at_rest(&record)? => {
            return Ok(Pressed::Needless);
        }
        Wish::Interrupt { force: false } => {}
    }
    let may_put_back = matches!(wish, Wish::Interrupt { .. }) && !pane.has_draft()?;
    pane.tmux.keys(id, launch, wish.keys(&card)?)?;
    match wish {
        Wish::Approve | Wish::Deny => pane.answered(&record, wish),
        Wish::Interrupt { .. } => {
            let pressed = pane.stopped(&record, true)?;
            if pressed == Pressed::Done && may_put_back {
                pane.clear_put_back()?;
            }
            Ok(pressed)
        }
    }
}

/// The terminal of one launch.
struct Pane<'a> {
    world: &'a World,
    id: &'a SessionId,
    launch: &'a LaunchId,
    card: &'a Card,
    tmux: Tmux,
}

impl Pane<'_> {
    fn screen(&self, wait: Duration) -> Result<Screen, RuntimeError> {
        self.tmux.screen(self.id, self.launch, wait)
    }

    fn record(&self) -> Result<Record, SessionError> {
        Ok(self.world.home.load(self.id)?.record)
    }

    fn left_alone(&self, why: &'static str, hint: String) -> SessionError {
        SessionError::Unsafe { id: self.id.clone(), why, hint }
    }

    /// Checks that a dialog is really open.
    fn require_dialog(&self, record: &Record) -> Result<(), SessionError> {
        let is_blocked = activity(record) == Some(ActivityState::Blocked);
        let none = || SessionError::WrongState {
            id: self.id.clone(),
            status: Status::of(&record.lifecycle),
            why: "no dialog is open, so there is nothing to answer",
        };
        if self.card.terminal.dialog.is_empty() {
            return if is_blocked { Ok(()) } else { Err(none()) };
        }
        let limit = if is_blocked { DRAWN } else { Duration::ZERO };
        let mut wait = Duration::ZERO;
        let shown = clock::poll_until(Deadline::after(limit), || {
            let screen = self.screen(std::mem::replace(&mut wait, BETWEEN));
            match screen {
                Ok(screen) => agent::has_dialog(self.card, &screen).then_some(Ok(())),
                Err(error) => Some(Err(error)),
            }
        });
        match shown {
            Some(result) => Ok(result?),
            None if is_blocked => {
                let why = "its record says that a dialog is open, and its screen shows none";
                Err(self.left_alone(why, format!("look yourself: `ao attach {}`", self.id)))
            }
            None => Err(none()),
        }
    }

    /// Returns whether the agent is at no turn; a dialog that is open is an error.
    fn is_at_rest(&self, record: &Record) -> Result<bool, SessionError> {
        let shown = agent::activity_shown(self.card, &self.screen(Duration::ZERO)?);
        let told = activity(record);
        if [told, shown].contains(&Some(ActivityState::Blocked)) {
            let why = "a dialog is open, and the key would answer it";
            let hint = format!("`ao deny {}` says no to it; --force presses the key", self.id);
            return Err(self.left_alone(why, hint));
        }
        Ok(told.is_some_and(is_over) && shown != Some(ActivityState::Active))
    }

    /// Waits until the dialog is gone, and records what the agent does then unless it says so
    /// itself.
    fn answered(&self, before: &Record, wish: Wish) -> Result<Pressed, SessionError> {
        let deadline = Deadline::after(CLOSED);
        loop {
            if has_moved_on(before, &self.record()?) {
                return Ok(Pressed::Done);
            }
            match self.screen(BETWEEN) {
                Ok(screen) if self.is_gone(&screen) => break,
                Ok(_) => {}
                // It ended by that; the launcher says how.
                Err(RuntimeError::NotThisLaunch { .. }) => return Ok(Pressed::Done),
                Err(error) => return Err(error.into()),
            }
            if deadline.passed() {
                return Ok(Pressed::Unconfirmed("the dialog is still there"));
            }
        }
        let next = match wish {
            Wish::Approve | Wish::Interrupt { .. } => ActivityState::Active,
            Wish::Deny => self.after_a_no()?,
        };
        self.tell(before, next)?;
        Ok(Pressed::Done)
    }

    /// A card that does not say what a dialog looks like leaves it to the hooks.
    fn is_gone(&self, screen: &Screen) -> bool {
        !self.card.terminal.dialog.is_empty() && !agent::has_dialog(self.card, screen)
    }

    /// Returns what the agent does after a no: most end their turn, some go on without the tool.
    fn after_a_no(&self) -> Result<ActivityState, SessionError> {
        let mut resting = 0;
        for _ in 0..8 {
            let screen = match self.screen(BETWEEN) {
                Err(RuntimeError::NotThisLaunch { .. }) => break,
                screen => screen?,
            };
            let shown = agent::activity_shown(self.card, &screen);
            let composer = agent::reading(self.card, &screen).composer;
            let is_free = matches!(composer, Some(Composer::Empty | Composer::Filled(_)));
            let rests = shown.is_some_and(is_over) || (shown.is_none() && is_free);
            resting = if rests { resting + 1 } else { 0 };
            if resting == 3 {
                return Ok(ActivityState::Idle);
            }
        }
        Ok(ActivityState::Active)
    }

    /// Waits until the turn is over, and records it unless the agent says so itself.
    fn stopped(&self, before: &Record, in_tmux: bool) -> Result<Pressed, SessionError> {
        let by_screen = in_tmux && !self.card.terminal.idle.is_empty();
        let by_hook = before.signals == Signals::Hooks;
        let limit = if by_screen || by_hook { STOPPED } else { ENDED };
        let deadline = Deadline::after(limit);
        let mut resting = 0;
        loop {
            let record = self.record()?;
            if has_stopped(before, &record) {
                return Ok(Pressed::Done);
            }
            if by_screen {
                let shown = match self.screen(BETWEEN) {
                    Ok(screen) => agent::activity_shown(self.card, &screen),
                    Err(RuntimeError::NotThisLaunch { .. }) => None,
                    Err(error) => return Err(error.into()),
                };
                // A composer alone proves nothing: some are there while the agent works.
                let has_ended = shown.is_some_and(is_over) && shown != Some(ActivityState::Ready);
                resting = if has_ended { resting + 1 } else { 0 };
                if resting == 2 {
                    self.tell(before, ActivityState::Idle)?;
                    return Ok(Pressed::Done);
                }
            } else {
                clock::pause(BETWEEN);
            }
            if deadline.passed() {
                return Ok(Pressed::Unconfirmed("nothing shows that the turn is over"));
            }
        }
    }

    fn has_draft(&self) -> Result<bool, SessionError> {
        let screen = self.screen(Duration::ZERO)?;
        let composer = agent::reading(self.card, &screen).composer;
        Ok(matches!(composer, Some(Composer::Filled(_))))
    }

    /// Clears what the agent itself has put back into an empty composer: some do that with a
    /// prompt they had not begun to answer, and it would pass for a person's draft.
    fn clear_put_back(&self) -> Result<(), SessionError> {
        if self.card.keys.clear.is_empty() {
            return Ok(());
        }
        for _ in 0..MOST_CLEARS {
            match self.has_draft() {
                Ok(true) => self.tmux.keys(self.id, self.launch, &self.card.keys.clear)?,
                Ok(false) => break,
                Err(SessionError::Runtime(RuntimeError::NotThisLaunch { .. })) => break,
                Err(error) => return Err(error),
            }
            clock::pause(BETWEEN);
        }
        Ok(())
    }

    /// Records what the screen shows, unless the agent has said something itself meanwhile.
    fn tell(&self, before: &Record, next: ActivityState) -> Result<(), SessionError> {
        let world = self.world;
        let mut locked = world.home.lock_session(self.id, world.lock_timeout)?;
        let record = locked.record();
        if record.lifecycle.is_terminal() || has_moved_on(before, record) {
            return Ok(());
        }
        let fact = ActivityFact {
            observed_at: None,
            confidence: Confidence::Valid,
            activity: next,
            source: ActivitySource::Terminal,
            launch: Some(self.launch.clone()),
            agent_session: None,
            boundary: true,
            tool: None,
            report: None,
        };
        invocation::apply_locked(world, &mut locked, &Observation::Activity(fact), "press")?;
        Ok(())
    }
}

fn activity(record: &Record) -> Option<ActivityState> {
    record.lifecycle.activity.as_ref().map(|activity| activity.state)
}

fn is_over(activity: ActivityState) -> bool {
    match activity {
        ActivityState::Idle | ActivityState::Ready | ActivityState::WaitingInput => true,
        ActivityState::Active | ActivityState::Blocked | ActivityState::Exited => false,
    }
}

/// Returns whether the agent is at something else than before, or at another dialog.
fn has_moved_on(before: &Record, after: &Record) -> bool {
    let key = |record: &Record| {
        let activity = record.lifecycle.activity.as_ref();
        activity.map(|activity| (activity.state, activity.tool.clone()))
    };
    after.lifecycle.is_terminal()
        || after.handles.launch != before.handles.launch
        || key(before) != key(after)
}

/// Returns whether the agent, or its end, has said since `before` that the turn is over.
fn has_stopped(before: &Record, after: &Record) -> bool {
    let is_other = after.handles.launch != before.handles.launch;
    let is_newer = after.lifecycle.activity != before.lifecycle.activity;
    after.lifecycle.is_terminal() || is_other || (is_newer && activity(after).is_some_and(is_over))
}
