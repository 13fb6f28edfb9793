//! Where agent processes live: under a launcher, in a tmux pane or on their own.
//!
//! The launcher's files say what is true of the process (`process_fact`); tmux says what is true
//! of the pane. Neither is ever guessed: what could not be read is *failed*, and what says nothing
//! about this launch is *indeterminate*.
#![expect(clippy::disallowed_methods, reason = "finds this very program")]

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapter::cmd::CmdError;
use crate::adapter::fs::directory::Directory;
use crate::adapter::fs::{self, FsError};
use crate::adapter::process::{self, Presence};
use crate::model::facts::Liveness;
use crate::model::id::{LaunchId, ProcessIdentity, SessionId};
use crate::model::record::RuntimeHandle;
use crate::model::time::Timestamp;

pub mod launcher;
pub mod process_runtime;
pub mod screen;
pub mod tmux;
pub mod tmux_parse;
pub mod tmux_send;
mod tmux_server;
mod tmux_start;
mod tty;

/// Held by the launcher, and by nobody else, for as long as it lives.
pub const ALIVE_LOCK: &str = "alive.lock";
/// Says that the agent of a launch was started.
pub const STARTED_FILE: &str = "started.json";
/// Says how the agent of a launch ended.
pub const EXIT_FILE: &str = "exit.json";
/// What the launcher is to run; private, and gone once it was read.
pub const SPEC_FILE: &str = "launch.json";
/// Standard output and error of an agent in the process runtime.
pub const OUTPUT_FILE: &str = "output.log";

/// Where an agent's standard input comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdinSource {
    /// The pane's terminal; `/dev/null` in the process runtime.
    Terminal,
    /// `/dev/null`.
    Null,
    /// A file or a FIFO.
    File(OsString),
}

/// One start of an agent.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    /// Whose agent it is.
    pub session: SessionId,
    /// This start of it.
    pub launch: LaunchId,
    /// Absolute path of `<home>/sessions/<id>`, which exists.
    pub session_dir: PathBuf,
    /// Absolute path of the agent's working directory.
    pub cwd: PathBuf,
    /// The agent's program and arguments.
    pub argv: Vec<OsString>,
    /// The complete environment of the agent; the launcher adds `TERM` where it has a terminal.
    pub env: Vec<(OsString, OsString)>,
    /// Its standard input.
    pub stdin: StdinSource,
    /// Columns and rows of its terminal.
    pub size: (u16, u16),
    /// `$XDG_CONFIG_HOME/ao` of whoever starts it: the end is recorded under the same policy.
    pub config_directory: PathBuf,
}

/// An agent that was seen to run.
#[derive(Clone, Debug)]
pub struct Started {
    /// By which it is found again.
    pub handle: RuntimeHandle,
}

/// Why a runtime did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// tmux is not installed.
    #[error("tmux is not installed or not in PATH")]
    Missing,
    /// tmux is too old.
    #[error("tmux {found} is too old, {needed} or newer is needed")]
    TooOld {
        /// The version that is installed.
        found: String,
        /// The oldest that will do.
        needed: &'static str,
    },
    /// The agent did not start.
    #[error("the agent of session `{session}` did not start: {why}")]
    StartFailed {
        /// Whose agent.
        session: SessionId,
        /// What is known of the reason.
        why: String,
        /// The last screen or the end of the output, sanitised; may be empty.
        screen: String,
    },
    /// tmux did not answer in time; what it was asked may still happen.
    #[error("tmux does not answer on {}", socket.display())]
    Unresponsive {
        /// The server's socket.
        socket: PathBuf,
    },
    /// The agent's launcher lives.
    #[error("session `{session}` already has a running agent")]
    Occupied {
        /// Whose agent.
        session: SessionId,
    },
    /// A tmux session of that name exists and is not a dead one of ours.
    #[error("tmux already has a session named `{session}` that is in use")]
    NameTaken {
        /// The name.
        session: SessionId,
    },
    /// The socket cannot be where it should be.
    #[error("tmux socket {} cannot be used: {why}", path.display())]
    SocketPath {
        /// The socket.
        path: PathBuf,
        /// The rule it breaks.
        why: String,
    },
    /// No tmux server listens on the socket.
    #[error("no tmux server runs on {}", socket.display())]
    ServerAbsent {
        /// The server's socket.
        socket: PathBuf,
    },
    /// The session's pane is not that of this launch, or it is dead.
    #[error("session `{session}` has no live pane of this launch: {why}")]
    NotThisLaunch {
        /// Whose pane.
        session: SessionId,
        /// What is there instead.
        why: &'static str,
    },
    /// The server knows no such session, window or pane.
    #[error("tmux could not {doing}: it has no such session")]
    NoSuchTarget {
        /// What it was asked.
        doing: &'static str,
    },
    /// A key name that is not one.
    #[error("`{0}` is not a key name")]
    InvalidKey(String),
    /// tmux refused.
    #[error("tmux failed to {doing}: {stderr}")]
    Tmux {
        /// What it was asked.
        doing: &'static str,
        /// Its answer.
        stderr: String,
    },
    /// tmux printed something unexpected.
    #[error("tmux printed a line that cannot be read: {line:?}")]
    Unreadable {
        /// The line.
        line: String,
    },
    /// A child process could not be run.
    #[error(transparent)]
    Cmd(#[from] CmdError),
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Another call to the system failed.
    #[error("could not {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl RuntimeError {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

/// What is known of an agent's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessFact {
    /// Whether it lives.
    pub liveness: Liveness,
    /// It is certain that it does not.
    pub confirmed: bool,
    /// Its exit code, 128 + n for signal n, where it was recorded.
    pub exit_code: Option<i32>,
}

