//! `ao config`: what is configured, and where it comes from.

use std::io::Write;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::adapter::git;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::health::{self, Check};
use crate::cli::output::{self, Table};
use crate::config::{self, Layered, Origin};
use crate::invocation::World;
use crate::model::answer::ValueFrom;
use crate::model::sanitize;
use crate::store::Project;

/// Show and change the configuration
///
/// Built in < user (~/.config/ao/config.toml) < repository (.ao/config.toml) < what the user's file
/// says of this project (`[projects.ID]`) < environment < flag.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every key that is set, as it applies here
    Show {
        /// Where each value comes from
        #[arg(long)]
        origin: bool,
        /// As it applies to this project instead of here
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
    },
    /// Print one value
    Get {
        /// The key, dotted
        #[arg(value_name = "KEY")]
        key: String,
        /// Where it comes from as well
        #[arg(long)]
        origin: bool,
        /// As it applies to this project instead of here
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
    },
    /// Set a value in the user's file
    Set {
        /// The key, dotted
        #[arg(value_name = "KEY")]
        key: String,
        /// The value, as TOML; plain text counts as a string
        #[arg(value_name = "VALUE")]
        value: String,
        /// For this project alone; it wins over what its repository says
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Check the user's file, this repository's and the cards
    ///
    /// Says what is wrong, and what is right and yet does nothing: a table of a project that is
    /// not there, intake without a tracker. Exits 2 if anything is wrong.
    Check,
    /// Print the path of the user's file
    Path,
    /// Print every key, its default and its meaning
    Reference,
}

/// Runs `ao config`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &ConfigArgs,
) -> Result<Exit, CommandError> {
    let file = context.env.config_directory().join("config.toml");
    match &args.command {
        ConfigCommand::Show { origin, project } => {
            show(context, out, *origin, project.as_deref())?;
        }
        ConfigCommand::Get { key, origin, project } => {
            get(context, out, key, *origin, project.as_deref())?;
        }
        ConfigCommand::Check => return check(context, out),
        ConfigCommand::Set { key, value, project, dry_run } => {
            let key = match project {
                Some(name) => format!("projects.{}.{key}", known(&context.reader()?, name)?.id),
                None => key.clone(),
            };
            if *dry_run {
                config::check_set(&file, &key, value)?;
                let step = (format!("set {key} in {}", file.display()), value.clone());
                output::plan(out, context.global.json, &[step])?;
                return Ok(Exit::Done);
            }
            config::set(&file, &key, value)?;
            if context.global.json {
                output::json_answer(out, "config", json!({ "key": key, "path": file }))?;
            } else {
                writeln!(out, "{key} set in {}", file.display())?;
            }
        }
        ConfigCommand::Path if context.global.json => {
            output::json_answer(out, "path", json!(file))?;
        }
        ConfigCommand::Path => writeln!(out, "{}", file.display())?,
        ConfigCommand::Reference if context.global.json => {
            output::json_answer(out, "reference", config::reference())?;
        }
        ConfigCommand::Reference => out.write_all(config::reference().as_bytes())?,
    }
    Ok(Exit::Done)
}

/// Returns the project of that id; a typing error would set something that never counts.
fn known(world: &World, name: &str) -> Result<Project, CommandError> {
    Ok(world.home.project(&name.parse()?)?)
}

/// Returns what applies to the project, or here where none is named.
fn applying(world: &World, project: Option<&str>) -> Result<Arc<Layered>, CommandError> {
    if let Some(name) = project {
        let project = known(world, name)?;
        return Ok(world.config_for(Some(&project.repo), Some(project.id))?);
    }
    let repository = git::discover(&world.directory).ok().map(|repository| repository.main);
    Ok(world.config(repository.as_deref())?)
}

fn show(
    context: &Context,
    out: &mut dyn Write,
    origin: bool,
    project: Option<&str>,
) -> Result<(), CommandError> {
    let layered = applying(&context.reader()?, project)?;
    // Secrets (variables of agents, addresses and arguments of notifiers) are redacted in it.
    let leaves = layered.shown();
    if context.global.json {
        let mut values = Map::new();
        for (key, value, from) in leaves {
            let value = if origin { json!(value_from(key, &value, from)) } else { json!(value) };
            values.insert(key.to_owned(), value);
        }
        output::json_answer(out, "config", values)?;
        return Ok(());
    }
    if !origin {
        for (key, value, _) in leaves {
            writeln!(out, "{}", sanitize::text(&format!("{key} = {value}")))?;
        }
        return Ok(());
    }
    let mut table = Table::new(&["KEY", "VALUE", "ORIGIN"]);
    for (key, value, from) in leaves {
        table.row([key.to_owned(), value.to_string(), place(key, from)]);
    }
    Ok(table.write(out)?)
}

/// Returns a value and where it comes from.
fn value_from(key: &str, value: &toml::Value, from: &Origin) -> ValueFrom {
    let place = from.place(key);
    ValueFrom {
        value: json!(value),
        layer: from.layer().to_owned(),
        origin: from.to_string(),
        file: place.map(|(file, _)| file.to_owned()),
        line: place.map(|(_, line)| line as u64),
    }
}

/// Returns where a value comes from, in words: `built in`, `/home/…/config.toml:3`, `AO_AGENT`.
fn place(key: &str, from: &Origin) -> String {
    match from.place(key) {
        Some((file, line)) => format!("{}:{line}", file.display()),
        None => from.to_string(),
    }
}

fn get(
    context: &Context,
    out: &mut dyn Write,
    key: &str,
    origin: bool,
    project: Option<&str>,
) -> Result<(), CommandError> {
    let layered = applying(&context.reader()?, project)?;
    let value = layered.value(key);
    if let (true, Some(from), Some(value)) = (origin, layered.origins().get(key), &value) {
        if context.global.json {
            output::json_answer(out, "value", value_from(key, value, from))?;
        } else {
            let line = format!("{value}  {}", place(key, from));
            writeln!(out, "{}", sanitize::text(&line))?;
        }
        return Ok(());
    }
    let known = || config::KEYS.iter().any(|known| known.path == key);
    match value {
        Some(value) if context.global.json => {
            output::json_answer(out, "value", serde_json::to_value(value).unwrap_or(Value::Null))?;
        }
        Some(toml::Value::String(text)) => writeln!(out, "{}", sanitize::text(&text))?,
        Some(value) => writeln!(out, "{}", sanitize::text(&value.to_string()))?,
        // A known key without a value answers with nothing, as an empty list would.
        None if known() && context.global.json => output::json_answer(out, "value", Value::Null)?,
        None if known() => {}
        None => {
            let paths: Vec<&str> = config::KEYS.iter().map(|known| known.path).collect();
            let meant = config::did_you_mean(key, &paths);
            return Err(CommandError::new(Exit::NotFound, anyhow::anyhow!("no key `{key}`"))
                .hint(format!("{meant}`ao config reference` lists every key")));
        }
    }
    Ok(())
}

/// Runs `ao config check`.
fn check(context: &Context, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let mut checks = Vec::new();
    health::configuration(&world, &mut checks);
    let well = checks.iter().all(|check: &Check| check.ok);
    health::write(context, out, "check", &checks)?;
    Ok(if well { Exit::Done } else { Exit::Invalid })
}
