//! Usage limits: how they show, and what tells an agent to go on after them.

use std::path::Path;
use std::time::Duration;

use ao::adapter::clock;
use ao::model::time::Timestamp;
use serde_json::{Value, json};

use crate::agents::{
    agent, configure, history, ledger, notices, pasted, spawn, status, told, wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

const TEXT: &str = "Your usage limit is over. Go on with your task where you stopped.";

/// Starts a session whose agent meets its limit at once, and whenever it is told `more`.
fn limited(env: &TestEnvironment, repo: &Path, resets: &str) -> String {
    let failure = format!("hook stop-failure {{\"error\":\"usage limit reached{resets}\"}}\n");
    agent(
        env,
        "busy",
        &format!(
            "hook session-start\nhook user-prompt-submit\n{failure}\
             read\nhook user-prompt-submit\n{failure}\
             loop {{\nread\nhook user-prompt-submit\nsay back to {{message}}\nhook stop\n}}\n"
        ),
    );
    let id = spawn(env, repo, &["--agent", "busy", "x"]);
    wait_status(env, &id, "stuck");
    id
}

/// Makes a pass as if it were that much later, and returns what was delivered.
fn reap_later(env: &TestEnvironment, minutes: u64) -> Vec<Value> {
    let later: Timestamp = clock::now().plus(Duration::from_secs(minutes * 60));
    let outcome = env.ao_env(&["reap", "--json"], &[("AO_TIMESTAMP", &later.to_string())]);
    let delivered = outcome.success().json()["reap"]["delivered"].clone();
    delivered.as_array().unwrap().clone()
}

fn session(env: &TestEnvironment, id: &str) -> Value {
    env.record(id)["lifecycle"]["session"].clone()
}

#[test]
fn a_limit_shows_with_its_end_and_is_an_exit_code() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = limited(&env, &repo, ", resets in 3 hours");
    let seen = session(&env, &id);
    assert_eq!((&seen["state"], &seen["reason"]), (&json!("stuck"), &json!("usage_limited")));
    let until: Timestamp = seen["until"].as_str().unwrap().parse().unwrap();
    assert!(until.since(clock::now()) > Duration::from_secs(2 * 3600), "{until}");

    env.ao(&["wait", &id]).code(23);
    let answer = env.ao_json(&["ls", "--json"]);
    assert_answer("SessionsAnswer", &answer);
    assert_eq!(answer["sessions"][0]["lifecycle"]["session"]["until"], seen["until"]);
    let shown = env.ao(&["status"]).success().stdout.clone();
    assert!(shown.contains("usage limit until "), "{shown}");
    assert!(shown.contains(" (in 2h)"), "{shown}");
    let shown = env.ao(&["show", &id]).success().stdout.clone();
    assert!(shown.starts_with("status: stuck, usage limit until "), "{shown}");
    // Nobody asked for more than to see it.
    assert_eq!(reap_later(&env, 500), Vec::<Value>::new());
    assert_eq!(ledger(&env, "busy"), b"");
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn after_its_end_the_agent_is_told_to_go_on_where_that_is_configured() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let notices_path = env.path("notices.jsonl");
    configure(
        &env,
        &format!(
            "[resume]\non_limit = true\nmax = 1\n[notifiers.log]\nkind = 'file'\npath = '{}'\n",
            notices_path.display()
        ),
    );
    let id = limited(&env, &repo, ", resets in 10 minutes");
    reap_later(&env, 9);
    assert_eq!(ledger(&env, "busy"), b"");
    let explained = env.ao(&["explain", &id]).success().stdout.clone();
    assert!(explained.contains("between 00:00-24:00, tells it to go on"), "{explained}");
    reap_later(&env, 12);
    assert_eq!(ledger(&env, "busy"), pasted(TEXT));
    // It met the limit again; one time was the most.
    wait_status(&env, &id, "stuck");
    reap_later(&env, 30);
    assert_eq!(ledger(&env, "busy"), pasted(TEXT));
    let told = told(&notices(&env));
    assert_eq!(told.last().unwrap(), &format!("{id} resume-after-limit urgent escalated"));
    reap_later(&env, 60);
    assert_eq!(notices(&env).len(), told.len());

    // A person's text gets through, and a turn that ends well is a new beginning.
    env.ao(&["send", &id, "go"]).success();
    wait_status(&env, &id, "idle");
    assert_eq!(env.record(&id)["reactions"], json!(null));
    assert_eq!(status(&env, &id), "idle");
    let history = history(&env, &id);
    assert!(history.iter().any(|line| line == "hook limit stuck"), "{history:?}");
    env.ao(&["log", &id, "--verify"]).success();
}
