//! How git registers worktrees: its own list, and the files that list is made from.
//!
//! The files are read where git's list cannot be had: one half-written entry makes every
//! `git worktree` command fail.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::command::{read, unreadable};
use super::{GitError, Repository};
use crate::adapter::fs::{self, FsError};

/// One worktree as git lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorktreeEntry {
    /// Its top; the git directory for a bare main one.
    pub path: PathBuf,
    /// Its commit; none on a branch without one.
    pub head: Option<String>,
    /// Its branch without `refs/heads/`.
    pub branch: Option<String>,
    /// Whether it is the bare main one.
    pub bare: bool,
    /// Why it is locked, possibly empty.
    pub locked: Option<String>,
    /// Why git would prune it.
    pub prunable: Option<String>,
}

impl Repository {
    /// Returns all worktrees, the main one first.
    pub fn worktrees(&self) -> Result<Vec<WorktreeEntry>, GitError> {
        if let Some(entries) = self.refs().and_then(|refs| refs.worktrees(self)) {
            return Ok(entries);
        }
        self.worktrees_by_git()
    }

    /// Asks git itself for [`Self::worktrees`].
    pub(super) fn worktrees_by_git(&self) -> Result<Vec<WorktreeEntry>, GitError> {
        let command = self.git().args(["worktree", "list", "--porcelain", "-z"]);
        parse_list(&read(&command, "git worktree list")?.stdout)
    }

    /// Returns the directory that holds what git knows of each linked worktree.
    pub(super) fn admin_root(&self) -> PathBuf {
        self.common_dir.join("worktrees")
    }

    /// Returns every entry on disk, half-written ones included.
    pub(super) fn admins(&self) -> Result<Vec<Admin>, GitError> {
        let root = self.admin_root();
        let names = fs::names(&root)?;
        names.into_iter().map(|name| Ok(Admin::load(&root.join(name))?)).collect()
    }

    /// Returns the entry that registers `path`.
    pub(super) fn admin_of(&self, path: &Path) -> Result<Option<Admin>, GitError> {
        let path = settled(path);
        let registers = |admin: &Admin| admin.worktree.as_deref() == Some(path.as_path());
        // The name that git gives an entry unless it is taken: most often there is no need to
        // read the others.
        if let Some(name) = path.file_name() {
            let named = Admin::load(&self.admin_root().join(name))?;
            if registers(&named) {
                return Ok(Some(named));
            }
        }
        Ok(self.admins()?.into_iter().find(registers))
    }
}

/// What git keeps of one linked worktree, under `<common directory>/worktrees/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    /// The entry's name.
    pub(super) name: OsString,
    /// The entry's directory.
    pub(super) dir: PathBuf,
    /// The worktree it registers; none where git was killed before it wrote that.
    pub(super) worktree: Option<PathBuf>,
    /// Why it is locked.
    pub(super) locked: Option<String>,
    /// Whether the name of the common directory is there and empty, which makes every
    /// `git worktree` and `git branch` command of the repository fail.
    pub(super) bricked: bool,
}

impl Admin {
    /// Reads the entry in `dir`, whatever is missing of it.
    pub(super) fn load(dir: &Path) -> Result<Self, FsError> {
        let text = |file: &str| fs::read_optional(&dir.join(file));
        let gitdir = text("gitdir")?.and_then(|bytes| parse_gitdir(dir, &bytes));
        let locked = text("locked")?.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        let bricked = text("commondir")?.is_some_and(|bytes| bytes.trim_ascii().is_empty());
        let name = dir.file_name().unwrap_or_default().to_owned();
        Ok(Self { name, dir: dir.to_owned(), worktree: gitdir, locked, bricked })
    }

    /// Returns whether the lock on it is the one `ao` puts there while `session` is being made.
    pub(super) fn is_being_made_for(&self, session: &str) -> bool {
        self.locked.as_deref().is_some_and(|reason| reason == format!("ao:{session}"))
    }
}

