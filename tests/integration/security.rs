//! Nobody is let in: hostile values in every field, links in every place, a repository that asks
//! for what is not its to have, other users of the machine, secrets.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ao::config::{self, FromRepository, KEYS, Kind, Origin, Sources};
use serde_json::{Value, json};

use crate::agents::{agent, configure, ledger, spawn, wait_activity, wait_status};
use crate::damaged::Corpus;
use crate::env::{Outcome, TestEnvironment};
use crate::server::{Server, reply};
use crate::tree::Tree;

/// Values that some program would take for more than a text; each that runs anything makes a file.
fn hostile(canary: &Path) -> Vec<String> {
    let touch = format!("touch {}", canary.display());
    let mut values = [
        "; @",
        "#(@)",
        "$(@)",
        "`@`",
        "| @",
        "&& @",
        "'; @; '",
        "\"; @; \"",
        "\n@\n",
        "-x@",
        "--exec=@",
        "--upload-pack=@",
        "%n@",
        "!@",
        "#{q:#(@)}",
    ]
    .map(|text| text.replace('@', &touch))
    .to_vec();
    let plain = [
        "-x",
        "--",
        "--help=",
        "../../x",
        "/etc/passwd",
        "a\nb",
        "a\tb",
        "\u{1b}[31mred\u{1b}]0;t\u{7}",
        "\u{9b}31m\u{9d}0;t\u{9c}",
        "\u{202e}drowssap",
        "a\u{e0041}\u{200b}b",
        "{id}",
        "%s%n",
        "*",
        "~",
    ];
    values.extend(plain.map(str::to_owned));
    values.push("x".repeat(300));
    values
}

/// Commands with the value where `@` stands; `one` is a session that has ended.
const COMMANDS: &[&[&str]] = &[
    &["spawn", "-a", "chat", "--dry-run", "--title", "@", "x"],
    &["spawn", "-a", "chat", "--dry-run", "--branch", "@", "x"],
    &["spawn", "-a", "chat", "--dry-run", "--base", "@", "x"],
    &["spawn", "-a", "chat", "--dry-run", "--model", "@", "x"],
    &["spawn", "-a", "chat", "--dry-run", "--issue", "@"],
    &["spawn", "-a", "@", "--dry-run", "x"],
    &["spawn", "-a", "chat", "--dry-run", "--id", "@", "x"],
    &["rename", "one", "@"],
    &["send", "--queue", "one", "@"],
    &["show", "@"],
    &["path", "@"],
    &["attach", "@"],
    &["kill", "@"],
    &["ls", "--project", "@"],
    &["project", "show", "@"],
    &["project", "add", "@"],
    &["config", "get", "@"],
    &["config", "set", "@", "x"],
    &["config", "set", "rules", "@"],
    &["agent", "show", "@"],
    &["agent", "check", "@"],
    &["hook", "@", "stop"],
    &["hook", "chat", "@"],
    &["outbox", "drop", "one", "@"],
    &["notify", "--test", "@"],
    &["review", "show", "@"],
    &["issue", "show", "@"],
    &["merge", "--base", "@", "one"],
    &["report", "working", "--note", "@"],
    &["report", "working", "--pr", "@"],
];

#[track_caller]
fn assert_plain(what: &[&str], outcome: &Outcome) {
    assert!((0..=22).contains(&outcome.status), "{what:?}\n{outcome}");
    let steers = |c: char| {
        let hides = matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}' | '\u{e0000}'..='\u{e007f}');
        hides || (c.is_control() && !matches!(c, '\n' | '\t'))
    };
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(steers), "{what:?}\n{text:?}");
        assert!(!text.contains("panicked"), "{what:?}\n{text}");
    }
}

/// A machine whose repository has a hostile name, with the ended session `one`.
fn hostile_place() -> (TestEnvironment, PathBuf, PathBuf) {
    let env = TestEnvironment::new();
    let canary = env.path("canary");
    configure(&env, "[scm]\nkind = \"none\"\n");
    agent(
        &env,
        "chat",
        "hook user-prompt-submit\nhook stop\nloop {\nread\nsay heard\nhook stop\n}\n",
    );
    let name = "a#(touch canary);$(touch canary)`touch canary` 'b' -x";
    let repo = env.repo(name);
    let shell = ["--agent", "shell", "--runtime", "process", "--id", "one", "exit 3"];
    spawn(&env, &repo, &shell);
    env.wait_record("one", "ended", |it| it["lifecycle"]["session"]["state"] == "terminated");
    (env, repo, canary)
}

