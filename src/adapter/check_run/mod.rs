//! The check command of a session: started, watched over, ended.
//!
//! `check.lock` is held for as long as a check runs, by its supervisor (`ao check-run`) and by
//! nothing that the command starts. `check.json` says what is checked and what came of it: one
//! that says `running` while nobody holds the lock lost its supervisor, and says nothing of the
//! commit. Every process of a check carries `AO_CHECK`, so that none outlives it.

mod log;
mod supervisor;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::adapter::clock::{self, Deadline};
use crate::adapter::cmd::{Cmd, CmdError};
use crate::adapter::failpoint;
use crate::adapter::flock;
use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::ids;
use crate::adapter::process;
use crate::adapter::runtime::ao_program;
use crate::adapter::runtime::process_runtime::own_session;
use crate::model::check_run::{CheckRun, CheckState};
use crate::model::time::Timestamp;

pub use log::{Tail, tail};
pub use supervisor::supervise;

/// Held for as long as a check runs.
pub const CHECK_LOCK: &str = "check.lock";
/// What is checked, and what came of it.
pub const CHECK_FILE: &str = "check.json";
/// What the command wrote.
pub const CHECK_LOG: &str = "check.log";

/// How long the processes of a check may take to end by themselves before they are killed.
const GRACE: Duration = Duration::from_secs(5);

/// How long a supervisor may take to end its command and itself: it gives the command its grace.
const ENDING: Duration = Duration::from_secs(15);

/// The longest `check.json` that is read.
const LIMIT: u64 = 1 << 20;

/// Why a check could not be started, read or ended.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The supervisor could not be started.
    #[error(transparent)]
    Cmd(#[from] CmdError),
    /// Another call to the system failed.
    #[error("could not {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// `check.json` is none.
    #[error("could not read {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Processes of the check do not end, not even by SIGKILL.
    #[error("processes of the check do not end: {pids:?}")]
    Unkillable {
        /// Their numbers.
        pids: Vec<u32>,
    },
}

impl CheckError {
    fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

/// One check to be.
#[derive(Clone, Debug)]
pub struct CheckSpec {
    /// Absolute path of `<home>/sessions/<id>`, which exists.
    pub session_dir: PathBuf,
    /// Where the command runs.
    pub workspace: PathBuf,
    /// The commit that the workspace is at.
    pub head_sha: String,
    /// The command's argument vector.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Which try at this commit it is, counted from one.
    pub attempt: u32,
}

/// What is known of the last check of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What `check.json` says; none where nothing was checked.
    pub run: Option<CheckRun>,
    /// A supervisor lives.
    pub is_running: bool,
}

/// Returns what is known of the last check of a session, live or archived.
pub fn standing(session_dir: &Path) -> Result<Standing, CheckError> {
    // In this order: a supervisor writes what came of it before it lets go of the lock.
    let is_running = flock::is_held(&session_dir.join(CHECK_LOCK))?;
    Ok(Standing { run: load(session_dir)?, is_running })
}

/// Starts a check that outlives this process; `false` where one runs already.
///
/// It is recorded before it is begun: one that could not be started counts as a try.
pub fn start(spec: &CheckSpec, now: Timestamp) -> Result<bool, CheckError> {
    let Some(lock) = flock::take(&spec.session_dir.join(CHECK_LOCK))? else { return Ok(false) };
    let run = CheckRun {
        schema: 1,
        head_sha: spec.head_sha.clone(),
        name: name_of(&spec.command),
        command: spec.command.clone(),
        state: CheckState::Running,
        attempt: spec.attempt,
        exit_code: None,
        why: None,
        marker: Some(ids::hex(16)),
        owner: None,
        started_at: now,
        ended_at: None,
    };
    store(&spec.session_dir, &run)?;
    failpoint::pass("check.recorded").map_err(CheckError::io("go on"))?;
    let program = ao_program().map_err(CheckError::io("find this program's path"))?;
    let supervisor = Cmd::new(program)
        .arg("check-run")
        .arg(&spec.session_dir)
        .arg(&spec.workspace)
        .arg(spec.timeout.as_millis().to_string())
        .cwd("/")
        .env_clear();
    let with = |command: Cmd, (name, value): &(OsString, OsString)| command.env(name, value);
    let supervisor = spec.environment.iter().fold(supervisor, with);
    let mut command = supervisor.command();
    // The lock is its standard input: so it is held without a gap, whoever of the two dies.
    command.stdin(Stdio::from(lock)).stdout(Stdio::null()).stderr(Stdio::null());
    own_session(&mut command);
    // Not waited for: it ends by itself, and init collects it.
    supervisor.spawn_as(&mut command)?;
    Ok(true)
}

