//! What goes wrong: small things every second, great ones now and then.

use std::fs;
use std::time::{Duration, Instant};

use ao::adapter::clock;
use rustix::process::Signal;

use super::Soak;
use super::call::{Call, Harm};
use super::choice::Choice;
use super::ledger::{Hook, Window};
use super::watch::{self, Seen};
use super::world::{self, uptime};

/// The names of `ao` processes that may be killed under way; agents and launchers are faults of
/// their own.
const UNDER_WAY: &[&str] =
    &["hook", "reap", "spawn", "send", "kill", "restore", "cleanup", "rename", "observe"];

/// Something small.
#[derive(Clone, Copy, Debug)]
enum Small {
    Agent,
    Launcher,
    Pane,
    Ao,
    Burst,
}

/// Does small harm until time is up.
pub(crate) fn small(soak: &Soak) {
    let mut choice = Choice::new(soak.seed, 2);
    while !soak.is_over() {
        let what = choice.weighted(&[
            (Small::Agent, 3),
            (Small::Launcher, 2),
            (Small::Pane, 2),
            (Small::Ao, 5),
            (Small::Burst, 4),
        ]);
        let seen = soak.seen();
        let live: Vec<&Seen> = seen.iter().filter(|it| !it.terminal).collect();
        let one = choice.one(&live).copied();
        match (what, one) {
            (Small::Ao, _) => kill_an_ao(soak, &mut choice),
            (Small::Agent, Some(one)) => kill_agent(soak, one, false),
            (Small::Launcher, Some(one)) => kill_agent(soak, one, true),
            (Small::Pane, Some(one)) => kill_pane(soak, one),
            (Small::Burst, Some(one)) => burst(soak, one, &mut choice),
            (Small::Agent | Small::Launcher | Small::Pane | Small::Burst, None) => {}
        }
        let pause = choice.between(300, 1500);
        clock::pause(Duration::from_millis(pause));
    }
}

fn kill_agent(soak: &Soak, one: &Seen, launcher: bool) {
    let Some(agent) = watch::agent(&soak.world, one) else { return };
    if !launcher {
        world::signal(agent, Signal::KILL);
        return soak.ledger().fault("kill -9 of an agent");
    }
    let parent = world::stat(agent).map(|(_, parent, _)| parent);
    let is_launcher = |pid: &u32| world::command_line(*pid).iter().any(|word| word == "launch");
    if let Some(parent) = parent.filter(is_launcher) {
        world::signal(parent, Signal::KILL);
        soak.ledger().fault("kill -9 of a launcher");
    }
}

fn kill_pane(soak: &Soak, one: &Seen) {
    let Some(pane) = one.record["handles"]["runtime"]["pane"].as_str() else { return };
    let mut tmux = soak.world.command("tmux".as_ref());
    tmux.arg("-S").arg(soak.world.path("home/tmux.sock")).args(["kill-pane", "-t", pane]);
    tmux.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let Ok(mut client) = tmux.spawn() else { return };
    // A stopped server would hold the client for as long as it is stopped.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        if client.try_wait().is_ok_and(|ended| ended.is_some()) {
            return soak.ledger().fault("tmux kill-pane");
        }
        clock::pause(Duration::from_millis(10));
    }
    let _ = client.kill();
    let _ = client.wait();
}

fn kill_an_ao(soak: &Soak, choice: &mut Choice) {
    let is_under_way = |pid: &u32| {
        let line = world::command_line(*pid);
        line.first().is_some_and(|word| word == "ao" || word.ends_with("/ao"))
            && line.get(1).is_some_and(|word| UNDER_WAY.contains(&word.as_str()))
    };
    let all: Vec<u32> = soak.world.processes().into_iter().filter(is_under_way).collect();
    if let Some(pid) = choice.one(&all) {
        soak.ledger().hurt.insert(*pid);
        world::signal(*pid, Signal::KILL);
        soak.ledger().fault("kill -9 of any ao found");
    }
}

/// Many hooks of one session at once.
fn burst(soak: &Soak, one: &Seen, choice: &mut Choice) {
    let Some(card) = one.record["agent"].as_str().filter(|card| *card != "shell") else { return };
    let width = choice.between(4, 16);
    let stream = choice.between(0, u64::from(u32::MAX));
    soak.ledger().fault("burst of hooks");
    std::thread::scope(|scope| {
        for number in 0..width {
            let event = if number % 2 == 0 { "user-prompt-submit" } else { "pre-tool-use" };
            let token = format!("burst{stream}n{number}z");
            scope.spawn(move || hook(soak, one, card, event, token));
        }
    });
    // No hook of the burst began later, so none of them is why this one is not heard.
    hook(soak, one, card, "user-prompt-submit", format!("burst{stream}endz"));
}

