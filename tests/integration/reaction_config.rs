//! Reactions as a person configures them: for one project, with texts, commands and readers of
//! their own.

use std::fs;

use serde_json::{Value, json};

use crate::agents::{
    agent, configure, heard, json_lines, ledger, listening, notices, spawn, status, told,
    wait_activity, wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

/// Configures a file notifier, no forge, and `rest`.
fn configured(env: &TestEnvironment, rest: &str) {
    let path = env.path("notices.jsonl");
    let notifier = format!("[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n", path.display());
    configure(env, &format!("[scm]\nkind = \"none\"\n{notifier}{rest}"));
}

fn wait_heard(env: &TestEnvironment, id: &str, words: &str) -> String {
    env.wait_for(words, || Some(heard(env, id)).filter(|text| text.contains(words)))
}

fn fails(env: &TestEnvironment, id: &str, head: &str) {
    let fact = json!({ "fetched": true, "ci": "failing",
        "pr": { "state": "open", "number": 7, "url": "https://f/7", "head_sha": head },
        "checks": [{ "name": "build", "conclusion": "failure" }] });
    env.ao_stdin(&["observe", "scm", id], fact.to_string()).success();
}

fn passes(env: &TestEnvironment, id: &str, head: &str) {
    let fact = json!({ "fetched": true, "ci": "passing",
        "pr": { "state": "open", "number": 7, "head_sha": head } });
    env.ao_stdin(&["observe", "scm", id], fact.to_string()).success();
}

fn reap(env: &TestEnvironment) -> Value {
    env.ao_json(&["reap", "--json"])["reap"].clone()
}

fn reasons(env: &TestEnvironment, id: &str) -> Vec<String> {
    let events = env.events(id).into_iter();
    events.filter_map(|event| Some(event["reason"].as_str()?.to_owned())).collect()
}

#[test]
fn a_project_can_differ_and_the_person_wins_over_its_repository() {
    let env = TestEnvironment::new();
    configured(&env, "");
    let (web, api) = (env.repo("web"), env.repo("api"));
    for repo in [&web, &api] {
        fs::create_dir_all(repo.join(".ao")).unwrap();
        let text = "[reactions.ci-failed]\nretries = 7\nmessage = 'theirs'\n";
        fs::write(repo.join(".ao/config.toml"), text).unwrap();
    }
    let (w, a) = (listening(&env, &web, "w", ""), listening(&env, &api, "a", ""));
    let unknown = ["config", "set", "--project", "wbe", "reactions.ci-failed.retries", "0"];
    env.ao(&unknown).code(3);
    let set = ["config", "set", "--project", "web", "reactions.ci-failed.retries", "0", "--json"];
    assert_answer("ConfigAnswer", &env.ao_json(&set));
    let home_wide = env.ao(&["config", "set", "--project", "web", "max_sessions", "1"]).code(2);
    let why = "`projects.web.max_sessions` is one for the whole home";
    assert!(home_wide.stderr.contains(why), "{home_wide}");

    let shown = env.ao_json(&["config", "show", "--origin", "--project", "web", "--json"]);
    assert_answer("ConfigAnswer", &shown);
    let retries = &shown["config"]["reactions.ci-failed.retries"];
    assert_eq!(retries["value"], 0);
    assert!(retries["origin"].as_str().unwrap().ends_with("config.toml [projects.web]"));
    let origin = shown["config"]["reactions.ci-failed.message"]["origin"].as_str().unwrap();
    assert!(origin.ends_with("web/.ao/config.toml"), "{origin}");
    let get = |args: &[&str]| {
        let args = [&["config", "get", "reactions.ci-failed.retries"], args].concat();
        env.ao_in(&web, &args).success().stdout
    };
    assert_eq!((get(&[]).as_str(), get(&["--project", "api"]).as_str()), ("0\n", "7\n"));

    for id in [&w, &a] {
        fails(&env, id, "a1");
    }
    reap(&env);
    assert_eq!(told(&notices(&env)), [format!("{w} ci-failed urgent escalated")]);
    assert_eq!(wait_heard(&env, &a, "theirs"), "theirs\n");
    assert_eq!(heard(&env, &w), "");
}

#[test]
fn a_text_of_ones_own_has_variables_and_a_wrong_one_is_refused() {
    let env = TestEnvironment::new();
    let text = "{id} of {project}: try {attempt}, {{{number}}} on {branch}";
    configured(&env, &format!("[reactions.ci-failed]\nmessage = \"{text}\"\n"));
    let repo = env.repo("app");
    let id = listening(&env, &repo, "w", "");
    fails(&env, &id, "a1");
    reap(&env);
    assert_eq!(wait_heard(&env, &id, "try"), "w of app: try 1, {7} on ao/w\n");

    let refused =
        env.ao(&["config", "set", "reactions.ci-failed.message", "at {shaa}: {log}"]).code(2);
    for words in ["`reactions.ci-failed.message` must be", "{sha}", "{comments}", "`{{` is a brace"]
    {
        assert!(refused.stderr.contains(words), "{words}: {refused}");
    }
    let reference = env.ao(&["config", "reference"]).success().stdout;
    assert!(reference.contains("# {log}: the end of the failing log, quoted in a fence\n"));
    for (key, value, words) in [
        ("reactions.ci-failed.action", "run", "is `run`, which needs `command`; set that first"),
        ("reactions.pr-closed.action", "merge", "which only `approved-and-green` can do"),
        ("reactions.agent-stuck.after", "5m", "counts for `agent-idle` alone"),
        ("reactions.ci-failed.to", "everybody", "\"self\", \"parent\", \"orchestrator\""),
    ] {
        let refused = env.ao(&["config", "set", key, value]).code(2);
        assert!(refused.stderr.contains(words), "{words}: {refused}");
    }
}

/// A command that notes what it reads and its variables, and then goes on as `rest` says.
fn command(env: &TestEnvironment, rest: &str) -> String {
    let (input, vars) = (env.path("input.jsonl"), env.path("variables"));
    let script = format!(
        "cat >>{}; echo $AO_SESSION $AO_PROJECT $AO_REACTION $AO_STATUS $AO_PR_NUMBER $AO_PR_URL \
         $AO_PR_HEAD >>{}; {rest}",
        input.display(),
        vars.display()
    );
    format!("[reactions.ci-failed]\naction = 'run'\ncommand = {}\n", json!(["sh", "-c", script]))
}

fn runs(env: &TestEnvironment) -> usize {
    fs::read_to_string(env.path("variables")).unwrap_or_default().lines().count()
}

#[test]
fn a_command_reads_the_reaction_and_finds_its_claim_in_the_record() {
    let env = TestEnvironment::new();
    let claim = env.path("claim");
    let look = "grep -c '\"claim\": ' $AO_HOME/sessions/$AO_SESSION/session.json";
    configured(&env, &command(&env, &format!("{look} >{}", claim.display())));
    let repo = env.repo("app");
    let id = listening(&env, &repo, "w", "");
    fails(&env, &id, "a1");
    assert_eq!(reap(&env)["delivered"].as_array().unwrap().len(), 1);
    let read = &json_lines(&env.path("input.jsonl"))[0];
    for (key, value) in [
        ("session", json!("w")),
        ("project", json!("app")),
        ("reaction", json!("ci-failed")),
        ("signature", json!("build@a1")),
        ("status", json!("ci_failed")),
        ("branch", json!("ao/w")),
    ] {
        assert_eq!(read[key], value, "{read:#}");
    }
    assert_eq!((&read["pr"]["number"], &read["pr"]["head_sha"]), (&json!(7), &json!("a1")));
    assert!(read["message"].as_str().unwrap().starts_with("w: checks fail on"), "{read:#}");
    let variables = fs::read_to_string(env.path("variables")).unwrap();
    assert_eq!(variables, "w app ci-failed ci_failed 7 https://f/7 a1\n");
    assert_eq!(fs::read_to_string(&claim).unwrap(), "1\n", "it was claimed before it was begun");
    // The same incident is over; another head is another one.
    fails(&env, &id, "a1");
    reap(&env);
    assert_eq!(runs(&env), 1);
    fails(&env, &id, "a2");
    reap(&env);
    assert_eq!((runs(&env), heard(&env, &id)), (2, String::new()));
}

#[test]
fn rule_0_a_command_whose_end_nobody_saw_is_told_and_not_repeated() {
    for (point, begun) in [("deliver.claimed", 0), ("deliver.done", 1)] {
        let env = TestEnvironment::new();
        configured(&env, &command(&env, "true"));
        let repo = env.repo("app");
        let id = listening(&env, &repo, "w", "");
        fails(&env, &id, "a1");
        let killed = env.ao_env(&["reap"], &[("AO_FAILPOINT", &format!("{point}=kill"))]);
        assert_eq!(killed.status, 137, "{killed}");
        for _ in 0..3 {
            reap(&env);
        }
        assert_eq!(runs(&env), begun, "{point}");
        assert_eq!(told(&notices(&env)), [format!("{id} ci-failed urgent escalated")]);
        let message = notices(&env)[0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("its delivery was cut short"), "{message}");
    }
}

#[test]
fn rule_1_a_command_that_fails_is_tried_five_times_and_a_person_is_told_once() {
    let env = TestEnvironment::new();
    let rest = "echo narrates; echo \"the end\u{1b}[31m\" >&2; exit 3";
    configured(&env, &command(&env, rest));
    let repo = env.repo("app");
    env.at("2026-01-01T00:00:00Z");
    let id = listening(&env, &repo, "w", "");
    fails(&env, &id, "a1");
    for hour in 0..10 {
        env.at(&format!("2026-01-01T{hour:02}:00:00Z"));
        reap(&env);
    }
    assert_eq!(runs(&env), 5);
    let failed = reasons(&env, &id);
    let failed = failed.iter().find(|reason| reason.contains("failed: ")).unwrap();
    assert!(failed.ends_with("failed: `sh` exited 3: the end"), "{failed:?}");
    assert_eq!(told(&notices(&env)), [format!("{id} ci-failed action")]);
    let message = notices(&env)[0]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("ci-failed: the command failed: `sh` exited 3: the end"),
        "{message}"
    );

    let dead = env.ao_json(&["outbox", "ls", &id, "--dead", "--json"]);
    assert_answer("OutboxAnswer", &dead);
    let key = dead["outbox"][0]["key"].as_str().unwrap().to_owned();
    let plan = env.ao_json(&["outbox", "drop", &id, "--dead", "--dry-run", "--json"]);
    assert_answer("PlanAnswer", &plan);
    let listed = env.ao(&["outbox", "ls"]).success();
    assert!(listed.stderr.contains("`ao outbox retry --dead`"), "{listed}");
    env.ao(&["outbox", "drop", &id, &key, "9.nothing"]).code(3);
    let dropped = env.ao_json(&["outbox", "drop", &id, "--dead", "--json"]);
    assert_answer("OutboxAnswer", &dropped);
    assert_eq!(dropped["outbox"][0]["key"], json!(key));
    assert!(env.ao(&["outbox", "ls"]).success().stderr.contains("nothing waits"));
    assert!(env.ao(&["outbox", "retry", "--dead"]).success().stderr.contains("nothing to try"));
}

