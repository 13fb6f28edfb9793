//! What a session's files look like after each way to die, and what becomes of them.
#![expect(clippy::disallowed_methods, reason = "makes damaged files")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::model::event::{Event, Line};
use crate::model::id::SessionId;
use crate::model::record::{Document, Record};
use crate::model::time::Timestamp;
use crate::store::{Change, Home, LockedSession, StoreError, lock, repair};

const SOON: Duration = Duration::from_secs(20);

struct Place {
    directory: tempfile::TempDir,
    home: Home,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(&directory.path().join("home")).unwrap();
    Place { directory, home }
}

fn id(text: &str) -> SessionId {
    text.parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + second * 1000)
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn change(patch: Value) -> Change {
    Change::new("test", at(1)).with_patch(object(patch))
}

fn record(name: &str) -> Record {
    Record { id: Some(id(name)), agent: "claude-code".to_owned(), ..Record::default() }
}

impl Place {
    fn create(&self, name: &str) -> LockedSession {
        self.home.create_session(&record(name), "ao spawn", at(0)).unwrap()
    }

    /// Creates a session at revision 3 and lets go of it.
    fn three(&self, name: &str) -> PathBuf {
        let mut session = self.create(name);
        session.commit(change(json!({"title": "one", "later": {"x": 1}}))).unwrap();
        session.commit(change(json!({"title": "two", "issue": "7"}))).unwrap();
        session.dir().to_owned()
    }

    fn lock(&self, name: &str) -> Result<LockedSession, StoreError> {
        self.home.lock_session(&id(name), SOON)
    }

    fn revision(&self, name: &str) -> u64 {
        self.home.load(&id(name)).unwrap().record.revision
    }

