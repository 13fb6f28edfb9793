//! The launcher: the parent that every agent keeps for as long as it lives.
//!
//! It holds `alive.lock`, says that the agent started and how it ended, and passes signals on. It
//! never kills anything by itself, and it runs nothing but what its private file names.
#![expect(clippy::disallowed_methods, reason = "reads the pane's own TERM")]

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::process::{PidfdFlags, Signal};
use serde::{Deserialize, Serialize};
use signal_hook::consts::signal;
use signal_hook::iterator::Signals;

use crate::adapter::clock;
use crate::adapter::cmd::Cmd;
use crate::adapter::failpoint;
use crate::adapter::flock;
use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::process;
use crate::adapter::runtime::{
    ALIVE_LOCK, EXIT_FILE, ExitRecord, LaunchSpec, RuntimeError, SPEC_FILE, STARTED_FILE,
    StartRecord, StdinSource,
};
use crate::model::id::LaunchId;
use crate::model::sanitize;

/// The launcher refused to run anything: the session is occupied, or its directory or its
/// private file is not what it should be.
pub const EXIT_REFUSED: i32 = 73;
/// The agent's program could not be run, as a shell would say it.
pub const EXIT_NOT_RUNNABLE: i32 = 126;
/// The agent's program was not found, as a shell would say it.
pub const EXIT_NOT_FOUND: i32 = 127;

/// The private file. Bytes of paths and arguments are kept exactly, UTF-8 or not.
#[derive(Debug, Serialize, Deserialize)]
struct SpecFile {
    launch: LaunchId,
    cwd: OsString,
    argv: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: StdinSource,
    config_directory: OsString,
}

/// Writes the private file from which the launcher of `spec` reads what to run.
pub fn write_spec(spec: &LaunchSpec) -> Result<(), RuntimeError> {
    let file = SpecFile {
        launch: spec.launch.clone(),
        cwd: spec.cwd.clone().into(),
        argv: spec.argv.clone(),
        env: spec.env.clone(),
        stdin: spec.stdin.clone(),
        config_directory: spec.config_directory.clone().into(),
    };
    let path = spec.session_dir.join(SPEC_FILE);
    let bytes = serde_json::to_vec(&file)
        .map_err(|error| FsError::at("write", &path)(io::Error::other(error)))?;
    // `replace` makes private files, and the launcher reads it within seconds or never.
    Ok(fs::replace(&path, &bytes, Durability::Process)?)
}

/// Takes the private file of `launch` away, so that a launcher that comes late runs nothing.
pub fn withdraw_spec(session_dir: &Path, launch: &LaunchId) -> Result<(), FsError> {
    let path = session_dir.join(SPEC_FILE);
    match fs::read_own(&path)?.map(|bytes| serde_json::from_slice::<SpecFile>(&bytes)) {
        Some(Ok(file)) if file.launch != *launch => Ok(()),
        Some(Ok(_) | Err(_)) | None => fs::remove_file(&path),
    }
}

/// Returns whether a launcher of the session lives.
pub fn is_held(session_dir: &Path) -> Result<bool, FsError> {
    flock::is_held(&session_dir.join(ALIVE_LOCK))
}

/// Takes the session's lock; `None` where another launcher holds it.
pub(crate) fn take_lock(session_dir: &Path) -> Result<Option<File>, FsError> {
    flock::take(&session_dir.join(ALIVE_LOCK))
}

/// What is done with an agent's exit code and the configuration directory of whoever started it.
pub type BeforeExit<'a> = dyn FnMut(i32, &Path) + 'a;

/// Runs the agent of `launch` to its end and returns its exit code, 128 + n for signal n.
///
/// `before_exit` is called once, after the end was recorded. An agent that could
/// not be run has a recorded end too, but `before_exit` is not called: whoever waits for the start
/// reports it. Where the launch itself is refused the reason goes to standard error, nothing is
/// recorded, and the code is [`EXIT_REFUSED`].
pub fn launch(session_dir: &Path, launch: &LaunchId, before_exit: &mut BeforeExit<'_>) -> i32 {
    match Launch::prepare(session_dir, launch) {
        Ok(prepared) => prepared.run(before_exit),
        Err(why) => {
            say(&format!("launch refused: {why}"));
            EXIT_REFUSED
        }
    }
}

/// A launch that may run: its lock is held and its private file is read and gone.
struct Launch<'a> {
    session_dir: &'a Path,
    spec: SpecFile,
    signals: Signals,
    _lock: File,
}

