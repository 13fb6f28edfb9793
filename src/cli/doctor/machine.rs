//! The machine: home, file system, space, trash, clock, timer, locks.

use std::path::Path;
use std::time::Duration;

use crate::adapter::git::{GitError, Pool, Stock};
use crate::adapter::scheduler::{self, Installed, Programs, Scheduler};
use crate::adapter::volume::{self, Space};
use crate::adapter::{clock, fs, git, process};
use crate::cli::health::Check;
use crate::cli::{output, timer};
use crate::invocation::World;
use crate::model::sanitize;
use crate::model::time::Timestamp;
use crate::reap;
use crate::session::workspace;
use crate::store::{Holder, lock};

/// Less than this is too little to work with: records, logs, a small worktree.
const SCARCE: u64 = 100 << 20;

/// Less than this will not last.
const SHORT: u64 = 1 << 30;

/// How many files are looked at to tell the size of the trash.
const MOST_FILES: usize = 100_000;

/// How old a lock of git's has to be to belong to no git that runs.
const STALE: Duration = Duration::from_secs(600);

/// What in a pool is younger than this may be about to be made.
const HALF_MADE: Duration = Duration::from_secs(60);

/// How far into the future a time may be.
const SKEW: Duration = Duration::from_secs(60);

/// Before this nobody ran ao: a clock that says so was never set.
const BEGINNING: i64 = 1_735_689_600_000;

/// Looks at all of it.
pub(super) fn look(world: &World, checks: &mut Vec<Check>) {
    let now = clock::now();
    home(world, checks);
    trash(world, now, checks);
    pools(world, checks);
    checks.push(clock_check(world, now));
    schedule(world, now, checks);
    locks(world, checks);
    git_locks(world, now, checks);
}

fn home(world: &World, checks: &mut Vec<Check>) {
    let root = world.home.root();
    // Owner and mode were checked when it was opened; what is wrong with them is a refusal.
    checks.push(Check::good("home", root.display().to_string()));
    if !root.exists() {
        return;
    }
    if let Ok(Some(kind)) = volume::remote(root) {
        checks.push(elsewhere(root, kind));
    }
    checks.push(match volume::space(root) {
        Ok(space) => room(space),
        Err(error) => Check::bad("disk space", sanitize::chain(&error)),
    });
}

/// A home whose file system is another machine's.
fn elsewhere(root: &Path, kind: &str) -> Check {
    Check::warning("file system", format!("{} is on {kind}", root.display()))
        .why("locks there may not keep ao on another machine out")
        .hint("choose a home on a disk of this machine: AO_HOME")
}

/// What is free where the home is.
fn room(space: Space) -> Check {
    let free = format!("{} free", bytes(space.free));
    let fewer_than = |number| space.free_files.is_some_and(|files| files < number);
    if space.free < SCARCE || fewer_than(100) {
        return Check::bad("disk space", free)
            .why("a full disk stops every change: no record can be written")
            .hint("free some; `ao cleanup` removes what holds nothing of value");
    }
    if space.free < SHORT || fewer_than(10_000) {
        return Check::warning("disk space", free)
            .why("every workspace takes the size of its repository")
            .hint("`ao cleanup` removes what holds nothing of value");
    }
    Check::good("disk space", free)
}

fn trash(world: &World, now: Timestamp, checks: &mut Vec<Check>) {
    let Ok(layered) = world.config(None) else { return };
    let place = workspace::root(world, &layered.config).map_err(GitError::from);
    let found = place.and_then(|root| Ok((git::buried_in(&root)?, git::trash_in(&root))));
    let (buried, place) = match found {
        Ok(found) => found,
        Err(error) => return checks.push(Check::bad("trash", sanitize::chain(&error))),
    };
    if buried.is_empty() {
        return;
    }
    let size = volume::size(&place, MOST_FILES)
        .map_or_else(|| format!("more than {MOST_FILES} files"), bytes);
    let detail = format!("{} removed workspaces, {size}", buried.len());
    let keep = layered.config.trash.keep;
    // A pass empties it; a day of grace for those that run no timer.
    let overdue = keep + Duration::from_secs(24 * 60 * 60);
    checks.push(if buried.iter().any(|(_, since)| now.since(*since) > overdue) {
        Check::warning("trash", detail)
            .why("it holds what should be gone by now: no pass empties it")
            .hint("ao reap")
    } else {
        Check::good("trash", detail)
    });
}

