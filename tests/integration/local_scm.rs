//! The repository as a forge: branches that are pull requests, and checks made of each head.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::agents::{
    agent, configure, gate, ledger, notices, open, spawn, status, told, wait_activity, wait_status,
};
use crate::env::TestEnvironment;
use crate::outcome::Outcome;
use crate::schema::assert_answer;

/// A one-shot agent that commits one file.
const COMMIT: &str = "echo one >one; git add one; git commit -qm one";

/// Configures the check: a script for `sh`, which finds the environment's root in `$ROOT`.
fn configure_check(env: &TestEnvironment, script: &str, timeout: &str) {
    let root = env.path("").display().to_string();
    let script = script.replace("$ROOT", root.trim_end_matches('/'));
    let notices = env.path("notices.jsonl");
    configure(
        env,
        &format!(
            "[check]\ncommand = {}\ntimeout = \"{timeout}\"\n\
             [notifiers.log]\nkind = \"file\"\npath = {}\n",
            json!(["sh", "-c", script]),
            json!(notices),
        ),
    );
}

/// A session whose one-shot agent has committed, and is done.
fn committed(env: &TestEnvironment) -> (PathBuf, String) {
    let repo = env.repo("app");
    let id = spawn(env, &repo, &["--agent", "shell", "--runtime", "process", COMMIT]);
    wait_status(env, &id, "done");
    (repo, id)
}

fn workspace(env: &TestEnvironment, id: &str) -> PathBuf {
    env.record(id)["handles"]["workspace"]["path"].as_str().unwrap().into()
}

fn pr(env: &TestEnvironment, id: &str) -> String {
    let pr = &env.record(id)["lifecycle"]["pr"];
    format!("{} {}", pr["state"].as_str().unwrap(), pr["reason"].as_str().unwrap())
}

/// Makes passes until no check runs; the branch must then be there.
#[track_caller]
fn reap_to(env: &TestEnvironment, id: &str, wanted: &str) -> Value {
    let report = reap(env, &["--wait"]);
    assert_eq!(pr(env, id), wanted, "{report}\n{}", check(env, id));
    report
}

fn reap(env: &TestEnvironment, args: &[&str]) -> Value {
    let args: Vec<&str> = ["reap", "--json"].iter().chain(args).copied().collect();
    let pass = env.ao_json(&args);
    assert_answer("ReapAnswer", &pass);
    pass["reap"].clone()
}

/// Returns what `ao show` says of the check.
fn check(env: &TestEnvironment, id: &str) -> Value {
    let answer = env.ao_json(&["show", id, "--json"]);
    assert_answer("SessionAnswer", &answer);
    answer["check"].clone()
}

fn check_file(env: &TestEnvironment, id: &str) -> Option<Value> {
    let path = env.session_directory(id)?.join("check.json");
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// Returns the processes of all checks.
fn checking(env: &TestEnvironment) -> Vec<u32> {
    let marked = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(b"AO_CHECK="))
    };
    env.processes().into_iter().filter(marked).collect()
}

/// Returns how often the check was begun, where its script begins with [`COUNT`].
fn count(env: &TestEnvironment) -> usize {
    fs::read_to_string(env.path("begun")).unwrap_or_default().lines().count()
}

const COUNT: &str = "echo $AO_CHECK_HEAD >>$ROOT/begun; ";

fn wait_begun(env: &TestEnvironment, times: usize) {
    env.wait_for("the check to begin", || (count(env) == times).then_some(()));
}

fn whats(items: &Value) -> Vec<String> {
    let items = items.as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["what"].as_str().unwrap().to_owned()).collect()
}

/// Returns the end of the log that was told last.
fn log_tail(env: &TestEnvironment, id: &str) -> String {
    let tail = |event: &Value| Some(event["observation"]["ci_log_tail"].as_str()?.to_owned());
    env.events(id).iter().rev().find_map(tail).unwrap_or_default()
}

fn commit_in(env: &TestEnvironment, workspace: &Path, name: &str) -> String {
    fs::write(workspace.join(name), "more\n").unwrap();
    env.git(workspace, &["add", name]);
    env.git(workspace, &["commit", "-qm", name]);
    env.git(workspace, &["rev-parse", "HEAD"])
}

