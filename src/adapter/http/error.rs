//! Why there is no answer, in words that hold no secret.
//!
//! Nothing of the library's own errors is passed on as it is: some of them repeat addresses and
//! header fields.

use std::io;
use std::time::Duration;

use ureq::Proxy;

/// Why there is no [`Response`](crate::adapter::http::Response).
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is none, or has another scheme.
    #[error("not an address of a web server")]
    BadUrl,
    /// A header field cannot hold what it was given: a line end, a control character.
    #[error("what was given for the header field `{name}` cannot be sent")]
    BadHeader {
        /// The field.
        name: String,
    },
    /// A variable of the environment names no proxy that can be used.
    #[error("${variable} is not the address of an HTTP proxy")]
    BadProxy {
        /// The variable.
        variable: &'static str,
    },
    /// No connection, or one that broke off before an answer.
    #[error("could not talk to {host}{via}")]
    Connection {
        /// The host.
        host: String,
        /// ` through the proxy …`; empty without one.
        via: String,
        /// What went wrong.
        source: Cause,
    },
    /// The host cannot show that it is who it says it is.
    #[error("the certificate of {host} is not trusted ({why})")]
    Untrusted {
        /// The host.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// No whole answer in time; whether the request took effect is not known.
    #[error("{host} did not answer within {}", humantime::format_duration(*.deadline))]
    TimedOut {
        /// The host.
        host: String,
        /// How long it was given.
        deadline: Duration,
        /// The status, where the answer had begun.
        status: Option<u16>,
    },
    /// The answer breaks off.
    #[error("the answer of {host} broke off")]
    Cut {
        /// The host.
        host: String,
        /// The status with which it began.
        status: u16,
        /// What went wrong.
        source: Cause,
    },
    /// The answer is too long.
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLong {
        /// The host.
        host: String,
        /// The most that is read.
        limit: u64,
        /// The status with which it began.
        status: u16,
    },
}

impl HttpError {
    /// Returns the status of an answer that began, and of which not all came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::TimedOut { status, .. } => *status,
            Self::Cut { status, .. } | Self::TooLong { status, .. } => Some(*status),
            Self::BadUrl
            | Self::BadHeader { .. }
            | Self::BadProxy { .. }
            | Self::Connection { .. }
            | Self::Untrusted { .. } => None,
        }
    }
}

/// What went wrong on the way.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The name stands for no machine.
    #[error("its name could not be looked up")]
    NoSuchHost,
    /// The connection failed.
    #[error(transparent)]
    Io(io::Error),
    /// No secure connection came about.
    #[error("no secure connection: {0}")]
    Tls(String),
    /// The proxy did not do its part.
    #[error("the proxy refused: {0}")]
    Proxy(String),
    /// What came is not HTTP, or not as it was packed.
    #[error("it did not answer as a web server does")]
    Protocol,
    /// The head of the answer is too long.
    #[error("the head of its answer is too long")]
    LongHead,
}

/// With whom one request talks.
pub(super) struct Peer<'a> {
    pub(super) host: String,
    pub(super) proxy: Option<&'a Proxy>,
    pub(super) deadline: Duration,
}

impl Peer<'_> {
    /// Returns what a failure before the body means.
    pub(super) fn failure(&self, error: ureq::Error) -> HttpError {
        match self.cause(error, None) {
            Ok(source) => {
                let via =
                    self.proxy.map(|it| format!(" through the proxy {}:{}", it.host(), it.port()));
                HttpError::Connection {
                    host: self.host.clone(),
                    via: via.unwrap_or_default(),
                    source,
                }
            }
            Err(known) => known,
        }
    }

    /// Returns what a failure within the body means.
    pub(super) fn broken_off(&self, error: io::Error, status: u16) -> HttpError {
        match self.cause(ureq::Error::from(error), Some(status)) {
            Ok(source) => HttpError::Cut { host: self.host.clone(), status, source },
            Err(known) => known,
        }
    }

    /// Returns what went wrong, or as an error that it was the time or the certificate.
    fn cause(&self, error: ureq::Error, status: Option<u16>) -> Result<Cause, HttpError> {
        Ok(match error {
            ureq::Error::Timeout(_) => return Err(self.timed_out(status)),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(self.timed_out(status));
            }
            ureq::Error::Io(error) => match inner_text(&error) {
                // A handshake that fails comes as a broken stream.
                Some(text) if error.kind() == io::ErrorKind::InvalidData => {
                    return self.of_handshake(text);
                }
                Some(_) | None => Cause::Io(error),
            },
            ureq::Error::Decompress(_, error) => match ureq::Error::from(error) {
                ureq::Error::Timeout(_) => return Err(self.timed_out(status)),
                ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Cause::Io(error)
                }
                _ => Cause::Protocol,
            },
            ureq::Error::HostNotFound => Cause::NoSuchHost,
            ureq::Error::Rustls(error) => return self.of_handshake(error.to_string()),
            ureq::Error::Tls(text) => Cause::Tls(text.to_owned()),
            ureq::Error::ConnectProxyFailed(text) => Cause::Proxy(text),
            ureq::Error::LargeResponseHeader(..) => Cause::LongHead,
            ureq::Error::ConnectionFailed => {
                Cause::Io(io::Error::from(io::ErrorKind::NotConnected))
            }
            // The rest is a foreign enum that may grow, and part of it repeats what was sent.
            _ => Cause::Protocol,
        })
    }

    fn timed_out(&self, status: Option<u16>) -> HttpError {
        HttpError::TimedOut { host: self.host.clone(), deadline: self.deadline, status }
    }

    /// The library that does handshakes tells what is wrong with a certificate in words alone.
    fn of_handshake(&self, text: String) -> Result<Cause, HttpError> {
        match text.strip_prefix("invalid peer certificate: ") {
            Some(why) => Err(HttpError::Untrusted { host: self.host.clone(), why: why.to_owned() }),
            None => Ok(Cause::Tls(text)),
        }
    }
}

fn inner_text(error: &io::Error) -> Option<String> {
    error.get_ref().map(ToString::to_string)
}
