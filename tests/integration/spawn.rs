//! `ao spawn`: prompts byte for byte, several at once, names that are taken, limits, runtimes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::agents::{
    agent, card, configure, gate, ledger, open, pasted, spawn, status, tree, wait_status,
};
use crate::env::{TestEnvironment, program_in_path};
use crate::schema::assert_answer;

/// A session that stays at an empty prompt.
const IDLE: &str = "hook session-start\nread\n";

/// Everything that a shell or a terminal could take for more than text.
const HOSTILE: &[u8] = b"\x1b[201~\x1b]0;title\x07 `touch back` $(touch dollar) ${HOME} \"'\\ ; | & \r\n\xff\xfe -rf\n";

fn hostile(length: usize) -> Vec<u8> {
    HOSTILE.iter().copied().cycle().take(length).chain(*b"the end").collect()
}

fn plain_card(env: &TestEnvironment, name: &str, rest: &str) {
    let directory = env.path("user/config/ao/agents");
    fs::create_dir_all(&directory).unwrap();
    let text = format!("[agent]\nname = \"{name}\"\nbinary = \"sh\"\nmode = \"one_shot\"\n{rest}");
    fs::write(directory.join(format!("{name}.toml")), text).unwrap();
}

fn workspace(env: &TestEnvironment, id: &str) -> PathBuf {
    env.record(id)["handles"]["workspace"]["path"].as_str().unwrap().into()
}

fn got(env: &TestEnvironment, id: &str) -> Vec<u8> {
    wait_status(env, id, "done");
    fs::read(workspace(env, id).join("got")).unwrap()
}

/// Returns the names in a workspace, to see that nothing in a prompt was run.
fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<_> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn live(env: &TestEnvironment) -> Vec<String> {
    let answer = env.ao_json(&["ls", "--json"]);
    let ids = answer["sessions"].as_array().unwrap().iter();
    ids.map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_prompt_arrives_byte_for_byte_and_nothing_in_it_is_run() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    plain_card(
        &env,
        "reader",
        "one_shot = [\"{binary}\", \"-c\", \"cat >got\"]\n[prompt]\ndelivery = \"stdin\"\n",
    );
    plain_card(
        &env,
        "taker",
        "one_shot = [\"{binary}\", \"-c\", \"printf %s \\\"$1\\\" >got\", \"sh\", \"{prompt_args}\"]\n\
         [prompt]\ndelivery = \"argument\"\nargs = [\"{prompt}\"]\n",
    );
    let big = hostile(1 << 20);
    let file = env.path("tmp/prompt");
    fs::write(&file, &big).unwrap();
    let from_file = ["--prompt-file", file.to_str().unwrap()];

    let id = spawn(&env, &repo, &[&["--agent", "reader"], &from_file[..]].concat());
    assert!(got(&env, &id) == big, "standard input lost something");
    assert_eq!(names(&workspace(&env, &id)), [".git", "README.md", "got"]);

    // Too long for an argument: the argument says where it is.
    let id = spawn(&env, &repo, &[&["--agent", "taker"], &from_file[..]].concat());
    let prompt = env.session_directory(&id).unwrap().join("prompt.md");
    let said = String::from_utf8(got(&env, &id)).unwrap();
    assert!(said.contains(prompt.to_str().unwrap()), "{said}");
    assert!(fs::read(&prompt).unwrap() == big, "the file lost something");

    let small = hostile(2000);
    let command = env.ao_command(&["spawn", "--agent", "taker", "-"]).cwd(&repo);
    let id = env.run(&command.stdin(small.clone())).success().stdout.trim().to_owned();
    assert!(got(&env, &id) == small, "the argument lost something");
    assert_eq!(names(&workspace(&env, &id)), [".git", "README.md", "got"]);

    let text = "one `touch back` $(touch dollar) \"two\"";
    let id = spawn(&env, &repo, &["--agent", "taker", "--", text]);
    assert_eq!(got(&env, &id), text.as_bytes());

    // For `shell` the prompt is the script itself; what it quotes stays quoted.
    let script = [b"cat >got <<'END OF IT'\n", &big[..], b"\nEND OF IT\n"].concat();
    fs::write(&file, script).unwrap();
    let id = spawn(&env, &repo, &[&["--agent", "shell"], &from_file[..]].concat());
    assert!(got(&env, &id) == [&big[..], b"\n"].concat(), "the script lost something");
    assert_eq!(names(&workspace(&env, &id)), [".git", "README.md", "got"]);
}

