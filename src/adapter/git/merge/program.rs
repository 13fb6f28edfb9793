//! Answers by the `git` program, for what libgit2 refuses.

use std::collections::{BTreeMap, BTreeSet};

use super::fingerprint::Fingerprint;
use super::objects::{Change, Commit, Difference, LogLine, MAX_WALK, Merge, Objects};
use crate::adapter::cmd::{Cmd, Output};
use crate::adapter::git::command::{LONG, failed, read, run};
use crate::adapter::git::{GitError, Repository};
use crate::model::collect::Sorted;

/// A repository that is asked by way of the program.
pub(super) struct Program<'a> {
    repo: &'a Repository,
}

impl<'a> Program<'a> {
    /// Returns a repository to be asked.
    pub(super) fn new(repo: &'a Repository) -> Self {
        Self { repo }
    }

    fn git(&self) -> Cmd {
        // What a partial clone lacks is not fetched for a look.
        self.repo.git().deadline(LONG).env("GIT_NO_LAZY_FETCH", "1")
    }

    fn merge_tree(&self) -> Cmd {
        let command = self.git().args(["-c", "core.fsync=all", "merge-tree", "--write-tree"]);
        command.args(["--name-only", "--no-messages", "-z"])
    }

    /// Returns the empty tree, which has another name with each hash function.
    fn empty_tree(&self) -> Result<String, GitError> {
        Ok(read(&self.git().arg("mktree"), "git mktree")?.text())
    }

    /// Returns the one line of an answer; `None` where git exits with 1, its "no".
    fn answer(&self, args: &[&str], what: &str) -> Result<Option<String>, GitError> {
        let output = run(&self.git().args(args))?;
        match output.status.code() {
            Some(0) => Ok(Some(output.text()).filter(|text| !text.is_empty())),
            Some(1) => Ok(None),
            Some(_) | None => Err(failed(what, &output)),
        }
    }

    fn patches(&self, command: Cmd, what: &str) -> Result<BTreeMap<String, Change>, GitError> {
        let command = command.args([
            "-p",
            "--full-index",
            "--no-renames",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--unified=3",
            "--inter-hunk-context=0",
            "--diff-algorithm=myers",
            "--ignore-submodules=none",
            "--submodule=short",
            "--src-prefix=a/",
            "--dst-prefix=b/",
        ]);
        Ok(read_patches(&read(&command, what)?.stdout))
    }
}

