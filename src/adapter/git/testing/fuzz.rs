//! Fuzz targets for what git prints and keeps: a line that cannot be read is an error, never
//! "nothing".

use super::*;
use crate::adapter::git::command::{is_race, last_word, parse_version};
use crate::adapter::git::entry::{parse_gitdir, parse_list};
use crate::adapter::git::include::{matching, safe_path};
use crate::adapter::git::status::parse_status;
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
