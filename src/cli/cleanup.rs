//! `ao cleanup`: removes what ended sessions left.

use std::io::Write;

use serde_json::{Value, json};

use crate::adapter::git::{Assessment, Keep};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{dry_run, output};
use crate::invocation::World;
use crate::model::id::SessionId;
use crate::model::sanitize;
use crate::session::SessionError;
use crate::session::cleanup::{self, Cleaned};
use crate::store::Loaded;

/// Remove the panes and workspaces of ended sessions, and archive them
///
/// A workspace with anything in it that exists nowhere else is kept, and the reason is printed.
/// `--force` saves it all under refs/ao/preserved/<id> first. Removed workspaces stay in the trash
/// for a day: `ao restore` brings them back.
#[derive(Debug, clap::Args)]
pub struct CleanupArgs {
    /// The sessions; all that have ended where none is named
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// All that have ended, as where none is named
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Save what would be lost, then remove
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao cleanup`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &CleanupArgs,
) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let named = !args.all && !args.ids.is_empty();
    let ids = if named {
        args.ids.iter().map(|name| context.session(&world, name)).collect::<Result<Vec<_>, _>>()?
    } else {
        ended(&world)?
    };
    if args.dry_run {
        return dry_run::answer(context, out, &ids, |id| {
            let (step, refused) = step(&world, id, args.force)?;
            if named { refused.map_or(Ok(step), |error| Err(error.into())) } else { Ok(step) }
        });
    }
    if !args.yes && ids.len() > 1 {
        for id in &ids {
            let ((op, why), _) = step(&world, id, args.force)?;
            context.tell(&format!("would {op}: {why}"));
        }
        if !context.confirm(&format!("clean up {} sessions?", ids.len()), "--yes")? {
            return Ok(Exit::Refused);
        }
    }
    if ids.is_empty() && !context.global.json {
        context.tell("nothing to clean up");
    }
    clean(context, out, args, &world, &ids, named)
}

fn clean(
    context: &Context,
    out: &mut dyn Write,
    args: &CleanupArgs,
    world: &World,
    ids: &[SessionId],
    named: bool,
) -> Result<Exit, CommandError> {
    let mut cleaned_up: Vec<Value> = Vec::new();
    let mut failed: Vec<Value> = Vec::new();
    let mut worst = Exit::Done;
    for id in ids {
        if world.home.load(id).is_ok_and(|loaded| loaded.archived) {
            context.tell(&format!("{id} is cleaned up already"));
            continue;
        }
        let error = match cleanup::cleanup(world, id, args.force) {
            Ok(cleaned) if cleaned.kept.is_empty() => {
                report(context, out, id, &cleaned)?;
                cleaned_up.push(gone(id, &cleaned));
                continue;
            }
            Ok(cleaned) if !named => {
                // Asked for in general: what has to stay is listed, and is no failure.
                if !context.global.json {
                    writeln!(out, "{id} kept: {}", sanitize::line(&cleaned.kept.join("; ")))?;
                }
                cleaned_up.push(json!({ "id": id, "kept": cleaned.kept }));
                continue;
            }
            Ok(cleaned) => cleaned.kept_error(id).into(),
            Err(error) => CommandError::from(error),
        };
        if ids.len() == 1 {
            return Err(error);
        }
        worst = error.exit;
        failed.push(json!({ "id": id, "error": error.to_json() }));
        context.tell(&format!("{id}: {}", error.one_line()));
    }
    if context.global.json {
        let mut answer = json!({ "schema": output::SCHEMA, "cleanup": cleaned_up });
        if !failed.is_empty() {
            answer["failed"] = Value::Array(failed);
        }
        output::json(out, &answer)?;
    }
    Ok(worst)
}

fn gone(id: &SessionId, cleaned: &Cleaned) -> Value {
    Value::Object(output::object([
        ("id", json!(id)),
        ("branch", json!(cleaned.branch)),
        ("restore_command", json!(cleaned.restore_command)),
        ("undelivered", json!(Some(cleaned.undelivered).filter(|number| *number > 0))),
    ]))
}

fn report(
    context: &Context,
    out: &mut dyn Write,
    id: &SessionId,
    cleaned: &Cleaned,
) -> Result<(), CommandError> {
    if let Some(command) = &cleaned.restore_command {
        context.tell(&format!("saved the work of {id}; to bring it back: {command}"));
    }
    if !context.global.json {
        let branch =
            cleaned.branch.as_deref().map_or_else(String::new, |fate| format!(", branch {fate}"));
        let pooled = if cleaned.pooled { ", workspace kept for the next spawn" } else { "" };
        let waits = match cleaned.undelivered {
            0 => "",
            _ => ", to be archived once its notices are told",
        };
        writeln!(out, "{id} cleaned up{branch}{pooled}{waits}")?;
    }
    Ok(())
}

/// Returns what would be done with one session, and as what it would be refused to whoever names
/// it.
fn step(
    world: &World,
    id: &SessionId,
    force: bool,
) -> Result<((String, String), Option<SessionError>), CommandError> {
    let Loaded { record, archived, .. } = world.home.load(id)?;
    if archived {
        return Ok(((format!("leave {id}"), "it is cleaned up already".to_owned()), None));
    }
    cleanup::require_possible(id, &record)?;
    let (op, why) = match cleanup::assess(world, id, &record)? {
        Assessment::Gone => ("archive", "its workspace is gone".to_owned()),
        Assessment::Removable { .. } => ("remove", "its workspace is clean".to_owned()),
        Assessment::Keep(keeps) => {
            let forcible = keeps.iter().all(Keep::is_forcible);
            let reasons: Vec<String> = keeps.iter().map(ToString::to_string).collect();
            let why = reasons.join("; ");
            if !(force && forcible) {
                let error = SessionError::Kept { id: id.clone(), reasons, forcible };
                return Ok(((format!("keep {id}"), why), Some(error)));
            }
            ("save and remove", why)
        }
    };
    Ok(((format!("{op} {id}"), why), None))
}

fn ended(world: &World) -> Result<Vec<SessionId>, CommandError> {
    let mut ids = Vec::new();
    for id in world.home.session_ids()? {
        if world.home.load(&id).is_ok_and(|loaded| loaded.record.lifecycle.is_terminal()) {
            ids.push(id);
        }
    }
    Ok(ids)
}
