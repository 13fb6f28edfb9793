//! What a session leaves outside its record: hook files, answers to first-run dialogs, the agent's
//! own conversations. And screens, where an agent says nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::agents::{
    agent, card, configure, gate, open, spawn, status, wait_activity, wait_status,
};
use crate::env::TestEnvironment;

const IDLE: &str = "hook user-prompt-submit {\"session_id\":\"c-1\"}\nsay task {prompt}\nhook stop {\"session_id\":\"c-1\"}\n";
const CHAT: &str = "loop {\nread\nhook user-prompt-submit\nsay answer to {message}\nhook stop\n}\n";

fn workspace(env: &TestEnvironment, id: &str) -> PathBuf {
    env.record(id)["handles"]["workspace"]["path"].as_str().unwrap().into()
}

fn user_home(env: &TestEnvironment) -> PathBuf {
    env.path("user")
}

/// A card whose agent keeps its conversations below the person's home.
fn remembering(env: &TestEnvironment) {
    let section = "\n[conversation]\nfiles = [\"{env:REMEMBERED}/*/{agent_session}.jsonl\"]\ncwd = [\"/cwd\"]\n";
    card(env, "remembering", &format!("{IDLE}{CHAT}"), |text| text + section);
    configure(env, &format!("[env]\nREMEMBERED = \"{}\"\n", user_home(env).join("kept").display()));
}

#[test]
fn a_conversation_goes_on_only_where_it_was_held_in_this_workspace() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    remembering(&env);
    let id = spawn(&env, &repo, &["--agent", "remembering", "work"]);
    wait_status(&env, &id, "idle");
    let place = user_home(&env).join("kept/2026");
    fs::create_dir_all(&place).unwrap();
    let held_in = |directory: &Path| {
        let line = format!("{{\"cwd\":\"{}\"}}\n", directory.display());
        fs::write(place.join("c-1.jsonl"), line).unwrap();
    };
    let restored = || {
        env.ao(&["kill", &id]).success();
        let outcome = env.ao(&["restore", &id]).success();
        wait_status(&env, &id, "idle");
        env.wait_record(&id, "its own word", |record| record["handles"]["agent_session"] == "c-1");
        (outcome.stderr, env.ao(&["output", &id]).stdout.contains("task work"))
    };

    let (said, began_again) = restored();
    assert!(said.contains("remembering starts afresh: there is no conversation c-1"), "{said}");
    assert!(began_again);
    held_in(&repo);
    let (said, began_again) = restored();
    assert!(said.contains("conversation c-1 was not held in this workspace"), "{said}");
    assert!(began_again);
    let log = env.ao(&["log", &id]).stdout;
    assert!(log.contains("was not held in this workspace"), "{log}");
    held_in(&workspace(&env, &id));
    let (said, began_again) = restored();
    assert_eq!((said.as_str(), began_again), ("", false));
    env.ao(&["send", &id, "go on"]).success();
    env.ao(&["log", &id, "--verify"]).success();
}

/// Makes a card with a hook file in the workspace and an answer in the person's own file, which is
/// returned with the configuration that leads to it.
pub(crate) fn filer_card(env: &TestEnvironment, script: &str) -> (PathBuf, String) {
    let section = "\n[[hooks.files]]\npath = \"{workspace}/.filer/hooks.json\"\nform = \"json\"\n\
         at = \"/hooks/{native}\"\nentry = { command = \"{command}\" }\n\
         \n[[trust]]\npaths = [\"{env:FILER}/trusted.json\"]\nat = \"/{workspace}\"\nvalue = true\ncreate = true\n";
    card(env, "filer", script, |text| {
        let text = text.replace("kind = \"built_in\"", "kind = \"files\"");
        text.replace("[hooks.events.stop]\n", "[hooks.events.stop]\nnative = \"Stop\"\n") + section
    });
    let place = user_home(env).join("filer");
    (place.join("trusted.json"), format!("[env]\nFILER = \"{}\"\n", place.display()))
}

/// [`filer_card`] in the configuration.
pub(crate) fn filer(env: &TestEnvironment, script: &str) -> PathBuf {
    let (trusted, configuration) = filer_card(env, script);
    configure(env, &configuration);
    trusted
}

