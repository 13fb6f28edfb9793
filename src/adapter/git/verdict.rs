//! Whether a worktree can go without anything being lost.
//!
//! `git worktree remove` is no such check: it destroys ignored files, detached commits and
//! rebases in progress. Whatever cannot be told is a reason to keep.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::{git, looking, read, unreadable};
use super::entry::{Admin, linked_admin, settled};
use super::spotless::is_spotless;
use super::status::{files, silent};
use super::worktree::NewWorktree;
use super::{GitError, Repository, discover};
use crate::adapter::clock::{self, Deadline};
use crate::adapter::{fs, process, volume};
use crate::model::id::SessionId;
use crate::model::record::WorkspaceHandle;

/// A reason not to remove a worktree; its text is what a person reads after `kept: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Changes to tracked files.
    Uncommitted(u32),
    /// Files git neither knows nor ignores.
    Untracked(u32),
    /// Tracked files with a mark that makes git pass over their changes.
    Hidden(u32),
    /// A rebase, merge, cherry-pick, revert or bisect is not finished.
    InProgress(&'static str),
    /// Commits that nothing else reaches.
    Unreachable(u32),
    /// An ignored file of the keep-list that exists nowhere else.
    Ignored(PathBuf),
    /// Submodules, and repositories inside that are committed as such, hold something of their own.
    Submodules,
    /// git has registered another worktree inside, which would go with it.
    Worktree(PathBuf),
    /// Somebody works in it.
    Process {
        /// Its number.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// Something is mounted in it, or it is: what is there is somebody else's.
    Mount(PathBuf),
    /// Somebody else locked it.
    Locked(String),
    /// git does not know it, or its `.git` file is gone or names something else.
    NotRegistered(String),
    /// It is not where `ao` puts worktrees.
    OutsideRoot,
    /// It is the user's own directory.
    NotOurs,
    /// One of the questions has no answer.
    Unknown(String),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count: &u32| if *count == 1 { "" } else { "s" };
        match self {
            Self::Uncommitted(count) => write!(f, "{count} uncommitted file{}", s(count)),
            Self::Untracked(count) => write!(f, "{count} untracked file{}", s(count)),
            Self::Hidden(count) => {
                write!(f, "{count} file{} marked assume-unchanged or skip-worktree", s(count))
            }
            Self::InProgress(what) => write!(f, "a {what} is in progress"),
            Self::Unreachable(count) => {
                write!(f, "{count} commit{} on no branch, tag or remote", s(count))
            }
            Self::Ignored(path) => write!(f, "ignored file {}", path.display()),
            Self::Submodules => f.write_str("submodules with repositories or files of their own"),
            Self::Worktree(path) => write!(f, "another worktree is inside: {}", path.display()),
            Self::Process { pid, name } => {
                write!(f, "process {pid} ({name}) has its working directory inside")
            }
            Self::Mount(path) => write!(f, "something is mounted at {}", path.display()),
            Self::Locked(reason) if reason.is_empty() => f.write_str("locked without a reason"),
            Self::Locked(reason) => write!(f, "locked by {reason}"),
            Self::NotRegistered(why) => write!(f, "not registered by git: {why}"),
            Self::OutsideRoot => f.write_str("outside the configured root"),
            Self::NotOurs => f.write_str("not ours"),
            Self::Unknown(why) => write!(f, "could not tell: {why}"),
        }
    }
}

impl Keep {
    /// Returns whether it is only that somebody works in it.
    pub fn is_process(&self) -> bool {
        matches!(self, Self::Process { .. })
    }

    /// Returns whether saving everything first makes removal safe: what is kept for its content,
    /// and only that. What is somebody else's, in use or in doubt stays, force or not.
    pub fn is_forcible(&self) -> bool {
        match self {
            Self::Uncommitted(_)
            | Self::Untracked(_)
            | Self::Hidden(_)
            | Self::InProgress(_)
            | Self::Unreachable(_)
            | Self::Ignored(_) => true,
            Self::Submodules
            | Self::Worktree(_)
            | Self::Process { .. }
            | Self::Mount(_)
            | Self::Locked(_)
            | Self::NotRegistered(_)
            | Self::OutsideRoot
            | Self::NotOurs
            | Self::Unknown(_) => false,
        }
    }
}

