//! Answers by libgit2: quick, and without a child process.

use std::cell::RefCell;
use std::collections::BTreeSet;

use git2::{Commit as Git2Commit, DiffOptions, Oid, Sort};

use super::fingerprint::Fingerprint;
use super::objects::{Change, Commit, Difference, LogLine, MAX_WALK, Merge, Objects};
use crate::adapter::failpoint;
use crate::adapter::fs;
use crate::adapter::fs::directory::Directory;
use crate::adapter::git::{GitError, Repository};
use crate::model::collect::Sorted;

/// Larger files are compared by their hashes alone.
const MAX_TEXT_BYTES: i64 = 8 << 20;

/// A repository that is open in libgit2.
pub(super) struct Library {
    repo: git2::Repository,
    /// What this look and earlier ones found to be commits, which they stay.
    commits: RefCell<BTreeSet<Oid>>,
    /// Where its branches are, once there are such commits.
    common: Option<Directory>,
    shown: std::path::PathBuf,
}

impl Library {
    /// Opens the repository so that what merging makes stays in memory.
    pub(super) fn open(repo: &Repository) -> Result<Self, GitError> {
        Self::in_memory(Self::open_to_write(repo)?)
    }

    /// [`Self::open`] of a repository that libgit2 has open.
    pub(super) fn of(repo: &Repository, opened: git2::Repository) -> Result<Self, GitError> {
        let shown = repo.main.clone();
        Self::in_memory(Self { repo: opened, commits: RefCell::default(), common: None, shown })
    }

    fn in_memory(library: Self) -> Result<Self, GitError> {
        // Above the object files, so that it is the one that is written to. It belongs to the
        // repository's own database and lives as long.
        const ABOVE_FILES: i32 = 1000;
        let failed = library.failed("open");
        let objects = library.repo.odb().map_err(&failed)?;
        objects.add_new_mempack_backend(ABOVE_FILES).map_err(failed)?;
        drop(objects);
        Ok(library)
    }

