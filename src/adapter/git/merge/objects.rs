//! The questions that merging asks of a repository's commits and trees.

use std::collections::BTreeSet;

use crate::adapter::git::GitError;

/// How many commits of a target are compared with a branch's, at most.
pub(super) const MAX_WALK: usize = 1000;

/// A commit, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// Its hash.
    pub(super) sha: String,
    /// Its parents.
    pub(super) parents: Vec<String>,
    /// When it was first written, in seconds since 1970: a rebase keeps it.
    pub(super) authored: i64,
}

/// A change, comparable whatever it was made on top of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The hash of paths, modes and lines; of both contents where they are not text. Line numbers
    /// do not count.
    pub(super) id: String,
    /// The paths it is about, sorted.
    pub(super) paths: Vec<String>,
}

/// What merging two commits makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// This tree.
    Clean(String),
    /// Nothing, because of these paths.
    Conflicts(Vec<String>),
}

/// A file that two trees do not have alike: its mode and hash in each that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Its path.
    pub(super) path: Vec<u8>,
    /// As the first tree has it.
    pub(super) before: Option<(u32, String)>,
    /// As the second has it.
    pub(super) after: Option<(u32, String)>,
}

/// One line of a branch's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogLine {
    /// Where the branch went.
    pub(super) sha: String,
    /// What moved it, in git's words.
    pub(super) message: String,
}

/// Where refs and commits are read from and trees are merged: libgit2 or the `git` program.
pub(super) trait Objects {
    /// Returns the commit that the ref of this full name leads to.
    fn tip(&self, full_name: &str) -> Result<Option<String>, GitError>;

    /// Returns the full name of the ref that the symbolic ref `full_name` names.
    fn symbolic(&self, full_name: &str) -> Result<Option<String>, GitError>;

    /// Returns the names of the remotes.
    fn remotes(&self) -> Result<Vec<String>, GitError>;

    /// Returns whether there is such a commit.
    fn exists(&self, sha: &str) -> Result<bool, GitError>;

    /// Returns whether `ancestor` is `of` or one of its ancestors.
    fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool, GitError>;

    /// Returns the best common ancestor.
    fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, GitError>;

    /// Returns the commits that `tip` reaches and none of `others` does, newest first.
    fn missing_from(&self, tip: &str, others: &[&str]) -> Result<Vec<Commit>, GitError>;

    /// Returns whether `commit` is one of the first parents of `tip`, itself included, down to
    /// `until`.
    fn is_first_parent(&self, commit: &str, tip: &str, until: &str) -> Result<bool, GitError>;

    /// Returns the tree of a commit.
    fn tree(&self, commit: &str) -> Result<String, GitError>;

    /// Returns the change from one commit to another, `None` where there is none. Without a
    /// `from`, everything was added.
    fn change(&self, from: Option<&str>, to: &str) -> Result<Option<Change>, GitError>;

    /// Returns which of the `wanted` changes were made by single commits that `tip` reaches, that
    /// `base` does not, and that are not older than `since`.
    fn made_by(
        &self,
        tip: &str,
        base: Option<&str>,
        since: i64,
        wanted: &[Change],
    ) -> Result<BTreeSet<String>, GitError>;

    /// Merges `theirs` into `ours`.
    fn merge(&self, ours: &str, theirs: &str) -> Result<Merge, GitError>;

    /// Makes the change of `commit`, which has one parent or none, on top of the tree `onto`.
    fn pick(&self, commit: &Commit, onto: &str) -> Result<Merge, GitError>;

    /// Returns the files in which `tree` is not that of the commit `from`, sorted by path.
    fn differences(&self, from: &str, tree: &str) -> Result<Vec<Difference>, GitError>;

    /// Makes what of `tree` neither commit has, as merging wrote it, survive a power cut.
    fn keep(&self, ours: &str, theirs: &str, tree: &str) -> Result<(), GitError>;

    /// Returns the log of a branch; empty where none is kept.
    fn log(&self, full_name: &str) -> Result<Vec<LogLine>, GitError>;
}
