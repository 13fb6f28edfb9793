//! Which faults are tried where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::table::{ELSEWHERE, Operation};
use crate::faulted::files_below;

/// What is done to a process at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hurt {
    Kill,
    Broken,
    Full,
    Interrupted,
    Denied,
    Stall,
}

impl Hurt {
    pub(super) const ALL: [Self; 6] =
        [Self::Kill, Self::Broken, Self::Full, Self::Interrupted, Self::Denied, Self::Stall];

    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Broken => "error:5",
            Self::Full => "error:28",
            Self::Interrupted => "error:4",
            Self::Denied => "error:13",
            Self::Stall => "stop",
        }
    }

    /// How the operating system puts it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Kill | Self::Stall => "",
            Self::Broken => "Input/output error",
            Self::Full => "No space left on device",
            Self::Interrupted => "Interrupted system call",
            Self::Denied => "Permission denied",
        }
    }
}

/// One time that an operation passes a point.
#[derive(Clone)]
pub(super) struct Passing {
    pub(super) operation: &'static Operation,
    /// `fs.rename`, `cmd.spawn:git`, `launch/fs.create`.
    pub(super) point: String,
    /// Which time it is, from one.
    pub(super) nth: u32,
    /// What it is about, the same in each run of the operation.
    pub(super) about: String,
}

impl Passing {
    /// Whether it is a place at which the operating system is asked for something, rather than a
    /// step of an operation.
    pub(super) fn is_call(&self) -> bool {
        const CALLS: [&str; 14] = [
            "fs.",
            "dirfd.",
            "directory.",
            "git.",
            "store.",
            "cmd.",
            "flock.",
            "lock.",
            "git2.",
            "http.",
            "reviews.",
            "runtime.",
            "notify.",
            "launch.agent",
        ];
        CALLS.iter().any(|prefix| self.point().starts_with(prefix))
    }

    /// Whether an event was appended that its record does not know yet.
    pub(super) fn is_commit(&self) -> bool {
        self.point == "store.record"
    }

    /// The point without the kind of process that passes it.
    pub(super) fn point(&self) -> &str {
        self.point.rsplit_once('/').map_or(&self.point, |(_, point)| point)
    }

    /// The process that passes it, where it is not the command itself.
    pub(super) fn role(&self) -> Option<&str> {
        self.point.rsplit_once('/').map(|(role, _)| role)
    }
}

/// The steps that stand after what they are called by: nothing is asked of the system there that
/// it could refuse.
const DONE: [&str; 6] = [
    "spawn.completed",
    "deliver.done",
    "store.archived",
    "reviews.replaced",
    "merge.recorded",
    "answer.printed",
];

/// One run to be made.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) operation: &'static Operation,
    pub(super) passing: Passing,
    pub(super) hurt: Hurt,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Passing { point, nth, about, .. } = &self.passing;
        write!(f, "{}: {point}#{nth}={} ({about})", self.operation.name, self.hurt.action())
    }
}

/// Returns what a point is about without what differs from run to run.
pub(super) fn generalised(about: &str, roots: &[(String, &str)]) -> String {
    static CHANGING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b[0-9a-f]{7,64}\b|\.ao-tmp-\S+|l-\w{8,}").unwrap());
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+").unwrap());
    let mut text = about.to_owned();
    for (root, name) in roots {
        text = text.replace(root, name);
    }
    let text = NUMBER.replace_all(&CHANGING.replace_all(&text, "X"), "N").into_owned();
    text.chars().take(200).collect()
}

/// Returns the kinds of fault that there can be at a point.
fn kinds(passing: &Passing) -> Vec<Hurt> {
    let refused = |hurt: &Hurt| !matches!(hurt, Hurt::Kill | Hurt::Stall);
    let is_done = DONE.contains(&passing.point());
    Hurt::ALL.into_iter().filter(|hurt| !(is_done && refused(hurt))).collect()
}

/// Returns those of [`kinds`] that tell something the others do not: a step fails alike whatever
/// the reason, and a process that nobody asks has nobody to explain it to.
fn telling(passing: &Passing) -> Vec<Hurt> {
    let tells = |hurt: &Hurt| match hurt {
        Hurt::Kill | Hurt::Broken | Hurt::Stall => true,
        Hurt::Interrupted => passing.is_call(),
        Hurt::Full | Hurt::Denied => passing.is_call() && passing.role().is_none(),
    };
    kinds(passing).into_iter().filter(tells).collect()
}

/// Every kind of fault at every place that a point is passed at, and a kill at every passing.
pub(super) fn every(all: &[Passing]) -> Vec<Run> {
    let mut seen = BTreeSet::new();
    let mut runs = Vec::new();
    for passing in all {
        let is_new = seen.insert((passing.operation.name, &passing.point, &passing.about));
        for hurt in kinds(passing) {
            if hurt == Hurt::Kill || is_new {
                runs.push(Run { operation: passing.operation, passing: passing.clone(), hurt });
            }
        }
    }
    runs
}

