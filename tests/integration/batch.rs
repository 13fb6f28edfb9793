//! Batches: a session for each line of a file, for each issue of a query.

use serde_json::{Value, json};

use crate::agents::{agent, configure};
use crate::env::TestEnvironment;
use crate::issue::{IDLE, asked, issues, open_issue, tracker};
use crate::schema::assert_answer;

fn words(answer: &Value, list: &str, word: impl Fn(&Value) -> String) -> Vec<String> {
    answer[list].as_array().into_iter().flatten().map(word).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns `<id> <issue>` of every session and `<line> <issue> <kind>` of every failure.
fn result(answer: &Value) -> (Vec<String>, Vec<String>) {
    let session = |it: &Value| format!("{} {}", text(&it["id"]), text(&it["issue"]));
    let failed = |it: &Value| {
        format!("{} {} {}", it["line"], text(&it["issue"]), text(&it["error"]["kind"]))
    };
    (words(answer, "sessions", session), words(answer, "failed", failed))
}

#[test]
fn lines_with_issues_are_fetched_and_a_repetition_starts_nothing_twice() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    tracker(&env, "");
    agent(&env, "waiter", IDLE);
    let mut closed = open_issue("9", "Closed");
    closed["state"] = json!("closed");
    issues(&env, &[open_issue("7", "Seven"), open_issue("8", "Eight"), closed]);
    let lines = "{\"issue\":\"7\",\"prompt\":\"first\"}\n{\"issue\":\"9\"}\n\n{\"issue\":\"404\"}\n{\"issue\":\"8\"}\n";
    let run = |more: &[&str]| {
        let args = ["spawn", "--agent", "waiter", "--batch", "-", "--json"];
        let command = env.ao_command(&[&args[..], more].concat()).cwd(&repo).stdin(lines);
        env.run(&command)
    };
    let plan = run(&["--dry-run"]).code(4).json();
    assert_answer("PlanAnswer", &plan);
    let ops = words(&plan, "plan", |step| text(&step["op"]));
    let ops: Vec<&str> = ops.iter().filter_map(|op| op.split(" /").next()).collect();
    assert_eq!(
        ops,
        [
            "record session app-1",
            "create worktree",
            "fill it by copying",
            "start waiter in tmux",
            "leave line 2 out",
            "leave line 4 out",
            "record session app-2",
            "create worktree",
            "fill it by copying",
            "start waiter in tmux",
        ]
    );
    let outcome = run(&[]).code(4);
    let answer = outcome.json();
    assert_answer("SessionsAnswer", &answer);
    let (sessions, failed) = result(&answer);
    assert_eq!(sessions, ["app-1 7", "app-2 8"]);
    assert_eq!(failed, ["2 9 conflict", "4 404 not_found"]);
    assert_eq!(answer["sessions"][1]["title"], "Eight");

    let (sessions, failed) = result(&run(&[]).code(4).json());
    assert_eq!(sessions, [""; 0]);
    assert_eq!(failed, ["1 7 conflict", "2 9 conflict", "4 404 not_found", "5 8 conflict"]);
}

