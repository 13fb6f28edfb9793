//! Where a branch starts and whether its name is free.

use std::path::PathBuf;
use std::time::Duration;

use super::command::{failed, git, git_to_its_end, git_with_hooks, pairs, read, retried, run};
use super::{GitError, Repository};
use crate::adapter::clock::Deadline;
use crate::adapter::cmd::{Cmd, CmdError};
use crate::model::id::BranchName;
use crate::model::record::WorkspaceHandle;

/// A commit and the name it was found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// What was asked for or found: `origin/main`, `main`, a tag, a hash.
    pub ref_name: String,
    /// The commit.
    pub sha: String,
}

/// What there is of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchState {
    /// No such branch, and nothing in its way.
    Free,
    /// It exists and no worktree has it.
    Exists {
        /// Its tip.
        sha: String,
    },
    /// A worktree has it checked out.
    CheckedOut {
        /// Its tip.
        sha: String,
        /// That worktree.
        path: PathBuf,
    },
}

/// What came of fetching the remote default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// There is no remote called `origin`.
    NoRemote,
    /// The remote-tracking branch is as the remote has it.
    Ok,
    /// The remote could not be reached; the remote-tracking branch is as it was.
    Offline {
        /// git's reason, one line.
        why: String,
    },
}

impl Repository {
    /// Returns the URL of the remote `origin`.
    pub fn origin(&self) -> Option<String> {
        if let Some(origin) = self.refs().and_then(|refs| refs.origin()) {
            return origin;
        }
        self.answer(&["config", "--get", "remote.origin.url"])
    }

    /// Asks git itself for every remote; see [`super::remotes_of`].
    pub(super) fn remotes(&self) -> Vec<(String, String)> {
        let keys = r"^remote\..*\.(url|pushurl)$";
        let text = self.answer(&["config", "--null", "--get-regexp", keys]).unwrap_or_default();
        let pair = |entry: &str| {
            let (key, url) = entry.split_once('\n')?;
            let (name, _) = key.strip_prefix("remote.")?.rsplit_once('.')?;
            Some((name.to_owned(), url.to_owned()))
        };
        text.split('\0').filter_map(pair).collect()
    }

    /// Returns the default branch without a remote's name: the remote's, else the main
    /// worktree's branch.
    pub fn default_branch(&self) -> Option<String> {
        let remote = self.remote_default().ok().flatten();
        let name = remote.and_then(|name| name.strip_prefix("origin/").map(str::to_owned));
        name.or_else(|| self.head_branch())
    }

    /// Asks git itself for [`Self::default_branch`].
    #[cfg(test)]
    pub(super) fn default_branch_by_git(&self) -> Option<String> {
        let remote = self.remote_default_by_git().ok().flatten();
        let name = remote.and_then(|name| name.strip_prefix("origin/").map(str::to_owned));
        name.or_else(|| self.answer(&["symbolic-ref", "--quiet", "--short", "HEAD"]))
    }

    /// Returns the short name of the main worktree's branch.
    fn head_branch(&self) -> Option<String> {
        let known = self.refs().and_then(|refs| refs.head_branch());
        known.or_else(|| self.answer(&["symbolic-ref", "--quiet", "--short", "HEAD"]))
    }

    /// Returns whether there is any commit to start from.
    pub fn has_commit(&self) -> Result<bool, GitError> {
        if self.commit("HEAD")?.is_some() {
            return Ok(true);
        }
        let refs = self.git().args(["for-each-ref", "--count=1", "refs/heads", "refs/remotes"]);
        Ok(!read(&refs, "git for-each-ref")?.stdout.is_empty())
    }

