//! A reviewer's pass over one head of a worker's branch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effect::Claim;
use crate::facts::{Comment, ReviewState};
use crate::id::SessionId;
use crate::lifecycle::word_enum;
use crate::time::Timestamp;

word_enum! {
    /// What a reviewer came to.
    Verdict {
        Approved = "approved",
        ChangesRequested = "changes_requested",
    }
}

word_enum! {
    /// How far a run is.
    RunState {
        /// Recorded; its reviewer is at work, or about to be.
        Running = "running",
        /// It has a verdict.
        Complete = "complete",
        /// The worker has what it asks for.
        Delivered = "delivered",
        /// Its reviewer ended without a verdict, or could not be started.
        Failed = "failed",
        /// A newer head made it pointless, or a person ended it.
        Cancelled = "cancelled",
    }
}

/// One pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its name, never used twice: `<worker>-r<n>`.
    pub run: String,
    /// The session whose branch is reviewed.
    pub worker: SessionId,
    /// The reviewer agent's card.
    pub reviewer: String,
    /// The session that reviews; absent until it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The commit that is reviewed.
    pub head_sha: String,
    /// The commit it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_sha: Option<String>,
    /// The pull request's number, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// How far it is.
    pub state: RunState,
    /// What it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What the reviewer wrote: text of an agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Why it failed or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How often its body was tried to be given to the worker.
    #[serde(default)]
    pub attempts: u32,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it got its verdict, failed or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When the worker got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// Who gives it to its reviewer; absent once the reviewer has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launching: Option<Claim>,
}

impl Run {
    /// Returns whether it is still to come to a verdict.
    pub fn is_running(&self) -> bool {
        self.state == RunState::Running
    }

    /// Returns whether the worker is still to get what it asks for.
    pub fn is_undelivered(&self) -> bool {
        let asks = self.verdict == Some(Verdict::ChangesRequested);
        asks && self.state == RunState::Complete && self.why.is_none()
    }

    /// Ends it without a verdict.
    pub fn close(&mut self, state: RunState, why: &str, now: Timestamp) {
        self.state = state;
        self.why = Some(why.to_owned());
        self.ended_at = Some(now);
        self.launching = None;
    }
}

/// All passes over one worker's branch, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviews {
    /// The number of the last run; none is used twice.
    pub last: u64,
    /// The runs.
    pub runs: Vec<Run>,
}

impl Reviews {
    /// Returns the name of the next run, and counts it.
    pub fn next_name(&mut self, worker: &SessionId) -> String {
        // A damaged file may hold any number.
        self.last = self.last.saturating_add(1);
        format!("{worker}-r{}", self.last)
    }

    /// Returns the run of that name.
    pub fn find(&self, name: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.run == name)
    }

    /// Returns the run of that name, to be changed.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.run == name)
    }
}

/// Returns what all runs together say of `head`.
///
/// A request for changes outweighs an approval. An approval of another head says nothing; what was
/// asked to be changed there waits for a verdict on what became of it.
pub fn state_of(runs: &[Run], head: &str) -> ReviewState {
    let here = || runs.iter().filter(|run| run.head_sha == head);
    let verdict = |verdict| here().any(|run| run.verdict == Some(verdict));
    if verdict(Verdict::ChangesRequested) {
        ReviewState::ChangesRequested
    } else if here().any(|run| run.state == RunState::Running) {
        ReviewState::Pending
    } else if verdict(Verdict::Approved) {
        ReviewState::Approved
    } else if runs.iter().rev().find_map(|run| run.verdict) == Some(Verdict::ChangesRequested) {
        ReviewState::Pending
    } else {
        ReviewState::None
    }
}

/// Returns what the runs on `head` ask for, as comments of its pull request.
///
/// The worker gets their text by the run itself, which the comments say of themselves.
pub fn comments_of(runs: &[Run], head: &str) -> Vec<Comment> {
    let here = runs.iter().filter(|run| run.head_sha == head);
    let asking = here.filter(|run| run.verdict == Some(Verdict::ChangesRequested));
    asking
        .map(|run| Comment {
            id: format!("review:{}", run.run),
            author: run.reviewer.clone(),
            body: run.body.clone().unwrap_or_default(),
            delivered: true,
            ..Comment::default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(head: &str, state: RunState, verdict: Option<Verdict>) -> Run {
        Run {
            run: "web-1-r1".to_owned(),
            worker: "web-1".parse().unwrap(),
            reviewer: "codex".to_owned(),
            session: None,
            head_sha: head.to_owned(),
            base_sha: None,
            number: None,
            state,
            verdict,
            body: None,
            why: None,
            attempts: 0,
            created_at: "2026-11-20T10:00:00Z".parse().unwrap(),
            ended_at: None,
            delivered_at: None,
            launching: None,
        }
    }

    #[test]
    fn comments_are_those_of_the_head_and_say_that_they_are_delivered() {
        let approved = run("a", RunState::Complete, Some(Verdict::Approved));
        let elsewhere = run("b", RunState::Delivered, Some(Verdict::ChangesRequested));
        let asks = Run {
            body: Some("Rename it.".to_owned()),
            ..run("a", RunState::Complete, Some(Verdict::ChangesRequested))
        };
        let comments = comments_of(&[approved, elsewhere, asks], "a");
        let shown: Vec<_> = comments
            .iter()
            .map(|it| (it.id.as_str(), it.author.as_str(), it.body.as_str(), it.delivered))
            .collect();
        assert_eq!(shown, [("review:web-1-r1", "codex", "Rename it.", true)]);
    }

    #[test]
    fn a_name_is_given_once() {
        let mut reviews = Reviews::default();
        let worker = "web-1".parse().unwrap();
        assert_eq!(reviews.next_name(&worker), "web-1-r1");
        assert_eq!(reviews.next_name(&worker), "web-1-r2");
        assert_eq!(reviews.find("web-1-r1"), None);
    }

    #[test]
    fn what_runs_say_together() {
        use RunState as S;
        use Verdict as V;
        let approved = run("a", S::Complete, Some(V::Approved));
        let refused = run("a", S::Delivered, Some(V::ChangesRequested));
        let running = run("a", S::Running, None);
        let failed = run("a", S::Failed, None);
        let table = [
            (vec![], ReviewState::None),
            (vec![failed.clone()], ReviewState::None),
            (vec![running.clone()], ReviewState::Pending),
            (vec![approved.clone()], ReviewState::Approved),
            (vec![approved.clone(), running.clone()], ReviewState::Pending),
            (vec![approved.clone(), refused, running], ReviewState::ChangesRequested),
        ];
        for (runs, expected) in table {
            assert_eq!(state_of(&runs, "a"), expected, "{runs:?}");
            let asks_for_changes = expected == ReviewState::ChangesRequested;
            let later = if asks_for_changes { ReviewState::Pending } else { ReviewState::None };
            assert_eq!(state_of(&runs, "b"), later, "{runs:?}");
        }
    }

    #[test]
    fn what_was_asked_to_be_changed_is_looked_at_again() {
        let refused = run("a", RunState::Delivered, Some(Verdict::ChangesRequested));
        let failed = run("b", RunState::Failed, None);
        let approved = run("b", RunState::Complete, Some(Verdict::Approved));
        let mut runs = vec![refused, failed];
        assert_eq!(state_of(&runs, "b"), ReviewState::Pending);
        runs.push(approved);
        assert_eq!(state_of(&runs, "b"), ReviewState::Approved);
        assert_eq!(state_of(&runs, "c"), ReviewState::None);
    }
}
