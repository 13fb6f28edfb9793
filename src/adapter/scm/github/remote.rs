//! Which GitHub is meant: the address of its interface, and the repository that a remote names.
//!
//! A token goes to the configured interface's own host and nowhere else, so a repository counts
//! only where that host is the one to ask about it.

use std::fmt;

use crate::adapter::http;
use crate::adapter::scm::ForgeError;

/// The interface of github.com.
const PUBLIC: &str = "https://api.github.com";

/// A repository at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug {
    /// The host in lower case, with the port where one is written that is not the usual one.
    pub host: String,
    /// Whose it is.
    pub owner: String,
    /// What it is called.
    pub name: String,
}

impl Slug {
    /// Reads what `git remote` says: `https://host/owner/name.git`, `ssh://git@host/owner/name`,
    /// `git@host:owner/name.git`. None for a path, or for an address of any other form.
    pub fn of_remote(url: &str) -> Option<Self> {
        let url = url.trim();
        let (authority, path) = match url.split_once("://") {
            Some((scheme, rest)) => {
                let known = ["https", "http", "ssh", "git", "git+ssh"];
                known.contains(&scheme.to_ascii_lowercase().as_str()).then_some(())?;
                rest.split_once('/')?
            }
            None => {
                let (authority, path) = url.split_once(':')?;
                (!authority.contains('/')).then_some((authority, path))?
            }
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let (owner, name) = path.split_once('/')?;
        Some(Self {
            host: usual_host(host)?,
            owner: word(owner)?.to_owned(),
            name: word(name)?.to_owned(),
        })
    }

    /// Returns `owner/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.owner, self.name)
    }
}

/// Returns a host as it is compared; ports that mean nothing are left out, and so is the name
/// under which github.com takes SSH where its usual port is closed.
fn usual_host(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let usual = [":443", ":22"].iter().find_map(|port| host.strip_suffix(port));
    let host = usual.unwrap_or(&host);
    let host = match host {
        "ssh.github.com" | "www.github.com" => "github.com",
        other => other,
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    (!host.is_empty() && host.chars().all(allowed)).then(|| host.to_owned())
}

/// Returns a part of a path if it is one that GitHub could have given: it goes into addresses.
fn word(part: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!part.is_empty() && part != "." && part != ".." && part.chars().all(allowed)).then_some(part)
}

/// The address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    url: String,
    host: String,
}

impl Base {
    /// Reads `GITHUB_API_URL`; absent means github.com.
    ///
    /// # Errors
    ///
    /// It is no address, or one that would carry the token in the clear to another machine.
    pub fn parse(text: Option<&str>) -> Result<Self, ForgeError> {
        let text = text.unwrap_or(PUBLIC).trim().trim_end_matches('/');
        let wrong = |why: &str| ForgeError::Failed {
            forge: "GitHub".to_owned(),
            why: format!("GITHUB_API_URL {why}"),
        };
        let host = http::host_of(text)
            .filter(|_| !text.contains(['@', '?', '#']))
            .ok_or_else(|| wrong("is no address such as https://github.example/api/v3"))?;
        let base = Self { url: text.to_owned(), host: host.to_ascii_lowercase() };
        if text.starts_with("http://") && !base.is_loopback() {
            return Err(wrong("has to begin with https://"));
        }
        Ok(base)
    }

