//! `ao demo`, and the agent that plays in it.

use std::io::Write;

use crate::cli::Code;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::demo::agent::{self, DemoAgentArgs};
use crate::demo::show::{self, ShowError};

/// The exit code of what SIGINT ended.
const INTERRUPTED: u8 = 128 + 2;

/// Show the whole loop in a throw-away home and repository
///
/// Five scripted agents work, ask, open a dialog, crash, are killed and repair what a check found;
/// the timeline of their event logs is printed as it happens, and everything is checked and removed
/// at the end. Needs no account and no network, and touches nothing of yours. Exits 0 only if
/// every expectation held.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Keep the temporary directory, and say where it is
    #[arg(long)]
    keep: bool,
}

/// Runs `ao demo`.
pub fn run(context: &Context, out: &mut dyn Write, args: &DemoArgs) -> Result<Code, CommandError> {
    match show::play(out, context.global.json, args.keep) {
        Ok(()) => Ok(Exit::Done.into()),
        Err(ShowError::Interrupted) => Ok(Code::Program(INTERRUPTED)),
        Err(ShowError::Io(error)) => Err(error.into()),
        Err(error @ (ShowError::Disappointed { .. } | ShowError::Stage { .. })) => {
            let error = anyhow::Error::new(error).context("the demo failed");
            Err(CommandError::new(Exit::Internal, error))
        }
    }
}

/// Runs `ao demo-agent`.
pub fn run_agent(args: &DemoAgentArgs) -> Code {
    Code::Program(u8::try_from(agent::run(args)).unwrap_or(1))
}
