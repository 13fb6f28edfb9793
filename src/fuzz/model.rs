//! Fuzz targets for texts and values that come from outside as plain data.

use std::path::Path;

use serde_json::Value;

use crate::adapter::clock;
use crate::fuzz::target;
use crate::model::facts::Observation;
use crate::model::id::{BranchName, LaunchId, ProjectId, SessionId};
use crate::model::time::{Timestamp, Window};
use crate::model::{check_run, forge, notifier, report, reset, review, sanitize, secret, template};

const ESCAPES: &[&str] = &[
    "\u{1b}[31m",
    "\u{1b}]0;t\u{7}",
    "\u{1b}P",
    "\u{1b}\\",
    "\u{9b}",
    "\u{9d}",
    "\u{9c}",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{e0041}",
    "\u{fe0f}",
    "\u{301}",
    "\u{2028}",
    "\r\n",
    "````",
    "~~~~",
    "(quoted from outside):",
    "\u{1b}[201~",
    "\u{85}",
];

/// Returns whether a terminal would show `c`, or leave it out, and do nothing else.
fn is_harmless(c: char) -> bool {
    let reorders = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    let invisible =
        matches!(c, '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    matches!(c, '\n' | '\t') || !(c.is_control() || reorders || invisible)
}

#[test]
fn fuzz_sanitize() {
    target("sanitize").fixtures("screen/claude-code", ".ansi").words(ESCAPES).run_text(|raw| {
        for (make, whole) in [
            (sanitize::text as fn(&str) -> String, false),
            (sanitize::line, false),
            (sanitize::paste, true),
        ] {
            let clean = make(raw);
            assert!(clean.chars().all(is_harmless), "{clean:?}");
            assert_eq!(make(&clean), clean, "twice is once");
            assert!(
                clean.len()
                    <= raw.len() + 3 * raw.lines().count().max(raw.matches('\n').count()) + 3
            );
            assert!(whole || clean.lines().all(|line| line.len() <= 4096));
        }
        assert!(!sanitize::line(raw).contains('\n'));
        assert!(sanitize::inline(raw, 100).len() <= 100);
        let quoted = sanitize::quoted("log", raw, 500);
        let mut lines = quoted.lines();
        let fence = lines.nth(1).unwrap();
        assert_eq!(lines.clone().filter(|line| line.contains(fence)).count(), 1, "{quoted}");
        assert_eq!(lines.next_back(), Some(fence));
    });
}

#[test]
fn fuzz_redact() {
    target("redact").seed("https://hooks.example/s3cret s3cret-key s3cret").run_text(|text| {
        let secrets: Vec<&str> = text.split_whitespace().take(8).collect();
        let shown = secret::redacted(text, secrets.iter().copied());
        for secret in secrets.iter().filter(|it| it.len() >= 4 && !"[redacted]".contains(**it)) {
            // The mark's own letters are no secret: only what stood there before counts.
            assert!(
                !shown.replace(secret::REDACTED, "\0").contains(secret),
                "{secret:?} in {shown:?}"
            );
        }
    });
}

#[test]
fn fuzz_ids() {
    let seeds = ["web-1", "ao/web-1", "0123456789abcdef0123456789abcdef", "feature/x.y_z+1#2"];
    let target = seeds.iter().fold(target("ids"), |target, seed| target.seed(*seed));
    let words = ["HEAD", "FETCH_HEAD", "refs/", "refs/heads/", ".lock", "@{", "@", "日本", "ẞ"];
    target.words(&words).run_text(|text| {
        for accepted in [
            text.parse::<SessionId>().map(String::from),
            text.parse::<ProjectId>().map(String::from),
            text.parse::<LaunchId>().map(String::from),
        ] {
            match accepted {
                Ok(id) => {
                    assert_eq!(id, text);
                    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
                    assert!(id.len() <= 64 && id.chars().all(plain) && !id.starts_with('-'));
                    assert_eq!(Path::new(&id).components().count(), 1);
                }
                Err(error) => assert!(!error.to_string().contains(char::is_control)),
            }
        }
        match text.parse::<BranchName>() {
            Ok(branch) => {
                assert_eq!(branch.as_str(), text);
                assert!(
                    !text.starts_with(['-', '/', '.']) && !text.contains(['\\', ' ', ':', ';'])
                );
                assert!(
                    !text.contains(|c: char| c.is_control() || "~^?*[@{`$'\"<>|&()!%".contains(c))
                );
                let up = |part: &str| part.is_empty() || part == ".." || part.ends_with(".lock");
                assert!(!text.split('/').any(up));
            }
            Err(error) => assert!(!error.to_string().contains(char::is_control)),
        }
        let id = ProjectId::from_folder_name(text);
        assert!(id.as_str().parse::<ProjectId>().is_ok());
        for number in [0, 1, u64::MAX] {
            assert!(SessionId::numbered(&id, number).as_str().parse::<SessionId>().is_ok());
        }
        if forge::is_issue_id(text) {
            assert!(text.chars().all(is_harmless) && !text.contains(['\n', '\t']));
        }
    });
}

#[test]
fn fuzz_times() {
    let seeds =
        ["2026-11-20T10:00:00.000Z", "2026-11-20 10:00:00+02:00", "22:00-07:00", "1h 30m", "500ms"];
    seeds.iter().fold(target("times"), |target, seed| target.seed(*seed)).run_text(|text| {
        if let Ok(time) = text.parse::<Timestamp>() {
            let shown = time.to_string();
            assert_eq!(shown.parse::<Timestamp>().unwrap(), time);
            let _ =
                (time.plus(std::time::Duration::MAX), time.since(Timestamp::from_millis(i64::MIN)));
        }
        if let Ok(window) = text.parse::<Window>() {
            assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
            window.contains(Timestamp::from_millis(i64::MAX), i32::MAX);
        }
        if let Ok(duration) = humantime::parse_duration(text) {
            let _ = Timestamp::from_millis(i64::MAX).plus(duration);
            humantime::format_duration(duration).to_string();
        }
    });
}

#[test]
fn fuzz_reset_time() {
    let seeds = [
        "3pm (Europe/Berlin)",
        "in 2 hours 5 min",
        "Nov 21, 2026 at 9:30am UTC",
        "1795255200",
        "tomorrow at noon",
        "2026-11-21 10:00:00",
        "Mon 12:30",
        "1795255200000.5",
        "3rd Dec 4:05 p.m.",
    ];
    let words = ["am", "pm", "resets", "in", "Jan", "31st", "UTC", "9999", "24:00", "sat", "weeks"];
    let now = Timestamp::from_millis(1_795_000_000_000);
    let target =
        seeds.iter().fold(target("reset"), |target, seed| target.seed(*seed)).words(&words);
    target.run_text(|text| {
        for now in [now, Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX)] {
            if let Some(reset) = reset::reset_time(text, now, &clock::zone) {
                let day = std::time::Duration::from_secs(24 * 3600);
                assert!(now.since(reset) <= day && reset.since(now) <= 400 * day, "{reset}");
            }
        }
    });
}

