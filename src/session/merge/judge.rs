//! Looks at everything that could stand in the way of a merge.

use std::path::PathBuf;
use std::time::Duration;

use super::{MergeError, MergeOptions, MergeOutcome, MergeReport};
use crate::adapter::git::{self, BranchLook, GitError, Repository, place_to_land};
use crate::adapter::scm::{Scm, local};
use crate::invocation::World;
use crate::model::facts::{CiState, ReviewState};
use crate::model::forge::{MergeMethod, Observed, Subject};
use crate::model::id::SessionId;
use crate::model::lifecycle::{ActivityState, PrState, SessionState};
use crate::model::record::{Record, WorkspaceHandle};
use crate::model::review;
use crate::model::sanitize;
use crate::session::{SessionError, forge, intent, poll, workspace};

/// How long git may take to say whether a workspace has uncommitted work.
const STATUS_DEADLINE: Duration = Duration::from_secs(60);

/// A branch that may be merged as it was looked at.
pub(super) struct Judged {
    /// Its session.
    pub(super) record: Record,
    /// It, as a forge knows it.
    pub(super) subject: Subject,
    /// Where it is.
    pub(super) repo: Repository,
    /// What git says of it.
    pub(super) look: BranchLook,
    /// The commit that is to be merged.
    pub(super) head: String,
    /// How.
    pub(super) method: MergeMethod,
    /// Where.
    pub(super) place: Place,
}

/// Where a branch is merged.
pub(super) enum Place {
    /// Nowhere: it was.
    Merged,
    /// In the repository itself.
    Repository {
        /// The worktree that has the base.
        worktree: Option<PathBuf>,
    },
    /// At a forge.
    Forge(Box<dyn Scm>),
}

impl Judged {
    /// Returns what is told of it.
    pub(super) fn report(&self, outcome: MergeOutcome) -> MergeReport {
        MergeReport {
            branch: self.subject.branch.clone(),
            target: self.look.target.name.clone(),
            method: self.method,
            head: self.head.clone(),
            outcome,
        }
    }
}

/// Looks afresh, and returns what may be merged, or was.
pub(super) fn judge(
    world: &World,
    id: &SessionId,
    options: &MergeOptions,
) -> Result<Judged, SessionError> {
    let record = world.home.load(id)?.record;
    intent::require_free(id, &record)?;
    let handle = record.handles.workspace.clone();
    let (Some((_, subject)), Some(handle)) = (poll::subject(&record), handle) else {
        return Err(nothing(id, "it has no branch of its own").into());
    };
    let layered = world.config_of(&record)?;
    let method = options.method.unwrap_or(layered.config.merge.method);
    let repo = workspace::repository_of(&handle)?;
    let look = look_at(&repo, &subject)?;
    let (head, place) = match forge::choose(world, &layered.config, &handle.repo)? {
        None => {
            let place = in_repository(world, id, &record, &repo, &look, options)?;
            (look.head.clone(), place)
        }
        Some(forge) => at_forge(world, id, &record, &look, forge, options)?,
    };
    match place {
        Place::Repository { .. } | Place::Forge(_) if !options.force => {
            require_quiet(id, &record)?;
            require_committed(id, &handle)?;
        }
        Place::Repository { .. } | Place::Forge(_) | Place::Merged => {}
    }
    Ok(Judged { record, subject, repo, look, head, method, place })
}

/// Judges a branch whose pull request is itself.
fn in_repository(
    world: &World,
    id: &SessionId,
    record: &Record,
    repo: &Repository,
    look: &BranchLook,
    options: &MergeOptions,
) -> Result<Place, SessionError> {
    if look.merged {
        return Ok(Place::Merged);
    }
    if look.ahead == 0 {
        let why = format!("its branch has no commit that `{}` has not", look.target.name);
        return Err(nothing(id, &why).into());
    }
    let observed = poll::look_at_one(world, id, record);
    if let Some(observed) = &observed {
        require_open(id, observed)?;
    }
    if !look.conflicts.is_empty() {
        let branch = record.handles.workspace.as_ref().and_then(|handle| handle.branch.as_ref());
        return Err(GitError::MergeConflicts {
            branch: branch.map(ToString::to_string).unwrap_or_default(),
            target: look.target.name.clone(),
            paths: look.conflicts.clone(),
        }
        .into());
    }
    if !options.force {
        require_ready(id, observed.as_ref(), &look.head)?;
    }
    Ok(Place::Repository { worktree: place_to_land(repo, &look.target)? })
}

/// Judges a pull request at a forge, which alone says whether it was merged; returns the commit
/// that it has there.
fn at_forge(
    world: &World,
    id: &SessionId,
    record: &Record,
    look: &BranchLook,
    forge: Box<dyn Scm>,
    options: &MergeOptions,
) -> Result<(String, Place), SessionError> {
    let known = record.lifecycle.pr.head_sha.clone();
    let Some(observed) = poll::look_at_one(world, id, record) else {
        // An ended session whose pull request was merged is not looked at any more.
        return match record.lifecycle.pr.state {
            PrState::Merged => Ok((known.unwrap_or_else(|| look.head.clone()), Place::Merged)),
            PrState::None | PrState::Draft | PrState::Open | PrState::Closed => {
                Err(nothing(id, "its pull request is not looked at").into())
            }
        };
    };
    let head = observed.fact.pr.head_sha.clone().or(known).unwrap_or_else(|| look.head.clone());
    if observed.fact.fetched && observed.fact.pr.state == Some(PrState::Merged) {
        return Ok((head, Place::Merged));
    }
    require_open(id, &observed)?;
    if !options.force {
        require_ready(id, Some(&observed), &look.head)?;
        require_reviewed(world, id, record, &head)?;
    }
    Ok((head, Place::Forge(forge)))
}

