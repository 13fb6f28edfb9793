//! Whether the changes of a branch are in another, and whether they could be brought there.
//!
//! Invariants:
//!
//! * Commits that cancel each other out are never merged by having nothing to merge.
//! * A branch that went on after it was merged is open again, for the rest.

use super::MAX_CONFLICTS;
use super::objects::{Change, Commit, Merge, Objects};
use crate::adapter::git::GitError;

/// How much earlier than the branch's first commit a commit may claim to be that holds its
/// changes: clocks differ.
const CLOCK_SKEW_SECS: i64 = 24 * 60 * 60;

/// What was found about a branch that has commits of its own.
pub(super) struct Found {
    /// Its changes are in one of the targets.
    pub(super) merged: bool,
    /// The paths that conflict with the first target.
    pub(super) conflicts: Vec<String>,
}

/// Compares `head`, which has the commits `ahead`, with its targets.
pub(super) fn find(
    objects: &dyn Objects,
    head: &str,
    targets: &[&str],
    ahead: &[Commit],
) -> Result<Found, GitError> {
    let mut conflicts = Vec::new();
    for (position, target) in targets.iter().enumerate() {
        match compare(objects, head, target, ahead)? {
            Compared::Merged => return Ok(Found { merged: true, conflicts: Vec::new() }),
            Compared::Open(mut paths) if position == 0 => {
                paths.truncate(MAX_CONFLICTS);
                conflicts = paths;
            }
            Compared::Open(_) => {}
        }
    }
    Ok(Found { merged: false, conflicts })
}

/// Returns whether the changes of `head` are in `target`, by whatever way.
pub(super) fn is_in(objects: &dyn Objects, head: &str, target: &str) -> Result<bool, GitError> {
    let ahead = objects.missing_from(head, &[target])?;
    if ahead.is_empty() {
        return Ok(true);
    }
    Ok(matches!(compare(objects, head, target, &ahead)?, Compared::Merged))
}

enum Compared {
    Merged,
    Open(Vec<String>),
}

fn compare(
    objects: &dyn Objects,
    head: &str,
    target: &str,
    ahead: &[Commit],
) -> Result<Compared, GitError> {
    let base = objects.merge_base(head, target)?;
    if base.as_deref() == Some(target) {
        // Nothing was added to the target since: it fast-forwards.
        return Ok(Compared::Open(Vec::new()));
    }
    let merge = objects.merge(target, head)?;
    let whole = objects.change(base.as_deref(), head)?;
    if let Some(whole) = whole {
        if matches!(&merge, Merge::Clean(tree) if *tree == objects.tree(target)?) {
            return Ok(Compared::Merged);
        }
        let mut wanted = vec![whole.clone()];
        let singles = singles(objects, ahead)?;
        wanted.extend(singles.iter().flatten().cloned());
        let since = ahead.iter().map(|commit| commit.authored).min().unwrap_or_default();
        let since = since.saturating_sub(CLOCK_SKEW_SECS);
        let made = objects.made_by(target, base.as_deref(), since, &wanted)?;
        let rebased =
            singles.is_some_and(|singles| singles.iter().all(|one| made.contains(&one.id)));
        if rebased || made.contains(&whole.id) {
            return Ok(Compared::Merged);
        }
    }
    Ok(Compared::Open(match merge {
        Merge::Clean(_) => Vec::new(),
        Merge::Conflicts(paths) => paths,
    }))
}

/// Returns the change of each commit; `None` where one is a merge, whose own share of the work
/// cannot be told from what it brought in.
fn singles(objects: &dyn Objects, ahead: &[Commit]) -> Result<Option<Vec<Change>>, GitError> {
    let mut changes = Vec::new();
    for commit in ahead {
        if commit.parents.len() > 1 {
            return Ok(None);
        }
        let parent = commit.parents.first().map(String::as_str);
        // A rebase leaves out what is empty.
        changes.extend(objects.change(parent, &commit.sha)?);
    }
    Ok(Some(changes).filter(|changes| !changes.is_empty()))
}
