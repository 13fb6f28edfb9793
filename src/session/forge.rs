//! Which forge a repository is at, for what a person asks of it.

use crate::adapter::git::Repository;
use crate::adapter::scm::github::{GitHub, Slug};
use crate::adapter::scm::{ForgeError, Scm};
use crate::invocation::World;
use crate::model::forge::ScmKind;
use crate::session::SessionError;

/// Returns the repository at GitHub that a remote names, `None` where it is not there.
pub fn github(world: &World, origin: Option<&str>) -> Result<Option<GitHub>, ForgeError> {
    let Some(slug) = origin.and_then(Slug::of_remote) else { return Ok(None) };
    let client = world.github()?;
    let is_there = client.base().serves(&slug.host);
    Ok(is_there.then(|| GitHub::new(client, slug)))
}

/// Returns the forge that a repository's pull requests live at.
///
/// # Errors
///
/// There is none: its branches are their own pull requests, or nobody looks at them.
pub fn scm(world: &World, repository: &Repository) -> Result<Box<dyn Scm>, SessionError> {
    let layered = world.config(Some(&repository.main)).or_else(|_| world.config(None))?;
    let none = || SessionError::NoForge { path: repository.main.clone() };
    match layered.config.scm.kind {
        Some(ScmKind::GitHub) | None => {
            let found = github(world, repository.origin().as_deref())?;
            Ok(Box::new(found.ok_or_else(none)?))
        }
        Some(ScmKind::Local | ScmKind::Command | ScmKind::None) => Err(none()),
    }
}
