//! Saving everything in a worktree as a commit before it is removed by force.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::command::{LONG, git, looking, read, run};
use super::entry::linked_admin;
use super::status::{Silent, Staged, silent, staged_in, verify};
use super::verdict::kept_ignored;
use super::{GitError, Repository, discover};
use crate::adapter::clock::Deadline;
use crate::adapter::cmd::Cmd;
use crate::adapter::{fs, ids};
use crate::model::collect::Sorted;
use crate::model::id::SessionId;
use crate::model::record::WorkspaceHandle;

/// What was saved and how it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preserved {
    /// The ref that holds it.
    pub ref_name: String,
    /// The commit: the whole tree, byte for byte; its parents every commit that only the worktree
    /// reached, and one each of what is staged and of what git is in the middle of.
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
    let path = &handle.path;
    let index = TemporaryIndex::of(&git_dir)?;
    let base = match resolved(path, "HEAD^{tree}")? {
        Some(tree) => tree,
        None => make_tree(path, Vec::new())?,
    };
    if fs::metadata(&index.0)?.is_none() {
        read(&index.git(path).args(["read-tree", &base]), "git read-tree")?;
    }
    let staged = staged_tree(path, &git_dir, &index)?;
    let tree = write_tree(path, &git_dir, &index, &base, keep_patterns)?;
    let mut parents = parents(path, &git_dir)?;
    let more = [
        (Some(staged).filter(|it| *it != base && *it != tree), "what is staged"),
        (unfinished_tree(path, &git_dir)?, "what git is in the middle of"),
    ];
    let head = parents.first().cloned();
    for (tree, what) in more {
        if let Some(tree) = tree {
            parents.push(commit_tree(path, &tree, head.as_slice(), what, session)?);
        }
    }
    let sha = commit_tree(path, &tree, &parents, "everything", session)?;
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
    /// Takes the very file, which git replaces and never changes: its time says which of the
    /// files git has to read again.
    fn of(git_dir: &Path) -> Result<Self, GitError> {
        let path = git_dir.join(format!("{}{}", fs::temporary_prefix(), ids::hex(8)));
        let copy = Self(path);
        let index = git_dir.join("index");
        if fs::metadata(&index)?.is_some() {
            fs::link(&index, &copy.0)?;
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

/// Returns the tree of what is staged; where there is a conflict, of what it was before.
fn staged_tree(path: &Path, git_dir: &Path, index: &TemporaryIndex) -> Result<String, GitError> {
    let unmerged = index.git(path).args(["ls-files", "-v", "--unmerged", "-z"]);
    let unmerged = read(&unmerged, "git ls-files")?.stdout;
    let write = |index: &TemporaryIndex| {
        Ok(read(&index.git(path).arg("write-tree"), "git write-tree")?.text())
    };
    if unmerged.is_empty() {
        return write(index);
    }
    let sides = staged_in(&unmerged)?;
    let mut list = Vec::new();
    for Staged { object, path, .. } in &sides {
        // All stages go, by a mode and a hash that are none.
        let hash = "0".repeat(object.len().saturating_sub("100644 ".len()));
        list.extend_from_slice(&[b"0 ", hash.as_bytes(), b"\t", path, b"\0"].concat());
    }
    for Staged { object, path, .. } in sides.iter().filter(|side| side.stage == b"2") {
        list.extend_from_slice(&[*object, b" 0\t", path, b"\0"].concat());
    }
    let index = TemporaryIndex::of(git_dir)?;
    let settle = index.git(path).args(["update-index", "-z", "--index-info"]).stdin(list);
    read(&settle, "git update-index")?;
    write(&index)
}

/// Returns the tree of what git noted of a rebase, of patches or of several commits to be picked:
/// patches may be nowhere else.
fn unfinished_tree(path: &Path, git_dir: &Path) -> Result<Option<String>, GitError> {
    let mut directories = Vec::new();
    for name in ["rebase-apply", "rebase-merge", "sequencer"] {
        let mut files = Vec::new();
        for file in fs::names(&git_dir.join(name))? {
            let file = git_dir.join(name).join(file);
            if fs::metadata(&file)?.is_some_and(|metadata| metadata.is_file()) {
                files.push(file);
            }
        }
        let mut list = Vec::new();
        for (file, hash) in files.iter().zip(hashes(git(path), &files, &["-w"])?) {
            list.extend_from_slice(format!("100644 blob {hash}\t").as_bytes());
            list.extend_from_slice(file.file_name().unwrap_or_default().as_encoded_bytes());
            list.push(0);
        }
        if !list.is_empty() {
            let tree = make_tree(path, list)?;
            directories.extend_from_slice(format!("040000 tree {tree}\t{name}\0").as_bytes());
        }
    }
    let some = !directories.is_empty();
    some.then(|| make_tree(path, directories)).transpose()
}

fn make_tree(path: &Path, list: Vec<u8>) -> Result<String, GitError> {
    let command = git(path).args(["-c", "core.fsync=all", "mktree", "-z"]).stdin(list);
    Ok(read(&command, "git mktree")?.text())
}

fn write_tree(
    path: &Path,
    git_dir: &Path,
    index: &TemporaryIndex,
    base: &str,
    keep_patterns: &[String],
) -> Result<String, GitError> {
    see_everything(path, index)?;
    let names = |command: Cmd| {
        Ok::<_, GitError>(read(&command.args(["--name-only", "-z"]), "git diff")?.stdout)
    };
    let mut changed = names(index.git(path).arg("diff-files"))?;
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
    changed.extend(names(index.git(path).args(["diff-index", "--cached", base]))?);
    keep_bytes(path, git_dir, index, &changed)?;
    Ok(read(&index.git(path).arg("write-tree"), "git write-tree")?.text())
}

/// Puts the very bytes of changed files into the index where what git made of them, by line ends or
/// a filter, would not come back as them.
fn keep_bytes(
    path: &Path,
    git_dir: &Path,
    index: &TemporaryIndex,
    changed: &[u8],
) -> Result<(), GitError> {
    let changed = changed.split(|byte| *byte == 0).into_set();
    let listed = index.git(path).args(["ls-files", "-v", "--stage", "-z"]);
    let listed = read(&listed, "git ls-files")?.stdout;
    let mut lines = staged_in(&listed)?;
    lines.retain(|it| it.object.starts_with(b"100") && changed.contains(it.path));
    let place = |top: &Path, name: &[u8]| top.join(OsStr::from_bytes(name));
    let files: Vec<PathBuf> = lines.iter().map(|line| place(path, line.path)).collect();
    let exact = hashes(index.git(path), &files, &[])?;
    let all = lines.iter().zip(&files).zip(&exact).map(|((line, file), hash)| (line, file, hash));
    let converted = all.filter(|(line, _, hash)| !line.object.ends_with(hash.as_bytes()));
    let converted: Vec<_> = converted.collect();
    if converted.is_empty() {
        return Ok(());
    }
    // What a checkout would make of it again: where it fails, some are missing.
    let aside = TemporaryDirectory(git_dir.join(format!("{}back", fs::temporary_prefix())));
    let names = converted.iter().flat_map(|(line, ..)| line.path.iter().copied().chain([0]));
    let prefix = format!("--prefix={}/", aside.0.display());
    let again = index.git(path).args(["checkout-index", &prefix, "-z", "--stdin"]);
    run(&again.stdin(names.collect::<Vec<u8>>()))?;
    let mut list = Vec::new();
    for (Staged { object, path: name, .. }, file, hash) in converted {
        let back = place(&aside.0, name);
        let is_there = fs::metadata(&back)?.is_some();
        if !is_there || hashes(git(path), &[back], &[])?.first() != Some(hash) {
            hashes(index.git(path), std::slice::from_ref(file), &["-w"])?;
            list.extend_from_slice(&object[..object.len() - hash.len()]);
            list.extend_from_slice(&[hash.as_bytes(), b"\t", name, b"\0"].concat());
        }
    }
    let put = index.git(path).args(["update-index", "-z", "--index-info"]).stdin(list);
    read(&put, "git update-index").map(drop)
}

/// A directory that goes when it goes out of scope.
struct TemporaryDirectory(PathBuf);

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_tree(&self.0);
    }
}

