//! What each command costs in child processes and in writes.
//!
//! Counted, never timed: `script/bench` measures, these hold. The counts are of tmux and git,
//! which are the only programs that `ao` starts here besides itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ao::adapter::ids;
use ao::adapter::runtime::tmux::Tmux;
use ao::adapter::runtime::{LaunchSpec, StdinSource};
use ao::model::id::{LaunchId, SessionId};
use ao::model::record::{Record, RuntimeHandle};
use ao::model::time::Timestamp;
use ao::store::Home;
use serde_json::json;

use crate::env::TestEnvironment;

/// The most children of a reap that finds all as it was, whatever the number of sessions.
const REAP_AT_MOST: usize = 3;

/// The most children of a message that arrives at once: a look, a paste, an Enter, a look back.
const SEND_AT_MOST: usize = 4;

/// The most children of a spawn in a repository without a remote.
const SPAWN_AT_MOST: usize = 21;

/// Returns the record of a session at work.
fn record(id: &str, handle: Option<&RuntimeHandle>, launch: &LaunchId) -> Record {
    let mut record = json!({
        "id": id, "project": "app", "agent": "shell", "mode": "one_shot", "title": "A task",
        "lifecycle": {
            "session": {"state": "working", "reason": "task_in_progress"},
            "pr": {"state": "none", "reason": "not_created"},
            "runtime": {"state": "alive", "reason": "process_running"},
        },
        "handles": {"launch": launch},
    });
    if let Some(handle) = handle {
        record["handles"]["runtime"] = json!(handle);
    }
    serde_json::from_value(record).unwrap()
}

/// Writes sessions `<prefix>-1` to `<prefix>-<number>` that have no runtime to look at.
fn store_sessions(env: &TestEnvironment, prefix: &str, number: usize) {
    let home = open(env);
    for n in 1..=number {
        let record = record(&format!("{prefix}-{n}"), None, &ids::launch());
        home.create_session(&record, "test", Timestamp::from_millis(1_767_225_600_000)).unwrap();
    }
}

fn open(env: &TestEnvironment) -> Home {
    Home::open(&env.home()).unwrap().with_sync(false)
}

/// Starts a sleeping agent in tmux, by the launcher, and stores its session.
fn start_session(root: &Path, home: &Home, id: &str) {
    let session: SessionId = id.parse().unwrap();
    let launch = ids::launch();
    let bare = record(id, None, &launch);
    let now = Timestamp::from_millis(1_767_225_600_000);
    let mut locked = home.create_session(&bare, "test", now).unwrap();
    // The environment finds its processes by this variable.
    let variables = [("PATH", std::env::var_os("PATH").unwrap()), ("TEST_ROOT", root.into())];
    let spec = LaunchSpec {
        session_dir: home.session_dir(&session),
        session,
        launch: launch.clone(),
        cwd: root.join("repos"),
        argv: ["sleep", "600"].map(OsString::from).to_vec(),
        env: variables.map(|(name, value)| (name.into(), value)).to_vec(),
        stdin: StdinSource::Null,
        size: (80, 24),
        config_directory: "/nonexistent".into(),
    };
    let tmux = Tmux::new(home.root(), &root.join("user/config/ao")).unwrap();
    let started = tmux.start(&spec).unwrap();
    let change = ao::store::Change::new("test", now);
    let patch = bare.difference(&record(id, Some(&started.handle), &launch));
    locked.commit(change.with_patch(patch)).unwrap();
}

/// Returns number, time of change and length of every regular file in a directory.
fn files(root: &Path) -> BTreeMap<String, (u64, i64, i64, u64)> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let metadata = entry.path().symlink_metadata().unwrap();
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if metadata.is_file() {
                let name = entry.path().strip_prefix(root).unwrap().display().to_string();
                let stamp = (metadata.mtime(), metadata.mtime_nsec());
                found.insert(name, (metadata.ino(), stamp.0, stamp.1, metadata.len()));
            }
        }
    }
    found
}

