//! kill -9, a full disk and a bad disk, at the points on the way of every operation.
//!
//! Each operation is run once to learn which points it passes, and how often; then once for
//! every one of them, with a fault there. One reap later the session works or has ended with
//! nothing left behind, and no file of the user's and no byte of the agent's work is gone.
#![expect(clippy::print_stdout, reason = "each test lists the points it covered")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ao::model::lifecycle::SessionState;

use crate::env::Outcome;
use crate::faulted::{AGENT, Case, Settled, Stage, files_below};

const SPAWN: &[&str] = &["spawn", "--agent", "shell", "--runtime", "process", "--id", "ID", AGENT];

const SPAWN_IN_TMUX: &[&str] =
    &["spawn", "--agent", "shell", "--runtime", "tmux", "--id", "ID", AGENT];

/// The session's agent leaves work behind that is committed nowhere, and stays.
const DIRTY: &str = r#"echo precious >work.txt; echo ran >>"$AO_HOME/ran"; exec sleep 600"#;

/// The points that no operation here passes, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("launch.spec_read", "passed by the launcher, which takes no AO_FAILPOINT from ao"),
    ("notice.taken", "a worker's notice is handed over: roles.rs"),
    ("reviews.replace", "a review is recorded: review.rs"),
    ("reviews.replaced", "a review is recorded: review.rs"),
    ("review.recorded", "a review is begun: review.rs"),
    ("review.moved", "a review is begun: review.rs"),
    ("review.given", "a review is begun: review.rs"),
    ("review.submitted", "a verdict is handed in: review.rs"),
    ("review.settling", "a verdict is handed in: review.rs"),
    ("review.placed", "a verdict is handed in: review.rs"),
    ("review.cancelled", "a review is cancelled: review.rs"),
    ("merge.judged", "passed by ao merge: merge.rs"),
    ("merge.made", "passed by ao merge: merge.rs"),
    ("merge.kept", "passed by ao merge: merge.rs"),
    ("merge.landed", "passed by ao merge: merge.rs"),
    ("merge.recorded", "passed by ao merge: merge.rs"),
    ("check.recorded", "a check is begun: local_scm.rs"),
    ("check.owned", "passed by a check's supervisor: local_scm.rs"),
    ("check.over", "passed by a check's supervisor: local_scm.rs"),
    ("wait.look", "passed by ao wait, which changes nothing"),
    ("answer.claimed", "passed by a hook that is answered: misbehaviour.rs"),
    ("answer.printed", "passed by a hook that is answered: misbehaviour.rs"),
    ("store.cut", "a torn log is put right: the store's own tests"),
    ("store.rotate.keep", "a log of 1 MiB is rotated: the store's own tests"),
    ("store.rotate.begin", "a log of 1 MiB is rotated: the store's own tests"),
];