#[test]
fn a_command_that_stays_is_ended_with_all_it_started() {
    let env = TestEnvironment::new();
    let pids = env.path("pids");
    let rest = format!("sleep 300 & echo $! $$ >{}; wait", pids.display());
    configured(&env, &format!("{}timeout = '300ms'\n", command(&env, &rest)));
    let repo = env.repo("app");
    let id = listening(&env, &repo, "w", "");
    fails(&env, &id, "a1");
    let failed = reap(&env)["failed"].clone();
    assert_eq!(failed[0]["why"], "`sh` did not end within 300ms");
    let pids = fs::read_to_string(&pids).unwrap();
    for pid in pids.split_whitespace() {
        env.wait_for("its end", || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (state.is_empty() || state.contains(") Z ")).then_some(())
        });
    }
    assert_eq!(status(&env, &id), "ci_failed");
}

#[test]
fn rule_5_one_that_fails_stops_no_other() {
    let env = TestEnvironment::new();
    let bad = "[notifiers.bad]\nkind = 'command'\ncommand = ['false']\n\
               [reactions.ci-failed]\naction = 'run'\ncommand = ['no-such-program-anywhere']\n";
    configured(&env, bad);
    let repo = env.repo("app");
    let ids = ["a", "b", "c"].map(|id| listening(&env, &repo, id, ""));
    fails(&env, &ids[0], "a1");
    fails(&env, &ids[1], "a1");
    env.ao(&["kill", "c"]).success();
    let broken = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "exit 3"]);
    wait_status(&env, &broken, "errored");
    env.ao(&["send", "--queue", &ids[1], "a person's words"]).success();
    let pass = reap(&env);
    let mut failed: Vec<&str> = pass["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["a", "app-1", "b"]);
    assert_eq!(told(&notices(&env)), [format!("{broken} agent-errored urgent")]);
    wait_heard(&env, &ids[1], "a person's words");
}

