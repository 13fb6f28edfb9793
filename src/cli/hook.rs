//! `ao hook`: what an agent's hooks call.
//!
//! Always exits 0, starts nothing, and does nothing outside a session. It finds its session by
//! `AO_SESSION` and checks `AO_LAUNCH`; it never guesses. It prints nothing but, at the end of a
//! turn of an agent that takes it that way, its next instruction.

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use clap::Parser;
use serde::de::IgnoredAny;

use crate::adapter::{agent, clock, stdin};
use crate::cli::context::Context;
use crate::cli::env::Environment;
use crate::cli::error::CommandError;
use crate::cli::{Cli, Command, Global};
use crate::invocation::World;
use crate::model::id::{LaunchId, SessionId};
use crate::model::sanitize;
use crate::model::time::Timestamp;
use crate::session::answer;

/// How long an agent is given to say what it has to say; it waits for its hooks in turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tell ao what an agent does; called by the agent's hooks
///
/// Reads the hook's JSON from standard input. Always exits 0, wrong usage included.
#[derive(Debug, clap::Args)]
pub struct HookArgs {
    /// The agent card's name
    #[arg(value_name = "AGENT")]
    agent: String,
    /// The agent's own event, in kebab-case
    #[arg(value_name = "EVENT")]
    event: String,
}

/// Runs `ao hook` from the raw arguments, whatever they are.
pub fn run_quietly(arguments: &[OsString]) {
    // An agent waits for its hooks: the plain form, which is the one in their files, is read
    // without the whole command line being built first.
    let (global, args) = match plain(arguments) {
        Some(args) => (Global::default(), args),
        None => match Cli::try_parse_from(arguments) {
            Ok(Cli { global, command: Command::Hook(args) }) => (global, args),
            Ok(_) | Err(_) => return,
        },
    };
    run(&Context::new(global, Environment::read()), &args);
}

/// Reads `ao hook AGENT EVENT` without any flag.
fn plain(arguments: &[OsString]) -> Option<HookArgs> {
    let [_, command, agent, event] = arguments else { return None };
    let word = |word: &OsString| Some(word.to_str()?.to_owned()).filter(|w| !w.starts_with('-'));
    (command == "hook").then_some(())?;
    Some(HookArgs { agent: word(agent)?, event: word(event)? })
}

/// Runs `ao hook`.
pub fn run(context: &Context, args: &HookArgs) {
    let started = clock::now();
    let session = context.env.text("AO_SESSION").and_then(|id| id.parse::<SessionId>().ok());
    let launch = context.env.text("AO_LAUNCH").and_then(|id| id.parse::<LaunchId>().ok());
    let (Some(session), Some(launch)) = (session, launch) else { return };
    let has_task = context.env.text("AO_TASK").is_some();
    let Ok(world) = context.unconfigured_world() else { return };
    if let Err(error) = record(&world, &session, launch, has_task, args, started) {
        let line = format!("{session} {} {}: {}", args.agent, args.event, error.one_line());
        world.home.hooks_log(&line, started);
    }
}

fn record(
    world: &World,
    session: &SessionId,
    launch: LaunchId,
    has_task: bool,
    args: &HookArgs,
    started: Timestamp,
) -> Result<(), CommandError> {
    let is_whole = |bytes: &[u8]| serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
    let payload = stdin::read_within(agent::MAX_PAYLOAD, PATIENCE, is_whole);
    let cards = world.config_directory.join("agents");
    let Some(hearing) = agent::load_hearing(&cards, &args.agent, &args.event)? else {
        return Ok(());
    };
    let said = agent::map_hook(&hearing, &payload, &launch, has_task, started);
    let Some(said) = said else { return Ok(()) };
    match &hearing.rule.answer {
        Some(answer) => answer::heard(world, session, said, Some(&mut print_by(answer)))?,
        None => answer::heard(world, session, said, None)?,
    }
    Ok(())
}

/// Returns what prints a text as the agent takes it.
fn print_by(answer: &toml::Table) -> impl FnMut(&str) -> io::Result<()> + '_ {
    |message| {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", agent::answer_to(answer, &sanitize::paste(message)))?;
        out.flush()
    }
}
