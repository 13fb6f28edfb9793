//! What GitHub answers about a pull request, read into plain data.
//!
//! A field that is missing where there has to be one makes the answer half an answer, which says
//! nothing about that pull request. Words that GitHub may add to are kept as they came.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::sanitize;
use crate::model::time::Timestamp;

/// The longest piece of outside text that is kept, in bytes.
const MAX_TEXT: usize = 8 * 1024;

/// The fields that [`pulse_of`] compares.
const PULSE: [&str; 9] = [
    "updatedAt",
    "state",
    "isDraft",
    "headRefOid",
    "baseRefOid",
    "mergeable",
    "mergeStateStatus",
    "reviewDecision",
    "pulse",
];

/// A pull request with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) url: String,
    /// `OPEN`, `CLOSED`, `MERGED`.
    pub(super) state: String,
    pub(super) draft: bool,
    pub(super) updated_at: Timestamp,
    pub(super) head_sha: String,
    pub(super) base_sha: Option<String>,
    pub(super) author: Option<Person>,
    /// `MERGEABLE`, `CONFLICTING`, `UNKNOWN`.
    pub(super) mergeable: String,
    /// `CLEAN`, `BLOCKED`, `BEHIND`, `DIRTY`, `UNSTABLE`, …
    pub(super) merge_state: String,
    /// `APPROVED`, `CHANGES_REQUESTED`, `REVIEW_REQUIRED`; absent where no rule asks for a review.
    pub(super) decision: Option<String>,
    pub(super) reviewers_asked: u64,
    /// The last approval or request for changes of each reviewer.
    pub(super) opinions: Vec<Review>,
    /// The last review of any kind of each reviewer.
    pub(super) reviews: Vec<Review>,
    pub(super) threads: Vec<Thread>,
    pub(super) remarks: Vec<Remark>,
    pub(super) committed_at: Option<Timestamp>,
    pub(super) checks: Vec<Context>,
}

/// Who wrote something; absent where the account is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Person {
    #[serde(rename = "__typename")]
    pub(super) kind: String,
    pub(super) login: String,
}

impl Person {
    /// Returns whether it is a program.
    pub(super) fn is_bot(&self) -> bool {
        self.kind == "Bot" || self.login.ends_with("[bot]")
    }
}

/// One review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Review {
    #[serde(deserialize_with = "id")]
    pub(super) full_database_id: String,
    pub(super) state: String,
    #[serde(deserialize_with = "text")]
    pub(super) body: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) is_minimized: bool,
    pub(super) author: Option<Person>,
    pub(super) commit: Option<Oid>,
}

/// A commit's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Oid {
    pub(super) oid: String,
}

/// A conversation about a place in the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thread {
    pub(super) id: String,
    pub(super) is_resolved: bool,
    pub(super) path: String,
    pub(super) line: Option<u64>,
    pub(super) original_line: Option<u64>,
    pub(super) comments: Page<ThreadComment>,
}

/// One comment of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThreadComment {
    #[serde(deserialize_with = "id")]
    pub(super) full_database_id: String,
    #[serde(deserialize_with = "text")]
    pub(super) body: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) is_minimized: bool,
    pub(super) author: Option<Person>,
}

/// One comment of the conversation below the pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remark {
    #[serde(deserialize_with = "id")]
    pub(super) full_database_id: String,
    #[serde(deserialize_with = "text")]
    pub(super) body: String,
    pub(super) url: String,
    pub(super) created_at: Timestamp,
    #[serde(default)]
    pub(super) is_minimized: bool,
    pub(super) author: Option<Person>,
}

/// A check run or a commit status; which of the two says its `kind`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Context {
    #[serde(rename = "__typename")]
    pub(super) kind: String,
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) database_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conclusion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) details_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) check_suite: Option<Suite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_url: Option<String>,
}

/// Where a check run comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Suite {
    pub(super) app: Option<App>,
    pub(super) workflow_run: Option<WorkflowRun>,
}

/// The program that reports a check run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct App {
    pub(super) slug: String,
}

/// The run of GitHub Actions that a check run is a job of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkflowRun {
    pub(super) event: String,
    pub(super) workflow: Named,
}

/// Something with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

impl Context {
    /// Returns whether it is a job of GitHub Actions, whose log can be had.
    pub(super) fn is_job(&self) -> bool {
        let app = self.check_suite.as_ref().and_then(|suite| suite.app.as_ref());
        app.is_some_and(|app| app.slug == "github-actions")
    }

    /// Returns what tells one check from another: a later run of the same takes its place.
    pub(super) fn identity(&self) -> (&str, Option<&str>, Option<&str>) {
        let run = self.check_suite.as_ref().and_then(|suite| suite.workflow_run.as_ref());
        let name = self.name.as_deref().or(self.context.as_deref()).unwrap_or_default();
        (name, run.map(|run| run.workflow.name.as_str()), run.map(|run| run.event.as_str()))
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    #[serde(default)]
    pub(super) page_info: PageInfo,
    pub(super) nodes: Vec<T>,
}

/// Whether there is another page, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
    pub(super) end_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Returns where the next page begins, if there is one.
    pub(super) fn next(&self) -> Option<&str> {
        self.page_info.end_cursor.as_deref().filter(|_| self.page_info.has_next_page)
    }

