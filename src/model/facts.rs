//! What was observed: the one shape that `ao observe`, `ao decide`, hooks and reap share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::LaunchId;
use crate::lifecycle::{ActivitySource, ActivityState, word_enum};
use crate::record::Handles;
use crate::report::ReportFact;
use crate::time::Timestamp;

word_enum! {
    /// What one probe found of a pane or a process.
    Liveness {
        Alive = "alive",
        Dead = "dead",
        /// The probe ran and could not tell.
        Indeterminate = "indeterminate",
        /// The probe itself errored or timed out.
        Failed = "failed",
    }
}

word_enum! {
    /// How far an activity signal can be trusted; only `valid` is authoritative.
    Confidence {
        Valid = "valid",
        Stale = "stale",
        Null = "null",
        Unavailable = "unavailable",
        ProbeFailure = "probe_failure",
    }
}

word_enum! {
    /// Why a session is being ended.
    KillCause {
        Manual = "manual",
        Cleanup = "cleanup",
        Error = "error",
    }
}

word_enum! {
    /// The checks of a commit, taken together.
    CiState {
        Pending = "pending",
        Passing = "passing",
        Failing = "failing",
        None = "none",
    }
}

word_enum! {
    /// The reviews of a pull request, taken together.
    ReviewState {
        Approved = "approved",
        ChangesRequested = "changes_requested",
        Pending = "pending",
        None = "none",
    }
}

word_enum! {
    /// How one check ended.
    CheckConclusion {
        Success = "success",
        Failure = "failure",
        Pending = "pending",
        Skipped = "skipped",
    }
}

/// Whether the pane and the process behind a session live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeFact {
    /// When it was seen; absent means now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// The pane.
    pub runtime: Liveness,
    /// The process.
    pub process: Liveness,
    /// It is certain that the process is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmed: bool,
    /// The exit code where it was read, never guessed; 128 + n for signal n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The launch it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
}

/// What an agent said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityFact {
    /// When it was said; absent means now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// How far it can be trusted.
    pub confidence: Confidence,
    /// What was said.
    pub activity: ActivityState,
    /// Who said it.
    pub source: ActivitySource,
    /// The launch it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
    /// The agent's own id of its conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_session: Option<String>,
    /// A turn boundary: prompt submitted, turn ended, session started, process exited.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub boundary: bool,
    /// The tool (use id where there is one) it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What the agent said with it, where `ao report` made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportFact>,
}

/// What is seen of a pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ScmFact {
    /// When it was seen; absent means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// False where the truth is not known; such a fact changes nothing.
    pub fetched: bool,
    /// The pull request itself.
    pub pr: PrFact,
    /// All checks together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci: Option<CiState>,
    /// All reviews together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewState>,
    /// Whether it could be merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mergeability: Option<Mergeability>,
    /// The unresolved comments, a review's body among them as `review:<id>`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
    /// The checks one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// The last lines of the failing log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci_log_tail: Option<String>,
    /// The commit of the base branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_sha: Option<String>,
}

/// Identity and state of a pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PrFact {
    /// Its state; absent counts as none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<crate::lifecycle::PrState>,
    /// A draft, whichever way the forge says so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub draft: bool,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The commit at its head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
}

/// What stands between a pull request and its merge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Mergeability {
    /// It can be merged now.
    pub mergeable: bool,
    /// Its checks pass.
    pub ci_passing: bool,
    /// It is approved where that is required.
    pub approved: bool,
    /// It merges without conflicts.
    pub no_conflicts: bool,
    /// What else stands in the way, in the forge's words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<String>,
}

/// One unresolved comment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Comment {
    /// Its id at the forge.
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// What it says: outside text.
    pub body: String,
    /// Written by a program.
    pub is_bot: bool,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The file it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The agent gets it by another way, so that no reaction sends it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delivered: bool,
}

/// One check of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub conclusion: CheckConclusion,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Comment ids are numbers at some forges and texts at others; kept as text.
fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(serde::de::Error::custom(format!("comment id is neither text nor number: {other}")))
        }
    }
}

/// Handles that a completed spawn stores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpawnCompleted {
    /// When it completed; absent means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// Workspace, runtime, launch.
    #[serde(skip_serializing_if = "Handles::is_empty")]
    pub handles: Handles,
}

/// A spawn that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpawnFailed {
    /// When it failed; absent means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// Why.
    pub detail: String,
}

