//! Real repositories in temporary directories.
#![expect(clippy::disallowed_methods, reason = "arranges files for tests")]

mod answers;
mod checking_out;
mod filling;
mod fuzz;
mod hiding;
mod landing;
mod long;
mod looking;
mod making;
mod proving;
mod refs;
mod removing;
mod saving;
mod spotless;

use std::fs as std_fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::adapter::clock::{self, Deadline};
use crate::adapter::cmd::Cmd;
use crate::adapter::git::command::unreadable;
use crate::model::id::{BranchName, SessionId};
use crate::model::record::WorkspaceHandle;

const MINUTE: Duration = Duration::from_secs(60);

/// A repository with two commits, and a root for its worktrees.
struct Place {
    directory: tempfile::TempDir,
    repo: Repository,
}

impl Place {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(init: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let top = std_fs::canonicalize(directory.path()).unwrap().join("my repo");
        std_fs::create_dir(&top).unwrap();
        plain(&top, &[&["init", "-q", "-b", "main"], init].concat());
        for (name, value) in
            [("user.name", "t"), ("user.email", "t@example.org"), ("commit.gpgsign", "false")]
        {
            plain(&top, &["config", name, value]);
        }
        std_fs::write(top.join("a.txt"), "one\n").unwrap();
        std_fs::write(top.join(".gitignore"), ".env*\nbuild/\n").unwrap();
        plain(&top, &["add", "."]);
        plain(&top, &["commit", "-qm", "first"]);
        let repo = discover(&top).unwrap();
        Self { directory, repo }
    }

    fn root(&self) -> PathBuf {
        std_fs::canonicalize(self.directory.path()).unwrap().join("root")
    }

    fn new_worktree(&self, id: &str) -> NewWorktree {
        NewWorktree {
            path: self.root().join(id),
            branch: Some(format!("ao/{id}").parse().unwrap()),
            create_branch: true,
            base_sha: self.repo.base(None).unwrap().sha,
            session: id.parse().unwrap(),
        }
    }

    fn add(&self, new: &NewWorktree) -> WorkspaceHandle {
        begin_add(&self.repo, new).unwrap();
        fill(&self.repo, new, None).unwrap();
        finish_add(&self.repo, new).unwrap();
        self.handle(new)
    }

    fn handle(&self, new: &NewWorktree) -> WorkspaceHandle {
        WorkspaceHandle {
            path: new.path.clone(),
            repo: self.repo.main.clone(),
            branch: new.branch.clone(),
            branch_created: new.create_branch,
            base_ref: Some("main".into()),
            base_sha: Some(new.base_sha.clone()),
            owned: true,
            made: None,
            tip: None,
        }
    }

    /// Returns the reasons to keep the worktree, as a person reads them.
    fn kept(&self, handle: &WorkspaceHandle, id: &str) -> Vec<String> {
        self.kept_below(&self.root(), handle, id)
    }

    /// [`Self::kept`] where `root` is the place of all worktrees.
    fn kept_below(&self, root: &Path, handle: &WorkspaceHandle, id: &str) -> Vec<String> {
        match assess(handle, &session(id), root, &[".env*".into()], &[], MINUTE) {
            Assessment::Keep(reasons) => reasons.iter().map(ToString::to_string).collect(),
            Assessment::Removable { .. } => Vec::new(),
            Assessment::Gone => vec!["gone".into()],
        }
    }
}

/// Returns whether an error shows one of these parts of an answer, and no control character.
pub(super) fn shows<'a>(error: &GitError, mut parts: impl Iterator<Item = &'a [u8]>) -> bool {
    let GitError::Unreadable { line, .. } = error else { return false };
    let is_it = |part| matches!(unreadable("", part), GitError::Unreadable { line: shown, .. } if shown == *line);
    !error.to_string().contains(char::is_control) && parts.any(is_it)
}

fn session(id: &str) -> SessionId {
    id.parse().unwrap()
}

fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

/// Runs git as a person would, with an empty configuration.
fn plain(directory: &Path, args: &[&str]) -> String {
    let output = plain_output(directory, args);
    assert!(output.success(), "git {args:?}: {}", output.stderr);
    output.text()
}

fn plain_output(directory: &Path, args: &[&str]) -> crate::adapter::cmd::Output {
    Cmd::new("git")
        .args(args.iter().copied())
        .cwd(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("LC_ALL", "C")
        .deadline(MINUTE)
        .output()
        .unwrap()
}

fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std_fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.push((path.clone(), std_fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}
