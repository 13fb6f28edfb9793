//! Changes one value of a configuration file and leaves its comments alone.

use std::path::{Path, PathBuf};

use toml::{Table, Value};
use toml_edit::{DocumentMut, Item};

use crate::adapter::fs::{self, Durability};
use crate::config::error::{ConfigError, Place};
use crate::config::keys::{self, Kind};
use crate::config::layers::check_user_text;

/// Sets `key` in the file to `value`, creating the file where it is missing.
///
/// A text needs no quotes; a list, a number, a switch or a whole table such as
/// `{ kind = "file", path = "/x" }` is written as in TOML. The result is
/// checked as a whole before anything is written, and replaces the file atomically.
///
/// # Errors
///
/// An unknown key, a value the key cannot have, a file that is wrong already or cannot be
/// written.
pub fn set(file: &Path, key: &str, value: &str) -> Result<(), ConfigError> {
    let (target, text) = changed(file, key, value)?;
    if let Some(directory) = target.parent() {
        fs::create_private_directories(directory)?;
    }
    fs::replace(&target, text.as_bytes(), Durability::PowerCut)?;
    Ok(())
}

/// Fails where [`set`] would, and writes nothing.
pub fn check_set(file: &Path, key: &str, value: &str) -> Result<(), ConfigError> {
    changed(file, key, value).map(drop)
}

/// Returns the file that is to be replaced, and the text to replace it by.
fn changed(file: &Path, key: &str, value: &str) -> Result<(PathBuf, String), ConfigError> {
    let path: Vec<String> = key.split('.').map(str::to_owned).collect();
    let value = value_of(&path, value)?;
    // A linked file, as people keep their dotfiles, stays a link.
    let target = if fs::metadata(file)?.is_some() { fs::canonical(file)? } else { file.to_owned() };
    let bytes = fs::read_optional(&target)?.unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText(target.clone()))?;
    let text = with_value(&target, &text, &path, &value)?;
    check_user_text(&target, &text)?;
    Ok((target, text))
}

/// Returns `text` as a value for the key or the table at `path`.
pub(super) fn value_of(path: &[String], text: &str) -> Result<Value, ConfigError> {
    let (place, key) = (Place::Flag, path.join("."));
    if let Some(known) = keys::find(path) {
        return parse_value(known.kind, text).ok_or_else(|| ConfigError::WrongValue {
            place,
            key,
            allowed: known.kind.allowed(),
        });
    }
    if keys::below(path).is_empty() {
        return Err(keys::unknown(place, path));
    }
    parsed(text).filter(Value::is_table).ok_or_else(|| ConfigError::WrongValue {
        place,
        key,
        allowed: "a table such as { a = 1 }".to_owned(),
    })
}

fn parsed(text: &str) -> Option<Value> {
    format!("x = {text}").parse::<Table>().ok()?.remove("x")
}

/// Returns `text` as a value of `kind`, `None` where it is none.
fn parse_value(kind: Kind, text: &str) -> Option<Value> {
    let is_text = matches!(
        kind,
        Kind::Text
            | Kind::Path
            | Kind::Word(_)
            | Kind::Duration
            | Kind::BranchTemplate
            | Kind::Secret
            | Kind::Template
            | Kind::Variable
    );
    let value = if is_text { Value::String(text.to_owned()) } else { parsed(text)? };
    kind.accepts(&value).then_some(value)
}

pub(super) fn with_value(
    file: &Path,
    text: &str,
    path: &[String],
    value: &Value,
) -> Result<String, ConfigError> {
    // Errors of an unreadable file come from the same place as when it is loaded.
    check_user_text(file, text)?;
    let inconsistent = |why: &str| ConfigError::Inconsistent {
        place: Place::File(file.to_owned(), 1),
        key: path.join("."),
        why: why.to_owned(),
    };
    let mut document: DocumentMut =
        text.parse().map_err(|_| inconsistent("cannot be set in this file"))?;
    let literal: toml_edit::Value =
        value.to_string().parse().map_err(|_| inconsistent("cannot be written as TOML"))?;
    let Some((last, tables)) = path.split_last() else { return Ok(text.to_owned()) };
    let mut table = document.as_table_mut() as &mut dyn toml_edit::TableLike;
    for name in tables {
        table = table
            .entry(name)
            .or_insert_with(implicit_table)
            .as_table_like_mut()
            .ok_or_else(|| inconsistent("stands below something that is no table"))?;
    }
    // A whole table replaces the old one, whichever way that was written.
    if value.is_table() {
        table.remove(last);
    }
    match table.get_mut(last).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = literal;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(last, Item::Value(literal));
        }
    }
    Ok(document.to_string())
}

