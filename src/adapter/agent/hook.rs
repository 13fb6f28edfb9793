//! What an agent's event says, by its card.
//!
//! The payload is the agent's and is not trusted: whatever it holds, this neither fails nor
//! panics, and the event's name alone still counts.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::adapter::agent::card::{CaseActivity, EventRule, Hearing, LimitRule};
use crate::adapter::agent::template;
use crate::adapter::clock;
use crate::model::facts::{ActivityFact, Confidence, Limit, Observation};
use crate::model::id::LaunchId;
use crate::model::lifecycle::{ActivitySource, ActivityState};
use crate::model::reset::reset_time;
use crate::model::sanitize::{self, capped_in_its_middle};
use crate::model::time::Timestamp;

/// Returns the shell command that reports `event`, with the program's path quoted.
pub fn shell_command(ao: &Path, agent: &str, event: &str) -> String {
    let program = ao.to_string_lossy().replace('\'', "'\\''");
    format!("'{program}' hook {agent} {event}")
}

/// The longest payload that is looked into, in bytes; of a longer one only the event counts.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The longest id that is kept, in characters.
const MAX_ID: usize = 256;

/// The longest answer that is kept, in bytes.
const MAX_WORDS: usize = 64 * 1024;

/// What a hook says, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What it says of the session.
    pub observation: Observation,
    /// The directory that the agent works in, where it tells.
    pub directory: Option<PathBuf>,
    /// What the agent said last, at the end of a turn; fit for a terminal, and capped.
    pub words: Option<String>,
}

/// Returns what an event of `launch`, heard `at`, says; `None` where it says nothing.
///
/// A limit that is met ends a turn, so an event that tells of one is no activity besides.
/// `has_task` says that the launch's command line held the task.
pub fn map_hook(
    Hearing { agent_session, cwd, rule }: &Hearing,
    payload: &[u8],
    launch: &LaunchId,
    has_task: bool,
    at: Timestamp,
) -> Option<Heard> {
    let payload = if payload.len() > MAX_PAYLOAD {
        Value::Null
    } else {
        // serde_json stops at a depth of 128 by itself.
        serde_json::from_slice(payload).unwrap_or(Value::Null)
    };
    let (observed_at, launch) = (Some(at), Some(launch.clone()));
    if let Some(resets_at) = rule.limit.as_ref().and_then(|rule| limit(rule, &payload, at)) {
        let observation = Observation::Limit(Limit { observed_at, resets_at, launch });
        return Some(Heard { observation, directory: None, words: None });
    }
    let told = cwd.as_deref().and_then(|pointer| payload.pointer(pointer)?.as_str());
    let directory = told.map(PathBuf::from).filter(|path| path.is_absolute());
    let observation = Observation::Activity(ActivityFact {
        observed_at,
        confidence: Confidence::Valid,
        activity: activity(rule, &payload, has_task)?,
        source: ActivitySource::Hook,
        launch,
        agent_session: first_id(&payload, agent_session),
        boundary: rule.boundary,
        tool: rule.tool.iter().find_map(|pointer| tool(payload.pointer(pointer)?)),
        report: None,
    });
    let words = rule.said.iter().find_map(|pointer| payload.pointer(pointer)?.as_str());
    let words = words.map(|words| capped_in_its_middle(&sanitize::text(words), MAX_WORDS));
    Some(Heard { observation, directory, words })
}

/// Returns when the limit ends (`None` where it does not say) that `text`, seen at `now`, tells of
/// by the pattern; `None` for a text that tells of none.
pub fn limit_in(pattern: &Regex, text: &str, now: Timestamp) -> Option<Option<Timestamp>> {
    let found = pattern.captures(text)?;
    let reset = found.name("reset").map(|reset| reset.as_str());
    Some(reset.and_then(|reset| reset_time(reset, now, &clock::zone)))
}

/// Applies the rule to each of its fields; one that says when the limit ends is preferred.
fn limit(rule: &LimitRule, payload: &Value, now: Timestamp) -> Option<Option<Timestamp>> {
    let texts = rule.fields.iter().filter_map(|pointer| text_at(payload, pointer));
    let found: Vec<_> = texts.filter_map(|text| limit_in(&rule.pattern, &text, now)).collect();
    let first = *found.first()?;
    Some(found.into_iter().flatten().next().or(first))
}

