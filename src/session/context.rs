//! Which session, which project: names as people type them, repositories as they stand in them.

use std::path::Path;

use crate::adapter::clock;
use crate::adapter::git::{self, GitError, Repository};
use crate::invocation::World;
use crate::model::id::{InvalidId, MAX_ID_LEN, SessionId};
use crate::session::SessionError;
use crate::store::{NewProject, Project, StoreError};

/// Why a name stands for no single session.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The text can be no session's name.
    #[error(transparent)]
    Invalid(#[from] InvalidId),
    /// No session has that name.
    #[error("no session `{0}`")]
    NotFound(String),
    /// Several sessions' names begin with it.
    #[error("`{prefix}` is ambiguous: {}", candidates.join(", "))]
    Ambiguous {
        /// What was typed.
        prefix: String,
        /// What it could mean, ten at most.
        candidates: Vec<String>,
    },
    /// `.` was typed outside any workspace or agent.
    #[error("`.` means the session one is in, and {directory} is in no session's workspace")]
    NotInside {
        /// Where it was typed.
        directory: String,
    },
    /// The records cannot be listed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the session that `name` stands for: an exact id, a number inside the project's
/// repository, `.` inside a workspace or agent, or a unique prefix.
pub fn resolve(world: &World, name: &str) -> Result<SessionId, ResolveError> {
    if name == "." {
        return surrounding(world);
    }
    check_typable(name)?;
    let live = world.home.session_ids()?;
    if let Ok(id) = name.parse::<SessionId>()
        && (live.contains(&id) || world.home.is_archived(&id)?)
    {
        return Ok(id);
    }
    if name.bytes().all(|byte| byte.is_ascii_digit())
        && let Some(id) = numbered(world, name)?
    {
        return Ok(id);
    }
    match by_prefix(name, &live) {
        Err(ResolveError::NotFound(_)) => by_prefix(name, &world.home.archived_ids()?),
        found => found,
    }
}

/// A prefix may end in a hyphen, so it is no id itself; it may hold nothing an id may not.
fn check_typable(name: &str) -> Result<(), InvalidId> {
    let complete = if name.ends_with('-') && name.len() < MAX_ID_LEN {
        format!("{name}0")
    } else {
        name.to_owned()
    };
    complete.parse::<SessionId>().map(drop)
}

fn by_prefix(name: &str, ids: &[SessionId]) -> Result<SessionId, ResolveError> {
    let mut found = ids.iter().filter(|id| id.as_str().starts_with(name));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id.clone()),
        (None, _) => Err(ResolveError::NotFound(name.to_owned())),
        (Some(_), Some(_)) => Err(ResolveError::Ambiguous {
            prefix: name.to_owned(),
            candidates: ids
                .iter()
                .filter(|id| id.as_str().starts_with(name))
                .take(10)
                .map(ToString::to_string)
                .collect(),
        }),
    }
}

fn numbered(world: &World, number: &str) -> Result<Option<SessionId>, ResolveError> {
    let Ok(repository) = git::discover(&world.directory) else { return Ok(None) };
    let Some(project) = world.home.find_project_by_common_dir(&repository.common_dir)? else {
        return Ok(None);
    };
    let Ok(number) = number.parse() else { return Ok(None) };
    let id = SessionId::numbered(&project.id, number);
    let exists = world.home.session_ids()?.contains(&id) || world.home.is_archived(&id)?;
    Ok(exists.then_some(id))
}

/// Returns the session whose agent or workspace the caller is in.
fn surrounding(world: &World) -> Result<SessionId, ResolveError> {
    let ids = world.home.session_ids()?;
    if let Some(id) = world.variable("AO_SESSION").and_then(|id| id.parse::<SessionId>().ok())
        && ids.contains(&id)
    {
        return Ok(id);
    }
    // The innermost workspace that holds the directory: workspaces may lie inside one another.
    let mut inside: Vec<(usize, SessionId)> = Vec::new();
    for id in ids {
        let Ok(loaded) = world.home.load(&id) else { continue };
        let Some(handle) = loaded.record.handles.workspace else { continue };
        if world.directory.starts_with(&handle.path) {
            inside.push((handle.path.components().count(), id));
        }
    }
    inside
        .into_iter()
        .max()
        .map(|(_, id)| id)
        .ok_or_else(|| ResolveError::NotInside { directory: world.directory.display().to_string() })
}

/// Returns the repository that `directory` is in, checked for what a session needs of it.
pub fn repository(directory: &Path) -> Result<Repository, GitError> {
    let repository = git::discover(directory)?;
    if repository.bare {
        return Err(GitError::Bare { path: repository.main });
    }
    if !repository.has_commit()? {
        return Err(GitError::NoCommit { path: repository.main });
    }
    Ok(repository)
}

/// Returns the project of a repository, registering it where it is not known yet.
pub fn project(world: &World, repository: &Repository) -> Result<(Project, bool), SessionError> {
    if let Some(project) = world.home.find_project_by_common_dir(&repository.common_dir)? {
        return Ok((project, false));
    }
    Ok(world.home.register_project(
        NewProject {
            common_dir: repository.common_dir.clone(),
            repo: repository.main.clone(),
            origin: repository.origin(),
            default_branch: repository.default_branch(),
            folder_name: folder_name(repository),
        },
        world.lock_timeout,
        clock::now(),
    )?)
}

/// Returns the name of a repository's folder.
pub fn folder_name(repository: &Repository) -> String {
    repository.main.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
