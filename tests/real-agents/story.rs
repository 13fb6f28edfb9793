//! The story that every agent goes through, under the real `ao` in real tmux.
//!
//! Each row is one thing a user relies on. A row that fails does not end the story: the next one
//! first brings the session back to where it waits for an instruction.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use ao::adapter::clock::{Stopwatch, pause};
use ao::adapter::cmd::exit_code;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::agents::{Step, TOOL_SAYS, resets_at, says};
use crate::player::{Ended, Recorded};
use crate::table::{Report, Seen};
use crate::world::{World, said};

/// What nobody may type while a dialog is open.
const INTRUDER: &str = "STORY-INTRUDER";

/// One agent's way through the story.
struct Story {
    world: World,
    log: PathBuf,
    /// How long a condition may take to come true.
    patience: Duration,
    /// The session, once there is one.
    id: String,
    /// Where it works.
    workspace: PathBuf,
    /// What was said in its conversation and has to be in every later request.
    known: Vec<&'static str>,
    /// What was found in a tree that should be clean.
    dirt: Option<String>,
    /// When the usage limit ends, as the record said.
    until: Option<String>,
    rows: Vec<(&'static str, Seen)>,
}

/// Runs the agent of `world` through the story.
pub(crate) fn run(world: World, log: &Path, patience: Duration) -> anyhow::Result<Report> {
    let (agent, version) = (world.agent, world.version()?);
    tell(&format!("{} {version} against {}", agent.title, world.player.url()));
    let mut story = Story {
        world,
        log: log.to_owned(),
        patience,
        id: String::new(),
        workspace: PathBuf::new(),
        known: Vec::new(),
        dirt: None,
        until: None,
        rows: Vec::new(),
    };
    story.play();
    story.world.leave_log(log)?;
    Ok(Report { agent, version, rows: story.rows })
}

/// One row of the table.
type Act = fn(&mut Story) -> anyhow::Result<()>;

impl Story {
    fn play(&mut self) {
        let rows: &[(&'static str, Option<Step>, Act)] = &[
            ("a prompt at spawn: `working`, then `idle`", Some(Step::Working), Self::begins),
            ("8 KiB in many lines: `submitted`, and whole", None, Self::takes_a_long_message),
            (
                "a permission dialog: `blocked`, a send is held, `ao approve` goes on",
                Some(Step::Dialog),
                Self::asks_for_permission,
            ),
            (
                "the usage limit: `stuck`, and a later message works",
                Some(Step::Limit),
                Self::meets_its_limit,
            ),
            ("the usage limit: when it ends", Some(Step::LimitReset), Self::knows_the_reset),
            ("`ao interrupt` in an endless answer: `idle`", None, Self::is_interrupted),
            (
                "a queued message: by the Stop hook, with no keystroke",
                Some(Step::StopHook),
                Self::takes_from_the_queue,
            ),
            ("`ao send --wait` prints the answer", None, Self::answers),
            ("kill -9 of the agent: `exited` with one reap", None, Self::is_killed),
            ("`ao restore`: the same conversation goes on", Some(Step::Restore), Self::is_restored),
            ("the tree stays clean", None, Self::left_no_dirt),
            ("`ao kill` and `ao cleanup` leave nothing", None, Self::leaves_nothing),
        ];
        for (name, step, act) in rows {
            let began = Stopwatch::start();
            let seen = self.see(*step, *act);
            let seconds = began.elapsed().as_secs_f64();
            let agent = self.world.agent.name;
            tell(&format!("{agent}: {name}: {} ({seconds:.1} s)", seen.word()));
            self.rows.push((name, seen));
        }
    }

    fn see(&mut self, step: Option<Step>, act: Act) -> Seen {
        if let Some(why) = step.and_then(|step| self.world.agent.lack(step)) {
            // What begins the story is done all the same.
            if step != Some(Step::Working) || act(self).is_ok() {
                return Seen::Unable(why.to_owned());
            }
        }
        let outcome = act(self);
        if !self.id.is_empty() {
            let name = format!("{:02}", self.rows.len() + 1);
            let _ = self.world.leave_screen(&self.id, &self.log, &name);
            self.note_dirt();
        }
        match outcome {
            Ok(()) => Seen::Yes,
            Err(error) => Seen::No(format!("{error:#}").replace('\n', " ")),
        }
    }

    fn begins(&mut self) -> anyhow::Result<()> {
        self.world.player.hold();
        self.spawn()?;
        let begun = self.request(0, says::START);
        let working = self.reaches("working", None);
        self.world.player.release();
        begun?;
        working?;
        self.reaches("idle", None)
    }

    fn takes_a_long_message(&mut self) -> anyhow::Result<()> {
        self.ready()?;
        let message = long_message();
        let seen = self.world.player.requests().len();
        let since = self.send(&message)?;
        let request = self.request(seen, says::LONG)?;
        ensure!(whole(&request, &message), "{}", difference(&request, &message));
        self.known.push(says::LONG);
        self.is_answered(seen, says::LONG)?;
        self.reaches("idle", Some(since))
    }

    fn asks_for_permission(&mut self) -> anyhow::Result<()> {
        self.ready()?;
        let seen = self.world.player.requests().len();
        let since = self.send(&format!("Use your tool, please. {}", says::TOOL))?;
        self.reaches("needs_input", Some(since))?;
        let activity = self.record("/lifecycle/activity/state")?;
        ensure!(activity == "blocked", "the activity was {activity}");
        let before = self.world.player.requests().len();
        let output = self.world.ao(&["send", &self.id, INTRUDER])?;
        ensure!(exit_code(output.status) == 5, "a send was not held: {}", said(&output));
        let typed = self.world.player.requests().len() > before;
        ensure!(!typed, "the dialog was answered by a send");
        self.done(&["approve", &self.id])?;
        let after = self.world.player.wait_for(seen, self.patience, |it| {
            it.turn.as_ref().is_some_and(|turn| turn.tool_result.is_some())
        });
        let turn = after.and_then(|it| it.turn).context("no tool result was sent after approve")?;
        let result = turn.tool_result.unwrap_or_default();
        ensure!(result.contains(TOOL_SAYS), "the tool's result was {result:?}");
        ensure!(!result.contains(INTRUDER), "a held message reached the tool");
        self.reaches("idle", None)
    }

    fn meets_its_limit(&mut self) -> anyhow::Result<()> {
        self.ready()?;
        let since = self.send(&format!("Go on, please. {}", says::LIMIT))?;
        self.reaches("stuck", Some(since))?;
        let reason = self.record("/lifecycle/session/reason")?;
        ensure!(reason == "usage_limited", "the reason was {reason}");
        self.until = self.record("/lifecycle/session/until").ok();
        match self.world.agent.lack(Step::GivesUp) {
            Some(_) => self.done(&["interrupt", "--force", &self.id])?,
            None => self.screen_rests()?,
        }
        let seen = self.world.player.requests().len();
        let message = format!("The limit is over. {}", says::AFTER_LIMIT);
        let since = self.send_past_a_limit(&message)?;
        self.request(seen, says::AFTER_LIMIT)?;
        self.reaches("idle", Some(since))
    }

    fn knows_the_reset(&mut self) -> anyhow::Result<()> {
        let until = self.until.take().context("no time was recorded")?;
        let at: ao::model::time::Timestamp = until.parse()?;
        let off = at.as_millis() / 1000 - resets_at();
        ensure!(off.abs() <= 60, "the time was {until}, {off} s off");
        Ok(())
    }

    fn is_interrupted(&mut self) -> anyhow::Result<()> {
        self.ready()?;
        let seen = self.world.player.requests().len();
        self.send(&format!("Tell me everything. {}", says::ENDLESS))?;
        self.request(seen, says::ENDLESS)?;
        self.reaches("working", None)?;
        self.world.wait_for(self.patience, "the beginning of the answer", || {
            let screen = self.world.ao(&["output", &self.id])?.text();
            Ok(screen.contains("On and on.").then_some(()))
        })?;
        self.done(&["interrupt", &self.id])?;
        self.reaches("idle", None)?;
        let left = self.world.player.wait_for(seen, self.patience, |it| {
            it.ended == Some(Ended::Abandoned) && is_about(it, says::ENDLESS)
        });
        left.context("the agent still takes the endless answer")?;
        let seen = self.world.player.requests().len();
        let since = self.send(&format!("Calm again. {}", says::AFTER_INTERRUPT))?;
        self.request(seen, says::AFTER_INTERRUPT)?;
        self.reaches("idle", Some(since))
    }

    fn takes_from_the_queue(&mut self) -> anyhow::Result<()> {
        self.ready()?;
        self.world.player.hold();
        let seen = self.world.player.requests().len();
        let queued = self.make_busy_and_queue(seen);
        self.world.player.release();
        queued?;
        // Nobody runs `ao` here, so nobody can type.
        self.request(seen, says::QUEUED)?;
        self.reaches("idle", None)
    }

    fn make_busy_and_queue(&mut self, seen: usize) -> anyhow::Result<()> {
        self.send(&format!("Take your time. {}", says::BUSY))?;
        self.request(seen, says::BUSY)?;
        self.reaches("working", None)?;
        let answer =
            self.world.ao_json(&["send", &self.id, &format!("And then this. {}", says::QUEUED)])?;
        let delivery = answer["send"]["delivery"].as_str().unwrap_or_default().to_owned();
        ensure!(delivery == "queued", "a message to a busy agent was {delivery}");
        let early = self.world.player.requests().iter().any(|it| is_about(it, says::QUEUED));
        ensure!(!early, "the message did not wait for the end of the turn");
        Ok(())
    }

    fn answers(&mut self) -> anyhow::Result<()> {
        self.ready()?;
        let message = format!("What is the answer? {}", says::ANSWER);
        let patience = format!("{}s", self.patience.as_secs());
        let args = ["send", &self.id, &message, "--wait", "--timeout", &patience];
        let output = self.world.ao(&args)?;
        ensure!(output.success(), "{}", said(&output));
        self.known.push(says::ANSWER);
        ensure!(output.text().contains("5417"), "it printed {:?}", output.text());
        Ok(())
    }

    fn is_killed(&mut self) -> anyhow::Result<()> {
        self.ready()?;
        let directory = self.world.path("home/sessions").join(&self.id);
        let started = std::fs::read(directory.join("started.json"))?;
        let started: Value = serde_json::from_slice(&started)?;
        let pid = started["agent_pid"].as_i64().context("no agent_pid in started.json")?;
        let pid = Pid::from_raw(i32::try_from(pid)?).context("the pid is 0")?;
        kill_process(pid, Signal::KILL)?;
        self.world.wait_for(self.patience, "the launcher's word of the agent's end", || {
            Ok(directory.join("exit.json").exists().then_some(()))
        })?;
        self.done(&["reap"])?;
        let status = self.status()?;
        ensure!(status == "exited" || status == "killed", "after one reap it was {status}");
        Ok(())
    }

    fn is_restored(&mut self) -> anyhow::Result<()> {
        ensure!(!self.id.is_empty(), "there was no session");
        let status = self.status()?;
        ensure!(matches!(status.as_str(), "exited" | "killed"), "it was {status} before");
        let seen = self.world.player.requests().len();
        let restored = self.world.ao(&["restore", &self.id])?;
        ensure!(restored.success(), "{}", said(&restored));
        let message = format!("Do you remember? {}", says::RESTORED);
        self.settle().with_context(|| format!("after restore ({})", restored.stderr.trim()))?;
        let since = self.send(&message)?;
        let request = self.request(seen, says::RESTORED)?;
        let mut turns = vec![request.turn.unwrap_or_default()];
        if self.world.agent.lack(Step::Verbatim).is_some() {
            let since = self.world.player.requests().into_iter().skip(seen);
            turns.extend(since.filter_map(|it| it.turn));
        }
        for earlier in &self.known {
            let there =
                turns.iter().flat_map(|turn| &turn.texts).any(|text| text.contains(earlier));
            ensure!(there, "the request after restore does not have {earlier}");
        }
        self.reaches("idle", Some(since))
    }

    fn left_no_dirt(&mut self) -> anyhow::Result<()> {
        ensure!(!self.id.is_empty(), "there was no session");
        self.note_dirt();
        match &self.dirt {
            None => Ok(()),
            Some(dirt) => bail!("git status was {dirt}"),
        }
    }

    fn leaves_nothing(&mut self) -> anyhow::Result<()> {
        ensure!(!self.id.is_empty(), "there was no session");
        let launch = self.record("/handles/launch")?;
        let branch = self.record("/handles/workspace/branch")?;
        self.done(&["kill", &self.id])?;
        self.done(&["cleanup", &self.id])?;
        let app = self.world.repository();
        let trees = self.world.git(&app, &["worktree", "list"])?;
        ensure!(trees.lines().count() == 1, "worktrees: {trees}");
        let branches = self.world.git(&app, &["branch", "--list", &branch])?;
        ensure!(branches.is_empty(), "the branch is there: {branches}");
        ensure!(!self.workspace.exists(), "{} is there", self.workspace.display());
        let left = ao::adapter::process::marked(&launch.parse()?)?;
        ensure!(left.is_empty(), "processes are left: {left:?}");
        let socket = self.world.path("home/tmux.sock");
        let tmux = self.world.command("tmux").arg("-S").arg(socket);
        let panes = tmux.args(["list-panes", "-a", "-F", "#{session_name}"]).output()?.text();
        ensure!(!panes.contains(&self.id), "a pane is left: {panes}");
        let trusted = (self.world.agent.trusts)(&self.world.path("user"), &self.workspace);
        ensure!(!trusted, "the workspace is still trusted");
        Ok(())
    }
}

/// What the rows above are made of.
impl Story {
    /// Starts a session on the first prompt.
    fn spawn(&mut self) -> anyhow::Result<()> {
        let prompt = format!("Begin the story, please. {}", says::START);
        let agent = self.world.agent.name;
        let session = self.world.ao_json(&["spawn", "--agent", agent, &prompt])?["session"].take();
        self.id = session["id"].as_str().context("no id")?.to_owned();
        let path = session.pointer("/handles/workspace/path").and_then(Value::as_str);
        self.workspace = path.context("no workspace")?.into();
        self.known = vec![says::START];
        Ok(())
    }

