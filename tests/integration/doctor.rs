//! `ao doctor` finds what is wrong, says what comes of it and what mends it, and leaves it alone.
#![expect(clippy::print_stderr, reason = "says what could not be tried")]

use std::fs;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::env::{TestEnvironment, program_in_path};
use crate::schema::assert_answer;

#[test]
fn what_belongs_to_no_session_is_found_and_left_alone() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao_in(&repo, &["spawn", "-a", "shell", "sleep 600"]).success();
    assert_eq!(
        env.ao(&["doctor", "--state"]).success().stdout,
        "ok   state: 1 sessions, all consistent\n"
    );

    let (record, aside) = (env.home().join("sessions/app-1"), env.path("aside"));
    fs::rename(&record, &aside).unwrap();
    let answer = env.ao(&["doctor", "--state", "--json"]).code(1).json();
    assert_answer("DoctorAnswer", &answer);
    let checks = answer["doctor"]["checks"].as_array().unwrap();
    let found = |what: &str| checks.iter().filter(|check| check["what"] == what).count();
    assert_eq!((found("pane"), found("worktree")), (1, 1), "{answer:#}");
    assert!(found("process") >= 1, "{answer:#}");

    fs::rename(&aside, &record).unwrap();
    env.ao(&["doctor", "--state"]).success();
    for words in [["kill", "app-1"], ["cleanup", "app-1"]] {
        env.ao(&words).success();
        env.ao(&["doctor", "--state"]).success();
        outlived(&env, "app-1");
    }
}

/// Has a process outlive a session, and asserts that it is found once nothing of the session may
/// run any more, and ended by what the finding hints at.
fn outlived(env: &TestEnvironment, id: &str) {
    let record = env.record(id);
    let launch = record["handles"]["launch"].as_str().unwrap();
    let since = record["lifecycle"]["session"]["since"].as_str().unwrap();
    let later = |seconds| {
        let since: ao::model::time::Timestamp = since.parse().unwrap();
        since.plus(std::time::Duration::from_secs(seconds)).to_string()
    };
    let mut sleep = std::process::Command::new("sleep");
    sleep.arg("600").env("AO_HOME", env.home()).env("AO_SESSION", id).env("AO_LAUNCH", launch);
    let mut process = sleep.spawn().unwrap();
    let look = |seconds| {
        env.ao_env(&["doctor", "--state", "--json"], &[("AO_TIMESTAMP", &later(seconds))])
    };

    look(4).success();
    let answer = look(3600).code(1).json();
    let checks = answer["doctor"]["checks"].as_array().unwrap();
    let [check] = checks.as_slice() else { panic!("{answer:#}") };
    assert_eq!(check["what"], "process");
    assert_eq!(check["detail"], format!("{} outlives session {id}", process.id()));

    let hint: Vec<&str> = check["hint"].as_str().unwrap().split(' ').skip(1).collect();
    env.ao(&hint).success();
    env.wait_for("its end", || process.try_wait().unwrap());
    look(3600).success();
}

/// Returns the findings about `what`, each as `ok`, `warn` or `BAD` with its detail. Whatever is not
/// well says what comes of it, and what to do.
#[track_caller]
pub(crate) fn findings(env: &TestEnvironment, what: &str) -> Vec<String> {
    let answer = env.ao(&["doctor", "--json"]).json();
    assert_answer("DoctorAnswer", &answer);
    let checks = answer["doctor"]["checks"].as_array().unwrap();
    let is_well = |check: &Value| check["ok"] == true;
    assert_eq!(answer["doctor"]["ok"], checks.iter().all(is_well));
    let about = checks.iter().filter(|check| check["what"] == what);
    about
        .map(|check| {
            let mark = match (is_well(check), check["warning"] == true) {
                (false, _) => "BAD",
                (true, true) => "warn",
                (true, false) => "ok",
            };
            if mark != "ok" {
                let told = |key: &str| check[key].as_str().is_some_and(|text| !text.is_empty());
                assert!(told("why") && told("hint"), "{check:#}");
            }
            format!("{mark} {}", check["detail"].as_str().unwrap())
        })
        .collect()
}

/// Asserts that there is one finding about `what`, and that it begins so.
#[track_caller]
fn finds(env: &TestEnvironment, what: &str, wanted: &str) {
    let found = findings(env, what);
    assert!(found.len() == 1 && found[0].starts_with(wanted), "{what}: {found:?}");
}

#[test]
fn tools_that_are_missing_are_named_with_what_comes_of_it() {
    let env = TestEnvironment::new();
    finds(&env, "tmux server", "ok not running");
    finds(&env, "tmux", "ok ");
    env.shims(&[("tmux", "echo tmux 3.1c\n")]);
    finds(&env, "tmux", "BAD ");
    env.hide(&["tmux", "git"]);
    finds(&env, "tmux", "BAD ");
    finds(&env, "git", "BAD ");
    finds(&env, "agents installed", "warn shell");
    finds(&env, "ao", "ok ");
    finds(&env, "home", "ok ");
}

