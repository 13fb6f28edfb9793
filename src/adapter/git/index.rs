//! git's index: read as far as a copy of a worktree needs it, and written for the copy.
//!
//! What this program does not understand whole (a split or sparse index, an extension that must be
//! understood) is refused, so that git does the work instead.

use std::ops::Range;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::adapter::fs::directory::Stat;
use crate::adapter::{process, threads};

/// Shorter ones are read and hashed sooner than a thread begins.
pub(super) const WORTH_A_THREAD: usize = 1 << 20;

/// Mode of a file, of one that may be run, of a symbolic link, of another repository.
pub(super) const FILE: u32 = 0o100_644;
pub(super) const PROGRAM: u32 = 0o100_755;
pub(super) const LINK: u32 = 0o120_000;
pub(super) const GITLINK: u32 = 0o160_000;

const HEADER: usize = 12;
/// Ten numbers that describe the file, and where its mode is among them.
const STAT: usize = 40;
const MODE: usize = 24;
const ASSUME_VALID: u16 = 0x8000;
const EXTENDED: u16 = 0x4000;
const STAGE: u16 = 0x3000;
const NAME_LENGTH: u16 = 0x0fff;

/// An index that is read.
#[derive(Debug)]
pub(super) struct Index {
    /// All of it, as it was read.
    bytes: Vec<u8>,
    /// The paths, where each is only what it has otherwise than the one before.
    paths: Option<Vec<u8>>,
    entries: Vec<Entry>,
    /// The numbers of the entries that are called `.gitattributes`.
    attributes: Vec<usize>,
    /// Where the extension is that holds the tree, where it is valid for every entry.
    tree: Option<Range<usize>>,
    hash: usize,
}

/// One path of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its numbers begin, and its hash after them.
    at: u32,
    /// Where its path is.
    start: u32,
    end: u32,
    /// What kind of thing it is.
    pub(super) mode: u32,
    /// Whether git would look at the file and find what the commit says: no conflict, nothing that
    /// is left out, assumed or only announced.
    pub(super) plain: bool,
}

/// Why an index is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IndexError {
    /// It ends too early, or a number in it cannot be.
    #[error("it is damaged")]
    Damaged,
    /// Another version, or an extension that has to be understood.
    #[error("its format is not known")]
    Unknown,
}

/// A hash of git's: SHA-1, or SHA-256 where the repository says so.
pub(super) enum Hasher {
    /// 20 bytes.
    Sha1(Sha1),
    /// 32 bytes.
    Sha256(Sha256),
}

impl Hasher {
    /// Returns one whose result is so many bytes long.
    pub(super) fn of_length(length: usize) -> Self {
        if length == 20 { Self::Sha1(Sha1::new()) } else { Self::Sha256(Sha256::new()) }
    }

    /// Returns one that is about to hash the content of a blob of so many bytes.
    pub(super) fn of_blob(length: usize, size: u64) -> Self {
        let mut hasher = Self::of_length(length);
        hasher.update(format!("blob {size}\0").as_bytes());
        hasher
    }

    /// Hashes on.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// Returns the hash.
    pub(super) fn finish(self) -> [u8; 32] {
        let mut id = [0; 32];
        match self {
            Self::Sha1(hasher) => id[..20].copy_from_slice(&hasher.finalize()),
            Self::Sha256(hasher) => id.copy_from_slice(&hasher.finalize()),
        }
        id
    }
}

impl Index {
    /// Reads an index of a repository whose hashes are `hash` bytes long.
    pub(super) fn parse(bytes: Vec<u8>, hash: usize) -> Result<Self, IndexError> {
        let (verify, read) = (|| verify(&bytes, hash), || Read::all(&bytes, hash));
        let (read, verified) = threads::both_where(is_long(&bytes), read, verify);
        verified.and(read).map(|read| Self::of(bytes, read))
    }

    /// [`Index::parse`] that does not check the sum at its end, as git itself does not: for who makes
    /// nothing of it and compares each entry with its file.
    pub(super) fn parse_unverified(bytes: Vec<u8>, hash: usize) -> Result<Self, IndexError> {
        Read::all(&bytes, hash).map(|read| Self::of(bytes, read))
    }

    fn of(bytes: Vec<u8>, read: Read) -> Self {
        let Read { paths, entries, attributes, tree, hash } = read;
        Self { bytes, paths, entries, attributes, tree, hash }
    }

    /// Returns the index as it was read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns all entries, in git's order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the entries that give attributes, each of its directory.
    pub(super) fn attributes(&self) -> impl Iterator<Item = &Entry> {
        self.attributes.iter().map(|number| &self.entries[*number])
    }

    /// Returns the path of an entry.
    pub(super) fn path(&self, entry: &Entry) -> &[u8] {
        let paths = self.paths.as_ref().unwrap_or(&self.bytes);
        &paths[entry.start as usize..entry.end as usize]
    }

