//! Merges that are made, and branches that are moved to them.

use super::*;
use crate::model::forge::MergeMethod;

/// `main` and `work` apart: two commits of two people on `work`, one on `main`.
const APART: &str = r#"
    set -e
    c() { printf '%b' "$2" >"$1"; git add -A; git commit -qm "change $1"; }
    git checkout -q -b work
    c one 1
    GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@example.org c two 2
    git checkout -q main
    c three 3
"#;

fn played(place: &Place, story: &str) {
    let command = Cmd::new("sh").args(["-c", story]).cwd(&place.repo.main).deadline(MINUTE);
    let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(output.success(), "{story}\n{}\n{}", output.text(), output.stderr);
}

fn looked(place: &Place) -> BranchLook {
    let query =
        BranchQuery { branch: "work", base_ref: Some("main"), base_sha: None, seen_head: None };
    super::super::look(&place.repo, &[query]).remove(0).unwrap()
}

fn made(place: &Place, look: &BranchLook, method: MergeMethod) -> Result<String, GitError> {
    make_merge(
        &place.repo,
        &MergePlan {
            branch: "work",
            head: &look.head,
            target: &look.target,
            method,
            title: Some("Count further"),
            message: None,
        },
    )
}

#[test]
fn each_way_makes_its_commits() {
    for (method, expected) in [
        (MergeMethod::Merge, "t|Merge branch 'work'|Count further|"),
        // Of two who made one commit each, the last is the author.
        (
            MergeMethod::Squash,
            "Ann|Count further|* change one|* change two|Co-authored-by: t <t@example.org>|",
        ),
        (MergeMethod::Rebase, "Ann|change two|t|change one|"),
    ] {
        let place = Place::new();
        played(&place, APART);
        let look = looked(&place);
        let before = tree(&place.repo.main.join(".git/refs"));
        let sha = made(&place, &look, method).unwrap();
        assert_eq!(tree(&place.repo.main.join(".git/refs")), before, "no ref is moved");
        let own = format!("^{}", look.target.sha);
        let mut args = vec!["log", "--first-parent", "--format=%an%n%B", &sha, &own];
        if method == MergeMethod::Merge {
            args.push("-1");
        }
        let text = plain(&place.repo.main, &args);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let told: String = lines.iter().map(|line| format!("{line}|")).collect();
        assert_eq!(told, expected, "{method}");
        let committers = plain(&place.repo.main, &["log", "--format=%cn", &sha, &own]);
        assert!(committers.lines().all(|name| name == "t"), "{committers}");
        for file in ["one", "two", "three"] {
            plain(&place.repo.main, &["cat-file", "-e", &format!("{sha}:{file}")]);
        }
        plain(&place.repo.main, &["fsck", "--strict"]);
    }
}

#[test]
fn a_rebase_keeps_what_stands_already_and_leaves_out_what_is_there() {
    let place = Place::new();
    played(&place, &format!("{APART} git checkout -q work; git rebase -q main"));
    let look = looked(&place);
    assert_eq!(made(&place, &look, MergeMethod::Rebase).unwrap(), look.head);

    let place = Place::new();
    played(&place, &format!("{APART} git cherry-pick work~1 >/dev/null"));
    let look = looked(&place);
    let sha = made(&place, &look, MergeMethod::Rebase).unwrap();
    let range = format!("{}..{sha}", look.target.sha);
    assert_eq!(plain(&place.repo.main, &["log", "--format=%s", &range]), "change two");

    // A merge of the base into the branch is left out; one that holds work of its own refuses.
    let place = Place::new();
    let merged = format!("{APART} git checkout -q work; git merge -q -m m main; c four 4");
    played(&place, &merged);
    let sha = made(&place, &looked(&place), MergeMethod::Rebase).unwrap();
    assert_eq!(plain(&place.repo.main, &["log", "-1", "--format=%s", &sha]), "change four");
    let place = Place::new();
    let evil =
        "git checkout -q work; git merge -q --no-commit main; echo more >>one; git commit -qam m";
    played(&place, &format!("{APART} {evil}"));
    let error = made(&place, &looked(&place), MergeMethod::Rebase).unwrap_err();
    assert!(matches!(error, GitError::RebaseLoses { .. }), "{error}");
}

