//! The wall clock and waiting, the only places that read time.
#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::model::time::Timestamp;

/// Returns the current time.
///
/// Debug builds take it from `AO_TIMESTAMP` where that is set, so that a test can move it.
pub fn now() -> Timestamp {
    #[cfg(debug_assertions)]
    if let Some(fixed) = std::env::var("AO_TIMESTAMP").ok().and_then(|text| text.parse().ok()) {
        return fixed;
    }
    jiff::Timestamp::now().into()
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
