//! Decides what becomes of reviews: which run answers a request, which are over, whether a head
//! is to be reviewed by itself.
//!
//! Invariants:
//!
//! * At most one run is running for one worker, head and reviewer.
//! * A run that has ended stays as it ended.
//! * What is not known (a head, a process) ends no run.

use std::time::Duration;

use crate::model::id::short;
use crate::model::review::{Run, RunState};
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// The key under which a worker gets what a review asks for.
pub const CHANGES: &str = "review-changes";

/// The key under which a person is told that a head cannot be reviewed.
pub const FAILED: &str = "review-failed";

/// How often a head is tried by itself.
pub const TRIES: usize = 3;

/// How often the text of a review is put into the worker's outbox: once for each launch that it
/// was meant for.
pub const PLACEMENTS: u32 = 3;

/// How the reason of a run begins that a newer head superseded.
const SUPERSEDED: &str = "superseded";

/// What is known of a reviewer's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewer {
    /// It lives, and has the pass in its task or its outbox.
    HasIt,
    /// It lives, and was never given the pass.
    Lacks,
    /// It has ended.
    Ended(Status),
    /// There is none.
    Absent,
}

/// Who gives a run to its reviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launching {
    /// Nobody: the reviewer has it.
    Over,
    /// A living process, or one of which it is not known.
    Alive,
    /// A process that died.
    Dead,
}

/// What is known around one run.
#[derive(Clone, Debug)]
pub struct Surroundings<'a> {
    /// How the worker ended, if it did.
    pub worker: Option<Status>,
    /// The tip of its branch, where it is known.
    pub tip: Option<&'a str>,
    /// Who gives the run to its reviewer.
    pub launching: Launching,
    /// The reviewer's session.
    pub reviewer: Reviewer,
    /// How long a review may take.
    pub timeout: Duration,
}

/// What becomes of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Stays,
    /// Its reviewer has it, though whoever gave it died before saying so.
    Arrived,
    /// It is over.
    Ends(RunState, String),
}

/// Returns what becomes of `run` at `now`.
pub fn fate(run: &Run, around: &Surroundings<'_>, now: Timestamp) -> Fate {
    let ends = |state, why: String| Fate::Ends(state, why);
    if !run.is_running() {
        return Fate::Stays;
    }
    if let Some(status) = around.worker {
        return ends(RunState::Cancelled, format!("{} is {status}", run.worker));
    }
    if let Some(tip) = around.tip.filter(|tip| *tip != run.head_sha) {
        return ends(RunState::Cancelled, superseded(tip));
    }
    match (around.launching, &around.reviewer) {
        (Launching::Alive, _) => Fate::Stays,
        (Launching::Over | Launching::Dead, Reviewer::Ended(status)) => {
            ends(RunState::Failed, format!("its reviewer is {status}"))
        }
        (Launching::Over | Launching::Dead, Reviewer::Absent)
        | (Launching::Dead, Reviewer::Lacks) => ends(
            RunState::Failed,
            "no reviewer has it: the process that was to give it died".to_owned(),
        ),
        (Launching::Dead, Reviewer::HasIt) => Fate::Arrived,
        (Launching::Over, Reviewer::HasIt | Reviewer::Lacks) => {
            let age = now.since(run.created_at);
            if age < around.timeout {
                return Fate::Stays;
            }
            let limit = humantime::format_duration(around.timeout);
            ends(RunState::Failed, format!("there was no verdict within {limit}"))
        }
    }
}

/// Returns why a run is cancelled once its branch is at `tip`.
pub fn superseded(tip: &str) -> String {
    format!("{SUPERSEDED}: the branch is at {}", short(tip))
}

/// Returns the run that answers a request to review `head`, by `reviewer` where one is asked for.
pub fn answer<'a>(runs: &'a [Run], head: &str, reviewer: Option<&str>) -> Option<&'a Run> {
    runs.iter().rev().find(|run| {
        let is_it = run.head_sha == head && reviewer.is_none_or(|name| name == run.reviewer);
        let over = match run.state {
            RunState::Failed | RunState::Cancelled => true,
            RunState::Running | RunState::Complete | RunState::Delivered => false,
        };
        is_it && !over
    })
}

/// What is to be done about a head that waits for a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing: it was reviewed, is, or a person ended that.
    Nothing,
    /// It is to be reviewed.
    Review,
    /// It was tried often enough; a person is to be told.
    Tell,
}

