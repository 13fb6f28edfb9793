//! Decides what a branch, its last check and its reviews say together, where the repository
//! itself is the forge; and when a check is due.
//!
//! Invariants:
//!
//! * A result counts for the very commit and the very command it is about, and for no other.
//! * A check that could not be made says nothing of the commit, until it could not be made three
//!   times.
//! * A branch that never had a commit of its own has no pull request.

use std::time::Duration;

use crate::model::check_run::{CheckRun, CheckState};
use crate::model::facts::{
    Check, CheckConclusion, CiState, Comment, Mergeability, PrFact, ReviewState, ScmFact,
};
use crate::model::lifecycle::PrState;
use crate::model::time::Timestamp;

/// How often a check that could not be made is tried at one commit.
const MOST_ATTEMPTS: u32 = 3;

/// How long after the first failure to make it a check is tried again; then twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The check that is configured for a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// None.
    Nothing,
    /// One that nobody has approved.
    Unapproved,
    /// This command.
    Command(&'a [String]),
}

/// What is known of the check of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckFact {
    /// There is none.
    None,
    /// It is not made: nobody has approved the command.
    Unapproved,
    /// It has to be begun, for the `attempt`th time.
    Due {
        /// Which try it will be.
        attempt: u32,
    },
    /// It could not be made, and will be tried again.
    Pausing,
    /// One of another commit or command runs, and is to be ended.
    Superseded,
    /// It runs.
    Running,
    /// It passed.
    Passed,
    /// It failed: the reason, where it is another than what its log says.
    Failed(Option<String>),
}

/// Returns what `run`, the last check, says of `head` at `now`.
pub fn check_of(
    wanted: Wanted<'_>,
    head: &str,
    run: Option<&CheckRun>,
    is_running: bool,
    now: Timestamp,
) -> CheckFact {
    let command = match wanted {
        Wanted::Nothing => return CheckFact::None,
        Wanted::Unapproved => return CheckFact::Unapproved,
        Wanted::Command(command) => command,
    };
    let Some(run) = run else {
        return if is_running { CheckFact::Running } else { CheckFact::Due { attempt: 1 } };
    };
    let is_this = run.head_sha == head && run.command == command;
    match (run.state, is_this, is_running) {
        (CheckState::Running, true, true) => CheckFact::Running,
        (CheckState::Running, false, true) => CheckFact::Superseded,
        (_, false, _) => CheckFact::Due { attempt: 1 },
        (CheckState::Passed, true, _) => CheckFact::Passed,
        (CheckState::Failed, true, _) => CheckFact::Failed(None),
        (CheckState::TimedOut, true, _) => CheckFact::Failed(run.why.clone()),
        (CheckState::Aborted, true, _) | (CheckState::Running, true, false) => aborted(run, now),
    }
}

/// Returns what becomes of a check that could not be made, or lost its supervisor.
fn aborted(run: &CheckRun, now: Timestamp) -> CheckFact {
    if run.attempt >= MOST_ATTEMPTS {
        let why = run.why.as_deref().unwrap_or("its supervisor was killed");
        let why = format!("the check could not be made {} times: {why}", run.attempt);
        return CheckFact::Failed(Some(why));
    }
    let pause = FIRST_PAUSE * 2_u32.pow(run.attempt.saturating_sub(1).min(8));
    if now.since(run.ended_at.unwrap_or(run.started_at)) >= pause {
        CheckFact::Due { attempt: run.attempt + 1 }
    } else {
        CheckFact::Pausing
    }
}

/// A branch, as a look at it found it.
#[derive(Clone, Copy, Debug)]
pub struct Branch<'a> {
    /// Its tip.
    pub head: &'a str,
    /// The commit of what it is to be merged into.
    pub base_sha: &'a str,
    /// How many commits it has that its target has not.
    pub ahead: usize,
    /// Its changes are in its target.
    pub merged: bool,
    /// It merges without conflicts.
    pub no_conflicts: bool,
}

/// What else is known of its tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The check's name.
    pub name: String,
    /// Its result.
    pub check: CheckFact,
    /// The path of its log.
    pub log: String,
    /// The end of that log, where it failed.
    pub log_tail: Option<String>,
    /// What the reviews say.
    pub review: ReviewState,
    /// It has to be reviewed before it is merged.
    pub review_required: bool,
    /// What the reviews ask for.
    pub comments: Vec<Comment>,
}

impl Default for Evidence {
    /// Returns that of a branch nobody checks or reviews.
    fn default() -> Self {
        Self {
            name: String::new(),
            check: CheckFact::None,
            log: String::new(),
            log_tail: None,
            review: ReviewState::None,
            review_required: false,
            comments: Vec::new(),
        }
    }
}

/// Returns the state of a branch as a pull request.
pub fn state_of(branch: &Branch<'_>) -> PrState {
    match (branch.merged, branch.ahead) {
        (true, _) => PrState::Merged,
        (false, 0) => PrState::None,
        (false, _) => PrState::Open,
    }
}

/// Returns what a forge would say of `branch`.
pub fn fact(branch: &Branch<'_>, evidence: Evidence) -> ScmFact {
    let state = state_of(branch);
    let pr = PrFact {
        state: Some(state),
        head_sha: (state != PrState::None).then(|| branch.head.to_owned()),
        ..PrFact::default()
    };
    let bare = ScmFact { fetched: true, pr, ..ScmFact::default() };
    if state != PrState::Open {
        return bare;
    }
    let (ci, conclusion) = match &evidence.check {
        CheckFact::None => (CiState::None, None),
        CheckFact::Unapproved
        | CheckFact::Due { .. }
        | CheckFact::Pausing
        | CheckFact::Superseded
        | CheckFact::Running => (CiState::Pending, Some(CheckConclusion::Pending)),
        CheckFact::Passed => (CiState::Passing, Some(CheckConclusion::Success)),
        CheckFact::Failed(_) => (CiState::Failing, Some(CheckConclusion::Failure)),
    };
    let ci_passing = matches!(ci, CiState::Passing | CiState::None);
    let approved = match evidence.review {
        ReviewState::Approved => true,
        // A review that somebody asked for is waited for.
        ReviewState::ChangesRequested | ReviewState::Pending => false,
        ReviewState::None => !evidence.review_required,
    };
    let no_conflicts = branch.no_conflicts;
    let why = match evidence.check {
        CheckFact::Failed(why) => why,
        CheckFact::None
        | CheckFact::Unapproved
        | CheckFact::Due { .. }
        | CheckFact::Pausing
        | CheckFact::Superseded
        | CheckFact::Running
        | CheckFact::Passed => None,
    };
    let tail = [evidence.log_tail.filter(|_| ci == CiState::Failing), why];
    let tail: Vec<String> = tail.into_iter().flatten().collect();
    ScmFact {
        ci: Some(ci),
        review: Some(evidence.review),
        mergeability: Some(Mergeability {
            mergeable: no_conflicts && ci_passing && approved,
            ci_passing,
            approved,
            no_conflicts,
            blockers: Vec::new(),
        }),
        comments: evidence.comments,
        checks: conclusion
            .map(|conclusion| Check { name: evidence.name, conclusion, url: Some(evidence.log) })
            .into_iter()
            .collect(),
        ci_log_tail: (!tail.is_empty()).then(|| tail.join("\n")),
        base_sha: Some(branch.base_sha.to_owned()),
        ..bare
    }
}
