//! Which branch a branch is to be merged into.

use serde::{Deserialize, Serialize};

use super::objects::Objects;
use crate::adapter::git::GitError;

/// What a branch is to be merged into.
///
/// The local branch that the base names, or the local branch of the same name as a remote's. Where
/// there is none, the remote-tracking branch, which can be compared with but not merged into. A
/// base that is no branch (a tag, a hash) means the repository's default branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its short name: `main`, `origin/main`.
    pub name: String,
    /// Its full name: `refs/heads/main`.
    pub full_name: String,
    /// Its commit.
    pub sha: String,
    /// Whether it is a branch of this repository, so that something can be merged into it.
    pub local: bool,
    /// The same branch as the remote has it, as of the last fetch. What is in it was merged, even
    /// where the local branch lags behind.
    pub tracking: Option<String>,
}

impl Target {
    /// Returns the commits whose history counts as merged, its own first.
    pub(super) fn tips(&self) -> Vec<&str> {
        let tracking = self.tracking.as_deref().filter(|sha| *sha != self.sha);
        [Some(self.sha.as_str()), tracking].into_iter().flatten().collect()
    }
}

/// Returns the target of `branch`, which began at `base_ref`.
pub(super) fn of(
    objects: &dyn Objects,
    branch: &str,
    base_ref: Option<&str>,
) -> Result<Target, GitError> {
    if let Some(target) = base_ref.map(|base| named(objects, branch, base)).transpose()?.flatten() {
        return Ok(target);
    }
    if let Some(target) = default_branch(objects, branch)? {
        return Ok(target);
    }
    Err(GitError::NoTarget { branch: branch.to_owned() })
}

fn named(objects: &dyn Objects, branch: &str, base: &str) -> Result<Option<Target>, GitError> {
    let name = base.strip_prefix("refs/heads/").unwrap_or(base);
    if let Some(target) = local(objects, branch, name)? {
        return Ok(Some(target));
    }
    let name = base.strip_prefix("refs/remotes/").unwrap_or(base);
    remote(objects, branch, name)
}

fn local(objects: &dyn Objects, branch: &str, name: &str) -> Result<Option<Target>, GitError> {
    let full_name = format!("refs/heads/{name}");
    // A base that is the branch itself would make every branch merged.
    let tip = if name == branch { None } else { objects.tip(&full_name)? };
    let Some(sha) = tip else { return Ok(None) };
    let tracking = objects.tip(&format!("refs/remotes/origin/{name}"))?;
    Ok(Some(Target { name: name.to_owned(), full_name, sha, local: true, tracking }))
}

/// Returns what the remote-tracking branch `name` stands for.
fn remote(objects: &dyn Objects, branch: &str, name: &str) -> Result<Option<Target>, GitError> {
    let full_name = format!("refs/remotes/{name}");
    let Some(tip) = objects.tip(&full_name)? else { return Ok(None) };
    let full_name = objects.symbolic(&full_name)?.unwrap_or(full_name);
    let name = full_name.strip_prefix("refs/remotes/").unwrap_or(name);
    let remotes = objects.remotes()?;
    let below = |remote: &String| name.strip_prefix(remote.as_str())?.strip_prefix('/');
    // A remote's name may hold slashes; the longest that fits, which leaves the least, is the one.
    let short = remotes.iter().filter_map(below).min_by_key(|short| short.len());
    let short = short.or_else(|| Some(name.split_once('/')?.1));
    if let Some(short) = short
        && let Some(target) = local(objects, branch, short)?
    {
        return Ok(Some(Target { tracking: Some(tip), ..target }));
    }
    let name = name.to_owned();
    Ok(Some(Target { name, full_name, sha: tip, local: false, tracking: None }))
}

/// Returns the remote's default branch, else the branch of the main worktree.
fn default_branch(objects: &dyn Objects, branch: &str) -> Result<Option<Target>, GitError> {
    for name in ["origin/HEAD", "origin/main", "origin/master"] {
        if let Some(target) = remote(objects, branch, name)? {
            return Ok(Some(target));
        }
    }
    let head = objects.symbolic("HEAD")?;
    match head.as_deref().and_then(|head| head.strip_prefix("refs/heads/")) {
        Some(name) => local(objects, branch, name),
        None => Ok(None),
    }
}
