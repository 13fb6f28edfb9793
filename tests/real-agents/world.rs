//! A machine of its own for one agent's story: homes, a repository, `ao`, and the player.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use ao::adapter::clock::{Deadline, poll_until};
use ao::adapter::cmd::{Cmd, Output};
use serde_json::{Value, json};

use crate::agents::Agent;
use crate::player::{Player, Recorded};

/// How long one program may run.
const RUN_LIMIT: Duration = Duration::from_secs(240);

/// Everything that one agent's story happens in. What it holds goes with it.
///
/// ```text
/// [ROOT]/home    AO_HOME
/// [ROOT]/user    HOME
/// [ROOT]/app     the repository
/// ```
pub(crate) struct World {
    root: tempfile::TempDir,
    ao: PathBuf,
    variables: Vec<(String, OsString)>,
    pub(crate) agent: &'static Agent,
    pub(crate) player: Player,
}

impl World {
    /// Makes the world of `agent`, which is installed below `cache`, with an `ao` that is not the
    /// one beside this program and `cards` of the user's.
    pub(crate) fn new(
        agent: &'static Agent,
        cache: &Path,
        ao: Option<&Path>,
        cards: Option<&Path>,
    ) -> anyhow::Result<Self> {
        // Not TMPDIR, which may be long: a socket's path has at most 107 bytes.
        let root = tempfile::Builder::new().prefix("ra-").tempdir_in("/tmp")?;
        for directory in ["home", "user", "run", "tmp"] {
            let path = root.path().join(directory);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        }
        let player = Player::start(agent.script(), 0)?;
        let ao = ao.map_or_else(ao_beside_this, |path| Ok(fs::canonicalize(path)?))?;
        let mut world = Self { root, ao, variables: Vec::new(), agent, player };
        world.variables = world.base_variables(cache)?;
        for (name, value) in (agent.variables)(&world.player.url()) {
            world.variables.push((name.to_owned(), value.into()));
        }
        for (path, text) in (agent.files)(&world.player.url()) {
            let path = world.path("user").join(path);
            fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            fs::write(path, text)?;
        }
        let own_cards = world.path("user/.config/ao/agents");
        fs::create_dir_all(&own_cards)?;
        for entry in cards.map(fs::read_dir).transpose()?.into_iter().flatten() {
            let entry = entry?;
            fs::copy(entry.path(), own_cards.join(entry.file_name()))?;
        }
        world.make_repository()?;
        Ok(world)
    }

    fn base_variables(&self, cache: &Path) -> anyhow::Result<Vec<(String, OsString)>> {
        let folder = fs::canonicalize(cache.join(self.agent.folder))
            .with_context(|| format!("{} is not installed", self.agent.name))?;
        let mut path = folder.join(self.agent.programs).into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let place = |name: &str| self.path(name).into_os_string();
        let mut variables = vec![
            ("PATH".to_owned(), path),
            ("AO_HOME".to_owned(), place("home")),
            ("HOME".to_owned(), place("user")),
            ("XDG_RUNTIME_DIR".to_owned(), place("run")),
            ("TMPDIR".to_owned(), place("tmp")),
        ];
        for (name, value) in [
            ("LANG", "C.UTF-8"),
            ("TERM", "xterm-256color"),
            ("SHELL", "/bin/sh"),
            ("USER", "tester"),
            ("TZ", "UTC"),
        ] {
            variables.push((name.to_owned(), value.into()));
        }
        if self.agent.is_python {
            variables.push(("PYTHONPATH".to_owned(), folder.into_os_string()));
        }
        Ok(variables)
    }

    fn make_repository(&self) -> anyhow::Result<()> {
        let app = self.repository();
        fs::create_dir(&app)?;
        fs::write(app.join("README.md"), "# A repository\n")?;
        for args in [
            &["init", "-q", "-b", "main"][..],
            &["config", "user.name", "Tester"],
            &["config", "user.email", "tester@example.com"],
            &["add", "README.md"],
            &["commit", "-q", "-m", "first"],
        ] {
            self.git(&app, args)?;
        }
        Ok(())
    }

    /// Returns `[ROOT]/<place>`.
    pub(crate) fn path(&self, place: &str) -> PathBuf {
        self.root.path().join(place)
    }

    /// Returns where the repository is.
    pub(crate) fn repository(&self) -> PathBuf {
        self.path("app")
    }

