//! Registering a worktree and its branch without a child process.
//!
//! git's own `worktree add` starts two more of itself and writes an entry file by file, in the
//! repository's sight: one that is killed in between can break every later git command there. Here
//! the entry is made aside and appears whole, by one rename. Formats that this does not know are
//! left to git.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::own_refs::sync_name;
use super::refs::Refs;
use super::worktree::NewWorktree;
use super::{GitError, Repository};
use crate::adapter::fs::{self, FsError};
use crate::adapter::{clock, failpoint};

/// Where an entry is made, below the common directory. Who holds the repository's lock is alone.
const ASIDE: &str = "ao-new";

/// What came of registering a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registered {
    /// It is registered, and its branch is there.
    Whole,
    /// git has to do it, and nothing was begun.
    Untouched,
    /// git has to do it, once what was begun of the worktree is taken back; its branch is not made.
    Begun,
}

/// Registers what was checked already, and makes its branch. The caller holds the lock.
///
/// After an error something of the worktree may be left, but never a branch.
pub(super) fn register(repo: &Repository, new: &NewWorktree) -> Result<Registered, GitError> {
    let Some(refs) = repo.refs().filter(|refs| !repo.bare && refs.entries_are_plain()) else {
        return Ok(Registered::Untouched);
    };
    let Some(name) = plain_name(&new.path) else { return Ok(Registered::Untouched) };
    let admin = repo.admin_root().join(name);
    if fs::metadata(&admin)?.is_some() {
        // Another worktree of that name: git finds one that is free.
        return Ok(Registered::Untouched);
    }
    link(&new.path, &admin)?;
    enter(repo, new, &admin, &refs.first_line(&new.base_sha))?;
    let made = match &new.branch {
        Some(branch) if new.create_branch => refs.create_branch(branch.as_str(), &new.base_sha)?,
        Some(_) | None => true,
    };
    Ok(if made { Registered::Whole } else { Registered::Begun })
}

/// Returns the name that git would give an entry, where it is as simple as an id.
fn plain_name(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.bytes().all(is_word).then_some(name)
}

/// Makes the directory and the file in it that leads to the entry.
fn link(path: &Path, admin: &Path) -> Result<(), FsError> {
    fs::create_directories(path)?;
    let line = [b"gitdir: ", admin.as_os_str().as_bytes(), b"\n"].concat();
    fs::create_by_umask(&path.join(".git"), &line)
}

/// Makes the entry, locked for its session, aside, and puts it where git sees it.
fn enter(repo: &Repository, new: &NewWorktree, admin: &Path, log: &str) -> Result<(), FsError> {
    let aside = repo.common_dir.join(ASIDE);
    // Of one that was killed.
    fs::remove_tree(&aside)?;
    for folder in ["refs", "logs"] {
        fs::create_directories(&aside.join(folder))?;
    }
    let head = match &new.branch {
        Some(branch) => format!("ref: refs/heads/{branch}\n"),
        None => format!("{}\n", new.base_sha),
    };
    let file = new.path.join(".git");
    let gitdir = [file.as_os_str().as_bytes(), b"\n"].concat();
    let locked = format!("ao:{}\n", new.session);
    let files: [(&str, &[u8]); 5] = [
        ("locked", locked.as_bytes()),
        ("gitdir", &gitdir),
        ("commondir", b"../..\n"),
        ("HEAD", head.as_bytes()),
        // By which a restore finds where a branch was that is deleted.
        ("logs/HEAD", log.as_bytes()),
    ];
    for (name, bytes) in files {
        fs::create_by_umask(&aside.join(name), bytes)?;
    }
    let root = repo.admin_root();
    if fs::metadata(&root)?.is_none() {
        fs::create_directories(&root)?;
        fs::sync_directory(&repo.common_dir)?;
    }
    fs::rename(&aside, admin)
}

impl Refs {
    /// Returns the first line of the log of a `HEAD` that began at `sha`, as git writes it.
    fn first_line(&self, sha: &str) -> String {
        let null = "0".repeat(sha.len());
        let who = self.library().signature();
        let who = who.or_else(|_| git2::Signature::now("unknown", "unknown")).ok();
        let name = who.as_ref().map_or("unknown", |who| who.name().unwrap_or("unknown"));
        let email = who.as_ref().map_or("unknown", |who| who.email().unwrap_or("unknown"));
        let seconds = clock::now().as_millis() / 1000;
        // By the C library, which reads one zone and not the names of all.
        let minutes = who.as_ref().map_or(0, |who| who.when().offset_minutes());
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
        format!("{null} {sha} {name} <{email}> {seconds} {sign}{hours:02}{minutes:02}\n")
    }

    /// Makes a branch at `sha`, as `git branch --no-track` does, and syncs it; `false` where it
    /// cannot be made like this.
    fn create_branch(&self, name: &str, sha: &str) -> Result<bool, FsError> {
        let full = format!("refs/heads/{name}");
        let Ok(oid) = git2::Oid::from_str(sha) else { return Ok(false) };
        let note = format!("branch: Created from {sha}");
        let file = self.common().join(&full);
        failpoint::pass_at("git2.branch", &file).map_err(FsError::at("create", &file))?;
        let Ok(mut branch) = self.library().reference(&full, oid, false, &note) else {
            return Ok(false);
        };
        let synced = fs::sync_file(&file).and_then(|()| sync_name(self.common(), &full));
        if synced.is_err() {
            // It deletes none that has moved on.
            let _ = failpoint::pass_at("git2.unbranch", &file).map(|()| branch.delete());
        }
        synced.map(|()| true)
    }
}