/// Returns the worktree that an entry's `gitdir` file names: the directory of its `.git`.
pub(super) fn parse_gitdir(admin: &Path, bytes: &[u8]) -> Option<PathBuf> {
    let file = Path::new(OsStr::from_bytes(bytes.strip_suffix(b"\n").unwrap_or(bytes)));
    // Relative to the entry where `worktree.useRelativePaths` is set; `join` keeps absolute ones.
    let worktree = admin.join(file).parent()?.to_owned();
    (!file.as_os_str().is_empty()).then(|| settled(&worktree))
}

/// Returns the entry that the `.git` file of `worktree` names; none where there is no such file.
pub(super) fn linked_admin(worktree: &Path) -> Result<Option<PathBuf>, FsError> {
    let path = worktree.join(".git");
    match fs::metadata(&path)? {
        Some(metadata) if metadata.is_file() => {}
        Some(_) | None => return Ok(None),
    }
    let Some(bytes) = fs::read_own(&path)? else { return Ok(None) };
    let target = bytes.strip_prefix(b"gitdir: ").map(|rest| rest.trim_ascii_end());
    Ok(target.map(|target| settled(&worktree.join(OsStr::from_bytes(target)))))
}

/// Returns `path` with the links of its parent resolved, so that names of what is gone compare.
pub(super) fn settled(path: &Path) -> PathBuf {
    /// No path that is longer can be anywhere.
    const LONGEST: usize = 4096;
    if path.as_os_str().len() > LONGEST {
        return path.to_owned();
    }
    let mut gone = Vec::new();
    let mut there = path;
    loop {
        if let Ok(found) = fs::canonical(there) {
            return gone.iter().rev().fold(found, |path, name| path.join(name));
        }
        match (there.parent(), there.file_name()) {
            (Some(parent), Some(name)) => (there, _) = (parent, gone.push(name)),
            (Some(_) | None, _) => return path.to_owned(),
        }
    }
}

pub(super) fn parse_list(bytes: &[u8]) -> Result<Vec<WorktreeEntry>, GitError> {
    const WHAT: &str = "git worktree list";
    let mut entries: Vec<WorktreeEntry> = Vec::new();
    for line in bytes.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (label, value) = (&line[..space], line.get(space + 1..).unwrap_or_default());
        let text = || String::from_utf8_lossy(value).into_owned();
        if label == b"worktree" {
            let path = settled(Path::new(OsStr::from_bytes(value)));
            entries.push(WorktreeEntry { path, ..WorktreeEntry::default() });
            continue;
        }
        let Some(entry) = entries.last_mut() else { return Err(unreadable(WHAT, line)) };
        match label {
            b"HEAD" => entry.head = Some(text()).filter(|sha| sha.bytes().any(|b| b != b'0')),
            b"branch" => {
                let name = text();
                entry.branch = Some(name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned());
            }
            b"bare" => entry.bare = true,
            b"locked" => entry.locked = Some(text()),
            b"prunable" => entry.prunable = Some(text()),
            // `detached` is the absence of a branch; later versions may say more.
            _ => {}
        }
    }
    if entries.is_empty() { Err(unreadable(WHAT, bytes)) } else { Ok(entries) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_list_is_read_whole() {
        let bytes = include_bytes!("../../../fixtures/git/2.47/worktree-list.txt");
        let entries = parse_list(bytes).unwrap();
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| {
                format!(
                    "{} {:?} locked={:?} prunable={}",
                    entry.path.display(),
                    entry.branch,
                    entry.locked,
                    entry.prunable.is_some()
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        /srv/repo Some("main") locked=None prunable=false
        /srv/detached None locked=None prunable=true
        /srv/größe Some("größe") locked=None prunable=false
        /srv/with space Some("ao/web-1") locked=Some("ao:web-1") prunable=false
        "#);
        assert!(entries.iter().all(|entry| entry.head.as_ref().is_some_and(|sha| sha.len() == 40)));
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for bad in [&b""[..], b"HEAD 12\0", b"\0\0"] {
            assert!(parse_list(bad).is_err(), "{bad:?}");
        }
    }
}