#[test]
fn a_failing_check_is_told_the_agent_which_fixes_it() {
    let env = TestEnvironment::new();
    configure_check(
        &env,
        "grep -q world greet || { printf '\\033[31m```\\nFAILED: wrold is no word\\n'; exit 1; }",
        "5m",
    );
    let repo = env.repo("app");
    let turn = |text: &str| {
        format!(
            "hook user-prompt-submit\nwrite greet hello {text}\ncommit {text}\nhook stop\nread\n"
        )
    };
    let script = format!(
        "hook session-start\n{}expect FAILED: wrold is no word\n{}",
        turn("wrold"),
        turn("world"),
    );
    agent(&env, "coder", &script);
    let id = spawn(&env, &repo, &["--agent", "coder", "greet the world"]);
    wait_status(&env, &id, "idle");
    env.wait_for("the composer", || {
        let screen = env.ao(&["output", &id]).stdout;
        screen.lines().any(|line| line.trim_end() == ">").then_some(())
    });

    let head = env.git(&workspace(&env, &id), &["rev-parse", "HEAD"]);
    let report = reap(&env, &["--wait"]);
    let changes: Vec<String> = report["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {} {}", it["from"], it["to"], it["rule"]).replace('"', ""))
        .collect();
    assert_eq!(changes[0], "idle pr_open pr.10", "{report}");
    assert_eq!(changes[1], "pr_open ci_failed pr.1", "{report}");
    assert_eq!(whats(&report["waited"]), ["waited for its check"]);
    assert_eq!(report["delivered"].as_array().unwrap().len(), 1, "{report}");

    let told = String::from_utf8(ledger(&env, "coder")).unwrap();
    assert!(told.contains("FAILED: wrold is no word") && told.contains("````"), "{told}");
    assert!(!told.contains("\u{1b}[31m"), "{told:?}");
    assert!(told.contains(&format!("- sh: {}", check_log(&env, &id).display())), "{told}");

    env.wait_for("the fix", || {
        let now = env.git(&workspace(&env, &id), &["rev-parse", "HEAD"]);
        let idle = env.record(&id)["lifecycle"]["activity"]["state"] == "idle";
        (now != head && idle).then_some(())
    });
    let report = reap_to(&env, &id, "open merge_ready");
    assert_eq!(report["failed"], json!([]), "{report}");
    assert_eq!(status(&env, &id), "mergeable");
    let shown = check(&env, &id);
    assert_eq!((&shown["state"], &shown["attempt"]), (&json!("passed"), &json!(1)));
    let explained = env.ao(&["explain", &id]).success().stdout;
    assert!(explained.contains("\ncheck: passed, of "), "{explained}");
    assert!(explained.contains(&check_log(&env, &id).display().to_string()), "{explained}");
    env.ao(&["log", &id, "--verify"]).success();

    // An agent at rest is waited for no longer because its branch is a pull request.
    env.ao(&["wait", &id, "--timeout", "20s"]).success();
    env.ao(&["wait", &id, "--until", "idle", "--timeout", "20s"]).success();
    env.ao(&["wait", &id, "--until", "mergeable", "--timeout", "20s"]).success();
    env.ao(&["wait", &id, "--until", "pr_open,ci_failed", "--timeout", "0s"]).code(124);
}

fn check_log(env: &TestEnvironment, id: &str) -> PathBuf {
    env.session_directory(id).unwrap().join("check.log")
}

#[test]
fn what_is_told_of_a_failing_check_holds_no_secret_that_it_was_given() {
    let env = TestEnvironment::new();
    let script = "echo $API_TOKEN, $CALLERS_SECRET and $PLAIN; exit 1";
    configure_check(&env, script, "1m");
    let config = fs::read_to_string(env.path("user/config/ao/config.toml")).unwrap();
    configure(&env, &format!("{config}[env]\nAPI_TOKEN = \"t0ken-one\"\nPLAIN = \"as it is\"\n"));
    env.set("CALLERS_SECRET", "s3cret-two");
    let (_repo, id) = committed(&env);
    reap_to(&env, &id, "open ci_failing");
    assert_eq!(log_tail(&env, &id), "[redacted], [redacted] and as it is\n");
    let told = format!("{}{:?}", env.record(&id), env.events(&id));
    assert!(!told.contains("t0ken-one") && !told.contains("s3cret-two"), "{told}");
}

