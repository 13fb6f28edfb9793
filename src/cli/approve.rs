//! `ao approve`, `ao deny`: a person's answer to the dialog that an agent has opened.

use std::io::Write;

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::session::press::{self, Pressed, Wish};

const EXAMPLES: &str = "\
Examples:
  $ ao output app-1                              # what does it ask?
  $ ao approve app-1                             # yes, this once
  $ ao deny app-1                                # no; most agents end their turn then";

/// Say yes to the dialog that an agent has opened
///
/// Presses what the agent's card names for "yes, this once", and only while a dialog is open;
/// then waits until it is gone. Exits 4 where none is open, 5 where that is not sure, 1 where the
/// dialog stays.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ApproveArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Say no to the dialog that an agent has opened
///
/// Presses what the agent's card names for "no", and only while a dialog is open; then waits
/// until it is gone. Exits 4 where none is open, 5 where that is not sure, 1 where the dialog
/// stays.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct DenyArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao approve`.
pub fn approve(
    context: &Context,
    out: &mut dyn Write,
    args: &ApproveArgs,
) -> Result<Exit, CommandError> {
    run(context, out, &args.id, Wish::Approve, args.dry_run)
}

/// Runs `ao deny`.
pub fn deny(context: &Context, out: &mut dyn Write, args: &DenyArgs) -> Result<Exit, CommandError> {
    run(context, out, &args.id, Wish::Deny, args.dry_run)
}

/// Fulfils a wish and says what came of it.
pub(super) fn run(
    context: &Context,
    out: &mut dyn Write,
    name: &str,
    wish: Wish,
    dry_run: bool,
) -> Result<Exit, CommandError> {
    let (verb, done) = match wish {
        Wish::Approve => ("approve", "approved"),
        Wish::Deny => ("deny", "denied"),
        Wish::Interrupt { .. } => ("interrupt", "interrupted"),
    };
    let world = context.world()?;
    let id = context.session(&world, name)?;
    if dry_run {
        let (record, _) = press::require(&world, &id, wish)?;
        let activity = record.lifecycle.activity.map_or("unknown", |it| it.state.as_str());
        let step = (format!("{verb} {id}"), format!("its activity is {activity}"));
        output::plan(out, context.global.json, &[step])?;
        return Ok(Exit::Done);
    }
    let result = match press::press(&world, &id, wish)? {
        Pressed::Done => done,
        Pressed::Needless => {
            context.tell(&format!("{id} is at no turn, so nothing was pressed"));
            "needless"
        }
        Pressed::Unconfirmed(why) => {
            let error = anyhow::anyhow!("{id}: unconfirmed: {why}");
            return Err(CommandError::new(Exit::Internal, error)
                .retryable()
                .hint(format!("look before doing it again: `ao output {id}`")));
        }
    };
    if context.global.json {
        output::json_answer(out, verb, json!({ "id": id, "result": result }))?;
    } else if result == done {
        writeln!(out, "{id} {done}")?;
    }
    Ok(Exit::Done)
}
