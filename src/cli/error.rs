//! Errors as the command line shows them: kind, exit code, causes, hint.

mod git;
mod outside;

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::adapter::agent::{CardError, InstallError};
use crate::adapter::check_run::CheckError;
use crate::adapter::cmd::CmdError;
use crate::adapter::fs::FsError;
use crate::adapter::runtime::RuntimeError;
use crate::adapter::scheduler::SchedulerError;
use crate::cli::exit::Exit;
use crate::cli::output::escaped;
use crate::config::ConfigError;
use crate::decide::DecideError;
use crate::invocation::InvocationError;
use crate::model::id::InvalidId;
use crate::model::sanitize;
use crate::session::SessionError;
use crate::session::context::ResolveError;
use crate::session::review::ReviewError;
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

    /// Returns that standard input could not be read.
    pub fn unread(error: io::Error) -> Self {
        Self::new(
            Exit::Internal,
            anyhow::Error::new(error).context("could not read standard input"),
        )
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
        let _ = writeln!(stderr, "{}", escaped(json!({ "error": error.to_json() }).to_string()));
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
        let denied = error.kind() == io::ErrorKind::PermissionDenied;
        let exit = if denied { Exit::Denied } else { Exit::Internal };
        // What reads says itself what it read.
        Self::new(exit, anyhow::Error::new(error).context("could not write to standard output"))
    }
}

impl From<InvalidId> for CommandError {
    fn from(error: InvalidId) -> Self {
        let hint = match error.what {
            "branch name" => "such as fix/login: letters, digits and . _ / - + #",
            "project id" => "`ao project ls` lists every project",
            _ => "`ao ls --all` lists every session; an id is made of a-z, 0-9 and hyphens",
        };
        Self::new(Exit::Invalid, error.into()).hint(hint)
    }
}

impl From<FsError> for CommandError {
    fn from(error: FsError) -> Self {
        let (exit, hint) = fs_exit(&error);
        let mut error = Self::new(exit, error.into());
        error.hint = hint.map(str::to_owned);
        error
    }
}

/// Some agents run their commands where nothing but the workspace can be written.
fn denied_hint(error: &FsError) -> Option<&'static str> {
    let is_read_only = error.source.kind() == io::ErrorKind::ReadOnlyFilesystem;
    is_read_only.then_some("in an agent's sandbox: ask for this command to run outside it")
}

fn fs_exit(error: &FsError) -> (Exit, Option<&'static str>) {
    if error.is_denied() {
        return (Exit::Denied, denied_hint(error));
    }
    if error.is_link() {
        return (Exit::Refused, Some("remove the link: ao follows none there"));
    }
    let kind = error.source.kind();
    if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        let hint = "make room on that file system, then try again";
        return (Exit::Internal, Some(hint));
    }
    let absent = kind == io::ErrorKind::NotFound;
    (if absent { Exit::NotFound } else { Exit::Internal }, None)
}

impl From<ResolveError> for CommandError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Store(error) => error.into(),
            ResolveError::Invalid(error) => error.into(),
            error @ ResolveError::Ambiguous { .. } => {
                Self::new(Exit::Invalid, error.into()).hint("type more of it")
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
        // What the machine refuses is no mistake in the file, as what stands in its place is.
        if let ConfigError::File(fs) = &error
            && (fs.source.raw_os_error().is_some() || fs.is_denied())
        {
            let (exit, hint) = fs_exit(fs);
            let mut error = Self::new(exit, error.into());
            error.hint = hint.map(str::to_owned);
            return error;
        }
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
            StoreError::NotFound { .. } => {
                (Exit::NotFound, Some("`ao ls --all` lists every session"))
            }
            StoreError::NoProject { .. } => {
                (Exit::NotFound, Some("`ao project ls` lists every project"))
            }
            StoreError::Archived { .. } => (
                Exit::Conflict,
                Some("it was cleaned up; `ao restore` brings it back while its trash is kept"),
            ),
            StoreError::Exists { .. } => {
                (Exit::Conflict, Some("choose another --id, or say --if-exists reuse or replace"))
            }
            StoreError::Locked(lock) => lock_exit(lock),
            StoreError::Conflict { .. } => (Exit::Conflict, Some("read it again, then retry")),
            StoreError::Damaged { .. } => {
                (Exit::Internal, Some("`ao doctor --state` shows what can be repaired"))
            }
            StoreError::NewerRecord { .. }
            | StoreError::NewerFile { .. }
            | StoreError::NewerFormat { .. } => {
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
                error.hint = hint.map(str::to_owned);
                return error;
            }
        };
        let is_held = matches!(
            &error,
            StoreError::Locked(
                LockError::Timeout { .. } | LockError::Gone { .. } | LockError::Replaced { .. }
            )
        );
        let mut error = Self::new(exit, error.into());
        error.hint = hint.map(str::to_owned);
        error.retryable |= is_held;
        error
    }
}

