//! Bad input: the exit code and the message of the table, the thing named, nothing changed.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::Stdio;

use ao::adapter::cmd::Cmd;

use crate::env::{Outcome, TestEnvironment};
use crate::tree::Tree;

/// A machine with one repository, `app`, and what its trees held before the bad input came.
struct Story {
    env: TestEnvironment,
    repo: PathBuf,
    before: Option<(Tree, Tree)>,
}

impl Story {
    fn new() -> Self {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        Self { env, repo, before: None }
    }

    /// With two sessions, `app-1` and `app-2`, that have ended.
    fn with_sessions() -> Self {
        let mut story = Self::new();
        let spawn = ["spawn", "-a", "shell", "--runtime", "process", "--count", "2", "exit 0"];
        story.ao(&spawn).success();
        for id in ["app-1", "app-2"] {
            story.env.wait_record(id, "done", |record| {
                record["lifecycle"]["session"]["state"] == "done"
            });
        }
        story.remember();
        story
    }

    fn remember(&mut self) {
        self.before = Some((Tree::of(&self.env.home()), Tree::of(&self.repo)));
    }

    fn ao(&self, args: &[&str]) -> Outcome {
        self.env.ao_in(&self.repo, args)
    }

    /// Runs `ao` in the repository with nothing on standard input; asserts that it failed with
    /// `code`, said nothing on standard output, and named every one of `words`.
    #[track_caller]
    fn refused(&self, args: &[&str], code: i32, words: &[&str]) -> Outcome {
        let outcome = self.ao(args).code(code);
        assert_told(args, &outcome, words);
        self.assert_unchanged(args);
        outcome
    }

    #[track_caller]
    fn assert_unchanged(&self, args: &[&str]) {
        let Some((home, repo)) = &self.before else { return };
        let changes = (home.changes(&self.env.home()), repo.changes(&self.repo));
        assert_eq!(changes, (vec![], vec![]), "ao {args:?} changed something");
    }
}

#[track_caller]
fn assert_told(args: &[&str], outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.stdout, "", "ao {args:?} answered\n{outcome}");
    for word in words {
        assert!(outcome.stderr.contains(word), "ao {args:?} does not name {word:?}\n{outcome}");
    }
}

/// Every command that takes a session, with the session's name where `@` stands.
const COMMANDS: &[&[&str]] = &[
    &["show", "@"],
    &["status", "@"],
    &["explain", "@"],
    &["log", "@"],
    &["path", "@"],
    &["output", "@"],
    &["exec", "@", "--", "touch", "made"],
    &["attach", "@"],
    &["wait", "--timeout", "1s", "@"],
    &["send", "@", "hello"],
    &["approve", "@"],
    &["deny", "@"],
    &["interrupt", "@"],
    &["kill", "@"],
    &["rename", "@", "title"],
    &["restore", "@"],
    &["cleanup", "@"],
    &["observe", "runtime", "@"],
    &["outbox", "retry", "@"],
    &["outbox", "drop", "@", "1.x"],
];

