//! What an agent's event says, by its card.
//!
//! The payload is the agent's and is not trusted: whatever it holds, this neither fails nor
//! panics, and the event's name alone still counts.

use serde_json::Value;

use crate::adapter::agent::card::{Card, CaseActivity, EventRule};
use crate::model::facts::{ActivityFact, Confidence};
use crate::model::lifecycle::{ActivitySource, ActivityState};

/// The longest payload that is looked into, in bytes; of a longer one only the event counts.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The longest id that is kept, in characters.
const MAX_ID: usize = 256;

/// Returns what `event` says, without launch and time; `None` where it says nothing.
pub fn map_hook(card: &Card, event: &str, payload: &[u8]) -> Option<ActivityFact> {
    let rule = card.hooks.events.get(event)?;
    let payload = if payload.len() > MAX_PAYLOAD {
        Value::Null
    } else {
        // serde_json stops at a depth of 128 by itself.
        serde_json::from_slice(payload).unwrap_or(Value::Null)
    };
    Some(ActivityFact {
        observed_at: None,
        confidence: Confidence::Valid,
        activity: activity(rule, &payload)?,
        source: ActivitySource::Hook,
        launch: None,
        agent_session: first_id(&payload, &card.hooks.agent_session),
        boundary: rule.boundary,
        tool: first_id(&payload, &rule.tool),
    })
}

fn activity(rule: &EventRule, payload: &Value) -> Option<ActivityState> {
    let case = rule.field.as_deref().and_then(|pointer| payload.pointer(pointer)?.as_str());
    match case.and_then(|case| rule.cases.get(case)) {
        Some(CaseActivity::Is(activity)) => Some(*activity),
        Some(CaseActivity::Nothing(_)) => None,
        None => rule.activity,
    }
}

/// Returns the first text that one of `pointers` leads to and that can be an id.
fn first_id(payload: &Value, pointers: &[String]) -> Option<String> {
    pointers.iter().find_map(|pointer| {
        let id = payload.pointer(pointer)?.as_str()?;
        // It may become an argument, so it must not look like a flag.
        let plain = |c: char| c.is_ascii_graphic() && !"'\"`$\\;&|<>(){}".contains(c);
        let fits = !id.is_empty() && !id.starts_with('-') && id.len() <= MAX_ID;
        (fits && id.chars().all(plain)).then(|| id.to_owned())
    })
}