    /// Returns whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        let name = match self.host.rsplit_once(':') {
            Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
            Some(_) | None => &self.host,
        };
        matches!(name, "127.0.0.1" | "[::1]" | "localhost")
    }

    /// Returns the host, with its port where one is written.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the host that people see and remotes name.
    pub fn web_host(&self) -> &str {
        // `api.github.com` is of github.com, `api.name.ghe.com` of name.ghe.com.
        match self.host.strip_prefix("api.") {
            Some(web) if web == "github.com" || web.ends_with(".ghe.com") => web,
            Some(_) | None => &self.host,
        }
    }

    /// Returns what it is called in messages.
    pub fn name(&self) -> String {
        match self.web_host() {
            "github.com" => "GitHub".to_owned(),
            host => format!("GitHub at {host}"),
        }
    }

    /// Returns whether it is the one to ask about repositories of `host`. One on this machine
    /// stands in front of github.com.
    pub fn serves(&self, host: &str) -> bool {
        host == self.web_host() || host == self.host || (host == "github.com" && self.is_loopback())
    }

    /// Returns the address of `path`, which begins with a slash; an address of its own host stays
    /// as it is.
    pub fn url(&self, path: &str) -> String {
        if path.starts_with('/') { format!("{}{path}", self.url) } else { path.to_owned() }
    }

    /// Returns the address of GraphQL, which has its own place beside a versioned interface.
    pub fn graphql(&self) -> String {
        let root = self.url.strip_suffix("/v3").unwrap_or(&self.url);
        format!("{root}/graphql")
    }

    /// Returns whether an address is of the same scheme and host, so that it may see the token.
    pub fn owns(&self, url: &str) -> bool {
        let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_owned());
        scheme(url) == scheme(&self.url)
            && !url.contains('@')
            && http::host_of(url).is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_of_every_form_name_their_repository() {
        let table = [
            ("https://github.com/me/app.git", Some("github.com/me/app")),
            ("https://x:secret@GitHub.com:443/me/app/", Some("github.com/me/app")),
            ("http://127.0.0.1:8080/me/app", Some("127.0.0.1:8080/me/app")),
            ("git@github.com:me/app.git", Some("github.com/me/app")),
            ("github.com:me/my.app", Some("github.com/me/my.app")),
            ("ssh://git@ssh.github.com:443/me/app.git", Some("github.com/me/app")),
            ("ssh://git@code.example:2222/me/app", Some("code.example:2222/me/app")),
            ("git@code.example:group/sub/app.git", None),
            ("https://github.com/me", None),
            ("https://github.com/../app", None),
            ("https://github.com/me/a%20b", None),
            ("file:///srv/me/app.git", None),
            ("/srv/git/me/app.git", None),
            ("../me/app", None),
            ("", None),
        ];
        for (url, expected) in table {
            let seen = Slug::of_remote(url).map(|slug| slug.to_string());
            assert_eq!(seen.as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn an_interface_serves_its_own_host() {
        let table = [
            (None, "github.com", true, "https://api.github.com/graphql"),
            (None, "github.example", false, "https://api.github.com/graphql"),
            (
                Some("https://github.example/api/v3/"),
                "github.example",
                true,
                "https://github.example/api/graphql",
            ),
            (
                Some("https://github.example/api/v3"),
                "github.com",
                false,
                "https://github.example/api/graphql",
            ),
            (
                Some("https://api.octo.ghe.com"),
                "octo.ghe.com",
                true,
                "https://api.octo.ghe.com/graphql",
            ),
            (Some("http://127.0.0.1:81"), "github.com", true, "http://127.0.0.1:81/graphql"),
            (Some("http://127.0.0.1:81"), "127.0.0.1:81", true, "http://127.0.0.1:81/graphql"),
            (Some("http://127.0.0.1:81"), "127.0.0.1:82", false, "http://127.0.0.1:81/graphql"),
        ];
        for (text, host, serves, graphql) in table {
            let base = Base::parse(text).unwrap();
            assert_eq!(base.serves(host), serves, "{text:?} {host}");
            assert_eq!(base.graphql(), graphql);
        }
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear_or_elsewhere() {
        for text in ["http://github.example/api/v3", "ftp://x", "https://u:p@x", "x", "https://x?y"]
        {
            assert!(Base::parse(Some(text)).is_err(), "{text}");
        }
        let base = Base::parse(None).unwrap();
        assert!(base.owns("https://api.github.com/repositories/1"));
        for url in ["http://api.github.com/", "https://api.github.com.evil.example/", "/x"] {
            assert!(!base.owns(url), "{url}");
        }
        assert!(!base.owns("https://api.github.com@evil.example/"));
    }
}
