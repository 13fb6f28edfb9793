//! Advisory locks with a deadline, and who holds one.
//!
//! A lock file is created once and never deleted or replaced; the kernel lets go of it when its
//! holder dies. Nothing here breaks a lock.
#![expect(clippy::disallowed_methods, reason = "compares a locked file with its path")]

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::adapter::clock::{self, Deadline, Stopwatch};
use crate::adapter::fs::FsError;
use crate::adapter::{failpoint, process};
use crate::model::time::Timestamp;

/// How often a lock file that was replaced meanwhile is opened again.
const REOPENS: usize = 10;

/// A lock that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else held it all the time.
    #[error("{} is locked{}; waited {:.1} s", path.display(), by(holder.as_ref()), waited.as_secs_f64())]
    Timeout {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
        /// Who holds it, where that can be told.
        holder: Option<Holder>,
    },
    /// The directory of the lock file went away, as an archived session's does.
    #[error("{} is gone", path.display())]
    Gone {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file was replaced again and again.
    #[error("{} was replaced while it was being locked", path.display())]
    Replaced {
        /// The lock file.
        path: PathBuf,
    },
    /// The file could not be opened or locked.
    #[error(transparent)]
    Fs(#[from] FsError),
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| {
        format!(" by process {} ({})", holder.pid, holder.command)
    })
}

/// The process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process number.
    pub pid: u32,
    /// What it runs.
    pub command: String,
    /// When it took the lock, where it said so.
    pub since: Option<Timestamp>,
}

/// What a holder writes into the lock file.
#[derive(Serialize, Deserialize)]
struct Inscription {
    pid: u32,
    pid_start: u64,
    command: String,
    since: Timestamp,
}

/// An exclusive lock, let go of when dropped.
#[derive(Debug)]
pub struct Lock {
    /// Held open: closing it lets go.
    file: File,
}

impl Drop for Lock {
    /// Lets go even while a child that another thread is just starting still has the descriptor:
    /// it closes it only when it becomes another program.
    fn drop(&mut self) {
        let _ = fs2::FileExt::unlock(&self.file);
    }
}

static COMMAND: OnceLock<String> = OnceLock::new();

/// Says once what this process runs ("ao reap"), for those who wait for its locks.
///
/// Must not hold arguments, which may be secret.
pub fn name_holder(command: &str) {
    // The first name stays; a second caller is a test.
    let _ = COMMAND.set(command.to_owned());
}

/// Takes the lock at `path`, waiting `timeout` at the most; creates the file (mode 0600) where
/// its directory exists.
pub fn acquire(path: &Path, timeout: Duration) -> Result<Lock, LockError> {
    failpoint::pass_at("store.lock", path).map_err(FsError::at("lock", path))?;
    let (deadline, waited) = (Deadline::after(timeout), Stopwatch::start());
    for _ in 0..REOPENS {
        let Some(file) = open(path)? else { return Err(gone(path)) };
        let file = match wait(file, path, deadline).map_err(FsError::at("lock", path))? {
            Some(file) => file,
            None => {
                let holder = holder_of(path);
                return Err(LockError::Timeout {
                    path: path.to_owned(),
                    waited: waited.elapsed(),
                    holder,
                });
            }
        };
        if let Some(lock) = confirm(file, path)? {
            return Ok(lock);
        }
    }
    Err(LockError::Replaced { path: path.to_owned() })
}

/// Takes the lock at `path` if nobody holds it.
pub fn try_acquire(path: &Path) -> Result<Option<Lock>, LockError> {
    for _ in 0..REOPENS {
        let Some(file) = open(path)? else { return Err(gone(path)) };
        match failpoint::through("lock.try", path, || fs2::FileExt::try_lock_exclusive(&file)) {
            Ok(()) => {}
            Err(error) if is_contended(&error) => return Ok(None),
            Err(error) => return Err(FsError::at("lock", path)(error).into()),
        }
        if let Some(lock) = confirm(file, path)? {
            return Ok(Some(lock));
        }
    }
    Err(LockError::Replaced { path: path.to_owned() })
}

