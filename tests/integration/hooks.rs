//! `ao hook`: always 0, always quiet, and nothing recorded that is not true.

use std::fs;

use crate::agents::{agent, spawn, tree, wait_activity};
use crate::env::TestEnvironment;

fn session(env: &TestEnvironment) -> (String, String) {
    let repo = env.repo("app");
    agent(env, "idler", "hook session-start\nhook user-prompt-submit\nhook stop\nread\n");
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
fn a_hook_of_a_session_that_has_ended_changes_nothing() {
    let env = TestEnvironment::new();
    let (id, launch) = session(&env);
    env.ao(&["kill", &id]).success();
    let before = env.record(&id);
    let own = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch)];
    env.ao_env(&["hook", "demo", "user-prompt-submit"], &own).success();
    assert_eq!(env.record(&id), before);
}
