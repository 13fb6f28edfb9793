//! Processes of this machine, told apart by pid, start time and boot (`/proc`).
#![expect(clippy::disallowed_methods, reason = "reads /proc")]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::adapter::clock::{self, Deadline};
use crate::model::id::{LaunchId, ProcessIdentity};

/// What is known of a process that was seen earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It runs.
    Alive,
    /// It is certain that it does not: another boot, no such pid, another start time, a zombie.
    Gone,
}

/// Returns the id of the current boot.
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Returns the identity of the calling process.
pub fn current() -> io::Result<ProcessIdentity> {
    let pid = std::process::id();
    let stat = read_stat(pid)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "/proc has no entry for itself"))?;
    Ok(ProcessIdentity { pid, pid_start: stat.start, boot_id: boot_id()? })
}

/// Returns the identity of process `pid`, `None` where there is none.
pub fn identify(pid: u32) -> io::Result<Option<ProcessIdentity>> {
    Ok(match read_stat(pid)? {
        Some(stat) => Some(ProcessIdentity { pid, pid_start: stat.start, boot_id: boot_id()? }),
        None => None,
    })
}

/// Returns whether the process `identity` names is still the one that runs.
pub fn presence(identity: &ProcessIdentity) -> io::Result<Presence> {
    if boot_id()? != identity.boot_id {
        return Ok(Presence::Gone);
    }
    Ok(match read_stat(identity.pid)? {
        Some(stat) if stat.start == identity.pid_start && !stat.is_zombie() => Presence::Alive,
        Some(_) | None => Presence::Gone,
    })
}

/// Returns number and name of each other living process whose working directory is `directory`
/// or below it; none where the directory is gone.
///
/// Processes that may not be asked, those of other users, are left out.
pub fn inside(directory: &Path) -> io::Result<Vec<(u32, String)>> {
    let directory = match directory.canonicalize() {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let me = std::process::id();
    let mut found = Vec::new();
    for pid in all()?.into_iter().filter(|pid| *pid != me) {
        let Ok(cwd) = std::fs::read_link(format!("/proc/{pid}/cwd")) else { continue };
        if cwd.starts_with(&directory) {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            found.push((pid, name.trim().to_owned()));
        }
    }
    found.sort();
    Ok(found)
}

/// Closes every descriptor above standard error that a caller left open.
///
/// Only for the very start of `main`: a descriptor this process opened itself would be closed
/// under its owner.
pub fn close_inherited_descriptors() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<i32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // The descriptor that listed the directory was among them, and is closed.
    let is_open =
        |descriptor: &i32| std::fs::symlink_metadata(format!("/proc/self/fd/{descriptor}")).is_ok();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2).filter(is_open) {
        // SAFETY: it is open, and nothing in this process owns a descriptor above 2 yet.
        unsafe { rustix::io::close(descriptor) };
    }
}

/// Sends SIGINT to the agent of a launch, as the terminal would.
pub fn interrupt_marked(launch: &LaunchId) -> io::Result<()> {
    let me = std::process::id();
    for process in marked(launch)?.into_iter().filter(|process| process.pid != me) {
        send_signal(&process, Signal::INT)?;
    }
    Ok(())
}

/// What [`end_marked`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndReport {
    /// Processes that were signalled and are gone.
    pub ended: Vec<ProcessIdentity>,
    /// This process and its ancestors, which are never signalled.
    pub spared: Vec<ProcessIdentity>,
    /// Processes that would not end.
    pub left: Vec<ProcessIdentity>,
}

/// Returns the living processes that carry `AO_LAUNCH=<launch>` in their environment.
///
/// A process whose environment may not be read belongs to somebody else and is left out.
pub fn marked(launch: &LaunchId) -> io::Result<Vec<ProcessIdentity>> {
    carrying(&format!("AO_LAUNCH={launch}"))
}

/// Returns the living processes that carry `variable`, a name and a value, in their environment.
pub fn carrying(variable: &str) -> io::Result<Vec<ProcessIdentity>> {
    let marker = variable.as_bytes();
    let boot_id = boot_id()?;
    let mut found = Vec::new();
    for pid in all()? {
        // Before the environment, so that a number that changes hands is noticed later.
        let Some(stat) = read_stat(pid)?.filter(|stat| !stat.is_zombie()) else { continue };
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|it| it == marker) {
            found.push(ProcessIdentity { pid, pid_start: stat.start, boot_id: boot_id.clone() });
        }
    }
    Ok(found)
}