#[test]
fn what_cannot_be_made_is_told() {
    let place = Place::new();
    played(&place, &format!("{APART} c one other"));
    let look = looked(&place);
    for method in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase] {
        let error = made(&place, &look, method).unwrap_err();
        assert_eq!(error.to_string(), "branch `work` conflicts with `main` in one", "{method}");
    }
    let place = Place::new();
    played(
        &place,
        &format!("{APART} git checkout -q work; git revert --no-edit HEAD HEAD~1 >/dev/null"),
    );
    let look = looked(&place);
    for method in [MergeMethod::Squash, MergeMethod::Rebase] {
        let error = made(&place, &look, method).unwrap_err();
        assert!(matches!(error, GitError::NothingToMerge { .. }), "{method}: {error}");
    }
}

#[test]
fn commits_are_signed_where_that_is_configured_or_not_made() {
    let place = Place::new();
    played(&place, APART);
    let signer = place.directory.path().join("signer");
    let set = |script: &str| {
        let text = format!("#!/bin/sh\n{script}");
        let aside = place.directory.path().join("aside");
        std_fs::write(&aside, text).unwrap();
        // Copied by a child: a file this process had open for writing could not be run.
        let (from, to) = (aside.to_str().unwrap(), signer.to_str().unwrap());
        Cmd::new("install").args(["-m", "755", from, to]).read().unwrap();
    };
    plain(&place.repo.main, &["config", "commit.gpgsign", "true"]);
    plain(&place.repo.main, &["config", "gpg.program", signer.to_str().unwrap()]);
    set("echo no key >&2; exit 2");
    let error = made(&place, &looked(&place), MergeMethod::Squash).unwrap_err();
    assert!(matches!(error, GitError::NotSigned { .. }), "{error}");
    set(
        "cat >/dev/null; echo '[GNUPG:] SIG_CREATED ' >&2; echo '-----BEGIN PGP SIGNATURE-----'; echo '-----END PGP SIGNATURE-----'",
    );
    let sha = made(&place, &looked(&place), MergeMethod::Squash).unwrap();
    let commit = plain(&place.repo.main, &["cat-file", "commit", &sha]);
    assert!(commit.contains("gpgsig -----BEGIN PGP SIGNATURE-----"), "{commit}");
}

#[test]
fn a_branch_lands_only_where_it_was_looked_at() {
    let place = Place::new();
    played(&place, &format!("{APART} git checkout -q --detach"));
    let look = looked(&place);
    let sha = made(&place, &look, MergeMethod::Merge).unwrap();
    played(
        &place,
        "git checkout -q main; echo x >four; git add four; git commit -qm four; git checkout -q --detach",
    );
    let error = land(&place.repo, &look.target, &sha).unwrap_err();
    assert!(matches!(error, GitError::TargetMoved { .. }), "{error}");

    let look = looked(&place);
    let sha = made(&place, &look, MergeMethod::Merge).unwrap();
    let landed = land(&place.repo, &look.target, &sha).unwrap();
    assert_eq!(landed.worktree, None);
    assert_eq!(plain(&place.repo.main, &["rev-parse", "main"]), sha);
    played(&place, &landed.undo);
    assert_eq!(plain(&place.repo.main, &["rev-parse", "main"]), look.target.sha);
}

#[test]
fn files_follow_where_the_branch_is_checked_out() {
    let place = Place::new();
    played(&place, &format!("{APART} echo staged >s; git add s; echo more >>three; echo new >u"));
    let top = &place.repo.main;
    let own = || {
        let files = ["s", "three", "u"].map(|name| std_fs::read(top.join(name)).unwrap());
        (files, plain(top, &["diff", "--cached", "--raw"]), plain(top, &["diff", "--raw"]))
    };
    let before = own();
    let look = looked(&place);
    let sha = made(&place, &look, MergeMethod::Squash).unwrap();
    // Configured to stash, to sign, to squash: nothing of that is a fast-forward.
    for (name, value) in [
        ("merge.autoStash", "true"),
        ("merge.ff", "false"),
        ("merge.verifySignatures", "true"),
        ("branch.main.mergeOptions", "--squash"),
    ] {
        plain(top, &["config", name, value]);
    }
    let landed = land(&place.repo, &look.target, &sha).unwrap();
    assert_eq!(landed.worktree.as_ref(), Some(top));
    assert_eq!(
        (plain(top, &["rev-parse", "HEAD"]), plain(top, &["branch", "--show-current"])),
        (sha, "main".to_owned())
    );
    assert_eq!(own(), before);
    assert_eq!(std_fs::read(top.join("one")).unwrap(), b"1");
    played(&place, &landed.undo);
    assert_eq!(plain(top, &["rev-parse", "main"]), look.target.sha);
    assert!(!top.join("one").exists());
    assert_eq!(own().0, before.0);
}

