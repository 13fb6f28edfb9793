//! Each rung of the ladder, and whose a pull request is, from GitHub's answers to the record.

use serde_json::{Value, json};

use super::forge::{self, Forge, checks, failures, fixture, pr, reap, repository, sessions};
use crate::env::TestEnvironment;

/// Puts a review of `author` to a pull request.
fn review(pull: &mut Value, author: &str, kind: &str, state: &str, body: &str) {
    let mut review = fixture("review-node.json");
    review["author"] = json!({ "__typename": kind, "login": author });
    review["state"] = json!(state);
    review["body"] = json!(body);
    review["commit"]["oid"] = pull["headRefOid"].clone();
    let mut lists = vec!["latestReviews"];
    if state != "COMMENTED" {
        lists.push("latestOpinionatedReviews");
    }
    for list in lists {
        pull[list]["nodes"].as_array_mut().unwrap().push(review.clone());
    }
}

fn thread(pull: &mut Value, author: &str, kind: &str, resolved: bool) {
    let mut thread = fixture("thread-node.json");
    thread["isResolved"] = json!(resolved);
    thread["comments"]["nodes"][0]["author"] = json!({ "__typename": kind, "login": author });
    pull["reviewThreads"]["nodes"].as_array_mut().unwrap().push(thread);
}

fn remark(pull: &mut Value, author: &str, at: &str, body: &str) {
    let remark = json!({
        "fullDatabaseId": "7001", "body": body, "createdAt": at, "isMinimized": false,
        "url": "https://github.com/me/app/pull/1#issuecomment-7001",
        "author": { "__typename": "User", "login": author },
    });
    pull["comments"]["nodes"].as_array_mut().unwrap().push(remark);
}

fn check(pull: &mut Value, conclusion: &str) {
    checks(pull)[0]["conclusion"] = json!(conclusion);
}

/// One row: its name, what the pull request is like, what the record says of it.
type Row = (&'static str, fn(&mut Value), &'static str);

