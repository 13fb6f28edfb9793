//! Reads agent cards and refuses those that could not work, with file and line.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adapter::fs::{self, FsError};
use crate::model::lifecycle::{ActivityState, word_enum};
use crate::model::policy::PERMISSIONS;
use crate::model::record::{Mode, Signals};

const BUILT_IN: &[(&str, &str)] =
    &[("shell", include_str!("cards/shell.toml")), ("demo", include_str!("cards/demo.toml"))];

word_enum! {
    /// How the prompt reaches the agent.
    Delivery {
        Argument = "argument",
        Stdin = "stdin",
        /// Pasted into the terminal once the agent is ready.
        Paste = "paste",
        /// Written to a file of mode 0600 that the agent runs or reads.
        ScriptFile = "script_file",
    }
}

word_enum! {
    /// How the system prompt reaches the agent.
    SystemDelivery {
        /// As text in `system_args`.
        Flag = "flag",
        /// As a file named in `system_args`.
        File = "file",
        /// Before the prompt.
        Prepend = "prepend",
        /// Not at all: the agent has no use for one.
        None = "none",
    }
}

word_enum! {
    /// How hooks are installed.
    HookKind {
        None = "none",
        /// The agent calls `ao hook` by itself.
        BuiltIn = "built_in",
        /// Arguments at launch: nothing is written into the workspace.
        Launch = "launch",
    }
}

/// What an agent is and how it is driven.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Name and command lines.
    pub agent: AgentSection,
    /// How prompts are given.
    #[serde(default)]
    pub prompt: PromptSection,
    /// Arguments for each permission mode; a mode without an entry is not supported.
    #[serde(default)]
    pub permissions: BTreeMap<String, Vec<String>>,
    /// How a model is chosen.
    #[serde(default)]
    pub model: ModelSection,
    /// How it tells of itself.
    #[serde(default)]
    pub hooks: HookSection,
    /// What its screen looks like.
    #[serde(default)]
    pub terminal: TerminalSection,
    /// What can be asked before it is started.
    #[serde(default)]
    pub preflight: PreflightSection,
    /// What a person would press, as tmux key names.
    #[serde(default)]
    pub keys: KeySection,
}

/// Name and command lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSection {
    /// Its name on the command line, the same as the file's.
    pub name: String,
    /// The program, looked up in PATH; `{ao}` is ao itself.
    pub binary: String,
    /// One line for listings.
    #[serde(default)]
    pub description: String,
    /// The mode it is started in unless told otherwise.
    pub mode: Mode,
    /// Not listed unless this variable is set.
    #[serde(default)]
    pub hidden_unless: Option<String>,
    /// Argument vector for mode `interactive`, a template; absent: not supported.
    #[serde(default)]
    pub interactive: Option<Vec<String>>,
    /// Argument vector for mode `one_shot`, a template; absent: not supported.
    #[serde(default)]
    pub one_shot: Option<Vec<String>>,
    /// Argument vector that continues a conversation; absent: it starts afresh.
    #[serde(default)]
    pub resume: Option<Vec<String>>,
}

/// How prompts are given.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptSection {
    /// How the prompt reaches the agent.
    pub delivery: Delivery,
    /// The same for mode `one_shot`, where it differs.
    pub one_shot_delivery: Option<Delivery>,
    /// What `{prompt_args}` stands for where there is a prompt.
    pub args: Vec<String>,
    /// What the screen shows once a prompt can be pasted.
    #[serde(deserialize_with = "pattern")]
    pub ready: Option<Regex>,
    /// How the system prompt reaches the agent.
    pub system: SystemDelivery,
    /// What `{system_args}` stands for where there is a system prompt.
    pub system_args: Vec<String>,
}

impl Default for PromptSection {
    fn default() -> Self {
        Self {
            delivery: Delivery::Argument,
            one_shot_delivery: None,
            args: vec!["{prompt}".to_owned()],
            ready: None,
            system: SystemDelivery::None,
            system_args: Vec::new(),
        }
    }
}

/// How a model is chosen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// What `{model_args}` stands for; empty: the agent takes no model.
    pub args: Vec<String>,
}

/// How the agent tells of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookSection {
    /// How hooks are installed.
    pub kind: HookKind,
    /// What `{hook_args}` stands for.
    pub args: Vec<String>,
    /// JSON pointers to the agent's own session id, the first that is there counts.
    pub agent_session: Vec<String>,
    /// What each event means, by its name in kebab case.
    pub events: BTreeMap<String, EventRule>,
}

