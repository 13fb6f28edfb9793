//! The operations that are walked through, what has to be there before, and what after.

use std::any::Any;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use ao::adapter::cmd::Cmd;

use super::checks::{
    ended, ended_or_as_before, fixed_once_or_told, given_in_one_way, gone, is_logged,
    merged_or_not, restored_or_ended, spawned_or_gone, told_under_one_id, typed_once_or_told,
    whole, work_is_kept,
};
use super::plan::Passing;
use super::prepare::*;
use super::run::Fault;
use crate::env::TestEnvironment;
use crate::faulted::{AGENT, Case, Settled};

/// The points that no operation here passes, why, and the test file in which a fault is made there.
pub(super) const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("wait.look", "passed by ao wait, which changes nothing", "costs.rs"),
    ("store.uncut", "an append that failed is cut back: the error's own way", "disk.rs"),
    ("lock.wait", "passed by one that has to wait", "races.rs"),
    ("cmd.exec", "replaces this process, at a terminal", "tmux_worst.rs"),
    ("review.moved", "a review of a second head", "review.rs"),
    ("dirfd.mode", "what the owner may not change is deleted; root may change all", "pool.rs"),
    ("git2.unbranch", "a branch that failed is taken back: the error's own way", "git_worst.rs"),
];

/// Something `ao` does.
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// What the machine is like; what it returns lives as long as the machine.
    pub(super) setting: fn(&TestEnvironment, &Path) -> Option<Box<dyn Any>>,
    /// What has to be there before.
    pub(super) prepare: fn(&Case<'_>),
    /// The command; `ID` is the session, `REPO` the repository, `RUN` its first review, `KEY` the
    /// first entry of its outbox.
    pub(super) args: &'static [&'static str],
    pub(super) stdin: &'static str,
    /// It is run as by the agent of the session.
    pub(super) inside: bool,
    /// Its exit code where nothing goes wrong.
    pub(super) code: i32,
    /// Looks at what is left.
    pub(super) check: fn(&Case<'_>, &Settled, &Fault),
    /// Says whether what was acknowledged is there.
    pub(super) done: fn(&Case<'_>) -> bool,
    /// How many passes it takes until all is told.
    pub(super) passes: u32,
    /// One more pass changes nothing.
    pub(super) settles: bool,
    /// The repository is another one afterwards.
    pub(super) moves: bool,
    /// Files of the repository that it is there to change.
    pub(super) changes: &'static [&'static str],
    /// It begins something that goes on when it has ended.
    pub(super) begins: bool,
    /// The agent that it starts comes to its end by itself.
    pub(super) ends: bool,
    /// It is another operation in other circumstances: of its steps those are gone through that no
    /// other one has.
    pub(super) is_variant: bool,
    /// It puts right what is wrong, and is run again where it could not.
    pub(super) mends: bool,
}

impl Operation {
    pub(super) const PLAIN: Self = Self {
        name: "",
        setting: as_it_is,
        prepare: nothing,
        args: &[],
        stdin: "",
        inside: false,
        code: 0,
        check: whole,
        done: |_| true,
        passes: 1,
        settles: true,
        moves: false,
        changes: &[],
        begins: false,
        ends: false,
        is_variant: false,
        mends: false,
    };

    pub(super) fn command(&self, case: &Case<'_>) -> Cmd {
        let repo = case.stage.repo.display().to_string();
        let run = format!("{}-r1", case.id);
        let outbox = case.record()["outbox"].as_object().cloned().unwrap_or_default();
        let key = outbox.keys().next().cloned().unwrap_or_default();
        let args: Vec<&str> = self
            .args
            .iter()
            .map(|word| match *word {
                "REPO" => &*repo,
                "RUN" => &*run,
                "KEY" => &*key,
                word => word,
            })
            .collect();
        let mut command = case.command(&args).stdin(self.stdin.replace("REPO", &repo));
        if self.inside {
            let launch = case.record()["handles"]["launch"].as_str().unwrap_or_default().to_owned();
            command = command.env("AO_SESSION", &case.id).env("AO_LAUNCH", launch);
        }
        command
    }

