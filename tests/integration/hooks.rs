//! `ao hook`: always 0, always quiet, and nothing recorded that is not true.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::agents::{agent, spawn, tree, wait_activity};
use crate::env::TestEnvironment;

fn session(env: &TestEnvironment) -> (String, String) {
    let repo = env.repo("app");
    agent(env, "idler", "hook user-prompt-submit\nhook stop\nread\n");
    let id = spawn(env, &repo, &["--agent", "idler", "x"]);
    wait_activity(env, &id, "idle");
    let launch = env.record(&id)["handles"]["launch"].as_str().unwrap().to_owned();
    (id, launch)
}

#[test]
fn a_hook_outside_a_session_does_nothing() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    let before = tree(&env.home());
    for variables in [
        &[][..],
        &[("AO_SESSION", "nobody-1"), ("AO_LAUNCH", &launch)],
        &[("AO_SESSION", "../x"), ("AO_LAUNCH", &launch)],
        &[("AO_SESSION", &id)],
        &[("AO_LAUNCH", &launch)],
    ] {
        let outcome = env.ao_env(&["hook", "demo", "stop"], variables).success();
        assert_eq!((&*outcome.stdout, &*outcome.stderr), ("", ""), "{variables:?}");
    }
    let log = env.home().join("hooks.log");
    let changed: Vec<_> = tree(&env.home())
        .into_iter()
        .filter(|file| !before.contains(file) && file.0 != log)
        .map(|file| file.0)
        .collect();
    assert_eq!(changed, Vec::<std::path::PathBuf>::new());
    let elsewhere = env.path("tmp/none");
    env.ao(&["--home", elsewhere.to_str().unwrap(), "hook", "demo", "stop"]).success();
    assert!(!elsewhere.exists());
}

#[test]
fn garbage_and_wrong_usage_are_no_error_for_the_agent() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    let revision = env.record(&id)["revision"].clone();
    env.set("AO_SESSION", &*id);
    env.set("AO_LAUNCH", &*launch);
    for args in [
        &["hook"][..],
        &["hook", "demo"],
        &["hook", "demo", "stop", "more"],
        &["hook", "--no-such-flag"],
        &["hook", "nobody", "stop"],
        &["hook", "demo", "no-such-event"],
        &["hook", "demo", ""],
    ] {
        let outcome = env.ao(args).success();
        assert_eq!((&*outcome.stdout, &*outcome.stderr), ("", ""), "{args:?}");
    }
    assert_eq!(env.record(&id)["revision"], revision);
    let outcome = env.ao_stdin(&["hook", "demo", "user-prompt-submit"], vec![0xff; 3 << 20]);
    assert_eq!(outcome.success().stdout, "");
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], "active");
    let log = fs::read_to_string(env.home().join("hooks.log")).unwrap();
    assert!(log.contains("nobody"), "{log}");
}

#[test]
fn an_old_launch_is_not_believed() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    env.ao(&["kill", &id]).success();
    env.ao(&["restore", &id]).success();
    wait_activity(&env, &id, "idle");
    let before = env.record(&id);
    let old = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch)];
    env.ao_env(&["hook", "demo", "permission-request"], &old).success();
    env.ao_env(&["hook", "demo", "user-prompt-submit"], &old).success();
    assert_eq!(env.record(&id), before);

    let launch = before["handles"]["launch"].as_str().unwrap().to_owned();
    let own = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch)];
    env.ao_env(&["hook", "demo", "permission-request"], &own).success();
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], "blocked");
    // A sub-agent at work does not free a session whose dialog is open; the end of the turn does.
    env.ao_env(&["hook", "demo", "pre-tool-use"], &own).success();
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], "blocked");
    env.ao_env(&["hook", "demo", "stop"], &own).success();
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], "idle");
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn a_conversation_held_outside_of_the_workspace_is_not_the_sessions() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    let workspace = env.record(&id)["handles"]["workspace"]["path"].as_str().unwrap().to_owned();
    let inside = format!("{workspace}/deep");
    let link = env.path("tmp/link");
    std::os::unix::fs::symlink(&workspace, &link).unwrap();
    let beside = format!("{workspace}-2");
    let out_again = format!("{workspace}/out");
    std::os::unix::fs::symlink("/", &out_again).unwrap();
    let hook = |event: &str, payload: Value| {
        let hook = env.ao_command(&["hook", "claude-code", event]).env("AO_SESSION", &*id);
        let hook = hook.env("AO_LAUNCH", &*launch).stdin(payload.to_string());
        env.run(&hook).success();
        env.record(&id)
    };
    for (number, cwd, kept) in [
        (0, json!("/"), false),
        (1, json!(workspace), true),
        (2, json!(env.path("tmp")), false),
        (3, json!(beside), false),
        (4, json!(inside), true),
        (5, json!(out_again), false),
        (6, json!(link), true),
        (7, json!("."), true),
        (8, json!("/gone"), false),
        (9, json!(7), true),
        (10, Value::Null, true),
    ] {
        let before = env.record(&id)["handles"]["agent_session"].clone();
        let told = json!(format!("conversation-{number}"));
        let record = hook("user-prompt-submit", json!({ "session_id": told, "cwd": cwd }));
        let expected = if kept { &told } else { &before };
        assert_eq!(&record["handles"]["agent_session"], expected, "{cwd}");
        assert_eq!(record["lifecycle"]["activity"]["state"], "active", "the event counts");
    }
}

