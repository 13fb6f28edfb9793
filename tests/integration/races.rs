//! Many processes at once, on one session and on many; and the locks between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ao::adapter::cmd::{Cmd, exit_code};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::agents::agent;
use crate::env::{TestEnvironment, program_in_path};

const STAY: &str = r#"touch "$AO_HOME/ran-$AO_SESSION"; exec sleep 600"#;

/// Starts a session without tmux whose agent stays.
fn spawn(env: &TestEnvironment, repo: &Path, id: &str) {
    let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", id, STAY];
    env.ao_in(repo, &words).success();
}

/// Runs all commands, `at_once` of them at a time, and returns what went wrong.
fn run_all(commands: Vec<Cmd>, at_once: usize) -> Vec<String> {
    let queue = Mutex::new(commands.into_iter());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(command) = queue.lock().unwrap().next() else { return };
                    let failure = match command.output() {
                        Ok(output) if exit_code(output.status) == 0 => continue,
                        Ok(output) => format!("{command:?}: {}\n{}", output.status, output.stderr),
                        Err(error) => format!("{command:?}: {error}"),
                    };
                    failures.lock().unwrap().push(failure);
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

/// Asserts that a log has every number from 1, once, and folds to the record.
fn assert_whole(env: &TestEnvironment, id: &str) {
    let numbers: Vec<u64> =
        env.events(id).iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    let last = env.record(id)["revision"].as_u64().unwrap();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "{id}");
    env.ao(&["log", "--verify", id]).success();
}

#[test]
fn fifty_processes_write_fifty_events_to_one_session() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    spawn(&env, &repo, "one");
    env.ao(&["reap"]).success();
    let before = env.events("one").len();
    // Whatever the order, each tells of another conversation: none of them changes nothing.
    let states = ["active", "waiting_input", "idle", "ready", "blocked"];
    let fact = |number: usize| {
        let fact = json!({
            "confidence": "valid", "source": "hook", "boundary": true,
            "activity": states[number % states.len()], "agent_session": format!("talk-{number}"),
        });
        let words = ["--lock-timeout", "60s", "observe", "activity", "one"];
        env.ao_command(&words).stdin(fact.to_string())
    };
    assert_eq!(run_all((0..50).map(fact).collect(), 50), [""; 0]);
    let events = env.events("one");
    assert_eq!(events.len() - before, 50);
    let told: BTreeSet<String> = events[before..]
        .iter()
        .map(|event| event["patch"]["handles"]["agent_session"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, (0..50).map(|number| format!("talk-{number}")).collect());
    assert_whole(&env, "one");
    env.ao(&["doctor", "--state"]).success();
}

#[test]
fn reap_kill_and_hooks_at_once_end_and_lose_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let ids: Vec<String> = (1..=5).map(|number| format!("s{number}")).collect();
    for id in &ids {
        spawn(&env, &repo, id);
    }
    let mut commands = Vec::new();
    for round in 0..6 {
        commands.push(env.ao_command(&["reap"]));
        for (number, id) in ids.iter().enumerate() {
            let event = ["user-prompt-submit", "stop", "permission-request"][round % 3];
            let payload = json!({ "session_id": format!("{id}-{round}") }).to_string();
            let launch = env.record(id)["handles"]["launch"].as_str().unwrap().to_owned();
            let hook = env.ao_command(&["--lock-timeout", "60s", "hook", "demo", event]);
            commands.push(
                hook.env("AO_SESSION", id).env("AO_LAUNCH", launch).stdin(payload.into_bytes()),
            );
            if round == 3 && number < 3 {
                commands.push(env.ao_command(&["--lock-timeout", "60s", "kill", id]));
            }
        }
    }
    // A hook that is at work when its session is killed is a process of that session.
    let mut failures = run_all(commands, 12);
    failures.retain(|why| !(why.contains("}: signal: ") && why.contains("\"hook\"")));
    assert_eq!(failures, [""; 0]);
    env.ao(&["reap"]).success();
    for (number, id) in ids.iter().enumerate() {
        let record = env.record(id);
        let session = &record["lifecycle"]["session"];
        if number < 3 {
            assert_eq!(session["state"], "terminated", "{id}");
            assert_eq!(session["reason"], "manually_killed", "{id}");
        } else {
            assert_ne!(session["state"], "terminated", "{id}");
            assert_eq!(record["lifecycle"]["runtime"]["state"], "alive", "{id}");
            // One that began before another that was heard already tells nothing.
            let heard = env.events(id).into_iter().filter(|event| event["cause"] == "hook").count();
            assert!((1..=6).contains(&heard), "{id}: {heard}");
        }
        assert_eq!(record.get("intent"), None, "{id}");
        assert_whole(&env, id);
    }
    let log = env.home().join("hooks.log");
    assert_eq!(fs::read_to_string(log).unwrap_or_default(), "", "no hook failed");
}

