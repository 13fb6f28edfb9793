//! `ao help`: topics that belong to no single command.

use std::io::Write;

use crate::cli::error::CommandError;
use crate::cli::exit::{self, Exit};
use crate::model::lifecycle::word_enum;

word_enum! {
    /// What can be explained.
    Topic {
        ExitCodes = "exit-codes",
    }
}

/// Print help, for ao, a command, or a topic (exit-codes)
#[derive(Debug, clap::Args)]
pub struct HelpArgs {
    /// A command, or `exit-codes`
    #[arg(value_name = "WHAT")]
    what: Vec<String>,
}

/// Runs `ao help`.
pub fn run(out: &mut dyn Write, args: &HelpArgs) -> Result<Exit, CommandError> {
    if let [word] = args.what.as_slice()
        && word.parse::<Topic>() == Ok(Topic::ExitCodes)
    {
        out.write_all(exit::table().as_bytes())?;
        return Ok(Exit::Done);
    }
    let mut command = crate::cli::command();
    command.build();
    let mut current = &mut command;
    for word in &args.what {
        current = current.find_subcommand_mut(word).ok_or_else(|| {
            CommandError::new(Exit::Invalid, anyhow::anyhow!("no command or topic `{word}`"))
        })?;
    }
    write!(out, "{}", current.render_long_help().ansi())?;
    Ok(Exit::Done)
}
