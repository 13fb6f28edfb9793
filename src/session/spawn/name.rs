//! What a session and its branch are called.

use crate::adapter::git::BranchState;
use crate::invocation::World;
use crate::model::id::{BranchName, SessionId};
use crate::session::SessionError;
use crate::session::spawn::{Plan, WorkspaceKind};

impl Plan {
    /// Returns the name that the `nth` session would have that is numbered next.
    pub(super) fn nth_free(&self, world: &World, nth: u64) -> Result<SessionId, SessionError> {
        let mut number = world.home.project(&self.project).map_or(0, |project| project.counter);
        let mut left = nth;
        loop {
            number += 1;
            let id = SessionId::numbered(&self.project, number);
            left -= u64::from(self.is_free(world, &id)?);
            if left == 0 {
                return Ok(id);
            }
        }
    }

    /// Returns whether a session that is numbered, and not named by anybody, may have this name. A
    /// branch of that name is another home's, or was left by one that is gone: nobody asked for
    /// what is on it.
    pub(super) fn is_free(&self, world: &World, id: &SessionId) -> Result<bool, SessionError> {
        if world.home.existing_dir(id).is_ok() {
            return Ok(false);
        }
        let request = &self.request;
        let is_given = request.branch.is_some() || request.detached.is_some();
        let needs_branch = request.workspace == WorkspaceKind::Worktree && !is_given;
        Ok(!needs_branch || self.repository.branch(&self.branch_name(id)?)? == BranchState::Free)
    }

    pub(super) fn branch_name(&self, id: &SessionId) -> Result<BranchName, SessionError> {
        match &self.request.branch {
            Some(branch) => Ok(branch.clone()),
            None => Ok(self.config.config.branch.replace("{id}", id.as_str()).parse()?),
        }
    }
}
