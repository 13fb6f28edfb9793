//! `ao spawn`: one session; [`batch`] starts several.

mod batch;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::act::Delivery;
use crate::adapter::fs;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::issue::QueryArgs;
use crate::cli::output;
use crate::cli::wait;
use crate::invocation::World;
use crate::model::answer::PlanStep;
use crate::model::id::{BranchName, SessionId};
use crate::model::record::{Mode, RuntimeKind};
use crate::model::status::Status;
use crate::session::spawn::{self, Plan, SpawnRequest, Spawned, WorkspaceKind};
use crate::session::{SessionError, deliver, intent, issue, replace};
use crate::store::StoreError;

/// What to do where `--id` names a session that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum IfExists {
    Fail,
    Reuse,
    Replace,
}

/// Where the agent works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum WorkspaceArg {
    Worktree,
    None,
}

const EXAMPLES: &str = "\
Examples:
  $ ao spawn --agent shell 'make test' --wait    # exits as `ao wait` does
  $ ao spawn - < task.md                         # byte for byte, whatever is in it
  $ ao spawn --count 3 'try it your own way'     # three sessions, three branches
  $ ao spawn --branch fix/login --base v1.2 'repair the login'
  $ ao spawn --issue 7                           # its title, text and comments are the task
  $ ao spawn --batch tasks.jsonl --dry-run       # what would be done, and why
  $ ao spawn --batch --label bug --limit 5       # five open bugs that nobody works on";

/// Start a session: a worktree, a branch, and an agent at work in it
///
/// The prompt is the argument; `-` reads it from standard input, byte for byte. With nothing
/// configured the agent is the only one that is installed. Prints the session's id.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct SpawnArgs {
    /// The task for the agent; `-` reads standard input
    #[arg(value_name = "PROMPT", conflicts_with = "prompt_file")]
    prompt: Option<String>,
    /// Read the task from a file, byte for byte
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// The agent: a card's name
    #[arg(long, short, value_name = "NAME")]
    agent: Option<String>,
    /// The issue it works on; one live session per issue
    ///
    /// Where the repository has a tracker, title, text and comments of the issue follow the
    /// prompt, quoted as text from outside.
    #[arg(long, value_name = "ISSUE")]
    issue: Option<String>,
    /// Work on a closed issue all the same
    #[arg(long)]
    force: bool,
    /// A title for people
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// The branch: an existing one, or the name of a new one
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// The ref a new branch starts from
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// The model
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The permission mode: default, accept-edits, auto, bypass
    #[arg(long, value_name = "MODE")]
    permission: Option<String>,
    /// Whether the agent stays for more (interactive) or ends by itself (one_shot)
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
    /// Where the process lives: tmux or process
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<RuntimeKind>,
    /// Where it works: worktree, or none for the repository itself
    #[arg(long, value_name = "KIND", default_value = "worktree")]
    workspace: WorkspaceArg,
    /// The session's name instead of <project>-<n>
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Where --id names a session that is there: fail, reuse it if it lives, or replace it
    #[arg(long, value_name = "WHAT", default_value = "fail", requires = "id")]
    if_exists: IfExists,
    /// Start that many sessions
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["id", "branch", "issue"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Start one session per JSON line of FILE (`-`: standard input), or per issue of a query
    ///
    /// A line is an object with any of `prompt`, `agent`, `issue`, `title`, `branch`, `base`,
    /// `model`, `permission`, `mode`, `runtime` and `id`, each as the option of that name. Without
    /// FILE, --label, --assignee, --state and --limit say which issues; those that a live session
    /// works on are left alone.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[arg(conflicts_with_all = ["prompt", "prompt_file", "count", "id", "issue", "branch"])]
    batch: Option<Option<PathBuf>>,
    #[command(flatten)]
    query: QueryArgs,
    /// Wait until it is idle, needs a person, or has ended; exit as `ao wait` does
    #[arg(long)]
    wait: bool,
    /// How long --wait waits
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "wait")]
    timeout: Option<Duration>,
    /// Check everything, say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao spawn`.
pub fn run(context: &Context, out: &mut dyn Write, args: &SpawnArgs) -> Result<Exit, CommandError> {
    if args.batch.is_none() && args.count == 1 {
        let request = SpawnRequest { prompt: prompt(context, args)?, ..base(context, args)? };
        require_no_query(args)?;
        return single(context, out, args, request);
    }
    batch::run(context, out, args)
}

