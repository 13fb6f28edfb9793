//! The play of `ao demo`: five sessions, and everything that can become of one.
//!
//! Invariants:
//!
//! * Every line of the timeline is an event of a session's log.
//! * Every expectation is checked against records, the repository or the system.
//! * `ao reap`, run by the demo itself, is the only clock.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::adapter::clock::{self, Deadline, Stopwatch};
use crate::adapter::cmd::{self, Output};
use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::tmux::Tmux;
use crate::demo::stage::{Stage, StageError};
use crate::demo::timeline::Timeline;
use crate::model::collect::Sorted;
use crate::model::event::Event;
use crate::model::id::LaunchId;
use crate::model::sanitize;
use crate::model::status::Status;

const FIX: &str = "app-1";
const ASK: &str = "app-2";
const FINISH: &str = "app-3";
const CRASH: &str = "app-4";
const WORK: &str = "app-5";
const SESSIONS: [&str; 5] = [FIX, ASK, FINISH, CRASH, WORK];

/// How long one expectation may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);

/// The end of the log of the failing check; the agent has to be told it.
const LOG_TAIL: &str = "test greets_the_world ... FAILED\n\"hello wrold\" is not a greeting";

/// What of it the scripted agent looks for.
const QUOTED: &str = "\"hello wrold\" is not a greeting";

/// Why the demo did not come to its good end.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// An expectation was disappointed.
    #[error("{step}: expected {expected}, found {found}")]
    Disappointed {
        /// The step of the play.
        step: &'static str,
        /// What should have been.
        expected: String,
        /// What was.
        found: String,
    },
    /// A step could not be played.
    #[error("{step}")]
    Stage {
        /// The step of the play.
        step: &'static str,
        /// What went wrong.
        source: StageError,
    },
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The timeline cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Plays everything, and strikes the stage whatever happened.
pub fn play(out: &mut dyn Write, as_json: bool, keep: bool) -> Result<(), ShowError> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let stage = Stage::build().map_err(at("build the stage"))?;
    let root = stage.root().display().to_string();
    let played = Show::open(&stage, out, as_json, &interrupted)
        .and_then(|mut show| show.acts().and_then(|()| show.epilogue()));
    let struck = stage.strike(keep).map_err(at("strike the stage"));
    if keep && !as_json {
        writeln!(out, "everything is kept in {root}")?;
    }
    played.and(struck)
}

fn at(step: &'static str) -> impl FnOnce(StageError) -> ShowError {
    move |source| ShowError::Stage { step, source }
}

/// A play under way.
struct Show<'a> {
    stage: &'a Stage,
    out: &'a mut dyn Write,
    as_json: bool,
    interrupted: &'a AtomicBool,
    timeline: Timeline,
    watch: Stopwatch,
    runtime: &'static str,
    step: &'static str,
    met: usize,
}

impl<'a> Show<'a> {
    fn open(
        stage: &'a Stage,
        out: &'a mut dyn Write,
        as_json: bool,
        interrupted: &'a AtomicBool,
    ) -> Result<Self, ShowError> {
        let step = "register the repository";
        let watch = Stopwatch::start();
        let start = clock::now();
        stage.answer(&["project", "add", ".", "--json"], None).map_err(at(step))?;
        let follow = stage.ao(&["events", "--follow", "--json"]).die_with_parent();
        let timeline = Timeline::follow(&follow, start, as_json)
            .map_err(|error| at("follow the events")(error.into()))?;
        let runtime = if Tmux::version().is_ok() { "tmux" } else { "process" };
        let met = 0;
        Ok(Self { stage, out, as_json, interrupted, timeline, watch, runtime, step, met })
    }

    fn acts(&mut self) -> Result<(), ShowError> {
        self.introduce()?;
        self.spawn_all()?;
        self.answer_the_question()?;
        self.leave_the_dialog()?;
        self.kill_the_worker()?;
        self.fail_the_check()?;
        let mut launches = BTreeSet::new();
        for id in SESSIONS {
            launches.insert(self.launch(id)?);
        }
        if self.has_terminal() {
            self.have_it_reviewed()?;
        }
        self.merge()?;
        self.clean_up(&launches)
    }

