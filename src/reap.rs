//! One pass over everything: the only clock there is.
//!
//! Finishes dead owners' intents, probes all sessions at once, ticks escalations, delivers the
//! outboxes, cleans up what policy allows. Idempotent; one session's failure stops no other.

mod archive;
mod checks;
mod clean;
mod memory;
mod review;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::act::Delivery;
use crate::adapter::clock::{self, Stopwatch};
use crate::adapter::runtime::tmux::Tmux;
use crate::adapter::threads;
use crate::config::Layered;
use crate::decide::{self, Outcome};
use crate::invocation::{self, World};
use crate::model::collect::Sorted;
use crate::model::effect::{EntryKind, OutboxEntry};
use crate::model::facts::{Bare, Observation, RuntimeFact};
use crate::model::id::SessionId;
use crate::model::lifecycle::SessionReason;
use crate::model::record::{Kind, Record};
use crate::model::reset::reset_time;
use crate::model::sanitize;
use crate::model::screen::ScreenSign;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::observe::{self, Look, Probe};
use crate::session::deliver::{self, Attempt, Patience};
use crate::session::intake::{self, Intake};
use crate::session::intent::{self, Recovery};
use crate::session::poll::Ahead;
use crate::session::{SessionError, poll, sight};
use crate::store::StoreError;

pub use checks::reap_waiting;
pub use memory::{last_pass, last_report};

/// Lines of the screen of an agent that never started.
const SCREEN_LINES: u32 = 50;

/// A change of status that a pass caused.
#[derive(Clone, Debug, Serialize)]
pub struct Transition {
    /// The session.
    pub id: SessionId,
    /// Its status before.
    pub from: Status,
    /// Its status after.
    pub to: Status,
    /// The rule that decided.
    pub rule: String,
}

/// Something done to, or failed for, one session.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// The session.
    pub id: String,
    /// What.
    pub what: String,
    /// Why, or how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What one pass did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// How many sessions were probed.
    pub probed: usize,
    /// Changes of status.
    pub transitions: Vec<Transition>,
    /// Intents of dead owners that were finished or undone.
    pub recovered: Vec<Item>,
    /// Reactions that became a person's.
    pub escalated: Vec<Item>,
    /// Outbox entries that arrived.
    pub delivered: Vec<Item>,
    /// Outbox entries that wait.
    pub held: Vec<Item>,
    /// Reviews that were begun or closed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviewed: Vec<Item>,
    /// Sessions that were cleaned up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cleaned: Vec<Item>,
    /// Sessions that were started for issues.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spawned: Vec<Item>,
    /// Checks that were begun, or whose supervisor was found dead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Item>,
    /// Checks that were waited for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waited: Vec<Item>,
    /// What went wrong, session by session.
    pub failed: Vec<Item>,
    /// So many looked dead at once that none was believed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub storm: bool,
    /// Another pass was under way, so this one did nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The sessions whose check it saw running, or began.
    #[serde(skip)]
    pub checking: BTreeSet<SessionId>,
}

impl Report {
    /// Returns whether nothing happened.
    pub fn is_quiet(&self) -> bool {
        self.transitions.is_empty()
            && self.recovered.is_empty()
            && self.escalated.is_empty()
            && self.delivered.is_empty()
            && self.reviewed.is_empty()
            && self.cleaned.is_empty()
            && self.spawned.is_empty()
            && self.checks.is_empty()
            && self.failed.is_empty()
    }

    fn fail(&mut self, id: &SessionId, what: &str, error: &dyn std::error::Error) {
        self.failed.push(Item {
            id: id.to_string(),
            what: what.to_owned(),
            why: Some(sanitize::chain(error)),
        });
    }
}

/// One pass under way: the records as it knows them, and what it did so far.
///
/// Each record is read once at the beginning, and again only after this pass changed it. What
/// others change meanwhile is seen where it counts, under the session's lock, and by the next
/// pass.
struct Pass<'a> {
    world: &'a World,
    started: Timestamp,
    records: BTreeMap<SessionId, Box<Record>>,
    /// Those whose launcher was alive when they were read.
    held: BTreeSet<SessionId>,
    /// Those of them that neither their being alive nor the time of this pass changes.
    quiet: BTreeSet<SessionId>,
    /// Those that had no reviews when they were read.
    unreviewed: BTreeSet<SessionId>,
    /// Heads that are fit to be reviewed.
    green: BTreeMap<SessionId, String>,
    /// Workers that have reviews, or are to have one.
    reviewed: Vec<SessionId>,
    /// It only says what it would do, so files that a dead writer left stay as they are.
    is_preview: bool,
    report: Report,
}

