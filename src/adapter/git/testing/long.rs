//! Indexes that are long enough to be read and written by two threads, against git.

use std::fmt::Write as _;

use super::*;
use crate::adapter::fs::directory::Stat;
use crate::adapter::git::index::{Index, IndexError};
use crate::adapter::process;

/// Gives the repository an index of so many files, none of which is there, and returns it.
fn index_of(place: &Place, files: usize, version: &str) -> Vec<u8> {
    let top = &place.repo.main;
    let id = plain(top, &["hash-object", "-w", "a.txt"]);
    let mut lines = String::new();
    for number in 0..files {
        let mode = ["100644", "100755"][number % 2];
        writeln!(lines, "{mode} {id}\tfolder-{}/file-{number:06}", number / 100).unwrap();
    }
    let attributes = [".gitattributes", "folder-1/.gitattributes", "folder-2/not.gitattributes"];
    for name in attributes {
        writeln!(lines, "100644 {id}\t{name}").unwrap();
    }
    let add = Cmd::new("git").args(["update-index", "--index-info"]).cwd(top);
    assert!(add.stdin(lines).deadline(MINUTE).output().unwrap().success());
    plain(top, &["write-tree"]);
    plain(top, &["update-index", "--index-version", version]);
    std_fs::read(place.repo.common_dir.join("index")).unwrap()
}

#[test]
fn what_two_threads_read_and_write_is_what_git_reads() {
    for (init, hash) in [(&[][..], 20), (&["--object-format=sha256"], 32)] {
        for version in ["2", "4"] {
            let place = Place::with(init);
            let bytes = index_of(&place, 16_000, version);
            let index = Index::parse(bytes.clone(), hash).unwrap();
            assert!(index.is_long() || process::processors() == 1, "{}", bytes.len());
            let given: Vec<_> = index.attributes().map(|entry| index.path(entry)).collect();
            assert_eq!(given, [&b".gitattributes"[..], b"folder-1/.gitattributes"]);

            let known = |number: usize| {
                let number = u32::try_from(number).unwrap();
                Stat { mtime: (number, 1), ino: number, size: 4, ..Stat::default() }
            };
            let all: Vec<_> = (0..index.entries().len()).map(|it| Some(known(it))).collect();
            let some = all.iter().enumerate().map(|(at, it)| it.filter(|_| at % 3 > 0)).collect();
            let list = ["ls-files", "--stage"];
            let staged = plain(&place.repo.main, &list);
            for stats in [&all, &some] {
                let parts = index.write(stats);
                let written = [parts.concat(), index.sum(&parts)].concat();
                std_fs::write(place.repo.common_dir.join("index"), &written).unwrap();
                let expected = staged.lines().zip(stats).filter(|(_, stat)| stat.is_some());
                let expected: Vec<_> = expected.map(|(line, _)| line).collect();
                assert_eq!(plain(&place.repo.main, &list), expected.join("\n"));
                plain(&place.repo.main, &["-c", "index.skipHash=false", "fsck", "--no-dangling"]);
                let again = Index::parse(written, hash).unwrap();
                let noted: Vec<_> = again.entries().iter().map(|it| again.stat(it)).collect();
                assert_eq!(noted, stats.iter().flatten().copied().collect::<Vec<_>>());
                assert_eq!(again.tree(), index.tree().filter(|_| stats == &all));
            }
            let mut damaged = bytes;
            let at = damaged.len() / 2;
            damaged[at] ^= 1;
            assert_eq!(Index::parse(damaged, hash).unwrap_err(), IndexError::Damaged);
        }
    }
}

#[test]
fn an_index_with_a_wrong_sum_or_paths_out_of_order_or_of_no_worktree_is_damaged() {
    let entry = |path: &[u8], stage: u8| {
        // 62 bytes are before the path, and at least one after it.
        let mut bytes = vec![0; (62 + path.len() + 8) / 8 * 8];
        bytes[24..28].copy_from_slice(&0o100_644_u32.to_be_bytes());
        bytes[60] = stage << 4;
        bytes[61] = u8::try_from(path.len()).unwrap();
        bytes[62..62 + path.len()].copy_from_slice(path);
        bytes
    };
    let index = |entries: &[Vec<u8>], sum: [u8; 20]| {
        let count = u32::try_from(entries.len()).unwrap().to_be_bytes();
        [b"DIRC", &[0, 0, 0, 2], &count[..], &entries.concat(), &sum].concat()
    };
    let parse = |entries: &[Vec<u8>]| {
        Index::parse(index(entries, [0; 20]), 20).map(|index| index.entries().len())
    };
    let wrong = index(&[entry(b"a", 0)], [1; 20]);
    assert_eq!(Index::parse(wrong.clone(), 20).unwrap_err(), IndexError::Damaged);
    assert_eq!(Index::parse_unverified(wrong, 20).unwrap().entries().len(), 1);
    assert_eq!(parse(&[entry(b"a", 0), entry(b"b/c", 0)]), Ok(2));
    assert_eq!(parse(&[entry(b"a", 1), entry(b"a", 2), entry(b"a", 3)]), Ok(3));
    for wrong in [
        [entry(b"b", 0), entry(b"a", 0)],
        [entry(b"a", 0), entry(b"a", 0)],
        [entry(b"", 0), entry(b"a", 0)],
        [entry(b"/a", 0), entry(b"a", 0)],
    ] {
        assert_eq!(parse(&wrong), Err(IndexError::Damaged));
    }
}
