//! Telling a person: webhooks and Slack, what goes wrong on the way, and what is never shown.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::agents::{configure, notices, spawn, told, wait_status};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;
use crate::server::{Piece, Reply, Request, Server, reply};

/// A webhook that is given `url`, with more keys.
fn webhook(name: &str, url: &str, more: &str) -> String {
    format!("[notifiers.{name}]\nkind = \"webhook\"\nurl = \"{url}\"\n{more}\n")
}

fn file(env: &TestEnvironment) -> String {
    format!(
        "[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n",
        env.path("notices.jsonl").display()
    )
}

/// A session that has failed, of which a person is to be told.
fn failed_session(env: &TestEnvironment, repo: &Path) -> String {
    let id = spawn(env, repo, &["--agent", "shell", "--runtime", "process", "exit 3"]);
    wait_status(env, &id, "errored");
    id
}

fn reap(env: &TestEnvironment) -> Value {
    let pass = env.ao_json(&["reap", "--json"]);
    assert_answer("ReapAnswer", &pass);
    pass["reap"].clone()
}

/// Returns the one line that `ao notify --test` says of a webhook at `url`, and its exit code.
fn tested(env: &TestEnvironment, url: &str, code: i32) -> String {
    configure(env, &webhook("hook", url, "timeout = \"5s\""));
    let answer = env.ao(&["notify", "--test", "--json"]).code(code).json();
    assert_answer("NotifiedAnswer", &answer);
    let one = &answer["notified"][0];
    assert_eq!(one["outcome"] == "reached", code == 0, "{answer}");
    one["why"].as_str().unwrap_or("").replace(host(url), "[HOST]")
}

fn host(url: &str) -> &str {
    url.trim_start_matches("http://").split('/').next().unwrap()
}

/// Checks a request as docs/notifiers.md says.
fn is_genuine(request: &Request, key: &str) -> bool {
    let header = |name: &str| request.header(name).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(header("x-ao-timestamp").as_bytes());
    mac.update(b".");
    mac.update(&request.body);
    let hex: String = mac.finalize().into_bytes().iter().map(|it| format!("{it:02x}")).collect();
    header("x-ao-signature-256") == format!("sha256={hex}")
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn a_webhook_gets_the_notice_signed() {
    let env = TestEnvironment::new();
    let server = Server::start(|_, _| reply(204, &[], ""));
    let key = "secret_command = [\"echo\", \" k3y \"]";
    configure(&env, &webhook("hook", &server.url("/in?x=1"), key));
    let repo = env.repo("app");
    env.at("2026-01-01T10:00:00Z");
    let id = failed_session(&env, &repo);
    assert_eq!(reap(&env)["delivered"].as_array().unwrap().len(), 1);
    reap(&env);
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/in?x=1"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-ao-timestamp"), Some("1767261600"));
    assert!(is_genuine(request, "k3y") && !is_genuine(request, "key"));
    let notice = body(request);
    assert_eq!(request.header("x-ao-id"), notice["id"].as_str());
    assert_eq!(told(&[notice]), [format!("{id} agent-errored urgent")]);
    assert_eq!(env.record(&id).get("outbox"), None);

    // Without a key nothing is signed.
    configure(&env, &webhook("hook", &server.url("/in"), ""));
    env.ao(&["notify", "--test"]).success();
    assert_eq!(server.requests()[1].header("x-ao-signature-256"), None);
}

#[test]
fn each_answer_means_what_it_says() {
    let env = TestEnvironment::new();
    let elsewhere = Server::start(|_, _| reply(200, &[], ""));
    let target = elsewhere.url("/stolen");
    let server = Server::start(move |request, _| match request.path.as_str() {
        "/taken" => reply(202, &[], "queued"),
        "/gone" => reply(410, &[], "s3cret"),
        "/busy" => reply(503, &[("retry-after", "30")], ""),
        "/moved" => reply(307, &[("location", "/taken")], ""),
        "/circle" => reply(308, &[("location", "/circle")], ""),
        "/seen" => reply(303, &[("location", "/taken")], ""),
        "/away" => reply(307, &[("location", &target)], ""),
        "/long" => reply(200, &[], "x".repeat(1 << 20)),
        "/long-no" => reply(500, &[], "x".repeat(1 << 20)),
        "/cut" => pieces(200, vec![Piece::Bytes("o".to_owned()), Piece::Cut]),
        "/cut-no" => pieces(500, vec![Piece::Bytes("o".to_owned()), Piece::Cut]),
        path => panic!("{path}"),
    });
    let test = |path: &str, code: i32| tested(&env, &server.url(path), code);
    assert_eq!(test("/taken", 0), "");
    assert_eq!(test("/gone", 7), "[HOST] answered 410, which trying again will not mend");
    assert_eq!(test("/busy", 7), "[HOST] answered 503");
    let before = server.requests().len();
    assert_eq!(test("/moved", 0), "");
    let asked = server.requests()[before..].to_vec();
    assert_eq!([&asked[0].method, &asked[1].method], ["POST", "POST"]);
    assert_eq!((&asked[0].body, asked[1].path.as_str()), (&asked[1].body, "/taken"));
    let refused = "[HOST] sends elsewhere, and that is not followed";
    let before = server.requests().len();
    assert_eq!(test("/circle", 7), refused);
    assert_eq!(server.requests().len() - before, 4, "three redirects are enough");
    assert_eq!([test("/seen", 7), test("/away", 7)], [refused, refused]);
    assert_eq!(elsewhere.requests().len(), 0, "nobody else is told");
    // Who said yes has it, however long or short the rest of the answer is.
    assert_eq!([test("/long", 0), test("/cut", 0)], ["", ""]);
    let failed = "[HOST] answered 500";
    assert_eq!([test("/long-no", 7), test("/cut-no", 7)], [failed, failed]);
}