    fn introduce(&mut self) -> Result<(), ShowError> {
        if let Err(why) = Tmux::version() {
            let too_old = matches!(why, RuntimeError::TooOld { .. });
            let reason = if too_old { "tmux is too old" } else { "tmux is not there" };
            self.say(&format!("{reason}: the agents run in the process runtime instead"))?;
        }
        self.say("A home, a repository and five scripted agents, all of them thrown away later.")?;
        self.say("Times are seconds; every line below a command is an event of a session's log.")
    }

    fn spawn_all(&mut self) -> Result<(), ShowError> {
        self.begin("spawn five agents")?;
        let plays = [
            (FIX, include_str!("play/fix.script"), "greet the world", "interactive"),
            (ASK, include_str!("play/ask.script"), "write a server", "interactive"),
            (FINISH, include_str!("play/finish.script"), "count the words", "one_shot"),
            (CRASH, include_str!("play/crash.script"), "divide by zero", "one_shot"),
            (WORK, include_str!("play/work.script"), "search for ever", "interactive"),
        ];
        for (id, script, task, mode) in plays {
            let script = self.adapted(script);
            let path =
                self.stage.write(&format!("scripts/{id}"), &script).map_err(at(self.step))?;
            let path = path.display().to_string();
            self.stage_run(&["config", "set", "env.AO_DEMO_SCRIPT", &path])?;
            let spawn = ["spawn", task, "--mode", mode, "--runtime", self.runtime];
            let answer = self.ao_json(&spawn, None)?;
            self.equal("the session's id", id, answer["session"]["id"].as_str().unwrap_or(""))?;
        }
        for (id, ..) in plays {
            self.wait(id, "be at work", &|timeline| timeline.path(id).contains(&Status::Working))?;
        }
        self.wait_status(FINISH, Status::Done)?;
        self.wait_status(CRASH, Status::Errored)?;
        self.wait_status(ASK, Status::NeedsInput)?;
        self.wait_status(FIX, Status::Idle)?;
        self.reap()?;
        self.notified(FINISH, "agent-done")?;
        self.notified(CRASH, "agent-errored")?;
        self.notified(ASK, "agent-needs-input")
    }

    /// Without a terminal the scripted agent takes each line of a text for a message of its own,
    /// so it can only look at the first.
    fn adapted(&self, script: &str) -> String {
        if self.has_terminal() { script.to_owned() } else { script.replace(QUOTED, "Checks fail") }
    }

    fn has_terminal(&self) -> bool {
        self.runtime == "tmux"
    }

    fn answer_the_question(&mut self) -> Result<(), ShowError> {
        self.begin("answer an agent's question")?;
        let answer = self.ao_json(&["send", ASK, "8080"], None)?;
        let delivery = answer["send"]["delivery"].as_str().unwrap_or("none").to_owned();
        self.equal("the delivery", "submitted", &delivery)?;
        self.wait(ASK, "open a dialog", &|timeline| {
            let path = timeline.path(ASK);
            path.ends_with(&[Status::NeedsInput, Status::Working, Status::NeedsInput])
        })?;
        let workspace = format!("home/worktrees/app/{ASK}/port.txt");
        let port = crate::adapter::fs::read_text(&self.stage.root().join(workspace))
            .map_err(|error| at(self.step)(error.into()))?;
        self.equal("what the agent was told", "8080", port.trim())
    }

    fn leave_the_dialog(&mut self) -> Result<(), ShowError> {
        self.begin("type nothing into a dialog")?;
        let output = self.ao(&["send", ASK, "go on"], None)?;
        self.equal("the exit code", "5", &cmd::exit_code(output.status).to_string())?;
        self.reap()?;
        let told = |value: &Value| value["session"] == ASK;
        let times = self.notices()?.iter().filter(|notice| told(notice)).count();
        self.equal("how often the person was told", "2", &times.to_string())
    }

    fn kill_the_worker(&mut self) -> Result<(), ShowError> {
        self.begin("kill an agent with kill -9")?;
        let launch = self.launch(WORK)?;
        self.say(&format!("$ kill -9 (every process of {WORK})"))?;
        let killed = self.stage.kill_9(&launch).map_err(at(self.step))?;
        self.expect(killed > 0, "a process to kill", "none")?;
        self.reap()?;
        self.wait_status(WORK, Status::Exited)?;
        self.notified(WORK, "agent-exited")
    }