#[test]
fn twenty_spawns_at_once_from_origin_main_beside_another_program() {
    let env = TestEnvironment::new();
    let seed = env.repo("seed");
    let repos = env.path("repos");
    env.git(&repos, &["clone", "-q", "--bare", "seed", "origin.git"]);
    env.git(&repos, &["clone", "-q", "origin.git", "app"]);
    let repo = repos.join("app");
    let spawn = |number: usize| {
        let id = format!("s{number}");
        let words = ["--lock-timeout", "120s", "spawn", "--agent", "shell", "--runtime", "process"];
        let more = ["--base", "origin/main", "--id", &id, STAY];
        env.ao_command(&[&words[..], &more[..]].concat()).cwd(&repo)
    };
    let commands: Vec<Cmd> = (1..=20).map(spawn).collect();
    // What it does may fail now and then: git does not wait for itself.
    let other = repos.join("theirs");
    let other = other.to_str().unwrap();
    let steps = [
        env.git_command(&repo, &["worktree", "add", "--detach", other, "origin/main"]),
        env.git_command(&repo, &["worktree", "prune"]),
        env.git_command(&repo, &["worktree", "remove", "--force", other]),
        env.git_command(&repo, &["worktree", "prune"]),
    ];
    let over = AtomicBool::new(false);
    let failures = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for step in &steps {
                    let _ = step.output();
                }
            }
        });
        let failures = run_all(commands, 20);
        over.store(true, Ordering::Relaxed);
        failures
    });
    assert_eq!(failures, [""; 0]);
    let tip = env.git(&seed, &["rev-parse", "main"]);
    for number in 1..=20 {
        let id = format!("s{number}");
        env.wait_for("its agent runs", || {
            env.home().join(format!("ran-{id}")).exists().then_some(())
        });
        let path = env.home().join("worktrees/app").join(&id);
        assert_eq!(env.git(&path, &["rev-parse", "HEAD"]), tip, "{id}");
        let branch = env.git(&path, &["rev-parse", "--abbrev-ref", "HEAD"]);
        assert_eq!(
            (branch, env.git(&path, &["status", "--porcelain"])),
            (format!("ao/{id}"), String::new())
        );
        assert_whole(&env, &id);
    }
    assert_eq!(env.git(&repo, &["status", "--porcelain"]), "");
    env.git(&repo, &["fsck", "--no-dangling"]);
}

/// Returns the files a process has open, by the names that `/proc` gives them.
fn open_files(pid: u64) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

fn open_locks(pid: u64) -> BTreeSet<String> {
    let name = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    open_files(pid).into_iter().filter_map(name).filter(|name| name.contains("lock")).collect()
}

fn locked(env: &TestEnvironment, path: &Path) -> bool {
    let words = ["-n", path.to_str().unwrap(), "true"];
    let flock = program_in_path("flock").expect("flock is installed");
    env.run(&env.command(flock).args(words)).status != 0
}

