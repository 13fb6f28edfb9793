//! Signals of the agent: every transition, dialogs, ages, launches.

use serde_json::json;

use super::{at, axis, record, see, step, summary};
use crate::model::facts::{ActivityFact, Confidence, Observation};
use crate::model::lifecycle::{
    ActivitySource, ActivityState, PrReason, PrState, SessionReason, SessionState,
};
use crate::model::policy::Policy;
use crate::model::status::Status;
use crate::model::time::Timestamp;

fn signal(activity: ActivityState, boundary: bool, tool: Option<&str>) -> Observation {
    Observation::Activity(ActivityFact {
        observed_at: None,
        confidence: Confidence::Valid,
        activity,
        source: ActivitySource::Hook,
        launch: None,
        agent_session: None,
        boundary,
        tool: tool.map(str::to_owned),
        report: None,
    })
}

#[test]
fn every_transition() {
    let mut table = String::new();
    for &before in ActivityState::ALL {
        for &heard in ActivityState::ALL {
            let cells: Vec<String> = [(false, None), (false, Some("t1")), (true, None)]
                .into_iter()
                .map(|(boundary, tool)| {
                    let blocked = before == ActivityState::Blocked;
                    let subject = record(json!({"lifecycle": {
                        "session": {"state": "needs_input", "reason": "awaiting_user_input"},
                        "activity": {"state": before, "tool": blocked.then_some("t1")},
                    }}));
                    let observation = signal(heard, boundary, tool);
                    let outcome = step(&subject, &observation, &Policy::default(), at(10));
                    let activity = outcome.after.lifecycle.activity.as_ref().unwrap();
                    assert_eq!(activity.last_activity_at, at(10));
                    format!("{} {} {}", outcome.rule, activity.state, axis(&outcome))
                })
                .collect();
            let row = if cells.iter().all(|cell| *cell == cells[0]) {
                cells[0].clone()
            } else {
                format!("{} | its tool: {} | boundary: {}", cells[0], cells[1], cells[2])
            };
            table.push_str(&format!("{before} + {heard} => {row}\n"));
        }
    }
    insta::assert_snapshot!(table, @"
    active + active => activity.active active working/task_in_progress
    active + ready => activity.ready ready idle/research_complete
    active + idle => activity.idle idle idle/inactive
    active + waiting_input => activity.waiting_input waiting_input needs_input/awaiting_user_input
    active + blocked => activity.blocked blocked needs_input/awaiting_user_input
    active + exited => activity.exited exited needs_input/awaiting_user_input
    ready + active => activity.active active working/task_in_progress
    ready + ready => activity.ready ready idle/research_complete
    ready + idle => activity.idle idle idle/inactive
    ready + waiting_input => activity.waiting_input waiting_input needs_input/awaiting_user_input
    ready + blocked => activity.blocked blocked needs_input/awaiting_user_input
    ready + exited => activity.exited exited needs_input/awaiting_user_input
    idle + active => activity.active active working/task_in_progress
    idle + ready => activity.ready ready idle/research_complete
    idle + idle => activity.idle idle idle/inactive
    idle + waiting_input => activity.waiting_input waiting_input needs_input/awaiting_user_input
    idle + blocked => activity.blocked blocked needs_input/awaiting_user_input
    idle + exited => activity.exited exited needs_input/awaiting_user_input
    waiting_input + active => activity.active active working/task_in_progress
    waiting_input + ready => activity.ready ready idle/research_complete
    waiting_input + idle => activity.idle idle idle/inactive
    waiting_input + waiting_input => activity.waiting_input waiting_input needs_input/awaiting_user_input
    waiting_input + blocked => activity.blocked blocked needs_input/awaiting_user_input
    waiting_input + exited => activity.exited exited needs_input/awaiting_user_input
    blocked + active => activity.held blocked needs_input/awaiting_user_input | its tool: activity.active active working/task_in_progress | boundary: activity.active active working/task_in_progress
    blocked + ready => activity.held blocked needs_input/awaiting_user_input | its tool: activity.ready ready idle/research_complete | boundary: activity.ready ready idle/research_complete
    blocked + idle => activity.held blocked needs_input/awaiting_user_input | its tool: activity.idle idle idle/inactive | boundary: activity.idle idle idle/inactive
    blocked + waiting_input => activity.held blocked needs_input/awaiting_user_input | its tool: activity.waiting_input waiting_input needs_input/awaiting_user_input | boundary: activity.waiting_input waiting_input needs_input/awaiting_user_input
    blocked + blocked => activity.blocked blocked needs_input/awaiting_user_input
    blocked + exited => activity.held blocked needs_input/awaiting_user_input | its tool: activity.exited exited needs_input/awaiting_user_input | boundary: activity.exited exited needs_input/awaiting_user_input
    exited + active => activity.active active working/task_in_progress
    exited + ready => activity.ready ready idle/research_complete
    exited + idle => activity.idle idle idle/inactive
    exited + waiting_input => activity.waiting_input waiting_input needs_input/awaiting_user_input
    exited + blocked => activity.blocked blocked needs_input/awaiting_user_input
    exited + exited => activity.exited exited needs_input/awaiting_user_input
    ");
}

#[test]
fn a_dialog_replaces_the_stored_one() {
    let subject = record(json!({"lifecycle": {
        "session": {"state": "needs_input", "reason": "awaiting_user_input"},
        "activity": {"state": "blocked", "tool": "t1"},
    }}));
    let after = step(
        &subject,
        &signal(ActivityState::Blocked, false, Some("t2")),
        &Policy::default(),
        at(10),
    )
    .after;
    let old =
        step(&after, &signal(ActivityState::Active, false, Some("t1")), &Policy::default(), at(11));
    assert_eq!(old.rule, "activity.held");
    let own =
        step(&after, &signal(ActivityState::Active, false, Some("t2")), &Policy::default(), at(11));
    assert_eq!(own.rule, "activity.active");
}

#[test]
fn a_prompt_that_was_taken_is_recorded_however_soon_it_was() {
    let subject = record(json!({"lifecycle": {
        "session": {"state": "working", "reason": "task_in_progress"},
        "activity": {"state": "active", "last_activity_at": at(10), "source": "hook"},
    }}));
    let told = |boundary: bool, second: u64| {
        let signal = signal(ActivityState::Active, boundary, None);
        let outcome = step(&subject, &signal, &Policy::default(), at(second));
        (outcome.rule, outcome.is_unchanged())
    };
    assert_eq!(told(false, 11), ("noop.coalesced", true));
    assert_eq!(told(true, 11), ("activity.active", false));
    assert_eq!(told(true, 10), ("noop.coalesced", true));
}

#[test]
fn only_a_valid_signal_counts() {
    for &confidence in Confidence::ALL {
        let fact = json!({"kind":"activity","confidence":confidence,"activity":"idle",
            "source":"hook","boundary":true});
        let outcome = see(&record(json!({})), fact, at(10));
        assert_eq!(outcome.patch.is_empty(), confidence != Confidence::Valid);
    }
}

#[test]
fn ages_and_launches_fence_signals() {
    let mut table = String::new();
    let heard = record(json!({"lifecycle": {"activity": {"last_activity_at": at(100)}}}));
    for (observed_at, launch) in [
        (Some(at(99)), None),
        (Some(at(100)), None),
        (Some(at(500)), None),
        (Some(at(501)), None),
        (None, Some("aaaaaaaa")),
        (None, Some("bbbbbbbb")),
    ] {
        let mut fact =
            json!({"kind":"activity","confidence":"valid","activity":"idle","source":"hook"});
        if let Some(observed_at) = observed_at {
            fact["observed_at"] = json!(observed_at);
        }
        if let Some(launch) = launch {
            fact["launch"] = json!(launch);
        }
        let outcome = see(&heard, fact, at(200));
        let last = outcome.after.lifecycle.activity.as_ref().unwrap().last_activity_at;
        let seconds = |time: Timestamp| (time.as_millis() - at(0).as_millis()) / 1000;
        let observed = observed_at.map(seconds);
        table.push_str(&format!(
            "observed {observed:?} launch {launch:?} => {}, last {}\n",
            summary(&outcome),
            seconds(last)
        ));
    }
    insta::assert_snapshot!(table, @r#"
    observed Some(99) launch None => noop.older working (unchanged), last 100
    observed Some(100) launch None => activity.idle working -> idle, last 100
    observed Some(500) launch None => activity.idle working -> idle, last 500
    observed Some(501) launch None => activity.idle working -> idle, last 200
    observed None launch Some("aaaaaaaa") => activity.idle working -> idle, last 200
    observed None launch Some("bbbbbbbb") => noop.stale_launch working (unchanged), last 100
    "#);
}

#[test]
fn a_signal_of_the_future_hides_none_after_the_clock_stepped_back() {
    let mut table = String::new();
    let heard = record(json!({"lifecycle": {
        "session": {"state": "working", "reason": "task_in_progress"},
        "activity": {"state": "active", "source": "hook", "last_activity_at": at(3700)}}}));
    for activity in ["idle", "active"] {
        for observed_at in [3699, 3700, 100] {
            let fact = json!({"kind":"activity","confidence":"valid","activity":activity,
                "source":"hook","boundary":true,"observed_at":at(observed_at)});
            let outcome = see(&heard, fact, at(if observed_at == 100 { 101 } else { 3700 }));
            let said = (activity, observed_at, outcome.rule, outcome.is_unchanged());
            table.push_str(&format!("{said:?}\n"));
        }
    }
    insta::assert_snapshot!(table, @r#"
    ("idle", 3699, "noop.older", true)
    ("idle", 3700, "activity.idle", false)
    ("idle", 100, "activity.idle", false)
    ("active", 3699, "noop.older", true)
    ("active", 3700, "noop.coalesced", true)
    ("active", 100, "activity.active", false)
    "#);
}

#[test]
fn since_moves_with_the_state_and_not_with_the_reason() {
    let idle = record(json!({"lifecycle": {
        "session": {"state": "idle", "reason": "research_complete"}}}));
    let after = step(&idle, &signal(ActivityState::Idle, true, None), &Policy::default(), at(9));
    assert_eq!(axis(&after), "idle/inactive");
    assert_eq!(after.after.lifecycle.session.since, Some(at(0)));
    let after = step(&idle, &signal(ActivityState::Active, true, None), &Policy::default(), at(9));
    assert_eq!(after.after.lifecycle.session.since, Some(at(9)));
}

#[test]
fn every_status() {
    let mut table = String::new();
    for &state in SessionState::ALL {
        let statuses: Vec<String> = SessionReason::ALL
            .iter()
            .map(|&reason| {
                let mut lifecycle = record(json!({})).lifecycle;
                lifecycle.session.state = state;
                lifecycle.session.reason = reason;
                format!("{reason}={}", Status::of(&lifecycle))
            })
            .collect();
        let first = statuses[0].split_once('=').unwrap().1.to_owned();
        let differs: Vec<&String> =
            statuses.iter().filter(|s| s.split_once('=').unwrap().1 != first).collect();
        table.push_str(&format!("{state}: {first} {differs:?}\n"));
    }
    for &state in PrState::ALL {
        let statuses: Vec<String> = PrReason::ALL
            .iter()
            .map(|&reason| {
                let mut lifecycle = record(json!({})).lifecycle;
                lifecycle.pr.state = state;
                lifecycle.pr.reason = reason;
                format!("{reason}={}", Status::of(&lifecycle))
            })
            .collect();
        let first = statuses[0].split_once('=').unwrap().1.to_owned();
        let differs: Vec<&String> =
            statuses.iter().filter(|s| s.split_once('=').unwrap().1 != first).collect();
        table.push_str(&format!("working, pr {state}: {first} {differs:?}\n"));
    }
    insta::assert_snapshot!(table, @r#"
    not_started: spawning []
    working: working []
    idle: idle []
    needs_input: needs_input []
    stuck: stuck []
    detecting: detecting []
    done: done []
    terminated: terminated ["manually_killed=killed", "pr_merged=cleanup", "auto_cleanup=cleanup", "runtime_lost=exited", "agent_process_exited=exited", "probe_failure=errored", "error_in_process=errored", "never_started=errored"]
    working, pr none: working []
    working, pr draft: draft ["ci_failing=ci_failed"]
    working, pr open: pr_open ["ci_failing=ci_failed", "review_pending=review_pending", "changes_requested=changes_requested", "bot_comments=changes_requested", "approved=approved", "merge_ready=mergeable"]
    working, pr merged: merged []
    working, pr closed: working []
    "#);
}
