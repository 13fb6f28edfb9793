//! `ao merge` and the reaction of that name: every way, everything in the way, every kill.

use std::fs;
use std::path::{Path, PathBuf};

use ao::adapter::cmd::Cmd;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::agents::{
    agent, configure, gate, notices, notify_by_file, open, spawn, status, told, wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

/// What a worker does: two commits.
const WORK: &str = "echo 1 >one; git add one; git commit -qm 'count to one'; \
     echo 2 >two; git add two; git commit -qm 'count to two'";

/// A repository whose `main` is checked out, and a worker that ended with two commits.
fn worked(env: &TestEnvironment) -> (PathBuf, String) {
    let repo = env.repo("app");
    let id = worker(env, &repo, WORK);
    (repo, id)
}

fn worker(env: &TestEnvironment, repo: &Path, script: &str) -> String {
    let script = format!("set -e; {script}");
    let words = ["--agent", "shell", "--runtime", "process", "--title", "Count"];
    spawned(env, repo, &[&words[..], &[&script]].concat())
}

/// Spawns and waits for the end, without the passes that `ao wait` would make.
fn spawned(env: &TestEnvironment, repo: &Path, args: &[&str]) -> String {
    let outcome = env.ao_in(repo, &[&["spawn"], args].concat()).success();
    let id = outcome.stdout.trim_end().to_owned();
    env.wait_record(&id, "it ended", |record| record["lifecycle"]["session"]["state"] == "done");
    id
}

fn commit(env: &TestEnvironment, repo: &Path, file: &str, text: &str) {
    fs::write(repo.join(file), text).unwrap();
    env.git(repo, &["add", file]);
    env.git(repo, &["commit", "-q", "-m", &format!("change {file}")]);
}

fn merge(env: &TestEnvironment, id: &str, more: &[&str]) -> Value {
    let answer = env.ao_json(&[&["merge", id, "--json"][..], more].concat());
    assert_answer("MergeAnswer", &answer);
    answer["merge"].clone()
}

/// Returns refs, staged and unstaged changes, and what git does not know.
fn standing(env: &TestEnvironment, repo: &Path) -> [String; 4] {
    [
        env.git(repo, &["for-each-ref", "refs/heads/main"]),
        env.git(repo, &["diff", "--cached"]),
        env.git(repo, &["diff"]),
        env.git(repo, &["status", "--porcelain"]),
    ]
}

fn subjects(env: &TestEnvironment, repo: &Path) -> Vec<String> {
    let log = env.git(repo, &["log", "--first-parent", "--format=%s", "main"]);
    log.lines().map(str::to_owned).collect()
}

fn shell(env: &TestEnvironment, script: &str) {
    let command: Cmd = env.command("sh").args(["-c", script]);
    env.run(&command).success();
}

#[test]
fn a_branch_is_merged_in_each_way_and_taken_back_as_printed() {
    for (method, checked_out, expected) in [
        ("merge", true, &["Merge branch 'ao/app-1'", "change three", "first"][..]),
        ("squash", true, &["Count", "change three", "first"]),
        ("rebase", true, &["count to two", "count to one", "change three", "first"]),
        ("squash", false, &["Count", "change three", "first"]),
    ] {
        let env = TestEnvironment::new();
        let (repo, id) = worked(&env);
        commit(&env, &repo, "three", "3");
        if !checked_out {
            env.git(&repo, &["checkout", "-q", "--detach"]);
        }
        let before = standing(&env, &repo);
        let plan = env.ao_json(&["merge", &id, "--method", method, "--dry-run", "--json"]);
        assert_answer("PlanAnswer", &plan);
        assert_eq!(plan["plan"][0]["op"], format!("{method} ao/app-1 into main"));
        assert_eq!(standing(&env, &repo), before, "a plan changes nothing");

        let merged = merge(&env, &id, &["--method", method]);
        assert_eq!(merged["sha"], env.git(&repo, &["rev-parse", "main"]), "{merged:#}");
        assert_eq!((&merged["method"], &merged["target"]), (&method.into(), &"main".into()));
        let worktree = checked_out.then(|| repo.to_str().unwrap().into());
        assert_eq!(merged.get("worktree"), worktree.as_ref());
        assert_eq!(subjects(&env, &repo), expected, "{method}");
        assert_eq!(env.git(&repo, &["show", "main:two"]), "2");
        assert_eq!(repo.join("two").exists(), checked_out);
        assert_eq!(env.git(&repo, &["status", "--porcelain"]), "");
        assert_eq!(env.record(&id)["lifecycle"]["pr"]["state"], "merged");

        shell(&env, merged["undo"].as_str().unwrap());
        assert_eq!(standing(&env, &repo), before, "{method}: {}", merged["undo"]);
        assert!(!repo.join("two").exists());
        env.git(&repo, &["fsck", "--strict"]);
    }
}

#[test]
fn what_a_person_reads_says_what_was_done_and_how_to_undo_it() {
    let env = TestEnvironment::new();
    let (repo, id) = worked(&env);
    commit(&env, &repo, "three", "3");
    let old = env.git(&repo, &["rev-parse", "main"]);
    let outcome = env.ao(&["merge", &id, "--method", "squash", "-m", "All of it"]).success();
    let new = env.git(&repo, &["rev-parse", "main"]);
    let undo = format!("undo: git -C '{}' reset --keep {old}", repo.display());
    let short = &new[..12];
    assert_eq!(outcome.stdout, format!("ao/app-1 squashed into main: {short}\n{undo}\n"));
    assert_eq!(subjects(&env, &repo)[0], "All of it");
    let again = env.ao(&["merge", &id]).success();
    assert_eq!(again.stdout, "ao/app-1 is merged into main already\n");
    assert_eq!(merge(&env, &id, &[])["already"], true);
    // Which it was, whatever has become of its agent.
    let waited = env.ao(&["wait", &id, "--until", "merged", "--json"]).success().json();
    let found = (&waited["wait"]["status"], &waited["wait"]["outcome"]);
    assert_eq!(found, (&"done".into(), &"reached".into()));
    assert_eq!(env.git(&repo, &["rev-parse", "main"]), new);
    let nothing = env.ao(&["merge", &id, "--dry-run"]).success();
    assert_eq!(nothing.stdout, "nothing to do\n");
    env.ao(&["merge", &id, "--method", "rebase", "-m", "x"]).code(2);
    env.ao(&["merge", &id, "--method", "octopus"]).code(2);
    env.ao(&["merge", "app-9"]).code(3);
}

#[test]
fn the_repository_may_say_how_and_a_squashed_branch_is_cleaned_up_whole() {
    let env = TestEnvironment::new();
    let (repo, id) = worked(&env);
    fs::create_dir_all(repo.join(".ao")).unwrap();
    fs::write(repo.join(".ao/config.toml"), "[merge]\nmethod = \"squash\"\n").unwrap();
    commit(&env, &repo, "three", "3");
    let tip = env.git(&repo, &["rev-parse", "ao/app-1"]);
    assert_eq!(merge(&env, &id, &[])["method"], "squash");
    let kept = env.git(&repo, &["for-each-ref", "--format=%(objectname)", "refs/ao/merged/app-1"]);
    assert_eq!(kept, tip);
    let cleaned = env.ao_json(&["cleanup", &id, "--json"]);
    assert_eq!(cleaned["cleanup"][0]["branch"], "deleted", "{cleaned:#}");
    assert_eq!(env.git(&repo, &["branch", "--list", "ao/*"]), "");
    assert_eq!(env.git(&repo, &["cat-file", "-t", &tip]), "commit");
}

#[test]
fn a_branch_that_somebody_squashed_by_hand_is_cleaned_up_whole() {
    let env = TestEnvironment::new();
    let (repo, id) = worked(&env);
    let other = worker(&env, &repo, "echo 3 >three; git add three; git commit -qm three");
    let tip = env.git(&repo, &["rev-parse", "ao/app-1"]);
    for id in [&id, &other] {
        env.git(&repo, &["merge", "-q", "--squash", &format!("ao/{id}")]);
        env.git(&repo, &["commit", "-qm", "by hand"]);
    }
    env.ao(&["reap"]).success();
    // What was committed after the merge is nowhere else.
    let workspace = env.home().join("worktrees/app").join(&other);
    commit(&env, &workspace, "late", "x");
    let branch = |id: &str| {
        let cleaned = env.ao_json(&["cleanup", id, "--json"]);
        cleaned["cleanup"][0]["branch"].as_str().unwrap().to_owned()
    };
    assert_eq!(branch(&id), "deleted");
    assert!(branch(&other).starts_with("kept: "));
    let kept = env.git(&repo, &["for-each-ref", "--format=%(objectname)", "refs/ao/merged"]);
    assert_eq!(kept, tip);
}

#[test]
fn what_no_review_approved_is_refused_and_the_reason_is_told() {
    let env = TestEnvironment::new();
    configure(&env, "[review]\nauto = true\n");
    let (_, id) = worked(&env);
    let outcome = env.ao(&["merge", &id]).code(5);
    assert!(outcome.stderr.contains("no review has approved it"), "{outcome}");
    merge(&env, &id, &["--force"]);
}

#[test]
fn local_changes_of_the_base_survive_byte_for_byte() {
    for method in ["merge", "squash", "rebase"] {
        let env = TestEnvironment::new();
        let (repo, id) = worked(&env);
        commit(&env, &repo, "three", "3\n");
        fs::write(repo.join("staged"), "staged\n").unwrap();
        env.git(&repo, &["add", "staged"]);
        fs::write(repo.join("staged"), "staged, then changed\n").unwrap();
        fs::write(repo.join("README.md"), "# Half a thought").unwrap();
        fs::write(repo.join("untracked"), "\0").unwrap();
        let before = standing(&env, &repo);
        merge(&env, &id, &["--method", method]);
        let after = standing(&env, &repo);
        assert_eq!(after[1..], before[1..], "{method}");
        assert_ne!(after[0], before[0]);
        assert_eq!(fs::read(repo.join("untracked")).unwrap(), b"\0");
    }
}

#[test]
fn what_is_in_the_way_of_the_base_is_named_and_nothing_changes() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = worker(&env, &repo, &format!("{WORK}; echo more >>README.md; git commit -qam more"));
    let before = standing(&env, &repo);
    let refused = |what: &str| {
        let foretold = env.ao(&["merge", &id, "--dry-run"]).code(5);
        let outcome = env.ao(&["merge", &id]).code(5);
        assert!(outcome.stderr.contains(what), "{outcome}");
        // Up to the age of a lock.
        let said = |text: &str| text.replace(|it: char| it.is_ascii_digit(), "");
        let both = [&foretold, &outcome].map(|it| said(&it.stderr));
        assert_eq!(both[0], both[1], "a dry run says what the merge would say");
        assert_eq!(standing(&env, &repo)[0], before[0]);
        assert!(!repo.join("one").exists());
        assert_ne!(env.record(&id)["lifecycle"]["pr"]["state"], "merged");
    };
    let readme = fs::read(repo.join("README.md")).unwrap();
    fs::write(repo.join("README.md"), "mine").unwrap();
    refused("would be overwritten: README.md");
    env.git(&repo, &["add", "README.md"]);
    refused("would be overwritten: README.md");
    env.git(&repo, &["reset", "-q", "--hard"]);
    assert_eq!(fs::read(repo.join("README.md")).unwrap(), readme);
    fs::write(repo.join("two"), "mine").unwrap();
    refused("would be overwritten: two");
    fs::write(repo.join("README.md"), "mine").unwrap();
    refused("would be overwritten: README.md, two");
    env.git(&repo, &["checkout", "README.md"]);
    fs::write(repo.join(".git/info/exclude"), "two\n").unwrap();
    refused("would be overwritten: two");
    assert_eq!(fs::read(repo.join("two")).unwrap(), b"mine");
    fs::remove_file(repo.join("two")).unwrap();
    fs::create_dir(repo.join("two")).unwrap();
    fs::write(repo.join("two/x"), "mine").unwrap();
    refused("would be overwritten: two");
    fs::remove_dir_all(repo.join("two")).unwrap();
    fs::write(repo.join(".git/index.lock"), "").unwrap();
    refused("git holds index.lock");
    fs::remove_file(repo.join(".git/index.lock")).unwrap();
    fs::write(repo.join(".git/MERGE_HEAD"), env.git(&repo, &["rev-parse", "main"])).unwrap();
    refused("a merge is in progress");
    fs::remove_file(repo.join(".git/MERGE_HEAD")).unwrap();
    env.git(&repo, &["config", "--unset", "user.name"]);
    refused("user.name or user.email is not set");
    env.git(&repo, &["config", "user.name", "Tester"]);
    merge(&env, &id, &[]);
}