#[test]
fn without_a_check_a_branch_with_commits_is_mergeable_and_then_merged() {
    let env = TestEnvironment::new();
    let (repo, id) = committed(&env);
    let report = reap(&env, &[]);
    assert_eq!(report["failed"], json!([]), "{report}");
    assert_eq!(pr(&env, &id), "open merge_ready");
    assert_eq!(check(&env, &id), Value::Null);
    // A conflict is seen by the next pass.
    commit_in(&env, &repo, "one");
    reap(&env, &[]);
    assert_eq!(pr(&env, &id), "open merge_conflicts");
    env.git(&repo, &["reset", "-q", "--hard", "HEAD~1"]);
    env.git(&repo, &["merge", "-q", "--squash", &format!("ao/{id}")]);
    env.git(&repo, &["commit", "-qm", "squashed"]);
    reap(&env, &[]);
    assert_eq!(pr(&env, &id), "merged merged");
    let events = env.events(&id).len();
    reap(&env, &[]);
    assert_eq!(env.events(&id).len(), events);

    // A branch that never had a commit is no pull request, however its base moves on.
    let stay = "exec sleep 600";
    let idle = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", stay]);
    commit_in(&env, &repo, "two");
    reap(&env, &[]);
    assert_eq!(pr(&env, &idle), "none not_created");
}

#[test]
fn a_check_that_hangs_is_ended_whole_at_its_time_limit() {
    let env = TestEnvironment::new();
    configure_check(&env, "echo before; setsid sleep 600 & (trap '' TERM; sleep 601) & wait", "1s");
    let (_, id) = committed(&env);
    let report = reap(&env, &["--wait"]);
    assert_eq!(pr(&env, &id), "open ci_failing", "{report}");
    let shown = check(&env, &id);
    assert_eq!(shown["state"], "timed_out");
    assert_eq!(shown["why"], "it did not end within 1s");
    assert_eq!(checking(&env), [0; 0]);
    let log = fs::read_to_string(check_log(&env, &id)).unwrap();
    assert!(log.starts_with("before\n") && log.contains("did not end within 1s"), "{log}");
}

#[test]
fn what_a_check_leaves_running_ends_with_it() {
    let env = TestEnvironment::new();
    configure_check(&env, "setsid sleep 600 >/dev/null 2>&1 & sleep 601 & exit 0", "5m");
    let (_, id) = committed(&env);
    reap_to(&env, &id, "open merge_ready");
    assert_eq!(checking(&env), [0; 0]);
}

#[test]
fn a_commit_is_checked_once_however_many_passes_there_are() {
    let env = TestEnvironment::new();
    let wait = format!("{COUNT}until [ -e $ROOT/go ]; do sleep 0.02; done");
    configure_check(&env, &wait, "5m");
    let (_, id) = committed(&env);
    let mut passes = [env.spawn_ao(&["reap"]), env.spawn_ao(&["reap"])];
    for pass in &mut passes {
        assert!(pass.wait().unwrap().success());
    }
    wait_begun(&env, 1);
    for _ in 0..3 {
        assert_eq!(whats(&reap(&env, &[])["checks"]), [""; 0]);
    }
    assert_eq!(check(&env, &id)["state"], "running");
    assert_eq!(pr(&env, &id), "open in_progress");
    // It is waited for as long as was said, and goes on.
    let report = reap(&env, &["--wait", "--timeout", "100ms"]);
    assert_eq!(whats(&report["waited"]), ["its check still runs"]);
    fs::write(env.path("go"), "").unwrap();
    reap_to(&env, &id, "open merge_ready");
    reap(&env, &["--wait"]);
    assert_eq!(count(&env), 1);
}

