//! Replace: a session gives its name to another; its work is never thrown away.

use crate::adapter::git::{Assessment, Keep};
use crate::invocation::World;
use crate::model::facts::KillCause;
use crate::model::id::SessionId;
use crate::session::cleanup::{self, Cleaned};
use crate::session::{SessionError, intent, kill};
use crate::store::Loaded;

/// Refuses to replace a session that would have to stay, before it is ended: by then there would
/// be neither the old one nor the other.
pub fn require_possible(
    world: &World,
    id: &SessionId,
    caller: Option<&SessionId>,
) -> Result<(), SessionError> {
    if caller == Some(id) {
        let (why, hint) = ("it cannot replace itself", "run it outside that session".to_owned());
        return Err(SessionError::Unsafe { id: id.clone(), why, hint });
    }
    let Loaded { record, archived, .. } = world.home.load(id)?;
    if archived {
        return Ok(());
    }
    intent::require_free(id, &record)?;
    let Assessment::Keep(reasons) = cleanup::assess(world, id, &record)? else { return Ok(()) };
    // Its own processes are in it, and end with it.
    let stays = |it: &&Keep| !it.is_forcible() && !matches!(it, Keep::Process { .. });
    let reasons: Vec<String> = reasons.iter().filter(stays).map(ToString::to_string).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(SessionError::Kept { id: id.clone(), reasons, forcible: false })
}

/// Ends a session, saves its work and puts it away under another name.
pub fn replace(world: &World, id: &SessionId) -> Result<Cleaned, SessionError> {
    let mut cleaned = Cleaned::default();
    if !world.home.load(id)?.archived {
        kill::kill(world, id, KillCause::Manual, Some("replaced".to_owned()))?;
        cleaned = cleanup::cleanup(world, id, true)?;
        if !cleaned.kept.is_empty() {
            return Err(cleaned.kept_error(id));
        }
    }
    world.home.set_aside(id, world.lock_timeout)?;
    Ok(cleaned)
}
