//! One session's record: loaded without a lock, changed under one.
//!
//! Invariants:
//!
//! * The record is the fold of its log, byte for byte, after every commit.
//! * A reader never writes, whatever it finds.
//! * What cannot be told is an error that names the file; nothing is guessed or emptied.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::{clock, failpoint, ids};
use crate::model::event::{Event, Line};
use crate::model::id::SessionId;
use crate::model::record::{Document, Record, SCHEMA};
use crate::model::sanitize::chain;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::events::{self, Fold, LOG, OLD_LOG};
use crate::store::home::{self, Home};
use crate::store::lock::{self, Lock, LockError};
use crate::store::recover::{RECORD, Stored, assess, read_record, write_record};

/// A record as a reader sees it.
#[derive(Clone, Debug, PartialEq)]
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
        if !home::is_checked(&directory)? {
            return Err(self.absent(id));
        }
        match lock::acquire(&directory.join("lock"), timeout) {
            Ok(lock) => self.recover(id, directory, lock),
            Err(LockError::Gone { .. }) => Err(self.absent(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings a session back from the archive, and returns it locked; one that is not there, or
    /// that somebody else brings back meanwhile, is not found.
    pub fn unarchive(
        &self,
        id: &SessionId,
        timeout: Duration,
    ) -> Result<LockedSession, StoreError> {
        let directory = self.archive_dir(id);
        if !home::is_checked(&directory)? {
            return Err(StoreError::NotFound { id: id.clone() });
        }
        let lock = match lock::acquire(&directory.join("lock"), timeout) {
            Err(LockError::Gone { .. }) => return Err(StoreError::NotFound { id: id.clone() }),
            lock => lock?,
        };
        let mut session = self.recover(id, directory, lock)?;
        session.move_to(&self.session_dir(id))?;
        session.directory = self.session_dir(id);
        Ok(session)
    }

    /// Creates a session with `record` as revision 1, all of it or nothing, and returns it
    /// locked. Its id may not exist, live or archived.
    ///
    /// # Panics
    ///
    /// Where `record` has no id.
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
        let aside = sessions.join(format!("{}{}", fs::temporary_prefix(), ids::hex(8)));
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
        // Syncs the directory after it, and so the names of the log and the lock with it.
        write_record(aside, &document, self.durability())?;
        let directory = self.session_dir(id);
        // Fails where another session of that name has a file in it.
        failpoint::pass_at("store.create", &directory)
            .map_err(FsError::at("create", &directory))?;
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
            behind: false,
            notes: Vec::new(),
        })
    }

    /// Returns the events of a session that are kept, oldest first.
    pub fn events(&self, id: &SessionId) -> Result<Vec<Event>, StoreError> {
        events::read_all(&self.existing_dir(id)?)
    }

    /// Checks that the log folds to the stored record, without gaps; changes nothing.
    pub fn verify(&self, id: &SessionId) -> Result<Verification, StoreError> {
        self.look_calmly(id, Verification::is_clean, || self.verify_now(id))
    }

    /// Looks at a session without its lock until all is well, or a second look says the same as
    /// the first and nobody held the lock in between; a writer may be between its log and its
    /// record. Returns the last look after a second of others' work.
    pub fn look_calmly<T: PartialEq>(
        &self,
        id: &SessionId,
        is_well: impl Fn(&T) -> bool,
        look: impl Fn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        /// How often a session that is written to is looked at.
        const LOOKS: usize = 200;
        /// How long a writer is given between two looks.
        const BETWEEN: Duration = Duration::from_millis(5);
        let mut seen = look()?;
        for _ in 1..LOOKS {
            if is_well(&seen) {
                break;
            }
            // A lock that cannot be looked at is a finding of its own, and nobody's.
            let lock = self.existing_dir(id)?.join("lock");
            let is_written = lock::is_held_shared_probe(&lock).unwrap_or(false);
            if is_written {
                clock::pause(BETWEEN);
            }
            let again = look()?;
            if again == seen && !is_written {
                break;
            }
            seen = again;
        }
        Ok(seen)
    }

    /// As [`Home::verify`], and takes what a writer is at for what it is at this moment.
    pub fn verify_now(&self, id: &SessionId) -> Result<Verification, StoreError> {
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

    /// Moves an archived session out of the way, so that its id can be used again; its files stay
    /// in the archive under `<id>.<n>`.
    pub fn set_aside(&self, id: &SessionId, timeout: Duration) -> Result<(), StoreError> {
        let from = self.archive_dir(id);
        let _lock = lock::acquire(&from.join("lock"), timeout)?;
        let mut number = 1;
        let mut to = self.root().join(format!("archive/{id}.{number}"));
        while fs::metadata(&to)?.is_some() {
            number += 1;
            to = self.root().join(format!("archive/{id}.{number}"));
        }
        self.rename_session(&from, &to)
    }

    fn rename_session(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        fs::rename(from, to)?;
        for parent in [to.parent(), from.parent()].into_iter().flatten() {
            fs::sync_directory(parent)?;
        }
        Ok(())
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

    /// Returns whether the stored record may hold an intent: a hint for who looks for those of dead
    /// owners, found without reading the record as one.
    pub fn may_have_intent(&self, id: &SessionId) -> bool {
        let bytes = fs::read_optional(&self.session_dir(id).join(RECORD)).ok().flatten();
        bytes.is_none_or(|bytes| memmem(&bytes, b"\"intent\""))
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
            // Said here, because what was put right is not there for the next one to see.
            state.notes.iter().for_each(|note| tracing::warn!("{note}"));
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
            behind: false,
            notes: state.notes,
        })
    }
}