fn with_name(command: &[&'static str], name: &str) -> Vec<String> {
    let name = |word: &&str| if *word == "@" { name.to_owned() } else { (*word).to_owned() };
    command.iter().map(name).collect()
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

#[test]
fn every_command_refuses_a_session_that_does_not_exist() {
    let story = Story::with_sessions();
    for command in COMMANDS {
        let args = with_name(command, "nobody-7");
        story.refused(&words(&args), 3, &["nobody-7", "hint: `ao ls --all`"]);
    }
}

#[test]
fn every_command_refuses_an_ambiguous_prefix_and_names_what_it_could_mean() {
    let story = Story::with_sessions();
    for command in COMMANDS {
        let args = with_name(command, "app");
        story.refused(&words(&args), 2, &["`app` is ambiguous: app-1, app-2", "hint: "]);
    }
}

#[test]
fn every_command_refuses_a_name_that_can_be_no_sessions() {
    let story = Story::with_sessions();
    let long = "x".repeat(300);
    for command in COMMANDS {
        for (name, shown) in [
            ("../x", "\"../x\""),
            ("a;b", "\"a;b\""),
            ("a b", "\"a b\""),
            ("", "\"\""),
            (&*long, "xxx…"),
            ("\u{1b}[31m", "not a valid session id"),
        ] {
            let args = with_name(command, name);
            let outcome = story.refused(&words(&args), 2, &[shown, "hint: "]);
            assert!(!outcome.stderr.contains('\u{1b}'), "{outcome}");
        }
        let args = with_name(command, "-xyz");
        story.refused(&words(&args), 2, &["'-"]);
    }
    story.refused(&["kill", "--", "-rf"], 2, &["\"-rf\"", "hint: "]);
    story.refused(&["spawn", "-a", "shell", "--id=-rf", "true"], 2, &["\"-rf\"", "hint: "]);
    story.refused(&["spawn", "-a", "shell", "--id", "../x", "true"], 2, &["\"../x\"", "hint: "]);
    story.refused(&["spawn", "-a", "shell", "--id", "", "true"], 2, &["\"\"", "hint: "]);
}

#[test]
fn a_name_that_is_not_text_is_refused() {
    let story = Story::with_sessions();
    for command in COMMANDS {
        let args = command.iter().map(|word| match *word {
            "@" => OsString::from_vec(vec![b'a', 0xff]),
            word => OsString::from(word),
        });
        let ao = story.env.command(env!("CARGO_BIN_EXE_ao")).cwd(&story.repo).args(args);
        let outcome = story.env.run(&ao).code(2);
        assert_told(command, &outcome, &["invalid UTF-8"]);
        story.assert_unchanged(command);
    }
}

#[test]
fn projects_are_named_as_carefully_as_sessions() {
    let story = Story::with_sessions();
    for command in [
        &["project", "show", "@"][..],
        &["project", "set", "@", "--repo", "."],
        &["project", "rm", "@"],
        &["ls", "--project", "@"],
    ] {
        for (name, code, shown) in
            [("nobody", 3, "`nobody`"), ("../x", 2, "\"../x\""), ("", 2, "\"\"")]
        {
            let args = with_name(command, name);
            story.refused(&words(&args), code, &[shown, "hint: "]);
        }
    }
}

#[test]
fn wrong_values_of_flags_are_named() {
    let story = Story::with_sessions();
    let spawn = |flag: &'static str, value: &'static str| {
        vec!["spawn", "-a", "shell", "--runtime", "process", flag, value, "true"]
    };
    for (flag, value, shown) in [
        ("--branch", "a..b", "\"a..b\""),
        ("--branch", "", "\"\""),
        ("--branch", "`id`", "\"`id`\""),
        ("--branch", "HEAD", "\"HEAD\""),
        ("--mode", "forever", "forever"),
        ("--workspace", "cloud", "cloud"),
        ("--if-exists", "perhaps", "perhaps"),
        ("--count", "0", "0"),
    ] {
        story.refused(&spawn(flag, value), 2, &[shown]);
    }
    story.refused(&["spawn", "-a", "shell", "--runtime", "cloud", "true"], 2, &["cloud"]);
    story.refused(&spawn("--base", "nowhere"), 3, &["`nowhere`", "hint: "]);
    story.refused(&spawn("--base", "-rf"), 2, &["'-r'"]);
    let base = ["spawn", "-a", "shell", "--runtime", "process", "--base=-rf", "true"];
    story.refused(&base, 3, &["`-rf`", "hint: "]);
    story.refused(&["wait", "app-1", "--until", "sleepy"], 2, &["sleepy"]);
    story.refused(&["wait", "app-1", "--timeout", "soon"], 2, &["soon"]);
    story.refused(&["wait", "app-1", "--since", "-1"], 2, &["-1"]);
    story.refused(&["ls", "--status", "sleepy"], 2, &["sleepy"]);
    story.refused(&["ls", "--kind", "manager"], 2, &["manager"]);
    story.refused(&["ls", "--color", "red"], 2, &["red"]);
    story.refused(&["ls", "--lock-timeout", "-5"], 2, &["-5"]);
    story.refused(&["observe", "weather", "app-1"], 2, &["weather"]);
    story.refused(&["frobnicate"], 2, &["frobnicate"]);
    story.refused(&["ls", "--frobnicate"], 2, &["--frobnicate"]);
}

#[test]
fn a_prompt_with_nul_is_refused_and_a_file_that_is_not_there_is_named() {
    let story = Story::with_sessions();
    let spawn = ["spawn", "-a", "shell", "--runtime", "process"];
    let stdin = story.env.ao_command(&[&spawn[..], &["-"]].concat()).cwd(&story.repo);
    let outcome = story.env.run(&stdin.stdin(*b"echo a\0b")).code(2);
    assert_told(&["spawn", "-"], &outcome, &["NUL", "hint: "]);
    let file = story.env.path("prompt");
    fs::write(&file, b"a\0b").unwrap();
    let file = file.to_str().unwrap();
    story.refused(&[&spawn[..], &["--prompt-file", file]].concat(), 2, &["NUL", "hint: "]);
    story.refused(&[&spawn[..], &["--prompt-file", "nothing"]].concat(), 3, &["nothing"]);
    story.refused(&["spawn", "--batch", "nothing"], 3, &["nothing"]);
    fs::write(story.env.path("batch"), "{\"prompt\":\"x\"}\n\n{\"promt\":\"x\"}\n").unwrap();
    let batch = story.env.path("batch");
    let batch = batch.to_str().unwrap();
    story.refused(&["spawn", "--batch", batch], 2, &["batch:3", "promt"]);
}

#[test]
fn a_place_that_is_no_usable_repository_is_named() {
    let story = Story::with_sessions();
    let repos = story.env.path("repos");
    story.env.git(&repos, &["init", "-q", "empty"]);
    story.env.git(&repos, &["init", "-q", "--bare", "bare.git"]);
    for (directory, code, words) in [
        (story.env.path("user"), 3, ["[ROOT]/user is not in a git repository", "hint: "]),
        (repos.join("empty"), 2, ["[ROOT]/repos/empty has no commit", "hint: "]),
        (repos.join("bare.git"), 2, ["[ROOT]/repos/bare.git is bare", "hint: "]),
    ] {
        for args in [
            &["spawn", "-a", "shell", "true"][..],
            &["spawn", "-a", "shell", "--dry-run", "true"],
            &["spawn", "-a", "shell", "--workspace", "none", "true"],
            &["project", "add"],
            &["init", "--yes"],
        ] {
            let before = Tree::of(&directory);
            let mut outcome = story.env.ao_in(&directory, args).code(code);
            let root = story.env.path("");
            outcome.stderr = outcome.stderr.replace(root.to_str().unwrap(), "[ROOT]");
            assert_told(args, &outcome, &words);
            story.assert_unchanged(args);
            assert_eq!(before.changes(&directory), Vec::<String>::new());
        }
    }
    story.refused(&["project", "add", "nowhere"], 3, &["nowhere"]);
}

#[test]
fn a_branch_that_is_checked_out_elsewhere_names_the_place() {
    let mut story = Story::with_sessions();
    let elsewhere = story.env.path("repos/elsewhere");
    let place = elsewhere.to_str().unwrap();
    story.env.git(&story.repo, &["worktree", "add", "-q", "-b", "taken", place]);
    story.remember();
    let spawn = ["spawn", "-a", "shell", "--runtime", "process", "--branch", "taken", "true"];
    story.refused(&spawn, 4, &["`taken`", place, "hint: "]);
    let main = ["spawn", "-a", "shell", "--runtime", "process", "--branch", "main", "true"];
    story.refused(&main, 4, &["`main`", story.repo.to_str().unwrap(), "hint: "]);
}

#[test]
fn without_tmux_nothing_is_made_and_a_one_shot_agent_goes_on_without_it() {
    for (shim, said) in [(None, "tmux is not installed"), (Some("echo tmux 3.1c"), "3.1c")] {
        let mut story = Story::with_sessions();
        match shim {
            None => story.env.hide(&["tmux"]),
            Some(text) => story.env.shims(&[("tmux", text)]),
        }
        story.remember();
        let interactive = ["spawn", "-a", "shell", "--mode", "interactive", "cat"];
        story.refused(&interactive, 8, &[said, "hint: install tmux 3.2 or newer"]);
        let asked_for = ["spawn", "-a", "shell", "--runtime", "tmux", "true"];
        story.refused(&asked_for, 8, &[said, "hint: install tmux 3.2 or newer"]);
        let one_shot = story.ao(&["spawn", "-a", "shell", "exit 7"]).success();
        assert_eq!(one_shot.stdout, "app-3\n");
        assert!(one_shot.stderr.contains(said), "{one_shot}");
        assert!(one_shot.stderr.contains("running in the process runtime"), "{one_shot}");
        story.ao(&["wait", "app-3"]).code(21);
        assert_eq!(story.env.record("app-3")["handles"]["runtime"]["kind"], "process");
    }
}

#[test]
fn without_git_it_is_named_and_what_needs_none_goes_on() {
    let mut story = Story::with_sessions();
    story.env.hide(&["git"]);
    story.remember();
    let spawn = ["spawn", "-a", "shell", "--runtime", "process", "true"];
    story.refused(&spawn, 8, &["`git` is not installed", "hint: install git"]);
    assert!(story.ao(&["ls", "--all"]).success().stdout.contains("app-2"));
    story.ao(&["show", "app-1"]).success();
    story.assert_unchanged(&["ls"]);
}

/// A card for a program, in the user's own directory.
fn card(story: &Story, name: &str, binary: &str) {
    let directory = story.env.path("user/config/ao/agents");
    fs::create_dir_all(&directory).unwrap();
    let text = format!(
        "[agent]\nname = \"{name}\"\nbinary = \"{binary}\"\ndescription = \"A test\"\n\
         mode = \"one_shot\"\ninteractive = [\"{{binary}}\"]\none_shot = [\"{{binary}}\"]\n\
         [prompt]\ndelivery = \"stdin\"\n"
    );
    fs::write(directory.join(format!("{name}.toml")), text).unwrap();
}

#[test]
fn an_agent_that_is_unknown_missing_or_not_chosen_is_named() {
    let mut story = Story::with_sessions();
    card(&story, "ghost", "no-such-program");
    story.remember();
    story.refused(&["spawn", "-a", "nobody", "x"], 2, &["`nobody`", "ghost", "shell"]);
    story.refused(&["spawn", "-a", "../shell", "x"], 2, &["`../shell`"]);
    story.refused(&["spawn", "-a", "", "x"], 2, &["``"]);
    story.refused(&["spawn", "-a", "ghost", "x"], 8, &["`ghost`", "`no-such-program`", "hint: "]);
    story.refused(&["spawn", "x"], 2, &["no agent chosen", "none is installed", "hint: "]);
    card(&story, "one", "cat");
    card(&story, "two", "cat");
    story.refused(&["spawn", "x"], 2, &["several are installed: one, two", "--agent"]);
}

#[test]
fn a_bad_card_is_named_by_file_and_line_and_fails_only_who_asks_for_it() {
    let story = Story::with_sessions();
    card(&story, "broken", "cat");
    let file = story.env.path("user/config/ao/agents/broken.toml");
    let text = fs::read_to_string(&file).unwrap().replace("delivery", "delivary");
    fs::write(&file, text).unwrap();
    story.refused(&["spawn", "-a", "broken", "x"], 2, &["broken.toml:9:", "delivary"]);
    fs::write(&file, [0xff, 0xfe]).unwrap();
    story.refused(&["spawn", "-a", "broken", "x"], 2, &["broken.toml:1:", "UTF-8"]);
    story.ao(&["spawn", "-a", "shell", "--runtime", "process", "true"]).success();
}

#[test]
fn a_bad_configuration_is_named_by_file_and_line() {
    let mut story = Story::with_sessions();
    let user = story.env.path("user/config/ao/config.toml");
    let repository = story.repo.join(".ao/config.toml");
    fs::create_dir_all(user.parent().unwrap()).unwrap();
    fs::create_dir_all(repository.parent().unwrap()).unwrap();
    for (file, text, shown) in [
        (&user, "# one\nmax_sesions = 3\n", ["config.toml:2", "`max_sesions`"]),
        (&user, "max_sessions = \"many\"\n", ["config.toml:1", "`max_sessions`"]),
        (&user, "\n\nagent = \n", ["config.toml:3", ""]),
        (&repository, "[env]\nA = \"b\"\n", ["config.toml:2", "`env"]),
        (&repository, "base = 3\n", ["config.toml:1", "`base`"]),
    ] {
        fs::write(file, text).unwrap();
        story.remember();
        let spawn = ["spawn", "-a", "shell", "--runtime", "process", "true"];
        story.refused(&spawn, 2, &[shown[0], shown[1], file.to_str().unwrap(), "hint: "]);
        story.refused(&["config", "show"], 2, &[shown[0], "hint: "]);
        fs::remove_file(file).unwrap();
    }
    story.remember();
    let outcome = story.env.ao_env(&["config", "show"], &[("AO_MAX_SESSIONS", "many")]).code(2);
    assert_told(&["config"], &outcome, &["$AO_MAX_SESSIONS", "hint: "]);
}

#[test]
fn commands_of_a_repository_run_only_after_a_person_approved_them() {
    let story = Story::new();
    let config = story.repo.join(".ao/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    let wants = |word: &str| {
        let text = format!("[workspace]\npost_create = [[\"touch\", \"{word}\"]]\n");
        fs::write(&config, text).unwrap();
    };
    wants("made");
    let spawn = ["spawn", "-a", "shell", "--runtime", "process", "ls"];
    let refused = story.ao(&spawn).code(5);
    assert_told(&spawn, &refused, &["not approved", "touch made", "hint: ", "AO_TRUST="]);
    assert!(story.env.try_record("app-1").is_none(), "{refused}");
    assert_eq!(story.env.git(&story.repo, &["branch"]), "* main");

    let without_terminal = story.ao(&["trust"]).code(2);
    assert!(without_terminal.stderr.contains("no terminal"), "{without_terminal}");
    assert!(without_terminal.stderr.contains("AO_TRUST"), "{without_terminal}");
    story.ao(&[&spawn[..], &["--wait"]].concat()).code(5);

    let shown = story.ao(&["trust", "--show", "--json"]).success().json();
    let hash = shown["trust"]["hash"].as_str().unwrap();
    let trusting = |hash: &str| {
        let ao = story.env.ao_command(&spawn).cwd(&story.repo).env("AO_TRUST", hash);
        story.env.run(&ao)
    };
    let id = trusting(hash).success().stdout;
    let workspace = story.ao(&["path", id.trim()]).success().stdout;
    assert!(std::path::Path::new(workspace.trim()).join("made").exists());

    wants("other");
    let changed = trusting(hash).code(5);
    assert_told(&spawn, &changed, &["touch other"]);
    assert!(!changed.stderr.contains(hash), "{changed}");
}

#[test]
fn destructive_commands_over_several_sessions_ask_and_without_a_terminal_name_the_flag() {
    let story = Story::with_sessions();
    for args in [&["kill", "app-1", "app-2"][..], &["cleanup"], &["cleanup", "app-1", "app-2"]] {
        story.refused(args, 2, &["app-1", "app-2", "no terminal", "hint: say --yes"]);
        let plan = story.ao(&[args, &["--dry-run"]].concat()).success();
        assert!(plan.stdout.contains("app-1") && plan.stdout.contains("app-2"), "{plan}");
        story.assert_unchanged(args);
    }
    story.ao(&["cleanup", "--yes"]).success();
    assert_eq!(story.ao(&["ls", "-q"]).success().stdout, "");
}

/// Runs `ao` with a standard output that nobody reads.
fn unread(story: &Story, args: &[&str]) -> (i32, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ao: Cmd = story.env.ao_command(args).cwd(&story.repo);
    let child = ao.spawn(Stdio::null(), writer.into(), Stdio::piped()).unwrap();
    let output = child.wait_with_output().unwrap();
    let code = ao::adapter::cmd::exit_code(output.status);
    (code, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let story = Story::with_sessions();
    for args in [
        &["ls", "--all"][..],
        &["ls", "--all", "--json"],
        &["show", "app-1"],
        &["log", "app-1"],
        &["status", "app-1", "--json"],
        &["config", "reference"],
        &["schema"],
        &["man"],
        &["--help"],
        &["--version"],
        &["help", "exit-codes"],
    ] {
        assert_eq!(unread(&story, args), (0, String::new()), "{args:?}");
    }
}

#[test]
fn a_standard_stream_that_is_closed_is_no_other_file() {
    let story = Story::with_sessions();
    for (closed, number, answer) in [("<&-", 0, ">&1"), (">&-", 1, ">&2"), ("2>&-", 2, ">&1")] {
        let look = format!("place=$(readlink /proc/$$/fd/{number}); echo $place {answer}");
        let script = format!("exec \"$0\" exec app-1 -- sh -c '{look}' {closed}");
        let sh = story.env.command("sh").args(["-c", &script, env!("CARGO_BIN_EXE_ao")]);
        let outcome = story.env.run(&sh.cwd(&story.repo)).success();
        let heard = [outcome.stdout, outcome.stderr].concat();
        assert_eq!(heard, "/dev/null\n", "{closed}");
    }
}

#[test]
fn an_error_in_json_has_every_field_and_is_on_standard_error() {
    let story = Story::with_sessions();
    for (args, code, kind) in [
        (&["show", "nobody"][..], 3, "not_found"),
        (&["show", "app"], 2, "invalid"),
        (&["show", "../x"], 2, "invalid"),
        (&["show"], 2, "invalid"),
        (&["show", "--frob"], 2, "invalid"),
        (&["frob"], 2, "invalid"),
        (&["wait", "app-1", "--timeout", "soon"], 2, "invalid"),
        (&["spawn", "x"], 2, "invalid"),
        (&["spawn", "-a", "shell", "--runtime", "process", "--id", "app-1", "x"], 4, "conflict"),
        (&["send", "app-1", "hello"], 4, "conflict"),
        (&["approve", "app-1"], 4, "conflict"),
        (&["deny", "app-1"], 4, "conflict"),
        (&["interrupt", "app-1"], 4, "conflict"),
        (&["kill", "app-1", "app-2"], 2, "invalid"),
        (&["outbox", "drop", "app-1", "k"], 3, "not_found"),
    ] {
        let outcome = story.ao(&[args, &["--json"]].concat()).code(code);
        assert_eq!(outcome.stdout, "", "{args:?}");
        let last = outcome.stderr.lines().last().unwrap_or_default().to_owned();
        let error = serde_json::from_str::<serde_json::Value>(&last).unwrap()["error"].clone();
        assert_eq!((&error["kind"], &error["code"]), (&kind.into(), &code.into()), "{outcome}");
        assert_eq!(error["retryable"], false, "{outcome}");
        for field in ["message", "hint"] {
            let text = error[field].as_str().unwrap_or_default();
            assert!(!text.is_empty() && !text.contains('\n'), "{args:?}: {field}\n{outcome}");
        }
        story.assert_unchanged(args);
    }
}
