//! Copies tracked files from one worktree into another that is being made.
//!
//! A file counts as copied where the bytes that were written have the hash of the entry, or had it
//! once and the file was not touched since ([`proven`](super::proven)): somebody may edit the
//! worktree that is copied from, and nothing of that arrives. What has another hash, or cannot be
//! read, is left to git.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::index::{Entry, FILE, Hasher, Index, LINK, PROGRAM};
use super::proven::{Note, Place, Proofs};
use crate::adapter::fs::directory::{Directory, Stat, close, noted, pass_on, share_blocks, stamp};
use crate::adapter::{failpoint, process, threads};

/// Entries that one thread takes at the least, and the most: between the two it goes on to the end
/// of a directory, in which two threads would wait for each other.
const BATCH: usize = 64;
const MOST: usize = 512;

/// Files longer than this share their blocks where the file system can, and are read in parts.
const LARGE: u64 = 256 << 10;

/// More threads than this wait for the file system, not for the processor.
pub(super) const MAX_THREADS: usize = 8;

/// A worktree to copy from.
#[derive(Debug)]
pub(super) struct Source {
    /// Its top.
    pub(super) top: PathBuf,
    /// Its index.
    pub(super) index: Index,
    /// When that was written, in seconds.
    pub(super) written: i64,
    /// Where it is noted which of its files were proved; none where nothing is noted.
    pub(super) note: Option<Note>,
}

/// Copies the entries that `wanted` says yes to into `to`, which must be empty but for its `.git`,
/// and says that they were last changed at `mtime`, a second that is over; returns what is known of
/// each file that was copied.
pub(super) fn copy(
    source: &Source,
    to: &Path,
    mtime: i64,
    wanted: &(dyn Fn(&Entry, &[u8]) -> bool + Sync),
) -> io::Result<Vec<Option<Stat>>> {
    let entries = source.index.entries();
    let mut stats = vec![None; entries.len()];
    let job = Job {
        from: Directory::open_to_walk(&source.top)?,
        to: Directory::open_to_walk(to)?,
        index: &source.index,
        wanted,
        mtime,
        proofs: Proofs::of(source, mtime),
        rest: Mutex::new((0, &mut stats)),
        shares: AtomicBool::new(true),
        passes_on: AtomicBool::new(true),
        failed: Mutex::new(None),
    };
    let threads = process::processors().min(MAX_THREADS).min(entries.len().div_ceil(BATCH));
    let proved = threads::together(threads, || Worker::new(&job).run());
    // What a thread that panicked has proved is proved again; what it copied before is right.
    let proved = proved.into_iter().flatten().flatten().collect();
    if let Some(error) = job.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    if let Err(error) = job.proofs.note(&source.index, proved) {
        // The next one hashes it all again.
        tracing::warn!("{error}");
    }
    Ok(stats)
}

/// Returns the content of the file of `entry` where it has the entry's hash.
pub(super) fn proven_content(source: &Source, entry: &Entry) -> Option<Vec<u8>> {
    let path = source.index.path(entry);
    let (folder, name) = split(path);
    let directory =
        descend(&Directory::open_to_walk(&source.top).ok()?, folder, Directory::child).ok()?;
    let (mut file, size, _) = directory.open_file(name).ok()?;
    let mut bytes = Vec::new();
    (&mut file).take(size.saturating_add(1)).read_to_end(&mut bytes).ok()?;
    is_content(&source.index, entry, &bytes).then_some(bytes)
}

fn is_content(index: &Index, entry: &Entry, bytes: &[u8]) -> bool {
    let mut hasher = Hasher::of_blob(index.hash_length(), bytes.len() as u64);
    hasher.update(bytes);
    hasher.finish()[..index.hash_length()] == *index.id(entry)
}

/// Returns the directory and the name of a path.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// Returns whether git would take this for the name of a file.
fn is_safe(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.eq_ignore_ascii_case(b".git")
}

/// Walks down from `top` along `folder` with `step`.
fn descend(
    top: &Directory,
    folder: &[u8],
    step: fn(&Directory, &[u8]) -> io::Result<Directory>,
) -> io::Result<Directory> {
    let mut directory = top.child(b".")?;
    for name in folder.split(|byte| *byte == b'/').filter(|_| !folder.is_empty()) {
        if !is_safe(name) {
            return Err(io::Error::other("no name of a directory"));
        }
        directory = step(&directory, name)?;
    }
    Ok(directory)
}

struct Job<'a> {
    from: Directory,
    to: Directory,
    index: &'a Index,
    wanted: &'a (dyn Fn(&Entry, &[u8]) -> bool + Sync),
    mtime: i64,
    proofs: Proofs<'a>,
    /// How many entries are taken, and what is to be known of the copies of the others.
    rest: Mutex<(usize, &'a mut [Option<Stat>])>,
    /// Whether blocks can be shared, as far as anybody has tried.
    shares: AtomicBool,
    /// Whether the kernel passes on what one file has to another, as far as anybody has tried.
    passes_on: AtomicBool,
    failed: Mutex<Option<io::Error>>,
}

