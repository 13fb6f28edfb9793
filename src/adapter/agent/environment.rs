//! The environment an agent is given.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::adapter::cmd::is_scrubbed;
use crate::model::collect::Sorted;
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
    /// The command line holds its task.
    pub has_task: bool,
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
    let mut all = caller.filter(|(name, _)| !is_scrubbed(name)).into_map();
    all.extend(configured.iter().map(|(name, value)| (name.into(), value.into())));
    for name in ["AO_SESSION", "AO_PROJECT", "AO_ISSUE", "AO_HOME", "AO_LAUNCH", "AO_TASK"] {
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
    if identity.has_task {
        set("AO_TASK", "given".into());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(caller: &[(&str, &str)], configured: &[(&str, &str)]) -> String {
        let (session, project) = ("web-1".parse().unwrap(), "web".parse().unwrap());
        let launch = "0123456789abcdef".parse().unwrap();
        let identity = Identity {
            session: &session,
            project: &project,
            issue: None,
            home: Path::new("/h"),
            launch: &launch,
            has_task: false,
            path_first: Path::new("/h/bin"),
        };
        let caller = caller.iter().map(|(name, value)| (name.into(), value.into()));
        let configured =
            configured.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        environment(caller, &configured, &identity)
            .iter()
            .map(|(name, value)| {
                format!("{}={}\n", name.to_string_lossy(), value.to_string_lossy())
            })
            .collect()
    }

    #[test]
    fn the_callers_marks_are_replaced_by_its_own() {
        let caller = [
            ("AO_SESSION", "web-9"),
            ("AO_ISSUE", "7"),
            ("AO_TRUST", "x"),
            ("GIT_DIR", "/x"),
            ("TMUX", "/x"),
            ("TMUX_PANE", "%1"),
            ("HOME", "/home/me"),
            ("PATH", "/h/bin:/usr/bin:/h/bin:/bin"),
        ];
        let configured = [("AO_LAUNCH", "forged"), ("AO_DEMO_SCRIPT", "/s"), ("HOME", "/other")];
        insta::assert_snapshot!(of(&caller, &configured), @r##"
        AO_DEMO_SCRIPT=/s
        AO_HOME=/h
        AO_LAUNCH=0123456789abcdef
        AO_PROJECT=web
        AO_SESSION=web-1
        HOME=/other
        PATH=/h/bin:/usr/bin:/bin
        "##);
    }

    #[test]
    fn there_is_always_a_path() {
        for caller in [&[("PATH", "")] as &[(&str, &str)], &[]] {
            let all = of(caller, &[]);
            assert!(all.contains("\nPATH=/h/bin:/usr/local/bin:/usr/bin:/bin\n"), "{all}");
        }
    }
}
