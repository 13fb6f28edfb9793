//! Fuzz targets for the files of a home: whatever is in them, a reader writes nothing, an error
//! names a file of the session, and what a writer leaves is sound.

use super::*;
use crate::decide;
use crate::fuzz::{Target, target};
use crate::model::check;
use crate::model::facts::{Bare, Observation};
use crate::model::patch;
use crate::model::policy::Policy;
use crate::model::status::Status;
use crate::store::events::{self, Fold};
use crate::store::{format, review};

const KEYS: &[&str] = &[
    "\"revision\": 3",
    "\"revision\": 4",
    "\"schema\": 2",
    "\"session\"",
    "\"lifecycle\"",
    "\"detecting\"",
    "\"outbox\"",
    "\"intent\"",
    "\"handles\"",
    "\"patch\"",
    "\"record\"",
    "\"seq\":1",
    "\"cause\":\"recovered\"",
    "\"unknown\": {\"x\": 1}",
    "null",
    "\"../x\"",
];

fn records(name: &'static str) -> Target {
    target(name).fixtures("record/v1", ".json").words(KEYS)
}

/// The state of a place whose one session, `web-1`, has files made of random bytes.
struct Damaged {
    place: Place,
    directory: PathBuf,
    good: (Vec<u8>, Vec<u8>),
}

impl Damaged {
    fn new() -> Self {
        let place = place();
        let home = place.home.clone().with_sync(false);
        let place = Place { home, ..place };
        let directory = place.three("web-1");
        let good = (bytes(&directory.join("session.json")), bytes(&directory.join("events.jsonl")));
        Self { place, directory, good }
    }

    /// Puts these files there, and nothing else.
    fn put(&self, record: Option<&[u8]>, log: Option<&[u8]>) {
        for (name, _) in files(&self.directory) {
            fs::remove_file(self.directory.join(name)).unwrap();
        }
        for (name, content) in [("session.json", record), ("events.jsonl", log)] {
            if let Some(content) = content {
                fs::write(self.directory.join(name), content).unwrap();
            }
        }
    }

    /// Reads, writes and repairs what is there, and asserts what has to hold.
    fn assert_sound(&self) {
        let (home, name) = (&self.place.home, id("web-1"));
        let before = files(&self.directory);
        let loaded = home.load(&name);
        let _ = (home.summaries(true), home.verify(&name), home.events(&name));
        let proposal = repair::propose(home, &name).map_err(|error| self.named(&error));
        assert_eq!(files(&self.directory), before, "a reader wrote");
        if let Err(error) = &loaded {
            self.named(error);
        } else if let Ok(loaded) = &loaded {
            check::check(&loaded.record);
        }
        let locked = home.lock_session(&name, SOON);
        match (&locked, &loaded) {
            (Ok(session), Ok(loaded)) => assert_eq!(session.document(), &loaded.document),
            (Ok(_), Err(error)) => panic!("a writer got over {error}"),
            (Err(error), _) => self.named(error),
        }
        let newer = locked.as_ref().is_ok_and(|session| session.document().schema() > 1);
        if let Ok(mut session) = locked {
            let _ = session.commit(change(json!({"title": "after"}))).map_err(|error| {
                self.named(&error);
            });
        } else if proposal.is_ok() {
            let _ = repair::apply(home, &name, SOON);
        }
        // A line that is damaged before the last is found, and repaired, on request alone.
        let repaired = repair::apply(home, &name, SOON).is_ok();
        if repaired && !newer && home.load(&name).is_ok_and(|loaded| loaded.notes.is_empty()) {
            let verified = home.verify(&name).unwrap();
            let lost = |finding: &String| finding.contains("are lost");
            let old = |finding: &String| finding.contains("is not what the log folds to");
            assert!(verified.findings.iter().all(|it| lost(it) || old(it)), "{verified:?}");
        }
    }