/// Returns a table that is written only where it holds values itself.
fn implicit_table() -> Item {
    let mut table = toml_edit::Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_changes_and_the_rest_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/config.toml");
        set(&path, "agent", "demo").unwrap();
        assert_eq!(fs::read_text(&path).unwrap(), "agent = \"demo\"\n");
        let text = "# mine\nagent = 'a' # why\n\n[workspace]\n# files\ncopy = ['x']\n";
        fs::replace(&path, text.as_bytes(), Durability::Process).unwrap();
        set(&path, "agent", "b \"c\"").unwrap();
        set(&path, "workspace.symlinks", "[\"y\"]").unwrap();
        set(&path, "reactions.ci-failed.retries", "3").unwrap();
        set(&path, "notifiers.log", "{ kind = 'file', path = '/x' }").unwrap();
        set(&path, "notifiers.log", "{ kind = 'desktop' }").unwrap();
        insta::assert_snapshot!(fs::read_text(&path).unwrap(), @r#"
        # mine
        agent = 'b "c"' # why

        [workspace]
        # files
        copy = ['x']
        symlinks = ["y"]

        [reactions.ci-failed]
        retries = 3

        [notifiers]
        log = { kind = "desktop" }
        "#);
    }

    #[test]
    fn a_refused_value_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::replace(&path, b"agent = 'a'\n", Durability::Process).unwrap();
        let table: String = [
            ("agnet", "x"),
            ("", "x"),
            ("workspace", "x"),
            ("workspace.roo", "/x"),
            ("max_sessions", "many"),
            ("workspace.copy", "x"),
            ("permission", "yolo"),
            ("notifiers.a.kind", "file"),
            ("agent", ""),
        ]
        .iter()
        .map(|(key, value)| {
            let error = set(&path, key, value).unwrap_err().to_string();
            error.replace(&format!("{}/", directory.path().display()), "") + "\n"
        })
        .collect();
        insta::assert_snapshot!(table, @r#"
        command line: unknown key `agnet`; did you mean `agent`? allowed here: agent, permission, model, base, branch, rules, rules_files, max_sessions, pane_size, reap, recent_window, activity_coalesce, start_deadline, screen_after, pr_stalled_after, send_when, message_max, detecting, reactions, notices, prompt, resume, workspace, check, review, scm, merge, tracker, intake, trash, pool, cleanup, state, notifiers, env, projects
        command line: unknown key ``; allowed here: agent, permission, model, base, branch, rules, rules_files, max_sessions, pane_size, reap, recent_window, activity_coalesce, start_deadline, screen_after, pr_stalled_after, send_when, message_max, detecting, reactions, notices, prompt, resume, workspace, check, review, scm, merge, tracker, intake, trash, pool, cleanup, state, notifiers, env, projects
        command line: `workspace` must be a table such as { a = 1 }
        command line: unknown key `workspace.roo`; did you mean `root`? allowed here: root, copy, symlinks, post_create, keep
        command line: `max_sessions` must be a whole number from 1 to 10000
        command line: `workspace.copy` must be a list of relative paths without `..`
        command line: `permission` must be one of "default", "accept-edits", "auto", "bypass"
        config.toml:3: `notifiers.a` needs `kind = "command"` with `command`, `"file"` with `path`, `"webhook"` or `"slack"` with one of `url`, `url_env` and `url_command`, or `"desktop"` alone
        command line: `agent` must be a text that is not empty
        "#);
        assert_eq!(fs::read_text(&path).unwrap(), "agent = 'a'\n");
    }

    #[test]
    fn a_linked_file_stays_a_link_and_a_wrong_one_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        fs::replace(&real, b"", Durability::Process).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        set(&link, "agent", "x").unwrap();
        assert_eq!(fs::read_text(&real).unwrap(), "agent = \"x\"\n");
        assert!(link.is_symlink());
        fs::replace(&real, b"nonsense = 1\n", Durability::Process).unwrap();
        assert!(matches!(set(&real, "agent", "y"), Err(ConfigError::UnknownKey { .. })));
        assert_eq!(fs::read_text(&real).unwrap(), "nonsense = 1\n");
    }
}
