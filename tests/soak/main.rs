//! Many sessions under random faults, and one page about what became of them.
//!
//! `script/soak` builds and runs this program.
#![expect(clippy::disallowed_methods, reason = "a test program touches files and clocks itself")]

mod driver;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use driver::Options;

/// Let many sessions run under random faults, and say what was lost
#[derive(Debug, Parser)]
struct Args {
    /// How many sessions there are at a time
    #[arg(long, value_name = "N", default_value_t = 100)]
    sessions: usize,
    /// How many operations are under way at a time, reaps and faults aside
    #[arg(long, value_name = "N", default_value_t = 6)]
    hands: u64,
    /// How long, set-up and settling aside
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    time: Duration,
    /// What the choices are drawn from; the same seed makes the same choices
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The ao to run instead of the one that was built with this program
    #[arg(long, value_name = "FILE")]
    ao: Option<PathBuf>,
    /// Leave everything where it is when something is wrong
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    run(&Args::parse()).unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let ao = args.ao.clone().map_or_else(ao_beside_this, Ok)?;
    let drawn = || std::process::id().into();
    let seed = args.seed.unwrap_or_else(drawn);
    writeln!(io::stderr(), "soak: seed {seed}, {} sessions", args.sessions)?;
    let options = Options {
        ao,
        sessions: args.sessions,
        hands: args.hands,
        time: args.time,
        seed,
        keep: args.keep,
    };
    let report = driver::run(&options)?;
    writeln!(io::stderr(), "{}", report.failures)?;
    write!(io::stdout(), "{}", report.page)?;
    Ok(if report.is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the `ao` that was built with this program: `target/debug/examples/soak` is this one.
fn ao_beside_this() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(std::path::Path::parent).context("no folder above")?;
    Ok(folder.join("ao"))
}
