//! Files and directories: atomic replacement, private modes, links never followed out.
#![expect(clippy::disallowed_methods, reason = "this is the file system")]

pub mod directory;
pub mod leftovers;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::adapter::clock::Deadline;
use crate::adapter::failpoint;
use crate::adapter::fs::directory::Directory;
use crate::model::time::Timestamp;

/// Prefix of our temporary files; a reap removes those that a killed process left.
pub const TEMPORARY_PREFIX: &str = ".ao-tmp-";

/// Returns how the names of this process's temporary files begin: with its number, so that
/// whoever finds one knows whether its owner lives.
pub fn temporary_prefix() -> String {
    format!("{TEMPORARY_PREFIX}{}-", std::process::id())
}

/// Returns the process that made a temporary file, told by the file's name.
pub fn temporary_owner(name: &std::ffi::OsStr) -> Option<u32> {
    name.to_str()?.strip_prefix(TEMPORARY_PREFIX)?.split_once('-')?.0.parse().ok()
}

/// A file operation that failed, with the path it was about.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {}", path.display())]
pub struct FsError {
    /// What was tried: "read", "write", "create", …
    pub operation: &'static str,
    /// What it was tried on.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl FsError {
    /// Returns a closure that puts `operation` and `path` to an I/O error.
    pub fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { operation, path: path.to_owned(), source }
    }

    /// Returns whether it failed for want of permission (a read-only file system included).
    pub fn is_denied(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        )
    }

    /// Returns whether a symbolic link was where none is followed.
    pub fn is_link(&self) -> bool {
        self.source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
    }
}

/// How much a write has to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of this process: the file's content is whole, but a power cut may undo it.
    Process,
    /// A power cut: content and, for a new name, the directory are synced.
    PowerCut,
}

/// The longest file that is read whole where the caller does not say, in bytes.
const LONGEST: u64 = 64 << 20;

/// Reads whatever a person named, a pipe as well, to its end.
pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    fs::read(path).map_err(FsError::at("read", path))
}

/// Reads a whole regular file, `None` where there is none.
///
/// A link is followed, as people link their own configuration; but a pipe is not waited for, and
/// a device without an end is not read.
pub fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    open_plain(path, OFlags::empty())?.map(|plain| whole(plain, path, LONGEST)).transpose()
}

/// Reads what a person configured as [`read_optional`] does; a link to /dev/null is how many say that
/// there is nothing. It is for those that only read: who writes would replace the device.
///
/// What it says is done in this user's name: a file that others may write, or that is neither this
/// user's nor root's, is refused, for which [`FsError::is_denied`] is true.
pub fn read_configured(path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    let is_null = |found: fs::Metadata| {
        found.file_type().is_char_device() && found.rdev() == rustix::fs::makedev(1, 3)
    };
    if fs::metadata(path).is_ok_and(is_null) {
        return Ok(None);
    }
    let Some((file, found)) = open_told(path, OFlags::empty())? else { return Ok(None) };
    let own = rustix::process::geteuid().as_raw();
    let why = match (found.uid(), found.mode()) {
        (owner, _) if owner != own && owner != 0 => format!("user {owner} owns it, not {own}"),
        (_, mode) if mode & 0o002 != 0 => "everybody may write it; chmod o-w it".to_owned(),
        (_, _) => return whole((file, found.len()), path, LONGEST).map(Some),
    };
    Err(FsError::at("read", path)(io::Error::new(io::ErrorKind::PermissionDenied, why)))
}