#[test]
fn a_check_whose_supervisor_is_killed_is_tried_three_times() {
    let env = TestEnvironment::new();
    configure_check(&env, &format!("{COUNT}setsid sleep 600 & sleep 601"), "5m");
    let (_, id) = committed(&env);
    let kill = |attempt: u64| {
        wait_begun(&env, usize::try_from(attempt).unwrap());
        let run = env.wait_for("its supervisor", || {
            check_file(&env, &id).filter(|run| run["owner"]["pid"].is_u64())
        });
        assert_eq!(run["attempt"], attempt);
        let pid = run["owner"]["pid"].as_i64().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        env.wait_for("its end", || (check(&env, &id)["state"] == "aborted").then_some(()));
    };
    let found = "found its check's supervisor dead";
    // Not far from the true time: what others write is swept by its age.
    let start = ao::adapter::clock::now();
    let at = |seconds: u64| {
        let time = start.plus(std::time::Duration::from_secs(60 + seconds));
        env.at(&time.to_string());
    };
    at(0);
    let report = reap(&env, &[]);
    assert_eq!(whats(&report["checks"]).len(), 1, "{report}");
    kill(1);
    assert_eq!(whats(&reap(&env, &[])["checks"]), [found]);
    assert_eq!(checking(&env), [0; 0]);
    assert_eq!(pr(&env, &id), "open in_progress");
    at(29);
    assert_eq!(whats(&reap(&env, &[])["checks"]), [""; 0]);
    at(30);
    assert_eq!(whats(&reap(&env, &[])["checks"]).len(), 1);
    kill(2);
    at(31);
    assert_eq!(whats(&reap(&env, &[])["checks"]), [found]);
    at(91);
    assert_eq!(whats(&reap(&env, &[])["checks"]).len(), 1);
    kill(3);
    reap(&env, &[]);
    assert_eq!(checking(&env), [0; 0]);
    assert_eq!(pr(&env, &id), "open ci_failing");
    assert_eq!(count(&env), 3);
    let why = "the check could not be made 3 times: its supervisor was killed";
    assert!(log_tail(&env, &id).ends_with(why), "{}", log_tail(&env, &id));
}

#[test]
fn a_check_that_meets_a_kill_or_a_full_disk_is_made_again() {
    // The supervisor writes who it is, its log, and what came of the check.
    let in_the_pass = ["check.recorded=kill"];
    let in_the_supervisor = [
        "check.owned=kill",
        "check.over=kill",
        "fs.write#1=error:28",
        "fs.write#2=error:28",
        "fs.write#3=error:28",
    ];
    for fault in in_the_pass.iter().chain(&in_the_supervisor) {
        let env = TestEnvironment::new();
        let (_, id) = committed(&env);
        let whole = "[check]\ncommand = [\"sh\", \"-c\", \"exit 1\"]\n";
        let start = ao::adapter::clock::now();
        env.at(&start.to_string());
        if in_the_pass.contains(fault) {
            configure(&env, whole);
            let outcome = env.ao_env(&["reap"], &[("AO_FAILPOINT", fault)]);
            assert_eq!(outcome.status, 128 + 9);
        } else {
            configure(&env, &format!("{whole}[env]\nAO_FAILPOINT = \"{fault}\"\n"));
            reap(&env, &["--wait"]);
            configure(&env, whole);
        }
        reap(&env, &["--wait"]);
        assert_eq!(check(&env, &id)["state"], "aborted", "{fault}");
        let before = pr(&env, &id);
        assert!(before == "open in_progress", "{fault}: {before}");
        env.at(&start.plus(std::time::Duration::from_secs(300)).to_string());
        reap(&env, &["--wait"]);
        assert_eq!(pr(&env, &id), "open ci_failing", "{fault}");
        assert_eq!(check(&env, &id)["attempt"], 2, "{fault}");
        assert_eq!(checking(&env), [0; 0]);
    }
}

#[test]
fn a_new_head_supersedes_the_check_of_the_old_one() {
    let env = TestEnvironment::new();
    let wait = format!("{COUNT}until [ -e $ROOT/go ]; do sleep 0.02; done");
    configure_check(&env, &wait, "5m");
    let (_, id) = committed(&env);
    reap(&env, &[]);
    wait_begun(&env, 1);
    let head = commit_in(&env, &workspace(&env, &id), "two");
    env.wait_for("the check of the new head", || {
        reap(&env, &[]);
        (check(&env, &id)["head_sha"] == head.as_str()).then_some(())
    });
    wait_begun(&env, 2);
    fs::write(env.path("go"), "").unwrap();
    reap_to(&env, &id, "open merge_ready");
    let begun = fs::read_to_string(env.path("begun")).unwrap();
    assert_eq!(begun.lines().last(), Some(head.as_str()));
    assert_eq!(count(&env), 2);
}

