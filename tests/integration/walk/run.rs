//! One run: the operation with its fault, what others meet meanwhile, and what is left.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use ao::adapter::clock::{Deadline, Stopwatch, poll_until};
use ao::adapter::process;
use rustix::process::{Pid, Signal, kill_process};

use super::plan::{Hurt, Passing, Run, generalised};
use super::standing;
use super::table::Operation;
use crate::env::Outcome;
use crate::faulted::{Case, Stage};

/// How long one that waits for a lock waits, in these tests.
const LOCK_TIMEOUT: &str = "100ms";

/// The longest that anything may take that others are stalled beside.
const IN_TIME: Duration = Duration::from_secs(20);

/// What came of an operation.
pub(super) struct Fault {
    /// The run, in words.
    pub(super) what: String,
    pub(super) hurt: Hurt,
    pub(super) passing: Passing,
    pub(super) outcome: Outcome,
}

impl Fault {
    /// The command said that it succeeded.
    pub(super) fn is_done(&self) -> bool {
        self.outcome.status == self.passing.operation.code
    }
}

/// Runs the operation undisturbed and returns what it passes, in its launcher as well.
pub(super) fn trace(stage: &Stage, operation: &'static Operation) -> Vec<Passing> {
    let case = stage.case();
    (operation.prepare)(&case);
    let file = stage.env.path("trace");
    let _ = fs::remove_file(&file);
    let children = ["launch", "check-run"].map(|role| format!("{role}/*=trace:{}", file.display()));
    fs::write(case.home.join("failpoints"), children.join("\n")).unwrap();
    let spec = format!("*=trace:{}", file.display());
    let command = operation.command(&case).env("AO_FAILPOINT", spec);
    let outcome = stage.env.run(&command);
    assert_eq!(outcome.status, operation.code, "{}: {outcome}", operation.name);
    wait_until_quiet(&case, operation);
    let text = fs::read_to_string(&file).unwrap_or_default();
    fs::remove_file(case.home.join("failpoints")).unwrap();
    end(&case);
    let roots = [
        (case.home.display().to_string(), "HOME"),
        (stage.env.path("").display().to_string(), "ROOT"),
        (case.id.clone(), "ID"),
    ];
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    let line = |line: &str| {
        let (point, about) = line.split_once('\t')?;
        let nth = count.entry(point.to_owned()).or_default();
        *nth += 1;
        let about = generalised(about, &roots);
        Some(Passing { operation, point: point.to_owned(), nth: *nth, about })
    };
    text.lines().filter_map(line).filter(|it| operation.is_steady(it)).collect()
}

/// What an operation starts may go on for a moment when it has ended.
fn wait_until_quiet(case: &Case<'_>, operation: &Operation) {
    if operation.begins {
        case.ao(&["reap", "--wait"]);
    }
}

/// Makes one run and looks at what is left; `false` where the point was not passed this time, as
/// happens with what is asked until it is so.
pub(super) fn one(stage: &Stage, run: &Run) -> bool {
    let case = stage.case();
    (run.operation.prepare)(&case);
    let _ = fs::remove_file(reached(&case));
    let is_stalled = run.hurt == Hurt::Stall && run.passing.role().is_none();
    let outcome = if is_stalled { stalled(&case, run) } else { hurt(&case, run) };
    if run.operation.ends && run.passing.role().is_some() {
        case.stage.env.wait_for("the agent's launcher to get there", || {
            (reached(&case).exists() || standing::launchers(&case).is_empty()).then_some(())
        });
    }
    if !reached(&case).exists() {
        end(&case);
        return false;
    }
    judge(&case, run, &outcome);
    let fault =
        Fault { what: run.to_string(), hurt: run.hurt, passing: run.passing.clone(), outcome };
    standing::check(&case, run.operation, &fault);
    end(&case);
    true
}

/// Where a point that is passed is written down.
fn reached(case: &Case<'_>) -> PathBuf {
    case.stage.env.path("reached")
}

/// Returns the rules that hurt at one passing.
fn spec(case: &Case<'_>, run: &Run) -> String {
    let Passing { point, nth, .. } = &run.passing;
    let (file, action) = (reached(case), run.hurt.action());
    format!("{point}#{nth}=trace:{},{point}#{nth}={action}", file.display())
}

fn hurt(case: &Case<'_>, run: &Run) -> Outcome {
    let spec = spec(case, run);
    let command = run.operation.command(case);
    if run.passing.role().is_none() {
        return case.stage.env.run(&command.env("AO_FAILPOINT", spec));
    }
    fs::write(case.home.join("failpoints"), spec).unwrap();
    let outcome = case.stage.env.run(&command);
    if run.operation.begins {
        // What it began finds its own rules in the file.
        case.stage.env.wait_for("what was begun to get there", || {
            let is_there = reached(case).exists() || !is_busy(case);
            is_there.then_some(())
        });
    }
    fs::remove_file(case.home.join("failpoints")).unwrap();
    if run.hurt == Hurt::Stall {
        beside(case, run.operation);
    }
    outcome
}

/// Whether a check that was begun still runs.
fn is_busy(case: &Case<'_>) -> bool {
    let lock = case.home.join("sessions").join(&case.id).join("check.lock");
    ao::store::lock::is_held_shared_probe(&lock).unwrap_or(false)
}