/// Returns a text or a number that is there; epochs are numbers.
fn text_at<'a>(payload: &'a Value, pointer: &str) -> Option<Cow<'a, str>> {
    match payload.pointer(pointer)? {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the JSON with which a hook gives the agent `message` as its next instruction, by the
/// `answer` of its rule.
pub fn answer_to(answer: &toml::Table, message: &str) -> String {
    let filled = |text: &str| {
        let filled = template::fill(text, |_| message.as_bytes().to_vec());
        String::from_utf8_lossy(&filled).into_owned()
    };
    let table = serde_json::to_value(answer).expect("a TOML table is JSON");
    template::fill_texts(table, &filled).to_string()
}

fn activity(rule: &EventRule, payload: &Value, has_task: bool) -> Option<ActivityState> {
    let case = rule.field.as_deref().and_then(|pointer| payload.pointer(pointer)?.as_str());
    match case.and_then(|case| rule.cases.get(case)) {
        Some(CaseActivity::Is(activity)) => Some(*activity),
        Some(CaseActivity::Nothing(_)) => None,
        None => rule.with_task.filter(|_| has_task).or(rule.activity),
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
    use crate::adapter::agent::{Card, load_cards};

    fn launch() -> LaunchId {
        "0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    fn map_with(card: &Card, event: &str, payload: &[u8]) -> Option<Observation> {
        let at = "2026-11-21T14:30:00Z".parse().unwrap();
        map_hook(&card.hearing(event)?, payload, &launch(), false, at)
            .map(|heard| heard.observation)
    }

    fn map(event: &str, payload: &[u8]) -> Option<Observation> {
        let cards = load_cards(std::path::Path::new("/none")).unwrap();
        map_with(cards.find("demo").unwrap(), event, payload)
    }

    fn activity_of(observation: Option<Observation>) -> ActivityFact {
        match observation {
            Some(Observation::Activity(fact)) => fact,
            other => panic!("no activity: {other:?}"),
        }
    }

    /// Returns it as JSON, without what the caller says.
    fn shown(observation: &Observation) -> String {
        let mut value = serde_json::to_value(observation).unwrap();
        let object = value.as_object_mut().unwrap();
        assert_eq!(object.remove("launch").unwrap(), launch().as_str());
        assert_eq!(object.remove("observed_at").unwrap(), "2026-11-21T14:30:00.000Z");
        object.remove("confidence");
        value.to_string()
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
            table += &format!("{event:<18} {payload}\n  {}\n", shown(&fact));
        }
        insta::assert_snapshot!(table, @r#"
        session-start      {"session_id":"abc-1"}
          {"activity":"ready","agent_session":"abc-1","boundary":true,"kind":"activity","source":"hook"}
        user-prompt-submit {"sessionId":"abc-1"}
          {"activity":"active","agent_session":"abc-1","boundary":true,"kind":"activity","source":"hook"}
        pre-tool-use       {"tool_use_id":"t1","tool_name":"Bash"}
          {"activity":"active","kind":"activity","source":"hook","tool":"t1"}
        pre-tool-use       {"tool_name":"Bash"}
          {"activity":"active","kind":"activity","source":"hook","tool":"Bash"}
        permission-request {"tool_name":"Bash"}
          {"activity":"blocked","kind":"activity","source":"hook","tool":"Bash"}
        notification       {"notification_type":"idle_prompt"}
          {"activity":"idle","kind":"activity","source":"hook"}
        notification       {"notification_type":"something else"}
          {"activity":"waiting_input","kind":"activity","source":"hook"}
        notification       {}
          {"activity":"waiting_input","kind":"activity","source":"hook"}
        stop               {}
          {"activity":"idle","boundary":true,"kind":"activity","source":"hook"}
        session-end        {}
          {"activity":"exited","boundary":true,"kind":"activity","source":"hook"}
        "#);
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
            let fact = activity_of(map("pre-tool-use", payload.as_bytes()));
            let shown = payload.chars().take(40).collect::<String>();
            assert_eq!(fact.activity, ActivityState::Active, "{shown}");
            assert_eq!((fact.agent_session, fact.tool), (None, None), "{shown}");
        }
        let fact = activity_of(map("stop", b"{\"session_id\":\"\xff\"}"));
        assert_eq!(fact.agent_session, None);
    }

    #[test]
    fn an_answer_is_the_cards_table_with_the_text_in_it() {
        let table = "decision = 'block'\nreason = \"Next:\\n{message}\"\n\
                     more = { n = [1, true, '{{x}}'] }\n";
        let table: toml::Table = toml::from_str(table).unwrap();
        let answer = answer_to(&table, "say \"{message}\"\nand \u{1b}more");
        insta::assert_snapshot!(answer, @r##"
        {"decision":"block","more":{"n":[1,true,"{x}"]},"reason":"Next:\nsay \"{message}\"\nand \u001bmore"}
        "##);
    }

    #[test]
    fn a_tool_is_known_by_what_it_is_given() {
        let tool_of = |payload: &str| activity_of(map("post-tool-use", payload.as_bytes())).tool;
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
        assert_eq!(map_with(&card, "session-end", b"{\"reason\":\"clear\"}"), None);
        let fact = activity_of(map_with(&card, "session-end", b"{\"reason\":\"quit\"}"));
        assert_eq!(fact.activity, ActivityState::Exited);
    }

    #[test]
    fn a_limit_is_told_where_a_text_matches() {
        let cards = load_cards(std::path::Path::new("/none")).unwrap();
        let mut card = cards.find("demo").unwrap().clone();
        let rule: EventRule = toml::from_str(
            "activity = 'idle'\nboundary = true\n[limit]\nfields = ['/error', '/message']\n\
             pattern = 'limit reached(?:.*resets at (?<reset>.*))?'\n",
        )
        .unwrap();
        card.hooks.events.insert("stop-failure".into(), rule);
        let mut table = String::new();
        for payload in [
            r#"{"error":"limit reached, resets at 3pm (UTC)"}"#,
            r#"{"error":"limit reached","message":"limit reached: resets at 1795278600"}"#,
            r#"{"error":"limit reached","message":"some other text"}"#,
            r#"{"error":"limit reached, resets at some point"}"#,
            r#"{"error":"the server is overloaded"}"#,
            r#"{"error":{"message":"limit reached"}}"#,
            "{}",
            "not json",
        ] {
            let fact = map_with(&card, "stop-failure", payload.as_bytes()).unwrap();
            table += &format!("{payload}\n  {}\n", shown(&fact));
        }
        insta::assert_snapshot!(table, @r#"
        {"error":"limit reached, resets at 3pm (UTC)"}
          {"kind":"limit","resets_at":"2026-11-21T15:00:00.000Z"}
        {"error":"limit reached","message":"limit reached: resets at 1795278600"}
          {"kind":"limit","resets_at":"2026-11-21T16:30:00.000Z"}
        {"error":"limit reached","message":"some other text"}
          {"kind":"limit"}
        {"error":"limit reached, resets at some point"}
          {"kind":"limit"}
        {"error":"the server is overloaded"}
          {"activity":"idle","boundary":true,"kind":"activity","source":"hook"}
        {"error":{"message":"limit reached"}}
          {"activity":"idle","boundary":true,"kind":"activity","source":"hook"}
        {}
          {"activity":"idle","boundary":true,"kind":"activity","source":"hook"}
        not json
          {"activity":"idle","boundary":true,"kind":"activity","source":"hook"}
        "#);
    }

    #[test]
    fn an_agent_that_starts_with_a_task_is_not_ready_for_one() {
        let cards = load_cards(std::path::Path::new("/none")).unwrap();
        let said = |agent: &str, payload: &str, has_task: bool| {
            let (card, at) = (cards.find(agent).unwrap(), "2026-11-21T14:30:00Z".parse().unwrap());
            let hearing = card.hearing("session-start").unwrap();
            let told = map_hook(&hearing, payload.as_bytes(), &launch(), has_task, at);
            activity_of(told.map(|heard| heard.observation)).activity
        };
        for agent in ["claude-code", "gemini", "qwen"] {
            let startup = r#"{"source":"startup"}"#;
            assert_eq!(said(agent, startup, false), ActivityState::Ready, "{agent}");
            assert_eq!(said(agent, startup, true), ActivityState::Active, "{agent}");
            // The person began another conversation; its first task is yet to come.
            let clear = r#"{"source":"clear"}"#;
            assert_eq!(said(agent, clear, true), ActivityState::Ready, "{agent}");
        }
        // It says so together with its first turn, whenever that is.
        assert_eq!(said("codex", r#"{"source":"resume"}"#, false), ActivityState::Active);
    }
}
