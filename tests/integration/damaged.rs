//! The corpus of damaged homes, `fixtures/damaged/`: each file is a story of its own, told to the
//! real binary.
//!
//! `!` is a command of `sh` in the home, `$` one of `ao`; what stands below is what it said. Every
//! command that only reads is run on the damage besides: it changes nothing, ends with a code of
//! the table, shows no control character, and tells the other session as it always was. The last
//! command is a doctor who finds nothing. `UPDATE=1` writes what is said into the files.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::env::{Outcome, TestEnvironment};
use crate::tree::Tree;

/// Commands that only read. `two` is never what is damaged.
const READERS: &[&[&str]] = &[
    &["ls", "--all"],
    &["status"],
    &["show", "one"],
    &["explain", "one"],
    &["log", "one"],
    &["log", "--verify", "one"],
    &["output", "one"],
    &["reap", "--dry-run"],
    &["doctor", "--state", "--json"],
];

/// The codes that a reader may end with: done, damaged, usage (a bad configuration), not found,
/// refused (a link), forbidden (a mode, an owner), too new.
const CODES: &[i32] = &[0, 1, 2, 3, 5, 6, 8];

/// The files that other processes write meanwhile: the live session's.
const MOVING: &[&str] = &["output.log"];

/// A home with sessions that have ended, `one` and `two`, one that lives, `live`, and one in the
/// archive, `old`; and a copy of its files.
pub(crate) struct Corpus {
    pub(crate) env: TestEnvironment,
    pub(crate) repo: PathBuf,
    two: Vec<String>,
}

impl Corpus {
    pub(crate) fn new() -> Self {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        fs::create_dir_all(env.path("user/config/ao/agents")).unwrap();
        fs::create_dir_all(env.path("user/cache/ao")).unwrap();
        let spawn = |id: &str, script: &str| {
            let words = ["spawn", "-a", "shell", "--runtime", "process", "--id", id, script];
            env.ao_in(&repo, &words).success();
        };
        for id in ["old", "one", "two"] {
            spawn(id, "echo hello; exit 3");
        }
        spawn("live", "exec sleep 600");
        for id in ["old", "one", "two"] {
            env.wait_record(id, "ended", |record| {
                record["lifecycle"]["session"]["state"] == "terminated"
            });
        }
        env.ao(&["cleanup", "old"]).success();
        env.ao(&["rename", "one", "first"]).success();
        env.ao(&["reap"]).success();
        env.ao(&["doctor", "--state"]).success();
        let pristine = env.path("pristine");
        env.run(&env.command("cp").arg("-a").arg(env.home()).arg(&pristine)).success();
        let corpus = Self { env, repo, two: Vec::new() };
        let two = corpus.tell_of_two();
        Self { two, ..corpus }
    }

    /// Returns what is told of the session that is not damaged.
    fn tell_of_two(&self) -> Vec<String> {
        let tell = |words: &[&str]| self.env.ao(words).success().stdout;
        vec![tell(&["show", "two", "--json"]), tell(&["log", "two", "--json"])]
    }

    /// Puts every file back. The lock that the live session's launcher holds stays the same file.
    pub(crate) fn reset(&self) {
        let script = "chmod -R u+rwX home user/config user/cache && \
             find home -mindepth 1 -not -path home/sessions -not -path home/sessions/live \
             -not -path home/sessions/live/alive.lock -delete 2>/dev/null; \
             rm -rf user/config user/cache && mkdir -p user/config/ao/agents user/cache/ao && \
             cp -a pristine/. home/";
        self.run_in(&self.env.path(""), script).success();
    }

    fn run_in(&self, directory: &Path, script: &str) -> Outcome {
        self.env.run(&self.env.command("sh").args(["-c", script]).cwd(directory))
    }

    /// Does what a line after `!` says.
    fn damage(&self, line: &str) {
        match line.strip_prefix("socket ") {
            Some(path) => drop(UnixListener::bind(self.env.home().join(path)).unwrap()),
            None => drop(self.run_in(&self.env.home(), line).success()),
        }
    }

