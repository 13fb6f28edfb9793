//! A session's branch on the remote `origin`: what is there, and bringing it there.

use std::time::Duration;

use super::command::{LONG, pairs, run, why};
use super::{GitError, Repository};
use crate::adapter::clock::Deadline;
use crate::adapter::cmd::Output;
use crate::model::id::BranchName;

/// How long the remote is given to say what it has.
const ASK: Duration = Duration::from_secs(30);

impl Repository {
    /// Asks the remote `origin` for the commit that it has of a branch, `None` where it has none.
    pub fn remote_tip(&self, branch: &BranchName) -> Result<Option<String>, GitError> {
        let name = format!("refs/heads/{branch}");
        let command = self.network(Deadline::after(ASK))?;
        let output =
            run(&command.args(["ls-remote", "--heads", "--end-of-options", "origin", &name]))?;
        if !output.success() {
            return Err(remote("git ls-remote", &output));
        }
        tip_in(&output.text(), &name)
    }

    /// Pushes a local branch to the remote `origin` under its own name, never by force. The
    /// user's `pre-push` hook runs: what git LFS keeps goes up with it.
    pub fn push(&self, branch: &BranchName) -> Result<(), GitError> {
        let refspec = format!("refs/heads/{branch}:refs/heads/{branch}");
        let command = self.network_with_hooks(Deadline::after(LONG))?;
        let output =
            run(&command.args(["push", "--quiet", "--end-of-options", "origin", &refspec]))?;
        if output.success() { Ok(()) } else { Err(remote("git push", &output)) }
    }
}

/// Returns the commit that a remote's list of refs has for this one.
pub(super) fn tip_in(list: &str, full_name: &str) -> Result<Option<String>, GitError> {
    // The remote's patterns match the ends of names, so others may be listed too.
    let mut refs = pairs("git ls-remote", list, '\t')?.into_iter();
    Ok(refs.find(|(_, name)| *name == full_name).map(|(sha, _)| sha.to_owned()))
}

fn remote(what: &str, output: &Output) -> GitError {
    GitError::Remote { command: what.to_owned(), stderr: why(output) }
}
