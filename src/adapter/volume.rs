//! The file system that holds a path: what is free of it, and whether it is another machine's.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{statfs, statvfs};

use crate::adapter::fs::{self, FsError};
use crate::model::sanitize;

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

/// Returns where something is mounted at `path`, which is reached through no link, or below it.
pub fn mounts_in(path: &Path) -> io::Result<Vec<PathBuf>> {
    let told = Path::new("/proc/self/mountinfo");
    let bytes = fs::read(told).map_err(|error| error.source)?;
    let mut points = mount_points(&bytes)?;
    points.retain(|point| point.starts_with(path));
    Ok(points)
}

/// Returns the places that are mounted at, from lines as proc_pid_mountinfo(5) has them.
pub(super) fn mount_points(bytes: &[u8]) -> io::Result<Vec<PathBuf>> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let point = |line: &[u8]| {
        let field = line.split(|byte| *byte == b' ').nth(4).filter(|it| it.starts_with(b"/"));
        field.map(unescaped).ok_or_else(|| {
            let line = String::from_utf8_lossy(line);
            io::Error::other(format!("no place is in {:?}", sanitize::line(&line)))
        })
    };
    lines.map(point).collect()
}

/// Returns a name in which spaces and the like stand as three octal digits after a backslash.
fn unescaped(mut text: &[u8]) -> PathBuf {
    let mut name = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        let digits = rest.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                name.push(byte);
                text = &rest[3..];
            }
            None => {
                name.push(*first);
                text = rest;
            }
        }
    }
    PathBuf::from(OsString::from_vec(name))
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
    fn what_is_mounted_is_told_by_its_place() {
        let text = b"36 35 98:0 /mnt1 /a\\040b\\134 rw,noatime master:1 - ext3 /dev/root rw\n\
            37 36 0:5 / /c rw - tmpfs none rw\n";
        assert_eq!(mount_points(text).unwrap(), [Path::new("/a b\\"), Path::new("/c")]);
        let error = mount_points(b"36 35 98:0 /mnt1\n").unwrap_err().to_string();
        assert_eq!(error, "no place is in \"36 35 98:0 /mnt1\"");
        assert_eq!(mounts_in(Path::new("/proc")).unwrap()[0], Path::new("/proc"));
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(mounts_in(directory.path()).unwrap(), [""; 0].map(PathBuf::from));
    }

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
