//! What was proved of the files of the main worktree, so that each of them is hashed once.
//!
//! Only its hash tells that a file holds what the commit says. git's index says less: that nobody
//! changed the file since git saw it, not that no filter and no setting of line ends, which may be
//! gone by now, made something else of it. So whoever copies a file hashes it. What it was like
//! when its hash was right, its inode, its owner, its length and both of its times, is noted in
//! `ao-proven` beside git's own files, and as long as it is like that it is not hashed again.
//!
//! What is trusted then is what git trusts with each `git status`: that a file which is written has
//! another time of change afterwards, which the kernel sets and nobody else can. Nothing is noted
//! of a file that was changed in the second of the index or later, because it could be changed again
//! in the same moment. A file is looked at before it is read and after that; where it differs from
//! what is known, or from itself, its hash decides as ever. What nobody would see, git does not see
//! either: a clock that is set back to the very nanosecond, a disk that is written past its file
//! system, memory of a file that stays mapped and is written for longer than it takes to be noted.

use std::path::PathBuf;

use super::copy::Source;
use super::index::Index;
use crate::adapter::fs::directory::Stat;
use crate::adapter::fs::{self, Durability, FsError};

/// The name of the note, which has the form of an index.
pub(super) const NOTE: &str = "ao-proven";

/// Where it is noted.
#[derive(Clone, Debug)]
pub(super) struct Note {
    /// The file.
    pub(super) place: PathBuf,
    /// Where the next one is made: in the entry of a worktree that is being made, with which it goes
    /// where that is not finished.
    pub(super) aside: PathBuf,
}

/// What is known of the files of a source.
#[derive(Debug)]
pub(super) struct Proofs {
    /// Where it is noted; none where nothing is.
    note: Option<Note>,
    /// What each file was like when its hash was right.
    known: Vec<Option<Stat>>,
    /// Only what was last changed before this second can be noted.
    settled: i64,
}

impl Proofs {
    /// Returns what is noted of the files of `source`; `present` is a second that is over, by the
    /// clock of the file system that is copied to.
    pub(super) fn of(source: &Source, present: i64) -> Self {
        let noted = source.note.as_ref().and_then(|note| fs::read_optional(&note.place).ok()?);
        let noted = noted.and_then(|it| Index::parse(it, source.index.hash_length()).ok());
        let known = match noted {
            Some(noted) => matched(&source.index, &noted),
            None => vec![None; source.index.entries().len()],
        };
        Self { note: source.note.clone(), known, settled: source.written.min(present) }
    }

    /// Returns what the file of an entry was like when it was proved.
    pub(super) fn of_entry(&self, number: usize) -> Option<&Stat> {
        self.known.get(number)?.as_ref()
    }

    /// Returns whether the file of an entry was proved when it was like this.
    pub(super) fn hold(&self, number: usize, stat: &Stat) -> bool {
        self.of_entry(number) == Some(stat)
    }

    /// Returns whether a file that is like this cannot be changed without being another.
    pub(super) fn last(&self, stat: &Stat) -> bool {
        i64::from(stat.mtime.0) < self.settled && i64::from(stat.ctime.0) < self.settled
    }

    /// Notes what was proved besides what is known, where there is anything.
    pub(super) fn note(mut self, index: &Index, more: Vec<(usize, Stat)>) -> Result<(), FsError> {
        let Some(note) = self.note.filter(|_| !more.is_empty()) else { return Ok(()) };
        for (number, stat) in more {
            self.known[number] = Some(stat);
        }
        // It has a hash of its own: one that a power cut leaves half written is none.
        fs::replace(&note.aside, &index.write(&self.known), Durability::Process)?;
        fs::rename(&note.aside, &note.place)
    }
}

/// Returns what `noted` says of the entries of `index` that have the same path and content there;
/// both are in git's order.
fn matched(index: &Index, noted: &Index) -> Vec<Option<Stat>> {
    let mut rest = noted.entries().iter().peekable();
    let known = index.entries().iter().map(|entry| {
        let path = index.path(entry);
        while rest.next_if(|it| noted.path(it) < path).is_some() {}
        let same = rest.peek().filter(|it| noted.path(it) == path)?;
        (noted.id(same) == index.id(entry)).then(|| noted.stat(same))
    });
    known.collect()
}
