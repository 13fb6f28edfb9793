//! Where removed things wait: worktrees under `<root>/.trash`, their entries under
//! `<common directory>/ao-trash`, both by rename, so that removing is atomic and can be undone.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::entry::{Admin, linked_admin, settled};
use super::{GitError, Repository};
use crate::adapter::clock::{self, Deadline};
use crate::adapter::fs::{self, FsError, leftovers};
use crate::adapter::ids;
use crate::model::id::SessionId;
use crate::model::time::Timestamp;

const TREES: &str = ".trash";
const ENTRIES: &str = "ao-trash";
/// The file of a tree that [`stand_in`] made.
const STANDS_IN: &str = ".ao-gone";
/// How the name begins of what is being deleted.
const GOING: &str = ".going-";

/// Digits of a name in the trash after the session's id: milliseconds, then chance.
const TIME_DIGITS: usize = 12;
const RANDOM_DIGITS: usize = 4;

/// Returns a name for something of `session` that goes to the trash now.
pub(super) fn fresh_name(session: &str) -> String {
    let millis = clock::now().as_millis().max(0);
    format!("{session}-{millis:0TIME_DIGITS$x}{}", ids::hex(RANDOM_DIGITS / 2))
}

/// Returns whose it is and since when it is there, `None` for a name that is not one of ours.
pub(super) fn parse_name(name: &str) -> Option<(&str, Timestamp)> {
    let (session, digits) = name.rsplit_once('-')?;
    let lower_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits.len() != TIME_DIGITS + RANDOM_DIGITS || !lower_hex {
        return None;
    }
    let millis = i64::from_str_radix(&digits[..TIME_DIGITS], 16).ok()?;
    Some((session, Timestamp::from_millis(millis)))
}

/// Returns since when something is at `path`, by its name.
pub(super) fn since(path: &Path) -> Option<Timestamp> {
    parse_name(path.file_name()?.to_str()?).map(|(_, since)| since)
}

/// Moves an entry out of git's sight, in one step; returns where it waits.
pub(super) fn park(repo: &Repository, admin: &Admin, owner: &str) -> Result<PathBuf, FsError> {
    let directory = repo.common_dir.join(ENTRIES);
    fs::create_own_directory(&directory)?;
    // They would come back with the entry; one that cannot be removed goes with it.
    leftovers::drop_temporaries(&admin.dir)?;
    let to = directory.join(fresh_name(owner));
    fs::rename(&admin.dir, &to)?;
    fs::sync_directory(&directory)?;
    // git itself removes the directory with its last entry.
    if !fs::remove_empty_directory(&repo.admin_root()) {
        fs::sync_directory(&repo.admin_root())?;
    }
    Ok(to)
}

/// Removes what this process, or one that is dead, left of its temporary files in the entry of a
/// worktree that stays. The caller holds the lock.
pub fn tidy_entry(repo: &Repository, worktree: &Path) -> Result<(), GitError> {
    let Some(admin) = repo.admin_of(worktree)? else { return Ok(()) };
    Ok(leftovers::drop_temporaries(&admin.dir)?)
}

/// Moves a worktree's directory into the trash of `root`; returns where it waits.
pub(super) fn bury(root: &Path, path: &Path, session: &SessionId) -> Result<PathBuf, FsError> {
    let directory = trash_in(root);
    fs::create_own_directory(&directory)?;
    let to = directory.join(fresh_name(session.as_str()));
    fs::rename(path, &to)?;
    fs::sync_directory(&directory)?;
    if let Some(parent) = path.parent() {
        fs::sync_directory(parent)?;
    }
    Ok(to)
}

/// Puts something into the trash of `root` for a tree that is gone and not by us, so that the entry
/// that [`park`] puts away waits as long as any other, and goes then: the tree may have been moved,
/// and may come back.
pub(super) fn stand_in(root: &Path, session: &SessionId, repo: &Repository) -> Result<(), FsError> {
    let trash = trash_in(root);
    fs::create_own_directory(&trash)?;
    let place = trash.join(fresh_name(session.as_str()));
    fs::create_private_directories(&place)?;
    let common = repo.common_dir.as_os_str().as_bytes();
    fs::replace(&place.join(STANDS_IN), common, fs::Durability::PowerCut)
}

/// Returns what `session` has in the trash of `root`, the latest last.
pub(super) fn buried(root: &Path, session: &SessionId) -> Result<Vec<PathBuf>, FsError> {
    let mut trees = named(&trash_in(root), session.as_str())?;
    let has = |tree: &Path, name| !matches!(fs::metadata(&tree.join(name)), Ok(None));
    // A session may have a file of that name in its workspace.
    trees.retain(|tree| has(tree, ".git") || !has(tree, STANDS_IN));
    Ok(trees)
}

/// Returns the entries of `owner` that were taken out of git's sight, the latest last.
pub(super) fn parked(repo: &Repository, owner: &str) -> Result<Vec<PathBuf>, FsError> {
    named(&repo.common_dir.join(ENTRIES), owner)
}

fn named(directory: &Path, owner: &str) -> Result<Vec<PathBuf>, FsError> {
    let names = names(directory)?;
    let ours = names.iter().filter(|name| {
        name.to_str().and_then(parse_name).is_some_and(|(session, _)| session == owner)
    });
    Ok(ours.map(|name| directory.join(name)).collect())
}

/// Returns the names in a directory of the trash, through no link: they are deleted, and brought
/// back, by these names.
fn names(directory: &Path) -> Result<Vec<OsString>, FsError> {
    fs::refuse_link(directory)?;
    fs::names(directory)
}

/// Returns where the trash of `root` is, which need not be there.
pub fn trash_in(root: &Path) -> PathBuf {
    root.join(TREES)
}

