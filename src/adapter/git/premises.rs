//! Looks at what decides how git would make the files of a commit.
#![expect(
    clippy::disallowed_methods,
    reason = "git finds a person's attributes by the environment"
)]

use std::path::{Path, PathBuf};

use super::command::{git_with_hooks, read};
use super::copy::{Source, proven_content};
use super::entry::Admin;
use super::index::FILE;
use super::way::Facts;
use super::{GitError, Repository};
use crate::adapter::fs;

/// Attributes are lines that people write; what is longer than this is not read.
const MAX_ATTRIBUTES: u64 = 1 << 20;

/// Returns what can be known of a worktree without its files.
pub(super) fn observe(
    repo: &Repository,
    worktree: &Path,
    admin: &Admin,
) -> Result<Facts, GitError> {
    let command = git_with_hooks(worktree).args(["config", "--list", "-z", "--includes"]);
    let mut facts = Facts {
        settings: parse_settings(&read(&command, "git config --list")?.stdout),
        attributes: Vec::new(),
        sparse: fs::metadata(&admin.dir.join("info/sparse-checkout"))?.is_some(),
    };
    for place in places(repo, &facts) {
        // git knows more such forms: `~user/`, `%(prefix)/`.
        if place.is_relative() {
            facts.attributes.push((place.display().to_string(), None));
            continue;
        }
        match fs::read_regular(
            &fs::canonical(&place).unwrap_or_else(|_| place.clone()),
            MAX_ATTRIBUTES,
        ) {
            Ok(None) => {}
            Ok(Some(text)) => facts.attributes.push((place.display().to_string(), Some(text))),
            Err(_) => facts.attributes.push((place.display().to_string(), None)),
        }
    }
    Ok(facts)
}

/// Adds the attributes that the tree itself gives.
pub(super) fn add_attributes_of(source: &Source, facts: &mut Facts) {
    for entry in source.index.attributes() {
        let path = String::from_utf8_lossy(source.index.path(entry)).into_owned();
        let text = (entry.plain && entry.mode == FILE).then(|| proven_content(source, entry));
        facts.attributes.push((path, text.flatten()));
    }
}

fn parse_settings(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let entries = text.split('\0').filter(|entry| !entry.is_empty());
    let pair = |entry: &str| match entry.split_once('\n') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        // A name alone switches on.
        None => (entry.to_owned(), "true".to_owned()),
    };
    entries.map(pair).collect()
}

/// Returns where attributes may be given outside of the tree.
fn places(repo: &Repository, facts: &Facts) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let of_user = match facts.setting("core.attributesfile") {
        Some(path) => match (path.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => Some(home.join(rest)),
            (Some(_), None) => None,
            (None, _) => Some(PathBuf::from(path)),
        },
        None => match std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()) {
            Some(directory) => Some(PathBuf::from(directory).join("git/attributes")),
            None => home.map(|home| home.join(".config/git/attributes")),
        },
    };
    // Where git looks depends on where it was built for, which its own place mostly tells.
    let mut of_system: Vec<PathBuf> =
        ["/etc/gitattributes", "/usr/local/etc/gitattributes"].map(PathBuf::from).into();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program =
        std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file());
    let program = program.and_then(|git| fs::canonical(&git).ok());
    if let Some(prefix) = program.as_deref().and_then(|git| git.parent()?.parent()) {
        of_system.push(prefix.join("etc/gitattributes"));
    }
    let of_repository = repo.common_dir.join("info/attributes");
    of_system.into_iter().chain(of_user).chain([of_repository]).collect()
}