#[rustfmt::skip]
const LADDER: &[Row] = &[
    ("green", |_| {}, "open/merge_ready"),
    ("failed", |it| check(it, "FAILURE"), "open/ci_failing"),
    ("timed-out", |it| check(it, "TIMED_OUT"), "open/ci_failing"),
    ("cancelled", |it| check(it, "CANCELLED"), "open/ci_failing"),
    ("skipped", |it| check(it, "SKIPPED"), "open/merge_ready"),
    ("neutral", |it| check(it, "NEUTRAL"), "open/merge_ready"),
    ("stale", |it| check(it, "STALE"), "open/in_progress"),
    ("running", |it| { check(it, "SUCCESS"); checks(it)[0]["status"] = json!("IN_PROGRESS"); }, "open/in_progress"),
    ("status-error", |it| { let mut status = fixture("status-node.json"); status["state"] = json!("ERROR"); checks(it).push(status); }, "open/ci_failing"),
    ("status-expected", |it| { let mut status = fixture("status-node.json"); status["state"] = json!("EXPECTED"); checks(it).push(status); }, "open/in_progress"),
    ("run-again", |it| { let mut again = checks(it)[0].clone(); check(it, "FAILURE"); again["startedAt"] = json!("2026-11-20T10:04:00Z"); checks(it).push(again); }, "open/merge_ready"),
    ("draft", |it| { it["isDraft"] = json!(true); it["mergeStateStatus"] = json!("DRAFT"); }, "draft/in_progress"),
    ("draft-failed", |it| { it["isDraft"] = json!(true); check(it, "FAILURE"); }, "draft/ci_failing"),
    ("changes", |it| { it["reviewDecision"] = json!("CHANGES_REQUESTED"); review(it, "reviewer", "User", "CHANGES_REQUESTED", "no"); }, "open/changes_requested"),
    ("changes-unruled", |it| { review(it, "a", "User", "APPROVED", ""); review(it, "b", "User", "CHANGES_REQUESTED", ""); }, "open/changes_requested"),
    ("dismissed", |it| review(it, "b", "User", "DISMISSED", "no"), "open/merge_ready"),
    ("thread", |it| thread(it, "reviewer", "User", false), "open/changes_requested"),
    ("thread-resolved", |it| thread(it, "reviewer", "User", true), "open/merge_ready"),
    ("thread-bot", |it| thread(it, "helper", "Bot", false), "open/bot_comments"),
    ("thread-bot-name", |it| thread(it, "helper[bot]", "User", false), "open/bot_comments"),
    ("review-body", |it| review(it, "reviewer", "User", "COMMENTED", "Why so?"), "open/changes_requested"),
    ("review-body-old", |it| { review(it, "reviewer", "User", "COMMENTED", "Why so?"); it["latestReviews"]["nodes"][0]["commit"]["oid"] = json!("dead"); }, "open/merge_ready"),
    ("review-body-bot", |it| review(it, "helper", "Bot", "COMMENTED", "## Summary"), "open/merge_ready"),
    ("review-body-own", |it| review(it, "me", "User", "COMMENTED", "Done."), "open/merge_ready"),
    ("remark", |it| remark(it, "boss", "2026-11-20T10:01:00Z", "@me, and the docs?"), "open/changes_requested"),
    ("remark-answered", |it| { remark(it, "boss", "2026-11-20T10:01:00Z", "@me, and the docs?"); remark(it, "me", "2026-11-20T10:02:00Z", "Done."); }, "open/merge_ready"),
    ("remark-talk", |it| remark(it, "boss", "2026-11-20T10:01:00Z", "@merlin look, great"), "open/merge_ready"),
    ("conflict", |it| { it["mergeable"] = json!("CONFLICTING"); it["mergeStateStatus"] = json!("DIRTY"); }, "open/merge_conflicts"),
    ("conflict-pending", |it| { it["mergeable"] = json!("CONFLICTING"); it["mergeStateStatus"] = json!("DIRTY"); checks(it)[0]["status"] = json!("QUEUED"); }, "open/merge_conflicts"),
    ("unknown", |it| { it["mergeable"] = json!("UNKNOWN"); it["mergeStateStatus"] = json!("UNKNOWN"); }, "open/in_progress"),
    ("behind", |it| it["mergeStateStatus"] = json!("BEHIND"), "open/in_progress"),
    ("blocked", |it| it["mergeStateStatus"] = json!("BLOCKED"), "open/in_progress"),
    ("approved-blocked", |it| { it["mergeStateStatus"] = json!("BLOCKED"); it["reviewDecision"] = json!("APPROVED"); }, "open/approved"),
    ("approved", |it| { it["reviewDecision"] = json!("APPROVED"); review(it, "reviewer", "User", "APPROVED", "fine"); }, "open/merge_ready"),
    ("approved-pending", |it| { it["reviewDecision"] = json!("APPROVED"); it["mergeStateStatus"] = json!("UNSTABLE"); checks(it)[0]["status"] = json!("QUEUED"); }, "open/approved"),
    ("review-required", |it| { it["reviewDecision"] = json!("REVIEW_REQUIRED"); it["mergeStateStatus"] = json!("BLOCKED"); }, "open/review_pending"),
    ("review-asked", |it| { it["reviewRequests"]["totalCount"] = json!(1); it["mergeStateStatus"] = json!("BEHIND"); }, "open/review_pending"),
    ("unchecked", |it| checks(it).clear(), "open/in_progress"),
    ("merged", |it| it["state"] = json!("MERGED"), "merged/merged"),
    ("closed", |it| it["state"] = json!("CLOSED"), "closed/closed_unmerged"),
];

#[test]
fn each_row_of_the_ladder_reaches_the_record() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    let app = repository(&env, "me/app");
    let ids: Vec<&str> = LADDER.iter().map(|(name, _, _)| *name).collect();
    sessions(&env, &app, &ids);
    for (number, (name, change, _)) in (1..).zip(LADDER) {
        forge.open("me/app", number, name, change);
    }
    let report = reap(&env);
    assert_eq!(failures(&report), Vec::<String>::new());
    let seen: Vec<(&str, String)> = ids.iter().map(|id| (*id, pr(&env, id))).collect();
    let wanted: Vec<(&str, String)> =
        LADDER.iter().map(|(name, _, wanted)| (*name, (*wanted).to_owned())).collect();
    assert_eq!(seen, wanted);
    let merged = &env.record("merged")["lifecycle"];
    assert_eq!(merged["session"]["reason"], "merged_waiting_decision");
    assert_eq!(merged["pr"]["url"], format!("https://github.com/me/app/pull/{}", ids.len() - 1));
    assert_eq!(env.record("green")["lifecycle"]["pr"]["head_sha"], format!("{:040x}", 1));

    // A second look finds all as it was.
    let before = forge.asked().len();
    assert_eq!(reap(&env)["transitions"], json!([]));
    assert!(!forge.asked_since(before).contains(&"Whole".to_owned()), "{:?}", forge.asked());
}