#[test]
fn what_is_not_to_be_merged_is_refused_and_what_may_be_forced_is() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let refused = |id: &str, code: i32, words: &str, more: &[&str]| {
        let outcome = env.ao(&[&["merge", id][..], more].concat()).code(code);
        assert!(outcome.stderr.contains(words), "{outcome}");
    };
    let idle = worker(&env, &repo, "true");
    refused(&idle, 4, "its branch has no commit that `main` has not", &[]);

    let conflicting = worker(&env, &repo, "echo his >README.md; git commit -qam his");
    commit(&env, &repo, "README.md", "hers");
    refused(&conflicting, 4, "branch `ao/app-2` conflicts with `main` in README.md", &[]);
    refused(&conflicting, 4, "conflicts with `main` in README.md", &["--force"]);

    let dirty = worker(&env, &repo, &format!("{WORK}; echo 3 >>two; echo 4 >four"));
    refused(&dirty, 5, "uncommitted work", &[]);
    merge(&env, &dirty, &["--force"]);
    assert_eq!(fs::read_to_string(repo.join("two")).unwrap(), "2\n");

    env.git(&repo, &["update-ref", "refs/remotes/origin/dev", "main"]);
    let words = ["--agent", "shell", "--runtime", "process", "--base", "origin/dev"];
    let five = "echo 5 >five; git add five; git commit -qm five";
    let remote = spawned(&env, &repo, &[&words[..], &[five]].concat());
    refused(&remote, 5, "`origin/dev` is a remote's branch", &["--force"]);
}

