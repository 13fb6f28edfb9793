//! What can be wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::adapter::fs::FsError;

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
    #[error("{place}: unknown key `{key}`; {}allowed here: {}", near(.key, .allowed), .allowed.join(", "))]
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

/// Returns the question whether the word was meant that is most like the last part of `key`;
/// nothing where none is like it.
fn near(key: &str, allowed: &[&str]) -> String {
    did_you_mean(key.rsplit('.').next().unwrap_or(key), allowed)
}

/// Returns the question whether that of `words` was meant that is most like `written`, with a
/// blank at its end; nothing where none is like it.
pub fn did_you_mean(written: &str, words: &[&str]) -> String {
    let nearest = words.iter().map(|word| (distance(written, word), word)).min();
    // Two slips of a long word, one of a short.
    match nearest.filter(|(slips, word)| *slips <= 1 + usize::from(word.len() > 6)) {
        Some((_, word)) => format!("did you mean `{word}`? "),
        None => String::new(),
    }
}

/// Returns how many letters have to be put in, left out, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let changed = usize::from(from[i - 1] != to[j - 1]);
            let mut least =
                (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

/// Returns the line, counted from one, that holds the byte at `offset`.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Returns where the key at `path` is written in `text`.
pub(super) fn key_offset(text: &str, path: &[String]) -> Option<usize> {
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
