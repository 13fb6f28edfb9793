//! Where programs are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Returns where a program is found in `path`, of which absolute entries alone count.
pub fn find(name: impl AsRef<Path>, path: &OsStr) -> Option<PathBuf> {
    // An empty or relative entry means another file in each directory.
    let directories = std::env::split_paths(path).filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(&name)).find(|place| is_executable(place))
}

/// Returns whether `path` is a file that this process may run, or a link to one.
pub fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::fs::{self, Durability};

    #[test]
    fn a_program_is_found_where_it_may_be_run() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (name, mode) in [("text", 0o644), ("tool", 0o755)] {
            fs::create_new(&at(name), b"", mode, Durability::Process).unwrap();
        }
        fs::create_private_directories(&at("folder")).unwrap();
        fs::symlink(&at("tool"), &at("link")).unwrap();
        fs::symlink(&at("nothing"), &at("dangling")).unwrap();
        let path = std::env::join_paths([Path::new("relative"), directory.path()]).unwrap();
        for name in ["tool", "link"] {
            assert_eq!(find(name, &path), Some(at(name)));
        }
        for name in ["text", "folder", "dangling", "nothing"] {
            assert_eq!(find(name, &path), None, "{name}");
        }
        assert_eq!(find("tool", OsStr::new("relative:")), None);
    }
}