/// Returns number and launch of each living process whose agent belongs to `home`.
///
/// A process whose environment may not be read belongs to somebody else and is left out.
pub fn of_home(home: &Path) -> io::Result<Vec<(u32, String)>> {
    use std::os::unix::ffi::OsStrExt;
    let ours = [b"AO_HOME=".as_slice(), home.as_os_str().as_bytes()].concat();
    let mut found = Vec::new();
    for pid in all()? {
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        let mut launch = None;
        let mut is_ours = false;
        for variable in environment.split(|byte| *byte == 0) {
            is_ours |= variable == ours;
            launch = launch.or_else(|| variable.strip_prefix(b"AO_LAUNCH=".as_slice()));
        }
        if let (true, Some(launch)) = (is_ours, launch) {
            found.push((pid, String::from_utf8_lossy(launch).into_owned()));
        }
    }
    Ok(found)
}

/// Ends every process that carries the marker of `launch`: SIGTERM, and after `grace` SIGKILL,
/// until none is left.
pub fn end_marked(launch: &LaunchId, grace: Duration) -> io::Result<EndReport> {
    end_carrying(&format!("AO_LAUNCH={launch}"), grace)
}

/// [`end_marked`] for the processes that carry `variable`, a name and a value.
pub fn end_carrying(variable: &str, grace: Duration) -> io::Result<EndReport> {
    const ROUNDS: usize = 5;
    const AFTER_KILL: Duration = Duration::from_secs(1);
    let untouchable = ancestry()?;
    let mut report = EndReport::default();
    let mut signalled = BTreeMap::new();
    for round in 0..ROUNDS {
        let (spared, targets): (Vec<_>, Vec<_>) =
            carrying(variable)?.into_iter().partition(|process| untouchable.contains(&process.pid));
        report.spared = spared;
        report.left = targets;
        if report.left.is_empty() {
            break;
        }
        let (signal, patience) =
            if round == 0 { (Signal::TERM, grace) } else { (Signal::KILL, AFTER_KILL) };
        for process in &report.left {
            send_signal(process, signal)?;
            signalled.insert((process.pid, process.pid_start), process.clone());
        }
        wait_for_end(&report.left, patience);
    }
    report.left.retain(is_alive);
    report.ended = signalled.into_values().filter(|process| !is_alive(process)).collect();
    Ok(report)
}

/// Sends `signal` to the process that `identity` names, and to no other; `false` where it is gone.
pub fn send_signal(identity: &ProcessIdentity, signal: Signal) -> io::Result<bool> {
    let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else {
        return Ok(false);
    };
    let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    // The descriptor names one process for good; the check tells whether it is the right one.
    if presence(identity)? == Presence::Gone {
        return Ok(false);
    }
    match rustix::process::pidfd_send_signal(&pidfd, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns the tmux server that was started for `socket`, by its command line.
pub fn tmux_server_on(socket: &Path) -> io::Result<Option<ProcessIdentity>> {
    use std::os::unix::ffi::OsStrExt;
    let wanted = [b"-S".as_slice(), socket.as_os_str().as_bytes()];
    for pid in all()? {
        // A server renames itself; a client, whom the signal would kill, does so differently.
        let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        if !name.starts_with(b"tmux: server") {
            continue;
        }
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        if words.windows(2).any(|pair| pair == wanted) {
            return identify(pid);
        }
    }
    Ok(None)
}

/// Returns whether some process listens on a Unix socket that was bound at `path`, whether or not
/// the file is still there.
pub fn is_listened_on(path: &Path) -> io::Result<bool> {
    let table = std::fs::read("/proc/net/unix")?;
    Ok(table.split(|byte| *byte == b'\n').any(|line| is_listening_at(line, path)))
}

/// Reads `Num RefCount Protocol Flags Type St Inode Path`; the path may hold spaces.
fn is_listening_at(line: &[u8], path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    /// `__SO_ACCEPTCON`: it listens.
    const LISTENS: &[u8] = b"00010000";
    let Some(rest) = line.strip_suffix(path.as_os_str().as_bytes()) else { return false };
    // A longer path may end in this one.
    if rest.last() != Some(&b' ') {
        return false;
    }
    let mut fields = rest.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    fields.nth(3) == Some(LISTENS) && fields.count() == 3
}

/// Returns the numbers of all processes.
pub fn all() -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(pids)
}

/// Returns this process's number, its parent's, and so on up to the first process.
fn ancestry() -> io::Result<Vec<u32>> {
    let mut line = vec![std::process::id()];
    while let Some(stat) = line.last().map(|pid| read_stat(*pid)).transpose()?.flatten() {
        if stat.parent == 0 || line.contains(&stat.parent) {
            break;
        }
        line.push(stat.parent);
    }
    Ok(line)
}

fn wait_for_end(processes: &[ProcessIdentity], patience: Duration) {
    let _ = clock::poll_until(Deadline::after(patience), || {
        (!processes.iter().any(is_alive)).then_some(())
    });
}

/// Anything that cannot be read counts as alive.
fn is_alive(process: &ProcessIdentity) -> bool {
    !matches!(presence(process), Ok(Presence::Gone))
}

/// The fields of `/proc/<pid>/stat` that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The state letter.
    pub state: u8,
    /// The parent's pid.
    pub parent: u32,
    /// The start time in clock ticks since boot.
    pub start: u64,
}

