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
use crate::model::collect::Sorted;
use crate::model::facts::Observation;
use crate::model::id::SessionId;
use crate::model::record::{Document, Record};
use crate::model::status::Status;
use crate::observe::{Look, Probe};
use crate::reap;
use crate::session::sight::{self, Sight};
use crate::store::Loaded;

/// How long git may take per workspace.
const GIT_DEADLINE: Duration = Duration::from_secs(5);

/// Show what is true now: `ls`, and one look at tmux
///
/// Starts one tmux client for all sessions and writes nothing: what the look means for a session
/// is decided as a reap would, and shown. `--git` asks each workspace for its branch and dirt.
#[derive(Debug, Default, clap::Args)]
pub struct StatusArgs {
    /// The sessions; all that have not ended where none is named
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Branch and uncommitted files of each workspace
    #[arg(long)]
    git: bool,
    /// Print the number of sessions that need a person, crashed ones among them
    #[arg(long, short)]
    quiet: bool,
}

/// A session that is to be shown.
struct Chosen {
    id: SessionId,
    record: Box<Record>,
    /// As it is stored, where that is printed.
    document: Option<Document>,
    archived: bool,
    /// Its launcher was seen alive.
    is_held: bool,
}

struct Row {
    id: SessionId,
    record: Box<Record>,
    document: Option<Document>,
    archived: bool,
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
    let mut look = Look::new(world.home.root(), &world.config_directory);
    let sessions = chosen(context, &world, args, &mut look)?;
    let rows = looked_at(context, &world, sessions, look, args.git);
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

/// Reads the sessions that are to be shown, while tmux is asked who lives.
fn chosen(
    context: &Context,
    world: &World,
    args: &StatusArgs,
    look: &mut Look,
) -> Result<Vec<Chosen>, CommandError> {
    let mut sessions = Vec::new();
    if args.ids.is_empty() {
        for (id, sight) in seen(context, world, look)? {
            if let Some(Sight { record, is_held, .. }) = sight {
                sessions.push(Chosen { id, record, document: None, archived: false, is_held });
                continue;
            }
            match world.home.load(&id) {
                Ok(loaded) => sessions.push(Chosen::of(id, loaded)),
                Err(error) => context
                    .tell(&format!("warning: {id}: {}", crate::model::sanitize::chain(&error))),
            }
        }
        // What ended in an error needs a person until somebody cleans it up.
        sessions.retain(|chosen| args.quiet || !chosen.record.lifecycle.is_terminal());
    } else {
        for name in &args.ids {
            let id = context.session(world, name)?;
            let loaded = world.home.load(&id)?;
            sessions.push(Chosen::of(id, loaded));
        }
    }
    sessions
        .sort_unstable_by(|a, b| (a.record.created_at, &a.id).cmp(&(b.record.created_at, &b.id)));
    Ok(sessions)
}

/// Returns all live sessions, with what was seen of each at a glance; none is glanced at where
/// the records are to be printed as they are stored.
fn seen(
    context: &Context,
    world: &World,
    look: &mut Look,
) -> Result<Vec<(SessionId, Option<Sight>)>, CommandError> {
    if context.global.json {
        let ids = world.home.session_ids()?;
        return Ok(ids.into_iter().map(|id| (id, None)).collect());
    }
    Ok(sight::all(&world.home, look)?)
}

impl Chosen {
    fn of(id: SessionId, loaded: Loaded) -> Self {
        let Loaded { document, record, archived, .. } = loaded;
        Self { id, record: Box::new(record), document: Some(document), archived, is_held: false }
    }
}

fn looked_at(
    context: &Context,
    world: &World,
    sessions: Vec<Chosen>,
    look: Look,
    with_git: bool,
) -> Vec<Row> {
    let live = |record: &Record| !record.lifecycle.is_terminal() && record.intent.is_none();
    let now = clock::now();
    let foreseen: Vec<Option<(Status, String)>> = sessions
        .iter()
        .map(|chosen| {
            let record = Some(&chosen.record).filter(|record| chosen.is_held && live(record))?;
            Some(decided(world, record, Probe::expected(record, now)))
        })
        .collect();
    let settled = || sessions.iter().filter(|chosen| live(&chosen.record));
    let probe = look.finish(settled().map(|chosen| &*chosen.record), now);
    if let Some(failure) = probe.failure() {
        context.tell(&format!("warning: {}", crate::model::sanitize::chain(failure)));
    }
    let fact = |chosen: &Chosen| {
        let directory = || world.home.session_dir(&chosen.id);
        Some((chosen.id.clone(), probe.fact(directory, &chosen.record, chosen.is_held)?))
    };
    let mut facts = settled().filter_map(fact).into_map();
    decide::calm_storm(&mut facts);
    sessions
        .into_iter()
        .zip(foreseen)
        .map(|(Chosen { id, record, document, archived, .. }, foreseen)| {
            let fact = facts.remove(&id);
            // What it means that all is as it seemed was decided while tmux was asked.
            let (status, why) = match foreseen.filter(|_| fact == Probe::expected(&record, now)) {
                Some(foreseen) => foreseen,
                None => decided(world, &record, fact),
            };
            let handle = record.handles.workspace.as_ref();
            let git = handle.filter(|_| with_git).map(|handle| git::status(handle, GIT_DEADLINE));
            Row { id, status, why, git, record, document, archived }
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
    let stored = row.document.clone().unwrap_or_else(|| row.record.to_document());
    let mut value = output::session_value(&stored, row.status);
    output::mark_archived(&mut value, row.archived);
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
        let session = &row.record.lifecycle.session;
        let since = session.since.map_or_else(String::new, |at| output::age(now.since(at)));
        let why = match session.until {
            Some(until) if row.status == Status::Stuck => output::limit_until(until, now),
            Some(_) | None => row.why.clone(),
        };
        let agent = row.record.agent.clone();
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