#[test]
fn what_its_check_or_a_review_stands_against_is_merged_by_force_only() {
    let env = TestEnvironment::new();
    let verdict = env.path("verdict");
    let check = format!("exit \"$(cat '{}')\"", verdict.display());
    configure(&env, &format!("[check]\ncommand = {}\n", json!(["sh", "-c", check])));
    fs::write(&verdict, "1").unwrap();
    let (repo, id) = worked(&env);
    let refused = |words: &str| {
        let outcome = env.ao(&["merge", &id]).code(5);
        assert!(outcome.stderr.contains(words), "{outcome}");
        assert!(outcome.stderr.contains("hint: --force"), "{outcome}");
    };
    refused("its checks have not ended");
    env.ao(&["reap", "--wait"]).success();
    refused("its checks fail");
    fs::write(&verdict, "0").unwrap();
    commit(&env, &workspace(&env, &id), "four", "4");
    env.ao(&["reap", "--wait"]).success();
    merge(&env, &id, &[]);
    assert_eq!(env.git(&repo, &["show", "main:four"]), "4");

    fs::write(&verdict, "1").unwrap();
    let other = worker(&env, &repo, "echo 5 >five; git add five; git commit -qm five");
    env.ao(&["reap", "--wait"]).success();
    env.ao(&["merge", &other]).code(5);
    merge(&env, &other, &["--force"]);
}

