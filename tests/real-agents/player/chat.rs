//! OpenAI Chat Completions: `POST /v1/chat/completions`.

use serde_json::{Value, json};

use super::script::Entry;
use super::{Call, Dialect, Failure, Reset, Turn, Voice, data, result_of, texts};

/// The dialect.
pub(super) struct Completions;

impl Dialect for Completions {
    fn read(&self, _path: &str, body: &Value) -> Turn {
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        let entries: Vec<Entry> = messages.iter().flat_map(entries).collect();
        let tools = body["tools"].as_array().cloned().unwrap_or_default();
        let name = |tool: &Value| Some(tool["function"]["name"].as_str()?.to_owned());
        let format = &body["response_format"];
        Turn {
            tools: tools.iter().filter_map(name).collect(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streamed: body["stream"] == true,
            wants: match format["type"].as_str() {
                Some("json_schema") => Some(format["json_schema"]["schema"].clone()),
                Some("json_object") => Some(json!({"type": "object"})),
                _ => None,
            },
            ..Turn::of(&entries)
        }
    }

    fn opening(&self, voice: &Voice) -> String {
        chunk(voice, &json!({"role": "assistant", "content": ""}), None)
    }

    fn say(&self, voice: &Voice, text: &str) -> String {
        chunk(voice, &json!({"content": text}), None)
    }

    fn closing(&self, voice: &Voice, _text: &str) -> String {
        end(voice, "stop")
    }

    fn call(&self, voice: &Voice, call: &Call) -> String {
        let mut tool = tool_call(voice, call);
        tool["index"] = json!(0);
        let delta = json!({"role": "assistant", "content": null, "tool_calls": [tool]});
        chunk(voice, &delta, None) + &end(voice, "tool_calls")
    }

    fn whole(&self, voice: &Voice, text: &str, call: Option<&Call>) -> Value {
        let (message, reason) = match call {
            Some(call) => {
                let calls = [tool_call(voice, call)];
                let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
                (message, "tool_calls")
            }
            None => (json!({"role": "assistant", "content": text}), "stop"),
        };
        let mut answer = envelope(voice, "chat.completion");
        answer["choices"] = json!([{"index": 0, "message": message, "finish_reason": reason}]);
        answer["usage"] = usage();
        answer
    }

    fn limit(&self, reset: Option<Reset>) -> Failure {
        let body = json!({"error": {
            "type": "insufficient_quota",
            "code": "insufficient_quota",
            "param": null,
            "message": "You exceeded your current quota, please check your plan and billing details.",
        }});
        let after = reset.map(|reset| ("retry-after".to_owned(), reset.after.to_string()));
        Failure { status: 429, headers: after.into_iter().collect(), body }
    }

    fn failure(&self, status: u16, message: &str) -> Value {
        let code = match status {
            401 => "invalid_api_key",
            429 => "rate_limit_exceeded",
            _ => "server_error",
        };
        json!({"error": {"type": code, "code": code, "param": null, "message": message}})
    }
}

/// Returns the entries of one message.
fn entries(message: &Value) -> Vec<Entry> {
    let texts = texts(&message["content"]).into_iter();
    match message["role"].as_str() {
        Some("user") => texts.map(Entry::Person).collect(),
        Some("tool") => vec![result_of(&message["content"])],
        Some("assistant") => {
            let calls = message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
            let spoken = texts.filter(|text| !text.is_empty()).map(Entry::Model);
            spoken.chain(calls.then_some(Entry::Call)).collect()
        }
        _ => Vec::new(),
    }
}

fn tool_call(voice: &Voice, call: &Call) -> Value {
    json!({
        "id": format!("call_{}", voice.number),
        "type": "function",
        "function": {"name": call.name, "arguments": call.input.to_string()},
    })
}

fn usage() -> Value {
    json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})
}

fn envelope(voice: &Voice, object: &str) -> Value {
    json!({
        "id": format!("chatcmpl-{}", voice.number),
        "object": object,
        "created": 1_700_000_000,
        "model": voice.model,
    })
}

fn chunk(voice: &Voice, delta: &Value, reason: Option<&str>) -> String {
    let mut chunk = envelope(voice, "chat.completion.chunk");
    chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
    data(&chunk)
}

fn end(voice: &Voice, reason: &str) -> String {
    let mut last = envelope(voice, "chat.completion.chunk");
    last["choices"] = json!([]);
    last["usage"] = usage();
    chunk(voice, &json!({}), Some(reason)) + &data(&last) + "data: [DONE]\n\n"
}
