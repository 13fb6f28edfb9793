//! Names that reach file paths, tmux targets and git refs, as types that only hold safe ones.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest id: long enough to read, short enough for a socket path and a branch name.
pub const MAX_ID_LEN: usize = 48;

/// A text that cannot be an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {what}: {why}")]
pub struct InvalidId {
    /// What it was meant to be: "session id", "project id", "branch name".
    pub what: &'static str,
    /// The text, shortened and without control characters where it is shown.
    pub text: String,
    /// The rule it breaks.
    pub why: &'static str,
}

impl InvalidId {
    fn new(what: &'static str, text: &str, why: &'static str) -> Self {
        const SHOWN: usize = 60;
        let text = if text.chars().count() > SHOWN {
            text.chars().take(SHOWN).chain(['…']).collect()
        } else {
            text.to_owned()
        };
        Self { what, text, why }
    }
}

/// Checks `[a-z0-9][a-z0-9-]{0,47}`.
fn check_id(what: &'static str, text: &str) -> Result<(), InvalidId> {
    let error = |why| Err(InvalidId::new(what, text, why));
    if text.is_empty() {
        return error("it is empty");
    }
    if text.len() > MAX_ID_LEN {
        return error("it is longer than 48 characters");
    }
    if text.starts_with('-') {
        return error("it starts with a hyphen");
    }
    if !text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return error("only a-z, 0-9 and hyphens are allowed");
    }
    Ok(())
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                $check($what, text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                $check($what, &text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id_type!(
    /// The name of a session: `[a-z0-9][a-z0-9-]{0,47}`, never used twice.
    SessionId,
    "session id",
    check_id
);
id_type!(
    /// The name of a project: `[a-z0-9][a-z0-9-]{0,47}`.
    ProjectId,
    "project id",
    check_id
);
id_type!(
    /// One start of a session's process: random lower-case hexadecimal, 32 digits.
    LaunchId,
    "launch id",
    check_launch
);
id_type!(
    /// A local branch name without `refs/heads/`, safe as an argument to git.
    ///
    /// Narrower than `git check-ref-format`, which accepts `` `id` ``, `;ls` and `FETCH_HEAD`.
    BranchName,
    "branch name",
    check_branch
);

fn check_launch(what: &'static str, text: &str) -> Result<(), InvalidId> {
    if (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(())
    } else {
        Err(InvalidId::new(what, text, "it is not 8 to 64 hexadecimal digits"))
    }
}

fn check_branch(what: &'static str, text: &str) -> Result<(), InvalidId> {
    let error = |why| Err(InvalidId::new(what, text, why));
    if text.is_empty() {
        return error("it is empty");
    }
    if text.len() > 200 {
        return error("it is longer than 200 bytes");
    }
    if !text.starts_with(|c: char| c.is_alphanumeric()) {
        return error("it does not start with a letter or a digit");
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '/' | '-' | '+' | '#');
    if !text.chars().all(allowed) {
        return error("only letters, digits and . _ / - + # are allowed");
    }
    if text.contains("..") || text.contains("//") || text.contains("/.") {
        return error("it contains `..`, `//` or `/.`");
    }
    if text.ends_with(['/', '.']) || text.split('/').any(|part| part.ends_with(".lock")) {
        return error("a part of it ends in `/`, `.` or `.lock`");
    }
    if text.starts_with("refs/") || matches!(text, "HEAD" | "FETCH_HEAD" | "ORIG_HEAD") {
        return error("it is reserved by git");
    }
    Ok(())
}

/// Returns a commit as short as people write it.
pub fn short(sha: &str) -> &str {
    sha.get(..12).unwrap_or(sha)
}

impl SessionId {
    /// Returns the id of the `number`-th session of `project`: `<project>-<n>`.
    ///
    /// A project id too long to carry the number is shortened.
    pub fn numbered(project: &ProjectId, number: u64) -> Self {
        let suffix = format!("-{number}");
        let room = MAX_ID_LEN - suffix.len();
        let stem: String = project.as_str().chars().take(room).collect();
        Self(format!("{}{suffix}", stem.trim_end_matches('-')))
    }
}

impl ProjectId {
    /// Returns the id made of a folder's name: lower case, every other run of characters a
    /// hyphen, `project` where nothing is left.
    pub fn from_folder_name(name: &str) -> Self {
        let mut id = String::new();
        for c in name.chars() {
            let c = c.to_ascii_lowercase();
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                id.push(c);
            } else if !id.is_empty() && !id.ends_with('-') {
                id.push('-');
            }
            // Room for `-<number>` in session ids.
            if id.len() >= MAX_ID_LEN - 12 {
                break;
            }
        }
        let id = id.trim_end_matches('-');
        Self(if id.is_empty() { "project".to_owned() } else { id.to_owned() })
    }
}

/// A process that cannot be confused with a later one of the same number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ProcessIdentity {
    /// The process number.
    pub pid: u32,
    /// Its start time in clock ticks since boot (field 22 of `/proc/<pid>/stat`).
    pub pid_start: u64,
    /// The boot it lived in (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_accept_only_what_is_safe_everywhere() {
        for good in ["web-1", "a", "0", "x-y-z", &"a".repeat(48)] {
            assert!(good.parse::<SessionId>().is_ok(), "{good}");
        }
        for bad in
            ["", "-rf", "../x", "a;b", "a b", "A", "ä", "a_b", "a.b", "a\n", &"a".repeat(300)]
        {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn branch_names_refuse_what_git_or_a_shell_would_misread() {
        for good in ["ao/web-7", "feature/x_y", "v1.2", "fix#3", "größe"] {
            assert!(good.parse::<BranchName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-b",
            "--force",
            "a b",
            "a..b",
            "a//b",
            "a/.b",
            "a/",
            "a.",
            "x.lock",
            "x.lock/y",
            "`id`",
            ";ls",
            "@",
            "HEAD",
            "FETCH_HEAD",
            "refs/heads/x",
            "a~1",
            "a^",
            "a:b",
            "a*",
            "a\\b",
            "a\u{7f}",
            &"a".repeat(300),
        ] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn project_ids_come_from_any_folder_name() {
        let id = |name: &str| ProjectId::from_folder_name(name).to_string();
        assert_eq!(id("My Web.App"), "my-web-app");
        assert_eq!(id("--x--"), "x");
        assert_eq!(id("日本"), "project");
        assert_eq!(id(&"long".repeat(40)).len(), 36);
    }

    #[test]
    fn numbered_session_ids_stay_valid() {
        let project: ProjectId = "a".repeat(48).parse().unwrap();
        let id = SessionId::numbered(&project, u64::MAX);
        assert!(id.as_str().parse::<SessionId>().is_ok());
        assert!(id.as_str().ends_with(&u64::MAX.to_string()));
    }
}
