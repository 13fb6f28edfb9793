//! Processes of this machine, told apart by pid, start time and boot (`/proc`).
#![expect(clippy::disallowed_methods, reason = "reads /proc")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use memchr::memmem::Finder;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::adapter::clock::{self, Deadline};
use crate::adapter::threads;
use crate::model::collect::Sorted;
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

/// Returns whether it is certain that no process of that number runs.
pub fn is_over(pid: u32) -> bool {
    read_stat(pid).is_ok_and(|stat| stat.is_none_or(Stat::is_zombie))
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
    let mut found = of_all(|pid, _| {
        if pid == me {
            return Ok(None);
        }
        let Ok(cwd) = std::fs::read_link(format!("/proc/{pid}/cwd")) else { return Ok(None) };
        Ok(cwd.starts_with(&directory).then(|| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            (pid, name.trim().to_owned())
        }))
    })?;
    found.sort_unstable();
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
    let marker = Finder::new(variable);
    let boot_id = boot_id()?;
    let carries = |pid: u32, bytes: &mut Vec<u8>| {
        read_environment(pid, bytes).is_some_and(|all| holds(all, &marker))
    };
    let mut found = of_all(|pid, bytes| {
        if !carries(pid, bytes) {
            return Ok(None);
        }
        let Some(stat) = read_stat(pid)?.filter(|stat| !stat.is_zombie()) else { return Ok(None) };
        // Once more after the start time, so that a number that changes hands is noticed later.
        Ok(carries(pid, bytes).then_some((pid, stat.start)))
    })?;
    found.sort_unstable();
    let identity = |(pid, pid_start)| ProcessIdentity { pid, pid_start, boot_id: boot_id.clone() };
    Ok(found.into_iter().map(identity).collect())
}

/// Returns whether the variable that `marker` finds, a name and a value, is one of `environment`.
fn holds(environment: &[u8], marker: &Finder<'_>) -> bool {
    let length = marker.needle().len();
    marker.find_iter(environment).any(|at| {
        let ends = environment.get(at + length).is_none_or(|byte| *byte == 0);
        ends && (at == 0 || environment[at - 1] == 0)
    })
}

/// Returns number and launch of each living process whose agent belongs to `home`.
///
/// A process whose environment may not be read belongs to somebody else and is left out.
pub fn of_home(home: &Path) -> io::Result<Vec<(u32, String)>> {
    use std::os::unix::ffi::OsStrExt;
    let ours = [b"AO_HOME=".as_slice(), home.as_os_str().as_bytes()].concat();
    let ours = Finder::new(&ours);
    let mut found = of_all(|pid, bytes| {
        let Some(environment) = read_environment(pid, bytes).filter(|all| holds(all, &ours)) else {
            return Ok(None);
        };
        let mut variables = environment.split(|byte| *byte == 0);
        let launch = variables.find_map(|it| it.strip_prefix(b"AO_LAUNCH=".as_slice()));
        Ok(launch.map(|launch| (pid, String::from_utf8_lossy(launch).into_owned())))
    })?;
    found.sort_unstable();
    Ok(found)
}

/// Reads the environment of a process into `bytes`, which grows to hold it; `None` where it may
/// not be read.
///
/// While a process replaces its program (execve(2)) it has none for a moment.
fn read_environment(pid: u32, bytes: &mut Vec<u8>) -> Option<&[u8]> {
    const EXEC_TAKES: Duration = Duration::from_millis(200);
    /// One that has its place is told as empty until it is complete.
    const FILLING_TAKES: Duration = Duration::from_millis(20);
    let mut deadlines = None;
    loop {
        let length = read_environment_once(pid, bytes)?;
        if length > 0 {
            return Some(&bytes[..length]);
        }
        let Ok(Some(stat)) = read_stat(pid) else { return Some(&[]) };
        if stat.is_zombie() || stat.is_of_kernel() {
            return Some(&[]);
        }
        let (filled, placed) = deadlines
            .get_or_insert_with(|| (Deadline::after(FILLING_TAKES), Deadline::after(EXEC_TAKES)));
        let deadline = if stat.environment == Some(0) { filled } else { placed };
        if deadline.passed() {
            return Some(&[]);
        }
        clock::pause(Duration::from_micros(100));
    }
}

