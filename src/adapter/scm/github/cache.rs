//! What is remembered of a repository between two looks: one file, safe to delete.
//!
//! It holds what GitHub answered and the guards' marks of it, so that a look at which nothing
//! changed costs two requests that GitHub does not count. A file of another layout, of another
//! account or of another repository counts as none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::parse::Pull;
use crate::adapter::fs::{self, Durability};
use crate::model::time::Timestamp;

/// The layout of the file; another one is not read.
const VERSION: u32 = 1;

/// The longest file that is read.
const LIMIT: u64 = 64 << 20;

/// The most pull requests that are remembered of a repository.
const MOST: usize = 2000;

/// One repository, as it was seen last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cache {
    version: u32,
    /// What it is of: repository and accounts.
    key: String,
    /// The repository's name where it was renamed: `owner/name`.
    pub(super) renamed: Option<String>,
    /// The mark of the list of pull requests, and when it was read whole.
    pub(super) list: Option<Mark>,
    /// Everything updated after that was listed.
    pub(super) listed_from: Option<Timestamp>,
    /// The latest update that was listed.
    pub(super) newest: Option<Timestamp>,
    /// The mark of the list of workflow runs.
    pub(super) runs: Option<Mark>,
    /// Until when workflow runs are not asked for, because this token may not see them.
    pub(super) blind_until: Option<Timestamp>,
    /// The pull requests of the own accounts, and those that were claimed, by number.
    pub(super) listed: BTreeMap<u64, Listed>,
    /// What was fetched whole, by number.
    pub(super) seen: BTreeMap<u64, Seen>,
    /// What the runs of a head looked like, by its commit.
    pub(super) heads: BTreeMap<String, String>,
}

/// The version of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) etag: String,
    pub(super) read_at: Timestamp,
}

/// A pull request, as the list has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    /// Its id in GraphQL.
    pub(super) node: String,
    pub(super) number: u64,
    pub(super) branch: String,
    /// `owner/name`; absent where the fork is gone.
    pub(super) head_repository: Option<String>,
    pub(super) base_repository: String,
    pub(super) author: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) open: bool,
    /// It belongs to a session by its number, whoever opened it.
    pub(super) claimed: bool,
}

/// A pull request, as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) fetched_at: Timestamp,
    /// When this head was seen first.
    pub(super) head_at: Timestamp,
    pub(super) pulse: String,
    pub(super) pull: Pull,
    /// The last lines of failing checks, by the id of the run.
    pub(super) logs: BTreeMap<String, String>,
}

impl Cache {
    /// Reads what is at `path` of `key`.
    pub(super) fn load(path: Option<&Path>, key: &str) -> Self {
        let read = || {
            let bytes = fs::read_regular(path?, LIMIT).ok()??;
            serde_json::from_slice::<Self>(&bytes).ok()
        };
        let own = |cache: &Self| cache.version == VERSION && cache.key == key;
        let empty = || Self { version: VERSION, key: key.to_owned(), ..Self::default() };
        read().filter(own).unwrap_or_else(empty)
    }

    /// Writes it; whoever cannot goes on without, and asks again.
    pub(super) fn store(&mut self, path: Option<&Path>) {
        let Some((path, directory)) = path.and_then(|path| Some((path, path.parent()?))) else {
            return;
        };
        self.forget();
        let bytes = serde_json::to_vec(self).expect("a cache is JSON");
        let _ = fs::create_private_directories(directory)
            .and_then(|()| fs::replace(path, &bytes, Durability::Process));
    }

    /// Drops what is too much, the longest untouched first.
    fn forget(&mut self) {
        if self.listed.len() > MOST {
            let mut ages: Vec<_> =
                self.listed.values().map(|it| (it.updated_at, it.number)).collect();
            ages.sort_unstable();
            for (_, number) in &ages[..ages.len() - MOST] {
                self.listed.remove(number);
            }
        }
        let listed = &self.listed;
        self.seen.retain(|number, _| listed.contains_key(number));
        let heads: Vec<_> = self.seen.values().map(|seen| &seen.pull.head_sha).collect();
        self.heads.retain(|head, _| heads.contains(&head));
    }
}

/// Returns where a repository's file is.
pub(super) fn path(directory: &Path, owner: &str, name: &str) -> PathBuf {
    // Names differ in more than their case nowhere; `~` is in none of them.
    let name = format!("{}~{}.json", owner.to_lowercase(), name.to_lowercase());
    directory.join("repositories").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_anything_else_counts_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(directory.path(), "Me", "App");
        let mut cache = Cache::load(Some(&path), "me/app as me");
        cache.renamed = Some("me/new".to_owned());
        cache.store(Some(&path));
        assert_eq!(Cache::load(Some(&path), "me/app as me"), cache);
        assert_eq!(Cache::load(Some(&path), "me/app as you").renamed, None);
        let mode = fs::metadata(&path).unwrap().unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o600);
        for garbage in ["", "{", "[]", r#"{"version":9,"key":"me/app as me"}"#] {
            fs::replace(&path, garbage.as_bytes(), Durability::Process).unwrap();
            assert_eq!(Cache::load(Some(&path), "me/app as me").renamed, None, "{garbage}");
        }
        assert_eq!(path.file_name().unwrap(), "me~app.json");
    }
}
