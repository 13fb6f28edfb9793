//! What happened, as the event logs say it: follows `ao events` and keeps what it printed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use crate::adapter::clock::Deadline;
use crate::adapter::cmd::{Cmd, CmdError};
use crate::model::event::Event;
use crate::model::sanitize;
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// One event of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The session.
    pub id: String,
    /// Its status before; absent for its first event.
    pub before: Option<Status>,
    /// The event.
    pub event: Event,
}

impl Seen {
    /// Returns the line for a person, `None` for bookkeeping that changes no status and gives no
    /// reason.
    pub fn line(&self, start: Timestamp) -> Option<String> {
        let moved = self.before != Some(self.event.status);
        let why = self.event.reason.as_deref().unwrap_or_default();
        if !moved && why.is_empty() {
            return None;
        }
        let what = match self.before {
            Some(before) if moved => format!("{before} -> {}", self.event.status),
            Some(_) => self.event.cause.clone(),
            None => self.event.status.to_string(),
        };
        let seconds = self.event.at.since(start).as_secs_f64();
        let line = format!("{seconds:>6.1}s  {:<8}  {what:<26}  {why}", self.id);
        Some(sanitize::line(line.trim_end()))
    }

    /// Returns the JSON line.
    pub fn json(&self) -> Value {
        let mut value = serde_json::json!(self.event);
        value["id"] = self.id.clone().into();
        value
    }
}

/// Every event so far, fed by a running `ao events --follow`.
pub struct Timeline {
    child: Child,
    lines: Receiver<String>,
    start: Timestamp,
    as_json: bool,
    status: BTreeMap<String, Status>,
    seen: Vec<Seen>,
}

impl Timeline {
    /// Starts `follow`, which prints one event a line; times are told from `start` on.
    pub fn follow(follow: &Cmd, start: Timestamp, as_json: bool) -> Result<Self, CmdError> {
        let mut child = follow.spawn(Stdio::null(), Stdio::piped(), Stdio::null())?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = channel();
        // Ends with the program, whose end closes the pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, lines, start, as_json, status: BTreeMap::new(), seen: Vec::new() })
    }

    /// Returns every event so far, oldest first.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Returns the status of a session, as its last event left it.
    pub fn status(&self, id: &str) -> Option<Status> {
        self.status.get(id).copied()
    }

    /// Returns the revision that the last event of a session made, 0 where there is none.
    pub fn seq(&self, id: &str) -> u64 {
        self.seen.iter().rev().find(|seen| seen.id == id).map_or(0, |seen| seen.event.seq)
    }

    /// Returns the statuses that a session went through, in their order.
    pub fn path(&self, id: &str) -> Vec<Status> {
        let own = self.seen.iter().filter(|seen| seen.id == id);
        let mut path: Vec<Status> = own.map(|seen| seen.event.status).collect();
        path.dedup();
        path
    }

    /// Prints what arrives until `done`, `stop` or the end of `patience`; whether it was `done`.
    pub fn until(
        &mut self,
        out: &mut dyn Write,
        patience: Duration,
        stop: &dyn Fn() -> bool,
        done: &dyn Fn(&Self) -> bool,
    ) -> std::io::Result<bool> {
        const GLANCE: Duration = Duration::from_millis(50);
        let deadline = Deadline::after(patience);
        loop {
            if done(self) {
                return Ok(true);
            }
            if stop() || deadline.passed() {
                return Ok(false);
            }
            match self.lines.recv_timeout(deadline.remaining().min(GLANCE)) {
                Ok(line) => self.take(out, &line)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
            }
        }
    }

    fn take(&mut self, out: &mut dyn Write, line: &str) -> std::io::Result<()> {
        let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        let value: Value = serde_json::from_slice(line.as_bytes()).map_err(invalid)?;
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        let event: Event = serde_json::from_value(value).map_err(invalid)?;
        let before = self.status.insert(id.clone(), event.status);
        let seen = Seen { id, before, event };
        if self.as_json {
            writeln!(out, "{}", seen.json())?;
        } else if let Some(line) = seen.line(self.start) {
            writeln!(out, "{line}")?;
        }
        self.seen.push(seen);
        out.flush()
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(before: Option<Status>, status: Status, reason: Option<&str>) -> Seen {
        let event = Event {
            schema: 1,
            seq: 1,
            at: "2026-01-01T00:00:01.500Z".parse().unwrap(),
            cause: "hook".to_owned(),
            rule: None,
            observation: None,
            evidence: None,
            patch: serde_json::Map::new(),
            status,
            reason: reason.map(str::to_owned),
        };
        Seen { id: "app-1".to_owned(), before, event }
    }

    #[test]
    fn a_line_says_when_who_what_and_why() {
        let line = |before, status, reason| {
            let line = seen(before, status, reason).line("2026-01-01T00:00:00Z".parse().unwrap());
            line.unwrap_or_else(|| "(none)".to_owned())
        };
        let lines = [
            line(None, Status::Spawning, None),
            line(Some(Status::Spawning), Status::Working, Some("it is at work")),
            line(Some(Status::Working), Status::Working, Some("delivered 3.x")),
            line(Some(Status::Working), Status::Working, None),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
           1.5s  app-1     spawning
           1.5s  app-1     spawning -> working         it is at work
           1.5s  app-1     hook                        delivered 3.x
        (none)
        ");
    }
}
