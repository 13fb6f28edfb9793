//! `ao help`: topics that belong to no single command.

use std::io::Write;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::{self, Exit};
use crate::cli::generate;
use crate::config;

/// Print help, for ao, a command, or a topic (exit-codes)
#[derive(Debug, clap::Args)]
pub struct HelpArgs {
    /// A command, or `exit-codes`
    #[arg(value_name = "WHAT")]
    what: Vec<String>,
}

/// Runs `ao help`.
pub fn run(context: &Context, out: &mut dyn Write, args: &HelpArgs) -> Result<Exit, CommandError> {
    if let [word] = args.what.as_slice()
        && word == "exit-codes"
    {
        return generate::text(context, out, exit::table().as_bytes());
    }
    let mut command = crate::cli::command();
    command.build();
    let mut current = &mut command;
    for word in &args.what {
        if current.find_subcommand(word).is_none() {
            return Err(unknown(current, word));
        }
        current = current.find_subcommand_mut(word).expect("it was found");
    }
    let help = current.render_long_help();
    if context.global.json {
        return generate::text(context, out, help.to_string().as_bytes());
    }
    write!(out, "{}", help.ansi())?;
    Ok(Exit::Done)
}

/// Returns what is wrong with a word that names no command below `command`.
pub fn unknown(command: &clap::Command, word: &str) -> CommandError {
    let shown = command.get_subcommands().filter(|child| !child.is_hide_set());
    let names: Vec<&str> = shown.map(clap::Command::get_name).collect();
    let meant = config::did_you_mean(word, &names);
    CommandError::new(Exit::Invalid, anyhow::anyhow!("no command or topic `{word}`"))
        .hint(format!("{meant}`ao help` lists every command"))
}
