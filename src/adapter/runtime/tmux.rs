//! tmux: a server of our own, one session for each of ours, the launcher as its pane's command.
//!
//! The user's own server is never spoken to, and ours is never killed. Whoever acts on a pane
//! first has the server compare its launch, in the same list of commands. A client that did not
//! end in time says nothing: what it asked for may still happen.
#![expect(clippy::disallowed_methods, reason = "takes tmux's few variables from the environment")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapter::clock;
use crate::adapter::cmd::{Beginning, Cmd, CmdError, Output};
use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::screen::Screen;
use crate::adapter::runtime::tmux_parse::{
    self as parse, Failure, LIVING_FORMAT, OLDEST, PANE_FORMAT, Pane, SERVER_FORMAT, quoted,
};
use crate::adapter::runtime::tmux_server::socket_path;
use crate::adapter::{failpoint, ids, program, remembered};
use crate::model::facts::Liveness;
use crate::model::id::{LaunchId, SessionId};
use crate::model::record::RuntimeHandle;
use crate::model::sanitize;

pub use crate::adapter::runtime::tmux_parse::{Living, Panes};
pub use crate::adapter::runtime::tmux_send::{ComposerKeys, SendOptions, SendOutcome};

/// tmux refuses 16 KiB of arguments; a batch of commands stays well below.
const BATCH_BYTES: usize = 12 * 1024;

/// How often a client is run that meets a server which is just ending.
const ATTEMPTS: u32 = 3;

/// How long it is given to end.
const BETWEEN: Duration = Duration::from_millis(100);

/// What a client that lists panes is doing.
const LISTING: &str = "list panes";

/// The question who lives, whose answer is still to come.
#[derive(Debug)]
pub struct Question(Beginning);

