//! What a forced cleanup saves, byte for byte.

use super::*;

fn saved(handle: &WorkspaceHandle) -> Preserved {
    let saved = preserve(handle, &session("web-1"), &[]).unwrap();
    assert_eq!(preserve(handle, &session("web-1"), &[]).unwrap(), saved, "once more");
    saved
}

/// Returns what the commit has at `name` among what it and its parents have.
fn shown(handle: &WorkspaceHandle, name: &str) -> String {
    plain(&handle.path, &["show", &format!("refs/ao/preserved/web-1{name}")])
}

#[test]
fn what_git_would_convert_comes_back_byte_for_byte() {
    let place = Place::new();
    let main = &place.repo.main;
    let filters = [
        ("nothing.clean", "true"),
        ("secret.clean", "tr a-z n-za-m"),
        ("secret.smudge", "tr n-za-m a-z"),
        ("secret.required", "true"),
    ];
    for (name, value) in filters {
        plain(main, &["config", &format!("filter.{name}"), value]);
    }
    let attributes =
        "*.no filter=nothing\n*.secret filter=secret\n*.unix text eol=lf\n*.id ident\n";
    std_fs::write(main.join(".gitattributes"), attributes).unwrap();
    std_fs::write(main.join("old.unix"), "a\nb\n").unwrap();
    std_fs::write(main.join("same.unix"), "a\nb\n").unwrap();
    std_fs::write(main.join("old.secret"), "old").unwrap();
    plain(main, &["add", "."]);
    plain(main, &["commit", "-qm", "attributes"]);
    let handle = place.add(&place.new_worktree("web-1"));
    let files = [
        ("x.no", "all of it\n"),
        ("deep/x.secret", "hidden\n"),
        ("old.unix", "a\r\nb\r\n"),
        ("new.unix", "a\r\nb\n\r"),
        ("staged.unix", "c\r\n"),
        ("odd\n\"name\\\r\u{e4}.unix", "\r\n"),
        ("plain", "p\r\n"),
    ];
    std_fs::create_dir(handle.path.join("deep")).unwrap();
    for (name, content) in files {
        std_fs::write(handle.path.join(name), content).unwrap();
    }
    plain(&handle.path, &["add", "staged.unix"]);
    let saved = saved(&handle);
    assert_eq!(shown(&handle, ":deep/x.secret"), "uvqqra", "as the filter has it");
    remove(&place.repo, &handle, &session("web-1"), &place.root()).unwrap();
    let output = Cmd::new("sh").args(["-c", &saved.restore_command]).output().unwrap();
    assert!(output.success(), "{}", output.stderr);
    let same = [("same.unix", "a\nb\n"), ("old.secret", "old"), ("a.txt", "one\n")];
    for (name, content) in files.into_iter().chain(same) {
        let back = std_fs::read(handle.path.join(name)).unwrap();
        assert_eq!(String::from_utf8(back).unwrap(), content, "{name:?}");
    }
    let admin = std_fs::read_dir(place.repo.common_dir.join("worktrees/web-1")).unwrap();
    let left =
        admin.filter(|it| it.as_ref().unwrap().file_name().to_str().unwrap().contains("ao-"));
    assert_eq!(left.count(), 0);
}

#[test]
fn what_is_staged_alone_is_saved_too() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;
    let (file, other) = (path.join("a.txt"), path.join("n.txt"));
    std_fs::write(&file, "staged\n").unwrap();
    std_fs::write(&other, "gone\n").unwrap();
    plain(path, &["add", "."]);
    std_fs::write(&file, "later\n").unwrap();
    std_fs::remove_file(&other).unwrap();
    saved(&handle);
    assert_eq!(
        [":a.txt", "^2:a.txt", "^2:n.txt"].map(|it| shown(&handle, it)),
        ["later", "staged", "gone"]
    );
    let parents = plain(path, &["show", "-s", "--format=%P", "refs/ao/preserved/web-1"]);
    assert_eq!(parents.split(' ').count(), 2);
}

#[test]
fn a_change_of_the_very_second_in_which_the_index_was_written_is_saved() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let file = handle.path.join("a.txt");
    let second = || clock::now().as_millis() / 1000;
    let tried = clock::poll_until(Deadline::after(MINUTE), || {
        let began = second();
        std_fs::write(&file, "two\n").unwrap();
        plain(&handle.path, &["add", "a.txt"]);
        std_fs::write(&file, "six\n").unwrap();
        (second() == began).then_some(began)
    });
    clock::poll_until(Deadline::after(MINUTE), || (second() > tried? + 1).then_some(()));
    saved(&handle);
    assert_eq!(shown(&handle, ":a.txt"), "six");
}

#[test]
fn what_an_unfinished_rebase_put_aside_is_saved() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let (path, main) = (&handle.path, &place.repo.main);
    for (at, text) in [(path, "ours\n"), (main, "theirs\n")] {
        std_fs::write(at.join("a.txt"), text).unwrap();
        std_fs::write(at.join("b.txt"), "b\n").unwrap();
        plain(at, &["add", "."]);
        plain(at, &["commit", "-qm", text]);
    }
    plain(path, &["rm", "-q", "--cached", "b.txt"]);
    plain(path, &["commit", "-qm", "no b"]);
    std_fs::remove_file(path.join("b.txt")).unwrap();
    std_fs::write(path.join(".gitignore"), "aside\n").unwrap();
    assert!(!plain_output(path, &["rebase", "-q", "--autostash", "main"]).success());
    let admin = place.repo.common_dir.join("worktrees/web-1");
    let stash = std_fs::read_to_string(admin.join("rebase-merge/autostash")).unwrap();
    saved(&handle);
    let all = plain(path, &["rev-list", "refs/ao/preserved/web-1"]);
    assert!(all.contains(stash.trim()), "{all}");
    plain(path, &["rebase", "--abort"]);
    plain(path, &["checkout", "-q", ".gitignore"]);

    // Of patches that came by mail there is no commit at all.
    let patch = "From: A <a@example.org>\nSubject: precious\n\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-no such\n+line\n";
    std_fs::write(place.root().join("mail"), patch).unwrap();
    assert!(
        !plain_output(path, &["am", "-q", place.root().join("mail").to_str().unwrap()]).success()
    );
    assert_eq!(place.kept(&handle, "web-1"), ["a rebase is in progress"]);
    let last = saved(&handle);
    let kept = plain(path, &["show", &format!("{}^2:rebase-apply/0001", last.sha)]);
    assert!(kept.contains("precious"), "{kept}");
}