impl Default for HookSection {
    fn default() -> Self {
        Self {
            kind: HookKind::None,
            args: Vec::new(),
            agent_session: Vec::new(),
            events: BTreeMap::new(),
        }
    }
}

/// What one event means.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventRule {
    /// The activity; absent: it says nothing of the activity.
    pub activity: Option<ActivityState>,
    /// It is a turn boundary.
    pub boundary: bool,
    /// JSON pointers to the tool's use id or name, the first that is there counts.
    pub tool: Vec<String>,
    /// A JSON pointer to a text that `cases` looks up.
    pub field: Option<String>,
    /// Activities by that text, instead of `activity`; `none` says nothing.
    pub cases: BTreeMap<String, CaseActivity>,
}

/// An activity, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum CaseActivity {
    /// This one.
    Is(ActivityState),
    /// It says nothing of the activity.
    Nothing(Nothing),
}

/// The word `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Nothing {
    /// It.
    #[serde(rename = "none")]
    None,
}

/// What the agent's screen looks like, as regular expressions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TerminalSection {
    /// It works.
    #[serde(deserialize_with = "patterns")]
    pub working: Vec<Regex>,
    /// It waits for a person.
    #[serde(deserialize_with = "patterns")]
    pub waiting: Vec<Regex>,
    /// A dialog is open.
    #[serde(deserialize_with = "patterns")]
    pub dialog: Vec<Regex>,
    /// Its usage limit is reached.
    #[serde(deserialize_with = "patterns")]
    pub limit: Vec<Regex>,
}

/// What can be asked before a start.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreflightSection {
    /// Arguments that print the version; empty: none do.
    pub version: Vec<String>,
    /// The oldest version that works.
    pub minimum: Option<String>,
    /// Arguments that succeed only where somebody is logged in; empty: none do.
    pub auth: Vec<String>,
}

/// What a person would press, as tmux key names.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeySection {
    /// To stop the turn.
    pub interrupt: Vec<String>,
    /// To say yes to a dialog; empty: not known.
    pub approve: Vec<String>,
    /// To say no to a dialog; empty: not known.
    pub deny: Vec<String>,
    /// To submit what is in the composer.
    pub submit: Vec<String>,
}

impl Default for KeySection {
    fn default() -> Self {
        let keys = |key: &str| vec![key.to_owned()];
        Self {
            interrupt: keys("Escape"),
            approve: Vec::new(),
            deny: Vec::new(),
            submit: keys("Enter"),
        }
    }
}

impl Card {
    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.agent.name
    }

    /// Returns how the prompt is given in `mode`: one shot has nobody to paste.
    pub fn delivery(&self, mode: Mode) -> Delivery {
        match (mode, self.prompt.one_shot_delivery, self.prompt.delivery) {
            (Mode::OneShot, Some(delivery), _) => delivery,
            (Mode::OneShot, None, Delivery::Paste) => Delivery::Argument,
            (Mode::OneShot | Mode::Interactive, _, delivery) => delivery,
        }
    }

    /// Returns how the agent tells of itself.
    pub fn signals(&self) -> Signals {
        let patterns = [&self.terminal.working, &self.terminal.waiting];
        match self.hooks.kind {
            HookKind::BuiltIn | HookKind::Launch => Signals::Hooks,
            HookKind::None if patterns.iter().any(|list| !list.is_empty()) => Signals::Terminal,
            HookKind::None => Signals::None,
        }
    }
}

