//! A directory that is open: what is in it is read and written below its descriptor, by names of one
//! component.
//!
//! No path is walked twice, and nobody can put a link into the way between two looks. Links are
//! never followed, and no pipe is waited for.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, Timespec, Timestamps,
};
use rustix::io::Errno;

use crate::adapter::clock::Deadline;
use crate::adapter::{failpoint, flock};
use crate::model::sanitize;

/// An open directory.
#[derive(Debug)]
pub struct Directory(OwnedFd);

/// Memory for names, kept from one directory to the next.
pub type Listing = Vec<u8>;

/// What git notes of a file to tell whether it was changed; each number is cut to 32 bits, as git
/// does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// When it was changed last, in seconds and nanoseconds.
    pub ctime: (u32, u32),
    /// When its content was.
    pub mtime: (u32, u32),
    /// The device.
    pub dev: u32,
    /// The inode.
    pub ino: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// How long it is.
    pub size: u32,
}

impl Stat {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as git does")]
    fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            ctime: (stat.st_ctime as u32, stat.st_ctime_nsec as u32),
            mtime: (stat.st_mtime as u32, stat.st_mtime_nsec as u32),
            dev: stat.st_dev as u32,
            ino: stat.st_ino as u32,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: stat.st_size as u32,
        }
    }
}

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file that its owner may not run.
    File,
    /// One that may be run.
    Program,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

/// Opening: to read the names in it, or only to go on from there, for which it need not be readable.
impl Directory {
    /// Opens the directory at `path`, which is none where it is a link.
    pub fn open(path: &Path) -> io::Result<Self> {
        failpoint::pass("directory.open")?;
        Ok(Self(rustix::fs::open(path, readable(), Mode::empty())?))
    }

    /// Opens the directory of that name in this one.
    pub fn below(&self, name: &str) -> io::Result<Self> {
        failpoint::pass("directory.open")?;
        Ok(Self(rustix::fs::openat(&self.0, name, readable(), Mode::empty())?))
    }

