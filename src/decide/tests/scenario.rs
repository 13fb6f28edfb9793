//! Replays `fixtures/scenario/*.txt` against the deciders alone.

use std::path::Path;

use serde_json::Value;

use super::{at, observation, record, step, summary};
use crate::decide::enqueue;
use crate::model::facts::Observation;
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::time::Timestamp;

struct Story {
    record: Record,
    policy: Policy,
    now: Timestamp,
    text: String,
}

impl Story {
    fn read(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "=>" => return,
            "" | "#" => {}
            "record" => self.record = record(serde_json::from_str(rest).unwrap()),
            "policy" => self.policy = serde_json::from_str(rest).unwrap(),
            delay => {
                let delay = delay.strip_prefix('+').unwrap_or_else(|| panic!("what is {line}?"));
                self.now = self.now.plus(humantime::parse_duration(delay).unwrap());
                self.text.push_str(line);
                self.text.push('\n');
                self.observe(serde_json::from_str(rest).unwrap());
                return;
            }
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn observe(&mut self, fact: Value) {
        let observation = observation(fact);
        let outcome = step(&self.record, &observation, &self.policy, self.now);
        self.text.push_str(&format!("=> {}\n", summary(&outcome)));
        // A second restore is refused: the session lives.
        if !matches!(observation, Observation::Restore(_)) {
            let again = step(&outcome.after, &observation, &self.policy, self.now);
            assert!(again.is_unchanged(), "twice at once: {}\n{:?}", self.text, again.patch);
        }
        if !outcome.is_unchanged() {
            let revision = outcome.after.revision + 1;
            let written = Record { revision, ..outcome.after };
            self.record = enqueue(&written, &outcome.effects, revision, self.now);
        }
    }
}

/// Returns the scenario with the decisions as they are.
fn replay(scenario: &str) -> String {
    let mut story = Story {
        record: record(serde_json::json!({})),
        policy: Policy::default(),
        now: at(0),
        text: String::new(),
    };
    scenario.lines().for_each(|line| story.read(line));
    story.text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "fixtures are read, and rewritten on request")]
fn every_scenario_decides_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenario");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        let actual = replay(&expected);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &actual).unwrap();
        } else {
            assert!(actual == expected, "{} decides:\n{actual}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 0);
}
