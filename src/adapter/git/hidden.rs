//! Files in a worktree that git is not to speak of.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::GitError;
use super::command::{git, once, read, run};

/// Returns whether the index has `path`, which is relative to `worktree`.
pub fn is_tracked(worktree: &Path, path: &Path) -> Result<bool, GitError> {
    let command = git(worktree).args(["ls-files", "-z", "--"]).arg(literal(path));
    Ok(!read(&command, "git ls-files")?.stdout.is_empty())
}

/// Returns whether git ignores `path`, which is relative to `worktree`.
pub fn is_ignored(worktree: &Path, path: &Path) -> Result<bool, GitError> {
    let command = git(worktree).args(["check-ignore", "-q", "--"]).arg(path);
    Ok(run(&command)?.success())
}

/// Tells git not to look for changes of a tracked file, or to look again.
///
/// The mark is in this worktree's own index; no other worktree is concerned.
pub fn set_unwatched(worktree: &Path, path: &Path, unwatched: bool) -> Result<(), GitError> {
    let flag = if unwatched { "--skip-worktree" } else { "--no-skip-worktree" };
    let command = git(worktree).args(["update-index", flag, "--"]).arg(path);
    once(&command, "git update-index").map(drop)
}

/// Returns a path that no pattern character of git's changes.
fn literal(path: &Path) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec([b":(literal)", path.as_os_str().as_bytes()].concat())
}