#[test]
fn checks_that_have_not_begun_are_waited_for() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    sessions(&env, &repository(&env, "me/app"), &["bare", "late"]);
    forge.open("me/app", 1, "bare", |it| checks(it).clear());
    forge.open("me/app", 2, "late", |it| checks(it).clear());
    reap(&env);
    let both = || [pr(&env, "bare"), pr(&env, "late")];
    assert_eq!(both(), ["open/in_progress", "open/in_progress"]);

    // A check that appears is seen at the next look, though the pull request was not touched.
    forge.change("me/app", 2, None, |it| {
        checks(it).push(fixture("check-run-node.json"));
        check(it, "FAILURE");
    });
    env.at("2026-11-20T10:05:30Z");
    reap(&env);
    assert_eq!(both(), ["open/in_progress", "open/ci_failing"]);

    env.at("2026-11-20T10:06:30Z");
    reap(&env);
    assert_eq!(both(), ["open/merge_ready", "open/ci_failing"]);
}

#[test]
fn a_pull_request_of_somebody_else_is_not_ours() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    let app = repository(&env, "me/app");
    env.git(&app, &["remote", "add", "fork", "git@github.com:me-too/app.git"]);
    sessions(&env, &app, &["fork", "author", "old", "branch", "own-fork", "claimed", "gone"]);
    let from = |it: &mut Value, whose: &str| it["headRepository"]["nameWithOwner"] = json!(whose);
    forge.open("me/app", 1, "fork", move |it| from(it, "stranger/app"));
    forge.open("me/app", 2, "author", |it| it["author"]["login"] = json!("stranger"));
    forge.open("me/app", 3, "old", |it| it["createdAt"] = json!("2026-11-19T10:00:00Z"));
    forge.open("me/app", 4, "branch-2", |_| {});
    forge.open("me/app", 5, "own-fork", move |it| from(it, "me-too/app"));
    forge.open("me/app", 6, "elsewhere", |it| it["author"]["login"] = json!("stranger"));
    forge.open("me/app", 7, "gone", |it| it["headRepository"] = Value::Null);
    // Claimed by a person: its number is the session's, whoever opened it and wherever it is.
    claim(&env, "claimed", 6);
    let report = reap(&env);
    assert_eq!(failures(&report), Vec::<String>::new());
    for id in ["fork", "author", "old", "branch", "gone"] {
        assert_eq!(pr(&env, id), "none/not_created", "{id}");
    }
    assert_eq!(pr(&env, "own-fork"), "open/merge_ready");
    assert_eq!(env.record("claimed")["lifecycle"]["pr"]["url"], "https://github.com/me/app/pull/6");

    // Another account may be configured.
    env.ao(&["config", "set", "scm.authors", "[\"Stranger\"]"]).success();
    reap(&env);
    assert_eq!(pr(&env, "author"), "open/merge_ready");
    assert_eq!(pr(&env, "fork"), "none/not_created");
}

/// Gives a session a pull request by its number.
fn claim(env: &TestEnvironment, id: &str, number: u64) {
    let fact = json!({
        "fetched": true, "observed_at": "2026-11-20T10:00:00Z",
        "pr": { "state": "open", "number": number },
    });
    env.ao_stdin(&["observe", "scm", id], fact.to_string()).success();
}

#[test]
fn the_next_pull_request_of_a_branch_takes_over_once_the_first_is_closed() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    sessions(&env, &repository(&env, "me/app"), &["app-1"]);
    forge.open("me/app", 1, "app-1", |_| {});
    reap(&env);
    assert_eq!(pr(&env, "app-1"), "open/merge_ready");
    let at = "2026-11-20T10:06:00Z";
    forge.change("me/app", 1, Some(at), |it| it["state"] = json!("CLOSED"));
    env.at(at);
    reap(&env);
    assert_eq!(pr(&env, "app-1"), "closed/closed_unmerged");
    forge.open("me/app", 2, "app-1", |it| it["updatedAt"] = json!("2026-11-20T10:07:00Z"));
    env.at("2026-11-20T10:07:00Z");
    reap(&env);
    assert_eq!(pr(&env, "app-1"), "open/merge_ready");
    assert_eq!(env.record("app-1")["lifecycle"]["pr"]["number"], 2);

    // Merged for good: nothing more is asked about it.
    let at = "2026-11-20T10:08:00Z";
    forge.change("me/app", 2, Some(at), |it| it["state"] = json!("MERGED"));
    env.at(at);
    reap(&env);
    assert_eq!(pr(&env, "app-1"), "merged/merged");
    let before = forge.asked().len();
    env.at("2026-11-20T12:00:00Z");
    reap(&env);
    assert_eq!(forge.asked_since(before), ["GET /repos/me/app/pulls"]);
}