/// Why a card or a launch is refused.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// No card has this name.
    #[error("unknown agent `{name}`; known are {}", .known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A card that cannot be used.
    #[error("{}:{line}: {why}", .path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// The directory or a card could not be read.
    #[error(transparent)]
    File(#[from] FsError),
    /// The agent cannot do what is asked of it.
    #[error("agent `{agent}` has no {what}")]
    Unsupported {
        /// The agent.
        agent: String,
        /// "mode `one_shot`", "permission mode `auto`", …
        what: String,
    },
    /// The agent does nothing without a prompt.
    #[error("agent `{0}` needs a prompt in mode `one_shot`")]
    PromptNeeded(String),
    /// A NUL byte fits into no argument and no terminal.
    #[error("the {0} contains a NUL byte")]
    Nul(&'static str),
    /// It does not fit into one argument.
    #[error("the {what} has {length} bytes; at most {limit} fit")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// All cards that were found.
#[derive(Debug)]
pub struct Cards {
    good: BTreeMap<String, Card>,
    bad: BTreeMap<String, (PathBuf, usize, String)>,
}

impl Cards {
    /// Returns the card called `name`; a bad one is an error only here.
    pub fn find(&self, name: &str) -> Result<&Card, CardError> {
        if let Some((path, line, why)) = self.bad.get(name) {
            return Err(CardError::Bad { path: path.clone(), line: *line, why: why.clone() });
        }
        self.good.get(name).ok_or_else(|| CardError::Unknown {
            name: name.to_owned(),
            known: self
                .good
                .values()
                .filter(|card| card.agent.hidden_unless.is_none())
                .map(|card| card.name().to_owned())
                .collect(),
        })
    }

    /// Returns all good cards, sorted by name, hidden ones included.
    pub fn all(&self) -> impl Iterator<Item = &Card> {
        self.good.values()
    }

    /// Returns the bad ones with the reason, sorted by name.
    pub fn bad(&self) -> impl Iterator<Item = (&str, String)> {
        self.bad.iter().map(|(name, (path, line, why))| {
            (name.as_str(), format!("{}:{line}: {why}", path.display()))
        })
    }
}

/// Reads the built-in cards and those in `user_dir` (`NAME.toml`), which win over built-in ones
/// of the same name.
///
/// # Errors
///
/// The directory cannot be listed, or a card in it cannot be read. A card that is wrong fails
/// only who asks for it.
pub fn load_cards(user_dir: &Path) -> Result<Cards, CardError> {
    let mut cards = Cards { good: BTreeMap::new(), bad: BTreeMap::new() };
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
        let parsed = match String::from_utf8(fs::read(&path)?) {
            Ok(text) => parse(name, &text),
            Err(_) => Err((1, "it is not UTF-8".to_owned())),
        };
        match parsed {
            Ok(card) => {
                cards.good.insert(name.to_owned(), card);
            }
            Err((line, why)) => {
                cards.good.remove(name);
                cards.bad.insert(name.to_owned(), (path.clone(), line, why));
            }
        }
    }
    Ok(cards)
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
    std::env::split_paths(path_env)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(binary))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Parses a card; the error is a line and what is wrong there.
fn parse(name: &str, text: &str) -> Result<Card, (usize, String)> {
    let card: Card = toml::from_str(text).map_err(|error| {
        (line_of(text, error.span().map_or(0, |span| span.start)), error.message().to_owned())
    })?;
    match problem(name, &card) {
        Some((found, why)) => {
            let line = text.lines().position(|line| line.contains(&found)).map_or(1, |at| at + 1);
            Err((line, why))
        }
        None => Ok(card),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Returns the first thing wrong with the card: a text on the line to point at, and why.
fn problem(name: &str, card: &Card) -> Option<(String, String)> {
    if card.agent.name != name {
        let why = format!("the name must be \"{name}\", as the file is called");
        return Some(("name".to_owned(), why));
    }
    if !is_name(name) {
        return Some(("name".to_owned(), "a name may have a-z, 0-9 and hyphens".to_owned()));
    }
    let binary = &card.agent.binary;
    if binary.is_empty() || (binary.contains('/') && !binary.starts_with('/')) {
        return Some((
            "binary".to_owned(),
            "the binary must be a program's name or an absolute path".to_owned(),
        ));
    }
    problem_of_templates(card).or_else(|| problem_of_words(card))
}

fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
}

fn problem_of_templates(card: &Card) -> Option<(String, String)> {
    let agent = &card.agent;
    for (template, mode) in [
        (&agent.interactive, Some(Mode::Interactive)),
        (&agent.one_shot, Some(Mode::OneShot)),
        (&agent.resume, None),
    ] {
        let Some(template) = template else {
            if mode == Some(agent.mode) {
                let why = format!("mode `{}` needs a template of that name", agent.mode);
                return Some(("mode".to_owned(), why));
            }
            continue;
        };
        if template.first().is_none_or(|word| word.is_empty()) {
            return Some(("[agent]".to_owned(), "a template must begin with a program".to_owned()));
        }
        if let Some(problem) = unknown_placeholder(template, super::render::ALL) {
            return Some(problem);
        }
    }
    let parts = card.permissions.values().chain([
        &card.prompt.args,
        &card.prompt.system_args,
        &card.model.args,
        &card.hooks.args,
    ]);
    parts.into_iter().find_map(|part| unknown_placeholder(part, super::render::SINGLE))
}

fn unknown_placeholder(template: &[String], allowed: &[&str]) -> Option<(String, String)> {
    for word in template {
        for part in word.split('{').skip(1) {
            let name = part.split('}').next().unwrap_or_default();
            let whole = word.len() == name.len() + 2;
            let fits = allowed.contains(&name)
                && (whole || !name.ends_with("_args"))
                && part.contains('}');
            if !fits {
                let why = format!(
                    "unknown placeholder in {word:?}; allowed are {}",
                    allowed.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
                );
                return Some((word.clone(), why));
            }
        }
    }
    None
}

fn problem_of_words(card: &Card) -> Option<(String, String)> {
    let modes = PERMISSIONS;
    if let Some(mode) = card.permissions.keys().find(|mode| !modes.contains(&mode.as_str())) {
        let why = format!("unknown permission mode `{mode}`; allowed are {}", modes.join(", "));
        return Some((mode.clone(), why));
    }
    let pointers = card.hooks.events.values().flat_map(|rule| rule.tool.iter().chain(&rule.field));
    if let Some(pointer) =
        pointers.chain(&card.hooks.agent_session).find(|pointer| !pointer.starts_with('/'))
    {
        let why = format!("{pointer:?} is no JSON pointer, which begins with `/`");
        return Some((pointer.clone(), why));
    }
    None
}

fn pattern<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    Ok(Some(compile(&String::deserialize(deserializer)?)?))
}

fn patterns<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Regex>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| compile(text)).collect()
}

