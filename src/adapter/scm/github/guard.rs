//! The two requests that say whether anything changed, which GitHub does not count where nothing
//! did.
//!
//! | guard | sees | does not see |
//! |---|---|---|
//! | list of pull requests, last updated first | pull requests that are opened, pushed to, reviewed, commented, retitled, merged, closed | checks, threads that are resolved, conflicts that a push to the base makes |
//! | list of workflow runs | runs of GitHub Actions that begin, end or are run again | checks of other programs |
//!
//! What neither sees is found when everything is fetched anew, and earlier where something is
//! pending: then the pulse, one query that sees all of it, takes the place of the second guard.
//! The list also finds pull requests by their branch, so that a session without one costs nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::GitHub;
use super::cache::{Cache, Listed, Mark};
use super::client::{Call, next_page};
use super::quota::Purpose;
use crate::adapter::clock;
use crate::adapter::http::Response;
use crate::adapter::scm::ForgeError;
use crate::model::time::Timestamp;

/// How many pull requests a page has.
const PER_PAGE: usize = 50;

/// How far back the list is read: the pull requests that were updated last.
const MOST_PAGES: usize = 20;

/// How long workflow runs are not asked for where this token may not see them.
const BLIND: std::time::Duration = std::time::Duration::from_secs(3600);

impl GitHub {
    /// Brings the list of pull requests up to date, back to `oldest` where it was never read so
    /// far.
    pub(super) fn update_list(
        &self,
        cache: &mut Cache,
        oldest: Timestamp,
    ) -> Result<(), ForgeError> {
        let now = clock::now();
        let far_enough = cache.listed_from.is_some_and(|from| from <= oldest);
        // Whatever the guard says, everything is read anew after a while.
        let fresh = |mark: &&Mark| now.since(mark.read_at) < self.watch.refetch;
        let known = cache.list.clone().filter(|mark| far_enough && fresh(&mark));
        let query = format!("?state=all&sort=updated&direction=desc&per_page={PER_PAGE}");
        let mut path = self.path_in(cache, &format!("/pulls{query}"));
        let etag = known.as_ref().map(|mark| mark.etag.as_str());
        let until = if far_enough { cache.newest } else { None }.unwrap_or(oldest);
        let (mut mark, mut newest) = (None, None);
        for page in 0..MOST_PAGES {
            let what = self.repository.full_name();
            let purpose = Purpose::Poll;
            let etag = etag.filter(|_| page == 0);
            let call = Call { etag, purpose, ..Call::get(&path, &what) };
            let response = self.client.send(&call)?;
            if response.status == 304 {
                return Ok(());
            }
            mark = mark.or_else(|| Some(mark_of(&response, now)));
            let items = self.items(&response)?;
            for item in &items {
                let listed = listed(item).ok_or_else(|| {
                    self.client.unreadable("a pull request of the list makes no sense")
                })?;
                newest = newest.max(Some(listed.updated_at));
                self.remember(cache, listed);
            }
            let last = items.last().and_then(listed).map(|it| it.updated_at);
            match next_page(&response).filter(|_| last.is_some_and(|last| last >= until)) {
                Some(next) => path = next,
                None => break,
            }
        }
        if !far_enough {
            cache.listed_from = Some(cache.listed_from.map_or(oldest, |from| from.min(oldest)));
        }
        cache.newest = cache.newest.max(newest);
        cache.list = mark.flatten();
        Ok(())
    }

    fn items(&self, response: &Response) -> Result<Vec<Value>, ForgeError> {
        let Value::Array(items) = self.client.json(response)? else {
            return Err(self.client.unreadable("the list of pull requests is none"));
        };
        Ok(items)
    }

    /// Keeps what can belong to a session, and the name that the repository goes by.
    fn remember(&self, cache: &mut Cache, mut listed: Listed) {
        if !listed.base_repository.eq_ignore_ascii_case(&self.repository.full_name()) {
            cache.renamed = Some(listed.base_repository.clone());
        }
        let before = cache.listed.get(&listed.number);
        listed.claimed = before.is_some_and(|before| before.claimed);
        if listed.claimed || self.is_own_account(&listed.author) {
            cache.listed.insert(listed.number, listed);
        }
    }

