//! `ao kill`, `ao restore`, and the commands that look: `rename`, `explain`, `show`, `path`,
//! `exec`, `output`, `events`.

use std::fs;
use std::io::{BufRead, BufReader};

use rustix::process::{Pid, Signal, kill_process};

use crate::agents::{agent, agents_alive, configure, ledger, pasted, spawn, status, wait_status};
use crate::env::TestEnvironment;
use crate::schema::{assert_answer, assert_record};

const IDLE: &str = "hook user-prompt-submit\nsay task {prompt}\nhook stop\n";
const CHAT: &str = "loop {\nread\nhook user-prompt-submit\nsay answer to {message}\nhook stop\n}\n";

fn idler(env: &TestEnvironment) -> String {
    let repo = env.repo("app");
    agent(env, "idler", &format!("{IDLE}{CHAT}"));
    let id = spawn(env, &repo, &["--agent", "idler", "the task"]);
    wait_status(env, &id, "idle");
    id
}

#[test]
fn a_kill_ends_the_tree_and_keeps_the_workspace() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    // A child in a session of its own, and an agent that is deaf to what is polite.
    agent(&env, "parent", &format!("ignore hup term int\nspawn-child\n{IDLE}{CHAT}"));
    let id = spawn(&env, &repo, &["--agent", "parent", "x"]);
    wait_status(&env, &id, "idle");
    let workspace = env.record(&id)["handles"]["workspace"]["path"].as_str().unwrap().to_owned();
    fs::write(format!("{workspace}/draft"), "mine").unwrap();
    assert!(agents_alive(&env).len() >= 2, "the agent and its child");

    let answer = env.ao_json(&["kill", &id, "--json"]);
    assert_answer("SessionsAnswer", &answer);
    assert_eq!(answer["sessions"][0]["status"], "killed");
    assert_eq!(agents_alive(&env), Vec::<u32>::new());
    assert_eq!(fs::read_to_string(format!("{workspace}/draft")).unwrap(), "mine");
    assert_eq!(env.tmux(&["list-panes", "-a"]).stdout, "");

    let again = env.ao(&["kill", &id]).success();
    assert_eq!(again.stdout, format!("{id} had ended already, workspace kept: {workspace}\n"));
    assert_eq!(status(&env, &id), "killed");
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn a_kill_does_not_wait_for_a_configuration_to_be_mended() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "shell", "sleep 600"]);
    configure(&env, "agnet = \"shell\"\n");
    let outcome = env.ao(&["kill", &id]).success();
    assert!(outcome.stderr.contains("warning: ") && outcome.stderr.contains("agnet"), "{outcome}");
    assert_eq!(status(&env, &id), "killed");
    assert_eq!(env.tmux(&["list-panes", "-a"]).stdout, "");
}

