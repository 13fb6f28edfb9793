//! What keeps a worktree, and how it goes and comes back.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::super::entry::Admin;
use super::*;

const INNER: &str = "submodules with repositories or files of their own";

#[test]
fn a_detached_worktree_goes_without_a_branch() {
    let place = Place::new();
    let new = NewWorktree { branch: None, create_branch: false, ..place.new_worktree("web-1") };
    let handle = place.add(&new);
    assert_eq!(status(&handle, MINUTE).unwrap().branch, None);
    let assessment = assess(&handle, &session("web-1"), &place.root(), &[], &[], MINUTE);
    assert_eq!(assessment, Assessment::Removable { branch_deletable: false });
    remove(&place.repo, &handle, &session("web-1"), &place.root()).unwrap();
    assert_eq!(delete_branch(&place.repo, &handle, false).unwrap(), BranchFate::Absent);
    restore_worktree(&place.repo, &handle, &session("web-1"), None).unwrap();
    assert!(handle.path.join("a.txt").exists());
}

#[test]
fn a_real_rebase_and_changes_hidden_from_git_are_kept_and_preserved() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;
    std_fs::write(path.join("a.txt"), "hidden\n").unwrap();
    plain(path, &["update-index", "--assume-unchanged", "a.txt"]);
    assert_eq!(plain(path, &["status", "--porcelain"]), "");
    let reason = "1 file marked assume-unchanged or skip-worktree";
    assert_eq!(place.kept(&handle, "web-1"), [reason]);
    let preserved = preserve(&handle, &session("web-1"), &[]).unwrap();
    assert_eq!(plain(path, &["show", &format!("{}:a.txt", preserved.sha)]), "hidden");
    plain(path, &["update-index", "--no-assume-unchanged", "a.txt"]);

    plain(path, &["commit", "-qam", "ours"]);
    std_fs::write(place.repo.main.join("a.txt"), "theirs\n").unwrap();
    plain(&place.repo.main, &["commit", "-qam", "theirs"]);
    assert!(!plain_output(path, &["rebase", "-q", "main"]).success());
    assert_eq!(place.kept(&handle, "web-1"), ["1 uncommitted file", "a rebase is in progress"]);
    assert_eq!(status(&handle, MINUTE).unwrap().conflicted, 1);
    let preserved = preserve(&handle, &session("web-1"), &[]).unwrap();
    let parents = plain(path, &["show", "-s", "--format=%P", &preserved.sha]);
    let three = "where it stands, where it came from, and what is to be done";
    assert_eq!(parents.split(' ').count(), 3, "{three}");
}

