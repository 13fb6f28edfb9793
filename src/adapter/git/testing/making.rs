//! Repositories and the making of worktrees.

use std::sync::Mutex;

use super::*;
use crate::adapter::git::trash::park;

#[test]
fn the_repository_is_the_same_from_everywhere_inside() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let from_worktree = discover(&handle.path).unwrap();
    assert_eq!(from_worktree.common_dir, place.repo.common_dir);
    assert_eq!(from_worktree.main, place.repo.main);
    assert_eq!(from_worktree.toplevel.as_deref(), Some(handle.path.as_path()));
    assert_eq!(place.repo.lock_path(), place.repo.main.join(".git/ao.lock"));
    let nowhere = discover(place.directory.path());
    assert!(matches!(nowhere, Err(GitError::NotARepository { .. })), "{nowhere:?}");
}

#[test]
fn a_bare_repository_has_worktrees_too() {
    let place = Place::new();
    let bare = place.root().join("bare.git");
    std_fs::create_dir_all(place.root()).unwrap();
    plain(&place.repo.main, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let repo = discover(&bare).unwrap();
    assert_eq!((repo.bare, repo.main.as_path()), (true, bare.as_path()));
    let place = Place { directory: place.directory, repo };
    let handle = place.add(&place.new_worktree("web-1"));
    let inner = discover(&handle.path).unwrap();
    assert_eq!((inner.bare, inner.main.as_path()), (true, bare.as_path()));
    assert_eq!(place.kept(&handle, "web-1"), [] as [&str; 0]);
}

#[test]
fn formats_that_libgit2_refuses_work_all_the_same() {
    for init in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        if version().unwrap() < (2, 45) {
            continue;
        }
        let place = Place::with(init);
        let handle = place.add(&place.new_worktree("web-1"));
        let status = status(&handle, MINUTE).unwrap();
        assert_eq!((status.ahead, status.dirty()), (Some(0), false), "{init:?}");
        std_fs::write(handle.path.join("new"), "x").unwrap();
        assert_eq!(place.kept(&handle, "web-1"), ["1 untracked file"], "{init:?}");
        let preserved = preserve(&handle, &session("web-1"), &[]).unwrap();
        remove(&place.repo, &handle, &session("web-1"), &place.root()).unwrap();
        let fate = delete_branch(&place.repo, &handle, true).unwrap();
        assert!(matches!(fate, BranchFate::Deleted { .. }), "{fate:?}");
        assert_eq!(plain(&place.repo.main, &["show", &format!("{}:new", preserved.sha)]), "x");
    }
}

#[test]
fn many_worktrees_at_once_beside_a_stranger() {
    let place = Place::new();
    let lock = Mutex::new(());
    let locked = |work: &dyn Fn() -> Result<(), GitError>| {
        let _guard = lock.lock().unwrap();
        work()
    };
    std::thread::scope(|scope| {
        let stranger = scope.spawn(|| {
            for number in 0..5 {
                let path = format!("../theirs-{number}");
                plain_output(&place.repo.main, &["worktree", "add", "-q", "--detach", &path]);
                plain_output(&place.repo.main, &["worktree", "remove", "--force", &path]);
                plain_output(&place.repo.main, &["worktree", "prune"]);
            }
        });
        let adders: Vec<_> = (0..20)
            .map(|number| {
                let (place, locked) = (&place, &locked);
                scope.spawn(move || {
                    let new = place.new_worktree(&format!("web-{number}"));
                    locked(&|| begin_add(&place.repo, &new))?;
                    fill(&place.repo, &new, None)?;
                    locked(&|| finish_add(&place.repo, &new))
                })
            })
            .collect();
        for adder in adders {
            adder.join().unwrap().unwrap();
        }
        stranger.join().unwrap();
    });
    let ours = place.repo.worktrees().unwrap();
    let ours = ours.iter().filter(|e| e.branch.as_deref().is_some_and(|b| b.starts_with("ao/")));
    assert_eq!(ours.clone().count(), 20);
    assert!(ours.clone().all(|entry| entry.locked.is_none() && entry.path.join("a.txt").exists()));
}

