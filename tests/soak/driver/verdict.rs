//! What was found in the end.

use super::Counts;

/// Everything that should not be, and figures about what may be.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Acknowledged and not there.
    pub(crate) lost: Vec<String>,
    /// Done more than once.
    pub(crate) double: Vec<String>,
    /// There, and nobody's.
    pub(crate) orphans: Vec<String>,
    /// Anything else that is wrong.
    pub(crate) wrong: Vec<String>,
    /// What was looked at, and how much of it.
    pub(crate) checked: Counts,
    /// What may be, and how often it was.
    pub(crate) allowed: Counts,
}

impl Verdict {
    /// Returns whether nothing is to be mended.
    pub(crate) fn is_clean(&self) -> bool {
        let all = [&self.lost, &self.double, &self.orphans, &self.wrong];
        all.iter().all(|list| list.is_empty())
    }

    /// Counts something that was looked at.
    pub(crate) fn check(&mut self, what: &str) {
        *self.checked.entry(what.to_owned()).or_default() += 1;
    }

    /// Counts something that may be.
    pub(crate) fn allow(&mut self, what: &str) {
        *self.allowed.entry(what.to_owned()).or_default() += 1;
    }
}
