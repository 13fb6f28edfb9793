//! Trigger: has the head of a worker's branch reviewed, once.
//!
//! The same head is answered by the run it has. For another one the living reviewer is written
//! to, if it is at rest and its worktree is clean: the worktree is moved to the head first. Else
//! a reviewer is started, and one that is still busy with an earlier head is ended: nobody waits
//! for what it would find.

use std::time::Duration;

use crate::adapter::agent::{self, Card, Cards};
use crate::adapter::git::{self, Fork, Repository};
use crate::adapter::{clock, failpoint, process};
use crate::config::Config;
use crate::decide::review::{answer, superseded};
use crate::invocation::{self, World};
use crate::model::effect::{Claim, EntryKind, OutboxEntry};
use crate::model::facts::KillCause;
use crate::model::id::{SessionId, short};
use crate::model::lifecycle::SessionState;
use crate::model::record::{Kind, Record, WorkspaceHandle};
use crate::model::review::{Reviews, Run, RunState};
use crate::model::sanitize;
use crate::model::status::Status;
use crate::session::deliver::{self, Patience};
use crate::session::review::{ReviewError, change, close, pass, tidy, withdraw};
use crate::session::spawn::{self, SpawnRequest};
use crate::session::{SessionError, kill, preflight, workspace};
use crate::store::StoreError;

/// How long git may take to say whether a worktree is clean.
const STATUS_DEADLINE: Duration = Duration::from_secs(30);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The session whose branch is to be reviewed.
    pub worker: SessionId,
    /// The reviewer's card; absent: the first of those configured.
    pub reviewer: Option<String>,
    /// The head that the caller believes the branch to be at, or its beginning.
    pub head: Option<String>,
    /// How long a reviewer may take to be ready for its task.
    pub patience: Patience,
}

/// A run, made or found.
#[derive(Debug)]
pub struct Triggered {
    /// It.
    pub run: Run,
    /// It was made.
    pub created: bool,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// Everything that is known before anything is recorded.
#[derive(Debug)]
pub struct Plan {
    worker: Record,
    handle: WorkspaceHandle,
    head: String,
    fork: Option<Fork>,
    card: Card,
    /// The run that answers, where there is one.
    existing: Option<Run>,
    /// The reviewer that is to be written to.
    living: Option<SessionId>,
    /// Reviewers of earlier heads that cannot be.
    stale: Vec<SessionId>,
    /// What the person should know.
    pub notes: Vec<String>,
}

impl Plan {
    /// Returns the steps, for `--dry-run`.
    pub fn steps(&self, worker: &SessionId) -> Vec<(String, String)> {
        let head = format!("head {}", short(&self.head));
        if let Some(run) = &self.existing {
            return vec![(format!("answer with {}", run.run), format!("{head} is {}", run.state))];
        }
        let ends = self.stale.iter().map(|id| {
            (format!("end {id}"), "it is busy with an earlier head, or not clean".to_owned())
        });
        let name = self.card.name();
        let give = match &self.living {
            Some(id) => (format!("write to {id}"), format!("it lives; {name}")),
            None => (format!("start {name} as a reviewer"), "none is at rest".to_owned()),
        };
        let record = (format!("record a review of {worker}"), head);
        [record].into_iter().chain(ends).chain([give]).collect()
    }
}

/// Looks at everything and refuses what can be refused; changes nothing.
pub fn plan(world: &World, wanted: &Wanted) -> Result<Plan, SessionError> {
    let id = &wanted.worker;
    let worker = world.home.load(id)?.record;
    let handle = reviewable(id, &worker)?.clone();
    let repository = workspace::repository_of(&handle)?;
    let (head, fork) = head_of(id, &repository, &handle, wanted.head.as_deref())?;
    let mut notes = Vec::new();
    if let Ok(status) = git::status(&handle, STATUS_DEADLINE)
        && status.dirty()
    {
        notes.push(format!("{id} has uncommitted changes, which are not reviewed"));
    }
    let layered = world.config_of(&worker)?;
    let cards = world.cards()?;
    let runs = world.home.review_runs(id)?;
    let existing = answer(&runs, &head, wanted.reviewer.as_deref()).cloned();
    let card = match &existing {
        Some(run) => cards.find(&run.reviewer)?.clone(),
        None => choose(world, &cards, &layered.config, wanted.reviewer.as_deref())?,
    };
    let (mut living, mut stale) = (None, Vec::new());
    for (session, record) in reviewers_of(world, id, card.name())? {
        if living.is_none() && is_at_rest(&record) {
            living = Some(session);
        } else {
            stale.push(session);
        }
    }
    Ok(Plan { worker, handle, head, fork, card, existing, living, stale, notes })
}

/// Returns the worktree of a session that can be reviewed.
fn reviewable<'a>(id: &SessionId, record: &'a Record) -> Result<&'a WorkspaceHandle, SessionError> {
    if record.kind != Kind::Worker {
        return Err(ReviewError::NotAWorker { id: id.clone(), kind: record.kind }.into());
    }
    require_live(id, record)?;
    let handle = record.handles.workspace.as_ref();
    let handle = handle.filter(|handle| handle.owned && handle.branch.is_some());
    Ok(handle.ok_or_else(|| ReviewError::NoBranch { id: id.clone() })?)
}

