//! Storms and loops, end to end: what agents read and people are told is exactly what the table
//! of reactions says, and is told once.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::agents::{
    self, agent, configure, ledger, listening, notices, spawn, told, wait_activity, wait_status,
};
use crate::env::TestEnvironment;

/// The forge is played by the test alone.
const NO_FORGE: &str = "[scm]\nkind = \"none\"\n";

fn notify_by_file(env: &TestEnvironment) {
    let path = env.path("notices.jsonl");
    let notifier = format!("[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n", path.display());
    configure(env, &format!("{NO_FORGE}{notifier}"));
}

/// Returns how many lines with `words` in them the agent has read.
fn heard(env: &TestEnvironment, id: &str, words: &str) -> usize {
    agents::heard(env, id).lines().filter(|line| line.contains(words)).count()
}

fn observe(env: &TestEnvironment, id: &str, fact: &Value) {
    env.ao_stdin(&["observe", "scm", id], fact.to_string()).success();
}

fn ci(state: &str, head: &str) -> Value {
    let conclusion = if state == "failing" { "failure" } else { "success" };
    json!({ "fetched": true, "pr": { "state": "open", "number": 7, "head_sha": head },
        "ci": state, "checks": [{ "name": "build", "conclusion": conclusion }] })
}

fn reap(env: &TestEnvironment) -> Value {
    env.ao_json(&["reap", "--json"])["reap"].clone()
}

#[test]
fn ci_that_flaps_twenty_times_is_two_texts_and_one_notice() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    let repo = env.repo("app");
    let turn = "read\nhook user-prompt-submit\nsay answer\nhook stop\n";
    agent(&env, "chat", &format!("hook user-prompt-submit\nhook stop\nloop {{\n{turn}}}\n"));
    let id = spawn(&env, &repo, &["--agent", "chat", "x"]);
    wait_status(&env, &id, "idle");
    for flap in 0..20 {
        observe(&env, &id, &ci("failing", &format!("abc{flap}")));
        reap(&env);
        wait_activity(&env, &id, "idle");
        observe(&env, &id, &ci("pending", &format!("abc{flap}")));
    }
    let text = String::from_utf8(ledger(&env, "chat")).unwrap();
    // Two retries of the table; the third failure is a person's, and the others nobody's.
    assert_eq!(text.matches("Checks fail on pull request #7").count(), 2, "{text}");
    assert_eq!(text.matches("\u{1b}[200~").count(), 2, "{text}");
    assert_eq!(told(&notices(&env)), [format!("{id} ci-failed urgent escalated")]);
    assert_eq!(env.record(&id).get("outbox"), None);
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn five_sessions_that_fail_in_one_pass_each_hear_of_their_own() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    let repo = env.repo("app");
    let ids: Vec<String> =
        (1..=5).map(|number| listening(&env, &repo, &format!("w{number}"), "")).collect();
    for id in &ids {
        observe(&env, id, &ci("failing", &format!("head-of-{id}")));
    }
    assert_eq!(reap(&env)["delivered"].as_array().unwrap().len(), 5);
    assert_eq!(reap(&env)["delivered"], json!([]));
    for id in &ids {
        env.wait_for("the text", || (heard(&env, id, "Checks fail on") == 1).then_some(()));
        assert_eq!(heard(&env, id, &format!("head-of-{id}")), 1);
        assert_eq!(heard(&env, id, "head-of-"), 1, "nobody hears of another's");
    }
    assert_eq!(told(&notices(&env)), [""; 0]);
}

