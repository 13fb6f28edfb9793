//! tmux: a server of our own, one session for each of ours, the launcher as its pane's command.
//!
//! The user's own server is never spoken to, and ours is never killed. Whoever acts on a pane
//! first has the server compare its launch, in the same list of commands. A client that did not
//! end in time says nothing: what it asked for may still happen.
#![expect(clippy::disallowed_methods, reason = "takes tmux's few variables from the environment")]

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::adapter::clock::{self, Deadline};
use crate::adapter::cmd::{Cmd, CmdError, Output};
use crate::adapter::fs::{self, Durability};
use crate::adapter::ids;
use crate::adapter::process;
use crate::adapter::runtime::launcher;
use crate::adapter::runtime::tmux_parse::{
    self as parse, Failure, OLDEST, PANE_FORMAT, Pane, argument, quoted, unexpanded,
};
use crate::adapter::runtime::{
    LaunchSpec, RuntimeError, StartRecord, Started, ao_program, exit_record, start_record,
};
use crate::model::facts::Liveness;
use crate::model::id::{LaunchId, SessionId};
use crate::model::record::{RuntimeHandle, RuntimeKind};
use crate::model::sanitize;

pub use crate::adapter::runtime::tmux_parse::Panes;
pub use crate::adapter::runtime::tmux_send::{SendOptions, SendOutcome};

/// How long a launcher may take to say that its agent runs.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// `sockaddr_un` holds 107 bytes; the rest is left for tmux's own lock file beside it.
const LONGEST_SOCKET: usize = 100;
/// tmux refuses 16 KiB of arguments; a batch of commands stays well below.
const BATCH_BYTES: usize = 12 * 1024;

/// The tmux server of one home.
#[derive(Clone, Debug)]
pub struct Tmux {
    home: PathBuf,
    socket: PathBuf,
    user_conf: PathBuf,
    /// How long each client may take, 5 s by default.
    pub deadline: Duration,
}

impl Tmux {
    /// Returns the server of `home`; starts and writes nothing.
    ///
    /// `xdg_config_ao` is the directory of the user's own `tmux.conf` for it.
    pub fn new(home: &Path, xdg_config_ao: &Path) -> Result<Self, RuntimeError> {
        let socket = socket_path(home);
        let tmux = Self {
            home: home.to_owned(),
            user_conf: xdg_config_ao.join("tmux.conf"),
            socket,
            deadline: Duration::from_secs(5),
        };
        tmux.check_socket()?;
        Ok(tmux)
    }

