//! What is done with one pull request: opened, shown, merged.

use serde_json::{Value, json};

use super::GitHub;
use super::issues::encoded;
use crate::adapter::scm::ForgeError;
use crate::model::forge::{MergeRequest, Merged, NewPullRequest, PullRequest, Subject};
use crate::model::lifecycle::PrState;

/// The most open pull requests that are listed.
const MOST: usize = 2000;

impl GitHub {
    /// Opens a pull request, or returns the open one of this branch.
    pub(super) fn open_pull_request(
        &self,
        subject: &Subject,
        wanted: &NewPullRequest,
    ) -> Result<PullRequest, ForgeError> {
        if let Some(found) = self.open_one_of(&subject.branch)? {
            return Ok(found);
        }
        let base = match &wanted.base {
            Some(base) => base.clone(),
            None => self.default_branch()?,
        };
        let body = json!({
            "title": wanted.title,
            "body": wanted.body,
            "head": subject.branch,
            "base": base,
            "draft": wanted.draft,
        });
        let what = format!("branch `{}`", subject.branch);
        match self.client.change("POST", &self.path("/pulls"), &body, &what) {
            Ok(made) => self.pull_request_of(&made),
            // Somebody was faster, an earlier attempt whose answer was lost among them.
            Err(error @ ForgeError::Conflict { .. }) => {
                self.open_one_of(&subject.branch)?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn one_pull_request(&self, number: u64) -> Result<PullRequest, ForgeError> {
        let what = format!("pull request #{number}");
        self.pull_request_of(&self.client.get(&self.path(&format!("/pulls/{number}")), &what)?)
    }

    pub(super) fn all_pull_requests(&self) -> Result<Vec<PullRequest>, ForgeError> {
        let path = self.path("/pulls?state=open&sort=created&direction=asc");
        let found = self.client.list(&path, MOST, "list of pull requests")?;
        found.iter().map(|item| self.pull_request_of(item)).collect()
    }

    /// Merges, unless the head is another than the one that was judged.
    pub(super) fn merge_pull_request(
        &self,
        subject: &Subject,
        wanted: &MergeRequest,
    ) -> Result<Merged, ForgeError> {
        let number = match subject.number {
            Some(number) => number,
            None => self.number_of(&subject.branch)?,
        };
        let body = json!({ "merge_method": wanted.method, "sha": wanted.head_sha });
        let what = format!("pull request #{number}");
        let path = self.path(&format!("/pulls/{number}/merge"));
        let made = self.client.change("PUT", &path, &body, &what)?;
        match (made["merged"].as_bool(), made["sha"].as_str()) {
            (Some(true), Some(sha)) => {
                Ok(Merged { sha: sha.to_owned(), method: wanted.method, undo: None })
            }
            (_, _) => Err(self.client.unreadable("it does not say that it was merged")),
        }
    }

    fn number_of(&self, branch: &str) -> Result<u64, ForgeError> {
        let found = self.open_one_of(branch)?.and_then(|found| found.number);
        found.ok_or_else(|| ForgeError::NotFound {
            forge: self.client.name(),
            what: format!("open pull request of branch `{branch}`"),
        })
    }

    /// Returns the open pull request whose head is this repository's branch.
    fn open_one_of(&self, branch: &str) -> Result<Option<PullRequest>, ForgeError> {
        let head = encoded(&format!("{}:{branch}", self.repository.owner));
        let path = self.path(&format!("/pulls?state=open&head={head}"));
        let found = self.client.list(&path, MOST, "list of pull requests")?;
        // A fork of the same owner may have a branch of the same name, and a head that GitHub
        // does not know makes it list everything.
        let full_name = self.repository.full_name();
        let ours = |item: &&Value| {
            let repository = item["head"]["repo"]["full_name"].as_str();
            item["head"]["ref"] == branch
                && repository.is_some_and(|name| name.eq_ignore_ascii_case(&full_name))
        };
        found.iter().find(ours).map(|item| self.pull_request_of(item)).transpose()
    }

    fn default_branch(&self) -> Result<String, ForgeError> {
        let repository = self.client.get(&self.path(""), "repository")?;
        let name = repository["default_branch"].as_str();
        name.map(str::to_owned)
            .ok_or_else(|| self.client.unreadable("a repository has no default branch"))
    }

    pub(super) fn pull_request_of(&self, item: &Value) -> Result<PullRequest, ForgeError> {
        let text = |value: &Value, what: &str| {
            let text = value.as_str().map(str::to_owned);
            text.ok_or_else(|| self.client.unreadable(&format!("a pull request has no {what}")))
        };
        let number = item["number"].as_u64();
        Ok(PullRequest {
            number: Some(
                number.ok_or_else(|| self.client.unreadable("a pull request has no number"))?,
            ),
            url: item["html_url"].as_str().map(str::to_owned),
            title: item["title"].as_str().unwrap_or_default().to_owned(),
            state: state_of(item, &text(&item["state"], "state")?),
            author: item["user"]["login"].as_str().map(str::to_owned),
            branch: text(&item["head"]["ref"], "head")?,
            base: text(&item["base"]["ref"], "base")?,
            head_sha: item["head"]["sha"].as_str().map(str::to_owned),
        })
    }
}

fn state_of(item: &Value, state: &str) -> PrState {
    let merged = item["merged"] == true || item["merged_at"].is_string();
    match (state, merged, item["draft"] == true) {
        (_, true, _) => PrState::Merged,
        ("open", false, true) => PrState::Draft,
        ("open", false, false) => PrState::Open,
        (_, false, _) => PrState::Closed,
    }
}
