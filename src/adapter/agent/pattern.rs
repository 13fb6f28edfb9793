//! Regular expressions of cards, compiled when they are first needed.
//!
//! A card has many and a hook needs one at the most; compiling all of them would cost more than
//! everything else a hook does. Cards of the user's are checked when they are loaded for anything
//! else.

use std::ops::Deref;
use std::sync::OnceLock;

use regex::Regex;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// A regular expression and where in its file it stands.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    offset: usize,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    /// Returns what is wrong with it, on one line.
    pub(super) fn problem(&self) -> Option<String> {
        let error = Regex::new(&self.text).err()?.to_string();
        let why = error.lines().last().unwrap_or_default();
        let why = why.strip_prefix("error: ").unwrap_or(why);
        Some(format!("{:?} is not a regular expression: {why}", self.text))
    }

    /// Returns where it begins in its file, in bytes.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }
}

impl Deref for Pattern {
    type Target = Regex;

    /// Returns the compiled expression; a bad one, which only a hook meets unchecked, matches
    /// nothing.
    fn deref(&self) -> &Regex {
        self.compiled.get_or_init(|| {
            Regex::new(&self.text).unwrap_or_else(|_| {
                Regex::new(r"[^\s\S]").expect("a constant pattern, which matches nothing")
            })
        })
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), offset: 0, compiled: OnceLock::new() }
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.text, f)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Spanned::<String>::deserialize(deserializer)?;
        let offset = text.span().start;
        Ok(Self { text: text.into_inner(), offset, compiled: OnceLock::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        it: Pattern,
    }

    fn pattern(text: &str) -> Pattern {
        toml::from_str::<Holder>(&format!("it = '''{text}'''")).unwrap().it
    }

    #[test]
    fn a_good_one_matches_and_a_bad_one_says_why_on_one_line() {
        assert!(pattern("^a+$").is_match("aa"));
        assert_eq!((pattern("^a+$").problem(), pattern("a").offset()), (None, 5));
        for (text, why) in [
            ("(", r#""(" is not a regular expression: unclosed group"#),
            (
                "a{2,1}",
                r#""a{2,1}" is not a regular expression: invalid repetition count range, the start must be <= the end"#,
            ),
            (r"\q", r#""\\q" is not a regular expression: unrecognized escape sequence"#),
        ] {
            assert_eq!(pattern(text).problem().as_deref(), Some(why));
            assert!(!pattern(text).is_match(text));
        }
    }
}
