//! Child processes: argument vectors, clean environments, deadlines.
//!
//! No child outlives its deadline, none inherits a descriptor above 2, and none sees this
//! program's own `AO_*` variables unless it is given them.
#![expect(clippy::disallowed_methods, reason = "the one place that starts processes")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::adapter::clock::{self, Deadline};
use crate::adapter::{failpoint, program, threads};

/// How a child that overstays its deadline is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// SIGKILL at once. A tmux client that gets SIGTERM exits 0, as if it had succeeded.
    Kill,
    /// SIGTERM, and SIGKILL five seconds later. git cleans up after itself on SIGTERM.
    TermThenKill,
}

/// How a child came to its end.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, lossily decoded.
    pub stderr: String,
}

impl Output {
    /// Returns whether it exited 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// Returns standard output as text without its last line end, lossily decoded.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// Returns the last non-empty line of standard error: programs narrate first and fail last.
    pub fn last_error(&self) -> &str {
        self.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("").trim()
    }
}

/// Why there is no [`Output`].
#[derive(Debug, thiserror::Error)]
pub enum CmdError {
    /// The program is not installed.
    #[error("`{program}` is not installed or not in PATH")]
    Missing {
        /// What was to be run.
        program: String,
    },
    /// It could not be started.
    #[error("could not run `{program}`")]
    Spawn {
        /// What was to be run.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It did not end in time; what it did is unknown, and may still happen.
    #[error("`{command}` did not end within {}", humantime::format_duration(*.deadline))]
    TimedOut {
        /// Program and first arguments.
        command: String,
        /// How long it was given.
        deadline: Duration,
    },
    /// Its output could not be read or its input not written.
    #[error("could not talk to `{program}`")]
    Io {
        /// What was run.
        program: String,
        /// What went wrong.
        source: io::Error,
    },
    /// It ended with a failure; made by [`Cmd::read`] only.
    #[error("`{command}` failed ({status}){}", if .stderr.is_empty() { String::new() } else { format!(": {}", .stderr) })]
    Failed {
        /// Program and first arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last line of its standard error.
        stderr: String,
    },
}

/// One child process to be.
///
/// The environment starts as this process's own, less `AO_*`, `TMUX*` and `GIT_*`.
#[derive(Clone, Debug)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    cwd: Option<PathBuf>,
    env: BTreeMap<OsString, Option<OsString>>,
    clear_env: bool,
    stdin: Option<Vec<u8>>,
    deadline: Duration,
    ending: Ending,
    dies_with_parent: bool,
    own_group: bool,
}

