//! `ao ls`: sessions from the files alone.

use std::io::Write;

use serde_json::json;

use crate::adapter::clock;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Table};
use crate::model::id::ProjectId;
use crate::model::record::Kind;
use crate::model::status::Status;
use crate::model::summary::Summary;
use crate::reap;

/// List sessions, from the files alone
///
/// Starts no child process. Shows what is neither archived nor ended; `--all` shows both as well.
#[derive(Debug, Default, clap::Args)]
pub struct LsArgs {
    /// Ended and archived sessions as well
    #[arg(long, short)]
    all: bool,
    /// Those of one project
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Those with one of these statuses
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    status: Vec<Status>,
    /// Those of one kind: worker, orchestrator, reviewer
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// Print the ids alone, one a line
    #[arg(long, short)]
    quiet: bool,
}

/// Runs `ao ls`.
pub fn run(context: &Context, out: &mut dyn Write, args: &LsArgs) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let project = args.project.as_deref().map(str::parse::<ProjectId>).transpose()?;
    let mut rows = Vec::new();
    for summary in world.home.summaries(args.all)? {
        match summary {
            Ok(summary) => rows.push(summary),
            Err((id, error)) => {
                context.tell(&format!("warning: {id}: {}", crate::model::sanitize::chain(&error)));
            }
        }
    }
    if let Some(project) = &project
        && !rows.iter().any(|row| row.project.as_ref() == Some(project))
    {
        world.home.project(project)?;
    }
    rows.retain(|row| {
        let status = row.status;
        // A status that was asked for by name is shown even where it has ended.
        (args.all || !args.status.is_empty() || !row.lifecycle.is_terminal())
            && (args.status.is_empty() || args.status.contains(&status))
            && args.kind.is_none_or(|kind| kind == row.kind)
            && (project.is_none() || row.project == project)
    });
    rows.sort_unstable_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    warn_stale_clock(context, &world);

    if context.global.json {
        let mut sessions = Vec::new();
        for row in &rows {
            match world.home.load(&row.id) {
                Ok(loaded) => sessions.push(output::session_of(&loaded)),
                Err(error) => {
                    context.tell(&format!(
                        "warning: {}: {}",
                        row.id,
                        crate::model::sanitize::chain(&error)
                    ));
                }
            }
        }
        let mut answer = json!({ "schema": output::SCHEMA, "sessions": sessions });
        if let Some(at) = reap::last_pass(&world) {
            answer["last_reap"] = json!(at);
        }
        output::json(out, &answer)?;
    } else if args.quiet {
        for row in &rows {
            writeln!(out, "{}", row.id)?;
        }
    } else {
        table(out, &rows)?;
        if rows.is_empty() {
            context.tell("no sessions");
        }
    }
    // The process ends: nobody needs the memory of a thousand sessions back, piece by piece.
    std::mem::forget(rows);
    // What could not be read was named; whoever names it in turn is refused.
    Ok(Exit::Done)
}

fn table(out: &mut dyn Write, rows: &[Box<Summary>]) -> Result<(), CommandError> {
    if rows.is_empty() {
        return Ok(());
    }
    let now = clock::now();
    let mut table = Table::new(&["ID", "STATUS", "AGE", "AGENT", "BRANCH", "TITLE"]);
    for row in rows {
        table.row([
            row.id.to_string(),
            row.status.to_string(),
            row.created_at.map_or_else(String::new, |at| output::age(now.since(at))),
            row.agent.clone(),
            row.branch.as_ref().map(ToString::to_string).unwrap_or_default(),
            row.title.clone().or_else(|| row.issue.clone()).unwrap_or_default(),
        ]);
    }
    Ok(table.write(out)?)
}

/// Warns where a timer is installed and the last pass is older than three of its intervals.
pub fn warn_stale_clock(context: &Context, world: &crate::invocation::World) {
    let Some(interval) = crate::cli::timer::recorded_interval(world) else {
        return;
    };
    let now = clock::now();
    match reap::last_pass(world) {
        Some(at) if now.since(at) <= interval * 3 => {}
        Some(at) => context.tell(&format!(
            "warning: the last reap was {} ago, though a timer is installed: see `ao timer status`",
            output::age(now.since(at))
        )),
        None => context
            .tell("warning: a timer is installed, but no reap has run: see `ao timer status`"),
    }
}
