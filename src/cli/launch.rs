//! `ao launch` (hidden): the parent of every agent process.

use std::path::{Path, PathBuf};

use crate::adapter::runtime::launcher;
use crate::cli::Code;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::invocation;
use crate::model::facts::{Liveness, Observation, RuntimeFact};
use crate::model::id::LaunchId;

/// Run a session's agent and record how it ends
#[derive(Debug, clap::Args)]
pub struct LaunchArgs {
    /// The session's directory
    directory: PathBuf,
    /// The launch
    launch: String,
}

/// Runs `ao launch`.
pub fn run(context: &Context, args: &LaunchArgs) -> Result<Code, CommandError> {
    let launch: LaunchId = args.launch.parse()?;
    let code = launcher::launch(&args.directory, &launch, &mut |code, config_directory| {
        // Best effort: the files tell the same to the next reap.
        let _ = record_end(context, args, &launch, code, config_directory);
    });
    Ok(Code::Program(u8::try_from(code).unwrap_or(1)))
}

/// Applies the end of the agent as a fact, so that `done` waits for no reap. A home that was
/// deleted meanwhile stays away.
fn record_end(
    context: &Context,
    args: &LaunchArgs,
    launch: &LaunchId,
    code: i32,
    config_directory: &Path,
) -> Result<(), CommandError> {
    let sessions = args.directory.parent().and_then(|sessions| sessions.parent());
    let name = args.directory.file_name().and_then(|name| name.to_str());
    let (Some(home), Some(name)) = (sessions, name) else { return Ok(()) };
    let context = Context {
        global: crate::cli::Global { home: Some(home.to_owned()), ..context.global.clone() },
        env: context.env.clone(),
    };
    // A tmux server keeps the environment of whoever started it first, not of this spawn.
    let world = context.existing_world()?.configured_in(config_directory);
    let fact = RuntimeFact {
        observed_at: None,
        runtime: Liveness::Dead,
        process: Liveness::Dead,
        confirmed: true,
        exit_code: Some(code),
        launch: Some(launch.clone()),
    };
    invocation::apply(&world, &name.parse()?, &Observation::Runtime(fact), "launcher")?;
    Ok(())
}