#[test]
fn a_failing_check_is_told_with_the_last_lines_of_its_log() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    sessions(&env, &repository(&env, "me/app"), &["job", "linter", "mute"]);
    for (number, id, job) in [(1, "job", 4001), (2, "linter", 4002), (3, "mute", 4003)] {
        forge.open("me/app", number, id, |it| {
            check(it, "FAILURE");
            checks(it)[0]["databaseId"] = json!(job);
            checks(it)[0]["id"] = json!(format!("CR_{job}"));
        });
    }
    forge.change("me/app", 2, None, |it| {
        checks(it)[0]["checkSuite"] = json!({"app": {"slug": "linter"}, "workflowRun": null});
    });
    forge.state().logs.insert(4001, String::new());
    forge.first(|request| {
        let log = request.path == "/elsewhere/4001";
        log.then(|| crate::server::reply(206, &[], forge::fixture_text("job-log.txt")))
    });
    reap(&env);
    let text = |id: &str| env.record(id)["outbox"].to_string();
    let job = text("job");
    assert!(job.contains("assertion failed: 3 != 4") && !job.contains("0000001Z"), "{job}");
    assert!(text("linter").contains("2 problems"), "{}", text("linter"));
    assert!(text("mute").contains("test"), "{}", text("mute"));

    // Whoever has the log gets no token, and no log is fetched twice.
    let requests = forge.requests();
    let elsewhere: Vec<_> =
        requests.iter().filter(|it| it.path.starts_with("/elsewhere")).collect();
    assert_eq!(elsewhere.len(), 1);
    assert_eq!(elsewhere[0].header("authorization"), None);
    let before = requests.len();
    env.at("2026-11-20T10:07:00Z");
    reap(&env);
    assert_eq!(
        forge.asked_since(before),
        ["GET /repos/me/app/pulls", "GET /repos/me/app/actions/runs"]
    );
}

#[test]
fn pages_are_read_to_the_end() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    let ids: Vec<String> = (1..=60).map(|n| format!("app-{n}")).collect();
    sessions(&env, &repository(&env, "me/app"), &ids);
    for (number, id) in (1..).zip(&ids) {
        forge.open("me/app", number, id, |_| {});
    }
    let page = |nodes: Vec<Value>, next: Option<&str>| json!({ "pageInfo": { "hasNextPage": next.is_some(), "endCursor": next }, "nodes": nodes });
    // The only failing check is on the third page.
    let many = |n: usize, from: usize| -> Vec<Value> {
        let check = |n: usize| {
            let mut check = fixture("check-run-node.json");
            check["name"] = json!(format!("check-{n}"));
            check["id"] = json!(format!("CR_{n}"));
            check
        };
        (from..from + n).map(check).collect()
    };
    let contexts = |contexts: Value| json!({ "nodes": [{ "commit": { "oid": format!("{:040x}", 7), "statusCheckRollup": { "contexts": contexts } } }] });
    let mut last = many(3, 150);
    last[2]["conclusion"] = json!("FAILURE");
    forge.change("me/app", 7, None, |it| {
        it["commits"] = contexts(page(many(50, 0), Some("c1")));
    });
    // The only open thread is on the second page, and its comments have a second page as well.
    let resolved = || {
        let mut thread = fixture("thread-node.json");
        thread["isResolved"] = json!(true);
        thread
    };
    forge.change("me/app", 8, None, |it| {
        it["reviewThreads"] = page(vec![resolved(); 30], Some("t1"));
    });
    let mut open = fixture("thread-node.json");
    open["comments"]["pageInfo"] = json!({ "hasNextPage": true, "endCursor": "m1" });
    let mut late = open["comments"]["nodes"][0].clone();
    late["body"] = json!("Said last of all.");
    late["fullDatabaseId"] = json!("6002");
    {
        let mut state = forge.state();
        let checks = |contexts| json!({ "commits": contexts });
        state.pages.insert("c1".into(), checks(contexts(page(many(100, 50), Some("c2")))));
        state.pages.insert("c2".into(), checks(contexts(page(last, None))));
        state.pages.insert("t1".into(), json!({ "reviewThreads": page(vec![open], None) }));
        state.pages.insert("m1".into(), page(vec![late], None));
    }
    let report = reap(&env);
    assert_eq!(failures(&report), Vec::<String>::new());
    assert_eq!(pr(&env, "app-7"), "open/ci_failing");
    assert_eq!(pr(&env, "app-8"), "open/changes_requested");
    assert!(env.record("app-8")["outbox"].to_string().contains("Said last of all."));
    assert!(ids.iter().all(|id| pr(&env, id).starts_with("open/")));
    let asked = forge.asked();
    let times = |what: &str| asked.iter().filter(|it| *it == what).count();
    assert_eq!(times("Whole"), 3, "{asked:?}");
    assert_eq!((times("More"), times("Thread"), times("Viewer")), (3, 1, 1), "{asked:?}");
    assert_eq!(times("GET /repos/me/app/pulls"), 2, "60 of them are two pages");
}
