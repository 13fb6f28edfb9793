//! The driver's own account of what was acknowledged, kept outside of `ao`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A text that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// The word in it that no other text has.
    pub(crate) token: String,
    /// To whom.
    pub(crate) session: String,
    /// What `ao` said of it; empty where it said nothing good.
    pub(crate) delivery: String,
    /// It was typed whatever the agent was at.
    pub(crate) at_once: bool,
}

/// A session that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Spawned {
    /// Its title, which no other has.
    pub(crate) token: String,
    /// Its id, where it was acknowledged.
    pub(crate) id: Option<String>,
}

/// A change that was acknowledged: something in the log of the session must say so.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    /// Which session.
    pub(crate) session: String,
    /// The command.
    pub(crate) what: &'static str,
    /// What stands in exactly one of its events; empty for a command that leaves no such word.
    pub(crate) token: String,
    /// The revision that was answered.
    pub(crate) revision: u64,
}

/// A hook, called by an agent or in its place.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) token: String,
    pub(crate) session: String,
    pub(crate) launch: String,
    pub(crate) event: String,
    /// The machine's uptime before and after.
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) code: i32,
}

impl Hook {
    /// Reads a line of the agents' own.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ').map(str::to_owned);
        let mut next = || words.next();
        Some(Self {
            token: next()?,
            session: next()?,
            launch: next()?,
            event: next()?,
            from: next()?.parse().ok()?,
            to: next()?.parse().ok()?,
            code: next()?.parse().ok()?,
        })
    }
}

/// A call that nothing was done to, and that failed in a way that asks for a reason.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// The call and what it said.
    pub(crate) what: String,
    /// When it was under way.
    pub(crate) during: Window,
}

/// Something from one uptime to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Window {
    /// Returns whether it and `from..to` have a moment in common.
    pub(crate) fn touches(&self, from: f64, to: f64) -> bool {
        self.from <= to && from <= self.to
    }
}

/// How often an operation ended how, and how long it took where nothing was done to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) codes: BTreeMap<i32, u64>,
    pub(crate) took: Vec<Duration>,
}

impl Tally {
    /// Returns how often it was done.
    pub(crate) fn count(&self) -> u64 {
        self.codes.values().sum()
    }
}

/// Everything that is known without asking `ao`.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) operations: BTreeMap<&'static str, Tally>,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) spawned: Vec<Spawned>,
    pub(crate) changed: Vec<Changed>,
    /// Sessions that a cleanup said it had removed.
    pub(crate) cleaned: Vec<String>,
    pub(crate) hooks: Vec<Hook>,
    /// When the disk was full.
    pub(crate) full: Vec<Window>,
    /// When the tmux server was stopped, or killed and not started again.
    pub(crate) stopped: Vec<Window>,
    /// Every `ao` that was killed, stopped or had an error on its way, by its number.
    pub(crate) hurt: BTreeSet<u32>,
    /// Calls that failed and have to be explained.
    pub(crate) failed: Vec<Failed>,
    /// Each step of the clock: the uptime, and the milliseconds from then on.
    pub(crate) steps: Vec<(f64, i64)>,
    /// What took longer than it may.
    pub(crate) overdue: Vec<String>,
    /// What was wrong as soon as it was seen.
    pub(crate) wrong: Vec<String>,
    /// Texts that nobody expected from `ao`, by their first line, and how often.
    pub(crate) failures: BTreeMap<String, u64>,
}

impl Ledger {
    /// Counts a fault.
    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Returns whether the disk was full at any moment between the two.
    pub(crate) fn was_full(&self, from: f64, to: f64) -> bool {
        self.full.iter().any(|full| full.touches(from - 0.5, to + 0.5))
    }

    /// Returns whether the tmux server did not answer at any moment between the two.
    pub(crate) fn was_without_tmux(&self, from: f64, to: f64) -> bool {
        self.stopped.iter().any(|stopped| stopped.touches(from - 0.5, to + 0.5))
    }

    /// Returns the uptime of an event that `ao` dated `at` (Unix milliseconds by its own clock).
    pub(crate) fn uptime_of(&self, at: i64, boot: f64) -> Option<f64> {
        /// Seconds by which a process may be late with a clock it has read.
        const LATE: f64 = 1.0;
        self.steps.iter().enumerate().find_map(|(index, (from, offset))| {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit")]
            let uptime = (at - offset) as f64 / 1000.0 - boot;
            let to = self.steps.get(index + 1).map_or(f64::INFINITY, |(next, _)| *next);
            (uptime >= from - LATE && uptime <= to + LATE).then_some(uptime)
        })
    }
}
