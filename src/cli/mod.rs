//! The command line: one clap tree, one file per subcommand, one way to render errors.

pub mod agent;
pub mod approve;
pub mod attach;
pub mod check_run;
pub mod cleanup;
pub mod config;
pub mod context;
pub mod decide;
pub mod demo;
pub mod doctor;
mod dry_run;
pub mod env;
pub mod error;
pub mod examples;
pub mod exec;
pub mod exit;
pub mod generate;
pub mod health;
pub mod help;
pub mod hook;
pub mod init;
pub mod interrupt;
pub mod issue;
pub mod kill;
pub mod launch;
pub mod log;
pub mod ls;
pub mod merge;
pub mod metrics;
mod narration;
pub mod notify;
pub mod observe;
pub mod orchestrator;
pub mod outbox;
pub mod output;
pub mod pr;
pub mod project;
mod quick;
pub mod reap;
pub mod rename;
pub mod report;
pub mod restore;
pub mod review;
pub mod screen;
pub mod send;
pub mod show;
pub mod skill;
pub mod spawn;
pub mod status;
pub mod timer;
pub mod trust;
pub mod wait;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::context::Context;
use crate::cli::env::Environment;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;

/// Run coding agents side by side, each in its own tmux session and git worktree
///
/// There is no daemon: every invocation takes a lock, loads a record, decides, writes, and drives
/// tmux and git. `ao reap`, from cron or a systemd timer, is the only clock.
#[derive(Debug, Parser)]
#[command(
    name = "ao",
    version = VERSION,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "See `ao help` for examples, `ao help exit-codes` for what each exit code means.",
    after_long_help = long_help()
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The version that `ao --version` tells.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every subcommand takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// Keep records in DIR instead of $AO_HOME or ~/.local/state/ao
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub home: Option<PathBuf>,
    /// Answer with one JSON document on standard output
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// When to use colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Global options"
    )]
    pub color: ColorWhen,
    /// How long to wait for a lock that another ao holds
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = humantime::parse_duration,
        help_heading = "Global options"
    )]
    pub lock_timeout: Duration,
}

impl Default for Global {
    /// Returns what holds where no global flag is given.
    fn default() -> Self {
        Self {
            home: None,
            json: false,
            color: ColorWhen::Auto,
            lock_timeout: Duration::from_secs(10),
        }
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Project(project::ProjectArgs),
    Spawn(Box<spawn::SpawnArgs>),
    Orchestrator(orchestrator::OrchestratorArgs),
    Ls(ls::LsArgs),
    Status(status::StatusArgs),
    Show(show::ShowArgs),
    Explain(show::ExplainArgs),
    Log(log::LogArgs),
    Events(log::EventsArgs),
    Send(send::SendArgs),
    Approve(approve::ApproveArgs),
    Deny(approve::DenyArgs),
    Report(report::ReportArgs),
    Review(review::ReviewArgs),
    Interrupt(interrupt::InterruptArgs),
    Attach(attach::AttachArgs),
    Output(screen::OutputArgs),
    Path(exec::PathArgs),
    Exec(exec::ExecArgs),
    Wait(wait::WaitArgs),
    Merge(merge::MergeArgs),
    Kill(kill::KillArgs),
    Restore(restore::RestoreArgs),
    Cleanup(cleanup::CleanupArgs),
    Rename(rename::RenameArgs),
    Reap(reap::ReapArgs),
    Observe(observe::ObserveArgs),
    Decide(decide::DecideArgs),
    Hook(hook::HookArgs),
    Outbox(outbox::OutboxArgs),
    Issue(issue::IssueArgs),
    Pr(pr::PrArgs),
    Notify(notify::NotifyArgs),
    Timer(timer::TimerArgs),
    Metrics(metrics::MetricsArgs),
    Agent(agent::AgentArgs),
    Doctor(doctor::DoctorArgs),
    Config(config::ConfigArgs),
    Trust(trust::TrustArgs),
    Demo(demo::DemoArgs),
    Skill(skill::SkillArgs),
    Schema(generate::SchemaArgs),
    Completions(generate::CompletionsArgs),
    Man(generate::ManArgs),
    Help(help::HelpArgs),
    #[command(hide = true)]
    Launch(launch::LaunchArgs),
    #[command(hide = true, name = "check-run")]
    CheckRun(check_run::CheckRunArgs),
    #[command(hide = true, name = "demo-agent")]
    DemoAgent(crate::demo::agent::DemoAgentArgs),
}

/// What `ao help` ends with: headings that end in a colon, and indented lines below them.
fn long_help() -> String {
    let indented =
        |text: &str| -> String { text.lines().map(|line| format!("  {line}\n")).collect() };
    let codes = indented(&exit::table());
    format!("Examples:\n{}\nExit codes:\n{}", indented(EXAMPLES), codes.trim_end())
}

const EXAMPLES: &str = "\
$ ao demo                                # see everything at work, in a place that is thrown away
$ ao spawn --agent shell 'make test'     # start a session in this repository; prints its id
$ ao status                              # what each session does now, and why
$ ao attach app-1                        # look at it; Ctrl-Q comes back
$ ao send app-1 'and now the tests'      # typed in, and proved to have arrived
$ ao wait app-1 --timeout 10m            # until it is idle, needs a person, or has ended
$ ao explain app-1                       # why its status is what it is
$ ao cleanup                             # remove what holds nothing of value
$ ao timer install                       # let a timer run `ao reap` every minute";

/// Returns the one definition of the command line, for man pages, completions and reference.
pub fn command() -> clap::Command {
    examples::with_examples(Cli::command())
}

/// Runs `ao` with the given arguments, the program's name first; returns its exit code.
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.collect();
    let word = first_word(&arguments).map(|word| word.to_string_lossy().into_owned());
    if let Some(word) = &word {
        crate::store::lock::name_holder(&format!("ao {word}"));
    }
    // A hook's exit code steers the agent that called it, so even wrong usage is a quiet 0.
    if word.as_deref() == Some("hook") {
        hook::run_quietly(&arguments);
        return Exit::Done.code();
    }
    // Descriptors that a caller leaked (a cron job's lock, a surrounding tmux's) must not live on
    // in a tmux server for days. Hooks and `ls` start nobody who could inherit them.
    if word.as_deref() != Some("ls") {
        crate::adapter::process::close_inherited_descriptors();
    }
    if quick::asks_for_version(&arguments) {
        let _ = writeln!(io::stdout(), "ao {VERSION}");
        return Exit::Done.code();
    }
    let as_json = arguments.iter().any(|argument| argument == "--json");
    match quick::parse(&arguments).map_or_else(|| Cli::try_parse_from(&arguments), Ok) {
        Ok(cli) => dispatch(cli),
        // Nobody but a reader of help pays for the examples in it.
        Err(error) if !error.use_stderr() => {
            let error = command().try_get_matches_from(&arguments).err().unwrap_or(error);
            usage_error(&error, as_json)
        }
        Err(error) => usage_error(&error, as_json),
    }
}

