//! `ao timer`: the clock that runs `ao reap`.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use crate::adapter::fs::{self, Durability};
use crate::adapter::runtime;
use crate::adapter::scheduler::{self, Change, Installed, Programs, SchedulerError, Timer};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::invocation::World;
use crate::reap;

/// Let a systemd timer, or cron, run `ao reap`
#[derive(Debug, clap::Args)]
pub struct TimerArgs {
    #[command(subcommand)]
    command: TimerCommand,
}

#[derive(Debug, Subcommand)]
enum TimerCommand {
    /// Install it: systemd user units, or a crontab line where there is no systemd
    Install {
        /// How often; the configuration's `reap` where it is left out. cron keeps whole minutes and
        /// what divides an hour or a day: the longest that is not above it, a minute at the least
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        interval: Option<Duration>,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Say whether it is installed, and when it last ran
    Status,
    /// Remove it
    Rm {
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Where the home keeps the interval, so that `ls` need not ask a scheduler.
const RECORD: &str = "timer.json";

fn record_interval(world: &World, interval: Duration) -> Result<(), CommandError> {
    let text = json!({ "schema": 1, "interval_s": interval.as_secs() }).to_string();
    Ok(fs::replace(&world.home.root().join(RECORD), text.as_bytes(), Durability::Process)?)
}

/// Returns the interval of the timer that was installed for this home, without asking anybody.
pub fn recorded_interval(world: &World) -> Option<Duration> {
    let bytes = fs::read_own(&world.home.root().join(RECORD)).ok()??;
    let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    value.get("interval_s")?.as_u64().map(Duration::from_secs)
}

/// Runs `ao timer`.
pub fn run(context: &Context, out: &mut dyn Write, args: &TimerArgs) -> Result<Exit, CommandError> {
    let programs = Programs::default();
    match &args.command {
        TimerCommand::Install { interval, dry_run } => {
            install(context, out, &programs, *interval, *dry_run)?;
        }
        TimerCommand::Status => status(context, out, &programs)?,
        TimerCommand::Rm { dry_run } => remove(context, out, &programs, *dry_run)?,
    }
    Ok(Exit::Done)
}

fn timer(world: &World, interval: Option<Duration>) -> Result<Timer, CommandError> {
    let interval = match interval {
        Some(interval) => interval,
        None => world.config(None)?.config.reap,
    };
    Ok(Timer {
        ao: runtime::ao_program()?,
        home: world.home.root().to_owned(),
        // A timer's own PATH is too short for agents in ~/.local/bin and the like.
        path: world.variable("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin").to_owned(),
        config_home: world.variable("XDG_CONFIG_HOME").map(std::path::PathBuf::from),
        interval,
        units: units(world),
    })
}

/// Returns where the user's systemd units are.
pub fn units(world: &World) -> std::path::PathBuf {
    let config = world.config_directory.parent().unwrap_or(&world.config_directory);
    config.join("systemd/user")
}

fn install(
    context: &Context,
    out: &mut dyn Write,
    programs: &Programs,
    interval: Option<Duration>,
    dry_run: bool,
) -> Result<(), CommandError> {
    let world = context.world()?;
    let mut timer = timer(&world, interval)?;
    if timer.interval < Duration::from_secs(1) {
        let error = anyhow::anyhow!(
            "a timer cannot run every {}",
            humantime::format_duration(timer.interval)
        );
        return Err(CommandError::new(Exit::Invalid, error).hint("such as --interval 1m"));
    }
    let scheduler = scheduler::detect(programs)?;
    // Told and recorded is what will be, not what was asked for.
    timer.interval = scheduler.kept(timer.interval);
    if dry_run {
        let every = humantime::format_duration(timer.interval);
        let step = (format!("install a {} timer", scheduler.as_str()), format!("every {every}"));
        return Ok(output::plan(out, context.global.json, &[step])?);
    }
    let change = scheduler::install(programs, scheduler, &timer)?;
    record_interval(&world, timer.interval)?;
    if context.global.json {
        let value = json!({ "scheduler": scheduler.as_str(), "changed": change == Change::Made,
            "interval": humantime::format_duration(timer.interval).to_string() });
        output::json_answer(out, "timer", value)?;
    } else {
        let word = if change == Change::Made { "installed" } else { "is installed already" };
        let every = humantime::format_duration(timer.interval);
        writeln!(out, "{} timer {word}: ao reap every {every}", scheduler.as_str())?;
    }
    if scheduler == scheduler::Scheduler::Systemd
        && let Some(user) = world.variable("USER")
        && scheduler::lingers(programs, user) == Some(false)
    {
        context.tell(
            "hint: `loginctl enable-linger` keeps the timer and tmux running after you log out",
        );
    }
    Ok(())
}

/// Returns the timers that make passes in this home: those that were installed for it, else the
/// package's, where this is the home that it is for.
pub fn found(world: &World, programs: &Programs) -> Result<Vec<Installed>, SchedulerError> {
    let own = scheduler::status(programs, &units(world), world.home.root())?;
    if !own.is_empty() || !is_default_home(world) {
        return Ok(own);
    }
    Ok(scheduler::packaged(programs).into_iter().collect())
}

/// Returns whether a service that is told nothing would find this home.
fn is_default_home(world: &World) -> bool {
    let home = world.variable("HOME").map(|home| Path::new(home).join(".local/state/ao"));
    home.is_some_and(|home| fs::canonical(&home).unwrap_or(home) == world.home.root())
}

fn status(context: &Context, out: &mut dyn Write, programs: &Programs) -> Result<(), CommandError> {
    let world = context.reader()?;
    let found = found(&world, programs)?;
    let last = reap::last_pass(&world);
    if context.global.json {
        let timers: Vec<_> = found
            .iter()
            .map(|timer| {
                output::object([
                    ("scheduler", json!(timer.scheduler.as_str())),
                    ("interval_s", json!(timer.interval.map(|interval| interval.as_secs()))),
                    ("active", json!(timer.active)),
                ])
            })
            .collect();
        let value = json!({ "timers": timers, "last_reap": last });
        return Ok(output::json_answer(out, "timer", value)?);
    }
    if found.is_empty() {
        writeln!(out, "no timer is installed")?;
    }
    for timer in found {
        let every = timer.interval.map_or_else(String::new, |interval| {
            format!(", every {}", humantime::format_duration(interval))
        });
        let active = match timer.active {
            Some(true) => ", active",
            Some(false) => ", not active",
            None => "",
        };
        writeln!(out, "{} timer{every}{active}", timer.scheduler.as_str())?;
    }
    match last {
        Some(at) => writeln!(out, "last reap: {at}")?,
        None => writeln!(out, "last reap: never")?,
    }
    Ok(())
}

fn remove(
    context: &Context,
    out: &mut dyn Write,
    programs: &Programs,
    dry_run: bool,
) -> Result<(), CommandError> {
    let world = context.reader()?;
    if dry_run {
        let found = scheduler::status(programs, &units(&world), world.home.root())?;
        let steps: Vec<(String, String)> = found
            .iter()
            .map(|timer| {
                let op = format!("remove the {} timer", timer.scheduler.as_str());
                (op, "it is installed".to_owned())
            })
            .collect();
        return Ok(output::plan(out, context.global.json, &steps)?);
    }
    let change = scheduler::remove(programs, &units(&world), world.home.root())?;
    fs::remove_file(&world.home.root().join(RECORD))?;
    if context.global.json {
        output::json_answer(out, "timer", json!({ "changed": change == Change::Made }))?;
    } else {
        let word = if change == Change::Made { "removed" } else { "no timer was installed" };
        writeln!(out, "{word}")?;
    }
    Ok(())
}
