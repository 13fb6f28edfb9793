//! Making a worktree, in steps that a crash may interrupt anywhere.
//!
//! git itself loses worktrees when several are added at once, so [`begin_add`], [`finish_add`]
//! and the repairs want the repository's lock held by the caller; [`fill`](super::fill), which takes the
//! time, does not. From begin to finish git's own lock on the worktree reads `ao:<session>`:
//! whatever carries that mark was never handed to an agent.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::base::BranchState;
use super::command::{LONG, git, once, retried, run};
use super::entry::{Admin, linked_admin, settled};
use super::own_refs::sync_name;
use super::register::{Registered, register};
use super::trash::{park, parked};
use super::verdict::{Subject, reasons_to_keep};
use super::{GitError, Repository};
use crate::adapter::clock::Deadline;
use crate::adapter::fs;
use crate::model::id::{BranchName, SessionId};

/// A worktree to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWorktree {
    /// Where; must not exist.
    pub path: PathBuf,
    /// Its branch; detached where there is none.
    pub branch: Option<BranchName>,
    /// Whether the branch is made with it.
    pub create_branch: bool,
    /// The commit it starts at; a branch that exists starts at its own tip.
    pub base_sha: String,
    /// The session it is for.
    pub session: SessionId,
}

/// Registers the worktree and makes its branch, without files. The caller holds the lock.
///
/// Where it fails nothing of it is left.
pub fn begin_add(repo: &Repository, new: &NewWorktree) -> Result<(), GitError> {
    if fs::metadata(&new.path)?.is_some() || repo.admin_of(&new.path)?.is_some() {
        return Err(GitError::PathOccupied { path: new.path.clone() });
    }
    refuse_visible_place(repo, &new.path)?;
    check_branch(repo, new)?;
    if repo.commit(&new.base_sha)?.is_none() {
        let base = new.base_sha.clone();
        return Err(GitError::BaseNotFound { base, repo: repo.main.clone() });
    }
    if let Some(parent) = new.path.parent() {
        fs::create_own_directory(parent)?;
    }
    match register(repo, new) {
        Ok(Registered::Whole) => return Ok(()),
        Ok(Registered::Untouched) => {}
        Ok(Registered::Begun) => drop(undo_worktree(repo, new, &mut Vec::new())?),
        Err(error) => {
            undo_worktree(repo, new, &mut Vec::new())?;
            return Err(error);
        }
    }
    let command = add_command(repo, new);
    let add = || {
        once(&command, "git worktree add")?;
        fs::sync_directory(&repo.common_dir)?;
        let made = new.branch.iter().find(|_| new.create_branch);
        let sync = |branch| sync_name(&repo.common_dir, &format!("refs/heads/{branch}"));
        Ok(made.map_or(Ok(()), sync)?)
    };
    retried(|| match add() {
        Ok(()) => Ok(()),
        // Made by somebody else since it was looked for, and theirs.
        Err(GitError::Failed { stderr, .. }) if stderr.contains("a branch named ") => {
            undo_worktree(repo, new, &mut Vec::new())?;
            let branch = new.branch.as_ref().map(ToString::to_string).unwrap_or_default();
            Err(GitError::BranchExists { branch })
        }
        Err(error) => {
            // git leaves at least the branch behind, on which the next attempt would fail.
            undo_add(repo, new)?;
            Err(error)
        }
    })
}

fn add_command(repo: &Repository, new: &NewWorktree) -> crate::adapter::cmd::Cmd {
    let command = repo
        .git()
        .args(["-c", "core.fsync=all", "-c", "worktree.useRelativePaths=false"])
        .args(["worktree", "add", "--no-checkout", "--lock"])
        .args(["--reason", &format!("ao:{}", new.session)]);
    // Without `--no-track` git writes the shared configuration, and fails where another does.
    let (flags, start) = match (&new.branch, new.create_branch) {
        (Some(branch), true) => (vec!["--no-track", "-b", branch.as_str()], new.base_sha.as_str()),
        (Some(branch), false) => (vec![], branch.as_str()),
        (None, _) => (vec!["--detach"], new.base_sha.as_str()),
    };
    command.args(flags).arg("--").arg(&new.path).arg(start)
}

