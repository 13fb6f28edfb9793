//! Spawn: from a request to a running agent, or to nothing at all.
//!
//! `plan` checks everything that can be checked and changes nothing; `execute` records the
//! session and its intent, makes workspace and runtime, and undoes both where a step fails.

mod base;
mod free;
mod name;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::base::Bases;
use self::base::{check_branch, known_base};
use self::free::check_free;
pub(super) use self::free::live_summaries;
use crate::adapter::agent::{self, Card, CardError, Delivery, LaunchRequest, SystemDelivery};
use crate::adapter::fs::{self, Durability};
use crate::adapter::git::{self, Base, BranchState, Pool, Repository, Way};
use crate::adapter::runtime::{RuntimeError, tmux::Tmux};
use crate::adapter::{clock, failpoint, ids, process};
use crate::config::{Config, Layered, trust};
use crate::invocation::{self, World};
use crate::model::answer::{FillWay, PlanStep};
use crate::model::effect::{EntryKind, OutboxEntry, SendWhen};
use crate::model::facts::{Observation, SpawnCompleted, SpawnFailed};
use crate::model::id::{BranchName, LaunchId, ProjectId, SessionId, short};
use crate::model::record::{Intent, IntentOp, Kind, Mode, Record, RuntimeKind, WorkspaceHandle};
use crate::model::summary::Summary;
use crate::model::time::Timestamp;
use crate::session::deliver::TASK;
use crate::session::start::{self, Running, Task};
use crate::session::{
    OutsideError, SessionError, context, intent, issue, preflight, role, workspace,
};
use crate::store::{Project, StoreError};

/// The prompt of an orchestrator that is asked for nothing yet, where there has to be one.
const WAIT: &str = "Say in one line that you are ready, then wait for what you are asked.";

/// Where the agent works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WorkspaceKind {
    /// In a worktree of its own.
    #[default]
    Worktree,
    /// In the repository itself, one session at a time.
    None,
}

/// What is asked for; what is absent comes from the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpawnRequest {
    /// The agent card.
    pub agent: Option<String>,
    /// What the session is for.
    pub kind: Kind,
    /// The task, byte for byte.
    pub prompt: Option<Vec<u8>>,
    /// The tracker's issue.
    pub issue: Option<String>,
    /// What the tracker says of it, quoted; it follows the prompt.
    pub quoted: Option<String>,
    /// What a person calls it.
    pub title: Option<String>,
    /// An existing or new branch.
    pub branch: Option<BranchName>,
    /// Where a new branch starts.
    pub base: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The permission mode.
    pub permission: Option<String>,
    /// Whether the agent stays.
    pub mode: Option<Mode>,
    /// Where it lives.
    pub runtime: Option<RuntimeKind>,
    /// Where it works.
    pub workspace: WorkspaceKind,
    /// The session's name instead of `<project>-<n>`.
    pub id: Option<SessionId>,
    /// The session that spawns it.
    pub parent: Option<SessionId>,
    /// The sessions that it takes the place of.
    pub retires: Vec<SessionId>,
    /// The repository; absent: the one that the caller stands in.
    pub repository: Option<PathBuf>,
    /// The commit that its worktree stands at, on no branch.
    pub detached: Option<String>,
    /// It is only planned: nothing may change, so that the remote is not asked.
    pub dry_run: bool,
}

/// Everything that is decided before anything is made.
#[derive(Debug)]
pub struct Plan {
    request: SpawnRequest,
    repository: Repository,
    /// Registered by `execute` where it is not yet, under this id unless that is taken by then.
    project: ProjectId,
    root: PathBuf,
    config: Arc<Layered>,
    card: Card,
    mode: Mode,
    runtime: RuntimeKind,
    base: Base,
    /// What the person should know: offline, another runtime than asked for.
    pub notes: Vec<String>,
}

/// A session that runs.
#[derive(Debug)]
pub struct Spawned {
    /// Its name.
    pub id: SessionId,
    /// The revision to fence a `wait` with.
    pub revision: u64,
    /// What the person should know.
    pub notes: Vec<String>,
}