    /// Finds a pull request that belongs to a session by its number alone.
    pub(super) fn claim(&self, cache: &mut Cache, number: u64) -> Result<(), ForgeError> {
        let (path, what) = (format!("/pulls/{number}"), format!("pull request #{number}"));
        let path = self.path_in(cache, &path);
        let call = Call { purpose: Purpose::Poll, ..Call::get(&path, &what) };
        let item = self.client.json(&self.client.send(&call)?)?;
        let listed = listed(&item).filter(|it| it.number == number);
        let listed = listed
            .ok_or_else(|| self.client.unreadable(&format!("{what} makes no sense in it")))?;
        cache.listed.insert(number, Listed { claimed: true, ..listed });
        Ok(())
    }

    /// Returns the heads whose workflow runs changed since they were looked at.
    pub(super) fn changed_heads(&self, cache: &mut Cache) -> Result<Vec<String>, ForgeError> {
        let now = clock::now();
        if cache.blind_until.is_some_and(|until| now < until && until <= now.plus(BLIND)) {
            return Ok(Vec::new());
        }
        let path = self.path_in(cache, &format!("/actions/runs?per_page={PER_PAGE}"));
        let etag = cache.runs.clone().map(|mark| mark.etag);
        let purpose = Purpose::Poll;
        let call = Call { etag: etag.as_deref(), purpose, ..Call::get(&path, "workflow runs") };
        let response = match self.client.send(&call) {
            Ok(response) => response,
            Err(ForgeError::Denied { .. } | ForgeError::NotFound { .. })
                if self.client.is_accepted() =>
            {
                cache.blind_until = Some(now.plus(BLIND));
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        if response.status == 304 {
            return Ok(Vec::new());
        }
        let prints = fingerprints(&self.client.json(&response)?);
        let changed = |(head, print): &(&String, &String)| cache.heads.get(*head) != Some(*print);
        let heads = prints.iter().filter(changed).map(|(head, _)| head.clone()).collect();
        cache.heads.extend(prints);
        cache.runs = mark_of(&response, now);
        Ok(heads)
    }
}

fn mark_of(response: &Response, now: Timestamp) -> Option<Mark> {
    response.header("etag").map(|etag| Mark { etag: etag.to_owned(), read_at: now })
}

/// Returns what the runs of each head look like, one text a head.
pub(super) fn fingerprints(answer: &Value) -> BTreeMap<String, String> {
    let mut prints: BTreeMap<String, String> = BTreeMap::new();
    for run in answer["workflow_runs"].as_array().into_iter().flatten() {
        let Some(head) = run["head_sha"].as_str() else { continue };
        let fields =
            ["id", "run_attempt", "status", "conclusion"].map(|name| run[name].to_string());
        let print = prints.entry(head.to_owned()).or_default();
        print.push_str(&fields.join(" "));
        print.push(';');
    }
    prints
}

/// Reads one pull request of a list.
pub(super) fn listed(item: &Value) -> Option<Listed> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let time = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
    Some(Listed {
        node: text(&item["node_id"])?,
        number: item["number"].as_u64()?,
        branch: text(&item["head"]["ref"])?,
        head_repository: text(&item["head"]["repo"]["full_name"]),
        base_repository: text(&item["base"]["repo"]["full_name"])?,
        author: text(&item["user"]["login"]).unwrap_or_default(),
        created_at: time(&item["created_at"])?,
        updated_at: time(&item["updated_at"])?,
        open: item["state"].as_str()? == "open",
        claimed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_that_moves_changes_the_print_of_its_head_alone() {
        let run = |id: u64, head: &str, status: &str| json!({"id": id, "run_attempt": 1, "head_sha": head, "status": status, "conclusion": null});
        let before =
            fingerprints(&json!({"workflow_runs": [run(1, "a", "queued"), run(2, "b", "queued")]}));
        let after = fingerprints(
            &json!({"workflow_runs": [run(1, "a", "completed"), run(2, "b", "queued")]}),
        );
        assert_ne!(before["a"], after["a"]);
        assert_eq!(before["b"], after["b"]);
        assert!(fingerprints(&json!({"message": "x"})).is_empty());
    }
}
