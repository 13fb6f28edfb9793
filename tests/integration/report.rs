//! `ao report`: what an agent says of itself, and who hears it.

use serde_json::{Value, json};

use crate::agents::{
    agent, gate, ledger, notices, notify_by_file, open, spawn, status, told, wait_status,
};
use crate::env::{Outcome, TestEnvironment};
use crate::schema::{assert_answer, assert_record};

/// A session whose agent waits at its composer.
fn composed(env: &TestEnvironment) -> String {
    let repo = env.repo("app");
    agent(env, "chat", "hook session-start\nhook user-prompt-submit\nread\nread\n");
    let id = spawn(env, &repo, &["--agent", "chat", "x"]);
    wait_status(env, &id, "working");
    id
}

/// Runs `ao report` as the session's own agent would.
fn report(env: &TestEnvironment, id: &str, args: &[&str]) -> Outcome {
    let launch = env.record(id)["handles"]["launch"].as_str().unwrap().to_owned();
    report_of(env, id, &launch, args)
}

fn report_of(env: &TestEnvironment, id: &str, launch: &str, args: &[&str]) -> Outcome {
    let args: Vec<&str> = ["report"].iter().chain(args).copied().collect();
    env.ao_env(&args, &[("AO_SESSION", id), ("AO_LAUNCH", launch)])
}

#[test]
fn an_agent_says_from_its_session_how_it_gets_on() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "reported");
    let say = "run ao report needs-input --note \"which port?\" --pr https://forge.example/7";
    let script = format!(
        "hook session-start\nhook user-prompt-submit\n{say}\nhook post-tool-use\nhook stop\n{gate}\n\
         hook user-prompt-submit\nrun ao report completed --note \"all green\"\n{gate}\nread\n"
    );
    agent(&env, "teller", &script);
    let id = spawn(&env, &repo, &["--agent", "teller", "x"]);
    // The turn has ended by then; what it needs is still so.
    env.wait_record(&id, "turn ended", |it| it["lifecycle"]["activity"]["state"] == "idle");
    assert_eq!(status(&env, &id), "needs_input");
    let record = env.record(&id);
    assert_record(&record);
    assert_eq!(record["report"]["note"], "which port?");
    assert_eq!(record["report"]["pr"], "https://forge.example/7");
    let shown = env.ao(&["show", &id]).success().stdout;
    assert!(shown.contains("report.note: which port?\n"), "{shown}");
    let listed = env.ao_json(&["status", &id, "--json"]);
    assert_answer("SessionsAnswer", &listed);
    assert_eq!(listed["sessions"][0]["report"]["state"], "needs-input");
    env.ao(&["wait", &id]).code(20);

    open(&env, "reported");
    let record = env.wait_record(&id, "completed", |it| it["report"]["state"] == "completed");
    assert_eq!(record["report"]["pr"], "https://forge.example/7", "an address stays");
    let axes = &record["lifecycle"];
    assert_eq!(
        (&axes["session"]["state"], &axes["session"]["reason"]),
        (&json!("idle"), &json!("research_complete"))
    );
    assert_eq!(
        (&axes["activity"]["state"], &axes["activity"]["source"]),
        (&json!("ready"), &json!("native"))
    );
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn each_word_is_a_signal_and_none_claims_an_end() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    let id = composed(&env);
    for (word, wanted) in [
        ("started", "working"),
        ("waiting", "idle"),
        ("working", "working"),
        ("needs-input", "needs_input"),
        ("completed", "idle"),
    ] {
        let answer = report(&env, &id, &[word, "--json"]).success().json();
        assert_answer("ReportAnswer", &answer);
        assert_eq!(
            (&answer["report"]["state"], &answer["report"]["status"]),
            (&json!(word), &json!(wanted))
        );
        assert_eq!(status(&env, &id), wanted);
    }
    // The person hears of the need at once: no pass was made.
    assert_eq!(told(&notices(&env)), [format!("{id} agent-needs-input urgent")]);
    let before = env.record(&id);
    for word in ["done", "merged", "closed", "killed", "needs_input", ""] {
        report(&env, &id, &[word]).code(2);
    }
    for url in ["forge.example/7", "javascript:alert(1)", "https://me:secret@forge.example/7"] {
        let outcome = report(&env, &id, &["working", "--pr", url]).code(2);
        assert!(!outcome.stderr.contains("secret") && outcome.stderr.contains("hint: "));
    }
    let plan = report(&env, &id, &["working", "--dry-run", "--json"]).success().json();
    assert_answer("PlanAnswer", &plan);
    assert_eq!(env.record(&id), before);
}

#[test]
fn a_report_counts_from_the_sessions_own_launch_alone() {
    let env = TestEnvironment::new();
    let id = composed(&env);
    let before = env.record(&id);
    let launch = before["handles"]["launch"].as_str().unwrap().to_owned();
    let outside = env.ao(&["report", "working"]).code(3);
    assert!(outside.stderr.contains("hint: agents call it"), "{outside}");
    report_of(&env, &id, "", &["working"]).code(3);
    report_of(&env, "", &launch, &["working"]).code(3);
    report_of(&env, "../x", &launch, &["working"]).code(3);
    report_of(&env, "app-99", &launch, &["working"]).code(3);
    report_of(&env, &id, &"0".repeat(launch.len()), &["completed"]).code(4);
    assert_eq!(env.record(&id), before);
    env.ao(&["kill", &id]).success();
    let ended = env.record(&id);
    report_of(&env, &id, &launch, &["completed"]).code(4);
    assert_eq!(env.record(&id), ended);
}

#[test]
fn an_open_dialog_stays_open_and_the_note_is_kept() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "asker", "hook session-start\nhook permission-request\ndialog Sure? y\n");
    let id = spawn(&env, &repo, &["--agent", "asker", "x"]);
    wait_status(&env, &id, "needs_input");
    let answer = report(&env, &id, &["completed", "--note", "\u{1b}[31mdone\u{7}", "--json"]);
    let answer: Value = answer.success().json();
    assert_eq!(
        (&answer["report"]["rule"], &answer["report"]["status"]),
        (&json!("activity.held"), &json!("needs_input"))
    );
    let record = env.record(&id);
    assert_eq!(record["lifecycle"]["activity"]["state"], "blocked");
    assert_eq!(record["report"]["note"], "done");
    assert_eq!(ledger(&env, "asker"), b"");
}