    /// Takes it that these are commits: what a ref leads to is not opened to see what it is.
    pub(super) fn knowing<'a>(mut self, commits: impl Iterator<Item = &'a str>) -> Self {
        self.commits = RefCell::new(commits.filter_map(|sha| Oid::from_str(sha).ok()).into_set());
        self.common = Directory::open_to_walk(self.repo.commondir()).ok();
        self
    }

    /// Opens the repository so that what merging makes goes into its object files.
    pub(super) fn open_to_write(repo: &Repository) -> Result<Self, GitError> {
        let shown = repo.main.clone();
        match git2::Repository::open(&repo.common_dir) {
            Ok(opened) => {
                Ok(Self { repo: opened, commits: RefCell::default(), common: None, shown })
            }
            Err(source) => Err(GitError::Library { what: "open", repo: shown, source }),
        }
    }

    fn is_known(&self, oid: &Oid) -> bool {
        self.commits.borrow().contains(oid)
    }

    /// Returns what a branch is at, if it has a file of its own that names a commit of the known
    /// ones. libgit2, which is asked otherwise, says the same of it and takes twice as long.
    fn known_tip(&self, full_name: &str) -> Option<String> {
        const ROOM: usize = 64;
        let common = self.common.as_ref().filter(|_| full_name.starts_with("refs/heads/"))?;
        let mut text = vec![0; ROOM];
        let text = common.read(full_name, &mut text, ROOM).ok()?;
        let sha = std::str::from_utf8(text.strip_suffix(b"\n")?).ok()?;
        let oid = Oid::from_str(sha).ok().filter(|oid| self.is_known(oid))?;
        (oid.to_string() == sha).then(|| sha.to_owned())
    }

    fn failed(&self, what: &'static str) -> impl Fn(git2::Error) -> GitError {
        let repo = self.shown.clone();
        move |source| GitError::Library { what, repo: repo.clone(), source }
    }

    fn commit(&self, sha: &str) -> Result<Git2Commit<'_>, GitError> {
        let failed = self.failed("read a commit of");
        let oid = Oid::from_str(sha).map_err(&failed)?;
        self.repo.find_commit(oid).map_err(failed)
    }

    /// Reads the outcome of a merge off the index it made.
    fn merged(&self, mut index: git2::Index) -> Result<Merge, GitError> {
        let failed = self.failed("merge in");
        if !index.has_conflicts() {
            let tree = self.written("git2.tree", || index.write_tree_to(&self.repo))?;
            return Ok(Merge::Clean(tree.to_string()));
        }
        let mut paths = BTreeSet::new();
        for conflict in index.conflicts().map_err(&failed)? {
            let conflict = conflict.map_err(&failed)?;
            let entry = conflict.our.or(conflict.their).or(conflict.ancestor);
            paths.extend(entry.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()));
        }
        Ok(Merge::Conflicts(paths.into_iter().collect()))
    }

    fn empty_tree(&self) -> Result<Oid, GitError> {
        let builder = self.repo.treebuilder(None).map_err(self.failed("merge in"))?;
        self.written("git2.empty_tree", || builder.write())
    }

    /// Writes an object, which is one of the points at which a disk can be full.
    fn written(
        &self,
        point: &str,
        mut write: impl FnMut() -> Result<Oid, git2::Error>,
    ) -> Result<Oid, GitError> {
        failpoint::pass_at(point, &self.shown)
            .map_err(|error| git2::Error::from_str(&error.to_string()))
            .and_then(|()| write())
            .map_err(self.failed("write an object of"))
    }

    /// Adds the objects of `tree` that none of `known` has in the same place.
    fn made(
        &self,
        known: &[Option<Oid>],
        tree: Oid,
        made: &mut Vec<Oid>,
    ) -> Result<(), git2::Error> {
        if known.contains(&Some(tree)) {
            return Ok(());
        }
        made.push(tree);
        let trees: Vec<git2::Tree<'_>> =
            known.iter().flatten().filter_map(|oid| self.repo.find_tree(*oid).ok()).collect();
        for entry in &self.repo.find_tree(tree)? {
            let same_place = |tree: &git2::Tree<'_>| {
                let position = tree.iter().find(|other| other.name_bytes() == entry.name_bytes());
                position.map(|other| other.id())
            };
            let there: Vec<Option<Oid>> = trees.iter().map(same_place).collect();
            match entry.kind() {
                Some(git2::ObjectType::Tree) => self.made(&there, entry.id(), made)?,
                _ if !there.contains(&Some(entry.id())) => made.push(entry.id()),
                _ => {}
            }
        }
        Ok(())
    }

    fn oid(&self, sha: &str) -> Result<Oid, GitError> {
        Oid::from_str(sha).map_err(self.failed("read a hash of"))
    }

    /// Returns the differences of two commits, in a form that no configuration changes.
    fn diff(&self, from: Option<&str>, to: &str) -> Result<git2::Diff<'_>, GitError> {
        let failed = self.failed("compare trees of");
        let old = match from {
            Some(from) => Some(self.commit(from)?.tree().map_err(&failed)?),
            None => None,
        };
        let new = self.commit(to)?.tree().map_err(&failed)?;
        let mut options = DiffOptions::new();
        options.context_lines(3).interhunk_lines(0).max_size(MAX_TEXT_BYTES);
        options.include_typechange(true).ignore_submodules(false);
        self.repo.diff_tree_to_tree(old.as_ref(), Some(&new), Some(&mut options)).map_err(failed)
    }
}

impl Objects for Library {
    fn tip(&self, full_name: &str) -> Result<Option<String>, GitError> {
        if let Some(known) = self.known_tip(full_name) {
            return Ok(Some(known));
        }
        let found =
            found(self.repo.find_reference(full_name)).map_err(self.failed("read refs of"))?;
        let Some(reference) = found else { return Ok(None) };
        let direct = reference.target();
        if let Some(known) = direct.filter(|oid| self.is_known(oid)) {
            return Ok(Some(known.to_string()));
        }
        let commit = found_commit(&reference).map_err(self.failed("follow a ref of"))?;
        if let Some(oid) = direct.filter(|oid| commit.as_ref() == Some(&oid.to_string())) {
            self.commits.borrow_mut().insert(oid);
        }
        Ok(commit)
    }

    fn symbolic(&self, full_name: &str) -> Result<Option<String>, GitError> {
        let found =
            found(self.repo.find_reference(full_name)).map_err(self.failed("read refs of"))?;
        let target = found.as_ref().and_then(git2::Reference::symbolic_target_bytes);
        Ok(target.map(|name| String::from_utf8_lossy(name).into_owned()))
    }

