//! `ao interrupt`: presses what a person would press to stop a turn.

use std::io::Write;

use serde_json::json;

use crate::adapter::agent;
use crate::adapter::runtime::tmux::Tmux;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::model::record::RuntimeKind;
use crate::model::status::Status;
use crate::session::SessionError;

/// Interrupt an agent's turn, with the key its card names
#[derive(Debug, clap::Args)]
pub struct InterruptArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao interrupt`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &InterruptArgs,
) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let id = context.session(&world, &args.id)?;
    let record = world.home.load(&id)?.record;
    let (Some(handle), Some(launch)) = (&record.handles.runtime, &record.handles.launch) else {
        return Err(SessionError::WrongState {
            id,
            status: Status::of(&record.lifecycle),
            why: "it has no runtime",
        }
        .into());
    };
    if record.lifecycle.is_terminal() {
        return Err(SessionError::WrongState {
            id,
            status: Status::of(&record.lifecycle),
            why: "there is nothing to interrupt",
        }
        .into());
    }
    if args.dry_run {
        let step = (format!("interrupt {id}"), format!("it lives in {}", handle.kind));
        output::plan(out, context.global.json, &[step])?;
        return Ok(Exit::Done);
    }
    match handle.kind {
        RuntimeKind::Tmux => {
            let cards = agent::load_cards(&world.config_directory.join("agents"))?;
            let keys = cards.find(&record.agent)?.keys.interrupt.clone();
            Tmux::new(world.home.root(), &world.config_directory)?.interrupt(&id, launch, &keys)?;
        }
        RuntimeKind::Process => {
            crate::adapter::process::interrupt_marked(launch)?;
        }
    }
    if context.global.json {
        output::json_answer(out, "interrupt", json!({ "id": id }))?;
    } else {
        writeln!(out, "{id} interrupted")?;
    }
    Ok(Exit::Done)
}