/// Reads the first `limit` bytes of a file as [`read_optional`] does.
pub fn read_beginning(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FsError> {
    let plain = open_plain(path, OFlags::empty())?;
    plain.map(|(file, length)| whole((file, length.min(limit)), path, limit)).transpose()
}

/// Reads a file of ao's own, `None` where there is none; see [`read_regular`].
pub fn read_own(path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    read_regular(path, LONGEST)
}

/// Reads a regular file at `path`, relative to `top`, `None` where there is none; a link may lead
/// to it from within `top`, and none leads out of it.
pub fn read_within(top: &Path, path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    let whole = top.join(path);
    if metadata(&whole)?.is_none() {
        return Ok(None);
    }
    let target = canonical(&whole)?;
    if !target.starts_with(canonical(top)?) {
        let outside = io::Error::other(format!("it leads out of {}", top.display()));
        return Err(FsError::at("read", &whole)(outside));
    }
    read_regular(&target, LONGEST)
}

/// Reads a regular file of at most `limit` bytes, `None` where there is none.
///
/// Never follows a link and never waits for a pipe: anything but a regular file is an error.
pub fn read_regular(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FsError> {
    open_plain(path, OFlags::NOFOLLOW)?.map(|plain| whole(plain, path, limit)).transpose()
}

fn whole((file, length): (File, u64), path: &Path, limit: u64) -> Result<Vec<u8>, FsError> {
    let error = |source| FsError::at("read", path)(source);
    if length > limit {
        return Err(error(io::Error::other(format!("it is longer than {limit} bytes"))));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(limit).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}

/// Opens a regular file for reading, `None` where there is none; see [`read_regular`].
pub fn open_regular(path: &Path) -> Result<Option<File>, FsError> {
    Ok(open_plain(path, OFlags::NOFOLLOW)?.map(|(file, _)| file))
}

/// Opens what is a regular file in the end, never waiting for a pipe; returns its length as well.
fn open_plain(path: &Path, flags: OFlags) -> Result<Option<(File, u64)>, FsError> {
    Ok(open_told(path, flags)?.map(|(file, metadata)| (file, metadata.len())))
}

/// [`open_plain`], with all that is told of the file.
fn open_told(path: &Path, flags: OFlags) -> Result<Option<(File, fs::Metadata)>, FsError> {
    let error = |source| FsError::at("open", path)(source);
    let flags = (flags | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(source) if is_absent(&source) => return Ok(None),
        Err(source) => return Err(error(source)),
    };
    let metadata = file.metadata().map_err(error)?;
    if !metadata.is_file() {
        return Err(error(io::Error::other("it is not a regular file")));
    }
    Ok(Some((file, metadata)))
}

/// Reads a regular text file as [`read_optional`] does, an error where there is none or where it is
/// not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FsError> {
    let error = |source| FsError::at("read", path)(source);
    let bytes = read_optional(path)?.ok_or_else(|| error(io::ErrorKind::NotFound.into()))?;
    String::from_utf8(bytes).map_err(|_| error(io::Error::other("it is not UTF-8")))
}

/// Reads the last `limit` bytes of a file of ao's own.
pub fn read_tail(path: &Path, limit: u64) -> Result<Vec<u8>, FsError> {
    use std::io::{Seek, SeekFrom};
    let error = |source| FsError::at("read", path)(source);
    let file = open_regular(path)?;
    let mut file = file.ok_or_else(|| error(io::ErrorKind::NotFound.into()))?;
    let length = file.metadata().map_err(error)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit))).map_err(error)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}

/// Puts `bytes` at `path` (mode 0600) so that a reader sees the old content or the new one.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    replace_as(path, bytes, 0o600, durability)
}

/// Replaces the content of another program's file as [`replace`] does, but keeps its mode, and
/// where a link leads to it, the link; a file that is not there is made with mode 0600.
pub fn rewrite(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mode = metadata(&target)?.map_or(0o600, |metadata| metadata.permissions().mode());
    replace_as(&target, bytes, mode, durability)
}

