//! The stored state: every record and log, and what belongs to none of them.

use std::collections::BTreeSet;

use crate::adapter::agent;
use crate::adapter::git;
use crate::adapter::process::{self, Presence};
use crate::cli::error::CommandError;
use crate::cli::health::Check;
use crate::invocation::World;
use crate::model::check;
use crate::model::id::SessionId;
use crate::model::record::Record;
use crate::model::sanitize;
use crate::session::{agent_files, files, orphans};
use crate::store::{Project, StoreError, repair};

/// Looks at all of it; repairs what can be repaired where `repair` says so.
///
/// Others go on with their work meanwhile: what is wrong is what a second look finds as well.
pub(super) fn look(
    world: &World,
    repair: bool,
    checks: &mut Vec<Check>,
) -> Result<(), CommandError> {
    let live = world.home.session_ids()?;
    let archived = world.home.archived_ids()?;
    let number = live.len() + archived.len();
    let before = checks.iter().filter(|check| !check.ok).count();
    for id in live.iter().chain(&archived) {
        checks.extend(session(world, id, repair)?);
    }
    let mut found = beside_sessions(world);
    if !found.is_empty() {
        let again = beside_sessions(world);
        found.retain(|check| again.contains(check));
    }
    checks.extend(found);
    if checks.iter().filter(|check| !check.ok).count() == before {
        checks.push(Check::good("state", format!("{number} sessions, all consistent")));
    }
    Ok(())
}

/// Looks at what is of no session: files of the home, and what no record knows of.
fn beside_sessions(world: &World) -> Vec<Check> {
    let mut checks: Vec<Check> = files::of_home(world).into_iter().map(file).collect();
    match orphans::orphans(world) {
        Ok(orphans) => checks.extend(orphans.into_iter().map(|orphan| {
            Check::bad(orphan.what, orphan.detail)
                .why("nobody watches it, ends it or removes it")
                .hint(orphan.hint)
        })),
        Err(error) => checks.push(Check::bad("orphans", sanitize::chain(&error))),
    }
    branches(world, &mut checks);
    checks
}

fn file(found: files::Finding) -> Check {
    Check::bad(found.what, found.detail).hint(found.hint)
}

