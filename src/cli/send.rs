//! `ao send`: a text to an agent, proved to have arrived.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::act::Delivery;
use crate::adapter::agent;
use crate::adapter::clock::{self, Deadline};
use crate::adapter::runtime::screen::Screen;
use crate::adapter::runtime::tmux::Tmux;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{dry_run, output, wait};
use crate::decide::{self, Sendable};
use crate::invocation::World;
use crate::model::effect::{EntryKind, OutboxEntry, SendWhen};
use crate::model::id::SessionId;
use crate::model::lifecycle::ActivityState;
use crate::model::status::Status;
use crate::session::answer::last_words;
use crate::session::send::{self, Message, Sent, When};
use crate::store::{Loaded, StoreError};

/// Lines of the screen in which `--wait` looks for the answer.
const ANSWER_LINES: u32 = 400;

/// How long an agent may take to draw that its turn is over.
const DRAWN: Duration = Duration::from_secs(2);

/// Between two looks at its screen.
const BETWEEN: Duration = Duration::from_millis(100);

/// Lines that are printed where the answer cannot be told from the rest.
const SCREEN_LINES: usize = 50;

const EXAMPLES: &str = "\
Examples:
  $ ao send app-1 'use port 8080'
  $ ao send app-1 - < review.md                  # a long text, from standard input
  $ ao send app-1 'run the tests' --wait         # until the end of that very turn";