#[test]
fn a_prompt_with_nul_is_refused_and_nothing_is_made() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let refs = env.git(&repo, &["for-each-ref"]);
    let command = env.ao_command(&["spawn", "--agent", "shell", "--json", "-"]).cwd(&repo);
    let outcome = env.run(&command.stdin(b"echo a\0b".to_vec())).code(2);
    assert_answer("ErrorAnswer", &outcome.json_error());
    assert_eq!(outcome.json_error()["error"]["kind"], "invalid");
    assert_eq!(env.ao_json(&["ls", "--all", "--json"])["sessions"], serde_json::json!([]));
    assert_eq!(env.git(&repo, &["for-each-ref"]), refs);
}

#[test]
fn several_at_once_each_have_their_own_branch() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let answer = env
        .ao_in(&repo, &["spawn", "--agent", "shell", "--count", "3", "--json", "true"])
        .success()
        .json();
    assert_answer("SessionsAnswer", &answer);
    assert!(answer.get("failed").is_none(), "{answer:#}");
    let pair = |session: &Value| {
        let branch = &session["handles"]["workspace"]["branch"];
        format!("{} {}", session["id"].as_str().unwrap(), branch.as_str().unwrap())
    };
    let pairs: Vec<_> = answer["sessions"].as_array().unwrap().iter().map(pair).collect();
    assert_eq!(pairs, ["app-1 ao/app-1", "app-2 ao/app-2", "app-3 ao/app-3"]);
    for id in ["app-1", "app-2", "app-3"] {
        wait_status(&env, id, "done");
    }
}

#[test]
fn a_batch_goes_on_after_a_line_that_fails() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "waiter", IDLE);
    let batch = |lines: &str| {
        let command = env.ao_command(&["spawn", "--agent", "waiter", "--batch", "-", "--json"]);
        env.run(&command.cwd(&repo).stdin(lines))
    };
    let outcome = batch(
        "{\"prompt\":\"a\",\"issue\":\"7\",\"title\":\"first\"}\n\n\
         {\"prompt\":\"b\",\"issue\":\"7\"}\n\
         {\"prompt\":\"c\",\"agent\":\"nobody\"}\n\
         {\"prompt\":\"d\",\"id\":\"mine\"}\n",
    );
    let answer = outcome.json();
    assert_answer("SessionsAnswer", &answer);
    let ids: Vec<_> = answer["sessions"].as_array().unwrap().iter().map(|s| &s["id"]).collect();
    assert_eq!(ids, ["app-1", "mine"]);
    let kinds: Vec<_> = answer["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| format!("{} {}", failed["line"], failed["error"]["kind"].as_str().unwrap()))
        .collect();
    // Lines are counted as an editor counts them.
    assert_eq!(kinds, ["3 conflict", "4 invalid"], "{answer:#}");
    // That of the first failure.
    assert_eq!(outcome.status, 4);
    assert_eq!(env.record("app-1")["title"], "first");
    assert_eq!(env.record("app-1")["issue"], "7");

    // A file that is no batch starts nothing, and says where.
    let before = live(&env);
    for (lines, place) in [
        ("{\"prompt\":\"e\"}\nnot json\n", "-:2"),
        ("{\"prompt\":\"e\",\"promt\":\"x\"}\n", "-:1"),
        ("{\"prompt\":\"e\"}\n{\"id\":\"../x\"}\n", "-:2"),
    ] {
        let error = batch(lines).code(2).json_error();
        assert!(error["error"]["message"].as_str().unwrap().contains(place), "{error:#}");
    }
    assert_eq!(live(&env), before);
}

#[test]
fn a_name_that_is_taken_fails_is_reused_or_replaced() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "waiter", IDLE);
    let named = |what: &str| {
        env.ao_in(&repo, &["spawn", "--agent", "waiter", "--id", "mine", "--if-exists", what, "x"])
    };
    named("fail").success();
    let launch = env.record("mine")["handles"]["launch"].clone();
    let error = named("fail").code(4);
    assert!(error.stderr.contains("mine"), "{error}");

    assert_eq!(named("reuse").success().stdout, "mine\n");
    assert_eq!(env.record("mine")["handles"]["launch"], launch);

    let tree = workspace(&env, "mine");
    fs::write(tree.join("draft.txt"), "half an idea\n").unwrap();
    fs::write(tree.join("README.md"), "# changed\n").unwrap();
    let replaced = named("replace").success();
    assert_eq!(replaced.stdout, "mine\n");
    assert_ne!(env.record("mine")["handles"]["launch"], launch);
    assert!(!workspace(&env, "mine").join("draft.txt").exists());
    let saved = "refs/ao/preserved/mine";
    assert_eq!(env.git(&repo, &["show", &format!("{saved}:draft.txt")]), "half an idea");
    assert_eq!(env.git(&repo, &["show", &format!("{saved}:README.md")]), "# changed");
    assert!(replaced.stderr.contains(saved), "{replaced}");
    assert_eq!(live(&env), ["mine"]);
}

