//! Plays a coding agent as a script says.
#![expect(
    clippy::disallowed_methods,
    reason = "it stands for a program of somebody else's, which reads its own environment"
)]

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};

use crate::adapter::clock;
use crate::adapter::cmd::{self, Cmd};
use crate::adapter::fs::{self, Durability};
use crate::demo::script::{self, Step, Times};
use crate::demo::terminal::Terminal;

/// The exit code of a script that is wrong.
pub const BAD_SCRIPT: i32 = 98;
/// The exit code of an `expect` that was disappointed.
pub const NOT_EXPECTED: i32 = 97;
/// The exit code of a step that failed, such as a commit.
pub const STEP_FAILED: i32 = 96;

/// Set for the second start of an agent that ignores signals.
const DEAF: &str = "AO_DEMO_DEAF";

/// Play a coding agent from a script
///
/// Without a script it prints its task and ends.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DemoAgentArgs {
    /// The script; else AO_DEMO_SCRIPT
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Continue this conversation
    #[arg(long, value_name = "ID")]
    pub resume: Option<String>,
    /// The model to pretend to be
    #[arg(long)]
    pub model: Option<String>,
    /// The permission mode to pretend to have
    #[arg(long)]
    pub permission: Option<String>,
    /// The standing role
    #[arg(long, value_name = "FILE")]
    pub system_file: Option<PathBuf>,
    /// The task
    pub prompt: Option<OsString>,
}

/// Plays the agent and returns its exit code.
pub fn run(args: &DemoAgentArgs) -> i32 {
    let path = args.script.clone().or_else(|| std::env::var_os("AO_DEMO_SCRIPT").map(Into::into));
    let steps = match path.filter(|path| !path.as_os_str().is_empty()).map(|path| load(&path)) {
        None => return without_script(args),
        Some(Ok(steps)) => steps,
        Some(Err(why)) => return complain(&why, BAD_SCRIPT),
    };
    if let Some(error) = be_deaf(&steps) {
        return complain(&error, STEP_FAILED);
    }
    let mut player = match Player::new(args) {
        Ok(player) => player,
        Err(error) => return complain(&error.to_string(), STEP_FAILED),
    };
    let outcome = player.play(&steps);
    player.terminal.restore();
    match outcome {
        Ok(Flow::Next) => 0,
        Ok(Flow::Exit(code)) => code,
        Err(why) => complain(&why, STEP_FAILED),
    }
}

fn load(path: &Path) -> Result<Vec<Step>, String> {
    let text = fs::read_text(path).map_err(|error| format!("{error}: {}", error.source))?;
    script::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn complain(why: &str, code: i32) -> i32 {
    let _ = writeln!(io::stderr(), "demo-agent: {why}");
    code
}

fn without_script(args: &DemoAgentArgs) -> i32 {
    let mut prompt = args.prompt.clone().unwrap_or_default().to_string_lossy().into_owned();
    let stdin = io::stdin();
    if prompt.is_empty() && !rustix::termios::isatty(&stdin) {
        let mut bytes = Vec::new();
        let _ = stdin.lock().read_to_end(&mut bytes);
        prompt = String::from_utf8_lossy(&bytes).into_owned();
    }
    let _ = writeln!(io::stdout(), "task: {}\ndone", prompt.trim_end());
    0
}

/// Starts this program again with the signals ignored: what is ignored stays so over `exec`,
/// and a shell can say so without unsafe code.
fn be_deaf(steps: &[Step]) -> Option<String> {
    let signals = script::ignored(steps);
    if signals.is_empty() || std::env::var_os(DEAF).is_some() {
        return None;
    }
    let names: Vec<_> = signals.iter().map(|signal| signal.as_str().to_uppercase()).collect();
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => return Some(error.to_string()),
    };
    let shell = format!("trap '' {}; exec \"$0\" \"$@\"", names.join(" "));
    let command = Cmd::new("sh").arg("-c").arg(shell).arg(own).args(std::env::args_os().skip(1));
    Some(with_identity(command).env(DEAF, "1").exec().to_string())
}

/// Gives a child the variables that `Cmd` takes away: it stands for the agent's own.
fn with_identity(command: Cmd) -> Cmd {
    let is_own = |name: &OsStr| name.as_encoded_bytes().starts_with(b"AO_") && name != DEAF;
    let own = std::env::vars_os().filter(|(name, _)| is_own(name));
    own.fold(command, |command, (name, value)| command.env(name, value))
}

/// Whether the play goes on.
enum Flow {
    Next,
    Exit(i32),
}

/// The agent at play.
struct Player {
    terminal: Terminal,
    prompt: String,
    message: String,
    /// The last hook was answered with an instruction, which is the message.
    answered: bool,
}