/// Returns whether somebody holds the lock at `path`; creates and changes nothing.
pub fn is_held_shared_probe(path: &Path) -> Result<bool, LockError> {
    let file = match OpenOptions::new().read(true).custom_flags(no_follow()).open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(false),
        Err(error) => return Err(FsError::at("open", path)(error).into()),
    };
    match failpoint::through("lock.look", path, || fs2::FileExt::try_lock_shared(&file)) {
        Ok(()) => Ok(false),
        Err(error) if is_contended(&error) => Ok(true),
        Err(error) => Err(FsError::at("lock", path)(error).into()),
    }
}

/// Returns whether locks work in `directory`: a second open must be refused, then admitted.
pub(crate) fn works_in(directory: &Path) -> Result<bool, FsError> {
    let error = |source| FsError::at("probe locks in", directory)(source);
    let probe = failpoint::through("lock.probe", directory, || {
        let prefix = crate::adapter::fs::temporary_prefix();
        tempfile::Builder::new().prefix(&prefix).tempfile_in(directory)
    })
    .map_err(error)?;
    let other = probe.reopen().map_err(error)?;
    let take = |file: &File| {
        failpoint::through("lock.probe_take", directory, || fs2::FileExt::try_lock_exclusive(file))
    };
    if !is_refused_while_held(probe.as_file(), &other, take).map_err(error)? {
        return Ok(false);
    }
    fs2::FileExt::unlock(probe.as_file()).map_err(error)?;
    taken(take(&other)).map_err(error)
}

/// Returns whether `take` locks `file`, and keeps `other` from it after that.
fn is_refused_while_held(
    file: &File,
    other: &File,
    take: impl Fn(&File) -> io::Result<()>,
) -> io::Result<bool> {
    if !taken(take(file))? {
        return Ok(false);
    }
    match take(other) {
        Err(error) if is_contended(&error) => Ok(true),
        result => taken(result).map(|_| false),
    }
}

/// Returns whether a lock was taken, `false` where there is no such thing; a disk that fails says
/// nothing of locks.
fn taken(result: io::Result<()>) -> io::Result<bool> {
    use rustix::io::Errno;
    const NO_LOCKS: [Errno; 4] = [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP, Errno::INVAL];
    match result {
        Ok(()) => Ok(true),
        Err(error)
            if NO_LOCKS.iter().any(|none| error.raw_os_error() == Some(none.raw_os_error())) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Opens the lock file (std always opens close-on-exec), `None` where its directory is gone.
fn open(path: &Path) -> Result<Option<File>, LockError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false).mode(0o600).custom_flags(no_follow());
    match failpoint::through("lock.open", path, || options.open(path)) {
        Ok(file) => return Ok(Some(file)),
        Err(error) if is_absent(&error) => {}
        Err(error) => return Err(FsError::at("open", path)(error).into()),
    }
    match failpoint::through("lock.create", path, || options.clone().create(true).open(path)) {
        Ok(file) => {
            // The umask may have taken bits away.
            let mode = || file.set_permissions(Permissions::from_mode(0o600));
            failpoint::through("lock.mode", path, mode).map_err(FsError::at("create", path))?;
            Ok(Some(file))
        }
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(FsError::at("create", path)(error).into()),
    }
}

/// Waits for the lock; `None` once the deadline has passed.
///
/// Blocks in `flock` on a thread of its own, because polling starves behind those who block. A
/// thread left behind closes the file as soon as it gets the lock.
fn wait(file: File, path: &Path, deadline: Deadline) -> io::Result<Option<File>> {
    match failpoint::through("lock.take", path, || fs2::FileExt::try_lock_exclusive(&file)) {
        Ok(()) => return Ok(Some(file)),
        Err(error) if is_contended(&error) => {}
        Err(error) => return Err(error),
    }
    if deadline.passed() {
        return Ok(None);
    }
    let (sender, receiver) = mpsc::channel();
    let path = path.to_owned();
    std::thread::Builder::new().name("lock".to_owned()).spawn(move || {
        let lock = || fs2::FileExt::lock_exclusive(&file);
        let result = failpoint::through("lock.wait", &path, lock).map(|()| file);
        // Nobody listens after the deadline; the file is closed with the message.
        let _ = sender.send(result);
    })?;
    match receiver.recv_timeout(deadline.remaining()) {
        Ok(result) => result.map(Some),
        Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the thread that waited for the lock ended"))
        }
    }
}

