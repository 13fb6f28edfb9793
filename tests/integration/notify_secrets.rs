//! Nothing that `ao` writes or prints holds a secret of the configuration.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::agents::{configure, spawn, wait_status};
use crate::env::TestEnvironment;
use crate::outcome::Outcome;
use crate::server::{Server, reply};

/// Every secret holds it.
const MARK: &str = "s3cret-mark";

/// Runs `ao` as loudly as it can, and returns the outcome, in which no secret may be.
#[track_caller]
fn quiet(env: &TestEnvironment, args: &[&str]) -> Outcome {
    let outcome = env.ao_env(args, &[("AO_LOG", "trace")]);
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(MARK), "{args:?}\n{text}");
    }
    outcome
}

/// Asserts that no file below `directory` holds the mark.
fn search(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        assert!(!path.to_string_lossy().contains(MARK), "{}", path.display());
        if entry.file_type().unwrap().is_dir() {
            search(&path);
        } else if entry.file_type().unwrap().is_file() {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes());
            assert!(!found, "{}:\n{}", path.display(), String::from_utf8_lossy(&bytes));
        }
    }
}

/// Notifiers of every kind, each with secrets and each failing in its own way.
fn configuration(env: &TestEnvironment, server: &Server) -> String {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    env.set("AO_SLACK", server.url(&format!("/refuse/{MARK}?{MARK}")));
    env.set("MY_TOKEN", MARK);
    let complaint = "echo \"no $1 and no $MY_TOKEN\" >&2; exit 1";
    let printer = format!("echo {MARK}; echo no {MARK} >&2; exit 1");
    let webhook = |name: &str, url: &str| {
        format!("[notifiers.{name}]\nkind = \"webhook\"\nurl = \"{url}\"\nsecret = \"{MARK}\"\n")
    };
    [
        format!("[env]\nTOKEN = \"{MARK}\"\n"),
        format!(
            "[notifiers.command]\nkind = \"command\"\n\
             command = [\"sh\", \"-c\", {complaint:?}, \"sh\", \"--key={MARK}\"]\n"
        ),
        "[notifiers.slack]\nkind = \"slack\"\nurl_env = \"AO_SLACK\"\n".to_owned(),
        format!(
            "[notifiers.printed]\nkind = \"slack\"\nurl_command = [\"sh\", \"-c\", {printer:?}]\n"
        ),
        format!(
            "[notifiers.nowhere]\nkind = \"slack\"\nurl_command = [\"echo\", \"ftp://{MARK}\"]\n"
        ),
        webhook("closed", &format!("http://{MARK}:{MARK}@{closed}/{MARK}?{MARK}")),
        webhook("refused", &server.url(&format!("/refuse/{MARK}"))),
        webhook("away", &server.url(&format!("/away/{MARK}"))),
        webhook("broken", &server.url(&format!("/broken/{MARK}"))),
    ]
    .concat()
}

#[test]
fn no_output_and_no_file_holds_a_secret() {
    let env = TestEnvironment::new();
    let server = Server::start(|request, _| {
        let place = format!("http://elsewhere.example/{MARK}");
        match request.path.as_bytes() {
            [b'/', b'a', ..] => reply(307, &[("location", &place)], MARK),
            [b'/', b'b', ..] => reply(307, &[("location", MARK), ("x\u{1}", MARK)], MARK),
            _ => reply(403, &[("x-secret", MARK)], MARK),
        }
    });
    configure(&env, &configuration(&env, &server));
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "exit 3"]);
    wait_status(&env, &id, "errored");
    let pass = quiet(&env, &["reap", "--json"]).success();
    assert!(pass.stdout.contains("notifier `refused`: 127.0.0.1:"), "{}", pass.stdout);
    assert!(pass.stdout.contains("no [redacted] and no [redacted]"), "{}", pass.stdout);
    assert!(pass.stdout.contains("exit code 1: no [redacted]"), "{}", pass.stdout);
    for args in [
        &["notify"][..],
        &["notify", "--json"],
        &["notify", "--test"],
        &["notify", "--test", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["config", "show", "--origin"],
        &["config", "show", "--origin", "--json"],
        &["config", "get", "notifiers"],
        &["config", "get", "notifiers", "--json"],
        &["config", "get", "notifiers.refused.url"],
        &["config", "get", "notifiers.command.command"],
        &["config", "get", "env"],
        &["config", "get", "env.TOKEN", "--json"],
        &["config", "reference"],
        &["outbox", "ls"],
        &["outbox", "ls", "--json"],
        &["outbox", "retry", &id],
        &["outbox", "retry", &id, "--json"],
        &["log", &id],
        &["log", &id, "--json"],
        &["events"],
        &["show", &id, "--json"],
        &["explain", &id],
        &["status"],
        &["reap", "--dry-run"],
    ] {
        quiet(&env, args);
    }
    // The requests themselves do carry them: it is the right server that refused.
    assert!(server.requests().iter().any(|request| request.path.ends_with(MARK)));
    search(&env.home());
}

#[test]
fn a_wrong_configuration_is_told_without_its_values() {
    let env = TestEnvironment::new();
    let plain = format!("http://{MARK}.example/");
    for args in [
        &["config", "set", "notifiers.a.url", &plain][..],
        &["config", "set", "notifiers.a", &format!("{{ kind = 'slack', url = '{plain}' }}")],
        &["config", "set", "notifiers.a.timeout", MARK],
        &["config", "set", "notifiers.a.url_env", MARK],
    ] {
        quiet(&env, args).code(2);
    }
    for text in [
        format!("[notifiers.a]\nkind = 'slack'\nurl = '{plain}'\n"),
        format!("[notifiers.a]\nkind = 'slack'\nurl = {MARK}\n"),
        format!("[notifiers.a]\nkind = 'slack'\nurl = '{MARK}\n"),
        format!("[notifiers.a]\nkind = 'slack'\nurl = ['{MARK}']\n"),
        format!("[notifiers.a]\nkind = 'slack'\nurl_env = '{MARK}'\n"),
        format!("[notifiers.a]\nkind = 'webhook'\nurl_env = 'X'\ntimeout = '{MARK}'\n"),
    ] {
        configure(&env, &text);
        for args in [&["config", "show"][..], &["notify", "--json"], &["doctor"]] {
            quiet(&env, args);
        }
        quiet(&env, &["notify"]).code(2);
    }
    let good = "https://hooks.example/s3cret-mark";
    configure(&env, "");
    let table = format!("{{ kind = 'slack', url = '{good}' }}");
    quiet(&env, &["config", "set", "notifiers.a", &table]).success();
    quiet(&env, &["config", "set", "notifiers.a.url", good, "--json"]).success();
    assert_eq!(quiet(&env, &["config", "get", "notifiers.a.url"]).stdout, "[redacted]\n");
}