impl Plan {
    /// Returns the steps, for `--dry-run`; it is the `nth` session of its project that is planned,
    /// the first being 1.
    pub fn steps(&self, world: &World, nth: u64) -> Result<Vec<PlanStep>, SessionError> {
        let id = self.nth_name(world, nth)?;
        let branch = match &self.request.detached {
            Some(_) => "no branch, at".to_owned(),
            None => format!("branch {} from", self.branch_name(&id)?),
        };
        let place = match self.request.workspace {
            WorkspaceKind::Worktree => (
                format!(
                    "create worktree {}",
                    workspace::path(&self.root, &self.project, &id).display()
                ),
                format!("{branch} {} ({})", self.base.ref_name, short(&self.base.sha)),
            ),
            WorkspaceKind::None => {
                (format!("work in {}", self.repository.main.display()), "workspace none".to_owned())
            }
        };
        let record = (format!("record session {id}"), format!("project {}", self.project));
        let start = (
            format!("start {} in {}", self.card.name(), self.runtime),
            format!("mode {}", self.mode),
        );
        let files = match self.request.workspace {
            WorkspaceKind::Worktree => Some(self.filling(&id)?),
            WorkspaceKind::None => None,
        };
        let first = [record.into(), place.into()].into_iter();
        Ok(first.chain(files).chain([start.into()]).collect())
    }

    /// Returns how the files of the workspace would be made.
    fn filling(&self, id: &SessionId) -> Result<PlanStep, SessionError> {
        let tip = match &self.request.branch {
            Some(branch) => self.repository.branch_tip(branch.as_str())?,
            None => None,
        };
        let commit = tip.as_ref().unwrap_or(&self.base.sha);
        let config = &self.config.config.pool;
        let path = workspace::path(&self.root, &self.project, id);
        let pool = Pool::beside(&path, config.size, config.keep_ignored);
        let found = git::foresee(&self.repository, commit, pool.as_ref())?;
        let (way, how) = match &found {
            Way::Pooled { .. } => (FillWay::Pool, "from the pool"),
            Way::Copied { .. } => (FillWay::Copy, "by copying"),
            Way::CheckedOut { .. } => (FillWay::Git, "by git"),
        };
        let shown = found.to_string();
        let why = shown.split_once(": ").map_or("", |(_, why)| why).to_owned();
        Ok(PlanStep { op: format!("fill it {how}"), why, way: Some(way) })
    }

    /// Gives the session its name and its task, which were not known before.
    pub fn name(&mut self, id: Option<SessionId>, prompt: String) {
        self.request.id = id;
        self.request.prompt = Some(prompt.into_bytes());
    }
}

/// Checks a request: tools, repository, agent, limits, trust, base, branch. Makes nothing; the base
/// alone is fetched, unless it is a dry run.
pub fn plan(world: &World, request: SpawnRequest) -> Result<Plan, SessionError> {
    plan_of_many(world, request, &mut Bases::default(), &[])
}

