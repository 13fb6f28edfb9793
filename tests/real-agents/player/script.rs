//! What the player answers: rules, the first that fits counts.
//!
//! Rules look at what was said last, not at the order of requests: agents ask for titles, topics
//! and quotas whenever they like. What no rule fits is answered harmlessly.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::http::Piece;

/// How often an endless stream says something.
const ENDLESS_EVERY: Duration = Duration::from_millis(250);

/// Everything the player knows to say.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Script {
    /// The first that fits is taken.
    pub(crate) rules: Vec<Rule>,
    /// The agent offers no tools, so its own requests cannot be told from its side requests.
    pub(crate) without_tools: bool,
}

/// When to say what.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// A text in what the person said last.
    pub(crate) said: String,
    /// It answers the result of a tool, not the person.
    #[serde(default)]
    pub(crate) after_tool: bool,
    /// Used up after so many requests.
    #[serde(default)]
    pub(crate) times: Option<u32>,
    /// What is answered.
    pub(crate) answer: Answer,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answer {
    /// The whole text at once.
    Text { text: String },
    /// A call of one of the agent's tools.
    Tool { name: String, input: Value },
    /// Word by word, with a pause after each.
    Slow { text: String, pause_ms: u64 },
    /// Nothing until released, then the whole text.
    Held { text: String },
    /// The first half, and then the connection ends.
    Cut { text: String },
    /// The text again and again, for ever.
    Endless { text: String },
    /// The account's usage limit is reached, until a time in seconds since 1970 where the service
    /// says that.
    Limit {
        #[serde(default)]
        resets_at: Option<i64>,
    },
    /// The service has too much to do.
    Overloaded,
    /// The key is not known.
    Unauthorized,
    /// Anything else.
    Status { status: u16, headers: Vec<(String, String)>, body: Value },
}

/// What a text stream is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delta {
    Say(String),
    Wait(Piece),
    /// Said again and again.
    Again(String, Duration),
}

impl Answer {
    /// Returns what of it is said; the whole text where nothing interrupts it.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text { text }
            | Self::Slow { text, .. }
            | Self::Held { text }
            | Self::Cut { text }
            | Self::Endless { text } => text,
            Self::Tool { .. }
            | Self::Limit { .. }
            | Self::Overloaded
            | Self::Unauthorized
            | Self::Status { .. } => "",
        }
    }

    /// Returns how its text comes.
    pub(super) fn deltas(&self) -> Vec<Delta> {
        let text = self.text();

        let say = |text: &str| Delta::Say(text.to_owned());
        match self {
            Self::Slow { pause_ms, .. } => {
                let pause = Delta::Wait(Piece::Pause(Duration::from_millis(*pause_ms)));
                text.split_inclusive(' ').flat_map(|word| [say(word), pause.clone()]).collect()
            }
            Self::Cut { .. } => vec![say(first_half(text)), Delta::Wait(Piece::Cut)],
            Self::Endless { .. } => {
                vec![say(text), Delta::Again(text.to_owned(), ENDLESS_EVERY)]
            }
            Self::Text { .. }
            | Self::Held { .. }
            | Self::Tool { .. }
            | Self::Limit { .. }
            | Self::Overloaded
            | Self::Unauthorized
            | Self::Status { .. } => vec![say(text)],
        }
    }
}

fn first_half(text: &str) -> &str {
    let middle = (text.len() / 2..=text.len()).find(|at| text.is_char_boundary(*at));
    &text[..middle.unwrap_or(text.len())]
}

/// One entry of a conversation, whatever its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Person(String),
    Model(String),
    /// The model called a tool.
    Call,
    /// What the tool gave.
    Result(String),
}

/// What one request asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Turn {
    /// What the person said since the model last spoke, text by text. Agents add reminders of
    /// their own as further texts.
    pub(crate) said: Vec<String>,
    /// How many of them were said before the tool's result.
    pub(crate) before_result: usize,
    /// Every text of the conversation, in order: the person's and the model's.
    pub(crate) texts: Vec<String>,
    /// What the tool gave, where that is what is to be answered.
    pub(crate) tool_result: Option<String>,
    /// The tools it offers.
    pub(crate) tools: Vec<String>,
    /// The model it asks for.
    pub(crate) model: String,
    /// The answer is to be streamed.
    pub(crate) streamed: bool,
    /// The JSON Schema the answer has to follow.
    pub(crate) wants: Option<Value>,
}

impl Turn {
    /// Returns the turn that a conversation has come to.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut turn = Self::default();
        let mut model_spoke = false;
        for entry in entries {
            match entry {
                Entry::Person(text) => {
                    if model_spoke {
                        turn.said.clear();
                        turn.before_result = 0;
                    }
                    model_spoke = false;
                    turn.said.push(text.clone());
                    turn.texts.push(text.clone());
                }
                Entry::Model(text) => {
                    turn.tool_result = None;
                    model_spoke = true;
                    turn.texts.push(text.clone());
                }
                Entry::Call => (turn.tool_result, model_spoke) = (None, true),
                // The task is still the one of before.
                Entry::Result(text) => {
                    (turn.tool_result, model_spoke) = (Some(text.clone()), false);
                    turn.before_result = turn.said.len();
                }
            }
        }
        turn
    }
}