    /// Returns the hash of an entry's content.
    pub(super) fn id(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.at as usize + STAT..][..self.hash]
    }

    /// Returns what git noted of the file when it was last seen to be like this.
    pub(super) fn stat(&self, entry: &Entry) -> Stat {
        let number = |index: usize| number_at(&self.bytes[entry.at as usize + index * 4..]);
        Stat {
            ctime: (number(0), number(1)),
            mtime: (number(2), number(3)),
            dev: number(4),
            ino: number(5),
            uid: number(7),
            gid: number(8),
            size: number(9),
        }
    }

    /// Returns how long hashes are, in bytes.
    pub(super) fn hash_length(&self) -> usize {
        self.hash
    }

    /// Returns the tree that the whole index is, where git noted it.
    pub(super) fn tree(&self) -> Option<&[u8]> {
        root_of(&self.bytes[self.tree.clone()?], self.hash).map(|(_, id)| id)
    }

    /// Returns an index of the entries that `stats` knows, with what it knows of them, in two parts
    /// that are long where this one is; their [`Index::sum`] follows. One that knows all of them is
    /// the same tree.
    pub(super) fn write(&self, stats: &[Option<Stat>]) -> [Vec<u8>; 2] {
        let count = stats.iter().flatten().count();
        let half = self.entries.len() / 2;
        let write = |mut bytes: Vec<u8>, range: Range<usize>| {
            bytes.reserve(self.bytes.len() / 2);
            for (entry, stat) in self.entries[range.clone()].iter().zip(&stats[range]) {
                if let Some(stat) = stat {
                    self.write_entry(&mut bytes, entry, *stat);
                }
            }
            bytes
        };
        let first = || {
            let mut bytes = b"DIRC".to_vec();
            put(&mut bytes, 2);
            put(&mut bytes, u32::try_from(count).unwrap_or(u32::MAX));
            write(bytes, 0..half)
        };
        let second = || write(Vec::new(), half..self.entries.len());
        let (first, mut second) = threads::both_where(self.is_long(), first, second);
        if let Some(tree) = self.tree.clone().filter(|_| count == self.entries.len()) {
            second.extend_from_slice(b"TREE");
            put(&mut second, u32::try_from(tree.len()).unwrap_or(u32::MAX));
            second.extend_from_slice(&self.bytes[tree]);
        }
        [first, second]
    }

    /// Returns the sum that an index of these parts ends with.
    pub(super) fn sum(&self, parts: &[Vec<u8>]) -> Vec<u8> {
        let mut hasher = Hasher::of_length(self.hash);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish()[..self.hash].to_vec()
    }

    /// Returns whether two threads do sooner what is to be done with all of it.
    pub(super) fn is_long(&self) -> bool {
        is_long(&self.bytes)
    }

    fn write_entry(&self, bytes: &mut Vec<u8>, entry: &Entry, stat: Stat) {
        let begin = bytes.len();
        let Stat { ctime, mtime, dev, ino, uid, gid, size } = stat;
        let numbers = [ctime.0, ctime.1, mtime.0, mtime.1, dev, ino, entry.mode, uid, gid, size];
        bytes.extend_from_slice(numbers.map(u32::to_be_bytes).as_flattened());
        if self.paths.is_none() && entry.plain {
            // As it was read: hash, length of the path, path.
            bytes.extend_from_slice(&self.bytes[entry.at as usize + STAT..entry.end as usize]);
        } else {
            bytes.extend_from_slice(self.id(entry));
            let path = self.path(entry);
            let length = u16::try_from(path.len()).unwrap_or(NAME_LENGTH).min(NAME_LENGTH);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(path);
        }
        let padded = (bytes.len() - begin + 8) / 8 * 8;
        bytes.resize(begin + padded, 0);
    }
}

fn is_long(bytes: &[u8]) -> bool {
    bytes.len() >= WORTH_A_THREAD && process::processors() > 1
}

fn put(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_be_bytes());
}

/// Checks the hash at the end of an index, which must be right unless git was told to leave it out.
fn verify(bytes: &[u8], hash: usize) -> Result<(), IndexError> {
    let end = bytes.len().checked_sub(hash).ok_or(IndexError::Damaged)?;
    let (body, sum) = bytes.split_at(end);
    let mut hasher = Hasher::of_length(hash);
    hasher.update(body);
    if sum.iter().all(|byte| *byte == 0) || hasher.finish()[..hash] == *sum {
        Ok(())
    } else {
        Err(IndexError::Damaged)
    }
}

/// What an index is found to hold.
struct Read {
    paths: Option<Vec<u8>>,
    entries: Vec<Entry>,
    attributes: Vec<usize>,
    tree: Option<Range<usize>>,
    hash: usize,
}

