//! Whether branches merge, whether they were merged, and the merging itself.
//!
//! A look opens the repository once and merges in memory: it starts no process and leaves no
//! object behind. Where libgit2 refuses a repository or a question (reftable, sha256, missing
//! objects), the `git` program is asked the same. One branch's failure is no other's.

mod contained;
mod evidence;
mod fingerprint;
mod land;
mod libgit2;
mod make;
mod objects;
mod program;
mod target;

pub use land::{Landed, forget_merged, keep_merged, land, place_to_land};
pub use make::{MergePlan, make_merge};
pub use target::Target;

use serde::{Deserialize, Serialize};

use self::libgit2::Library;
use self::objects::Objects;
use self::program::Program;
use super::{GitError, Repository};

/// The most conflicting paths that one look tells.
pub const MAX_CONFLICTS: usize = 50;

/// A branch to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct BranchQuery<'a> {
    /// Its name, without `refs/heads/`.
    pub branch: &'a str,
    /// The ref it started from: `origin/main`, `main`, a tag, a hash.
    pub base_ref: Option<&'a str>,
    /// The commit it started from.
    pub base_sha: Option<&'a str>,
    /// Its head when it was last seen open or as a draft; none: it never was.
    ///
    /// A branch without commits of its own looks like one that was merged; this tells them apart
    /// where the branch's log does not.
    pub seen_head: Option<&'a str>,
}

/// What one look at a branch found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchLook {
    /// Its tip.
    pub head: String,
    /// What it is to be merged into.
    pub target: Target,
    /// How many commits it has that its target (and the remote's branch of that name) has not;
    /// those that were squashed or rebased into it count as well.
    pub ahead: usize,
    /// Its changes are in the target: by ancestry, commit by commit, or as one squashed commit.
    pub merged: bool,
    /// The paths that conflict, [`MAX_CONFLICTS`] at most; empty where it merges, or did.
    pub conflicts: Vec<String>,
}

impl BranchLook {
    /// Returns whether tip and target alone lead to the same answer again.
    pub fn is_lasting(&self) -> bool {
        self.ahead > 0 || self.merged
    }
}

/// Looks at all `queries` of one repository: one answer each, in their order.
pub fn look(repo: &Repository, queries: &[BranchQuery<'_>]) -> Vec<Result<BranchLook, GitError>> {
    look_knowing(repo, queries, &[])
}

/// [`look`] for one who remembers what earlier looks found: a branch with work whose tip and
/// target are what they were is not analysed again.
pub fn look_knowing(
    repo: &Repository,
    queries: &[BranchQuery<'_>],
    known: &[BranchLook],
) -> Vec<Result<BranchLook, GitError>> {
    let library = Library::open(repo).ok();
    let program = Program::new(repo);
    let one = |query: &BranchQuery<'_>| match &library {
        Some(library) => match look_at(library, query, known) {
            // What libgit2 cannot do, git itself may.
            Err(GitError::Library { .. }) => look_at(&program, query, known),
            answer => answer,
        },
        None => look_at(&program, query, known),
    };
    queries.iter().map(one).collect()
}

fn look_at(
    objects: &dyn Objects,
    query: &BranchQuery<'_>,
    known: &[BranchLook],
) -> Result<BranchLook, GitError> {
    let gone = || GitError::BranchGone { branch: query.branch.to_owned(), preserved: None };
    let head = objects.tip(&format!("refs/heads/{}", query.branch))?.ok_or_else(gone)?;
    let target = target::of(objects, query.branch, query.base_ref)?;
    // Whether a branch without work ever had some is told by more than these two.
    let is_same = |it: &&BranchLook| it.head == head && it.target == target;
    if let Some(known) = known.iter().filter(|it| it.is_lasting()).find(is_same) {
        return Ok(known.clone());
    }
    let tips = target.tips();
    let ahead = objects.missing_from(&head, &tips)?;
    let found = if ahead.is_empty() {
        contained::Found {
            merged: evidence::had_work(objects, query, &head, &tips)?,
            conflicts: Vec::new(),
        }
    } else {
        contained::find(objects, &head, &tips, &ahead)?
    };
    Ok(BranchLook {
        head,
        ahead: ahead.len(),
        merged: found.merged,
        conflicts: found.conflicts,
        target,
    })
}

/// Returns the answers of libgit2 and of the `git` program, which are the same.
#[cfg(test)]
pub(super) fn look_both_ways(
    repo: &Repository,
    query: &BranchQuery<'_>,
) -> [Result<BranchLook, GitError>; 2] {
    let by_library = Library::open(repo).and_then(|library| look_at(&library, query, &[]));
    [by_library, look_at(&Program::new(repo), query, &[])]
}
