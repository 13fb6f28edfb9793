//! Homes that are full, read-only, somebody else's, newer or damaged; and clocks that go back.
#![expect(clippy::print_stderr, reason = "a test says what it could not show here")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use serde_json::json;

use crate::agent_files::filer;
use crate::agents::configure;
use crate::env::{Outcome, TestEnvironment};
use crate::faulted::files_below;

const STAY: &str = "exec sleep 600";

pub(crate) fn spawn(env: &TestEnvironment, repo: &Path, id: &str) -> Outcome {
    env.ao_in(repo, &["spawn", "--agent", "shell", "--runtime", "process", "--id", id, STAY])
}

/// An environment with the working sessions `one` and `two`, at rest.
pub(crate) fn two_sessions() -> (TestEnvironment, PathBuf) {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    spawn(&env, &repo, "one").success();
    spawn(&env, &repo, "two").success();
    env.ao(&["reap"]).success();
    (env, repo)
}

fn observe(env: &TestEnvironment, id: &str, talk: &str) -> Outcome {
    let fact = json!({
        "confidence": "valid", "activity": "idle", "source": "hook", "boundary": true,
        "agent_session": talk,
    });
    env.ao_stdin(&["observe", "activity", id], fact.to_string())
}

fn session_file(env: &TestEnvironment, id: &str) -> PathBuf {
    env.home().join("sessions").join(id).join("session.json")
}

/// A mount that is gone before its environment is removed.
pub(crate) struct Mount(pub(crate) PathBuf);

impl Mount {
    /// Mounts, or says that it may not.
    pub(crate) fn new(env: &TestEnvironment, args: &[&str], at: &Path) -> Option<Self> {
        let outcome = env.run(&env.command("mount").args(args).arg(at));
        if outcome.status == 0 {
            return Some(Self(at.to_owned()));
        }
        eprintln!("not shown on a real mount: {}", outcome.stderr.trim());
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let done = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_home_on_a_file_system_without_locks_is_refused_at_first_use() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let home = env.home();
    // 95 is EOPNOTSUPP, 37 ENOLCK; the second passing is the one that has to be refused.
    for fault in
        ["lock.probe_take=error:95", "lock.probe_take=error:37", "lock.probe_take#2=error:95"]
    {
        env.set("AO_FAILPOINT", fault);
        for outcome in [spawn(&env, &repo, "one"), env.ao(&["reap"])] {
            let outcome = outcome.code(1);
            assert!(outcome.stderr.contains(&*home.to_string_lossy()), "{fault}\n{outcome}");
            assert!(outcome.stderr.contains("no working locks"), "{fault}\n{outcome}");
            assert!(outcome.stderr.contains("--home"), "the way out\n{outcome}");
        }
        let is_file = |path: &PathBuf| path.is_file();
        assert_eq!(files_below(&home).into_iter().find(is_file), None, "{fault}");
        assert_eq!(env.git(&repo, &["branch", "--list", "ao/*"]), "");
        assert_eq!(env.git(&repo, &["worktree", "list"]).lines().count(), 1);
        env.ao(&["ls"]).success();
    }
    env.unset("AO_FAILPOINT");
    spawn(&env, &repo, "one").success();
}

#[test]
fn a_disk_quota_that_is_used_up_fails_by_name_changes_nothing_and_is_got_over() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    spawn(&env, &repo, "one").success();
    env.ao(&["reap"]).success();
    let before = (env.record("one"), env.events("one"));
    let home = env.home().to_string_lossy().into_owned();
    // 122 is EDQUOT. A quota is met by whoever needs another block: the log, a new file, a folder.
    for fault in [
        "store.write=error:122,fs.write=error:122",
        "store.sync=error:122,fs.sync=error:122",
        "store.write=error:122,fs.create=error:122",
    ] {
        env.set("AO_FAILPOINT", fault);
        let runs = [
            (spawn(&env, &repo, "next"), "spawn"),
            (env.ao(&["send", "--queue", "one", "hello"]), "send"),
            (env.ao(&["rename", "one", "other"]), "rename"),
        ];
        for (outcome, what) in runs {
            let outcome = outcome.code(1);
            assert!(outcome.stderr.contains(&home), "{what}, {fault}\n{outcome}");
            assert!(outcome.stderr.contains("uota exceeded"), "{what}, {fault}\n{outcome}");
            assert!(outcome.stderr.contains("make room"), "{what}, {fault}\n{outcome}");
        }
        assert_eq!((env.record("one"), env.events("one")), before, "{fault}");
        env.ao(&["ls"]).success();
        env.ao(&["log", "--verify", "one"]).success();
        env.unset("AO_FAILPOINT");
        let temporary = |path: &PathBuf| path.to_string_lossy().contains(".ao-tmp-");
        assert!(!files_below(&env.home()).iter().any(temporary), "{fault}");
        env.ao(&["reap"]).success();
        assert_eq!(env.git(&repo, &["branch", "--list", "ao/next"]), "");
    }
    spawn(&env, &repo, "after").success();
    env.ao(&["rename", "one", "other"]).success();
    env.ao(&["doctor", "--state"]).success();
    env.ao(&["kill", "--yes", "one", "after"]).success();
}