/// Returns the length of what it read.
fn read_environment_once(pid: u32, bytes: &mut Vec<u8>) -> Option<usize> {
    // Each read looks the process's pages up anew, so that few are much quicker than many.
    const ROOM: usize = 64 << 10;
    let mut length = 0;
    let mut file = match std::fs::File::open(format!("/proc/{pid}/environ")) {
        Ok(file) => file,
        // Newer kernels say so where there is none, too.
        Err(error) if is_gone(&error) => return Some(0),
        Err(_) => return None,
    };
    loop {
        if bytes.len() < length + ROOM {
            bytes.resize(length + ROOM, 0);
        }
        match file.read(&mut bytes[length..]) {
            Ok(0) => return Some(length),
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Returns what `look` finds at the processes of this machine, in no order. It is given room that
/// is used for one after the other.
///
/// Where there are many the time goes to the kernel, which has as much of it on each processor.
fn of_all<T: Send>(
    look: impl Fn(u32, &mut Vec<u8>) -> io::Result<Option<T>> + Sync,
) -> io::Result<Vec<T>> {
    /// A process may be started by one that was not looked at yet, and which ends before that.
    const GENERATIONS: usize = 8;
    let mut pids = all()?;
    let mut known: BTreeSet<u32> = pids.iter().copied().into_set();
    let mut found = of_these(&pids, &look)?;
    for _ in 0..GENERATIONS {
        pids = all()?;
        pids.retain(|pid| known.insert(*pid));
        if pids.is_empty() {
            break;
        }
        found.extend(of_these(&pids, &look)?);
    }
    Ok(found)
}

fn of_these<T: Send>(
    pids: &[u32],
    look: &(impl Fn(u32, &mut Vec<u8>) -> io::Result<Option<T>> + Sync),
) -> io::Result<Vec<T>> {
    /// Fewer are looked at sooner than a thread begins.
    const WORTH_A_THREAD: usize = 200;
    const MAX_THREADS: usize = 4;
    let look_at = |pids: &[u32]| -> Vec<io::Result<T>> {
        let mut bytes = Vec::new();
        pids.iter().filter_map(|pid| look(*pid, &mut bytes).transpose()).collect()
    };
    let count = processors().min(MAX_THREADS).min(pids.len() / WORTH_A_THREAD);
    threads::share(pids, count, look_at, look_at).into_iter().collect()
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
pub(super) fn is_listening_at(line: &[u8], path: &Path) -> bool {
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

/// Returns how many threads can run at once, 1 where that cannot be told.
pub fn processors() -> usize {
    // A dozen files are read to tell it.
    static KNOWN: OnceLock<usize> = OnceLock::new();
    *KNOWN.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
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
    /// The kernel's flags of it, `PF_*`.
    pub flags: u32,
    /// The start time in clock ticks since boot.
    pub start: u64,
    /// The length of its environment in bytes; `None` where that is not in place, or not told.
    pub environment: Option<u64>,
}

impl Stat {
    /// Returns whether it has ended and only waits to be collected.
    pub fn is_zombie(self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    /// Returns whether it is a thread of the kernel, which has no program and no environment.
    fn is_of_kernel(self) -> bool {
        const PF_KTHREAD: u32 = 0x0020_0000;
        self.flags & PF_KTHREAD != 0
    }
}

/// Reads `/proc/<pid>/stat`; `None` where there is no such process.
pub fn read_stat(pid: u32) -> io::Result<Option<Stat>> {
    // The kernel gives the line at once to whoever has room for it, and tells no length before.
    let mut bytes = Vec::with_capacity(1024);
    let read = std::fs::File::open(format!("/proc/{pid}/stat"))
        .and_then(|mut file| file.read_to_end(&mut bytes));
    match read {
        Ok(_) => parse_stat(&bytes)
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
pub(super) fn parse_stat(line: &[u8]) -> Option<Stat> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(line.get(after_name..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    // `state` is field 3, `parent` field 4, `flags` field 9 and `start` field 22.
    let flags = fields.nth(4)?.parse().ok()?;
    let start = fields.nth(12)?.parse().ok()?;
    // Where the environment begins and ends: fields 50 and 51.
    let mut places = fields.skip(27).map_while(|field| field.parse::<u64>().ok());
    let environment = places.next().zip(places.next());
    let environment =
        environment.filter(|(_, end)| *end > 0).and_then(|(start, end)| end.checked_sub(start));
    Some(Stat { state, parent, flags, start, environment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_anything() {
        let tail = "S 7 2 2 0 -1 64 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        for name in ["sh", "a b", "a) R 9 (b", ")", "(("] {
            let line = format!("12 ({name}) {tail}");
            let stat = parse_stat(line.as_bytes()).unwrap();
            let told = Stat { state: b'S', parent: 7, flags: 64, start: 4242, environment: None };
            assert_eq!(stat, told, "{name}");
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

    /// Runs `script` under the name `$0` with a marker, looks `times` times whether that is found,
    /// and returns how often it was not.
    fn missed(times: usize, script: &str) -> usize {
        let launch = crate::adapter::ids::launch();
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("script");
        std::fs::write(&place, script).unwrap();
        let mut child = std::process::Command::new("sh")
            .arg(&place)
            .env("AO_LAUNCH", launch.as_str())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let found = || !marked(&launch).unwrap().is_empty();
        clock::poll_until(Deadline::after(Duration::from_secs(5)), || found().then_some(()));
        let missed = (0..times).filter(|_| !found()).count();
        drop(directory);
        end_marked(&launch, Duration::ZERO).unwrap();
        child.wait().unwrap();
        missed
    }

    #[test]
    fn a_process_is_found_while_its_program_is_replaced() {
        assert_eq!(missed(300, "exec sh \"$0\"\n"), 0);
    }

    #[test]
    fn a_process_is_found_whose_parent_ended_during_the_look() {
        assert_eq!(missed(300, "sleep 0.01\nsh \"$0\" &\n"), 0);
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
        // A child that another test is about to run has its copy of the socket until then.
        let is_over = || (!is_listened_on(&path).unwrap()).then_some(());
        clock::poll_until(Deadline::after(Duration::from_secs(20)), is_over).unwrap();

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
