//! Fuzz targets for what git prints and keeps: a line that cannot be read is an error, never
//! "nothing".

use super::*;
use crate::adapter::git::base::{branch_in, default_in, head_in};
use crate::adapter::git::command::{is_race, last_word, parse_version};
use crate::adapter::git::entry::{Admin, parse_gitdir, parse_list};
use crate::adapter::git::fill::converted_in;
use crate::adapter::git::include::{matching, safe_path};
use crate::adapter::git::index::{Entry, Index};
use crate::adapter::git::pool::not_gits;
use crate::adapter::git::proven::Records;
use crate::adapter::git::push::tip_in;
use crate::adapter::git::refs;
use crate::adapter::git::removal::last_in;
use crate::adapter::git::spotless::Folders;
use crate::adapter::git::status::{parse_status, staged_in};
use crate::adapter::git::trash::parse_name;
use crate::fuzz::target;

#[test]
fn fuzz_git_status() {
    let words = [
        "1 .M N... 100644 100644 100644 a b file",
        "2 R. x",
        "u UU",
        "? new",
        "! ignored",
        "# branch.oid ",
    ];
    target("git-status").fixtures("git", "status.txt").words(&words).run(|bytes| {
        let Ok((status, untracked)) = parse_status(bytes) else { return };
        assert_eq!(status.untracked as usize, untracked.len());
        let told =
            |first: &[u8]| bytes.split(|byte| *byte == 0).any(|record| record.starts_with(first));
        // What git tells is never read as a clean worktree.
        assert!(
            status.dirty() || ![b"1 ", b"u ", b"? "].into_iter().any(|it| told(it)) || told(b"2 ")
        );
    });
}

#[test]
fn fuzz_git_worktrees() {
    let words =
        ["worktree ", "HEAD ", "branch refs/heads/", "detached", "locked ", "prunable ", "bare"];
    target("git-worktrees").fixtures("git", "worktree-list.txt").words(&words).run(|bytes| {
        if let Ok(entries) = parse_list(bytes) {
            let said = bytes.split(|byte| *byte == 0);
            let said = said.filter(|it| *it == b"worktree" || it.starts_with(b"worktree "));
            assert_eq!(entries.len(), said.count());
        }
    });
}

#[test]
fn fuzz_git_refs() {
    let seeds = [
        "a1b2\trefs/heads/x/main\nc3d4\trefs/heads/main\n",
        "ref: refs/heads/dev\tHEAD\na1b2\tHEAD\n",
        "a1b2 ao/web\nc3d4 ao/web-1\n",
        "origin/HEAD origin/dev\norigin/main \n",
    ];
    let target = seeds.iter().fold(target("git-refs"), |target, seed| target.seed(*seed));
    target.words(&["origin/", "refs/heads/", "main", "HEAD", "ref: "]).run_text(|text| {
        let is_there = |found: Option<String>| found.is_none_or(|found| text.contains(&found));
        let is_whole = |between: char| text.lines().all(|line| line.contains(between));
        let read = |between: char, read: Result<Option<String>, GitError>| match read {
            Ok(found) => assert!(is_whole(between) && is_there(found)),
            Err(GitError::BranchNameTaken { other, .. }) => assert!(is_there(Some(other))),
            Err(error) => assert!(shows(&error, text.lines().map(str::as_bytes)), "{error}"),
        };
        read('\t', tip_in(text, "refs/heads/main"));
        read('\t', head_in(text));
        read(' ', branch_in(text, "ao/web-1"));
        read(' ', default_in(text));
    });
}

#[test]
fn fuzz_git_paths() {
    let seeds = [
        "a\0filter\0lfs\0b c\0eol\0lf\0d\0ident\0unset\0",
        "H 100644 a1 0\ta\0h 160000 b2 0\tb c\0",
        "?? a\0A  b c\0!! d/\0",
        " M a\0?? b\0",
    ];
    let target = seeds.iter().fold(target("git-paths"), |target, seed| target.seed(*seed));
    target.words(&["unspecified", "?? ", "!! ", "UU "]).run(|bytes| {
        let parts = || bytes.split(|byte| *byte == 0);
        let told = parts().filter(|part| !part.is_empty()).count();
        match converted_in(bytes) {
            Ok(paths) => {
                assert!((parts().count() - 1).is_multiple_of(3));
                assert!(paths.iter().all(|path| parts().any(|part| part == path)));
            }
            Err(error) => assert!(shows(&error, parts()), "{error}"),
        }
        match staged_in(bytes) {
            // None is passed over.
            Ok(files) => {
                assert_eq!(files.len(), told);
                let lines = parts().filter(|part| !part.is_empty());
                assert!(files.iter().zip(lines).all(|(file, it)| {
                    it.first() == Some(&file.mark) && it.ends_with(file.path)
                }));
            }
            Err(error) => assert!(shows(&error, parts()), "{error}"),
        }
        match not_gits(bytes) {
            // None is passed over: each is put aside, as the commit has it, or the end of it.
            Ok(Ok(aside)) => {
                let is_fine = |line: &&[u8]| line.get(1) == Some(&b' ');
                assert!(aside.len() + parts().filter(is_fine).count() >= told);
            }
            Ok(Err(changed)) => assert!(parts().any(|part| part.ends_with(changed))),
            Err(error) => assert!(shows(&error, parts()), "{error}"),
        }
    });
}