#[test]
fn every_reason_to_keep_is_told() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let path = handle.path.clone();
    let kept = || place.kept(&handle, "web-1");
    assert_eq!(kept(), [""; 0]);

    std_fs::write(path.join("a.txt"), "two\n").unwrap();
    std_fs::write(path.join("b.txt"), "x").unwrap();
    std_fs::write(path.join("c.txt"), "x").unwrap();
    std_fs::write(path.join(".env"), "SECRET=1").unwrap();
    assert_eq!(kept(), ["1 uncommitted file", "2 untracked files", "ignored file .env"]);
    std_fs::write(place.repo.main.join(".env"), "SECRET=1").unwrap();
    plain(&path, &["add", "."]);
    plain(&path, &["commit", "-qm", "work"]);
    assert_eq!(kept(), [""; 0], "on the branch, and a copy of the main worktree's");
    let assessment = assess(&handle, &session("web-1"), &place.root(), &[], &[], MINUTE);
    assert_eq!(assessment, Assessment::Removable { branch_deletable: false });

    plain(&path, &["checkout", "-q", "--detach"]);
    plain(&path, &["commit", "-qm", "lost", "--allow-empty"]);
    assert_eq!(kept(), ["1 commit on no branch, tag or remote"]);
    plain(&path, &["checkout", "-q", "ao/web-1"]);

    let admin = place.repo.common_dir.join("worktrees/web-1");
    std_fs::create_dir(admin.join("rebase-merge")).unwrap();
    assert_eq!(kept(), ["a rebase is in progress"]);
    std_fs::remove_dir(admin.join("rebase-merge")).unwrap();

    std_fs::write(admin.join("index.lock"), "").unwrap();
    assert!(kept()[0].starts_with("could not tell: git holds index.lock, "), "{:?}", kept());
    std_fs::remove_file(admin.join("index.lock")).unwrap();

    plain(&place.repo.main, &["worktree", "lock", "--reason", "alice", path.to_str().unwrap()]);
    assert_eq!(kept(), ["locked by alice"]);
    let refused = remove(&place.repo, &handle, &session("web-1"), &place.root());
    assert!(matches!(refused, Err(GitError::Locked { .. })), "{refused:?}");
    plain(&place.repo.main, &["worktree", "unlock", path.to_str().unwrap()]);

    let mut child = Cmd::new("sleep")
        .arg("60")
        .cwd(&path)
        .spawn(
            std::process::Stdio::null(),
            std::process::Stdio::null(),
            std::process::Stdio::null(),
        )
        .unwrap();
    let text = format!("process {} (sleep) has its working directory inside", child.id());
    let seen = clock::poll_until(Deadline::after(MINUTE), || (kept() == [&*text]).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(seen.is_some());

    let elsewhere = assess(&handle, &session("web-1"), Path::new("/nowhere"), &[], &[], MINUTE);
    assert_eq!(elsewhere, Assessment::Keep(vec![Keep::OutsideRoot]));
    let theirs = WorkspaceHandle { owned: false, ..handle.clone() };
    assert_eq!(place.kept(&theirs, "web-1"), ["not ours"]);
}

#[test]
fn a_worktree_without_its_git_file_never_passes_for_the_repository_around_it() {
    let place = Place::new();
    std_fs::create_dir_all(place.root()).unwrap();
    plain(&place.root(), &["init", "-q"]);
    let handle = place.add(&place.new_worktree("web-1"));
    std_fs::remove_file(handle.path.join(".git")).unwrap();
    let error = status(&handle, MINUTE).unwrap_err();
    assert!(matches!(error, GitError::WrongRepository { .. }), "{error}");
    assert_eq!(place.kept(&handle, "web-1"), ["not registered by git: it has no .git file"]);
    assert!(remove(&place.repo, &handle, &session("web-1"), &place.root()).is_err());
    assert!(preserve(&handle, &session("web-1"), &[]).is_err());
    assert!(handle.path.join("a.txt").exists());
}

#[test]
fn deleted_and_moved_worktrees_are_told_apart() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let moved = handle.path.with_file_name("moved");
    std_fs::rename(&handle.path, &moved).unwrap();
    assert!(matches!(status(&handle, MINUTE), Err(GitError::Gone { .. })));
    assert_eq!(place.kept(&handle, "web-1"), [""; 0], "the entry alone may go");
    std_fs::remove_dir_all(&moved).unwrap();
    let removed = remove(&place.repo, &handle, &session("web-1"), &place.root()).unwrap();
    assert_eq!(removed.trash, None);
    assert_eq!(place.kept(&handle, "web-1"), ["gone"]);
    restore_worktree(&place.repo, &handle, &session("web-1"), None).unwrap();
    assert!(handle.path.join("a.txt").exists());
}

