//! Removing a worktree and its branch, and bringing them back.

use std::path::{Path, PathBuf};

use super::base::BranchState;
use super::command::{git, read, run, unreadable};
use super::entry::{Admin, linked_admin, settled};
use super::fill;
use super::status::verify;
use super::trash::{self, buried, bury, park, parked, stand_in};
use super::verdict::is_inside;
use super::worktree::{NewWorktree, begin_add, finish_add, is_stub, undo_worktree};
use super::{GitError, Repository};
use crate::adapter::fs;
use crate::model::id::{BranchName, SessionId};
use crate::model::record::WorkspaceHandle;
use crate::model::time::Timestamp;

/// Where a removed worktree waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its directory in the trash; none where somebody had deleted it already.
    pub trash: Option<PathBuf>,
}

/// What became of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchFate {
    /// It is deleted.
    Deleted {
        /// Where it was.
        sha: String,
    },
    /// It stays; the text says why.
    Kept(String),
    /// There is none.
    Absent,
}

/// Moves the worktree into `<root>/.trash`, then takes its entry out of git's sight; nothing is
/// deleted. The caller holds the lock and has asked [`assess`](super::assess).
///
/// Interrupted anywhere, doing it again finishes it.
pub fn remove(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    root: &Path,
) -> Result<Removed, GitError> {
    let path = &handle.path;
    let wrong = |found: &str| {
        let found = found.to_owned();
        GitError::WrongRepository { path: path.clone(), repo: repo.main.clone(), found }
    };
    if !handle.owned || !is_inside(root, path)? {
        return Err(wrong("it is not below the root of ao's worktrees"));
    }
    let admin = repo.admin_of(path)?;
    if let Some(admin) = &admin {
        refuse_locked(admin, path, session)?;
    }
    if fs::metadata(path)?.is_some() {
        if admin.is_none() {
            return Err(wrong("git has not registered it"));
        }
        verify(repo, handle)?;
        bury(root, path, session)?;
    } else if admin.is_some() {
        stand_in(root, session, repo)?;
    }
    if let Some(admin) = admin {
        park(repo, &admin, session.as_str())?;
    }
    Ok(Removed { trash: buried(root, session)?.pop() })
}

/// Takes the entry away of a worktree that [`retire`](super::retire) has moved: nothing is left that
/// it could be brought back for. The caller holds the lock.
pub fn unregister(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
) -> Result<(), GitError> {
    if let Some(admin) = repo.admin_of(&handle.path)? {
        fs::remove_tree(&park(repo, &admin, session.as_str())?)?;
    }
    Ok(())
}

