//! The throw-away home, repository and user of a demo, and the command line that drives it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::adapter::clock::{self, Deadline};
use crate::adapter::cmd::{self, Cmd, CmdError, Output};
use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::process;
use crate::adapter::runtime::ao_program;
use crate::adapter::runtime::tmux::Tmux;
use crate::model::id::LaunchId;

/// How long one call of `ao` or git may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the stage could not be built, used or struck.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A file or directory.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A program.
    #[error(transparent)]
    Cmd(#[from] CmdError),
    /// The system, by what was asked of it.
    #[error("could not {what}")]
    Io {
        /// What was asked.
        what: &'static str,
        /// What went wrong.
        source: std::io::Error,
    },
    /// An `ao` that failed.
    #[error("`ao {command}` exited {code}: {stderr}")]
    Ao {
        /// Its arguments.
        command: String,
        /// Its exit code.
        code: i32,
        /// What it said last.
        stderr: String,
    },
}

fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> StageError {
    move |source| StageError::Io { what, source }
}

/// A directory that holds everything: home, configuration, repository, notices.
pub struct Stage {
    root: PathBuf,
    program: PathBuf,
}

impl Stage {
    /// Makes the directories, a repository with one commit, and a configuration.
    pub fn build() -> Result<Self, StageError> {
        let directory = tempfile::Builder::new().prefix("ao-demo-").tempdir();
        let root = directory.map_err(io("make a temporary directory"))?.keep();
        let stage = Self { root, program: ao_program().map_err(io("find this program"))? };
        let built = stage.furnish();
        if built.is_err() {
            let _ = fs::remove_tree(&stage.root);
        }
        built.map(|()| stage)
    }

    fn furnish(&self) -> Result<(), StageError> {
        for directory in ["user", "config/ao", "scripts", "app"] {
            fs::create_private_directories(&self.root.join(directory))?;
        }
        let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
        let notices = quoted(&self.notices_path());
        let check = self.write("scripts/check", include_str!("play/check.sh"))?;
        // The branches are looked at once the play has come to them.
        let configuration = format!(
            "agent = \"demo\"\n\n[scm]\nkind = \"none\"\n\n[check]\ncommand = [\"sh\", {}]\n\n\
             [notifiers.you]\nkind = \"file\"\npath = {notices}\n",
            quoted(&check),
        );
        self.write("config/ao/config.toml", &configuration)?;
        self.write("app/README.md", "# app\n")?;
        self.git(&["init", "-q", "-b", "main"])?;
        self.git(&["config", "user.name", "Demo"])?;
        self.git(&["config", "user.email", "demo@example.com"])?;
        self.git(&["add", "--all"])?;
        self.git(&["commit", "-q", "-m", "first"])?;
        Ok(())
    }

