//! Panes, processes and worktrees that belong to no record, and processes that outlive their session.
//!
//! Looks and changes nothing: what nobody knows of may be somebody's work.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::tmux::Tmux;
use crate::adapter::{clock, fs, process};
use crate::invocation::World;
use crate::model::id::{LaunchId, SessionId};
use crate::model::record::Record;
use crate::session::intent::GRACE;
use crate::session::{SessionError, workspace};

/// Something of ours without a record, or without a session that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// What it is: "pane", "process", "worktree".
    pub what: &'static str,
    /// Where it is, and whose it is not.
    pub detail: String,
    /// What a person can do about it.
    pub hint: String,
}

/// The launches that are known, each with its session where that has ended.
type Launches = BTreeMap<LaunchId, Option<SessionId>>;

/// Returns everything of this home that no record, live or archived, knows of, and the processes
/// of sessions that have ended.
pub fn orphans(world: &World) -> Result<Vec<Orphan>, SessionError> {
    let mut launches = Launches::new();
    let mut workspaces = BTreeSet::new();
    let mut unreadable = BTreeSet::new();
    for id in all_ids(world)? {
        // A record that cannot be read may own anything; it is reported by itself.
        let Ok(loaded) = world.home.load(&id) else {
            unreadable.insert(OsString::from(id.as_str()));
            continue;
        };
        let ended = has_ended(world, &loaded.record).then_some(id);
        launches.extend(loaded.record.handles.launch.map(|launch| (launch, ended)));
        workspaces.extend(loaded.record.handles.workspace.map(|handle| handle.path));
    }
    let mut found = panes(world, &launches, &unreadable)?;
    // A process tells its launch and not its session: while one cannot be read, it may be that one's.
    if unreadable.is_empty() {
        found.extend(processes(world, &launches)?);
    }
    let layered = world.config(None)?;
    let root = workspace::root(world, &layered.config)?;
    for project in fs::names(&root)?.iter().filter(|name| !is_hidden(name)) {
        for name in fs::names(&root.join(project))? {
            let path = root.join(project).join(&name);
            if !workspaces.contains(&path) && !unreadable.contains(&name) {
                let hint = "`git worktree list` in its repository tells whose it is".to_owned();
                let detail = unknown(&path.display());
                found.push(Orphan { what: "worktree", detail, hint });
            }
        }
    }
    Ok(found)
}

fn all_ids(world: &World) -> Result<Vec<SessionId>, SessionError> {
    let mut ids = world.home.session_ids()?;
    ids.extend(world.home.archived_ids()?);
    Ok(ids)
}

fn is_hidden(name: &std::ffi::OsString) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Returns whether nothing of a session may run any more.
fn has_ended(world: &World, record: &Record) -> bool {
    // Whoever ends it is at work under an intent. A launcher that saw the end of its agent may
    // wait for the session's lock to say so.
    let last_word = GRACE + world.lock_timeout;
    let since = record.lifecycle.session.since;
    record.lifecycle.is_terminal()
        && record.intent.is_none()
        && since.is_none_or(|since| clock::now().since(since) > last_word)
}

fn unknown(what: &dyn std::fmt::Display) -> String {
    format!("{what} belongs to no session")
}

fn panes(
    world: &World,
    launches: &Launches,
    unreadable: &BTreeSet<OsString>,
) -> Result<Vec<Orphan>, SessionError> {
    let tmux = Tmux::new(world.home.root(), &world.config_directory)?;
    let panes = match tmux.probe() {
        Ok(panes) => panes.panes,
        Err(RuntimeError::Missing) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    // A pane without a mark was opened by hand beside an agent's.
    let marked = panes.iter().filter(|pane| !pane.launch.is_empty());
    let without = marked.filter(|pane| {
        !unreadable.contains(OsStr::new(&*pane.session))
            && pane.launch.parse::<LaunchId>().is_ok_and(|launch| !launches.contains_key(&launch))
    });
    Ok(without
        .map(|pane| Orphan {
            what: "pane",
            detail: unknown(&format_args!("{} in tmux session {}", pane.id, pane.session)),
            hint: format!("tmux -S {} kill-pane -t {}", tmux.socket().display(), pane.id),
        })
        .collect())
}

fn processes(world: &World, launches: &Launches) -> Result<Vec<Orphan>, SessionError> {
    let all = process::of_home(world.home.root()).map_err(SessionError::Proc)?;
    let orphan = |(pid, launch): (u32, String)| {
        let (detail, hint) = match launches.get(&launch.parse().ok()?) {
            Some(None) => return None,
            Some(Some(id)) => (format!("{pid} outlives session {id}"), format!("ao kill {id}")),
            None => (
                unknown(&format_args!("{pid}, of launch {launch},")),
                format!("`ps -fp {pid}` tells what it is"),
            ),
        };
        Some(Orphan { what: "process", detail, hint })
    };
    Ok(all.into_iter().filter_map(orphan).collect())
}