impl<'a> Pass<'a> {
    fn new(world: &'a World, started: Timestamp) -> Self {
        let (records, green, reviewed, report, held, quiet, unreviewed) = Default::default();
        Self {
            world,
            started,
            records,
            held,
            quiet,
            unreviewed,
            green,
            reviewed,
            is_preview: false,
            report,
        }
    }
}

/// Makes one pass; `None` where another one is under way.
pub fn reap(world: &World) -> Result<Option<Report>, StoreError> {
    let Some(_lock) = world.home.try_lock_file("reap.lock")? else { return Ok(None) };
    let watch = Stopwatch::start();
    let started = clock::now();
    let mut pass = Pass::new(world, started);
    let last = last_pass(world);
    let look = pass.load_all(last)?;
    world.home.sweep_since(started, last);
    let look = pass.recover(look);
    pass.foresee();
    let ahead = poll::look_ahead(world, &pass.records);
    pass.probe(look);
    pass.read_screens();
    pass.poll(ahead);
    pass.take_issues();
    pass.review();
    pass.tick();
    pass.deliver();
    pass.settle_reviews();
    pass.archive();
    pass.clean();
    let mut report = pass.report;
    report.took_ms = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
    memory::remember(world, started, &report)?;
    Ok(Some(report))
}

/// What a pass would do.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// What, and why.
    pub steps: Vec<(String, String)>,
    /// What went wrong, session by session: the steps know nothing of that.
    pub failed: Vec<Item>,
    /// So many look dead at once that none is believed to be.
    pub storm: bool,
}

/// Returns what a pass would do now, without doing it: what it would do in the wake of that is
/// not in it.
pub fn preview(world: &World) -> Result<Preview, StoreError> {
    let started = clock::now();
    let mut pass = Pass { is_preview: true, ..Pass::new(world, started) };
    let look = pass.load_all(None)?;
    let mut steps = Vec::new();
    for (id, record) in &pass.records {
        if let Some(intent) = record.intent.as_ref().filter(|intent| intent::is_abandoned(intent)) {
            let why = format!("process {} died at its {}", intent.pid, intent.step);
            steps.push((format!("finish or undo the {} of {id}", intent.op), why));
        }
    }
    let facts = pass.look(look);
    for (id, observation) in facts.into_iter().chain(pass.look_at_screens()) {
        steps.extend(pass.would_change(&id, &observation));
    }
    let mut report = std::mem::take(&mut pass.report);
    for (id, record) in &pass.records {
        if !record.lifecycle.is_terminal() {
            steps.extend(pass.would_change(id, &Observation::Tick(Bare::default())));
        }
        steps.extend(review::would_close(world, id, record, started));
        steps.extend(record.undelivered().map(|(key, entry)| {
            (format!("deliver {key} of {id}"), format!("{} since {}", entry.kind, entry.created_at))
        }));
        match clean::would_clean(world, id, record, started) {
            Ok(cleaning) => steps.extend(cleaning),
            Err(error) => report.fail(id, "cleanup", &error),
        }
    }
    match clean::would_delete(world, started) {
        Ok(deleting) => steps.extend(deleting),
        Err(error) => report.failed.push(clean::stays("empty trash", &error)),
    }
    Ok(Preview { steps, failed: report.failed, storm: report.storm })
}

/// Returns the sessions that a pass would find lost, without making it.
pub fn would_lose(world: &World) -> Result<Vec<SessionId>, StoreError> {
    let mut pass = Pass { is_preview: true, ..Pass::new(world, clock::now()) };
    let look = pass.load_all(None)?;
    let mut lost = pass.look(look);
    lost.retain(|(id, fact)| {
        let after = pass.outcome_of(id, fact).map(|outcome| outcome.after.lifecycle);
        after.is_some_and(|it| it.is_terminal() && it.session.reason == SessionReason::RuntimeLost)
    });
    Ok(lost.into_iter().map(|(id, _)| id).collect())
}

