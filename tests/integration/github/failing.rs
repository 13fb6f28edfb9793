//! A GitHub that fails, limits, lies, or answers half: what is not known changes nothing.

use serde_json::{Value, json};

use super::forge::{
    Forge, TOKEN, checks, failures, fixture, fixture_text, pr, reap, repository, sessions,
};
use crate::env::TestEnvironment;
use crate::server::{Piece, Reply, Request, reply};

/// A forge with a failing pull request of one session, seen once.
fn story(env: &TestEnvironment) -> Forge {
    let forge = Forge::start(env);
    sessions(env, &repository(env, "me/app"), &["app-1"]);
    forge.open("me/app", 1, "app-1", |_| {});
    reap(env);
    assert_eq!(pr(env, "app-1"), "open/merge_ready");
    forge
}

/// Makes the pull request fail at a later time, where nothing that is remembered holds.
fn worsen(env: &TestEnvironment, forge: &Forge) {
    forge.change("me/app", 1, Some("2026-11-20T10:20:00Z"), |it| {
        checks(it)[0]["conclusion"] = json!("FAILURE");
    });
    env.at("2026-11-20T10:20:00Z");
}

fn is_list(request: &Request) -> bool {
    request.path.split('?').next().is_some_and(|path| path.ends_with("/pulls"))
}

fn is_query(request: &Request) -> bool {
    request.path.ends_with("/graphql")
}

fn broken(status: u16, pieces: Vec<Piece>) -> Reply {
    Reply { status, headers: vec![("content-type".into(), "application/json".into())], pieces }
}

