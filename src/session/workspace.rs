//! Makes and unmakes a session's workspace: git's critical steps under the repository's lock,
//! the slow ones outside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapter::cmd::Cmd;
use crate::adapter::failpoint;
use crate::adapter::fs::{self, FsError};
use crate::adapter::git::{self, Filled, GitError, NewWorktree, Pool, Repository};
use crate::config::Config;
use crate::config::trust::{self, Approval};
use crate::invocation::World;
use crate::model::id::{ProjectId, SessionId};
use crate::model::record::WorkspaceHandle;
use crate::session::{SessionError, intent};
use crate::store::{Lock, Project, lock};

/// How long git's critical steps of other sessions are waited for.
///
/// Each takes milliseconds; the bound is there for a git that hangs on a slow disk.
const REPOSITORY_LOCK_TIMEOUT: Duration = Duration::from_secs(600);

/// How long one approved command may take.
const POST_CREATE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The age at which something half-made in a pool counts as left behind.
pub const POOL_STALE: Duration = Duration::from_secs(3600);

/// Returns the directory below which workspaces may be removed: the one that the user chose, which
/// may be a link, or the home's own, which is none.
pub fn root(world: &World, config: &Config) -> Result<PathBuf, FsError> {
    if let Some(chosen) = &config.workspace.root {
        return Ok(chosen.clone());
    }
    let own = world.home.root().join("worktrees");
    fs::refuse_link(&own)?;
    Ok(own)
}

/// Refuses a link between the home, or what the user chose instead, and the workspace of `handle`.
pub fn refuse_links(world: &World, handle: &WorkspaceHandle) -> Result<(), FsError> {
    let home = world.home.root();
    let own = if handle.path.starts_with(home) { usize::MAX } else { 1 };
    let above = handle.path.ancestors().skip(1).take(own);
    above.take_while(|directory| *directory != home).try_for_each(fs::refuse_link)
}

/// Returns where the workspace of a session goes.
pub fn path(root: &Path, project: &ProjectId, id: &SessionId) -> PathBuf {
    root.join(project.as_str()).join(id.as_str())
}

/// Takes the lock around worktree changes of one repository.
pub fn lock_repository(repository: &Repository) -> Result<Lock, SessionError> {
    lock::acquire(&repository.lock_path(), REPOSITORY_LOCK_TIMEOUT)
        .map_err(|error| SessionError::Store(error.into()))
}

/// Returns what git is asked to make for a handle.
pub fn new_worktree(handle: &WorkspaceHandle, id: &SessionId) -> NewWorktree {
    NewWorktree {
        path: handle.path.clone(),
        branch: handle.branch.clone(),
        create_branch: handle.branch_created,
        base_sha: handle.base_sha.clone().unwrap_or_default(),
        session: id.clone(),
    }
}

/// Registers the worktree and its branch, or neither: nothing is to be undone after an error.
pub fn begin(
    repository: &Repository,
    handle: &WorkspaceHandle,
    id: &SessionId,
) -> Result<(), SessionError> {
    if fs::metadata(&handle.path)?.is_some() {
        return Err(SessionError::InTheWay { path: handle.path.clone() });
    }
    if let Some(parent) = handle.path.parent() {
        fs::create_own_directory(parent)?;
    }
    pass("workspace.begin")?;
    let _lock = lock_repository(repository)?;
    Ok(git::begin_add(repository, &new_worktree(handle, id))?)
}

/// Puts the files there, whichever way is quickest and exact, and verifies what was made; after an
/// error, [`undo`] is due.
///
/// The repository is not locked while files are written: any number of these go on side by side.
pub fn finish(
    repository: &Repository,
    handle: &WorkspaceHandle,
    id: &SessionId,
    pool: Option<&Pool>,
) -> Result<Filled, SessionError> {
    pass("workspace.begun")?;
    let new = new_worktree(handle, id);
    let filled = git::fill(repository, &new, pool)?;
    pass("workspace.checked_out")?;
    let _lock = lock_repository(repository)?;
    git::finish_add(repository, &new)?;
    Ok(filled)
}