    fn remotes(&self) -> Result<Vec<String>, GitError> {
        let names = self.repo.remotes().map_err(self.failed("read the remotes of"))?;
        Ok(names.iter_bytes().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    fn exists(&self, sha: &str) -> Result<bool, GitError> {
        let Ok(oid) = Oid::from_str(sha) else { return Ok(false) };
        found(self.repo.find_commit(oid))
            .map(|commit| commit.is_some())
            .map_err(self.failed("read a commit of"))
    }

    fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool, GitError> {
        let (ancestor, of) = (self.oid(ancestor)?, self.oid(of)?);
        let descends = self.repo.graph_descendant_of(of, ancestor);
        Ok(ancestor == of || descends.map_err(self.failed("walk the history of"))?)
    }

    fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, GitError> {
        let base = found(self.repo.merge_base(self.oid(one)?, self.oid(other)?));
        let base = base.map_err(self.failed("walk the history of"))?;
        Ok(base.map(|oid| oid.to_string()))
    }

    fn missing_from(&self, tip: &str, others: &[&str]) -> Result<Vec<Commit>, GitError> {
        let failed = self.failed("walk the history of");
        let mut walk = self.repo.revwalk().map_err(&failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(&failed)?;
        walk.push(self.oid(tip)?).map_err(&failed)?;
        for other in others {
            walk.hide(self.oid(other)?).map_err(&failed)?;
        }
        walk.map(|oid| {
            let commit = self.repo.find_commit(oid.map_err(&failed)?).map_err(&failed)?;
            Ok(Commit {
                sha: commit.id().to_string(),
                parents: commit.parent_ids().map(|oid| oid.to_string()).collect(),
                authored: commit.author().when().seconds(),
            })
        })
        .collect()
    }

    fn is_first_parent(&self, commit: &str, tip: &str, until: &str) -> Result<bool, GitError> {
        let mut next = Some(self.commit(tip)?);
        for _ in 0..MAX_WALK {
            let Some(current) = next else { return Ok(false) };
            let sha = current.id().to_string();
            if sha == commit || sha == until {
                return Ok(sha == commit);
            }
            next = current.parent(0).ok();
        }
        Ok(true)
    }

    fn tree(&self, commit: &str) -> Result<String, GitError> {
        Ok(self.commit(commit)?.tree_id().to_string())
    }

    fn change(&self, from: Option<&str>, to: &str) -> Result<Option<Change>, GitError> {
        let diff = self.diff(from, to)?;
        if diff.deltas().len() == 0 {
            return Ok(None);
        }
        let id = fingerprint(&diff).map_err(self.failed("compare files of"))?;
        Ok(Some(Change { id, paths: paths(&diff) }))
    }

    fn made_by(
        &self,
        tip: &str,
        base: Option<&str>,
        since: i64,
        wanted: &[Change],
    ) -> Result<BTreeSet<String>, GitError> {
        let failed = self.failed("walk the history of");
        let mut walk = self.repo.revwalk().map_err(&failed)?;
        walk.set_sorting(Sort::TIME).map_err(&failed)?;
        walk.push(self.oid(tip)?).map_err(&failed)?;
        if let Some(base) = base {
            walk.hide(self.oid(base)?).map_err(&failed)?;
        }
        let mut made = BTreeSet::new();
        for oid in walk.take(MAX_WALK) {
            let commit = self.repo.find_commit(oid.map_err(&failed)?).map_err(&failed)?;
            if commit.parent_count() > 1 || commit.time().seconds() < since {
                continue;
            }
            let parent = commit.parent_id(0).ok().map(|oid| oid.to_string());
            let diff = self.diff(parent.as_deref(), &commit.id().to_string())?;
            // Paths are in the trees; contents are read only where all of them are the same.
            let paths = paths(&diff);
            if wanted.iter().any(|change| change.paths == paths) {
                made.insert(fingerprint(&diff).map_err(self.failed("compare files of"))?);
            }
        }
        Ok(made)
    }

    fn merge(&self, ours: &str, theirs: &str) -> Result<Merge, GitError> {
        let failed = self.failed("merge in");
        let (ours, theirs) = (self.commit(ours)?, self.commit(theirs)?);
        self.merged(self.repo.merge_commits(&ours, &theirs, None).map_err(failed)?)
    }

    fn pick(&self, commit: &Commit, onto: &str) -> Result<Merge, GitError> {
        let failed = self.failed("merge in");
        let before = match commit.parents.first() {
            Some(parent) => self.commit(parent)?.tree_id(),
            None => self.empty_tree()?,
        };
        let tree = |oid| self.repo.find_tree(oid).map_err(&failed);
        let theirs = self.commit(&commit.sha)?.tree_id();
        let (before, onto, theirs) = (tree(before)?, tree(self.oid(onto)?)?, tree(theirs)?);
        let index = self.repo.merge_trees(&before, &onto, &theirs, None).map_err(&failed)?;
        self.merged(index)
    }

    fn differences(&self, from: &str, tree: &str) -> Result<Vec<Difference>, GitError> {
        let failed = self.failed("compare trees of");
        let old = self.commit(from)?.tree().map_err(&failed)?;
        let new = self.repo.find_tree(self.oid(tree)?).map_err(&failed)?;
        let mut options = DiffOptions::new();
        options.include_typechange(true).ignore_submodules(false);
        let diff = self.repo.diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options));
        let side = |file: git2::DiffFile<'_>| {
            let mode = u32::from(file.mode());
            (mode != 0 && file.exists()).then(|| (mode, file.id().to_string()))
        };
        let difference = |delta: git2::DiffDelta<'_>| {
            let path = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes());
            let path = path.unwrap_or_default().to_vec();
            Difference { path, before: side(delta.old_file()), after: side(delta.new_file()) }
        };
        Ok(diff.map_err(failed)?.deltas().map(difference).collect())
    }

    fn keep(&self, ours: &str, theirs: &str, tree: &str) -> Result<(), GitError> {
        let known = [self.commit(ours)?.tree_id(), self.commit(theirs)?.tree_id()];
        let mut made = Vec::new();
        self.made(&known.map(Some), self.oid(tree)?, &mut made).map_err(self.failed("read"))?;
        let objects = self.repo.commondir().join("objects");
        let mut directories = BTreeSet::new();
        for oid in made {
            let name = oid.to_string();
            let directory = objects.join(&name[..2]);
            let file = directory.join(&name[2..]);
            // What is in a pack was there before.
            if fs::metadata(&file)?.is_some() {
                fs::sync_file(&file)?;
                directories.extend([directory, objects.clone()]);
            }
        }
        directories.iter().try_for_each(|directory| Ok(fs::sync_directory(directory)?))
    }

    fn log(&self, full_name: &str) -> Result<Vec<LogLine>, GitError> {
        let has_log = self.repo.reference_has_log(full_name);
        if !has_log.map_err(self.failed("read a log of"))? {
            // Asked for one that is not there, libgit2 makes it.
            return Ok(Vec::new());
        }
        let log = self.repo.reflog(full_name).map_err(self.failed("read a log of"))?;
        let line = |entry: git2::ReflogEntry<'_>| LogLine {
            sha: entry.id_new().to_string(),
            message: String::from_utf8_lossy(entry.message_bytes().unwrap_or_default())
                .into_owned(),
        };
        Ok(log.iter().map(line).collect())
    }
}

