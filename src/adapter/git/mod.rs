//! git repositories and their worktrees.
//!
//! git2 reads where it can (discovery); the `git` program does everything that touches a work
//! tree or decides whether one is clean, because filters, sparse checkout and hooks are the
//! user's and only git runs them right. Nothing here forces, prunes or collects garbage, and
//! nothing is removed whose owner cannot be told.

mod base;
mod branches;
mod command;
mod compare;
mod copy;
mod discover;
mod entry;
mod fill;
mod hidden;
mod include;
mod index;
mod merge;
mod own_refs;
mod pool;
mod premises;
mod preserve;
mod proven;
mod push;
mod refs;
mod register;
mod removal;
mod spotless;
mod status;
mod trash;
mod verdict;
mod way;
mod worktree;

use std::path::PathBuf;

pub use base::{Base, BranchState, Fetched};
pub use command::{known_version, version};
pub use compare::{Fork, move_detached};
pub use discover::{Opened, Repository, discover, origin_of, remotes_of};
pub use entry::WorktreeEntry;
pub use fill::{fill, foresee};
pub use hidden::{is_ignored, is_tracked, set_unwatched};
pub use include::{IncludeReport, copy_included};
pub use merge::{
    BranchLook, BranchQuery, Landed, MAX_CONFLICTS, MergePlan, Target, forget_merged, keep_merged,
    land, look, look_knowing, make_merge, place_to_land, rehearse,
};
pub use pool::{Pool, Stock, Tended, refuses, retire};
pub use preserve::{Preserved, preserve};
pub use removal::{
    BranchFate, Removed, delete_branch, is_half_restored, remove, require_restorable,
    restore_worktree, undo_restore, unregister,
};
pub use status::{WorktreeStatus, status};
pub use trash::{Emptied, buried_in, empty_trash, overdue, tidy_entry, trash_in};
pub use verdict::{Assessment, Keep, assess};
pub use way::{Filled, Way};
pub use worktree::{NewWorktree, begin_add, finish_add, repair_bricked, undo_add};

use crate::adapter::cmd::CmdError;
use crate::adapter::fs::FsError;

