//! What forges and trackers refuse, as the command line shows it.

use super::CommandError;
use crate::adapter::cmd::CmdError;
use crate::adapter::scm::ForgeError;
use crate::cli::exit::Exit;
use crate::session::OutsideError;

/// What to do where nothing is wrong here.
const LATER: &str =
    "try again when it answers; work without an issue or a pull request needs no forge";

impl From<ForgeError> for CommandError {
    fn from(error: ForgeError) -> Self {
        let (exit, hint) = match error {
            ForgeError::Cmd(CmdError::TimedOut { .. }) => (Exit::Unavailable, Some(LATER)),
            ForgeError::Cmd(error) => return error.into(),
            ForgeError::Git(error) => return error.into(),
            ForgeError::Fs(error) => return error.into(),
            ForgeError::Unsupported { .. } => (Exit::Invalid, None),
            ForgeError::Denied { .. } => {
                (Exit::Denied, Some("log in, or give it a token that may do this"))
            }
            ForgeError::NotFound { .. } => (Exit::NotFound, None),
            ForgeError::Conflict { .. } => (Exit::Conflict, None),
            ForgeError::RateLimited { .. }
            | ForgeError::Failed { .. }
            | ForgeError::Unreadable { .. }
            | ForgeError::Http(_) => (Exit::Unavailable, Some(LATER)),
        };
        let mut error = Self::new(exit, error.into());
        error.hint = hint.map(str::to_owned);
        error
    }
}

impl From<OutsideError> for CommandError {
    fn from(error: OutsideError) -> Self {
        let (exit, hint): (Exit, String) = match &error {
            OutsideError::IssueClosed { .. } => {
                (Exit::Conflict, "`--force` works on it all the same".into())
            }
            OutsideError::NoTracker { .. } => (
                Exit::NotFound,
                "set tracker.kind in the configuration, or add a remote at GitHub".into(),
            ),
            OutsideError::NoForge { .. } => (
                Exit::Invalid,
                "scm.kind says where they live; a branch that lives here is its own".into(),
            ),
            OutsideError::NotPushed { .. } => {
                (Exit::Conflict, "say --push, or push it yourself".into())
            }
            OutsideError::NoPullRequestName { .. } => {
                (Exit::Invalid, "such as 7 or https://forge.example/me/app/pull/7".into())
            }
            OutsideError::NotItsOwn { .. } => {
                (Exit::Conflict, "`ao pr ls --remote` lists what is open".into())
            }
            OutsideError::PullRequestTaken { id, .. } => {
                (Exit::Conflict, format!("end {id} first, or leave it there"))
            }
            OutsideError::NoTrackerCommand => {
                (Exit::Invalid, "such as tracker.command = [\"my-tracker\"]".into())
            }
            OutsideError::WouldRun { .. } => {
                (Exit::Refused, "give it a prompt of your own, or name another --agent".into())
            }
        };
        Self::new(exit, error.into()).hint(hint)
    }
}