fn pieces(status: u16, pieces: Vec<Piece>) -> Reply {
    Reply { status, headers: Vec::new(), pieces }
}

#[test]
fn a_server_that_holds_or_is_gone_is_a_failure_in_time() {
    let env = TestEnvironment::new();
    let server = Server::start(|request, _| match request.path.as_str() {
        "/hold" => pieces(500, vec![Piece::Hold]),
        _ => reply(200, &[], ""),
    });
    configure(&env, &webhook("hook", &server.url("/hold"), "timeout = \"200ms\""));
    let outcome = env.ao(&["notify", "--test"]).code(7);
    assert!(outcome.stdout.starts_with("hook (webhook) failed after "), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("did not answer within 200ms\n"), "{}", outcome.stdout);
    let gone = server.url("/");
    drop(server);
    let why = tested(&env, &gone, 7);
    assert!(why.starts_with("notifier `hook` could not be reached: could not talk to [HOST]: "));
}

#[test]
fn slack_gets_text_that_mentions_nobody() {
    let env = TestEnvironment::new();
    let server = Server::start(|_, _| reply(200, &[], "ok"));
    env.set("AO_SLACK", server.url("/services/T0/B0/s3cret"));
    configure(&env, "[notifiers.team]\nkind = \"slack\"\nurl_env = \"AO_SLACK\"\n");
    let repo = env.repo("app");
    let id = failed_session(&env, &repo);
    env.ao(&["rename", &id, "<!channel> & *co*"]).success();
    reap(&env);
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/services/T0/B0/s3cret");
    let sent = body(&requests[0]);
    let text = sent["text"].as_str().unwrap();
    let head = format!(":rotating_light: {id} *&lt;!channel&gt; &amp; ∗co∗* (errored)\n");
    assert!(text.starts_with(&head), "{text}");
    assert_eq!((&sent["unfurl_links"], sent.as_object().unwrap().len()), (&json!(false), 3));
}

/// A server that refuses while `up` is false.
fn flaky(up: &Arc<AtomicBool>) -> Server {
    let up = Arc::clone(up);
    Server::start(move |_, _| {
        let status = if up.load(Ordering::SeqCst) { 200 } else { 500 };
        reply(status, &[], "")
    })
}

fn ids(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.header("x-ao-id").unwrap().to_owned()).collect()
}

#[test]
fn a_day_without_a_notifier_loses_nothing_and_repeats_nothing() {
    let env = TestEnvironment::new();
    let up = Arc::new(AtomicBool::new(false));
    let server = flaky(&up);
    let well = Server::start(|_, _| reply(200, &[], ""));
    let both = webhook("down", &server.url("/"), "") + &webhook("well", &well.url("/"), "");
    configure(&env, &both);
    let repo = env.repo("app");
    env.at("2026-01-01T00:00:00Z");
    let first = failed_session(&env, &repo);
    let second = failed_session(&env, &repo);
    for hour in 0..24 {
        env.at(&format!("2026-01-01T{hour:02}:00:00Z"));
        reap(&env);
    }
    // Each was tried five times there, once here; then it is said here once that it did not.
    let mut tried = ids(&server.requests());
    tried.sort();
    tried.dedup();
    assert_eq!((server.requests().len(), tried.len()), (10, 2));
    let heard: Vec<Value> = well.requests().iter().map(body).collect();
    assert_eq!(heard.len(), 4, "{heard:#?}");
    for id in [&first, &second] {
        let of: Vec<&Value> = heard.iter().filter(|it| it["session"] == **id).collect();
        let texts: Vec<&str> = of.iter().map(|it| it["message"].as_str().unwrap()).collect();
        assert!(
            texts[1].starts_with("could not be told by down (5 attempts), so it comes this way")
        );
        assert!(texts[1].ends_with(texts[0]), "{texts:?}");
    }
    let dead = env.ao_json(&["outbox", "ls", "--dead", "--json"]);
    assert_answer("OutboxAnswer", &dead);
    assert_eq!(dead["outbox"].as_array().unwrap().len(), 2);

    // Up again: each goes out once, there alone, and nothing is left.
    up.store(true, Ordering::SeqCst);
    reap(&env);
    assert_eq!(server.requests().len(), 10, "a dead letter is a person's to send again");
    for id in [&first, &second] {
        env.ao(&["outbox", "retry", id]).success();
        env.ao(&["log", id, "--verify"]).success();
    }
    env.at("2026-01-02T12:00:00Z");
    reap(&env);
    let mut again = ids(&server.requests()[10..]);
    again.sort();
    assert_eq!(again, tried);
    assert_eq!(well.requests().len(), 4);
    assert_eq!(env.ao_json(&["outbox", "ls", "--json"])["outbox"], json!([]));
}

