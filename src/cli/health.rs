//! Findings: how `ao doctor` and `ao config check` tell what is well and what is not, and what both
//! of them look at.

use std::io::Write;

use serde_json::json;

use crate::adapter::notify;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::output;
use crate::config::{self, trust};
use crate::invocation::World;
pub use crate::model::answer::Check;
use crate::model::forge::ScmKind;
use crate::model::notifier::Notifier;
use crate::model::sanitize;
use crate::session::{forge, tracker, workspace};
use crate::store::Project;

/// Writes findings, under `key` in JSON.
pub fn write(
    context: &Context,
    out: &mut dyn Write,
    key: &str,
    checks: &[Check],
) -> Result<(), CommandError> {
    if context.global.json {
        let ok = checks.iter().all(|check| check.ok);
        return Ok(output::json_answer(out, key, json!({ "ok": ok, "checks": checks }))?);
    }
    for check in checks {
        let mark = match (check.ok, check.warning) {
            (false, _) => "BAD ",
            (true, true) => "warn",
            (true, false) => "ok  ",
        };
        writeln!(out, "{mark} {}", sanitize::line(&format!("{}: {}", check.what, check.detail)))?;
        for (word, text) in [("why", &check.why), ("hint", &check.hint)] {
            if let Some(text) = text {
                writeln!(out, "     {word}: {}", sanitize::line(text))?;
            }
        }
    }
    Ok(())
}

/// Looks at everything a person configured: their own file, each repository's, the cards, and what
/// is right and yet does nothing.
pub fn configuration(world: &World, checks: &mut Vec<Check>) {
    let file = world.config_directory.join("config.toml");
    match world.config(None) {
        Ok(layered) => {
            checks.push(Check::good("configuration", "valid"));
            checks.extend(layered.config.notifiers.iter().map(notifier));
        }
        Err(error) => checks.push(
            Check::bad("configuration", sanitize::chain(&error))
                .why("no session is started and no pass is made as long as it cannot be read")
                .hint(format!("edit {}", file.display())),
        ),
    }
    match world.home.projects() {
        Ok(projects) => {
            checks.extend(unknown_projects(world, &projects));
            projects.iter().for_each(|known| project(world, known, checks));
        }
        Err(error) => checks.push(Check::bad("projects", sanitize::chain(&error))),
    }
    match world.cards() {
        Ok(cards) => checks.extend(cards.bad().map(|(name, error)| {
            Check::bad(format!("agent card {name}"), sanitize::chain(&error))
                .why("that agent cannot be started")
                .hint("`ao agent check FILE` reads it again")
        })),
        Err(error) => checks.push(Check::bad("agents", sanitize::chain(&error))),
    }
}

/// Tables of projects that are not there: a typing error, or a project that was forgotten.
fn unknown_projects(world: &World, projects: &[Project]) -> Vec<Check> {
    let file = world.config_directory.join("config.toml");
    let is_known = |id: &str| projects.iter().any(|project| project.id.as_str() == id);
    config::project_tables(&file)
        .into_iter()
        .filter(|(id, _)| !is_known(id))
        .map(|(id, line)| {
            let place = format!("{}:{line}: there is no project `{id}`", file.display());
            Check::warning(format!("configuration of {id}"), place)
                .why("what it says never counts")
                .hint("`ao project ls` lists every project")
        })
        .collect()
}

/// Looks at what applies to one project.
fn project(world: &World, project: &Project, checks: &mut Vec<Check>) {
    let what = format!("project {}", project.id);
    let layered = match world.config_for(Some(&project.repo), Some(project.id.clone())) {
        Ok(layered) => layered,
        // The user's own mistake is told once, not once for each project.
        Err(_) if world.config(None).is_err() => return,
        Err(error) => {
            return checks.push(
                Check::bad(what, sanitize::chain(&error))
                    .why("its sessions go on with your own configuration alone")
                    .hint(format!("edit {}/.ao/config.toml", project.repo.display())),
            );
        }
    };
    let missing = workspace::missing_approval(world, Some(project), trust::approval(&layered));
    if let Some(approval) = missing {
        checks.push(
            Check::warning(
                format!("trust of {}", project.id),
                format!("its configuration wants to run: {}", approval.shown.join("; ")),
            )
            .why("nothing of that runs, and its branches are not checked")
            .hint(format!("cd {} && ao trust", project.repo.display())),
        );
    }
    if layered.config.intake.label.is_some()
        && let Ok(None) = tracker::of(world, &project.repo)
    {
        checks.push(
            Check::warning(format!("intake of {}", project.id), "it has no tracker")
                .why("`intake.label` is set, and no issue is ever seen")
                .hint(format!(
                    "`ao config set --project {} tracker.kind command`, or add a remote at GitHub",
                    project.id
                )),
        );
    }
    let at_forge = forge::kind_of(world, &layered.config, &project.repo) == ScmKind::GitHub;
    if at_forge && let Ok(client) = world.github() {
        let what = format!("forge of {}", project.id);
        checks.push(match client.login_source() {
            Ok(source) => Check::good(what, format!("{}, token from {source}", client.name())),
            Err(error) => Check::warning(what, sanitize::chain(&error))
                .why("pull requests are neither seen nor opened nor merged")
                .hint("set GH_TOKEN, or run `gh auth login`"),
        });
    }
}

/// Whether a notifier could work here; nobody is told.
fn notifier((name, notifier): (&String, &Notifier)) -> Check {
    let what = format!("notifier {name}");
    let found = notifier
        .kind
        .secrets()
        .into_iter()
        .map(|(what, source)| format!(", {what} from {}", source.shown()));
    let detail = format!("{}{}", notifier.kind.as_str(), found.collect::<String>());
    let uses_variable = notifier.kind.secrets().iter().any(|(_, source)| source.is_variable());
    match notify::check(name, notifier) {
        Ok(()) if uses_variable => Check::good(what, detail).hint(
            "a timer's passes may not have the variables of your shell; a program's output \
             (`url_command`, `secret_command`) is the same everywhere",
        ),
        Ok(()) => Check::good(what, detail),
        Err(error) => Check::bad(what, format!("{detail}: {}", sanitize::chain(&error)))
            .why("nobody is told through it")
            .hint(format!("`ao notify --test {name}` tries it once that is mended")),
    }
}
