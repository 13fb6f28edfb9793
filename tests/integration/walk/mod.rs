//! Every point at which the machine can fail `ao`, in every operation, with every kind of fault.
//!
//! Each operation is run once to learn which points it passes. Then it is run once for every fault
//! that is to be tried: killed there, refused by the system there, or stopped there while others
//! go on. After each, a fresh process reads and reaps, and everything has to stand as it must.
//!
//! `cargo test` kills at every point, here in one operation and there in another, and every
//! operation at each of its own steps, and tries one error at every second point.
//! `AO_FAULTS=sampled` tries all kinds of them at each point, in the same way; `AO_FAULTS=all`
//! tries every kind at every place that a point is passed at, kills at every passing, and takes
//! more than an hour; `AO_FAULTS_ONLY` is the name of one operation, `AO_FAULTS_AT` a part of the
//! name of the runs to make, as they are told (`fs.rename#2=stop`).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what was covered is listed")]

mod checks;
mod company;
mod filed;
mod plan;
pub(crate) mod prepare;
mod run;
mod standing;
mod table;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::faulted::Stage;
use plan::{Passing, Run};
use table::{ELSEWHERE, OPERATIONS, Operation};

/// How many runs are under way at the same time: most of each waits for children.
const WORKERS: usize = 4;

/// Runs `job` for every item on a few threads, one operation's items on one of them after another,
/// and returns what came of it.
fn in_parallel<T: Sync, R: Send>(items: &[T], job: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let Some(item) = items.get(number) else { return };
                    let result = job(item);
                    results.lock().unwrap().insert(number, result);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
}

/// Returns the operations to look at.
fn chosen() -> Vec<&'static Operation> {
    let only = std::env::var("AO_FAULTS_ONLY").unwrap_or_default();
    let all = OPERATIONS.iter().chain(company::OPERATIONS).chain(filed::OPERATIONS);
    let chosen: Vec<_> = all.filter(|it| only.is_empty() || it.name == only).collect();
    assert!(!chosen.is_empty(), "AO_FAULTS_ONLY: no operation is called `{only}`");
    chosen
}

/// Returns every passing of every operation, which are traced once for all tests that ask.
fn passings() -> &'static [Passing] {
    static PASSINGS: OnceLock<Vec<Passing>> = OnceLock::new();
    PASSINGS.get_or_init(trace_all)
}

fn trace_all() -> Vec<Passing> {
    let traced = in_parallel(&chosen(), |operation| {
        let operation: &'static Operation = operation;
        let trace = || run::trace(&Stage::with(operation.setting), operation);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(trace)).map_err(said)
    });
    let failed: Vec<&String> = traced.iter().filter_map(|trace| trace.as_ref().err()).collect();
    assert!(failed.is_empty(), "an operation does not run undisturbed: {failed:#?}");
    traced.into_iter().flatten().flatten().collect()
}

/// Returns what a thread said that panicked.
fn said(why: Box<dyn Any + Send>) -> String {
    let text = why.downcast_ref::<String>().cloned();
    let text = text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_default()
}

fn attempt(stage: &Stage, run: &Run) -> std::thread::Result<bool> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run::one(stage, run)))
}

/// Returns what plans the runs.
fn planner() -> fn(&[Passing]) -> Vec<Run> {
    // All of the sample takes longer than the other tests together: `script/check-more` walks it.
    match &*std::env::var("AO_FAULTS").unwrap_or_default() {
        "all" => plan::every,
        "sampled" => plan::sampled,
        "" => plan::brief,
        other => panic!("AO_FAULTS is `all` or `sampled`, and not `{other}`"),
    }
}

/// Returns those of `runs` that are asked for.
fn asked_for(runs: Vec<Run>) -> Vec<Run> {
    let at = std::env::var("AO_FAULTS_AT").unwrap_or_default();
    let runs: Vec<Run> = runs.into_iter().filter(|run| run.to_string().contains(&at)).collect();
    assert!(!runs.is_empty(), "AO_FAULTS_AT: no run has `{at}` in its name");
    runs
}

