//! What a card must be beyond its syntax: templates, pointers and words that mean something.
//!
//! Pure. The answer names the text to point at, and what is allowed there.

use crate::adapter::agent::card::{Card, FileForm, HookFile, HookKind, SENTINEL, TrustEntry};
use crate::adapter::agent::render::{EVENT, LISTS, SINGLE};
use crate::adapter::agent::template::{self, Part};
use crate::model::policy::PERMISSIONS;
use crate::model::record::Mode;

/// A text on the line to point at, and why it is wrong.
pub(super) type Problem = (String, String);

/// Keys by the names that tmux has for them.
const KEYS: [&str; 15] = [
    "Enter", "Escape", "Tab", "BTab", "Space", "BSpace", "Up", "Down", "Left", "Right", "Home",
    "End", "PageUp", "PageDown", "DC",
];

/// Placeholders a template may hold.
#[derive(Clone, Copy)]
struct Allowed {
    names: &'static [&'static [&'static str]],
    /// `{env:NAME}` as well.
    env: bool,
}

const ARGUMENTS: Allowed = Allowed { names: &[SINGLE, LISTS], env: false };
const WORDS: Allowed = Allowed { names: &[SINGLE], env: false };
const EVENT_WORDS: Allowed = Allowed { names: &[SINGLE, EVENT], env: false };
const PLACES: Allowed = Allowed { names: &[&["session_dir", "workspace"]], env: false };
const ENTRIES: Allowed = Allowed { names: &[EVENT], env: false };
const ANSWERS: Allowed = Allowed { names: &[&["message"]], env: false };
const HOME_FILES: Allowed = Allowed { names: &[], env: true };
const TRUSTED: Allowed = Allowed { names: &[&["workspace"]], env: false };
const CONVERSATIONS: Allowed = Allowed { names: &[&["agent_session"]], env: true };

/// Returns the first thing wrong with the card.
pub(super) fn problem(name: &str, card: &Card) -> Option<Problem> {
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
    problem_of_launches(card)
        .or_else(|| problem_of_review(card))
        .or_else(|| problem_of_templates(card))
        .or_else(|| card.hooks.files.iter().find_map(|file| problem_of_file(card.hooks.kind, file)))
        .or_else(|| problem_of_words(card))
}

/// Returns whether a card may be called so.
pub(super) fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
}

fn problem_of_launches(card: &Card) -> Option<Problem> {
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
        if let Some(problem) = template.iter().find_map(|word| unknown(word, ARGUMENTS)) {
            return Some(problem);
        }
    }
    None
}

/// A reviewer that is started without what its section says could change everything.
fn problem_of_review(card: &Card) -> Option<Problem> {
    let review = card.review.as_ref()?;
    let at = |why: &str| Some(("[review]".to_owned(), why.to_owned()));
    if review.args.is_empty() && review.environment.is_empty() {
        return at("`args` or `environment` must say how it only reads and asks nobody");
    }
    let agent = &card.agent;
    let templates = [&agent.interactive, &agent.one_shot, &agent.resume];
    let lacks = |template: &Vec<String>| !template.iter().any(|word| word == "{permission_args}");
    if !review.args.is_empty() && templates.into_iter().flatten().any(lacks) {
        return at("every template must hold `{permission_args}`, which `args` stands for");
    }
    None
}

fn problem_of_templates(card: &Card) -> Option<Problem> {
    let review = card.review.iter();
    let words = card
        .permissions
        .values()
        .chain([&card.prompt.args, &card.prompt.system_args, &card.model.args, &card.hooks.args])
        .chain(review.clone().map(|review| &review.args))
        .flatten()
        .chain(card.agent.environment.values())
        .chain(review.flat_map(|review| review.environment.values()));
    let answers = card.hooks.events.values().filter_map(|rule| rule.answer.as_ref());
    let answers: Vec<&str> = answers.flat_map(|table| table.values().flat_map(texts)).collect();
    let trust_paths = card.trust.iter().flat_map(|entry| &entry.paths);
    let mut trusted: Vec<&str> = card.trust.iter().map(|entry| entry.at.as_str()).collect();
    trusted.extend(card.trust.iter().flat_map(|entry| texts(&entry.value)));
    let of = |allowed: Allowed| move |word: &String| unknown(word, allowed);
    words
        .map(String::as_str)
        .find_map(|word| unknown(word, WORDS))
        .or_else(|| card.hooks.event_args.iter().find_map(of(EVENT_WORDS)))
        .or_else(|| answers.into_iter().find_map(|word| unknown(word, ANSWERS)))
        .or_else(|| trust_paths.chain(&card.preflight.auth_files).find_map(of(HOME_FILES)))
        .or_else(|| trusted.into_iter().find_map(|word| unknown(word, TRUSTED)))
        .or_else(|| card.conversation.files.iter().find_map(of(CONVERSATIONS)))
}

fn problem_of_file(kind: HookKind, file: &HookFile) -> Option<Problem> {
    let problem = |why: &str| Some((file.path.clone(), why.to_owned()));
    let in_session = file.path.starts_with("{session_dir}/");
    if !in_session && !file.path.starts_with("{workspace}/") {
        return problem("the path must begin with `{session_dir}/` or `{workspace}/`");
    }
    if file.path.split('/').any(|part| part == "..") {
        return problem("the path must not hold `..`");
    }
    if kind != HookKind::Files && !in_session {
        return problem("a file in the workspace needs `kind = \"files\"`");
    }
    if file.base.as_ref().is_some_and(|base| !in_session || !base.is_absolute()) {
        return problem("`base` is an absolute path, and for files below `{session_dir}/` only");
    }
    match file.form {
        FileForm::Text if !file.text.contains(SENTINEL) => {
            return problem(&format!("the text must hold the words `{SENTINEL}`"));
        }
        FileForm::Json if file.cache => return problem("`cache` is for a text"),
        FileForm::Json if file.at.is_none() && file.content.is_empty() => {
            return problem("a JSON file needs `at` and `entry`, or `content`");
        }
        FileForm::Text | FileForm::Json => {}
    }
    unknown(&file.path, PLACES)
        .or_else(|| file.at.as_ref().and_then(|at| unknown(at, ENTRIES)))
        .or_else(|| file.entry.values().flat_map(texts).find_map(|word| unknown(word, ENTRIES)))
}

