//! Starts the agent of a session in its runtime: the part that spawn and restore share.

use std::path::{Path, PathBuf};

use crate::adapter::agent::{self, Card, Identity, LaunchRequest, Stdin};
use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::runtime::{self, LaunchSpec, StdinSource, process_runtime, tmux::Tmux};
use crate::config::Config;
use crate::invocation::World;
use crate::model::id::{LaunchId, SessionId};
use crate::model::record::{Kind, Mode, Record, RuntimeHandle, RuntimeKind, WorkspaceHandle};
use crate::model::status::Status;
use crate::session::{SessionError, agent_files};
use crate::store::home;

/// What the agent is started with.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// Its card.
    pub card: &'a Card,
    /// The prompt, byte for byte.
    pub prompt: Option<&'a [u8]>,
    /// The system prompt.
    pub system: Option<&'a str>,
    /// The agent's own conversation to go on with.
    pub resume: Option<&'a str>,
    /// Where it is to live.
    pub runtime: RuntimeKind,
}

/// An agent that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it lives.
    pub handle: RuntimeHandle,
    /// A prompt that still has to be pasted.
    pub paste: Option<Vec<u8>>,
    /// It goes on with its own conversation.
    pub resumed: bool,
}

/// A rendered launch, its files written: everything but the start itself.
#[derive(Debug)]
pub struct Prepared {
    spec: LaunchSpec,
    runtime: RuntimeKind,
    paste: Option<Vec<u8>>,
    resumed: bool,
}

/// Returns where the session works, also where that is the repository itself.
///
/// A session whose spawn was undone has no such place, and nobody says that it may work in the
/// directory somebody happens to stand in.
pub fn require_workspace<'a>(
    id: &SessionId,
    record: &'a Record,
) -> Result<&'a WorkspaceHandle, SessionError> {
    record.handles.workspace.as_ref().ok_or_else(|| SessionError::WrongState {
        id: id.clone(),
        status: Status::of(&record.lifecycle),
        why: "its workspace was never made, so only a new `ao spawn` can start its task",
    })
}

/// Writes the agent's files and renders its command line.
pub fn prepare(
    world: &World,
    id: &SessionId,
    record: &Record,
    launch: &LaunchId,
    config: &Config,
    task: &Task<'_>,
    notes: &mut Vec<String>,
) -> Result<Prepared, SessionError> {
    let workspace = require_workspace(id, record)?.path.clone();
    notes.extend(agent_files::install(world, id, record, config, task.card)?);
    let directory = world.home.session_dir(id);
    let invocation = agent::render(&LaunchRequest {
        card: task.card,
        mode: record.mode,
        permission: record.permission.as_deref(),
        review: record.kind == Kind::Reviewer,
        model: record.model.as_deref(),
        prompt: task.prompt,
        system: task.system,
        session_dir: &directory,
        agent_session: task.resume,
        new_session: record.handles.agent_session.as_deref(),
        workspace: &workspace,
    })?;
    for (path, bytes) in &invocation.files {
        fs::replace(path, bytes, Durability::Process)?;
    }
    match &invocation.paste {
        Some(paste) => fs::replace(&paste_file(world, id), paste, Durability::PowerCut)?,
        // That of an earlier launch must not be pasted into this one.
        None => fs::remove_file(&paste_file(world, id))?,
    }
    let stdin = stdin_of(invocation.stdin, task.runtime, record, &directory)?;
    let project = record.project.clone().ok_or_else(|| SessionError::WrongState {
        id: id.clone(),
        status: Status::of(&record.lifecycle),
        why: "its record names no project",
    })?;
    let mut env = agent::environment(
        world.variables.iter().map(|(name, value)| (name.clone(), value.clone())),
        &config.env,
        &Identity {
            session: id,
            project: &project,
            issue: record.issue.as_deref(),
            home: world.home.root(),
            launch,
            has_task: task.prompt.is_some() && invocation.paste.is_none(),
            path_first: &program_directory(world)?,
        },
    );
    for (name, value) in invocation.environment {
        env.retain(|(known, _)| *known != *name);
        env.push((name.into(), value));
    }
    let spec = LaunchSpec {
        session: id.clone(),
        launch: launch.clone(),
        session_dir: directory,
        cwd: workspace,
        argv: invocation.argv,
        env,
        stdin,
        size: config.pane_size,
        config_directory: world.config_directory.clone(),
    };
    Ok(Prepared {
        spec,
        runtime: task.runtime,
        paste: invocation.paste,
        resumed: invocation.resumed,
    })
}

/// Returns where the agent reads from.
fn stdin_of(
    stdin: Stdin,
    runtime: RuntimeKind,
    record: &Record,
    directory: &Path,
) -> Result<StdinSource, SessionError> {
    Ok(match stdin {
        // Without a terminal, an agent that stays still needs a way to be spoken to.
        Stdin::Terminal if runtime == RuntimeKind::Process && stays(record) => {
            StdinSource::File(process_runtime::make_input(directory)?.into())
        }
        Stdin::Terminal => StdinSource::Terminal,
        Stdin::Null => StdinSource::Null,
        Stdin::File(path) => StdinSource::File(path.into()),
    })
}

fn stays(record: &Record) -> bool {
    record.mode == Mode::Interactive
}

/// Returns where a prompt that has to be pasted waits until the spawn is complete.
pub fn paste_file(world: &World, id: &SessionId) -> PathBuf {
    world.home.session_dir(id).join("paste.md")
}

/// Starts what was prepared and waits for the launcher's handshake.
pub fn start(world: &World, prepared: Prepared) -> Result<Running, SessionError> {
    let started = match prepared.runtime {
        RuntimeKind::Tmux => {
            Tmux::new(world.home.root(), &world.config_directory)?.start(&prepared.spec)?
        }
        RuntimeKind::Process => process_runtime::start(&prepared.spec)?,
    };
    Ok(Running { handle: started.handle, paste: prepared.paste, resumed: prepared.resumed })
}

/// Returns `<home>/bin`, which holds nothing but a link to this very `ao`.
///
/// Hooks find their `ao` by it, whatever else is called `ao` on the user's PATH.
pub(super) fn program_directory(world: &World) -> Result<PathBuf, SessionError> {
    let directory = world.home.root().join("bin");
    let link = directory.join("ao");
    let program = runtime::ao_program().map_err(FsError::at("find", &link))?;
    fs::create_private_directories(&directory)?;
    // It is the first place in which an agent's programs are looked for.
    home::check_directory(&directory)?;
    fs::replace_link(&link, &program)?;
    Ok(directory)
}
