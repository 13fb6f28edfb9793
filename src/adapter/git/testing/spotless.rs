//! What is called spotless without git, against git itself.

use super::*;
use crate::adapter::git::spotless::is_spotless;

/// Makes a worktree whose files were last changed long before its index was written, as those of
/// every worktree are after a while.
fn settled_worktree(place: &Place, id: &str) -> WorkspaceHandle {
    let top = &place.repo.main;
    // What git would start after a commit stands in the worktree, and would be seen there.
    sh(top, "git config gc.auto 0; git config maintenance.auto false");
    std_fs::create_dir_all(top.join("sub/deep")).unwrap();
    std_fs::write(top.join("sub/deep/b.txt"), "two\n").unwrap();
    std_fs::write(top.join("sub-file"), "three\n").unwrap();
    std_fs::write(top.join("program"), "#!/bin/sh\n").unwrap();
    let _ = std::os::unix::fs::symlink("a.txt", top.join("link"));
    sh(top, "chmod +x program; git add .; git commit -qm more || true");
    let handle = place.add(&place.new_worktree(id));
    sh(&handle.path, "find . -exec touch -h -d '1 hour ago' {} +; git update-index -q --refresh");
    handle
}

fn sh(directory: &Path, script: &str) {
    let output = Cmd::new("sh")
        .args(["-ec", script])
        .cwd(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .deadline(MINUTE)
        .output()
        .unwrap();
    assert!(output.success(), "{script}: {}", output.stderr);
}

fn admin_of(place: &Place, id: &str) -> PathBuf {
    place.repo.common_dir.join("worktrees").join(id)
}

fn told(place: &Place, handle: &WorkspaceHandle, id: &str) -> bool {
    let admin = admin_of(place, id);
    let made_from = place.repo.refs().unwrap().commit_and_tree(&admin);
    made_from.is_some_and(|(_, tree)| is_spotless(&handle.path, &admin, tree.as_bytes()))
}

#[test]
fn what_is_spotless_git_calls_clean_and_whatever_happens_to_it_is_seen() {
    let place = Place::new();
    let before = settled_worktree(&place, "web-0");
    assert!(told(&place, &before, "web-0"));
    let fine =
        ["true", "git commit -q --allow-empty -m empty", "git update-index --index-version 4"];
    let happens = [
        "echo x >>a.txt",
        "touch a.txt",
        // The same length and time, and only the time of the change of its inode differs.
        "printf 'eno\\n' >a.txt; touch -d '1 hour ago' a.txt",
        "cp -p a.txt other; mv other a.txt",
        "echo x >new",
        "echo x >sub/deep/new",
        "echo x >.env",
        "mkdir empty",
        "chmod +x a.txt",
        "chmod -x program",
        "rm sub/deep/b.txt",
        "rm -r sub",
        "rm a.txt; ln -s program a.txt",
        "rm link; ln -s b.txt link",
        "mv sub ../moved; ln -s ../moved sub",
        "rm sub-file; mkdir sub-file",
        "git mv a.txt b.txt",
        "git rm -q --cached a.txt",
        "echo x >new; git add -N new",
        "git update-index --assume-unchanged a.txt",
        "git update-index --skip-worktree a.txt",
        "git update-index --split-index",
        "git reset -q --soft HEAD~1",
        "git reset -q HEAD~1",
        "git init -q inner",
        "git config core.fileMode false; chmod +x sub-file",
        "echo broken >\"$(git rev-parse --git-dir)/index\"",
        "rm \"$(git rev-parse --git-dir)/index\"",
        "touch -d '2 hours ago' \"$(git rev-parse --git-dir)/index\"",
    ];
    let all = fine.iter().map(|it| (*it, true)).chain(happens.iter().map(|it| (*it, false)));
    for (number, (script, expected)) in all.enumerate() {
        let id = format!("web-{}", number + 1);
        let handle = settled_worktree(&place, &id);
        assert!(told(&place, &handle, &id), "before {script}");
        let identity = "git config user.name t; git config user.email t@example.org";
        sh(&handle.path, &format!("{identity}; {script}"));
        assert_eq!(told(&place, &handle, &id), expected, "{script}");
        if expected {
            let status = ["status", "--porcelain", "--ignored", "--untracked-files=all"];
            assert_eq!(plain(&handle.path, &status), "", "{script}");
            assert_eq!(place.kept(&handle, &id), [] as [&str; 0], "{script}");
        }
        sh(&place.repo.main, "git config --unset core.fileMode || true");
    }
}
