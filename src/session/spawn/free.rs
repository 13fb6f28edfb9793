//! What stands in the way of a session: its name, its issue, the repository itself, too many.

use crate::adapter::git::Repository;
use crate::config::Config;
use crate::invocation::World;
use crate::model::id::ProjectId;
use crate::model::record::Kind;
use crate::model::summary::Summary;
use crate::session::SessionError;
use crate::session::spawn::{SpawnRequest, WorkspaceKind};
use crate::store::{Home, StoreError};

/// Refuses what is there already: the id, the issue, too many sessions, the repository itself.
/// Those that are `planned` count as if they lived.
pub(super) fn check_free(
    world: &World,
    repository: &Repository,
    project: Option<&ProjectId>,
    request: &SpawnRequest,
    config: &Config,
    planned: &[Summary],
) -> Result<(), SessionError> {
    if let Some(id) = request.id.as_ref().filter(|id| !request.retires.contains(id))
        && (world.home.load(id).is_ok() || planned.iter().any(|it| it.id == *id))
    {
        return Err(StoreError::Exists { id: id.clone() }.into());
    }
    let mut live = 0;
    for found in live_summaries(&world.home)?.chain(planned.iter().cloned().map(Box::new)) {
        if request.retires.contains(&found.id) {
            continue;
        }
        live += 1;
        let is_of_project = found.project.as_ref() == project;
        let kinds = (request.kind, found.kind);
        if kinds == (Kind::Orchestrator, Kind::Orchestrator) && is_of_project {
            return Err(SessionError::OrchestratorLives { id: found.id });
        }
        if request.workspace == WorkspaceKind::None
            // Workspaces of their own are never the repository itself.
            && found.workspace.as_ref() == Some(&repository.main)
        {
            let path = repository.main.clone();
            return Err(SessionError::RepositoryTaken { id: found.id, path });
        }
        if let Some(issue) = request.issue.as_ref()
            && found.issue.as_ref() == Some(issue)
            && is_of_project
        {
            return Err(SessionError::IssueTaken { id: found.id, issue: issue.clone() });
        }
    }
    if live >= config.max_sessions as usize {
        return Err(SessionError::TooMany { live, limit: config.max_sessions });
    }
    Ok(())
}

/// Returns what there is to know of the sessions that are not terminal, without reading the whole
/// record of each. One that cannot be read hides no other.
pub(in crate::session) fn live_summaries(
    home: &Home,
) -> Result<impl Iterator<Item = Box<Summary>>, StoreError> {
    let all = home.summaries(false)?.into_iter().flatten();
    Ok(all.filter(|found| !found.lifecycle.is_terminal()))
}
