//! Decides when the screen of an agent is worth a look, and what is made of it.
//!
//! Invariants:
//!
//! * What the agent itself said lately is never overruled by its screen.
//! * A screen that says what is known already changes nothing.

use std::time::Duration;

use crate::model::facts::{ActivityFact, Confidence, Limit, Observation};
use crate::model::lifecycle::{
    ActivitySource, ActivityState, RuntimeState, SessionReason, SessionState,
};
use crate::model::policy::Policy;
use crate::model::record::{Record, RuntimeKind, Signals};
use crate::model::screen::ScreenSign;
use crate::model::time::Timestamp;

/// How long the last reading of an agent without hooks counts.
const READING_HOLDS: Duration = Duration::from_secs(2);

/// How long an agent with hooks has to tell that it is up: some do so with their first turn only.
const STARTS_WITHIN: Duration = Duration::from_secs(5);

/// Returns whether the screen of `record`'s agent should be read at `now`.
pub fn wants_screen(record: &Record, policy: &Policy, now: Timestamp) -> bool {
    let lifecycle = &record.lifecycle;
    let in_tmux =
        record.handles.runtime.as_ref().is_some_and(|handle| handle.kind == RuntimeKind::Tmux);
    if lifecycle.is_terminal() || !in_tmux || lifecycle.runtime.state != RuntimeState::Alive {
        return false;
    }
    let heard = lifecycle.activity.as_ref().map(|activity| activity.last_activity_at);
    let Some(heard) = heard.max(lifecycle.session.since) else { return false };
    let silent = now.since(heard);
    match record.signals {
        Signals::None => false,
        Signals::Terminal => silent >= READING_HOLDS,
        Signals::Hooks if lifecycle.activity.is_none() => {
            silent >= STARTS_WITHIN && lifecycle.session.state == SessionState::NotStarted
        }
        Signals::Hooks => silent >= policy.screen_after && may_have_missed(record),
    }
}

/// Returns whether a hook that was lost, or that the agent does not have, could have changed the
/// session: one that rests is changed by a prompt alone, and that an agent always tells.
fn may_have_missed(record: &Record) -> bool {
    match record.lifecycle.activity.as_ref().map(|activity| activity.state) {
        Some(ActivityState::Active | ActivityState::Blocked) => {
            record.lifecycle.session.reason != SessionReason::UsageLimited
        }
        Some(
            ActivityState::Ready
            | ActivityState::Idle
            | ActivityState::WaitingInput
            | ActivityState::Exited,
        )
        | None => false,
    }
}

/// Returns what a screen says about `record`, given when a limit that it shows ends; `None` where
/// it says what is known.
pub fn of_screen(
    record: &Record,
    sign: &ScreenSign,
    resets_at: Option<Timestamp>,
    at: Timestamp,
) -> Option<Observation> {
    let activity = match sign {
        ScreenSign::Limit { .. } => return limit(record, resets_at, at),
        ScreenSign::Working => ActivityState::Active,
        ScreenSign::Idle => ActivityState::Idle,
        // Where something was heard, this says less.
        ScreenSign::Ready if record.lifecycle.activity.is_some() => return None,
        ScreenSign::Ready => ActivityState::Ready,
        ScreenSign::Waiting => ActivityState::WaitingInput,
        ScreenSign::Dialog => ActivityState::Blocked,
    };
    let known = record.lifecycle.activity.as_ref().map(|activity| activity.state);
    let rests = activity == ActivityState::Idle && known == Some(ActivityState::Ready);
    // A limit is left when the agent works again, not because its composer is empty.
    let limited = record.lifecycle.session.reason == SessionReason::UsageLimited
        && activity != ActivityState::Active;
    if known == Some(activity) && !was_limited(record) || rests || limited {
        return None;
    }
    Some(Observation::Activity(ActivityFact {
        observed_at: Some(at),
        confidence: Confidence::Valid,
        activity,
        source: ActivitySource::Terminal,
        launch: record.handles.launch.clone(),
        agent_session: None,
        // A dialog that does not show is gone.
        boundary: activity != ActivityState::Blocked,
        tool: None,
        report: None,
    }))
}

fn was_limited(record: &Record) -> bool {
    record.lifecycle.session.reason == SessionReason::UsageLimited
}

