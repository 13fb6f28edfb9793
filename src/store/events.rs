//! The event log of a session: read, folded, appended to, rotated.
//!
//! The log is the truth and `session.json` its latest fold. A line is committed once it is
//! whole, newline included, and synced.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use memchr::arch::all::memchr::One;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::adapter::failpoint;
use crate::adapter::fs::{self, Durability, FsError};
use crate::model::event::{Event, Line, RECOVERED, Snapshot};
use crate::model::patch;
use crate::model::record::{Document, MOST_EXACT};
use crate::store::StoreError;

/// The log's name.
pub const LOG: &str = "events.jsonl";
/// The name of the log before the last rotation.
pub const OLD_LOG: &str = "events.1.jsonl";
/// The size in bytes at which a log is rotated.
pub const ROTATE_AT: u64 = 1 << 20;
/// The longest log that is read. A log is rotated long before; a larger one is not ours.
const LOG_LIMIT: u64 = 64 << 20;
/// How much of the end is looked at first. Few lines are longer.
const TAIL: u64 = 4 << 10;

/// The end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The bytes up to the end of the last whole line.
    pub whole: u64,
    /// The bytes there are; more than `whole` where the last line is torn.
    pub length: u64,
    /// The last whole line's sequence number; `None` where there is no line or it is unreadable.
    pub seq: Option<u64>,
}

/// Returns the end of the log at `path`, `None` where there is no log.
pub fn tail(path: &Path) -> Result<Option<Tail>, StoreError> {
    let Some(end) = read_end(path, TAIL)? else { return Ok(None) };
    if let Some(tail) = tail_of(&end.bytes, end.length) {
        return Ok(Some(tail));
    }
    // The last line is longer than the piece that was read.
    let Some(end) = read_end(path, LOG_LIMIT)? else { return Ok(None) };
    Ok(tail_of(&end.bytes, end.length))
}

struct End {
    bytes: Vec<u8>,
    length: u64,
}

fn read_end(path: &Path, limit: u64) -> Result<Option<End>, StoreError> {
    use std::io::{Read, Seek, SeekFrom};
    let error = |source| FsError::at("read", path)(source);
    failpoint::pass_at("store.read", path).map_err(error)?;
    let Some(mut file) = super::home::open_ours(path)? else { return Ok(None) };
    let length = file.metadata().map_err(error)?.len();
    let start = length.saturating_sub(limit);
    file.seek(SeekFrom::Start(start)).map_err(error)?;
    let mut bytes = Vec::with_capacity(usize::try_from(length - start).unwrap_or(0));
    // A reader has no lock: what a writer appends or cuts off meanwhile must not be half counted.
    (&mut file).take(length - start).read_to_end(&mut bytes).map_err(error)?;
    Ok(Some(End { length: start + bytes.len() as u64, bytes }))
}

/// Returns the tail, `None` where `end` does not reach back to the start of the last whole line.
///
/// A line with a NUL in it is a piece that a power cut left unwritten: torn as well.
fn tail_of(end: &[u8], length: u64) -> Option<Tail> {
    let start = length - end.len() as u64;
    let mut rest = whole_lines(end);
    loop {
        let line_start = match rest.strip_suffix(b"\n") {
            None if start > 0 => return None,
            None => return Some(Tail { whole: 0, length, seq: None }),
            Some(body) => match body.iter().rposition(|byte| *byte == b'\n') {
                Some(newline) => newline + 1,
                None if start > 0 => return None,
                None => 0,
            },
        };
        if rest[line_start..].contains(&0) {
            rest = &rest[..line_start];
            continue;
        }
        #[derive(Deserialize)]
        struct Seq {
            seq: u64,
        }
        let seq = serde_json::from_slice(&rest[line_start..]).ok().map(|Seq { seq }| seq);
        return Some(Tail { whole: start + rest.len() as u64, length, seq });
    }
}

/// Returns whether a log that ends with `end`, `before` bytes into it, is whole and its last event
/// is `seq`; `false` as well where `end` does not reach far enough back to tell.
pub(crate) fn ends_with(end: &[u8], before: u64, seq: u64) -> bool {
    if let Some(found) = last_seq(end, before) {
        return found == seq;
    }
    let sound = |tail: Tail| tail.whole == tail.length && tail.seq == Some(seq);
    tail_of(end, before + end.len() as u64).is_some_and(sound)
}

