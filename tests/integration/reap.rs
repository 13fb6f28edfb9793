//! `ao reap`: idempotent, alone, and quiet where nothing is new.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::agents::{
    agent, configure, notices, notify_by_file, spawn, status, told, tree, wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

const IDLE: &str = "hook user-prompt-submit\nhook stop\nread\n";

/// Everything that writing a file changes: content, inode, times.
fn stamps(root: &Path) -> Vec<(PathBuf, Vec<u8>, u64, i64, i64)> {
    let stamp = |(path, content): (PathBuf, Vec<u8>)| {
        let meta = fs::symlink_metadata(&path).unwrap();
        (path, content, meta.ino(), meta.mtime(), meta.mtime_nsec())
    };
    tree(root).into_iter().map(stamp).collect()
}

#[test]
fn a_pass_with_nothing_new_writes_nothing_but_its_own_report() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    let repo = env.repo("app");
    agent(&env, "idler", IDLE);
    agent(&env, "crasher", "hook session-start\ncrash\n");
    agent(&env, "asker", "hook session-start\nhook permission-request\ndialog Sure? y\n");
    let ids: Vec<_> = ["idler", "crasher", "asker"]
        .iter()
        .map(|name| spawn(&env, &repo, &["--agent", name, "x"]))
        .collect();
    for (id, wanted) in ids.iter().zip(["idle", "exited", "needs_input"]) {
        wait_status(&env, id, wanted);
    }
    env.ao(&["reap"]).success();
    env.ao(&["reap"]).success();
    let before = stamps(&env.home());
    let pass = env.ao_json(&["reap", "--json"]);
    assert_answer("ReapAnswer", &pass);
    assert_eq!(pass["reap"]["probed"], 2);
    for quiet in ["transitions", "recovered", "escalated", "delivered", "held", "failed"] {
        assert_eq!(pass["reap"][quiet], serde_json::json!([]), "{quiet}");
    }
    let report = env.home().join("reap.json");
    let changed: Vec<_> = stamps(&env.home())
        .into_iter()
        .filter(|now| !before.contains(now))
        .map(|(path, ..)| path)
        // Its lock says who holds it.
        .filter(|path| *path != report && *path != env.home().join("reap.lock"))
        .collect();
    assert_eq!(changed, Vec::<PathBuf>::new());
    let mut told = told(&notices(&env));
    told.sort();
    assert_eq!(told, ["app-2 agent-exited urgent", "app-3 agent-needs-input urgent"]);
}

#[test]
fn the_second_of_two_passes_ends_at_once() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "idler", IDLE);
    let id = spawn(&env, &repo, &["--agent", "idler", "x"]);
    wait_status(&env, &id, "idle");
    env.ao(&["reap"]).success();
    let lock = fs::File::open(env.home().join("reap.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let report = fs::read(env.home().join("reap.json")).unwrap();
    let skipped = env.ao_json(&["reap", "--json"]);
    assert_answer("ReapAnswer", &skipped);
    assert_eq!(skipped["reap"]["skipped"], true);
    assert_eq!(fs::read(env.home().join("reap.json")).unwrap(), report);
    // A wait goes on without a pass of its own.
    env.ao(&["wait", &id]).success();
    drop(lock);
    assert!(env.ao_json(&["reap", "--json"])["reap"]["skipped"].is_null());
}

#[test]
fn many_passes_at_once_tell_a_person_once() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    let repo = env.repo("app");
    for _ in 0..3 {
        let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "exit 3"]);
        wait_status(&env, &id, "errored");
    }
    let passes: Vec<_> = (0..8).map(|_| env.spawn_ao(&["reap"])).collect();
    for pass in passes {
        let output = pass.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    env.ao(&["reap"]).success();
    let mut told = told(&notices(&env));
    told.sort();
    assert_eq!(told, ["app-1", "app-2", "app-3"].map(|id| format!("{id} agent-errored urgent")));
}

#[test]
fn one_session_that_cannot_be_read_stops_no_other() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    let repo = env.repo("app");
    let ids: Vec<_> = (0..2)
        .map(|_| spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "exit 3"]))
        .collect();
    ids.iter().for_each(|id| wait_status(&env, id, "errored"));
    let broken = env.home().join("sessions").join(&ids[0]);
    fs::write(broken.join("session.json"), "{").unwrap();
    fs::write(broken.join("events.jsonl"), "{\n{\n").unwrap();
    let pass = env.ao_json(&["reap", "--json"]);
    assert_eq!(pass["reap"]["failed"][0]["id"], *ids[0], "{pass:#}");
    assert_eq!(told(&notices(&env)), [format!("{} agent-errored urgent", ids[1])]);
    env.ao(&["reap", "--strict"]).code(1);
    // What would be done says as much.
    let told = env.ao(&["reap", "--dry-run"]).success();
    assert!(told.stderr.starts_with(&format!("failed: {} load (", ids[0])), "{told}");
    assert_eq!(told.stdout, "", "there may be something to do");
    env.ao(&["reap", "--dry-run", "--strict"]).code(1);
    let plan = env.ao_json(&["reap", "--dry-run", "--json"]);
    assert_answer("PlanAnswer", &plan);
    assert_eq!(plan["failed"], pass["reap"]["failed"]);
    assert_eq!(fs::read_to_string(broken.join("session.json")).unwrap(), "{");
    assert_eq!(status(&env, &ids[1]), "errored");
}

#[test]
fn a_mistake_in_the_configuration_is_told_once() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let words = ["--agent", "shell", "--runtime", "process", "exit 3"];
    let ids: Vec<_> = (0..3).map(|_| spawn(&env, &repo, &words)).collect();
    ids.iter().for_each(|id| wait_status(&env, id, "errored"));
    configure(&env, "[chekc]\n");
    let before = fs::read(env.home().join("reap.json")).ok();
    let told = env.ao(&["reap"]).code(2).stderr;
    assert_eq!(told.matches("config.toml:1: unknown key `chekc`").count(), 1, "{told}");
    assert_eq!(fs::read(env.home().join("reap.json")).ok(), before, "no pass was made");
}
