//! `ao orchestrator`: the session of a project that leads the others.

use std::io::Write;

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{output, spawn as cli_spawn};
use crate::invocation::World;
use crate::model::answer::PlanStep;
use crate::model::id::SessionId;
use crate::model::record::{Kind, Record};
use crate::session::spawn::{self, SpawnRequest};
use crate::session::{SessionError, orchestrator};

/// Start this repository's orchestrator session, or name the one that lives
///
/// An orchestrator leads other sessions: its system prompt teaches it `ao`, and it is told when
/// one that it spawned is done, needs input or is stuck. A project has one at a time. Prints its
/// id. `--clean` retires the live one first: its work is saved under refs/ao/preserved/<id>.
#[derive(Debug, clap::Args)]
pub struct OrchestratorArgs {
    /// What it is asked for; `-` reads standard input
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,
    /// Retire the one that lives, saving its work, and start afresh
    #[arg(long)]
    clean: bool,
    /// The agent: a card's name
    #[arg(long, short, value_name = "NAME")]
    agent: Option<String>,
    /// The model
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The permission mode: default, accept-edits, auto, bypass
    #[arg(long, value_name = "MODE")]
    permission: Option<String>,
    /// Check everything, say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao orchestrator`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &OrchestratorArgs,
) -> Result<Exit, CommandError> {
    let world = if args.dry_run { context.reader()? } else { context.world()? };
    let live = orchestrator::live(&world)?;
    if let (Some((id, record)), false) = (live.first(), args.clean) {
        return present(context, out, args, &world, id, record);
    }
    if let Some(own) = context.env.text("AO_SESSION").filter(|own| is_among(own, &live)) {
        let error = anyhow::anyhow!("{own} cannot retire itself");
        return Err(CommandError::new(Exit::Refused, error).hint("run it outside that session"));
    }
    let request = request(context, args, &live)?;
    // Checked before anybody is retired: without a successor the old one had better stay.
    let plan = match spawn::plan(&world, request) {
        Ok(plan) => plan,
        // Another that was asked for at the same time came first.
        Err(SessionError::OrchestratorLives { id }) if !args.clean => {
            let record = world.home.load(&id)?.record;
            return present(context, out, args, &world, &id, &record);
        }
        Err(error) => return Err(error.into()),
    };
    if args.dry_run {
        let retired = live.iter().map(|(id, _)| {
            let why = "its work is saved, then it is cleaned up".to_owned();
            PlanStep::from((format!("retire {id}"), why))
        });
        let steps: Vec<_> = retired.chain(plan.steps(&world, 1)?).collect();
        output::plan(out, context.global.json, &steps)?;
        return Ok(Exit::Done);
    }
    for (id, _) in &live {
        retire(context, &world, id)?;
    }
    let spawned = match spawn::execute(&world, &plan) {
        Ok(spawned) => spawned,
        // Two were asked for at once, and the other came first.
        Err(SessionError::OrchestratorLives { id }) if !args.clean => {
            let record = world.home.load(&id)?.record;
            return present(context, out, args, &world, &id, &record);
        }
        Err(error) => return Err(error.into()),
    };
    spawned.notes.iter().for_each(|note| context.tell(note));
    cli_spawn::deliver_prompt(context, &world, &spawned.id);
    answer(context, out, &world, &spawned.id, Some(spawned.revision))
}

fn is_among(own: &str, live: &[(SessionId, Record)]) -> bool {
    live.iter().any(|(id, _)| id.as_str() == own)
}

fn request(
    context: &Context,
    args: &OrchestratorArgs,
    live: &[(SessionId, Record)],
) -> Result<SpawnRequest, CommandError> {
    let prompt = match args.prompt.as_deref() {
        Some("-") => Some(context.read_stdin()?),
        prompt => prompt.map(|prompt| prompt.as_bytes().to_vec()),
    };
    Ok(SpawnRequest {
        kind: Kind::Orchestrator,
        agent: args.agent.clone(),
        prompt,
        title: Some("orchestrator".to_owned()),
        model: args.model.clone(),
        permission: args.permission.clone(),
        parent: context.env.text("AO_SESSION").and_then(|id| id.parse().ok()),
        retires: live.iter().map(|(id, _)| id.clone()).collect(),
        dry_run: args.dry_run,
        ..SpawnRequest::default()
    })
}

/// Answers with the orchestrator that lives; it is never handed a task that it was not sent.
fn present(
    context: &Context,
    out: &mut dyn Write,
    args: &OrchestratorArgs,
    world: &World,
    id: &SessionId,
    record: &Record,
) -> Result<Exit, CommandError> {
    if args.prompt.is_some() {
        let error = anyhow::anyhow!("{id} is this project's orchestrator, and lives");
        let hint = format!("`ao send {id}` gives it the task, --clean starts afresh");
        return Err(CommandError::new(Exit::Conflict, error).hint(hint));
    }
    if args.dry_run {
        output::plan(out, context.global.json, &[] as &[PlanStep])?;
        return Ok(Exit::Done);
    }
    let is_other = args.agent.as_ref().is_some_and(|agent| *agent != record.agent);
    if is_other || args.model.is_some() || args.permission.is_some() {
        let agent = &record.agent;
        context.tell(&format!("{id} lives already, with agent {agent}; --clean starts another"));
    }
    answer(context, out, world, id, None)
}

fn retire(context: &Context, world: &World, id: &SessionId) -> Result<(), CommandError> {
    let cleaned = orchestrator::retire(world, id)?;
    if let Some(command) = &cleaned.restore_command {
        context.tell(&format!("saved the work of {id}; to bring it back: {command}"));
    }
    if cleaned.kept.is_empty() {
        context.tell(&format!("{id} retired"));
    } else {
        context.tell(&format!("{id} retired, workspace kept: {}", cleaned.kept.join("; ")));
    }
    Ok(())
}

fn answer(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    id: &SessionId,
    since: Option<u64>,
) -> Result<Exit, CommandError> {
    if !context.global.json {
        writeln!(out, "{id}")?;
        return Ok(Exit::Done);
    }
    let loaded = world.home.load(id)?;
    let session = output::session_of(&loaded);
    let mut value = json!({ "schema": output::SCHEMA, "session": session });
    if let Some(since) = since {
        value["since"] = json!(since);
    }
    output::json(out, &value)?;
    Ok(Exit::Done)
}