fn lock_exit(error: &LockError) -> (Exit, Option<&'static str>) {
    match error {
        LockError::Timeout { .. } => (
            Exit::Conflict,
            Some(
                "try again when it is done, or wait longer with --lock-timeout; nothing has to be removed",
            ),
        ),
        LockError::Gone { .. } | LockError::Replaced { .. } => (Exit::Conflict, Some("try again")),
        LockError::Fs(fs) if fs.is_denied() => (Exit::Denied, denied_hint(fs)),
        LockError::Fs(fs) if fs.is_link() => {
            (Exit::Refused, Some("remove the link: a lock file is never one"))
        }
        LockError::Fs(_) => (Exit::Internal, None),
    }
}

impl From<LockError> for CommandError {
    fn from(error: LockError) -> Self {
        StoreError::from(error).into()
    }
}

impl From<RuntimeError> for CommandError {
    fn from(error: RuntimeError) -> Self {
        let (exit, hint) = match &error {
            RuntimeError::Missing | RuntimeError::TooOld { .. } => (
                Exit::MissingDependency,
                Some(
                    "install tmux 3.2 or newer, or run one-shot agents with --runtime process"
                        .into(),
                ),
            ),
            RuntimeError::StartFailed { screen, .. } if !screen.trim().is_empty() => {
                (Exit::Internal, Some(format!("its last output was:\n{}", screen.trim_end())))
            }
            RuntimeError::Occupied { .. } | RuntimeError::NameTaken { .. } => {
                (Exit::Conflict, Some("`ao kill` ends it".into()))
            }
            RuntimeError::SocketPath { .. } => {
                (Exit::Denied, Some("choose another --home, or set XDG_RUNTIME_DIR".into()))
            }
            RuntimeError::NotThisLaunch { .. } | RuntimeError::NoSuchTarget { .. } => {
                (Exit::Conflict, Some("`ao status` shows what there is".into()))
            }
            RuntimeError::Unresponsive { .. } => (
                Exit::Internal,
                Some("try again when it answers; `ao reap` finishes what was begun".into()),
            ),
            RuntimeError::InvalidKey(_) => (Exit::Invalid, None),
            RuntimeError::Fs(fs) => {
                let (exit, hint) = fs_exit(fs);
                (exit, hint.map(str::to_owned))
            }
            RuntimeError::StartFailed { .. }
            | RuntimeError::ServerAbsent { .. }
            | RuntimeError::Tmux { .. }
            | RuntimeError::Unreadable { .. }
            | RuntimeError::Cmd(_)
            | RuntimeError::Io { .. } => (Exit::Internal, None),
        };
        let retryable = matches!(&error, RuntimeError::Unresponsive { .. });
        let mut error = Self::new(exit, error.into());
        error.hint = hint;
        error.retryable |= retryable;
        error
    }
}

impl From<CardError> for CommandError {
    fn from(error: CardError) -> Self {
        let exit = match &error {
            CardError::File(fs) => fs_exit(fs).0,
            CardError::Unknown { .. }
            | CardError::Bad { .. }
            | CardError::Unsupported { .. }
            | CardError::PromptNeeded(_)
            | CardError::Nul(_)
            | CardError::TooLong { .. } => Exit::Invalid,
        };
        Self::new(exit, error.into())
    }
}

impl From<CheckError> for CommandError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Fs(error) => error.into(),
            CheckError::Cmd(error) => error.into(),
            error @ CheckError::Unkillable { .. } => Self::new(Exit::Internal, error.into())
                .hint("the next reap tries again; `ps` tells what they wait for"),
            error @ CheckError::Unreadable { .. } => Self::new(Exit::Internal, error.into())
                .hint("remove the file; the next reap checks again"),
            error @ CheckError::Io { .. } => Self::new(Exit::Internal, error.into()),
        }
    }
}

impl From<InstallError> for CommandError {
    fn from(error: InstallError) -> Self {
        let (exit, hint) = match &error {
            InstallError::Fs(fs) => (fs_exit(fs).0, None),
            InstallError::Git(_) => (Exit::Internal, None),
            InstallError::Edit { .. } => {
                (Exit::Invalid, Some("mend the file, or choose another agent"))
            }
            InstallError::Forgotten { .. } | InstallError::Outside { .. } => (
                Exit::Internal,
                Some("look at the workspace's hook files by hand, then remove that file"),
            ),
            InstallError::Taken { .. } | InstallError::Link { .. } => {
                (Exit::Refused, Some("move it away, or choose another agent"))
            }
        };
        let found = Self::new(exit, error.into());
        match hint {
            Some(hint) => found.hint(hint.to_owned()),
            None => found,
        }
    }
}

