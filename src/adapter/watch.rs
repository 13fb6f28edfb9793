//! Waits for changes in directories (inotify), with a time limit.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::adapter::clock;

/// The longest sleep where inotify cannot be had.
const BLIND_INTERVAL: Duration = Duration::from_millis(100);

/// A set of watched directories.
#[derive(Debug)]
pub struct Watch {
    inotify: Option<OwnedFd>,
}

impl Watch {
    /// Watches directories for files that are written or renamed in them, and for their own
    /// removal. Those that are not there are left out.
    ///
    /// Where the system has no watches left, waiting falls back to short sleeps.
    pub fn new(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { inotify: start(directories).ok() }
    }

    /// Waits until something changes or `limit` is over.
    pub fn wait(&mut self, limit: Duration) {
        let Some(inotify) = &self.inotify else {
            clock::pause(limit.min(BLIND_INTERVAL));
            return;
        };
        let timeout = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        let _ = poll(&mut [PollFd::new(inotify, PollFlags::IN)], Some(&timeout));
        drain(inotify);
    }
}

fn start(directories: impl IntoIterator<Item = PathBuf>) -> io::Result<OwnedFd> {
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let what = WatchFlags::MODIFY
        | WatchFlags::MOVED_TO
        | WatchFlags::CREATE
        | WatchFlags::MOVE_SELF
        | WatchFlags::DELETE_SELF;
    for directory in directories {
        match inotify::add_watch(&fd, &directory, what) {
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(fd)
}

/// Empties the queue: what happened is read from the files, not from the events.
fn drain(inotify: impl AsFd) {
    let mut buffer = [0; 4096];
    while rustix::io::read(&inotify, &mut buffer).is_ok_and(|count| count > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::clock::Stopwatch;
    use crate::adapter::fs::{self, Durability};

    #[test]
    fn a_change_ends_the_wait() {
        let directory = tempfile::tempdir().unwrap();
        let mut watch = Watch::new([directory.path().to_owned()]);
        let path = directory.path().join("file");
        let writer = std::thread::spawn(move || {
            fs::replace(&path, b"x", Durability::Process).unwrap();
        });
        let watched = Stopwatch::start();
        watch.wait(Duration::from_secs(30));
        assert!(watched.elapsed() < Duration::from_secs(20));
        writer.join().unwrap();
    }

    #[test]
    fn without_a_change_the_limit_ends_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut watch = Watch::new([directory.path().to_owned(), directory.path().join("no")]);
        let watched = Stopwatch::start();
        watch.wait(Duration::from_millis(30));
        assert!(watched.elapsed() >= Duration::from_millis(30));
    }
}
