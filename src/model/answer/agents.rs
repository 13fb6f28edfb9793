//! The answers about agents: which there are, what one's card says.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lifecycle::word_enum;
use crate::record::{Mode, Signals};

word_enum! {
    /// Whether somebody is logged in at an agent.
    LoggedIn {
        Yes = "yes",
        No = "no",
        /// It could not be told, or nobody asked.
        Unknown = "unknown",
    }
}

/// Every agent that can be started.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentsAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// By name.
    pub agents: Vec<Agent>,
    /// Cards of the user's that cannot be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<BadCard>,
}

/// An agent and what is known of it on this machine.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its program can be found.
    pub installed: bool,
    /// Where; absent where it is not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// What it says its version is; `null` where it was not asked or did not say.
    pub version: Option<String>,
    /// The oldest version that works, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<String>,
    /// It is older than that.
    pub too_old: bool,
    /// Whether somebody is logged in.
    pub login: LoggedIn,
    /// The card comes with ao; else it is in `file`.
    pub built_in: bool,
    /// The user's own card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The mode it is started in unless told otherwise.
    pub mode: Mode,
    /// How it tells of itself.
    pub signals: Signals,
}

/// A card that cannot be used.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BadCard {
    /// The agent's name.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one.
    pub line: u64,
    /// What is wrong there, and what is allowed.
    pub why: String,
}

/// One agent's card: as it is written, or what was found of a file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CardAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The card.
    pub card: CardText,
}

/// A card.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CardText {
    /// The agent's name.
    pub name: String,
    /// The file it is in; absent for one that comes with ao.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Its TOML, of `ao agent show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it makes of an agent in a few words, of `ao agent check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}