impl<'a> Launch<'a> {
    fn prepare(session_dir: &'a Path, launch: &LaunchId) -> Result<Self, String> {
        // Caught rather than ignored: a handler is reset in the agent, an ignored signal is not.
        let signals = Signals::new([
            signal::SIGHUP,
            signal::SIGINT,
            signal::SIGQUIT,
            signal::SIGTERM,
            signal::SIGTSTP,
            signal::SIGUSR1,
            signal::SIGUSR2,
        ])
        .map_err(|error| format!("could not catch signals: {error}"))?;
        let lock = take_lock(session_dir).map_err(explain)?;
        let lock = lock.ok_or("the session already has a running agent")?;
        let spec = read_spec(session_dir, launch)?;
        failpoint::pass("launch.spec_read").map_err(explain)?;
        check_directory(Path::new(&spec.cwd))?;
        Ok(Self { session_dir, spec, signals, _lock: lock })
    }

    fn run(self, before_exit: &mut BeforeExit<'_>) -> i32 {
        let Self { session_dir, spec, signals, _lock } = self;
        let mut exit = ExitRecord {
            launch: spec.launch.clone(),
            code: None,
            signal: None,
            failure: None,
            at: clock::now(),
        };
        let mut ran = false;
        match start(session_dir, &spec, signals) {
            Ok(mut agent) => {
                ran = true;
                match agent.wait() {
                    Ok(status) => record_status(&mut exit, status),
                    Err(error) => exit.failure = Some(explain(error)),
                }
            }
            Err((code, why)) => {
                say(&why);
                exit.code = Some(code);
                exit.failure = Some(why);
            }
        }
        exit.at = clock::now();
        let code = exit.exit_code().unwrap_or(EXIT_NOT_RUNNABLE);
        if let Err(error) = write_json(&session_dir.join(EXIT_FILE), &exit, Durability::PowerCut) {
            say(&explain(error));
        }
        if ran {
            before_exit(code, Path::new(&spec.config_directory));
        }
        code
    }
}

fn record_status(exit: &mut ExitRecord, status: ExitStatus) {
    exit.code = status.code();
    exit.signal = status.signal();
}

/// Starts the agent and says so in `started.json`, or returns an exit code and the reason.
fn start(session_dir: &Path, spec: &SpecFile, signals: Signals) -> Result<Child, (i32, String)> {
    let failed = |why: String| (EXIT_NOT_RUNNABLE, why);
    let launcher = process::current().map_err(|error| failed(explain(error)))?;
    let mut agent = spawn_agent(spec).map_err(|error| {
        let program = spec.argv.first().map(|word| word.to_string_lossy().into_owned());
        let missing = error.kind() == io::ErrorKind::NotFound;
        let code = if missing { EXIT_NOT_FOUND } else { EXIT_NOT_RUNNABLE };
        (code, format!("could not run `{}`: {}", program.unwrap_or_default(), explain(error)))
    })?;
    let started = StartRecord {
        launch: spec.launch.clone(),
        launcher,
        agent_pid: agent.id(),
        at: clock::now(),
    };
    // The agent is not collected yet, so its number is its own.
    let pidfd =
        rustix::process::pidfd_open(rustix::process::Pid::from_child(&agent), PidfdFlags::empty());
    let written = write_json(&session_dir.join(STARTED_FILE), &started, Durability::PowerCut);
    if let Err(error) = written {
        // Nobody could ever tell that it runs.
        let _ = agent.kill();
        let _ = agent.wait();
        return Err(failed(explain(error)));
    }
    if let Ok(pidfd) = pidfd {
        // Where no thread is to be had, the agent runs none the worse, and ends with its terminal.
        let _ = std::thread::Builder::new().spawn(move || pass_signals_on(signals, &pidfd));
    }
    Ok(agent)
}

/// Passes signals on for ever; the thread ends with the process.
fn pass_signals_on(mut signals: Signals, agent: &OwnedFd) {
    // What is typed into a terminal reaches the agent by itself, as it is in the same group.
    let terminal = rustix::termios::isatty(rustix::stdio::stdin());
    for number in signals.forever() {
        let passed = match number {
            signal::SIGHUP => Some(Signal::HUP),
            signal::SIGTERM => Some(Signal::TERM),
            signal::SIGUSR1 => Some(Signal::USR1),
            signal::SIGUSR2 => Some(Signal::USR2),
            signal::SIGINT if !terminal => Some(Signal::INT),
            signal::SIGQUIT if !terminal => Some(Signal::QUIT),
            _ => None,
        };
        if let Some(passed) = passed {
            let _ = rustix::process::pidfd_send_signal(agent, passed);
        }
    }
}

fn spawn_agent(spec: &SpecFile) -> io::Result<Child> {
    let (program, args) =
        spec.argv.split_first().ok_or_else(|| io::Error::other("there is no command"))?;
    let mut agent = Cmd::new(program).args(args).cwd(&spec.cwd).env_clear();
    for (name, value) in &spec.env {
        agent = agent.env(name, value);
    }
    let terminal = rustix::termios::isatty(rustix::stdio::stdin());
    if let Some(term) = std::env::var_os("TERM").filter(|_| terminal) {
        // The caller's TERM describes the caller's terminal; the agent's is this pane.
        agent = agent.env("TERM", term);
    }
    let mut command = agent.command();
    command.stdin(stdin_of(&spec.stdin)?);
    die_with_this_thread(&mut command);
    failpoint::through("launch.agent", Path::new(&spec.cwd), || command.spawn())
}