fn require_no_query(args: &SpawnArgs) -> Result<(), CommandError> {
    if args.query.is_empty() {
        return Ok(());
    }
    let error = anyhow::anyhow!("--label, --assignee, --state and --limit say which issues");
    Err(CommandError::new(Exit::Invalid, error).hint("say --batch without a file"))
}

/// Returns what holds for every session of this command.
fn base(context: &Context, args: &SpawnArgs) -> Result<SpawnRequest, CommandError> {
    Ok(SpawnRequest {
        agent: args.agent.clone(),
        issue: args.issue.clone(),
        title: args.title.clone(),
        branch: args.branch.as_deref().map(str::parse::<BranchName>).transpose()?,
        base: args.base.clone(),
        model: args.model.clone(),
        permission: args.permission.clone(),
        mode: args.mode,
        runtime: args.runtime,
        workspace: match args.workspace {
            WorkspaceArg::Worktree => WorkspaceKind::Worktree,
            WorkspaceArg::None => WorkspaceKind::None,
        },
        id: args.id.as_deref().map(str::parse::<SessionId>).transpose()?,
        parent: context.env.text("AO_SESSION").and_then(|id| id.parse().ok()),
        dry_run: args.dry_run,
        ..SpawnRequest::default()
    })
}

fn prompt(context: &Context, args: &SpawnArgs) -> Result<Option<Vec<u8>>, CommandError> {
    Ok(match (&args.prompt, &args.prompt_file) {
        (Some(prompt), _) if prompt == "-" => Some(context.read_stdin()?),
        (Some(prompt), _) => Some(prompt.clone().into_bytes()),
        (None, Some(file)) => Some(fs::read(&context.env.directory.join(file))?),
        (None, None) => None,
    })
}

/// A spawn that was killed must not stand in the way of the next one until a reap comes by.
fn recover_dead_spawns(world: &World) {
    for id in world.home.session_ids().unwrap_or_default() {
        if world.home.may_have_intent(&id)
            && let Ok(loaded) = world.home.load(&id)
            && loaded.record.intent.is_some()
        {
            // What cannot be recovered here is reported by the next reap.
            let _ = intent::recover(world, &id, &loaded.record);
        }
    }
}

fn single(
    context: &Context,
    out: &mut dyn Write,
    args: &SpawnArgs,
    request: SpawnRequest,
) -> Result<Exit, CommandError> {
    if args.dry_run {
        return dry_run(context, out, args, request);
    }
    let world = &context.world()?;
    recover_dead_spawns(world);
    let first = first_spawn(world);
    let spawned = start(context, world, args, request)?;
    tell_all(context, &spawned.notes);
    deliver_prompt(context, world, &spawned.id);
    if first && !context.global.json {
        context.tell("hint: `ao timer install` lets a timer run `ao reap` every minute");
    }
    if args.wait {
        if !context.global.json {
            writeln!(out, "{}", spawned.id)?;
            out.flush()?;
        }
        return wait::for_turn(context, out, world, &spawned.id, spawned.revision, args.timeout);
    }
    let loaded = world.home.load(&spawned.id)?;
    if context.global.json {
        let session = output::session_of(&loaded);
        let revision = spawned.revision;
        output::json(
            out,
            &json!({ "schema": output::SCHEMA, "session": session, "since": revision }),
        )?;
    } else {
        writeln!(out, "{}", spawned.id)?;
    }
    Ok(Exit::Done)
}

/// Starts what is asked for, or finds it where that is to be reused.
fn start(
    context: &Context,
    world: &World,
    args: &SpawnArgs,
    mut request: SpawnRequest,
) -> Result<Spawned, CommandError> {
    let known = known(world, &request);
    if let (Some(id), IfExists::Reuse) = (&known, args.if_exists) {
        // A name that is there already decides alone what becomes of it.
        return reuse(context, world, id);
    }
    let replaced = known.filter(|_| args.if_exists == IfExists::Replace);
    request.retires = replaced.iter().cloned().collect();
    // Checked to the end before anybody is ended: without a successor the old one had better stay.
    let started = plan(context, world, request, args.force).and_then(|plan| {
        if let Some(id) = &replaced {
            let cleaned = replace::replace(world, id)?;
            if let Some(command) = &cleaned.restore_command {
                context.tell(&format!("saved the work of the old {id}: {command}"));
            }
        }
        spawn::execute(world, &plan)
    });
    match started {
        // Another that was asked for at the same time came first.
        Err(SessionError::Store(StoreError::Exists { id }))
            if args.if_exists == IfExists::Reuse =>
        {
            reuse(context, world, &id)
        }
        started => Ok(started?),
    }
}

