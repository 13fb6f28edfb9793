//! Requests to one GitHub: the token, redirects, limits and failures, the same for all of them.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::quota::{Purpose, Quota};
use super::refusal;
use super::remote::Base;
use super::token::{self, Token};
use crate::adapter::http::{self, HttpError, Request, Response};
use crate::adapter::scm::ForgeError;

/// The version of the interface that answers are read by.
const API_VERSION: &str = "2022-11-28";

/// The most bytes of one answer: a page of pull requests with the longest bodies there are.
const LIMIT: u64 = 16 << 20;

/// How many redirects are followed, as those of a repository that was renamed.
const REDIRECTS: usize = 3;

/// How much of a log is asked for, and how much is read where a host knows no parts.
const LOG_TAIL: u64 = 64 << 10;
const LOG: u64 = 8 << 20;

/// How many items a page of a list has.
const PER_PAGE: usize = 100;

/// Where a GitHub is and how it is asked.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `GITHUB_API_URL`.
    pub api_url: Option<String>,
    /// The variable that holds the token, with its value.
    pub token: Option<(String, String)>,
    /// Where what is remembered is kept: `$XDG_CACHE_HOME/ao`.
    pub cache: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// One GitHub, as one invocation asks it.
#[derive(Debug)]
pub struct Client {
    base: Base,
    http: http::Client,
    variable: Option<(String, String)>,
    token: OnceCell<Result<Token, String>>,
    /// The token was refused: it will be again.
    refused: RefCell<Option<String>>,
    login: OnceCell<String>,
    logs: Cell<u32>,
    told: RefCell<BTreeSet<String>>,
    quota: Quota,
    directory: Option<PathBuf>,
    timeout: Duration,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `GET`, `POST`, `PUT`, `PATCH`.
    pub method: &'a str,
    /// Below the base, with a slash in front.
    pub path: &'a str,
    /// What is sent along.
    pub body: Option<&'a Value>,
    /// The version that is known; the answer is 304 where it is still that one.
    pub etag: Option<&'a str>,
    /// What is asked for, as a message names it: "pull request #7".
    pub what: &'a str,
    /// Who asks.
    pub purpose: Purpose,
}

impl<'a> Call<'a> {
    /// Returns a person's request for `what`.
    pub fn get(path: &'a str, what: &'a str) -> Self {
        Self { method: "GET", path, body: None, etag: None, what, purpose: Purpose::Asked }
    }

    /// Returns a person's request that changes something.
    pub fn change(method: &'a str, path: &'a str, body: &'a Value, what: &'a str) -> Self {
        Self { method, body: Some(body), ..Self::get(path, what) }
    }
}

/// What GraphQL answered.
#[derive(Clone, Debug)]
pub struct Graph {
    /// What was asked for, as far as there is an answer.
    pub data: Value,
    /// What there is no answer for.
    pub errors: Vec<Value>,
}

impl Client {
    /// Returns a client that has asked nothing yet.
    ///
    /// # Errors
    ///
    /// The address is none that a token may be sent to.
    pub fn new(setup: Setup) -> Result<Self, ForgeError> {
        let base = Base::parse(setup.api_url.as_deref())?;
        let safe = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
        let place: String = base.web_host().chars().map(safe).collect();
        let directory = setup.cache.map(|cache| cache.join("github").join(place));
        Ok(Self {
            base,
            http: http::Client::new(),
            variable: setup.token,
            token: OnceCell::new(),
            refused: RefCell::default(),
            login: OnceCell::new(),
            logs: Cell::new(0),
            told: RefCell::default(),
            quota: Quota::new(directory.as_deref().map(|it| it.join("quota.json"))),
            directory,
            timeout: setup.timeout,
        })
    }

    /// Returns where it is.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Returns what it is called in messages.
    pub fn name(&self) -> String {
        self.base.name()
    }

