//! What people, scripts and agents do to `ao` all the time.

use std::time::Duration;

use ao::adapter::clock;
use serde_json::{Value, json};

use super::Soak;
use super::call::{Call, Done, Harm};
use super::choice::Choice;
use super::ledger::{Changed, Sent, Spawned};
use super::watch::Seen;

/// One thing that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Spawn,
    Send,
    Kill,
    Restore,
    RestoreAll,
    Cleanup,
    CleanupAll,
    Rename,
    Report,
    Observe,
    Read,
    Wait,
    Retry,
}

/// How often each is done.
const DEEDS: &[(Deed, u64)] = &[
    (Deed::Spawn, 14),
    (Deed::Send, 26),
    (Deed::Kill, 4),
    (Deed::Restore, 10),
    (Deed::RestoreAll, 1),
    (Deed::Cleanup, 8),
    (Deed::CleanupAll, 1),
    (Deed::Rename, 7),
    (Deed::Report, 8),
    (Deed::Observe, 11),
    (Deed::Read, 14),
    (Deed::Wait, 2),
    (Deed::Retry, 2),
];

/// One pair of hands, with choices of its own.
pub(crate) struct Hands<'a> {
    soak: &'a Soak,
    choice: Choice,
    number: u64,
    count: u64,
}

impl<'a> Hands<'a> {
    pub(crate) fn new(soak: &'a Soak, number: u64) -> Self {
        Self { soak, choice: Choice::new(soak.seed, 100 + number), number, count: 0 }
    }

