//! What was acknowledged was synced: a disk that forgets everything else forgets nothing of it.
//!
//! The failpoints tell what a command wrote, renamed and synced, and in which order. Of that a disk
//! is made that keeps the worst the system allows: of a file what was synced, of a directory the
//! names that were there when it was synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::faulted::{AGENT, Case, Stage};

/// A disk that has only what was synced.
#[derive(Default)]
struct Disk {
    /// Files with content that is not synced.
    dirty: BTreeSet<PathBuf>,
    /// Temporary files that were written and not synced, by what they will be called.
    unfinished: BTreeMap<PathBuf, bool>,
    /// Names that their directory does not have yet.
    unnamed: BTreeSet<PathBuf>,
}

impl Disk {
    /// Does what a line of a trace tells.
    fn pass(&mut self, point: &str, path: &Path) {
        match point {
            "fs.create" => {
                self.unfinished.insert(path.to_owned(), false);
                // Its directory learns of it by the rename, or here where there will be none.
                self.unnamed.insert(path.to_owned());
            }
            "fs.write" => {
                self.unfinished.insert(path.to_owned(), true);
                self.dirty.insert(path.to_owned());
            }
            "fs.sync" | "store.sync" => {
                self.unfinished.insert(path.to_owned(), false);
                self.dirty.remove(path);
            }
            "fs.rename" => {
                if self.unfinished.remove(path) == Some(true) {
                    self.dirty.insert(path.to_owned());
                }
                self.unnamed.insert(path.to_owned());
            }
            "store.write" | "fs.append" => {
                self.dirty.insert(path.to_owned());
            }
            "fs.mkdir" => {
                self.unnamed.insert(path.to_owned());
            }
            "fs.sync_directory" => self.unnamed.retain(|name| name.parent() != Some(path)),
            _ => {}
        }
    }

    /// Returns those of `files` that are not wholly there, with what leads to them.
    fn missing(&self, files: &[PathBuf]) -> Vec<String> {
        let mut missing = Vec::new();
        for file in files {
            if self.dirty.contains(file) {
                missing.push(format!("{}: its content", file.display()));
            }
            for above in file.ancestors().filter(|above| self.unnamed.contains(*above)) {
                missing.push(format!("{}: the name {}", file.display(), above.display()));
            }
        }
        missing
    }
}

/// Returns the files that hold what a command acknowledges.
fn promised(case: &Case<'_>) -> Vec<PathBuf> {
    let directory = case.home.join("sessions").join(&case.id);
    let mut files = ["events.jsonl", "reviews.json", "started.json", "exit.json"]
        .map(|name| directory.join(name))
        .to_vec();
    files.push(case.home.join("projects/app.json"));
    files.retain(|path| path.exists());
    files
}

/// Runs a command and returns what a power cut right after it would have taken away.
fn lost(case: &Case<'_>, args: &[&str]) -> Vec<String> {
    let trace = case.stage.env.path("trace");
    let _ = fs::remove_file(&trace);
    let rule = format!("launch/*=trace:{}", trace.display());
    fs::write(case.home.join("failpoints"), rule).unwrap();
    case.faulted(args, &format!("*=trace:{}", trace.display())).success();
    fs::remove_file(case.home.join("failpoints")).unwrap();
    let mut disk = Disk::default();
    let text = fs::read_to_string(&trace).unwrap();
    let mut passed = BTreeSet::new();
    for (point, path) in text.lines().filter_map(|line| line.split_once('\t')) {
        let point = point.rsplit_once('/').map_or(point, |(_, point)| point);
        disk.pass(point, Path::new(path));
        passed.insert((point, Path::new(path)));
    }
    // Of a trace that calls the log something else, or is of nothing, the disk would lose nothing.
    let log = case.home.join("sessions").join(&case.id).join("events.jsonl");
    for point in ["store.write", "store.sync"] {
        assert!(passed.contains(&(point, &*log)), "{args:?}: {point} of the log is not in {text}");
    }
    disk.missing(&promised(case))
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let stage = Stage::new();
    let case = stage.case();
    let spawn = ["spawn", "--agent", "shell", "--runtime", "process", "--id", "ID", AGENT];
    let none = [""; 0];
    assert_eq!(lost(&case, &spawn), none, "spawn");
    assert_eq!(lost(&case, &["rename", "ID", "called so"]), none, "rename");
    assert_eq!(lost(&case, &["kill", "ID"]), none, "kill");
    assert_eq!(lost(&case, &["restore", "ID"]), none, "restore");
    assert_eq!(lost(&case, &["kill", "ID"]), none, "kill again");
}

#[test]
fn a_disk_that_forgets_is_seen_to_forget() {
    let (log, other) = (Path::new("/h/s/events.jsonl"), Path::new("/h/s"));
    let after = |points: &[(&str, &Path)]| {
        let mut disk = Disk::default();
        points.iter().for_each(|(point, path)| disk.pass(point, path));
        disk.missing(&[log.to_owned()]).len()
    };
    assert_eq!(after(&[("store.write", log)]), 1, "written");
    assert_eq!(after(&[("store.write", log), ("store.sync", log)]), 0, "and synced");
    let replaced = [("fs.create", log), ("fs.write", log), ("fs.sync", log), ("fs.rename", log)];
    assert_eq!(after(&replaced), 1, "its name is not synced");
    assert_eq!(after(&[&replaced[..], &[("fs.sync_directory", other)]].concat()), 0);
    assert_eq!(after(&[("fs.mkdir", other)]), 1, "nor is the directory's own");
}
