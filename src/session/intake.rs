//! Intake: open issues with a label get a session each, started by a pass.
//!
//! What was begun is remembered beside the project, before it is begun; passes exclude one
//! another, so nobody else writes there. A session that is started here gets nothing of the
//! environment of whoever happens to make the pass but what any program needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::act;
use crate::adapter::fs::{self, Durability};
use crate::adapter::http::HttpError;
use crate::adapter::notify::Notice;
use crate::adapter::scm::{ForgeError, Tracker};
use crate::config::{Config, IntakeConfig};
use crate::decide::intake::{Due, Ledger, MOST_ATTEMPTS};
use crate::invocation::World;
use crate::model::collect::Sorted;
use crate::model::effect::{EntryKind, OutboxEntry, Priority};
use crate::model::forge::{Issue, IssueQuery};
use crate::model::id::{ProjectId, SessionId};
use crate::model::status::Status;
use crate::model::summary::Summary;
use crate::model::time::Timestamp;
use crate::model::{sanitize, schema};
use crate::session::spawn::{self, SpawnRequest, Spawned};
use crate::session::{OutsideError, SessionError, context, issue, tracker};
use crate::store::{Project, StoreError};

/// The ledger's schema that this version writes.
const LEDGER_SCHEMA: u64 = 1;

/// The longest ledger that is read, in bytes.
const LONGEST_LEDGER: u64 = 16 << 20;

/// What every program may know of the one who runs it.
const PLAIN: &[&str] =
    &["HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR"];

/// What an intake did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intake {
    /// A session was started.
    Started {
        /// It.
        session: SessionId,
        /// For this issue.
        issue: String,
    },
    /// Something went wrong.
    Failed {
        /// The project.
        project: String,
        /// What was tried.
        what: String,
        /// Why it failed.
        why: String,
    },
}

/// Starts what is due in all projects; one that fails stops no other.
pub fn take(world: &World, now: Timestamp) -> Vec<Intake> {
    let mut events = Vec::new();
    if !is_wanted(world) {
        return events;
    }
    for project in world.home.projects().unwrap_or_default() {
        // What a repository says of this does not count, so its file is not read.
        let layered = match world.config_for(None, Some(project.id.clone())) {
            Ok(layered) => layered,
            Err(error) => {
                let (project, what) = (project.id.to_string(), "look for issues".to_owned());
                events.push(Intake::Failed { project, what, why: sanitize::chain(&error) });
                continue;
            }
        };
        let config = &layered.config;
        let Some(label) = &config.intake.label else { continue };
        let mut pass = Pass::new(world, config, &project, now);
        if let Err(error) = pass.take(label) {
            pass.fail("look for issues", &error);
        }
        events.append(&mut pass.events);
    }
    events
}

/// Returns whether the user says anything of intake: where not, no project is looked at.
fn is_wanted(world: &World) -> bool {
    let file = fs::read_optional(&world.config_directory.join("config.toml"));
    file.ok().flatten().is_some_and(|text| String::from_utf8_lossy(&text).contains("intake"))
}

/// The intake of one project.
struct Pass<'a> {
    world: &'a World,
    config: &'a Config,
    project: &'a Project,
    now: Timestamp,
    /// The sessions that lived when they were last counted.
    live: BTreeSet<SessionId>,
    /// The project's sessions by their issue, archived ones as well, once somebody asked for them.
    had: Option<BTreeMap<String, Vec<Summary>>>,
    events: Vec<Intake>,
}

/// Whether more issues may be looked at.
enum Go {
    On,
    /// The sessions are others than they were: a start takes long enough for everybody.
    Afresh,
    Stop,
}

impl<'a> Pass<'a> {
    fn new(world: &'a World, config: &'a Config, project: &'a Project, now: Timestamp) -> Self {
        let (live, had, events) = (BTreeSet::new(), None, Vec::new());
        Self { world, config, project, now, live, had, events }
    }