    /// Returns where its token is from, and nothing of the token.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn login_source(&self) -> Result<String, ForgeError> {
        self.token()?;
        Ok(match &self.variable {
            Some((name, _)) => format!("${name}"),
            None => "`gh`".to_owned(),
        })
    }

    /// Returns where what is remembered of it is kept.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Returns `why` the first time it is told in this invocation.
    pub(super) fn tell_once(&self, why: &str) -> Option<String> {
        self.told.borrow_mut().insert(why.to_owned()).then(|| why.to_owned())
    }

    /// Returns whether there is a token, as far as one was looked for.
    pub(super) fn has_token(&self) -> bool {
        self.token.get().is_none_or(Result::is_ok)
    }

    /// Returns whether the token was not refused so far.
    pub(super) fn is_accepted(&self) -> bool {
        self.refused.borrow().is_none()
    }

    /// Takes one of the `most` logs that this invocation may fetch.
    pub(super) fn spend_log(&self, most: u32) -> bool {
        let spent = self.logs.get();
        self.logs.set(spent.saturating_add(1));
        spent < most
    }

    /// Returns whose token it is, by `ask` the first time.
    pub(super) fn login(
        &self,
        ask: impl FnOnce() -> Result<String, ForgeError>,
    ) -> Result<String, ForgeError> {
        if let Some(login) = self.login.get() {
            return Ok(login.clone());
        }
        let login = ask()?;
        Ok(self.login.get_or_init(|| login).clone())
    }

    /// Returns what an error within an answer of GraphQL says.
    pub(super) fn half(&self, error: &Value) -> String {
        let said = error["message"].as_str().unwrap_or("it does not say why");
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        let said = match self.token.get() {
            Some(Ok(token)) => token.scrub(&said),
            Some(Err(_)) | None => said,
        };
        format!("{} gave half an answer: {said}", self.name())
    }

    /// Returns a few digits that tell one token from another.
    pub(super) fn token_fingerprint(&self) -> Result<String, ForgeError> {
        Ok(self.token()?.fingerprint())
    }

    /// Returns the JSON that is at `path`.
    ///
    /// # Errors
    ///
    /// There is no such thing, it is not permitted, or there is no answer.
    pub fn get(&self, path: &str, what: &str) -> Result<Value, ForgeError> {
        self.json(&self.send(&Call::get(path, what))?)
    }

    /// Changes something; the answer may be empty, which is null.
    ///
    /// # Errors
    ///
    /// It is refused, not permitted, or there is no answer: then it may have been done.
    pub fn change(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        what: &str,
    ) -> Result<Value, ForgeError> {
        let response = self.send(&Call::change(method, path, body, what))?;
        if response.body.is_empty() { Ok(Value::Null) } else { self.json(&response) }
    }

    /// Returns the items of a list to its end, or the first `most`; `path` may have a query.
    ///
    /// # Errors
    ///
    /// A page of it cannot be had: half a list is none.
    pub fn list(&self, path: &str, most: usize, what: &str) -> Result<Vec<Value>, ForgeError> {
        let (mark, size) = (if path.contains('?') { '&' } else { '?' }, PER_PAGE.min(most.max(1)));
        let mut next = Some(format!("{path}{mark}per_page={size}"));
        let mut items = Vec::new();
        while let Some(path) = next.filter(|_| items.len() < most) {
            let response = self.send(&Call::get(&path, what))?;
            let Value::Array(page) = self.json(&response)? else {
                return Err(self.unreadable("a list is not one"));
            };
            // An empty page that names another one would be read for ever.
            next = next_page(&response).filter(|_| !page.is_empty());
            items.extend(page);
        }
        items.truncate(most);
        Ok(items)
    }

    /// Asks GraphQL one operation of a document.
    ///
    /// # Errors
    ///
    /// There is no answer at all; half of one is in what is returned.
    pub fn operation(
        &self,
        document: &str,
        operation: &str,
        variables: &Value,
        purpose: Purpose,
    ) -> Result<Graph, ForgeError> {
        let body = json!({ "query": document, "operationName": operation, "variables": variables });
        let path = self.base.graphql();
        let call = Call { purpose, ..Call::change("POST", &path, &body, "such thing") };
        let response = self.send(&call)?;
        let mut answer = self.json(&response)?;
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        if errors.iter().any(|error| error["type"] == "RATE_LIMITED") {
            let wait = self.quota.limited("graphql", &response);
            return Err(ForgeError::RateLimited { forge: self.name(), wait });
        }
        let data = answer["data"].take();
        if data.is_null() {
            let why = errors.first().and_then(|error| error["message"].as_str());
            return Err(self.unreadable(why.unwrap_or("it has no data")));
        }
        Ok(Graph { data, errors })
    }

    /// Sends one request; only an answer of success or 304 is one.
    ///
    /// # Errors
    ///
    /// Any other answer, or none.
    pub fn send(&self, call: &Call<'_>) -> Result<Response, ForgeError> {
        let response = self.answer(call)?;
        self.judged(response, call)
    }

    /// Returns the text that `path` leads to at another host: the address opens it, so that host
    /// gets no token.
    pub(super) fn text_elsewhere(&self, path: &str, what: &str) -> Result<String, ForgeError> {
        let call = Call { purpose: Purpose::Poll, ..Call::get(path, what) };
        let response = self.answer(&call)?;
        let place = response.header("location").map(str::to_owned);
        let (302, Some(url)) = (response.status, place) else {
            let response = self.judged(response, &call)?;
            return Ok(String::from_utf8_lossy(&response.body).into_owned());
        };
        self.quota.note("core", &response);
        if !url.starts_with("https://") && !self.base.is_loopback() {
            return Err(self.unreadable("a log is not at an address of https://"));
        }
        // The end of it, from hosts that give parts; packed parts could not be read.
        let headers = vec![
            ("range", format!("bytes=-{LOG_TAIL}")),
            ("accept-encoding", "identity".to_owned()),
        ];
        let (body, deadline) = (None, self.timeout);
        let request = Request { method: "GET", url: &url, headers, body, deadline, limit: LOG };
        let log = self.http.send(&request)?;
        match log.status {
            200 | 206 => Ok(String::from_utf8_lossy(&log.body).into_owned()),
            status => Err(self.unreadable(&format!("the log's host says {status}"))),
        }
    }

    /// Returns what is answered in the end, whatever it is, once redirects are followed.
    fn answer(&self, call: &Call<'_>) -> Result<Response, ForgeError> {
        if let Some(why) = self.refused.borrow().clone() {
            return Err(ForgeError::Denied { forge: self.name(), why });
        }
        let resource = self.resource(call);
        let wait = self.quota.wait(resource, call.purpose);
        if !wait.is_zero() {
            return Err(self.left_alone(call, whole(wait)));
        }
        let mut url = self.base.url(call.path);
        if !self.base.owns(&url) {
            // The next page of a list is where the answer says; the token is not for everybody.
            return Err(self.unreadable("it names a page at another host"));
        }
        let token = self.token()?;
        for _ in 0..=REDIRECTS {
            let response = self.once(call, &url, token, resource)?;
            if !matches!(response.status, 301 | 307 | 308) {
                return Ok(response);
            }
            let to = response.header("location").map(|to| self.base.url(to));
            // GET alone may be repeated at another address without a person's consent.
            url = match to.filter(|to| self.base.owns(to) && call.method == "GET") {
                Some(to) => to,
                None => return Err(refusal::of(&response, &self.name(), call.what)),
            };
        }
        let why = "it redirects again and again".to_owned();
        Err(ForgeError::Failed { forge: self.name(), why })
    }

    /// Returns why it is not asked.
    fn left_alone(&self, call: &Call<'_>, wait: Duration) -> ForgeError {
        let forge = self.name();
        if !self.quota.is_resting(self.resource(call), call.purpose) {
            return ForgeError::RateLimited { forge, wait };
        }
        let wait = humantime::format_duration(wait);
        ForgeError::Failed { forge, why: format!("again and again; it is asked again in {wait}") }
    }

    /// Sends one request to one address. A connection that was kept may be gone by the time it is
    /// used, so that what changes nothing is tried twice.
    fn once(
        &self,
        call: &Call<'_>,
        url: &str,
        token: &Token,
        resource: &str,
    ) -> Result<Response, ForgeError> {
        let mut headers = vec![
            ("authorization", token.header()),
            ("accept", "application/vnd.github+json".to_owned()),
            ("x-github-api-version", API_VERSION.to_owned()),
        ];
        headers.extend(call.etag.map(|etag| ("if-none-match", etag.to_owned())));
        let body = call.body.map(|body| body.to_string().into_bytes());
        headers.extend(body.as_ref().map(|_| ("content-type", "application/json".to_owned())));
        let deadline = self.timeout;
        let request = Request { method: call.method, url, headers, body, deadline, limit: LIMIT };
        let harmless = call.method == "GET" || resource == "graphql";
        let broke_off = |error: &HttpError| {
            matches!(error, HttpError::Connection { .. } | HttpError::Cut { .. })
        };
        let answer = match self.http.send(&request) {
            Err(error) if harmless && broke_off(&error) => self.http.send(&request),
            answer => answer,
        };
        answer.map_err(|error| {
            // An answer that is too long is about what was asked for, not about who answers.
            if !matches!(error, HttpError::TooLong { .. } | HttpError::BadUrl) {
                self.quota.failed();
            }
            error.into()
        })
    }

    /// Returns which of GitHub's budgets a request is of.
    fn resource(&self, call: &Call<'_>) -> &'static str {
        if call.path == self.base.graphql() { "graphql" } else { "core" }
    }

    fn judged(&self, response: Response, call: &Call<'_>) -> Result<Response, ForgeError> {
        let resource = self.resource(call);
        if refusal::limits(&response) {
            let wait = whole(self.quota.limited(resource, &response));
            return Err(ForgeError::RateLimited { forge: self.name(), wait });
        }
        self.quota.note(resource, &response);
        match response.status {
            200..=299 => return Ok(response),
            304 if call.etag.is_some() => return Ok(response),
            500.. => self.quota.failed(),
            _ => {}
        }
        let error = self.scrubbed(refusal::of(&response, &self.name(), call.what));
        if let (401, ForgeError::Denied { why, .. }) = (response.status, &error) {
            *self.refused.borrow_mut() = Some(why.clone());
        }
        Err(error)
    }

    fn token(&self) -> Result<&Token, ForgeError> {
        let found = || token::find(self.variable.as_ref(), self.base.web_host());
        let token = self.token.get_or_init(found).as_ref();
        token.map_err(|why| ForgeError::Denied { forge: self.name(), why: why.clone() })
    }

    /// Takes the token out of what GitHub says: it may quote what it was sent.
    fn scrubbed(&self, error: ForgeError) -> ForgeError {
        let Some(Ok(token)) = self.token.get() else { return error };
        match error {
            ForgeError::Denied { forge, why } => {
                ForgeError::Denied { forge, why: token.scrub(&why) }
            }
            ForgeError::NotFound { forge, what } => {
                ForgeError::NotFound { forge, what: token.scrub(&what) }
            }
            ForgeError::Conflict { forge, why } => {
                ForgeError::Conflict { forge, why: token.scrub(&why) }
            }
            ForgeError::Failed { forge, why } => {
                ForgeError::Failed { forge, why: token.scrub(&why) }
            }
            error @ (ForgeError::Unsupported { .. }
            | ForgeError::RateLimited { .. }
            | ForgeError::Unreadable { .. }
            | ForgeError::Http(_)
            | ForgeError::Cmd(_)
            | ForgeError::Git(_)
            | ForgeError::Fs(_)) => error,
        }
    }

    /// Reads an answer as JSON.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn json(&self, response: &Response) -> Result<Value, ForgeError> {
        serde_json::from_slice(&response.body).map_err(|error| self.unreadable(&error.to_string()))
    }

    /// Returns the error of an answer that makes no sense.
    pub fn unreadable(&self, why: &str) -> ForgeError {
        ForgeError::Unreadable { forge: self.name(), why: why.to_owned() }
    }
}

/// Returns whole seconds, as a message shows them.
fn whole(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
}

/// Returns the address of the page after this one, from the header field `link`.
pub(super) fn next_page(response: &Response) -> Option<String> {
    let links = response.header("link")?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (_, rest) = next.split_once('<')?;
    rest.split_once('>').map(|(url, _)| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_one_that_is_called_so() {
        let page = |link: &str| {
            let headers = vec![("link".to_owned(), link.to_owned())];
            next_page(&Response { status: 200, headers, body: Vec::new() })
        };
        let both = r#"<https://a/1>; rel="prev", <https://a/3?x=1>; rel="next""#;
        assert_eq!(page(both).as_deref(), Some("https://a/3?x=1"));
        assert_eq!(page(r#"<https://a/1>; rel="last""#), None);
        assert_eq!(page(r#"rel="next""#), None);
    }
}
