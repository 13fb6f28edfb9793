//! Where pull requests and issues live.
//!
//! An adapter answers for all sessions of one repository at once. Whatever it could not find out
//! is `fetched: false` with the reason beside it, never "there is none"; one session's failure
//! says nothing about the others.

pub mod command;
mod command_tracker;
#[cfg(test)]
mod fuzz;
pub mod github;
pub mod local;
mod program;

use std::time::Duration;

use crate::adapter::cmd::CmdError;
use crate::adapter::fs::FsError;
use crate::adapter::git::GitError;
use crate::adapter::http::HttpError;
pub use command_tracker::CommandTracker;

use crate::model::facts::ScmFact;
use crate::model::forge::{
    Issue, IssueQuery, MergeRequest, Merged, NewPullRequest, Observed, PullRequest, Subject,
};

/// Where the pull requests of one repository live.
pub trait Scm {
    /// Looks at the pull requests of all `subjects`: one answer each, in their order.
    fn observe(&self, subjects: &[Subject]) -> Vec<Observed>;

    /// Opens a pull request for a branch that is pushed already, or returns the open one.
    fn create(&self, subject: &Subject, wanted: &NewPullRequest)
    -> Result<PullRequest, ForgeError>;

    /// Returns the pull request of this number.
    fn pull_request(&self, number: u64) -> Result<PullRequest, ForgeError>;

    /// Returns the open pull requests of the repository.
    fn pull_requests(&self) -> Result<Vec<PullRequest>, ForgeError>;

    /// Merges the pull request of `subject`, if its head is still the one that was judged.
    fn merge(&self, subject: &Subject, wanted: &MergeRequest) -> Result<Merged, ForgeError>;
}

/// Where the issues of one repository live.
pub trait Tracker {
    /// Returns one issue with its comments.
    fn issue(&self, id: &str) -> Result<Issue, ForgeError>;

    /// Returns the issues that `query` asks for, without their comments, oldest first.
    fn issues(&self, query: &IssueQuery) -> Result<Vec<Issue>, ForgeError>;

    /// Comments an issue.
    fn comment(&self, id: &str, body: &str) -> Result<(), ForgeError>;
}

/// Returns that nothing is known of any of `subjects`; the reason is told once.
pub fn all_unknown(subjects: &[Subject], why: &str) -> Vec<Observed> {
    let mut all: Vec<Observed> =
        subjects.iter().map(|subject| unknown(subject, why.to_owned())).collect();
    all.iter_mut().skip(1).for_each(|observed| observed.why = None);
    all
}

/// Returns that nothing is known of one.
pub fn unknown(subject: &Subject, why: String) -> Observed {
    let fact = ScmFact::default();
    Observed { id: subject.id.clone(), fact, why: Some(why), denied: false }
}

/// Why a forge or a tracker did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// It cannot do that at all.
    #[error("{forge} cannot {what}")]
    Unsupported {
        /// Which.
        forge: String,
        /// What it was asked for: "open a pull request".
        what: String,
    },
    /// Nobody is logged in, or the login does not suffice.
    #[error("{forge} does not permit it: {why}")]
    Denied {
        /// Which.
        forge: String,
        /// Its own words.
        why: String,
    },
    /// There is no such thing there.
    #[error("{forge} has no {what}")]
    NotFound {
        /// Which.
        forge: String,
        /// What was looked for: "pull request #7".
        what: String,
    },
    /// It refuses, as things stand.
    #[error("{forge} refuses: {why}")]
    Conflict {
        /// Which.
        forge: String,
        /// Its own words.
        why: String,
    },
    /// Its rate limit is used up.
    #[error("the rate limit of {forge} is used up; it takes requests again in {}", humantime::format_duration(*.wait))]
    RateLimited {
        /// Which.
        forge: String,
        /// How long it asks to be left alone.
        wait: Duration,
    },
    /// It failed.
    #[error("{forge} failed: {why}")]
    Failed {
        /// Which.
        forge: String,
        /// Status and words.
        why: String,
    },
    /// Its answer makes no sense.
    #[error("could not read the answer of {forge}: {why}")]
    Unreadable {
        /// Which.
        forge: String,
        /// What is wrong with it.
        why: String,
    },
    /// It could not be reached.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Its program failed.
    #[error(transparent)]
    Cmd(#[from] CmdError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
}
