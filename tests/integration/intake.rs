//! Intake: `ao reap` starts sessions for issues with a label, and comments what was merged.

use std::fs;

use serde_json::{Value, json};

use crate::agents::{agent, notices, spawn, told, wait_status};
use crate::env::TestEnvironment;
use crate::issue::{IDLE, asked, issues, open_issue, tracker};
use crate::schema::assert_answer;

const INTAKE: &str = "[intake]\nlabel = \"ao\"\nagent = \"waiter\"\ninterval = \"0s\"\n";

fn with_notifier(env: &TestEnvironment, more: &str) -> String {
    let path = env.path("notices.jsonl");
    format!("{more}[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n", path.display())
}

/// Returns an environment with a repository for whose issues passes start sessions.
fn taking_in() -> TestEnvironment {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    tracker(&env, INTAKE);
    agent(&env, "waiter", IDLE);
    env.ao_in(&repo, &["project", "add"]).success();
    env
}

fn reap(env: &TestEnvironment) -> Value {
    let pass = env.ao_json(&["reap", "--json"]);
    assert_answer("ReapAnswer", &pass);
    pass["reap"].clone()
}

fn spawned(pass: &Value) -> Vec<String> {
    let line =
        |it: &Value| format!("{}: {}", it["id"].as_str().unwrap(), it["what"].as_str().unwrap());
    pass["spawned"].as_array().into_iter().flatten().map(line).collect()
}

fn questions(env: &TestEnvironment, op: &str) -> usize {
    asked(env).iter().filter(|question| question["op"] == op).count()
}

#[test]
fn issues_with_the_label_get_a_session_each_oldest_first_and_only_once() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    tracker(&env, &format!("{INTAKE}assignee = \"me\"\n"));
    agent(&env, "waiter", IDLE);
    env.ao_in(&repo, &["project", "add"]).success();
    let all: Vec<Value> = (1..=4).map(|n| open_issue(&n.to_string(), &format!("No {n}"))).collect();
    issues(&env, &all);
    // The caller's own secrets are not for a session that a pass starts.
    env.set("CALLERS_SECRET", "x");
    env.set("AO_AGENT", "nobody");
    let pass = reap(&env);
    assert_eq!(
        spawned(&pass),
        ["app-1: started for issue 1", "app-2: started for issue 2"],
        "{pass:#}"
    );
    env.unset("AO_AGENT");
    let query = json!({ "labels": ["ao"], "assignee": "me", "state": "open" });
    assert_eq!(asked(&env)[0]["query"], query);
    for id in ["app-1", "app-2"] {
        wait_status(&env, id, "idle");
        assert_eq!(env.record(id)["agent"], "waiter");
    }
    for pid in crate::agents::agents_alive(&env) {
        let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&variables).contains("CALLERS_SECRET"));
    }
    // As many as may live are there: nobody is asked.
    let before = asked(&env).len();
    assert_eq!(spawned(&reap(&env)), [""; 0]);
    assert_eq!(asked(&env).len(), before);
    // One that ended makes room for the next, and is not started again.
    env.ao(&["kill", "app-1"]).success();
    env.ao(&["cleanup", "app-1", "--yes"]).success();
    assert_eq!(spawned(&reap(&env)), ["app-3: started for issue 3"]);
    // Nor is one that a person gave to a session.
    let id = spawn(&env, &repo, &["--agent", "waiter", "--issue", "4"]);
    env.ao(&["kill", &id, "app-2", "app-3", "--yes"]).success();
    assert_eq!(spawned(&reap(&env)), [""; 0]);
    assert_eq!(env.ao_json(&["ls", "--all", "--json"])["sessions"].as_array().unwrap().len(), 4);
}

