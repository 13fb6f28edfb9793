//! `ao issue`: what the tracker of this repository holds.

use std::io::Write;

use clap::Subcommand;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Table};
use crate::model::answer::{IssueAnswer, IssueShown, IssuesAnswer};
use crate::model::forge::{Issue, IssueComment, IssueQuery};
use crate::model::sanitize;
use crate::session::{context as names, issue, tracker};

/// See the issues of this repository's tracker
///
/// The tracker is GitHub where the remote `origin` is there, or a program of yours
/// (`tracker.kind`, `tracker.command`). What it says is shown without control characters.
#[derive(Debug, clap::Args)]
pub struct IssueArgs {
    #[command(subcommand)]
    command: IssueCommand,
}

#[derive(Debug, Subcommand)]
enum IssueCommand {
    /// List issues, oldest first
    Ls(QueryArgs),
    /// Show one issue with its comments
    Show {
        /// The issue: its number or key
        #[arg(value_name = "ISSUE")]
        id: String,
    },
}

/// Which issues are meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct QueryArgs {
    /// Only issues with this label; several: with all of them
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Only issues assigned to this account; `none`: to nobody, `*`: to anybody
    #[arg(long, value_name = "ACCOUNT")]
    assignee: Option<String>,
    /// Only open ones, closed ones, or all
    #[arg(long, value_name = "STATE", value_parser = ["open", "closed", "all"])]
    state: Option<String>,
    /// No more than this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
}

impl QueryArgs {
    /// Returns whether nothing is said of which issues are meant.
    pub fn is_empty(&self) -> bool {
        let narrow = self.assignee.is_some() || self.state.is_some() || self.limit.is_some();
        self.label.is_empty() && !narrow
    }

    /// Returns how many are wanted at most.
    pub fn limit(&self) -> Option<usize> {
        self.limit.map(|limit| limit as usize)
    }

    /// Returns the query for the tracker.
    pub fn query(&self) -> IssueQuery {
        IssueQuery {
            labels: self.label.clone(),
            assignee: self.assignee.clone(),
            state: self.state.clone(),
            limit: self.limit(),
        }
    }
}

/// Runs `ao issue`.
pub fn run(context: &Context, out: &mut dyn Write, args: &IssueArgs) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let repository = names::repository(&world.directory)?;
    let tracker = tracker::required(&world, &repository)?;
    let at_work = issue::live_sessions(&world, &repository)?;
    let shown = |found: Issue| {
        let session = at_work.get(&found.id).cloned();
        IssueShown { issue: clean(found), session }
    };
    match &args.command {
        IssueCommand::Ls(query) => {
            let issues = tracker.issues(&query.query())?.into_iter();
            ls(context, out, issues.map(shown).collect())?;
        }
        IssueCommand::Show { id } => {
            show(context, out, shown(tracker.issue(issue::id_of(id))?))?;
        }
    }
    Ok(Exit::Done)
}

fn ls(context: &Context, out: &mut dyn Write, issues: Vec<IssueShown>) -> Result<(), CommandError> {
    if context.global.json {
        return Ok(output::json(out, &IssuesAnswer { schema: output::SCHEMA, issues })?);
    }
    let mut table = Table::new(&["ISSUE", "STATE", "SESSION", "LABELS", "TITLE"]);
    for shown in issues {
        let session = shown.session.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let Issue { id, state, labels, title, .. } = shown.issue;
        let labels = if labels.is_empty() { "-".to_owned() } else { labels.join(",") };
        table.row([id, state, session, labels, title]);
    }
    if !table.is_empty() {
        table.write(out)?;
    }
    Ok(())
}

fn show(context: &Context, out: &mut dyn Write, shown: IssueShown) -> Result<(), CommandError> {
    if context.global.json {
        return Ok(output::json(out, &IssueAnswer { schema: output::SCHEMA, issue: shown })?);
    }
    let issue = &shown.issue;
    writeln!(out, "{}: {}", issue.id, issue.title)?;
    let mut field = |name: &str, value: &str| -> std::io::Result<()> {
        if value.is_empty() { Ok(()) } else { writeln!(out, "{name}: {value}") }
    };
    field("state", &issue.state)?;
    field("author", issue.author.as_deref().unwrap_or_default())?;
    field("labels", &issue.labels.join(", "))?;
    field("assignees", &issue.assignees.join(", "))?;
    field("session", shown.session.as_ref().map_or("", |id| id.as_str()))?;
    field("address", issue.url.as_deref().unwrap_or_default())?;
    if !issue.body.trim().is_empty() {
        writeln!(out, "\n{}", indented(&issue.body))?;
    }
    for comment in &issue.comments {
        writeln!(out, "\n{}:\n{}", comment.author, indented(&comment.body))?;
    }
    Ok(())
}

/// Indented, so that a text cannot pass for a field of ours.
fn indented(text: &str) -> String {
    let lines = text.trim().lines().map(|line| format!("    {line}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns an issue whose texts are harmless on a terminal.
fn clean(issue: Issue) -> Issue {
    let line = |text: String| sanitize::line(&text);
    let comment = |comment: IssueComment| IssueComment {
        author: line(comment.author),
        body: sanitize::text(&comment.body),
    };
    Issue {
        id: line(issue.id),
        title: line(issue.title),
        body: sanitize::text(&issue.body),
        state: line(issue.state),
        author: issue.author.map(line),
        url: issue.url.map(line),
        labels: issue.labels.into_iter().map(line).collect(),
        assignees: issue.assignees.into_iter().map(line).collect(),
        comments: issue.comments.into_iter().map(comment).collect(),
    }
}