impl Pass<'_> {
    /// Reads all records, while tmux is asked who lives, and removes what killed processes left
    /// beside them since the pass at `last`.
    fn load_all(&mut self, last: Option<Timestamp>) -> Result<Look, StoreError> {
        let (world, home) = (self.world, &self.world.home);
        let mut look = Look::new(home.root(), &world.config_directory);
        for (id, sight) in sight::all(home, &mut look)? {
            let now = self.started;
            if !self.is_preview && sight.as_ref().is_none_or(|it| it.is_untidy(last, now)) {
                home.sweep_session(&id, self.started);
            }
            let Some(sight) = sight else {
                self.load(&id);
                continue;
            };
            if sight.is_held {
                self.held.insert(id.clone());
            }
            if !sight.has_reviews {
                self.unreviewed.insert(id.clone());
            }
            self.records.insert(id, sight.record);
        }
        Ok(look)
    }

    /// Reads a record again, or one at which a glance was not enough.
    fn load(&mut self, id: &SessionId) {
        self.records.remove(id);
        self.held.remove(id);
        self.quiet.remove(id);
        self.unreviewed.remove(id);
        match self.world.home.load(id) {
            Ok(loaded) if !loaded.archived => {
                if !loaded.notes.is_empty() && !self.is_preview {
                    self.put_right(id);
                }
                self.records.insert(id.clone(), Box::new(loaded.record));
            }
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => self.report.fail(id, "load", &error),
        }
    }

    /// Has the store redo or rebuild what a dead writer left: a session at rest has no next
    /// writer. Whoever holds its lock does so as well.
    fn put_right(&mut self, id: &SessionId) {
        match self.world.home.lock_session(id, Duration::ZERO) {
            Ok(locked) => self.report.recovered.extend(locked.notes().iter().map(|note| Item {
                id: id.to_string(),
                what: "put its files right".to_owned(),
                why: Some(note.clone()),
            })),
            Err(StoreError::NotFound { .. } | StoreError::Locked(_)) => {}
            Err(error) => self.report.fail(id, "put right", &error),
        }
    }

    /// Returns the ids of the records that satisfy `wanted`, for a loop that changes them.
    fn ids(&self, wanted: impl Fn(&Record) -> bool) -> Vec<SessionId> {
        let wanted = self.records.iter().filter(|(_, record)| wanted(record));
        wanted.map(|(id, _)| id.clone()).collect()
    }

    /// Finishes or undoes what dead owners began; what tmux says of the time before that is not
    /// used.
    fn recover(&mut self, mut look: Look) -> Look {
        let unfinished = self.ids(|record| record.intent.is_some());
        for id in unfinished {
            let what = match intent::recover(self.world, &id, &self.records[&id]) {
                Ok(Recovery::Nothing) => continue,
                Ok(Recovery::Finished(what)) => Ok(format!("finished {what}")),
                Ok(Recovery::Undone(what)) => Ok(format!("undid {what}")),
                Err(error) => Err(error),
            };
            match what {
                Ok(what) => {
                    self.report.recovered.push(Item { id: id.to_string(), what, why: None });
                }
                Err(error) => self.report.fail(&id, "recover", &error),
            }
            self.load(&id);
            look = look.anew();
        }
        look
    }

    /// Looks at every runtime and applies what it means.
    fn probe(&mut self, look: Look) {
        let facts = self.look(look);
        self.report.probed = facts.len();
        for (id, fact) in facts {
            let expected = || Probe::expected(self.records.get(&id)?, self.started);
            let is_foreseen = self.quiet.contains(&id)
                && expected().is_some_and(|expected| Observation::Runtime(expected) == fact);
            if !is_foreseen {
                self.apply(&id, fact);
            }
        }
    }

    /// Decides, while tmux is asked, what it means if whoever seems to live does: nothing, as a
    /// rule.
    fn foresee(&mut self) {
        let (world, now) = (self.world, clock::now());
        let at_rest = self.records.iter().filter(|&(id, record)| {
            let is_live = !record.lifecycle.is_terminal() && record.intent.is_none();
            is_live && self.held.contains(id)
        });
        let asked = at_rest.filter_map(|(id, record)| {
            let expected = Probe::expected(record, self.started)?;
            Some((id, &**record, world.config_of(record).ok()?, expected))
        });
        let asked: Vec<_> = asked.collect();
        let of = |part: &[(&SessionId, &Record, Arc<Layered>, RuntimeFact)]| -> Vec<SessionId> {
            let quiet = part.iter().filter(|(_, record, layered, expected)| {
                decide::leaves_at_rest(record, expected, &layered.config.policy, now)
            });
            quiet.map(|(id, ..)| (*id).clone()).collect()
        };
        let quiet = threads::by_two(&asked, sight::MANY, of, of);
        self.quiet = quiet.into_iter().into_set();
    }

    /// Looks at every runtime, with the one tmux call that was begun while the records were read.
    fn look(&mut self, look: Look) -> Vec<(SessionId, Observation)> {
        let home = &self.world.home;
        // A spawn under way has a living owner, who says itself how it ends.
        let settled = self
            .records
            .iter()
            .filter(|(_, record)| !record.lifecycle.is_terminal() && record.intent.is_none())
            .map(|(id, record)| (id, &**record))
            .collect::<Vec<_>>();
        let probe = look.finish(settled.iter().map(|(_, record)| *record), self.started);
        let mut facts = settled
            .iter()
            .filter_map(|(id, record)| {
                let is_held = self.held.contains(*id);
                let fact = probe.fact(|| home.session_dir(id), record, is_held)?;
                Some(((*id).clone(), fact))
            })
            .into_map();
        if let Some(error) = probe.failure() {
            self.report.failed.push(Item {
                id: String::new(),
                what: "look at tmux".to_owned(),
                why: Some(sanitize::chain(error)),
            });
        }
        self.report.storm = decide::calm_storm(&mut facts);
        facts.into_iter().map(|(id, fact)| (id, Observation::Runtime(fact))).collect()
    }

    /// Reads the screens of agents that were silent for long, or never say anything, all with one
    /// tmux call, and applies what they mean.
    fn read_screens(&mut self) {
        for (id, observation) in self.look_at_screens() {
            self.apply(&id, observation);
        }
    }

    fn look_at_screens(&mut self) -> Vec<(SessionId, Observation)> {
        let world = self.world;
        let wanted = |record: &Record| {
            world.config_of(record).is_ok_and(|layered| {
                decide::wants_screen(record, &layered.config.policy, self.started)
            })
        };
        let settled = self.records.values().map(|record| &**record);
        let settled = settled.filter(|record| record.intent.is_none());
        let silent: Vec<&Record> = settled.filter(|record| wanted(record)).collect();
        if silent.is_empty() {
            return Vec::new();
        }
        let (home, config) = (world.home.root(), &world.config_directory);
        let cards = world.cards().map_err(|error| sanitize::chain(&error));
        let signs = cards.and_then(|cards| {
            observe::screens(home, config, &cards, silent).map_err(|error| sanitize::chain(&error))
        });
        let signs = match signs {
            Ok(signs) => signs,
            Err(why) => {
                let why = Some(why);
                let what = "read the screens".to_owned();
                self.report.failed.push(Item { id: String::new(), what, why });
                return Vec::new();
            }
        };
        let fact = |(id, sign): (SessionId, ScreenSign)| {
            let now = clock::now();
            let reset = match &sign {
                ScreenSign::Limit { reset } => reset.as_deref(),
                ScreenSign::Working
                | ScreenSign::Idle
                | ScreenSign::Ready
                | ScreenSign::Waiting
                | ScreenSign::Dialog => None,
            };
            let resets_at = reset.and_then(|text| reset_time(text, now, &clock::zone));
            let fact = decide::of_screen(self.records.get(&id)?, &sign, resets_at, now)?;
            Some((id, fact))
        };
        signs.into_iter().filter_map(fact).collect()
    }

    /// Looks at the pull requests of all sessions, applies what they mean, and begins the checks
    /// that are due.
    fn poll(&mut self, ahead: Ahead) {
        let looked = poll::look(self.world, &self.records, ahead);
        for observed in looked.observed {
            if let Some(why) = observed.why {
                let what = "look at its pull request".to_owned();
                let id = observed.id.to_string();
                self.report.failed.push(Item { id, what, why: Some(why) });
            }
            self.green
                .extend(review::green(&observed.fact).map(|head| (observed.id.clone(), head)));
            if !self.records.get(&observed.id).is_some_and(|it| looked.foreseen.has(it)) {
                self.apply(&observed.id, Observation::Scm(Box::new(observed.fact)));
            }
        }
        self.report.checking = looked.checking.into_iter().into_set();
        self.check(&looked.steps);
    }

    /// Starts sessions for issues, where that is configured.
    fn take_issues(&mut self) {
        for event in intake::take(self.world, self.started) {
            match event {
                Intake::Started { session, issue } => {
                    let what = format!("started for issue {issue}");
                    let id = session.to_string();
                    self.report.spawned.push(Item { id, what, why: None });
                    self.load(&session);
                }
                Intake::Failed { project, what, why } => {
                    self.report.failed.push(Item { id: project, what, why: Some(why) });
                }
            }
        }
    }

    /// Returns what a fact would mean, where that can be decided.
    fn outcome_of(&self, id: &SessionId, observation: &Observation) -> Option<Outcome> {
        let record = self.records.get(id)?;
        let layered = self.world.config_of(record).ok()?;
        decide::reduce(record, observation, &layered.config.policy, clock::now()).ok()
    }

    /// Returns the step that a fact would make, if any.
    fn would_change(&self, id: &SessionId, observation: &Observation) -> Option<(String, String)> {
        let outcome = self.outcome_of(id, observation)?;
        if outcome.is_unchanged() {
            return None;
        }
        let (from, to) = (outcome.status_before, outcome.status_after);
        let op = if from == to {
            format!("record a fact about {id}")
        } else {
            format!("move {id} from {from} to {to}")
        };
        Some((op, format!("{}: {}", outcome.rule, outcome.reason)))
    }

    fn tick(&mut self) {
        for id in self.ids(|record| !record.lifecycle.is_terminal()) {
            if !self.quiet.contains(&id) {
                self.apply(&id, Observation::Tick(Bare::default()));
            }
        }
    }

    /// Applies a fact, without taking the lock where it would change nothing.
    fn apply(&mut self, id: &SessionId, observation: Observation) {
        let Some(record) = self.records.get(id) else { return };
        let result = (|| {
            let layered = self.world.config_of(record).map_err(SessionError::from)?;
            let policy = &layered.config.policy;
            let preview = decide::reduce(record, &observation, policy, clock::now())?;
            if preview.is_unchanged() {
                return Ok(None);
            }
            // An agent that never spoke may have shown why on its screen.
            let silent = preview.rule == "tick.start_deadline";
            let screen = silent.then(|| last_screen(self.world, id, record)).flatten();
            let applied =
                invocation::apply_noting(self.world, id, &observation, "reap", screen.as_deref())?;
            Ok::<_, SessionError>(Some(applied))
        })();
        match result {
            Ok(None) => return,
            Ok(Some(applied)) => note(id, &applied.outcome, &mut self.report),
            // It was archived while this pass looked at it.
            Err(error) if error.is_put_away() => {}
            Err(error) => self.report.fail(id, "apply", &error),
        }
        self.load(id);
    }

    /// Delivers what is due of every session, terminal ones included: a person is still to be
    /// told.
    fn deliver(&mut self) {
        self.hand_over();
        for id in self.ids(|record| !record.outbox.is_empty()) {
            let deliveries = deliver::deliver(self.world, &id, Patience::Pass);
            record_deliveries(&id, deliveries, &mut self.report);
            self.load(&id);
        }
    }

    /// Hands over first what is for other sessions: it goes out with their own texts.
    fn hand_over(&mut self) {
        let is_relay = |entry: &OutboxEntry| entry.kind == EntryKind::Relay && !entry.dead;
        let senders = self.ids(|record| record.outbox.values().any(is_relay));
        let mut readers = Vec::new();
        for id in &senders {
            let deliveries = deliver::deliver_notices(self.world, id);
            record_deliveries(id, deliveries, &mut self.report);
            readers.extend(self.records.get(id).and_then(|record| record.parent.clone()));
            self.load(id);
        }
        if !senders.is_empty() {
            readers.extend(self.ids(|record| record.kind == Kind::Orchestrator));
        }
        readers.iter().for_each(|reader| self.load(reader));
    }
}

