//! How a branch stands to what it began at, and moving a worktree that is on no branch.

use super::command::{LONG, failed, git_to_its_end, read, run, unreadable};
use super::{GitError, Repository};
use crate::model::id::BranchName;
use crate::model::record::WorkspaceHandle;

/// Where a branch left its base, and how far it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The last commit that both have.
    pub base: String,
    /// The commits that it has alone.
    pub ahead: u32,
}

impl Repository {
    /// Returns the commit at a branch's tip, `None` where there is no such branch.
    pub fn tip(&self, branch: &BranchName) -> Result<Option<String>, GitError> {
        self.commit(&format!("refs/heads/{branch}"))
    }

    /// Returns where `tip` left what the branch of `handle` began at; `None` where that is not
    /// known, or they have no commit in common.
    pub fn fork(&self, tip: &str, handle: &WorkspaceHandle) -> Result<Option<Fork>, GitError> {
        const WHAT: &str = "git rev-list";
        let bases = self.bases(handle)?;
        let Some(base) = bases.first() else { return Ok(None) };
        let output = run(&self.git().args(["merge-base", base, tip]))?;
        let base = match (output.success(), output.text()) {
            (true, base) if !base.is_empty() => base,
            (_, _) if output.stderr.trim().is_empty() => return Ok(None),
            (_, _) => return Err(failed("git merge-base", &output)),
        };
        let range = format!("{base}..{tip}");
        let text = read(&self.git().args(["rev-list", "--count", &range, "--"]), WHAT)?.text();
        match text.parse() {
            Ok(ahead) => Ok(Some(Fork { base, ahead })),
            Err(_) => Err(unreadable(WHAT, text.as_bytes())),
        }
    }
}

/// Moves a worktree that is on no branch to `commit`. The caller holds the lock, and has seen
/// that nothing in it could be lost.
pub fn move_detached(handle: &WorkspaceHandle, commit: &str) -> Result<(), GitError> {
    let checkout = git_to_its_end(&handle.path).deadline(LONG).env("GIT_OPTIONAL_LOCKS", "1");
    read(&checkout.args(["checkout", "--quiet", "--detach", commit]), "git checkout").map(drop)
}
