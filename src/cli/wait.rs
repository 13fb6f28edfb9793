//! `ao wait`: blocks until sessions are where the caller wants them.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use serde_json::json;

use crate::adapter::clock::{self, Deadline};
use crate::adapter::failpoint;
use crate::adapter::fs::{self, FsError};
use crate::adapter::watch::Watch;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::invocation::World;
use crate::model::event::Event;
use crate::model::id::SessionId;
use crate::model::lifecycle::{PrState, SessionReason, SessionState};
use crate::model::record::Record;
use crate::model::status::Status;
use crate::reap;
use crate::session::deliver;

/// How often a waiter makes a pass itself where nobody else did.
const REAP_EVERY: Duration = Duration::from_secs(2);

/// How soon after the end of a turn the next one begins, where a text that joined it was kept.
const FOLLOWS: Duration = Duration::from_millis(1500);

/// What a status must have come after to count.
#[derive(Clone, Copy, Debug)]
pub enum Fence<'a> {
    /// Nothing: the first look may end the wait.
    None,
    /// This revision.
    Revision(u64),
    /// A text: the turn that it begins must have ended.
    Text {
        /// Its key in the outbox.
        key: &'a str,
        /// The revision that recorded it.
        since: u64,
        /// It is given to an agent in the middle of a turn, and joins that.
        joins: bool,
    },
}

/// What ends a wait where nothing else is asked for.
const DEFAULT_UNTIL: &[Status] = &[
    Status::Idle,
    Status::NeedsInput,
    Status::Stuck,
    Status::Done,
    Status::Killed,
    Status::Exited,
    Status::Errored,
    Status::Cleanup,
    Status::Terminated,
    Status::Merged,
];

const EXAMPLES: &str = "\
Examples:
  $ ao wait app-1                                # until it needs you or has ended
  $ ao wait app-1 app-2 --any                    # until one of them does
  $ ao wait app-1 --until done --timeout 30m || echo \"exit code $?\"";

/// Wait until sessions are in one of the statuses
///
/// A session that already is, or that has ended, answers at once. `idle`, which is among those that
/// are waited for without --until, is an agent at rest whatever its pull request shows. `--since REVISION`, printed by
/// `spawn` and `send`, fences: only what came after it counts. Makes a reap pass every 2 s unless
/// one ran lately, so it works with no timer at all. Exits 0 for a status that was waited for, 20
/// to 23 for one that means trouble, 22 for an end that --until does not name, 124 when time is up;
/// of several sessions it is the first, in their order here, that is not 0.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct WaitArgs {
    /// The sessions
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// The statuses to wait for
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    until: Vec<Status>,
    /// End with the first session that is there, not the last
    #[arg(long)]
    any: bool,
    /// Only what came after this revision counts
    #[arg(long, value_name = "REVISION")]
    since: Option<u64>,
    /// Give up after this long
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

/// How one session's wait ended.
#[derive(Clone, Debug)]
struct Outcome {
    status: Status,
    exit: Exit,
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self.exit {
            Exit::Done => "reached",
            Exit::WaitNeedsInput
            | Exit::WaitErrored
            | Exit::WaitEnded
            | Exit::WaitLimited
            | Exit::Timeout
            | Exit::Internal
            | Exit::Invalid
            | Exit::NotFound
            | Exit::Conflict
            | Exit::Refused
            | Exit::Denied
            | Exit::Unavailable
            | Exit::MissingDependency => self.exit.kind(),
        }
    }
}

/// Runs `ao wait`.
pub fn run(context: &Context, out: &mut dyn Write, args: &WaitArgs) -> Result<Exit, CommandError> {
    let world = context.world()?;
    let ids =
        args.ids.iter().map(|name| context.session(&world, name)).collect::<Result<Vec<_>, _>>()?;
    let deadline = args.timeout.map(Deadline::after);
    let fence = args.since.map_or(Fence::None, Fence::Revision);
    let outcomes = wait(&world, &ids, &args.until, args.any, fence, deadline)?;
    answer(context, out, &ids, &outcomes)
}

/// Waits for the end of one turn and answers as `ao wait` does.
pub fn for_turn(
    context: &Context,
    out: &mut dyn Write,
    world: &World,
    id: &SessionId,
    since: u64,
    timeout: Option<Duration>,
) -> Result<Exit, CommandError> {
    let ids = [id.clone()];
    let deadline = timeout.map(Deadline::after);
    let outcomes = wait(world, &ids, &[], false, Fence::Revision(since), deadline)?;
    answer(context, out, &ids, &outcomes)
}

/// [`for_turn`] without an answer.
pub fn quietly(
    _context: &Context,
    world: &World,
    id: &SessionId,
    since: u64,
    timeout: Option<Duration>,
) -> Result<Exit, CommandError> {
    for_text(world, id, Fence::Revision(since), timeout)
}