/// A limit that was told of already, or that an agent at rest still shows, is no news.
fn limit(record: &Record, resets_at: Option<Timestamp>, at: Timestamp) -> Option<Observation> {
    let works = match record.lifecycle.activity.as_ref().map(|activity| activity.state) {
        Some(ActivityState::Active | ActivityState::Blocked) | None => true,
        Some(
            ActivityState::Ready
            | ActivityState::Idle
            | ActivityState::WaitingInput
            | ActivityState::Exited,
        ) => false,
    };
    let news = works && !was_limited(record);
    news.then(|| {
        Observation::Limit(Limit {
            observed_at: Some(at),
            resets_at,
            launch: record.handles.launch.clone(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lifecycle::{ActivityAxis, SessionAxis};

    const NOW: i64 = 1_800_000_000_000;

    fn record(signals: Signals, activity: Option<ActivityState>, silent: i64) -> Record {
        let heard = Timestamp::from_millis(NOW - silent * 1000);
        let mut record = Record { signals, ..Record::default() };
        record.lifecycle.runtime.state = RuntimeState::Alive;
        record.lifecycle.session = SessionAxis { since: Some(heard), ..SessionAxis::default() };
        record.lifecycle.activity = activity.map(|state| ActivityAxis {
            state,
            last_activity_at: heard,
            source: ActivitySource::Hook,
            tool: None,
        });
        record.handles.runtime =
            Some(serde_json::from_value(serde_json::json!({ "kind": "tmux" })).unwrap());
        record
    }

    #[test]
    fn a_screen_is_read_where_signals_are_old() {
        use ActivityState::{Active, Blocked, Idle, WaitingInput};
        let now = Timestamp::from_millis(NOW);
        for (signals, activity, silent, wanted) in [
            (Signals::None, None, 999, false),
            (Signals::Terminal, None, 1, false),
            (Signals::Terminal, None, 2, true),
            (Signals::Terminal, Some(Idle), 2, true),
            (Signals::Hooks, Some(Active), 29, false),
            (Signals::Hooks, Some(Active), 30, true),
            (Signals::Hooks, Some(Blocked), 30, true),
            (Signals::Hooks, Some(Idle), 999, false),
            (Signals::Hooks, Some(WaitingInput), 999, false),
            (Signals::Hooks, None, 4, false),
            (Signals::Hooks, None, 5, true),
        ] {
            let record = record(signals, activity, silent);
            let wants = wants_screen(&record, &Policy::default(), now);
            assert_eq!(wants, wanted, "{signals} {activity:?} {silent}");
        }
        let mut gone = record(Signals::Terminal, None, 999);
        gone.lifecycle.runtime.state = RuntimeState::Missing;
        assert!(!wants_screen(&gone, &Policy::default(), now));
    }

    #[test]
    fn a_screen_that_tells_nothing_new_is_no_fact() {
        use ActivityState::{Active, Blocked, Idle, Ready};
        let at = Timestamp::from_millis(NOW);
        let limit = ScreenSign::Limit { reset: None };
        let mut table = String::new();
        for known in [None, Some(Active), Some(Ready), Some(Idle), Some(Blocked)] {
            for sign in [
                &ScreenSign::Working,
                &ScreenSign::Idle,
                &ScreenSign::Ready,
                &ScreenSign::Dialog,
                &limit,
            ] {
                let record = record(Signals::Hooks, known, 60);
                let said = match of_screen(&record, sign, None, at) {
                    Some(Observation::Activity(fact)) => {
                        format!("{} boundary={}", fact.activity, fact.boundary)
                    }
                    Some(_) => "limit".to_owned(),
                    None => "-".to_owned(),
                };
                let known = known.map_or("none".to_owned(), |known| known.to_string());
                let sign = format!("{sign:?}");
                table += &format!("{known:<8}{sign:<22}{said}\n");
            }
        }
        insta::assert_snapshot!(table, @r"
        none    Working               active boundary=true
        none    Idle                  idle boundary=true
        none    Ready                 ready boundary=true
        none    Dialog                blocked boundary=false
        none    Limit { reset: None } limit
        active  Working               -
        active  Idle                  idle boundary=true
        active  Ready                 -
        active  Dialog                blocked boundary=false
        active  Limit { reset: None } limit
        ready   Working               active boundary=true
        ready   Idle                  -
        ready   Ready                 -
        ready   Dialog                blocked boundary=false
        ready   Limit { reset: None } -
        idle    Working               active boundary=true
        idle    Idle                  -
        idle    Ready                 -
        idle    Dialog                blocked boundary=false
        idle    Limit { reset: None } -
        blocked Working               active boundary=true
        blocked Idle                  idle boundary=true
        blocked Ready                 -
        blocked Dialog                -
        blocked Limit { reset: None } limit
        ");
    }

    #[test]
    fn a_limit_is_left_by_work_alone() {
        let at = Timestamp::from_millis(NOW);
        let mut record = record(Signals::Terminal, Some(ActivityState::Active), 60);
        record.lifecycle.session.reason = SessionReason::UsageLimited;
        let limit = ScreenSign::Limit { reset: None };
        assert_eq!(of_screen(&record, &limit, None, at), None);
        assert_eq!(of_screen(&record, &ScreenSign::Idle, None, at), None);
        assert!(of_screen(&record, &ScreenSign::Working, None, at).is_some());
    }
}
