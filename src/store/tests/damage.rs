//! Files that are damaged, of another version, or not files at all.

use super::*;

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
    // What is lost is told by the repair; the log begins anew with the record.
    assert_eq!(place.findings("web-1"), [""; 0]);

    fs::write(directory.join("session.json"), "").unwrap();
    fs::write(directory.join("events.jsonl"), "nonsense\n").unwrap();
    let before = files(&directory);
    let result = repair::apply(&place.home, &id("web-1"), SOON);
    assert!(matches!(result, Err(StoreError::Damaged { .. })), "{result:?}");
    assert_eq!(files(&directory), before);
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
    let all = ["detecting.json", "full.json", "minimal.json", "report.json", "unknown-keys.json"];
    assert_eq!(names, all);
}

#[test]
fn an_event_told_by_a_newer_version_is_told_still() {
    let line = r#"{"schema":9,"seq":1,"at":"2026-11-20T10:00:00.000Z","cause":"x","patch":{},"status":"idle","future":1}"#;
    let Line::Event(Event { schema, .. }) = Line::parse(line.as_bytes()).unwrap() else {
        panic!("an event")
    };
    assert_eq!(schema, 9);
}
