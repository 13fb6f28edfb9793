//! `ao demo`.

use std::io::Write;

use crate::cli::Code;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::demo::agent::{self, DemoAgentArgs};

/// Show the whole loop
#[derive(Debug, clap::Args)]
pub struct DemoArgs {}

/// Runs `ao demo`.
pub fn run(_: &Context, _: &mut dyn Write, _: &DemoArgs) -> Result<Exit, CommandError> {
    Ok(Exit::Done)
}

/// Runs `ao demo-agent`.
pub fn run_agent(args: &DemoAgentArgs) -> Code {
    Code::Program(u8::try_from(agent::run(args)).unwrap_or(1))
}
