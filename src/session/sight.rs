//! All live sessions as they are first seen, by a pass or by `ao status`.
//!
//! Each is read once, and tmux is asked as soon as the first turns up that lives there. Where a
//! glance is not enough (see `store::glance`) there is no sight, and the caller loads the session.

use crate::adapter::runtime::{self, EXIT_FILE};
use crate::adapter::threads;
use crate::model::id::SessionId;
use crate::model::record::Record;
use crate::model::time::Timestamp;
use crate::observe::Look;
use crate::store::review::REVIEWS;
use crate::store::{Glances, Home, StoreError, may_hold_leftovers};

/// So many sessions are looked at by two threads: with fewer tmux has not answered before.
pub const MANY: usize = 150;

/// A session at which all was as it should be.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Its record, which is large.
    pub record: Box<Record>,
    /// Its launcher was alive, and nothing said that its agent had ended.
    pub is_held: bool,
    /// It has reviews, or had.
    pub has_reviews: bool,
    /// The second in which a name was last made, replaced or taken away in its directory.
    pub changed: Timestamp,
}

impl Sight {
    /// Returns whether a pass at `now`, after one at `last`, looks for files that dead processes
    /// left beside the record.
    pub fn is_untidy(&self, last: Option<Timestamp>, now: Timestamp) -> bool {
        may_hold_leftovers(self.changed, last, now)
    }
}

/// A session, and what was seen of it at a glance.
pub type Seen = (SessionId, Option<Sight>);

/// Returns the live sessions in the order of their ids, and what was seen of each at a glance.
pub fn all(home: &Home, look: &mut Look) -> Result<Vec<Seen>, StoreError> {
    let ids = home.session_ids()?;
    let asking = |ids: &[SessionId]| glance_at(home, ids, |record| look.include(record));
    Ok(threads::by_two(&ids, MANY, asking, |ids| glance_at(home, ids, |_| {})))
}

/// Glances at sessions one after the other, and has `each` know what lives as it is found.
fn glance_at(home: &Home, ids: &[SessionId], mut each: impl FnMut(&Record)) -> Vec<Seen> {
    let mut glances = home.glances();
    let mut seen = Vec::with_capacity(ids.len());
    for id in ids {
        let sight = glances.as_mut().and_then(|glances| sight(glances, id));
        if let Some(sight) = sight.as_ref().filter(|it| !it.record.lifecycle.is_terminal()) {
            each(&sight.record);
        }
        seen.push((id.clone(), sight));
    }
    seen
}

fn sight(glances: &mut Glances, id: &SessionId) -> Option<Sight> {
    let (glance, (is_held, has_reviews)) = glances.at(id, |directory, glance| {
        let record = &glance.record;
        let may_live = !record.lifecycle.is_terminal() && record.handles.runtime.is_some();
        let is_held = may_live && !directory.has(EXIT_FILE) && runtime::has_launcher(directory);
        (is_held, directory.has(REVIEWS))
    })?;
    Some(Sight { is_held, has_reviews, changed: glance.changed, record: glance.record })
}