    /// Adds the page after this one.
    pub(super) fn extend(&mut self, page: Self) {
        // A page that leads to itself would be read for ever.
        let stuck = page.page_info.end_cursor == self.page_info.end_cursor;
        self.page_info = if stuck { PageInfo::default() } else { page.page_info };
        self.nodes.extend(page.nodes);
    }
}

/// A pull request as it comes, with first pages.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    pub(super) id: String,
    number: u64,
    url: String,
    state: String,
    is_draft: bool,
    updated_at: Timestamp,
    head_ref_oid: String,
    base_ref_oid: Option<String>,
    author: Option<Person>,
    mergeable: String,
    merge_state_status: String,
    review_decision: Option<String>,
    review_requests: Option<Count>,
    pub(super) latest_opinionated_reviews: Page<Review>,
    pub(super) latest_reviews: Page<Review>,
    pub(super) review_threads: Page<Thread>,
    comments: Page<Remark>,
    commits: Page<PullCommit>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    total_count: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct PullCommit {
    commit: HeadCommit,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadCommit {
    oid: String,
    committed_date: Option<Timestamp>,
    status_check_rollup: Option<Rollup>,
}

#[derive(Clone, Debug, Deserialize)]
struct Rollup {
    contexts: Page<Context>,
}

/// The pages after the first, of whatever had more.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireMore {
    head_ref_oid: String,
    latest_opinionated_reviews: Option<Page<Review>>,
    latest_reviews: Option<Page<Review>>,
    review_threads: Option<Page<Thread>>,
    commits: Option<Page<PullCommit>>,
}

impl Wire {
    /// Reads a node of an answer.
    ///
    /// # Errors
    ///
    /// It is half a pull request, or none.
    pub(super) fn of(node: Value) -> Result<Self, String> {
        if node["__typename"] != "PullRequest" {
            return Err("it is not there, or may not be seen".to_owned());
        }
        serde_json::from_value(node).map_err(|error| format!("it makes no sense: {error}"))
    }

    /// Returns the checks' page, if the head has any.
    pub(super) fn checks(&self) -> Option<&Page<Context>> {
        let commit = self.commits.nodes.first()?;
        commit.commit.status_check_rollup.as_ref().map(|rollup| &rollup.contexts)
    }

    /// Adds what came with the next pages.
    ///
    /// # Errors
    ///
    /// The head moved in between.
    pub(super) fn extend(&mut self, more: WireMore) -> Result<(), String> {
        if more.head_ref_oid != self.head_ref_oid {
            return Err("it changed while it was read".to_owned());
        }
        more.latest_opinionated_reviews
            .into_iter()
            .for_each(|page| self.latest_opinionated_reviews.extend(page));
        more.latest_reviews.into_iter().for_each(|page| self.latest_reviews.extend(page));
        more.review_threads.into_iter().for_each(|page| self.review_threads.extend(page));
        let checks = more.commits.and_then(|mut page| page.nodes.pop());
        let checks = checks.and_then(|it| it.commit.status_check_rollup);
        let own = self.commits.nodes.first_mut();
        let own = own.and_then(|own| own.commit.status_check_rollup.as_mut());
        if let (Some(own), Some(checks)) = (own, checks) {
            own.contexts.extend(checks.contexts);
        }
        Ok(())
    }

    /// Returns the whole pull request.
    ///
    /// # Errors
    ///
    /// Its checks are of another commit than its head.
    pub(super) fn finish(self) -> Result<Pull, String> {
        let commit = self.commits.nodes.into_iter().next().map(|it| it.commit);
        let is_open = self.state == "OPEN";
        if commit.as_ref().is_some_and(|commit| commit.oid != self.head_ref_oid) && is_open {
            return Err("its checks are of another commit than its head".to_owned());
        }
        let committed_at = commit.as_ref().and_then(|commit| commit.committed_date);
        let rollup = commit.and_then(|commit| commit.status_check_rollup);
        Ok(Pull {
            number: self.number,
            url: self.url,
            state: self.state,
            draft: self.is_draft,
            updated_at: self.updated_at,
            head_sha: self.head_ref_oid,
            base_sha: self.base_ref_oid,
            author: self.author,
            mergeable: self.mergeable,
            merge_state: self.merge_state_status,
            decision: self.review_decision,
            reviewers_asked: self.review_requests.map_or(0, |count| count.total_count),
            opinions: self.latest_opinionated_reviews.nodes,
            reviews: self.latest_reviews.nodes,
            threads: self.review_threads.nodes.into_iter().filter(|it| !it.is_resolved).collect(),
            remarks: self.comments.nodes,
            committed_at,
            checks: rollup.map(|rollup| rollup.contexts.nodes).unwrap_or_default(),
        })
    }
}

/// Returns what moves when anything does that counts, from a node of either query.
pub(super) fn pulse_of(node: &Value) -> String {
    let fields = PULSE.map(|name| &node[name]);
    serde_json::to_string(&fields).unwrap_or_default()
}

fn id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(serde::de::Error::custom("an id is neither text nor number"))
        }
    }
}

fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(sanitize::capped_in_its_middle(&text, MAX_TEXT))
}
