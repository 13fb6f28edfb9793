//! Operations that need more than one session and one repository: workspaces that are kept and
//! copied, issues, pull requests, what one session tells another, and what a pass tidies up.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use ao::adapter::clock;
use ao::model::lifecycle::SessionState;
use ao::model::record::Record;
use ao::store::Home;
use serde_json::{Value, json};

use super::checks::{
    fixed_once_or_told, is_logged, is_put_off, merged_or_not, restored_or_ended, spawned_or_gone,
    typed_once_or_told, work_is_kept, work_is_somewhere,
};
use super::prepare::{
    SPAWN, cleaned_up, committed, notifier, registered, told_to_fix, wait_until_it_ended,
    with_parent,
};
use super::run::Fault;
use super::table::Operation;
use crate::agents::{agent, configure, ledger};
use crate::env::TestEnvironment;
use crate::faulted::{AGENT, Case, Settled};
use crate::issue::{issues, open_issue, tracker};
use crate::server::{Server, reply};

/// The table's other part.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "spawn by a session",
        prepare: with_parent,
        args: &["spawn", "--agent", "shell", "--runtime", "process", "--id", "child", AGENT],
        inside: true,
        moves: true,
        done: |case| case.home.join("sessions/child").exists(),
        check: a_child_or_nothing,
        ..Operation::PLAIN
    },
    Operation {
        name: "spawn two",
        args: &["spawn", "--agent", "shell", "--runtime", "process", "--count", "2", AGENT],
        moves: true,
        check: those_that_were_told,
        ..Operation::PLAIN
    },
    Operation {
        name: "spawn beside another",
        is_variant: true,
        setting: with_a_tree,
        prepare: beside_another,
        args: SPAWN,
        check: spawned_whole_or_gone,
        ..Operation::PLAIN
    },
    Operation {
        name: "spawn from the pool",
        is_variant: true,
        setting: with_a_pool,
        prepare: pooled,
        args: SPAWN,
        check: spawned_from_the_pool_or_gone,
        ..Operation::PLAIN
    },
    Operation {
        name: "spawn that listens",
        is_variant: true,
        args: &[
            "spawn",
            "--agent",
            "shell",
            "--runtime",
            "process",
            "--mode",
            "interactive",
            "--id",
            "ID",
            AGENT,
        ],
        check: spawned_or_gone,
        ..Operation::PLAIN
    },
    Operation {
        name: "spawn of what was proved",
        is_variant: true,
        setting: with_an_old_tree,
        prepare: proved,
        args: SPAWN,
        check: spawned_from_the_pool_or_gone,
        ..Operation::PLAIN
    },
    Operation {
        name: "merge of another history",
        is_variant: true,
        prepare: committed_without_a_parent,
        args: &["merge", "ID", "--method", "rebase"],
        check: merged_or_not,
        changes: &[".git/index", ".git/refs/heads/main"],
        moves: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "cleanup into the pool",
        is_variant: true,
        setting: with_a_pool,
        prepare: committed,
        args: &["cleanup", "ID"],
        check: work_is_kept,
        ..Operation::PLAIN
    },
    Operation {
        name: "restore from the branch",
        is_variant: true,
        prepare: cleaned_up_for_good,
        args: &["restore", "ID"],
        check: restored_whole,
        ends: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap cleans up",
        is_variant: true,
        setting: with_cleaning,
        prepare: ended_with_a_commit,
        args: &["reap"],
        check: cleaned_by_a_pass,
        passes: 2,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap empties the trash",
        setting: with_short_trash,
        prepare: cleaned_up_with_folders,
        args: &["reap"],
        check: the_trash_is_empty,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap takes an issue in",
        setting: with_intake,
        prepare: registered,
        args: &["reap"],
        check: one_session_for_the_issue,
        moves: true,
        settles: false,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap hands a notice over",
        setting: with_lead,
        prepare: done_for_a_lead,
        args: &["reap"],
        check: the_lead_hears_once_or_a_person,
        passes: 2,
        moves: true,
        settles: false,
        ..Operation::PLAIN
    },
    Operation {
        name: "pr create",
        setting: with_forge,
        prepare: committed_for_a_forge,
        args: &["pr", "create", "ID", "--push"],
        check: opened_once,
        settles: false,
        ..Operation::PLAIN
    },
    Operation {
        name: "send in tmux",
        is_variant: true,
        prepare: listening_in_tmux,
        args: &["send", "ID", "hello"],
        check: typed_once_or_told,
        passes: 2,
        ..Operation::PLAIN
    },
    Operation {
        name: "outbox drop",
        is_variant: true,
        prepare: told_to_fix,
        args: &["outbox", "drop", "ID", "KEY"],
        check: dropped_or_fixed,
        passes: 2,
        ..Operation::PLAIN
    },
];