/// Send a message to an agent and prove that it arrived
///
/// Exits 0 only where the agent submitted it, or where it is queued to the end of a busy agent's
/// turn. A session with an open dialog is never typed into, and one whose composer holds a draft
/// only with --force (exit 5). `-` reads standard input.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct SendArgs {
    /// The session (or sessions), then the message; `-` reads it from standard input
    #[arg(required = true, num_args = 1.., value_name = "ID… MESSAGE")]
    words: Vec<String>,
    /// To every session that has not ended
    #[arg(long)]
    all: bool,
    /// To a busy agent at once instead of at the end of its turn
    #[arg(long, conflicts_with = "queue")]
    now: bool,
    /// Record it only; the next reap delivers it
    #[arg(long)]
    queue: bool,
    /// Clear a draft that somebody has typed first
    #[arg(long, conflicts_with = "queue")]
    force: bool,
    /// Wait for the end of that very turn and print the agent's answer
    #[arg(long, conflicts_with = "queue")]
    wait: bool,
    /// How long --wait waits
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "wait")]
    timeout: Option<Duration>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao send`.
pub fn run(context: &Context, out: &mut dyn Write, args: &SendArgs) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let (message, names) = args.words.split_last().expect("clap requires one word");
    let ids = targets(context, &world, args, names)?;
    let bytes = if message == "-" { context.read_stdin()? } else { message.clone().into_bytes() };
    let text = String::from_utf8(bytes).map_err(|_| {
        CommandError::new(Exit::Invalid, anyhow::anyhow!("the message is not UTF-8"))
    })?;
    if text.trim().is_empty() {
        return Err(CommandError::new(Exit::Invalid, anyhow::anyhow!("the message is empty")));
    }
    if text.contains('\0') {
        let error = anyhow::anyhow!("the message contains a NUL byte");
        return Err(CommandError::new(Exit::Invalid, error));
    }
    let when = match (args.now, args.queue) {
        (true, _) => When::Now,
        (false, true) => When::Queue,
        (false, false) => When::AsConfigured,
    };
    if args.dry_run {
        return dry_run::answer(context, out, &ids, |id| step(&world, id, when));
    }
    let from = context.env.text("AO_SESSION").and_then(|id| id.parse().ok());
    let message = Message { text, when, force: args.force, from };
    if let [id] = ids.as_slice() {
        return one(context, out, args, &world, id, &message);
    }
    broadcast(context, out, &world, &ids, &message)
}

/// Returns what a send would do with the session as it is.
fn step(world: &World, id: &SessionId, when: When) -> Result<(String, String), CommandError> {
    let Loaded { record, archived, .. } = world.home.load(id)?;
    if archived {
        return Err(StoreError::Archived { id: id.clone() }.into());
    }
    send::require_possible(id, &record)?;
    let layered = world.config_of(&record)?;
    let entry = OutboxEntry {
        when: (when == When::Now).then_some(SendWhen::Now),
        ..OutboxEntry::new(EntryKind::Send, clock::now())
    };
    let status = Status::of(&record.lifecycle);
    let sendable = decide::sendable(&record, &entry, &layered.config.policy);
    Ok(match (sendable, when == When::Queue) {
        (Sendable::Wait(why), _) => (format!("queue it for {id}"), why),
        (Sendable::Now | Sendable::Hold(_) | Sendable::Never(_), true) => {
            (format!("record it for {id}"), "the next reap delivers it".to_owned())
        }
        (Sendable::Now, false) => (format!("type it into {id}"), status.to_string()),
        (Sendable::Hold(why) | Sendable::Never(why), false) => {
            let delivery = Some(Delivery::Held(why));
            let sent = Sent { key: String::new(), revision: 0, was_busy: false, delivery };
            return Err(failure(id, &sent, exit_of(&sent)));
        }
    })
}

fn targets(
    context: &Context,
    world: &World,
    args: &SendArgs,
    names: &[String],
) -> Result<Vec<SessionId>, CommandError> {
    if args.all {
        if !names.is_empty() {
            return Err(CommandError::new(
                Exit::Invalid,
                anyhow::anyhow!("--all and session names exclude each other"),
            ));
        }
        let mut ids = Vec::new();
        for id in world.home.session_ids()? {
            if world.home.load(&id).is_ok_and(|loaded| !loaded.record.lifecycle.is_terminal()) {
                ids.push(id);
            }
        }
        return Ok(ids);
    }
    if names.is_empty() {
        return Err(CommandError::new(
            Exit::Invalid,
            anyhow::anyhow!("a session and a message are needed"),
        )
        .hint("ao send ID MESSAGE".to_owned()));
    }
    names.iter().map(|name| context.session(world, name)).collect()
}

fn one(
    context: &Context,
    out: &mut dyn Write,
    args: &SendArgs,
    world: &World,
    id: &SessionId,
    message: &Message,
) -> Result<Exit, CommandError> {
    let sent = send::send(world, id, message)?;
    let exit = exit_of(&sent);
    if exit != Exit::Done {
        return Err(failure(id, &sent, exit));
    }
    if args.wait {
        let fence = wait::Fence::Text {
            key: &sent.key,
            since: sent.revision,
            joins: sent.was_busy && message.when == When::Now,
        };
        let exit = wait::for_text(world, id, fence, args.timeout)?;
        let answer = answer(world, id, &message.text, exit != Exit::Timeout);
        if context.global.json {
            let value = json!({ "id": id, "delivery": word(&sent), "since": sent.revision,
                "outcome": exit.kind(), "answer": answer });
            output::json_answer(out, "send", value)?;
        } else if let Some(answer) = answer {
            writeln!(out, "{}", answer.trim_end())?;
        }
        return Ok(exit);
    }
    if context.global.json {
        output::json_answer(out, "send", value(id, &sent))?;
    } else {
        writeln!(out, "{id} {}", word(&sent))?;
    }
    Ok(Exit::Done)
}

fn broadcast(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    ids: &[SessionId],
    message: &Message,
) -> Result<Exit, CommandError> {
    let mut sends: Vec<Value> = Vec::new();
    let mut failed: Vec<Value> = Vec::new();
    let mut worst = Exit::Done;
    for id in ids {
        let result = send::send(world, id, message).map_err(CommandError::from);
        let result = result.and_then(|sent| {
            let exit = exit_of(&sent);
            if exit == Exit::Done { Ok(sent) } else { Err(failure(id, &sent, exit)) }
        });
        match result {
            Ok(sent) => {
                if !context.global.json {
                    writeln!(out, "{id} {}", word(&sent))?;
                }
                sends.push(value(id, &sent));
            }
            Err(error) => {
                worst = error.exit;
                let why = error.one_line();
                let own = format!("{id}: ");
                context.tell(&format!("{own}{}", why.strip_prefix(&own).unwrap_or(&why)));
                failed.push(json!({ "id": id, "error": error.to_json() }));
            }
        }
    }
    if context.global.json {
        let mut answer = json!({ "schema": output::SCHEMA, "sends": sends });
        if !failed.is_empty() {
            answer["failed"] = Value::Array(failed);
        }
        output::json(out, &answer)?;
    }
    Ok(worst)
}

fn word(sent: &Sent) -> &'static str {
    sent.delivery.as_ref().map_or("queued", Delivery::as_str)
}

fn value(id: &SessionId, sent: &Sent) -> Value {
    let mut value = json!({ "id": id, "delivery": word(sent), "since": sent.revision });
    if let Some(why) = sent.delivery.as_ref().and_then(Delivery::why) {
        value["why"] = json!(why);
    }
    value
}

fn exit_of(sent: &Sent) -> Exit {
    match &sent.delivery {
        None | Some(Delivery::Delivered) => Exit::Done,
        Some(Delivery::Held(_) | Delivery::Draft(_)) => Exit::Refused,
        Some(Delivery::Unconfirmed(_) | Delivery::Failed(_) | Delivery::Dropped(_)) => {
            Exit::Internal
        }
    }
}

fn failure(id: &SessionId, sent: &Sent, exit: Exit) -> CommandError {
    let why = sent.delivery.as_ref().and_then(Delivery::why).unwrap_or_default();
    let error = CommandError::new(exit, anyhow::anyhow!("{id}: {}: {why}", word(sent)));
    match &sent.delivery {
        Some(Delivery::Held(why)) if why.contains("dialog") => error.hint(format!(
            "answer it (`ao approve {id}`, `ao deny {id}`), or record the message with --queue"
        )),
        Some(Delivery::Held(_)) => error.hint(format!(
            "`ao status {id}` shows what it does; --queue records the message until it may go out"
        )),
        Some(Delivery::Draft(_)) => error.hint(format!(
            "look first (`ao attach {id}`): --force clears the draft, --queue records the message"
        )),
        Some(Delivery::Unconfirmed(_)) => {
            error.retryable().hint(format!("look before sending again: `ao output {id}`"))
        }
        Some(Delivery::Delivered | Delivery::Failed(_) | Delivery::Dropped(_)) | None => error,
    }
}

/// Returns what the agent's screen shows after the question; where that cannot be told, its last
/// lines.
///
/// An agent whose turn is over calls its hook before it has drawn that.
fn answer(world: &World, id: &SessionId, question: &str, is_over: bool) -> Option<String> {
    let record = world.home.load(id).ok()?.record;
    if let Some(words) = last_words(world, id, &record).filter(|_| is_over) {
        return Some(words);
    }
    let launch = record.handles.launch?;
    let tmux = Tmux::new(world.home.root(), &world.config_directory).ok()?;
    let card = agent::load_card(&world.config_directory.join("agents"), &record.agent).ok();
    let is_drawn = |screen: &Screen| {
        let shown = card.as_ref().and_then(|card| agent::activity_shown(card, screen));
        shown != Some(ActivityState::Active)
    };
    let limit = if is_over { DRAWN } else { Duration::ZERO };
    clock::poll_until(Deadline::after(limit), || match tmux.screen(id, &launch, BETWEEN) {
        Ok(screen) => is_drawn(&screen).then_some(()),
        Err(_) => Some(()),
    });
    let mut screens = tmux.capture(&[(id.clone(), launch)], ANSWER_LINES, false).ok()?;
    let screen = screens.remove(id)?;
    let told = card.and_then(|card| agent::answer(&card, &screen, question).map(str::to_owned));
    told.or_else(|| {
        let lines: Vec<&str> = screen.lines().collect();
        Some(lines[lines.len().saturating_sub(SCREEN_LINES)..].join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_is_spoken_of_where_there_is_one() {
        let hint = |why: &str| {
            let delivery = Some(Delivery::Held(why.to_owned()));
            let sent = Sent { key: "1.message".into(), revision: 1, was_busy: false, delivery };
            failure(&"app-1".parse().unwrap(), &sent, Exit::Refused).hint.unwrap()
        };
        assert!(hint("a dialog is open").contains("ao approve app-1"));
        let unsure = hint("it is not sure that the agent lives");
        assert!(!unsure.contains("approve") && unsure.contains("ao status app-1"), "{unsure}");
    }
}
