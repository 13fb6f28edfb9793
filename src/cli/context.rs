//! What every subcommand's `run` gets: the global flags and the surroundings.

use std::io::Write;
use std::sync::Arc;

use crate::cli::Global;
use crate::cli::env::Environment;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::invocation::World;
use crate::model::id::SessionId;
use crate::model::sanitize;
use crate::session::context::resolve;
use crate::store::Home;

/// The global flags and the surroundings of this invocation.
#[derive(Clone, Debug)]
pub struct Context {
    /// The global flags.
    pub global: Global,
    /// The surroundings.
    pub env: Environment,
}

impl Context {
    /// Returns the context of this invocation.
    pub fn new(global: Global, env: Environment) -> Self {
        Self { global, env }
    }

    /// Opens the home for writing, creating it where it is missing.
    pub fn world(&self) -> Result<World, CommandError> {
        let mut world = self.world_of(Home::open(&self.home_path()?)?);
        // A configuration that cannot be read is reported by whoever needs more of it than this.
        if world.config(None).is_ok_and(|layered| !layered.config.state.sync) {
            world.home = world.home.with_sync(false);
        }
        Ok(world)
    }

    /// Opens the home for reading; nothing is created or changed.
    pub fn reader(&self) -> Result<World, CommandError> {
        let home = Home::open_read(&self.home_path()?)?;
        Ok(self.world_of(home))
    }

    /// Opens a home that is there for writing; one that is not is an error, and stays away.
    pub fn existing_world(&self) -> Result<World, CommandError> {
        self.unconfigured_world()?;
        self.world()
    }

    /// [`Self::existing_world`] without a look at the configuration: a hook reads it once, for
    /// its own session.
    pub fn unconfigured_world(&self) -> Result<World, CommandError> {
        let path = self.home_path()?;
        if !path.join("format").exists() {
            let error = anyhow::anyhow!("{} is no home of ao", path.display());
            return Err(CommandError::new(Exit::NotFound, error));
        }
        Ok(self.world_of(Home::open(&path)?))
    }

    /// Returns the home's path.
    pub fn home_path(&self) -> Result<std::path::PathBuf, CommandError> {
        self.env.home(self.global.home.as_deref()).ok_or_else(|| {
            CommandError::new(
                Exit::Invalid,
                anyhow::anyhow!("none of --home, AO_HOME, XDG_STATE_HOME and HOME is set"),
            )
        })
    }

    fn world_of(&self, home: Home) -> World {
        let mut world = World::new(
            home,
            self.env.config_directory(),
            Arc::clone(&self.env.variables),
            self.env.directory.clone(),
            self.global.lock_timeout,
        );
        world.guide = crate::cli::skill::guide;
        world
    }

    /// Returns the session that a name stands for.
    pub fn session(&self, world: &World, name: &str) -> Result<SessionId, CommandError> {
        Ok(resolve(world, name)?)
    }

    /// Narrates on standard error.
    pub fn tell(&self, message: &str) {
        let _ = writeln!(anstream::stderr(), "{}", sanitize::line(message));
    }

    /// Asks a yes-or-no question on the terminal; without one, fails and names `flag`.
    pub fn confirm(&self, question: &str, flag: &str) -> Result<bool, CommandError> {
        if !(self.env.stdin_is_terminal && self.env.stderr_is_terminal) {
            return Err(CommandError::new(
                Exit::Invalid,
                anyhow::anyhow!("there is no terminal to ask on: {question}"),
            )
            .hint(format!("say {flag}")));
        }
        let mut stderr = anstream::stderr();
        let _ = write!(stderr, "{} [y/N] ", sanitize::line(question));
        let _ = stderr.flush();
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(CommandError::unread)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Returns standard input whole.
    pub fn read_stdin(&self) -> Result<Vec<u8>, CommandError> {
        use std::io::Read;
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(CommandError::unread)?;
        Ok(bytes)
    }
}
