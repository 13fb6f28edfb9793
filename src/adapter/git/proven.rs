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

use std::path::{Path, PathBuf};

use super::copy::Source;
use super::index::Index;
use crate::adapter::fs::directory::Stat;
use crate::adapter::fs::{self, Durability, FsError};

/// The name of the note, which has the form of an index.
pub(super) const NOTE: &str = "ao-proven";

/// What is noted, and where.
#[derive(Debug)]
pub(super) struct Note {
    /// The file.
    place: PathBuf,
    /// Where the next one is made: in the entry of a worktree that is being made, with which it goes
    /// where that is not finished.
    aside: PathBuf,
    /// What it says: what each file was like when its hash was right. None where there is none yet.
    known: Option<Index>,
}

impl Note {
    /// Reads the note on the main worktree of the repository at `common_dir`, whose hashes are `hash`
    /// bytes long; the next one is made in `entry`.
    pub(super) fn read(common_dir: &Path, entry: &Path, hash: usize) -> Self {
        let (place, aside) = (common_dir.join(NOTE), entry.join(NOTE));
        let bytes = fs::read_optional(&place).ok().flatten();
        let known = bytes.and_then(|bytes| Index::parse(bytes, hash).ok());
        Self { place, aside, known }
    }
}

/// What is known of the files of a source.
#[derive(Debug)]
pub(super) struct Proofs<'a> {
    /// None where nothing is noted.
    note: Option<&'a Note>,
    /// Only what was last changed before this second can be noted.
    settled: i64,
}

/// Where a note has an entry of an index: so many places further on than the index. It is the same
/// for most entries that follow each other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place(isize);

impl<'a> Proofs<'a> {
    /// Returns what is noted of the files of `source`; `present` is a second that is over, by the
    /// clock of the file system that is copied to.
    pub(super) fn of(source: &'a Source, present: i64) -> Self {
        Self { note: source.note.as_ref(), settled: source.written.min(present) }
    }

    /// Returns what the file of an entry of `index` was like when it was proved to have the entry's
    /// content; `place` is where the last one was, and becomes where this is.
    pub(super) fn of_entry(&self, index: &Index, number: usize, place: &mut Place) -> Option<Stat> {
        let known = self.note?.known.as_ref()?;
        let path = index.path(&index.entries()[number]);
        let near = number.checked_add_signed(place.0).and_then(|at| known.entries().get(at));
        let same = near.filter(|same| known.path(same) == path).or_else(|| {
            // It is in git's order, that of the bytes of paths.
            let at = known.entries().binary_search_by(|it| known.path(it).cmp(path)).ok()?;
            place.0 = isize::try_from(at).ok()? - isize::try_from(number).ok()?;
            Some(&known.entries()[at])
        })?;
        (known.id(same) == index.id(&index.entries()[number])).then(|| known.stat(same))
    }

    /// Returns whether a file that is like this cannot be changed without being another.
    pub(super) fn last(&self, stat: &Stat) -> bool {
        i64::from(stat.mtime.0) < self.settled && i64::from(stat.ctime.0) < self.settled
    }

    /// Notes what was proved besides what is known, where there is anything.
    pub(super) fn note(&self, index: &Index, more: Vec<(usize, Stat)>) -> Result<(), FsError> {
        let Some(note) = self.note.filter(|_| !more.is_empty()) else { return Ok(()) };
        let mut place = Place::default();
        let numbers = 0..index.entries().len();
        let mut known: Vec<_> =
            numbers.map(|number| self.of_entry(index, number, &mut place)).collect();
        for (number, stat) in more {
            known[number] = Some(stat);
        }
        // It has a hash of its own: one that a power cut leaves half written is none.
        fs::replace(&note.aside, &index.write(&known), Durability::Process)?;
        fs::rename(&note.aside, &note.place)
    }
}