#[test]
fn hooks_are_invisible_while_it_works_and_gone_when_it_is_cleaned_up() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let own = "{\n  // the team's\n  \"hooks\": { \"Stop\": [ 1 ] }\n}\n";
    fs::create_dir(repo.join(".filer")).unwrap();
    fs::write(repo.join(".filer/hooks.json"), own).unwrap();
    env.git(&repo, &["add", "."]);
    env.git(&repo, &["commit", "-qm", "hooks of the team"]);
    let trusted = filer(&env, &format!("{IDLE}{CHAT}"));
    let id = spawn(&env, &repo, &["--agent", "filer", "work"]);
    wait_status(&env, &id, "idle");
    let workspace = workspace(&env, &id);
    let hooks = || fs::read_to_string(workspace.join(".filer/hooks.json")).unwrap();
    assert!(hooks().contains(" hook filer stop"), "{}", hooks());
    assert!(fs::read_to_string(&trusted).unwrap().contains(workspace.to_str().unwrap()));
    assert_eq!(env.git(&workspace, &["status", "--porcelain"]), "");
    // What the agent commits has nothing of it.
    fs::write(workspace.join("work"), "done").unwrap();
    env.git(&workspace, &["add", "-A"]);
    env.git(&workspace, &["commit", "-qm", "work"]);
    assert_eq!(env.git(&workspace, &["show", "--name-only", "--format="]), "work");

    env.ao(&["kill", &id]).success();
    // The mark on the team's file is ao's own.
    let plan = env.ao(&["cleanup", "--dry-run", &id]).success().stdout;
    assert_eq!(plan, format!("would remove {id}: its workspace is clean\n"));

    // Kept for a draft: the team's file is as it was, and git looks at it again.
    fs::write(workspace.join("draft"), "mine").unwrap();
    env.ao(&["cleanup", &id]).code(5);
    assert_eq!(hooks(), own);
    assert_eq!(env.git(&workspace, &["status", "--porcelain"]), "?? draft");
    assert!(env.git(&workspace, &["ls-files", "-v"]).lines().all(|line| line.starts_with('H')));
    assert!(!trusted.exists());

    env.ao(&["restore", &id]).success();
    wait_status(&env, &id, "idle");
    assert!(hooks().contains(" hook filer stop"));
    assert_eq!(env.git(&workspace, &["status", "--porcelain"]), "?? draft");
    env.ao(&["kill", &id]).success();
    env.ao(&["cleanup", &id, "--force"]).success();
    assert!(!workspace.exists() && !trusted.exists());
    assert_eq!(fs::read_to_string(repo.join(".filer/hooks.json")).unwrap(), own);
}

#[test]
fn a_spawn_that_dies_takes_its_answers_along() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let trusted = filer(&env, IDLE);
    fs::create_dir_all(trusted.parent().unwrap()).unwrap();
    fs::write(&trusted, "{ \"/mine\": true }").unwrap();
    let spawn = env.ao_command(&["spawn", "--agent", "filer", "work"]);
    let spawn = spawn.cwd(&repo).env("AO_FAILPOINT", "spawn.agent_files=kill");
    env.run(&spawn).code(137);
    assert!(fs::read_to_string(&trusted).unwrap().contains("app-1"));
    env.ao(&["reap"]).success();
    assert_eq!(status(&env, "app-1"), "errored");
    let left: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&trusted).unwrap()).unwrap();
    assert_eq!(left, serde_json::json!({ "/mine": true }));
}

#[test]
fn a_persons_file_keeps_its_mode_wherever_a_spawn_is_killed() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let trusted = filer(&env, IDLE);
    fs::create_dir_all(trusted.parent().unwrap()).unwrap();
    fs::write(&trusted, "{ \"/mine\": true }").unwrap();
    fs::set_permissions(&trusted, fs::Permissions::from_mode(0o644)).unwrap();
    let trace = env.path("trace");
    let args = ["spawn", "--agent", "filer", "work"];
    let faulted = |fault: &str| {
        env.run(&env.ao_command(&args).cwd(&repo).env("AO_FAILPOINT", fault));
        assert_eq!(fs::metadata(&trusted).unwrap().permissions().mode() & 0o777, 0o644, "{fault}");
        env.ao(&["reap"]).success();
    };
    // What the first one asks of tmux and git is known from there on.
    faulted("");
    faulted(&format!("*=trace:{}", trace.display()));
    let mut passed: BTreeMap<String, u32> = BTreeMap::new();
    let mut killed = 0;
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let (point, path) = line.split_once('\t').unwrap();
        let count = passed.entry(point.to_owned()).or_default();
        *count += 1;
        if path == trusted.to_str().unwrap() {
            faulted(&format!("{point}#{count}=kill"));
            killed += 1;
        }
    }
    assert!(killed > 3, "{passed:?}");
}

