//! Decides whether the process behind a session lives.
//!
//! The only decider that concludes death, and only from certainty or from silence on every side;
//! everything doubtful goes to the quarantine.

use std::collections::BTreeMap;

use crate::decide::outcome::Decision;
use crate::decide::{quarantine, session};
use crate::model::facts::{Liveness, RuntimeFact};
use crate::model::id::SessionId;
use crate::model::lifecycle::{
    ActivityState, RuntimeAxis, RuntimeReason, RuntimeState, SessionReason, SessionState,
};
use crate::model::policy::Policy;
use crate::model::record::{Mode, Record, Signals};
use crate::model::time::Timestamp;

/// A pass that sees this many sessions look dead at once doubts itself rather than them.
const STORM_AT_LEAST: usize = 5;

/// What one row of the table concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Errored,
    Dead(SessionReason),
    Quarantine(SessionReason),
    Healthy,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Errored => "errored",
            Self::Dead(_) => "dead",
            Self::Quarantine(_) => "quarantine",
            Self::Healthy => "healthy",
        }
    }
}

/// Returns whether `looks_dead` of `probed` sessions at once, none of them confirmed, is more
/// likely a failure of the probe; all of them then count as failed probes.
pub fn storm(looks_dead_unconfirmed: usize, probed: usize) -> bool {
    looks_dead_unconfirmed >= STORM_AT_LEAST && looks_dead_unconfirmed * 2 > probed
}

/// Returns whether a fact looks like a death that is not certain.
fn looks_dead(fact: &RuntimeFact) -> bool {
    !fact.confirmed && (fact.runtime == Liveness::Dead || fact.process == Liveness::Dead)
}

/// Turns facts into failed probes where so many deaths at once point at the prober, not at them.
pub fn calm_storm(facts: &mut BTreeMap<SessionId, RuntimeFact>) -> bool {
    let dead = facts.values().filter(|fact| looks_dead(fact)).count();
    if !storm(dead, facts.len()) {
        return false;
    }
    for fact in facts.values_mut().filter(|fact| looks_dead(fact)) {
        fact.runtime = Liveness::Failed;
    }
    true
}

/// Applies the probe `fact`.
pub(super) fn decide(
    after: &mut Record,
    fact: &RuntimeFact,
    policy: &Policy,
    now: Timestamp,
) -> Decision {
    let recent = is_recent(after, policy, now);
    let (rule, verdict) = judge(after.mode, fact, recent);
    let evidence = format!(
        "{} runtime={} process={} recent={recent}",
        verdict.word(),
        fact.runtime,
        fact.process
    );
    if session::is_stale_launch(after, fact.launch.as_ref()) {
        return Decision::new(
            "noop.stale_launch",
            evidence,
            "the probe is about an earlier launch of this session",
        );
    }
    if after.lifecycle.is_terminal() {
        return Decision::new("noop.terminal", evidence, "the session has ended already");
    }
    after.lifecycle.runtime = runtime_axis(fact.runtime);
    let reason = apply(after, verdict, &evidence, policy, now);
    Decision::new(rule, evidence, reason)
}