/// Asks a running check to end and waits `patience` for it; returns whether none runs.
pub fn supersede(session_dir: &Path, patience: Duration) -> Result<bool, CheckError> {
    let lock = session_dir.join(CHECK_LOCK);
    signal_owner(session_dir, Signal::TERM)?;
    Ok(clock::poll_until(Deadline::after(patience), || {
        flock::is_held(&lock).is_ok_and(|held| !held).then_some(())
    })
    .is_some())
}

/// Ends the check of a session, if one runs, with every process it started; what was interrupted
/// is forgotten. Returns whether there was anything to end.
pub fn end(session_dir: &Path) -> Result<bool, CheckError> {
    let standing = standing(session_dir)?;
    let is_over = |run: &CheckRun| run.state != CheckState::Running;
    if !standing.is_running && standing.run.as_ref().is_none_or(is_over) {
        return Ok(false);
    }
    if standing.is_running {
        let lock = session_dir.join(CHECK_LOCK);
        let mut asked = false;
        let ended = clock::poll_until(Deadline::after(ENDING), || {
            // It may have begun a moment ago, and not yet have said who it is.
            if !asked {
                asked = signal_owner(session_dir, Signal::TERM).unwrap_or(false);
            }
            flock::is_held(&lock).is_ok_and(|held| !held).then_some(())
        });
        if ended.is_none() {
            signal_owner(session_dir, Signal::KILL)?;
        }
    }
    end_leftovers(session_dir)?;
    let interrupted =
        |run: CheckRun| matches!(run.state, CheckState::Running | CheckState::Aborted);
    if load(session_dir)?.is_some_and(interrupted) {
        fs::remove_file(&session_dir.join(CHECK_FILE))?;
    }
    Ok(true)
}

/// Records that a check lost its supervisor, once what that left running is gone.
pub fn bury(session_dir: &Path, now: Timestamp) -> Result<(), CheckError> {
    let Some(_lock) = flock::take(&session_dir.join(CHECK_LOCK))? else { return Ok(()) };
    end_leftovers(session_dir)?;
    let Some(mut run) = load(session_dir)?.filter(|run| run.state == CheckState::Running) else {
        return Ok(());
    };
    run.state = CheckState::Aborted;
    run.why = Some("its supervisor was killed".to_owned());
    run.ended_at = Some(now);
    store(session_dir, &run)
}

/// Ends what a supervisor that was killed left running.
fn end_leftovers(session_dir: &Path) -> Result<(), CheckError> {
    let Some(marker) = load(session_dir)?.and_then(|run| run.marker) else { return Ok(()) };
    let report = process::end_carrying(&variable(&marker), GRACE)
        .map_err(CheckError::io("end the check's processes"))?;
    if report.left.is_empty() {
        return Ok(());
    }
    Err(CheckError::Unkillable { pids: report.left.iter().map(|it| it.pid).collect() })
}

/// Sends a signal to the supervisor that `check.json` names; `false` where it names none alive.
fn signal_owner(session_dir: &Path, signal: Signal) -> Result<bool, CheckError> {
    let Some(owner) = load(session_dir)?.and_then(|run| run.owner) else { return Ok(false) };
    process::send_signal(&owner, signal).map_err(CheckError::io("signal the check's supervisor"))
}

/// Returns `AO_CHECK=<marker>`.
fn variable(marker: &str) -> String {
    format!("AO_CHECK={marker}")
}

/// Returns the program's name without its directory, which stands for the check.
pub fn name_of(command: &[String]) -> String {
    let program = command.first().map_or("", String::as_str);
    let name = Path::new(program).file_name().and_then(|name| name.to_str());
    name.unwrap_or("check").to_owned()
}

fn load(session_dir: &Path) -> Result<Option<CheckRun>, CheckError> {
    let path = session_dir.join(CHECK_FILE);
    let Some(bytes) = fs::read_regular(&path, LIMIT)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| CheckError::Unreadable { path, why: error.to_string() })
}

fn store(session_dir: &Path, run: &CheckRun) -> Result<(), CheckError> {
    let mut bytes = serde_json::to_vec_pretty(run).expect("a check is JSON");
    bytes.push(b'\n');
    Ok(fs::replace(&session_dir.join(CHECK_FILE), &bytes, Durability::Process)?)
}
