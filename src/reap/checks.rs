//! The part of a pass that begins and ends checks, and the passes that wait for them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Item, Pass, Report, reap};
use crate::adapter::clock::{Deadline, Stopwatch};
use crate::invocation::World;
use crate::model::id::{SessionId, short};
use crate::session::SessionError;
use crate::session::check::{self, Progress, Step};

/// Makes passes until no check runs, or `timeout` has passed: each waits for the checks that run,
/// looks at what came of them and delivers it.
pub fn reap_waiting(
    world: &World,
    timeout: Option<Duration>,
) -> Result<Option<Report>, SessionError> {
    let deadline = Deadline::after(timeout.unwrap_or(Duration::MAX));
    let Some(mut report) = reap(world)? else { return Ok(None) };
    loop {
        let waited = wait_for_checks(world, &report.checking, deadline)?;
        if waited.is_empty() {
            return Ok(Some(report));
        }
        report.waited.extend(waited);
        // Where another pass is under way, that one looks.
        let Some(later) = reap(world)? else { return Ok(Some(report)) };
        report = report.followed_by(later);
        if deadline.passed() {
            return Ok(Some(report));
        }
    }
}

/// Waits for the checks that a pass left running: one that ended since has not been looked at.
fn wait_for_checks(
    world: &World,
    checking: &BTreeSet<SessionId>,
    deadline: Deadline,
) -> Result<Vec<Item>, SessionError> {
    let mut waited = Vec::new();
    for id in checking {
        let watch = Stopwatch::start();
        let is_over = check::wait(world, id, deadline)?;
        let what = if is_over { "waited for its check" } else { "its check still runs" };
        let why = Some(format!("{:.1} s", watch.elapsed().as_secs_f64()));
        waited.push(Item { id: id.to_string(), what: what.to_owned(), why });
    }
    Ok(waited)
}

impl Report {
    /// Adds what a later pass did to what this one did.
    fn followed_by(mut self, mut later: Self) -> Self {
        self.transitions.append(&mut later.transitions);
        self.recovered.append(&mut later.recovered);
        self.escalated.append(&mut later.escalated);
        self.delivered.append(&mut later.delivered);
        self.reviewed.append(&mut later.reviewed);
        self.cleaned.append(&mut later.cleaned);
        self.spawned.append(&mut later.spawned);
        self.checks.append(&mut later.checks);
        self.failed.append(&mut later.failed);
        self.took_ms += later.took_ms;
        // What waits is what waits at the end.
        Self {
            probed: later.probed,
            held: later.held,
            storm: later.storm,
            checking: later.checking,
            ..self
        }
    }
}

impl Pass<'_> {
    /// Begins and ends checks; where one step fails, those that follow for the session wait.
    pub(super) fn check(&mut self, steps: &[Step]) {
        let mut failed = BTreeSet::new();
        for step in steps {
            if failed.contains(&step.id) {
                continue;
            }
            let what = match check::advance(self.world, step) {
                Ok(Progress::Begun) => {
                    self.report.checking.insert(step.id.clone());
                    format!("began the check of {}", short(&step.head_sha))
                }
                Ok(Progress::Buried) => "found its check's supervisor dead".to_owned(),
                Ok(Progress::Waits(_)) => continue,
                Err(error) if error.is_put_away() => continue,
                Err(error) => {
                    self.report.fail(&step.id, "check", &error);
                    failed.insert(step.id.clone());
                    continue;
                }
            };
            self.report.checks.push(Item { id: step.id.to_string(), what, why: None });
        }
    }
}