    fn findings(&self, name: &str) -> Vec<String> {
        self.home.verify(&id(name)).unwrap().findings
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

fn log_lines(directory: &Path) -> Vec<String> {
    fs::read_to_string(directory.join("events.jsonl")).unwrap().lines().map(str::to_owned).collect()
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    // Whoever takes the lock writes its name into it.
    files.retain(|(name, _)| name != "lock");
    files.sort();
    files
}

#[test]
fn a_commit_is_one_event_and_the_record_it_folds_to() {
    let place = place();
    let mut session = place.create("web-1");
    assert_eq!(session.record().revision, 1);
    let commit = session.commit(change(json!({"title": "x"}))).unwrap();
    assert_eq!((commit.revision, commit.changed), (2, true));
    for nothing in [json!({}), json!({"title": "x"}), json!({"issue": null})] {
        let commit = session.commit(change(nothing)).unwrap();
        assert_eq!((commit.revision, commit.changed), (2, false));
    }
    assert!(session.require_revision(2).is_ok());
    assert!(matches!(
        session.require_revision(1),
        Err(StoreError::Conflict { expected: 1, found: 2 })
    ));
    insta::assert_snapshot!(log_lines(session.dir())[1], @r#"{"schema":1,"seq":2,"at":"2027-01-15T08:00:01.000Z","cause":"test","patch":{"revision":2,"title":"x","updated_at":"2027-01-15T08:00:01.000Z"},"status":"spawning"}"#);
    assert_eq!(bytes(&session.dir().join("session.json")), session.document().to_bytes());
    assert_eq!(place.findings("web-1"), [""; 0]);
    let seqs: Vec<u64> =
        place.home.events(&id("web-1")).unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [1, 2]);
}

#[test]
fn a_change_that_would_brick_the_record_is_refused() {
    let place = place();
    let mut session = place.create("web-1");
    let before = files(session.dir());
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!({ "x": deep });
    }
    for patch in [
        json!({"kind": "nonsense"}),
        json!({"id": "web-2"}),
        json!({"lifecycle": "none"}),
        json!({"future": deep}),
    ] {
        let result = session.commit(change(patch));
        assert!(matches!(result, Err(StoreError::Unstorable { .. })), "{result:?}");
    }
    assert_eq!(files(session.dir()), before);
    session.commit(change(json!({"title": "x"}))).unwrap();
}

#[test]
fn unknown_keys_and_long_numbers_survive_every_write() {
    let place = place();
    let mut session = place.create("web-1");
    let number: Value = serde_json::from_str("123456789012345678901234567890").unwrap();
    session.commit(change(json!({"future": {"n": number, "list": [1, null]}}))).unwrap();
    session.commit(change(json!({"title": "x"}))).unwrap();
    drop(session);
    let loaded = place.home.load(&id("web-1")).unwrap();
    assert_eq!(
        loaded.document.as_map()["future"].to_string(),
        r#"{"list":[1,null],"n":123456789012345678901234567890}"#
    );
    assert_eq!(place.findings("web-1"), [""; 0]);
}

#[test]
fn an_id_is_never_used_twice() {
    let place = place();
    let create = |name: &str| place.home.create_session(&record(name), "ao spawn", at(0));
    let session = create("web-1").unwrap();
    assert!(matches!(create("web-1"), Err(StoreError::Exists { .. })));
    session.archive().unwrap();
    assert!(matches!(create("web-1"), Err(StoreError::Exists { .. })));
    assert_eq!(place.home.session_ids().unwrap(), []);
    assert_eq!(place.home.archived_ids().unwrap(), [id("web-1")]);
    assert!(place.home.load(&id("web-1")).unwrap().archived);
    assert!(matches!(place.lock("web-1"), Err(StoreError::Archived { .. })));
    assert!(matches!(place.lock("web-2"), Err(StoreError::NotFound { .. })));
    assert!(matches!(place.home.load(&id("web-2")), Err(StoreError::NotFound { .. })));
    assert_eq!(place.findings("web-1"), [""; 0]);

    let mut session = place.home.unarchive(&id("web-1"), SOON).unwrap();
    session.commit(change(json!({"title": "back"}))).unwrap();
    drop(session);
    assert_eq!(place.home.archived_ids().unwrap(), []);
    assert!(!place.home.load(&id("web-1")).unwrap().archived);
    let absent = place.home.unarchive(&id("web-1"), SOON);
    assert!(matches!(absent, Err(StoreError::NotFound { .. })));
}

#[test]
fn killed_between_event_and_record_is_redone_from_any_distance() {
    let place = place();
    let mut session = place.create("web-1");
    let early = bytes(&session.dir().join("session.json"));
    for number in 0..20 {
        session.commit(change(json!({"title": number.to_string()}))).unwrap();
    }
    let directory = session.dir().to_owned();
    let late = bytes(&directory.join("session.json"));
    drop(session);
    fs::write(directory.join("session.json"), &early).unwrap();
    let before = files(&directory);
    let loaded = place.home.load(&id("web-1")).unwrap();
    assert_eq!(loaded.record.title.as_deref(), Some("19"));
    assert_eq!(loaded.notes.len(), 1);
    assert_eq!(files(&directory), before, "a reader writes nothing");

    let session = place.lock("web-1").unwrap();
    assert_eq!((session.record().revision, session.notes().len()), (21, 1));
    assert_eq!(bytes(&directory.join("session.json")), late);
    drop(session);
    assert_eq!(place.lock("web-1").unwrap().notes(), [""; 0]);
    assert_eq!(place.findings("web-1"), [""; 0]);
}

#[test]
fn killed_inside_an_append_leaves_the_old_record() {
    let place = place();
    let directory = place.three("web-1");
    let (log, stored) =
        (bytes(&directory.join("events.jsonl")), bytes(&directory.join("session.json")));
    let line = log_lines(&directory).pop().unwrap();
    for length in [1, 2, line.len() / 2, line.len()] {
        let torn = [&log, &line.as_bytes()[..length]].concat();
        fs::write(directory.join("events.jsonl"), &torn).unwrap();
        assert_eq!(place.revision("web-1"), 3);
        assert_eq!(place.home.events(&id("web-1")).unwrap().len(), 3);
        assert_eq!(place.lock("web-1").unwrap().notes().len(), 1);
        assert_eq!(bytes(&directory.join("events.jsonl")), log);
        assert_eq!(bytes(&directory.join("session.json")), stored);
    }
    assert_eq!(place.findings("web-1"), [""; 0]);
}

#[test]
fn power_cut_leaves_zeros_at_the_end_and_they_are_cut() {
    let place = place();
    let directory = place.three("web-1");
    let log = bytes(&directory.join("events.jsonl"));
    for garbage in [&[0; 4096][..], b"\0\0\0\0,\"status\":\"working\"}\n"] {
        fs::write(directory.join("events.jsonl"), [&log, garbage].concat()).unwrap();
        assert_eq!(place.revision("web-1"), 3);
        drop(place.lock("web-1").unwrap());
        assert_eq!(bytes(&directory.join("events.jsonl")), log);
    }
    assert_eq!(
        bytes(&directory.join("events.jsonl.rest-1")),
        b"\0\0\0\0,\"status\":\"working\"}\n"
    );
}

#[test]
fn a_record_ahead_of_its_log_is_brought_into_it() {
    let place = place();
    let directory = place.three("web-1");
    let stored = bytes(&directory.join("session.json"));
    let log = bytes(&directory.join("events.jsonl"));
    let first = log_lines(&directory)[0].len() + 1;
    // The log lost its tail; the log is empty; the log is gone.
    for left in [Some(&log[..first]), Some(&[][..]), None] {
        match left {
            Some(left) => fs::write(directory.join("events.jsonl"), left).unwrap(),
            None => fs::remove_file(directory.join("events.jsonl")).unwrap(),
        }
        assert_eq!(place.revision("web-1"), 3);
        let mut session = place.lock("web-1").unwrap();
        assert_eq!(session.notes().len(), 1, "{:?}", session.notes());
        assert_eq!(bytes(&directory.join("session.json")), stored);
        session.commit(change(json!({"title": "after"}))).unwrap();
        drop(session);
        let lost = if left.is_some_and(|left| !left.is_empty()) { "2 to 2" } else { "1 to 2" };
        assert_eq!(place.findings("web-1"), [format!("events.jsonl: events {lost} are lost")]);
        fs::write(directory.join("session.json"), &stored).unwrap();
        fs::write(directory.join("events.jsonl"), &log).unwrap();
    }
}

#[test]
fn a_damaged_record_is_rebuilt_from_its_log_and_kept_beside() {
    let place = place();
    let directory = place.three("web-1");
    let path = directory.join("session.json");
    let stored = bytes(&path);
    let text = String::from_utf8(stored.clone()).unwrap();
    let mut samples: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        vec![0; 300],
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        [&[0xef, 0xbb, 0xbf][..], &stored].concat(),
        [&stored[..], b"x"].concat(),
        [&stored[..], &stored].concat(),
        text.replace("\"two\"", "\"\\ud800\"").into_bytes(),
        text.replace("\"two\"", "NaN").into_bytes(),
        text.replace("\"revision\": 3", "\"revision\": 1e400").into_bytes(),
        text.replace("\"revision\": 3", "\"revision\": \"3\"").into_bytes(),
        text.replace("\"revision\": 3", "\"revision\": -3").into_bytes(),
        text.replace("\"web-1\"", "\"web-2\"").into_bytes(),
        text.replace("\"web-1\"", "\"../x\"").into_bytes(),
        format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
    ];
    samples.extend((1..stored.len() - 2).step_by(37).map(|length| stored[..length].to_vec()));
    for (index, sample) in samples.iter().enumerate() {
        fs::write(&path, sample).unwrap();
        let loaded = place.home.load(&id("web-1")).unwrap();
        assert_eq!((loaded.record.revision, loaded.notes.len()), (3, 1), "sample {index}");
        assert_eq!(&bytes(&path), sample, "a reader writes nothing");
        assert_eq!(place.home.summaries(false).unwrap()[0].as_ref().unwrap().revision, 3);
        assert_eq!(place.lock("web-1").unwrap().notes().len(), 1);
        assert_eq!(bytes(&path), stored, "sample {index}");
        assert_eq!(&bytes(&directory.join(format!("session.json.bad-{}", index + 1))), sample);
    }
    // A missing one leaves nothing to be kept; a directory is kept too.
    fs::remove_file(&path).unwrap();
    drop(place.lock("web-1").unwrap());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    drop(place.lock("web-1").unwrap());
    assert_eq!(bytes(&path), stored);
    assert!(directory.join(format!("session.json.bad-{}", samples.len() + 1)).is_dir());
}

