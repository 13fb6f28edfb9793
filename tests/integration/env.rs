//! [`TestEnvironment`]: a machine of its own for one test.
//!
//! Nothing outside its temporary directory is read but the programs in PATH, nothing outside it
//! is changed, and no process that was started in it outlives it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use ao::adapter::clock::{Deadline, poll_until};
use ao::adapter::cmd::Cmd;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::outcome;
pub(crate) use crate::outcome::Outcome;

/// How long a condition may take to come true before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one program may run before the test fails.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// The exit code of the guard that stands in front of tmux.
const GUARD_EXIT: i32 = 97;

/// The variable that every process of an environment carries. `ao` takes `AO_*` away from its
/// children, so it cannot be one of those.
const MARKER: &str = "TEST_ROOT";

/// A home, a user, repositories and programs for one test.
///
/// ```text
/// [ROOT]/home     AO_HOME, with ao's own tmux socket
/// [ROOT]/user     HOME and the XDG directories
/// [ROOT]/repos    what `repo` makes
/// [ROOT]/bin      first in PATH: guards, shims, stand-ins
/// ```
pub(crate) struct TestEnvironment {
    root: tempfile::TempDir,
    variables: RefCell<BTreeMap<OsString, OsString>>,
}

impl TestEnvironment {
    /// Makes an empty environment.
    pub(crate) fn new() -> Self {
        outcome::tell_failures_at_once();
        // Not TMPDIR, which may be long: a socket's path has at most 107 bytes.
        let root = tempfile::Builder::new().prefix("ao-").tempdir_in("/tmp").unwrap();
        let env = Self { root, variables: RefCell::default() };
        for directory in ["home", "user", "run", "tmp", "bin", "repos", "scripts"] {
            fs::create_dir(env.path(directory)).unwrap();
            fs::set_permissions(env.path(directory), fs::Permissions::from_mode(0o700)).unwrap();
        }
        env.set("PATH", env.path_variable(std::env::var_os("PATH").unwrap_or_default()));
        for (name, place) in [
            (MARKER, ""),
            ("AO_HOME", "home"),
            ("HOME", "user"),
            ("XDG_CONFIG_HOME", "user/config"),
            ("XDG_STATE_HOME", "user/state"),
            ("XDG_CACHE_HOME", "user/cache"),
            ("XDG_DATA_HOME", "user/data"),
            ("XDG_RUNTIME_DIR", "run"),
            ("TMPDIR", "tmp"),
        ] {
            env.set(name, env.path(place));
        }
        for (name, value) in [
            ("LANG", "C.UTF-8"),
            ("TERM", "xterm-256color"),
            ("SHELL", "/bin/sh"),
            ("USER", "tester"),
            ("LOGNAME", "tester"),
            ("TZ", "UTC"),
        ] {
            env.set(name, value);
        }
        env.guard_tmux("");
        env.stand_in_schedulers();
        env
    }

    /// Returns `[ROOT]/<place>`; the root itself for an empty place.
    pub(crate) fn path(&self, place: &str) -> PathBuf {
        if place.is_empty() { self.root.path().to_owned() } else { self.root.path().join(place) }
    }