    /// Opens the directory at `path` to go on from there: its own names are not to be read.
    pub fn open_to_walk(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(CWD, path, walked(), Mode::empty())?))
    }

    /// Opens the directory `name` in this one to go on from there.
    pub fn child(&self, name: &[u8]) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, name, walked(), Mode::empty())?))
    }

    /// Opens the directory `name` in this one as [`child`](Self::child) does, but none at which
    /// something is mounted: that is an error.
    fn own_child(&self, name: &[u8]) -> io::Result<Self> {
        let how = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match rustix::fs::openat2(&self.0, name, walked(), Mode::empty(), how) {
            Ok(child) => Ok(Self(child)),
            // Before Linux 5.6, or where a sandbox does not know it.
            Err(Errno::NOSYS | Errno::PERM) => self.child_of_this_mount(name),
            Err(Errno::XDEV) => Err(mounted(name)),
            Err(error) => Err(error.into()),
        }
    }

    fn child_of_this_mount(&self, name: &[u8]) -> io::Result<Self> {
        let child = self.child(name)?;
        if self.mount()? == child.mount()? { Ok(child) } else { Err(mounted(name)) }
    }

    /// Returns the number of the mount that it was opened in, as `/proc` tells it.
    fn mount(&self) -> io::Result<u64> {
        let told = format!("/proc/thread-self/fdinfo/{}", self.0.as_raw_fd());
        let text = fs::read_to_string(told)?;
        let number = text.lines().find_map(|line| line.strip_prefix("mnt_id:"));
        let number = number.and_then(|number| number.trim().parse().ok());
        number.ok_or_else(|| io::Error::other("its mount is not told"))
    }

    /// Opens the directory `name` in this one, made where it is not there yet.
    pub fn make_child(&self, name: &[u8]) -> io::Result<Self> {
        match self.child(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        failpoint::pass("dirfd.mkdir")?;
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
            // Made by another thread at the same moment.
            Ok(()) | Err(Errno::EXIST) => self.child(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the directory at `path` below this one, which is reached through no link; this one
    /// itself for an empty path. Its names can be read.
    pub fn descendant(&self, path: &[u8]) -> io::Result<Self> {
        let path = if path.is_empty() { b"." } else { path };
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        Ok(Self(rustix::fs::openat2(&self.0, path, readable(), Mode::empty(), how)?))
    }
}

/// Looking and reading.
impl Directory {
    /// Returns owner and mode of the directory itself.
    pub fn stat(&self) -> io::Result<rustix::fs::Stat> {
        Ok(rustix::fs::fstat(&self.0)?)
    }

    /// Returns owner and mode of what is called `name`, a link not followed.
    pub fn stat_of(&self, name: &str) -> io::Result<rustix::fs::Stat> {
        Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Returns whether there is, or may be, something of that name.
    pub fn has(&self, name: &str) -> bool {
        !matches!(self.stat_of(name), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Calls `each` with every name in it, in no order.
    pub fn names(&self, listing: &mut Listing, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        const ROOM: usize = 8 << 10;
        listing.clear();
        listing.reserve(ROOM);
        let mut entries = RawDir::new(&self.0, listing.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                each(name);
            }
        }
        Ok(())
    }

    /// Reads the file of that name, or `directory/name`, into `text`, which grows to hold it; an
    /// error where it has `most` bytes or more. What is no regular file is read as it comes.
    pub fn read<'a>(&self, name: &str, text: &'a mut Vec<u8>, most: usize) -> io::Result<&'a [u8]> {
        failpoint::pass("directory.file")?;
        let file = self.file(name.as_bytes())?;
        let mut read = rustix::io::read(&file, &mut text[..])?;
        // One more byte of room tells that this is all.
        if read == text.len() {
            let length = usize::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(most);
            text.resize(length.saturating_add(1).min(most).max(read), 0);
            read = rustix::io::pread(&file, &mut text[..], 0)?;
        }
        // Somebody may write meanwhile: what does not fit is not cut.
        if read == text.len() || read >= most {
            return Err(io::Error::other("it is too long"));
        }
        Ok(&text[..read])
    }

    /// Reads the end of the file of that name, or `directory/name`, into `text`, and returns it with
    /// the length of what is before it; an error where it is no regular file.
    pub fn read_end<'a>(&self, name: &str, text: &'a mut [u8]) -> io::Result<(&'a [u8], u64)> {
        failpoint::pass("directory.file")?;
        let file = self.file(name.as_bytes())?;
        let room = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let before = match rustix::fs::seek(&file, SeekFrom::End(-room)) {
            // It has less than there is room for.
            Err(Errno::INVAL) => 0,
            result => result?,
        };
        let read = rustix::io::read(&file, &mut *text)?;
        Ok((&text[..read], before))
    }

    /// Returns whether somebody holds the lock of that name, which is there; changes nothing.
    pub fn is_held(&self, name: &str) -> io::Result<bool> {
        failpoint::pass("directory.file")?;
        flock::is_held_by_another(Path::new(name), self.file(name.as_bytes())?)
    }

    /// Returns what `name` is, a link not followed, and what git would note of it.
    pub fn look(&self, name: &[u8]) -> io::Result<(Kind, Stat)> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_mode & 0o100 == 0 => Kind::File,
            FileType::RegularFile => Kind::Program,
            FileType::Symlink => Kind::Link,
            FileType::Directory
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Kind::Other,
        };
        Ok((kind, Stat::of(&stat)))
    }

    /// Returns what the symbolic link `name` says.
    pub fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// Opens the regular file `name` for reading; anything else that is there is an error. Returns
    /// how long it is, and what git would note of it.
    pub fn open_file(&self, name: &[u8]) -> io::Result<(File, u64, Stat)> {
        let file = self.file(name)?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok((file, u64::try_from(stat.st_size).unwrap_or(0), Stat::of(&stat)))
    }

    /// Opens `name`, or `directory/name`, for reading, whatever it is but a link.
    pub fn file(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let below = name.iter().position(|byte| *byte == b'/').map(|at| name.split_at(at));
        let Some((directory, rest)) = below else {
            return Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?));
        };
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match rustix::fs::openat2(&self.0, name, flags, Mode::empty(), how) {
            // The kernel is older than 5.6, or somebody filters what it may be asked for.
            Err(Errno::NOSYS | Errno::PERM) => self.child(directory)?.file(&rest[1..]),
            result => Ok(File::from(result?)),
        }
    }

    /// Opens the same directory once more: this descriptor may only name it.
    fn to_read(&self) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(&self.0, c".", readable(), Mode::empty())?)
    }
}