/// A file that was copied.
struct Copied {
    /// What git would note of the copy.
    stat: Stat,
    /// What the file itself is like, where that was not known to be right and is to be.
    proof: Option<Stat>,
}

/// A file that is open to be copied.
struct Original {
    file: File,
    /// How long it is, in bytes.
    size: u64,
    /// What it was like when it was opened.
    before: Stat,
    /// Whether its content was proved when it was like that.
    is_known: bool,
}

/// Entries that one thread takes, by their numbers, and what is to be known of their copies.
struct Batch<'a> {
    first: usize,
    stats: &'a mut [Option<Stat>],
}

/// One thread of a job, with the directories that it was in last.
struct Worker<'j, 'a> {
    job: &'j Job<'a>,
    folder: Option<(&'a [u8], Directory, Directory)>,
    bytes: Vec<u8>,
    /// Where the proof of the next entry is looked for.
    place: Place,
    proved: Vec<(usize, Stat)>,
}

impl<'j, 'a> Worker<'j, 'a> {
    fn new(job: &'j Job<'a>) -> Self {
        Self { job, folder: None, bytes: Vec::new(), place: Place::default(), proved: Vec::new() }
    }

    /// Copies what is next until nothing is left; returns what was proved.
    fn run(mut self) -> Vec<(usize, Stat)> {
        let entries = self.job.index.entries();
        while let Some(Batch { first, stats }) = self.job.take() {
            for (number, stat) in (first..).zip(stats) {
                match self.copy(number, &entries[number]) {
                    Ok(None) => {}
                    Ok(Some(copied)) => {
                        *stat = Some(copied.stat);
                        self.proved.extend(copied.proof.map(|proof| (number, proof)));
                    }
                    Err(error) => {
                        // What the others have begun is of no use either.
                        self.job.rest().1 = &mut [];
                        let failed = self.job.failed.lock();
                        *failed.unwrap_or_else(PoisonError::into_inner) = Some(error);
                        return self.proved;
                    }
                }
            }
        }
        self.proved
    }

    /// Copies one file; `None` where it is left to git, an error where the copy cannot be written.
    fn copy(&mut self, number: usize, entry: &Entry) -> io::Result<Option<Copied>> {
        let path = self.job.index.path(entry);
        let (folder, name) = split(path);
        if !entry.plain || !is_safe(name) || !(self.job.wanted)(entry, path) {
            return Ok(None);
        }
        if self.folder.as_ref().is_none_or(|(known, _, _)| *known != folder) {
            let Ok(from) = descend(&self.job.from, folder, Directory::child) else {
                return Ok(None);
            };
            let to = descend(&self.job.to, folder, Directory::make_child)?;
            self.folder = Some((folder, from, to));
        }
        match entry.mode {
            LINK => {
                let stat = self.copy_link(entry, name)?;
                Ok(stat.map(|stat| Copied { stat, proof: None }))
            }
            FILE => self.copy_file(number, entry, name, 0o666),
            PROGRAM => self.copy_file(number, entry, name, 0o777),
            _ => Ok(None),
        }
    }

