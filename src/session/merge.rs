//! Merges a session's branch into its base: `ao merge`, and the reaction of that name.
//!
//! Looked at afresh, without a lock; made in memory; and only the moving of the base is done under
//! the repository's lock, if branch and base are still where they were judged. Killed anywhere,
//! the base has moved or it has not, and doing it again finishes what is left: a branch that was
//! merged already is a success.

mod judge;

use std::path::PathBuf;

use self::judge::{Judged, Place, judge};
use crate::adapter::git::{self, GitError, MergePlan, keep_merged, land, make_merge, rehearse};
use crate::adapter::scm::Scm;
use crate::adapter::{clock, failpoint};
use crate::invocation::{self, World};
use crate::model::facts::{Observation, PrFact, ScmFact};
use crate::model::forge::{MergeMethod, MergeRequest};
use crate::model::id::{SessionId, short};
use crate::model::lifecycle::PrState;
use crate::model::sanitize;
use crate::session::{SessionError, workspace};

/// How often it is looked again where branch or base moved in between.
const ATTEMPTS: usize = 5;

/// Why a branch is not merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is no pull request that could be.
    #[error("nothing to merge for `{id}`: {why}")]
    Nothing {
        /// The session.
        id: SessionId,
        /// Why not.
        why: String,
    },
    /// Checks, a review or the forge stand in the way.
    #[error("`{id}` is not to be merged: {}", reasons.join("; "))]
    NotReady {
        /// The session.
        id: SessionId,
        /// What stands in the way.
        reasons: Vec<String>,
    },
    /// A review that `ao` has made, or is to make, has not approved of it.
    #[error("`{id}` is not approved by a review at {}", short(head))]
    InReview {
        /// The session.
        id: SessionId,
        /// The commit.
        head: String,
    },
    /// Nobody knows what it is like.
    #[error("the pull request of `{id}` could not be looked at: {why}")]
    Unseen {
        /// The session.
        id: SessionId,
        /// Why not.
        why: String,
        /// Because nobody is logged in, or because that login may not look.
        denied: bool,
    },
    /// What the agent is at would be left out.
    #[error("the agent of `{id}` is in the middle of a turn")]
    MidTurn {
        /// The session.
        id: SessionId,
    },
    /// What no commit holds would be left out.
    #[error("`{id}` has uncommitted work in {}: {files} file{}", path.display(), if *files == 1 { "" } else { "s" })]
    Uncommitted {
        /// The session.
        id: SessionId,
        /// Its workspace.
        path: PathBuf,
        /// How many files.
        files: u32,
    },
}

/// What was asked for beside the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeOptions {
    /// How; absent: as configured.
    pub method: Option<MergeMethod>,
    /// The message of the merge or squash commit, instead of the usual one.
    pub message: Option<String>,
    /// Whatever checks and reviews say, whatever the agent is at and has not committed.
    pub force: bool,
}

/// A merge that was made, or that would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeReport {
    /// The branch.
    pub branch: String,
    /// What it was merged into.
    pub target: String,
    /// How.
    pub method: MergeMethod,
    /// The commit of the branch that was merged.
    pub head: String,
    /// What came of it.
    pub outcome: MergeOutcome,
}

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeOutcome {
    /// It was made.
    Merged {
        /// The commit that the base has.
        sha: String,
        /// The worktree whose files followed.
        worktree: Option<PathBuf>,
        /// The command that takes it back, where there is one.
        undo: Option<String>,
    },
    /// Its changes were there before.
    Already,
    /// It could be made.
    Possible {
        /// The worktree whose files would follow.
        worktree: Option<PathBuf>,
    },
}

/// Merges the branch of a session, or finds that it was merged.
pub fn merge(
    world: &World,
    id: &SessionId,
    options: &MergeOptions,
) -> Result<MergeReport, SessionError> {
    let mut moved = None;
    for _ in 0..ATTEMPTS {
        let judged = judge(world, id, options)?;
        pass("merge.judged")?;
        let done = match &judged.place {
            Place::Merged => settle(id, &judged),
            Place::Repository { .. } => bring(id, &judged, options),
            Place::Forge(forge) => ask(id, &**forge, &judged),
        };
        match done {
            Err(SessionError::Git(error @ GitError::TargetMoved { .. })) => moved = Some(error),
            Err(error) => return Err(error),
            Ok(outcome) => {
                pass("merge.landed")?;
                record(world, id, &judged)?;
                return Ok(judged.report(outcome));
            }
        }
    }
    let branch = id.to_string();
    Err(SessionError::Git(moved.unwrap_or(GitError::TargetMoved { branch })))
}