    /// Returns the command that runs a program here.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Cmd {
        let command = Cmd::new(program).env_clear().cwd(self.repository()).deadline(RUN_LIMIT);
        self.variables.iter().fold(command, |it, (name, value)| it.env(name, value))
    }

    /// Runs `ao`, whatever it says.
    pub(crate) fn ao(&self, args: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command(&self.ao).args(args).output()?)
    }

    /// Runs `ao` with a text on its standard input, whatever it says.
    pub(crate) fn ao_stdin(&self, args: &[&str], text: &str) -> anyhow::Result<Output> {
        Ok(self.command(&self.ao).args(args).stdin(text).output()?)
    }

    /// Runs `ao` with `--json`, which has to succeed, and returns its answer.
    pub(crate) fn ao_json(&self, args: &[&str]) -> anyhow::Result<Value> {
        let output = self.ao(&[&["--json"], args].concat())?;
        ensure!(output.success(), "`ao {}`: {}", args.join(" "), said(&output));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Runs git, which has to succeed, and returns what it says.
    pub(crate) fn git(&self, directory: &Path, args: &[&str]) -> anyhow::Result<String> {
        Ok(self.command("git").args(args).cwd(directory).read()?.text())
    }

    /// Returns the agent's version, as it says itself.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let output = self.command(self.agent.binary).arg("--version").read()?;
        let text = output.text();
        let word = text
            .split_whitespace()
            .find(|word| word.starts_with(|it: char| it.is_ascii_digit()) && word.contains('.'));
        word.map(str::to_owned).with_context(|| format!("no version in {text:?}"))
    }

    /// Returns a session's record, with its status.
    pub(crate) fn session(&self, id: &str) -> anyhow::Result<Value> {
        Ok(self.ao_json(&["show", id])?["session"].take())
    }

    /// Waits until `seen` is there; `what` is for the error.
    pub(crate) fn wait_for<T>(
        &self,
        patience: Duration,
        what: &str,
        mut seen: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let found = poll_until(Deadline::after(patience), || seen().transpose());
        found.unwrap_or_else(|| bail!("{what} was not seen in {} s", patience.as_secs()))
    }

    /// Leaves what a person would look at in `log`: records, events, screens, requests.
    pub(crate) fn leave_log(&self, log: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(log)?;
        let requests: Vec<Value> = self.player.requests().iter().map(Recorded::to_json).collect();
        fs::write(log.join("requests.json"), serde_json::to_vec_pretty(&requests)?)?;
        let sessions = self.ao(&["ls", "--all", "--json"])?;
        fs::write(log.join("sessions.json"), sessions.stdout)?;
        let events = self.ao(&["events", "--json"])?;
        fs::write(log.join("events.jsonl"), events.stdout)?;
        Ok(())
    }

    /// Leaves the screen of a session in `log`.
    pub(crate) fn leave_screen(&self, id: &str, log: &Path, name: &str) -> anyhow::Result<()> {
        fs::create_dir_all(log)?;
        let screen = self.ao(&["output", id, "-n", "200"])?;
        Ok(fs::write(log.join(format!("{name}.txt")), screen.stdout)?)
    }

    /// Returns every process that stands in this world or carries its name.
    fn processes(&self) -> Vec<u32> {
        let all = ao::adapter::process::all().unwrap_or_default();
        let root = self.root.path().to_string_lossy().into_owned();
        let ours = |pid: &u32| {
            let names = |file: &str| {
                let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).contains(&root)
            };
            *pid != std::process::id() && (names("environ") || names("cmdline"))
        };
        all.into_iter().filter(ours).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let gone = poll_until(Deadline::after(Duration::from_secs(10)), || {
            let left = self.processes();
            for pid in &left {
                if let Some(pid) = i32::try_from(*pid).ok().and_then(rustix::process::Pid::from_raw)
                {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
            left.is_empty().then_some(())
        });
        // A folder that is still written to cannot be removed whole; nothing else hangs on it.
        let _ = gone;
    }
}

impl Recorded {
    /// Returns it as it goes into a log.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "request": format!("{} {}", self.method, self.path),
            "said": self.turn.as_ref().map(|turn| &turn.said),
            "tool_result": self.turn.as_ref().and_then(|turn| turn.tool_result.as_ref()),
            "tools": self.turn.as_ref().map(|turn| &turn.tools),
            "rule": self.rule,
            "ended": self.ended.map(|it| format!("{it:?}")),
            "headers": self.headers,
            "body": self.body,
        })
    }
}

/// Returns the `ao` that was built with this program: `target/<profile>/ao`, one folder above.
fn ao_beside_this() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let above = this.parent().and_then(Path::parent).context("a program is in a folder")?;
    let ao = above.join("ao");
    ensure!(ao.exists(), "{} is not there: run `cargo build --bin ao`", ao.display());
    Ok(ao)
}

/// Returns how `ao` ended and what it said, in one line.
pub(crate) fn said(output: &Output) -> String {
    let code = ao::adapter::cmd::exit_code(output.status);
    let error: Value = serde_json::from_str(&output.stderr).unwrap_or_default();
    let message = error.pointer("/error/message").and_then(Value::as_str);
    let text = message.unwrap_or(output.stderr.trim()).replace('\n', "; ");
    format!("exit code {code}: {text}")
}
