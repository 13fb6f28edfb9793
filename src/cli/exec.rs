//! `ao path` and `ao exec`: a session's workspace, from outside.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use crate::adapter::cmd::{self, Cmd};
use crate::cli::Code;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::invocation::World;
use crate::model::id::SessionId;

/// Print the path of a session's workspace
#[derive(Debug, clap::Args)]
pub struct PathArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
}

/// Run a command in a session's workspace, with its exit code
#[derive(Debug, clap::Args)]
pub struct ExecArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// The command
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs `ao path`.
pub fn path(context: &Context, out: &mut dyn Write, args: &PathArgs) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, &args.id)?;
    let path = workspace(&world, &id)?;
    if context.global.json {
        output::json_answer(out, "path", json!({ "id": id, "path": path }))?;
    } else {
        writeln!(out, "{}", path.display())?;
    }
    Ok(Exit::Done)
}

/// Runs `ao exec`.
pub fn run(context: &Context, out: &mut dyn Write, args: &ExecArgs) -> Result<Code, CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, &args.id)?;
    let path = workspace(&world, &id)?;
    let (program, arguments) = args.command.split_first().expect("clap requires one word");
    out.flush()?;
    let status = Cmd::new(program).args(arguments.iter().cloned()).cwd(path).status_inherited()?;
    Ok(Code::Program(u8::try_from(cmd::exit_code(status)).unwrap_or(1)))
}

fn workspace(world: &World, id: &SessionId) -> Result<PathBuf, CommandError> {
    let handle = world.home.load(id)?.record.handles.workspace;
    let gone = || CommandError::new(Exit::NotFound, anyhow::anyhow!("{id} has no workspace"));
    let path = handle.ok_or_else(gone)?.path;
    if !path.is_dir() {
        let error = anyhow::anyhow!("the workspace of {id}, {}, is gone", path.display());
        return Err(CommandError::new(Exit::NotFound, error));
    }
    Ok(path)
}