/// Waits for the end of the turn that a text began; says how it ended and prints nothing.
pub fn for_text(
    world: &World,
    id: &SessionId,
    fence: Fence<'_>,
    timeout: Option<Duration>,
) -> Result<Exit, CommandError> {
    let deadline = timeout.map(Deadline::after);
    let outcomes = wait(world, std::slice::from_ref(id), &[], false, fence, deadline)?;
    Ok(outcomes.get(id).map_or(Exit::Timeout, |outcome| outcome.exit))
}

fn answer(
    context: &Context,
    out: &mut dyn Write,
    ids: &[SessionId],
    outcomes: &BTreeMap<SessionId, Outcome>,
) -> Result<Exit, CommandError> {
    let mut worst = Exit::Done;
    for id in ids {
        let Some(outcome) = outcomes.get(id) else { continue };
        if worst == Exit::Done {
            worst = outcome.exit;
        }
        let (status, word) = (outcome.status, outcome.word());
        if context.global.json {
            output::json_answer(
                out,
                "wait",
                json!({ "id": id, "status": status, "outcome": word }),
            )?;
        } else {
            writeln!(out, "{id} {status}")?;
        }
    }
    Ok(worst)
}

fn wait(
    world: &World,
    ids: &[SessionId],
    until: &[Status],
    any: bool,
    fence: Fence<'_>,
    deadline: Option<Deadline>,
) -> Result<BTreeMap<SessionId, Outcome>, CommandError> {
    let mut outcomes = BTreeMap::new();
    let mut watch: Option<Watch> = None;
    loop {
        failpoint::pass("wait.look").map_err(FsError::at("watch", world.home.root()))?;
        for id in ids {
            if !outcomes.contains_key(id)
                && let Some(outcome) = look(world, id, until, fence)?
            {
                outcomes.insert(id.clone(), outcome);
            }
        }
        let enough = if any { !outcomes.is_empty() } else { outcomes.len() == ids.len() };
        if enough {
            return Ok(outcomes);
        }
        if deadline.is_some_and(|deadline| deadline.passed()) {
            break;
        }
        let next_pass = reap_if_due(world)?;
        let left = deadline.map_or(next_pass, |deadline| next_pass.min(deadline.remaining()));
        match &mut watch {
            Some(watch) => watch.wait(left),
            // Then there is another look, so that no change falls between the two.
            none => *none = Some(Watch::new(ids.iter().map(|id| world.home.session_dir(id)))),
        }
    }
    for id in ids {
        if !outcomes.contains_key(id) {
            let status = Status::of(&world.home.load(id)?.record.lifecycle);
            outcomes.insert(id.clone(), Outcome { status, exit: Exit::Timeout });
        }
    }
    Ok(outcomes)
}

/// Makes a pass if none ran lately; returns when the next one is due.
fn reap_if_due(world: &World) -> Result<Duration, CommandError> {
    let now = clock::now();
    if let Some(at) = reap::last_pass(world)
        && now.since(at) < REAP_EVERY
        && at <= now
    {
        return Ok(REAP_EVERY - now.since(at));
    }
    reap::reap(world)?;
    Ok(REAP_EVERY)
}

/// Returns how the wait for one session ends, `None` where it goes on.
fn look(
    world: &World,
    id: &SessionId,
    until: &[Status],
    fence: Fence<'_>,
) -> Result<Option<Outcome>, CommandError> {
    let record = world.home.load(id)?.record;
    let status = Status::of(&record.lifecycle);
    let wanted = if until.is_empty() { DEFAULT_UNTIL } else { until };
    // A pull request hides in the display status that an agent is idle.
    let at_rest = record.lifecycle.session.state == SessionState::Idle;
    let rest_asked = at_rest && wanted.contains(&Status::Idle);
    let named = wanted.contains(&status);
    let asked = named || rest_asked;
    if !record.lifecycle.is_terminal() {
        let goes_on = match fence {
            Fence::None => !asked,
            Fence::Revision(since) => {
                // A pull request that moves is no turn that ends.
                let by_rest = rest_asked && (!named || status == Status::Idle);
                !asked || !is_news(world, id, &record, since, by_rest)
            }
            Fence::Text { key, since, joins } => {
                match turn_of(world, id, &record, key, since, joins) {
                    Turn::Lost => {
                        return Ok(Some(Outcome { status, exit: Exit::Internal }));
                    }
                    Turn::Waits | Turn::Goes => true,
                    Turn::Ended => false,
                }
            }
        };
        if goes_on {
            return Ok(None);
        }
    }
    let limited = record.lifecycle.session.reason == SessionReason::UsageLimited;
    // So does, once the session has ended, that its pull request was merged before.
    let is_merged = record.lifecycle.pr.state == PrState::Merged && until.contains(&Status::Merged);
    let is_named = is_merged || until.contains(&status) || rest_asked && !until.is_empty();
    let mut exit = if is_named { Exit::Done } else { exit_of(status, limited) };
    if exit == Exit::Done && !is_named && !until.is_empty() {
        // It has ended well, and otherwise than was waited for.
        exit = Exit::WaitEnded;
    }
    Ok(Some(Outcome { status, exit }))
}