fn require_live(id: &SessionId, record: &Record) -> Result<(), SessionError> {
    if record.lifecycle.is_terminal() {
        let (status, why) = (Status::of(&record.lifecycle), "there is no agent to read a review");
        return Err(SessionError::WrongState { id: id.clone(), status, why });
    }
    Ok(())
}

/// Returns the commit to be reviewed, and where its branch left its base.
fn head_of(
    id: &SessionId,
    repository: &Repository,
    handle: &WorkspaceHandle,
    wanted: Option<&str>,
) -> Result<(String, Option<Fork>), SessionError> {
    let branch = handle.branch.as_ref().map(ToString::to_string).unwrap_or_default();
    let nothing = || ReviewError::NoCommits { id: id.clone(), branch: branch.clone() };
    let tip = match &handle.branch {
        Some(branch) => repository.tip(branch)?,
        None => None,
    };
    let tip = tip.ok_or_else(nothing)?;
    if let Some(wanted) = wanted.filter(|wanted| wanted.len() < 4 || !tip.starts_with(*wanted)) {
        let (wanted, found) = (sanitize::line(wanted), tip);
        return Err(ReviewError::HeadMoved { id: id.clone(), wanted, found }.into());
    }
    let fork = repository.fork(&tip, handle)?;
    if fork.as_ref().is_some_and(|fork| fork.ahead == 0) {
        return Err(nothing().into());
    }
    Ok((tip, fork))
}

/// Returns the reviewer's card: the one asked for, else the first of those configured that is
/// installed, else the first that can review and is.
fn choose(
    world: &World,
    cards: &Cards,
    config: &Config,
    wanted: Option<&str>,
) -> Result<Card, SessionError> {
    let path = preflight::search_path(world, config);
    let installed = |card: &Card| agent::find_binary(card, path).is_some();
    let able: Vec<&Card> = cards.visible(|_| false).filter(|card| card.review.is_some()).collect();
    let names = || able.iter().map(|card| card.name().to_owned()).collect::<Vec<_>>();
    let reviewer = |name: &str| {
        let card = cards.find(name)?;
        let (agent, able) = (name.to_owned(), names());
        match card.review {
            Some(_) => Ok(card),
            None => Err(SessionError::from(ReviewError::NotAReviewer { agent, able })),
        }
    };
    if let Some(name) = wanted {
        let card = reviewer(name)?;
        let (agent, binary) = (name.to_owned(), card.agent.binary.clone());
        let found = installed(card).then(|| card.clone());
        return found.ok_or(SessionError::AgentMissing { agent, binary });
    }
    let listed = &config.review.agents;
    let mut candidates = listed.iter().map(|name| reviewer(name)).collect::<Result<Vec<_>, _>>()?;
    if listed.is_empty() {
        candidates.clone_from(&able);
    }
    let found = candidates.iter().find(|card| installed(card)).map(|card| (*card).clone());
    let known = if listed.is_empty() { names() } else { listed.clone() };
    found.ok_or_else(|| ReviewError::NoReviewer { able: known }.into())
}

/// Returns the living reviewers of a worker that are of one card.
fn reviewers_of(
    world: &World,
    worker: &SessionId,
    card: &str,
) -> Result<Vec<(SessionId, Record)>, SessionError> {
    let mut found = Vec::new();
    for id in world.home.session_ids()? {
        let Ok(loaded) = world.home.load(&id) else { continue };
        let record = loaded.record;
        let is_its = tidy::is_reviewer_of(&record, worker) && record.agent == card;
        if is_its && !record.lifecycle.is_terminal() && record.intent.is_none() {
            found.push((id, record));
        }
    }
    Ok(found)
}

