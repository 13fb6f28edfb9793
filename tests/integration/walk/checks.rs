//! What has to be true of each operation, whatever was done to it.

use std::fs;

use ao::model::lifecycle::SessionState;
use ao::model::record::Record;

use super::prepare::{SPAWN, wait_until_it_ran};
use super::run::Fault;
use crate::faulted::{AGENT, Case, Settled, files_below};

pub(super) fn whole(_: &Case<'_>, _: &Settled, _: &Fault) {}

pub(super) fn spawned_or_gone(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    match settled {
        Settled::Live(record) => {
            let is_child = fault.passing.role().is_some();
            let is_told = fault.is_done() || fault.outcome.status == 137 || is_child;
            assert!(is_told, "it runs, and the user was told otherwise\n{}", fault.outcome);
            assert_runs(record);
            wait_until_it_ran(case);
            assert!(!case.processes().is_empty());
            assert!(case.workspace().join("README.md").exists());
        }
        Settled::Ended(_) if fault.is_done() => {
            // The launcher was hurt once the agent ran.
            assert!(fault.passing.role().is_some(), "it was said to run");
            // Its pane stays, with what the agent wrote, until it is cleaned up.
            let is_server = |line: &String| line.contains("/tmux ");
            let agents = case.processes().into_iter().filter(|line| !is_server(line));
            assert_eq!(agents.collect::<Vec<_>>(), [""; 0]);
            case.ao(&["cleanup", "ID"]).success();
            let is_over = || case.processes().is_empty().then_some(());
            case.stage.env.wait_for("the server ends with its last pane", is_over);
            case.assert_nothing_left(&fault.what);
        }
        Settled::Absent | Settled::Ended(_) => {
            assert!(!fault.is_done(), "it was said to run");
            case.assert_nothing_left(&fault.what);
            if !fault.passing.is_call() && fault.passing.role().is_none() {
                runs_in_its_place(case);
            }
        }
    }
}

/// An agent with hooks has not begun before one of them tells, and here none does.
fn assert_runs(record: &Record) {
    let has_hooks = record.agent == "filer";
    let wanted = if has_hooks { SessionState::NotStarted } else { SessionState::Working };
    assert_eq!(record.lifecycle.session.state, wanted);
}

/// Whatever stopped the first one, it is in nobody's way.
fn runs_in_its_place(case: &Case<'_>) {
    let again = [&SPAWN[..7], &["--if-exists", "replace", AGENT]].concat();
    case.ao(&again).success();
    // The first agent may have run too before it was ended.
    case.stage.env.wait_for("the next agent runs", || {
        fs::read_to_string(case.home.join("ran")).ok().filter(|text| !text.is_empty())
    });
    assert!(!case.processes().is_empty());
}

pub(super) fn ended_or_as_before(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    match settled {
        Settled::Live(record) => {
            assert!(!fault.is_done(), "killed, they said");
            assert_runs(record);
            assert!(!case.processes().is_empty());
        }
        Settled::Ended(record) => {
            assert_eq!(record.lifecycle.session.reason.as_str(), "manually_killed");
            assert_eq!(case.processes(), [""; 0]);
        }
        Settled::Absent => panic!("no record"),
    }
    assert_eq!(fs::read_to_string(case.workspace().join("work.txt")).unwrap(), "precious\n");
}

/// The work is in the workspace, in the trash, in the branch or preserved.
pub(super) fn work_is_kept(case: &Case<'_>, settled: &Settled, _: &Fault) {
    let Settled::Ended(_) = settled else { panic!("it had ended") };
    assert_eq!(case.processes(), [""; 0]);
    let in_files = files_below(&case.home).iter().any(|path| {
        path.ends_with("work.txt") && fs::read(path).is_ok_and(|bytes| bytes == b"precious\n")
    });
    let shown = |name: &str| {
        let place = format!("{name}/{}:work.txt", case.id);
        let command = case.stage.env.git_command(&case.stage.repo, &["show", &place]);
        case.stage.env.run(&command).stdout == "precious\n"
    };
    assert!(in_files || shown("refs/heads/ao") || shown("refs/ao/preserved"), "work is lost");
}

pub(super) fn restored_or_ended(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    match settled {
        Settled::Live(record) => {
            let is_child = fault.passing.role().is_some();
            assert!(fault.is_done() || fault.outcome.status == 137 || is_child);
            assert_runs(record);
            assert!(!case.processes().is_empty());
        }
        Settled::Ended(_) => assert_eq!(case.processes(), [""; 0]),
        Settled::Absent => panic!("no record"),
    }
    work_is_somewhere(case);
}

pub(super) fn work_is_somewhere(case: &Case<'_>) {
    let text = fs::read_to_string(case.workspace().join("work.txt")).unwrap_or_default();
    let place = format!("ao/{}:work.txt", case.id);
    let command = case.stage.env.git_command(&case.stage.repo, &["show", &place]);
    assert!(text == "precious\n" || case.stage.env.run(&command).stdout == "precious\n");
}

/// What could not be delivered is tried again later, and no sooner than its time.
pub(super) fn is_put_off(record: &Record) -> bool {
    record.outbox.values().any(|entry| entry.attempts > 0 && entry.next_at.is_some())
}

/// Under one id, so that whoever is told twice can tell.
pub(super) fn told_under_one_id(case: &Case<'_>, settled: &Settled, _: &Fault) {
    let Settled::Ended(record) = settled else { panic!("it had ended") };
    if is_put_off(record) {
        return;
    }
    assert!(record.outbox.is_empty(), "{:?}", record.outbox);
    let notices = case.stage.notices(&case.id);
    let ids: std::collections::BTreeSet<_> =
        notices.iter().map(|notice| notice["id"].to_string()).collect();
    assert_eq!((ids.len(), notices.is_empty()), (1, false), "{notices:?}");
}

/// Never twice; and where it may not have arrived, a person is told or the caller was.
pub(super) fn typed_once_or_told(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    let Settled::Live(record) = settled else { panic!("it lives") };
    assert!(record.outbox.is_empty(), "{:?}", record.outbox);
    let heard = || fs::read_to_string(case.home.join("heard")).unwrap_or_default();
    let recorded = case.events().contains("hello");
    let caller_was_told = fault.outcome.status == 1;
    if recorded && !caller_was_told && case.stage.notices(&case.id).is_empty() {
        case.stage.env.wait_for("it arrives", || (heard() == "hello\n").then_some(()));
    }
    assert!(["", "hello\n"].contains(&&*heard()), "{}", heard());
}

/// The text arrives once, or a person is told once that nobody knows; never neither.
pub(super) fn fixed_once_or_told(case: &Case<'_>, settled: &Settled, _: &Fault) {
    let Settled::Live(record) = settled else { panic!("it lives") };
    if is_put_off(record) {
        let heard = fs::read_to_string(case.home.join("heard")).unwrap_or_default();
        assert_eq!(heard, "", "it is there, and is to be tried again");
        return;
    }
    assert!(record.outbox.is_empty(), "{:?}", record.outbox);
    let text = || fs::read_to_string(case.home.join("heard")).unwrap_or_default();
    let times = || text().matches("Checks fail on pull request #7").count();
    let told = case.stage.notices(&case.id).len();
    if told == 0 {
        case.stage.env.wait_for("it arrives", || (times() > 0).then_some(()));
    }
    assert!(times() <= 1 && told <= 1, "{} and {told}", times());
}

/// Given by the answer, typed, or told to a person: in one way.
pub(super) fn given_in_one_way(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    let Settled::Live(record) = settled else { panic!("it lives") };
    let printed = fault.outcome.stdout.contains("the instruction");
    let heard = fs::read_to_string(case.home.join("heard")).unwrap_or_default();
    let typed = heard.matches("the instruction").count();
    let told = !case.stage.notices(&case.id).is_empty();
    assert!(usize::from(printed) + typed <= 1, "printed {printed}, typed {typed}");
    let waits = !record.outbox.is_empty();
    assert!(printed || typed > 0 || told || waits, "it is forgotten");
}

pub(super) fn gone(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    assert!(!matches!(settled, Settled::Live(_)), "nobody could tell that it runs");
    case.assert_nothing_left(&fault.what);
}

pub(super) fn ended(case: &Case<'_>, settled: &Settled, _: &Fault) {
    assert!(matches!(settled, Settled::Ended(_)), "it was to be ended");
    assert_eq!(case.processes(), [""; 0]);
}

/// Either it is in `main`, whole, or `main` is as it was.
pub(super) fn merged_or_not(case: &Case<'_>, _: &Settled, fault: &Fault) {
    let outcome =
        |args: &[&str]| case.stage.env.run(&case.stage.env.git_command(&case.stage.repo, args));
    let in_main = outcome(&["show", "main:work.txt"]).status == 0;
    assert!(in_main || !fault.is_done(), "merged, they said");
    assert_eq!(case.stage.repo.join("work.txt").exists(), in_main, "half a merge");
    let state = case.record()["lifecycle"]["pr"]["state"] == "merged";
    assert_eq!(state, in_main, "what is recorded is not what is");
    outcome(&["fsck", "--strict"]).success();
}

/// Others may have done more since, so the record itself may say something else.
pub(super) fn is_logged(case: &Case<'_>, word: &str) -> bool {
    ["sessions", "archive"].iter().any(|place| {
        let directory = case.home.join(place).join(&case.id);
        ["events.jsonl", "events.1.jsonl"].iter().any(|name| {
            fs::read_to_string(directory.join(name)).is_ok_and(|text| text.contains(word))
        })
    })
}