#[test]
fn issues_of_a_query_get_a_session_each_and_those_at_work_are_left_alone() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    tracker(&env, "");
    agent(&env, "waiter", IDLE);
    let all: Vec<Value> = (1..=5).map(|n| open_issue(&n.to_string(), &format!("No {n}"))).collect();
    issues(&env, &all);
    let run = |more: &[&str]| {
        let args = ["spawn", "--agent", "waiter", "--batch", "--label", "bug", "--json"];
        env.ao_in(&repo, &[&args[..], more].concat())
    };
    let plan = run(&["--limit", "2", "--dry-run"]).success().json();
    assert_eq!(plan["plan"].as_array().unwrap().len(), 8);
    let answer = run(&["--limit", "2", "--assignee", "none"]).success().json();
    assert_answer("SessionsAnswer", &answer);
    assert_eq!(result(&answer).0, ["app-1 1", "app-2 2"]);
    let query = json!({ "labels": ["bug"], "assignee": "none" });
    assert!(asked(&env).iter().any(|question| question["query"] == query), "{:#?}", asked(&env));

    // Again: those are left alone, and the limit is for others.
    let answer = run(&["--limit", "2"]).success().json();
    assert_answer("SessionsAnswer", &answer);
    assert_eq!(result(&answer).0, ["app-3 3", "app-4 4"]);
    assert_eq!(words(&answer, "skipped", |it| text(&it["issue"])), ["1", "2"]);
    assert_eq!(answer["skipped"][0]["why"], "app-1 works on it already");

    // No more sessions than are allowed; the others are told.
    tracker(&env, "");
    let text = std::fs::read_to_string(env.path("user/config/ao/config.toml")).unwrap();
    configure(&env, &format!("max_sessions = 4\n{text}"));
    let answer = run(&[]).code(4).json();
    assert_eq!(result(&answer).1, ["1 5 conflict"]);

    // Which issues has to be said, and only there.
    let refused = env.ao_in(&repo, &["spawn", "--agent", "waiter", "--batch"]).code(2);
    assert!(refused.stderr.contains("--label"), "{refused}");
    env.ao_in(&repo, &["spawn", "--agent", "waiter", "--label", "bug", "x"]).code(2);
    env.ao_in(&repo, &["spawn", "--batch", "tasks.jsonl", "--label", "bug"]).code(2);
    env.ao_in(&repo, &["spawn", "--agent", "waiter", "--count", "2", "--limit", "1", "x"]).code(2);
}

#[test]
fn many_at_once_are_told_in_order_and_one_that_fails_stops_no_other() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let line = |number: usize| match number {
        3 => json!({"prompt": "exec sleep 600", "base": "no-such-base"}),
        5 | 6 => json!({"prompt": "exec sleep 600", "branch": "own"}),
        8 => json!({"prompt": "exec sleep 600", "id": "named"}),
        _ => json!({"prompt": format!("echo {number} >told; exec sleep 600")}),
    };
    let lines: String = (1..=12).map(|number| format!("{}\n", line(number))).collect();
    let args = ["spawn", "--agent", "shell", "--batch", "-", "--json"];
    let answer = env.run(&env.ao_command(&args).cwd(&repo).stdin(lines)).code(3).json();
    assert_answer("SessionsAnswer", &answer);
    let ids = words(&answer, "sessions", |session| text(&session["id"]));
    let expected = ["1", "2", "3", "4", "5", "named", "6", "7", "8", "9"];
    let expected =
        expected.map(|it| if it == "named" { it.to_owned() } else { format!("app-{it}") });
    assert_eq!(ids, expected);
    let (_, failed) = result(&answer);
    assert_eq!(failed, ["3 null not_found", "6 null conflict"]);
    assert_eq!(env.record("app-4")["handles"]["workspace"]["branch"], "own");

    // Each has what its own line says, and all of them run.
    let told = |id: &str| {
        let path = env.home().join("worktrees/app").join(id).join("told");
        let text = || std::fs::read_to_string(&path).ok().filter(|text| !text.is_empty());
        env.wait_for("the agent to write", text)
    };
    assert_eq!((told("app-1").trim(), told("app-9").trim()), ("1", "12"));
    let status = env.ao_json(&["status", "--json"]);
    assert_eq!(status["sessions"].as_array().unwrap().len(), 10);
    env.ao_in(&repo, &["doctor", "--state"]).success();
}

#[test]
fn a_line_that_fails_takes_no_branch_from_another() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let lines = "{\"branch\":\"x\",\"agent\":\"nope\"}\n{\"branch\":\"x\",\"prompt\":\"true\"}\n";
    let args = ["spawn", "--agent", "shell", "--batch", "-", "--json"];
    let answer = env.run(&env.ao_command(&args).cwd(&repo).stdin(lines)).code(2).json();
    let (sessions, failed) = result(&answer);
    assert_eq!(sessions, ["app-1 null"]);
    assert_eq!(failed, ["1 null invalid"]);
    assert_eq!(env.record("app-1")["handles"]["workspace"]["branch"], "x");
}
