//! What git says nothing of, and what keeps a worktree all the same.

use std::os::unix::fs::MetadataExt;

use super::*;

const MARKED: &str = "1 file marked assume-unchanged or skip-worktree";
const INNER: &str = "submodules with repositories or files of their own";

fn preserved_file(handle: &WorkspaceHandle, id: &str, file: &str) -> String {
    let preserved = preserve(handle, &session(id), &[".env*".to_owned()]).unwrap();
    plain(&handle.path, &["show", &format!("{}:{file}", preserved.sha)])
}

#[test]
fn a_change_of_a_file_that_is_left_out_is_kept_and_preserved() {
    let place = Place::new();
    std_fs::write(place.repo.main.join("b.txt"), "two\n").unwrap();
    std_fs::write(place.repo.main.join(".env"), "A=1\n").unwrap();
    plain(&place.repo.main, &["add", "-f", "b.txt", ".env"]);
    plain(&place.repo.main, &["commit", "-qm", "more"]);
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;

    // As a sparse checkout has it: there is nothing that could be lost.
    plain(path, &["update-index", "--skip-worktree", "b.txt"]);
    std_fs::remove_file(path.join("b.txt")).unwrap();
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);

    for (file, both) in [("a.txt", false), (".env", false), ("a.txt", true)] {
        std_fs::write(path.join(file), "mine\n").unwrap();
        plain(path, &["update-index", "--skip-worktree", file]);
        if both {
            plain(path, &["update-index", "--assume-unchanged", file]);
        }
        assert_eq!(plain(path, &["status", "--porcelain"]), "");
        assert_eq!(place.kept(&handle, "web-1"), [MARKED]);
        assert_eq!(preserved_file(&handle, "web-1", file), "mine");
        assert_eq!(preserved_file(&handle, "web-1", "b.txt"), "two", "it is left out, not deleted");
        let assess =
            |ours: &[PathBuf]| assess(&handle, &session("web-1"), &place.root(), &[], ours, MINUTE);
        assert!(matches!(assess(&[file.into()]), Assessment::Removable { .. }), "ao's own mark");
        assert_eq!(assess(&["other".into()]), Assessment::Keep(vec![Keep::Hidden(1)]));
        plain(path, &["update-index", "--no-skip-worktree", "--", file]);
        plain(path, &["update-index", "--no-assume-unchanged", "--", file]);
        plain(path, &["checkout", "-q", file]);
    }
    assert!(Keep::Hidden(1).is_forcible());
}

#[test]
fn a_repository_inside_is_kept_although_its_commit_is_committed() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;
    let inner = path.join("vendor/n\u{e4}h");
    std_fs::create_dir_all(&inner).unwrap();
    let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    plain(&inner, &["init", "-q"]);
    plain(&inner, &[&identity[..], &commit].concat());
    plain(path, &["-c", "advice.addEmbeddedRepo=false", "add", "."]);
    plain(path, &["commit", "-qm", "link"]);
    assert_eq!(plain(path, &["status", "--porcelain", "--ignored"]), "");
    assert_eq!(place.kept(&handle, "web-1"), [INNER]);
    let nested = preserve(&handle, &session("web-1"), &[]);
    assert!(matches!(nested, Err(GitError::NestedRepository { .. })), "{nested:?}");
    let pool = Pool::beside(&handle.path, 2, false).unwrap();
    let why = "there is a place for another repository in it";
    assert_eq!(refuses(&place.repo, &handle, &pool).unwrap().as_deref(), Some(why));

    // Nor does git tell of files where the repository would be.
    std_fs::remove_dir_all(&inner).unwrap();
    std_fs::create_dir_all(&inner).unwrap();
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);
    std_fs::write(inner.join("work"), "x").unwrap();
    assert_eq!(plain(path, &["status", "--porcelain", "--ignored", "-uall"]), "");
    assert_eq!(place.kept(&handle, "web-1"), [INNER]);
}

#[test]
fn no_setting_has_git_pass_over_a_change_that_its_numbers_tell_of() {
    let place = Place::new();
    let settings = [("core.trustctime", "false"), ("core.checkStat", "minimal")];
    for (name, value) in settings {
        plain(&place.repo.main, &["config", name, value]);
    }
    let new = place.new_worktree("web-1");
    let handle = place.add(&new);
    let file = handle.path.join("a.txt");
    let old = std::time::SystemTime::now() - MINUTE;
    let change = |text: &str| {
        std_fs::write(&file, text).unwrap();
        std_fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
    };
    change("one\n");
    plain(&handle.path, &["update-index", "-q", "--refresh"]);
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);
    // git compares whole seconds.
    let second = || std_fs::metadata(&file).unwrap().ctime();
    let before = second();
    let is_later = clock::poll_until(Deadline::after(MINUTE), || {
        change("eno\n");
        (second() > before).then_some(())
    });
    assert!(is_later.is_some());
    assert_eq!(plain(&handle.path, &["status", "--porcelain"]), "");
    assert_eq!(place.kept(&handle, "web-1"), ["1 uncommitted file"]);
    assert_eq!(preserved_file(&handle, "web-1", "a.txt"), "eno");
    assert_eq!(status(&handle, MINUTE).unwrap().changed, 1);

    // Nor has the pool it pass for what the commit says.
    let id = session("web-1");
    let pool = Pool::beside(&handle.path, 2, false).unwrap();
    assert_eq!(refuses(&place.repo, &handle, &pool).unwrap(), None);
    retire(&place.repo, &handle, &id, &pool).unwrap();
    remove(&place.repo, &handle, &id, &place.root()).unwrap();
    let next = NewWorktree { path: place.root().join("web-2"), session: session("web-2"), ..new };
    let next = NewWorktree { branch: Some(branch("ao/web-2")), ..next };
    begin_add(&place.repo, &next).unwrap();
    let filled = fill(&place.repo, &next, Some(&pool)).unwrap();
    assert!(!matches!(filled.way, Way::Pooled { .. }), "{:?}", filled.way);
    assert_eq!(std_fs::read_to_string(next.path.join("a.txt")).unwrap(), "one\n");
}