/// Returns what is to be done about `head` where heads are reviewed by themselves.
pub fn due(runs: &[Run], head: &str) -> Due {
    let here = || runs.iter().filter(|run| run.head_sha == head);
    let is_superseded = |run: &Run| run.why.as_ref().is_some_and(|why| why.starts_with(SUPERSEDED));
    let failed = here().filter(|run| run.state == RunState::Failed).count();
    let settled = here().any(|run| match run.state {
        RunState::Running | RunState::Complete | RunState::Delivered => true,
        // The branch came back to it.
        RunState::Cancelled => !is_superseded(run),
        RunState::Failed => false,
    });
    match (settled, failed) {
        (true, _) => Due::Nothing,
        (false, failed) if failed < TRIES => Due::Review,
        (false, _) => Due::Tell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::review::Verdict;

    fn run(head: &str, state: RunState, why: Option<&str>) -> Run {
        let mut run: Run = serde_json::from_value(serde_json::json!({
            "run": "web-1-r1", "worker": "web-1", "reviewer": "codex", "head_sha": head,
            "state": state, "created_at": "2026-11-20T10:00:00Z",
        }))
        .unwrap();
        run.why = why.map(str::to_owned);
        run
    }

    fn told(around: &Surroundings<'_>, state: RunState, minutes: u64) -> String {
        let run = run("abc", state, None);
        let now = run.created_at.plus(Duration::from_secs(minutes * 60));
        match fate(&run, around, now) {
            Fate::Stays => "stays".to_owned(),
            Fate::Arrived => "arrived".to_owned(),
            Fate::Ends(state, why) => format!("{state}: {why}"),
        }
    }

    #[test]
    fn every_row_of_the_fates() {
        use Launching as L;
        use Reviewer as R;
        let mut table = String::new();
        let mut row = |worker, tip, launching, reviewer: R, minutes| {
            let timeout = Duration::from_secs(3600);
            let around = Surroundings { worker, tip, launching, reviewer, timeout };
            let told = told(&around, RunState::Running, minutes);
            table += &format!(
                "{:6} {:4} {:5} {:13} {minutes:2}m => {told}\n",
                worker.map_or("lives", Status::as_str),
                tip.unwrap_or("-"),
                format!("{launching:?}"),
                format!("{:?}", around.reviewer),
            );
        };
        let killed = Some(Status::Killed);
        row(killed, Some("abc"), L::Over, R::HasIt, 1);
        row(None, Some("def"), L::Alive, R::HasIt, 1);
        row(None, None, L::Over, R::HasIt, 59);
        row(None, Some("abc"), L::Over, R::HasIt, 60);
        for launching in [L::Over, L::Alive, L::Dead] {
            for reviewer in [R::HasIt, R::Lacks, R::Ended(Status::Exited), R::Absent] {
                row(None, Some("abc"), launching, reviewer, 1);
            }
        }
        insta::assert_snapshot!(table, @r#"
        killed abc  Over  HasIt          1m => cancelled: web-1 is killed
        lives  def  Alive HasIt          1m => cancelled: superseded: the branch is at def
        lives  -    Over  HasIt         59m => stays
        lives  abc  Over  HasIt         60m => failed: there was no verdict within 1h
        lives  abc  Over  HasIt          1m => stays
        lives  abc  Over  Lacks          1m => stays
        lives  abc  Over  Ended(Exited)  1m => failed: its reviewer is exited
        lives  abc  Over  Absent         1m => failed: no reviewer has it: the process that was to give it died
        lives  abc  Alive HasIt          1m => stays
        lives  abc  Alive Lacks          1m => stays
        lives  abc  Alive Ended(Exited)  1m => stays
        lives  abc  Alive Absent         1m => stays
        lives  abc  Dead  HasIt          1m => arrived
        lives  abc  Dead  Lacks          1m => failed: no reviewer has it: the process that was to give it died
        lives  abc  Dead  Ended(Exited)  1m => failed: its reviewer is exited
        lives  abc  Dead  Absent         1m => failed: no reviewer has it: the process that was to give it died
        "#);
    }

    #[test]
    fn what_has_ended_stays() {
        let around = Surroundings {
            worker: Some(Status::Killed),
            tip: Some("def"),
            launching: Launching::Dead,
            reviewer: Reviewer::Absent,
            timeout: Duration::ZERO,
        };
        for state in
            [RunState::Complete, RunState::Delivered, RunState::Failed, RunState::Cancelled]
        {
            assert_eq!(told(&around, state, 600), "stays", "{state}");
        }
    }

    #[test]
    fn the_same_head_is_answered_by_the_run_it_has() {
        let runs = [
            run("abc", RunState::Failed, None),
            Run { verdict: Some(Verdict::Approved), ..run("abc", RunState::Complete, None) },
            run("def", RunState::Cancelled, None),
        ];
        assert_eq!(answer(&runs, "abc", None), Some(&runs[1]));
        assert_eq!(answer(&runs, "abc", Some("codex")), Some(&runs[1]));
        assert_eq!(answer(&runs, "abc", Some("other")), None);
        assert_eq!(answer(&runs, "def", None), None);
    }

    #[test]
    fn a_head_is_reviewed_once_and_tried_three_times() {
        let failed = || run("abc", RunState::Failed, None);
        let cancelled = |why: &str| run("abc", RunState::Cancelled, Some(why));
        let table = [
            (vec![], Due::Review),
            (vec![run("def", RunState::Complete, None)], Due::Review),
            (vec![failed(), failed()], Due::Review),
            (vec![failed(), failed(), failed()], Due::Tell),
            (vec![failed(), run("abc", RunState::Running, None)], Due::Nothing),
            (vec![run("abc", RunState::Complete, None)], Due::Nothing),
            (vec![cancelled("a person ended it")], Due::Nothing),
            (vec![cancelled(&superseded("def"))], Due::Review),
        ];
        for (runs, expected) in table {
            assert_eq!(due(&runs, "abc"), expected, "{runs:?}");
        }
    }
}