fn replace_as(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> Result<(), FsError> {
    let error = |source| FsError::at("write", path)(source);
    let directory = parent(path)?;
    // Removed again by its destructor wherever an error leaves this function.
    let mut temporary = failpoint::through("fs.create", path, || {
        tempfile::Builder::new().prefix(&temporary_prefix()).tempfile_in(directory)
    })
    .map_err(error)?;
    // Before the rename: whoever reads the file in another account reads it at any moment.
    set_mode(temporary.as_file(), path, mode).map_err(error)?;
    failpoint::through("fs.write", path, || temporary.write_all(bytes)).map_err(error)?;
    if durability == Durability::PowerCut {
        failpoint::through("fs.sync", path, || temporary.as_file().sync_data()).map_err(error)?;
    }
    failpoint::pass_at("fs.rename", path).map_err(error)?;
    temporary.persist(path).map_err(|failure| error(failure.error))?;
    if durability == Durability::PowerCut {
        sync_directory(directory)?;
    }
    Ok(())
}

/// Creates a file of mode `mode` that must not exist, with `bytes` in it.
pub fn create_new(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
) -> Result<(), FsError> {
    create(path, bytes, mode, durability, |file| set_mode(file, path, mode))
}

/// [`create_new`] of a file that anybody may read and write whom the umask lets, unsynced: what git
/// makes is so.
pub fn create_by_umask(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    create(path, bytes, 0o666, Durability::Process, |_| Ok(()))
}

fn create(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), FsError> {
    let error = |source| FsError::at("create", path)(source);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = failpoint::through("fs.create", path, || options.open(path)).map_err(error)?;
    let filled = prepare(&file)
        .and_then(|()| failpoint::through("fs.write", path, || file.write_all(bytes)))
        .and_then(|()| match durability {
            Durability::PowerCut => failpoint::through("fs.sync", path, || file.sync_data()),
            Durability::Process => Ok(()),
        });
    if let Err(source) = filled {
        // Half a file must not pass for a whole one, nor keep the next try from making it.
        let _ = remove_file(path);
        return Err(error(source));
    }
    match durability {
        Durability::PowerCut => sync_directory(parent(path)?),
        Durability::Process => Ok(()),
    }
}

/// Gives a file that is being made its mode: the umask may have taken bits away.
fn set_mode(file: &File, path: &Path, mode: u32) -> io::Result<()> {
    failpoint::through("fs.mode", path, || file.set_permissions(fs::Permissions::from_mode(mode)))
}

/// Writes to the end of a file that [`open_append`] opened; `path` is where it is.
pub fn append(file: &mut File, path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    failpoint::through("fs.append", path, || file.write_all(bytes))
        .map_err(FsError::at("write", path))
}

/// Opens a file of mode 0600 for appending, creating it where it is missing; never through a
/// symbolic link.
pub fn open_append(path: &Path) -> Result<File, FsError> {
    let error = |source| FsError::at("open", path)(source);
    let file = open_append_as_it_is(path)?;
    if file.metadata().map_err(error)?.permissions().mode() & 0o777 != 0o600 {
        set_mode(&file, path, 0o600).map_err(error)?;
    }
    Ok(file)
}

/// [`open_append`] of a file that is somebody else's, which keeps the mode that it has.
pub fn open_append_as_it_is(path: &Path) -> Result<File, FsError> {
    let mut options = OpenOptions::new();
    options.append(true).read(true).create(true).mode(0o600);
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    failpoint::through("fs.open", path, || options.open(path)).map_err(FsError::at("open", path))
}

/// Creates a directory of mode 0700, its parents included, whatever the umask; one that is there
/// already stays as it is.
pub fn create_private_directories(path: &Path) -> Result<(), FsError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_private_directories(parent)?;
    }
    let error = |source| FsError::at("create", path)(source);
    let made =
        failpoint::through("fs.mkdir", path, || fs::DirBuilder::new().mode(0o700).create(path));
    match made {
        Ok(()) => {
            let mode = || fs::set_permissions(path, fs::Permissions::from_mode(0o700));
            failpoint::through("fs.mode", path, mode).map_err(error)?;
            sync_directory(parent(path)?)
        }
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(source) => Err(error(source)),
    }
}

/// Creates a directory that is ao's own as [`create_private_directories`] does, where it is not
/// there; a link in its place is refused.
pub fn create_own_directory(path: &Path) -> Result<(), FsError> {
    refuse_link(path)?;
    create_private_directories(path)
}

/// Refuses a symbolic link at `path`, for which [`FsError::is_link`] is true: what is there is
/// ao's own, or nothing.
pub fn refuse_link(path: &Path) -> Result<(), FsError> {
    match metadata(path)?.is_some_and(|found| found.is_symlink()) {
        true => Err(FsError::at("use", path)(rustix::io::Errno::LOOP.into())),
        false => Ok(()),
    }
}

/// Syncs a directory, so that names in it survive a power cut.
pub fn sync_directory(path: &Path) -> Result<(), FsError> {
    let sync = || File::open(path).and_then(|directory| directory.sync_all());
    failpoint::through("fs.sync_directory", path, sync).map_err(FsError::at("sync", path))
}

