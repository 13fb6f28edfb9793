//! The repository itself as a forge: the branch is the pull request.
//!
//! What a look found is remembered by branch tip and target below the cache directory, so that a
//! branch that stands still costs two looks at refs. Losing the memory costs time only.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::git::{self, BranchLook, BranchQuery, GitError, Opened};
use crate::model::forge::Subject;
use crate::model::lifecycle::PrState;

/// The largest memory that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// What is remembered of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What the last looks found.
    pub looks: Vec<BranchLook>,
    /// The approval that a person was told is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
}

/// The place of a repository's memory, and what was in it.
#[derive(Clone, Debug)]
pub struct Notebook {
    path: Option<PathBuf>,
    was: Memory,
    /// What is remembered.
    pub memory: Memory,
}

impl Notebook {
    /// Opens the memory of `repository` below `cache`; what cannot be read is as good as empty.
    pub fn open(cache: Option<&Path>, repository: &Path) -> Self {
        let name = Sha256::digest(repository.as_os_str().as_bytes());
        let name: String = name.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let path = cache.map(|cache| cache.join("branches").join(format!("{name}.json")));
        let bytes = path.as_deref().and_then(|path| fs::read_regular(path, LIMIT).ok().flatten());
        let was: Memory =
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, memory: was.clone(), was }
    }

    /// Writes the memory where it changed.
    pub fn close(self) -> Result<(), FsError> {
        let Some(path) = self.path.filter(|_| self.memory != self.was) else { return Ok(()) };
        if let Some(parent) = path.parent() {
            fs::create_private_directories(parent)?;
        }
        let mut bytes = serde_json::to_vec(&self.memory).expect("a memory is JSON");
        bytes.push(b'\n');
        fs::replace(&path, &bytes, Durability::Process)
    }
}

/// Looks at the branches of all `subjects` of one repository: one answer each, in their order.
pub fn look(
    opened: Opened,
    subjects: &[Subject],
    memory: &mut Memory,
) -> Result<Vec<Result<BranchLook, GitError>>, GitError> {
    let repository = opened.repository()?;
    let queries: Vec<BranchQuery<'_>> =
        subjects.iter().map(|subject| query(subject, false)).collect();
    let looks = git::look_knowing(&repository, opened, &queries, &memory.looks);
    let lasting = looks.iter().flatten().filter(|look| look.is_lasting());
    memory.looks = lasting.cloned().collect();
    Ok(looks)
}

/// Returns what git is asked of a session's branch. Its head counts as seen where it was open, and
/// where it was merged if `merged_counts`.
pub fn query(subject: &Subject, merged_counts: bool) -> BranchQuery<'_> {
    let was_open = match subject.state {
        PrState::Open | PrState::Draft => true,
        PrState::Merged => merged_counts,
        PrState::None | PrState::Closed => false,
    };
    BranchQuery {
        branch: &subject.branch,
        base_ref: subject.base_ref.as_deref(),
        base_sha: subject.base_sha.as_deref(),
        seen_head: subject.head_sha.as_deref().filter(|_| was_open),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_written_where_it_changed_only() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, repository) = (directory.path().join("cache"), Path::new("/srv/app"));
        Notebook::open(Some(&cache), repository).close().unwrap();
        assert!(!cache.exists());
        let mut notebook = Notebook::open(Some(&cache), repository);
        notebook.memory.told = Some("abc".to_owned());
        notebook.close().unwrap();
        let names = fs::names(&cache.join("branches")).unwrap();
        assert_eq!(names.len(), 1);
        let again = Notebook::open(Some(&cache), repository);
        assert_eq!(again.memory.told.as_deref(), Some("abc"));
        assert_eq!(Notebook::open(Some(&cache), Path::new("/srv/b")).memory, Memory::default());
        let path = cache.join("branches").join(&names[0]);
        fs::replace(&path, b"{ torn", Durability::Process).unwrap();
        assert_eq!(Notebook::open(Some(&cache), repository).memory, Memory::default());
        Notebook::open(None, repository).close().unwrap();
    }
}
