//! `ao interrupt`: presses what a person would press to stop a turn.

use std::io::Write;

use crate::cli::approve;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::session::press::Wish;

/// Interrupt an agent's turn, with the key its card names
///
/// Waits until the turn is over, by the agent's own word or by its screen; exits 1 where nothing
/// shows it. An agent that is at no turn is left alone. Where a dialog is open the key would
/// answer it, so that is refused (exit 5): `ao deny` says no, --force presses the key.
#[derive(Debug, clap::Args)]
pub struct InterruptArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// Press the key whatever the agent is at
    #[arg(long)]
    force: bool,
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
    approve::run(context, out, &args.id, Wish::Interrupt { force: args.force }, args.dry_run)
}