#[test]
fn hostile_values_in_every_field_run_nothing_and_steer_nothing() {
    let (env, repo, canary) = hostile_place();
    let (user, files) = (Tree::of(&env.path("user/config/ao/agents")), Tree::of(&repo));
    for value in hostile(&canary) {
        for command in COMMANDS {
            let words: Vec<&str> =
                command.iter().map(|it| if *it == "@" { value.as_str() } else { *it }).collect();
            let ao =
                env.ao_command(&words).cwd(&repo).env("AO_SESSION", "one").env("AO_LAUNCH", "x");
            assert_plain(&words, &env.run(&ao));
            assert!(!canary.exists(), "ao {words:?} ran something");
        }
        let fact = json!({ "fetched": true, "ci": "failing", "ci_log_tail": value,
            "pr": { "state": "open", "number": 7, "head_sha": value, "url": value },
            "checks": [{ "name": value, "conclusion": "failure", "url": value }],
            "comments": [{ "id": 1, "author": value, "body": value, "path": value }] });
        assert_plain(&["observe"], &env.ao_stdin(&["observe", "scm", "one"], fact.to_string()));
        let line = json!({ "record": { "title": value }, "observation": fact }).to_string();
        assert_plain(&["decide"], &env.ao_stdin(&["decide"], line));
        let payload = json!({ "session_id": value, "cwd": value, "last_assistant_message": value });
        assert_plain(
            &["hook"],
            &env.ao_stdin(&["hook", "claude-code", "stop"], payload.to_string()),
        );
    }
    assert!(!canary.exists() && !env.path("user/canary").exists() && !repo.join("canary").exists());
    assert_eq!(user.changes(&env.path("user/config/ao/agents")), [""; 0]);
    assert_eq!(files.changes(&repo), [""; 0]);
    env.ao(&["doctor", "--state"]).success();
}

#[test]
fn a_session_of_hostile_names_lives_in_tmux_and_every_answer_is_plain() {
    let (env, repo, canary) = hostile_place();
    let all = hostile(&canary).join(" ");
    let words =
        ["spawn", "-a", "chat", "--id", "two", "--title", &all, "--branch", "a#1.b_c+d", &all];
    assert_plain(&words, &env.ao_in(&repo, &words).success());
    wait_activity(&env, "two", "idle");
    env.ao(&["send", "two", &all]).success();
    env.ao(&["reap"]).success();
    for words in [
        &["ls"][..],
        &["ls", "--json"],
        &["status"],
        &["status", "--json"],
        &["show", "two"],
        &["show", "two", "--json"],
        &["explain", "two"],
        &["explain", "two", "--json"],
        &["log", "two"],
        &["log", "two", "--json"],
        &["events"],
        &["events", "--json"],
        &["output", "two"],
        &["output", "two", "--json"],
        &["outbox", "ls"],
        &["path", "two", "--json"],
        &["project", "ls"],
        &["project", "show", "--json"],
        &["doctor", "--state", "--json"],
        &["reap", "--dry-run"],
        &["reap", "--json"],
        &["config", "show", "--json"],
        &["kill", "two"],
        &["cleanup", "--dry-run", "two"],
        &["cleanup", "two"],
    ] {
        assert_plain(words, &env.ao_in(&repo, words));
    }
    let ran = env.run(&env.command("find").arg(env.path("")).args(["-name", "canary"])).success();
    assert_eq!(ran.stdout, "");
}

/// Returns a value that a key of this kind takes, as TOML.
fn sample(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret => "\"x\"".to_owned(),
        Kind::Path => "\"/x\"".to_owned(),
        Kind::RelativePaths | Kind::Agents | Kind::Accounts => "[\"x\"]".to_owned(),
        Kind::Word(words) => format!("\"{}\"", words[0]),
        Kind::Words(words) => format!("[\"{}\"]", words[0]),
        Kind::Number(low, _) => low.to_string(),
        Kind::Switch => "true".to_owned(),
        Kind::Duration => "\"7s\"".to_owned(),
        Kind::Command => "[\"touch\", \"canary\"]".to_owned(),
        Kind::Commands => "[[\"touch\", \"canary\"]]".to_owned(),
        Kind::Size => "[20, 20]".to_owned(),
        Kind::BranchTemplate => "\"x/{id}\"".to_owned(),
        Kind::Variable => "\"X\"".to_owned(),
        Kind::Window => "\"01:00-02:00\"".to_owned(),
        Kind::Template => "\"{id}\"".to_owned(),
    }
}

