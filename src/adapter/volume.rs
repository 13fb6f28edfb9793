//! The file system that holds a path: what is free of it, and whether it is another machine's.

use std::io;
use std::path::Path;

use rustix::fs::{statfs, statvfs};

use crate::adapter::fs::{self, FsError};

/// What is free of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub free: u64,
    /// Files and directories that can still be made; `None` where it does not count them.
    pub free_files: Option<u64>,
}

/// File systems of other machines, and those behind which anything may be: their locks may hold
/// on this machine alone, or not at all.
const REMOTE: &[(u32, &str)] = &[
    (0x0000_6969, "nfs"),
    (0x0000_517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "fuse"),
    (0x786f_4256, "vboxsf"),
    (0x5346_414f, "afs"),
    (0x00c3_6400, "ceph"),
];

/// Returns what is free of the file system that holds `path`.
pub fn space(path: &Path) -> Result<Space, FsError> {
    let found = statvfs(path).map_err(|error| FsError::at("look at", path)(error.into()))?;
    Ok(Space {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        free_files: (found.f_files > 0).then_some(found.f_favail),
    })
}

/// Returns the name of the file system that holds `path` where it is another machine's, or a
/// program's.
pub fn remote(path: &Path) -> io::Result<Option<&'static str>> {
    // The kernel's number has 32 bits; the field that holds it is wider, or signed, elsewhere.
    #[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let kind = statfs(path)?.f_type as u32;
    Ok(REMOTE.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name))
}

/// Returns how many bytes the files below `path` hold, links not followed; `None` where there are
/// more than `most` of them, or where they cannot be looked at.
pub fn size(path: &Path, most: usize) -> Option<u64> {
    let (mut total, mut seen) = (0u64, 0);
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        seen += 1;
        let metadata = fs::metadata(&path).ok()??;
        if seen > most {
            return None;
        }
        if metadata.is_dir() {
            left.extend(fs::names(&path).ok()?.into_iter().map(|name| path.join(name)));
        } else {
            total = total.saturating_add(metadata.len());
        }
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_this_machine_has_room() {
        let directory = tempfile::tempdir().unwrap();
        assert!(space(directory.path()).unwrap().free > 0);
        assert_eq!(remote(Path::new("/proc")).unwrap(), None);
        assert!(space(Path::new("/nonexistent/x")).is_err());
        fs::create_directories(&directory.path().join("a/b")).unwrap();
        fs::replace(&directory.path().join("a/b/c"), b"12345", fs::Durability::Process).unwrap();
        assert_eq!(size(directory.path(), 4), Some(5));
        assert_eq!(size(directory.path(), 3), None);
    }
}
