//! The answers about issues and pull requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forge::Issue;
use crate::id::SessionId;
use crate::lifecycle::{PrReason, PrState};

/// The issues of a tracker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IssuesAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Oldest first, without their comments.
    pub issues: Vec<IssueShown>,
}

/// One issue.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IssueAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The issue.
    pub issue: IssueShown,
}

/// An issue as the tracker has it, its texts without control characters.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IssueShown {
    /// What the tracker says.
    #[serde(flatten)]
    pub issue: Issue,
    /// The live session that works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// An issue of a batch that needs no session of its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// The issue.
    pub issue: String,
    /// Why.
    pub why: String,
}

/// Several pull requests, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PrsAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The pull requests.
    pub prs: Vec<PrShown>,
}

/// The pull request of one session.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PrAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The pull request.
    pub pr: PrShown,
}

/// A pull request as the record or the forge has it, its texts without control characters.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PrShown {
    /// The session it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Its number; a local one has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its title, or the session's where the forge was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its state.
    pub state: PrState,
    /// Why, as the record has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<PrReason>,
    /// Who opened it, where the forge was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The branch it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The branch it is to be merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The commit at its head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
}
