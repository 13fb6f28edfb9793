//! Whether a worktree is exactly what its commit says, told from its index and a look at each file.
//!
//! It is what `git status` does, on several threads and only for the answer "clean, and nothing
//! beside it". Whatever is not certain (a file that was touched, one that is not in the index, an
//! index of another format, times that prove nothing) is not called unclean: git is asked.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::copy::{MAX_THREADS, Source};
use super::fill::read_source_by;
use super::index::{FILE, Index, LINK, PROGRAM};
use crate::adapter::fs::directory::{Directory, Kind, Listing, Stat};
use crate::adapter::{process, threads};

/// Directories that one thread takes at a time. There are as many files as directories, or more.
const BATCH: usize = 8;

/// Returns whether every file of the worktree `top`, whose entry is `admin`, is as its index knows
/// it, the index is the tree with the hash `tree`, and there is no other file; `false` where that
/// cannot be told.
pub(super) fn is_spotless(top: &Path, admin: &Path, tree: &[u8]) -> bool {
    prove(top, admin, tree).unwrap_or(false)
}

fn prove(top: &Path, admin: &Path, tree: &[u8]) -> Option<bool> {
    // Where the tree is the commit's, whatever else is damaged in it agrees with no file.
    let source = read_source_by(Index::parse_unverified, top, admin, tree.len())?;
    (source.index.tree() == Some(tree)).then(|| look(&source, 1))?
}

/// Returns whether every file of `source`, which has no `.git` at present, is as its index knows
/// it, and there is no other file; `false` where that cannot be told.
pub(super) fn is_as_known(source: &Source) -> bool {
    look(source, 0).unwrap_or(false)
}

/// Looks at every file of `source`, whose top has so many names of git's `beside` them.
fn look(source: &Source, beside: usize) -> Option<bool> {
    let look = Look {
        top: Directory::open_to_walk(&source.top).ok()?,
        source,
        folders: Mutex::new(Folders::of(&source.index, beside)),
        differs: AtomicBool::new(false),
    };
    let files = source.index.entries().len();
    let threads = process::processors().min(MAX_THREADS).min(files.div_ceil(BATCH));
    let looked = threads::together(threads, || look.run());
    // A thread that panicked has not said what it saw.
    looked.iter().all(Result::is_ok).then(|| !look.differs.into_inner())
}

/// A directory as the index knows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folder<'a> {
    /// Its path; empty for the top.
    path: &'a [u8],
    /// The numbers of the entries right in it.
    pub(super) files: Vec<usize>,
    /// How many names there are in it, those of directories included.
    names: usize,
}

/// Every directory that an index has files in, or directories of files, inner ones first.
pub(super) struct Folders<'a> {
    index: &'a Index,
    /// The number of the entry that is next.
    next: usize,
    /// The directories that the last entry is in, the top first; none when all are through.
    open: Vec<Folder<'a>>,
}

impl<'a> Folders<'a> {
    /// Returns those of `index`, at the top of which are so many names `beside` what it knows.
    pub(super) fn of(index: &'a Index, beside: usize) -> Self {
        Self { index, next: 0, open: vec![Folder { names: beside, ..Folder::default() }] }
    }
}

impl<'a> Iterator for Folders<'a> {
    type Item = Folder<'a>;

    fn next(&mut self) -> Option<Folder<'a>> {
        while let Some(entry) = self.index.entries().get(self.next) {
            let path = self.index.path(entry);
            let innermost = self.open.last_mut().expect("the top holds everything");
            let begin = match innermost.path {
                b"" => 0,
                folder => match path.strip_prefix(folder).and_then(|rest| rest.split_first()) {
                    Some((b'/', _)) => folder.len() + 1,
                    Some(_) | None => return self.open.pop(),
                },
            };
            match memchr::memchr(b'/', &path[begin..]) {
                Some(length) => {
                    innermost.names += 1;
                    let path = &path[..begin + length];
                    self.open.push(Folder { path, ..Folder::default() });
                }
                None => {
                    innermost.names += 1;
                    innermost.files.push(self.next);
                    self.next += 1;
                }
            }
        }
        self.open.pop()
    }
}

struct Look<'a> {
    top: Directory,
    source: &'a Source,
    /// What nobody has taken yet.
    folders: Mutex<Folders<'a>>,
    /// Something is not as the index knows it, or that cannot be told.
    differs: AtomicBool,
}

impl Look<'_> {
    /// Looks at directories until all are taken, or one differs.
    fn run(&self) {
        let mut listing = Listing::new();
        while !self.differs.load(Ordering::Relaxed) {
            let folders = self.take();
            if folders.is_empty() {
                return;
            }
            if !folders.iter().all(|it| self.is_as_known(it, &mut listing).unwrap_or(false)) {
                self.differs.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Returns the directories that are next, which nobody else gets; none where all are taken.
    fn take(&self) -> Vec<Folder<'_>> {
        let folders = self.folders.lock();
        folders.unwrap_or_else(PoisonError::into_inner).by_ref().take(BATCH).collect()
    }

    /// Returns whether each file is as it is known, and as many names are there as are known: then
    /// there is no other.
    fn is_as_known(&self, folder: &Folder<'_>, listing: &mut Listing) -> Option<bool> {
        let index = &self.source.index;
        let is_top = folder.path.is_empty();
        let directory = self.top.descendant(folder.path).ok()?;
        let mut names = 0;
        directory.names(listing, |_| names += 1).ok()?;
        if names != folder.names {
            return Some(false);
        }
        for number in &folder.files {
            let entry = &index.entries()[*number];
            let path = index.path(entry);
            let name = if is_top { path } else { path.get(folder.path.len() + 1..)? };
            let (kind, stat) = directory.look(name).ok()?;
            let mode = match kind {
                Kind::File => FILE,
                Kind::Program => PROGRAM,
                Kind::Link => LINK,
                Kind::Other => return Some(false),
            };
            let known = index.stat(entry);
            // A file that was changed in the very second of the index may have been changed again
            // since, and its times would say nothing of it.
            let is_settled = i64::from(known.mtime.0) < self.source.written;
            // git does not compare devices: their numbers change from boot to boot.
            let is_same = mode == entry.mode && (Stat { dev: known.dev, ..stat }) == known;
            if !(entry.plain && is_settled && is_same) {
                return Some(false);
            }
        }
        Some(true)
    }
}
