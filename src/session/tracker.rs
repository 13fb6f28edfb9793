//! Which tracker answers for a repository, and what is done with one issue there.

use std::path::Path;

use crate::act::Delivery;
use crate::adapter::cmd::CmdError;
use crate::adapter::git::{self, Repository};
use crate::adapter::scm::{CommandTracker, ForgeError, Tracker};
use crate::invocation::World;
use crate::model::effect::OutboxEntry;
use crate::model::forge::TrackerKind;
use crate::model::record::Record;
use crate::model::{sanitize, secret};
use crate::session::{OutsideError, SessionError, forge};

/// Returns the tracker of a repository, or refuses where there is none.
pub fn required(world: &World, repository: &Repository) -> Result<Box<dyn Tracker>, SessionError> {
    of(world, &repository.main)?
        .ok_or_else(|| OutsideError::NoTracker { path: repository.main.clone() }.into())
}

/// Returns the tracker of the repository at `main`, `None` where there is none: the one function
/// that chooses.
pub fn of(world: &World, main: &Path) -> Result<Option<Box<dyn Tracker>>, SessionError> {
    let layered = world.config(Some(main)).or_else(|_| world.config(None))?;
    let config = &layered.config;
    Ok(match config.tracker.kind {
        Some(TrackerKind::None) => None,
        Some(TrackerKind::Command) => {
            let command = config.tracker.command.clone().ok_or(OutsideError::NoTrackerCommand)?;
            let origin = git::origin_of(main).map(|it| secret::without_credentials(&it));
            Some(Box::new(CommandTracker::new(&command, config.tracker.timeout, main, origin)))
        }
        Some(TrackerKind::GitHub) => Some(Box::new(forge::github(world, main, &config.scm)?)),
        None if forge::at_github(world, main) => {
            Some(Box::new(forge::github(world, main, &config.scm)?))
        }
        None => None,
    })
}

/// Comments the issue of a session.
///
/// A tracker has no idea of the same comment again, so that only what certainly did not arrive is
/// tried once more; whatever else goes wrong, a person is told.
pub fn comment(
    world: &World,
    record: &Record,
    entry: &OutboxEntry,
) -> Result<Delivery, SessionError> {
    let handle = record.handles.workspace.as_ref();
    let (Some(issue), Some(handle)) = (&record.issue, handle) else {
        return Ok(Delivery::Dropped("its session has no issue".to_owned()));
    };
    let Some(tracker) = of(world, &handle.repo)? else {
        return Ok(Delivery::Dropped("there is no tracker to comment at".to_owned()));
    };
    Ok(match tracker.comment(issue, &entry.message) {
        Ok(()) => Delivery::Delivered,
        // It asks for time, and failed at nothing.
        Err(error @ ForgeError::RateLimited { .. }) => Delivery::Held(sanitize::chain(&error)),
        Err(error) if never_arrived(&error) => Delivery::Failed(sanitize::chain(&error)),
        Err(error) => Delivery::Unconfirmed(sanitize::chain(&error)),
    })
}

/// Returns whether a failure means that nothing was done.
fn never_arrived(error: &ForgeError) -> bool {
    match error {
        ForgeError::Unsupported { .. }
        | ForgeError::Denied { .. }
        | ForgeError::NotFound { .. }
        | ForgeError::Conflict { .. }
        | ForgeError::RateLimited { .. }
        | ForgeError::Git(_)
        | ForgeError::Fs(_)
        | ForgeError::Cmd(CmdError::Missing { .. } | CmdError::Spawn { .. }) => true,
        ForgeError::Failed { .. }
        | ForgeError::Unreadable { .. }
        | ForgeError::Http(_)
        | ForgeError::Cmd(
            CmdError::TimedOut { .. } | CmdError::Io { .. } | CmdError::Failed { .. },
        ) => false,
    }
}
