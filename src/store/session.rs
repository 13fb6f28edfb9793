//! One session's record: loaded without a lock, changed under one.
//!
//! Invariants:
//!
//! * The record is the fold of its log, byte for byte, after every commit.
//! * A reader never writes, whatever it finds.
//! * What cannot be told is an error that names the file; nothing is guessed or emptied.
//!
//! A record that is ahead of its log (a power cut took unsynced heartbeats, or somebody removed
//! the log) is brought back into it by one event of cause `recovered`, which carries the
//! difference and may skip the sequence numbers that were lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::{clock, failpoint, ids};
use crate::model::event::{Event, Line, RECOVERED};
use crate::model::id::SessionId;
use crate::model::patch;
use crate::model::record::{Document, Record, SCHEMA};
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::events::{self, Fault, Fold, LOG, OLD_LOG};
use crate::store::home::{self, Home};
use crate::store::lock::{self, Lock, LockError};

/// The record's file name.
pub const RECORD: &str = "session.json";

/// The longest record that is read, in bytes.
const RECORD_LIMIT: u64 = 16 << 20;

/// A record as a reader sees it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The record as stored, unknown keys included.
    pub document: Document,
    /// Its typed view.
    pub record: Record,
    /// Whether the session is archived.
    pub archived: bool,
    /// What was found wrong and made good in memory, one sentence each.
    pub notes: Vec<String>,
}

/// A change to be committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The merge patch on the record; empty for nothing to do.
    pub patch: Map<String, Value>,
    /// What led to it.
    pub cause: String,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The facts it was decided on.
    pub observation: Option<Value>,
    /// The evidence in words.
    pub evidence: Option<String>,
    /// Why, for a person.
    pub reason: Option<String>,
    /// Whether a power cut may lose it, so that it is not synced.
    pub heartbeat: bool,
    /// When it was decided.
    pub at: Timestamp,
}

impl Change {
    /// Returns an empty change.
    pub fn new(cause: &str, at: Timestamp) -> Self {
        Self {
            patch: Map::new(),
            cause: cause.to_owned(),
            rule: None,
            observation: None,
            evidence: None,
            reason: None,
            heartbeat: false,
            at,
        }
    }

    /// Returns the change with `patch`.
    #[must_use]
    pub fn with_patch(self, patch: Map<String, Value>) -> Self {
        Self { patch, ..self }
    }
}

/// What a commit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The revision there is after it.
    pub revision: u64,
    /// Whether anything was written.
    pub changed: bool,
}

/// What a check of a session's files found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// One sentence for each thing that is wrong; empty where all is well.
    pub findings: Vec<String>,
}

impl Verification {
    /// Returns whether all is well.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// The state of a session's files, and what a writer would do about it.
struct State {
    document: Document,
    record: Record,
    /// The bytes of whole lines in the log.
    log: u64,
    fixes: Vec<Fix>,
    /// Why no writer may touch it, where that is so.
    obstacle: Option<StoreError>,
    notes: Vec<String>,
}

/// A step that makes the files agree. Each can be done again after a crash.
#[derive(Debug)]
enum Fix {
    /// Cut the log to this length; keep what is cut where it held whole lines.
    Cut { length: u64, keep: bool },
    /// Append this event, because the record is ahead.
    Append(Box<Event>),
    /// Write the record that the log folds to, keeping an unreadable one.
    Rewrite { keep: bool },
}

impl Home {
    /// Loads a session without a lock: live, else archived.
    ///
    /// What a writer would redo or rebuild is done in memory and told in `notes`.
    pub fn load(&self, id: &SessionId) -> Result<Loaded, StoreError> {
        // A session may move to the archive, or back, between two looks.
        for _ in 0..3 {
            for (directory, archived) in
                [(self.session_dir(id), false), (self.archive_dir(id), true)]
            {
                if fs::metadata(&directory)?.is_none() {
                    continue;
                }
                let result = assess(&directory, id);
                if fs::metadata(&directory)?.is_some() {
                    return result.map(|state| state.into_loaded(archived));
                }
            }
        }
        Err(StoreError::NotFound { id: id.clone() })
    }

