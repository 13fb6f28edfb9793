//! Applies what was done on purpose: spawn, kill and restore outcomes, messages, and time.

use crate::decide::outcome::{DecideError, Decision};
use crate::decide::session;
use crate::model::facts::{Kill, KillCause, Restore, SpawnCompleted, SpawnFailed};
use crate::model::lifecycle::{
    PrAxis, PrReason, RuntimeAxis, RuntimeReason, RuntimeState, SessionReason, SessionState,
};
use crate::model::policy::Policy;
use crate::model::record::{IntentOp, Record, Signals};
use crate::model::time::Timestamp;

/// Stores what a spawn made; whether the agent has started is for its first signal to say.
pub(super) fn spawn_completed(after: &mut Record, fact: &SpawnCompleted) -> Decision {
    if after.lifecycle.is_terminal() {
        let reason = "the session was ended while it was being spawned";
        return Decision::new("noop.terminal", "spawn_completed", reason);
    }
    let (stored, made) = (&mut after.handles, &fact.handles);
    if made.workspace.is_some() {
        stored.workspace.clone_from(&made.workspace);
    }
    if made.runtime.is_some() {
        stored.runtime.clone_from(&made.runtime);
    }
    if made.agent_session.is_some() {
        stored.agent_session.clone_from(&made.agent_session);
    }
    if made.launch.is_some() {
        stored.launch.clone_from(&made.launch);
    }
    after.lifecycle.runtime =
        RuntimeAxis { state: RuntimeState::Alive, reason: RuntimeReason::ProcessRunning };
    Decision::new("spawn_completed", "spawn_completed", "the agent's process is running")
}

/// Ends a session whose spawn failed.
pub(super) fn spawn_failed(after: &mut Record, fact: &SpawnFailed, now: Timestamp) -> Decision {
    if after.lifecycle.is_terminal() {
        return Decision::new("noop.terminal", "spawn_failed", "the session has ended already");
    }
    let lifecycle = &mut after.lifecycle;
    session::enter(lifecycle, SessionState::Terminated, SessionReason::ErrorInProcess, now);
    lifecycle.runtime =
        RuntimeAxis { state: RuntimeState::Missing, reason: RuntimeReason::SpawnIncomplete };
    let reason = if fact.detail.is_empty() {
        "the spawn failed".to_owned()
    } else {
        format!("the spawn failed: {}", fact.detail)
    };
    Decision::new("spawn_failed", "spawn_failed", reason)
}

/// Ends a session on purpose; the history of one that has ended stays as it is.
pub(super) fn kill(after: &mut Record, fact: &Kill, now: Timestamp) -> Decision {
    use RuntimeReason as T;
    use SessionReason as S;
    after.reactions.clear();
    after.outbox.clear();
    let (rule, reason, runtime) = match fact.cause {
        KillCause::Manual => ("kill.manual", S::ManuallyKilled, T::ManualKillRequested),
        KillCause::Cleanup => ("kill.cleanup", S::AutoCleanup, T::AutoCleanup),
        KillCause::Error => ("kill.error", S::ErrorInProcess, T::ProbeError),
    };
    let evidence = format!("kill cause={}", fact.cause);
    if after.lifecycle.is_terminal() {
        return Decision::new(rule, evidence, "it was gone already; how it ended stays recorded");
    }
    session::enter(&mut after.lifecycle, SessionState::Terminated, reason, now);
    after.lifecycle.runtime = RuntimeAxis { state: RuntimeState::Exited, reason: runtime };
    let why = match &fact.detail {
        Some(detail) => format!("ended on purpose: {detail}"),
        None => "ended on purpose".to_owned(),
    };
    Decision::new(rule, evidence, why)
}

/// Opens a session that has ended for another launch.
pub(super) fn restore(
    after: &mut Record,
    fact: &Restore,
    now: Timestamp,
) -> Result<Decision, DecideError> {
    let lifecycle = &mut after.lifecycle;
    if !lifecycle.is_terminal() {
        return Err(DecideError::NotTerminal { state: lifecycle.session.state });
    }
    session::enter(lifecycle, SessionState::NotStarted, SessionReason::SpawnRequested, now);
    lifecycle.pr = PrAxis { reason: PrReason::ClearedOnRestore, ..PrAxis::default() };
    lifecycle.runtime = RuntimeAxis::default();
    lifecycle.activity = None;
    after.handles.launch.clone_from(&fact.launch);
    after.report = None;
    after.reactions.clear();
    after.outbox.clear();
    Ok(Decision::new("restore", "restore", "it is being started again"))
}

/// A person or another session wrote to the agent; reactions take note.
pub(super) fn sent(after: &mut Record) -> Decision {
    if let Some(report) = &mut after.report {
        report.open = false;
    }
    Decision::new("sent", "sent", "the agent was written to; its reminders start over")
}

/// Lets time pass: an agent with hooks that stays silent never started.
pub(super) fn tick(after: &mut Record, policy: &Policy, now: Timestamp) -> Decision {
    if is_overdue(after, policy, now) {
        session::enter(&mut after.lifecycle, SessionState::Stuck, SessionReason::NeverStarted, now);
        let reason = format!(
            "no signal within {} of its start",
            humantime::format_duration(policy.start_deadline)
        );
        return Decision::new("tick.start_deadline", "tick", reason);
    }
    Decision::new("tick", "tick", "time passed")
}

/// Returns whether the first signal is overdue. While `ao` itself still spawns, none can come.
fn is_overdue(record: &Record, policy: &Policy, now: Timestamp) -> bool {
    let session = &record.lifecycle.session;
    let spawning = record
        .intent
        .as_ref()
        .is_some_and(|intent| matches!(intent.op, IntentOp::Spawn | IntentOp::Restore));
    let since = session.since.or(record.created_at);
    session.state == SessionState::NotStarted
        && record.signals == Signals::Hooks
        && !spawning
        && since.is_some_and(|since| now.since(since) > policy.start_deadline)
}
