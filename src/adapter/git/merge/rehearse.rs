//! What would stand in the way of a merge, told without making it.
//!
//! git has no rehearsal of a fast-forward that names all files in the way, so its rules are applied
//! here: what is staged has to be what comes, a file that was changed and not staged is in the way,
//! and so is a file that git does not know, ignored or not, where one comes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::make::{self, MergePlan};
use super::objects::Difference;
use super::{Target, land};
use crate::adapter::git::command::{LONG, looking, read};
use crate::adapter::git::entry::linked_admin;
use crate::adapter::git::{GitError, Repository};
use crate::model::collect::Sorted;

/// Fails as [`make_merge`](super::make_merge) and [`land`](super::land) would, of which
/// `worktree` is the one that has the target checked out. A signature alone is not tried.
pub fn rehearse(
    repo: &Repository,
    plan: &MergePlan<'_>,
    worktree: Option<&Path>,
) -> Result<(), GitError> {
    let changes = make::foreseen(repo, plan)?;
    worktree.map_or(Ok(()), |path| require_room(repo, plan.target, path, &changes))
}

fn require_room(
    repo: &Repository,
    target: &Target,
    path: &Path,
    changes: &[Difference],
) -> Result<(), GitError> {
    let busy = |why: String| GitError::WorktreeBusy { path: path.to_owned(), why };
    let git_dir = linked_admin(path)?.unwrap_or_else(|| repo.common_dir.clone());
    if let Some(age) = land::lock_age(&git_dir)? {
        return Err(busy(format!("git holds index.lock{age}")));
    }
    if repo.commit(&target.full_name)?.as_deref() != Some(target.sha.as_str()) {
        return Err(GitError::TargetMoved { branch: target.name.clone() });
    }
    let command = looking(path).deadline(LONG).args(["status", "--porcelain=v2", "-z"]).args([
        "--untracked-files=all",
        "--ignored=traditional",
        "--ignore-submodules=none",
        "--no-renames",
    ]);
    let local = Local::read(&read(&command, "git status")?.stdout);
    if local.is_unmerged {
        return Err(busy("fatal: Exiting because of an unresolved conflict.".to_owned()));
    }
    let files = local.in_the_way(changes);
    if files.is_empty() {
        return Ok(());
    }
    Err(GitError::WouldOverwrite { path: path.to_owned(), files })
}

/// What a worktree has that its commit has not.
#[derive(Debug, Default)]
struct Local {
    /// Files that git knows, by their path.
    known: BTreeMap<Vec<u8>, Known>,
    /// Files that git does not know, ignored ones included; a directory ends in a slash.
    unknown: BTreeSet<Vec<u8>>,
    is_unmerged: bool,
}

/// A file that is not as it was committed.
#[derive(Debug)]
struct Known {
    /// What is staged: `Some(None)` for its deletion.
    staged: Option<Option<(u32, String)>>,
    /// Whether the file was changed since, other than by being deleted.
    is_edited: bool,
}

impl Local {
    /// Reads what `git status --porcelain=v2 -z` prints.
    fn read(bytes: &[u8]) -> Self {
        let mut local = Self::default();
        for record in bytes.split(|byte| *byte == 0) {
            let fields: Vec<&[u8]> = record.splitn(9, |byte| *byte == b' ').collect();
            match fields[..] {
                [b"1", [staged, edited], _, _, mode, _, _, hash, path] => {
                    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                    let mode = u32::from_str_radix(&text(mode), 8).unwrap_or_default();
                    let content = (*staged != b'D').then(|| (mode, text(hash)));
                    let known = Known {
                        staged: (*staged != b'.').then_some(content),
                        is_edited: !matches!(edited, b'.' | b'D'),
                    };
                    local.known.insert(path.to_vec(), known);
                }
                [b"u", ..] => local.is_unmerged = true,
                [b"?" | b"!", ..] => drop(local.unknown.insert(record[2..].to_vec())),
                _ => {}
            }
        }
        local
    }

    /// Returns the files that git would refuse to overwrite: first those that it knows.
    fn in_the_way(&self, changes: &[Difference]) -> Vec<String> {
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let known = changes.iter().filter(|change| {
            self.known.get(&change.path).is_some_and(|known| match &known.staged {
                Some(staged) => *staged != change.after,
                None => known.is_edited,
            })
        });
        let known: Vec<String> = known.map(|change| text(&change.path)).collect();
        let is_new = |change: &&Difference| {
            change.before.is_none() && !self.known.contains_key(&change.path)
        };
        let unknown = changes.iter().filter(is_new).filter_map(|change| self.at(&change.path));
        let unknown = unknown.into_set();
        known.into_iter().chain(unknown.into_iter().map(text)).collect()
    }

    /// Returns the unknown file that is where a file at `path` is to be: itself, a file where a
    /// directory above it has to be, or a directory with something in it.
    fn at<'a>(&'a self, path: &'a [u8]) -> Option<&'a [u8]> {
        let above = (1..=path.len()).filter(|end| path.get(*end).is_none_or(|byte| *byte == b'/'));
        if let Some(found) = above.filter_map(|end| self.unknown.get(&path[..end])).next() {
            return Some(found);
        }
        let inside = [path, b"/"].concat();
        let mut after = self.unknown.range(inside.clone()..);
        after.next().is_some_and(|other| other.starts_with(&inside)).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: &[u8], changes: &[(&str, Option<&str>, Option<&str>)]) -> Vec<String> {
        let side = |hash: Option<&str>| hash.map(|hash| (0o100_644, hash.to_owned()));
        let difference = |(path, before, after): &(&str, Option<&str>, Option<&str>)| Difference {
            path: path.as_bytes().to_vec(),
            before: side(*before),
            after: side(*after),
        };
        let changes: Vec<Difference> = changes.iter().map(difference).collect();
        Local::read(status).in_the_way(&changes)
    }

    #[test]
    fn what_is_in_the_way_is_told_by_gits_own_rules() {
        let line = |letters: &str, hash: &str, path: &str| {
            format!("1 {letters} N... 100644 100644 100644 old {hash} {path}\0")
        };
        let all =
            [("a", Some("old"), Some("new")), ("b/c", None, Some("new")), ("d", Some("old"), None)];
        let of = |status: String| told(status.as_bytes(), &all);
        assert_eq!(of(String::new()), [""; 0]);
        assert_eq!(of(line(".M", "old", "a")), ["a"]);
        assert_eq!(of(line(".D", "old", "a")), [""; 0]);
        assert_eq!(of(line("M.", "mine", "a")), ["a"]);
        assert_eq!(of(line("MM", "new", "a")), [""; 0], "it is kept as it is");
        assert_eq!(of(line("D.", "0", "a")), ["a"]);
        assert_eq!(of(line("D.", "0", "d")), [""; 0]);
        assert_eq!(of(line(".M", "old", "d")), ["d"]);
        assert_eq!(of(line(".M", "old", "e")), [""; 0]);
        assert_eq!(of("? b/c\0".into()), ["b/c"]);
        assert_eq!(of("! b/c\0".into()), ["b/c"]);
        assert_eq!(of("? b\0".into()), ["b"]);
        assert_eq!(of("? b/c/x y\0? b/c.x\0".into()), ["b/c"]);
        assert_eq!(of("? b/cd\0? a\0? bc\0".into()), [""; 0]);
        assert_eq!(of(line("A.", "mine", "b/c")), ["b/c"]);
        assert_eq!(of(line("A.", "new", "b/c")), [""; 0]);
        assert!(Local::read(b"u UU N... 1 1 1 1 a b c x\0").is_unmerged);
    }
}