#[test]
fn where_record_and_log_are_damaged_only_that_session_is_named_and_nothing_is_touched() {
    let place = place();
    let directory = place.three("web-1");
    place.three("web-2");
    let lines = log_lines(&directory);
    fs::write(directory.join("session.json"), "{").unwrap();
    fs::write(directory.join("events.jsonl"), format!("{}\nnonsense\n{}\n", lines[0], lines[2]))
        .unwrap();
    let before = files(&directory);
    for result in [place.home.load(&id("web-1")).map(drop), place.lock("web-1").map(drop)] {
        let Err(StoreError::Damaged { path, line, .. }) = result else { panic!("{result:?}") };
        assert_eq!((path, line), (directory.join("events.jsonl"), Some(2)));
    }
    let summaries = place.home.summaries(false).unwrap();
    assert_eq!(summaries[0].as_ref().unwrap_err().0, id("web-1"));
    assert_eq!(summaries[1].as_ref().unwrap().revision, 3);
    drop(place.lock("web-2").unwrap());
    assert_eq!(files(&directory), before);

    let proposal = repair::propose(&place.home, &id("web-1")).unwrap().unwrap();
    assert_eq!((proposal.line, proposal.kept_lines, proposal.seq), (2, 1, 1));
    assert_eq!(files(&directory), before, "a proposal changes nothing");
    let applied = repair::apply(&place.home, &id("web-1"), SOON).unwrap();
    assert_eq!(applied, Some(proposal));
    assert_eq!(place.revision("web-1"), 1);
    assert_eq!(
        fs::read_to_string(directory.join("events.jsonl.rest-1")).unwrap(),
        format!("nonsense\n{}\n", lines[2])
    );
    assert_eq!(fs::read_to_string(directory.join("session.json.bad-1")).unwrap(), "{");
    assert_eq!(place.findings("web-1"), [""; 0]);
    assert_eq!(repair::propose(&place.home, &id("web-1")).unwrap(), None);
}

