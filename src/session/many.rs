//! Several spawns at once, side by side.
//!
//! What decides is done in order, by one thread: requests are checked, sessions are named and
//! recorded. What takes time is done by several: workspaces, agents, prompts. What is the same for
//! all is found out once: the repository, its base, the agent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::adapter::git::GitError;
use crate::adapter::process;
use crate::invocation::{Shared, World};
use crate::model::answer::PlanStep;
use crate::model::id::BranchName;
use crate::model::summary::Summary;
use crate::session::spawn::{self, Plan, Seeded, SpawnRequest, Spawned};
use crate::session::{SessionError, issue};

/// The most that are made at once: more would wait for the same disk and the same tmux.
const MOST: usize = 8;

/// What came of one request.
#[derive(Debug)]
pub struct Started {
    /// What the person should know, whether or not it came to a session.
    pub notes: Vec<String>,
    /// The session, or why there is none.
    pub result: Result<Spawned, SessionError>,
}

/// What is done for a session that runs, by the thread that made it; returns what the person
/// should know.
pub type After<'a> = dyn Fn(&World, &Spawned) -> Vec<String> + Sync + 'a;

/// One that is recorded and waits to be made.
struct Job {
    number: usize,
    plan: Arc<Plan>,
    seeded: Seeded,
    notes: Vec<String>,
}

/// Starts what `requests` ask for. `each` is told of one after the other, in their order, with the
/// place of the request; one that fails stops no other.
///
/// Where `each` fails, no other session is begun, and those that were are seen to their end.
pub fn spawn_all<E>(
    world: &World,
    requests: &[SpawnRequest],
    force: bool,
    after: &After<'_>,
    mut each: impl FnMut(usize, Started) -> Result<(), E>,
) -> Result<(), E> {
    let threads = requests.len().min(process::processors() * 2).clamp(1, MOST);
    // Without room: a session that is recorded is handed over before the next one is, so that one
    // at most waits for somebody to make it.
    let (jobs, queue) = sync_channel(0);
    let (sender, results) = channel();
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        for number in 0..threads {
            let (shared, sender, queue) = (world.share(), sender.clone(), &queue);
            let make = move || make_all(shared, queue, &sender, after);
            let begun = std::thread::Builder::new().spawn_scoped(scope, make);
            // One makes them all where no other is to be had; without any, nothing is begun.
            if number == 0 {
                begun.expect("a machine that can start no thread can start no agent");
            } else if begun.is_err() {
                break;
            }
        }
        let mut told = Told { next: 0, waiting: BTreeMap::new(), each: &mut each };
        let begun = begin_all(world, requests, force, &jobs, &sender, &results, &mut told);
        drop((jobs, sender));
        begun?;
        results.iter().try_for_each(|(number, started)| told.take(number, started))
    })
}

/// Tells `each` what would be done for the requests, one after the other, as if those before it
/// had been started, and what the person should know. Makes nothing.
pub fn plan_all(
    world: &World,
    requests: &[SpawnRequest],
    force: bool,
    mut each: impl FnMut(usize, &[String], Result<Vec<PlanStep>, SessionError>),
) {
    let mut planner = Planner::new(world, force);
    for (number, request) in requests.iter().enumerate() {
        let mut notes = Vec::new();
        let steps = planner.foresee(request, &mut notes);
        each(number, &notes, steps);
    }
}

/// Those whose turn to be told has not come.
struct Told<'a, F> {
    next: usize,
    waiting: BTreeMap<usize, Started>,
    each: &'a mut F,
}

impl<E, F: FnMut(usize, Started) -> Result<(), E>> Told<'_, F> {
    fn take(&mut self, number: usize, started: Started) -> Result<(), E> {
        self.waiting.insert(number, started);
        while let Some(started) = self.waiting.remove(&self.next) {
            self.next += 1;
            (self.each)(self.next - 1, started)?;
        }
        Ok(())
    }
}

