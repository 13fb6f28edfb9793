//! `ao merge`: brings a session's branch into its base.

use std::io::Write;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::model::answer::MergedBranch;
use crate::model::forge::MergeMethod;
use crate::model::id::{SessionId, short};
use crate::session::deliver;
use crate::session::merge::{self, MergeOptions, MergeOutcome, MergeReport};

/// Merge a session's branch into its base
///
/// Refuses what conflicts (4), what checks or reviews stand against (5), what would leave
/// uncommitted work out (5), and while the agent is in the middle of a turn (4). A branch that is
/// in its base already, squashed or rebased too, is a success that says so.
///
/// The merge is made in memory. Its base then moves: where no worktree has it checked out, at
/// once; else in that worktree by a fast-forward of git's, which keeps every local change and
/// refuses where one is in the way. No hook is run. The command that takes it back is printed. At
/// a forge, the forge merges.
#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// The session
    #[arg(value_name = "ID")]
    id: String,
    /// How; else as `merge.method` is configured
    #[arg(long, value_name = "METHOD", value_parser = ["merge", "squash", "rebase"])]
    method: Option<String>,
    /// The message of the merge or squash commit
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// Whatever checks and reviews say, and whatever the agent is at and has not committed
    #[arg(long)]
    force: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao merge`.
pub fn run(context: &Context, out: &mut dyn Write, args: &MergeArgs) -> Result<Exit, CommandError> {
    let options = options(args)?;
    let world = context.world()?;
    let id = context.session(&world, &args.id)?;
    if args.dry_run {
        let report = merge::plan(&world, &id, &options)?;
        output::plan(out, context.global.json, &steps(&report))?;
        return Ok(Exit::Done);
    }
    let report = merge::merge(&world, &id, &options)?;
    // A notifier that fails is tried again by the next pass.
    let _ = deliver::deliver_outward(&world, &id);
    if context.global.json {
        output::json_answer(out, "merge", answer(&id, report))?;
    } else {
        write!(out, "{}", told(&report))?;
    }
    Ok(Exit::Done)
}

fn options(args: &MergeArgs) -> Result<MergeOptions, CommandError> {
    let method = args.method.as_deref().map(|word| {
        let method = word.parse::<MergeMethod>();
        method.map_err(|error| CommandError::new(Exit::Invalid, anyhow::anyhow!("{error}")))
    });
    let method = method.transpose()?;
    let is_bad = |text: &String| text.contains('\0') || text.trim().is_empty();
    if args.message.as_ref().is_some_and(is_bad) {
        return Err(CommandError::new(Exit::Invalid, anyhow::anyhow!("the message is no text")));
    }
    if args.message.is_some() && method == Some(MergeMethod::Rebase) {
        let why = anyhow::anyhow!("a rebase keeps the message of each commit");
        return Err(CommandError::new(Exit::Invalid, why).hint("leave --message out"));
    }
    Ok(MergeOptions { method, message: args.message.clone(), force: args.force })
}

fn steps(report: &MergeReport) -> Vec<(String, String)> {
    let MergeReport { branch, target, method, .. } = report;
    match &report.outcome {
        MergeOutcome::Already | MergeOutcome::Merged { .. } => Vec::new(),
        MergeOutcome::Possible { worktree } => {
            let why = match worktree {
                Some(path) => format!("its files follow in {}", path.display()),
                None => "no worktree has it checked out".to_owned(),
            };
            vec![(format!("{method} {branch} into {target}"), why)]
        }
    }
}

fn told(report: &MergeReport) -> String {
    let MergeReport { branch, target, method, .. } = report;
    match &report.outcome {
        MergeOutcome::Already | MergeOutcome::Possible { .. } => {
            format!("{branch} is merged into {target} already\n")
        }
        MergeOutcome::Merged { sha, undo, .. } => {
            let how = match method {
                MergeMethod::Merge => "merged",
                MergeMethod::Squash => "squashed",
                MergeMethod::Rebase => "rebased",
            };
            let undo = undo.as_ref().map(|undo| format!("undo: {undo}\n")).unwrap_or_default();
            format!("{branch} {how} into {target}: {}\n{undo}", short(sha))
        }
    }
}

fn answer(id: &SessionId, report: MergeReport) -> MergedBranch {
    let merged = MergedBranch {
        id: id.to_string(),
        branch: report.branch,
        target: report.target,
        already: true,
        head_sha: report.head,
        method: None,
        sha: None,
        worktree: None,
        undo: None,
    };
    match report.outcome {
        MergeOutcome::Already | MergeOutcome::Possible { .. } => merged,
        MergeOutcome::Merged { sha, worktree, undo } => {
            let method = Some(report.method);
            MergedBranch { already: false, method, sha: Some(sha), worktree, undo, ..merged }
        }
    }
}
