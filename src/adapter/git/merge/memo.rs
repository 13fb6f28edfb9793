//! Answers that are the same for all branches of one look, asked for once.
//!
//! Many branches have one target, and start at one commit. Whatever a memo remembers is as old as
//! the look it was made for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::objects::{Change, Commit, Difference, LogLine, Merge, Objects};
use crate::adapter::git::GitError;

/// A repository that is asked nothing twice.
pub(super) struct Memo<'a> {
    objects: &'a dyn Objects,
    tips: RefCell<BTreeMap<String, Option<String>>>,
    symbolic: RefCell<BTreeMap<String, Option<String>>>,
    remotes: RefCell<Option<Vec<String>>>,
    exists: RefCell<BTreeMap<String, bool>>,
}

impl<'a> Memo<'a> {
    /// Returns one that remembers nothing yet.
    pub(super) fn of(objects: &'a dyn Objects) -> Self {
        let (tips, symbolic, remotes, exists) = Default::default();
        Self { objects, tips, symbolic, remotes, exists }
    }
}

/// Returns what is remembered of `key`, or asks. A failure is not remembered.
fn once<T: Clone>(
    known: &RefCell<BTreeMap<String, T>>,
    key: &str,
    ask: impl FnOnce(&str) -> Result<T, GitError>,
) -> Result<T, GitError> {
    if let Some(known) = known.borrow().get(key) {
        return Ok(known.clone());
    }
    let answer = ask(key)?;
    known.borrow_mut().insert(key.to_owned(), answer.clone());
    Ok(answer)
}

impl Objects for Memo<'_> {
    fn tip(&self, full_name: &str) -> Result<Option<String>, GitError> {
        once(&self.tips, full_name, |name| self.objects.tip(name))
    }

    fn symbolic(&self, full_name: &str) -> Result<Option<String>, GitError> {
        once(&self.symbolic, full_name, |name| self.objects.symbolic(name))
    }

    fn remotes(&self) -> Result<Vec<String>, GitError> {
        if let Some(remotes) = &*self.remotes.borrow() {
            return Ok(remotes.clone());
        }
        let remotes = self.objects.remotes()?;
        *self.remotes.borrow_mut() = Some(remotes.clone());
        Ok(remotes)
    }

    fn exists(&self, sha: &str) -> Result<bool, GitError> {
        once(&self.exists, sha, |sha| self.objects.exists(sha))
    }

    fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool, GitError> {
        Ok(ancestor == of || self.objects.is_ancestor(ancestor, of)?)
    }

    fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, GitError> {
        self.objects.merge_base(one, other)
    }

    fn missing_from(&self, tip: &str, others: &[&str]) -> Result<Vec<Commit>, GitError> {
        if others.contains(&tip) {
            return Ok(Vec::new());
        }
        self.objects.missing_from(tip, others)
    }

    fn is_first_parent(&self, commit: &str, tip: &str, until: &str) -> Result<bool, GitError> {
        self.objects.is_first_parent(commit, tip, until)
    }

    fn tree(&self, commit: &str) -> Result<String, GitError> {
        self.objects.tree(commit)
    }

    fn change(&self, from: Option<&str>, to: &str) -> Result<Option<Change>, GitError> {
        self.objects.change(from, to)
    }

    fn made_by(
        &self,
        tip: &str,
        base: Option<&str>,
        since: i64,
        wanted: &[Change],
    ) -> Result<BTreeSet<String>, GitError> {
        self.objects.made_by(tip, base, since, wanted)
    }

    fn merge(&self, ours: &str, theirs: &str) -> Result<Merge, GitError> {
        self.objects.merge(ours, theirs)
    }

    fn pick(&self, commit: &Commit, onto: &str) -> Result<Merge, GitError> {
        self.objects.pick(commit, onto)
    }

    fn differences(&self, from: &str, tree: &str) -> Result<Vec<Difference>, GitError> {
        self.objects.differences(from, tree)
    }

    fn keep(&self, ours: &str, theirs: &str, tree: &str) -> Result<(), GitError> {
        self.objects.keep(ours, theirs, tree)
    }

    fn log(&self, full_name: &str) -> Result<Vec<LogLine>, GitError> {
        self.objects.log(full_name)
    }
}