impl Objects for Program<'_> {
    fn tip(&self, full_name: &str) -> Result<Option<String>, GitError> {
        self.repo.commit(full_name)
    }

    fn symbolic(&self, full_name: &str) -> Result<Option<String>, GitError> {
        self.answer(&["symbolic-ref", "--quiet", full_name], "git symbolic-ref")
    }

    fn remotes(&self) -> Result<Vec<String>, GitError> {
        let output = read(&self.git().arg("remote"), "git remote")?;
        Ok(output.text().lines().map(str::to_owned).collect())
    }

    fn exists(&self, sha: &str) -> Result<bool, GitError> {
        Ok(self.repo.commit(sha)?.is_some())
    }

    fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool, GitError> {
        const WHAT: &str = "git merge-base --is-ancestor";
        let output = run(&self.git().args(["merge-base", "--is-ancestor", ancestor, of]))?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            Some(_) | None => Err(failed(WHAT, &output)),
        }
    }

    fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, GitError> {
        self.answer(&["merge-base", one, other], "git merge-base")
    }

    fn missing_from(&self, tip: &str, others: &[&str]) -> Result<Vec<Commit>, GitError> {
        const WHAT: &str = "git log";
        let command = self.git().args(["log", "--topo-order", "--format=%H|%P|%at", tip, "--not"]);
        let output = read(&command.args(others.iter().copied()).arg("--"), WHAT)?;
        let commit = |line: &str| {
            let [sha, parents, authored] = line.split('|').collect::<Vec<_>>().try_into().ok()?;
            let parents = parents.split_whitespace().map(str::to_owned).collect();
            Some(Commit { sha: sha.to_owned(), parents, authored: authored.parse().ok()? })
        };
        let unreadable =
            |line: &str| GitError::Unreadable { command: WHAT.into(), line: line.into() };
        output.text().lines().map(|line| commit(line).ok_or_else(|| unreadable(line))).collect()
    }

    fn is_first_parent(&self, commit: &str, tip: &str, until: &str) -> Result<bool, GitError> {
        let count = format!("--max-count={MAX_WALK}");
        let command = self.git().args(["rev-list", "--first-parent", &count, tip, "--"]);
        let text = read(&command, "git rev-list")?.text();
        let first = text.lines().find(|sha| *sha == commit || *sha == until);
        Ok(first.map_or(text.lines().count() >= MAX_WALK, |sha| sha == commit))
    }

    fn tree(&self, commit: &str) -> Result<String, GitError> {
        let name = format!("{commit}^{{tree}}");
        let command = self.git().args(["rev-parse", "--verify", "--quiet", &name]);
        Ok(read(&command, "git rev-parse")?.text())
    }

    fn change(&self, from: Option<&str>, to: &str) -> Result<Option<Change>, GitError> {
        let from = match from {
            Some(from) => from.to_owned(),
            None => self.empty_tree()?,
        };
        let command = self.git().args(["diff-tree", "-r"]).args([from.as_str(), to]);
        let mut patches = self.patches(command, "git diff-tree")?;
        Ok(patches.remove(""))
    }

    fn made_by(
        &self,
        tip: &str,
        base: Option<&str>,
        since: i64,
        wanted: &[Change],
    ) -> Result<BTreeSet<String>, GitError> {
        let count = format!("--max-count={MAX_WALK}");
        let since = format!("--since-as-filter={since}");
        let command = self.git().args(["log", "--no-merges", "--format=%x00%H", &count, &since]);
        let command = command.arg(tip).args(base.map(|base| format!("^{base}")));
        let patches = self.patches(command, "git log")?;
        let is_wanted = |change: &Change| wanted.iter().any(|one| one.paths == change.paths);
        Ok(patches.into_values().filter(is_wanted).map(|change| change.id).into_set())
    }

    fn merge(&self, ours: &str, theirs: &str) -> Result<Merge, GitError> {
        const WHAT: &str = "git merge-tree";
        let command = self.merge_tree().arg("--allow-unrelated-histories").args([ours, theirs]);
        read_merge(&run(&command)?, WHAT)
    }

    fn pick(&self, commit: &Commit, onto: &str) -> Result<Merge, GitError> {
        const WHAT: &str = "git merge-tree";
        let before = match commit.parents.first() {
            Some(parent) => self.tree(parent)?,
            None => self.empty_tree()?,
        };
        let theirs = self.tree(&commit.sha)?;
        let base = format!("--merge-base={before}");
        let command = self.merge_tree().args([base.as_str(), onto, &theirs]);
        read_merge(&run(&command)?, WHAT)
    }

    fn differences(&self, from: &str, tree: &str) -> Result<Vec<Difference>, GitError> {
        const WHAT: &str = "git diff-tree";
        let flags = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames"];
        let flags = flags.into_iter().chain(["--ignore-submodules=none"]);
        let command = self.git().args(flags).args([&self.tree(from)?, tree, "--"]);
        read_differences(&read(&command, WHAT)?.stdout).ok_or_else(|| GitError::Unreadable {
            command: WHAT.into(),
            line: "a line of another form".into(),
        })
    }

    fn keep(&self, _ours: &str, _theirs: &str, _tree: &str) -> Result<(), GitError> {
        // `git merge-tree` was told to sync what it writes.
        Ok(())
    }

    fn log(&self, full_name: &str) -> Result<Vec<LogLine>, GitError> {
        let command =
            self.git().args(["log", "--walk-reflogs", "--format=%H %gs", full_name, "--"]);
        let text = read(&command, "git log --walk-reflogs")?.text();
        let line = |line: &str| {
            let (sha, message) = line.split_once(' ')?;
            Some(LogLine { sha: sha.to_owned(), message: message.to_owned() })
        };
        Ok(text.lines().filter_map(line).collect())
    }
}

