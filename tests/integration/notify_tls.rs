//! Who is trusted: a server that shows a certificate, and cannot prove that it is its own.
//!
//! It speaks as much of TLS 1.2 as comes before any key is used. A client looks at the certificate
//! first and at the proof after it, so what it complains of tells whom it trusts.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use crate::agents::configure;
use crate::env::TestEnvironment;

/// A certificate for 127.0.0.1, signed by fixtures/tls/authority.pem.
const CERTIFICATE: &[u8] = include_bytes!("../../fixtures/tls/server.der");

/// Returns `body` after its length in `width` bytes.
fn sized(width: usize, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_be_bytes();
    [&length[length.len() - width..], body].concat()
}

/// Returns a handshake message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &sized(3, body)].concat()
}

/// Returns what a server says before it is a client's turn again.
fn flight() -> Vec<u8> {
    // TLS 1.2, a random number, no session, ECDHE_ECDSA with AES 128 GCM, no compression.
    let hello = [&[3, 3][..], &[7; 32], &[0], &[0xc0, 0x2b], &[0]].concat();
    let certificates = sized(3, &sized(3, CERTIFICATE));
    // X25519, a public key, and in the place of a signature with ECDSA and SHA-256 nothing of use.
    let exchange = [&[3, 0, 0x1d][..], &sized(1, &[9; 32]), &[4, 3], &sized(2, &[0; 70])].concat();
    let parts = [(2, &hello), (11, &certificates), (12, &exchange), (14, &Vec::new())];
    let messages: Vec<u8> = parts.iter().flat_map(|(kind, body)| message(*kind, body)).collect();
    [&[22, 3, 3][..], &sized(2, &messages)].concat()
}

/// Answers every connection like that, and returns the server's address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/s3cret", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&flight());
            // Until the client has had enough.
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    url
}

#[test]
fn a_server_that_nobody_vouches_for_is_told_as_that() {
    let env = TestEnvironment::new();
    configure(&env, &format!("[notifiers.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", serve()));
    let told = || {
        let outcome = env.ao(&["notify", "--test"]).code(7);
        assert!(!outcome.stdout.contains("s3cret"), "{}", outcome.stdout);
        outcome.stdout.trim_end().split(" is not trusted ").nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(told(), "(UnknownIssuer)");
    // An authority of one's own makes it known; what it then lacks is the proof.
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls/authority.pem");
    env.set("SSL_CERT_FILE", authority);
    assert_eq!(told(), "(BadSignature)");
    // Who names a file without a certificate in it trusts nobody.
    env.set("SSL_CERT_FILE", env.path("missing"));
    let outcome = env.ao(&["notify", "--test"]).code(7);
    assert!(outcome.stdout.contains("no secure connection: "), "{}", outcome.stdout);
}