/// Returns the subcommand's name as it was typed, global flags before it passed over.
fn first_word(arguments: &[OsString]) -> Option<&OsString> {
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        match argument.as_encoded_bytes() {
            b"--home" | b"--color" | b"--lock-timeout" => {
                rest.next();
            }
            flag if flag.starts_with(b"-") => {}
            _ => return Some(argument),
        }
    }
    None
}

/// Help and version are answers; everything else clap says is wrong usage.
fn usage_error(error: &clap::Error, as_json: bool) -> u8 {
    if !error.use_stderr() {
        let _ = write!(io::stdout(), "{}", error.render());
        return Exit::Done.code();
    }
    if as_json {
        error::render(&usage_as_error(&error.render().to_string()), true);
    } else {
        let _ = write!(anstream::stderr(), "{}", error.render().ansi());
    }
    Exit::Invalid.code()
}

/// What clap says in paragraphs, as one message and one hint: the first paragraph names what is
/// wrong, a tip may follow, the rest is the usage.
fn usage_as_error(text: &str) -> CommandError {
    let words = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n").map(words);
    let message = paragraphs.next().unwrap_or_default();
    let message = message.trim_start_matches("error: ").to_owned();
    let tip = paragraphs.find_map(|text| text.strip_prefix("tip: ").map(str::to_owned));
    CommandError::new(Exit::Invalid, anyhow::anyhow!(message))
        .hint(tip.unwrap_or_else(|| "`--help` after the command says what it takes".to_owned()))
}