#[test]
fn what_is_in_the_way_is_named_and_nothing_changes() {
    let rebase = "echo b >three; git commit -qam b; git checkout -q -b up HEAD~1; echo c >three; git commit -qam c; git checkout -q main; git rebase up >/dev/null 2>&1 || true";
    for (what, story, words) in [
        (
            "a local change",
            "git checkout -q work; echo 7 >a.txt; git commit -qam a; git checkout -q main; echo mine >>a.txt",
            "would be overwritten: a.txt",
        ),
        ("an untracked file", "echo mine >two", "would be overwritten: two"),
        (
            "an ignored file",
            "echo one >>.git/info/exclude; echo mine >one",
            "would be overwritten: one",
        ),
        ("an index.lock", ": >.git/index.lock", "git holds index.lock"),
        (
            "a merge",
            "git checkout -q -b up HEAD~1; c three x; git checkout -q main; git merge -q up >/dev/null 2>&1 || true",
            "a merge is in progress",
        ),
        ("a rebase", rebase, "a rebase of `main` is in progress"),
        ("a second worktree", "git worktree add -q --force ../twin main", "as well"),
    ] {
        let place = Place::new();
        played(&place, APART);
        played(
            &place,
            &format!(
                "c() {{ printf '%b' \"$2\" >\"$1\"; git add -A; git commit -qm \"change $1\"; }}\n{story}"
            ),
        );
        let look = looked(&place);
        let sha = made(&place, &look, MergeMethod::Merge).unwrap();
        let before = (tree(&place.repo.main.join(".git/refs")), files_of(&place.repo.main));
        let error = land(&place.repo, &look.target, &sha).unwrap_err();
        assert!(error.to_string().contains(words), "{what}: {error}");
        let after = (tree(&place.repo.main.join(".git/refs")), files_of(&place.repo.main));
        assert_eq!(after, before, "{what}");
    }
}

/// Returns the files at the top of a worktree.
fn files_of(top: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std_fs::read_dir(top)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), std_fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_remotes_branch_is_not_landed_on() {
    let place = Place::new();
    played(&place, &format!("{APART} git update-ref refs/remotes/origin/dev main~1"));
    let query = BranchQuery {
        branch: "work",
        base_ref: Some("origin/dev"),
        base_sha: None,
        seen_head: None,
    };
    let look = super::super::look(&place.repo, &[query]).remove(0).unwrap();
    let error = place_to_land(&place.repo, &look.target).unwrap_err();
    assert!(matches!(error, GitError::NotLocal { .. }), "{error}");
}

#[test]
fn formats_that_libgit2_refuses_are_merged_all_the_same() {
    for init in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        if version().unwrap() < (2, 45) {
            continue;
        }
        for method in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase] {
            let place = Place::with(init);
            played(&place, APART);
            let look = looked(&place);
            let sha = made(&place, &look, method).unwrap();
            land(&place.repo, &look.target, &sha).unwrap();
            assert_eq!(
                plain(&place.repo.main, &["status", "--porcelain"]),
                "",
                "{init:?} {method}"
            );
            assert_eq!(std_fs::read(place.repo.main.join("two")).unwrap(), b"2");
            assert!(looked(&place).merged, "{init:?} {method}");
        }
    }
}

#[test]
fn what_was_squashed_lets_its_branch_go() {
    let place = Place::new();
    let new = place.new_worktree("web-1");
    let handle = place.add(&new);
    played(
        &place,
        &format!("cd '{}'; echo x >new; git add new; git commit -qm new", handle.path.display()),
    );
    let kept = delete_branch_of(&place, &handle);
    assert!(matches!(kept, BranchFate::Kept(_)), "{kept:?}");
    let tip = place.repo.branch_tip("ao/web-1").unwrap().unwrap();
    let name = keep_merged(&place.repo, &session("web-1"), &tip).unwrap();
    assert_eq!(name, "refs/ao/merged/web-1");
    assert_eq!(keep_merged(&place.repo, &session("web-1"), &tip).unwrap(), name);
    let gone = delete_branch_of(&place, &handle);
    assert!(matches!(gone, BranchFate::Deleted { .. }), "{gone:?}");
    forget_merged(&place.repo, &name, &tip).unwrap();
    assert_eq!(place.repo.branch_tip("ao/web-1").unwrap(), None);
}

fn delete_branch_of(place: &Place, handle: &WorkspaceHandle) -> BranchFate {
    plain(&handle.path, &["checkout", "-q", "--detach"]);
    delete_branch(&place.repo, handle, false).unwrap()
}