#[test]
fn a_repair_keeps_a_readable_record_and_refuses_to_make_an_empty_one() {
    let place = place();
    let directory = place.three("web-1");
    let lines = log_lines(&directory);
    let stored = bytes(&directory.join("session.json"));
    fs::write(directory.join("events.jsonl"), format!("{}\nnonsense\n", lines[0])).unwrap();
    let loaded = place.home.load(&id("web-1")).unwrap();
    assert_eq!((loaded.record.revision, loaded.notes.len()), (3, 1));
    assert!(matches!(place.lock("web-1"), Err(StoreError::Damaged { line: Some(2), .. })));
    repair::apply(&place.home, &id("web-1"), SOON).unwrap().unwrap();
    assert_eq!(bytes(&directory.join("session.json")), stored);
    assert_eq!(place.findings("web-1"), ["events.jsonl: events 2 to 2 are lost"]);

    fs::write(directory.join("session.json"), "").unwrap();
    fs::write(directory.join("events.jsonl"), "nonsense\n").unwrap();
    let before = files(&directory);
    let result = repair::apply(&place.home, &id("web-1"), SOON);
    assert!(matches!(result, Err(StoreError::Damaged { .. })), "{result:?}");
    assert_eq!(files(&directory), before);
}

#[test]
fn a_log_is_rotated_and_every_half_of_a_rotation_folds() {
    let place = place();
    let mut session = place.create("web-1");
    let directory = session.dir().to_owned();
    let big = "x".repeat(200_000);
    let mut whole = Vec::new();
    while session.document().revision() < 20 {
        let mut step = change(json!({"title": session.document().revision().to_string()}));
        step.evidence = Some(big.clone());
        whole = bytes(&directory.join("events.jsonl"));
        session.commit(step).unwrap();
        if directory.join("events.1.jsonl").exists() {
            break;
        }
    }
    drop(session);
    let revision = place.revision("web-1");
    let old = bytes(&directory.join("events.1.jsonl"));
    assert!(old.starts_with(&whole) && old.len() > 1 << 20);
    assert_eq!(log_lines(&directory).len(), 1);
    assert_eq!(place.findings("web-1"), [""; 0]);
    let count = place.home.events(&id("web-1")).unwrap().len() as u64;
    assert_eq!(count, revision);

    // Killed after the old log was copied, before the log began again.
    let begun = bytes(&directory.join("events.jsonl"));
    fs::write(directory.join("events.jsonl"), &old).unwrap();
    assert_eq!(place.findings("web-1"), [""; 0]);
    assert_eq!(place.home.events(&id("web-1")).unwrap().len() as u64, count);
    let mut session = place.lock("web-1").unwrap();
    session.commit(change(json!({"title": "after"}))).unwrap();
    drop(session);
    assert_eq!(log_lines(&directory).len(), 1, "the next commit rotates");
    assert_eq!(place.revision("web-1"), revision + 1);

    // A snapshot alone rebuilds the record.
    fs::write(directory.join("events.jsonl"), &begun).unwrap();
    fs::remove_file(directory.join("session.json")).unwrap();
    assert_eq!(place.lock("web-1").unwrap().record().revision, revision);
}

