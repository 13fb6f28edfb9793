//! Cleanup: removes what a terminal session left, workspace included, and archives it.
//!
//! A workspace that holds anything that exists nowhere else stays, and the reason is told. A
//! cleanup that fails while the workspace is there is over: nobody goes on with it at another time.
//! Of one by force that was killed, only what it had saved is removed by whoever comes next.

use crate::adapter::git::{self, Assessment, BranchFate, Pool, Repository};
use crate::adapter::{agent, failpoint, fs};
use crate::invocation::{self, World};
use crate::model::id::SessionId;
use crate::model::lifecycle::PrState;
use crate::model::record::{IntentOp, Record, WorkspaceHandle};
use crate::model::sanitize;
use crate::model::status::Status;
use crate::session::{SessionError, agent_files, check, deliver, intent, review, workspace};
use crate::store::StoreError;

/// How long git may take to say whether a workspace is clean.
const ASSESS_DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

/// The key, in an intent, of the commit that a cleanup by force has saved everything in.
const PRESERVED: &str = "preserved";

/// What became of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Why its workspace was kept; empty where everything is gone.
    pub kept: Vec<String>,
    /// Whether force would overrule all of that.
    pub forcible: bool,
    /// Where the workspace went, until the trash is emptied.
    pub trash: Option<std::path::PathBuf>,
    /// Whether the workspace was kept for the next spawn.
    pub pooled: bool,
    /// What became of the branch.
    pub branch: Option<String>,
    /// The command that brings preserved work back.
    pub restore_command: Option<String>,
    /// How much is still to be delivered before it is archived.
    pub undelivered: usize,
}

impl Cleaned {
    /// Returns that the workspace was kept, as an error for who wanted it to go.
    pub fn kept_error(self, id: &SessionId) -> SessionError {
        SessionError::Kept { id: id.clone(), reasons: self.kept, forcible: self.forcible }
    }
}

/// Returns what a cleanup would do, changing nothing.
pub fn assess(world: &World, id: &SessionId, record: &Record) -> Result<Assessment, SessionError> {
    let Some(handle) = record.handles.workspace.as_ref().filter(|handle| handle.owned) else {
        return Ok(Assessment::Gone);
    };
    let layered = world.config_of(record)?;
    let root = workspace::root(world, &layered.config)?;
    let ours = agent::unwatched(&world.home.session_dir(id), &handle.path)?;
    Ok(git::assess(handle, id, &root, &layered.config.workspace.keep, &ours, ASSESS_DEADLINE))
}

/// Cleans one terminal session; with `force`, saves what would be lost and then removes it.
pub fn cleanup(world: &World, id: &SessionId, force: bool) -> Result<Cleaned, SessionError> {
    match cleanup_at(world, id, None, force) {
        // By whoever else finished what a dead owner began.
        Err(SessionError::Store(StoreError::Archived { id: gone })) if gone == *id => {
            Ok(Cleaned::default())
        }
        cleaned => Ok(cleaned?.expect("whatever its revision is will do")),
    }
}

/// [`cleanup`] without force of a session that is as it was at `revision`; `None`, with nothing
/// done, where somebody has changed it since.
pub fn cleanup_unchanged(
    world: &World,
    id: &SessionId,
    revision: u64,
) -> Result<Option<Cleaned>, SessionError> {
    cleanup_at(world, id, Some(revision), false)
}

fn cleanup_at(
    world: &World,
    id: &SessionId,
    expected: Option<u64>,
    force: bool,
) -> Result<Option<Cleaned>, SessionError> {
    if let Some(cleaned) = finish_first(world, id)?
        && cleaned.kept.is_empty()
    {
        return Ok(Some(cleaned));
    }
    let Some(record) = claim(world, id, expected)? else { return Ok(None) };
    pass("cleanup.recorded")?;
    run(world, id, &record, force).map(Some)
}

/// Finishes what a dead owner began; returns what came of it where that was a cleanup, too.
fn finish_first(world: &World, id: &SessionId) -> Result<Option<Cleaned>, SessionError> {
    let record = world.home.load(id)?.record;
    match record.intent.as_ref().filter(|intent| intent.op == IntentOp::Cleanup) {
        Some(intent) if intent::inherit(world, id, intent)? => resume(world, id).map(Some),
        Some(_) => Ok(None),
        None => intent::recover(world, id, &record).map(|_| None),
    }
}

/// Goes on with a cleanup whose owner died.
pub fn resume(world: &World, id: &SessionId) -> Result<Cleaned, SessionError> {
    let record = world.home.load(id)?.record;
    run(world, id, &record, false)
}

/// Refuses a session that lives, or that a living process is at work on.
pub fn require_possible(id: &SessionId, record: &Record) -> Result<(), SessionError> {
    intent::require_free(id, record)?;
    if record.lifecycle.is_terminal() {
        return Ok(());
    }
    Err(SessionError::WrongState {
        id: id.clone(),
        status: Status::of(&record.lifecycle),
        why: "only a session that has ended can be cleaned up",
    })
}

