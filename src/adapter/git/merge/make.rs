//! The commits of a merge: made of trees that are merged in memory, on no branch yet.
//!
//! No work tree and no index is touched, and no hook is run. What is left where this stops half
//! way are objects that nothing names.

use std::collections::BTreeMap;

use super::libgit2::Library;
use super::objects::{Commit, Difference, Merge, Objects};
use super::program::Program;
use super::{MAX_CONFLICTS, Target};
use crate::adapter::cmd::Cmd;
use crate::adapter::git::command::{LONG, last_word, read, run};
use crate::adapter::git::{GitError, Repository};
use crate::model::forge::MergeMethod;

/// What is to be merged, and how.
#[derive(Clone, Copy, Debug)]
pub struct MergePlan<'a> {
    /// The branch, without `refs/heads/`.
    pub branch: &'a str,
    /// Its commit that is merged.
    pub head: &'a str,
    /// What it is merged into, as it was looked at.
    pub target: &'a Target,
    /// How.
    pub method: MergeMethod,
    /// What the work is called.
    pub title: Option<&'a str>,
    /// The message of the merge or squash commit, instead of the usual one.
    pub message: Option<&'a str>,
}

/// Makes the commits and returns the one that the target is to be at.
pub fn make_merge(repo: &Repository, plan: &MergePlan<'_>) -> Result<String, GitError> {
    let maker = Maker { repo, plan, signs: signs(repo)? };
    maker.require_identity()?;
    by_either(repo, Library::open_to_write(repo), |objects| maker.make(objects))
}

/// Returns the files that [`make_merge`] would change of the target, making nothing of it.
pub(super) fn foreseen(
    repo: &Repository,
    plan: &MergePlan<'_>,
) -> Result<Vec<Difference>, GitError> {
    let maker = Maker { repo, plan, signs: false };
    maker.require_identity()?;
    by_either(repo, Library::open(repo), |objects| maker.changes(objects))
}

/// Works by the library, or by git itself where the library cannot.
fn by_either<T>(
    repo: &Repository,
    library: Result<Library, GitError>,
    work: impl Fn(&dyn Objects) -> Result<T, GitError>,
) -> Result<T, GitError> {
    let by_program = || work(&Program::new(repo));
    match library {
        Ok(library) => match work(&library) {
            Err(GitError::Library { .. }) => by_program(),
            done => done,
        },
        Err(_) => by_program(),
    }
}

struct Maker<'a> {
    repo: &'a Repository,
    plan: &'a MergePlan<'a>,
    /// `commit.gpgsign` is set.
    signs: bool,
}

/// What a rebase comes to.
struct Rebased<'a> {
    /// The commit up to which nothing has to be made again.
    tip: String,
    /// The tree of all of them.
    tree: String,
    /// The commits to be made on top of `tip`, each with its tree.
    steps: Vec<(&'a Commit, String)>,
}

/// What a commit says of itself.
struct Words {
    name: String,
    email: String,
    /// Seconds and zone, as git prints them with `--date=raw`.
    date: String,
    message: String,
}

impl Words {
    fn author(&self) -> String {
        format!("{} <{}>", self.name, self.email)
    }
}

