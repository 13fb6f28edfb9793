//! Answers: JSON documents, tables, plain lines.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::adapter::clock;
use crate::model::answer::PlanStep;
use crate::model::collect::Sorted;
use crate::model::record::Document;
use crate::model::sanitize;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::store::Loaded;

/// The version of every JSON answer's shape.
pub const SCHEMA: u64 = 1;

/// Writes one JSON document and a newline.
pub fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{}", escaped(serde_json::to_string(value)?))
}

/// Returns a JSON document in which nothing steers a terminal or hides in it: such characters stand
/// in texts alone, and are escaped there, so that a program reads what was meant.
pub fn escaped(json: String) -> String {
    // A plain text has the first two as the line ends that they are.
    let steers = |c: char| matches!(c, '\u{2028}' | '\u{2029}') || sanitize::is_dropped(c);
    if json.is_ascii() && !json.contains('\u{7f}') || !json.contains(steers) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if steers(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units)
                .iter()
                .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes `{"schema":1,"<key>":value}`.
pub fn json_answer(out: &mut dyn Write, key: &str, value: impl Serialize) -> io::Result<()> {
    json(out, &json!({ "schema": SCHEMA, key: value }))
}

/// Returns the session as answers show it: the record and its derived status.
pub fn session_value(document: &Document, status: Status) -> Value {
    let mut value = serde_json::to_value(document.ordered()).expect("a record is JSON");
    if let Value::Object(object) = &mut value {
        object.insert("status".to_owned(), Value::String(status.to_string()));
    }
    value
}

/// Returns the session of a record.
pub fn session_of(loaded: &Loaded) -> Value {
    let mut value = session_value(&loaded.document, Status::of(&loaded.record.lifecycle));
    mark_archived(&mut value, loaded.archived);
    value
}

/// Adds to a session that it is archived.
pub fn mark_archived(value: &mut Value, is_archived: bool) {
    if is_archived {
        value["archived"] = Value::Bool(true);
    }
}

/// Writes a plan: what would be done, and why.
pub fn plan(
    out: &mut dyn Write,
    as_json: bool,
    steps: &[impl Clone + Into<PlanStep>],
) -> io::Result<()> {
    let steps: Vec<PlanStep> = steps.iter().cloned().map(Into::into).collect();
    if as_json {
        return json_answer(out, "plan", steps);
    }
    for PlanStep { op, why, .. } in &steps {
        writeln!(out, "would {}: {}", sanitize::line(op), sanitize::line(why))?;
    }
    if steps.is_empty() {
        writeln!(out, "nothing to do")?;
    }
    Ok(())
}

/// A table of text, columns as wide as their widest cell.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table with a heading row.
    pub fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// Adds a row; cells are sanitised.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| crate::model::sanitize::line(&cell)).collect());
    }

    /// Returns whether it has a heading only.
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// Writes it, two spaces between columns, nothing after the last.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let padding = width - cell.chars().count();
                line.push_str(cell);
                line.push_str(&" ".repeat(padding + 2));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Returns an object of the pairs whose value is not null.
pub fn object(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .into_object()
}

/// Returns how long ago something was, as a person says it: `12s`, `5m`, `3h`, `2d`.
pub fn age(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns how a session that waits for the end of a usage limit is shown, seen at `now`:
/// `usage limit until 15:00 (in 2h)`, in local time.
pub fn limit_until(until: Timestamp, now: Timestamp) -> String {
    let ((then, _), (today, _)) = (clock::local(until), clock::local(now));
    let day = if then.date() == today.date() { "%H:%M" } else { "%a %-d %b %H:%M" };
    let distance = if until > now {
        format!("in {}", age(until.since(now)))
    } else {
        format!("{} ago", age(now.since(until)))
    };
    format!("usage limit until {} ({distance})", then.strftime(day))
}

/// Writes `{"schema":1,"sessions":[…]}`, with `"failed"` where something did.
pub fn sessions(out: &mut dyn Write, sessions: Vec<Value>, failed: Vec<Value>) -> io::Result<()> {
    let mut answer = json!({ "schema": SCHEMA, "sessions": sessions });
    if !failed.is_empty() {
        answer["failed"] = Value::Array(failed);
    }
    json(out, &answer)
}

/// Writes one session: as JSON, or `text` on a line.
pub fn session(out: &mut dyn Write, as_json: bool, loaded: &Loaded, text: &str) -> io::Result<()> {
    if as_json { json_answer(out, "session", session_of(loaded)) } else { writeln!(out, "{text}") }
}