    /// Returns `AO_HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Returns the path of ao's own tmux socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("home/tmux.sock")
    }

    /// Sets a variable for everything that is run from here on.
    pub(crate) fn set(&self, name: &str, value: impl Into<OsString>) {
        self.variables.borrow_mut().insert(name.into(), value.into());
    }

    /// Takes a variable away from everything that is run from here on.
    pub(crate) fn unset(&self, name: &str) {
        self.variables.borrow_mut().remove(&OsString::from(name));
    }

    /// Fixes ao's wall clock (`AO_TIMESTAMP`) at an RFC 3339 time.
    pub(crate) fn at(&self, time: &str) {
        self.set("AO_TIMESTAMP", time);
    }

    /// Fixes ao's randomness (`AO_SEED`).
    pub(crate) fn seed(&self, seed: u64) {
        self.set("AO_SEED", seed.to_string());
    }

    /// Runs `ao` in the user's home.
    pub(crate) fn ao(&self, args: &[&str]) -> Outcome {
        self.ao_in(&self.path("user"), args)
    }

    /// Runs `ao` in `directory`.
    pub(crate) fn ao_in(&self, directory: &Path, args: &[&str]) -> Outcome {
        self.run(&self.ao_command(args).cwd(directory))
    }

    /// Runs `ao` with `bytes` on its standard input.
    pub(crate) fn ao_stdin(&self, args: &[&str], bytes: impl Into<Vec<u8>>) -> Outcome {
        self.run(&self.ao_command(args).stdin(bytes))
    }

    /// Runs `ao` with additional variables.
    pub(crate) fn ao_env(&self, args: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let command = self.ao_command(args);
        self.run(&variables.iter().fold(command, |command, (name, value)| command.env(name, value)))
    }

    /// Runs `ao`, which has to succeed, and returns its answer.
    pub(crate) fn ao_json(&self, args: &[&str]) -> Value {
        self.ao(args).success().json()
    }

    /// Starts `ao` with all its streams piped and leaves it running.
    pub(crate) fn spawn_ao(&self, args: &[&str]) -> Child {
        self.ao_command(args).spawn(Stdio::piped(), Stdio::piped(), Stdio::piped()).unwrap()
    }

    /// Returns the command that runs `ao` here, for what the other methods do not offer.
    pub(crate) fn ao_command(&self, args: &[&str]) -> Cmd {
        self.command(env!("CARGO_BIN_EXE_ao")).args(args)
    }

    /// Returns the command that runs any program here.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Cmd {
        let command = Cmd::new(program).env_clear().cwd(self.path("user")).deadline(RUN_LIMIT);
        let variables = self.variables.borrow();
        variables.iter().fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, command: &Cmd) -> Outcome {
        let output = command.output().unwrap_or_else(|error| panic!("{error}\n{}", self.state()));
        Outcome::new(output, self.root.path())
    }

    /// Makes a repository with one commit on `main` and an identity in its own configuration.
    pub(crate) fn repo(&self, name: &str) -> PathBuf {
        let path = self.path("repos").join(name);
        self.git(&self.path("repos"), &["init", "-q", "-b", "main", "--", name]);
        self.git(&path, &["config", "user.name", "Tester"]);
        self.git(&path, &["config", "user.email", "tester@example.com"]);
        fs::write(path.join("README.md"), "# A repository\n").unwrap();
        self.git(&path, &["add", "README.md"]);
        self.git(&path, &["commit", "-q", "-m", "first"]);
        path
    }

    /// Runs git in `directory`, which has to succeed, and returns its output without the last
    /// line end.
    pub(crate) fn git(&self, directory: &Path, args: &[&str]) -> String {
        let outcome = self.run(&self.git_command(directory, args));
        outcome.success().stdout.trim_end_matches('\n').to_owned()
    }

    /// Returns the tests' git: no configuration but the repository's, pinned dates and identity.
    pub(crate) fn git_command(&self, directory: &Path, args: &[&str]) -> Cmd {
        const DATE: &str = "2026-01-01T00:00:00Z";
        let command = self.command(program_in_path("git").expect("git is installed"));
        [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_AUTHOR_NAME", "Tester"),
            ("GIT_AUTHOR_EMAIL", "tester@example.com"),
            ("GIT_AUTHOR_DATE", DATE),
            ("GIT_COMMITTER_NAME", "Tester"),
            ("GIT_COMMITTER_EMAIL", "tester@example.com"),
            ("GIT_COMMITTER_DATE", DATE),
        ]
        .into_iter()
        .fold(command, |command, (name, value)| command.env(name, value))
        .cwd(directory)
        .args(args)
    }

    /// Runs tmux on ao's own socket; never counted by `calls`.
    pub(crate) fn tmux(&self, args: &[&str]) -> Outcome {
        let tmux = program_in_path("tmux").expect("tmux is installed");
        let command = self.command(tmux).arg("-u").arg("-S").arg(self.socket());
        self.run(&command.args(["-f", "/dev/null"]).args(args))
    }

    /// Asks `ready` until it answers; fails with the state of everything after 20 s.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, ready: impl FnMut() -> Option<T>) -> T {
        match poll_until(Deadline::after(PATIENCE), ready) {
            Some(answer) => answer,
            None => panic!("waited in vain for: {what}\n{}", self.state()),
        }
    }

    /// Waits until a failpoint has stopped the process.
    #[track_caller]
    pub(crate) fn wait_stopped(&self, pid: u32) {
        self.wait_for("the process to stop", || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit(") ").next()?.starts_with('T').then_some(())
        });
    }

    /// Waits until the record of `id` satisfies `wanted`, and returns it.
    #[track_caller]
    pub(crate) fn wait_record(
        &self,
        id: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        self.wait_for(&format!("{id}: {what}"), || self.try_record(id).filter(&wanted))
    }

    /// Returns the record on disk, archived ones included.
    pub(crate) fn record(&self, id: &str) -> Value {
        self.try_record(id).unwrap_or_else(|| panic!("no record of {id}\n{}", self.state()))
    }

    /// Returns the record on disk, `None` where there is none that can be read.
    pub(crate) fn try_record(&self, id: &str) -> Option<Value> {
        let text = fs::read_to_string(self.session_directory(id)?.join("session.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Returns every line of the session's event log, oldest first.
    pub(crate) fn events(&self, id: &str) -> Vec<Value> {
        let directory = self.session_directory(id).unwrap_or_else(|| panic!("no session {id}"));
        ["events.1.jsonl", "events.jsonl"]
            .iter()
            .filter_map(|name| fs::read_to_string(directory.join(name)).ok())
            .flat_map(|text| {
                let lines = text.lines().map(serde_json::from_str).map(Result::unwrap);
                lines.collect::<Vec<Value>>()
            })
            .collect()
    }

    /// Returns where the session's files are, in `sessions` or `archive`.
    pub(crate) fn session_directory(&self, id: &str) -> Option<PathBuf> {
        let places = ["sessions", "archive"].map(|place| self.home().join(place).join(id));
        places.into_iter().find(|place| place.is_dir())
    }

    /// Writes a script for the fake agent and returns its path.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path("scripts").join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Puts programs in front of PATH; a text without `#!` is for `sh`.
    pub(crate) fn shims(&self, programs: &[(&str, &str)]) {
        let aside = self.path("tmp/shims");
        fs::create_dir_all(&aside).unwrap();
        let mut copy = self.command(program_in_path("cp").expect("cp is installed"));
        for (name, text) in programs {
            let text = if text.starts_with("#!") {
                (*text).to_owned()
            } else {
                format!("#!/bin/sh\n{text}")
            };
            fs::write(aside.join(name), text).unwrap();
            fs::set_permissions(aside.join(name), fs::Permissions::from_mode(0o755)).unwrap();
            // A shell may still be reading the old one.
            let _ = fs::remove_file(self.path("bin").join(name));
            copy = copy.arg(aside.join(name));
        }
        // Not written here: a child that another test forks meanwhile would hold the file open
        // for writing, and a program open for writing cannot be run.
        self.run(&copy.arg(self.path("bin"))).success();
    }

    /// Makes programs impossible to find: PATH becomes a directory of links to all the others.
    pub(crate) fn hide(&self, programs: &[&str]) {
        let links = self.path("links");
        fs::create_dir_all(&links).unwrap();
        for name in programs {
            let _ = fs::remove_file(self.path("bin").join(name));
        }
        let mut seen = BTreeSet::new();
        for directory in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let hidden = programs.iter().any(|program| entry.file_name() == *program);
                if !hidden && seen.insert(entry.file_name()) {
                    let _ = std::os::unix::fs::symlink(entry.path(), links.join(entry.file_name()));
                }
            }
        }
        self.set("PATH", self.path_variable(links.into_os_string()));
    }

    /// Counts, from here on, every start of tmux and git that goes through PATH.
    pub(crate) fn counting_path(&self) {
        let calls = self.path("calls");
        let count = |name: &str| format!("printf '{name} %s\\0' \"$*\" >>'{}'\n", calls.display());
        self.guard_tmux(&count("tmux"));
        let git = program_in_path("git").expect("git is installed");
        self.shims(&[("git", &format!("{}exec '{}' \"$@\"\n", count("git"), git.display()))]);
        self.forget_calls();
    }

    /// Returns the command lines counted so far, in the order of their starts.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("calls")).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    /// Starts counting afresh.
    pub(crate) fn forget_calls(&self) {
        fs::write(self.path("calls"), "").unwrap();
    }

    /// Returns the processes of this environment: those that carry its marker or stand in it.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let me = std::process::id();
        let numbers = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        });
        numbers.filter(|pid| *pid != me && self.owns(*pid)).collect()
    }

    /// Returns what a person would look at first: records, last events, screens, processes.
    pub(crate) fn state(&self) -> String {
        let mut text = String::from("--- state ---\n");
        for place in ["sessions", "archive"] {
            for entry in fs::read_dir(self.home().join(place)).into_iter().flatten().flatten() {
                text.push_str(&session_state(&entry.path()));
            }
        }
        let processes = self.processes();
        text.push_str(&format!("processes: {processes:?}\n"));
        // A stopped server would hold up its client; the deadline ends that.
        if let Some(tmux) = program_in_path("tmux").filter(|_| self.socket().exists()) {
            let client = |args: &[&str]| {
                let command = self.command(&tmux).arg("-S").arg(self.socket()).args(args);
                let output = command.deadline(Duration::from_secs(2)).output();
                output.map_or_else(|error| error.to_string(), |output| output.text())
            };
            for pane in client(&["list-panes", "-a", "-F", "#{pane_id}"]).lines() {
                let screen = client(&["capture-pane", "-p", "-t", pane]);
                text.push_str(&format!("screen of {pane}:\n{}\n", screen.trim_end()));
            }
        }
        text
    }

    /// Puts a guard before tmux that runs `first` and refuses every call without a socket.
    fn guard_tmux(&self, first: &str) {
        let Some(tmux) = program_in_path("tmux") else { return };
        let script = format!(
            "{first}for word; do\n\
             \x20 case $word in -S|-S/*|-V) exec '{}' \"$@\";; esac\n\
             done\n\
             echo \"tmux $*\" >>'{}'\n\
             echo 'this would reach the default tmux server' >&2\n\
             exit {GUARD_EXIT}\n",
            tmux.display(),
            self.default_socket_uses().display(),
        );
        self.shims(&[("tmux", &script)]);
    }

    fn default_socket_uses(&self) -> PathBuf {
        self.path("default-socket-uses")
    }

    /// Replaces what would change the real user's schedule or talk to their desktop. The crontab
    /// keeps its text in `[ROOT]/crontab`; the service manager is one that does not run.
    fn stand_in_schedulers(&self) {
        let crontab = format!(
            "table='{}'\n\
             case $1 in\n\
             \x20 -l) [ -f \"$table\" ] || {{ echo 'no crontab for tester' >&2; exit 1; }}\n\
             \x20     exec cat \"$table\";;\n\
             \x20 -r) exec rm -f \"$table\";;\n\
             \x20 -)  exec cat >\"$table\";;\n\
             \x20 *)  exec cat \"$1\" >\"$table\";;\n\
             esac\n",
            self.path("crontab").display()
        );
        let none = "echo 'Failed to connect to bus: No such file or directory' >&2\nexit 1\n";
        self.shims(&[
            ("crontab", &crontab),
            ("systemctl", none),
            ("systemd-run", none),
            ("loginctl", none),
            ("notify-send", none),
        ]);
    }

    fn path_variable(&self, rest: OsString) -> OsString {
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        path.push(rest);
        path
    }

    /// Returns whether a process belongs here: a variable of it begins with the root's path, its
    /// working directory is below it, or it is a tmux server whose socket is. The root's name is
    /// random, so nothing else does.
    fn owns(&self, pid: u32) -> bool {
        let root = self.root.path();
        let in_root = |path: &Path| path.starts_with(root);
        if fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| in_root(&cwd)) {
            return true;
        }
        let is_server = fs::read_to_string(format!("/proc/{pid}/comm"))
            .is_ok_and(|name| name.starts_with("tmux: server"));
        if is_server {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0);
            if words.any(|word| in_root(Path::new(&*String::from_utf8_lossy(word)))) {
                return true;
            }
        }
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        environment.split(|byte| *byte == 0).any(|variable| {
            let variable = String::from_utf8_lossy(variable);
            variable.split_once('=').is_some_and(|(_, value)| in_root(Path::new(value)))
        })
    }

    /// Kills what is left, stopped processes and a stopped tmux server included.
    fn kill_processes(&self) {
        let gone = poll_until(Deadline::after(Duration::from_secs(10)), || {
            let left = self.processes();
            for pid in &left {
                // Between the look and the kill the number could go to another process only
                // after a whole round of all process numbers.
                if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            left.iter().all(|pid| is_zombie(*pid)).then_some(())
        });
        if gone.is_none() && !std::thread::panicking() {
            panic!("processes of a test survived it: {:?}", self.processes());
        }
    }
}

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        self.kill_processes();
        let uses = fs::read_to_string(self.default_socket_uses()).unwrap_or_default();
        if !std::thread::panicking() {
            assert_eq!(uses, "", "the default tmux server was asked for");
        }
    }
}

