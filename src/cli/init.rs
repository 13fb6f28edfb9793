//! `ao init`: registers a repository and writes its configuration file.

use std::io::Write;

use serde_json::json;

use crate::adapter::fs::{self, Durability};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::{output, project};
use crate::config;
use crate::session::context as names;

/// Register this repository as a project and write a commented .ao/config.toml
///
/// Everything works without it: the first `spawn` registers the repository by itself.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// Write the file without asking
    #[arg(long, short)]
    yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `ao init`.
pub fn run(context: &Context, out: &mut dyn Write, args: &InitArgs) -> Result<Exit, CommandError> {
    let repository = names::repository(&context.env.directory)?;
    let file = repository.main.join(".ao/config.toml");
    let exists = fs::metadata(&file)?.is_some();
    if args.dry_run {
        let mut steps =
            vec![("register the project".to_owned(), repository.main.display().to_string())];
        if !exists {
            steps.push((format!("write {}", file.display()), "every line a comment".to_owned()));
        }
        output::plan(out, context.global.json, &steps)?;
        return Ok(Exit::Done);
    }
    let question = format!("write {}?", file.display());
    let write = !exists && (args.yes || context.confirm(&question, "--yes")?);
    let world = context.world()?;
    let (project, created) = names::project(&world, &repository)?;
    if write {
        fs::create_directories(&repository.main.join(".ao"))?;
        let text = config::initial_repository_file();
        fs::create_new(&file, text.as_bytes(), 0o644, Durability::PowerCut)?;
    }
    if context.global.json {
        let mut value = project::value(&project);
        value["created"] = json!(created);
        value["config"] = json!(file);
        value["written"] = json!(write);
        output::json_answer(out, "project", value)?;
    } else {
        let word = if created { "registered" } else { "is registered already" };
        writeln!(out, "{} {word}: {}", project.id, project.repo.display())?;
        let word = if write { "written" } else { "left as it is" };
        writeln!(out, "{} {word}", file.display())?;
    }
    Ok(Exit::Done)
}
