//! The answers about ao itself: registry, timer, approvals, configuration, health.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::time::Timestamp;

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
    pub timers: Vec<BTreeMap<String, Value>>,
    /// When the last pass was; `null` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reap: Option<Timestamp>,
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

/// The configuration, or what was set in it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// Values by key; with `--origin`, each with where it comes from.
    pub config: BTreeMap<String, Value>,
}

/// One value of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ValueAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// It; `null` where the key is not set.
    pub value: Value,
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

/// What is well and what is not.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Everything is.
    pub ok: bool,
    /// One by one.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What.
    pub what: String,
    /// It is well.
    pub ok: bool,
    /// How it is.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
