//! The soak: many sessions under random faults, an account of all that was acknowledged, and one
//! page about what became of it.
//!
//! * [`deeds`]: spawn, send, kill, restore, cleanup, rename, report and looks, all the time at
//!   random; the pool is on;
//! * [`faults`]: kills, stops, full disks, clocks that step, hooks in bursts;
//! * [`watch`]: looks all the time whether anybody is declared dead who lives;
//! * [`settle`]: ends the faults, lets `ao` put everything in order, and ends everything;
//! * [`verdict`] compares the account ([`ledger`]) with what `ao`, git and the agents have.
//!
//! The driver asks `ao` nothing that it can see for itself: it reads files, processes and refs.

mod account;
mod call;
mod choice;
mod deeds;
mod faults;
mod ledger;
mod page;
mod settle;
mod stories;
mod traces;
mod verdict;
mod watch;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ao::adapter::clock;
use serde_json::Value;

use call::{Call, Done, Harm};
use choice::Choice;
use deeds::Hands;
use ledger::{Failed, Ledger};
use watch::Seen;
use world::World;

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The program under test.
    pub(crate) ao: PathBuf,
    /// How many sessions there are at a time.
    pub(crate) sessions: usize,
    /// How many hands work at once.
    pub(crate) hands: u64,
    /// How long it goes on, set-up and settling aside.
    pub(crate) time: Duration,
    /// What the choices are drawn from.
    pub(crate) seed: u64,
    /// Leave the world where it is when something is wrong.
    pub(crate) keep: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Report {
    /// The page.
    pub(crate) page: String,
    /// What calls said that failed though nothing was done to them.
    pub(crate) failures: String,
    /// Nothing was lost, done twice or left behind, and nothing else was wrong.
    pub(crate) is_clean: bool,
}

/// Everything that the threads share.
struct Soak {
    world: World,
    seed: u64,
    sessions: usize,
    hands: u64,
    until: Mutex<Instant>,
    over: AtomicBool,
    /// The disk is full, by failpoints.
    failing: AtomicBool,
    /// The names of failpoints that are passed here.
    points: Mutex<Vec<String>>,
    ledger: Mutex<Ledger>,
    seen: Mutex<Arc<Vec<Seen>>>,
}

/// Runs a soak to its end.
pub(crate) fn run(options: &Options) -> io::Result<Report> {
    let began = Instant::now();
    let world = World::new(&options.ao, options.sessions)?;
    let soak = Soak {
        world,
        seed: options.seed,
        sessions: options.sessions,
        hands: options.hands,
        until: Mutex::new(began),
        over: AtomicBool::new(false),
        failing: AtomicBool::new(false),
        points: Mutex::default(),
        ledger: Mutex::default(),
        seen: Mutex::default(),
    };
    let users = traces::users_files(&soak.world);
    // Not from the boot on: an hour back is a time before this, and is that of a later step.
    soak.ledger().steps.push((world::uptime(), 0));
    soak.set_up(options.sessions);
    let set_up = began.elapsed();
    *lock(&soak.until) = Instant::now() + options.time;
    soak.rage(options.time);
    let raged = began.elapsed() - set_up;
    let verdict = settle::settle(&soak, &users);
    let times = page::Times { set_up, raged, settled: began.elapsed() - set_up - raged };
    let page = page::page(&soak, &times, &verdict);
    let (failures, is_clean) = (page::failures(&soak), verdict.is_clean());
    if options.keep && !is_clean {
        // Not dropped: whoever asked for it wants to look.
        let Soak { world, .. } = soak;
        world.keep_home()?;
        std::mem::forget(world);
    }
    Ok(Report { page, failures, is_clean })
}

