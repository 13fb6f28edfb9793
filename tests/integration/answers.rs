//! Every command's `--json`, held against the schema that `ao schema` prints for it: no key too
//! many, none missing. A command that is added has to be told here as well.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use ao::cli::generate::ANSWERS;
use clap::Command;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::agents::{agent, configure, gate, open, wait_status};
use crate::env::TestEnvironment;
use crate::issue::{issues, open_issue, tracker};
use crate::outcome::Outcome;
use crate::schema::{assert_answer, is_answer};

/// An agent that takes one text after the other.
const CHAT: &str = "hook user-prompt-submit\nhook stop\n\
     loop {\nread\nhook user-prompt-submit\nsay done\nhook stop\n}\n";

/// Runs commands with `--json` and notes which ones it has seen.
struct Table {
    env: TestEnvironment,
    repo: PathBuf,
    seen: RefCell<BTreeSet<String>>,
}

impl Table {
    fn new() -> Self {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        Self { env, repo, seen: RefCell::default() }
    }

    /// Runs a command, which has to succeed, and returns its first document.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> Value {
        self.run(args, "", 0)
    }

    /// Runs a command that is refused, and returns the error's document.
    #[track_caller]
    fn refused(&self, args: &[&str], code: i32) -> Value {
        self.run(args, "", code)
    }

    #[track_caller]
    fn run(&self, args: &[&str], stdin: &str, code: i32) -> Value {
        let before = args.iter().position(|word| *word == "--").unwrap_or(args.len());
        let args = [&args[..before], &["--json"], &args[before..]].concat();
        let command = self.env.ao_command(&args).cwd(&self.repo).stdin(stdin);
        self.check(&args, &self.env.run(&command).code(code))
    }

    /// Checks every document on both streams.
    #[track_caller]
    fn check(&self, args: &[&str], outcome: &Outcome) -> Value {
        let leaf = leaf(args);
        let (_, names) = ANSWERS
            .iter()
            .find(|(command, _)| *command == leaf)
            .unwrap_or_else(|| panic!("`ao {leaf}` is not among the answers of `ao schema`"));
        let mut documents = Vec::new();
        if !names.is_empty() {
            documents = outcome.json_lines();
        }
        for document in &documents {
            match names {
                [name] => assert_answer(name, document),
                names => assert!(
                    names.iter().any(|name| is_answer(name, document)),
                    "`ao {}` answers with none of {names:?}:\n{document:#}",
                    args.join(" ")
                ),
            }
        }
        if outcome.status != 0 && documents.is_empty() {
            let error = outcome.stderr.lines().last().unwrap_or_default();
            let error: Value = serde_json::from_str(error).unwrap_or_else(|_| panic!("{outcome}"));
            assert_answer("ErrorAnswer", &error);
            assert_eq!(error["error"]["code"], outcome.status, "{outcome}");
            documents.push(error);
        }
        self.seen.borrow_mut().insert(leaf);
        documents.into_iter().next().unwrap_or_default()
    }

    /// Ends a story, which has run the commands of `story` and no others.
    #[track_caller]
    fn ends(self, story: &[&str]) {
        let seen = self.seen.into_inner();
        let story: BTreeSet<String> = story.iter().map(|command| (*command).to_owned()).collect();
        assert_eq!(seen, story, "what this story runs");
    }

    /// Runs a command as the agent of `id` would.
    #[track_caller]
    fn inside(&self, id: &str, args: &[&str]) -> Value {
        let launch = self.env.record(id)["handles"]["launch"].as_str().unwrap().to_owned();
        let args = [args, &["--json"]].concat();
        let command = self.env.ao_command(&args).cwd(&self.repo);
        let command = command.env("AO_SESSION", id).env("AO_LAUNCH", launch);
        self.check(&args, &self.env.run(&command).success())
    }
}

/// Returns the words of the subcommand that `args` name.
fn leaf(args: &[&str]) -> String {
    let tree = ao::cli::command();
    let (mut command, mut words) = (&tree, Vec::new());
    for word in args.iter().filter(|word| !word.starts_with('-')) {
        let Some(child) = command.find_subcommand(word) else { break };
        words.push(*word);
        command = child;
    }
    words.join(" ")
}