impl Player {
    fn new(args: &DemoAgentArgs) -> io::Result<Self> {
        let prompt = args.prompt.as_deref().unwrap_or(OsStr::new("")).to_string_lossy();
        let mut terminal = Terminal::standard()?;
        terminal.ledger = std::env::var_os("AO_DEMO_LEDGER")
            .and_then(|path| fs::open_append(Path::new(&path)).ok());
        Ok(Self { terminal, prompt: prompt.into_owned(), message: String::new(), answered: false })
    }

    fn play(&mut self, steps: &[Step]) -> Result<Flow, String> {
        for step in steps {
            if let Flow::Exit(code) = self.step(step)? {
                return Ok(Flow::Exit(code));
            }
        }
        Ok(Flow::Next)
    }

    fn step(&mut self, step: &Step) -> Result<Flow, String> {
        let text = |error: io::Error| error.to_string();
        match step {
            Step::Say(line) => self.say(line)?,
            Step::Sleep(milliseconds) => clock::pause(Duration::from_millis(*milliseconds)),
            Step::Ready(line) => {
                self.say(line)?;
                self.terminal.ready().map_err(text)?;
            }
            Step::Read => return self.read(),
            Step::Await(wanted) => return self.wait_for(wanted),
            Step::SwallowEnter(times) => self.terminal.habits.swallow = *times,
            Step::Draft(text) => self.terminal.habits.draft.clone_from(text),
            Step::Vim => self.terminal.habits.vim = true,
            Step::FoldPastes => self.terminal.habits.fold = true,
            Step::Placeholder(text) => self.terminal.habits.placeholder.clone_from(text),
            Step::UntilInterrupt(what) => {
                if !self.terminal.until_interrupt(what).map_err(text)? {
                    return Ok(Flow::Exit(0));
                }
            }
            Step::Dialog { text: question, key } => {
                if !self.terminal.dialog(question, *key).map_err(text)? {
                    return Ok(Flow::Exit(0));
                }
            }
            Step::Expect(wanted) => return self.expect(wanted),
            Step::Hook { event, payload } => self.hook(event, payload.as_deref())?,
            Step::Write { file, text } => write_file(file, &self.filled(text))?,
            Step::Commit(message) => commit(&self.filled(message))?,
            Step::Run(argv) => self.run(argv)?,
            // Done before the first step.
            Step::Ignore(_) => {}
            Step::SpawnChild => self.spawn_child()?,
            Step::Ledger(path) => {
                let file = fs::open_append(path).map_err(|error| error.to_string())?;
                self.terminal.ledger = Some(file);
            }
            Step::Crash => die(Signal::SEGV)?,
            Step::KillSelf(number) => match Signal::from_named_raw(*number) {
                Some(signal) => die(signal)?,
                None => return Err(format!("there is no signal {number}")),
            },
            Step::Exit(code) => return Ok(Flow::Exit(*code)),
            Step::Repeat { times, steps } => return self.repeat(*times, steps),
        }
        Ok(Flow::Next)
    }

    fn repeat(&mut self, times: Times, steps: &[Step]) -> Result<Flow, String> {
        let mut done = 0;
        loop {
            let goes_on = match times {
                Times::Ever => true,
                Times::Number(times) => done < times,
                Times::Answered => self.answered,
            };
            if !goes_on {
                return Ok(Flow::Next);
            }
            if let Flow::Exit(code) = self.play(steps)? {
                return Ok(Flow::Exit(code));
            }
            done += 1;
        }
    }

    fn say(&mut self, line: &str) -> Result<(), String> {
        let line = self.filled(line);
        self.terminal.line(&line).map_err(|error| error.to_string())
    }

    fn read(&mut self) -> Result<Flow, String> {
        match self.terminal.message().map_err(|error| error.to_string())? {
            Some(message) => self.message = String::from_utf8_lossy(&message).into_owned(),
            None => return Ok(Flow::Exit(0)),
        }
        Ok(Flow::Next)
    }

    fn wait_for(&mut self, wanted: &str) -> Result<Flow, String> {
        loop {
            if let Flow::Exit(code) = self.read()? {
                return Ok(Flow::Exit(code));
            }
            if self.message.contains(wanted) {
                return Ok(Flow::Next);
            }
        }
    }

    fn expect(&mut self, wanted: &str) -> Result<Flow, String> {
        if self.message.contains(wanted) {
            return Ok(Flow::Next);
        }
        let line = format!("expected {wanted:?}, got {:?}", self.message);
        self.terminal.line(&line).map_err(|error| error.to_string())?;
        Ok(Flow::Exit(NOT_EXPECTED))
    }