fn workspace(env: &TestEnvironment, id: &str) -> PathBuf {
    env.record(id)["handles"]["workspace"]["path"].as_str().unwrap().into()
}

#[test]
fn a_forge_merges_the_head_that_it_was_judged_by() {
    let env = TestEnvironment::new();
    let (facts, asked) = (env.path("facts"), env.path("asked"));
    let script = format!(
        "cat >'{0}.last'; if grep -q '\"op\":\"merge\"' '{0}.last'; \
         then cp '{0}.last' '{0}'; echo '{{\"merged\": {{\"sha\": \"abc\"}}}}'; else cat '{1}'; fi",
        asked.display(),
        facts.display()
    );
    let command = json!(["sh", "-c", script]);
    configure(&env, &format!("[scm]\nkind = \"command\"\ncommand = {command}\n"));
    let (repo, id) = worked(&env);
    let head = env.git(&repo, &["rev-parse", "ao/app-1"]);
    for more in [&[][..], &["--force"]] {
        let error = env.ao(&[&["merge", &id, "--json"][..], more].concat()).code(7).json_error();
        assert_eq!(error["error"]["kind"], "unavailable");
        assert!(!error["error"]["hint"].as_str().unwrap().contains("--force"), "{error:#}");
    }
    let say = |state: &str, ci: &str, head: &str| {
        let pr = json!({ "state": state, "number": 7, "head_sha": head });
        let fact = json!({ "pr": pr, "ci": ci, "mergeability": { "mergeable": ci == "passing" } });
        fs::write(&facts, json!({ "facts": { &id: fact } }).to_string()).unwrap();
    };
    for (state, ci, at, code, words) in [
        ("draft", "passing", &*head, 4, "is a draft"),
        ("closed", "passing", &head, 4, "is closed"),
        ("none", "passing", &head, 4, "has no pull request"),
        ("open", "failing", &head, 5, "its checks fail"),
        ("open", "passing", "0123", 5, "commits that were not looked at"),
    ] {
        say(state, ci, at);
        let outcome = env.ao(&["merge", &id]).code(code);
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
    assert!(!asked.exists());
    say("open", "passing", &head);
    let merged = merge(&env, &id, &["--method", "squash"]);
    assert_eq!((&merged["sha"], &merged["already"]), (&json!("abc"), &json!(false)));
    assert_eq!(merged.get("undo"), None);
    let question: Value = serde_json::from_slice(&fs::read(&asked).unwrap()).unwrap();
    assert_eq!((&question["method"], &question["head_sha"]), (&json!("squash"), &json!(head)));
    assert_eq!(subjects(&env, &repo), ["first"], "the forge merges, nobody else");
    assert_eq!(env.record(&id)["lifecycle"]["pr"]["state"], "merged");
    let kept = env.git(&repo, &["for-each-ref", "--format=%(objectname)", "refs/ao/merged"]);
    assert_eq!(kept, head);
}

#[test]
fn an_agent_in_the_middle_of_a_turn_is_not_overtaken() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "go");
    let script = format!(
        "hook session-start\nhook user-prompt-submit\n\
         run sh -c \"echo 1 >one; git add one; git commit -qm one\"\n{gate}\nhook stop\nloop {{\nread\n}}\n"
    );
    agent(&env, "counter", &script);
    let id = spawn(&env, &repo, &["--agent", "counter", "count"]);
    env.wait_for("the commit", || {
        let log = env.git(&repo, &["log", "--format=%s", "ao/app-1"]);
        log.starts_with("one").then_some(())
    });
    wait_status(&env, &id, "working");
    let outcome = env.ao(&["merge", &id]).code(4);
    assert!(outcome.stderr.contains("is in the middle of a turn"), "{outcome}");
    open(&env, "go");
    env.wait_record(&id, "its turn is over", |record| {
        record["lifecycle"]["activity"]["state"] == "idle"
    });
    merge(&env, &id, &[]);
    assert_eq!(status(&env, &id), "merged");
    let record = env.record(&id);
    assert_eq!(record["lifecycle"]["session"]["reason"], "merged_waiting_decision");
}

