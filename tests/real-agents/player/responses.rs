//! OpenAI Responses: `POST /v1/responses`.

use serde_json::{Value, json};

use super::script::Entry;
use super::{Call, Dialect, Failure, Reset, Turn, Voice, event, result_of, texts};

/// The dialect.
pub(super) struct Responses;

impl Dialect for Responses {
    fn read(&self, _path: &str, body: &Value) -> Turn {
        let entries: Vec<Entry> = match body["input"].as_array() {
            Some(items) => items.iter().flat_map(entries).collect(),
            None => texts(&body["input"]).into_iter().map(Entry::Person).collect(),
        };
        let tools = body["tools"].as_array().cloned().unwrap_or_default();
        let name = |tool: &Value| {
            Some(tool["name"].as_str().or_else(|| tool["type"].as_str())?.to_owned())
        };
        let format = &body["text"]["format"];
        Turn {
            tools: tools.iter().filter_map(name).collect(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streamed: body["stream"] == true,
            wants: (format["type"] == "json_schema").then(|| format["schema"].clone()),
            ..Turn::of(&entries)
        }
    }

    fn opening(&self, voice: &Voice) -> String {
        let item = message(voice, "");
        created(voice) + &item_event("response.output_item.added", &item)
    }

    fn say(&self, voice: &Voice, text: &str) -> String {
        let data = json!({
            "type": "response.output_text.delta",
            "item_id": format!("msg_{}", voice.number),
            "output_index": 0,
            "content_index": 0,
            "delta": text,
        });
        event("response.output_text.delta", &data)
    }

    fn closing(&self, voice: &Voice, text: &str) -> String {
        let item = message(voice, text);
        item_event("response.output_item.done", &item) + &completed(voice, &item)
    }

    fn call(&self, voice: &Voice, call: &Call) -> String {
        let item = function_call(voice, call);
        created(voice) + &item_event("response.output_item.done", &item) + &completed(voice, &item)
    }

    fn whole(&self, voice: &Voice, text: &str, call: Option<&Call>) -> Value {
        let item = match call {
            Some(call) => function_call(voice, call),
            None => message(voice, text),
        };
        response(voice, "completed", &[item])
    }

    fn limit(&self, reset: Option<Reset>) -> Failure {
        let mut body = json!({"error": {
            "type": "usage_limit_reached",
            "message": "The usage limit has been reached",
            "plan_type": "plus",
        }});
        if let Some(reset) = reset {
            body["error"]["resets_at"] = json!(reset.at);
        }
        Failure { status: 429, headers: Vec::new(), body }
    }

    fn failure(&self, status: u16, message: &str) -> Value {
        let kind = match status {
            401 => "invalid_request_error",
            429 => "rate_limit_error",
            _ => "server_error",
        };
        json!({"error": {"type": kind, "code": null, "message": message}})
    }
}

/// Returns the entries of one input item.
fn entries(item: &Value) -> Vec<Entry> {
    let texts = || texts(&item["content"]).into_iter();
    match (item["type"].as_str(), item["role"].as_str()) {
        (Some("function_call_output" | "custom_tool_call_output"), _) => {
            vec![result_of(&item["output"])]
        }
        (Some("function_call" | "custom_tool_call"), _) => vec![Entry::Call],
        (_, Some("user")) => texts().map(Entry::Person).collect(),
        (_, Some("assistant")) => texts().map(Entry::Model).collect(),
        _ => Vec::new(),
    }
}

fn message(voice: &Voice, text: &str) -> Value {
    let content = match text {
        "" => json!([]),
        text => json!([{"type": "output_text", "text": text, "annotations": []}]),
    };
    json!({
        "type": "message",
        "id": format!("msg_{}", voice.number),
        "role": "assistant",
        "content": content,
    })
}

fn function_call(voice: &Voice, call: &Call) -> Value {
    json!({
        "type": "function_call",
        "id": format!("fc_{}", voice.number),
        "call_id": format!("call_{}", voice.number),
        "name": call.name,
        "arguments": call.input.to_string(),
    })
}

fn item_event(name: &str, item: &Value) -> String {
    event(name, &json!({"type": name, "output_index": 0, "item": item}))
}

fn response(voice: &Voice, status: &str, output: &[Value]) -> Value {
    json!({
        "id": format!("resp_{}", voice.number),
        "object": "response",
        "status": status,
        "model": voice.model,
        "output": output,
        "usage": {
            "input_tokens": 10,
            "input_tokens_details": null,
            "output_tokens": 5,
            "output_tokens_details": null,
            "total_tokens": 15,
        },
    })
}

fn created(voice: &Voice) -> String {
    let response = response(voice, "in_progress", &[]);
    event("response.created", &json!({"type": "response.created", "response": response}))
}

fn completed(voice: &Voice, item: &Value) -> String {
    let response = response(voice, "completed", std::slice::from_ref(item));
    event("response.completed", &json!({"type": "response.completed", "response": response}))
}
