//! `ao schema`, `ao completions`, `ao man`: what is generated from the one definition.

use std::io::Write;

use clap_complete::Shell;
use serde_json::json;

use crate::adapter::agent;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{help, output};
use crate::generate;
use crate::model::collect::Sorted;

/// The answers that each command may give with `--json`, by their names in `ao schema`.
///
/// `attach` and `exec` hand their streams to another program, and `hook` speaks its agent's
/// language. Every command may give an `ErrorAnswer` as well, on standard error.
pub const ANSWERS: &[(&str, &[&str])] = &[
    ("agent check", &["CardAnswer"]),
    ("agent ls", &["AgentsAnswer"]),
    ("agent show", &["CardAnswer"]),
    ("approve", &["PressAnswer", "PlanAnswer"]),
    ("attach", &[]),
    ("cleanup", &["CleanupAnswer", "PlanAnswer"]),
    ("completions", &["TextAnswer"]),
    ("config check", &["ConfigCheckAnswer"]),
    ("config get", &["ValueAnswer"]),
    ("config path", &["PathAnswer"]),
    ("config reference", &["ReferenceAnswer"]),
    ("config set", &["ConfigSetAnswer", "PlanAnswer"]),
    ("config show", &["ConfigAnswer"]),
    ("decide", &["DecisionAnswer", "ErrorAnswer"]),
    ("demo", &["EventAnswer", "DemoAnswer"]),
    ("deny", &["PressAnswer", "PlanAnswer"]),
    ("doctor", &["DoctorAnswer"]),
    ("events", &["EventAnswer"]),
    ("exec", &[]),
    ("explain", &["ExplainAnswer"]),
    ("help", &["TextAnswer"]),
    ("hook", &[]),
    ("init", &["ProjectAnswer", "PlanAnswer"]),
    ("interrupt", &["PressAnswer", "PlanAnswer"]),
    ("issue ls", &["IssuesAnswer"]),
    ("issue show", &["IssueAnswer"]),
    ("kill", &["SessionsAnswer", "PlanAnswer"]),
    ("log", &["LogAnswer", "VerifyAnswer"]),
    ("ls", &["SessionsAnswer"]),
    ("man", &["TextAnswer"]),
    ("merge", &["MergeAnswer", "PlanAnswer"]),
    ("metrics", &["MetricsAnswer"]),
    ("notify", &["NotifiersAnswer", "NotifiedAnswer"]),
    ("observe", &["ObserveAnswer", "PlanAnswer"]),
    ("orchestrator", &["SessionAnswer", "PlanAnswer"]),
    ("outbox drop", &["OutboxAnswer", "PlanAnswer"]),
    ("outbox ls", &["OutboxAnswer"]),
    ("outbox retry", &["OutboxAnswer", "PlanAnswer"]),
    ("output", &["OutputAnswer"]),
    ("path", &["PathAnswer"]),
    ("pr claim", &["PrAnswer", "PlanAnswer"]),
    ("pr create", &["PrAnswer", "PlanAnswer"]),
    ("pr ls", &["PrsAnswer"]),
    ("pr merge", &["MergeAnswer", "PlanAnswer"]),
    ("pr show", &["PrAnswer"]),
    ("project add", &["ProjectAnswer", "PlanAnswer"]),
    ("project ls", &["ProjectsAnswer", "PlanAnswer"]),
    ("project rm", &["ProjectAnswer", "PlanAnswer"]),
    ("project set", &["ProjectAnswer", "PlanAnswer"]),
    ("project show", &["ProjectAnswer", "PlanAnswer"]),
    ("reap", &["ReapAnswer", "PlanAnswer"]),
    ("rename", &["SessionAnswer", "PlanAnswer"]),
    ("report", &["ReportAnswer", "PlanAnswer"]),
    ("restore", &["SessionsAnswer", "PlanAnswer"]),
    ("review cancel", &["ReviewsAnswer", "PlanAnswer"]),
    ("review ls", &["ReviewsAnswer"]),
    ("review submit", &["ReviewAnswer", "PlanAnswer"]),
    ("review trigger", &["ReviewAnswer", "PlanAnswer"]),
    ("schema", &["SchemaAnswer"]),
    ("send", &["SendAnswer", "SendsAnswer", "PlanAnswer"]),
    ("show", &["SessionAnswer"]),
    ("skill", &["SkillAnswer"]),
    ("spawn", &["SessionAnswer", "SessionsAnswer", "WaitAnswer", "PlanAnswer"]),
    ("status", &["SessionsAnswer", "NeedsPersonAnswer"]),
    ("timer install", &["TimerAnswer", "PlanAnswer"]),
    ("timer rm", &["TimerAnswer", "PlanAnswer"]),
    ("timer status", &["TimerAnswer"]),
    ("trust", &["TrustAnswer"]),
    ("wait", &["WaitAnswer"]),
];

/// Print the JSON Schemas of the record and of every answer
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {}

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell: bash, zsh, fish
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Print a man page
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// A command; `ao` itself where it is left out
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs `ao schema`.
pub fn schema(out: &mut dyn Write, _: &SchemaArgs) -> Result<Exit, CommandError> {
    let [record, answers] = generate::schemas();
    let commands = ANSWERS.iter().copied().into_map();
    let answer = json!({ "schema": output::SCHEMA, "record": record, "answers": answers,
        "commands": commands });
    output::json(out, &answer)?;
    Ok(Exit::Done)
}

/// Runs `ao completions`.
pub fn completions(
    context: &Context,
    out: &mut dyn Write,
    args: &CompletionsArgs,
) -> Result<Exit, CommandError> {
    text(
        context,
        out,
        &generate::completion(&crate::cli::command(), args.shell, &agent::built_in_names()),
    )
}

/// Writes a text that was generated; with `--json`, in a document.
pub fn text(context: &Context, out: &mut dyn Write, text: &[u8]) -> Result<Exit, CommandError> {
    if context.global.json {
        output::json_answer(out, "text", String::from_utf8_lossy(text))?;
    } else {
        out.write_all(text)?;
    }
    Ok(Exit::Done)
}

/// Runs `ao man`.
pub fn man(context: &Context, out: &mut dyn Write, args: &ManArgs) -> Result<Exit, CommandError> {
    let name = std::iter::once("ao").chain(args.command.iter().map(String::as_str));
    let file = format!("{}.1", name.collect::<Vec<_>>().join("-"));
    let pages = generate::man_pages(&crate::cli::command());
    let Some((_, page)) = pages.iter().find(|(page, _)| *page == file) else {
        return Err(unknown_in(&crate::cli::command(), &args.command));
    };
    text(context, out, page)
}

/// Returns what is wrong with words that lead to no page.
fn unknown_in(command: &clap::Command, words: &[String]) -> CommandError {
    let [word, rest @ ..] = words else { return help::unknown(command, "") };
    match command.find_subcommand(word) {
        Some(child) if !rest.is_empty() => unknown_in(child, rest),
        Some(_) | None => help::unknown(command, word),
    }
}