#[test]
fn a_reaction_can_address_the_parent_and_else_a_person_is_told() {
    let env = TestEnvironment::new();
    configured(&env, "[reactions.ci-failed]\nto = 'parent'\n");
    let repo = env.repo("app");
    let parent = listening(&env, &repo, "lead", "");
    let child = listening(&env, &repo, "hand", "lead");
    let orphan = listening(&env, &repo, "orphan", "");
    fails(&env, &child, "a1");
    fails(&env, &orphan, "a1");
    reap(&env);
    let text = wait_heard(&env, &parent, "To instruct it: `ao send hand TEXT`");
    assert_eq!(text.matches("hand: checks fail on pull request #7").count(), 1, "{text}");
    assert_eq!(told(&notices(&env)), [format!("{orphan} ci-failed action")]);
    // What is over by then is not handed over.
    fails(&env, &child, "a2");
    passes(&env, &child, "a2");
    reap(&env);
    // One whose parent has ended is a person's.
    env.ao(&["kill", &parent]).success();
    fails(&env, &child, "a3");
    reap(&env);
    reap(&env);
    assert_eq!(
        told(&notices(&env)),
        [format!("{orphan} ci-failed action"), format!("{child} ci-failed action")]
    );
    let message = notices(&env)[1]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("ci-failed: could not be given to lead: lead is killed"),
        "{message}"
    );
    assert_eq!(heard(&env, &parent).matches("checks fail on").count(), 1);
    for id in [&child, &orphan] {
        assert_eq!(heard(&env, id), "");
        assert_eq!(env.record(id).get("outbox"), None);
    }
}