#[test]
fn a_worktree_that_comes_back_by_itself_is_taken_up_again() {
    let place = Place::new();
    let (handle, id) = (place.add(&place.new_worktree("web-1")), session("web-1"));
    std_fs::write(handle.path.join("a.txt"), "staged").unwrap();
    plain(&handle.path, &["add", "."]);
    let state = || (tree(&handle.path), plain(&handle.path, &["status", "--porcelain"]));
    let before = state();
    let away = |path: &Path| path.with_file_name("away");
    let remove = || {
        let removed = remove(&place.repo, &handle, &id, &place.root()).unwrap();
        assert_eq!(removed.trash, None);
        let fate = delete_branch(&place.repo, &handle, false).unwrap();
        assert!(matches!(fate, BranchFate::Deleted { .. }), "{fate:?}");
    };

    // What holds it is not mounted.
    std_fs::rename(place.root(), away(&place.root())).unwrap();
    let reason = format!("could not tell: {} is not there; is it mounted?", place.root().display());
    assert_eq!(place.kept(&handle, "web-1"), [reason]);
    std_fs::rename(away(&place.root()), place.root()).unwrap();

    std_fs::rename(&handle.path, away(&handle.path)).unwrap();
    remove();
    std_fs::rename(away(&handle.path), &handle.path).unwrap();
    require_restorable(&place.repo, &handle, &id, None).unwrap();
    let later = Some(clock::now().plus(MINUTE));
    assert!(require_restorable(&place.repo, &handle, &id, later).is_err(), "of an earlier one");
    restore_worktree(&place.repo, &handle, &id, None).unwrap();
    assert_eq!(state(), before);

    // Of one that stays away nothing is left for ever.
    std_fs::rename(&handle.path, away(&handle.path)).unwrap();
    remove();
    let entries = place.repo.common_dir.join("ao-trash");
    assert_eq!(std_fs::read_dir(&entries).unwrap().count(), 1);
    let day = Duration::from_secs(24 * 3600);
    let empty = |now| empty_trash(&place.root(), day, now, MINUTE).unwrap();
    assert_eq!(empty(clock::now()).gone.len(), 0);
    assert_eq!(empty(clock::now().plus(day)).gone.len(), 2);
    assert!(!entries.exists());
    assert_eq!(std_fs::read_dir(place.root().join(".trash")).unwrap().count(), 0);
}

/// As where a removal died in the middle, or a restore was taken back.
#[test]
fn an_entry_that_was_put_away_later_than_its_tree_goes_with_it() {
    let place = Place::new();
    let (handle, id) = (place.add(&place.new_worktree("web-1")), session("web-1"));
    remove(&place.repo, &handle, &id, &place.root()).unwrap();
    let entries = place.repo.common_dir.join("ao-trash");
    let rename = |to: &str| {
        let entry = std_fs::read_dir(&entries).unwrap().next().unwrap().unwrap();
        std_fs::rename(entry.path(), entries.join(to)).unwrap();
    };
    rename("web-1-fffffffffff00000");
    // Another home's, whose tree is in another trash.
    let theirs = entries.join("web-1-fffffffffff11111");
    std_fs::create_dir(&theirs).unwrap();
    std_fs::write(theirs.join("gitdir"), "/elsewhere/web-1/.git\n").unwrap();
    let later = clock::now().plus(MINUTE);
    assert_eq!(empty_trash(&place.root(), MINUTE, later, MINUTE).unwrap().gone.len(), 1);
    let left: Vec<_> = std_fs::read_dir(&entries).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(left, [theirs]);
}

#[test]
fn what_went_to_the_trash_before_a_session_began_is_not_its_own() {
    let place = Place::new();
    let (handle, id) = (place.add(&place.new_worktree("web-1")), session("web-1"));
    let text = || std_fs::read_to_string(handle.path.join("a.txt")).unwrap();
    std_fs::write(handle.path.join("a.txt"), "old").unwrap();
    let before = Some(clock::now());
    remove(&place.repo, &handle, &id, &place.root()).unwrap();
    let after = Some(clock::now().plus(Duration::from_millis(1)));
    require_restorable(&place.repo, &handle, &id, after).unwrap();
    restore_worktree(&place.repo, &handle, &id, after).unwrap();
    assert_eq!(text(), "one\n");
    std_fs::remove_dir_all(&handle.path).unwrap();
    let pooled = WorkspaceHandle { tip: handle.base_sha.clone(), ..handle.clone() };
    restore_worktree(&place.repo, &pooled, &id, None).unwrap();
    assert_eq!(text(), "one\n");
    std_fs::remove_dir_all(&handle.path).unwrap();
    restore_worktree(&place.repo, &handle, &id, before).unwrap();
    assert_eq!(text(), "old");
}

