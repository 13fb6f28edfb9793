//! One transaction: lock, load, decide, commit. The only file that knows the order.
//!
//! Acting comes after, in `act` and `session`, with the lock let go: no session lock is held
//! while a child, an agent or a person is waited for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::adapter::agent::{self, Card, CardError, Cards};
use crate::adapter::clock;
use crate::adapter::notify::Notifiers;
use crate::adapter::scm::{ForgeError, github};
use crate::config::{self, ConfigError, Layered, Sources};
use crate::decide::{self, DecideError, Outcome};
use crate::model::collect::Sorted;
use crate::model::facts::Observation;
use crate::model::id::{ProjectId, SessionId};
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window};
use crate::store::{Change, Home, LockedSession, StoreError};

/// Why a transaction did not take place.
#[derive(Debug, thiserror::Error)]
pub enum InvocationError {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The observation does not apply to the session as it is.
    #[error(transparent)]
    Decide(#[from] DecideError),
}

/// What was configured, by main worktree and project.
type Layers = Vec<((Option<PathBuf>, Option<ProjectId>), Arc<Layered>)>;

/// What every operation works with: where the records are, what was configured, who calls.
#[derive(Debug)]
pub struct World {
    /// The records.
    pub home: Home,
    /// `$XDG_CONFIG_HOME/ao`.
    pub config_directory: PathBuf,
    /// The caller's environment.
    pub variables: Arc<BTreeMap<OsString, OsString>>,
    /// The caller's working directory.
    pub directory: PathBuf,
    /// How long a lock is waited for.
    pub lock_timeout: Duration,
    /// What command-line flags configure.
    pub flags: toml::Table,
    /// What an orchestrator is taught of ao's commands: made from the command line, which nothing
    /// below it knows.
    pub guide: fn() -> String,
    /// Who is told, and who did not answer.
    pub notifiers: Notifiers,
    layers: RefCell<Layers>,
    /// The projects that were looked up, by main worktree.
    projects: RefCell<BTreeMap<PathBuf, ProjectId>>,
    cards: RefCell<Option<Arc<Cards>>>,
    github: RefCell<Option<Rc<github::Client>>>,
}

impl World {
    /// Returns the world of one invocation.
    pub fn new(
        home: Home,
        config_directory: PathBuf,
        variables: Arc<BTreeMap<OsString, OsString>>,
        directory: PathBuf,
        lock_timeout: Duration,
    ) -> Self {
        Self {
            home,
            config_directory,
            variables,
            directory,
            lock_timeout,
            flags: toml::Table::new(),
            guide: String::new,
            notifiers: Notifiers::default(),
            layers: RefCell::default(),
            projects: RefCell::default(),
            cards: RefCell::default(),
            github: RefCell::default(),
        }
    }

    /// Returns what another thread of this invocation needs to work in the same world.
    pub fn share(&self) -> Shared {
        Shared {
            home: self.home.clone(),
            config_directory: self.config_directory.clone(),
            variables: Arc::clone(&self.variables),
            directory: self.directory.clone(),
            lock_timeout: self.lock_timeout,
            flags: self.flags.clone(),
            guide: self.guide,
            layers: self.layers.borrow().clone(),
            projects: self.projects.borrow().clone(),
            cards: self.cards.borrow().clone(),
        }
    }

    /// Reads the configuration from another directory than the caller's own.
    pub fn configured_in(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.config_directory);
        self.layers = RefCell::default();
        self.projects = RefCell::default();
        self.cards = RefCell::default();
        self
    }

