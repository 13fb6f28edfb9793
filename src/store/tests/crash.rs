//! Writers that are killed, and power cuts.

use super::*;

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

/// What the child of the next test does; alone it does nothing.
#[test]
fn a_child_that_works_on_a_home() {
    let Some(root) = std::env::var_os("AO_TEST_STORE_CHILD").map(PathBuf::from) else { return };
    if std::env::var_os("AO_TEST_STORE_UMASK").is_some() {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o277));
    }
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

/// Returns the command of a child that works on the home at `root`.
fn child(root: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "store::tests::crash::a_child_that_works_on_a_home"])
        .env("AO_TEST_STORE_CHILD", root);
    command
}

#[test]
fn a_stopped_holder_is_named_and_keeps_its_lock() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("home");
    let mut holder = child(&root)
        .env("AO_FAILPOINT", "store.append#3=stop")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let stopped = || {
        let stat = crate::adapter::process::read_stat(holder.id()).unwrap().unwrap();
        (stat.state == b'T').then_some(())
    };
    let deadline = crate::adapter::clock::Deadline::after(SOON);
    crate::adapter::clock::poll_until(deadline, stopped).unwrap();

    let home = Home::open(&root).unwrap();
    let result = home.lock_session(&id("web-1"), Duration::from_millis(50));
    let Err(StoreError::Locked(lock::LockError::Timeout { holder: named, .. })) = result else {
        panic!("{result:?}")
    };
    assert_eq!(named.unwrap().pid, holder.id());
    // The thread that works may pass a few more instructions before it stops.
    let seen = home.load(&id("web-1")).unwrap().record.revision;
    assert!(seen >= 2);
    // The kernel lets go of it when its holder dies.
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(home.lock_session(&id("web-1"), SOON).unwrap().record().revision >= seen);
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("home");
    let done = child(&root).env("AO_TEST_STORE_UMASK", "1").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let session = root.join("sessions/web-1");
    for path in [&root, &root.join("sessions"), &session] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    assert_eq!(mode(&root.join("format")), 0o600);
    for name in ["session.json", "events.jsonl", "events.1.jsonl", "lock"] {
        assert_eq!(mode(&session.join(name)), 0o600, "{name}");
    }
}

/// Lets a child die or fail at the `nth` passing of `point` and checks what it left.
fn die_at(point: &str, nth: u32, action: &str) {
    let failpoint = format!("{point}#{nth}={action}");
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("home");
    let child = child(&root).env("AO_FAILPOINT", &failpoint).output().unwrap();
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
