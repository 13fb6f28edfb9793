//! `ao wait`: fenced, without any timer, with an exit code for every end.

use crate::agents::{agent, gate, open, spawn, status, wait_status};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

const CHAT: &str = "loop {\nread\nhook user-prompt-submit\nsay answer to {message}\nhook stop\n}\n";

#[test]
fn every_end_has_its_exit_code() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "idler", &format!("hook user-prompt-submit\nhook stop\n{CHAT}"));
    agent(&env, "asker", "hook session-start\nhook permission-request\ndialog Sure? y\n");
    let asker = spawn(&env, &repo, &["--agent", "asker", "x"]);
    let idler = spawn(&env, &repo, &["--agent", "idler", "x"]);
    let failing = spawn(&env, &repo, &["--agent", "shell", "exit 1"]);
    let done = spawn(&env, &repo, &["--agent", "shell", "true"]);
    let wait = |args: &[&str]| env.ao(&[&["wait", "--timeout", "30s"], args].concat());
    assert_eq!(wait(&[&asker, "--until", "needs_input"]).success().stdout, "app-1 needs_input\n");
    wait(&[&asker]).code(20);
    wait(&[&failing]).code(21);
    wait(&[&done]).success();
    // It ended otherwise than in what was waited for, however well.
    for other in ["idle", "merged", "killed,exited"] {
        let otherwise = wait(&[&done, "--until", other, "--json"]).code(22).json();
        assert_answer("WaitAnswer", &otherwise);
        let found = (&otherwise["wait"]["status"], &otherwise["wait"]["outcome"]);
        assert_eq!(found, (&"done".into(), &"ended".into()));
    }
    wait(&[&done, "--until", "merged,done"]).success();
    wait(&[&failing, "--until", "errored"]).success();
    env.ao(&["kill", &idler]).success();
    let killed = wait(&[&idler, "--json"]).code(22);
    assert_answer("WaitAnswer", &killed.json());
    assert_eq!(killed.json()["wait"]["status"], "killed");
    assert_eq!(wait(&[&idler, "--until", "killed"]).success().stdout, "app-2 killed\n");
    wait(&["nobody"]).code(3);
    wait(&[&idler, "--until", "asleep"]).code(2);

    // Archived meanwhile: the answer is still there.
    env.ao(&["cleanup", &idler]).success();
    wait(&[&idler]).code(22);
}

#[test]
fn only_what_came_after_the_fence_counts() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "turn");
    let turn = format!("read\nhook user-prompt-submit\n{gate}\nhook stop\n");
    agent(&env, "chat", &format!("hook user-prompt-submit\nhook stop\n{turn}{CHAT}"));
    let answer = env.ao_in(&repo, &["spawn", "--agent", "chat", "--json", "x"]).success().json();
    assert_answer("SessionAnswer", &answer);
    let id = answer["session"]["id"].as_str().unwrap().to_owned();
    wait_status(&env, &id, "idle");
    env.ao(&["wait", &id]).success();
    let sent = env.ao_json(&["send", &id, "--now", "go", "--json"]);
    assert_eq!(sent["send"]["delivery"], "submitted");
    let since = sent["send"]["since"].to_string();
    let late = env.ao(&["wait", &id, "--since", &since, "--timeout", "200ms", "--json"]).code(124);
    assert_answer("WaitAnswer", &late.json());
    assert_eq!(late.json()["wait"]["outcome"], "timeout");
    let waiter = env.spawn_ao(&["wait", &id, "--since", &since, "--timeout", "30s"]);
    open(&env, "turn");
    let output = waiter.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{id} idle\n"));
    assert!(output.status.success());

    // Idle is older than this fence.
    let revision = env.record(&id)["revision"].to_string();
    env.ao(&["wait", &id, "--since", &revision, "--timeout", "100ms"]).code(124);
    env.ao(&["wait", &id, "--timeout", "100ms"]).success();
}

#[test]
fn any_answers_with_the_first_and_all_with_the_last() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "turn");
    let script = format!("hook session-start\nhook user-prompt-submit\n{gate}\nhook stop\nread\n");
    agent(&env, "busy", &script);
    let busy = spawn(&env, &repo, &["--agent", "busy", "x"]);
    wait_status(&env, &busy, "working");
    let done = spawn(&env, &repo, &["--agent", "shell", "true"]);
    let any = env.ao(&["wait", "--any", &busy, &done, "--timeout", "30s"]).success();
    assert_eq!(any.stdout, format!("{done} done\n"));
    let both = env.spawn_ao(&["wait", &busy, &done, "--timeout", "30s", "--json"]);
    open(&env, "turn");
    let output = both.wait_with_output().unwrap();
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    lines.iter().for_each(|line| assert_answer("WaitAnswer", line));
    let ends: Vec<_> = lines.iter().map(|line| line["wait"]["status"].as_str().unwrap()).collect();
    assert_eq!(ends, ["idle", "done"]);
}

#[test]
fn a_wait_sees_a_death_that_nobody_reported() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "idler", "hook session-start\nhook user-prompt-submit\nread\n");
    let id = spawn(&env, &repo, &["--agent", "idler", "x"]);
    wait_status(&env, &id, "working");
    // The launcher is killed with its agent: nobody is left to say so, and no timer runs.
    let pid = env.record(&id)["handles"]["runtime"]["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    env.ao(&["wait", &id, "--timeout", "30s"]).code(22);
    assert_eq!(status(&env, &id), "exited");
}