/// Returns the lock if the file locked is still the one at `path`, `None` if another is.
fn confirm(mut file: File, path: &Path) -> Result<Option<Lock>, LockError> {
    let locked = file.metadata().map_err(FsError::at("look at", path))?;
    match std::fs::symlink_metadata(path) {
        Ok(_) if !locked.is_file() => {
            let wrong = io::Error::other("it is not a regular file");
            return Err(FsError::at("lock", path)(wrong).into());
        }
        Ok(found) if (found.dev(), found.ino()) == (locked.dev(), locked.ino()) => {}
        Ok(_) => return Ok(None),
        Err(error) if is_absent(&error) => {
            return if path.parent().is_some_and(Path::is_dir) {
                Ok(None)
            } else {
                Err(gone(path))
            };
        }
        Err(error) => return Err(FsError::at("look at", path)(error).into()),
    }
    // For those who wait; a full disk must not keep anybody from locking.
    let _ = inscribe(&mut file, path);
    Ok(Some(Lock { file }))
}

fn inscribe(file: &mut File, path: &Path) -> io::Result<()> {
    static START: OnceLock<u64> = OnceLock::new();
    let pid = std::process::id();
    let pid_start = match START.get() {
        Some(start) => *start,
        None => *START
            .get_or_init(|| process::read_stat(pid).ok().flatten().map_or(0, |stat| stat.start)),
    };
    let command = COMMAND.get().map_or_else(|| command_of(pid), Clone::clone);
    let line = Inscription { pid, pid_start, command, since: clock::now() };
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    failpoint::through("lock.inscribe", path, || {
        file.write_all_at(&bytes, 0)?;
        file.set_len(bytes.len() as u64)
    })
}

/// Returns who holds the lock at `path`: what the holder wrote, if it lives, else what the kernel
/// says.
pub fn holder_of(path: &Path) -> Option<Holder> {
    let mut file = OpenOptions::new().read(true).custom_flags(no_follow()).open(path).ok()?;
    let mut bytes = Vec::new();
    (&mut file).take(4096).read_to_end(&mut bytes).ok()?;
    let written = serde_json::from_slice::<Inscription>(&bytes).ok().filter(|line| {
        process::read_stat(line.pid)
            .ok()
            .flatten()
            .is_some_and(|stat| stat.start == line.pid_start && !stat.is_zombie())
    });
    if let Some(Inscription { pid, command, since, .. }) = written {
        return Some(Holder { pid, command, since: Some(since) });
    }
    let inode = file.metadata().ok()?.ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let pid = parse_locks(&locks, inode)?;
    Some(Holder { pid, command: command_of(pid), since: None })
}

/// Returns the pid that holds an exclusive `flock` on `inode` according to `/proc/locks`.
///
/// A waiter's line carries `->` in its second column, and is not asked for.
pub(super) fn parse_locks(text: &str, inode: u64) -> Option<u32> {
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        match fields.as_slice() {
            [_, "FLOCK", _, "WRITE", pid, file, ..] => {
                let found: u64 = file.rsplit(':').next()?.parse().ok()?;
                (found == inode).then(|| pid.parse().ok()).flatten()
            }
            _ => None,
        }
    })
}

fn command_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