#[test]
fn a_moved_repository_leaves_its_worktrees_alone() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    std_fs::rename(&place.repo.main, place.repo.main.with_file_name("elsewhere")).unwrap();
    let reason = format!("could not tell: {} does not exist", place.repo.main.display());
    assert_eq!(place.kept(&handle, "web-1"), [reason]);
    assert!(matches!(status(&handle, MINUTE), Err(GitError::Gone { .. })));
    assert!(remove(&place.repo, &handle, &session("web-1"), &place.root()).is_err());
    assert!(handle.path.join("a.txt").exists());
}

#[test]
fn what_is_preserved_comes_back_and_the_index_stays() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;
    let files = [("a.txt", "changed\n"), ("new $(touch x).txt", "n"), (".env", "S=1")];
    for (name, content) in files {
        std_fs::write(path.join(name), content).unwrap();
    }
    plain(path, &["add", "a.txt"]);
    std_fs::write(path.join("a.txt"), "changed again\n").unwrap();
    plain(path, &["checkout", "-q", "--detach"]);
    let index = place.repo.common_dir.join("worktrees/web-1/index");
    let before = std_fs::read(&index).unwrap();

    let patterns = [".env*".to_owned()];
    let preserved = preserve(&handle, &session("web-1"), &patterns).unwrap();
    assert_eq!(std_fs::read(&index).unwrap(), before);
    assert_eq!(preserved.ref_name, "refs/ao/preserved/web-1");
    assert_eq!(preserve(&handle, &session("web-1"), &patterns).unwrap(), preserved);
    std_fs::write(path.join("a.txt"), "third\n").unwrap();
    let second = preserve(&handle, &session("web-1"), &patterns).unwrap();
    assert_eq!(second.ref_name, "refs/ao/preserved/web-1-2");

    remove(&place.repo, &handle, &session("web-1"), &place.root()).unwrap();
    let output = Cmd::new("sh").args(["-c", &preserved.restore_command]).output().unwrap();
    assert!(output.success(), "{}", output.stderr);
    assert_eq!(std_fs::read(path.join("a.txt")).unwrap(), b"changed again\n");
    assert_eq!(std_fs::read(path.join("new $(touch x).txt")).unwrap(), b"n");
    assert_eq!(std_fs::read(path.join(".env")).unwrap(), b"S=1");

    plain(path, &["init", "-q", "inner"]);
    plain(
        &path.join("inner"),
        &["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x", "--allow-empty"],
    );
    let other = WorkspaceHandle { branch: None, ..handle.clone() };
    let nested = preserve(&other, &session("web-1"), &[]);
    assert!(matches!(nested, Err(GitError::NestedRepository { .. })), "{nested:?}");
}

