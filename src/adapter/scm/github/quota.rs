//! How much may still be asked: one file that all processes share.
//!
//! It remembers what GitHub said of its limits, until when it wants to be left alone, and how
//! often it failed in a row. A file that is lost, or damaged, or says what cannot be, counts as
//! none: the worst that comes of it is one request that is refused. Two processes that write at
//! once may forget what one of them heard, for as long as it takes to hear it again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::adapter::clock;
use crate::adapter::fs::{self, Durability};
use crate::adapter::http::Response;
use crate::model::time::Timestamp;

/// The layout of the file.
const VERSION: u32 = 1;

/// What is left for people: looking stops while so many requests remain, or the tenth part of a
/// limit that is small.
const RESERVE: u64 = 50;

/// Longer than this nothing is left alone: a clock that is wrong must not end all looking.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long to wait where GitHub does not say; it asks for a minute at least.
const UNSAID: Duration = Duration::from_secs(60);

/// The first pause after failures, which doubles, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(900));

/// Who wants to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A person, or something a person asked for: goes on while anything is left.
    Asked,
    /// A look at all sessions: leaves something to people, and backs off after failures.
    Poll,
}

/// What a GitHub said of one of its limits when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which GitHub, by its host's name.
    pub host: String,
    /// What GitHub calls it: `core`, `graphql`.
    pub resource: String,
    /// How many requests are left.
    pub remaining: u64,
    /// How many there are in a period.
    pub limit: u64,
    /// When the period ends.
    pub reset: Timestamp,
}

