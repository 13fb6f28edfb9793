//! A web server that gets each notice as JSON, signed with a key that it knows too.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::adapter::clock;
use crate::adapter::http::Client;
use crate::adapter::notify::post::{fetched, post};
use crate::adapter::notify::{Notice, NotifyError, json};
use crate::model::secret::{Secret, SecretSource};

pub(super) fn deliver(
    client: &Client,
    name: &str,
    (url, key): (&SecretSource, Option<&SecretSource>),
    notice: &Notice<'_>,
    timeout: Duration,
) -> Result<(), NotifyError> {
    let key = key.map(|key| fetched(name, "signing key", key)).transpose()?;
    let body = json(notice);
    let timestamp = (clock::now().as_millis() / 1000).to_string();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-ao-id", notice.id.to_owned()),
        ("x-ao-timestamp", timestamp.clone()),
    ];
    if let Some(key) = key {
        headers.push(("x-ao-signature-256", signature(&key, &timestamp, &body)));
    }
    post(client, name, url, &headers, &body, timeout)
}

/// Returns what proves that who knows `key` sent `body` at `timestamp`.
///
/// The time is part of what is signed, so that an old notice cannot be sent again by somebody who
/// overheard it.
fn signature(key: &Secret, timestamp: &str, body: &[u8]) -> String {
    let signed = [timestamp.as_bytes(), b".", body].concat();
    format!("sha256={}", hex(&hmac(key.reveal().as_bytes(), &signed)))
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test cases of RFC 4231 that show a whole HMAC-SHA-256.
    #[test]
    fn the_vectors_of_rfc_4231() {
        let ascending: Vec<u8> = (1..=25).collect();
        let (longer, longest) = (
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "This is a test using a larger than block-size key and a larger than block-size data. \
             The key needs to be hashed before being used by the HMAC algorithm.",
        );
        for (key, data, mac) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &ascending,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                &[0xaa; 131],
                longer.as_bytes(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                longest.as_bytes(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ] {
            assert_eq!(hex(&hmac(key, data)), mac);
        }
    }

    /// The example of docs/notifiers.md.
    #[test]
    fn time_and_body_are_signed_together() {
        let signed = signature(&Secret::new("It's a Secret"), "1767261600", b"{\"id\":\"x\"}");
        let text = include_str!("../../../docs/notifiers.md");
        assert!(text.contains(&signed), "{signed}");
        assert_ne!(
            signed,
            signature(&Secret::new("It's a Secret"), "176726160", b"0{\"id\":\"x\"}")
        );
    }
}