fn nothing(id: &SessionId, why: &str) -> MergeError {
    MergeError::Nothing { id: id.clone(), why: why.to_owned() }
}

fn look_at(repo: &Repository, subject: &Subject) -> Result<BranchLook, SessionError> {
    let query = local::query(subject, true);
    let gone = || GitError::BranchGone { branch: subject.branch.clone(), preserved: None };
    Ok(git::look(repo, &[query]).pop().unwrap_or_else(|| Err(gone()))?)
}

/// Refuses a pull request that is not one, as far as anybody can tell.
fn require_open(id: &SessionId, observed: &Observed) -> Result<(), MergeError> {
    if !observed.fact.fetched {
        let why = observed.why.clone().unwrap_or_else(|| "there is no answer".to_owned());
        return Err(MergeError::Unseen { id: id.clone(), why, denied: observed.denied });
    }
    match observed.fact.pr.state {
        Some(PrState::Open) if observed.fact.pr.draft => {
            Err(nothing(id, "its pull request is a draft"))
        }
        Some(PrState::Open) => Ok(()),
        Some(PrState::Draft) => Err(nothing(id, "its pull request is a draft")),
        Some(PrState::Merged) => Err(nothing(id, "its pull request was merged")),
        Some(PrState::Closed) => Err(nothing(id, "its pull request is closed")),
        Some(PrState::None) | None => Err(nothing(id, "it has no pull request")),
    }
}

/// Refuses what checks, reviews or the forge do not want merged.
fn require_ready(
    id: &SessionId,
    observed: Option<&Observed>,
    head: &str,
) -> Result<(), MergeError> {
    let Some(fact) = observed.map(|observed| &observed.fact) else { return Ok(()) };
    let mut reasons = Vec::new();
    match fact.ci {
        Some(CiState::Failing) => reasons.push("its checks fail".to_owned()),
        Some(CiState::Pending) => reasons.push("its checks have not ended".to_owned()),
        Some(CiState::Passing | CiState::None) | None => {}
    }
    match fact.review {
        Some(ReviewState::ChangesRequested) => reasons.push("a review asks for changes".to_owned()),
        Some(ReviewState::Pending) => reasons.push("it waits for a review".to_owned()),
        Some(ReviewState::Approved | ReviewState::None) | None => {}
    }
    if !fact.comments.is_empty() {
        reasons.push(format!("{} comments are not resolved", fact.comments.len()));
    }
    if fact.pr.head_sha.as_ref().is_some_and(|seen| seen != head) {
        reasons.push("its branch has commits that were not looked at".to_owned());
    }
    if let Some(merge) = &fact.mergeability {
        reasons.extend(merge.blockers.iter().map(|blocker| sanitize::line(blocker)));
        if reasons.is_empty() && !merge.mergeable && !merge.approved {
            reasons.push("no review has approved it".to_owned());
        }
        if reasons.is_empty() && !merge.mergeable {
            reasons.push("it cannot be merged as it is".to_owned());
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(MergeError::NotReady { id: id.clone(), reasons })
}

/// Refuses what waits for a review of `ao`'s own, of which a forge knows nothing.
fn require_reviewed(
    world: &World,
    id: &SessionId,
    record: &Record,
    head: &str,
) -> Result<(), SessionError> {
    let is_required = world.config_of(record)?.config.review.auto;
    match review::state_of(&world.home.review_runs(id)?, head) {
        ReviewState::Approved => Ok(()),
        ReviewState::None if !is_required => Ok(()),
        ReviewState::None | ReviewState::Pending | ReviewState::ChangesRequested => {
            Err(MergeError::InReview { id: id.clone(), head: head.to_owned() }.into())
        }
    }
}

/// Refuses while the agent is at work: what it is about to commit would be left out.
fn require_quiet(id: &SessionId, record: &Record) -> Result<(), MergeError> {
    let activity = record.lifecycle.activity.as_ref().map(|activity| activity.state);
    let is_working = record.lifecycle.session.state == SessionState::Working;
    if is_working && activity == Some(ActivityState::Active) {
        return Err(MergeError::MidTurn { id: id.clone() });
    }
    Ok(())
}

/// Refuses while the workspace holds what no commit does: it would be left out.
fn require_committed(id: &SessionId, handle: &WorkspaceHandle) -> Result<(), SessionError> {
    let status = match git::status(handle, STATUS_DEADLINE) {
        Ok(status) => status,
        Err(GitError::Gone { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !status.dirty() {
        return Ok(());
    }
    let (id, path) = (id.clone(), handle.path.clone());
    Err(MergeError::Uncommitted { id, path, files: status.changed + status.untracked }.into())
}