#[test]
fn without_a_label_nobody_is_asked_and_a_repository_cannot_switch_it_on() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    tracker(&env, "");
    agent(&env, "waiter", IDLE);
    env.ao_in(&repo, &["project", "add"]).success();
    issues(&env, &[open_issue("1", "One")]);
    assert_eq!(spawned(&reap(&env)), [""; 0]);
    fs::create_dir_all(repo.join(".ao")).unwrap();
    fs::write(repo.join(".ao/config.toml"), "[intake]\nlabel = \"ao\"\n").unwrap();
    assert_eq!(spawned(&reap(&env)), [""; 0]);
    assert!(env.ao_in(&repo, &["config", "show"]).code(2).stderr.contains("intake.label"));
    fs::remove_file(repo.join(".ao/config.toml")).unwrap();
    tracker(&env, &INTAKE.replace("[intake]", "[projects.other.intake]"));
    assert_eq!(spawned(&reap(&env)), [""; 0]);
    assert_eq!(asked(&env), [Value::Null; 0]);

    // The tracker is asked once in each interval.
    tracker(&env, "[projects.app.intake]\nlabel = \"ao\"\nagent = \"waiter\"\nmax_live = 5\n");
    env.at("2026-01-01T10:00:00Z");
    assert_eq!(spawned(&reap(&env)), ["app-1: started for issue 1"]);
    env.at("2026-01-01T10:00:59Z");
    reap(&env);
    assert_eq!(questions(&env, "issues"), 1);
    env.at("2026-01-01T10:01:00Z");
    reap(&env);
    assert_eq!(questions(&env, "issues"), 2);
}

#[test]
fn an_issue_that_cannot_be_read_stands_in_the_way_of_no_other() {
    let env = taking_in();
    issues(&env, &[open_issue("1", "One"), open_issue("2", "Two"), open_issue("3", "Three")]);
    fs::write(env.path("tracker/1.json"), "garbage").unwrap();
    fs::remove_file(env.path("tracker/2.json")).unwrap();
    let pass = reap(&env);
    assert_eq!(spawned(&pass), ["app-1: started for issue 3"], "{pass:#}");
    let failed = pass["failed"].as_array().unwrap().iter();
    let failed: Vec<&str> = failed.map(|it| it["what"].as_str().unwrap()).collect();
    assert_eq!(failed, ["read issue 1", "read issue 2"]);
    // It was not tried: it has all its attempts once it can be read.
    issues(&env, &[open_issue("1", "One")]);
    assert_eq!(spawned(&reap(&env)), ["app-2: started for issue 1"]);
}

