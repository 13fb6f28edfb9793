//! Says what would change a session's status.

use crate::decide::{reaction, resume};
use crate::model::lifecycle::{ActivityState, PrState, SessionReason, SessionState};
use crate::model::policy::Policy;
use crate::model::record::{Record, Signals};
use crate::model::time::Timestamp;

/// Returns what would change the status of `record`, one sentence each.
pub fn explain(record: &Record, policy: &Policy, now: Timestamp) -> Vec<String> {
    let mut lines = session_lines(record, policy, now);
    lines.extend(pr_line(record));
    for key in
        [reaction::session_trigger(record), reaction::pr_trigger(record)].into_iter().flatten()
    {
        let Some(tracker) = record.reactions.get(key) else { continue };
        lines.push(if tracker.escalated {
            format!("{key}: a person was asked; nothing more is sent until it is over")
        } else {
            format!("{key}: the agent was asked {} times", tracker.attempts)
        });
    }
    lines
}

fn session_lines(record: &Record, policy: &Policy, now: Timestamp) -> Vec<String> {
    let lifecycle = &record.lifecycle;
    let session = &lifecycle.session;
    let line = |text: &str| vec![text.to_owned()];
    match session.state {
        SessionState::Done | SessionState::Terminated => {
            line("the session has ended; only `ao restore` opens it again")
        }
        SessionState::NotStarted => match (record.signals, session.since) {
            (Signals::Hooks, Some(since)) => vec![format!(
                "the agent's first signal makes it move; without one it is stuck at {}",
                since.plus(policy.start_deadline)
            )],
            (Signals::Hooks, None) => line("the agent's first signal makes it move"),
            (Signals::Terminal | Signals::None, _) => {
                line("the first probe that finds it running makes it working")
            }
        },
        SessionState::Detecting => detecting_lines(record, policy, now),
        SessionState::Stuck if lifecycle.is_stuck_by_escalation() => {
            line("a probe that finds it running takes it back; a certain one ends it")
        }
        SessionState::Stuck if session.reason == SessionReason::UsageLimited => {
            let mut lines = match session.until {
                Some(until) => vec![format!(
                    "the limit ends at {until}; the agent's next signal makes it move"
                )],
                None => line("the agent's next signal after the limit makes it move"),
            };
            lines.extend(resume::due_at(record, policy).map(|at| {
                let window = policy.resume.window;
                format!("the first reap after {at}, between {window}, tells it to go on")
            }));
            lines
        }
        SessionState::Stuck => line("any signal of the agent makes it move"),
        SessionState::NeedsInput => match lifecycle.activity.as_ref().map(|a| a.state) {
            Some(ActivityState::Blocked) => {
                line("an answer to the open dialog; nothing is typed into it automatically")
            }
            Some(
                ActivityState::Active
                | ActivityState::Ready
                | ActivityState::Idle
                | ActivityState::WaitingInput
                | ActivityState::Exited,
            )
            | None => line("a message to the agent makes it work again"),
        },
        SessionState::Working | SessionState::Idle => {
            line("the agent's next signal; a probe that finds its process gone")
        }
    }
}

fn detecting_lines(record: &Record, policy: &Policy, now: Timestamp) -> Vec<String> {
    let Some(memory) = &record.lifecycle.detecting else {
        return vec!["the next probe decides".to_owned()];
    };
    let numbers = &policy.detecting;
    let left = numbers.max_attempts.saturating_sub(memory.attempts);
    let end = memory.started_at.plus(numbers.max_duration);
    let when = if end > now { format!("at {end}") } else { "at the next probe".to_owned() };
    vec![
        format!("a probe that finds it running takes it back to {}", memory.from.state),
        format!("{left} more probes with the same evidence make it stuck, and so does any {when}"),
        "certainty that its process is gone ends it".to_owned(),
    ]
}

fn pr_line(record: &Record) -> Option<String> {
    let pr = &record.lifecycle.pr;
    match pr.state {
        PrState::Open | PrState::Draft => Some(format!(
            "the pull request is {} ({}); the next look at the forge may move it",
            pr.state, pr.reason
        )),
        PrState::None | PrState::Merged | PrState::Closed => None,
    }
}
