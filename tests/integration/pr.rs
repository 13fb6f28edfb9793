//! `ao pr` with a program of the user's as the forge: looked at, opened, claimed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::agents::{agent, configure, spawn};
use crate::env::TestEnvironment;
use crate::issue::IDLE;
use crate::schema::assert_answer;

/// Configures a forge that answers each question from the file `[ROOT]/forge/<op>.json`.
fn forge(env: &TestEnvironment) {
    let root = env.path("forge");
    fs::create_dir_all(&root).unwrap();
    let root = root.display();
    let script = format!(
        "q=$(cat); printf '%s\\n' \"$q\" >>'{root}/asked.jsonl'\n\
         op=$(printf %s \"$q\" | sed 's/.*\"op\":\"\\([a-z_]*\\)\".*/\\1/')\n\
         if [ -e '{root}/meanwhile' ]; then\n\
         mv '{root}/meanwhile' '{root}/done'; sh '{root}/done' </dev/null >&2; fi\n\
         cat '{root}/'\"$op.json\"\n"
    );
    env.shims(&[("forge", &script)]);
    configure(env, "[scm]\nkind = \"command\"\ncommand = [\"forge\"]\n");
}

fn answer(env: &TestEnvironment, op: &str, answer: &Value) {
    fs::write(env.path("forge").join(format!("{op}.json")), answer.to_string()).unwrap();
}

fn pull_request(number: u64, branch: &str) -> Value {
    json!({ "number": number, "url": format!("https://forge.example/me/app/pull/{number}"),
        "title": "Mend\u{1b}[31m it", "state": "open", "author": "me", "branch": branch,
        "base": "main", "head_sha": "abc" })
}

fn fact(id: &str, number: u64) -> Value {
    json!({ "facts": { id: { "pr": { "state": "open", "number": number, "head_sha": "abc",
        "url": format!("https://forge.example/me/app/pull/{number}") }, "ci": "passing" } } })
}

#[test]
fn a_dry_run_of_opening_one_says_what_would_be_sent_and_sends_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    forge(&env);
    env.git(&repo, &["init", "-q", "--bare", "../origin.git"]);
    let origin = env.path("repos/origin.git");
    env.git(&repo, &["remote", "add", "origin", origin.to_str().unwrap()]);
    let [first, _] = workers(&env, &repo);
    let dry = |more: &[&str]| {
        let words = [&["pr", "create", &first, "--dry-run", "--json"], more].concat();
        env.ao(&words)
    };
    dry(&[]).code(4);
    let plan = dry(&["--push", "--title", "Mend it", "--body", "As asked.", "--draft"]);
    let plan = plan.success().json();
    assert_answer("PlanAnswer", &plan);
    let steps: Vec<String> = plan["plan"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| format!("{}: {}", step["op"], step["why"]).replace('"', ""))
        .collect();
    assert_eq!(
        steps,
        [
            "push ao/app-1 to origin: --push asks for it",
            "open a draft `Mend it`: ao/app-1 into the default branch; it says: As asked."
        ]
    );
    assert_eq!(env.git(&origin, &["for-each-ref"]), "");
    assert!(!env.path("forge/asked.jsonl").exists(), "the forge was not asked for anything");
}

fn workers(env: &TestEnvironment, repo: &Path) -> [String; 2] {
    agent(env, "waiter", IDLE);
    [(); 2].map(|()| spawn(env, repo, &["--agent", "waiter", "x"]))
}

#[test]
fn a_pull_request_is_claimed_where_it_fits_and_nobody_has_it() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    forge(&env);
    let [first, second] = workers(&env, &repo);
    let claim = |id: &str, name: &str| env.ao(&["pr", "claim", id, name, "--json"]);
    let pr = |id: &str| env.record(id)["lifecycle"]["pr"]["number"].clone();
    let why = |error: &Value| error["error"]["message"].as_str().unwrap().to_owned();

    claim(&first, "seven").code(2);
    // The branch is another one's.
    answer(&env, "pull_request", &json!({ "pull_request": pull_request(7, "ao/app-2") }));
    let error = claim(&first, "7").code(4).json_error();
    assert!(why(&error).contains("ao/app-2"), "{error:#}");
    // The branch fits, and the forge says that it is somebody else's all the same.
    answer(&env, "pull_request", &json!({ "pull_request": pull_request(7, "ao/app-1") }));
    answer(&env, "observe", &json!({ "facts": { "app-1": { "fetched": false } } }));
    claim(&first, "7").code(4);
    answer(&env, "observe", &fact("app-1", 8));
    claim(&first, "7").code(4);
    claim(&first, "https://other.example/me/app/pull/7").code(4);
    assert_eq!(pr(&first), Value::Null);

    answer(&env, "observe", &fact("app-1", 7));
    let record = env.record(&first);
    let plan = env.ao(&["pr", "claim", &first, "7", "--dry-run", "--json"]).success().json();
    assert_answer("PlanAnswer", &plan);
    assert_eq!(plan["plan"][0]["op"], format!("make #7 the pull request of {first}"));
    assert_eq!(env.record(&first), record, "nothing is noted");
    let claimed = claim(&first, "https://forge.example/me/app/pull/7/files").success().json();
    assert_answer("PrAnswer", &claimed);
    assert_eq!((&claimed["pr"]["number"], pr(&first)), (&json!(7), json!(7)));
    assert_eq!(claimed["pr"]["title"], "Mend it");
    // Another live session has it; its end lets go of it.
    answer(&env, "pull_request", &json!({ "pull_request": pull_request(7, "ao/app-2") }));
    answer(&env, "observe", &fact("app-2", 7));
    let error = claim(&second, "7").code(4).json_error();
    assert!(why(&error).contains("app-1"), "{error:#}");
    env.ao(&["kill", &first]).success();
    claim(&second, "7").success();
    assert_eq!(pr(&second), json!(7));
}