fn check_branch(repo: &Repository, new: &NewWorktree) -> Result<(), GitError> {
    let Some(branch) = &new.branch else { return Ok(()) };
    let name = branch.to_string();
    match (repo.branch(branch)?, new.create_branch) {
        (BranchState::Free, true) | (BranchState::Exists { .. }, false) => Ok(()),
        (BranchState::Free, false) => Err(GitError::BranchGone { branch: name, preserved: None }),
        (BranchState::Exists { .. }, true) => Err(GitError::BranchExists { branch: name }),
        (BranchState::CheckedOut { path, .. }, _) => {
            Err(GitError::BranchElsewhere { branch: name, path })
        }
    }
}

/// Refuses a place that the repository would show as untracked.
fn refuse_visible_place(repo: &Repository, path: &Path) -> Result<(), GitError> {
    let path = settled(path);
    if repo.bare || !path.starts_with(&repo.main) || path.starts_with(&repo.common_dir) {
        return Ok(());
    }
    let ignored = run(&git(&repo.main).args(["check-ignore", "--quiet", "--"]).arg(&path))?;
    if ignored.success() {
        return Ok(());
    }
    Err(GitError::InsideWorkTree { path, repo: repo.main.clone() })
}

/// Verifies the worktree and takes git's lock off it. The caller holds the lock.
pub fn finish_add(repo: &Repository, new: &NewWorktree) -> Result<(), GitError> {
    let admin = own_admin(repo, new)?;
    let path = settled(&new.path);
    let wrong = |found: String| GitError::WrongRepository {
        path: path.clone(),
        repo: repo.main.clone(),
        found,
    };
    let branch = new.branch.as_ref().map(BranchName::as_str);
    let near = repo.refs().and_then(|refs| refs.worktrees_beside(repo, &admin.dir, branch));
    let entries = near.map_or_else(|| repo.worktrees(), Ok)?;
    let entry = entries.iter().find(|entry| entry.path == path);
    let entry = entry.ok_or_else(|| wrong("git does not list it".into()))?;
    if entry.branch.as_deref() != branch {
        return Err(wrong(format!("it is on {:?}", entry.branch)));
    }
    let at_base = entry.head.as_deref() == Some(new.base_sha.as_str());
    if !at_base && (new.create_branch || branch.is_none()) {
        return Err(wrong(format!("it is at {:?}", entry.head)));
    }
    let twin = entries.iter().find(|other| other.path != path && other.branch == entry.branch);
    if let (Some(branch), Some(twin)) = (branch, twin) {
        let path = twin.path.clone();
        return Err(GitError::BranchElsewhere { branch: branch.to_owned(), path });
    }
    if admin.is_being_made_for(new.session.as_str()) {
        fs::remove_file(&admin.dir.join("locked"))?;
        fs::sync_directory(&admin.dir)?;
    }
    Ok(())
}

/// Returns the entry of the worktree, both directions of the link verified.
pub(super) fn own_admin(repo: &Repository, new: &NewWorktree) -> Result<Admin, GitError> {
    let wrong = |found: &str| GitError::WrongRepository {
        path: new.path.clone(),
        repo: repo.main.clone(),
        found: found.to_owned(),
    };
    let admin = repo.admin_of(&new.path)?.ok_or_else(|| wrong("git has not registered it"))?;
    match linked_admin(&new.path)? {
        Some(linked) if linked == settled(&admin.dir) => Ok(admin),
        Some(_) => Err(wrong("its .git file names another repository")),
        None => Err(wrong("it has no .git file")),
    }
}

