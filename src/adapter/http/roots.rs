//! Whose certificates are trusted.

use std::ffi::OsString;
use std::path::Path;

use ureq::tls::RootCerts;

use crate::adapter::fs;

/// Where systems keep the certificates they trust, in one file or one directory.
const PLACES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
];

/// Returns what this machine trusts, or where it has nothing of the kind (a minimal container)
/// the certificates that come along with the program.
///
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` are always obeyed: who sets one to a file without a
/// certificate in it trusts nobody, and is told so.
#[expect(clippy::disallowed_methods, reason = "certificates are named by the environment alone")]
pub(super) fn of_this_machine() -> RootCerts {
    let asked = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(std::env::var_os);
    let has_own_store = cfg!(any(target_os = "macos", target_os = "windows"));
    choose(has_own_store, asked, PLACES.iter().map(Path::new))
}

fn choose<'a>(
    has_own_store: bool,
    asked: [Option<OsString>; 2],
    mut places: impl Iterator<Item = &'a Path>,
) -> RootCerts {
    if has_own_store || asked.iter().any(Option::is_some) || places.any(holds_something) {
        RootCerts::PlatformVerifier
    } else {
        RootCerts::WebPki
    }
}

fn holds_something(place: &Path) -> bool {
    match fs::metadata(place) {
        Ok(Some(it)) if it.is_dir() => fs::names(place).is_ok_and(|names| !names.is_empty()),
        Ok(Some(it)) => it.len() > 0,
        Ok(None) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_certificates_trusts_those_that_come_along() {
        let directory = tempfile::tempdir().unwrap();
        let (file, empty) = (directory.path().join("file"), directory.path().join("empty"));
        let missing = directory.path().join("missing");
        fs::create_private_directories(&empty).unwrap();
        fs::replace(&file, b"", fs::Durability::Process).unwrap();
        let is_own = |asked: Option<&str>, places: &[&Path]| {
            let asked = [asked.map(OsString::from), None];
            matches!(choose(false, asked, places.iter().copied()), RootCerts::PlatformVerifier)
        };
        assert!(!is_own(None, &[]));
        assert!(!is_own(None, &[&missing, &empty, &file]));
        assert!(is_own(Some("/no/such/file"), &[]), "what was asked for is never replaced");
        assert!(is_own(None, &[&empty, directory.path()]));
        fs::replace(&file, b"x", fs::Durability::Process).unwrap();
        assert!(is_own(None, &[&file]));
        assert!(matches!(choose(true, [None, None], [].into_iter()), RootCerts::PlatformVerifier));
    }
}
