//! `ao log` and `ao events`: what happened.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapter::watch::Watch;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::invocation::World;
use crate::model::event::Event;
use crate::model::id::SessionId;
use crate::model::sanitize;
use crate::store::StoreError;

/// Show a session's event log
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// The last N events only
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
    /// Fold the log and compare it with the record
    #[arg(long)]
    verify: bool,
}

/// Show the events of all sessions, oldest first
///
/// With --json one event a line.
#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    /// Go on with what happens from here
    #[arg(long, short)]
    follow: bool,
    /// Those of one session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

/// Runs `ao log`.
pub fn run(context: &Context, out: &mut dyn Write, args: &LogArgs) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, &args.id)?;
    if args.verify {
        return verify(context, out, &world, &id);
    }
    let events = world.home.events(&id)?;
    let skip = args.lines.map_or(0, |lines| events.len().saturating_sub(lines));
    let events = events.into_iter().skip(skip);
    if context.global.json {
        let events: Vec<Value> = events.map(|event| json!(event)).collect();
        output::json(out, &json!({ "schema": output::SCHEMA, "id": id, "events": events }))?;
    } else {
        for event in events {
            writeln!(out, "{}", line(&event))?;
        }
    }
    Ok(Exit::Done)
}

fn verify(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    id: &SessionId,
) -> Result<Exit, CommandError> {
    let verification = world.home.verify(id)?;
    let clean = verification.is_clean();
    let events = world.home.events(id)?.len();
    if context.global.json {
        let value = json!({ "id": id, "events": events, "ok": clean,
            "findings": verification.findings });
        output::json_answer(out, "verify", value)?;
    } else if clean {
        writeln!(out, "{id}: {events} events fold to the record")?;
    } else {
        for finding in &verification.findings {
            writeln!(out, "{id}: {}", sanitize::line(finding))?;
        }
    }
    Ok(if clean { Exit::Done } else { Exit::Internal })
}

fn line(event: &Event) -> String {
    let mut text = format!("{:>4}  {}  {:<10}", event.seq, event.at, event.cause);
    text.push_str(&format!("  {:<14}", event.status.to_string()));
    if let Some(rule) = &event.rule {
        text.push_str(&format!("  {rule}"));
    }
    if let Some(reason) = event.reason.as_ref().or(event.evidence.as_ref()) {
        text.push_str(&format!("  {reason}"));
    }
    sanitize::line(&text)
}

/// Runs `ao events`.
pub fn events(
    context: &Context,
    out: &mut dyn Write,
    args: &EventsArgs,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let only = args.session.as_ref().map(|name| context.session(&world, name)).transpose()?;
    let mut seen: BTreeMap<SessionId, u64> = BTreeMap::new();
    // At first archived sessions speak as well; later only one that was live at the last look
    // can have something more to say.
    let mut before = world.home.archived_ids()?;
    loop {
        // Watched before the look, so that nothing falls between the two.
        let ids = match &only {
            Some(id) => vec![id.clone()],
            None => {
                let live = world.home.session_ids()?;
                let gone = before.into_iter().filter(|id| !live.contains(id));
                let ids = live.iter().cloned().chain(gone).collect();
                before = live;
                ids
            }
        };
        let sessions = world.home.root().join("sessions");
        let directories = ids.iter().map(|id| world.home.session_dir(id)).chain([sessions]);
        let mut watch = args.follow.then(|| Watch::new(directories));
        print_fresh(context, out, &world, &ids, &mut seen)?;
        match &mut watch {
            None => return Ok(Exit::Done),
            Some(watch) => watch.wait(Duration::from_secs(10)),
        }
    }
}

fn print_fresh(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    ids: &[SessionId],
    seen: &mut BTreeMap<SessionId, u64>,
) -> Result<(), CommandError> {
    let mut fresh = Vec::new();
    for id in ids {
        let after = seen.get(id).copied().unwrap_or(0);
        let events = match world.home.events(id) {
            Ok(events) => events,
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => {
                context.tell(&format!("warning: {id}: {}", crate::model::sanitize::chain(&error)));
                continue;
            }
        };
        for event in events.into_iter().filter(|event| event.seq > after) {
            seen.insert(id.clone(), event.seq);
            fresh.push((event.at, id.clone(), event));
        }
    }
    fresh.sort_unstable_by(|a, b| (a.0, &a.1, a.2.seq).cmp(&(b.0, &b.1, b.2.seq)));
    for (_, id, event) in fresh {
        if context.global.json {
            let mut value = json!(event);
            value["schema"] = json!(output::SCHEMA);
            value["id"] = json!(id);
            output::json(out, &value)?;
        } else {
            writeln!(out, "{id}  {}", line(&event))?;
        }
    }
    Ok(out.flush()?)
}