pub(super) fn configured(env: &TestEnvironment, text: &str) -> Option<Box<dyn Any>> {
    configure(env, &format!("{text}{}", notifier(env)));
    None
}

/// A repository with more in it than plain files at its top, and one that git ignores.
fn with_a_tree(env: &TestEnvironment, repo: &Path) -> Option<Box<dyn Any>> {
    fs::create_dir_all(repo.join("deep/er")).unwrap();
    fs::write(repo.join("deep/er/file.txt"), "deep\n".repeat(2000)).unwrap();
    // Long enough to share its blocks where the file system can.
    fs::write(repo.join("long.txt"), "long\n".repeat(60_000)).unwrap();
    fs::write(repo.join("edited.txt"), "long\n".repeat(60_000)).unwrap();
    fs::write(repo.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(repo.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("deep/er/file.txt", repo.join("link")).unwrap();
    fs::write(repo.join(".gitignore"), "*.local\n").unwrap();
    fs::write(repo.join("own.local"), "own\n").unwrap();
    let names = ["deep", "long.txt", "edited.txt", "run.sh", "link", ".gitignore"];
    env.git(repo, &[&["add"], &names[..]].concat());
    env.git(repo, &[&["commit", "-qm", "a tree", "--"], &names[..]].concat());
    configured(env, "[workspace]\ncopy = [\"own.local\"]\n")
}

/// The same, whose files were there before anything looks at them: what is of the present second
/// may change unseen, so nothing is noted of it.
fn with_an_old_tree(env: &TestEnvironment, repo: &Path) -> Option<Box<dyn Any>> {
    let kept = with_a_tree(env, repo);
    let changed = || {
        let now = env.path("now");
        fs::write(&now, "").unwrap();
        let at = |path: &Path| fs::metadata(path).unwrap().ctime();
        (at(&now) - at(&repo.join("edited.txt")) > 2).then_some(())
    };
    env.wait_for("its files to be old", changed);
    // Whatever is not in the commit is nobody's to copy.
    env.git(repo, &["status"]);
    kept
}

fn with_a_pool(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    configured(env, "[pool]\nsize = 2\n")
}

fn with_cleaning(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    configured(env, "[cleanup]\nauto = true\nafter = \"0s\"\n")
}

fn with_short_trash(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    configured(env, "[trash]\nkeep = \"0s\"\n")
}

fn with_intake(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    let intake = "[intake]\nlabel = \"ao\"\nagent = \"waiter\"\ninterval = \"0s\"\n";
    tracker(env, &format!("{intake}{}", notifier(env)));
    agent(env, "waiter", "hook session-start\nloop {\nread\n}\n");
    issues(env, &[open_issue("1", "One")]);
    None
}

fn with_lead(env: &TestEnvironment, _: &Path) -> Option<Box<dyn Any>> {
    let chat = "loop {\nread\nhook user-prompt-submit\nsay answer\nhook stop\n}\n";
    agent(env, "lead", &format!("hook user-prompt-submit\nhook stop\n{chat}"));
    configured(env, "")
}

/// A GitHub that knows nothing but pull requests, and notes each one that is opened.
fn with_forge(env: &TestEnvironment, repo: &Path) -> Option<Box<dyn Any>> {
    let opened: Mutex<BTreeMap<String, Value>> = Mutex::default();
    let notes = env.path("opened");
    let server = Server::start(move |request, _| {
        let path = request.path.replacen("/repos/octo/app", "", 1);
        let mut opened = opened.lock().unwrap();
        let all = || json!(opened.values().collect::<Vec<_>>()).to_string();
        match (request.method.as_str(), path.as_str()) {
            ("GET", path) if path.starts_with("/pulls?") => reply(200, &[], all()),
            ("POST", "/pulls") => {
                let asked: Value = serde_json::from_slice(&request.body).unwrap();
                let head = asked["head"].as_str().unwrap().to_owned();
                if opened.contains_key(&head) {
                    return reply(422, &[], r#"{"message":"A pull request already exists"}"#);
                }
                let pull = pull_request(12 + opened.len(), &head);
                opened.insert(head.clone(), pull.clone());
                let before = fs::read_to_string(&notes).unwrap_or_default();
                fs::write(&notes, format!("{before}{head}\n")).unwrap();
                reply(201, &[], pull.to_string())
            }
            _ => reply(404, &[], r#"{"message":"Not Found"}"#),
        }
    });
    env.set("GITHUB_API_URL", server.url(""));
    env.set("AO_GITHUB_TOKEN", "t0ken-of-the-test");
    let bare = env.path("repos/origin.git");
    let place = bare.to_str().unwrap();
    env.git(&env.path("repos"), &["init", "-q", "--bare", "-b", "main", place]);
    // In the place of ssh: what is asked of the host is done here.
    env.shims(&[("to-the-host", &format!("for it; do :; done\nexec ${{it%% *}} '{place}'\n"))]);
    for (name, value) in [("core.sshCommand", "to-the-host"), ("ssh.variant", "simple")] {
        env.git(repo, &["config", name, value]);
    }
    env.git(repo, &["remote", "add", "origin", "git@github.com:octo/app.git"]);
    env.git(repo, &["push", "-q", "origin", "main"]);
    configured(env, "");
    Some(Box::new(server))
}

fn pull_request(number: usize, branch: &str) -> Value {
    let text = include_str!("../../../fixtures/github/rest/pull.json").replace("ao/app-1", branch);
    let mut pull: Value = serde_json::from_str(&text).unwrap();
    pull["number"] = number.into();
    pull
}

/// A session whose workspace is clean, and stays where the next one's is made.
fn beside_a_clean_one(case: &Case<'_>) {
    let near = format!("{}-near", case.id);
    let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", &near];
    case.ao(&[&words[..], &["--wait", "exit 0"]].concat()).success();
    case.ao(&["reap"]).success();
}

/// The same, in which somebody edited a file.
fn beside_another(case: &Case<'_>) {
    beside_a_clean_one(case);
    let near = case.home.join(format!("worktrees/app/{}-near", case.id));
    fs::write(near.join("edited.txt"), "else\n".repeat(60_000)).unwrap();
}

/// A workspace that another session left is in the pool.
fn pooled(case: &Case<'_>) {
    beside_a_clean_one(case);
    case.ao(&["cleanup", &format!("{}-near", case.id)]).success();
    let place = case.home.join("worktrees/.pool/app");
    assert_eq!(fs::read_dir(place).unwrap().count(), 1, "it is in the pool");
}

/// A workspace was copied from the person's own files, and is gone.
fn proved(case: &Case<'_>) {
    beside_a_clean_one(case);
    case.ao(&["cleanup", "--force", &format!("{}-near", case.id)]).success();
    assert!(case.stage.repo.join(".git/ao-proven").exists(), "nothing is noted");
}

/// A session whose branch has nothing in common with the base.
fn committed_without_a_parent(case: &Case<'_>) {
    let script = "git update-ref -d HEAD && git rm -qrf . && echo precious >work.txt && \
                  git add work.txt && git commit -qm work";
    let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", "ID", "--wait"];
    case.ao(&[&words[..], &[script]].concat()).success();
    case.ao(&["reap"]).success();
}

/// What waits in the trash has directories in it.
fn cleaned_up_with_folders(case: &Case<'_>) {
    let script = "mkdir -p deep/er; echo deep >deep/er/file; echo precious >work.txt; git add .; \
                  git commit -qm work";
    case.spawn(script);
    wait_until_it_ended(case);
    case.ao(&["reap"]).success();
    case.ao(&["cleanup", "ID"]).success();
}

/// A session that ended with a commit, told of, and not cleaned up.
fn ended_with_a_commit(case: &Case<'_>) {
    case.spawn("echo precious >work.txt; git add work.txt; git commit -qm work");
    wait_until_it_ended(case);
}

/// Of its workspace there is nothing but the branch.
fn cleaned_up_for_good(case: &Case<'_>) {
    cleaned_up(case);
    fs::remove_dir_all(case.home.join("worktrees/.trash")).unwrap();
    fs::remove_dir_all(case.stage.repo.join(".git/ao-trash")).unwrap();
}

/// A worker that is done, and whose orchestrator waits at its composer.
fn done_for_a_lead(case: &Case<'_>) {
    case.ao(&["orchestrator", "--agent", "lead"]).success();
    at_composer(case);
    let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", "ID", "true"];
    let command = case.command(&words).env("AO_SESSION", "app-1");
    case.stage.env.run(&command).success();
    wait_until_it_ended(case);
}

fn at_composer(case: &Case<'_>) {
    case.stage.env.wait_for("the composer", || {
        let screen = case.ao(&["output", "app-1"]).stdout;
        screen.lines().any(|line| line.trim_end() == ">").then_some(())
    });
}

fn committed_for_a_forge(case: &Case<'_>) {
    case.spawn("echo precious >work.txt; git add work.txt; git commit -qm work");
    wait_until_it_ended(case);
    case.ao(&["reap"]).success();
}

/// An agent in tmux that notes each line it is sent.
fn listening_in_tmux(case: &Case<'_>) {
    let script = r#"while read -r line; do echo "$line" >>"$AO_HOME/heard"; done"#;
    let words = ["spawn", "--agent", "shell", "--mode", "interactive", "--runtime", "tmux"];
    let here = ["--workspace", "none", "--id", "ID", script];
    case.ao(&[&words[..], &here].concat()).success();
    case.ao(&["reap"]).success();
}

/// Returns every session of the home that is not archived.
fn sessions(case: &Case<'_>) -> BTreeMap<String, Record> {
    let home = Home::open_read(&case.home).unwrap();
    let ids = home.session_ids().unwrap();
    ids.iter().map(|id| (id.to_string(), home.load(id).unwrap().record)).collect()
}

/// A session that lives works in a workspace that is whole; of any other there is nothing.
fn whole_or_nothing(case: &Case<'_>, id: &str, record: &Record) {
    let path = case.home.join("worktrees/app").join(id);
    let branch = format!("refs/heads/ao/{id}");
    if record.lifecycle.is_terminal() {
        assert!(!path.exists(), "workspace of {id}");
        let refs = case.stage.env.git(&case.stage.repo, &["for-each-ref", &branch]);
        assert_eq!(refs, "", "branch of {id}");
    } else {
        assert_eq!(record.lifecycle.session.state, SessionState::Working, "{id}");
        assert!(path.join("README.md").exists(), "workspace of {id}");
        let head = case.stage.env.git(&path, &["rev-parse", "--symbolic-full-name", "HEAD"]);
        assert_eq!(head, branch);
    }
}

fn a_child_or_nothing(case: &Case<'_>, _: &Settled, fault: &Fault) {
    let all = sessions(case);
    let child = all.get("child");
    let lives = child.is_some_and(|child| !child.lifecycle.is_terminal());
    let by_launcher = fault.passing.role().is_some();
    assert!(lives || !fault.is_done() || by_launcher, "it was said to run");
    if let Some(child) = child {
        assert_eq!(child.parent.as_ref().map(|it| it.as_str()), Some(&*case.id), "whose it is");
        if !(fault.is_done() && by_launcher) {
            whole_or_nothing(case, "child", child);
        }
    }
    assert!(!all[&case.id].lifecycle.is_terminal(), "the parent had nothing to do with it");
}

/// Who was told of a session has it, and nobody has one that he was not told of.
fn those_that_were_told(case: &Case<'_>, _: &Settled, fault: &Fault) {
    let all = sessions(case);
    let by_launcher = fault.passing.role().is_some();
    let is_live = |(_, record): &(&String, &Record)| !record.lifecycle.is_terminal();
    let live: Vec<&str> = all.iter().filter(is_live).map(|(id, _)| id.as_str()).collect();
    let told: Vec<&str> = fault.outcome.stdout.lines().collect();
    for id in &told {
        assert!(live.contains(id) || by_launcher, "{id} was said to run: {live:?}");
    }
    if fault.outcome.status != 137 && !by_launcher {
        assert_eq!(live.len(), told.len(), "{live:?} live, and {told:?} were told");
    }
    assert!(!fault.is_done() || told.len() == 2, "{told:?} were told");
    for (id, record) in all.iter().filter(|_| !by_launcher) {
        whole_or_nothing(case, id, record);
    }
}

/// What is copied is what git would have made.
fn spawned_whole_or_gone(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    spawned_or_gone(case, settled, fault);
    let workspace = case.workspace();
    if let Settled::Live(_) = settled {
        let git = |args: &[&str]| case.stage.env.git(&workspace, args);
        assert_eq!(git(&["status", "--porcelain"]), "", "it differs from its commit");
        assert_eq!(fs::read_link(workspace.join("link")).unwrap(), Path::new("deep/er/file.txt"));
        assert_eq!(fs::read_to_string(workspace.join("own.local")).unwrap(), "own\n");
    }
    // Whom it was copied from has what it had.
    let near = case.home.join(format!("worktrees/app/{}-near", case.id));
    assert_eq!(case.stage.env.git(&near, &["status", "--porcelain"]), " M edited.txt");
    assert!(near.join("deep/er/file.txt").exists());
}

fn spawned_from_the_pool_or_gone(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    spawned_or_gone(case, settled, fault);
    if let Settled::Live(_) = settled {
        assert_eq!(case.stage.env.git(&case.workspace(), &["status", "--porcelain"]), "");
    }
    // Whatever became of that one, the next is whole as well.
    let next = format!("{}-next", case.id);
    let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", &next];
    case.ao(&[&words[..], &["--wait", "test -e README.md"]].concat()).success();
    let path = case.home.join("worktrees/app").join(&next);
    assert_eq!(case.stage.env.git(&path, &["status", "--porcelain"]), "");
}

/// Where the first was undone, a second one brings everything back.
fn restored_whole(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    restored_or_ended(case, settled, fault);
    if !case.workspace().join("work.txt").exists() {
        case.ao(&["restore", "ID"]).success();
        // Its agent's git is not to be killed by the end of the case.
        wait_until_it_ended(case);
    }
    work_is_somewhere(case);
    let status = case.stage.env.git(&case.workspace(), &["status", "--porcelain"]);
    assert_eq!(status, "", "it differs from its branch");
}

fn cleaned_by_a_pass(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    work_is_kept(case, settled, fault);
    if let Settled::Ended(record) = settled
        && is_put_off(record)
    {
        // What could not be told is told once its pause is over; nothing is cleaned up before.
        for hours in [2, 6] {
            let at = clock::now().plus(Duration::from_secs(hours * 3600)).to_string();
            case.stage.env.run(&case.command(&["reap"]).env("AO_TIMESTAMP", at)).success();
        }
    }
    assert!(case.home.join("archive").join(&case.id).exists(), "it is cleaned up");
    assert!(!case.workspace().exists());
}

fn the_trash_is_empty(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    work_is_kept(case, settled, fault);
    let trees = fs::read_dir(case.home.join("worktrees/.trash")).unwrap();
    let left: Vec<_> = trees.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    let entries = fs::read_dir(case.stage.repo.join(".git/ao-trash")).into_iter().flatten();
    let own = |name: &str| name.starts_with(&format!("{}-", case.id));
    let left: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| own(name))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Sooner or later there is one, and never two.
fn one_session_for_the_issue(case: &Case<'_>, _: &Settled, fault: &Fault) {
    let live = || {
        let all = sessions(case);
        let has = |record: &Record| record.issue.is_some() && !record.lifecycle.is_terminal();
        all.values().filter(|record| has(record)).count()
    };
    assert!(live() <= 1, "two sessions for one issue");
    for hours in [2, 6] {
        // The pause after an attempt that failed is over.
        let at = clock::now().plus(Duration::from_secs(hours * 3600)).to_string();
        case.stage.env.run(&case.command(&["reap"]).env("AO_TIMESTAMP", at)).success();
    }
    let all = sessions(case);
    // Where the launcher was hurt once the agent ran, the issue was begun and its agent ended: it
    // is a person's to say what comes next.
    let begun = all.values().filter(|record| record.issue.is_some()).count();
    let is_over = fault.passing.role().is_some() && begun == 1;
    assert!(live() == 1 || is_over, "sessions for the issue: {all:#?}");
}

/// Never twice; and where it may not have arrived, a person is told.
fn the_lead_hears_once_or_a_person(case: &Case<'_>, settled: &Settled, _: &Fault) {
    let Settled::Ended(_) = settled else { panic!("it was done") };
    let words = format!("ao: worker {} is done.", case.id);
    let heard = || {
        let text = String::from_utf8_lossy(&ledger(&case.stage.env, "lead")).into_owned();
        text.matches(&words).count()
    };
    let is_told =
        || !case.stage.notices("app-1").is_empty() || !case.stage.notices(&case.id).is_empty();
    case.stage.env.wait_for("somebody hears of it", || {
        case.ao(&["reap"]).success();
        (heard() > 0 || is_told() || sessions(case).values().any(is_put_off)).then_some(())
    });
    case.ao(&["reap"]).success();
    assert!(heard() <= 1, "heard {} times", heard());
}

/// One pull request, whoever asks how often.
fn opened_once(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    let branch = format!("ao/{}", case.id);
    let opened = || {
        let text = fs::read_to_string(case.stage.env.path("opened")).unwrap_or_default();
        text.lines().filter(|line| *line == branch).count()
    };
    assert!(opened() == 1 || !fault.is_done(), "it was said to be open");
    work_is_kept(case, settled, fault);
    case.ao(&["pr", "create", "ID", "--push"]).success();
    assert_eq!(opened(), 1);
    let pr = case.record()["lifecycle"]["pr"].clone();
    assert_eq!((&pr["state"], pr["number"].is_u64()), (&json!("open"), true), "{pr:#}");
    let at = |directory: &Path| case.stage.env.git(directory, &["rev-parse", &branch]);
    assert_eq!(at(&case.stage.repo), at(&case.stage.env.path("repos/origin.git")));
}

/// What was dropped is not typed; what was not, is dealt with as ever.
fn dropped_or_fixed(case: &Case<'_>, settled: &Settled, fault: &Fault) {
    // Killed once it was in the log, it was done, and nobody could be told so any more.
    if !fault.is_done() && !is_logged(case, r#""cause":"outbox""#) {
        return fixed_once_or_told(case, settled, fault);
    }
    let Settled::Live(record) = settled else { panic!("it lives") };
    assert!(record.outbox.is_empty(), "{:?}", record.outbox);
    assert!(!case.home.join("heard").exists(), "it was typed");
}