#[test]
fn a_reaction_for_the_orchestrator_killed_at_any_step_arrives_once() {
    let points =
        ["deliver.claimed", "notice.taken", "deliver.done", "store.append#2", "store.append#3"];
    for point in points {
        let env = TestEnvironment::new();
        configured(&env, "[reactions.ci-failed]\nto = 'orchestrator'\n");
        let repo = env.repo("app");
        let id = listening(&env, &repo, "w", "");
        fails(&env, &id, "a0");
        reap(&env);
        assert_eq!(told(&notices(&env)), [format!("{id} ci-failed action")], "nobody leads");
        passes(&env, &id, "a0");
        let turn = "read\nhook user-prompt-submit\nsay answer\nhook stop\n";
        agent(&env, "lead", &format!("hook user-prompt-submit\nhook stop\nloop {{\n{turn}}}\n"));
        let lead = env.ao_in(&repo, &["orchestrator", "--agent", "lead"]).success();
        let lead = lead.stdout.trim_end().to_owned();
        wait_activity(&env, &lead, "idle");
        fails(&env, &id, "a1");
        let killed = env.ao_env(&["reap"], &[("AO_FAILPOINT", &format!("{point}=kill"))]);
        assert_eq!(killed.status, 137, "{point}: {killed}");
        for _ in 0..3 {
            reap(&env);
            wait_activity(&env, &lead, "idle");
        }
        let text = String::from_utf8(ledger(&env, "lead")).unwrap();
        assert_eq!(text.matches("w: checks fail on pull request #7").count(), 1, "{point}: {text}");
        let took = reasons(&env, &lead).iter().filter(|it| it.starts_with("took w.")).count();
        assert_eq!(took, 1, "{point}: {}", env.state());
        assert!(!env.record(&id)["outbox"].to_string().contains("relay"), "{point}");
    }
}
