//! What a listing shows of many sessions, read without building their whole records.
//!
//! A summary comes from `session.json` alone where the end of the log proves that this is all
//! there is: its last line is whole, and numbered as the record's revision. Whatever is not so
//! plain (a record behind its log, a torn line, another version's record, a link) is told as
//! [`Home::load`] tells it. Fields that a summary does not hold are not checked.

use crate::adapter::fs::directory::Directory;
use crate::adapter::threads;
use crate::model::id::SessionId;
use crate::model::summary::Summary;
use crate::store::glance::Reader;
use crate::store::{Home, StoreError, home};

/// The number of sessions from which a second thread saves more than its start costs.
const TWO_THREADS_FROM: usize = 64;

/// One session's summary, which is large, or why there is none.
pub type Told = Result<Box<Summary>, (SessionId, StoreError)>;

impl Home {
    /// Returns a summary of every session, sorted by id, archived ones last where asked for. A
    /// session that cannot be read is told beside its id and hides no other.
    pub fn summaries(&self, include_archived: bool) -> Result<Vec<Told>, StoreError> {
        let mut all = self.summaries_of("sessions", &self.session_ids()?);
        if include_archived {
            all.extend(self.summaries_of("archive", &self.archived_ids()?));
        }
        Ok(all)
    }

    fn summaries_of(&self, place: &'static str, ids: &[SessionId]) -> Vec<Told> {
        let read = |ids: &[SessionId]| self.summaries_in_turn(place, ids);
        threads::by_two(ids, TWO_THREADS_FROM, read, read)
    }

    fn summaries_in_turn(&self, place: &'static str, ids: &[SessionId]) -> Vec<Told> {
        // What cannot be opened is told by whoever looks at a session in it.
        let parent = Directory::open(&self.root().join(place)).ok();
        let mut reader = Reader::new();
        let mut one = |id: &SessionId| {
            let parent = parent.as_ref();
            match parent.and_then(|parent| quick(parent, id, place == "archive", &mut reader)) {
                Some(summary) => Ok(summary),
                None => match self.load(id) {
                    Ok(loaded) => Ok(Summary::of(id, &loaded.record, loaded.archived)),
                    Err(error) => Err((id.clone(), error)),
                },
            }
        };
        ids.iter().map(&mut one).collect()
    }
}

/// Reads the record alone; `None` where all is not as plain as it should be.
fn quick(
    parent: &Directory,
    id: &SessionId,
    archived: bool,
    reader: &mut Reader,
) -> Option<Box<Summary>> {
    parent.stat_of(id.as_str()).ok().filter(home::is_ours_alone)?;
    // Opened through the session's directory, which is cheaper than opening that as well.
    let summary = Summary::parse(reader.record_of(parent, id)?, archived).ok()??;
    let is_its = summary.id == *id && summary.revision > 0;
    (is_its && reader.is_last_of(parent, id, summary.revision)).then_some(summary)
}
