//! What a look tells of branches that were merged in every way, and of those that were not.

use super::*;
use crate::adapter::git::merge::look_each_way;

/// What every story begins with: `main` with two files, and a branch `work` of it that is checked
/// out. `c FILE TEXT` commits a file; `seen` notes the tip at which the branch was seen open.
const BEGINNING: &str = r#"
    c() { printf '%b' "$2" >"$1"; git add -A; git commit -qm "change $1"; }
    seen() { git rev-parse work >../seen; }
    lines() { printf '1\n2\n3\n4\n5\n6\n7\n%s\n9\n10\n11\n12\n13\n14\n' "$1"; }
    lines 8 >list; git add -A; git commit -qm list
    git checkout -q -b work
    git rev-parse work >../base
"#;

/// A story, and what a look at `work` tells after it.
fn told(story: &str) -> String {
    let place = Place::new();
    told_of(&place, story, Some("main"))
}

fn told_of(place: &Place, story: &str, base_ref: Option<&str>) -> String {
    let script = format!("set -e\n{BEGINNING}\n{story}");
    let command = Cmd::new("sh").args(["-c", &script]).cwd(&place.repo.main).deadline(MINUTE);
    let config = command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_EDITOR", "true");
    let output = config.output().unwrap();
    assert!(output.success(), "{story}\n{}\n{}", output.text(), output.stderr);
    let read = |name: &str| {
        let path = place.directory.path().join(name);
        std_fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    };
    let (base, seen) = (read("base"), read("seen"));
    let query = BranchQuery {
        branch: "work",
        base_ref,
        base_sha: base.as_deref(),
        seen_head: seen.as_deref(),
    };
    let looks = look_each_way(&place.repo, &query).map(|look| match look {
        Ok(look) => {
            let word = if look.merged { "merged" } else { "open" };
            let conflicts = match look.conflicts.as_slice() {
                [] => String::new(),
                paths => format!(", conflicts in {}", paths.join(" ")),
            };
            format!("{word} into {}, {} ahead{conflicts}", look.target.name, look.ahead)
        }
        Err(error) => error.to_string(),
    });
    assert_eq!(looks[0], looks[2], "libgit2 and git: {story}");
    assert_eq!(looks[1], looks[2], "libgit2, which knows the commits, and git: {story}");
    let [answer, ..] = looks;
    answer
}

/// Returns the names of all files below the git directory's objects and logs.
fn objects(place: &Place) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![place.repo.common_dir.join("objects"), place.repo.common_dir.join("logs")];
    while let Some(directory) = open.pop() {
        for entry in std_fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path.clone()) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