impl ProcessFact {
    /// Its launcher holds its lock.
    pub const ALIVE: Self = Self::unconfirmed(Liveness::Alive);

    const fn unconfirmed(liveness: Liveness) -> Self {
        Self { liveness, confirmed: false, exit_code: None }
    }
}

/// `started.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecord {
    /// The start it is about.
    pub launch: LaunchId,
    /// The launcher.
    #[serde(flatten)]
    pub launcher: ProcessIdentity,
    /// The agent's process number.
    pub agent_pid: u32,
    /// When.
    pub at: Timestamp,
}

/// `exit.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The start it is about.
    pub launch: LaunchId,
    /// The exit code, where the agent exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal, where one ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why the agent could not be run at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl ExitRecord {
    /// Returns the exit code as a shell would: 128 + n for signal n.
    pub fn exit_code(&self) -> Option<i32> {
        self.code.or(self.signal.map(|signal| signal.saturating_add(128)))
    }
}

/// Returns what the launcher's files say of the process of `launch`; no tmux is asked.
pub fn process_fact(session_dir: &Path, launch: &LaunchId) -> ProcessFact {
    facts_on_disk(session_dir, launch).unwrap_or(ProcessFact::unconfirmed(Liveness::Failed))
}

/// Returns whether the launcher of the session whose directory is open lives: the one look that a
/// session at work needs, where nothing beside it says how its agent ended.
pub fn has_launcher(directory: &Directory) -> bool {
    directory.is_held(ALIVE_LOCK).unwrap_or(false)
}

fn facts_on_disk(session_dir: &Path, launch: &LaunchId) -> Result<ProcessFact, RuntimeError> {
    let ended = |exit: ExitRecord| ProcessFact {
        liveness: Liveness::Dead,
        confirmed: true,
        exit_code: exit.exit_code(),
    };
    if let Some(exit) = exit_record(session_dir, launch)? {
        return Ok(ended(exit));
    }
    if launcher::is_held(session_dir)? {
        return Ok(ProcessFact::unconfirmed(Liveness::Alive));
    }
    // The launcher may have ended since the first look.
    if let Some(exit) = exit_record(session_dir, launch)? {
        return Ok(ended(exit));
    }
    let Some(started) = start_record(session_dir, launch)? else {
        return Ok(ProcessFact::unconfirmed(Liveness::Indeterminate));
    };
    let presence = process::presence(&started.launcher).map_err(RuntimeError::io("read /proc"))?;
    Ok(match presence {
        Presence::Gone => {
            ProcessFact { liveness: Liveness::Dead, confirmed: true, exit_code: None }
        }
        Presence::Alive => ProcessFact::unconfirmed(Liveness::Indeterminate),
    })
}

/// Returns `started.json` where it is about `launch`.
pub fn start_record(dir: &Path, launch: &LaunchId) -> Result<Option<StartRecord>, RuntimeError> {
    let record: Option<StartRecord> = read_json(&dir.join(STARTED_FILE))?;
    Ok(record.filter(|record| record.launch == *launch))
}

/// Returns what a launcher says of its start: `started.json`, or why that will never be written;
/// `None` while neither is known.
fn told_of_start(
    dir: &Path,
    launch: &LaunchId,
) -> Result<Option<Result<StartRecord, String>>, RuntimeError> {
    if let Some(started) = start_record(dir, launch)? {
        return Ok(Some(Ok(started)));
    }
    let Some(exit) = exit_record(dir, launch)? else { return Ok(None) };
    // An agent may start and end between the two looks, and its start is written first.
    let started = start_record(dir, launch)?;
    let why = || exit.failure.unwrap_or_else(|| "it ended at once".into());
    Ok(Some(started.ok_or_else(why)))
}

