//! The JSON documents that commands answer with.
//!
//! A key that does not apply is absent; one that was asked for and could not be determined is
//! `null`. Later versions add keys and never change what one means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::effect::Effect;
use crate::model::record::Record;
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// Any document on standard output, or the error document on standard error.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Answer {
    /// One session.
    Session(Box<SessionAnswer>),
    /// Several sessions.
    Sessions(SessionsAnswer),
    /// What would be done.
    Plan(PlanAnswer),
    /// What a pass did.
    Reap(ReapAnswer),
    /// What a session came to.
    Wait(WaitAnswer),
    /// What became of a text.
    Send(SendAnswer),
    /// A decision.
    Decision(Box<DecisionAnswer>),
    /// An error.
    Error(ErrorAnswer),
}

/// A session as every command shows it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The record.
    #[serde(flatten)]
    pub record: Record,
    /// The one word for its state, derived from the record.
    pub status: Status,
}

/// One session: `show`, `spawn`, `rename`, ….
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session.
    pub session: Session,
    /// The revision to give to `ao wait --since`, after `spawn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// Several sessions, oldest first: `ls`, `status`, `kill`, ….
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionsAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Those for which it did not work, in a batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
    /// When the last pass was, where that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reap: Option<Timestamp>,
}

/// One element of a batch that failed, with whatever names it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// The session, where it has an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why.
    pub error: ErrorBody,
}

/// What a command would do (`--dry-run`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The steps, in order.
    pub plan: Vec<PlanStep>,
}

/// One step of a plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// What would be done.
    pub op: String,
    /// Why.
    pub why: String,
}

/// What `reap` did.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReapAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The pass.
    pub reap: Pass,
}

/// One pass over everything.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Pass {
    /// How many sessions were probed.
    pub probed: u64,
    /// Changes of status.
    pub transitions: Vec<Transition>,
    /// Intents of dead owners that were finished or undone.
    pub recovered: Vec<Item>,
    /// Reactions that became a person's.
    pub escalated: Vec<Item>,
    /// Outbox entries that arrived.
    pub delivered: Vec<Item>,
    /// Outbox entries that wait.
    pub held: Vec<Item>,
    /// What did not work.
    pub failed: Vec<Item>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A change of status.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Transition {
    /// The session.
    pub id: String,
    /// Its status before.
    pub from: Status,
    /// Its status after.
    pub to: Status,
    /// The rule that decided.
    pub rule: String,
}

/// Something done to, or failed for, one session.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The session.
    pub id: String,
    /// What.
    pub what: String,
    /// Why, or how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How a wait ended.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WaitAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session and what it came to.
    pub wait: Waited,
}

/// What a session came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Waited {
    /// The session.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// The word for the exit code: `done`, `needs_input`, `errored`, `ended`, `timeout`, ….
    pub outcome: String,
}

/// What became of a text that was sent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SendAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The session and how far the text came.
    pub send: Sent,
}

/// How far a text came.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// The session.
    pub id: String,
    /// `submitted`, `held`, `unconfirmed`, `failed` or `queued`.
    pub delivery: String,
    /// The revision to give to `ao wait --since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Why it did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
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
}

/// An error, on standard error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErrorAnswer {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong, for a program to act on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The kind, one word per exit code.
    pub kind: String,
    /// The exit code.
    pub code: u8,
    /// What a person reads.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the same command may work later.
    pub retryable: bool,
}
