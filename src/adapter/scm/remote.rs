//! Reads the address of a git remote: which host it is on, and what it is called there.

/// A repository at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The host in lower case, without a port: `github.com`.
    pub host: String,
    /// Its path there, without a slash in front and `.git` behind: `octo/app`.
    pub path: String,
}

/// Reads an address as git takes it; `None` for one that names no host, as a directory does.
pub fn parse(url: &str) -> Option<Remote> {
    let (authority, path) = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?,
        // `user@host:path`; a slash in front of the colon makes it a local path.
        None => url.split_once(':').filter(|(host, _)| !host.contains('/'))?,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let host = host_of(authority);
    (!host.is_empty() && !path.is_empty()).then(|| Remote { host, path: path.to_owned() })
}

/// Returns whether a remote on `host` is answered for by the API at `api`: that of github.com is
/// on a host of its own, an enterprise's on the same one.
pub fn is_served_by(host: &str, api: &str) -> bool {
    let Some((_, rest)) = api.split_once("://") else { return false };
    let served = host_of(rest.split('/').next().unwrap_or_default());
    host == served || served.strip_prefix("api.").is_some_and(|served| host == served)
}

/// Returns the host of `user:password@host:port`.
fn host_of(authority: &str) -> String {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let host = match bracketed {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(host, _)| host),
    };
    host.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_address_names_its_host() {
        let table = [
            ("https://github.com/octo/app.git", Some(("github.com", "octo/app"))),
            ("https://token@GitHub.com/octo/app/", Some(("github.com", "octo/app"))),
            ("git@github.com:octo/app.git", Some(("github.com", "octo/app"))),
            ("ssh://git@ghe.example:2222/octo/app", Some(("ghe.example", "octo/app"))),
            ("http://127.0.0.1:8080/octo/app.git", Some(("127.0.0.1", "octo/app"))),
            ("http://[::1]:8080/octo/app", Some(("::1", "octo/app"))),
            ("file:///srv/app.git", None),
            ("/srv/app.git", None),
            ("../app:x", None),
            ("./a:b", None),
            ("https://github.com", None),
            ("", None),
        ];
        for (url, expected) in table {
            let found = parse(url);
            let found = found.as_ref().map(|it| (it.host.as_str(), it.path.as_str()));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn an_api_answers_for_its_own_host() {
        assert!(is_served_by("github.com", "https://api.github.com"));
        assert!(is_served_by("ghe.example", "https://ghe.example/api/v3"));
        assert!(is_served_by("127.0.0.1", "http://127.0.0.1:9/"));
        assert!(!is_served_by("gitlab.com", "https://api.github.com"));
        assert!(!is_served_by("github.com", "nonsense"));
    }
}
