//! Why a review was not begun, judged or ended.

use crate::model::id::{SessionId, short};
use crate::model::record::Kind;
use crate::model::review::{RunState, Verdict};

/// One variant per failure that a caller can tell apart.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// No run of that name.
    #[error("there is no review `{run}`")]
    NoRun {
        /// What was asked for.
        run: String,
    },
    /// Only work is reviewed.
    #[error("`{id}` is {} {kind}, and only a worker's branch is reviewed", article(*kind))]
    NotAWorker {
        /// The session.
        id: SessionId,
        /// What it is for.
        kind: Kind,
    },
    /// It works in the repository itself.
    #[error("`{id}` has no branch of its own that could be reviewed")]
    NoBranch {
        /// The session.
        id: SessionId,
    },
    /// There is nothing to look at.
    #[error("`{id}` has no commit beyond its base on branch `{branch}`")]
    NoCommits {
        /// The session.
        id: SessionId,
        /// Its branch.
        branch: String,
    },
    /// The branch is not where the caller believes it to be.
    #[error("the branch of `{id}` is at {}, not at {}", short(found), short(wanted))]
    HeadMoved {
        /// The session.
        id: SessionId,
        /// The commit asked for.
        wanted: String,
        /// The branch's tip.
        found: String,
    },
    /// The agent cannot review: it has no mode that only reads and asks nobody.
    #[error(
        "agent `{agent}` has no mode that only reads and asks nobody; those that have: {}",
        list(able)
    )]
    NotAReviewer {
        /// The agent.
        agent: String,
        /// Those that can.
        able: Vec<String>,
    },
    /// None of those that can review is installed.
    #[error("no agent that can review is installed; there are {}", list(able))]
    NoReviewer {
        /// Those that could.
        able: Vec<String>,
    },
    /// It has a verdict, and another one was handed in.
    #[error("review `{run}` was handed in already: {verdict}, with another text or verdict")]
    Decided {
        /// The run.
        run: String,
        /// Its verdict.
        verdict: Verdict,
    },
    /// It ended without a verdict.
    #[error("review `{run}` is {state}{}", because(why.as_deref()))]
    Over {
        /// The run.
        run: String,
        /// How it ended.
        state: RunState,
        /// Why.
        why: Option<String>,
    },
    /// Another session's agent would judge.
    #[error("review `{run}` is not that of session `{caller}`")]
    NotYours {
        /// The run.
        run: String,
        /// Who called.
        caller: SessionId,
    },
    /// A request for changes that says nothing.
    #[error("changes_requested needs a text that says what is to be changed")]
    NoBody,
    /// A text that cannot be passed on.
    #[error("the text contains a NUL byte")]
    BodyNul,
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Orchestrator => "an",
        Kind::Worker | Kind::Reviewer => "a",
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn because(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| format!(": {why}"))
}