/// Returns every command that is shown and has no subcommands.
fn leaves(command: &Command, words: &str) -> BTreeSet<String> {
    let children = command.get_subcommands().filter(|child| !child.is_hide_set());
    let below = |child: &Command| leaves(child, format!("{words} {}", child.get_name()).trim());
    let found: BTreeSet<String> = children.flat_map(below).collect();
    if found.is_empty() { BTreeSet::from([words.to_owned()]) } else { found }
}

#[test]
fn every_command_is_in_a_story() {
    let stories =
        [ABOUT_AO, ABOUT_SESSIONS, ABOUT_AGENTS, ABOUT_REVIEWS, ABOUT_FORGES, ABOUT_THE_DEMO];
    let run: BTreeSet<String> = stories.concat().into_iter().map(str::to_owned).collect();
    let all = leaves(&ao::cli::command(), "");
    let missing: Vec<_> = all.difference(&run).collect();
    assert!(missing.is_empty(), "nothing here runs {missing:?} with --json");
    let told: BTreeSet<String> = ANSWERS.iter().map(|(command, _)| (*command).to_owned()).collect();
    assert_eq!(told, all, "`ao schema` tells the answers of the commands there are");
}

#[test]
fn what_takes_a_dry_run_may_answer_with_a_plan() {
    let tree = ao::cli::command();
    for (words, names) in ANSWERS {
        let of = |command: &Command, word: &str| command.find_subcommand(word).unwrap().clone();
        let command = words.split(' ').fold(tree.clone(), |command, word| of(&command, word));
        let takes = command.get_arguments().any(|it| it.get_id() == "dry_run");
        assert!(!takes || names.contains(&"PlanAnswer"), "ao {words}");
    }
}

#[test]
fn the_schemas_name_every_answer() {
    let env = TestEnvironment::new();
    let answer = env.ao_json(&["schema"]);
    let definitions = answer["answers"]["$defs"].as_object().unwrap();
    for (command, names) in answer["commands"].as_object().unwrap() {
        for name in names.as_array().unwrap() {
            assert!(definitions.contains_key(name.as_str().unwrap()), "{command}: {name}");
        }
    }
    let record = &answer["record"];
    assert!(record["properties"]["lifecycle"].is_object(), "{record}");
}

const ABOUT_AO: &[&str] = &[
    "agent check",
    "agent ls",
    "agent show",
    "completions",
    "config check",
    "config get",
    "config path",
    "config reference",
    "config set",
    "config show",
    "help",
    "init",
    "man",
    "notify",
    "project add",
    "project ls",
    "project rm",
    "project set",
    "project show",
    "schema",
    "skill",
    "timer install",
    "timer rm",
    "timer status",
    "trust",
];