#[test]
fn a_dry_run_changes_nothing_at_all() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "waiter", IDLE);
    spawn(&env, &repo, &["--agent", "waiter", "x"]);
    wait_status(&env, "app-1", "idle");
    let all = || [env.home(), repo.clone(), env.path("user")].map(|root| tree(&root));
    let before = all();
    let plan = env
        .ao_in(&repo, &["spawn", "--agent", "waiter", "--dry-run", "--json", "y"])
        .success()
        .json();
    assert_answer("PlanAnswer", &plan);
    let ops: Vec<_> =
        plan["plan"].as_array().unwrap().iter().map(|s| s["op"].as_str().unwrap()).collect();
    let worktree = env.home().join("worktrees/app/app-2");
    assert_eq!(
        ops,
        [
            "record session app-2",
            &format!("create worktree {}", worktree.display()),
            "fill it by copying",
            "start waiter in tmux"
        ]
    );
    assert_eq!(plan["plan"][2]["way"], "copy");
    for args in [&["kill", "app-1", "--dry-run"][..], &["cleanup", "--dry-run"]] {
        env.ao(args).success();
    }
    env.ao(&["restore", "app-1", "--dry-run"]).code(4);
    env.ao_in(&repo, &["spawn", "--agent", "nobody", "--dry-run", "y"]).code(2);
    let (before, after) = (before.concat(), all().concat());
    let changed = |a: &[(PathBuf, Vec<u8>)], b: &[(PathBuf, Vec<u8>)]| {
        let only = a.iter().filter(|file| !b.contains(file)).map(|(path, _)| path.clone());
        only.collect::<Vec<_>>()
    };
    assert_eq!(changed(&before, &after), Vec::<PathBuf>::new());
    assert_eq!(changed(&after, &before), Vec::<PathBuf>::new());

    // Not even a home is made.
    let elsewhere = env.path("tmp/none");
    env.ao_in(
        &repo,
        &["--home", elsewhere.to_str().unwrap(), "spawn", "--agent", "shell", "--dry-run", "y"],
    )
    .success();
    assert!(!elsewhere.exists());
}

#[test]
fn branches_and_bases_are_those_asked_for() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let first = env.git(&repo, &["rev-parse", "main"]);
    fs::write(repo.join("two"), "2").unwrap();
    env.git(&repo, &["add", "two"]);
    env.git(&repo, &["commit", "-q", "-m", "second"]);
    env.git(&repo, &["branch", "old", &first]);
    let args = ["--agent", "shell"];
    let run = |rest: &[&str]| spawn(&env, &repo, &[&args[..], rest].concat());

    let id = run(&["--branch", "old", "true"]);
    assert_eq!(env.git(&workspace(&env, &id), &["rev-parse", "HEAD"]), first);
    assert_eq!(env.git(&workspace(&env, &id), &["branch", "--show-current"]), "old");

    let id = run(&["--branch", "fresh/one", "--base", &first, "true"]);
    assert_eq!(env.git(&workspace(&env, &id), &["rev-parse", "HEAD"]), first);
    assert_eq!(env.git(&workspace(&env, &id), &["branch", "--show-current"]), "fresh/one");
    assert_eq!(env.record(&id)["handles"]["workspace"]["base_sha"], first);

    let taken =
        env.ao_in(&repo, &["spawn", "--agent", "shell", "--branch", "main", "true"]).code(4);
    assert!(taken.stderr.contains(repo.to_str().unwrap()), "{taken}");
    env.ao_in(&repo, &["spawn", "--agent", "shell", "--base", "nowhere", "true"]).code(3);
    env.ao_in(&repo, &["spawn", "--agent", "shell", "--branch", "a..b", "true"]).code(2);
    assert_eq!(env.ao_json(&["ls", "--all", "--json"])["sessions"].as_array().unwrap().len(), 2);
}

