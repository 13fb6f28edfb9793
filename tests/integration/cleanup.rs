//! `ao cleanup`: removes what can be had again, keeps or saves everything else.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ao::store::lock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::agents::{configure, listening, spawn, status, wait_status};
use crate::disk::Mount;
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

fn ended(env: &TestEnvironment, repo: &Path, script: &str) -> (String, PathBuf) {
    let id = spawn(env, repo, &["--agent", "shell", "--runtime", "process", "--", script]);
    wait_status(env, &id, "done");
    let path = env.record(&id)["handles"]["workspace"]["path"].as_str().unwrap().into();
    (id, path)
}

#[test]
fn work_that_is_nowhere_else_is_kept_and_the_reason_told() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let (dirty, tree) = ended(&env, &repo, "echo x >new; echo y >>README.md");
    let (clean, _) = ended(&env, &repo, "true");
    let plan = env.ao_json(&["cleanup", "--dry-run", "--json"]);
    assert_answer("PlanAnswer", &plan);
    assert!(tree.exists());

    let error = env.ao(&["cleanup", &dirty, "--json"]).code(5).json_error();
    assert_answer("ErrorAnswer", &error);
    assert_eq!(error["error"]["kind"], "refused");
    assert!(error["error"]["message"].as_str().unwrap().contains("uncommitted"), "{error:#}");

    // Several are asked about; without a terminal that is a refusal that names the flag.
    let refused = env.ao(&["cleanup"]);
    assert!(refused.status != 0 && refused.stderr.contains("--yes"), "{refused}");
    let answer = env.ao_json(&["cleanup", "--all", "--yes", "--json"]);
    assert_answer("CleanupAnswer", &answer);
    let kept = &answer["cleanup"][0];
    assert_eq!(kept["id"], *dirty);
    let reasons = kept["kept"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap());
    assert_eq!(reasons.collect::<Vec<_>>().join("; "), "1 uncommitted file; 1 untracked file");
    assert_eq!(
        (&answer["cleanup"][1]["id"], &answer["cleanup"][1]["branch"]),
        (&clean.clone().into(), &"deleted".into())
    );
    assert_eq!(fs::read_to_string(tree.join("new")).unwrap(), "x\n");
    assert!(env.home().join("sessions").join(&dirty).is_dir());
    assert!(env.home().join("archive").join(&clean).is_dir());
    assert_eq!(status(&env, &clean), "done");
}

#[test]
fn a_new_file_is_work_though_nothing_is_in_it() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let (id, workspace) = ended(&env, &repo, "mkdir new; touch new/__init__.py");
    let told = env.ao(&["cleanup", &id]).code(5);
    assert!(told.stderr.contains("1 untracked file"), "{told}");
    env.ao(&["cleanup", "--force", "--yes", &id]).success();
    assert!(!workspace.exists());
    let saved =
        env.git(&repo, &["ls-tree", "-r", "--name-only", &format!("refs/ao/preserved/{id}")]);
    assert!(saved.contains("new/__init__.py"), "{saved}");
}

/// Shown where this user may mount; that no such directory is gone into is shown everywhere
/// (`what_is_mounted_is_not_gone_into_to_empty_it`).
#[test]
fn what_is_mounted_in_a_workspace_is_not_deleted_with_it() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao(&["config", "set", "trash.keep", "0s"]).success();
    let (id, workspace) = ended(&env, &repo, "mkdir build; echo /build/ >.git-ignored");
    let exclude = repo.join(".git/info/exclude");
    fs::write(exclude, "/build/\n.git-ignored\n").unwrap();
    let outside = env.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("gold"), "gold").unwrap();
    let from = outside.to_str().unwrap();
    let at = workspace.join("build");
    let Some(mount) = Mount::new(&env, &["--bind", from], &at) else { return };
    for words in [&["cleanup", &id][..], &["cleanup", "--force", "--yes", &id]] {
        let told = env.ao(words).code(5);
        assert!(
            told.stderr.contains(&format!("something is mounted at {}", at.display())),
            "{told}"
        );
    }
    // And what was mounted in the trash, where nothing was looked at.
    drop(mount);
    env.ao(&["cleanup", &id]).success();
    let trash = env.home().join("worktrees/.trash");
    let buried = fs::read_dir(&trash).unwrap().next().unwrap().unwrap().path();
    let mut mount = Mount::new(&env, &["--bind", from], &buried.join("build")).unwrap();
    let told = env.ao(&["reap", "--strict"]).code(1).stderr;
    assert!(told.contains("something is mounted at \"build\" in it"), "{told}");
    assert_eq!(fs::read_to_string(outside.join("gold")).unwrap(), "gold");
    // It went along to where things are that are being deleted.
    mount.0 = fs::read_dir(&trash).unwrap().next().unwrap().unwrap().path().join("build");
    drop(mount);
    env.ao(&["reap", "--strict"]).success();
    assert_eq!(fs::read_dir(&trash).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(outside.join("gold")).unwrap(), "gold");
}