#[test]
fn fuzz_git_entries() {
    let directory = tempfile::tempdir().unwrap();
    let entry = directory.path().join("web-1");
    std_fs::create_dir(&entry).unwrap();
    let (old, new) = ("0".repeat(40), "a".repeat(40));
    let line = format!("{old} {new} t <t@example.org> 1 +0000\tcommit: x\n");
    let target = target("git-entries").seed(line).seed("ref: refs/heads/ao/web-1\n");
    let target = target.seed(format!("{new}\n")).seed("../..\n").seed("/srv/web-1/.git\n");
    target.words(&[&new, "ref: ", "refs/heads/"]).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(tip) = last_in(bytes) {
            assert!(text.contains(&tip) && tip.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        match refs::head_in(bytes) {
            Some(refs::Head::Branch(name)) => {
                assert_eq!(text, format!("ref: refs/heads/{name}\n"));
            }
            Some(refs::Head::Detached(sha)) => {
                assert_eq!(text.to_ascii_lowercase(), format!("{sha}\n"));
            }
            None => {}
        }
        for name in ["commondir", "gitdir", "locked"] {
            std_fs::write(entry.join(name), bytes).unwrap();
        }
        let admin = Admin::load(&entry).unwrap();
        assert_eq!(admin.bricked, bytes.trim_ascii().is_empty());
        assert!(admin.worktree.is_none_or(|worktree| worktree.is_absolute()));
        // One file cannot be both, so git is asked about every such entry.
        assert_eq!(refs::linked(&entry), None);
    });
}

#[test]
fn fuzz_git_words() {
    let seeds =
        ["fatal: x\nhint: y\n", "git version 2.47.3", "web-1-0190000000000abc", "/r/.git\n"];
    let target = seeds.iter().fold(target("git-words"), |target, seed| target.seed(*seed));
    target.run_text(|text| {
        assert!(!last_word(text).contains('\n'));
        is_race(text);
        parse_version(text);
        parse_name(text);
        parse_gitdir(Path::new("/none/admin"), text.as_bytes());
        if let Ok(path) = safe_path(text) {
            let plain = |part| matches!(part, std::path::Component::Normal(_));
            assert!(path.components().all(plain) && !path.starts_with(".git"), "{path:?}");
        }
    });
}

/// Returns the index of a small repository in each version, with a sum that is left out, so that
/// what is made of it is not all refused for that.
fn indexes() -> Vec<Vec<u8>> {
    let place = Place::new();
    let top = &place.repo.main;
    std_fs::create_dir_all(top.join("d/e")).unwrap();
    for name in ["b", "d/c", "d/e/f", "d/.gitattributes", "z"] {
        std_fs::write(top.join(name), name).unwrap();
    }
    plain(top, &["add", "."]);
    plain(top, &["commit", "-qm", "more"]);
    let read = |version| {
        plain(top, &["update-index", "--index-version", version]);
        let mut bytes = std_fs::read(place.repo.common_dir.join("index")).unwrap();
        let end = bytes.len() - 20;
        bytes[end..].fill(0);
        bytes
    };
    ["2", "4"].map(read).into()
}

