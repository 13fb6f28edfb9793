//! `ao metrics`: what Prometheus reads is well formed and true, and costs no child process.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::env::TestEnvironment;
use crate::schema::assert_answer;

/// Samples by name and labels, as they are written.
type Samples = BTreeMap<String, f64>;

/// Reads the text exposition format, and fails at whatever is not.
fn parse(text: &str) -> Samples {
    let mut samples = Samples::new();
    let mut family = String::new();
    let mut helped = String::new();
    assert!(text.ends_with('\n'), "the last line has an end");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and a help");
            assert!(!help.trim().is_empty(), "{line}");
            name.clone_into(&mut helped);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert_eq!(rest, format!("{helped} gauge"), "HELP comes before TYPE");
            assert!(!samples.keys().any(|known| name_of(known) == helped), "{line}: told twice");
            family.clone_from(&helped);
        } else {
            let (key, value) = line.rsplit_once(' ').expect("a key and a value");
            assert_eq!(name_of(key), family, "{line}");
            assert!(family.starts_with("ao_"), "{line}");
            assert!(family.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{line}");
            check_labels(&key[family.len()..], line);
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(samples.insert(key.to_owned(), value).is_none(), "{line}: told twice");
        }
    }
    samples
}

fn name_of(key: &str) -> &str {
    key.split('{').next().unwrap()
}

/// Checks `{name="value",…}`: nothing in a value ends it but a quote without a backslash.
fn check_labels(text: &str, line: &str) {
    if text.is_empty() {
        return;
    }
    let mut rest = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{line}");
        let mut escaped = false;
        let end = value.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let after = &value[end.unwrap_or_else(|| panic!("{line}")) + 1..];
        rest = after.strip_prefix(',').unwrap_or(after);
    }
}

#[test]
fn what_is_measured_is_what_is_so() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let spawn = |script: &str| {
        let args = ["spawn", "-a", "shell", "--runtime", "process", script];
        env.ao_in(&repo, &args).success();
    };
    spawn("exec sleep 600");
    spawn("exit 3");
    env.ao(&["wait", "app-2", "--timeout", "20s"]).code(21);
    spawn("true");
    env.ao(&["wait", "app-3", "--timeout", "20s"]).success();
    env.ao(&["cleanup", "app-3"]).success();
    env.ao(&["send", "app-1", "later", "--queue"]).success();
    env.ao(&["timer", "install", "--interval", "5m"]).success();
    let limits = env.path("user/cache/ao/github/github.com");
    fs::create_dir_all(&limits).unwrap();
    let quota = json!({ "version": 1, "resources": { "graphql": { "remaining": 4000,
        "limit": 5000, "reset": "2999-01-01T00:00:00Z" } } });
    fs::write(limits.join("quota.json"), quota.to_string()).unwrap();
    env.ao(&["reap"]).success();

    env.counting_path();
    let outcome = env.ao(&["metrics"]).success();
    assert_eq!(env.calls(), Vec::<String>::new(), "files alone");
    assert_eq!(outcome.stderr, "");
    let samples = parse(&outcome.stdout);
    for (key, wanted) in [
        (r#"ao_sessions{agent="shell",kind="worker",project="app",status="working"}"#, 1.0),
        (r#"ao_sessions{agent="shell",kind="worker",project="app",status="errored"}"#, 1.0),
        ("ao_sessions_live", 1.0),
        ("ao_sessions_needing_person", 1.0),
        ("ao_sessions_unreadable", 0.0),
        ("ao_sessions_limit", 50.0),
        ("ao_archived_sessions", 1.0),
        ("ao_projects", 1.0),
        ("ao_outbox_dead_letters", 0.0),
        ("ao_outbox_depth", 1.0),
        ("ao_timer_interval_seconds", 300.0),
        ("ao_reap_last_probed", 1.0),
        (r#"ao_reap_last_outcomes{outcome="spawned"}"#, 0.0),
        (r#"ao_forge_quota_remaining{forge="github.com",resource="graphql"}"#, 4000.0),
        (r#"ao_forge_quota_limit{forge="github.com",resource="graphql"}"#, 5000.0),
    ] {
        assert_eq!(samples.get(key), Some(&wanted), "{key}\n{}", outcome.stdout);
    }
    let counted = env.ao(&["status", "-q"]).success().stdout;
    assert_eq!(counted, "1\n", "what ended in an error needs a person, and is counted alike");
    assert!(samples["ao_reap_last_age_seconds"] < 60.0 && samples["ao_home_free_bytes"] > 0.0);

    let answer = env.ao_json(&["metrics", "--json"]);
    assert_answer("MetricsAnswer", &answer);
    let told: usize = answer["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|family| family["samples"].as_array().unwrap().len())
        .sum();
    assert_eq!(told, samples.len());
}

#[test]
fn a_collector_sees_a_whole_file_that_it_may_read() {
    let env = TestEnvironment::new();
    let file = env.path("ao.prom");
    fs::write(&file, "old").unwrap();
    let outcome = env.ao(&["metrics", "--output", file.to_str().unwrap()]).success();
    assert_eq!((&*outcome.stdout, &*outcome.stderr), ("", ""));
    let samples = parse(&fs::read_to_string(&file).unwrap());
    assert_eq!(samples["ao_sessions_live"], 0.0);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert!(!env.home().join("sessions").exists(), "nothing is made by a look");

    // What cannot be written leaves the old file and nothing beside it.
    let place = env.path("place");
    fs::create_dir_all(place.join("ao.prom/x")).unwrap();
    env.ao(&["metrics", "--output", place.join("ao.prom").to_str().unwrap()]).code(2);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    env.ao(&["metrics", "--output", "/nonexistent/ao.prom"]).code(3);
}
