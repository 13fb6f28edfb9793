//! [`World`]: a machine of its own, in which everything is hurt and nothing outside is touched.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use ao::adapter::clock;
use serde_json::Value;

/// The variable that every process of a world carries, with the world's root.
const MARKER: &str = "TEST_ROOT";

/// How many clean workspaces are kept: fewer than are cleaned up, so that others go to the trash.
const POOL: usize = 3;

/// The scripted agent's card, of which the cards here are variants.
const CARD: &str = include_str!("../../../src/adapter/agent/cards/demo.toml");

/// Notes each hook with its outcome, and what it was answered.
const HOOK: &str = r#"#!/bin/sh
if [ "$2" = session-start ]; then
    echo "$AO_SESSION $AO_LAUNCH" >>'ROOT/ledger/starts'
    for file in w-*; do
        [ ! -e "$file" ] || echo "$AO_SESSION $file" >>'ROOT/ledger/found'
    done
fi
while :; do
    read -r id </proc/sys/kernel/random/uuid
    read -r before rest </proc/uptime
    answer=$(ao hook "$1" "$2" <<EOF
{"session_id":"$id"}
EOF
    )
    code=$?
    read -r after rest </proc/uptime
    echo "$id $AO_SESSION $AO_LAUNCH $2 $before $after $code" >>'ROOT/ledger/hooks'
    [ -n "$answer" ] || exit 0
    echo "$AO_SESSION $AO_LAUNCH $answer" >>'ROOT/ledger/answers'
done
"#;

/// Writes a file into the workspace, commits now and then, and notes the file.
const WORK: &str = r#"#!/bin/sh
read -r id </proc/sys/kernel/random/uuid
echo "$id" >"w-$id" 2>/dev/null || exit 0
case $id in [0-3]*)
    git add -A . 2>/dev/null &&
        git -c user.name=A -c user.email=a@example.com commit -q -m "$id" 2>/dev/null
esac
echo "$AO_SESSION w-$id" >>'ROOT/ledger/work'
"#;

/// Notes each notice, unless it is down.
const NOTICE: &str = r#"#!/bin/sh
[ ! -e 'ROOT/down' ] || exit 1
read -r line || [ -n "$line" ] || exit 1
printf '%s\n' "$line" >>'ROOT/ledger/notices'
"#;

/// What the agents do; `CARD` is the card's own name.
const AGENTS: [(&str, &str); 3] = [
    ("chat", ""),
    ("worker", "run 'ROOT/bin/work'\n"),
    ("answer", "sleep 300\nrun 'ROOT/bin/work'\n"),
];

/// How a full disk is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// A small file system of the home's own, which is filled.
    Mount,
    /// Writes of the calls that are made meanwhile fail (debug builds).
    Failpoint,
}

/// The place where it all happens.
///
/// ```text
/// [ROOT]/ao       the program under test, a copy
/// [ROOT]/home     AO_HOME, on a small file system of its own where that may be mounted
/// [ROOT]/user     HOME
/// [ROOT]/app      the user's repository, with unfinished work in it
/// [ROOT]/bin      what agents and notifiers run
/// [ROOT]/ledger   what agents and notifiers noted
/// [ROOT]/clock    how far the clock is stepped, in milliseconds
/// ```
pub(crate) struct World {
    root: PathBuf,
    ao: PathBuf,
    pub(crate) disk: Disk,
    /// The Unix time at which the machine's uptime was zero, in seconds.
    pub(crate) boot: f64,
}

impl World {
    /// Makes one for `sessions` sessions.
    pub(crate) fn new(ao: &Path, sessions: usize) -> io::Result<Self> {
        // Not TMPDIR, which may be long: a socket's path has at most 107 bytes.
        let root = tempfile::Builder::new().prefix("ao-sk").tempdir_in("/tmp")?.keep();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let boot = now.as_secs_f64() - uptime();
        let program = root.join("ao");
        let mut world = Self { root, ao: program, disk: Disk::Failpoint, boot };
        // Nobody's build may change the program meanwhile.
        fs::copy(ao, &world.ao)?;
        for directory in ["home", "user", "run", "tmp", "bin", "ledger", "agents"] {
            fs::create_dir(world.path(directory))?;
            fs::set_permissions(world.path(directory), fs::Permissions::from_mode(0o700))?;
        }
        let size = format!("size={}m,mode=700", 96 + 6 * sessions);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(world.path("home"));
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if mounted.is_ok_and(|status| status.success()) {
            world.disk = Disk::Mount;
        }
        fs::write(world.path("clock"), pad(0))?;
        world.write_programs()?;
        world.write_configuration(POOL)?;
        world.make_repository()?;
        Ok(world)
    }

