//! Pull requests as a person handles them: opened, looked at, claimed for a session.
//!
//! What the forge says goes into the record at once, as the same fact that a pass would bring.

use crate::adapter::git::Repository;
use crate::adapter::scm::Scm;
use crate::invocation::{self, World};
use crate::model::facts::{Observation, PrFact, ScmFact};
use crate::model::forge::{NewPullRequest, PullRequest, Subject};
use crate::model::id::{BranchName, SessionId};
use crate::model::lifecycle::PrState;
use crate::model::record::Record;
use crate::model::sanitize;
use crate::model::status::Status;
use crate::session::{OutsideError, SessionError, forge, poll, spawn, workspace};

/// The longest title that a pull request gets from a session, in characters.
const MAX_TITLE: usize = 200;

/// A pull request to be opened for a session.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Its title; else the session's, else the first line of the branch's last commit.
    pub title: Option<String>,
    /// What it says; else which issue it is for.
    pub body: Option<String>,
    /// The branch it is to be merged into; else the one that the session's began at.
    pub base: Option<String>,
    /// Not yet to be reviewed.
    pub draft: bool,
    /// The branch is pushed first.
    pub push: bool,
}

/// A session, its repository and its forge.
struct Place {
    record: Record,
    repository: Repository,
    subject: Subject,
    branch: BranchName,
    scm: Box<dyn Scm>,
}

/// Opens the pull request of a session's branch, or returns the one that is open.
pub fn create(
    world: &World,
    id: &SessionId,
    wanted: &Wanted,
) -> Result<(PullRequest, Vec<String>), SessionError> {
    let place = place(world, id)?;
    let notes = bring(&place, id, wanted.push)?;
    let made = place.scm.create(&place.subject, &request_of(&place, wanted))?;
    // Of one that is known already this says less than the last look did.
    let known = &place.record.lifecycle.pr;
    if (known.number, known.state) != (made.number, made.state) {
        note(world, id, fact_of(&made), "pr create")?;
    }
    Ok((made, notes))
}

/// What [`create`] would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What would be sent, and why.
    pub steps: Vec<(String, String)>,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// Returns what [`create`] would send, in steps; sends nothing, and asks the remote alone.
pub fn plan(world: &World, id: &SessionId, wanted: &Wanted) -> Result<Plan, SessionError> {
    let place = place(world, id)?;
    let known = &place.record.lifecycle.pr;
    let is_open = matches!(known.state, PrState::Open | PrState::Draft);
    let mut steps = Vec::new();
    let notes = if wanted.push { Vec::new() } else { bring(&place, id, false)? };
    if wanted.push && is_behind(&place)? {
        steps.push((format!("push {} to origin", place.branch), "--push asks for it".to_owned()));
    }
    match known.number.filter(|_| is_open) {
        Some(number) => steps.push((format!("return #{number}"), "it is open".to_owned())),
        None => steps.push(opening(&place, &request_of(&place, wanted))),
    }
    Ok(Plan { steps, notes })
}

fn opening(place: &Place, request: &NewPullRequest) -> (String, String) {
    let what = if request.draft { "a draft" } else { "a pull request" };
    let into = request.base.as_deref().unwrap_or("the default branch");
    let says = if request.body.is_empty() { "nothing more" } else { &request.body };
    let why = format!("{} into {into}; it says: {}", place.branch, sanitize::line(says));
    (format!("open {what} `{}`", sanitize::line(&request.title)), why)
}

fn request_of(place: &Place, wanted: &Wanted) -> NewPullRequest {
    NewPullRequest {
        title: wanted.title.clone().unwrap_or_else(|| title(place)),
        body: wanted.body.clone().unwrap_or_else(|| body(&place.record)),
        base: wanted.base.clone().or_else(|| base_of(&place.record)),
        draft: wanted.draft,
    }
}

/// Returns what the forge says of a session's pull request, `None` where it has none.
pub fn look(world: &World, id: &SessionId) -> Result<Option<PullRequest>, SessionError> {
    let place = place(world, id)?;
    match place.subject.number {
        Some(number) => Ok(Some(place.scm.pull_request(number)?)),
        None => Ok(None),
    }
}

