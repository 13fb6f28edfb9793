//! What an agent says of itself with `ao report`: its words, and what of them may be kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lifecycle::{ActivityState, word_enum};
use crate::sanitize;
use crate::time::Timestamp;

/// The longest note that is kept, in bytes; a longer one loses its middle.
pub const MAX_NOTE: usize = 4 * 1024;

/// More than the mark in the place of what was cut takes, in bytes.
const MARK: usize = 64;

/// The longest address that is kept, in bytes: what browsers and forges agree on.
const MAX_URL: usize = 2 * 1024;

word_enum! {
    /// What an agent can say of itself. That a session is merged, closed or done is never its own
    /// word.
    ReportState {
        Started = "started",
        Working = "working",
        Waiting = "waiting",
        NeedsInput = "needs-input",
        Completed = "completed",
    }
}

impl ReportState {
    /// Returns the activity signal that it stands for.
    pub fn activity(self) -> ActivityState {
        match self {
            Self::Started | Self::Working => ActivityState::Active,
            Self::Waiting => ActivityState::Idle,
            Self::NeedsInput => ActivityState::WaitingInput,
            Self::Completed => ActivityState::Ready,
        }
    }
}

/// What comes with the signal of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportFact {
    /// What the agent says.
    pub state: ReportState,
    /// In its own words: outside text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The address of the pull request it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr: Option<String>,
}

/// What an agent last said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// What it said.
    pub state: ReportState,
    /// In its own words, sanitised and capped: outside text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The pull request it opened, from this report or an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Nobody has written to the agent since: its turn, or the wait after it, goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

impl Report {
    /// Returns what is kept of `fact`, said at `at`; an address outlives the report it came with.
    pub fn of(fact: &ReportFact, at: Timestamp, earlier: Option<&Self>) -> Self {
        let pr = fact.pr.as_deref().and_then(|url| check_url(url).ok());
        Self {
            state: fact.state,
            note: fact.note.as_deref().and_then(note),
            pr: pr.or_else(|| earlier?.pr.clone()),
            at,
            open: true,
        }
    }

    /// Returns whether `other` says the same, whenever it was said.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.state, &self.note, &self.pr) == (other.state, &other.note, &other.pr)
    }
}

/// Returns what is kept of a note, `None` for one that says nothing.
pub fn note(raw: &str) -> Option<String> {
    let clean = sanitize::text(raw);
    let clean = clean.trim();
    // With the mark in the place of its middle it still fits, so that doing this twice is harmless.
    let fits = clean.len() <= MAX_NOTE;
    let limit = if fits { MAX_NOTE } else { MAX_NOTE - MARK };
    (!clean.is_empty()).then(|| sanitize::capped_in_its_middle(clean, limit))
}

/// Returns the address of a pull request, if it can be one.
///
/// # Errors
///
/// Why it is none.
pub fn check_url(raw: &str) -> Result<String, BadUrl> {
    let rest = raw.strip_prefix("https://").or_else(|| raw.strip_prefix("http://"));
    let rest = rest.ok_or(BadUrl("it begins with neither https:// nor http://"))?;
    if raw.len() > MAX_URL {
        return Err(BadUrl("it is longer than 2048 bytes"));
    }
    if !raw.chars().all(|c| c.is_ascii_graphic() && !"\"'`<>\\^{|}".contains(c)) {
        return Err(BadUrl("it holds a character that no address has"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(BadUrl("it holds a name or a password"));
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if !host.chars().any(|c| c.is_ascii_alphanumeric()) {
        return Err(BadUrl("it names no host"));
    }
    Ok(raw.to_owned())
}

/// A text that is no address of a pull request; what it is is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a pull request: {0}")]
pub struct BadUrl(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_with_a_host_and_nothing_else() {
        let long = format!("https://forge.example/{}", "x".repeat(MAX_URL));
        let mut table = String::new();
        for url in [
            "https://forge.example/me/app/pull/7",
            "http://localhost:3000/pull/7?x=1#top",
            "http://[::1]:3000/7",
            "ftp://forge.example/7",
            "javascript:alert(1)",
            "https://",
            "https:///pull/7",
            "https://me:secret@forge.example/7",
            "https://forge.example/a b",
            "https://forge.example/\u{1b}[31m",
            "https://forge.example/\u{202e}7",
            &long,
        ] {
            let shown: String = url.chars().take(40).filter(char::is_ascii_graphic).collect();
            let said =
                check_url(url).map_or_else(|error| error.0.to_owned(), |_| "kept".to_owned());
            table.push_str(&format!("{shown:<40} {said}\n"));
        }
        insta::assert_snapshot!(table, @"
        https://forge.example/me/app/pull/7      kept
        http://localhost:3000/pull/7?x=1#top     kept
        http://[::1]:3000/7                      kept
        ftp://forge.example/7                    it begins with neither https:// nor http://
        javascript:alert(1)                      it begins with neither https:// nor http://
        https://                                 it names no host
        https:///pull/7                          it names no host
        https://me:secret@forge.example/7        it holds a name or a password
        https://forge.example/ab                 it holds a character that no address has
        https://forge.example/[31m               it holds a character that no address has
        https://forge.example/7                  it holds a character that no address has
        https://forge.example/xxxxxxxxxxxxxxxxxx it is longer than 2048 bytes
        ");
    }

    #[test]
    fn a_note_is_clean_and_short() {
        assert_eq!(note(" \n"), None);
        assert_eq!(note("done\u{1b}]0;x\u{7}\n").as_deref(), Some("done"));
        let long = note(&"line\n".repeat(4000)).unwrap();
        assert!(long.len() <= MAX_NOTE, "{}", long.len());
        assert_eq!(note(&long), Some(long));
    }
}
