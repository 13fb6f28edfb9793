//! Whether a conversation of an agent's belongs to a workspace.
//!
//! An id alone proves nothing: it may be of a conversation held elsewhere, and going on with that
//! would put one session's agent to another's work.

use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use crate::adapter::agent::card::Card;
use crate::adapter::agent::place::{self, Variables};
use crate::adapter::agent::template::{self, Part};
use crate::adapter::fs::{self, FsError};

/// How much of a conversation is searched for its directory, in bytes.
const SEARCHED: u64 = 4 << 20;

/// What is known of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It was held in this workspace.
    Here,
    /// Its card names no place to look at; what the agent itself reported has to do.
    Unasked,
    /// There is none of that id.
    Absent,
    /// It was held in another directory, or does not say where.
    Elsewhere,
}

/// Looks for the conversation `agent_session` where the card says that conversations are kept.
pub fn conversation(
    card: &Card,
    agent_session: &str,
    workspace: &Path,
    variables: Variables<'_>,
) -> Result<Proof, FsError> {
    let section = &card.conversation;
    if section.files.is_empty() {
        return Ok(Proof::Unasked);
    }
    // It becomes a part of a path, where a star would stand for any other's id.
    if agent_session.contains(['/', '*']) || agent_session.starts_with('.') {
        return Ok(Proof::Absent);
    }
    let mut proof = Proof::Absent;
    for word in &section.files {
        let Some(pattern) = pattern(word, agent_session, variables) else { continue };
        for file in matching(&pattern)? {
            if section.cwd.is_empty() || is_held_in(&file, &section.cwd, workspace)? {
                return Ok(Proof::Here);
            }
            proof = Proof::Elsewhere;
        }
    }
    Ok(proof)
}

/// Returns the path to look for, `*` still in it.
fn pattern(word: &str, agent_session: &str, variables: Variables<'_>) -> Option<PathBuf> {
    let id = template::parts(word)?.into_iter().map(|part| match part {
        Part::Name(name) if name == "agent_session" => Part::Text(agent_session.to_owned()),
        part @ (Part::Text(_) | Part::Name(_)) => part,
    });
    place::place_of(&id.collect::<Vec<_>>(), variables)
}

/// Returns the files whose path matches, `*` standing for any part of one name.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, FsError> {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.components().skip(1) {
        let part = part.as_os_str().to_string_lossy();
        if !part.contains('*') {
            found = found.into_iter().map(|path| path.join(part.as_ref())).collect();
            continue;
        }
        let regex = regex::escape(&part).replace(r"\*", ".*");
        let regex = Regex::new(&format!("^{regex}$")).expect("escaped text is a pattern");
        let mut deeper = Vec::new();
        for directory in found.iter().filter(|path| path.is_dir()) {
            let names = fs::names(directory)?.into_iter();
            let fitting = names.filter(|name| regex.is_match(&name.to_string_lossy()));
            deeper.extend(fitting.map(|name| directory.join(name)));
        }
        found = deeper;
    }
    Ok(found.into_iter().filter(|path| path.is_file()).collect())
}

/// Returns whether the conversation names `workspace` as the directory it was held in.
pub(super) fn is_held_in(
    file: &Path,
    pointers: &[String],
    workspace: &Path,
) -> Result<bool, FsError> {
    let Some(bytes) = fs::read_beginning(file, SEARCHED)? else { return Ok(false) };
    let real = fs::canonical(workspace).unwrap_or_else(|_| workspace.to_owned());
    let named = |value: &Value| {
        pointers.iter().any(|pointer| {
            let path = value.pointer(pointer).and_then(Value::as_str).map(Path::new);
            path.is_some_and(|path| path == workspace || path == real)
        })
    };
    let whole = serde_json::from_slice(&bytes).is_ok_and(|value| named(&value));
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(whole
        || lines.filter_map(|line| serde_json::from_slice(line).ok()).any(|value| named(&value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::agent::load_cards;
    use crate::adapter::fs::Durability;

    #[test]
    fn only_a_conversation_held_here_is_proved() {
        let home = tempfile::tempdir().unwrap();
        let mut card = load_cards(Path::new("/none")).unwrap().find("demo").unwrap().clone();
        let variables = |name: &str| (name == "HOME").then(|| home.path().as_os_str().to_owned());
        let proof = |card: &Card, id: &str, workspace: &str| {
            conversation(card, id, Path::new(workspace), &variables).unwrap()
        };
        assert_eq!(proof(&card, "abc", "/w"), Proof::Unasked);
        card.conversation.files = vec![
            "{env:NONE}/{agent_session}".into(),
            "{env:HOME}/p/*/x-{agent_session}.jsonl".into(),
        ];
        card.conversation.cwd = vec!["/cwd".into(), "/payload/cwd".into()];
        assert_eq!(proof(&card, "abc", "/w"), Proof::Absent);
        let directory = home.path().join("p/2026");
        fs::create_directories(&directory).unwrap();
        let write = |name: &str, text: &str| {
            fs::replace(&directory.join(name), text.as_bytes(), Durability::Process).unwrap();
        };
        write("x-abc.jsonl", "not json\n{\"a\":1}\n{\"payload\":{\"cwd\":\"/w\"}}\n");
        write("x-whole.jsonl", "{\n\"cwd\":\n\"/w\"}");
        write("x-silent.jsonl", "{}\n");
        // A session of weeks: only its beginning is read.
        write("x-long.jsonl", "{\"cwd\":\"/w\"}\n");
        let long = fs::open_append(&directory.join("x-long.jsonl")).unwrap();
        long.set_len(65 << 20).unwrap();
        let told = ["abc", "whole", "long", "silent", "none", "../2026/x-abc", ".x"];
        assert_eq!(
            told.map(|id| proof(&card, id, "/w")),
            [
                Proof::Here,
                Proof::Here,
                Proof::Here,
                Proof::Elsewhere,
                Proof::Absent,
                Proof::Absent,
                Proof::Absent
            ]
        );
        assert_eq!(proof(&card, "*", "/w"), Proof::Absent);
        assert_eq!(proof(&card, "abc", "/w/deeper"), Proof::Elsewhere);
        card.conversation.cwd = Vec::new();
        assert_eq!(proof(&card, "silent", "/w"), Proof::Here);
    }
}