/// What git could not do.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// git is not installed.
    #[error("`git` is not installed or not in PATH")]
    Missing,
    /// No repository there.
    #[error("{} is not in a git repository", path.display())]
    NotARepository {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// A repository without a commit has nothing to branch from.
    #[error("the repository {} has no commit yet", path.display())]
    NoCommit {
        /// The main worktree.
        path: PathBuf,
    },
    /// Needs a main worktree.
    #[error("the repository {} is bare", path.display())]
    Bare {
        /// The git directory.
        path: PathBuf,
    },
    /// The repository belongs to another user.
    #[error("git does not trust {}: {message}", path.display())]
    Dubious {
        /// The repository.
        path: PathBuf,
        /// git's own words, its advice included.
        message: String,
    },
    /// The base names no commit.
    #[error("`{base}` is not a commit in {}", repo.display())]
    BaseNotFound {
        /// What was asked for.
        base: String,
        /// The repository.
        repo: PathBuf,
    },
    /// The branch is checked out in another worktree.
    #[error("branch `{branch}` is checked out in {}", path.display())]
    BranchElsewhere {
        /// The branch.
        branch: String,
        /// The worktree that has it.
        path: PathBuf,
    },
    /// The branch was to be created and is there.
    #[error("branch `{branch}` exists")]
    BranchExists {
        /// The branch.
        branch: String,
    },
    /// The branch was to be used and is not there.
    #[error("branch `{branch}` is gone{}", preserved.as_ref().map(|name| format!("; its work is preserved as {name}")).unwrap_or_default())]
    BranchGone {
        /// The branch.
        branch: String,
        /// The ref that still holds its commits.
        preserved: Option<String>,
    },
    /// git keeps branches as files: `a` and `a/b` exclude each other.
    #[error("branch `{branch}` cannot exist beside branch `{other}`")]
    BranchNameTaken {
        /// The branch that was asked for.
        branch: String,
        /// The one in its way.
        other: String,
    },
    /// Something is where the worktree is to be.
    #[error("{} is in the way", path.display())]
    PathOccupied {
        /// The place.
        path: PathBuf,
    },
    /// A worktree inside a repository shows up as untracked there.
    #[error("{} is inside the work tree of {} and not ignored there", path.display(), repo.display())]
    InsideWorkTree {
        /// The place.
        path: PathBuf,
        /// The repository around it.
        repo: PathBuf,
    },
    /// The directory does not belong to the repository it was recorded with.
    #[error("{} does not belong to {}: {found}", path.display(), repo.display())]
    WrongRepository {
        /// The directory.
        path: PathBuf,
        /// The repository it was recorded with.
        repo: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// The directory is gone.
    #[error("{} does not exist", path.display())]
    Gone {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody locked the worktree.
    #[error("worktree {} is locked: {reason}", path.display())]
    Locked {
        /// The worktree.
        path: PathBuf,
        /// What the one who locked it wrote.
        reason: String,
    },
    /// A repository inside the worktree, whose content no commit of the outer one can hold.
    #[error("{} is a repository of its own and cannot be preserved", path.display())]
    NestedRepository {
        /// Where it is.
        path: PathBuf,
    },
    /// A path that must stay inside the repository does not.
    #[error("`{path}` is not a path inside the repository")]
    UnsafePath {
        /// The path as configured.
        path: String,
    },
    /// Nothing says what the branch is to be merged into.
    #[error(
        "branch `{branch}` has nothing to be merged into: its base is no branch, and the repository has no default branch"
    )]
    NoTarget {
        /// The branch.
        branch: String,
    },
    /// The branch is a remote's, and there is no local one of its name.
    #[error("`{target}` is a remote's branch, and there is no local one to merge into")]
    NotLocal {
        /// The remote-tracking branch.
        target: String,
    },
    /// Both changed the same.
    #[error("branch `{branch}` conflicts with `{target}` in {}", paths.join(", "))]
    MergeConflicts {
        /// The branch.
        branch: String,
        /// What it was to be merged into.
        target: String,
        /// The paths, the first of them where there are many.
        paths: Vec<String>,
    },
    /// All of its changes cancel out, or are there already.
    #[error("branch `{branch}` changes nothing in `{target}`")]
    NothingToMerge {
        /// The branch.
        branch: String,
        /// What it was to be merged into.
        target: String,
    },
    /// A line of single commits would not hold what the branch does.
    #[error("branch `{branch}` has merges whose content a rebase would lose")]
    RebaseLoses {
        /// The branch.
        branch: String,
    },
    /// git does not know who commits.
    #[error("git does not know who commits in {}: user.name or user.email is not set", repo.display())]
    NoIdentity {
        /// The repository.
        repo: PathBuf,
    },
    /// `commit.gpgsign` is set, and signing failed.
    #[error("the commit could not be signed: {why}")]
    NotSigned {
        /// git's own words.
        why: String,
    },
    /// The branch is not where it was when it was looked at.
    #[error("branch `{branch}` moved meanwhile")]
    TargetMoved {
        /// The branch.
        branch: String,
    },
    /// Files of a worktree are in the way of what was merged.
    #[error("local files in {} would be overwritten: {}", path.display(), files.join(", "))]
    WouldOverwrite {
        /// The worktree.
        path: PathBuf,
        /// The files.
        files: Vec<String>,
    },
    /// A worktree cannot follow its branch.
    #[error("the worktree {} cannot be brought along: {why}", path.display())]
    WorktreeBusy {
        /// The worktree.
        path: PathBuf,
        /// What stands in the way.
        why: String,
    },
    /// libgit2 refused or failed.
    #[error("libgit2 could not {what} {}", repo.display())]
    Library {
        /// What it was asked for: "walk the history of".
        what: &'static str,
        /// The repository.
        repo: PathBuf,
        /// Why not.
        source: git2::Error,
    },
    /// git answered in a way this program cannot read.
    #[error("could not read the answer of `{command}`: {line}")]
    Unreadable {
        /// What was run.
        command: String,
        /// The part that makes no sense.
        line: String,
    },
    /// git failed.
    #[error("`{command}` failed: {stderr}")]
    Failed {
        /// What was run.
        command: String,
        /// The last line that starts with `fatal:` or `error:`, else the last one.
        stderr: String,
    },
    /// The remote could not be asked, or did not take it.
    #[error("`{command}` failed: {stderr}")]
    Remote {
        /// What was run.
        command: String,
        /// The last line that starts with `fatal:` or `error:`, else the last one.
        stderr: String,
    },
    /// git could not be run, or did not end in time.
    #[error(transparent)]
    Cmd(CmdError),
    /// A file could not be read or moved.
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl From<CmdError> for GitError {
    fn from(error: CmdError) -> Self {
        match error {
            CmdError::Missing { .. } => Self::Missing,
            CmdError::Spawn { .. }
            | CmdError::TimedOut { .. }
            | CmdError::Io { .. }
            | CmdError::Failed { .. } => Self::Cmd(error),
        }
    }
}

#[cfg(test)]
mod testing;
