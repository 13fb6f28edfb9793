//! What `ao doctor --repair` does about a log that does not fold: keep the longest prefix that
//! does, and everything else beside it. A log in which events are lost begins anew with the record
//! as it is: what was lost is said once, not for ever.
//!
//! Proposing reads only. Nothing is ever thrown away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapter::fs;
use crate::model::id::SessionId;
use crate::model::record::Document;
use crate::store::events::{self, Fold, LOG, OLD_LOG};
use crate::store::recover::{RECORD, free_name, keep_rest};
use crate::store::{Home, StoreError, home, lock};

/// What a repair would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The log to be cut.
    pub path: PathBuf,
    /// The line at which it stops folding, from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
    /// How many lines stay.
    pub kept_lines: usize,
    /// How many bytes stay.
    pub kept_bytes: u64,
    /// How many bytes are put beside it.
    pub rest_bytes: u64,
    /// The last event that stays.
    pub seq: u64,
}

/// Returns what would be done about the log of a live session; `None` where it folds whole.
pub fn propose(home: &Home, id: &SessionId) -> Result<Option<Repair>, StoreError> {
    let directory = home.session_dir(id);
    if fs::metadata(&directory)?.is_none() {
        return Err(StoreError::NotFound { id: id.clone() });
    }
    home::check_directory(&directory)?;
    let repair = propose_in(&directory)?;
    require_something(home, id, repair.as_ref())?;
    Ok(repair)
}

/// Fails where neither the log nor the record tells anything that could be kept.
fn require_something(
    home: &Home,
    id: &SessionId,
    repair: Option<&Repair>,
) -> Result<(), StoreError> {
    if repair.is_some_and(|repair| repair.kept_lines == 0) && !home.has_readable_record(id)? {
        return Err(StoreError::Damaged {
            path: home.session_dir(id).join(RECORD),
            line: None,
            why: format!("neither it nor any line of {LOG} can be read"),
        });
    }
    Ok(())
}

fn propose_in(directory: &Path) -> Result<Option<Repair>, StoreError> {
    let path = directory.join(LOG);
    let Some(bytes) = events::read_whole(&path)? else { return Ok(None) };
    let (fold, fault) = Fold::of(&bytes);
    let length = events::tail(&path)?.map_or(0, |tail| tail.length);
    Ok(fault.map(|fault| Repair {
        path,
        line: fault.line,
        why: fault.why,
        kept_lines: fold.lines,
        kept_bytes: fold.bytes as u64,
        rest_bytes: length.saturating_sub(fold.bytes as u64),
        seq: fold.seq,
    }))
}

/// Cuts the log of a session to what folds and keeps the rest as `events.jsonl.rest-<n>`; then
/// the usual recovery makes record and log agree. Returns what was done.
///
/// A readable record stays, and is brought into the log; where nothing folds and the record is
/// unreadable too, nothing is touched.
pub fn apply(home: &Home, id: &SessionId, timeout: Duration) -> Result<Option<Repair>, StoreError> {
    let directory = home.session_dir(id);
    if fs::metadata(&directory)?.is_none() {
        return Err(StoreError::NotFound { id: id.clone() });
    }
    home::check_directory(&directory)?;
    let held = lock::acquire(&directory.join("lock"), timeout)?;
    let repair = propose_in(&directory)?;
    require_something(home, id, repair.as_ref())?;
    if let Some(repair) = &repair {
        keep_rest(&directory, repair.kept_bytes)?;
        events::cut(&repair.path, repair.kept_bytes)?;
    }
    drop(held);
    let session = home.lock_session(id, timeout)?;
    if has_gap(&directory)? {
        session.require_writable()?;
        begin_anew(&directory, session.document())?;
    }
    Ok(repair)
}

/// Returns whether a repair would begin the log of a live session anew.
pub fn is_gapped(home: &Home, id: &SessionId) -> Result<bool, StoreError> {
    has_gap(&home.session_dir(id))
}

/// Returns whether events are lost within the logs, or between them.
fn has_gap(directory: &Path) -> Result<bool, StoreError> {
    let fold = |name: &str| -> Result<Option<Fold>, StoreError> {
        Ok(events::read_whole(&directory.join(name))?.map(|bytes| Fold::of(&bytes).0))
    };
    let Some(log) = fold(LOG)? else { return Ok(false) };
    let old = fold(OLD_LOG)?;
    let before = old.is_some_and(|old| !old.lost.is_empty() || old.seq < log.start);
    Ok(!log.lost.is_empty() || before)
}

/// Puts the logs beside, and one in their place that begins with `document`.
fn begin_anew(directory: &Path, document: &Document) -> Result<(), StoreError> {
    let old = directory.join(OLD_LOG);
    if fs::metadata(&old)?.is_some() {
        fs::rename(&old, &free_name(directory, &format!("{OLD_LOG}.rest-"))?)?;
    }
    keep_rest(directory, 0)?;
    events::begin(directory, document)?;
    Ok(())
}
