//! `ao project`: the registry of repositories.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::adapter::git::{self, Repository};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Table};
use crate::invocation::World;
use crate::model::answer::PlanStep;
use crate::model::id::{ProjectId, SessionId};
use crate::model::sanitize;
use crate::session::{context as names, workspace};
use crate::store::{Loaded, Project};

/// See and change the registry of repositories
#[derive(Debug, clap::Args)]
pub struct ProjectArgs {
    #[command(subcommand)]
    command: ProjectCommand,
    /// Say what would be done, and do nothing
    #[arg(long, global = true)]
    dry_run: bool,
}

#[derive(Debug, Subcommand)]
enum ProjectCommand {
    /// Register a repository
    Add {
        /// A directory in it; the working directory where it is left out
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    /// List the projects
    Ls,
    /// Show one project; the one of this repository where none is named
    Show {
        /// The project
        #[arg(value_name = "PROJECT")]
        project: Option<String>,
    },
    /// Change where a project's repository is, after it was moved
    Set {
        /// The project
        #[arg(value_name = "PROJECT")]
        project: String,
        /// A directory in the repository at its new place
        #[arg(long, value_name = "DIR")]
        repo: PathBuf,
    },
    /// Forget a project that has no sessions but archived ones; its repository is left alone
    Rm {
        /// The project
        #[arg(value_name = "PROJECT")]
        project: String,
    },
}

/// Runs `ao project`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &ProjectArgs,
) -> Result<Exit, CommandError> {
    if args.dry_run {
        return plan(context, out, &args.command);
    }
    match &args.command {
        ProjectCommand::Add { directory } => {
            let world = context.world()?;
            let directory = match directory {
                Some(directory) => world.directory.join(directory),
                None => world.directory.clone(),
            };
            let repository = names::repository(&directory)?;
            let (project, created) = names::project(&world, &repository)?;
            let word = if created { "registered" } else { "is registered already" };
            answer(context, out, &project, word)?;
        }
        ProjectCommand::Ls => ls(context, out)?,
        ProjectCommand::Show { project } => show(context, out, project.as_deref())?,
        ProjectCommand::Set { project, repo } => {
            let world = context.world()?;
            let id: ProjectId = project.parse()?;
            let repository = moved_to(&world, &id, repo)?;
            let project = world.home.update_project(&id, world.lock_timeout, |project| {
                project.repo.clone_from(&repository.main);
                project.common_dir.clone_from(&repository.common_dir);
            })?;
            answer(context, out, &project, "changed")?;
        }
        ProjectCommand::Rm { project } => {
            let world = context.world()?;
            let id: ProjectId = project.parse()?;
            let project = world.home.project(&id)?;
            refuse_in_use(&world, &id)?;
            workspace::empty_pool(&world, &id)?;
            world.home.remove_project(&id, world.lock_timeout)?;
            answer(context, out, &project, "forgotten")?;
        }
    }
    Ok(Exit::Done)
}

fn plan(
    context: &Context,
    out: &mut dyn Write,
    command: &ProjectCommand,
) -> Result<Exit, CommandError> {
    let world = context.reader()?;
    let step = match command {
        ProjectCommand::Add { directory } => {
            let directory = world.directory.join(directory.clone().unwrap_or_default());
            let repository = names::repository(&directory)?;
            let known = world.home.find_project_by_common_dir(&repository.common_dir)?;
            let why = known.map_or_else(
                || "it is no project yet".to_owned(),
                |project| format!("it is project {} already", project.id),
            );
            (format!("register {}", repository.main.display()), why)
        }
        ProjectCommand::Set { project, repo } => {
            let project = world.home.project(&project.parse()?)?;
            let repository = moved_to(&world, &project.id, repo)?;
            let op = format!("move {} to {}", project.id, repository.main.display());
            (op, format!("it is at {}", project.repo.display()))
        }
        ProjectCommand::Rm { project } => {
            let project = world.home.project(&project.parse()?)?;
            refuse_in_use(&world, &project.id)?;
            (format!("forget {}", project.id), "no session of it is left".to_owned())
        }
        ProjectCommand::Ls | ProjectCommand::Show { .. } => {
            output::plan(out, context.global.json, &[] as &[PlanStep])?;
            return Ok(Exit::Done);
        }
    };
    output::plan(out, context.global.json, &[step])?;
    Ok(Exit::Done)
}

