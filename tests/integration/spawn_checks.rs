//! What `ao spawn` and `ao orchestrator` find out before they make or end anything.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::agents::{agent, spawn, status, wait_status};
use crate::env::{Outcome, TestEnvironment};

/// A session that stays at an empty prompt.
const IDLE: &str = "hook session-start\nread\n";

fn launch(env: &TestEnvironment, id: &str) -> Value {
    env.record(id)["handles"]["launch"].clone()
}

fn workspace(env: &TestEnvironment, id: &str) -> PathBuf {
    env.record(id)["handles"]["workspace"]["path"].as_str().unwrap().into()
}

fn sessions(env: &TestEnvironment) -> Value {
    env.ao_json(&["ls", "--all", "--json"])["sessions"].clone()
}

fn shell(env: &TestEnvironment, repo: &Path, args: &[&str]) -> Outcome {
    env.ao_in(repo, &[&["spawn", "--agent", "shell", "--runtime", "process"], args].concat())
}

#[test]
fn what_no_agent_could_be_started_with_makes_no_session() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    for (args, word) in [
        (&["--title", "oops"][..], "needs a prompt"),
        (&["--permission", "nonsense", "true"], "permission mode `nonsense`"),
        (&["--model", "any", "true"], "choice of model"),
    ] {
        for more in [&["--dry-run"][..], &[]] {
            let refused = shell(&env, &repo, &[args, more].concat()).code(2);
            assert!(refused.stderr.contains(word) && refused.stdout.is_empty(), "{refused}");
        }
    }
    assert_eq!(sessions(&env), json!([]));
    assert_eq!(shell(&env, &repo, &["true"]).success().stdout, "app-1\n", "a number was used up");
}

#[test]
fn a_task_or_an_issue_without_a_word_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let file = env.script("empty", " \n");
    let file = file.to_str().unwrap();
    let spawn = ["spawn", "--agent", "shell"];
    let prompt = "the prompt is empty";
    for (args, stdin, word) in [
        (&[&spawn[..], &[""]].concat(), "", prompt),
        (&[&spawn[..], &["-"]].concat(), "", prompt),
        (&[&spawn[..], &["-"]].concat(), "\n \t\n", prompt),
        (&[&spawn[..], &["--prompt-file", file]].concat(), "", prompt),
        (&[&spawn[..], &["--count", "2", ""]].concat(), "", prompt),
        (&[&spawn[..], &["--batch", "-"]].concat(), "{\"prompt\":\"\"}\n", prompt),
        (&vec!["orchestrator", "--agent", "shell", ""], "", prompt),
        (&[&spawn[..], &["--issue", "", "true"]].concat(), "", "the issue is empty"),
        (&[&spawn[..], &["--issue", " ", "true"]].concat(), "", "the issue is empty"),
    ] {
        for more in [&["--dry-run"][..], &[]] {
            let command = env.ao_command(&[&args[..], more].concat()).cwd(&repo);
            let refused = env.run(&command.stdin(stdin)).code(2);
            assert!(refused.to_string().contains(word), "{args:?} {refused}");
        }
    }
    assert_eq!(sessions(&env), json!([]));
}

#[test]
fn the_living_is_replaced_by_nothing_less_than_a_session_that_can_be_had() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "waiter", IDLE);
    spawn(&env, &repo, &["--agent", "waiter", "--id", "mine", "x"]);
    wait_status(&env, "mine", "idle");
    let first = launch(&env, "mine");
    let replace = |agent: &'static str, more: &[&'static str]| {
        let words = ["spawn", "--agent", agent, "--id", "mine", "--if-exists", "replace"];
        env.ao_command(&[&words[..], more].concat()).cwd(&repo)
    };
    let inner = workspace(&env, "mine").join("inner");
    for (agent, more, code) in [
        ("shell", &[][..], 2),
        ("waiter", &["--permission", "nonsense", "x"], 2),
        ("waiter", &["--base", "nope", "x"], 3),
        ("waiter", &["--branch", "main", "x"], 4),
    ] {
        for dry_run in [&["--dry-run"][..], &[]] {
            env.run(&replace(agent, &[more, dry_run].concat())).code(code);
        }
    }
    // Its workspace would stay, so that the other would have none.
    let inside = inner.to_str().unwrap();
    env.git(&repo, &["worktree", "add", "-q", "-b", "inner", inside]);
    for dry_run in [&["--dry-run"][..], &[]] {
        let kept = env.run(&replace("waiter", &[&["x"], dry_run].concat())).code(5);
        assert!(kept.stderr.contains("another worktree is inside"), "{kept}");
    }
    env.git(&repo, &["worktree", "remove", "--force", inside]);
    env.run(&replace("waiter", &["x"]).env("AO_SESSION", "mine")).code(5);
    assert_eq!((status(&env, "mine").as_str(), launch(&env, "mine")), ("idle", first.clone()));

    // The branch that it has is its successor's.
    let own = ["--branch", "ao/mine", "x"];
    let plan = env.run(&replace("waiter", &[&own[..], &["--dry-run"]].concat())).success();
    assert!(plan.stdout.starts_with("would replace mine: "), "{plan}");
    assert_eq!(launch(&env, "mine"), first);
    env.run(&replace("waiter", &own)).success();
    wait_status(&env, "mine", "idle");
    assert_ne!(launch(&env, "mine"), first);
    assert_eq!(env.git(&workspace(&env, "mine"), &["branch", "--show-current"]), "ao/mine");
}

#[test]
fn a_name_of_a_session_that_is_to_be_is_nobody_elses_in_git_either() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let place = env.home().join("worktrees/app/mine");
    std::fs::create_dir_all(&place).unwrap();
    let refused = shell(&env, &repo, &["--id", "mine", "true"]).code(4);
    assert!(refused.stderr.contains(place.to_str().unwrap()), "{refused}");
    std::fs::remove_dir(&place).unwrap();
    env.git(&repo, &["checkout", "-q", "-b", "ao/mine"]);
    let refused = shell(&env, &repo, &["--id", "mine", "true"]).code(4);
    assert!(refused.stderr.contains("ao/mine"), "{refused}");
    assert_eq!(sessions(&env), json!([]));
}

#[test]
fn a_session_that_has_ended_is_not_there_to_be_reused() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let reuse = |more: &[&str]| {
        let words = ["--id", "mine", "--if-exists", "reuse"];
        shell(&env, &repo, &[&words[..], more].concat())
    };
    reuse(&["exec sleep 600"]).success();
    // What it would be asked for is nothing to a session that is there.
    let there = reuse(&[]).success();
    assert_eq!((&*there.stdout, &*there.stderr), ("mine\n", "mine is there already\n"));
    let planned = reuse(&["--dry-run"]).success();
    assert_eq!(planned.stdout, "would reuse mine: it is there already\n");

    env.ao(&["kill", "mine"]).success();
    let refused = |more: &[&str]| {
        let refused = reuse(more).code(4);
        let says = |word: &str| refused.stderr.contains(word);
        assert!(says("`mine` is killed") && says("`ao restore mine`"), "{refused}");
    };
    for more in [&["true"][..], &["true", "--dry-run"]] {
        refused(more);
    }
    env.ao(&["cleanup", "mine"]).success();
    refused(&["true"]);
    shell(&env, &repo, &["--id", "mine", "--if-exists", "replace", "true"]).success();
}