/// Makes a pull request that somebody else opened a session's own.
pub fn claim(world: &World, id: &SessionId, name: &str) -> Result<PullRequest, SessionError> {
    let (found, fact) = claimable(world, id, name)?;
    note(world, id, fact, "pr claim")?;
    Ok(found)
}

/// Returns the pull request that [`claim`] would make the session's, and what the forge says of it.
pub fn claimable(
    world: &World,
    id: &SessionId,
    name: &str,
) -> Result<(PullRequest, ScmFact), SessionError> {
    let number = number_of(name)
        .ok_or_else(|| OutsideError::NoPullRequestName { name: sanitize::line(name) })?;
    let place = place(world, id)?;
    refuse_taken(world, id, &place, number)?;
    let found = place.scm.pull_request(number)?;
    let refused = |why: String| -> SessionError {
        OutsideError::NotItsOwn { id: id.clone(), number, why }.into()
    };
    if found.branch != place.subject.branch {
        let (its, own) = (sanitize::line(&found.branch), &place.subject.branch);
        return Err(refused(format!("its branch is `{its}`, and not `{own}`")));
    }
    if name.contains("://") && found.url.as_deref().is_none_or(|url| !same_address(url, name)) {
        return Err(refused("its address here is another one".to_owned()));
    }
    // The forge's own word on whose it is: head repository and author, not the name alone.
    let subject = Subject { number: Some(number), ..place.subject.clone() };
    let observed = place.scm.observe(&[subject]).into_iter().next();
    let (fact, why) = match observed {
        Some(observed) => (observed.fact, observed.why),
        None => (ScmFact::default(), None),
    };
    if !fact.fetched || fact.pr.number != Some(number) {
        return Err(refused(why.unwrap_or_else(|| "it is somebody else's".to_owned())));
    }
    Ok((found, fact))
}

/// Returns the forge that a repository's pull requests live at.
///
/// # Errors
///
/// There is none: its branches are their own pull requests, or nobody looks at them.
pub fn scm(world: &World, repository: &Repository) -> Result<Box<dyn Scm>, SessionError> {
    let layered = world.config(Some(&repository.main)).or_else(|_| world.config(None))?;
    forge::choose(world, &layered.config, &repository.main)?
        .ok_or_else(|| OutsideError::NoForge { path: repository.main.clone() }.into())
}

fn place(world: &World, id: &SessionId) -> Result<Place, SessionError> {
    let record = world.home.load(id)?.record;
    let wrong = |why| SessionError::WrongState {
        id: id.clone(),
        status: Status::of(&record.lifecycle),
        why,
    };
    let why = "only a worker with a branch of its own has a pull request";
    let (_, subject) = poll::subject(&record).ok_or_else(|| wrong(why))?;
    let handle = record.handles.workspace.as_ref().ok_or_else(|| wrong(why))?;
    let branch = handle.branch.clone().ok_or_else(|| wrong(why))?;
    let repository = workspace::repository_of(handle)?;
    let scm = scm(world, &repository)?;
    Ok(Place { record, repository, subject, branch, scm })
}

/// Sees to it that the forge has the branch: pushes it where that was asked for.
fn bring(place: &Place, id: &SessionId, push: bool) -> Result<Vec<String>, SessionError> {
    let (repository, branch) = (&place.repository, &place.branch);
    // A program of the user's may have its own ways to the branch.
    if !push && repository.origin().is_none() {
        return Ok(Vec::new());
    }
    let here = repository.tip(branch)?;
    let there = repository.remote_tip(branch)?;
    match (push, &there) {
        (true, there) if *there != here => {
            repository.push(branch)?;
            Ok(Vec::new())
        }
        (false, None) => {
            Err(OutsideError::NotPushed { id: id.clone(), branch: branch.to_string() }.into())
        }
        (false, Some(_)) if there != here => Ok(vec![format!(
            "origin has another commit of {branch} than is here; --push brings it"
        )]),
        (true | false, None | Some(_)) => Ok(Vec::new()),
    }
}

