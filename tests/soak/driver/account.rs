//! Compares what was acknowledged with what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::Soak;
use super::ledger::{Failed, Hook, Ledger, Sent, Window};
use super::stories::{self, Story};
use super::verdict::Verdict;
use super::world::World;

/// The sessions' logs by their ids.
type Stories = BTreeMap<String, Story>;

/// Compares everything.
pub(crate) fn compare(soak: &Soak, verdict: &mut Verdict) {
    let world = &soak.world;
    let ledger = soak.ledger();
    let stories = stories::read(world, &ledger);
    sessions(&ledger, &stories, verdict);
    changes(&ledger, &stories, verdict);
    texts(world, &ledger, &stories, verdict);
    hooks(world, &ledger, &stories, verdict);
    starts(world, verdict);
    notices(world, &ledger, &stories, verdict);
    failures(&ledger, verdict);
    work(world, verdict);
    pooled(world, &stories, verdict);
}

fn sessions(ledger: &Ledger, stories: &Stories, verdict: &mut Verdict) {
    let mut made: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, story) in stories {
        let title = story.events.first().and_then(|event| event["patch"]["title"].as_str());
        if let Some(title) = title.filter(|_| !story.is_cut) {
            made.entry(title).or_default().push(id);
        }
    }
    for spawned in &ledger.spawned {
        verdict.check("sessions asked for");
        let found = made.get(spawned.token.as_str()).map_or(&[][..], Vec::as_slice);
        if found.len() > 1 {
            verdict.double.push(format!("one spawn made {found:?}"));
        }
        let Some(id) = &spawned.id else { continue };
        let is_cut = stories.get(id).is_some_and(|story| story.is_cut);
        if !found.contains(&id.as_str()) && !is_cut {
            verdict.lost.push(format!("session {id} ({}) is not there", spawned.token));
        }
    }
    for id in &ledger.cleaned {
        verdict.check("sessions cleaned up");
        if !stories.contains_key(id) {
            verdict.lost.push(format!("session {id} was cleaned up and is in no archive"));
        }
    }
}

fn changes(ledger: &Ledger, stories: &Stories, verdict: &mut Verdict) {
    for change in &ledger.changed {
        verdict.check("changes acknowledged");
        let what = format!("{} of {} at {}", change.what, change.session, change.revision);
        let Some(story) = stories.get(&change.session) else {
            verdict.lost.push(format!("{what}: there is no such session"));
            continue;
        };
        if story.last() < change.revision {
            verdict.lost.push(format!("{what}: its log ends at {}", story.last()));
        }
        let count = story.changes_to(&change.token);
        if !change.token.is_empty() && count == 0 && !story.is_cut {
            verdict.lost.push(format!("{what} ({}) is not in its log", change.token));
        }
        if !change.token.is_empty() && count > 1 {
            verdict.double.push(format!("{what} ({}) is in its log {count} times", change.token));
        }
        let phase = story.phases.iter().rfind(|phase| phase.seq <= change.revision);
        if change.what == "kill" && phase.is_some_and(|phase| !phase.terminal) {
            verdict.lost.push(format!("{what}: it had not ended then"));
        }
    }
}