/// A request to end a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kill {
    /// When it was asked for; absent means now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// Why.
    pub cause: KillCause,
    /// More about why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A request to start a terminal session again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Restore {
    /// When it was asked for; absent means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// The id of the launch to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
}

/// The agent hit its usage limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limit {
    /// When it was seen; absent means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// When the limit ends, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
    /// The launch it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
}

/// A fact without content: `sent` and `tick`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bare {
    /// When it happened; absent means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
}

/// One observation.
///
/// Read it with [`Observation::from_value`]: with exact numbers, `serde` cannot read an
/// internally tagged enum itself.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one of a session and invocation")]
pub enum Observation {
    /// A probe of pane and process.
    Runtime(RuntimeFact),
    /// A signal from the agent.
    Activity(ActivityFact),
    /// A look at the pull request.
    Scm(Box<ScmFact>),
    /// A spawn or restore that completed.
    SpawnCompleted(SpawnCompleted),
    /// A spawn or restore that failed.
    SpawnFailed(SpawnFailed),
    /// A request to end the session.
    Kill(Kill),
    /// A request to start it again.
    Restore(Restore),
    /// A usage limit.
    Limit(Limit),
    /// A person or another session sent a message.
    Sent(Bare),
    /// Time passed.
    Tick(Bare),
}

/// A JSON value that is no observation.
#[derive(Debug, thiserror::Error)]
pub enum ObservationError {
    /// There is no `kind`.
    #[error("an observation needs a `kind`: one of {KINDS}")]
    NoKind,
    /// The `kind` is unknown.
    #[error("unknown observation kind `{0}`; it is one of {KINDS}")]
    UnknownKind(String),
    /// The rest does not fit the kind.
    #[error("invalid `{kind}` observation")]
    Invalid {
        /// The kind it claimed.
        kind: String,
        /// What does not fit.
        source: serde_json::Error,
    },
}

const KINDS: &str =
    "runtime, activity, scm, spawn_completed, spawn_failed, kill, restore, limit, sent, tick";

impl Observation {
    /// Reads an observation from JSON. Unknown keys are ignored.
    pub fn from_value(value: Value) -> Result<Self, ObservationError> {
        let kind =
            value.get("kind").and_then(Value::as_str).ok_or(ObservationError::NoKind)?.to_owned();
        let invalid = |source| ObservationError::Invalid { kind: kind.clone(), source };
        match kind.as_str() {
            "runtime" => serde_json::from_value(value).map(Self::Runtime).map_err(invalid),
            "activity" => serde_json::from_value(value).map(Self::Activity).map_err(invalid),
            "scm" => serde_json::from_value(value).map(|f| Self::Scm(Box::new(f))).map_err(invalid),
            "spawn_completed" => {
                serde_json::from_value(value).map(Self::SpawnCompleted).map_err(invalid)
            }
            "spawn_failed" => serde_json::from_value(value).map(Self::SpawnFailed).map_err(invalid),
            "kill" => serde_json::from_value(value).map(Self::Kill).map_err(invalid),
            "restore" => serde_json::from_value(value).map(Self::Restore).map_err(invalid),
            "limit" => serde_json::from_value(value).map(Self::Limit).map_err(invalid),
            "sent" => serde_json::from_value(value).map(Self::Sent).map_err(invalid),
            "tick" => serde_json::from_value(value).map(Self::Tick).map_err(invalid),
            _ => Err(ObservationError::UnknownKind(kind)),
        }
    }

    /// Returns the time it gives of itself, if any.
    pub fn observed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Runtime(fact) => fact.observed_at,
            Self::Activity(fact) => fact.observed_at,
            Self::Scm(fact) => fact.observed_at,
            Self::SpawnCompleted(fact) => fact.observed_at,
            Self::SpawnFailed(fact) => fact.observed_at,
            Self::Kill(fact) => fact.observed_at,
            Self::Restore(fact) => fact.observed_at,
            Self::Limit(fact) => fact.observed_at,
            Self::Sent(fact) | Self::Tick(fact) => fact.observed_at,
        }
    }

    /// Returns its `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Runtime(_) => "runtime",
            Self::Activity(_) => "activity",
            Self::Scm(_) => "scm",
            Self::SpawnCompleted(_) => "spawn_completed",
            Self::SpawnFailed(_) => "spawn_failed",
            Self::Kill(_) => "kill",
            Self::Restore(_) => "restore",
            Self::Limit(_) => "limit",
            Self::Sent(_) => "sent",
            Self::Tick(_) => "tick",
        }
    }
}