fn read_merge(output: &Output, what: &str) -> Result<Merge, GitError> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut parts = text.split('\0').filter(|part| !part.is_empty());
    match (output.status.code(), parts.next()) {
        (Some(0), Some(tree)) => Ok(Merge::Clean(tree.trim_end().to_owned())),
        (Some(1), Some(_)) => {
            let paths = parts.map(str::to_owned).into_set();
            Ok(Merge::Conflicts(paths.into_iter().collect()))
        }
        (Some(_) | None, _) => Err(failed(what, output)),
    }
}

/// Reads what `git diff-tree --raw -z` prints; none where it is not that.
fn read_differences(bytes: &[u8]) -> Option<Vec<Difference>> {
    let fields: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let (pairs, _) = fields.as_chunks::<2>();
    let side = |mode: &str, hash: &str| {
        let mode = u32::from_str_radix(mode, 8).ok()?;
        Some((mode != 0).then(|| (mode, hash.to_owned())))
    };
    let read = |[line, path]: &[&[u8]; 2]| {
        let line = std::str::from_utf8(line).ok()?.strip_prefix(':')?;
        let [before, after, old, new, _] = line.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let (before, after) = (side(before, old)?, side(after, new)?);
        Some(Difference { path: path.to_vec(), before, after })
    };
    pairs.iter().map(read).collect()
}

/// Reads patches that NUL and a commit's hash precede; without those, one of no name.
fn read_patches(bytes: &[u8]) -> BTreeMap<String, Change> {
    let mut patches = BTreeMap::new();
    for record in bytes
        .split_inclusive(|byte| *byte == b'\n')
        .collect::<Vec<_>>()
        .chunk_by(|_, next| next.first() != Some(&0))
    {
        let (name, lines) = match record.first() {
            Some(first) if first.first() == Some(&0) => {
                (String::from_utf8_lossy(first[1..].trim_ascii_end()).into_owned(), &record[1..])
            }
            Some(_) | None => (String::new(), record),
        };
        if let Some(change) = read_patch(lines) {
            patches.insert(name, change);
        }
    }
    patches
}

fn read_patch(lines: &[&[u8]]) -> Option<Change> {
    let mut hash = Fingerprint::default();
    let mut paths = BTreeSet::new();
    let mut contents: &[u8] = b"";
    let mut in_hunk = false;
    for line in lines {
        if let Some(names) = line.strip_prefix(b"diff --git ") {
            in_hunk = false;
            hash.file(names, b"");
            paths.insert(String::from_utf8_lossy(names.trim_ascii_end()).into_owned());
        } else if !in_hunk && let Some(rest) = line.strip_prefix(b"index ") {
            contents = rest;
        } else if line.starts_with(b"@@ ") {
            in_hunk = true;
            hash.hunk();
        } else if in_hunk {
            hash.line('l', line);
        } else if line.starts_with(b"Binary files ") {
            hash.contents(contents, b"");
        } else if !line.trim_ascii().is_empty() {
            hash.line('h', line);
        }
    }
    let paths: Vec<String> = paths.into_iter().collect();
    (!paths.is_empty()).then(|| Change { id: hash.finish(), paths })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::target;

    #[test]
    fn fuzz_git_patches() {
        let patch = "\0a1b2c3\ndiff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\0d4\ndiff --git a/y b/y\nBinary files a/y and b/y differ\n";
        target("git-patches").seed(patch).words(&["diff --git ", "@@ ", "index "]).run(|bytes| {
            let patches = read_patches(bytes);
            let files = bytes.windows(11).filter(|window| window == b"diff --git ").count();
            assert!(patches.len() <= files, "a change of nothing");
            assert!(patches.values().all(|change| !change.paths.is_empty()));
        });
    }
}