    /// Brings the session to where it waits for an instruction, whatever the row before left: a
    /// turn is interrupted; what cannot be brought back is ended and begun afresh.
    fn ready(&mut self) -> anyhow::Result<()> {
        self.world.player.release();
        let status = if self.id.is_empty() { "none".to_owned() } else { self.status()? };
        let is_over = matches!(status.as_str(), "none" | "exited" | "killed" | "errored");
        if status == "idle" || (!is_over && self.reaches_within("idle", "5s").is_ok()) {
            return Ok(());
        }
        if !is_over {
            tell(&format!("{}: it was {status}; that is ended", self.world.agent.name));
            self.world.ao(&["deny", &self.id])?;
            self.world.ao(&["interrupt", &self.id])?;
            if self.reaches_within("idle", "15s").is_ok() {
                return Ok(());
            }
            self.world.ao(&["kill", &self.id])?;
            self.world.ao(&["cleanup", &self.id])?;
        }
        tell(&format!("{}: beginning afresh", self.world.agent.name));
        self.spawn()?;
        self.reaches("idle", None).with_context(|| format!("afresh, since it was {status}"))
    }

    /// Waits until a restored agent takes instructions. Those without a word at their start are
    /// asked when their prompt is drawn.
    fn settle(&mut self) -> anyhow::Result<()> {
        self.reaches_within("idle", "60s")
    }