/// Returns the passings that faults are tried at, in words.
fn places(runs: &[Run]) -> BTreeSet<String> {
    let place = |Run { operation, passing, .. }: &Run| {
        format!("{}: {}#{}", operation.name, passing.point, passing.nth)
    };
    runs.iter().map(place).collect()
}

/// Returns at how many of so many places no fault may have been met: one or two are usual, passed
/// only while another holds a lock, or once more or less often. What is tried alone has to be met.
fn may_miss(tried: usize) -> usize {
    (2 + tried / 50).min(tried - 1)
}

/// What came of a batch of runs of one operation.
#[derive(Default)]
struct Walked {
    /// What was wrong, each with its run.
    found: Vec<String>,
    /// The runs whose point was not passed, at a second try neither.
    missed: Vec<Run>,
}

fn walk(batch: &[Run]) -> Walked {
    let mut walked = Walked::default();
    let Some(first) = batch.first() else { return walked };
    let mut stage = Stage::with(first.operation.setting);
    for (number, run) in batch.iter().enumerate() {
        if number > 0 && (first.operation.moves || number % 40 == 0) {
            stage = Stage::with(first.operation.setting);
        }
        let mut result = attempt(&stage, run);
        if let Ok(false) = result {
            // It was ended in the middle of something; and some points, as the making of a
            // repository's first entry, are passed by nobody but the first of a stage.
            stage = Stage::with(first.operation.setting);
            result = attempt(&stage, run);
        }
        if let Ok(false) = result {
            println!("not passed this time: {run}");
            walked.missed.push(run.clone());
            stage = Stage::with(first.operation.setting);
        }
        if let Err(why) = result {
            let why = said(why);
            eprintln!("FOUND {run}: {why}");
            walked.found.push(format!("{run}:\n{why}"));
            // What it left could disturb the next one.
            stage = Stage::with(first.operation.setting);
        }
    }
    walked
}

#[test]
fn every_operation_stands_every_fault_at_every_point() {
    let planned = planner();
    let all = passings();
    let runs = asked_for(planned(all));
    println!("{}", plan::summary(all, &runs));
    let tried = places(&runs).len();
    let batches = plan::batches(runs);
    let (mut found, mut missed) = (Vec::new(), Vec::new());
    for walked in in_parallel(&batches, |batch| walk(batch)) {
        found.extend(walked.found);
        missed.extend(walked.missed);
    }
    let missed = places(&missed);
    println!("{} findings, {} of {tried} places not met", found.len(), missed.len());
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    assert!(missed.len() <= may_miss(tried), "faults were not met at {missed:#?}");
}

#[test]
fn every_failpoint_of_the_source_is_passed_by_an_operation() {
    let all = passings();
    println!("{}", plan::summary(all, &plan::sampled(all)));
    let passed: Vec<&str> = all.iter().map(|it| it.point.as_str()).collect();
    let missing = plan::not_passed(&passed);
    assert_eq!(missing, [""; 0], "no operation of the table passes these");
    // Somebody may have to wait, now and then.
    let is_idle = |point: &&str| passed.contains(point) && *point != "lock.wait";
    let idle = ELSEWHERE.iter().map(|(point, ..)| *point).filter(is_idle);
    assert_eq!(idle.collect::<Vec<_>>(), [""; 0], "an operation of the table passes these as well");
}

#[test]
fn every_point_that_is_left_out_is_hurt_by_another_test() {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    let mut unhurt = Vec::new();
    for (point, _, file) in ELSEWHERE {
        let text = std::fs::read_to_string(tests.join(file)).unwrap();
        let name = regex::escape(point);
        // By its name, or as one of a list.
        let hurt = format!(r"\b{name}(:\w+)?(#\d+\+?)?=(kill|stop|error:|sleep:|\{{)");
        let is_hurt = regex::Regex::new(&hurt).unwrap().is_match(&text);
        let is_listed = text.contains(&format!("\"{point}\"")) && text.contains("{point}=kill");
        if !is_hurt && !is_listed {
            unhurt.push(format!("{point}: {file}"));
        }
    }
    assert_eq!(unhurt, [""; 0], "no fault is made there");
}
