//! Why an operation on a session did not succeed.

use std::path::PathBuf;

use crate::adapter::agent::{CardError, InstallError};
use crate::adapter::check_run::CheckError;
use crate::adapter::cmd::CmdError;
use crate::adapter::fs::FsError;
use crate::adapter::git::GitError;
use crate::adapter::runtime::RuntimeError;
use crate::adapter::scm::ForgeError;
use crate::config::ConfigError;
use crate::decide::DecideError;
use crate::invocation::InvocationError;
use crate::model::id::{InvalidId, SessionId};
use crate::model::record::IntentOp;
use crate::model::report::BadUrl;
use crate::model::status::Status;
use crate::session::OutsideError;
use crate::session::merge::MergeError;
use crate::session::review::ReviewError;
use crate::store::StoreError;

/// One variant per failure that a caller can tell apart.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The request does not apply to the session as it is.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// git refused or failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A branch is not to be merged.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// tmux or the process refused or failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The agent's card is unusable.
    #[error(transparent)]
    Card(#[from] CardError),
    /// Hooks or answers to dialogs could not be put there or taken away.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// A review was not begun, judged or ended.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A command failed.
    #[error(transparent)]
    Cmd(#[from] CmdError),
    /// A forge or a tracker refused or failed.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// An issue or a pull request stands in the way of what was asked for.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// A check could not be started or ended.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A name that is none.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// A text that is no address of a pull request.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// `/proc` could not be read.
    #[error("could not read process information")]
    Proc(#[source] std::io::Error),
    /// Another process is at work on it.
    #[error("`{id}` is busy: process {pid} is at its {op}")]
    Busy {
        /// The session.
        id: SessionId,
        /// What is being done.
        op: IntentOp,
        /// Who does it.
        pid: u32,
    },
    /// The session is not in a state that allows it.
    #[error("`{id}` is {status}: {why}")]
    WrongState {
        /// The session.
        id: SessionId,
        /// Its status.
        status: Status,
        /// What would have to be.
        why: &'static str,
    },
    /// No agent was asked for and none can be chosen.
    #[error("no agent chosen, and {}", if found.is_empty() { "none is installed".to_owned() } else { format!("several are installed: {}", found.join(", ")) })]
    NoAgent {
        /// Those that are installed.
        found: Vec<String>,
    },
    /// The agent's program is not installed.
    #[error("agent `{agent}`: its program `{binary}` is not installed or not in PATH")]
    AgentMissing {
        /// The agent.
        agent: String,
        /// Its program.
        binary: String,
    },
    /// The agent's program is older than what works.
    #[error("agent `{agent}` is version {version}, and {minimum} or newer is needed")]
    AgentTooOld {
        /// The agent.
        agent: String,
        /// What it says its version is.
        version: String,
        /// The oldest that works.
        minimum: String,
    },
    /// Nobody is logged in at the agent.
    #[error("nobody is logged in at agent `{agent}`")]
    NotLoggedIn {
        /// The agent.
        agent: String,
        /// Its program.
        binary: String,
        /// Variables any of which would be a login.
        variables: Vec<String>,
    },
    /// The limit of live sessions is reached.
    #[error("{live} sessions are live, and max_sessions is {limit}")]
    TooMany {
        /// How many are live.
        live: usize,
        /// How many may be.
        limit: u32,
    },
    /// A live session works on the same issue.
    #[error("`{id}` is already at work on issue {issue}")]
    IssueTaken {
        /// The session.
        id: SessionId,
        /// The issue.
        issue: String,
    },
    /// The project has an orchestrator that lives.
    #[error("`{id}` is this project's orchestrator, and lives")]
    OrchestratorLives {
        /// It.
        id: SessionId,
    },
    /// A live session works in the repository itself.
    #[error("`{id}` works in {} itself", path.display())]
    RepositoryTaken {
        /// The session.
        id: SessionId,
        /// The repository.
        path: PathBuf,
    },
    /// The repository wants to run something that nobody approved.
    #[error("the repository's configuration wants to run commands that are not approved")]
    NotTrusted {
        /// What it wants to run, and its hash.
        shown: Vec<String>,
        /// The hash to approve.
        hash: String,
    },
    /// A command of `post_create` failed.
    #[error("post_create command `{command}` failed: {why}")]
    PostCreate {
        /// Its program.
        command: String,
        /// How.
        why: String,
    },
    /// Processes of the session do not end, not even by SIGKILL.
    #[error("processes of `{id}` do not end: {pids:?}")]
    Unkillable {
        /// The session.
        id: SessionId,
        /// Their numbers.
        pids: Vec<u32>,
    },
    /// A process still works in an unfinished workspace that is to be removed.
    #[error("process {pid} ({name}) is still at work in the unfinished workspace of `{id}`")]
    Inhabited {
        /// The session.
        id: SessionId,
        /// Its number.
        pid: u32,
        /// What it runs.
        name: String,
    },
    /// Something is where the workspace should be.
    #[error("{} is in the way of the workspace", path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
    },
    /// A key is not pressed where it is not sure what it would do.
    #[error("`{id}` is left alone: {why}")]
    Unsafe {
        /// The session.
        id: SessionId,
        /// What is not sure.
        why: &'static str,
        /// What to do instead.
        hint: String,
    },
    /// A prompt that cannot be passed on.
    #[error("the prompt contains a NUL byte")]
    PromptNul,
    /// A task or an issue without a word in it.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// The workspace would be lost.
    #[error("`{id}` keeps its workspace: {}", reasons.join("; "))]
    Kept {
        /// The session.
        id: SessionId,
        /// Why.
        reasons: Vec<String>,
        /// Whether force would do.
        forcible: bool,
    },
}

impl SessionError {
    /// Returns whether there is no such live session: it never was, or it is archived.
    pub fn is_put_away(&self) -> bool {
        matches!(self, Self::Store(StoreError::NotFound { .. } | StoreError::Archived { .. }))
    }
}

impl From<InvocationError> for SessionError {
    fn from(error: InvocationError) -> Self {
        match error {
            InvocationError::Store(error) => Self::Store(error),
            InvocationError::Config(error) => Self::Config(error),
            InvocationError::Decide(error) => Self::Decide(error),
        }
    }
}
