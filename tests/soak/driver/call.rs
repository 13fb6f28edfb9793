//! One `ao` that is run, hurt or left alone, and watched.

use std::io::{Read, Seek, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use ao::adapter::clock;
use rustix::process::Signal;
use serde_json::Value;

use super::ledger::Window;
use super::world::{self, World, uptime};

/// What is done to a process on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Nothing.
    None,
    /// It is killed after so long.
    Kill(Duration),
    /// It is stopped after so long, for so long.
    Pause(Duration, Duration),
    /// A failpoint acts in it (debug builds only).
    Point(String),
}

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The arguments.
    pub(crate) args: Vec<String>,
    /// What it reads.
    pub(crate) stdin: Option<String>,
    /// More variables.
    pub(crate) env: Vec<(&'static str, String)>,
    /// How long it may take before that is a finding.
    pub(crate) limit: Duration,
    /// What is done to it.
    pub(crate) harm: Harm,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code, 128 + n for signal n.
    pub(crate) code: i32,
    /// The JSON document on standard output, null where there is none.
    pub(crate) answer: Value,
    /// Standard output as it is.
    pub(crate) text: String,
    /// Standard error.
    pub(crate) error: String,
    /// How long it took.
    pub(crate) took: Duration,
    /// Its number.
    pub(crate) pid: u32,
    /// The machine's uptime before and after.
    pub(crate) during: Window,
    /// What it and its children were doing when it had taken too long.
    pub(crate) overdue: Option<String>,
}

impl Call {
    /// Returns one that is not hurt and may take `limit` seconds.
    pub(crate) fn new(args: &[&str], limit: u64) -> Self {
        Self {
            args: args.iter().map(|word| (*word).to_owned()).collect(),
            stdin: None,
            env: Vec::new(),
            limit: Duration::from_secs(limit),
            harm: Harm::None,
        }
    }

    /// Runs it to its end, or to the end of anybody's patience.
    pub(crate) fn run(&self, world: &World) -> std::io::Result<Done> {
        let mut command = world.ao();
        command.args(&self.args);
        for (name, value) in &self.env {
            command.env(name, value);
        }
        if let Harm::Point(spec) = &self.harm {
            command.env("AO_FAILPOINT", spec);
        }
        if let Some(text) = &self.stdin {
            command.stdin(file_of(text)?);
        }
        // Files rather than pipes: whatever inherits one cannot hold this up.
        let (mut out, mut error) = (tempfile::tempfile()?, tempfile::tempfile()?);
        command.stdout(out.try_clone()?).stderr(error.try_clone()?);
        let (started, from) = (Instant::now(), uptime());
        let mut child = command.spawn()?;
        let overdue = self.wait(&mut child, started)?;
        let status = child.wait()?;
        let took = started.elapsed();
        let text = read_back(&mut out)?;
        Ok(Done {
            code: ao::adapter::cmd::exit_code(status),
            answer: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
            error: read_back(&mut error)?,
            took,
            pid: child.id(),
            during: Window { from, to: uptime() },
            overdue,
        })
    }

    fn wait(&self, child: &mut Child, started: Instant) -> std::io::Result<Option<String>> {
        let mut harm = self.harm.clone();
        let mut resume: Option<Duration> = None;
        loop {
            if child.try_wait()?.is_some() {
                return Ok(None);
            }
            let elapsed = started.elapsed();
            match &harm {
                Harm::Kill(after) if elapsed >= *after => {
                    child.kill()?;
                    harm = Harm::None;
                }
                Harm::Pause(after, pause) if elapsed >= *after => {
                    world::signal(child.id(), Signal::STOP);
                    resume = Some(elapsed + *pause);
                    harm = Harm::None;
                }
                Harm::None | Harm::Kill(_) | Harm::Pause(..) | Harm::Point(_) => {}
            }
            if resume.is_some_and(|at| elapsed >= at) {
                world::signal(child.id(), Signal::CONT);
                resume = None;
            }
            if elapsed >= self.limit {
                let dump = dump(child.id());
                world::signal(child.id(), Signal::CONT);
                child.kill()?;
                return Ok(Some(format!("ao {}: {dump}", self.args.join(" "))));
            }
            let pause = if elapsed < Duration::from_millis(200) { 3 } else { 15 };
            clock::pause(Duration::from_millis(pause));
        }
    }
}

fn file_of(text: &str) -> std::io::Result<Stdio> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

fn read_back(file: &mut std::fs::File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns what a process and everything below it wait for.
fn dump(pid: u32) -> String {
    let mut text = String::new();
    let mut below = vec![pid];
    while let Some(pid) = below.pop() {
        let read =
            |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let state = world::stat(pid).map_or('?', |(state, _, _)| state);
        let line = world::command_line(pid).join(" ");
        let stack = read("stack").lines().take(3).collect::<Vec<_>>().join(" < ");
        text += &format!("[{pid} {state} {} {line} {stack}]", read("wchan"));
        let children = read(&format!("task/{pid}/children"));
        below.extend(children.split(' ').filter_map(|word| word.trim().parse::<u32>().ok()));
    }
    text
}
