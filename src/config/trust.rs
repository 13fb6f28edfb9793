//! What of a repository's configuration runs commands, and so needs a person's approval.
//!
//! Pure: approvals are an argument, kept in the project's record by the caller.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use sha2::{Digest, Sha256};

use crate::config::{Layered, Origin};
use crate::model::time::Timestamp;

/// The keys that hold commands.
const COMMAND_KEYS: &[&str] = &["workspace.post_create", "check.command"];

/// Commands of a repository that a person has to approve before they run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// SHA-256 in hexadecimal over the file's path and the commands.
    pub hash: String,
    /// What would run, one line per command, to be shown before approval.
    pub shown: Vec<String>,
}

/// Returns what of `layered` needs approval, `None` where nothing does.
///
/// Only commands whose value is the repository's own count: one that the user's configuration
/// replaced never runs.
pub fn approval(layered: &Layered) -> Option<Approval> {
    let mut hash = Sha256::new();
    let mut shown = Vec::new();
    for key in COMMAND_KEYS {
        let Some(Origin::Repository(path)) = layered.origins().get(*key) else { continue };
        let commands = match *key {
            "check.command" => layered.config.check.command.iter().cloned().collect(),
            _ => layered.config.workspace.post_create.clone(),
        };
        for command in commands {
            // Each part carries its length, so that no two lists of commands hash alike.
            for part in [path.as_os_str().as_bytes(), key.as_bytes()] {
                add(&mut hash, part);
            }
            hash.update((command.len() as u64).to_le_bytes());
            command.iter().for_each(|argument| add(&mut hash, argument.as_bytes()));
            shown.push(format!("{key}: {}", quoted(&command)));
        }
    }
    let digest = hash.finalize();
    let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    (!shown.is_empty()).then_some(Approval { hash, shown })
}

/// Returns whether a person, or the CI job by `AO_TRUST`, has approved exactly this.
pub fn is_trusted(
    approvals: &BTreeMap<String, Timestamp>,
    ci_env: Option<&str>,
    approval: &Approval,
) -> bool {
    approvals.contains_key(&approval.hash) || ci_env == Some(approval.hash.as_str())
}

fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// Returns the command as a person would type it; nothing in it can move the cursor.
fn quoted(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    let word = |argument: &String| {
        if !argument.is_empty() && argument.chars().all(plain) {
            argument.clone()
        } else {
            format!("{argument:?}")
        }
    };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::fs::{self, Durability};
    use crate::config::{Sources, load};

    fn approval_of(
        directory: &tempfile::TempDir,
        user: &str,
        repository: &str,
    ) -> Option<Approval> {
        let path = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::replace(&path, text.as_bytes(), Durability::Process).unwrap();
            path
        };
        let sources = Sources {
            user_file: path("user.toml", user),
            repository: Some(path("repository.toml", repository)),
            ..Sources::default()
        };
        approval(&load(&sources).unwrap())
    }

    #[test]
    fn commands_are_shown_and_a_change_asks_again() {
        let directory = tempfile::tempdir().unwrap();
        let commands = "workspace.post_create = [['npm', 'ci'], ['sh', '-c', 'a b\\n']]\ncheck.command = ['make']\n";
        let first = approval_of(&directory, "", &commands.replace('\'', "\"")).unwrap();
        assert_eq!(
            first.shown,
            [
                "workspace.post_create: npm ci",
                "workspace.post_create: sh -c \"a b\\n\"",
                "check.command: make",
            ]
        );
        let same = format!("agent = \"x\"\n{}", commands.replace('\'', "\""));
        assert_eq!(approval_of(&directory, "", &same).unwrap().hash, first.hash);
        let other = commands.replace('\'', "\"").replace("npm", "npx");
        assert_ne!(approval_of(&directory, "", &other).unwrap().hash, first.hash);
        let elsewhere = tempfile::tempdir().unwrap();
        let moved = approval_of(&elsewhere, "", &commands.replace('\'', "\"")).unwrap();
        assert_ne!(moved.hash, first.hash);
    }

    #[test]
    fn how_arguments_are_split_is_part_of_the_hash() {
        let directory = tempfile::tempdir().unwrap();
        let hash = |list: &str| {
            approval_of(&directory, "", &format!("workspace.post_create = {list}")).unwrap().hash
        };
        let all =
            [hash("[['a', 'b']]"), hash("[['ab']]"), hash("[['a'], ['b']]"), hash("[['a b']]")];
        assert_eq!(std::collections::BTreeSet::from(all).len(), 4);
    }

    #[test]
    fn the_users_own_commands_need_no_approval() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(approval_of(&directory, "check.command = ['make']", "agent = 'x'"), None);
        assert_eq!(approval_of(&directory, "", "workspace.post_create = []"), None);
    }

    #[test]
    fn only_the_same_hash_is_trusted() {
        let asked = Approval { hash: "abc".into(), shown: Vec::new() };
        let at = "2026-11-20T10:00:00Z".parse().unwrap();
        let approved = BTreeMap::from([("abc".to_owned(), at)]);
        assert!(is_trusted(&approved, None, &asked));
        assert!(is_trusted(&BTreeMap::new(), Some("abc"), &asked));
        for ci in [None, Some(""), Some("1"), Some("ab")] {
            assert!(!is_trusted(&BTreeMap::new(), ci, &asked), "{ci:?}");
        }
    }
}