#[test]
fn a_number_whose_branch_is_somebody_elses_is_passed_over() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let homes = ["one", "other"].map(|name| env.path(name));
    let ao = |home: &Path, args: &[&str]| {
        let home = home.to_str().unwrap();
        let shell = ["--agent", "shell", "--runtime", "process"];
        env.ao_in(&repo, &[&["--home", home, "spawn"], &shell[..], args].concat())
    };
    let spawned = |home: &Path, args: &[&str]| ao(home, args).success().stdout.trim().to_owned();
    assert_eq!(spawned(&homes[0], &["true"]), "app-1");
    // Another home does not know of it, and its branch is checked out.
    let planned = ao(&homes[1], &["--dry-run", "--count", "2", "true"]).success();
    for branch in ["branch ao/app-2 from", "branch ao/app-3 from"] {
        assert!(planned.stdout.contains(branch), "{planned}");
    }
    assert_eq!(spawned(&homes[1], &["--count", "2", "true"]), "app-2\napp-3");

    // A branch that a home left which is gone has commits that nobody asked for.
    env.git(&repo, &["branch", "ao/app-4"]);
    assert_eq!(spawned(&homes[1], &["true"]), "app-5");
    // Who names a session or a branch, or needs none, asks for it.
    assert_eq!(spawned(&homes[1], &["--id", "app-4", "true"]), "app-4");
    ao(&homes[1], &["--id", "app-1", "true"]).code(4);
    env.git(&repo, &["branch", "ao/app-6"]);
    assert_eq!(spawned(&homes[1], &["--workspace", "none", "true"]), "app-6");
}

#[test]
fn a_caller_that_gives_up_its_children_gets_no_other_answer() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    for (runtime, code) in [("process", 3), ("tmux", 4)] {
        let script = format!(
            "trap '' CHLD; exec \"$0\" spawn --agent shell --runtime {runtime} 'exit {code}'"
        );
        let ao = env!("CARGO_BIN_EXE_ao");
        // Other shells do not pass that on.
        let bash = program_in_path("bash").unwrap();
        let command = env.command(bash).args(["-c", &script, ao]).cwd(&repo);
        let id = env.run(&command).success().stdout.trim().to_owned();
        wait_status(&env, &id, "errored");
        let ended = fs::read_to_string(env.home().join("sessions").join(&id).join("exit.json"));
        let ended: Value = serde_json::from_str(&ended.unwrap()).unwrap();
        assert_eq!(ended["code"], code, "{ended}");
    }
}

#[test]
fn an_agent_is_looked_for_where_its_session_will_look() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    plain_card(&env, "mine", "one_shot = [\"{binary}\"]\n[prompt]\ndelivery = \"stdin\"\n");
    let card = env.path("user/config/ao/agents/mine.toml");
    let text = fs::read_to_string(&card).unwrap().replace("\"sh\"", "\"my-agent\"");
    fs::write(card, text).unwrap();
    let spawn = ["spawn", "--agent", "mine", "--runtime", "process", "hello"];
    env.ao_in(&repo, &spawn).code(8);
    let place = env.path("opt");
    fs::create_dir(&place).unwrap();
    std::os::unix::fs::symlink("/bin/true", place.join("my-agent")).unwrap();
    configure(&env, &format!("[env]\nPATH = \"{}:/usr/bin:/bin\"\n", place.display()));
    env.ao_in(&repo, &spawn).success();
}

#[test]
fn a_program_that_was_too_old_is_asked_again() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let (tmux, version) = (program_in_path("tmux").unwrap(), env.path("version"));
    let shim = format!(
        "[ \"$*\" != -V ] || exec cat '{}'\nexec '{}' \"$@\"\n",
        version.display(),
        tmux.display()
    );
    env.shims(&[("tmux", &shim)]);
    let spawn = ["spawn", "--agent", "shell", "--runtime", "tmux", "true"];
    fs::write(&version, "tmux 2.9\n").unwrap();
    env.ao_in(&repo, &spawn).code(8);
    // The file that is started is the same: what it starts was replaced.
    fs::write(&version, "tmux 3.4\n").unwrap();
    env.ao_in(&repo, &spawn).success();
}

