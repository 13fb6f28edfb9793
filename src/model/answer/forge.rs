//! The answers about issues and pull requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::forge::Issue;
use crate::model::id::SessionId;

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
