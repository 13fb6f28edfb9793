//! Answers by the `git` program, for what libgit2 refuses.

use std::collections::{BTreeMap, BTreeSet};

use super::fingerprint::Fingerprint;
use super::objects::{Change, Commit, Difference, LogLine, MAX_WALK, Merge, Objects};
use crate::adapter::cmd::{Cmd, Output};
use crate::adapter::git::command::{LONG, failed, pairs, read, records, run, unreadable};
use crate::adapter::git::{GitError, Repository};
use crate::model::collect::Sorted;

/// The question for a branch's log.
const WHAT_MOVED: &str = "git log --walk-reflogs";

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
        let command = self.repo.git().deadline(LONG);
        // What a partial clone lacks is not fetched for a look.
        let command = command.env("GIT_NO_LAZY_FETCH", "1");
        // What the user's gpg says of a commit would stand between the lines of a log.
        command.args(["-c", "log.showSignature=false"])
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
        let command = self.git().args(["log", "--topo-order", "--format=%H|%P|%at", tip, "--not"]);
        let command = command.args(others.iter().copied()).arg("--");
        read_commits(&read(&command, "git log")?.text())
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
        let flags = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames"];
        let flags = flags.into_iter().chain(["--ignore-submodules=none"]);
        let command = self.git().args(flags).args([&self.tree(from)?, tree, "--"]);
        read_differences(&read(&command, "git diff-tree")?.stdout)
    }

    fn keep(&self, _ours: &str, _theirs: &str, _tree: &str) -> Result<(), GitError> {
        // `git merge-tree` was told to sync what it writes.
        Ok(())
    }

    fn log(&self, full_name: &str) -> Result<Vec<LogLine>, GitError> {
        let command =
            self.git().args(["log", "--walk-reflogs", "--format=%H %gs", full_name, "--"]);
        read_log(&read(&command, WHAT_MOVED)?.text())
    }
}

/// Reads the commits that `git log` prints, each with its parents and its time.
fn read_commits(text: &str) -> Result<Vec<Commit>, GitError> {
    let commit = |line: &str| {
        let [sha, parents, authored] = line.split('|').collect::<Vec<_>>().try_into().ok()?;
        let parents = parents.split_whitespace().map(str::to_owned).collect();
        Some(Commit { sha: sha.to_owned(), parents, authored: authored.parse().ok()? })
    };
    let read = |line: &str| commit(line).ok_or_else(|| unreadable("git log", line.as_bytes()));
    text.lines().map(read).collect()
}

/// Reads a branch's log. A message may be empty; the space before it is there all the same.
fn read_log(text: &str) -> Result<Vec<LogLine>, GitError> {
    let lines = pairs(WHAT_MOVED, text, ' ')?.into_iter();
    let line = |(sha, message): (&str, &str)| LogLine { sha: sha.into(), message: message.into() };
    Ok(lines.map(line).collect())
}

fn read_merge(output: &Output, what: &str) -> Result<Merge, GitError> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut parts = text.split('\0').filter(|part| !part.is_empty());
    let tree = parts.next().map(str::trim_end).filter(|tree| !tree.is_empty());
    match (output.status.code(), tree) {
        (Some(0), Some(tree)) => Ok(Merge::Clean(tree.to_owned())),
        (Some(1), Some(_)) => {
            let paths = parts.map(str::to_owned).into_set();
            Ok(Merge::Conflicts(paths.into_iter().collect()))
        }
        (Some(_) | None, _) => Err(failed(what, output)),
    }
}

