//! The configured check of a session's branch: what it is, when it is begun, and who ends it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::adapter::agent::{self, Identity};
use crate::adapter::check_run::{self, CHECK_LOCK, CHECK_LOG, CheckSpec, Standing};
use crate::adapter::clock::{self, Deadline};
use crate::adapter::{git, ids};
use crate::config::trust::{self, Approval};
use crate::config::{Layered, Origin};
use crate::decide::local_scm::Wanted;
use crate::invocation::World;
use crate::model::answer::CheckShown;
use crate::model::check_run::CheckState;
use crate::model::id::SessionId;
use crate::model::lifecycle::{SessionReason, SessionState};
use crate::model::record::Record;
use crate::session::{SessionError, start, workspace};
use crate::store::{StoreError, lock};

/// How long git may take to say where a workspace stands.
const STATUS_DEADLINE: Duration = Duration::from_secs(60);

/// How long a pass waits for a check of an older commit to end; the next pass goes on.
const SUPERSEDE: Duration = Duration::from_secs(2);

/// The check that applies to a repository.
#[derive(Clone, Debug)]
pub struct Configured {
    /// The configuration.
    pub layered: Arc<Layered>,
    /// What a person has to approve before it is made.
    pub missing: Option<Approval>,
}

impl Configured {
    /// Returns the check that applies to the repository that `record` works in.
    pub fn of(world: &World, record: &Record) -> Result<Self, SessionError> {
        let layered = world.config_of(record)?;
        let is_its_own =
            matches!(layered.origins().get("check.command"), Some(Origin::Repository(_)));
        let missing = if is_its_own {
            let project = record.project.as_ref().and_then(|id| world.home.project(id).ok());
            workspace::missing_approval(world, project.as_ref(), trust::approval(&layered))
        } else {
            None
        };
        Ok(Self { layered, missing })
    }

    /// Returns what is wanted of each new commit.
    pub fn wanted(&self) -> Wanted<'_> {
        match (&self.layered.config.check.command, &self.missing) {
            (None, _) => Wanted::Nothing,
            (Some(_), Some(_)) => Wanted::Unapproved,
            (Some(command), None) => Wanted::Command(command),
        }
    }
}

/// What a pass has to do about the check of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The session.
    pub id: SessionId,
    /// The commit to be checked.
    pub head_sha: String,
    /// What.
    pub what: StepKind,
}

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Begin a check, for the `attempt`th time at this commit.
    Begin {
        /// Which try it is.
        attempt: u32,
    },
    /// End the check of another commit, and begin one.
    Supersede,
    /// End what a supervisor that was killed left running, and record that it was.
    Bury,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A check runs.
    Begun,
    /// The leftovers of a killed supervisor are gone.
    Buried,
    /// Nothing could be done yet, and the next pass tries again.
    Waits(&'static str),
}

/// Does what a step asks for.
pub fn advance(world: &World, step: &Step) -> Result<Progress, SessionError> {
    let directory = world.home.session_dir(&step.id);
    match step.what {
        StepKind::Bury => {
            check_run::bury(&directory, clock::now())?;
            Ok(Progress::Buried)
        }
        StepKind::Supersede => {
            if check_run::supersede(&directory, SUPERSEDE)? {
                begin(world, step, 1)
            } else {
                Ok(Progress::Waits("the check of an older commit is being ended"))
            }
        }
        StepKind::Begin { attempt } => begin(world, step, attempt),
    }
}

fn begin(world: &World, step: &Step, attempt: u32) -> Result<Progress, SessionError> {
    // As it is by now: a kill may have come between the look and this.
    let record = world.home.load(&step.id)?.record;
    let configured = Configured::of(world, &record)?;
    let Wanted::Command(command) = configured.wanted() else {
        return Ok(Progress::Waits("there is no approved check"));
    };
    if !is_due(&record) {
        return Ok(Progress::Waits("the session is being changed"));
    }
    let Some(handle) = &record.handles.workspace else {
        return Ok(Progress::Waits("it has no workspace"));
    };
    let status = git::status(handle, STATUS_DEADLINE)?;
    if status.head != step.head_sha {
        return Ok(Progress::Waits("its workspace is at another commit"));
    }
    if is_mid_turn(&record) && status.changed > 0 {
        return Ok(Progress::Waits("the agent is changing files"));
    }
    let spec = CheckSpec {
        session_dir: world.home.session_dir(&step.id),
        workspace: handle.path.clone(),
        head_sha: step.head_sha.clone(),
        command: command.to_vec(),
        timeout: configured.layered.config.check.timeout,
        environment: environment(world, &step.id, &record, &configured.layered)?,
        attempt,
    };
    if !check_run::start(&spec, clock::now())? {
        return Ok(Progress::Waits("a check runs"));
    }
    // A kill that came meanwhile has looked for a check before there was one.
    if !world.home.load(&step.id).is_ok_and(|loaded| !loaded.archived && is_due(&loaded.record)) {
        check_run::end(&spec.session_dir)?;
        return Ok(Progress::Waits("the session is being changed"));
    }
    Ok(Progress::Begun)
}