#[test]
fn a_killed_add_is_taken_back_wherever_it_was() {
    let place = Place::new();
    let new = place.new_worktree("web-1");
    std_fs::create_dir_all(place.root()).unwrap();
    for delay in 0..50 {
        let path = new.path.to_str().unwrap();
        let args = ["worktree", "add", "--no-checkout", "--lock", "--reason", "ao:web-1"];
        let rest = ["--no-track", "-b", "ao/web-1", "--", path, &new.base_sha];
        let command = Cmd::new("git").args(args).args(rest).cwd(&place.repo.main);
        // With its group: `git branch`, its child, would make the branch after the end of git.
        let command = command.own_group();
        let _ = command.deadline(Duration::from_micros(100 * delay)).output();
        undo_add(&place.repo, &new).unwrap();
        let entries = plain(&place.repo.main, &["worktree", "list"]);
        assert_eq!(entries.lines().count(), 1, "{entries}");
        assert_eq!(plain(&place.repo.main, &["branch", "-a"]), "* main");
        assert!(!new.path.exists());
    }
    undo_add(&place.repo, &new).unwrap();
    let handle = place.add(&new);
    undo_add(&place.repo, &new).unwrap();
    assert!(!handle.path.exists(), "finished, but nothing in it");
    place.add(&new);
    std_fs::write(handle.path.join("work"), "x").unwrap();
    let kept = undo_add(&place.repo, &new).unwrap();
    assert_eq!(kept, [format!("kept {}: 1 untracked file", handle.path.display())]);
    assert!(handle.path.join("work").exists());
}

#[test]
fn an_undoing_that_was_interrupted_goes_on_and_decides_afresh() {
    let place = Place::new();
    let new = place.new_worktree("web-1");
    let out_of_sight = || {
        let admin = place.repo.admin_of(&new.path).unwrap().unwrap();
        park(&place.repo, &admin, "web-1").unwrap();
    };
    begin_add(&place.repo, &new).unwrap();
    out_of_sight();
    undo_add(&place.repo, &new).unwrap();
    assert!(!new.path.exists(), "never finished");

    place.add(&new);
    out_of_sight();
    std_fs::write(new.path.join("work"), "x").unwrap();
    let kept = undo_add(&place.repo, &new).unwrap();
    assert_eq!(kept, [format!("kept {}: 1 untracked file", new.path.display())]);
    std_fs::remove_file(new.path.join("work")).unwrap();
    out_of_sight();
    undo_add(&place.repo, &new).unwrap();
    assert!(!new.path.exists(), "finished, but nothing in it");
    assert_eq!(plain(&place.repo.main, &["branch", "-a"]), "* main");
}

#[test]
fn undoing_never_takes_what_was_there_before_or_after() {
    let place = Place::new();
    plain(&place.repo.main, &["branch", "feat"]);
    let base = place.new_worktree("web-1");
    let mut new = NewWorktree { branch: Some(branch("feat")), create_branch: false, ..base };
    begin_add(&place.repo, &new).unwrap();
    undo_add(&place.repo, &new).unwrap();
    assert_eq!(plain(&place.repo.main, &["branch", "-a"]), "  feat\n* main");

    // A power cut empties the file that names a live worktree.
    let handle = place.add(&new);
    std_fs::write(handle.path.join("work"), "x").unwrap();
    std_fs::write(place.repo.common_dir.join("worktrees/web-1/gitdir"), "").unwrap();
    undo_add(&place.repo, &new).unwrap();
    assert!(handle.path.join("work").exists());
    assert_eq!(place.kept(&handle, "web-1"), ["not registered by git: no entry names it"]);

    new.path = place.root().join("strange");
    std_fs::create_dir_all(new.path.join("sub")).unwrap();
    let kept = undo_add(&place.repo, &new).unwrap();
    assert_eq!(kept, [format!("kept {}: git has not registered it", new.path.display())]);
}

#[test]
fn two_worktrees_on_one_branch_are_a_conflict() {
    let place = Place::new();
    let new = place.new_worktree("web-1");
    begin_add(&place.repo, &new).unwrap();
    fill(&place.repo, &new, None).unwrap();
    plain(&place.repo.main, &["worktree", "add", "-q", "--force", "../twin", "ao/web-1"]);
    let error = finish_add(&place.repo, &new).unwrap_err();
    assert!(matches!(error, GitError::BranchElsewhere { .. }), "{error}");
    let done = undo_add(&place.repo, &new).unwrap();
    assert!(done[2].starts_with("kept branch ao/web-1: it is checked out in "), "{done:?}");
    assert!(!new.path.exists());
}

#[test]
fn a_half_written_entry_no_longer_breaks_the_repository() {
    for mark in ["initializing", "ao:web-1"] {
        let place = Place::new();
        let new = place.new_worktree("web-1");
        begin_add(&place.repo, &new).unwrap();
        let admin = place.repo.common_dir.join("worktrees/web-1");
        std_fs::write(admin.join("commondir"), "").unwrap();
        std_fs::write(admin.join("locked"), mark).unwrap();
        assert!(!plain_output(&place.repo.main, &["worktree", "list"]).success());

        assert_eq!(repair_bricked(&place.repo, &|name| name != "web-1").unwrap(), [""; 0]);
        assert_eq!(repair_bricked(&place.repo, &|name| name == "web-1").unwrap().len(), 1);
        undo_add(&place.repo, &new).unwrap();
        assert_eq!(plain(&place.repo.main, &["branch", "-a"]), "* main");
        place.add(&new);
    }
}