/// What may be done with a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// Nothing would be lost.
    Removable {
        /// Whether its branch is ao's own and holds nothing of its own.
        branch_deletable: bool,
    },
    /// Something would, or it cannot be told.
    Keep(Vec<Keep>),
    /// Neither directory nor registration is left.
    Gone,
}

/// A worktree about to be judged.
pub(super) struct Subject<'a> {
    repo: &'a Repository,
    path: &'a Path,
    session: &'a SessionId,
    /// What to count as a commit of its own where the worktree was only just made.
    base_sha: Option<&'a str>,
    keep_patterns: &'a [String],
    /// Tracked files whose mark is ao's own.
    ours: &'a [PathBuf],
}

impl<'a> Subject<'a> {
    /// Returns the worktree of a spawn that did not come to its end: any commit is its own.
    pub(super) fn of_new(repo: &'a Repository, new: &'a NewWorktree) -> Self {
        let base_sha = new.create_branch.then_some(new.base_sha.as_str());
        Self {
            repo,
            path: &new.path,
            session: &new.session,
            base_sha,
            keep_patterns: &[],
            ours: &[],
        }
    }
}

/// Judges the worktree of `session`; `root` is the place of all worktrees, `keep_patterns` name
/// ignored files that are worth keeping (`.env*`; those with a `/` are relative to the top), and
/// `ours` are tracked files that were added to, and hidden from git by
/// [`set_unwatched`](super::set_unwatched).
pub fn assess(
    handle: &WorkspaceHandle,
    session: &SessionId,
    root: &Path,
    keep_patterns: &[String],
    ours: &[PathBuf],
    deadline: Duration,
) -> Assessment {
    let deadline = Deadline::after(deadline);
    if !handle.owned {
        return Assessment::Keep(vec![Keep::NotOurs]);
    }
    match judge(handle, session, root, keep_patterns, ours, deadline) {
        Ok(assessment) => assessment,
        Err(error) => Assessment::Keep(vec![unknown(&error)]),
    }
}

fn judge(
    handle: &WorkspaceHandle,
    session: &SessionId,
    root: &Path,
    keep_patterns: &[String],
    ours: &[PathBuf],
    deadline: Deadline,
) -> Result<Assessment, GitError> {
    let keep = |reason| Ok(Assessment::Keep(vec![reason]));
    let path = &handle.path;
    if !is_inside(root, path)? {
        return keep(Keep::OutsideRoot);
    }
    let repo = discover(&handle.repo)?;
    let admin = repo.admin_of(path)?;
    let exists = fs::metadata(path)?.is_some();
    let admin = match (exists, admin) {
        (false, None) => return Ok(Assessment::Gone),
        (true, None) => return keep(Keep::NotRegistered("no entry names it".into())),
        (_, Some(admin)) => admin,
    };
    if !exists
        && let Some(parent) = path.parent()
        && fs::metadata(parent)?.is_none()
    {
        // Nobody deletes that one with the last of what is in it: it may only not be mounted.
        return keep(Keep::Unknown(format!("{} is not there; is it mounted?", parent.display())));
    }
    let subject = Subject { repo: &repo, path, session, base_sha: None, keep_patterns, ours };
    let reasons = if exists {
        reasons_to_keep(&subject, &admin, deadline)
    } else {
        reasons_without_files(&subject, &admin, deadline)
    };
    if !reasons.is_empty() {
        return Ok(Assessment::Keep(reasons));
    }
    let branch_deletable = repo.branch_is_spare(handle, false)?.is_some();
    Ok(Assessment::Removable { branch_deletable })
}

/// Returns whether `path` lies below `root` and is reached through no link.
pub(super) fn is_inside(root: &Path, path: &Path) -> Result<bool, GitError> {
    if fs::metadata(path)?.is_some_and(|metadata| metadata.is_symlink()) {
        return Ok(false);
    }
    let (root, path) = (settled(root), settled(path));
    Ok(path != root && path.starts_with(&root))
}

