//! What can be asked of an agent's program before it is started: its version, and whether
//! somebody is logged in.
//!
//! The environment is an argument. Every child is bounded; what it did not say in time is
//! unknown, never a no.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapter::agent::card::Card;
use crate::adapter::agent::cards::find_binary;
use crate::adapter::agent::place::place;
use crate::adapter::cmd::{Cmd, Output};
use crate::adapter::{fs, remembered, threads};
use crate::model::answer::LoggedIn;
use crate::model::sanitize;

/// How long a program may take to answer one question.
const DEADLINE: Duration = Duration::from_secs(3);

/// The variables that the agent would be given.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// Whether somebody is logged in; a name of its own for callers of this module.
pub type Login = LoggedIn;

/// What is known of an agent on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// Where its program is.
    pub path: Option<PathBuf>,
    /// What it says its version is.
    pub version: Option<String>,
    /// It is older than what works.
    pub too_old: bool,
    /// Whether somebody is logged in.
    pub login: Login,
}

/// Looks at every card, all of them side by side; without `ask` no child is started.
pub fn look(cards: &[&Card], variables: &Variables, ask: bool) -> Vec<Preflight> {
    let path = variables.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let look = |cards: &[&Card]| {
        cards.iter().map(|card| look_at(card, &path, variables, ask)).collect::<Vec<_>>()
    };
    threads::share(cards, if ask { cards.len() } else { 1 }, look, look)
}

/// Looks at one card, and asks its program both questions at once.
fn look_at(card: &Card, path: &OsStr, variables: &Variables, ask: bool) -> Preflight {
    let path = find_binary(card, path);
    let (login, version) = match path.as_deref().filter(|_| ask) {
        Some(program) => threads::both(
            || login(card, Some(program), variables),
            || ask_version(card, program, variables),
        ),
        None => (login(card, None, variables), None),
    };
    let too_old = version.as_deref().is_some_and(|version| is_too_old(card, version));
    Preflight { path, version, too_old, login }
}

fn is_too_old(card: &Card, version: &str) -> bool {
    card.preflight.minimum.as_deref().is_some_and(|minimum| !at_least(version, minimum))
}

/// Returns the version that the program says it has, remembered in `cache` as long as the
/// program's file is the same and that version is new enough for the card.
pub fn version_of(
    card: &Card,
    program: &Path,
    variables: &Variables,
    cache: Option<&Path>,
) -> Option<String> {
    let question = card.preflight.version.join(" ");
    let ask = || ask_version(card, program, variables).ok_or(());
    let serves = |version: &str| !is_too_old(card, version);
    remembered::answer(cache, program, &question, serves, ask).ok()
}

fn ask_version(card: &Card, program: &Path, variables: &Variables) -> Option<String> {
    let question = &card.preflight.version;
    if question.is_empty() {
        return None;
    }
    let answer = ask(program, question, variables)?;
    version_in(&answer.text()).or_else(|| version_in(&answer.stderr))
}

/// Runs the program with `arguments`; `None` where it did not end in time.
fn ask(program: &Path, arguments: &[String], variables: &Variables) -> Option<Output> {
    // Not in the repository, whose own configuration nobody has approved.
    let command = Cmd::new(program).args(arguments).env_clear().cwd("/").deadline(DEADLINE);
    let command = command.own_group().die_with_parent();
    let with_all = |command: Cmd, (name, value): (&OsString, &OsString)| command.env(name, value);
    variables.iter().fold(command, with_all).output().ok()
}

