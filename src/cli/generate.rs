//! `ao schema`, `ao completions`, `ao man`: what is generated from the one definition.

use std::io::Write;

use clap_complete::Shell;

use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::generate;

/// Print the JSON Schemas of the record and of every answer
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {}

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell: bash, zsh, fish
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Print a man page
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// A command; `ao` itself where it is left out
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs `ao schema`.
pub fn schema(out: &mut dyn Write, _: &SchemaArgs) -> Result<Exit, CommandError> {
    output::json(out, &generate::schemas())?;
    Ok(Exit::Done)
}

/// Runs `ao completions`.
pub fn completions(out: &mut dyn Write, args: &CompletionsArgs) -> Result<Exit, CommandError> {
    out.write_all(&generate::completion(&crate::cli::command(), args.shell))?;
    Ok(Exit::Done)
}

/// Runs `ao man`.
pub fn man(out: &mut dyn Write, args: &ManArgs) -> Result<Exit, CommandError> {
    let name = std::iter::once("ao").chain(args.command.iter().map(String::as_str));
    let file = format!("{}.1", name.collect::<Vec<_>>().join("-"));
    let pages = generate::man_pages(&crate::cli::command());
    let (_, page) = pages.iter().find(|(page, _)| *page == file).ok_or_else(|| {
        let words = args.command.join(" ");
        CommandError::new(Exit::NotFound, anyhow::anyhow!("there is no command `{words}`"))
    })?;
    out.write_all(page)?;
    Ok(Exit::Done)
}
