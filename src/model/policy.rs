//! What the user configured, as far as deciders read it. Keys are those of the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effect::{Priority, SendWhen};
use crate::lifecycle::word_enum;
use crate::time::{Window, duration_text, optional_duration_text};

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

word_enum! {
    /// Whose agent gets the text of a reaction.
    Recipient {
        /// The session's own.
        Itself = "self",
        /// That of the session that spawned it.
        Parent = "parent",
        /// That of the project's orchestrator.
        Orchestrator = "orchestrator",
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

/// What is done when an agent's usage limit has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResumePolicy {
    /// The agent is told to go on.
    pub on_limit: bool,
    /// The hours of the day, local time, in which it may be.
    #[schemars(with = "String")]
    pub window: Window,
    /// How often, until a turn ends well.
    pub max: u32,
    /// What it is told.
    pub text: String,
    /// How long after it was met a limit is taken to be over, where nobody said when.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub retry_after: Duration,
    /// How many seconds local time is ahead of UTC; no key of the configuration.
    pub utc_offset: i32,
}

impl Default for ResumePolicy {
    fn default() -> Self {
        Self {
            on_limit: false,
            window: Window::ALL_DAY,
            max: 3,
            text: "Your usage limit is over. Go on with your task where you stopped.".to_owned(),
            retry_after: Duration::from_secs(3600),
            utc_offset: 0,
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
    /// Whose agent gets the text of action `send`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Recipient>,
    /// The argument vector of action `run`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How long that command may take.
    #[serde(with = "optional_duration_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

impl ReactionPolicy {
    /// How long a command may take where nothing is configured.
    pub const TIMEOUT: Duration = Duration::from_secs(60);

    /// Returns the row of the table of reactions for `key`.
    pub fn built_in(key: &str) -> Self {
        let row = |action, priority| Self {
            action: Some(action),
            priority: Some(priority),
            to: Some(Recipient::Itself),
            timeout: Some(Self::TIMEOUT),
            ..Self::default()
        };
        let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
        match key {
            "agent-idle" => Self {
                retries: Some(2),
                escalate_after: minutes(15),
                after: minutes(5),
                ..row(Action::Send, Priority::Warning)
            },
            "ci-failed" => Self { retries: Some(2), ..row(Action::Send, Priority::Action) },
            "changes-requested" | "bugbot-comments" => {
                Self { escalate_after: minutes(30), ..row(Action::Send, Priority::Action) }
            }
            "merge-conflicts" => {
                Self { escalate_after: minutes(15), ..row(Action::Send, Priority::Action) }
            }
            "approved-and-green" | "pr-closed" => row(Action::Notify, Priority::Action),
            "agent-done" | "all-complete" => row(Action::Notify, Priority::Info),
            _ => row(Action::Notify, Priority::Urgent),
        }
    }

    /// Returns these settings, those of `row` where there are none.
    pub fn or(&self, row: Self) -> Self {
        let set = self.clone();
        // Who names another session wants it to be told.
        let elsewhere = matches!(set.to, Some(Recipient::Parent | Recipient::Orchestrator));
        let action = set.action.or(elsewhere.then_some(Action::Send));
        Self {
            action: action.or(row.action),
            priority: set.priority.or(row.priority),
            retries: set.retries.or(row.retries),
            escalate_after: set.escalate_after.or(row.escalate_after),
            after: set.after.or(row.after),
            message: set.message.or(row.message),
            to: set.to.or(row.to),
            command: if set.command.is_empty() { row.command } else { set.command },
            timeout: set.timeout.or(row.timeout),
        }
    }
}

word_enum! {
    /// What an orchestrator may be told of a session that it spawned.
    NoticeKey {
        /// It ended well, or its agent reports its task completed.
        Done = "worker.done",
        NeedsInput = "worker.needs_input",
        Stuck = "worker.stuck",
        /// A turn ended, and the agent reported nothing.
        Idle = "worker.idle",
        Errored = "worker.errored",
        Exited = "worker.exited",
    }
}

/// What orchestrators are told of their workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoticePolicy {
    /// On which occasions.
    pub on: Vec<NoticeKey>,
}

impl Default for NoticePolicy {
    fn default() -> Self {
        Self { on: vec![NoticeKey::Done, NoticeKey::NeedsInput, NoticeKey::Stuck] }
    }
}

/// What is said in an issue; where issues live is not the deciders' business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TrackerPolicy {
    /// An issue gets one comment when the pull request of its session is merged.
    pub closing_comment: bool,
    /// That comment.
    pub closing_text: String,
}

impl Default for TrackerPolicy {
    fn default() -> Self {
        Self { closing_comment: false, closing_text: "Merged: {pr}.".to_owned() }
    }
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
    /// What is done when a usage limit has ended.
    pub resume: ResumePolicy,
    /// What differs from the table of reactions, by key.
    pub reactions: BTreeMap<String, ReactionPolicy>,
    /// What orchestrators are told of their workers.
    pub notices: NoticePolicy,
    /// What is said in issues.
    pub tracker: TrackerPolicy,
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
            resume: ResumePolicy::default(),
            reactions: BTreeMap::new(),
            notices: NoticePolicy::default(),
            tracker: TrackerPolicy::default(),
        }
    }
}

impl Policy {
    /// Returns what the reaction `key` does.
    pub fn reaction(&self, key: &str) -> ReactionPolicy {
        let row = ReactionPolicy::built_in(key);
        match self.reactions.get(key) {
            Some(set) => set.or(row),
            None => row,
        }
    }
}