    /// Fetches the remote's default branch and nothing else, within `deadline`.
    pub fn fetch_default(&self, deadline: Duration) -> Result<Fetched, GitError> {
        if self.origin().is_none() {
            return Ok(Fetched::NoRemote);
        }
        let deadline = Deadline::after(deadline);
        let known = self.remote_default()?;
        let name = match known.as_deref().and_then(|name| name.strip_prefix("origin/")) {
            Some(name) => name.to_owned(),
            None => match self.ask_remote_default(deadline)? {
                Ok(name) => name,
                Err(why) => return Ok(Fetched::Offline { why }),
            },
        };
        let refspec = format!("+refs/heads/{name}:refs/remotes/origin/{name}");
        let flags = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
        let fetched = retried(|| {
            let command = self.network(deadline)?.arg("fetch").args(flags);
            let output = run(&command.args(["--end-of-options", "origin", &refspec]))?;
            if output.success() { Ok(()) } else { Err(failed("git fetch", &output)) }
        });
        Ok(match offline(fetched)? {
            Ok(()) => Fetched::Ok,
            Err(why) => Fetched::Offline { why },
        })
    }

    /// Returns the commit to start from: `wanted`, else the remote default branch as last
    /// fetched, else the main worktree's branch.
    pub fn base(&self, wanted: Option<&str>) -> Result<Base, GitError> {
        let found = |ref_name: &str| -> Result<Option<Base>, GitError> {
            let sha = self.commit(ref_name)?;
            Ok(sha.map(|sha| Base { ref_name: ref_name.to_owned(), sha }))
        };
        if let Some(wanted) = wanted {
            let base = match found(wanted)? {
                None if !wanted.starts_with('-') => found(&format!("origin/{wanted}"))?,
                base => base,
            };
            return base.ok_or_else(|| GitError::BaseNotFound {
                base: wanted.to_owned(),
                repo: self.main.clone(),
            });
        }
        let remote = self.remote_default()?;
        if let Some(base) = remote.as_deref().map(found).transpose()?.flatten() {
            return Ok(base);
        }
        for name in [self.head_branch(), Some("HEAD".to_owned())].into_iter().flatten() {
            if let Some(base) = found(&name)? {
                return Ok(base);
            }
        }
        Err(GitError::NoCommit { path: self.main.clone() })
    }

    /// Returns what there is of `branch`; an error where another branch's name excludes it.
    pub fn branch(&self, branch: &BranchName) -> Result<BranchState, GitError> {
        match self.refs().and_then(|refs| refs.branch(self, branch.as_str())) {
            Some(state) => Ok(state),
            None => self.branch_by_git(branch),
        }
    }

