//! The part of a pass that archives what was cleaned up.

use crate::reap::{Item, Pass};
use crate::session::cleanup;

impl Pass<'_> {
    /// Archives the sessions that a cleanup left for what they had still to say, once that is
    /// told, and those that a killed command left half-way between here and the archive.
    pub(super) fn archive(&mut self) {
        for id in self.ids(cleanup::is_only_to_be_archived) {
            let gone = match cleanup::archive(self.world, &id) {
                Ok(true) => {
                    let what = "archived".to_owned();
                    self.report.cleaned.push(Item { id: id.to_string(), what, why: None });
                    true
                }
                Ok(false) => false,
                Err(error) if error.is_put_away() => true,
                Err(error) => {
                    self.report.fail(&id, "archive", &error);
                    false
                }
            };
            if gone {
                self.records.remove(&id);
            }
        }
    }
}
