//! `ao report`: what an agent says of itself.

use std::io::Write;

use serde_json::json;

use crate::adapter::clock;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::decide;
use crate::model::id::{LaunchId, SessionId};
use crate::model::report::{ReportFact, ReportState};
use crate::session::{handover, report};

/// Say how you get on; for the agent of a session
///
/// Works only inside a session. What is said counts as a signal of the agent itself; that a
/// session is merged, closed or done is never its own word. Note and pull request are kept in the
/// record, where `ao show` shows them, and an orchestrator that spawned the session is told.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// started, working, waiting, needs-input or completed
    #[arg(value_name = "STATE")]
    state: ReportState,
    /// What there is to say about it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The address of the pull request you opened
    #[arg(long, value_name = "URL")]
    pr: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao report`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &ReportArgs,
) -> Result<Exit, CommandError> {
    let (id, launch) = surrounding(context)?;
    let fact = report::fact(ReportFact {
        state: args.state,
        note: args.note.clone(),
        pr: args.pr.clone(),
    })?;
    let world = context.existing_world()?;
    if args.dry_run {
        let record = world.home.load(&id)?.record;
        report::require_current(&id, &record, &launch)?;
        let observation = report::observation(&launch, fact);
        let policy = &world.config_of(&record)?.config.policy;
        let outcome = decide::reduce(&record, &observation, policy, clock::now())?;
        let (from, to) = (outcome.status_before, outcome.status_after);
        let op = format!("move {id} from {from} to {to}");
        output::plan(out, context.global.json, &[(op, outcome.reason)])?;
        return Ok(Exit::Done);
    }
    let applied = report::report(&world, &id, &launch, fact)?;
    // It is recorded; what cannot go out now goes out with the next pass.
    if let Err(error) = handover::pass_on(&world, &id) {
        context.tell(&format!("not passed on yet: {}", CommandError::from(error).one_line()));
    }
    let (status, rule) = (applied.outcome.status_after, applied.outcome.rule);
    if context.global.json {
        let value = json!({
            "id": id,
            "state": args.state,
            "status": status,
            "rule": rule,
            "revision": applied.revision,
        });
        output::json_answer(out, "report", value)?;
    } else {
        writeln!(out, "{id} {} ({status})", args.state)?;
    }
    Ok(Exit::Done)
}

/// Returns the session whose agent called, by what only its agent is given.
fn surrounding(context: &Context) -> Result<(SessionId, LaunchId), CommandError> {
    let session = context.env.text("AO_SESSION").and_then(|id| id.parse().ok());
    let launch = context.env.text("AO_LAUNCH").and_then(|id| id.parse().ok());
    session.zip(launch).ok_or_else(|| {
        let error =
            anyhow::anyhow!("this is no session's agent: AO_SESSION and AO_LAUNCH say none");
        CommandError::new(Exit::NotFound, error)
            .hint("agents call it inside their sessions; `ao observe activity ID` is for others")
    })
}
