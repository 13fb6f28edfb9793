//! Saving everything in a worktree as a commit before it is removed by force.

use std::path::{Path, PathBuf};

use super::command::{LONG, git, looking, read, run};
use super::entry::linked_admin;
use super::status::{Silent, silent, verify};
use super::verdict::kept_ignored;
use super::{GitError, Repository, discover};
use crate::adapter::clock::Deadline;
use crate::adapter::cmd::Cmd;
use crate::adapter::{fs, ids};
use crate::model::id::SessionId;
use crate::model::record::WorkspaceHandle;

/// What was saved and how it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preserved {
    /// The ref that holds it.
    pub ref_name: String,
    /// The commit: the whole tree, its parents every commit that only the worktree reached.
    pub sha: String,
    /// A shell command that checks it out.
    pub restore_command: String,
}

/// Saves the worktree's files, ignored ones that `keep_patterns` name included, and its commits
/// under `refs/ao/preserved/<session>`. Neither index nor branch is touched.
pub fn preserve(
    handle: &WorkspaceHandle,
    session: &SessionId,
    keep_patterns: &[String],
) -> Result<Preserved, GitError> {
    let repo = discover(&handle.repo)?;
    verify(&repo, handle)?;
    let git_dir = linked_admin(&handle.path)?.unwrap_or_else(|| repo.common_dir.clone());
    let index = TemporaryIndex::of(&git_dir)?;
    let tree = write_tree(&handle.path, &git_dir, &index, keep_patterns)?;
    let parents = parents(&handle.path, &git_dir)?;
    let sha = commit_tree(&handle.path, &tree, &parents, session)?;
    let ref_name = publish(&repo, "preserved", session, &sha)?;
    let restore_command = format!(
        "git -C {} worktree add --detach {} {ref_name}",
        quoted(&repo.main),
        quoted(&handle.path)
    );
    Ok(Preserved { ref_name, sha, restore_command })
}

/// A copy of the index, removed with its lock when it goes out of scope.
struct TemporaryIndex(PathBuf);

impl TemporaryIndex {
    /// Copies the index, with what it knows of each file: unchanged ones are not read again.
    fn of(git_dir: &Path) -> Result<Self, GitError> {
        let path = git_dir.join(format!("{}{}", fs::temporary_prefix(), ids::hex(8)));
        let copy = Self(path);
        let index = git_dir.join("index");
        if fs::metadata(&index)?.is_some() {
            fs::copy_file(&index, &copy.0)?;
        }
        Ok(copy)
    }

    fn git(&self, path: &Path) -> Cmd {
        // A split index would write its shared half beside the real one.
        looking(path)
            .deadline(LONG)
            .args(["-c", "core.splitIndex=false", "-c", "core.fsync=all"])
            .env("GIT_INDEX_FILE", self.0.as_os_str())
    }
}

impl Drop for TemporaryIndex {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(&self.0.with_extension("lock"));
    }
}