/// Returns everything in the trash of `root` and since when, the trash's own making alone.
pub fn buried_in(root: &Path) -> Result<Vec<(PathBuf, Timestamp)>, FsError> {
    let directory = trash_in(root);
    let names = names(&directory)?;
    let ours = names.iter().filter_map(|name| {
        let (_, since) = parse_name(name.to_str()?)?;
        Some((directory.join(name), since))
    });
    Ok(ours.collect())
}

/// Returns what has been in the trash of `root` for `older_than` at `now`, and what is being
/// deleted, by the name it had when it came: what [`empty_trash`] would delete.
pub fn overdue(root: &Path, older_than: Duration, now: Timestamp) -> Result<Vec<PathBuf>, FsError> {
    let directory = trash_in(root);
    let old = is_old(older_than, now);
    let mut found = Vec::new();
    for name in names(&directory)? {
        let Some(name) = name.to_str() else { continue };
        match name.strip_prefix(GOING) {
            Some(was) => found.push(directory.join(was)),
            None if old(name) && is_tree(&directory.join(name))? => {
                found.push(directory.join(name))
            }
            None => {}
        }
    }
    Ok(found)
}

/// Returns what says of a name of the trash whether that has been there for `older_than` at `now`.
fn is_old(older_than: Duration, now: Timestamp) -> impl Fn(&str) -> bool {
    move |name| parse_name(name).is_some_and(|(_, it)| now.since(it) >= older_than)
}

/// Returns whether there is something at `path`, and no link.
fn is_tree(path: &Path) -> Result<bool, FsError> {
    Ok(fs::metadata(path)?.is_some_and(|metadata| !metadata.is_symlink()))
}

/// What an emptying of the trash did.
#[derive(Debug, Default)]
pub struct Emptied {
    /// What is gone, by the name it had in the trash.
    pub gone: Vec<PathBuf>,
    /// What stays although its time has come, one error for each tree.
    pub failed: Vec<GitError>,
    /// Whether there is more, for which there was no time.
    pub unfinished: bool,
}

/// Deletes what has been in the trash of `root` for `older_than` at `now`, and the entries that
/// belong to it, for as long as `patience` lasts: whoever comes next goes on. Names that are not of
/// the trash's own making stay, and so does a tree that cannot be deleted; it is in no other's way.
pub fn empty_trash(
    root: &Path,
    older_than: Duration,
    now: Timestamp,
    patience: Duration,
) -> Result<Emptied, GitError> {
    let deadline = Deadline::after(patience);
    let directory = trash_in(root);
    let old = is_old(older_than, now);
    let mut emptied = Emptied::default();
    for name in names(&directory)? {
        let Some(name) = name.to_str() else { continue };
        emptied.failed.extend(condemn(&directory, name, &old).err());
    }
    for name in names(&directory)? {
        let Some(was) = name.to_str().and_then(|name| name.strip_prefix(GOING)) else { continue };
        match fs::remove_tree_until(&directory.join(&name), deadline) {
            Ok(true) => emptied.gone.push(directory.join(was)),
            Ok(false) => {
                emptied.unfinished = true;
                break;
            }
            Err(error) => emptied.failed.push(error.into()),
        }
    }
    Ok(emptied)
}

/// Gives a tree whose time has come the name of what is being deleted: half of it must not be
/// brought back.
fn condemn(directory: &Path, name: &str, old: &dyn Fn(&str) -> bool) -> Result<(), GitError> {
    let tree = directory.join(name);
    // What an earlier pass began keeps its name, which would grow with each that cannot end it.
    if name.starts_with(GOING) || !old(name) || !is_tree(&tree)? {
        return Ok(());
    }
    if let Some((session, _)) = parse_name(name) {
        forget_entries(&tree, session, old)?;
    }
    Ok(fs::rename(&tree, &directory.join(format!("{GOING}{name}")))?)
}

/// Deletes the old entries of a session that belong to its tree in the trash; with its last tree
/// there, those too that were put away later.
fn forget_entries(tree: &Path, session: &str, old: &dyn Fn(&str) -> bool) -> Result<(), GitError> {
    let Some(common) = common_directory(tree)? else { return Ok(()) };
    let entries = common.join(ENTRIES);
    // In this order: whatever has an entry has its tree there before.
    let parked = named(&entries, session)?;
    let trash = tree.parent().unwrap_or(tree);
    let is_last = named(trash, session)?.iter().all(|other| other == tree);
    for entry in parked {
        let is_old = entry.file_name().and_then(|name| name.to_str()).is_some_and(old);
        if is_old || (is_last && is_of(&entry, trash)?) {
            fs::remove_tree(&entry)?;
        }
    }
    fs::remove_empty_directory(&entries);
    Ok(())
}

/// Returns the common directory of the repository that a tree in the trash was of.
fn common_directory(tree: &Path) -> Result<Option<PathBuf>, FsError> {
    if let Some(admin) = linked_admin(tree)? {
        // `<common directory>/worktrees/<name>`; the entry itself is long gone.
        return Ok(admin.parent().and_then(Path::parent).map(Path::to_owned));
    }
    let common = fs::read_own(&tree.join(STANDS_IN))?;
    Ok(common.map(|common| PathBuf::from(OsStr::from_bytes(&common))))
}

/// Returns whether an entry registered a worktree beside this trash: another home may have a
/// session of the same name in the same repository.
fn is_of(entry: &Path, trash: &Path) -> Result<bool, FsError> {
    let root = trash.parent().map(settled);
    let worktree = Admin::load(entry)?.worktree;
    Ok(worktree.zip(root).is_some_and(|(worktree, root)| worktree.starts_with(root)))
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
