//! Who is told, as the user configured it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::effect::Priority;
use crate::secret::{Secret, SecretSource};

/// How long a notifier may take, unless it is configured: nobody waits for it, and it is tried
/// again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that may be configured: a pass waits for one notifier after the other.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Somebody or something that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifier {
    /// How.
    pub kind: NotifierKind,
    /// What of.
    pub priorities: Vec<Priority>,
    /// How long it may take.
    pub timeout: Duration,
}

/// How a notifier tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifierKind {
    /// A program that reads JSON on standard input.
    Command {
        /// Its argument vector, never empty.
        command: Vec<String>,
    },
    /// A file that gets JSON lines.
    File {
        /// Its absolute path.
        path: PathBuf,
    },
    /// The desktop's own notifications.
    Desktop,
    /// A web server that gets JSON, signed where there is a key.
    Webhook {
        /// Its address.
        url: SecretSource,
        /// What signs.
        key: Option<SecretSource>,
    },
    /// A Slack channel, by an incoming webhook.
    Slack {
        /// The webhook's address: who knows it can write there.
        url: SecretSource,
    },
}

impl NotifierKind {
    /// Returns the word of the configuration.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Command { .. } => "command",
            Self::File { .. } => "file",
            Self::Desktop => "desktop",
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
        }
    }

    /// Returns where its secrets are found, each with what it is.
    pub fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        match self {
            Self::Command { .. } | Self::File { .. } | Self::Desktop => Vec::new(),
            Self::Webhook { url, key } => {
                let key = key.iter().map(|key| ("signing key", key));
                std::iter::once(("address", url)).chain(key).collect()
            }
            Self::Slack { url } => vec![("address", url)],
        }
    }
}

/// The keys of one notifier.
#[derive(Deserialize)]
struct Keys {
    kind: Option<String>,
    command: Option<Vec<String>>,
    path: Option<PathBuf>,
    url: Option<String>,
    url_env: Option<String>,
    url_command: Option<Vec<String>>,
    secret: Option<String>,
    secret_env: Option<String>,
    secret_command: Option<Vec<String>>,
    timeout: Option<String>,
    priorities: Option<Vec<Priority>>,
}

impl<'de> Deserialize<'de> for Notifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(Keys::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn read(keys: Keys) -> Result<Notifier, &'static str> {
    const KINDS: &str = "needs `kind = \"command\"` with `command`, `\"file\"` with `path`, \
         `\"webhook\"` or `\"slack\"` with one of `url`, `url_env` and `url_command`, \
         or `\"desktop\"` alone";
    let given = |text: Option<String>| text.map(|text| SecretSource::Given(Secret::new(text)));
    let is_given = keys.url.clone();
    let url = source(given(keys.url), keys.url_env, keys.url_command)?;
    let key = source(given(keys.secret), keys.secret_env, keys.secret_command)?;
    let kind = match (keys.kind.as_deref(), keys.command, keys.path, url, key) {
        (Some("command"), Some(command), None, None, None) => NotifierKind::Command { command },
        (Some("file"), None, Some(path), None, None) => NotifierKind::File { path },
        (Some("desktop"), None, None, None, None) => NotifierKind::Desktop,
        (Some("webhook"), None, None, Some(url), key) => NotifierKind::Webhook { url, key },
        (Some("slack"), None, None, Some(url), None) => NotifierKind::Slack { url },
        (Some("slack"), None, None, Some(_), Some(_)) => {
            return Err("takes no `secret`: Slack checks no signature, its address is the secret");
        }
        (_, _, _, _, _) => return Err(KINDS),
    };
    if let Some(url) = is_given {
        check_url(&url)?;
    }
    let timeout = match (&kind, keys.timeout) {
        (_, None) => TIMEOUT,
        (NotifierKind::File { .. }, Some(_)) => return Err("takes no `timeout`"),
        (
            NotifierKind::Command { .. }
            | NotifierKind::Desktop
            | NotifierKind::Webhook { .. }
            | NotifierKind::Slack { .. },
            Some(text),
        ) => humantime::parse_duration(&text)
            .ok()
            .filter(|it| !it.is_zero() && *it <= LONGEST)
            .ok_or("needs a `timeout` of more than 0s and at most 5m")?,
    };
    let priorities = keys.priorities.unwrap_or_else(|| Priority::ALL.to_vec());
    Ok(Notifier { kind, priorities, timeout })
}

/// Returns the one place where a secret is found, none where none is named.
fn source(
    given: Option<SecretSource>,
    variable: Option<String>,
    command: Option<Vec<String>>,
) -> Result<Option<SecretSource>, &'static str> {
    let variable = variable.map(SecretSource::Variable);
    let command = command.map(SecretSource::Command);
    let mut named = [given, variable, command].into_iter().flatten();
    match (named.next(), named.next()) {
        (_, Some(_)) => Err("names an address or a key in two places; one is enough"),
        (found, None) => Ok(found),
    }
}

/// Checks that notices may be sent to an address: over a connection that nobody reads along, or
/// one that does not leave the machine.
///
/// # Errors
///
/// What the address must be, to follow the notifier's name. The address itself is not repeated.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    const WHAT: &str = "needs an address that begins with `https://`, or with `http://` and a name \
         of this very machine (`localhost`, `127.0.0.1`, `[::1]`)";
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let host = |rest: &str| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        match host.split_once(']') {
            Some((address, _)) => format!("{address}]"),
            None => host.split(':').next().unwrap_or_default().to_owned(),
        }
    };
    let scheme_and_rest = url.split_once("://").map(|(scheme, rest)| (scheme, host(rest)));
    match scheme_and_rest {
        Some(("https", host)) if is_plain && !host.is_empty() => Ok(()),
        Some(("http", host)) if is_plain && is_this_machine(&host) => Ok(()),
        Some(_) | None => Err(WHAT),
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_connections_stay_on_the_machine() {
        for good in [
            "https://hooks.example/T0/B0",
            "https://user:pass@hooks.example:8443",
            "http://localhost:8080/x",
            "http://127.0.0.1/x",
            "http://[::1]:80/?x",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "http://hooks.example/x",
            "http://127.0.0.1@hooks.example/x",
            "http://localhost.example/x",
            "http://127.0.0.1.example/x",
            "http://10.0.0.1/",
            "http://127.0.0.1\\@hooks.example/",
            "https://",
            "https:///x",
            "https://hooks.example/a b",
            "HTTP://hooks.example",
            "file:///etc/passwd",
            "hooks.example",
            "",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