/// What became of a text, and of the turn that it began.
enum Turn {
    /// It waits for its delivery.
    Waits,
    /// It was dropped, or given up.
    Lost,
    /// The agent has it, and has not ended the turn.
    Goes,
    /// The turn is over, or needs a person.
    Ended,
}

/// Returns what became of the text `key`, which the write of revision `since` recorded.
///
/// Only the turn that the text itself began counts, and for one that `joins` a turn under way the
/// end of that. A pull request hides in the display status that an agent is idle, so the session
/// axis is asked.
fn turn_of(
    world: &World,
    id: &SessionId,
    record: &Record,
    key: &str,
    since: u64,
    joins: bool,
) -> Turn {
    let Ok(events) = world.home.events(id) else { return Turn::Goes };
    let fresh = || events.iter().filter(|it| it.seq > since && it.seq <= record.revision);
    let moved_after = |seq: u64| fresh().any(|event| event.seq > seq && session(event).is_some());
    match record.lifecycle.session.state {
        SessionState::NeedsInput | SessionState::Stuck if moved_after(since) => return Turn::Ended,
        SessionState::NeedsInput
        | SessionState::Stuck
        | SessionState::Idle
        | SessionState::NotStarted
        | SessionState::Working
        | SessionState::Detecting
        | SessionState::Done
        | SessionState::Terminated => {}
    }
    match record.outbox.get(key) {
        Some(entry) if entry.dead => return Turn::Lost,
        Some(_) => return Turn::Waits,
        None => {}
    }
    let dropped = format!("dropped {key}: ");
    let is_dropped = |event: &Event| event.reason.as_ref().is_some_and(|r| r.starts_with(&dropped));
    if fresh().any(is_dropped) {
        return Turn::Lost;
    }
    if record.lifecycle.session.state != SessionState::Idle {
        return Turn::Goes;
    }
    // It was taken in hand with this event; what came before is of an earlier turn.
    let is_claim = |event: &&Event| {
        let entry = event.patch.get("outbox").and_then(|outbox| outbox.get(key));
        entry.and_then(|entry| entry.get("claim")).is_some_and(|claim| !claim.is_null())
    };
    let start = fresh().rfind(is_claim).map_or(since, |event| event.seq);
    let began = |event: &Event| is_at_work(event) || deliver::is_prompt_taken(event);
    let has_begun = fresh().any(|event| event.seq > start && began(event));
    // Some agents keep what joins a turn for a turn of its own, which follows at once.
    let rested = record.lifecycle.session.since.is_none_or(|it| clock::now().since(it) >= FOLLOWS);
    if (has_begun || joins && rested) && moved_after(start) { Turn::Ended } else { Turn::Goes }
}

fn session(event: &Event) -> Option<&serde_json::Value> {
    event.patch.get("lifecycle")?.get("session")
}

/// Returns whether an event put the session to work.
fn is_at_work(event: &Event) -> bool {
    let state = session(event).and_then(|axis| axis.get("state")?.as_str());
    state == Some(SessionState::Working.as_str())
}

/// Returns whether the status of `record` came after revision `since`.
///
/// An agent that was given something to do is idle before its turn as well as after it: only the
/// end of a turn that began after the fence counts, where it is `at_rest` that was waited for.
fn is_news(world: &World, id: &SessionId, record: &Record, since: u64, at_rest: bool) -> bool {
    let Ok(events) = world.home.events(id) else { return true };
    // What was written after the record was read says nothing about the status in it.
    let until_then = || events.iter().rev().filter(|event| event.seq <= record.revision);
    let fresh = || until_then().take_while(|event| event.seq > since);
    let moved = fresh().any(|event| {
        session(event).is_some()
            || event.patch.get("lifecycle").is_some_and(|patch| patch.get("pr").is_some())
    });
    moved && (!at_rest || fresh().any(is_at_work) || !has_task(world, id))
}

/// Returns whether the agent was given a task or, since then, a text.
fn has_task(world: &World, id: &SessionId) -> bool {
    let task = world.home.session_dir(id).join("prompt.md");
    fs::metadata(&task).is_ok_and(|found| found.is_some())
        || world.home.events(id).is_ok_and(|events| events.iter().any(|e| e.cause == "send"))
}

/// Returns the exit code that stands for a status, where it was not asked for by name.
fn exit_of(status: Status, limited: bool) -> Exit {
    match status {
        Status::Stuck if limited => Exit::WaitLimited,
        Status::NeedsInput | Status::Stuck => Exit::WaitNeedsInput,
        Status::Errored => Exit::WaitErrored,
        Status::Killed | Status::Exited | Status::Cleanup | Status::Terminated => Exit::WaitEnded,
        Status::Spawning
        | Status::Working
        | Status::Idle
        | Status::Detecting
        | Status::Draft
        | Status::PrOpen
        | Status::CiFailed
        | Status::ReviewPending
        | Status::ChangesRequested
        | Status::Approved
        | Status::Mergeable
        | Status::Merged
        | Status::Done => Exit::Done,
    }
}
