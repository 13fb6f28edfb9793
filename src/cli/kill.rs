//! `ao kill`: ends processes and pane; never touches the workspace.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{dry_run, output};
use crate::invocation::World;
use crate::model::facts::KillCause;
use crate::model::id::SessionId;
use crate::model::sanitize;
use crate::session::intent;
use crate::session::kill::{self, Killed};
use crate::store::Loaded;

/// End sessions: their processes and panes, never their workspaces
///
/// A session that has ended already is a success that says so; its leftovers are ended.
#[derive(Debug, clap::Args)]
pub struct KillArgs {
    /// The sessions
    #[arg(required_unless_present = "all", value_name = "ID")]
    ids: Vec<String>,
    /// Every session that has not ended
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao kill`.
pub fn run(context: &Context, out: &mut dyn Write, args: &KillArgs) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let ids = chosen(context, &world, args)?;
    if args.dry_run {
        return dry_run::answer(context, out, &ids, |id| step(&world, id));
    }
    if (args.all || ids.len() > 1) && !args.yes {
        for id in &ids {
            let (op, why) = step(&world, id)?;
            context.tell(&format!("would {op}: {why}"));
        }
        if !context.confirm(&format!("end {} sessions?", ids.len()), "--yes")? {
            return Ok(Exit::Refused);
        }
    }
    if let Err(error) = world.config(None) {
        let why = sanitize::chain(&error);
        context.tell(&format!("warning: {why}; what is built in applies instead"));
    }
    let mut sessions: Vec<Value> = Vec::new();
    let mut failed: Vec<Value> = Vec::new();
    let mut worst = Exit::Done;
    for id in &ids {
        match kill::kill(&world, id, KillCause::Manual, None) {
            Ok(killed) => {
                let loaded = world.home.load(id)?;
                sessions.push(output::session_of(&loaded));
                if !context.global.json {
                    let word = match killed {
                        Killed::Ended => "killed",
                        Killed::AlreadyGone => "had ended already",
                    };
                    writeln!(out, "{id} {word}{}", kept(&loaded))?;
                }
            }
            Err(error) => {
                let error = CommandError::from(error);
                if ids.len() == 1 {
                    return Err(error);
                }
                worst = error.exit;
                failed.push(json!({ "id": id, "error": error.to_json() }));
                if !context.global.json {
                    context.tell(&format!("{id}: {}", error.one_line()));
                }
            }
        }
    }
    if context.global.json {
        output::sessions(out, sessions, failed)?;
    }
    Ok(worst)
}

/// Returns what would be done with one session.
fn step(world: &World, id: &SessionId) -> Result<(String, String), CommandError> {
    let Loaded { record, archived, .. } = world.home.load(id)?;
    if archived {
        return Ok((format!("leave {id}"), "it is cleaned up already".to_owned()));
    }
    intent::require_free(id, &record)?;
    let had_ended = record.lifecycle.is_terminal();
    let op = if had_ended { "end what is left of" } else { "end" };
    Ok((format!("{op} {id}"), "its workspace is kept".to_owned()))
}

fn kept(loaded: &Loaded) -> String {
    match &loaded.record.handles.workspace {
        Some(_) if loaded.archived => ", and is cleaned up".to_owned(),
        Some(handle) if handle.owned => format!(", workspace kept: {}", handle.path.display()),
        Some(_) | None => String::new(),
    }
}

fn chosen(
    context: &Context,
    world: &World,
    args: &KillArgs,
) -> Result<Vec<SessionId>, CommandError> {
    if !args.all {
        return args.ids.iter().map(|name| context.session(world, name)).collect();
    }
    let mut ids = Vec::new();
    for id in world.home.session_ids()? {
        if world.home.load(&id).is_ok_and(|loaded| !loaded.record.lifecycle.is_terminal()) {
            ids.push(id);
        }
    }
    Ok(ids)
}
