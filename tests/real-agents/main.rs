//! Real agents under `ao`, with a local server in the model's place.
//!
//! `script/real-agents` installs the agents and runs this program; see `docs/agents.md`.
//!
//! ```text
//! real-agents story --cache DIR [--log DIR] [--write-docs] [AGENT…]
//! real-agents player --script FILE --port N
//! ```
#![expect(clippy::disallowed_methods, reason = "a test program touches files and clocks itself")]

mod agents;
mod player;
mod story;
mod table;
mod world;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use agents::Agent;
use player::{Player, Script};
use table::Report;
use world::World;

/// Run real agents through one story under ao, with a local server in the model's place
#[derive(Debug, Parser)]
enum Command {
    /// Run agents through the story and print what was seen
    Story(StoryArgs),
    /// Play a script until the process is ended, for trying an agent by hand
    Player(PlayerArgs),
}

#[derive(Debug, clap::Args)]
struct StoryArgs {
    /// The folder that holds each agent in a folder of its own
    #[arg(long, value_name = "DIR")]
    cache: PathBuf,
    /// Where to leave screens, records and requests of each agent
    #[arg(long, value_name = "DIR", default_value = "target/real-agents")]
    log: PathBuf,
    /// Try the cards in DIR instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    cards: Option<PathBuf>,
    /// The ao to run instead of the one that was built with this program
    #[arg(long, value_name = "FILE")]
    ao: Option<PathBuf>,
    /// How many seconds a condition may take to come true
    ///
    /// The machine may be busy, and some agents take half a minute to start.
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    patience: u64,
    /// Put the table into docs/agents.md
    #[arg(long)]
    write_docs: bool,
    /// The agents; all where none is named
    agents: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct PlayerArgs {
    /// The script, as JSON
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
    /// The port; 0 takes any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Story(args) => run_stories(&args),
        Command::Player(args) => play(&args),
    };
    outcome.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Plays until the process is ended and prints each request as it comes.
fn play(args: &PlayerArgs) -> anyhow::Result<ExitCode> {
    let text = fs::read(&args.script).with_context(|| args.script.display().to_string())?;
    let script: Script = serde_json::from_slice(&text)?;
    let player = Player::start(script, args.port)?;
    let mut out = io::stdout();
    writeln!(out, "{}", player.url())?;
    let mut seen = 0;
    loop {
        if let Some(request) = player.wait_for(seen, Duration::from_secs(3600), |_| true) {
            seen += 1;
            writeln!(out, "{}", request.to_json())?;
        }
    }
}

fn run_stories(args: &StoryArgs) -> anyhow::Result<ExitCode> {
    let chosen = chosen(&args.agents)?;
    let mut reports: Vec<Report> = Vec::new();
    for agent in chosen {
        let log = args.log.join(agent.name);
        let world = World::new(agent, &args.cache, args.ao.as_deref(), args.cards.as_deref());
        let world =
            world.with_context(|| format!("the story of {} could not begin", agent.name))?;
        let report = story::run(world, &log, Duration::from_secs(args.patience))?;
        write!(io::stdout(), "{}", table::as_text(&report))?;
        reports.push(report);
    }
    if args.write_docs {
        table::write_docs(&reports)?;
    }
    let failed = reports.iter().any(|report| report.agent.must_pass && !report.passed());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Agent>> {
    if names.is_empty() {
        return Ok(agents::ALL.iter().collect());
    }
    let known = || agents::ALL.iter().map(|it| it.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        let found = agents::ALL.iter().find(|agent| agent.name == name);
        found.with_context(|| format!("no story for `{name}`; there is one for {}", known()))
    };
    names.iter().map(find).collect()
}