#[test]
fn a_restore_takes_the_same_workspace_and_conversation_up_again() {
    let env = TestEnvironment::new();
    let id = idler(&env);
    let error = env.ao(&["restore", &id, "--json"]).code(4).json_error();
    assert_answer("ErrorAnswer", &error);
    let before = env.record(&id);
    let workspace = before["handles"]["workspace"].clone();
    fs::write(workspace["path"].as_str().unwrap().to_owned() + "/draft", "mine").unwrap();
    env.ao(&["kill", &id]).success();

    let answer = env.ao_json(&["restore", &id, "--json"]);
    assert_answer("SessionsAnswer", &answer);
    wait_status(&env, &id, "idle");
    let after = env.record(&id);
    assert_eq!(after["handles"]["workspace"], workspace);
    assert_ne!(after["handles"]["launch"], before["handles"]["launch"]);
    // The conversation has the task in it; it is not given a second time.
    assert_eq!(after["handles"]["agent_session"], before["handles"]["agent_session"]);
    assert!(!env.ao(&["output", &id]).stdout.contains("task the task"));
    assert!(fs::exists(workspace["path"].as_str().unwrap().to_owned() + "/draft").unwrap());
    env.ao(&["send", &id, "go on"]).success();
    assert_eq!(ledger(&env, "idler"), pasted("go on"));
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn a_session_that_was_cleaned_up_comes_back_from_the_trash() {
    let env = TestEnvironment::new();
    let id = idler(&env);
    env.ao(&["kill", &id]).success();
    env.ao(&["cleanup", &id]).success();
    let handle = env.record(&id)["handles"]["workspace"].clone();
    let path = handle["path"].as_str().unwrap();
    assert!(!fs::exists(path).unwrap());
    env.ao(&["restore", &id]).success();
    wait_status(&env, &id, "idle");
    let there = std::path::Path::new(path);
    assert_eq!(env.git(there, &["branch", "--show-current"]), format!("ao/{id}"));
    assert_eq!(env.git(there, &["status", "--porcelain"]), "");
    assert!(env.home().join("sessions").join(&id).is_dir());
    assert!(!env.home().join("archive").join(&id).exists());
}

#[test]
fn what_an_earlier_session_of_the_same_name_left_does_not_come_back() {
    for (pool, by_hand) in [("2", false), ("0", true)] {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        env.ao(&["config", "set", "pool.size", pool]).success();
        let spawn = |more: &[&str], script: &str| {
            let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", "z"];
            env.ao_in(&repo, &[&words[..], more, &["--wait", script]].concat()).success();
        };
        spawn(&[], "echo OLD >old; echo OLD >>README.md");
        let commit = "echo c >c; git add c; git -c user.name=A -c user.email=a@b commit -qm NEW";
        spawn(&["--if-exists", "replace"], commit);
        let tree = env.home().join("worktrees/app/z");
        if by_hand {
            fs::remove_dir_all(&tree).unwrap();
        }
        env.ao(&["cleanup", "z", "--yes"]).success();
        env.ao(&["restore", "z"]).success();
        assert_eq!(env.git(&tree, &["status", "--porcelain"]), "", "{pool}");
        assert_eq!(env.git(&tree, &["show", "-s", "--format=%s"]), "NEW", "{pool}");
    }
}

#[test]
fn a_workspace_that_was_away_during_its_cleanup_comes_back_with_a_restore() {
    let env = TestEnvironment::new();
    let id = idler(&env);
    env.ao(&["kill", &id]).success();
    let tree = env.record(&id)["handles"]["workspace"]["path"].as_str().unwrap().to_owned();
    let tree = std::path::Path::new(&tree);
    fs::write(tree.join("draft"), "mine").unwrap();
    let away = |path: &std::path::Path| path.with_file_name("away");
    let project = tree.parent().unwrap();
    fs::rename(project, away(project)).unwrap();
    let outcome = env.ao(&["cleanup", &id]).code(5);
    assert!(outcome.stderr.contains("is it mounted?"), "{outcome}");
    fs::rename(away(project), project).unwrap();

    fs::rename(tree, away(tree)).unwrap();
    env.ao(&["cleanup", &id]).success();
    fs::rename(away(tree), tree).unwrap();
    env.ao(&["restore", &id]).success();
    assert_eq!(env.git(tree, &["status", "--porcelain"]), "?? draft");
    assert_eq!(env.git(tree, &["branch", "--show-current"]), format!("ao/{id}"));
}

#[test]
fn a_session_that_never_had_a_workspace_is_not_started_anywhere() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    // Undone before the worktree was there: the record stays, and says that there is none.
    let words = ["spawn", "--agent", "shell", "--id", "one", "pwd >>\"$AO_HOME/ran\""];
    let command = env.ao_command(&words).cwd(&repo).env("AO_FAILPOINT", "spawn.seeded=kill");
    assert_eq!(env.run(&command).status, 137);
    env.ao(&["reap"]).success();
    assert_eq!(status(&env, "one"), "errored");
    assert_eq!(env.record("one")["handles"].get("workspace"), None);
    let before = env.record("one");
    // Whoever restores it may stand in the user's own repository.
    let error = env.ao_in(&repo, &["restore", "one", "--json"]).code(4).json_error();
    assert_answer("ErrorAnswer", &error);
    assert!(error["error"]["message"].as_str().unwrap().contains("was never made"), "{error}");
    assert_eq!(env.record("one"), before);
    assert!(!env.home().join("ran").exists());
}