fn write_tree(
    path: &Path,
    git_dir: &Path,
    index: &TemporaryIndex,
    keep_patterns: &[String],
) -> Result<String, GitError> {
    if fs::metadata(&git_dir.join("index"))?.is_none() && has_head(path)? {
        read(&index.git(path).args(["read-tree", "HEAD"]), "git read-tree")?;
    }
    see_everything(path, index)?;
    let add = |flags: &[&str]| {
        let command = index.git(path).args(["-c", "advice.addEmbeddedRepo=false", "add"]);
        command.args(flags)
    };
    read(&add(&["--all", "--sparse"]), "git add")?;
    let kept = kept_ignored(path, keep_patterns, Deadline::after(LONG))?;
    if !kept.is_empty() {
        let command =
            add(&["--force", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul"]);
        let command = command.env("GIT_LITERAL_PATHSPECS", "1").stdin(list_of(&kept));
        read(&command, "git add --force")?;
    }
    refuse_nested(path, index)?;
    Ok(read(&index.git(path).arg("write-tree"), "git write-tree")?.text())
}

/// Takes the marks off that make git pass over changes.
fn see_everything(path: &Path, index: &TemporaryIndex) -> Result<(), GitError> {
    let Silent { assumed, skipped, inner: _ } = silent(path, index.git(path))?;
    let marks = [("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)];
    for (flag, marked) in marks.iter().filter(|(_, marked)| !marked.is_empty()) {
        let command = index.git(path).args(["update-index", flag, "-z", "--stdin"]);
        read(&command.stdin(list_of(marked)), "git update-index")?;
    }
    Ok(())
}

/// Returns paths as git reads them from its input with `-z`.
fn list_of(paths: &[PathBuf]) -> Vec<u8> {
    let each = paths.iter().map(|path| path.as_os_str().as_encoded_bytes());
    each.flat_map(|path| path.iter().copied().chain([0])).collect()
}

/// A repository inside is stored as the name of its commit, its files not at all.
fn refuse_nested(path: &Path, index: &TemporaryIndex) -> Result<(), GitError> {
    match silent(path, index.git(path))?.inner.pop() {
        Some(inner) => Err(GitError::NestedRepository { path: path.join(inner) }),
        // A submodule that was never initialised is an empty directory.
        None => Ok(()),
    }
}

fn has_head(path: &Path) -> Result<bool, GitError> {
    Ok(resolved(path, "HEAD")?.is_some())
}

fn resolved(path: &Path, name: &str) -> Result<Option<String>, GitError> {
    let name = format!("{name}^{{commit}}");
    let output = run(&git(path).args(["rev-parse", "--quiet", "--verify", &name]))?;
    Ok(output.success().then(|| output.text()))
}

/// Returns HEAD, what an unfinished merge or rebase would still need, and what refs of the worktree
/// alone have.
fn parents(path: &Path, git_dir: &Path) -> Result<Vec<String>, GitError> {
    const NAMED: [&str; 8] = [
        "MERGE_HEAD",
        "CHERRY_PICK_HEAD",
        "REVERT_HEAD",
        "MERGE_AUTOSTASH",
        "rebase-merge/orig-head",
        "rebase-merge/autostash",
        "rebase-apply/orig-head",
        "rebase-apply/autostash",
    ];
    let mut names = "HEAD".to_owned();
    for file in NAMED {
        let bytes = fs::read_optional(&git_dir.join(file))?.unwrap_or_default();
        // One line for each branch that is merged.
        names = format!("{names}\n{}", String::from_utf8_lossy(&bytes));
    }
    let own = ["--format=%(objectname)", "refs/worktree", "refs/rewritten", "refs/bisect"];
    let own = git(path).arg("for-each-ref").args(own);
    names = format!("{names}\n{}", read(&own, "git for-each-ref")?.text());
    let mut parents = Vec::new();
    for name in names.lines().map(str::trim).filter(|name| !name.is_empty()) {
        match resolved(path, name)? {
            Some(sha) if !parents.contains(&sha) => parents.push(sha),
            Some(_) | None => {}
        }
    }
    Ok(parents)
}

fn commit_tree(
    path: &Path,
    tree: &str,
    parents: &[String],
    session: &SessionId,
) -> Result<String, GitError> {
    // The same content makes the same commit: done again after a crash, it is found again.
    const DATE: &str = "@0 +0000";
    let message = format!("ao: everything in the worktree of {session}\n");
    let command = git(path)
        .args(["-c", "core.fsync=all", "-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree])
        .args(parents.iter().flat_map(|parent| ["-p", parent.as_str()]))
        .args(["--no-gpg-sign", "-F", "-"])
        .stdin(message);
    let identity = [("NAME", "ao"), ("EMAIL", "ao@localhost"), ("DATE", DATE)];
    let command = identity.iter().fold(command, |command, (what, value)| {
        let command = command.env(format!("GIT_AUTHOR_{what}"), *value);
        command.env(format!("GIT_COMMITTER_{what}"), *value)
    });
    Ok(read(&command, "git commit-tree")?.text())
}

/// Gives the commit a name under `refs/ao/<space>` that nothing else has; the one it has already,
/// if so.
pub(super) fn publish(
    repo: &Repository,
    space: &str,
    session: &SessionId,
    sha: &str,
) -> Result<String, GitError> {
    const TRIES: u32 = 1000;
    for number in 1..=TRIES {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("refs/ao/{space}/{session}{suffix}");
        match repo.commit(&name)? {
            Some(known) if known == sha => return Ok(name),
            Some(_) => {}
            None => match repo.create_ref(&name, sha) {
                Ok(()) => return Ok(name),
                // Taken in the meantime.
                Err(_) if repo.commit(&name)?.is_some() => {}
                Err(error) => return Err(error),
            },
        }
    }
    Err(GitError::BranchExists { branch: format!("refs/ao/{space}/{session}") })
}

/// Returns `path` as one word of a POSIX shell.
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
