//! GitHub: pull requests and issues over HTTPS, without a program of its own.
//!
//! What is asked for all sessions of a repository at once is in `observe`; what a person asks for
//! is in `pulls` and `issues`. All of it goes through one [`Client`] per invocation, which has the
//! token, the limits and the failures.

mod cache;
mod client;
mod facts;
mod fetch;
#[cfg(test)]
mod fuzz;
mod guard;
mod issues;
mod logs;
mod observe;
mod parse;
mod pulls;
mod quota;
mod refusal;
mod remote;
mod token;
mod whose;

use std::rc::Rc;
use std::time::Duration;

pub use client::{Call, Client, Graph, Setup};
pub use quota::{Limit, Purpose, limits};
pub use remote::{Base, Slug};
pub use token::VARIABLES as TOKEN_VARIABLES;

use crate::adapter::scm::{ForgeError, Scm};
use crate::model::forge::{MergeRequest, Merged, NewPullRequest, Observed, PullRequest, Subject};

/// One repository at GitHub.
#[derive(Clone, Debug)]
pub struct GitHub {
    client: Rc<Client>,
    repository: Slug,
    watch: Watch,
}

/// How sessions' pull requests are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The repositories that branches are pushed to, besides the one of the pull requests.
    pub remotes: Vec<Slug>,
    /// Accounts that open pull requests for sessions, besides the token's own.
    pub authors: Vec<String>,
    /// How long what was fetched may stand, whatever the guards say.
    pub refetch: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        let refetch = Duration::from_secs(300);
        Self { remotes: Vec::new(), authors: Vec::new(), refetch }
    }
}

impl GitHub {
    /// Returns the repository that `client` asks about.
    pub fn new(client: Rc<Client>, repository: Slug) -> Self {
        Self { client, repository, watch: Watch::default() }
    }

    /// Looks for sessions' pull requests as `watch` says.
    pub fn watching(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Returns the path of something of the repository by the name it goes by at present.
    fn path_in(&self, cache: &cache::Cache, rest: &str) -> String {
        match &cache.renamed {
            Some(name) => format!("/repos/{name}{rest}"),
            None => self.path(rest),
        }
    }

    /// Returns the path of something of the repository: `/repos/owner/name<rest>`.
    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.repository.owner, self.repository.name)
    }
}

impl Scm for GitHub {
    fn observe(&self, subjects: &[Subject]) -> Vec<Observed> {
        self.look(subjects)
    }

    fn create(
        &self,
        subject: &Subject,
        wanted: &NewPullRequest,
    ) -> Result<PullRequest, ForgeError> {
        self.open_pull_request(subject, wanted)
    }

    fn pull_request(&self, number: u64) -> Result<PullRequest, ForgeError> {
        self.one_pull_request(number)
    }

    fn pull_requests(&self) -> Result<Vec<PullRequest>, ForgeError> {
        self.all_pull_requests()
    }

    fn merge(&self, subject: &Subject, wanted: &MergeRequest) -> Result<Merged, ForgeError> {
        self.merge_pull_request(subject, wanted)
    }
}
