//! One HTTP request at a time, with a deadline and a limit: for forges and webhooks.
//!
//! Redirects are answers like any other: who asked decides whether the next address may be told
//! the same secrets. Addresses and header fields can be secrets themselves, so errors, and what
//! `Debug` shows, name hosts and fields alone.
//!
//! Proxies come from the environment, certificates from the machine (`SSL_CERT_FILE` and
//! `SSL_CERT_DIR` are obeyed), or where it has none from those that come along.

mod error;
mod proxy;
mod roots;

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::TlsConfig;

use crate::adapter::failpoint;
use crate::model::time::Timestamp;

use proxy::Proxies;

pub use error::{Cause, HttpError};

/// What is asked.
#[derive(Clone)]
pub struct Request<'a> {
    /// `GET`, `POST`, `PUT`, `PATCH`.
    pub method: &'a str,
    /// The whole address, `http://` or `https://`.
    pub url: &'a str,
    /// Header fields.
    pub headers: Vec<(&'a str, String)>,
    /// What is sent along.
    pub body: Option<Vec<u8>>,
    /// From the look-up of the name to the last byte of the answer.
    pub deadline: Duration,
    /// The most bytes of an answer's body, unpacked.
    pub limit: u64,
}

impl fmt::Debug for Request<'_> {
    /// Shows nothing that could be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &host_of(self.url))
            .field("headers", &names)
            .field("body", &self.body.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// What was answered, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status: 200, 304, 403.
    pub status: u16,
    /// Header fields, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the first header field called `name`, which is written in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns how long it asks to be left alone (`retry-after`, in seconds or as a date).
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Timestamp::from_millis(date.as_millisecond()).since(now))
    }

    /// Returns whether it did what was asked: any status from 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Connections that are kept for the next request.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    proxies: Arc<Proxies>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// Returns a client without a connection.
    pub fn new() -> Self {
        let tls = TlsConfig::builder().root_certs(roots::of_this_machine()).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("ao/", env!("CARGO_PKG_VERSION")))
            .proxy(None)
            .tls_config(tls)
            .build();
        Self { agent: config.new_agent(), proxies: Arc::new(Proxies::of_environment()) }
    }

    /// Sends one request and reads its whole answer.
    ///
    /// # Errors
    ///
    /// There is no whole answer. A status that stands for a failure is an answer.
    pub fn send(&self, request: &Request<'_>) -> Result<Response, HttpError> {
        let (uri, host) = address(request.url).ok_or(HttpError::BadUrl)?;
        let proxy = self.proxies.choose(&uri)?;
        let peer = error::Peer { host, proxy: proxy.as_ref(), deadline: request.deadline };
        let whole = built(request, uri)?;
        let configured = self.agent.configure_request(whole);
        let configured = configured.timeout_global(Some(request.deadline)).proxy(proxy.clone());
        let shown = std::path::Path::new(&peer.host);
        failpoint::pass_at("http.send", shown).map_err(|error| peer.failure(error.into()))?;
        let answer = self.agent.run(configured.build()).map_err(|error| peer.failure(error))?;
        let (head, body) = answer.into_parts();
        let status = head.status.as_u16();
        failpoint::pass_at("http.answer", shown).map_err(|error| peer.broken_off(error, status))?;
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Ok(Response {
            status,
            headers: headers.collect(),
            body: read_whole(body, request.limit, status, &peer)?,
        })
    }
}

fn built(request: &Request<'_>, uri: Uri) -> Result<ureq::http::Request<Vec<u8>>, HttpError> {
    use ureq::http::{HeaderName, HeaderValue};
    let builder = ureq::http::Request::builder().method(request.method).uri(uri);
    let body = request.body.clone().unwrap_or_default();
    let mut whole = builder.body(body).map_err(|_| HttpError::BadUrl)?;
    for (name, value) in &request.headers {
        let bad = || HttpError::BadHeader { name: (*name).to_owned() };
        let field: HeaderName = name.parse().map_err(|_| bad())?;
        let mut value: HeaderValue = value.parse().map_err(|_| bad())?;
        value.set_sensitive(true);
        whole.headers_mut().append(field, value);
    }
    Ok(whole)
}

fn read_whole(
    mut body: ureq::Body,
    limit: u64,
    status: u16,
    peer: &error::Peer<'_>,
) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    // One more than allowed tells an answer that is too long from one that just fits.
    let mut reader = body.as_reader().take(limit.saturating_add(1));
    reader.read_to_end(&mut bytes).map_err(|error| peer.broken_off(error, status))?;
    if bytes.len() as u64 > limit {
        return Err(HttpError::TooLong { host: peer.host.clone(), limit, status });
    }
    Ok(bytes)
}

/// Returns the host (with its port, where one is written) that an address names.
pub fn host_of(url: &str) -> Option<String> {
    address(url).map(|(_, host)| host)
}

/// Returns whether an address is one of this machine's own, which nobody else can listen to.
pub fn is_loopback(url: &str) -> bool {
    address(url).is_some_and(|(uri, _)| proxy::is_loopback(&uri))
}

/// Returns the address `target`, which an answer from `url` named in its `location` field, where
/// it leads to the same scheme, host and port.
pub fn same_origin(url: &str, target: &str) -> Option<String> {
    let (from, _) = address(url)?;
    // Relative to the path as well, a target is allowed to be; nobody sends that.
    let joined = if target.starts_with('/') && !target.starts_with("//") {
        format!("{}://{}{target}", from.scheme_str()?, from.authority()?)
    } else {
        target.to_owned()
    };
    let (to, _) = address(&joined)?;
    let origin = |uri: &Uri| {
        let port =
            uri.port_u16().or(if uri.scheme_str() == Some("https") { Some(443) } else { Some(80) });
        (uri.scheme_str().map(str::to_owned), uri.host().map(str::to_ascii_lowercase), port)
    };
    (origin(&from) == origin(&to)).then_some(joined)
}

fn address(url: &str) -> Option<(Uri, String)> {
    let uri: Uri = url.parse().ok()?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return None;
    }
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = format!("{}{port}", uri.host().filter(|host| !host.is_empty())?);
    Some((uri, host))
}

#[cfg(test)]
mod tests;