#[test]
fn force_saves_every_byte_and_says_how_to_get_it_back() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    fs::write(repo.join(".gitignore"), ".env\ntarget\n").unwrap();
    env.git(&repo, &["add", ".gitignore"]);
    env.git(&repo, &["commit", "-q", "-m", "ignore"]);
    let script = "printf 'a\\0\\377b' >binary; echo y >>README.md; mkdir d; echo z >d/deep; \
                  echo secret >.env; mkdir target; echo o >target/o; ln -s d/deep link; \
                  chmod +x binary; git add d; echo staged >>d/deep";
    let (id, tree) = ended(&env, &repo, script);
    let status_before = env.git(&repo, &["status", "--porcelain"]);
    let outcome = env.ao(&["cleanup", &id, "--force"]).success();
    assert!(!tree.exists());
    let marker = "to bring it back: ";
    let line = outcome.stderr.lines().find(|line| line.contains(marker)).expect("a command");
    let command = line.split_once(marker).unwrap().1;
    env.run(&env.command("sh").args(["-c", command])).success();

    let listed = env.git(&repo, &["worktree", "list", "--porcelain"]);
    let back = listed
        .lines()
        .filter_map(|line| line.strip_prefix("worktree "))
        .map(PathBuf::from)
        .find(|path| *path != repo)
        .expect("a worktree");
    assert_eq!(fs::read(back.join("binary")).unwrap(), b"a\0\xffb");
    assert_eq!(fs::read_to_string(back.join("README.md")).unwrap(), "# A repository\ny\n");
    assert_eq!(fs::read_to_string(back.join("d/deep")).unwrap(), "z\nstaged\n");
    assert_eq!(fs::read_to_string(back.join(".env")).unwrap(), "secret\n");
    assert_eq!(fs::read_link(back.join("link")).unwrap(), Path::new("d/deep"));
    assert_eq!(env.git(&repo, &["status", "--porcelain"]), status_before);
}

#[test]
fn force_is_recommended_only_where_it_would_do() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let (id, tree) = ended(&env, &repo, "echo mine >>README.md");
    let place = tree.to_str().unwrap();
    env.git(&tree, &["update-index", "--skip-worktree", "README.md"]);
    let hint = |args: &[&str]| {
        let error = env.ao(&[&["cleanup", &id, "--json"], args].concat()).code(5).json_error();
        error["error"]["hint"].as_str().unwrap().to_owned()
    };
    assert_eq!(hint(&[]), "commit or remove it, or say --force, which saves everything first");
    env.git(&repo, &["worktree", "lock", place]);
    let other = "see to that first: --force saves work, and overrules no more";
    assert_eq!([hint(&[]), hint(&["--force"])], [other; 2]);
    env.git(&repo, &["worktree", "unlock", place]);
    env.ao(&["cleanup", &id, "--force"]).success();
    let saved = env.git(&repo, &["show", &format!("refs/ao/preserved/{id}:README.md")]);
    assert_eq!(saved, "# A repository\nmine");
}

