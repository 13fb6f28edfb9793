//! Finds agent cards, reads them, and refuses those that could not work, with file and line.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::adapter::agent::card::{Card, CardError, Hearing};
use crate::adapter::agent::check;
use crate::adapter::fs;
use crate::adapter::program::{self, is_executable};

const BUILT_IN: &[(&str, &str)] = &[
    ("shell", include_str!("cards/shell.toml")),
    ("demo", include_str!("cards/demo.toml")),
    ("aider", include_str!("cards/aider.toml")),
    ("amp", include_str!("cards/amp.toml")),
    ("claude-code", include_str!("cards/claude-code.toml")),
    ("codex", include_str!("cards/codex.toml")),
    ("copilot", include_str!("cards/copilot.toml")),
    ("cursor", include_str!("cards/cursor.toml")),
    ("gemini", include_str!("cards/gemini.toml")),
    ("goose", include_str!("cards/goose.toml")),
    ("opencode", include_str!("cards/opencode.toml")),
    ("qwen", include_str!("cards/qwen.toml")),
];

/// What the events of the built-in cards mean, a line each: made from the cards, so that a hook
/// reads the one line that it needs. See [`built_in_hearings`].
const HEARINGS: &str = include_str!("cards/hearings.jsonl");

/// All cards that were found.
#[derive(Debug)]
pub struct Cards {
    good: BTreeMap<String, Card>,
    bad: BTreeMap<String, (PathBuf, usize, String)>,
    own: BTreeMap<String, PathBuf>,
}

impl Cards {
    /// Returns the card called `name`; a bad one is an error only here.
    pub fn find(&self, name: &str) -> Result<&Card, CardError> {
        if let Some((path, line, why)) = self.bad.get(name) {
            return Err(CardError::Bad { path: path.clone(), line: *line, why: why.clone() });
        }
        self.good.get(name).ok_or_else(|| CardError::Unknown {
            name: name.to_owned(),
            known: self.visible(|_| false).map(|card| card.name().to_owned()).collect(),
        })
    }

    /// Returns all good cards, sorted by name, hidden ones included.
    pub fn all(&self) -> impl Iterator<Item = &Card> {
        self.good.values()
    }

    /// Returns the good cards to be listed, given whether a variable is set.
    pub fn visible(&self, is_set: impl Fn(&str) -> bool) -> impl Iterator<Item = &Card> {
        self.all().filter(move |card| card.agent.hidden_unless.as_deref().is_none_or(&is_set))
    }

    /// Returns whether ao comes with a card of this name.
    pub fn is_built_in(&self, name: &str) -> bool {
        BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
    }

    /// Returns the file of the user's that says what `name` is, a bad one as well.
    pub fn own_file(&self, name: &str) -> Option<&Path> {
        self.own.get(name).map(PathBuf::as_path)
    }

    /// Returns a card as it is written, the user's or the built-in one.
    pub fn text(&self, name: &str) -> Result<String, CardError> {
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        match (self.own_file(name), built_in) {
            (Some(path), _) => Ok(fs::read_text(path)?),
            (None, Some((_, text))) => Ok((*text).to_owned()),
            (None, None) => self.find(name).map(|_| String::new()),
        }
    }

    /// Returns the bad ones with the reason, sorted by name.
    pub fn bad(&self) -> impl Iterator<Item = (&str, CardError)> {
        self.bad.iter().map(|(name, (path, line, why))| {
            let error = CardError::Bad { path: path.clone(), line: *line, why: why.clone() };
            (name.as_str(), error)
        })
    }
}

/// Returns the names of the cards that ao comes with, those for its own tests left out, sorted.
pub fn built_in_names() -> Vec<&'static str> {
    let shown = BUILT_IN.iter().filter(|(_, text)| !text.contains("\nhidden_unless"));
    let mut names: Vec<&str> = shown.map(|(name, _)| *name).collect();
    names.sort_unstable();
    names
}