/// Takes back whatever [`begin_add`], [`fill`](super::fill) and [`finish_add`] did, wherever they or this
/// were interrupted; returns what was done and what was kept. The caller holds the lock.
///
/// A worktree that was finished goes only if nothing in it could be lost; a branch only if it
/// was to be made and has no commit.
pub fn undo_add(repo: &Repository, new: &NewWorktree) -> Result<Vec<String>, GitError> {
    let mut done = Vec::new();
    super::pool::forsake(new)?;
    if !undo_worktree(repo, new, &mut done)? {
        return Ok(done);
    }
    if let Some(branch) = new.branch.as_ref().filter(|_| new.create_branch) {
        undo_branch(repo, branch, &new.base_sha, &mut done)?;
    }
    Ok(done)
}

/// Returns whether no worktree is left.
pub(super) fn undo_worktree(
    repo: &Repository,
    new: &NewWorktree,
    done: &mut Vec<String>,
) -> Result<bool, GitError> {
    let shown = new.path.display();
    let admin = leftover_admin(repo, new)?;
    let exists = fs::metadata(&new.path)?.is_some();
    let admin = match admin {
        None if exists => match half_undone(repo, new)? {
            Some(HalfUndone::InSight(admin)) => Some(admin),
            Some(HalfUndone::Decided(parked)) => {
                remove_parked(new, &parked, true, done)?;
                return Ok(true);
            }
            None => None,
        },
        admin => admin,
    };
    let Some(admin) = admin else {
        if exists && !fs::remove_empty_directory(&new.path) && !is_stub(repo, &new.path)? {
            done.push(format!("kept {shown}: git has not registered it"));
            return Ok(false);
        }
        if exists {
            fs::remove_tree(&new.path)?;
            done.push(format!("removed {shown}"));
        }
        return Ok(true);
    };
    if exists && !is_unfinished(&admin, new) && !is_stub(repo, &new.path)? {
        let subject = Subject::of_new(repo, new);
        let reasons = reasons_to_keep(&subject, &admin, Deadline::after(LONG));
        if !reasons.is_empty() {
            done.extend(reasons.iter().map(|reason| format!("kept {shown}: {reason}")));
            return Ok(false);
        }
    }
    // Unregistered first: what git still knows as a worktree is never deleted by hand.
    let parked = park(repo, &admin, new.session.as_str())?;
    done.push(format!("removed the registration of {shown}"));
    if exists && !is_unfinished(&admin, new) {
        // Whoever finds half a tree must know that it was to go.
        let mark = format!("ao:{}", new.session);
        fs::replace(&parked.join("locked"), mark.as_bytes(), fs::Durability::PowerCut)?;
    }
    remove_parked(new, &parked, exists, done)?;
    Ok(true)
}

/// Removes the tree whose entry is out of git's sight, and then the entry.
fn remove_parked(
    new: &NewWorktree,
    parked: &Path,
    exists: bool,
    done: &mut Vec<String>,
) -> Result<(), GitError> {
    if exists {
        fs::remove_tree(&new.path)?;
        done.push(format!("removed {}", new.path.display()));
    }
    Ok(fs::remove_tree(parked)?)
}

/// What an undoing left that was interrupted after it had taken the entry out of git's sight.
enum HalfUndone {
    /// The tree was to go: the entry that waits says so.
    Decided(PathBuf),
    /// The tree is whole; its entry is back in git's sight, and all is to be decided afresh.
    InSight(Admin),
}

/// Returns what an interrupted undoing left of the worktree, `None` where none was.
fn half_undone(repo: &Repository, new: &NewWorktree) -> Result<Option<HalfUndone>, GitError> {
    let path = settled(&new.path);
    for entry in parked(repo, new.session.as_str())?.into_iter().rev() {
        let admin = Admin::load(&entry)?;
        if admin.worktree.as_deref() != Some(path.as_path()) {
            continue;
        }
        if is_unfinished(&admin, new) {
            return Ok(Some(HalfUndone::Decided(entry)));
        }
        let root = repo.admin_root();
        let own = settled(&root);
        let linked = linked_admin(&new.path)?.filter(|it| it.parent() == Some(own.as_path()));
        let Some(place) = linked else { continue };
        if fs::metadata(&place)?.is_none() {
            fs::create_directories(&root)?;
            fs::rename(&entry, &place)?;
            return Ok(Some(HalfUndone::InSight(Admin::load(&place)?)));
        }
    }
    Ok(None)
}

