//! A web server of one test: each request is noted, and answered by the test's own function.

use std::io::BufReader;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

#[path = "../real-agents/player/http.rs"]
mod http;

pub(crate) use http::{Piece, Reply, Request};

/// A server on a free port of the loopback interface, until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Starts a server; `answer` gets each request and how many came before it.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, stop) = (Arc::default(), Arc::default());
        let server = Self { address, requests: Arc::clone(&requests), stop: Arc::clone(&stop) };
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    let Ok(mut writer) = stream.try_clone() else { return };
                    let mut reader = BufReader::new(stream);
                    while let Ok(Some(request)) = http::read(&mut reader) {
                        let number = {
                            let mut requests = requests.lock().unwrap();
                            requests.push(request.clone());
                            requests.len() - 1
                        };
                        let reply = answer(&request, number);
                        let gate = Stopped(Arc::clone(&stop));
                        if http::write(&mut writer, &reply, &gate) != http::Ending::Complete {
                            break;
                        }
                    }
                });
            }
        });
        server
    }

    /// Returns the address of `path`, which begins with a slash or is empty.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns what was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = std::net::TcpStream::connect(self.address);
    }
}

/// Nothing is held for longer than the server lives.
struct Stopped(Arc<AtomicBool>);

impl http::Gate for Stopped {
    fn pass(&self) -> bool {
        while !self.stopped() {
            thread::park_timeout(std::time::Duration::from_millis(20));
        }
        false
    }

    fn stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Returns an answer of one piece.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<String>) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reply { status, headers: headers.collect(), pieces: vec![Piece::Bytes(body.into())] }
}

#[test]
fn a_client_gets_each_kind_of_answer() {
    use ao::adapter::http::{Client, HttpError, Request};
    use std::time::Duration;

    let server = Server::start(|request, number| match request.path.as_str() {
        "/cut" => Reply {
            status: 200,
            headers: Vec::new(),
            pieces: vec![Piece::Bytes("half".to_owned()), Piece::Cut],
        },
        "/hold" => Reply { status: 200, headers: Vec::new(), pieces: vec![Piece::Hold] },
        "/away" => reply(302, &[("location", "/elsewhere")], ""),
        path => reply(200, &[("x-number", &number.to_string())], format!("{path}!")),
    });
    let client = Client::new();
    let send = |path: &str, limit: u64, deadline: u64| {
        let url = server.url(path);
        let deadline = Duration::from_millis(deadline);
        let headers = vec![("x-asked", "yes".to_owned())];
        client.send(&Request { method: "GET", url: &url, headers, body: None, deadline, limit })
    };
    let answer = send("/a", 100, 10_000).unwrap();
    let number = answer.header("x-number");
    assert_eq!((answer.status, number, &answer.body[..]), (200, Some("0"), &b"/a!"[..]));
    assert!(matches!(send("/a", 2, 10_000), Err(HttpError::TooLong { limit: 2, .. })));
    assert!(matches!(send("/cut", 100, 10_000), Err(HttpError::Cut { .. })));
    assert!(matches!(send("/hold", 100, 50), Err(HttpError::TimedOut { .. })));
    assert_eq!(send("/away", 100, 10_000).unwrap().status, 302);
    let asked = server.requests();
    assert_eq!(asked.len(), 5, "a redirect is not followed");
    assert!(asked.iter().all(|request| request.header("x-asked") == Some("yes")));
}
