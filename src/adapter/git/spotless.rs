//! Whether a worktree is exactly what its commit says, told from its index and a look at each file.
//!
//! It is what `git status` does, on several threads and only for the answer "clean, and nothing
//! beside it". Whatever is not certain (a file that was touched, one that is not in the index, an
//! index of another format, times that prove nothing) is not called unclean: git is asked.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::copy::{MAX_THREADS, Source};
use super::fill::read_source;
use super::index::{Entry, FILE, Index, LINK, PROGRAM};
use crate::adapter::fs::directory::{Directory, Kind, Listing, Stat};
use crate::adapter::{process, threads};

/// Directories that one thread takes at a time.
const BATCH: usize = 8;

/// Returns whether every file of the worktree `top`, whose entry is `admin`, is as its index knows
/// it, the index is the tree with the hash `tree`, and there is no other file; `false` where that
/// cannot be told.
pub(super) fn is_spotless(top: &Path, admin: &Path, tree: &[u8]) -> bool {
    prove(top, admin, tree).unwrap_or(false)
}

fn prove(top: &Path, admin: &Path, tree: &[u8]) -> Option<bool> {
    let source = read_source(top, admin, tree.len())?;
    (source.index.tree() == Some(tree)).then(|| look(&source, 1))?
}

/// Returns whether every file of `source`, which has no `.git` at present, is as its index knows
/// it, and there is no other file; `false` where that cannot be told.
pub(super) fn is_as_known(source: &Source) -> bool {
    look(source, 0).unwrap_or(false)
}

/// Looks at every file of `source`, whose top has so many names of git's `beside` them.
fn look(source: &Source, beside: usize) -> Option<bool> {
    let index = &source.index;
    let is_certain = |entry: &Entry| {
        let known = [FILE, PROGRAM, LINK].contains(&entry.mode);
        // A file that was changed in the very second of the index may have been changed again since,
        // and its times would say nothing of it.
        known && entry.plain && i64::from(index.stat(entry).mtime.0) < source.written
    };
    if !index.entries().iter().all(is_certain) {
        return None;
    }
    let mut folders = folders(index);
    folders[0].names += beside;
    let look = Look {
        top: Directory::open_to_walk(&source.top).ok()?,
        index,
        folders: &folders,
        next: AtomicUsize::new(0),
        differs: AtomicBool::new(false),
    };
    let threads = process::processors().min(MAX_THREADS).min(folders.len().div_ceil(BATCH));
    let looked = threads::together(threads, || look.run());
    // A thread that panicked has not said what it saw.
    looked.iter().all(Result::is_ok).then(|| !look.differs.into_inner())
}

/// A directory as the index knows it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Folder<'a> {
    /// Its path; empty for the top.
    path: &'a [u8],
    /// The numbers of the entries right in it.
    files: Vec<usize>,
    /// How many names there are in it, those of directories included.
    names: usize,
}

/// Returns every directory that the index has files in, or directories of files.
fn folders(index: &Index) -> Vec<Folder<'_>> {
    let mut all = vec![Folder::default()];
    // The directories that the last entry is in, outermost first.
    let mut open = vec![0];
    for (number, entry) in index.entries().iter().enumerate() {
        let path = index.path(entry);
        let holds = |at: usize| match all[at].path {
            b"" => true,
            folder => path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/")),
        };
        while open.last().is_some_and(|innermost| !holds(*innermost)) {
            open.pop();
        }
        let mut parent = *open.last().expect("the top holds everything");
        let begin = match all[parent].path.len() {
            0 => 0,
            length => length + 1,
        };
        for slash in memchr::memchr_iter(b'/', &path[begin..]) {
            all[parent].names += 1;
            all.push(Folder { path: &path[..begin + slash], ..Folder::default() });
            parent = all.len() - 1;
            open.push(parent);
        }
        all[parent].files.push(number);
        all[parent].names += 1;
    }
    all
}

struct Look<'a> {
    top: Directory,
    index: &'a Index,
    folders: &'a [Folder<'a>],
    next: AtomicUsize,
    /// Something is not as the index knows it, or cannot be looked at.
    differs: AtomicBool,
}

impl Look<'_> {
    /// Looks at directories until all are taken, or one differs.
    fn run(&self) {
        let mut listing = Listing::new();
        while !self.differs.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(rest) = self.folders.get(first..).filter(|rest| !rest.is_empty()) else {
                return;
            };
            let mut folders = rest.iter().take(BATCH);
            if !folders.all(|folder| self.is_as_known(folder, &mut listing).unwrap_or(false)) {
                self.differs.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Returns whether each file is as it is known, and as many names are there as are known: then
    /// there is no other.
    fn is_as_known(&self, folder: &Folder<'_>, listing: &mut Listing) -> Option<bool> {
        let is_top = folder.path.is_empty();
        let directory = self.top.descendant(folder.path).ok()?;
        for number in &folder.files {
            let entry = &self.index.entries()[*number];
            let path = self.index.path(entry);
            let name = if is_top { path } else { path.get(folder.path.len() + 1..)? };
            let (kind, stat) = directory.look(name).ok()?;
            let mode = match kind {
                Kind::File => FILE,
                Kind::Program => PROGRAM,
                Kind::Link => LINK,
                Kind::Other => return Some(false),
            };
            // git does not compare devices: their numbers change from boot to boot.
            let known = self.index.stat(entry);
            if mode != entry.mode || (Stat { dev: known.dev, ..stat }) != known {
                return Some(false);
            }
        }
        let mut names = 0;
        directory.names(listing, |_| names += 1).ok()?;
        Some(names == folder.names)
    }
}