    /// Asserts that an error says which file of the session, or which session, it is about.
    fn named(&self, error: &StoreError) {
        let text = crate::model::sanitize::chain(error);
        assert!(text.contains("web-1"), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn fuzz_record() {
    records("record").run(|bytes| {
        let Ok(document) = Document::parse(bytes) else { return };
        let written = document.to_bytes();
        let again = Document::parse(&written).unwrap();
        assert_eq!(again, document, "every key survives a write");
        assert_eq!(again.to_bytes(), written);
        let Ok(record) = document.view() else { return };
        check::check(&record);
        Status::of(&record.lifecycle);
        let typed = record.to_document();
        assert_eq!(typed.view().unwrap(), record);
        // Whatever a record says, deciding is total, and makes a record that can be read.
        let tick = Observation::Tick(Bare::default());
        if let Ok(outcome) = decide::reduce(&record, &tick, &Policy::default(), at(9)) {
            document.patched(&outcome.patch).view().unwrap();
        }
    });
}

#[test]
fn fuzz_patch() {
    records("patch").run(|bytes| {
        let middle = bytes.len() / 2;
        let (left, right) = bytes.split_at(middle);
        let whole = serde_json::from_slice::<Map<String, Value>>(bytes);
        let halves = [left, right].map(serde_json::from_slice::<Map<String, Value>>);
        for object in whole.into_iter().chain(halves.into_iter().flatten()) {
            let before = Document::from_map(object.clone());
            let full = Document::from_map(record("web-1").to_map());
            for (from, to) in [(&before, &full), (&full, &before)] {
                let difference = patch::difference(from.as_map(), to.as_map());
                assert_eq!(from.patched(&difference), *to);
            }
        }
    });
}

#[test]
fn fuzz_events() {
    let seed = Damaged::new().good.1;
    target("events").seed(seed).words(KEYS).run(|bytes| {
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(parsed) = Line::parse(line) {
                let again = Line::parse(&parsed.to_bytes()).unwrap();
                assert_eq!(again, parsed);
            }
        }
        let (fold, fault) = Fold::of(bytes);
        assert!(fold.bytes <= bytes.len());
        if fault.is_none() && fold.lines > 0 {
            assert_eq!(fold.document().revision(), fold.seq);
        }
    });
}

#[test]
fn fuzz_store_record() {
    let damaged = Damaged::new();
    target("store-record").seed(damaged.good.0.clone()).words(KEYS).run(|bytes| {
        damaged.put(Some(bytes), Some(&damaged.good.1));
        damaged.assert_sound();
        damaged.put(Some(bytes), None);
        damaged.assert_sound();
    });
}

#[test]
fn fuzz_store_log() {
    let damaged = Damaged::new();
    let snapshot = {
        let document = Document::parse(&damaged.good.0).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("events.jsonl"), &damaged.good.1).unwrap();
        events::rotate(directory.path(), &document).unwrap();
        bytes(&directory.path().join("events.jsonl"))
    };
    let both = target("store-log").seed(damaged.good.1.clone()).seed(snapshot).words(KEYS);
    both.run(|bytes| {
        damaged.put(Some(&damaged.good.0), Some(bytes));
        damaged.assert_sound();
        damaged.put(None, Some(bytes));
        damaged.assert_sound();
    });
}

#[test]
fn fuzz_projects() {
    let place = place();
    let new = crate::store::NewProject {
        common_dir: "/src/web/.git".into(),
        repo: "/src/web".into(),
        origin: Some("https://example.com/a/b.git".to_owned()),
        default_branch: Some("main".to_owned()),
        folder_name: "web".to_owned(),
    };
    let (project, _) = place.home.register_project(new, SOON, at(0)).unwrap();
    let path = place.home.root().join("projects/web.json");
    target("projects").seed(bytes(&path)).words(KEYS).words(&["\"counter\"", "\"web-2\""]).run(
        |bytes| {
            fs::write(&path, bytes).unwrap();
            match place.home.project(&project.id) {
                Ok(found) => assert_eq!(found.id, project.id),
                Err(error) => assert!(error.to_string().contains("web.json"), "{error}"),
            }
            let before = serde_json::from_slice::<Map<String, Value>>(bytes);
            let counted = |project: &mut crate::store::Project| {
                project.counter = project.counter.saturating_add(1);
            };
            if place.home.update_project(&project.id, SOON, counted).is_ok() {
                let after: Map<String, Value> =
                    serde_json::from_slice(&super::bytes(&path)).unwrap();
                for key in before.unwrap().keys() {
                    assert!(after.contains_key(key) || KNOWN_OF_A_PROJECT.contains(&&**key));
                }
            }
        },
    );
}

/// Keys that a project's file may lose: an empty one of these is as good as none.
const KNOWN_OF_A_PROJECT: &[&str] = &["origin", "default_branch", "approvals"];

#[test]
fn fuzz_reviews() {
    let damaged = Damaged::new();
    let seed = json!({ "schema": 1, "last": 2, "runs": [{ "run": "web-1-r1", "worker": "web-1",
        "reviewer": "codex", "head_sha": "a1", "state": "complete", "verdict": "approved",
        "created_at": "2026-11-20T10:00:00Z", "launching": { "pid": 1, "pid_start": 2,
        "boot_id": "b", "at": "2026-11-20T10:00:00Z" } }] });
    let path = damaged.directory.join(review::REVIEWS);
    target("reviews").seed(seed.to_string()).run(|bytes| {
        fs::write(&path, bytes).unwrap();
        let runs = damaged.place.home.review_runs(&id("web-1"));
        if let Err(error) = &runs {
            damaged.named(error);
        }
        let locked = damaged.place.lock("web-1").unwrap();
        if let Ok(mut reviews) = locked.reviews() {
            reviews.next_name(&id("web-1"));
            locked.store_reviews(&reviews).unwrap();
            assert_eq!(locked.reviews().unwrap(), reviews);
        }
    });
}

#[test]
fn fuzz_format() {
    let place = place();
    let path = place.home.root().join("format");
    target("format").seed("1\n").seed("2\n").run(|bytes| {
        fs::write(&path, bytes).unwrap();
        match format::read(place.home.root()) {
            Ok(found) => assert!(found.is_some()),
            Err(error) => assert!(error.to_string().contains("format"), "{error}"),
        }
    });
}

#[test]
fn fuzz_locks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lock");
    let seed = r#"{"pid":1,"pid_start":1,"command":"ao reap","since":"2026-11-20T10:00:00Z"}"#;
    target("lock").seed(seed).run(|bytes| {
        fs::write(&path, bytes).unwrap();
        lock::holder_of(&path);
    });
    let table =
        "1: FLOCK  ADVISORY  WRITE 4242 fe:00:77 0 EOF\n1: -> FLOCK ADVISORY WRITE 1 a:b:1 0 EOF\n";
    target("proc-locks").seed(table).run_text(|text| {
        lock::parse_locks(text, 77);
    });
}
