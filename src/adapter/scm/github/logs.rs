//! The last lines of what a failing check wrote.
//!
//! A job's log is at another host, which gets no token: the address itself opens it for a while.
//! Where there is no log, what the check says of itself stands in its place; where there is not
//! even that, the names of the checks have to do.

use super::GitHub;
use super::cache::Cache;
use super::client::Call;
use super::facts;
use super::parse::Context;
use super::quota::Purpose;
use crate::adapter::scm::ForgeError;
use crate::model::sanitize;

/// How many logs one invocation fetches: a message waits for none of them.
const MOST: u32 = 6;

/// How many failing checks of one pull request are quoted.
const CHECKS: usize = 2;

/// What is kept of one log.
const LINES: usize = 60;
const BYTES: usize = 6 * 1024;

impl GitHub {
    /// Fetches what the failing checks of `number` wrote, as far as it is not known yet, and
    /// returns all of it.
    pub(super) fn log_tail(&self, cache: &mut Cache, number: u64) -> Option<String> {
        let seen = cache.seen.get(&number)?;
        let failing: Vec<Context> =
            facts::failing(&seen.pull).into_iter().take(CHECKS).cloned().collect();
        let mut logs = seen.logs.clone();
        logs.retain(|id, _| failing.iter().any(|check| check.id == *id));
        for check in &failing {
            if logs.contains_key(&check.id) || !self.client.spend_log(MOST) {
                continue;
            }
            match self.log(cache, check) {
                Ok(text) => {
                    logs.insert(check.id.clone(), text);
                }
                // What this token may not see today it may not see in a minute.
                Err(ForgeError::Denied { .. } | ForgeError::NotFound { .. }) => {
                    logs.insert(check.id.clone(), String::new());
                }
                Err(_) => {}
            }
        }
        let texts: Vec<_> = failing
            .iter()
            .filter_map(|check| Some((check, logs.get(&check.id)?)))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        let tail = match texts.as_slice() {
            [] => None,
            [(_, text)] => Some((*text).clone()),
            several => {
                let titled = |(check, text): &(&Context, &String)| {
                    format!("{}:\n{text}", check.identity().0)
                };
                Some(several.iter().map(titled).collect::<Vec<_>>().join("\n\n"))
            }
        };
        if let Some(seen) = cache.seen.get_mut(&number) {
            seen.logs = logs;
        }
        tail
    }

    /// Returns the last lines of a check's log, or what it says of itself.
    fn log(&self, cache: &Cache, check: &Context) -> Result<String, ForgeError> {
        let Some(id) = check.database_id else {
            return Ok(check.description.clone().unwrap_or_default());
        };
        if check.is_job() {
            let path = self.path_in(cache, &format!("/actions/jobs/{id}/logs"));
            let log = self.client.text_elsewhere(&path, "log");
            if let Some(log) = log.ok().filter(|log| !log.trim().is_empty()) {
                return Ok(tail(&log));
            }
        }
        let path = self.path_in(cache, &format!("/check-runs/{id}"));
        let call = Call { purpose: Purpose::Poll, ..Call::get(&path, "such check") };
        let answer = self.client.json(&self.client.send(&call)?)?;
        let output =
            |name: &str| answer["output"][name].as_str().filter(|it| !it.trim().is_empty());
        let parts: Vec<&str> =
            ["title", "summary", "text"].into_iter().filter_map(output).collect();
        Ok(tail(&parts.join("\n\n")))
    }
}

/// Returns the last lines, without the times that GitHub puts in front of each.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.trim_end().lines().map(without_time).collect();
    let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
    let from = tail.len().saturating_sub(BYTES);
    let from = (from..=tail.len()).find(|at| tail.is_char_boundary(*at)).unwrap_or(tail.len());
    sanitize::text(&tail[from..])
}

fn without_time(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}');
    match line.split_once(' ') {
        Some((time, rest)) if time.ends_with('Z') && time.len() >= 20 => {
            let shape = |c: char| c.is_ascii_digit() || "-:.TZ".contains(c);
            if time.chars().all(shape) { rest } else { line }
        }
        Some(_) | None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_loses_its_times_and_its_beginning() {
        let log = "\u{feff}2026-11-20T10:00:00.1234567Z first\n2026-11-20T10:00:01Z \u{1b}[31mlast\u{1b}[0m\nplain line\n";
        assert_eq!(tail(log), "first\nlast\nplain line");
        let long: String = (0..100).map(|n| format!("{n}\n")).collect();
        let kept = tail(&long);
        assert_eq!((kept.lines().next(), kept.lines().last()), (Some("40"), Some("99")));
        assert!(tail(&"ä".repeat(10_000)).len() <= BYTES);
    }
}
