//! Pull requests whole, 25 in one query, with every page of what belongs to them.

use serde_json::{Value, json};

use super::GitHub;
use super::parse::{self, Page, Pull, ThreadComment, Wire, WireMore};
use super::quota::Purpose;
use crate::adapter::http::HttpError;
use crate::adapter::scm::ForgeError;

/// All operations.
pub(super) const DOCUMENT: &str = include_str!("pull_requests.graphql");

/// How many pull requests one query asks for.
const WHOLE: usize = 25;

/// How many pull requests one query feels the pulse of: GitHub takes no more ids.
const PULSE: usize = 100;

/// How often more is asked for of one pull request: far beyond what people make.
const MOST_PAGES: usize = 50;

/// One pull request, or why it is not known.
pub(super) type Fetched = Result<(Pull, String), String>;

impl GitHub {
    /// Fetches the pull requests of these ids, in their order.
    ///
    /// # Errors
    ///
    /// There is no answer at all; what is wrong with one of them stands in its place.
    pub(super) fn fetch(&self, ids: &[&str]) -> Result<Vec<Fetched>, ForgeError> {
        let mut all = Vec::new();
        for chunk in ids.chunks(WHOLE) {
            all.extend(self.fetch_chunk(chunk)?);
        }
        Ok(all)
    }

    fn fetch_chunk(&self, ids: &[&str]) -> Result<Vec<Fetched>, ForgeError> {
        let nodes = match self.nodes("Whole", ids) {
            // One that says very much does not hide the others.
            Err(ForgeError::Http(HttpError::TooLong { .. })) if ids.len() > 1 => {
                let (left, right) = ids.split_at(ids.len() / 2);
                let mut all = self.fetch_chunk(left)?;
                all.extend(self.fetch_chunk(right)?);
                return Ok(all);
            }
            nodes => nodes?,
        };
        Ok(nodes.into_iter().map(|node| self.complete(node?)).collect())
    }

    /// Returns the pulse of each of these ids.
    ///
    /// # Errors
    ///
    /// There is no answer at all.
    pub(super) fn pulses(&self, ids: &[&str]) -> Result<Vec<Result<String, String>>, ForgeError> {
        let mut all = Vec::new();
        for chunk in ids.chunks(PULSE) {
            let nodes = self.nodes("Pulse", chunk)?.into_iter();
            all.extend(nodes.map(|node| node.map(|node| parse::pulse_of(&node))));
        }
        Ok(all)
    }

    /// Returns the account that the token is of.
    pub(super) fn ask_login(&self) -> Result<String, ForgeError> {
        let data = self.client.operation(DOCUMENT, "Viewer", &json!({}), Purpose::Poll)?.data;
        let login = data["viewer"]["login"].as_str().map(str::to_owned);
        login.ok_or_else(|| self.client.unreadable("it does not say whose token it is"))
    }

    /// Asks one operation about `ids` and returns one node each: what an error is about is not
    /// known, and an error about nothing in particular is about all of them.
    fn nodes(
        &self,
        operation: &str,
        ids: &[&str],
    ) -> Result<Vec<Result<Value, String>>, ForgeError> {
        let variables = json!({ "ids": ids });
        let mut graph = self.client.operation(DOCUMENT, operation, &variables, Purpose::Poll)?;
        let Value::Array(found) = graph.data["nodes"].take() else {
            return Err(self.client.unreadable("it has no pull requests"));
        };
        if found.len() != ids.len() {
            return Err(self
                .client
                .unreadable("it has not as many pull requests as were asked for"));
        }
        let mut nodes: Vec<Result<Value, String>> = found.into_iter().map(Ok).collect();
        for error in &graph.errors {
            let why = self.client.half(error);
            let place = error["path"][1].as_u64().and_then(|it| usize::try_from(it).ok());
            match place.and_then(|place| nodes.get_mut(place)) {
                Some(node) => *node = Err(why),
                None => nodes.iter_mut().for_each(|node| *node = Err(why.clone())),
            }
        }
        Ok(nodes)
    }

    /// Reads one node, and asks for the pages that it does not have.
    fn complete(&self, node: Value) -> Fetched {
        let pulse = parse::pulse_of(&node);
        let mut wire = Wire::of(node)?;
        for _ in 0..MOST_PAGES {
            let variables = json!({
                "id": wire.id,
                "opinions": wire.latest_opinionated_reviews.next(),
                "moreOpinions": wire.latest_opinionated_reviews.next().is_some(),
                "reviews": wire.latest_reviews.next(),
                "moreReviews": wire.latest_reviews.next().is_some(),
                "threads": wire.review_threads.next(),
                "moreThreads": wire.review_threads.next().is_some(),
                "checks": wire.checks().and_then(Page::next),
                "moreChecks": wire.checks().and_then(Page::next).is_some(),
            });
            let more = ["moreOpinions", "moreReviews", "moreThreads", "moreChecks"];
            if more.iter().all(|name| variables[*name] == false) {
                self.complete_threads(&mut wire)?;
                return Ok((wire.finish()?, pulse));
            }
            let node = self.node("More", &variables)?;
            let more: WireMore = serde_json::from_value(node).map_err(|error| error.to_string())?;
            wire.extend(more)?;
        }
        Err("it has more than can be read".to_owned())
    }

    fn complete_threads(&self, wire: &mut Wire) -> Result<(), String> {
        let open = wire.review_threads.nodes.iter_mut().filter(|thread| !thread.is_resolved);
        for thread in open {
            for _ in 0..MOST_PAGES {
                let Some(after) = thread.comments.next() else { break };
                let variables = json!({ "id": thread.id, "after": after });
                let mut node = self.node("Thread", &variables)?;
                let page: Page<ThreadComment> = serde_json::from_value(node["comments"].take())
                    .map_err(|error| error.to_string())?;
                thread.comments.extend(page);
            }
        }
        Ok(())
    }

    fn node(&self, operation: &str, variables: &Value) -> Result<Value, String> {
        let answer = self.client.operation(DOCUMENT, operation, variables, Purpose::Poll);
        let mut graph = answer.map_err(|error| crate::model::sanitize::chain(&error))?;
        match graph.errors.first() {
            Some(error) => Err(self.client.half(error)),
            None if graph.data["node"].is_object() => Ok(graph.data["node"].take()),
            None => Err("it is gone".to_owned()),
        }
    }
}