/// Returns the names of the files that differ, appeared or went.
fn changed<T: PartialEq>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

#[test]
fn ls_of_a_thousand_sessions_starts_no_child_and_writes_nothing() {
    let env = TestEnvironment::new();
    store_sessions(&env, "app", 1000);
    env.counting_path();
    let before = files(&env.home());

    let outcome = env.ao(&["ls"]).success();
    assert_eq!(outcome.stdout.lines().count(), 1001);
    let answer = env.ao_json(&["ls", "--json"]);
    assert_eq!(answer["sessions"].as_array().unwrap().len(), 1000);

    assert_eq!(env.calls(), Vec::<String>::new());
    assert_eq!(changed(&before, &files(&env.home())), Vec::<String>::new());
}

#[test]
fn status_and_reap_of_a_hundred_live_sessions_ask_tmux_once() {
    let env = TestEnvironment::new();
    let (root, home) = (&env.path(""), &open(&env));
    // Side by side: a start is mostly waiting for the launcher.
    std::thread::scope(|scope| {
        for first in [1, 26, 51, 76] {
            let start = move |n| start_session(root, home, &format!("app-{n}"));
            scope.spawn(move || (first..first + 25).for_each(start));
        }
    });
    env.ao(&["reap"]).success();
    env.counting_path();

    let before = files(&env.home());
    let outcome = env.ao(&["status"]).success();
    assert_eq!(outcome.stdout.lines().count(), 101);
    assert_eq!(env.calls().len(), 1, "{:?}", env.calls());
    assert!(env.calls()[0].contains(" list-panes -a "), "{:?}", env.calls());
    assert_eq!(changed(&before, &files(&env.home())), Vec::<String>::new());

    env.forget_calls();
    let report = env.ao_json(&["reap", "--json"]);
    let nothing = json!([]);
    assert_eq!(report["reap"]["probed"], 100);
    assert_eq!((&report["reap"]["transitions"], &report["reap"]["failed"]), (&nothing, &nothing));
    assert!(env.calls().len() <= REAP_AT_MOST, "{:?}", env.calls());
    // A lock says who took it last.
    assert_eq!(changed(&before, &files(&env.home())), ["reap.json", "reap.lock"]);
}

#[test]
fn a_pass_over_open_branches_that_stand_still_starts_nothing_and_writes_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let base = env.git(&repo, &["rev-parse", "HEAD"]);
    env.git(&repo, &["checkout", "-q", "-b", "work"]);
    env.git(&repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    fs::write(repo.join("work"), "work\n").unwrap();
    env.git(&repo, &["add", "work"]);
    env.git(&repo, &["commit", "-q", "-m", "more"]);
    let head = env.git(&repo, &["rev-parse", "HEAD"]);
    env.git(&repo, &["checkout", "-q", "main"]);
    let home = open(&env);
    let mut refs = String::new();
    for n in 1..=100 {
        let id = format!("app-{n}");
        refs.push_str(&format!("create refs/heads/ao/{id} {head}\n"));
        let mut record = serde_json::to_value(record(&id, None, &ids::launch())).unwrap();
        record["lifecycle"]["session"] = json!({"state": "done", "reason": "completed"});
        record["handles"]["workspace"] = json!({
            "path": env.path("home/worktrees/app").join(&id), "repo": repo, "owned": true,
            "branch": format!("ao/{id}"), "base_ref": "main", "base_sha": base,
        });
        let record: Record = serde_json::from_value(record).unwrap();
        home.create_session(&record, "test", Timestamp::from_millis(1_767_225_600_000)).unwrap();
    }
    env.run(&env.git_command(&repo, &["update-ref", "--stdin"]).stdin(refs)).success();

    let first = env.ao_json(&["reap", "--json"]);
    assert_eq!(first["reap"]["failed"], json!([]));
    assert_eq!(env.record("app-100")["lifecycle"]["pr"]["reason"], "merge_ready");
    env.counting_path();
    let (before, cache) = (files(&env.home()), files(&env.path("user")));
    let report = env.ao_json(&["reap", "--json"]);
    assert_eq!(report["reap"]["failed"], json!([]));
    assert_eq!(env.calls(), Vec::<String>::new());
    assert_eq!(changed(&before, &files(&env.home())), ["reap.json", "reap.lock"]);
    assert_eq!(changed(&cache, &files(&env.path("user"))), Vec::<String>::new());
}