    fn fail_the_check(&mut self) -> Result<(), ShowError> {
        self.begin("bring a failing check to the agent")?;
        self.say("Its branch has commits, so it is a pull request, and the check is run on it.")?;
        self.stage_run(&["config", "set", "scm.kind", "local"])?;
        self.ao_json(&["reap", "--wait"], None)?;
        self.wait(FIX, "fail its check", &|timeline| {
            timeline.path(FIX).contains(&Status::CiFailed)
        })?;
        let has = |timeline: &Timeline, wanted: &dyn Fn(&Event) -> bool| {
            let own = timeline.seen().iter().filter(|seen| seen.id == FIX);
            let mut later = own.skip_while(|seen| seen.event.status != Status::CiFailed);
            later.any(|seen| wanted(&seen.event))
        };
        self.wait(FIX, "get the text, proved by its own hook", &|timeline| {
            has(timeline, &|event| {
                let why = event.reason.as_deref().unwrap_or_default();
                why.starts_with("delivered") && why.ends_with(".ci-failed")
            })
        })?;
        self.wait(FIX, "end its turn", &|timeline| {
            has(timeline, &|event| event.rule.as_deref() == Some("activity.idle"))
        })?;
        let subject = self.git(&["log", "-1", "--format=%s", &format!("ao/{FIX}")])?;
        self.equal("the last commit", "spell world", &subject)?;
        let told = self.git(&["show", &format!("ao/{FIX}:told.txt")])?;
        let wanted = if self.has_terminal() { LOG_TAIL } else { "Checks fail" };
        self.expect(told.contains(wanted), "the end of the log in the text", &told)?;
        let greeting = self.git(&["show", &format!("ao/{FIX}:greeting.txt")])?;
        self.equal("the greeting", "hello world", greeting.trim())
    }

    fn have_it_reviewed(&mut self) -> Result<(), ShowError> {
        self.begin("have it reviewed by another agent")?;
        self.say(
            "Each green head gets a reviewer in a worktree of its own, who may ask for changes.",
        )?;
        let verdict = include_str!("play/verdict.sh");
        let verdict = self.stage.write("scripts/verdict", verdict).map_err(at(self.step))?;
        let script = include_str!("play/review.script");
        let script = script.replace("VERDICT", &verdict.display().to_string());
        let script = self.stage.write("scripts/review", &script).map_err(at(self.step))?;
        self.stage_run(&["config", "set", "env.AO_DEMO_SCRIPT", &script.display().to_string()])?;
        self.stage_run(&["config", "set", "review.agents", "[\"demo\"]"])?;
        self.stage_run(&["config", "set", "review.auto", "true"])?;
        self.reap_until("a reviewer that asks for a change", &|show| {
            let reviews = show.stage_answer(&["review", "ls", FIX, "--json"])?;
            Ok(reviews["reviews"][0]["verdict"] == "changes_requested")
        })?;
        self.reap_until("the change it asks for", &|show| {
            let head = ["log", "-1", "--format=%s", &format!("ao/{FIX}")];
            Ok(show.git(&head)? == "say it louder")
        })
    }

    fn merge(&mut self) -> Result<(), ShowError> {
        self.begin("merge what is green and approved, and clean up after it")?;
        self.stage_run(&["config", "set", "reactions.approved-and-green.action", "merge"])?;
        self.stage_run(&["config", "set", "cleanup.after", "0s"])?;
        self.stage_run(&["config", "set", "cleanup.auto", "true"])?;
        self.reap_until("a merge", &|show| Ok(show.timeline.path(FIX).contains(&Status::Merged)))?;
        let greeting = self.git(&["show", "main:greeting.txt"])?;
        let wanted = if self.has_terminal() { "hello world!" } else { "hello world" };
        self.equal("the greeting on main", wanted, greeting.trim())?;
        self.notified(FIX, "all-complete")?;
        self.reap_until("its workspace gone", &|show| {
            Ok(!show.stage.root().join(format!("home/worktrees/app/{FIX}")).exists())
        })
    }

    fn clean_up(&mut self, launches: &BTreeSet<LaunchId>) -> Result<(), ShowError> {
        self.begin("clean up the rest")?;
        self.ao_json(&["kill", "--all", "--yes"], None)?;
        let output = self.ao(&["cleanup", "--yes", "--force"], None)?;
        self.equal("the exit code", "0", &cmd::exit_code(output.status).to_string())?;
        self.leave_nothing(launches)
    }