/// Returns whether no agent can have been in the worktree: nobody took the mark off.
fn is_unfinished(admin: &Admin, new: &NewWorktree) -> bool {
    admin.is_being_made_for(new.session.as_str()) || admin.locked.as_deref() == Some("initializing")
}

/// Returns the entry of the worktree, however little of it was written.
fn leftover_admin(repo: &Repository, new: &NewWorktree) -> Result<Option<Admin>, GitError> {
    let path = settled(&new.path);
    let admins = repo.admins()?;
    if let Some(admin) = admins.iter().find(|admin| admin.worktree.as_deref() == Some(&path)) {
        return Ok(Some(admin.clone()));
    }
    // Without its `gitdir` an entry is told by its mark, or by the name git gives it.
    let named = |admin: &&Admin| Some(admin.name.as_os_str()) == new.path.file_name();
    let ours = |admin: &&Admin| match admin.locked.as_deref() {
        None | Some("" | "initializing") => named(admin),
        Some(_) => admin.is_being_made_for(new.session.as_str()),
    };
    Ok(admins.iter().filter(|admin| admin.worktree.is_none()).find(ours).cloned())
}

/// Returns whether `path` holds nothing but a `.git` file of this repository, or the beginning of
/// one: whoever wrote it may have been killed.
pub(super) fn is_stub(repo: &Repository, path: &Path) -> Result<bool, GitError> {
    if fs::names(path)? != [".git"] {
        return Ok(false);
    }
    let root = repo.admin_root();
    let line = [b"gitdir: ", root.as_os_str().as_bytes()].concat();
    let file = path.join(".git");
    if fs::metadata(&file)?.is_some_and(|metadata| metadata.is_file())
        && fs::read_own(&file)?.is_some_and(|bytes| line.starts_with(&bytes))
    {
        return Ok(true);
    }
    Ok(linked_admin(path)?.is_some_and(|admin| admin.starts_with(settled(&root))))
}

fn undo_branch(
    repo: &Repository,
    branch: &BranchName,
    base_sha: &str,
    done: &mut Vec<String>,
) -> Result<(), GitError> {
    // Only the making of this very branch can have left it.
    if let Some(lock) = repo.clear_lock_of_the_dead(&format!("refs/heads/{branch}"))? {
        done.push(format!("removed the stale {}", lock.display()));
    }
    match repo.branch(branch)? {
        BranchState::Free => {}
        BranchState::Exists { sha } if sha == base_sha => {
            repo.delete_ref(&format!("refs/heads/{branch}"), &sha)?;
            done.push(format!("removed branch {branch}"));
        }
        BranchState::Exists { .. } => done.push(format!("kept branch {branch}: it has commits")),
        BranchState::CheckedOut { path, .. } => {
            done.push(format!("kept branch {branch}: it is checked out in {}", path.display()));
        }
    }
    Ok(())
}

/// Takes away the half-written entries that make git fail in the whole repository, of those
/// that `ours` says yes to; returns what was done. The caller holds the lock and knows that no
/// `git worktree add` of the owner runs.
pub fn repair_bricked(
    repo: &Repository,
    ours: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, GitError> {
    let mut done = Vec::new();
    for admin in repo.admins()?.into_iter().filter(|admin| admin.bricked) {
        let name = admin.name.to_string_lossy().into_owned();
        let reason = admin.locked.as_deref().unwrap_or_default();
        let unfinished = reason == "initializing" || reason.starts_with("ao:");
        if unfinished && ours(&name) {
            fs::remove_tree(&park(repo, &admin, &name)?)?;
            done.push(format!("removed the half-written entry {}", admin.dir.display()));
        }
    }
    Ok(done)
}