#[test]
fn of_all_keys_a_repository_sets_only_those_that_are_its_to_set() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    fs::create_dir(repo.join(".ao")).unwrap();
    let file = repo.join(".ao/config.toml");
    let sources = Sources { repository: Some(file.clone()), ..Sources::default() };
    let mut set = Vec::new();
    for key in KEYS {
        let name = match key.path {
            "reactions.*.after" => "agent-idle",
            path if path.starts_with("reactions.") => "ci-failed",
            _ => "x",
        };
        let path = key.path.replace('*', name);
        fs::write(&file, format!("{path} = {}\n", sample(key.kind))).unwrap();
        let loaded = config::load(&sources);
        if key.from_repository == FromRepository::Refused {
            let told = loaded.unwrap_err().to_string();
            assert!(told.contains("a repository may not set"), "{path}: {told}");
            // Nor by the detour of the user's table for a project.
            fs::write(&file, format!("projects.app.{path} = {}\n", sample(key.kind))).unwrap();
            assert!(config::load(&sources).is_err(), "{path}");
            continue;
        }
        let origin = loaded.unwrap().origins()[&path].clone();
        assert!(matches!(origin, Origin::Repository(_)), "{path}");
        let mark =
            if key.from_repository == FromRepository::Approved { " once approved" } else { "" };
        set.push(format!("{path}{mark}"));
    }
    insta::assert_snapshot!(set.join("\n"), @r#"
    agent
    permission
    base
    branch
    rules
    rules_files
    reactions.ci-failed.retries
    reactions.ci-failed.escalate_after
    reactions.agent-idle.after
    reactions.ci-failed.message
    prompt.built_in
    workspace.copy
    workspace.symlinks
    workspace.post_create once approved
    check.command once approved
    review.agents
    review.prompt
    merge.method
    "#);
    fs::write(&file, "permission = \"bypass\"\n").unwrap();
    assert!(config::load(&sources).is_err());
}

#[test]
fn no_link_in_a_home_is_followed_out_of_it() {
    let corpus = Corpus::new();
    let (env, home) = (&corpus.env, corpus.env.home());
    let outside = env.path("outside");
    for place in [
        "sessions/one/prompt.md",
        "sessions/one/prompt.sh",
        "sessions/one/system.md",
        "sessions/one/output.log",
        "sessions/one/answer.json",
        "sessions/one/check.json",
        "sessions/one/check.log",
        "sessions/one/check.lock",
        "sessions/one/paste.md",
        "sessions/one/reviews.json",
        "sessions/one/installed.json",
        "sessions/one/exit.json",
        "sessions/one/started.json",
        "sessions/one/alive.lock",
        "sessions/one/send.lock",
        "sessions/one/launch.json",
        "sessions/one/events.1.jsonl",
        "sessions/one/original",
        "projects.lock",
        "projects/app.json",
        "spawn.lock",
        "reap.json",
        "reap.lock",
        "hooks.log",
        "timer.json",
        "worktrees/app/one",
        "worktrees/.trash",
    ] {
        corpus.reset();
        let _ = fs::remove_dir_all(&outside);
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "an outside secret").unwrap();
        let is_tree = place.starts_with("worktrees") || place.ends_with("original");
        let target = if is_tree { outside.clone() } else { outside.join("secret") };
        let link = home.join(place);
        let _ = fs::remove_file(&link).or_else(|_| fs::remove_dir_all(&link));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&target, &link).unwrap();
        let before = Tree::of(&outside);
        for words in [
            &["show", "one"][..],
            &["output", "one"],
            &["reap"],
            &["rename", "one", "x"],
            &["send", "--queue", "one", "x"],
            &["restore", "one"],
            &["kill", "one"],
            &["cleanup", "--force", "--yes", "one"],
            &["doctor", "--state", "--repair"],
        ] {
            let outcome = env.ao_in(&corpus.repo, words);
            assert!(!outcome.stdout.contains("outside secret"), "{place}: {words:?}\n{outcome}");
            assert!(!outcome.stderr.contains("outside secret"), "{place}: {words:?}\n{outcome}");
            assert_eq!(before.changes(&outside), [""; 0], "{place}: {words:?}\n{outcome}");
        }
    }
}