/// Returns every reason there is to keep the worktree, asking on after the first.
pub(super) fn reasons_to_keep(
    subject: &Subject<'_>,
    admin: &Admin,
    deadline: Deadline,
) -> Vec<Keep> {
    match linked_admin(subject.path) {
        Ok(Some(linked)) if linked == settled(&admin.dir) => {}
        Ok(Some(linked)) => {
            let why = format!("its .git file names {}", linked.display());
            return vec![Keep::NotRegistered(why)];
        }
        Ok(None) => return vec![Keep::NotRegistered("it has no .git file".into())],
        Err(error) => return vec![unknown(&error)],
    }
    // Then there is no file to ask git of: none that was changed, none that it ignores, and none
    // of another worktree.
    let made_from = subject.repo.refs().and_then(|refs| refs.commit_and_tree(&admin.dir));
    let spotless =
        made_from.is_some_and(|(_, tree)| is_spotless(subject.path, &admin.dir, tree.as_bytes()));
    let asked = |question: &dyn Fn() -> Result<Vec<Keep>, GitError>| match spotless {
        true => Ok(Vec::new()),
        false => question(),
    };
    let questions: [&dyn Fn() -> Result<Vec<Keep>, GitError>; 8] = [
        &|| lock_reasons(subject, admin),
        &|| asked(&|| file_reasons(subject, admin, deadline)),
        &|| progress_reasons(admin),
        &|| commit_reasons(subject, admin, deadline),
        &|| asked(&|| ignored_reasons(subject, deadline)),
        &|| asked(&|| worktree_reasons(subject)),
        &|| Ok(mount_reasons(subject.path)),
        &|| Ok(process_reasons(subject.path)),
    ];
    let answers = questions.iter().map(|question| question());
    answers.flat_map(|answer| answer.unwrap_or_else(|error| vec![unknown(&error)])).collect()
}

/// Returns the reasons to keep an entry whose directory somebody deleted.
fn reasons_without_files(subject: &Subject<'_>, admin: &Admin, deadline: Deadline) -> Vec<Keep> {
    let questions = [
        lock_reasons(subject, admin),
        progress_reasons(admin),
        commit_reasons(subject, admin, deadline),
    ];
    let answers = questions.into_iter();
    answers.flat_map(|answer| answer.unwrap_or_else(|error| vec![unknown(&error)])).collect()
}

fn unknown(error: &dyn std::error::Error) -> Keep {
    Keep::Unknown(crate::model::sanitize::chain(error))
}

fn lock_reasons(subject: &Subject<'_>, admin: &Admin) -> Result<Vec<Keep>, GitError> {
    let mut reasons = Vec::new();
    if let Some(reason) = &admin.locked
        && !admin.is_being_made_for(subject.session.as_str())
    {
        reasons.push(Keep::Locked(reason.clone()));
    }
    for name in ["index.lock", "HEAD.lock"] {
        if let Some(metadata) = fs::metadata(&admin.dir.join(name))? {
            let age = fs::modified(&metadata).map(|since| clock::now().since(since));
            let age = age.map_or_else(String::new, |age| {
                let seconds = Duration::from_secs(age.as_secs());
                format!(", {} old", humantime::format_duration(seconds))
            });
            reasons.push(Keep::Unknown(format!("git holds {name}{age}")));
        }
    }
    Ok(reasons)
}

