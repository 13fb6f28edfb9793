//! What each command costs in child processes and in writes.
//!
//! Counted, never timed: `script/bench` measures, these hold. The counts are of tmux and git,
//! which are the only programs that `ao` starts here besides itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use ao::adapter::ids;
use ao::adapter::runtime::tmux::Tmux;
use ao::adapter::runtime::{LaunchSpec, StdinSource};
use ao::model::id::{LaunchId, SessionId};
use ao::model::record::{Record, RuntimeHandle};
use ao::model::time::Timestamp;
use ao::store::Home;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::agents::agent;
use crate::env::TestEnvironment;
use crate::issue::{IDLE, issues, open_issue, tracker};
use crate::outcome::Outcome;

/// The most children of a message that arrives at once: a look, a paste, an Enter, a look back.
const SEND_AT_MOST: usize = 4;

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

/// Runs `ao`, and returns how often it opened what of the sessions, by the points it passed; a
/// full load of any session fails.
fn opened_by(env: &TestEnvironment, args: &[&str]) -> (Outcome, Vec<(&'static str, usize)>) {
    let trace = env.path("trace");
    let _ = fs::remove_file(&trace);
    let points = format!("*=log:{}", trace.display());
    let outcome = env.ao_env(args, &[("AO_FAILPOINT", &points)]).success();
    let text = fs::read_to_string(trace).unwrap();
    let count = |point: &'static str| (point, text.lines().filter(|line| *line == point).count());
    assert_eq!(count("store.read").1, 0, "{text}");
    (outcome, vec![count("directory.file"), count("directory.open")])
}

/// Returns the most memory that a reap had at a time, in bytes, up to the writing of its report.
fn peak_memory(env: &TestEnvironment, args: &[&str]) -> u64 {
    let command = env.ao_command(args).env("AO_FAILPOINT", "fs.rename=stop");
    let mut child = command.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
    let peak = env.wait_for("the pass is about to end", || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let is_stopped = field("State:")?.trim_start().starts_with('T');
        let peak = field("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()?;
        is_stopped.then_some(peak << 10)
    });
    kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    assert!(child.wait().unwrap().success());
    peak
}

/// Returns the names of the files that differ, appeared or went.
fn changed<T: PartialEq>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// Runs `run` with a variable that makes each named point of the program tell of its passing, and
/// returns how often each was passed.
fn points_passed(env: &TestEnvironment, run: impl FnOnce(&str)) -> BTreeMap<String, usize> {
    let log = env.path("points");
    run(&format!("*=log:{}", log.display()));
    let mut passed = BTreeMap::new();
    for name in fs::read_to_string(&log).unwrap_or_default().lines() {
        *passed.entry(name.to_owned()).or_default() += 1;
    }
    let _ = fs::remove_file(log);
    passed
}

/// Returns the counts as they are written in a test.
fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn ls_of_a_thousand_sessions_starts_no_child_and_writes_nothing() {
    let env = TestEnvironment::new();
    store_sessions(&env, "app", 1000);
    env.counting_path();
    let before = files(&env.home());

    let passed = points_passed(&env, |log| {
        let outcome = env.ao_env(&["ls"], &[("AO_FAILPOINT", log)]).success();
        assert_eq!(outcome.stdout.lines().count(), 1001);
    });
    // Each session's record and log once; each thread opens the directory of all.
    assert_eq!(passed, counts([("directory.file", 2000), ("directory.open", 2)]));
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
    let (outcome, opened) = opened_by(&env, &["status"]);
    assert_eq!(outcome.stdout.lines().count(), 101);
    // Of each session the directory, the record, the end of the log and the launcher's lock.
    assert_eq!(opened, [("directory.file", 300), ("directory.open", 101)]);
    assert_eq!(env.calls().len(), 1, "{:?}", env.calls());
    assert!(env.calls()[0].contains(" list-panes -a "), "{:?}", env.calls());
    assert_eq!(changed(&before, &files(&env.home())), Vec::<String>::new());

    env.forget_calls();
    let (outcome, opened) = opened_by(&env, &["reap", "--json"]);
    assert_eq!(opened, [("directory.file", 300), ("directory.open", 101)]);
    let report = outcome.json();
    let nothing = json!([]);
    assert_eq!(report["reap"]["probed"], 100);
    assert_eq!((&report["reap"]["transitions"], &report["reap"]["failed"]), (&nothing, &nothing));
    assert_eq!(env.calls().len(), 1, "{:?}", env.calls());
    // A lock says who took it last.
    assert_eq!(changed(&before, &files(&env.home())), ["reap.json", "reap.lock"]);
}

#[test]
fn a_pass_over_five_hundred_sessions_keeps_little_in_memory() {
    // What a debug build takes for itself differs; what each session adds does not by much.
    const MOST_BYTES_EACH: u64 = 8 << 10;
    let peak = |number: usize| {
        let env = TestEnvironment::new();
        store_sessions(&env, "app", number);
        env.ao(&["reap"]).success();
        peak_memory(&env, &["reap"])
    };
    let (few, many) = (peak(1), peak(500));
    assert!(many.saturating_sub(few) < 500 * MOST_BYTES_EACH, "{few} and {many} bytes");
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

/// Returns how often what of the sessions was read by a run, by the points it passed.
fn read_by(passed: &BTreeMap<String, usize>) -> [usize; 3] {
    let points = ["store.read", "directory.file", "directory.open"];
    points.map(|point| passed.get(point).copied().unwrap_or(0))
}

#[test]
fn sessions_are_read_as_often_for_many_issues_as_for_few() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "waiter", IDLE);
    env.ao_in(&repo, &["project", "add"]).success();
    let (home, now) = (open(&env), Timestamp::from_millis(1_767_225_600_000));
    for n in 1..=30 {
        let mut record = record(&format!("app-{n}"), None, &ids::launch());
        record.issue = Some(n.to_string());
        home.create_session(&record, "test", now).unwrap();
    }
    let ledger = env.home().join("projects/app.intake.json");
    let intake = "[intake]\nlabel = \"ao\"\nagent = \"waiter\"\nmax_live = 100\n";
    let of = |number: usize| {
        let all = (1..=number).map(|n| open_issue(&n.to_string(), "It"));
        issues(&env, &all.collect::<Vec<_>>());
        tracker(&env, "");
        let run = |args: &[&str]| {
            let passed = points_passed(&env, |log| {
                let command = env.ao_command(args).cwd(&repo).env("AO_FAILPOINT", log);
                env.run(&command).success();
            });
            read_by(&passed)
        };
        let listed = run(&["issue", "ls"]);
        let batch = run(&["spawn", "--agent", "waiter", "--batch", "--label", "bug", "--dry-run"]);
        let before = run(&["reap"]);
        tracker(&env, intake);
        let taken = run(&["reap"]);
        let remembered = fs::read_to_string(&ledger).unwrap();
        assert_eq!(remembered.matches("\"session\"").count(), number, "{remembered}");
        fs::remove_file(&ledger).unwrap();
        [listed, batch, before, taken]
    };
    tracker(&env, "");
    env.ao(&["reap"]).success();
    let (few, many) = (of(3), of(30));
    assert_eq!(few, many);
    // Once to count those that live, once to tell whose issue it is.
    let [.., before, taken] = many;
    assert_eq!(taken[1] - before[1], 2 * 60);
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

/// Returns what was counted, each by program and command, and counts afresh.
fn children(env: &TestEnvironment) -> Vec<String> {
    let calls = env.calls();
    env.forget_calls();
    calls.iter().map(|call| command_of(call)).collect()
}

fn command_of(call: &str) -> String {
    let mut words = call.split(' ');
    let program = words.next().unwrap();
    while let Some(word) = words.next() {
        match word {
            "-c" | "-f" | "-S" => drop(words.next()),
            "-u" => {}
            command => return format!("{program} {command}"),
        }
    }
    program.to_owned()
}

#[test]
fn a_hook_reads_record_and_log_once_and_writes_each_once() {
    let env = TestEnvironment::new();
    let launch = ids::launch();
    let now = Timestamp::from_millis(1_767_225_600_000);
    let home = Home::open(&env.home()).unwrap();
    drop(home.create_session(&record("app-1", None, &launch), "test", now).unwrap());
    let hook = |event: &str| {
        points_passed(&env, |log| {
            let command = env.ao_command(&["hook", "demo", event]).env("AO_SESSION", "app-1");
            let command = command.env("AO_LAUNCH", launch.as_str()).env("AO_FAILPOINT", log);
            // Two signals of one moment are one.
            let command = command.env("AO_TIMESTAMP", "2026-01-01T00:01:00Z");
            env.run(&command.stdin("{}")).success();
        })
    };
    let looked = [
        ("lock.inscribe", 1),
        ("lock.open", 1),
        ("lock.take", 1),
        ("store.lock", 1),
        ("store.read", 2),
    ];
    let written = [
        ("fs.create", 1),
        ("fs.mode", 1),
        ("fs.open", 1),
        ("fs.rename", 1),
        ("fs.write", 1),
        ("store.append", 1),
        ("store.record", 1),
        ("store.sync", 1),
        ("store.write", 1),
    ];
    let both = counts(looked).into_iter().chain(counts(written)).collect::<BTreeMap<_, _>>();

    assert_eq!(hook("no-such-event"), counts([]));
    assert_eq!(hook("user-prompt-submit"), both);
    assert_eq!(hook("user-prompt-submit"), counts(looked));
}

#[test]
fn nobody_looks_through_the_archive_who_was_not_asked_about_it() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    store_sessions(&env, "old", 3);
    for n in 1..=3 {
        let id: SessionId = format!("old-{n}").parse().unwrap();
        open(&env).lock_session(&id, std::time::Duration::ZERO).unwrap().archive().unwrap();
    }
    env.set("AO_FAILPOINT", "store.archived_ids=error:5");
    let spawn = ["spawn", "--agent", "shell", "--runtime", "process", "--id", "app-1", "sleep 600"];
    env.ao_in(&repo, &spawn).success();
    for line in [
        "ls",
        "status",
        "reap",
        "show app-1",
        "show old-2",
        "log old-2",
        "ls --json",
        "show app-",
        "send app-1 hello",
        "path app-1",
        "kill app-1",
        "cleanup app-1",
        "show app-1",
    ] {
        let outcome = env.ao_in(&repo, &line.split(' ').collect::<Vec<_>>());
        assert!(!outcome.stderr.contains("could not list"), "{line}: {}", outcome.stderr);
    }
    // Whoever was, does.
    let all = env.ao_in(&repo, &["ls", "--all"]);
    assert!(all.stderr.contains("could not list"), "{}", all.stderr);
}