fn texts(world: &World, ledger: &Ledger, stories: &Stories, verdict: &mut Verdict) {
    let heard: String =
        ["chat", "worker", "answer", "answers"].map(|name| world.noted(name)).concat();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for word in heard.split(|c: char| !c.is_ascii_alphanumeric()) {
        if word.starts_with("text") && word.ends_with('z') {
            *count.entry(word).or_default() += 1;
        }
    }
    for sent in &ledger.sent {
        verdict.check("texts sent");
        let times = count.get(sent.token.as_str()).copied().unwrap_or_default();
        if times > 1 {
            verdict.double.push(format!("{} heard {} {times} times", sent.session, sent.token));
        }
        let fate = fate(sent, stories.get(&sent.session));
        let what = format!("{} to {} ({}, {fate:?})", sent.token, sent.session, sent.delivery);
        match (&*sent.delivery, &fate) {
            (_, Fate::Cut) => verdict.allow("texts whose log was rotated away twice"),
            ("submitted" | "queued", Fate::Unrecorded) => verdict.lost.push(what),
            ("submitted", _) | (_, Fate::Delivered { by_hook: false }) if times == 0 => {
                if sent.at_once || fate == Fate::Vanished {
                    verdict.allow("texts typed to an agent that ended before it read them");
                } else {
                    verdict.lost.push(format!("{what} was not heard"));
                }
            }
            (_, Fate::Delivered { by_hook: true }) if times == 0 => {
                verdict.allow("answers to hooks of agents that were killed before they noted them");
            }
            ("submitted" | "queued", Fate::Vanished) => {
                verdict.lost.push(format!("{what} left the outbox without a word"));
            }
            ("queued", Fate::Waits) => verdict.allow("texts that still wait"),
            ("queued", Fate::Dropped) => verdict.allow("texts given up, with a reason"),
            (_, _) => {}
        }
    }
}

/// What the log says of a text.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It was never recorded.
    Unrecorded,
    /// It was taken out as delivered.
    Delivered { by_hook: bool },
    /// It was taken out for a reason that is given: unconfirmed, dropped, killed, restored.
    Dropped,
    /// It was taken out, and no reason is given.
    Vanished,
    /// It is still there.
    Waits,
    /// The log does not reach back that far.
    Cut,
}

fn fate(sent: &Sent, story: Option<&Story>) -> Fate {
    let Some(story) = story else { return Fate::Unrecorded };
    let is_it = |entry: &Value| {
        let message = entry["message"].as_str().unwrap_or_default();
        message.contains(&sent.token) && entry["kind"] == "send"
    };
    let recorded = story.events.iter().enumerate().find_map(|(index, event)| {
        let outbox = event["patch"]["outbox"].as_object()?;
        let (key, _) = outbox.iter().find(|(_, entry)| is_it(entry))?;
        Some((index, key))
    });
    let Some((index, key)) = recorded else {
        return if story.is_cut { Fate::Cut } else { Fate::Unrecorded };
    };
    let leaves = story.events[index..].iter().find(|event| {
        let patch = &event["patch"];
        patch.get("outbox").is_some_and(|all| all.is_null() || all.get(key) == Some(&Value::Null))
    });
    let Some(event) = leaves else { return Fate::Waits };
    let reason = event["reason"].as_str().unwrap_or_default();
    let observed = event["observation"]["kind"].as_str().unwrap_or_default();
    if reason.starts_with(&format!("delivered {key}")) {
        Fate::Delivered { by_hook: reason.contains("hook") }
    } else if !reason.is_empty() || matches!(observed, "kill" | "restore") {
        Fate::Dropped
    } else {
        Fate::Vanished
    }
}