/// Says what [`start`] would do.
fn dry_run(
    context: &Context,
    out: &mut dyn Write,
    args: &SpawnArgs,
    mut request: SpawnRequest,
) -> Result<Exit, CommandError> {
    let world = &context.reader()?;
    let known = known(world, &request);
    let mut steps: Vec<PlanStep> = Vec::new();
    if let (Some(id), IfExists::Reuse) = (&known, args.if_exists) {
        require_live(world, id)?;
        steps.push((format!("reuse {id}"), "it is there already".to_owned()).into());
    } else {
        if let Some(id) = known.filter(|_| args.if_exists == IfExists::Replace) {
            let why = "its work is saved, then it is cleaned up".to_owned();
            steps.push((format!("replace {id}"), why).into());
            request.retires.push(id);
        }
        let plan = plan(context, world, request, args.force)?;
        tell_all(context, &plan.notes);
        steps.extend(plan.steps(world, 1)?);
    }
    output::plan(out, context.global.json, &steps)?;
    Ok(Exit::Done)
}

/// Returns the name that is asked for, where a session has it.
fn known(world: &World, request: &SpawnRequest) -> Option<SessionId> {
    request.id.clone().filter(|id| world.home.load(id).is_ok())
}

fn reuse(context: &Context, world: &World, id: &SessionId) -> Result<Spawned, CommandError> {
    let revision = require_live(world, id)?;
    context.tell(&format!("{id} is there already"));
    Ok(Spawned { id: id.clone(), revision, notes: Vec::new() })
}

/// Returns the revision of a session that lives: in one that has ended nobody would do the work.
fn require_live(world: &World, id: &SessionId) -> Result<u64, CommandError> {
    let record = world.home.load(id)?.record;
    if !record.lifecycle.is_terminal() {
        return Ok(record.revision);
    }
    let (status, why) = (Status::of(&record.lifecycle), "only a session that lives can be reused");
    let error = SessionError::WrongState { id: id.clone(), status, why };
    let hint = format!("`ao restore {id}` starts it again, --if-exists replace starts afresh");
    Err(CommandError::from(error).hint(hint))
}

fn tell_all(context: &Context, notes: &[String]) {
    notes.iter().for_each(|note| context.tell(note));
}

/// Checks a request, its issue and what it replaces included, and makes nothing.
fn plan(
    context: &Context,
    world: &World,
    mut request: SpawnRequest,
    force: bool,
) -> Result<Plan, SessionError> {
    for id in &request.retires {
        replace::require_possible(world, id, request.parent.as_ref())?;
    }
    tell_all(context, &issue::fill_in(world, &mut request, force)?);
    spawn::plan(world, request)
}

fn first_spawn(world: &World) -> bool {
    world.home.is_unused().unwrap_or(false)
}

/// Delivers a prompt that has to be pasted; what is held goes out with the next reap.
///
/// The session runs either way, so a failure is told and hides neither its id nor the others.
pub fn deliver_prompt(context: &Context, world: &World, id: &SessionId) {
    if let Some(note) = prompt_delivery(world, id) {
        context.tell(&note);
    }
}

/// [`deliver_prompt`] that returns what is to be told.
fn prompt_delivery(world: &World, id: &SessionId) -> Option<String> {
    let loaded = world.home.load(id).ok()?;
    let key = loaded.record.outbox.keys().find(|key| key.ends_with(deliver::TASK))?;
    match deliver::deliver_entry(world, id, key, deliver::Patience::Foreground) {
        Ok(Delivery::Delivered) => None,
        Ok(
            other @ (Delivery::Unconfirmed(_)
            | Delivery::Held(_)
            | Delivery::Draft(_)
            | Delivery::Failed(_)
            | Delivery::Dropped(_)),
        ) => {
            let why = other.why().unwrap_or_default();
            Some(format!("the prompt of {id} is {}: {why}", other.as_str()))
        }
        Err(error) => {
            let error = CommandError::from(error).one_line();
            Some(format!("the prompt of {id} is not delivered yet: {error}"))
        }
    }
}