#[test]
fn a_full_disk_fails_by_name_changes_nothing_and_is_got_over() {
    let env = TestEnvironment::new();
    let home = env.home();
    let tmpfs = ["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"];
    let mount = Mount::new(&env, &tmpfs, &home);
    let repo = env.repo("app");
    spawn(&env, &repo, "one").success();
    env.ao(&["reap"]).success();
    let before = (env.record("one"), env.events("one"));
    if mount.is_some() {
        fill(&home.join("ballast"));
    } else {
        env.set("AO_FAILPOINT", "store.write=error:28,fs.write=error:28");
    }
    // Longer than what may be free in the last page of the log.
    let long = "x".repeat(40_000);
    let runs = [
        spawn(&env, &repo, "next"),
        env.ao(&["send", "--queue", "one", &long]),
        env.ao(&["rename", "one", &long]),
    ];
    for outcome in runs {
        let outcome = outcome.code(1);
        assert!(outcome.stderr.contains(&*home.to_string_lossy()), "{outcome}");
        assert!(outcome.stderr.contains("No space left on device"), "{outcome}");
    }
    assert_eq!((env.record("one"), env.events("one")), before);
    env.ao(&["ls"]).success();
    env.ao(&["show", "one"]).success();
    env.ao(&["log", "--verify", "one"]).success();
    // A short fact may find room, or not: what was acknowledged is there, what was not is not.
    let acknowledged = observe(&env, "one", "talk-1").status == 0;

    env.unset("AO_FAILPOINT");
    let _ = fs::remove_file(home.join("ballast"));
    let temporary = |path: &PathBuf| path.to_string_lossy().contains(".ao-tmp-");
    assert!(!files_below(&home).iter().any(temporary));
    let shown = env.ao_json(&["--json", "show", "one"]);
    assert_eq!(shown["session"]["handles"].get("agent_session").is_some(), acknowledged);
    env.ao(&["reap"]).success();
    assert_eq!(env.git(&repo, &["branch", "--list", "ao/next"]), "");
    spawn(&env, &repo, "after").success();
    observe(&env, "one", "talk-2").success();
    env.ao(&["doctor", "--state"]).success();
    env.ao(&["kill", "--yes", "one", "after"]).success();
}

fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    for size in [65536, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[test]
fn a_read_only_home_can_be_read_and_refuses_writers() {
    let (env, repo) = two_sessions();
    let home = env.home();
    let home_text = home.to_str().unwrap().to_owned();
    let Some(_mount) = Mount::new(&env, &["--bind", &home_text], &home) else { return };
    let again = env.command("mount").args(["-o", "remount,bind,ro"]).arg(&home);
    env.run(&again).success();
    for words in [
        &["ls"][..],
        &["ls", "--json", "--all"],
        &["status"],
        &["show", "one"],
        &["log", "one"],
        &["log", "--verify", "one"],
        &["explain", "one"],
        &["path", "one"],
        &["events"],
        &["outbox", "ls"],
        &["doctor", "--state"],
        &["output", "one"],
    ] {
        env.ao(words).success();
    }
    let fact = observe(&env, "one", "talk-1");
    let writers = [
        spawn(&env, &repo, "next"),
        env.ao(&["kill", "one"]),
        fact,
        env.ao(&["rename", "one", "x"]),
        env.ao(&["reap"]),
        env.ao(&["send", "--queue", "one", "hello"]),
    ];
    for outcome in writers {
        let outcome = outcome.code(6);
        assert!(outcome.stderr.contains(&home_text), "{outcome}");
    }
    assert_eq!(env.git(&repo, &["branch", "--list", "ao/next"]), "");
}

#[test]
fn a_home_that_others_own_or_write_is_refused() {
    let (env, repo) = two_sessions();
    let home = env.home();
    let mode = |mode| fs::set_permissions(&home, fs::Permissions::from_mode(mode)).unwrap();
    for bad in [0o770, 0o702] {
        mode(bad);
        refused(&env, &repo, 6);
    }
    mode(0o700);
    if geteuid().is_root() {
        let own = |user| std::os::unix::fs::chown(&home, Some(user), None).unwrap();
        own(65534);
        refused(&env, &repo, 6);
        own(0);
    } else {
        eprintln!("not shown with a home of somebody else: this user cannot give one away");
    }
    env.ao(&["ls"]).success();
    env.ao(&["rename", "one", "again"]).success();
}

#[test]
fn a_configuration_that_others_own_or_write_is_not_obeyed() {
    let (env, repo) = two_sessions();
    configure(&env, "max_sessions = 40\n[env]\nA = \"b\"\n");
    let path = env.path("user/config/ao/config.toml");
    let card = path.with_file_name("agents").join("mine.toml");
    fs::create_dir(card.parent().unwrap()).unwrap();
    let text =
        "[agent]\nname = \"mine\"\nbinary = \"sh\"\nmode = \"one_shot\"\none_shot = [\"sh\"]\n";
    fs::write(&card, text).unwrap();
    let refused = |why: &str| {
        for outcome in [spawn(&env, &repo, "next"), env.ao(&["reap"])] {
            let told = outcome.code(6).stderr;
            let expected = format!("could not read {}", path.display());
            assert!(told.contains(&expected) && told.contains(why), "{told}");
        }
        assert!(env.ao(&["config", "check"]).code(2).stdout.contains(why));
        env.ao(&["ls"]).success();
    };
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&path, 0o646);
    refused("everybody may write it; chmod o-w it");
    // With a group of one's own, as many systems have it, this is usual.
    mode(&path, 0o664);
    env.ao(&["reap"]).success();
    mode(&card, 0o646);
    let told = env.ao_in(&repo, &["spawn", "--agent", "mine", "x"]).code(2).stderr;
    assert!(told.contains("mine.toml:1: everybody may write it"), "{told}");
    if geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        refused("user 65534 owns it");
    } else {
        eprintln!("not shown with a file of somebody else: this user cannot give one away");
    }
}

/// Asserts that readers and writers are refused with `code`, naming the home.
fn refused(env: &TestEnvironment, repo: &Path, code: i32) {
    let before: Vec<PathBuf> = files_below(&env.home());
    let runs =
        [env.ao(&["ls"]), env.ao(&["show", "one"]), spawn(env, repo, "next"), env.ao(&["reap"])];
    for outcome in runs {
        let outcome = outcome.code(code);
        assert!(outcome.stderr.contains(&*env.home().to_string_lossy()), "{outcome}");
    }
    assert_eq!(files_below(&env.home()), before);
}

