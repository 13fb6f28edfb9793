//! Who finishes what a dead owner began.
//!
//! A spawn or restore that is not recorded as complete is rolled back, whatever of it runs; kill
//! and cleanup are rolled forward, a cleanup as far as nothing is lost with it. A living owner's
//! intent is respected. Every step may have been done already: "already there" and "already gone"
//! are successes.

use std::time::Duration;

use crate::adapter::clock::{self, Deadline};
use crate::adapter::fs::{self, Durability};
use crate::adapter::git;
use crate::adapter::process::{self, Presence};
use crate::adapter::runtime::{OUTPUT_FILE, launcher, tmux::Tmux};
use crate::invocation::{self, World};
use crate::model::id::{LaunchId, SessionId};
use crate::model::record::{Intent, IntentOp, Record, RuntimeKind, WorkspaceHandle};
use crate::session::{SessionError, agent_files, cleanup, kill, spawn, start, workspace};

/// How long processes are given to end by themselves before they are killed.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long children of a dead `ao` (git, above all) are waited for.
const CHILDREN_DEADLINE: Duration = Duration::from_secs(10);

/// Lines of a last screen that are kept.
const SCREEN_LINES: u32 = 500;

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// There was none, or its owner lives.
    Nothing,
    /// It was finished.
    Finished(&'static str),
    /// It was undone.
    Undone(&'static str),
}

/// Returns an intent for this process.
pub fn begin(op: IntentOp, step: &str) -> Result<Intent, SessionError> {
    let owner = process::current().map_err(SessionError::Proc)?;
    Ok(Intent {
        op,
        step: step.to_owned(),
        pid: owner.pid,
        pid_start: owner.pid_start,
        boot_id: owner.boot_id,
        at: clock::now(),
        details: [].into(),
    })
}

/// Refuses a session that a living process is at work on.
pub fn require_free(id: &SessionId, record: &Record) -> Result<(), SessionError> {
    let Some(intent) = &record.intent else { return Ok(()) };
    match process::presence(&intent.owner()).map_err(SessionError::Proc)? {
        Presence::Alive if intent.pid != std::process::id() => {
            Err(SessionError::Busy { id: id.clone(), op: intent.op, pid: intent.pid })
        }
        Presence::Alive | Presence::Gone => Ok(()),
    }
}

/// Returns whether it is certain that the owner of an intent is dead.
pub fn is_abandoned(intent: &Intent) -> bool {
    process::presence(&intent.owner()).is_ok_and(|presence| presence == Presence::Gone)
}

/// Finishes or undoes what a dead owner began.
pub fn recover(world: &World, id: &SessionId, record: &Record) -> Result<Recovery, SessionError> {
    let Some(intent) = &record.intent else { return Ok(Recovery::Nothing) };
    if !inherit(world, id, intent)? {
        return Ok(Recovery::Nothing);
    }
    match (intent.op, intent.step.as_str()) {
        // A step that earlier versions recorded once the agent ran: all that was left to do then
        // was to say so.
        (IntentOp::Spawn | IntentOp::Restore, "runtime") => finish_spawn(world, id),
        (IntentOp::Spawn, _) => {
            undo_spawn(world, id, "the process that spawned it died")?;
            Ok(Recovery::Undone("spawn"))
        }
        (IntentOp::Restore, _) => {
            undo_restore(world, id, "the process that restored it died")?;
            Ok(Recovery::Undone("restore"))
        }
        (IntentOp::Kill, _) => {
            kill::finish(world, id)?;
            Ok(Recovery::Finished("kill"))
        }
        (IntentOp::Cleanup, _) => {
            let is_gone = cleanup::resume(world, id)?.kept.is_empty();
            Ok(if is_gone { Recovery::Finished("cleanup") } else { Recovery::Undone("cleanup") })
        }
    }
}

/// Finishes what a dead owner began, before something else is begun: an intent that is replaced
/// is never finished by anybody.
pub fn recover_first(world: &World, id: &SessionId) -> Result<(), SessionError> {
    let record = world.home.load(id)?.record;
    recover(world, id, &record).map(drop)
}

/// Puts this process in the place of an intent's owner; `false` where that one lives, or somebody
/// else was first.
pub fn inherit(world: &World, id: &SessionId, intent: &Intent) -> Result<bool, SessionError> {
    // What is this process's own is a recovery that failed and is due again: a waiter reaps many
    // times in its life.
    let is_own = intent.owner() == process::current().map_err(SessionError::Proc)?;
    if !is_own && process::presence(&intent.owner()).map_err(SessionError::Proc)? == Presence::Alive
    {
        return Ok(false);
    }
    // Two recoveries at once would undo each other's steps: the second finds a living owner.
    take_over(world, id, intent)
}

/// Puts this process in the dead owner's place, unless somebody else did so first.
fn take_over(world: &World, id: &SessionId, intent: &Intent) -> Result<bool, SessionError> {
    let me = process::current().map_err(SessionError::Proc)?;
    let mut taken = false;
    invocation::amend(world, id, "recover", |record| {
        if record.intent.as_ref() == Some(intent) {
            taken = true;
            record.intent = Some(Intent {
                pid: me.pid,
                pid_start: me.pid_start,
                boot_id: me.boot_id.clone(),
                ..intent.clone()
            });
        }
        Ok::<(), SessionError>(())
    })?;
    Ok(taken)
}

fn finish_spawn(world: &World, id: &SessionId) -> Result<Recovery, SessionError> {
    let record = world.home.load(id)?.record;
    let Some(handle) = record.handles.runtime else {
        undo_spawn(world, id, "the process that spawned it died")?;
        return Ok(Recovery::Undone("spawn"));
    };
    // A prompt that has to be pasted was put aside before the agent was started.
    let paste = start::paste_file(world, id);
    let paste = fs::read_own(&paste)?;
    let running = start::Running { handle, paste, resumed: false };
    spawn::complete(world, id, running)?;
    Ok(Recovery::Finished("spawn"))
}

/// Ends whatever of a launch runs: its processes by their marker, then its pane.
pub fn end_launch(
    world: &World,
    id: &SessionId,
    record: &Record,
    launch: &LaunchId,
) -> Result<(), SessionError> {
    let directory = world.home.session_dir(id);
    // A launcher that comes late has nothing to run; one that has read it already starts its
    // agent after the first look, and holds its lock until that agent has ended. Where it cannot be
    // withdrawn, what runs is to end all the same.
    let withdrawn = launcher::withdraw_spec(&directory, launch);
    let mut left = Vec::new();
    clock::poll_until(Deadline::after(GRACE), || match process::end_marked(launch, GRACE) {
        Ok(report) => {
            left = report.left;
            launcher::is_held(&directory).is_ok_and(|held| !held).then_some(Ok(()))
        }
        Err(error) => Some(Err(SessionError::Proc(error))),
    })
    .transpose()?;
    if !left.is_empty() {
        let pids = left.iter().map(|process| process.pid).collect();
        return Err(SessionError::Unkillable { id: id.clone(), pids });
    }
    if runtime_of(record) != Some(RuntimeKind::Process) {
        let tmux = Tmux::new(world.home.root(), &world.config_directory)?;
        let screen = tmux.close(id, launch, SCREEN_LINES)?;
        // So that `ao output` shows how the agent ended: a courtesy, and the pane is gone.
        if let Some(screen) = screen.filter(|screen| !screen.is_empty()) {
            let _ =
                fs::replace(&directory.join(OUTPUT_FILE), screen.as_bytes(), Durability::Process);
        }
    }
    Ok(withdrawn?)
}

/// Returns where a session lives or, before it does, where its spawn meant it to.
fn runtime_of(record: &Record) -> Option<RuntimeKind> {
    let planned = || record.intent.as_ref()?.details.get("runtime")?.as_str()?.parse().ok();
    record.handles.runtime.as_ref().map(|runtime| runtime.kind).or_else(planned)
}

/// Undoes a spawn: runtime, workspace, branch; then records that it failed.
pub fn undo_spawn(world: &World, id: &SessionId, why: &str) -> Result<(), SessionError> {
    let record = world.home.load(id)?.record;
    if let Some(launch) = &record.handles.launch {
        end_launch(world, id, &record, launch)?;
    }
    agent_files::uninstall(world, id, &record)?;
    let mut kept = Vec::new();
    if let Some(handle) = record.handles.workspace.as_ref().filter(|handle| handle.owned) {
        kept = undo_workspace(handle, id)?;
    }
    let removed = kept.is_empty();
    invocation::amend(world, id, "spawn", |record| {
        record.handles.runtime = None;
        if removed {
            record.handles.workspace = None;
        }
        Ok::<(), SessionError>(())
    })?;
    let detail = if removed { why.to_owned() } else { format!("{why}; kept: {}", kept.join("; ")) };
    spawn::failed(world, id, &detail)
}

/// Returns what had to be kept; a repository that is gone holds nothing to undo.
fn undo_workspace(handle: &WorkspaceHandle, id: &SessionId) -> Result<Vec<String>, SessionError> {
    require_uninhabited(handle, id)?;
    match workspace::repository_of(handle) {
        Ok(repository) => workspace::undo(&repository, handle, id),
        Err(_) if !handle.repo.exists() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until nobody is in the workspace: a git child of the dead owner gets SIGTERM when its
/// parent dies and cleans up after itself, and must be through before its leftovers are looked at.
fn require_uninhabited(handle: &WorkspaceHandle, id: &SessionId) -> Result<(), SessionError> {
    let mut inside = Vec::new();
    clock::poll_until(Deadline::after(CHILDREN_DEADLINE), || {
        inside = process::inside(&handle.path).ok()?;
        inside.is_empty().then_some(())
    });
    match inside.pop() {
        Some((pid, name)) => Err(SessionError::Inhabited { id: id.clone(), pid, name }),
        None => Ok(()),
    }
}

/// Undoes a restore: the runtime goes. A workspace that came back whole stays; of one that came
/// back half-way, what was in the trash is there again.
pub fn undo_restore(world: &World, id: &SessionId, why: &str) -> Result<(), SessionError> {
    let record = world.home.load(id)?.record;
    if let Some(launch) = &record.handles.launch {
        end_launch(world, id, &record, launch)?;
    }
    agent_files::uninstall(world, id, &record)?;
    if let Some(handle) = record.handles.workspace.as_ref().filter(|handle| handle.owned) {
        put_back(handle, id)?;
    }
    spawn::failed(world, id, why)
}

/// Takes a workspace back that was half restored; one that was there before stays as it is.
fn put_back(handle: &WorkspaceHandle, id: &SessionId) -> Result<(), SessionError> {
    let repository = match workspace::repository_of(handle) {
        Ok(repository) => repository,
        Err(_) if !handle.repo.exists() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !git::is_half_restored(&repository, handle, id)? {
        return Ok(());
    }
    require_uninhabited(handle, id)?;
    let _lock = workspace::lock_repository(&repository)?;
    Ok(git::undo_restore(&repository, handle, id)?)
}
