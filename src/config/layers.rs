//! Reads the layers, refuses what does not belong, merges the rest and keeps where each value
//! came from.
//!
//! A message names file, line and key, and what is allowed; it never repeats a value, which may
//! be a secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use serde::Deserialize;
use toml::{Table, Value};

use crate::adapter::fs;
use crate::config::Config;
use crate::config::error::{ConfigError, Place, key_offset, line_of};
use crate::config::keys::{self, FromRepository, KEYS, PROJECTS, dotted};
use crate::config::origin::Origin;
use crate::config::reactions;
use crate::model::id::ProjectId;
use crate::model::notifier::Notifier;
use crate::model::policy::Policy;

/// The variables that set a key; others are not the configuration's business.
pub const VARIABLES: &[(&str, &str)] = &[
    ("AO_AGENT", "agent"),
    ("AO_MODEL", "model"),
    ("AO_PERMISSION", "permission"),
    ("AO_BASE", "base"),
    ("AO_BRANCH", "branch"),
    ("AO_MAX_SESSIONS", "max_sessions"),
];

/// Where the layers are.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The user's own file; it need not exist.
    pub user_file: PathBuf,
    /// The repository's file, `.ao/config.toml` of its main worktree; it need not exist.
    pub repository: Option<PathBuf>,
    /// The environment; only [`VARIABLES`] are read from it.
    pub environment: BTreeMap<String, String>,
    /// The project whose table of the user's file counts.
    pub project: Option<ProjectId>,
    /// What flags say, as the same tables a file would have.
    pub flags: Table,
}

/// The merged configuration and where each value came from.
#[derive(Clone, Debug)]
pub struct Layered {
    /// The configuration.
    pub config: Config,
    /// What each layer above the built-in one says, the lowest first.
    layers: Vec<(Table, Origin)>,
    // Most invocations read the configuration and ask for neither.
    origins: OnceLock<BTreeMap<String, Origin>>,
    values: OnceLock<Table>,
}

impl Layered {
    /// Returns the origin of every value, by dotted key.
    pub fn origins(&self) -> &BTreeMap<String, Origin> {
        self.origins.get_or_init(|| {
            let mut origins = BTreeMap::new();
            record_origins(&DEFAULTS, "", &Origin::BuiltIn, &mut origins);
            for (values, origin) in &self.layers {
                record_origins(values, "", origin, &mut origins);
            }
            origins
        })
    }

    /// Returns the merged values, as one TOML document.
    pub fn values(&self) -> &Table {
        self.values.get_or_init(|| merged(self.layers.iter().map(|(values, _)| values)))
    }
}

/// One layer, checked.
#[derive(Clone)]
pub(super) struct Layer {
    values: Table,
    source: Source,
}

/// Where a layer comes from, and what is needed to point into it.
#[derive(Clone)]
pub(super) enum Source {
    User(PathBuf, String),
    Repository(PathBuf, String),
    /// The user's own, in the table of the project of this name.
    Project(PathBuf, String, String),
    Environment(String),
    Flag,
}

impl Layer {
    /// Returns whether it sets one of `keys`, or a key in one of these tables.
    pub(super) fn sets_any(&self, keys: &[&str]) -> bool {
        self.values.keys().any(|key| keys.contains(&key.as_str()))
    }
}

/// Reads, checks and merges all layers.
pub fn load(sources: &Sources) -> Result<Layered, ConfigError> {
    merge(&read_all(sources)?)
}

/// Reads and checks all layers, the lowest first.
pub(super) fn read_all(sources: &Sources) -> Result<Vec<Layer>, ConfigError> {
    let mut layers = Vec::new();
    let mut own = None;
    if let Some(text) = read(&sources.user_file)? {
        let (user, projects) = parse_user(&sources.user_file, &text)?;
        layers.push(user);
        let id = sources.project.as_ref().map(ProjectId::as_str);
        own = projects.into_iter().find(|(project, _)| Some(project.as_str()) == id);
    }
    if let Some(path) = &sources.repository
        && let Some(text) = read_of_repository(path)?
    {
        layers.push(parse(Source::Repository(path.clone(), text.clone()), &text)?);
    }
    // A person's word on one repository wins over the repository's own.
    layers.extend(own.map(|(_, layer)| layer));
    layers.extend(environment(&sources.environment)?);
    let flags = Layer { values: sources.flags.clone(), source: Source::Flag };
    check(&flags.values, &mut Vec::new(), &flags.source)?;
    layers.push(flags);
    Ok(layers)
}

