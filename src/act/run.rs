//! The command of a `run` reaction: an argument vector, no shell.
//!
//! It reads the reaction as one JSON object on standard input and finds the gist of it in `AO_*`
//! variables. It has a process group of its own, which is ended whole at its deadline.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::act::Delivery;
use crate::adapter::cmd::{self, Cmd, CmdError, Output};
use crate::model::effect::OutboxEntry;
use crate::model::id::SessionId;
use crate::model::record::Record;
use crate::model::sanitize::{self, chain};
use crate::model::status::Status;

/// The longest part of a command's last line that is repeated, in bytes.
const LAST_LINE: usize = 300;

/// A reaction whose command is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Reaction<'a> {
    /// The session.
    pub id: &'a SessionId,
    /// The entry's key in its outbox.
    pub key: &'a str,
    /// The session's record.
    pub record: &'a Record,
    /// The entry.
    pub entry: &'a OutboxEntry,
}

/// Runs the command in the session's workspace, for at most `limit`.
pub fn run(home: &Path, reaction: &Reaction<'_>, limit: Duration) -> Delivery {
    let Some((program, arguments)) = reaction.entry.command.split_first() else {
        return Delivery::Dropped("the reaction names no command".into());
    };
    let workspace = reaction.record.handles.workspace.as_ref().map(|handle| handle.path.as_path());
    let directory = workspace.filter(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let mut input = reaction.described().to_string().into_bytes();
    input.push(b'\n');
    let mut command = Cmd::new(program)
        .args(arguments)
        .cwd(directory)
        .env("AO_HOME", home)
        .stdin(input)
        .own_group()
        .deadline(limit);
    for (name, value) in reaction.variables() {
        command = command.env(name, value);
    }
    match command.output() {
        Ok(output) if output.success() => Delivery::Delivered,
        Ok(output) => {
            let (code, last) = (cmd::exit_code(output.status), last_line(&output));
            let colon = if last.is_empty() { "" } else { ": " };
            Delivery::Failed(format!("`{program}` exited {code}{colon}{last}"))
        }
        // Its arguments may hold what nobody should read.
        Err(CmdError::TimedOut { deadline, .. }) => {
            let limit = humantime::format_duration(deadline);
            Delivery::Failed(format!("`{program}` did not end within {limit}"))
        }
        Err(error) => Delivery::Failed(chain(&error)),
    }
}

/// Returns the last line that says something: programs narrate first and fail last.
fn last_line(output: &Output) -> String {
    let stdout = output.text();
    let lines = [stdout.as_str(), output.stderr.as_str()];
    let mut lines = lines.iter().rev().flat_map(|text| text.lines().rev());
    let last = lines.find(|line| !line.trim().is_empty()).unwrap_or_default();
    sanitize::inline(last.trim(), LAST_LINE)
}

impl Reaction<'_> {
    fn key_of_reaction(&self) -> &str {
        self.entry.reaction.as_deref().unwrap_or_default()
    }

    /// Returns the reaction as the command reads it; what does not apply is absent.
    fn described(&self) -> Value {
        let (record, entry) = (self.record, self.entry);
        let workspace = record.handles.workspace.as_ref();
        let mut described = json!({
            "schema": 1,
            "id": format!("{}.{}", self.id, self.key),
            "session": self.id,
            "project": record.project,
            "reaction": self.key_of_reaction(),
            "signature": entry.signature,
            "status": Status::of(&record.lifecycle),
            "title": record.title,
            "issue": record.issue,
            "workspace": workspace.map(|it| &it.path),
            "branch": workspace.and_then(|it| it.branch.as_ref()),
            "pr": record.lifecycle.pr,
            "message": entry.message,
            "at": entry.created_at,
        });
        if let Value::Object(described) = &mut described {
            described.retain(|_, value| !value.is_null());
        }
        described
    }

    /// Returns the same gist as variables; each is there, empty where it does not apply.
    fn variables(&self) -> [(&'static str, String); 7] {
        let pr = &self.record.lifecycle.pr;
        let line = |text: &Option<String>| text.as_deref().map(sanitize::line).unwrap_or_default();
        [
            ("AO_SESSION", self.id.to_string()),
            (
                "AO_PROJECT",
                self.record.project.as_ref().map(ToString::to_string).unwrap_or_default(),
            ),
            ("AO_REACTION", self.key_of_reaction().to_owned()),
            ("AO_STATUS", Status::of(&self.record.lifecycle).to_string()),
            ("AO_PR_NUMBER", pr.number.map(|number| number.to_string()).unwrap_or_default()),
            ("AO_PR_URL", line(&pr.url)),
            ("AO_PR_HEAD", line(&pr.head_sha)),
        ]
    }
}
