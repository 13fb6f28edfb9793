//! What each protocol's client sees.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Ended, Player, Rule, Script};

const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it arrived.
struct Got {
    head: String,
    /// The chunks' content, as far as they came.
    body: String,
    /// The last chunk was there.
    complete: bool,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Returns the name of each event, or what the data of a nameless one says.
    fn events(&self) -> Vec<String> {
        self.body.split_terminator("\n\n").map(said_by).collect()
    }
}

/// Where the different protocols put a text or the input of a tool.
const SAID_AT: &[&str] = &[
    "/delta/text",
    "/delta/partial_json",
    "/delta",
    "/item/content/0/text",
    "/item/arguments",
    "/choices/0/delta/content",
    "/choices/0/delta/tool_calls/0/function/arguments",
];

/// Returns the name of an event and what it says, or the better of the two.
fn said_by(event: &str) -> String {
    let mut name = None;
    for line in event.lines() {
        if let Some(it) = line.strip_prefix("event: ") {
            name = Some(it.to_owned());
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).unwrap_or(json!(data));
            let text = SAID_AT.iter().find_map(|path| data.pointer(path)?.as_str());
            let part = data.pointer("/candidates/0/content/parts/0");
            return match (name, text, part, data.pointer("/choices/0/finish_reason")) {
                (Some(name), Some(text), _, _) => format!("{name} {text:?}"),
                (Some(name), None, _, _) => name,
                (None, Some(text), _, _) => format!("{text:?}"),
                (None, _, Some(part), _) => part.to_string(),
                (None, _, _, Some(Value::String(reason))) => reason.clone(),
                _ => data.as_str().unwrap_or("usage").to_owned(),
            };
        }
    }
    panic!("an event without data: {event:?}")
}

/// Sends a request without waiting for its answer.
fn ask(player: &Player, path: &str, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(player.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = body.to_string();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
    stream
}

/// Reads one answer to its end or to the connection's.
fn read(stream: &mut TcpStream) -> Got {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n0\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => break,
        }
    }
    let complete = bytes.ends_with(b"\r\n0\r\n\r\n");
    let text = String::from_utf8(bytes).unwrap();
    let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    Got { head: head.to_owned(), body, complete }
}

fn post(player: &Player, path: &str, body: &Value) -> Got {
    read(&mut ask(player, path, body))
}

/// Plays one answer to everything.
fn playing(answer: Answer) -> Player {
    let rule = Rule { said: "go".into(), after_tool: false, times: None, answer };
    Player::start(Script { rules: vec![rule], without_tools: false }, 0).unwrap()
}

fn text(text: &str) -> Answer {
    Answer::Text { text: text.into() }
}

fn bash() -> Answer {
    Answer::Tool { name: "Bash".into(), input: json!({"command": "ls"}) }
}

/// Returns, for each protocol, its path and a request that says `go` and offers a tool.
fn protocols(streamed: bool) -> [(&'static str, Value); 4] {
    let tool = json!({"name": "Bash"});
    [
        (
            "/v1/messages?beta=true",
            json!({"model": "m", "stream": streamed, "tools": [tool],
                   "messages": [{"role": "user", "content": [{"type": "text", "text": "go"}]}]}),
        ),
        (
            "/v1/responses",
            json!({"model": "m", "stream": streamed, "tools": [tool], "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}
            ]}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "m", "stream": streamed, "messages": [{"role": "user", "content": "go"}],
                   "tools": [{"type": "function", "function": tool}]}),
        ),
        (
            match streamed {
                true => "/v1beta/models/flash:streamGenerateContent?alt=sse",
                false => "/v1beta/models/flash:generateContent",
            },
            json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}],
                   "tools": [{"functionDeclarations": [tool]}]}),
        ),
    ]
}

/// Returns what each protocol's client sees of a streamed answer, in one text.
fn streams(answer: &Answer) -> String {
    let mut seen = String::new();
    for (path, body) in protocols(true) {
        let got = post(&playing(answer.clone()), path, &body);
        let end = if got.complete { "end" } else { "cut" };
        seen.push_str(&format!("{path}\n  {}\n  {end}\n", got.events().join("\n  ")));
    }
    seen
}

