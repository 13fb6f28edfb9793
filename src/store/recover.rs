//! What the files of a session amount to, and how a writer makes them agree again.
//!
//! Working it out reads only, so a reader sees what a writer would leave. Each repair can be done
//! again after a crash.
//!
//! A record that is ahead of its log (a power cut took unsynced heartbeats, or somebody removed
//! the log) is brought back into it by one event of cause `recovered`, which carries the
//! difference and may skip the sequence numbers that were lost.

use std::path::{Path, PathBuf};

use crate::adapter::failpoint;
use crate::adapter::fs::{self, Durability, FsError};
use crate::model::event::{Event, Line, RECOVERED};
use crate::model::id::SessionId;
use crate::model::patch;
use crate::model::record::{Document, MOST_EXACT, Record, SCHEMA};
use crate::model::sanitize::chain;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::store::events::{self, Fault, Fold, LOG};
use crate::store::home;
use crate::store::{Loaded, StoreError};

/// The record's file name.
pub const RECORD: &str = "session.json";

/// The longest record that is read, in bytes.
const RECORD_LIMIT: u64 = 16 << 20;

/// The state of a session's files, and what a writer would do about it.
pub(crate) struct State {
    /// The record.
    pub(crate) document: Document,
    /// Its typed view.
    pub(crate) record: Record,
    /// The bytes of whole lines in the log.
    pub(crate) log: u64,
    /// What a writer does first, in this order.
    pub(crate) fixes: Vec<Fix>,
    /// Why no writer may touch it, where that is so.
    pub(crate) obstacle: Option<StoreError>,
    /// What was found, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// A step that makes the files agree. Each can be done again after a crash.
#[derive(Debug)]
pub(crate) enum Fix {
    /// Cut the log to this length; keep what is cut where it held whole lines.
    Cut { length: u64, keep: bool },
    /// Append this event, because the record is ahead.
    Append(Box<Event>),
    /// Write the record that the log folds to, keeping an unreadable one.
    Rewrite { keep: bool },
}

impl State {
    fn sound(document: Document, record: Record) -> Self {
        Self { document, record, log: 0, fixes: Vec::new(), obstacle: None, notes: Vec::new() }
    }

    /// Returns what a reader is told.
    pub(crate) fn into_loaded(self, archived: bool) -> Loaded {
        let mut notes = self.notes;
        notes.extend(self.obstacle.map(|obstacle| chain(&obstacle)));
        Loaded { document: self.document, record: self.record, archived, notes }
    }
}

impl Fix {
    /// Does it, and keeps `log` at the log's length.
    pub(crate) fn apply(
        &self,
        directory: &Path,
        document: &Document,
        log: &mut u64,
        sync: bool,
    ) -> Result<(), StoreError> {
        let path = directory.join(LOG);
        match self {
            Self::Cut { length, keep } => {
                if *keep {
                    keep_rest(directory, *length)?;
                }
                events::cut(&path, *length)?;
                *log = *length;
            }
            Self::Append(event) => {
                let line = Line::Event((**event).clone()).to_bytes();
                *log = events::append(&path, *log, &line, sync)?;
                fs::sync_directory(directory)?;
            }
            Self::Rewrite { keep } => {
                if *keep {
                    let kept = free_name(directory, &format!("{RECORD}.bad-"))?;
                    fs::rename(&directory.join(RECORD), &kept)?;
                }
                write_record(directory, document, Durability::Process)?;
            }
        }
        Ok(())
    }
}

/// Copies what follows `length` bytes of the log to `events.jsonl.rest-<n>`.
pub(crate) fn keep_rest(directory: &Path, length: u64) -> Result<PathBuf, StoreError> {
    let path = directory.join(LOG);
    let bytes = home::read_ours(&path, u64::MAX)?.unwrap_or_default();
    let rest = usize::try_from(length).ok().and_then(|length| bytes.get(length..)).unwrap_or(&[]);
    let kept = free_name(directory, &format!("{LOG}.rest-"))?;
    fs::create_new(&kept, rest, 0o600, Durability::PowerCut)?;
    Ok(kept)
}

/// Returns the first of `<prefix>1`, `<prefix>2`, … that is free.
pub(crate) fn free_name(directory: &Path, prefix: &str) -> Result<PathBuf, StoreError> {
    let mut number = 1_u64;
    loop {
        let path = directory.join(format!("{prefix}{number}"));
        if fs::metadata(&path)?.is_none() {
            return Ok(path);
        }
        number += 1;
    }
}

/// What `session.json` is.
pub(crate) enum Stored {
    /// It is not there.
    Missing,
    /// It is not the record of the session: why.
    Bad(String),
    /// It can be read.
    Good { bytes: Vec<u8>, document: Document, record: Box<Record> },
}

/// Reads `session.json` alone.
pub(crate) fn read_record(directory: &Path, id: &SessionId) -> Result<Stored, StoreError> {
    let path = directory.join(RECORD);
    failpoint::pass_at("store.read", &path).map_err(FsError::at("read", &path))?;
    let bytes = match home::read_ours(&path, RECORD_LIMIT) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Stored::Missing),
        Err(StoreError::Damaged { why, .. }) => return Ok(Stored::Bad(why)),
        Err(error) => return Err(error),
    };
    let document = match serde_json::from_slice(&bytes) {
        Ok(object) => Document::from_map(object),
        Err(error) => return Ok(Stored::Bad(error.to_string())),
    };
    match view(&document, id) {
        Ok(record) => Ok(Stored::Good { bytes, document, record: Box::new(record) }),
        Err(NoView::Bad(why)) => Ok(Stored::Bad(why)),
        Err(NoView::Newer(schema)) => Err(StoreError::NewerRecord { id: id.clone(), schema }),
    }
}

