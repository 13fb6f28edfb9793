//! The process's surroundings, read once: variables, directories, streams.
#![expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::collect::Sorted;

/// What this invocation was started with.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Every variable.
    pub variables: Arc<BTreeMap<OsString, OsString>>,
    /// The working directory; the root where it was deleted.
    pub directory: PathBuf,
    /// Standard input is a terminal.
    pub stdin_is_terminal: bool,
    /// Standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Standard error is a terminal.
    pub stderr_is_terminal: bool,
}

impl Environment {
    /// Reads it.
    pub fn read() -> Self {
        Self {
            variables: Arc::new(std::env::vars_os().into_map()),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Returns a variable as text; empty and non-UTF-8 ones count as unset.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(OsStr::new(name))?.to_str().filter(|text| !text.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.variables.get(OsStr::new(name))?;
        Some(PathBuf::from(value)).filter(|path| path.is_absolute())
    }

    /// Returns the home: `--home`, `AO_HOME`, `$XDG_STATE_HOME/ao`, `~/.local/state/ao`.
    ///
    /// A relative `--home` or `AO_HOME` is taken from the working directory.
    pub fn home(&self, flag: Option<&Path>) -> Option<PathBuf> {
        let variable = self.variables.get(OsStr::new("AO_HOME")).filter(|v| !v.is_empty());
        flag.or_else(|| variable.map(Path::new))
            .map(|path| self.directory.join(path))
            .or_else(|| Some(self.path("XDG_STATE_HOME")?.join("ao")))
            .or_else(|| Some(self.user_home()?.join(".local/state/ao")))
    }

    /// Returns `$XDG_CONFIG_HOME/ao`, `~/.config/ao`.
    pub fn config_directory(&self) -> PathBuf {
        self.path("XDG_CONFIG_HOME")
            .or_else(|| Some(self.user_home()?.join(".config")))
            .unwrap_or_else(|| PathBuf::from("/nonexistent"))
            .join("ao")
    }

    /// Returns the user's home directory.
    pub fn user_home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }
}
