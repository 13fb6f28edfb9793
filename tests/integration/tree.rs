//! What a directory tree holds, to be compared before and after.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Every path below a directory with its kind, mode and content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, String>);

impl Tree {
    /// Returns what is below `root`; nothing where it does not exist.
    pub(crate) fn of(root: &Path) -> Self {
        let mut entries = BTreeMap::new();
        collect(root, root, &mut entries);
        Self(entries)
    }

    /// Returns what was added, taken away or changed since `self` was taken.
    pub(crate) fn changes(&self, root: &Path) -> Vec<String> {
        let after = Self::of(root);
        let added = after.0.keys().filter(|path| !self.0.contains_key(*path));
        let mut all: Vec<String> = added.map(|path| format!("added {}", path.display())).collect();
        for (path, entry) in &self.0 {
            match after.0.get(path) {
                None => all.push(format!("removed {}", path.display())),
                Some(other) if other != entry => {
                    all.push(format!("changed {}: {entry:?} -> {other:?}", path.display()));
                }
                Some(_) => {}
            }
        }
        all
    }
}

fn collect(root: &Path, directory: &Path, entries: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let mode = metadata.permissions().mode();
        let kind = metadata.file_type();
        // A lock file stays and says who held it last.
        let is_lock = path.to_string_lossy().ends_with("lock");
        let content = if is_lock {
            "a lock".to_owned()
        } else if kind.is_symlink() {
            fs::read_link(&path).unwrap_or_default().display().to_string()
        } else if kind.is_file() {
            String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned()
        } else if kind.is_socket() {
            "a socket".to_owned()
        } else {
            String::new()
        };
        let relative = path.strip_prefix(root).expect("it is below").to_owned();
        entries.insert(relative, format!("{mode:o} {content}"));
        if kind.is_dir() {
            collect(root, &path, entries);
        }
    }
}
