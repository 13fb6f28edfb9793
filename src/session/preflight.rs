//! What an agent's program is asked before anything is made for it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::adapter::agent::{self, Card, Login};
use crate::adapter::cmd::is_scrubbed;
use crate::config::{Config, Layered};
use crate::invocation::World;
use crate::model::collect::Sorted;
use crate::model::id::SessionId;
use crate::session::SessionError;

/// Returns the variables that agents are given, as far as they are the same for all: the caller's,
/// then those of the configuration.
pub fn variables(world: &World, config: Option<&Layered>) -> BTreeMap<OsString, OsString> {
    let callers = world.variables.iter().filter(|(name, _)| !is_scrubbed(name));
    let mut all = callers.map(|(name, value)| (name.clone(), value.clone())).into_map();
    let configured = config.iter().flat_map(|layered| &layered.config.env);
    all.extend(configured.map(|(name, value)| (name.into(), value.into())));
    all
}

/// Returns where an agent's program is looked for: where its session will look.
pub fn search_path<'a>(world: &'a World, config: &'a Config) -> &'a OsStr {
    config.env.get("PATH").map_or_else(|| world.search_path(), OsStr::new)
}

/// Refuses an agent that is not installed, or older than what its card needs.
///
/// One that does not say its version in time is given the benefit of the doubt.
pub fn require_usable(world: &World, card: &Card, config: &Layered) -> Result<(), SessionError> {
    let Some(program) = agent::find_binary(card, search_path(world, &config.config)) else {
        return Err(SessionError::AgentMissing {
            agent: card.name().to_owned(),
            binary: card.agent.binary.clone(),
        });
    };
    let Some(minimum) = &card.preflight.minimum else { return Ok(()) };
    let (variables, cache) = (variables(world, Some(config)), world.cache_directory());
    match agent::version_of(card, &program, &variables, cache.as_deref()) {
        Some(version) if !agent::at_least(&version, minimum) => Err(SessionError::AgentTooOld {
            agent: card.name().to_owned(),
            version,
            minimum: minimum.clone(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Refuses a session whose agent says that nobody is logged in; each agent is asked once, `asked`
/// being those that were.
pub fn require_login(
    world: &World,
    id: &SessionId,
    asked: &mut BTreeMap<String, Login>,
) -> Result<(), SessionError> {
    let record = world.home.load(id)?.record;
    let config = world.config_of(&record)?;
    let cards = world.cards()?;
    let card = cards.find(&record.agent)?;
    let login = *asked.entry(record.agent.clone()).or_insert_with(|| {
        let variables = variables(world, Some(&config));
        let path = variables.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        agent::login(card, agent::find_binary(card, &path).as_deref(), &variables)
    });
    match login {
        Login::No => Err(SessionError::NotLoggedIn {
            agent: record.agent,
            binary: card.agent.binary.clone(),
            variables: card.preflight.auth_env.clone(),
        }),
        Login::Yes | Login::Unknown => Ok(()),
    }
}