/// Returns whether the remote lacks what is here; one that is not there lacks it all.
fn is_behind(place: &Place) -> Result<bool, SessionError> {
    let (repository, branch) = (&place.repository, &place.branch);
    Ok(repository.origin().is_none() || repository.remote_tip(branch)? != repository.tip(branch)?)
}

/// Refuses a pull request that another live session has.
fn refuse_taken(
    world: &World,
    id: &SessionId,
    place: &Place,
    number: u64,
) -> Result<(), SessionError> {
    for other in spawn::live_summaries(&world.home)? {
        let same = other.project == place.record.project;
        if other.id != *id && same && other.lifecycle.pr.number == Some(number) {
            return Err(OutsideError::PullRequestTaken { id: other.id, number }.into());
        }
    }
    Ok(())
}

fn note(world: &World, id: &SessionId, fact: ScmFact, cause: &str) -> Result<(), SessionError> {
    invocation::apply(world, id, &Observation::Scm(Box::new(fact)), cause)?;
    Ok(())
}

/// Returns the fact that a pull request is there, and nothing of checks and reviews.
fn fact_of(found: &PullRequest) -> ScmFact {
    ScmFact {
        fetched: true,
        pr: PrFact {
            state: Some(found.state),
            draft: found.state == PrState::Draft,
            number: found.number,
            url: found.url.clone(),
            head_sha: found.head_sha.clone(),
        },
        ..ScmFact::default()
    }
}

/// Returns the branch that the session's began at, without the remote's name; `None` for what is
/// no branch.
fn base_of(record: &Record) -> Option<String> {
    let base = record.handles.workspace.as_ref()?.base_ref.as_deref()?;
    base.strip_prefix("origin/").map(str::to_owned)
}

fn title(place: &Place) -> String {
    let own = place.record.title.clone();
    let last = || place.repository.subject_of(&place.branch).ok().flatten();
    let title = own.or_else(last).unwrap_or_else(|| place.branch.to_string());
    sanitize::line(&title).chars().take(MAX_TITLE).collect()
}

fn body(record: &Record) -> String {
    match record.issue.as_deref() {
        Some(issue) if issue.bytes().all(|byte| byte.is_ascii_digit()) => format!("For #{issue}."),
        Some(issue) => format!("For {}.", sanitize::line(issue)),
        None => String::new(),
    }
}

/// Returns the number that a name or an address stands for.
fn number_of(name: &str) -> Option<u64> {
    let plain = name.strip_prefix('#').unwrap_or(name);
    if let Ok(number) = plain.parse() {
        return Some(number);
    }
    let (_, rest) = name.split_once("://")?;
    let path = rest.split(['?', '#']).next()?.trim_end_matches('/');
    let (_, after) = path.rsplit_once("/pull/")?;
    after.split('/').next()?.parse().ok()
}

/// Returns whether two addresses name one pull request, whichever of its pages they show.
fn same_address(own: &str, given: &str) -> bool {
    let plain = |url: &str| -> Option<String> {
        let (_, rest) = url.split_once("://")?;
        let (place, _) = rest.rsplit_once("/pull/")?;
        Some(place.to_ascii_lowercase())
    };
    plain(own).is_some() && plain(own) == plain(given) && number_of(own) == number_of(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_request_is_named_by_number_or_by_address() {
        let own = "https://forge.example/me/app/pull/7";
        for (name, number, same) in [
            ("7", Some(7), false),
            ("#7", Some(7), false),
            ("https://forge.example/me/app/pull/7", Some(7), true),
            ("https://Forge.example/Me/App/pull/7/files?x=1#top", Some(7), true),
            ("https://forge.example/me/app/pull/7/", Some(7), true),
            ("https://forge.example/me/app/pull/8", Some(8), false),
            ("https://other.example/me/app/pull/7", Some(7), false),
            ("https://forge.example/me/app/issues/7", None, false),
            ("seven", None, false),
            ("", None, false),
        ] {
            assert_eq!((number_of(name), same_address(own, name)), (number, same), "{name}");
        }
    }
}
