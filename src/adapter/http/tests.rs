//! Answers as no server should give them, and what errors repeat of a request.

use std::io::Write;
use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;

const LONG: Duration = Duration::from_secs(20);

/// Answers one request with `bytes` as they are, and closes the connection.
fn once(bytes: Vec<u8>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&bytes);
    });
    (url, server)
}

fn get(url: &str, limit: u64, deadline: Duration) -> Result<Response, HttpError> {
    let headers = Vec::new();
    Client::new().send(&Request { method: "GET", url, headers, body: None, deadline, limit })
}

/// Returns a gzip member whose content is one byte, `repeats` times 258 times: as dense as the
/// format can be.
fn bomb(repeats: u32) -> Vec<u8> {
    let (mut bytes, mut open, mut filled) = (Vec::new(), 0u8, 0);
    let mut push = |value: u16, bits: u32| {
        for bit in (0..bits).map(|at| (value >> at) & 1) {
            open |= u8::from(bit == 1) << filled;
            filled += 1;
            if filled == 8 {
                bytes.push(std::mem::take(&mut open));
                filled = 0;
            }
        }
    };
    // The last block, with the fixed codes; codes are written from their highest bit.
    push(0b1, 1);
    push(0b01, 2);
    push(0b0000_1100, 8);
    for _ in 0..repeats {
        push(0b1010_0011, 8);
        push(0, 5);
    }
    push(0, 7);
    push(0, 7);
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    [&head[..], &bytes].concat()
}

#[test]
fn only_the_host_of_an_address_is_named() {
    let named =
        ["https://user:secret@api.example:8443/hook?token=x", "http://[::1]/", "file:///etc"];
    let hosts = named.map(host_of);
    assert_eq!(hosts, [Some("api.example:8443".to_owned()), Some("[::1]".to_owned()), None]);
}

#[test]
fn a_redirect_may_lead_to_the_same_host_port_and_scheme_alone() {
    let from = "https://hooks.example/a?x=1";
    assert_eq!(same_origin(from, "/b").as_deref(), Some("https://hooks.example/b"));
    for same in ["https://hooks.example/b", "https://HOOKS.example:443/b"] {
        assert_eq!(same_origin(from, same).as_deref(), Some(same));
    }
    for other in [
        "http://hooks.example/b",
        "https://hooks.example:8443/b",
        "https://hooks.example.evil/b",
        "https://hooks.example@evil/b",
        "//evil/b",
        "b",
        "",
        "file:///etc/passwd",
    ] {
        assert_eq!(same_origin(from, other), None, "{other}");
    }
}

#[test]
fn an_answer_is_measured_unpacked() {
    let packed = bomb(40_000);
    assert!(packed.len() < 70_000, "{}", packed.len());
    let head = "HTTP/1.1 200 -\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";
    let (url, server) = once([head.as_bytes(), &packed].concat());
    let answer = get(&url, 1_000_000, LONG);
    assert!(matches!(answer, Err(HttpError::TooLong { limit: 1_000_000, .. })), "{answer:?}");
    server.join().unwrap();
    // The check sum is missing, so the end of it is an error of its own.
    let (url, server) = once([head.as_bytes(), &bomb(4)].concat());
    let answer = get(&url, 1_000_000, LONG);
    assert!(matches!(answer, Err(HttpError::Cut { .. })), "{answer:?}");
    server.join().unwrap();
}

#[test]
fn an_answer_that_drips_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        for head in ["HTTP/1.1 200 -\r\nx-", "HTTP/1.1 200 -\r\ncontent-length: 90000\r\n\r\n"] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(head.as_bytes());
            let mut wait = [0; 4096];
            stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
            loop {
                // Each byte comes well before a deadline that would count from the last one.
                match stream.read(&mut wait) {
                    Ok(0) => break,
                    Ok(_) | Err(_) if stream.write_all(b"a").is_err() => break,
                    Ok(_) | Err(_) => {}
                }
            }
        }
    });
    for _ in 0..2 {
        let answer = get(&format!("http://{address}/"), 1 << 20, Duration::from_millis(300));
        assert!(matches!(answer, Err(HttpError::TimedOut { .. })), "{answer:?}");
    }
    server.join().unwrap();
}

#[test]
fn what_is_not_http_is_told_as_that() {
    for bytes in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 -\r\ncontent-length: x\r\n\r\n"] {
        let (url, server) = once(bytes.as_bytes().to_vec());
        let error = get(&url, 100, LONG).unwrap_err();
        let told = crate::model::sanitize::chain(&error);
        assert!(told.ends_with(": it did not answer as a web server does"), "{told}");
        server.join().unwrap();
    }
    let long = format!("HTTP/1.1 200 -\r\nx-long: {}\r\n\r\n", "a".repeat(1 << 20));
    let (url, server) = once(long.into_bytes());
    let error = get(&url, 100, LONG).unwrap_err();
    assert!(format!("{error:?}").contains("LongHead"), "{error:?}");
    server.join().unwrap();
}

#[test]
fn no_error_repeats_a_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let (odd, _server) =
        once(b"HTTP/1.1 302 -\r\nlocation: http://s3cret\r\nx: \x01s3cret\r\n\r\n".to_vec());
    let urls = [
        format!("http://s3cret:s3cret@{closed}/s3cret?s3cret"),
        format!("{odd}s3cret?s3cret=s3cret"),
        "http://no-such-host.invalid/s3cret".to_owned(),
        "http:///s3cret".to_owned(),
        "s3cret://x".to_owned(),
        "http://x/ s3cret".to_owned(),
    ];
    let client = Client::new();
    let mut told = String::new();
    for (url, value) in urls.iter().map(|url| (url, "s3cret")).chain([(&urls[0], "s3cret\n")]) {
        let headers = vec![("authorization", value.to_owned()), ("x-s", "s3cret".to_owned())];
        let body = Some(b"s3cret".to_vec());
        let request = Request { method: "POST", url, headers, body, deadline: LONG, limit: 9 };
        told += &format!("{request:?}\n");
        let mut error: Option<&dyn std::error::Error> = None;
        let result = client.send(&request);
        if let Err(failed) = &result {
            error = Some(failed);
        }
        while let Some(it) = error {
            told += &format!("{it} {it:?}\n");
            error = it.source();
        }
    }
    assert!(!told.contains("s3cret"), "{told}");
    assert!(told.contains("could not talk to 127.0.0.1:"), "{told}");
    assert!(told.contains("the header field `authorization` cannot be sent"), "{told}");
}

#[test]
fn a_server_says_how_long_it_is_to_be_left_alone() {
    let now = "2026-01-01T10:00:00Z".parse().unwrap();
    let asked = |value: &str| {
        let headers = vec![("retry-after".to_owned(), value.to_owned())];
        Response { status: 503, headers, body: Vec::new() }.retry_after(now)
    };
    assert_eq!(asked("120"), Some(Duration::from_secs(120)));
    assert_eq!(asked("Thu, 01 Jan 2026 10:05:00 GMT"), Some(Duration::from_secs(300)));
    assert_eq!(asked("Thu, 01 Jan 2026 09:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!((asked("soon"), asked("-1"), asked("99999999999999999999")), (None, None, None));
}