    /// Locks a session and puts its files right: redoes what the log is ahead by, cuts a torn
    /// line, rebuilds an unreadable record (kept as `session.json.bad-<n>`).
    pub fn lock_session(
        &self,
        id: &SessionId,
        timeout: Duration,
    ) -> Result<LockedSession, StoreError> {
        let directory = self.session_dir(id);
        match fs::metadata(&directory)? {
            Some(_) => home::check_directory(&directory)?,
            None => return Err(self.absent(id)),
        }
        match lock::acquire(&directory.join("lock"), timeout) {
            Ok(lock) => self.recover(id, directory, lock),
            Err(LockError::Gone { .. }) => Err(self.absent(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a session with `record` as revision 1, all of it or nothing, and returns it
    /// locked. Its id may not exist, live or archived.
    pub fn create_session(
        &self,
        record: &Record,
        cause: &str,
        now: Timestamp,
    ) -> Result<LockedSession, StoreError> {
        let id = record.id.clone().expect("a record to be stored has an id");
        if self.exists(&id)? {
            return Err(StoreError::Exists { id });
        }
        let sessions = self.root().join("sessions");
        home::sweep(&sessions, now);
        // Made aside and renamed, so that nobody sees a session without its record.
        let aside = sessions.join(format!("{}{}", fs::TEMPORARY_PREFIX, ids::hex(8)));
        fs::create_private_directories(&aside)?;
        let made = self.make_session(&aside, &id, record, cause, now);
        if made.is_err() {
            let _ = fs::remove_tree(&aside);
        }
        made
    }

    fn make_session(
        &self,
        aside: &Path,
        id: &SessionId,
        record: &Record,
        cause: &str,
        now: Timestamp,
    ) -> Result<LockedSession, StoreError> {
        let lock = lock::acquire(&aside.join("lock"), Duration::ZERO)?;
        let first = Record {
            schema: SCHEMA,
            revision: 1,
            created_at: Some(now),
            updated_at: Some(now),
            ..record.clone()
        };
        let document = first.to_document();
        let change = Change::new(cause, now).with_patch(document.as_map().clone());
        let line = event_line(id, change, &document, &first)?;
        let log = events::append(&aside.join(LOG), 0, &line, self.is_synced())?;
        write_record(aside, &document, self.durability())?;
        if self.is_synced() {
            fs::sync_directory(aside)?;
        }
        let directory = self.session_dir(id);
        // Fails where another session of that name has a file in it.
        failpoint::pass("store.create").map_err(FsError::at("create", &directory))?;
        if let Err(error) = fs::rename(aside, &directory) {
            let taken = fs::metadata(&directory)?.is_some();
            return Err(if taken { StoreError::Exists { id: id.clone() } } else { error.into() });
        }
        if self.is_synced() {
            fs::sync_directory(&self.root().join("sessions"))?;
        }
        if fs::metadata(&self.archive_dir(id))?.is_some() {
            fs::remove_tree(&directory)?;
            return Err(StoreError::Exists { id: id.clone() });
        }
        Ok(LockedSession {
            home: self.clone(),
            id: id.clone(),
            directory,
            _lock: lock,
            document,
            record: first,
            log,
            newer: false,
            notes: Vec::new(),
        })
    }

    /// Returns the events of a session that are kept, oldest first.
    pub fn events(&self, id: &SessionId) -> Result<Vec<Event>, StoreError> {
        events::read_all(&self.existing_dir(id)?)
    }

    /// Checks that the log folds to the stored record, without gaps; changes nothing.
    pub fn verify(&self, id: &SessionId) -> Result<Verification, StoreError> {
        let directory = self.existing_dir(id)?;
        let mut findings = Vec::new();
        let old = fold_log(&directory.join(OLD_LOG), &mut findings)?;
        let log = directory.join(LOG);
        let fold = fold_log(&log, &mut findings)?;
        if let Some(tail) = events::tail(&log)?.filter(|tail| tail.whole < tail.length) {
            findings.push(format!("{LOG}: {} bytes of a torn line", tail.length - tail.whole));
        }
        let Some(fold) = fold else {
            findings.push(format!("{LOG}: it is missing"));
            return Ok(Verification { findings });
        };
        if let Some(old) = old.filter(|old| old.seq < fold.start) {
            findings.push(format!("{OLD_LOG}: it ends at event {}, before {LOG} begins", old.seq));
        }
        match read_record(&directory, id)? {
            Stored::Missing => findings.push(format!("{RECORD}: it is missing")),
            Stored::Bad(why) => findings.push(format!("{RECORD}: {why}")),
            Stored::Good { bytes, document, .. } => {
                if document.revision() != fold.seq {
                    findings.push(format!(
                        "{RECORD}: revision {}, but the log ends at event {}",
                        document.revision(),
                        fold.seq
                    ));
                } else if bytes != fold.document().to_bytes() {
                    findings.push(format!("{RECORD}: it is not what the log folds to"));
                }
            }
        }
        Ok(Verification { findings })
    }

    /// Returns where a session's files are, live or archived.
    pub fn existing_dir(&self, id: &SessionId) -> Result<PathBuf, StoreError> {
        for directory in [self.session_dir(id), self.archive_dir(id), self.session_dir(id)] {
            if fs::metadata(&directory)?.is_some() {
                return Ok(directory);
            }
        }
        Err(StoreError::NotFound { id: id.clone() })
    }

    /// Returns whether `session.json` can be read by itself.
    pub(crate) fn has_readable_record(&self, id: &SessionId) -> Result<bool, StoreError> {
        Ok(matches!(read_record(&self.session_dir(id), id)?, Stored::Good { .. }))
    }

    fn exists(&self, id: &SessionId) -> Result<bool, StoreError> {
        // An empty directory is what somebody made by hand; creation replaces it.
        let live = !fs::names(&self.session_dir(id))?.is_empty()
            || fs::metadata(&self.session_dir(id))?.is_some_and(|found| !found.is_dir());
        Ok(live || fs::metadata(&self.archive_dir(id))?.is_some())
    }

    fn absent(&self, id: &SessionId) -> StoreError {
        match fs::metadata(&self.archive_dir(id)) {
            Ok(Some(_)) => StoreError::Archived { id: id.clone() },
            Ok(None) => StoreError::NotFound { id: id.clone() },
            Err(error) => error.into(),
        }
    }

    fn durability(&self) -> Durability {
        if self.is_synced() { Durability::PowerCut } else { Durability::Process }
    }

    fn recover(
        &self,
        id: &SessionId,
        directory: PathBuf,
        lock: Lock,
    ) -> Result<LockedSession, StoreError> {
        home::sweep(&directory, clock::now());
        let mut state = assess(&directory, id)?;
        if let Some(obstacle) = state.obstacle {
            return Err(obstacle);
        }
        let newer = state.document.schema() > SCHEMA;
        if !newer {
            for fix in &state.fixes {
                fix.apply(&directory, &state.document, &mut state.log, self.is_synced())?;
            }
        }
        Ok(LockedSession {
            home: self.clone(),
            id: id.clone(),
            directory,
            _lock: lock,
            document: state.document,
            record: state.record,
            log: state.log,
            newer,
            notes: state.notes,
        })
    }
}

/// A session that nobody else can change while this value lives.
#[derive(Debug)]
pub struct LockedSession {
    home: Home,
    id: SessionId,
    directory: PathBuf,
    _lock: Lock,
    document: Document,
    record: Record,
    log: u64,
    /// A newer version's record: readable only.
    newer: bool,
    notes: Vec<String>,
}

impl LockedSession {
    /// Returns the session's id.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Returns the record's typed view.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Returns the record as stored.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Returns the session's directory.
    pub fn dir(&self) -> &Path {
        &self.directory
    }

    /// Returns what was put right, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Checks that the record is still at the revision the caller decided on.
    pub fn require_revision(&self, expected: u64) -> Result<(), StoreError> {
        let found = self.document.revision();
        if found == expected { Ok(()) } else { Err(StoreError::Conflict { expected, found }) }
    }

    /// Commits `change`: appends and syncs its event, then replaces the record. A change that
    /// changes nothing writes nothing.
    ///
    /// Once the event is in the log the change is made, even where the record cannot be
    /// replaced; that is told in [`Self::notes`], and the next writer redoes it.
    pub fn commit(&mut self, change: Change) -> Result<Commit, StoreError> {
        let revision = self.document.revision();
        if self.document.patched(&change.patch) == self.document {
            return Ok(Commit { revision, changed: false });
        }
        if self.newer {
            let schema = self.document.schema();
            return Err(StoreError::NewerRecord { id: self.id.clone(), schema });
        }
        let change = self.stamped(change);
        let document = self.document.patched(&change.patch);
        let record = self.view_of(&document)?;
        let sync = self.home.is_synced() && !change.heartbeat;
        let line = event_line(&self.id, change, &document, &record)?;
        self.log = events::append(&self.directory.join(LOG), self.log, &line, sync)?;
        self.document = document;
        self.record = record;
        self.store_record();
        Ok(Commit { revision: revision + 1, changed: true })
    }

    /// Moves the session to the archive, and lets go of it.
    pub fn archive(self) -> Result<(), StoreError> {
        self.move_to(&self.home.archive_dir(&self.id))
    }

    fn move_to(&self, to: &Path) -> Result<(), StoreError> {
        failpoint::pass("store.archive").map_err(FsError::at("archive", &self.directory))?;
        if fs::metadata(to)?.is_some() {
            return Err(StoreError::Exists { id: self.id.clone() });
        }
        fs::rename(&self.directory, to)?;
        failpoint::pass("store.archived").map_err(FsError::at("archive", &self.directory))?;
        for parent in [to.parent(), self.directory.parent()].into_iter().flatten() {
            fs::sync_directory(parent)?;
        }
        Ok(())
    }

    /// Puts revision, time and schema into the patch: the fold must be the stored record.
    fn stamped(&self, mut change: Change) -> Change {
        change.patch.insert("schema".to_owned(), SCHEMA.into());
        if self.document.schema() == SCHEMA {
            change.patch.remove("schema");
        }
        change.patch.insert("revision".to_owned(), (self.document.revision() + 1).into());
        change.patch.insert("updated_at".to_owned(), change.at.to_string().into());
        change
    }

    /// Returns the view of what would be stored; a record that could not be read back is refused.
    fn view_of(&self, document: &Document) -> Result<Record, StoreError> {
        let refuse = |why: String| StoreError::Unstorable { id: self.id.clone(), why };
        let record = document.view().map_err(|error| refuse(in_full(&error)))?;
        if record.id.as_ref() != Some(&self.id) {
            return Err(refuse("it would have another id".to_owned()));
        }
        Ok(record)
    }

    /// Writes what the log holds already, so a failure is told and made good by the next writer.
    fn store_record(&mut self) {
        let written = write_record(&self.directory, &self.document, Durability::Process);
        if let Err(error) = written {
            self.notes.push(format!(
                "{} could not be written: {}; its log has the change",
                self.directory.join(RECORD).display(),
                in_full(&error)
            ));
        } else if self.log > events::ROTATE_AT {
            match events::rotate(&self.directory, &self.document) {
                Ok(length) => self.log = length,
                Err(error) => self.notes.push(format!(
                    "{} could not be rotated: {}",
                    self.directory.join(LOG).display(),
                    in_full(&error)
                )),
            }
        }
    }
}

impl State {
    fn into_loaded(self, archived: bool) -> Loaded {
        let mut notes = self.notes;
        notes.extend(self.obstacle.map(|obstacle| in_full(&obstacle)));
        Loaded { document: self.document, record: self.record, archived, notes }
    }
}

impl Fix {
    fn apply(
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
enum Stored {
    Missing,
    Bad(String),
    Good { bytes: Vec<u8>, document: Document, record: Box<Record> },
}

fn read_record(directory: &Path, id: &SessionId) -> Result<Stored, StoreError> {
    let path = directory.join(RECORD);
    failpoint::pass("store.read").map_err(FsError::at("read", &path))?;
    let bytes = match home::read_ours(&path, RECORD_LIMIT) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Stored::Missing),
        Err(StoreError::Damaged { why, .. }) => return Ok(Stored::Bad(why)),
        Err(error) => return Err(error),
    };
    let document = match Document::parse(&bytes) {
        Ok(document) => Document::from_map(document.as_map().clone()),
        Err(error) => return Ok(Stored::Bad(in_full(&error))),
    };
    match view(&document, id) {
        Ok(record) => Ok(Stored::Good { bytes, document, record: Box::new(record) }),
        Err(StoreError::Damaged { why, .. }) => Ok(Stored::Bad(why)),
        Err(error) => Err(error),
    }
}

/// Returns the typed view of the record of `id`.
fn view(document: &Document, id: &SessionId) -> Result<Record, StoreError> {
    let damaged = |why| StoreError::Damaged { path: RECORD.into(), line: None, why };
    let record = match document.view() {
        Ok(record) => record,
        Err(_) if document.schema() > SCHEMA => {
            let schema = document.schema();
            return Err(StoreError::NewerRecord { id: id.clone(), schema });
        }
        Err(error) => return Err(damaged(in_full(&error))),
    };
    match &record.id {
        Some(found) if found == id => Ok(record),
        Some(found) => Err(damaged(format!("it is the record of `{found}`"))),
        None => Err(damaged("it does not say whose record it is".to_owned())),
    }
}

/// Reads record and log, and works out what they amount to; writes nothing.
fn assess(directory: &Path, id: &SessionId) -> Result<State, StoreError> {
    home::check_directory(directory)?;
    let stored = read_record(directory, id)?;
    let log = directory.join(LOG);
    let tail = events::tail(&log)?;
    let mut state = match (stored, tail.map(|tail| (tail, tail.seq))) {
        (Stored::Good { document, record, .. }, found) => {
            let seq =
                found.map_or(Some(0), |(tail, seq)| if tail.whole == 0 { Some(0) } else { seq });
            beside_log(directory, id, document, *record, seq)?
        }
        (Stored::Missing, None) => {
            let why = "it is missing, and so is its log".to_owned();
            return Err(StoreError::Damaged { path: directory.join(RECORD), line: None, why });
        }
        (Stored::Bad(why), None) => {
            return Err(StoreError::Damaged { path: directory.join(RECORD), line: None, why });
        }
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
    let state = |document, record| State {
        document,
        record,
        log: 0,
        fixes: Vec::new(),
        obstacle: None,
        notes: Vec::new(),
    };
    match last {
        Some(last) if last == revision => Ok(state(document, record)),
        Some(last) if last > revision => from_log(
            directory,
            id,
            &format!("is at revision {revision}, behind event {last} of its log"),
            false,
        ),
        Some(_) | None => {
            let (fold, fault) = Fold::of(&events::read_whole(&log)?.unwrap_or_default());
            let mut state = state(document, record);
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
    let record = view(&document, id).map_err(|error| match error {
        StoreError::Damaged { why, .. } => {
            StoreError::Damaged { path: log.clone(), line: Some(fold.lines), why }
        }
        other => other,
    })?;
    let note = format!("{} {why}; its log says what it was", directory.join(RECORD).display());
    let fixes = vec![Fix::Rewrite { keep }];
    Ok(State { document, record, log: 0, fixes, obstacle: None, notes: vec![note] })
}

fn write_record(
    directory: &Path,
    document: &Document,
    durability: Durability,
) -> Result<(), StoreError> {
    let path = directory.join(RECORD);
    failpoint::pass("store.record").map_err(FsError::at("write", &path))?;
    if fs::metadata(&path)?.is_some_and(|found| found.is_symlink()) {
        return Err(StoreError::Symlink { path });
    }
    Ok(fs::replace(&path, &document.to_bytes(), durability)?)
}

/// Returns the line of the event that makes `document`, sure to be readable again.
fn event_line(
    id: &SessionId,
    change: Change,
    document: &Document,
    record: &Record,
) -> Result<Vec<u8>, StoreError> {
    let event = Event {
        schema: SCHEMA,
        seq: document.revision(),
        at: change.at,
        cause: change.cause,
        rule: change.rule,
        observation: change.observation,
        evidence: change.evidence,
        patch: change.patch,
        status: Status::of(&record.lifecycle),
        reason: change.reason,
    };
    let line = Line::Event(event).to_bytes();
    // Values nested too deeply can be written but not read.
    match Line::parse(&line) {
        Ok(_) => Ok(line),
        Err(error) => Err(StoreError::Unstorable { id: id.clone(), why: error.to_string() }),
    }
}

fn fold_log(path: &Path, findings: &mut Vec<String>) -> Result<Option<Fold>, StoreError> {
    let Some(bytes) = events::read_whole(path)? else { return Ok(None) };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (fold, fault) = Fold::of(&bytes);
    findings.extend(fault.map(|fault| format!("{name}: line {}: {}", fault.line, fault.why)));
    findings.extend(
        fold.lost.iter().map(|(first, last)| format!("{name}: events {first} to {last} are lost")),
    );
    Ok(Some(fold))
}

/// Returns the error with its causes, for a sentence.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