#[test]
fn branches_are_used_refused_or_free() {
    let place = Place::new();
    let sha = place.repo.base(None).unwrap().sha;
    plain(&place.repo.main, &["branch", "feat"]);
    assert_eq!(place.repo.branch(&branch("x")).unwrap(), BranchState::Free);
    assert_eq!(place.repo.branch(&branch("feat")).unwrap(), BranchState::Exists { sha });
    for taken in ["feat/sub", "feat/sub/sub"] {
        let error = place.repo.branch(&branch(taken)).unwrap_err();
        let text = format!("branch `{taken}` cannot exist beside branch `feat`");
        assert_eq!(error.to_string(), text);
    }
    plain(&place.repo.main, &["branch", "deep/er"]);
    assert!(place.repo.branch(&branch("deep")).is_err());

    let mut new = place.new_worktree("web-1");
    new.branch = Some(branch("main"));
    new.create_branch = false;
    let error = begin_add(&place.repo, &new).unwrap_err();
    assert!(matches!(error, GitError::BranchElsewhere { .. }), "{error}");
    new.branch = Some(branch("feat"));
    new.create_branch = true;
    let error = begin_add(&place.repo, &new).unwrap_err();
    assert!(matches!(error, GitError::BranchExists { .. }), "{error}");
    new.create_branch = false;
    let handle = place.add(&new);
    assert_eq!(status(&handle, MINUTE).unwrap().branch.as_deref(), Some("feat"));
    let fate = delete_branch(&place.repo, &handle, true).unwrap();
    assert_eq!(fate, BranchFate::Kept("ao did not make it".into()));
}

#[test]
fn a_base_is_a_commit_or_an_error() {
    let place = Place::new();
    let base = place.repo.base(None).unwrap();
    assert_eq!(base.ref_name, "main");
    assert_eq!(place.repo.base(Some(&base.sha[..10])).unwrap().sha, base.sha);
    for missing in ["nope", "--force", "--output=x", "", "HEAD:a.txt"] {
        let error = place.repo.base(Some(missing)).unwrap_err();
        assert!(matches!(error, GitError::BaseNotFound { .. }), "{missing}: {error}");
    }
    let empty = tempfile::tempdir().unwrap();
    plain(empty.path(), &["init", "-q"]);
    let empty = discover(empty.path()).unwrap();
    assert!(!empty.has_commit().unwrap());
    assert!(matches!(empty.base(None), Err(GitError::NoCommit { .. })));
}

#[test]
fn the_remote_default_branch_is_fetched_or_the_reason_said() {
    let place = Place::new();
    assert_eq!(place.repo.fetch_default(MINUTE).unwrap(), Fetched::NoRemote);
    let upstream = place.repo.main.with_file_name("upstream");
    plain(&place.repo.main, &["clone", "-q", "--bare", ".", upstream.to_str().unwrap()]);
    plain(&upstream, &["branch", "-m", "main", "trunk"]);
    let url = format!("file://{}", upstream.display());
    plain(&place.repo.main, &["remote", "add", "origin", &url]);
    assert_eq!(place.repo.fetch_default(MINUTE).unwrap(), Fetched::Ok);
    assert_eq!(place.repo.base(None).unwrap().ref_name, "origin/trunk");
    assert_eq!(place.repo.default_branch().as_deref(), Some("trunk"));
    std_fs::rename(&upstream, upstream.with_extension("gone")).unwrap();
    let Fetched::Offline { why } = place.repo.fetch_default(MINUTE).unwrap() else { panic!() };
    assert!(why.starts_with("fatal:"), "{why}");
    assert_eq!(place.repo.base(None).unwrap().ref_name, "origin/trunk");
}

#[test]
fn places_that_are_taken_or_visible_are_refused() {
    let place = Place::new();
    let mut new = place.new_worktree("web-1");
    std_fs::create_dir_all(&new.path).unwrap();
    assert!(matches!(begin_add(&place.repo, &new), Err(GitError::PathOccupied { .. })));
    new.path = place.repo.main.join("inside");
    assert!(matches!(begin_add(&place.repo, &new), Err(GitError::InsideWorkTree { .. })));
    new.path = place.repo.main.join("build/web-1");
    place.add(&new);
}