    fn leave_nothing(&mut self, launches: &BTreeSet<LaunchId>) -> Result<(), ShowError> {
        self.begin("leave nothing behind")?;
        for id in SESSIONS {
            let output = self.ao(&["log", id, "--verify"], None)?;
            self.equal("the exit code", "0", &cmd::exit_code(output.status).to_string())?;
        }
        let listed = self.stage_answer(&["ls", "--json"])?;
        let sessions = listed["sessions"].as_array().map_or(0, Vec::len);
        self.equal("live sessions", "0", &sessions.to_string())?;
        // A tmux server takes a moment to end after its last pane.
        let gone = || self.stage.left(launches).ok().filter(Vec::is_empty);
        clock::poll_until(Deadline::after(PATIENCE), gone);
        let left = self.stage.left(launches).map_err(at(self.step))?;
        self.expect(left.is_empty(), "nothing left", &left.join(", "))
    }

    fn epilogue(&mut self) -> Result<(), ShowError> {
        let seconds = self.watch.elapsed().as_secs_f64();
        let paths = SESSIONS.iter().map(|id| ((*id).to_owned(), json!(self.timeline.path(id))));
        let paths = paths.into_object();
        let notices = self.notices()?.len();
        let events = self.timeline.seen().len();
        if self.as_json {
            let summary = json!({ "schema": 1, "summary": { "ok": true, "expectations": self.met,
                "events": events, "notices": notices, "sessions": paths, "left": [],
                "runtime": self.runtime, "seconds": seconds } });
            return Ok(writeln!(self.out, "{summary}")?);
        }
        writeln!(self.out)?;
        for id in SESSIONS {
            let path: Vec<String> = self.timeline.path(id).iter().map(Status::to_string).collect();
            writeln!(self.out, "{id}  {}", path.join(" -> "))?;
        }
        writeln!(
            self.out,
            "\n{} expectations held in {seconds:.1} s: {events} events, {notices} notices to a \
             person.\nNothing is left: no session, pane, process, worktree, branch or changed file.",
            self.met
        )?;
        Ok(())
    }
}