/// Checks `text` as if it were the user's file at `path`.
pub(super) fn check_user_text(path: &Path, text: &str) -> Result<(), ConfigError> {
    let (user, projects) = parse_user(path, text)?;
    merge(std::slice::from_ref(&user))?;
    for (_, project) in projects {
        merge(&[user.clone(), project])?;
    }
    Ok(())
}

/// Returns the user's layer and that of each project in it.
pub(super) fn parse_user(
    path: &Path,
    text: &str,
) -> Result<(Layer, Vec<(String, Layer)>), ConfigError> {
    let mut user = parse(Source::User(path.to_owned(), text.to_owned()), text)?;
    let mut projects = Vec::new();
    if let Some(Value::Table(tables)) = user.values.remove(PROJECTS) {
        for (id, values) in tables {
            let Value::Table(values) = values else { continue };
            let source = Source::Project(path.to_owned(), text.to_owned(), id.clone());
            projects.push((id, Layer { values, source }));
        }
    }
    Ok((user, projects))
}

/// Returns the configuration nobody has touched.
pub(super) fn built_in() -> Config {
    merge(&[]).expect("the defaults are checked by a test").config
}

fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let Some(bytes) = fs::read_configured(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText(path.to_owned()))?;
    Ok(Some(text))
}

/// Reads the file of a repository, whose author must not choose another file of this machine.
fn read_of_repository(path: &Path) -> Result<Option<String>, ConfigError> {
    let top = path.parent().and_then(Path::parent).unwrap_or(path);
    let Some(bytes) = fs::read_within(top, path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText(path.to_owned()))?;
    Ok(Some(text))
}

