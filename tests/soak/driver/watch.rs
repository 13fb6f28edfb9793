//! Looks at the sessions all the time, from their files and processes alone.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use ao::adapter::clock;
use serde_json::Value;

use super::Soak;
use super::world::{self, World};

/// A session as its record tells of it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) terminal: bool,
    /// It has no tmux.
    pub(crate) process: bool,
    pub(crate) launch: String,
    pub(crate) reason: String,
    pub(crate) state: String,
    pub(crate) intent: bool,
    pub(crate) record: Value,
}

/// Returns every session that is not archived, by id.
pub(crate) fn look(world: &World) -> Vec<Seen> {
    let mut all: Vec<Seen> = fs::read_dir(world.path("home/sessions"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| world::json(&entry.path().join("session.json")))
        .map(seen)
        .collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

fn seen(record: Value) -> Seen {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let session = &record["lifecycle"]["session"];
    let state = text(&session["state"]);
    Seen {
        id: text(&record["id"]),
        terminal: matches!(&*state, "done" | "terminated"),
        process: record["handles"]["runtime"]["kind"] == "process",
        launch: text(&record["handles"]["launch"]),
        reason: text(&session["reason"]),
        state,
        intent: record
            .get("intent")
            .is_some_and(|it| it.as_object().is_some_and(|o| !o.is_empty())),
        record,
    }
}

/// Returns the agent of the session's launch, where it lives.
pub(crate) fn agent(world: &World, seen: &Seen) -> Option<u32> {
    let started = world::json(&world.path("home/sessions").join(&seen.id).join("started.json"))?;
    if started["launch"].as_str() != Some(&seen.launch) {
        return None;
    }
    let pid = u32::try_from(started["agent_pid"].as_u64()?).ok()?;
    let lives = world::stat(pid).is_some_and(|(state, _, _)| state != 'Z')
        && world::has_variable(pid, &format!("AO_LAUNCH={}", seen.launch));
    lives.then_some(pid)
}

/// Returns whether the probe, and nobody else, has said that the session is dead.
fn is_declared_dead(seen: &Seen) -> bool {
    seen.terminal && matches!(&*seen.reason, "runtime_lost" | "agent_process_exited")
}

/// Looks until time is up; whoever is declared dead twice while the agent lives is noted.
pub(crate) fn watch(soak: &Soak) {
    let mut suspects: BTreeSet<String> = BTreeSet::new();
    while !soak.is_over() {
        soak.look();
        let alive_and_dead =
            |seen: &&Seen| is_declared_dead(seen) && agent(&soak.world, seen).is_some();
        let found: BTreeSet<String> = soak
            .seen()
            .iter()
            .filter(alive_and_dead)
            .map(|seen| format!("{} (launch {})", seen.id, seen.launch))
            .collect();
        for id in found.intersection(&suspects) {
            let what = format!("{id} was declared dead while its agent lived");
            let mut ledger = soak.ledger();
            if !ledger.wrong.contains(&what) {
                ledger.wrong.push(what);
            }
        }
        suspects = found;
        clock::pause(Duration::from_millis(700));
    }
}
