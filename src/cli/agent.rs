//! `ao agent`: which agents there are, and what their cards say.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::adapter::agent::{self, Card, CardError, Cards, Preflight};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Table};
use crate::model::answer::{Agent, AgentsAnswer, BadCard, CardAnswer, CardText};
use crate::model::sanitize;
use crate::session::preflight;

/// See the agents that can be started, and check cards of your own
///
/// What ao knows of an agent is its card, a TOML file. Those of your own are
/// $XDG_CONFIG_HOME/ao/agents/NAME.toml; one with the name of a built-in agent takes its place.
#[derive(Debug, clap::Args)]
pub struct AgentArgs {
    #[command(subcommand)]
    command: AgentCommand,
}

#[derive(Debug, Subcommand)]
enum AgentCommand {
    /// List the agents: installed, which version, logged in
    ///
    /// Asks each program for its version and login as its card says, side by side and for at most
    /// 3 seconds each; what did not answer is unknown.
    Ls {
        /// Start no program: version is left out, login is told from variables and files alone
        #[arg(long)]
        offline: bool,
    },
    /// Print an agent's card, ready to be copied and edited
    Show {
        /// The agent
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Read a card as it would be used, and say what is wrong with it
    ///
    /// Exits 2 with file, line and what is allowed there for one that would be refused.
    Check {
        /// The card
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Runs `ao agent`.
pub fn run(context: &Context, out: &mut dyn Write, args: &AgentArgs) -> Result<Exit, CommandError> {
    match &args.command {
        AgentCommand::Ls { offline } => ls(context, out, !offline),
        AgentCommand::Show { name } => show(context, out, name),
        AgentCommand::Check { file } => check(context, out, file),
    }
}

fn directory(context: &Context) -> PathBuf {
    context.env.config_directory().join("agents")
}

fn ls(context: &Context, out: &mut dyn Write, ask: bool) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let cards = agent::load_cards(&directory(context))?;
    let visible: Vec<&Card> = cards.visible(|name| world.variable(name).is_some()).collect();
    // A configuration that cannot be read is a fault of its own, which `ao doctor` tells.
    let variables = preflight::variables(&world, world.config(None).ok().as_deref());
    let seen = agent::look(&visible, &variables, ask);
    let agents = visible.iter().zip(seen).map(|(card, seen)| answer(&cards, card, seen)).collect();
    let bad = cards.bad().filter_map(|(name, error)| bad_card(name, &error)).collect();
    let answer = AgentsAnswer { schema: output::SCHEMA, agents, bad };
    if context.global.json {
        output::json(out, &answer)?;
    } else {
        table(out, &answer)?;
        for bad in &answer.bad {
            context.tell(&format!("warning: {}:{}: {}", bad.file.display(), bad.line, bad.why));
        }
    }
    Ok(Exit::Done)
}

fn answer(cards: &Cards, card: &Card, seen: Preflight) -> Agent {
    let file = cards.own_file(card.name()).map(Path::to_owned);
    Agent {
        name: card.name().to_owned(),
        description: card.agent.description.clone(),
        installed: seen.path.is_some(),
        path: seen.path,
        version: seen.version,
        minimum: card.preflight.minimum.clone(),
        too_old: seen.too_old,
        login: seen.login,
        built_in: file.is_none(),
        file,
        mode: card.agent.mode,
        signals: card.signals(true),
    }
}

fn bad_card(name: &str, error: &CardError) -> Option<BadCard> {
    let CardError::Bad { path, line, why } = error else { return None };
    let line = u64::try_from(*line).unwrap_or(u64::MAX);
    Some(BadCard { name: name.to_owned(), file: path.clone(), line, why: why.clone() })
}

fn table(out: &mut dyn Write, answer: &AgentsAnswer) -> Result<(), CommandError> {
    let mut table = Table::new(&["AGENT", "VERSION", "LOGGED IN", "MODE", "CARD", "PROGRAM"]);
    for agent in &answer.agents {
        let version = match (&agent.version, &agent.minimum) {
            (Some(version), Some(minimum)) if agent.too_old => {
                format!("{version} (needs {minimum})")
            }
            (Some(version), _) => version.clone(),
            (None, _) => "-".to_owned(),
        };
        let path = agent.path.as_ref().map(|path| path.display().to_string());
        table.row([
            agent.name.clone(),
            version,
            if agent.installed { agent.login.to_string() } else { "-".to_owned() },
            agent.mode.to_string(),
            if agent.built_in { "built in" } else { "your own" }.to_owned(),
            path.unwrap_or_else(|| "not installed".to_owned()),
        ]);
    }
    Ok(table.write(out)?)
}

fn show(context: &Context, out: &mut dyn Write, name: &str) -> Result<Exit, CommandError> {
    let cards = agent::load_cards(&directory(context))?;
    let text = cards.text(name).map_err(|error| match error {
        CardError::Unknown { .. } => {
            CommandError::new(Exit::NotFound, error.into()).hint("`ao agent ls` lists all")
        }
        CardError::Bad { .. }
        | CardError::File(_)
        | CardError::Unsupported { .. }
        | CardError::PromptNeeded(_)
        | CardError::Nul(_)
        | CardError::TooLong { .. } => error.into(),
    })?;
    // One that cannot be used is shown all the same: it is there to be put right.
    if let Err(error @ CardError::Bad { .. }) = cards.find(name) {
        context.tell(&format!("warning: {error}"));
    }
    if context.global.json {
        let file = cards.own_file(name).map(Path::to_owned);
        let card = CardText { name: name.to_owned(), file, text: Some(text), summary: None };
        output::json(out, &CardAnswer { schema: output::SCHEMA, card })?;
    } else {
        write!(out, "{}", sanitize::text(&text))?;
    }
    Ok(Exit::Done)
}

fn check(context: &Context, out: &mut dyn Write, file: &Path) -> Result<Exit, CommandError> {
    let path = context.env.directory.join(file);
    let card = agent::check_card(&path)?;
    let summary = summary(&card);
    if context.global.json {
        let name = card.name().to_owned();
        let card = CardText { name, file: Some(path), text: None, summary: Some(summary) };
        output::json(out, &CardAnswer { schema: output::SCHEMA, card })?;
    } else {
        writeln!(out, "{}: {}", card.name(), sanitize::line(&summary))?;
    }
    Ok(Exit::Done)
}

/// Returns what the card makes of its agent, in a few words.
fn summary(card: &Card) -> String {
    let events = card.hooks.events.len();
    let modes: Vec<&str> = card.permissions.keys().map(String::as_str).collect();
    let mut parts = vec![
        format!("good; starts `{}`, {}", card.agent.binary, card.agent.mode),
        match events {
            0 => format!("signals by {}", card.signals(true)),
            _ => format!("signals by {} ({events} events)", card.signals(true)),
        },
    ];
    parts.extend((!modes.is_empty()).then(|| format!("permissions {}", modes.join(", "))));
    parts.extend((!card.model.args.is_empty()).then(|| "takes a model".to_owned()));
    parts.extend(card.agent.resume.is_some().then(|| "resumes".to_owned()));
    parts.join("; ")
}