/// Reads the number of the last line as this version writes it, without the rest of the line;
/// `None` where that is not how it looks.
fn last_seq(end: &[u8], before: u64) -> Option<u64> {
    let body = end.strip_suffix(b"}\n")?;
    // One that asks the processor first what it is able to do would spend its time on asking.
    let line = match One::new(b'\n').rfind(body) {
        Some(newline) => &body[newline + 1..],
        None if before == 0 => body,
        None => return None,
    };
    let number = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = line.strip_prefix(b"{\"schema\":")?;
    let rest = rest[number(rest)..].strip_prefix(b",\"seq\":")?;
    let (seq, rest) = rest.split_at(number(rest));
    let is_sound = rest.starts_with(b",") && One::new(0).find(line).is_none();
    is_sound.then(|| std::str::from_utf8(seq).ok()?.parse().ok())?
}

/// Returns `bytes` up to the last newline.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    &bytes[..end]
}

/// Reads the whole lines of a log; `None` where there is no log. A torn end is left out.
pub fn read_whole(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    failpoint::pass_at("store.read", path).map_err(FsError::at("read", path))?;
    let Some(mut bytes) = super::home::read_ours(path, LOG_LIMIT)? else { return Ok(None) };
    let whole = tail_of(&bytes, bytes.len() as u64).map_or(0, |tail| tail.whole);
    bytes.truncate(usize::try_from(whole).unwrap_or(0));
    Ok(Some(bytes))
}

/// The record that a log amounts to, line by line.
#[derive(Debug, Default)]
pub struct Fold {
    object: Map<String, Value>,
    /// The revision it has reached, 0 before the first line.
    pub seq: u64,
    /// The revision of the snapshot it began with, 0 without one.
    pub start: u64,
    /// How many lines were folded.
    pub lines: usize,
    /// How many bytes they are.
    pub bytes: usize,
    /// Sequence numbers that a recovery skipped: `(first, last)` of each run.
    pub lost: Vec<(u64, u64)>,
}

/// The line at which a log stops folding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Fault {
    /// Returns the error that says so of the log at `path`.
    pub fn into_error(self, path: &Path) -> StoreError {
        StoreError::Damaged { path: path.to_owned(), line: Some(self.line), why: self.why }
    }
}

impl Fold {
    /// Folds whole lines as far as they fold.
    pub fn of(lines: &[u8]) -> (Self, Option<Fault>) {
        let mut fold = Self::default();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if let Err(why) = fold.push(line) {
                let fault = Fault { line: fold.lines + 1, why };
                return (fold, Some(fault));
            }
        }
        (fold, None)
    }

    /// Returns the record.
    pub fn document(&self) -> Document {
        Document::from_map(self.object.clone())
    }

    /// Folds one line; an error leaves the fold as it was.
    fn push(&mut self, line: &[u8]) -> Result<(), String> {
        let parsed = Line::parse(line).map_err(|error| format!("it is no event: {error}"))?;
        let seq = parsed.seq();
        let (mut lost, mut start) = (None, self.start);
        let object = match parsed {
            Line::Event(event) => {
                self.check_order(&event)?;
                lost = (seq > self.seq + 1).then(|| (self.seq + 1, seq - 1));
                let mut object = self.object.clone();
                patch::apply(&mut object, &event.patch);
                object
            }
            Line::Snapshot(_) if self.lines > 0 => {
                return Err("a snapshot stands in the middle".to_owned());
            }
            Line::Snapshot(_) if seq > MOST_EXACT => {
                return Err(format!("no event has number {seq}"));
            }
            Line::Snapshot(snapshot) => {
                start = seq;
                snapshot.record
            }
        };
        let revision = object.get("revision").and_then(Value::as_u64);
        if revision != Some(seq) {
            return Err(format!("event {seq} makes revision {}", revision.unwrap_or(0)));
        }
        *self = Self {
            object,
            seq,
            start,
            lines: self.lines + 1,
            bytes: self.bytes + line.len(),
            lost: std::mem::take(&mut self.lost).into_iter().chain(lost).collect(),
        };
        Ok(())
    }

    fn check_order(&self, event: &Event) -> Result<(), String> {
        let next = self.seq + 1;
        if event.seq > MOST_EXACT {
            return Err(format!("no event has number {}", event.seq));
        }
        if event.seq == next || (event.seq > next && event.cause == RECOVERED) {
            return Ok(());
        }
        Err(format!("event {} stands where {next} was expected", event.seq))
    }
}

