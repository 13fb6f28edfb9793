//! What belongs to the agent of a session outside its record: hook files, answers to first-run
//! dialogs, the conversation it can go on with.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::adapter::agent::{self, Card, Places, Proof};
use crate::adapter::ids;
use crate::config::Config;
use crate::invocation::World;
use crate::model::id::SessionId;
use crate::model::record::{Mode, Record};
use crate::session::SessionError;

/// A variable as the agent sees it: the configuration's, else the caller's.
fn variable(world: &World, config: &Config, name: &str) -> Option<OsString> {
    let configured = config.env.get(name).map(OsString::from);
    configured.or_else(|| world.variables.get(OsStr::new(name)).cloned())
}

/// Installs hooks and answers first-run dialogs; returns what the person should know.
pub fn install(
    world: &World,
    id: &SessionId,
    record: &Record,
    config: &Config,
    card: &Card,
) -> Result<Vec<String>, SessionError> {
    let Some(handle) = &record.handles.workspace else { return Ok(Vec::new()) };
    let places = Places {
        ao: &world.home.root().join("bin/ao"),
        session_dir: &world.home.session_dir(id),
        workspace: &handle.path,
        owned: handle.owned,
    };
    // Two at once would each write the agent's own file without the other's answer.
    let _lock = match card.trust.is_empty() {
        true => None,
        false => Some(world.home.lock_file("trust.lock", world.lock_timeout)?),
    };
    Ok(agent::install(card, &places, &|name| variable(world, config, name))?)
}

/// Takes away what [`install`] put there.
pub fn uninstall(world: &World, id: &SessionId, record: &Record) -> Result<(), SessionError> {
    let directory = world.home.session_dir(id);
    if !agent::is_installed(&directory) {
        return Ok(());
    }
    let _lock = world.home.lock_file("trust.lock", world.lock_timeout)?;
    Ok(agent::uninstall(&directory, workspace_of(record))?)
}

/// Returns where the agent of `record` works; nowhere, where it has no place.
pub fn workspace_of(record: &Record) -> &Path {
    record.handles.workspace.as_ref().map_or(Path::new(""), |handle| &handle.path)
}

/// How a restored agent begins.
#[derive(Debug, Default)]
pub struct Beginning {
    /// The id of its conversation, where it is known before the agent tells.
    pub conversation: Option<String>,
    /// It goes on with that conversation; else it begins one of that id.
    pub resumes: bool,
    /// Why it starts afresh, where a person would expect otherwise.
    pub note: Option<String>,
}

/// Returns the conversation that `record`'s agent can go on with: its own, and held in this
/// workspace.
pub fn beginning(
    world: &World,
    record: &Record,
    config: &Config,
    card: &Card,
) -> Result<Beginning, SessionError> {
    // What runs to its end by itself is run again.
    if record.mode == Mode::OneShot {
        let conversation = card.chooses_session().then(ids::uuid);
        return Ok(Beginning { conversation, ..Beginning::default() });
    }
    let afresh = |why: String| {
        let conversation = card.chooses_session().then(ids::uuid);
        let note = Some(format!("{} starts afresh: {why}", card.name()));
        Ok(Beginning { conversation, resumes: false, note })
    };
    if card.agent.resume.is_none() {
        return afresh("it cannot resume a conversation".to_owned());
    }
    let Some(conversation) = &record.handles.agent_session else {
        return afresh("it never told the id of its conversation".to_owned());
    };
    let workspace = record.handles.workspace.as_ref().map(|handle| handle.path.as_path());
    let workspace = workspace.unwrap_or(Path::new("/"));
    let variables = |name: &str| variable(world, config, name);
    match agent::conversation(card, conversation, workspace, &variables)? {
        Proof::Here | Proof::Unasked => {
            let conversation = Some(conversation.clone());
            Ok(Beginning { conversation, resumes: true, note: None })
        }
        Proof::Absent => afresh(format!("there is no conversation {conversation}")),
        Proof::Elsewhere => {
            afresh(format!("conversation {conversation} was not held in this workspace"))
        }
    }
}
