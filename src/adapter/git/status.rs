//! What a worktree has that is in no commit.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::{git, looking, read, run, unreadable};
use super::entry::{linked_admin, settled};
use super::{GitError, Repository, discover};
use crate::adapter::clock::Deadline;
use crate::adapter::cmd::Cmd;
use crate::adapter::fs;
use crate::model::record::WorkspaceHandle;

/// The state of a worktree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorktreeStatus {
    /// The branch; none when detached.
    pub branch: Option<String>,
    /// The commit; empty on a branch without one.
    pub head: String,
    /// Commits that the base does not have; unknown where the base is.
    pub ahead: Option<u32>,
    /// Commits of the base that are not here; unknown where the base is.
    pub behind: Option<u32>,
    /// Files whose change is in the index.
    pub staged: u32,
    /// Files whose change is not.
    pub unstaged: u32,
    /// Files git does not know and does not ignore; a directory full of them counts once.
    pub untracked: u32,
    /// Files with an unresolved conflict.
    pub conflicted: u32,
    /// Files with any change to what is committed, each counted once.
    pub changed: u32,
}

impl WorktreeStatus {
    /// Returns whether something would be lost with the worktree's files.
    pub fn dirty(&self) -> bool {
        self.changed > 0 || self.untracked > 0
    }
}

/// Returns the state of the worktree `handle` names, verified to be that one.
pub fn status(handle: &WorkspaceHandle, deadline: Duration) -> Result<WorktreeStatus, GitError> {
    let deadline = Deadline::after(deadline);
    let repo = discover(&handle.repo)?;
    verify(&repo, handle)?;
    let (mut status, _) = files(&handle.path, deadline)?;
    if let Some(base) = repo.bases(handle)?.first() {
        let (behind, ahead) = distance(&handle.path, base, deadline)?;
        (status.behind, status.ahead) = (Some(behind), Some(ahead));
    }
    Ok(status)
}

/// Checks that the worktree is there and belongs to the repository, in both directions.
pub(super) fn verify(repo: &Repository, handle: &WorkspaceHandle) -> Result<(), GitError> {
    let path = &handle.path;
    let wrong = |found: String| {
        let (path, repo) = (path.clone(), handle.repo.clone());
        Err(GitError::WrongRepository { path, repo, found })
    };
    if fs::metadata(path)?.is_none() {
        return Err(GitError::Gone { path: path.clone() });
    }
    if settled(path) == repo.main {
        return Ok(());
    }
    let Some(linked) = linked_admin(path)? else {
        return wrong("it has no .git file".into());
    };
    let Some(admin) = repo.admin_of(path)? else {
        return wrong("git has not registered it".into());
    };
    if linked != settled(&admin.dir) {
        return wrong(format!("its .git file names {}", linked.display()));
    }
    Ok(())
}

/// Returns the counts of `git status` and the untracked paths.
pub(super) fn files(
    path: &Path,
    deadline: Deadline,
) -> Result<(WorktreeStatus, Vec<PathBuf>), GitError> {
    // Every default that the configuration could change is said.
    let command = looking(path).deadline(deadline.remaining()).args([
        "status",
        "--porcelain=v2",
        "--branch",
        "-z",
        "--untracked-files=normal",
        "--ignored=no",
        "--ignore-submodules=none",
        "--no-renames",
        "--no-ahead-behind",
    ]);
    parse_status(&read(&command, "git status")?.stdout)
}

/// What the index has that `git status` says nothing of.
#[derive(Debug, Default)]
pub(super) struct Silent {
    /// Files marked assume-unchanged.
    pub(super) assumed: Vec<PathBuf>,
    /// Files marked skip-worktree that are there all the same: most often they were changed. What
    /// a sparse checkout leaves out has that mark too, and is not there.
    pub(super) skipped: Vec<PathBuf>,
    /// Each of these once.
    pub(super) hidden: Vec<PathBuf>,
    /// Places of repositories inside, known by their commit alone, where there is anything. In one
    /// that is no repository yet, git does not look for files.
    pub(super) inner: Vec<PathBuf>,
}

/// Returns what of the index that `command` reads is passed over in the worktree `top`.
pub(super) fn silent(top: &Path, command: Cmd) -> Result<Silent, GitError> {
    let output = read(&command.args(["ls-files", "-v", "--stage", "-z"]), "git ls-files")?;
    let mut silent = Silent::default();
    for Staged { mark, object, path, .. } in staged_in(&output.stdout)? {
        let path = PathBuf::from(OsStr::from_bytes(path));
        let is_inner = object.starts_with(b"160000 ");
        if is_inner && !fs::is_empty(&top.join(&path))? {
            silent.inner.push(path.clone());
        }
        let is_left_out = mark.eq_ignore_ascii_case(&b'S') && !is_inner;
        let is_skipped = is_left_out && fs::metadata(&top.join(&path))?.is_some();
        let is_assumed = mark.is_ascii_lowercase();
        silent.skipped.extend(is_skipped.then(|| path.clone()));
        silent.assumed.extend(is_assumed.then(|| path.clone()));
        silent.hidden.extend((is_skipped || is_assumed).then_some(path));
    }
    Ok(silent)
}

