//! `ao status`: what is true at this moment, with one tmux call.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapter::clock;
use crate::adapter::git::{self, GitError, WorktreeStatus};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::ls::warn_stale_clock;
use crate::cli::output::{self, Table};
use crate::decide;
use crate::invocation::World;
use crate::model::facts::Observation;
use crate::model::id::SessionId;
use crate::model::record::Record;
use crate::model::status::Status;
use crate::observe::Probe;
use crate::reap;
use crate::store::Loaded;

/// How long git may take per workspace.
const GIT_DEADLINE: Duration = Duration::from_secs(5);

/// Show what is true now: `ls`, and one look at tmux
///
/// Starts one tmux client for all sessions and writes nothing: what the look means for a session
/// is decided as a reap would, and shown. `--git` asks each workspace for its branch and dirt.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// The sessions; all that have not ended where none is named
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Branch and uncommitted files of each workspace
    #[arg(long)]
    git: bool,
    /// Print the number of sessions that need a person
    #[arg(long, short)]
    quiet: bool,
}

struct Row {
    id: SessionId,
    loaded: Loaded,
    status: Status,
    why: String,
    git: Option<Result<WorktreeStatus, GitError>>,
}

/// Runs `ao status`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &StatusArgs,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let sessions = chosen(context, &world, args)?;
    let rows = look(context, &world, sessions, args.git);
    if args.quiet {
        let number = rows.iter().filter(|row| row.status.needs_person()).count();
        if context.global.json {
            output::json_answer(out, "needs_person", number)?;
        } else {
            writeln!(out, "{number}")?;
        }
        return Ok(Exit::Done);
    }
    warn_stale_clock(context, &world);
    if context.global.json {
        let sessions: Vec<Value> = rows.iter().map(|row| value(row, args.git)).collect();
        let last_reap = reap::last_pass(&world);
        let answer =
            json!({ "schema": output::SCHEMA, "sessions": sessions, "last_reap": last_reap });
        output::json(out, &answer)?;
    } else {
        table(out, &rows, args.git)?;
        if rows.is_empty() {
            context.tell("no sessions");
        }
    }
    Ok(Exit::Done)
}

fn chosen(
    context: &Context,
    world: &World,
    args: &StatusArgs,
) -> Result<Vec<(SessionId, Loaded)>, CommandError> {
    let mut sessions = Vec::new();
    if args.ids.is_empty() {
        for id in world.home.session_ids()? {
            match world.home.load(&id) {
                Ok(loaded) if !loaded.record.lifecycle.is_terminal() => sessions.push((id, loaded)),
                Ok(_) => {}
                Err(error) => context
                    .tell(&format!("warning: {id}: {}", crate::model::sanitize::chain(&error))),
            }
        }
    } else {
        for name in &args.ids {
            let id = context.session(world, name)?;
            let loaded = world.home.load(&id)?;
            sessions.push((id, loaded));
        }
    }
    sessions.sort_by(|(a, x), (b, y)| (x.record.created_at, a).cmp(&(y.record.created_at, b)));
    Ok(sessions)
}

fn look(
    context: &Context,
    world: &World,
    sessions: Vec<(SessionId, Loaded)>,
    with_git: bool,
) -> Vec<Row> {
    let live = |record: &Record| !record.lifecycle.is_terminal() && record.intent.is_none();
    let records = sessions.iter().map(|(_, loaded)| &loaded.record).filter(|record| live(record));
    let probe = Probe::of(world.home.root(), &world.config_directory, records, clock::now());
    if let Some(failure) = probe.failure() {
        context.tell(&format!("warning: {}", crate::model::sanitize::chain(failure)));
    }
    let mut facts = sessions
        .iter()
        .filter(|(_, loaded)| live(&loaded.record))
        .filter_map(|(id, loaded)| {
            Some((id.clone(), probe.fact(&world.home.session_dir(id), &loaded.record)?))
        })
        .collect();
    decide::calm_storm(&mut facts);
    sessions
        .into_iter()
        .map(|(id, loaded)| {
            let (status, why) = decided(world, &loaded.record, facts.remove(&id));
            let handle = loaded.record.handles.workspace.as_ref();
            let git = handle.filter(|_| with_git).map(|handle| git::status(handle, GIT_DEADLINE));
            Row { id, status, why, git, loaded }
        })
        .collect()
}

/// Decides as a reap would, and stores nothing.
fn decided(
    world: &World,
    record: &Record,
    fact: Option<crate::model::facts::RuntimeFact>,
) -> (Status, String) {
    let stored = Status::of(&record.lifecycle);
    let Some(fact) = fact else { return (stored, record.lifecycle.session.reason.to_string()) };
    let Ok(layered) = world.config_of(record) else { return (stored, String::new()) };
    let policy = &layered.config.policy;
    match decide::reduce(record, &Observation::Runtime(fact), policy, clock::now()) {
        Ok(outcome) => (outcome.status_after, outcome.after.lifecycle.session.reason.to_string()),
        Err(_) => (stored, String::new()),
    }
}

fn value(row: &Row, with_git: bool) -> Value {
    let mut value = output::session_value(&row.loaded.document, row.status);
    if with_git {
        value["git"] = match &row.git {
            Some(Ok(status)) => json!({
                "branch": status.branch,
                "head": status.head,
                "ahead": status.ahead,
                "behind": status.behind,
                "uncommitted": status.changed,
                "untracked": status.untracked,
            }),
            Some(Err(_)) | None => Value::Null,
        };
    }
    value
}

fn table(out: &mut dyn Write, rows: &[Row], with_git: bool) -> Result<(), CommandError> {
    if rows.is_empty() {
        return Ok(());
    }
    let now = clock::now();
    let mut heading = vec!["ID", "STATUS", "FOR", "AGENT", "WHY"];
    if with_git {
        heading.push("GIT");
    }
    let mut table = Table::new(&heading);
    for row in rows {
        let session = &row.loaded.record.lifecycle.session;
        let since = session.since.map_or_else(String::new, |at| output::age(now.since(at)));
        let why = match session.until {
            Some(until) if row.status == Status::Stuck => output::limit_until(until, now),
            Some(_) | None => row.why.clone(),
        };
        let agent = row.loaded.record.agent.clone();
        let mut cells = vec![row.id.to_string(), row.status.to_string(), since, agent, why];
        if with_git {
            cells.push(git_cell(row));
        }
        table.row(cells);
    }
    Ok(table.write(out)?)
}

fn git_cell(row: &Row) -> String {
    match &row.git {
        None => String::new(),
        Some(Err(error)) => format!("? {error}"),
        Some(Ok(status)) => {
            let branch = status.branch.clone().unwrap_or_else(|| "detached".to_owned());
            let ahead = status.ahead.filter(|ahead| *ahead > 0);
            let ahead = ahead.map_or_else(String::new, |ahead| format!(" +{ahead}"));
            let dirt = status.changed + status.untracked;
            let dirt = if dirt == 0 { String::new() } else { format!(", {dirt} uncommitted") };
            format!("{branch}{ahead}{dirt}")
        }
    }
}
