//! Looks at the pull requests of all sessions, one repository at a time.
//!
//! Which adapter answers for a repository is configured. A failure is told beside the facts, and
//! stops no other repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapter::git;
use crate::adapter::scm::Scm;
use crate::invocation::World;
use crate::model::facts::ScmFact;
use crate::model::forge::{Observed, ScmKind, Subject};
use crate::model::id::SessionId;
use crate::model::record::{Kind, Record};
use crate::model::sanitize;
use crate::session::forge;

/// Looks at the pull request of each of `records` that can have one.
pub fn look(world: &World, records: &BTreeMap<SessionId, Record>) -> Vec<Observed> {
    let mut repositories: BTreeMap<PathBuf, Vec<Subject>> = BTreeMap::new();
    for record in records.values() {
        if let Some((repository, subject)) = subject(record) {
            repositories.entry(repository).or_default().push(subject);
        }
    }
    let observed = repositories.iter().flat_map(|(main, subjects)| ask(world, main, subjects));
    observed.collect()
}

fn ask(world: &World, main: &Path, subjects: &[Subject]) -> Vec<Observed> {
    let layered = world.config(Some(main)).or_else(|_| world.config(None));
    let Ok(layered) = layered else { return Vec::new() };
    let config = &layered.config.scm;
    let origin = git::discover(main).ok().and_then(|repository| repository.origin());
    let at_github = origin.is_some_and(|url| forge::is_at_github(world, &url));
    if config.kind != Some(ScmKind::GitHub) && !(config.kind.is_none() && at_github) {
        return Vec::new();
    }
    match forge::github(world, main, config) {
        Ok(github) => github.observe(subjects),
        Err(error) => {
            let why = sanitize::chain(&error);
            let unknown = |subject: &Subject| Observed {
                id: subject.id.clone(),
                fact: ScmFact::default(),
                why: Some(why.clone()),
            };
            subjects.iter().map(unknown).collect()
        }
    }
}

/// Returns a session's repository and branch, where it can have a pull request: orchestrators and
/// reviewers open none, and the branch of a directory that is the user's own is the user's.
fn subject(record: &Record) -> Option<(PathBuf, Subject)> {
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