fn is_contended(error: &io::Error) -> bool {
    error.raw_os_error() == fs2::lock_contended_error().raw_os_error()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn gone(path: &Path) -> LockError {
    LockError::Gone { path: path.to_owned() }
}

/// No link is followed, and no pipe in the place of a lock is waited for.
fn no_follow() -> i32 {
    (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn lock_file() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        (directory, path)
    }

    #[test]
    fn a_lock_excludes_until_it_is_dropped_and_its_file_stays() {
        let (_directory, path) = lock_file();
        assert!(!is_held_shared_probe(&path).unwrap());
        assert!(!path.exists());
        let lock = acquire(&path, SOON).unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        assert!(is_held_shared_probe(&path).unwrap());
        assert!(try_acquire(&path).unwrap().is_none());
        let Err(LockError::Timeout { holder, .. }) = acquire(&path, Duration::from_millis(30))
        else {
            panic!("it is held")
        };
        assert_eq!(holder.unwrap().pid, std::process::id());
        drop(lock);
        // The thread that waited in vain may hold it for a moment, and so may a process that
        // another test is about to start.
        drop(acquire(&path, SOON).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode);
    }

    #[test]
    fn a_waiter_gets_the_lock_when_its_holder_lets_go() {
        let (_directory, path) = lock_file();
        let lock = acquire(&path, SOON).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| acquire(&path, SOON).map(drop));
            drop(lock);
            waiter.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_replaced_lock_file_is_locked_where_it_is() {
        let (directory, path) = lock_file();
        let old = acquire(&path, SOON).unwrap();
        std::fs::rename(&path, directory.path().join("moved")).unwrap();
        let held = acquire(&path, SOON).unwrap();
        assert!(try_acquire(&path).unwrap().is_none());
        drop((old, held));
    }

    #[test]
    fn a_lock_in_a_directory_that_is_gone_is_gone() {
        let (directory, _) = lock_file();
        let path = directory.path().join("gone/lock");
        assert!(matches!(acquire(&path, SOON), Err(LockError::Gone { .. })));
        assert!(matches!(try_acquire(&path), Err(LockError::Gone { .. })));
    }

    #[test]
    fn a_holder_that_wrote_nothing_is_named_by_the_kernel() {
        let (_directory, path) = lock_file();
        let lock = acquire(&path, SOON).unwrap();
        for written in ["", "garbage", r#"{"pid":1,"pid_start":1,"command":"x","since":"x"}"#] {
            std::fs::write(&path, written).unwrap();
            let holder = holder_of(&path).unwrap();
            assert_eq!((holder.pid, holder.since), (std::process::id(), None));
        }
        drop(lock);
        assert_eq!(holder_of(&path), None);
    }

    #[test]
    fn waiters_of_proc_locks_are_no_holders() {
        let text = "1: -> FLOCK  ADVISORY  WRITE 7 08:01:42 0 EOF\n\
                    2: POSIX  ADVISORY  WRITE 8 08:01:42 0 EOF\n\
                    3: FLOCK  ADVISORY  READ 9 08:01:42 0 EOF\n\
                    4: FLOCK  ADVISORY  WRITE 10 08:01:42 0 EOF\n";
        assert_eq!(parse_locks(text, 42), Some(10));
        assert_eq!(parse_locks(text, 43), None);
    }

    #[test]
    fn a_child_does_not_inherit_a_lock() {
        let (_directory, path) = lock_file();
        let lock = acquire(&path, SOON).unwrap();
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        drop(lock);
        // Bounded rather than at once: a process that another test forks holds every descriptor
        // until it executes its program. This child holds its own for as long as it lives.
        let free = acquire(&path, SOON).is_ok();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(free);
    }

    #[test]
    fn this_file_system_has_locks() {
        let (directory, _) = lock_file();
        assert!(works_in(directory.path()).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn locks_that_keep_nobody_out_or_are_not_known_do_not_count() {
        let (_directory, path) = lock_file();
        let file = File::create(&path).unwrap();
        let other = File::create(&path).unwrap();
        let refused =
            |take: fn(&File) -> io::Result<()>| is_refused_while_held(&file, &other, take);
        assert!(!refused(|_| Ok(())).unwrap(), "everybody is let in");
        assert!(!refused(|_| Err(rustix::io::Errno::OPNOTSUPP.into())).unwrap());
        assert!(!refused(|_| Err(rustix::io::Errno::NOLCK.into())).unwrap());
        assert!(refused(|_| Err(rustix::io::Errno::IO.into())).is_err(), "the disk fails");
        assert!(refused(fs2::FileExt::try_lock_exclusive).unwrap());
    }
}