/// A file as `git ls-files -v --stage` names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Staged<'a> {
    /// The letter that stands for its marks.
    pub(super) mark: u8,
    /// Mode and hash, a space in between.
    pub(super) object: &'a [u8],
    /// `0`, or in a conflict which side it is of.
    pub(super) stage: &'a [u8],
    /// Its path.
    pub(super) path: &'a [u8],
}

/// Returns every file that `git ls-files -v --stage -z` names.
pub(super) fn staged_in(bytes: &[u8]) -> Result<Vec<Staged<'_>>, GitError> {
    let lines = bytes.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let parse = |line| {
        let tab = memchr::memchr(b'\t', line)?;
        let (&[mark, b' ', ref what @ ..], [_, path @ ..]) = line.split_at(tab) else {
            return None;
        };
        let (object, stage) = what.split_at(memchr::memrchr(b' ', what)?);
        (!path.is_empty()).then_some(Staged { mark, object, stage: &stage[1..], path })
    };
    lines.map(|line| parse(line).ok_or_else(|| unreadable("git ls-files", line))).collect()
}

/// Returns how many commits `base` has alone, and how many the worktree has.
fn distance(path: &Path, base: &str, deadline: Deadline) -> Result<(u32, u32), GitError> {
    const WHAT: &str = "git rev-list";
    let range = format!("{base}...HEAD");
    let command = git(path).deadline(deadline.remaining());
    let command = command.args(["rev-list", "--left-right", "--count", &range, "--"]);
    let output = run(&command)?;
    if !output.success() {
        return Err(super::command::failed(WHAT, &output));
    }
    let text = output.text();
    let numbers = text.split_once('\t').map(|(left, right)| (left.parse(), right.parse()));
    match numbers {
        Some((Ok(left), Ok(right))) => Ok((left, right)),
        Some(_) | None => Err(unreadable(WHAT, text.as_bytes())),
    }
}

pub(super) fn parse_status(bytes: &[u8]) -> Result<(WorktreeStatus, Vec<PathBuf>), GitError> {
    let mut status = WorktreeStatus::default();
    let mut untracked = Vec::new();
    let mut records = bytes.split(|byte| *byte == 0).filter(|record| !record.is_empty());
    while let Some(record) = records.next() {
        let unreadable = || unreadable("git status", record);
        match record.first_chunk::<2>() {
            Some(b"# ") => parse_header(&String::from_utf8_lossy(record), &mut status),
            Some(b"1 " | b"2 ") => {
                let [staged, unstaged] =
                    *record.get(2..4).and_then(<[u8]>::first_chunk::<2>).ok_or_else(unreadable)?;
                status.changed += 1;
                status.staged += u32::from(staged != b'.');
                status.unstaged += u32::from(unstaged != b'.');
                if record.starts_with(b"2 ") {
                    // A rename's old path is a record of its own.
                    records.next().ok_or_else(unreadable)?;
                }
            }
            Some(b"u ") => {
                status.changed += 1;
                status.conflicted += 1;
            }
            Some(b"? ") => {
                status.untracked += 1;
                untracked.push(PathBuf::from(OsStr::from_bytes(&record[2..])));
            }
            Some(_) | None => return Err(unreadable()),
        }
    }
    Ok((status, untracked))
}

fn parse_header(line: &str, status: &mut WorktreeStatus) {
    if let Some(sha) = line.strip_prefix("# branch.oid ") {
        status.head = if sha == "(initial)" { String::new() } else { sha.to_owned() };
    } else if let Some(branch) = line.strip_prefix("# branch.head ") {
        status.branch = Some(branch.to_owned()).filter(|name| name != "(detached)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_status_is_counted() {
        let bytes = include_bytes!("../../../fixtures/git/2.47/status.txt");
        let (status, untracked) = parse_status(bytes).unwrap();
        let expected = WorktreeStatus {
            branch: Some("side".to_owned()),
            head: "08f4aa0b58af1604553ba013905c22b88491d24b".to_owned(),
            staged: 3,
            unstaged: 1,
            untracked: 2,
            conflicted: 1,
            changed: 4,
            ..WorktreeStatus::default()
        };
        assert_eq!(status, expected);
        assert_eq!(untracked, [PathBuf::from("new\nfile"), PathBuf::from("new dir/")]);
    }

    #[test]
    fn an_unknown_record_is_an_error() {
        for bad in [&b"3 what"[..], b"1 ", b"x", b"2 R. N... a\0"] {
            assert!(parse_status(bad).is_err(), "{bad:?}");
        }
    }
}