fn compile<E: serde::de::Error>(text: &str) -> Result<Regex, E> {
    Regex::new(text).map_err(|_| E::custom(format!("{text:?} is not a regular expression")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::fs::Durability;

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
            (card.agent.mode, card.signals(), card.delivery(card.agent.mode))
        };
        assert_eq!(told("shell"), (Mode::OneShot, Signals::None, Delivery::ScriptFile));
        assert_eq!(told("demo"), (Mode::Interactive, Signals::Hooks, Delivery::Argument));
        assert_eq!(
            cards.find("nobody").unwrap_err().to_string(),
            "unknown agent `nobody`; known are shell"
        );
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
        assert_eq!(names, ["mine", "shell"]);
    }

    #[test]
    fn refusals_name_file_line_and_what_is_allowed() {
        let hooks = "[hooks]\nkind = 'launch'\n[hooks.events.stop]\n";
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
        ];
        let mut table = String::new();
        for (from, to) in cases {
            let (directory, cards) = load_with(&[("mine.toml", &GOOD.replace(from, &to))]);
            let error = cards.find("mine").unwrap_err().to_string();
            table += &error.replace(&format!("{}/", directory.path().display()), "");
            table.push('\n');
        }
        insta::assert_snapshot!(table, @r##"
        mine.toml:2: the name must be "mine", as the file is called
        mine.toml:3: the binary must be a program's name or an absolute path
        mine.toml:4: mode `interactive` needs a template of that name
        mine.toml:4: unknown variant `batch`, expected `interactive` or `one_shot`
        mine.toml:5: unknown placeholder in "{promt}"; allowed are {ao}, {agent_session}, {binary}, {model}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {workspace}, {hook_args}, {model_args}, {permission_args}, {prompt_args}, {system_args}
        mine.toml:5: unknown placeholder in "x{prompt_args}"; allowed are {ao}, {agent_session}, {binary}, {model}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {workspace}, {hook_args}, {model_args}, {permission_args}, {prompt_args}, {system_args}
        mine.toml:5: unknown placeholder in "{prompt"; allowed are {ao}, {agent_session}, {binary}, {model}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {workspace}, {hook_args}, {model_args}, {permission_args}, {prompt_args}, {system_args}
        mine.toml:1: a template must begin with a program
        mine.toml:2: unknown permission mode `yolo`; allowed are default, accept-edits, auto, bypass
        mine.toml:2: "(" is not a regular expression
        mine.toml:2: unknown placeholder in "{system_args}"; allowed are {ao}, {agent_session}, {binary}, {model}, {prompt}, {prompt_file}, {session}, {session_dir}, {system}, {system_file}, {workspace}
        mine.toml:2: unknown variant `pigeon`, expected one of `argument`, `stdin`, `paste`, `script_file`
        mine.toml:4: unknown variant `bored`, expected one of `active`, `ready`, `idle`, `waiting_input`, `blocked`, `exited`
        mine.toml:4: "id" is no JSON pointer, which begins with `/`
        mine.toml:1: unknown field `agents`, expected one of `agent`, `prompt`, `permissions`, `model`, `hooks`, `terminal`, `preflight`, `keys`
        mine.toml:1: missing field `name`
        "##);
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
