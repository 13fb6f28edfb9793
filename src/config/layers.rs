//! Reads the layers, refuses what does not belong, merges the rest and keeps where each value
//! came from.
//!
//! A message names file, line and key, and what is allowed; it never repeats a value, which may
//! be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use crate::adapter::fs::{self, FsError};
use crate::config::Config;
use crate::config::keys::{self, FromRepository, KEYS};
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
    /// What flags say, as the same tables a file would have.
    pub flags: Table,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is the default.
    BuiltIn,
    /// The user's file.
    User(PathBuf),
    /// The repository's file.
    Repository(PathBuf),
    /// The variable of this name.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::User(path) | Self::Repository(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// The merged configuration and where each value came from.
#[derive(Clone, Debug)]
pub struct Layered {
    /// The configuration.
    pub config: Config,
    /// The origin of every value, by dotted key.
    pub origins: BTreeMap<String, Origin>,
    /// The merged values, as one TOML document.
    pub values: Table,
}

/// Where in the sources something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, counted from one.
    File(PathBuf, usize),
    /// A variable.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// A file is not UTF-8.
    #[error("{} is not UTF-8", .0.display())]
    NotText(PathBuf),
    /// A file is not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser expected.
        message: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown key `{key}`; allowed here: {}", .allowed.join(", "))]
    UnknownKey {
        /// Where.
        place: Place,
        /// The dotted key.
        key: String,
        /// What may stand in its place.
        allowed: Vec<&'static str>,
    },
    /// A value that its key cannot have.
    #[error("{place}: `{key}` must be {allowed}")]
    WrongValue {
        /// Where.
        place: Place,
        /// The dotted key.
        key: String,
        /// What it must be.
        allowed: String,
    },
    /// A key that a repository has no say in.
    #[error("{place}: a repository may not set `{key}`; set it in your own configuration")]
    NotFromRepository {
        /// Where.
        place: Place,
        /// The dotted key.
        key: String,
    },
    /// Keys that are fine one by one and wrong together.
    #[error("{place}: `{key}` {why}")]
    Inconsistent {
        /// Where.
        place: Place,
        /// The dotted key.
        key: String,
        /// What is wrong.
        why: String,
    },
}

/// One layer, checked.
struct Layer {
    values: Table,
    source: Source,
}

/// Where a layer comes from, and what is needed to point into it.
#[derive(Clone)]
enum Source {
    User(PathBuf, String),
    Repository(PathBuf, String),
    Environment(String),
    Flag,
}

/// Reads, checks and merges all layers.
pub fn load(sources: &Sources) -> Result<Layered, ConfigError> {
    let mut layers = Vec::new();
    if let Some(text) = read(&sources.user_file)? {
        layers.push(parse(Source::User(sources.user_file.clone(), text.clone()), &text)?);
    }
    if let Some(path) = &sources.repository
        && let Some(text) = read(path)?
    {
        layers.push(parse(Source::Repository(path.clone(), text.clone()), &text)?);
    }
    layers.extend(environment(&sources.environment)?);
    let flags = Layer { values: sources.flags.clone(), source: Source::Flag };
    check(&flags.values, &mut Vec::new(), &flags.source)?;
    layers.push(flags);
    merge(&layers)
}

/// Checks `text` as if it were the user's file at `path`.
pub(super) fn check_user_text(path: &Path, text: &str) -> Result<(), ConfigError> {
    let layer = parse(Source::User(path.to_owned(), text.to_owned()), text)?;
    merge(&[layer]).map(|_| ())
}

/// Returns the configuration nobody has touched.
pub(super) fn built_in() -> Config {
    merge(&[]).expect("the defaults are checked by a test").config
}

fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let Some(bytes) = fs::read_optional(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText(path.to_owned()))?;
    Ok(Some(text))
}