fn refuse_locked(admin: &Admin, path: &Path, session: &SessionId) -> Result<(), GitError> {
    match &admin.locked {
        Some(reason) if !admin.is_being_made_for(session.as_str()) => {
            Err(GitError::Locked { path: path.to_owned(), reason: reason.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

/// Deletes the branch of `handle` if `ao` made it and its commits are elsewhere: in the base, in
/// a remote, under `refs/ao/merged` or, with `preserved`, under `refs/ao/preserved`. The caller
/// holds the lock.
pub fn delete_branch(
    repo: &Repository,
    handle: &WorkspaceHandle,
    preserved: bool,
) -> Result<BranchFate, GitError> {
    let Some(branch) = &handle.branch else { return Ok(BranchFate::Absent) };
    if !handle.branch_created {
        return Ok(BranchFate::Kept("ao did not make it".into()));
    }
    match repo.branch(branch)? {
        BranchState::Free => return Ok(BranchFate::Absent),
        BranchState::CheckedOut { path, .. } => {
            return Ok(BranchFate::Kept(format!("it is checked out in {}", path.display())));
        }
        BranchState::Exists { .. } => {}
    }
    let Some(sha) = repo.branch_is_spare(handle, preserved)? else {
        return Ok(BranchFate::Kept(
            "it has commits that are neither in its base nor pushed".into(),
        ));
    };
    repo.delete_ref(&format!("refs/heads/{branch}"), &sha)?;
    // Left behind, it would give the next branch of this name somebody else's upstream.
    if repo.may_configure(branch.as_str()) {
        let section = format!("branch.{branch}");
        let command = repo.git_to_its_end().args(["config", "--remove-section", &section]);
        let _ = read(&command, "git config");
    }
    Ok(BranchFate::Deleted { sha })
}

impl Repository {
    /// Returns whether the repository's own configuration may have a section for a branch.
    fn may_configure(&self, branch: &str) -> bool {
        let text = fs::read_optional(&self.common_dir.join("config")).ok().flatten();
        let names_it = |text: &str| text.to_lowercase().contains(&branch.to_lowercase());
        // Quotes are written differently there.
        branch.contains('"') || text.is_none_or(|text| names_it(&String::from_utf8_lossy(&text)))
    }

    /// Returns the tip of the branch if `ao` made it and every commit of it is elsewhere.
    pub(super) fn branch_is_spare(
        &self,
        handle: &WorkspaceHandle,
        preserved: bool,
    ) -> Result<Option<String>, GitError> {
        const WHAT: &str = "git rev-list";
        let Some(branch) = handle.branch.as_ref().filter(|_| handle.branch_created) else {
            return Ok(None);
        };
        let own = format!("refs/heads/{branch}");
        let Some(tip) = self.commit(&own)? else { return Ok(None) };
        let mut elsewhere = vec!["--remotes".to_owned(), "--glob=refs/ao/merged/*".to_owned()];
        if preserved {
            elsewhere.push("--glob=refs/ao/preserved/*".to_owned());
        }
        elsewhere.extend(self.bases(handle)?);
        if elsewhere.contains(&tip) {
            return Ok(Some(tip));
        }
        let command = self.git().args(["rev-list", "--count", &tip, "--not"]).args(elsewhere);
        let text = read(&command.arg("--"), WHAT)?.text();
        match text.parse::<u64>() {
            Ok(count) => Ok((count == 0).then_some(tip)),
            Err(_) => Err(unreadable(WHAT, text.as_bytes())),
        }
    }
}

/// Makes the worktree of `handle` be there: as it is, out of the trash, or checked out again
/// from its branch. What went to the trash before `since` is of an earlier session of the same
/// name. The caller holds the lock.
pub fn restore_worktree(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    since: Option<Timestamp>,
) -> Result<(), GitError> {
    undo_restore(repo, handle, session)?;
    if fs::metadata(&handle.path)?.is_some() {
        if let Some(waiting) = entry_for(repo, handle, session, since, &handle.path)? {
            readmit(repo, handle, &waiting)?;
        }
        verify(repo, handle)?;
        return make_index(handle);
    }
    if let Some(tree) = tree_in_trash(repo, handle, session, since)? {
        return unbury(repo, handle, session, since, &tree);
    }
    if let Some(admin) = repo.admin_of(&handle.path)? {
        refuse_locked(&admin, &handle.path, session)?;
        if let Some(root) = handle.path.ancestors().nth(2) {
            stand_in(root, session, repo)?;
        }
        park(repo, &admin, session.as_str())?;
    }
    let new = again(repo, handle, session)?;
    begin_add(repo, &new)?;
    fill::fill(repo, &new, None)?;
    finish_add(repo, &new)
}

/// Returns whether a [`restore_worktree`] was interrupted: the entry is there and the directory is
/// not, or nothing but what the interrupted one made is in it.
pub fn is_half_restored(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
) -> Result<bool, GitError> {
    let admin = repo.admin_of(&handle.path)?;
    if fs::metadata(&handle.path)?.is_none() {
        return Ok(admin.is_some());
    }
    match admin {
        Some(admin) => Ok(admin.is_being_made_for(session.as_str())),
        None => Ok(fs::is_empty(&handle.path)? || is_stub(repo, &handle.path)?),
    }
}

/// Takes back what a [`restore_worktree`] did that was interrupted: what was in the trash is there
/// again. A worktree that was there before stays as it is. The caller holds the lock.
pub fn undo_restore(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
) -> Result<(), GitError> {
    if !is_half_restored(repo, handle, session)? {
        return Ok(());
    }
    if fs::metadata(&handle.path)?.is_none() {
        let Some(admin) = repo.admin_of(&handle.path)? else { return Ok(()) };
        refuse_locked(&admin, &handle.path, session)?;
        park(repo, &admin, session.as_str())?;
        return Ok(());
    }
    let new = NewWorktree {
        path: handle.path.clone(),
        branch: handle.branch.clone(),
        // The branch has what the session did.
        create_branch: false,
        base_sha: handle.base_sha.clone().unwrap_or_default(),
        session: session.clone(),
    };
    undo_worktree(repo, &new, &mut Vec::new()).map(drop)
}

/// Checks, changing nothing, whether [`restore_worktree`] has something to restore from.
pub fn require_restorable(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    since: Option<Timestamp>,
) -> Result<(), GitError> {
    let half = is_half_restored(repo, handle, session)?;
    if !half && fs::metadata(&handle.path)?.is_some() {
        return match entry_for(repo, handle, session, since, &handle.path)? {
            Some(_) => Ok(()),
            None => verify(repo, handle),
        };
    }
    match tree_in_trash(repo, handle, session, since)? {
        Some(_) => Ok(()),
        None => match again(repo, handle, session) {
            // Its own registration outlived its directory; a restore puts that one away first.
            Err(GitError::BranchElsewhere { path, .. }) if path == handle.path => Ok(()),
            other => other.map(drop),
        },
    }
}

/// Returns what to add for a worktree that is gone.
fn again(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
) -> Result<NewWorktree, GitError> {
    let gone = |branch: String| -> Result<NewWorktree, GitError> {
        Err(GitError::BranchGone { branch, preserved: preserved_ref(repo, session)? })
    };
    let mut create_branch = false;
    let base_sha = match &handle.branch {
        Some(branch) => match repo.branch(branch)? {
            BranchState::Exists { sha } => sha,
            BranchState::Free => match lasting_tip(repo, handle)? {
                Some(tip) => {
                    create_branch = true;
                    tip
                }
                None => return gone(branch.to_string()),
            },
            BranchState::CheckedOut { path, .. } => {
                return Err(GitError::BranchElsewhere { branch: branch.to_string(), path });
            }
        },
        None => match &handle.base_sha {
            Some(sha) => sha.clone(),
            None => return gone("(detached)".to_owned()),
        },
    };
    Ok(NewWorktree {
        path: handle.path.clone(),
        branch: handle.branch.clone(),
        create_branch,
        base_sha,
        session: session.clone(),
    })
}

/// Returns where the branch was when its workspace went into the pool, if that is still a commit.
fn lasting_tip(repo: &Repository, handle: &WorkspaceHandle) -> Result<Option<String>, GitError> {
    handle.tip.as_deref().map_or(Ok(None), |tip| repo.commit(tip))
}

fn preserved_ref(repo: &Repository, session: &SessionId) -> Result<Option<String>, GitError> {
    let pattern = format!("refs/ao/preserved/{session}");
    let known = repo.commit(&pattern)?;
    Ok(known.map(|_| pattern))
}

/// Returns the latest tree of `session` in a trash above its old place, if it is this
/// repository's.
fn tree_in_trash(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    since: Option<Timestamp>,
) -> Result<Option<PathBuf>, GitError> {
    if handle.tip.is_some() {
        // Its last workspace went into the pool: what is in the trash is an older one.
        return Ok(None);
    }
    let root = settled(&repo.admin_root());
    for ancestor in handle.path.ancestors().skip(1) {
        for tree in buried(ancestor, session)?.into_iter().rev() {
            if is_since(&tree, since)
                && linked_admin(&tree)?.is_some_and(|admin| admin.parent() == Some(root.as_path()))
            {
                return Ok(Some(tree));
            }
        }
    }
    Ok(None)
}

/// Returns whether something went to the trash at `since` or later.
fn is_since(path: &Path, since: Option<Timestamp>) -> bool {
    since.is_none_or(|since| trash::since(path).is_some_and(|at| at >= since))
}

/// Moves entry and tree back, in the reverse order of [`remove`].
fn unbury(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    since: Option<Timestamp>,
    tree: &Path,
) -> Result<(), GitError> {
    let admin = linked_admin(tree)?.unwrap_or_default();
    let is_there = fs::metadata(&admin)?.is_some();
    if is_there && Admin::load(&admin)?.worktree.as_deref() != Some(&settled(&handle.path)) {
        // Another worktree has its name by now.
        return unbury_without_entry(repo, handle, session, tree);
    }
    if !is_there {
        let Some(waiting) = entry_for(repo, handle, session, since, tree)? else {
            return unbury_without_entry(repo, handle, session, tree);
        };
        readmit(repo, handle, &waiting)?;
    }
    if let Some(parent) = handle.path.parent() {
        fs::create_own_directory(parent)?;
    }
    fs::rename(tree, &handle.path)?;
    if let Some(parent) = handle.path.parent() {
        fs::sync_directory(parent)?;
    }
    verify(repo, handle)?;
    make_index(handle)
}

/// An entry that is out of git's sight.
struct Waiting {
    entry: PathBuf,
    /// Where git had it.
    place: PathBuf,
}

/// Returns the entry that waits for the files at `tree`, if the one that these name is away.
fn entry_for(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    since: Option<Timestamp>,
    tree: &Path,
) -> Result<Option<Waiting>, GitError> {
    let Some(place) = linked_admin(tree)? else { return Ok(None) };
    let is_ours = place.parent() == Some(settled(&repo.admin_root()).as_path());
    if !is_ours || fs::metadata(&place)?.is_some() {
        return Ok(None);
    }
    let entry = whole_entry(repo, handle, session, since)?;
    Ok(entry.map(|entry| Waiting { entry, place }))
}

/// Puts an entry back, and its branch where that is gone.
fn readmit(repo: &Repository, handle: &WorkspaceHandle, waiting: &Waiting) -> Result<(), GitError> {
    restore_branch(repo, handle, &waiting.entry)?;
    fs::create_private_directories(&repo.admin_root())?;
    fs::rename(&waiting.entry, &waiting.place)?;
    Ok(fs::sync_directory(&repo.admin_root())?)
}

/// Makes the index where there is none: that of a tree whose entry was lost. It is made aside, so
/// that no lock of git's own can be left where others look for it.
fn make_index(handle: &WorkspaceHandle) -> Result<(), GitError> {
    let Some(admin) = linked_admin(&handle.path)? else { return Ok(()) };
    if fs::metadata(&admin.join("index"))?.is_some() {
        return Ok(());
    }
    let aside = admin.join("ao-index");
    for left in [aside.clone(), aside.with_extension("lock")] {
        fs::remove_file(&left)?;
    }
    let command = git(&handle.path).deadline(super::command::LONG).env("GIT_INDEX_FILE", &aside);
    read(&command.clone().args(["read-tree", "HEAD"]), "git read-tree")?;
    // It fails where a file is not as committed, which is for the session to see.
    run(&command.args(["update-index", "-q", "--refresh"]))?;
    Ok(fs::rename(&aside, &admin.join("index"))?)
}

/// Returns the latest entry in the trash that registered the worktree and is not half-written, by
/// git or by a restore that was taken back.
fn whole_entry(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    since: Option<Timestamp>,
) -> Result<Option<PathBuf>, GitError> {
    let mut entries = parked(repo, session.as_str())?;
    entries.retain(|entry| is_since(entry, since));
    for entry in entries.into_iter().rev() {
        let admin = Admin::load(&entry)?;
        let head = fs::read_optional(&entry.join("HEAD"))?.unwrap_or_default();
        let registers = admin.worktree.as_deref() == Some(settled(&handle.path).as_path());
        let is_half_made = admin.bricked || admin.is_being_made_for(session.as_str());
        if registers && !is_half_made && !head.is_empty() {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Makes the branch again where `ao` deleted it after the removal, from the entry's own log.
fn restore_branch(
    repo: &Repository,
    handle: &WorkspaceHandle,
    entry: &Path,
) -> Result<(), GitError> {
    let Some(branch) = &handle.branch else { return Ok(()) };
    match repo.branch(branch)? {
        BranchState::Exists { .. } => Ok(()),
        BranchState::CheckedOut { path, .. } => {
            Err(GitError::BranchElsewhere { branch: branch.to_string(), path })
        }
        BranchState::Free => {
            let log = fs::read_optional(&entry.join("logs/HEAD"))?.unwrap_or_default();
            let tip = last_in(&log).map(|tip| repo.commit(&tip)).transpose()?.flatten();
            let Some(tip) = tip else { return Err(branch_gone(branch)) };
            repo.create_ref(&format!("refs/heads/{branch}"), &tip)
        }
    }
}

/// Returns the commit to which the last line of a log leads; a word that is no hash would mean
/// some branch.
pub(super) fn last_in(log: &[u8]) -> Option<String> {
    let log = String::from_utf8_lossy(log);
    let tip = log.lines().last()?.split(' ').nth(1)?;
    let is_hash = tip.len() >= 40 && tip.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| tip.to_owned())
}

fn branch_gone(branch: &BranchName) -> GitError {
    GitError::BranchGone { branch: branch.to_string(), preserved: None }
}

/// Registers the place again and puts the tree's files there; the index is made from the branch,
/// so every difference shows as uncommitted.
fn unbury_without_entry(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    tree: &Path,
) -> Result<(), GitError> {
    let new = again(repo, handle, session)?;
    begin_add(repo, &new)?;
    let link = fs::read(&handle.path.join(".git"))?;
    fs::replace(&tree.join(".git"), &link, fs::Durability::PowerCut)?;
    fs::remove_file(&handle.path.join(".git"))?;
    fs::remove_empty_directory(&handle.path);
    // Without the mark of what is being made: what comes there is not to be taken back.
    if let Some(admin) = linked_admin(tree)? {
        fs::remove_file(&admin.join("locked"))?;
    }
    fs::rename(tree, &handle.path)?;
    make_index(handle)?;
    finish_add(repo, &new)
}
