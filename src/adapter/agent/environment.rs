//! The environment an agent is given.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::adapter::cmd::is_scrubbed;
use crate::model::id::{LaunchId, ProjectId, SessionId};

/// What an agent is told of itself.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The session it runs in.
    pub session: &'a SessionId,
    /// The session's project.
    pub project: &'a ProjectId,
    /// The issue it works on.
    pub issue: Option<&'a str>,
    /// The home of ao.
    pub home: &'a Path,
    /// This start of it.
    pub launch: &'a LaunchId,
    /// The first entry of its PATH, `<home>/bin`.
    pub path_first: &'a Path,
}

/// Returns the agent's whole environment, sorted by name: the caller's less `AO_*`, `TMUX*` and
/// `GIT_*`, then `configured`, then who it is, and its PATH.
pub fn environment(
    caller: impl Iterator<Item = (OsString, OsString)>,
    configured: &BTreeMap<String, String>,
    identity: &Identity<'_>,
) -> Vec<(OsString, OsString)> {
    let mut all: BTreeMap<OsString, OsString> =
        caller.filter(|(name, _)| !is_scrubbed(name)).collect();
    all.extend(configured.iter().map(|(name, value)| (name.into(), value.into())));
    for name in ["AO_SESSION", "AO_PROJECT", "AO_ISSUE", "AO_HOME", "AO_LAUNCH"] {
        all.remove(OsStr::new(name));
    }
    let mut set = |name: &str, value: OsString| all.insert(name.into(), value);
    set("AO_SESSION", identity.session.as_str().into());
    set("AO_PROJECT", identity.project.as_str().into());
    set("AO_HOME", identity.home.into());
    set("AO_LAUNCH", identity.launch.as_str().into());
    if let Some(issue) = identity.issue {
        set("AO_ISSUE", issue.into());
    }
    let path = all.remove(OsStr::new("PATH")).filter(|path| !path.is_empty());
    let path = path.unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    all.insert("PATH".into(), with_first(identity.path_first, &path));
    all.into_iter().collect()
}

/// Returns `path` with `first` in front, and nowhere else: an agent may start another one.
fn with_first(first: &Path, path: &OsStr) -> OsString {
    let others = std::env::split_paths(path).filter(|entry| entry != first);
    let mut whole = OsString::from(first);
    for entry in others {
        whole.push(":");
        whole.push(entry);
    }
    whole
}
