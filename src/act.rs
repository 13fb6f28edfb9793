//! Effects to adapters: tells a person, types a text, runs a command.
//!
//! Chooses nothing: whether an entry may go out, and when, is decided in `decide` and enforced by
//! `session::deliver`, which claims it first and records what came of it.

pub mod run;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::adapter::agent::{self, Card};
use crate::adapter::clock::{self, Deadline};
use crate::adapter::notify::{Notice, Notifiers};
use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::process_runtime;
use crate::adapter::runtime::screen::Screen;
use crate::adapter::runtime::tmux::{ComposerKeys, SendOptions, SendOutcome, Tmux};
use crate::config::Config;
use crate::model::effect::OutboxEntry;
use crate::model::id::{LaunchId, SessionId};
use crate::model::notifier::Notifier;
use crate::model::record::{Mode, Signals};
use crate::model::sanitize::{self, chain};

/// Lines of the screen that are searched for the sign that an agent takes its first prompt.
const READY_LINES: u32 = 80;

/// How long an agent that was at rest may take to say that it took a prompt.
const HEARD: Duration = Duration::from_millis(1500);

/// What became of one outbox entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It arrived, provably.
    Delivered,
    /// It was typed, and nothing shows that it was submitted; it will not be typed again.
    Unconfirmed(String),
    /// It waits: a dialog is open, a turn is under way, a back-off runs.
    Held(String),
    /// It waits: a person's draft is in the composer, and would be mixed up with it.
    Draft(String),
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
            Self::Held(_) | Self::Draft(_) => "held",
            Self::Failed(_) => "failed",
            Self::Dropped(_) => "dropped",
        }
    }

    /// Returns why it is not delivered.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::Unconfirmed(why)
            | Self::Held(why)
            | Self::Draft(why)
            | Self::Failed(why)
            | Self::Dropped(why) => Some(why),
        }
    }
}

/// Whom a notice reached, and whom it did not.
#[derive(Debug, Default)]
pub struct Told {
    /// The notifiers that have it.
    pub reached: Vec<String>,
    /// Those that failed, each with its reason.
    pub failed: BTreeMap<String, String>,
    /// Those that were not tried, because they let their time run out too often by now.
    pub skipped: Vec<String>,
    /// How long those that failed ask to be left alone, at most.
    pub wait: Option<Duration>,
}

/// Tells every notifier that is not left out in `entry`, is routed its priority, and has not got
/// it yet.
///
/// What is left of them to be told in place of others is told whatever their priorities: somebody
/// who hears too much is better off than nobody who hears anything.
pub fn tell(
    notifiers: &Notifiers,
    config: &Config,
    entry: &OutboxEntry,
    notice: &Notice<'_>,
) -> Told {
    let mut told = Told::default();
    let open: Vec<_> =
        config.notifiers.iter().filter(|(name, _)| !entry.except.contains(*name)).collect();
    let is_routed = |notifier: &Notifier| notifier.priorities.contains(&notice.priority);
    let nobody = !open.iter().any(|(_, notifier)| is_routed(notifier));
    let anybody = nobody && !entry.except.is_empty();
    for (name, notifier) in open {
        if entry.delivered.contains_key(name) || !(anybody || is_routed(notifier)) {
            continue;
        }
        if notifiers.is_silent(name) {
            told.skipped.push(name.clone());
            continue;
        }
        match notifiers.deliver(name, notifier, notice) {
            Ok(()) => told.reached.push(name.clone()),
            Err(error) => {
                told.wait = told.wait.max(error.wait());
                told.failed.insert(name.clone(), chain(&error));
            }
        }
    }
    told
}

/// A text for the agent of one launch.
#[derive(Clone, Copy, Debug)]
pub struct Typing<'a> {
    /// The session.
    pub session: &'a SessionId,
    /// The launch it is meant for.
    pub launch: &'a LaunchId,
    /// The agent's card.
    pub card: &'a Card,
    /// Whether the agent stays, and so reads whole texts.
    pub mode: Mode,
    /// How the agent tells of itself.
    pub signals: Signals,
    /// The text.
    pub text: &'a str,
    /// A person's draft is cleared first.
    pub force: bool,
    /// The agent is in the middle of a turn, and may never say that it took this text.
    pub joins: bool,
    /// For the agent's task, which it takes only once it has started: how long that may take.
    pub ready_within: Option<Duration>,
}

/// Types a text into the agent, and waits for the proof that it was submitted.
///
/// `proof` waits until the deadline for a sign other than the screen.
pub fn type_text(
    tmux: &Tmux,
    typing: &Typing<'_>,
    proof: &mut dyn FnMut(Deadline) -> bool,
) -> Delivery {
    if let Some(limit) = typing.ready_within {
        match wait_ready(tmux, typing, limit) {
            Ok(true) => {}
            Ok(false) => return Delivery::Held("the agent is not ready for its prompt".into()),
            Err(error) => return Delivery::Failed(chain(&error)),
        }
    }
    let card = typing.card;
    let read = |screen: &Screen| agent::reading(card, screen);
    let keys = &card.keys;
    let keys = ComposerKeys {
        submit: keys.submit.clone(),
        clear: keys.clear.clone(),
        insert: keys.insert.clone(),
        close: keys.close.clone(),
    };
    let options = SendOptions {
        bracketed: typing.mode == Mode::Interactive,
        force: typing.force,
        lines: typing.signals != Signals::Hooks && card.terminal.composer.is_none(),
        read: Some(&read),
        heard_within: if typing.joins { Duration::ZERO } else { HEARD },
        keys,
        ..SendOptions::new(proof)
    };
    let text = sanitize::paste(typing.text);
    outcome(tmux.send(typing.session, typing.launch, &text, options))
}

/// Writes a text to the standard input of an agent without a terminal.
pub fn write_text(session_dir: &Path, text: &str) -> Delivery {
    outcome(process_runtime::send(session_dir, &sanitize::paste(text)))
}

fn outcome(sent: Result<SendOutcome, RuntimeError>) -> Delivery {
    match sent {
        Ok(SendOutcome::Submitted) => Delivery::Delivered,
        Ok(SendOutcome::Unconfirmed { why }) => Delivery::Unconfirmed(why),
        Ok(SendOutcome::Held { why }) => Delivery::Held(why),
        Ok(SendOutcome::Draft { why }) => Delivery::Draft(why),
        Ok(SendOutcome::Failed { why }) => Delivery::Failed(why),
        Err(error) => Delivery::Failed(chain(&error)),
    }
}

/// Waits for the screen on which the agent takes its first prompt; its card may name none.
fn wait_ready(tmux: &Tmux, typing: &Typing<'_>, limit: Duration) -> Result<bool, RuntimeError> {
    let Some(ready) = &typing.card.prompt.ready else { return Ok(true) };
    let target = [(typing.session.clone(), typing.launch.clone())];
    let look = || match tmux.capture(&target, READY_LINES, false) {
        Ok(screens) => {
            let screen = screens.get(typing.session);
            screen.is_some_and(|screen| ready.is_match(screen)).then_some(Ok(()))
        }
        Err(error) => Some(Err(error)),
    };
    Ok(clock::poll_until(Deadline::after(limit), look).transpose()?.is_some())
}