pub(super) fn parse(source: Source, text: &str) -> Result<Layer, ConfigError> {
    let values: Table = toml::from_str(text).map_err(|error| ConfigError::Syntax {
        place: source.at_offset(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    check(&values, &mut Vec::new(), &source)?;
    Ok(Layer { values, source })
}

fn environment(variables: &BTreeMap<String, String>) -> Result<Vec<Layer>, ConfigError> {
    let mut layers = Vec::new();
    for (name, key) in VARIABLES {
        // An empty variable is how a shell script unsets one for a single command.
        let Some(text) = variables.get(*name).filter(|text| !text.is_empty()) else { continue };
        let kind = keys::find(&[(*key).to_owned()]).map(|key| key.kind);
        let value = match (kind, text.parse::<i64>()) {
            (Some(keys::Kind::Number(..)), Ok(number)) => Value::Integer(number),
            (_, _) => Value::String(text.clone()),
        };
        let values = Table::from_iter([((*key).to_owned(), value)]);
        let source = Source::Environment((*name).to_owned());
        check(&values, &mut Vec::new(), &source)?;
        layers.push(Layer { values, source });
    }
    Ok(layers)
}

/// Checks every key and value of `table`, which stands at `path`.
fn check(table: &Table, path: &mut Vec<String>, source: &Source) -> Result<(), ConfigError> {
    for (name, value) in table {
        path.push(name.clone());
        match (keys::find(path), value) {
            (Some(key), value) => check_value(key, value, path, source)?,
            (None, Value::Table(inner)) if !keys::below(path).is_empty() => {
                check(inner, path, source)?;
            }
            (None, _) => return Err(unknown(path, source)),
        }
        path.pop();
    }
    Ok(())
}

fn check_value(
    key: &keys::Key,
    value: &Value,
    path: &[String],
    source: &Source,
) -> Result<(), ConfigError> {
    let from_repository = matches!(source, Source::Repository(..));
    let of_project = path.first().is_some_and(|table| table == PROJECTS);
    let bypass = key.path == "permission" && value.as_str() == Some("bypass");
    let refused = key.from_repository == FromRepository::Refused || of_project;
    if from_repository && (refused || bypass) {
        let key = if bypass { "permission = \"bypass\"".to_owned() } else { dotted(path) };
        return Err(ConfigError::NotFromRepository { place: source.at(path), key });
    }
    if key.kind.accepts(value) {
        return Ok(());
    }
    Err(ConfigError::WrongValue {
        place: source.at(path),
        key: dotted(path),
        allowed: key.kind.allowed(),
    })
}

fn unknown(path: &[String], source: &Source) -> ConfigError {
    if !keys::below(path).is_empty() {
        let (place, key) = (source.at(path), dotted(path));
        return ConfigError::WrongValue { place, key, allowed: "a table".to_owned() };
    }
    keys::unknown(source.at(path), path)
}

pub(super) fn merge(layers: &[Layer]) -> Result<Layered, ConfigError> {
    let values = merged(layers.iter().map(|layer| &layer.values));
    check_notifiers(&values, layers)?;
    check_reactions(&values, layers)?;
    let failed = |error: toml::de::Error| ConfigError::Inconsistent {
        place: Place::Flag,
        key: "configuration".to_owned(),
        why: error.message().to_owned(),
    };
    let mut config: Config = values.clone().try_into().map_err(failed)?;
    config.policy = Policy::deserialize(Value::Table(values)).map_err(failed)?;
    // A list of the user's own must not take this protection away.
    if !config.workspace.keep.iter().any(|pattern| pattern == ".env*") {
        config.workspace.keep.push(".env*".to_owned());
    }
    let layers = layers.iter().map(|layer| (layer.values.clone(), layer.source.origin())).collect();
    Ok(Layered { config, layers, origins: OnceLock::new(), values: OnceLock::new() })
}

fn check_notifiers(values: &Table, layers: &[Layer]) -> Result<(), ConfigError> {
    let Some(Value::Table(notifiers)) = values.get("notifiers") else { return Ok(()) };
    for (name, value) in notifiers {
        if let Err(error) = Notifier::deserialize(value.clone()) {
            let why = error.message().to_owned();
            return Err(inconsistent(layers, &["notifiers", name], why));
        }
    }
    Ok(())
}

/// Refuses what a reaction cannot do, rather than doing nothing when it is due.
fn check_reactions(values: &Table, layers: &[Layer]) -> Result<(), ConfigError> {
    let Some(Value::Table(reactions)) = values.get("reactions") else { return Ok(()) };
    for (key, value) in reactions {
        if let Some((name, why)) = reactions::fault(key, value) {
            return Err(inconsistent(layers, &["reactions", key, name], why));
        }
    }
    Ok(())
}

/// Returns the error about the key at `path`, at its place in the last layer that has it.
fn inconsistent(layers: &[Layer], path: &[&str], why: String) -> ConfigError {
    let holds = |layer: &&Layer| {
        let top = path.first().and_then(|first| layer.values.get(*first));
        path.iter().skip(1).try_fold(top, |value, part| Some(value?.get(part))).flatten().is_some()
    };
    let layer = layers.iter().rev().find(holds);
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    let place = layer.map_or(Place::Flag, |layer| layer.source.at(&path));
    ConfigError::Inconsistent { place, key: dotted(&path), why }
}

// A hook reads the configuration twice: as nobody's and as its repository's.
static DEFAULTS: LazyLock<Table> = LazyLock::new(|| {
    let mut defaults = Table::new();
    for key in KEYS {
        if let Some(default) = key.default {
            // What is TOML on one line is JSON here, which is read in a tenth of the time.
            let value = serde_json::from_str(default).expect("a test holds that it is");
            put(&mut defaults, key.path, value);
        }
    }
    defaults
});

/// Puts `value` into the table at the dotted `path`, where no table is another kind of value.
fn put(table: &mut Table, path: &str, value: Value) {
    let Some((first, rest)) = path.split_once('.') else {
        table.insert(path.to_owned(), value);
        return;
    };
    let inner = table.entry(first.to_owned()).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = inner {
        put(inner, rest, value);
    }
}

/// Puts the values of all layers over the defaults, the lowest first.
fn merged<'a>(layers: impl Iterator<Item = &'a Table>) -> Table {
    let mut values = DEFAULTS.clone();
    layers.for_each(|layer| overlay(&mut values, layer));
    values
}

/// Puts `upper` over `lower`: tables are merged, everything else is replaced whole.
fn overlay(lower: &mut Table, upper: &Table) {
    for (name, value) in upper {
        match (lower.get_mut(name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                lower.insert(name.clone(), value.clone());
            }
        }
    }
}

fn record_origins(
    table: &Table,
    prefix: &str,
    origin: &Origin,
    into: &mut BTreeMap<String, Origin>,
) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => record_origins(inner, &path, origin, into),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                into.insert(path, origin.clone());
            }
        }
    }
}

