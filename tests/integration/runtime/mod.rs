//! The runtimes against a real tmux, each test on a server of its own.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use ao::adapter::clock::{self, Deadline};
use ao::adapter::ids;
use ao::adapter::process;
use ao::adapter::runtime::tmux::{SendOptions, SendOutcome, Tmux};
use ao::adapter::runtime::{
    LaunchSpec, RuntimeError, Started, StdinSource, exit_record, launcher, process_fact,
    process_runtime, start_record,
};
use ao::model::facts::Liveness;
use ao::model::id::{LaunchId, SessionId};

mod probing;
mod sending;
mod server;
mod starting;

/// A home of its own, with its own tmux server, gone at the end.
struct World {
    dir: tempfile::TempDir,
    tmux: Tmux,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("ao-rt-").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(dir.path().join("w")).unwrap();
        let tmux = Tmux::new(dir.path(), &dir.path().join("xdg")).unwrap();
        Self { dir, tmux }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn spec(&self, session: &str, script: &str) -> LaunchSpec {
        let session_dir = self.path().join("sessions").join(session);
        std::fs::create_dir_all(&session_dir).unwrap();
        let launch = ids::launch();
        let path = std::env::var_os("PATH").unwrap();
        LaunchSpec {
            session: session.parse().unwrap(),
            session_dir,
            cwd: self.path().join("w"),
            argv: ["sh", "-c", script].map(OsString::from).to_vec(),
            env: vec![
                ("PATH".into(), path),
                ("AO_LAUNCH".into(), launch.as_str().into()),
                ("AO_SESSION".into(), session.into()),
            ],
            stdin: StdinSource::Terminal,
            size: (80, 24),
            config_directory: "/nonexistent".into(),
            launch,
        }
    }

    fn start(&self, session: &str, script: &str) -> (LaunchSpec, Started) {
        let spec = self.spec(session, script);
        let started = self.tmux.start(&spec).unwrap();
        (spec, started)
    }

    /// Runs tmux by hand on this world's server.
    fn by_hand(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .env_remove("TMUX")
            .arg("-u")
            .arg("-S")
            .arg(self.tmux.socket())
            .args(["-f", "/dev/null"])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn server_pid(&self) -> i32 {
        self.by_hand(&["display-message", "-p", "#{pid}"]).parse().unwrap()
    }

    fn signal_server(&self, signal: &str) {
        signal_pid(self.server_pid(), signal);
    }

    fn pane(&self, spec: &LaunchSpec, started: &Started) -> Liveness {
        Tmux::fact(&self.tmux.probe(), &started.handle, &spec.launch)
    }

    fn screen(&self, spec: &LaunchSpec) -> String {
        let target = (spec.session.clone(), spec.launch.clone());
        self.tmux.capture(&[target], 200, false).unwrap().remove(&spec.session).unwrap_or_default()
    }

    fn wait_for_screen(&self, spec: &LaunchSpec, text: &str) {
        let seen = wait(|| self.screen(spec).contains(text));
        assert!(seen, "no {text:?} in:\n{}", self.screen(spec));
    }

    fn send(&self, spec: &LaunchSpec, text: &str, bracketed: bool) -> SendOutcome {
        let mut proof = |_deadline| false;
        let options = SendOptions { bracketed, ..SendOptions::new(&mut proof) };
        self.tmux.send(&spec.session, &spec.launch, text, options).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join("w").join(name)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(self.tmux.socket())
            .arg("kill-server")
            .stderr(Stdio::null())
            .status();
        // Each launcher still writes down how its agent ended.
        let sessions = std::fs::read_dir(self.path().join("sessions")).into_iter().flatten();
        for session in sessions.flatten() {
            wait(|| !launcher::is_held(&session.path()).unwrap_or(false));
        }
    }
}

fn signal_pid(pid: i32, signal: &str) {
    let signal = match signal {
        "STOP" => Signal::STOP,
        "CONT" => Signal::CONT,
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        "KILL" => Signal::KILL,
        "USR1" => Signal::USR1,
        other => panic!("unknown signal {other}"),
    };
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn wait(mut condition: impl FnMut() -> bool) -> bool {
    clock::poll_until(Deadline::after(Duration::from_secs(10)), || condition().then_some(()))
        .is_some()
}

fn process_liveness(spec: &LaunchSpec) -> Liveness {
    process_fact(&spec.session_dir, &spec.launch).liveness
}

fn wait_for_exit(spec: &LaunchSpec) -> i32 {
    assert!(wait(|| process_liveness(spec) == Liveness::Dead));
    process_fact(&spec.session_dir, &spec.launch).exit_code.unwrap()
}

fn end(spec: &LaunchSpec) {
    process::end_marked(&spec.launch, Duration::from_millis(500)).unwrap();
}