/// Configuration, registry, timer, generated texts.
#[test]
fn about_ao() {
    let table = Table::new();
    table.ok(&["init", "--yes", "--dry-run"]);
    table.ok(&["init", "--yes"]);
    table.ok(&["init", "--yes"]);
    for command in ["add", "ls", "show"] {
        table.ok(&["project", command]);
        table.ok(&["project", command, "--dry-run"]);
    }
    table.env.git(&table.repo, &["remote", "add", "origin", "https://forge.example/me/app"]);
    table.ok(&["project", "set", "app", "--repo", "."]);
    table.ok(&["project", "set", "app", "--repo", ".", "--dry-run"]);
    table.refused(&["project", "show", "nobody"], 3);
    configure(&table.env, "agent = \"shell\"\nmax_sessions = 7\n[env]\nTOKEN = \"s3cret\"\n");
    let shown = table.ok(&["config", "show"]);
    assert_eq!(shown["config"]["max_sessions"], 7);
    assert_eq!(shown["config"]["pane_size"], json!([200, 50]));
    let origins = table.ok(&["config", "show", "--origin"]);
    assert_eq!(origins["config"]["max_sessions"]["layer"], "user");
    assert_eq!(origins["config"]["max_sessions"]["line"], 2);
    assert_eq!(origins["config"]["env.TOKEN"]["value"], "[redacted]");
    table.ok(&["config", "get", "agent"]);
    table.ok(&["config", "get", "agent", "--origin"]);
    assert_eq!(table.ok(&["config", "get", "model"])["value"], Value::Null);
    table.ok(&["config", "set", "model", "m", "--dry-run"]);
    assert_eq!(table.ok(&["config", "get", "model"])["value"], Value::Null);
    table.ok(&["config", "set", "model", "m"]);
    table.refused(&["config", "set", "modle", "m"], 2);
    table.ok(&["config", "path"]);
    table.ok(&["config", "reference"]);
    table.ok(&["config", "check"]);
    fs::write(table.repo.join(".ao/config.toml"), "home = \"/\"\n").unwrap();
    table.run(&["config", "check"], "", 2);
    fs::write(table.repo.join(".ao/config.toml"), "[check]\ncommand = [\"true\"]\n").unwrap();
    assert_eq!(table.ok(&["config", "check"])["check"]["checks"][1]["warning"], true);
    table.ok(&["trust", "--show"]);
    table.refused(&["trust"], 2);
    table.ok(&["trust", "--revoke"]);
    for args in [&["install", "--dry-run"][..], &["install"], &["status"], &["rm", "--dry-run"]] {
        table.ok(&[&["timer"], args].concat());
    }
    table.ok(&["timer", "rm"]);
    table.ok(&["agent", "ls"]);
    table.ok(&["agent", "show", "shell"]);
    let card = table.env.path("mine.toml");
    let text = table.ok(&["agent", "show", "demo"])["card"]["text"].as_str().unwrap().to_owned();
    fs::write(&card, text.replace("name = \"demo\"", "name = \"mine\"")).unwrap();
    table.ok(&["agent", "check", card.to_str().unwrap()]);
    table.refused(&["agent", "check", "/nonexistent.toml"], 3);
    configure(&table.env, "[notifiers.log]\nkind = \"file\"\npath = \"/proc/none/of/it\"\n");
    table.ok(&["notify"]);
    table.run(&["notify", "--test", "log"], "", 1);
    for args in [
        &["help"][..],
        &["help", "exit-codes"],
        &["help", "config", "set"],
        &["man"],
        &["man", "config", "set"],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["schema"],
        &["skill"],
    ] {
        table.ok(args);
    }
    table.refused(&["help", "frobnicate"], 2);
    table.refused(&["man", "frobnicate"], 2);
    table.ok(&["project", "rm", "app", "--dry-run"]);
    table.ok(&["project", "rm", "app"]);
    table.ends(ABOUT_AO);
}

const ABOUT_SESSIONS: &[&str] = &[
    "attach",
    "cleanup",
    "decide",
    "doctor",
    "events",
    "exec",
    "explain",
    "hook",
    "kill",
    "log",
    "ls",
    "metrics",
    "observe",
    "outbox ls",
    "output",
    "path",
    "reap",
    "rename",
    "restore",
    "show",
    "spawn",
    "status",
    "wait",
];

