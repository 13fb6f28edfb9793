//! What is read and written without git, against git itself.

use std::collections::BTreeMap;

use super::*;
use crate::adapter::git::register::{Registered, register};

/// Returns every file below a directory with its content, by its path in it.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let relative = |path: &Path| path.strip_prefix(directory).unwrap().display().to_string();
    let all = tree(directory).into_iter();
    all.map(|(path, bytes)| (relative(&path), String::from_utf8_lossy(&bytes).into_owned()))
        .collect()
}

#[test]
fn an_entry_is_what_git_makes_of_it() {
    let place = Place::new();
    std_fs::create_dir_all(place.root()).unwrap();
    let common = place.repo.common_dir.clone();
    let by_git = place.root().join("web-1");
    let reason = ["--lock", "--reason", "ao:web-1", "--no-track", "-b", "ao/web-1"];
    let add = ["worktree", "add", "--no-checkout"].into_iter().chain(reason);
    let args: Vec<&str> = add.chain(["--", by_git.to_str().unwrap(), "HEAD"]).collect();
    plain(&place.repo.main, &args);
    let new = place.new_worktree("web-2");
    assert_eq!(register(&place.repo, &new).unwrap(), Registered::Whole);

    let like_the_first = |files: BTreeMap<String, String>| -> BTreeMap<String, String> {
        let like = |text: String| text.replace("web-2", "web-1");
        files.into_iter().map(|(name, text)| (name, like(text))).collect()
    };
    let entry = |name: &str| {
        let mut all = files(&common.join("worktrees").join(name));
        // Up to the second.
        let log = all.get_mut("logs/HEAD").unwrap();
        *log = log.replace(|c: char| c.is_ascii_digit(), "");
        all
    };
    assert_eq!(like_the_first(entry("web-2")), entry("web-1"));
    assert!(common.join("worktrees/web-2/refs").is_dir());
    assert_eq!(like_the_first(files(&new.path)), files(&by_git));
    let branches = "for-each-ref --format=%(objectname) refs/heads/ao";
    let branches = plain(&place.repo.main, &branches.split(' ').collect::<Vec<_>>());
    let tips: Vec<&str> = branches.lines().collect();
    assert_eq!(tips, [new.base_sha.as_str(); 2]);
    assert!(files(&common.join("logs/refs/heads/ao"))["web-2"].contains("branch: Created from "));
    assert!(!common.join("ao-new").exists());
    plain(&place.repo.main, &["fsck", "--strict"]);
    let list = plain(&place.repo.main, &["worktree", "list"]);
    assert_eq!(list.lines().filter(|line| line.ends_with("locked")).count(), 2, "{list}");
}

#[test]
fn what_was_left_aside_by_the_dead_is_in_nobodys_way() {
    let place = Place::new();
    let aside = place.repo.common_dir.join("ao-new");
    std_fs::create_dir_all(aside.join("refs")).unwrap();
    std_fs::write(aside.join("HEAD"), "of somebody else").unwrap();
    let handle = place.add(&place.new_worktree("web-1"));
    assert!(!aside.exists());
    assert_eq!(place.kept(&handle, "web-1"), [] as [&str; 0]);
}

#[test]
fn an_entry_of_another_worktree_is_not_taken() {
    let place = Place::new();
    let elsewhere = place.directory.path().join("elsewhere/web-1");
    plain(&place.repo.main, &["worktree", "add", "-q", "--detach", elsewhere.to_str().unwrap()]);
    let new = place.new_worktree("web-1");
    assert_eq!(register(&place.repo, &new).unwrap(), Registered::Untouched);
    let handle = place.add(&new);
    assert!(place.repo.common_dir.join("worktrees/web-11").exists());
    assert_eq!(place.kept(&handle, "web-1"), [] as [&str; 0]);
}

