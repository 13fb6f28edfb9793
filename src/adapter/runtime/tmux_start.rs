//! Starting an agent in a tmux session: create, handshake, and undo where that fails.
//!
//! tmux's exit code says nothing about the agent. Only the launcher's own word does.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::adapter::clock::{Deadline, Pace};
use crate::adapter::process;
use crate::adapter::runtime::tmux::{Tmux, pane_target};
use crate::adapter::runtime::tmux_parse::{
    self as parse, Failure, PANE_FORMAT, Pane, argument, unexpanded,
};
use crate::adapter::runtime::{
    LaunchSpec, RuntimeError, StartRecord, Started, ao_program, launcher, told_of_start,
};
use crate::model::record::{RuntimeHandle, RuntimeKind};
use crate::model::sanitize;

/// How long a launcher may take to say that its agent runs.
const HANDSHAKE: Duration = Duration::from_secs(3);

impl Tmux {
    /// Starts the agent of `spec` in a session of its name and waits until it runs.
    ///
    /// A dead pane of an earlier launch under that name is replaced. Where this fails nothing of
    /// the launch is left, except after [`RuntimeError::Unresponsive`]: then the session may
    /// still appear, and finds nothing to run.
    pub fn start(&self, spec: &LaunchSpec) -> Result<Started, RuntimeError> {
        if launcher::is_held(&spec.session_dir)? {
            return Err(RuntimeError::Occupied { session: spec.session.clone() });
        }
        self.prepare_files()?;
        self.revive_server()?;
        launcher::write_spec(spec)?;
        match self.create(spec).and_then(|pane| self.handshake(spec, pane)) {
            Ok(started) => Ok(started),
            Err(error) => self.undo(spec, error),
        }
    }

    /// Creates the session and returns its pane.
    fn create(&self, spec: &LaunchSpec) -> Result<Option<Pane>, RuntimeError> {
        let mut pane = None;
        let (failure, output) = self.attempt(&self.client(creation(spec)?), |_| {
            pane = self.pane_of(spec)?;
            Ok(pane.is_some())
        })?;
        match failure {
            None => Ok(parse::panes(&output.text())?.pop()),
            Some(_) if pane.is_some() => Ok(pane),
            Some(Failure::Duplicate) => {
                Err(RuntimeError::NameTaken { session: spec.session.clone() })
            }
            Some(failure) => Err(self.failed(failure, "create a session", &output)),
        }
    }

    fn pane_of(&self, spec: &LaunchSpec) -> Result<Option<Pane>, RuntimeError> {
        let mut panes = self.probe()?.panes.into_iter();
        Ok(panes.find(|pane| pane.launch == spec.launch.as_str()))
    }

    /// Waits until the launcher says that the agent runs.
    fn handshake(&self, spec: &LaunchSpec, pane: Option<Pane>) -> Result<Started, RuntimeError> {
        // A launcher that refuses to run leaves a dead pane and no file; tmux is asked for that
        // only where the answer does not come at once.
        const PATIENCE: Duration = Duration::from_millis(200);
        let deadline = Deadline::after(HANDSHAKE);
        let mut look_at_pane = Deadline::after(PATIENCE);
        let pace = Pace::start();
        let started = loop {
            if let Some(answer) = told_of_start(&spec.session_dir, &spec.launch)? {
                break answer.map_err(|why| RuntimeError::StartFailed {
                    session: spec.session.clone(),
                    why: sanitize::line(&why),
                    screen: String::new(),
                })?;
            }
            if deadline.passed() {
                return Err(self.start_failed(spec, "it did not answer within 3 s"));
            }
            if look_at_pane.passed() {
                look_at_pane = Deadline::after(PATIENCE);
                if self.pane_is_dead(spec)
                    && told_of_start(&spec.session_dir, &spec.launch).is_ok_and(|a| a.is_none())
                {
                    return Err(self.start_failed(spec, "its pane ended at once"));
                }
            }
            pace.pause(look_at_pane.remaining().min(deadline.remaining()));
        };
        let pane = match pane {
            Some(pane) => Some(pane),
            None => self.pane_of(spec)?,
        };
        Ok(Started { handle: self.handle(spec, started, pane) })
    }

