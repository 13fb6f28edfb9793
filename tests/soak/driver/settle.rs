//! Ends the faults, lets `ao` put everything in order, looks, ends everything, and looks again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ao::adapter::clock;
use rustix::process::Signal;

use super::Soak;
use super::account;
use super::call::Call;
use super::traces;
use super::verdict::Verdict;
use super::watch::{self, Seen};
use super::world;

/// How long it may take until every session is in order again, and how many passes.
///
/// Whichever is later: on a busy machine a pass takes its time.
const PATIENCE: (Duration, u32) = (Duration::from_secs(90), 15);

/// Settles everything and says what was found.
pub(crate) fn settle(soak: &Soak, users: &BTreeMap<PathBuf, Vec<u8>>) -> Verdict {
    let mut verdict = Verdict::default();
    end_faults(soak);
    let seen = calm(soak, 0, &mut verdict);
    traces::while_they_live(soak, &seen, &mut verdict);
    // Everything that was put off is due by then.
    let tomorrow = 3 * 3_600_000;
    if soak.world.step_clock(tomorrow).is_ok() {
        soak.ledger().steps.push((world::uptime(), tomorrow));
    }
    let seen = calm(soak, 3, &mut verdict);
    waiting(&seen, &mut verdict);
    end_everything(soak, &mut verdict);
    proofs(soak, &mut verdict);
    account::compare(soak, &mut verdict);
    traces::when_all_is_over(soak, users, &mut verdict);
    let mut ledger = soak.ledger();
    verdict.wrong.append(&mut ledger.wrong);
    verdict.wrong.extend(ledger.overdue.iter().map(|what| format!("took too long: {what}")));
    verdict
}

fn end_faults(soak: &Soak) {
    soak.world.make_room();
    if let Some(server) = soak.world.server() {
        world::signal(server, Signal::CONT);
    }
    let _ = std::fs::remove_file(soak.world.path("down"));
    if soak.world.step_clock(0).is_ok() {
        soak.ledger().steps.push((world::uptime(), 0));
    }
}

/// Reaps until nothing moves any more, and at least `passes` times.
fn calm(soak: &Soak, passes: u32, verdict: &mut Verdict) -> Vec<Seen> {
    let until = Instant::now() + PATIENCE.0;
    let (mut quiet, mut made) = (0, 0);
    loop {
        let done = soak.call("reap (settling)", &Call::new(&["reap", "--json"], 300));
        made += 1;
        let pass = done.map(|mut done| done.answer["reap"].take()).unwrap_or_default();
        let seen = watch::look(&soak.world);
        let moves = ["transitions", "recovered", "delivered", "failed"]
            .iter()
            .any(|key| pass[*key].as_array().is_none_or(|all| !all.is_empty()));
        let unsettled = |it: &&Seen| {
            let passing = matches!(&*it.state, "detecting" | "not_started") && !it.terminal;
            passing || it.intent
        };
        let open: Vec<&Seen> = seen.iter().filter(unsettled).collect();
        quiet = if moves || !open.is_empty() { 0 } else { quiet + 1 };
        if quiet >= 2 && made >= passes {
            return seen;
        }
        if Instant::now() >= until && made >= PATIENCE.1 {
            for one in open {
                let (id, state) = (&one.id, &one.state);
                let intent = &one.record["intent"];
                verdict.wrong.push(format!("{id} does not settle: {state}, intent {intent}"));
            }
            if moves {
                verdict.wrong.push(format!("the passes do not settle: {pass}"));
            }
            return seen;
        }
        clock::pause(Duration::from_millis(400));
    }
}

/// The notifier works again: no notice waits.
fn waiting(seen: &[Seen], verdict: &mut Verdict) {
    for one in seen {
        for (key, entry) in one.record["outbox"].as_object().into_iter().flatten() {
            let dead = entry["dead"] == true;
            match entry["kind"].as_str() {
                Some("notify") if dead => verdict.allow("notices given up after five failures"),
                Some("notify") => {
                    verdict.wrong.push(format!("{} {key} still waits: {entry}", one.id));
                }
                Some(_) | None => verdict.allow("texts that wait for the end of a turn"),
            }
        }
    }
}

fn end_everything(soak: &Soak, verdict: &mut Verdict) {
    // What is in the pool is nobody's any more: the last pass puts it away.
    if let Err(error) = soak.world.write_configuration(0) {
        verdict.wrong.push(format!("the configuration cannot be written: {error}"));
    }
    for args in [
        &["kill", "--all", "--yes", "--json"][..],
        &["reap", "--json"],
        &["cleanup", "--yes", "--force", "--json"],
        &["reap", "--json"],
    ] {
        let kind = if args[0] == "reap" { "reap (settling)" } else { "end" };
        let Some(done) = soak.call(kind, &Call::new(args, 900)) else { continue };
        if done.code != 0 {
            let what = format!("ao {} ended with {}: {}", args.join(" "), done.code, done.error);
            verdict.wrong.push(what);
        }
    }
}

/// Asks `ao` itself whether every log folds to its record.
fn proofs(soak: &Soak, verdict: &mut Verdict) {
    let archived = std::fs::read_dir(soak.world.path("home/archive")).into_iter().flatten();
    let mut ids: Vec<String> = archived
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .chain(watch::look(&soak.world).into_iter().map(|it| it.id))
        .collect();
    ids.sort();
    for id in ids {
        verdict.check("logs that fold to their record");
        let call = Call::new(&["log", &id, "--verify"], 120);
        let Ok(done) = call.run(&soak.world) else { continue };
        if done.code != 0 {
            verdict.lost.push(format!("log {id} --verify: {}{}", done.text, done.error));
        }
    }
    let call = Call::new(&["doctor", "--state"], 300);
    if let Ok(done) = call.run(&soak.world)
        && done.code != 0
    {
        verdict.wrong.push(format!("doctor --state: {}{}", done.text, done.error));
    }
}