#[test]
fn a_text_is_streamed_event_by_event() {
    insta::assert_snapshot!(streams(&text("Hello.")), @r#"
    /v1/messages?beta=true
      message_start
      content_block_start
      content_block_delta "Hello."
      content_block_stop
      message_delta
      message_stop
      end
    /v1/responses
      response.created
      response.output_item.added
      response.output_text.delta "Hello."
      response.output_item.done "Hello."
      response.completed
      end
    /v1/chat/completions
      ""
      "Hello."
      stop
      usage
      [DONE]
      end
    /v1beta/models/flash:streamGenerateContent?alt=sse
      {"text":"Hello."}
      {"text":""}
      end
    "#);
}

#[test]
fn a_tool_call_is_streamed() {
    insta::assert_snapshot!(streams(&bash()), @r#"
    /v1/messages?beta=true
      message_start
      content_block_start
      content_block_delta "{\"command\":\"ls\"}"
      content_block_stop
      message_delta
      message_stop
      end
    /v1/responses
      response.created
      response.output_item.done "{\"command\":\"ls\"}"
      response.completed
      end
    /v1/chat/completions
      "{\"command\":\"ls\"}"
      tool_calls
      usage
      [DONE]
      end
    /v1beta/models/flash:streamGenerateContent?alt=sse
      {"functionCall":{"args":{"command":"ls"},"id":"call_0","name":"Bash"}}
      end
    "#);
}

#[test]
fn a_cut_stream_has_half_a_text_and_no_end() {
    insta::assert_snapshot!(streams(&Answer::Cut { text: "abcdef".into() }), @r#"
    /v1/messages?beta=true
      message_start
      content_block_start
      content_block_delta "abc"
      cut
    /v1/responses
      response.created
      response.output_item.added
      response.output_text.delta "abc"
      cut
    /v1/chat/completions
      ""
      "abc"
      cut
    /v1beta/models/flash:streamGenerateContent?alt=sse
      {"text":"abc"}
      cut
    "#);
}

#[test]
fn a_slow_stream_comes_word_by_word() {
    let answer = Answer::Slow { text: "one two".into(), pause_ms: 1 };
    for (path, body) in protocols(true) {
        let got = post(&playing(answer.clone()), path, &body);
        let events = got.events();
        let first = events.iter().position(|event| event.contains("\"one \""));
        let second = events.iter().position(|event| event.contains("\"two\""));
        assert!(first.is_some() && first < second && got.complete, "{path}: {events:?}");
    }
}

#[test]
fn what_is_not_streamed_is_one_document() {
    let mut seen = String::new();
    for answer in [text("Hello."), bash()] {
        for (path, body) in protocols(false) {
            let got = post(&playing(answer.clone()), path, &body);
            let answer = got.json();
            let content =
                ["/content/0", "/output/0", "/choices/0/message", "/candidates/0/content"];
            let content = content.iter().find_map(|it| answer.pointer(it)).unwrap();
            seen.push_str(&format!("{path}\n  {content}\n"));
        }
    }
    insta::assert_snapshot!(seen, @r#"
    /v1/messages?beta=true
      {"text":"Hello.","type":"text"}
    /v1/responses
      {"content":[{"annotations":[],"text":"Hello.","type":"output_text"}],"id":"msg_0","role":"assistant","type":"message"}
    /v1/chat/completions
      {"content":"Hello.","role":"assistant"}
    /v1beta/models/flash:generateContent
      {"parts":[{"text":"Hello."}],"role":"model"}
    /v1/messages?beta=true
      {"id":"toolu_0","input":{"command":"ls"},"name":"Bash","type":"tool_use"}
    /v1/responses
      {"arguments":"{\"command\":\"ls\"}","call_id":"call_0","id":"fc_0","name":"Bash","type":"function_call"}
    /v1/chat/completions
      {"content":null,"role":"assistant","tool_calls":[{"function":{"arguments":"{\"command\":\"ls\"}","name":"Bash"},"id":"call_0","type":"function"}]}
    /v1beta/models/flash:generateContent
      {"parts":[{"functionCall":{"args":{"command":"ls"},"id":"call_0","name":"Bash"}}],"role":"model"}
    "#);
}

#[test]
fn failures_have_their_status_and_body() {
    let mut seen = String::new();
    for answer in [Answer::Limit { resets_at: Some(7) }, Answer::Overloaded, Answer::Unauthorized] {
        for (path, body) in protocols(true) {
            let got = post(&playing(answer.clone()), path, &body);
            let status = got.head.split(' ').nth(1).unwrap();
            seen.push_str(&format!("{status} {}\n", got.body));
            let resets = got.head.contains("anthropic-ratelimit-unified-reset: 7");
            assert_eq!(resets, path.contains("messages") && status == "429");
        }
    }
    insta::assert_snapshot!(seen, @r#"
    429 {"error":{"message":"This request would exceed your account's rate limit.","type":"rate_limit_error"},"type":"error"}
    429 {"error":{"message":"The usage limit has been reached","plan_type":"plus","resets_at":7,"type":"usage_limit_reached"}}
    429 {"error":{"code":"insufficient_quota","message":"You exceeded your current quota, please check your plan and billing details.","param":null,"type":"insufficient_quota"}}
    429 {"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}],"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED"}}
    529 {"error":{"message":"Overloaded","type":"overloaded_error"},"type":"error"}
    529 {"error":{"code":null,"message":"Overloaded","type":"server_error"}}
    529 {"error":{"code":"server_error","message":"Overloaded","param":null,"type":"server_error"}}
    529 {"error":{"code":529,"message":"Overloaded","status":"UNAVAILABLE"}}
    401 {"error":{"message":"invalid x-api-key","type":"authentication_error"},"type":"error"}
    401 {"error":{"code":null,"message":"invalid x-api-key","type":"invalid_request_error"}}
    401 {"error":{"code":"invalid_api_key","message":"invalid x-api-key","param":null,"type":"invalid_api_key"}}
    401 {"error":{"code":401,"message":"invalid x-api-key","status":"UNAUTHENTICATED"}}
    "#);
}

#[test]
fn a_held_answer_waits_for_its_release() {
    let player = playing(Answer::Held { text: "first second".into() });
    let (path, body) = &protocols(true)[0];
    let mut stream = ask(&player, path, body);
    let begun = player.wait_for(0, PATIENCE, |it| it.rule == Some(0)).unwrap();
    assert_eq!(begun.ended, None);
    player.release();
    let got = read(&mut stream);
    assert!(got.complete && got.body.contains("second"), "{}", got.body);
    assert!(player.wait_for(0, PATIENCE, |it| it.ended == Some(Ended::Complete)).is_some());
}

#[test]
fn an_endless_stream_ends_when_its_client_leaves() {
    let player = playing(Answer::Endless { text: "more ".into() });
    let (path, body) = &protocols(true)[1];
    let mut stream = ask(&player, path, body);
    let mut seen = String::new();
    while seen.matches("more ").count() < 2 {
        let mut bytes = [0; 512];
        let read = stream.read(&mut bytes).unwrap();
        seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    drop(stream);
    assert!(player.wait_for(0, PATIENCE, |it| it.ended == Some(Ended::Abandoned)).is_some());
}

#[test]
fn one_connection_carries_many_requests_and_each_is_kept() {
    let player = playing(text("Hello."));
    let mut stream = TcpStream::connect(player.address).unwrap();
    stream.write_all(b"GET /v1/models HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(read(&mut stream).json()["data"], json!([]));
    let (path, body) = &protocols(false)[2];
    let body = body.to_string();
    let (first, second) = body.split_at(10);
    let chunks = format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", 10, second.len());
    let head = format!("POST {path} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all((head + &chunks).as_bytes()).unwrap();
    assert_eq!(read(&mut stream).json()["choices"][0]["message"]["content"], "Hello.");
    stream.write_all(b"POST /unknown HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}").unwrap();
    assert!(read(&mut stream).head.starts_with("HTTP/1.1 404"));

    let kept = player.requests();
    let paths: Vec<_> = kept.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["/v1/models", *path, "/unknown"]);
    assert_eq!(kept[1].body["messages"][0]["content"], "go");
    assert_eq!(kept[1].turn.as_ref().unwrap().said, ["go"]);
    assert_eq!((kept[0].rule, kept[1].rule, kept[2].rule), (None, Some(0), None));
}

#[test]
fn an_answer_that_must_be_json_is() {
    let player = playing(text("no JSON"));
    let schema = json!({"type": "OBJECT", "properties": {"title": {"type": "STRING"}}});
    let config = json!({"responseMimeType": "application/json", "responseSchema": schema});
    let mut body = protocols(false)[3].1.clone();
    body["generationConfig"] = config;
    let got = post(&player, "/v1beta/models/flash:generateContent", &body).json();
    let text = got["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap();
    assert_eq!(text, r#"{"title":"none"}"#);
}