#[test]
fn a_branch_that_appears_meanwhile_is_somebody_elses() {
    let place = Place::new();
    let new = place.new_worktree("web-1");
    plain(&place.repo.main, &["branch", "ao/web-1"]);
    assert_eq!(register(&place.repo, &new).unwrap(), Registered::Begun);
    let error = begin_add(&place.repo, &new).unwrap_err();
    assert!(matches!(error, GitError::PathOccupied { .. }), "{error}");
    assert_eq!(plain(&place.repo.main, &["branch", "--list", "ao/*"]), "+ ao/web-1");
}

/// Returns what is answered without git beside what git answers, for names of all kinds.
fn compare(place: &Place, state: &str) {
    let names = [
        "HEAD",
        "main",
        "heads/main",
        "refs/heads/main",
        "ao/web-1",
        "origin/main",
        "origin",
        "v1",
        "v2",
        "twin",
        "tags/twin",
        "none",
        "refs/heads/none",
        "main~1",
        "main^{tree}",
        "@",
        "-x",
        "FETCH_HEAD",
        "abcd",
        "",
        "deep/er",
        "deep",
        "packed",
        "a..b",
        "v1-0-gabcdef1",
    ];
    let tip = plain(&place.repo.main, &["rev-parse", "refs/heads/main"]);
    let tree_of_tip = plain(&place.repo.main, &["rev-parse", "refs/heads/main^{tree}"]);
    let absent = "0123456789012345678901234567890123456789";
    for name in names.into_iter().chain([tip.as_str(), &tree_of_tip, absent]) {
        let both = (place.repo.commit(name).unwrap(), place.repo.commit_by_git(name).unwrap());
        assert_eq!(both.0, both.1, "{state}: {name:?}");
    }
    for name in
        ["main", "ao/web-1", "ao/web-2", "none", "deep/er", "deep", "deep/er/still", "packed"]
    {
        let both = (place.repo.branch(&branch(name)), place.repo.branch_by_git(&branch(name)));
        let shown = |state: Result<BranchState, GitError>| state.map_err(|error| error.to_string());
        assert_eq!(shown(both.0), shown(both.1), "{state}: {name}");
    }
    let sorted = |entries: Vec<WorktreeEntry>| {
        let mut shown: Vec<String> =
            entries.into_iter().map(|entry| format!("{entry:?}")).collect();
        shown.sort();
        shown
    };
    let both = (place.repo.worktrees().unwrap(), place.repo.worktrees_by_git().unwrap());
    assert_eq!(sorted(both.0), sorted(both.1), "{state}");
    assert_eq!(place.repo.default_branch(), place.repo.default_branch_by_git(), "{state}");
}

#[test]
fn what_is_read_without_git_is_what_git_says() {
    let place = Place::new();
    let git = |line: &str| plain(&place.repo.main, &line.split(' ').collect::<Vec<_>>());
    compare(&place, "new");
    place.add(&place.new_worktree("web-1"));
    place.add(&place.new_worktree("web-2"));
    git("branch deep/er");
    git("tag v1");
    git("tag -a -m second v2");
    git("tag twin");
    git("branch twin");
    compare(&place, "with worktrees, tags and a name of two meanings");
    git("update-ref refs/remotes/origin/main HEAD");
    git("update-ref refs/remotes/origin/dev HEAD");
    compare(&place, "with a remote");
    git("symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/dev");
    compare(&place, "with the remote's HEAD");
    git("symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/gone");
    compare(&place, "with the remote's HEAD leading nowhere");
    git("branch packed");
    git("pack-refs --all");
    git("commit -q --allow-empty -m more");
    compare(&place, "packed");
    git("tag main");
    compare(&place, "with a tag that is called like the branch");
    git("tag -d main");
    git("checkout -q --detach");
    compare(&place, "detached");
    git("checkout -q --orphan unborn");
    compare(&place, "on a branch without a commit");
    git("checkout -q main");
    plain(&place.root().join("web-1"), &["checkout", "-q", "--detach"]);
    compare(&place, "with a detached worktree");
    std_fs::remove_file(place.root().join("web-2/.git")).unwrap();
    compare(&place, "with a worktree that git would prune");
}
