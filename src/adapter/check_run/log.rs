//! The log of a check: bounded on the disk, its end always there.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::adapter::fs::{self, Durability, FsError};

/// How much of the beginning is kept, in bytes.
const HEAD: u64 = 8 << 20;

/// How much of the end is kept, in bytes; in memory until the check is over.
const TAIL: usize = 2 << 20;

/// A log that is being written. What does not fit is left out of its middle.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: PathBuf,
    written: u64,
    tail: VecDeque<u8>,
    cut: u64,
    /// Why it could not be written.
    pub(super) failure: Option<FsError>,
}

impl Log {
    /// Makes an empty log, the old one being gone.
    pub(super) fn create(path: &Path) -> Result<Self, FsError> {
        fs::replace(path, b"", Durability::Process)?;
        let file = fs::open_append(path)?;
        let path = path.to_owned();
        Ok(Self { file, path, written: 0, tail: VecDeque::new(), cut: 0, failure: None })
    }

    /// Adds what the command wrote.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let room = usize::try_from(HEAD - self.written).unwrap_or(usize::MAX);
        let (head, rest) = bytes.split_at(bytes.len().min(room));
        self.write(head);
        self.written += head.len() as u64;
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.cut += excess as u64;
    }

    /// Writes the end, and a last line of ao's own.
    pub(super) fn finish(&mut self, last: Option<&str>) {
        if self.cut > 0 {
            self.write(format!("\n[ao: {} bytes are left out here]\n", self.cut).as_bytes());
        }
        let tail: Vec<u8> = self.tail.drain(..).collect();
        self.write(&tail);
        if let Some(last) = last {
            self.write(format!("\n[ao: {last}]\n").as_bytes());
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failure.is_none()
            && let Err(error) = fs::append(&mut self.file, &self.path, bytes)
        {
            self.failure = Some(error);
        }
    }
}

/// The end of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Its last lines.
    pub text: String,
    /// How many bytes come before them.
    pub before: u64,
}

/// Returns the last `lines` lines of the log at `path`, `bytes` bytes at most; nothing where there
/// is no log.
pub fn tail(path: &Path, lines: usize, bytes: u64) -> Result<Tail, FsError> {
    let Some(metadata) = fs::metadata(path)? else { return Ok(Tail::default()) };
    let read = fs::read_tail(path, bytes)?;
    let mut end = &read[..];
    let is_cut = metadata.len() > read.len() as u64;
    // A line that is cut in its middle is left out, unless there is no other.
    if let Some(first) = end.iter().position(|byte| *byte == b'\n').filter(|_| is_cut)
        && first + 1 < end.len()
    {
        end = &end[first + 1..];
    }
    let trimmed = end.trim_ascii_end();
    let starts = trimmed.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    if let Some((at, _)) = starts.map(|(at, byte)| (at + 1, byte)).nth(lines.saturating_sub(1)) {
        end = &end[at..];
    }
    let before = metadata.len().saturating_sub(end.len() as u64);
    Ok(Tail { text: String::from_utf8_lossy(end).into_owned(), before })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        fs::read_text(path).unwrap()
    }

    #[test]
    fn a_log_within_its_bounds_is_kept_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("check.log");
        let mut log = Log::create(&path).unwrap();
        log.append(b"one\n");
        log.append(b"two\n");
        assert_eq!(text(&path), "one\ntwo\n");
        log.finish(Some("it took too long"));
        assert_eq!(text(&path), "one\ntwo\n\n[ao: it took too long]\n");
        assert!(Log::create(&path).unwrap().failure.is_none());
        assert_eq!(text(&path), "");
    }

    #[test]
    fn a_full_disk_is_remembered_and_stops_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Log::create(&directory.path().join("check.log")).unwrap();
        log.file = fs::open_append(Path::new("/dev/full")).unwrap();
        log.append(b"one\n");
        log.append(b"two\n");
        log.finish(Some("three"));
        let failure = log.failure.map(|error| error.source.kind());
        assert_eq!(failure, Some(std::io::ErrorKind::StorageFull));
    }

    #[test]
    fn of_a_long_log_both_ends_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("check.log");
        let mut log = Log::create(&path).unwrap();
        log.append(b"the beginning\n");
        let line = [b'x'; 1 << 16];
        for _ in 0..200 {
            log.append(&line);
        }
        log.append(b"\nthe end\n");
        log.finish(None);
        let length = fs::metadata(&path).unwrap().unwrap().len();
        assert!(length <= HEAD + TAIL as u64 + 100, "{length}");
        let all = text(&path);
        assert!(all.starts_with("the beginning\n") && all.ends_with("\nthe end\n"));
        assert!(all.contains("bytes are left out here]\n"));
    }

    #[test]
    fn a_tail_is_whole_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("check.log");
        let tail_of = |content: &str, lines: usize, bytes: u64| {
            fs::replace(&path, content.as_bytes(), Durability::Process).unwrap();
            let tail = tail(&path, lines, bytes).unwrap();
            assert_eq!(tail.before + tail.text.len() as u64, content.len() as u64);
            tail.text
        };
        assert_eq!(tail_of("a\nb\nc\n", 2, 100), "b\nc\n");
        assert_eq!(tail_of("a\nb\nc", 2, 100), "b\nc");
        assert_eq!(tail_of("a\nb\nc\n", 9, 100), "a\nb\nc\n");
        assert_eq!(tail_of("first line\nlast\n", 9, 8), "last\n");
        assert_eq!(tail_of("one line that is long", 9, 4), "long");
        assert_eq!(tail_of("", 9, 4), "");
        fs::remove_file(&path).unwrap();
        assert_eq!(tail(&path, 1, 1).unwrap(), Tail::default());
    }
}
