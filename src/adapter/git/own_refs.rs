//! Making and deleting refs that are `ao`'s own: the branches of sessions, and what is below
//! `refs/ao`.
//!
//! A git that is killed in the wrong moment leaves its lock on the ref for ever. Here, and for
//! these refs alone, such a lock is taken away once it is certain that nobody holds it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::read;
use super::{GitError, Repository};
use crate::adapter::clock::Deadline;
use crate::adapter::cmd::Cmd;
use crate::adapter::fs::{self, FsError};
use crate::adapter::{clock, process};

/// How old a lock has to be at the least. git holds one for milliseconds.
const STALE_AFTER: Duration = Duration::from_secs(1);

impl Repository {
    /// Creates a ref of ours that does not exist.
    pub(super) fn create_ref(&self, name: &str, sha: &str) -> Result<(), GitError> {
        let null = "0".repeat(sha.len());
        self.change_own_ref(name, &[name, sha, &null])?;
        Ok(sync_name(&self.common_dir, name)?)
    }

    /// Deletes a ref of ours that is at `sha`, and none that has moved on.
    pub(super) fn delete_ref(&self, name: &str, sha: &str) -> Result<(), GitError> {
        let deleted = self.change_own_ref(name, &["-d", name, sha]);
        match deleted {
            // The git of one that was killed came first.
            Err(GitError::Failed { .. }) if self.commit_by_git(name)?.is_none() => Ok(()),
            result => result,
        }
    }

    fn change_own_ref(&self, name: &str, args: &[&str]) -> Result<(), GitError> {
        const WHAT: &str = "git update-ref";
        let command: Cmd = self.git_to_its_end();
        let command = command.args(["-c", "core.fsync=all", "update-ref"]).args(args);
        match read(&command, WHAT) {
            Err(GitError::Failed { stderr, .. })
                if is_held(&stderr, name) && self.clear_stale_lock(name)? =>
            {
                read(&command, WHAT).map(drop)
            }
            result => result.map(drop),
        }
    }

    /// Takes away the lock of a ref that nobody holds any more; `false` where somebody may.
    fn clear_stale_lock(&self, name: &str) -> Result<bool, GitError> {
        let lock = self.common_dir.join(format!("{name}.lock"));
        let Some(metadata) = fs::metadata(&lock)? else { return Ok(true) };
        let age = fs::modified(&metadata).map(|since| clock::now().since(since));
        if age.is_none_or(|age| age < STALE_AFTER) || self.a_git_is_at_work()? {
            return Ok(false);
        }
        tracing::warn!("removing {}, which a killed git left", lock.display());
        fs::remove_file(&lock)?;
        Ok(true)
    }

    /// Takes away the lock of a ref of ours that nobody but who was killed can have made, once no
    /// git is at work that could be his; returns it where there was one. The caller holds the lock
    /// of the repository, without which no `ao` makes such a ref.
    pub(super) fn clear_lock_of_the_dead(&self, name: &str) -> Result<Option<PathBuf>, GitError> {
        const PATIENCE: Duration = Duration::from_secs(2);
        let lock = self.common_dir.join(format!("{name}.lock"));
        if fs::metadata(&lock)?.is_none() {
            return Ok(None);
        }
        let mut looked = Ok(true);
        clock::poll_until(Deadline::after(PATIENCE), || {
            looked = a_git_is_in(self.seats());
            (!matches!(looked, Ok(true))).then_some(())
        });
        if looked? && fs::metadata(&lock)?.is_some() {
            // What the caller does with the ref tells of it.
            return Ok(None);
        }
        fs::remove_file(&lock)?;
        Ok(Some(lock))
    }

    /// Returns whether any git stands in one of the worktrees, stopped ones included.
    fn a_git_is_at_work(&self) -> Result<bool, GitError> {
        let linked = self.admins()?.into_iter().filter_map(|admin| admin.worktree);
        a_git_is_in(linked.chain(self.seats()))
    }

    /// Returns where a git of [`Repository::git`] stands.
    fn seats(&self) -> [PathBuf; 2] {
        [self.main.clone(), self.common_dir.clone()]
    }
}

/// Makes the name of a ref survive a power cut: git syncs what it writes, but no directory.
pub(super) fn sync_name(common_dir: &Path, name: &str) -> Result<(), FsError> {
    // That one is there from the beginning.
    let is_branch = name.starts_with("refs/heads/");
    let top = common_dir.join(if is_branch { "refs/heads" } else { "refs" });
    let file = common_dir.join(name);
    if fs::metadata(&file)?.is_none() {
        // It is in a file, or a table, with others.
        return Ok(());
    }
    let mut folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(&top));
    folders.try_for_each(fs::sync_directory)
}

fn a_git_is_in(places: impl IntoIterator<Item = PathBuf>) -> Result<bool, GitError> {
    for place in places {
        let list = |source| GitError::Fs(FsError::at("look for processes in", &place)(source));
        let inside = process::inside(&place).map_err(list)?;
        if inside.iter().any(|(_, name)| name.starts_with("git")) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether git says that the ref is locked by somebody.
fn is_held(stderr: &str, name: &str) -> bool {
    stderr.contains(&format!("{name}.lock': File exists"))
}
