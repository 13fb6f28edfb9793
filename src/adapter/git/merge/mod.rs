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
mod memo;
mod objects;
mod program;
mod rehearse;
mod target;

pub use land::{Landed, forget_merged, keep_merged, land, place_to_land};
pub use make::{MergePlan, make_merge};
pub use rehearse::rehearse;
pub use target::Target;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::libgit2::Library;
use self::memo::Memo;
use self::objects::Objects;
use self::program::Program;
use super::{GitError, Opened, Repository};

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
    look_with(repo, Library::open(repo).ok(), queries, &[])
}

/// [`look`] for one who remembers what earlier looks found: a branch with work whose tip and
/// target are what they were is not analysed again.
pub fn look_knowing(
    repo: &Repository,
    opened: Opened,
    queries: &[BranchQuery<'_>],
    known: &[BranchLook],
) -> Vec<Result<BranchLook, GitError>> {
    let library = match opened.into_library() {
        Some(library) => Library::of(repo, library),
        None => Library::open(repo),
    };
    let library = library.ok().map(|library| library.knowing(known.iter().map(|it| &*it.head)));
    look_with(repo, library, queries, known)
}

/// What earlier looks found and still holds, by the branch's head.
type Known<'a> = BTreeMap<&'a str, Vec<&'a BranchLook>>;

fn look_with(
    repo: &Repository,
    library: Option<Library>,
    queries: &[BranchQuery<'_>],
    known: &[BranchLook],
) -> Vec<Result<BranchLook, GitError>> {
    let program = Program::new(repo);
    let program = Memo::of(&program);
    let library = library.as_ref().map(|library| Memo::of(library));
    let mut by_head = Known::new();
    for look in known.iter().filter(|look| look.is_lasting()) {
        by_head.entry(&look.head).or_default().push(look);
    }
    let known = by_head;
    let one = |query: &BranchQuery<'_>| match &library {
        Some(library) => match look_at(library, query, &known) {
            // What libgit2 cannot do, git itself may.
            Err(GitError::Library { .. }) => look_at(&program, query, &known),
            answer => answer,
        },
        None => look_at(&program, query, &known),
    };
    queries.iter().map(one).collect()
}

fn look_at(
    objects: &dyn Objects,
    query: &BranchQuery<'_>,
    known: &Known<'_>,
) -> Result<BranchLook, GitError> {
    let gone = || GitError::BranchGone { branch: query.branch.to_owned(), preserved: None };
    let head = objects.tip(&format!("refs/heads/{}", query.branch))?.ok_or_else(gone)?;
    let target = target::of(objects, query.branch, query.base_ref)?;
    // Whether a branch without work ever had some is told by more than these two.
    let mut same = known.get(&*head).into_iter().flatten();
    if let Some(known) = same.find(|it| it.target == target) {
        return Ok((*known).clone());
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

/// Returns the answers of libgit2, of libgit2 once it knows the commits, and of the `git` program,
/// which are the same.
#[cfg(test)]
pub(super) fn look_each_way(
    repo: &Repository,
    query: &BranchQuery<'_>,
) -> [Result<BranchLook, GitError>; 3] {
    let look = |objects: &dyn Objects| look_at(objects, query, &Known::new());
    let library = Library::open(repo).unwrap().knowing(std::iter::empty());
    [look(&library), look(&library), look(&Program::new(repo))]
}
