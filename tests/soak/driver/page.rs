//! The one page that is printed.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::verdict::Verdict;
use super::world::Disk;
use super::{Counts, Soak};

/// How long each part took.
pub(crate) struct Times {
    pub(crate) set_up: Duration,
    pub(crate) raged: Duration,
    pub(crate) settled: Duration,
}

/// At most so many findings of a kind are printed.
const SHOWN: usize = 25;

/// Returns the page.
pub(crate) fn page(soak: &Soak, times: &Times, verdict: &Verdict) -> String {
    let mut page = String::new();
    let ledger = soak.ledger();
    let total: u64 = ledger.operations.values().map(super::ledger::Tally::count).sum();
    let seconds = |time: Duration| format!("{:.0} s", time.as_secs_f64());
    let disk = match soak.world.disk {
        Disk::Mount => "a file system of its own, filled",
        Disk::Failpoint => "writes that fail by failpoint",
    };
    page += &format!(
        "soak: seed {}, {} sessions, {} (set up in {}, settled in {}); full disk: {disk}\n",
        soak.seed,
        soak.sessions,
        seconds(times.raged),
        seconds(times.set_up),
        seconds(times.settled)
    );
    page.push_str("\noperations               count  failures by exit code\n");
    for (kind, tally) in &ledger.operations {
        let failures = tally.codes.iter().filter(|(code, _)| **code != 0);
        let failures: Vec<String> = failures.map(|(code, n)| format!("{code}: {n}")).collect();
        let _ = writeln!(page, "  {kind:<22} {:>6}  {}", tally.count(), failures.join("  "));
    }
    let faults: u64 = ledger.faults.values().sum();
    let _ = writeln!(page, "\nfaults                   {faults:>5}");
    for (kind, count) in &ledger.faults {
        let _ = writeln!(page, "  {kind:<34} {count:>6}");
    }
    list(&mut page, "checked", &verdict.checked);
    list(&mut page, "allowed", &verdict.allowed);
    for (what, findings) in [
        ("lost", &verdict.lost),
        ("done twice", &verdict.double),
        ("orphans", &verdict.orphans),
        ("otherwise wrong", &verdict.wrong),
    ] {
        let _ = writeln!(page, "\n{what:<24} {:>6}", findings.len());
        for finding in findings.iter().take(SHOWN) {
            let text: String = finding.trim().replace('\n', " | ").chars().take(900).collect();
            let _ = writeln!(page, "  ! {text}");
        }
    }
    let reap = ledger.operations.get("reap").map(|tally| tally.took.clone()).unwrap_or_default();
    let busy: u64 = ledger.operations.values().filter_map(|tally| tally.codes.get(&4)).sum();
    let rate = total as f64 / (times.raged + times.settled + times.set_up).as_secs_f64();
    let _ = writeln!(
        page,
        "\nfigures: {rate:.1} operations/s; reap p50 {} ms, p99 {} ms; exit 4 {busy} times; home {:.1} MB",
        percentile(&reap, 50),
        percentile(&reap, 99),
        size(&soak.world.home()) as f64 / 1e6
    );
    page
}

/// Returns what unhurt calls said when they failed, for whoever wants to know.
pub(crate) fn failures(soak: &Soak) -> String {
    let ledger = soak.ledger();
    let mut page = String::new();
    list(&mut page, "failures of calls that nothing was done to", &ledger.failures);
    page
}

fn list(page: &mut String, title: &str, counts: &Counts) {
    let _ = writeln!(page, "\n{title}");
    for (what, count) in counts {
        let _ = writeln!(page, "  {what:<66} {count:>6}");
    }
}

fn percentile(times: &[Duration], percent: usize) -> u128 {
    let mut sorted = times.to_vec();
    sorted.sort();
    let index = (sorted.len().saturating_sub(1)) * percent / 100;
    sorted.get(index).map_or(0, Duration::as_millis)
}

fn size(directory: &Path) -> u64 {
    let mut total = 0;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => total += size(&entry.path()),
            Ok(metadata) => total += metadata.len(),
            Err(_) => {}
        }
    }
    total
}
