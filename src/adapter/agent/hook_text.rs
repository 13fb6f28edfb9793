//! What a hook file holds with ao's entries in it, and without them again.
//!
//! Pure. What is not ao's stays byte for byte, also where it was changed in between.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapter::agent::card::{Card, FileForm, HookFile, SENTINEL};
use crate::adapter::agent::hook::shell_command;
use crate::adapter::agent::template;
use crate::adapter::json_edit::{self, Document, EditError};
use std::path::Path;

/// What ao puts into one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Addition {
    /// Elements of arrays and values of a JSON document, each with its pointer.
    Json {
        /// Appended to the array there.
        entries: Vec<(String, Value)>,
        /// Set where there is nothing.
        values: Vec<(String, Value)>,
    },
    /// The whole file.
    Text(String),
    /// The whole file, in a directory for the agent's cache.
    Cache(String),
    /// Lines at the end.
    Lines(Vec<String>),
}

/// Returns what `card` wants to have in `file`.
pub(super) fn addition(card: &Card, file: &HookFile, ao: &Path) -> Addition {
    match file.form {
        FileForm::Text if file.cache => Addition::Cache(file.text.clone()),
        FileForm::Text => Addition::Text(file.text.replace("{ao}", &ao.to_string_lossy())),
        FileForm::Json => Addition::Json {
            entries: file.at.iter().flat_map(|at| entries(card, file, at, ao)).collect(),
            values: leaves(&json(&file.content), String::new()),
        },
    }
}

fn entries(card: &Card, file: &HookFile, at: &str, ao: &Path) -> Vec<(String, Value)> {
    let mut entries = Vec::new();
    for (event, rule) in &card.hooks.events {
        let Some(native) = &rule.native else { continue };
        let command = shell_command(ao, card.name(), event);
        let filled = |word: &str| {
            let bytes = template::fill(word, |name| {
                let value = match name {
                    "command" => command.clone(),
                    "command_json" => Value::from(command.as_str()).to_string(),
                    "event" => event.clone(),
                    _ => native.clone(),
                };
                value.into_bytes()
            });
            String::from_utf8_lossy(&bytes).into_owned()
        };
        entries.push((filled(at), template::fill_texts(json(&file.entry), &filled)));
    }
    entries
}

fn json(table: &toml::Table) -> Value {
    serde_json::to_value(table).expect("a TOML table is JSON")
}

/// Returns the values in a tree that are no objects, each with its pointer.
fn leaves(value: &Value, at: String) -> Vec<(String, Value)> {
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => map
            .iter()
            .flat_map(|(name, value)| leaves(value, format!("{at}/{}", json_edit::escape(name))))
            .collect(),
        None if at.is_empty() => Vec::new(),
        None => vec![(at, value.clone())],
    }
}

/// Returns the file with the addition in it; `None` where it is somebody else's whole text.
pub(super) fn with(
    addition: &Addition,
    existing: Option<&str>,
) -> Result<Option<String>, EditError> {
    match addition {
        Addition::Text(text) | Addition::Cache(text) => {
            let ours = existing.is_none_or(|existing| existing.contains(SENTINEL));
            Ok(ours.then(|| text.clone()))
        }
        Addition::Lines(lines) => {
            let mut whole = existing.unwrap_or_default().to_owned();
            if !whole.is_empty() && !whole.ends_with('\n') {
                whole.push('\n');
            }
            let missing = |line: &&String| !whole.lines().any(|have| have == line.as_str());
            let missing: Vec<String> =
                lines.iter().filter(missing).map(|line| format!("{line}\n")).collect();
            whole.push_str(&missing.concat());
            Ok(Some(whole))
        }
        Addition::Json { entries, values } => {
            let document = Document::parse(existing.unwrap_or_default())?;
            for (at, value) in values {
                if document.value(at).is_none() {
                    document.set(at, value)?;
                }
            }
            for (at, entry) in entries {
                // A file that has it already is left so.
                let have = document.value(at).and_then(|value| value.as_array().cloned());
                if !have.is_some_and(|have| have.contains(entry)) {
                    document.append(at, entry)?;
                }
            }
            Ok(Some(document.text()))
        }
    }
}

/// Returns the file without the addition; `None` where nothing is left of it.
///
/// Exactly `original` wherever nobody else changed the file's meaning in between.
pub(super) fn without(
    addition: &Addition,
    current: &str,
    original: Option<&str>,
) -> Result<Option<String>, EditError> {
    match addition {
        // A file of ao's that somebody committed is theirs, as it was.
        Addition::Text(_) | Addition::Cache(_) if current.contains(SENTINEL) => {
            Ok(original.map(str::to_owned))
        }
        Addition::Text(_) | Addition::Cache(_) => Ok(Some(current.to_owned())),
        Addition::Lines(lines) => Ok(without_lines(lines, current, original)),
        Addition::Json { entries, values } => {
            let document = Document::parse(current)?;
            let before = original.and_then(|text| Document::parse(text).ok()?.value(""));
            let had = |at: &str| before.as_ref().is_some_and(|value| value.pointer(at).is_some());
            for (at, entry) in entries {
                let kept = before.as_ref().and_then(|value| value.pointer(at)?.as_array());
                if !kept.is_some_and(|kept| kept.contains(entry)) {
                    document.remove_elements(at, |element| element == entry);
                }
                document.prune(at, had);
            }
            for (at, value) in values {
                if !had(at) && document.value(at).as_ref() == Some(value) {
                    document.remove(at);
                    document.prune(at, had);
                }
            }
            let left = document.value("");
            Ok(match original {
                Some(original) if left == before => Some(original.to_owned()),
                None if left
                    .as_ref()
                    .is_some_and(|left| left == &Value::Object(Default::default())) =>
                {
                    None
                }
                Some(_) | None => Some(document.text()),
            })
        }
    }
}

