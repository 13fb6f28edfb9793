//! Decides what an orchestrator is told of the sessions it spawned.
//!
//! A notice is recorded by the worker, in the write of the transition that causes it, addressed
//! to the session that spawned it. Whether that is an orchestrator, and lives, is seen when the
//! notice is handed over.
//!
//! Invariants:
//!
//! * A blip of the probe is invisible, and what is said twice is told once.
//! * What an agent reported stays true whatever it does next; what a hook said may be over.

use crate::decide::message::short;
use crate::decide::session;
use crate::decide::text::Text;
use crate::model::effect::Effect;
use crate::model::facts::Observation;
use crate::model::lifecycle::{
    ActivitySource, ActivityState, SessionAxis, SessionReason, SessionState,
};
use crate::model::policy::{NoticeKey, Policy};
use crate::model::record::{Kind, Record};
use crate::model::report::{Report, ReportState};
use crate::model::sanitize;
use crate::model::status::Status;

/// The longest part of a note that a notice repeats, in bytes; `ao show` has it whole.
const NOTE: usize = 2 * 1024;

/// Returns the notice that the step from `before` to `after` causes.
pub(super) fn of(
    before: &Record,
    after: &Record,
    observation: &Observation,
    policy: &Policy,
) -> Option<Effect> {
    // A reviewer is the child of the worker it reviews, which is no orchestrator.
    let to = after.parent.clone().filter(|_| after.kind != Kind::Reviewer)?;
    let (key, report) = (trigger(after)?, said_in(observation));
    let is_news = match observation {
        // Whoever asked for these knows how they went.
        Observation::Kill(_)
        | Observation::Restore(_)
        | Observation::SpawnCompleted(_)
        | Observation::SpawnFailed(_) => false,
        Observation::Runtime(_)
        | Observation::Activity(_)
        | Observation::Limit(_)
        | Observation::Sent(_)
        | Observation::Scm(_)
        | Observation::Tick(_) => trigger(before) != Some(key),
    };
    if !is_news || is_told(key, before, after, report) || !policy.notices.on.contains(&key) {
        return None;
    }
    let stays = report || matches!(key, NoticeKey::Done | NoticeKey::Errored | NoticeKey::Exited);
    Some(Effect::Relay {
        reaction: key.to_string(),
        to: Some(to),
        recipient: None,
        signature: (!stays).then(|| signature(after)),
        message: compose(key, after).render(policy.message_max),
    })
}

/// Returns whether the observation is what an agent said of itself.
fn said_in(observation: &Observation) -> bool {
    matches!(observation, Observation::Activity(fact) if fact.report.is_some())
}

/// Returns what an orchestrator would want to know of the session as it is.
fn trigger(record: &Record) -> Option<NoticeKey> {
    use SessionReason as R;
    use SessionState as S;
    let axis = axis(record);
    match (axis.state, axis.reason) {
        (S::NeedsInput, _) => Some(NoticeKey::NeedsInput),
        (S::Stuck, _) => Some(NoticeKey::Stuck),
        (S::Done, _) => Some(NoticeKey::Done),
        (S::Terminated, R::RuntimeLost | R::AgentProcessExited) => Some(NoticeKey::Exited),
        (S::Terminated, R::ErrorInProcess | R::ProbeFailure | R::NeverStarted) => {
            Some(NoticeKey::Errored)
        }
        // The same word of a hook only says that the agent has started.
        (S::Idle, R::ResearchComplete) => is_own_word(record).then_some(NoticeKey::Done),
        (S::Idle, R::Inactive) => Some(NoticeKey::Idle),
        // A milestone of its pull request put it there, not the end of a turn.
        (S::Idle, _) => None,
        (S::NotStarted | S::Working | S::Detecting | S::Terminated, _) => None,
    }
}