/// Something ao does in several steps.
struct Operation {
    /// What has to be there before.
    prepare: fn(&Case<'_>),
    /// The command; `ID` is the session.
    args: &'static [&'static str],
    /// Its exit code where nothing goes wrong.
    code: i32,
    /// Looks at what is left after the fault and one reap.
    check: fn(&Case<'_>, &Settled, &Fault),
}

/// What was done to an operation.
struct Fault {
    /// `name#N=action`.
    spec: String,
    /// What the command said.
    outcome: Outcome,
}

impl Fault {
    /// The command said that it succeeded.
    fn is_done(&self) -> bool {
        self.outcome.status == 0
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hurt {
    Kill,
    Full,
    Broken,
}

impl Hurt {
    fn action(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Full => "error:28",
            Self::Broken => "error:5",
        }
    }

    /// How the operating system puts it.
    fn text(self) -> &'static str {
        match self {
            Self::Kill => "",
            Self::Full => "No space left on device",
            Self::Broken => "Input/output error",
        }
    }
}

/// Runs an operation with a fault at every sampled passing.
fn at_every_point(operation: &Operation, hurt: Hurt) {
    let stage = Stage::new();
    let case = stage.case();
    (operation.prepare)(&case);
    let all = case.passings(operation.args, operation.code);
    let points: Vec<&String> = sample(&all, operation, hurt);
    println!("{} of {} passings: {points:?}", points.len(), all.len());
    for point in points {
        at_one_point(&stage, operation, point, hurt);
    }
}

fn at_one_point(stage: &Stage, operation: &Operation, point: &str, hurt: Hurt) {
    let case = stage.case();
    (operation.prepare)(&case);
    let spec = format!("{point}={}", hurt.action());
    let outcome = case.faulted(operation.args, &spec);
    if hurt == Hurt::Kill {
        assert_eq!(outcome.status, 137, "{spec}\n{outcome}");
    } else if outcome.status != operation.code {
        assert_eq!(outcome.status, 1, "{spec}\n{outcome}");
        let named = [&case.home, &stage.repo]
            .iter()
            .any(|it| outcome.stderr.contains(&*it.to_string_lossy()));
        let is_step = !point.starts_with("store.") && !point.starts_with("fs.");
        assert!(named || is_step, "{spec} names no file\n{outcome}");
        assert!(outcome.stderr.contains(hurt.text()), "{spec}\n{outcome}");
    }
    case.ao(&["reap"]).success();
    let fault = Fault { spec, outcome };
    let settled = case.settled(&fault.spec);
    // What a pass finds out while it delivers is told by the next one.
    if is_step(point) && operation.args[0] != "send" {
        let before = case.records();
        case.ao(&["reap"]).success();
        assert_eq!(case.records(), before, "{}: a second reap changes nothing", fault.spec);
    }
    (operation.check)(&case, &settled, &fault);
}

/// A step of an operation, rather than of one file.
fn is_step(point: &str) -> bool {
    !point.starts_with("store.") && !point.starts_with("fs.")
}

/// Returns the passings to try: every step, every commit just before and just after it is made,
/// and of a spawn the first of everything else. The store's own tests try each of its points.
fn sample<'a>(all: &'a [String], operation: &Operation, hurt: Hurt) -> Vec<&'a String> {
    let every = std::env::var_os("AO_TEST_EVERY_PASSING").is_some();
    let is_commit =
        |point: &str| point.starts_with("store.append#") || point.starts_with("store.record#");
    let is_first = |point: &str| operation.args == SPAWN && point.ends_with("#1");
    let wanted = |point: &&String| match hurt {
        // The files are the same as without tmux.
        Hurt::Kill if operation.args == SPAWN_IN_TMUX => is_step(point),
        Hurt::Kill => every || is_step(point) || is_commit(point) || is_first(point),
        // A step is no file; and reading needs no space.
        Hurt::Full | Hurt::Broken if is_step(point) || point.starts_with("store.read") => false,
        Hurt::Full => every || is_commit(point) || is_first(point),
        Hurt::Broken => every || is_first(point),
    };
    all.iter().filter(wanted).collect()
}