impl Cmd {
    /// Returns a command that runs `program` with a deadline of 5 s.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            cwd: None,
            env: BTreeMap::new(),
            clear_env: false,
            stdin: None,
            deadline: Duration::from_secs(5),
            ending: Ending::Kill,
            dies_with_parent: false,
            own_group: false,
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Runs it in `directory`.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// Sets one variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), Some(value.into()));
        self
    }

    /// Takes one variable away.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), None);
        self
    }

    /// Starts from an empty environment instead of this process's own.
    pub fn env_clear(mut self) -> Self {
        self.clear_env = true;
        self
    }

    /// Gives it `bytes` on standard input; otherwise it reads from `/dev/null`.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Gives it `deadline` to end.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Chooses how it is ended when it overstays.
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// Sends it SIGTERM when the thread that started it ends, by SIGKILL of this process even.
    pub fn die_with_parent(mut self) -> Self {
        self.dies_with_parent = true;
        self
    }

    /// Puts it into a process group of its own, which is ended whole where it overstays or is
    /// killed: its children (hooks, filters) survive the end of the program alone.
    pub fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Runs it to its end, whatever its exit code.
    pub fn output(&self) -> Result<Output, CmdError> {
        self.begin()?.output()
    }

    /// Starts it; its output is collected later.
    ///
    /// Output goes to anonymous files, not pipes: a grandchild that keeps a pipe open would
    /// otherwise keep this process waiting.
    fn begin(&self) -> Result<Running, CmdError> {
        // Without these it is never started, which is another thing than not knowing what it did.
        let io_error = |source| CmdError::Spawn { program: self.program_name(), source };
        let stdout = memory_file(c"stdout").map_err(io_error)?;
        let stderr = memory_file(c"stderr").map_err(io_error)?;
        let stdin = match &self.stdin {
            None => Stdio::null(),
            Some(bytes) => Stdio::from(memory_file_with(c"stdin", bytes).map_err(io_error)?),
        };
        let child = self.spawn(
            stdin,
            Stdio::from(stdout.try_clone().map_err(io_error)?),
            Stdio::from(stderr.try_clone().map_err(io_error)?),
        )?;
        let deadline = Deadline::after(self.deadline);
        Ok(Running { cmd: self.clone(), child, stdout, stderr, deadline })
    }

    /// Starts it by another thread and on another processor than this one, which it keeps off for as
    /// long as it runs: for what is over soon, where there is something else to do until then.
    pub fn begin_aside(&self) -> Beginning {
        // What is to end with the thread that started it would end with the other one.
        let aside = (!self.dies_with_parent).then(|| self.clone());
        let begun = aside.and_then(|it| threads::begin_aside(move || it.begin()).ok());
        // Where no thread is to be had, or it must be this one.
        let Some(thread) = begun else { return Beginning(Begun::Here(self.begin())) };
        Beginning(Begun::Aside(thread))
    }

    /// [`Self::output`] of a program that may never stop writing: of either stream no more than one
    /// byte over `limit` is read, and then the stream is closed.
    pub fn output_within(&self, limit: u64) -> Result<Output, CmdError> {
        /// How long the streams are read once the program has ended: another may hold them open.
        const LAST_WORDS: Duration = Duration::from_secs(1);
        let io_error = |source| CmdError::Spawn { program: self.program_name(), source };
        let stdin = match &self.stdin {
            None => Stdio::null(),
            Some(bytes) => Stdio::from(memory_file_with(c"stdin", bytes).map_err(io_error)?),
        };
        let (stdout, stdout_end) = io::pipe().map_err(io_error)?;
        let (stderr, stderr_end) = io::pipe().map_err(io_error)?;
        // Before there is a child that would run on where there is no thread to be had.
        let stdout = read_on_a_thread(stdout, limit).map_err(io_error)?;
        let stderr = read_on_a_thread(stderr, limit).map_err(io_error)?;
        let mut child = self.spawn(stdin, Stdio::from(stdout_end), Stdio::from(stderr_end))?;
        let status = self.wait(&mut child, Deadline::after(self.deadline))?;
        let stdout = stdout.recv_timeout(LAST_WORDS).unwrap_or_default();
        let stderr = stderr.recv_timeout(LAST_WORDS).unwrap_or_default();
        Ok(Output { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
    }

    /// Runs it and returns its output, any exit code but 0 being an error.
    pub fn read(&self) -> Result<Output, CmdError> {
        let output = self.output()?;
        if output.success() {
            Ok(output)
        } else {
            Err(CmdError::Failed {
                command: self.shown(),
                status: output.status,
                stderr: output.last_error().to_owned(),
            })
        }
    }

    /// Runs it in the foreground with this process's own standard streams and no deadline.
    pub fn status_inherited(&self) -> Result<ExitStatus, CmdError> {
        let mut child = self.spawn(Stdio::inherit(), Stdio::inherit(), Stdio::inherit())?;
        child.wait().map_err(|source| CmdError::Io { program: self.program_name(), source })
    }

    /// Replaces this process by it; returns only the reason why that failed.
    pub fn exec(&self) -> CmdError {
        match self.pass("cmd.exec") {
            Ok(()) => self.spawn_error(self.command().exec()),
            Err(source) => self.spawn_error(source),
        }
    }

    /// Starts it with the given streams and leaves it to the caller.
    pub fn spawn(&self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Child, CmdError> {
        let mut command = self.command();
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        self.spawn_as(&mut command)
    }

    /// Starts `command`, which [`Self::command`] made of this one.
    pub fn spawn_as(&self, command: &mut Command) -> Result<Child, CmdError> {
        let started = self.pass("cmd.spawn").and_then(|()| command.spawn());
        started.map_err(|source| self.spawn_error(source))
    }

    /// Passes the point of this program's start or end.
    fn pass(&self, name: &str) -> io::Result<()> {
        failpoint::pass_child(name, &self.program, &self.args)
    }

    /// Returns the standard library's builder of the same command, for callers that need more.
    pub fn command(&self) -> Command {
        let mut command = match self.found() {
            Some(path) => {
                let mut command = Command::new(path);
                command.arg0(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(&self.args);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        if self.clear_env {
            command.env_clear();
        } else {
            for (name, _) in std::env::vars_os().filter(|(name, _)| is_scrubbed(name)) {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if self.own_group {
            command.process_group(0);
        }
        if self.dies_with_parent {
            end_with_this_process(&mut command);
        }
        command
    }

    /// Returns where the program is found, where the child has a `PATH` of its own: the standard
    /// library copies this process to look for it there, which takes longer than starting it.
    fn found(&self) -> Option<PathBuf> {
        if self.program.as_encoded_bytes().contains(&b'/') {
            return None;
        }
        program::find(&self.program, self.env.get(OsStr::new("PATH"))?.as_ref()?)
    }

    fn wait(&self, child: &mut Child, deadline: Deadline) -> Result<ExitStatus, CmdError> {
        let waited = self.pass("cmd.wait").and_then(|()| wait_until(child, deadline));
        match waited {
            Ok(Some(status)) => {
                if self.own_group && status.signal().is_some() {
                    end_rest_of_group(Pid::from_child(child));
                }
                Ok(status)
            }
            Ok(None) => {
                self.end(child);
                Err(CmdError::TimedOut { command: self.shown(), deadline: self.deadline })
            }
            Err(source) => {
                // Collected by somebody else: its number may be another process's.
                let is_gone = Errno::from_io_error(&source) == Some(Errno::CHILD);
                // It must not go on behind the caller's back, and cut short it would leave its
                // locks and half of its work: it has what is left of its time.
                let is_over = || child.try_wait().ok().flatten();
                if !is_gone && clock::poll_until(deadline, is_over).is_none() {
                    self.end(child);
                }
                Err(CmdError::Io { program: self.program_name(), source })
            }
        }
    }

    /// Ends the child as it wants to be ended, and collects it.
    fn end(&self, child: &mut Child) {
        if self.ending == Ending::TermThenKill {
            const GRACE: Duration = Duration::from_secs(5);
            self.signal(child, Signal::TERM);
            let _ = wait_until(child, Deadline::after(GRACE));
        }
        self.signal(child, Signal::KILL);
        let _ = child.wait();
    }

    /// Signals the child, with its group where it has its own. Not yet waited for, its number
    /// cannot have passed to another process.
    fn signal(&self, child: &Child, signal: Signal) {
        let pid = Pid::from_child(child);
        let _ = if self.own_group {
            rustix::process::kill_process_group(pid, signal)
        } else {
            kill_process(pid, signal)
        };
    }

    fn spawn_error(&self, source: io::Error) -> CmdError {
        let program = self.program_name();
        let cwd_exists = self.cwd.as_deref().is_none_or(Path::is_dir);
        if source.kind() == io::ErrorKind::NotFound && cwd_exists {
            CmdError::Missing { program }
        } else {
            CmdError::Spawn { program, source }
        }
    }

    fn program_name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    /// Returns program and first arguments, for messages; data that follows stays out.
    fn shown(&self) -> String {
        const SHOWN: usize = 6;
        let words = std::iter::once(&self.program).chain(self.args.iter().take(SHOWN));
        let mut text = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        if self.args.len() > SHOWN {
            text.push_str(" …");
        }
        text
    }
}

/// A child process that was started, and whose output is still to be collected.
#[derive(Debug)]
struct Running {
    cmd: Cmd,
    child: Child,
    stdout: File,
    stderr: File,
    deadline: Deadline,
}

/// A child process that is being started, perhaps by another thread.
#[derive(Debug)]
pub struct Beginning(Begun);

#[derive(Debug)]
enum Begun {
    Here(Result<Running, CmdError>),
    Aside(thread::JoinHandle<Result<Running, CmdError>>),
}

impl Beginning {
    /// Waits until it is started and for its end, within its deadline.
    pub fn output(self) -> Result<Output, CmdError> {
        match self.0 {
            Begun::Here(running) => running,
            Begun::Aside(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
        }?
        .output()
    }
}

impl Running {
    /// Waits for its end, within what is left of its deadline.
    fn output(mut self) -> Result<Output, CmdError> {
        let status = self.cmd.wait(&mut self.child, self.deadline)?;
        let read = |file: &mut File| {
            let mut bytes = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map(|_| bytes)
        };
        let io_error = |source| CmdError::Io { program: self.cmd.program_name(), source };
        let stdout = read(&mut self.stdout).map_err(io_error)?;
        let stderr = read(&mut self.stderr).map_err(io_error)?;
        Ok(Output { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
    }
}

/// Returns whether a variable is kept from every child: ao's own, a surrounding tmux's, git's.
pub fn is_scrubbed(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"AO_") || name.starts_with(b"TMUX") || name.starts_with(b"GIT_")
}

/// Waits for the end of `child`, `None` where `deadline` came first.
pub fn wait_until(child: &mut Child, deadline: Deadline) -> io::Result<Option<ExitStatus>> {
    // A pidfd turns the end of the child into something that can be waited for with a timeout.
    let pid = Pid::from_child(child);
    let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
        return clock::poll_until(deadline, || child.try_wait().transpose()).transpose();
    };
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.remaining();
        if left.is_zero() {
            return Ok(None);
        }
        let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ends what a killed child left running in its group, and waits until that is gone: a git that
/// was killed may have started another one that is about to write a ref.
///
/// The number of a group stays taken as long as a process is in it.
fn end_rest_of_group(group: Pid) {
    use rustix::process::{kill_process_group, test_kill_process_group};
    const GRACE: Duration = Duration::from_secs(5);
    for signal in [Signal::TERM, Signal::KILL] {
        if test_kill_process_group(group).is_err() {
            return;
        }
        let _ = kill_process_group(group, signal);
        let gone = || test_kill_process_group(group).is_err().then_some(());
        if clock::poll_until(Deadline::after(GRACE), gone).is_some() {
            return;
        }
    }
}

fn end_with_this_process(command: &mut Command) {
    let parent = rustix::process::getpid();
    let arrange = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // The parent may have died before the line above; then nobody will send the signal.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::Error::from(rustix::io::Errno::SRCH))
        }
    };
    // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(arrange);
    }
}

/// Returns an anonymous file that lives in memory and no longer than its descriptors.
fn memory_file(name: &std::ffi::CStr) -> io::Result<File> {
    let create = || Ok(rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?);
    Ok(File::from(failpoint::through("cmd.memory", Path::new(""), create)?))
}

/// Returns such a file that holds `bytes` and is read from its beginning.
fn memory_file_with(name: &std::ffi::CStr, bytes: &[u8]) -> io::Result<File> {
    let mut file = memory_file(name)?;
    failpoint::through("cmd.input", Path::new(""), || file.write_all(bytes))?;
    file.rewind()?;
    Ok(file)
}

/// Reads one byte more than `limit` at the most, and closes the pipe.
fn read_on_a_thread(
    pipe: io::PipeReader,
    limit: u64,
) -> io::Result<std::sync::mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let read = move || {
        let mut bytes = Vec::new();
        // What was read until then is what there is.
        let _ = pipe.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    };
    thread::Builder::new().spawn(read)?;
    Ok(receiver)
}

/// Returns the exit code of `status` as a shell would: 128 + n for signal n.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_child_started_ends_with_it() {
        let script = "sleep 600 & echo $!; kill -9 $$";
        let output = Cmd::new("sh").args(["-c", script]).own_group().output().unwrap();
        assert_eq!(output.status.signal(), Some(9));
        let child: u32 = output.text().parse().unwrap();
        let stat = crate::adapter::process::read_stat(child).unwrap();
        assert!(stat.is_none_or(|stat| stat.is_zombie()));
    }

    #[test]
    fn what_is_begun_aside_ends_as_what_is_waited_for_does() {
        let said = |cmd: Cmd| cmd.begin_aside().output();
        let shell = |script: &str| Cmd::new("sh").args(["-c", script]).env_clear();
        let output = said(shell("echo one; echo two >&2; exit 3")).unwrap();
        assert_eq!((output.text(), output.stderr.as_str()), ("one".into(), "two\n"));
        assert_eq!(exit_code(output.status), 3);
        assert_eq!(said(shell("echo bound").die_with_parent()).unwrap().text(), "bound");
        let missing = said(Cmd::new("ao-test-no-such-program"));
        assert!(matches!(missing, Err(CmdError::Missing { .. })), "{missing:?}");
        let late = said(shell("exec sleep 600").deadline(Duration::from_millis(50)));
        assert!(matches!(late, Err(CmdError::TimedOut { .. })), "{late:?}");
    }

    #[test]
    fn a_program_is_found_where_the_child_would_look_for_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ao-test-program");
        let cmd = || {
            let path = format!("/nowhere:{}:/usr/bin:/bin", place.path().display());
            Cmd::new("ao-test-program").env_clear().env("PATH", path)
        };
        assert!(matches!(cmd().output(), Err(CmdError::Missing { .. })));
        let script = b"#!/bin/sh\necho \"$0\"\n";
        crate::adapter::fs::create_new(
            &path,
            script,
            0o600,
            crate::adapter::fs::Durability::Process,
        )
        .unwrap();
        assert!(matches!(cmd().output(), Err(CmdError::Spawn { .. })));
        rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o700)).unwrap();
        assert_eq!(cmd().read().unwrap().text(), path.display().to_string());
        // It is told its name as it was called, not where it was found.
        let shell = Cmd::new("sh").env_clear().env("PATH", "/usr/bin:/bin");
        assert_eq!(shell.args(["-c", "echo $0"]).read().unwrap().text(), "sh");
    }

    #[test]
    fn output_and_exit_code_come_back_whole() {
        let output =
            Cmd::new("sh").args(["-c", "cat; echo err >&2; exit 3"]).stdin("a\0b\n").output();
        let output = output.unwrap();
        assert_eq!(output.stdout, b"a\0b\n");
        assert_eq!(output.last_error(), "err");
        assert_eq!(exit_code(output.status), 3);
    }

    #[test]
    fn a_program_that_never_stops_writing_is_read_up_to_a_limit() {
        let within = |script: &str| Cmd::new("sh").args(["-c", script]).output_within(1000);
        assert_eq!(within("yes").unwrap().stdout.len(), 1001);
        let output = within("cat; echo err >&2; exit 3").unwrap();
        assert_eq!((output.stdout, output.stderr.as_str()), (Vec::new(), "err\n"));
        assert_eq!(exit_code(output.status), 3);
    }

    #[test]
    fn a_grandchild_that_keeps_the_output_open_delays_nothing() {
        let watch = clock::Stopwatch::start();
        Cmd::new("sh").args(["-c", "sleep 30 & exit 0"]).read().unwrap();
        assert!(watch.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_child_that_overstays_is_an_unknown_outcome() {
        let result = Cmd::new("sleep").arg("60").deadline(Duration::from_millis(50)).output();
        assert!(matches!(result, Err(CmdError::TimedOut { .. })), "{result:?}");
    }

    #[test]
    fn a_group_is_ended_whole() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        let result = Cmd::new("sh")
            .args(["-c", "sleep 60 & echo $! >pid; wait"])
            .cwd(directory.path())
            .ending(Ending::TermThenKill)
            .own_group()
            .die_with_parent()
            .deadline(Duration::from_millis(300))
            .output();
        assert!(matches!(result, Err(CmdError::TimedOut { .. })), "{result:?}");
        let pid: u32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        let gone = clock::poll_until(Deadline::after(Duration::from_secs(5)), || {
            let stat = crate::adapter::process::read_stat(pid).unwrap();
            stat.is_none_or(|stat| stat.is_zombie()).then_some(())
        });
        assert!(gone.is_some());
    }

    #[test]
    fn a_missing_program_is_told_from_a_missing_directory() {
        let missing = Cmd::new("no-such-program-here").output();
        assert!(matches!(missing, Err(CmdError::Missing { .. })), "{missing:?}");
        let nowhere = Cmd::new("true").cwd("/no/such/directory").output();
        assert!(matches!(nowhere, Err(CmdError::Spawn { .. })), "{nowhere:?}");
    }
}
