//! `ao doctor`: checks tools, machine, configuration, and every record's invariants.

mod machine;
mod state;
mod tools;

use std::io::Write;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::health;

const EXAMPLES: &str = "\
Examples:
  $ ao doctor                          # everything, with what to do about it
  $ ao doctor --state                  # the stored state alone: no tool is asked for its version
  $ ao doctor --state --repair         # put right what can be put right without loss
  $ ao doctor --json | jq '.doctor.checks[] | select(.ok | not)'";

/// Check tools, machine, configuration and every record
///
/// Versions and logins of tmux, git, agents and forges; home, file system, free space, clock, timer
/// and locks; the configuration, what it wants to run, and hook files; every record's invariants,
/// every log, and panes, processes, worktrees and branches of this home that belong to no session.
/// Says what is wrong, what comes of it, and the command that mends it. Exits 1 if anything is
/// wrong; a warning is no failure. `--repair` puts right what can be put right without losing
/// anything, and says what it did; without it, what it would do is printed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Check the stored state only: records, logs, invariants
    #[arg(long)]
    state: bool,
    /// Repair what can be repaired
    #[arg(long)]
    repair: bool,
}

/// Runs `ao doctor`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &DoctorArgs,
) -> Result<Exit, CommandError> {
    let world = if args.repair { context.world()? } else { context.reader()? };
    let mut checks = Vec::new();
    if !args.state {
        tools::look(&world, &mut checks);
        health::configuration(&world, &mut checks);
        machine::look(&world, &mut checks);
    }
    state::look(&world, args.repair, &mut checks)?;
    let sick = checks.iter().any(|check| !check.ok);
    health::write(context, out, "doctor", &checks)?;
    Ok(if sick { Exit::Internal } else { Exit::Done })
}