    /// Waits until the screen rests: some agents open a dialog a moment after they met their limit,
    /// and nobody types into what has not been drawn.
    fn screen_rests(&self) -> anyhow::Result<()> {
        let mut last = String::new();
        self.world.wait_for(self.patience, "a screen that rests", || {
            let next = self.world.ao(&["output", &self.id])?.text();
            let rests = next == last;
            last = next;
            pause(Duration::from_secs(1));
            Ok(rests.then_some(()))
        })
    }

    /// Sends a message over a used up limit. Some agents open a dialog there, and some try again for
    /// ever; a person would first close the one and interrupt the other.
    fn send_past_a_limit(&self, message: &str) -> anyhow::Result<String> {
        let first = self.send(message);
        if first.is_ok() {
            return first;
        }
        let closed = self.world.ao(&["deny", &self.id])?.success()
            || self.world.ao(&["interrupt", &self.id])?.success();
        if closed { self.send(message) } else { first }
    }

    /// Sends a message, which has to be submitted, and returns the revision to wait from.
    fn send(&self, message: &str) -> anyhow::Result<String> {
        let output = self.world.ao_stdin(&["send", &self.id, "-", "--json"], message)?;
        ensure!(output.success(), "send: {}", said(&output));
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let delivery = &answer["send"]["delivery"];
        ensure!(delivery == "submitted", "the message was {delivery}");
        Ok(answer["send"]["since"].to_string())
    }

