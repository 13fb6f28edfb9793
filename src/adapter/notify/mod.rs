//! Tells a person: a program, a file, the desktop, a web server, a Slack channel.
//!
//! Who is told of what is the caller's decision. Messages about a failure never hold a
//! notifier's arguments, addresses or keys, which are secrets.

mod command;
mod desktop;
mod file;
mod post;
pub mod secret;
mod slack;
mod webhook;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::adapter::fs::FsError;
use crate::adapter::http::{Client, HttpError};
use crate::model::effect::Priority;
use crate::model::id::{ProjectId, SessionId};
use crate::model::notifier::{Notifier, NotifierKind};
use crate::model::status::Status;
use crate::model::time::Timestamp;

use secret::SecretError;

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
    /// Its pull request, where there is one with an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<&'a str>,
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
    /// Its address or its key is not known.
    #[error("notifier `{notifier}`: its {what} is not known")]
    Secret {
        /// The notifier's name.
        notifier: String,
        /// What is not known.
        what: &'static str,
        /// Why not.
        source: SecretError,
    },
    /// Its address is one that notices may not be sent to.
    #[error(
        "notifier `{notifier}`: its address must begin with https://, or be this machine's own"
    )]
    Address {
        /// The notifier's name.
        notifier: String,
    },
    /// There is no answer; after a time-out, whether it took the notice is not known.
    #[error("notifier `{notifier}` could not be reached")]
    Http {
        /// The notifier's name.
        notifier: String,
        /// Why not.
        source: HttpError,
    },
    /// The server did not take it.
    #[error("notifier `{notifier}`: {host} answered {status}{}", if is_final(*.status) { ", which trying again will not mend" } else { "" })]
    Refused {
        /// The notifier's name.
        notifier: String,
        /// The host.
        host: String,
        /// Its answer.
        status: u16,
        /// How long it asks to be left alone.
        wait: Option<Duration>,
    },
    /// The server sends elsewhere, where nobody was told to send notices to.
    #[error("notifier `{notifier}`: {host} sends elsewhere, and that is not followed")]
    Redirected {
        /// The notifier's name.
        notifier: String,
        /// The host.
        host: String,
    },
}

/// Returns whether an answer stays the same however often it is asked for.
fn is_final(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 425 | 429)
}

impl NotifyError {
    /// Returns how long the notifier asks to be left alone.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            Self::Missing { .. }
            | Self::Run { .. }
            | Self::TimedOut { .. }
            | Self::Failed { .. }
            | Self::File { .. }
            | Self::Secret { .. }
            | Self::Address { .. }
            | Self::Http { .. }
            | Self::Redirected { .. } => None,
        }
    }

    /// Returns whether the whole time was used up: the next notice would wait as long.
    fn is_timeout(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::Http { source, .. } => matches!(source, HttpError::TimedOut { .. }),
            Self::Secret { source, .. } => matches!(source, SecretError::TimedOut { .. }),
            Self::Missing { .. }
            | Self::Run { .. }
            | Self::Failed { .. }
            | Self::File { .. }
            | Self::Address { .. }
            | Self::Refused { .. }
            | Self::Redirected { .. } => false,
        }
    }
}

/// What is known of the notifiers during one invocation.
#[derive(Debug, Default)]
pub struct Notifiers {
    client: OnceCell<Client>,
    timeouts: RefCell<BTreeMap<String, usize>>,
}

/// After so many time-outs of a notifier nothing more is sent to it in one invocation: with a
/// hundred sessions to tell of, each would wait as long, and everything after it.
const ENOUGH: usize = 3;

impl Notifiers {
    /// Returns whether the notifier called `name` let its time run out too often by now.
    pub fn is_silent(&self, name: &str) -> bool {
        self.timeouts.borrow().get(name).is_some_and(|timeouts| *timeouts >= ENOUGH)
    }

    /// Delivers `notice` to the notifier called `name`.
    ///
    /// # Errors
    ///
    /// Nobody was told, or, after a time-out, it is not known.
    pub fn deliver(
        &self,
        name: &str,
        notifier: &Notifier,
        notice: &Notice<'_>,
    ) -> Result<(), NotifyError> {
        let client = || self.client.get_or_init(Client::new);
        let timeout = notifier.timeout;
        let result = match &notifier.kind {
            NotifierKind::Command { command } => command::deliver(name, command, notice, timeout),
            NotifierKind::File { path } => file::deliver(name, path, notice),
            NotifierKind::Desktop => desktop::deliver(name, notice, timeout),
            NotifierKind::Webhook { url, key } => {
                webhook::deliver(client(), name, (url, key.as_ref()), notice, timeout)
            }
            NotifierKind::Slack { url } => slack::deliver(client(), name, url, notice, timeout),
        };
        if result.as_ref().is_err_and(NotifyError::is_timeout) {
            *self.timeouts.borrow_mut().entry(name.to_owned()).or_default() += 1;
        }
        result
    }
}

/// Checks what can be known of a notifier without telling anybody: its variables are set, its
/// programs are installed.
///
/// # Errors
///
/// What is missing.
pub fn check(name: &str, notifier: &Notifier) -> Result<(), NotifyError> {
    let program = match &notifier.kind {
        NotifierKind::Command { command } => command.first().map(String::as_str),
        NotifierKind::Desktop => Some(desktop::PROGRAM),
        NotifierKind::File { .. } | NotifierKind::Webhook { .. } | NotifierKind::Slack { .. } => {
            None
        }
    };
    if let Some(program) = program.filter(|program| !secret::is_installed(program)) {
        let (notifier, program) = (name.to_owned(), program.to_owned());
        return Err(NotifyError::Missing { notifier, program });
    }
    for (what, source) in notifier.kind.secrets() {
        let failed = |source| NotifyError::Secret { notifier: name.to_owned(), what, source };
        secret::check(source).map_err(failed)?;
    }
    Ok(())
}

/// Returns `notice` as JSON.
fn json(notice: &Notice<'_>) -> Vec<u8> {
    serde_json::to_vec(notice).expect("texts and numbers always serialise")
}

/// Returns `notice` as one line of JSON, its line end included.
fn json_line(notice: &Notice<'_>) -> Vec<u8> {
    let mut line = json(notice);
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
            link: None,
            at: "2026-11-20T10:00:00Z".parse().unwrap(),
        })
    }

    #[test]
    fn a_notice_is_one_line_of_json() {
        let line = with_notice("web-1.7.agent-needs-input", json_line);
        insta::assert_snapshot!(String::from_utf8(line).unwrap(), @r#"{"id":"web-1.7.agent-needs-input","session":"web-1","project":"web","status":"needs_input","priority":"urgent","escalation":false,"reaction":"agent-needs-input","title":"web-1 needs input","message":"line 1\nline 2 \u001b[31m","at":"2026-11-20T10:00:00.000Z"}"#);
    }
}
