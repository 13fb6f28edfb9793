//! The part of a pass that removes: what sessions left, what pools hold too much, what has been in
//! the trash for long enough.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapter::failpoint;
use crate::adapter::git::{self, Assessment, GitError, Keep, Pool, Tended};
use crate::invocation::World;
use crate::model::facts::KillCause;
use crate::model::id::SessionId;
use crate::model::lifecycle::PrState;
use crate::model::record::Record;
use crate::model::sanitize;
use crate::model::time::Timestamp;
use crate::reap::{Item, Pass, Report};
use crate::session::{SessionError, cleanup, kill, workspace};
use crate::store::StoreError;

/// How long a pass deletes what has been in the trash for long enough; the next one goes on.
const TRASH_PATIENCE: Duration = Duration::from_millis(200);

/// Why a session that still runs is ended.
const MERGED: &str = "merged";

impl Pass<'_> {
    /// Cleans up what the configuration allows, and empties the trash.
    pub(super) fn clean(&mut self) {
        for (id, record) in &self.records {
            match clean_one(self.world, id, record, self.started, &mut self.report) {
                Ok(()) => {}
                // Somebody archived it while this pass looked at it.
                Err(error) if error.is_put_away() => {}
                Err(error) => self.report.fail(id, "cleanup", &error),
            }
        }
        let Ok(layered) = self.world.config(None) else { return };
        let root = match workspace::root(self.world, &layered.config) {
            Ok(root) => root,
            Err(error) => return self.stayed("empty trash", &error.into()),
        };
        self.tend_pools(&root);
        let keep = layered.config.trash.keep;
        match git::empty_trash(&root, keep, self.started, TRASH_PATIENCE) {
            Ok(emptied) => {
                self.went("deleted", &emptied.gone);
                emptied.failed.iter().for_each(|error| self.stayed("empty trash", error));
            }
            Err(error) => self.stayed("empty trash", &error),
        }
    }

    /// Takes out of the pools what is more than they may hold, and what a killed command left.
    fn tend_pools(&mut self, root: &Path) {
        let pools = match git::Pool::all(root) {
            Ok(pools) => pools,
            Err(error) => return self.stayed("tend pool", &error),
        };
        for pool in pools {
            match self.tend_pool(pool) {
                Ok(tended) => {
                    self.went("emptied", &tended.gone);
                    tended.failed.iter().for_each(|error| self.stayed("tend pool", error));
                }
                Err(error) => self.stayed("tend pool", &error),
            }
        }
    }

    fn tend_pool(&self, pool: Pool) -> Result<Tended, GitError> {
        let is_left = |id: &SessionId| workspace::is_nobody_at(self.world, id);
        as_configured(self.world, pool)?.tend(workspace::POOL_STALE, &is_left)
    }

    /// Reports what is no session's and is gone.
    fn went(&mut self, verb: &str, paths: &[PathBuf]) {
        let gone = paths.iter().map(|path| Item {
            id: String::new(),
            what: format!("{verb} {}", path.display()),
            why: None,
        });
        self.report.cleaned.extend(gone);
    }

    /// Reports what is no session's and could not be removed.
    fn stayed(&mut self, what: &str, error: &GitError) {
        self.report.failed.push(stays(what, error));
    }
}

/// Returns how it is told that something that is no session's is not removed.
pub(super) fn stays(what: &str, error: &dyn std::error::Error) -> Item {
    Item { id: String::new(), what: what.to_owned(), why: Some(sanitize::chain(error)) }
}

/// Returns `pool` as its repository has it configured.
fn as_configured(world: &World, pool: Pool) -> Result<Pool, GitError> {
    let repository = pool.repository()?;
    // A repository that is gone, or whose configuration is bad, has no use for a pool.
    let layered = repository.and_then(|it| git::discover(&it).ok());
    let layered = layered.and_then(|it| world.config(Some(&it.main)).ok());
    Ok(pool.with(layered.map_or(0, |layered| layered.config.pool.size), false))
}