fn hook(soak: &Soak, one: &Seen, card: &str, event: &str, token: String) {
    let mut call = Call::new(&["hook", card, event], 60);
    call.stdin = Some(format!("{{\"session_id\":\"{token}\"}}"));
    call.env.push(("AO_SESSION", one.id.clone()));
    call.env.push(("AO_LAUNCH", one.launch.clone()));
    let Some(done) = soak.call("hook (burst)", &call) else { return };
    soak.ledger().hooks.push(Hook {
        token,
        session: one.id.clone(),
        launch: one.launch.clone(),
        event: event.to_owned(),
        from: done.during.from,
        to: done.during.to,
        code: done.code,
    });
}

/// Something great.
#[derive(Clone, Copy, Debug)]
enum Great {
    ServerStopped,
    ServerKilled,
    DiskFull,
    ClockAhead,
    ClockBack,
    NotifierDown,
}

/// Does great harm, each kind at least once, spread over the time.
pub(crate) fn great(soak: &Soak, time: Duration) {
    let mut choice = Choice::new(soak.seed, 3);
    let minutes = time.as_secs().div_ceil(60);
    let mut plan = Vec::new();
    for _ in 0..minutes {
        plan.extend([Great::ServerStopped, Great::DiskFull, Great::NotifierDown]);
        plan.extend([Great::ClockAhead, Great::ClockBack]);
    }
    plan.extend(vec![Great::ServerKilled; usize::try_from(minutes.div_ceil(3)).unwrap_or(1)]);
    for last in (1..plan.len()).rev() {
        let other = usize::try_from(choice.between(0, last as u64)).unwrap_or(0);
        plan.swap(last, other);
    }
    let began = Instant::now();
    let mut offset = 0;
    for (number, what) in plan.iter().enumerate() {
        let part = u32::try_from(number).unwrap_or(0) + 1;
        let at = began + time * part / (u32::try_from(plan.len()).unwrap_or(1) + 2);
        while Instant::now() < at && !soak.is_over() {
            clock::pause(Duration::from_millis(30));
        }
        if soak.is_over() {
            return;
        }
        match what {
            Great::ServerStopped => stop_server(soak, choice.between(2_000, 9_000)),
            Great::ServerKilled => kill_server(soak),
            Great::DiskFull => fill_disk(soak, choice.between(1_500, 5_000)),
            Great::ClockAhead => step_clock(soak, &mut offset, 3_600_000),
            Great::ClockBack => step_clock(soak, &mut offset, -3_600_000),
            Great::NotifierDown => silence(soak, choice.between(3_000, 8_000)),
        }
    }
}

fn stop_server(soak: &Soak, milliseconds: u64) {
    let Some(server) = soak.world.server() else { return };
    let from = uptime();
    world::signal(server, Signal::STOP);
    soak.ledger().fault("SIGSTOP of the tmux server");
    pause(soak, milliseconds);
    world::signal(server, Signal::CONT);
    soak.ledger().stopped.push(Window { from, to: uptime() });
}

fn kill_server(soak: &Soak) {
    let Some(server) = soak.world.server() else { return };
    let from = uptime();
    world::signal(server, Signal::KILL);
    soak.ledger().fault("kill -9 of the tmux server");
    // Who lost everything starts it again.
    let mut call = Call::new(&["restore", "--all", "--json"], 600);
    call.harm = Harm::None;
    soak.call("restore --all", &call);
    soak.ledger().stopped.push(Window { from, to: uptime() });
}

fn fill_disk(soak: &Soak, milliseconds: u64) {
    let from = uptime();
    if !soak.world.fill() {
        soak.failing.store(true, std::sync::atomic::Ordering::SeqCst);
    }
    soak.ledger().fault("full disk");
    pause(soak, milliseconds);
    soak.world.make_room();
    soak.failing.store(false, std::sync::atomic::Ordering::SeqCst);
    soak.ledger().full.push(Window { from, to: uptime() });
}

/// Steps the clock; it is never more than an hour off, so that a second step is the way back.
fn step_clock(soak: &Soak, offset: &mut i64, by: i64) {
    *offset = if (*offset + by).abs() > 3_600_000 { *offset - by } else { *offset + by };
    let mut ledger = soak.ledger();
    if soak.world.step_clock(*offset).is_ok() {
        ledger.steps.push((uptime(), *offset));
        ledger.fault("clock stepped by an hour");
    }
}

fn silence(soak: &Soak, milliseconds: u64) {
    let flag = soak.world.path("down");
    let _ = fs::write(&flag, "");
    soak.ledger().fault("notifier down");
    pause(soak, milliseconds);
    let _ = fs::remove_file(&flag);
}

/// Waits, but never past the end.
fn pause(soak: &Soak, milliseconds: u64) {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    while Instant::now() < until && !soak.is_over() {
        clock::pause(Duration::from_millis(20));
    }
}
