//! Clean workspaces that are kept for the next sessions, as a person sees them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::doctor::findings;
use crate::env::TestEnvironment;
use crate::schema::assert_answer;
use crate::tree::Tree;

/// Makes a session that has ended by itself and left its workspace clean.
fn ended(env: &TestEnvironment, repo: &Path, id: &str) {
    let words = ["spawn", "-a", "shell", "--runtime", "process", "--id", id, "--wait", "exit 0"];
    env.ao_in(repo, &words).success();
    env.ao(&["reap"]).success();
}

/// Returns what a dry run says of how the files would be made.
fn foreseen(env: &TestEnvironment, repo: &Path) -> (String, String) {
    let words = ["spawn", "-a", "shell", "--runtime", "process", "--dry-run", "true", "--json"];
    let answer = env.ao_in(repo, &words).success().json();
    assert_answer("PlanAnswer", &answer);
    let steps = answer["plan"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let step = steps.iter().find(|step| step.get("way").is_some()).unwrap();
    (text(&step["way"]), text(&step["why"]))
}

fn entries(env: &TestEnvironment) -> Vec<PathBuf> {
    let pool = env.home().join("worktrees/.pool/app");
    let found = fs::read_dir(pool).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = found.collect();
    found.sort();
    found
}

#[test]
fn a_workspace_that_was_made_before_the_pool_was_wanted_goes_there_too() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    ended(&env, &repo, "one");
    ended(&env, &repo, "two");
    env.ao(&["config", "set", "pool.size", "2"]).success();
    for id in ["one", "two"] {
        env.ao(&["cleanup", id]).success();
    }
    assert_eq!(entries(&env).len(), 2);
    ended(&env, &repo, "next");
    assert_eq!(entries(&env).len(), 1);
    let shown = env.ao_json(&["show", "next", "--json"]);
    let made = shown["session"]["handles"]["workspace"]["made"].as_str().unwrap().to_owned();
    assert!(made.starts_with("pool: the workspace that "), "{made}");
}

#[test]
fn a_dry_run_says_by_which_way_the_files_would_come() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let copy = ("copy".to_owned(), format!("1 files of {}", repo.display()));
    assert_eq!(foreseen(&env, &repo), copy);
    env.ao(&["config", "set", "pool.size", "1"]).success();
    assert_eq!(foreseen(&env, &repo), copy, "there is none in it yet");
    ended(&env, &repo, "one");
    env.ao(&["cleanup", "one"]).success();
    let pool = ("pool".to_owned(), "the workspace that one left".to_owned());
    assert_eq!(foreseen(&env, &repo), pool);
    let words = ["spawn", "-a", "shell", "--runtime", "process", "--dry-run", "true"];
    let plan = env.ao_in(&repo, &words).success().stdout;
    assert!(plan.contains("would fill it from the pool: the workspace that one left\n"), "{plan}");
    assert_eq!(entries(&env).len(), 1, "it is still there");

    env.git(&repo, &["config", "core.autocrlf", "true"]);
    let git = ("git".to_owned(), "core.autocrlf changes what files are".to_owned());
    assert_eq!(foreseen(&env, &repo), git);
}

#[test]
fn an_entry_whose_maker_was_killed_goes_with_the_next_pass() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao(&["config", "set", "pool.size", "2"]).success();
    ended(&env, &repo, "one");
    let cleanup = env.ao_command(&["cleanup", "one"]).env("AO_FAILPOINT", "pool.prepared#1=kill");
    env.run(&cleanup).code(137);
    let half = entries(&env);
    assert_eq!(half.len(), 1);
    env.ao(&["reap"]).success();
    // The cleanup was finished, which made another one.
    let whole = entries(&env);
    assert_eq!(whole.len(), 1);
    assert!(whole != half && whole[0].join("tree").exists(), "{whole:?}");
}