    /// Asks git itself for [`Self::branch`].
    pub(super) fn branch_by_git(&self, branch: &BranchName) -> Result<BranchState, GitError> {
        let name = branch.as_str();
        let command = self
            .git()
            .args(["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "--"])
            .args(ancestors(name).chain([name]).map(|name| format!("refs/heads/{name}")));
        let tip = branch_in(&read(&command, "git for-each-ref")?.text(), name)?;
        // An unborn branch has a worktree and no tip.
        let holder =
            self.worktrees_by_git()?.into_iter().find(|e| e.branch.as_deref() == Some(name));
        Ok(match (tip, holder) {
            (None, None) => BranchState::Free,
            (Some(sha), None) => BranchState::Exists { sha },
            (sha, Some(entry)) => {
                BranchState::CheckedOut { sha: sha.unwrap_or_default(), path: entry.path }
            }
        })
    }

    /// Returns where `branch` is, `None` where there is none.
    pub fn branch_tip(&self, branch: &str) -> Result<Option<String>, GitError> {
        self.commit(&format!("refs/heads/{branch}"))
    }

    /// Returns a git command about this repository as a whole.
    pub(super) fn git(&self) -> Cmd {
        self.about(git(self.seat()))
    }

    /// [`Self::git`] that goes on where this process is killed.
    pub(super) fn git_to_its_end(&self) -> Cmd {
        self.about(git_to_its_end(self.seat()))
    }

    fn about(&self, command: Cmd) -> Cmd {
        if self.bare {
            // Said, not found: `safe.bareRepository=explicit` refuses to look for one.
            command.arg("--git-dir").arg(&self.common_dir)
        } else {
            command
        }
    }

    /// Returns the commit that `name` means, `None` where it means none.
    pub(super) fn commit(&self, name: &str) -> Result<Option<String>, GitError> {
        match self.refs().and_then(|refs| refs.commit(name)) {
            Some(commit) => Ok(Some(commit)),
            None => self.commit_by_git(name),
        }
    }

    /// Returns the commits that the branch of `handle` began at: where the ref is by now that it
    /// began at, and where that was then. What is called a base and is no branch, remote's branch
    /// or tag (`HEAD`, `@{-1}`) is another commit with each checkout, and counts as it was then.
    pub(super) fn bases(&self, handle: &WorkspaceHandle) -> Result<Vec<String>, GitError> {
        let own = handle.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
        let lasting = match &handle.base_ref {
            Some(name) => self.lasting_ref(name)?,
            None => None,
        };
        // A base that is the branch itself would make every branch spare.
        let lasting = lasting.filter(|full| Some(full) != own.as_ref());
        let mut found = Vec::new();
        for name in lasting.iter().chain(&handle.base_sha) {
            found.extend(self.commit(name)?);
        }
        Ok(found)
    }

    /// Returns the full name of the branch, remote's branch or tag that `name` means alone.
    fn lasting_ref(&self, name: &str) -> Result<Option<String>, GitError> {
        const PLACES: [&str; 3] = ["refs/heads/", "refs/remotes/", "refs/tags/"];
        let is_lasting = |full: &String| PLACES.iter().any(|place| full.starts_with(place));
        if let Some(full) = self.refs().and_then(|refs| refs.full_name(name)) {
            return Ok(Some(full).filter(is_lasting));
        }
        let places = PLACES.iter().map(|place| format!("{place}{name}"));
        let names: Vec<String> = places.chain(Some(name.to_owned()).filter(is_lasting)).collect();
        let command = self.git().args(["for-each-ref", "--format=%(refname)", "--"]).args(&names);
        let text = read(&command, "git for-each-ref")?.text();
        // A pattern means what is below it as well.
        let mut found = text.lines().filter(|line| names.iter().any(|name| name == line));
        Ok(found.next().map(str::to_owned).filter(|_| found.next().is_none()))
    }

    /// Asks git itself for [`Self::commit`].
    pub(super) fn commit_by_git(&self, name: &str) -> Result<Option<String>, GitError> {
        let wanted = format!("{name}^{{commit}}");
        let command =
            self.git().args(["rev-parse", "--quiet", "--verify", "--end-of-options", &wanted]);
        let output = run(&command)?;
        Ok(Some(output.text()).filter(|sha| output.success() && !sha.is_empty()))
    }

    /// Returns the first line of what the last commit of a local branch says.
    pub fn subject_of(&self, branch: &BranchName) -> Result<Option<String>, GitError> {
        let name = format!("refs/heads/{branch}");
        let flags = ["log", "--max-count=1", "--format=%s", "--no-show-signature"];
        let output = run(&self.git().args(flags).args(["--end-of-options", &name, "--"]))?;
        Ok(Some(output.text()).filter(|text| output.success() && !text.is_empty()))
    }

    /// Returns the one line git answers, `None` where it has no answer.
    fn answer(&self, args: &[&str]) -> Option<String> {
        let output = run(&self.git().args(args)).ok()?;
        Some(output.text()).filter(|text| output.success() && !text.is_empty())
    }

    /// Returns `origin/<default branch>` as far as the last fetch tells.
    fn remote_default(&self) -> Result<Option<String>, GitError> {
        match self.refs().and_then(|refs| refs.remote_default()) {
            Some(name) => Ok(name),
            None => self.remote_default_by_git(),
        }
    }

    /// Asks git itself for [`Self::remote_default`].
    fn remote_default_by_git(&self) -> Result<Option<String>, GitError> {
        let refs = DEFAULTS.map(|name| format!("refs/remotes/origin/{name}"));
        let format = "--format=%(refname:lstrip=2) %(symref:lstrip=2)";
        let list = self.git().args(["for-each-ref", format]).args(&refs);
        default_in(&read(&list, "git for-each-ref")?.text())
    }

    /// Asks the remote for its default branch, and notes the answer as a clone would have.
    fn ask_remote_default(&self, deadline: Deadline) -> Result<Result<String, String>, GitError> {
        let command = self.network(deadline)?.args(["ls-remote", "--symref", "origin", "HEAD"]);
        let asked = run(&command).and_then(|output| {
            if output.success() { Ok(output) } else { Err(failed("git ls-remote", &output)) }
        });
        let output = match offline(asked)? {
            Ok(output) => output,
            Err(why) => return Ok(Err(why)),
        };
        let Some(name) = head_in(&output.text())? else {
            return Ok(Err("the remote has no default branch".to_owned()));
        };
        let tracking = format!("refs/remotes/origin/{name}");
        let note =
            self.git_to_its_end().args(["symbolic-ref", "refs/remotes/origin/HEAD", &tracking]);
        read(&note, "git symbolic-ref")?;
        Ok(Ok(name))
    }

    /// Returns a git command that may talk to a remote, but never to a person.
    pub(super) fn network(&self, deadline: Deadline) -> Result<Cmd, GitError> {
        self.quiet(self.git(), deadline)
    }

    /// [`Self::network`] with the user's hooks.
    pub(super) fn network_with_hooks(&self, deadline: Deadline) -> Result<Cmd, GitError> {
        self.quiet(git_with_hooks(self.seat()), deadline)
    }

    fn quiet(&self, command: Cmd, deadline: Deadline) -> Result<Cmd, GitError> {
        // Taken for unset where nobody could tell, it would be another program than the user's.
        let asked = run(&self.git().args(["config", "--get", "core.sshCommand"]))?;
        let ssh = Some(asked.text()).filter(|text| asked.success() && !text.is_empty());
        let ssh = ssh.unwrap_or_else(|| "ssh".to_owned());
        let command = command.deadline(deadline.remaining());
        Ok(if ssh.split(['/', ' ']).any(|word| word == "ssh") {
            let quiet = format!("{ssh} -o BatchMode=yes -o ConnectTimeout=10");
            command.env("GIT_SSH_COMMAND", quiet)
        } else {
            command
        })
    }
}

/// What a remote-tracking branch that counts as the default one is called, the likeliest first.
const DEFAULTS: [&str; 3] = ["HEAD", "main", "master"];

/// Returns the names above `branch`, none of which another branch can have beside it.
fn ancestors(branch: &str) -> impl Iterator<Item = &str> {
    branch.match_indices('/').map(|(end, _)| &branch[..end])
}

/// Returns where a list of commits and branches has this branch; an error where it has one that
/// excludes it.
pub(super) fn branch_in(list: &str, branch: &str) -> Result<Option<String>, GitError> {
    let mut tip = None;
    for (sha, other) in pairs("git for-each-ref", list, ' ')? {
        let below = other.strip_prefix(branch).is_some_and(|rest| rest.starts_with('/'));
        if other == branch {
            tip = Some(sha.to_owned());
        } else if below || ancestors(branch).any(|ancestor| ancestor == other) {
            let (branch, other) = (branch.to_owned(), other.to_owned());
            return Err(GitError::BranchNameTaken { branch, other });
        }
    }
    Ok(tip)
}

/// Returns the first of [`DEFAULTS`] that a list of remote-tracking branches has, each with the
/// one that it stands for, if it does.
pub(super) fn default_in(list: &str) -> Result<Option<String>, GitError> {
    let refs = pairs("git for-each-ref", list, ' ')?;
    let found = |name: &str| {
        let mut named = refs.iter().filter(|(this, _)| this.strip_prefix("origin/") == Some(name));
        named.next().map(|(this, target)| if target.is_empty() { this } else { target })
    };
    Ok(DEFAULTS.into_iter().find_map(found).map(|name| (*name).to_owned()))
}

/// Returns the branch that a remote's HEAD stands for, by what `git ls-remote --symref` prints.
pub(super) fn head_in(list: &str) -> Result<Option<String>, GitError> {
    let mut refs = pairs("git ls-remote", list, '\t')?.into_iter();
    let target = refs.find_map(|(target, _)| target.strip_prefix("ref: refs/heads/"));
    Ok(target.map(str::to_owned))
}

/// Turns a remote that fails or does not answer into a reason; git itself missing stays an error.
fn offline<T>(result: Result<T, GitError>) -> Result<Result<T, String>, GitError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(GitError::Failed { stderr, .. }) => Ok(Err(stderr)),
        Err(GitError::Cmd(error @ CmdError::TimedOut { .. })) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
