//! Whether a branch that has nothing its target lacks ever had.
//!
//! A branch that was merged by a fast-forward looks just like one that nobody has worked on yet,
//! or that only followed its base. The difference is in what was seen before, in where its tip
//! lies, and in the branch's own log.

use super::objects::{LogLine, Objects};
use super::{BranchQuery, contained};
use crate::adapter::git::GitError;

/// Returns whether work of the branch is in one of `targets`, which all of `head` is.
pub(super) fn had_work(
    objects: &dyn Objects,
    query: &BranchQuery<'_>,
    head: &str,
    targets: &[&str],
) -> Result<bool, GitError> {
    let base = match query.base_sha {
        Some(base) if objects.exists(base)? => Some(base),
        Some(_) | None => None,
    };
    let is_new = |sha: &str| match base {
        Some(base) => objects.is_ancestor(sha, base).map(|old| !old),
        None => Ok(true),
    };
    if let Some(seen) = query.seen_head
        && objects.exists(seen)?
        && is_new(seen)?
    {
        // It may have been squashed, and the branch brought up to its target since.
        for target in targets {
            if contained::is_in(objects, seen, target)? {
                return Ok(true);
            }
        }
    }
    if !is_new(head)? {
        return Ok(false);
    }
    if let Some(base) = base
        && is_beside(objects, head, targets, base)?
    {
        return Ok(true);
    }
    for sha in made(&objects.log(&format!("refs/heads/{}", query.branch))?) {
        if objects.exists(&sha)? && objects.is_ancestor(&sha, head)? && is_new(&sha)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether `head` came into its targets by a merge, not along their own line.
fn is_beside(
    objects: &dyn Objects,
    head: &str,
    targets: &[&str],
    base: &str,
) -> Result<bool, GitError> {
    for target in targets {
        if objects.is_first_parent(head, target, base)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the commits that were made on a branch, by its log.
fn made(log: &[LogLine]) -> Vec<String> {
    let is_made = |line: &&LogLine| {
        let message = line.message.as_str();
        match message.strip_prefix("rebase (finish): ") {
            // Without commits of its own, it ends where it is put.
            Some(rest) => rest.rsplit(' ').next().is_none_or(|onto| onto != line.sha),
            None => ["commit", "cherry-pick", "revert", "am:"]
                .iter()
                .any(|verb| message.starts_with(verb)),
        }
    };
    log.iter().filter(is_made).map(|line| line.sha.clone()).collect()
}
