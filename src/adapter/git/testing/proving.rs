//! What is copied without being hashed again, and what never is.

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::adapter::git::copy::{Source, copy};
use crate::adapter::git::fill::read_source;
use crate::adapter::git::proven::{Note, Proofs, Records};

/// Seconds that no file of a test reaches: whatever is older counts as settled.
const LATER: i64 = 4_000_000_000;

/// Returns the main worktree as a copy would be made of it, everything in it long settled.
fn settled_source(place: &Place) -> Source {
    let source = read_source(&place.repo.main, &place.repo.common_dir, 20).unwrap();
    Source { written: LATER, ..source }
}

fn note_of(place: &Place) -> PathBuf {
    place.directory.path().join("ao-proven")
}

/// Reads the note, for which the next one is made in the repository.
fn read_note(place: &Place) -> Note {
    Note::read(place.directory.path(), &place.repo.common_dir, 20)
}

/// Returns how many files are noted as proved.
fn noted(place: &Place) -> usize {
    let Ok(bytes) = std_fs::read(note_of(place)) else { return 0 };
    let records = Records::parse(bytes, 20).unwrap();
    let ids = (0..records.len()).filter_map(|number| records.get(number));
    ids.filter(|(id, _)| id.iter().any(|byte| *byte != 0)).count()
}

/// Copies everything and returns what came of `a.txt`, nothing where that is left to git.
fn copied(place: &Place, source: &mut Source) -> Option<Vec<u8>> {
    source.note = Some(read_note(place));
    let to = tempfile::tempdir_in(place.directory.path()).unwrap();
    copy(source, to.path(), LATER, &|_, _| true).unwrap();
    std_fs::read(to.path().join("a.txt")).ok()
}

fn sh(directory: &Path, script: &str) {
    let command = Cmd::new("sh").args(["-ec", script]).cwd(directory).deadline(MINUTE);
    let output = command.output().unwrap();
    assert!(output.success(), "{script}: {}", output.stderr);
}

/// Waits until what is changed has another time than all that was changed before.
fn next_tick(directory: &Path) {
    let probe = directory.join("tick");
    let time = || {
        std_fs::write(&probe, "x").unwrap();
        let metadata = std_fs::metadata(&probe).unwrap();
        (metadata.ctime(), metadata.ctime_nsec())
    };
    let before = time();
    let later = clock::poll_until(Deadline::after(MINUTE), || (time() != before).then_some(()));
    later.unwrap();
}

#[test]
fn what_was_proved_is_copied_unhashed_until_it_is_touched() {
    // What becomes of a file that was proved, and what is copied then.
    let happens: [(&str, Option<&[u8]>); 6] = [
        ("true", Some(b"one\n")),
        ("chmod +x a.txt", Some(b"one\n")),
        ("cp -p a.txt other; mv other a.txt", Some(b"one\n")),
        // The same length and an old time: the time of its change tells.
        ("printf 'eno\\n' >a.txt; touch -d '1 hour ago' a.txt", None),
        ("touch -r a.txt time; printf 'eno\\n' >a.txt; touch -r time a.txt", None),
        ("printf 'eno\\n' >other; touch -r a.txt other; mv other a.txt", None),
    ];
    for (script, expected) in happens {
        let place = Place::new();
        let mut source = settled_source(&place);
        assert_eq!(copied(&place, &mut source).as_deref(), Some(&b"one\n"[..]));
        assert_eq!(noted(&place), 2, "both of its files");
        next_tick(place.directory.path());
        sh(&place.repo.main, script);
        assert_eq!(copied(&place, &mut source).as_deref(), expected, "{script}");
    }
}

#[test]
fn a_note_is_about_one_file_as_it_was_and_a_broken_one_is_none() {
    let place = Place::new();
    let mut source = settled_source(&place);
    assert_eq!(copied(&place, &mut source).as_deref(), Some(&b"one\n"[..]));
    let bytes = std_fs::read(note_of(&place)).unwrap();
    // What is noted is not hashed: whoever forged the note as well would be believed.
    next_tick(place.directory.path());
    std_fs::write(place.repo.main.join("a.txt"), "eno\n").unwrap();
    let stat = std_fs::metadata(place.repo.main.join("a.txt")).unwrap();
    let part = |number: i64| u32::try_from(number).unwrap().to_be_bytes();
    let times = [stat.ctime(), stat.ctime_nsec(), stat.mtime(), stat.mtime_nsec()].map(part);
    let (begin, inode) = (bytes.len() - 4 - 2 * 56, &stat.ino().to_be_bytes()[4..]);
    let mut forged = bytes.clone();
    let all = forged[begin..].chunks_mut(56);
    let record = all.into_iter().find(|record| &record[20 + 20..][..4] == inode).unwrap();
    record[20..20 + 16].copy_from_slice(times.as_flattened());
    let end = forged.len() - 4;
    std_fs::write(note_of(&place), &forged).unwrap();
    assert_eq!(copied(&place, &mut source), None, "its sum is another one");
    let sum = crc32fast::hash(&forged[..end]);
    forged[end..].copy_from_slice(&sum.to_be_bytes());
    std_fs::write(note_of(&place), &forged).unwrap();
    assert_eq!(copied(&place, &mut source).as_deref(), Some(&b"eno\n"[..]));
    for broken in [&b""[..], b"x", &bytes[..bytes.len() / 2], &[0; 4096]] {
        std_fs::write(note_of(&place), broken).unwrap();
        assert_eq!(copied(&place, &mut source), None, "it is hashed");
    }
}