#[test]
fn the_only_notifier_that_is_down_keeps_its_dead_letters() {
    let env = TestEnvironment::new();
    let up = Arc::new(AtomicBool::new(false));
    let server = flaky(&up);
    let log = file(&env) + "priorities = [\"info\"]\n";
    configure(&env, &(webhook("down", &server.url("/"), "") + &log));
    let repo = env.repo("app");
    env.at("2026-01-01T00:00:00Z");
    let id = failed_session(&env, &repo);
    for hour in 0..6 {
        env.at(&format!("2026-01-01T0{hour}:00:00Z"));
        reap(&env);
    }
    // Who is else told of smaller things hears of it rather than nobody.
    assert_eq!(told(&notices(&env)), [format!("{id} agent-errored urgent")]);
    let dead = env.ao_json(&["outbox", "ls", "--dead", "--json"]);
    assert_eq!(dead["outbox"][0]["entry"]["failing"], json!(["down"]));
    up.store(true, Ordering::SeqCst);
    env.ao(&["outbox", "retry", &id]).success();
    assert_eq!((server.requests().len(), notices(&env).len()), (6, 1));
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let env = TestEnvironment::new();
    let server = Server::start(|_, number| match number {
        0 => reply(429, &[("retry-after", "600")], ""),
        1 => reply(503, &[("retry-after", "Thu, 01 Jan 2026 10:30:00 GMT")], ""),
        _ => reply(200, &[], ""),
    });
    configure(&env, &webhook("hook", &server.url("/"), ""));
    let repo = env.repo("app");
    env.at("2026-01-01T10:00:00Z");
    let id = failed_session(&env, &repo);
    for (time, asked) in [
        ("10:00:00", 1),
        ("10:09:59", 1),
        ("10:10:00", 2),
        ("10:29:59", 2),
        ("10:30:00", 3),
        ("11:00:00", 3),
    ] {
        env.at(&format!("2026-01-01T{time}Z"));
        reap(&env);
        assert_eq!(server.requests().len(), asked, "{time}");
    }
    assert_eq!(env.record(&id).get("outbox"), None);
}

#[test]
fn a_notifier_that_lets_time_run_out_holds_up_a_pass_three_times() {
    let env = TestEnvironment::new();
    // Nobody takes the connections that the kernel lets in.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("http://{}/", listener.local_addr().unwrap());
    configure(&env, &(webhook("mute", &mute, "timeout = \"300ms\"") + &file(&env)));
    let repo = env.repo("app");
    let all = [(); 5].map(|()| failed_session(&env, &repo));
    let pass = reap(&env);
    let count = |key: &str| pass[key].as_array().unwrap().len();
    assert_eq!((count("failed"), count("held"), count("delivered")), (3, 2, 0), "{pass:#}");
    // The others have it at once, and nobody's attempts are used up by waiting.
    assert_eq!(notices(&env).len(), all.len());
    let attempts = |id: &String| {
        let record = env.record(id);
        let entry = record["outbox"].as_object().unwrap().values().next().unwrap().clone();
        entry["attempts"].as_u64().unwrap()
    };
    assert_eq!(all.iter().map(attempts).sum::<u64>(), 3);
}

#[test]
fn a_notice_cut_short_by_a_crash_goes_out_again_under_the_same_id() {
    let env = TestEnvironment::new();
    let server = Server::start(|_, _| reply(200, &[], ""));
    configure(&env, &webhook("hook", &server.url("/"), "secret = \"k3y\""));
    let repo = env.repo("app");
    let id = failed_session(&env, &repo);
    env.ao_env(&["reap"], &[("AO_FAILPOINT", "deliver.done=kill")]).code(137);
    assert_eq!(server.requests().len(), 1);
    reap(&env);
    reap(&env);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(ids(&requests)[0], ids(&requests)[1]);
    assert_eq!(requests[0].body, requests[1].body);
    assert!(requests.iter().all(|request| is_genuine(request, "k3y")));
    assert_eq!(env.record(&id).get("outbox"), None);
}