fn without_lines(lines: &[String], current: &str, original: Option<&str>) -> Option<String> {
    let had = |line: &str| original.is_some_and(|original| original.lines().any(|l| l == line));
    let ours = |line: &str| lines.iter().any(|own| own == line) && !had(line);
    let left: String =
        current.split_inclusive('\n').filter(|line| !ours(line.trim_end_matches('\n'))).collect();
    match original {
        Some(original) if left.trim_end_matches('\n') == original.trim_end_matches('\n') => {
            Some(original.to_owned())
        }
        None if left.is_empty() => None,
        Some(_) | None => Some(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn addition() -> Addition {
        Addition::Json {
            entries: vec![
                ("/hooks/Stop".to_owned(), json!({"command": "ao hook x stop"})),
                ("/hooks/Start".to_owned(), json!({"command": "ao hook x start"})),
            ],
            values: vec![("/version".to_owned(), json!(1)), ("/a/b".to_owned(), json!(true))],
        }
    }

    #[test]
    fn a_users_file_keeps_every_byte_and_comes_back_whole() {
        for original in [
            "{\n  // mine\n  \"hooks\": {\n    \"Stop\": [ {\"command\": \"lint\"} ],\n    \"Other\": []\n  },\n  \"z\": 1,\n  \"a\": 2\n}",
            "{}",
            "{\"version\":1,\"hooks\":{}}\n",
            "{\t\"a\" : {\"b\":false , }}",
            "\n\n",
        ] {
            let addition = if original.contains("\"a\": 2") {
                let Addition::Json { entries, .. } = addition() else { unreachable!() };
                Addition::Json { entries, values: Vec::new() }
            } else {
                addition()
            };
            let merged = with(&addition, Some(original)).unwrap().unwrap();
            assert_eq!(with(&addition, Some(&merged)).unwrap().unwrap(), merged, "twice is once");
            let kept = original.trim().trim_end_matches('}').trim_end();
            for line in kept.lines().map(str::trim).filter(|line| line.starts_with("//")) {
                assert!(merged.contains(line), "{merged}");
            }
            let back = without(&addition, &merged, Some(original)).unwrap();
            assert_eq!(back.as_deref(), Some(original));
            assert_eq!(
                without(&addition, original, Some(original)).unwrap().as_deref(),
                Some(original)
            );
        }
    }

    #[test]
    fn a_file_of_aos_alone_goes_whole() {
        let merged = with(&addition(), None).unwrap().unwrap();
        assert_eq!(without(&addition(), &merged, None).unwrap(), None);
    }

    #[test]
    fn what_the_user_added_meanwhile_stays() {
        let original = "{\n  \"hooks\": {}\n}\n";
        let merged = with(&addition(), Some(original)).unwrap().unwrap();
        let changed = merged.replacen("\"hooks\": {", "\"mine\": [1], \"hooks\": {", 1);
        let back = without(&addition(), &changed, Some(original)).unwrap().unwrap();
        let value: Value = serde_json::from_str(&back).unwrap();
        assert_eq!(value, json!({"mine": [1], "hooks": {}}));
    }

    #[test]
    fn lines_and_texts() {
        let lines = Addition::Lines(vec!["/a".to_owned(), "/.gitignore".to_owned()]);
        for original in [None, Some("x"), Some("x\n"), Some("/a\nx\n")] {
            let merged = with(&lines, original).unwrap().unwrap();
            assert!(merged.ends_with("/.gitignore\n") && merged.contains("/a\n"), "{merged}");
            assert_eq!(without(&lines, &merged, original).unwrap().as_deref(), original);
        }
        let text = Addition::Text(format!("// {SENTINEL}\n"));
        assert_eq!(with(&text, Some("mine")).unwrap(), None);
        assert!(with(&text, None).unwrap().is_some());
        assert_eq!(without(&text, "mine", None).unwrap().as_deref(), Some("mine"));
        let changed = format!("// {SENTINEL}, changed");
        assert_eq!(without(&text, &changed, None).unwrap(), None);
        assert_eq!(without(&text, &changed, Some("as it was")).unwrap().unwrap(), "as it was");
    }

    #[test]
    fn a_file_that_is_no_json_is_refused() {
        assert!(with(&addition(), Some("hooks: yaml")).is_err());
        let error = with(&addition(), Some("{\"hooks\": []}")).unwrap_err().to_string();
        assert_eq!(error, "`/hooks/Stop` is no object");
    }
}
