//! Errors as the command line shows them: kind, exit code, causes, hint.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::adapter::agent::CardError;
use crate::adapter::cmd::CmdError;
use crate::adapter::fs::FsError;
use crate::adapter::git::GitError;
use crate::adapter::runtime::RuntimeError;
use crate::adapter::scheduler::SchedulerError;
use crate::cli::exit::Exit;
use crate::config::ConfigError;
use crate::decide::DecideError;
use crate::invocation::InvocationError;
use crate::model::id::InvalidId;
use crate::model::sanitize;
use crate::session::SessionError;
use crate::session::context::ResolveError;
use crate::store::{LockError, StoreError};

/// Why a command failed.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code and kind.
    pub exit: Exit,
    /// What failed, with its causes.
    pub error: anyhow::Error,
    /// The way out.
    pub hint: Option<String>,
    /// Doing the same again may succeed.
    pub retryable: bool,
}

impl CommandError {
    /// Returns an error without a hint.
    pub fn new(exit: Exit, error: anyhow::Error) -> Self {
        let retryable = matches!(exit, Exit::Unavailable | Exit::Timeout);
        Self { exit, error, hint: None, retryable }
    }

    /// Adds the way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says that doing the same again may succeed.
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Returns whether the reader of standard output went away.
    pub fn is_broken_pipe(&self) -> bool {
        self.error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Returns the error with its causes, on one line.
    pub fn one_line(&self) -> String {
        let causes: Vec<String> = self.error.chain().map(ToString::to_string).collect();
        sanitize::line(&causes.join(": "))
    }

    /// Returns the inside of `{"error":…}`.
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "kind": self.exit.kind(),
            "code": self.exit.code(),
            "message": self.one_line(),
            "retryable": self.retryable,
        });
        if let Some(hint) = &self.hint {
            value["hint"] = json!(sanitize::line(hint));
        }
        value
    }
}

/// Writes an error to standard error, once.
pub fn render(error: &CommandError, as_json: bool) {
    let mut stderr = anstream::stderr();
    if as_json {
        let _ = writeln!(stderr, "{}", json!({ "error": error.to_json() }));
        return;
    }
    let mut causes = error.error.chain().map(|cause| sanitize::text(&cause.to_string()));
    let _ = writeln!(stderr, "\x1b[1;31merror:\x1b[0m {}", causes.next().unwrap_or_default());
    for cause in causes {
        let _ = writeln!(stderr, "caused by: {cause}");
    }
    if let Some(hint) = &error.hint {
        let _ = writeln!(stderr, "hint: {}", sanitize::text(hint));
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::PermissionDenied => Exit::Denied,
            _ => Exit::Internal,
        };
        Self::new(exit, error.into())
    }
}

impl From<InvalidId> for CommandError {
    fn from(error: InvalidId) -> Self {
        Self::new(Exit::Invalid, error.into())
    }
}

impl From<FsError> for CommandError {
    fn from(error: FsError) -> Self {
        let (exit, hint) = fs_exit(&error);
        let mut error = Self::new(exit, error.into());
        error.hint = hint;
        error
    }
}

fn fs_exit(error: &FsError) -> (Exit, Option<String>) {
    if error.is_denied() {
        return (Exit::Denied, None);
    }
    match error.source.kind() {
        io::ErrorKind::NotFound => (Exit::NotFound, None),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (Exit::Internal, Some("make room on that file system, then try again".to_owned()))
        }
        _ => (Exit::Internal, None),
    }
}

impl From<ResolveError> for CommandError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Store(error) => error.into(),
            error @ (ResolveError::Invalid(_) | ResolveError::Ambiguous { .. }) => {
                Self::new(Exit::Invalid, error.into())
            }
            error @ (ResolveError::NotFound(_) | ResolveError::NotInside { .. }) => {
                Self::new(Exit::NotFound, error.into()).hint("`ao ls --all` lists every session")
            }
        }
    }
}

impl From<InvocationError> for CommandError {
    fn from(error: InvocationError) -> Self {
        match error {
            InvocationError::Store(error) => error.into(),
            InvocationError::Config(error) => error.into(),
            InvocationError::Decide(error) => error.into(),
        }
    }
}

impl From<DecideError> for CommandError {
    fn from(error: DecideError) -> Self {
        Self::new(Exit::Conflict, error.into())
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Invalid, error.into()).hint("`ao config reference` lists every key")
    }
}

impl From<CmdError> for CommandError {
    fn from(error: CmdError) -> Self {
        let exit = match &error {
            CmdError::Missing { .. } => Exit::MissingDependency,
            CmdError::Spawn { .. }
            | CmdError::TimedOut { .. }
            | CmdError::Io { .. }
            | CmdError::Failed { .. } => Exit::Internal,
        };
        Self::new(exit, error.into())
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let (exit, hint): (Exit, Option<&str>) = match &error {
            StoreError::NotFound { .. } | StoreError::NoProject { .. } => {
                (Exit::NotFound, Some("`ao ls --all` lists every session"))
            }
            StoreError::Archived { .. } => (
                Exit::Conflict,
                Some("it was cleaned up; `ao restore` brings it back while its trash is kept"),
            ),
            StoreError::Exists { .. } => {
                (Exit::Conflict, Some("choose another --id, or say --if-exists reuse or replace"))
            }
            StoreError::Locked(error) => return Self::of_lock(error.to_string(), &error.clone()),
            StoreError::Conflict { .. } => (Exit::Conflict, Some("read it again, then retry")),
            StoreError::Damaged { .. } => {
                (Exit::Internal, Some("`ao doctor --state` shows what can be repaired"))
            }
            StoreError::NewerRecord { .. } | StoreError::NewerFormat { .. } => {
                (Exit::MissingDependency, Some("use the newer ao that wrote it"))
            }
            StoreError::Owner { .. } => (
                Exit::Denied,
                Some("a home must belong to the user who runs ao; choose another with --home"),
            ),
            StoreError::Mode { .. } => (Exit::Denied, Some("chmod go-w the directory")),
            StoreError::NoLocks { .. } => {
                (Exit::Internal, Some("put the home on a local file system with --home"))
            }
            StoreError::Symlink { .. } => {
                (Exit::Refused, Some("remove the link, or choose another --home"))
            }
            StoreError::Unstorable { .. } => (Exit::Internal, None),
            StoreError::Fs(fs) => {
                let (exit, hint) = fs_exit(fs);
                let mut error = Self::new(exit, error.into());
                error.hint = hint;
                return error;
            }
        };
        let mut error = Self::new(exit, error.into());
        error.hint = hint.map(str::to_owned);
        error
    }
}