fn claim(
    world: &World,
    id: &SessionId,
    expected: Option<u64>,
) -> Result<Option<Record>, SessionError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    if expected.is_some_and(|revision| locked.record().revision != revision) {
        return Ok(None);
    }
    let claimed = invocation::amend_locked(&mut locked, "cleanup", |record| {
        require_possible(id, record)?;
        record.intent = Some(intent::begin(IntentOp::Cleanup, "recorded")?);
        if let Some(workspace) = &mut record.handles.workspace {
            // That of an earlier cleanup, before a restore.
            workspace.tip = None;
        }
        Ok::<(), SessionError>(())
    })?;
    Ok(Some(claimed))
}

/// Does all of it; where that fails, lets go of the intent unless the workspace is gone by then.
fn run(
    world: &World,
    id: &SessionId,
    record: &Record,
    force: bool,
) -> Result<Cleaned, SessionError> {
    let cleaned = carry_out(world, id, record, force);
    let has_failed = cleaned.as_ref().is_err_and(|error| !error.is_put_away());
    if has_failed && !is_workspace_gone(record) {
        let free = |record: &mut Record| {
            record.intent = None;
            Ok::<(), SessionError>(())
        };
        if let Err(error) = invocation::amend(world, id, "cleanup", free) {
            tracing::warn!("the cleanup of {id} is not given up yet: {error}");
        }
    }
    cleaned
}

fn is_workspace_gone(record: &Record) -> bool {
    record.handles.workspace.as_ref().is_some_and(|handle| handle.owned && is_gone(handle))
}

fn is_gone(handle: &WorkspaceHandle) -> bool {
    matches!(fs::metadata(&handle.path), Ok(None))
}

fn carry_out(
    world: &World,
    id: &SessionId,
    record: &Record,
    force: bool,
) -> Result<Cleaned, SessionError> {
    if let Some(launch) = &record.handles.launch {
        intent::end_launch(world, id, record, launch)?;
    }
    check::end(world, id)?;
    pass("cleanup.ended")?;
    review::worker_is_cleaned_up(world, id)?;
    agent_files::uninstall(world, id, record)?;
    pass("cleanup.uninstalled")?;
    let mut cleaned = Cleaned::default();
    let workspace = record.handles.workspace.as_ref();
    if let Some(handle) = workspace.filter(|handle| handle.owned) {
        remove_workspace(world, id, record, handle, force, &mut cleaned)?;
    }
    pass("cleanup.removed")?;
    // Once it is archived nobody delivers what its outbox still holds; the second round tells of
    // the texts that the first found to be undeliverable.
    deliver::deliver(world, id, deliver::Patience::Foreground)?;
    deliver::deliver(world, id, deliver::Patience::Foreground)?;
    cleaned.undelivered = release(world, id, cleaned.kept.is_empty())?;
    Ok(cleaned)
}

/// Lets go of the intent and archives what is wholly gone, under one lock: a restore in between
/// would find its session archived under it. Returns how much is to be delivered before that.
fn release(world: &World, id: &SessionId, wholly_gone: bool) -> Result<usize, SessionError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    let record = invocation::amend_locked(&mut locked, "cleanup", |record| {
        record.intent = None;
        let launch = record.handles.launch.as_ref();
        record.cleaned = launch.filter(|_| wholly_gone).cloned();
        Ok::<(), SessionError>(())
    })?;
    pass("cleanup.released")?;
    let undelivered = record.undelivered().count();
    if wholly_gone && undelivered == 0 {
        locked.archive()?;
    }
    Ok(undelivered)
}

/// Returns whether all that is left to do for a session is to archive it: it was cleaned up since
/// it last ran, and what it had to say then is told.
pub fn is_only_to_be_archived(record: &Record) -> bool {
    let is_cleaned = record.cleaned.is_some() && record.cleaned == record.handles.launch;
    is_cleaned
        && record.intent.is_none()
        && record.lifecycle.is_terminal()
        && record.undelivered().next().is_none()
}

/// Archives a session of which [`is_only_to_be_archived`] was true; returns whether it still was.
pub fn archive(world: &World, id: &SessionId) -> Result<bool, SessionError> {
    let locked = world.home.lock_session(id, world.lock_timeout)?;
    let is_due = is_only_to_be_archived(locked.record());
    if is_due {
        locked.archive()?;
    }
    Ok(is_due)
}

