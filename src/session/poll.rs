//! Looks at the pull requests of all sessions, one repository at a time.
//!
//! Which adapter answers for a repository is configured. A failure is told beside the facts, and
//! stops no other repository.

use std::collections::BTreeMap;
use std::iter;
use std::mem;
use std::path::{Path, PathBuf};

use crate::adapter::check_run::{self, CHECK_LOG};
use crate::adapter::clock;
use crate::adapter::git::{BranchLook, GitError, Opened};
use crate::adapter::scm::local::{self, Notebook};
use crate::adapter::scm::{all_unknown, unknown};
use crate::decide::local_scm::{Branch, CheckFact, Evidence, Wanted};
use crate::decide::{self, local_scm};
use crate::invocation::World;
use crate::model::check_run::CheckState;
use crate::model::collect::Sorted;
use crate::model::facts::{Observation, ScmFact};
use crate::model::forge::{Observed, ScmKind, Subject};
use crate::model::id::SessionId;
use crate::model::lifecycle::PrState;
use crate::model::record::{Kind, Record};
use crate::model::review;
use crate::model::time::Timestamp;
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
    /// Those whom what was seen is known to leave as they are.
    pub foreseen: Foreseen,
    /// Not all sessions are looked at, so that nothing is remembered of this look.
    is_partial: bool,
}

/// Sessions, and the revisions at which what was seen changes nothing of them.
#[derive(Debug, Default)]
pub struct Foreseen(BTreeMap<SessionId, u64>);

impl Foreseen {
    /// Returns whether what was seen leaves the session as it is.
    pub fn has(&self, record: &Record) -> bool {
        record.id.as_ref().and_then(|id| self.0.get(id)) == Some(&record.revision)
    }
}

impl Looked {
    /// Dates what was observed, the first `others` left out, at the beginning of the look: whatever
    /// is recorded while somebody looks is later than what they see.
    fn began_at(&mut self, began: Timestamp, others: usize) {
        for observed in self.observed.iter_mut().skip(others) {
            observed.fact.observed_at.get_or_insert(began);
        }
    }

    /// Finds out of whom what was observed changes nothing.
    fn foresee(&mut self, world: &World, records: &BTreeMap<SessionId, Box<Record>>) {
        let now = clock::now();
        for observed in &mut self.observed {
            let Some(record) = records.get(&observed.id) else { continue };
            let Ok(layered) = world.config_of(record) else { continue };
            let fact = Observation::Scm(Box::new(mem::take(&mut observed.fact)));
            let policy = &layered.config.policy;
            if decide::leaves_alone(record, &mut record.clone(), &fact, policy, now) {
                self.foreseen.0.insert(observed.id.clone(), record.revision);
            }
            if let Observation::Scm(fact) = fact {
                observed.fact = *fact;
            }
        }
    }
}

/// Looks at the pull request of one session, `None` where it can have none.
pub fn look_at_one(world: &World, id: &SessionId, record: &Record) -> Option<Observed> {
    let only = iter::once((id.clone(), Box::new(record.clone()))).into_map();
    let partial = Looked { is_partial: true, ..Looked::default() };
    look_into(world, &only, Ahead::default(), partial).observed.pop()
}

/// Looks at the pull request of each of `records` that can have one; `ahead` is what was looked
/// at before, in the same pass.
pub fn look(world: &World, records: &BTreeMap<SessionId, Box<Record>>, ahead: Ahead) -> Looked {
    look_into(world, records, ahead, Looked::default())
}

/// What is known of repositories that are their own forge, told ahead of time: while tmux was asked
/// who lives, as nothing but files of this machine are read for it.
#[derive(Debug, Default)]
pub struct Ahead {
    /// The sessions, and the revisions at which they were looked at.
    seen: Vec<(SessionId, u64)>,
    /// What is to be looked at, and what is known of it already.
    repositories: BTreeMap<PathBuf, (Vec<Subject>, Option<Told>)>,
}

impl Ahead {
    /// Returns what is to be looked at by now, with what is known of it still.
    fn by_repository(
        mut self,
        records: &BTreeMap<SessionId, Box<Record>>,
    ) -> BTreeMap<PathBuf, (Vec<Subject>, Option<Told>)> {
        let seen = self.seen.iter().map(|(id, revision)| (id, *revision));
        if records.iter().map(|(id, record)| (id, record.revision)).eq(seen) {
            return self.repositories;
        }
        let with_known = |(repository, subjects): (PathBuf, Vec<Subject>)| {
            // What became of a session since may be another question.
            let known = self.repositories.remove(&repository).filter(|(of, _)| *of == subjects);
            (repository, (subjects, known.and_then(|(_, told)| told)))
        };
        by_repository(records).into_iter().map(with_known).into_map()
    }
}

/// What is known of the branches of one repository.
#[derive(Debug)]
struct Told {
    looked: Looked,
    /// What is remembered of the look, and the session whose check waits for an approval, if any;
    /// absent where nothing was seen.
    memory: Option<(Notebook, Option<(SessionId, String)>)>,
}

