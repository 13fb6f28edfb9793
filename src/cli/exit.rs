//! Exit codes: the one table that `ao help exit-codes`, `man ao` and every command share.

use schemars::JsonSchema;
use serde::Serialize;

/// Why `ao` ended as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It is done.
    Done,
    /// Something failed inside `ao`, or around it in a way that has no code of its own.
    Internal,
    /// Wrong usage or configuration.
    Invalid,
    /// No such session, project, file.
    NotFound,
    /// It exists, is locked, is busy, or is in the wrong state.
    Conflict,
    /// Refused for safety.
    Refused,
    /// Not permitted: login or file permissions.
    Denied,
    /// The forge or the network failed.
    Unavailable,
    /// tmux, git or the agent is missing or too old; or the home is from a newer `ao`.
    MissingDependency,
    /// `wait`: the session needs input or is stuck.
    WaitNeedsInput,
    /// `wait`: it errored.
    WaitErrored,
    /// `wait`: it was killed, exited or was cleaned up, or ended otherwise than was waited for.
    WaitEnded,
    /// `wait`: the agent's usage limit is reached.
    WaitLimited,
    /// Time is up.
    Timeout,
}

impl Exit {
    /// Every code, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Done,
        Self::Internal,
        Self::Invalid,
        Self::NotFound,
        Self::Conflict,
        Self::Refused,
        Self::Denied,
        Self::Unavailable,
        Self::MissingDependency,
        Self::WaitNeedsInput,
        Self::WaitErrored,
        Self::WaitEnded,
        Self::WaitLimited,
        Self::Timeout,
    ];

    /// Returns the number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Internal => 1,
            Self::Invalid => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Refused => 5,
            Self::Denied => 6,
            Self::Unavailable => 7,
            Self::MissingDependency => 8,
            Self::WaitNeedsInput => 20,
            Self::WaitErrored => 21,
            Self::WaitEnded => 22,
            Self::WaitLimited => 23,
            Self::Timeout => 124,
        }
    }

    /// Returns the `kind` of the JSON error.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Internal => "internal",
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::MissingDependency => "missing_dependency",
            Self::WaitNeedsInput => "needs_input",
            Self::WaitErrored => "errored",
            Self::WaitEnded => "ended",
            Self::WaitLimited => "usage_limited",
            Self::Timeout => "timeout",
        }
    }

    /// Returns its row of the table.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Internal => "failure inside ao",
            Self::Invalid => "wrong usage or configuration",
            Self::NotFound => "no such session, project, …",
            Self::Conflict => "conflict: exists, locked, busy, wrong state",
            Self::Refused => "refused for safety: uncommitted work, dialog open, not trusted",
            Self::Denied => "not permitted: forge or agent login, file permissions",
            Self::Unavailable => "the forge or the network failed, or its rate limit is used up",
            Self::MissingDependency => "tmux, git or the agent is missing or too old",
            Self::WaitNeedsInput => "wait: the session needs input or is stuck",
            Self::WaitErrored => "wait: the session errored",
            Self::WaitEnded => {
                "wait: the session was killed, exited or was cleaned up, or ended otherwise than --until says"
            }
            Self::WaitLimited => "wait: the agent's usage limit is reached",
            Self::Timeout => "time is up",
        }
    }
}

/// Returns the table as text, one row a line.
pub fn table() -> String {
    let mut text = String::from("code  kind                meaning\n");
    for exit in Exit::ALL {
        text.push_str(&format!("{:>4}  {:<18}  {}\n", exit.code(), exit.kind(), exit.meaning()));
    }
    text.push_str("128+n                     ended by signal n\n");
    text
}
