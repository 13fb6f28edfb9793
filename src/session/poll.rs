//! Looks at the pull requests of all sessions, one repository at a time.
//!
//! Which adapter answers for a repository is configured. A failure is told beside the facts, and
//! stops no other repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapter::check_run::{self, CHECK_LOG};
use crate::adapter::clock;
use crate::adapter::git::{BranchLook, GitError};
use crate::adapter::scm::Scm;
use crate::adapter::scm::command;
use crate::adapter::scm::local::{self, Notebook};
use crate::decide::local_scm::{self, Branch, CheckFact, Evidence, Wanted};
use crate::invocation::World;
use crate::model::check_run::CheckState;
use crate::model::facts::ScmFact;
use crate::model::forge::{Observed, ScmKind, Subject};
use crate::model::id::SessionId;
use crate::model::lifecycle::PrState;
use crate::model::record::{Kind, Record};
use crate::model::review;
use crate::model::{sanitize, secret};
use crate::session::check::{self, Configured, Step, StepKind};
use crate::session::{SessionError, forge};

/// How many lines of a failing log an agent is told.
const TAIL_LINES: usize = 200;

/// How many bytes of them.
const TAIL_BYTES: u64 = 16 << 10;

/// What a look at everything found, and what it asks for.
#[derive(Debug, Default)]
pub struct Looked {
    /// What was seen, session by session.
    pub observed: Vec<Observed>,
    /// What is to be done about checks.
    pub steps: Vec<Step>,
    /// The sessions whose check was seen to run.
    pub checking: Vec<SessionId>,
    /// Not all sessions are looked at, so that nothing is remembered of this look.
    is_partial: bool,
}

/// Looks at the pull request of one session, `None` where it can have none.
pub fn look_at_one(world: &World, id: &SessionId, record: &Record) -> Option<Observed> {
    let only = BTreeMap::from([(id.clone(), record.clone())]);
    let partial = Looked { is_partial: true, ..Looked::default() };
    look_into(world, &only, partial).observed.pop()
}

/// Looks at the pull request of each of `records` that can have one.
pub fn look(world: &World, records: &BTreeMap<SessionId, Record>) -> Looked {
    look_into(world, records, Looked::default())
}

fn look_into(world: &World, records: &BTreeMap<SessionId, Record>, mut looked: Looked) -> Looked {
    let mut repositories: BTreeMap<PathBuf, Vec<Subject>> = BTreeMap::new();
    for record in records.values().filter(|record| is_looked_at(record)) {
        if let Some((repository, subject)) = subject(record) {
            repositories.entry(repository).or_default().push(subject);
        }
    }
    for (repository, subjects) in repositories {
        let (began, others) = (clock::now(), looked.observed.len());
        look_at(world, &repository, &subjects, records, &mut looked);
        for observed in looked.observed.iter_mut().skip(others) {
            // Whatever is recorded while somebody looks is later than what they see.
            observed.fact.observed_at.get_or_insert(began);
        }
    }
    looked
}

/// Returns whether anything can still become of a session's pull request.
fn is_looked_at(record: &Record) -> bool {
    let is_settled = matches!(record.lifecycle.pr.state, PrState::Merged | PrState::Closed);
    !(check::is_put_away(record) || record.lifecycle.is_terminal() && is_settled)
}

/// Returns a session's repository and branch, where it can have a pull request: orchestrators and
/// reviewers open none, and the branch of a directory that is the user's own is the user's.
pub fn subject(record: &Record) -> Option<(PathBuf, Subject)> {
    let handle = record.handles.workspace.as_ref()?;
    if record.kind != Kind::Worker || !handle.owned {
        return None;
    }
    let pr = &record.lifecycle.pr;
    let subject = Subject {
        id: record.id.clone()?,
        branch: handle.branch.as_ref()?.to_string(),
        base_ref: handle.base_ref.clone(),
        base_sha: handle.base_sha.clone(),
        workspace: handle.path.clone(),
        number: pr.number,
        head_sha: pr.head_sha.clone(),
        state: pr.state,
        created_at: record.created_at,
    };
    Some((handle.repo.clone(), subject))
}