    /// Returns a word that stands nowhere else; no two are a prefix of each other.
    fn token(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}{}n{}z", self.number, self.count)
    }

    /// Does one thing after the other until time is up.
    pub(crate) fn work(&mut self) {
        while !self.soak.is_over() {
            let deed = self.choice.weighted(DEEDS);
            self.act(deed);
            let pause = self.choice.between(5, 120);
            clock::pause(Duration::from_millis(pause));
        }
    }

    /// Starts sessions, unhurt, until there are enough.
    pub(crate) fn fill(&mut self, next: &std::sync::atomic::AtomicUsize, wanted: usize) {
        while next.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < wanted {
            self.spawn(&Harm::None);
        }
    }

    fn act(&mut self, deed: Deed) {
        let harm = self.harm();
        let seen = self.soak.seen();
        let live: Vec<&Seen> = seen.iter().filter(|it| !it.terminal).collect();
        let ended: Vec<&Seen> = seen.iter().filter(|it| it.terminal).collect();
        match deed {
            Deed::Spawn if live.len() < self.soak.sessions => self.spawn(&harm),
            // Enough are there: room is made for the next.
            Deed::Spawn | Deed::Kill => {
                if let Some(one) = self.choice.one(&live) {
                    self.change("kill", &["kill", &one.id, "--yes", "--json"], one, 90, &harm);
                }
            }
            Deed::Send => {
                if let Some(one) = self.choice.one(&live) {
                    self.send(one, &harm);
                }
            }
            Deed::Restore => {
                if let Some(one) = self.choice.one(&ended) {
                    let args = ["restore", &one.id, "--json"];
                    self.change("restore", &args, one, 120, &harm);
                }
            }
            Deed::RestoreAll => {
                self.run("restore --all", &["restore", "--all", "--json"], 600, &harm);
            }
            Deed::Cleanup => {
                if let Some(one) = self.choice.one(&ended) {
                    let force = self.choice.percent(50);
                    self.cleanup(&one.id, force, &harm);
                }
            }
            Deed::CleanupAll => self.cleanup("", false, &harm),
            Deed::Rename => {
                if let Some(one) = self.choice.one(&seen) {
                    self.rename(one, &harm);
                }
            }
            Deed::Report => {
                if let Some(one) = self.choice.one(&live) {
                    self.report(one, &harm);
                }
            }
            Deed::Observe => {
                if let Some(one) = self.choice.one(&live) {
                    self.observe(one, &harm);
                }
            }
            Deed::Read => self.read(&seen),
            Deed::Wait => {
                if let Some(one) = self.choice.one(&live) {
                    let args = ["wait", &one.id, "--timeout", "1s", "--json"];
                    self.run("wait", &args, 60, &harm);
                }
            }
            Deed::Retry => {
                self.run("outbox retry", &["outbox", "retry", "--dead", "--json"], 90, &harm);
            }
        }
    }

    /// Chooses what is done to the next call.
    fn harm(&mut self) -> Harm {
        let (kind, milliseconds) = (self.choice.between(0, 99), self.choice.between(1, 400));
        let point = self.soak.point(&mut self.choice);
        let action = self.choice.weighted(&[
            ("kill", 6),
            ("error:28", 1),
            ("error:5", 1),
            ("error:4", 1),
            ("error:13", 1),
            ("sleep:1500", 1),
        ]);
        let nth = self.choice.between(1, 2);
        match kind {
            0..4 => Harm::Kill(Duration::from_millis(milliseconds)),
            4 => Harm::Pause(Duration::from_millis(milliseconds / 4), Duration::from_secs(2)),
            5..13 => {
                point.map_or(Harm::None, |point| Harm::Point(format!("{point}#{nth}={action}")))
            }
            _ if self.soak.fails_writes() => {
                Harm::Point("store.write=error:28,fs.write=error:28,store.append=error:28".into())
            }
            _ => Harm::None,
        }
    }

    fn run(&mut self, kind: &'static str, args: &[&str], limit: u64, harm: &Harm) -> Option<Done> {
        let mut call = Call::new(args, limit);
        call.harm = harm.clone();
        self.soak.call(kind, &call)
    }

    fn spawn(&mut self, harm: &Harm) {
        let token = self.token("task");
        let agent =
            self.choice.weighted(&[("chat", 5), ("worker", 4), ("answer", 3), ("shell", 2)]);
        let (nap, code) = (self.choice.between(1, 40), self.choice.between(0, 3));
        let process = self.choice.percent(12);
        let prompt = if agent == "shell" {
            format!(": {token}; sleep {}.{}; exit {code}", nap / 10, nap % 10)
        } else {
            format!("do {token}")
        };
        let mut args = vec!["spawn", "--json", "--agent", agent, "--title", &token];
        if process {
            args.extend(["--runtime", "process"]);
        }
        let own = format!("own-{}-{}", self.number, self.count);
        if self.choice.percent(10) {
            args.extend(["--id", &own]);
        }
        args.push(&prompt);
        let done = self.run("spawn", &args, 150, harm);
        let id = done
            .filter(|done| done.code == 0)
            .map(|done| done.answer["session"]["id"].as_str().unwrap_or("(no id)").to_owned());
        self.soak.ledger().spawned.push(Spawned { token, id });
    }

    fn send(&mut self, one: &Seen, harm: &Harm) {
        let token = self.token("text");
        let how = self.choice.weighted(&[("", 6), ("--now", 1), ("--queue", 3)]);
        let lines = if self.choice.percent(20) { "\nsecond line\nthird line" } else { "" };
        let text = format!("please {token} it{lines}");
        let mut args = vec!["send", "--json", &one.id, &text];
        if !how.is_empty() {
            args.insert(1, how);
        }
        let done = self.run("send", &args, 120, harm);
        let done = done.filter(|done| done.code == 0);
        let delivery =
            done.and_then(|done| done.answer["send"]["delivery"].as_str().map(str::to_owned));
        let at_once = how == "--now" || one.process;
        let (session, delivery) = (one.id.clone(), delivery.unwrap_or_default());
        self.soak.ledger().sent.push(Sent { token, session, delivery, at_once });
    }

    /// Runs a command that answers with the session, and notes the revision it came to.
    fn change(&mut self, what: &'static str, args: &[&str], one: &Seen, limit: u64, harm: &Harm) {
        let Some(done) = self.run(what, args, limit, harm).filter(|done| done.code == 0) else {
            return;
        };
        let revision = revision_of(&done.answer);
        self.acknowledged(what, &one.id, String::new(), revision);
    }

    fn rename(&mut self, one: &Seen, harm: &Harm) {
        let token = self.token("title");
        let done = self.run("rename", &["rename", &one.id, &token, "--json"], 60, harm);
        if let Some(done) = done.filter(|done| done.code == 0) {
            self.acknowledged("rename", &one.id, token, revision_of(&done.answer));
        }
    }

    fn report(&mut self, one: &Seen, harm: &Harm) {
        let token = self.token("note");
        let state = self.choice.weighted(&[("working", 3), ("waiting", 1), ("needs-input", 1)]);
        let mut call = Call::new(&["report", state, "--note", &token, "--json"], 60);
        call.env.push(("AO_SESSION", one.id.clone()));
        call.env.push(("AO_LAUNCH", one.launch.clone()));
        call.harm = harm.clone();
        if let Some(done) = self.soak.call("report", &call).filter(|done| done.code == 0) {
            let revision = done.answer["report"]["revision"].as_u64().unwrap_or_default();
            self.acknowledged("report", &one.id, token, revision);
        }
    }

    fn observe(&mut self, one: &Seen, harm: &Harm) {
        let token = self.token("talk");
        let activity = self.choice.weighted(&[("idle", 3), ("active", 2), ("ready", 1)]);
        let fact = json!({ "confidence": "valid", "activity": activity, "source": "hook",
            "boundary": true, "agent_session": token });
        let mut call = Call::new(&["observe", "activity", &one.id, "--json"], 60);
        call.stdin = Some(fact.to_string());
        call.harm = harm.clone();
        let done = self.soak.call("observe", &call).filter(|done| done.code == 0);
        let observed = done.map(|mut done| done.answer["observe"].take());
        if let Some(observed) = observed.filter(|observed| observed["changed"] == true) {
            let revision = observed["revision"].as_u64().unwrap_or_default();
            self.acknowledged("observe", &one.id, token, revision);
        }
    }

    fn cleanup(&mut self, id: &str, force: bool, harm: &Harm) {
        let mut args = vec!["cleanup", "--yes", "--json"];
        if force {
            args.push("--force");
        }
        if !id.is_empty() {
            args.push(id);
        }
        let kind = if id.is_empty() { "cleanup (all)" } else { "cleanup" };
        let limit = if id.is_empty() { 600 } else { 120 };
        let Some(done) = self.run(kind, &args, limit, harm).filter(|done| done.code == 0) else {
            return;
        };
        let all = done.answer["cleanup"].as_array().cloned().unwrap_or_default();
        let gone = all.iter().filter(|one| one.get("kept").is_none());
        let gone = gone.filter_map(|one| one["id"].as_str().map(str::to_owned));
        self.soak.ledger().cleaned.extend(gone);
    }

    fn read(&mut self, seen: &[Seen]) {
        if seen.is_empty() {
            return;
        }
        let kind = self.choice.weighted(&[
            ("ls", 4),
            ("status", 3),
            ("show", 2),
            ("log --verify", 3),
            ("output", 1),
            ("outbox ls", 1),
            ("doctor --state", 1),
        ]);
        let id = self.choice.one(seen).map(|one| one.id.clone()).unwrap_or_default();
        let done = match kind {
            "ls" => self.run(kind, &["ls", "--all", "--json"], 60, &Harm::None),
            "status" => self.run(kind, &["status", "--json"], 60, &Harm::None),
            "outbox ls" => self.run(kind, &["outbox", "ls", "--json"], 60, &Harm::None),
            "doctor --state" => self.run(kind, &["doctor", "--state", "--json"], 90, &Harm::None),
            "show" => self.run(kind, &["show", &id, "--json"], 60, &Harm::None),
            "output" => self.run(kind, &["output", &id], 60, &Harm::None),
            _ => self.run(kind, &["log", &id, "--verify", "--json"], 60, &Harm::None),
        };
        // What only reads the files has no reason to fail, whatever goes on. A log that is one
        // event ahead of its record is what a writer leaves that was killed between the two.
        let reads_files = matches!(kind, "ls" | "show" | "log --verify" | "outbox ls");
        let is_expected = |done: &Done| {
            let findings = done.answer["verify"]["findings"].as_array();
            let is_ahead =
                |one: &Value| one.as_str().is_some_and(|text| text.contains("the log ends"));
            matches!(done.code, 0 | 3) || findings.is_some_and(|all| all.iter().all(is_ahead))
        };
        if let Some(done) = done.filter(|done| reads_files && !is_expected(done)) {
            let what = format!("{kind} {id} ended with {}: {}{}", done.code, done.error, done.text);
            self.soak.ledger().wrong.push(what);
        }
    }

    fn acknowledged(&self, what: &'static str, session: &str, token: String, revision: u64) {
        let session = session.to_owned();
        self.soak.ledger().changed.push(Changed { session, what, token, revision });
    }
}

/// Returns the revision of the one session in an answer.
fn revision_of(answer: &Value) -> u64 {
    let session = answer.get("session").or_else(|| answer["sessions"].get(0));
    session.and_then(|session| session["revision"].as_u64()).unwrap_or_default()
}