#[test]
fn what_is_known_arrives_as_what_is_hashed_does() {
    const SCRIPT: &str = "mkdir -p d/e; : >empty; printf '#!/bin/sh\\n' >d/run; chmod +x d/run
        ln -s ../a.txt d/link; head -c 262144 /dev/urandom >d/full; echo >>d/e/line
        head -c 262145 /dev/urandom >d/large; git add -A";
    let place = Place::new();
    sh(&place.repo.main, SCRIPT);
    let mut source = settled_source(&place);
    let all = source.index.entries().len();
    let mut arrived = Vec::new();
    for known in [0, all - 1] {
        source.note = Some(read_note(&place));
        assert_eq!(noted(&place), known, "links are read each time");
        let to = tempfile::tempdir_in(place.directory.path()).unwrap();
        let stats = copy(&source, to.path(), LATER, &|_, _| true).unwrap();
        for (entry, stat) in source.index.entries().iter().zip(&stats) {
            let path = PathBuf::from(std::str::from_utf8(source.index.path(entry)).unwrap());
            let metadata = std_fs::symlink_metadata(to.path().join(&path)).unwrap();
            assert_eq!(stat.map(|stat| i64::from(stat.mtime.0)), Some(metadata.mtime()));
            assert_eq!(stat.map(|stat| u64::from(stat.size)), Some(metadata.len()));
        }
        // What cannot follow the two files themselves is left out: times.
        let list = "find . ! -type l -printf '%P %y %m %s\\n' -o -printf '%P %y %l\\n' | sort
            find . -type f -exec sha256sum {} + | sort";
        let command = Cmd::new("sh").args(["-ec", list]).cwd(to.path()).deadline(MINUTE);
        arrived.push(command.output().unwrap().text());
    }
    assert_eq!(arrived[0], arrived[1]);
    assert_eq!(arrived[0].lines().filter(|line| line.contains(" f 755 ")).count(), 1);
}

#[test]
fn what_is_noted_is_found_wherever_its_entry_is_by_now() {
    let place = Place::new();
    for name in ["d", "f", "h"] {
        std_fs::write(place.repo.main.join(name), name).unwrap();
    }
    plain(&place.repo.main, &["add", "."]);
    assert!(copied(&place, &mut settled_source(&place)).is_some());
    let note = read_note(&place);
    let known = |name: &str| std_fs::metadata(place.repo.main.join(name)).unwrap().ino() as u32;
    let before = ["a.txt", "d", "f", "h"].map(known);

    // New ones before and between, many of them once; one that is gone, one with another content.
    let script = "echo >0; echo >1; echo >e; rm d; echo other >f
        for number in $(seq 100 199); do echo $number >g$number; done; git add -A";
    sh(&place.repo.main, script);
    let source = Source { note: Some(note), ..settled_source(&place) };
    let proofs = Proofs::of(&source, LATER);
    let mut found = std::collections::BTreeMap::new();
    let mut from = super::super::proven::Place::default();
    for (number, entry) in source.index.entries().iter().enumerate() {
        let stat = proofs.of_entry(&source.index, number, &mut from);
        found.insert(String::from_utf8_lossy(source.index.path(entry)), stat.map(|it| it.ino));
    }
    for (name, ino) in [("a.txt", Some(before[0])), ("f", None), ("h", Some(before[3]))] {
        assert_eq!(found[name], ino, "{name}");
    }
    for name in ["0", "1", "e", "g100", "g199"] {
        assert_eq!(found[name], None, "{name}");
    }
    assert!(!found.contains_key("d"));
}

#[test]
fn what_was_changed_in_the_second_of_the_index_is_hashed_each_time() {
    let place = Place::new();
    let changed = std_fs::metadata(place.repo.main.join("a.txt")).unwrap().ctime();
    let mut source = Source { written: changed, ..settled_source(&place) };
    assert_eq!(copied(&place, &mut source).as_deref(), Some(&b"one\n"[..]));
    assert_eq!(noted(&place), 0, "it could be changed again in that second");
    // In this very moment, and with the same length.
    std_fs::write(place.repo.main.join("a.txt"), "eno\n").unwrap();
    assert_eq!(copied(&place, &mut source), None);
    // A worktree of the present counts as much as the index.
    let source = Source { written: LATER, ..source };
    let to = tempfile::tempdir_in(place.directory.path()).unwrap();
    copy(&source, to.path(), changed, &|_, _| true).unwrap();
    assert_eq!(noted(&place), 0);
}

#[test]
fn a_file_that_changes_while_it_is_copied_arrives_as_the_commit_has_it_or_not_at_all() {
    const ROUNDS: usize = 40;
    for length in [150_000, 300_000] {
        let place = Place::new();
        let file = place.repo.main.join("a.txt");
        let (good, bad) = (vec![b'g'; length], vec![b'b'; length]);
        for round in 0..ROUNDS {
            std_fs::write(&file, &good).unwrap();
            plain(&place.repo.main, &["add", "a.txt"]);
            let mut source = settled_source(&place);
            assert_eq!(copied(&place, &mut source).as_deref(), Some(&good[..]));
            assert_eq!(noted(&place), 2);
            next_tick(place.directory.path());
            let arrived = std::thread::scope(|scope| {
                scope.spawn(|| {
                    // In place, so that the file that is open changes; sooner or later.
                    for _ in 0..round * 200 {
                        std::hint::spin_loop();
                    }
                    let mut open = std_fs::File::options().write(true).open(&file).unwrap();
                    std::io::Write::write_all(&mut open, &bad).unwrap();
                });
                copied(&place, &mut source)
            });
            assert!(arrived.is_none_or(|arrived| arrived == good), "in round {round}");
        }
    }
}