#[test]
fn each_operation_on_a_session_starts_so_many_children() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.counting_path();
    // The terminal itself shows what is typed, and the answer takes it off the last lines.
    let agent = r"while read -r line; do printf '\n\n\n\n\ntaken\n'; done";
    let spawn = |id: &str| {
        let args = ["spawn", "--agent", "shell", "--mode", "interactive", "--id", id, agent];
        env.ao_in(&repo, &args).success();
    };
    // It keeps the server alive, and what git and tmux are is asked once.
    spawn("app-1");
    let first = children(&env);
    assert_eq!(first, ["git version", "tmux -V", "git config", "tmux if-shell"]);

    spawn("app-2");
    assert_eq!(children(&env), ["git config", "tmux if-shell"]);
    env.ao(&["kill", "app-2"]).success();
    assert_eq!(children(&env), ["tmux list-panes"]);
    env.ao(&["restore", "app-2"]).success();
    assert_eq!(children(&env), ["tmux list-panes", "tmux if-shell"]);
    env.ao(&["kill", "app-2"]).success();
    children(&env);
    env.ao(&["cleanup", "app-2"]).success();
    assert_eq!(children(&env), ["tmux list-panes", "git update-ref"]);

    env.ao_in(&repo, &["spawn", "--agent", "shell", "--count", "4", agent]).success();
    let mut of_four = children(&env);
    of_four.sort();
    assert_eq!(of_four, [["git config"; 4], ["tmux if-shell"; 4]].concat());

    // An agent that is slow to answer costs another look, so the best of three counts.
    let counts = [(); 3].map(|()| {
        env.ao(&["send", "app-1", "hello"]).success();
        children(&env).len()
    });
    assert!(counts.iter().min() <= Some(&SEND_AT_MOST), "{counts:?}");
}

