//! Copying into a worktree what git does not put there: `.env`, caches, local configuration.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::GitError;
use super::command::{LONG, git, read};
use crate::adapter::fs;

/// What was brought into a worktree, each path relative to its top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncludeReport {
    /// Files that were copied.
    pub copied: Vec<PathBuf>,
    /// Files and directories that were linked.
    pub linked: Vec<PathBuf>,
    /// What was left out, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

/// Brings files of the main worktree into `workspace`: untracked ones that match
/// `worktreeinclude` (the syntax of `.gitignore`), and the files and directories that `copy`
/// names; what `symlinks` names is linked instead.
///
/// Nothing that exists is overwritten, and no link leads a copy out of either directory.
pub fn copy_included(
    repo_main: &Path,
    workspace: &Path,
    worktreeinclude: &str,
    copy: &[String],
    symlinks: &[String],
) -> Result<IncludeReport, GitError> {
    let mut include = Include { main: repo_main, workspace, report: IncludeReport::default() };
    for path in matching(repo_main, worktreeinclude)? {
        include.copy(&path)?;
    }
    for name in copy {
        let path = safe_path(name)?;
        if include.source_is_safe(&path)? {
            include.copy_tree(&path)?;
        }
    }
    for name in symlinks {
        include.link(&safe_path(name)?)?;
    }
    Ok(include.report)
}

/// Returns the untracked files that match, as git reads such patterns.
pub(super) fn matching(repo_main: &Path, patterns: &str) -> Result<Vec<PathBuf>, GitError> {
    if patterns.trim().is_empty() {
        return Ok(Vec::new());
    }
    let command = git(repo_main)
        .deadline(LONG)
        .args(["ls-files", "--others", "--ignored", "--exclude-from=/dev/stdin", "-z"])
        .stdin(patterns);
    let output = read(&command, "git ls-files")?;
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    // A repository inside is listed as a directory, and none of ours to copy.
    let files = names.filter(|name| !name.ends_with(b"/"));
    Ok(files.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
}

/// Returns a configured path, an error where it is absolute or leads upwards or into `.git`.
pub(super) fn safe_path(name: &str) -> Result<PathBuf, GitError> {
    let path: PathBuf = Path::new(name).components().filter(|c| *c != Component::CurDir).collect();
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let in_git = path.components().next().is_some_and(|part| part.as_os_str() == ".git");
    if path.as_os_str().is_empty() || !plain || in_git || name.contains('\0') {
        return Err(GitError::UnsafePath { path: name.to_owned() });
    }
    Ok(path)
}

struct Include<'a> {
    main: &'a Path,
    workspace: &'a Path,
    report: IncludeReport,
}

impl Include<'_> {
    fn skip(&mut self, path: &Path, why: &str) {
        self.report.skipped.push((path.to_owned(), why.to_owned()));
    }

    /// Returns whether the source exists and no part above it is a link.
    fn source_is_safe(&mut self, path: &Path) -> Result<bool, GitError> {
        if fs::metadata(&self.main.join(path))?.is_none() {
            self.skip(path, "it does not exist");
            return Ok(false);
        }
        if !has_plain_parents(self.main, path)? {
            self.skip(path, "it lies behind a symbolic link");
            return Ok(false);
        }
        Ok(true)
    }

    fn copy_tree(&mut self, path: &Path) -> Result<(), GitError> {
        let source = self.main.join(path);
        if !fs::metadata(&source)?.is_some_and(|metadata| metadata.is_dir()) {
            return self.copy(path);
        }
        for name in fs::names(&source)? {
            if name != ".git" {
                self.copy_tree(&path.join(name))?;
            }
        }
        Ok(())
    }

    fn copy(&mut self, path: &Path) -> Result<(), GitError> {
        if !self.source_is_safe(path)? || !self.place(path)? {
            return Ok(());
        }
        let (from, to) = (self.main.join(path), self.workspace.join(path));
        let metadata = fs::metadata(&from)?;
        if metadata.as_ref().is_some_and(|metadata| metadata.is_symlink()) {
            let target = fs::canonical(&from).ok();
            if !target.is_some_and(|target| target.starts_with(self.main)) {
                self.skip(path, "it links to something outside the repository");
                return Ok(());
            }
            fs::copy_link(&from, &to)?;
        } else if metadata.is_some_and(|metadata| metadata.is_file()) {
            fs::copy_file(&from, &to)?;
        } else {
            self.skip(path, "it is not a file");
            return Ok(());
        }
        self.report.copied.push(path.to_owned());
        Ok(())
    }

    fn link(&mut self, path: &Path) -> Result<(), GitError> {
        if !self.source_is_safe(path)? || !self.place(path)? {
            return Ok(());
        }
        fs::symlink(&self.main.join(path), &self.workspace.join(path))?;
        self.report.linked.push(path.to_owned());
        Ok(())
    }

    /// Makes the directories above `path` in the workspace; returns whether the place is free.
    fn place(&mut self, path: &Path) -> Result<bool, GitError> {
        if fs::metadata(&self.workspace.join(path))?.is_some() {
            self.skip(path, "it exists in the workspace");
            return Ok(false);
        }
        if !has_plain_parents(self.workspace, path)? {
            self.skip(path, "it would be written through a symbolic link");
            return Ok(false);
        }
        if let Some(parent) = self.workspace.join(path).parent() {
            fs::create_directories(parent)?;
        }
        Ok(true)
    }
}

/// Returns whether everything above `path` inside `top` is a directory or missing.
fn has_plain_parents(top: &Path, path: &Path) -> Result<bool, GitError> {
    for ancestor in path.ancestors().skip(1).filter(|part| !part.as_os_str().is_empty()) {
        if fs::metadata(&top.join(ancestor))?.is_some_and(|metadata| !metadata.is_dir()) {
            return Ok(false);
        }
    }
    Ok(true)
}
