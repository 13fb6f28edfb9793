//! The event logs, read without `ao`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::ledger::Ledger;
use super::world::World;

/// What stands in one session's log.
#[derive(Debug)]
pub(crate) struct Story {
    /// Oldest first; the snapshot that a rotated log begins with is none of them.
    pub(crate) events: Vec<Value>,
    /// What came before is no longer there.
    pub(crate) is_cut: bool,
    /// The launch, and whether it was over, from an uptime on.
    pub(crate) phases: Vec<Phase>,
}

/// How a session stood from one of its events on.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) seq: u64,
    pub(crate) from: f64,
    pub(crate) launch: String,
    pub(crate) terminal: bool,
    /// When the hook began that said so, where one did.
    pub(crate) hook_began: Option<f64>,
}

impl Story {
    fn new(lines: Vec<Value>, ledger: &Ledger, boot: f64) -> Self {
        let is_cut = lines.first().is_some_and(|line| line["seq"].as_u64() != Some(1));
        let is_event = |line: &Value| line.get("patch").is_some();
        let events: Vec<Value> = lines.into_iter().filter(is_event).collect();
        let mut phases = Vec::new();
        let (mut launch, mut terminal) = (String::new(), false);
        for event in &events {
            let patch = &event["patch"];
            if let Some(new) = patch["handles"]["launch"].as_str() {
                new.clone_into(&mut launch);
            }
            if let Some(state) = patch["lifecycle"]["session"]["state"].as_str() {
                terminal = matches!(state, "done" | "terminated");
            }
            let uptime = |at: &Value| {
                let at = at.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok())?;
                ledger.uptime_of(at.as_millisecond(), boot)
            };
            let from = uptime(&event["at"]);
            let is_hook = event["cause"] == "hook";
            let hook_began = uptime(&event["observation"]["observed_at"]).filter(|_| is_hook);
            let seq = event["seq"].as_u64().unwrap_or_default();
            let from = from.unwrap_or_default();
            phases.push(Phase { seq, from, launch: launch.clone(), terminal, hook_began });
        }
        Self { events, is_cut, phases }
    }

    /// Returns the number of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.phases.last().map_or(0, |phase| phase.seq)
    }

    /// Returns how many events hold `text` as a whole string in what they changed.
    pub(crate) fn changes_to(&self, text: &str) -> usize {
        let quoted = format!("\"{text}\"");
        self.events.iter().filter(|event| event["patch"].to_string().contains(&quoted)).count()
    }

    /// Returns whether somebody else than a hook told what the agent does, between the two.
    pub(crate) fn heard_between(&self, from: f64, to: f64) -> bool {
        self.events.iter().zip(&self.phases).any(|(event, phase)| {
            let is_said = event["observation"]["kind"] == "activity" && event["cause"] != "hook";
            is_said && phase.from >= from - 0.1 && phase.from <= to + 0.1
        })
    }

    /// Returns whether a hook that began after `from` was heard before `to`: the signal of one that
    /// began at `from` is older, and says nothing.
    pub(crate) fn heard_a_later_hook(&self, from: f64, to: f64) -> bool {
        /// Seconds by which the two clocks may differ.
        const OFF: f64 = 0.05;
        self.phases.iter().any(|phase| {
            let began = phase.hook_began.is_some_and(|began| began >= from - OFF);
            began && phase.from <= to + OFF
        })
    }

    /// Returns the events of the seconds around it, in short.
    pub(crate) fn around(&self, from: f64, to: f64) -> Vec<String> {
        let near = self.events.iter().zip(&self.phases);
        let near = near.filter(|(_, phase)| phase.from >= from - 3.0 && phase.from <= to + 3.0);
        near.map(|(event, phase)| {
            let word = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
            format!("{} {:.2} {} {}", phase.seq, phase.from, word("cause"), word("rule"))
        })
        .collect()
    }

    /// Returns whether, at any moment between the two, the session was over or had another launch.
    pub(crate) fn was_elsewhere(&self, launch: &str, from: f64, to: f64) -> bool {
        /// Seconds between an event's time and its commit, on a busy machine.
        const LATE: f64 = 2.0;
        self.phases.iter().enumerate().any(|(index, phase)| {
            let until = self.phases.get(index + 1).map_or(f64::INFINITY, |next| next.from);
            let overlaps = phase.from - LATE <= to && from <= until + LATE;
            overlaps && (phase.terminal || phase.launch != launch)
        })
    }
}

/// Reads every log, archived ones included.
pub(crate) fn read(world: &World, ledger: &Ledger) -> BTreeMap<String, Story> {
    let mut all = BTreeMap::new();
    for place in ["sessions", "archive"] {
        for entry in fs::read_dir(world.path("home").join(place)).into_iter().flatten().flatten() {
            let text = ["events.1.jsonl", "events.jsonl"].map(|name| {
                let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            });
            let lines = text.iter().flat_map(|text| text.lines());
            let lines = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
            let id = entry.file_name().to_string_lossy().into_owned();
            all.insert(id, Story::new(lines, ledger, world.boot));
        }
    }
    all
}