/// Returns what a pass would take out of the pools and delete from the trash at `now`, of no
/// session that is still there.
pub(super) fn would_delete(
    world: &World,
    now: Timestamp,
) -> Result<Vec<(String, String)>, SessionError> {
    const POOL: &str = "its pool has no place for it, or no spawn could use it";
    let layered = world.config(None)?;
    let root = workspace::root(world, &layered.config)?;
    let is_left = |id: &SessionId| workspace::is_nobody_at(world, id);
    let mut steps = Vec::new();
    for pool in git::Pool::all(&root)? {
        let surplus = as_configured(world, pool)?.surplus(workspace::POOL_STALE, &is_left)?;
        let step = |path: PathBuf| (format!("empty {}", path.display()), POOL.to_owned());
        steps.extend(surplus.into_iter().map(step));
    }
    let keep = layered.config.trash.keep;
    let why = format!("it has been in the trash for {}", humantime::format_duration(keep));
    let overdue = git::overdue(&root, keep, now)?;
    let step = |path: PathBuf| (format!("delete {}", path.display()), why.clone());
    steps.extend(overdue.into_iter().map(step));
    Ok(steps)
}

/// Cleans up a session where that is due, by `record` as the pass knows it and by what it is since:
/// somebody may have sent the agent a text, or brought it back, while the pass was at others.
fn clean_one(
    world: &World,
    id: &SessionId,
    record: &Record,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), SessionError> {
    if !is_due(world, record, now)? {
        return Ok(());
    }
    let Some(mut record) = current(world, id)? else { return Ok(()) };
    if !is_due(world, &record, now)? {
        return Ok(());
    }
    failpoint::pass("reap.clean").map_err(SessionError::Proc)?;
    if !record.lifecycle.is_terminal() {
        let (revision, why) = (record.revision, Some(MERGED.to_owned()));
        let killed = kill::kill_unchanged(world, id, revision, KillCause::Cleanup, why)?;
        let ended = current(world, id)?.filter(|record| record.lifecycle.is_terminal());
        let (Some(_), Some(ended)) = (killed, ended) else { return Ok(()) };
        record = ended;
    }
    // Looked at before anything is recorded: what has to stay would otherwise be two writes in
    // every pass.
    if matches!(cleanup::assess(world, id, &record)?, Assessment::Keep(_)) {
        return Ok(());
    }
    let Some(cleaned) = cleanup::cleanup_unchanged(world, id, record.revision)? else {
        return Ok(());
    };
    if cleaned.kept.is_empty() {
        report.cleaned.push(Item { id: id.to_string(), what: "cleaned".to_owned(), why: None });
    }
    Ok(())
}

/// Returns what a pass would clean up of a session, with what it would do before and after that.
pub(super) fn would_clean(
    world: &World,
    id: &SessionId,
    record: &Record,
    now: Timestamp,
) -> Result<Vec<(String, String)>, SessionError> {
    if cleanup::is_only_to_be_archived(record) {
        let why = "it is cleaned up, and all is told".to_owned();
        return Ok(vec![(format!("archive {id}"), why)]);
    }
    if !is_due(world, record, now)? {
        return Ok(Vec::new());
    }
    let lives = !record.lifecycle.is_terminal();
    let mut steps = Vec::new();
    if lives {
        steps.push((format!("kill {id}"), MERGED.to_owned()));
    }
    let why = match cleanup::assess(world, id, record)? {
        Assessment::Gone => Some("its workspace is gone"),
        Assessment::Removable { .. } => Some("its workspace is clean"),
        // Those who are in it are its own, as far as anybody can tell, and end with it.
        Assessment::Keep(reasons) => (lives && reasons.iter().all(Keep::is_process))
            .then_some("nothing but its processes is in its workspace"),
    };
    steps.extend(why.map(|why| (format!("clean up {id}"), why.to_owned())));
    Ok(steps)
}

/// Returns whether the configuration wants a session to be cleaned up.
fn is_due(world: &World, record: &Record, now: Timestamp) -> Result<bool, SessionError> {
    let layered = world.config_of(record)?;
    let policy = &layered.config.cleanup;
    // A workspace that was kept once is looked at again, for it may be clean by now; what is
    // still to be delivered stays where the next pass finds it.
    let waits = record.undelivered().next().is_some();
    if !policy.auto || record.intent.is_some() || waits {
        return Ok(false);
    }
    let since = record.lifecycle.session.since.unwrap_or(now);
    let is_over = record.lifecycle.is_terminal() || record.lifecycle.pr.state == PrState::Merged;
    Ok(is_over && now.since(since) >= policy.after)
}

/// Returns the record as it is, `None` of a session that somebody else has cleaned up.
fn current(world: &World, id: &SessionId) -> Result<Option<Record>, SessionError> {
    match world.home.load(id) {
        Ok(loaded) => Ok((!loaded.archived).then_some(loaded.record)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
