//! `ao outbox`: what is still to be delivered.

use std::collections::BTreeMap;
use std::io::Write;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::act;
use crate::adapter::clock;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Table};
use crate::decide;
use crate::invocation::{self, World};
use crate::model::effect::OutboxEntry;
use crate::model::id::SessionId;
use crate::model::record::Record;
use crate::model::sanitize;
use crate::session::deliver;

/// See and steer what is still to be delivered
#[derive(Debug, clap::Args)]
pub struct OutboxArgs {
    #[command(subcommand)]
    command: OutboxCommand,
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
    /// List what waits, oldest first
    ///
    /// A dead letter is an entry that was given up; it stays until it is retried or dropped.
    Ls {
        /// Of these sessions only
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// Dead letters only
        #[arg(long)]
        dead: bool,
    },
    /// Try entries again at once, dead letters included
    Retry {
        /// The session; every one with `--dead` where it is left out
        #[arg(value_name = "ID", required_unless_present = "dead")]
        id: Option<String>,
        /// The entries' keys; all of the session where none is given
        #[arg(value_name = "KEY", conflicts_with = "dead")]
        keys: Vec<String>,
        /// Dead letters only
        #[arg(long)]
        dead: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Drop entries for good
    ///
    /// A text of a reaction that is dropped was no attempt: its budget is whole again.
    Drop {
        /// The session
        #[arg(value_name = "ID")]
        id: String,
        /// The entries' keys
        #[arg(value_name = "KEY", required_unless_present = "dead")]
        keys: Vec<String>,
        /// All dead letters of the session
        #[arg(long, conflicts_with = "keys")]
        dead: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which entries of an outbox are meant.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    All,
    Dead,
    Keys(&'a [String]),
}

/// A session's entries, by key.
type Outbox = BTreeMap<String, OutboxEntry>;

/// Runs `ao outbox`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &OutboxArgs,
) -> Result<Exit, CommandError> {
    match &args.command {
        OutboxCommand::Ls { ids, dead } => ls(context, out, ids, *dead),
        OutboxCommand::Retry { id, keys, dead, dry_run } => {
            let wanted = match (dead, keys.is_empty()) {
                (true, _) => Wanted::Dead,
                (false, true) => Wanted::All,
                (false, false) => Wanted::Keys(keys),
            };
            if *dry_run {
                return plan(context, out, "retry", id.as_deref(), wanted);
            }
            retry(context, out, id.as_deref(), wanted)
        }
        OutboxCommand::Drop { id, keys, dead, dry_run } => {
            let wanted = if *dead { Wanted::Dead } else { Wanted::Keys(keys) };
            if *dry_run {
                return plan(context, out, "drop", Some(id), wanted);
            }
            drop_entries(context, out, id, wanted)
        }
    }
}

/// Returns the sessions that are named, every one where none is.
fn sessions(
    context: &Context,
    world: &World,
    names: &[&str],
) -> Result<Vec<SessionId>, CommandError> {
    if names.is_empty() {
        return Ok(world.home.session_ids()?);
    }
    names.iter().map(|name| context.session(world, name)).collect()
}

impl Wanted<'_> {
    /// Returns the keys that are meant, oldest first.
    ///
    /// # Errors
    ///
    /// A key that is not in the outbox.
    fn of(self, id: &SessionId, outbox: &Outbox) -> Result<Vec<String>, CommandError> {
        let mut keys: Vec<String> = match self {
            Self::All => outbox.keys().cloned().collect(),
            Self::Dead => {
                let dead = outbox.iter().filter(|(_, entry)| entry.dead);
                dead.map(|(key, _)| key.clone()).collect()
            }
            Self::Keys(keys) => {
                if let Some(unknown) = keys.iter().find(|key| !outbox.contains_key(*key)) {
                    return Err(no_entry(id, unknown));
                }
                keys.to_vec()
            }
        };
        deliver::oldest_first(&mut keys);
        keys.dedup();
        Ok(keys)
    }
}

fn no_entry(id: &SessionId, key: &str) -> CommandError {
    let key = sanitize::line(key);
    CommandError::new(Exit::NotFound, anyhow::anyhow!("{id} has no outbox entry `{key}`"))
        .hint(format!("`ao outbox ls {id}` lists them"))
}

fn ls(
    context: &Context,
    out: &mut dyn Write,
    names: &[String],
    dead: bool,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut entries: Vec<(SessionId, String, OutboxEntry)> = Vec::new();
    for id in sessions(context, &world, &names)? {
        let Ok(loaded) = world.home.load(&id) else { continue };
        let outbox = loaded.record.outbox.into_iter();
        entries.extend(outbox.map(|(key, entry)| (id.clone(), key, entry)));
    }
    entries.retain(|(_, _, entry)| !dead || entry.dead);
    entries
        .sort_unstable_by(|a, b| (a.2.created_at, &a.0, &a.1).cmp(&(b.2.created_at, &b.0, &b.1)));
    if context.global.json {
        let rows: Vec<Value> = entries
            .iter()
            .map(|(id, key, entry)| json!({ "session": id, "key": key, "entry": entry }))
            .collect();
        output::json_answer(out, "outbox", rows)?;
        return Ok(Exit::Done);
    }
    if entries.is_empty() {
        context.tell(if dead { "no dead letters" } else { "nothing waits to be delivered" });
        return Ok(Exit::Done);
    }
    table(out, &entries)?;
    if entries.iter().any(|(_, _, entry)| entry.dead) {
        context.tell("hint: `ao outbox retry --dead` tries the dead letters again");
    }
    Ok(Exit::Done)
}

fn table(
    out: &mut dyn Write,
    entries: &[(SessionId, String, OutboxEntry)],
) -> Result<(), CommandError> {
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
            key.clone(),
            entry.kind.to_string(),
            output::age(now.since(entry.created_at)),
            entry.attempts.to_string(),
            state,
        ]);
    }
    Ok(table.write(out)?)
}