#[test]
fn what_a_newer_version_wrote_is_read_and_never_written() {
    let place = place();
    let directory = place.three("web-1");
    let path = directory.join("session.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"schema\": 1", "\"schema\": 2");
    fs::write(&path, &text).unwrap();
    fs::write(
        directory.join("events.jsonl"),
        [&bytes(&directory.join("events.jsonl"))[..], b"{"].concat(),
    )
    .unwrap();
    let before = files(&directory);
    assert_eq!(place.home.load(&id("web-1")).unwrap().document.schema(), 2);
    let mut session = place.lock("web-1").unwrap();
    let result = session.commit(change(json!({"title": "x"})));
    assert!(matches!(result, Err(StoreError::NewerRecord { schema: 2, .. })), "{result:?}");
    drop(session);
    assert_eq!(files(&directory), before);

    fs::write(&path, text.replace("\"interactive\"", "\"telepathic\"")).unwrap();
    assert!(matches!(
        place.home.load(&id("web-1")),
        Err(StoreError::NewerRecord { schema: 2, .. })
    ));
    fs::write(place.home.root().join("format"), "2\n").unwrap();
    assert!(matches!(Home::open(place.home.root()), Err(StoreError::NewerFormat { found: 2 })));
    assert_eq!(Home::open_read(place.home.root()).unwrap().session_ids().unwrap().len(), 1);
}

#[test]
fn links_are_refused_where_files_and_directories_of_ours_should_be() {
    let place = place();
    let outside = place.directory.path().join("outside");
    for name in ["session.json", "events.jsonl", "lock"] {
        let session = format!("link-{}", name.replace('.', "-"));
        let path = place.three(&session).join(name);
        fs::copy(&path, &outside).unwrap();
        let before = bytes(&outside);
        fs::remove_file(&path).unwrap();
        symlink(&outside, &path).unwrap();
        let result = place.lock(&session);
        assert!(
            matches!(result, Err(StoreError::Symlink { .. } | StoreError::Locked(_))),
            "{name}"
        );
        assert_eq!(bytes(&outside), before);
    }
    let directory = place.three("web-1");
    fs::rename(&directory, place.directory.path().join("moved")).unwrap();
    symlink(place.directory.path().join("moved"), &directory).unwrap();
    assert!(matches!(place.lock("web-1"), Err(StoreError::Symlink { .. })));
    assert!(matches!(place.home.load(&id("web-1")), Err(StoreError::Symlink { .. })));
    fs::rename(place.home.root().join("archive"), place.directory.path().join("a")).unwrap();
    symlink(place.directory.path().join("a"), place.home.root().join("archive")).unwrap();
    assert!(matches!(Home::open(place.home.root()), Err(StoreError::Symlink { .. })));
    assert!(matches!(Home::open_read(place.home.root()), Err(StoreError::Symlink { .. })));
}