    /// Waits for a request after the first `seen` that says `text`.
    fn request(&self, seen: usize, text: &str) -> anyhow::Result<Recorded> {
        let found = self.world.player.wait_for(seen, self.patience, |it| is_about(it, text));
        found.with_context(|| format!("no request said {text}"))
    }

    /// Waits until the request that says `text` has its whole answer.
    fn is_answered(&self, seen: usize, text: &str) -> anyhow::Result<()> {
        let found = self.world.player.wait_for(seen, self.patience, |it| {
            is_about(it, text) && it.ended == Some(Ended::Complete)
        });
        found.map(drop).with_context(|| format!("the answer to {text} was not taken"))
    }

    fn reaches(&self, status: &str, since: Option<String>) -> anyhow::Result<()> {
        let patience = format!("{}s", self.patience.as_secs());
        let mut args = vec!["wait", &self.id, "--until", status, "--timeout", &patience];
        let tells = self.world.agent.lack(Step::TurnBegin).is_none();
        if let Some(since) = since.as_ref().filter(|_| tells) {
            args.extend(["--since", since]);
        }
        self.waited(status, &args)
    }

    fn reaches_within(&self, status: &str, time: &str) -> anyhow::Result<()> {
        self.waited(status, &["wait", &self.id, "--until", status, "--timeout", time])
    }