#[test]
fn a_dry_run_of_a_pass_names_what_the_pass_then_deletes() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao(&["config", "set", "pool.size", "1"]).success();
    ended(&env, &repo, "one");
    env.ao(&["cleanup", "one"]).success();
    let kept = entries(&env);
    env.ao(&["config", "set", "pool.size", "0"]).success();
    let agree = |would: &str, did: &str| {
        let plan = env.ao_json(&["reap", "--dry-run", "--json"]);
        let pass = env.ao_json(&["reap", "--json"]);
        let steps = plan["plan"].as_array().unwrap();
        let cleaned = pass["reap"]["cleaned"].as_array().unwrap();
        assert_eq!((steps.len(), cleaned.len()), (1, 1), "{plan:#} {pass:#}");
        let step = steps[0]["op"].as_str().unwrap().strip_prefix(would).unwrap().to_owned();
        assert_eq!(cleaned[0]["what"], format!("{did}{step}"));
        assert!(!steps[0]["why"].as_str().unwrap().is_empty());
        PathBuf::from(step)
    };
    assert_eq!([agree("empty ", "emptied ")], *kept);
    assert!(env.ao(&["reap", "--dry-run"]).success().stdout.contains("nothing to do"));
    env.at("2099-01-01T00:00:00Z");
    let gone = agree("delete ", "deleted ");
    assert_eq!(gone.parent().and_then(Path::file_name), Some(".trash".as_ref()), "{gone:?}");
    assert!(env.ao(&["reap", "--dry-run"]).success().stdout.contains("nothing to do"));
}

#[test]
fn a_project_that_is_forgotten_takes_nothing_along_that_is_just_being_made() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao(&["config", "set", "pool.size", "1"]).success();
    ended(&env, &repo, "one");
    env.ao(&["cleanup", "one"]).success();
    // A session of another home below the same root is at work on these.
    let pool = entries(&env)[0].parent().unwrap().to_owned();
    let theirs = [".for-theirs", "theirs-0123456789abcdef"].map(|name| pool.join(name));
    for half in &theirs {
        fs::create_dir_all(half.join("tree")).unwrap();
    }
    env.ao(&["project", "rm", "app"]).success();
    assert_eq!(entries(&env), theirs);
    env.at("2099-01-01T00:00:00Z");
    env.ao(&["reap"]).success();
    assert_eq!(entries(&env), [""; 0].map(PathBuf::from), "nobody came back to them");
}

#[test]
fn the_doctor_says_what_is_in_each_pool() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let none = ["ok pool.size is 0: no clean workspace is kept"];
    assert_eq!(findings(&env, "pool"), none);
    env.ao(&["config", "set", "pool.size", "3"]).success();
    for id in ["one", "two", "three"] {
        ended(&env, &repo, id);
    }
    assert_eq!(findings(&env, "pool of app"), ["ok 0 of 3 clean workspaces, 0 bytes"]);
    for id in ["one", "two", "three"] {
        env.ao(&["cleanup", id]).success();
    }
    let line = findings(&env, "pool of app");
    assert!(line[0].starts_with("ok 3 of 3 clean workspaces, "), "{line:?}");
    assert_eq!((line.len(), findings(&env, "pool").len()), (1, 0));

    // Two are damaged by hand; what is young may be about to be made.
    let damaged = entries(&env);
    fs::remove_dir_all(damaged[0].join("tree")).unwrap();
    fs::write(damaged[1].join("entry.json"), "{").unwrap();
    let line = findings(&env, "pool of app");
    assert!(line.len() == 1 && line[0].starts_with("ok 1 of 3 "), "{line:?}");
    env.at("2099-01-01T00:00:00Z");
    let line = findings(&env, "pool of app");
    assert_eq!(
        line[1..],
        [
            format!("warn {}: its files are gone", damaged[0].display()),
            format!("warn {}: what it says of itself cannot be read", damaged[1].display()),
        ]
    );
    env.ao(&["reap"]).success();
    assert_eq!(entries(&env), [damaged[2].clone()]);
    let line = findings(&env, "pool of app");
    assert!(line.len() == 1 && line[0].starts_with("ok 1 of 3 "), "{line:?}");

    env.ao(&["config", "set", "pool.size", "0"]).success();
    let line = findings(&env, "pool of app");
    assert!(line[0].starts_with("warn 1 of 0 "), "{line:?}");
    env.ao(&["reap"]).success();
    assert_eq!(findings(&env, "pool"), none);
}

