//! The probe's table, every combination, and the quarantine's numbers.

use serde_json::json;

use super::{at, at_millis, axis, record, see, step};
use crate::decide::storm;
use crate::model::facts::{Liveness, Observation, RuntimeFact};
use crate::model::policy::Policy;
use crate::model::record::Record;

fn fact(runtime: Liveness, process: Liveness) -> RuntimeFact {
    RuntimeFact {
        observed_at: None,
        runtime,
        process,
        confirmed: false,
        exit_code: None,
        launch: None,
    }
}

/// Interactive and one-shot, heard of lately and not.
fn subjects() -> Vec<Record> {
    let mut subjects = Vec::new();
    for mode in ["interactive", "one_shot"] {
        for heard in [at(40), at(39)] {
            subjects.push(record(json!({
                "mode": mode, "lifecycle": {"activity": {"last_activity_at": heard}}
            })));
        }
    }
    subjects
}

#[test]
fn every_row_of_the_probe_table() {
    let mut table = String::from(
        "runtime       process       certain   | interactive: recent, quiet | one_shot: recent, quiet\n",
    );
    for &runtime in Liveness::ALL {
        for &process in Liveness::ALL {
            for (certain, confirmed, exit_code) in [
                ("", false, None),
                ("confirmed", true, None),
                ("0", false, Some(0)),
                ("3", false, Some(3)),
            ] {
                // What is certain is the death of the process, so nothing else may change.
                let fact = RuntimeFact { confirmed, exit_code, ..fact(runtime, process) };
                let cells: Vec<String> = subjects()
                    .iter()
                    .map(|subject| {
                        let observation = Observation::Runtime(fact.clone());
                        let outcome = step(subject, &observation, &Policy::default(), at(100));
                        format!("{} {}", outcome.rule, axis(&outcome))
                    })
                    .collect();
                let row = if cells.iter().all(|cell| *cell == cells[0]) {
                    cells[0].clone()
                } else {
                    cells.join(" | ")
                };
                if certain.is_empty() || process == Liveness::Dead {
                    table.push_str(&format!(
                        "{:13} {:13} {certain:9} | {row}\n",
                        runtime.as_str(),
                        process.as_str()
                    ));
                } else {
                    let plain = step(
                        &subjects()[0],
                        &Observation::Runtime(self::fact(runtime, process)),
                        &Policy::default(),
                        at(100),
                    );
                    assert!(row.starts_with(plain.rule), "{row}");
                }
            }
        }
    }
    insta::assert_snapshot!(table, @"
    runtime       process       certain   | interactive: recent, quiet | one_shot: recent, quiet
    alive         alive                   | probe.5 working/task_in_progress
    alive         dead                    | probe.4 detecting/agent_process_exited
    alive         dead          confirmed | probe.2 terminated/runtime_lost
    alive         dead          0         | probe.2 terminated/agent_process_exited | probe.2 terminated/agent_process_exited | probe.1 done/completed | probe.1 done/completed
    alive         dead          3         | probe.2 terminated/agent_process_exited | probe.2 terminated/agent_process_exited | probe.1 terminated/error_in_process | probe.1 terminated/error_in_process
    alive         indeterminate           | probe.5 working/task_in_progress
    alive         failed                  | probe.3 detecting/probe_failure
    dead          alive                   | probe.6 detecting/runtime_lost
    dead          dead                    | probe.8 detecting/runtime_lost | probe.7 terminated/runtime_lost | probe.8 detecting/runtime_lost | probe.7 terminated/runtime_lost
    dead          dead          confirmed | probe.2 terminated/runtime_lost
    dead          dead          0         | probe.2 terminated/agent_process_exited | probe.2 terminated/agent_process_exited | probe.1 done/completed | probe.1 done/completed
    dead          dead          3         | probe.2 terminated/agent_process_exited | probe.2 terminated/agent_process_exited | probe.1 terminated/error_in_process | probe.1 terminated/error_in_process
    dead          indeterminate           | probe.8 detecting/runtime_lost | probe.9 detecting/runtime_lost | probe.8 detecting/runtime_lost | probe.9 detecting/runtime_lost
    dead          failed                  | probe.3 detecting/probe_failure
    indeterminate alive                   | probe.10 detecting/runtime_lost
    indeterminate dead                    | probe.10 detecting/runtime_lost
    indeterminate dead          confirmed | probe.2 terminated/runtime_lost
    indeterminate dead          0         | probe.2 terminated/agent_process_exited | probe.2 terminated/agent_process_exited | probe.1 done/completed | probe.1 done/completed
    indeterminate dead          3         | probe.2 terminated/agent_process_exited | probe.2 terminated/agent_process_exited | probe.1 terminated/error_in_process | probe.1 terminated/error_in_process
    indeterminate indeterminate           | probe.10 detecting/runtime_lost
    indeterminate failed                  | probe.3 detecting/probe_failure
    failed        alive                   | probe.3 detecting/probe_failure
    failed        dead                    | probe.3 detecting/probe_failure
    failed        dead          confirmed | probe.2 terminated/runtime_lost
    failed        dead          0         | probe.2 terminated/agent_process_exited | probe.2 terminated/agent_process_exited | probe.1 done/completed | probe.1 done/completed
    failed        dead          3         | probe.2 terminated/agent_process_exited | probe.2 terminated/agent_process_exited | probe.1 terminated/error_in_process | probe.1 terminated/error_in_process
    failed        indeterminate           | probe.3 detecting/probe_failure
    failed        failed                  | probe.3 detecting/probe_failure
    ");
}

#[test]
fn the_evidence_is_exactly_as_documented() {
    let outcome = see(
        &record(json!({})),
        json!({"kind":"runtime","runtime":"dead","process":"dead"}),
        at(61),
    );
    assert_eq!(outcome.evidence, "dead runtime=dead process=dead recent=false");
    let outcome = see(
        &record(json!({})),
        json!({"kind":"runtime","runtime":"alive","process":"indeterminate"}),
        at(60),
    );
    assert_eq!(outcome.evidence, "healthy runtime=alive process=indeterminate recent=true");
    for (code, word) in [(0, "done"), (1, "errored")] {
        let outcome = see(
            &record(json!({"mode": "one_shot"})),
            json!({"kind":"runtime","runtime":"failed","process":"dead","exit_code":code}),
            at(60),
        );
        assert_eq!(outcome.evidence, format!("{word} runtime=failed process=dead recent=true"));
    }
}

#[test]
fn what_was_heard_of_the_agent_decides_whether_it_is_recent() {
    let dead = json!({"kind":"runtime","runtime":"dead","process":"dead"});
    for (activity, seconds, rule) in [
        ("active", 60, "probe.8"),
        ("active", 61, "probe.7"),
        ("idle", 61, "probe.7"),
        ("waiting_input", 86400, "probe.8"),
        ("blocked", 86400, "probe.8"),
        ("exited", 1, "probe.7"),
    ] {
        let subject = record(json!({"lifecycle": {"activity": {"state": activity}}}));
        assert_eq!(see(&subject, dead.clone(), at(seconds)).rule, rule, "{activity} {seconds}");
    }
    let silent = record(json!({"lifecycle": {"activity": null}}));
    assert_eq!(see(&silent, dead, at(1)).rule, "probe.7");
}

#[test]
fn the_runtime_axis_follows_the_pane_alone_even_where_the_quarantine_is_silent() {
    let doubtful = json!({"kind":"runtime","runtime":"alive","process":"dead"});
    let first = see(&record(json!({})), doubtful, at(10)).after;
    for (runtime, axis) in [
        ("alive", "alive/process_running"),
        ("dead", "exited/tmux_missing"),
        ("failed", "probe_failed/probe_error"),
        ("indeterminate", "unknown/inconclusive"),
    ] {
        for process in ["alive", "dead", "failed", "indeterminate"] {
            let fact = json!({"kind":"runtime","runtime":runtime,"process":process});
            let after = see(&first, fact, at(11)).after.lifecycle.runtime;
            assert_eq!(format!("{}/{}", after.state, after.reason), axis);
        }
    }
}

#[test]
fn the_memory_counts_keeps_its_beginning_and_starts_over_with_other_evidence() {
    let lost = json!({"kind":"runtime","runtime":"indeterminate","process":"dead"});
    let failed = json!({"kind":"runtime","runtime":"failed","process":"dead"});
    let mut subject = record(json!({}));
    let mut table = String::new();
    for (fact, now) in [
        (&lost, 10_000),
        (&lost, 14_999),
        (&lost, 15_000),
        (&failed, 15_001),
        (&lost, 16_000),
        (&lost, 21_000),
        (&lost, 21_001),
        (&lost, 26_000),
        (&lost, 99_000),
    ] {
        subject = see(&subject, fact.clone(), at_millis(now)).after;
        let memory = subject.lifecycle.detecting.as_ref().unwrap();
        table.push_str(&format!(
            "{:6} ms {} {} attempts {} began {} last {} from {}\n",
            now,
            subject.lifecycle.session.state,
            subject.lifecycle.session.reason,
            memory.attempts,
            memory.started_at.as_millis() - at(0).as_millis(),
            memory.last_at.as_millis() - at(0).as_millis(),
            memory.from.state,
        ));
    }
    insta::assert_snapshot!(table, @"
    10000 ms detecting runtime_lost attempts 1 began 10000 last 10000 from working
    14999 ms detecting runtime_lost attempts 1 began 10000 last 10000 from working
    15000 ms detecting runtime_lost attempts 2 began 10000 last 15000 from working
    15001 ms detecting probe_failure attempts 1 began 10000 last 15001 from working
    16000 ms detecting runtime_lost attempts 1 began 10000 last 16000 from working
    21000 ms detecting runtime_lost attempts 2 began 10000 last 21000 from working
    21001 ms detecting runtime_lost attempts 2 began 10000 last 21000 from working
    26000 ms stuck runtime_lost attempts 3 began 10000 last 26000 from working
    99000 ms stuck runtime_lost attempts 3 began 10000 last 26000 from working
    ");
}

#[test]
fn a_clock_that_steps_back_does_not_stop_the_count() {
    let lost = json!({"kind":"runtime","runtime":"indeterminate","process":"dead"});
    let first = see(&record(json!({})), lost.clone(), at(7200)).after;
    let second = see(&first, lost, at(3600)).after;
    let memory = second.lifecycle.detecting.unwrap();
    assert_eq!((memory.attempts, memory.started_at), (2, at(3600)));
}

#[test]
fn a_suspend_in_the_middle_of_a_quarantine_does_not_escalate_it() {
    let lost = json!({"kind":"runtime","runtime":"indeterminate","process":"dead"});
    let first = see(&record(json!({})), lost.clone(), at(0)).after;
    let night = 8 * 3600;
    let second = see(&first, lost, at(night)).after;
    assert_eq!(second.lifecycle.session.state.to_string(), "detecting");
    assert_eq!(second.lifecycle.detecting.unwrap().started_at, at(night));
}

#[test]
fn a_quarantine_comes_back_to_exactly_what_it_interrupted() {
    let doubtful = json!({"kind":"runtime","runtime":"alive","process":"dead"});
    let healthy = json!({"kind":"runtime","runtime":"alive","process":"alive"});
    for (state, reason) in [
        ("needs_input", "awaiting_user_input"),
        ("idle", "research_complete"),
        ("not_started", "spawn_requested"),
        ("stuck", "usage_limited"),
        ("stuck", "never_started"),
    ] {
        let before = record(json!({"lifecycle": {"session": {"state": state, "reason": reason}}}));
        let mut during = before.clone();
        for now in [10, 20, 30] {
            let outcome = see(&during, doubtful.clone(), at(now));
            let tells = outcome.effects.len();
            assert_eq!(tells, usize::from(now == 30 && state != "stuck"), "{state} at {now}");
            during = outcome.after;
        }
        assert!(during.lifecycle.is_stuck_by_escalation());
        let after = see(&during, healthy.clone(), at(40)).after;
        assert_eq!(after.lifecycle, before.lifecycle);
    }
}

#[test]
fn many_deaths_at_once_are_a_storm() {
    for (dead, probed, expected) in
        [(4, 4, false), (5, 5, true), (5, 9, true), (5, 10, false), (6, 10, true), (0, 0, false)]
    {
        assert_eq!(storm(dead, probed), expected, "{dead} of {probed}");
    }
}