#[test]
fn no_link_of_a_repository_is_followed_out_of_it() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    fs::write(env.path("outside"), "rules = \"an outside secret\"\n").unwrap();
    for (name, target) in [
        (".ao/config.toml", env.path("outside")),
        (".ao/config.toml", "/dev/zero".into()),
        (".worktreeinclude", env.path("outside")),
        (".worktreeinclude", "/dev/zero".into()),
    ] {
        fs::create_dir_all(repo.join(".ao")).unwrap();
        symlink(&target, repo.join(name)).unwrap();
        env.git(&repo, &["add", "-f", name]);
        env.git(&repo, &["commit", "-q", "-m", "a link"]);
        let spawn = ["spawn", "-a", "shell", "--runtime", "process", "exit 0"];
        let outcome = env.ao_in(&repo, &spawn);
        assert!(outcome.stderr.contains("leads out of"), "{name}\n{outcome}");
        assert!(!outcome.stderr.contains("an outside secret"), "{name}\n{outcome}");
        env.git(&repo, &["rm", "-q", "-f", name]);
        env.git(&repo, &["commit", "-q", "-m", "no link"]);
    }
}

#[test]
fn other_users_are_kept_out_whatever_the_umask() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let ao = env!("CARGO_BIN_EXE_ao");
    for (mask, id) in [("000", "one"), ("077", "two")] {
        let script = format!(
            "umask {mask}; {ao} spawn -a shell --id {id} 'sleep 600' && {ao} send --queue {id} x && {ao} reap"
        );
        env.run(&env.command("sh").args(["-c", &script]).cwd(&repo)).success();
    }
    let mut open = Vec::new();
    let mut places = vec![env.home()];
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            // A workspace is what git makes, inside of directories that nobody else gets into.
            if path.starts_with(env.home().join("worktrees/app")) {
                continue;
            }
            if !metadata.is_symlink() && metadata.permissions().mode() & 0o077 != 0 {
                open.push(path.clone());
            }
            if metadata.is_dir() {
                places.push(path);
            }
        }
    }
    assert_eq!(open, [""; 0].map(PathBuf::from));
    for place in ["bin", "sessions", "projects", "archive", "sessions/one"] {
        let path = env.home().join(place);
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o777);
        let words = match place {
            "bin" => &["spawn", "-a", "shell", "--runtime", "process", "true"][..],
            _ => &["rename", "one", "x"],
        };
        let outcome = env.ao_in(&repo, words).code(6);
        assert!(outcome.stderr.contains("can be written by others"), "{place}\n{outcome}");
        mode(0o700);
    }
    env.ao(&["rename", "one", "x"]).success();
}

/// Every secret holds it.
const MARK: &str = "s3cret-mark-of-the-whole-loop";

/// Returns every place below `directory` whose name or content holds the mark.
fn marked(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            marked(&path, found);
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes()) {
                found.push(path);
            }
        }
    }
}

/// Looks at every command line of the machine until it is told to stop; returns those with the mark.
fn watch(stop: &AtomicBool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if line.windows(MARK.len()).any(|window| window == MARK.as_bytes()) {
                seen.insert(String::from_utf8_lossy(&line).replace('\0', " "));
            }
        }
    }
    seen
}

/// Ends [`watch`], also where an assertion fails: a scope waits for its threads.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `ao`, which must not say the mark whatever it is asked to narrate.
#[track_caller]
fn quiet(env: &TestEnvironment, repo: &Path, words: &[&str]) -> Outcome {
    let outcome = env.run(&env.ao_command(words).cwd(repo).env("AO_LOG", "trace"));
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(MARK), "{words:?}\n{text}");
    }
    outcome
}