#[test]
fn a_link_where_a_directory_or_file_of_ours_should_be_is_refused() {
    let (env, repo) = two_sessions();
    let aside = env.path("aside");
    for (part, words) in [
        ("sessions", &["ls"][..]),
        ("projects", &["spawn", "--agent", "shell", "--runtime", "process", "x"]),
        ("sessions/one", &["rename", "one", "x"]),
        ("sessions/one/events.jsonl", &["rename", "one", "x"]),
        ("sessions/one/lock", &["rename", "one", "x"]),
    ] {
        let path = env.home().join(part);
        fs::rename(&path, &aside).unwrap();
        symlink(&aside, &path).unwrap();
        let outcome = env.ao_in(&repo, words);
        assert_eq!(outcome.status, 5, "{part}\n{outcome}");
        assert!(outcome.stderr.contains("link"), "{part}\n{outcome}");
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    env.ao(&["rename", "one", "x"]).success();
}

#[test]
fn a_home_of_a_newer_format_is_read_and_never_written() {
    let (env, repo) = two_sessions();
    fs::write(env.home().join("format"), "2\n").unwrap();
    for words in [&["ls"][..], &["show", "one"], &["log", "one"], &["status"]] {
        env.ao(words).success();
    }
    let before = files_below(&env.home());
    for outcome in [
        spawn(&env, &repo, "next"),
        env.ao(&["kill", "one"]),
        observe(&env, "one", "t"),
        env.ao(&["reap"]),
        env.ao(&["doctor", "--repair"]),
    ] {
        let outcome = outcome.code(8);
        assert!(outcome.stderr.contains("format 2"), "{outcome}");
    }
    assert_eq!(files_below(&env.home()), before);
    assert_eq!(fs::read_to_string(env.home().join("format")).unwrap(), "2\n");
}

#[test]
fn a_damaged_record_is_shown_and_rebuilt_from_its_log() {
    let (env, _repo) = two_sessions();
    let path = session_file(&env, "one");
    let good = fs::read_to_string(&path).unwrap();
    let samples = [
        good[..good.len() / 2].to_owned(),
        String::new(),
        "\0".repeat(good.len()),
        "[]".to_owned(),
        good.replace("\"revision\": ", "\"revision\": \"a\", \"was\": "),
        good.replace("\"id\": \"one\"", "\"id\": \"two\""),
    ];
    for (index, sample) in samples.iter().enumerate() {
        fs::write(&path, sample).unwrap();
        let listed = env.ao(&["ls", "-q"]).success();
        assert_eq!(listed.stdout, "one\ntwo\n", "sample {index}");
        env.ao(&["show", "one"]).success();
        assert_eq!(fs::read_to_string(&path).unwrap(), *sample, "a reader writes nothing");
        let title = format!("sample {index}");
        let renamed = env.ao(&["rename", "one", &title]).success();
        assert!(renamed.stderr.contains("session.json"), "said once\n{renamed}");
        assert_eq!(env.record("one")["title"], *title);
        let kept = path.with_file_name(format!("session.json.bad-{}", index + 1));
        assert_eq!(fs::read_to_string(kept).unwrap(), *sample);
        assert_eq!(env.ao(&["rename", "one", "quiet"]).success().stderr, "");
        env.ao(&["log", "--verify", "one"]).success();
    }
    // Nothing waits for a writer that never comes.
    fs::remove_file(&path).unwrap();
    env.run(&env.command("mkfifo").arg(&path)).success();
    env.ao(&["ls"]).success();
    env.ao(&["show", "one"]).success();
    env.ao(&["rename", "one", "after"]).success();
    assert_eq!(env.record("one")["title"], "after");
    env.ao(&["doctor", "--state"]).success();
}

#[test]
fn a_record_that_may_not_be_read_is_named_and_hides_no_other() {
    let (env, _repo) = two_sessions();
    let path = session_file(&env, "one");
    let before = fs::metadata(&path).unwrap().ino();
    for name in ["session.json", "events.jsonl"] {
        let file = path.with_file_name(name);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    }
    let listed = env.ao(&["ls", "-q"]);
    assert!(listed.stdout.contains("two\n"), "{listed}");
    let shown = env.ao(&["show", "one"]);
    if geteuid().is_root() {
        eprintln!("not shown with a record that may not be read: root may read all");
        shown.success();
    } else {
        assert!(shown.code(6).stderr.contains("sessions/one"));
    }
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);
}

#[test]
fn keys_that_are_not_known_survive_and_a_newer_record_is_not_written() {
    let (env, _repo) = two_sessions();
    let path = session_file(&env, "one");
    // The log has to say the same: it is what a record is checked against.
    for name in ["session.json", "events.jsonl"] {
        let file = path.with_file_name(name);
        let text = fs::read_to_string(&file).unwrap();
        let spaced = text.replacen(
            "\"project\": \"app\"",
            "\"project\": \"app\",\n  \"flavour\": {\"of\": 1}",
            1,
        );
        let packed =
            spaced.replacen("\"project\":\"app\"", "\"flavour\":{\"of\":1},\"project\":\"app\"", 1);
        assert_ne!(packed, text);
        fs::write(&file, packed).unwrap();
    }
    env.ao(&["rename", "one", "x"]).success();
    observe(&env, "one", "talk-1").success();
    assert_eq!(env.record("one")["flavour"], json!({ "of": 1 }));
    env.ao(&["log", "--verify", "one"]).success();

    let text = fs::read_to_string(&path).unwrap().replacen("\"schema\": 1", "\"schema\": 2", 1);
    fs::write(&path, &text).unwrap();
    let log = fs::read(path.with_file_name("events.jsonl")).unwrap();
    env.ao(&["show", "one"]).success();
    assert_eq!(env.ao(&["ls", "-q"]).success().stdout, "one\ntwo\n");
    let refused =
        [env.ao(&["rename", "one", "y"]), observe(&env, "one", "t"), env.ao(&["kill", "one"])];
    for outcome in refused {
        assert!(outcome.code(8).stderr.contains("one"));
    }
    env.ao(&["reap"]).success();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::read(path.with_file_name("events.jsonl")).unwrap(), log);
}

