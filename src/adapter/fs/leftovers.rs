//! Temporary files that nobody will finish, where they lie beside what is somebody else's.

use std::path::Path;

use crate::adapter::fs::{self, FsError};
use crate::adapter::process;

/// Removes from `directory` the temporary files that this process, or one that is dead, left there;
/// one that cannot be removed stays.
pub fn drop_temporaries(directory: &Path) -> Result<(), FsError> {
    for name in fs::names(directory)? {
        let is_left = |pid| pid == std::process::id() || process::is_over(pid);
        if fs::temporary_owner(&name).is_some_and(is_left) {
            let _ = fs::remove_file(&directory.join(name));
        }
    }
    Ok(())
}