#[test]
fn an_interrupted_checkout_is_taken_back() {
    let place = Place::new();
    let new = place.new_worktree("web-1");
    begin_add(&place.repo, &new).unwrap();
    // Files are written before the index that knows them.
    std_fs::write(new.path.join("a.txt"), "on").unwrap();
    std_fs::write(place.repo.common_dir.join("worktrees/web-1/index.lock"), "").unwrap();
    assert!(fill(&place.repo, &new, None).is_err());
    undo_add(&place.repo, &new).unwrap();
    assert!(!new.path.exists());
    assert_eq!(tree(&place.repo.common_dir.join("ao-trash")), []);
    place.add(&new);
    let again = fill(&place.repo, &new, None);
    assert!(matches!(again, Err(GitError::PathOccupied { .. })), "never over an agent's work");
}

#[test]
fn filters_hooks_line_ends_and_sparse_checkouts_are_gits_own() {
    let place = Place::new();
    let main = &place.repo.main;
    plain(main, &["config", "filter.case.clean", "tr A-Z a-z"]);
    plain(main, &["config", "filter.case.smudge", "tr a-z A-Z"]);
    std_fs::write(main.join(".gitattributes"), "*.case filter=case\n*.crlf eol=crlf\n").unwrap();
    std_fs::write(main.join("x.case"), "HELLO\n").unwrap();
    std_fs::write(main.join("x.crlf"), "a\r\n").unwrap();
    std_fs::create_dir(main.join("far")).unwrap();
    std_fs::write(main.join("far/away"), "x").unwrap();
    plain(main, &["add", "."]);
    plain(main, &["commit", "-qm", "filters"]);
    let hook = main.join(".git/hooks/post-checkout");
    std_fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std_fs::write(&hook, "#!/bin/sh\necho $1 $3 $(pwd) >> ../hook.log\nexit 1\n").unwrap();
    std_fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    plain(main, &["sparse-checkout", "set", "--no-cone", "/*", "!/far/"]);

    let new = NewWorktree {
        path: place.root().join("größe #(touch x)"),
        ..place.new_worktree("web-1")
    };
    let handle = place.add(&new);
    assert_eq!(std_fs::read(handle.path.join("x.case")).unwrap(), b"HELLO\n");
    assert_eq!(std_fs::read(handle.path.join("x.crlf")).unwrap(), b"a\r\n");
    assert!(!handle.path.join("far").exists());
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);
    let log = std_fs::read_to_string(place.root().join("hook.log")).unwrap();
    assert_eq!(log, format!("{} 1 {}\n", "0".repeat(40), handle.path.display()));
    let preserved = preserve(&handle, &session("web-1"), &[]).unwrap();
    assert_eq!(plain(main, &["diff", "--stat", "main", &preserved.sha]), "");
}

#[test]
fn what_is_included_stays_inside_and_overwrites_nothing() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let main = &place.repo.main;
    for (name, content) in
        [(".env", "S=1"), ("build/cache/x", "c"), ("secret.txt", "s"), ("conf/local", "l")]
    {
        std_fs::create_dir_all(main.join(name).parent().unwrap()).unwrap();
        std_fs::write(main.join(name), content).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", main.join(".env.link")).unwrap();
    std::os::unix::fs::symlink("/etc", main.join("etc")).unwrap();
    std_fs::write(handle.path.join("secret.txt"), "mine").unwrap();
    let report = copy_included(
        main,
        &handle.path,
        "# local\n.env*\n!.env.not\nsecret.txt\na.txt\n",
        &["conf".into(), "etc/passwd".into(), "missing".into()],
        &["build".into()],
    )
    .unwrap();
    insta::assert_debug_snapshot!(report, @r#"
    IncludeReport {
        copied: [
            ".env",
            "conf/local",
        ],
        linked: [
            "build",
        ],
        skipped: [
            (
                ".env.link",
                "it links to something outside the repository",
            ),
            (
                "secret.txt",
                "it exists in the workspace",
            ),
            (
                "etc/passwd",
                "it lies behind a symbolic link",
            ),
            (
                "missing",
                "it does not exist",
            ),
        ],
    }
    "#);
    assert_eq!(std_fs::read(handle.path.join("build/cache/x")).unwrap(), b"c");
    assert_eq!(std_fs::read(handle.path.join("secret.txt")).unwrap(), b"mine");
    for bad in ["../x", "/etc/passwd", "a/../../x", "", ".git/config"] {
        let refused = copy_included(main, &handle.path, "", &[bad.into()], &[]);
        assert!(matches!(refused, Err(GitError::UnsafePath { .. })), "{bad}");
    }
}