/// [`plan`] for one request of several; those that are `planned` count as if they lived.
pub fn plan_of_many(
    world: &World,
    mut request: SpawnRequest,
    bases: &mut Bases,
    planned: &[Summary],
) -> Result<Plan, SessionError> {
    if request.prompt.as_ref().is_some_and(|prompt| prompt.contains(&0)) {
        return Err(SessionError::PromptNul);
    }
    if request.prompt.as_ref().is_some_and(|prompt| prompt.trim_ascii().is_empty()) {
        return Err(SessionError::Empty("prompt"));
    }
    let cache = world.cache_directory();
    git::known_version(world.search_path(), cache.as_deref())?;
    let directory = request.repository.as_deref().unwrap_or(&world.directory);
    let repository = context::repository(directory)?;
    let config = world.config(Some(&repository.main))?;
    let card = choose_agent(world, &request, &config.config)?;
    preflight::require_usable(world, &card, &config)?;
    let mode = request.mode.unwrap_or(card.agent.mode);
    if request.kind == Kind::Orchestrator && card.prompt.system == SystemDelivery::Prepend {
        // What an agent is taught before its prompt needs a prompt to stand before.
        request.prompt.get_or_insert_with(|| WAIT.into());
    }
    let mut notes = Vec::new();
    add_issue(&mut request, &card, &mut notes)?;
    // What is configured for workers is not meant for a reviewer, which may be another agent.
    if request.kind != Kind::Reviewer {
        request.model = request.model.or_else(|| config.config.model.clone());
        request.permission = request.permission.or_else(|| config.config.permission.clone());
    }
    require_renderable(&request, &card, mode)?;
    let runtime = choose_runtime(world, &request, mode, &mut notes)?;
    let project = world.home.find_project_by_common_dir(&repository.common_dir)?;
    let project_id = project.as_ref().map(|project| &project.id);
    check_free(world, &repository, project_id, &request, &config.config, planned)?;
    if let Some(approval) =
        workspace::missing_approval(world, project.as_ref(), trust::approval(&config))
    {
        return Err(SessionError::NotTrusted { shown: approval.shown, hash: approval.hash });
    }
    let base = known_base(&repository, &request, &config.config, bases, &mut notes)?;
    let project = match project {
        Some(project) => project.id,
        None => ProjectId::from_folder_name(&context::folder_name(&repository)),
    };
    let root = workspace::root(world, &config.config)?;
    let plan =
        Plan { request, repository, project, root, config, card, mode, runtime, base, notes };
    plan.require_place(world)?;
    Ok(plan)
}

/// Refuses what the agent cannot be started with, before anything is made or ended for it.
fn require_renderable(request: &SpawnRequest, card: &Card, mode: Mode) -> Result<(), CardError> {
    let review = request.kind == Kind::Reviewer;
    // A reviewer's task is written once its run has a number.
    let has_prompt = review || request.prompt.is_some();
    agent::render(&LaunchRequest {
        card,
        mode,
        permission: request.permission.as_deref(),
        review,
        model: request.model.as_deref(),
        prompt: has_prompt.then_some(&[]),
        system: None,
        session_dir: Path::new(""),
        agent_session: None,
        new_session: None,
        workspace: Path::new(""),
    })?;
    Ok(())
}

/// Lets what the tracker says of the issue follow the prompt; an agent that runs its prompt as a
/// script is told nothing of it.
fn add_issue(
    request: &mut SpawnRequest,
    card: &Card,
    notes: &mut Vec<String>,
) -> Result<(), SessionError> {
    let (Some(issue), Some(quoted)) = (&request.issue, request.quoted.take()) else {
        return Ok(());
    };
    if card.prompt.delivery != Delivery::ScriptFile {
        request.prompt = Some(issue::task(request.prompt.as_deref(), issue, &quoted));
    } else if request.prompt.is_some() {
        notes.push(format!("{} runs its prompt: the issue is not in it", card.name()));
    } else {
        return Err(OutsideError::WouldRun { agent: card.name().to_owned() }.into());
    }
    Ok(())
}

fn choose_agent(
    world: &World,
    request: &SpawnRequest,
    config: &Config,
) -> Result<Card, SessionError> {
    let path = preflight::search_path(world, config);
    let installed = |card: &Card| agent::find_binary(card, path).is_some();
    let Some(name) = request.agent.as_ref().or(config.agent.as_ref()) else {
        let cards = world.cards()?;
        let mut found: Vec<&Card> =
            cards.all().filter(|card| is_choosable(card) && installed(card)).collect();
        return match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only.clone()),
            (last, _) => {
                let all = found.into_iter().chain(last);
                let mut found: Vec<String> = all.map(|card| card.name().to_owned()).collect();
                found.sort_unstable();
                Err(SessionError::NoAgent { found })
            }
        };
    };
    let card = world.card(name)?;
    if !installed(&card) {
        return Err(SessionError::AgentMissing {
            agent: name.clone(),
            binary: card.agent.binary.clone(),
        });
    }
    Ok(card)
}

