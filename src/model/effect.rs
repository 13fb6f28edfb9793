//! Something to do outside, kept in the outbox until it is done.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{LaunchId, ProcessIdentity, SessionId};
use crate::lifecycle::word_enum;
use crate::policy::Recipient;
use crate::time::Timestamp;

word_enum! {
    /// How soon a person should know.
    Priority {
        Urgent = "urgent",
        Action = "action",
        Warning = "warning",
        Info = "info",
    }
}

word_enum! {
    /// When a text may be given to a busy agent.
    SendWhen {
        /// At the end of its turn.
        TurnEnd = "turn_end",
        /// At once.
        Now = "now",
    }
}

/// What a reaction asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// Give a text to the agent.
    Send {
        /// The reaction's key.
        reaction: String,
        /// What the text is about.
        signature: String,
        /// The same text was the last one sent; a short reminder goes out instead.
        repeat: bool,
        /// The text.
        message: String,
    },
    /// Tell a person.
    Notify {
        /// The reaction's key.
        reaction: String,
        /// How soon.
        priority: Priority,
        /// The agent was asked often enough; it is the person's turn.
        escalation: bool,
        /// The text.
        message: String,
    },
    /// Run the configured command.
    Run {
        /// The reaction's key.
        reaction: String,
        /// What it is about.
        signature: String,
        /// What a person would be told, for the command to read.
        message: String,
        /// The command, as an argument vector.
        command: Vec<String>,
    },
    /// Merge the pull request.
    Merge {
        /// The reaction's key.
        reaction: String,
        /// What it is about: the head commit.
        signature: String,
    },
    /// Comment the session's issue.
    Comment {
        /// `closing-comment`.
        reaction: String,
        /// The text.
        message: String,
    },
    /// Tell another session: a notice to the orchestrator that spawned this one, if it lives, or
    /// a reaction's text that is addressed elsewhere.
    Relay {
        /// The notice's or the reaction's key.
        reaction: String,
        /// That session; absent for the project's orchestrator, whichever lives by then.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<SessionId>,
        /// Whom a reaction's text is addressed to; absent for a notice.
        #[serde(skip_serializing_if = "Option::is_none")]
        recipient: Option<Recipient>,
        /// What it is about; absent for what stays true whatever happens next.
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// The text.
        message: String,
    },
}

impl Effect {
    /// Returns the key of the reaction it comes from.
    pub fn reaction(&self) -> &str {
        match self {
            Self::Send { reaction, .. }
            | Self::Notify { reaction, .. }
            | Self::Run { reaction, .. }
            | Self::Relay { reaction, .. }
            | Self::Comment { reaction, .. }
            | Self::Merge { reaction, .. } => reaction,
        }
    }
}

word_enum! {
    /// What an outbox entry is.
    EntryKind {
        Send = "send",
        Notify = "notify",
        Run = "run",
        Merge = "merge",
        /// A text that goes into another session's outbox.
        Relay = "relay",
        /// A comment of the session's issue.
        Comment = "comment",
    }
}

/// Who has begun to deliver an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// The process.
    pub pid: u32,
    /// Its start time in clock ticks since boot.
    pub pid_start: u64,
    /// The boot it lives in.
    pub boot_id: String,
    /// When it began.
    pub at: Timestamp,
}

impl Claim {
    /// Returns the claim of `owner`, begun at `at`.
    pub fn of(owner: &ProcessIdentity, at: Timestamp) -> Self {
        Self { pid: owner.pid, pid_start: owner.pid_start, boot_id: owner.boot_id.clone(), at }
    }

    /// Returns who has begun.
    pub fn owner(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, pid_start: self.pid_start, boot_id: self.boot_id.clone() }
    }
}

/// One thing still to be delivered.
///
/// Its id in the outbox is `<revision>.<reaction>` for a reaction, `<revision>.message` for a
/// text that a person or another session sent, `<revision>.prompt` for a pasted task,
/// `<revision>.<session>.<id there>` for a notice of another session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxEntry {
    /// What it is.
    pub kind: EntryKind,
    /// The reaction it comes from; absent for a person's message or a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
    /// How soon a person should know, for `notify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// An escalation, for `notify`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalation: bool,
    /// What it is about; checked again just before delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// A short reminder of the text sent last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeat: bool,
    /// The text; for `run`, what the command is given to read.
    #[serde(default)]
    pub message: String,
    /// The argument vector of a `run`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// The launch it is meant for; a later one makes it stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
    /// The session that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SessionId>,
    /// The session it is for, for `relay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SessionId>,
    /// Whom a reaction's text is addressed to, for `relay`; absent for a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
    /// When it may be given to a busy agent; absent: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<SendWhen>,
    /// How often delivery failed.
    #[serde(default)]
    pub attempts: u32,
    /// Not before this time, after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Why it last failed or is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Who has begun to deliver it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// Notifiers that have it already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub delivered: BTreeMap<String, Timestamp>,
    /// Notifiers that failed when it was last tried.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failing: BTreeSet<String>,
    /// Notifiers that are left out, because they failed too often with what this stands for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub except: BTreeSet<String>,
    /// A dead letter: given up, kept for `ao outbox ls --dead`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dead: bool,
}

impl OutboxEntry {
    /// Returns an entry with nothing in it but its kind and its time.
    pub fn new(kind: EntryKind, created_at: Timestamp) -> Self {
        Self {
            kind,
            reaction: None,
            priority: None,
            escalation: false,
            signature: None,
            repeat: false,
            message: String::new(),
            command: Vec::new(),
            created_at,
            launch: None,
            from: None,
            to: None,
            recipient: None,
            when: None,
            attempts: 0,
            next_at: None,
            last_error: None,
            claim: None,
            delivered: BTreeMap::new(),
            failing: BTreeSet::new(),
            except: BTreeSet::new(),
            dead: false,
        }
    }
}
