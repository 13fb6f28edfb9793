//! What the configured check command said of a commit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::ProcessIdentity;
use crate::lifecycle::word_enum;
use crate::time::Timestamp;

word_enum! {
    /// How far a check is.
    CheckState {
        Running = "running",
        Passed = "passed",
        Failed = "failed",
        /// It did not end in time, and was ended.
        TimedOut = "timed_out",
        /// It could not be run, or was ended before it was over: it says nothing of the commit.
        Aborted = "aborted",
    }
}

/// The last check of one session's branch, as it stands in `check.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckRun {
    /// The schema it was written in.
    pub schema: u64,
    /// The commit that is checked.
    pub head_sha: String,
    /// The program's name, which stands for the check.
    pub name: String,
    /// Its argument vector: the result of another command says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How far it is.
    pub state: CheckState,
    /// Which try at this commit it is, counted from one.
    #[serde(default = "first")]
    pub attempt: u32,
    /// Its exit code; 128 + n for signal n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it was aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The value of `AO_CHECK` that its processes carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<ProcessIdentity>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

fn first() -> u32 {
    1
}
