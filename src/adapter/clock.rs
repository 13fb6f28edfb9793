//! The wall clock and waiting, the only places that read time.
#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::model::time::Timestamp;

/// Returns the current time.
///
/// Debug builds take it from `AO_TIMESTAMP` where that is set, so that a test can move it. Where
/// `TEST_CLOCK` names a file, they add the milliseconds that stand in it: one step of the clock
/// then reaches every process that runs, launchers and hooks of agents included, whose environment
/// has no `AO_*` of whoever started them.
pub fn now() -> Timestamp {
    #[cfg(debug_assertions)]
    if let Some(fixed) = std::env::var("AO_TIMESTAMP").ok().and_then(|text| text.parse().ok()) {
        return fixed;
    }
    let now = Timestamp::from(jiff::Timestamp::now());
    #[cfg(debug_assertions)]
    let now = Timestamp::from_millis(now.as_millis() + stepped());
    now
}

/// Returns how far a test has stepped the clock, in milliseconds.
#[cfg(debug_assertions)]
fn stepped() -> i64 {
    let file = std::env::var_os("TEST_CLOCK");
    let text = file.and_then(|path| std::fs::read_to_string(path).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Returns the zone called `name`, the local one for none; UTC where the machine has none.
pub fn zone(name: Option<&str>) -> Option<TimeZone> {
    match name {
        None => Some(TimeZone::system()),
        Some(name) => TimeZone::get(name).ok(),
    }
}

/// Returns the time of day at `at` and the seconds that local time is ahead of UTC then.
pub fn local(at: Timestamp) -> (jiff::civil::DateTime, i32) {
    let zone = TimeZone::system();
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    let offset = zone.to_offset(at);
    (offset.to_datetime(at), offset.seconds())
}

/// A point after which waiting ends, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline `timeout` from now; a century at the most.
    pub fn after(timeout: Duration) -> Self {
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        Self(Instant::now() + timeout.min(CENTURY))
    }

    /// Returns what is left, zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Returns whether it has passed.
    pub fn passed(&self) -> bool {
        self.remaining().is_zero()
    }
}

/// Measures elapsed time on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Sleeps for `duration`, for back-off and settling only: a condition is waited for with
/// [`poll_until`].
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Pauses between looks at what mostly comes within milliseconds: an eighth of the time that was
/// waited already, from 1/4 to 10 ms.
///
/// For so short a time it is better than to be told by the kernel, which may take 20 ms to close an
/// inotify descriptor.
#[derive(Debug)]
pub struct Pace(Stopwatch);

impl Pace {
    /// Begins to wait.
    pub fn start() -> Self {
        Self(Stopwatch::start())
    }

    /// Pauses, for `most` at the most.
    pub fn pause(&self, most: Duration) {
        let share = self.0.elapsed() / 8;
        pause(share.clamp(Duration::from_micros(250), Duration::from_millis(10)).min(most));
    }
}

/// Asks `ready` again and again, ever more slowly (1 to 50 ms), until it answers or `deadline`
/// has passed; returns the answer, `None` where time ran out.
///
/// Asks at least once.
pub fn poll_until<T>(deadline: Deadline, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = ready() {
            return Some(answer);
        }
        let left = deadline.remaining();
        if left.is_zero() {
            return None;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