#[test]
fn a_torn_or_lost_log_is_put_right_by_the_next_writer() {
    use std::io::Write;
    let (env, _repo) = two_sessions();
    let log = session_file(&env, "one").with_file_name("events.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(b"{\"schema\":1,\"seq\":99,\"at\":\"20").unwrap();
    env.ao(&["show", "one"]).success();
    env.ao(&["rename", "one", "torn"]).success();
    assert_eq!(env.record("one")["title"], "torn");
    env.ao(&["log", "--verify", "one"]).success();

    let stored = env.record("one");
    fs::remove_file(&log).unwrap();
    env.ao(&["show", "one"]).success();
    env.ao(&["rename", "one", "lost"]).success();
    let record = env.record("one");
    assert_eq!(record["revision"].as_u64(), stored["revision"].as_u64().map(|it| it + 1));
    assert_eq!(record["handles"], stored["handles"]);
    observe(&env, "two", "talk-1").success();
}

#[test]
fn where_log_and_record_are_damaged_one_session_is_named_and_repaired_on_request() {
    let (env, _repo) = two_sessions();
    env.ao(&["rename", "one", "before"]).success();
    let record = session_file(&env, "one");
    let log = record.with_file_name("events.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len() - 1;
    let damaged = format!("{}\nnonsense\n{}\n", lines[..last].join("\n"), lines[last]);
    fs::write(&log, &damaged).unwrap();
    fs::write(&record, "{").unwrap();

    let line = "events.jsonl";
    for words in [
        &["show", "one"][..],
        &["rename", "one", "x"],
        &["log", "--verify", "one"],
        &["kill", "one"],
    ] {
        let outcome = env.ao(words).code(1);
        assert!(outcome.stderr.contains(line) || outcome.stdout.contains(line), "{outcome}");
    }
    for words in [&["ls", "-q"][..], &["status"]] {
        let listed = env.ao(words).success();
        assert!(listed.stdout.contains("two"), "{listed}");
        assert!(listed.stderr.contains("one") && listed.stderr.contains(line), "{listed}");
    }
    observe(&env, "two", "talk-1").success();
    env.ao(&["kill", "two"]).success();
    env.ao(&["reap"]).success();
    assert_eq!(fs::read_to_string(&log).unwrap(), damaged, "nothing is guessed at");
    assert_eq!(fs::read_to_string(&record).unwrap(), "{");

    let told = env.ao(&["doctor", "--state"]).code(1);
    assert!(told.stdout.contains("--repair"), "{told}");
    assert_eq!(fs::read_to_string(&log).unwrap(), damaged);
    env.ao(&["doctor", "--state", "--repair"]).success();
    env.ao(&["doctor", "--state"]).success();
    assert_eq!(env.record("one")["revision"].as_u64(), Some(last as u64));
    let rest = fs::read_to_string(log.with_file_name("events.jsonl.rest-1")).unwrap();
    assert_eq!(rest, format!("nonsense\n{}\n", lines[last]));
    env.ao(&["kill", "one"]).success();
    env.ao(&["log", "--verify", "one"]).success();
}

#[test]
fn a_clock_that_goes_backwards_loses_nothing_and_escalates_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.at("2026-03-01T12:00:00Z");
    spawn(&env, &repo, "one").success();
    env.ao(&["reap"]).success();
    observe(&env, "one", "talk-1").success();
    // A probe that cannot tell puts the session into quarantine.
    let unknown = json!({ "runtime": "indeterminate", "process": "indeterminate" }).to_string();
    env.ao_stdin(&["observe", "runtime", "one"], unknown.clone()).success();
    assert_eq!(env.record("one")["lifecycle"]["session"]["state"], "detecting");
    let before = env.events("one").len();

    env.at("2026-03-01T09:00:00Z");
    let listed = env.ao(&["ls"]).success();
    assert!(!listed.stdout.contains('-') || !listed.stdout.contains(" -"), "{listed}");
    for _ in 0..4 {
        env.ao_stdin(&["observe", "runtime", "one"], unknown.clone()).success();
    }
    assert_eq!(env.record("one")["lifecycle"]["session"]["state"], "detecting");
    env.ao(&["reap"]).success();
    assert_eq!(env.record("one")["lifecycle"]["session"]["state"], "idle");
    env.ao(&["rename", "one", "earlier"]).success();
    env.ao(&["status"]).success();
    env.ao(&["explain", "one"]).success();
    // A day ahead and back again: nothing took a day.
    env.at("2026-03-02T12:00:00Z");
    env.ao(&["reap"]).success();
    env.at("2026-03-01T09:00:01Z");
    env.ao(&["reap"]).success();
    let record = env.record("one");
    assert_eq!(record["lifecycle"]["session"]["state"], "idle");
    assert_eq!(record["title"], "earlier");
    let numbers: Vec<u64> =
        env.events("one").iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.len() > before);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    env.ao(&["log", "--verify", "one"]).success();
    env.ao(&["doctor", "--state"]).success();
}