/// Returns whether a reviewer is between two turns, and its worktree is as it was given.
fn is_at_rest(record: &Record) -> bool {
    let Some(handle) = record.handles.workspace.as_ref() else { return false };
    record.lifecycle.session.state == SessionState::Idle
        && handle.branch.is_none()
        && git::status(handle, STATUS_DEADLINE).is_ok_and(|status| {
            !status.dirty() && handle.base_sha.as_deref() == Some(status.head.as_str())
        })
}

/// Has a head reviewed, or returns the run it has.
pub fn trigger(world: &World, wanted: &Wanted) -> Result<Triggered, SessionError> {
    let plan = plan(world, wanted)?;
    let notes = plan.notes.clone();
    if let Some(run) = plan.existing {
        return Ok(Triggered { run, created: false, notes });
    }
    // Refused before anything is recorded: too many sessions, no login, nothing to start.
    let start = match &plan.living {
        Some(_) => None,
        None => Some(spawn::plan(world, request(&plan, &wanted.worker))?),
    };
    let (run, closed) = match record(world, &plan, wanted)? {
        Recorded::Existing(run) => return Ok(Triggered { run: *run, created: false, notes }),
        Recorded::Made { run, closed } => (*run, closed),
    };
    failpoint::pass("review.recorded").map_err(SessionError::Proc)?;
    closed.iter().try_for_each(|run| withdraw(world, run))?;
    let given = give(world, &plan, start, &run, wanted.patience);
    let (session, more) = match given {
        Ok(given) => given,
        Err(error) => {
            let why = sanitize::chain(&error);
            let own = |it: &Run| it.run == run.run;
            if let Err(error) = close(world, &wanted.worker, RunState::Failed, &why, own) {
                // The next reap closes it.
                tracing::warn!("{} is not closed yet: {}", run.run, sanitize::chain(&error));
            }
            return Err(error);
        }
    };
    failpoint::pass("review.given").map_err(SessionError::Proc)?;
    let run = arrived(world, &run, &session)?;
    Ok(Triggered { run, created: true, notes: notes.into_iter().chain(more).collect() })
}

/// Returns what is asked of a spawn; name and task are known once the run is recorded.
fn request(plan: &Plan, worker: &SessionId) -> SpawnRequest {
    SpawnRequest {
        agent: Some(plan.card.name().to_owned()),
        kind: Kind::Reviewer,
        title: Some(format!("review of {worker}")),
        parent: Some(worker.clone()),
        retires: plan.stale.clone(),
        repository: Some(plan.handle.repo.clone()),
        detached: Some(plan.head.clone()),
        ..SpawnRequest::default()
    }
}

enum Recorded {
    Existing(Box<Run>),
    Made { run: Box<Run>, closed: Vec<Run> },
}

/// Records the run and ends those of earlier heads, in one write under the worker's lock; of two
/// that ask at once the second gets the run of the first.
fn record(world: &World, plan: &Plan, wanted: &Wanted) -> Result<Recorded, SessionError> {
    let (worker, now) = (&wanted.worker, clock::now());
    let me = process::current().map_err(SessionError::Proc)?;
    change(world, worker, |reviews, record| {
        require_live(worker, record)?;
        if let Some(run) = answer(&reviews.runs, &plan.head, wanted.reviewer.as_deref()) {
            return Ok(Recorded::Existing(Box::new(run.clone())));
        }
        let mut closed = Vec::new();
        for run in reviews.runs.iter_mut().filter(|run| run.is_running()) {
            if run.head_sha != plan.head {
                run.close(RunState::Cancelled, &superseded(&plan.head), now);
                closed.push(run.clone());
            }
        }
        let run = Run {
            run: free_name(world, reviews, worker)?,
            worker: worker.clone(),
            reviewer: plan.card.name().to_owned(),
            session: plan.living.clone(),
            head_sha: plan.head.clone(),
            base_sha: plan.fork.as_ref().map(|fork| fork.base.clone()),
            number: record.lifecycle.pr.number,
            state: RunState::Running,
            verdict: None,
            body: None,
            why: None,
            attempts: 0,
            created_at: now,
            ended_at: None,
            delivered_at: None,
            launching: Some(Claim::of(&me, now)),
        };
        reviews.runs.push(run.clone());
        Ok(Recorded::Made { run: Box::new(run), closed })
    })
}

