//! The line that `ao timer install` puts into a crontab, run the way cron runs it.

use std::fs;

use crate::agents::{
    agent, gate, ledger, notices, notify_by_file, open, pasted, spawn, status, told, wait_activity,
    wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

const CHAT: &str = "loop {\nread\nhook user-prompt-submit\nsay answer\nhook stop\n}\n";

#[test]
fn the_line_makes_a_pass_and_delivers() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    // Cron knows HOME and nothing of the XDG variables: the line has to carry what a pass needs.
    let repo = env.repo("app");
    let gate = gate(&env, "turn");
    let turn = format!("hook session-start\nhook user-prompt-submit\n{gate}\nhook stop\n");
    agent(&env, "chat", &format!("{turn}{CHAT}"));
    let chat = spawn(&env, &repo, &["--agent", "chat", "x"]);
    agent(&env, "idler", "hook session-start\nhook user-prompt-submit\nread\n");
    let lost = spawn(&env, &repo, &["--agent", "idler", "x"]);
    let failed = spawn(&env, &repo, &["--agent", "shell", "exit 3"]);
    wait_status(&env, &chat, "working");
    wait_status(&env, &lost, "working");
    wait_status(&env, &failed, "errored");
    env.ao(&["send", &chat, "go on"]).success();
    open(&env, "turn");
    wait_activity(&env, &chat, "idle");
    env.wait_for("the composer", || {
        let screen = env.ao(&["output", &chat]).stdout;
        screen.lines().any(|line| line.trim_end() == ">").then_some(())
    });
    let pid = env.record(&lost)["handles"]["runtime"]["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();

    let installed = env.ao_json(&["timer", "install", "--json"]);
    assert_answer("TimerAnswer", &installed);
    assert_eq!(installed["timer"]["scheduler"], "cron");
    assert_answer("TimerAnswer", &env.ao_json(&["timer", "status", "--json"]));
    let table = fs::read_to_string(env.path("crontab")).unwrap();
    let line = table.lines().rfind(|line| line.starts_with('*')).expect("a line");
    let command: Vec<&str> = line.splitn(6, ' ').collect();
    // Cron ends a command at a bare `%` and takes the backslash off an escaped one.
    let command = command[5].replace("\\%", "%");
    let home = format!("HOME={}", env.path("user").display());
    let cron = env.command("env").args(["-i", &home, "LOGNAME=tester", "SHELL=/bin/sh"]);
    let cron = cron.args(["PATH=/usr/bin:/bin", "sh", "-c", &command]).cwd("/");
    let outcome = env.run(&cron).success();
    assert_eq!((&*outcome.stdout, &*outcome.stderr), ("", ""), "cron mails what a job prints");

    assert_eq!(status(&env, &lost), "exited");
    assert_eq!(ledger(&env, "chat"), pasted("go on"));
    let mut told = told(&notices(&env));
    told.sort();
    assert_eq!(
        told,
        [format!("{lost} agent-exited urgent"), format!("{failed} agent-errored urgent")]
    );
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(env.home().join("reap.json")).unwrap()).unwrap();
    assert_eq!(report["reap"]["delivered"].as_array().unwrap().len(), 3, "{report:#}");

    let removed = env.ao_json(&["timer", "rm", "--json"]);
    assert_answer("TimerAnswer", &removed);
    assert_eq!(removed["timer"]["changed"], true);
    assert!(!fs::read_to_string(env.path("crontab")).unwrap_or_default().contains("reap"));
}
