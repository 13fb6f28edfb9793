//! Issues: listed, shown, commented.
//!
//! GitHub's interface counts pull requests among issues; here they are none. The first page of a
//! list is remembered with its version, so that asking again costs nothing where nothing changed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::GitHub;
use super::client::{Call, next_page};
use super::quota::Purpose;
use crate::adapter::fs::{self, Durability};
use crate::adapter::scm::{ForgeError, Tracker};
use crate::model::forge::{Issue, IssueComment, IssueQuery};

/// The most comments of one issue that are read.
const MOST_COMMENTS: usize = 1000;

/// The most pages of a list that are read, of a hundred items each.
const MOST_PAGES: usize = 100;

/// The longest remembered page that is looked into, in bytes.
const LONGEST_PAGE: u64 = 16 << 20;

/// A page as it was answered last.
#[derive(Debug, Serialize, Deserialize)]
struct Page {
    etag: String,
    items: Vec<Value>,
    next: Option<String>,
}

impl Tracker for GitHub {
    fn issue(&self, id: &str) -> Result<Issue, ForgeError> {
        let (number, what) = self.numbered(id)?;
        let found = self.client.get(&self.path(&format!("/issues/{number}")), &what)?;
        if is_pull_request(&found) {
            let what = format!("{what}: that is a pull request");
            return Err(ForgeError::NotFound { forge: self.client.name(), what });
        }
        let mut issue = self.issue_of(&found)?;
        if found["comments"].as_u64() != Some(0) {
            let path = self.path(&format!("/issues/{number}/comments"));
            let comments = self.client.list(&path, MOST_COMMENTS, &what)?;
            issue.comments = comments.iter().map(comment_of).collect();
        }
        Ok(issue)
    }

    fn issues(&self, query: &IssueQuery) -> Result<Vec<Issue>, ForgeError> {
        let limit = query.limit.unwrap_or(usize::MAX);
        let first = self.path(&format!("/issues?{}&per_page=100", parameters(query)));
        let mut page = self.first_page(&first)?;
        let mut issues = Vec::new();
        for _ in 0..MOST_PAGES {
            for item in page.items.iter().filter(|item| !is_pull_request(item)) {
                let issue = self.issue_of(item)?;
                // A comma in a label's name means two labels to GitHub.
                if has_all(&issue, &query.labels) {
                    issues.push(issue);
                }
            }
            match page.next.take().filter(|_| issues.len() < limit && !page.items.is_empty()) {
                Some(next) => page = self.page(&next, None)?.unwrap_or(page),
                None => {
                    issues.truncate(limit);
                    return Ok(issues);
                }
            }
        }
        Err(self.client.unreadable(&format!("a list has more than {MOST_PAGES} pages")))
    }

    fn comment(&self, id: &str, body: &str) -> Result<(), ForgeError> {
        let (number, what) = self.numbered(id)?;
        let path = self.path(&format!("/issues/{number}/comments"));
        let body = json!({ "body": body });
        // Passes write these, one for each session: after failures they are left for later.
        let purpose = Purpose::Poll;
        let call = Call { purpose, ..Call::change("POST", &path, &body, &what) };
        self.client.send(&call).map(drop)
    }
}

impl GitHub {
    /// Returns the number that an id is, and how a message names it.
    fn numbered(&self, id: &str) -> Result<(u64, String), ForgeError> {
        let forge = self.client.name();
        let what = format!("issue #{id}");
        match id.parse() {
            Ok(number) => Ok((number, what)),
            Err(_) => {
                let what = format!("issue `{id}`: its issues have numbers");
                Err(ForgeError::NotFound { forge, what })
            }
        }
    }