#[test]
fn all_that_was_lost_with_the_server_comes_back() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "idler", &format!("{IDLE}{CHAT}"));
    let ids: Vec<_> = (0..3).map(|_| spawn(&env, &repo, &["--agent", "idler", "x"])).collect();
    ids.iter().for_each(|id| wait_status(&env, id, "idle"));
    env.ao(&["kill", &ids[2]]).success();
    let server = env.tmux(&["display-message", "-p", "#{pid}"]).stdout;
    let server = Pid::from_raw(server.trim().parse().unwrap()).unwrap();
    // All at once, as a reboot would: launchers first, so that none can say how it ended.
    for id in &ids[..2] {
        let pid = env.record(id)["handles"]["runtime"]["pid"].as_i64().unwrap();
        kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    }
    kill_process(server, Signal::KILL).unwrap();
    env.wait_for("nothing is left", || agents_alive(&env).is_empty().then_some(()));
    env.ao(&["reap"]).success();
    let lost = ids.iter().map(|id| status(&env, id)).collect::<Vec<_>>();
    assert_eq!(lost, ["exited", "exited", "killed"]);
    assert_eq!(env.record(&ids[0])["lifecycle"]["session"]["reason"], "runtime_lost");

    let plan = env.ao_json(&["restore", "--all", "--dry-run", "--json"]);
    assert_answer("PlanAnswer", &plan);
    assert_eq!(plan["plan"].as_array().unwrap().len(), 2);
    env.ao(&["restore", "--all"]).success();
    ids[..2].iter().for_each(|id| wait_status(&env, id, "idle"));
    assert_eq!(status(&env, &ids[2]), "killed");
    assert_eq!(env.ao(&["restore", "--all"]).success().stdout, "");
}

#[test]
fn what_a_session_is_can_be_looked_at() {
    let env = TestEnvironment::new();
    let id = idler(&env);
    let renamed = env.ao_json(&["rename", &id, "a \u{1b}[31mtitle", "--json"]);
    assert_answer("SessionAnswer", &renamed);
    let title = renamed["session"]["title"].as_str().unwrap();
    assert!(!title.contains('\u{1b}') && title.contains("title"), "{title:?}");

    let shown = env.ao_json(&["show", &id, "--json"]);
    assert_answer("SessionAnswer", &shown);
    assert_record(&env.record(&id));
    assert!(env.record(&id).get("status").is_none());
    assert!(env.ao(&["show", &id]).success().stdout.starts_with("status: idle\n"));

    let explained = env.ao_json(&["explain", &id, "--json"]);
    assert_answer("ExplainAnswer", &explained);
    assert_eq!(explained["explain"]["decision"]["rule"], "activity.idle");
    let text = env.ao(&["explain", &id]).success().stdout;
    assert!(text.starts_with(&format!("{id} is idle (idle/inactive, since ")), "{text}");
    assert!(text.contains("decided by activity.idle"), "{text}");

    let path = env.ao(&["path", &id]).success().stdout;
    assert_eq!(path.trim_end(), shown["session"]["handles"]["workspace"]["path"]);
    assert_answer("PathAnswer", &env.ao_json(&["path", &id, "--json"]));

    assert_eq!(env.ao(&["exec", &id, "--", "pwd"]).success().stdout, path);
    env.ao(&["exec", &id, "--", "sh", "-c", "exit 41"]).code(41);
    env.ao(&["exec", &id, "--", "sh", "-c", "kill -9 $$"]).code(137);

    let log = env.ao_json(&["log", &id, "--json"]);
    assert_answer("LogAnswer", &log);
    assert_eq!(log["events"].as_array().unwrap().len(), env.events(&id).len());
    assert_answer("VerifyAnswer", &env.ao_json(&["log", &id, "--verify", "--json"]));
    assert_answer("DoctorAnswer", &env.ao_json(&["doctor", "--state", "--json"]));
    for args in
        [&["kill", "nobody"][..], &["restore", "nobody"], &["path", "nobody"], &["log", "nobody"]]
    {
        env.ao(args).code(3);
    }
}

