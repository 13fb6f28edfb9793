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
//!
//! It has a record for each entry of the index that it was made for, in the same order: the hash of
//! the content and the numbers of the file, all zero where nothing is known, as no content's hash
//! is. A record is as true of a file by another name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::copy::Source;
use super::index::{Index, number_at};
use crate::adapter::fs::directory::Stat;
use crate::adapter::fs::{self, Durability, FsError};

/// The name of the note.
pub(super) const NOTE: &str = "ao-proven";

/// How it begins; another form would have another number.
const BEGIN: &[u8] = b"ao-proven 2\n";

/// The length of the sum of all before it, with which a note ends.
const SUM: usize = 4;

/// The length of the numbers of a file.
const STAT: usize = 36;

/// How far from where it was a record is searched for before all are.
const NEAR: usize = 32;

/// What is noted, and where.
#[derive(Debug)]
pub(super) struct Note {
    /// The file.
    place: PathBuf,
    /// Where the next one is made: in the entry of a worktree that is being made, with which it goes
    /// where that is not finished.
    aside: PathBuf,
    /// What it says: what each file was like when its hash was right. None where there is none yet.
    known: Option<Records>,
}

impl Note {
    /// Reads the note on the main worktree of the repository at `common_dir`, whose hashes are `hash`
    /// bytes long; the next one is made in `entry`.
    pub(super) fn read(common_dir: &Path, entry: &Path, hash: usize) -> Self {
        let (place, aside) = (common_dir.join(NOTE), entry.join(NOTE));
        let bytes = fs::read_optional(&place).ok().flatten();
        let known = bytes.and_then(|bytes| Records::parse(bytes, hash));
        Self { place, aside, known }
    }
}

/// The records of a note.
#[derive(Debug)]
pub(super) struct Records {
    /// All of the note, as it was read.
    bytes: Vec<u8>,
    /// How long a hash is, in bytes.
    hash: usize,
    /// Where the record of a content is, by its hash.
    places: OnceLock<HashMap<Box<[u8]>, usize>>,
}

impl Records {
    /// Reads a note of a repository whose hashes are `hash` bytes long; none where it is damaged or
    /// has another form.
    pub(super) fn parse(bytes: Vec<u8>, hash: usize) -> Option<Self> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM)?)?;
        let records = body.strip_prefix(BEGIN)?;
        let is_whole =
            sum == crc32fast::hash(body).to_be_bytes() && records.len().is_multiple_of(hash + STAT);
        is_whole.then(|| Self { bytes, hash, places: OnceLock::new() })
    }

    /// Returns the bytes of a note with a record for each of `all`, whose hashes are `hash` long.
    fn write<'a>(
        hash: usize,
        all: impl ExactSizeIterator<Item = Option<(&'a [u8], Stat)>>,
    ) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BEGIN.len() + all.len() * (hash + STAT) + SUM);
        bytes.extend_from_slice(BEGIN);
        for known in all {
            let begin = bytes.len();
            if let Some((id, stat)) = known {
                let Stat { ctime, mtime, dev, ino, uid, gid, size } = stat;
                let numbers = [ctime.0, ctime.1, mtime.0, mtime.1, dev, ino, uid, gid, size];
                bytes.extend_from_slice(id);
                bytes.extend_from_slice(numbers.map(u32::to_be_bytes).as_flattened());
            }
            bytes.resize(begin + hash + STAT, 0);
        }
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// Returns how many records there are.
    pub(super) fn len(&self) -> usize {
        (self.bytes.len() - BEGIN.len() - SUM) / (self.hash + STAT)
    }

    /// Returns hash and numbers of a record, none where it is not there.
    pub(super) fn get(&self, number: usize) -> Option<(&[u8], &[u8])> {
        let at = BEGIN.len() + number * (self.hash + STAT);
        let record = self.bytes[..self.bytes.len() - SUM].get(at..)?.get(..self.hash + STAT)?;
        Some(record.split_at(self.hash))
    }

    /// Returns the number of a record of the content `id`: the one at `near`, else one beside it,
    /// else any.
    pub(super) fn find(&self, id: &[u8], near: usize) -> Option<usize> {
        let is_it = |number: &usize| self.get(*number).is_some_and(|(known, _)| known == id);
        let around = (1..=NEAR).flat_map(|by| [near.checked_add(by), near.checked_sub(by)]);
        Some(near).filter(is_it).or_else(|| around.flatten().find(is_it)).or_else(|| {
            let places = self.places.get_or_init(|| {
                let known = |number| Some((self.get(number)?.0.into(), number));
                (0..self.len()).filter_map(known).collect()
            });
            places.get(id).copied()
        })
    }
}

/// Returns the numbers of a file as a record has them.
fn stat(numbers: &[u8]) -> Stat {
    let number = |index: usize| number_at(&numbers[index * 4..]);
    Stat {
        ctime: (number(0), number(1)),
        mtime: (number(2), number(3)),
        dev: number(4),
        ino: number(5),
        uid: number(6),
        gid: number(7),
        size: number(8),
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

    /// Returns what a file was like when it was proved to have the content of an entry of `index`;
    /// `place` is where that of the last entry was, and becomes where this is.
    pub(super) fn of_entry(&self, index: &Index, number: usize, place: &mut Place) -> Option<Stat> {
        let known = self.note?.known.as_ref()?;
        let near = number.checked_add_signed(place.0).unwrap_or(0);
        let at = known.find(index.id(&index.entries()[number]), near)?;
        place.0 = isize::try_from(at).ok()? - isize::try_from(number).ok()?;
        known.get(at).map(|(_, numbers)| stat(numbers))
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
        let ids = index.entries().iter().map(|entry| index.id(entry));
        let all = ids.zip(known).map(|(id, known)| known.map(|stat| (id, stat)));
        let bytes = Records::write(index.hash_length(), all);
        // Its sum tells one that a power cut leaves half written.
        fs::replace(&note.aside, &bytes, Durability::Process)?;
        fs::rename(&note.aside, &note.place)
    }
}
