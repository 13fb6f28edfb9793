//! Who is told, as the user configured it.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use crate::model::effect::Priority;

/// Somebody or something that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifier {
    /// How.
    pub kind: NotifierKind,
    /// What of.
    pub priorities: Vec<Priority>,
}

/// How a notifier tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifierKind {
    /// A program that reads JSON on standard input.
    Command {
        /// Its argument vector, never empty.
        command: Vec<String>,
    },
    /// A file that gets JSON lines.
    File {
        /// Its absolute path.
        path: PathBuf,
    },
    /// The desktop's own notifications.
    Desktop,
}

impl<'de> Deserialize<'de> for Notifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Keys {
            kind: Option<String>,
            command: Option<Vec<String>>,
            path: Option<PathBuf>,
            priorities: Option<Vec<Priority>>,
        }
        let keys = Keys::deserialize(deserializer)?;
        let kind = match (keys.kind.as_deref(), keys.command, keys.path) {
            (Some("command"), Some(command), None) => NotifierKind::Command { command },
            (Some("file"), None, Some(path)) => NotifierKind::File { path },
            (Some("desktop"), None, None) => NotifierKind::Desktop,
            (_, _, _) => {
                return Err(serde::de::Error::custom(
                    "needs `kind = \"command\"` with `command`, `kind = \"file\"` with `path`, or `kind = \"desktop\"` alone",
                ));
            }
        };
        let priorities = keys.priorities.unwrap_or_else(|| Priority::ALL.to_vec());
        Ok(Self { kind, priorities })
    }
}
