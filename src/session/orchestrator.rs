//! Orchestrator: the one session of a project that leads others, and how it gives way to another.

use crate::adapter::git;
use crate::invocation::World;
use crate::model::facts::KillCause;
use crate::model::id::{ProjectId, SessionId};
use crate::model::record::{self, Kind, Record};
use crate::session::cleanup::{self, Cleaned};
use crate::session::{SessionError, kill};

/// Returns the live orchestrators of the project that the caller stands in, oldest first.
///
/// There is one at most, unless records were made in another way than by `ao`.
pub fn live(world: &World) -> Result<Vec<(SessionId, Record)>, SessionError> {
    let repository = git::discover(&world.directory)?;
    match world.home.find_project_by_common_dir(&repository.common_dir)? {
        Some(project) => live_of(world, &project.id),
        None => Ok(Vec::new()),
    }
}

/// Returns the live orchestrators of a project, oldest first.
pub(super) fn live_of(
    world: &World,
    project: &ProjectId,
) -> Result<Vec<(SessionId, Record)>, SessionError> {
    let mut live = Vec::new();
    for id in world.home.session_ids()? {
        // A record that cannot be read is told by whoever asks for it.
        let Ok(loaded) = world.home.load(&id) else { continue };
        let record = loaded.record;
        let is_one = record.kind == Kind::Orchestrator && !record.lifecycle.is_terminal();
        if is_one && record.project.as_ref() == Some(project) {
            live.push((id, record));
        }
    }
    record::oldest_first(&mut live);
    Ok(live)
}

/// Refuses to start an orchestrator again where its project has another.
pub fn require_alone(world: &World, record: &Record) -> Result<(), SessionError> {
    let (Kind::Orchestrator, Some(project)) = (record.kind, &record.project) else { return Ok(()) };
    match live_of(world, project)?.into_iter().next() {
        Some((id, _)) => Err(SessionError::OrchestratorLives { id }),
        None => Ok(()),
    }
}

/// Ends an orchestrator; its work is saved before its workspace goes, and what cannot be saved
/// stays where it is.
pub fn retire(world: &World, id: &SessionId) -> Result<Cleaned, SessionError> {
    kill::kill(world, id, KillCause::Manual, Some("retired".to_owned()))?;
    cleanup::cleanup(world, id, true)
}
