//! The record on disk: a directory per session, an event log that is the commit, locks.
//!
//! Nothing here decides what a record should say, and nothing here waits without a bound.
//! Readers take no lock and write nothing; only a [`LockedSession`] can commit.

use std::path::PathBuf;

pub mod events;
pub mod format;
pub mod glance;
pub mod home;
pub mod lock;
pub mod project;
pub mod recover;
pub mod repair;
pub mod review;
pub mod session;
pub mod summary;
#[cfg(test)]
mod tests;

pub use glance::{Glance, Glances};
pub use home::{Home, may_hold_leftovers};
pub use lock::{Holder, Lock, LockError};
pub use project::{NewProject, Project};
pub use repair::Repair;
pub use session::{Change, Commit, Loaded, LockedSession, Verification};
pub use summary::Told;

use crate::adapter::fs::FsError;
use crate::model::id::{ProjectId, SessionId};

/// What can go wrong with the files of a home.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such session, archived ones included.
    #[error("there is no session `{id}`")]
    NotFound {
        /// The session asked for.
        id: SessionId,
    },
    /// The session was cleaned up: it can be read, not changed.
    #[error("session `{id}` is archived")]
    Archived {
        /// The session asked for.
        id: SessionId,
    },
    /// There is no such project.
    #[error("there is no project `{id}`")]
    NoProject {
        /// The project asked for.
        id: ProjectId,
    },
    /// The id is taken, perhaps by an archived session.
    #[error("session `{id}` exists already")]
    Exists {
        /// The session asked for.
        id: SessionId,
    },
    /// A lock could not be had.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The caller decided on a revision that is not the latest.
    #[error("revision {expected} was expected, but the record is at {found}")]
    Conflict {
        /// The revision the caller saw.
        expected: u64,
        /// The revision there is.
        found: u64,
    },
    /// A file that cannot be read as what it should be; it is left as it is.
    #[error("{} is damaged{}: {why}", path.display(), at_line(*line))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its line, from 1, where the file has lines.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// The record was written by a newer version, so this one only reads it.
    #[error("session `{id}` has schema {schema}, which a newer version of ao wrote")]
    NewerRecord {
        /// The session.
        id: SessionId,
        /// Its schema.
        schema: u64,
    },
    /// A file beside the records was written by a newer version; it is left as it is.
    #[error("{} has schema {schema}, which a newer version of ao wrote", path.display())]
    NewerFile {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u64,
    },
    /// The home's layout is a newer version's, so this one only reads it.
    #[error("the home has format {found}, which a newer version of ao wrote")]
    NewerFormat {
        /// The format found.
        found: u64,
    },
    /// A directory of the home belongs to somebody else.
    #[error("{} belongs to user {uid}", path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// A directory of the home can be written by others.
    #[error("{} can be written by others (mode {mode:04o})", path.display())]
    Mode {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file system has no working locks.
    #[error("the file system of {} has no working locks", path.display())]
    NoLocks {
        /// The home.
        path: PathBuf,
    },
    /// A symbolic link stands where a file or directory of ours should be.
    #[error("{} is a symbolic link", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// A change that would make the record unreadable; nothing was written.
    #[error("the change of session `{id}` cannot be stored: {why}")]
    Unstorable {
        /// The session.
        id: SessionId,
        /// What is wrong with it.
        why: String,
    },
    /// A file operation failed.
    #[error(transparent)]
    Fs(#[from] FsError),
}

fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(" at line {line}"))
}