fn last_screen(world: &World, id: &SessionId, record: &Record) -> Option<String> {
    let launch = record.handles.launch.clone()?;
    let tmux = Tmux::new(world.home.root(), &world.config_directory).ok()?;
    let mut screens = tmux.capture(&[(id.clone(), launch)], SCREEN_LINES, false).ok()?;
    Some(format!("its last screen:\n{}", screens.remove(id)?.trim_end()))
}

fn note(id: &SessionId, outcome: &decide::Outcome, report: &mut Report) {
    if outcome.status_before != outcome.status_after {
        report.transitions.push(Transition {
            id: id.clone(),
            from: outcome.status_before,
            to: outcome.status_after,
            rule: outcome.rule.to_string(),
        });
    }
    for effect in &outcome.effects {
        if let crate::model::effect::Effect::Notify { reaction, escalation: true, .. } = effect {
            report.escalated.push(Item { id: id.to_string(), what: reaction.clone(), why: None });
        }
    }
}

fn record_deliveries(
    id: &SessionId,
    deliveries: Result<Vec<Attempt>, SessionError>,
    report: &mut Report,
) {
    let deliveries = match deliveries {
        Ok(deliveries) => deliveries,
        Err(error) => return report.fail(id, "deliver", &error),
    };
    for (key, result) in deliveries {
        let why = result.as_ref().ok().and_then(Delivery::why).map(str::to_owned);
        let item = |what| Item { id: id.to_string(), what, why };
        match result {
            Ok(Delivery::Delivered) => report.delivered.push(item(key)),
            Ok(Delivery::Held(_) | Delivery::Draft(_)) => report.held.push(item(key)),
            Ok(Delivery::Failed(_) | Delivery::Unconfirmed(_)) => report.failed.push(item(key)),
            Ok(Delivery::Dropped(_)) => {}
            Err(error) => report.fail(id, &key, &error),
        }
    }
}