#[test]
fn a_removal_can_stop_anywhere_and_be_taken_back() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let id = session("web-1");
    std_fs::create_dir_all(handle.path.join("build")).unwrap();
    std_fs::write(handle.path.join("build/out"), "o").unwrap();
    std_fs::write(handle.path.join("a.txt"), "staged").unwrap();
    plain(&handle.path, &["add", "."]);
    let before = (tree(&handle.path), plain(&handle.path, &["status", "--porcelain"]));

    // Of one that was killed: no process has such a number.
    let left = place.repo.common_dir.join("worktrees/web-1/.ao-tmp-4194305-0123456789abcdef");
    for path in [&left, &left.with_extension("lock")] {
        std_fs::write(path, "half").unwrap();
    }
    // Stopped after the first rename.
    trash::bury(&place.root(), &handle.path, &id).unwrap();
    let removed = remove(&place.repo, &handle, &id, &place.root()).unwrap();
    let trash = removed.trash.clone().unwrap();
    assert!(trash.join("build/out").exists());
    assert_eq!(remove(&place.repo, &handle, &id, &place.root()).unwrap(), removed);
    assert_eq!(plain(&place.repo.main, &["worktree", "list"]).lines().count(), 1);
    let fate = delete_branch(&place.repo, &handle, false).unwrap();
    assert!(matches!(fate, BranchFate::Deleted { .. }), "{fate:?}");

    restore_worktree(&place.repo, &handle, &id, None).unwrap();
    assert!(!left.exists() && !left.with_extension("lock").exists());
    assert_eq!((tree(&handle.path), plain(&handle.path, &["status", "--porcelain"])), before);

    // Its entry was emptied from the trash earlier than its files.
    remove(&place.repo, &handle, &id, &place.root()).unwrap();
    std_fs::remove_dir_all(place.repo.common_dir.join("ao-trash")).unwrap();
    restore_worktree(&place.repo, &handle, &id, None).unwrap();
    assert_eq!(std_fs::read(handle.path.join("build/out")).unwrap(), b"o");
    assert_eq!(
        plain(&handle.path, &["status", "--porcelain"]),
        "M a.txt".to_owned().replace("M ", " M ")
    );

    remove(&place.repo, &handle, &id, &place.root()).unwrap();
    let day = Duration::from_secs(24 * 3600);
    std::os::unix::fs::symlink(
        &place.repo.main,
        place.root().join(".trash/web-9-0000000000000000"),
    )
    .unwrap();
    let empty = |now, patience| empty_trash(&place.root(), day, now, patience).unwrap();
    let young = empty(clock::now(), MINUTE);
    assert!(young.gone.is_empty() && young.failed.is_empty() && !young.unfinished, "{young:?}");
    let later = clock::now().plus(day);
    // Half of it is no workspace that could come back, and the next one goes on.
    assert!(empty(later, Duration::ZERO).unfinished);
    assert_eq!(trash::buried(&place.root(), &id).unwrap(), [""; 0].map(PathBuf::from));
    let emptied = empty(later, MINUTE);
    // With what stands there for the tree that was gone when the removal went on.
    assert_eq!((emptied.gone.len(), emptied.unfinished), (2, false));
    assert!(place.repo.main.join("a.txt").exists());
    assert!(!place.repo.common_dir.join("ao-trash").exists());
}

#[test]
fn a_tree_that_cannot_be_deleted_is_in_no_others_way() {
    let place = Place::new();
    let trash = place.root().join(".trash");
    let name = |session: &str| format!("{session}-0000000000000000");
    std_fs::create_dir_all(trash.join(name("web-2")).join("deep")).unwrap();
    // What begins a deletion is always a directory, and a link is followed by nobody.
    std::os::unix::fs::symlink(&place.repo.main, trash.join(format!(".going-{}", name("web-1"))))
        .unwrap();
    // Its name as something that is being deleted is taken.
    std_fs::create_dir_all(trash.join(name("web-3")).join("deep")).unwrap();
    std_fs::create_dir_all(trash.join(format!(".going-{}", name("web-3"))).join("x")).unwrap();
    let empty = || empty_trash(&place.root(), Duration::ZERO, clock::now(), MINUTE).unwrap();
    let emptied = empty();
    assert_eq!(emptied.gone, ["web-2", "web-3"].map(|session| trash.join(name(session))));
    let failed: Vec<String> = emptied.failed.iter().map(ToString::to_string).collect();
    let could_not = |what: &str, path: PathBuf| format!("could not {what} {}", path.display());
    assert_eq!(
        failed,
        [
            could_not("rename", trash.join(name("web-3"))),
            could_not("remove", trash.join(format!(".going-{}", name("web-1")))),
        ]
    );
    let again = empty();
    assert_eq!((again.gone, again.failed.len()), (vec![trash.join(name("web-3"))], 1));
    let left = [format!(".going-{}", name("web-1"))];
    assert_eq!(
        crate::adapter::fs::names(&trash).unwrap(),
        left.map(std::ffi::OsString::from),
        "under the same name"
    );
    assert!(place.repo.main.join("a.txt").exists());
}

