//! What is done with one pull request: opened, shown, merged.

use super::GitHub;
use crate::adapter::scm::ForgeError;
use crate::model::forge::{MergeRequest, Merged, NewPullRequest, PullRequest, Subject};

impl GitHub {
    pub(super) fn open_pull_request(
        &self,
        _subject: &Subject,
        _wanted: &NewPullRequest,
    ) -> Result<PullRequest, ForgeError> {
        Err(self.unsupported("open a pull request"))
    }

    pub(super) fn one_pull_request(&self, _number: u64) -> Result<PullRequest, ForgeError> {
        Err(self.unsupported("show a pull request"))
    }

    pub(super) fn all_pull_requests(&self) -> Result<Vec<PullRequest>, ForgeError> {
        Err(self.unsupported("list pull requests"))
    }

    pub(super) fn merge_pull_request(
        &self,
        _subject: &Subject,
        _wanted: &MergeRequest,
    ) -> Result<Merged, ForgeError> {
        Err(self.unsupported("merge a pull request"))
    }
}
