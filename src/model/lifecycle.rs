//! The five axes of a session's lifecycle, as stored in `record.lifecycle`.
//!
//! Source: the tables of axes and reasons in the record's contract. Names on disk are the
//! variants in snake case; a value this version does not know makes the record unreadable for
//! it rather than misread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Makes an enum whose variants stand for words: on disk, on the command line, in a schema.
#[macro_export]
macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word that stands for it on disk and on the command line.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        // One reader serves all of them: derived, each would be compiled once for every format.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::lifecycle::read_word(from, &[$($word),+]).map(|index| Self::ALL[index])
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::lifecycle::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::lifecycle::UnknownWord {
                        text: text.to_owned(),
                        allowed: &[$($word),+],
                    }),
                }
            }
        }
    };
}
pub use crate::word_enum;

/// Reads one of `words`, and returns which.
pub fn read_word<'de, D: serde::Deserializer<'de>>(
    from: D,
    words: &'static [&'static str],
) -> Result<usize, D::Error> {
    struct Word(&'static [&'static str]);

    impl serde::de::Visitor<'_> for Word {
        type Value = usize;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a word")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<usize, E> {
            let index = self.0.iter().position(|word| *word == text);
            index.ok_or_else(|| E::unknown_variant(text, self.0))
        }
    }

    from.deserialize_str(Word(words))
}

/// A word that is none of those allowed in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of {}", allowed.join(", "))]
pub struct UnknownWord {
    /// What was found.
    pub text: String,
    /// What may stand there.
    pub allowed: &'static [&'static str],
}

word_enum! {
    /// Where the work stands. Written under the composition rules.
    SessionState {
        NotStarted = "not_started",
        Working = "working",
        Idle = "idle",
        NeedsInput = "needs_input",
        Stuck = "stuck",
        /// In quarantine: not sure that it is dead.
        Detecting = "detecting",
        Done = "done",
        Terminated = "terminated",
    }
}

word_enum! {
    /// Why the session is in its state.
    SessionReason {
        SpawnRequested = "spawn_requested",
        AgentAcknowledged = "agent_acknowledged",
        TaskInProgress = "task_in_progress",
        PrCreated = "pr_created",
        FixingCi = "fixing_ci",
        ResolvingReviewComments = "resolving_review_comments",
        AwaitingUserInput = "awaiting_user_input",
        AwaitingExternalReview = "awaiting_external_review",
        ResearchComplete = "research_complete",
        Inactive = "inactive",
        MergedWaitingDecision = "merged_waiting_decision",
        Completed = "completed",
        ManuallyKilled = "manually_killed",
        PrMerged = "pr_merged",
        AutoCleanup = "auto_cleanup",
        RuntimeLost = "runtime_lost",
        AgentProcessExited = "agent_process_exited",
        ProbeFailure = "probe_failure",
        ErrorInProcess = "error_in_process",
        NeverStarted = "never_started",
        UsageLimited = "usage_limited",
    }
}

word_enum! {
    /// The pull request's state. Written by SCM facts alone; cleared by restore.
    PrState {
        None = "none",
        Draft = "draft",
        Open = "open",
        Merged = "merged",
        Closed = "closed",
    }
}

word_enum! {
    /// Why the pull request counts as it does.
    PrReason {
        NotCreated = "not_created",
        InProgress = "in_progress",
        CiFailing = "ci_failing",
        ReviewPending = "review_pending",
        ChangesRequested = "changes_requested",
        BotComments = "bot_comments",
        MergeConflicts = "merge_conflicts",
        Approved = "approved",
        MergeReady = "merge_ready",
        Merged = "merged",
        ClosedUnmerged = "closed_unmerged",
        ClearedOnRestore = "cleared_on_restore",
    }
}

word_enum! {
    /// What is known of the pane or process the agent lives in.
    RuntimeState {
        Unknown = "unknown",
        Alive = "alive",
        Exited = "exited",
        Missing = "missing",
        ProbeFailed = "probe_failed",
    }
}

