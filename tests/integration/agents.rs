//! What the tests of the loop share: fake agents by name, configuration, and small looks.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use crate::env::TestEnvironment;

/// Writes a card `name` that plays `script`, and returns the script's path. The agent notes what
/// it receives in [`ledger`].
pub(crate) fn agent(env: &TestEnvironment, name: &str, script: &str) -> PathBuf {
    card(env, name, script, |card| card)
}

/// [`agent`], with the card's text changed.
pub(crate) fn card(
    env: &TestEnvironment,
    name: &str,
    script: &str,
    change: impl Fn(String) -> String,
) -> PathBuf {
    let ledger = env.path("scripts").join(format!("{name}.ledger"));
    let script = env.script(name, &format!("ledger {}\n{script}", ledger.display()));
    let text = include_str!("../../src/adapter/agent/cards/demo.toml")
        .replace("name = \"demo\"", &format!("name = \"{name}\""))
        .replace("hidden_unless = \"AO_DEMO\"\n", "")
        .replace(
            "\"demo-agent\"",
            &format!("\"demo-agent\", \"--script\", \"{}\"", script.display()),
        );
    let directory = env.path("user/config/ao/agents");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(format!("{name}.toml")), change(text)).unwrap();
    script
}

/// Returns every byte that the agents of card `name` have received.
pub(crate) fn ledger(env: &TestEnvironment, name: &str) -> Vec<u8> {
    fs::read(env.path("scripts").join(format!("{name}.ledger"))).unwrap_or_default()
}

/// Returns what stands in the ledger for a text that was pasted and submitted with one Enter.
pub(crate) fn pasted(text: &str) -> Vec<u8> {
    format!("\u{1b}[200~{text}\u{1b}[201~\r").into_bytes()
}

/// Writes the user's configuration.
pub(crate) fn configure(env: &TestEnvironment, text: &str) {
    fs::create_dir_all(env.path("user/config/ao")).unwrap();
    fs::write(env.path("user/config/ao/config.toml"), text).unwrap();
}

/// Lets the person's notifications go to a file.
pub(crate) fn notify_by_file(env: &TestEnvironment) {
    let path = env.path("notices.jsonl");
    configure(env, &format!("[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n", path.display()));
}

/// Returns the notifications in that file.
pub(crate) fn notices(env: &TestEnvironment) -> Vec<Value> {
    json_lines(&env.path("notices.jsonl"))
}

/// Returns the documents in a file of JSON lines, none where there is no file.
pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns a line each of the notifications: session, reaction, priority, escalated or not.
pub(crate) fn told(notices: &[Value]) -> Vec<String> {
    let word = |notice: &Value, key: &str| notice[key].as_str().unwrap_or("-").to_owned();
    notices
        .iter()
        .map(|notice| {
            let words = ["session", "reaction", "priority"].map(|key| word(notice, key)).join(" ");
            let escalated = notice["escalation"] == true;
            if escalated { format!("{words} escalated") } else { words }
        })
        .collect()
}

/// A script's step that waits until [`open`] is called with the same name.
pub(crate) fn gate(env: &TestEnvironment, name: &str) -> String {
    let path = env.path("scripts").join(format!("{name}.gate"));
    format!("run sh -c \"until [ -e {} ]; do sleep 0.02; done\"", path.display())
}

/// Lets the agents that wait at a gate go on.
pub(crate) fn open(env: &TestEnvironment, name: &str) {
    fs::write(env.path("scripts").join(format!("{name}.gate")), "").unwrap();
}

/// Spawns a session in `repo` and returns its id.
#[track_caller]
pub(crate) fn spawn(env: &TestEnvironment, repo: &Path, args: &[&str]) -> String {
    let args: Vec<&str> = ["spawn"].iter().chain(args).copied().collect();
    env.ao_in(repo, &args).success().stdout.trim_end().to_owned()
}

/// Starts an agent without a terminal that notes each line it is sent: the quick one, where nothing
/// but texts matters. `parent` is the session that spawns it; empty for a person.
pub(crate) fn listening(env: &TestEnvironment, repo: &Path, id: &str, parent: &str) -> String {
    let heard = env.path(&format!("{id}.heard"));
    let script = format!("while read -r line; do echo \"$line\" >>{}; done", heard.display());
    let words = ["spawn", "--agent", "shell", "--mode", "interactive", "--runtime", "process"];
    let command = env.ao_command(&[&words[..], &["--id", id, &script]].concat()).cwd(repo);
    let command = if parent.is_empty() { command } else { command.env("AO_SESSION", parent) };
    env.run(&command).success();
    // Without signals, only a look tells that it works.
    env.wait_for("it works", || {
        env.ao(&["reap"]).success();
        (status(env, id) == "working").then_some(())
    });
    id.to_owned()
}

/// Returns what the agent of [`listening`] has read.
pub(crate) fn heard(env: &TestEnvironment, id: &str) -> String {
    fs::read_to_string(env.path(&format!("{id}.heard"))).unwrap_or_default()
}

/// Returns the display status as `ao show` tells it.
#[track_caller]
pub(crate) fn status(env: &TestEnvironment, id: &str) -> String {
    let answer = env.ao_json(&["show", id, "--json"]);
    answer["session"]["status"].as_str().unwrap().to_owned()
}

/// Waits until `ao show` tells that status and the record on disk is the one it tells of: a commit
/// is in the log, where `ao` finds it, a moment before it is in the record.
#[track_caller]
pub(crate) fn wait_status(env: &TestEnvironment, id: &str, wanted: &str) {
    let what = format!("{id} is {wanted}");
    env.wait_for(&what, || {
        let session = &env.ao_json(&["show", id, "--json"])["session"];
        let stored = env.try_record(id)?;
        let is_stored = stored["revision"] == session["revision"];
        (session["status"] == wanted && is_stored).then_some(())
    });
}

/// Waits until the activity axis is there.
#[track_caller]
pub(crate) fn wait_activity(env: &TestEnvironment, id: &str, wanted: &str) -> Value {
    env.wait_record(id, wanted, |record| record["lifecycle"]["activity"]["state"] == wanted)
}

/// Returns `cause rule status` of every event that changed the status.
pub(crate) fn history(env: &TestEnvironment, id: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last = None;
    for event in env.events(id) {
        if last.as_ref() != Some(&event["status"]) {
            let words = ["cause", "rule", "status"].map(|key| event[key].as_str().unwrap_or("-"));
            lines.push(words.join(" "));
            last = Some(event["status"].clone());
        }
    }
    lines
}

/// Returns every file, directory and link below `root`, with the content of files.
pub(crate) fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(tree(&path));
            found.push((path, Vec::new()));
        } else if kind.is_file() {
            let content = fs::read(&path).unwrap();
            found.push((path, content));
        } else {
            found.push((path, Vec::new()));
        }
    }
    found.sort();
    found
}

/// Asserts that every lock file below `root` can be taken.
#[track_caller]
pub(crate) fn assert_no_lock_is_held(root: &Path) {
    let is_lock = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name == "lock" || name.ends_with(".lock")
    };
    for (path, _) in tree(root).into_iter().filter(|(path, _)| is_lock(path)) {
        let file = fs::File::open(&path).unwrap();
        let taken = flock(&file, FlockOperation::NonBlockingLockExclusive);
        assert!(taken.is_ok(), "{} is held", path.display());
    }
}

/// Returns the processes that carry the marker of a session's launch.
pub(crate) fn agents_alive(env: &TestEnvironment) -> Vec<u32> {
    let marked = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(b"AO_LAUNCH="))
    };
    env.processes().into_iter().filter(marked).collect()
}