/// Returns the texts in a value, at any depth.
fn texts(value: &toml::Value) -> Vec<&str> {
    match value {
        toml::Value::String(text) => vec![text],
        toml::Value::Array(values) => values.iter().flat_map(texts).collect(),
        toml::Value::Table(table) => table.values().flat_map(texts).collect(),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => Vec::new(),
    }
}

/// Returns what is wrong with the placeholders of a word.
fn unknown(word: &str, allowed: Allowed) -> Option<Problem> {
    let known = |name: &str| {
        let listed = allowed.names.iter().any(|names| names.contains(&name));
        let variable = name.strip_prefix("env:").is_some_and(|name| !name.is_empty());
        let alone = word.len() == name.len() + 2;
        (listed && (alone || !LISTS.contains(&name))) || (allowed.env && variable)
    };
    let fits = template::parts(word).is_some_and(|parts| {
        parts.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Name(name) => known(name),
        })
    });
    if fits {
        return None;
    }
    let mut names: Vec<String> =
        allowed.names.iter().copied().flatten().map(|name| format!("{{{name}}}")).collect();
    names.extend(allowed.env.then(|| "{env:NAME}".to_owned()));
    let why = format!(
        "unknown placeholder in {word:?}; allowed are {}, and `{{{{` for a brace",
        names.join(", ")
    );
    Some((word.to_owned(), why))
}

fn problem_of_words(card: &Card) -> Option<Problem> {
    if let Some(mode) = card.permissions.keys().find(|mode| !PERMISSIONS.contains(&mode.as_str())) {
        let why =
            format!("unknown permission mode `{mode}`; allowed are {}", PERMISSIONS.join(", "));
        return Some((mode.clone(), why));
    }
    let hooks = &card.hooks;
    let of_rules = hooks.events.values().flat_map(|rule| {
        let limit = rule.limit.iter().flat_map(|limit| &limit.fields);
        rule.tool.iter().chain(&rule.field).chain(&rule.said).chain(limit)
    });
    let pointers = of_rules
        .chain(&hooks.agent_session)
        .chain(&hooks.cwd)
        .chain(&card.conversation.cwd)
        .chain(hooks.files.iter().filter_map(|file| file.at.as_ref()))
        .chain(card.trust.iter().map(|entry| &entry.at));
    if let Some(pointer) = pointers.into_iter().find(|pointer| !pointer.starts_with('/')) {
        let why = format!("{pointer:?} is no JSON pointer, which begins with `/`");
        return Some((pointer.clone(), why));
    }
    problem_of_trust(card).or_else(|| problem_of_keys(card))
}

/// An answer for all that the agent ever works in is the user's to give, and would be taken back
/// with the first session.
fn problem_of_trust(card: &Card) -> Option<Problem> {
    let names_it = |text: &str| text.contains("{workspace}");
    let is_for_all = |entry: &&TrustEntry| {
        !names_it(&entry.at) && !texts(&entry.value).iter().any(|it| names_it(it))
    };
    let entry = card.trust.iter().find(is_for_all)?;
    Some((entry.at.clone(), "`at` or `value` must hold `{workspace}`".to_owned()))
}

/// A name that tmux does not know would be typed letter by letter.
fn problem_of_keys(card: &Card) -> Option<Problem> {
    let keys = &card.keys;
    let lists = [
        ("interrupt", &keys.interrupt),
        ("approve", &keys.approve),
        ("deny", &keys.deny),
        ("submit", &keys.submit),
        ("clear", &keys.clear),
        ("insert", &keys.insert),
        ("close", &keys.close),
    ];
    let mut all =
        lists.into_iter().flat_map(|(name, keys)| keys.iter().map(move |key| (name, key)));
    let (name, key) = all.find(|(_, key)| !is_key(key))?;
    let why = format!(
        "{key:?} is no key; allowed are one character, {} and F1 to F12, with C-, M- or S- before it",
        KEYS.join(", ")
    );
    Some((format!("{name} ="), why))
}

fn is_key(key: &str) -> bool {
    let mut name = key;
    while let Some(rest) = ["C-", "M-", "S-"].iter().find_map(|it| name.strip_prefix(it)) {
        name = rest;
    }
    let function = name.strip_prefix('F').and_then(|number| number.parse::<u8>().ok());
    matches!(name.as_bytes(), [one] if one.is_ascii_graphic())
        || KEYS.contains(&name)
        || function.is_some_and(|number| (1..=12).contains(&number))
}

/// Returns the first pattern that is wrong: where it stands, and why.
pub(super) fn problem_of_patterns(card: &Card) -> Option<(usize, String)> {
    let mut patterns = card.patterns();
    let wrong = patterns.find_map(|pattern| Some((pattern.offset(), pattern.problem()?)));
    let composer = card.terminal.composer.as_ref();
    let without_group = composer.filter(|pattern| pattern.captures_len() < 2).map(|pattern| {
        (pattern.offset(), "the composer needs a group for what is typed in it".to_owned())
    });
    wrong.or(without_group)
}