/// Returns the first program of that name in the test's own PATH.
pub(crate) fn program_in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let is_program = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(is_program)
}

/// Returns a session's record and its last events.
fn session_state(directory: &Path) -> String {
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap_or_default();
    let events = read("events.jsonl");
    let lines: Vec<&str> = events.lines().collect();
    let last = lines[lines.len().saturating_sub(5)..].join("\n  ");
    format!("{}\n{}\n  {last}\n", directory.display(), read("session.json").trim_end())
}

/// Returns whether a process has ended, collected by its parent or not.
fn is_zombie(pid: u32) -> bool {
    let stat = ao::adapter::process::read_stat(pid).ok().flatten();
    stat.is_none_or(ao::adapter::process::Stat::is_zombie)
}

#[test]
fn the_environment_holds_nothing_of_the_users() {
    let env = TestEnvironment::new();
    let outcome = env.run(&env.command("env")).success();
    let names: BTreeSet<_> =
        outcome.stdout.lines().filter_map(|line| line.split_once('=')).map(|(n, _)| n).collect();
    let wanted = "AO_HOME HOME LANG LOGNAME PATH SHELL TERM TEST_ROOT TMPDIR TZ USER \
                  XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME";
    assert_eq!(names, wanted.split(' ').collect());
    assert!(env.socket().as_os_str().len() < 60, "{}", env.socket().display());
}