impl From<ReviewError> for CommandError {
    fn from(error: ReviewError) -> Self {
        let (exit, hint) = match &error {
            ReviewError::NoRun { .. } => {
                (Exit::NotFound, "`ao review ls --all` lists every review".to_owned())
            }
            ReviewError::NotAWorker { .. } | ReviewError::NoBranch { .. } => {
                (Exit::Conflict, "name a worker; `ao ls --kind worker` lists them".to_owned())
            }
            ReviewError::NoCommits { id, .. } => {
                (Exit::Conflict, format!("`ao send {id} 'commit your work'`, then try again"))
            }
            ReviewError::HeadMoved { .. } => {
                (Exit::Conflict, "leave --head out to review what there is".to_owned())
            }
            ReviewError::NotAReviewer { .. } => (
                Exit::Invalid,
                "name another with --reviewer, or give its card a [review] table".to_owned(),
            ),
            ReviewError::NoReviewer { .. } => {
                (Exit::Invalid, "install one, or name others in review.agents".to_owned())
            }
            ReviewError::Decided { .. } => (
                Exit::Conflict,
                "a verdict is handed in once; the next head has another".to_owned(),
            ),
            ReviewError::Over { run, .. } => {
                let worker = run.rsplit_once("-r").map_or(run.as_str(), |(worker, _)| worker);
                (Exit::Conflict, format!("`ao review ls {worker}` shows what came of each head"))
            }
            ReviewError::NotYours { .. } => {
                (Exit::Refused, "a review is judged by its own reviewer, or by a person".to_owned())
            }
            ReviewError::NoBody => (
                Exit::Invalid,
                "say --body TEXT, or --body - and write it to standard input".to_owned(),
            ),
            ReviewError::BodyNul => (Exit::Invalid, "take the NUL byte out".to_owned()),
        };
        Self::new(exit, error.into()).hint(hint)
    }
}

impl From<SchedulerError> for CommandError {
    fn from(error: SchedulerError) -> Self {
        let (exit, hint) = match &error {
            SchedulerError::NoScheduler => (
                Exit::MissingDependency,
                Some("run `ao reap` yourself, or let `ao wait` do it as it goes"),
            ),
            SchedulerError::Unspeakable { .. } | SchedulerError::TooLong { .. } => {
                (Exit::Invalid, None)
            }
            SchedulerError::Crontab { .. } | SchedulerError::Cmd(_) => (Exit::Internal, None),
            SchedulerError::Fs(fs) => (fs_exit(fs).0, None),
        };
        let mut error = Self::new(exit, error.into());
        error.hint = hint.map(str::to_owned);
        error
    }
}

/// Returns what to do about a workspace that is kept.
fn kept_hint(forcible: bool) -> &'static str {
    match forcible {
        true => "commit or remove it, or say --force, which saves everything first",
        false => "see to that first: --force saves work, and overrules no more",
    }
}

fn login_hint(binary: &str, variables: &[String]) -> String {
    let set = match variables {
        [] => String::new(),
        names => format!(", or set {}", names.join(" or ")),
    };
    format!("run `{binary}` once and log in{set}")
}