#[test]
fn a_screen_is_shown_without_its_escape_sequences() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = r"printf '\033[31mred\033[0m \033]0;title\007plain\n'; sleep 600";
    for runtime in ["tmux", "process"] {
        let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", runtime, script]);
        env.wait_for("the line", || {
            env.ao(&["output", &id]).stdout.contains("plain").then_some(())
        });
        let clean = env.ao(&["output", &id]).success();
        assert!(clean.stdout.contains("red plain"), "{clean}");
        assert!(!clean.bytes.contains(&0x1b), "{clean}");
        let raw = env.ao(&["output", &id, "--raw"]).success();
        assert!(raw.stdout.contains("\u{1b}[31mred"), "{raw}");
        assert_answer("OutputAnswer", &env.ao_json(&["output", &id, "--json"]));
        env.ao(&["kill", &id]).success();
    }
}

#[test]
fn the_last_screen_and_the_exit_code_of_an_agent_that_ended_are_kept() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let ends = [("exit 3", "code", 3), ("kill -9 $$", "signal", 9)];
    for (end, key, value) in ends {
        let script = &format!("echo last words; {end}");
        let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "tmux", script]);
        wait_status(&env, &id, "errored");
        let kept = |when: &str| {
            let shown = env.ao(&["output", &id]).success();
            assert!(shown.stdout.contains("last words"), "{when}\n{shown}");
            let text = fs::read(env.session_directory(&id).unwrap().join("exit.json")).unwrap();
            let exit: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(exit[key], value, "{when}: {exit}");
        };
        kept("it ended");
        env.ao(&["reap"]).success();
        kept("a pass came by");
        env.ao(&["kill", "--yes", &id]).success();
    }
}

#[test]
fn output_is_followed_line_by_line_in_json() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "echo one; while [ ! -e ../go ]; do sleep 0.05; done; echo two; exit 3";
    let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", script]);
    env.wait_for("the first line", || {
        env.ao(&["output", &id]).stdout.contains("one").then_some(())
    });
    let mut child = env.spawn_ao(&["output", &id, "--follow", "--json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_answer("OutputAnswer", &first);
    let workspace = env.home().join("worktrees/app").join(&id);
    fs::write(workspace.with_file_name("go"), "").unwrap();
    let mut text = first["output"]["text"].as_str().unwrap().to_owned();
    assert!(first["output"].get("added").is_none(), "{first}");
    for line in lines {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_answer("OutputAnswer", &line);
        let more = line["output"]["text"].as_str().unwrap();
        if line["output"]["added"] == true {
            text.push('\n');
            text.push_str(more);
        } else {
            text = more.to_owned();
        }
    }
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["one", "two"]);
    assert!(child.wait().unwrap().success());
}

#[test]
fn followed_output_has_no_line_that_nobody_wrote() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let wait = |name: &str| format!("while [ ! -e ../{name} ]; do sleep 0.05; done");
    let script = format!("echo one; {}; echo two; printf thr; {}; echo ee", wait("a"), wait("b"));
    let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", &script]);
    env.wait_for("the first line", || {
        env.ao(&["output", &id]).stdout.contains("one").then_some(())
    });
    let mut followers = [&[][..], &["--json"]]
        .map(|form| env.spawn_ao(&[&["output", &id, "--follow"][..], form].concat()));
    let [plain, json] = followers.each_mut().map(|it| it.stdout.take().unwrap());
    let mut plain = BufReader::new(plain).lines().map(Result::unwrap);
    let mut json = BufReader::new(json).lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        line["output"]["text"].as_str().unwrap().to_owned()
    });
    assert_eq!((plain.next().unwrap(), json.next().unwrap()), ("one".into(), "one".into()));
    let worktrees = env.home().join("worktrees/app");
    fs::write(worktrees.join("a"), "").unwrap();
    let mut told = (Vec::new(), Vec::new());
    while told.0.last().is_none_or(|last| last != "thr") {
        told.0.push(plain.next().unwrap());
    }
    while told.1.last().is_none_or(|last: &String| !last.ends_with("thr")) {
        told.1.push(json.next().unwrap());
    }
    fs::write(worktrees.join("b"), "").unwrap();
    told.0.extend(plain);
    told.1.extend(json);
    assert_eq!(told.0, ["two", "thr", "three"]);
    assert_eq!(told.1.join("\n"), "two\nthr\nthree");
    assert!(followers.iter_mut().all(|it| it.wait().unwrap().success()));
}