#[test]
fn a_pipe_in_place_of_a_record_is_no_reason_to_hang() {
    let place = place();
    let path = place.three("web-1").join("session.json");
    fs::remove_file(&path).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(place.revision("web-1"), 3);
    assert_eq!(place.lock("web-1").unwrap().record().revision, 3);
    assert!(fs::metadata(&path).unwrap().is_file());
}

#[test]
fn stale_temporaries_are_swept_under_the_lock_and_fresh_ones_stay() {
    let place = place();
    let directory = place.three("web-1");
    let (stale, fresh) = (directory.join(".ao-tmp-old"), directory.join(".ao-tmp-new"));
    for path in [&stale, &fresh] {
        fs::write(path, "").unwrap();
    }
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&stale).unwrap().set_modified(long_ago).unwrap();
    drop(place.lock("web-1").unwrap());
    assert!(!stale.exists() && fresh.exists());
}

#[test]
fn everything_is_private() {
    let place = place();
    let directory = place.three("web-1");
    place.home.hooks_log("x", at(0));
    drop(place.home.lock_file("reap.lock", SOON).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let root = place.home.root();
    for path in [root, &root.join("sessions"), &root.join("projects"), &directory] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    for path in ["format", "hooks.log", "reap.lock"].map(|name| root.join(name)) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    for name in ["session.json", "events.jsonl", "lock"] {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
}

#[test]
fn fifty_writers_make_fifty_revisions() {
    let place = place();
    drop(place.create("web-1"));
    std::thread::scope(|scope| {
        for number in 0..50 {
            let root = place.home.root();
            scope.spawn(move || {
                let home = Home::open(root).unwrap().with_sync(false);
                let mut session = home.lock_session(&id("web-1"), SOON).unwrap();
                let patch = json!({"triggers": {(number.to_string()): "x"}});
                session.commit(change(patch)).unwrap();
            });
        }
    });
    let loaded = place.home.load(&id("web-1")).unwrap();
    assert_eq!((loaded.record.revision, loaded.record.triggers.len()), (51, 50));
    assert_eq!(place.findings("web-1"), [""; 0]);
}

#[test]
fn one_of_many_creators_of_an_id_wins() {
    let place = place();
    let made: usize = std::thread::scope(|scope| {
        let create = || place.home.create_session(&record("web-1"), "ao spawn", at(0)).is_ok();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!(made, 1);
    let left = fs::read_dir(place.home.root().join("sessions")).unwrap().count();
    assert_eq!(left, 1);
}

#[test]
fn a_busy_session_is_readable_and_its_waiter_learns_who_holds_it() {
    let place = place();
    let session = place.create("web-1");
    assert_eq!(place.revision("web-1"), 1);
    let result = place.home.lock_session(&id("web-1"), Duration::from_millis(50));
    let Err(StoreError::Locked(lock::LockError::Timeout { path, holder, .. })) = result else {
        panic!("{result:?}")
    };
    assert_eq!(path, session.dir().join("lock"));
    assert_eq!(holder.unwrap().pid, std::process::id());
}

#[test]
fn a_waiter_of_a_session_that_is_archived_meanwhile_is_told() {
    let place = place();
    let session = place.create("web-1");
    let path = session.dir().join("lock");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| place.lock("web-1").map(drop));
        let deadline = crate::adapter::clock::Deadline::after(SOON);
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap());
        let waits = || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            let waits =
                locks.lines().any(|l| l.contains("->") && l.contains(&format!(":{inode} ")));
            waits.then_some(())
        };
        crate::adapter::clock::poll_until(deadline, waits).unwrap();
        session.archive().unwrap();
        let result = waiter.join().unwrap();
        assert!(matches!(result, Err(StoreError::Archived { .. })), "{result:?}");
    });
}

