//! A local server that plays a model, so that real agents run without accounts and network.
//!
//! It speaks Anthropic Messages, OpenAI Responses, OpenAI Chat Completions and Gemini; the path of
//! a request says which. Every request is kept, with its body, so that a story can look at what an
//! agent really sent.

mod anthropic;
mod chat;
mod gemini;
mod http;
mod responses;
mod script;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use http::{Ending, Gate, Piece, Reply, Request};
pub(crate) use script::{Answer, Rule, Script, Turn};
use script::{Delta, Entry};

/// The tool call that an answer asks for.
struct Call<'a> {
    name: &'a str,
    input: &'a Value,
}

/// What distinguishes one answer from another.
struct Voice<'a> {
    /// Agents tell answers apart by their ids.
    number: usize,
    model: &'a str,
}

/// One way of asking a model.
trait Dialect: Sync {
    /// Reads what a request asks.
    fn read(&self, path: &str, body: &Value) -> Turn;
    /// Returns what a streamed text begins with.
    fn opening(&self, voice: &Voice) -> String;
    /// Returns a part of a streamed text.
    fn say(&self, voice: &Voice, text: &str) -> String;
    /// Returns what a streamed text, `text` in whole, ends with.
    fn closing(&self, voice: &Voice, text: &str) -> String;
    /// Returns a whole stream that calls a tool.
    fn call(&self, voice: &Voice, call: &Call) -> String;
    /// Returns a whole text or call that is not streamed.
    fn whole(&self, voice: &Voice, text: &str, call: Option<&Call>) -> Value;
    /// Returns the failure that says that the usage limit is reached.
    fn limit(&self, reset: Option<Reset>) -> Failure;
    /// Returns the body of any other failure.
    fn failure(&self, status: u16, message: &str) -> Value;
}

/// When a usage limit ends, in seconds.
#[derive(Clone, Copy, Debug)]
struct Reset {
    /// Since 1970.
    at: i64,
    /// From now.
    after: i64,
}

impl Reset {
    fn at(at: i64) -> Self {
        let now = ao::adapter::clock::now().as_millis() / 1000;
        Self { at, after: (at - now).max(1) }
    }
}

/// An answer that is none.
struct Failure {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

/// One request as it came, and what was made of it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Null where it is not JSON.
    pub(crate) body: Value,
    /// Absent for what is not a question to the model.
    pub(crate) turn: Option<Turn>,
    /// The rule that answered it.
    pub(crate) rule: Option<usize>,
    /// How the answer ended; absent while it goes on.
    pub(crate) ended: Option<Ended>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Complete,
    /// The agent did not want the rest.
    Abandoned,
    Cut,
}

#[derive(Default)]
struct Stage {
    script: Script,
    used: Vec<u32>,
    requests: Vec<Recorded>,
    /// Answers that are held go on.
    released: bool,
}

#[derive(Default)]
struct Shared {
    stage: Mutex<Stage>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl Shared {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap()
    }
}

impl Gate for Shared {
    fn pass(&self) -> bool {
        let stage = self.stage();
        let waits = |stage: &mut Stage| !stage.released && !self.stopped();
        drop(self.changed.wait_while(stage, waits).unwrap());
        !self.stopped()
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// A running player; it ends with this value.
pub(crate) struct Player {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Player {
    /// Starts playing `script` on 127.0.0.1; port 0 takes any that is free.
    pub(crate) fn start(script: Script, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        shared.stage().script = script;
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &of_thread));
        Ok(Self { address, shared })
    }

    /// Returns where it is, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns every request so far, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.stage().requests.clone()
    }

    /// Lets held answers go on, the ones to come included, until [`Player::hold`].
    pub(crate) fn release(&self) {
        self.shared.stage().released = true;
        self.shared.changed.notify_all();
    }

    /// Holds the held answers to come, as from the start.
    pub(crate) fn hold(&self) {
        self.shared.stage().released = false;
    }