/// The clean workspaces that are kept for the next spawns.
fn pools(world: &World, checks: &mut Vec<Check>) {
    let Ok(layered) = world.config(None) else { return };
    let place = workspace::root(world, &layered.config).map_err(GitError::from);
    let stocks = place.and_then(|root| Pool::all(&root)).and_then(|pools| {
        let stocks = pools.iter().map(|pool| pool.stock(HALF_MADE));
        stocks.collect::<Result<Vec<Stock>, _>>()
    });
    let mut stocks = match stocks {
        Ok(stocks) => stocks,
        Err(error) => return checks.push(Check::bad("pool", sanitize::chain(&error))),
    };
    let before = checks.len();
    for project in world.home.projects().unwrap_or_default() {
        let known = world.config_for(Some(&project.repo), Some(project.id.clone()));
        let size = known.map_or(0, |layered| layered.config.pool.size);
        let place = stocks.iter().position(|stock| stock.project == project.id.as_str());
        let stock = place.map(|place| stocks.swap_remove(place));
        if size > 0 || stock.is_some() {
            pool(project.id.as_str(), size, stock.as_ref(), checks);
        }
    }
    for stock in &stocks {
        pool(&stock.project, 0, Some(stock), checks);
    }
    if checks.len() == before {
        checks.push(Check::good("pool", "pool.size is 0: no clean workspace is kept"));
    }
}

fn pool(project: &str, size: usize, stock: Option<&Stock>, checks: &mut Vec<Check>) {
    let what = format!("pool of {project}");
    let kept = stock.map_or(0, |stock| stock.kept);
    let occupied = stock.map_or(Some(0), |stock| volume::size(&stock.directory, MOST_FILES));
    let occupied = occupied.map_or_else(|| format!("more than {MOST_FILES} files"), bytes);
    let detail = format!("{kept} of {size} clean workspaces, {occupied}");
    checks.push(if kept > size {
        Check::warning(what.clone(), detail)
            .why("it holds more than `pool.size` says")
            .hint("`ao reap` moves the others to the trash")
    } else {
        Check::good(what.clone(), detail)
    });
    for (path, why) in stock.iter().flat_map(|stock| &stock.broken) {
        checks.push(
            Check::warning(what.clone(), format!("{}: {why}", path.display()))
                .why("no spawn can use it")
                .hint("`ao reap` moves what is left of it to the trash once it is an hour old"),
        );
    }
}

fn clock_check(world: &World, now: Timestamp) -> Check {
    if now.as_millis() < BEGINNING {
        return Check::bad("clock", format!("it is {now}"))
            .why("times of sessions, certificates and logins are wrong")
            .hint("set the clock, such as by `timedatectl set-ntp true`");
    }
    let sessions = world.home.summaries(false).unwrap_or_default();
    let written = sessions.into_iter().filter_map(|told| told.ok()?.updated_at);
    match written.chain(reap::last_pass(world)).max() {
        Some(latest) if latest.since(now) > SKEW => {
            Check::bad("clock", format!("it is {now}, and something was written at {latest}"))
                .why("it went back: what is to happen after a while happens late")
                .hint("set the clock, such as by `timedatectl set-ntp true`")
        }
        Some(_) | None => Check::good("clock", now.to_string()),
    }
}

fn schedule(world: &World, now: Timestamp, checks: &mut Vec<Check>) {
    let programs = Programs::default();
    let last = reap::last_pass(world);
    let said = last.map_or_else(|| "no reap has run".to_owned(), |at| format!("last reap {at}"));
    let timers = match timer::found(world, &programs) {
        Ok(timers) => timers,
        Err(error) => return checks.push(Check::bad("timer", sanitize::chain(&error))),
    };
    if timers.is_empty() {
        return checks.push(
            Check::good("timer", format!("none installed; {said}"))
                .hint("`ao timer install` lets a timer run `ao reap`"),
        );
    }
    checks.extend(timers.iter().map(|timer| ticking(timer, last, now, &said)));
    if timers.iter().any(|timer| timer.scheduler == Scheduler::Systemd)
        && let Some(user) = world.variable("USER")
        && scheduler::lingers(&programs, user) == Some(false)
    {
        checks.push(
            Check::warning("linger", format!("the services of {user} end with the last log-out"))
                .why("the timer stops then, and tmux with every agent in it")
                .hint("loginctl enable-linger"),
        );
    }
}