#[test]
fn what_is_configured_and_does_nothing_is_told() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao_in(&repo, &["project", "add"]).success();
    finds(&env, "configuration", "ok valid");
    let user = |text: &str| crate::agents::configure(&env, text);
    user("[projects.nope]\nmodel = \"m\"\n[intake]\nlabel = \"ao\"\n");
    let found = findings(&env, "configuration of nope");
    assert!(found[0].starts_with("warn ") && found[0].contains("config.toml:1: "), "{found:?}");
    finds(&env, "intake of app", "warn it has no tracker");
    user("[intake]\nlabel = \"ao\"\n[tracker]\nkind = \"command\"\ncommand = [\"t\"]\n");
    assert_eq!(findings(&env, "intake of app"), Vec::<String>::new());

    let own = repo.join(".ao/config.toml");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "home = \"/\"\n").unwrap();
    let found = findings(&env, "project app");
    assert!(found[0].starts_with("BAD ") && found[0].contains(".ao/config.toml:1"), "{found:?}");
    fs::write(&own, "[check]\ncommand = [\"make\", \"test\"]\n").unwrap();
    finds(&env, "trust of app", "warn its configuration wants to run: check.command: make test");
    fs::remove_file(&own).unwrap();

    env.git(&repo, &["remote", "add", "origin", "git@github.com:octo/app.git"]);
    env.hide(&["gh"]);
    finds(&env, "forge of app", "warn ");
    env.set("GH_TOKEN", "s3cret");
    let found = findings(&env, "forge of app");
    assert!(found[0].contains("token from $GH_TOKEN") && !found[0].contains("s3cret"), "{found:?}");

    fs::create_dir_all(env.path("user/config/ao/agents")).unwrap();
    fs::write(env.path("user/config/ao/agents/odd.toml"), "agent = 1\n").unwrap();
    finds(&env, "agent card odd", "BAD ");
    user("agnet = 1\n");
    finds(&env, "configuration", "BAD ");
    // The same without the machine; and a way to know before anything fails.
    let check = env.ao_in(&repo, &["config", "check"]).code(2);
    assert!(check.stdout.contains("did you mean `agent`?"), "{check}");
}

#[test]
fn a_timer_that_stands_still_is_told_and_so_is_a_clock_that_went_back() {
    let env = TestEnvironment::new();
    env.at("2026-06-01T12:00:00Z");
    finds(&env, "timer", "ok none installed; no reap has run");
    let manager = |active: &str| {
        let script = format!("case $* in *is-active*) echo {active};; esac\n");
        env.shims(&[("systemctl", &script), ("loginctl", "echo no\n")]);
    };
    manager("active");
    env.ao(&["timer", "install", "--interval", "1m"]).success();
    env.ao(&["reap"]).success();
    finds(&env, "timer", "ok systemd; last reap 2026-06-01T12:00:00");
    finds(&env, "linger", "warn ");
    finds(&env, "clock", "ok ");
    manager("inactive");
    finds(&env, "timer", "BAD ");
    manager("active");
    env.at("2026-06-01T13:00:00Z");
    let found = findings(&env, "timer");
    assert!(found[0].starts_with("BAD ") && found[0].contains("1h ago"), "{found:?}");
    env.at("2026-06-01T11:00:00Z");
    finds(&env, "clock", "BAD ");
    env.at("2001-01-01T00:00:00Z");
    finds(&env, "clock", "BAD ");
}

#[test]
fn what_others_left_behind_is_named_with_its_age_and_left_alone() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao_in(&repo, &["spawn", "-a", "shell", "--runtime", "process", "true"]).success();
    env.ao(&["wait", "app-1", "--timeout", "20s"]).success();
    env.ao(&["cleanup", "app-1"]).success();
    fs::write(repo.join(".git/index.lock"), "").unwrap();
    assert_eq!(findings(&env, "git lock"), Vec::<String>::new(), "a git may run");
    env.git(&repo, &["branch", "ao/app-1"]);
    assert_eq!(findings(&env, "branch"), Vec::<String>::new(), "an archived one's");
    fs::remove_dir_all(env.home().join("archive/app-1")).unwrap();
    let found = findings(&env, "branch");
    assert!(found.len() == 1 && found[0].starts_with("warn ao/app-1 in "), "{found:?}");
    finds(&env, "trash", "ok 1 removed workspaces");

    let later = ao::adapter::clock::now().plus(std::time::Duration::from_secs(3 * 24 * 3600));
    env.at(&later.to_string());
    let found = findings(&env, "git lock");
    assert!(found.len() == 1 && found[0].contains("index.lock, 3d old"), "{found:?}");
    finds(&env, "trash", "warn 1 removed workspaces");
    assert!(repo.join(".git/index.lock").exists());
    fs::rename(&repo, env.path("repos/moved")).unwrap();
    finds(&env, "project app", "warn there is no repository at ");
}