/// Every kind of fault at every point, here in one operation and there in another; and a kill at
/// every step and every commit of every operation that leaves the repository as it was. Of an operation that is a
/// variant of another, those steps are left out here, and not in [`every`], which the other one
/// has: there they are killed at, and what follows them is of the same code.
pub(super) fn sampled(all: &[Passing]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut killed = BTreeSet::new();
    let plain = all.iter().filter(|it| !it.operation.is_variant).map(|it| it.point.as_str());
    let plain: BTreeSet<&str> = plain.collect();
    let is_known = |it: &Passing| it.operation.is_variant && plain.contains(&*it.point);
    let is_step = |it: &&Passing| !it.is_call() || it.is_commit();
    let steps = all.iter().filter(is_step).filter(|it| !it.operation.moves && !is_known(it));
    for passing in steps {
        let nth = if passing.is_commit() { passing.nth } else { 1 };
        if killed.insert((passing.operation.name, &passing.point, &passing.about, nth)) {
            let hurt = Hurt::Kill;
            runs.push(Run { operation: passing.operation, passing: passing.clone(), hurt });
        }
    }
    let mut places: BTreeMap<&str, Vec<&Passing>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for passing in all {
        if seen.insert((passing.operation.name, &passing.point, &passing.about)) {
            places.entry(&passing.point).or_default().push(passing);
        }
    }
    for (number, places) in places.values().enumerate() {
        for (kind, hurt) in telling(places[0]).into_iter().enumerate() {
            // Spread over the operations that pass it.
            let passing = places[(number + kind * places.len() / Hurt::ALL.len()) % places.len()];
            runs.push(Run { operation: passing.operation, passing: passing.clone(), hurt });
        }
    }
    runs
}

/// The kills of [`sampled`], and at every second point one of its errors, another kind from one
/// point to the next. Stalls are left to [`sampled`]: each is waited for.
pub(super) fn brief(all: &[Passing]) -> Vec<Run> {
    let (mut runs, others): (Vec<Run>, Vec<Run>) =
        sampled(all).into_iter().partition(|run| run.hurt == Hurt::Kill);
    let mut of: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for run in others.into_iter().filter(|run| run.hurt != Hurt::Stall) {
        of.entry(run.passing.point.clone()).or_default().push(run);
    }
    for (number, mut kinds) in of.into_values().step_by(2).enumerate() {
        runs.push(kinds.swap_remove(number % kinds.len()));
    }
    runs
}

/// Divides runs into pieces of one operation each, for those who share the work.
pub(super) fn batches(runs: Vec<Run>) -> Vec<Vec<Run>> {
    const LONGEST: usize = 12;
    let mut of: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
    for run in runs {
        of.entry(run.operation.name).or_default().push(run);
    }
    let mut batches: Vec<Vec<Run>> =
        of.into_values().flat_map(|runs| pieces(runs, LONGEST)).collect();
    batches.sort_by_key(|batch| std::cmp::Reverse(batch.len()));
    batches
}

fn pieces(mut runs: Vec<Run>, longest: usize) -> Vec<Vec<Run>> {
    let mut pieces = Vec::new();
    while runs.len() > longest {
        let rest = runs.split_off(longest);
        pieces.push(std::mem::replace(&mut runs, rest));
    }
    pieces.push(runs);
    pieces
}

/// Returns the list of points with how often, by how many operations each is passed, and what is
/// tried.
pub(super) fn summary(all: &[Passing], runs: &[Run]) -> String {
    let mut points: BTreeMap<&str, (usize, BTreeSet<&str>, usize)> = BTreeMap::new();
    for passing in all {
        let (times, operations, _) = points.entry(&passing.point).or_default();
        *times += 1;
        operations.insert(passing.operation.name);
    }
    for run in runs {
        points.entry(&run.passing.point).or_default().2 += 1;
    }
    let mut text = format!(
        "{} points, {} passings, {} runs\n{:<28} passed in operations faults\n",
        points.len(),
        all.len(),
        runs.len(),
        "point"
    );
    for (point, (times, operations, faults)) in points {
        text.push_str(&format!("{point:<28} {times:>6} {:>13} {faults:>6}\n", operations.len()));
    }
    text
}

/// Returns the points that the source names and nobody passed.
pub(super) fn not_passed(passed: &[&str]) -> Vec<String> {
    let name = Regex::new(
        r#"(?:pass|through|pass_at|lock|written|cut_open|self\.pass)\([^"()]*"([a-z0-9_]+\.[a-z0-9_.]+)""#,
    )
    .unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut missing = BTreeSet::new();
    for path in files_below(&source).iter().filter(|path| path.extension().is_some()) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for found in name.captures_iter(&text) {
            let point = &found[1];
            let is_passed = passed.iter().any(|it| {
                let it = it.rsplit_once('/').map_or(*it, |(_, point)| point);
                it == point || it.starts_with(&format!("{point}:"))
            });
            if !is_passed && !ELSEWHERE.iter().any(|(elsewhere, ..)| *elsewhere == point) {
                missing.insert(point.to_owned());
            }
        }
    }
    missing.into_iter().collect()
}
