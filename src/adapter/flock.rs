//! Locks that say that a process lives: held for as long as it does, and looked at by others.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::adapter::clock::{self, Deadline};
use crate::adapter::failpoint;
use crate::adapter::fs::{self, FsError};

/// Looks hold the lock shared, for microseconds; only who lives by it holds it for longer.
const LOCK_WAIT: Duration = Duration::from_millis(300);

/// Returns whether somebody holds the lock at `path`; creates and changes nothing.
pub fn is_held(path: &Path) -> Result<bool, FsError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
        Err(error) => return Err(FsError::at("open", path)(error.into())),
    };
    require_file(path, &file)?;
    is_held_by_another(path, &file).map_err(FsError::at("lock", path))
}

/// Returns whether somebody else holds the lock of a file that the caller opened to look; `path` is
/// where it is.
pub(crate) fn is_held_by_another(path: &Path, file: impl AsFd) -> io::Result<bool> {
    match lock("flock.look", path, file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

/// Refuses what can be locked as well, and says nothing of the lock: a directory, a pipe.
fn require_file(path: &Path, file: &impl std::os::fd::AsFd) -> Result<(), FsError> {
    let error = |source: std::io::Error| FsError::at("lock", path)(source);
    let found = rustix::fs::fstat(file).map_err(|errno| error(errno.into()))?;
    if rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
        return Ok(());
    }
    Err(error(std::io::Error::other("it is not a regular file")))
}

/// Takes the lock at `path`, which is let go of when the file and all its duplicates are closed;
/// `None` where somebody else holds it.
pub fn take(path: &Path) -> Result<Option<File>, FsError> {
    let file = fs::open_append(path)?;
    require_file(path, &file)?;
    let taken = clock::poll_until(Deadline::after(LOCK_WAIT), || {
        match lock("flock.take", path, &file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Some(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(FsError::at("lock", path)(error))),
        }
    });
    Ok(taken.transpose()?.map(|()| file))
}

/// Locks an open file of the caller's own; `path` is where it is.
pub(crate) fn lock(
    point: &str,
    path: &Path,
    file: impl AsFd,
    operation: FlockOperation,
) -> io::Result<()> {
    failpoint::through(point, path, || Ok(rustix::fs::flock(&file, operation)?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::adapter::clock::{Deadline, poll_until};

    #[test]
    fn a_lock_is_held_until_its_last_duplicate_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("check.lock");
        assert!(!is_held(&path).unwrap());
        let lock = take(&path).unwrap().unwrap();
        let duplicate = lock.try_clone().unwrap();
        drop(lock);
        assert!(is_held(&path).unwrap());
        assert!(take(&path).unwrap().is_none());
        drop(duplicate);
        // A child that another test is starting has it as well, until it is another program.
        let free = || take(&path).unwrap();
        assert!(poll_until(Deadline::after(Duration::from_secs(20)), free).is_some());
    }
}