#[test]
fn no_secret_is_in_an_argument_an_output_or_a_file_of_the_whole_loop() {
    let env = TestEnvironment::new();
    let server = Server::start(|_, _| {
        reply(401, &[("x-secret", MARK)], format!("{{\"message\":\"{MARK}\"}}"))
    });
    env.set("AO_GITHUB_TOKEN", MARK);
    env.set("GITHUB_API_URL", server.url(""));
    env.set("MY_PASSWORD", MARK);
    configure(
        &env,
        &format!(
            "[env]\nAPI_KEY = \"{MARK}\"\n[scm]\nkind = \"github\"\n[tracker]\nkind = \"github\"\n\
         [notifiers.hook]\nkind = \"webhook\"\nurl = \"{}/{MARK}\"\nsecret = \"{MARK}\"\n",
            server.url("")
        ),
    );
    agent(
        &env,
        "chat",
        "hook user-prompt-submit\nhook stop\nloop {\nread\nsay heard\nhook stop\n}\n",
    );
    let repo = env.repo("app");
    // The token of an address is git's to use; git tells it to its own programs alone.
    let token = format!("{MARK}-in-an-address");
    let host = server.url("").replace("http://", "");
    let origin = format!("http://{token}@{host}/octo/app.git");
    env.git(&repo, &["remote", "add", "origin", &origin]);
    let metrics = env.path("tmp/metrics.prom").to_str().unwrap().to_owned();
    let stop = AtomicBool::new(false);
    let mut seen = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&stop));
        let stopping = Stop(&stop);
        let quiet = |words: &[&str]| quiet(&env, &repo, words);
        quiet(&["spawn", "-a", "chat", "--id", "one", "the task"]).success();
        wait_activity(&env, "one", "idle");
        quiet(&["spawn", "-a", "shell", "--runtime", "process", "--id", "two", "exit 3"]).success();
        env.wait_record("two", "ended", |it| it["lifecycle"]["session"]["state"] == "terminated");
        for words in [
            &["send", "one", "hello"][..],
            &["reap"],
            &["reap", "--json"],
            &["reap", "--wait"],
            &["status"],
            &["ls", "--json"],
            &["show", "one", "--json"],
            &["show", "one"],
            &["show", "two"],
            &["show", "two", "--json"],
            &["log", "one"],
            &["log", "one", "--json"],
            &["log", "two", "--verify"],
            &["events"],
            &["events", "--json"],
            &["explain", "one"],
            &["explain", "one", "--json"],
            &["outbox", "ls", "--json"],
            &["ls", "--all"],
            &["status", "--json"],
            &["output", "one"],
            &["output", "two", "--json"],
            &["path", "one"],
            &["review", "ls", "one"],
            &["metrics"],
            &["metrics", "--output", &metrics],
            &["doctor"],
            &["doctor", "--json"],
            &["doctor", "--state", "--json"],
            &["config", "show", "--origin"],
            &["config", "show", "--json"],
            &["config", "check"],
            &["config", "check", "--json"],
            &["config", "get", "env.API_KEY"],
            &["config", "get", "env"],
            &["config", "set", "env.OTHER", "plain"],
            &["issue", "ls"],
            &["issue", "show", "7"],
            &["spawn", "--issue", "7"],
            &["pr", "create", "one"],
            &["merge", "one"],
            &["notify", "--test"],
            &["agent", "ls"],
            &["agent", "show", "chat"],
            &["project", "show", "app"],
            &["project", "show", "app", "--json"],
            &["project", "ls", "--json"],
            &["project", "set", "app", "--repo", ".", "--json"],
            &["timer", "status", "--json"],
            &["merge", "one", "--dry-run"],
            &["spawn", "-a", "chat", "--dry-run", "x", "--json"],
            &["kill", "one"],
            &["restore", "one"],
            &["kill", "one"],
            &["cleanup", "--yes", "--force", "one", "two"],
            &["reap"],
            &["log", "one"],
            &["show", "one", "--json"],
            &["metrics"],
            &["doctor", "--json"],
        ] {
            quiet(words);
        }
        let measured = fs::read_to_string(&metrics).unwrap();
        assert!(measured.contains("ao_sessions"), "{measured}");
        drop(stopping);
        watching.join().unwrap()
    });
    let is_gits_own = |line: &str| {
        let program = line.split(' ').next().and_then(|path| path.rsplit('/').next());
        program.is_some_and(|name| name.starts_with("git"))
            && !line.replace(&token, "").contains(MARK)
    };
    seen.retain(|line| !is_gits_own(line));
    assert_eq!(seen, BTreeSet::new(), "in a command line");
    let asked = |start: &str| server.requests().iter().any(|it| it.path.starts_with(start));
    assert!(asked("/octo/app.git/info/refs"), "git used the address");
    assert!(asked("/repos/octo/app/") || asked("/graphql"), "ao knew the forge by the address");
    let mut found = Vec::new();
    for place in ["home", "user", "run", "tmp", "repos"] {
        marked(&env.path(place), &mut found);
    }
    found.sort_unstable();
    let own = ["repos/app/.git/config", "user/config/ao/config.toml"];
    assert_eq!(found, own.map(|place| env.path(place)));
}