#[test]
fn too_many_sessions_and_a_repository_that_is_taken_are_conflicts() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "waiter", IDLE);
    configure(&env, "max_sessions = 2\n");
    let here = ["spawn", "--agent", "waiter", "--workspace", "none", "x"];
    env.ao_in(&repo, &here).success();
    assert_eq!(env.record("app-1")["handles"]["workspace"]["path"], repo.to_str().unwrap());
    let error = env.ao_in(&repo, &here).code(4);
    assert!(error.stderr.contains("app-1"), "{error}");

    spawn(&env, &repo, &["--agent", "waiter", "x"]);
    let error = env.ao_in(&repo, &["spawn", "--agent", "waiter", "x"]).code(4);
    assert!(error.stderr.contains('2'), "{error}");
    env.ao(&["kill", "app-1"]).success();
    env.ao_in(&repo, &here).success();
    env.ao(&["kill", "--all", "--yes"]).success();
    env.ao(&["cleanup", "--yes"]).success();
    assert!(repo.join("README.md").exists());
    assert_eq!(env.git(&repo, &["status", "--porcelain"]), "");
}

#[test]
fn the_process_runtime_needs_no_tmux() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.counting_path();
    let id = spawn(
        &env,
        &repo,
        &["--agent", "shell", "--runtime", "process", "echo out; echo err >&2; exit 3"],
    );
    wait_status(&env, &id, "errored");
    assert_eq!(env.record(&id)["handles"]["runtime"]["kind"], "process");
    let output = env.ao(&["output", &id]).success().stdout;
    assert_eq!(output, "out\nerr\n");
    let calls = env.calls();
    assert!(!calls.iter().any(|call| call.starts_with("tmux -u -S")), "{calls:?}");

    env.hide(&["tmux"]);
    let outcome = env.ao_in(&repo, &["spawn", "--agent", "shell", "true"]).success();
    assert!(outcome.stderr.contains("process runtime"), "{outcome}");
    wait_status(&env, outcome.stdout.trim(), "done");
    agent(&env, "waiter", IDLE);
    env.ao_in(&repo, &["spawn", "--agent", "waiter", "x"]).code(8);
}

#[test]
fn waiting_for_a_spawn_exits_as_its_end_says() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "never");
    agent(&env, "idler", "hook user-prompt-submit\nhook stop\nread\n");
    agent(
        &env,
        "asker",
        "hook session-start\nhook user-prompt-submit\nhook permission-request\ndialog Sure? y\n",
    );
    agent(&env, "crasher", "hook session-start\ncrash\n");
    agent(&env, "worker", &format!("hook session-start\nhook user-prompt-submit\n{gate}\n"));
    let run = |args: &[&str]| {
        env.ao_in(&repo, &[&["spawn", "--wait", "--timeout", "30s"], args].concat())
    };
    let done = run(&["--agent", "shell", "true"]).success();
    assert_eq!(done.stdout, "app-1\napp-1 done\n");
    let all = run(&["--agent", "shell", "--count", "2", "exit 3"]).code(21);
    assert_eq!(all.stdout, "app-2\napp-3\napp-2 errored\napp-3 errored\n");
    let all = run(&["--agent", "shell", "--count", "2", "--json", "true"]).success().json();
    assert_answer("SessionsAnswer", &all);
    assert_eq!(
        (&all["sessions"][0]["status"], &all["sessions"][1]["id"]),
        (&"done".into(), &"app-5".into())
    );
    run(&["--agent", "shell", "exit 3"]).code(21);
    run(&["--agent", "idler", "x"]).success();
    run(&["--agent", "asker", "x"]).code(20);
    run(&["--agent", "crasher", "x"]).code(22);
    let late = ["spawn", "--agent", "worker", "--wait", "--timeout", "300ms", "--json", "x"];
    let late = env.ao_in(&repo, &late).code(124);
    assert_answer("WaitAnswer", &late.json());
    assert_eq!(late.json()["wait"]["outcome"], "timeout");
    open(&env, "never");
}

#[test]
fn a_prompt_is_pasted_once_the_agent_shows_that_it_is_ready() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "sleep 600\nhook session-start\nready up\nread\nhook user-prompt-submit\n\
                  say task {message}\nhook stop\nread\n";
    card(&env, "slow", script, |text| text.replace("\"argument\"", "\"paste\""));
    let id = spawn(&env, &repo, &["--agent", "slow", "--", "do `this`\nand $(that)"]);
    wait_status(&env, &id, "idle");
    assert_eq!(ledger(&env, "slow"), pasted("do `this`\nand $(that)"));
    assert_eq!(env.record(&id).get("outbox"), None);
    assert_eq!(status(&env, &id), "idle");
}