impl Script {
    /// Returns the number of the rule that fits and is not used up. What was said later counts
    /// first: an agent repeats a text whose answer was an error. What was said after a tool's result
    /// is not about that result.
    pub(super) fn rule_for(&self, turn: &Turn, used: &[u32]) -> Option<usize> {
        let is_side_request = turn.tools.is_empty() && !self.without_tools;
        if is_side_request || turn.wants.is_some() {
            return None;
        }
        let rule = |text: &str, after_tool: bool| {
            self.rules.iter().enumerate().position(|(index, rule)| {
                rule.after_tool == after_tool
                    && text.contains(&rule.said)
                    && rule.times.is_none_or(|times| used.get(index).is_none_or(|it| *it < times))
            })
        };
        let fresh = turn.said.iter().skip(turn.before_result).rev();
        let answered = || turn.tool_result.iter().flat_map(|_| turn.said.iter().rev());
        fresh
            .filter_map(|text| rule(text, false))
            .chain(answered().filter_map(|text| rule(text, true)))
            .next()
    }

    /// Returns the answer to `turn` by the rule, or a harmless one.
    pub(super) fn answer(&self, turn: &Turn, rule: Option<usize>) -> Answer {
        match (rule.and_then(|index| self.rules.get(index)), &turn.wants) {
            (Some(rule), _) => rule.answer.clone(),
            (None, Some(schema)) => Answer::Text { text: example(schema).to_string() },
            (None, None) => Answer::Text { text: "Understood.".to_owned() },
        }
    }
}

/// Returns the least value that a JSON Schema takes.
fn example(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    // Gemini writes types in capitals.
    match schema["type"].as_str().unwrap_or("object").to_lowercase().as_str() {
        "string" => Value::from("none"),
        "number" | "integer" => Value::from(0),
        "boolean" => Value::from(false),
        "array" => Value::Array(Vec::new()),
        _ => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, schema)| (name.clone(), example(schema))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn turn(said: &str) -> Turn {
        Turn { said: vec![said.into()], tools: vec!["Bash".into()], ..Turn::default() }
    }

    fn script() -> Script {
        let text = |text: &str| Answer::Text { text: text.into() };
        let rule = |said: &str, after_tool, times, answer| Rule {
            said: said.into(),
            after_tool,
            times,
            answer,
        };
        let rules = vec![
            rule("once", false, Some(1), text("first")),
            rule("once", false, None, text("again")),
            rule("once", true, None, text("after the tool")),
        ];
        Script { rules, without_tools: false }
    }

    fn said(script: &Script, turn: &Turn, used: &[u32]) -> String {
        script.answer(turn, script.rule_for(turn, used)).text().to_owned()
    }

    #[test]
    fn the_first_rule_that_fits_and_is_not_used_up_answers() {
        let script = script();
        assert_eq!(said(&script, &turn("say it once"), &[0, 0, 0]), "first");
        assert_eq!(said(&script, &turn("say it once"), &[1, 0, 0]), "again");
        let result = Turn { tool_result: Some("out".into()), ..turn("say it once") };
        let result = Turn { before_result: 1, ..result };
        assert_eq!(said(&script, &result, &[1, 0, 0]), "after the tool");
        let aborted = Turn { before_result: 0, ..result };
        assert_eq!(said(&script, &aborted, &[1, 0, 0]), "again");
        assert_eq!(said(&script, &turn("something else"), &[0, 0, 0]), "Understood.");
    }

    #[test]
    fn a_side_request_is_answered_harmlessly_whatever_it_quotes() {
        let mut script = script();
        let title = Turn { tools: Vec::new(), ..turn("a title for: say it once") };
        assert_eq!(said(&script, &title, &[0, 0, 0]), "Understood.");
        script.without_tools = true;
        assert_eq!(said(&script, &title, &[0, 0, 0]), "first");
        let next = json!({"type": "OBJECT", "properties": {
            "reasoning": {"type": "STRING"},
            "next_speaker": {"type": "STRING", "enum": ["user", "model"]},
        }});
        let next = Turn { wants: Some(next), ..turn("once") };
        let answer: Value = serde_json::from_str(&said(&script, &next, &[])).unwrap();
        assert_eq!(answer, json!({"reasoning": "none", "next_speaker": "user"}));
    }

    #[test]
    fn a_turn_is_what_was_said_since_the_model_spoke() {
        let person = |text: &str| Entry::Person(text.into());
        let model = |text: &str| Entry::Model(text.into());
        let result = |text: &str| Entry::Result(text.into());
        let start = vec![person("be brief"), person("go"), model("well"), Entry::Call];
        assert_eq!(Turn::of(&start[..2]).said, ["be brief", "go"]);

        let with_result = Turn::of(&[start.clone(), vec![result("out")]].concat());
        assert_eq!(with_result.said, ["be brief", "go"]);
        assert_eq!(with_result.tool_result.as_deref(), Some("out"));

        let more = vec![result("out"), person("hint"), model("done"), person("next")];
        let next = Turn::of(&[start, more].concat());
        assert_eq!((next.said, next.tool_result), (vec!["next".to_owned()], None));
        assert_eq!(next.texts, ["be brief", "go", "well", "hint", "done", "next"]);
    }

    #[test]
    fn a_text_without_an_answer_does_not_hide_the_next() {
        let script = script();
        let both = Turn { said: vec!["once".into(), "more".into()], ..turn("") };
        assert_eq!(said(&script, &both, &[]), "first");
        let both = Turn { said: vec!["other".into(), "once".into()], ..turn("") };
        assert_eq!(said(&script, &both, &[]), "first");
    }

    #[test]
    fn a_script_is_json() {
        let text = r#"{"rules": [{"said": "x", "answer": {"kind": "cut", "text": "äb"}}]}"#;
        let script: Script = serde_json::from_str(text).unwrap();
        assert_eq!(
            script.rules[0].answer.deltas(),
            [Delta::Say("ä".into()), Delta::Wait(Piece::Cut)]
        );
        assert!(serde_json::from_str::<Script>(r#"{"rule": []}"#).is_err());
    }
}