/// Returns the forge that merges the pull requests of a session's repository; `None` where the
/// repository itself is the forge, or where none is looked at.
pub fn forge_of(world: &World, record: &Record) -> Result<Option<Box<dyn Scm>>, SessionError> {
    let Some(handle) = &record.handles.workspace else { return Ok(None) };
    let layered = world.config_of(record)?;
    Ok(forge::choose(world, &layered.config, &handle.repo)?)
}

fn look_at(
    world: &World,
    repository: &Path,
    subjects: &[Subject],
    records: &BTreeMap<SessionId, Record>,
    looked: &mut Looked,
) {
    let layered = world.config(Some(repository)).or_else(|_| world.config(None));
    let config = match &layered {
        Ok(layered) => &layered.config,
        Err(error) => {
            let why = sanitize::chain(error);
            return looked.observed.extend(command::all_unknown(subjects, &why));
        }
    };
    if forge::kind_of(world, config, repository) == ScmKind::Local {
        return look_locally(world, repository, subjects, records, looked);
    }
    match forge::choose(world, config, repository) {
        Ok(Some(forge)) => looked.observed.extend(forge.observe(subjects)),
        Ok(None) => {}
        Err(error) => {
            let why = sanitize::chain(&error);
            looked.observed.extend(command::all_unknown(subjects, &why));
        }
    }
}

/// Looks at the branches themselves, at their checks and at their reviews.
fn look_locally(
    world: &World,
    repository: &Path,
    subjects: &[Subject],
    records: &BTreeMap<SessionId, Record>,
    looked: &mut Looked,
) {
    let cache = world.cache_directory();
    let mut notebook = Notebook::open(cache.as_deref(), repository);
    let looks = match local::look(repository, subjects, &mut notebook.memory) {
        Ok(looks) => looks,
        Err(error) => {
            let why = sanitize::chain(&error);
            return looked.observed.extend(command::all_unknown(subjects, &why));
        }
    };
    let mut missing = None;
    for (subject, look) in subjects.iter().zip(looks) {
        let Some(record) = records.get(&subject.id) else { continue };
        let observed = seen(world, record, subject, look, looked, &mut missing);
        looked.observed.push(observed.unwrap_or_else(|error| {
            let why = Some(sanitize::chain(&error));
            Observed { id: subject.id.clone(), fact: ScmFact::default(), why }
        }));
    }
    if looked.is_partial {
        return;
    }
    tell_once(&mut notebook, missing, &mut looked.observed);
    // Without it the next pass looks again.
    let _ = notebook.close();
}

/// Tells, once, that a check waits for a person's approval.
fn tell_once(
    notebook: &mut Notebook,
    missing: Option<(SessionId, String)>,
    observed: &mut [Observed],
) {
    let hash = missing.as_ref().map(|(_, hash)| hash.clone());
    let is_news = hash.is_some() && notebook.memory.told != hash;
    notebook.memory.told = hash;
    let Some((id, _)) = missing.filter(|_| is_news) else { return };
    if let Some(observed) = observed.iter_mut().find(|observed| observed.id == id) {
        let why = "the repository's check command is not approved: run `ao trust` there";
        observed.why = Some(why.to_owned());
    }
}