impl Stat {
    /// Returns whether it has ended and only waits to be collected.
    pub fn is_zombie(self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// Reads `/proc/<pid>/stat`; `None` where there is no such process.
pub fn read_stat(pid: u32) -> io::Result<Option<Stat>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => parse_stat(&bytes)
            .map(Some)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "malformed /proc stat")),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A process can end between the open and the read, which then fails with ESRCH.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3)
}

/// Parses the line; the command name in parentheses may hold spaces and parentheses itself.
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(line.get(after_name..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    // `start` is field 22; `state` is field 3 and `parent` field 4.
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_anything() {
        let tail = "S 7 2 2 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        for name in ["sh", "a b", "a) R 9 (b", ")", "(("] {
            let line = format!("12 ({name}) {tail}");
            let stat = parse_stat(line.as_bytes()).unwrap();
            assert_eq!(stat, Stat { state: b'S', parent: 7, start: 4242 }, "{name}");
        }
        for bad in ["", "12 (sh", "12 (sh) S", "12 (sh) S x", "12 (sh) S 7 2 2"] {
            assert_eq!(parse_stat(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn what_carries_the_marker_is_ended_even_where_it_ignores_term() {
        let launch = crate::adapter::ids::launch();
        let longer = format!("{launch}0");
        let start = |script: &str, value: &str| {
            std::process::Command::new("sh")
                .args(["-c", script])
                .env("AO_LAUNCH", value)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        };
        let mut polite = start("exec sleep 60", launch.as_str());
        let mut stubborn = start("trap '' TERM; while :; do sleep 60; done", launch.as_str());
        let mut stranger = start("exec sleep 60", &longer);
        let found = || marked(&launch).unwrap().len();
        clock::poll_until(Deadline::after(Duration::from_secs(5)), || (found() == 3).then_some(()));
        // Both children, and the sleep of the stubborn one.
        assert_eq!(found(), 3);

        let report = end_marked(&launch, Duration::from_millis(300)).unwrap();

        assert_eq!((report.left.len(), report.spared.len()), (0, 0));
        assert!(report.ended.len() >= 3, "{report:?}");
        assert!(marked(&launch).unwrap().is_empty());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        for child in [&mut polite, &mut stubborn, &mut stranger] {
            child.wait().unwrap();
        }
        assert_eq!(end_marked(&launch, Duration::ZERO).unwrap(), EndReport::default());
    }

    #[test]
    fn a_process_in_a_directory_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        std::fs::create_dir(&below).unwrap();
        assert_eq!(inside(directory.path()).unwrap(), []);
        let mut child =
            std::process::Command::new("sleep").arg("60").current_dir(&below).spawn().unwrap();
        let found = clock::poll_until(Deadline::after(Duration::from_secs(5)), || {
            inside(directory.path()).unwrap().pop().map(|(pid, _)| pid)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, Some(child.id()));
    }

    #[test]
    fn a_listener_is_known_by_its_path_also_when_the_file_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a socket");
        assert!(!is_listened_on(&path).unwrap());
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(is_listened_on(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(is_listened_on(&path).unwrap());
        drop(listener);
        assert!(!is_listened_on(&path).unwrap());

        let line = b"0000: 00000002 00000000 00010000 0001 01 4242 /x/a b";
        assert!(is_listening_at(line, Path::new("/x/a b")));
        for other in ["b", "/a b", "/x/a", ""] {
            assert!(!is_listening_at(line, Path::new(other)), "{other}");
        }
        let connected = b"0000: 00000003 00000000 00000000 0001 03 4242 /x/a b";
        assert!(!is_listening_at(connected, Path::new("/x/a b")));
    }

    #[test]
    fn this_process_lives_and_its_impostor_does_not() {
        let me = current().unwrap();
        assert_eq!(presence(&me).unwrap(), Presence::Alive);
        let later = ProcessIdentity { pid_start: me.pid_start + 1, ..me.clone() };
        assert_eq!(presence(&later).unwrap(), Presence::Gone);
        let other_boot = ProcessIdentity { boot_id: "x".into(), ..me };
        assert_eq!(presence(&other_boot).unwrap(), Presence::Gone);
    }
}