    fn copy_link(&self, entry: &Entry, name: &[u8]) -> io::Result<Option<Stat>> {
        let Some((_, from, to)) = &self.folder else { return Ok(None) };
        match from.read_link(name) {
            Ok(target) if is_content(self.job.index, entry, &target) => {
                to.make_link(name, &target, self.job.mtime).map(Some)
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }

    fn copy_file(
        &mut self,
        number: usize,
        entry: &Entry,
        name: &[u8],
        mode: u32,
    ) -> io::Result<Option<Copied>> {
        let known = self.job.proofs.of_entry(self.job.index, number, &mut self.place);
        if let Some(known) = known
            && let Some(copied) = self.pass_on(&known, name, mode)?
        {
            return Ok(Some(copied));
        }
        let Some((_, from, to)) = &self.folder else { return Ok(None) };
        let Ok((mut file, size, before)) = from.open_file(name) else { return Ok(None) };
        let is_known = known == Some(before);
        if size > LARGE {
            return self.copy_large(entry, Original { file, size, before, is_known }, name, mode);
        }
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        let bytes = &mut self.bytes[..length];
        if file.read_exact(bytes).is_err() {
            return Ok(None);
        }
        let is_still = noted(&file).is_ok_and(|after| after == before);
        let is_proved = is_still && is_known;
        if !is_proved && !is_content(self.job.index, entry, bytes) {
            return Ok(None);
        }
        let mut copy = to.create_file(name, mode)?;
        failpoint::through("git.copy", Path::new(""), || copy.write_all(bytes))?;
        self.copied(&copy, (!is_proved && is_still).then_some(before))
    }

    /// Copies a file that is as it is `known` to be right, without reading it; `None`, and nothing
    /// there, where that is not so or fails.
    fn pass_on(&self, known: &Stat, name: &[u8], mode: u32) -> io::Result<Option<Copied>> {
        let Some((_, from, to)) = &self.folder else { return Ok(None) };
        let is_large = u64::from(known.size) > LARGE;
        if known.size == 0 || is_large || !self.job.passes_on.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Ok(file) = from.file(name) else { return Ok(None) };
        let copy = to.create_file(name, mode)?;
        let passed = pass_on(&file, &copy, known.size as usize);
        // Its times tell that nobody has written to it until now.
        if matches!(passed, Ok(true)) && noted(&file).is_ok_and(|now| now == *known) {
            let copied = self.copied(&copy, None);
            close(file);
            close(copy);
            return copied;
        }
        if passed.is_err() {
            self.job.passes_on.store(false, Ordering::Relaxed);
        }
        to.remove_file(name)?;
        Ok(None)
    }

    /// Stamps `copy`; `hashed` is what its file is like, where its hash was right just now.
    fn copied(&self, copy: &File, hashed: Option<Stat>) -> io::Result<Option<Copied>> {
        let stat = stamp(copy, self.job.mtime)?;
        let proof = hashed.filter(|hashed| self.job.proofs.last(hashed));
        Ok(Some(Copied { stat, proof }))
    }

    fn copy_large(
        &self,
        entry: &Entry,
        original: Original,
        name: &[u8],
        mode: u32,
    ) -> io::Result<Option<Copied>> {
        let Original { mut file, size, before, is_known } = original;
        let Some((_, _, to)) = &self.folder else { return Ok(None) };
        // git notes the lower half of a length this long in a way of its own.
        if u32::try_from(size).is_err() {
            return Ok(None);
        }
        let mut copy = to.create_file(name, mode)?;
        let is_it = self.job.fill(entry, &mut file, size, &mut copy, is_known)?;
        let is_still = noted(&file).is_ok_and(|after| after == before);
        if !is_it || (is_known && !is_still) {
            to.remove_file(name)?;
            return Ok(None);
        }
        self.copied(&copy, (!is_known && is_still).then_some(before))
    }
}

impl<'a> Job<'a> {
    /// Returns the entries that are next, which nobody else gets.
    fn take(&self) -> Option<Batch<'a>> {
        let entries = self.index.entries();
        let folder = |number: usize| split(self.index.path(&entries[number])).0;
        let mut rest = self.rest();
        let first = rest.0;
        let most = rest.1.len().min(MOST);
        let mut count = most.min(BATCH);
        while count < most && folder(first + count) == folder(first + count - 1) {
            count += 1;
        }
        let stats = rest.1.split_off_mut(..count).filter(|stats| !stats.is_empty())?;
        rest.0 += count;
        Some(Batch { first, stats })
    }

    fn rest(&self) -> MutexGuard<'_, (usize, &'a mut [Option<Stat>])> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives `copy` the content of `file`; returns whether that is the entry's, which `is_known` of
    /// the file as it was.
    fn fill(
        &self,
        entry: &Entry,
        file: &mut File,
        size: u64,
        copy: &mut File,
        is_known: bool,
    ) -> io::Result<bool> {
        failpoint::pass("copy.write")?;
        let mut hasher = Hasher::of_blob(self.index.hash_length(), size);
        let shared = self.shares.load(Ordering::Relaxed) && {
            let shared = share_blocks(file, copy);
            self.shares.store(shared, Ordering::Relaxed);
            shared
        };
        let write = |copy: &mut File, part: &[u8]| {
            failpoint::through("git.copy", Path::new(""), || copy.write_all(part))
        };
        let read = match (shared, is_known) {
            (true, true) => return Ok(true),
            (false, true) => return Ok(pour(file, size, |part| write(copy, part))? == size),
            // What is shared is read from the copy: nobody else can have changed that one.
            (true, false) => {
                copy.rewind()?;
                pour(copy, size, |part| {
                    hasher.update(part);
                    Ok(())
                })?
            }
            (false, false) => pour(file, size, |part| {
                hasher.update(part);
                write(copy, part)
            })?,
        };
        let id = hasher.finish();
        Ok(read == size && id[..self.index.hash_length()] == *self.index.id(entry))
    }
}

/// Hands `file` on part by part, no more than a byte over `size`; returns how much it was.
fn pour(
    file: &mut File,
    size: u64,
    mut part: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    let mut file = file.take(size + 1);
    loop {
        let read = match file.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // It cannot be read whole, so it is not what is wanted.
            Err(_) => return Ok(u64::MAX),
        };
        if read == 0 {
            return Ok(total);
        }
        total += read as u64;
        part(&buffer[..read])?;
    }
}
