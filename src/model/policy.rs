//! What the user configured, as far as deciders read it. Keys are those of the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::effect::{Priority, SendWhen};
use crate::model::lifecycle::word_enum;
use crate::model::time::{duration_text, optional_duration_text};

/// The permission modes of agents, the most careful first.
pub const PERMISSIONS: &[&str] = &["default", "accept-edits", "auto", "bypass"];

word_enum! {
    /// What a reaction does.
    Action {
        Send = "send",
        Notify = "notify",
        Run = "run",
        Merge = "merge",
        None = "none",
    }
}

/// The quarantine's numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DetectingPolicy {
    /// Equal evidence this many times in a row escalates.
    pub max_attempts: u32,
    /// An episode this long escalates whatever its evidence.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub max_duration: Duration,
    /// Equal evidence closer together than this counts once.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub min_interval: Duration,
    /// After a gap longer than this the reaper slept, and the episode starts anew.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub max_gap: Duration,
}

impl Default for DetectingPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            max_duration: Duration::from_secs(5 * 60),
            min_interval: Duration::from_secs(5),
            max_gap: Duration::from_secs(15 * 60),
        }
    }
}

/// What one reaction does; what is absent keeps its default from the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReactionPolicy {
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// How soon a person should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How many messages go to the agent before a person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// How long after the first message a person is asked.
    #[serde(with = "optional_duration_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub escalate_after: Option<Duration>,
    /// How long the state must hold before the first message.
    #[serde(with = "optional_duration_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub after: Option<Duration>,
    /// The text instead of the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The argument vector of action `run`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// Everything a decider may ask of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Policy {
    /// A signal younger than this counts as recent.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub recent_window: Duration,
    /// `active` signals closer together than this are one.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub activity_coalesce: Duration,
    /// An agent with hooks that has not been heard of this long never started.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub start_deadline: Duration,
    /// The screen of an agent is read where its hooks were silent this long while it works.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub screen_after: Duration,
    /// An open pull request whose agent was silent this long is stuck; absent: never.
    #[serde(with = "optional_duration_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub pr_stalled_after: Option<Duration>,
    /// When a text may be given to a busy agent.
    pub send_when: SendWhen,
    /// The longest message in bytes; longer ones are cut in their middle.
    pub message_max: usize,
    /// The quarantine's numbers.
    pub detecting: DetectingPolicy,
    /// What differs from the table of reactions, by key.
    pub reactions: BTreeMap<String, ReactionPolicy>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            recent_window: Duration::from_secs(60),
            activity_coalesce: Duration::from_secs(5),
            start_deadline: Duration::from_secs(2 * 60),
            screen_after: Duration::from_secs(30),
            pr_stalled_after: None,
            send_when: SendWhen::TurnEnd,
            message_max: 16 * 1024,
            detecting: DetectingPolicy::default(),
            reactions: BTreeMap::new(),
        }
    }
}
