//! `ao review`: reviewers, their runs, and what they came to.

use std::io::Write;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::adapter::clock;
use crate::cli::context::Context;
use crate::cli::dry_run;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Table};
use crate::invocation::World;
use crate::model::id::{SessionId, short};
use crate::model::review::{Run, Verdict};
use crate::session::deliver::Patience;
use crate::session::review::submit::{Submission, submit};
use crate::session::review::trigger::{self, Wanted};
use crate::session::review::{self};

const EXAMPLES: &str = "\
Examples:
  $ ao review trigger app-1                   # the head of its branch, once
  $ ao review trigger app-1 --reviewer opencode
  $ ao review ls app-1                        # what came of each head
  $ ao review submit --run app-1-r2 --verdict changes_requested --body - < findings.md";

/// Have work reviewed by an agent of its own
///
/// A reviewer is a session of its own, in a worktree that stands at the reviewed commit; it only
/// reads. What it asks for reaches the author's agent. With `review.auto` each head of an open
/// pull request whose checks pass is reviewed by itself.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ReviewArgs {
    #[command(subcommand)]
    command: ReviewCommand,
}

#[derive(Debug, Subcommand)]
enum ReviewCommand {
    /// Have the head of a session's branch reviewed
    ///
    /// The same head again is answered by the review it has, unless that failed or was cancelled.
    /// For another head the living reviewer is written to, or one is started; a review of an
    /// earlier head that still runs is cancelled.
    Trigger {
        /// The session whose branch is to be reviewed
        #[arg(value_name = "WORKER")]
        worker: String,
        /// The reviewer's agent: a card's name
        #[arg(long, value_name = "AGENT")]
        reviewer: Option<String>,
        /// Only if the branch is at this commit
        #[arg(long, value_name = "COMMIT")]
        head: Option<String>,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Hand in a verdict; for the agent of a reviewer, or a person
    ///
    /// Once for each review: the same again is a success that says so. The text of a request for
    /// changes reaches the author's agent; an approval is not typed anywhere.
    Submit {
        /// The review
        #[arg(long, value_name = "RUN")]
        run: String,
        /// What it came to: approved or changes_requested
        #[arg(long, value_name = "VERDICT")]
        verdict: Verdict,
        /// What is to be said; `-` reads standard input
        #[arg(long, value_name = "TEXT", default_value = "")]
        body: String,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List reviews: those that run, and the last of each session and reviewer
    Ls {
        /// All reviews of one session
        #[arg(value_name = "WORKER")]
        worker: Option<String>,
        /// All reviews, those of archived sessions as well
        #[arg(long)]
        all: bool,
    },
    /// End reviews that are running
    ///
    /// A reviewer that has nothing else to review is ended with it, and cleaned up where nothing
    /// is lost.
    Cancel {
        /// The reviews
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<String>,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs `ao review`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &ReviewArgs,
) -> Result<Exit, CommandError> {
    match &args.command {
        ReviewCommand::Trigger { worker, reviewer, head, dry_run } => {
            let world = if *dry_run { context.reader()? } else { context.world()? };
            let wanted = Wanted {
                worker: context.session(&world, worker)?,
                reviewer: reviewer.clone(),
                head: head.clone(),
                patience: Patience::Foreground,
            };
            if *dry_run {
                plan(context, out, &world, &wanted)
            } else {
                begin(context, out, &world, &wanted)
            }
        }
        ReviewCommand::Submit { run, verdict, body, dry_run } => {
            hand_in(context, out, run, *verdict, body, *dry_run)
        }
        ReviewCommand::Ls { worker, all } => ls(context, out, worker.as_deref(), *all),
        ReviewCommand::Cancel { runs, dry_run } => cancel(context, out, runs, *dry_run),
    }
}

fn plan(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    wanted: &Wanted,
) -> Result<Exit, CommandError> {
    let plan = trigger::plan(world, wanted)?;
    plan.notes.iter().for_each(|note| context.tell(note));
    output::plan(out, context.global.json, &plan.steps(&wanted.worker))?;
    Ok(Exit::Done)
}

fn begin(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    wanted: &Wanted,
) -> Result<Exit, CommandError> {
    let triggered = trigger::trigger(world, wanted)?;
    triggered.notes.iter().for_each(|note| context.tell(note));
    let run = &triggered.run;
    if context.global.json {
        return answer(out, run, "created", triggered.created);
    }
    if !triggered.created {
        context.tell(&format!("this head has a review already: {} is {}", run.run, state(run)));
    }
    writeln!(out, "{}", run.run)?;
    Ok(Exit::Done)
}

/// Writes one run as JSON, with what the command has to say about it.
fn answer(
    out: &mut dyn Write,
    run: &Run,
    key: &'static str,
    value: bool,
) -> Result<Exit, CommandError> {
    let mut answer = json!(run);
    answer[key] = json!(value);
    output::json_answer(out, "review", answer)?;
    Ok(Exit::Done)
}

fn hand_in(
    context: &Context,
    out: &mut dyn Write,
    run: &str,
    verdict: Verdict,
    body: &str,
    dry_run: bool,
) -> Result<Exit, CommandError> {
    let body = if body == "-" { context.read_stdin()? } else { body.as_bytes().to_vec() };
    let caller = context.env.text("AO_SESSION").and_then(|id| id.parse().ok());
    let submission = Submission { run: run.to_owned(), verdict, body, caller };
    if dry_run {
        let world = context.reader()?;
        let run = review::submit::check(&world, &submission)?;
        let why = match verdict {
            Verdict::Approved => "nothing is typed anywhere".to_owned(),
            Verdict::ChangesRequested => format!("its text goes to {}", run.worker),
        };
        output::plan(
            out,
            context.global.json,
            &[(format!("record {verdict} of {}", run.run), why)],
        )?;
        return Ok(Exit::Done);
    }
    let world = context.existing_world()?;
    let submitted = submit(&world, &submission)?;
    submitted.notes.iter().for_each(|note| context.tell(note));
    if context.global.json {
        return answer(out, &submitted.run, "again", submitted.again);
    }
    if submitted.again {
        context.tell("it was handed in before, just so");
    }
    writeln!(out, "{} {}", submitted.run.run, state(&submitted.run))?;
    Ok(Exit::Done)
}

/// Returns how far a run is, its verdict with it.
fn state(run: &Run) -> String {
    match run.verdict {
        Some(verdict) => format!("{} ({verdict})", run.state),
        None => run.state.to_string(),
    }
}

fn ls(
    context: &Context,
    out: &mut dyn Write,
    worker: Option<&str>,
    all: bool,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let mut runs = match worker {
        Some(name) => world.home.review_runs(&context.session(&world, name)?)?,
        None => runs_of_all(context, &world, all)?,
    };
    runs.sort_unstable_by(|a, b| (a.created_at, &a.run).cmp(&(b.created_at, &b.run)));
    if context.global.json {
        output::json_answer(out, "reviews", runs)?;
        return Ok(Exit::Done);
    }
    let now = clock::now();
    let mut table = Table::new(&["RUN", "REVIEWER", "SESSION", "HEAD", "AGE", "STATE", "WHY"]);
    for run in &runs {
        table.row([
            run.run.clone(),
            run.reviewer.clone(),
            run.session.as_ref().map_or("-".to_owned(), ToString::to_string),
            short(&run.head_sha).to_owned(),
            output::age(now.since(run.created_at)),
            state(run),
            run.why.clone().unwrap_or_default(),
        ]);
    }
    if table.is_empty() {
        context.tell("no reviews; `ao review trigger` begins one");
    } else {
        table.write(out)?;
    }
    Ok(Exit::Done)
}

/// Returns the runs of every session; one that cannot be read is told and hides no other.
fn runs_of_all(context: &Context, world: &World, all: bool) -> Result<Vec<Run>, CommandError> {
    let mut ids: Vec<SessionId> = world.home.session_ids()?;
    if all {
        ids.extend(world.home.archived_ids()?);
    }
    let mut found = Vec::new();
    for id in ids {
        match world.home.review_runs(&id) {
            Ok(runs) if all => found.extend(runs),
            Ok(runs) => found.extend(latest(runs)),
            Err(error) => context.tell(&CommandError::from(error).one_line()),
        }
    }
    Ok(found)
}

/// Returns the runs that are running, and the last one of each reviewer.
fn latest(runs: Vec<Run>) -> Vec<Run> {
    let is_last =
        |at: usize, run: &Run| !runs[at + 1..].iter().any(|later| later.reviewer == run.reviewer);
    let shown = runs.iter().enumerate();
    shown
        .filter(|(at, run)| run.is_running() || is_last(*at, run))
        .map(|(_, run)| run.clone())
        .collect()
}

fn cancel(
    context: &Context,
    out: &mut dyn Write,
    names: &[String],
    dry_run: bool,
) -> Result<Exit, CommandError> {
    if dry_run {
        let world = context.reader()?;
        return dry_run::answer(context, out, names, |name| {
            let run = review::find(&world, name)?;
            if !review::is_cancellable(&run)? {
                return Ok((format!("leave {name}"), "it was cancelled already".to_owned()));
            }
            let why = format!("head {} by {}", short(&run.head_sha), run.reviewer);
            Ok((format!("cancel {name}"), why))
        });
    }
    let world = context.world()?;
    let (mut runs, mut failed, mut worst) = (Vec::new(), Vec::<Value>::new(), Exit::Done);
    for name in names {
        match review::cancel(&world, name).map_err(CommandError::from) {
            Ok((run, before)) => {
                if !context.global.json {
                    let word = if before { "was cancelled already" } else { "cancelled" };
                    writeln!(out, "{} {word}", run.run)?;
                }
                runs.push(run);
            }
            Err(error) if names.len() == 1 => return Err(error),
            Err(error) => {
                worst = error.exit;
                failed.push(json!({ "id": name, "error": error.to_json() }));
                if !context.global.json {
                    context.tell(&format!("{name}: {}", error.one_line()));
                }
            }
        }
    }
    if context.global.json {
        let mut answer = json!({ "schema": output::SCHEMA, "reviews": runs });
        if !failed.is_empty() {
            answer["failed"] = json!(failed);
        }
        output::json(out, &answer)?;
    }
    Ok(worst)
}