/// Returns what is known of one branch, and notes what its check needs.
fn seen(
    world: &World,
    record: &Record,
    subject: &Subject,
    look: Result<BranchLook, GitError>,
    looked: &mut Looked,
    missing: &mut Option<(SessionId, String)>,
) -> Result<Observed, SessionError> {
    let id = subject.id.clone();
    let look = match look {
        Ok(look) => look,
        // Whoever deleted the branch has closed what there was.
        Err(GitError::BranchGone { .. }) => {
            let fact = ScmFact { fetched: true, ..ScmFact::default() };
            return Ok(Observed { id, fact, why: None });
        }
        Err(error) => return Err(error.into()),
    };
    let branch = Branch {
        head: &look.head,
        base_sha: &look.target.sha,
        ahead: look.ahead,
        merged: look.merged,
        no_conflicts: look.conflicts.is_empty(),
    };
    let configured = Configured::of(world, record)?;
    let evidence = if local_scm::state_of(&branch) == PrState::Open {
        if let (Wanted::Unapproved, Some(approval)) = (configured.wanted(), &configured.missing) {
            missing.get_or_insert_with(|| (id.clone(), approval.hash.clone()));
        }
        evidence(world, record, &configured, &id, branch.head, looked)?
    } else {
        Evidence::default()
    };
    Ok(Observed { id, fact: local_scm::fact(&branch, evidence), why: None })
}

/// Reads what is known of the tip of an open branch.
fn evidence(
    world: &World,
    record: &Record,
    configured: &Configured,
    id: &SessionId,
    head: &str,
    looked: &mut Looked,
) -> Result<Evidence, SessionError> {
    let directory = world.home.session_dir(id);
    let standing = check_run::standing(&directory)?;
    let run = standing.run.as_ref();
    let wanted = configured.wanted();
    let fact = local_scm::check_of(wanted, head, run, standing.is_running, clock::now());
    let lost = run.is_some_and(|run| run.state == CheckState::Running) && !standing.is_running;
    if standing.is_running && matches!(fact, CheckFact::Running | CheckFact::Superseded) {
        looked.checking.push(id.clone());
    }
    if check::is_due(record) {
        let step = |what| Step { id: id.clone(), head_sha: head.to_owned(), what };
        looked.steps.extend(lost.then(|| step(StepKind::Bury)));
        looked.steps.extend(match &fact {
            CheckFact::Due { attempt } => Some(step(StepKind::Begin { attempt: *attempt })),
            CheckFact::Superseded => Some(step(StepKind::Supersede)),
            CheckFact::None
            | CheckFact::Unapproved
            | CheckFact::Pausing
            | CheckFact::Running
            | CheckFact::Passed
            | CheckFact::Failed(_) => None,
        });
    }
    let log = directory.join(CHECK_LOG);
    let has_failed = matches!(fact, CheckFact::Failed(_));
    let log_tail =
        if has_failed { Some(log_tail(&log, &secrets(world, configured))?) } else { None };
    let runs = world.home.review_runs(id)?;
    Ok(Evidence {
        name: match wanted {
            Wanted::Command(command) => check_run::name_of(command),
            Wanted::Nothing | Wanted::Unapproved => "check".to_owned(),
        },
        check: fact,
        log: log.display().to_string(),
        log_tail,
        review: review::state_of(&runs, head),
        review_required: configured.layered.config.review.auto,
        comments: review::comments_of(&runs, head),
    })
}

/// Returns the secrets that a check is given: of the configuration, and of whoever makes a pass.
fn secrets(world: &World, configured: &Configured) -> Vec<String> {
    let own = configured.layered.config.env.iter();
    let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
    let inherited = world.variables.iter();
    let inherited = inherited.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let all = own.chain(inherited).filter(|(name, _)| secret::is_secret_name(name));
    all.map(|(_, value)| value.to_owned()).collect()
}

/// Returns the end of a log, and where the rest of it is. It goes to agents and notifiers, so
/// `secrets` are not in it.
fn log_tail(path: &Path, secrets: &[String]) -> Result<String, SessionError> {
    let tail = check_run::tail(path, TAIL_LINES, TAIL_BYTES)?;
    let text = secret::redacted(&tail.text, secrets.iter().map(String::as_str));
    Ok(match tail.before {
        0 => text,
        before => format!("[… {before} bytes before this are in {}]\n{text}", path.display()),
    })
}