/// Returns every limit that is remembered in the cache directory; nobody is asked.
pub fn limits(cache: &Path) -> Vec<Limit> {
    let place = cache.join("github");
    let mut limits = Vec::new();
    for host in fs::names(&place).unwrap_or_default() {
        let state = Quota::new(Some(place.join(&host).join("quota.json"))).load();
        limits.extend(state.resources.into_iter().map(|(resource, known)| Limit {
            host: host.to_string_lossy().into_owned(),
            resource,
            remaining: known.remaining,
            limit: known.limit,
            reset: known.reset,
        }));
    }
    limits
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    path: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    version: u32,
    /// By what GitHub calls its resources: `core`, `graphql`.
    resources: BTreeMap<String, Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_until: Option<Timestamp>,
    /// How often it limited in a row without saying for how long.
    #[serde(skip_serializing_if = "is_zero")]
    limited: u32,
    /// How often it failed in a row.
    #[serde(skip_serializing_if = "is_zero")]
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Resource {
    remaining: u64,
    limit: u64,
    reset: Timestamp,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Quota {
    /// Returns the quota kept at `path`, or kept nowhere.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// Returns how long nothing of `resource` may be asked; zero where it may.
    pub(super) fn wait(&self, resource: &str, purpose: Purpose) -> Duration {
        self.load().wait(resource, purpose, clock::now())
    }

    /// Returns whether nothing is asked because it failed, not because it limits.
    pub(super) fn is_resting(&self, resource: &str, purpose: Purpose) -> bool {
        let state = State { retry_at: None, ..self.load() };
        state.wait(resource, purpose, clock::now()).is_zero()
    }

    /// Notes what an answer says of the limits, and that there is one.
    pub(super) fn note(&self, resource: &str, response: &Response) {
        self.change(|state, now| state.note(resource, response, now));
    }

    /// Notes that an answer limits, and returns for how long.
    pub(super) fn limited(&self, resource: &str, response: &Response) -> Duration {
        let mut wait = UNSAID;
        self.change(|state, now| {
            state.note(resource, response, now);
            wait = state.limit(response, now);
        });
        wait
    }

    /// Notes that it failed, or could not be reached.
    pub(super) fn failed(&self) {
        self.change(|state, now| {
            state.failures = state.failures.saturating_add(1);
            // The first failure may be of one repository alone.
            let doubled = state.failures.checked_sub(2).map(|n| BACK_OFF.0 * 2u32.pow(n.min(10)));
            state.retry_at = doubled.map(|wait| now.plus(wait.min(BACK_OFF.1)));
        });
    }

    fn load(&self) -> State {
        let read = || {
            let bytes = fs::read_regular(self.path.as_deref()?, 1 << 20).ok()??;
            serde_json::from_slice::<State>(&bytes).ok()
        };
        read().filter(|state| state.version == VERSION).unwrap_or_default()
    }

    /// Changes what is there by now; whoever cannot write goes on without.
    fn change(&self, change: impl FnOnce(&mut State, Timestamp)) {
        let before = self.load();
        let mut after = State { version: VERSION, ..before.clone() };
        change(&mut after, clock::now());
        let Some(path) = self.path.as_deref().filter(|_| after != before) else { return };
        let Some(directory) = path.parent() else { return };
        let bytes = serde_json::to_vec(&after).expect("a quota is JSON");
        let _ = fs::create_private_directories(directory)
            .and_then(|()| fs::replace(path, &bytes, Durability::Process));
    }
}

impl State {
    pub(super) fn wait(&self, resource: &str, purpose: Purpose, now: Timestamp) -> Duration {
        let until = |until: Timestamp| Some(until.since(now)).filter(|wait| *wait <= LONGEST);
        let used = self.resources.get(resource).filter(|it| match purpose {
            Purpose::Asked => it.remaining == 0,
            Purpose::Poll => it.remaining <= RESERVE.min(it.limit / 10),
        });
        let backs_off = self.retry_at.filter(|_| purpose == Purpose::Poll);
        let ends = [self.blocked_until, used.map(|it| it.reset), backs_off];
        ends.into_iter().flatten().filter_map(until).max().unwrap_or_default()
    }

    pub(super) fn note(&mut self, resource: &str, response: &Response, now: Timestamp) {
        let number = |name: &str| response.header(name)?.trim().parse::<u64>().ok();
        let resource = response.header("x-ratelimit-resource").unwrap_or(resource);
        let seen = number("x-ratelimit-remaining").zip(number("x-ratelimit-reset"));
        let known = resource.len() <= 40 && self.resources.len() <= 20;
        if let Some((remaining, reset)) = seen.filter(|_| known) {
            let limit = number("x-ratelimit-limit").unwrap_or(5000);
            let reset = reset_time(reset);
            let seen = Resource { remaining, limit, reset };
            self.resources.insert(resource.to_owned(), seen);
        }
        if response.status < 400 {
            (self.failures, self.retry_at, self.limited) = (0, None, 0);
            self.blocked_until = self.blocked_until.filter(|until| *until > now);
        }
    }

    pub(super) fn limit(&mut self, response: &Response, now: Timestamp) -> Duration {
        let number = |name: &str| response.header(name)?.trim().parse::<u64>().ok();
        let used_up = number("x-ratelimit-remaining") == Some(0);
        let reset = number("x-ratelimit-reset").filter(|_| used_up).map(reset_time);
        let wait = match (number("retry-after"), reset) {
            (Some(seconds), _) => Duration::from_secs(seconds),
            // That is noted with its resource; others have limits of their own.
            (None, Some(reset)) => return reset.since(now).min(LONGEST),
            (None, None) => {
                let wait = UNSAID * 2u32.pow(self.limited.min(6));
                self.limited = self.limited.saturating_add(1);
                wait
            }
        };
        let wait = wait.clamp(Duration::from_secs(1), LONGEST);
        self.blocked_until = self.blocked_until.max(Some(now.plus(wait)));
        wait
    }
}

fn reset_time(seconds: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    fn answer(status: u16, headers: &[(&str, String)]) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Response { status, headers: headers.collect(), body: Vec::new() }
    }

    fn limits(remaining: u64, in_seconds: i64) -> Vec<(&'static str, String)> {
        let reset = now().as_millis() / 1000 + in_seconds;
        vec![
            ("x-ratelimit-limit", "5000".to_owned()),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset", reset.to_string()),
            ("x-ratelimit-resource", "graphql".to_owned()),
        ]
    }

    #[test]
    fn looking_stops_before_people_have_to() {
        let table = [(51, 0, 0), (50, 600, 0), (1, 600, 0), (0, 600, 600)];
        for (remaining, poll, asked) in table {
            let mut state = State::default();
            state.note("core", &answer(200, &limits(remaining, 600)), now());
            let wait = |resource, purpose| state.wait(resource, purpose, now()).as_secs();
            assert_eq!(wait("graphql", Purpose::Poll), poll, "{remaining}");
            assert_eq!(wait("graphql", Purpose::Asked), asked, "{remaining}");
            assert_eq!(wait("core", Purpose::Poll), 0);
            let later = now().plus(Duration::from_secs(601));
            assert_eq!(state.wait("graphql", Purpose::Poll, later), Duration::ZERO);
        }
    }

    #[test]
    fn a_limit_is_obeyed_for_as_long_as_it_says() {
        let header = |value: &str| vec![("retry-after", value.to_owned())];
        let table = [
            (answer(403, &header("90")), 90),
            (answer(429, &limits(0, 600)), 600),
            (answer(403, &limits(10, 600)), 60),
            (answer(429, &header("soon")), 60),
            (answer(429, &header("999999999")), 3600),
            (answer(429, &limits(0, -5)), 0),
        ];
        for (response, seconds) in table {
            let mut state = State::default();
            state.note("graphql", &response, now());
            assert_eq!(state.limit(&response, now()).as_secs(), seconds, "{response:?}");
            assert_eq!(state.wait("graphql", Purpose::Asked, now()).as_secs(), seconds);
            // A limit that is used up is of its resource alone.
            let both = response.header("x-ratelimit-remaining") != Some("0");
            assert_eq!(state.wait("core", Purpose::Asked, now()).as_secs() > 0, both);
        }
        let mut state = State::default();
        let waits = [(); 3].map(|()| state.limit(&answer(403, &[]), now()).as_secs());
        assert_eq!(waits, [60, 120, 240]);
    }

    #[test]
    fn the_file_is_shared_and_may_be_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("github/github.com/quota.json");
        let (one, other) = (Quota::new(Some(path.clone())), Quota::new(Some(path.clone())));
        one.limited("core", &answer(429, &[("retry-after", "30".to_owned())]));
        assert!(other.wait("core", Purpose::Asked) > Duration::from_secs(20));
        for garbage in ["", "{", "[]", r#"{"version":2}"#, r#"{"version":1,"failures":"x"}"#] {
            fs::replace(&path, garbage.as_bytes(), Durability::Process).unwrap();
            assert_eq!(other.wait("core", Purpose::Asked), Duration::ZERO, "{garbage}");
        }
        let waits = [(); 4].map(|()| {
            one.failed();
            other.wait("core", Purpose::Poll).as_secs_f64().round() as u64
        });
        assert_eq!(waits, [0, 30, 60, 120]);
        assert_eq!(other.wait("core", Purpose::Asked), Duration::ZERO);
        one.note("core", &answer(200, &[]));
        assert_eq!(other.wait("core", Purpose::Poll), Duration::ZERO);
        let far = r#"{"version":1,"blocked_until":"2999-01-01T00:00:00Z"}"#;
        fs::replace(&path, far.as_bytes(), Durability::Process).unwrap();
        assert_eq!(other.wait("core", Purpose::Asked), Duration::ZERO);
    }
}
