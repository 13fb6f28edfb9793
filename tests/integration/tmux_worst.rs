//! tmux at its worst, as a user of `ao` meets it: nobody is declared dead who is not, nothing is
//! typed where it does not belong, and everything is as before when tmux is well again.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use ao::adapter::cmd::exit_code;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use serde_json::Value;

use crate::env::{Outcome, TestEnvironment, program_in_path};

/// An agent that writes down what is typed and shows, by a screen that is empty again, that it
/// has taken it.
const TYPIST: &str =
    ">got; while read -r line; do echo \"$line\" >>got; printf '\\033[2J\\033[H'; done";

/// One that its terminal's end does not end.
const DEAF: &str = "trap '' HUP; while :; do sleep 1; done";

struct Story {
    env: TestEnvironment,
    repo: PathBuf,
}

impl Story {
    fn new() -> Self {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        Self { env, repo }
    }

    fn ao(&self, args: &[&str]) -> Outcome {
        self.env.ao_in(&self.repo, args)
    }

    /// Starts sessions `app-1` to `app-<count>` in tmux and waits until a pass found them well.
    fn spawn(&self, count: usize, script: &str) -> Vec<String> {
        let count = count.to_string();
        let args = ["spawn", "-a", "shell", "--mode", "interactive", "--count", &count, script];
        let ids = self.ao(&args).success().stdout;
        self.ao(&["reap"]).success();
        ids.lines().map(str::to_owned).collect()
    }

    fn session(&self, id: &str) -> Value {
        self.env.record(id)["lifecycle"]["session"].clone()
    }

    fn state(&self, id: &str) -> String {
        self.session(id)["state"].as_str().unwrap().to_owned()
    }

