//! Anthropic Messages: `POST /v1/messages`.

use serde_json::{Value, json};

use super::script::Entry;
use super::{Call, Dialect, Failure, Reset, Turn, Voice, event, result_of, texts};

/// The dialect.
pub(super) struct Messages;

impl Dialect for Messages {
    fn read(&self, _path: &str, body: &Value) -> Turn {
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        let entries: Vec<Entry> = messages.iter().flat_map(entries).collect();
        let tools = body["tools"].as_array().cloned().unwrap_or_default();
        let format = &body["output_config"]["format"];
        Turn {
            tools: tools.iter().filter_map(|it| Some(it["name"].as_str()?.to_owned())).collect(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streamed: body["stream"] == true,
            wants: (format["type"] == "json_schema").then(|| format["schema"].clone()),
            ..Turn::of(&entries)
        }
    }

    fn opening(&self, voice: &Voice) -> String {
        let block = json!({"type": "text", "text": ""});
        start(voice) + &block_start(&block)
    }

    fn say(&self, _voice: &Voice, text: &str) -> String {
        delta(&json!({"type": "text_delta", "text": text}))
    }

    fn closing(&self, _voice: &Voice, _text: &str) -> String {
        stop("end_turn")
    }

    fn call(&self, voice: &Voice, call: &Call) -> String {
        let id = format!("toolu_{}", voice.number);
        let block = json!({"type": "tool_use", "id": id, "name": call.name, "input": {}});
        let input = json!({"type": "input_json_delta", "partial_json": call.input.to_string()});
        start(voice) + &block_start(&block) + &delta(&input) + &stop("tool_use")
    }

    fn whole(&self, voice: &Voice, text: &str, call: Option<&Call>) -> Value {
        let mut message = message(voice);
        let (block, reason) = match call {
            Some(call) => {
                let id = format!("toolu_{}", voice.number);
                let block =
                    json!({"type": "tool_use", "id": id, "name": call.name, "input": call.input});
                (block, "tool_use")
            }
            None => (json!({"type": "text", "text": text}), "end_turn"),
        };
        message["content"] = json!([block]);
        message["stop_reason"] = json!(reason);
        message
    }

    /// What the service answers where a plan's window is used up; the headers say when it opens.
    fn limit(&self, reset: Option<Reset>) -> Failure {
        let mut headers = vec![
            ("anthropic-ratelimit-unified-status".to_owned(), "rejected".to_owned()),
            ("anthropic-ratelimit-unified-representative-claim".to_owned(), "five_hour".to_owned()),
            ("x-should-retry".to_owned(), "false".to_owned()),
        ];
        if let Some(reset) = reset {
            let name = "anthropic-ratelimit-unified-reset".to_owned();
            headers.push((name, reset.at.to_string()));
        }
        let body = self.failure(429, "This request would exceed your account's rate limit.");
        Failure { status: 429, headers, body }
    }

    fn failure(&self, status: u16, message: &str) -> Value {
        let kind = match status {
            401 => "authentication_error",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            _ => "api_error",
        };
        json!({"type": "error", "error": {"type": kind, "message": message}})
    }
}

/// Returns the entries of one message: its texts, calls and results.
fn entries(message: &Value) -> Vec<Entry> {
    let by_model = message["role"] == "assistant";
    let text = |text: &str| {
        if by_model { Entry::Model(text.to_owned()) } else { Entry::Person(text.to_owned()) }
    };
    let Value::Array(blocks) = &message["content"] else {
        return texts(&message["content"]).iter().map(|it| text(it)).collect();
    };
    let entry = |block: &Value| match block["type"].as_str()? {
        "text" => Some(text(block["text"].as_str()?)),
        "tool_use" => Some(Entry::Call),
        "tool_result" => Some(result_of(&block["content"])),
        _ => None,
    };
    blocks.iter().filter_map(entry).collect()
}

fn message(voice: &Voice) -> Value {
    json!({
        "id": format!("msg_{}", voice.number),
        "type": "message",
        "role": "assistant",
        "model": voice.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    })
}

fn start(voice: &Voice) -> String {
    event("message_start", &json!({"type": "message_start", "message": message(voice)}))
}

fn block_start(block: &Value) -> String {
    let data = json!({"type": "content_block_start", "index": 0, "content_block": block});
    event("content_block_start", &data)
}

fn delta(delta: &Value) -> String {
    let data = json!({"type": "content_block_delta", "index": 0, "delta": delta});
    event("content_block_delta", &data)
}

fn stop(reason: &str) -> String {
    let delta = json!({
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": null},
        "usage": {"output_tokens": 5},
    });
    event("content_block_stop", &json!({"type": "content_block_stop", "index": 0}))
        + &event("message_delta", &delta)
        + &event("message_stop", &json!({"type": "message_stop"}))
}