/// Reads the built-in cards and those in `user_dir` (`NAME.toml`), which win over built-in ones
/// of the same name.
///
/// # Errors
///
/// The directory cannot be listed. A card that is wrong or unreadable fails only who asks for
/// it.
pub fn load_cards(user_dir: &Path) -> Result<Cards, CardError> {
    let mut cards = Cards { good: BTreeMap::new(), bad: BTreeMap::new(), own: BTreeMap::new() };
    for (name, text) in BUILT_IN {
        let card = parse(name, text).expect("a test parses every built-in card");
        cards.good.insert((*name).to_owned(), card);
    }
    for file in fs::names(user_dir)? {
        let path = user_dir.join(&file);
        let (Some(name), Some("toml")) =
            (path.file_stem().and_then(OsStr::to_str), path.extension().and_then(OsStr::to_str))
        else {
            continue;
        };
        match read_own(name, &path) {
            Ok(card) => {
                cards.good.insert(name.to_owned(), card);
            }
            Err((line, why)) => {
                cards.good.remove(name);
                cards.bad.insert(name.to_owned(), (path.clone(), line, why));
            }
        }
        cards.own.insert(name.to_owned(), path);
    }
    Ok(cards)
}

/// Reads the card in the file at `path` as it would be used.
///
/// # Errors
///
/// It cannot be read, or it is wrong: where, and what is allowed.
pub fn check_card(path: &Path) -> Result<Card, CardError> {
    let bad = |(line, why)| CardError::Bad { path: path.to_owned(), line, why };
    let (Some(name), Some("toml")) =
        (path.file_stem().and_then(OsStr::to_str), path.extension().and_then(OsStr::to_str))
    else {
        return Err(bad((1, "a card's file is called NAME.toml, NAME being the agent's".into())));
    };
    let text = utf8(fs::read(path)?).map_err(bad)?;
    parse(name, &text).and_then(|card| check_patterns(card, &text)).map_err(bad)
}

/// Reads one card as [`load_cards`] and [`Cards::find`] do, its patterns included, without looking
/// at any other.
pub fn find_card(user_dir: &Path, name: &str) -> Result<Card, CardError> {
    let card = load_card(user_dir, name)?;
    let path = user_dir.join(format!("{name}.toml"));
    // Those of the built-in cards are looked at by a test.
    match fs::read_configured(&path)? {
        Some(_) => check_card(&path),
        None => Ok(card),
    }
}

/// Returns what an agent's event means, as its card says; `None` where the card does not know it.
/// For hooks, which are called often: of a built-in card only that event is read.
pub fn load_hearing(
    user_dir: &Path,
    name: &str,
    event: &str,
) -> Result<Option<Hearing>, CardError> {
    let beginning = beginning(name, event);
    let line = HEARINGS.lines().find(|line| line.starts_with(&beginning));
    match line {
        Some(line) if fs::metadata(&user_dir.join(format!("{name}.toml")))?.is_none() => {
            Ok(Some(serde_json::from_slice(line.as_bytes()).expect("a test reads every line")))
        }
        Some(_) | None => Ok(load_card(user_dir, name)?.hearing(event)),
    }
}

/// Returns how the line of an event begins.
fn beginning(name: &str, event: &str) -> String {
    format!("{{\"agent\":{},\"event\":{},", Value::from(name), Value::from(event))
}

/// Returns the lines that say what the events of the built-in cards mean, made from the cards. One
/// with a pattern is left out: an error in it is told by its place in the card.
pub fn built_in_hearings() -> String {
    let mut lines = String::new();
    for (name, text) in BUILT_IN {
        let card: Value = toml::from_str(text).expect("a test parses every built-in card");
        let hooks = &card["hooks"];
        let events = hooks["events"].as_object().into_iter().flatten();
        for (event, rule) in events.filter(|(_, rule)| rule.get("limit").is_none()) {
            let whose = [("agent_session", &hooks["agent_session"]), ("cwd", &hooks["cwd"])];
            lines.push_str(&beginning(name, event));
            for (key, value) in whose.iter().filter(|(_, value)| !value.is_null()) {
                lines.push_str(&format!("\"{key}\":{value},"));
            }
            lines.push_str(&format!("\"rule\":{rule}}}\n"));
        }
    }
    lines
}

