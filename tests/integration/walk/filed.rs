//! Operations with an agent that needs files: hooks in the workspace, in a file of the team's and
//! in one of their own, and answers in the person's files, one that is there and one that is not.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::checks::{restored_or_ended, spawned_or_gone, work_is_kept};
use super::company::configured;
use super::prepare::{DIRTY, wait_until_it_ran};
use super::run::Fault;
use super::table::Operation;
use crate::env::TestEnvironment;
use crate::faulted::{AGENT, Case, Settled};

/// One part of the table.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "spawn with hook files",
        setting: with_files,
        prepare: with_own_file,
        args: &["spawn", "--agent", "filer", "--runtime", "process", "--id", "ID", AGENT],
        check: |case, settled, fault| {
            // Where its launcher was hurt, the agent has ended and what it worked with stays.
            if !fault.is_done() || matches!(settled, Settled::Live(_)) {
                hooked_or_as_before(case, settled, fault);
            }
            spawned_or_gone(case, settled, fault);
            as_before_in_the_end(case);
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "restore with hook files",
        setting: with_files,
        prepare: killed_with_files,
        args: &["restore", "ID"],
        check: |case, settled, fault| {
            if let Settled::Live(_) = settled {
                hooked_or_as_before(case, settled, fault);
            }
            restored_or_ended(case, settled, fault);
            as_before_in_the_end(case);
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "cleanup with hook files",
        setting: with_files,
        prepare: committed_with_files,
        args: &["cleanup", "ID"],
        check: |case, settled, fault| {
            work_is_kept(case, settled, fault);
            if !case.workspace().exists() {
                assert_as_before(case);
            }
            as_before_in_the_end(case);
        },
        ..Operation::PLAIN
    },
];

/// What the team has in its own file.
const TEAMS: &str = "{\n  // the team's\n  \"hooks\": { \"Stop\": [ 1 ] }\n}\n";

/// What the person has.
const OWN: &str = "{\n\t// mine\n\t\"/mine\": true\n}\n";

fn with_files(env: &TestEnvironment, repo: &Path) -> Option<Box<dyn Any>> {
    let file = |path: &str| {
        format!(
            "[[hooks.files]]\npath = \"{{workspace}}/{path}\"\nform = \"json\"\n\
             at = \"/hooks/{{native}}\"\nentry = {{ command = \"{{command}}\" }}\n"
        )
    };
    let answer = |path: &str| {
        format!(
            "[[trust]]\npaths = [\"{{env:AO_HOME}}.{path}\"]\nat = \"/{{workspace}}\"\n\
             value = true\ncreate = true\n"
        )
    };
    let card = include_str!("../../../src/adapter/agent/cards/shell.toml")
        .replace("name = \"shell\"", "name = \"filer\"");
    let event = "[hooks.events.stop]\nnative = \"Stop\"\nactivity = \"idle\"\nboundary = true\n";
    let card = format!(
        "{card}\n[hooks]\nkind = \"files\"\n{}{}{event}{}{}",
        file(".filer/hooks.json"),
        file(".filer/deep/more.json"),
        answer("own.json"),
        answer("made/made.json"),
    );
    let agents = env.path("user/config/ao/agents");
    fs::create_dir_all(&agents).unwrap();
    fs::write(agents.join("filer.toml"), card).unwrap();
    fs::create_dir(repo.join(".filer")).unwrap();
    fs::write(repo.join(".filer/hooks.json"), TEAMS).unwrap();
    env.git(repo, &["add", ".filer"]);
    env.git(repo, &["commit", "-qm", "hooks of the team", "--", ".filer"]);
    configured(env, "")
}

/// Returns where the person has the agent's files: beside each home, so that no case disturbs
/// another.
fn place(case: &Case<'_>, name: &str) -> PathBuf {
    PathBuf::from(format!("{}.{name}", case.home.display()))
}

fn with_own_file(case: &Case<'_>) {
    fs::write(place(case, "own.json"), OWN).unwrap();
}

fn killed_with_files(case: &Case<'_>) {
    with_own_file(case);
    case.ao(&["spawn", "--agent", "filer", "--runtime", "process", "--id", "ID", DIRTY]).success();
    wait_until_it_ran(case);
    case.ao(&["kill", "ID"]).success();
}

fn committed_with_files(case: &Case<'_>) {
    with_own_file(case);
    let script = "echo precious >work.txt; git add work.txt; git commit -qm work";
    let words = ["spawn", "--agent", "filer", "--runtime", "process", "--id", "ID", "--wait"];
    case.ao(&[&words[..], &[script]].concat()).success();
    case.ao(&["reap"]).success();
}

/// The agent that lives has what it needs, and git sees none of it.
fn hooked_or_as_before(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    let Settled::Live(_) = settled else { return assert_as_before(case) };
    let workspace = case.workspace();
    for name in [".filer/hooks.json", ".filer/deep/more.json"] {
        let text = fs::read_to_string(workspace.join(name)).unwrap();
        assert!(text.contains(" hook filer stop"), "{name}: {text}");
    }
    let changes = case.stage.env.git(&workspace, &["status", "--porcelain"]);
    assert!(["", "?? work.txt"].contains(&&*changes), "{changes}");
    if fault.outcome.stderr.contains("could not be answered ahead") {
        return;
    }
    let own = fs::read_to_string(place(case, "own.json")).unwrap();
    assert!(own.contains("// mine\n\t\"/mine\": true"), "{own}");
    let made: Value =
        serde_json::from_str(&fs::read_to_string(place(case, "made/made.json")).unwrap()).unwrap();
    assert_eq!(made, json!({ workspace.to_str().unwrap(): true }));
    assert!(own.contains(workspace.to_str().unwrap()), "{own}");
}

/// Nothing of the person's is another than it was. A directory that was made and cannot be removed
/// is left, and there is nothing in it.
fn assert_as_before(case: &Case<'_>) {
    assert_eq!(fs::read_to_string(place(case, "own.json")).unwrap(), OWN);
    let left: Vec<_> = fs::read_dir(place(case, "made")).into_iter().flatten().collect();
    assert!(left.is_empty(), "what was made for it is left: {left:?}");
}

/// However it stands with the session: once it is cleaned up, everything is as it was.
fn as_before_in_the_end(case: &Case<'_>) {
    if case.home.join("sessions").join(&case.id).exists() {
        case.ao(&["kill", "--yes", "ID"]);
        case.ao(&["cleanup", "--force", "ID"]).success();
    }
    assert_as_before(case);
    let teams = fs::read_to_string(case.stage.repo.join(".filer/hooks.json")).unwrap();
    assert_eq!(teams, TEAMS);
}
