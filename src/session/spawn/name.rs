//! What a session and its branch are called.

use std::path::Path;

use crate::adapter::fs;
use crate::adapter::git::{BranchState, GitError};
use crate::invocation::World;
use crate::model::id::{BranchName, SessionId};
use crate::model::record::Record;
use crate::model::summary::Summary;
use crate::session::spawn::base::check_branch;
use crate::session::spawn::{Plan, WorkspaceKind};
use crate::session::{SessionError, workspace};

impl Plan {
    /// Returns the name that the session would have as the `nth` of those that are numbered next.
    pub(super) fn nth_name(&self, world: &World, nth: u64) -> Result<SessionId, SessionError> {
        self.request.id.clone().map_or_else(|| self.nth_free(world, nth), Ok)
    }

    /// Returns what a listing would show of the `nth` session, for those that are planned after it.
    pub fn foreseen(&self, world: &World, nth: u64) -> Result<Summary, SessionError> {
        let project = world.home.find_project_by_common_dir(&self.repository.common_dir)?;
        let record = Record {
            project: project.map(|project| project.id),
            kind: self.request.kind,
            issue: self.request.issue.clone(),
            ..Record::default()
        };
        let mut summary = *Summary::of(&self.nth_name(world, nth)?, &record, false);
        let in_repository = self.request.workspace == WorkspaceKind::None;
        summary.workspace = in_repository.then(|| self.repository.main.clone());
        Ok(summary)
    }

    fn nth_free(&self, world: &World, nth: u64) -> Result<SessionId, SessionError> {
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

    /// Refuses a branch or a name whose place is somebody else's: what a session has that gives way
    /// is free by then.
    pub(super) fn require_place(&self, world: &World) -> Result<(), SessionError> {
        let request = &self.request;
        let gives_way = |path: &Path| {
            request.retires.iter().any(|id| {
                let record = world.home.load(id).map(|loaded| loaded.record);
                let handle = record.ok().and_then(|record| record.handles.workspace);
                handle.is_some_and(|handle| handle.owned && handle.path == path)
            })
        };
        // One that is numbered takes a name that is free.
        let named = request.id.as_ref().filter(|_| request.workspace == WorkspaceKind::Worktree);
        let branch = match (&request.branch, named) {
            (Some(branch), _) => Some(branch.clone()),
            (None, Some(id)) if request.detached.is_none() => Some(self.branch_name(id)?),
            (None, Some(_) | None) => None,
        };
        if let Some(branch) = branch {
            match check_branch(&self.repository, &branch) {
                Err(GitError::BranchElsewhere { path, .. }) if gives_way(&path) => {}
                checked => drop(checked?),
            }
        }
        let path = named.map(|id| workspace::path(&self.root, &self.project, id));
        match path {
            Some(path) if fs::metadata(&path)?.is_some() && !gives_way(&path) => {
                Err(SessionError::InTheWay { path })
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn branch_name(&self, id: &SessionId) -> Result<BranchName, SessionError> {
        match &self.request.branch {
            Some(branch) => Ok(branch.clone()),
            None => Ok(self.config.config.branch.replace("{id}", id.as_str()).parse()?),
        }
    }
}