#[test]
fn a_start_that_fails_is_tried_with_growing_pauses_and_told_once() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let config = with_notifier(&env, &INTAKE.replace("waiter", "broken"));
    tracker(&env, &config);
    env.ao_in(&repo, &["project", "add"]).success();
    issues(&env, &[open_issue("1", "One"), open_issue("2", "Two")]);
    let mut table = Vec::new();
    for (hour, minute) in
        [(10, 0), (10, 1), (10, 5), (10, 24), (10, 25), (11, 44), (11, 45), (20, 0)]
    {
        env.at(&format!("2026-01-01T{hour}:{minute:02}:00Z"));
        let pass = reap(&env);
        let failed: Vec<&str> = pass["failed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["what"].as_str().unwrap())
            .collect();
        assert_eq!(spawned(&pass), [""; 0]);
        table.push(format!(
            "{hour}:{minute:02} {} failed, {} told",
            failed.len(),
            notices(&env).len()
        ));
    }
    insta::assert_snapshot!(table.join("\n"), @r#"
    10:00 2 failed, 0 told
    10:01 0 failed, 0 told
    10:05 2 failed, 0 told
    10:24 0 failed, 0 told
    10:25 2 failed, 0 told
    11:44 0 failed, 2 told
    11:45 0 failed, 2 told
    20:00 0 failed, 2 told
    "#);
    assert_eq!(told(&notices(&env)), ["app intake action escalated"; 2]);
    let message = notices(&env)[0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("issue 1 of app") && message.contains("broken"), "{message}");
    assert_eq!(env.ao_json(&["ls", "--all", "--json"])["sessions"], json!([]));
}

#[test]
fn a_tracker_that_fails_is_told_and_starts_nothing() {
    let env = taking_in();
    fs::write(env.path("tracker/issues.json"), "garbage").unwrap();
    let pass = reap(&env);
    assert_eq!(
        (spawned(&pass).len(), pass["failed"].as_array().unwrap().len()),
        (0, 1),
        "{pass:#}"
    );
    // One that is listed and cannot be read has not been tried.
    issues(&env, &[open_issue("1", "One")]);
    fs::remove_file(env.path("tracker/1.json")).unwrap();
    for _ in 0..5 {
        assert_eq!(reap(&env)["failed"].as_array().unwrap().len(), 1);
    }
    issues(&env, &[open_issue("1", "One")]);
    assert_eq!(spawned(&reap(&env)), ["app-1: started for issue 1"]);
}

#[test]
fn a_pass_that_is_killed_at_its_intake_starts_one_session_in_the_end() {
    let env = taking_in();
    issues(&env, &[open_issue("1", "One")]);
    env.at("2026-01-01T10:00:00Z");
    for point in ["intake.begun", "spawn.seeded", "spawn.completed"] {
        let outcome = env.ao_env(&["reap"], &[("AO_FAILPOINT", &format!("{point}=kill"))]);
        assert_ne!(outcome.status, 0, "{point}");
        env.ao(&["reap"]).success();
        let live = env.ao_json(&["ls", "--json"])["sessions"].as_array().unwrap().len();
        if live == 1 {
            break;
        }
        // Its pause has to be over.
        let hour =
            11 + env.ao_json(&["ls", "--all", "--json"])["sessions"].as_array().unwrap().len();
        env.at(&format!("2026-01-01T{hour}:00:00Z"));
    }
    for hour in [15, 20] {
        env.at(&format!("2026-01-01T{hour}:00:00Z"));
        env.ao(&["reap"]).success();
    }
    let live = env.ao_json(&["ls", "--json"]);
    assert_eq!(live["sessions"].as_array().unwrap().len(), 1, "{live:#}");
}

#[test]
fn an_issue_whose_session_could_not_be_restored_goes_to_no_other() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    tracker(&env, "");
    agent(&env, "waiter", IDLE);
    issues(&env, &[open_issue("7", "Seven")]);
    let id = spawn(&env, &repo, &["--agent", "waiter", "--issue", "7"]);
    wait_status(&env, &id, "idle");
    env.ao(&["kill", &id]).success();
    let killed = [("AO_FAILPOINT", "restore.recorded=kill")];
    env.ao_env(&["restore", &id], &killed).code(128 + 9);
    env.ao(&["reap"]).success();
    let runtime = &env.record(&id)["lifecycle"]["runtime"];
    assert_eq!(runtime["reason"], "spawn_incomplete");

    tracker(&env, INTAKE);
    assert_eq!(spawned(&reap(&env)), [""; 0]);
    // One whose spawn was undone had nothing, and its issue is still to be done.
    issues(&env, &[open_issue("8", "Eight")]);
    let words = ["spawn", "--agent", "waiter", "--issue", "8"];
    let command = env.ao_command(&words).cwd(&repo).env("AO_FAILPOINT", "spawn.seeded=error:5");
    assert_ne!(env.run(&command).status, 0);
    assert_eq!(spawned(&reap(&env)), ["app-3: started for issue 8"]);
}

