//! What a forge or a tracker is asked about, and what it answers: plain data.
//!
//! Everything that strangers wrote (titles, bodies, comments, authors) is outside text and is kept
//! as it came; whoever shows it or gives it to an agent fences or cleans it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::ScmFact;
use crate::id::SessionId;
use crate::lifecycle::{PrState, word_enum};
use crate::time::Timestamp;

word_enum! {
    /// How a branch is brought into its base.
    #[derive(Default)]
    MergeMethod {
        #[default]
        Merge = "merge",
        Squash = "squash",
        Rebase = "rebase",
    }
}

word_enum! {
    /// Where pull requests live.
    ScmKind {
        /// In the repository itself: the branch is the pull request.
        Local = "local",
        GitHub = "github",
        /// A program of the user's answers.
        Command = "command",
        /// Nowhere: pull requests are not looked at.
        None = "none",
    }
}

word_enum! {
    /// Where issues live.
    TrackerKind {
        GitHub = "github",
        /// A program of the user's answers.
        Command = "command",
        /// Nowhere: an issue is a name and nothing more.
        None = "none",
    }
}

/// A session's branch, as an adapter has to know it to find its pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Subject {
    /// The session.
    pub id: SessionId,
    /// Its branch, without `refs/heads/`.
    pub branch: String,
    /// The ref the branch started from: `origin/main`, `main`, a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_ref: Option<String>,
    /// The commit the branch started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_sha: Option<String>,
    /// Where it works.
    pub workspace: PathBuf,
    /// The number of the pull request that is known to be its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// The head that was seen last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// The state that was seen last.
    pub state: PrState,
    /// When the session was made: an older pull request of the same branch is not its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// What one look found out about one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The session.
    pub id: SessionId,
    /// What was seen; `fetched: false` where the truth is not known.
    pub fact: ScmFact,
    /// Why it is not known, or what else a person should know; shown by the pass.
    pub why: Option<String>,
    /// It is not known because nobody is logged in, or because that login may not look.
    pub denied: bool,
}

/// A pull request, as lists and answers show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequest {
    /// Its number; a local one has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its title: outside text.
    pub title: String,
    /// Its state.
    pub state: PrState,
    /// Who opened it: outside text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The branch it is about.
    pub branch: String,
    /// The branch it is to be merged into.
    pub base: String,
    /// The commit at its head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
}

/// A pull request to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPullRequest {
    /// Its title.
    pub title: String,
    /// What it says.
    pub body: String,
    /// The branch it is to be merged into; absent: the repository's default branch.
    pub base: Option<String>,
    /// Not yet to be reviewed.
    pub draft: bool,
}

/// A merge to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRequest {
    /// How.
    pub method: MergeMethod,
    /// The head that was judged: another one is refused.
    pub head_sha: String,
}

/// A merge that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Merged {
    /// The commit that the base branch has.
    pub sha: String,
    /// How.
    pub method: MergeMethod,
    /// The command that takes it back, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
}

/// One issue of a tracker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Issue {
    /// Its id at the tracker: a number at GitHub.
    pub id: String,
    /// Its title: outside text.
    pub title: String,
    /// What it says: outside text.
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    /// Who opened it: outside text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its labels: outside text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Whom it is assigned to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<String>,
    /// What was said of it, oldest first; lists leave it out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<IssueComment>,
}

impl Issue {
    /// Returns whether there is nothing to be done about it any more.
    pub fn is_closed(&self) -> bool {
        self.state.eq_ignore_ascii_case("closed")
    }
}

/// Returns whether `text` can be the id of an issue: `7`, `ABC-12`, `group/app#7`.
pub fn is_issue_id(text: &str) -> bool {
    const MAX: usize = 64;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./#".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins && text.len() <= MAX && text.chars().all(allowed) && !text.contains("..")
}

/// One comment of an issue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IssueComment {
    /// Who wrote it: outside text.
    pub author: String,
    /// What it says: outside text.
    pub body: String,
}

/// Which issues are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IssueQuery {
    /// Those that have all of these labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Those assigned to this account; `none`: to nobody; `*`: to anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// `open`, `closed` or `all`; absent: open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// No more than this many; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}
