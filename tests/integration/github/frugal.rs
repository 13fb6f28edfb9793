//! What a look costs: requests are counted.

use serde_json::{Value, json};

use super::forge::{Forge, TOKEN, checks, failures, fixture, pr, reap, repository, sessions};
use crate::env::TestEnvironment;

#[test]
fn a_hundred_sessions_over_four_repositories_cost_eight_requests_when_nothing_changed() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    let mut all = Vec::new();
    for repo in 1..=4 {
        let name = format!("me/app{repo}");
        let ids: Vec<String> = (1..=25).map(|n| format!("app{repo}-{n}")).collect();
        sessions(&env, &repository(&env, &name), &ids);
        for (number, id) in (1..).zip(&ids) {
            forge.open(&name, number, id, |_| {});
        }
        all.extend(ids);
    }
    reap(&env);
    assert!(all.iter().all(|id| pr(&env, id) == "open/merge_ready"));
    let asked = forge.asked();
    let whole = asked.iter().filter(|it| *it == "Whole").count();
    assert_eq!((whole, asked.len()), (4, 13), "{asked:?}");

    let before = asked.len();
    env.at("2026-11-20T10:07:00Z");
    let report = reap(&env);
    assert_eq!(report["transitions"], json!([]));
    let asked = forge.asked_since(before);
    assert_eq!(asked.len(), 8, "{asked:?}");
    assert!(asked.iter().all(|it| it.starts_with("GET ")), "{asked:?}");
    let requests = &forge.requests()[before..];
    assert!(requests.iter().all(|it| it.header("if-none-match").is_some()), "they get 304");

    // What is too old is fetched anew, and even that costs no more.
    let before = forge.asked().len();
    env.at("2026-11-20T10:11:00Z");
    reap(&env);
    let asked = forge.asked_since(before);
    let whole = asked.iter().filter(|it| *it == "Whole").count();
    assert_eq!((whole, asked.len()), (4, 8), "{asked:?}");

    // And so does a look while checks of all repositories are pending.
    for repo in 1..=4 {
        forge.change(&format!("me/app{repo}"), 3, Some("2026-11-20T10:12:00Z"), |it| {
            checks(it)[0]["status"] = json!("IN_PROGRESS");
        });
    }
    env.at("2026-11-20T10:12:00Z");
    reap(&env);
    assert_eq!(pr(&env, "app1-3"), "open/in_progress");
    let before = forge.asked().len();
    env.at("2026-11-20T10:13:00Z");
    reap(&env);
    assert_eq!(forge.asked_since(before).len(), 8, "{:?}", forge.asked_since(before));
}

#[test]
fn each_guard_sees_what_it_is_for() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    sessions(&env, &repository(&env, "me/app"), &["one", "two", "three"]);
    for (number, id) in [(1, "one"), (2, "two"), (3, "three")] {
        forge.open("me/app", number, id, |_| {});
    }
    let run = |status: &str| {
        let mut run = fixture("workflow-run.json");
        run["head_sha"] = json!(format!("{:040x}", 2));
        run["status"] = json!(status);
        run
    };
    forge.state().runs.insert("me/app".into(), vec![run("completed")]);
    reap(&env);
    let look = |at: &str| {
        let before = forge.asked().len();
        env.at(at);
        reap(&env);
        forge.asked_since(before)
    };
    let (list, runs) = ("GET /repos/me/app/pulls", "GET /repos/me/app/actions/runs");
    assert_eq!(look("2026-11-20T10:06:30Z"), [list, runs]);

    // A push: the list shows it, and that pull request alone is fetched.
    forge.change("me/app", 1, Some("2026-11-20T10:06:40Z"), |it| {
        checks(it)[0]["conclusion"] = json!("FAILURE");
    });
    forge.first(|it| it.path.contains("/logs").then(|| crate::server::reply(404, &[], "{}")));
    let asked = look("2026-11-20T10:07:00Z");
    assert_eq!(asked[..3], [list, runs, "Whole"], "{asked:?}");
    assert_eq!(pr(&env, "one"), "open/ci_failing");
    let whole = forge.requests().iter().rev().find_map(ids_of).unwrap();
    assert_eq!(whole, ["PR_me/app_1"]);

    // A job that is run again: the list does not show it, the runs do.
    forge.state().runs.insert("me/app".into(), vec![run("in_progress")]);
    forge.change("me/app", 2, None, |it| checks(it)[0]["status"] = json!("QUEUED"));
    assert_eq!(look("2026-11-20T10:07:30Z"), [list, runs, "Whole"]);
    assert_eq!(pr(&env, "two"), "open/in_progress");

    // While anything is pending, one query takes the place of the runs and sees all of it.
    assert_eq!(look("2026-11-20T10:08:00Z"), [list, "Pulse"]);
    forge.change("me/app", 2, None, |it| checks(it)[0]["status"] = json!("COMPLETED"));
    forge.change("me/app", 3, None, |it| it["mergeStateStatus"] = json!("BEHIND"));
    assert_eq!(look("2026-11-20T10:08:30Z"), [list, "Pulse", "Whole"]);
    assert_eq!([pr(&env, "two"), pr(&env, "three")], ["open/merge_ready", "open/in_progress"]);

    // What no guard sees is found when all is fetched anew, and the list is read without its mark.
    look("2026-11-20T10:09:00Z");
    forge.change("me/app", 3, None, |it| it["mergeStateStatus"] = json!("CLEAN"));
    look("2026-11-20T10:10:00Z");
    let before = forge.asked().len();
    assert!(look("2026-11-20T10:13:30Z").contains(&"Whole".to_owned()));
    assert_eq!(pr(&env, "three"), "open/merge_ready");
    assert_eq!(forge.requests()[before].header("if-none-match"), None);
}