fn file_reasons(
    subject: &Subject<'_>,
    admin: &Admin,
    deadline: Deadline,
) -> Result<Vec<Keep>, GitError> {
    let (status, untracked) = files(subject.path, deadline)?;
    let lost = untracked.iter().filter(|path| !is_copy_of_main(subject, path)).count();
    let untracked = u32::try_from(lost).unwrap_or(u32::MAX);
    let mut reasons = Vec::new();
    let silent = silent(subject.path, looking(subject.path).deadline(deadline.remaining()))?;
    let hidden = silent.hidden.iter().filter(|path| !subject.ours.contains(path)).count();
    let hidden = u32::try_from(hidden).unwrap_or(u32::MAX);
    reasons.extend((hidden > 0).then_some(Keep::Hidden(hidden)));
    reasons.extend((status.changed > 0).then_some(Keep::Uncommitted(status.changed)));
    reasons.extend((untracked > 0).then_some(Keep::Untracked(untracked)));
    // Where there are modules, that is told without a look at files.
    if !silent.inner.is_empty() && !has_modules(admin)? {
        reasons.push(Keep::Submodules);
    }
    Ok(reasons)
}

/// Returns the other worktrees of the repository that are inside: in an ignored directory git says
/// nothing of them.
fn worktree_reasons(subject: &Subject<'_>) -> Result<Vec<Keep>, GitError> {
    let top = settled(subject.path);
    let others = subject.repo.admins()?.into_iter().filter_map(|admin| admin.worktree);
    let inside = others.filter(|path| *path != top && path.starts_with(&top) && path.exists());
    Ok(inside.map(Keep::Worktree).collect())
}

/// Returns what is not finished in the worktree of a git directory.
pub(super) fn in_progress(git_dir: &Path) -> Result<Vec<&'static str>, GitError> {
    const MARKS: [(&str, &str); 6] = [
        ("rebase-merge", "rebase"),
        ("rebase-apply", "rebase"),
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
        ("BISECT_LOG", "bisect"),
    ];
    let mut found = Vec::new();
    for (file, what) in MARKS {
        if fs::metadata(&git_dir.join(file))?.is_some() {
            found.push(what);
        }
    }
    // One of several commits that is resolved by a plain commit leaves nothing but the rest.
    if found.is_empty() && fs::metadata(&git_dir.join("sequencer"))?.is_some() {
        found.push("cherry-pick or revert of several commits");
    }
    Ok(found)
}

fn progress_reasons(admin: &Admin) -> Result<Vec<Keep>, GitError> {
    let unfinished = in_progress(&admin.dir)?;
    let mut reasons: Vec<Keep> = unfinished.into_iter().map(Keep::InProgress).collect();
    if has_modules(admin)? {
        reasons.push(Keep::Submodules);
    }
    Ok(reasons)
}

/// Returns whether git keeps repositories of submodules with the entry.
fn has_modules(admin: &Admin) -> Result<bool, GitError> {
    Ok(!fs::names(&admin.dir.join("modules"))?.is_empty())
}