    /// Returns a variable of the caller's environment as text.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(OsStr::new(name))?.to_str().filter(|text| !text.is_empty())
    }

    /// Returns where the caller's programs are looked for.
    pub fn search_path(&self) -> &OsStr {
        self.variables.get(OsStr::new("PATH")).map_or(OsStr::new(""), OsString::as_os_str)
    }

    /// Returns where what may be thrown away is kept: `$XDG_CACHE_HOME/ao`, `~/.cache/ao`.
    pub fn cache_directory(&self) -> Option<PathBuf> {
        let path =
            |name: &str| self.variable(name).map(PathBuf::from).filter(|it| it.is_absolute());
        let cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")))?;
        Some(cache.join("ao"))
    }

    /// Returns the GitHub that the environment names, with its token and limits.
    ///
    /// The same for all repositories of an invocation: a token is looked for once.
    pub fn github(&self) -> Result<Rc<github::Client>, ForgeError> {
        if let Some(client) = &*self.github.borrow() {
            return Ok(Rc::clone(client));
        }
        let token = github::TOKEN_VARIABLES
            .iter()
            .find_map(|name| Some(((*name).to_owned(), self.variable(name)?.to_owned())));
        let configured = self.config(None).map(|layered| layered.config.scm.timeout);
        let client = Rc::new(github::Client::new(github::Setup {
            api_url: self.variable("GITHUB_API_URL").map(str::to_owned),
            token,
            cache: self.cache_directory(),
            timeout: configured.unwrap_or(Duration::from_secs(10)),
        })?);
        *self.github.borrow_mut() = Some(Rc::clone(&client));
        Ok(client)
    }

    /// Returns all agent cards.
    ///
    /// Read once per invocation.
    pub fn cards(&self) -> Result<Arc<Cards>, CardError> {
        if let Some(cards) = &*self.cards.borrow() {
            return Ok(Arc::clone(cards));
        }
        let cards = Arc::new(agent::load_cards(&self.config_directory.join("agents"))?);
        *self.cards.borrow_mut() = Some(Arc::clone(&cards));
        Ok(cards)
    }

    /// Returns the agent card called `name`; the others are not read for it.
    pub fn card(&self, name: &str) -> Result<Card, CardError> {
        match &*self.cards.borrow() {
            Some(cards) => cards.find(name).cloned(),
            None => agent::find_card(&self.config_directory.join("agents"), name),
        }
    }

    /// Returns the configuration as seen from `repository` (its main worktree), or from none.
    ///
    /// Read once per repository and invocation.
    pub fn config(&self, repository: Option<&Path>) -> Result<Arc<Layered>, ConfigError> {
        let project = repository.and_then(|main| self.project_at(main));
        self.config_for(repository, project)
    }

    /// Returns the project whose main worktree is `main`, if the user says anything of projects.
    ///
    /// Read once per invocation; a repository that was no project by then may be one since.
    fn project_at(&self, main: &Path) -> Option<ProjectId> {
        let mut known = self.projects.borrow_mut();
        if let Some(id) = known.get(main) {
            return Some(id.clone());
        }
        // A registry that cannot be read is told by whoever works with projects.
        let tells = config::may_tell_of_projects(&self.config_directory.join("config.toml"));
        let projects = tells.then(|| self.home.projects().ok())??;
        for project in projects {
            known.entry(project.repo).or_insert(project.id);
        }
        known.get(main).cloned()
    }

    /// [`World::config`] for the project of that id.
    pub fn config_for(
        &self,
        repository: Option<&Path>,
        project: Option<ProjectId>,
    ) -> Result<Arc<Layered>, ConfigError> {
        if let Some(layered) = self.known(repository, project.as_ref()) {
            return Ok(layered);
        }
        let sources = self.sources(repository, project.clone());
        let key = (repository.map(Path::to_owned), project);
        if key != (None, None) && config::add_nothing(&sources) {
            let layered = self.config_for(None, None)?;
            self.layers.borrow_mut().push((key, Arc::clone(&layered)));
            return Ok(layered);
        }
        let mut layered = config::load(&sources)?;
        let resume = &mut layered.config.policy.resume;
        // Where it matters only: finding the zone out reads files.
        if resume.on_limit && resume.window != Window::ALL_DAY {
            resume.utc_offset = clock::local(clock::now()).1;
        }
        let layered = Arc::new(layered);
        self.layers.borrow_mut().push((key, Arc::clone(&layered)));
        Ok(layered)
    }

    /// Returns what [`World::config_for`] has read before: there are few to look through, and a
    /// pass asks for each session again and again.
    fn known(
        &self,
        repository: Option<&Path>,
        project: Option<&ProjectId>,
    ) -> Option<Arc<Layered>> {
        let layers = self.layers.borrow();
        let mut known = layers.iter();
        let is_it = |key: &(Option<PathBuf>, Option<ProjectId>)| {
            key.0.as_deref() == repository && key.1.as_ref() == project
        };
        known.find(|(key, _)| is_it(key)).map(|(_, layered)| Arc::clone(layered))
    }

    fn sources(&self, repository: Option<&Path>, project: Option<ProjectId>) -> Sources {
        let environment = self
            .variables
            .iter()
            .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
            .filter(|(name, _)| name.starts_with("AO_"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_map();
        Sources {
            user_file: self.config_directory.join("config.toml"),
            repository: repository.map(|main| main.join(".ao/config.toml")),
            environment,
            project,
            flags: self.flags.clone(),
        }
    }

    /// Returns the policy that applies to a session, and whether its events are synced: what a
    /// hook needs of [`Self::config_of`], which builds a document of every key there is.
    pub fn policy_of(&self, record: &Record) -> Result<(Policy, bool), ConfigError> {
        let repository = record.handles.workspace.as_ref().map(|handle| handle.repo.as_path());
        if config::leave_policy_alone(&self.sources(repository, record.project.clone())) {
            return Ok((Policy::default(), true));
        }
        let config = &self.config_of(record)?.config;
        Ok((config.policy.clone(), config.state.sync))
    }

    /// Returns the configuration that applies to a session.
    ///
    /// A repository whose own file cannot be read falls back to the user's configuration: a
    /// half-edited file must not stop supervision.
    pub fn config_of(&self, record: &Record) -> Result<Arc<Layered>, ConfigError> {
        let repository = record.handles.workspace.as_ref().map(|handle| handle.repo.as_path());
        if let Some(layered) = self.known(repository, record.project.as_ref()) {
            return Ok(layered);
        }
        let project = || record.project.clone();
        self.config_for(repository, project()).or_else(|_| self.config_for(None, project()))
    }
}

/// A world that can be taken to another thread, with what was read of it so far.
#[derive(Clone, Debug)]
pub struct Shared {
    home: Home,
    config_directory: PathBuf,
    variables: Arc<BTreeMap<OsString, OsString>>,
    directory: PathBuf,
    lock_timeout: Duration,
    flags: toml::Table,
    guide: fn() -> String,
    layers: Layers,
    projects: BTreeMap<PathBuf, ProjectId>,
    cards: Option<Arc<Cards>>,
}

impl Shared {
    /// Returns the world of one thread.
    pub fn world(self) -> World {
        let Self { home, config_directory, variables, directory, lock_timeout, .. } = self;
        World {
            flags: self.flags,
            guide: self.guide,
            layers: RefCell::new(self.layers),
            projects: RefCell::new(self.projects),
            cards: RefCell::new(self.cards),
            ..World::new(home, config_directory, variables, directory, lock_timeout)
        }
    }
}

/// What a transaction did.
#[derive(Debug)]
pub struct Applied {
    /// What was decided.
    pub outcome: Outcome,
    /// The revision after it.
    pub revision: u64,
    /// Something was written.
    pub changed: bool,
}

/// Applies one observation to a session: locks, decides on the record as it is then, commits.
///
/// What the decision asks for goes into the outbox in the same write.
pub fn apply(
    world: &World,
    id: &SessionId,
    observation: &Observation,
    cause: &str,
) -> Result<Applied, InvocationError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    apply_locked(world, &mut locked, observation, cause)
}