fn nothing(_: &Case<'_>) {}

/// A working session whose workspace holds uncommitted work.
fn working(case: &Case<'_>) {
    case.spawn(DIRTY);
    wait_until_it_ran(case);
}

/// The same, ended.
fn killed(case: &Case<'_>) {
    working(case);
    case.ao(&["kill", "ID"]).success();
}

/// A session that ended by itself, with a commit on its branch and nothing else.
fn committed(case: &Case<'_>) {
    let script = "echo precious >work.txt; git add work.txt; git commit -qm work";
    let words =
        ["spawn", "--agent", "shell", "--runtime", "process", "--id", "ID", "--wait", script];
    case.ao(&words).success();
    case.ao(&["reap"]).success();
}

fn wait_until_it_ran(case: &Case<'_>) {
    case.stage.env.wait_for("the agent runs", || {
        fs::read_to_string(case.home.join("ran")).ok().filter(|text| text == "ran\n")
    });
}

fn spawned_or_gone(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    match settled {
        Settled::Live(record) => {
            let is_told = fault.is_done() || fault.outcome.status == 137;
            assert!(is_told, "{}: it runs, and the user was told otherwise", fault.spec);
            assert_eq!(record.lifecycle.session.state, SessionState::Working, "{}", fault.spec);
            wait_until_it_ran(case);
            assert!(!case.processes().is_empty(), "{}", fault.spec);
            assert!(case.workspace().join("README.md").exists(), "{}", fault.spec);
        }
        Settled::Absent | Settled::Ended(_) => {
            case.assert_nothing_left(&fault.spec);
            if is_step(&fault.spec) {
                let again: Vec<&str> = [&SPAWN[..7], &["--if-exists", "replace", AGENT]].concat();
                case.ao(&again).success();
                wait_for_runs(case);
            }
        }
    }
}

/// The first agent may have run too before it was ended.
fn wait_for_runs(case: &Case<'_>) {
    case.stage.env.wait_for("the next agent runs", || {
        fs::read_to_string(case.home.join("ran")).ok().filter(|text| !text.is_empty())
    });
    assert!(!case.processes().is_empty());
}

fn ended_or_as_before(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    match settled {
        Settled::Live(record) => {
            assert!(!fault.is_done(), "{}: killed, they said", fault.spec);
            assert_eq!(record.lifecycle.session.state, SessionState::Working, "{}", fault.spec);
            assert!(!case.processes().is_empty(), "{}", fault.spec);
        }
        Settled::Ended(record) => {
            assert_eq!(record.lifecycle.session.reason.as_str(), "manually_killed");
            assert_eq!(case.processes(), [""; 0], "{}", fault.spec);
        }
        Settled::Absent => panic!("{}: no record", fault.spec),
    }
    assert_eq!(fs::read_to_string(case.workspace().join("work.txt")).unwrap(), "precious\n");
}

/// The work is in the workspace, in the trash, in the branch or preserved.
fn work_is_kept(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    let Settled::Ended(_) = settled else { panic!("{}: it had ended", fault.spec) };
    assert_eq!(case.processes(), [""; 0], "{}", fault.spec);
    let in_files = files_below(&case.home).iter().any(|path| {
        path.ends_with("work.txt") && fs::read(path).is_ok_and(|bytes| bytes == b"precious\n")
    });
    let shown = |name: &str| {
        let place = format!("{name}/{}:work.txt", case.id);
        let outcome =
            case.stage.env.run(&case.stage.env.git_command(&case.stage.repo, &["show", &place]));
        outcome.stdout == "precious\n"
    };
    assert!(in_files || shown("refs/heads/ao") || shown("refs/ao/preserved"), "{}", fault.spec);
    // Whatever is registered can be entered, and whatever is gone is not registered.
    let list = case.stage.env.git(&case.stage.repo, &["worktree", "list", "--porcelain"]);
    for path in list.lines().filter_map(|line| line.strip_prefix("worktree ")) {
        let path = Path::new(path);
        assert!(
            !path.starts_with(&case.home) || path.join("README.md").exists(),
            "{}\n{list}",
            fault.spec
        );
    }
}

fn restored_or_ended(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    match settled {
        Settled::Live(record) => {
            assert!(fault.is_done() || fault.outcome.status == 137, "{}", fault.spec);
            assert_eq!(record.lifecycle.session.state, SessionState::Working, "{}", fault.spec);
            assert!(!case.processes().is_empty(), "{}", fault.spec);
        }
        Settled::Ended(_) => assert_eq!(case.processes(), [""; 0], "{}", fault.spec),
        Settled::Absent => panic!("{}: no record", fault.spec),
    }
    assert_eq!(fs::read_to_string(case.workspace().join("work.txt")).unwrap(), "precious\n");
}

/// A session that failed, of which nobody was told yet.
fn failed(case: &Case<'_>) {
    case.spawn("exit 3");
    let directory = case.home.join("sessions").join(&case.id);
    case.stage
        .env
        .wait_for("the agent's end", || directory.join("exit.json").exists().then_some(()));
}

/// Under one id, so that whoever is told twice can tell.
fn told_under_one_id(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    let Settled::Ended(record) = settled else { panic!("{}: it had ended", fault.spec) };
    assert!(record.outbox.is_empty(), "{}: {:?}", fault.spec, record.outbox);
    let notices = case.stage.notices(&case.id);
    let ids: BTreeSet<_> = notices.iter().map(|notice| notice["id"].to_string()).collect();
    assert_eq!((ids.len(), notices.len().min(3) > 0), (1, true), "{}: {notices:?}", fault.spec);
}

/// An agent that notes each line it is sent.
fn listening(case: &Case<'_>) {
    let script = r#"while read -r line; do echo "$line" >>"$AO_HOME/heard"; done"#;
    let words = ["spawn", "--agent", "shell", "--mode", "interactive", "--runtime", "process"];
    case.ao(&[&words[..], &["--id", "ID", script]].concat()).success();
    case.ao(&["reap"]).success();
}

/// Never twice; and where it may not have arrived, a person is told or the caller was.
fn typed_once_or_told(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    assert!(matches!(settled, Settled::Live(_)), "{}: it lives", fault.spec);
    case.ao(&["reap"]).success();
    let Settled::Live(record) = case.settled(&fault.spec) else { panic!("{}", fault.spec) };
    assert!(record.outbox.is_empty(), "{}: {:?}", fault.spec, record.outbox);
    let heard = || fs::read_to_string(case.home.join("heard")).unwrap_or_default();
    let recorded = case.events().contains("hello");
    let told = case.stage.notices(&case.id).len();
    if recorded && told == 0 {
        case.stage.env.wait_for("it arrives", || (heard() == "hello\n").then_some(()));
    }
    assert!(["", "hello\n"].contains(&&*heard()), "{}: {}", fault.spec, heard());
}

/// The same agent, whose checks fail.
fn told_to_fix(case: &Case<'_>) {
    listening(case);
    let fact = r#"{"fetched":true,"ci":"failing","pr":{"state":"open","number":7,"head_sha":"a1"},
        "checks":[{"name":"build","conclusion":"failure"}]}"#;
    let command = case.command(&["observe", "scm", "ID"]).stdin(fact);
    case.stage.env.run(&command).success();
}

