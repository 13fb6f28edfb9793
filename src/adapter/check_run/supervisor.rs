//! The process that runs one check: it waits, it keeps the log, it writes what came of it.
//!
//! Whatever the command leaves running ends with it. What kept the check from being made (no
//! program, a full disk, a signal from outside) is *aborted*, which says nothing of the commit.
#![expect(clippy::disallowed_methods, reason = "passes its own environment on")]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::signal;
use signal_hook::iterator::Signals;

use super::log::Log;
use super::{CHECK_LOCK, CHECK_LOG, CheckError, GRACE, load, store, variable};
use crate::adapter::clock::{self, Deadline};
use crate::adapter::cmd::{self, Cmd};
use crate::adapter::failpoint;
use crate::adapter::flock;
use crate::adapter::fs;
use crate::adapter::process;
use crate::model::check_run::{CheckRun, CheckState};
use crate::model::sanitize;

/// How long the rest of the log is waited for once every known process of the check has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs the check that `check.json` describes, for whoever started this process with the lock as
/// its standard input, and writes what came of it.
pub fn supervise(
    session_dir: &Path,
    workspace: &Path,
    timeout: Duration,
) -> Result<CheckState, CheckError> {
    let stopped = watch_signals(session_dir)?;
    let _lock = adopt_lock(session_dir)?;
    let Some(mut run) = load(session_dir)?.filter(|run| run.state == CheckState::Running) else {
        return Err(CheckError::Unreadable {
            path: session_dir.join(super::CHECK_FILE),
            why: "it asks for no check".to_owned(),
        });
    };
    run.owner = Some(process::current().map_err(CheckError::io("find out who this is"))?);
    store(session_dir, &run)?;
    failpoint::pass("check.owned").map_err(CheckError::io("go on"))?;
    let ended = match Log::create(&session_dir.join(CHECK_LOG)) {
        Ok(log) => check(&run, workspace, timeout, log, &stopped),
        Err(error) => Ended::aborted(sanitize::chain(&error)),
    };
    failpoint::pass("check.over").map_err(CheckError::io("go on"))?;
    run.state = ended.state;
    run.exit_code = ended.exit_code;
    run.why = ended.why;
    run.ended_at = Some(clock::now());
    store(session_dir, &run)?;
    Ok(run.state)
}

/// What came of a check.
struct Ended {
    state: CheckState,
    exit_code: Option<i32>,
    why: Option<String>,
}

impl Ended {
    fn aborted(why: String) -> Self {
        Self { state: CheckState::Aborted, exit_code: None, why: Some(why) }
    }
}

/// Returns the lock that is this process's standard input, out of the reach of its children.
fn adopt_lock(session_dir: &Path) -> Result<File, CheckError> {
    let doing = "adopt the lock of the check";
    let path = session_dir.join(CHECK_LOCK);
    let stdin = io::stdin();
    let adopted =
        stdin.as_fd().try_clone_to_owned().map(File::from).map_err(CheckError::io(doing))?;
    let place = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
    let here = adopted.metadata().map_err(CheckError::io(doing))?;
    let there = fs::metadata(&path)?;
    let is_it = there.is_some_and(|there| place(&there) == place(&here));
    if is_it && flock::is_held(&path)? {
        return Ok(adopted);
    }
    let why = io::Error::other("standard input is not the lock: only `ao reap` starts a check");
    Err(CheckError::io(doing)(why))
}

/// Has a signal that asks this process to end take the check with it; returns the flag that says
/// that one came.
fn watch_signals(session_dir: &Path) -> Result<Arc<AtomicBool>, CheckError> {
    let wanted = [signal::SIGTERM, signal::SIGINT, signal::SIGHUP, signal::SIGQUIT];
    let mut signals = Signals::new(wanted).map_err(CheckError::io("catch signals"))?;
    let stopped = Arc::new(AtomicBool::new(false));
    let (flag, directory) = (Arc::clone(&stopped), session_dir.to_owned());
    let heed = move || {
        for _ in signals.forever() {
            flag.store(true, Ordering::SeqCst);
            // The main thread waits for the command, and goes on once it has ended.
            if let Ok(Some(marker)) = load(&directory).map(|run| run?.marker) {
                let _ = process::end_carrying(&variable(&marker), GRACE);
            }
        }
    };
    std::thread::Builder::new().spawn(heed).map_err(CheckError::io("begin a thread"))?;
    Ok(stopped)
}