#[test]
fn killed_at_each_step_the_base_moved_or_it_did_not() {
    for checked_out in [true, false] {
        for point in ["merge.judged", "merge.made", "merge.kept", "merge.landed", "merge.recorded"]
        {
            let env = TestEnvironment::new();
            let (repo, id) = worked(&env);
            commit(&env, &repo, "three", "3");
            if !checked_out {
                env.git(&repo, &["checkout", "-q", "--detach"]);
            }
            let fault = [("AO_FAILPOINT", &*format!("{point}=kill"))];
            env.ao_env(&["merge", &id, "--method", "squash"], &fault).code(137);
            let has_moved = ["merge.landed", "merge.recorded"].contains(&point);
            let tree = env.git(&repo, &["ls-tree", "--name-only", "main"]);
            assert_eq!(tree.contains("two"), has_moved, "{point}");
            assert_eq!(env.git(&repo, &["status", "--porcelain"]), "", "{point}");

            let again = merge(&env, &id, &["--method", "squash"]);
            assert_eq!(again["already"], has_moved, "{point}");
            assert_eq!(subjects(&env, &repo), ["Count", "change three", "first"], "{point}");
            assert_eq!(env.git(&repo, &["status", "--porcelain"]), "", "{point}");
            assert_eq!(env.record(&id)["lifecycle"]["pr"]["state"], "merged", "{point}");
            let kept = env.git(&repo, &["for-each-ref", "--format=%(refname)", "refs/ao"]);
            assert_eq!(kept, "refs/ao/merged/app-1", "{point}");
            env.ao(&["reap"]).success();
            env.ao(&["doctor", "--state"]).success();
        }
    }
}

