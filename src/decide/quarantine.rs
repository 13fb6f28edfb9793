//! Counts doubtful probes until they are certain enough to bother a person.
//!
//! Equal evidence counts up, changing evidence starts over, and an episode ends after a fixed
//! time whatever its evidence: flapping cannot go on for ever, and a person is told once.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};

use crate::decide::session;
use crate::model::lifecycle::{Detecting, Lifecycle, SessionReason, SessionState};
use crate::model::policy::DetectingPolicy;
use crate::model::time::Timestamp;

/// Counts one doubtful probe and returns what became of it, as a sentence.
pub(super) fn count(
    lifecycle: &mut Lifecycle,
    reason: SessionReason,
    evidence: &str,
    policy: &DetectingPolicy,
    now: Timestamp,
) -> String {
    if lifecycle.is_stuck_by_escalation() {
        return "still in doubt; a person has been told already".to_owned();
    }
    let hash = evidence_hash(reason, evidence);
    let prior = match lifecycle.session.state {
        SessionState::Detecting => lifecycle.detecting.take(),
        SessionState::NotStarted
        | SessionState::Working
        | SessionState::Idle
        | SessionState::NeedsInput
        | SessionState::Stuck
        | SessionState::Done
        | SessionState::Terminated => None,
    };
    let same = prior.as_ref().filter(|prior| prior.evidence_hash == hash);
    // A memory from the future is a clock that stepped back: it counts, and heals.
    if same.is_some_and(|p| p.last_at <= now && now.since(p.last_at) < policy.min_interval) {
        lifecycle.detecting = prior;
        return "the same doubt a moment ago counts once".to_owned();
    }
    let attempts = same.map_or(1, |prior| prior.attempts.saturating_add(1));
    let started_at = match &prior {
        Some(prior) if now.since(prior.last_at) <= policy.max_gap => prior.started_at.min(now),
        Some(_) | None => now,
    };
    let too_long = prior.is_some() && now.since(started_at) >= policy.max_duration;
    let escalate = attempts >= policy.max_attempts || too_long;
    let from = match prior {
        Some(prior) => prior.from,
        None => session::interrupted(lifecycle).clone(),
    };
    let state = if escalate { SessionState::Stuck } else { SessionState::Detecting };
    session::enter(lifecycle, state, reason, now);
    lifecycle.detecting =
        Some(Detecting { attempts, started_at, last_at: now, evidence_hash: hash, from });
    match (escalate, too_long) {
        (false, true | false) => {
            format!("not sure that it is dead: attempt {attempts} of {}", policy.max_attempts)
        }
        (true, true) => "in doubt for too long: a person should look".to_owned(),
        (true, false) => format!("the same doubt {attempts} times: a person should look"),
    }
}

/// Returns the SHA-256 of `reason` and `evidence` in hexadecimal, whenever it was observed.
fn evidence_hash(reason: SessionReason, evidence: &str) -> String {
    let text = timeless(&format!("{reason} {evidence}"));
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Returns `text` without times and with its white space folded.
fn timeless(text: &str) -> String {
    static TIMES: LazyLock<Regex> = LazyLock::new(|| {
        let date_time =
            r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:[Zz]|[+-]\d{2}:?\d{2})?";
        let time_of_day = r"\b\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\b";
        let digits = r"\d+";
        Regex::new(&format!("{date_time}|{time_of_day}|{digits}")).expect("a constant pattern")
    });
    let text = TIMES.replace_all(text, |found: &regex::Captures<'_>| {
        let found = &found[0];
        // A bare number is a time only where it has the length of a Unix one.
        let number = found.bytes().all(|byte| byte.is_ascii_digit());
        if number && !(10..=13).contains(&found.len()) { found.to_owned() } else { String::new() }
    });
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_white_space_do_not_make_evidence_differ() {
        let hash = |text: &str| evidence_hash(SessionReason::RuntimeLost, text);
        for same in [
            "lost at  x",
            " lost\tat\n x ",
            "lost at 2026-11-20T10:00:00.123Z x",
            "lost at 2026-11-20 10:00:00+02:00 x",
            "lost at 10:00:01 x",
            "lost at 9:05 x",
            "lost at 1763629200 x",
            "lost at 1763629200123 x",
        ] {
            assert_eq!(timeless(same), "lost at x", "{same}");
            assert_eq!(hash(same), hash("lost at x"));
        }
        for other in ["lost at y", "lost at 123456789 x", "lost at 12345678901234 x", "lost at 7 x"]
        {
            assert_ne!(hash(other), hash("lost at x"), "{other}");
        }
        assert_ne!(evidence_hash(SessionReason::ProbeFailure, "lost at x"), hash("lost at x"));
        assert_eq!(hash("x").len(), 64);
    }
}
