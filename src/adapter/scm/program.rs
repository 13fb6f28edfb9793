//! A program of the user's that is asked one JSON question on standard input and answers with one
//! JSON document: how it is run, and what of its failures may be repeated.
//!
//! Its arguments may be secrets, and programs repeat them when they fail.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapter::cmd::{Cmd, CmdError, Output, exit_code};
use crate::adapter::scm::ForgeError;
use crate::model::sanitize;
use crate::model::secret::redacted;

/// The longest answer that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// The most of the program's own words that is repeated, in characters.
const MAX_WORDS: usize = 300;

/// The program, and how it is run.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// What it is for, in messages, before its name; mostly nothing.
    pub(super) role: &'static str,
    /// Its argument vector.
    pub(super) command: Vec<String>,
    /// The repository that it is asked about, in which it runs.
    pub(super) repository: PathBuf,
    /// How long it may take.
    pub(super) deadline: Duration,
    /// Whether it is ended where this process is.
    pub(super) dies_along: bool,
}

impl Program {
    /// Asks for `op`, with what else there is in `question`, and returns what was answered.
    pub(super) fn ask(&self, op: &str, question: Value) -> Result<Vec<u8>, ForgeError> {
        let repository = self.repository.to_string_lossy();
        let mut asked = json!({ "schema": 1, "op": op, "repository": repository });
        if let (Value::Object(asked), Value::Object(question)) = (&mut asked, question) {
            asked.extend(question);
        }
        let (program, arguments) = match self.command.split_first() {
            Some((program, arguments)) => (program.as_str(), arguments),
            None => ("", &[] as &[String]),
        };
        let command = Cmd::new(program)
            .args(arguments)
            .cwd(&self.repository)
            .stdin(asked.to_string())
            .deadline(self.deadline)
            .own_group();
        let command = if self.dies_along { command.die_with_parent() } else { command };
        let output = command.output_within(LIMIT).map_err(|error| self.without_arguments(error))?;
        // Looked at first: a program that is still writing then fails for want of a reader.
        if output.stdout.len() as u64 > LIMIT {
            return Err(self.unreadable(&format!("it is longer than {LIMIT} bytes")));
        }
        if !output.success() {
            let (forge, why) = (self.name(), self.blame(&output));
            return Err(ForgeError::Failed { forge, why });
        }
        Ok(output.stdout)
    }

    /// Returns the error of an answer that makes no sense.
    pub(super) fn unreadable(&self, why: &str) -> ForgeError {
        ForgeError::Unreadable { forge: self.name(), why: shortened(why) }
    }

    /// Returns its name, without its arguments, which may hold a secret.
    pub(super) fn name(&self) -> String {
        format!("{}`{}`", self.role, self.command.first().map_or("", String::as_str))
    }

    /// Returns how the program failed, in its last words.
    fn blame(&self, output: &Output) -> String {
        let code = exit_code(output.status);
        let parts = self.command.iter().skip(1).flat_map(|argument| {
            let value = argument.split_once('=').map(|(_, value)| value);
            [Some(argument.as_str()), value]
        });
        let words = shortened(&redacted(output.last_error(), parts.flatten()));
        if words.is_empty() {
            return format!("exit code {code}");
        }
        format!("exit code {code}: {words}")
    }

    /// Returns the same failure, its command line being the program alone.
    fn without_arguments(&self, error: CmdError) -> ForgeError {
        ForgeError::Cmd(match error {
            CmdError::TimedOut { deadline, .. } => {
                let command = self.command.first().cloned().unwrap_or_default();
                CmdError::TimedOut { command, deadline }
            }
            CmdError::Missing { .. }
            | CmdError::Spawn { .. }
            | CmdError::Io { .. }
            | CmdError::Failed { .. } => error,
        })
    }
}

/// Returns words of the program's as they may stand in a message.
pub(super) fn shortened(words: &str) -> String {
    sanitize::line(words.trim()).chars().take(MAX_WORDS).collect()
}