#[test]
fn what_a_build_tool_write_protected_is_deleted() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let place = Place::new();
    let tree = place.root().join(".trash/web-1-0000000000000000");
    let outside = place.root().join("outside");
    for directory in [&outside.join("x"), &tree.join("a/b/c"), &tree.join("shut/x")] {
        std_fs::create_dir_all(directory).unwrap();
        std_fs::write(directory.join("file"), "x").unwrap();
    }
    std::os::unix::fs::symlink(&outside, tree.join("a/link")).unwrap();
    let protected = [(&outside, 0o555), (&tree, 0o555)].map(|(path, mode)| (path.clone(), mode));
    let deeper = [("a/b/c", 0o555), ("a/b", 0o500), ("a", 0o555), ("shut", 0)];
    let deeper = deeper.map(|(path, mode)| (tree.join(path), mode));
    for (path, mode) in deeper.into_iter().chain(protected) {
        std_fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    // Nobody refuses root anything: then a thread goes without that, which owns the files as before.
    let emptied = std::thread::scope(|scope| {
        let empty = || {
            let mut sets = capabilities(None).unwrap();
            sets.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
            set_capabilities(None, sets).unwrap();
            assert!(std_fs::write(outside.join("new"), "x").is_err(), "it is refused nothing");
            empty_trash(&place.root(), Duration::ZERO, clock::now(), MINUTE).unwrap()
        };
        scope.spawn(empty).join().unwrap()
    });
    assert_eq!((emptied.gone, emptied.failed.len()), (vec![tree], 0));
    assert_eq!(std_fs::metadata(&outside).unwrap().mode() & 0o777, 0o555);
    assert!(outside.join("x/file").exists());
    std_fs::set_permissions(&outside, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_entry_of_a_restore_that_was_taken_back_is_not_brought_back() {
    let place = Place::new();
    let new = place.new_worktree("web-1");
    let (handle, id) = (place.add(&new), session("web-1"));
    std_fs::write(handle.path.join("a.txt"), "changed").unwrap();
    remove(&place.repo, &handle, &id, &place.root()).unwrap();
    std_fs::remove_dir_all(place.repo.common_dir.join("ao-trash")).unwrap();
    // A restore was killed when it had registered the place again, and who took that back as well.
    begin_add(&place.repo, &NewWorktree { create_branch: false, ..new }).unwrap();
    let admin = place.repo.common_dir.join("worktrees/web-1");
    std_fs::write(admin.join("index.lock"), "").unwrap();
    trash::park(&place.repo, &Admin::load(&admin).unwrap(), "web-1").unwrap();
    std_fs::remove_dir_all(&handle.path).unwrap();
    restore_worktree(&place.repo, &handle, &id, None).unwrap();
    assert_eq!(plain(&handle.path, &["status", "--porcelain"]), " M a.txt");
    for left in ["locked", "index.lock", "ao-index", "ao-index.lock"] {
        assert!(!admin.join(left).exists(), "{left}");
    }
}

#[test]
fn a_name_that_another_worktree_has_by_now_keeps_no_tree_in_the_trash() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    std_fs::write(handle.path.join("a.txt"), "changed\n").unwrap();
    remove(&place.repo, &handle, &session("web-1"), &place.root()).unwrap();
    let other = place.root().join("elsewhere/web-1");
    let add = ["worktree", "add", "-q", "-b", "other", other.to_str().unwrap()];
    plain(&place.repo.main, &add);
    let before = tree(&other);
    restore_worktree(&place.repo, &handle, &session("web-1"), None).unwrap();
    assert_eq!(plain(&handle.path, &["status", "--porcelain"]), " M a.txt");
    assert_eq!(std_fs::read(handle.path.join("a.txt")).unwrap(), b"changed\n");
    assert_eq!((tree(&other), plain(&other, &["status", "--porcelain"])), (before, String::new()));
}

#[test]
fn a_branch_with_work_of_its_own_stays() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    plain(&handle.path, &["commit", "-qm", "work", "--allow-empty"]);
    let fate = delete_branch(&place.repo, &handle, false).unwrap();
    assert!(matches!(&fate, BranchFate::Kept(why) if why.starts_with("it is checked out")));
    preserve(&handle, &session("web-1"), &[]).unwrap();
    remove(&place.repo, &handle, &session("web-1"), &place.root()).unwrap();
    let fate = delete_branch(&place.repo, &handle, false).unwrap();
    let why = "it has commits that are neither in its base nor pushed";
    assert_eq!(fate, BranchFate::Kept(why.into()));
    let fate = delete_branch(&place.repo, &handle, true).unwrap();
    assert!(matches!(fate, BranchFate::Deleted { .. }), "{fate:?}");
    std_fs::remove_dir_all(place.root().join(".trash")).unwrap();
    let gone = restore_worktree(&place.repo, &handle, &session("web-1"), None).unwrap_err();
    let text = "branch `ao/web-1` is gone; its work is preserved as refs/ao/preserved/web-1";
    assert_eq!(gone.to_string(), text);
}