#[test]
fn what_the_forge_opened_is_in_the_record_at_once() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    forge(&env);
    let [first, second] = workers(&env, &repo);
    answer(&env, "create", &json!({ "pull_request": pull_request(7, "ao/app-1") }));
    let args = ["pr", "create", &first, "--title", "T", "--body", "-", "--base", "main", "--json"];
    let made = env.ao_stdin(&args, "two\nlines\n").success().json();
    assert_answer("PrAnswer", &made);
    let asked = crate::agents::json_lines(&env.path("forge/asked.jsonl")).pop().unwrap();
    assert_eq!((&asked["title"], &asked["body"]), (&json!("T"), &json!("two\nlines\n")));
    assert_eq!((&asked["base"], &asked["draft"]), (&json!("main"), &json!(false)));
    assert_eq!(env.record(&first)["lifecycle"]["pr"]["number"], 7);
    assert_eq!(env.ao(&["pr", "show", &second]).success().stdout, "app-2 has no pull request\n");

    answer(&env, "create", &json!({ "unsupported": true }));
    env.ao(&["pr", "create", &second]).code(2);
    answer(&env, "create", &json!("garbage"));
    env.ao(&["pr", "create", &second]).code(7);
    let stranger = pull_request(9, "feature");
    let all = json!({ "pull_requests": [pull_request(7, "ao/app-1"), stranger] });
    answer(&env, "pull_requests", &all);
    let listed = env.ao_in(&repo, &["pr", "ls", "--remote", "--json"]).success().json();
    assert_answer("PrsAnswer", &listed);
    let line = |pr: &Value| format!("{} {}", pr["number"], pr["session"].as_str().unwrap_or("-"));
    let lines: Vec<String> = listed["prs"].as_array().unwrap().iter().map(line).collect();
    assert_eq!(lines, ["7 app-1", "9 -"]);

    // Without a forge a branch is its own pull request.
    configure(&env, "");
    env.ao(&["pr", "create", &second]).code(2);
    env.ao_in(&repo, &["pr", "ls", "--remote"]).code(2);
    env.ao(&["pr", "show", &first]).success();
}

#[test]
fn asking_for_a_pull_request_that_is_open_forgets_nothing_of_it() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    forge(&env);
    let [first, second] = workers(&env, &repo);
    env.ao(&["kill", &second]).success();
    crate::agents::wait_status(&env, &first, "idle");
    answer(&env, "create", &json!({ "pull_request": pull_request(7, "ao/app-1") }));
    env.ao(&["pr", "create", &first]).success();
    let mut failing = fact("app-1", 7);
    failing["facts"]["app-1"]["ci"] = json!("failing");
    answer(&env, "observe", &failing);
    env.ao(&["reap"]).success();
    let before = env.record(&first);
    assert_eq!(before["lifecycle"]["pr"]["reason"], "ci_failing");
    let texts = || {
        let log = fs::read_to_string(env.session_directory(&first).unwrap().join("events.jsonl"));
        log.unwrap().matches("\"kind\":\"send\"").count()
    };
    assert_eq!(texts(), 1);

    env.ao(&["pr", "create", &first]).success();
    env.ao(&["reap"]).success();
    assert_eq!(env.record(&first)["lifecycle"]["pr"], before["lifecycle"]["pr"]);
    assert_eq!(texts(), 1);
}

#[test]
fn a_look_that_began_before_it_was_merged_does_not_open_it_again() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    forge(&env);
    let [first, _] = workers(&env, &repo);
    let state = || env.record(&first)["lifecycle"]["pr"]["state"].clone();
    answer(&env, "observe", &fact("app-1", 7));
    env.ao(&["reap"]).success();
    assert_eq!(state(), "open");
    // While the forge answers that its checks fail, somebody learns that it is merged.
    let mut failing = fact("app-1", 7);
    failing["facts"]["app-1"]["ci"] = json!("failing");
    answer(&env, "observe", &failing);
    let mut merged = pull_request(7, "ao/app-1");
    merged["state"] = json!("merged");
    answer(&env, "create", &json!({ "pull_request": merged }));
    let (ao, home) = (env!("CARGO_BIN_EXE_ao"), env.home());
    let meanwhile = format!("AO_HOME='{}' '{ao}' pr create {first}\n", home.display());
    fs::write(env.path("forge/meanwhile"), meanwhile).unwrap();
    env.ao(&["reap"]).success();
    assert!(env.path("forge/done").exists());
    assert_eq!(state(), "merged");
}