/// [`apply`], with something a person should find in the event.
pub fn apply_noting(
    world: &World,
    id: &SessionId,
    observation: &Observation,
    cause: &str,
    note: Option<&str>,
) -> Result<Applied, InvocationError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    let layered = world.config_of(locked.record())?;
    apply_with(&mut locked, observation, &layered.config.policy, cause, note, clock::now())
}

/// [`apply`] for a caller that holds the lock.
pub fn apply_locked(
    world: &World,
    locked: &mut LockedSession,
    observation: &Observation,
    cause: &str,
) -> Result<Applied, InvocationError> {
    let layered = world.config_of(locked.record())?;
    apply_with(locked, observation, &layered.config.policy, cause, None, clock::now())
}

/// Decides and commits under `policy` at `now`.
pub fn apply_with(
    locked: &mut LockedSession,
    observation: &Observation,
    policy: &Policy,
    cause: &str,
    note: Option<&str>,
    now: Timestamp,
) -> Result<Applied, InvocationError> {
    let before = locked.record().clone();
    let outcome = decide::reduce(&before, observation, policy, now)?;
    let after = decide::enqueue(&outcome.after, &outcome.effects, before.revision + 1, now);
    let mut change = change_of(cause, &outcome, observation, now);
    if let Some(note) = note {
        change.reason = Some(format!("{}; {note}", outcome.reason));
    }
    change.reason = change.reason.filter(|reason| !reason.is_empty());
    change.evidence = Some(outcome.evidence.clone()).filter(|evidence| !evidence.is_empty());
    change.heartbeat = is_heartbeat(&before, &after);
    let commit = locked.commit(change.with_patch(before.difference(&after)))?;
    Ok(Applied { outcome, revision: commit.revision, changed: commit.changed })
}