    fn hook(&mut self, event: &str, payload: Option<&str>) -> Result<(), String> {
        const DEADLINE: Duration = Duration::from_secs(30);
        let variable = |name, default: &str| {
            std::env::var_os(name).unwrap_or_else(|| default.into()).to_string_lossy().into_owned()
        };
        let own = format!("{{\"session_id\":\"demo-{}\"}}", variable("AO_SESSION", "none"));
        let agent = variable("AO_DEMO_AGENT", "demo");
        let command = Cmd::new("ao").args(["hook", &agent, event]);
        let output = with_identity(command)
            .stdin(payload.unwrap_or(&own))
            .deadline(DEADLINE)
            .output()
            .map_err(|error| error.to_string())?;
        self.hear(&output.text());
        if output.success() {
            Ok(())
        } else {
            self.say(&format!("hook {event} failed: {}", output.last_error()))
        }
    }

    /// Takes an instruction in a hook's answer as the next message.
    fn hear(&mut self, answer: &str) {
        let answer: serde_json::Value =
            serde_json::from_slice(answer.as_bytes()).unwrap_or_default();
        let instruction = answer.get("reason").and_then(serde_json::Value::as_str);
        self.answered = instruction.is_some();
        if let Some(instruction) = instruction {
            instruction.clone_into(&mut self.message);
        }
    }

    fn run(&mut self, argv: &[String]) -> Result<(), String> {
        const DEADLINE: Duration = Duration::from_secs(600);
        let argv: Vec<_> = argv.iter().map(|word| self.filled(word)).collect();
        let Some((program, args)) = argv.split_first() else { return Ok(()) };
        let output = with_identity(Cmd::new(program).args(args))
            .deadline(DEADLINE)
            .output()
            .map_err(|error| error.to_string())?;
        let printed = format!("{}{}", output.text(), output.stderr);
        if !printed.trim().is_empty() {
            self.say(printed.trim_end())?;
        }
        if !output.success() {
            self.say(&format!("{program} ended with exit code {}", cmd::exit_code(output.status)))?;
        }
        Ok(())
    }

    fn spawn_child(&mut self) -> Result<(), String> {
        let child = with_identity(Cmd::new("setsid").args(["sleep", "3600"]))
            .spawn(Stdio::null(), Stdio::null(), Stdio::null())
            .map_err(|error| error.to_string())?;
        self.say(&format!("child {}", child.id()))
    }

    /// Returns `text` with its placeholders filled.
    fn filled(&self, text: &str) -> String {
        text.replace("{prompt}", &self.prompt).replace("{message}", &self.message)
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
        fs::create_private_directories(directory).map_err(|error| error.to_string())?;
    }
    // `replace` wants a directory to put its temporary file into.
    let path = if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) };
    fs::replace(&path, text.as_bytes(), Durability::Process).map_err(|error| error.to_string())
}

fn commit(message: &str) -> Result<(), String> {
    let git = |args: &[&str]| {
        let identity =
            ["user.name=Demo Agent", "user.email=demo@example.com", "commit.gpgsign=false"];
        let options = identity.iter().flat_map(|option| ["-c", option]);
        let command = Cmd::new("git").args(options).args(args.iter().copied());
        command.deadline(Duration::from_secs(60)).read().map_err(|error| error.to_string())
    };
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", message]).map(|_| ())
}

/// Dies of `signal`, without leaving a core file.
fn die(signal: Signal) -> Result<(), String> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|error| error.to_string())?;
    // Rust's own handler of SIGSEGV only removes itself the first time, where the fault that it
    // expects to come again was no fault.
    kill_process(getpid(), signal)
        .and_then(|()| kill_process(getpid(), signal))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(directory: &tempfile::TempDir, script: &str) -> i32 {
        let path = directory.path().join("script");
        fs::replace(&path, script.as_bytes(), Durability::Process).unwrap();
        let prompt = Some("fix it".into());
        run(&DemoAgentArgs { script: Some(path), prompt, ..DemoAgentArgs::default() })
    }

    #[test]
    fn the_script_decides_how_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let cases = [
            ("", 0),
            ("exit 3\nexit 4", 3),
            ("repeat 2 {\nsay x\n}\nexit 5", 5),
            ("loop {\nexit 6\n}", 6),
            ("expect x", NOT_EXPECTED),
            ("jump", BAD_SCRIPT),
            ("kill-self 4444", STEP_FAILED),
            ("run no-such-program-here", STEP_FAILED),
            ("run sh -c \"exit 3\"", 0),
        ];
        for (script, code) in cases {
            assert_eq!(play(&directory, script), code, "{script}");
        }
        let missing = DemoAgentArgs { script: Some("/no/script".into()), ..Default::default() };
        assert_eq!(run(&missing), BAD_SCRIPT);
    }

    #[test]
    fn it_writes_what_it_was_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/out.txt");
        assert_eq!(play(&directory, &format!("write {} got: {{prompt}}", path.display())), 0);
        assert_eq!(fs::read_text(&path).unwrap(), "got: fix it\n");
    }
}