fn stdin_of(source: &StdinSource) -> io::Result<Stdio> {
    Ok(match source {
        StdinSource::Terminal => Stdio::inherit(),
        StdinSource::Null => Stdio::null(),
        StdinSource::File(path) => {
            // Read and write, because a FIFO opened for reading alone waits for a writer.
            let is_fifo = rustix::fs::stat(Path::new(path)).is_ok_and(|stat| {
                rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Fifo
            });
            let access = if is_fifo { OFlags::RDWR } else { OFlags::RDONLY };
            Stdio::from(rustix::fs::open(Path::new(path), access | OFlags::CLOEXEC, Mode::empty())?)
        }
    })
}

/// Has the kernel kill the child when the thread that starts it ends.
///
/// The launcher starts its agent on the main thread and waits there.
fn die_with_this_thread(command: &mut std::process::Command) {
    let parent = rustix::process::getpid();
    let in_child = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that died before the line above would never be noticed.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::Error::from(rustix::io::Errno::CHILD))
        }
    };
    // SAFETY: between fork and exec the closure makes two system calls; it takes no lock and
    // allocates nothing.
    unsafe { command.pre_exec(in_child) };
}

fn read_spec(session_dir: &Path, launch: &LaunchId) -> Result<SpecFile, String> {
    let path = session_dir.join(SPEC_FILE);
    let bytes = fs::read_own(&path).map_err(explain)?;
    let bytes = bytes.ok_or_else(|| format!("{} does not exist", path.display()))?;
    let spec: SpecFile = serde_json::from_slice(&bytes).map_err(explain)?;
    if spec.launch != *launch {
        return Err(format!("{} is about another launch", path.display()));
    }
    fs::remove_file(&path).map_err(explain)?;
    Ok(spec)
}

/// Checks that this process stands in `cwd`, which tmux silently replaces where it is missing.
fn check_directory(cwd: &Path) -> Result<(), String> {
    let missing =
        |error: FsError| format!("working directory {}: {}", cwd.display(), explain(error));
    let wanted = fs::metadata(&fs::canonical(cwd).map_err(missing)?).map_err(missing)?;
    let here = fs::metadata(Path::new(".")).map_err(missing)?;
    let place = |metadata: Option<std::fs::Metadata>| metadata.map(|m| (m.dev(), m.ino()));
    let wanted_place = place(wanted);
    if wanted_place.is_some() && wanted_place == place(here) {
        Ok(())
    } else {
        Err(format!("working directory {} is not where it started", cwd.display()))
    }
}

fn write_json(path: &Path, value: &impl Serialize, durability: Durability) -> Result<(), FsError> {
    let mut bytes = serde_json::to_vec(value)
        .map_err(|error| FsError::at("write", path)(io::Error::other(error)))?;
    bytes.push(b'\n');
    fs::replace(path, &bytes, durability)
}

/// Returns the error and its causes in one line.
fn explain(error: impl std::error::Error) -> String {
    sanitize::chain(&error)
}

/// Says something to whoever looks at the pane or the log.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(io::stderr(), "ao launch: {text}");
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn spec(dir: &Path) -> LaunchSpec {
        LaunchSpec {
            session: "ao-1".parse().unwrap(),
            launch: "00112233445566778899aabbccddeeff".parse().unwrap(),
            session_dir: dir.to_owned(),
            cwd: dir.to_owned(),
            argv: vec!["true".into(), OsString::from_vec(vec![0xff, b'\n', b'"'])],
            env: vec![("A".into(), OsString::from_vec(vec![0xfe]))],
            stdin: StdinSource::Null,
            size: (80, 24),
            config_directory: "/nonexistent".into(),
        }
    }

    #[test]
    fn the_private_file_is_private_keeps_every_byte_and_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(dir.path());
        write_spec(&spec).unwrap();
        let mode = fs::metadata(&dir.path().join(SPEC_FILE)).unwrap().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = "ffffffffffffffff".parse().unwrap();
        assert!(read_spec(dir.path(), &other).unwrap_err().contains("another launch"));
        let read = read_spec(dir.path(), &spec.launch).unwrap();
        assert_eq!((read.argv, read.env), (spec.argv, spec.env));
        assert!(read_spec(dir.path(), &spec.launch).unwrap_err().contains("does not exist"));
    }

    #[test]
    fn only_the_launch_that_is_withdrawn_loses_its_private_file() {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(dir.path());
        write_spec(&spec).unwrap();
        withdraw_spec(dir.path(), &"ffffffffffffffff".parse().unwrap()).unwrap();
        assert!(dir.path().join(SPEC_FILE).exists());
        for _ in 0..2 {
            withdraw_spec(dir.path(), &spec.launch).unwrap();
            assert!(!dir.path().join(SPEC_FILE).exists());
        }
    }
}
