//! `ao rename`: changes a session's title.

use std::io::Write;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::invocation;
use crate::model::sanitize;
use crate::session::SessionError;
use crate::store::StoreError;

/// Change a session's title; its id, branch and tmux session keep their names
#[derive(Debug, clap::Args)]
pub struct RenameArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// The title; an empty one removes it
    #[arg(value_name = "TITLE")]
    title: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao rename`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &RenameArgs,
) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let id = context.session(&world, &args.id)?;
    let title = sanitize::line(&args.title).trim().to_owned();
    if args.dry_run {
        if world.home.load(&id)?.archived {
            return Err(StoreError::Archived { id }.into());
        }
        let step = (format!("call {id} {title:?}"), "its id and branch stay".to_owned());
        output::plan(out, context.global.json, &[step])?;
        return Ok(Exit::Done);
    }
    invocation::amend(&world, &id, "rename", |record| {
        record.title = Some(title.clone()).filter(|title| !title.is_empty());
        Ok::<(), SessionError>(())
    })?;
    let loaded = world.home.load(&id)?;
    output::session(out, context.global.json, &loaded, &format!("{id} {title}"))?;
    Ok(Exit::Done)
}
