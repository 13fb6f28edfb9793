//! Issues: listed, shown, commented.

use super::GitHub;
use crate::adapter::scm::{ForgeError, Tracker};
use crate::model::forge::{Issue, IssueQuery};

impl Tracker for GitHub {
    fn issue(&self, _id: &str) -> Result<Issue, ForgeError> {
        Err(self.unsupported("show an issue"))
    }

    fn issues(&self, _query: &IssueQuery) -> Result<Vec<Issue>, ForgeError> {
        Err(self.unsupported("list issues"))
    }

    fn comment(&self, _id: &str, _body: &str) -> Result<(), ForgeError> {
        Err(self.unsupported("comment an issue"))
    }
}
