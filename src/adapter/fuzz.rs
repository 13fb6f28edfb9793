//! Fuzz targets for `/proc`, crontabs, answers of HTTP and JSON files with comments.
#![expect(clippy::disallowed_methods, reason = "puts what is read where it is read")]

use std::path::Path;
use std::time::Duration;

use super::http::{self, Response};
use super::json_edit::Document;
use super::process::{is_listening_at, parse_stat};
use super::remembered::remembered;
use super::scheduler::{cron_interval, edited, timer_interval};
use crate::fuzz::target;
use crate::model::time::Timestamp;

#[test]
fn fuzz_proc() {
    let stat = "12 (a) R 9 (b) S 7 2 2 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
    let socket = "0000000000000000: 00000002 00000000 00010000 0001 01 4242 /run/a b/tmux.sock";
    target("proc").seed(stat).seed(socket).words(&[")", "("]).run(|bytes| {
        parse_stat(bytes);
        let path = Path::new("/run/a b/tmux.sock");
        if is_listening_at(bytes, path) {
            assert!(bytes.ends_with(b" /run/a b/tmux.sock"));
        }
    });
}

#[test]
fn fuzz_crontab() {
    let tag = " # ao-1234 (ao timer)";
    let table = format!("# mine\n0 5 * * * /usr/bin/backup\n*/5 * * * * ao reap{tag}\n@daily x");
    let unit = "[Timer]\nOnUnitInactiveSec=5min\n";
    target("crontab").seed(table).seed(unit).words(&[tag, "*/", "* "]).run(|bytes| {
        let with = edited(bytes, tag, Some(&format!("* * * * * ao reap{tag}")));
        let others = |table: &[u8]| -> Vec<Vec<u8>> {
            let lines = table.split(|byte| *byte == b'\n');
            lines
                .filter(|it| !it.is_empty() && !it.ends_with(tag.as_bytes()))
                .map(<[u8]>::to_vec)
                .collect()
        };
        assert_eq!(others(&with), others(bytes), "a line of the user's is lost");
        assert_eq!(edited(&with, tag, Some(&format!("* * * * * ao reap{tag}"))), with);
        assert_eq!(others(&edited(&with, tag, None)), others(bytes));
        let text = String::from_utf8_lossy(bytes);
        for line in text.lines() {
            cron_interval(line);
        }
        timer_interval(&text);
    });
}

#[test]
fn fuzz_http_words() {
    let seeds =
        ["120", "Fri, 20 Nov 2026 10:00:00 GMT", "https://a.example:443/x?y", "/next", "//evil/x"];
    let words = ["http://", "https://", "@", "[::1]", "localhost", ":65536"];
    let target = seeds.iter().fold(target("http-words"), |target, seed| target.seed(*seed));
    target.words(&words).run_text(|text| {
        let headers = vec![("retry-after".to_owned(), text.to_owned())];
        let response = Response { status: 429, headers, body: Vec::new() };
        for now in [Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX)] {
            let wait = response.retry_after(now).unwrap_or_default();
            assert!(now.plus(wait) >= now && wait <= Duration::MAX);
        }
        http::is_loopback(text);
        if let Some(joined) = http::same_origin("https://a.example/x", text) {
            let host = http::host_of(&joined).unwrap().to_ascii_lowercase();
            assert!(["a.example", "a.example:443"].contains(&host.as_str()), "{joined}");
            assert!(joined.to_ascii_lowercase().starts_with("https://"));
        }
    });
}

#[test]
fn fuzz_json_with_comments() {
    let seeds = ["{\"a\": [1, {\"b\": null}], // c\n \"~1/\": \"x\",}", "/* */ {}", "{'a': 1}"];
    let target = seeds.iter().fold(target("json-with-comments"), |target, seed| target.seed(*seed));
    target.words(&["/a", "/~1", "/-"]).run_text(|text| {
        let Ok(document) = Document::parse(text) else { return };
        if !text.trim().is_empty() {
            assert_eq!(document.text(), text);
        }
        let value = serde_json::json!({ "k": ["\u{1b}", 1] });
        if document.set("/new/deep", &value).is_ok() {
            let again = Document::parse(&document.text()).unwrap();
            assert_eq!(again.value("/new/deep"), Some(value));
        }
        document.remove("/new/deep");
        document.prune("/new", |_| false);
        document.remove_elements("/a", |_| true);
    });
}

#[test]
fn fuzz_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("versions.json");
    let seed = r#"{"/usr/bin/claude":{"identity":"1.0 2 3 --version","version":"2.1.197"}}"#;
    target("remembered").seed(seed).run(|bytes| {
        std::fs::write(&file, bytes).unwrap();
        remembered(&file);
    });
}