/// Sessions without a terminal, from spawn to archive.
#[test]
fn about_sessions() {
    let table = Table::new();
    let spawn = ["spawn", "-a", "shell", "--runtime", "process"];
    let spawn = |more: &[&'static str]| [&spawn[..], more].concat();
    table.ok(&spawn(&["--dry-run", "true"]));
    let first = table.ok(&spawn(&["--title", "One", "exec sleep 600"]));
    assert_eq!(first["session"]["id"], "app-1");
    let batch = table.env.script("batch.jsonl", "{\"prompt\":\"true\"}\n{\"prompt\":\"exit 3\"}\n");
    let batch = batch.to_str().unwrap();
    table.ok(&["spawn", "-a", "shell", "--runtime", "process", "--batch", batch]);
    table.ok(&spawn(&["--wait", "--timeout", "20s", "true"]));
    table.ok(&spawn(&["--count", "2", "--dry-run", "true"]));
    table.refused(&spawn(&["--id", "app-1", "true"]), 4);
    table.run(&["wait", "app-2", "app-3", "--timeout", "20s"], "", 21);
    table.run(&["wait", "app-1", "--until", "done", "--timeout", "50ms"], "", 124);
    for args in [
        &["ls"][..],
        &["ls", "--all"],
        &["status"],
        &["status", "app-1", "app-2", "--git"],
        &["status", "-q"],
        &["show", "app-1"],
        &["explain", "app-1"],
        &["explain", "app-3"],
        &["log", "app-1"],
        &["log", "app-1", "--verify"],
        &["events"],
        &["path", "app-1"],
        &["output", "app-3"],
        &["rename", "app-1", "Another", "--dry-run"],
        &["rename", "app-1", "Another"],
        &["outbox", "ls"],
        &["metrics"],
        &["doctor", "--state"],
        &["reap", "--dry-run"],
        &["reap"],
    ] {
        table.ok(args);
    }
    let fact = json!({ "confidence": "valid", "activity": "ready", "source": "hook" }).to_string();
    table.run(&["observe", "activity", "app-1", "--dry-run"], &fact, 0);
    table.run(&["observe", "activity", "app-1"], &fact, 0);
    table.run(&["observe", "activity", "app-1"], "{", 2);
    table.run(&["decide"], &decision(&fact), 0);
    table.run(&["decide"], &format!("{{\n{}", decision(&fact)), 2);
    table.ok(&["exec", "app-1", "--", "true"]);
    table.refused(&["exec", "nobody", "--", "true"], 3);
    table.refused(&["attach", "nobody"], 3);
    table.ok(&["hook", "demo", "stop"]);
    table.ok(&["kill", "app-1", "--dry-run"]);
    table.ok(&["kill", "app-1"]);
    table.ok(&["restore", "app-1", "--dry-run"]);
    table.ok(&["restore", "app-1"]);
    table.ok(&["kill", "app-1"]);
    let note = table.env.home().join("worktrees/app/app-1/note");
    fs::write(&note, "x").unwrap();
    table.ok(&["cleanup", "--dry-run"]);
    let cleaned = table.ok(&["cleanup", "--yes"]);
    let kept = cleaned["cleanup"].as_array().unwrap().iter().find(|it| it.get("kept").is_some());
    assert_eq!(kept.unwrap()["id"], "app-1", "{cleaned:#}");
    table.refused(&["cleanup", "app-1"], 5);
    table.run(&["cleanup", "app-1", "nobody"], "", 3);
    let archived = |shown: &Value| shown["session"].get("archived").cloned();
    assert_eq!(archived(&table.ok(&["show", "app-1"])), None);
    table.ok(&["cleanup", "app-1", "--force"]);
    assert_eq!(archived(&table.ok(&["show", "app-1"])), Some(json!(true)));
    for list in [&["ls", "--all"][..], &["status", "app-1"], &["kill", "app-1"]] {
        let listed = table.ok(list);
        let found = listed["sessions"].as_array().unwrap().iter().find(|it| it["id"] == "app-1");
        assert_eq!(found.unwrap()["archived"], true, "{list:?} {listed:#}");
    }
    table.ends(ABOUT_SESSIONS);
}

/// Returns a line for `ao decide`.
fn decision(fact: &str) -> String {
    let observation: Value = serde_json::from_str(fact).unwrap();
    let mut observation = observation.as_object().unwrap().clone();
    observation.insert("kind".to_owned(), json!("activity"));
    observation.insert("observed_at".to_owned(), json!("2026-01-01T00:00:00Z"));
    let line = json!({ "record": { "lifecycle": {} }, "observation": observation,
        "now": "2026-01-01T00:00:00Z" });
    format!("{line}\n")
}

const ABOUT_AGENTS: &[&str] = &[
    "approve",
    "deny",
    "doctor",
    "interrupt",
    "orchestrator",
    "outbox drop",
    "outbox ls",
    "outbox retry",
    "output",
    "report",
    "send",
    "spawn",
    "status",
    "wait",
];

/// Agents in terminals: texts, dialogs, reports, an orchestrator.
#[test]
fn about_agents() {
    let table = Table::new();
    let env = &table.env;
    let dialog =
        "read\nhook user-prompt-submit\nhook permission-request {\"tool_use_id\":\"t1\"}\n";
    let after = "hook post-tool-use {\"tool_use_id\":\"t1\"}\nhook stop\nread\n";
    let gate = gate(env, "tool");
    let script = format!(
        "hook user-prompt-submit\nhook stop\n\
         {dialog}dialog Run it? y\n{gate}\n{after}hook user-prompt-submit\nhook permission-request {{\"tool_use_id\":\"t2\"}}\n\
         dialog And this? n\nread\n"
    );
    agent(env, "asker", &script);
    agent(env, "chat", CHAT);
    for (id, card) in [("asks", "asker"), ("talks", "chat"), ("listens", "chat")] {
        table.ok(&["spawn", "--agent", card, "--id", id, "x"]);
        wait_status(env, id, "idle");
    }
    table.ok(&["send", "talks", "hello", "--dry-run"]);
    table.ok(&["send", "talks", "hello", "--wait", "--timeout", "30s"]);
    table.ok(&["send", "talks", "listens", "to both"]);
    table.refused(&["send", "nobody", "hello"], 3);
    table.ok(&["send", "talks", "later", "--queue"]);
    table.ok(&["outbox", "ls"]);
    let waiting = table.ok(&["outbox", "ls", "talks"]);
    let key = waiting["outbox"][0]["key"].as_str().unwrap();
    table.ok(&["outbox", "retry", "talks", key, "--dry-run"]);
    table.ok(&["outbox", "retry", "talks", key]);
    table.ok(&["send", "talks", "never", "--queue"]);
    let waiting = table.ok(&["outbox", "ls", "talks"]);
    let key = waiting["outbox"][0]["key"].as_str().unwrap();
    table.ok(&["outbox", "drop", "talks", key, "--dry-run"]);
    table.ok(&["outbox", "drop", "talks", key]);
    table.inside("talks", &["report", "waiting", "--note", "n", "--dry-run"]);
    table.inside("talks", &["report", "waiting", "--note", "n"]);
    table.refused(&["report", "waiting"], 3);
    table.ok(&["interrupt", "talks", "--dry-run"]);
    table.ok(&["interrupt", "talks"]);

    table.refused(&["approve", "asks"], 4);
    table.ok(&["send", "asks", "go"]);
    wait_status(env, "asks", "needs_input");
    table.refused(&["send", "asks", "into the dialog"], 5);
    table.refused(&["wait", "asks"], 20);
    table.ok(&["approve", "asks", "--dry-run"]);
    table.ok(&["approve", "asks"]);
    open(env, "tool");
    wait_status(env, "asks", "idle");
    table.ok(&["send", "asks", "again"]);
    wait_status(env, "asks", "needs_input");
    table.ok(&["deny", "asks", "--dry-run"]);
    table.ok(&["deny", "asks"]);
    table.ok(&["output", "asks"]);

    table.ok(&["orchestrator", "--agent", "chat", "--dry-run"]);
    table.ok(&["orchestrator", "--agent", "chat"]);
    table.ok(&["orchestrator", "--agent", "chat"]);
    table.ok(&["status", "--git"]);
    table.run(&["doctor"], "", 0);
    table.ends(ABOUT_AGENTS);
}

const ABOUT_REVIEWS: &[&str] = &[
    "merge",
    "pr merge",
    "review cancel",
    "review ls",
    "review submit",
    "review trigger",
    "show",
    "spawn",
];

/// Reviews and the merge of a branch that lives here.
#[test]
fn about_reviews() {
    let table = Table::new();
    let env = &table.env;
    let author = "hook user-prompt-submit\nwrite a.txt one\ncommit first\n\
         hook stop\nloop {\nread\nhook user-prompt-submit\nhook stop\n}\n";
    agent(env, "author", author);
    agent(env, "judge", CHAT);
    table.ok(&["spawn", "--agent", "author", "--title", "Fix it", "x"]);
    wait_status(env, "app-1", "idle");
    table.ok(&["review", "ls"]);
    let trigger = ["review", "trigger", "app-1", "--reviewer", "judge"];
    table.ok(&[&trigger[..], &["--dry-run"]].concat());
    let begun = table.ok(&trigger);
    assert_eq!(begun["review"]["created"], true);
    let run = begun["review"]["run"].as_str().unwrap();
    table.ok(&trigger);
    table.ok(&["show", "app-1"]);
    let submit = ["review", "submit", "--run", run, "--verdict", "approved"];
    table.ok(&[&submit[..], &["--dry-run"]].concat());
    table.ok(&submit);
    table.ok(&submit);
    table.refused(&["review", "submit", "--run", run, "--verdict", "changes_requested"], 2);
    let workspace = env.home().join("worktrees/app/app-1");
    env.git(&workspace, &["commit", "-q", "--allow-empty", "-m", "second"]);
    let begun = table.ok(&trigger);
    let run = begun["review"]["run"].as_str().unwrap();
    table.ok(&["review", "cancel", run, "--dry-run"]);
    table.ok(&["review", "cancel", run]);
    table.ok(&["review", "ls", "--all"]);
    table.ok(&["merge", "app-1", "--dry-run"]);
    table.ok(&["pr", "merge", "app-1", "--dry-run"]);
    table.ok(&["merge", "app-1"]);
    table.ok(&["pr", "merge", "app-1"]);
    table.ends(ABOUT_REVIEWS);
}

const ABOUT_FORGES: &[&str] = &[
    "issue ls",
    "issue show",
    "pr claim",
    "pr create",
    "pr ls",
    "pr show",
    "reap",
    "show",
    "spawn",
];

/// Issues and pull requests at forges that are programs.
#[test]
fn about_forges() {
    let table = Table::new();
    let env = &table.env;
    table.refused(&["issue", "ls"], 3);
    let answers = env.path("forge");
    fs::create_dir_all(&answers).unwrap();
    let forge = format!(
        "op=$(sed 's/.*\"op\":\"\\([a-z_]*\\)\".*/\\1/')\ncat '{}/'\"$op.json\"\n",
        answers.display()
    );
    env.shims(&[("forge", &forge)]);
    tracker(env, "[scm]\nkind = \"command\"\ncommand = [\"forge\"]\n");
    issues(env, &[open_issue("7", "The login fails")]);
    table.ok(&["issue", "ls"]);
    table.ok(&["issue", "show", "7"]);
    table.refused(&["issue", "show", "8"], 3);

    agent(env, "chat", CHAT);
    table.ok(&["spawn", "--agent", "chat", "--issue", "7"]);
    wait_status(env, "app-1", "idle");
    let answer = |op: &str, answer: Value| write_json(&answers.join(format!("{op}.json")), &answer);
    let url = "https://forge.example/me/app/pull/7";
    let request = json!({ "number": 7, "url": url, "title": "T", "state": "open", "author": "me",
        "branch": "ao/app-1", "base": "main", "head_sha": "abc" });
    answer("create", json!({ "pull_request": request }));
    answer("pull_request", json!({ "pull_request": request }));
    answer("pull_requests", json!({ "pull_requests": [request] }));
    answer(
        "observe",
        json!({ "facts": { "app-1": { "pr": { "state": "open", "number": 7, "url": url,
            "head_sha": "abc" }, "ci": "passing" } } }),
    );
    bare_origin(env, &table.repo);
    table.refused(&["pr", "show", "nobody"], 3);
    table.ok(&["pr", "create", "app-1", "--push", "--dry-run"]);
    table.ok(&["pr", "create", "app-1", "--push"]);
    table.ok(&["pr", "ls"]);
    table.ok(&["pr", "ls", "--remote"]);
    table.ok(&["pr", "show", "app-1"]);
    table.ok(&["pr", "show", "app-1", "--remote"]);
    table.ok(&["pr", "claim", "app-1", "7", "--dry-run"]);
    table.ok(&["pr", "claim", "app-1", "7"]);
    table.ok(&["reap"]);
    table.ok(&["show", "app-1"]);
    table.ends(ABOUT_FORGES);
}

fn write_json(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).unwrap();
}

/// Gives the repository a remote that takes pushes.
fn bare_origin(env: &TestEnvironment, repo: &Path) {
    let bare = env.path("repos/origin.git");
    let place = bare.to_str().unwrap();
    env.git(&env.path("repos"), &["init", "-q", "--bare", "-b", "main", place]);
    env.git(repo, &["remote", "add", "origin", place]);
    env.git(repo, &["push", "-q", "origin", "main"]);
}

const ABOUT_THE_DEMO: &[&str] = &["demo"];

/// The demo, whose answer is a stream of events.
#[test]
fn about_the_demo() {
    let table = Table::new();
    // The whole of it is another test's; this one goes home after the first act.
    let mut demo = table.env.spawn_ao(&["demo", "--json"]);
    let mut stdout = BufReader::new(demo.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    for line in first.lines().chain(rest.lines()) {
        assert_answer("EventAnswer", &serde_json::from_str(line).unwrap());
    }
    table.seen.borrow_mut().insert("demo".to_owned());
    table.ends(ABOUT_THE_DEMO);
}