#[test]
fn a_lock_whose_holder_was_stopped_is_told_with_its_number() {
    let env = TestEnvironment::new();
    env.ao(&["reap"]).success();
    let Some(flock) = program_in_path("flock") else {
        eprintln!("flock is not installed: nothing holds a lock");
        return;
    };
    let lock = env.home().join("reap.lock");
    let holder = env.command(flock).arg(&lock).args(["sleep", "600"]);
    let mut holder = holder.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
    env.wait_for("the lock", || {
        ao::store::lock::is_held_shared_probe(&lock).unwrap().then_some(())
    });
    assert_eq!(findings(&env, "lock"), Vec::<String>::new(), "it is at work");
    kill_process(Pid::from_child(&holder), Signal::STOP).unwrap();
    let found =
        env.wait_for("it is stopped", || Some(findings(&env, "lock")).filter(|it| !it.is_empty()));
    assert!(
        found[0].contains(&format!("is held by {}, which is stopped", holder.id())),
        "{found:?}"
    );
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn what_was_given_up_is_told() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao_in(&repo, &["spawn", "-a", "shell", "--runtime", "process", "sleep 600"]).success();
    finds(&env, "state", "ok 1 sessions, all consistent");
    let home = ao::store::Home::open(&env.home()).unwrap();
    let mut locked =
        home.lock_session(&"app-1".parse().unwrap(), std::time::Duration::from_secs(5)).unwrap();
    let entry = json!({ "kind": "notify", "message": "m", "created_at": "2026-01-01T00:00:00Z",
        "dead": true });
    let patch = json!({ "outbox": { "1.test": entry } }).as_object().unwrap().clone();
    let change = ao::store::Change::new("test", ao::adapter::clock::now());
    locked.commit(change.with_patch(patch)).unwrap();
    drop(locked);
    finds(&env, "session app-1", "warn a dead letter");
    env.ao(&["doctor", "--state"]).success();
}

#[test]
fn what_others_are_at_is_no_finding() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao_in(&repo, &["spawn", "-a", "shell", "sleep 600"]).success();
    env.ao(&["reap"]).success();
    let stopped = |args: &[&str], point: &str| {
        let command = env.ao_command(args).env("AO_FAILPOINT", format!("{point}=stop"));
        let child = command.spawn(Stdio::null(), Stdio::piped(), Stdio::null()).unwrap();
        env.wait_stopped(child.id());
        child
    };
    let go_on = |child: &Child| kill_process(Pid::from_child(child), Signal::CONT).unwrap();

    // One is between its log and its record, and goes on while a doctor looks.
    let mut writer = stopped(&["rename", "app-1", "other"], "store.record");
    let doctor = stopped(&["doctor", "--state"], "lock.look#1");
    go_on(&writer);
    assert!(writer.wait().unwrap().success());
    go_on(&doctor);
    let told = doctor.wait_with_output().unwrap();
    let well = "ok   state: 1 sessions, all consistent\n";
    assert_eq!(String::from_utf8_lossy(&told.stdout), well);

    // A session is made after a doctor read which there are, and before it asks for panes.
    let doctor = stopped(&["doctor", "--state"], "cmd.spawn:tmux#1");
    env.ao_in(&repo, &["spawn", "-a", "shell", "sleep 600"]).success();
    go_on(&doctor);
    let told = doctor.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout), well);

    // What a killed writer left is found, and looking does not put it right.
    let mut writer = stopped(&["rename", "app-1", "third"], "store.record");
    writer.kill().unwrap();
    writer.wait().unwrap();
    for _ in 0..2 {
        let told = env.ao(&["doctor", "--state"]).code(1);
        assert!(told.stdout.starts_with("BAD  session app-1: "), "{told}");
    }
    let told = env.ao(&["doctor", "--state", "--repair"]).success();
    assert!(told.stdout.contains("; put right"), "{told}");
    assert_eq!(env.record("app-1")["title"], "third");
}

#[test]
fn what_a_session_that_cannot_be_read_owns_is_left_alone() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao_in(&repo, &["spawn", "-a", "shell", "sleep 600"]).success();
    let session = env.home().join("sessions/app-1");
    let record = fs::read(session.join("session.json")).unwrap();
    let log = fs::read(session.join("events.jsonl")).unwrap();
    fs::write(session.join("session.json"), "{").unwrap();
    let told = env.ao(&["doctor", "--state"]).code(1).stdout;
    assert_eq!(told.lines().filter(|line| line.starts_with("BAD ")).count(), 1, "{told}");
    assert!(!told.contains("its history does not tell"), "{told}");

    fs::write(session.join("events.jsonl"), "nonsense\n").unwrap();
    let told = env.ao(&["doctor", "--state"]).code(1).stdout;
    assert_eq!(told.lines().filter(|line| line.starts_with("BAD ")).count(), 1, "{told}");
    assert!(told.contains("no repair: ") && !told.contains("would keep"), "{told}");

    fs::write(session.join("session.json"), record).unwrap();
    fs::write(session.join("events.jsonl"), log).unwrap();
    env.ao(&["doctor", "--state"]).success();
}

#[test]
fn a_home_that_no_command_would_write_is_not_well() {
    let env = TestEnvironment::new();
    env.ao(&["reap"]).success();
    fs::write(env.home().join("format"), "99\n").unwrap();
    let told = env.ao(&["doctor", "--state"]).code(1);
    assert!(told.stdout.starts_with("BAD  format: the home has format 99"), "{told}");
    env.ao(&["reap"]).code(8);
}