#[test]
fn a_repository_is_the_same_every_time() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let head = env.git(&repo, &["rev-parse", "main"]);
    assert_eq!(head, "e9eaa8c6c4e457706e3374efd2cf536a811997a9");
    assert_eq!(env.git(&repo, &["status", "--porcelain"]), "");
}

#[test]
fn an_outcome_shows_all_three_and_no_machine() {
    let env = TestEnvironment::new();
    let script = "echo $HOME; echo 2026-01-01T10:00:00.123Z >&2; printf x; exit 3";
    let outcome = env.run(&env.command("sh").args(["-c", script]));
    insta::assert_snapshot!(outcome.filtered(), @r"
    status: 3
    --- stdout ---
    [ROOT]/user
    x[no line end]
    --- stderr ---
    [TIME]
    ");
}

#[test]
fn the_default_tmux_server_is_out_of_reach() {
    let env = TestEnvironment::new();
    let outcome = env.run(&env.command("tmux").arg("list-sessions")).code(GUARD_EXIT);
    assert_eq!(outcome.stderr, "this would reach the default tmux server\n");
    let uses = fs::read_to_string(env.default_socket_uses()).unwrap();
    assert_eq!(uses, "tmux list-sessions\n");
    fs::remove_file(env.default_socket_uses()).unwrap();

    env.run(&env.command("tmux").arg("-V")).success();
    let socket = env.socket();
    let client = env.command("tmux").arg("-S").arg(&socket).args(["list-sessions"]);
    assert!(env.run(&client).code(1).stderr.contains(socket.to_str().unwrap()));
}

#[test]
fn nothing_outlives_an_environment() {
    let env = TestEnvironment::new();
    env.tmux(&["new-session", "-d", "-s", "one", "exec sleep 600"]).success();
    let mut stopped = env.command("sleep").arg("600").spawn_quietly();
    // A process without any variable is told by where it stands.
    let mut bare = env.command("env").args(["-i", "sleep", "600"]).spawn_quietly();
    kill_process(Pid::from_child(&stopped), Signal::STOP).unwrap();
    let other = env.path("other.sock");
    let tmux = program_in_path("tmux").unwrap();
    let start = env.command("env").cwd("/").arg("-i").arg(tmux).arg("-S").arg(other);
    env.run(&start.args(["-f", "/dev/null", "new-session", "-d", "exec sleep 600"])).success();
    let all = env.wait_for("two servers and their panes, two children", || {
        Some(env.processes()).filter(|all| all.len() == 6)
    });
    drop(env);
    assert!(all.iter().all(|pid| is_zombie(*pid)), "{all:?}");
    stopped.wait().unwrap();
    bare.wait().unwrap();
}

#[test]
fn calls_are_counted_and_hidden_programs_are_missing() {
    let env = TestEnvironment::new();
    env.counting_path();
    env.run(&env.command("git").args(["--version"])).success();
    env.run(&env.command("tmux").args(["-S", "/x", "-V"])).success();
    assert_eq!(env.calls(), ["git --version", "tmux -S /x -V"]);
    env.forget_calls();
    assert!(env.calls().is_empty());

    env.hide(&["tmux"]);
    env.run(&env.command("sh").args(["-c", "command -v git && ! command -v tmux"])).success();
    env.shims(&[("tmux", "echo tmux 3.1c")]);
    assert_eq!(env.run(&env.command("tmux").arg("-V")).stdout, "tmux 3.1c\n");
}

trait SpawnQuietly {
    fn spawn_quietly(&self) -> Child;
}

impl SpawnQuietly for Cmd {
    fn spawn_quietly(&self) -> Child {
        self.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap()
    }
}