    /// Runs `ao` as a line after `$` says, and returns what of it the corpus holds.
    fn told(&self, line: &str) -> (i32, String) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], "ao", "{line}");
        let command = self.env.ao_command(&words[1..]).cwd(&self.repo);
        let outcome = self.env.run(&command.deadline(Duration::from_secs(30)));
        let shown = if words[1] == "doctor" { outcome.stdout.as_str() } else { "" };
        let mut text = String::new();
        for line in outcome.stderr.lines().take(4).chain(shown.lines()) {
            text.push_str(&self.filtered(line));
            text.push('\n');
        }
        if outcome.status != 0 {
            text.push_str(&format!("exit {}\n", outcome.status));
        }
        (outcome.status, text)
    }

    /// Replaces what differs from run to run, and from one version's record to another's.
    fn filtered(&self, line: &str) -> String {
        let root = self.env.path("");
        let line = line.replace(root.to_str().unwrap(), "[ROOT]");
        let line = crate::outcome::filtered(&line);
        let numbers =
            regex::Regex::new(r"(line|column|event|events|revision|to|process) \d+").unwrap();
        let line = numbers.replace_all(&line, "$1 [N]").into_owned();
        let bytes = regex::Regex::new(r"\d+ (bytes|events)|user \d+").unwrap();
        bytes.replace_all(&line, "[N] $1").into_owned()
    }

    fn read_everything(&self, name: &str) {
        let before = Tree::of(&self.env.home());
        for words in READERS {
            let command = self.env.ao_command(words).cwd(&self.repo);
            let outcome = self.env.run(&command.deadline(Duration::from_secs(30)));
            assert!(CODES.contains(&outcome.status), "{name}: ao {words:?}\n{outcome}");
            let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
            assert!(!outcome.stdout.contains(steers), "{name}: ao {words:?}\n{outcome}");
            assert!(!outcome.stderr.contains(steers), "{name}: ao {words:?}\n{outcome}");
            assert!(!outcome.stderr.contains("panicked"), "{name}: ao {words:?}\n{outcome}");
        }
        let moved = |change: &String| !MOVING.iter().any(|name| change.contains(name));
        let changes: Vec<String> =
            before.changes(&self.env.home()).into_iter().filter(moved).collect();
        assert_eq!(changes, [""; 0], "{name}: a reader wrote");
    }

    /// Tells one story, and returns the file as it would have to be.
    fn tell(&self, name: &str, text: &str) -> String {
        self.reset();
        let (mut written, mut is_read, mut last) = (String::new(), false, 1);
        let home_is_fine = !text.contains("\n# the whole home\n");
        for line in text.lines() {
            let is_said = !matches!(line.get(..2), Some("# " | "! " | "$ ")) && !line.is_empty();
            if is_said {
                continue;
            }
            written.push_str(line);
            written.push('\n');
            if let Some(damage) = line.strip_prefix("! ") {
                self.damage(damage);
            } else if let Some(command) = line.strip_prefix("$ ") {
                if !std::mem::replace(&mut is_read, true) {
                    self.read_everything(name);
                    if home_is_fine {
                        assert_eq!(self.tell_of_two(), self.two, "{name}: another one suffers");
                    }
                }
                let (code, said) = self.told(command);
                written.push_str(&said);
                last = code;
            }
        }
        assert_eq!(last, 0, "{name}: the last command is a doctor who finds nothing\n{written}");
        written
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/damaged")
}

/// Tells every story whose name begins with one of these words.
fn tell_all(words: &[&str]) {
    let corpus = Corpus::new();
    let mut wrong = Vec::new();
    for name in names() {
        if !words.iter().any(|word| name.starts_with(word)) {
            continue;
        }
        let path = folder().join(&name);
        let text = fs::read_to_string(&path).unwrap();
        let written = corpus.tell(&name, &text);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, written).unwrap();
        } else if written != text {
            wrong.push(format!("{name}:\n{written}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".txt"));
    names.sort();
    names
}

const RECORDS: &[&str] = &["record-"];
const LOGS: &[&str] = &["log-", "both-"];
const FILES: &[&str] =
    &["exit-", "started-", "lock-", "installed-", "reviews-", "check-", "beside-"];
const HOMES: &[&str] = &["home-", "project-", "pass-", "config-", "card-", "cache-", "archive-"];

#[test]
fn damaged_records_are_told_and_put_right() {
    tell_all(RECORDS);
}

#[test]
fn damaged_logs_are_told_and_put_right() {
    tell_all(LOGS);
}

#[test]
fn damaged_files_beside_a_record_are_told_and_put_right() {
    tell_all(FILES);
}

#[test]
fn damaged_homes_projects_and_settings_are_told_and_put_right() {
    tell_all(HOMES);
}

#[test]
fn every_story_is_told() {
    let all = [RECORDS, LOGS, FILES, HOMES].concat();
    let names = names();
    assert!(names.len() >= 60, "{}", names.len());
    let untold = |name: &&String| !all.iter().any(|word| name.starts_with(word));
    assert_eq!(names.iter().filter(untold).collect::<Vec<_>>(), [""; 0]);
}