fn remove_workspace(
    world: &World,
    id: &SessionId,
    record: &Record,
    handle: &WorkspaceHandle,
    force: bool,
    cleaned: &mut Cleaned,
) -> Result<(), SessionError> {
    let layered = world.config_of(record)?;
    let root = workspace::root(world, &layered.config)?;
    let repository = match workspace::repository_of(handle) {
        Ok(repository) => repository,
        Err(error) => {
            cleaned.kept = vec![git::Keep::Unknown(sanitize::chain(&error)).to_string()];
            return Ok(());
        }
    };
    // Before the look: others may hold it for minutes, and somebody may work there meanwhile. A
    // look at a large workspace with changes is a second that they wait.
    let _lock = workspace::lock_repository(&repository)?;
    let saved = saved_by_the_dead(record);
    let mut preserved = saved.is_some();
    match assess(world, id, record)? {
        Assessment::Gone => {}
        Assessment::Removable { .. } => {
            let pool = workspace::pool(handle, &layered.config);
            let keep = |pool: Pool| keep_for_others(world, id, &repository, handle, &pool);
            cleaned.pooled = pool.is_some_and(keep);
            match cleaned.pooled {
                true => git::unregister(&repository, handle, id)?,
                false => cleaned.trash = git::remove(&repository, handle, id, &root)?.trash,
            }
        }
        Assessment::Keep(reasons) => {
            let may_go = (force || preserved) && reasons.iter().all(git::Keep::is_forcible);
            let keep = &layered.config.workspace.keep;
            let again = may_go.then(|| git::preserve(handle, id, keep)).transpose()?;
            let Some(again) = again.filter(|it| force || saved.as_ref() == Some(&it.sha)) else {
                cleaned.kept = reasons.iter().map(ToString::to_string).collect();
                cleaned.forcible = reasons.iter().all(git::Keep::is_forcible);
                // Of one by force that was killed while it saved.
                return Ok(git::tidy_entry(&repository, &handle.path)?);
            };
            note_saved(world, id, &again.sha)?;
            cleaned.restore_command = Some(again.restore_command);
            preserved = true;
            pass("cleanup.preserved")?;
            cleaned.trash = git::remove(&repository, handle, id, &root)?.trash;
        }
    }
    keep_what_was_merged(&repository, id, record, handle)?;
    cleaned.branch = match git::delete_branch(&repository, handle, preserved)? {
        BranchFate::Deleted { .. } => Some("deleted".to_owned()),
        BranchFate::Kept(why) => Some(format!("kept: {why}")),
        BranchFate::Absent => None,
    };
    Ok(())
}

/// Returns the commit that a cleanup by force had saved everything in when its owner died: the
/// same files make the same one again.
fn saved_by_the_dead(record: &Record) -> Option<String> {
    Some(record.intent.as_ref()?.details.get(PRESERVED)?.as_str()?.to_owned())
}

fn note_saved(world: &World, id: &SessionId, sha: &str) -> Result<(), SessionError> {
    let note = |record: &mut Record| {
        if let Some(intent) = &mut record.intent {
            intent.details.insert(PRESERVED.to_owned(), sha.into());
        }
        Ok::<(), SessionError>(())
    };
    invocation::amend(world, id, "cleanup", note).map(drop)
}

/// Lets the next spawns have a clean workspace, where the pool has room for it; `false` where it
/// is to be removed as any other. The caller holds the lock.
fn keep_for_others(
    world: &World,
    id: &SessionId,
    repository: &Repository,
    handle: &WorkspaceHandle,
    pool: &Pool,
) -> bool {
    // By this, or by whoever died in the middle of it.
    let mut is_noted = handle.tip.is_some();
    let mut keep = || -> Result<bool, SessionError> {
        if let Some(why) = git::refuses(repository, handle, pool)? {
            tracing::info!("the workspace of {id} is removed, not kept: {why}");
            return Ok(false);
        }
        // Before it goes, for its branch may go with it.
        let tip = match &handle.branch {
            Some(branch) => repository.branch_tip(branch.as_str())?,
            None => None,
        };
        is_noted = true;
        note_tip(world, id, tip)?;
        pass("cleanup.tip")?;
        git::retire(repository, handle, id, pool)?;
        Ok(true)
    };
    let told = |error: SessionError| tracing::warn!("the workspace of {id} is not kept: {error}");
    let is_kept = keep().map_err(told).unwrap_or(false);
    if !is_kept && is_noted && !is_gone(handle) {
        let _ = note_tip(world, id, None).map_err(told);
    }
    is_kept
}

/// Records where the branch was when the workspace went into the pool; a restore then looks for
/// nothing in the trash.
fn note_tip(world: &World, id: &SessionId, tip: Option<String>) -> Result<(), SessionError> {
    let note = |record: &mut Record| {
        if let Some(workspace) = &mut record.handles.workspace {
            workspace.tip = tip;
        }
        Ok::<(), SessionError>(())
    };
    invocation::amend(world, id, "cleanup", note).map(drop)
}

/// Gives the tip of a branch a name of its own where that very commit was merged: a squash or a
/// rebase, by whomever, has other commits, and the branch may go all the same.
fn keep_what_was_merged(
    repository: &Repository,
    id: &SessionId,
    record: &Record,
    handle: &WorkspaceHandle,
) -> Result<(), SessionError> {
    let (Some(branch), Some(head)) = (&handle.branch, &record.lifecycle.pr.head_sha) else {
        return Ok(());
    };
    let is_tip =
        || Ok::<_, SessionError>(repository.branch_tip(branch.as_str())?.as_ref() == Some(head));
    if handle.branch_created && record.lifecycle.pr.state == PrState::Merged && is_tip()? {
        git::keep_merged(repository, id, head)?;
    }
    Ok(())
}

fn pass(point: &'static str) -> Result<(), SessionError> {
    failpoint::pass(point).map_err(SessionError::Proc)
}