#[test]
fn a_file_whose_name_differs_in_its_case_alone_is_one_of_its_own() {
    let place = Place::new();
    plain(&place.repo.main, &["config", "core.ignoreCase", "true"]);
    let handle = place.add(&place.new_worktree("web-1"));
    let other = handle.path.join("A.txt");
    if other.exists() {
        return; // The file system takes them for one, as does git.
    }
    std_fs::write(other, "mine\n").unwrap();
    assert_eq!(plain(&handle.path, &["status", "--porcelain"]), "");
    assert_eq!(place.kept(&handle, "web-1"), ["1 untracked file"]);
    assert_eq!(preserved_file(&handle, "web-1", "A.txt"), "mine");
    assert_eq!(preserved_file(&handle, "web-1", "a.txt"), "one");
}

#[test]
fn git_is_asked_of_the_very_directory_that_would_go() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let clone = place.root().join("clone");
    plain(&place.repo.main, &["clone", "-q", ".", clone.to_str().unwrap()]);
    std_fs::write(handle.path.join("new"), "mine\n").unwrap();
    let clone = clone.to_str().unwrap();
    plain(&place.repo.main, &["config", "extensions.worktreeConfig", "true"]);
    // Of the worktree itself, and of all: with that extension git heeds this one, too.
    for of in ["--worktree", "--local"] {
        plain(&handle.path, &["config", of, "core.worktree", clone]);
        assert_eq!(plain(&handle.path, &["rev-parse", "--show-toplevel"]), clone);
        assert_eq!(plain(&handle.path, &["status", "--porcelain"]), "");
        assert_eq!(place.kept(&handle, "web-1"), ["1 untracked file"]);
        assert_eq!(preserved_file(&handle, "web-1", "new"), "mine");
        plain(&handle.path, &["config", of, "--unset", "core.worktree"]);
    }
}

#[test]
fn a_name_of_the_keep_list_is_that_of_a_directory_as_well() {
    let place = Place::new();
    let ignored = "data\nlogs/\ndeep/\n.env*\nnode_modules/\n";
    std_fs::write(place.repo.main.join(".gitignore"), ignored).unwrap();
    plain(&place.repo.main, &["commit", "-qam", "ignore"]);
    let handle = place.add(&place.new_worktree("web-1"));
    let files = ["data/a/db", "d/data/db", ".env.d/secret", "logs/a/b", "deep/c/d"];
    for file in files.into_iter().chain(["node_modules/data/x", "deep/other"]) {
        std_fs::create_dir_all(handle.path.join(file).parent().unwrap()).unwrap();
        std_fs::write(handle.path.join(file), "x").unwrap();
    }
    let kept = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
        let minute = Deadline::after(MINUTE);
        let mut kept = verdict::kept_ignored(&handle.path, &patterns, minute).unwrap();
        kept.sort();
        kept.iter().map(|path| path.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kept(&["data", ".env*"]), [".env.d/secret", "d/data/db", "data/a/db"]);
    assert_eq!(kept(&["data/", "logs/*", "/deep/c"]), ["data/a/db", "deep/c/d", "logs/a/b"]);
    assert_eq!(place.kept(&handle, "web-1"), ["ignored file .env.d/secret"]);
}

#[test]
fn the_rest_of_several_cherry_picks_is_not_forgotten() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;
    let (main, write) = (&place.repo.main, |at: &Path, text: &str| {
        std_fs::write(at.join("a.txt"), text).unwrap();
        plain(at, &["commit", "-qam", text]);
    });
    write(path, "ours\n");
    for text in ["theirs\n", "more\n"] {
        write(main, text);
    }
    assert!(!plain_output(path, &["cherry-pick", "main~2..main"]).success());
    std_fs::write(path.join("a.txt"), "theirs\n").unwrap();
    plain(path, &["add", "."]);
    assert_eq!(
        place.kept(&handle, "web-1"),
        ["1 uncommitted file", "a cherry-pick is in progress"]
    );
    plain(path, &["commit", "-qm", "theirs"]);
    let rest = ["a cherry-pick or revert of several commits is in progress"];
    assert_eq!(place.kept(&handle, "web-1"), rest);
    plain(path, &["cherry-pick", "--quit"]);
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);
}

#[test]
fn a_commit_that_a_ref_of_the_worktree_alone_has_keeps_it() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;
    plain(path, &["commit", "-qm", "aside", "--allow-empty"]);
    let aside = plain(path, &["rev-parse", "HEAD"]);
    plain(path, &["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);
    plain(path, &["update-ref", "refs/worktree/topic/aside", &aside]);
    assert_eq!(place.kept(&handle, "web-1"), ["1 commit on no branch, tag or remote"]);
    let preserved = preserve(&handle, &session("web-1"), &[]).unwrap();
    let parents = plain(path, &["show", "-s", "--format=%P", &preserved.sha]);
    assert!(parents.contains(&aside), "{parents}");
    assert_eq!(place.kept(&handle, "web-1"), [""; 0], "it is preserved");
    plain(path, &["update-ref", "-d", &preserved.ref_name]);

    plain(path, &["update-ref", "-d", "HEAD"]);
    assert!(place.kept(&handle, "web-1").contains(&"1 commit on no branch, tag or remote".into()));
}