/// Returns `exit.json` where it is about `launch`.
pub fn exit_record(dir: &Path, launch: &LaunchId) -> Result<Option<ExitRecord>, RuntimeError> {
    let record: Option<ExitRecord> = read_json(&dir.join(EXIT_FILE))?;
    Ok(record.filter(|record| record.launch == *launch))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, RuntimeError> {
    let Some(bytes) = fs::read_own(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| FsError::at("parse", path)(error.into()).into())
}

/// Returns the absolute path of this very program.
///
/// A program that was replaced while it ran is looked up again under its old name. Debug builds
/// take `AO_TEST_PROGRAM` where it is set, and the binary beside a test binary otherwise.
pub fn ao_program() -> io::Result<PathBuf> {
    let program = std::fs::read_link("/proc/self/exe")?;
    #[cfg(debug_assertions)]
    {
        if let Some(path) = std::env::var_os("AO_TEST_PROGRAM") {
            return Ok(path.into());
        }
        if let Some(deps) = program.parent().filter(|parent| parent.ends_with("deps")) {
            return Ok(deps.with_file_name("ao"));
        }
    }
    if program.exists() {
        return Ok(program);
    }
    let text = program.to_string_lossy();
    match text.strip_suffix(" (deleted)").map(PathBuf::from).filter(|path| path.exists()) {
        Some(replacement) => Ok(replacement),
        None => Err(io::Error::new(io::ErrorKind::NotFound, "this program's file was deleted")),
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::adapter::clock::{self, Deadline};
    use crate::adapter::fs::Durability;

    const LAUNCH: &str = "00112233445566778899aabbccddeeff";

    fn fact_with(files: &[(&str, &str)]) -> ProcessFact {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::replace(&dir.path().join(name), text.as_bytes(), Durability::Process).unwrap();
        }
        process_fact(dir.path(), &LAUNCH.parse().unwrap())
    }

    fn started(launch: &str, me: &ProcessIdentity) -> String {
        serde_json::to_string(&StartRecord {
            launch: launch.parse().unwrap(),
            launcher: me.clone(),
            agent_pid: 1,
            at: Timestamp::from_millis(0),
        })
        .unwrap()
    }

    #[test]
    fn a_start_is_told_however_soon_the_end_follows() {
        let launch = LAUNCH.parse().unwrap();
        let told = || {
            let dir = tempfile::tempdir().unwrap();
            let write = |name: &str, text: String| {
                fs::replace(&dir.path().join(name), text.as_bytes(), Durability::Process).unwrap();
            };
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    write(STARTED_FILE, started(LAUNCH, &process::current().unwrap()));
                    let at = "2026-01-01T00:00:00.000Z";
                    write(EXIT_FILE, format!(r#"{{"launch":"{LAUNCH}","code":0,"at":"{at}"}}"#));
                });
                loop {
                    if let Some(told) = told_of_start(dir.path(), &launch).unwrap() {
                        break told;
                    }
                }
            })
        };
        for _ in 0..500 {
            told().expect("it has started");
        }
    }

    #[test]
    fn each_row_of_the_process_table() {
        let dead = |exit_code| ProcessFact { liveness: Liveness::Dead, confirmed: true, exit_code };
        let unsure = ProcessFact::unconfirmed(Liveness::Indeterminate);
        let other = "ffffffffffffffff";
        let at = r#""at":"2026-01-01T00:00:00.000Z""#;
        let exit = |fields: &str| format!(r#"{{"launch":"{LAUNCH}",{fields}{at}}}"#);
        let me = process::current().unwrap();
        let earlier = ProcessIdentity { pid_start: me.pid_start + 1, ..me.clone() };
        let rebooted = ProcessIdentity { boot_id: "x".into(), ..me.clone() };

        assert_eq!(fact_with(&[]), unsure);
        assert_eq!(fact_with(&[(EXIT_FILE, &exit(r#""code":3,"#))]), dead(Some(3)));
        assert_eq!(fact_with(&[(EXIT_FILE, &exit(r#""signal":9,"#))]), dead(Some(137)));
        let foreign = format!(r#"{{"launch":"{other}","code":3,{at}}}"#);
        assert_eq!(fact_with(&[(EXIT_FILE, &foreign)]), unsure);
        assert_eq!(fact_with(&[(STARTED_FILE, &started(LAUNCH, &earlier))]), dead(None));
        assert_eq!(fact_with(&[(STARTED_FILE, &started(LAUNCH, &rebooted))]), dead(None));
        assert_eq!(fact_with(&[(STARTED_FILE, &started(other, &rebooted))]), unsure);
        assert_eq!(fact_with(&[(STARTED_FILE, &started(LAUNCH, &me))]), unsure);
        let failed = ProcessFact::unconfirmed(Liveness::Failed);
        assert_eq!(fact_with(&[(EXIT_FILE, "{")]), failed);
        assert_eq!(fact_with(&[(STARTED_FILE, "")]), failed);
    }

    #[test]
    fn a_held_lock_is_life_and_two_probes_do_not_see_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let launch = LAUNCH.parse().unwrap();
        let lock = launcher::take_lock(dir.path()).unwrap().unwrap();
        assert_eq!(process_fact(dir.path(), &launch).liveness, Liveness::Alive);
        drop(lock);
        let probe = fs::open_append(&dir.path().join(ALIVE_LOCK)).unwrap();
        // A child that another test is about to run has its copy of the lock until then.
        let shared =
            || rustix::fs::flock(&probe, rustix::fs::FlockOperation::NonBlockingLockShared).ok();
        clock::poll_until(Deadline::after(Duration::from_secs(20)), shared).unwrap();
        assert_eq!(process_fact(dir.path(), &launch).liveness, Liveness::Indeterminate);
    }
}