#[test]
fn events_are_followed_as_they_come() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "true"]);
    wait_status(&env, &id, "done");
    let mut child = env.spawn_ao(&["events", "--follow", "--json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    for _ in 0..env.events(&id).len() {
        let line: serde_json::Value =
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        seen.push(line["seq"].as_u64().unwrap());
    }
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    env.ao(&["rename", &id, "renamed"]).success();
    let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((&line["cause"], &line["id"]), (&"rename".into(), &id.clone().into()));
    // One that begins later is followed too.
    let next = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "true"]);
    let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((&line["seq"], &line["id"]), (&1.into(), &next.into()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_session_that_cannot_come_back_stays_as_it_ended() {
    let env = TestEnvironment::new();
    let id = idler(&env);
    env.ao(&["kill", &id]).success();
    env.ao(&["cleanup", &id]).success();
    fs::remove_dir_all(env.home().join("worktrees/.trash")).unwrap();

    let refused = env.ao(&["restore", &id]).code(3);
    assert!(refused.stderr.contains(&format!("branch `ao/{id}` is gone")), "{refused}");
    assert_eq!(status(&env, &id), "killed");
    assert!(env.home().join("archive").join(&id).is_dir());
    assert!(!env.home().join("sessions").join(&id).exists());
}

#[test]
fn a_spawn_that_an_earlier_version_recorded_as_running_is_finished() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let args = ["--agent", "shell", "--runtime", "process", "--id", "app-1", "exec sleep 600"];
    let spawn = env.ao_command(&[&["spawn"], &args[..]].concat()).cwd(&repo);
    assert_eq!(env.run(&spawn.env("AO_FAILPOINT", "spawn.started=kill")).status, 128 + 9);
    assert_eq!(env.record("app-1")["intent"]["step"], "agent_files");
    // As it was when the runtime was recorded before the completion.
    let home = ao::store::Home::open(&env.home()).unwrap();
    let id = "app-1".parse().unwrap();
    let text = std::fs::read(home.session_dir(&id).join("started.json")).unwrap();
    let started: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let runtime = serde_json::json!({
        "kind": "process",
        "pid": started["pid"],
        "pid_start": started["pid_start"],
        "boot_id": started["boot_id"],
    });
    let patch = serde_json::json!({"intent": {"step": "runtime"}, "handles": {"runtime": runtime}});
    let mut locked = home.lock_session(&id, std::time::Duration::from_secs(10)).unwrap();
    let change = ao::store::Change::new("spawn", locked.record().updated_at.unwrap());
    locked.commit(change.with_patch(patch.as_object().unwrap().clone())).unwrap();
    drop(locked);

    env.ao(&["reap"]).success();
    let record = env.record("app-1");
    assert_eq!(record["intent"], serde_json::Value::Null);
    assert_eq!(record["lifecycle"]["runtime"]["state"], "alive", "{record:#}");
    env.ao(&["kill", "app-1"]).success();
}

/// A session that was cleaned up is live again with its restore, and not before.
#[test]
fn what_cannot_be_restored_goes_back_to_the_archive() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "true"]);
    wait_status(&env, &id, "done");
    env.ao(&["cleanup", &id]).success();
    let is_archived = || {
        let [live, archived] = ["sessions", "archive"].map(|it| env.home().join(it).join(&id));
        archived.is_dir() && !live.exists()
    };
    let before = env.record(&id);
    for (fault, code) in [
        ("store.append=error:28", 1),
        ("store.archive=error:5", 1),
        ("store.archived=error:5", 1),
        ("store.archived=kill", 137),
        ("store.append=kill", 137),
    ] {
        env.ao_env(&["restore", &id], &[("AO_FAILPOINT", fault)]).code(code);
        // Where it is refused before it is back, or can go back, that is done at once.
        if !fault.starts_with("store.append=error") && !fault.starts_with("store.archive=") {
            env.ao(&["reap"]).success();
        }
        assert!(is_archived(), "{fault}");
        assert_eq!(env.record(&id), before, "{fault}");
    }
    env.ao(&["restore", &id]).success();
    assert!(!is_archived());
    env.ao(&["doctor", "--state"]).success();
}
