//! `ao check-run` (hidden): the supervisor of one check.

use std::path::PathBuf;
use std::time::Duration;

use crate::adapter::check_run;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;

/// Run the check of a session's branch and record how it ends
///
/// Its standard input is the lock of the check, held by whoever starts it.
#[derive(Debug, clap::Args)]
pub struct CheckRunArgs {
    /// The session's directory
    directory: PathBuf,
    /// Where the command runs
    workspace: PathBuf,
    /// How long it may take, in milliseconds
    timeout: u64,
}

/// Runs `ao check-run`.
pub fn run(args: &CheckRunArgs) -> Result<Exit, CommandError> {
    let timeout = Duration::from_millis(args.timeout);
    check_run::supervise(&args.directory, &args.workspace, timeout)?;
    Ok(Exit::Done)
}