/// Returns the first thing in `text` that looks like a version: numbers with dots between them,
/// and what names a release before the final one.
pub(super) fn version_in(text: &str) -> Option<String> {
    let separates = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    text.split(separates).find_map(|word| {
        let word = word.strip_prefix(['v', 'V']).unwrap_or(word).trim_end_matches('.');
        let numbers = word.split(['-', '+']).next().unwrap_or_default();
        let mut parts = numbers.split('.');
        let is_number = |part: &str| {
            (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let is_version = numbers.contains('.') && parts.all(is_number) && word.len() <= 64;
        is_version.then(|| sanitize::line(word))
    })
}

/// Returns whether `version` is `minimum` or newer, number by number; what follows the numbers
/// is not compared.
pub fn at_least(version: &str, minimum: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        numbers.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    let (version, minimum) = (numbers(version), numbers(minimum));
    let number = |numbers: &[u64], at: usize| numbers.get(at).copied().unwrap_or(0);
    let places = 0..version.len().max(minimum.len());
    let order = |at: usize| number(&version, at).cmp(&number(&minimum, at));
    places.map(order).find(|order| order.is_ne()).is_none_or(|order| order.is_gt())
}

/// Returns whether somebody is logged in, by variables, then files, then the program itself.
///
/// Only the program can say that nobody is: a login may be where the card knows nothing of.
pub fn login(card: &Card, program: Option<&Path>, variables: &Variables) -> Login {
    let preflight = &card.preflight;
    let set = |name: &String| {
        variables.get(OsStr::new(name.as_str())).is_some_and(|value| !value.is_empty())
    };
    let there = |path: &String| {
        let path = place(path, &|name| variables.get(OsStr::new(name)).cloned());
        path.is_some_and(|path| fs::metadata(&path).is_ok_and(|found| found.is_some()))
    };
    if preflight.auth_env.iter().any(set) || preflight.auth_files.iter().any(there) {
        return Login::Yes;
    }
    let Some(program) = program.filter(|_| !preflight.auth.is_empty()) else {
        return Login::Unknown;
    };
    let Some(answer) = ask(program, &preflight.auth, variables) else { return Login::Unknown };
    let says_so = preflight.auth_pattern.as_ref().is_none_or(|pattern| {
        pattern.is_match(&answer.text()) || pattern.is_match(answer.stderr.trim_end())
    });
    match (answer.status.code(), says_so) {
        (Some(0), true) => Login::Yes,
        (Some(_), _) => Login::No,
        // It was killed; that says nothing.
        (None, _) => Login::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::agent::load_cards;
    use crate::adapter::clock::Stopwatch;
    use crate::adapter::fs::Durability;

    #[test]
    fn the_first_thing_that_looks_like_a_version_is_it() {
        for (text, version) in [
            ("2.1.187 (Claude Code)", Some("2.1.187")),
            ("codex-cli 0.140.0\n", Some("0.140.0")),
            ("v1.2", Some("1.2")),
            ("tool version: 0.50.0-nightly.2+abc, built 2026.1.1", Some("0.50.0-nightly.2+abc")),
            ("GNU tool 10 (v3.4.)", Some("3.4")),
            ("aider 0.86.1", Some("0.86.1")),
            ("see https://example.com/1.2.3", Some("1.2.3")),
            ("10", None),
            ("1..2", None),
            ("error: unknown option '--version'", None),
            ("12345678901234567890.1", None),
            ("", None),
        ] {
            assert_eq!(version_in(text).as_deref(), version, "{text}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, minimum, expected) in [
            ("2.10.0", "2.9.9", true),
            ("2.9.9", "2.10.0", false),
            ("2.1", "2.1.0", true),
            ("2.1.0", "2.1", true),
            ("2.1", "2.1.1", false),
            ("3.0.0-beta.1", "3.0.0", true),
            ("1.0", "0.140.0", true),
            ("0.140.0", "1", false),
        ] {
            assert_eq!(at_least(version, minimum), expected, "{version} {minimum}");
        }
    }

    /// A card whose program is `sh`, with `preflight` in that section.
    fn card(preflight: &str) -> Card {
        let cards = load_cards(Path::new("/none")).unwrap();
        let mut card = cards.find("shell").unwrap().clone();
        card.preflight = toml::from_str(preflight).unwrap();
        card
    }

    fn variables(extra: &[(&str, &str)]) -> Variables {
        let path = ("PATH", "/usr/bin:/bin");
        extra.iter().chain([&path]).map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn a_login_is_found_where_the_card_says() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap();
        let places = "auth_env = ['A_KEY', 'B_KEY']\nauth_files = ['{env:MY_HOME}/auth.json']\n";
        let asks =
            |command: &str, pattern: &str| format!("{places}auth = ['-c', '{command}']\n{pattern}");
        let login = |preflight: &str, extra: &[(&str, &str)]| {
            super::login(&card(preflight), Some(Path::new("/bin/sh")), &variables(extra))
        };
        assert_eq!(login("", &[]), Login::Unknown);
        assert_eq!(login(places, &[("MY_HOME", home)]), Login::Unknown);
        assert_eq!(login(places, &[("B_KEY", "x")]), Login::Yes);
        assert_eq!(login(places, &[("B_KEY", "")]), Login::Unknown);
        assert_eq!(login(&asks("exit 0", ""), &[]), Login::Yes);
        assert_eq!(login(&asks("exit 1", ""), &[]), Login::No);
        assert_eq!(login(&asks("exit 1", ""), &[("A_KEY", "x")]), Login::Yes);
        assert_eq!(login(&asks("echo in >&2", "auth_pattern = '^in$'"), &[]), Login::Yes);
        assert_eq!(login(&asks("echo out", "auth_pattern = '^in$'"), &[]), Login::No);
        assert_eq!(login(&asks("kill -9 $$", ""), &[]), Login::Unknown);
        fs::replace(&directory.path().join("auth.json"), b"{}", Durability::Process).unwrap();
        assert_eq!(login(places, &[("MY_HOME", home)]), Login::Yes);
        assert_eq!(login(&asks("exit 1", ""), &[("MY_HOME", home)]), Login::Yes);
    }

    #[test]
    fn questions_are_asked_side_by_side_and_not_waited_for_long() {
        let slow = card("version = ['-c', 'sleep 60 & sleep 60']\nauth = ['-c', 'sleep 60']\n");
        let quick = card("version = ['-c', 'echo tool 1.2.3']\nminimum = '1.10'\n");
        let watch = Stopwatch::start();
        let seen = look(&[&slow, &slow, &slow, &quick], &variables(&[]), true);
        assert!(watch.elapsed() < DEADLINE * 3, "{:?}", watch.elapsed());
        let told = |seen: &Preflight| (seen.version.clone(), seen.too_old, seen.login);
        assert_eq!(told(&seen[2]), (None, false, Login::Unknown));
        assert_eq!(told(&seen[3]), (Some("1.2.3".to_owned()), true, Login::Unknown));
        let unasked = look(&[&quick], &variables(&[]), false);
        assert_eq!(told(&unasked[0]), (None, false, Login::Unknown));
        assert!(unasked[0].path.is_some());
    }

    #[test]
    fn a_version_is_remembered_until_the_program_changes() {
        let directory = tempfile::tempdir().unwrap();
        let (program, log) = (directory.path().join("tool"), directory.path().join("log"));
        let cache = directory.path().join("cache");
        let write = |version: &str| {
            let text = format!("#!/bin/sh\necho asked >>'{}'\necho {version}\n", log.display());
            let _ = fs::remove_file(&program);
            fs::create_new(&program, text.as_bytes(), 0o700, Durability::Process).unwrap();
        };
        let card = card("version = ['--version']");
        let ask = || {
            // Another test's child may hold the file open for writing for a moment.
            crate::adapter::clock::poll_until(
                crate::adapter::clock::Deadline::after(Duration::from_secs(10)),
                || version_of(&card, &program, &variables(&[]), Some(&cache)),
            )
        };
        write("1.2.3");
        assert_eq!((ask(), ask()), (Some("1.2.3".into()), Some("1.2.3".into())));
        assert_eq!(fs::read_text(&log).unwrap().lines().count(), 1);
        write("1.10.0");
        assert_eq!(ask().as_deref(), Some("1.10.0"));
    }
}
