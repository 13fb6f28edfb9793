//! What is measured of a home, from its files alone: no child process, no request.
//!
//! Nothing here grows with the archive but reading the names in it, where the file system does not
//! say how many there are.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::adapter::scm::github;
use crate::adapter::{fs, volume};
use crate::invocation::World;
use crate::model::metric::{Family, exact};
use crate::model::record::Record;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::store::StoreError;

/// What a pass is made of, as `reap.json` names it.
const OUTCOMES: &[&str] = &[
    "transitions",
    "recovered",
    "escalated",
    "delivered",
    "held",
    "reviewed",
    "cleaned",
    "spawned",
    "checks",
    "waited",
    "failed",
];

/// Returns everything that is measured at `now`. `interval` is that of the installed timer, and
/// `last` is when the last pass began and what it reported.
pub fn collect(
    world: &World,
    interval: Option<Duration>,
    last: Option<(Timestamp, Value)>,
    now: Timestamp,
) -> Result<Vec<Family>, StoreError> {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    let mut families = vec![Family::new("ao_info", "Which ao measured").with(&version, 1.0)];
    let (records, unreadable) = records(world)?;
    families.extend(sessions(&records, unreadable));
    families.extend(limits(world));
    families.extend(outbox(&records, now));
    families.extend(pass(interval, last, now));
    families.extend(quota(world, now));
    families.extend(places(world)?);
    Ok(families)
}

/// Returns the records that are not archived, and how many cannot be read.
fn records(world: &World) -> Result<(Vec<Record>, u64), StoreError> {
    let mut records = Vec::new();
    let mut unreadable = 0;
    for id in world.home.session_ids()? {
        match world.home.load(&id) {
            Ok(loaded) => records.push(loaded.record),
            Err(_) => unreadable += 1,
        }
    }
    Ok((records, unreadable))
}

fn sessions(records: &[Record], unreadable: u64) -> Vec<Family> {
    let status = |record: &Record| Status::of(&record.lifecycle);
    let number = |wanted: &dyn Fn(&&Record) -> bool| exact_len(records.iter().filter(wanted));
    let mut groups = BTreeMap::new();
    let mut intents = BTreeMap::new();
    for record in records {
        let project = record.project.as_ref().map(ToString::to_string).unwrap_or_default();
        let agent = record.agent.clone();
        *groups
            .entry([project, agent, record.kind.to_string(), status(record).to_string()])
            .or_insert(0) += 1;
        if let Some(intent) = &record.intent {
            *intents.entry([intent.op.to_string()]).or_insert(0) += 1;
        }
    }
    vec![
        Family::new("ao_sessions", "Sessions that are not archived")
            .counted(["project", "agent", "kind", "status"], &groups),
        Family::single(
            "ao_sessions_live",
            "Sessions that have not ended",
            number(&|record| !record.lifecycle.is_terminal()),
        ),
        Family::single(
            "ao_sessions_needing_person",
            "Sessions that somebody should look at: what `ao status -q` prints, as recorded",
            number(&|record| status(record).needs_person()),
        ),
        Family::single(
            "ao_sessions_unreadable",
            "Sessions whose record cannot be read: `ao doctor --state` names them",
            exact(unreadable),
        ),
        Family::new("ao_operations", "Spawns, kills, restores and cleanups that are under way")
            .counted(["operation"], &intents),
    ]
}

fn exact_len<T>(items: impl Iterator<Item = T>) -> f64 {
    exact(items.count() as u64)
}

/// Returns how many sessions may live; nothing where the configuration cannot be read.
fn limits(world: &World) -> Option<Family> {
    let limit = world.config(None).ok()?.config.max_sessions;
    let help = "Sessions that may live at once (`max_sessions`)";
    Some(Family::single("ao_sessions_limit", help, f64::from(limit)))
}

fn outbox(records: &[Record], now: Timestamp) -> Vec<Family> {
    let mut waiting = BTreeMap::new();
    let mut dead = BTreeMap::new();
    let mut oldest = Duration::ZERO;
    for entry in records.iter().flat_map(|record| record.outbox.values()) {
        let kind = [entry.kind.to_string()];
        if entry.dead {
            *dead.entry(kind).or_insert(0) += 1;
        } else {
            *waiting.entry(kind).or_insert(0) += 1;
            oldest = oldest.max(now.since(entry.created_at));
        }
    }
    vec![
        Family::single("ao_outbox_depth", "Deliveries that wait", total(&waiting)),
        Family::new("ao_outbox_waiting", "Deliveries that wait, by kind")
            .counted(["kind"], &waiting),
        Family::single(
            "ao_outbox_dead_letters",
            "Deliveries that were given up and wait for `ao outbox retry` or `drop`",
            total(&dead),
        ),
        Family::single(
            "ao_outbox_oldest_seconds",
            "How long the oldest delivery has waited",
            oldest.as_secs_f64(),
        ),
    ]
}