/// Returns the row of the table that matches first, and its verdict.
fn judge(mode: Mode, fact: &RuntimeFact, recent: bool) -> (&'static str, Verdict) {
    use Liveness::{Alive, Dead, Failed, Indeterminate};
    use SessionReason::{AgentProcessExited, ProbeFailure, RuntimeLost};
    let confirmed = fact.confirmed || fact.exit_code.is_some();
    match (fact.runtime, fact.process) {
        (Alive | Dead | Indeterminate | Failed, Dead) if confirmed => {
            match (mode, fact.exit_code) {
                (Mode::OneShot, Some(0)) => ("probe.1", Verdict::Done),
                (Mode::OneShot, Some(_)) => ("probe.1", Verdict::Errored),
                (Mode::Interactive, Some(_)) => ("probe.2", Verdict::Dead(AgentProcessExited)),
                (Mode::Interactive | Mode::OneShot, None) => {
                    ("probe.2", Verdict::Dead(RuntimeLost))
                }
            }
        }
        (Failed, Alive | Dead | Indeterminate | Failed)
        | (Alive | Dead | Indeterminate, Failed) => ("probe.3", Verdict::Quarantine(ProbeFailure)),
        (Alive, Dead) => ("probe.4", Verdict::Quarantine(AgentProcessExited)),
        (Alive, Alive | Indeterminate) => ("probe.5", Verdict::Healthy),
        (Dead, Alive) => ("probe.6", Verdict::Quarantine(RuntimeLost)),
        (Dead, Dead) if !recent => ("probe.7", Verdict::Dead(RuntimeLost)),
        (Dead, Dead | Indeterminate) if recent => ("probe.8", Verdict::Quarantine(RuntimeLost)),
        (Dead, Dead | Indeterminate) => ("probe.9", Verdict::Quarantine(RuntimeLost)),
        (Indeterminate, Alive | Dead | Indeterminate) => {
            ("probe.10", Verdict::Quarantine(RuntimeLost))
        }
    }
}

/// Returns whether the agent was heard of lately, or said something that time does not undo.
fn is_recent(record: &Record, policy: &Policy, now: Timestamp) -> bool {
    match &record.lifecycle.activity {
        None => false,
        Some(activity) if activity.state == ActivityState::Exited => false,
        Some(activity) => {
            activity.state.is_sticky()
                || now.since(activity.last_activity_at) <= policy.recent_window
        }
    }
}

/// Returns the runtime axis that a probe of the pane means, whatever the process says.
fn runtime_axis(runtime: Liveness) -> RuntimeAxis {
    let (state, reason) = match runtime {
        Liveness::Alive => (RuntimeState::Alive, RuntimeReason::ProcessRunning),
        Liveness::Dead => (RuntimeState::Exited, RuntimeReason::TmuxMissing),
        Liveness::Failed => (RuntimeState::ProbeFailed, RuntimeReason::ProbeError),
        Liveness::Indeterminate => (RuntimeState::Unknown, RuntimeReason::Inconclusive),
    };
    RuntimeAxis { state, reason }
}

/// Writes the session axis as `verdict` demands, and says why.
fn apply(
    after: &mut Record,
    verdict: Verdict,
    evidence: &str,
    policy: &Policy,
    now: Timestamp,
) -> String {
    let lifecycle = &mut after.lifecycle;
    match verdict {
        Verdict::Done => {
            session::enter(lifecycle, SessionState::Done, SessionReason::Completed, now);
            "the agent ended by itself with exit code 0".to_owned()
        }
        Verdict::Errored => {
            session::enter(lifecycle, SessionState::Terminated, SessionReason::ErrorInProcess, now);
            "the agent ended by itself with an error".to_owned()
        }
        Verdict::Dead(reason) => {
            session::enter(lifecycle, SessionState::Terminated, reason, now);
            if reason == SessionReason::AgentProcessExited {
                "the agent's process has exited".to_owned()
            } else {
                "the agent's process and its pane are gone".to_owned()
            }
        }
        Verdict::Quarantine(reason) => {
            quarantine::count(lifecycle, reason, evidence, &policy.detecting, now)
        }
        Verdict::Healthy => healthy(after, now),
    }
}

/// Takes the session out of quarantine; an agent without hooks counts as started.
fn healthy(after: &mut Record, now: Timestamp) -> String {
    let recovered = session::recover(&mut after.lifecycle);
    let silent = match after.signals {
        Signals::Hooks => false,
        Signals::Terminal | Signals::None => true,
    };
    if after.lifecycle.session.state == SessionState::NotStarted && silent {
        session::enter(
            &mut after.lifecycle,
            SessionState::Working,
            SessionReason::AgentAcknowledged,
            now,
        );
        return "it runs; this agent gives no signal of its start".to_owned();
    }
    if recovered {
        format!("it runs after all: back to {}", after.lifecycle.session.state)
    } else {
        "it runs; what it does is for its own signals to say".to_owned()
    }
}