    fn take(&mut self, label: &str) -> Result<(), SessionError> {
        let mut ledger = load(self.world, &self.project.id)?;
        let intake = &self.config.intake;
        if !ledger.may_ask(intake.interval, self.now) {
            return Ok(());
        }
        self.count()?;
        if self.room(&ledger) == 0 {
            return Ok(());
        }
        let Some(tracker) = tracker::of(self.world, &self.project.repo)? else {
            return Ok(());
        };
        ledger.asked_at = Some(self.now);
        self.store(&ledger)?;
        for found in tracker.issues(&query(intake, label))? {
            let go = match ledger.due(&found.id, self.now) {
                Due::Nothing | Due::Later => continue,
                Due::Tell => self.give_up(&mut ledger, &found.id)?,
                Due::Start => self.start(&mut ledger, &*tracker, &found)?,
            };
            match go {
                Go::On => {}
                Go::Afresh => self.count()?,
                Go::Stop => break,
            }
            if self.room(&ledger) == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Looks which sessions live; what was known of those of issues is looked for again as well.
    fn count(&mut self) -> Result<(), SessionError> {
        self.live = spawn::live_summaries(&self.world.home)?.map(|found| found.id).collect();
        self.had = None;
        Ok(())
    }

    /// Returns how many sessions may be started.
    fn room(&self, ledger: &Ledger) -> usize {
        let of_intake = ledger.issues.values().filter_map(|it| it.session.as_ref());
        let own = of_intake.filter(|id| self.live.contains(*id)).count();
        let all = (self.config.max_sessions as usize).saturating_sub(self.live.len());
        all.min(self.config.intake.max_live.saturating_sub(own))
    }

    fn start(
        &mut self,
        ledger: &mut Ledger,
        tracker: &dyn Tracker,
        found: &Issue,
    ) -> Result<Go, SessionError> {
        let id = found.id.as_str();
        if let Some(session) = self.handled(id)? {
            ledger.taken(id, &session);
            self.store(ledger)?;
            return Ok(Go::On);
        }
        // An issue that cannot be read was not tried.
        let whole = match tracker.issue(id) {
            Ok(whole) => whole,
            Err(error) if is_of_one_issue(&error) => {
                self.fail(&format!("read issue {id}"), &error);
                return Ok(Go::On);
            }
            Err(error) => return Err(error.into()),
        };
        ledger.begin(id, self.now);
        self.store(ledger)?;
        crate::adapter::failpoint::pass("intake.begun").map_err(SessionError::Proc)?;
        let go = match self.spawn(&whole) {
            Ok(spawned) => {
                ledger.taken(id, &spawned.id);
                let issue = id.to_owned();
                self.events.push(Intake::Started { session: spawned.id, issue });
                Go::Afresh
            }
            Err(SessionError::IssueTaken { id: session, .. }) => {
                ledger.taken(id, &session);
                Go::Afresh
            }
            Err(SessionError::Outside(OutsideError::IssueClosed { .. })) => {
                ledger.take_back(id);
                Go::On
            }
            Err(SessionError::TooMany { .. }) => {
                ledger.take_back(id);
                Go::Stop
            }
            Err(error) => {
                ledger.failed(id, &sanitize::chain(&error));
                self.fail(&format!("start a session for issue {id}"), &error);
                Go::On
            }
        };
        self.store(ledger)?;
        Ok(go)
    }

    /// Returns the session that has or had an issue; one that never came to life had nothing.
    fn handled(&mut self, issue: &str) -> Result<Option<SessionId>, SessionError> {
        let had = match self.had.take() {
            Some(had) => had,
            None => self.by_issue()?,
        };
        for summary in self.had.insert(had).get(issue).into_iter().flatten() {
            if !is_stillborn(self.world, summary)? {
                return Ok(Some(summary.id.clone()));
            }
        }
        Ok(None)
    }

    /// Returns the project's sessions by their issue.
    fn by_issue(&self) -> Result<BTreeMap<String, Vec<Summary>>, SessionError> {
        let mut had: BTreeMap<String, Vec<Summary>> = BTreeMap::new();
        for mut summary in self.world.home.summaries(true)?.into_iter().flatten() {
            if summary.project.as_ref() != Some(&self.project.id) {
                continue;
            }
            if let Some(issue) = summary.issue.take() {
                had.entry(issue).or_default().push(*summary);
            }
        }
        Ok(had)
    }

    fn spawn(&self, issue: &Issue) -> Result<Spawned, SessionError> {
        let world = self.plain_world();
        let repository = context::repository(&world.directory)?;
        let agent = self.config.intake.agent.clone();
        let mut request = SpawnRequest { agent, ..SpawnRequest::default() };
        issue::adopt(&world, &repository, &mut request, issue, false)?;
        let plan = spawn::plan(&world, request)?;
        spawn::execute(&world, &plan)
    }

    /// Returns the world without what is the caller's own: an agent that happens to make the pass,
    /// or a person's shell, has secrets that are not for others.
    fn plain_world(&self) -> World {
        let plain = |name: &str| {
            PLAIN.contains(&name) || ["LC_", "XDG_"].iter().any(|start| name.starts_with(start))
        };
        let variables = self.world.variables.iter();
        let variables = variables.filter(|(name, _)| name.to_str().is_some_and(plain));
        let mut world = World::new(
            self.world.home.clone(),
            self.world.config_directory.clone(),
            Arc::new(variables.map(|(name, value)| (name.clone(), value.clone())).into_map()),
            self.project.repo.clone(),
            self.world.lock_timeout,
        );
        world.guide = self.world.guide;
        world
    }

    /// Tells a person that an issue is not tried again.
    fn give_up(&mut self, ledger: &mut Ledger, issue: &str) -> Result<Go, SessionError> {
        if let Some(session) = self.handled(issue)? {
            ledger.taken(issue, &session);
            self.store(ledger)?;
            return Ok(Go::On);
        }
        let Some(attempt) = ledger.issues.get_mut(issue) else { return Ok(Go::On) };
        let why = attempt.last_error.clone().unwrap_or_else(|| "it was cut short".to_owned());
        let what = format!("issue {issue} of {} was given up", self.project.id);
        let message = format!("{what} after {MOST_ATTEMPTS} attempts to start a session: {why}");
        let mut entry = OutboxEntry::new(EntryKind::Notify, self.now);
        entry.delivered.clone_from(&attempt.told);
        let told = act::tell(
            &self.world.notifiers,
            self.config,
            &entry,
            &Notice {
                id: &format!("{}.intake.{issue}", self.project.id),
                // There is no session, which is what this is about.
                session: &self.project.id.as_str().parse()?,
                project: &self.project.id,
                status: Status::Errored,
                priority: Priority::Action,
                escalation: true,
                reaction: "intake",
                title: &what,
                message: &message,
                link: None,
                at: self.now,
            },
        );
        attempt.tells = attempt.tells.saturating_add(1);
        attempt.told.extend(told.reached.into_iter().map(|name| (name, self.now)));
        attempt.is_settled = told.failed.is_empty();
        if !told.failed.is_empty() {
            let each = told.failed.iter().map(|(name, why)| format!("{name}: {why}"));
            let why = each.collect::<Vec<_>>().join("; ");
            let project = self.project.id.to_string();
            self.events.push(Intake::Failed { project, what, why });
        }
        self.store(ledger)?;
        Ok(Go::On)
    }

    fn fail(&mut self, what: &str, error: &dyn std::error::Error) {
        self.events.push(Intake::Failed {
            project: self.project.id.to_string(),
            what: what.to_owned(),
            why: sanitize::chain(error),
        });
    }

    fn store(&self, ledger: &Ledger) -> Result<(), SessionError> {
        let mut bytes = serde_json::to_vec_pretty(ledger).expect("texts and numbers are JSON");
        bytes.push(b'\n');
        Ok(fs::replace(&path(self.world, &self.project.id), &bytes, Durability::PowerCut)?)
    }
}

fn path(world: &World, project: &ProjectId) -> PathBuf {
    world.home.root().join("projects").join(format!("{project}.intake.json"))
}

/// Reads what is remembered of a project's issues; what cannot be read is not taken for nothing.
pub(super) fn load(world: &World, project: &ProjectId) -> Result<Ledger, SessionError> {
    let path = path(world, project);
    match fs::read_regular(&path, LONGEST_LEDGER)? {
        Some(bytes) => Ok(parse(&bytes, path)?),
        None => Ok(Ledger { schema: LEDGER_SCHEMA, ..Ledger::default() }),
    }
}

fn parse(bytes: &[u8], path: PathBuf) -> Result<Ledger, StoreError> {
    if let Some(schema) = schema::newer(bytes, LEDGER_SCHEMA) {
        return Err(StoreError::NewerFile { path, schema });
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let why = error.to_string();
        StoreError::Damaged { path, line: None, why }
    })
}

/// Returns whether the spawn of a session was undone: where it runs is known of one from the end of
/// its spawn on, and forgotten by nothing but the undoing of that. What the axes say proves less: a
/// restore that failed is told as a spawn that did, and a launcher may have told of the end of an
/// agent before its spawn was undone.
fn is_stillborn(world: &World, summary: &Summary) -> Result<bool, SessionError> {
    if !summary.lifecycle.is_terminal() {
        return Ok(false);
    }
    Ok(world.home.load(&summary.id)?.record.handles.runtime.is_none())
}

/// Returns whether a failure says something of one issue, and nothing of those that follow.
fn is_of_one_issue(error: &ForgeError) -> bool {
    match error {
        ForgeError::NotFound { .. }
        | ForgeError::Conflict { .. }
        | ForgeError::Failed { .. }
        | ForgeError::Unreadable { .. }
        | ForgeError::Http(HttpError::TooLong { .. }) => true,
        ForgeError::Unsupported { .. }
        | ForgeError::Denied { .. }
        | ForgeError::RateLimited { .. }
        | ForgeError::Http(_)
        | ForgeError::Cmd(_)
        | ForgeError::Git(_)
        | ForgeError::Fs(_) => false,
    }
}

fn query(intake: &IntakeConfig, label: &str) -> IssueQuery {
    IssueQuery {
        labels: vec![label.to_owned()],
        assignee: intake.assignee.clone(),
        state: Some("open".to_owned()),
        limit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::target;

    #[test]
    fn fuzz_intake_ledger() {
        let seed = r#"{"schema":1,"asked_at":"2026-11-20T10:00:00Z","issues":{"7":{"session":"app-1",
            "attempts":2,"next_at":"2026-11-20T10:05:00Z","last_error":"x","told":{"bell":
            "2026-11-20T10:00:00Z"},"is_settled":true}}}"#;
        let words = ["issues", "attempts", "4294967295", "+999999-01-01T00:00:00Z"];
        target("intake-ledger").seed(seed).words(&words).run(|bytes| {
            match parse(bytes, "projects/app.intake.json".into()) {
                Ok(mut ledger) => {
                    let again = serde_json::to_vec_pretty(&ledger).unwrap();
                    assert_eq!(parse(&again, PathBuf::new()).unwrap(), ledger);
                    let now = Timestamp::from_millis(i64::MAX);
                    for id in ledger.issues.clone().keys() {
                        ledger.due(id, now);
                        ledger.begin(id, now);
                        ledger.failed(id, "it did not start");
                    }
                }
                Err(error) => {
                    let told = sanitize::chain(&error);
                    assert!(told.contains("projects/app.intake.json"), "{told}");
                }
            }
        });
    }
}
