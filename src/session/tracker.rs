//! Which tracker answers for a repository, and what is done with one issue there.

use std::path::Path;

use crate::adapter::git::Repository;
use crate::adapter::scm::{CommandTracker, Tracker};
use crate::invocation::World;
use crate::model::forge::TrackerKind;
use crate::session::SessionError;

/// Returns the tracker of a repository, `None` where there is none.
pub fn of(
    world: &World,
    repository: &Repository,
) -> Result<Option<Box<dyn Tracker>>, SessionError> {
    choose(world, &repository.main, || repository.origin())
}

/// Returns the tracker of a repository, or refuses where there is none.
pub fn required(world: &World, repository: &Repository) -> Result<Box<dyn Tracker>, SessionError> {
    of(world, repository)?.ok_or_else(|| SessionError::NoTracker { path: repository.main.clone() })
}

/// Returns the tracker of the repository at `main`, whose remote is `origin`: the one function
/// that chooses.
pub fn choose(
    world: &World,
    main: &Path,
    origin: impl FnOnce() -> Option<String>,
) -> Result<Option<Box<dyn Tracker>>, SessionError> {
    let layered = world.config(Some(main)).or_else(|_| world.config(None))?;
    let config = &layered.config.tracker;
    match config.kind {
        Some(TrackerKind::None) => Ok(None),
        Some(TrackerKind::Command) => {
            let command = config.command.clone().ok_or(SessionError::NoTrackerCommand)?;
            Ok(Some(Box::new(CommandTracker {
                command,
                repository: main.to_owned(),
                origin: origin(),
                deadline: config.timeout,
            })))
        }
        Some(TrackerKind::GitHub) | None => Ok(None),
    }
}