/// The text arrives once, or a person is told once that nobody knows; never neither.
fn fixed_once_or_told(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    assert!(matches!(settled, Settled::Live(_)), "{}: it lives", fault.spec);
    case.ao(&["reap"]).success();
    let Settled::Live(record) = case.settled(&fault.spec) else { panic!("{}", fault.spec) };
    assert!(record.outbox.is_empty(), "{}: {:?}", fault.spec, record.outbox);
    let text = || fs::read_to_string(case.home.join("heard")).unwrap_or_default();
    let times = || text().matches("Checks fail on pull request #7").count();
    let told = case.stage.notices(&case.id).len();
    if told == 0 {
        case.stage.env.wait_for("it arrives", || (times() > 0).then_some(()));
    }
    assert!(times() <= 1 && told <= 1, "{}: {} and {told}", fault.spec, times());
}

const OPERATIONS: &[(&str, Operation)] = &[
    (
        "spawn in tmux",
        Operation { prepare: nothing, args: SPAWN_IN_TMUX, code: 0, check: spawned_or_gone },
    ),
    (
        "send",
        Operation {
            prepare: listening,
            args: &["send", "ID", "hello"],
            code: 0,
            check: typed_once_or_told,
        },
    ),
    ("spawn", Operation { prepare: nothing, args: SPAWN, code: 0, check: spawned_or_gone }),
    (
        "kill",
        Operation { prepare: working, args: &["kill", "ID"], code: 0, check: ended_or_as_before },
    ),
    (
        "cleanup",
        Operation { prepare: committed, args: &["cleanup", "ID"], code: 0, check: work_is_kept },
    ),
    (
        "cleanup kept",
        Operation { prepare: killed, args: &["cleanup", "ID"], code: 5, check: work_is_kept },
    ),
    (
        "cleanup --force",
        Operation {
            prepare: killed,
            args: &["cleanup", "--force", "ID"],
            code: 0,
            check: work_is_kept,
        },
    ),
    (
        "restore",
        Operation { prepare: killed, args: &["restore", "ID"], code: 0, check: restored_or_ended },
    ),
    (
        "reap a text",
        Operation { prepare: told_to_fix, args: &["reap"], code: 0, check: fixed_once_or_told },
    ),
    ("reap", Operation { prepare: failed, args: &["reap"], code: 0, check: told_under_one_id }),
];