#[test]
fn commits_keep_their_branch() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let commit = "git -c user.name=A -c user.email=a@example.com commit -q --allow-empty -m work";
    let (id, tree) = ended(&env, &repo, commit);
    let tip = env.git(&tree, &["rev-parse", "HEAD"]);
    let answer = env.ao_json(&["cleanup", &id, "--json"]);
    assert_answer("CleanupAnswer", &answer);
    assert!(answer["cleanup"][0]["branch"].as_str().unwrap().starts_with("kept: "), "{answer:#}");
    assert!(!tree.exists());
    assert_eq!(env.git(&repo, &["rev-parse", &format!("ao/{id}")]), tip);
}

#[test]
fn only_what_has_ended_is_cleaned_up() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "sleep 600"]);
    let outcome = env.ao(&["cleanup", &id]).code(4);
    assert!(outcome.stderr.contains(&id), "{outcome}");
    env.ao(&["cleanup", "--yes"]).success();
    env.ao(&["reap"]).success();
    assert_eq!(status(&env, &id), "working");
    env.ao(&["kill", &id]).success();
    env.ao(&["cleanup", &id]).success();
    let again = env.ao(&["cleanup", &id]).success();
    assert!(again.stderr.contains("already"), "{again}");
}

const AUTO: &str = "[scm]\nkind = \"none\"\n[cleanup]\nauto = true\nafter = \"0s\"\n";

/// Starts an agent whose pull request is then merged; nothing is left to be told of it.
fn merged(env: &TestEnvironment, repo: &Path, id: &str) {
    let path = env.path("notices.jsonl");
    let notifier = format!("[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n", path.display());
    configure(env, &format!("[scm]\nkind = \"none\"\n{notifier}"));
    listening(env, repo, id, "");
    let fact = json!({ "fetched": true, "pr": { "state": "merged", "number": 7 } });
    for _ in 0..2 {
        env.ao_stdin(&["observe", "scm", id], fact.to_string()).success();
    }
    env.ao(&["reap"]).success();
    assert_eq!((status(env, id), env.record(id).get("outbox")), ("merged".to_owned(), None));
}

/// Asserts that the agent was left alone and is still to get `text`.
#[track_caller]
fn assert_waits(env: &TestEnvironment, id: &str, text: &str) {
    assert_eq!(status(env, id), "merged");
    let record = env.record(id);
    let texts: Vec<&Value> = record["outbox"].as_object().unwrap().values().collect();
    assert!(texts.len() == 1 && texts[0]["message"] == text, "{texts:?}");
}

/// Makes a pass that has found out what is to be cleaned up when `meanwhile` happens.
fn pass_during(env: &TestEnvironment, meanwhile: impl FnOnce()) -> Value {
    let command = env.ao_command(&["reap", "--json"]).env("AO_FAILPOINT", "reap.clean=stop");
    let child = command.spawn(Stdio::null(), Stdio::piped(), Stdio::null()).unwrap();
    env.wait_stopped(child.id());
    meanwhile();
    kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["reap"].take()
}

#[test]
fn an_agent_that_gets_a_text_while_a_pass_is_at_others_is_not_ended_by_it() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    merged(&env, &repo, "two");
    // Whoever is told of the first session sends a text to the second, which was read by then.
    let (ao, home) = (env!("CARGO_BIN_EXE_ao"), env.home());
    let script =
        format!("AO_HOME='{}' '{ao}' send two 'one more thing' --queue >&2", home.display());
    let script = env.script("tell", &script).display().to_string();
    let notifier =
        format!("[notifiers.sh]\nkind = \"command\"\ncommand = [\"sh\", \"{script}\"]\n");
    configure(&env, &format!("{AUTO}{notifier}"));
    let words = ["--id", "one", "--agent", "shell", "--runtime", "process", "exit 3"];
    wait_status(&env, &spawn(&env, &repo, &words), "errored");
    let pass = env.ao_json(&["reap", "--json"]);
    assert_eq!(pass["reap"]["delivered"][0]["id"], "one", "{pass:#}");
    assert_waits(&env, "two", "one more thing");
}

