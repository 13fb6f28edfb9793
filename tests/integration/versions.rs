//! Two versions of ao side by side: the older one reads or refuses, the newer one goes on with
//! what the older one wrote.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::disk::{spawn, two_sessions};
use crate::env::TestEnvironment;
use crate::tree::Tree;

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    let changed = text.replace(from, to);
    assert_ne!(changed, text, "{}", path.display());
    fs::write(path, changed).unwrap();
}

/// Makes record and log what the next schema would write, or what this one does.
fn write_as(env: &TestEnvironment, id: &str, from: u32, to: u32) {
    let directory = env.home().join("sessions").join(id);
    let (old, new) = (format!("\"schema\": {from}"), format!("\"schema\": {to}"));
    replace(&directory.join("session.json"), &old, &new);
    let packed = |text: &str| text.replace(": ", ":");
    replace(&directory.join("events.jsonl"), &packed(&old), &packed(&new));
}

#[test]
fn an_older_ao_reads_what_a_newer_one_wrote_and_rewrites_nothing() {
    let (env, repo) = two_sessions();
    write_as(&env, "one", 1, 2);
    let directory = env.home().join("sessions/one");
    let workspace = env.home().join("worktrees/app/one");
    let pid = env.record("one")["handles"]["launcher"]["pid"].as_u64();
    let before = (Tree::of(&directory), Tree::of(&workspace));

    for words in [
        &["show", "one"][..],
        &["show", "one", "--json"],
        &["status"],
        &["log", "one"],
        &["log", "--verify", "one"],
        &["explain", "one"],
        &["path", "one"],
        &["output", "one"],
        &["events"],
        &["reap", "--dry-run"],
    ] {
        env.ao(words).success();
    }
    assert_eq!(env.ao(&["ls", "-q"]).success().stdout, "one\ntwo\n");

    let fact = json!({ "runtime": "dead", "process": "dead" }).to_string();
    for outcome in [
        env.ao(&["rename", "one", "x"]),
        env.ao(&["send", "--queue", "one", "hello"]),
        env.ao_stdin(&["observe", "runtime", "one"], fact),
        env.ao(&["kill", "--yes", "one"]),
        env.ao(&["cleanup", "--yes", "--force", "one"]),
        env.ao_in(&repo, &["merge", "one"]),
        spawn(&env, &repo, "one"),
    ] {
        let is_newer = outcome.status == 8 && outcome.stderr.contains("schema 2");
        // What is refused for another reason, or kept, is not rewritten either.
        assert!(is_newer || [4, 5].contains(&outcome.status), "{outcome}");
    }
    let launch = env.record("one")["handles"]["launch"].as_str().unwrap().to_owned();
    let hook = [("AO_SESSION", "one"), ("AO_LAUNCH", &launch)];
    let outcome = env.ao_env(&["hook", "demo", "stop"], &hook).success();
    assert_eq!((&*outcome.stdout, &*outcome.stderr), ("", ""));
    // The others are served: a pass sees that this one has ended.
    env.ao(&["kill", "--yes", "two"]).success();
    env.ao(&["reap"]).success();
    env.ao(&["cleanup", "--yes", "two"]).success();
    env.ao(&["doctor", "--state", "--repair"]).success();

    assert_eq!(before.0.changes(&directory), [""; 0]);
    assert_eq!(before.1.changes(&workspace), [""; 0]);
    assert_eq!(env.record("one")["handles"]["launcher"]["pid"].as_u64(), pid);
    // Back with the newer one, which knows this schema.
    write_as(&env, "one", 2, 1);
    env.ao(&["doctor", "--state"]).success();
    env.ao(&["rename", "one", "x"]).success();
    env.ao(&["kill", "--yes", "one"]).success();
    env.ao(&["cleanup", "--yes", "one"]).success();
}

#[test]
fn files_of_a_newer_version_beside_the_records_are_refused_by_name_and_kept() {
    let (env, repo) = two_sessions();
    let project = env.home().join("projects/app.json");
    replace(&project, "\"schema\": 1", "\"schema\": 2");
    let reviews = env.home().join("sessions/one/reviews.json");
    fs::write(&reviews, "{\"schema\":2,\"rounds\":{}}\n").unwrap();
    let texts = [&project, &reviews].map(|path| fs::read_to_string(path).unwrap());
    let set = env.ao_in(&repo, &["project", "set", "app", "--repo", "."]).code(8);
    assert!(set.stderr.contains("projects/app.json has schema 2"), "{set}");
    let listed = env.ao(&["review", "ls", "one"]).code(8);
    assert!(listed.stderr.contains("reviews.json has schema 2"), "{listed}");
    env.ao(&["show", "one"]).success();
    env.ao(&["reap"]).success();
    env.ao(&["rename", "one", "x"]).success();
    assert_eq!([&project, &reviews].map(|path| fs::read_to_string(path).unwrap()), texts);

    // What this version cannot even read.
    fs::write(&project, "{\"schema\":3,\"repositories\":[]}\n").unwrap();
    let spawned = spawn(&env, &repo, "three").code(8);
    assert!(spawned.stderr.contains("projects/app.json has schema 3"), "{spawned}");
    assert_eq!(env.git(&repo, &["branch", "--list", "ao/three"]), "");
}

#[test]
fn a_newer_ao_goes_on_with_what_an_older_one_wrote() {
    let (env, _repo) = two_sessions();
    // An older form says less: not even which one it is.
    let directory = env.home().join("sessions/one");
    replace(&directory.join("session.json"), "  \"schema\": 1,\n", "");
    replace(&directory.join("events.jsonl"), ",\"schema\":1", "");
    let before = Tree::of(&directory);
    env.ao(&["show", "one"]).success();
    env.ao(&["ls"]).success();
    env.ao(&["status"]).success();
    assert_eq!(before.changes(&directory), [""; 0], "a reader upgrades in memory alone");
    env.ao(&["rename", "one", "upgraded"]).success();
    let record = env.record("one");
    assert_eq!((&record["schema"], &record["title"]), (&json!(1), &json!("upgraded")));
    env.ao(&["log", "--verify", "one"]).success();
    env.ao(&["reap"]).success();
    env.ao(&["doctor", "--state"]).success();
    env.ao(&["kill", "--yes", "one"]).success();
}