#[test]
fn a_summary_agrees_with_a_load() {
    let place = place();
    let directory = place.three("web-1");
    let early = bytes(&directory.join("session.json"));
    drop(place.create("web-2"));
    place.create("old-1").archive().unwrap();
    let check = || {
        let summaries = place.home.summaries(true).unwrap();
        let names: Vec<&str> =
            summaries.iter().map(|summary| summary.as_ref().unwrap().id.as_str()).collect();
        assert_eq!(names, ["web-1", "web-2", "old-1"]);
        for summary in summaries {
            let summary = summary.unwrap();
            let loaded = place.home.load(&summary.id).unwrap();
            assert_eq!(
                summary,
                crate::store::Summary::of(&summary.id, &loaded.record, loaded.archived)
            );
        }
    };
    check();
    // Killed between event and record: the log is the younger file.
    place.lock("web-1").unwrap().commit(change(json!({"title": "late"}))).unwrap();
    fs::write(directory.join("session.json"), early).unwrap();
    let record = fs::File::options().write(true).open(directory.join("session.json")).unwrap();
    record.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    check();
    assert_eq!(place.home.summaries(false).unwrap().len(), 2);
}

#[test]
fn an_append_that_fails_is_undone() {
    let place = place();
    let mut session = place.create("web-1");
    let log = session.dir().join("events.jsonl");
    let before = bytes(&log);
    // Nobody may write it while it is locked; a commit that finds it longer changes nothing.
    fs::write(&log, [&before[..], b"x"].concat()).unwrap();
    assert!(matches!(
        session.commit(change(json!({"title": "x"}))),
        Err(StoreError::Damaged { .. })
    ));
    assert_eq!(session.record().title, None);
    fs::write(&log, &before).unwrap();
    session.commit(change(json!({"title": "x"}))).unwrap();
    assert_eq!(place.findings("web-1"), [""; 0]);
}

#[test]
fn records_of_every_released_version_load_for_ever() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/record/v1");
    let mut names = Vec::new();
    for (name, stored) in files(&directory) {
        let document = Document::parse(&stored).unwrap();
        let record = document.view().unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(record.schema, 1, "{name}");
        assert_eq!(
            String::from_utf8(document.to_bytes()).unwrap(),
            String::from_utf8(stored.clone()).unwrap(),
            "{name}"
        );
        // It is also what a home that held it would load, log or no log.
        let place = place();
        let home = place.home.session_dir(record.id.as_ref().unwrap());
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(home.join("session.json"), &stored).unwrap();
        let loaded = place.home.load(record.id.as_ref().unwrap()).unwrap();
        assert_eq!(loaded.document, document, "{name}");
        names.push(name);
    }
    assert_eq!(names, ["detecting.json", "full.json", "minimal.json", "unknown-keys.json"]);
}

/// What the child of the next test does; alone it does nothing.
#[test]
fn a_child_that_works_on_a_home() {
    let Some(root) = std::env::var_os("AO_TEST_STORE_CHILD").map(PathBuf::from) else { return };
    let acknowledge = |session: &LockedSession| {
        fs::write(root.with_extension("ack"), session.record().revision.to_string()).unwrap();
    };
    let home = Home::open(&root).unwrap();
    let mut session = home.create_session(&record("web-1"), "ao spawn", at(0)).unwrap();
    acknowledge(&session);
    for number in 0..4 {
        let mut step = change(json!({"title": number.to_string()}));
        // The third makes the log long enough to be rotated.
        step.evidence = Some("x".repeat(if number == 2 { 1 << 20 } else { 10 }));
        let before = session.record().revision;
        if let Err(error) = session.commit(step) {
            assert!(matches!(error, StoreError::Fs(_)), "{error:?}");
            assert_eq!(home.load(&id("web-1")).unwrap().record.revision, before);
            return;
        }
        acknowledge(&session);
    }
    session.archive().unwrap();
    home.unarchive(&id("web-1"), SOON).unwrap();
}

#[test]
fn killed_or_refused_at_any_step_nothing_acknowledged_is_lost() {
    const POINTS: [&str; 16] = [
        "store.lock",
        "store.append",
        "store.write",
        "store.sync",
        "store.record",
        "store.create",
        "store.rotate.keep",
        "store.rotate.begin",
        "store.archive",
        "store.archived",
        "store.read",
        "fs.create",
        "fs.write",
        "fs.sync",
        "fs.rename",
        "fs.sync_directory",
    ];
    std::thread::scope(|scope| {
        for action in ["kill", "error:28"] {
            scope.spawn(move || {
                for point in POINTS {
                    die_at(point, 1, action);
                    die_at(point, 3, action);
                }
            });
        }
    });
}