/// Returns the change that says what was decided upon `observation` and why; its patch, and what
/// else the caller knows of it, are still to be filled in.
pub fn change_of(
    cause: &str,
    outcome: &Outcome,
    observation: &Observation,
    now: Timestamp,
) -> Change {
    let mut change = Change::new(cause, now);
    change.rule = Some(outcome.rule.to_string());
    change.reason = Some(outcome.reason.clone());
    change.observation = serde_json::to_value(observation).ok();
    change
}

/// A change of nothing but when the agent was last heard need not survive a power cut.
fn is_heartbeat(before: &Record, after: &Record) -> bool {
    let (Some(old), Some(new)) = (&before.lifecycle.activity, &after.lifecycle.activity) else {
        return false;
    };
    if old.last_activity_at == new.last_activity_at {
        return false;
    }
    let mut same = after.clone();
    if let Some(activity) = &mut same.lifecycle.activity {
        activity.last_activity_at = old.last_activity_at;
    }
    same == *before
}

/// Changes a record outside the reducer (handles, intents, claims, titles): locks, edits, commits.
///
/// `edit` sees the record as it is under the lock and may refuse.
pub fn amend<E: From<StoreError>>(
    world: &World,
    id: &SessionId,
    cause: &str,
    edit: impl FnOnce(&mut Record) -> Result<(), E>,
) -> Result<Record, E> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    amend_locked(&mut locked, cause, edit)
}

/// [`amend`] for a caller that holds the lock.
pub fn amend_locked<E: From<StoreError>>(
    locked: &mut LockedSession,
    cause: &str,
    edit: impl FnOnce(&mut Record) -> Result<(), E>,
) -> Result<Record, E> {
    let before = locked.record().clone();
    let mut after = before.clone();
    edit(&mut after)?;
    let mut change = Change::new(cause, clock::now());
    change.patch = before.difference(&after);
    locked.commit(change)?;
    Ok(locked.record().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::fs::{self, Durability};
    use crate::store::NewProject;

    #[test]
    fn the_projects_are_read_once_but_for_a_repository_that_is_registered_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let home = Home::open(&place("home")).unwrap();
        let text = b"[projects.web]\nagent = \"one\"\n[projects.app]\nagent = \"two\"\n";
        fs::create_directories(&place("config")).unwrap();
        fs::replace(&place("config/config.toml"), text, Durability::Process).unwrap();
        let register = |name: &str| {
            let project = NewProject {
                common_dir: place(name).join(".git"),
                repo: place(name),
                origin: None,
                default_branch: None,
                folder_name: name.to_owned(),
            };
            let now = Timestamp::from_millis(0);
            home.register_project(project, Duration::from_secs(20), now).unwrap();
        };
        let (timeout, nowhere) = (Duration::ZERO, PathBuf::from("/"));
        let world = World::new(home.clone(), place("config"), Arc::default(), nowhere, timeout);
        let agent = |name: &str| {
            let layered = world.config(Some(&place(name))).unwrap();
            layered.config.agent.clone().unwrap_or_default()
        };
        register("web");
        assert_eq!([agent("web"), agent("app")], ["one", ""]);
        register("app");
        assert_eq!([agent("web"), agent("app")], ["one", "two"]);
        // Whoever read them again could read none.
        let damaged = place("home/projects/app.json");
        fs::replace(&damaged, b"", Durability::Process).unwrap();
        assert_eq!([agent("web"), agent("app")], ["one", "two"]);
    }
}