#[test]
fn a_line_that_failed_and_cannot_be_cut_off_again_harms_nobody() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    spawn(&env, &repo, "one").success();
    env.ao(&["reap"]).success();
    for first in ["store.write", "store.sync"] {
        for (second, code) in [("kill", 137), ("error:28", 1), ("error:5", 1)] {
            let fault = format!("{first}#1=error:28,store.uncut={second}");
            let outcome = env.ao_env(&["rename", "one", &fault], &[("AO_FAILPOINT", &fault)]);
            let outcome = outcome.code(code);
            let told = outcome.stderr.contains("No space left on device");
            assert!(told || code == 137, "the first error is the one to tell\n{outcome}");
            env.ao(&["ls"]).success();
            env.ao(&["reap"]).success();
            env.ao(&["log", "--verify", "one"]).success();
            env.ao(&["rename", "one", first]).success();
            assert_eq!(env.record("one")["title"], first, "{fault}");
            let numbers = env.events("one").into_iter().map(|event| event["seq"].as_u64().unwrap());
            let last = env.record("one")["revision"].as_u64().unwrap();
            assert_eq!(numbers.collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>(), "{fault}");
        }
    }
    env.ao(&["doctor", "--state"]).success();
    env.ao(&["kill", "--yes", "one"]).success();
}

#[test]
fn a_full_disk_keeps_no_answer_in_a_persons_file_for_ever() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let trusted = filer(&env, "hook user-prompt-submit\nhook stop\nread\n");
    fs::create_dir_all(trusted.parent().unwrap()).unwrap();
    let own = "{\n\t// mine\n\t\"/mine\": true\n}\n";
    fs::write(&trusted, own).unwrap();
    // Of these, some are of the person's file, and some of the workspace's.
    let mut refused = 0;
    for (number, fault) in
        (1..=4).flat_map(|nth| ["fs.write", "fs.rename"].map(|it| (it, nth))).enumerate()
    {
        let (id, (point, nth)) = (format!("s{number}"), fault);
        env.ao_in(&repo, &["spawn", "--agent", "filer", "--id", &id, "work"]).success();
        env.ao(&["kill", &id]).success();
        assert!(fs::read_to_string(&trusted).unwrap().contains(&id));
        let fault = format!("{point}#{nth}=error:28");
        let outcome = env.ao_env(&["cleanup", "--force", &id], &[("AO_FAILPOINT", &fault)]);
        if outcome.status != 0 {
            refused += 1;
            env.ao(&["cleanup", "--force", &id]).success();
        }
        assert_eq!(fs::read_to_string(&trusted).unwrap(), own, "{fault}");
    }
    assert!(refused > 0, "nothing was refused");
}