/// Returns the pool that the workspace of `handle` may come from, or go to.
pub fn pool(handle: &WorkspaceHandle, config: &Config) -> Option<Pool> {
    Pool::beside(&handle.path, config.pool.size, config.pool.keep_ignored)
}

/// Returns whether it is certain that no process is at work on a session: what it began is over,
/// or its owner is dead. One that this home does not know may be another home's.
pub fn is_nobody_at(world: &World, id: &SessionId) -> bool {
    let Ok(loaded) = world.home.load(id) else { return false };
    loaded.record.intent.as_ref().is_none_or(intent::is_abandoned)
}

/// Moves the spare workspaces of a project to the trash; what is being made at the moment, for a
/// session that only another home knows, is left to its maker.
pub fn empty_pool(world: &World, project: &ProjectId) -> Result<(), SessionError> {
    let root = root(world, &world.config(None)?.config)?;
    let any = root.join(project.as_str()).join("any");
    if let Some(pool) = Pool::beside(&any, 0, false) {
        let tended = pool.tend(POOL_STALE, &|id| is_nobody_at(world, id))?;
        if let Some(error) = tended.failed.into_iter().next() {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Removes whatever an unfinished spawn left; what holds work stays and is told.
pub fn undo(
    repository: &Repository,
    handle: &WorkspaceHandle,
    id: &SessionId,
) -> Result<Vec<String>, SessionError> {
    let _lock = lock_repository(repository)?;
    // A `worktree add` killed at one instant leaves an entry that breaks every later git command
    // in the repository, this undoing included.
    git::repair_bricked(repository, &|name| name == id.as_str())?;
    // What git reports is everything it did; only what it had to leave is of interest.
    let done = git::undo_add(repository, &new_worktree(handle, id))?;
    Ok(done.iter().filter_map(|line| Some(line.strip_prefix("kept ")?.to_owned())).collect())
}

/// Copies and links what the repository and the configuration name.
pub fn furnish(
    repository: &Repository,
    handle: &WorkspaceHandle,
    config: &Config,
) -> Result<Vec<String>, SessionError> {
    let list = fs::read_within(&handle.path, ".worktreeinclude".as_ref())?.unwrap_or_default();
    let report = git::copy_included(
        &repository.main,
        &handle.path,
        &String::from_utf8_lossy(&list),
        &config.workspace.copy,
        &config.workspace.symlinks,
    )?;
    let left_out = report.skipped.into_iter();
    Ok(left_out.map(|(path, why)| format!("{} left out: {why}", path.display())).collect())
}

/// Returns the approval that the repository's own configuration still lacks.
pub fn missing_approval(
    world: &World,
    project: Option<&Project>,
    approval: Option<Approval>,
) -> Option<Approval> {
    let given = world.variable("AO_TRUST");
    let approvals = project.map(|project| project.approvals.clone()).unwrap_or_default();
    approval.filter(|approval| !trust::is_trusted(&approvals, given, approval))
}

/// Runs the approved commands in the workspace, one after the other.
pub fn post_create(handle: &WorkspaceHandle, config: &Config) -> Result<(), SessionError> {
    for command in &config.workspace.post_create {
        let Some((program, arguments)) = command.split_first() else { continue };
        let failed = |why| SessionError::PostCreate { command: program.clone(), why };
        let output = Cmd::new(program)
            .args(arguments)
            .cwd(&handle.path)
            .deadline(POST_CREATE_TIMEOUT)
            .output()
            .map_err(|error| failed(crate::model::sanitize::chain(&error)))?;
        if !output.success() {
            let why = format!("{}: {}", output.status, output.last_error());
            return Err(failed(crate::model::sanitize::line(why.trim_end_matches(": "))));
        }
    }
    Ok(())
}

/// Returns the repository a handle belongs to.
pub fn repository_of(handle: &WorkspaceHandle) -> Result<Repository, GitError> {
    git::discover(&handle.repo)
}

fn pass(point: &'static str) -> Result<(), SessionError> {
    failpoint::pass(point).map_err(|source| {
        SessionError::Fs(fs::FsError { operation: "pass", path: PathBuf::from(point), source })
    })
}