/// A notifier that is down, and one that works beside it, for a whole day of passes.
#[test]
fn a_notifier_that_is_down_for_a_day_costs_five_calls_and_loses_nothing() {
    let env = TestEnvironment::new();
    let (calls, up, got) = (env.path("calls"), env.path("up"), env.path("got.jsonl"));
    let script = format!(
        "echo call >>{}; [ -e {} ] || exit 1; cat >>{}",
        calls.display(),
        up.display(),
        got.display()
    );
    let config = format!(
        "{NO_FORGE}[notifiers.down]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\n\
         [notifiers.log]\nkind = \"file\"\npath = \"{}\"\n",
        env.path("notices.jsonl").display()
    );
    configure(&env, &config);
    let repo = env.repo("app");
    env.at("2026-01-01T00:00:00Z");
    let ids: Vec<String> = (0..3)
        .map(|_| spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "exit 3"]))
        .collect();
    for id in &ids {
        wait_status(&env, id, "errored");
    }
    let count = |path: &Path| fs::read_to_string(path).unwrap_or_default().lines().count();
    for half_hour in 0..48 {
        env.at(&format!("2026-01-01T{:02}:{:02}:00Z", half_hour / 2, half_hour % 2 * 30));
        reap(&env);
    }
    // Five failures each, a minute and then twice as long apart; every pass after that is silent.
    assert_eq!(count(&calls), 3 * 5);
    let expected: Vec<String> = ids.iter().map(|id| format!("{id} agent-errored urgent")).collect();
    let sorted = |path: &Path| {
        let mut lines = told(&agents::json_lines(path));
        lines.sort();
        lines
    };
    // The other one has each once, and once the word that the first has not got it.
    let twice: Vec<String> =
        expected.iter().flat_map(|line| [line.clone(), line.clone()]).collect();
    assert_eq!(sorted(&env.path("notices.jsonl")), twice);
    assert_eq!(
        env.ao_json(&["outbox", "ls", "--dead", "--json"])["outbox"].as_array().unwrap().len(),
        3
    );

    // It is up again: a person's word delivers what was given up, each once and to it alone.
    fs::write(&up, "").unwrap();
    env.at("2026-01-02T00:00:00Z");
    reap(&env);
    assert_eq!(count(&calls), 3 * 5);
    env.ao(&["outbox", "retry", "--dead"]).success();
    env.ao(&["outbox", "retry", "--dead"]).success();
    reap(&env);
    assert_eq!((sorted(&got), count(&calls)), (expected.clone(), 3 * 5 + 3));
    assert_eq!(sorted(&env.path("notices.jsonl")), twice);
    assert_eq!(env.ao_json(&["outbox", "ls", "--json"])["outbox"], json!([]));
}

/// Kills a pass on the way of every delivery of a CI that flaps.
#[test]
fn a_flap_during_which_every_pass_is_killed_types_nothing_twice() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    let repo = env.repo("app");
    let id = listening(&env, &repo, "w1", "");
    // Where a pass dies, whether the text was typed by then, and whether anybody can know.
    let points = [
        ("deliver.claimed", 0, 1),
        ("deliver.done", 1, 1),
        // The claim itself: neither its event nor its record was written, or both count.
        ("store.append#1", 1, 0),
        ("store.record#1", 0, 1),
        // What came of it: the text was typed, and its end was not written.
        ("store.append#2", 1, 1),
        ("store.record#2", 1, 0),
    ];
    let (mut typed, mut asked) = (0, 0);
    for (round, (point, types, tells)) in points.iter().cycle().take(18).enumerate() {
        let head = format!("abc{round}x");
        observe(&env, &id, &ci("failing", &head));
        let killed = env.ao_env(&["reap"], &[("AO_FAILPOINT", &format!("{point}=kill"))]);
        assert_eq!(killed.status, 137, "{point}: {killed}");
        reap(&env);
        reap(&env);
        typed += types;
        asked += tells;
        env.wait_for(&format!("{typed} texts at {point}"), || {
            (heard(&env, &id, "Checks fail on") == typed).then_some(())
        });
        assert_eq!(notices(&env).len(), asked, "{point}: {}", env.state());
        assert_eq!(heard(&env, &id, &head), *types, "{point}");
        // Passing checks give the budget back, so that each round is an incident of its own.
        observe(&env, &id, &ci("passing", &head));
        assert_eq!(env.record(&id).get("outbox"), None, "{point}");
    }
    let ids: Vec<Value> = notices(&env).iter().map(|notice| notice["id"].clone()).collect();
    let once: std::collections::BTreeSet<String> = ids.iter().map(Value::to_string).collect();
    assert_eq!(once.len(), ids.len(), "each under an id of its own");
    env.ao(&["log", &id, "--verify"]).success();
}