/// Making and removing.
impl Directory {
    /// Makes the file `name`, which must not be there, with the mode that the umask leaves.
    pub fn create_file(&self, name: &[u8], mode: u32) -> io::Result<File> {
        failpoint::pass("dirfd.create")?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let flags = flags | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode))?))
    }

    /// Removes the file `name`.
    pub fn remove_file(&self, name: &[u8]) -> io::Result<()> {
        failpoint::pass("dirfd.remove")?;
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes everything in this directory, links themselves included, until `deadline`; returns
    /// whether nothing is left. Directories of our own are made writable for that. What is mounted
    /// in it is somebody else's, and an error.
    ///
    /// The first thing that cannot be removed ends it: what is full of such things would take all
    /// the time there is, each time anew.
    pub fn empty(&self, deadline: Deadline) -> io::Result<bool> {
        let readable = self.writable_if_ours(|| {
            failpoint::pass("dirfd.empty")?;
            self.to_read()
        })?;
        for entry in rustix::fs::Dir::read_from(&readable)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if deadline.remaining().is_zero() {
                return Ok(false);
            }
            let removed = self.writable_if_ours(|| {
                failpoint::pass("dirfd.unlink")?;
                Ok(rustix::fs::unlinkat(&readable, name, AtFlags::empty())?)
            });
            match removed.as_ref().map_err(Errno::from_io_error) {
                Ok(()) | Err(Some(Errno::NOENT)) => {}
                Err(Some(Errno::ISDIR | Errno::PERM)) => {
                    let child = match self.own_child(name.to_bytes()) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        child => child?,
                    };
                    if !child.empty(deadline)? {
                        return Ok(false);
                    }
                    failpoint::pass("dirfd.rmdir")?;
                    rustix::fs::unlinkat(&readable, name, AtFlags::REMOVEDIR)?;
                }
                Err(_) => return removed.map(|()| false),
            }
        }
        Ok(true)
    }

    /// Does `operation`, and where that is refused does it again with all permissions that the owner
    /// of this directory can give himself: build tools write-protect what they unpack.
    fn writable_if_ours<T>(&self, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match operation() {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::ACCESS) => {
                // The kernel refuses it of a directory that is another's: then the first error tells.
                if self.open_to_owner().is_err() {
                    return Err(error);
                }
                operation()
            }
            result => result,
        }
    }

    fn open_to_owner(&self) -> io::Result<()> {
        failpoint::pass("dirfd.mode")?;
        // A descriptor that only names a directory cannot be given to fchmod. This path leads to
        // what is open and nowhere else, whatever lies at its name by then.
        let place = format!("/proc/thread-self/fd/{}", self.0.as_raw_fd());
        Ok(rustix::fs::chmod(place, Mode::RWXU)?)
    }

    /// Makes the symbolic link `name`, last changed at `mtime`.
    pub fn make_link(&self, name: &[u8], target: &[u8], mtime: i64) -> io::Result<Stat> {
        failpoint::pass("dirfd.symlink")?;
        rustix::fs::symlinkat(target, &self.0, name)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        failpoint::pass("dirfd.stamp")?;
        rustix::fs::utimensat(&self.0, name, &both(mtime), flags)?;
        Ok(Stat::of(&rustix::fs::statat(&self.0, name, flags)?))
    }
}

/// Says that `file` was last changed at `mtime`, in seconds; returns what git would note of it.
pub fn stamp(file: &File, mtime: i64) -> io::Result<Stat> {
    failpoint::pass("dirfd.stamp")?;
    rustix::fs::futimens(file, &both(mtime))?;
    noted(file)
}

/// Returns what git would note of `file`.
pub fn noted(file: &File) -> io::Result<Stat> {
    Ok(Stat::of(&rustix::fs::fstat(file)?))
}

/// Makes the empty file `copy` share all blocks of `source`; returns whether that is possible here.
pub fn share_blocks(source: &File, copy: &File) -> bool {
    failpoint::pass("dirfd.share").is_ok() && rustix::fs::ioctl_ficlone(copy, source).is_ok()
}

/// Appends the first `length` bytes of `source`, which was not read yet, to `copy` without a detour
/// through this process; returns whether that were all of them. An error may be of either file.
pub fn pass_on(source: &File, copy: &File, length: usize) -> io::Result<bool> {
    let mut rest = length;
    while rest > 0 {
        failpoint::pass("dirfd.pass_on")?;
        match rustix::fs::copy_file_range(source, None, copy, None, rest)? {
            0 => return Ok(false),
            passed => rest -= passed.min(rest),
        }
    }
    Ok(true)
}

/// Closes a file as its drop would, without the C library, which prepares for the thread to be
/// cancelled meanwhile: of tens of thousands of files that is felt.
pub fn close(file: File) {
    // SAFETY: the descriptor is open, and nobody owns it any more.
    unsafe { rustix::io::close(file.into_raw_fd()) }
}

