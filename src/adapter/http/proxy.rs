//! Proxies, as the environment names them.
//!
//! `https_proxy` for `https://`, `http_proxy` for `http://`, `all_proxy` for both where the first
//! is not set; each in lower or upper case, the lower case first. `no_proxy` lists hosts, domains
//! (with all below them) and `*`. This machine itself is never asked through a proxy. Every proxy
//! is asked to connect through (`CONNECT`), so it learns the host and nothing else of HTTPS.
#![expect(clippy::disallowed_methods, reason = "proxies are named by the environment alone")]

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use crate::adapter::http::HttpError;

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    https: Option<Named>,
    http: Option<Named>,
    direct: Vec<String>,
}

/// A proxy and the variable that names it; none where it cannot be used.
#[derive(Clone, Debug)]
struct Named {
    variable: &'static str,
    proxy: Option<Proxy>,
}

impl Proxies {
    pub(super) fn of_environment() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| Some(named(name, set(name)?.trim())))
        };
        let direct = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
        let entries = direct.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        Self {
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            http: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            direct: entries.map(str::to_ascii_lowercase).collect(),
        }
    }

    /// Returns the proxy through which `uri` is to be asked, if any.
    ///
    /// # Errors
    ///
    /// The variable is set to something that is no proxy: going around it would be worse.
    pub(super) fn choose(&self, uri: &Uri) -> Result<Option<Proxy>, HttpError> {
        let is_https = uri.scheme_str() == Some("https");
        let named = if is_https { &self.https } else { &self.http };
        match named {
            None => Ok(None),
            Some(_) if is_loopback(uri) || self.is_direct(uri) => Ok(None),
            Some(Named { proxy: Some(proxy), .. }) => Ok(Some(proxy.clone())),
            Some(Named { variable, proxy: None }) => Err(HttpError::BadProxy { variable }),
        }
    }

    fn is_direct(&self, uri: &Uri) -> bool {
        let host = bare_host(uri);
        let port = uri.port_u16().map(|port| format!(":{port}"));
        self.direct.iter().any(|entry| {
            let entry = port.as_deref().and_then(|port| entry.strip_suffix(port)).unwrap_or(entry);
            let domain = entry.trim_start_matches('*').trim_start_matches('.');
            let below = || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
            entry == "*" || (!domain.is_empty() && (host == domain || below()))
        })
    }
}

fn named(variable: &'static str, address: &str) -> Named {
    // Without its connector the library would go around a proxy of another kind.
    let usable =
        |proxy: &Proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    Named { variable, proxy: Proxy::new(address).ok().filter(usable) }
}

/// Returns whether `uri` names this machine itself.
pub(super) fn is_loopback(uri: &Uri) -> bool {
    let host = bare_host(uri);
    let by_address = host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
    host == "localhost" || host.ends_with(".localhost") || by_address
}

fn bare_host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the proxy for `url` in an environment, `direct`, or the error.
    fn chosen(variables: &[(&str, &str)], url: &str) -> String {
        let value = |name: &str| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        match Proxies::of(value).choose(&url.parse().unwrap()) {
            Ok(Some(proxy)) => format!("{}:{}", proxy.host(), proxy.port()),
            Ok(None) => "direct".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_scheme_has_its_variable() {
        let both = [("HTTPS_PROXY", "http://s:1"), ("HTTP_PROXY", "http://p:2")];
        assert_eq!(chosen(&both, "https://api.example/x"), "s:1");
        assert_eq!(chosen(&both, "http://api.example/x"), "p:2");
        assert_eq!(chosen(&both[..1], "http://api.example/x"), "direct");
        let all = [("ALL_PROXY", "all:3"), ("https_proxy", "https://lower"), both[0]];
        assert_eq!(chosen(&all, "http://api.example/x"), "all:3");
        assert_eq!(chosen(&all, "https://api.example/x"), "lower:443");
        assert_eq!(chosen(&[("https_proxy", " ")], "https://api.example/"), "direct");
    }

    #[test]
    fn hosts_are_left_out_by_name_domain_and_port() {
        let through = |no_proxy: &str, url: &str| {
            chosen(&[("all_proxy", "p:1"), ("NO_PROXY", no_proxy)], url) != "direct"
        };
        for (list, url) in [
            ("example.org, api.example", "https://api.example/"),
            (".example", "https://api.example/"),
            ("example", "https://API.EXAMPLE/"),
            ("*.example", "https://api.example/"),
            ("*", "https://api.example/"),
            ("api.example:8443", "https://api.example:8443/"),
            ("10.0.0.1", "http://10.0.0.1/"),
            ("", "http://localhost:80/"),
            ("", "http://127.0.0.9/"),
            ("", "http://[::1]:8080/"),
        ] {
            assert!(!through(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("", "https://api.example/"),
            ("pi.example", "https://api.example/"),
            ("api.example:8443", "https://api.example/"),
            (".", "https://api.example/"),
        ] {
            assert!(through(list, url), "{list} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_an_error_that_does_not_repeat_it() {
        for wrong in ["socks5://me:s3cret@p:1", "s3cret://p", "http://", "a b s3cret"] {
            let told = chosen(&[("HTTPS_PROXY", wrong)], "https://api.example/");
            assert_eq!(told, "$HTTPS_PROXY is not the address of an HTTP proxy");
        }
        let named = named("HTTPS_PROXY", "http://me:s3cret@p:1");
        assert!(!format!("{named:?}").contains("s3cret"), "{named:?}");
    }
}