/// Why a document has no typed view.
enum NoView {
    /// A newer version wrote it.
    Newer(u64),
    /// It is not the record it should be.
    Bad(String),
}

/// Returns the typed view of the record of `id`.
fn view(document: &Document, id: &SessionId) -> Result<Record, NoView> {
    let record = match document.view() {
        Ok(record) => record,
        Err(_) if document.schema() > SCHEMA => return Err(NoView::Newer(document.schema())),
        Err(error) => return Err(NoView::Bad(chain(&error))),
    };
    match &record.id {
        Some(_) if record.revision == 0 => Err(NoView::Bad("it has no revision".to_owned())),
        Some(_) if record.revision > MOST_EXACT => {
            Err(NoView::Bad(format!("no record has revision {}", record.revision)))
        }
        Some(found) if found == id => Ok(record),
        Some(found) => Err(NoView::Bad(format!("it is the record of `{found}`"))),
        None => Err(NoView::Bad("it does not say whose record it is".to_owned())),
    }
}

/// Reads record and log, and works out what they amount to; writes nothing.
pub(crate) fn assess(directory: &Path, id: &SessionId) -> Result<State, StoreError> {
    home::check_directory(directory)?;
    let stored = read_record(directory, id)?;
    let log = directory.join(LOG);
    let tail = events::tail(&log)?;
    let damaged = |why| Err(StoreError::Damaged { path: directory.join(RECORD), line: None, why });
    let mut state = match (stored, tail) {
        (Stored::Good { document, record, .. }, tail) => {
            let last =
                tail.map_or(Some(0), |tail| if tail.whole == 0 { Some(0) } else { tail.seq });
            beside_log(directory, id, document, *record, last)?
        }
        (Stored::Missing, None) => return damaged("it is missing, and so is its log".to_owned()),
        (Stored::Bad(why), None) => return damaged(why),
        (Stored::Missing, Some(_)) => from_log(directory, id, "is missing", false)?,
        (Stored::Bad(why), Some(_)) => {
            from_log(directory, id, &format!("is damaged ({why})"), true)?
        }
    };
    if let Some(tail) = tail {
        state.log = tail.whole;
        if tail.whole < tail.length {
            let keep = has_newline_after(&log, tail.whole)?;
            state.fixes.insert(0, Fix::Cut { length: tail.whole, keep });
            state.notes.push(format!(
                "{}: its torn last line ({} bytes) is ignored",
                log.display(),
                tail.length - tail.whole
            ));
        }
    }
    Ok(state)
}

