//! Processes of this machine, told apart by pid, start time and boot (`/proc`).
#![expect(clippy::disallowed_methods, reason = "reads /proc")]

use std::io;
use std::path::Path;

use crate::model::id::ProcessIdentity;

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

/// Returns number and name of each process whose working directory is `directory` or below it.
///
/// Processes that may not be asked, those of other users, are left out.
pub fn inside(directory: &Path) -> io::Result<Vec<(u32, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(cwd) = std::fs::read_link(format!("/proc/{pid}/cwd")) else { continue };
        if cwd.starts_with(directory) {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            found.push((pid, name.trim().to_owned()));
        }
    }
    found.sort();
    Ok(found)
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
    fn this_process_lives_and_its_impostor_does_not() {
        let me = current().unwrap();
        assert_eq!(presence(&me).unwrap(), Presence::Alive);
        let later = ProcessIdentity { pid_start: me.pid_start + 1, ..me.clone() };
        assert_eq!(presence(&later).unwrap(), Presence::Gone);
        let other_boot = ProcessIdentity { boot_id: "x".into(), ..me };
        assert_eq!(presence(&other_boot).unwrap(), Presence::Gone);
    }
}
