//! The answers about what happened and why: decisions, events, whether a log tells the truth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::CheckShown;
use crate::effect::Effect;
use crate::event::Event;
use crate::lifecycle::SessionAxis;
use crate::record::Record;
use crate::status::Status;
use crate::time::Timestamp;

/// Why a status is what it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExplainAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The reasons.
    pub explain: Explained,
}

/// The last decision, and what would change it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The session.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// The session axis.
    pub session: SessionAxis,
    /// The last decision; absent where nothing was decided so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
    /// The last check of its branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckShown>,
    /// What would change it.
    pub next: Vec<String>,
}

/// A decision of the past.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// The rule.
    pub rule: String,
    /// When.
    pub at: Timestamp,
    /// What led to it: a command, a hook, a reap.
    pub cause: String,
    /// What it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The revision it made.
    pub revision: u64,
}

/// The events of a session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LogAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session.
    pub id: String,
    /// Oldest first.
    pub events: Vec<Event>,
}

/// One line of `events` and of `demo`: an event, and the session it is of.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EventAnswer {
    /// The session.
    pub id: String,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// Whether a log folds to its record.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VerifyAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// What was found.
    pub verify: Verified,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// The session.
    pub id: String,
    /// How many events are kept.
    pub events: u64,
    /// Nothing is wrong.
    pub ok: bool,
    /// What is.
    pub findings: Vec<String>,
}

/// One line of `ao decide`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DecisionAnswer {
    /// The merge patch (RFC 7396) for the record.
    pub patch: Value,
    /// The record after it.
    pub record: Record,
    /// The status on both sides.
    pub status: BeforeAfter,
    /// What the decision rests on.
    pub evidence: String,
    /// The rule and what else it says.
    pub decision: Ruling,
    /// What is to be done.
    pub effects: Vec<Effect>,
}

/// A status on both sides of a decision.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BeforeAfter {
    /// Before.
    pub before: Status,
    /// After.
    pub after: Status,
}

/// Which rule decided.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ruling {
    /// The table and row, or `noop.<why>`.
    pub rule: String,
    /// Why, for a person.
    pub reason: String,
}
