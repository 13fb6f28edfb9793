//! Where a value of the configuration comes from: its layer, its file, its line.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::adapter::fs;
use crate::config::error::{key_offset, line_of};
use crate::config::keys::PROJECTS;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is the default.
    BuiltIn,
    /// The user's file.
    User(PathBuf),
    /// The repository's file.
    Repository(PathBuf),
    /// The user's file, in its table for this project.
    Project(PathBuf, String),
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
            Self::Project(path, id) => write!(f, "{} [{PROJECTS}.{id}]", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("flag"),
        }
    }
}

impl Origin {
    /// Returns the word for the layer.
    pub fn layer(&self) -> &'static str {
        match self {
            Self::BuiltIn => "built_in",
            Self::User(_) => "user",
            Self::Repository(_) => "repository",
            Self::Project(..) => "project",
            Self::Environment(_) => "environment",
            Self::Flag => "flag",
        }
    }

    /// Returns the file and the line of it that sets `key`; none where no file does.
    ///
    /// The file is read for it: loading a configuration has no use for lines where nothing is
    /// wrong.
    pub fn place(&self, key: &str) -> Option<(&Path, usize)> {
        let mut path: Vec<String> = key.split('.').map(str::to_owned).collect();
        let file = match self {
            Self::User(file) | Self::Repository(file) => file,
            Self::Project(file, id) => {
                path.splice(0..0, [PROJECTS.to_owned(), id.clone()]);
                file
            }
            Self::BuiltIn | Self::Environment(_) | Self::Flag => return None,
        };
        let text = fs::read_text(file).ok()?;
        Some((file, line_of(&text, key_offset(&text, &path)?)))
    }
}

/// Returns the projects that the user's file says something of, each with its line; none of a file
/// that cannot be read.
pub fn project_tables(file: &Path) -> Vec<(String, usize)> {
    let Ok(text) = fs::read_text(file) else { return Vec::new() };
    let Ok(values) = toml::from_str::<Table>(&text) else { return Vec::new() };
    let Some(Value::Table(tables)) = values.get(PROJECTS) else { return Vec::new() };
    let line = |id: &String| {
        let offset = key_offset(&text, &[PROJECTS.to_owned(), id.clone()]);
        (id.clone(), line_of(&text, offset.unwrap_or(0)))
    };
    tables.keys().map(line).collect()
}