/// Returns a name that is no session's: the reviewer is called like its first run.
fn free_name(
    world: &World,
    reviews: &mut Reviews,
    worker: &SessionId,
) -> Result<String, SessionError> {
    loop {
        let name = reviews.next_name(worker);
        let Ok(id) = name.parse() else { return Ok(name) };
        match world.home.existing_dir(&id) {
            Ok(_) => {}
            Err(StoreError::NotFound { .. }) => return Ok(name),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives the run to its reviewer; returns the session, and what the person should know.
fn give(
    world: &World,
    plan: &Plan,
    start: Option<spawn::Plan>,
    run: &Run,
    patience: Patience,
) -> Result<(SessionId, Vec<String>), SessionError> {
    for id in &plan.stale {
        let why = format!("{} is reviewed by {}", short(&run.head_sha), run.run);
        kill::kill(world, id, KillCause::Cleanup, Some(why))?;
        // What it left is looked at again by each pass.
        let _ = tidy::clean(world, id);
    }
    match (&plan.living, start) {
        (Some(session), _) => {
            write_to(world, plan, session, run)?;
            Ok((session.clone(), deliver_pass(world, session, Patience::Pass)))
        }
        (None, Some(mut start)) => {
            let task = pass::task(run, &plan.worker, false);
            // It is found by this name if this process dies before it says which it is.
            start.name(run.run.parse().ok(), task);
            let spawned = spawn::execute(world, &start)?;
            let more = deliver_pass(world, &spawned.id, patience);
            Ok((spawned.id, spawned.notes.into_iter().chain(more).collect()))
        }
        (None, None) => Err(ReviewError::NoReviewer { able: Vec::new() }.into()),
    }
}

/// Moves the reviewer's worktree to the head and puts the pass into its outbox.
fn write_to(
    world: &World,
    plan: &Plan,
    session: &SessionId,
    run: &Run,
) -> Result<(), SessionError> {
    let record = world.home.load(session)?.record;
    let handle = record.handles.workspace.as_ref();
    let handle = handle.ok_or_else(|| ReviewError::NoBranch { id: session.clone() })?;
    {
        let repository = workspace::repository_of(handle)?;
        let _lock = workspace::lock_repository(&repository)?;
        git::move_detached(handle, &run.head_sha)?;
    }
    failpoint::pass("review.moved").map_err(SessionError::Proc)?;
    let task = pass::task(run, &plan.worker, true);
    invocation::amend(world, session, "review", |record| {
        require_live(session, record)?;
        if let Some(handle) = &mut record.handles.workspace {
            handle.base_sha = Some(run.head_sha.clone());
        }
        let entry = OutboxEntry {
            message: task,
            launch: record.handles.launch.clone(),
            from: Some(run.worker.clone()),
            ..OutboxEntry::new(EntryKind::Send, clock::now())
        };
        let key = format!("{}{}", record.revision + 1, pass::key_suffix(run));
        record.outbox.insert(key, entry);
        Ok::<(), SessionError>(())
    })?;
    Ok(())
}

/// Delivers what waits for a reviewer; what cannot go out at once goes out with the next pass.
fn deliver_pass(world: &World, session: &SessionId, patience: Patience) -> Vec<String> {
    match deliver::deliver_texts(world, session, patience) {
        Ok(attempts) => attempts
            .iter()
            .filter_map(|(_, result)| match result {
                Ok(delivery) => delivery.why().map(|why| format!("{session}: {why}")),
                Err(error) => Some(format!("{session}: {}", sanitize::chain(error))),
            })
            .collect(),
        Err(error) => vec![format!("{session}: {}", sanitize::chain(&error))],
    }
}

/// Records that the reviewer has the run, and which session that is.
fn arrived(world: &World, run: &Run, session: &SessionId) -> Result<Run, SessionError> {
    change(world, &run.worker, |reviews, _| {
        let gone = || ReviewError::NoRun { run: run.run.clone() };
        let stored = reviews.find_mut(&run.run).ok_or_else(gone)?;
        stored.session = Some(session.clone());
        stored.launching = None;
        Ok(stored.clone())
    })
}