/// Appends `line` to the log at `path`, which is `length` bytes long, and syncs it where asked;
/// returns the length after.
///
/// On an error the log is cut back, so that the line is not there.
pub fn append(path: &Path, length: u64, line: &[u8], sync: bool) -> Result<u64, StoreError> {
    let error = |source| FsError::at("append to", path)(source);
    failpoint::pass_at("store.append", path).map_err(error)?;
    let mut log = open_log(path)?;
    if log.metadata().map_err(error)?.len() != length {
        let why = "it changed while its session was locked".to_owned();
        return Err(StoreError::Damaged { path: path.to_owned(), line: None, why });
    }
    if let Err(source) = write_line(&mut log, path, line, sync) {
        // The first error is the one to tell; a torn line is cut by the next writer as well.
        let _ = cut_open(&log, path, "store.uncut", length);
        return Err(error(source).into());
    }
    Ok(length + line.len() as u64)
}

fn write_line(log: &mut File, path: &Path, line: &[u8], sync: bool) -> std::io::Result<()> {
    failpoint::through("store.write", path, || log.write_all(line))?;
    if sync {
        failpoint::through("store.sync", path, || log.sync_data())?;
    }
    Ok(())
}

fn cut_open(log: &File, path: &Path, point: &str, length: u64) -> std::io::Result<()> {
    failpoint::through(point, path, || log.set_len(length).and_then(|()| log.sync_data()))
}

fn open_log(path: &Path) -> Result<File, StoreError> {
    fs::open_append(path).map_err(super::home::link_or_fs)
}

/// Cuts the log at `path` to `length` bytes.
pub fn cut(path: &Path, length: u64) -> Result<(), StoreError> {
    let log = open_log(path)?;
    Ok(cut_open(&log, path, "store.cut", length).map_err(FsError::at("cut", path))?)
}

/// Replaces the log in `directory` by one that begins with `document`; returns its length.
///
/// The old log is copied first, so at every moment `events.jsonl` folds to the record by itself.
pub fn rotate(directory: &Path, document: &Document) -> Result<u64, StoreError> {
    let (log, old) = (directory.join(LOG), directory.join(OLD_LOG));
    let Some(bytes) = read_whole(&log)? else { return Ok(0) };
    failpoint::pass_at("store.rotate.keep", &log).map_err(FsError::at("rotate", &log))?;
    fs::replace(&old, &bytes, Durability::PowerCut)?;
    begin(directory, document)
}

/// Replaces the log in `directory` by one that begins with `document`; returns its length.
pub fn begin(directory: &Path, document: &Document) -> Result<u64, StoreError> {
    let log = directory.join(LOG);
    let snapshot = Snapshot {
        schema: document.schema(),
        seq: document.revision(),
        record: document.as_map().clone(),
    };
    let line = Line::Snapshot(snapshot).to_bytes();
    failpoint::pass_at("store.rotate.begin", &log).map_err(FsError::at("rotate", &log))?;
    fs::replace(&log, &line, Durability::PowerCut)?;
    Ok(line.len() as u64)
}

/// Returns the events in `directory` that are still kept, oldest first.
///
/// A rotation that was cut short leaves both logs with the same lines; each is told once.
pub fn read_all(directory: &Path) -> Result<Vec<Event>, StoreError> {
    let mut events: Vec<Event> = Vec::new();
    for name in [OLD_LOG, LOG] {
        let path = directory.join(name);
        let Some(bytes) = read_whole(&path)? else { continue };
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let parsed = Line::parse(line).map_err(|error| {
                Fault { line: index + 1, why: format!("it is no event: {error}") }.into_error(&path)
            })?;
            match parsed {
                Line::Event(event) if events.last().is_none_or(|last| last.seq < event.seq) => {
                    events.push(event);
                }
                Line::Event(_) | Line::Snapshot(_) => {}
            }
        }
    }
    Ok(events)
}
