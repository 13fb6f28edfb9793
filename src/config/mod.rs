//! What the user configured: layers of TOML merged into one [`Config`].
//!
//! Built in < user < repository < the user's table for the project < environment < flag. Nothing here looks at the environment or
//! at a default path: the caller says where the layers are.

mod edit;
mod error;
#[cfg(test)]
mod fuzz;
pub mod keys;
pub mod layers;
mod origin;
mod reactions;
mod reference;
mod shown;
mod silence;
pub mod trust;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::model::forge::{MergeMethod, ScmKind, TrackerKind};
use crate::model::notifier::Notifier;
use crate::model::policy::Policy;
use crate::model::time::duration_text;

pub use edit::{check_set, set};
pub use error::{ConfigError, Place, did_you_mean};
pub use keys::{FromRepository, KEYS, Key, Kind};
pub use layers::{Layered, Sources, load};
pub use origin::{Origin, project_tables};
pub use reference::{initial_repository_file, reference};
pub use silence::{add_nothing, leave_policy_alone, may_tell_of_projects};

/// The whole configuration, every default filled in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Config {
    /// The agent to start.
    pub agent: Option<String>,
    /// The agent's permission mode.
    pub permission: Option<String>,
    /// The model the agent is told to use.
    pub model: Option<String>,
    /// What branches start from.
    pub base: Option<String>,
    /// A branch name with `{id}` in it.
    pub branch: String,
    /// Standing instructions for every agent's system prompt.
    pub rules: Option<String>,
    /// Files of the repository with more of them.
    pub rules_files: Vec<PathBuf>,
    /// How many sessions may live at once.
    pub max_sessions: u32,
    /// Columns and rows of a pane.
    pub pane_size: (u16, u16),
    /// How often the timer makes a pass.
    #[serde(with = "duration_text")]
    pub reap: Duration,
    /// What deciders read; its keys stand at the top level.
    #[serde(skip)]
    pub policy: Policy,
    /// What goes into system prompts.
    pub prompt: PromptConfig,
    /// How workspaces are made.
    pub workspace: WorkspaceConfig,
    /// The check command.
    pub check: CheckConfig,
    /// Who reviews, and when.
    pub review: ReviewConfig,
    /// Where pull requests live.
    pub scm: ScmConfig,
    /// How branches are merged.
    pub merge: MergeConfig,
    /// Where issues live.
    pub tracker: TrackerConfig,
    /// Which issues get sessions by themselves.
    pub intake: IntakeConfig,
    /// What becomes of removed workspaces.
    pub trash: TrashConfig,
    /// Which of them are used again.
    pub pool: PoolConfig,
    /// What the reaper cleans up by itself.
    pub cleanup: CleanupConfig,
    /// How the record is written.
    pub state: StateConfig,
    /// Who is told, by name.
    #[serde(default)]
    pub notifiers: BTreeMap<String, Notifier>,
    /// Variables of every agent's environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

impl Default for Config {
    /// Returns what holds where nobody configured anything.
    fn default() -> Self {
        layers::built_in()
    }
}

/// What goes into system prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct PromptConfig {
    /// Whether ao's own layers do: how to work under it, the project's facts, the role.
    pub built_in: bool,
}

/// How workspaces are made and what keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WorkspaceConfig {
    /// Where they are made, absolute; absent: below the home.
    pub root: Option<PathBuf>,
    /// Patterns of files to copy.
    pub copy: Vec<String>,
    /// Files to link.
    pub symlinks: Vec<String>,
    /// Commands to run in a workspace once it is made.
    pub post_create: Vec<Vec<String>>,
    /// Patterns of ignored files that keep a workspace; `.env*` is always among them.
    pub keep: Vec<String>,
}

/// The command that decides whether a branch is good.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CheckConfig {
    /// Its argument vector.
    pub command: Option<Vec<String>>,
    /// How long it may take.
    #[serde(with = "duration_text")]
    pub timeout: Duration,
}

/// Who reviews, and when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReviewConfig {
    /// The agents that may; none: every one that can.
    pub agents: Vec<String>,
    /// Whether each green head is reviewed by itself.
    pub auto: bool,
    /// Standing instructions for every reviewer's system prompt.
    pub prompt: Option<String>,
    /// How long a review may take.
    #[serde(with = "duration_text")]
    pub timeout: Duration,
    /// How long a reviewer waits for the next head.
    #[serde(with = "duration_text")]
    pub rest: Duration,
}

/// Where pull requests live, and how they are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ScmConfig {
    /// `None` for `"auto"`: told by the remote.
    #[serde(deserialize_with = "word_or_auto")]
    pub kind: Option<ScmKind>,
    /// The program that answers for kind `command`.
    pub command: Option<Vec<String>>,
    /// How long one request, or one answer of that program, may take.
    #[serde(with = "duration_text")]
    pub timeout: Duration,
    /// How long what was fetched may stand.
    #[serde(with = "duration_text")]
    pub refetch: Duration,
    /// Accounts that open pull requests for sessions.
    pub authors: Vec<String>,
}

/// Where issues live; what is said in them is the policy's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TrackerConfig {
    /// `None` for `"auto"`: told by the remote.
    #[serde(deserialize_with = "word_or_auto")]
    pub kind: Option<TrackerKind>,
    /// The program of kind `command`, as an argument vector.
    pub command: Option<Vec<String>>,
    /// How long it may take.
    #[serde(with = "duration_text")]
    pub timeout: Duration,
}

/// Which issues get sessions by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IntakeConfig {
    /// Those with this label; absent: none.
    pub label: Option<String>,
    /// Those of them assigned to this account.
    pub assignee: Option<String>,
    /// The agent that they are given to.
    pub agent: Option<String>,
    /// How many sessions of one project's intake may live at once.
    pub max_live: usize,
    /// The pause between two questions to one tracker.
    #[serde(with = "duration_text")]
    pub interval: Duration,
}

/// How branches are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct MergeConfig {
    /// Where nobody says otherwise.
    pub method: MergeMethod,
}

/// What becomes of removed workspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct TrashConfig {
    /// How long they can be brought back.
    #[serde(with = "duration_text")]
    pub keep: Duration,
}

/// Which clean workspaces are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct PoolConfig {
    /// How many of each project.
    pub size: usize,
    /// Whether ignored files stay in them.
    pub keep_ignored: bool,
}

/// What the reaper cleans up by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct CleanupConfig {
    /// Whether it does at all.
    pub auto: bool,
    /// How long a session must have been ended.
    #[serde(with = "duration_text")]
    pub after: Duration,
}

/// How the record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct StateConfig {
    /// Whether transitions are synced: `"on"` or `"off"`.
    #[serde(deserialize_with = "on_or_off")]
    pub sync: bool,
}

fn on_or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(deserializer)? == "on")
}

fn word_or_auto<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    let word = String::deserialize(deserializer)?;
    if word == "auto" {
        return Ok(None);
    }
    word.parse().map(Some).map_err(serde::de::Error::custom)
}