/// Reads what `git diff-tree --raw -z` prints.
fn read_differences(bytes: &[u8]) -> Result<Vec<Difference>, GitError> {
    const WHAT: &str = "git diff-tree";
    let pairs = records::<2>(WHAT, bytes)?;
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
    pairs.iter().map(|pair| read(pair).ok_or_else(|| unreadable(WHAT, pair[0]))).collect()
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
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;
    use crate::adapter::git::testing::shows;
    use crate::fuzz::target;

    #[test]
    fn a_line_that_is_no_answer_is_refused() {
        let refused = |error: GitError| {
            error.to_string().replace("could not read the answer of ", "").replace('`', "")
        };
        let log = read_log("a1 commit: x\nb2 ").unwrap();
        assert_eq!(
            log.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(),
            ["commit: x", ""]
        );
        let odd = refused(read_log("a1 commit: x\nb2").unwrap_err());
        assert_eq!(odd, "git log --walk-reflogs: b2");
        let odd = refused(read_commits("a1|b2 c3|1\na1|b2").unwrap_err());
        assert_eq!(odd, "git log: a1|b2");
        let raw = b":100644 000000 a1 00 D\0x\0";
        let one =
            Difference { path: b"x".to_vec(), before: Some((0o100644, "a1".into())), after: None };
        assert_eq!(read_differences(raw).unwrap(), [one]);
        assert_eq!(read_differences(b"").unwrap(), []);
        let cut = [&raw[..], b":100644 000000 b2 00 D\0y"].concat();
        assert_eq!(refused(read_differences(&cut).unwrap_err()), "git diff-tree: y");
        let cut = [&raw[..], b":100644 000000 b2 00 D\0"].concat();
        assert_eq!(
            refused(read_differences(&cut).unwrap_err()),
            "git diff-tree: :100644 000000 b2 00 D"
        );
    }

    #[test]
    fn fuzz_git_logs() {
        let target = target("git-logs").seed("a1|b2 c3|1700000000\nb2||-1\n");
        target.seed("a1 commit: x\nb2 \n").run_text(|text| {
            let lines = || text.lines().map(str::as_bytes);
            match read_commits(text) {
                Ok(commits) => {
                    let line = |it: &Commit| {
                        format!("{}|{}|{}\n", it.sha, it.parents.join(" "), it.authored)
                    };
                    let again: String = commits.iter().map(line).collect();
                    assert_eq!(read_commits(&again).unwrap(), commits);
                    assert_eq!(commits.len(), lines().count());
                }
                Err(error) => assert!(shows(&error, lines()), "{error}"),
            }
            match read_log(text) {
                Ok(log) => {
                    let again = log.iter().map(|it| format!("{} {}", it.sha, it.message));
                    assert!(again.eq(text.lines()));
                }
                Err(error) => assert!(shows(&error, lines()), "{error}"),
            }
        });
    }

    #[test]
    fn fuzz_git_differences() {
        let seed = ":100644 100755 a1 b2 M\0x\0:000000 120000 00 c3 A\0y z\0";
        target("git-differences").seed(seed).run(|bytes| {
            let parts = || bytes.split(|byte| *byte == 0);
            match read_differences(bytes) {
                Ok(found) => {
                    let paths = found.iter().map(|it| it.path.as_slice());
                    assert!(parts().skip(1).step_by(2).eq(paths));
                }
                Err(error) => assert!(shows(&error, parts()), "{error}"),
            }
        });
    }

    #[test]
    fn fuzz_git_merges() {
        target("git-merges").seed("a1b2\0x\0d/y z\0").run_text(|text| {
            let parts = || text.split('\0').filter(|part| !part.is_empty());
            let is_there = |found: &String| parts().any(|part| part.trim_end() == found.trim_end());
            for code in [0, 1, 2] {
                let (status, stdout) = (ExitStatus::from_raw(code << 8), text.as_bytes().to_vec());
                let output = Output { status, stdout, stderr: String::new() };
                match read_merge(&output, "git merge-tree") {
                    Ok(Merge::Clean(tree)) => {
                        assert!(code == 0 && !tree.is_empty() && is_there(&tree));
                    }
                    Ok(Merge::Conflicts(paths)) => {
                        assert!(code == 1 && paths.is_sorted() && paths.iter().all(is_there));
                    }
                    Err(_) => {
                        let says_nothing = parts().next().is_none_or(|it| it.trim().is_empty());
                        assert!(code == 2 || says_nothing);
                    }
                }
            }
        });
    }

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