#[test]
fn an_answer_that_is_none_changes_nothing() {
    let env = TestEnvironment::new();
    let forge = story(&env);
    worsen(&env, &forge);
    env.ao(&["config", "set", "scm.timeout", "2s"]).success();
    let huge = "x".repeat(20 << 20);
    let cases: Vec<(&str, &str, Reply)> = vec![
        ("500", "500: Server Error", reply(500, &[], r#"{"message":"Server Error"}"#)),
        ("502", "502: status 502", reply(502, &[], "<html>Bad Gateway</html>")),
        ("cut", "broke off", broken(200, vec![Piece::Bytes("[{".into()), Piece::Cut])),
        ("slow", "did not answer within 2s", broken(200, vec![Piece::Hold])),
        ("huge", "is longer than 16777216 bytes", reply(200, &[], huge)),
        ("no-json", "could not read the answer", reply(200, &[], "<html>Hello</html>")),
        ("no-list", "could not read the answer", reply(200, &[], r#"{"a":1}"#)),
        ("nonsense", "could not read the answer", reply(200, &[], r#"[{"number":"one"}]"#)),
        (
            "404",
            "has no me/app that this token may see",
            reply(404, &[], fixture_text("not-found.json")),
        ),
        ("empty", "could not read the answer", reply(200, &[], "")),
    ];
    for (which, is_it) in [("list", is_list as fn(&Request) -> bool), ("query", is_query)] {
        for (name, expected, answer) in &cases {
            // A list is one where a query is none, and the other way round.
            if which == "query" && matches!(*name, "nonsense" | "404") {
                continue;
            }
            let answer = answer.clone();
            forge.first(move |request| is_it(request).then(|| answer.clone()));
            let before = env.record("app-1");
            let told = failures(&reap(&env));
            assert_eq!(told.len(), 1, "{which} {name}: {told:?}");
            assert!(told[0].contains(expected), "{which} {name}: {told:?}");
            assert!(!told[0].contains(TOKEN), "{told:?}");
            assert_eq!(env.record("app-1"), before, "{which} {name}");
            // What failed often is left alone for a while; here the while is over.
            let _ = std::fs::remove_file(quota(&env));
        }
    }
    forge.recover();
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    assert_eq!(pr(&env, "app-1"), "open/ci_failing");
}

/// Returns the file of the quota.
fn quota(env: &TestEnvironment) -> std::path::PathBuf {
    let root = env.path("user/cache/ao/github");
    let host = std::fs::read_dir(root).unwrap().next().unwrap().unwrap().path();
    host.join("quota.json")
}

#[test]
fn limits_keep_every_process_from_asking() {
    let later = |minutes: u64| format!("2026-11-20T10:{:02}:30Z", 20 + minutes);
    let epoch = |time: &str| {
        let time: ao::model::time::Timestamp = time.parse().unwrap();
        (time.as_millis() / 1000).to_string()
    };
    let reset = epoch("2026-11-20T10:30:00Z");
    let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
    let secondary = fixture_text("secondary-limit.json");
    let primary = fixture_text("primary-limit.json");
    let cases = [
        ("secondary", reply(403, &[("retry-after", "120")], secondary.clone()), 1, 2),
        ("too-many", reply(429, &[("retry-after", "240")], "{}"), 3, 4),
        ("primary", reply(403, &spent, primary), 8, 10),
        ("unsaid", reply(403, &[], secondary), 0, 1),
        (
            "in-data",
            reply(
                200,
                &[("retry-after", "60")],
                r#"{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}"#,
            ),
            0,
            1,
        ),
    ];
    for (name, answer, blocked, free) in cases {
        let env = TestEnvironment::new();
        let forge = story(&env);
        worsen(&env, &forge);
        let (is_it, moved): (fn(&Request) -> bool, _) =
            if name == "in-data" { (is_query, 2) } else { (is_list, 1) };
        forge.first(move |request| is_it(request).then(|| answer.clone()));
        let before = forge.asked().len();
        let told = failures(&reap(&env));
        assert!(told[0].contains("rate limit of GitHub"), "{name}: {told:?}");
        assert!(forge.asked_since(before).len() >= moved, "{name}");
        assert_eq!(pr(&env, "app-1"), "open/merge_ready", "{name}");

        // Another process, with another home, asks nothing either while it lasts.
        forge.recover();
        let before = forge.asked().len();
        env.at(&later(blocked));
        assert_eq!(failures(&reap(&env)).len(), 1, "{name}");
        assert_eq!(forge.asked_since(before), Vec::<String>::new(), "{name}");
        assert_eq!(pr(&env, "app-1"), "open/merge_ready", "{name}");
        env.at(&later(free));
        assert_eq!(failures(&reap(&env)), Vec::<String>::new(), "{name}");
        assert_eq!(pr(&env, "app-1"), "open/ci_failing", "{name}");
    }
}

#[test]
fn looking_leaves_some_requests_to_people_and_backs_off_after_failures() {
    let env = TestEnvironment::new();
    let forge = story(&env);
    worsen(&env, &forge);
    let few = [
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "50"),
        ("x-ratelimit-reset", "1795171800"),
        ("x-ratelimit-resource", "graphql"),
    ];
    let headers = few.map(|(name, value)| (name.to_owned(), value.to_owned()));
    forge.first(move |request| {
        is_query(request).then(|| {
            let nothing = json!({ "data": { "nodes": [null] } }).to_string();
            Reply { status: 200, headers: headers.to_vec(), pieces: vec![Piece::Bytes(nothing)] }
        })
    });
    reap(&env);
    forge.recover();
    let before = forge.asked().len();
    let told = failures(&reap(&env));
    assert!(told[0].contains("rate limit"), "{told:?}");
    assert!(!forge.asked_since(before).contains(&"Whole".to_owned()));
    std::fs::remove_file(quota(&env)).unwrap();

    forge.first(|request| is_list(request).then(|| reply(503, &[], "{}")));
    reap(&env);
    reap(&env);
    let before = forge.asked().len();
    assert!(failures(&reap(&env))[0].contains("failed: again and again; it is asked again in 30s"));
    assert_eq!(forge.asked_since(before), Vec::<String>::new());
    forge.recover();
    env.at("2026-11-20T10:21:00Z");
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    assert_eq!(pr(&env, "app-1"), "open/ci_failing");
}

#[test]
fn a_token_that_expires_between_two_calls_stops_all_calls_and_changes_nothing() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    for name in ["one", "two"] {
        sessions(&env, &repository(&env, &format!("me/{name}")), &[name]);
        forge.open(&format!("me/{name}"), 1, name, |_| {});
    }
    let expired = || {
        reply(
            401,
            &[],
            fixture_text("bad-credentials.json").replace("Bad", &format!("Bad {TOKEN}")),
        )
    };
    forge.first(move |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        (is_query(request) && body.contains("\"Whole\"")).then(expired)
    });
    let told = failures(&reap(&env));
    let host = forge.url("").replace("http://", "");
    insta::assert_snapshot!(told.join("\n").replace(&host, "[HOST]"), @"GitHub at [HOST] does not permit it: the token is refused; it may have expired (Bad [redacted] credentials)");
    let asked = forge.asked();
    assert_eq!(asked.iter().filter(|it| *it == "Whole").count(), 1, "{asked:?}");
    assert_eq!(asked.last().map(String::as_str), Some("Whole"), "{asked:?}");
    assert_eq!([pr(&env, "one"), pr(&env, "two")], ["none/not_created", "none/not_created"]);
    forge.recover();
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    assert_eq!([pr(&env, "one"), pr(&env, "two")], ["open/merge_ready", "open/merge_ready"]);
}

#[test]
fn half_an_answer_is_about_the_half_that_is_missing() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    sessions(&env, &repository(&env, "me/app"), &["whole", "error", "null", "field", "moved"]);
    for (number, id) in [(1, "whole"), (2, "error"), (3, "null"), (4, "field"), (5, "moved")] {
        forge.open("me/app", number, id, |_| {});
    }
    let mut error = fixture("graphql-error.json");
    error["path"][1] = json!(1);
    forge.state().errors.push(error);
    forge.change("me/app", 3, None, |it| it["__typename"] = Value::Null);
    forge.change("me/app", 4, None, |it| it["reviewThreads"] = Value::Null);
    forge.change("me/app", 5, None, |it| it["commits"]["nodes"][0]["commit"]["oid"] = json!("x"));
    let host = forge.url("").replace("http://", "");
    let told = failures(&reap(&env)).join("\n").replace(&host, "[HOST]");
    insta::assert_snapshot!(told, @r"
    pull request #2: GitHub at [HOST] gave half an answer: Resource not accessible by personal access token
    pull request #4: it makes no sense: invalid type: null, expected struct Page
    pull request #5: its checks are of another commit than its head
    pull request #3: it is not there, or may not be seen
    ");
    assert_eq!(pr(&env, "whole"), "open/merge_ready");
    for id in ["error", "null", "field", "moved"] {
        assert_eq!(pr(&env, id), "none/not_created", "{id}");
    }
    // An error about nothing in particular is about all of them.
    forge.state().errors = vec![json!({ "message": "Something went wrong" })];
    env.at("2026-11-20T10:20:00Z");
    forge.change("me/app", 1, None, |it| checks(it)[0]["conclusion"] = json!("FAILURE"));
    reap(&env);
    assert_eq!(pr(&env, "whole"), "open/merge_ready");
    forge.state().errors.clear();
    reap(&env);
    assert_eq!(pr(&env, "whole"), "open/ci_failing");
}

#[test]
fn a_renamed_repository_is_followed_and_no_redirect_leaves_its_host() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    sessions(&env, &repository(&env, "me/old"), &["app-1"]);
    forge.open("me/app", 1, "app-1", |_| {});
    forge.state().renamed.insert("me/old".into(), "me/app".into());
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    assert_eq!(pr(&env, "app-1"), "open/merge_ready");
    // Its name is known from then on.
    let before = forge.asked().len();
    env.at("2026-11-20T10:07:00Z");
    reap(&env);
    assert_eq!(
        forge.asked_since(before),
        ["GET /repos/me/app/pulls", "GET /repos/me/app/actions/runs"]
    );

    let other = crate::server::Server::start(|_, _| reply(200, &[], "[]"));
    for to in [other.url("/repos/me/app/pulls"), "https://evil.example/x".to_owned()] {
        forge
            .first(move |request| is_list(request).then(|| reply(301, &[("location", &to)], "{}")));
        assert_eq!(failures(&reap(&env)).len(), 1);
    }
    assert_eq!(other.requests().len(), 0);
    forge.first(|request| {
        is_list(request).then(|| reply(301, &[("location", &request.path)], "{}"))
    });
    let before = forge.asked().len();
    assert!(failures(&reap(&env))[0].contains("redirects again and again"));
    assert_eq!(forge.asked_since(before).len(), 4);
    assert_eq!(pr(&env, "app-1"), "open/merge_ready");
}

#[test]
fn an_enterprise_is_asked_at_its_own_address() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    forge.state().root = "/api/v3".to_owned();
    env.set("GITHUB_API_URL", forge.url("/api/v3"));
    let path = env.repo("app");
    let origin = format!("{}/me/app.git", forge.url(""));
    env.git(&path, &["remote", "add", "origin", &origin]);
    sessions(&env, &path, &["app-1"]);
    forge.open("me/app", 1, "app-1", |_| {});
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    assert_eq!(pr(&env, "app-1"), "open/merge_ready");
    let paths: Vec<String> = forge.requests().into_iter().map(|it| it.path).collect();
    assert_eq!(paths[0], "/api/graphql");
    assert!(paths[1].starts_with("/api/v3/repos/me/app/pulls?"), "{paths:?}");

    // A token for one host is not sent to another.
    env.set("GITHUB_API_URL", "https://github.example/api/v3");
    let before = forge.asked().len();
    env.git(&path, &["remote", "set-url", "origin", "https://github.com/me/app"]);
    let told = failures(&reap(&env));
    insta::assert_snapshot!(told.join("\n"), @"GitHub at github.example cannot answer for the remote `origin`, which is at github.com");
    assert_eq!(forge.asked_since(before), Vec::<String>::new());
}
