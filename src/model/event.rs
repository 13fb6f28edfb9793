//! The lines of `events.jsonl`: one event per revision, and the snapshot a rotated log begins with.
//!
//! Pure data; how lines are folded, appended and repaired is the store's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::record::SCHEMA;
use crate::status::Status;
use crate::time::Timestamp;

/// The cause of an event that the store wrote itself, because a record was ahead of its log.
///
/// Only such an event may skip sequence numbers: those before it are lost.
pub const RECOVERED: &str = "recovered";

/// One committed change of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The schema it was written in.
    #[serde(default = "current_schema")]
    pub schema: u64,
    /// The revision that the change made.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// What led to it: a command, a hook, a reap.
    pub cause: String,
    /// The rule that decided, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The facts it was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<Value>,
    /// The evidence in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The merge patch (RFC 7396) on the record.
    pub patch: Map<String, Value>,
    /// The display status after it.
    pub status: Status,
    /// Why, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The whole record as it was at `seq`: the first line of a rotated log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The schema it was written in.
    #[serde(default = "current_schema")]
    pub schema: u64,
    /// The revision of `record`.
    pub seq: u64,
    /// The record.
    pub record: Map<String, Value>,
}

fn current_schema() -> u64 {
    SCHEMA
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A change.
    Event(Event),
    /// A whole record.
    Snapshot(Snapshot),
}

impl Line {
    /// Reads one line, with or without its newline; what has a `record` is a snapshot.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        let value: Value = serde_json::from_slice(line)?;
        if value.get("record").is_some() {
            serde_json::from_value(value).map(Self::Snapshot)
        } else {
            serde_json::from_value(value).map(Self::Event)
        }
    }

    /// Returns the revision it ends at.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Event(event) => event.seq,
            Self::Snapshot(snapshot) => snapshot.seq,
        }
    }

    /// Returns the bytes of the line, the newline included.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = match self {
            Self::Event(event) => serde_json::to_vec(event),
            Self::Snapshot(snapshot) => serde_json::to_vec(snapshot),
        };
        let mut bytes = bytes.expect("JSON values always serialise into memory");
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_as_it_is_read() {
        let event = r#"{"schema":1,"seq":2,"at":"2026-11-20T10:00:00.000Z","cause":"reap","patch":{"title":null,"x":1e+400},"status":"working"}"#;
        let snapshot = r#"{"schema":1,"seq":7,"record":{"revision":7}}"#;
        for text in [event, snapshot] {
            let line = Line::parse(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(line.to_bytes()).unwrap(), format!("{text}\n"));
        }
        assert_eq!(Line::parse(snapshot.as_bytes()).unwrap().seq(), 7);
        for bad in ["", "{}", "[]", r#"{"seq":1}"#, r#"{"seq":1,"record":2}"#] {
            assert!(Line::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
