//! What must never be shown: the address of a webhook, the key that signs.

use std::fmt;

/// A text that `Debug` does not show, and that has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns `text` as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Where a secret is found.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In the configuration itself.
    Given(Secret),
    /// In the variable of this name.
    Variable(String),
    /// In what a program prints; its argument vector is never empty.
    Command(Vec<String>),
}

impl SecretSource {
    /// Returns whether it is in a variable, which a timer may not have.
    pub fn is_variable(&self) -> bool {
        matches!(self, Self::Variable(_))
    }

    /// Returns in words where it is found, for a person.
    pub fn shown(&self) -> String {
        match self {
            Self::Given(_) => "the configuration".to_owned(),
            Self::Variable(name) => format!("${name}"),
            Self::Command(command) => {
                format!("`{}`", command.first().map_or("", String::as_str))
            }
        }
    }
}

impl fmt::Debug for SecretSource {
    /// Shows where, and of a program its name alone: arguments can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// Returns whether a variable holds a secret, to judge by its name.
pub fn is_secret_name(name: &str) -> bool {
    const MARKS: [&str; 7] = ["TOKEN", "SECRET", "KEY", "PASS", "HOOK", "CREDENTIAL", "AUTH"];
    let name = name.to_ascii_uppercase();
    MARKS.iter().any(|mark| name.contains(mark))
}

/// Returns `text` with every one of `secrets` taken out.
///
/// Programs repeat their arguments when they fail. What is shorter than four bytes is a flag or a
/// number, and would take half the text with it.
pub fn redacted<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    const SHORTEST: usize = 4;
    let mut secrets: Vec<&str> = secrets.into_iter().filter(|it| it.len() >= SHORTEST).collect();
    // The longest first: what is part of it must not leave the rest of it standing.
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
}

/// Returns `text` without the user and the password of each address in it.
///
/// With SSH a user alone is a name that the address needs; elsewhere it may be a token.
pub fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_named = out.ends_with("ssh") || out.ends_with("ssh+git");
        out.push_str("://");
        let end = part.find(|c: char| "/?#".contains(c) || c.is_whitespace());
        let (authority, rest) = part.split_at(end.unwrap_or(part.len()));
        let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        match login.split([':', '@']).next() {
            Some(user) if is_named && !user.is_empty() => out.extend([user, "@", host, rest]),
            Some(_) | None => out.extend([host, rest]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_is_shown_holds_a_secret() {
        let command = SecretSource::Command(vec!["pass".into(), "s3cret".into()]);
        let all = [
            SecretSource::Given(Secret::new("s3cret")),
            SecretSource::Variable("HOOK".into()),
            command,
        ];
        assert_eq!(format!("{all:?}"), "[the configuration, $HOOK, `pass`]");
        assert_eq!(format!("{:?}", Secret::new("s3cret")), "[redacted]");
    }

    #[test]
    fn a_secret_within_a_secret_leaves_nothing_of_it() {
        let text = redacted("no abcd1234 and abcd -x", ["abcd", "abcd1234", "-x", ""]);
        assert_eq!(text, "no [redacted] and [redacted] -x");
    }

    #[test]
    fn an_address_loses_its_credentials_and_nothing_else() {
        for (text, expected) in [
            ("https://bot:s3cret@host/o/r.git", "https://host/o/r.git"),
            ("https://s3cret@host:8443/o/r.git", "https://host:8443/o/r.git"),
            ("http://bot:s3@cret@host", "http://host"),
            ("https://:s3cret@host?x#y", "https://host?x#y"),
            ("git://s3cret@host/r", "git://host/r"),
            ("cache::https://s3cret@host/r", "cache::https://host/r"),
            ("ssh://git@host:2222/o/r.git", "ssh://git@host:2222/o/r.git"),
            ("ssh://git:s3cret@host/r", "ssh://git@host/r"),
            ("git+ssh://git:s3@cret@host/r", "git+ssh://git@host/r"),
            ("ssh+git://git@host/r", "ssh+git://git@host/r"),
            ("ssh://:s3cret@host/r", "ssh://host/r"),
            ("git@host:o/r.git", "git@host:o/r.git"),
            ("https://host/o/r@2.git", "https://host/o/r@2.git"),
            ("file:///srv/me@home/r.git", "file:///srv/me@home/r.git"),
            ("/srv/me@home/r.git", "/srv/me@home/r.git"),
            ("", ""),
            (
                "fatal: could not read Password for 'https://s3cret@host': no prompt, mail a@b",
                "fatal: could not read Password for 'https://host': no prompt, mail a@b",
            ),
            ("https://s3cret@a/ or ssh://git:s3cret@b/", "https://a/ or ssh://git@b/"),
        ] {
            assert_eq!(without_credentials(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn of_an_address_without_credentials_nothing_more_goes(
            text in "(ssh|https|://|[a-z@:/?# '+])*"
        ) {
            let once = without_credentials(&text);
            prop_assert_eq!(without_credentials(&once), once);
        }
    }
}