#[test]
fn files_follow_to_the_end_where_the_command_is_killed() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    // A filter that takes its time holds git up in the middle of the check-out.
    let (begun, go) = (env.path("begun"), env.path("go"));
    let filter = format!(
        "touch '{}'; while [ ! -e '{}' ]; do sleep 0.05; done; cat",
        begun.display(),
        go.display()
    );
    let id =
        worker(&env, &repo, &format!("{WORK}; echo slow >z.slow; git add .; git commit -qm z"));
    fs::write(repo.join(".git/info/attributes"), "*.slow filter=slow\n").unwrap();
    env.git(&repo, &["config", "filter.slow.smudge", &filter]);
    let mut child = env.spawn_ao(&["merge", &id]);
    env.wait_for("the check-out", || begun.exists().then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    fs::write(go, "").unwrap();
    env.wait_for("git is done", || {
        let is_done = env.git(&repo, &["log", "-1", "--format=%s", "main"]).starts_with("Merge");
        (is_done && !repo.join(".git/index.lock").exists()).then_some(())
    });
    assert_eq!(env.git(&repo, &["status", "--porcelain"]), "");
    assert_eq!(fs::read_to_string(repo.join("z.slow")).unwrap(), "slow\n");
    assert_eq!(merge(&env, &id, &[])["already"], true);
}

#[test]
fn two_at_once_merge_once() {
    let env = TestEnvironment::new();
    let (repo, id) = worked(&env);
    commit(&env, &repo, "three", "3");
    let args = ["merge", id.as_str(), "--method", "squash", "--json"];
    let both = [env.spawn_ao(&args), env.spawn_ao(&args)];
    let mut already = Vec::new();
    for child in both {
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        already.push(answer["merge"]["already"].as_bool().unwrap());
    }
    already.sort_unstable();
    assert_eq!(already, [false, true]);
    assert_eq!(subjects(&env, &repo), ["Count", "change three", "first"]);
}

