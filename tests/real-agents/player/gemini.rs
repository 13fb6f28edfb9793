//! Gemini: `POST /v1beta/models/MODEL:generateContent` and `:streamGenerateContent?alt=sse`.

use serde_json::{Value, json};

use super::script::Entry;
use super::{Call, Dialect, Failure, Reset, Turn, Voice, data};

/// The dialect.
pub(super) struct Gemini;

impl Dialect for Gemini {
    fn read(&self, path: &str, body: &Value) -> Turn {
        let contents = body["contents"].as_array().cloned().unwrap_or_default();
        let entries: Vec<Entry> = contents.iter().flat_map(entries).collect();
        let tools = body["tools"].as_array().cloned().unwrap_or_default();
        let functions = tools.iter().filter_map(|tool| tool["functionDeclarations"].as_array());
        let config = &body["generationConfig"];
        let schema = ["responseJsonSchema", "responseSchema"]
            .iter()
            .find_map(|key| config.get(key))
            .cloned();
        let is_json = config["responseMimeType"] == "application/json";
        let named = path.rsplit('/').next().unwrap_or_default().split(':').next();
        Turn {
            tools: functions
                .flatten()
                .filter_map(|it| Some(it["name"].as_str()?.to_owned()))
                .collect(),
            model: named.unwrap_or_default().to_owned(),
            streamed: path.contains(":streamGenerateContent"),
            wants: is_json.then(|| schema.unwrap_or_else(|| json!({"type": "object"}))),
            ..Turn::of(&entries)
        }
    }

    fn opening(&self, _voice: &Voice) -> String {
        String::new()
    }

    fn say(&self, voice: &Voice, text: &str) -> String {
        data(&answer(voice, &json!({"text": text}), None))
    }

    fn closing(&self, voice: &Voice, _text: &str) -> String {
        data(&answer(voice, &json!({"text": ""}), Some("STOP")))
    }

    fn call(&self, voice: &Voice, call: &Call) -> String {
        data(&answer(voice, &function_call(voice, call), Some("STOP")))
    }

    fn whole(&self, voice: &Voice, text: &str, call: Option<&Call>) -> Value {
        let part = call.map_or_else(|| json!({"text": text}), |call| function_call(voice, call));
        answer(voice, &part, Some("STOP"))
    }

    /// What the service answers where a quota is used up.
    fn limit(&self, reset: Option<Reset>) -> Failure {
        let mut body = self.failure(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
        );
        // Of a quota of the day the program shows no time, whatever else is said.
        let details = match reset {
            Some(reset) => json!([{
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{}s", reset.after),
            }]),
            None => json!([{
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{
                    "quotaMetric": "generativelanguage.googleapis.com/generate_requests_per_day",
                    "quotaId": "GenerateRequestsPerDayPerProjectPerModel",
                }],
            }]),
        };
        body["error"]["details"] = details;
        Failure { status: 429, headers: Vec::new(), body }
    }

    fn failure(&self, status: u16, message: &str) -> Value {
        let word = match status {
            401 => "UNAUTHENTICATED",
            429 => "RESOURCE_EXHAUSTED",
            529 => "UNAVAILABLE",
            _ => "INTERNAL",
        };
        json!({"error": {"code": status, "message": message, "status": word}})
    }
}

/// Returns the entries of one content: its texts, calls and results.
fn entries(content: &Value) -> Vec<Entry> {
    let by_model = content["role"] == "model";
    let parts = content["parts"].as_array().cloned().unwrap_or_default();
    let entry = |part: &Value| {
        if part.get("functionCall").is_some() {
            return Some(Entry::Call);
        }
        if let Some(result) = part.get("functionResponse") {
            return Some(Entry::Result(result["response"].to_string()));
        }
        let text = part["text"].as_str()?.to_owned();
        Some(if by_model { Entry::Model(text) } else { Entry::Person(text) })
    };
    parts.iter().filter_map(entry).collect()
}

fn function_call(voice: &Voice, call: &Call) -> Value {
    let id = format!("call_{}", voice.number);
    json!({"functionCall": {"id": id, "name": call.name, "args": call.input}})
}

fn answer(voice: &Voice, part: &Value, reason: Option<&str>) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": [part]}});
    if let Some(reason) = reason {
        candidate["finishReason"] = json!(reason);
    }
    json!({
        "candidates": [candidate],
        "modelVersion": voice.model,
        "responseId": format!("r{}", voice.number),
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 5,
            "totalTokenCount": 15,
        },
    })
}
