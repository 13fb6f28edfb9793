//! What a repository holds besides worktrees: the branches below a prefix, and locks of git's own.

use std::path::{Path, PathBuf};

use git2::Repository as Library;

use super::{GitError, Repository};
use crate::adapter::fs;
use crate::model::time::Timestamp;

impl Repository {
    /// Returns the local branches whose names begin with `prefix`, sorted.
    pub fn branches(&self, prefix: &str) -> Result<Vec<String>, GitError> {
        let failed = |source| GitError::Library {
            what: "list the branches of",
            repo: self.common_dir.clone(),
            source,
        };
        let library = Library::open(&self.common_dir).map_err(failed)?;
        let references = library.references().map_err(failed)?;
        let mut names = Vec::new();
        for reference in references {
            let reference = reference.map_err(failed)?;
            let name = reference.name().ok().and_then(|name| name.strip_prefix("refs/heads/"));
            names.extend(name.filter(|name| name.starts_with(prefix)).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Returns the locks of git's own in this repository and its worktrees, each with when it was
    /// made. A git that runs holds one for a moment, a git that was killed for ever.
    pub fn git_locks(&self) -> Vec<(PathBuf, Timestamp)> {
        let linked = self.common_dir.join("worktrees");
        let entries = fs::names(&linked).unwrap_or_default();
        let places = entries.into_iter().map(|name| linked.join(name));
        std::iter::once(self.common_dir.clone())
            .chain(places)
            .flat_map(|place| locks_in(&place))
            .collect()
    }
}

fn locks_in(place: &Path) -> Vec<(PathBuf, Timestamp)> {
    ["index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"]
        .into_iter()
        .filter_map(|name| {
            let path = place.join(name);
            let metadata = fs::metadata(&path).ok()??;
            Some((path, fs::modified(&metadata)?))
        })
        .collect()
}