#[test]
fn what_stands_where_a_branch_began_today_is_no_place_for_its_commits() {
    let place = Place::new();
    let main = &place.repo.main;
    plain(main, &["tag", "v1"]);
    plain(main, &["checkout", "-qb", "other"]);
    plain(main, &["checkout", "-q", "main"]);
    let spare = |id: &str, base_ref: &str, elsewhere: &[&str]| {
        let handle = place.add(&place.new_worktree(id));
        let handle = WorkspaceHandle { base_ref: Some(base_ref.into()), ..handle };
        plain(&handle.path, &["commit", "-qm", "precious", "--allow-empty"]);
        remove(&place.repo, &handle, &session(id), &place.root()).unwrap();
        plain(main, elsewhere);
        let fate = delete_branch(&place.repo, &handle, false).unwrap();
        plain(main, &["checkout", "-q", "main"]);
        matches!(fate, BranchFate::Deleted { .. })
    };
    assert!(!spare("web-1", "HEAD", &["checkout", "-q", "--detach", "ao/web-1"]));
    assert!(!spare("web-2", "@", &["checkout", "-q", "--detach", "ao/web-2"]));
    assert!(!spare("web-3", "FETCH_HEAD", &["fetch", "-q", ".", "ao/web-3"]));
    let twice = "checkout -q --detach ao/web-4; git checkout -q main";
    let back = format!("!git {twice}");
    let alias = format!("alias.there-and-back={back}");
    assert!(!spare("web-4", "@{-1}", &["-c", &alias, "there-and-back"]));
    assert!(!spare("web-5", "ao/web-5", &["status"]), "its own name");
    assert!(!spare("web-6", "refs/heads/ao/web-6", &["status"]), "its own name");
    assert!(spare("web-7", "other", &["branch", "-qf", "other", "ao/web-7"]));
    assert!(spare("web-8", "refs/heads/other", &["branch", "-qf", "other", "ao/web-8"]));
    assert!(spare("web-9", "v1", &["tag", "-f", "v1", "ao/web-9"]));
}

#[test]
fn submodules_keep_a_worktree() {
    let place = Place::new();
    let other = Place::new();
    let url = other.repo.main.to_str().unwrap().to_owned();
    plain(
        &place.repo.main,
        &["-c", "protocol.file.allow=always", "submodule", "add", "-q", &url, "sub"],
    );
    plain(&place.repo.main, &["commit", "-qm", "submodule"]);
    let handle = place.add(&place.new_worktree("web-1"));
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);
    plain(
        &handle.path,
        &["-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init"],
    );
    assert_eq!(place.kept(&handle, "web-1"), [INNER]);
}

