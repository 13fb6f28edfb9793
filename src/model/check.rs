//! The invariants that one record shows by itself, for `ao doctor --state` and for the tests.

use crate::effect::EntryKind;
use crate::lifecycle::{
    ActivityState, Detecting, Lifecycle, PrReason, PrState, SessionAxis, SessionReason,
    SessionState,
};
use crate::record::Record;

/// Something that no sequence of observations makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key of the record it is about: `lifecycle.detecting`.
    pub at: String,
    /// What is wrong there.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Returns everything that is wrong with `record`; empty for a sound one.
pub fn check(record: &Record) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    let lifecycle = &record.lifecycle;
    check_session("lifecycle.session", &lifecycle.session, &mut findings);
    check_detecting(lifecycle, &mut findings);
    check_pr(lifecycle, &mut findings);
    check_activity(lifecycle, &mut findings);
    check_reactions(record, &mut findings);
    check_outbox(record, &mut findings);
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn unless(&mut self, sound: bool, at: &str, message: impl Into<String>) {
        if !sound {
            self.0.push(Finding { at: at.to_owned(), message: message.into() });
        }
    }
}

fn check_session(at: &str, session: &SessionAxis, findings: &mut Findings) {
    let (state, reason) = (session.state, session.reason);
    findings.unless(may_be(state, reason), at, format!("{state} is never for {reason}"));
    findings.unless(
        session.until.is_none() || reason == SessionReason::UsageLimited,
        at,
        "`until` stands only with usage_limited",
    );
}

/// Returns whether the rules can give `state` this `reason`.
///
/// Reasons that are reserved for agents' own reports go with every state in which one works.
fn may_be(state: SessionState, reason: SessionReason) -> bool {
    use SessionReason as R;
    use SessionState as S;
    let ends = matches!(
        reason,
        R::ManuallyKilled
            | R::PrMerged
            | R::AutoCleanup
            | R::RuntimeLost
            | R::AgentProcessExited
            | R::ProbeFailure
            | R::ErrorInProcess
            | R::NeverStarted
    );
    match state {
        S::NotStarted => reason == R::SpawnRequested,
        S::Detecting => matches!(reason, R::RuntimeLost | R::AgentProcessExited | R::ProbeFailure),
        S::Stuck => !matches!(
            reason,
            R::SpawnRequested
                | R::Completed
                | R::ManuallyKilled
                | R::PrMerged
                | R::AutoCleanup
                | R::ErrorInProcess
        ),
        S::Working | S::Idle | S::NeedsInput => {
            !ends && !matches!(reason, R::SpawnRequested | R::Completed | R::UsageLimited)
        }
        S::Done => matches!(reason, R::Completed | R::ResearchComplete | R::PrMerged),
        S::Terminated => ends || reason == R::Completed,
    }
}

fn check_detecting(lifecycle: &Lifecycle, findings: &mut Findings) {
    const AT: &str = "lifecycle.detecting";
    let state = lifecycle.session.state;
    match &lifecycle.detecting {
        None => findings.unless(
            state != SessionState::Detecting,
            AT,
            "the memory of a detecting session is missing",
        ),
        Some(memory) => {
            findings.unless(
                matches!(state, SessionState::Detecting | SessionState::Stuck),
                AT,
                format!("a session that is {state} has no memory of a quarantine"),
            );
            check_memory(memory, findings);
        }
    }
}

fn check_memory(memory: &Detecting, findings: &mut Findings) {
    const AT: &str = "lifecycle.detecting";
    findings.unless(memory.attempts > 0, AT, "no attempt was counted");
    findings.unless(memory.started_at <= memory.last_at, AT, "it ended before it began");
    let is_hash = memory.evidence_hash.len() == 64
        && memory.evidence_hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    findings.unless(is_hash, AT, "`evidence_hash` is not 64 hexadecimal digits");
    let from = &memory.from;
    findings.unless(
        !matches!(
            from.state,
            SessionState::Detecting | SessionState::Done | SessionState::Terminated
        ),
        "lifecycle.detecting.from",
        format!("no quarantine interrupts {}", from.state),
    );
    check_session("lifecycle.detecting.from", from, findings);
}