fn parse(source: Source, text: &str) -> Result<Layer, ConfigError> {
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
    let bypass = key.path == "permission" && value.as_str() == Some("bypass");
    if from_repository && (key.from_repository == FromRepository::Refused || bypass) {
        let key = if bypass { "permission = \"bypass\"".to_owned() } else { path.join(".") };
        return Err(ConfigError::NotFromRepository { place: source.at(path), key });
    }
    if key.kind.accepts(value) {
        return Ok(());
    }
    Err(ConfigError::WrongValue {
        place: source.at(path),
        key: path.join("."),
        allowed: key.kind.allowed(),
    })
}

fn unknown(path: &[String], source: &Source) -> ConfigError {
    let (place, key) = (source.at(path), path.join("."));
    if !keys::below(path).is_empty() {
        return ConfigError::WrongValue { place, key, allowed: "a table".to_owned() };
    }
    let allowed = match path {
        [table, _] if table == "env" => vec!["[A-Za-z_][A-Za-z0-9_]*"],
        [table, _] if table == "notifiers" => vec!["[A-Za-z0-9_-]{1,48}"],
        [parent @ .., _] => keys::below(parent),
        [] => Vec::new(),
    };
    ConfigError::UnknownKey { place, key, allowed }
}

fn merge(layers: &[Layer]) -> Result<Layered, ConfigError> {
    let (mut values, mut origins) = (defaults(), BTreeMap::new());
    record_origins(&values, "", &Origin::BuiltIn, &mut origins);
    for layer in layers {
        overlay(&mut values, &layer.values);
        record_origins(&layer.values, "", &layer.source.origin(), &mut origins);
    }
    check_notifiers(&values, layers)?;
    let failed = |error: toml::de::Error| ConfigError::Inconsistent {
        place: Place::Flag,
        key: "configuration".to_owned(),
        why: error.message().to_owned(),
    };
    let mut config: Config = values.clone().try_into().map_err(failed)?;
    config.policy = Policy::deserialize(Value::Table(values.clone())).map_err(failed)?;
    // A list of the user's own must not take this protection away.
    if !config.workspace.keep.iter().any(|pattern| pattern == ".env*") {
        config.workspace.keep.push(".env*".to_owned());
    }
    Ok(Layered { config, origins, values })
}

fn check_notifiers(values: &Table, layers: &[Layer]) -> Result<(), ConfigError> {
    let Some(Value::Table(notifiers)) = values.get("notifiers") else { return Ok(()) };
    for (name, value) in notifiers {
        if let Err(error) = Notifier::deserialize(value.clone()) {
            let path = ["notifiers".to_owned(), name.clone()];
            let holds = |layer: &&Layer| {
                layer.values.get("notifiers").and_then(|table| table.get(name)).is_some()
            };
            let place = layers.iter().rev().find(holds).map(|layer| layer.source.at(&path));
            return Err(ConfigError::Inconsistent {
                place: place.unwrap_or(Place::Flag),
                key: path.join("."),
                why: error.message().to_owned(),
            });
        }
    }
    Ok(())
}

fn defaults() -> Table {
    let mut text = String::new();
    for key in KEYS {
        if let Some(default) = key.default {
            text.push_str(&format!("{} = {default}\n", key.path));
        }
    }
    text.parse().expect("every default is TOML, which a test holds")
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
            Self::Environment(_) | Self::Flag => self.at_offset(0),
        }
    }

    fn at_offset(&self, offset: usize) -> Place {
        match self {
            Self::User(path, text) | Self::Repository(path, text) => {
                Place::File(path.clone(), line_of(text, offset))
            }
            Self::Environment(name) => Place::Environment(name.clone()),
            Self::Flag => Place::Flag,
        }
    }
}

/// Returns the line, counted from one, that holds the byte at `offset`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Returns where the key at `path` is written in `text`.
pub(crate) fn key_offset(text: &str, path: &[String]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table: &DeTable<'_> = document.get_ref();
    let mut found = None;
    for name in path {
        let (key, value): (&Spanned<_>, &Spanned<DeValue<'_>>) =
            table.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
        found = Some(key.span().start);
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    found
}