#[test]
fn a_tmux_server_and_its_agents_hold_none_of_our_locks() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    // The caller leaks a descriptor with a lock on it, and one that another ao would wait for.
    let leaked = env.path("leaked.lock");
    let script = format!(
        "exec 7>'{}' && flock -n 7 && exec 8>'{}' && flock -n 8 && exec \"$@\"",
        leaked.display(),
        env.home().join("leases.lock").display()
    );
    let words = ["spawn", "--agent", "shell", "--id", "one", STAY];
    let shell = env.command("sh").args(["-c", &script, "sh", env!("CARGO_BIN_EXE_ao")]);
    env.run(&shell.args(words).cwd(&repo)).success();
    env.ao_in(&repo, &["spawn", "--agent", "shell", "--runtime", "process", "--id", "two", STAY])
        .success();
    let server = env.tmux(&["display-message", "-p", "#{pid}"]).success().stdout;
    let mut allowed: BTreeMap<u64, &[&str]> = BTreeMap::new();
    allowed.insert(server.trim().parse().unwrap(), &[]);
    for id in ["one", "two"] {
        let path = env.home().join("sessions").join(id).join("started.json");
        let started: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        allowed.insert(started["pid"].as_u64().unwrap(), &["alive.lock"]);
        allowed.insert(started["agent_pid"].as_u64().unwrap(), &[]);
    }
    assert_eq!(allowed.len(), 5);
    for (pid, names) in allowed {
        let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(open_locks(pid), names, "{pid}: {:?}", open_files(pid));
    }
    assert!(!locked(&env, &leaked) && !locked(&env, &env.home().join("leases.lock")));
    assert!(locked(&env, &env.home().join("sessions/one/alive.lock")));
}

#[test]
fn a_pane_that_is_made_while_a_pass_reads_is_not_missed() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    for id in ["one", "two"] {
        env.ao_in(&repo, &["spawn", "--agent", "shell", "--id", id, "exec sleep 600"]).success();
    }
    env.ao(&["reap"]).success();
    env.ao(&["kill", "two"]).success();

    // tmux was asked because of the first; the second comes to life before its record is read.
    let command = env.ao_command(&["reap", "--json"]).env("AO_FAILPOINT", "store.glance#2=stop");
    let child = command.spawn(Stdio::null(), Stdio::piped(), Stdio::null()).unwrap();
    env.wait_stopped(child.id());
    env.ao(&["restore", "two"]).success();
    kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["reap"]["probed"], 2);
    assert_eq!(report["reap"]["failed"], json!([]));
    let states: Vec<Value> = env
        .events("two")
        .iter()
        .filter_map(|event| event["patch"]["lifecycle"]["session"].get("state").cloned())
        .collect();
    assert!(!states.contains(&json!("detecting")), "{states:?}");
}

#[test]
fn a_stopped_holder_is_named_and_its_lock_stays() {
    use std::os::unix::fs::MetadataExt;
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    spawn(&env, &repo, "one");
    spawn(&env, &repo, "two");
    env.ao(&["reap"]).success();
    let rename = |id: &str, title: &str| env.ao(&["--lock-timeout", "300ms", "rename", id, title]);
    let stopped =
        env.ao_command(&["rename", "one", "first"]).env("AO_FAILPOINT", "store.append=stop");
    let mut holder = stopped.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
    let pid = holder.id();
    env.wait_stopped(pid);
    let lock = env.home().join("sessions/one/lock");
    let inode = fs::metadata(&lock).unwrap().ino();
    let refused = rename("one", "second").code(4);
    assert!(refused.stderr.contains(&pid.to_string()), "{refused}");
    assert!(refused.stderr.contains("ao rename"), "{refused}");
    let words = ["--json", "--lock-timeout", "1ms", "rename", "one", "second"];
    assert_eq!(env.ao(&words).code(4).json_error()["error"]["retryable"], true);
    // Reading waits for nobody, and neither do other sessions and the reap.
    let shown = env.ao_json(&["--json", "show", "one"]);
    assert_eq!(shown["session"].get("title"), None);
    rename("two", "beside").success();
    env.ao(&["--lock-timeout", "300ms", "reap"]).success();
    assert_eq!(fs::metadata(&lock).unwrap().ino(), inode);
    assert!(locked(&env, &lock), "nobody took it away");

    kill_process(Pid::from_child(&holder), Signal::CONT).unwrap();
    assert!(holder.wait().unwrap().success());
    rename("one", "second").success();
    let titles: Vec<Value> =
        env.events("one").iter().filter_map(|event| event["patch"].get("title").cloned()).collect();
    assert_eq!(titles, ["first", "second"]);
    assert_whole(&env, "one");
}

