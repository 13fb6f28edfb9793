//! One pass over everything: the only clock there is.
//!
//! Finishes dead owners' intents, probes all sessions at once, ticks escalations, delivers the
//! outboxes, cleans up what policy allows. Idempotent; one session's failure stops no other.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::act::{self, Delivery};
use crate::adapter::clock::{self, Stopwatch};
use crate::adapter::fs::{self, Durability};
use crate::adapter::git;
use crate::decide;
use crate::invocation::{self, World};
use crate::model::facts::{Bare, KillCause, Observation, RuntimeFact};
use crate::model::id::SessionId;
use crate::model::lifecycle::PrState;
use crate::model::record::Record;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::observe::Probe;
use crate::session::intent::{self, Recovery};
use crate::session::{SessionError, cleanup, deliver, kill, workspace};
use crate::store::StoreError;

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
    /// Sessions that were cleaned up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cleaned: Vec<Item>,
    /// What went wrong, session by session.
    pub failed: Vec<Item>,
    /// So many looked dead at once that none was believed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub storm: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Report {
    /// Returns whether nothing happened.
    pub fn is_quiet(&self) -> bool {
        self.transitions.is_empty()
            && self.recovered.is_empty()
            && self.escalated.is_empty()
            && self.delivered.is_empty()
            && self.cleaned.is_empty()
            && self.failed.is_empty()
    }

    fn fail(&mut self, id: &SessionId, what: &str, error: &dyn std::error::Error) {
        self.failed.push(Item {
            id: id.to_string(),
            what: what.to_owned(),
            why: Some(act::chain(error)),
        });
    }
}

/// Makes one pass; `None` where another one is under way.
pub fn reap(world: &World) -> Result<Option<Report>, StoreError> {
    let Some(_lock) = world.home.try_lock_file("reap.lock")? else { return Ok(None) };
    let watch = Stopwatch::start();
    let started = clock::now();
    let mut report = Report::default();
    world.home.sweep(started);
    recover(world, &mut report)?;
    let records = live_records(world, &mut report)?;
    probe(world, &records, started, &mut report);
    tick(world, &mut report)?;
    deliver_all(world, &mut report)?;
    clean(world, started, &mut report)?;
    report.took_ms = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
    remember(world, started, &report)?;
    Ok(Some(report))
}

/// Returns when the last pass began, from `reap.json`.
pub fn last_pass(world: &World) -> Option<Timestamp> {
    let bytes = fs::read_optional(&world.home.root().join("reap.json")).ok()??;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value.get("at")?.as_str()?.parse().ok()
}

fn remember(world: &World, at: Timestamp, report: &Report) -> Result<(), StoreError> {
    let value = json!({ "schema": 1, "at": at, "reap": report });
    let mut bytes = serde_json::to_vec_pretty(&value).expect("a report is JSON");
    bytes.push(b'\n');
    let path = world.home.root().join("reap.json");
    Ok(fs::replace(&path, &bytes, Durability::Process)?)
}

fn live_records(
    world: &World,
    report: &mut Report,
) -> Result<BTreeMap<SessionId, Record>, StoreError> {
    let mut records = BTreeMap::new();
    for id in world.home.session_ids()? {
        match world.home.load(&id) {
            Ok(loaded) if !loaded.record.lifecycle.is_terminal() => {
                records.insert(id, loaded.record);
            }
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => report.fail(&id, "load", &error),
        }
    }
    Ok(records)
}

fn recover(world: &World, report: &mut Report) -> Result<(), StoreError> {
    for id in world.home.session_ids()? {
        // What cannot be loaded is reported once, by the pass over the live ones.
        let Ok(loaded) = world.home.load(&id) else { continue };
        if !loaded.archived && !loaded.notes.is_empty() {
            put_right(world, &id, report);
        }
        match intent::recover(world, &id, &loaded.record) {
            Ok(Recovery::Nothing) => {}
            Ok(Recovery::Finished(what)) => report.recovered.push(Item {
                id: id.to_string(),
                what: format!("finished {what}"),
                why: None,
            }),
            Ok(Recovery::Undone(what)) => report.recovered.push(Item {
                id: id.to_string(),
                what: format!("undid {what}"),
                why: None,
            }),
            Err(error) => report.fail(&id, "recover", &error),
        }
    }
    Ok(())
}

/// Lets the store redo or rebuild what a dead writer left: a session at rest has no next writer.
fn put_right(world: &World, id: &SessionId, report: &mut Report) {
    match world.home.lock_session(id, world.lock_timeout) {
        Ok(locked) => report.recovered.extend(locked.notes().iter().map(|note| Item {
            id: id.to_string(),
            what: "put its files right".to_owned(),
            why: Some(note.clone()),
        })),
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => report.fail(id, "put right", &error),
    }
}

