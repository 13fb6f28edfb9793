//! Moving a branch to what was merged: compare and swap where nobody has it checked out, and
//! git's own fast-forward, which touches no local change, where somebody has.

use std::path::{Path, PathBuf};

use super::Target;
use crate::adapter::clock;
use crate::adapter::fs;
use crate::adapter::git::command::{LONG, failed, git_to_its_end, last_word, once, retried, run};
use crate::adapter::git::entry::linked_admin;
use crate::adapter::git::own_refs::sync_name;
use crate::adapter::git::preserve::{publish, quoted};
use crate::adapter::git::verdict::in_progress;
use crate::adapter::git::{GitError, Repository};
use crate::model::id::SessionId;

/// A branch that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// The worktree whose files followed.
    pub worktree: Option<PathBuf>,
    /// A shell command that takes it back.
    pub undo: String,
}

/// Returns the worktree that has `target` checked out, checked for what would stand in the way of
/// its files; nothing is changed.
pub fn place_to_land(repo: &Repository, target: &Target) -> Result<Option<PathBuf>, GitError> {
    if !target.local {
        return Err(GitError::NotLocal { target: target.name.clone() });
    }
    let mut dirs: Vec<PathBuf> = vec![repo.common_dir.clone()];
    dirs.extend(repo.admins()?.into_iter().map(|admin| admin.dir));
    for dir in dirs {
        for head_name in ["rebase-merge/head-name", "rebase-apply/head-name"] {
            let name = fs::read_optional(&dir.join(head_name))?.unwrap_or_default();
            if String::from_utf8_lossy(&name).trim() == target.full_name {
                let why = format!("a rebase of `{}` is in progress", target.name);
                return Err(GitError::WorktreeBusy { path: dir, why });
            }
        }
    }
    let has_it = |entry: &super::super::WorktreeEntry| {
        entry.branch.as_deref() == Some(target.name.as_str()) && entry.prunable.is_none()
    };
    let mut holders = repo.worktrees()?.into_iter().filter(has_it).map(|entry| entry.path);
    let Some(path) = holders.next() else { return Ok(None) };
    if let Some(other) = holders.next() {
        let why = format!("`{}` is checked out in {} as well", target.name, other.display());
        return Err(GitError::WorktreeBusy { path, why });
    }
    if repo.bare && path == repo.main {
        // A bare repository's HEAD is no check-out.
        return Ok(None);
    }
    let git_dir = linked_admin(&path)?.unwrap_or_else(|| repo.common_dir.clone());
    if let Some(what) = in_progress(&git_dir)?.first() {
        return Err(GitError::WorktreeBusy { path, why: format!("a {what} is in progress") });
    }
    Ok(Some(path))
}

/// Moves `target` from where it was looked at to `new`, a descendant of that. The caller holds
/// the lock.
///
/// Local changes stay as they are; where they, or files git does not know, are in the way, nothing
/// is changed. Killed at any instruction, the branch has moved, with its files, or it has not.
pub fn land(repo: &Repository, target: &Target, new: &str) -> Result<Landed, GitError> {
    let moved = || GitError::TargetMoved { branch: target.name.clone() };
    let worktree = place_to_land(repo, target)?;
    if repo.commit(&target.full_name)?.as_deref() != Some(target.sha.as_str()) {
        return Err(moved());
    }
    let undo = match &worktree {
        Some(path) => {
            fast_forward(repo, target, path, new)?;
            format!("git -C {} reset --keep {}", quoted(path), target.sha)
        }
        None => {
            swap(repo, target, new)?;
            let (main, name, old) = (quoted(&repo.main), &target.full_name, &target.sha);
            format!("git -C {main} update-ref {name} {old} {new}")
        }
    };
    if repo.commit(&target.full_name)?.as_deref() == Some(new) {
        // Whoever is told of it may have the session's own branch deleted.
        sync_name(&repo.common_dir, &target.full_name)?;
        Ok(Landed { worktree, undo })
    } else {
        Err(moved())
    }
}

/// Gives the tip of a branch that was squashed or rebased a name of its own, so that the branch
/// can go; returns the name.
pub fn keep_merged(repo: &Repository, session: &SessionId, head: &str) -> Result<String, GitError> {
    publish(repo, "merged", session, head)
}

/// Takes the name back that [`keep_merged`] gave, where nothing was merged after all.
pub fn forget_merged(repo: &Repository, name: &str, head: &str) -> Result<(), GitError> {
    repo.delete_ref(name, head)
}