    /// Returns the directory of everything.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    fn notices_path(&self) -> PathBuf {
        self.root.join("notices.jsonl")
    }

    /// Writes a file of the stage.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, StageError> {
        let path = self.root.join(name);
        fs::replace(&path, text.as_bytes(), Durability::Process)?;
        Ok(path)
    }

    /// Runs git in the repository and returns its answer.
    pub fn git(&self, arguments: &[&str]) -> Result<String, StageError> {
        let identity = ["user.name=Demo", "user.email=demo@example.com", "commit.gpgsign=false"];
        let options = identity.iter().flat_map(|option| ["-c", option]);
        let git = self.with_surroundings(Cmd::new("git")).args(options).args(arguments.to_vec());
        Ok(git.cwd(self.root.join("app")).deadline(PATIENCE).read()?.text())
    }

    /// Returns the command that runs this very program on the stage, in the repository.
    pub fn ao(&self, arguments: &[&str]) -> Cmd {
        let ao = self.with_surroundings(Cmd::new(self.program.as_os_str()));
        ao.args(arguments.to_vec()).cwd(self.root.join("app")).deadline(PATIENCE)
    }

    /// A user of its own: neither the caller's configuration nor git's is read.
    fn with_surroundings(&self, command: Cmd) -> Cmd {
        let places = [
            ("AO_HOME", "home"),
            ("HOME", "user"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_STATE_HOME", "user/state"),
            ("XDG_DATA_HOME", "user/data"),
            ("XDG_CACHE_HOME", "user/cache"),
        ];
        // Of its own group, so that Ctrl-C reaches the demo alone, which then strikes the stage.
        let command = command.own_group().env("GIT_CONFIG_NOSYSTEM", "1");
        places.iter().fold(command, |command, (name, place)| {
            command.env(*name, OsString::from(self.root.join(place)))
        })
    }

    /// Runs `ao`, whatever its exit code.
    pub fn run(&self, arguments: &[&str], stdin: Option<&str>) -> Result<Output, StageError> {
        let command = self.ao(arguments);
        let command = match stdin {
            Some(text) => command.stdin(text),
            None => command,
        };
        Ok(command.output()?)
    }

    /// Runs `ao`, which has to succeed, and returns its JSON answer.
    pub fn answer(&self, arguments: &[&str], stdin: Option<&str>) -> Result<Value, StageError> {
        let output = self.run(arguments, stdin)?;
        match serde_json::from_slice(&output.stdout) {
            Ok(value) if output.success() => Ok(value),
            Ok(_) | Err(_) => Err(StageError::Ao {
                command: arguments.join(" "),
                code: cmd::exit_code(output.status),
                stderr: output.stderr.trim().to_owned(),
            }),
        }
    }

    /// Returns what the person was told, oldest first.
    pub fn notices(&self) -> Result<Vec<Value>, StageError> {
        let bytes = fs::read_optional(&self.notices_path())?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().filter_map(|line| serde_json::from_slice(line.as_bytes()).ok()).collect())
    }

    /// Kills every process of a launch at once, the launcher included, as a machine out of
    /// memory might; returns how many there were.
    pub fn kill_9(&self, launch: &LaunchId) -> Result<usize, StageError> {
        let processes = process::marked(launch).map_err(io("find processes"))?;
        for identity in &processes {
            process::send_signal(identity, Signal::KILL).map_err(io("kill a process"))?;
        }
        let gone = || process::marked(launch).ok().filter(Vec::is_empty);
        clock::poll_until(Deadline::after(PATIENCE), gone);
        Ok(processes.len())
    }

    /// Returns what of the launches is still there: processes, panes, a tmux server, worktrees.
    pub fn left(&self, launches: &BTreeSet<LaunchId>) -> Result<Vec<String>, StageError> {
        let mut left = Vec::new();
        for launch in launches {
            let marked = process::marked(launch).map_err(io("find processes"))?;
            left.extend(marked.iter().map(|process| format!("process {}", process.pid)));
        }
        if let Some(server) = self.server()? {
            left.push(format!("tmux server {}", server.pid));
        }
        let inside = process::inside(&self.home()).map_err(io("find processes"))?;
        left.extend(inside.iter().map(|(pid, name)| format!("process {pid} ({name})")));
        let worktrees = self.git(&["worktree", "list", "--porcelain"])?;
        let linked = worktrees.lines().filter(|line| line.starts_with("worktree ")).skip(1);
        left.extend(linked.map(str::to_owned));
        let refs =
            self.git(&["for-each-ref", "--format=branch %(refname:short)", "refs/heads/ao"])?;
        left.extend(refs.lines().map(str::to_owned));
        let dirt = self.git(&["status", "--porcelain"])?;
        left.extend(dirt.lines().map(|line| format!("changed file {line}")));
        Ok(left)
    }

    fn server(&self) -> Result<Option<crate::model::id::ProcessIdentity>, StageError> {
        let Ok(tmux) = Tmux::new(&self.home(), &self.root.join("config/ao")) else {
            return Ok(None);
        };
        process::tmux_server_on(tmux.socket()).map_err(io("look for a tmux server"))
    }

    /// Ends every process of the stage, whatever became of the demo, and removes the directory
    /// unless `keep`.
    pub fn strike(&self, keep: bool) -> Result<(), StageError> {
        // What this cannot end any more, the server's end and the launches' markers do.
        let _ = self.run(&["kill", "--all", "--yes"], None);
        if let Some(server) = self.server()? {
            process::send_signal(&server, Signal::KILL).map_err(io("end the tmux server"))?;
        }
        if keep { Ok(()) } else { Ok(fs::remove_tree(&self.root)?) }
    }
}