#[test]
fn fuzz_git_index() {
    let target = indexes().into_iter().fold(target("git-index"), |target, it| target.seed(it));
    target.words(&["DIRC", "TREE", ".gitattributes", "/", "\0\0\0\u{2}"]).run(|bytes| {
        let Ok(index) = Index::parse(bytes.to_vec(), 20) else { return };
        let entries = index.entries();
        let paths: Vec<&[u8]> = entries.iter().map(|entry| index.path(entry)).collect();
        assert!(paths.is_sorted() && !paths.contains(&&b""[..]));
        let named = paths
            .iter()
            .filter(|path| path.rsplit(|it| *it == b'/').next() == Some(b".gitattributes"));
        assert_eq!(index.attributes().count(), named.count());
        // Every file is looked at in one directory, and each of these is some file's.
        let folders: Vec<_> = Folders::of(&index, 0).collect();
        assert_eq!(folders.iter().map(|folder| folder.files.len()).sum::<usize>(), entries.len());
        let slashes = paths.concat().iter().filter(|byte| **byte == b'/').count();
        assert!(folders.len() <= 1 + slashes);
        let known = |entry: &Entry| entry.plain.then(|| index.stat(entry));
        let stats: Vec<_> = entries.iter().map(known).collect();
        let parts = index.write(&stats);
        let again = Index::parse([parts.concat(), index.sum(&parts)].concat(), 20).unwrap();
        let written: Vec<_> = again.entries().iter().map(|entry| again.path(entry)).collect();
        let is_all = written.len() == paths.len();
        assert_eq!(written.len(), entries.iter().filter(|entry| entry.plain).count());
        assert!(written.iter().all(|path| paths.contains(path)) && (!is_all || written == paths));
        assert_eq!(again.tree(), index.tree().filter(|_| is_all));
    });
}

#[test]
fn fuzz_proven_note() {
    let record = [[7; 20].as_slice(), &[1; 36]].concat();
    let target = target("proven-note").seed(record.repeat(3)).seed(record.repeat(100));
    target.run(|bytes| {
        assert!(Records::parse(bytes.to_vec(), 20).is_none_or(|records| records.len() > 0));
        // With a beginning and a sum, so that records are looked at.
        let body = [b"ao-proven 2\n", bytes].concat();
        let note = [&body[..], &crc32fast::hash(&body).to_be_bytes()].concat();
        let Some(records) = Records::parse(note, 20) else {
            return assert_ne!(bytes.len() % 56, 0);
        };
        assert_eq!(records.len(), bytes.len() / 56);
        for number in 0..records.len() {
            let (id, _) = records.get(number).unwrap();
            let found = records.find(id, number + 40).unwrap();
            assert_eq!(records.get(found).unwrap().0, id);
        }
        assert!(records.get(records.len()).is_none());
    });
}

#[test]
fn fuzz_worktreeinclude() {
    let place = Place::new();
    let top = &place.repo.main;
    for name in [".env", ".env.local", "b"] {
        std_fs::write(top.join(name), "x").unwrap();
    }
    // Each case is a git of its own.
    let ran = std::cell::Cell::new(0);
    target("worktreeinclude").seed(".env*\n!.env.local\n# x\n").run_text(|text| {
        ran.set(ran.get() + 1);
        if text.len() > 10_000 || (ran.get() > 60 && std::env::var_os("AO_FUZZ_SECONDS").is_none())
        {
            return;
        }
        if let Ok(paths) = matching(top, text) {
            for path in paths {
                assert!(top.join(&path).exists() && path.is_relative(), "{path:?}");
            }
        }
    });
}

#[test]
fn branch_names_that_are_accepted_are_gits_own() {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;
    let place = Place::new();
    let sha = place.repo.base(None).unwrap().sha;
    let mut runner = TestRunner::deterministic();
    let strategy = "[a-zA-Z0-9äß日._/+#-]{1,12}";
    let names: Vec<String> = (0..600)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .filter(|name| name.parse::<BranchName>().is_ok())
        .enumerate()
        // One is not to be the directory of another.
        .map(|(number, name)| format!("x{number}{name}"))
        .collect();
    assert!(names.len() > 100, "{}", names.len());
    let lines: String =
        names.iter().map(|name| format!("create refs/heads/{name} {sha}\n")).collect();
    let git = || crate::adapter::git::command::git(&place.repo.main);
    git().args(["update-ref", "--stdin"]).stdin(lines).read().unwrap();
    let format = "--format=%(refname:strip=2)";
    let listed = git().args(["for-each-ref", format, "refs/heads/"]).read().unwrap().text();
    let mut listed: Vec<String> =
        listed.lines().filter(|it| it.starts_with('x')).map(str::to_owned).collect();
    let mut names = names;
    listed.sort();
    names.sort();
    assert_eq!(listed, names);
    for name in names.iter().take(8) {
        git().args(["check-ref-format", "--branch", name]).read().unwrap();
    }
}
