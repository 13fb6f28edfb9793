//! `ao pr`: the pull requests of sessions.

use std::io::Write;

use clap::Subcommand;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::merge::{self, MergeArgs};
use crate::cli::output::{self, Table};
use crate::invocation::World;
use crate::model::answer::{PrAnswer, PrShown, PrsAnswer};
use crate::model::forge::PullRequest;
use crate::model::id::SessionId;
use crate::model::lifecycle::PrState;
use crate::model::record::{self, Record};
use crate::model::sanitize;
use crate::session::pr::Wanted;
use crate::session::{context as names, pr};

/// See, open, merge and claim the pull requests of sessions
#[derive(Debug, clap::Args)]
pub struct PrArgs {
    #[command(subcommand)]
    command: PrCommand,
}

#[derive(Debug, Subcommand)]
enum PrCommand {
    /// List the pull requests of sessions, as the records tell
    Ls {
        /// Ask the forge for all that are open in this repository
        #[arg(long)]
        remote: bool,
    },
    /// Show the pull request of one session
    Show {
        /// The session
        #[arg(value_name = "ID")]
        id: String,
        /// Ask the forge
        #[arg(long)]
        remote: bool,
    },
    /// Open a pull request for a session's branch, or return the one that is open
    ///
    /// The branch has to be on the remote `origin`; --push brings it there, never by force.
    Create(CreateArgs),
    /// Merge it, as `ao merge` does
    Merge(MergeArgs),
    /// Make a pull request that was opened elsewhere a session's own
    ///
    /// The forge is asked whether branch and repository are the session's.
    Claim {
        /// The session
        #[arg(value_name = "ID")]
        id: String,
        /// The pull request's number or address
        #[arg(value_name = "NUMBER|URL")]
        pull_request: String,
        /// Ask the forge, say what would be noted, and note nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// Its title; else the session's, else the first line of the last commit
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// What it says; `-` reads standard input
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// The branch it is to be merged into; else the one that the session's began at
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// Not yet to be reviewed
    #[arg(long)]
    draft: bool,
    /// Push the branch to `origin` first
    #[arg(long)]
    push: bool,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao pr`.
pub fn run(context: &Context, out: &mut dyn Write, args: &PrArgs) -> Result<Exit, CommandError> {
    match &args.command {
        PrCommand::Ls { remote: false } => ls(context, out, of_records(&context.reader()?)?)?,
        PrCommand::Ls { remote: true } => ls(context, out, of_forge(&context.reader()?)?)?,
        PrCommand::Show { id, remote } => show(context, out, id, *remote)?,
        PrCommand::Create(args) => create(context, out, args)?,
        PrCommand::Merge(args) => return merge::run(context, out, args),
        PrCommand::Claim { id, pull_request, dry_run: true } => {
            let world = context.reader()?;
            let id = context.session(&world, id)?;
            let (found, _) = pr::claimable(&world, &id, pull_request)?;
            let number = found.number.map_or_else(|| "-".to_owned(), |number| format!("#{number}"));
            let why = format!("its branch is {}, and the forge says it is its own", found.branch);
            let step = (format!("make {number} the pull request of {id}"), why);
            output::plan(out, context.global.json, &[step])?;
        }
        PrCommand::Claim { id, pull_request, dry_run: false } => {
            let world = context.existing_world()?;
            let id = context.session(&world, id)?;
            let found = pr::claim(&world, &id, pull_request)?;
            answer(context, out, &world, &id, Some(found))?;
        }
    }
    Ok(Exit::Done)
}

fn create(context: &Context, out: &mut dyn Write, args: &CreateArgs) -> Result<(), CommandError> {
    let body = match args.body.as_deref() {
        Some("-") => Some(String::from_utf8_lossy(&context.read_stdin()?).into_owned()),
        Some(body) => Some(body.to_owned()),
        None => None,
    };
    let wanted = Wanted {
        title: args.title.clone(),
        body,
        base: args.base.clone(),
        draft: args.draft,
        push: args.push,
    };
    if args.dry_run {
        let world = context.reader()?;
        let id = context.session(&world, &args.id)?;
        let plan = pr::plan(&world, &id, &wanted)?;
        plan.notes.iter().for_each(|note| context.tell(note));
        return Ok(output::plan(out, context.global.json, &plan.steps)?);
    }
    let world = context.existing_world()?;
    let id = context.session(&world, &args.id)?;
    let (made, notes) = pr::create(&world, &id, &wanted)?;
    notes.iter().for_each(|note| context.tell(note));
    answer(context, out, &world, &id, Some(made))
}

fn show(
    context: &Context,
    out: &mut dyn Write,
    name: &str,
    remote: bool,
) -> Result<(), CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, name)?;
    let found = if remote { pr::look(&world, &id)? } else { None };
    answer(context, out, &world, &id, found)
}

/// Writes what is known of a session's pull request: its record, and the forge's word over it.
fn answer(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    id: &SessionId,
    found: Option<PullRequest>,
) -> Result<(), CommandError> {
    let record = world.home.load(id)?.record;
    let mut shown = of_record(id, &record);
    if let Some(found) = found {
        shown = PrShown { session: shown.session, reason: shown.reason, ..of_pull_request(found) };
    }
    if context.global.json {
        return Ok(output::json(out, &PrAnswer { schema: output::SCHEMA, pr: shown })?);
    }
    writeln!(out, "{}", line(&shown))?;
    if let Some(url) = &shown.url {
        writeln!(out, "{url}")?;
    }
    Ok(())
}

fn line(shown: &PrShown) -> String {
    let number = number(shown);
    let id = shown.session.as_ref().map_or("-", |id| id.as_str());
    match (shown.state, &shown.reason) {
        (PrState::None, _) => format!("{id} has no pull request"),
        (state, Some(reason)) => format!("{id}: {number} {state} ({reason})"),
        (state, None) => format!("{id}: {number} {state}"),
    }
}

fn number(shown: &PrShown) -> String {
    shown.number.map_or_else(|| "-".to_owned(), |number| format!("#{number}"))
}

fn ls(context: &Context, out: &mut dyn Write, prs: Vec<PrShown>) -> Result<(), CommandError> {
    if context.global.json {
        return Ok(output::json(out, &PrsAnswer { schema: output::SCHEMA, prs })?);
    }
    let mut table = Table::new(&["PR", "STATE", "SESSION", "BRANCH", "TITLE"]);
    for shown in prs {
        let session = shown.session.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let (number, state) = (number(&shown), shown.state.to_string());
        let branch = shown.branch.unwrap_or_else(|| "-".to_owned());
        table.row([number, state, session, branch, shown.title.unwrap_or_default()]);
    }
    if !table.is_empty() {
        table.write(out)?;
    }
    Ok(())
}

/// Returns the pull requests that records tell of.
fn of_records(world: &World) -> Result<Vec<PrShown>, CommandError> {
    let mut shown = Vec::new();
    for (id, record) in records(world)? {
        if record.lifecycle.pr.state != PrState::None {
            shown.push(of_record(&id, &record));
        }
    }
    Ok(shown)
}

/// Returns the open pull requests of this repository, each with the session that has it.
fn of_forge(world: &World) -> Result<Vec<PrShown>, CommandError> {
    let repository = names::repository(&world.directory)?;
    let project = world.home.find_project_by_common_dir(&repository.common_dir)?;
    let known: Vec<(SessionId, Record)> = match project {
        Some(project) => {
            let all = records(world)?.into_iter();
            all.filter(|(_, record)| record.project.as_ref() == Some(&project.id)).collect()
        }
        None => Vec::new(),
    };
    let found = pr::scm(world, &repository)?.pull_requests()?;
    let owner = |number: Option<u64>| {
        let number = number?;
        let mut owners = known.iter().filter(|(_, it)| it.lifecycle.pr.number == Some(number));
        owners.next().map(|(id, _)| id.clone())
    };
    let shown = |found: PullRequest| {
        let session = owner(found.number);
        PrShown { session, ..of_pull_request(found) }
    };
    Ok(found.into_iter().map(shown).collect())
}

fn records(world: &World) -> Result<Vec<(SessionId, Record)>, CommandError> {
    let mut records = Vec::new();
    for id in world.home.session_ids()? {
        // A record that cannot be read is told by whoever asks for it.
        if let Ok(loaded) = world.home.load(&id) {
            records.push((id, loaded.record));
        }
    }
    record::oldest_first(&mut records);
    Ok(records)
}

fn of_record(id: &SessionId, record: &Record) -> PrShown {
    let pr = &record.lifecycle.pr;
    let handle = record.handles.workspace.as_ref();
    PrShown {
        session: Some(id.clone()),
        number: pr.number,
        url: pr.url.as_deref().map(sanitize::line),
        title: record.title.as_deref().map(sanitize::line),
        state: pr.state,
        reason: Some(pr.reason),
        author: None,
        branch: handle.and_then(|it| it.branch.as_ref()).map(ToString::to_string),
        base: handle.and_then(|it| it.base_ref.clone()),
        head_sha: pr.head_sha.as_deref().map(sanitize::line),
    }
}

fn of_pull_request(found: PullRequest) -> PrShown {
    let line = |text: String| sanitize::line(&text);
    PrShown {
        session: None,
        number: found.number,
        url: found.url.map(line),
        title: Some(line(found.title)),
        state: found.state,
        reason: None,
        author: found.author.map(line),
        branch: Some(line(found.branch)),
        base: Some(line(found.base)),
        head_sha: found.head_sha.map(line),
    }
}