    /// Returns the absolute path of the server's socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the version of the tmux that is installed, where it is new enough.
    pub fn version() -> Result<(u32, u32), RuntimeError> {
        let text = Cmd::new("tmux").arg("-V").read().map_err(missing_or_cmd)?.text();
        let needed = "3.2";
        match parse::version(&text) {
            Some(version) if version < OLDEST => Err(RuntimeError::TooOld {
                found: text.trim_start_matches("tmux ").to_owned(),
                needed,
            }),
            Some(version) => Ok(version),
            None if text.starts_with("tmux ") => Ok(OLDEST),
            None => Err(RuntimeError::Unreadable { line: text }),
        }
    }

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
        let result = self.create(spec).and_then(|pane| self.handshake(spec, pane));
        match result {
            Ok(started) => Ok(started),
            Err(error) => self.undo(spec, error),
        }
    }

    /// Asks once for all panes of the server.
    pub fn probe(&self) -> Result<Panes, RuntimeError> {
        let ask = || self.run(self.client(["list-panes", "-a", "-F", PANE_FORMAT]), "list panes");
        let answer = match ask() {
            Err(RuntimeError::ServerAbsent { .. }) if self.revive_server()? => ask(),
            answer => answer,
        };
        match answer {
            Ok(output) => Ok(Panes { absent: false, panes: parse::panes(&output.text())? }),
            Err(RuntimeError::ServerAbsent { .. }) => Ok(Panes { absent: true, panes: Vec::new() }),
            Err(error) => Err(error),
        }
    }

    /// Returns what `panes` says of the pane of `launch`.
    pub fn fact(
        panes: &Result<Panes, RuntimeError>,
        handle: &RuntimeHandle,
        launch: &LaunchId,
    ) -> Liveness {
        let Ok(panes) = panes else { return Liveness::Failed };
        let ours = panes.panes.iter().find(|pane| pane.launch == launch.as_str());
        if let Some(pane) = ours {
            return pane_liveness(pane, handle);
        }
        let other_server = |pane: &Pane| handle.server.as_ref().is_some_and(|s| *s != pane.server);
        let same_name = |pane: &Pane| handle.session.as_ref() == Some(&pane.session);
        if panes.panes.iter().any(|pane| same_name(pane) || other_server(pane)) {
            Liveness::Indeterminate
        } else {
            Liveness::Dead
        }
    }

    /// Returns whether a session of that name exists, whoever made it.
    pub fn has(&self, session: &SessionId) -> Result<bool, RuntimeError> {
        let target = format!("={session}");
        match self.run(self.client(["has-session", "-t", &target]), "look for a session") {
            Ok(_) => Ok(true),
            Err(RuntimeError::ServerAbsent { .. } | RuntimeError::NoSuchTarget { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Interrupts what the agent is doing with the given keys ("Escape", "C-c").
    pub fn interrupt(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        keys: &[String],
    ) -> Result<(), RuntimeError> {
        self.keys(session, launch, keys)
    }

    /// Presses keys, by tmux's names for them, in the live pane of `launch`.
    pub fn keys(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        keys: &[String],
    ) -> Result<(), RuntimeError> {
        if let Some(bad) = keys.iter().find(|key| !is_key_name(key)) {
            return Err(RuntimeError::InvalidKey(bad.clone()));
        }
        let target = pane_target(session);
        let words = keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(" ");
        let press = format!("copy-mode -q -t {target} ; send-keys -t {target} -- {words}");
        self.guarded(session, launch, &press).map(drop)
    }

    /// Returns the last `lines` lines of each pane, of all in one go; dead panes included.
    ///
    /// A session whose pane is not that of the given launch is left out. Without `raw` no control
    /// sequence is left in the text; with it colours are.
    pub fn capture(
        &self,
        targets: &[(SessionId, LaunchId)],
        lines: u32,
        raw: bool,
    ) -> Result<BTreeMap<SessionId, String>, RuntimeError> {
        let marker = ids::hex(8);
        let mut screens = BTreeMap::new();
        for batch in self.capture_batches(targets, lines, raw, &marker) {
            let printed = match self.run(self.client(batch), "capture panes") {
                Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
                Err(RuntimeError::ServerAbsent { .. }) => return Ok(screens),
                Err(error) => return Err(error),
            };
            for part in printed.split(&format!("{marker} ")).skip(1) {
                let (name, screen) = part.split_once('\n').unwrap_or((part, ""));
                if let Some((session, _)) = targets.iter().find(|(id, _)| id.as_str() == name) {
                    screens.insert(session.clone(), last_lines(screen, lines, raw));
                }
            }
        }
        Ok(screens)
    }

    /// Returns the command with which a person looks at the session, from inside another tmux too.
    pub fn attach_command(&self, session: &SessionId, read_only: bool) -> Cmd {
        let mut args = vec!["attach-session".to_owned(), "-t".into(), format!("={session}")];
        if read_only {
            args.push("-r".into());
        }
        Cmd::new("tmux").arg("-u").arg("-S").arg(&self.socket).args(args)
    }

    /// Closes the session (or, where it was moved elsewhere, the pane) of `launch`.
    ///
    /// Its processes are not ended by this. A session that is gone is a success.
    pub fn destroy(&self, session: &SessionId, launch: &LaunchId) -> Result<(), RuntimeError> {
        for pane in self.probe()?.panes.iter().filter(|pane| pane.launch == launch.as_str()) {
            let condition = condition(launch, false);
            let close = if pane.session == session.as_str() {
                format!("kill-session -t ={session}")
            } else {
                format!("kill-pane -t {}", pane.id)
            };
            let args = ["if-shell", "-F", "-t", &pane.id, &condition, &close];
            match self.run(self.client(args), "close a session") {
                Ok(_)
                | Err(RuntimeError::ServerAbsent { .. } | RuntimeError::NoSuchTarget { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Runs `commands` where the session's active pane is the live pane of `launch`, checked by
    /// the server in the same instant, and returns what they printed.
    pub(crate) fn guarded(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        commands: &str,
    ) -> Result<String, RuntimeError> {
        self.guarded_after(Vec::new(), Vec::new(), session, launch, commands)
    }

    /// As `guarded`, with commands before the check and bytes on standard input.
    pub(crate) fn guarded_after(
        &self,
        first: Vec<String>,
        stdin: Vec<u8>,
        session: &SessionId,
        launch: &LaunchId,
        commands: &str,
    ) -> Result<String, RuntimeError> {
        const REFUSED: &str = "ao: refused ";
        let target = pane_target(session);
        let refusal =
            format!("display-message -p -t {target} \"{REFUSED}#{{pane_dead}} #{{@ao_launch}}\"");
        let condition = condition(launch, true);
        let mut args = first;
        if !args.is_empty() {
            args.push(";".into());
        }
        args.extend(["if-shell", "-F", "-t", &target, &condition, commands].map(String::from));
        args.push(refusal);
        let client = self.client(args).stdin(stdin);
        let output = match self.run(client, "act on a pane") {
            Err(RuntimeError::NoSuchTarget { .. }) => {
                let session = session.clone();
                return Err(RuntimeError::NotThisLaunch { session, why: "it is gone" });
            }
            other => other?,
        };
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        match printed.strip_prefix(REFUSED) {
            None => Ok(printed),
            Some(rest) => {
                let why = match rest.trim_end_matches('\n').split_once(' ') {
                    Some(("1", id)) if id == launch.as_str() => "it has ended",
                    Some(("", _)) | None => "it is gone",
                    Some(_) => "another pane is in its place",
                };
                Err(RuntimeError::NotThisLaunch { session: session.clone(), why })
            }
        }
    }

    /// Returns a client with `args`, in an environment of its own: whoever starts the server
    /// gives it theirs for good.
    pub(crate) fn client<A: Into<std::ffi::OsString>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Cmd {
        const KEPT: [&str; 7] = ["HOME", "PATH", "USER", "LOGNAME", "SHELL", "TERM", "TZ"];
        let mut client = Cmd::new("tmux").env_clear().env("LC_ALL", "C.UTF-8").cwd("/");
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                client = client.env(name, value);
            }
        }
        client
            .deadline(self.deadline)
            // Without `-u`, tmux prints what is not ASCII as `_`.
            .arg("-u")
            .arg("-S")
            .arg(&self.socket)
            .arg("-f")
            .arg(self.conf())
            .args(args)
    }

    /// Runs a client and tells its failures apart; one that met a server that was just ending is
    /// run again.
    pub(crate) fn run(&self, client: Cmd, doing: &'static str) -> Result<Output, RuntimeError> {
        const ATTEMPTS: u32 = 3;
        const BETWEEN: Duration = Duration::from_millis(100);
        let mut attempt = 1;
        loop {
            let output = client.output().map_err(|error| self.client_error(error))?;
            if output.success() {
                return Ok(output);
            }
            let failure = parse::classify(&output.stderr);
            if failure != Failure::Transient || attempt == ATTEMPTS {
                return Err(self.failed(failure, doing, &output));
            }
            attempt += 1;
            clock::pause(BETWEEN);
        }
    }

    fn failed(&self, failure: Failure, doing: &'static str, output: &Output) -> RuntimeError {
        let stderr = sanitize::line(output.last_error());
        match failure {
            Failure::Absent { .. } => RuntimeError::ServerAbsent { socket: self.socket.clone() },
            Failure::Missing => RuntimeError::NoSuchTarget { doing },
            Failure::Transient | Failure::Duplicate | Failure::Other => {
                RuntimeError::Tmux { doing, stderr }
            }
        }
    }

    fn client_error(&self, error: CmdError) -> RuntimeError {
        if matches!(error, CmdError::TimedOut { .. }) {
            RuntimeError::Unresponsive { socket: self.socket.clone() }
        } else {
            missing_or_cmd(error)
        }
    }

    fn conf(&self) -> PathBuf {
        self.home.join("tmux.conf")
    }

    fn prepare_files(&self) -> Result<(), RuntimeError> {
        if let Some(directory) = self.socket.parent() {
            fs::create_private_directories(directory)?;
        }
        self.check_socket()?;
        let conf = configuration(&self.user_conf);
        if fs::read_optional(&self.conf())?.as_deref() != Some(conf.as_bytes()) {
            fs::replace(&self.conf(), conf.as_bytes(), Durability::Process)?;
        }
        Ok(())
    }

    /// Checks that nobody else can have put the socket, or its directory, where they are.
    fn check_socket(&self) -> Result<(), RuntimeError> {
        let me = rustix::process::geteuid().as_raw();
        let refuse = |path: &Path, why: &str| {
            Err(RuntimeError::SocketPath { path: path.to_owned(), why: why.to_owned() })
        };
        let directory = self.socket.parent().unwrap_or(Path::new("/"));
        if let Some(found) = fs::metadata(directory)? {
            if !found.is_dir() {
                return refuse(directory, "its directory is a link or a file");
            }
            if found.uid() != me {
                return refuse(directory, "its directory belongs to somebody else");
            }
            if found.mode() & 0o022 != 0 {
                return refuse(directory, "its directory can be written by others");
            }
        }
        match fs::metadata(&self.socket)? {
            Some(found) if !found.file_type().is_socket() => {
                refuse(&self.socket, "it is not a socket")
            }
            Some(found) if found.uid() != me => refuse(&self.socket, "it belongs to somebody else"),
            Some(_) | None => Ok(()),
        }
    }

    /// Creates the session and returns its pane.
    fn create(&self, spec: &LaunchSpec) -> Result<Option<Pane>, RuntimeError> {
        let client = self.client(creation(spec)?);
        let output = client.output().map_err(|error| self.client_error(error))?;
        if output.success() {
            return Ok(parse::panes(&output.text())?.pop());
        }
        let failure = parse::classify(&output.stderr);
        if failure == Failure::Duplicate {
            return Err(RuntimeError::NameTaken { session: spec.session.clone() });
        }
        Err(self.failed(failure, "create a session", &output))
    }

    /// Waits until the launcher says that the agent runs.
    fn handshake(&self, spec: &LaunchSpec, pane: Option<Pane>) -> Result<Started, RuntimeError> {
        // A launcher that refuses to run leaves a dead pane and no file; tmux is asked for that
        // only where the answer does not come at once.
        const PATIENCE: Duration = Duration::from_millis(200);
        let deadline = Deadline::after(HANDSHAKE);
        let mut look_at_pane = Deadline::after(PATIENCE);
        let started = clock::poll_until(deadline, || {
            match started_or_ended(spec) {
                Ok(Some(answer)) => return Some(answer),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            if look_at_pane.passed() {
                look_at_pane = Deadline::after(PATIENCE);
                if self.pane_is_dead(spec) && started_or_ended(spec).is_ok_and(|a| a.is_none()) {
                    return Some(Err(self.start_failed(spec, "its pane ended at once")));
                }
            }
            None
        });
        let started = started
            .unwrap_or_else(|| Err(self.start_failed(spec, "it did not answer within 3 s")))?;
        let pane = match pane {
            Some(pane) => Some(pane),
            None => {
                let mut panes = self.probe()?.panes.into_iter();
                panes.find(|pane| pane.launch == spec.launch.as_str())
            }
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
        // From here on a launcher that comes late has nothing to run.
        launcher::withdraw_spec(&spec.session_dir, &spec.launch)?;
        if let Ok(Some(Ok(_))) = started_or_ended(spec) {
            return self.handshake(spec, None);
        }
        let mut error = error;
        if let RuntimeError::StartFailed { why, screen, .. } = &error
            && screen.is_empty()
        {
            error = self.start_failed(spec, why);
        }
        process::end_marked(&spec.launch, GRACE).map_err(RuntimeError::io("end the agent"))?;
        if !matches!(error, RuntimeError::Unresponsive { .. }) {
            self.destroy(&spec.session, &spec.launch)?;
        }
        Err(error)
    }

    /// Where the socket's file is gone but its server lives, has the server make it again.
    ///
    /// Another server would otherwise be started beside it, with the same sessions. Returns
    /// whether the socket is there again.
    fn revive_server(&self) -> Result<bool, RuntimeError> {
        const PATIENCE: Duration = Duration::from_secs(1);
        if fs::metadata(&self.socket)?.is_some() {
            return Ok(false);
        }
        let Some(server) = process::tmux_server_on(&self.socket)
            .map_err(RuntimeError::io("look for a tmux server"))?
        else {
            return Ok(false);
        };
        if let Some(directory) = self.socket.parent() {
            fs::create_private_directories(directory)?;
        }
        process::send_signal(&server, Signal::USR1)
            .map_err(RuntimeError::io("wake the tmux server"))?;
        let exists = || matches!(fs::metadata(&self.socket), Ok(Some(_))).then_some(());
        Ok(clock::poll_until(Deadline::after(PATIENCE), exists).is_some())
    }

    fn capture_batches(
        &self,
        targets: &[(SessionId, LaunchId)],
        lines: u32,
        raw: bool,
        marker: &str,
    ) -> Vec<Vec<String>> {
        let flags = if raw { "-e -p" } else { "-p -J" };
        let mut batches: Vec<Vec<String>> = Vec::new();
        let mut bytes = BATCH_BYTES;
        for (session, launch) in targets {
            let target = pane_target(session);
            let show = format!(
                "display-message -p \"{marker} {session}\" ; capture-pane {flags} -S -{lines} -t {target}"
            );
            let condition = condition(launch, false);
            let command = ["if-shell", "-F", "-t", &target, &condition, &show].map(String::from);
            let length: usize = command.iter().map(|word| word.len() + 1).sum();
            if bytes + length > BATCH_BYTES {
                batches.push(Vec::new());
                bytes = 0;
            }
            let batch = batches.last_mut().expect("one was just pushed");
            if !batch.is_empty() {
                batch.push(";".into());
            }
            batch.extend(command);
            bytes += length + 2;
        }
        batches
    }
}

fn missing_or_cmd(error: CmdError) -> RuntimeError {
    if matches!(error, CmdError::Missing { .. }) {
        RuntimeError::Missing
    } else {
        RuntimeError::Cmd(error)
    }
}

fn pane_liveness(pane: &Pane, handle: &RuntimeHandle) -> Liveness {
    let same_server = handle.server.as_ref().is_none_or(|server| *server == pane.server);
    // A respawned pane keeps its options, but not its process.
    let same_process = handle.pid.is_none_or(|pid| pid == pane.pid);
    match (same_server && same_process, pane.dead) {
        (false, _) => Liveness::Indeterminate,
        (true, true) => Liveness::Dead,
        (true, false) => Liveness::Alive,
    }
}

/// Returns the target of the session's active pane; `=name` alone is no pane for tmux.
pub(crate) fn pane_target(session: &SessionId) -> String {
    format!("={session}:")
}

/// Returns the format that is true for the pane of `launch`.
///
/// A launch id is 128 random bits that only this server was told, so it stands for the server's
/// identity as well.
fn condition(launch: &LaunchId, alive: bool) -> String {
    let same = format!("#{{==:#{{@ao_launch}},{launch}}}");
    if alive { format!("#{{&&:{same},#{{!=:#{{pane_dead}},1}}}}") } else { same }
}

/// Returns the commands that create the session and mark its pane.
fn creation(spec: &LaunchSpec) -> Result<Vec<std::ffi::OsString>, RuntimeError> {
    let program = ao_program().map_err(RuntimeError::io("find this program's path"))?;
    let (session, launch) = (&spec.session, spec.launch.as_str());
    let target = pane_target(session);
    let (columns, rows) = (spec.size.0.max(20).to_string(), spec.size.1.max(5).to_string());
    let left_over = "#{&&:#{pane_dead},#{!=:#{@ao_launch},}}";
    let clear = format!("kill-session -t ={session}");
    let mut args: Vec<std::ffi::OsString> = Vec::new();
    let mut push = |words: &[&str]| args.extend(words.iter().map(std::ffi::OsString::from));
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

/// Returns `started.json` of the launch, or why it will never be written; `None` while neither
/// is known.
fn started_or_ended(
    spec: &LaunchSpec,
) -> Result<Option<Result<StartRecord, RuntimeError>>, RuntimeError> {
    if let Some(started) = start_record(&spec.session_dir, &spec.launch)? {
        return Ok(Some(Ok(started)));
    }
    let Some(exit) = exit_record(&spec.session_dir, &spec.launch)? else { return Ok(None) };
    Ok(Some(Err(RuntimeError::StartFailed {
        session: spec.session.clone(),
        why: sanitize::line(&exit.failure.unwrap_or_else(|| "it ended at once".into())),
        screen: String::new(),
    })))
}

/// Returns where the socket of `home` is: in it, or, where that is too long a path for a socket,
/// in a directory of the user's under `/tmp`.
///
/// The path is a function of the home and the user alone: a job of cron's must find the server
/// that a person's shell started, and it has no `XDG_RUNTIME_DIR`.
fn socket_path(home: &Path) -> PathBuf {
    let socket = home.join("tmux.sock");
    if socket.as_os_str().len() <= LONGEST_SOCKET {
        return socket;
    }
    let digest = Sha256::digest(home.as_os_str().as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let user = rustix::process::geteuid().as_raw();
    PathBuf::from(format!("/tmp/ao-{user}-{hash}/tmux.sock"))
}

/// Returns the server's configuration. What `ao` relies on comes after the user's own.
fn configuration(user_conf: &Path) -> String {
    let pattern: String = user_conf
        .to_string_lossy()
        .chars()
        .flat_map(|c| matches!(c, '*' | '?' | '[' | '\\').then_some('\\').into_iter().chain([c]))
        .collect();
    let include = quoted(&pattern);
    format!(
        "# Written by ao; changes are lost. Your own settings belong into the file sourced below.
set -g history-limit 50000
set -g mouse on
set -s escape-time 0
set -g status-left '[#S] '
set -g status-left-length 60
set -g status-right 'C-q detaches'
set -g window-status-format ''
set -g window-status-current-format ''
bind-key -n C-q detach-client
source-file -q {include}
set -g prefix None
set -g prefix2 None
set -g remain-on-exit on
set -g destroy-unattached off
set -g detach-on-destroy on
set -s exit-empty on
set -s exit-unattached off
set -g default-command ''
set -g update-environment ''
set -g set-titles off
set -g allow-rename off
set -g automatic-rename off
"
    )
}

fn is_key_name(key: &str) -> bool {
    (1..=20).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

/// Returns the last `lines` lines that are not blank at the end.
fn last_lines(screen: &str, lines: u32, raw: bool) -> String {
    let text = if raw { screen.to_owned() } else { sanitize::text(screen) };
    let all: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    let skipped = all.len().saturating_sub(lines as usize);
    all[skipped..].join("\n")
}
