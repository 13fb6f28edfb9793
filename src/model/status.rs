//! The one word a person sees, derived on every read and never stored.

use schemars::JsonSchema;
use serde::Serialize;

use crate::lifecycle::{Lifecycle, PrReason, PrState, SessionReason, SessionState, word_enum};

word_enum! {
    /// The display status of a session.
    Status {
        Spawning = "spawning",
        Working = "working",
        Idle = "idle",
        NeedsInput = "needs_input",
        Stuck = "stuck",
        Detecting = "detecting",
        Draft = "draft",
        PrOpen = "pr_open",
        CiFailed = "ci_failed",
        ReviewPending = "review_pending",
        ChangesRequested = "changes_requested",
        Approved = "approved",
        Mergeable = "mergeable",
        Merged = "merged",
        Done = "done",
        Killed = "killed",
        Exited = "exited",
        Cleanup = "cleanup",
        Errored = "errored",
        Terminated = "terminated",
    }
}

impl Status {
    /// Returns the status of `lifecycle`; the first row that matches wins.
    pub fn of(lifecycle: &Lifecycle) -> Self {
        use SessionReason as R;
        use SessionState as S;
        let session = &lifecycle.session;
        match (session.state, session.reason) {
            (S::Done, _) => Self::Done,
            (S::Terminated, R::ManuallyKilled) => Self::Killed,
            (S::Terminated, R::RuntimeLost | R::AgentProcessExited) => Self::Exited,
            (S::Terminated, R::AutoCleanup | R::PrMerged) => Self::Cleanup,
            (S::Terminated, R::ErrorInProcess | R::ProbeFailure | R::NeverStarted) => Self::Errored,
            (S::Terminated, _) => Self::Terminated,
            (S::NeedsInput, _) => Self::NeedsInput,
            (S::Stuck, _) => Self::Stuck,
            (S::Detecting, _) => Self::Detecting,
            (S::NotStarted, _) => Self::Spawning,
            (S::Working | S::Idle, _) => Self::of_running(lifecycle),
        }
    }

    /// Rows 8 to 11: the pull request speaks first, the session axis where there is none.
    fn of_running(lifecycle: &Lifecycle) -> Self {
        use PrReason as R;
        match (lifecycle.pr.state, lifecycle.pr.reason) {
            (PrState::Merged, _) => Self::Merged,
            (PrState::Draft | PrState::Open, R::CiFailing) => Self::CiFailed,
            (PrState::Draft, _) => Self::Draft,
            (PrState::Open, R::ChangesRequested | R::BotComments) => Self::ChangesRequested,
            (PrState::Open, R::Approved) => Self::Approved,
            (PrState::Open, R::MergeReady) => Self::Mergeable,
            (PrState::Open, R::ReviewPending) => Self::ReviewPending,
            (PrState::Open, _) => Self::PrOpen,
            (PrState::None | PrState::Closed, _) => match lifecycle.session.state {
                SessionState::Idle => Self::Idle,
                SessionState::NotStarted
                | SessionState::Working
                | SessionState::NeedsInput
                | SessionState::Stuck
                | SessionState::Detecting
                | SessionState::Done
                | SessionState::Terminated => Self::Working,
            },
        }
    }

    /// Returns whether a person should look: `ao status -q` counts these.
    pub fn needs_person(self) -> bool {
        matches!(self, Self::NeedsInput | Self::Stuck | Self::Errored | Self::Exited)
    }
}
