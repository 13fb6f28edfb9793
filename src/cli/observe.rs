//! `ao observe`: pushes one fact from outside.

use std::io::Write;

use serde_json::{Value, json};

use crate::adapter::clock;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::decide;
use crate::invocation;
use crate::model::facts::Observation;

/// What was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FactKind {
    Runtime,
    Scm,
    Activity,
}

impl FactKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Scm => "scm",
            Self::Activity => "activity",
        }
    }
}

/// Record one fact about a session, as JSON from standard input
///
/// The shape is that of `ao decide`; `kind` may be left out.
#[derive(Debug, clap::Args)]
pub struct ObserveArgs {
    /// What was observed: runtime, scm or activity
    #[arg(value_name = "KIND")]
    kind: FactKind,
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao observe`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &ObserveArgs,
) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let id = context.session(&world, &args.id)?;
    let invalid = |error: anyhow::Error| CommandError::new(Exit::Invalid, error);
    let mut value: Value = serde_json::from_slice(&context.read_stdin()?)
        .map_err(|error| invalid(anyhow::Error::new(error).context("the fact is not JSON")))?;
    let Value::Object(object) = &mut value else {
        return Err(invalid(anyhow::anyhow!("the fact is not a JSON object")));
    };
    let kind = object.entry("kind").or_insert_with(|| json!(args.kind.as_str()));
    if kind.as_str() != Some(args.kind.as_str()) {
        return Err(invalid(anyhow::anyhow!(
            "the fact says it is {kind}, not {}",
            args.kind.as_str()
        )));
    }
    let observation = Observation::from_value(value).map_err(|error| invalid(error.into()))?;
    if args.dry_run {
        let record = world.home.load(&id)?.record;
        let layered = world.config_of(&record)?;
        let policy = &layered.config.policy;
        let outcome = decide::reduce(&record, &observation, policy, clock::now())?;
        let (from, to) = (outcome.status_before, outcome.status_after);
        let why = format!("{}: {}", outcome.rule, outcome.reason);
        let op = format!("move {id} from {from} to {to}");
        let steps = if outcome.patch.is_empty() { Vec::new() } else { vec![(op, why)] };
        output::plan(out, context.global.json, &steps)?;
        return Ok(Exit::Done);
    }
    let applied = invocation::apply(&world, &id, &observation, "observe")?;
    if context.global.json {
        let value = json!({
            "id": id,
            "changed": applied.changed,
            "revision": applied.revision,
            "status": applied.outcome.status_after,
            "rule": applied.outcome.rule.to_string(),
            "reason": applied.outcome.reason,
        });
        output::json_answer(out, "observe", value)?;
    } else {
        let (status, rule) = (applied.outcome.status_after, &applied.outcome.rule);
        writeln!(out, "{id} {status} ({rule})")?;
    }
    Ok(Exit::Done)
}