fn check(
    run: &CheckRun,
    workspace: &Path,
    timeout: Duration,
    log: Log,
    stopped: &AtomicBool,
) -> Ended {
    let Some((program, arguments)) = run.command.split_first() else {
        return Ended::aborted("there is no command".to_owned());
    };
    let marker = run.marker.as_deref().unwrap_or_default();
    let log = Arc::new(Mutex::new(log));
    let began = start(program, arguments, run, workspace, &log);
    let (mut child, heard) = match began {
        Ok(began) => began,
        Err(why) => return Ended::aborted(why),
    };
    if stopped.load(Ordering::SeqCst) {
        end_all(&child, marker);
    }
    let waited = cmd::wait_until(&mut child, Deadline::after(timeout));
    end_all(&child, marker);
    let status = waited.and_then(|status| match status {
        Some(status) => Ok((Some(status), status)),
        None => child.wait().map(|status| (None, status)),
    });
    let _ = heard.recv_timeout(LAST_WORDS);
    let mut log = lock(&log);
    let stopped = stopped.load(Ordering::SeqCst);
    let ended = match status {
        Err(error) => Ended::aborted(format!("its end is not known: {}", sanitize::chain(&error))),
        Ok(_) if stopped => Ended::aborted("it was ended before it was over".to_owned()),
        Ok((None, _)) => {
            let limit = humantime::format_duration(timeout);
            let why = format!("it did not end within {limit}");
            log.finish(Some(&format!("the check did not end within {limit} and was ended")));
            Ended { state: CheckState::TimedOut, exit_code: None, why: Some(why) }
        }
        Ok((Some(status), _)) => of_status(status),
    };
    log.finish(None);
    match (&log.failure, ended.state) {
        (Some(error), CheckState::Failed | CheckState::TimedOut) => {
            Ended::aborted(format!("its log could not be written: {}", sanitize::chain(error)))
        }
        (Some(_) | None, _) => ended,
    }
}

/// Starts the command with its output to the log; returns it and a channel that says when all of
/// its output was read.
fn start(
    program: &str,
    arguments: &[String],
    run: &CheckRun,
    workspace: &Path,
    log: &Arc<Mutex<Log>>,
) -> Result<(Child, mpsc::Receiver<()>), String> {
    let failed = |error: &dyn std::error::Error| sanitize::chain(error);
    let (mut reader, writer) = io::pipe().map_err(|error| failed(&error))?;
    let errors = writer.try_clone().map_err(|error| failed(&error))?;
    let (name, value) = ("AO_CHECK", run.marker.clone().unwrap_or_default());
    let mut command = Cmd::new(program).args(arguments).cwd(workspace).own_group();
    // `Cmd` keeps ao's own variables from children; these are meant for this one.
    for (name, value) in std::env::vars_os() {
        if cmd::is_scrubbed(&name) {
            command = command.env(name, value);
        }
    }
    let command = command.env(name, value).env("AO_CHECK_HEAD", &run.head_sha).die_with_parent();
    let (sender, receiver) = mpsc::channel();
    let log = Arc::clone(log);
    let hear = move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => lock(&log).append(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // Nobody listens where something that escaped still holds the pipe.
        let _ = sender.send(());
    };
    // Before there is a command that would run on where there is no thread to be had.
    std::thread::Builder::new().spawn(hear).map_err(|error| failed(&error))?;
    let child = command
        .spawn(Stdio::null(), Stdio::from(writer), Stdio::from(errors))
        .map_err(|error| failed(&error))?;
    Ok((child, receiver))
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends whatever still runs of the check: its group, and what carries its marker.
fn end_all(child: &Child, marker: &str) {
    let group = Pid::from_child(child);
    let is_there = kill_process_group(group, Signal::TERM).is_ok();
    let _ = process::end_carrying(&variable(marker), GRACE);
    // The number of a group stays taken as long as a process is in it.
    if is_there {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// A program that crashes has failed; one that somebody else ended says nothing.
fn of_status(status: ExitStatus) -> Ended {
    const FROM_OUTSIDE: [i32; 5] =
        [signal::SIGKILL, signal::SIGTERM, signal::SIGINT, signal::SIGHUP, signal::SIGQUIT];
    match status.signal() {
        Some(number) if FROM_OUTSIDE.contains(&number) => {
            Ended::aborted(format!("it was ended by signal {number}"))
        }
        Some(_) | None if status.success() => {
            Ended { state: CheckState::Passed, exit_code: Some(0), why: None }
        }
        Some(_) | None => {
            let exit_code = Some(cmd::exit_code(status));
            Ended { state: CheckState::Failed, exit_code, why: None }
        }
    }
}