#[test]
fn fuzz_template() {
    let words: Vec<String> =
        template::VARIABLES.iter().map(|(name, _)| format!("{{{name}}}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let target = target("template").seed("fix {checks} of {sha}: {{log}}\n{log}").words(&words);
    target.run_text(|text| {
        let parts = template::parts(text);
        let length = |part: &template::Part<'_>| match part {
            template::Part::Text(text) => text.len(),
            template::Part::Variable(name) => {
                assert!(template::VARIABLES.iter().any(|(known, _)| known == name));
                name.len() + 2
            }
        };
        assert!(parts.iter().map(length).sum::<usize>() <= text.len());
        template::is_valid(text);
    });
}

#[test]
fn fuzz_addresses() {
    let seeds =
        ["https://forge.example/o/r/pull/7", "http://[::1]:80/x", "http://localhost:1/?a#b"];
    let words = ["@", "://", "https", "http", "file", "localhost", "127.0.0.1", "[::1]", "\\"];
    let target = seeds.iter().fold(target("addresses"), |target, seed| target.seed(*seed));
    target.words(&words).run_text(|text| {
        if let Ok(url) = report::check_url(text) {
            assert!(url.len() <= 2048 && url.chars().all(|c| c.is_ascii_graphic()));
        }
        if notifier::check_url(text).is_ok() {
            assert!(text.starts_with("https://") || text.starts_with("http://"));
            assert!(text.chars().all(|c| c.is_ascii_graphic()));
        }
        if let Some(note) = report::note(text) {
            assert!(note.len() <= report::MAX_NOTE && note.chars().all(is_harmless));
            assert_eq!(report::note(&note).as_deref(), Some(&*note), "twice is once");
        }
    });
}

#[test]
fn fuzz_observations() {
    let seeds = [
        r#"{"kind":"runtime","runtime":"alive","process":"dead","confirmed":true,"exit_code":3}"#,
        r#"{"kind":"activity","confidence":"valid","activity":"idle","source":"hook","boundary":true,"agent_session":"a","report":{"state":"completed","note":"x","pr":"https://f/1"}}"#,
        r#"{"kind":"scm","fetched":true,"ci":"failing","ci_log_tail":"x","pr":{"state":"open","number":7,"head_sha":"a"},"checks":[{"name":"b","conclusion":"failure"}],"comments":[{"id":1,"author":"e","body":"b"}]}"#,
        r#"{"kind":"limit","resets_at":"2026-11-20T10:00:00Z"}"#,
        r#"{"kind":"kill","reason":"manually_killed"}"#,
        r#"{"kind":"spawn_failed","detail":"x"}"#,
    ];
    let target = seeds.iter().fold(target("observations"), |target, seed| target.seed(*seed));
    target.run(|bytes| {
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
        match Observation::from_value(value) {
            Ok(observation) => {
                let written = serde_json::to_value(&observation).unwrap();
                assert_eq!(Observation::from_value(written).unwrap(), observation);
            }
            Err(error) => drop(sanitize::chain(&error)),
        }
    });
}

#[test]
fn fuzz_kept_files() {
    let check = r#"{"schema":1,"head_sha":"a","name":"sh","command":["sh"],"state":"running","attempt":1,"marker":"0f","owner":{"pid":1,"pid_start":1,"boot_id":"b"},"started_at":"2026-11-20T10:00:00Z"}"#;
    let reviews = r#"{"last":18446744073709551615,"runs":[{"run":"a-r1","worker":"a","reviewer":"b","head_sha":"c","state":"running","created_at":"2026-11-20T10:00:00Z"}]}"#;
    target("kept-files").seed(check).seed(reviews).run(|bytes| {
        if let Ok(run) = serde_json::from_slice::<check_run::CheckRun>(bytes) {
            let written = serde_json::to_vec(&run).unwrap();
            assert_eq!(serde_json::from_slice::<check_run::CheckRun>(&written).unwrap(), run);
        }
        if let Ok(mut reviews) = serde_json::from_slice::<review::Reviews>(bytes) {
            review::state_of(&reviews.runs, "c");
            review::comments_of(&reviews.runs, "c");
            reviews.next_name(&"web-1".parse().unwrap());
        }
    });
}