/// Reads one card as [`load_cards`] and [`Cards::find`] do, without looking at any other or at its
/// patterns.
pub fn load_card(user_dir: &Path, name: &str) -> Result<Card, CardError> {
    let path = user_dir.join(format!("{name}.toml"));
    // A name that is none must not lead out of the directory.
    let own = if check::is_name(name) { fs::read_configured(&path) } else { Ok(None) };
    let card = match own {
        Ok(Some(bytes)) => utf8(bytes).and_then(|text| parse(name, &text)),
        Err(error) => Err((1, error.source.to_string())),
        Ok(None) => match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            Some((_, text)) => parse(name, text),
            // It is not there; the error names those that are.
            None => return load_cards(user_dir)?.find(name).cloned(),
        },
    };
    card.map_err(|(line, why)| CardError::Bad { path, line, why })
}

/// Returns where the agent's program is, by `path_env`; ao itself for `{ao}`.
pub fn find_binary(card: &Card, path_env: &OsStr) -> Option<PathBuf> {
    let binary = Path::new(&card.agent.binary);
    if card.agent.binary == "{ao}" {
        return std::env::current_exe().ok();
    }
    if binary.is_absolute() {
        return is_executable(binary).then(|| binary.to_owned());
    }
    // An empty or relative entry would find a program of the repository's.
    program::find(&card.agent.binary, path_env)
}

/// Reads a card of the user's, `name` being what its file is called.
fn read_own(name: &str, path: &Path) -> Result<Card, (usize, String)> {
    let bytes = fs::read_configured(path).map_err(|error| (1, error.source.to_string()))?;
    let text = utf8(bytes.unwrap_or_default())?;
    check_patterns(parse(name, &text)?, &text)
}

pub(super) fn utf8(bytes: Vec<u8>) -> Result<String, (usize, String)> {
    String::from_utf8(bytes).map_err(|_| (1, "it is not UTF-8".to_owned()))
}

/// Parses a card; the error is a line and what is wrong there.
///
/// Its patterns are not looked at: see [`check_patterns`].
pub(super) fn parse(name: &str, text: &str) -> Result<Card, (usize, String)> {
    let card: Card = toml::from_str(text).map_err(|error| {
        (line_of(text, error.span().map_or(0, |span| span.start)), error.message().to_owned())
    })?;
    match check::problem(name, &card) {
        Some((found, why)) => {
            let holds = |line: &str| !line.starts_with('#') && line.contains(&found);
            let line = text.lines().position(holds).map_or(1, |at| at + 1);
            Err((line, why))
        }
        None => Ok(card),
    }
}

