//! What the user configured: layers of TOML merged into one [`Config`].
//!
//! Built in < user < repository < environment < flag. Nothing here looks at the environment or
//! at a default path: the caller says where the layers are.

mod edit;
pub mod keys;
pub mod layers;
mod reference;
pub mod trust;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::model::effect::Priority;
use crate::model::policy::Policy;
use crate::model::time::duration_text;

pub use edit::set;
pub use keys::{FromRepository, KEYS, Key, Kind};
pub use layers::{ConfigError, Layered, Origin, Place, Sources, load};
pub use reference::{initial_repository_file, reference};

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
    /// How workspaces are made.
    pub workspace: WorkspaceConfig,
    /// The check command.
    pub check: CheckConfig,
    /// What becomes of removed workspaces.
    pub trash: TrashConfig,
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

/// What becomes of removed workspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct TrashConfig {
    /// How long they can be brought back.
    #[serde(with = "duration_text")]
    pub keep: Duration,
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
    /// Whether transitions are synced.
    pub sync: bool,
}

/// Somebody or something that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifier {
    /// How.
    pub kind: NotifierKind,
    /// What of.
    pub priorities: Vec<Priority>,
}

/// How a notifier tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifierKind {
    /// A program that reads JSON on standard input.
    Command {
        /// Its argument vector, never empty.
        command: Vec<String>,
    },
    /// A file that gets JSON lines.
    File {
        /// Its absolute path.
        path: PathBuf,
    },
    /// The desktop's own notifications.
    Desktop,
}

impl<'de> Deserialize<'de> for Notifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Keys {
            kind: Option<String>,
            command: Option<Vec<String>>,
            path: Option<PathBuf>,
            priorities: Option<Vec<Priority>>,
        }
        let keys = Keys::deserialize(deserializer)?;
        let kind = match (keys.kind.as_deref(), keys.command, keys.path) {
            (Some("command"), Some(command), None) => NotifierKind::Command { command },
            (Some("file"), None, Some(path)) => NotifierKind::File { path },
            (Some("desktop"), None, None) => NotifierKind::Desktop,
            (_, _, _) => {
                return Err(serde::de::Error::custom(
                    "needs `kind = \"command\"` with `command`, `kind = \"file\"` with `path`, or `kind = \"desktop\"` alone",
                ));
            }
        };
        let priorities = keys.priorities.unwrap_or_else(|| Priority::ALL.to_vec());
        Ok(Self { kind, priorities })
    }
}