impl Soak {
    fn set_up(&self, sessions: usize) {
        self.learn_points();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for number in 0..self.hands {
                let next = &next;
                // Names of their own: those of the rage count from one again.
                scope.spawn(move || Hands::new(self, 50 + number).fill(next, sessions));
            }
        });
        self.look();
    }

    /// Lets everything loose until time is up.
    fn rage(&self, time: Duration) {
        std::thread::scope(|scope| {
            for number in 0..self.hands {
                scope.spawn(move || Hands::new(self, number).work());
            }
            scope.spawn(|| faults::small(self));
            scope.spawn(|| faults::great(self, time));
            scope.spawn(|| self.reap_all_the_time());
            scope.spawn(|| watch::watch(self));
            while Instant::now() < *lock(&self.until) {
                clock::pause(Duration::from_millis(50));
            }
            self.over.store(true, Ordering::SeqCst);
        });
    }

    /// Reaps every second, and now and then twice at once.
    fn reap_all_the_time(&self) {
        let mut choice = Choice::new(self.seed, 1);
        while !self.is_over() {
            let next = Instant::now() + Duration::from_secs(1);
            let mut call = Call::new(&["reap", "--json"], 120);
            if choice.percent(8) {
                call.harm = Harm::Kill(Duration::from_millis(choice.between(1, 600)));
            } else if choice.percent(6)
                && let Some(point) = self.point(&mut choice)
            {
                call.harm = Harm::Point(format!("{point}=kill"));
            }
            if choice.percent(20) {
                self.ledger().fault("two reaps at once");
                std::thread::scope(|scope| {
                    scope.spawn(|| self.call("reap", &Call::new(&["reap", "--json"], 120)));
                    self.call("reap", &call);
                });
            } else {
                self.call("reap", &call);
            }
            while !self.is_over() && Instant::now() < next {
                clock::pause(Duration::from_millis(20));
            }
        }
    }

    /// Learns the names of failpoints from one life of a session.
    fn learn_points(&self) {
        let trace = self.world.path("ledger/trace");
        let log = Harm::Point(format!("*=log:{}", trace.display()));
        let lives: &[&[&str]] = &[
            &["spawn", "--agent", "chat", "--id", "first", "begin"],
            &["reap"],
            &["send", "first", "hello"],
            &["rename", "first", "first"],
            &["kill", "first", "--yes"],
            &["restore", "first"],
            &["kill", "first", "--yes"],
            &["cleanup", "first", "--yes", "--force"],
        ];
        for args in lives {
            let mut call = Call::new(args, 120);
            call.harm = log.clone();
            if let Ok(done) = call.run(&self.world)
                && done.code != 0
            {
                let what = format!("ao {}: {}", args.join(" "), done.error);
                self.ledger().wrong.push(what);
            }
        }
        let mut names: Vec<String> = self.world.noted("trace").lines().map(str::to_owned).collect();
        names.sort();
        names.dedup();
        *lock(&self.points) = names;
    }

    /// Returns one of the failpoints, `None` in a build without.
    fn point(&self, choice: &mut Choice) -> Option<String> {
        choice.one(&lock(&self.points)).cloned()
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn fails_writes(&self) -> bool {
        self.failing.load(Ordering::SeqCst)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Returns the sessions as they were a moment ago.
    fn seen(&self) -> Arc<Vec<Seen>> {
        Arc::clone(&lock(&self.seen))
    }

    /// Looks at the sessions.
    fn look(&self) {
        *lock(&self.seen) = Arc::new(watch::look(&self.world));
    }

    /// Runs `ao` and notes what came of it; `None` where it could not even be run.
    fn call(&self, kind: &'static str, call: &Call) -> Option<Done> {
        let done = match call.run(&self.world) {
            Ok(done) => done,
            Err(error) => {
                self.ledger().wrong.push(format!("{kind} could not be run: {error}"));
                return None;
            }
        };
        let mut ledger = self.ledger();
        match call.harm {
            Harm::None => {}
            Harm::Kill(_) if done.code == 137 => ledger.fault("kill -9 of ao under way"),
            Harm::Kill(_) => {}
            Harm::Pause(..) => ledger.fault("SIGSTOP of ao for 2 s"),
            Harm::Point(_) if done.code == 137 => ledger.fault("kill -9 of ao at a failpoint"),
            Harm::Point(_) => ledger.fault("error or stall at a failpoint"),
        }
        let tally = ledger.operations.entry(kind).or_default();
        *tally.codes.entry(done.code).or_default() += 1;
        if call.harm == Harm::None {
            tally.took.push(done.took);
        }
        if let Some(overdue) = &done.overdue {
            ledger.overdue.push(overdue.clone());
        }
        if matches!(done.code, 101 | 134 | 139) || done.error.contains("panicked") {
            let words = call.args.join(" ");
            ledger.wrong.push(format!("ao {words} ended with {}: {}", done.code, done.error));
        }
        if call.harm != Harm::None || done.code == 137 {
            ledger.hurt.insert(done.pid);
        } else if done.code != 0 {
            *ledger.failures.entry(told(kind, &done)).or_default() += 1;
            if !is_an_answer(kind, &done) {
                let said = format!("{}{}", done.error.trim(), done.text.trim());
                let what = format!("ao {} ended with {}: {said}", call.args.join(" "), done.code);
                ledger.failed.push(Failed { what, during: done.during });
            }
        }
        Some(done)
    }
}

/// Returns whether a call may end like this though nothing goes wrong: another was quicker, a rule
/// forbids it, a wait came to its end, something is told of what was done to others.
fn is_an_answer(kind: &str, done: &Done) -> bool {
    match (kind, done.code) {
        ("wait", code) => matches!(code, 3 | 4 | 20..=23 | 124),
        // Looked at where it is called.
        ("log --verify", _) => true,
        ("outbox retry", 1) => done.answer["outbox"].is_array(),
        ("doctor --state", 1) => {
            let checks = done.answer["doctor"]["checks"].as_array();
            let is_of_the_killed = |check: &Value| {
                let why = check["why"].as_str().unwrap_or_default();
                let detail = check["detail"].as_str().unwrap_or_default();
                check["ok"] == true
                    || why == "an ao was killed between its log and its record"
                    || why == "it is half done"
                    || detail.contains("but the log ends at event")
            };
            checks.is_some_and(|checks| checks.iter().all(is_of_the_killed))
        }
        // Whatever says that it is a session's own ends with it.
        ("report" | "hook (burst)", 143) => true,
        (_, code) => matches!(code, 3..=5),
    }
}

/// Returns what a failure said, with numbers and ids taken out, so that equal ones are equal.
fn told(kind: &str, done: &Done) -> String {
    let said: Value = serde_json::from_str(&done.error).unwrap_or_default();
    let message = said["error"]["message"].as_str().unwrap_or(&done.error);
    let mut text = String::new();
    for word in message.lines().next().unwrap_or_default().split(' ') {
        let word = if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word };
        text = format!("{text} {word}");
    }
    format!("{kind} {}:{}", done.code, text.chars().take(110).collect::<String>())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often something was counted.
type Counts = BTreeMap<String, u64>;