/// An escalated session is stuck for all to see; only a blip is invisible.
fn axis(record: &Record) -> &SessionAxis {
    match record.lifecycle.session.state {
        SessionState::Detecting => session::interrupted(&record.lifecycle),
        SessionState::NotStarted
        | SessionState::Working
        | SessionState::Idle
        | SessionState::NeedsInput
        | SessionState::Stuck
        | SessionState::Done
        | SessionState::Terminated => &record.lifecycle.session,
    }
}

fn is_own_word(record: &Record) -> bool {
    let activity = record.lifecycle.activity.as_ref();
    activity
        .is_some_and(|it| (it.source, it.state) == (ActivitySource::Native, ActivityState::Ready))
}

/// Returns whether the notice went out before: an agent's report is followed by the hooks of the
/// turn in which it was made.
fn is_told(key: NoticeKey, before: &Record, after: &Record, report: bool) -> bool {
    if report {
        return session::repeats_itself(before, after);
    }
    let open = after.report.as_ref().filter(|report| report.open);
    match (key, open.map(|report| report.state)) {
        (NoticeKey::NeedsInput, _) => session::ended_in_need(&after.lifecycle),
        (NoticeKey::Idle, Some(ReportState::Completed | ReportState::Waiting)) => true,
        (NoticeKey::Idle, Some(_) | None) => false,
        (NoticeKey::Done | NoticeKey::Stuck | NoticeKey::Errored | NoticeKey::Exited, _) => false,
    }
}

/// Checks once more, just before it is handed over, that a notice is about what is still so.
pub(super) fn still_holds(
    record: &Record,
    key: &str,
    signature_then: Option<&str>,
) -> Result<(), String> {
    let Some(then) = signature_then else { return Ok(()) };
    let holds = trigger(record).is_some_and(|it| it.as_str() == key) && signature(record) == then;
    if holds { Ok(()) } else { Err(format!("what triggered {key} is over")) }
}

fn signature(record: &Record) -> String {
    axis(record).since.map_or_else(String::new, |since| since.to_string())
}

/// Returns what the orchestrator reads: who, what, in whose words, and how to look.
fn compose(key: NoticeKey, record: &Record) -> Text {
    let id = record.id.as_ref().map_or("(unnamed)", |id| id.as_str());
    let name = match &record.title {
        Some(title) => format!("{id} ({})", short(title)),
        None => id.to_owned(),
    };
    let status = Status::of(&record.lifecycle);
    let report = record.report.as_ref().filter(|report| report.open);
    let note = report.and_then(|report| report.note.as_deref()).unwrap_or_default();
    Text::paragraphs([
        Text::plain(format!("ao: worker {name} {}. Its status is {status}.", what(key, record))),
        Text::quote("Its note", &sanitize::capped_in_its_middle(note, NOTE)),
        Text::plain(pull_request(record, report)),
        Text::plain(format!(
            "To look: `ao output {id}`, `ao show {id}`. To answer or instruct it: `ao send {id} TEXT`."
        )),
    ])
}

fn what(key: NoticeKey, record: &Record) -> String {
    let axis = axis(record);
    let reason = axis.reason.as_str().replace('_', " ");
    match (key, axis.until) {
        (NoticeKey::Done, _) if axis.state == SessionState::Idle => {
            "reports its task completed".to_owned()
        }
        (NoticeKey::Done, _) => "is done".to_owned(),
        (NoticeKey::NeedsInput, _) => "needs input".to_owned(),
        (NoticeKey::Stuck, Some(until)) => format!("is stuck: {reason} until {until}"),
        (NoticeKey::Stuck, None) => format!("is stuck: {reason}"),
        (NoticeKey::Idle, _) => "ended its turn and reported nothing".to_owned(),
        (NoticeKey::Errored, _) => format!("failed: {reason}"),
        (NoticeKey::Exited, _) => format!("exited: {reason}"),
    }
}

fn pull_request(record: &Record, report: Option<&Report>) -> String {
    let reported = report.and_then(|report| report.pr.as_deref());
    match reported.or(record.lifecycle.pr.url.as_deref()) {
        Some(url) => format!("Pull request: {}", sanitize::line(url)),
        None => String::new(),
    }
}
