//! Agents without tmux: the launcher alone, in a session of its own, its output in a file.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::adapter::clock::{self, Deadline, Pace};
use crate::adapter::cmd::Cmd;
use crate::adapter::failpoint;
use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::process;
use crate::adapter::runtime::tmux_send::SendOutcome;
use crate::adapter::runtime::{
    LaunchSpec, OUTPUT_FILE, RuntimeError, StartRecord, Started, ao_program, launcher,
    told_of_start,
};
use crate::model::record::{RuntimeHandle, RuntimeKind};
use crate::model::sanitize;

/// The FIFO that an agent that stays reads from.
const INPUT_FILE: &str = "input.fifo";

/// The most that an agent's FIFO is made to hold: what Linux lets everybody have.
const LARGEST: usize = 1024 * 1024;

/// What a pipe takes whole or not at all, however full it is.
const ATOMIC: usize = 4096;

/// How long an agent may take to make room for a text, and to read it then.
const READING: Duration = Duration::from_secs(5);

/// How long a launcher may take to say that its agent runs.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// Starts the agent of `spec` and waits until it runs; it outlives this process.
///
/// Where this fails nothing of the launch is left.
pub fn start(spec: &LaunchSpec) -> Result<Started, RuntimeError> {
    if launcher::is_held(&spec.session_dir)? {
        return Err(RuntimeError::Occupied { session: spec.session.clone() });
    }
    launcher::write_spec(spec)?;
    let started = spawn(spec).and_then(|mut child| {
        handshake(spec, &mut child).inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })
    });
    match started {
        Ok(started) => Ok(Started { handle: handle(started) }),
        Err(error) => {
            // What cannot be undone stops nothing else, and hides no reason.
            let _ = launcher::withdraw_spec(&spec.session_dir, &spec.launch);
            let _ = process::end_marked(&spec.launch, Duration::from_secs(1));
            Err(error)
        }
    }
}

/// Makes the FIFO by which an agent that stays is given texts, and returns its path.
pub fn make_input(session_dir: &Path) -> Result<PathBuf, RuntimeError> {
    let path = session_dir.join(INPUT_FILE);
    let kind = FileType::Fifo;
    let mode = Mode::RUSR | Mode::WUSR;
    let made = failpoint::through("runtime.fifo", &path, || {
        Ok(rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0)?)
    });
    match made {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(path),
        Err(error) => Err(FsError::at("create", &path)(error).into()),
    }
}

/// Writes a line (or several) to the standard input of a running agent.
///
/// It is `Submitted` once the agent has read it all. What may not fit is not begun: the next text
/// would be read as the end of it. The caller keeps two senders apart.
pub fn send(session_dir: &Path, text: &str) -> Result<SendOutcome, RuntimeError> {
    send_within(session_dir, text, READING)
}

fn send_within(
    session_dir: &Path,
    text: &str,
    patience: Duration,
) -> Result<SendOutcome, RuntimeError> {
    let path = session_dir.join(INPUT_FILE);
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let input = match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(input) => input,
        Err(Errno::NOENT | Errno::NXIO) => {
            let why = "the agent has no open standard input".to_owned();
            return Ok(SendOutcome::Failed { why });
        }
        Err(error) => return Err(FsError::at("open", &path)(error.into()).into()),
    };
    let failed = |error: io::Error| RuntimeError::from(FsError::at("write", &path)(error));
    let line = [text.as_bytes(), b"\n"].concat();
    let length = line.len();
    let size = size_for(&input, length).map_err(failed)?;
    if length > size {
        let why = format!(
            "its {length} bytes are more than the agent's standard input can hold ({size}), so \
             nothing was written"
        );
        return Ok(SendOutcome::Failed { why });
    }
    let deadline = Deadline::after(patience);
    let is_read = || (rustix::io::ioctl_fionread(&input) == Ok(0)).then_some(());
    // A pipe's pages may each be filled in part, so only an empty one is sure to hold its size.
    let has_room = length <= ATOMIC || clock::poll_until(deadline, is_read).is_some();
    let written =
        if has_room { write(&path, &input, &line, deadline).map_err(failed)? } else { 0 };
    if written == 0 {
        let why = "the agent has not read what it was given before, so nothing was written";
        return Ok(SendOutcome::Held { why: why.to_owned() });
    }
    if written == length && clock::poll_until(Deadline::after(patience), is_read).is_some() {
        return Ok(SendOutcome::Submitted);
    }
    Ok(SendOutcome::Unconfirmed { why: "the agent has not read all of it".to_owned() })
}

/// Returns how much an agent's standard input can hold; it is made larger where `length` is more
/// and the system allows that.
fn size_for(input: &OwnedFd, length: usize) -> io::Result<usize> {
    let size = rustix::pipe::fcntl_getpipe_size(input)?;
    if length <= size {
        return Ok(size);
    }
    if length > LARGEST {
        return Ok(LARGEST.max(size));
    }
    Ok(rustix::pipe::fcntl_setpipe_size(input, length).unwrap_or(size))
}

/// Writes `line` and returns how much of it was written until `deadline`.
fn write(path: &Path, input: &OwnedFd, line: &[u8], deadline: Deadline) -> io::Result<usize> {
    failpoint::pass_at("runtime.input", path)?;
    let mut written = 0;
    clock::poll_until(deadline, || match rustix::io::write(input, &line[written..]) {
        Ok(count) => {
            written += count;
            (written == line.len()).then_some(Ok(()))
        }
        Err(Errno::AGAIN | Errno::INTR) => None,
        Err(error) => Some(Err(error)),
    })
    .transpose()?;
    Ok(written)
}

