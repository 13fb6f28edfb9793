//! What a decision says, and the two ways in which one is refused.

use serde_json::{Map, Value};

use crate::model::effect::Effect;
use crate::model::lifecycle::SessionState;
use crate::model::record::Record;
use crate::model::status::Status;

/// What one observation means for one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The merge patch from the record to `after`; empty where nothing changes.
    pub patch: Map<String, Value>,
    /// The record with the patch applied.
    pub after: Record,
    /// The display status of the record.
    pub status_before: Status,
    /// The display status of `after`.
    pub status_after: Status,
    /// What was seen, in the decider's own words.
    pub evidence: String,
    /// The table and row that decided: `probe.8`, `activity.held`, `noop.terminal`.
    pub rule: &'static str,
    /// Why, or why nothing changed, as a sentence for people.
    pub reason: String,
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
}

impl Outcome {
    /// Returns whether there is nothing to write.
    pub fn is_unchanged(&self) -> bool {
        self.patch.is_empty() && self.effects.is_empty()
    }
}

/// An outcome that was asked for and makes no sense for the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// A spawn was completed that nobody began.
    #[error("there is no such session: its spawn was never recorded")]
    NeverSeeded,
    /// A restore was asked for while the session still lives.
    #[error("only a session that has ended can be restored; this one is {state}")]
    NotTerminal {
        /// The state it is in.
        state: SessionState,
    },
}

/// What a decider concluded; what it changed is in the record it was given.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) rule: &'static str,
    pub(super) evidence: String,
    pub(super) reason: String,
}

impl Decision {
    pub(super) fn new(
        rule: &'static str,
        evidence: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self { rule, evidence: evidence.into(), reason: reason.into() }
    }

    /// Returns whether the observation was set aside before any table was read.
    pub(super) fn is_noop(&self) -> bool {
        self.rule.starts_with("noop.")
    }
}
