//! The directory that holds everything `ao` knows: made, checked and listed here.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::adapter::fs::{self, FsError};
use crate::adapter::{failpoint, process};
use crate::model::id::SessionId;
use crate::model::time::Timestamp;
use crate::store::lock::{self, Lock};
use crate::store::{StoreError, format};

/// Half of what `hooks.log` and `hooks.1.log` may hold together, in bytes.
const HOOKS_LOG_LIMIT: u64 = 512 << 10;

/// The age at which a temporary file counts as left behind.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(3600);

/// A home that was looked at and found to be ours.
#[derive(Clone, Debug)]
pub struct Home {
    root: Arc<Path>,
    sync: bool,
}

impl Home {
    /// Opens the home at `root` for writing, making it where there is none.
    ///
    /// Refuses one that is somebody else's, that others can write, of a newer format, or on a
    /// file system without locks (which is probed when the home is made).
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        fs::create_private_directories(root)?;
        let root = fs::canonical(root)?;
        check_directory(&root)?;
        let found = format::read(&root)?;
        if let Some(found) = found.filter(|found| *found > format::FORMAT) {
            return Err(StoreError::NewerFormat { found });
        }
        for name in ["sessions", "archive", "projects"] {
            let path = root.join(name);
            if !is_checked(&path)? {
                fs::create_private_directories(&path)?;
            }
        }
        if found.is_none() {
            if !lock::works_in(&root)? {
                return Err(StoreError::NoLocks { path: root });
            }
            format::write(&root)?;
        }
        Ok(Self { root: root.into(), sync: true })
    }

    /// Opens the home at `root` for reading; writes nothing. A home that is not there is empty.
    ///
    /// Refuses one that is somebody else's or that others can write; a newer format is read.
    pub fn open_read(root: &Path) -> Result<Self, StoreError> {
        let root = match fs::canonical(root) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { root: root.into(), sync: true });
            }
            root => root?,
        };
        check_directory(&root)?;
        for name in ["sessions", "archive", "projects"] {
            is_checked(&root.join(name))?;
        }
        Ok(Self { root: root.into(), sync: true })
    }

    /// Returns the same home, whose events are synced or not (`state.sync`).
    #[must_use]
    pub fn with_sync(self, sync: bool) -> Self {
        Self { sync, ..self }
    }

    /// Returns whether events are synced.
    pub fn is_synced(&self) -> bool {
        self.sync
    }

    /// Returns the home's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the directory of a live session, which need not exist.
    pub fn session_dir(&self, id: &SessionId) -> PathBuf {
        self.root.join("sessions").join(id.as_str())
    }

    /// Returns the directory of an archived session, which need not exist.
    pub fn archive_dir(&self, id: &SessionId) -> PathBuf {
        self.root.join("archive").join(id.as_str())
    }

    /// Returns the live sessions, sorted; names that are no session ids are not ours.
    pub fn session_ids(&self) -> Result<Vec<SessionId>, StoreError> {
        ids_in(&self.root.join("sessions"))
    }

    /// Returns the archived sessions, sorted: as many as there ever were, so only for whoever
    /// was asked about all of them.
    pub fn archived_ids(&self) -> Result<Vec<SessionId>, StoreError> {
        let archive = self.root.join("archive");
        failpoint::pass_at("store.archived_ids", &archive)
            .map_err(FsError::at("list", &archive))?;
        ids_in(&archive)
    }

    /// Returns whether there is an archived session of that id, which looks at no other.
    pub fn is_archived(&self, id: &SessionId) -> Result<bool, StoreError> {
        Ok(fs::metadata(&self.archive_dir(id))?.is_some())
    }

    /// Returns whether there is no session, and none in the archive, which may be large.
    pub fn is_unused(&self) -> Result<bool, StoreError> {
        Ok(self.session_ids()?.is_empty() && fs::is_empty(&self.root.join("archive"))?)
    }

    /// Removes the temporary files of dead processes from the home, its sessions left out.
    ///
    /// What has not changed for so long that the pass at `last` found every temporary file in it
    /// old enough to be removed is not looked through again: an archive may be large.
    pub fn sweep_since(&self, now: Timestamp, last: Option<Timestamp>) {
        for below in ["", "sessions", "archive", "projects", "bin"] {
            let directory = self.root.join(below);
            let changed = fs::metadata(&directory).ok().flatten().and_then(|it| fs::modified(&it));
            let is_swept = changed
                .zip(last.filter(|last| *last <= now))
                .is_some_and(|(changed, last)| changed.plus(STALE_AFTER).plus(STALE_AFTER) < last);
            if !is_swept {
                sweep(&directory, now);
            }
        }
    }

    /// Removes the temporary files of dead processes from a session's directory.
    pub fn sweep_session(&self, id: &SessionId, now: Timestamp) {
        sweep(&self.session_dir(id), now);
    }

    /// Takes the lock `name` in the home (`reap.lock`, `leases.lock`), waiting `timeout` at most.
    pub fn lock_file(&self, name: &str, timeout: Duration) -> Result<Lock, StoreError> {
        Ok(lock::acquire(&self.root.join(name), timeout)?)
    }

    /// Takes the lock `name` in the home if nobody holds it.
    pub fn try_lock_file(&self, name: &str) -> Result<Option<Lock>, StoreError> {
        Ok(lock::try_acquire(&self.root.join(name))?)
    }

    /// Adds a line to `hooks.log`; what cannot be written is lost, because a hook must not fail.
    pub fn hooks_log(&self, line: &str, now: Timestamp) {
        let _ = self.append_hooks_log(line, now);
    }

    fn append_hooks_log(&self, line: &str, now: Timestamp) -> Result<(), FsError> {
        let (path, old) = (self.root.join("hooks.log"), self.root.join("hooks.1.log"));
        let line: String =
            line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(4096).collect();
        let line = format!("{now} {line}\n");
        let length = fs::metadata(&path)?.map_or(0, |metadata| metadata.len());
        if length + line.len() as u64 > HOOKS_LOG_LIMIT {
            fs::rename(&path, &old)?;
        }
        fs::append(&mut fs::open_append(&path)?, &path, line.as_bytes())
    }
}

