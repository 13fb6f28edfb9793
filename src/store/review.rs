//! The reviews of one worker, in `reviews.json` beside its record.
//!
//! They are changed under the worker's own session lock and go to the archive with it: no second
//! lock, and no order of locks to keep. Reading takes no lock, as the file is replaced whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapter::failpoint;
use crate::adapter::fs::{self, Durability, FsError};
use crate::model::id::SessionId;
use crate::model::review::{Reviews, Run};
use crate::model::schema;
use crate::store::home::{self, Home};
use crate::store::{LockedSession, StoreError};

/// The file's name in a session's directory.
pub const REVIEWS: &str = "reviews.json";

/// The schema that this version writes.
const SCHEMA: u64 = 1;

/// The largest file that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// How many runs are kept; the oldest that have ended go first.
const MOST_RUNS: usize = 100;

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u64,
    #[serde(flatten)]
    reviews: Reviews,
}

impl Home {
    /// Returns the runs over the branch of `worker`, live or archived, oldest first; none where it
    /// was never reviewed. Takes no lock.
    pub fn review_runs(&self, worker: &SessionId) -> Result<Vec<Run>, StoreError> {
        let directory = self.existing_dir(worker)?;
        let runs = read(&directory)?.runs;
        if !runs.is_empty() {
            return Ok(runs);
        }
        // It may have moved to the archive, or back, between two looks.
        let place = self.existing_dir(worker)?;
        if place == directory { Ok(runs) } else { Ok(read(&place)?.runs) }
    }
}

impl LockedSession {
    /// Returns the reviews of this worker.
    pub fn reviews(&self) -> Result<Reviews, StoreError> {
        read(self.dir())
    }

    /// Replaces the reviews of this worker.
    pub fn store_reviews(&self, reviews: &Reviews) -> Result<(), StoreError> {
        self.require_writable()?;
        let path = self.dir().join(REVIEWS);
        let mut reviews = reviews.clone();
        while reviews.runs.len() > MOST_RUNS {
            let Some(oldest) = reviews.runs.iter().position(|run| !run.is_running()) else { break };
            reviews.runs.remove(oldest);
        }
        let stored = Stored { schema: SCHEMA, reviews };
        let mut bytes = serde_json::to_vec_pretty(&stored).expect("reviews are JSON");
        bytes.push(b'\n');
        failpoint::pass_at("reviews.replace", &path).map_err(FsError::at("write", &path))?;
        fs::replace(&path, &bytes, Durability::PowerCut)?;
        failpoint::pass_at("reviews.replaced", &path).map_err(FsError::at("write", &path))?;
        Ok(())
    }
}

fn read(directory: &Path) -> Result<Reviews, StoreError> {
    let path: PathBuf = directory.join(REVIEWS);
    let Some(bytes) = home::read_ours(&path, LIMIT)? else { return Ok(Reviews::default()) };
    if let Some(schema) = schema::newer(&bytes, SCHEMA) {
        return Err(StoreError::NewerFile { path, schema });
    }
    match serde_json::from_slice::<Stored>(&bytes) {
        Ok(stored) => Ok(stored.reviews),
        Err(error) => Err(StoreError::Damaged { path, line: None, why: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::model::record::Record;
    use crate::model::review::RunState;
    use crate::model::time::Timestamp;

    const SOON: Duration = Duration::from_secs(5);

    fn home() -> (tempfile::TempDir, Home, SessionId) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        let id: SessionId = "web-1".parse().unwrap();
        let record = Record { id: Some(id.clone()), ..Record::default() };
        home.create_session(&record, "test", Timestamp::from_millis(0)).unwrap();
        (directory, home, id)
    }

    fn run(name: String, state: RunState) -> Run {
        serde_json::from_value(serde_json::json!({
            "run": name, "worker": "web-1", "reviewer": "codex", "head_sha": "a",
            "state": state, "created_at": "2026-11-20T10:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn what_is_stored_is_read_again_and_goes_to_the_archive() {
        let (_directory, home, id) = home();
        assert_eq!(home.review_runs(&id).unwrap(), []);
        let locked = home.lock_session(&id, SOON).unwrap();
        let mut reviews = locked.reviews().unwrap();
        let name = reviews.next_name(&id);
        reviews.runs.push(run(name, RunState::Running));
        locked.store_reviews(&reviews).unwrap();
        assert_eq!(locked.reviews().unwrap(), reviews);
        let file = fs::metadata(&home.session_dir(&id).join(REVIEWS)).unwrap().unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        locked.archive().unwrap();
        assert_eq!(home.review_runs(&id).unwrap(), reviews.runs);
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let (_directory, home, id) = home();
        let path = home.session_dir(&id).join(REVIEWS);
        for bad in ["", "[]", "{\"schema\":1", "{\"schema\":1,\"last\":\"\"}"] {
            fs::replace(&path, bad.as_bytes(), Durability::Process).unwrap();
            let error = home.review_runs(&id).unwrap_err();
            assert!(matches!(&error, StoreError::Damaged { path: it, .. } if *it == path), "{bad}");
            assert!(home.load(&id).is_ok());
            assert_eq!(fs::read_text(&path).unwrap(), bad);
        }
        for newer in ["{\"schema\":2,\"last\":0,\"runs\":[]}", "{\"schema\":2,\"rounds\":{}}"] {
            fs::replace(&path, newer.as_bytes(), Durability::Process).unwrap();
            let error = home.review_runs(&id).unwrap_err();
            assert!(matches!(error, StoreError::NewerFile { schema: 2, .. }), "{newer}: {error}");
        }
        assert!(matches!(
            home.review_runs(&"web-2".parse().unwrap()),
            Err(StoreError::NotFound { .. })
        ));
    }

    #[test]
    fn the_oldest_ended_runs_go_first_and_their_names_are_not_given_again() {
        let (_directory, home, id) = home();
        let locked = home.lock_session(&id, SOON).unwrap();
        let mut reviews = Reviews::default();
        for number in 0..=MOST_RUNS {
            let state = if number == 0 { RunState::Running } else { RunState::Failed };
            let name = reviews.next_name(&id);
            reviews.runs.push(run(name, state));
        }
        locked.store_reviews(&reviews).unwrap();
        let mut kept = locked.reviews().unwrap();
        assert_eq!(kept.runs.len(), MOST_RUNS);
        assert_eq!(
            (kept.runs[0].run.as_str(), kept.runs[1].run.as_str()),
            ("web-1-r1", "web-1-r3")
        );
        assert_eq!(kept.next_name(&id), format!("web-1-r{}", MOST_RUNS + 2));
    }
}