#[test]
fn a_kill_and_a_cleanup_end_the_check() {
    let env = TestEnvironment::new();
    configure_check(&env, &format!("{COUNT}setsid sleep 600 & sleep 601"), "5m");
    let (repo, done) = committed(&env);
    reap(&env, &[]);
    wait_begun(&env, 1);
    // The commits are nowhere else, so the branch stays; no process of the check is in the way.
    let cleaned = env.ao_json(&["cleanup", &done, "--json"]);
    assert_eq!(checking(&env), [0; 0], "{cleaned}");
    assert!(!cleaned.to_string().contains("process"), "{cleaned}");

    let stay = format!("{COMMIT}; exec sleep 600");
    let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", &stay]);
    env.wait_for("the commit", || workspace(&env, &id).join("one").exists().then_some(()));
    env.wait_for("the check", || {
        reap(&env, &[]);
        (count(&env) == 2).then_some(())
    });
    env.ao(&["kill", &id]).success();
    assert_eq!(checking(&env), [0; 0]);
    assert_eq!(check_file(&env, &id), None);
    reap(&env, &[]);
    assert_eq!((check_file(&env, &id), count(&env)), (None, 2));
}

#[test]
fn a_command_of_the_repository_runs_once_it_is_approved() {
    let env = TestEnvironment::new();
    let (repo, id) = committed(&env);
    // A spawn would have asked; this came later.
    fs::create_dir(repo.join(".ao")).unwrap();
    let script = format!("echo x >>{}", env.path("begun").display());
    let text = format!("check.command = {}\n", json!(["sh", "-c", script]));
    fs::write(repo.join(".ao/config.toml"), text).unwrap();
    // A merge looks as well, and takes nothing from what a pass has to tell.
    env.ao(&["merge", &id]).code(5);
    let report = reap(&env, &["--wait"]);
    let why = report["failed"][0]["why"].as_str().unwrap();
    assert!(why.contains("not approved") && why.contains("ao trust"), "{report}");
    // It is told once, and stays pending.
    assert_eq!(reap(&env, &["--wait"])["failed"], json!([]));
    assert_eq!((pr(&env, &id).as_str(), count(&env)), ("open in_progress", 0));
    let hash = env.ao_in(&repo, &["trust", "--show", "--json"]).success().json();
    env.set("AO_TRUST", hash["trust"]["hash"].as_str().unwrap());
    reap(&env, &["--wait"]);
    assert_eq!((pr(&env, &id).as_str(), count(&env)), ("open merge_ready", 1));
}

#[test]
fn a_huge_log_is_bounded_on_the_disk_and_in_the_message() {
    let env = TestEnvironment::new();
    configure_check(&env, "yes 0123456789 | head -c 30000000; echo THE END; exit 1", "5m");
    let (_, id) = committed(&env);
    reap_to(&env, &id, "open ci_failing");
    let length = fs::metadata(check_log(&env, &id)).unwrap().len();
    assert!((1 << 20..11 << 20).contains(&length), "{length}");
    let tail = log_tail(&env, &id);
    assert!(tail.ends_with("THE END\n") && tail.len() < 20_000, "{}", tail.len());
    assert!(tail.starts_with("[… ") && tail.contains("check.log]\n"), "{tail}");
    assert_eq!(
        told(&notices(&env)),
        [format!("{id} agent-done info"), format!("{id} ci-failed action")]
    );
}

#[test]
fn a_check_that_cannot_be_run_says_nothing_of_the_commit() {
    let env = TestEnvironment::new();
    configure(&env, "[check]\ncommand = [\"no-such-program-here\", \"--fast\"]\n");
    let (_, id) = committed(&env);
    reap_to(&env, &id, "open in_progress");
    let shown = check(&env, &id);
    assert_eq!(shown["state"], "aborted");
    assert_eq!(shown["why"], "`no-such-program-here` is not installed or not in PATH");
    // Another command is another check.
    configure(&env, "[check]\ncommand = [\"true\"]\n");
    reap_to(&env, &id, "open merge_ready");
}

