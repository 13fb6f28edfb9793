//! Bad input: the exit code and the message of the table, the thing named, nothing changed.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

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
        let args = with_name(command, "-rf");
        story.refused(&words(&args), 2, &["-r"]);
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
        story.refused(&spawn(flag, value), 2, &[shown, flag]);
    }
    story.refused(&["spawn", "-a", "shell", "--runtime", "cloud", "true"], 2, &["cloud"]);
    story.refused(&spawn("--base", "nowhere"), 3, &["`nowhere`", "hint: "]);
    story.refused(&spawn("--base", "-rf"), 2, &["-rf"]);
    story.refused(&spawn("--base=-rf", "x")[..6], 3, &["`-rf`", "hint: "]);
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
