//! Where removed things wait: worktrees under `<root>/.trash`, their entries under
//! `<common directory>/ao-trash`, both by rename, so that removing is atomic and can be undone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::entry::{Admin, linked_admin};
use super::{GitError, Repository};
use crate::adapter::fs::{self, FsError};
use crate::adapter::{clock, ids};
use crate::model::id::SessionId;
use crate::model::time::Timestamp;

const TREES: &str = ".trash";
const ENTRIES: &str = "ao-trash";

/// Digits of a name in the trash after the session's id: milliseconds, then chance.
const TIME_DIGITS: usize = 12;
const RANDOM_DIGITS: usize = 4;

/// Returns a name for something of `session` that goes to the trash now.
fn fresh_name(session: &str) -> String {
    let millis = clock::now().as_millis().max(0);
    format!("{session}-{millis:0TIME_DIGITS$x}{}", ids::hex(RANDOM_DIGITS / 2))
}

/// Returns whose it is and since when it is there, `None` for a name that is not one of ours.
fn parse_name(name: &str) -> Option<(&str, Timestamp)> {
    let (session, digits) = name.rsplit_once('-')?;
    let lower_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits.len() != TIME_DIGITS + RANDOM_DIGITS || !lower_hex {
        return None;
    }
    let millis = i64::from_str_radix(&digits[..TIME_DIGITS], 16).ok()?;
    Some((session, Timestamp::from_millis(millis)))
}

/// Moves an entry out of git's sight, in one step; returns where it waits.
pub(super) fn park(repo: &Repository, admin: &Admin, owner: &str) -> Result<PathBuf, FsError> {
    let directory = repo.common_dir.join(ENTRIES);
    fs::create_private_directories(&directory)?;
    let to = directory.join(fresh_name(owner));
    fs::rename(&admin.dir, &to)?;
    fs::sync_directory(&directory)?;
    // git itself removes the directory with its last entry.
    if !fs::remove_empty_directory(&repo.admin_root()) {
        fs::sync_directory(&repo.admin_root())?;
    }
    Ok(to)
}

/// Moves a worktree's directory into the trash of `root`; returns where it waits.
pub(super) fn bury(root: &Path, path: &Path, session: &SessionId) -> Result<PathBuf, FsError> {
    let directory = root.join(TREES);
    fs::create_private_directories(&directory)?;
    let to = directory.join(fresh_name(session.as_str()));
    fs::rename(path, &to)?;
    fs::sync_directory(&directory)?;
    if let Some(parent) = path.parent() {
        fs::sync_directory(parent)?;
    }
    Ok(to)
}

/// Returns what `session` has in the trash of `root`, the latest last.
pub(super) fn buried(root: &Path, session: &SessionId) -> Result<Vec<PathBuf>, FsError> {
    named(&root.join(TREES), session.as_str())
}

/// Returns the entries of `owner` that were taken out of git's sight, the latest last.
pub(super) fn parked(repo: &Repository, owner: &str) -> Result<Vec<PathBuf>, FsError> {
    named(&repo.common_dir.join(ENTRIES), owner)
}

fn named(directory: &Path, owner: &str) -> Result<Vec<PathBuf>, FsError> {
    let names = fs::names(directory)?;
    let ours = names.iter().filter(|name| {
        name.to_str().and_then(parse_name).is_some_and(|(session, _)| session == owner)
    });
    Ok(ours.map(|name| directory.join(name)).collect())
}

/// Deletes what has been in the trash of `root` for `older_than` at `now`, and the entries that
/// belong to it; returns what was deleted. Names that are not of the trash's own making stay.
pub fn empty_trash(
    root: &Path,
    older_than: Duration,
    now: Timestamp,
) -> Result<Vec<PathBuf>, GitError> {
    let mut deleted = Vec::new();
    let old = |name: &str| {
        parse_name(name)
            .filter(|(_, since)| now.since(*since) >= older_than)
            .map(|(id, _)| id.to_owned())
    };
    let directory = root.join(TREES);
    for name in fs::names(&directory)? {
        let Some(session) = name.to_str().and_then(old) else { continue };
        let tree = directory.join(&name);
        if fs::metadata(&tree)?.is_some_and(|metadata| metadata.is_symlink()) {
            continue;
        }
        // `<common directory>/worktrees/<name>`; the entry itself is long gone.
        let common =
            linked_admin(&tree)?.and_then(|admin| Some(admin.parent()?.parent()?.to_owned()));
        if let Some(common) = common {
            let entries = common.join(ENTRIES);
            for entry in named(&entries, &session)? {
                if entry.file_name().and_then(|name| name.to_str()).and_then(old).is_some() {
                    fs::remove_tree(&entry)?;
                }
            }
            fs::remove_empty_directory(&entries);
        }
        fs::remove_tree(&tree)?;
        deleted.push(tree);
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_owner_and_time_and_nothing_else_passes() {
        let name = fresh_name("web-1");
        let (owner, since) = parse_name(&name).unwrap();
        assert_eq!(owner, "web-1");
        assert!(clock::now().since(since) < Duration::from_secs(60));
        for other in ["web-1", "web-1-0123", "notes.txt", "web-1-0123456789ABCDEF", "-"] {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }
}