/// Compiles every pattern of a card that was read from `text`.
pub(super) fn check_patterns(card: Card, text: &str) -> Result<Card, (usize, String)> {
    match check::problem_of_patterns(&card) {
        Some((offset, why)) => Err((line_of(text, offset), why)),
        None => Ok(card),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::agent::card::Delivery;
    use crate::adapter::fs::Durability;
    use crate::model::record::{Mode, Signals};

    const GOOD: &str = "[agent]\nname = 'mine'\nbinary = 'sh'\nmode = 'one_shot'\none_shot = ['{binary}', '{prompt_args}']\n";

    fn load_with(files: &[(&str, &str)]) -> (tempfile::TempDir, Cards) {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::replace(&path, text.as_bytes(), Durability::Process).unwrap();
        }
        let cards = load_cards(directory.path()).unwrap();
        (directory, cards)
    }

    #[test]
    fn built_in_cards_are_there_without_any_directory() {
        let cards = load_cards(Path::new("/no/such/directory")).unwrap();
        let told = |name: &str| {
            let card = cards.find(name).unwrap();
            (card.agent.mode, card.signals(true), card.delivery(card.agent.mode))
        };
        assert_eq!(told("shell"), (Mode::OneShot, Signals::None, Delivery::ScriptFile));
        assert_eq!(told("demo"), (Mode::Interactive, Signals::Hooks, Delivery::Argument));
        for card in cards.all() {
            assert_eq!(check::problem_of_patterns(card), None, "{}", card.name());
        }
        let listed = |set: bool| cards.visible(move |_| set).map(Card::name).collect::<Vec<_>>();
        let told = cards.find("nobody").unwrap_err().to_string();
        insta::assert_snapshot!(told, @r#"unknown agent `nobody`; known are aider, amp, claude-code, codex, copilot, cursor, gemini, goose, opencode, qwen, shell"#);
        assert_eq!(told, format!("unknown agent `nobody`; known are {}", listed(false).join(", ")));
        let hidden: Vec<_> =
            listed(true).into_iter().filter(|name| !listed(false).contains(name)).collect();
        assert_eq!(hidden, ["demo"]);
    }

    #[test]
    fn a_users_card_wins_and_a_bad_one_fails_only_who_asks() {
        let shell = GOOD.replace("mine", "shell").replace("'sh'", "'/bin/dash'");
        let (_directory, cards) = load_with(&[
            ("mine.toml", GOOD),
            ("shell.toml", &shell),
            ("demo.toml", "agent = 1"),
            ("notes.txt", "not a card"),
        ]);
        assert_eq!(cards.find("shell").unwrap().agent.binary, "/bin/dash");
        assert!(cards.find("mine").is_ok());
        assert!(matches!(cards.find("demo"), Err(CardError::Bad { line: 1, .. })));
        let bad: Vec<_> = cards.bad().map(|(name, _)| name).collect();
        assert_eq!(bad, ["demo"]);
        let names: Vec<_> = cards.all().map(Card::name).collect();
        assert!(cards.is_built_in("demo") && !cards.is_built_in("mine"));
        assert!(names.contains(&"mine") && !names.contains(&"demo"));
    }

    #[test]
    fn refusals_name_file_line_and_what_is_allowed() {
        let hooks = "[hooks]\nkind = 'launch'\n[hooks.events.stop]\n";
        let file = |text: &str| format!("[[hooks.files]]\nform = 'json'\n{text}\n[agent]");
        let cases = [
            ("name = 'mine'", "name = 'other'".to_owned()),
            ("binary = 'sh'", "binary = './sh'".to_owned()),
            ("mode = 'one_shot'", "mode = 'interactive'".to_owned()),
            ("mode = 'one_shot'", "mode = 'batch'".to_owned()),
            ("{prompt_args}", "{promt}".to_owned()),
            ("{prompt_args}", "x{prompt_args}".to_owned()),
            ("{prompt_args}", "{prompt".to_owned()),
            ("'{binary}', '{prompt_args}'", String::new()),
            ("[agent]", "[permissions]\nyolo = []\n[agent]".to_owned()),
            ("[agent]", "[prompt]\nready = '('\n[agent]".to_owned()),
            ("[agent]", "[prompt]\nargs = ['{system_args}']\n[agent]".to_owned()),
            ("[agent]", "[prompt]\ndelivery = 'pigeon'\n[agent]".to_owned()),
            ("[agent]", format!("{hooks}activity = 'bored'\n[agent]")),
            ("[agent]", format!("{hooks}tool = ['id']\n[agent]")),
            ("[agent]", "[agents]\n[agent]".to_owned()),
            ("name = 'mine'", String::new()),
            ("[agent]", "[agent.environment]\nX = '{home}'\n[agent]".to_owned()),
            ("[agent]", file("path = 'x'")),
            ("[agent]", file("path = '{workspace}/.x'")),
            ("[agent]", file("path = '{session_dir}/../x'")),
            ("[agent]", file("path = '{session_dir}/x'\ncontent = { a = 1 }\nat = 'hooks'")),
            ("[agent]", file("path = '{session_dir}/x'\nat = '/a'\nentry = { c = ['{comand}'] }")),
            ("[agent]", file("path = '{session_dir}/x'").replace("json", "text")),
            (
                "[agent]",
                "[[trust]]\npaths = ['{home}/x']\nat = '/a'\nvalue = 1\n[agent]".to_owned(),
            ),
            (
                "[agent]",
                "[[trust]]\npaths = ['{env:HOME}/x']\nat = '/a'\nvalue = 1\n[agent]".to_owned(),
            ),
            ("[agent]", format!("{hooks}answer = {{ a = {{ b = '{{msg}}' }} }}\n[agent]")),
            ("[agent]", format!("{hooks}limit = {{ fields = ['/e'] }}\n[agent]")),
            ("[agent]", "[terminal]\ncomposer = '^> .*'\n[agent]".to_owned()),
            ("[agent]", "[keys]\napprove = ['y', 'C-m', 'F13']\n[agent]".to_owned()),
            ("[agent]", "[keys]\ninterrupt = ['Esc']\n[agent]".to_owned()),
        ];
        let mut table = String::new();
        for (from, to) in cases {
            let (directory, cards) = load_with(&[("mine.toml", &GOOD.replace(from, &to))]);
            let error = cards.find("mine").unwrap_err().to_string();
            table += &error.replace(&format!("{}/", directory.path().display()), "");
            table.push('\n');
        }
        insta::assert_snapshot!(table, @r#"
        mine.toml:2: the name must be "mine", as the file is called
        mine.toml:3: the binary must be a program's name or an absolute path
        mine.toml:4: mode `interactive` needs a template of that name
        mine.toml:4: unknown variant `batch`, expected `interactive` or `one_shot`
        mine.toml:5: unknown placeholder in "{promt}"; allowed are {ao}, {agent_session}, {binary}, {model}, {new_session}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {system_json}, {workspace}, {workspace_json}, {hook_args}, {model_args}, {permission_args}, {prompt_args}, {system_args}, and `{{` for a brace
        mine.toml:5: unknown placeholder in "x{prompt_args}"; allowed are {ao}, {agent_session}, {binary}, {model}, {new_session}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {system_json}, {workspace}, {workspace_json}, {hook_args}, {model_args}, {permission_args}, {prompt_args}, {system_args}, and `{{` for a brace
        mine.toml:5: unknown placeholder in "{prompt"; allowed are {ao}, {agent_session}, {binary}, {model}, {new_session}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {system_json}, {workspace}, {workspace_json}, {hook_args}, {model_args}, {permission_args}, {prompt_args}, {system_args}, and `{{` for a brace
        mine.toml:1: a template must begin with a program
        mine.toml:2: unknown permission mode `yolo`; allowed are default, accept-edits, auto, bypass
        mine.toml:2: "(" is not a regular expression: unclosed group
        mine.toml:2: unknown placeholder in "{system_args}"; allowed are {ao}, {agent_session}, {binary}, {model}, {new_session}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {system_json}, {workspace}, {workspace_json}, and `{{` for a brace
        mine.toml:2: unknown variant `pigeon`, expected one of `argument`, `stdin`, `paste`, `script_file`
        mine.toml:4: unknown variant `bored`, expected one of `active`, `ready`, `idle`, `waiting_input`, `blocked`, `exited`
        mine.toml:4: "id" is no JSON pointer, which begins with `/`
        mine.toml:1: unknown field `agents`, expected one of `agent`, `prompt`, `permissions`, `review`, `model`, `hooks`, `terminal`, `trust`, `conversation`, `preflight`, `keys`
        mine.toml:1: missing field `name`
        mine.toml:2: unknown placeholder in "{home}"; allowed are {ao}, {agent_session}, {binary}, {model}, {new_session}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {system_json}, {workspace}, {workspace_json}, and `{{` for a brace
        mine.toml:3: the path must begin with `{session_dir}/` or `{workspace}/`
        mine.toml:3: a file in the workspace needs `kind = "files"`
        mine.toml:3: the path must not hold `..`
        mine.toml:1: "hooks" is no JSON pointer, which begins with `/`
        mine.toml:5: unknown placeholder in "{comand}"; allowed are {command}, {command_json}, {event}, {native}, and `{{` for a brace
        mine.toml:3: the text must hold the words `Written by ao`
        mine.toml:2: unknown placeholder in "{home}/x"; allowed are {env:NAME}, and `{{` for a brace
        mine.toml:3: `at` or `value` must hold `{workspace}`
        mine.toml:4: unknown placeholder in "{msg}"; allowed are {message}, and `{{` for a brace
        mine.toml:4: missing field `pattern`
        mine.toml:2: the composer needs a group for what is typed in it
        mine.toml:2: "F13" is no key; allowed are one character, Enter, Escape, Tab, BTab, Space, BSpace, Up, Down, Left, Right, Home, End, PageUp, PageDown, DC and F1 to F12, with C-, M- or S- before it
        mine.toml:2: "Esc" is no key; allowed are one character, Enter, Escape, Tab, BTab, Space, BSpace, Up, Down, Left, Right, Home, End, PageUp, PageDown, DC and F1 to F12, with C-, M- or S- before it
        "#);
    }

    #[test]
    fn one_card_is_read_as_among_all() {
        let directory = tempfile::tempdir().unwrap();
        let shell = BUILT_IN[0].1.replace("description = \"", "description = \"My ");
        for (name, text) in [("shell", shell.as_str()), ("bad", "[agent]\n"), ("latin", "\u{e9}")] {
            let path = directory.path().join(format!("{name}.toml"));
            let bytes = if name == "latin" { b"\xe9" } else { text.as_bytes() };
            fs::create_new(&path, bytes, 0o600, Durability::Process).unwrap();
        }
        let all = load_cards(directory.path()).unwrap();
        for name in ["shell", "demo", "bad", "latin", "none", "../agents/shell", ""] {
            let alone = load_card(directory.path(), name);
            assert_eq!(format!("{alone:?}"), format!("{:?}", all.find(name).cloned()), "{name}");
        }
    }

    #[test]
    fn an_event_alone_means_what_it_means_in_its_card() {
        let directory = tempfile::tempdir().unwrap();
        let all = load_cards(directory.path()).unwrap();
        for card in all.all() {
            let events = card.hooks.events.keys().map(String::as_str).chain(["none", "", "\""]);
            for event in events {
                let alone = load_hearing(directory.path(), card.name(), event).unwrap();
                assert_eq!(format!("{alone:?}"), format!("{:?}", card.hearing(event)), "{event}");
            }
        }
        assert_eq!(HEARINGS, built_in_hearings());
        assert!(load_hearing(directory.path(), "none", "stop").is_err());

        let own = BUILT_IN[1].1.replace("session-start", "my-start");
        let path = directory.path().join("demo.toml");
        fs::create_new(&path, own.as_bytes(), 0o600, Durability::Process).unwrap();
        let heard = |event| load_hearing(directory.path(), "demo", event).unwrap().is_some();
        assert_eq!((heard("my-start"), heard("session-start")), (true, false));
    }

    #[test]
    fn a_program_is_found_by_absolute_entries_of_path_only() {
        let directory = tempfile::tempdir().unwrap();
        let card = load_cards(Path::new("/none")).unwrap().find("shell").unwrap().clone();
        let path = directory.path().join("sh");
        fs::create_new(&path, b"", 0o600, Durability::Process).unwrap();
        let found = |path_env: &str| find_binary(&card, OsStr::new(path_env));
        let own = directory.path().to_str().unwrap();
        assert_eq!(found(own), None);
        fs::remove_file(&path).unwrap();
        fs::create_new(&path, b"", 0o700, Durability::Process).unwrap();
        assert_eq!(found(&format!(".::bin:{own}")), Some(path));
        assert_eq!(found(""), None);
    }
}
