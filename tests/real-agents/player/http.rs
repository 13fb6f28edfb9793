//! HTTP/1.1 as far as agents need it: one thread a connection, bodies whole, answers streamed.
//!
//! An answer is a list of pieces, so that a stream can be slow, wait for a release, break off or
//! never end. What a client does meanwhile is seen by writing to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// The longest head and body that are read.
const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 64 * 1024 * 1024;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Returns a header's value; names are told apart without their case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) pieces: Vec<Piece>,
}

/// One piece of an answer's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Bytes(String),
    Pause(Duration),
    /// Nothing more until the player is told to go on.
    Hold,
    /// The same again and again, until the client goes away.
    Forever(String, Duration),
    /// The connection ends without the end of the body.
    Cut,
}

/// How an answer came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Complete,
    /// The client closed the connection before the end.
    Abandoned,
    Cut,
}

/// What a waiting answer waits for.
pub(crate) trait Gate {
    /// Waits until the answer may go on; false once it must end.
    fn pass(&self) -> bool;
    /// Returns whether the server is being stopped.
    fn stopped(&self) -> bool;
}

/// Reads the next request; none where the client is done.
pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let head = read_head(stream)?;
    if head.is_empty() {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&head).map_err(io::Error::other)?;
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers: parsed
            .headers
            .iter()
            .map(|it| (it.name.to_owned(), String::from_utf8_lossy(it.value).into_owned()))
            .collect(),
        body: Vec::new(),
    };
    if request.header("expect").is_some() {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = read_body(stream, &request)?;
    Ok(Some(request))
}

fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let before = head.len();
        stream.take((MAX_HEAD - before) as u64).read_until(b'\n', &mut head)?;
        if head.len() == before {
            // Between two requests that is how a connection ends.
            return if head.is_empty() { Ok(head) } else { Err(too_short("head")) };
        }
    }
    Ok(head)
}

fn read_body(stream: &mut BufReader<TcpStream>, request: &Request) -> io::Result<Vec<u8>> {
    let chunked = request.header("transfer-encoding").is_some_and(|it| it.contains("chunked"));
    let length = match request.header("content-length") {
        _ if chunked => return read_chunks(stream),
        Some(text) => text.trim().parse().map_err(io::Error::other)?,
        None => 0,
    };
    read_exactly(stream, length)
}

fn read_chunks(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        body.extend(read_exactly(stream, size)?);
        read_exactly(stream, 2)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(stream: &mut BufReader<TcpStream>, length: usize) -> io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(io::Error::other(format!("a body of {length} bytes")));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn too_short(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the {what} of a request breaks off"))
}

/// Writes an answer, piece by piece.
pub(crate) fn write(stream: &mut TcpStream, reply: &Reply, gate: &dyn Gate) -> Ending {
    let ending = write_pieces(stream, reply, gate).unwrap_or(Ending::Abandoned);
    if ending != Ending::Complete {
        let _ = stream.shutdown(Shutdown::Both);
    }
    ending
}

fn write_pieces(stream: &mut TcpStream, reply: &Reply, gate: &dyn Gate) -> io::Result<Ending> {
    // These two have no body, not even an empty one.
    let bare = matches!(reply.status, 204 | 304);
    let encoding = if bare { "" } else { "transfer-encoding: chunked\r\n" };
    let mut head = format!("HTTP/1.1 {} -\r\n{encoding}", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if bare {
        return Ok(Ending::Complete);
    }
    for piece in &reply.pieces {
        let goes_on = match piece {
            Piece::Bytes(text) => write_chunk(stream, text)?,
            Piece::Pause(time) => wait(stream, *time, gate)?,
            Piece::Hold => gate.pass(),
            Piece::Forever(text, every) => {
                while wait(stream, *every, gate)? {
                    write_chunk(stream, text)?;
                }
                false
            }
            Piece::Cut => false,
        };
        if !goes_on {
            return Ok(Ending::Cut);
        }
    }
    stream.write_all(b"0\r\n\r\n")?;
    Ok(Ending::Complete)
}

fn write_chunk(stream: &mut TcpStream, text: &str) -> io::Result<bool> {
    // An empty chunk would be the end of the body.
    if !text.is_empty() {
        stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())?;
    }
    Ok(true)
}

/// Waits while the client stays. A client that streams an answer sends nothing, so whatever can
/// be read meanwhile is the end of the connection.
fn wait(stream: &mut TcpStream, time: Duration, gate: &dyn Gate) -> io::Result<bool> {
    stream.set_read_timeout(Some(time.max(Duration::from_millis(1))))?;
    let seen = stream.peek(&mut [0]);
    stream.set_read_timeout(None)?;
    match seen {
        Ok(_) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the client is gone")),
        Err(error) if is_timeout(&error) => Ok(!gate.stopped()),
        Err(error) => Err(error),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
