//! Merges a session's branch into its base: `ao merge`, and the reaction of that name.
//!
//! Looked at afresh, without a lock; made in memory; and only the moving of the base is done under
//! the repository's lock, if branch and base are still where they were judged. Killed anywhere,
//! the base has moved or it has not, and doing it again finishes what is left: a branch that was
//! merged already is a success.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::adapter::git::{
    self, BranchLook, BranchQuery, GitError, MergePlan, Repository, keep_merged, land, make_merge,
    place_to_land,
};
use crate::adapter::scm::Scm;
use crate::adapter::{clock, failpoint};
use crate::invocation::{self, World};
use crate::model::facts::{CiState, Observation, PrFact, ReviewState, ScmFact};
use crate::model::forge::{MergeMethod, MergeRequest, Observed, Subject};
use crate::model::id::SessionId;
use crate::model::lifecycle::{ActivityState, PrState, SessionState};
use crate::model::record::{Record, WorkspaceHandle};
use crate::model::sanitize;
use crate::session::{SessionError, intent, poll, workspace};

/// How often it is looked again where branch or base moved in between.
const ATTEMPTS: usize = 5;

/// How long git may take to say whether a workspace has uncommitted work.
const STATUS_DEADLINE: Duration = Duration::from_secs(60);

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
            Place::Forge(forge) => ask(&**forge, &judged),
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
        Place::Repository { worktree } => MergeOutcome::Possible { worktree: worktree.clone() },
        Place::Forge(_) => MergeOutcome::Possible { worktree: None },
    };
    Ok(judged.report(outcome))
}

/// A branch that may be merged as it was looked at.
struct Judged {
    record: Record,
    subject: Subject,
    repo: Repository,
    look: BranchLook,
    method: MergeMethod,
    place: Place,
}

/// Where it is merged.
enum Place {
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
    fn report(&self, outcome: MergeOutcome) -> MergeReport {
        MergeReport {
            branch: self.subject.branch.clone(),
            target: self.look.target.name.clone(),
            method: self.method,
            head: self.look.head.clone(),
            outcome,
        }
    }
}

/// Looks at everything that could stand in the way.
fn judge(world: &World, id: &SessionId, options: &MergeOptions) -> Result<Judged, SessionError> {
    let record = world.home.load(id)?.record;
    intent::require_free(id, &record)?;
    let none = |why: String| SessionError::NothingToMerge { id: id.clone(), why };
    let handle = record.handles.workspace.clone();
    let (Some((_, subject)), Some(handle)) = (poll::subject(&record), handle) else {
        return Err(none("it has no branch of its own".to_owned()));
    };
    let layered = world.config_of(&record)?;
    let method = options.method.unwrap_or(layered.config.merge.method);
    let repo = workspace::repository_of(&handle)?;
    let look = look_at(&repo, &subject)?;
    let judged = |place| Judged {
        record: record.clone(),
        subject: subject.clone(),
        repo: repo.clone(),
        look: look.clone(),
        method,
        place,
    };
    if look.merged {
        return Ok(judged(Place::Merged));
    }
    if look.ahead == 0 {
        let target = &look.target.name;
        return Err(none(format!("its branch has no commit that `{target}` has not")));
    }
    let forge = poll::forge(world, &record)?;
    let only = BTreeMap::from([(id.clone(), record.clone())]);
    let fact = poll::look(world, &only).observed.pop();
    if let Some(observed) = &fact {
        require_open(id, observed)?;
    }
    if !look.conflicts.is_empty() && forge.is_none() {
        let (branch, target) = (subject.branch.clone(), look.target.name.clone());
        let paths = look.conflicts;
        return Err(GitError::MergeConflicts { branch, target, paths }.into());
    }
    if !options.force {
        require_ready(id, fact.as_ref(), &look)?;
        require_quiet(id, &record)?;
        require_committed(id, &handle)?;
    }
    let place = match forge {
        Some(forge) => Place::Forge(forge),
        None => Place::Repository { worktree: place_to_land(&repo, &look.target)? },
    };
    Ok(judged(place))
}

