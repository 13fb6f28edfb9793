//! Where the branch of a session begins: found out once for all sessions of a batch.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::adapter::git::{Base, BranchState, Fetched, GitError, Repository};
use crate::config::Config;
use crate::model::id::BranchName;
use crate::session::spawn::{SpawnRequest, WorkspaceKind};
use crate::session::{SessionError, workspace};

/// How long the remote is given to answer before the spawn goes on with what is known.
const FETCH_DEADLINE: Duration = Duration::from_secs(10);

/// The bases that were found for one batch, and what came of looking at the remote: by repository
/// and what was asked for. They are looked for once, however many sessions begin there.
pub type Bases = BTreeMap<(PathBuf, Option<String>), (Base, Vec<String>)>;

/// Returns where the branch of `request` begins, as it was found before for one of the same batch.
pub(super) fn known_base(
    repository: &Repository,
    request: &SpawnRequest,
    config: &Config,
    bases: &mut Bases,
    notes: &mut Vec<String>,
) -> Result<Base, SessionError> {
    let wanted = request.detached.as_ref().or(request.base.as_ref()).or(config.base.as_ref());
    let key = (repository.common_dir.clone(), wanted.cloned());
    if let Some((base, told)) = bases.get(&key) {
        notes.extend(told.iter().cloned());
        return Ok(base.clone());
    }
    let mut told = Vec::new();
    let base = choose_base(repository, request, wanted, &mut told)?;
    notes.extend(told.iter().cloned());
    bases.insert(key, (base.clone(), told));
    Ok(base)
}

fn choose_base(
    repository: &Repository,
    request: &SpawnRequest,
    wanted: Option<&String>,
    notes: &mut Vec<String>,
) -> Result<Base, SessionError> {
    let may_fetch = request.workspace == WorkspaceKind::Worktree && !request.dry_run;
    if wanted.is_none() && may_fetch {
        let fetched = {
            let _lock = workspace::lock_repository(repository)?;
            repository.fetch_default(FETCH_DEADLINE)
        };
        match fetched {
            Ok(Fetched::Offline { why }) => notes.push(format!("offline, base not fetched: {why}")),
            Ok(Fetched::NoRemote | Fetched::Ok) => {}
            Err(error) => notes.push(format!("offline, base not fetched: {error}")),
        }
    }
    Ok(repository.base(wanted.map(String::as_str))?)
}

/// Refuses a branch that another worktree has.
pub(super) fn check_branch(
    repository: &Repository,
    branch: &BranchName,
) -> Result<BranchState, GitError> {
    match repository.branch(branch)? {
        BranchState::CheckedOut { path, .. } => {
            Err(GitError::BranchElsewhere { branch: branch.to_string(), path })
        }
        free @ (BranchState::Free | BranchState::Exists { .. }) => Ok(free),
    }
}