/// Turns "there is none" into `None`.
fn found<T>(result: Result<T, git2::Error>) -> Result<Option<T>, git2::Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the commit that a ref leads to, `None` where it leads nowhere or to none.
fn found_commit(reference: &git2::Reference<'_>) -> Result<Option<String>, git2::Error> {
    let peeled = if reference.target().is_some() {
        reference.peel_to_commit()
    } else {
        let Some(direct) = found(reference.resolve())? else { return Ok(None) };
        direct.peel_to_commit()
    };
    match peeled {
        Ok(commit) => Ok(Some(commit.id().to_string())),
        Err(error) if error.code() == git2::ErrorCode::InvalidSpec => Ok(None),
        Err(error) => Err(error),
    }
}

fn paths(diff: &git2::Diff<'_>) -> Vec<String> {
    let path = |delta: git2::DiffDelta<'_>| {
        let bytes = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes());
        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
    };
    let mut paths: Vec<String> = diff.deltas().map(path).collect();
    paths.sort_unstable();
    paths
}

fn fingerprint(diff: &git2::Diff<'_>) -> Result<String, git2::Error> {
    let mut hash = Fingerprint::default();
    for (number, delta) in diff.deltas().enumerate() {
        let (old, new) = (delta.old_file(), delta.new_file());
        hash.file(old.path_bytes().unwrap_or_default(), new.path_bytes().unwrap_or_default());
        hash.modes(u32::from(old.mode()), u32::from(new.mode()));
        let patch = git2::Patch::from_diff(diff, number)?;
        match patch.filter(|patch| patch.num_hunks() > 0) {
            Some(patch) => lines(&patch, &mut hash)?,
            None => hash.contents(old.id().as_bytes(), new.id().as_bytes()),
        }
    }
    Ok(hash.finish())
}

fn lines(patch: &git2::Patch<'_>, hash: &mut Fingerprint) -> Result<(), git2::Error> {
    for hunk in 0..patch.num_hunks() {
        hash.hunk();
        for line in 0..patch.num_lines_in_hunk(hunk)? {
            let line = patch.line_in_hunk(hunk, line)?;
            hash.line(line.origin(), line.content());
        }
    }
    Ok(())
}
