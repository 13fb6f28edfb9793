//! The part of a pass that is about reviews.

use crate::invocation::World;
use crate::model::id::{SessionId, short};
use crate::model::record::{Kind, Record};
use crate::model::time::Timestamp;
use crate::reap::{Item, Pass};
use crate::session::review::delivery;
use crate::session::review::tidy::{self, Rest};

pub(super) use crate::session::review::tidy::green;

/// Returns the reviews of a worker that a pass would close; what cannot be looked at is told by
/// the pass itself.
pub(super) fn would_close(
    world: &World,
    id: &SessionId,
    record: &Record,
    now: Timestamp,
) -> Vec<(String, String)> {
    if record.kind != Kind::Worker {
        return Vec::new();
    }
    tidy::would_close(world, id, record, now).unwrap_or_default()
}

impl Pass<'_> {
    /// Closes the reviews that are over, begins those that are due, and ends reviewers that have
    /// nothing left to do.
    pub(super) fn review(&mut self) {
        let now = self.started;
        // Most workers are never reviewed, which was seen when they were read.
        let is_concerned = |id: &SessionId| {
            let runs = || self.world.home.review_runs(id).map_or(true, |runs| !runs.is_empty());
            self.green.contains_key(id) || !self.unreviewed.contains(id) && runs()
        };
        let workers = self.ids(|record| record.kind == Kind::Worker);
        self.reviewed = workers.into_iter().filter(is_concerned).collect();
        for id in self.reviewed.clone() {
            let record = &self.records[&id];
            let closed = if self.unreviewed.contains(&id) {
                Ok(Vec::new())
            } else {
                tidy::close_runs(self.world, &id, record, now)
            };
            let begun = match self.green.get(&id) {
                Some(head) => tidy::review_by_itself(self.world, &id, record, head),
                None => Ok(None),
            };
            let item = |what, why| Item { id: id.to_string(), what, why: Some(why) };
            match closed {
                Ok(closed) => self
                    .report
                    .reviewed
                    .extend(closed.into_iter().map(|(what, why)| item(what, why))),
                Err(error) => self.report.fail(&id, "close its reviews", &error),
            }
            match begun {
                Ok(None) => {}
                Ok(Some(run)) => {
                    let why = format!("{} by {}", short(&run.head_sha), run.reviewer);
                    self.report.reviewed.push(item(format!("{} begun", run.run), why));
                    run.session.iter().for_each(|session| self.load(session));
                    self.unreviewed.remove(&id);
                }
                Err(error) => self.report.fail(&id, "have it reviewed", &error),
            }
            self.settle(&id);
        }
        for id in self.ids(|record| record.kind == Kind::Reviewer) {
            match tidy::retire(self.world, &id, Rest::AsConfigured(now)) {
                Ok(false) => continue,
                Ok(true) => {
                    let why = Some("nothing is left to review".to_owned());
                    let what = "ended".to_owned();
                    self.report.reviewed.push(Item { id: id.to_string(), what, why });
                }
                Err(error) => self.report.fail(&id, "end the reviewer", &error),
            }
            self.load(&id);
        }
    }

    /// Puts what a worker is still to get of its reviews into its outbox, and records what it has.
    fn settle(&mut self, id: &SessionId) {
        if self.unreviewed.contains(id) {
            return;
        }
        match delivery::settle(self.world, id) {
            Ok(false) => {}
            Ok(true) => self.load(id),
            Err(error) => self.report.fail(id, "deliver its reviews", &error),
        }
    }

    /// Records which reviews have arrived.
    pub(super) fn settle_reviews(&mut self) {
        for id in self.reviewed.clone() {
            self.settle(&id);
        }
    }
}