    fn handle(&self, spec: &LaunchSpec, started: StartRecord, pane: Option<Pane>) -> RuntimeHandle {
        let (pane, server) = pane.map(|pane| (pane.id, pane.server)).unzip();
        RuntimeHandle {
            kind: RuntimeKind::Tmux,
            socket: Some(self.socket.clone()),
            session: Some(spec.session.to_string()),
            pane,
            server,
            pid: Some(started.launcher.pid),
            pid_start: Some(started.launcher.pid_start),
            boot_id: Some(started.launcher.boot_id),
        }
    }

    fn pane_is_dead(&self, spec: &LaunchSpec) -> bool {
        self.probe().is_ok_and(|panes| {
            !panes.panes.iter().any(|pane| pane.launch == spec.launch.as_str() && !pane.dead)
        })
    }

    fn start_failed(&self, spec: &LaunchSpec, why: &str) -> RuntimeError {
        let target = (spec.session.clone(), spec.launch.clone());
        let screen = self.capture(&[target], 50, false).ok();
        RuntimeError::StartFailed {
            session: spec.session.clone(),
            why: why.to_owned(),
            screen: screen.and_then(|screens| screens.into_values().next()).unwrap_or_default(),
        }
    }

    /// After `error`: returns the agent where it runs all the same, and otherwise leaves nothing.
    fn undo(&self, spec: &LaunchSpec, error: RuntimeError) -> Result<Started, RuntimeError> {
        const GRACE: Duration = Duration::from_secs(1);
        // From here on a launcher that comes late has nothing to run. Whatever of this cannot be
        // done, the rest is, and why the start failed is what has to be told.
        let _ = launcher::withdraw_spec(&spec.session_dir, &spec.launch);
        if let Ok(Some(Ok(_))) = told_of_start(&spec.session_dir, &spec.launch) {
            return self.handshake(spec, None);
        }
        let mut error = error;
        if let RuntimeError::StartFailed { why, screen, .. } = &error
            && screen.is_empty()
        {
            error = self.start_failed(spec, why);
        }
        let end = || drop(process::end_marked(&spec.launch, GRACE));
        end();
        if !matches!(error, RuntimeError::Unresponsive { .. }) {
            let _ = self.destroy(&spec.session, &spec.launch);
            // The launcher may have been about to start it.
            end();
        }
        Err(error)
    }
}

/// Returns the commands that create the session and mark its pane.
fn creation(spec: &LaunchSpec) -> Result<Vec<OsString>, RuntimeError> {
    let program = ao_program().map_err(RuntimeError::io("find this program's path"))?;
    let (session, launch) = (&spec.session, spec.launch.as_str());
    let target = pane_target(session);
    let (columns, rows) = (spec.size.0.max(20).to_string(), spec.size.1.max(5).to_string());
    let left_over = "#{&&:#{pane_dead},#{!=:#{@ao_launch},}}";
    let clear = format!("kill-session -t ={session}");
    let mut args: Vec<OsString> = Vec::new();
    let mut push = |words: &[&str]| args.extend(words.iter().map(OsString::from));
    push(&["if-shell", "-F", "-t", &target, left_over, &clear, ";"]);
    push(&["new-session", "-d", "-s", session.as_str(), "-x", &columns, "-y", &rows, "-c"]);
    push(&[&argument(&unexpanded(&spec.cwd.to_string_lossy())), "--"]);
    for path in [program.as_path(), Path::new("launch"), &spec.session_dir] {
        push(&[&argument(&path.to_string_lossy())]);
    }
    push(&[launch, ";", "set-option", "-p", "-t", &target, "@ao_launch", launch]);
    push(&[";", "set-option", "-w", "-t", &target, "remain-on-exit", "on"]);
    push(&[";", "set-option", "-t", &target, "destroy-unattached", "off"]);
    push(&[";", "display-message", "-p", "-t", &target, PANE_FORMAT]);
    Ok(args)
}