/// Counts commits that would go with the worktree: with its HEAD, or with refs of its own.
fn commit_reasons(
    subject: &Subject<'_>,
    admin: &Admin,
    deadline: Deadline,
) -> Result<Vec<Keep>, GitError> {
    const WHAT: &str = "git rev-list";
    if has_no_commit_of_its_own(subject, admin) {
        return Ok(Vec::new());
    }
    // Asked of the entry, so that it works without the directory as well.
    let command = git(&admin.dir).deadline(deadline.remaining()).arg("--git-dir").arg(&admin.dir);
    let mut count = command.clone().args(["rev-list", "--count", "--glob=refs/worktree/*"]);
    let head = command.clone().args(["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]);
    if super::command::run(&head)?.success() {
        count = count.arg("HEAD");
    } else {
        // Either a branch without a commit, or something that is not understood.
        let symbolic = command.args(["symbolic-ref", "--quiet", "HEAD"]);
        read(&symbolic, "git symbolic-ref HEAD")?;
    }
    count = match subject.base_sha {
        Some(base) => count.args(["--not", base, "--"]),
        None => {
            let preserved = ["--glob=refs/ao/preserved/*", "--glob=refs/ao/merged/*"];
            let lasting = ["--not", "--branches", "--tags", "--remotes"];
            count.args(lasting).args(preserved).arg("--")
        }
    };
    let text = read(&count, WHAT)?.text();
    let count = text.parse::<u32>();
    let count = count.map_err(|_| unreadable(WHAT, text.as_bytes()))?;
    Ok((count > 0).then_some(Keep::Unreachable(count)).into_iter().collect())
}

/// Returns whether it is plain that nothing would go with the worktree: it has no refs of its own,
/// and stands on a branch, which stays, or still at the commit that it was made from.
fn has_no_commit_of_its_own(subject: &Subject<'_>, admin: &Admin) -> bool {
    if !fs::is_empty(&admin.dir.join("refs/worktree")).is_ok_and(|it| it) {
        return false;
    }
    let head = subject.repo.refs().and_then(|refs| refs.head_of(&admin.dir));
    match (head, subject.base_sha) {
        (Some((_, head)), Some(base)) => head.to_string() == base,
        (Some((branch, head)), None) => {
            branch.is_some() && subject.repo.commit(&head.to_string()).is_ok_and(|it| it.is_some())
        }
        (None, _) => false,
    }
}

fn ignored_reasons(subject: &Subject<'_>, deadline: Deadline) -> Result<Vec<Keep>, GitError> {
    let kept = kept_ignored(subject.path, subject.keep_patterns, deadline)?;
    let is_empty = |path: &Path| {
        let found = fs::metadata(&subject.path.join(path)).ok().flatten();
        found.is_some_and(|it| it.is_file() && it.len() == 0)
    };
    let lost = kept.into_iter().filter(|path| !is_empty(path) && !is_copy_of_main(subject, path));
    Ok(lost.map(Keep::Ignored).collect())
}

/// Returns the ignored files that `patterns` name, relative to the top. What package managers
/// fetch again is not looked into.
pub(super) fn kept_ignored(
    path: &Path,
    patterns: &[String],
    deadline: Deadline,
) -> Result<Vec<PathBuf>, GitError> {
    const REGENERABLE: [&str; 4] = ["node_modules", ".venv", "venv", "target"];
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = patterns.iter().flat_map(|pattern| {
        let anywhere = if pattern.contains('/') { "" } else { "**/" };
        let place = format!(":(glob){anywhere}{}", pattern.trim_matches('/'));
        // A directory of that name is all that is in it.
        [format!("{place}/**"), place]
    });
    let unwanted = REGENERABLE.iter().map(|name| format!(":(exclude,glob)**/{name}/**"));
    let command = looking(path)
        .deadline(deadline.remaining())
        .args(["ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--"])
        .args(wanted.chain(unwanted));
    let output = read(&command, "git ls-files")?;
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
}

/// Returns whether nothing is lost with a file: it is the same as in the main worktree, or a link
/// to it.
fn is_copy_of_main(subject: &Subject<'_>, relative: &Path) -> bool {
    let here = subject.path.join(relative);
    let Ok(Some(metadata)) = fs::metadata(&here) else { return false };
    let there = subject.repo.main.join(relative);
    if metadata.is_symlink() {
        return fs::canonical(&here)
            .is_ok_and(|target| fs::canonical(&there).is_ok_and(|t| t == target));
    }
    if !metadata.is_file() {
        return false;
    }
    let same_kind = matches!(fs::metadata(&there), Ok(Some(other)) if other.is_file() && other.len() == metadata.len());
    same_kind && matches!((fs::read(&here), fs::read(&there)), (Ok(a), Ok(b)) if a == b)
}

/// Returns what is mounted inside: it would go with the worktree, wherever it really is.
fn mount_reasons(path: &Path) -> Vec<Keep> {
    match volume::mounts_in(&settled(path)) {
        Ok(found) => found.into_iter().map(Keep::Mount).collect(),
        Err(error) => vec![Keep::Unknown(format!("what is mounted in it: {error}"))],
    }
}

/// Returns the processes that have their working directory inside. Those of other users cannot
/// be asked and are not counted.
fn process_reasons(path: &Path) -> Vec<Keep> {
    let path = settled(path);
    match process::inside(&path) {
        Ok(found) => found.into_iter().map(|(pid, name)| Keep::Process { pid, name }).collect(),
        Err(error) => vec![Keep::Unknown(format!("/proc: {error}"))],
    }
}
