//! Posts JSON to a web server, for notifiers that live on one.
//!
//! A redirect is followed where it leads to the same scheme, host and port and keeps the method
//! (307, 308): who runs a server decides where on it a notice goes, but not who else reads it.

use std::time::Duration;

use crate::adapter::clock::{self, Deadline};
use crate::adapter::http::{self, Client, HttpError, Request, Response};
use crate::adapter::notify::NotifyError;
use crate::adapter::notify::secret;
use crate::model::notifier::check_url;
use crate::model::secret::{Secret, SecretSource};

/// Redirects that are followed for one notice.
const REDIRECTS: usize = 3;

/// Nothing of an answer is read but its status; this much lets the connection be used again.
const LIMIT: u64 = 64 * 1024;

/// The longest that is waited because a server asks for it: an entry is other notifiers' as well.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// Returns the secret that `what` of the notifier called `name` is.
pub(super) fn fetched(
    name: &str,
    what: &'static str,
    source: &SecretSource,
) -> Result<Secret, NotifyError> {
    let failed = |source| NotifyError::Secret { notifier: name.to_owned(), what, source };
    secret::fetch(source).map_err(failed)
}

/// Posts `body` to what the address `url` stands for.
pub(super) fn post(
    client: &Client,
    name: &str,
    url: &SecretSource,
    headers: &[(&str, String)],
    body: &[u8],
    timeout: Duration,
) -> Result<(), NotifyError> {
    let deadline = Deadline::after(timeout);
    let mut url = fetched(name, "address", url)?;
    for _ in 0..=REDIRECTS {
        allowed(name, url.reveal())?;
        let request = Request {
            method: "POST",
            url: url.reveal(),
            headers: headers.to_vec(),
            body: Some(body.to_vec()),
            deadline: deadline.remaining(),
            limit: LIMIT,
        };
        match outcome(client.send(&request), timeout) {
            Outcome::Taken => return Ok(()),
            Outcome::Failed(source) => {
                return Err(NotifyError::Http { notifier: name.to_owned(), source });
            }
            Outcome::Answered(answer) => match next(url.reveal(), &answer) {
                Next::Follow(target) => url = Secret::new(target),
                Next::Elsewhere => return Err(redirected(name, url.reveal())),
                Next::Refused => return Err(refused(name, url.reveal(), &answer)),
            },
        }
    }
    Err(redirected(name, url.reveal()))
}

/// What the configuration could not be checked for: an address that a variable or a program holds.
fn allowed(name: &str, url: &str) -> Result<(), NotifyError> {
    let plain = url.starts_with("http://") && !http::is_loopback(url);
    match check_url(url) {
        Ok(()) if !plain => Ok(()),
        Ok(()) | Err(_) => Err(NotifyError::Address { notifier: name.to_owned() }),
    }
}

enum Outcome {
    Taken,
    Answered(Response),
    Failed(HttpError),
}

/// A server that said yes has the notice, however its answer ends.
fn outcome(sent: Result<Response, HttpError>, timeout: Duration) -> Outcome {
    match sent {
        Ok(answer) if answer.is_success() => Outcome::Taken,
        Ok(answer) => Outcome::Answered(answer),
        Err(error) => match (error.status(), error) {
            (Some(200..=299), _) => Outcome::Taken,
            // A redirect leaves less than the whole time to the next address.
            (status, HttpError::TimedOut { host, .. }) => {
                Outcome::Failed(HttpError::TimedOut { host, deadline: timeout, status })
            }
            (Some(status), _) => {
                Outcome::Answered(Response { status, headers: Vec::new(), body: Vec::new() })
            }
            (None, error) => Outcome::Failed(error),
        },
    }
}

enum Next {
    Follow(String),
    Elsewhere,
    Refused,
}

fn next(url: &str, answer: &Response) -> Next {
    match (answer.status, answer.header("location")) {
        (307 | 308, Some(target)) => match http::same_origin(url, target) {
            Some(target) => Next::Follow(target),
            None => Next::Elsewhere,
        },
        (301..=303, Some(_)) => Next::Elsewhere,
        (_, _) => Next::Refused,
    }
}

fn redirected(name: &str, url: &str) -> NotifyError {
    let host = http::host_of(url).unwrap_or_default();
    NotifyError::Redirected { notifier: name.to_owned(), host }
}

fn refused(name: &str, url: &str, answer: &Response) -> NotifyError {
    let wait = matches!(answer.status, 429 | 503).then(|| answer.retry_after(clock::now()));
    NotifyError::Refused {
        notifier: name.to_owned(),
        host: http::host_of(url).unwrap_or_default(),
        status: answer.status,
        wait: wait.flatten().map(|wait| wait.min(LONGEST_WAIT)),
    }
}