#[test]
fn a_check_knows_what_it_checks_and_is_no_agent() {
    let env = TestEnvironment::new();
    env.set("AO_GITHUB_TOKEN", "secret");
    configure_check(&env, "env >$ROOT/env; pwd >$ROOT/pwd; cat >$ROOT/input", "5m");
    let (_, id) = committed(&env);
    reap_to(&env, &id, "open merge_ready");
    let variables = fs::read_to_string(env.path("env")).unwrap();
    let mut ours: Vec<&str> = variables.lines().filter(|line| line.starts_with("AO_")).collect();
    ours.sort_unstable();
    let names: Vec<&str> = ours.iter().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["AO_CHECK", "AO_CHECK_HEAD", "AO_HOME", "AO_PROJECT", "AO_SESSION"]);
    let head = env.git(&workspace(&env, &id), &["rev-parse", "HEAD"]);
    assert_eq!(ours[1], format!("AO_CHECK_HEAD={head}"));
    let pwd = fs::read_to_string(env.path("pwd")).unwrap();
    assert_eq!(Path::new(pwd.trim_end()), workspace(&env, &id));
    assert_eq!(fs::read(env.path("input")).unwrap(), b"");
    let refused: Outcome = env.ao(&["check-run", "/nowhere", "/nowhere", "1"]);
    assert_eq!(refused.status, 1);
}

#[test]
fn an_agent_that_is_changing_files_is_checked_when_it_has_stopped() {
    let env = TestEnvironment::new();
    configure_check(&env, &format!("{COUNT}true"), "5m");
    let repo = env.repo("app");
    let gate = gate(&env, "turn");
    let script = format!(
        "hook session-start\nhook user-prompt-submit\nwrite one 1\ncommit one\nwrite one 2\n{gate}\n\
         hook stop\nread\n"
    );
    agent(&env, "coder", &script);
    let id = spawn(&env, &repo, &["--agent", "coder", "x"]);
    env.wait_for("the change", || {
        (fs::read_to_string(workspace(&env, &id).join("one")).ok()? == "2\n").then_some(())
    });
    wait_activity(&env, &id, "active");
    assert_eq!(whats(&reap(&env, &[])["checks"]), [""; 0]);
    assert_eq!(pr(&env, &id), "open in_progress");
    open(&env, "turn");
    wait_activity(&env, &id, "idle");
    reap(&env, &["--wait"]);
    assert_eq!((pr(&env, &id).as_str(), count(&env)), ("open merge_ready", 1));
}

#[test]
fn a_program_of_the_users_is_a_forge() {
    let env = TestEnvironment::new();
    let (answer, asked) = (env.path("answer"), env.path("asked"));
    let script = format!("cat >{}; cat {}", asked.display(), answer.display());
    configure(
        &env,
        &format!(
            "[scm]\nkind = \"command\"\ntimeout = \"20s\"\ncommand = {}\n",
            json!(["sh", "-c", script])
        ),
    );
    let (_, id) = committed(&env);
    let say = |text: &str| fs::write(&answer, text).unwrap();
    let pass = |text: &str| {
        say(text);
        reap(&env, &[])["failed"].clone()
    };
    let fact = json!({ "facts": { &id: {
        "pr": { "state": "open", "number": 7, "head_sha": "abc" }, "ci": "failing",
        "checks": [{ "name": "build", "conclusion": "failure" }],
    }}});
    assert_eq!(pass(&fact.to_string()), json!([]));
    assert_eq!(pr(&env, &id), "open ci_failing");
    let question: Value = serde_json::from_slice(&fs::read(&asked).unwrap()).unwrap();
    assert_eq!((&question["op"], &question["schema"]), (&json!("observe"), &json!(1)));
    assert_eq!(question["subjects"][0]["branch"], format!("ao/{id}"));

    for bad in ["", "[]", "{\"facts\": {}}", "{\"error\": \"down\"}", "{\"unsupported\": true}"] {
        let failed = pass(bad);
        assert_eq!(failed.as_array().unwrap().len(), 1, "{bad}: {failed}");
        assert_eq!(pr(&env, &id), "open ci_failing", "{bad}");
    }
    let merged = json!({ "facts": { &id: { "pr": { "state": "merged" } } } });
    assert_eq!(pass(&merged.to_string()), json!([]));
    assert_eq!(pr(&env, &id), "merged merged");
}