fn total(counted: &BTreeMap<[String; 1], u64>) -> f64 {
    exact(counted.values().sum())
}

/// Returns what the last pass did and when; its age alone tells a timer that stands still.
fn pass(
    interval: Option<Duration>,
    last: Option<(Timestamp, Value)>,
    now: Timestamp,
) -> Vec<Family> {
    let mut families = Vec::new();
    if let Some(interval) = interval {
        let help = "How often the installed timer makes a pass";
        let seconds = interval.as_secs_f64();
        families.push(Family::single("ao_timer_interval_seconds", help, seconds));
    }
    let Some((at, pass)) = last else { return families };
    let seconds = at.as_millis() as f64 / 1000.0;
    families.extend([
        Family::single("ao_reap_last_timestamp_seconds", "When the last pass began", seconds),
        Family::single(
            "ao_reap_last_age_seconds",
            "How long ago the last pass began, when this was measured",
            now.since(at).as_secs_f64(),
        ),
        Family::single(
            "ao_reap_last_duration_seconds",
            "How long the last pass took",
            number(&pass, "took_ms") / 1000.0,
        ),
        Family::single(
            "ao_reap_last_probed",
            "Sessions that the last pass looked at",
            number(&pass, "probed"),
        ),
        OUTCOMES.iter().fold(
            Family::new("ao_reap_last_outcomes", "What the last pass did, by kind"),
            |family, outcome| {
                let items = pass.get(outcome).and_then(Value::as_array).map_or(0, Vec::len);
                family.with(&[("outcome", outcome)], exact(items as u64))
            },
        ),
        Family::single(
            "ao_reap_last_storm",
            "1 where so many sessions looked dead at once that none was believed to be",
            f64::from(u8::from(pass.get("storm") == Some(&Value::Bool(true)))),
        ),
    ]);
    families
}

fn number(pass: &Value, key: &str) -> f64 {
    exact(pass.get(key).and_then(Value::as_u64).unwrap_or(0))
}

/// Returns what forges said of their limits when they were last asked.
fn quota(world: &World, now: Timestamp) -> Vec<Family> {
    let mut remaining =
        Family::new("ao_forge_quota_remaining", "Requests that the forge still allows");
    let mut limit =
        Family::new("ao_forge_quota_limit", "Requests that the forge allows in a period");
    let mut reset =
        Family::new("ao_forge_quota_reset_seconds", "How long until the forge counts afresh");
    let cache = world.cache_directory();
    for known in cache.iter().flat_map(|cache| github::limits(cache)) {
        let labels = [("forge", &*known.host), ("resource", &*known.resource)];
        // A limit that is over counts from its beginning.
        let left = if known.reset > now { known.remaining } else { known.limit };
        remaining = remaining.with(&labels, exact(left));
        limit = limit.with(&labels, exact(known.limit));
        reset = reset.with(&labels, known.reset.since(now).as_secs_f64());
    }
    vec![remaining, limit, reset]
}

fn places(world: &World) -> Result<Vec<Family>, StoreError> {
    let mut families = vec![
        Family::single(
            "ao_archived_sessions",
            "Sessions that are archived",
            archived(&world.home.root().join("archive"))?,
        ),
        Family::single(
            "ao_projects",
            "Repositories in the registry",
            exact_len(world.home.projects()?.iter()),
        ),
    ];
    if let Ok(space) = volume::space(world.home.root()) {
        families.push(Family::single(
            "ao_home_free_bytes",
            "What is free of the file system that holds the home",
            exact(space.free),
        ));
        families.extend(space.free_files.map(|files| {
            let help = "How many files more that file system can hold";
            Family::single("ao_home_free_files", help, exact(files))
        }));
    }
    Ok(families)
}

/// Returns how many directories are in the archive: most file systems count them as links.
fn archived(archive: &Path) -> Result<f64, StoreError> {
    let links = fs::metadata(archive)?.map_or(2, |metadata| metadata.nlink());
    // One link is what those say that do not count, or ceased to.
    let number = if links >= 2 { links - 2 } else { fs::names(archive)?.len() as u64 };
    Ok(exact(number))
}