fn has_newline_after(log: &Path, whole: u64) -> Result<bool, StoreError> {
    let bytes = home::read_ours(log, u64::MAX)?.unwrap_or_default();
    let start = usize::try_from(whole).unwrap_or(usize::MAX);
    Ok(bytes.get(start..).is_some_and(|rest| rest.contains(&b'\n')))
}

/// Compares a readable record with the last event of its log, `None` where that is unreadable.
fn beside_log(
    directory: &Path,
    id: &SessionId,
    document: Document,
    record: Record,
    last: Option<u64>,
) -> Result<State, StoreError> {
    let revision = document.revision();
    let log = directory.join(LOG);
    match last {
        Some(last) if last == revision => Ok(State::sound(document, record)),
        Some(last) if last > revision => from_log(
            directory,
            id,
            &format!("is at revision {revision}, behind event {last} of its log"),
            false,
        ),
        Some(_) | None => {
            let (fold, fault) = Fold::of(&events::read_whole(&log)?.unwrap_or_default());
            let mut state = State::sound(document, record);
            if let Some(fault) = fault {
                state.obstacle = Some(fault.into_error(&log));
            } else if fold.seq > revision {
                // Another writer was quicker than these two reads.
                return from_log(directory, id, "is behind its log", false);
            } else if fold.seq < revision {
                state.notes.push(format!(
                    "{}: it ends at event {}, behind revision {revision} of the record",
                    log.display(),
                    fold.seq
                ));
                let event = recovery(&fold, &state.document, &state.record);
                state.fixes.push(Fix::Append(Box::new(event)));
            }
            Ok(state)
        }
    }
}

/// Returns the event that brings a log to a record that is ahead of it.
fn recovery(fold: &Fold, document: &Document, record: &Record) -> Event {
    Event {
        schema: document.schema().max(1),
        seq: document.revision(),
        at: record.updated_at.unwrap_or(Timestamp::from_millis(0)),
        cause: RECOVERED.to_owned(),
        rule: None,
        observation: None,
        evidence: None,
        patch: patch::difference(fold.document().as_map(), document.as_map()),
        status: Status::of(&record.lifecycle),
        reason: Some(format!("the record was ahead of its log, which ended at {}", fold.seq)),
    }
}

/// Returns the state that the log alone makes; `why` says what is wrong with the record.
fn from_log(directory: &Path, id: &SessionId, why: &str, keep: bool) -> Result<State, StoreError> {
    let log = directory.join(LOG);
    let (fold, fault) = Fold::of(&events::read_whole(&log)?.unwrap_or_default());
    if let Some(fault) = fault {
        let why = format!("{}, and the record {why}", fault.why);
        return Err(Fault { why, ..fault }.into_error(&log));
    }
    if fold.lines == 0 {
        let why = format!("the record {why}, and its log is empty");
        return Err(StoreError::Damaged { path: directory.join(RECORD), line: None, why });
    }
    let document = fold.document();
    let record = view(&document, id).map_err(|fault| match fault {
        NoView::Newer(schema) => StoreError::NewerRecord { id: id.clone(), schema },
        NoView::Bad(why) => Fault { line: fold.lines, why }.into_error(&log),
    })?;
    let note = format!("{} {why}; its log says what it was", directory.join(RECORD).display());
    let mut state = State::sound(document, record);
    state.fixes.push(Fix::Rewrite { keep });
    state.notes.push(note);
    Ok(state)
}

/// Replaces `session.json`.
pub(crate) fn write_record(
    directory: &Path,
    document: &Document,
    durability: Durability,
) -> Result<(), StoreError> {
    let path = directory.join(RECORD);
    failpoint::pass_at("store.record", &path).map_err(FsError::at("write", &path))?;
    if fs::metadata(&path)?.is_some_and(|found| found.is_symlink()) {
        return Err(StoreError::Symlink { path });
    }
    Ok(fs::replace(&path, &document.to_bytes(), durability)?)
}