/// Whether what the command said is one of the things it may say.
fn judge(case: &Case<'_>, run: &Run, outcome: &Outcome) {
    let code = run.operation.code;
    let is_own = run.passing.role().is_none();
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    let is_told = outcome.stderr.contains("Interrupted system call");
    assert!(!is_told || !run.passing.is_call(), "a signal is nobody's fault\n{outcome}");
    match run.hurt {
        Hurt::Kill if is_own => assert_eq!(outcome.status, 137, "{outcome}"),
        Hurt::Interrupted if run.passing.is_call() => {
            assert_eq!(outcome.status, code, "a signal is nobody's fault\n{outcome}");
        }
        Hurt::Kill | Hurt::Broken | Hurt::Full | Hurt::Interrupted | Hurt::Denied => {
            if outcome.status != code {
                assert_refused(case, run, outcome);
            }
        }
        Hurt::Stall => {
            let allowed = [code, 0, 1, 3, 4, 5];
            assert!(allowed.contains(&outcome.status), "{outcome}");
        }
    }
}

/// The exit code is the documented one, and the message names what it was about.
fn assert_refused(case: &Case<'_>, run: &Run, outcome: &Outcome) {
    let point = run.passing.point();
    let is_own = run.passing.role().is_none();
    let mut allowed = vec![1];
    if run.hurt == Hurt::Denied {
        allowed.push(6);
    }
    if point.starts_with("http.") {
        allowed = vec![7];
    }
    if run.operation.name.starts_with("cleanup") {
        // What cannot be told is kept.
        allowed.push(5);
    }
    assert!(allowed.contains(&outcome.status), "{outcome}");
    if !run.passing.is_call() || !is_own {
        return;
    }
    // What ao doctor finds is its answer.
    let said = format!("{}{}", outcome.stderr, outcome.stdout);
    assert!(said.contains(run.hurt.text()), "it does not say why\n{outcome}");
    let places = [&case.home, &case.stage.repo, &case.stage.env.path("")];
    let names_file = places.iter().any(|it| said.contains(&*it.to_string_lossy()));
    let program = point.rsplit_once(':').map(|(_, program)| format!("`{program}"));
    let path = program.as_ref().is_some_and(|program| {
        said.contains(program) || said.contains(program.trim_start_matches('`'))
    });
    let is_child = point.starts_with("cmd.");
    assert!(names_file || path || is_child, "it names no file\n{outcome}");
    if program.is_some() {
        assert!(path, "it names no program\n{outcome}");
    }
}

/// Stops the command at its point, lets others work beside it, and lets it go on.
fn stalled(case: &Case<'_>, run: &Run) -> Outcome {
    let command = run.operation.command(case).env("AO_FAILPOINT", spec(case, run));
    let (out, err) = (case.stage.env.path("stalled.out"), case.stage.env.path("stalled.err"));
    let file = |path| Stdio::from(fs::File::create(path).unwrap());
    let stdin = run.operation.stdin_file(case);
    let mut child = command.spawn(stdin, file(&out), file(&err)).unwrap();
    let stopped = poll_until(Deadline::after(IN_TIME), || {
        let stat = process::read_stat(child.id()).unwrap()?;
        matches!(stat.state, b'T' | b'Z').then_some(stat.state)
    });
    if stopped == Some(b'T') {
        beside(case, run.operation);
        kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    }
    let status = wait(&mut child);
    let output = ao::adapter::cmd::Output {
        status,
        stdout: fs::read(&out).unwrap(),
        stderr: fs::read_to_string(&err).unwrap(),
    };
    Outcome::new(output, &case.stage.env.path(""))
}

/// Others read, reap and change the same session, each in time and with a documented code.
fn beside(case: &Case<'_>, operation: &Operation) {
    for (words, codes) in [
        (&["ls"][..], &[0][..]),
        (&["show", "ID"], &[0, 3]),
        (&["rename", "ID", "another"], &[0, 3, 4]),
        (&["reap"], &[0, 4]),
    ] {
        let watch = Stopwatch::start();
        let outcome = case.ao(&[&["--lock-timeout", LOCK_TIMEOUT][..], words].concat());
        let is_known = codes.contains(&outcome.status) || operation.mends && outcome.status == 1;
        assert!(is_known, "beside it: {words:?}: {outcome}");
        assert!(watch.elapsed() < IN_TIME, "beside it: {words:?} took {:?}", watch.elapsed());
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    const PATIENCE: Duration = Duration::from_secs(60);
    match poll_until(Deadline::after(PATIENCE), || child.try_wait().unwrap()) {
        Some(status) => status,
        None => {
            child.kill().unwrap();
            child.wait().unwrap();
            ExitStatus::from_raw(124 << 8)
        }
    }
}

/// Ends what a case left running, so that the next one has the machine for itself.
pub(super) fn end(case: &Case<'_>) {
    signal_all(case, Signal::KILL);
    let socket = case.home.join("tmux.sock");
    if socket.exists() {
        let command = case.stage.env.command("tmux").arg("-S").arg(socket).arg("kill-server");
        let _ = command.output();
    }
}

/// Sends a signal to every process that knows the home.
pub(super) fn signal_all(case: &Case<'_>, signal: Signal) {
    for line in case.processes() {
        let pid = line.split(' ').next().and_then(|pid| pid.parse::<i32>().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }
}
