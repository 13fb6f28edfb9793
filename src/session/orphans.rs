//! Panes, processes and worktrees that belong to no record.
//!
//! Looks and changes nothing: what nobody knows of may be somebody's work.

use std::collections::BTreeSet;

use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::tmux::Tmux;
use crate::adapter::{fs, process};
use crate::invocation::World;
use crate::model::id::{LaunchId, SessionId};
use crate::session::{SessionError, workspace};

/// Something of ours without a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// What it is: "pane", "process", "worktree".
    pub what: &'static str,
    /// Where it is.
    pub detail: String,
    /// What a person can do about it.
    pub hint: String,
}

/// Returns everything of this home that no record, live or archived, knows of.
pub fn orphans(world: &World) -> Result<Vec<Orphan>, SessionError> {
    let mut launches = BTreeSet::new();
    let mut workspaces = BTreeSet::new();
    let mut unreadable = BTreeSet::new();
    for id in all_ids(world)? {
        // A record that cannot be read may own anything; it is reported by itself.
        let Ok(loaded) = world.home.load(&id) else {
            unreadable.insert(std::ffi::OsString::from(id.as_str()));
            continue;
        };
        launches.extend(loaded.record.handles.launch);
        workspaces.extend(loaded.record.handles.workspace.map(|handle| handle.path));
    }
    let mut found = panes(world, &launches)?;
    found.extend(processes(world, &launches)?);
    let layered = world.config(None)?;
    let root = workspace::root(world, &layered.config)?;
    for project in fs::names(&root)?.iter().filter(|name| !is_hidden(name)) {
        for name in fs::names(&root.join(project))? {
            let path = root.join(project).join(&name);
            if !workspaces.contains(&path) && !unreadable.contains(&name) {
                let hint = "`git worktree list` in its repository tells whose it is".to_owned();
                let detail = path.display().to_string();
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

fn panes(world: &World, launches: &BTreeSet<LaunchId>) -> Result<Vec<Orphan>, SessionError> {
    let tmux = Tmux::new(world.home.root(), &world.config_directory)?;
    let panes = match tmux.probe() {
        Ok(panes) => panes.panes,
        Err(RuntimeError::Missing) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    // A pane without a mark was opened by hand beside an agent's.
    let marked = panes.iter().filter(|pane| !pane.launch.is_empty());
    let unknown = marked.filter(|pane| {
        pane.launch.parse::<LaunchId>().is_ok_and(|launch| !launches.contains(&launch))
    });
    Ok(unknown
        .map(|pane| Orphan {
            what: "pane",
            detail: format!("{} in tmux session {}", pane.id, pane.session),
            hint: format!("tmux -S {} kill-pane -t {}", tmux.socket().display(), pane.id),
        })
        .collect())
}

fn processes(world: &World, launches: &BTreeSet<LaunchId>) -> Result<Vec<Orphan>, SessionError> {
    let all = process::of_home(world.home.root()).map_err(SessionError::Proc)?;
    let unknown = all.into_iter().filter(|(_, launch)| {
        launch.parse::<LaunchId>().is_ok_and(|launch| !launches.contains(&launch))
    });
    Ok(unknown
        .map(|(pid, launch)| Orphan {
            what: "process",
            detail: format!("{pid}, of launch {launch}"),
            hint: format!("`ps -fp {pid}` tells what it is"),
        })
        .collect())
}