/// Returns the repository that a project is to be at, which must not be another's.
fn moved_to(world: &World, id: &ProjectId, repo: &Path) -> Result<Repository, CommandError> {
    world.home.project(id)?;
    let repository = names::repository(&world.directory.join(repo))?;
    match world.home.find_project_by_common_dir(&repository.common_dir)? {
        Some(other) if other.id != *id => {
            let path = repository.main.display();
            let error = anyhow::anyhow!("{path} is project {} already", other.id);
            Err(CommandError::new(Exit::Conflict, error)
                .hint(format!("`ao project rm {}` forgets that one", other.id)))
        }
        Some(_) | None => Ok(repository),
    }
}

fn answer(
    context: &Context,
    out: &mut dyn Write,
    project: &Project,
    word: &str,
) -> Result<(), CommandError> {
    if context.global.json {
        output::json_answer(out, "project", value(project))?;
    } else {
        writeln!(out, "{} {word}: {}", project.id, project.repo.display())?;
    }
    Ok(())
}

/// Returns a project as answers show it.
pub fn value(project: &Project) -> Value {
    output::object([
        ("id", json!(project.id)),
        ("repo", json!(project.repo)),
        ("common_dir", json!(project.common_dir)),
        ("origin", json!(project.origin)),
        ("default_branch", json!(project.default_branch)),
        ("counter", json!(project.counter)),
        ("approvals", json!(project.approvals)),
        ("created_at", json!(project.created_at)),
    ])
    .into()
}

fn refuse_in_use(world: &World, id: &ProjectId) -> Result<(), CommandError> {
    let mut ids = world.home.session_ids()?;
    let is_of_it = |loaded: Loaded| loaded.record.project.as_ref() == Some(id);
    ids.retain(|session| world.home.load(session).is_ok_and(is_of_it));
    let names: Vec<&str> = ids.iter().map(SessionId::as_str).collect();
    if names.is_empty() {
        return Ok(());
    }
    let error = anyhow::anyhow!("project {id} still has sessions: {}", names.join(", "));
    let names = names.join(" ");
    let hint = format!("ao kill --yes {names} && ao cleanup {names}");
    Err(CommandError::new(Exit::Conflict, error).hint(hint))
}

fn ls(context: &Context, out: &mut dyn Write) -> Result<(), CommandError> {
    let projects = context.reader()?.home.projects()?;
    if context.global.json {
        let projects: Vec<Value> = projects.iter().map(value).collect();
        return Ok(output::json_answer(out, "projects", projects)?);
    }
    let mut table = Table::new(&["PROJECT", "SESSIONS", "REPOSITORY"]);
    for project in projects {
        table.row([
            project.id.to_string(),
            project.counter.to_string(),
            project.repo.display().to_string(),
        ]);
    }
    if !table.is_empty() {
        table.write(out)?;
    }
    Ok(())
}

fn show(context: &Context, out: &mut dyn Write, name: Option<&str>) -> Result<(), CommandError> {
    let world = context.reader()?;
    let project = match name {
        Some(name) => world.home.project(&name.parse()?)?,
        None => {
            let repository = git::discover(&world.directory)?;
            let found = world.home.find_project_by_common_dir(&repository.common_dir)?;
            found.ok_or_else(|| {
                let path = repository.main.display();
                CommandError::new(Exit::NotFound, anyhow::anyhow!("{path} is no project yet"))
                    .hint("`ao init` registers it, and so does the first `ao spawn`")
            })?
        }
    };
    if context.global.json {
        return Ok(output::json_answer(out, "project", value(&project))?);
    }
    if let Value::Object(object) = value(&project) {
        for (key, value) in object {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(out, "{key}: {}", sanitize::line(&text))?;
        }
    }
    Ok(())
}