fn handle(started: StartRecord) -> RuntimeHandle {
    RuntimeHandle {
        kind: RuntimeKind::Process,
        socket: None,
        session: None,
        pane: None,
        server: None,
        pid: Some(started.launcher.pid),
        pid_start: Some(started.launcher.pid_start),
        boot_id: Some(started.launcher.boot_id),
    }
}

/// Starts the launcher, its own session's leader, with output to a file.
fn spawn(spec: &LaunchSpec) -> Result<Child, RuntimeError> {
    let program = ao_program().map_err(RuntimeError::io("find this program's path"))?;
    let log = output_file(spec)?;
    let errors = log.try_clone().map_err(RuntimeError::io("share the output file"))?;
    let launcher = Cmd::new(program)
        .arg("launch")
        .arg(&spec.session_dir)
        .arg(spec.launch.as_str())
        .cwd(&spec.cwd)
        .env_clear();
    let mut command = launcher.command();
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    own_session(&mut command);
    launcher.spawn_as(&mut command).map_err(RuntimeError::Cmd)
}

/// Opens the output file empty: the last launch's output ends with it.
fn output_file(spec: &LaunchSpec) -> Result<File, RuntimeError> {
    let path = spec.session_dir.join(OUTPUT_FILE);
    fs::replace(&path, b"", Durability::Process)?;
    Ok(fs::open_append(&path)?)
}

/// Puts the child into a session and a process group of its own, away from any terminal.
pub(crate) fn own_session(command: &mut std::process::Command) {
    let in_child = || rustix::process::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: between fork and exec the closure makes one system call; it takes no lock and
    // allocates nothing.
    unsafe { command.pre_exec(in_child) };
}

fn handshake(spec: &LaunchSpec, child: &mut Child) -> Result<StartRecord, RuntimeError> {
    let deadline = Deadline::after(HANDSHAKE);
    let pace = Pace::start();
    loop {
        // The end is looked at first: what a launcher wrote before it is seen below.
        let ended = child.try_wait().ok().flatten().is_some();
        if let Some(answer) = told_of_start(&spec.session_dir, &spec.launch)? {
            return answer.map_err(|why| failed(spec, &why));
        }
        if ended {
            return Err(failed(spec, "its launcher ended at once"));
        }
        if deadline.passed() {
            return Err(failed(spec, "it did not answer within 3 s"));
        }
        pace.pause(deadline.remaining());
    }
}

fn failed(spec: &LaunchSpec, why: &str) -> RuntimeError {
    const SHOWN: u64 = 4096;
    let output = fs::read_tail(&spec.session_dir.join(OUTPUT_FILE), SHOWN).unwrap_or_default();
    RuntimeError::StartFailed {
        session: spec.session.clone(),
        why: sanitize::line(why),
        screen: sanitize::text(&String::from_utf8_lossy(&output)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// The other end of a standard input: open for reading and writing, as an agent has it.
    struct Agent {
        dir: tempfile::TempDir,
        input: File,
    }

    impl Agent {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = make_input(dir.path()).unwrap();
            let input = rustix::fs::open(&path, OFlags::RDWR, Mode::empty()).unwrap();
            Self { dir, input: File::from(input) }
        }

        fn is_sent(&self, text: &str) -> SendOutcome {
            send_within(self.dir.path(), text, Duration::from_millis(50)).unwrap()
        }

        /// Returns how much it has to read.
        fn kept(&self) -> u64 {
            rustix::io::ioctl_fionread(&self.input).unwrap()
        }

        /// Reads all there is, as lines.
        fn lines(&mut self) -> Vec<String> {
            let mut bytes = vec![0; usize::try_from(self.kept()).unwrap()];
            self.input.read_exact(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
        }
    }

    fn of_length(length: usize) -> String {
        "x".repeat(length)
    }

    #[test]
    fn a_text_that_is_longer_than_the_pipe_arrives_whole_or_not_at_all() {
        let mut agent = Agent::new();
        let long = of_length(80_010);
        let outcome = agent.is_sent(&long);
        assert!(matches!(outcome, SendOutcome::Unconfirmed { .. }), "{outcome:?}");
        let outcome = agent.is_sent("second message");
        assert!(matches!(outcome, SendOutcome::Unconfirmed { .. }), "{outcome:?}");
        assert_eq!(agent.lines(), [&long, "second message"]);

        let SendOutcome::Failed { why } = agent.is_sent(&of_length(LARGEST)) else { panic!() };
        assert!(why.contains("its 1048577 bytes are more than"), "{why}");
        assert_eq!(agent.kept(), 0);
    }

    #[test]
    fn what_finds_no_room_is_held_and_goes_out_once_there_is_some() {
        let mut agent = Agent::new();
        let size = rustix::pipe::fcntl_getpipe_size(&agent.input).unwrap();
        // Room for all of it, as bytes are counted, and pages that are filled in part.
        for _ in 0..3 {
            agent.is_sent(&of_length(2500));
        }
        let kept = agent.kept();
        for length in [size - 1, size - 10_000] {
            let outcome = agent.is_sent(&of_length(length));
            assert!(matches!(outcome, SendOutcome::Held { .. }), "{outcome:?}");
            assert_eq!(agent.kept(), kept);
        }
        assert_eq!(agent.lines().len(), 3);
        let outcome = agent.is_sent(&of_length(size - 1));
        assert!(matches!(outcome, SendOutcome::Unconfirmed { .. }), "{outcome:?}");
        let outcome = agent.is_sent("second message");
        assert!(matches!(outcome, SendOutcome::Held { .. }), "{outcome:?}");
        assert_eq!(agent.lines(), [of_length(size - 1)]);
    }
}