/// The tmux server of one home.
#[derive(Clone, Debug)]
pub struct Tmux {
    pub(super) home: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) user_conf: PathBuf,
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
            deadline: failpoint::deadline("AO_TMUX_DEADLINE_MS", Duration::from_secs(5)),
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
        new_enough(&said()?)
    }

    /// [`Self::version`] of the tmux that is found in `path`, remembered in `cache` while that is
    /// the same.
    pub fn known_version(path: &OsStr, cache: Option<&Path>) -> Result<(u32, u32), RuntimeError> {
        let program = program::find("tmux", path).ok_or(RuntimeError::Missing)?;
        let serves = |text: &str| new_enough(text).is_ok();
        new_enough(&remembered::answer(cache, &program, "-V", serves, said)?)
    }

    /// Asks once for all panes of the server.
    pub fn probe(&self) -> Result<Panes, RuntimeError> {
        let ask = || self.run(self.client(["list-panes", "-a", "-F", PANE_FORMAT]), LISTING);
        let answer = match ask() {
            Err(RuntimeError::ServerAbsent { .. }) if self.revive_server()? => ask(),
            answer => answer,
        };
        match answer {
            Ok(output) => Ok(Panes::of(parse::panes(&output.text())?)),
            Err(RuntimeError::ServerAbsent { .. }) => Ok(Panes::none()),
            Err(error) => Err(error),
        }
    }

    /// Begins to ask who lives, and nothing else, which costs the server little more than half;
    /// the answer is worked out while others work.
    pub fn ask(&self) -> Question {
        let server = ["display-message", "-p", SERVER_FORMAT, ";"];
        let client = self.question(server).args(["list-panes", "-a", "-F", LIVING_FORMAT]);
        Question(client.begin_aside())
    }

    /// Waits for the answer; `None` where there is none, and [`Tmux::probe`] finds out why.
    pub fn living(&self, question: Question) -> Result<Option<Living>, RuntimeError> {
        let output = question.0.output().map_err(|error| self.client_error(error))?;
        output.success().then(|| parse::living(&output.text())).transpose()
    }

    /// Returns what `panes` says of the pane of `launch`.
    pub fn fact(
        panes: &Result<Panes, RuntimeError>,
        handle: &RuntimeHandle,
        launch: &LaunchId,
    ) -> Liveness {
        panes.as_ref().map_or(Liveness::Failed, |panes| Self::fact_in(panes, handle, launch))
    }

    /// [`Tmux::fact`] of an answer.
    pub fn fact_in(panes: &Panes, handle: &RuntimeHandle, launch: &LaunchId) -> Liveness {
        if let Some(pane) = panes.find(launch.as_str()) {
            return pane_liveness(pane, handle);
        }
        // A pane that is missing from a later server is missing: only its name could be mistaken.
        if panes.panes.iter().any(|pane| handle.session.as_ref() == Some(&pane.session)) {
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
        self.guarded(session, launch, &presses(&pane_target(session), keys)?).map(drop)
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

    /// Returns the screen of the live pane of `launch` as it is after `wait`.
    pub fn screen(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        wait: Duration,
    ) -> Result<Screen, RuntimeError> {
        let look = look_commands(session, wait);
        Ok(Screen::parse(&self.guarded(session, launch, &look)?))
    }

    /// Returns the command with which a person looks at the session, from inside another tmux too.
    pub fn attach_command(&self, session: &SessionId, read_only: bool) -> Cmd {
        let mut args = vec!["attach-session".to_owned(), "-t".into(), format!("={session}")];
        if read_only {
            args.push("-r".into());
        }
        let client = Cmd::new("tmux").arg("-u").arg("-S").arg(&self.socket);
        client.arg("-f").arg(self.conf()).args(args)
    }

    /// Closes the session (or, where it was moved elsewhere, the pane) of `launch`.
    ///
    /// Its processes are not ended by this. A session that is gone is a success.
    pub fn destroy(&self, session: &SessionId, launch: &LaunchId) -> Result<(), RuntimeError> {
        self.close(session, launch, 0).map(drop)
    }

    /// [`Self::destroy`] that returns the last `lines` lines of the screen, where the session's
    /// active pane was that of `launch`: all in one client, most often.
    pub fn close(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        lines: u32,
    ) -> Result<Option<String>, RuntimeError> {
        let marker = format!("closed-{}\n", ids::hex(8));
        let mut lost = None;
        let mut run = || self.run_close(session, launch, lines, &marker, &mut lost);
        let printed = match run() {
            Err(RuntimeError::ServerAbsent { .. }) if self.revive_server()? => run(),
            printed => printed,
        };
        let lost = lost.map(|screen| last_lines(&screen, lines, false));
        let printed = match printed {
            Ok(printed) => printed,
            Err(RuntimeError::ServerAbsent { .. }) => return Ok(lost),
            Err(error) => return Err(error),
        };
        let (panes, screen) = match printed.split_once(&marker) {
            Some((panes, screen)) => (panes, Some(last_lines(screen, lines, false))),
            None => (printed.as_str(), None),
        };
        let closed = |pane: &Pane| screen.is_some() && pane.session == session.as_str();
        for pane in parse::panes(panes)?.iter().filter(|pane| !closed(pane)) {
            self.close_pane(session, launch, pane)?;
        }
        Ok(screen.or(lost))
    }

    /// Lists every pane of `launch`, and closes the session where its active pane is one; returns
    /// what was printed.
    ///
    /// Closing the last session ends the server. What a client printed of the screen whose server
    /// ended before it could say that all is done is put into `lost`.
    fn run_close(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        lines: u32,
        marker: &str,
        lost: &mut Option<String>,
    ) -> Result<String, RuntimeError> {
        let (target, condition) = (pane_target(session), condition(launch, false));
        let show = match lines {
            0 => String::new(),
            _ => format!("capture-pane -p -J -S -{lines} -t {target} ; "),
        };
        let word = marker.trim_end();
        let close = format!("display-message -p {word} ; {show}kill-session -t ={session}");
        let list = ["list-panes", "-a", "-f", &condition, "-F", PANE_FORMAT, ";"];
        let act = ["if-shell", "-F", "-t", &target, &condition, &close];
        let client = self.client(list.into_iter().chain(act));
        let printed = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
        let (failure, output) = self.attempt(&client, |output| {
            if let Some((_, screen)) = printed(output).split_once(marker) {
                *lost = Some(screen.to_owned());
            }
            Ok(false)
        })?;
        match failure {
            // The list comes before what looks for the session, and is whole.
            None | Some(Failure::Missing) => Ok(printed(&output)),
            Some(failure) => Err(self.failed(failure, "close a session", &output)),
        }
    }

    /// Closes one pane of `launch`, wherever it is.
    fn close_pane(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        pane: &Pane,
    ) -> Result<(), RuntimeError> {
        let condition = condition(launch, false);
        let close = if pane.session == session.as_str() {
            format!("kill-session -t ={session}")
        } else {
            format!("kill-pane -t {}", pane.id)
        };
        let args = ["if-shell", "-F", "-t", &pane.id, &condition, &close];
        match self.run(self.client(args), "close a session") {
            Ok(_) | Err(RuntimeError::ServerAbsent { .. } | RuntimeError::NoSuchTarget { .. }) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Runs `commands` where the session's active pane is the live pane of `launch`, checked by
    /// the server in the same instant, and returns what they printed.
    pub(crate) fn guarded(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        commands: &str,
    ) -> Result<String, RuntimeError> {
        match self.guarded_after(Vec::new(), Vec::new(), session, launch, commands) {
            Err(RuntimeError::NoSuchTarget { .. }) => {
                let session = session.clone();
                Err(RuntimeError::NotThisLaunch { session, why: "it is gone" })
            }
            other => other,
        }
    }

    /// As `guarded`, with commands before the check and bytes on standard input.
    ///
    /// A pane that vanished after the check, and so while the commands ran, is
    /// [`RuntimeError::NoSuchTarget`]; only where none of them ran is it
    /// [`RuntimeError::NotThisLaunch`].
    pub(crate) fn guarded_after(
        &self,
        first: Vec<String>,
        stdin: Vec<u8>,
        session: &SessionId,
        launch: &LaunchId,
        commands: &str,
    ) -> Result<String, RuntimeError> {
        // Random, so that no screen can be taken for it.
        let refused = format!("refused-{} ", ids::hex(8));
        let target = pane_target(session);
        let refusal =
            format!("display-message -p -t {target} \"{refused}#{{pane_dead}} #{{@ao_launch}}\"");
        let condition = condition(launch, true);
        let mut args = first;
        if !args.is_empty() {
            args.push(";".into());
        }
        args.extend(["if-shell", "-F", "-t", &target, &condition, commands].map(String::from));
        args.push(refusal);
        let client = self.client(args).stdin(stdin);
        let output = self.run(client, "act on a pane")?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        match printed.strip_prefix(&refused) {
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
        self.question(args).cwd("/")
    }

    /// Returns a client that only asks, and so starts no server: it may run here, in whatever
    /// directory this is, and is started a good deal quicker for it.
    fn question<A: Into<std::ffi::OsString>>(&self, args: impl IntoIterator<Item = A>) -> Cmd {
        const KEPT: [&str; 7] = ["HOME", "PATH", "USER", "LOGNAME", "SHELL", "TERM", "TZ"];
        let mut client = Cmd::new("tmux").env_clear().env("LC_ALL", "C.UTF-8");
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
        match self.attempt(&client, |_| Ok(false))? {
            (None, output) => Ok(output),
            (Some(failure), output) => Err(self.failed(failure, doing, &output)),
        }
    }

    /// Runs a client, again for as long as it meets a server that is just ending, and returns how
    /// it failed, if it did, and what it printed.
    ///
    /// `is_enough` is shown what is printed by a client that is to be run again, and returns
    /// whether that is needless.
    pub(super) fn attempt(
        &self,
        client: &Cmd,
        mut is_enough: impl FnMut(&Output) -> Result<bool, RuntimeError>,
    ) -> Result<(Option<Failure>, Output), RuntimeError> {
        let mut attempt = 1;
        loop {
            let output = client.output().map_err(|error| self.client_error(error))?;
            let failure = (!output.success()).then(|| parse::classify(&output.stderr));
            let is_ending = failure == Some(Failure::Transient);
            if !is_ending || attempt == ATTEMPTS || is_enough(&output)? {
                return Ok((failure, output));
            }
            attempt += 1;
            clock::pause(BETWEEN);
        }
    }

    pub(super) fn failed(
        &self,
        failure: Failure,
        doing: &'static str,
        output: &Output,
    ) -> RuntimeError {
        let stderr = sanitize::line(output.last_error());
        match failure {
            Failure::Absent { .. } => RuntimeError::ServerAbsent { socket: self.socket.clone() },
            Failure::Missing => RuntimeError::NoSuchTarget { doing },
            Failure::Transient | Failure::Duplicate | Failure::Other => {
                RuntimeError::Tmux { doing, stderr }
            }
        }
    }

    pub(super) fn client_error(&self, error: CmdError) -> RuntimeError {
        if matches!(error, CmdError::TimedOut { .. }) {
            RuntimeError::Unresponsive { socket: self.socket.clone() }
        } else {
            missing_or_cmd(error)
        }
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

fn said() -> Result<String, RuntimeError> {
    Ok(Cmd::new("tmux").arg("-V").read().map_err(missing_or_cmd)?.text())
}

fn new_enough(text: &str) -> Result<(u32, u32), RuntimeError> {
    match parse::version(text) {
        Some(version) if version < OLDEST => Err(RuntimeError::TooOld {
            found: text.trim_start_matches("tmux ").to_owned(),
            needed: "3.2",
        }),
        Some(version) => Ok(version),
        None if text.starts_with("tmux ") => Ok(OLDEST),
        None => Err(RuntimeError::Unreadable { line: text.to_owned() }),
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

/// Returns the commands that wait inside the server and then print the screen, colours included.
pub(crate) fn look_commands(session: &SessionId, wait: Duration) -> String {
    let seconds = wait.as_secs_f64();
    format!("run-shell -d {seconds:.3} ; capture-pane -e -p -J -t {}", pane_target(session))
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

/// Returns the commands that press keys as a person would: one after the other.
///
/// Agents take two escapes that arrive as one for a key of another name.
fn presses(target: &str, keys: &[String]) -> Result<String, RuntimeError> {
    let mut commands = vec![format!("copy-mode -q -t {target}")];
    for key in keys {
        let word = key_words(std::slice::from_ref(key))?;
        if commands.len() > 1 {
            commands.push("run-shell -d 0.25".to_owned());
        }
        commands.push(format!("send-keys -t {target} -- {word}"));
    }
    Ok(commands.join(" ; "))
}

/// Returns key names as tmux's command parser takes them.
pub(crate) fn key_words(keys: &[String]) -> Result<String, RuntimeError> {
    if let Some(bad) = keys.iter().find(|key| !is_key_name(key)) {
        return Err(RuntimeError::InvalidKey(bad.clone()));
    }
    Ok(keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(" "))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_pressed_one_after_the_other() {
        let pressed = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            presses("=web-1:", &keys).map_err(|error| error.to_string())
        };
        let escapes = "copy-mode -q -t =web-1: ; send-keys -t =web-1: -- \"Escape\" ; \
                       run-shell -d 0.25 ; send-keys -t =web-1: -- \"Escape\"";
        assert_eq!(pressed(&["Escape", "Escape"]).as_deref(), Ok(escapes));
        assert!(pressed(&["Escape", "no key"]).is_err());
    }
}