fn memmem(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
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
    /// The record on disk could not be replaced since.
    behind: bool,
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

    /// Has the events of further commits synced, or not (`state.sync`).
    pub fn set_sync(&mut self, sync: bool) {
        self.home = self.home.clone().with_sync(sync);
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

    /// Refuses what a newer version wrote.
    pub(super) fn require_writable(&self) -> Result<(), StoreError> {
        let schema = self.document.schema();
        if self.newer {
            return Err(StoreError::NewerRecord { id: self.id.clone(), schema });
        }
        Ok(())
    }

    /// Commits `change`: appends and syncs its event, then replaces the record. A change that
    /// changes nothing writes nothing.
    ///
    /// Once the event is in the log the change is made, even where the record cannot be
    /// replaced; that is told in [`Self::notes`], and the next writer redoes it.
    pub fn commit(&mut self, change: Change) -> Result<Commit, StoreError> {
        let revision = self.document.revision();
        if change.patch.is_empty() || self.document.patched(&change.patch) == self.document {
            return Ok(Commit { revision, changed: false });
        }
        self.require_writable()?;
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
        // An archived session has no next writer who would redo it.
        if self.behind {
            write_record(&self.directory, &self.document, self.home.durability())?;
        }
        self.move_to(&self.home.archive_dir(&self.id))
    }

    fn move_to(&self, to: &Path) -> Result<(), StoreError> {
        failpoint::pass_at("store.archive", &self.directory)
            .map_err(FsError::at("archive", &self.directory))?;
        if fs::metadata(to)?.is_some() {
            return Err(StoreError::Exists { id: self.id.clone() });
        }
        self.home.rename_session(&self.directory, to)?;
        failpoint::pass_at("store.archived", to).map_err(FsError::at("archive", to))?;
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
        let record = document.view().map_err(|error| refuse(chain(&error)))?;
        if record.id.as_ref() != Some(&self.id) {
            return Err(refuse("it would have another id".to_owned()));
        }
        Ok(record)
    }

    /// Writes what the log holds already, so a failure is told and made good by the next writer.
    fn store_record(&mut self) {
        let told = self.notes.len();
        self.replace_record();
        self.notes[told..].iter().for_each(|note| tracing::warn!("{note}"));
    }

    fn replace_record(&mut self) {
        let written = write_record(&self.directory, &self.document, Durability::Process);
        self.behind = written.is_err();
        if let Err(error) = written {
            self.notes.push(format!(
                "{} could not be written: {}; its log has the change",
                self.directory.join(RECORD).display(),
                chain(&error)
            ));
        } else if self.log > events::ROTATE_AT {
            match events::rotate(&self.directory, &self.document) {
                Ok(length) => self.log = length,
                Err(error) => {
                    let log = self.directory.join(LOG);
                    // It may have begun anew all the same: an error can come after the rename.
                    if let Ok(Some(found)) = fs::metadata(&log) {
                        self.log = found.len();
                    }
                    self.notes.push(format!(
                        "{} could not be rotated: {}",
                        log.display(),
                        chain(&error)
                    ));
                }
            }
        }
    }
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
