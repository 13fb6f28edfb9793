//! What has to hold after a fault, once a fresh process has read and one pass was made.

use std::collections::BTreeSet;
use std::fs;

use ao::adapter::process;
use ao::model::check;
use ao::store::Home;
use rustix::process::Signal;

use super::plan::Hurt;
use super::run::{Fault, signal_all};
use super::table::Operation;
use crate::faulted::{Case, Settled, load_calmly};

/// Reads, reaps, and looks at everything.
pub(super) fn check(case: &Case<'_>, operation: &Operation, fault: &Fault) {
    if operation.mends && !fault.is_done() {
        case.stage.env.run(&operation.command(case)).success();
    }
    if fault.passing.nth.is_multiple_of(2) {
        case.ao(&["ls", "--json"]).success();
    } else {
        let shown = case.ao(&["show", "ID"]);
        assert!([0, 3].contains(&shown.status), "show: {shown}");
    }
    if fault.hurt == Hurt::Stall {
        // A child that was stopped and forgotten goes on, and may do no harm.
        signal_all(case, Signal::CONT);
    }
    wait_for_ends(case, operation);
    for _ in 0..operation.passes {
        let words: &[&str] = if operation.begins { &["reap", "--wait"] } else { &["reap"] };
        case.ao(words).success();
    }
    let settled = case.settled(&fault.what, operation.changes);
    every_session(case);
    let doctor = case.ao(&["doctor", "--state"]);
    assert_eq!(doctor.status, 0, "doctor: {doctor}");
    no_process_without_session(case);
    no_branch_or_entry_without_session(case);
    if operation.settles {
        let before = case.records();
        case.ao(&["reap"]).success();
        assert_eq!(case.records(), before, "another pass changes something");
    }
    operation.check(case, &settled, fault);
    if fault.is_done() && !matches!(settled, Settled::Absent) {
        assert!(operation.is_acknowledged(case), "it said it was done, and it is not there");
    }
}

/// How an agent ended is a fact, and a pass knows it once its launcher has told: until then the
/// launcher lives, and a pass that comes in between is right to say that the session does. One that
/// never tells is not waited for: its end is what the pass has to find out.
fn wait_for_ends(case: &Case<'_>, operation: &Operation) {
    case.stage.env.wait_for("launchers whose agents have ended", || {
        let is_ending = |pid: &u32| operation.ends || !has_child(*pid);
        (!launchers(case).iter().any(is_ending)).then_some(())
    });
}

pub(super) fn launchers(case: &Case<'_>) -> Vec<u32> {
    let processes = case.processes();
    let pid = |line: &String| {
        let mut words = line.split(' ');
        let pid = words.next()?.parse().ok()?;
        (words.nth(1)? == "launch").then_some(pid)
    };
    processes.iter().filter_map(pid).collect()
}

fn has_child(pid: u32) -> bool {
    let stats = process::all().unwrap().into_iter().filter_map(|it| process::read_stat(it).ok()?);
    stats.into_iter().any(|stat| stat.parent == pid && !stat.is_zombie())
}

fn home(case: &Case<'_>) -> Home {
    Home::open_read(&case.home).unwrap()
}

/// Every log folds to its record, every record is one that can be, and nothing is left half-done.
fn every_session(case: &Case<'_>) {
    let home = home(case);
    for id in [home.session_ids().unwrap(), home.archived_ids().unwrap()].concat() {
        let loaded = load_calmly(&home, &id).unwrap();
        assert_eq!(loaded.notes, [""; 0], "{id}");
        assert_eq!(home.verify(&id).unwrap().findings, [""; 0], "{id}");
        let wrong: Vec<String> =
            check::check(&loaded.record).iter().map(ToString::to_string).collect();
        assert_eq!(wrong, [""; 0], "{id}");
        assert!(loaded.record.intent.is_none(), "{id}: {:?}", loaded.record.intent);
    }
}

fn live(case: &Case<'_>) -> BTreeSet<String> {
    let home = home(case);
    let ids = home.session_ids().unwrap().into_iter();
    let live = ids.filter(|id| !home.load(id).unwrap().record.lifecycle.is_terminal());
    live.map(|id| id.to_string()).collect()
}

fn known(case: &Case<'_>) -> BTreeSet<String> {
    let home = home(case);
    let ids = [home.session_ids().unwrap(), home.archived_ids().unwrap()].concat();
    ids.into_iter().map(|id| id.to_string()).collect()
}

/// What runs for a session that is over, or that nobody knows, is an orphan.
fn no_process_without_session(case: &Case<'_>) {
    let live = live(case);
    for line in case.processes() {
        let pid = line.split(' ').next().unwrap();
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let session = environment
            .split('\0')
            .find_map(|it| it.strip_prefix("AO_SESSION=").map(str::to_owned));
        let is_alive = fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| !it.is_empty());
        if let Some(session) = session.filter(|_| is_alive) {
            assert!(live.contains(&session), "process {line} of `{session}`, which does not live");
        }
    }
}

fn no_branch_or_entry_without_session(case: &Case<'_>) {
    let known = known(case);
    let git = |args: &[&str]| case.stage.env.git(&case.stage.repo, args);
    let others = |id: &str| {
        let first = id.split('-').next().unwrap_or_default();
        let is_case = first.strip_prefix('c').is_some_and(|it| it.parse::<u32>().is_ok());
        is_case && first != case.id
    };
    let ours = |id: &str| !others(id);
    let branches = git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/ao/"]);
    for branch in branches.lines().filter(|branch| ours(branch)) {
        assert!(known.contains(branch), "branch ao/{branch} belongs to no session");
    }
    let list = git(&["worktree", "list", "--porcelain"]);
    let below = case.home.join("worktrees");
    for path in list.lines().filter_map(|line| line.strip_prefix("worktree ")) {
        let path = std::path::Path::new(path);
        if path.starts_with(&below) && !path.to_string_lossy().contains("/.") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(path.join(".git").exists(), "{} is registered and not there", path.display());
            assert!(known.contains(&name), "worktree {} belongs to no session", path.display());
        }
    }
}
