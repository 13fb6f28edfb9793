//! The answers about notifiers: which there are, what came of trying them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effect::Priority;
use crate::lifecycle::word_enum;

/// Who is told, as configured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NotifiersAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// By name.
    pub notifiers: Vec<NotifierInfo>,
}

/// One notifier.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NotifierInfo {
    /// Its name.
    pub name: String,
    /// How it tells: `command`, `file`, `desktop`, `webhook`, `slack`.
    pub kind: String,
    /// What it is told of.
    pub priorities: Vec<Priority>,
    /// Where its address is found, never the address itself; of a `command` the program, of a
    /// `file` its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Where the key is found that signs what a `webhook` gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// What keeps it from working here: a variable that is not set, a program that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What came of `ao notify --test`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NotifiedAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// One by one, by name.
    pub notified: Vec<Notified>,
}

word_enum! {
    /// What came of a test notice.
    NotifiedOutcome {
        /// The notifier took it.
        Reached = "reached",
        /// It did not.
        Failed = "failed",
        /// It is not told of such a priority.
        Unrouted = "unrouted",
    }
}

/// What came of trying one notifier.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Notified {
    /// Its name.
    pub name: String,
    /// How it tells.
    pub kind: String,
    /// What came of it.
    pub outcome: NotifiedOutcome,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
