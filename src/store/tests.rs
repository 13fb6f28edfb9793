//! What a session's files look like after each way to die, and what becomes of them.
#![expect(clippy::disallowed_methods, reason = "makes damaged files")]

mod crash;
mod damage;
mod fuzz;

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
                let patch = json!({"reactions": {(number.to_string()): {}}});
                session.commit(change(patch)).unwrap();
            });
        }
    });
    let loaded = place.home.load(&id("web-1")).unwrap();
    assert_eq!((loaded.record.revision, loaded.record.reactions.len()), (51, 50));
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
                crate::model::summary::Summary::of(&summary.id, &loaded.record, loaded.archived)
            );
        }
    };
    check();
    // Killed between event and record, whatever the clock said at either.
    place.lock("web-1").unwrap().commit(change(json!({"title": "late"}))).unwrap();
    fs::write(directory.join("session.json"), early).unwrap();
    let record = fs::File::options().write(true).open(directory.join("session.json")).unwrap();
    for seconds in [1_000_000_000, 4_000_000_000] {
        record.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        check();
        let summary = &place.home.summaries(false).unwrap()[0];
        assert_eq!(summary.as_ref().unwrap().title.as_deref(), Some("late"));
    }
    assert_eq!(place.home.summaries(false).unwrap().len(), 2);
}

#[test]
fn many_summaries_come_in_order_whoever_reads_them() {
    let place = place();
    for n in 100..300 {
        drop(place.create(&format!("web-{n}")));
    }
    fs::write(place.home.root().join("sessions/web-150/session.json"), "{").unwrap();
    fs::remove_file(place.home.root().join("sessions/web-250/session.json")).unwrap();
    fs::remove_file(place.home.root().join("sessions/web-250/events.jsonl")).unwrap();
    let told = |told: crate::store::Told| match told {
        Ok(summary) => summary.id.to_string(),
        Err((id, _)) => format!("{id} is damaged"),
    };
    let found: Vec<String> = place.home.summaries(false).unwrap().into_iter().map(told).collect();
    let mut expected: Vec<String> = (100..300).map(|n| format!("web-{n}")).collect();
    expected[150].push_str(" is damaged");
    assert_eq!(found, expected);
}

#[test]
fn a_session_that_is_written_to_verifies_at_any_moment() {
    let place = place();
    drop(place.create("a-1"));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..60 {
                let mut locked = place.home.lock_session(&id("a-1"), SOON).unwrap();
                let revision = locked.record().revision;
                locked.commit(change(json!({ "title": format!("title {revision}") }))).unwrap();
            }
        });
        while !writer.is_finished() {
            assert_eq!(place.home.verify(&id("a-1")).unwrap().findings, [""; 0]);
        }
    });
}