/// Looks at every runtime with one tmux call and applies what it means.
fn probe(
    world: &World,
    records: &BTreeMap<SessionId, Record>,
    now: Timestamp,
    report: &mut Report,
) {
    // A spawn under way has a living owner, who says itself how it ends.
    let settled: BTreeMap<&SessionId, &Record> =
        records.iter().filter(|(_, record)| record.intent.is_none()).collect();
    let probe =
        Probe::of(world.home.root(), &world.config_directory, settled.values().copied(), now);
    let mut facts: BTreeMap<SessionId, RuntimeFact> = settled
        .iter()
        .filter_map(|(id, record)| {
            Some(((*id).clone(), probe.fact(&world.home.session_dir(id), record)?))
        })
        .collect();
    report.probed = facts.len();
    report.storm = decide::calm_storm(&mut facts);
    for (id, fact) in facts {
        if let Some(record) = records.get(&id) {
            apply(world, &id, record, Observation::Runtime(fact), report);
        }
    }
}

/// Applies a fact, without taking the lock where it would change nothing.
fn apply(
    world: &World,
    id: &SessionId,
    record: &Record,
    observation: Observation,
    report: &mut Report,
) {
    let result = (|| {
        let layered = world.config_of(record).map_err(SessionError::from)?;
        let policy = &layered.config.policy;
        let preview = decide::reduce(record, &observation, policy, clock::now())?;
        if preview.patch.is_empty() && preview.effects.is_empty() {
            return Ok(None);
        }
        let applied = invocation::apply(world, id, &observation, "reap")?;
        Ok::<_, SessionError>(Some(applied))
    })();
    match result {
        Ok(None) => {}
        Ok(Some(applied)) => note(id, &applied.outcome, report),
        // It was archived while this pass looked at it.
        Err(SessionError::Store(StoreError::NotFound { .. })) => {}
        Err(error) => report.fail(id, "apply", &error),
    }
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

fn tick(world: &World, report: &mut Report) -> Result<(), StoreError> {
    for (id, record) in live_records(world, &mut Report::default())? {
        apply(world, &id, &record, Observation::Tick(Bare::default()), report);
    }
    Ok(())
}

/// Delivers what is due of every session, terminal ones included: a person is still to be told.
fn deliver_all(world: &World, report: &mut Report) -> Result<(), StoreError> {
    for id in world.home.session_ids()? {
        let Ok(loaded) = world.home.load(&id) else { continue };
        if loaded.record.outbox.is_empty() {
            continue;
        }
        match deliver::deliver(world, &id, deliver::Patience::Pass) {
            Ok(deliveries) => {
                for (key, result) in deliveries {
                    record_delivery(&id, key, result, report);
                }
            }
            Err(error) => report.fail(&id, "deliver", &error),
        }
    }
    Ok(())
}

fn record_delivery(
    id: &SessionId,
    key: String,
    result: Result<Delivery, SessionError>,
    report: &mut Report,
) {
    let delivery = match result {
        Ok(delivery) => delivery,
        Err(error) => return report.fail(id, &key, &error),
    };
    let why = delivery.why().map(str::to_owned);
    let item = Item { id: id.to_string(), what: key, why };
    match delivery {
        Delivery::Delivered => report.delivered.push(item),
        Delivery::Held(_) => report.held.push(item),
        Delivery::Failed(_) | Delivery::Unconfirmed(_) => report.failed.push(item),
        Delivery::Dropped(_) => {}
    }
}

/// Cleans up what the configuration allows, and empties the trash.
fn clean(world: &World, now: Timestamp, report: &mut Report) -> Result<(), StoreError> {
    for id in world.home.session_ids()? {
        let Ok(loaded) = world.home.load(&id) else { continue };
        if let Err(error) = clean_one(world, &id, &loaded.record, now, report) {
            report.fail(&id, "cleanup", &error);
        }
    }
    let Ok(layered) = world.config(None) else { return Ok(()) };
    let root = workspace::root(world, &layered.config);
    if let Err(error) = git::empty_trash(&root, layered.config.trash.keep, now) {
        report.failed.push(Item {
            id: String::new(),
            what: "empty trash".to_owned(),
            why: Some(act::chain(&error)),
        });
    }
    Ok(())
}

fn clean_one(
    world: &World,
    id: &SessionId,
    record: &Record,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), SessionError> {
    let layered = world.config_of(record)?;
    let policy = &layered.config.cleanup;
    // A workspace that was kept once is looked at again, for it may be clean by now; what is
    // still to be delivered stays where the next pass finds it.
    if !policy.auto || record.intent.is_some() || !record.outbox.is_empty() {
        return Ok(());
    }
    let since = record.lifecycle.session.since.unwrap_or(now);
    if now.since(since) < policy.after {
        return Ok(());
    }
    if !record.lifecycle.is_terminal() {
        if record.lifecycle.pr.state != PrState::Merged {
            return Ok(());
        }
        kill::kill(world, id, KillCause::Cleanup, Some("merged".to_owned()))?;
    }
    let cleaned = cleanup::cleanup(world, id, false)?;
    let why = (!cleaned.kept.is_empty()).then(|| format!("kept: {}", cleaned.kept.join("; ")));
    if why.is_none() {
        report.cleaned.push(Item { id: id.to_string(), what: "cleaned".to_owned(), why });
    }
    Ok(())
}