/// `shell` is everywhere and takes its prompt for a script, and a hidden card is for those who
/// name it: neither is ever a silent choice.
fn is_choosable(card: &Card) -> bool {
    card.agent.hidden_unless.is_none() && card.name() != "shell"
}

/// tmux, unless something else was asked for, or a one-shot agent can do without it.
fn choose_runtime(
    world: &World,
    request: &SpawnRequest,
    mode: Mode,
    notes: &mut Vec<String>,
) -> Result<RuntimeKind, SessionError> {
    if request.runtime == Some(RuntimeKind::Process) {
        return Ok(RuntimeKind::Process);
    }
    match Tmux::known_version(world.search_path(), world.cache_directory().as_deref()) {
        Ok(_) => Ok(RuntimeKind::Tmux),
        Err(error @ (RuntimeError::Missing | RuntimeError::TooOld { .. }))
            if mode == Mode::OneShot && request.runtime.is_none() =>
        {
            notes.push(format!("{error}: running in the process runtime"));
            Ok(RuntimeKind::Process)
        }
        Err(error) => Err(error.into()),
    }
}

/// A session that is recorded, and of which nothing exists yet.
#[derive(Debug)]
pub struct Seeded {
    /// Its name.
    pub id: SessionId,
    launch: LaunchId,
    record: Record,
}

/// Makes what was planned.
pub fn execute(world: &World, plan: &Plan) -> Result<Spawned, SessionError> {
    let seeded = begin(world, plan)?;
    finish(world, plan, seeded)
}

/// Gives the session its name and records it: in the order of these calls sessions are numbered.
pub fn begin(world: &World, plan: &Plan) -> Result<Seeded, SessionError> {
    let launch = ids::launch();
    let (project, _) = context::project(world, &plan.repository)?;
    // One at a time: of two spawns that count at once, neither would see the other.
    let _counting = world.home.lock_file("spawn.lock", world.lock_timeout)?;
    let config = &plan.config.config;
    check_free(world, &plan.repository, Some(&project.id), &plan.request, config, &[])?;
    seed(world, plan, &project, launch)
}

/// Makes what was begun, or undoes it.
pub fn finish(world: &World, plan: &Plan, seeded: Seeded) -> Result<Spawned, SessionError> {
    let Seeded { id, launch, record } = seeded;
    // The agent may be through with its first turn before the spawn is complete.
    let fence = record.revision;
    let mut notes = plan.notes.clone();
    let made = pass("spawn.seeded")
        .and_then(|()| make(world, plan, &id, &launch, &record, &mut notes))
        .and_then(|running| complete(world, &id, running));
    match made {
        Ok(_) => {
            pass("spawn.completed")?;
            Ok(Spawned { id, revision: fence, notes })
        }
        // Whoever is told that it failed must not find it at work later.
        Err(error) => {
            // What cannot be undone here is left to the next reap: the person needs the cause.
            if let Err(undo) = intent::undo_spawn(world, &id, &error.to_string()) {
                tracing::warn!("{id} is not undone yet: {undo}");
            }
            Err(error)
        }
    }
}