impl From<SessionError> for CommandError {
    fn from(error: SessionError) -> Self {
        let (exit, hint) = match &error {
            SessionError::Busy { .. } => (
                Exit::Conflict,
                "wait until it is done; a dead one is finished by `ao reap`".into(),
            ),
            SessionError::WrongState { id, .. } => {
                (Exit::Conflict, format!("`ao explain {id}` says why it is where it is"))
            }
            SessionError::NoAgent { .. } => (
                Exit::Invalid,
                "name one with --agent, or `ao config set agent NAME`; `ao agent ls` lists all"
                    .into(),
            ),
            SessionError::AgentMissing { .. } => {
                (Exit::MissingDependency, "install it, or name another with --agent".into())
            }
            SessionError::AgentTooOld { .. } => {
                (Exit::MissingDependency, "bring it up to date; `ao agent ls` lists all".into())
            }
            SessionError::NotLoggedIn { binary, variables, .. } => {
                (Exit::Denied, login_hint(binary, variables))
            }
            SessionError::TooMany { .. } => {
                (Exit::Conflict, "end some, or raise max_sessions in the configuration".into())
            }
            SessionError::IssueTaken { id, .. } => {
                (Exit::Conflict, format!("`ao send {id}` reaches it"))
            }
            SessionError::RepositoryTaken { id, .. } => {
                (Exit::Conflict, format!("end {id} first, or work in a worktree"))
            }
            SessionError::OrchestratorLives { id } => (
                Exit::Conflict,
                format!("`ao send {id}` reaches it, `ao orchestrator --clean` retires it"),
            ),
            SessionError::Url(_) => {
                (Exit::Invalid, "such as https://forge.example/me/app/pull/7".into())
            }
            SessionError::NotTrusted { shown, hash } => {
                let way_out = "run `ao trust` to approve them; in CI set AO_TRUST=";
                (Exit::Refused, format!("{}\n{way_out}{hash}", shown.join("\n")))
            }
            SessionError::PostCreate { .. } => {
                (Exit::Internal, "the workspace was removed again; mend the command".into())
            }
            SessionError::InTheWay { .. } => (Exit::Conflict, "move it away".into()),
            SessionError::Unkillable { .. } => {
                (Exit::Internal, "the next reap tries again; `ps` tells what they wait for".into())
            }
            SessionError::Inhabited { .. } => {
                (Exit::Conflict, "the next reap tries again once it has ended".into())
            }
            SessionError::Unsafe { hint, .. } => (Exit::Refused, hint.clone()),
            SessionError::PromptNul => (Exit::Invalid, "take the NUL byte out".into()),
            SessionError::Empty(what) => {
                (Exit::Invalid, format!("say what the {what} is, or leave it out"))
            }
            SessionError::Kept { forcible, .. } => (Exit::Refused, kept_hint(*forcible).into()),
            SessionError::Store(_)
            | SessionError::Config(_)
            | SessionError::Decide(_)
            | SessionError::Git(_)
            | SessionError::Merge(_)
            | SessionError::Runtime(_)
            | SessionError::Card(_)
            | SessionError::Install(_)
            | SessionError::Review(_)
            | SessionError::Fs(_)
            | SessionError::Cmd(_)
            | SessionError::Forge(_)
            | SessionError::Outside(_)
            | SessionError::Check(_)
            | SessionError::Id(_)
            | SessionError::Proc(_) => return Self::of_part(error),
        };
        Self::new(exit, error.into()).hint(hint)
    }
}

impl CommandError {
    /// The errors that a session's operation only passes on.
    fn of_part(error: SessionError) -> Self {
        match error {
            SessionError::Store(error) => error.into(),
            SessionError::Config(error) => error.into(),
            SessionError::Decide(error) => error.into(),
            SessionError::Git(error) => error.into(),
            SessionError::Merge(error) => error.into(),
            SessionError::Runtime(error) => error.into(),
            SessionError::Card(error) => error.into(),
            SessionError::Install(error) => error.into(),
            SessionError::Review(error) => error.into(),
            SessionError::Fs(error) => error.into(),
            SessionError::Cmd(error) => error.into(),
            SessionError::Forge(error) => error.into(),
            SessionError::Outside(error) => error.into(),
            SessionError::Check(error) => error.into(),
            SessionError::Id(error) => error.into(),
            SessionError::Proc(_)
            | SessionError::Busy { .. }
            | SessionError::WrongState { .. }
            | SessionError::NoAgent { .. }
            | SessionError::AgentMissing { .. }
            | SessionError::AgentTooOld { .. }
            | SessionError::NotLoggedIn { .. }
            | SessionError::TooMany { .. }
            | SessionError::IssueTaken { .. }
            | SessionError::RepositoryTaken { .. }
            | SessionError::OrchestratorLives { .. }
            | SessionError::Url(_)
            | SessionError::NotTrusted { .. }
            | SessionError::PostCreate { .. }
            | SessionError::Unkillable { .. }
            | SessionError::Inhabited { .. }
            | SessionError::InTheWay { .. }
            | SessionError::Unsafe { .. }
            | SessionError::PromptNul
            | SessionError::Empty(_)
            | SessionError::Kept { .. } => Self::new(Exit::Internal, error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn an_agent_in_a_sandbox_is_told_the_way_out_of_it() {
        let failed = |kind: io::ErrorKind| FsError::at("open", Path::new("/lock"))(kind.into());
        for read_only in [
            CommandError::from(failed(io::ErrorKind::ReadOnlyFilesystem)),
            CommandError::from(LockError::Fs(failed(io::ErrorKind::ReadOnlyFilesystem))),
        ] {
            assert_eq!(read_only.exit, Exit::Denied);
            assert!(read_only.hint.is_some_and(|hint| hint.contains("outside it")));
        }
        let denied = CommandError::from(failed(io::ErrorKind::PermissionDenied));
        assert_eq!((denied.exit, denied.hint), (Exit::Denied, None));
    }
}