#[test]
fn what_is_changed_at_the_last_moment_is_left_to_the_next_pass() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    merged(&env, &repo, "one");
    configure(&env, AUTO);
    let pass = pass_during(&env, || {
        env.ao(&["send", "one", "one more thing", "--queue"]).success();
    });
    assert_eq!((&pass["failed"], pass.get("cleaned")), (&json!([]), None), "{pass:#}");
    assert_waits(&env, "one", "one more thing");
    env.ao(&["kill", "one"]).success();

    let pass = pass_during(&env, || {
        env.ao(&["restore", "one"]).success();
    });
    assert_eq!((&pass["failed"], pass.get("cleaned")), (&json!([]), None), "{pass:#}");
    assert_eq!(status(&env, "one"), "spawning");

    // Nobody comes in between, and it goes.
    env.ao(&["kill", "one"]).success();
    let pass = pass_during(&env, || {});
    assert_eq!(pass["cleaned"][0]["id"], "one", "{pass:#}");
    assert!(env.home().join("archive/one").is_dir());
}

#[test]
fn a_dry_run_of_a_pass_says_what_would_be_cleaned_up() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    merged(&env, &repo, "live");
    let (dirty, tree) = ended(&env, &repo, "echo x >new");
    let (clean, _) = ended(&env, &repo, "true");
    env.ao(&["reap"]).success();
    assert_eq!(env.ao(&["reap", "--dry-run"]).success().stdout, "nothing to do\n");
    configure(&env, AUTO);
    let plan = env.ao(&["reap", "--dry-run"]).success().stdout;
    let wanted = [
        format!("would clean up {clean}: its workspace is clean\n"),
        "would kill live: merged\n".to_owned(),
        "would clean up live: nothing but its processes is in its workspace\n".to_owned(),
    ];
    assert_eq!(plan, wanted.concat());
    assert_answer("PlanAnswer", &env.ao_json(&["reap", "--dry-run", "--json"]));
    assert_eq!(status(&env, "live"), "merged");

    let pass = env.ao_json(&["reap", "--json"])["reap"].take();
    let cleaned: Vec<&Value> =
        pass["cleaned"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert_eq!(cleaned, [&json!(clean), &json!("live")]);
    assert!(tree.exists() && env.home().join("sessions").join(dirty).is_dir());
    assert_eq!(env.ao(&["reap", "--dry-run"]).success().stdout, "nothing to do\n");
}

/// The one who comes after a killed cleanup finishes it first, and then has nothing left to do.
#[test]
fn a_cleanup_that_was_killed_is_finished_by_the_same_command() {
    for (point, args, script, told) in [
        ("cleanup.removed", &["cleanup"][..], "true", "cleaned up"),
        ("cleanup.recorded", &["cleanup"], "true", "cleaned up, branch deleted"),
        ("cleanup.released", &["cleanup"], "true", "cleaned up"),
        ("cleanup.recorded", &["cleanup", "--force"], "echo x >new", "cleaned up, branch deleted"),
        ("cleanup.removed", &["kill"], "true", "had ended already, and is cleaned up"),
        ("cleanup.removed", &["kill", "--json"], "true", ""),
    ] {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        let (id, tree) = ended(&env, &repo, script);
        let force = args.iter().filter(|word| **word == "--force");
        let first = ["cleanup", &id].into_iter().chain(force.copied()).collect::<Vec<_>>();
        env.ao_env(&first, &[("AO_FAILPOINT", &format!("{point}=kill"))]).code(137);
        let what = format!("{args:?} after {point}");
        let outcome = env.ao(&[args, &[&id]].concat()).success();
        if args.contains(&"--json") {
            let answer = outcome.json();
            assert_answer("SessionsAnswer", &answer);
            assert_eq!(answer["sessions"][0]["status"], "done", "{what}");
        } else {
            assert_eq!(outcome.stdout, format!("{id} {told}\n"), "{what}");
        }
        // Where the work was saved is said by whoever saved it.
        assert_eq!(outcome.stderr.contains("to bring it back: "), script != "true", "{outcome}");
        assert!(!tree.exists(), "{what}");
        assert!(env.home().join("archive").join(&id).is_dir(), "{what}");
        env.ao(&["kill", &id]).success();
        env.ao(&["doctor", "--state"]).success();
    }
}

