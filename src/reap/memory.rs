//! What a pass leaves for the next look at it: `reap.json` in the home.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::adapter::fs::{self, Durability};
use crate::invocation::World;
use crate::model::time::Timestamp;
use crate::reap::Report;
use crate::store::StoreError;

/// Returns when the last pass began, from `reap.json`.
pub fn last_pass(world: &World) -> Option<Timestamp> {
    Some(last(world)?.0)
}

/// Returns when the last pass began and what it reported, from `reap.json`.
pub fn last_report(world: &World) -> Option<(Timestamp, Value)> {
    let (at, mut value) = last(world)?;
    Some((at, value.get_mut("reap")?.take()))
}

fn last(world: &World) -> Option<(Timestamp, Value)> {
    let bytes = fs::read_own(&path(world)).ok()??;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    Some((value.get("at")?.as_str()?.parse().ok()?, value))
}

pub(super) fn remember(world: &World, at: Timestamp, report: &Report) -> Result<(), StoreError> {
    let value = json!({ "schema": 1, "at": at, "reap": report });
    let mut bytes = serde_json::to_vec_pretty(&value).expect("a report is JSON");
    bytes.push(b'\n');
    Ok(fs::replace(&path(world), &bytes, Durability::Process)?)
}

fn path(world: &World) -> PathBuf {
    world.home.root().join("reap.json")
}