    /// What [`Self::command`] reads, for one that is started by hand.
    pub(super) fn stdin_file(&self, case: &Case<'_>) -> Stdio {
        let path = case.stage.env.path("stdin");
        fs::write(&path, self.stdin.replace("REPO", &case.stage.repo.display().to_string()))
            .unwrap();
        Stdio::from(fs::File::open(path).unwrap())
    }

    /// Whether a passing is there in every run, rather than as often as something is polled.
    pub(super) fn is_steady(&self, passing: &Passing) -> bool {
        passing.point() != "flock.look" || passing.nth <= 2
    }

    pub(super) fn check(&self, case: &Case<'_>, settled: &Settled, fault: &Fault) {
        (self.check)(case, settled, fault);
    }

    pub(super) fn is_acknowledged(&self, case: &Case<'_>) -> bool {
        (self.done)(case)
    }
}

/// The table.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation { name: "spawn", args: SPAWN, check: spawned_or_gone, ..Operation::PLAIN },
    Operation {
        name: "spawn in tmux",
        args: &["spawn", "--agent", "shell", "--runtime", "tmux", "--id", "ID", AGENT],
        check: spawned_or_gone,
        ..Operation::PLAIN
    },
    Operation {
        name: "spawn for an issue",
        setting: with_tracker,
        args: &[
            "spawn",
            "--agent",
            "shell",
            "--runtime",
            "process",
            "--id",
            "ID",
            "--issue",
            "7",
            AGENT,
        ],
        check: spawned_or_gone,
        ..Operation::PLAIN
    },
    Operation {
        name: "kill",
        prepare: working,
        args: &["kill", "ID"],
        check: ended_or_as_before,
        ..Operation::PLAIN
    },
    Operation {
        name: "kill in tmux",
        prepare: working_in_tmux,
        args: &["kill", "ID"],
        check: ended_or_as_before,
        ..Operation::PLAIN
    },
    Operation {
        name: "cleanup",
        prepare: committed,
        args: &["cleanup", "ID"],
        check: work_is_kept,
        ..Operation::PLAIN
    },
    Operation {
        name: "cleanup that keeps",
        prepare: killed,
        args: &["cleanup", "ID"],
        code: 5,
        check: work_is_kept,
        ..Operation::PLAIN
    },
    Operation {
        name: "cleanup --force",
        prepare: killed,
        args: &["cleanup", "--force", "ID"],
        check: work_is_kept,
        ..Operation::PLAIN
    },
    Operation {
        name: "restore",
        prepare: killed,
        args: &["restore", "ID"],
        check: restored_or_ended,
        ..Operation::PLAIN
    },
    Operation {
        name: "restore what was cleaned up",
        prepare: cleaned_up,
        args: &["restore", "ID"],
        check: restored_or_ended,
        ends: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "send",
        prepare: listening,
        args: &["send", "ID", "hello"],
        check: typed_once_or_told,
        passes: 2,
        ..Operation::PLAIN
    },
    Operation {
        name: "hook",
        prepare: listening,
        args: &["hook", "demo", "user-prompt-submit"],
        stdin: "{\"session_id\":\"talk\"}",
        inside: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "hook that fails and tells",
        prepare: long_hooks_log,
        args: &["hook", "nobody", "stop"],
        inside: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "hook with an answer",
        setting: with_answers,
        prepare: busy_with_a_text,
        args: &["hook", "odd", "stop"],
        stdin: "{}",
        inside: true,
        check: given_in_one_way,
        passes: 2,
        settles: false,
        ..Operation::PLAIN
    },
    Operation {
        name: "report",
        prepare: listening,
        args: &["report", "waiting", "--note", "for lunch"],
        inside: true,
        done: |case| is_logged(case, "for lunch"),
        ..Operation::PLAIN
    },
    Operation {
        name: "reap a text",
        prepare: told_to_fix,
        args: &["reap"],
        check: fixed_once_or_told,
        passes: 2,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap a notice",
        prepare: failed,
        args: &["reap"],
        check: told_under_one_id,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap a notice for the web",
        setting: with_webhook,
        prepare: failed,
        args: &["reap"],
        settles: false,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap a dead spawn",
        prepare: half_spawned,
        args: &["reap"],
        check: gone,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap a dead kill",
        prepare: half_killed,
        args: &["reap"],
        check: ended,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap a dead cleanup",
        prepare: half_cleaned,
        args: &["reap"],
        check: work_is_kept,
        ..Operation::PLAIN
    },
    Operation {
        name: "reap a check",
        setting: with_check,
        prepare: committed_unseen,
        args: &["reap"],
        begins: true,
        passes: 3,
        settles: false,
        ..Operation::PLAIN
    },
    Operation {
        name: "merge",
        prepare: committed,
        args: &["merge", "ID"],
        check: merged_or_not,
        changes: &[".git/index", ".git/refs/heads/main"],
        moves: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "review trigger",
        setting: with_judge,
        prepare: at_rest,
        args: &["review", "trigger", "ID", "--reviewer", "judge"],
        settles: false,
        passes: 2,
        moves: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "review submit",
        setting: with_judge,
        prepare: triggered,
        args: &[
            "review",
            "submit",
            "--run",
            "RUN",
            "--verdict",
            "changes_requested",
            "--body",
            "No.",
        ],
        settles: false,
        passes: 2,
        moves: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "review cancel",
        setting: with_judge,
        prepare: triggered,
        args: &["review", "cancel", "RUN"],
        settles: false,
        passes: 2,
        moves: true,
        ..Operation::PLAIN
    },
    Operation {
        name: "rename",
        prepare: working,
        args: &["rename", "ID", "called so"],
        done: |case| is_logged(case, "called so"),
        ..Operation::PLAIN
    },
    Operation {
        name: "rename with a rotation",
        prepare: long_log,
        args: &["rename", "ID", "longer"],
        done: |case| is_logged(case, "longer"),
        ..Operation::PLAIN
    },
    Operation {
        name: "observe",
        prepare: listening,
        args: &["observe", "activity", "ID"],
        stdin: "{\"confidence\":\"valid\",\"activity\":\"idle\",\"source\":\"hook\",\
                \"boundary\":true,\"agent_session\":\"talk\"}",
        done: |case| is_logged(case, "talk"),
        ..Operation::PLAIN
    },
    Operation {
        name: "outbox retry",
        prepare: told_to_fix,
        args: &["outbox", "retry", "ID"],
        check: fixed_once_or_told,
        passes: 2,
        ..Operation::PLAIN
    },
    Operation {
        name: "init",
        prepare: untouched_repository,
        args: &["init", "--yes"],
        check: |case, _, fault| {
            assert!(!fault.is_done() || case.stage.repo.join(".ao/config.toml").exists());
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "project add",
        args: &["project", "add"],
        check: |case, _, fault| {
            assert!(!fault.is_done() || case.home.join("projects/app.json").exists());
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "project set",
        prepare: registered,
        args: &["project", "set", "app", "--repo", "REPO"],
        ..Operation::PLAIN
    },
    Operation {
        name: "project rm",
        prepare: registered,
        args: &["project", "rm", "app"],
        check: |case, _, fault| {
            assert!(!fault.is_done() || !case.home.join("projects/app.json").exists());
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "trust --revoke",
        prepare: with_repository_configuration,
        args: &["trust", "--revoke"],
        ..Operation::PLAIN
    },
    Operation {
        name: "config set",
        args: &["config", "set", "agent", "shell"],
        ..Operation::PLAIN
    },
    Operation {
        name: "timer install",
        prepare: without_timer,
        args: &["timer", "install"],
        check: |case, _, fault| {
            let table = fs::read_to_string(case.stage.env.path("crontab")).unwrap_or_default();
            assert!(!fault.is_done() || table.contains(&*case.home.to_string_lossy()));
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "timer rm",
        prepare: with_timer,
        args: &["timer", "rm"],
        check: |case, _, fault| {
            let table = fs::read_to_string(case.stage.env.path("crontab")).unwrap_or_default();
            assert!(!fault.is_done() || !table.contains(&*case.home.to_string_lossy()));
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "doctor --repair",
        prepare: damaged,
        args: &["doctor", "--state", "--repair"],
        mends: true,
        ..Operation::PLAIN
    },
];
