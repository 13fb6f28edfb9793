//! `ao outbox`: what is still to be delivered.

use std::io::Write;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::act;
use crate::adapter::clock;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Table};
use crate::invocation::{self, World};
use crate::model::effect::OutboxEntry;
use crate::model::id::SessionId;
use crate::model::sanitize;
use crate::session::{SessionError, deliver};

/// See and steer what is still to be delivered
#[derive(Debug, clap::Args)]
pub struct OutboxArgs {
    #[command(subcommand)]
    command: OutboxCommand,
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
    /// List what waits, oldest first
    Ls {
        /// Dead letters only
        #[arg(long)]
        dead: bool,
    },
    /// Try an entry again at once, dead letters included
    Retry {
        /// The session
        #[arg(value_name = "ID")]
        id: String,
        /// The entry's key; all of the session where it is left out
        #[arg(value_name = "KEY")]
        key: Option<String>,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Drop an entry for good
    Drop {
        /// The session
        #[arg(value_name = "ID")]
        id: String,
        /// The entry's key
        #[arg(value_name = "KEY")]
        key: String,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs `ao outbox`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &OutboxArgs,
) -> Result<Exit, CommandError> {
    match &args.command {
        OutboxCommand::Ls { dead } => ls(context, out, *dead),
        OutboxCommand::Retry { id, key, dry_run: true } => {
            plan(context, out, "retry", id, key.as_deref())
        }
        OutboxCommand::Drop { id, key, dry_run: true } => {
            plan(context, out, "drop", id, Some(key.as_str()))
        }
        OutboxCommand::Retry { id, key, dry_run: false } => retry(context, out, id, key.as_deref()),
        OutboxCommand::Drop { id, key, dry_run: false } => drop_entry(context, out, id, key),
    }
}

fn ls(context: &Context, out: &mut dyn Write, dead: bool) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let mut entries: Vec<(SessionId, String, OutboxEntry)> = Vec::new();
    for id in world.home.session_ids()? {
        let Ok(loaded) = world.home.load(&id) else { continue };
        let outbox = loaded.record.outbox.into_iter();
        entries.extend(outbox.map(|(key, entry)| (id.clone(), key, entry)));
    }
    entries.retain(|(_, _, entry)| !dead || entry.dead);
    entries.sort_by(|a, b| (a.2.created_at, &a.0, &a.1).cmp(&(b.2.created_at, &b.0, &b.1)));
    if context.global.json {
        let rows: Vec<Value> = entries
            .iter()
            .map(|(id, key, entry)| json!({ "session": id, "key": key, "entry": entry }))
            .collect();
        output::json_answer(out, "outbox", rows)?;
        return Ok(Exit::Done);
    }
    let now = clock::now();
    let mut table = Table::new(&["SESSION", "KEY", "KIND", "AGE", "TRIES", "STATE"]);
    for (id, key, entry) in entries {
        let state = match (entry.dead, &entry.last_error) {
            (true, error) => format!("dead: {}", error.as_deref().unwrap_or("gave up")),
            (false, Some(error)) => error.clone(),
            (false, None) => "waiting".to_owned(),
        };
        table.row([
            id.to_string(),
            key,
            entry.kind.to_string(),
            output::age(now.since(entry.created_at)),
            entry.attempts.to_string(),
            state,
        ]);
    }
    if !table.is_empty() {
        table.write(out)?;
    }
    Ok(Exit::Done)
}

fn plan(
    context: &Context,
    out: &mut dyn Write,
    verb: &str,
    name: &str,
    key: Option<&str>,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, name)?;
    let outbox = world.home.load(&id)?.record.outbox;
    let wanted = outbox.iter().filter(|(own, _)| key.is_none_or(|key| key == own.as_str()));
    let steps: Vec<(String, String)> = wanted
        .map(|(own, entry)| {
            (format!("{verb} {own} of {id}"), format!("{} since {}", entry.kind, entry.created_at))
        })
        .collect();
    match key {
        Some(key) if steps.is_empty() => Err(no_entry(&id, key)),
        Some(_) | None => {
            output::plan(out, context.global.json, &steps)?;
            Ok(Exit::Done)
        }
    }
}

fn no_entry(id: &SessionId, key: &str) -> CommandError {
    let key = sanitize::line(key);
    CommandError::new(Exit::NotFound, anyhow::anyhow!("{id} has no outbox entry `{key}`"))
        .hint("`ao outbox ls` lists them")
}

fn retry(
    context: &Context,
    out: &mut dyn Write,
    name: &str,
    key: Option<&str>,
) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let id = context.session(&world, name)?;
    let keys = revive(&world, &id, key)?;
    let mut worst = Exit::Done;
    let mut rows: Vec<Value> = Vec::new();
    for key in keys {
        let delivery = deliver::deliver_entry(&world, &id, &key, deliver::Patience::Foreground)?;
        if delivery != act::Delivery::Delivered {
            worst = Exit::Internal;
        }
        let why = delivery.why().map_or_else(String::new, |why| format!(": {why}"));
        if !context.global.json {
            writeln!(out, "{id} {key} {}{}", delivery.as_str(), sanitize::line(&why))?;
        }
        rows.push(json!({ "session": id, "key": key, "delivery": delivery.as_str() }));
    }
    if context.global.json {
        output::json_answer(out, "outbox", rows)?;
    }
    Ok(worst)
}

/// Takes back-off and the mark of a dead letter away; returns the keys.
fn revive(world: &World, id: &SessionId, key: Option<&str>) -> Result<Vec<String>, CommandError> {
    let mut keys = Vec::new();
    invocation::amend(world, id, "outbox", |record| {
        for (own, entry) in &mut record.outbox {
            if key.is_none_or(|key| key == own) {
                entry.dead = false;
                entry.attempts = 0;
                entry.next_at = None;
                keys.push(own.clone());
            }
        }
        Ok::<(), SessionError>(())
    })?;
    match key {
        Some(key) if keys.is_empty() => Err(no_entry(id, key)),
        Some(_) | None => Ok(keys),
    }
}

fn drop_entry(
    context: &Context,
    out: &mut dyn Write,
    name: &str,
    key: &str,
) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let id = context.session(&world, name)?;
    let mut found = false;
    invocation::amend(&world, &id, "outbox", |record| {
        found = record.outbox.remove(key).is_some();
        Ok::<(), SessionError>(())
    })?;
    if !found {
        return Err(no_entry(&id, key));
    }
    if context.global.json {
        output::json_answer(out, "outbox", json!([{ "session": id, "key": key }]))?;
    } else {
        writeln!(out, "{id} {} dropped", sanitize::line(key))?;
    }
    Ok(Exit::Done)
}
