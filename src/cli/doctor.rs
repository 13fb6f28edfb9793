//! `ao doctor`: checks tools, home, locks, timer, and every record's invariants.

use std::io::Write;

use serde_json::{Value, json};

use crate::adapter::agent::{self, Login};
use crate::adapter::git;
use crate::adapter::notify;
use crate::adapter::process::{self, Presence};
use crate::adapter::runtime::tmux::Tmux;
use crate::adapter::scheduler::{self, Programs};
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::invocation::World;
use crate::model::check;
use crate::model::id::SessionId;
use crate::model::notifier::Notifier;
use crate::model::sanitize;
use crate::reap;
use crate::session::{orphans, preflight};
use crate::store::{StoreError, repair};

/// Check tools, home, locks, timer and every record
///
/// Every record's invariants, every log, and panes, processes and worktrees of this home that
/// belong to no session. Exits 1 if anything is wrong. `--repair` puts right what can be put right without losing
/// anything, and says what it did; without it, what it would do is printed.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Check the stored state only: records, logs, invariants
    #[arg(long)]
    state: bool,
    /// Repair what can be repaired
    #[arg(long)]
    repair: bool,
}

/// One thing that was looked at.
struct Check {
    what: String,
    ok: bool,
    detail: String,
    hint: Option<String>,
}

impl Check {
    fn good(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { what: what.into(), ok: true, detail: detail.into(), hint: None }
    }

