//! Gives the worker what a review asks for, and records when it has it.
//!
//! The text goes through the worker's outbox, under a key that names the run; whether it arrived
//! is in the outbox and in the worker's own event log, so that nothing is typed twice, whoever
//! was killed in between.

use crate::adapter::{clock, failpoint};
use crate::decide::review::{CHANGES, PLACEMENTS};
use crate::invocation::{self, World};
use crate::model::effect::{EntryKind, OutboxEntry};
use crate::model::event::Event;
use crate::model::id::SessionId;
use crate::model::record::Record;
use crate::model::review::{Run, RunState};
use crate::model::time::Timestamp;
use crate::session::deliver::{self, Patience};
use crate::session::review::pass;
use crate::session::{SessionError, intent};
use crate::store::LockedSession;

/// What became of an outbox entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was never there.
    Never,
    /// It is there.
    Waits,
    /// It is there no more.
    Gone {
        /// Its key.
        key: String,
        /// When it went.
        at: Timestamp,
        /// What took it out.
        cause: String,
        /// Why.
        reason: String,
    },
}

/// Returns what became of the entry whose key ends in `suffix`.
pub(super) fn placed(
    world: &World,
    id: &SessionId,
    record: &Record,
    suffix: &str,
) -> Result<Placed, SessionError> {
    if record.outbox.keys().any(|key| key.ends_with(suffix)) {
        return Ok(Placed::Waits);
    }
    Ok(in_log(&world.home.events(id)?, suffix))
}

fn in_log(events: &[Event], suffix: &str) -> Placed {
    let mut last: Option<(String, Option<&Event>)> = None;
    for event in events {
        let Some(outbox) = event.patch.get("outbox") else { continue };
        let Some(outbox) = outbox.as_object() else {
            // The last entry took the whole outbox along.
            last = last.map(|(key, gone)| (key, gone.or(Some(event))));
            continue;
        };
        if let Some((key, value)) = outbox.iter().find(|(key, _)| key.ends_with(suffix)) {
            last = Some((key.clone(), value.is_null().then_some(event)));
        }
    }
    match last {
        None => Placed::Never,
        Some((key, gone)) => Placed::Gone {
            key,
            at: gone.map_or(Timestamp::from_millis(0), |event| event.at),
            cause: gone.map_or_else(String::new, |event| event.cause.clone()),
            reason: gone.and_then(|event| event.reason.clone()).unwrap_or_default(),
        },
    }
}

/// Puts what the worker is still to get into its outbox, and records what has arrived; returns
/// whether there was anything to look at.
pub fn settle(world: &World, worker: &SessionId) -> Result<bool, SessionError> {
    if !world.home.review_runs(worker)?.iter().any(Run::is_undelivered) {
        return Ok(false);
    }
    let mut locked = world.home.lock_session(worker, world.lock_timeout)?;
    let before = locked.reviews()?;
    let mut reviews = before.clone();
    for run in reviews.runs.iter_mut().filter(|run| run.is_undelivered()) {
        let suffix = pass::changes_suffix(run);
        match placed(world, worker, locked.record(), &suffix)? {
            Placed::Waits => {}
            Placed::Never => place(world, &mut locked, run)?,
            Placed::Gone { key, at, cause, reason } => {
                if deliver::is_delivery(&reason, &key) {
                    run.state = RunState::Delivered;
                    run.delivered_at = Some(at);
                } else if cause == "deliver" && reason.starts_with(&format!("dropped {key}")) {
                    // It was meant for a launch that ended before it could read.
                    place(world, &mut locked, run)?;
                } else {
                    run.why = Some(given_up(&reason));
                }
            }
        }
    }
    failpoint::pass("review.settling").map_err(SessionError::Proc)?;
    if reviews != before {
        locked.store_reviews(&reviews)?;
    }
    Ok(true)
}

fn given_up(reason: &str) -> String {
    match reason {
        "" => "its text was taken out of the outbox".to_owned(),
        reason => format!("not delivered: {reason}"),
    }
}

/// Puts the text of `run` into the worker's outbox, if there is an agent to read it.
fn place(world: &World, locked: &mut LockedSession, run: &mut Run) -> Result<(), SessionError> {
    let record = locked.record().clone();
    if record.lifecycle.is_terminal() || intent::require_free(&run.worker, &record).is_err() {
        return Ok(());
    }
    if run.attempts >= PLACEMENTS {
        run.why = Some(format!("not delivered: given up after {PLACEMENTS} attempts"));
        return Ok(());
    }
    let layered = world.config_of(&record)?;
    let message = pass::changes(run, layered.config.policy.message_max);
    let suffix = pass::changes_suffix(run);
    invocation::amend_locked(locked, "review", |record| {
        let entry = OutboxEntry {
            reaction: Some(CHANGES.to_owned()),
            message,
            launch: record.handles.launch.clone(),
            from: run.session.clone(),
            ..OutboxEntry::new(EntryKind::Send, clock::now())
        };
        record.outbox.insert(format!("{}{suffix}", record.revision + 1), entry);
        Ok::<(), SessionError>(())
    })?;
    run.attempts = run.attempts.saturating_add(1);
    Ok(())
}

/// [`settle`], and what is due is delivered at once where the agent takes it.
pub fn deliver(world: &World, worker: &SessionId) -> Result<(), SessionError> {
    settle(world, worker)?;
    failpoint::pass("review.placed").map_err(SessionError::Proc)?;
    deliver::deliver_texts(world, worker, Patience::Pass)?;
    settle(world, worker).map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(seq: u64, reason: &str, patch: Value) -> Event {
        serde_json::from_value(json!({
            "schema": 1, "seq": seq, "at": "2026-11-20T10:00:00Z", "cause": "deliver",
            "patch": patch, "status": "idle", "reason": reason,
        }))
        .unwrap()
    }

    fn told(events: &[Event]) -> String {
        match in_log(events, ".review-changes.web-1-r1") {
            Placed::Never => "never".to_owned(),
            Placed::Waits => "waits".to_owned(),
            Placed::Gone { key, reason, .. } => format!("{key} gone: {reason}"),
        }
    }

    #[test]
    fn the_log_tells_what_became_of_an_entry() {
        let (key, entry) = ("4.review-changes.web-1-r1", json!({ "kind": "send" }));
        let put = event(4, "", json!({ "outbox": { key: entry } }));
        let other = event(5, "delivered 3.message", json!({ "outbox": { "3.message": null } }));
        let one = event(6, "one", json!({ "outbox": { key: null } }));
        let all = event(6, "all", json!({ "outbox": null }));
        let claim = event(6, "", json!({ "outbox": { key: { "claim": { "pid": 1 } } } }));
        let again = event(7, "", json!({ "outbox": { "7.review-changes.web-1-r1": {} } }));
        let after = event(8, "late", json!({ "outbox": null }));
        let tell = |events: &[&Event]| {
            told(&events.iter().map(|event| (*event).clone()).collect::<Vec<_>>())
        };
        let lines = [
            tell(&[]),
            tell(&[&other]),
            tell(&[&put, &other, &one]),
            tell(&[&put, &claim, &all]),
            tell(&[&put, &one, &after]),
            tell(&[&put, &one, &again, &after]),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        never
        never
        4.review-changes.web-1-r1 gone: one
        4.review-changes.web-1-r1 gone: all
        4.review-changes.web-1-r1 gone: one
        7.review-changes.web-1-r1 gone: late
        "#);
    }
}
