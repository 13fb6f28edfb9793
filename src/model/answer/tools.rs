//! The answers about ao itself: registry, timer, approvals, configuration, health.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::status::Status;
use crate::time::Timestamp;

/// Where a workspace or a file is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PathAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The place.
    pub path: Place,
}

/// A path, with the session whose workspace it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// A workspace.
    Workspace {
        /// The session.
        id: String,
        /// Its workspace.
        path: PathBuf,
    },
}

/// A repository in the registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProjectAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The project.
    pub project: Project,
}

/// The registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProjectsAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// By id.
    pub projects: Vec<Project>,
}

/// A repository that sessions can work on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Project {
    /// Its id, which sessions' ids begin with.
    pub id: String,
    /// Its main worktree.
    pub repo: PathBuf,
    /// The git directory that all its worktrees share.
    pub common_dir: PathBuf,
    /// The address of its remote `origin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The branch that work starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// The number of the last session named after it.
    pub counter: u64,
    /// What was approved of its configuration, by content hash, and when.
    pub approvals: BTreeMap<String, Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// After `init`: it was registered by this very command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
    /// After `init`: its configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// After `init`: that file was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<bool>,
}

/// The timer that makes passes, or what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimerAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// What is so.
    pub timer: Clock,
}

/// What is so of the timer; which keys are there depends on what was asked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// What runs it, after `install`: `systemd` or `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// Whether `install` or `rm` changed anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// How often, after `install`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// What is installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<InstalledTimer>,
    /// When the last pass was; `null` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reap: Option<Timestamp>,
}

/// A timer as it was found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct InstalledTimer {
    /// What runs it: `systemd` or `cron`.
    pub scheduler: String,
    /// How often, in seconds; absent where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<u64>,
    /// Whether it waits for its next turn; absent for cron, which does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// What of the repository's configuration is approved.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TrustAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The approval.
    pub trust: Approval,
}

/// What a person allowed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// `approved`, `not approved`, `revoked` or `nothing`.
    pub state: String,
    /// What `AO_TRUST` would have to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// The configuration: `config show`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Values by key; with `--origin`, each a [`ValueFrom`].
    pub config: BTreeMap<String, ConfigValue>,
}

/// A value, or with `--origin` a value and where it comes from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ConfigValue {
    /// With where it comes from.
    From(ValueFrom),
    /// Alone: no value of a key is an object.
    Value(Scalar),
}

/// What a key of the configuration may be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text, a duration, a word.
    Text(String),
    /// A list.
    List(Vec<Value>),
}

/// A value of the configuration and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValueFrom {
    /// The value; `null` for a key that is not set.
    pub value: Value,
    /// The layer that says so: `built_in`, `user`, `repository`, `project`, `environment`, `flag`.
    pub layer: String,
    /// The layer in words: a file, a variable.
    pub origin: String,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The line of that file, counted from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// What was set in the user's file: `config set`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigSetAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Where.
    pub config: SetKey,
}

/// A key that was set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SetKey {
    /// The key, dotted.
    pub key: String,
    /// The file.
    pub path: PathBuf,
}

/// One value of the configuration: `config get`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ValueAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// It, with `--origin` a [`ValueFrom`]; `null` where the key is not set.
    pub value: Value,
}

/// The last line of `demo`, after its events.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DemoAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// How it went.
    pub summary: DemoSummary,
}

/// How a demo went, all of whose expectations held.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DemoSummary {
    /// They held.
    pub ok: bool,
    /// How many there were.
    pub expectations: u64,
    /// How many events were printed.
    pub events: u64,
    /// How often a person was told.
    pub notices: u64,
    /// The statuses of each session, in their order.
    pub sessions: BTreeMap<String, Vec<Status>>,
    /// What was left behind.
    pub left: Vec<String>,
    /// What the agents ran in: `tmux`, or `process` where there is none.
    pub runtime: String,
    /// How long it took.
    pub seconds: f64,
}

/// A text that was generated: `help`, `man`, `completions`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TextAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// What is printed without `--json`.
    pub text: String,
}

/// The JSON Schemas: `schema`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SchemaAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Of a session's record.
    pub record: Value,
    /// Of every answer, by name under `$defs`.
    pub answers: Value,
    /// The names of the answers that each command may give; every one may give `ErrorAnswer` as
    /// well, on standard error.
    pub commands: BTreeMap<String, Vec<String>>,
}

/// The reference of every key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Commented TOML.
    pub reference: String,
}

/// What an agent should know of ao.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SkillAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// A skill file: Markdown with front matter.
    pub skill: String,
}

/// What `ao doctor` looked at.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DoctorAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The findings.
    pub doctor: Health,
}

/// What `ao config check` looked at.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigCheckAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The findings.
    pub check: Health,
}

/// What is well and what is not.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Everything is well, warnings apart.
    pub ok: bool,
    /// One by one.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What.
    pub what: String,
    /// It is well.
    pub ok: bool,
    /// It is well, and yet somebody should know: it is no failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warning: bool,
    /// How it is.
    pub detail: String,
    /// What comes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to do about it: a command, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Check {
    /// Returns something that is well.
    pub fn good(what: impl Into<String>, detail: impl Into<String>) -> Self {
        let (what, detail) = (what.into(), detail.into());
        Self { what, ok: true, warning: false, detail, why: None, hint: None }
    }

    /// Returns something that is well, and that somebody should know of.
    pub fn warning(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { warning: true, ..Self::good(what, detail) }
    }

    /// Returns something that is wrong.
    pub fn bad(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { ok: false, ..Self::good(what, detail) }
    }

    /// Says what comes of it.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