impl Source {
    fn origin(&self) -> Origin {
        match self {
            Self::User(path, _) => Origin::User(path.clone()),
            Self::Repository(path, _) => Origin::Repository(path.clone()),
            Self::Project(path, _, id) => Origin::Project(path.clone(), id.clone()),
            Self::Environment(name) => Origin::Environment(name.clone()),
            Self::Flag => Origin::Flag,
        }
    }

    /// Returns the place of the key at `path`.
    fn at(&self, path: &[String]) -> Place {
        match self {
            Self::User(_, text) | Self::Repository(_, text) => {
                self.at_offset(key_offset(text, path).unwrap_or(0))
            }
            Self::Project(_, text, id) => {
                let whole = [&[PROJECTS.to_owned(), id.clone()], path].concat();
                self.at_offset(key_offset(text, &whole).unwrap_or(0))
            }
            Self::Environment(_) | Self::Flag => self.at_offset(0),
        }
    }

    fn at_offset(&self, offset: usize) -> Place {
        match self {
            Self::User(path, text)
            | Self::Repository(path, text)
            | Self::Project(path, text, _) => Place::File(path.clone(), line_of(text, offset)),
            Self::Environment(name) => Place::Environment(name.clone()),
            Self::Flag => Place::Flag,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::adapter::fs::Durability;

    pub(in crate::config) struct Files(pub(in crate::config) tempfile::TempDir);

    impl Files {
        pub(in crate::config) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        pub(in crate::config) fn sources(&self, user: &str, repository: &str) -> Sources {
            let path = |name: &str, text: &str| {
                let path = self.0.path().join(name);
                fs::replace(&path, text.as_bytes(), Durability::Process).unwrap();
                path
            };
            Sources {
                user_file: path("user.toml", user),
                repository: Some(path("repository.toml", repository)),
                ..Sources::default()
            }
        }

        /// Returns the message for the given files, the directory taken out.
        fn refusal(&self, user: &str, repository: &str) -> String {
            self.message(load(&self.sources(user, repository)).unwrap_err())
        }

        fn message(&self, error: ConfigError) -> String {
            error.to_string().replace(&format!("{}/", self.0.path().display()), "")
        }
    }

    #[test]
    fn the_defaults_are_what_their_texts_are_as_toml() {
        let line = |key: &keys::Key| key.default.map(|value| format!("{} = {value}\n", key.path));
        let text: String = KEYS.iter().filter_map(line).collect();
        assert_eq!(*DEFAULTS, text.parse::<Table>().unwrap());
    }

    #[test]
    fn nothing_configured_is_the_contract() {
        let config = load(&Sources::default()).unwrap().config;
        assert!(crate::config::leave_policy_alone(&Sources::default()));
        assert_eq!(config, Config::default());
        assert_eq!(config.policy, Policy::default());
        assert_eq!(
            (config.branch.as_str(), config.max_sessions, config.pane_size),
            ("ao/{id}", 50, (200, 50))
        );
        assert_eq!(config.workspace.keep, [".env*"]);
        assert_eq!(config.trash.keep.as_secs(), 24 * 60 * 60);
        assert!(!config.cleanup.auto && config.state.sync && config.notifiers.is_empty());
    }

    #[test]
    fn each_layer_wins_over_the_one_below() {
        let files = Files::new();
        let mut sources = files.sources("agent = 'user'\nmodel = 'm'\n", "agent = 'repository'\n");
        let mut story = String::new();
        let mut note = |sources: &Sources| {
            let layered = load(sources).unwrap();
            let origin = files.0.path().display().to_string() + "/";
            let origin = layered.origins()["agent"].to_string().replace(&origin, "");
            story += &format!("{} from {origin}\n", layered.config.agent.unwrap());
        };
        note(&Sources { repository: None, ..sources.clone() });
        note(&sources);
        sources.environment.insert("AO_AGENT".into(), "environment".into());
        note(&sources);
        sources.flags.insert("agent".into(), "flag".into());
        note(&sources);
        insta::assert_snapshot!(story, @r"
        user from user.toml
        repository from repository.toml
        environment from AO_AGENT
        flag from flag
        ");
        let layered = load(&sources).unwrap();
        assert_eq!(layered.config.model.as_deref(), Some("m"));
        assert_eq!(layered.origins()["max_sessions"], Origin::BuiltIn);
    }

    #[test]
    fn tables_merge_and_lists_are_replaced() {
        let files = Files::new();
        let sources = files.sources(
            "[workspace]\ncopy = ['a', 'b']\nkeep = ['*.key']\n[reactions.ci-failed]\nretries = 5\n",
            "[workspace]\ncopy = ['c']\n[reactions.ci-failed]\nescalate_after = '1h'\n",
        );
        let config = load(&sources).unwrap().config;
        assert_eq!(config.workspace.copy, ["c"]);
        assert_eq!(config.workspace.keep, ["*.key", ".env*"]);
        let reaction = &config.policy.reactions["ci-failed"];
        assert_eq!(reaction.retries, Some(5));
        assert_eq!(reaction.escalate_after.unwrap().as_secs(), 3600);
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_what_is_allowed() {
        let files = Files::new();
        let table: String = [
            "agnet = 'x'",
            "agent = 1",
            "max_sessions = 'a'",
            "recent_window = '5'",
            "permission = 'bypas'",
            "workspace = 1",
            "[workspace]\nroots = '/x'",
            "[workspace]\npost_create = ['npm ci']",
            "[reactions.ci-red]\nretries = 1",
            "[env]\n'A-B' = 's3cret'",
            "[env]\nTOKEN = 1",
            "[notifiers.a]\nkind = 'file'",
            "[notifiers.a]\ncommand = ['s3cret']",
            "[notifiers.'a b']\nkind = 'desktop'",
            "[notifiers.a]\nkind = 'slack'",
            "[notifiers.a]\nkind = 'desktop'\nurl = 'https://s3cret.example'",
            "[notifiers.a]\nkind = 'slack'\nurl = 'https://s3cret.example'\nurl_env = 'X'",
            "[notifiers.a]\nkind = 'slack'\nurl = 'http://s3cret.example'",
            "[notifiers.a]\nkind = 'slack'\nurl_env = 's3cret://x'",
            "[notifiers.a]\nkind = 'webhook'\nurl_env = 'X'\nsecret = 's3cret'\nsecret_env = 'Y'",
            "[notifiers.a]\nkind = 'webhook'\nurl_env = 'X'\ntimeout = '6m'",
            "[notifiers.a]\nkind = 'slack'\nurl_env = 'X'\nsecret_env = 'Y'",
            "agent = 's3cret",
            "agent = 'a'\nagent = 'b'",
        ]
        .iter()
        .map(|text| files.refusal(&format!("# comment\n{text}\n"), "") + "\n")
        .collect();
        assert!(!table.contains("s3cret"));
        insta::assert_snapshot!(table, @r#"
        user.toml:2: unknown key `agnet`; did you mean `agent`? allowed here: agent, permission, model, base, branch, rules, rules_files, max_sessions, pane_size, reap, recent_window, activity_coalesce, start_deadline, screen_after, pr_stalled_after, send_when, message_max, detecting, reactions, notices, prompt, resume, workspace, check, review, scm, merge, tracker, intake, trash, pool, cleanup, state, notifiers, env, projects
        user.toml:2: `agent` must be a text that is not empty
        user.toml:2: `max_sessions` must be a whole number from 1 to 10000
        user.toml:2: `recent_window` must be a duration such as "90s" or "5m"
        user.toml:2: `permission` must be one of "default", "accept-edits", "auto", "bypass"
        user.toml:2: `workspace` must be a table
        user.toml:3: unknown key `workspace.roots`; did you mean `root`? allowed here: root, copy, symlinks, post_create, keep
        user.toml:3: `workspace.post_create` must be a list of commands, each a list of arguments such as [["npm", "ci"]]
        user.toml:2: unknown key `reactions.ci-red`; allowed here: agent-needs-input, agent-stuck, agent-exited, agent-errored, agent-done, agent-idle, ci-failed, changes-requested, bugbot-comments, merge-conflicts, approved-and-green, pr-closed, all-complete
        user.toml:3: unknown key `env.A-B`; allowed here: [A-Za-z_][A-Za-z0-9_]*
        user.toml:3: `env.TOKEN` must be a text
        user.toml:2: `notifiers.a` needs `kind = "command"` with `command`, `"file"` with `path`, `"webhook"` or `"slack"` with one of `url`, `url_env` and `url_command`, or `"desktop"` alone
        user.toml:2: `notifiers.a` needs `kind = "command"` with `command`, `"file"` with `path`, `"webhook"` or `"slack"` with one of `url`, `url_env` and `url_command`, or `"desktop"` alone
        user.toml:2: unknown key `notifiers.a b`; allowed here: [A-Za-z0-9_-]{1,48}
        user.toml:2: `notifiers.a` needs `kind = "command"` with `command`, `"file"` with `path`, `"webhook"` or `"slack"` with one of `url`, `url_env` and `url_command`, or `"desktop"` alone
        user.toml:2: `notifiers.a` needs `kind = "command"` with `command`, `"file"` with `path`, `"webhook"` or `"slack"` with one of `url`, `url_env` and `url_command`, or `"desktop"` alone
        user.toml:2: `notifiers.a` names an address or a key in two places; one is enough
        user.toml:2: `notifiers.a` needs an address that begins with `https://`, or with `http://` and a name of this very machine (`localhost`, `127.0.0.1`, `[::1]`)
        user.toml:4: `notifiers.a.url_env` must be the name of a variable such as "AO_HOOK"
        user.toml:2: `notifiers.a` names an address or a key in two places; one is enough
        user.toml:2: `notifiers.a` needs a `timeout` of more than 0s and at most 5m
        user.toml:2: `notifiers.a` takes no `secret`: Slack checks no signature, its address is the secret
        user.toml:2: invalid literal string, expected `'`
        user.toml:3: duplicate key
        "#);
    }

    #[test]
    fn a_repository_sets_only_what_it_may() {
        let files = Files::new();
        let allowed = "agent = 'a'\npermission = 'auto'\nbase = 'main'\nbranch = 'x/{id}'\nrules = 'r'\nrules_files = ['r']\n\
             [reactions.agent-idle]\nretries = 1\nafter = '1m'\nescalate_after = '1h'\nmessage = 'm'\n\
             [workspace]\ncopy = ['a']\nsymlinks = ['b']\npost_create = [['npm', 'ci']]\n\
             [check]\ncommand = ['make']\n";
        load(&files.sources("", allowed)).unwrap();
        let table: String = [
            "permission = 'bypass'",
            "model = 'x'",
            "max_sessions = 9",
            "[env]\nPATH = '/tmp/evil'",
            "[notifiers.x]\nkind = 'command'\ncommand = ['evil']",
            "[reactions.ci-failed]\naction = 'run'",
            "[reactions.ci-failed]\ncommand = ['evil']",
            "[workspace]\nroot = '/'",
            "[workspace]\nkeep = []",
            "[cleanup]\nauto = true",
            "[state]\nsync = false",
            "home = '/x'",
            "[workspace]\ncopy = ['../../.ssh/id_rsa']",
        ]
        .iter()
        .map(|text| files.refusal("", &format!("\n{text}\n")) + "\n")
        .collect();
        insta::assert_snapshot!(table, @r#"
        repository.toml:2: a repository may not set `permission = "bypass"`; set it in your own configuration
        repository.toml:2: a repository may not set `model`; set it in your own configuration
        repository.toml:2: a repository may not set `max_sessions`; set it in your own configuration
        repository.toml:3: a repository may not set `env.PATH`; set it in your own configuration
        repository.toml:4: a repository may not set `notifiers.x.command`; set it in your own configuration
        repository.toml:3: a repository may not set `reactions.ci-failed.action`; set it in your own configuration
        repository.toml:3: a repository may not set `reactions.ci-failed.command`; set it in your own configuration
        repository.toml:3: a repository may not set `workspace.root`; set it in your own configuration
        repository.toml:3: a repository may not set `workspace.keep`; set it in your own configuration
        repository.toml:3: a repository may not set `cleanup.auto`; set it in your own configuration
        repository.toml:3: a repository may not set `state.sync`; set it in your own configuration
        repository.toml:2: unknown key `home`; allowed here: agent, permission, model, base, branch, rules, rules_files, max_sessions, pane_size, reap, recent_window, activity_coalesce, start_deadline, screen_after, pr_stalled_after, send_when, message_max, detecting, reactions, notices, prompt, resume, workspace, check, review, scm, merge, tracker, intake, trash, pool, cleanup, state, notifiers, env, projects
        repository.toml:3: `workspace.copy` must be a list of relative paths without `..`
        "#);
    }

    #[test]
    fn variables_and_flags_are_checked_too() {
        let files = Files::new();
        let mut sources = files.sources("", "");
        sources.environment.insert("AO_HOME".into(), "/not/a/key".into());
        sources.environment.insert("AO_AGENT".into(), String::new());
        assert_eq!(load(&sources).unwrap().config.agent, None);
        sources.environment.insert("AO_MAX_SESSIONS".into(), "many".into());
        assert_eq!(
            files.message(load(&sources).unwrap_err()),
            "$AO_MAX_SESSIONS: `max_sessions` must be a whole number from 1 to 10000"
        );
        sources.environment.insert("AO_MAX_SESSIONS".into(), "7".into());
        assert_eq!(load(&sources).unwrap().config.max_sessions, 7);
        sources.flags.insert("permission".into(), "yolo".into());
        assert_eq!(
            files.message(load(&sources).unwrap_err()),
            "command line: `permission` must be one of \"default\", \"accept-edits\", \"auto\", \"bypass\""
        );
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let files = Files::new();
        let user = "agent = 'x'\n[env]\nTOKEN = 's3cret'\n\
             [notifiers.a]\nkind = 'command'\ncommand = ['curl', 's3cret']\n\
             [notifiers.b]\nkind = 'webhook'\nurl = 'https://s3cret.example'\nsecret_command = ['pass', 's3cret']\n\
             [notifiers.c]\nkind = 'webhook'\nurl_env = 'HOOK'\nsecret = 's3cret'\n";
        let layered = load(&files.sources(user, "")).unwrap();
        let all: Vec<_> = layered.shown();
        let value =
            |wanted: &str| all.iter().find(|(key, ..)| *key == wanted).unwrap().1.to_string();
        assert_eq!(value("agent"), "\"x\"");
        assert_eq!(value("env.TOKEN"), "\"[redacted]\"");
        assert_eq!(value("notifiers.a.command"), "[\"curl\", \"[redacted]\"]");
        assert_eq!(value("workspace.keep"), "[\".env*\"]");
        assert_eq!(value("notifiers.b.url"), "\"[redacted]\"");
        assert_eq!(value("notifiers.b.secret_command"), "[\"pass\", \"[redacted]\"]");
        assert_eq!(value("notifiers.c.url_env"), "\"HOOK\"");
        let whole = ["env", "notifiers", "notifiers.c", "notifiers.c.secret", "env.TOKEN"];
        for key in whole {
            let text = layered.value(key).unwrap().to_string();
            assert!(text.contains("[redacted]") && !text.contains("s3cret"), "{key}: {text}");
        }
        assert_eq!(layered.value("env.OTHER"), None);
        assert!(!format!("{:?}", layered.config.notifiers["b"]).contains("s3cret"));
    }

    #[test]
    fn a_key_cannot_move_the_cursor() {
        let told = Files::new().refusal("", "\"a\\u001b[31m\" = 1\n");
        assert!(told.starts_with("repository.toml:1: unknown key `a?[31m`; allowed"), "{told}");
    }

    #[test]
    fn a_file_that_is_not_text_is_named() {
        let files = Files::new();
        let sources = files.sources("", "");
        fs::replace(&sources.user_file, b"agent = '\xff'", Durability::Process).unwrap();
        assert_eq!(files.message(load(&sources).unwrap_err()), "user.toml is not UTF-8");
    }
}