/// Whether a timer that is installed makes passes.
fn ticking(timer: &Installed, last: Option<Timestamp>, now: Timestamp, said: &str) -> Check {
    let name = timer.scheduler.as_str();
    let silent = match (timer.interval, last) {
        (Some(interval), Some(at)) => now.since(at) > interval * 3,
        (Some(_) | None, _) => false,
    };
    let detail = format!("{name}; {said}");
    if timer.active == Some(false) {
        return Check::bad("timer", format!("{detail}; it is not active"))
            .why("nothing is noticed and nothing is delivered unless somebody runs ao")
            .hint("ao timer install");
    }
    if silent {
        let ago =
            last.map_or_else(String::new, |at| format!(", {} ago", output::age(now.since(at))));
        return Check::bad("timer", format!("{detail}{ago}; it should have run since"))
            .why("nothing is noticed and nothing is delivered unless somebody runs ao")
            .hint("`ao reap` says why it fails; `ao timer install` sets it up again");
    }
    Check::good("timer", detail)
}

/// Locks of ao's own whose holder was stopped: nobody takes them away.
fn locks(world: &World, checks: &mut Vec<Check>) {
    let root = world.home.root();
    let sessions = world.home.session_ids().unwrap_or_default();
    let directories = sessions.iter().map(|id| world.home.session_dir(id));
    for directory in [root.to_owned(), root.join("projects")].into_iter().chain(directories) {
        for name in fs::names(&directory).unwrap_or_default() {
            if !name.as_encoded_bytes().ends_with(b".lock") {
                continue;
            }
            let path = directory.join(name);
            let Some(holder) = stopped_holder(&path) else { continue };
            checks.push(
                Check::bad(
                    "lock",
                    format!("{} is held by {}, which is stopped", path.display(), holder.pid),
                )
                .why("whoever needs it waits in vain; it is not taken away")
                .hint(format!("kill -CONT {}", holder.pid)),
            );
        }
    }
}

/// Returns who holds the lock at `path`, if that process was stopped.
fn stopped_holder(path: &Path) -> Option<Holder> {
    if !lock::is_held_shared_probe(path).ok()? {
        return None;
    }
    let holder = lock::holder_of(path)?;
    let stat = process::read_stat(holder.pid).ok()??;
    matches!(stat.state, b'T' | b't').then_some(holder)
}

/// Locks that a git which was killed left behind; never removed by ao, for a git may run.
fn git_locks(world: &World, now: Timestamp, checks: &mut Vec<Check>) {
    for project in world.home.projects().unwrap_or_default() {
        let Ok(repository) = git::discover(&project.repo) else {
            checks.push(
                Check::warning(
                    format!("project {}", project.id),
                    format!("there is no repository at {}", project.repo.display()),
                )
                .why("no session can be started in it")
                .hint(format!("ao project set {} --repo DIR, or ao project rm {0}", project.id)),
            );
            continue;
        };
        for (path, since) in repository.git_locks() {
            let age = now.since(since);
            if age < STALE {
                continue;
            }
            checks.push(
                Check::warning("git lock", format!("{}, {} old", path.display(), output::age(age)))
                    .why("git refuses to work there as long as it is there")
                    .hint(format!("rm {}, once no git runs there", path.display())),
            );
        }
    }
}

/// Returns a size as a person says it.
fn bytes(number: u64) -> String {
    const UNITS: &[(u64, &str)] =
        &[(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => {
            let tenths = number.saturating_mul(10) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{number} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_warned_of_and_none_is_wrong() {
        let told = |free, free_files| {
            let check = room(Space { free, free_files });
            (check.ok, check.warning)
        };
        assert_eq!(told(SHORT, None), (true, false));
        assert_eq!(told(SHORT - 1, None), (true, true));
        assert_eq!(told(SCARCE - 1, Some(1_000_000)), (false, false));
        assert_eq!(told(SHORT, Some(9_999)), (true, true));
        assert_eq!(told(SHORT, Some(99)), (false, false));
        assert!(elsewhere(Path::new("/net/home"), "nfs").warning);
    }

    #[test]
    fn sizes_are_said_with_one_digit() {
        let said = [0, 1023, 1024, 1_500_000, 5 << 30, u64::MAX].map(bytes);
        let wanted = ["0 bytes", "1023 bytes", "1.0 KiB", "1.4 MiB", "5.0 GiB", "1677721.5 TiB"];
        assert_eq!(said, wanted);
    }
}