#[test]
fn what_a_newer_version_remembers_is_left_to_it() {
    let env = taking_in();
    issues(&env, &[open_issue("1", "One")]);
    let path = env.home().join("projects/app.intake.json");
    for (text, why) in [
        ("{\"schema\":2,\"issues\":{}}", "has schema 2, which a newer version of ao wrote"),
        ("{\"schema\":2,\"issues\":[]}", "has schema 2, which a newer version of ao wrote"),
        ("{\"schema\":1,\"issues\":[]}", "is damaged"),
    ] {
        fs::write(&path, text).unwrap();
        let pass = reap(&env);
        assert_eq!(spawned(&pass), [""; 0]);
        let failed = pass["failed"].as_array().unwrap();
        assert_eq!(failed.len(), 1, "{pass:#}");
        assert!(failed[0]["why"].as_str().unwrap().contains(why), "{text}: {failed:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

/// A session for issue 7 whose pull request is merged.
fn merge(env: &TestEnvironment) -> String {
    let repo = env.repo("app");
    agent(env, "waiter", IDLE);
    issues(env, &[open_issue("7", "Seven")]);
    let id = spawn(env, &repo, &["--agent", "waiter", "--issue", "7"]);
    let merged = json!({ "fetched": true, "pr": { "state": "merged", "number": 12,
        "url": "https://forge.example/octo/app/pull/12", "head_sha": "abc" } });
    for _ in 0..2 {
        env.ao_stdin(&["observe", "scm", &id], merged.to_string()).success();
    }
    id
}

#[test]
fn a_merge_is_told_in_the_issue_once_where_that_is_wanted() {
    let env = TestEnvironment::new();
    tracker(&env, "closing_comment = true\nclosing_text = \"{issue} done in {pr} by {id} {x}\"\n");
    let id = merge(&env);
    for _ in 0..3 {
        reap(&env);
    }
    let comments: Vec<Value> =
        asked(&env).into_iter().filter(|question| question["op"] == "comment").collect();
    let text = "7 done in https://forge.example/octo/app/pull/12 by app-1 {x}";
    assert_eq!(comments.len(), 1, "{comments:#?}");
    assert_eq!((&comments[0]["id"], &comments[0]["body"]), (&json!("7"), &json!(text)));
    assert_eq!(env.record(&id).get("outbox"), None);

    let env = TestEnvironment::new();
    tracker(&env, "");
    merge(&env);
    reap(&env);
    assert_eq!(questions(&env, "comment"), 0);
}

#[test]
fn a_comment_whose_outcome_is_unknown_is_told_to_a_person_and_not_repeated() {
    let env = TestEnvironment::new();
    let config = with_notifier(&env, "closing_comment = true\ntimeout = \"2s\"\n");
    tracker(&env, &config);
    merge(&env);
    let log = env.path("tracker/comments");
    env.shims(&[("tracker", &format!("cat >/dev/null; echo x >>'{}'; exit 1\n", log.display()))]);
    for _ in 0..3 {
        reap(&env);
    }
    assert_eq!(fs::read_to_string(&log).unwrap(), "x\n");
    let told = told(&notices(&env));
    let about: Vec<_> = told.iter().filter(|line| line.contains("closing-comment")).collect();
    assert_eq!(about, ["app-1 closing-comment urgent escalated"], "{told:?}");

    // What was refused has not arrived, and is tried again.
    let env = TestEnvironment::new();
    tracker(&env, "closing_comment = true\n");
    let id = merge(&env);
    env.shims(&[("tracker", "echo '{\"error\":{\"kind\":\"denied\",\"message\":\"no\"}}'\n")]);
    reap(&env);
    let outbox = env.record(&id)["outbox"].clone();
    let entry = outbox.as_object().unwrap().values().find(|it| it["kind"] == "comment").unwrap();
    assert_eq!((&entry["attempts"], entry.get("claim")), (&json!(1), None));
    // A tracker that asks for time has failed at nothing, however often.
    let env = TestEnvironment::new();
    let config = with_notifier(&env, "closing_comment = true\n");
    tracker(&env, &config);
    env.at("2026-01-01T10:00:00Z");
    let id = merge(&env);
    env.shims(&[("tracker", "echo '{\"error\":{\"kind\":\"rate_limited\"}}'\n")]);
    for hour in 11..20 {
        env.at(&format!("2026-01-01T{hour}:00:00Z"));
        reap(&env);
    }
    let outbox = env.record(&id)["outbox"].clone();
    let entry = outbox.as_object().unwrap().values().find(|it| it["kind"] == "comment").unwrap();
    assert!(
        entry.get("attempts").is_none_or(|it| *it == 0) && entry.get("dead").is_none(),
        "{entry}"
    );
}