    /// Returns the first page of a list, as it was answered before where that is still so.
    fn first_page(&self, path: &str) -> Result<Page, ForgeError> {
        let file = self.page_file(path)?;
        let known = file.as_deref().and_then(|file| {
            let bytes = fs::read_regular(file, LONGEST_PAGE).ok()??;
            serde_json::from_slice::<Page>(&bytes).ok()
        });
        let etag = known.as_ref().map(|page| page.etag.clone());
        let page = match (self.page(path, etag.as_deref())?, known) {
            (Some(page), _) => page,
            (None, Some(known)) => return Ok(known),
            (None, None) => return Err(self.client.unreadable("it knows no page of this list")),
        };
        if let Some(file) = file.filter(|_| !page.etag.is_empty()) {
            // What cannot be remembered is asked for again.
            let remembered = fs::create_private_directories(file.parent().unwrap_or(&file))
                .and_then(|()| {
                    let bytes = serde_json::to_vec(&page).unwrap_or_default();
                    fs::replace(&file, &bytes, Durability::Process)
                });
            if let Err(error) = remembered {
                tracing::debug!("{error}");
            }
        }
        Ok(page)
    }

    /// Returns one page, `None` where it is still that of `etag`.
    fn page(&self, path: &str, etag: Option<&str>) -> Result<Option<Page>, ForgeError> {
        let response = self.client.send(&Call { etag, ..Call::get(path, "list of issues") })?;
        if response.status == 304 {
            return Ok(None);
        }
        let Value::Array(items) = self.client.json(&response)? else {
            return Err(self.client.unreadable("a list is not one"));
        };
        let etag = response.header("etag").unwrap_or_default().to_owned();
        Ok(Some(Page { etag, items, next: next_page(&response) }))
    }

    /// Returns where a page is remembered; what one token may see another may not.
    fn page_file(&self, path: &str) -> Result<Option<std::path::PathBuf>, ForgeError> {
        let Some(directory) = self.client.directory() else { return Ok(None) };
        let key = format!("{}\n{path}", self.client.token_fingerprint()?);
        let digest: String =
            Sha256::digest(key).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(directory.join("issues").join(format!("{digest}.json"))))
    }

    pub(super) fn issue_of(&self, item: &Value) -> Result<Issue, ForgeError> {
        let number = item["number"].as_u64();
        let number = number.ok_or_else(|| self.client.unreadable("an issue has no number"))?;
        let state = item["state"].as_str();
        let state = state.ok_or_else(|| self.client.unreadable("an issue has no state"))?;
        let names = |list: &Value, key: &str| -> Vec<String> {
            let items = list.as_array().into_iter().flatten();
            items
                .filter_map(|it| it.as_str().or_else(|| it[key].as_str()))
                .map(Into::into)
                .collect()
        };
        Ok(Issue {
            id: number.to_string(),
            title: text(&item["title"]),
            body: text(&item["body"]),
            state: state.to_owned(),
            author: item["user"]["login"].as_str().map(str::to_owned),
            url: item["html_url"].as_str().map(str::to_owned),
            labels: names(&item["labels"], "name"),
            assignees: names(&item["assignees"], "login"),
            comments: Vec::new(),
        })
    }
}

pub(super) fn comment_of(item: &Value) -> IssueComment {
    // The account of one who has left is null.
    let author = item["user"]["login"].as_str().unwrap_or("ghost").to_owned();
    IssueComment { author, body: text(&item["body"]) }
}

/// Returns a text, which may be null.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn is_pull_request(item: &Value) -> bool {
    !item["pull_request"].is_null()
}

fn has_all(issue: &Issue, labels: &[String]) -> bool {
    let has = |label: &String| issue.labels.iter().any(|own| own.eq_ignore_ascii_case(label));
    labels.iter().all(has)
}

fn parameters(query: &IssueQuery) -> String {
    let state = query.state.as_deref().unwrap_or("open");
    let mut text = format!("state={}&sort=created&direction=asc", encoded(state));
    if !query.labels.is_empty() {
        text.push_str(&format!("&labels={}", encoded(&query.labels.join(","))));
    }
    if let Some(assignee) = &query.assignee {
        text.push_str(&format!("&assignee={}", encoded(assignee)));
    }
    text
}

/// Returns `text` as it may stand in an address.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let one = |byte: u8| {
        if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_an_address_of_its_own_whatever_stands_in_it() {
        let query = IssueQuery {
            labels: vec!["good first issue".into(), "a&b=c#d".into()],
            assignee: Some("*".into()),
            state: Some("all".into()),
            limit: Some(3),
        };
        let expected = "state=all&sort=created&direction=asc\
                        &labels=good%20first%20issue%2Ca%26b%3Dc%23d&assignee=%2A";
        assert_eq!(parameters(&query), expected);
    }
}
