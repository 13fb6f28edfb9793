//! The answer of `ao metrics`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::Family;

/// What is measured of the home.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MetricsAnswer {
    /// The version of this shape.
    pub schema: u64,
    /// By name; all are gauges.
    pub metrics: Vec<Family>,
}