#[test]
fn a_tool_like_the_last_waits_for_no_lock() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    let hook = |event: &str| {
        let command = env.ao_command(&["hook", "idler", event]).env("AO_SESSION", &id);
        env.run(&command.env("AO_LAUNCH", &launch).stdin("{}")).success();
    };
    hook("user-prompt-submit");
    let before = env.record(&id);
    assert_eq!(before["lifecycle"]["activity"]["state"], "active");
    let home = ao::store::Home::open(&env.home()).unwrap();
    let locked = home.lock_session(&id.parse().unwrap(), std::time::Duration::from_secs(20));
    hook("pre-tool-use");
    drop(locked.unwrap());
    assert_eq!(env.record(&id), before);
    let log = fs::read_to_string(env.home().join("hooks.log")).unwrap_or_default();
    assert_eq!(log, "", "it waited for the lock in vain");
}

#[test]
fn a_hook_of_a_session_that_has_ended_changes_nothing() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    env.ao(&["kill", &id]).success();
    let before = env.record(&id);
    let own = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch)];
    env.ao_env(&["hook", "demo", "user-prompt-submit"], &own).success();
    assert_eq!(env.record(&id), before);
}

#[test]
fn whatever_a_payload_is_the_event_counts_and_the_record_stays_whole() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    env.set("AO_SESSION", &*id);
    env.set("AO_LAUNCH", &*launch);
    let deep =
        |open: &str, close: &str| (open.repeat(100_000) + &close.repeat(100_000)).into_bytes();
    let payloads: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"not json".to_vec(),
        b"\0\0\0".to_vec(),
        b"\xff\xfe{}".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"session_id\"".to_vec(),
        b"1e999".to_vec(),
        b"{\"session_id\":".to_vec(),
        b"{\"session_id\":[1,{\"a\":null}],\"tool_use_id\":{},\"error\":{\"x\":[]}}".to_vec(),
        b"{\"session_id\":true,\"tool_name\":7,\"error\":7}".to_vec(),
        b"{\"session_id\":\"a\\u0000b\",\"tool_use_id\":\"\\u001b[31m\"}".to_vec(),
        b"{\"session_id\":\"\\ud800\"}".to_vec(),
        b"{\"session_id\":\"x\"}{\"session_id\":\"y\"}".to_vec(),
        format!("{{\"session_id\":\"{}\"}}", "x".repeat(5 << 20)).into_bytes(),
        format!("{{\"error\":\"usage limit reached, resets {}\"}}", "9".repeat(100_000))
            .into_bytes(),
        deep("[", "]"),
        deep("{\"a\":", "}"),
    ];
    for payload in payloads {
        for (event, state) in [
            ("user-prompt-submit", "active"),
            ("permission-request", "blocked"),
            ("stop-failure", "idle"),
            ("notification", "waiting_input"),
        ] {
            let outcome = env.ao_stdin(&["hook", "demo", event], payload.clone()).success();
            assert_eq!((&*outcome.stdout, &*outcome.stderr), ("", ""), "{event}");
            let lifecycle = env.record(&id)["lifecycle"].clone();
            let shown = String::from_utf8_lossy(&payload).chars().take(60).collect::<String>();
            // One of them does tell of a limit, with an end that nobody can read.
            let limited = event == "stop-failure" && shown.contains("limit reached");
            let seen = if limited {
                &lifecycle["session"]["reason"]
            } else {
                &lifecycle["activity"]["state"]
            };
            assert_eq!(seen, if limited { "usage_limited" } else { state }, "{event} {shown}");
        }
    }
    let record = env.record(&id);
    assert_eq!(record["handles"]["agent_session"], format!("demo-{id}"));
    crate::schema::assert_record(&record);
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn an_input_that_is_never_closed_is_not_waited_for_long() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    for (event, said, state) in [
        ("user-prompt-submit", "", "active"),
        ("permission-request", "{\"tool_name\":\"Bash\"}", "blocked"),
    ] {
        let command = env.ao_command(&["hook", "demo", event]);
        let command = command.env("AO_SESSION", &*id).env("AO_LAUNCH", &*launch);
        let mut child = command.spawn(Stdio::piped(), Stdio::piped(), Stdio::piped()).unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, said.as_bytes()).unwrap();
        let status = env.wait_for("the hook to end", || child.try_wait().unwrap());
        assert!(status.success());
        assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], state);
        drop(input);
    }
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["tool"], "Bash");
}

