//! What a pass leaves for the next look at it: `reap.json` in the home.

use serde_json::{Value, json};

use crate::adapter::fs::{self, Durability};
use crate::invocation::World;
use crate::model::time::Timestamp;
use crate::reap::Report;
use crate::store::StoreError;

/// Returns when the last pass began, from `reap.json`.
pub fn last_pass(world: &World) -> Option<Timestamp> {
    let bytes = fs::read_own(&world.home.root().join("reap.json")).ok()??;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value.get("at")?.as_str()?.parse().ok()
}

pub(super) fn remember(world: &World, at: Timestamp, report: &Report) -> Result<(), StoreError> {
    let value = json!({ "schema": 1, "at": at, "reap": report });
    let mut bytes = serde_json::to_vec_pretty(&value).expect("a report is JSON");
    bytes.push(b'\n');
    let path = world.home.root().join("reap.json");
    Ok(fs::replace(&path, &bytes, Durability::Process)?)
}