    /// Waits until `wanted` holds of some request that came after the first `skip`, and returns it.
    pub(crate) fn wait_for(
        &self,
        skip: usize,
        patience: Duration,
        wanted: impl Fn(&Recorded) -> bool,
    ) -> Option<Recorded> {
        let found = |stage: &Stage| stage.requests.iter().skip(skip).find(|it| wanted(it)).cloned();
        let stage = self.shared.stage();
        let misses = |stage: &mut Stage| found(stage).is_none();
        let (stage, _) = self.shared.changed.wait_timeout_while(stage, patience, misses).unwrap();
        found(&stage)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // A thread between its look at the flag and its wait must not miss the call.
        drop(self.shared.stage());
        self.shared.changed.notify_all();
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.stopped() {
            return;
        }
        let shared = Arc::clone(shared);
        // A connection that fails is the client's affair; it shows in the story.
        thread::spawn(move || serve(stream, &shared));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = http::read(&mut reader)? {
        let (index, reply) = receive(shared, &request);
        let ending = http::write(reader.get_mut(), &reply, shared);
        shared.stage().requests[index].ended = Some(match ending {
            Ending::Complete => Ended::Complete,
            Ending::Abandoned => Ended::Abandoned,
            Ending::Cut => Ended::Cut,
        });
        shared.changed.notify_all();
        if ending != Ending::Complete {
            break;
        }
    }
    Ok(())
}

/// Notes a request and returns its number and the answer.
fn receive(shared: &Shared, request: &Request) -> (usize, Reply) {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let dialect = dialect_of(request).filter(|_| body.is_object());
    let turn = dialect.map(|dialect| dialect.read(&request.path, &body));
    let mut stage = shared.stage();
    let number = stage.requests.len();
    let rule = turn.as_ref().and_then(|turn| stage.script.rule_for(turn, &stage.used));
    if let Some(rule) = rule {
        let rules = stage.script.rules.len();
        stage.used.resize(rules, 0);
        stage.used[rule] += 1;
    }
    let reply = match (dialect, &turn) {
        (Some(dialect), Some(turn)) => {
            let voice = Voice { number, model: &turn.model };
            perform(dialect, &voice, turn, &stage.script.answer(turn, rule))
        }
        _ => other(request),
    };
    stage.requests.push(Recorded {
        method: request.method.clone(),
        path: request.path.clone(),
        headers: request.headers.clone(),
        body,
        turn,
        rule,
        ended: None,
    });
    drop(stage);
    shared.changed.notify_all();
    (number, reply)
}

fn dialect_of(request: &Request) -> Option<&'static dyn Dialect> {
    let path = request.path.split('?').next().unwrap_or_default();
    match path {
        _ if request.method != "POST" => None,
        _ if path.ends_with("/v1/messages") => Some(&anthropic::Messages),
        _ if path.ends_with("/responses") => Some(&responses::Responses),
        _ if path.ends_with("/chat/completions") => Some(&chat::Completions),
        _ if path.ends_with(":generateContent") => Some(&gemini::Gemini),
        _ if path.ends_with(":streamGenerateContent") => Some(&gemini::Gemini),
        _ => None,
    }
}

/// Answers what is not a question to the model.
fn other(request: &Request) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    match path {
        _ if path.ends_with("/count_tokens") => {
            as_json(200, Vec::new(), &json!({"input_tokens": 9}))
        }
        _ if path.ends_with(":countTokens") => as_json(200, Vec::new(), &json!({"totalTokens": 9})),
        _ if path.ends_with("/models") => {
            as_json(200, Vec::new(), &json!({"object": "list", "data": [], "models": []}))
        }
        _ => as_json(
            404,
            Vec::new(),
            &json!({"error": {"message": "the player knows no such path"}}),
        ),
    }
}

/// Gives `answer` as `dialect` writes it.
fn perform(dialect: &dyn Dialect, voice: &Voice, turn: &Turn, answer: &Answer) -> Reply {
    let failure =
        |status, message: &str| as_json(status, Vec::new(), &dialect.failure(status, message));
    match answer {
        Answer::Limit { resets_at } => {
            let limit = dialect.limit(resets_at.map(Reset::at));
            as_json(limit.status, limit.headers, &limit.body)
        }
        Answer::Overloaded => failure(529, "Overloaded"),
        Answer::Unauthorized => failure(401, "invalid x-api-key"),
        Answer::Status { status, headers, body } => as_json(*status, headers.clone(), body),
        Answer::Tool { name, input } => {
            let call = Call { name, input };
            if turn.streamed {
                as_stream(vec![Piece::Bytes(dialect.call(voice, &call))])
            } else {
                as_json(200, Vec::new(), &dialect.whole(voice, "", Some(&call)))
            }
        }
        Answer::Text { .. }
        | Answer::Slow { .. }
        | Answer::Held { .. }
        | Answer::Cut { .. }
        | Answer::Endless { .. } => {
            if turn.streamed {
                as_stream(text_stream(dialect, voice, answer))
            } else {
                as_json(200, Vec::new(), &dialect.whole(voice, answer.text(), None))
            }
        }
    }
}

fn text_stream(dialect: &dyn Dialect, voice: &Voice, answer: &Answer) -> Vec<Piece> {
    let held = matches!(answer, Answer::Held { .. }).then_some(Piece::Hold);
    let mut pieces: Vec<Piece> = held.into_iter().collect();
    pieces.push(Piece::Bytes(dialect.opening(voice)));
    pieces.extend(answer.deltas().into_iter().map(|delta| match delta {
        Delta::Say(text) => Piece::Bytes(dialect.say(voice, &text)),
        Delta::Wait(piece) => piece,
        Delta::Again(text, every) => Piece::Forever(dialect.say(voice, &text), every),
    }));
    pieces.push(Piece::Bytes(dialect.closing(voice, answer.text())));
    pieces
}

fn as_stream(pieces: Vec<Piece>) -> Reply {
    let headers = [("content-type", "text/event-stream"), ("cache-control", "no-cache")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Reply { status: 200, headers, pieces }
}

fn as_json(status: u16, headers: Vec<(String, String)>, body: &Value) -> Reply {
    let mut headers = headers;
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    Reply { status, headers, pieces: vec![Piece::Bytes(body.to_string())] }
}

/// Returns a server-sent event.
fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// Returns a server-sent event without a name.
fn data(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// Returns the texts of a content that is one text or a list of parts with a `text`.
fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => {
            parts.iter().filter_map(|part| Some(part["text"].as_str()?.to_owned())).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// Returns what a tool gave, whatever form it has.
fn result_of(content: &Value) -> Entry {
    let texts = texts(content);
    Entry::Result(if texts.is_empty() { content.to_string() } else { texts.join("\n") })
}
