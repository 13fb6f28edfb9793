//! Tells a person: a program, a file, the desktop.
//!
//! Who is told of what is the caller's decision. Messages about a failure never hold a
//! notifier's arguments, which may be secrets.

mod command;
mod desktop;
mod file;

use std::time::Duration;

use serde::Serialize;

use crate::adapter::fs::FsError;
use crate::model::effect::Priority;
use crate::model::id::{ProjectId, SessionId};
use crate::model::notifier::{Notifier, NotifierKind};
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// Something a person should know, as it stands in JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Notice<'a> {
    /// `<session>.<outbox id>`: the same notice again has the same one.
    pub id: &'a str,
    /// The session it is about.
    pub session: &'a SessionId,
    /// The session's project.
    pub project: &'a ProjectId,
    /// The session's status.
    pub status: Status,
    /// How soon.
    pub priority: Priority,
    /// The agent was asked often enough; it is the person's turn.
    pub escalation: bool,
    /// The reaction it comes from.
    pub reaction: &'a str,
    /// One line.
    pub title: &'a str,
    /// The text; may quote outside text.
    pub message: &'a str,
    /// When it was recorded.
    pub at: Timestamp,
}

/// Why somebody was not told; a later attempt may succeed.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The program is not installed.
    #[error("notifier `{notifier}`: `{program}` is not installed or not in PATH")]
    Missing {
        /// The notifier's name.
        notifier: String,
        /// What was to be run, without its arguments.
        program: String,
    },
    /// The program could not be run.
    #[error("notifier `{notifier}`: could not run `{program}`")]
    Run {
        /// The notifier's name.
        notifier: String,
        /// What was to be run, without its arguments.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The program did not end in time; whether it told anybody is not known.
    #[error("notifier `{notifier}`: `{program}` did not end within {}", humantime::format_duration(*.deadline))]
    TimedOut {
        /// The notifier's name.
        notifier: String,
        /// What was run, without its arguments.
        program: String,
        /// How long it was given.
        deadline: Duration,
    },
    /// The program failed.
    #[error("notifier `{notifier}`: `{program}` failed with exit code {code}{}", if .stderr.is_empty() { String::new() } else { format!(": {}", .stderr) })]
    Failed {
        /// The notifier's name.
        notifier: String,
        /// What was run, without its arguments.
        program: String,
        /// Its exit code, 128 + n for signal n.
        code: i32,
        /// The last line of its standard error, its arguments taken out.
        stderr: String,
    },
    /// The file could not be written.
    #[error("notifier `{notifier}` could not write its file")]
    File {
        /// The notifier's name.
        notifier: String,
        /// Why not.
        source: FsError,
    },
}

/// Delivers `notice` to the notifier called `name`.
///
/// # Errors
///
/// Nobody was told, or, after a time-out, it is not known.
pub fn deliver(name: &str, notifier: &Notifier, notice: &Notice<'_>) -> Result<(), NotifyError> {
    match &notifier.kind {
        NotifierKind::Command { command } => command::deliver(name, command, notice),
        NotifierKind::File { path } => file::deliver(name, path, notice),
        NotifierKind::Desktop => desktop::deliver(name, notice),
    }
}

/// Returns `notice` as one line of JSON, its line end included.
fn json_line(notice: &Notice<'_>) -> Vec<u8> {
    let mut line = serde_json::to_vec(notice).expect("texts and numbers always serialise");
    line.push(b'\n');
    line
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Calls `then` with a notice about session `web-1`.
    pub(crate) fn with_notice<T>(id: &str, then: impl FnOnce(&Notice<'_>) -> T) -> T {
        let (session, project) = ("web-1".parse().unwrap(), "web".parse().unwrap());
        then(&Notice {
            id,
            session: &session,
            project: &project,
            status: Status::NeedsInput,
            priority: Priority::Urgent,
            escalation: false,
            reaction: "agent-needs-input",
            title: "web-1 needs input",
            message: "line 1\nline 2 \u{1b}[31m",
            at: "2026-11-20T10:00:00Z".parse().unwrap(),
        })
    }

    #[test]
    fn a_notice_is_one_line_of_json() {
        let line = with_notice("web-1.7.agent-needs-input", json_line);
        insta::assert_snapshot!(String::from_utf8(line).unwrap(), @r#"{"id":"web-1.7.agent-needs-input","session":"web-1","project":"web","status":"needs_input","priority":"urgent","escalation":false,"reaction":"agent-needs-input","title":"web-1 needs input","message":"line 1\nline 2 \u001b[31m","at":"2026-11-20T10:00:00.000Z"}"#);
    }
}