/// Returns what [`merge`] would do, changing nothing.
pub fn plan(
    world: &World,
    id: &SessionId,
    options: &MergeOptions,
) -> Result<MergeReport, SessionError> {
    let judged = judge(world, id, options)?;
    let outcome = match &judged.place {
        Place::Merged => MergeOutcome::Already,
        Place::Repository { worktree } => {
            let title = title_of(&judged);
            let plan = plan_of(&judged, title.as_deref(), options);
            rehearse(&judged.repo, &plan, worktree.as_deref())?;
            MergeOutcome::Possible { worktree: worktree.clone() }
        }
        Place::Forge(_) => MergeOutcome::Possible { worktree: None },
    };
    Ok(judged.report(outcome))
}

fn title_of(judged: &Judged) -> Option<String> {
    let title = judged.record.title.as_deref().map(sanitize::line);
    title.filter(|title| !title.is_empty())
}

fn plan_of<'a>(
    judged: &'a Judged,
    title: Option<&'a str>,
    options: &'a MergeOptions,
) -> MergePlan<'a> {
    MergePlan {
        branch: &judged.subject.branch,
        head: &judged.look.head,
        target: &judged.look.target,
        method: judged.method,
        title,
        message: options.message.as_deref(),
    }
}

/// Makes the merge and moves the base.
fn bring(
    id: &SessionId,
    judged: &Judged,
    options: &MergeOptions,
) -> Result<MergeOutcome, SessionError> {
    let Judged { repo, look, .. } = judged;
    let title = title_of(judged);
    let plan = plan_of(judged, title.as_deref(), options);
    let sha = make_merge(repo, &plan)?;
    pass("merge.made")?;
    let _lock = workspace::lock_repository(repo)?;
    require_unmoved(judged)?;
    // A merge has it among its parents; a rebase that had nothing to make again is it.
    let is_reached = judged.method == MergeMethod::Merge || sha == look.head;
    let kept = if is_reached { None } else { Some(keep_merged(repo, id, &look.head)?) };
    pass("merge.kept")?;
    match land(repo, &look.target, &sha) {
        Ok(landed) => {
            Ok(MergeOutcome::Merged { sha, worktree: landed.worktree, undo: Some(landed.undo) })
        }
        Err(error) => {
            if let Some(name) = kept {
                git::forget_merged(repo, &name, &look.head)?;
            }
            Err(error.into())
        }
    }
}

/// Checks, under the lock, that the branch is still where it was judged.
fn require_unmoved(judged: &Judged) -> Result<(), SessionError> {
    let tip = judged.repo.branch_tip(&judged.subject.branch)?;
    if tip.as_deref() == Some(judged.look.head.as_str()) {
        return Ok(());
    }
    Err(GitError::TargetMoved { branch: judged.subject.branch.clone() }.into())
}

/// Does what is left of a merge that was made before: its tip keeps a name.
fn settle(id: &SessionId, judged: &Judged) -> Result<MergeOutcome, SessionError> {
    if judged.look.ahead > 0 {
        keep(id, judged)?;
    }
    Ok(MergeOutcome::Already)
}

/// Asks the forge to merge what was judged, and nothing else.
fn ask(id: &SessionId, forge: &dyn Scm, judged: &Judged) -> Result<MergeOutcome, SessionError> {
    let wanted = MergeRequest { method: judged.method, head_sha: judged.head.clone() };
    let merged = forge.merge(&judged.subject, &wanted)?;
    // What the forge made of it is not here before somebody fetches it.
    keep(id, judged)?;
    Ok(MergeOutcome::Merged { sha: merged.sha, worktree: None, undo: merged.undo })
}

/// Gives the tip a name of its own, if it is what was merged and nothing more.
fn keep(id: &SessionId, judged: &Judged) -> Result<(), SessionError> {
    if judged.head == judged.look.head {
        let _lock = workspace::lock_repository(&judged.repo)?;
        keep_merged(&judged.repo, id, &judged.head)?;
    }
    Ok(())
}

/// Records that it is merged, so that it shows at once and no later pass has to find out.
fn record(world: &World, id: &SessionId, judged: &Judged) -> Result<(), SessionError> {
    let pr = PrFact {
        state: Some(PrState::Merged),
        number: judged.subject.number,
        head_sha: Some(judged.head.clone()),
        ..PrFact::default()
    };
    let observed_at = Some(clock::now());
    let fact = ScmFact { observed_at, fetched: true, pr, ..ScmFact::default() };
    invocation::apply(world, id, &Observation::Scm(Box::new(fact)), "merge")?;
    pass("merge.recorded")
}

fn pass(point: &'static str) -> Result<(), SessionError> {
    failpoint::pass(point).map_err(SessionError::Proc)
}