/// Returns the states that hooks moved a session to, in the order of its log.
fn told_by_hooks(env: &TestEnvironment, id: &str) -> Vec<String> {
    let by_hook =
        |event: &Value| event["cause"] == "hook" && event["observation"]["tool"] == "load";
    let state = |event: &Value| {
        event["patch"]["lifecycle"]["activity"]["state"].as_str().map(str::to_owned)
    };
    env.events(id).iter().filter(|event| by_hook(event)).filter_map(state).collect()
}

#[test]
fn no_signal_is_lost_when_many_hooks_and_reaps_run_at_once() {
    const WORKERS: usize = 8;
    const CALLS: usize = 24;
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "idler", "hook user-prompt-submit\nhook stop\nread\n");
    let ids: Vec<String> =
        (0..WORKERS).map(|_| spawn(&env, &repo, &["--agent", "idler", "x"])).collect();
    ids.iter().for_each(|id| drop(wait_activity(&env, id, "idle")));
    let crowded = &ids[0];
    // Whatever a hook would start by name is noted; `sh` itself starts nothing but `ao`.
    let ao = env!("CARGO_BIN_EXE_ao");
    let bin = env.path("tmp/hooks");
    fs::create_dir(&bin).unwrap();
    let started = env.path("tmp/started");
    for name in ["tmux", "git", "ao"] {
        std::os::unix::fs::symlink(env.path("bin/noting"), bin.join(name)).unwrap();
    }
    env.shims(&[("noting", &format!("echo \"$0 $*\" >>'{}'\n", started.display()))]);
    // Each worker moves a session of its own to and fro, and all of them the first one as well.
    let story = |own: &str, launch: &str, first: &str| {
        let payload = "{\"tool_use_id\":\"load\"}";
        let hook = |session: &str, launch: &str, event: &str| {
            format!(
                "printf %s '{payload}' | AO_SESSION={session} AO_LAUNCH={launch} '{ao}' hook demo {event} \
                 || echo \"failed $?\"\n"
            )
        };
        let mut text = String::new();
        for call in 0..CALLS {
            let event =
                ["pre-tool-use", "permission-request", "post-tool-use", "permission-request"]
                    [call % 4];
            text += &hook(own, launch, event);
        }
        text + &hook(crowded, first, "post-tool-use")
    };
    let launch = |id: &str| env.record(id)["handles"]["launch"].as_str().unwrap().to_owned();
    let first = launch(crowded);
    let mut workers: Vec<_> = ids[1..]
        .iter()
        .map(|id| {
            let command = env.command("/bin/sh").args(["-c", &story(id, &launch(id), &first)]);
            command.env("PATH", &bin).spawn(Stdio::null(), Stdio::piped(), Stdio::piped()).unwrap()
        })
        .collect();
    let own = story(crowded, &first, &first);
    let command = env.command("/bin/sh").args(["-c", &own]).env("PATH", &bin);
    workers.push(command.spawn(Stdio::null(), Stdio::piped(), Stdio::piped()).unwrap());
    let mut passes = 0;
    while workers.iter_mut().any(|worker| worker.try_wait().unwrap().is_none()) {
        env.ao(&["reap"]).success();
        passes += 1;
    }
    assert!(passes > 0);
    for worker in workers {
        let output = worker.wait_with_output().unwrap();
        assert!(output.status.success());
        let printed = [output.stdout, output.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&printed), "");
    }
    assert_eq!(fs::read_to_string(&started).unwrap_or_default(), "");

    // The first call says nothing that the agent's own hooks had not; each later one moves it.
    let moves: Vec<&str> = ["active", "blocked"].into_iter().cycle().take(CALLS).collect();
    for id in &ids {
        assert_ne!(env.record(id)["lifecycle"]["session"]["state"], "detecting", "{id}");
        env.ao(&["log", id, "--verify"]).success();
    }
    for id in &ids[1..] {
        assert_eq!(told_by_hooks(&env, id), moves, "{id}");
        assert_eq!(env.record(id)["lifecycle"]["activity"]["state"], "blocked");
    }
    assert_eq!(env.record(crowded)["handles"]["launch"], json!(first));
    let log = fs::read_to_string(env.home().join("hooks.log")).unwrap_or_default();
    assert_eq!(log, "");
}