/// Nobody tells what an archived session had still to say, and nobody else would archive it.
#[test]
fn what_has_still_something_to_say_is_archived_once_that_is_told() {
    let env = TestEnvironment::new();
    let down = env.path("notices.jsonl");
    fs::create_dir(&down).unwrap();
    configure(&env, &format!("[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n", down.display()));
    env.at("2026-01-01T00:00:00Z");
    let repo = env.repo("app");
    let failed = || {
        let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "exit 3"]);
        wait_status(&env, &id, "errored");
        id
    };
    let is_live = |id: &str| env.home().join("sessions").join(id).is_dir();
    let [one, two, by_hand, again] = [(); 4].map(|()| failed());

    let outcome = env.ao(&["cleanup", &one]).success();
    let waits = "to be archived once its notices are told";
    assert_eq!(outcome.stdout, format!("{one} cleaned up, branch deleted, {waits}\n"));
    let answer = env.ao_json(&["cleanup", &two, "--json"]);
    assert_answer("CleanupAnswer", &answer);
    assert_eq!(answer["cleanup"], json!([{"id": two, "branch": "deleted", "undelivered": 1}]));
    // Gone, but not by a cleanup; and one that has run again since its cleanup.
    let tree = env.record(&by_hand)["handles"]["workspace"]["path"].as_str().unwrap().to_owned();
    env.git(&repo, &["worktree", "remove", &tree]);
    env.ao(&["cleanup", &again]).success();
    env.ao(&["restore", &again]).success();
    wait_status(&env, &again, "errored");
    env.ao(&["reap"]).success();
    assert!([&one, &two, &by_hand, &again].iter().all(|id| is_live(id)));

    // Nobody else has to be told of one whose notice is taken back.
    let three = failed();
    env.ao(&["cleanup", &three]).success();
    let waiting = env.record(&three)["outbox"].clone();
    let key = waiting.as_object().unwrap().keys().next().unwrap();
    env.ao(&["outbox", "drop", &three, key]).success();
    let plan = env.ao(&["reap", "--dry-run"]).success().stdout;
    let archive = format!("would archive {three}: it is cleaned up, and all is told\n");
    assert!(plan.contains(&archive), "{plan}");
    env.ao(&["reap"]).success();
    assert!(!is_live(&three));

    fs::remove_dir(&down).unwrap();
    env.at("2026-01-01T01:00:00Z");
    let pass = env.ao_json(&["reap", "--json"]);
    let archived = |id: &str| json!({"id": id, "what": "archived"});
    assert_eq!(pass["reap"]["cleaned"], json!([archived(&one), archived(&two)]), "{pass:#}");
    assert!(env.home().join("archive").join(&one).is_dir());
    assert_eq!([&one, &two, &by_hand, &again].map(|id| is_live(id)), [false, false, true, true]);
    for id in [&one, &two, &by_hand, &again] {
        assert_eq!(env.record(id).get("outbox"), None, "{id}");
    }
    assert_eq!(env.ao_json(&["reap", "--json"])["reap"].get("cleaned"), None);
    env.ao(&["doctor", "--state"]).success();
}

/// Makes a repository of its own in a workspace, which a forced cleanup cannot save.
fn nested(env: &TestEnvironment, tree: &Path) -> PathBuf {
    let inner = tree.join("inner");
    env.git(tree, &["init", "-q", "inner"]);
    env.git(&inner, &["commit", "-q", "--allow-empty", "-m", "x"]);
    inner
}