fn both(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn mounted(name: &[u8]) -> io::Error {
    let name = String::from_utf8_lossy(name);
    let why = format!("something is mounted at {:?} in it", sanitize::line(&name));
    io::Error::new(io::ErrorKind::CrossesDevices, why)
}

/// To read the names in it.
fn readable() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// To go on from there.
fn walked() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::fs::{self, Durability};

    #[test]
    fn what_is_mounted_is_not_gone_into_to_empty_it() {
        let root = tempfile::tempdir().unwrap();
        fs::create_private_directories(&root.path().join("below")).unwrap();
        let (own, all) =
            (Directory::open_to_walk(root.path()), Directory::open_to_walk("/".as_ref()));
        let (own, all) = (own.unwrap(), all.unwrap());
        for open in [Directory::own_child, Directory::child_of_this_mount] {
            assert!(open(&own, b"below").is_ok());
            let error = open(&all, b"proc").unwrap_err();
            assert_eq!(error.to_string(), "something is mounted at \"proc\" in it");
            assert_eq!(open(&own, b"none").unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn what_is_in_it_is_read_and_no_link_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            fs::replace(&root.path().join(name), text, Durability::Process).unwrap();
        };
        write("a", b"one\ntwo\n");
        write("empty", b"");
        fs::symlink(Path::new("a"), &root.path().join("link")).unwrap();
        fs::create_private_directories(&root.path().join("below/x")).unwrap();
        fs::symlink(Path::new("below"), &root.path().join("aside")).unwrap();

        let directory = Directory::open(root.path()).unwrap();
        let mut names = Vec::new();
        let mut listing = Listing::new();
        directory.names(&mut listing, |name| names.push(name.to_vec())).unwrap();
        names.sort();
        let expected: [&[u8]; 5] = [b"a", b"aside", b"below", b"empty", b"link"];
        assert_eq!(names, expected);
        let mut text = Vec::new();
        assert_eq!(directory.read("a", &mut text, 9).unwrap(), b"one\ntwo\n");
        assert_eq!(directory.read("empty", &mut text, 9).unwrap(), b"");
        assert!(directory.read("a", &mut text, 8).is_err(), "it may be longer");
        assert!(directory.read("a", &mut Vec::new(), 8).is_err(), "it may be longer");
        assert_eq!(directory.read_end("a", &mut [0; 4]).unwrap(), (&b"two\n"[..], 4));
        assert_eq!(directory.read_end("a", &mut text).unwrap(), (&b"one\ntwo\n"[..], 0));
        fs::replace(&root.path().join("below/b"), b"far", Durability::Process).unwrap();
        assert_eq!(directory.read("below/b", &mut text, 9).unwrap(), b"far");
        for name in ["link", "below", "none", "aside/b", "../a"] {
            assert!(directory.read(name, &mut text, 9).is_err(), "{name}");
        }
        assert!(directory.below("below").is_ok());
        assert!(directory.below("aside").is_err() && directory.below("a").is_err());
        assert!(Directory::open(&root.path().join("aside")).is_err());
    }

    #[test]
    fn what_is_passed_on_is_all_that_was_asked_for_or_not_said_to_be() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open_to_walk(root.path()).unwrap();
        let text: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::replace(&root.path().join("a"), &text, Durability::Process).unwrap();
        for (number, (length, all)) in
            [(1, true), (text.len(), true), (text.len() + 1, false)].into_iter().enumerate()
        {
            let name = format!("copy-{number}");
            let copy = directory.create_file(name.as_bytes(), 0o600).unwrap();
            let source = directory.file(b"a").unwrap();
            assert_eq!(pass_on(&source, &copy, length).unwrap(), all, "{length}");
            let copied = fs::read(&root.path().join(name)).unwrap();
            assert_eq!(copied, text[..length.min(text.len())]);
        }
        let copy = directory.create_file(b"none", 0o600).unwrap();
        let no_file = directory.file(b".").unwrap();
        assert!(pass_on(&no_file, &copy, 1).is_err());
    }

    #[test]
    fn a_lock_is_seen_as_everybody_sees_it() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path()).unwrap();
        assert!(directory.is_held("x.lock").is_err());
        let lock = flock::take(&root.path().join("x.lock")).unwrap().unwrap();
        assert!(directory.is_held("x.lock").unwrap());
        drop(lock);
        let free = || (!directory.is_held("x.lock").unwrap()).then_some(());
        let soon = crate::adapter::clock::Deadline::after(std::time::Duration::from_secs(20));
        assert!(crate::adapter::clock::poll_until(soon, free).is_some());
    }
}
