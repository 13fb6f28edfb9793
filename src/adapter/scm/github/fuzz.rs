//! Fuzz targets for what GitHub answers, and for what is remembered of it.
#![expect(clippy::disallowed_methods, reason = "puts what is read where it is read")]

use std::time::Duration;

use serde_json::Value;

use super::cache::Cache;
use super::client::next_page;
use super::guard::{fingerprints, listed};
use super::parse::{Wire, WireMore, pulse_of};
use super::quota::{Purpose, Quota, State};
use super::{Base, Client, GitHub, Setup, Slug, Watch, facts, refusal};
use crate::adapter::http::Response;
use crate::fuzz::target;
use crate::model::time::Timestamp;

fn github(directory: &std::path::Path) -> GitHub {
    let setup = Setup {
        api_url: None,
        token: None,
        cache: Some(directory.to_owned()),
        timeout: Duration::from_secs(1),
    };
    let repository = Slug::of_remote("https://github.com/octo/app").unwrap();
    GitHub { client: Client::new(setup).unwrap().into(), repository, watch: Watch::default() }
}

fn answer(status: u16, headers: Vec<(String, String)>, body: &[u8]) -> Response {
    Response { status, headers, body: body.to_vec() }
}

#[test]
fn fuzz_github_pull_requests() {
    let at = Timestamp::from_millis(1_795_000_000_000);
    let words =
        ["\"__typename\"", "\"PullRequest\"", "\"hasNextPage\":true", "\"OPEN\"", "\"FAILURE\""];
    target("github-pull-requests").fixtures("github", ".json").words(&words).run(|bytes| {
        let Ok(node) = serde_json::from_slice::<Value>(bytes) else { return };
        pulse_of(&node);
        fingerprints(&node);
        let more = serde_json::from_value::<WireMore>(node.clone());
        let Ok(mut wire) = Wire::of(node) else { return };
        let _ = more.map(|more| wire.extend(more));
        let Ok(pull) = wire.finish() else { return };
        let written = serde_json::to_vec(&pull).unwrap();
        assert_eq!(serde_json::from_slice::<super::parse::Pull>(&written).unwrap(), pull);
        for quiet in [true, false] {
            let fact = facts::of(&pull, at, quiet, None);
            assert!(fact.fetched);
        }
        facts::is_unsettled(&pull);
        facts::failing(&pull);
    });
}

#[test]
fn fuzz_github_lists() {
    let directory = tempfile::tempdir().unwrap();
    let github = github(directory.path());
    let words = ["\"pull_request\":null", "\"number\":-1", "\"state\":\"open\""];
    target("github-lists").fixtures("github/rest", ".json").words(&words).run(|bytes| {
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
        for item in value.as_array().into_iter().flatten().chain([&value]) {
            listed(item);
            let _ = github.pull_request_of(item);
            if let Ok(issue) = github.issue_of(item) {
                assert!(crate::model::forge::is_issue_id(&issue.id));
            }
        }
    });
}

#[test]
fn fuzz_github_refusals() {
    target("github-refusals")
        .fixtures("github", ".json")
        .words(&["\"message\"", "rate limit"])
        .run(|bytes| {
            for status in [301, 401, 403, 404, 422, 429, 500, 999] {
                let response = answer(status, Vec::new(), bytes);
                refusal::limits(&response);
                let told = refusal::of(&response, "GitHub", "x").to_string();
                assert!(!told.contains(char::is_control) && told.chars().count() < 500, "{told:?}");
            }
        });
}

#[test]
fn fuzz_github_headers() {
    let now = Timestamp::from_millis(1_795_000_000_000);
    let names =
        ["link", "retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-limit"];
    let links = r#"<https://api.github.com/x?page=2>; rel="next", <https://a/3>; rel="last""#;
    let words = ["rel=\"next\"", "<", ">", ";", "0", "-1"];
    target("github-headers").seed(links).seed("60").words(&words).run_text(|text| {
        let headers = names.map(|name| (name.to_owned(), text.to_owned())).to_vec();
        let response = answer(403, headers, b"");
        next_page(&response);
        let mut state = State::default();
        for _ in 0..3 {
            state.note("core", &response, now);
            assert!(state.limit(&response, now) <= Duration::from_secs(3600));
        }
        // Whatever it says, nobody waits for more than an hour.
        for purpose in [Purpose::Asked, Purpose::Poll] {
            assert!(state.wait("core", purpose, now) <= Duration::from_secs(3600));
        }
    });
}

#[test]
fn fuzz_github_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kept.json");
    let quota = r#"{"version":1,"resources":{"core":{"remaining":0,"limit":5000,"reset":"2026-11-20T10:00:00Z"}},"blocked_until":"2026-11-20T10:00:00Z","limited":3,"failures":4294967295,"retry_at":"9999-01-01T00:00:00Z"}"#;
    let cache = r#"{"version":1,"key":"k","listed":{"7":{"node":"n","number":7,"branch":"b","head_repository":null,"base_repository":"o/r","author":"a","created_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:00:00Z","open":true,"claimed":false}},"heads":{"a":"1 completed;"}}"#;
    target("github-remembered").seed(quota).seed(cache).run(|bytes| {
        std::fs::write(&path, bytes).unwrap();
        let mut cache = Cache::load(Some(&path), "k");
        cache.store(Some(&path));
        assert_eq!(Cache::load(Some(&path), "k"), cache);
        std::fs::write(&path, bytes).unwrap();
        let quota = Quota::new(Some(path.clone()));
        assert!(quota.wait("core", Purpose::Poll) <= Duration::from_secs(3600));
        quota.failed();
        quota.limited("core", &answer(429, Vec::new(), bytes));
        assert!(quota.wait("core", Purpose::Poll) <= Duration::from_secs(3600));
    });
}

#[test]
fn fuzz_remotes() {
    let seeds =
        ["https://github.com/o/r.git", "git@github.com:o/r.git", "ssh://git@h:22/o/r", "/src/app"];
    let words = ["@", ":", "/", "://", "..", "%2f", "localhost", "http", "https"];
    let target = seeds.iter().fold(target("remotes"), |target, seed| target.seed(*seed));
    target.words(&words).run_text(|text| {
        if let Some(slug) = Slug::of_remote(text) {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            for part in [&slug.owner, &slug.name] {
                assert!(part.chars().all(plain) && !["", ".", ".."].contains(&part.as_str()));
            }
        }
        if let Ok(base) = Base::parse(Some(text)) {
            // A token is not sent in the clear.
            assert!(
                base.url("/x").to_ascii_lowercase().starts_with("https://") || base.is_loopback()
            );
            assert!(base.owns(&base.url("/x")) && !base.owns("https://evil.example/x"));
        }
    });
}
