//! Why an issue or a pull request is not worked on as it was asked for.

use std::path::PathBuf;

use crate::model::id::SessionId;

/// One variant per refusal that a caller can tell apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutsideError {
    /// There is nothing to be done about the issue any more.
    #[error("issue {issue} is closed")]
    IssueClosed {
        /// The issue.
        issue: String,
    },
    /// Nobody can be asked about issues.
    #[error("{} has no tracker", path.display())]
    NoTracker {
        /// The repository.
        path: PathBuf,
    },
    /// The repository's pull requests live at no forge.
    #[error("the pull requests of {} live at no forge", path.display())]
    NoForge {
        /// The repository.
        path: PathBuf,
    },
    /// The forge cannot know of a branch that was never pushed.
    #[error("branch `{branch}` of `{id}` is not on the remote `origin`")]
    NotPushed {
        /// The session.
        id: SessionId,
        /// Its branch.
        branch: String,
    },
    /// A text that is neither the number nor the address of a pull request.
    #[error("`{name}` is neither the number nor the address of a pull request")]
    NoPullRequestName {
        /// The text.
        name: String,
    },
    /// A pull request of somebody else's.
    #[error("pull request #{number} is not that of `{id}`: {why}")]
    NotItsOwn {
        /// The session.
        id: SessionId,
        /// The pull request.
        number: u64,
        /// What does not fit.
        why: String,
    },
    /// Another live session has the pull request.
    #[error("pull request #{number} is that of `{id}`")]
    PullRequestTaken {
        /// That session.
        id: SessionId,
        /// The pull request.
        number: u64,
    },
    /// A program is to answer for the tracker, and none is named.
    #[error("tracker.kind is `command`, and tracker.command is not set")]
    NoTrackerCommand,
    /// An issue is the whole task, and its text would be run.
    #[error("agent `{agent}` runs its prompt, and an issue's text is not to be run")]
    WouldRun {
        /// The agent.
        agent: String,
    },
}
