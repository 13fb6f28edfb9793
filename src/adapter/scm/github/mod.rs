//! GitHub: pull requests and issues over HTTPS, without a program of its own.
//!
//! What is asked for all sessions of a repository at once is in `observe`; what a person asks for
//! is in `pulls` and `issues`. All of it goes through one [`Client`] per invocation, which has the
//! token, the limits and the failures.

mod client;
mod issues;
mod pulls;
mod quota;
mod refusal;
mod remote;
mod token;

use std::rc::Rc;

pub use client::{Call, Client, Graph, Setup};
pub use quota::Purpose;
pub use remote::{Base, Slug};
pub use token::VARIABLES as TOKEN_VARIABLES;

use crate::adapter::scm::{ForgeError, Scm};
use crate::model::forge::{MergeRequest, Merged, NewPullRequest, Observed, PullRequest, Subject};

/// One repository at GitHub.
#[derive(Clone, Debug)]
pub struct GitHub {
    client: Rc<Client>,
    repository: Slug,
}

impl GitHub {
    /// Returns the repository that `client` asks about.
    pub fn new(client: Rc<Client>, repository: Slug) -> Self {
        Self { client, repository }
    }

    /// Returns the path of something of the repository: `repos/owner/name<rest>`.
    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.repository.owner, self.repository.name)
    }

    fn unsupported(&self, what: &str) -> ForgeError {
        ForgeError::Unsupported { forge: self.client.name(), what: what.to_owned() }
    }
}

impl Scm for GitHub {
    fn observe(&self, subjects: &[Subject]) -> Vec<Observed> {
        let _ = subjects;
        Vec::new()
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