/// Records the session before anything exists of it.
fn seed(
    world: &World,
    plan: &Plan,
    project: &Project,
    launch: LaunchId,
) -> Result<Seeded, SessionError> {
    loop {
        let id = match &plan.request.id {
            Some(id) => id.clone(),
            None => {
                let count = |project: &mut Project| project.counter += 1;
                let project = world.home.update_project(&project.id, world.lock_timeout, count)?;
                SessionId::numbered(&project.id, project.counter)
            }
        };
        if plan.request.id.is_none() && !plan.is_free(world, &id)? {
            continue;
        }
        let record = new_record(plan, project, &id, &launch)?;
        match world.home.create_session(&record, "spawn", clock::now()) {
            Ok(made) => return Ok(Seeded { id, launch, record: made.record().clone() }),
            // Somebody chose this very name with `--id`; the next number is free.
            Err(StoreError::Exists { .. }) if plan.request.id.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn new_record(
    plan: &Plan,
    project: &Project,
    id: &SessionId,
    launch: &LaunchId,
) -> Result<Record, SessionError> {
    let request = &plan.request;
    let now = clock::now();
    let owner = process::current().map_err(SessionError::Proc)?;
    let mut record = Record {
        id: Some(id.clone()),
        project: Some(project.id.clone()),
        kind: request.kind,
        mode: plan.mode,
        agent: plan.card.name().to_owned(),
        signals: plan
            .card
            .signals(agent::has_hooks(&plan.card, request.workspace == WorkspaceKind::Worktree)),
        issue: request.issue.clone(),
        title: request.title.clone(),
        parent: request.parent.clone(),
        model: request.model.clone(),
        permission: request.permission.clone(),
        created_at: Some(now),
        intent: Some(Intent {
            op: IntentOp::Spawn,
            step: "seeded".to_owned(),
            pid: owner.pid,
            pid_start: owner.pid_start,
            boot_id: owner.boot_id,
            at: now,
            details: [("runtime".to_owned(), plan.runtime.as_str().into())].into(),
        }),
        ..Record::default()
    };
    record.lifecycle.session.since = Some(now);
    record.handles.launch = Some(launch.clone());
    record.handles.agent_session = plan.card.chooses_session().then(ids::uuid);
    record.handles.workspace = Some(workspace_handle(plan, project, id)?);
    Ok(record)
}

/// Stored before it is made, so that whoever finds it half made knows what to undo.
fn workspace_handle(
    plan: &Plan,
    project: &Project,
    id: &SessionId,
) -> Result<WorkspaceHandle, SessionError> {
    let repo = plan.repository.main.clone();
    if plan.request.workspace == WorkspaceKind::None {
        return Ok(WorkspaceHandle {
            path: repo.clone(),
            repo,
            branch: None,
            branch_created: false,
            base_ref: Some(plan.base.ref_name.clone()),
            base_sha: Some(plan.base.sha.clone()),
            owned: false,
            made: None,
            tip: None,
        });
    }
    let path = workspace::path(&plan.root, &project.id, id);
    if plan.request.detached.is_some() {
        return Ok(WorkspaceHandle {
            path,
            repo,
            branch: None,
            branch_created: false,
            base_ref: None,
            base_sha: Some(plan.base.sha.clone()),
            owned: true,
            made: None,
            tip: None,
        });
    }
    let branch = plan.branch_name(id)?;
    let state = check_branch(&plan.repository, &branch)?;
    Ok(WorkspaceHandle {
        path,
        repo,
        branch: Some(branch),
        branch_created: state == BranchState::Free,
        base_ref: Some(plan.base.ref_name.clone()),
        base_sha: Some(plan.base.sha.clone()),
        owned: true,
        made: None,
        tip: None,
    })
}

/// Workspace, agent files, runtime; each step recorded when it is done.
fn make(
    world: &World,
    plan: &Plan,
    id: &SessionId,
    launch: &LaunchId,
    record: &Record,
    notes: &mut Vec<String>,
) -> Result<Running, SessionError> {
    let config = &plan.config.config;
    let handle = record.handles.workspace.as_ref();
    let mut made = None;
    if let Some(handle) = handle.filter(|handle| handle.owned) {
        if let Err(error) = workspace::begin(&plan.repository, handle, id) {
            // What is at that path or branch is somebody else's: it must not be undone as ours.
            forget_workspace(world, id)?;
            return Err(error);
        }
        let pool = workspace::pool(handle, config);
        let filled = workspace::finish(&plan.repository, handle, id, pool.as_ref())?;
        notes.extend(filled.complaint);
        made = Some(filled.way.to_string());
        notes.extend(workspace::furnish(&plan.repository, handle, config)?);
        workspace::post_create(handle, config)?;
    }
    // Undone as `seeded` is, so that it needs no record of its own.
    pass("spawn.workspace")?;

    if let Some(prompt) = &plan.request.prompt {
        let path = world.home.session_dir(id).join("prompt.md");
        fs::replace(&path, prompt, Durability::PowerCut)?;
    }
    let (system, left_out) = role::system_prompt(world, id, record, &plan.card, config)?;
    notes.extend(left_out);
    let task = Task {
        card: &plan.card,
        prompt: plan.request.prompt.as_deref(),
        system: system.as_deref(),
        resume: None,
        runtime: plan.runtime,
    };
    let prepared = start::prepare(world, id, record, launch, config, &task, notes)?;
    step(world, id, made)?;

    let running = start::start(world, prepared)?;
    pass("spawn.started")?;
    Ok(running)
}

fn forget_workspace(world: &World, id: &SessionId) -> Result<(), SessionError> {
    invocation::amend(world, id, "spawn", |record| {
        record.handles.workspace = None;
        Ok::<(), SessionError>(())
    })?;
    Ok(())
}

/// Records that everything but the runtime is there.
///
/// The next that is recorded is the completion, which takes the intent away: nothing is done
/// between.
fn step(world: &World, id: &SessionId, made: Option<String>) -> Result<(), SessionError> {
    invocation::amend(world, id, "spawn", |record| {
        if let Some(workspace) = &mut record.handles.workspace {
            workspace.made = made;
        }
        if let Some(intent) = &mut record.intent {
            "agent_files".clone_into(&mut intent.step);
        }
        Ok::<(), SessionError>(())
    })?;
    pass("spawn.agent_files")
}

/// Applies `spawn_completed`, lets go of the intent, and records a prompt that is still to be
/// pasted, all in one write.
pub fn complete(world: &World, id: &SessionId, running: Running) -> Result<u64, SessionError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    let now = clock::now();
    let mut handles = locked.record().handles.clone();
    handles.runtime = Some(running.handle.clone());
    let observation = Observation::SpawnCompleted(SpawnCompleted { observed_at: None, handles });
    let layered = world.config_of(locked.record())?;
    let before = locked.record().clone();
    let outcome = crate::decide::reduce(&before, &observation, &layered.config.policy, now)?;
    let mut after =
        crate::decide::enqueue(&outcome.after, &outcome.effects, before.revision + 1, now);
    after.intent = None;
    // Also of an agent that has ended by this time, which no observation makes live again.
    after.handles.runtime = Some(running.handle);
    if let Some(paste) = running.paste {
        let entry = prompt_entry(&after, &paste, now);
        after.outbox.insert(format!("{}{TASK}", before.revision + 1), entry);
    }
    let change = invocation::change_of("spawn", &outcome, &observation, now);
    let revision = locked.commit(change.with_patch(before.difference(&after)))?.revision;
    // It is complete: a file that cannot be removed fails nothing.
    if let Err(error) = fs::remove_file(&start::paste_file(world, id)) {
        tracing::warn!("{error}");
    }
    Ok(revision)
}

fn prompt_entry(record: &Record, paste: &[u8], now: Timestamp) -> OutboxEntry {
    OutboxEntry {
        message: String::from_utf8_lossy(paste).into_owned(),
        launch: record.handles.launch.clone(),
        when: Some(SendWhen::Now),
        ..OutboxEntry::new(EntryKind::Send, now)
    }
}

/// Records that a spawn failed, once everything it made is gone.
pub fn failed(world: &World, id: &SessionId, detail: &str) -> Result<(), SessionError> {
    let observation = Observation::SpawnFailed(SpawnFailed {
        observed_at: None,
        detail: crate::model::sanitize::line(detail),
    });
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    invocation::apply_locked(world, &mut locked, &observation, "spawn")?;
    invocation::amend_locked(&mut locked, "spawn", |record| {
        record.intent = None;
        Ok::<(), SessionError>(())
    })?;
    Ok(())
}

fn pass(point: &'static str) -> Result<(), SessionError> {
    failpoint::pass(point).map_err(|source| {
        SessionError::Fs(fs::FsError { operation: "pass", path: PathBuf::from(point), source })
    })
}