    fn waited(&self, status: &str, args: &[&str]) -> anyhow::Result<()> {
        let output = self.world.ao(args)?;
        ensure!(output.success(), "not {status} but {}: {}", self.status()?, said(&output));
        Ok(())
    }

    /// Runs `ao`, which has to succeed.
    fn done(&self, args: &[&str]) -> anyhow::Result<()> {
        let output = self.world.ao(args)?;
        ensure!(output.success(), "`ao {}`: {}", args.join(" "), said(&output));
        Ok(())
    }

    fn status(&self) -> anyhow::Result<String> {
        self.record("/status")
    }

    /// Returns a text of the session's record.
    fn record(&self, pointer: &str) -> anyhow::Result<String> {
        let session = self.world.session(&self.id)?;
        let text = session.pointer(pointer).and_then(Value::as_str);
        Ok(text.with_context(|| format!("no {pointer} in the record"))?.to_owned())
    }

    fn note_dirt(&mut self) {
        if self.dirt.is_some() || !self.workspace.exists() {
            return;
        }
        for place in [self.workspace.clone(), self.world.repository()] {
            let status = self.world.git(&place, &["status", "--porcelain"]);
            let status = status.unwrap_or_else(|error| error.to_string());
            if !status.is_empty() {
                self.dirt = Some(status.replace('\n', ", "));
            }
        }
    }
}

/// Returns whether a request is a turn of the agent in which `text` was said last.
fn is_about(request: &Recorded, text: &str) -> bool {
    let said = request.turn.as_ref().and_then(|turn| turn.said.last());
    let any = || request.turn.iter().flat_map(|turn| &turn.said).any(|it| it.contains(text));
    request.rule.is_some() && (said.is_some_and(|it| it.contains(text)) || any())
}

fn whole(request: &Recorded, message: &str) -> bool {
    request.turn.iter().flat_map(|turn| &turn.said).any(|text| text.contains(message))
}

/// Says how far what was sent agrees with what came.
fn difference(request: &Recorded, message: &str) -> String {
    let said = request.turn.iter().flat_map(|turn| &turn.said);
    let came = said.filter_map(|text| Some(&text[text.find(says::LONG)?..])).next();
    let came = came.unwrap_or_default();
    let agree = came.bytes().zip(message.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let start = (agree.saturating_sub(20)..=agree).find(|at| text.is_char_boundary(*at));
        text[start.unwrap_or(0)..].chars().take(60).collect::<String>()
    };
    format!(
        "of {} bytes {} came, the first {agree} the same; sent {:?}, came {:?}",
        message.len(),
        came.len(),
        around(message),
        around(came)
    )
}

/// Returns 8 KiB with everything in it that a terminal or a shell could spoil.
fn long_message() -> String {
    let mut text = format!("{}: read all of this.\n\n", says::LONG);
    let mut number = 0;
    while text.len() < 8192 {
        number += 1;
        text.push_str(&match number % 6 {
            0 => "\n".to_owned(),
            1 => format!("{number}. \"quoted\" 'twice' `ticked` $HOME $(false) \\ # ; & | !\n"),
            2 => format!("    {number} indented, with a dash - and a star *\n"),
            3 => format!("{number}: grüße, 你好, 🦀 and ‘curly’ quotes\n"),
            4 => format!("/{number} a slash first, and @{number} an at sign\n"),
            _ => format!("{number} {}\n", "word ".repeat(12).trim_end()),
        });
    }
    while text.len() > 8191 {
        text.pop();
    }
    text.truncate(text.trim_end().len());
    while text.len() < 8191 {
        text.push('x');
    }
    text + "."
}

fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_message_is_8_kib_of_many_lines() {
        let message = long_message();
        assert_eq!(message.len(), 8192);
        assert!(message.lines().count() > 100);
        assert!(message.starts_with(says::LONG) && message.ends_with('.'));
        assert_eq!(message.matches("STORY-").count(), 1);
    }

    #[test]
    fn no_word_of_the_story_is_part_of_another() {
        for agent in crate::agents::ALL {
            let rules = agent.script().rules;
            for rule in &rules {
                let fits = rules.iter().filter(|other| {
                    rule.said.contains(&other.said) && rule.after_tool == other.after_tool
                });
                assert_eq!(fits.count(), 1, "{} {}", agent.name, rule.said);
            }
        }
    }
}