    fn bad(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { what: what.into(), ok: false, detail: detail.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Runs `ao doctor`.
pub fn run(
    context: &Context,
    out: &mut dyn Write,
    args: &DoctorArgs,
) -> Result<Exit, CommandError> {
    let world = if args.repair { context.world()? } else { context.reader()? };
    let mut checks = Vec::new();
    if !args.state {
        tools(&world, &mut checks);
        clock(&world, &mut checks);
    }
    state(&world, args.repair, &mut checks)?;
    let sick = checks.iter().any(|check| !check.ok);
    if context.global.json {
        let checks: Vec<Value> = checks.iter().map(value).collect();
        output::json_answer(out, "doctor", json!({ "ok": !sick, "checks": checks }))?;
    } else {
        for check in &checks {
            let mark = if check.ok { "ok  " } else { "BAD " };
            writeln!(out, "{mark} {}: {}", check.what, sanitize::line(&check.detail))?;
            if let Some(hint) = &check.hint {
                writeln!(out, "     hint: {}", sanitize::line(hint))?;
            }
        }
    }
    Ok(if sick { Exit::Internal } else { Exit::Done })
}

fn value(check: &Check) -> Value {
    let mut value = json!({ "what": check.what, "ok": check.ok, "detail": check.detail });
    if let Some(hint) = &check.hint {
        value["hint"] = json!(hint);
    }
    value
}

fn tools(world: &World, checks: &mut Vec<Check>) {
    checks.push(match Tmux::version() {
        Ok((major, minor)) => Check::good("tmux", format!("{major}.{minor}")),
        Err(error) => Check::bad("tmux", crate::model::sanitize::chain(&error))
            .hint("install tmux 3.2 or newer; one-shot agents run without it"),
    });
    checks.push(match git::version() {
        Ok((major, minor)) => Check::good("git", format!("{major}.{minor}")),
        Err(error) => Check::bad("git", crate::model::sanitize::chain(&error)).hint("install git"),
    });
    match Tmux::new(world.home.root(), &world.config_directory).and_then(|tmux| tmux.probe()) {
        Ok(panes) if panes.absent => checks.push(Check::good("tmux server", "not running")),
        Ok(panes) => {
            checks.push(Check::good("tmux server", format!("{} panes", panes.panes.len())));
        }
        Err(error) => checks.push(Check::bad("tmux server", crate::model::sanitize::chain(&error))),
    }
    agents(world, checks);
    match world.config(None) {
        Ok(layered) => {
            checks.push(Check::good("configuration", "valid"));
            checks.extend(layered.config.notifiers.iter().map(notifier));
        }
        Err(error) => checks.push(Check::bad("configuration", sanitize::chain(&error))),
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
            .hint(format!("`ao notify --test {name}` tries it once that is mended")),
    }
}

fn agents(world: &World, checks: &mut Vec<Check>) {
    let cards = match world.cards() {
        Ok(cards) => cards,
        Err(error) => {
            return checks.push(Check::bad("agents", crate::model::sanitize::chain(&error)));
        }
    };
    for (name, error) in cards.bad() {
        checks.push(
            Check::bad(format!("agent card {name}"), sanitize::chain(&error))
                .hint("`ao agent check FILE` reads it again"),
        );
    }
    let visible: Vec<&agent::Card> = cards.visible(|name| world.variable(name).is_some()).collect();
    let variables = preflight::variables(world, world.config(None).ok().as_deref());
    let seen = agent::look(&visible, &variables, true);
    let installed = visible.iter().zip(&seen).filter(|(_, seen)| seen.path.is_some());
    let mut names = Vec::new();
    for (card, seen) in installed {
        names.push(card.name());
        checks.extend(usable(card, seen));
    }
    checks.push(Check::good("agents installed", names.join(", ")));
}

/// Returns what is known of an installed agent beyond that, `None` where nothing is.
fn usable(card: &agent::Card, seen: &agent::Preflight) -> Option<Check> {
    let what = format!("agent {}", card.name());
    let version = seen.version.as_deref().unwrap_or("version unknown");
    match (seen.too_old, seen.login, &seen.version) {
        (true, _, _) => {
            let minimum = card.preflight.minimum.as_deref().unwrap_or_default();
            let detail = format!("{version}, and {minimum} or newer is needed");
            Some(Check::bad(what, detail).hint("bring it up to date"))
        }
        // Nobody has to use every agent there is.
        (false, Login::No, _) => Some(
            Check::good(what, format!("{version}, nobody is logged in"))
                .hint(format!("run `{}` once and log in to use it", card.agent.binary)),
        ),
        (false, Login::Yes, _) => Some(Check::good(what, format!("{version}, logged in"))),
        (false, Login::Unknown, Some(_)) => {
            Some(Check::good(what, format!("{version}, login unknown")))
        }
        (false, Login::Unknown, None) => None,
    }
}

fn clock(world: &World, checks: &mut Vec<Check>) {
    let units = world.config_directory.with_file_name("systemd").join("user");
    let last = reap::last_pass(world)
        .map_or_else(|| "no reap has run".to_owned(), |at| format!("last reap {at}"));
    match scheduler::status(&Programs::default(), &units, world.home.root()) {
        Ok(timers) if timers.is_empty() => {
            checks.push(
                Check::good("timer", format!("none installed; {last}"))
                    .hint("`ao timer install` lets a timer run `ao reap`"),
            );
        }
        Ok(timers) => {
            let names: Vec<&str> = timers.iter().map(|timer| timer.scheduler.as_str()).collect();
            checks.push(Check::good("timer", format!("{}; {last}", names.join(", "))));
        }
        Err(error) => checks.push(Check::bad("timer", crate::model::sanitize::chain(&error))),
    }
}

fn state(world: &World, repair: bool, checks: &mut Vec<Check>) -> Result<(), CommandError> {
    let live = world.home.session_ids()?;
    let archived = world.home.archived_ids()?;
    let number = live.len() + archived.len();
    let before = checks.iter().filter(|check| !check.ok).count();
    for id in live.iter().chain(&archived) {
        session(world, id, repair, checks);
    }
    match orphans::orphans(world) {
        Ok(orphans) => checks.extend(orphans.into_iter().map(|orphan| {
            let detail = format!("{} belongs to no session", orphan.detail);
            Check::bad(orphan.what, detail).hint(orphan.hint)
        })),
        Err(error) => checks.push(Check::bad("orphans", sanitize::chain(&error))),
    }
    if checks.iter().filter(|check| !check.ok).count() == before {
        checks.push(Check::good("state", format!("{number} sessions, all consistent")));
    }
    Ok(())
}

fn session(world: &World, id: &SessionId, repair: bool, checks: &mut Vec<Check>) {
    let what = format!("session {id}");
    let record = match world.home.load(id) {
        Ok(loaded) => {
            for note in &loaded.notes {
                checks.push(
                    Check::bad(what.clone(), note.clone()).hint("the next write puts it right"),
                );
            }
            loaded.record
        }
        Err(error) => return damaged(world, id, &error, repair, checks),
    };
    for finding in check::check(&record) {
        checks.push(Check::bad(what.clone(), finding.to_string()));
    }
    match world.home.verify(id) {
        Ok(verification) => {
            for finding in verification.findings {
                checks.push(Check::bad(what.clone(), finding));
            }
        }
        Err(error) => checks.push(Check::bad(what.clone(), crate::model::sanitize::chain(&error))),
    }
    if let Err(error) = world.home.review_runs(id) {
        let why = crate::model::sanitize::chain(&error);
        let way_out = "move it away: the reviews it holds are forgotten, nothing else is";
        checks.push(Check::bad(what.clone(), why).hint(way_out));
    }
    if let Some(intent) = &record.intent
        && !matches!(process::presence(&intent.owner()), Ok(Presence::Alive))
    {
        checks.push(
            Check::bad(what, format!("process {} died at its {}", intent.pid, intent.op))
                .hint("`ao reap` finishes it"),
        );
    }
}

/// A record that cannot be read: what the longest prefix of its log would give.
fn damaged(
    world: &World,
    id: &SessionId,
    error: &StoreError,
    repair: bool,
    checks: &mut Vec<Check>,
) {
    let what = format!("session {id}");
    let why = crate::model::sanitize::chain(error);
    let result = if repair {
        repair::apply(&world.home, id, world.lock_timeout)
    } else {
        repair::propose(&world.home, id)
    };
    checks.push(match result {
        Ok(Some(repaired)) => {
            let kept = format!("{} events up to revision {}", repaired.kept_lines, repaired.seq);
            if repair {
                Check::good(what, format!("{why}; repaired: kept {kept}, the rest beside it"))
            } else {
                Check::bad(what, why).hint(format!("`ao doctor --repair` would keep {kept}"))
            }
        }
        Ok(None) => Check::bad(what, why),
        Err(error) => {
            Check::bad(what, format!("{why}; no repair: {}", crate::model::sanitize::chain(&error)))
        }
    });
}
