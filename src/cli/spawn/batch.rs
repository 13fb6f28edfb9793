//! Several sessions at once: the same task many times, a file of tasks, the issues of a query.
//!
//! One that fails stops no other. What is read from a file is checked whole before anything is
//! started.

use std::io::Write;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{SpawnArgs, base, prompt, prompt_delivery, recover_dead_spawns, tell_all};
use crate::adapter::{clock, fs};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{output, wait};
use crate::invocation::World;
use crate::model::answer::Skipped;
use crate::model::forge::IssueQuery;
use crate::model::record::{Mode, RuntimeKind};
use crate::model::status::Status;
use crate::session::many::{self, Started};
use crate::session::spawn::{SpawnRequest, Spawned};
use crate::session::{SessionError, context as names, issue, tracker};

/// How many issues a query starts sessions for unless it says otherwise: each costs money.
const FEW: usize = 10;

/// One line of a batch file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BatchLine {
    prompt: Option<String>,
    agent: Option<String>,
    issue: Option<String>,
    title: Option<String>,
    branch: Option<String>,
    base: Option<String>,
    model: Option<String>,
    permission: Option<String>,
    mode: Option<Mode>,
    runtime: Option<RuntimeKind>,
    id: Option<String>,
}

/// What is to be started.
#[derive(Default)]
struct Batch {
    /// Each with the number of its line, or of the session where there is no file.
    requests: Vec<(usize, SpawnRequest)>,
    skipped: Vec<Skipped>,
    /// The lines are issues of a query.
    of_query: bool,
}

impl Batch {
    fn requests(&self) -> Vec<SpawnRequest> {
        self.requests.iter().map(|(_, request)| request.clone()).collect()
    }
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    spawned: Vec<Spawned>,
    failed: Vec<Value>,
    /// That of the first failure.
    exit: Option<Exit>,
}

/// Runs `ao spawn` for several sessions.
pub(super) fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &SpawnArgs,
) -> Result<Exit, CommandError> {
    let world = if args.dry_run { context.reader()? } else { context.world()? };
    let batch = batch(context, &world, args)?;
    for skipped in batch.skipped.iter().filter(|_| !context.global.json) {
        context.tell(&format!("issue {} is left alone: {}", skipped.issue, skipped.why));
    }
    if args.dry_run {
        return dry_run(context, out, &world, args, &batch);
    }
    recover_dead_spawns(&world);
    let outcome = start(context, out, &world, args, &batch)?;
    // What was started is told of, whatever comes of the wait.
    let waited = wait_for_all(context, out, &world, args, &outcome.spawned);
    if context.global.json {
        let sessions = outcome.spawned.iter().map(|session| {
            let loaded = world.home.load(&session.id)?;
            Ok(output::session_of(&loaded))
        });
        let sessions = sessions.collect::<Result<Vec<Value>, CommandError>>()?;
        let mut answer = json!({ "schema": output::SCHEMA, "sessions": sessions });
        if !outcome.failed.is_empty() {
            answer["failed"] = json!(outcome.failed);
        }
        if !batch.skipped.is_empty() {
            answer["skipped"] = json!(batch.skipped);
        }
        output::json(out, &answer)?;
    } else if outcome.spawned.is_empty() && outcome.failed.is_empty() {
        context.tell("there is nothing to start");
    }
    let waited = waited?;
    Ok(outcome.exit.unwrap_or(waited))
}

fn batch(context: &Context, world: &World, args: &SpawnArgs) -> Result<Batch, CommandError> {
    let base = base(context, args)?;
    match &args.batch {
        None => {
            super::require_no_query(args)?;
            let request = SpawnRequest { prompt: prompt(context, args)?, ..base };
            let requests = (1..=args.count as usize).map(|number| (number, request.clone()));
            Ok(Batch { requests: requests.collect(), ..Batch::default() })
        }
        Some(Some(file)) => {
            super::require_no_query(args)?;
            Ok(Batch { requests: of_file(context, file, &base)?, ..Batch::default() })
        }
        Some(None) => of_query(world, args, &base),
    }
}

fn of_file(
    context: &Context,
    file: &Path,
    base: &SpawnRequest,
) -> Result<Vec<(usize, SpawnRequest)>, CommandError> {
    let bytes = if file == Path::new("-") {
        context.read_stdin()?
    } else {
        fs::read(&context.env.directory.join(file))?
    };
    let text = String::from_utf8(bytes).map_err(|_| {
        CommandError::new(Exit::Invalid, anyhow::anyhow!("{} is not UTF-8", file.display()))
    })?;
    let mut requests = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let request = of_line(line, base).map_err(|error| {
            let place = format!("{}:{}: {error}", file.display(), number + 1);
            CommandError::new(Exit::Invalid, anyhow::anyhow!(place))
        })?;
        requests.push((number + 1, request));
    }
    Ok(requests)
}

fn of_line(line: &str, base: &SpawnRequest) -> Result<SpawnRequest, anyhow::Error> {
    let line: BatchLine = serde_json::from_slice(line.as_bytes())?;
    Ok(SpawnRequest {
        prompt: line.prompt.map(String::into_bytes),
        agent: line.agent.or_else(|| base.agent.clone()),
        issue: line.issue,
        title: line.title.or_else(|| base.title.clone()),
        branch: line.branch.as_deref().map(str::parse).transpose()?,
        base: line.base.or_else(|| base.base.clone()),
        model: line.model.or_else(|| base.model.clone()),
        permission: line.permission.or_else(|| base.permission.clone()),
        mode: line.mode.or(base.mode),
        runtime: line.runtime.or(base.runtime),
        id: line.id.as_deref().map(str::parse).transpose()?,
        ..base.clone()
    })
}