/// Returns the hash of each file as it is, no filter and no conversion in between.
fn hashes(command: Cmd, files: &[PathBuf], flags: &[&str]) -> Result<Vec<String>, GitError> {
    let mut list = Vec::new();
    for file in files {
        // In quotes a name may have any character.
        list.push(b'"');
        for byte in file.as_os_str().as_encoded_bytes() {
            list.extend_from_slice(format!("\\{byte:03o}").as_bytes());
        }
        list.extend_from_slice(b"\"\n");
    }
    let command = command.deadline(LONG).args(["hash-object", "--no-filters", "--stdin-paths"]);
    let output = read(&command.args(flags).stdin(list), "git hash-object")?;
    Ok(output.text().lines().map(str::to_owned).collect())
}

/// Takes the marks off that make git pass over changes.
fn see_everything(path: &Path, index: &TemporaryIndex) -> Result<(), GitError> {
    let Silent { assumed, skipped, .. } = silent(path, index.git(path))?;
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

fn resolved(path: &Path, name: &str) -> Result<Option<String>, GitError> {
    let output = run(&git(path).args(["rev-parse", "--quiet", "--verify", name]))?;
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
        match resolved(path, &format!("{name}^{{commit}}"))? {
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
    what: &str,
    session: &SessionId,
) -> Result<String, GitError> {
    // The same content makes the same commit: done again after a crash, it is found again.
    const DATE: &str = "@0 +0000";
    let message = format!("ao: {what} in the worktree of {session}\n");
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
