//! One line of `ao decide`: a record, an observation, a policy and a time in, a decision out.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::decide::{self, DecideError, Outcome};
use crate::model::effect::Effect;
use crate::model::facts::Observation;
use crate::model::patch;
use crate::model::policy::Policy;
use crate::model::record::{Document, OrderedJson, Record};
use crate::model::sanitize::{self, chain};
use crate::model::time::Timestamp;

/// Decides the JSON object `line`; `policy` and `now` stand in for what it lacks.
///
/// # Errors
///
/// The line to print instead: `{"error":{…}}`. It says what is wrong with the input.
pub fn evaluate_line(line: &str, policy: &Policy, now: Timestamp) -> Result<String, String> {
    evaluate(line, policy, now).map_err(|failure| failure.to_line())
}

/// Why a line has no answer, as the command line classifies it.
struct Failure {
    kind: &'static str,
    code: u8,
    message: String,
}

impl Failure {
    fn invalid(message: impl Into<String>) -> Self {
        Self { kind: "invalid", code: 2, message: message.into() }
    }

    fn to_line(&self) -> String {
        serde_json::json!({ "error": {
            "kind": self.kind,
            "code": self.code,
            // It may quote the line.
            "message": sanitize::line(&self.message),
            "retryable": false,
        }})
        .to_string()
    }
}

impl From<DecideError> for Failure {
    fn from(error: DecideError) -> Self {
        let (kind, code) = match error {
            DecideError::NeverSeeded => ("not_found", 3),
            DecideError::NotTerminal { .. } => ("conflict", 4),
        };
        Self { kind, code, message: error.to_string() }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    patch: &'a Map<String, Value>,
    record: OrderedJson<'a>,
    status: StatusChange,
    evidence: &'a str,
    decision: Rule<'a>,
    effects: &'a [Effect],
}

#[derive(Serialize)]
struct StatusChange {
    before: &'static str,
    after: &'static str,
}

#[derive(Serialize)]
struct Rule<'a> {
    rule: &'static str,
    reason: &'a str,
}

fn evaluate(line: &str, policy: &Policy, now: Timestamp) -> Result<String, Failure> {
    let mut input = match serde_json::from_slice(line.as_bytes()) {
        Ok(Value::Object(input)) => input,
        Ok(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        ) => return Err(Failure::invalid("the line is not a JSON object")),
        Err(error) => return Err(Failure::invalid(format!("the line is not JSON: {error}"))),
    };
    let raw = match input.remove("record") {
        Some(Value::Object(raw)) => Document::from_map(raw),
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        )
        | None => return Err(Failure::invalid("the line needs an object `record`")),
    };
    let observation = input
        .remove("observation")
        .ok_or_else(|| Failure::invalid("the line needs an `observation`"))?;
    let given_policy: Option<Policy> = optional(&mut input, "policy")?;
    let now = optional(&mut input, "now")?.unwrap_or(now);
    let record = read_record(&raw)?;
    let observation =
        Observation::from_value(observation).map_err(|error| Failure::invalid(chain(&error)))?;
    let policy = given_policy.as_ref().unwrap_or(policy);
    let outcome = decide_for(&raw, &record, &observation, policy, now)?;
    Ok(answer(raw, &record, &outcome))
}

/// A record that says anything of its lifecycle was seeded, whatever it says.
fn decide_for(
    raw: &Document,
    record: &Record,
    observation: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Result<Outcome, DecideError> {
    if raw.as_map().contains_key("lifecycle") {
        decide::reduce_seeded(record, observation, policy, now)
    } else {
        decide::reduce(record, observation, policy, now)
    }
}

/// Reads an optional value; `null` counts as absent.
fn optional<T: serde::de::DeserializeOwned>(
    input: &mut Map<String, Value>,
    key: &str,
) -> Result<Option<T>, Failure> {
    match input.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|error| Failure::invalid(format!("invalid `{key}`: {error}"))),
    }
}

fn read_record(raw: &Document) -> Result<Record, Failure> {
    let record = raw.view().map_err(|error| Failure::invalid(chain(&error)))?;
    let newest = crate::model::record::SCHEMA;
    if record.schema > newest {
        let message = format!("record schema {} is newer than {newest}", record.schema);
        return Err(Failure { kind: "missing_dependency", code: 8, message });
    }
    Ok(record)
}

/// Returns the answer; keys of the record that this version does not know survive in it.
fn answer(raw: Document, record: &Record, outcome: &Outcome) -> String {
    let mut object = record.to_map();
    patch::apply(&mut object, raw.as_map());
    patch::apply(&mut object, &outcome.patch);
    let document = Document::from_map(object);
    let answer = Answer {
        patch: &outcome.patch,
        record: document.ordered(),
        status: StatusChange {
            before: outcome.status_before.as_str(),
            after: outcome.status_after.as_str(),
        },
        evidence: &outcome.evidence,
        decision: Rule { rule: outcome.rule, reason: &outcome.reason },
        effects: &outcome.effects,
    };
    serde_json::to_string(&answer).expect("a JSON value always serialises into memory")
}
