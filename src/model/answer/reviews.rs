//! Answers about reviews.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Failed;
use crate::review::{Run, RunState, Verdict};

/// One review: `review trigger`, `review submit`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReviewAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The review.
    pub review: ReviewShown,
}

/// A review, and what the command has to say about it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReviewShown {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// After `trigger`: it was begun; false for one that this head has already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
    /// After `submit`: the same was handed in before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<bool>,
}

/// Several reviews, oldest first: `review ls`, `review cancel`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReviewsAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// The runs.
    pub reviews: Vec<Run>,
    /// Those for which it did not work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
}

/// A review as the session it is about shows it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReviewBrief {
    /// Its name.
    pub run: String,
    /// The reviewer's card.
    pub reviewer: String,
    /// The reviewed commit.
    pub head_sha: String,
    /// How far it is.
    pub state: RunState,
    /// What it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

impl From<&Run> for ReviewBrief {
    fn from(run: &Run) -> Self {
        Self {
            run: run.run.clone(),
            reviewer: run.reviewer.clone(),
            head_sha: run.head_sha.clone(),
            state: run.state,
            verdict: run.verdict,
        }
    }
}