/// Starts a merge that stops before the base moves, does `meanwhile`, and lets it go on.
fn overtaken(env: &TestEnvironment, id: &str, meanwhile: impl FnOnce()) -> std::process::Output {
    env.set("AO_FAILPOINT", "merge.made#1=stop");
    let child = env.spawn_ao(&["merge", id, "--json"]);
    env.unset("AO_FAILPOINT");
    let pid = Pid::from_child(&child);
    env.wait_stopped(child.id());
    meanwhile();
    kill_process(pid, Signal::CONT).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_base_or_branch_that_moved_meanwhile_is_looked_at_again() {
    let env = TestEnvironment::new();
    let (repo, id) = worked(&env);
    let output = overtaken(&env, &id, || commit(&env, &repo, "three", "3"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(subjects(&env, &repo), ["Merge branch 'ao/app-1'", "change three", "first"]);

    let second = worker(&env, &repo, "echo 4 >four; git add four; git commit -qm four");
    let output = overtaken(&env, &second, || commit(&env, &repo, "four", "other"));
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(subjects(&env, &repo)[0], "change four");

    let third = worker(&env, &repo, "echo 5 >five; git add five; git commit -qm five");
    let place = workspace(&env, &third);
    let output = overtaken(&env, &third, || commit(&env, &place, "six", "6"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(env.git(&repo, &["show", "main:six"]), "6");
}

#[test]
fn no_hook_is_run() {
    let env = TestEnvironment::new();
    let (repo, id) = worked(&env);
    let ran = env.path("ran");
    for hook in ["pre-merge-commit", "post-merge", "post-checkout", "reference-transaction"] {
        let path = repo.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\necho {hook} >>'{}'\n", ran.display())).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
    }
    merge(&env, &id, &[]);
    assert!(!ran.exists(), "{}", fs::read_to_string(ran).unwrap_or_default());
}

const BY_ITSELF: &str = "[reactions.approved-and-green]\naction = \"merge\"\n";

/// A notifier in a file, and the reaction that merges.
fn merging(env: &TestEnvironment) {
    notify_by_file(env);
    let path = env.path("user/config/ao/config.toml");
    let notifier = fs::read_to_string(path).unwrap();
    configure(env, &format!("{notifier}{BY_ITSELF}"));
}

#[test]
fn what_is_approved_and_green_is_merged_by_the_next_reap() {
    let env = TestEnvironment::new();
    merging(&env);
    let (repo, id) = worked(&env);
    env.ao(&["reap"]).success();
    assert_eq!(subjects(&env, &repo)[0], "Merge branch 'ao/app-1'");
    let record = env.record(&id);
    assert_eq!(record["lifecycle"]["pr"]["state"], "merged");
    assert_eq!(record.get("outbox"), None, "{record:#}");
    env.ao(&["reap"]).success();
    assert!(told(&notices(&env)).contains(&"app-1 all-complete info".to_owned()));
}

#[test]
fn a_merge_by_itself_that_is_refused_is_tried_again_and_then_told() {
    let env = TestEnvironment::new();
    merging(&env);
    let repo = env.repo("app");
    let id = worker(&env, &repo, &format!("{WORK}; echo more >>README.md; git commit -qam more"));
    fs::write(repo.join("README.md"), "mine").unwrap();
    for hour in 10..16 {
        env.at(&format!("2027-01-01T{hour}:00:00Z"));
        env.ao(&["reap"]).success();
    }
    let dead = env.ao_json(&["outbox", "ls", "--dead", "--json"]);
    assert_eq!(dead["outbox"].as_array().unwrap().len(), 1, "{dead:#}");
    assert_eq!(dead["outbox"][0]["entry"]["kind"], "merge");
    let notices = notices(&env);
    let last = notices.iter().find(|notice| notice["reaction"] == "approved-and-green").unwrap();
    let text = last["message"].as_str().unwrap();
    assert!(text.contains("would be overwritten: README.md"), "{text}");
    assert_eq!(fs::read(repo.join("README.md")).unwrap(), b"mine");

    env.git(&repo, &["checkout", "-q", "README.md"]);
    env.ao(&["outbox", "retry", &id]).success();
    assert_eq!(env.record(&id)["lifecycle"]["pr"]["state"], "merged");
}

#[test]
fn a_delivery_that_was_killed_is_looked_at_again() {
    for point in ["deliver.claimed", "merge.kept", "merge.landed", "deliver.done"] {
        let env = TestEnvironment::new();
        merging(&env);
        let (repo, id) = worked(&env);
        let fault = [("AO_FAILPOINT", &*format!("{point}=kill"))];
        env.ao_env(&["reap"], &fault).code(137);
        env.ao(&["reap"]).success();
        env.ao(&["reap"]).success();
        assert_eq!(subjects(&env, &repo), ["Merge branch 'ao/app-1'", "first"], "{point}");
        let record = env.record(&id);
        assert_eq!(record["lifecycle"]["pr"]["state"], "merged", "{point}");
        assert_eq!(record.get("outbox"), None, "{point}: {record:#}");
    }
}