    /// Returns the process number of ao's tmux server.
    fn server(&self) -> Pid {
        let text = self.env.tmux(&["display-message", "-p", "#{pid}"]).success().stdout;
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    fn launcher(&self, id: &str) -> Pid {
        let pid = self.env.record(id)["handles"]["runtime"]["pid"].as_i64().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }

    fn is_running(&self, pid: Pid) -> bool {
        let pid = u32::try_from(pid.as_raw_nonzero().get()).unwrap();
        let stat = ao::adapter::process::read_stat(pid).unwrap();
        stat.is_some_and(|stat| !stat.is_zombie())
    }

    fn wait_gone(&self, pid: Pid) {
        self.env.wait_for("the process to end", || (!self.is_running(pid)).then_some(()));
    }

    /// Returns what was typed into a [`TYPIST`].
    fn typed(&self, id: &str) -> String {
        let workspace = self.env.record(id)["handles"]["workspace"]["path"].clone();
        fs::read_to_string(PathBuf::from(workspace.as_str().unwrap()).join("got")).unwrap()
    }

    /// Returns the names of the sessions on ao's server.
    fn panes(&self) -> Vec<String> {
        let list = self.env.tmux(&["list-sessions", "-F", "#{session_name}"]);
        list.stdout.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_stopped_server_kills_nobody_and_all_is_as_before_when_it_goes_on() {
    let story = Story::new();
    let ids = story.spawn(6, TYPIST);
    let before: Vec<Value> = ids.iter().map(|id| story.session(id)).collect();
    assert!(before.iter().all(|session| session["state"] == "working"), "{before:?}");
    let server = story.server();
    kill_process(server, Signal::STOP).unwrap();
    story.env.set("AO_TMUX_DEADLINE_MS", "200");

    let status = story.ao(&["status"]).success();
    assert!(status.stderr.contains("tmux does not answer"), "{status}");
    assert_eq!(status.stdout.matches("detecting").count(), 6, "{status}");
    story.ao(&["ls"]).success();
    for _ in 0..4 {
        let pass = story.ao(&["reap", "--json"]).success().json();
        assert_eq!(pass["reap"]["probed"], 6, "{pass}");
        for id in &ids {
            let session = story.session(id);
            assert!(["detecting", "stuck"].contains(&&*story.state(id)), "{session}");
            assert_eq!(session["reason"], "probe_failure");
        }
    }
    let sent = story.ao(&["send", &ids[0], "hello"]);
    assert!(!sent.stdout.contains("submitted"), "{sent}");
    assert_eq!(story.typed(&ids[0]), "");
    let output = story.ao(&["output", &ids[0]]).code(1);
    assert!(output.stderr.contains("tmux does not answer"), "{output}");

    kill_process(server, Signal::CONT).unwrap();
    story.env.unset("AO_TMUX_DEADLINE_MS");
    story.ao(&["reap"]).success();
    let after: Vec<Value> = ids.iter().map(|id| story.session(id)).collect();
    assert_eq!(after, before);
    assert!(ids.iter().all(|id| story.env.record(id)["lifecycle"].get("detecting").is_none()));
    assert_eq!(story.server(), server);
}

#[test]
fn a_spawn_that_meets_a_stopped_server_leaves_nothing() {
    let story = Story::new();
    let ids = story.spawn(1, TYPIST);
    let server = story.server();
    kill_process(server, Signal::STOP).unwrap();
    story.env.set("AO_TMUX_DEADLINE_MS", "200");
    let spawn = ["spawn", "-a", "shell", "--mode", "interactive", "touch here; exec cat"];
    let refused = story.ao(&spawn).code(1);
    assert!(refused.stderr.contains("tmux does not answer"), "{refused}");
    assert!(refused.stderr.contains("hint: "), "{refused}");
    assert_eq!(refused.stdout, "");
    // What the server was asked for may still happen.
    kill_process(server, Signal::CONT).unwrap();
    story.env.unset("AO_TMUX_DEADLINE_MS");
    story.env.wait_for("the late session to be gone", || {
        story.ao(&["reap"]).success();
        let only = story.panes() == ids;
        let over = story.state("app-2") == "terminated";
        (only && over && story.env.record("app-2").get("intent").is_none()).then_some(())
    });
    assert!(!story.env.home().join("worktrees/app/app-2").exists());
    assert_eq!(story.env.git(&story.repo, &["branch", "--list", "ao/app-2"]), "");
}

#[test]
fn a_killed_server_ends_its_sessions_and_the_next_spawn_starts_another() {
    let story = Story::new();
    let ids = story.spawn(3, TYPIST);
    let server = story.server();
    kill_process(server, Signal::KILL).unwrap();
    ids.iter().for_each(|id| story.wait_gone(story.launcher(id)));
    story.ao(&["reap"]).success();
    for id in &ids {
        assert_eq!(story.state(id), "terminated", "{}", story.env.record(id));
        assert_eq!(story.ao(&["wait", id]).code(22).stdout, format!("{id} exited\n"));
    }
    let next = story.spawn(1, TYPIST);
    assert_eq!(story.panes(), next);
    assert_ne!(story.server(), server);
    assert_eq!(story.state(&next[0]), "working");
}

#[test]
fn a_server_that_is_lost_while_a_session_is_closed_takes_its_last_screen_nowhere() {
    let tmux = program_in_path("tmux").unwrap();
    for others in [0, 1] {
        let story = Story::new();
        if others > 0 {
            story.spawn(others, TYPIST);
        }
        let id = story.spawn(1, "echo last words; exec sleep 600").remove(0);
        let shows = || story.ao(&["output", &id]).stdout.contains("last words");
        story.env.wait_for("the screen", || shows().then_some(()));
        let (tmux, lost) = (tmux.display(), story.env.path("lost"));
        let shim = format!(
            "case $* in *list-panes*kill-session*) if mkdir {} 2>/dev/null; then\n\
             '{tmux}' \"$@\"; echo 'server exited unexpectedly' >&2; exit 1; fi;; esac\n\
             exec '{tmux}' \"$@\"\n",
            lost.display()
        );
        story.env.shims(&[("tmux", &shim)]);
        story.ao(&["kill", &id]).success();
        assert!(lost.exists());
        assert_eq!(story.ao(&["output", &id]).success().stdout, "last words\n");
    }
}

#[test]
fn a_deleted_socket_ends_nobody_and_starts_no_second_server() {
    let story = Story::new();
    let ids = story.spawn(2, TYPIST);
    let server = story.server();
    fs::remove_file(story.env.socket()).unwrap();
    let status = story.ao(&["status"]).success();
    assert_eq!(status.stdout.matches("working").count(), 2, "{status}");
    fs::remove_file(story.env.socket()).unwrap();
    let more = story.spawn(1, TYPIST);
    assert_eq!(story.panes(), [ids, more].concat());
    assert_eq!(story.server(), server);
}

#[test]
fn a_second_server_in_its_place_is_never_typed_into_nor_ended() {
    let story = Story::new();
    let ids = story.spawn(1, TYPIST);
    let id = &*ids[0];
    let launcher = story.launcher(id);
    fs::remove_file(story.env.socket()).unwrap();
    let stranger = format!("cd '{}' && exec cat >stranger", story.env.path("user").display());
    story.env.tmux(&["new-session", "-d", "-s", id, &stranger]).success();
    let server = story.server();

    story.ao(&["reap"]).success();
    assert_eq!(story.session(id)["reason"], "runtime_lost");
    assert_eq!(story.state(id), "detecting");
    let sent = story.ao(&["send", "--now", id, "secret"]);
    assert!(!sent.stdout.contains("submitted"), "{sent}");
    let interrupted = story.ao(&["interrupt", id]).code(4);
    assert!(interrupted.stderr.contains(id), "{interrupted}");
    story.ao(&["kill", id]).success();
    assert!(!story.is_running(launcher));
    assert_eq!(story.server(), server);
    assert_eq!(story.panes(), ids);
    assert_eq!(fs::read_to_string(story.env.path("user/stranger")).unwrap(), "");
}

#[test]
fn a_session_renamed_by_hand_is_alive_and_is_not_typed_into() {
    let story = Story::new();
    let ids = story.spawn(1, TYPIST);
    let id = &*ids[0];
    story.env.tmux(&["rename-session", "-t", &format!("={id}"), "mine"]).success();
    story.ao(&["reap"]).success();
    assert_eq!(story.state(id), "working");
    let sent = story.ao(&["send", id, "hello"]).code(1);
    assert!(sent.stderr.contains(id), "{sent}");
    assert_eq!(story.typed(id), "");
    story.ao(&["kill", id]).success();
    assert_eq!(story.panes(), Vec::<String>::new());
}

#[test]
fn a_name_that_is_the_beginning_of_another_is_not_mistaken_for_it() {
    let story = Story::new();
    for id in ["ao-1", "ao-12"] {
        story.ao(&["spawn", "-a", "shell", "--mode", "interactive", "--id", id, TYPIST]).success();
    }
    story.ao(&["reap"]).success();
    assert_eq!(story.ao(&["send", "ao-1", "for one"]).success().stdout, "ao-1 submitted\n");
    assert_eq!(story.typed("ao-1"), "for one\n");

    // tmux would take `ao-1` for the beginning of `ao-12` from here on.
    story.env.tmux(&["kill-session", "-t", "=ao-1"]).success();
    let sent = story.ao(&["send", "ao-1", "for nobody"]);
    assert_ne!(sent.status, 0, "{sent}");
    story.ao(&["interrupt", "ao-1"]).code(4);
    story.ao(&["kill", "ao-1"]).success();
    story.ao(&["cleanup", "--force", "ao-1"]).success();
    let output = story.ao(&["output", "ao-1"]);
    assert!(!output.stdout.contains("for nobody"), "{output}");

    story.ao(&["reap"]).success();
    assert_eq!(story.state("ao-12"), "working");
    assert_eq!(story.typed("ao-12"), "");
    assert_eq!(story.panes(), ["ao-12"]);
    let shown = story.ao(&["show", "ao-1"]).success();
    assert!(shown.stdout.starts_with("status: ") && shown.stdout.contains("(archived)"), "{shown}");
}

#[test]
fn a_dead_pane_is_not_typed_into_and_takes_no_server_with_it() {
    let story = Story::new();
    let ids = story.spawn(2, TYPIST);
    let (dead, other) = (&*ids[0], &*ids[1]);
    let server = story.server();
    let launcher = story.launcher(dead);
    // No exit record: that the pane is dead is all there is to see.
    kill_process(launcher, Signal::KILL).unwrap();
    story.wait_gone(launcher);
    let sent = story.ao(&["send", dead, "hello"]);
    assert_ne!(sent.status, 0, "{sent}");
    assert!(!sent.stdout.contains("submitted"), "{sent}");
    assert_eq!(story.server(), server);
    story.ao(&["reap"]).success();
    assert_eq!(story.state(dead), "terminated");
    assert_eq!(story.state(other), "working");
}

#[test]
fn an_agent_that_outlives_its_server_is_seen_and_ended_by_kill_alone() {
    let story = Story::new();
    let ids = story.spawn(1, DEAF);
    let id = &*ids[0];
    let launcher = story.launcher(id);
    kill_process(story.server(), Signal::KILL).unwrap();
    for _ in 0..4 {
        story.ao(&["reap"]).success();
        let session = story.session(id);
        assert!(["detecting", "stuck"].contains(&&*story.state(id)), "{session}");
        assert_eq!(session["reason"], "runtime_lost");
    }
    assert!(story.is_running(launcher));
    let refused = story.ao(&["cleanup", id]).code(4);
    assert!(refused.stderr.contains(id), "{refused}");
    story.ao(&["kill", id]).success();
    assert!(!story.is_running(launcher));
    assert_eq!(story.ao(&["show", id]).success().stdout.lines().next(), Some("status: killed"));
    let left = story.env.processes();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn many_deaths_at_once_that_nobody_confirms_are_not_believed() {
    let story = Story::new();
    let ids = story.spawn(6, TYPIST);
    let server = story.server();
    for id in &ids {
        let launcher = story.launcher(id);
        kill_process(launcher, Signal::KILL).unwrap();
        story.wait_gone(launcher);
        for file in ["exit.json", "started.json"] {
            let _ = fs::remove_file(story.env.home().join("sessions").join(id).join(file));
        }
    }
    kill_process(server, Signal::KILL).unwrap();
    let pass = story.ao(&["reap", "--json"]).success().json();
    assert_eq!(pass["reap"]["storm"], true, "{pass}");
    for id in &ids {
        assert_eq!(story.session(id)["reason"], "probe_failure");
        assert_eq!(story.state(id), "detecting");
    }
}

#[test]
fn inside_a_tmux_of_the_users_own_that_one_is_left_alone() {
    let story = Story::new();
    let socket = story.env.path("mine.sock");
    let tmux = program_in_path("tmux").unwrap();
    let mine = |args: &[&str]| {
        let client = story.env.command(&tmux).arg("-S").arg(&socket).args(["-f", "/dev/null"]);
        story.env.run(&client.args(args)).success().stdout
    };
    mine(&["new-session", "-d", "-s", "app-1", "exec cat"]);
    let pane = mine(&["display-message", "-p", "-t", "=app-1:", "#{pane_id}"]);
    let format = "#{pid} #{session_name} #{window_name} #{pane_id} #{pane_pid}";
    let seen = |screen: &str| {
        let options = mine(&["show-options", "-g"]) + &mine(&["show-environment", "-g"]);
        (
            mine(&["list-panes", "-a", "-F", format]),
            options,
            mine(&["capture-pane", "-p", "-t", screen]),
        )
    };
    let before = seen(pane.trim());
    story.env.set("TMUX", format!("{},1,0", socket.display()));
    story.env.set("TMUX_PANE", pane.trim());

    let ids = story.spawn(1, &format!("env >seen; {TYPIST}"));
    assert_eq!(ids, ["app-1"]);
    assert_eq!(story.ao(&["send", "app-1", "hello"]).success().stdout, "app-1 submitted\n");
    assert_eq!(story.typed("app-1"), "hello\n");
    let seen_by_agent = story.ao(&["exec", "app-1", "--", "cat", "seen"]).success().stdout;
    assert!(!seen_by_agent.contains("mine.sock"), "{seen_by_agent}");
    story.ao(&["status"]).success();
    story.ao(&["kill", "app-1"]).success();
    story.ao(&["cleanup", "--force", "app-1"]).success();
    assert_eq!(seen(pane.trim()), before);
}

#[test]
fn an_attach_that_fails_or_dies_leaves_the_agent_as_it_is() {
    let story = Story::new();
    let id = story.spawn(1, TYPIST).remove(0);
    let attach = |fault: &str| {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let person = openpt(flags).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let terminal = Stdio::from(ioctl_tiocgptpeer(&person, flags).unwrap());
        let fault = format!("cmd.exec:tmux={fault}");
        let command = story.env.ao_command(&["attach", &id]).env("AO_FAILPOINT", fault);
        let child = command.spawn(terminal, Stdio::piped(), Stdio::piped()).unwrap();
        let output = child.wait_with_output().unwrap();
        (exit_code(output.status), String::from_utf8(output.stderr).unwrap())
    };
    for (fault, code, said) in [
        ("kill", 137, ""),
        ("error:5", 1, "Input/output error"),
        ("error:13", 1, "Permission denied"),
    ] {
        let (status, stderr) = attach(fault);
        assert_eq!(status, code, "{fault}: {stderr}");
        assert!(stderr.contains(said), "{fault}: {stderr}");
        assert!(stderr.contains("`tmux`") || code == 137, "{fault}: {stderr}");
        story.ao(&["reap"]).success();
        assert_eq!(story.state(&id), "working", "{fault}");
    }
    story.ao(&["send", &id, "hello"]).success();
}