#[test]
fn a_repository_with_no_json_in_the_hook_file_is_refused_and_nothing_is_left() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    fs::create_dir(repo.join(".filer")).unwrap();
    fs::write(repo.join(".filer/hooks.json"), "hooks: yaml\n").unwrap();
    env.git(&repo, &["add", "."]);
    env.git(&repo, &["commit", "-qm", "hooks"]);
    filer(&env, IDLE);
    let outcome = env.ao_in(&repo, &["spawn", "--agent", "filer", "work"]).code(2);
    assert!(outcome.stderr.contains("could not add hooks to "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("hint: mend the file"), "{}", outcome.stderr);
    assert_eq!(env.git(&repo, &["worktree", "list"]).lines().count(), 1);
}

/// Returns the card with other looks: `BUSY` while it works, `DONE` at rest.
fn seen_on_screen(card: &str) -> String {
    let (before, rest) = card.split_once("[terminal]\n").unwrap();
    let (_, after) = rest.split_once("[preflight]\n").unwrap();
    let looks = "working = ['BUSY\\s*\\z']\nidle = ['DONE\\s*(> ?)?\\z']\n\
                 dialog = ['(?m)^\\? .* \\[.\\]$']\n";
    format!("{before}[terminal]\n{looks}[preflight]\n{after}")
}

#[test]
fn an_agent_without_hooks_is_read_from_its_screen() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let work = gate(&env, "work");
    let ask = gate(&env, "ask");
    let script = format!("say BUSY\n{work}\nsay DONE\n{ask}\ndialog proceed y\nsay BUSY\nread\n");
    card(&env, "mute", &script, |text| {
        let text = text.replace("kind = \"built_in\"", "kind = \"none\"");
        seen_on_screen(&text)
    });
    let id = spawn(&env, &repo, &["--agent", "mute", "work"]);
    assert_eq!(env.record(&id)["signals"], "terminal");
    let reaped = |wanted: &str| {
        env.wait_for(wanted, || {
            env.ao(&["reap"]).success();
            (status(&env, &id) == wanted).then_some(())
        });
    };
    env.wait_for("a look at its screen", || {
        env.ao(&["reap"]).success();
        (env.record(&id)["lifecycle"]["activity"]["source"] == "terminal").then_some(())
    });
    assert_eq!(status(&env, &id), "working");
    open(&env, "work");
    reaped("idle");
    let revision = env.record(&id)["revision"].clone();
    // What is known already is not written again.
    env.ao(&["reap"]).success();
    assert_eq!(env.record(&id)["revision"], revision);
    open(&env, "ask");
    reaped("needs_input");
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], "blocked");
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn a_turn_whose_end_nobody_told_is_seen_on_the_screen() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    configure(&env, "screen_after = \"1s\"\n");
    let end = gate(&env, "end");
    let script = format!("hook user-prompt-submit\nsay BUSY\n{end}\nsay DONE\nread\n");
    card(&env, "forgetful", &script, |text| seen_on_screen(&text));
    let id = spawn(&env, &repo, &["--agent", "forgetful", "work"]);
    wait_activity(&env, &id, "active");
    open(&env, "end");
    env.wait_for("its rest", || {
        env.ao(&["reap"]).success();
        (status(&env, &id) == "idle").then_some(())
    });
    let activity = env.record(&id)["lifecycle"]["activity"].clone();
    assert_eq!(activity["source"], "terminal");
}

#[test]
fn the_user_may_keep_an_agent_of_the_same_name() {
    let env = TestEnvironment::new();
    agent(&env, "codex", IDLE);
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "codex", "work"]);
    assert_eq!(env.record(&id)["agent"], "codex");
}