fn swap(repo: &Repository, target: &Target, new: &str) -> Result<(), GitError> {
    const WHAT: &str = "git update-ref";
    let command = repo.git_to_its_end();
    let command = command.args(["-c", "core.fsync=all", "update-ref", "-m", "ao: merge"]);
    let command = command.args([target.full_name.as_str(), new, &target.sha]);
    match retried(|| once(&command, WHAT)) {
        Ok(_) => Ok(()),
        Err(GitError::Failed { stderr, .. }) if stderr.contains("but expected") => {
            Err(GitError::TargetMoved { branch: target.name.clone() })
        }
        Err(error) => Err(error),
    }
}

/// Takes the worktree along. The child is left to end by itself where this process is killed:
/// stopped half way, files and branch would not belong together.
fn fast_forward(
    repo: &Repository,
    target: &Target,
    path: &Path,
    new: &str,
) -> Result<(), GitError> {
    const WHAT: &str = "git merge --ff-only";
    // The configuration may ask for more than a fast-forward: stashing, signatures, squashing. And
    // an ignored file may be all there is of what it holds.
    let flags = ["--ff-only", "--no-autostash", "--no-verify-signatures", "--no-squash"];
    let flags = flags.into_iter().chain(["--no-overwrite-ignore"]);
    let command = git_to_its_end(path)
        .deadline(LONG)
        .env("GIT_OPTIONAL_LOCKS", "1")
        .args(["-c", "core.fsync=all", "merge", "--quiet", "--no-stat", "--no-progress"])
        .args(flags)
        .arg(new);
    let mut refusal = None;
    let ran = retried(|| {
        let output = run(&command)?;
        if output.success() {
            return Ok(());
        }
        refusal = Some(output.stderr.clone());
        Err(failed(WHAT, &output))
    });
    let (Err(error), Some(stderr)) = (&ran, refusal) else { return ran };
    if repo.commit(&target.full_name)?.as_deref() != Some(target.sha.as_str()) {
        return Err(GitError::TargetMoved { branch: target.name.clone() });
    }
    let files = overwritten(&stderr);
    if !files.is_empty() {
        return Err(GitError::WouldOverwrite { path: path.to_owned(), files });
    }
    let git_dir = linked_admin(path)?.unwrap_or_else(|| repo.common_dir.clone());
    if let Some(age) = lock_age(&git_dir)? {
        let why = format!("git holds index.lock{age}");
        return Err(GitError::WorktreeBusy { path: path.to_owned(), why });
    }
    if matches!(error, GitError::Failed { .. }) {
        let why = last_word(&stderr);
        return Err(GitError::WorktreeBusy { path: path.to_owned(), why });
    }
    ran
}

/// Returns the files that git names, one to a line that a tab begins, or in quotes.
fn overwritten(stderr: &str) -> Vec<String> {
    let listed = stderr.lines().filter_map(|line| line.strip_prefix('\t'));
    let mut files: Vec<String> = listed.map(|file| file.trim_end().to_owned()).collect();
    if files.is_empty() {
        let entry = |line: &str| {
            let rest = line.strip_prefix("error: Entry '")?;
            Some(rest.split_once("' ")?.0.to_owned())
        };
        files = stderr.lines().filter_map(entry).collect();
    }
    files
}

/// Returns how old the lock on an index is, as words, where there is one.
pub(super) fn lock_age(git_dir: &Path) -> Result<Option<String>, GitError> {
    let Some(metadata) = fs::metadata(&git_dir.join("index.lock"))? else { return Ok(None) };
    let age = fs::modified(&metadata).map(|since| clock::now().since(since));
    Ok(Some(age.map_or_else(String::new, |age| {
        let seconds = std::time::Duration::from_secs(age.as_secs());
        format!(", {} old", humantime::format_duration(seconds))
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::target;

    #[test]
    fn fuzz_git_overwritten() {
        let local = "error: Your local changes would be overwritten:\n\ta.txt\n\td/b c\nAborting\n";
        let entry = "error: Entry 'x y' not uptodate. Cannot merge.\n";
        let target = target("git-overwritten").seed(local).seed(entry);
        target.words(&["error: Entry '", "' ", "\n\t"]).run_text(|text| {
            for file in overwritten(text) {
                assert!(text.contains(&file) && !file.contains('\n'), "{file:?}");
            }
        });
    }

    #[test]
    fn files_in_the_way_are_read_from_gits_own_words() {
        let local = "error: Your local changes to the following files would be overwritten by merge:\n\ta.txt\n\tdir/b c\nPlease commit your changes or stash them before you merge.\nAborting\n";
        assert_eq!(overwritten(local), ["a.txt", "dir/b c"]);
        assert_eq!(overwritten("error: Entry 'x y' not uptodate. Cannot merge.\n"), ["x y"]);
        assert_eq!(overwritten("fatal: Not possible to fast-forward, aborting.\n"), [""; 0]);
    }
}
