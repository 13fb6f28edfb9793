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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: CheckState, attempt: u32) -> CheckRun {
        CheckRun {
            schema: 1,
            head_sha: "a".to_owned(),
            name: "make".to_owned(),
            command: vec!["make".to_owned()],
            state,
            attempt,
            exit_code: None,
            why: Some("no such program".to_owned()),
            marker: None,
            owner: None,
            started_at: Timestamp::from_millis(0),
            ended_at: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn what_the_last_check_says_of_a_head() {
        use CheckFact as F;
        use CheckState as S;
        let command = ["make".to_owned()];
        let command = Wanted::Command(&command);
        let of = |run: &CheckRun, running, now| check_of(command, "a", Some(run), running, at(now));
        let gave_up =
            F::Failed(Some("the check could not be made 3 times: no such program".to_owned()));
        let slow = F::Failed(Some("no such program".to_owned()));
        let table = [
            (S::Running, 1, true, 0, F::Running),
            (S::Passed, 1, false, 0, F::Passed),
            // It ended between the look at its lock and that at its file.
            (S::Passed, 1, true, 0, F::Passed),
            (S::Failed, 1, false, 0, F::Failed(None)),
            (S::TimedOut, 1, false, 0, slow),
            (S::Aborted, 1, false, 29, F::Pausing),
            (S::Aborted, 1, false, 30, F::Due { attempt: 2 }),
            (S::Running, 1, false, 29, F::Pausing),
            (S::Running, 1, false, 30, F::Due { attempt: 2 }),
            (S::Aborted, 2, false, 59, F::Pausing),
            (S::Aborted, 2, false, 60, F::Due { attempt: 3 }),
            (S::Aborted, 3, false, 0, gave_up.clone()),
            (S::Running, 3, false, 999, gave_up),
        ];
        for (state, attempt, running, now, expected) in table {
            let found = of(&run(state, attempt), running, now);
            assert_eq!(found, expected, "{state} {attempt} {running} {now}");
        }
        assert_eq!(check_of(command, "a", None, false, at(0)), F::Due { attempt: 1 });
        assert_eq!(check_of(command, "a", None, true, at(0)), F::Running);
    }

    #[test]
    fn a_result_counts_for_its_commit_and_its_command_alone() {
        use CheckFact as F;
        let (make, other) = (["make".to_owned()], ["make".to_owned(), "-k".to_owned()]);
        for state in [CheckState::Passed, CheckState::Failed, CheckState::Aborted] {
            let run = run(state, 3);
            let due = F::Due { attempt: 1 };
            assert_eq!(check_of(Wanted::Command(&make), "b", Some(&run), false, at(0)), due);
            assert_eq!(check_of(Wanted::Command(&other), "a", Some(&run), false, at(0)), due);
            assert_eq!(check_of(Wanted::Nothing, "a", Some(&run), false, at(0)), F::None);
            assert_eq!(check_of(Wanted::Unapproved, "a", Some(&run), false, at(0)), F::Unapproved);
        }
        let running = run(CheckState::Running, 1);
        for (wanted, head) in [(&make[..], "b"), (&other[..], "a")] {
            let found = check_of(Wanted::Command(wanted), head, Some(&running), true, at(0));
            assert_eq!(found, F::Superseded);
        }
    }

    fn branch(ahead: usize, merged: bool, no_conflicts: bool) -> Branch<'static> {
        Branch { head: "a", base_sha: "b", ahead, merged, no_conflicts }
    }

    #[test]
    fn a_branch_is_a_pull_request_by_its_commits() {
        for (ahead, merged, state) in [
            (0, false, PrState::None),
            (1, false, PrState::Open),
            (0, true, PrState::Merged),
            (2, true, PrState::Merged),
        ] {
            let fact = fact(&branch(ahead, merged, true), Evidence::default());
            assert_eq!(fact.pr.state, Some(state), "{ahead} {merged}");
            assert!(fact.fetched);
            assert_eq!(fact.ci.is_some(), state == PrState::Open);
            assert_eq!(fact.pr.head_sha.is_some(), state != PrState::None);
        }
    }

    #[test]
    fn what_stands_between_a_branch_and_its_merge() {
        use CheckFact as F;
        use ReviewState as R;
        let failed = F::Failed(None);
        let mut lines = String::new();
        for check in [F::None, F::Unapproved, F::Running, F::Pausing, F::Passed, failed] {
            for (review, required) in [
                (R::None, false),
                (R::None, true),
                (R::Pending, false),
                (R::Approved, true),
                (R::ChangesRequested, false),
            ] {
                let evidence = Evidence {
                    check: check.clone(),
                    review,
                    review_required: required,
                    ..Evidence::default()
                };
                let merge = fact(&branch(1, false, true), evidence).mergeability.unwrap();
                let ready = merge.ci_passing && merge.approved && merge.no_conflicts;
                assert_eq!(merge.mergeable, ready);
                if ready {
                    lines.push_str(&format!("{check:?} {review} required={required}\n"));
                }
            }
        }
        insta::assert_snapshot!(lines, @r"
        None none required=false
        None approved required=true
        Passed none required=false
        Passed approved required=true
        ");
        let conflict = fact(&branch(1, false, false), Evidence::default()).mergeability.unwrap();
        assert!(!conflict.mergeable && !conflict.no_conflicts && conflict.ci_passing);
    }

    #[test]
    fn the_log_is_told_of_a_failure_only() {
        let told = |check: CheckFact| {
            let log_tail = Some("boom".to_owned());
            let evidence = Evidence { check, log_tail, ..Evidence::default() };
            fact(&branch(1, false, true), evidence).ci_log_tail
        };
        assert_eq!(told(CheckFact::Passed), None);
        assert_eq!(told(CheckFact::Failed(None)).as_deref(), Some("boom"));
        let why = CheckFact::Failed(Some("too slow".to_owned()));
        assert_eq!(told(why).as_deref(), Some("boom\ntoo slow"));
    }
}