fn dispatch(cli: Cli) -> u8 {
    match cli.global.color {
        ColorWhen::Auto => {}
        ColorWhen::Always => anstream::ColorChoice::Always.write_global(),
        ColorWhen::Never => anstream::ColorChoice::Never.write_global(),
    }
    let context = Context::new(cli.global, Environment::read());
    narration::begin(context.env.text("AO_LOG"));
    // What is asked for raw stays so in a pipe too.
    let is_raw = matches!(&cli.command, Command::Output(args) if args.is_raw());
    let choice = if is_raw {
        anstream::ColorChoice::AlwaysAnsi
    } else {
        anstream::AutoStream::choice(&io::stdout())
    };
    let mut out = io::BufWriter::new(anstream::AutoStream::new(io::stdout().lock(), choice));
    let result = run_command(&context, &mut out, cli.command)
        .and_then(|exit| out.flush().map(|()| exit).map_err(CommandError::from));
    match result {
        Ok(code) => code.number(),
        // Whoever reads the answer has seen enough.
        Err(error) if error.is_broken_pipe() => Exit::Done.code(),
        Err(error) => {
            let _ = out.flush();
            error::render(&error, context.global.json);
            error.exit.code()
        }
    }
}

/// The exit code of a command: one of ours, or that of a program it ran.
#[derive(Clone, Copy, Debug)]
pub enum Code {
    /// One of the table.
    Ours(Exit),
    /// That of the program (`exec`), 128 + n for signal n.
    Program(u8),
}

impl From<Exit> for Code {
    fn from(exit: Exit) -> Self {
        Self::Ours(exit)
    }
}

impl Code {
    /// Returns the number the shell sees.
    fn number(self) -> u8 {
        match self {
            Self::Ours(exit) => exit.code(),
            Self::Program(code) => code,
        }
    }
}

fn run_command(
    context: &Context,
    out: &mut dyn Write,
    command: Command,
) -> Result<Code, CommandError> {
    let exit = match command {
        Command::Init(args) => init::run(context, out, &args),
        Command::Project(args) => project::run(context, out, &args),
        Command::Spawn(args) => spawn::run(context, out, &args),
        Command::Orchestrator(args) => orchestrator::run(context, out, &args),
        Command::Ls(args) => ls::run(context, out, &args),
        Command::Status(args) => status::run(context, out, &args),
        Command::Show(args) => show::run(context, out, &args),
        Command::Explain(args) => show::explain(context, out, &args),
        Command::Log(args) => log::run(context, out, &args),
        Command::Events(args) => log::events(context, out, &args),
        Command::Send(args) => send::run(context, out, &args),
        Command::Approve(args) => approve::approve(context, out, &args),
        Command::Deny(args) => approve::deny(context, out, &args),
        Command::Report(args) => report::run(context, out, &args),
        Command::Review(args) => review::run(context, out, &args),
        Command::Interrupt(args) => interrupt::run(context, out, &args),
        Command::Attach(args) => attach::run(context, &args),
        Command::Output(args) => screen::run(context, out, &args),
        Command::Path(args) => exec::path(context, out, &args),
        Command::Exec(args) => return exec::run(context, out, &args),
        Command::Wait(args) => wait::run(context, out, &args),
        Command::Merge(args) => merge::run(context, out, &args),
        Command::Kill(args) => kill::run(context, out, &args),
        Command::Restore(args) => restore::run(context, out, &args),
        Command::Cleanup(args) => cleanup::run(context, out, &args),
        Command::Rename(args) => rename::run(context, out, &args),
        Command::Reap(args) => reap::run(context, out, &args),
        Command::Observe(args) => observe::run(context, out, &args),
        Command::Decide(args) => decide::run(context, out, &args),
        // Taken care of before clap saw it.
        Command::Hook(args) => {
            hook::run(context, &args);
            Ok(Exit::Done)
        }
        Command::Outbox(args) => outbox::run(context, out, &args),
        Command::Pr(args) => pr::run(context, out, &args),
        Command::Issue(args) => issue::run(context, out, &args),
        Command::Notify(args) => notify::run(context, out, &args),
        Command::Timer(args) => timer::run(context, out, &args),
        Command::Metrics(args) => metrics::run(context, out, &args),
        Command::Agent(args) => agent::run(context, out, &args),
        Command::Doctor(args) => doctor::run(context, out, &args),
        Command::Config(args) => config::run(context, out, &args),
        Command::Trust(args) => trust::run(context, out, &args),
        Command::Demo(args) => return demo::run(context, out, &args),
        Command::Skill(args) => skill::run(context, out, &args),
        Command::Schema(args) => generate::schema(out, &args),
        Command::Completions(args) => generate::completions(context, out, &args),
        Command::Man(args) => generate::man(context, out, &args),
        Command::Help(args) => help::run(context, out, &args),
        Command::Launch(args) => return launch::run(context, &args),
        Command::CheckRun(args) => check_run::run(&args),
        Command::DemoAgent(args) => return Ok(demo::run_agent(&args)),
    };
    exit.map(Code::Ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_command_line() {
        let parsed = Cli::try_parse_from(["ao", "ls"]).unwrap().global;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Global::default()));
    }
}
