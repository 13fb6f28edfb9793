//! What git and a merge refuse, as the command line tells it.

use super::{CommandError, fs_exit};
use crate::adapter::git::GitError;
use crate::cli::exit::Exit;
use crate::session::merge::MergeError;

impl From<GitError> for CommandError {
    fn from(error: GitError) -> Self {
        let (exit, hint) = match &error {
            GitError::Missing => (Exit::MissingDependency, Some("install git")),
            GitError::NotARepository { .. } => {
                (Exit::NotFound, Some("run it inside a git repository"))
            }
            GitError::NoCommit { .. } => (Exit::Invalid, Some("make a first commit")),
            GitError::Bare { .. } => {
                (Exit::Invalid, Some("run it inside a worktree of that repository"))
            }
            GitError::Dubious { .. } => (Exit::Denied, None),
            GitError::BaseNotFound { .. } => {
                (Exit::NotFound, Some("`git branch --all` lists what there is"))
            }
            GitError::BranchElsewhere { .. }
            | GitError::BranchExists { .. }
            | GitError::BranchNameTaken { .. } => (Exit::Conflict, Some("choose another --branch")),
            GitError::BranchGone { .. } | GitError::Gone { .. } => (Exit::NotFound, None),
            GitError::PathOccupied { .. } => (Exit::Conflict, Some("move it away")),
            GitError::InsideWorkTree { .. } => {
                (Exit::Invalid, Some("set workspace.root to a place outside the repository"))
            }
            GitError::WrongRepository { .. } => {
                (Exit::Refused, Some("`git worktree list` shows what belongs where"))
            }
            GitError::Locked { .. } => {
                (Exit::Conflict, Some("`git worktree unlock` lets go of it"))
            }
            GitError::NestedRepository { .. } => (Exit::Refused, Some("move it away first")),
            GitError::UnsafePath { .. } => {
                (Exit::Invalid, Some("workspace.copy and .symlinks take paths inside it"))
            }
            GitError::NoTarget { .. } => {
                (Exit::NotFound, Some("check out a branch in the main worktree"))
            }
            GitError::NotLocal { .. } => (
                Exit::Refused,
                Some("create the local branch, or push the work and merge it at the forge"),
            ),
            GitError::MergeConflicts { .. } => {
                (Exit::Conflict, Some("merge the base into the branch and resolve them there"))
            }
            GitError::NothingToMerge { .. } => (Exit::Conflict, None),
            GitError::RebaseLoses { .. } => {
                (Exit::Conflict, Some("use --method merge or --method squash"))
            }
            GitError::NoIdentity { .. } => (
                Exit::Refused,
                Some("`git config --global user.name NAME`, and user.email, tell it"),
            ),
            GitError::NotSigned { .. } => {
                (Exit::Refused, Some("`git commit -S --allow-empty` shows what is wrong"))
            }
            GitError::TargetMoved { .. } => (Exit::Conflict, Some("try it again")),
            GitError::WouldOverwrite { .. } => {
                (Exit::Refused, Some("commit them or move them away first"))
            }
            GitError::WorktreeBusy { .. } => (Exit::Refused, Some("finish that first")),
            GitError::Remote { .. } => {
                (Exit::Unavailable, Some("`git ls-remote origin` says whether it can be reached"))
            }
            GitError::Unreadable { .. }
            | GitError::Library { .. }
            | GitError::Failed { .. }
            | GitError::Cmd(_) => (Exit::Internal, None),
            GitError::Fs(fs) => fs_exit(fs),
        };
        let mut error = Self::new(exit, error.into());
        error.hint = hint.map(str::to_owned);
        error
    }
}

impl From<MergeError> for CommandError {
    fn from(error: MergeError) -> Self {
        let (exit, hint) = match &error {
            MergeError::Nothing { id, .. } => {
                (Exit::Conflict, format!("`ao show {id}` tells what is known of its branch"))
            }
            MergeError::NotReady { .. } => {
                (Exit::Refused, "--force merges it all the same".to_owned())
            }
            MergeError::InReview { id, .. } => (
                Exit::Refused,
                format!("`ao review ls {id}` tells how far it is; --force merges it all the same"),
            ),
            MergeError::Unseen { denied: true, .. } => {
                (Exit::Denied, "log in, or give it a token that may do this".to_owned())
            }
            MergeError::Unseen { denied: false, .. } => (
                Exit::Unavailable,
                "nothing was merged; try it again once that is mended".to_owned(),
            ),
            MergeError::MidTurn { id } => {
                (Exit::Conflict, format!("`ao wait {id}` waits for its end; --force does not"))
            }
            MergeError::Uncommitted { id, .. } => (
                Exit::Refused,
                format!("`ao exec {id} -- git status` lists it; --force merges without it"),
            ),
        };
        Self::new(exit, error.into()).hint(hint)
    }
}