/// Syncs the content of a file that another program wrote.
pub fn sync_file(path: &Path) -> Result<(), FsError> {
    let sync = || File::open(path).and_then(|file| file.sync_all());
    failpoint::through("fs.sync", path, sync).map_err(FsError::at("sync", path))
}

/// Renames a file or directory.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    failpoint::through("fs.rename", to, || fs::rename(from, to))
        .map_err(FsError::at("rename", from))
}

/// Renames a file or directory; `false` where there is none.
pub fn rename_if_there(from: &Path, to: &Path) -> Result<bool, FsError> {
    match rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if is_absent(&error.source) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a file a second name.
pub fn link(file: &Path, name: &Path) -> Result<(), FsError> {
    failpoint::pass("fs.link").map_err(FsError::at("link", name))?;
    fs::hard_link(file, name).map_err(FsError::at("link", name))
}

/// Makes `link` a symbolic link to `target`, atomically; one that already is stays as it is.
pub fn replace_link(link: &Path, target: &Path) -> Result<(), FsError> {
    if fs::read_link(link).is_ok_and(|current| current == target) {
        return Ok(());
    }
    let name = format!("{}{}", temporary_prefix(), crate::adapter::ids::hex(8));
    let temporary = link.with_file_name(name);
    symlink(target, &temporary)?;
    rename(&temporary, link).inspect_err(|_| {
        let _ = remove_file(&temporary);
    })
}

/// Creates a directory and its parents with the modes the umask gives.
pub fn create_directories(path: &Path) -> Result<(), FsError> {
    failpoint::through("fs.mkdir", path, || fs::create_dir_all(path))
        .map_err(FsError::at("create", path))
}

/// Copies a file with its permissions to a path that must not exist, sharing its blocks where
/// the file system can.
pub fn copy_file(from: &Path, to: &Path) -> Result<(), FsError> {
    let error = |source| FsError::at("copy", from)(source);
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    let mut source = options.open(from).map_err(error)?;
    let permissions = source.metadata().map_err(error)?.permissions();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut copy = failpoint::through("fs.create", to, || options.open(to))
        .map_err(FsError::at("create", to))?;
    let copied =
        failpoint::through("fs.copy", to, || match rustix::fs::ioctl_ficlone(&copy, &source) {
            Ok(()) => Ok(()),
            Err(_) => io::copy(&mut source, &mut copy).map(|_| ()),
        });
    let mode = || copy.set_permissions(permissions.clone());
    let copied = copied.and_then(|()| failpoint::through("fs.mode", to, mode));
    copied.map_err(|source| {
        let _ = remove_file(to);
        error(source)
    })
}

/// Creates at `to` a symbolic link with the same text as the one at `from`.
pub fn copy_link(from: &Path, to: &Path) -> Result<(), FsError> {
    let target = fs::read_link(from).map_err(FsError::at("read", from))?;
    symlink(&target, to)
}

/// Creates a symbolic link at `at` that leads to `target`.
pub fn symlink(target: &Path, at: &Path) -> Result<(), FsError> {
    failpoint::through("fs.link", at, || std::os::unix::fs::symlink(target, at))
        .map_err(FsError::at("link", at))
}

/// Removes a file; one that is not there is a success.
pub fn remove_file(path: &Path) -> Result<(), FsError> {
    match failpoint::through("fs.remove", path, || fs::remove_file(path)) {
        Err(error) if !is_absent(&error) => Err(FsError::at("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes a directory and all in it; links in it are removed, not followed, and what is mounted in
/// it is an error. A path that is a link itself is refused, one that is not there is a success.
pub fn remove_tree(path: &Path) -> Result<(), FsError> {
    failpoint::pass("fs.remove_tree").map_err(FsError::at("remove", path))?;
    remove_tree_until(path, Deadline::after(Duration::MAX)).map(drop)
}

/// [`remove_tree`] until `deadline`; returns whether it is gone.
pub fn remove_tree_until(path: &Path, deadline: Deadline) -> Result<bool, FsError> {
    let error = |source| FsError::at("remove", path)(source);
    match metadata(path)? {
        None => Ok(true),
        Some(metadata) if metadata.is_dir() => {
            let is_empty =
                Directory::open_to_walk(path).and_then(|it| it.empty(deadline)).map_err(error)?;
            if is_empty {
                failpoint::through("fs.remove_directory", path, || fs::remove_dir(path))
                    .map_err(error)?;
            }
            Ok(is_empty)
        }
        Some(metadata) if metadata.is_symlink() => {
            Err(error(io::Error::other("it is a symbolic link where a directory was expected")))
        }
        Some(_) => remove_file(path).map(|()| true),
    }
}

/// Removes an empty directory; one that is not there or not empty is left, and told by `false`.
pub fn remove_empty_directory(path: &Path) -> bool {
    failpoint::through("fs.remove_directory", path, || fs::remove_dir(path)).is_ok()
}

/// Returns the names in a directory, sorted; empty where there is no such directory.
pub fn names(path: &Path) -> Result<Vec<OsString>, FsError> {
    let error = |source| FsError::at("list", path)(source);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(source) if is_absent(&source) => return Ok(Vec::new()),
        Err(source) => return Err(error(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(error)?.file_name());
    }
    names.sort_unstable();
    Ok(names)
}

/// Returns whether there is nothing in a directory, or no such directory, without listing it.
pub fn is_empty(path: &Path) -> Result<bool, FsError> {
    match fs::read_dir(path).map(|mut entries| entries.next().transpose()) {
        Ok(first) => Ok(first.map_err(FsError::at("list", path))?.is_none()),
        Err(error) if is_absent(&error) => Ok(true),
        Err(error) => Err(FsError::at("list", path)(error)),
    }
}

/// Returns what is at `path`, links not followed; `None` where nothing is.
pub fn metadata(path: &Path) -> Result<Option<fs::Metadata>, FsError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(FsError::at("look at", path)(error)),
    }
}

/// Returns when the content was last changed, `None` where the file system does not tell.
pub fn modified(metadata: &fs::Metadata) -> Option<Timestamp> {
    let since = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?))
}

/// Returns the path with every link resolved.
pub fn canonical(path: &Path) -> Result<PathBuf, FsError> {
    path.canonicalize().map_err(FsError::at("resolve", path))
}

/// A part of the path that is no directory means absent as well.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn parent(path: &Path) -> Result<&Path, FsError> {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .ok_or_else(|| FsError::at("write", path)(io::Error::other("it has no parent directory")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_private_and_leaves_no_temporary() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.json");
        for content in ["one", "two"] {
            replace(&path, content.as_bytes(), Durability::PowerCut).unwrap();
            assert_eq!(read_text(&path).unwrap(), content);
        }
        let mode = metadata(&path).unwrap().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(directory.path()).unwrap(), ["record.json"]);
    }

    #[test]
    fn what_is_linked_to_nothing_is_read_as_nothing_and_never_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        symlink(Path::new("/dev/null"), &path).unwrap();
        assert_eq!(read_configured(&path).unwrap(), None);
        assert!(read_optional(&path).is_err());
        for link in ["/dev/zero", "/nothing"] {
            let path = directory.path().join(link.trim_start_matches('/').replace('/', "-"));
            symlink(Path::new(link), &path).unwrap();
            let read = read_configured(&path).ok();
            assert_eq!(read, (link == "/nothing").then_some(None), "{link}");
        }
        create_new(&directory.path().join("long"), b"one two", 0o600, Durability::Process).unwrap();
        let read = |limit| read_beginning(&directory.path().join("long"), limit).unwrap().unwrap();
        assert_eq!(
            (read(3), read(7), read(8)),
            (b"one".into(), b"one two".into(), b"one two".into())
        );
    }

    #[test]
    fn removing_a_tree_never_follows_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (tree, outside) = (directory.path().join("tree"), directory.path().join("outside"));
        create_private_directories(&tree).unwrap();
        create_private_directories(&outside).unwrap();
        create_new(&outside.join("work"), b"x", 0o600, Durability::Process).unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("link")).unwrap();
        std::os::unix::fs::symlink(&outside, directory.path().join("link")).unwrap();

        assert!(remove_tree(&directory.path().join("link")).is_err());
        remove_tree(&tree).unwrap();
        remove_tree(&tree).unwrap();
        assert!(outside.join("work").exists());
    }
}
