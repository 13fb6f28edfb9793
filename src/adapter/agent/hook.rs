//! What an agent's event says, by its card.
//!
//! The payload is the agent's and is not trusted: whatever it holds, this neither fails nor
//! panics, and the event's name alone still counts.

use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::adapter::agent::card::{Card, CaseActivity, EventRule};
use crate::model::facts::{ActivityFact, Confidence};
use crate::model::lifecycle::{ActivitySource, ActivityState};

/// Returns the shell command that reports `event`, with the program's path quoted.
pub fn shell_command(ao: &Path, agent: &str, event: &str) -> String {
    let program = ao.to_string_lossy().replace('\'', "'\\''");
    format!("'{program}' hook {agent} {event}")
}

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
        tool: rule.tool.iter().find_map(|pointer| tool(payload.pointer(pointer)?)),
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
    pointers.iter().find_map(|pointer| id(payload.pointer(pointer)?).map(str::to_owned))
}

fn id(value: &Value) -> Option<&str> {
    let id = value.as_str()?;
    // It may become an argument, so it must not look like a flag.
    let plain = |c: char| c.is_ascii_graphic() && !"'\"`$\\;&|<>(){}".contains(c);
    let fits = !id.is_empty() && !id.starts_with('-') && id.len() <= MAX_ID;
    (fits && id.chars().all(plain)).then_some(id)
}

/// Returns what tells one use of a tool from others: an id, or a short name for what it is
/// given, which may be a whole program.
fn tool(value: &Value) -> Option<String> {
    let empty = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if empty {
        return None;
    }
    let digest = || {
        let digest = Sha256::digest(value.to_string().as_bytes());
        digest.iter().take(8).fold("given-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
    };
    Some(id(value).map_or_else(digest, str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::agent::load_cards;

    fn map(event: &str, payload: &[u8]) -> Option<ActivityFact> {
        let cards = load_cards(std::path::Path::new("/none")).unwrap();
        map_hook(cards.find("demo").unwrap(), event, payload)
    }

    #[test]
    fn events_mean_what_the_card_says() {
        let mut table = String::new();
        for (event, payload) in [
            ("session-start", r#"{"session_id":"abc-1"}"#),
            ("user-prompt-submit", r#"{"sessionId":"abc-1"}"#),
            ("pre-tool-use", r#"{"tool_use_id":"t1","tool_name":"Bash"}"#),
            ("pre-tool-use", r#"{"tool_name":"Bash"}"#),
            ("permission-request", r#"{"tool_name":"Bash"}"#),
            ("notification", r#"{"notification_type":"idle_prompt"}"#),
            ("notification", r#"{"notification_type":"something else"}"#),
            ("notification", "{}"),
            ("stop", "{}"),
            ("session-end", "{}"),
        ] {
            let fact = map(event, payload.as_bytes()).unwrap();
            table +=
                &format!("{event:<18} {payload}\n  {}\n", serde_json::to_string(&fact).unwrap());
        }
        insta::assert_snapshot!(table, @r##"
        session-start      {"session_id":"abc-1"}
          {"confidence":"valid","activity":"ready","source":"hook","agent_session":"abc-1","boundary":true}
        user-prompt-submit {"sessionId":"abc-1"}
          {"confidence":"valid","activity":"active","source":"hook","agent_session":"abc-1","boundary":true}
        pre-tool-use       {"tool_use_id":"t1","tool_name":"Bash"}
          {"confidence":"valid","activity":"active","source":"hook","tool":"t1"}
        pre-tool-use       {"tool_name":"Bash"}
          {"confidence":"valid","activity":"active","source":"hook","tool":"Bash"}
        permission-request {"tool_name":"Bash"}
          {"confidence":"valid","activity":"blocked","source":"hook","tool":"Bash"}
        notification       {"notification_type":"idle_prompt"}
          {"confidence":"valid","activity":"idle","source":"hook"}
        notification       {"notification_type":"something else"}
          {"confidence":"valid","activity":"waiting_input","source":"hook"}
        notification       {}
          {"confidence":"valid","activity":"waiting_input","source":"hook"}
        stop               {}
          {"confidence":"valid","activity":"idle","source":"hook","boundary":true}
        session-end        {}
          {"confidence":"valid","activity":"exited","source":"hook","boundary":true}
        "##);
        assert_eq!(map("no-such-event", b"{}"), None);
    }

    #[test]
    fn hostile_payloads_leave_the_event_alone() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let huge = format!("{{\"session_id\":\"abc\",\"x\":\"{}\"}}", "x".repeat(5 << 20));
        let long = format!("{{\"session_id\":\"{}\"}}", "a".repeat(257));
        for payload in [
            "",
            "not json",
            "\u{0}",
            "null",
            "[]",
            "{\"session_id\":7,\"tool_use_id\":{}}",
            "{\"session_id\":\"\",\"tool_name\":\"\"}",
            "{\"session_id\":\"--flag\"}",
            "{\"session_id\":\"a b\"}",
            "{\"session_id\":\"$(id)\"}",
            "{\"session_id\":\"a\\u001b[31m\"}",
            &deep,
            &huge,
            &long,
        ] {
            let fact = map("pre-tool-use", payload.as_bytes()).unwrap();
            let shown = payload.chars().take(40).collect::<String>();
            assert_eq!(fact.activity, ActivityState::Active, "{shown}");
            assert_eq!((fact.agent_session, fact.tool), (None, None), "{shown}");
        }
        let fact = map("stop", b"{\"session_id\":\"\xff\"}").unwrap();
        assert_eq!(fact.agent_session, None);
    }

    #[test]
    fn a_tool_is_known_by_what_it_is_given() {
        let tool_of = |payload: &str| map("post-tool-use", payload.as_bytes()).unwrap().tool;
        let given = |command: &str| tool_of(&format!("{{\"tool_name\":\"{command}\"}}")).unwrap();
        assert_eq!(given("Bash"), "Bash");
        assert_eq!(given("rm -rf x"), given("rm -rf x"));
        assert_ne!(given("rm -rf x"), given("rm -rf y"));
        assert!(given("rm -rf x").starts_with("given-"));
        let list = |text: &str| tool_of(&format!("{{\"tool_use_id\":{text}}}"));
        assert_eq!(list("[{\"b\":1,\"a\":2}]"), list("[ {\"a\":2, \"b\":1} ]"));
        assert_eq!((list("[]"), list("{}"), list("null"), list("\"\"")), (None, None, None, None));
    }

    #[test]
    fn a_case_may_say_nothing() {
        let cards = load_cards(std::path::Path::new("/none")).unwrap();
        let mut card = cards.find("demo").unwrap().clone();
        let rule: EventRule =
            toml::from_str("activity = 'exited'\nfield = '/reason'\ncases = { clear = 'none' }\n")
                .unwrap();
        card.hooks.events.insert("session-end".into(), rule);
        assert_eq!(map_hook(&card, "session-end", b"{\"reason\":\"clear\"}"), None);
        let fact = map_hook(&card, "session-end", b"{\"reason\":\"quit\"}").unwrap();
        assert_eq!(fact.activity, ActivityState::Exited);
    }
}
