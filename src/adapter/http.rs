//! One HTTP request at a time, with a deadline and a limit: for forges and webhooks.
//!
//! Redirects are answers like any other: who asked decides whether the next address may be told
//! the same secrets. Addresses can be secrets themselves, so an error names the host alone.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// What is asked.
#[derive(Clone, Debug)]
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
}

/// Why there is no [`Response`].
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is none, or has another scheme.
    #[error("not an address of a web server")]
    BadUrl,
    /// No connection, a connection that broke off, a certificate that is not trusted.
    #[error("could not talk to {host}")]
    Connection {
        /// The host.
        host: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// No whole answer in time; whether the request took effect is not known.
    #[error("{host} did not answer within {}", humantime::format_duration(*.deadline))]
    TimedOut {
        /// The host.
        host: String,
        /// How long it was given.
        deadline: Duration,
    },
    /// The answer breaks off.
    #[error("the answer of {host} broke off")]
    Cut {
        /// The host.
        host: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The answer is too long.
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLong {
        /// The host.
        host: String,
        /// The most that is read.
        limit: u64,
    },
}

/// Connections that are kept for the next request.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// Returns a client without a connection.
    pub fn new() -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("ao/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Self { agent: config.new_agent() }
    }

    /// Sends one request and reads its whole answer.
    ///
    /// # Errors
    ///
    /// There is no whole answer. A status that stands for a failure is an answer.
    pub fn send(&self, request: &Request<'_>) -> Result<Response, HttpError> {
        let host = host_of(request.url).ok_or(HttpError::BadUrl)?;
        let mut builder = ureq::http::Request::builder().method(request.method).uri(request.url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let body = request.body.clone().unwrap_or_default();
        let whole = builder.body(body).map_err(|_| HttpError::BadUrl)?;
        let whole =
            self.agent.configure_request(whole).timeout_global(Some(request.deadline)).build();
        let answer = self.agent.run(whole).map_err(|error| failure(error, &host, request))?;
        let (head, body) = answer.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Ok(Response {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: read_whole(body, &host, request)?,
        })
    }
}

fn read_whole(
    mut body: ureq::Body,
    host: &str,
    request: &Request<'_>,
) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    let mut reader = body.as_reader().take(request.limit + 1);
    if let Err(source) = reader.read_to_end(&mut bytes) {
        let host = host.to_owned();
        return Err(if is_timeout(&source) {
            HttpError::TimedOut { host, deadline: request.deadline }
        } else {
            HttpError::Cut { host, source }
        });
    }
    if bytes.len() as u64 > request.limit {
        return Err(HttpError::TooLong { host: host.to_owned(), limit: request.limit });
    }
    Ok(bytes)
}

/// The end of the time while a body is read comes wrapped.
fn is_timeout(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    error.kind() == std::io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

fn failure(error: ureq::Error, host: &str, request: &Request<'_>) -> HttpError {
    let host = host.to_owned();
    if matches!(error, ureq::Error::Timeout(_)) {
        return HttpError::TimedOut { host, deadline: request.deadline };
    }
    HttpError::Connection { host, source: Box::new(error) }
}

/// Returns the host (with its port, where one is written) that an address names.
pub fn host_of(url: &str) -> Option<String> {
    let uri: ureq::http::Uri = url.parse().ok()?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return None;
    }
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    uri.host().map(|host| format!("{host}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_an_address_is_named() {
        let named =
            ["https://user:secret@api.example:8443/hook?token=x", "http://[::1]/", "file:///etc"];
        let hosts = named.map(host_of);
        assert_eq!(hosts, [Some("api.example:8443".to_owned()), Some("[::1]".to_owned()), None]);
    }
}
