//! `ao help`: topics that belong to no single command.

use std::io::Write;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::{self, Exit};
use crate::cli::generate;

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
        current = current.find_subcommand_mut(word).ok_or_else(|| {
            CommandError::new(Exit::Invalid, anyhow::anyhow!("no command or topic `{word}`"))
        })?;
    }
    let help = current.render_long_help();
    if context.global.json {
        return generate::text(context, out, help.to_string().as_bytes());
    }
    write!(out, "{}", help.ansi())?;
    Ok(Exit::Done)
}