#[test]
fn a_branch_without_work_of_its_own_is_not_merged() {
    insta::assert_snapshot!(told(""), @r#"open into main, 0 ahead"#);
    insta::assert_snapshot!(told("git checkout -q main; c new x; c new y; git checkout -q work"), @r#"open into main, 0 ahead"#);
    let followed =
        "git checkout -q main; c new x; c new y; git checkout -q work; git merge -q main";
    insta::assert_snapshot!(told(followed), @r#"open into main, 0 ahead"#);
    let rebased = "git checkout -q main; c new x; git checkout -q work; git rebase -q main";
    insta::assert_snapshot!(told(rebased), @r#"open into main, 0 ahead"#);
    let dropped = "c new x; seen; git checkout -q main; c other y; git checkout -q work; git reset -q --hard main";
    insta::assert_snapshot!(told(dropped), @r#"open into main, 0 ahead"#);
}

#[test]
fn a_merge_is_seen_however_it_was_made() {
    let work = "c new x; c more y; git checkout -q main";
    for (name, how) in [
        ("fast-forward", "git merge -q --ff-only work"),
        ("merge commit", "c other z; git merge -q --no-ff -m m work"),
        ("merge commit on an unmoved base", "git merge -q --no-ff -m m work"),
        (
            "merge commit, the log lost",
            "git merge -q --no-ff -m m work; rm .git/logs/refs/heads/work",
        ),
        (
            "seen open, then the log was lost",
            "seen; git merge -q --ff-only work; rm .git/logs/refs/heads/work",
        ),
        (
            "a rebase, then a fast-forward",
            "c other z; git checkout -q work; git rebase -q main; git checkout -q main; git merge -q --ff-only work",
        ),
    ] {
        let story = format!("{work}; {how}");
        assert_eq!(told(&story), "merged into main, 0 ahead", "{name}");
    }
}

#[test]
fn a_squash_is_seen_whatever_came_after_it() {
    let work = "c new 'x\\n'; c new 'x\\ny\\n'; lines eight >list; git commit -qam list; git checkout -q main";
    let squash = "git merge -q --squash work; git commit -qm squashed";
    for (name, how) in [
        ("at once", squash.to_owned()),
        ("beside other work", format!("c other z; {squash}; c other zz")),
        (
            "then changed in the same lines",
            format!("{squash}; lines acht >list; git commit -qam later"),
        ),
        ("then taken back", format!("{squash}; git revert --no-edit HEAD >/dev/null")),
        (
            "then the branch was brought up to it",
            format!("seen; {squash}; git checkout -q work; git reset -q --hard main"),
        ),
        (
            "after the base was merged into it",
            format!(
                "c other z; git checkout -q work; git merge -q -m m main; git checkout -q main; {squash}"
            ),
        ),
    ] {
        let answer = told(&format!("{work}; {how}"));
        assert!(answer.starts_with("merged into main, "), "{name}: {answer}");
    }
}

#[test]
fn a_rebase_is_seen_commit_by_commit() {
    let work = "c new x; lines eight >list; git commit -qam list; git commit -q --allow-empty -m nothing; git checkout -q main; c other z";
    let picked = format!("{work}; git cherry-pick work~2 work~1 >/dev/null");
    insta::assert_snapshot!(told(&picked), @r#"merged into main, 3 ahead"#);
    insta::assert_snapshot!(told(&format!("{picked}; lines acht >list; git commit -qam later")), @r#"merged into main, 3 ahead"#);
    insta::assert_snapshot!(told(&format!("{work}; git cherry-pick work~2 >/dev/null")), @r#"open into main, 3 ahead"#);
    let other_order = format!("{work}; git cherry-pick work~1 work~2 >/dev/null");
    insta::assert_snapshot!(told(&other_order), @r#"merged into main, 3 ahead"#);
}

#[test]
fn what_goes_on_after_a_merge_is_open_for_the_rest() {
    let work = "c new x; git checkout -q main";
    let go_on = "git checkout -q work; c more y";
    insta::assert_snapshot!(told(&format!("{work}; git merge -q --no-ff -m m work; {go_on}")), @r#"open into main, 1 ahead"#);
    let squash = "git merge -q --squash work; git commit -qm s";
    insta::assert_snapshot!(told(&format!("{work}; {squash}; {go_on}")), @r#"open into main, 2 ahead"#);
}

#[test]
fn commits_that_cancel_out_are_not_merged() {
    let nothing = "c new x; git rm -q new; git commit -qm back";
    insta::assert_snapshot!(told(nothing), @r#"open into main, 2 ahead"#);
    insta::assert_snapshot!(told(&format!("{nothing}; git checkout -q main; c other z")), @r#"open into main, 2 ahead"#);
    let empty = "git commit -q --allow-empty -m a; git checkout -q main; c other z";
    insta::assert_snapshot!(told(empty), @r#"open into main, 1 ahead"#);
}

#[test]
fn conflicts_name_their_paths() {
    let theirs = "lines eight >list; git commit -qam list; git checkout -q main";
    insta::assert_snapshot!(told(&format!("{theirs}; lines acht >list; git commit -qam acht")), @r#"open into main, 1 ahead, conflicts in list"#);
    insta::assert_snapshot!(told(&format!("{theirs}; git rm -q list; git commit -qm gone")), @r#"open into main, 1 ahead, conflicts in list"#);
    let both = "c new x; git checkout -q main; c new y";
    insta::assert_snapshot!(told(both), @r#"open into main, 1 ahead, conflicts in new"#);
    let apart = "lines eight >list; git commit -qam list; git checkout -q main; sed -i 's/^1$/one/' list; git commit -qam one";
    insta::assert_snapshot!(told(apart), @r#"open into main, 1 ahead"#);
}

#[test]
fn renames_modes_and_what_is_not_text() {
    let renamed = "git mv list names; git commit -qm names; git checkout -q main; lines acht >list; git commit -qam acht";
    insta::assert_snapshot!(told(renamed), @r#"open into main, 1 ahead"#);
    let squashed = "git mv list names; git commit -qm names; git checkout -q main; git merge -q --squash work; git commit -qm s; lines acht >names; git commit -qam acht";
    insta::assert_snapshot!(told(squashed), @r#"merged into main, 1 ahead"#);
    let mode = "chmod +x list; git commit -qam x; git checkout -q main; git merge -q --squash work; git commit -qm s; chmod -x list; git commit -qam back";
    insta::assert_snapshot!(told(mode), @r#"merged into main, 1 ahead"#);

    let binary = "printf 'a\\0b' >bin; git add bin; git commit -qm bin";
    let also = "git checkout -q main; printf 'a\\0c' >bin; git add bin; git commit -qm bin";
    insta::assert_snapshot!(told(&format!("{binary}; {also}")), @r#"open into main, 1 ahead, conflicts in bin"#);
    let squashed = format!(
        "{binary}; git checkout -q main; git merge -q --squash work; git commit -qm s; printf 'a\\0c' >bin; git commit -qam later"
    );
    insta::assert_snapshot!(told(&squashed), @r#"merged into main, 1 ahead"#);
}

#[test]
fn submodules_are_compared_by_their_commits() {
    let link = |sha: &str, letter: &str| {
        let sha = sha.repeat(40);
        format!("git update-index --add --cacheinfo 160000,{sha},sub; git commit -qm {letter}")
    };
    let squash = "git checkout -q main; git merge -q --squash work; git commit -qm s";
    let (one, two) = (link("1", "one"), link("2", "two"));
    insta::assert_snapshot!(told(&format!("{one}; {squash}; {two}")), @r#"merged into main, 1 ahead"#);
    insta::assert_snapshot!(told(&format!("{one}; git checkout -q main; {two}")), @r#"open into main, 1 ahead, conflicts in sub"#);
}

#[test]
fn histories_that_cross_and_histories_apart() {
    let crossed = "c new x; git branch before; git checkout -q main; c other y; git branch base; \
        git merge -q -m m before; git checkout -q work; git merge -q -m m base; c more z";
    insta::assert_snapshot!(told(crossed), @r#"open into main, 2 ahead"#);
    let apart = "git checkout -q --orphan apart; git rm -rqf .; c new x; git branch -f work; git checkout -q work";
    insta::assert_snapshot!(told(apart), @r#"open into main, 1 ahead"#);
}

#[test]
fn the_target_is_the_branch_that_is_meant() {
    let tracked = |main: &str| {
        format!("{main}; git update-ref refs/remotes/origin/main main; git checkout -q work")
    };
    let place = Place::new;
    let ahead = tracked(
        "git checkout -q main; c new x; git branch there; git reset -q --hard HEAD~1; git update-ref refs/remotes/origin/x there",
    );
    assert_eq!(told_of(&place(), &ahead, Some("origin/main")), "open into main, 0 ahead");

    // The remote has it, and the local branch lags behind.
    let there = "c new x; git update-ref refs/remotes/origin/main work";
    assert_eq!(told_of(&place(), there, Some("origin/main")), "merged into main, 0 ahead");
    assert_eq!(told_of(&place(), there, Some("main")), "merged into main, 0 ahead");
    // The remote moved on, and the branch began there: nothing of that is its own.
    let began = "git checkout -q -b there main; c new x; git update-ref refs/remotes/origin/main there; \
        git checkout -q work; git reset -q --hard there; git rev-parse work >../base; c own y";
    assert_eq!(told_of(&place(), began, Some("origin/main")), "open into main, 1 ahead");

    let remote_only =
        "c new x; git update-ref refs/remotes/origin/dev main; git remote add origin nowhere";
    assert_eq!(told_of(&place(), remote_only, Some("origin/dev")), "open into origin/dev, 1 ahead");
    let tag = "c new x; git tag v1 main; git update-ref refs/remotes/origin/main main; \
        git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main";
    for base in [Some("v1"), Some("HEAD"), Some("work"), None] {
        assert_eq!(told_of(&place(), tag, base), "open into main, 1 ahead", "{base:?}");
    }
    let nothing = "c new x; git checkout -q --detach; git branch -D main >/dev/null";
    let answer = told_of(&place(), nothing, Some("main"));
    assert!(answer.starts_with("branch `work` has nothing to be merged into"), "{answer}");
}

#[test]
fn one_branch_that_is_gone_stops_no_other() {
    let place = Place::new();
    plain(&place.repo.main, &["branch", "here"]);
    let query = |branch| BranchQuery { branch, base_ref: None, base_sha: None, seen_head: None };
    let looks = super::super::look(&place.repo, &[query("gone"), query("here")]);
    assert!(matches!(looks[0], Err(GitError::BranchGone { .. })), "{:?}", looks[0]);
    assert_eq!(looks[1].as_ref().map(|look| (look.ahead, look.merged)).unwrap(), (0, false));
}

#[test]
fn a_look_writes_nothing() {
    let place = Place::new();
    let story = "lines eight >list; git commit -qam a; git checkout -q main; c new x; sed -i 's/^1$/one/' list; git commit -qam b";
    let script = format!("set -e\n{BEGINNING}\n{story}");
    let command = Cmd::new("sh").args(["-c", &script]).cwd(&place.repo.main).deadline(MINUTE);
    assert!(command.output().unwrap().success());
    std_fs::remove_dir_all(place.repo.common_dir.join("logs")).unwrap();
    std_fs::create_dir(place.repo.common_dir.join("logs")).unwrap();
    let before = objects(&place);
    let query =
        BranchQuery { branch: "work", base_ref: Some("main"), base_sha: None, seen_head: None };
    let look = super::super::look(&place.repo, &[query]).remove(0).unwrap();
    assert_eq!((look.ahead, look.merged, look.conflicts), (1, false, Vec::new()));
    assert_eq!(objects(&place), before);
}

#[test]
fn what_a_users_gpg_says_of_commits_is_no_line_of_a_log() {
    let place = Place::new();
    let gpg = place.directory.path().join("gpg");
    let said = "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED D' >&2\necho 'gpg: good' >&2\n\
         echo '-----BEGIN PGP SIGNATURE-----'\necho '-----END PGP SIGNATURE-----'\n";
    std_fs::write(&gpg, said).unwrap();
    std_fs::set_permissions(&gpg, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let story = format!(
        "git config gpg.program '{}'; git config log.showSignature true; \
         echo new >x; git add x; git commit -q -S -m signed",
        gpg.display()
    );
    let open = "open into main, 1 ahead";
    assert_eq!(told_of(&place, &story, Some("main")), open);
}

#[test]
fn formats_that_libgit2_refuses_are_looked_at_all_the_same() {
    for init in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        if version().unwrap() < (2, 45) {
            continue;
        }
        let place = Place::with(init);
        let script = format!(
            "set -e\n{BEGINNING}\nc new x; git checkout -q main; git merge -q --squash work; \
             git commit -qm s; c new y"
        );
        let command = Cmd::new("sh").args(["-c", &script]).cwd(&place.repo.main).deadline(MINUTE);
        assert!(command.output().unwrap().success());
        let query =
            BranchQuery { branch: "work", base_ref: Some("main"), base_sha: None, seen_head: None };
        let look = super::super::look(&place.repo, &[query]).remove(0).unwrap();
        assert_eq!((look.ahead, look.merged), (1, true), "{init:?}");
    }
}
