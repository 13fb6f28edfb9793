//! Changes one value of a configuration file and leaves its comments alone.

use std::path::Path;

use toml::{Table, Value};
use toml_edit::{DocumentMut, Item};

use crate::adapter::fs::{self, Durability};
use crate::config::keys::{self, Kind};
use crate::config::layers::{ConfigError, Place, check_user_text};

/// Sets `key` in the file to `value`, creating the file where it is missing.
///
/// A text needs no quotes; a list, a number or a switch is written as in TOML. The result is
/// checked as a whole before anything is written, and replaces the file atomically.
///
/// # Errors
///
/// An unknown key, a value the key cannot have, a file that is wrong already or cannot be
/// written.
pub fn set(file: &Path, key: &str, value: &str) -> Result<(), ConfigError> {
    let path: Vec<String> = key.split('.').map(str::to_owned).collect();
    let known = keys::find(&path).ok_or_else(|| ConfigError::UnknownKey {
        place: Place::Flag,
        key: key.to_owned(),
        allowed: keys::below(&path[..path.len() - 1]),
    })?;
    let value = parse_value(known.kind, value).ok_or_else(|| ConfigError::WrongValue {
        place: Place::Flag,
        key: key.to_owned(),
        allowed: known.kind.allowed(),
    })?;
    // A linked file, as people keep their dotfiles, stays a link.
    let target = if fs::metadata(file)?.is_some() { fs::canonical(file)? } else { file.to_owned() };
    let bytes = fs::read_optional(&target)?.unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText(target.clone()))?;
    let text = with_value(&target, &text, &path, &value)?;
    check_user_text(&target, &text)?;
    if let Some(directory) = target.parent() {
        fs::create_private_directories(directory)?;
    }
    fs::replace(&target, text.as_bytes(), Durability::PowerCut)?;
    Ok(())
}

/// Returns `text` as a value of `kind`, `None` where it is none.
fn parse_value(kind: Kind, text: &str) -> Option<Value> {
    let parsed = || format!("x = {text}").parse::<Table>().ok()?.remove("x");
    let is_text = matches!(
        kind,
        Kind::Text
            | Kind::Path
            | Kind::Word(_)
            | Kind::Duration
            | Kind::BranchTemplate
            | Kind::Secret
    );
    let value = if is_text { Value::String(text.to_owned()) } else { parsed()? };
    kind.accepts(&value).then_some(value)
}

fn with_value(
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
            .or_insert_with(toml_edit::table)
            .as_table_like_mut()
            .ok_or_else(|| inconsistent("stands below something that is no table"))?;
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