word_enum! {
    /// Why the runtime counts as it does.
    RuntimeReason {
        SpawnIncomplete = "spawn_incomplete",
        ProcessRunning = "process_running",
        ProcessMissing = "process_missing",
        TmuxMissing = "tmux_missing",
        ManualKillRequested = "manual_kill_requested",
        PrMergedCleanup = "pr_merged_cleanup",
        AutoCleanup = "auto_cleanup",
        ProbeError = "probe_error",
        Inconclusive = "inconclusive",
    }
}

word_enum! {
    /// What the agent last said of itself.
    ActivityState {
        Active = "active",
        Ready = "ready",
        Idle = "idle",
        /// At an empty prompt, waiting for an instruction.
        WaitingInput = "waiting_input",
        /// Stopped on a decision dialog, which a stray keystroke could answer.
        Blocked = "blocked",
        Exited = "exited",
    }
}

impl ActivityState {
    /// Returns whether time alone never demotes it.
    pub fn is_sticky(self) -> bool {
        matches!(self, Self::WaitingInput | Self::Blocked)
    }
}

word_enum! {
    /// Who said it.
    ActivitySource {
        Native = "native",
        Terminal = "terminal",
        Hook = "hook",
        Runtime = "runtime",
        None = "none",
    }
}

/// The session axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionAxis {
    /// Where the work stands.
    pub state: SessionState,
    /// Why.
    pub reason: SessionReason,
    /// When the state (not the reason) was entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When a usage limit ends, for reason `usage_limited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Default for SessionAxis {
    fn default() -> Self {
        Self {
            state: SessionState::NotStarted,
            reason: SessionReason::SpawnRequested,
            since: None,
            until: None,
        }
    }
}

/// The pull-request axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrAxis {
    /// Its state.
    pub state: PrState,
    /// Why.
    pub reason: PrReason,
    /// Its number at the forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The commit the facts are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// When the axis last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
}

impl Default for PrAxis {
    fn default() -> Self {
        Self {
            state: PrState::None,
            reason: PrReason::NotCreated,
            number: None,
            url: None,
            head_sha: None,
            as_of: None,
        }
    }
}

/// The runtime axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeAxis {
    /// What is known.
    pub state: RuntimeState,
    /// Why.
    pub reason: RuntimeReason,
}

impl Default for RuntimeAxis {
    fn default() -> Self {
        Self { state: RuntimeState::Unknown, reason: RuntimeReason::SpawnIncomplete }
    }
}

/// The activity axis, absent before the first signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityAxis {
    /// What the agent last said of itself.
    pub state: ActivityState,
    /// When it was last heard.
    pub last_activity_at: Timestamp,
    /// Who said it.
    pub source: ActivitySource,
    /// The tool (use id where there is one) that asked, while `blocked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

/// The quarantine's memory: present exactly while the session is `detecting`, or `stuck` by
/// escalation from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Detecting {
    /// How many times in a row the same evidence was seen.
    pub attempts: u32,
    /// When the episode began.
    pub started_at: Timestamp,
    /// When it was last seen.
    pub last_at: Timestamp,
    /// SHA-256 of reason and evidence, in hexadecimal.
    pub evidence_hash: String,
    /// The session axis to go back to if it turns out to be alive.
    pub from: SessionAxis,
}

/// All axes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lifecycle {
    /// Where the work stands.
    pub session: SessionAxis,
    /// The pull request.
    pub pr: PrAxis,
    /// The pane or process.
    pub runtime: RuntimeAxis,
    /// What the agent says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityAxis>,
    /// The quarantine's memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detecting: Option<Detecting>,
}

impl Lifecycle {
    /// Returns whether nothing observed can change the session axis any more.
    pub fn is_terminal(&self) -> bool {
        matches!(self.session.state, SessionState::Done | SessionState::Terminated)
    }

    /// Returns whether the session is `stuck` because the quarantine escalated, rather than
    /// because the agent or a deadline said so.
    pub fn is_stuck_by_escalation(&self) -> bool {
        self.session.state == SessionState::Stuck && self.detecting.is_some()
    }
}