/// The tools of the acts.
impl Show<'_> {
    /// Names the step that everything up to the next one belongs to.
    fn begin(&mut self, step: &'static str) -> Result<(), ShowError> {
        self.step = step;
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(ShowError::Interrupted);
        }
        self.say(&format!("\n# {step}"))
    }

    /// Says something to a person; a reader of JSON wants events only.
    fn say(&mut self, text: &str) -> Result<(), ShowError> {
        if !self.as_json {
            writeln!(self.out, "{text}")?;
            self.out.flush()?;
        }
        Ok(())
    }

    /// Runs `ao` in front of the audience, whatever its exit code.
    fn ao(&mut self, arguments: &[&str], stdin: Option<&str>) -> Result<Output, ShowError> {
        self.announce(arguments, stdin)?;
        let output = self.stage.run(arguments, stdin).map_err(at(self.step))?;
        for line in output.text().lines().chain(output.stderr.lines()) {
            self.say(&sanitize::line(line))?;
        }
        self.catch_up()?;
        Ok(output)
    }

    /// Runs `ao` in front of the audience; it has to succeed.
    fn ao_json(&mut self, arguments: &[&str], stdin: Option<&str>) -> Result<Value, ShowError> {
        self.announce(arguments, stdin)?;
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let answer = self.stage.answer(&arguments, stdin).map_err(at(self.step))?;
        self.met += 1;
        self.catch_up()?;
        Ok(answer)
    }

    /// Prints what the last command did before anything else is said.
    fn catch_up(&mut self) -> Result<(), ShowError> {
        let listed = self.stage_answer(&["ls", "--all", "--json"])?;
        let sessions = listed["sessions"].as_array().cloned().unwrap_or_default();
        let revisions: Vec<(String, u64)> = sessions
            .iter()
            .filter_map(|it| Some((it["id"].as_str()?.to_owned(), it["revision"].as_u64()?)))
            .collect();
        let caught_up = |timeline: &Timeline| {
            revisions.iter().all(|(id, revision)| timeline.seq(id) >= *revision)
        };
        self.watch_until(&caught_up).map(drop)
    }

    fn announce(&mut self, arguments: &[&str], stdin: Option<&str>) -> Result<(), ShowError> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(ShowError::Interrupted);
        }
        // What came before the command stands before it.
        self.catch_up()?;
        let quoted = |word: &&str| {
            let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
            if plain { (*word).to_owned() } else { format!("'{word}'") }
        };
        let words: Vec<String> = arguments.iter().map(quoted).collect();
        let fact = stdin.map_or_else(String::new, |_| " < fact.json".to_owned());
        self.say(&format!("$ ao {}{fact}", words.join(" ")))
    }

    /// Runs `ao` behind the scene; it has to succeed.
    fn stage_run(&self, arguments: &[&str]) -> Result<(), ShowError> {
        self.stage_answer(&[arguments, &["--json"]].concat()).map(drop)
    }

    fn stage_answer(&self, arguments: &[&str]) -> Result<Value, ShowError> {
        self.stage.answer(arguments, None).map_err(at(self.step))
    }

    fn reap(&mut self) -> Result<(), ShowError> {
        self.ao_json(&["reap"], None).map(drop)
    }

    /// Makes passes until `done`.
    fn reap_until(
        &mut self,
        expected: &str,
        done: &dyn Fn(&Self) -> Result<bool, ShowError>,
    ) -> Result<(), ShowError> {
        /// How many passes it may take.
        const PASSES: usize = 30;
        /// How long the agents are given after each.
        const PAUSE: Duration = Duration::from_millis(300);
        for _ in 0..PASSES {
            self.ao_json(&["reap", "--wait"], None)?;
            let stop = || self.interrupted.load(Ordering::Relaxed);
            self.timeline.until(self.out, PAUSE, &stop, &|_| false)?;
            if done(self)? {
                self.met += 1;
                return Ok(());
            }
        }
        Err(self.disappointment(expected, "none"))
    }

    fn git(&self, arguments: &[&str]) -> Result<String, ShowError> {
        self.stage.git(arguments).map_err(at(self.step))
    }

    fn notices(&self) -> Result<Vec<Value>, ShowError> {
        self.stage.notices().map_err(at(self.step))
    }

    fn launch(&self, id: &str) -> Result<LaunchId, ShowError> {
        let shown = self.stage_answer(&["show", id, "--json"])?;
        let launch = shown["session"]["handles"]["launch"].as_str().unwrap_or_default();
        launch.parse().map_err(|_| self.disappointment(format!("a launch of {id}"), launch))
    }

    fn disappointment(&self, expected: impl Into<String>, found: &str) -> ShowError {
        ShowError::Disappointed {
            step: self.step,
            expected: expected.into(),
            found: found.to_owned(),
        }
    }

    fn expect(&mut self, holds: bool, expected: &str, found: &str) -> Result<(), ShowError> {
        self.met += 1;
        if holds { Ok(()) } else { Err(self.disappointment(expected, found)) }
    }

    fn equal(&mut self, what: &str, expected: &str, found: &str) -> Result<(), ShowError> {
        self.expect(expected == found, &format!("{what} to be `{expected}`"), &format!("`{found}`"))
    }

    /// Prints what happens until `done`.
    fn wait(
        &mut self,
        id: &str,
        what: &str,
        done: &dyn Fn(&Timeline) -> bool,
    ) -> Result<(), ShowError> {
        let held = self.watch_until(done)?;
        let path: Vec<String> = self.timeline.path(id).iter().map(Status::to_string).collect();
        self.expect(held, &format!("{id} to {what}"), &path.join(" -> "))
    }

    /// Prints what happens until `done` or the end of all patience; whether it was `done`.
    fn watch_until(&mut self, done: &dyn Fn(&Timeline) -> bool) -> Result<bool, ShowError> {
        let stop = || self.interrupted.load(Ordering::Relaxed);
        let held = self.timeline.until(self.out, PATIENCE, &stop, done)?;
        if stop() { Err(ShowError::Interrupted) } else { Ok(held) }
    }

    fn wait_status(&mut self, id: &'static str, status: Status) -> Result<(), ShowError> {
        self.wait(id, &format!("be {status}"), &|timeline| timeline.status(id) == Some(status))
    }

    /// The person was told of `id` by this reaction.
    fn notified(&mut self, id: &str, reaction: &str) -> Result<(), ShowError> {
        let notices = self.notices()?;
        let is_it = |notice: &Value| notice["session"] == id && notice["reaction"] == reaction;
        let told: Vec<&str> = notices.iter().filter_map(|it| it["reaction"].as_str()).collect();
        let expected = format!("a notice `{reaction}` about {id}");
        self.expect(notices.iter().any(is_it), &expected, &told.join(", "))
    }
}
