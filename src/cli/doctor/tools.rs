//! The programs that ao drives: tmux and its server, git, the agents.

use crate::adapter::agent::{self, Login};
use crate::adapter::git;
use crate::adapter::runtime::tmux::Tmux;
use crate::cli::health::Check;
use crate::invocation::World;
use crate::model::sanitize;
use crate::session::preflight;

/// Looks at all of them.
pub(super) fn look(world: &World, checks: &mut Vec<Check>) {
    checks.push(Check::good("ao", format!("{}, {}", env!("CARGO_PKG_VERSION"), built())));
    checks.push(match Tmux::version() {
        Ok((major, minor)) => Check::good("tmux", format!("{major}.{minor}")),
        Err(error) => Check::bad("tmux", sanitize::chain(&error))
            .why("interactive agents cannot be started; one-shot agents run without it")
            .hint("install tmux 3.2 or newer"),
    });
    checks.push(match git::version() {
        Ok((major, minor)) => Check::good("git", format!("{major}.{minor}")),
        Err(error) => Check::bad("git", sanitize::chain(&error))
            .why("no session can have a workspace")
            .hint("install git"),
    });
    server(world, checks);
    agents(world, checks);
}

/// Says how it was built: what is linked statically needs nothing of the machine.
fn built() -> &'static str {
    if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" }
}

fn server(world: &World, checks: &mut Vec<Check>) {
    let tmux = match Tmux::new(world.home.root(), &world.config_directory) {
        Ok(tmux) => tmux,
        Err(error) => return checks.push(Check::bad("tmux server", sanitize::chain(&error))),
    };
    let socket = tmux.socket().display();
    checks.push(match tmux.probe() {
        Ok(panes) if panes.absent => Check::good("tmux server", "not running"),
        Ok(panes) => {
            Check::good("tmux server", format!("{} panes, at {socket}", panes.panes.len()))
        }
        Err(error) => Check::bad("tmux server", sanitize::chain(&error))
            .why("no agent in it is seen, and none is declared dead")
            .hint(format!("`tmux -S {socket} list-sessions` tells whether it answers")),
    });
}

fn agents(world: &World, checks: &mut Vec<Check>) {
    // Bad cards, and cards that cannot be read, are told with the configuration.
    let Ok(cards) = world.cards() else { return };
    let visible: Vec<&agent::Card> = cards.visible(|name| world.variable(name).is_some()).collect();
    let variables = preflight::variables(world, world.config(None).ok().as_deref());
    let seen = agent::look(&visible, &variables, true);
    let installed = visible.iter().zip(&seen).filter(|(_, seen)| seen.path.is_some());
    let mut names = Vec::new();
    for (card, seen) in installed {
        names.push(card.name());
        checks.extend(usable(card, seen));
    }
    let alone = names.iter().all(|name| *name == "shell");
    let found = Check::good("agents installed", names.join(", "));
    checks.push(if alone {
        Check { warning: true, ..found }
            .why("there is nobody but shell scripts to give work to")
            .hint("`ao agent ls` lists the agents that ao knows")
    } else {
        found
    });
}

/// Returns what is known of an installed agent beyond that, `None` where nothing is.
fn usable(card: &agent::Card, seen: &agent::Preflight) -> Option<Check> {
    let what = format!("agent {}", card.name());
    let version = seen.version.as_deref().unwrap_or("version unknown");
    match (seen.too_old, seen.login, &seen.version) {
        (true, _, _) => {
            let minimum = card.preflight.minimum.as_deref().unwrap_or_default();
            let detail = format!("{version}, and {minimum} or newer is needed");
            Some(Check::bad(what, detail).why("it is not started").hint("bring it up to date"))
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