#[test]
fn a_spawn_of_an_agent_without_files_syncs_so_many_files_and_directories() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let spawn = |id: &str| {
        let passed = points_passed(&env, |log| {
            let args =
                ["spawn", "--agent", "shell", "--runtime", "process", "--id", id, "sleep 600"];
            env.run(&env.ao_command(&args).cwd(&repo).env("AO_FAILPOINT", log)).success();
        });
        ["store.sync", "fs.sync", "fs.sync_directory"].map(|point| passed.get(point).copied())
    };
    // The first makes the home's directories and the repository's.
    spawn("app-1");
    assert_eq!(spawn("app-2"), [Some(3), Some(9), Some(11)]);
}

#[test]
fn a_cleanup_asks_git_of_files_only_where_one_was_touched() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.counting_path();
    let spawn = |script: &str| {
        let args = ["spawn", "--agent", "shell", "--wait", script];
        let id = env.ao_in(&repo, &args).stdout.lines().next().unwrap().to_owned();
        children(&env);
        id
    };
    let clean = spawn("true");
    env.ao(&["cleanup", &clean]).success();
    assert!(!children(&env).iter().any(|child| child.starts_with("git s")));

    let touched = spawn("cp README.md again && mv again README.md");
    env.ao(&["cleanup", &touched]).success();
    let asked = children(&env);
    assert_eq!(asked.iter().filter(|child| *child == "git status").count(), 1, "{asked:?}");

    let changed = spawn("echo more >>README.md");
    env.ao(&["cleanup", &changed]).code(5);
}

#[test]
fn a_wait_looks_once_a_pass() {
    let env = TestEnvironment::new();
    let root = env.path("");
    start_session(&root, &open(&env), "app-1");
    env.ao(&["reap"]).success();
    fs::remove_file(env.home().join("reap.json")).unwrap();
    env.counting_path();

    // The first look is before anything is watched, the second with it, and the fourth comes after
    // two passes, each with its one question, and not a look sooner.
    let outcome = env.ao_env(&["wait", "app-1"], &[("AO_FAILPOINT", "wait.look#4=kill")]);
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