/// Returns the names in `directory` that are ids, sorted.
pub(crate) fn ids_in<T: FromStr>(directory: &Path) -> Result<Vec<T>, StoreError> {
    let names = fs::names(directory)?;
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// Checks that `path` is a directory, ours alone to write.
pub(crate) fn check_directory(path: &Path) -> Result<(), StoreError> {
    if is_checked(path)? {
        return Ok(());
    }
    let gone = io::Error::from(io::ErrorKind::NotFound);
    Err(FsError::at("look at", path)(gone).into())
}

/// Checks a directory of ours as [`check_directory`] does; `false` where there is none.
pub(crate) fn is_checked(path: &Path) -> Result<bool, StoreError> {
    let Some(metadata) = fs::metadata(path)? else { return Ok(false) };
    if metadata.is_symlink() {
        return Err(StoreError::Symlink { path: path.to_owned() });
    }
    if !metadata.is_dir() {
        let why = "it is not a directory".to_owned();
        return Err(StoreError::Damaged { path: path.to_owned(), line: None, why });
    }
    if metadata.uid() != own_user() {
        return Err(StoreError::Owner { path: path.to_owned(), uid: metadata.uid() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(StoreError::Mode { path: path.to_owned(), mode });
    }
    Ok(true)
}

/// Returns the user that this process acts for.
pub(crate) fn own_user() -> u32 {
    // It does not change, and is asked for each of a thousand sessions.
    static OWN: OnceLock<u32> = OnceLock::new();
    *OWN.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// Returns whether a directory of that owner and mode is this user's, and nobody else can write
/// there.
pub(crate) fn is_ours_alone(stat: &rustix::fs::Stat) -> bool {
    stat.st_uid == own_user() && stat.st_mode & 0o022 == 0
}

/// Opens a file of ours for reading, `None` where there is none.
pub(crate) fn open_ours(path: &Path) -> Result<Option<File>, StoreError> {
    fs::open_regular(path).map_err(link_or_fs)
}

/// Reads a file of ours, `None` where there is none; one longer than `limit` bytes is damaged.
pub(crate) fn read_ours(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
    fs::read_regular(path, limit).map_err(link_or_fs)
}

/// Tells a link, and what is no regular file, from a failed operation.
pub(crate) fn link_or_fs(error: FsError) -> StoreError {
    const ELOOP: i32 = rustix::io::Errno::LOOP.raw_os_error();
    match (error.source.raw_os_error(), error.source.kind()) {
        (Some(ELOOP), _) => StoreError::Symlink { path: error.path },
        (None, io::ErrorKind::Other) => {
            StoreError::Damaged { path: error.path, line: None, why: error.source.to_string() }
        }
        _ => StoreError::Fs(error),
    }
}

/// Returns whether a directory that last `changed` then may hold a temporary file that a pass at
/// `now` removes and the pass at `last` did not: one that was made since, or has become too old.
pub fn may_hold_leftovers(changed: Timestamp, last: Option<Timestamp>, now: Timestamp) -> bool {
    /// A file system may round its times, and its clock may be another's.
    const ROUNDED: Duration = Duration::from_secs(2);
    let Some(last) = last.filter(|last| *last <= now) else { return true };
    let old = changed.plus(STALE_AFTER);
    changed.plus(ROUNDED) >= last || (old.plus(ROUNDED) >= last && old <= now)
}

/// Removes temporary files from `directory` whose maker has died, or that are older than an hour.
///
/// What cannot be removed stays.
pub(crate) fn sweep(directory: &Path, now: Timestamp) {
    let Ok(names) = fs::names(directory) else { return };
    let ours = |name: &&std::ffi::OsString| {
        name.as_encoded_bytes().starts_with(fs::TEMPORARY_PREFIX.as_bytes())
    };
    for name in names.iter().filter(ours) {
        let path = directory.join(name);
        let Ok(Some(metadata)) = fs::metadata(&path) else { continue };
        let modified = Timestamp::from_millis(metadata.mtime().saturating_mul(1000));
        let abandoned = fs::temporary_owner(name).is_some_and(process::is_over);
        if !abandoned && now.since(modified) < STALE_AFTER {
            continue;
        }
        let _ = if metadata.is_dir() { fs::remove_tree(&path) } else { fs::remove_file(&path) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};

    #[test]
    fn a_home_that_is_not_there_is_empty_to_a_reader_and_made_for_a_writer() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("a/b");
        let home = Home::open_read(&root).unwrap();
        assert_eq!((home.session_ids().unwrap(), home.projects().unwrap()), (vec![], vec![]));
        assert!(home.summaries(true).unwrap().is_empty());
        assert!(!root.exists());
        Home::open(&root).unwrap();
        let names: Vec<_> = fs::names(&root).unwrap();
        assert_eq!(names, ["archive", "format", "projects", "sessions"]);
        assert_eq!(fs::read_text(&root.join("format")).unwrap(), "1\n");
        Home::open(&root).unwrap();
    }

    #[test]
    fn a_directory_is_looked_through_after_a_change_and_once_what_is_in_it_is_old() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let changed = at(100_000);
        let looks = |last: i64, now: i64| may_hold_leftovers(changed, Some(at(last)), at(now));
        assert!(may_hold_leftovers(changed, None, at(200_000)));
        // Changed since, or within the time that a file system may be wrong by.
        assert!(looks(99_940, 100_000) && looks(100_001, 100_061) && !looks(100_061, 100_121));
        // Old by this pass, and not by the one before.
        assert!(!looks(103_480, 103_540) && looks(103_590, 103_650) && !looks(103_650, 103_710));
        // A clock that went back tells nothing.
        assert!(looks(300_000, 200_000));
    }

    #[test]
    fn a_home_that_others_can_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("home");
        Home::open(&root).unwrap();
        for (path, mode) in
            [(root.clone(), 0o720), (root.clone(), 0o702), (root.join("sessions"), 0o777)]
        {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            for result in [Home::open(&root), Home::open_read(&root)] {
                let Err(StoreError::Mode { mode: found, .. }) = result else {
                    panic!("{result:?}")
                };
                assert_eq!(found, mode);
            }
            set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        }
        Home::open(&root).unwrap();
    }

    #[test]
    fn a_home_of_somebody_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("home");
        Home::open(&root).unwrap();
        // Only root can give a directory away; for anybody else `/` is somebody else's.
        let foreign = if std::os::unix::fs::chown(&root, Some(65534), None).is_ok() {
            root
        } else {
            PathBuf::from("/")
        };
        for result in [Home::open(&foreign), Home::open_read(&foreign)] {
            assert!(matches!(result, Err(StoreError::Owner { .. })), "{result:?}");
        }
    }

    #[test]
    fn a_format_that_cannot_be_read_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("home");
        Home::open(&root).unwrap();
        fs::replace(&root.join("format"), b"one\n", fs::Durability::Process).unwrap();
        assert!(matches!(Home::open(&root), Err(StoreError::Damaged { .. })));
        assert_eq!(fs::read_text(&root.join("format")).unwrap(), "one\n");
    }

    #[test]
    fn names_that_are_no_ids_are_not_sessions() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        for name in ["web-1", "Web", ".ao-tmp-1", "a b", "-x"] {
            fs::create_private_directories(&home.root().join("sessions").join(name)).unwrap();
        }
        assert_eq!(home.session_ids().unwrap(), ["web-1".parse().unwrap()]);
    }

    #[test]
    fn the_hooks_log_is_two_files_of_one_mebibyte() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        let now = Timestamp::from_millis(0);
        home.hooks_log("two\nlines", now);
        let path = home.root().join("hooks.log");
        assert_eq!(fs::read_text(&path).unwrap(), "1970-01-01T00:00:00.000Z two lines\n");
        for _ in 0..400 {
            home.hooks_log(&"x".repeat(9000), now);
        }
        let size = |name: &str| fs::metadata(&home.root().join(name)).unwrap().unwrap().len();
        assert!(size("hooks.log") <= HOOKS_LOG_LIMIT && size("hooks.1.log") <= HOOKS_LOG_LIMIT);
    }
}
