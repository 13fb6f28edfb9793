//! The token that requests carry: from the environment, else from GitHub's own program.

use std::fmt;
use std::time::Duration;

use crate::adapter::cmd::{Cmd, CmdError};

/// The variables that hold a token, the first one that is set counts.
pub const VARIABLES: [&str; 3] = ["AO_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"];

/// How long `gh` is given: it may ask a keyring.
const DEADLINE: Duration = Duration::from_secs(5);

/// A token, which no message shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Token {
    /// Returns the value of the header field.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Returns `text` without the token in it.
    pub(super) fn scrub(&self, text: &str) -> String {
        text.replace(&self.0, "[redacted]")
    }

    /// Returns a few hexadecimal digits that tell this token from another one, and nothing of it.
    pub(super) fn fingerprint(&self) -> String {
        use sha2::Digest;
        let hash = sha2::Sha256::digest(self.0.as_bytes());
        hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns a token if `text` can be one: it goes into a header field.
    fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }
}

/// Returns the token: of `variable` (name and value) where one is set, else what `gh` has for
/// `host`; else why there is none.
pub(super) fn find(variable: Option<&(String, String)>, host: &str) -> Result<Token, String> {
    if let Some((name, value)) = variable {
        return Token::of(value).ok_or_else(|| format!("{name} holds no token"));
    }
    let none = |more: &str| {
        let [own, gh, github] = VARIABLES;
        format!("there is no token: set {own}, {gh} or {github}, or run `gh auth login`{more}")
    };
    let gh = Cmd::new("gh").args(["auth", "token", "--hostname", host]).deadline(DEADLINE);
    let gh = gh.env("GH_PROMPT_DISABLED", "1").env("GH_NO_UPDATE_NOTIFIER", "1");
    match gh.env("NO_COLOR", "1").output() {
        Ok(output) if output.success() => Token::of(&output.text()).ok_or_else(|| none("")),
        Ok(_) | Err(CmdError::Missing { .. }) => Err(none("")),
        Err(error) => Err(none(&format!(" ({error})"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::of(" ghp_abc\n").unwrap();
        assert_eq!(
            format!("{token:?} {}", token.scrub("no ghp_abc!")),
            "[redacted] no [redacted]!"
        );
        assert_eq!(token.header(), "Bearer ghp_abc");
        assert!(Token::of("a\r\nx-evil: 1").is_none() && Token::of(" ").is_none());
        let variable = ("GH_TOKEN".to_owned(), "a b".to_owned());
        assert_eq!(find(Some(&variable), "github.com"), Err("GH_TOKEN holds no token".to_owned()));
    }
}