fn check_pr(lifecycle: &Lifecycle, findings: &mut Findings) {
    use PrReason as R;
    let (state, reason) = (lifecycle.pr.state, lifecycle.pr.reason);
    let sound = match state {
        PrState::None => matches!(reason, R::NotCreated | R::ClearedOnRestore),
        PrState::Draft => matches!(reason, R::InProgress | R::CiFailing),
        PrState::Open => {
            !matches!(reason, R::NotCreated | R::ClearedOnRestore | R::Merged | R::ClosedUnmerged)
        }
        PrState::Merged => reason == R::Merged,
        PrState::Closed => reason == R::ClosedUnmerged,
    };
    findings.unless(sound, "lifecycle.pr", format!("{state} is never for {reason}"));
}

fn check_activity(lifecycle: &Lifecycle, findings: &mut Findings) {
    let Some(activity) = &lifecycle.activity else { return };
    findings.unless(
        activity.tool.is_none() || activity.state == ActivityState::Blocked,
        "lifecycle.activity",
        "`tool` stands only with blocked",
    );
}

fn check_reactions(record: &Record, findings: &mut Findings) {
    for (key, tracker) in &record.reactions {
        findings.unless(
            tracker.attempts == 0 || tracker.first_attempt_at.is_some(),
            &format!("reactions.{key}"),
            "attempts were counted but never begun",
        );
    }
}

fn check_outbox(record: &Record, findings: &mut Findings) {
    for (id, entry) in &record.outbox {
        let at = format!("outbox.{id}");
        let numbered = id
            .split_once('.')
            .is_some_and(|(revision, what)| revision.parse::<u64>().is_ok() && !what.is_empty());
        findings.unless(numbered, &at, "its id is not `<revision>.<what>`");
        findings.unless(
            entry.kind != EntryKind::Run || !entry.command.is_empty(),
            &at,
            "there is no command to run",
        );
        findings.unless(
            (entry.kind == EntryKind::Relay) == entry.to.is_some(),
            &at,
            "`to` stands with relay, and only there",
        );
        findings.unless(
            !(entry.dead && entry.claim.is_some()),
            &at,
            "nobody delivers a dead letter",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sound_record_has_no_findings() {
        assert_eq!(check(&Record::default()), []);
    }

    #[test]
    fn every_invariant_is_found_by_name() {
        let record: Record = serde_json::from_value(json!({
            "lifecycle": {
                "session": {"state": "working", "reason": "manually_killed",
                            "until": "2026-11-20T10:00:00Z"},
                "pr": {"state": "open", "reason": "merged"},
                "activity": {"state": "active", "last_activity_at": "2026-11-20T10:00:00Z",
                             "source": "hook", "tool": "t"},
                "detecting": {"attempts": 0, "started_at": "2026-11-20T10:00:01Z",
                              "last_at": "2026-11-20T10:00:00Z", "evidence_hash": "x",
                              "from": {"state": "done", "reason": "completed"}}
            },
            "reactions": {"ci-failed": {"attempts": 1, "escalated": false}},
            "outbox": {"x": {"kind": "run", "created_at": "2026-11-20T10:00:00Z", "dead": true,
                "to": "web-1",
                "claim": {"pid": 1, "pid_start": 1, "boot_id": "b",
                          "at": "2026-11-20T10:00:00Z"}}}
        }))
        .unwrap();
        let lines: Vec<String> = check(&record).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        lifecycle.session: working is never for manually_killed
        lifecycle.session: `until` stands only with usage_limited
        lifecycle.detecting: a session that is working has no memory of a quarantine
        lifecycle.detecting: no attempt was counted
        lifecycle.detecting: it ended before it began
        lifecycle.detecting: `evidence_hash` is not 64 hexadecimal digits
        lifecycle.detecting.from: no quarantine interrupts done
        lifecycle.pr: open is never for merged
        lifecycle.activity: `tool` stands only with blocked
        reactions.ci-failed: attempts were counted but never begun
        outbox.x: its id is not `<revision>.<what>`
        outbox.x: there is no command to run
        outbox.x: `to` stands with relay, and only there
        outbox.x: nobody delivers a dead letter
        ");
    }

    #[test]
    fn a_detecting_session_needs_its_memory() {
        let mut record = Record::default();
        record.lifecycle.session.state = SessionState::Detecting;
        record.lifecycle.session.reason = SessionReason::RuntimeLost;
        let findings = check(&record);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].at, "lifecycle.detecting");
    }
}