/// Returns whether a session's branch may be checked: nobody is at work on the session itself,
/// and nobody has ended it.
pub fn is_due(record: &Record) -> bool {
    record.intent.is_none() && !is_put_away(record)
}

/// Returns whether somebody ended the session and its branch with it.
pub fn is_put_away(record: &Record) -> bool {
    let axis = &record.lifecycle.session;
    let put_away =
        [SessionReason::ManuallyKilled, SessionReason::AutoCleanup, SessionReason::PrMerged];
    axis.state == SessionState::Terminated && put_away.contains(&axis.reason)
}

/// Returns whether the agent may change files at any moment.
fn is_mid_turn(record: &Record) -> bool {
    match record.lifecycle.session.state {
        SessionState::Working | SessionState::NotStarted | SessionState::Detecting => true,
        SessionState::Idle
        | SessionState::NeedsInput
        | SessionState::Stuck
        | SessionState::Done
        | SessionState::Terminated => false,
    }
}

/// Returns the environment of an agent, less what would make it pass for one.
fn environment(
    world: &World,
    id: &SessionId,
    record: &Record,
    layered: &Layered,
) -> Result<Vec<(OsString, OsString)>, SessionError> {
    let Some(project) = &record.project else { return Ok(Vec::new()) };
    let mut all = agent::environment(
        world.variables.iter().map(|(name, value)| (name.clone(), value.clone())),
        &layered.config.env,
        &Identity {
            session: id,
            project,
            issue: record.issue.as_deref(),
            home: world.home.root(),
            launch: &ids::launch(),
            has_task: false,
            path_first: &start::program_directory(world)?,
        },
    );
    all.retain(|(name, _)| name != "AO_LAUNCH");
    Ok(all)
}

/// Ends the check of a session, if one runs.
pub fn end(world: &World, id: &SessionId) -> Result<(), SessionError> {
    check_run::end(&world.home.session_dir(id))?;
    Ok(())
}

/// Waits until the check of a session is over; `false` where `deadline` came first.
pub fn wait(world: &World, id: &SessionId, deadline: Deadline) -> Result<bool, SessionError> {
    let path = world.home.session_dir(id).join(CHECK_LOCK);
    match lock::acquire(&path, deadline.remaining()) {
        Ok(_) | Err(lock::LockError::Gone { .. }) => Ok(true),
        Err(lock::LockError::Timeout { .. }) => Ok(false),
        Err(error @ (lock::LockError::Replaced { .. } | lock::LockError::Fs(_))) => {
            Err(StoreError::from(error).into())
        }
    }
}

/// Returns what a person is shown of the last check, `None` where there was none.
pub fn shown(world: &World, id: &SessionId) -> Result<Option<CheckShown>, SessionError> {
    let directory = world.home.existing_dir(id)?;
    let Standing { run, is_running } = check_run::standing(&directory)?;
    let Some(run) = run else { return Ok(None) };
    let lost = run.state == CheckState::Running && !is_running;
    let log: PathBuf = directory.join(CHECK_LOG);
    Ok(Some(CheckShown {
        state: if lost { CheckState::Aborted } else { run.state },
        head_sha: run.head_sha,
        command: run.command,
        attempt: run.attempt,
        exit_code: run.exit_code,
        why: run.why.or_else(|| lost.then(|| "its supervisor was killed".to_owned())),
        log: log.display().to_string(),
        started_at: run.started_at,
        ended_at: run.ended_at,
    }))
}