#[test]
fn a_hook_starts_no_child_and_one_that_says_nothing_writes_nothing() {
    let env = TestEnvironment::new();
    let home = open(&env);
    let launch = ids::launch();
    let now = Timestamp::from_millis(1_767_225_600_000);
    drop(home.create_session(&record("app-1", None, &launch), "test", now).unwrap());
    env.counting_path();
    let hook = |event: &str| {
        let command = env.ao_command(&["hook", "demo", event]).env("AO_SESSION", "app-1");
        env.run(&command.env("AO_LAUNCH", launch.as_str()).stdin("{}")).success();
    };

    let before = files(&env.home());
    hook("no-such-event");
    assert_eq!(changed(&before, &files(&env.home())), Vec::<String>::new());
    hook("stop");
    assert_eq!(
        changed(&before, &files(&env.home())),
        ["sessions/app-1/events.jsonl", "sessions/app-1/lock", "sessions/app-1/session.json"]
    );
    assert_eq!(env.record("app-1")["lifecycle"]["activity"]["state"], "idle");
    assert_eq!(env.calls(), Vec::<String>::new());
}

#[test]
fn a_spawn_and_a_message_start_so_many_children() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.counting_path();

    // The terminal itself shows what is typed, and the answer takes it off the last lines.
    let agent = r"while read -r line; do printf '\n\n\n\n\ntaken\n'; done";
    let id = "app-1";
    env.ao_in(&repo, &["spawn", "--agent", "shell", "--mode", "interactive", "--id", id, agent])
        .success();
    let calls = env.calls();
    assert!(calls.len() <= SPAWN_AT_MOST, "{} children:\n{}", calls.len(), calls.join("\n"));

    // An agent that is slow to answer costs another look, so the best of three counts.
    let counts = [(); 3].map(|()| {
        env.forget_calls();
        env.ao(&["send", id, "hello"]).success();
        env.calls().len()
    });
    assert!(counts.iter().min() <= Some(&SEND_AT_MOST), "{counts:?}: {:?}", env.calls());
}

#[test]
fn a_wait_looks_once_a_pass() {
    let env = TestEnvironment::new();
    let root = env.path("");
    start_session(&root, &open(&env), "app-1");
    env.ao(&["reap"]).success();
    fs::remove_file(env.home().join("reap.json")).unwrap();
    env.counting_path();

    // The third look comes after two passes, each with its one question, and not a look sooner.
    let outcome = env.ao_env(&["wait", "app-1"], &[("AO_FAILPOINT", "wait.look#3=kill")]);
    assert_eq!(outcome.status, 128 + 9);
    assert_eq!(env.calls().len(), 2, "{:?}", env.calls());
}

#[test]
fn decide_answers_each_of_ten_thousand_lines() {
    let env = TestEnvironment::new();
    let line = json!({
        "record": record("app-1", None, &ids::launch()),
        "observation": {"kind": "runtime", "runtime": "dead", "process": "dead"},
        "now": "2026-11-20T10:00:00Z",
    });
    env.counting_path();
    let outcome = env.ao_stdin(&["decide"], format!("{line}\n").repeat(10_000)).success();
    assert_eq!(outcome.stdout.lines().count(), 10_000);
    assert!(outcome.stdout.lines().all(|line| line.contains(r#""rule":"probe.7""#)));
    assert_eq!(env.calls(), Vec::<String>::new());
}
