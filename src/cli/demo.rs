//! `ao demo`.

use std::io::Write;

use crate::cli::Code;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;

/// Show the whole loop
#[derive(Debug, clap::Args)]
pub struct DemoArgs {}

/// Play a scripted agent
#[derive(Debug, clap::Args)]
pub struct DemoAgentArgs {}

/// Runs `ao demo`.
pub fn run(_: &Context, _: &mut dyn Write, _: &DemoArgs) -> Result<Exit, CommandError> {
    Ok(Exit::Done)
}

/// Runs `ao demo-agent`.
pub fn run_agent(_: &Context, _: &DemoAgentArgs) -> Result<Code, CommandError> {
    Ok(Exit::Done.into())
}