#[test]
fn a_lock_that_a_killed_git_left_on_a_branch_of_ours_is_taken_away() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let removed = remove(&place.repo, &handle, &session("web-1"), &place.root()).unwrap();
    assert!(removed.trash.is_some());
    let lock = place.repo.common_dir.join("refs/heads/ao/web-1.lock");
    std_fs::write(&lock, "").unwrap();
    let old = std::time::SystemTime::now() - MINUTE;
    let file = std_fs::File::options().write(true).open(&lock).unwrap();
    file.set_modified(old).unwrap();

    // A git that is stopped holds it, for all that anybody can tell.
    let mut git = Cmd::new("git")
        .args(["cat-file", "--batch"])
        .cwd(&place.repo.main)
        .spawn(
            std::process::Stdio::piped(),
            std::process::Stdio::null(),
            std::process::Stdio::null(),
        )
        .unwrap();
    let inside = || crate::adapter::process::inside(&place.repo.main).unwrap();
    let is_there = || inside().iter().any(|(_, name)| name == "git").then_some(());
    clock::poll_until(Deadline::after(MINUTE), is_there).unwrap();
    let refused = delete_branch(&place.repo, &handle, false).unwrap_err().to_string();
    assert!(refused.contains("web-1.lock': File exists"), "{refused}");
    git.kill().unwrap();
    git.wait().unwrap();

    let fate = delete_branch(&place.repo, &handle, false).unwrap();
    assert!(matches!(fate, BranchFate::Deleted { .. }), "{fate:?}");
    assert!(!lock.exists());
}

#[test]
fn what_is_half_restored_goes_back_and_a_whole_worktree_stays() {
    let place = Place::new();
    let new = place.new_worktree("web-1");
    let handle = place.add(&new);
    let (repo, id) = (&place.repo, session("web-1"));
    let is_half = || is_half_restored(repo, &handle, &id).unwrap();
    std_fs::write(handle.path.join("work.txt"), "precious").unwrap();
    undo_restore(repo, &handle, &id).unwrap();
    assert!(!is_half() && handle.path.join("work.txt").exists());

    // The entry is back, and its tree is not.
    let trash = remove(repo, &handle, &id, &place.root()).unwrap().trash.unwrap();
    let entry = repo.common_dir.join("worktrees/web-1");
    let parked = std_fs::read_dir(repo.common_dir.join("ao-trash")).unwrap().next().unwrap();
    std_fs::create_dir_all(entry.parent().unwrap()).unwrap();
    std_fs::rename(parked.unwrap().path(), &entry).unwrap();
    assert!(is_half());
    undo_restore(repo, &handle, &id).unwrap();
    assert!(!is_half() && !entry.exists());
    restore_worktree(repo, &handle, &id, None).unwrap();
    assert_eq!(std_fs::read_to_string(handle.path.join("work.txt")).unwrap(), "precious");
    assert!(!trash.exists());

    // Nothing but the branch is left, and the checking out stops anywhere.
    let half: [&dyn Fn(); 3] = [
        &|| std_fs::create_dir(&handle.path).unwrap(),
        &|| {
            std_fs::create_dir(&handle.path).unwrap();
            std_fs::write(handle.path.join(".git"), "").unwrap();
        },
        &|| {
            let again = NewWorktree { create_branch: false, ..new.clone() };
            begin_add(repo, &again).unwrap();
            std_fs::write(handle.path.join("a.txt"), "o").unwrap();
        },
    ];
    for begin in half {
        remove(repo, &handle, &id, &place.root()).unwrap();
        std_fs::remove_dir_all(place.root().join(".trash")).unwrap();
        std_fs::remove_dir_all(repo.common_dir.join("ao-trash")).unwrap();
        begin();
        assert!(is_half());
        require_restorable(repo, &handle, &id, None).unwrap();
        restore_worktree(repo, &handle, &id, None).unwrap();
        assert_eq!(std_fs::read_to_string(handle.path.join("a.txt")).unwrap(), "one\n");
        assert_eq!(plain(&handle.path, &["status", "--porcelain"]), "");
    }
}