fn look_at(repo: &Repository, subject: &Subject) -> Result<BranchLook, SessionError> {
    let was_open = match subject.state {
        PrState::Open | PrState::Draft | PrState::Merged => true,
        PrState::None | PrState::Closed => false,
    };
    let query = BranchQuery {
        branch: &subject.branch,
        base_ref: subject.base_ref.as_deref(),
        base_sha: subject.base_sha.as_deref(),
        seen_head: subject.head_sha.as_deref().filter(|_| was_open),
    };
    let gone = || GitError::BranchGone { branch: subject.branch.clone(), preserved: None };
    Ok(git::look(repo, &[query]).pop().unwrap_or_else(|| Err(gone()))?)
}

/// Refuses a pull request that is not one, as far as anybody can tell.
fn require_open(id: &SessionId, observed: &Observed) -> Result<(), SessionError> {
    let none =
        |why: &str| Err(SessionError::NothingToMerge { id: id.clone(), why: why.to_owned() });
    if !observed.fact.fetched {
        let why = observed.why.clone().unwrap_or_else(|| "it could not be looked at".to_owned());
        return Err(SessionError::NotMergeable { id: id.clone(), reasons: vec![why] });
    }
    match observed.fact.pr.state {
        Some(PrState::Open) if observed.fact.pr.draft => none("its pull request is a draft"),
        Some(PrState::Open) => Ok(()),
        Some(PrState::Draft) => none("its pull request is a draft"),
        Some(PrState::Merged) => none("its pull request was merged"),
        Some(PrState::Closed) => none("its pull request is closed"),
        Some(PrState::None) | None => none("it has no pull request"),
    }
}

/// Refuses what checks, reviews or the forge do not want merged.
fn require_ready(
    id: &SessionId,
    observed: Option<&Observed>,
    look: &BranchLook,
) -> Result<(), SessionError> {
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
    if fact.pr.head_sha.as_ref().is_some_and(|head| *head != look.head) {
        reasons.push("its branch has moved since it was looked at".to_owned());
    }
    if let Some(merge) = &fact.mergeability {
        reasons.extend(merge.blockers.iter().map(|blocker| sanitize::line(blocker)));
        if reasons.is_empty() && !merge.mergeable {
            reasons.push("it cannot be merged as it is".to_owned());
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(SessionError::NotMergeable { id: id.clone(), reasons })
}

/// Refuses while the agent is at work: what it is about to commit would be left out.
fn require_quiet(id: &SessionId, record: &Record) -> Result<(), SessionError> {
    let activity = record.lifecycle.activity.as_ref().map(|activity| activity.state);
    let is_working = record.lifecycle.session.state == SessionState::Working;
    if is_working && activity == Some(ActivityState::Active) {
        return Err(SessionError::MidTurn { id: id.clone() });
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
    Err(SessionError::Uncommitted { id, path, files: status.changed + status.untracked })
}

/// Makes the merge and moves the base.
fn bring(
    id: &SessionId,
    judged: &Judged,
    options: &MergeOptions,
) -> Result<MergeOutcome, SessionError> {
    let Judged { repo, look, subject, .. } = judged;
    let title = judged.record.title.as_deref().map(sanitize::line);
    let plan = MergePlan {
        branch: &subject.branch,
        head: &look.head,
        target: &look.target,
        method: judged.method,
        title: title.as_deref().filter(|title| !title.is_empty()),
        message: options.message.as_deref(),
    };
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
        let _lock = workspace::lock_repository(&judged.repo)?;
        keep_merged(&judged.repo, id, &judged.look.head)?;
    }
    Ok(MergeOutcome::Already)
}

/// Asks the forge to merge what was judged, and nothing else.
fn ask(forge: &dyn Scm, judged: &Judged) -> Result<MergeOutcome, SessionError> {
    let head_sha = judged.look.head.clone();
    let wanted = MergeRequest { method: judged.method, head_sha };
    let merged = forge.merge(&judged.subject, &wanted)?;
    Ok(MergeOutcome::Merged { sha: merged.sha, worktree: None, undo: merged.undo })
}

/// Records that it is merged, so that it shows at once and no later pass has to find out.
fn record(world: &World, id: &SessionId, judged: &Judged) -> Result<(), SessionError> {
    let pr = PrFact {
        state: Some(PrState::Merged),
        number: judged.subject.number,
        head_sha: Some(judged.look.head.clone()),
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