#[test]
fn a_restore_goes_on_with_what_another_one_left() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "chat", "read\n");
    let talk = |id: &str, word: &str| {
        let fact = json!({ "confidence": "valid", "activity": "ready", "source": "hook",
            "agent_session": word });
        env.ao_stdin(&["observe", "activity", id], fact.to_string()).success();
    };
    for id in ["one", "two"] {
        env.ao_in(&repo, &["spawn", "--agent", "chat", "--id", id, "x"]).success();
        talk(id, "first");
        env.ao(&["kill", id]).success();
    }
    let trace = env.path("trace");
    let traced = format!("store.lock=trace:{}", trace.display());
    env.ao_env(&["restore", "two"], &[("AO_FAILPOINT", &traced)]).success();
    let locks = fs::read_to_string(&trace).unwrap();
    let nth = 1 + locks.lines().position(|line| line.ends_with("spawn.lock")).unwrap();

    let stop = format!("store.lock#{nth}=stop");
    let late = env.ao_command(&["restore", "one"]).env("AO_FAILPOINT", stop);
    let late = late.spawn(Stdio::null(), Stdio::piped(), Stdio::piped()).unwrap();
    env.wait_stopped(late.id());
    env.ao(&["restore", "one"]).success();
    talk("one", "second");
    env.ao(&["kill", "one"]).success();
    kill_process(Pid::from_child(&late), Signal::CONT).unwrap();
    let output = late.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(env.record("one")["handles"]["agent_session"], "second");
    let talks: Vec<Value> = env
        .events("one")
        .iter()
        .filter_map(|event| event["patch"]["handles"].get("agent_session").cloned())
        .collect();
    assert_eq!(talks, ["first", "second"]);
    assert_whole(&env, "one");
}

/// Neither that there is no such session nor that its files are gone would be true.
#[test]
fn of_two_restores_from_the_archive_the_second_finds_it_live() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = r#"touch "$AO_HOME/ran-$AO_SESSION"; sleep 600"#;
    for id in ["one", "two"] {
        let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", id, script];
        env.ao_in(&repo, &words).success();
        env.ao(&["kill", id]).success();
        env.ao(&["cleanup", id]).success();
        // It has found the session archived, and locks nothing yet.
        let late = env.ao_command(&["restore", id]).env("AO_FAILPOINT", "store.lock#1=stop");
        let late = late.spawn(Stdio::null(), Stdio::piped(), Stdio::piped()).unwrap();
        env.wait_stopped(late.id());
        env.ao(&["restore", id]).success();
        // It has ended again by the time the other one goes on, or it lives.
        if id == "two" {
            env.ao(&["kill", id]).success();
        }
        kill_process(Pid::from_child(&late), Signal::CONT).unwrap();
        let output = late.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        if id == "two" {
            assert!(output.status.success(), "{error}");
        } else {
            assert_eq!(output.status.code(), Some(4), "{error}");
            assert!(error.contains("only a session that has ended"), "{error}");
        }
        assert_whole(&env, id);
    }
    env.ao(&["doctor", "--state"]).success();
}

#[test]
fn one_that_waits_for_a_lock_may_fail_or_die_and_nobody_else_notices() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    spawn(&env, &repo, "one");
    env.ao(&["reap"]).success();
    let stopped =
        env.ao_command(&["rename", "one", "held"]).env("AO_FAILPOINT", "store.append=stop");
    let mut holder = stopped.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
    env.wait_stopped(holder.id());
    let lock = env.home().join("sessions/one/lock");
    // 5 is EIO. One whose wait a signal interrupts, 4, waits on.
    for (fault, code, said) in [
        ("lock.wait=kill", 137, ""),
        ("lock.wait=error:5", 1, "Input/output error"),
        ("lock.wait#1=error:4", 4, "ao rename"),
    ] {
        let words = ["--lock-timeout", "300ms", "rename", "one", "waited"];
        let outcome = env.ao_env(&words, &[("AO_FAILPOINT", fault)]).code(code);
        assert!(outcome.stderr.contains(said), "{fault}: {outcome}");
        let names_lock = outcome.stderr.contains(&*lock.to_string_lossy());
        assert!(names_lock || code == 137, "{fault}: {outcome}");
        env.ao(&["ls"]).success();
    }
    kill_process(Pid::from_child(&holder), Signal::CONT).unwrap();
    assert!(holder.wait().unwrap().success());
    assert_eq!(env.record("one")["title"], "held");
    env.ao(&["rename", "one", "next"]).success();
    assert_whole(&env, "one");
}
