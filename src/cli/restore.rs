//! `ao restore`: starts ended sessions again.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapter::clock;
use crate::adapter::git::GitError;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{dry_run, output};
use crate::invocation::World;
use crate::model::id::SessionId;
use crate::model::lifecycle::SessionReason;
use crate::reap;
use crate::session::{SessionError, deliver, preflight, restore};

/// Between two restores of `--all`: agents that log in all at once trip rate limits.
const PACE: Duration = Duration::from_millis(500);

/// Start ended sessions again, in the same workspace and branch
///
/// The agent goes on with its own conversation where it can, and otherwise starts afresh with the
/// stored prompt and says so. A workspace that was cleaned up less than a day ago comes back from
/// the trash. `--all` restores what a reboot or a crash of tmux ended, one after the other.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The sessions
    #[arg(required_unless_present = "all", value_name = "ID")]
    ids: Vec<String>,
    /// Every session that was lost rather than killed or done
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao restore`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &RestoreArgs,
) -> Result<Exit, CommandError> {
    if args.dry_run {
        return plan(context, out, args);
    }
    let world = context.world()?;
    let ids = if args.all {
        // After a reboot nobody has looked yet: what was lost still counts as working.
        reap::reap(&world)?;
        lost(&world)?
    } else {
        named(context, &world, args)?
    };
    if ids.is_empty() {
        context.tell("nothing to restore");
    }
    let mut sessions: Vec<Value> = Vec::new();
    let mut failed: Vec<Value> = Vec::new();
    let mut worst = Exit::Done;
    let mut logins = BTreeMap::new();
    for (number, id) in ids.iter().enumerate() {
        if number > 0 && args.all {
            clock::pause(PACE);
        }
        // Asked before anything is begun: what fails for one session fails for all of its agent.
        let logged_in = if args.all {
            preflight::require_login(&world, id, &mut logins).map_err(CommandError::from)
        } else {
            Ok(())
        };
        match logged_in.and_then(|()| restore_one(context, &world, id)) {
            Ok(session) => {
                sessions.push(session);
                if !context.global.json {
                    writeln!(out, "{id} restored")?;
                    out.flush()?;
                }
            }
            Err(error) if ids.len() == 1 => return Err(error),
            Err(error) => {
                worst = error.exit;
                failed.push(json!({ "id": id, "error": error.to_json() }));
                context.tell(&format!("{id}: {}", error.one_line()));
                if let Some(hint) = &error.hint {
                    context.tell(&format!("hint: {hint}"));
                }
                // What fails for one login fails for all of them.
                if args.all && error.exit == Exit::Denied {
                    context.tell("stopped: the other sessions would fail the same way");
                    break;
                }
            }
        }
    }
    if context.global.json {
        output::sessions(out, sessions, failed)?;
    }
    Ok(worst)
}

/// Says what would be restored, and what a look would find lost before that.
fn plan(context: &Context, out: &mut dyn Write, args: &RestoreArgs) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let found_lost = if args.all { reap::would_lose(&world)? } else { Vec::new() };
    let mut ids = if args.all { lost(&world)? } else { named(context, &world, args)? };
    ids.extend(found_lost.iter().cloned());
    dry_run::answer(context, out, &ids, |id| {
        if found_lost.contains(id) {
            return Ok((format!("restore {id}"), "its agent is lost".to_owned()));
        }
        restore::check(&world, id)?;
        Ok((format!("restore {id}"), "it has ended".to_owned()))
    })
}

fn named(
    context: &Context,
    world: &World,
    args: &RestoreArgs,
) -> Result<Vec<SessionId>, CommandError> {
    args.ids.iter().map(|name| context.session(world, name)).collect()
}

fn restore_one(context: &Context, world: &World, id: &SessionId) -> Result<Value, CommandError> {
    let restored = restore::restore(world, id).map_err(|error| {
        let is_elsewhere = matches!(&error, SessionError::Git(GitError::BranchElsewhere { .. }));
        let error = CommandError::from(error);
        // Its branch is its own: there is no other to choose.
        if is_elsewhere {
            error.hint("check out something else there, then try again")
        } else {
            error
        }
    })?;
    restored.notes.iter().for_each(|note| context.tell(note));
    let record = world.home.load(id)?.record;
    if let Some(key) = record.outbox.keys().find(|key| key.ends_with(deliver::TASK)) {
        let delivery = deliver::deliver_entry(world, id, key, deliver::Patience::Foreground)?;
        if let Some(why) = delivery.why() {
            context.tell(&format!("the prompt of {id} is {}: {why}", delivery.as_str()));
        }
    }
    let loaded = world.home.load(id)?;
    Ok(output::session_of(&loaded))
}

/// Returns what ended without anybody wanting it to.
fn lost(world: &World) -> Result<Vec<SessionId>, CommandError> {
    let mut ids = Vec::new();
    for id in world.home.session_ids()? {
        let Ok(loaded) = world.home.load(&id) else { continue };
        let session = &loaded.record.lifecycle.session;
        if loaded.record.lifecycle.is_terminal() && session.reason == SessionReason::RuntimeLost {
            ids.push(id);
        }
    }
    Ok(ids)
}
