//! A file that gets one line of JSON for each notice.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::adapter::clock::{self, Deadline};
use crate::adapter::flock;
use crate::adapter::fs::{self, FsError};
use crate::adapter::notify::{Notice, NotifyError, json_line};

pub(super) fn deliver(name: &str, path: &Path, notice: &Notice<'_>) -> Result<(), NotifyError> {
    append(path, json_line(notice))
        .map_err(|source| NotifyError::File { notifier: name.to_owned(), source })
}

/// Appends `line` with one write, which the kernel does not mix with another's even where a
/// writer does not wait for its turn.
fn append(path: &Path, mut line: Vec<u8>) -> Result<(), FsError> {
    if let Some(directory) = path.parent() {
        fs::create_private_directories(directory)?;
    }
    let error = |source| FsError::at("write", path)(source);
    let mut file = fs::open_append_as_it_is(path)?;
    await_turn(&file, path);
    // A full disk may have left half a line; the next one must not continue it.
    if file.seek(SeekFrom::End(-1)).is_ok() {
        let mut last = [0];
        file.read_exact(&mut last).map_err(error)?;
        if last != *b"\n" {
            line.insert(0, b'\n');
        }
    }
    fs::append(&mut file, path, &line)
}

/// Waits for other writers of ours: the end of the file is half a line while one writes.
///
/// Somebody else's lock on a file of the person's delays a notice, but does not suppress it.
fn await_turn(file: &File, path: &Path) {
    const PATIENCE: Duration = Duration::from_secs(2);
    clock::poll_until(Deadline::after(PATIENCE), || {
        flock::lock("notify.turn", path, file, FlockOperation::NonBlockingLockExclusive).ok()
    });
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::adapter::notify::tests::with_notice;

    #[test]
    fn a_file_of_somebody_elses_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &Path| {
            with_notice("web-1", |notice| deliver("log", path, notice).unwrap());
            fs::metadata(path).unwrap().unwrap().permissions().mode() & 0o777
        };
        let (shared, made) = (directory.path().join("shared"), directory.path().join("made"));
        fs::create_new(&shared, b"", 0o664, fs::Durability::Process).unwrap();
        assert_eq!((mode(&shared), mode(&made)), (0o664, 0o600));
    }

    #[test]
    fn twenty_writers_leave_whole_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/notices.jsonl");
        std::thread::scope(|scope| {
            for writer in 0..20 {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..25 {
                        let id = format!("web-1.{writer}.{number}");
                        with_notice(&id, |notice| deliver("log", path, notice).unwrap());
                    }
                });
            }
        });
        let text = fs::read_text(&path).unwrap();
        let ids: std::collections::BTreeSet<String> = text
            .lines()
            .map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                value["id"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!((ids.len(), text.lines().count()), (500, 500));
        let mode = fs::metadata(&path).unwrap().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn half_a_line_is_ended_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notices.jsonl");
        fs::replace(&path, b"{\"id\":", fs::Durability::Process).unwrap();
        with_notice("web-1.1.x", |notice| deliver("log", &path, notice).unwrap());
        let text = fs::read_text(&path).unwrap();
        assert_eq!(text.lines().next(), Some("{\"id\":"));
        assert!(text.lines().nth(1).unwrap().starts_with("{\"id\":\"web-1.1.x\""));
    }

    #[test]
    fn a_link_or_a_directory_in_its_place_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("target"), &link).unwrap();
        for path in [link.as_path(), directory.path()] {
            let error = with_notice("x", |notice| deliver("log", path, notice)).unwrap_err();
            assert_eq!(error.to_string(), "notifier `log` could not write its file");
        }
    }
}