/// Returns the issues of the query that no live session works on, as many as are wanted.
fn of_query(world: &World, args: &SpawnArgs, base: &SpawnRequest) -> Result<Batch, CommandError> {
    if args.query.is_empty() {
        let error = anyhow::anyhow!("--batch names no file, and nothing says which issues");
        return Err(CommandError::new(Exit::Invalid, error).hint("such as --label bug --limit 5"));
    }
    let repository = names::repository(&world.directory)?;
    let tracker = tracker::required(world, &repository)?;
    // Those that are worked on already must not use the limit up.
    let query = IssueQuery { limit: None, ..args.query.query() };
    let limit = args.query.limit().unwrap_or(FEW);
    let mut batch = Batch { of_query: true, ..Batch::default() };
    let issues = tracker.issues(&query)?;
    let at_work = issue::live_sessions(world, &repository)?;
    for found in issues {
        if batch.requests.len() >= limit {
            break;
        }
        match at_work.get(&found.id) {
            Some(id) => batch
                .skipped
                .push(Skipped { issue: found.id, why: format!("{id} works on it already") }),
            None => {
                let request = SpawnRequest { issue: Some(found.id), ..base.clone() };
                batch.requests.push((batch.requests.len() + 1, request));
            }
        }
    }
    Ok(batch)
}

/// Says of each session what would be done, or why it would not be started.
fn dry_run(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    args: &SpawnArgs,
    batch: &Batch,
) -> Result<Exit, CommandError> {
    let (mut steps, mut exit) = (Vec::new(), None);
    many::plan_all(world, &batch.requests(), args.force, |nth, notes, planned| {
        tell_all(context, notes);
        match planned {
            Ok(planned) => steps.extend(planned),
            Err(error) => {
                let (number, request) = &batch.requests[nth];
                let (error, what) =
                    (CommandError::from(error), what(batch.of_query, *number, request));
                steps.push((format!("leave {what} out"), error.one_line()).into());
                exit.get_or_insert(error.exit);
            }
        }
    });
    output::plan(out, context.global.json, &steps)?;
    Ok(exit.unwrap_or(Exit::Done))
}

/// Returns how one session of a batch is named where it has no id.
fn what(of_query: bool, number: usize, request: &SpawnRequest) -> String {
    match &request.issue {
        Some(issue) if of_query => format!("issue {issue}"),
        Some(_) | None => format!("line {number}"),
    }
}

fn start(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    args: &SpawnArgs,
    batch: &Batch,
) -> Result<Outcome, CommandError> {
    let mut outcome = Outcome::default();
    let deliver = |world: &World, spawned: &Spawned| -> Vec<String> {
        prompt_delivery(world, &spawned.id).into_iter().collect()
    };
    many::spawn_all(world, &batch.requests(), args.force, &deliver, |nth, started: Started| {
        tell_all(context, &started.notes);
        match started.result {
            Ok(session) => {
                if !context.global.json {
                    writeln!(out, "{}", session.id)?;
                    out.flush()?;
                }
                outcome.spawned.push(session);
            }
            Err(error) => {
                let (number, request) = &batch.requests[nth];
                outcome.fail(context, batch.of_query, *number, request, error);
            }
        }
        Ok::<(), CommandError>(())
    })?;
    Ok(outcome)
}

impl Outcome {
    fn fail(
        &mut self,
        context: &Context,
        of_query: bool,
        number: usize,
        request: &SpawnRequest,
        error: SessionError,
    ) {
        let error = CommandError::from(error);
        let mut failed = json!({ "line": number, "error": error.to_json() });
        if let Some(issue) = &request.issue {
            failed["issue"] = json!(issue);
        }
        self.failed.push(failed);
        if !context.global.json {
            let what = what(of_query, number, request);
            context.tell(&format!("{what}: {}", error.one_line()));
        }
        self.exit.get_or_insert(error.exit);
    }
}

/// Waits, where that is asked for, and says how each of them ended.
fn wait_for_all(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    args: &SpawnArgs,
    spawned: &[Spawned],
) -> Result<Exit, CommandError> {
    let deadline = args.timeout.map(clock::Deadline::after);
    let mut worst = Exit::Done;
    for session in spawned.iter().filter(|_| args.wait) {
        let left = deadline.map(|deadline| deadline.remaining());
        let code = wait::quietly(context, world, &session.id, session.revision, left)?;
        if worst == Exit::Done {
            worst = code;
        }
        if !context.global.json {
            let status = Status::of(&world.home.load(&session.id)?.record.lifecycle);
            writeln!(out, "{} {status}", session.id)?;
            out.flush()?;
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::target;

    #[test]
    fn the_help_names_every_key_of_a_line() {
        let error = of_line("{\"\":0}", &SpawnRequest::default()).unwrap_err().to_string();
        let keys: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert!(keys.len() > 9 && keys.contains(&"prompt"), "{error}");
        let command = crate::cli::command();
        let spawn = command.find_subcommand("spawn").unwrap();
        let batch = spawn.get_arguments().find(|it| it.get_id() == "batch").unwrap();
        let help = batch.get_long_help().unwrap().to_string();
        keys.iter().for_each(|key| assert!(help.contains(&format!("`{key}`")), "{key}: {help}"));
    }

    #[test]
    fn fuzz_batch_lines() {
        let line = r#"{"prompt":"x","agent":"codex","issue":"7","title":"t","branch":"a/b","base":"main","model":"m","permission":"auto","mode":"one_shot","runtime":"process","id":"web-1"}"#;
        target("batch-lines").seed(line).words(&["\"id\"", "../x"]).run_text(|line| {
            if let Ok(request) = of_line(line, &SpawnRequest::default()) {
                let said: Value = serde_json::from_str(line).unwrap();
                assert_eq!(request.id.is_some(), said["id"].is_string());
            }
        });
    }
}