/// Nobody who comes later asked for force, whatever has become of the obstacle by then.
#[test]
fn a_force_that_was_refused_is_over() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    for (number, later) in ["cleanup", "reap", "restore"].into_iter().enumerate() {
        let (id, tree) = ended(&env, &repo, "true");
        let inner = nested(&env, &tree);
        if number == 0 {
            let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", &id];
            let words = [&words[..], &["--if-exists", "replace", "true"]].concat();
            env.ao_in(&repo, &words).code(5);
        }
        env.ao(&["cleanup", &id, "--force"]).code(5);
        assert_eq!(env.record(&id).get("intent"), None, "{later}");
        env.ao(&["doctor", "--state"]).success();

        fs::remove_dir_all(inner).unwrap();
        fs::write(tree.join("new"), "keep working").unwrap();
        match later {
            "reap" => {
                let pass = env.ao_json(&["reap", "--json"])["reap"].take();
                assert_eq!(pass["recovered"], json!([]), "{pass:#}");
            }
            "cleanup" => drop(env.ao(&["cleanup", &id]).code(5)),
            _ => drop(env.ao(&["restore", &id]).success()),
        }
        assert_eq!(fs::read_to_string(tree.join("new")).unwrap(), "keep working", "{later}");
        let saved = format!("refs/ao/preserved/{id}");
        assert_eq!(env.git(&repo, &["for-each-ref", &saved]), "", "{later}");
    }
}

/// A forced cleanup that was killed goes on where everything was saved, and only while that is so.
#[test]
fn a_force_that_was_killed_takes_nothing_that_came_later() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    for (point, adds, goes_on) in [
        ("cleanup.recorded", false, false),
        ("cmd.input#1", false, false),
        ("cleanup.preserved", false, true),
        ("cleanup.preserved", true, false),
    ] {
        let (id, tree) = ended(&env, &repo, "echo x >new");
        let fault = [("AO_FAILPOINT", &*format!("{point}=kill"))];
        env.ao_env(&["cleanup", &id, "--force"], &fault).code(137);
        if adds {
            fs::write(tree.join("later"), "y").unwrap();
        }
        let pass = env.ao_json(&["reap", "--json"])["reap"].take();
        let what = if goes_on { "finished cleanup" } else { "undid cleanup" };
        assert_eq!(pass["recovered"], json!([{"id": id, "what": what}]), "{point} {adds}");
        assert_eq!(tree.exists(), !goes_on, "{point} {adds}");
        let entry = fs::read_dir(repo.join(".git/worktrees").join(&id)).into_iter().flatten();
        let names: Vec<_> = entry.map(|it| it.unwrap().file_name()).collect();
        let is_temporary = |name: &OsString| name.as_encoded_bytes().starts_with(b".ao-tmp-");
        assert!(!names.iter().any(is_temporary), "{point}: {names:?}");
        assert_eq!(env.record(&id).get("intent"), None);
        assert_eq!(env.home().join("archive").join(&id).is_dir(), goes_on);
        env.ao(&["cleanup", &id, "--force"]).success();
        assert!(!tree.exists());
    }
}

/// Others may hold the repository's lock for minutes, and the workspace is nobody's meanwhile.
#[test]
fn what_is_done_while_a_cleanup_waits_for_its_turn_is_seen() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    for (script, pool, force, code) in
        [("true", "0", false, 5), ("true", "1", false, 5), ("echo x >new", "0", true, 0)]
    {
        env.ao(&["config", "set", "pool.size", pool]).success();
        let (id, tree) = ended(&env, &repo, script);
        let held = lock::acquire(&repo.join(".git/ao.lock"), Duration::ZERO).unwrap();
        let force = force.then_some("--force");
        let words: Vec<&str> = ["cleanup", &*id].into_iter().chain(force).collect();
        let command = env.ao_command(&words).env("AO_FAILPOINT", "lock.wait=stop");
        let mut child = command.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
        env.wait_stopped(child.id());
        fs::write(tree.join("late"), "work of an hour").unwrap();
        drop(held);
        kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{words:?}");
        let late = match code {
            0 => env.git(&repo, &["show", &format!("refs/ao/preserved/{id}:late")]),
            _ => fs::read_to_string(tree.join("late")).unwrap(),
        };
        assert_eq!(late, "work of an hour", "{words:?}");
    }
}