fn plan(
    context: &Context,
    out: &mut dyn Write,
    verb: &str,
    name: Option<&str>,
    wanted: Wanted<'_>,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let mut steps: Vec<(String, String)> = Vec::new();
    for id in sessions(context, &world, name.as_slice())? {
        let outbox = world.home.load(&id)?.record.outbox;
        for key in wanted.of(&id, &outbox)? {
            let entry = &outbox[&key];
            let why = format!("{} since {}", entry.kind, entry.created_at);
            steps.push((format!("{verb} {key} of {id}"), why));
        }
    }
    output::plan(out, context.global.json, &steps)?;
    Ok(Exit::Done)
}

fn retry(
    context: &Context,
    out: &mut dyn Write,
    name: Option<&str>,
    wanted: Wanted<'_>,
) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let mut rows: Vec<Value> = Vec::new();
    let mut worst = Exit::Done;
    for id in sessions(context, &world, name.as_slice())? {
        for key in changed(&world, &id, wanted, decide::revived)? {
            let patience = deliver::Patience::Foreground;
            let delivery = deliver::deliver_entry(&world, &id, &key, patience)?;
            if delivery != act::Delivery::Delivered {
                worst = Exit::Internal;
            }
            let why = delivery.why().map_or_else(String::new, |why| format!(": {why}"));
            if !context.global.json {
                writeln!(out, "{id} {key} {}{}", delivery.as_str(), sanitize::line(&why))?;
            }
            rows.push(json!({ "session": id, "key": key, "delivery": delivery.as_str() }));
        }
    }
    if context.global.json {
        output::json_answer(out, "outbox", &rows)?;
    } else if rows.is_empty() {
        context.tell("nothing to try again");
    }
    Ok(worst)
}

/// Changes the wanted entries of a session in one write, and returns their keys.
fn changed(
    world: &World,
    id: &SessionId,
    wanted: Wanted<'_>,
    change: fn(&Record, &str) -> Record,
) -> Result<Vec<String>, CommandError> {
    if wanted.of(id, &world.home.load(id)?.record.outbox)?.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    invocation::amend(world, id, "outbox", |record| {
        keys = wanted.of(id, &record.outbox)?;
        for key in &keys {
            *record = change(record, key);
        }
        Ok::<(), CommandError>(())
    })?;
    Ok(keys)
}

fn drop_entries(
    context: &Context,
    out: &mut dyn Write,
    name: &str,
    wanted: Wanted<'_>,
) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let id = context.session(&world, name)?;
    let keys = changed(&world, &id, wanted, decide::dropped)?;
    if context.global.json {
        let rows: Vec<Value> =
            keys.iter().map(|key| json!({ "session": id, "key": key })).collect();
        output::json_answer(out, "outbox", rows)?;
    } else if keys.is_empty() {
        context.tell("nothing to drop");
    }
    for key in keys.iter().filter(|_| !context.global.json) {
        writeln!(out, "{id} {} dropped", sanitize::line(key))?;
    }
    Ok(Exit::Done)
}