fn operation(name: &str) -> &'static Operation {
    &OPERATIONS.iter().find(|(it, _)| *it == name).unwrap().1
}

#[test]
fn spawn_killed_at_each_step_works_or_leaves_nothing() {
    at_every_point(operation("spawn"), Hurt::Kill);
}

#[test]
fn spawn_in_tmux_killed_at_each_step_works_or_leaves_nothing() {
    at_every_point(operation("spawn in tmux"), Hurt::Kill);
}

#[test]
fn send_killed_at_each_step_types_nothing_twice_and_tells_the_person() {
    at_every_point(operation("send"), Hurt::Kill);
}

#[test]
fn spawn_on_a_full_disk_works_or_leaves_nothing() {
    at_every_point(operation("spawn"), Hurt::Full);
}

#[test]
fn spawn_on_a_bad_disk_works_or_leaves_nothing() {
    at_every_point(operation("spawn"), Hurt::Broken);
}

#[test]
fn kill_killed_at_each_step_is_finished_or_never_was() {
    at_every_point(operation("kill"), Hurt::Kill);
}

#[test]
fn kill_on_a_full_disk_is_finished_or_never_was() {
    at_every_point(operation("kill"), Hurt::Full);
}

#[test]
fn cleanup_killed_at_each_step_loses_no_commit() {
    at_every_point(operation("cleanup"), Hurt::Kill);
}

#[test]
fn cleanup_killed_at_each_step_keeps_a_dirty_workspace() {
    at_every_point(operation("cleanup kept"), Hurt::Kill);
}

#[test]
fn forced_cleanup_killed_at_each_step_loses_no_byte() {
    at_every_point(operation("cleanup --force"), Hurt::Kill);
}

#[test]
fn forced_cleanup_on_a_full_disk_loses_no_byte() {
    at_every_point(operation("cleanup --force"), Hurt::Full);
}

#[test]
fn restore_killed_at_each_step_works_or_has_ended() {
    at_every_point(operation("restore"), Hurt::Kill);
}

#[test]
fn restore_on_a_full_disk_works_or_has_ended() {
    at_every_point(operation("restore"), Hurt::Full);
}

#[test]
fn reap_killed_at_each_step_tells_the_person_under_one_id() {
    at_every_point(operation("reap"), Hurt::Kill);
}

#[test]
fn reap_killed_at_each_step_gives_a_text_once_or_tells_the_person() {
    at_every_point(operation("reap a text"), Hurt::Kill);
}

#[test]
fn every_failpoint_is_on_the_way_of_an_operation_tested_here() {
    let stage = Stage::new();
    let mut covered: BTreeSet<String> =
        ELSEWHERE.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (_, operation) in OPERATIONS {
        let case = stage.case();
        (operation.prepare)(&case);
        let all = case.passings(operation.args, operation.code);
        covered.extend(all.iter().filter_map(|it| Some(it.split_once('#')?.0.to_owned())));
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut missing = BTreeSet::new();
    for path in files_below(&source).iter().filter(|path| path.extension().is_some()) {
        for after in fs::read_to_string(path).unwrap().split("pass(\"").skip(1) {
            let name = after.split('"').next().unwrap_or_default();
            missing.extend((!covered.contains(name)).then(|| name.to_owned()));
        }
    }
    assert_eq!(missing, BTreeSet::new());
}