#[test]
fn no_secret_that_a_check_or_an_agent_prints_is_told() {
    let env = TestEnvironment::new();
    env.set("MY_PASSWORD", MARK);
    configure(
        &env,
        &format!(
            "[env]\nAPI_KEY = \"{MARK}\"\n[scm]\nkind = \"local\"\n\
             [check]\ncommand = [\"sh\", \"-c\", \"echo not $API_KEY, $MY_PASSWORD; exit 1\"]\n\
             [notifiers.log]\nkind = \"file\"\npath = \"{}\"\n",
            env.path("notices.jsonl").display()
        ),
    );
    let turn = "hook user-prompt-submit\nrun sh -c \"echo I know $API_KEY\"";
    let said = json!({ "last_message": format!("It is {MARK}.") });
    let script = format!(
        "hook session-start\n{turn}\nwrite one x\ncommit one\nhook stop {said}\nread\n\
         {turn}\nhook stop {said}\nread\n"
    );
    agent(&env, "coder", &script);
    let repo = env.repo("app");
    let quiet = |words: &[&str]| quiet(&env, &repo, words).success();
    // The check of one is told its agent, that of two a person: nobody else is left to be told.
    quiet(&["spawn", "-a", "coder", "--id", "one", "the task"]);
    wait_activity(&env, "one", "idle");
    let commit = "echo $API_KEY; echo two >two; git add two; git commit -qm two";
    quiet(&["spawn", "-a", "shell", "--runtime", "process", "--id", "two", commit]);
    wait_status(&env, "two", "done");
    quiet(&["reap", "--wait", "--json"]);
    env.wait_for("the prompt", || {
        let heard = String::from_utf8(ledger(&env, "coder")).unwrap();
        heard.contains("not [redacted], [redacted]").then_some(())
    });
    wait_activity(&env, "one", "idle");
    for id in ["one", "two"] {
        for words in [["show", id], ["log", id], ["explain", id]] {
            quiet(&words);
            quiet(&[words[0], words[1], "--json"]);
        }
        let tail = |event: &Value| event["observation"]["ci_log_tail"].as_str().map(str::to_owned);
        let tails: Vec<_> = env.events(id).iter().filter_map(tail).collect();
        assert_eq!(tails, ["not [redacted], [redacted]\n"], "{id}");
    }
    for words in [
        &["reap", "--json"][..],
        &["status", "--json"],
        &["ls", "--json"],
        &["events", "--json"],
        &["outbox", "ls", "--json"],
        &["metrics"],
        &["doctor", "--state", "--json"],
        &["kill", "one", "--json"],
    ] {
        quiet(words);
    }
    let told = fs::read_to_string(env.path("notices.jsonl")).unwrap();
    assert!(told.contains("sessions/two/check.log") && !told.contains(MARK), "{told}");
    let heard = String::from_utf8(ledger(&env, "coder")).unwrap();
    assert!(!heard.contains(MARK), "{heard}");

    // What they print themselves is kept as it is, for a person to read, and nowhere else.
    let mut found = Vec::new();
    for place in ["home", "user", "run", "tmp", "repos"] {
        marked(&env.path(place), &mut found);
    }
    found.sort_unstable();
    let own = [
        "home/sessions/one/answer.json",
        "home/sessions/one/check.log",
        "home/sessions/one/output.log",
        "home/sessions/two/check.log",
        "home/sessions/two/output.log",
        "user/config/ao/config.toml",
    ];
    assert_eq!(found, own.map(|place| env.path(place)));
}
