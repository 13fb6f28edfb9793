//! `ao show` and `ao explain`: everything about one session, and why its status is what it is.

use std::io::Write;

use serde_json::{Map, Value, json};

use crate::adapter::{clock, fs};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::decide;
use crate::model::answer::{CheckShown, ReviewBrief};
use crate::model::event::Event;
use crate::model::id::short;
use crate::model::status::Status;
use crate::session::check;
use crate::session::role::SYSTEM_FILE;

/// Show everything about one session
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
}

/// Say why a session's status is what it is
///
/// The last decision, its evidence, and what would change it.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
}

/// Runs `ao show`.
pub fn run(context: &Context, out: &mut dyn Write, args: &ShowArgs) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, &args.id)?;
    let loaded = world.home.load(&id)?;
    loaded.notes.iter().for_each(|note| context.tell(note));
    let status = Status::of(&loaded.record.lifecycle);
    // What is damaged there hides nothing of the session itself.
    let reviews = world.home.review_runs(&id).unwrap_or_else(|error| {
        context.tell(&CommandError::from(error).one_line());
        Vec::new()
    });
    let check = check::shown(&world, &id).unwrap_or_else(|error| {
        context.tell(&CommandError::from(error).one_line());
        None
    });
    if context.global.json {
        let session = output::session_of(&loaded);
        let brief: Vec<ReviewBrief> = reviews.iter().map(ReviewBrief::from).collect();
        let answer = output::object([
            ("schema", json!(output::SCHEMA)),
            ("session", session),
            ("check", json!(check)),
            ("reviews", json!((!brief.is_empty()).then_some(brief))),
        ]);
        output::json(out, &answer)?;
        return Ok(Exit::Done);
    }
    let now = clock::now();
    let until = loaded.record.lifecycle.session.until.filter(|_| status == Status::Stuck);
    let until = until.map_or_else(String::new, |at| format!(", {}", output::limit_until(at, now)));
    writeln!(out, "status: {status}{until}{}", if loaded.archived { " (archived)" } else { "" })?;
    let mut lines = Vec::new();
    let value = serde_json::to_value(loaded.document.ordered()).map_err(std::io::Error::from)?;
    flatten("", &value, &mut lines);
    for (key, value) in lines {
        writeln!(out, "{key}: {}", crate::model::sanitize::line(&value))?;
    }
    for run in &reviews {
        let verdict = run.verdict.map_or_else(String::new, |verdict| format!(", {verdict}"));
        let (name, head, reviewer) = (&run.run, short(&run.head_sha), &run.reviewer);
        writeln!(out, "review {name}: {}{verdict}, head {head}, by {reviewer}", run.state)?;
    }
    let system = world.home.existing_dir(&id)?.join(SYSTEM_FILE);
    if fs::metadata(&system)?.is_some() {
        writeln!(out, "system prompt: {}", system.display())?;
    }
    if let Some(check) = check {
        writeln!(out, "check: {}", check_line(&check))?;
        writeln!(out, "check log: {}", check.log)?;
    }
    Ok(Exit::Done)
}

/// Returns how far the last check is: `failed (exit code 1), of 0123456789ab, `make test``.
fn check_line(check: &CheckShown) -> String {
    let code = check.exit_code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
    let why = code.or_else(|| check.why.clone());
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    let head = short(&check.head_sha);
    let line = format!("{}{why}, of {head}, `{}`", check.state, check.command.join(" "));
    crate::model::sanitize::line(&line)
}

/// One line per leaf, its place as a dotted key.
fn flatten(prefix: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, lines);
            }
        }
        Value::String(text) => lines.push((prefix.to_owned(), text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            lines.push((prefix.to_owned(), value.to_string()));
        }
    }
}

/// Runs `ao explain`.
pub fn explain(
    context: &Context,
    out: &mut dyn Write,
    args: &ExplainArgs,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let id = context.session(&world, &args.id)?;
    let loaded = world.home.load(&id)?;
    let layered = world.config_of(&loaded.record)?;
    let status = Status::of(&loaded.record.lifecycle);
    let events = world.home.events(&id)?;
    let decisions = || events.iter().rev().filter(|event| event.rule.is_some());
    let last = decisions().find(|event| moves_the_status(event)).or_else(|| decisions().next());
    let next = decide::explain(&loaded.record, &layered.config.policy, clock::now());
    let check = check::shown(&world, &id)?;
    if context.global.json {
        let value = output::object([
            ("id", json!(id)),
            ("status", json!(status)),
            ("session", json!(loaded.record.lifecycle.session)),
            ("decision", json!(last.map(decision))),
            ("check", json!(check)),
            ("next", json!(next)),
        ]);
        output::json_answer(out, "explain", value)?;
        return Ok(Exit::Done);
    }
    let session = &loaded.record.lifecycle.session;
    let since = session.since.map_or_else(String::new, |at| format!(", since {at}"));
    writeln!(out, "{id} is {status} ({}/{}{since})", session.state, session.reason)?;
    if let Some(event) = last {
        writeln!(out, "decided by {} at {} ({})", rule(event), event.at, event.cause)?;
        if let Some(reason) = &event.reason {
            writeln!(out, "  {}", crate::model::sanitize::line(reason))?;
        }
        if let Some(evidence) = &event.evidence {
            writeln!(out, "  evidence: {}", crate::model::sanitize::line(evidence))?;
        }
    }
    if let Some(check) = &check {
        writeln!(out, "check: {}", check_line(check))?;
        writeln!(out, "  its log: {}", check.log)?;
    }
    for line in next {
        writeln!(out, "- {}", crate::model::sanitize::line(&line))?;
    }
    Ok(Exit::Done)
}

/// Returns whether an event changed what the status is derived from: one that came later and
/// changed something else explains nothing.
fn moves_the_status(event: &Event) -> bool {
    let axes = event.patch.get("lifecycle");
    ["session", "pr", "detecting"].iter().any(|axis| axes.is_some_and(|it| it.get(axis).is_some()))
}

fn rule(event: &Event) -> &str {
    event.rule.as_deref().unwrap_or("-")
}

fn decision(event: &Event) -> Map<String, Value> {
    output::object([
        ("rule", json!(event.rule)),
        ("at", json!(event.at)),
        ("cause", json!(event.cause)),
        ("evidence", json!(event.evidence)),
        ("reason", json!(event.reason)),
        ("revision", json!(event.seq)),
    ])
}