/// Looks at one session, and repairs it only where a look that nobody disturbed found something.
fn session(world: &World, id: &SessionId, repair: bool) -> Result<Vec<Check>, CommandError> {
    let look = || {
        let mut checks = Vec::new();
        session_now(world, id, false, &mut checks);
        Ok(checks)
    };
    let mut checks = match world.home.look_calmly(id, Vec::is_empty, look) {
        Ok(checks) => checks,
        Err(StoreError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if repair && !checks.is_empty() {
        checks.clear();
        session_now(world, id, true, &mut checks);
    }
    Ok(checks)
}

/// Looks at one session as it is at this moment.
fn session_now(world: &World, id: &SessionId, repair: bool, checks: &mut Vec<Check>) {
    let what = format!("session {id}");
    // What is wrong with the record is told once.
    let mut is_told = false;
    let record = match world.home.load(id) {
        Ok(loaded) if repair && !loaded.notes.is_empty() && !loaded.archived => {
            // Whoever locks it puts right what a killed writer left.
            match world.home.lock_session(id, world.lock_timeout) {
                Ok(session) => {
                    let done = loaded.notes.iter().map(|note| format!("{note}; put right"));
                    checks.extend(done.map(|note| Check::good(what.clone(), note)));
                    session.record().clone()
                }
                Err(error) => {
                    checks.push(Check::bad(what.clone(), sanitize::chain(&error)));
                    loaded.record
                }
            }
        }
        Ok(loaded) => {
            is_told = !loaded.notes.is_empty();
            for note in &loaded.notes {
                checks.push(
                    Check::bad(what.clone(), note.clone())
                        .why("an ao was killed between its log and its record")
                        .hint("ao reap"),
                );
            }
            loaded.record
        }
        // It was removed, or is on its way to the archive, since its name was read.
        Err(StoreError::NotFound { .. }) => return,
        Err(error) => return damaged(world, id, &error, repair, checks),
    };
    for finding in check::check(&record) {
        checks.push(
            Check::bad(what.clone(), finding.to_string())
                .why("what is decided for it may be wrong")
                .hint(format!("ao log {id} --verify")),
        );
    }
    verify(world, id, repair, is_told, checks);
    if world.home.session_dir(id).is_dir() {
        checks.extend(files::of_session(world, id, &record).into_iter().map(file));
    }
    if let Err(error) = world.home.review_runs(id) {
        let why = sanitize::chain(&error);
        let way_out = if matches!(error, StoreError::NewerFile { .. }) {
            "use the newer ao that wrote it"
        } else {
            "move it away: the reviews it holds are forgotten, nothing else is"
        };
        checks.push(Check::bad(what.clone(), why).hint(way_out));
    }
    if let Some(intent) = &record.intent
        && !matches!(process::presence(&intent.owner()), Ok(Presence::Alive))
    {
        checks.push(
            Check::bad(what.clone(), format!("process {} died at its {}", intent.pid, intent.op))
                .why("it is half done")
                .hint("ao reap"),
        );
    }
    dead_letters(id, &record, checks);
    if !record.lifecycle.is_terminal() {
        hooks(world, id, &record, checks);
    }
}

/// What was given up: somebody was to be told, or given something, and was not.
fn dead_letters(id: &SessionId, record: &Record, checks: &mut Vec<Check>) {
    let dead = record.outbox.values().filter(|entry| entry.dead).count();
    if dead > 0 {
        let number =
            if dead == 1 { "a dead letter".to_owned() } else { format!("{dead} dead letters") };
        checks.push(
            Check::warning(format!("session {id}"), number)
                .why("it was tried often enough, and is not tried again by itself")
                .hint(format!("ao outbox ls {id} --dead")),
        );
    }
}

/// Whether the files by which its agent tells of itself are as they were put there.
fn hooks(world: &World, id: &SessionId, record: &Record, checks: &mut Vec<Check>) {
    let what = format!("hooks of {id}");
    match agent::lost(&world.home.session_dir(id), agent_files::workspace_of(record)) {
        Ok(lost) => checks.extend(lost.into_iter().map(|path| {
            Check::warning(what.clone(), format!("{} lacks what ao put there", path.display()))
                .why("its agent tells nothing of itself; its screen has to do")
                .hint(format!("ao kill {id} && ao restore {id}"))
        })),
        Err(error) => checks.push(Check::bad(what, sanitize::chain(&error))),
    }
}

/// Branches with names of ours that no record, live or archived, knows of.
fn branches(world: &World, checks: &mut Vec<Check>) {
    let mut known = BTreeSet::new();
    for told in world.home.summaries(true).unwrap_or_default() {
        let (id, branch) = match told {
            Ok(summary) => (summary.id, summary.branch),
            Err((id, _)) => (id, None),
        };
        known.insert(id.to_string());
        known.extend(branch.map(|branch| branch.to_string()));
    }
    for project in world.home.projects().unwrap_or_default() {
        for branch in unknown_branches(world, &project, &known) {
            checks.push(
                Check::warning(
                    "branch",
                    format!("{branch} in {} belongs to no session", project.repo.display()),
                )
                .why("it may hold work that nobody remembers")
                .hint(format!("git -C {} branch -d {branch}", project.repo.display())),
            );
        }
    }
}

/// Returns the branches that carry a name which this project gave to a session.
fn unknown_branches(world: &World, project: &Project, known: &BTreeSet<String>) -> Vec<String> {
    let Ok(layered) = world.config_for(Some(&project.repo), Some(project.id.clone())) else {
        return Vec::new();
    };
    let template = &layered.config.branch;
    let Some((prefix, suffix)) = template.split_once("{id}") else { return Vec::new() };
    let Ok(repository) = git::discover(&project.repo) else { return Vec::new() };
    let Ok(all) = repository.branches(&format!("{prefix}{}-", project.id)) else {
        return Vec::new();
    };
    let is_unknown = |branch: &String| {
        let id = branch.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        let number = id.and_then(|id| id.strip_prefix(&format!("{}-", project.id)));
        let number = number.and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| number <= project.counter)
            && !known.contains(branch)
            && id.is_some_and(|id| !known.contains(id))
    };
    all.into_iter().filter(is_unknown).collect()
}

/// Compares record and log; a log that does not fold begins anew where a repair is asked for.
fn verify(world: &World, id: &SessionId, repair: bool, is_told: bool, checks: &mut Vec<Check>) {
    let what = format!("session {id}");
    let findings = match world.home.verify_now(id) {
        Ok(verification) if verification.is_clean() => return,
        Ok(verification) => verification.findings,
        Err(error) => return checks.push(Check::bad(what, sanitize::chain(&error))),
    };
    let repairable = matches!(repair::propose(&world.home, id), Ok(Some(_)))
        || matches!(repair::is_gapped(&world.home, id), Ok(true));
    if repair && repairable {
        let why = findings.join("; ");
        return checks.push(match repair::apply(&world.home, id, world.lock_timeout) {
            Ok(_) => Check::good(what, format!("{why}; repaired: what does not fold is beside it")),
            Err(error) => {
                Check::bad(what, format!("{why}; no repair: {}", sanitize::chain(&error)))
            }
        });
    }
    for finding in findings.into_iter().filter(|it| !(is_told && it.starts_with("session.json: ")))
    {
        checks.push(
            Check::bad(what.clone(), finding)
                .why("its history does not tell how it came to be what it is")
                .hint(if repairable {
                    "`ao doctor --repair` begins the log anew and keeps this one beside it".into()
                } else {
                    format!("ao log {id}")
                }),
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
    let why = sanitize::chain(error);
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
        Err(error) => Check::bad(what, format!("{why}; no repair: {}", sanitize::chain(&error))),
    });
}