fn begin_all<E, F: FnMut(usize, Started) -> Result<(), E>>(
    world: &World,
    requests: &[SpawnRequest],
    force: bool,
    jobs: &SyncSender<Job>,
    failed: &Sender<(usize, Started)>,
    results: &Receiver<(usize, Started)>,
    told: &mut Told<'_, F>,
) -> Result<(), E> {
    let mut planner = Planner::new(world, force);
    for (number, request) in requests.iter().enumerate() {
        let mut notes = Vec::new();
        match planner.begin(request, &mut notes) {
            Ok((plan, seeded)) => {
                // The threads live for as long as this sender does.
                let _ = jobs.send(Job { number, plan, seeded, notes });
            }
            Err(error) => {
                let _ = failed.send((number, Started { notes, result: Err(error) }));
            }
        }
        for (number, started) in results.try_iter() {
            told.take(number, started)?;
        }
    }
    Ok(())
}

/// Checks requests and records their sessions.
struct Planner<'a> {
    world: &'a World,
    force: bool,
    /// The last request that was planned: `--count` asks for the same again and again.
    last: Option<(SpawnRequest, Arc<Plan>)>,
    bases: spawn::Bases,
    /// Those that were asked for by name: the first that is begun has it, whoever is quicker.
    branches: BTreeSet<BranchName>,
    /// The sessions that a dry run has planned.
    planned: Vec<Summary>,
    /// Those of them that are numbered.
    numbered: u64,
}

impl<'a> Planner<'a> {
    fn new(world: &'a World, force: bool) -> Self {
        let (bases, branches) = (spawn::Bases::default(), BTreeSet::new());
        Self { world, force, last: None, bases, branches, planned: Vec::new(), numbered: 0 }
    }

    fn begin(
        &mut self,
        request: &SpawnRequest,
        notes: &mut Vec<String>,
    ) -> Result<(Arc<Plan>, Seeded), SessionError> {
        let plan = self.plan(request, notes)?;
        let seeded = spawn::begin(self.world, &plan)?;
        self.branches.extend(request.branch.clone());
        Ok((plan, seeded))
    }

    /// Returns the steps of a request that is not begun, and counts it for the next.
    fn foresee(
        &mut self,
        request: &SpawnRequest,
        notes: &mut Vec<String>,
    ) -> Result<Vec<PlanStep>, SessionError> {
        let plan = self.plan(request, notes)?;
        notes.extend(plan.notes.iter().cloned());
        let nth = self.numbered + 1;
        let steps = plan.steps(self.world, nth)?;
        self.planned.push(plan.foreseen(self.world, nth)?);
        self.numbered += u64::from(request.id.is_none());
        self.branches.extend(request.branch.clone());
        Ok(steps)
    }

    fn plan(
        &mut self,
        request: &SpawnRequest,
        notes: &mut Vec<String>,
    ) -> Result<Arc<Plan>, SessionError> {
        let branch = request.branch.as_ref();
        if let Some(branch) = branch.filter(|it| self.branches.contains(*it)) {
            return Err(GitError::BranchExists { branch: branch.to_string() }.into());
        }
        match &self.last {
            // What is only planned is in the way of the next that is.
            Some((last, plan)) if last == request && !request.dry_run => Ok(Arc::clone(plan)),
            Some(_) | None => {
                let (world, planned) = (self.world, &self.planned);
                let mut filled = request.clone();
                notes.extend(issue::fill_in(world, &mut filled, self.force)?);
                let plan = spawn::plan_of_many(world, filled, &mut self.bases, planned)?;
                let plan = Arc::new(plan);
                self.last = Some((request.clone(), Arc::clone(&plan)));
                Ok(plan)
            }
        }
    }
}

fn make_all(
    shared: Shared,
    queue: &Mutex<Receiver<Job>>,
    results: &Sender<(usize, Started)>,
    after: &After<'_>,
) {
    let world = shared.world();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { number, plan, seeded, mut notes }) = job else { return };
        let mut result = spawn::finish(&world, &plan, seeded);
        if let Ok(spawned) = &mut result {
            notes.append(&mut spawned.notes);
            notes.extend(after(&world, spawned));
        }
        let _ = results.send((number, Started { notes, result }));
    }
}