impl Read {
    fn all(bytes: &[u8], hash: usize) -> Result<Self, IndexError> {
        if bytes.len() < HEADER + hash || u32::try_from(bytes.len()).is_err() {
            return Err(IndexError::Damaged);
        }
        let body = &bytes[..bytes.len() - hash];
        let mut reader = Reader { bytes: body, at: 0 };
        if reader.take(4)? != b"DIRC" {
            return Err(IndexError::Damaged);
        }
        let version = reader.number()?;
        if !(2..=4).contains(&version) {
            return Err(IndexError::Unknown);
        }
        let count = reader.number()? as usize;
        if count > body.len() / (STAT + hash) {
            return Err(IndexError::Damaged);
        }
        let paths = (version == 4).then(Vec::new);
        let (entries, attributes) = (Vec::with_capacity(count), Vec::new());
        let mut read = Self { paths, entries, attributes, tree: None, hash };
        for _ in 0..count {
            read.entry(&mut reader)?;
        }
        while reader.at < body.len() {
            read.extension(&mut reader)?;
        }
        Ok(read)
    }

    fn entry(&mut self, reader: &mut Reader<'_>) -> Result<(), IndexError> {
        let begin = reader.at;
        let mode = number_at(&reader.take(STAT)?[MODE..]);
        reader.take(self.hash)?;
        let flags = reader.short()?;
        let more = if flags & EXTENDED != 0 { reader.short()? } else { 0 };
        let path = match &mut self.paths {
            Some(paths) => {
                let last =
                    self.entries.last().map_or(0..0, |it| it.start as usize..it.end as usize);
                let kept = last.len().checked_sub(reader.varint()?).ok_or(IndexError::Damaged)?;
                let start = paths.len();
                paths.extend_from_within(last.start..last.start + kept);
                paths.extend_from_slice(reader.until_nul()?);
                start..paths.len()
            }
            None => {
                let start = reader.at;
                let length = reader.until_nul()?.len();
                // Padded with at least one NUL, of which one is read, to a multiple of eight.
                let padded = (reader.at - 1 - begin + 8) / 8 * 8;
                reader.take(begin + padded - reader.at)?;
                start..start + length
            }
        };
        let place = |at: usize| u32::try_from(at).map_err(|_| IndexError::Unknown);
        let (at, start, end) = (place(begin)?, place(path.start)?, place(path.end)?);
        let plain = more == 0 && flags & (ASSUME_VALID | STAGE) == 0;
        let place_of = |it: &Entry| it.start as usize..it.end as usize;
        let paths = self.paths.as_deref().unwrap_or(reader.bytes);
        let (path, last) = (&paths[path], self.entries.last().map(|last| &paths[place_of(last)]));
        // Each path once, and in order; those of a conflict follow each other.
        let is_next = last.is_none_or(|last| last < path || last == path && flags & STAGE != 0);
        if path.first().is_none_or(|byte| *byte == b'/') || !is_next {
            return Err(IndexError::Damaged);
        }
        if path
            .strip_suffix(b".gitattributes")
            .is_some_and(|it| it.is_empty() || it.ends_with(b"/"))
        {
            self.attributes.push(self.entries.len());
        }
        self.entries.push(Entry { at, start, end, mode, plain });
        Ok(())
    }

    fn extension(&mut self, reader: &mut Reader<'_>) -> Result<(), IndexError> {
        let name = reader.take(4)?;
        let length = reader.number()? as usize;
        let data = reader.take(length)?;
        // A capital first letter says that it may be passed over.
        if !name[0].is_ascii_uppercase() {
            return Err(IndexError::Unknown);
        }
        if name == b"TREE" && root_of(data, self.hash).is_some_and(|(n, _)| n == self.entries.len())
        {
            self.tree = Some(reader.at - length..reader.at);
        }
        Ok(())
    }
}

/// Returns the number that begins `bytes`, which are long enough.
pub(super) fn number_at(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |number| u32::from_be_bytes(*number))
}

/// Returns how many entries the root of a tree extension counts and which tree it is, `None`
/// where it is not valid.
fn root_of(data: &[u8], hash: usize) -> Option<(usize, &[u8])> {
    let rest = data.strip_prefix(b"\0")?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&rest[..end]).ok()?;
    // Negative where something below was changed since.
    let count = line.split_once(' ')?.0.parse().ok()?;
    Some((count, rest.get(end + 1..end + 1 + hash)?))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], IndexError> {
        let end = self.at.checked_add(length).ok_or(IndexError::Damaged)?;
        let taken = self.bytes.get(self.at..end).ok_or(IndexError::Damaged)?;
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, IndexError> {
        self.take(4).map(number_at)
    }

    fn short(&mut self) -> Result<u16, IndexError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn until_nul(&mut self) -> Result<&'a [u8], IndexError> {
        let rest = &self.bytes[self.at..];
        let length = memchr::memchr(0, rest).ok_or(IndexError::Damaged)?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    /// Reads a number as pack files have them: seven bits a byte, each further one adding one.
    fn varint(&mut self) -> Result<usize, IndexError> {
        let mut byte = self.take(1)?[0];
        let mut value = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.take(1)?[0];
            let more = value.checked_add(1).and_then(|value| value.checked_mul(128));
            value = more.ok_or(IndexError::Damaged)? + usize::from(byte & 0x7f);
        }
        Ok(value)
    }
}