#[test]
fn notifiers_are_listed_tried_by_name_and_checked_by_the_doctor() {
    let env = TestEnvironment::new();
    env.ao(&["notify", "--test"]).code(2);
    let none = env.ao(&["notify"]).success();
    assert_eq!((none.stdout.as_str(), none.stderr.lines().count()), ("", 1));
    env.hide(&["notify-send"]);
    let hook = "[notifiers.hook]\nkind = \"webhook\"\nurl_env = \"AO_HOOK\"\nsecret_env = \"AO_KEY\"\n\
                [notifiers.desk]\nkind = \"desktop\"\npriorities = [\"urgent\"]\n\
                [notifiers.pass]\nkind = \"slack\"\nurl_command = [\"no-such-program-here\", \"s3cret\"]\n";
    configure(&env, &(hook.to_owned() + &file(&env) + "priorities = [\"info\"]\n"));
    insta::assert_snapshot!(env.ao(&["notify"]).success().filtered(), @r#"
    status: 0
    --- stdout ---
    NAME  KIND     PRIORITIES                  TO                            STATE
    desk  desktop  urgent                      -                             `notify-send` is not installed or not in PATH
    hook  webhook  urgent,action,warning,info  $AO_HOOK, signed by $AO_KEY   its address is not known: $AO_HOOK is not set here
    log   file     info                        [ROOT]/notices.jsonl  ok
    pass  slack    urgent,action,warning,info  `no-such-program-here`        its address is not known: `no-such-program-here` is not installed or not in PATH
    --- stderr ---
    "#);
    let answer = env.ao_json(&["notify", "--json"]);
    assert_answer("NotifiersAnswer", &answer);
    assert_eq!(answer["notifiers"][1]["signed_by"], "$AO_KEY");

    let test = |args: &[&str]| {
        let args: Vec<&str> = ["notify", "--test"].iter().chain(args).copied().collect();
        env.ao(&args)
    };
    test(&["log"]).code(0);
    assert_eq!(notices(&env)[0]["reaction"], "test");
    test(&["nobody"]).code(3);
    test(&["log", "desk"]).code(8);
    let unset = test(&["hook"]).code(2).stdout;
    assert!(
        unset.ends_with(": its signing key is not known: $AO_KEY is not set here\n"),
        "{unset}"
    );
    let routed = test(&["--priority", "info", "--json"]).code(8).json();
    assert_answer("NotifiedAnswer", &routed);
    let outcomes: Vec<&str> = routed["notified"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["unrouted", "failed", "reached", "failed"]);

    let doctor = env.ao(&["doctor", "--json"]).json();
    let found = |name: &str| {
        let checks = doctor["doctor"]["checks"].as_array().unwrap();
        checks.iter().find(|it| it["what"] == format!("notifier {name}")).unwrap().clone()
    };
    assert_eq!([&found("hook")["ok"], &found("log")["ok"]], [&json!(false), &json!(true)]);
    assert!(found("hook")["detail"].as_str().unwrap().ends_with("$AO_HOOK is not set here"));
    assert!(found("pass")["detail"].as_str().unwrap().contains("`no-such-program-here`"));
}

#[test]
fn a_proxy_is_asked_for_others_and_never_for_this_machine() {
    let env = TestEnvironment::new();
    let proxy = Server::start(|_, _| reply(403, &[], ""));
    env.set("HTTPS_PROXY", proxy.url(""));
    env.set("HTTP_PROXY", proxy.url(""));
    configure(&env, &webhook("hook", "https://hooks.example/s3cret", "secret = \"s3cret\""));
    let told = env.ao(&["notify", "--test"]).code(7).stdout;
    let asked = proxy.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("CONNECT", "hooks.example:443")
    );
    let through =
        format!("could not talk to hooks.example through the proxy {}", host(&proxy.url("")));
    assert!(told.contains(&through) && told.contains("403"), "{told}");
    let server = Server::start(|_, _| reply(200, &[], ""));
    configure(&env, &webhook("hook", &server.url("/"), ""));
    env.ao(&["notify", "--test"]).success();
    assert_eq!((server.requests().len(), proxy.requests().len()), (1, 1));
    env.set("HTTPS_PROXY", "socks5://s3cret@proxy.example");
    configure(&env, &webhook("hook", "https://hooks.example/s3cret", ""));
    let told = env.ao(&["notify", "--test"]).code(7).stdout;
    assert!(told.ends_with("$HTTPS_PROXY is not the address of an HTTP proxy\n"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}