impl Maker<'_> {
    fn make(&self, objects: &dyn Objects) -> Result<String, GitError> {
        let (head, target) = (self.plan.head, self.plan.target.sha.as_str());
        let mut ahead = objects.missing_from(head, &[target])?;
        ahead.reverse();
        match self.plan.method {
            MergeMethod::Merge => {
                let tree = self.merged_tree(objects)?;
                objects.keep(target, head, &tree)?;
                let message = self.merge_message();
                self.commit(&tree, &[target, head], None, &message)
            }
            MergeMethod::Squash => {
                let tree = self.merged_tree(objects)?;
                self.require_change(objects, &tree)?;
                objects.keep(target, head, &tree)?;
                let words = self.words(&ahead)?;
                let message = self.squash_message(&words);
                self.commit(&tree, &[target], main_author(&words), &message)
            }
            MergeMethod::Rebase => self.rebase(objects, &ahead),
        }
    }

    /// Returns the tree of both together.
    fn merged_tree(&self, objects: &dyn Objects) -> Result<String, GitError> {
        self.clean(objects.merge(&self.plan.target.sha, self.plan.head)?)
    }

    fn clean(&self, merge: Merge) -> Result<String, GitError> {
        match merge {
            Merge::Clean(tree) => Ok(tree),
            Merge::Conflicts(mut paths) => {
                paths.truncate(MAX_CONFLICTS);
                Err(GitError::MergeConflicts {
                    branch: self.plan.branch.to_owned(),
                    target: self.plan.target.name.clone(),
                    paths,
                })
            }
        }
    }

    fn require_change(&self, objects: &dyn Objects, tree: &str) -> Result<(), GitError> {
        if objects.tree(&self.plan.target.sha)? != tree {
            return Ok(());
        }
        Err(GitError::NothingToMerge {
            branch: self.plan.branch.to_owned(),
            target: self.plan.target.name.clone(),
        })
    }

    /// Puts the commits one after the other on top of the target, each with its author. Merges of
    /// the base into the branch are left out, and so is what changes nothing there.
    fn rebase(&self, objects: &dyn Objects, ahead: &[Commit]) -> Result<String, GitError> {
        let Rebased { mut tip, steps, .. } = self.rebased(objects, ahead)?;
        let commits: Vec<Commit> = steps.iter().map(|(commit, _)| (*commit).clone()).collect();
        for ((commit, tree), words) in steps.iter().zip(self.words(&commits)?) {
            objects.keep(&tip, &commit.sha, tree)?;
            let author = (words.author(), Some(words.date.clone()));
            tip = self.commit(tree, &[&tip], Some(author), &words.message)?;
        }
        Ok(tip)
    }

    /// Returns the files that the target would not have any more as they are.
    fn changes(&self, objects: &dyn Objects) -> Result<Vec<Difference>, GitError> {
        let target = self.plan.target.sha.as_str();
        let tree = match self.plan.method {
            MergeMethod::Merge => self.merged_tree(objects)?,
            MergeMethod::Squash => {
                let tree = self.merged_tree(objects)?;
                self.require_change(objects, &tree)?;
                tree
            }
            MergeMethod::Rebase => {
                let mut ahead = objects.missing_from(self.plan.head, &[target])?;
                ahead.reverse();
                self.rebased(objects, &ahead)?.tree
            }
        };
        objects.differences(target, &tree)
    }

    /// Merges the commits one after the other on top of the target.
    fn rebased<'b>(
        &self,
        objects: &dyn Objects,
        ahead: &'b [Commit],
    ) -> Result<Rebased<'b>, GitError> {
        let target = self.plan.target.sha.as_str();
        // As long as nothing has to be made again, a commit keeps its hash.
        let mut in_place = Some(target);
        let mut tip = target.to_owned();
        let mut tree = objects.tree(target)?;
        let mut steps: Vec<(&Commit, String)> = Vec::new();
        for commit in ahead.iter().filter(|commit| commit.parents.len() <= 1) {
            if in_place.is_some() && commit.parents.first().map(String::as_str) == in_place {
                in_place = Some(&commit.sha);
                tip.clone_from(&commit.sha);
                tree = objects.tree(&commit.sha)?;
                continue;
            }
            let picked = self.clean(objects.pick(commit, &tree)?)?;
            if picked != tree {
                in_place = None;
                tree.clone_from(&picked);
                steps.push((commit, picked));
            }
        }
        let linear = ahead.iter().all(|commit| commit.parents.len() <= 1);
        if !linear && tree != self.merged_tree(objects)? {
            return Err(GitError::RebaseLoses { branch: self.plan.branch.to_owned() });
        }
        self.require_change(objects, &tree)?;
        Ok(Rebased { tip, tree, steps })
    }

    fn merge_message(&self) -> String {
        if let Some(message) = self.plan.message {
            return message.to_owned();
        }
        // The word that git uses; the default branch goes without saying there as well.
        let (branch, target) = (self.plan.branch, self.plan.target.name.as_str());
        let into = match target {
            "main" | "master" => String::new(),
            other => format!(" into {other}"),
        };
        match self.plan.title {
            Some(title) => format!("Merge branch '{branch}'{into}\n\n{title}"),
            None => format!("Merge branch '{branch}'{into}"),
        }
    }

    fn squash_message(&self, words: &[Words]) -> String {
        let trailers = co_authors(words);
        let message = match (self.plan.message, words, self.plan.title) {
            (Some(message), _, _) => message.trim_end().to_owned(),
            (None, [only], None) => return only.message.clone(),
            (None, _, title) => {
                let first = words.first().map(|words| subject(&words.message));
                let title = title.or(first).unwrap_or(self.plan.branch);
                let list: Vec<String> =
                    words.iter().map(|words| format!("* {}", subject(&words.message))).collect();
                format!("{title}\n\n{}", list.join("\n"))
            }
        };
        match trailers.as_slice() {
            [] => message,
            some => format!("{message}\n\n{}", some.join("\n")),
        }
    }

    /// Returns what the commits say of themselves, in their order.
    fn words(&self, commits: &[Commit]) -> Result<Vec<Words>, GitError> {
        const WHAT: &str = "git log";
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let list: String = commits.iter().map(|commit| format!("{}\n", commit.sha)).collect();
        let format = "--format=tformat:%an%x00%ae%x00%ad%x00%B";
        let flags = ["--no-walk=unsorted", "--stdin", "-z", "--date=raw", "--no-show-signature"];
        let command = self.repo.git().deadline(LONG).arg("log").args(flags);
        let command = command.args(["--encoding=UTF-8", format]).stdin(list);
        let text = String::from_utf8_lossy(&read(&command, WHAT)?.stdout).into_owned();
        let fields: Vec<&str> = text.strip_suffix('\0').unwrap_or(&text).split('\0').collect();
        let (chunks, rest) = fields.as_chunks::<4>();
        if chunks.len() != commits.len() || !rest.is_empty() {
            let line = format!("{} fields for {} commits", fields.len(), commits.len());
            return Err(GitError::Unreadable { command: WHAT.into(), line });
        }
        let words = |[name, email, date, message]: &[&str; 4]| Words {
            name: (*name).to_owned(),
            email: (*email).to_owned(),
            date: (*date).to_owned(),
            message: (*message).to_owned(),
        };
        Ok(chunks.iter().map(words).collect())
    }

    /// Makes one commit; the committer is the user of the configuration, and so is the author
    /// where none is given.
    fn commit(
        &self,
        tree: &str,
        parents: &[&str],
        author: Option<(String, Option<String>)>,
        message: &str,
    ) -> Result<String, GitError> {
        const WHAT: &str = "git commit-tree";
        let command = by_configured_user(self.repo)
            .args(["-c", "core.fsync=all", "-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree])
            .args(parents.iter().flat_map(|parent| ["-p", parent]))
            .args(["-F", "-", if self.signs { "-S" } else { "--no-gpg-sign" }])
            .stdin(format!("{}\n", message.trim_end()));
        let command = match &author {
            Some((author, date)) => as_author(command, author, date.as_deref()),
            None => command,
        };
        let output = run(&command)?;
        if output.success() {
            return Ok(output.text());
        }
        if self.signs {
            let why = last_word(&output.stderr);
            return Err(GitError::NotSigned { why });
        }
        Err(super::super::command::failed(WHAT, &output))
    }

    /// Fails where git does not know who commits: what it would guess from the machine's name
    /// helps nobody.
    fn require_identity(&self) -> Result<(), GitError> {
        let output = run(&by_configured_user(self.repo).args(["var", "GIT_COMMITTER_IDENT"]))?;
        if output.success() {
            return Ok(());
        }
        Err(GitError::NoIdentity { repo: self.repo.main.clone() })
    }
}

fn by_configured_user(repo: &Repository) -> Cmd {
    repo.git().args(["-c", "user.useConfigOnly=true"])
}

fn as_author(command: Cmd, author: &str, date: Option<&str>) -> Cmd {
    let (name, email) = author.split_once(" <").unwrap_or((author, ""));
    let command = command
        // git refuses an empty name, which old commits may have.
        .env("GIT_AUTHOR_NAME", if name.is_empty() { "unknown" } else { name })
        .env("GIT_AUTHOR_EMAIL", email.trim_end_matches('>'));
    match date {
        // The mark says that seconds follow, however few.
        Some(date) => command.env("GIT_AUTHOR_DATE", format!("@{date}")),
        None => command,
    }
}

fn signs(repo: &Repository) -> Result<bool, GitError> {
    let command = repo.git().args(["config", "--type=bool", "--get", "commit.gpgsign"]);
    Ok(run(&command)?.text() == "true")
}

fn subject(message: &str) -> &str {
    message.lines().find(|line| !line.trim().is_empty()).unwrap_or("(no message)").trim()
}

/// Returns who made most of the commits; of several, who made the last.
fn main_author(words: &[Words]) -> Option<(String, Option<String>)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (position, one) in words.iter().enumerate() {
        let count = counts.entry(one.author()).or_default();
        *count = (count.0 + 1, position);
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(author, _)| (author, None))
}

/// Returns a line for everybody but the author who had a part in it, each once.
fn co_authors(words: &[Words]) -> Vec<String> {
    const KEY: &str = "Co-authored-by: ";
    let author = main_author(words).map(|(author, _)| author);
    let mut lines: Vec<String> = Vec::new();
    for one in words {
        let named = one.message.lines().filter_map(|line| {
            let key = line.get(..KEY.len()).filter(|key| key.eq_ignore_ascii_case(KEY));
            key.map(|_| line[KEY.len()..].trim().to_owned())
        });
        for person in std::iter::once(one.author()).chain(named) {
            let line = format!("{KEY}{person}");
            if author.as_deref() != Some(&person) && !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}