fn hooks(world: &World, ledger: &Ledger, stories: &Stories, verdict: &mut Verdict) {
    let noted = world.noted("hooks");
    let agents = noted.lines().filter_map(Hook::parse);
    let all: Vec<Hook> = agents.chain(ledger.hooks.iter().cloned()).collect();
    let logs = ["hooks.1.log", "hooks.log"].map(|name| {
        let bytes = fs::read(world.path("home").join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let mut told = logs.concat();
    let mut by_session: BTreeMap<&str, Vec<(&Hook, bool)>> = BTreeMap::new();
    for hook in &all {
        let story = stories.get(&hook.session);
        let is_there = story.is_some_and(|story| story.changes_to(&hook.token) > 0);
        by_session.entry(&hook.session).or_default().push((hook, is_there));
    }
    for (session, hooks) in &by_session {
        for (hook, _) in hooks {
            verdict.check("hooks that ended with 0, or were killed");
            // By hand, or with its session: a kill ends whatever says that it is the session's.
            if !matches!(hook.code, 0 | 137 | 143) {
                verdict.wrong.push(format!("a hook ended with {}: {hook:?}", hook.code));
            }
        }
        for (hook, _) in hooks.iter().filter(|(hook, there)| !there && hook.code == 0) {
            let why = excuse(hook, stories.get(*session), ledger, &mut told);
            match why {
                Some(why) => verdict.allow(why),
                None => {
                    let near = stories.get(*session).map(|story| story.around(hook.from, hook.to));
                    verdict.lost.push(format!("a signal: {hook:?}; the log then: {near:?}"));
                }
            }
        }
        for (hook, _) in hooks.iter().filter(|(_, is_there)| *is_there) {
            verdict.check("signals in the log");
            if stories[*session].changes_to(&hook.token) > 1 {
                verdict.double.push(format!("a signal: {hook:?}"));
            }
        }
    }
}

/// Returns why the log need not know of a hook that ended with 0.
fn excuse(
    hook: &Hook,
    story: Option<&Story>,
    ledger: &Ledger,
    told: &mut String,
) -> Option<&'static str> {
    let Some(story) = story else { return Some("signals of sessions that were never made") };
    if story.was_elsewhere(&hook.launch, hook.from, hook.to) {
        return Some("signals of a launch that was over");
    }
    if ledger.was_full(hook.from, hook.to) {
        return Some("signals while the disk was full");
    }
    if ledger.steps.iter().any(|(at, _)| *at >= hook.from - 1.0 && *at <= hook.to + 1.0) {
        return Some("signals while the clock stepped");
    }
    let is_overtaken = story.heard_a_later_hook(hook.from, hook.to);
    if is_overtaken || story.heard_between(hook.from, hook.to) {
        return Some("signals overtaken by a later one");
    }
    // `[time] [session] [card] [event]: [why]`; each line is one hook's.
    let words = format!(" {} ", hook.session);
    let line = told
        .lines()
        .position(|line| line.contains(&words) && line.contains(&format!(" {}:", hook.event)));
    if let Some(position) = line {
        let rest: Vec<&str> = told.lines().collect();
        let kept = rest.iter().enumerate().filter(|(index, _)| *index != position);
        *told = kept.map(|(_, line)| format!("{line}\n")).collect();
        return Some("signals that hooks.log says were refused");
    }
    story.is_cut.then_some("signals whose log was rotated away")
}

fn starts(world: &World, verdict: &mut Verdict) {
    let noted = world.noted("starts");
    let mut seen = BTreeSet::new();
    for line in noted.lines() {
        verdict.check("agents started");
        if !seen.insert(line) {
            verdict.double.push(format!("the agent of one launch was started twice: {line}"));
        }
    }
}

/// What a text is answered with whose agent ends, or is killed, while it is delivered, or has only
/// just started: its terminal is in line mode until it asks for another. What became of a text that
/// is unconfirmed is looked at with all the others.
const GONE: &[&str] = &[
    "unconfirmed: ",
    "failed: the session has ended",
    "failed: the session has no runtime",
    "several lines can only be sent to a program that takes bracketed paste",
    "the agent's pane is not there",
    "the agent has no open standard input",
    "the program ended, and may not have read it",
    "the program ended while the text was typed",
    "message is not in the outbox",
];

/// A call that failed though nothing was done to it has a fault of the machine's for a reason.
fn failures(ledger: &Ledger, verdict: &mut Verdict) {
    for failed in &ledger.failed {
        verdict.check("failures of calls that nothing was done to");
        let Failed { what, during: Window { from, to } } = failed;
        let is_about = |words: &[&str]| words.iter().any(|word| what.contains(word));
        let is_explained = if is_about(&["os error 28", "KiB are free there"]) {
            ledger.was_full(*from, *to)
        } else if is_about(&["tmux does not answer", "tmux did not answer", "no tmux server runs"])
        {
            ledger.was_without_tmux(*from, *to)
        } else {
            is_about(GONE)
        };
        if !is_explained {
            verdict.wrong.push(what.clone());
        }
    }
}

fn notices(world: &World, ledger: &Ledger, stories: &Stories, verdict: &mut Verdict) {
    let noted = world.noted("notices");
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    for line in noted.lines() {
        let notice: Value = serde_json::from_str(line).unwrap_or_default();
        *times.entry(notice["id"].as_str().unwrap_or(line).to_owned()).or_default() += 1;
    }
    for (id, story) in stories {
        let mut claims: BTreeMap<&str, Vec<Claim>> = BTreeMap::new();
        let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
        for (event, phase) in story.events.iter().zip(&story.phases) {
            let entries = event["patch"]["outbox"].as_object().into_iter().flatten();
            for (key, entry) in entries {
                if let Some(kind) = entry["kind"].as_str() {
                    kinds.insert(key, kind);
                }
                if let Some(pid) = entry["claim"]["pid"].as_u64() {
                    claims.entry(key).or_default().push(Claim { pid, at: phase.from });
                }
            }
            let reason = event["reason"].as_str().unwrap_or_default();
            let key = reason.strip_prefix("delivered ").and_then(|rest| rest.split(' ').next());
            let Some(key) = key.filter(|key| kinds.get(key) == Some(&"notify")) else { continue };
            verdict.check("notices delivered");
            if !times.contains_key(&format!("{id}.{key}")) {
                verdict.lost.push(format!("notice {id}.{key} was not received"));
            }
        }
        for (key, claimed) in claims.iter().filter(|_| !story.is_cut) {
            let received = times.get(&format!("{id}.{key}")).copied().unwrap_or_default();
            // The last one is nobody's reason to send it again.
            let earlier = claimed.split_last().map_or(&[][..], |(_, earlier)| earlier);
            let died = earlier.iter().filter(|claim| claim.died(ledger)).count();
            if received > 1 + died as u64 {
                let what = format!("notice {id}.{key}: {received} times, claims {claimed:?}");
                verdict.double.push(what);
            } else if received > 1 {
                verdict.allow("notices sent again under the same id, their sender killed");
            }
        }
    }
}

/// Who said that he would send a notice, and when.
#[derive(Debug)]
struct Claim {
    pid: u64,
    at: f64,
}

impl Claim {
    /// Returns whether he may not have come to say what became of it.
    fn died(&self, ledger: &Ledger) -> bool {
        /// Seconds that a notifier is given, and more.
        const PATIENCE: f64 = 15.0;
        let is_hurt = u32::try_from(self.pid).is_ok_and(|pid| ledger.hurt.contains(&pid));
        is_hurt || ledger.was_full(self.at, self.at + PATIENCE)
    }
}

/// What came from the pool had nothing of another session's in it.
fn pooled(world: &World, stories: &Stories, verdict: &mut Verdict) {
    let work = world.noted("work");
    let wrote = |file: &str| {
        let mut lines = work.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(_, written)| *written == file).map(|(session, _)| session)
    };
    for (session, file) in world.noted("found").lines().filter_map(|line| line.split_once(' ')) {
        if let Some(other) = wrote(file).filter(|other| *other != session) {
            verdict.wrong.push(format!("{session} began with {file}, which {other} wrote"));
        }
    }
    for story in stories.values() {
        if story.events.iter().any(|event| event.to_string().contains("pool: the workspace that")) {
            verdict.check("spawns from the pool");
        }
    }
}

/// Every file that an agent noted is in a branch of ours or under what was preserved.
fn work(world: &World, verdict: &mut Verdict) {
    let mut kept: BTreeSet<String> = BTreeSet::new();
    let refs = world.git(&["for-each-ref", "--format=%(refname)"]).unwrap_or_default();
    for name in refs {
        let files = world.git(&["ls-tree", "-r", "--name-only", &name]).unwrap_or_default();
        kept.extend(files);
    }
    let noted = world.noted("work");
    for line in noted.lines() {
        let Some((session, file)) = line.split_once(' ') else { continue };
        verdict.check("files written by agents");
        if kept.contains(file) {
            continue;
        }
        let workspace = world.path("home/worktrees/app").join(session).join(file);
        if !workspace.exists() {
            verdict.lost.push(format!("{file} that the agent of {session} wrote"));
        }
    }
}