    /// Returns `[ROOT]/<place>`.
    pub(crate) fn path(&self, place: &str) -> PathBuf {
        self.root.join(place)
    }

    /// Returns `AO_HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Returns what somebody noted in `[ROOT]/ledger/<name>`.
    pub(crate) fn noted(&self, name: &str) -> String {
        let bytes = fs::read(self.path("ledger").join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns `ao` with the variables of this world and no other.
    pub(crate) fn ao(&self) -> Command {
        self.command(&self.ao)
    }

    /// Returns a program with the variables of this world and no other.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.path("app")).stdin(Stdio::null());
        for (name, place) in [
            (MARKER, ""),
            ("AO_HOME", "home"),
            ("HOME", "user"),
            ("XDG_RUNTIME_DIR", "run"),
            ("TMPDIR", "tmp"),
            ("TEST_CLOCK", "clock"),
        ] {
            command.env(name, self.place(place));
        }
        for (name, value) in [
            ("LANG", "C.UTF-8"),
            ("TERM", "xterm-256color"),
            ("SHELL", "/bin/sh"),
            ("USER", "tester"),
            ("TZ", "UTC"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
        ] {
            command.env(name, value);
        }
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    fn place(&self, place: &str) -> PathBuf {
        if place.is_empty() { self.root.clone() } else { self.path(place) }
    }

    /// Steps the clock of everything that runs here.
    pub(crate) fn step_clock(&self, milliseconds: i64) -> io::Result<()> {
        // Written in one go over what was there: no reader sees half of it.
        let file = File::options().write(true).open(self.path("clock"))?;
        file.write_all_at(pad(milliseconds).as_bytes(), 0)
    }

    /// Returns the numbers of this world's processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let marker = format!("{MARKER}={}", self.root.display());
        all_processes().filter(|pid| has_variable(*pid, &marker)).collect()
    }

    /// Returns the tmux server's number, where one runs; it carries no marker.
    pub(crate) fn server(&self) -> Option<u32> {
        let socket = self.path("home/tmux.sock");
        let is_server = |pid: &u32| {
            let line = command_line(*pid);
            line.first().is_some_and(|word| Path::new(word).ends_with("tmux"))
                && line.iter().any(|word| Path::new(word) == socket)
                // A client's session is that of whoever called it.
                && stat(*pid).is_some_and(|(_, _, session)| session == *pid)
        };
        all_processes().find(is_server)
    }

    /// Runs git in the user's repository and returns its lines.
    pub(crate) fn git(&self, args: &[&str]) -> io::Result<Vec<String>> {
        let output = self.command(Path::new("git")).args(args).output()?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(io::Error::other(format!("git {}: {why}", args.join(" "))));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    fn write_programs(&self) -> io::Result<()> {
        for (name, text) in [("hook", HOOK), ("work", WORK), ("notice", NOTICE)] {
            let path = self.path("bin").join(name);
            fs::write(&path, text.replace("ROOT", &self.root.display().to_string()))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    /// Writes the person's configuration, with a pool of so many.
    pub(crate) fn write_configuration(&self, pool: usize) -> io::Result<()> {
        let config = self.path("user/.config/ao");
        fs::create_dir_all(config.join("agents"))?;
        let notice = self.path("bin/notice");
        let text = format!(
            "agent = \"chat\"\nmax_sessions = 1000\n[scm]\nkind = \"none\"\n\
             [pool]\nsize = {pool}\n\
             [notifiers.page]\nkind = \"command\"\ncommand = [\"{}\"]\n",
            notice.display()
        );
        fs::write(config.join("config.toml"), text)?;
        for (name, work) in AGENTS {
            let hook = |event: &str| format!("run 'ROOT/bin/hook' {name} {event}\n");
            let script = format!(
                "ledger 'ROOT/ledger/{name}'\n{}ready hello\nloop {{\nread\n{}{work}{}}}\n",
                hook("session-start"),
                hook("user-prompt-submit"),
                hook("stop")
            );
            let script = script.replace('\'', "").replace("ROOT", &self.root.display().to_string());
            let path = self.path("agents").join(name);
            fs::write(&path, script)?;
            let argument = format!("\"demo-agent\", \"--script\", \"{}\"", path.display());
            let mut card = CARD
                .replace("name = \"demo\"", &format!("name = \"{name}\""))
                .replace("hidden_unless = \"AO_DEMO\"\n", "")
                .replace("\"demo-agent\"", &argument);
            if name == "answer" {
                let answer = "answer = { decision = \"block\", reason = \"{message}\" }\n";
                card = card.replace("said = [", &format!("{answer}said = ["));
            }
            fs::write(config.join("agents").join(format!("{name}.toml")), card)?;
        }
        Ok(())
    }

    /// Makes the user's repository, in the middle of some work.
    fn make_repository(&self) -> io::Result<()> {
        let app = self.path("app");
        fs::create_dir(&app)?;
        self.git(&["init", "-q", "-b", "main"])?;
        self.git(&["config", "user.name", "Tester"])?;
        self.git(&["config", "user.email", "tester@example.com"])?;
        // An agent's own git that is killed while it tidies up leaves its lock; that is not ao's.
        self.git(&["config", "maintenance.auto", "false"])?;
        for number in 0..40 {
            fs::write(app.join(format!("file-{number}.txt")), format!("line {number}\n"))?;
        }
        self.git(&["add", "."])?;
        self.git(&["commit", "-q", "-m", "first"])?;
        fs::write(app.join("staged.txt"), "staged, not committed\n")?;
        self.git(&["add", "staged.txt"])?;
        fs::write(app.join("file-1.txt"), "edited, not staged\n")?;
        fs::write(app.join("untracked.txt"), "unknown to git\n")
    }

    /// Fills the home's file system, and says whether it is full.
    pub(crate) fn fill(&self) -> bool {
        if self.disk != Disk::Mount {
            return false;
        }
        let Ok(mut file) = File::create(self.path("home/ballast")) else { return false };
        for size in [1 << 20, 65536, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        true
    }

    /// Copies the home to `[ROOT]/kept` where its file system goes with this process.
    pub(crate) fn keep_home(&self) -> io::Result<()> {
        if self.disk == Disk::Mount {
            let mut copy = Command::new("cp");
            copy.arg("-a").arg(self.home()).arg(self.path("kept")).status()?;
        }
        Ok(())
    }

    /// Makes room again.
    pub(crate) fn make_room(&self) {
        let _ = fs::remove_file(self.path("home/ballast"));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for _ in 0..20 {
            let left: Vec<u32> = self.processes().into_iter().chain(self.server()).collect();
            if left.is_empty() {
                break;
            }
            for pid in left {
                signal(pid, rustix::process::Signal::KILL);
            }
            clock::pause(std::time::Duration::from_millis(50));
        }
        if self.disk == Disk::Mount {
            let _ = Command::new("umount").arg("-l").arg(self.path("home")).status();
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn all_processes() -> impl Iterator<Item = u32> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A number in a field of fixed width.
fn pad(milliseconds: i64) -> String {
    format!("{milliseconds:>12}\n")
}

/// Returns the machine's uptime in seconds.
pub(crate) fn uptime() -> f64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// Sends a signal to a process, which may be gone.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Returns whether a process was started with this `NAME=VALUE`.
pub(crate) fn has_variable(pid: u32, variable: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|own| own == variable.as_bytes())
}

/// Returns a process's argument vector, empty for one that has ended.
pub(crate) fn command_line(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0);
    words.filter(|word| !word.is_empty()).map(|w| String::from_utf8_lossy(w).into()).collect()
}

/// Returns a process's state letter, parent and session.
pub(crate) fn stat(pid: u32) -> Option<(char, u32, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    let state = words.next()?.chars().next()?;
    let parent = words.next()?.parse().ok()?;
    let session = words.nth(1)?.parse().ok()?;
    Some((state, parent, session))
}

/// Reads a JSON document, `None` where there is none.
pub(crate) fn json(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}
