//! Looks at the pull requests of all sessions, one repository at a time.
//!
//! Which adapter answers for a repository is configured. A failure is told beside the facts, and
//! stops no other repository.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::invocation::World;
use crate::model::forge::{Observed, Subject};
use crate::model::id::SessionId;
use crate::model::record::{Kind, Record};

/// Looks at the pull request of each of `records` that can have one.
pub fn look(_world: &World, records: &BTreeMap<SessionId, Record>) -> Vec<Observed> {
    let mut repositories: BTreeMap<PathBuf, Vec<Subject>> = BTreeMap::new();
    for record in records.values() {
        if let Some((repository, subject)) = subject(record) {
            repositories.entry(repository).or_default().push(subject);
        }
    }
    Vec::new()
}

/// Returns a session's repository and branch, where it can have a pull request: orchestrators and
/// reviewers open none, and the branch of a directory that is the user's own is the user's.
pub fn subject(record: &Record) -> Option<(PathBuf, Subject)> {
    let handle = record.handles.workspace.as_ref()?;
    if record.kind != Kind::Worker || !handle.owned {
        return None;
    }
    let pr = &record.lifecycle.pr;
    let subject = Subject {
        id: record.id.clone()?,
        branch: handle.branch.as_ref()?.to_string(),
        base_ref: handle.base_ref.clone(),
        base_sha: handle.base_sha.clone(),
        workspace: handle.path.clone(),
        number: pr.number,
        head_sha: pr.head_sha.clone(),
        state: pr.state,
        created_at: record.created_at,
    };
    Some((handle.repo.clone(), subject))
}