#[test]
fn what_cannot_be_removed_keeps_nothing_else() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao(&["config", "set", "pool.size", "2"]).success();
    for id in ["one", "two"] {
        ended(&env, &repo, id);
    }
    for id in ["one", "two"] {
        env.ao(&["cleanup", id]).success();
    }
    // Directories where files should be: nobody can remove or read them as such, not even root.
    let kept = entries(&env);
    fs::create_dir_all(kept[1].join("tree/.git/x")).unwrap();
    let other = env.home().join("worktrees/.pool/aaa/one-0123456789abcdef");
    fs::create_dir_all(other.join("entry.json")).unwrap();
    env.ao(&["config", "set", "pool.size", "0"]).success();
    env.ao(&["config", "set", "trash.keep", "0s"]).success();
    let trash = env.home().join("worktrees/.trash");
    for name in ["one", "two"] {
        fs::create_dir_all(trash.join(format!("{name}-0000000000000000/x"))).unwrap();
    }
    // The first directory that is emptied is the pool's, which can be.
    let points = [("AO_FAILPOINT", "dirfd.empty#2=error:5")];
    let pass = env.ao_env(&["reap", "--json"], &points).success().json();
    assert_answer("ReapAnswer", &pass);
    let whats = |key: &str| -> Vec<String> {
        let items = pass["reap"][key].as_array().unwrap().iter();
        items.map(|item| item["what"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(whats("failed"), ["tend pool", "tend pool", "empty trash"], "{pass:#}");
    let cleaned = whats("cleaned");
    let emptied = format!("emptied {}", kept[0].display());
    let deleted = format!("deleted {}", trash.join("two-0000000000000000").display());
    assert!(cleaned.contains(&emptied) && cleaned.contains(&deleted), "{cleaned:?}");
    // A directory that its owner may not change is made so that he may; root meets none.
    env.ao_env(&["reap", "--strict"], &[("AO_FAILPOINT", "dirfd.empty#1=error:13")]).code(1);
    let left = fs::read_dir(&trash).unwrap().count();
    assert_eq!(left, 0, "only the pool cannot be tended");
}

/// Each place where `ao` keeps workspaces, and has directories of its own to keep them in.
#[test]
fn no_link_where_workspaces_are_kept_is_followed() {
    for place in ["worktrees", "worktrees/app", "worktrees/.pool", "worktrees/.pool/app", "trash"] {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        env.ao(&["config", "set", "pool.size", "2"]).success();
        env.ao(&["config", "set", "trash.keep", "0s"]).success();
        ["one", "two", "three"].iter().for_each(|id| ended(&env, &repo, id));
        env.ao(&["cleanup", "one"]).success();
        env.ao(&["config", "set", "pool.size", "0"]).success();
        env.ao(&["cleanup", "two"]).success();
        // All that a link could lead to is somebody else's now, whatever it is called.
        let own = match place {
            "trash" => repo.join(".git/ao-trash"),
            place => env.home().join(place),
        };
        let outside = env.path("outside");
        fs::rename(&own, &outside).unwrap();
        symlink(&outside, &own).unwrap();
        fs::create_dir_all(outside.join("mine-0000000000000001/deep")).unwrap();
        fs::create_dir_all(outside.join(".trash/mine-0000000000000001/deep")).unwrap();
        let before = Tree::of(&outside);
        let spawn = ["spawn", "-a", "shell", "--runtime", "process", "--wait", "exit 0"];
        for words in [
            &spawn[..],
            &["cleanup", "three"],
            &["restore", "two"],
            &["reap"],
            &["doctor", "--repair"],
            &["project", "rm", "app"],
        ] {
            for size in ["0", "2"] {
                env.ao(&["config", "set", "pool.size", size]).success();
                let outcome = env.ao_in(&repo, words);
                assert_eq!(before.changes(&outside), [""; 0], "{place}: {words:?}\n{outcome}");
            }
        }
        // Without a pool, and without a trash, a workspace is made all the same.
        if ["worktrees", "worktrees/app"].contains(&place) {
            let told = env.ao_in(&repo, &spawn).code(5).stderr;
            assert!(told.contains(&format!("could not use {}", own.display())), "{place}: {told}");
            assert!(told.contains("hint: remove the link"), "{place}: {told}");
        }
    }
}

#[test]
fn what_its_owner_may_not_change_is_deleted_by_the_next_pass_at_the_latest() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    ended(&env, &repo, "one");
    env.ao(&["config", "set", "trash.keep", "0s"]).success();
    let trash = env.home().join("worktrees/.trash");
    let left = || fs::read_dir(&trash).unwrap().count();
    for (fault, code, stays) in [
        ("dirfd.mode=kill", 137, 1),
        ("dirfd.mode=error:5", 1, 1),
        ("dirfd.mode=error:1", 1, 1),
        ("dirfd.mode#1=error:4", 0, 0),
    ] {
        fs::create_dir_all(trash.join("one-0000000000000000/x")).unwrap();
        let points = format!("dirfd.empty#1=error:13,{fault}");
        env.ao_env(&["reap", "--strict"], &[("AO_FAILPOINT", &points)]).code(code);
        assert_eq!(left(), stays, "{fault}");
        env.ao(&["reap", "--strict"]).success();
        assert_eq!(left(), 0, "{fault}");
    }
    env.ao(&["doctor", "--state"]).success();
}