impl Told {
    /// Looks at the branches of a repository, at their checks and at their reviews.
    fn of(
        world: &World,
        repository: &Path,
        opened: Opened,
        subjects: &[Subject],
        records: &BTreeMap<SessionId, Box<Record>>,
    ) -> Self {
        let mut notebook = Notebook::open(world.cache_directory().as_deref(), repository);
        let mut looked = Looked::default();
        let mut missing = None;
        let looks = local::look(opened, subjects, &mut notebook.memory);
        let is_seen = looks.is_ok();
        match looks {
            Err(error) => looked.observed = all_unknown(subjects, &sanitize::chain(&error)),
            Ok(looks) => {
                for (subject, look) in subjects.iter().zip(looks) {
                    let Some(record) = records.get(&subject.id) else { continue };
                    let observed = seen(world, record, subject, look, &mut looked, &mut missing);
                    looked.observed.push(
                        observed.unwrap_or_else(|error| unknown(subject, sanitize::chain(&error))),
                    );
                }
            }
        }
        Self { looked, memory: is_seen.then_some((notebook, missing)) }
    }

    /// Adds what is known to `all`, and remembers it for the next pass unless that is partial.
    fn close(mut self, records: &BTreeMap<SessionId, Box<Record>>, all: &mut Looked) {
        if let Some((mut notebook, missing)) = self.memory.filter(|_| !all.is_partial) {
            tell_once(&mut notebook, missing, &mut self.looked.observed);
            // Without it the next pass looks again.
            let _ = notebook.close();
        }
        all.observed.append(&mut self.looked.observed);
        let may_be_done = |step: &Step| records.get(&step.id).is_some_and(|it| check::is_due(it));
        all.steps.extend(self.looked.steps.into_iter().filter(may_be_done));
        all.checking.append(&mut self.looked.checking);
        all.foreseen.0.append(&mut self.looked.foreseen.0);
    }
}

/// Looks at the branches of all repositories that are their own forge, and decides what it means:
/// nothing, as a rule.
pub fn look_ahead(world: &World, records: &BTreeMap<SessionId, Box<Record>>) -> Ahead {
    let look = |(repository, subjects): (PathBuf, Vec<Subject>)| {
        let told = tell_ahead(world, &repository, &subjects, records);
        (repository, (subjects, told))
    };
    let repositories = by_repository(records).into_iter().map(look).into_map();
    let seen = records.iter().map(|(id, record)| (id.clone(), record.revision)).collect();
    Ahead { seen, repositories }
}

/// Looks at the branches of one repository, `None` where another is asked about them.
fn tell_ahead(
    world: &World,
    repository: &Path,
    subjects: &[Subject],
    records: &BTreeMap<SessionId, Box<Record>>,
) -> Option<Told> {
    let layered = world.config(Some(repository)).or_else(|_| world.config(None)).ok()?;
    let opened = Opened::at(repository);
    if forge::kind_by(world, &layered.config, || opened.origin()) != ScmKind::Local {
        return None;
    }
    let began = clock::now();
    let mut told = Told::of(world, repository, opened, subjects, records);
    told.looked.began_at(began, 0);
    told.looked.foresee(world, records);
    Some(told)
}

fn by_repository(records: &BTreeMap<SessionId, Box<Record>>) -> BTreeMap<PathBuf, Vec<Subject>> {
    let mut repositories: BTreeMap<PathBuf, Vec<Subject>> = BTreeMap::new();
    for record in records.values().filter(|record| is_looked_at(record)) {
        if let Some((repository, subject)) = subject(record) {
            repositories.entry(repository).or_default().push(subject);
        }
    }
    repositories
}

fn look_into(
    world: &World,
    records: &BTreeMap<SessionId, Box<Record>>,
    ahead: Ahead,
    mut looked: Looked,
) -> Looked {
    for (repository, (subjects, told)) in ahead.by_repository(records) {
        match told {
            Some(told) => told.close(records, &mut looked),
            None => {
                let (began, others) = (clock::now(), looked.observed.len());
                look_at(world, &repository, subjects, records, &mut looked);
                looked.began_at(began, others);
            }
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

fn look_at(
    world: &World,
    repository: &Path,
    subjects: Vec<Subject>,
    records: &BTreeMap<SessionId, Box<Record>>,
    looked: &mut Looked,
) {
    let layered = world.config(Some(repository)).or_else(|_| world.config(None));
    let config = match &layered {
        Ok(layered) => &layered.config,
        Err(error) => {
            let why = sanitize::chain(error);
            return looked.observed.extend(all_unknown(&subjects, &why));
        }
    };
    let opened = Opened::at(repository);
    if forge::kind_by(world, config, || opened.origin()) == ScmKind::Local {
        return Told::of(world, repository, opened, &subjects, records).close(records, looked);
    }
    match forge::choose(world, config, repository) {
        Ok(Some(forge)) => looked.observed.extend(forge.observe(&subjects)),
        Ok(None) => {}
        Err(error) => {
            let why = sanitize::chain(&error);
            looked.observed.extend(all_unknown(&subjects, &why));
        }
    }
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
            return Ok(Observed { id, fact, why: None, denied: false });
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
    let evidence = if local_scm::state_of(&branch) == PrState::Open {
        let configured = Configured::of(world, record)?;
        if let (Wanted::Unapproved, Some(approval)) = (configured.wanted(), &configured.missing) {
            missing.get_or_insert_with(|| (id.clone(), approval.hash.clone()));
        }
        evidence(world, record, &configured, &id, branch.head, looked)?
    } else {
        Evidence::default()
    };
    Ok(Observed { id, fact: local_scm::fact(&branch, evidence), why: None, denied: false })
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