/// Returns the ids that a query for whole pull requests asks for.
fn ids_of(request: &crate::server::Request) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    (body["operationName"] == "Whole").then_some(())?;
    let ids = body["variables"]["ids"].as_array()?.iter();
    ids.map(|id| id.as_str().map(str::to_owned)).collect()
}

#[test]
fn runs_that_may_not_be_seen_are_not_asked_for_again() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    sessions(&env, &repository(&env, "me/app"), &["app-1"]);
    forge.open("me/app", 1, "app-1", |_| {});
    forge.first(|it| {
        let refused = || crate::server::reply(403, &[], r#"{"message":"Resource not accessible"}"#);
        it.path.contains("/actions/runs").then(refused)
    });
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    assert_eq!(pr(&env, "app-1"), "open/merge_ready");
    let before = forge.asked().len();
    env.at("2026-11-20T10:07:00Z");
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    assert_eq!(forge.asked_since(before), ["GET /repos/me/app/pulls"]);
}

#[test]
fn sessions_without_a_pull_request_cost_one_request() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    let ids: Vec<String> = (1..=30).map(|n| format!("app-{n}")).collect();
    sessions(&env, &repository(&env, "me/app"), &ids);
    forge.open("me/app", 1, "someone-elses", |_| {});
    reap(&env);
    let before = forge.asked().len();
    env.at("2026-11-20T10:06:00Z");
    assert_eq!(reap(&env)["transitions"], json!([]));
    assert_eq!(forge.asked_since(before), ["GET /repos/me/app/pulls"]);
    assert_eq!(pr(&env, "app-1"), "none/not_created");
}

#[test]
fn a_cache_that_is_lost_or_damaged_costs_requests_alone() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    sessions(&env, &repository(&env, "me/app"), &["app-1"]);
    forge.open("me/app", 1, "app-1", |_| {});
    reap(&env);
    let root = env.path("user/cache/ao/github");
    let mut files = Vec::new();
    for entry in walk(&root) {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{}", entry.display());
        let text = std::fs::read_to_string(&entry).unwrap();
        assert!(!text.contains(TOKEN), "{}", entry.display());
        files.push(entry);
    }
    assert_eq!(files.len(), 3, "quota, account, repository: {files:?}");
    for garbage in ["", "{\"version\":1", "[1,2]", "\0\0"] {
        files.iter().for_each(|file| std::fs::write(file, garbage).unwrap());
        let report = reap(&env);
        assert_eq!((failures(&report), &report["transitions"]), (Vec::new(), &json!([])));
    }
    std::fs::remove_dir_all(&root).unwrap();
    forge.change("me/app", 1, None, |it| it["mergeStateStatus"] = json!("BLOCKED"));
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    assert_eq!(pr(&env, "app-1"), "open/in_progress");
}

/// Returns every file below a directory.
fn walk(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let is_directory = entry.file_type().unwrap().is_dir();
            if is_directory { &mut directories } else { &mut found }.push(entry.path());
        }
    }
    found.sort();
    found
}

#[test]
fn the_token_is_looked_for_once_and_only_where_no_variable_has_it() {
    let env = TestEnvironment::new();
    let forge = Forge::start(&env);
    for name in ["one", "two"] {
        let full_name = format!("me/{name}");
        sessions(&env, &repository(&env, &full_name), &[name]);
        forge.open(&full_name, 1, name, |_| {});
    }
    let calls = env.path("gh-calls");
    env.shims(&[("gh", &format!("echo \"$*\" >>'{}'\necho {TOKEN}\n", calls.display()))]);
    reap(&env);
    assert!(!calls.exists(), "GH_TOKEN is set");
    env.unset("GH_TOKEN");
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
    let host = forge.url("").replace("http://", "");
    let calls = std::fs::read_to_string(calls).unwrap();
    assert_eq!(calls, format!("auth token --hostname {host}\n"));

    // Without one, nothing is asked, and that is told once.
    env.shims(&[("gh", "exit 1\n")]);
    let before = forge.asked().len();
    let told = failures(&reap(&env));
    insta::assert_snapshot!(told.join("\n").replace(&host, "[HOST]"), @r#"GitHub at [HOST] does not permit it: there is no token: set AO_GITHUB_TOKEN, GH_TOKEN or GITHUB_TOKEN, or run `gh auth login`; `scm.kind = "local"` does without GitHub"#);
    assert_eq!(forge.asked_since(before), Vec::<String>::new());
    assert_eq!(pr(&env, "one"), "open/merge_ready");
    env.ao(&["config", "set", "scm.kind", "none"]).success();
    assert_eq!(failures(&reap(&env)), Vec::<String>::new());
}