/// Lets a child die or fail at the `nth` passing of `point` and checks what it left.
fn die_at(point: &str, nth: u32, action: &str) {
    let failpoint = format!("{point}#{nth}={action}");
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("home");
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::a_child_that_works_on_a_home"])
        .env("AO_TEST_STORE_CHILD", &root)
        .env("AO_FAILPOINT", &failpoint)
        .output()
        .unwrap();
    if nth == 1 && action == "kill" {
        let signal = std::os::unix::process::ExitStatusExt::signal(&child.status);
        assert_eq!(signal, Some(9), "{failpoint}: the child passes every point");
    }
    let acknowledged = fs::read_to_string(root.with_extension("ack"))
        .map_or(0, |text| text.parse::<u64>().unwrap());
    let home = Home::open(&root).unwrap();
    let live = home.session_ids().unwrap();
    let archived = home.archived_ids().unwrap();
    let seen = [live.clone(), archived.clone()].concat();
    assert!(seen.len() <= 1, "{failpoint}: one session, in one place");
    assert!(!seen.is_empty() || acknowledged == 0, "{failpoint}: an acknowledged session is gone");
    for id in &seen {
        let loaded = home.load(id).unwrap();
        let session = if archived.is_empty() {
            home.lock_session(id, SOON).unwrap()
        } else {
            home.unarchive(id, SOON).unwrap()
        };
        assert_eq!(session.record(), &loaded.record, "{failpoint}: readers see what writers do");
        assert!(loaded.record.revision >= acknowledged, "{failpoint}");
        assert_eq!(home.verify(id).unwrap().findings, [""; 0], "{failpoint}");
        if failpoint.contains("error") {
            let left = |(name, _): &(String, _)| name.starts_with(".ao-tmp-");
            assert!(!files(session.dir()).iter().any(left), "{failpoint}");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_log_of_any_changes_folds_to_the_record(
        patches in prop::collection::vec(
            prop::collection::btree_map("x[a-c]", any_json(), 0..3), 0..8),
        torn in 0_usize..200,
        stale in 0_usize..8,
    ) {
        let place = place();
        let home = place.home.clone().with_sync(false);
        let mut session = home.create_session(&record("web-1"), "ao spawn", at(0)).unwrap();
        let path = session.dir().join("session.json");
        let mut stored = vec![bytes(&path)];
        for patch in patches {
            let patch = patch.into_iter().collect();
            if session.commit(Change::new("test", at(2)).with_patch(patch)).unwrap().changed {
                stored.push(bytes(&path));
            }
        }
        let directory = session.dir().to_owned();
        drop(session);
        prop_assert_eq!(place.findings("web-1"), [""; 0]);
        prop_assert_eq!(place.revision("web-1"), stored.len() as u64);

        // The record as any earlier commit left it, and a log cut anywhere after that.
        let log = bytes(&directory.join("events.jsonl"));
        let stale = stale.min(stored.len() - 1);
        fs::write(&path, &stored[stale]).unwrap();
        let length = log.len().saturating_sub(torn);
        fs::write(directory.join("events.jsonl"), &log[..length]).unwrap();
        drop(place.lock("web-1").unwrap());
        let found = bytes(&path);
        prop_assert!(stored[stale..].contains(&found));
        let lost = place.findings("web-1").iter().all(|finding| finding.ends_with("are lost"));
        prop_assert!(lost);
    }
}

#[test]
fn an_event_told_by_a_newer_version_is_told_still() {
    let line = r#"{"schema":9,"seq":1,"at":"2026-11-20T10:00:00.000Z","cause":"x","patch":{},"status":"idle","future":1}"#;
    let Line::Event(Event { schema, .. }) = Line::parse(line.as_bytes()).unwrap() else {
        panic!("an event")
    };
    assert_eq!(schema, 9);
}
