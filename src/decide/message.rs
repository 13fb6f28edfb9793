//! Composes what an agent or a person is told.
//!
//! A text says what failed and how to see it. Whatever strangers wrote is labelled as quoted,
//! fenced, stripped of control characters and capped; a template is filled in one pass, so that
//! a variable inside quoted text stays text.

use crate::decide::reaction::{self, Lane, failing_checks};
use crate::decide::text::Text;
use crate::model::facts::{Check, CheckConclusion, Comment, ScmFact};
use crate::model::record::Record;
use crate::model::sanitize;
use crate::model::status::Status;
use crate::model::template::{self, Part};

/// The longest list of checks or comments; the forge shows the rest.
const MOST_ITEMS: usize = 20;

/// The longest name or address from outside within a sentence of ours, in bytes.
const MAX_WORD: usize = 120;

/// Whom a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For the agent.
    Send,
    /// For the agent, which was told the same before: one short line.
    Repeat,
    /// For another session's agent.
    Relay,
    /// For a person.
    Notify,
    /// For a person, after the agent was asked often enough.
    Escalation,
}

/// What a text is about.
pub(super) struct Subject<'a> {
    pub(super) record: &'a Record,
    /// The look at the forge that caused it; a tick has none.
    pub(super) scm: Option<&'a ScmFact>,
    /// The most bytes a text may have.
    pub(super) max: usize,
}

/// Returns the text of the reaction `key`, from `template` where there is one.
pub(super) fn compose(
    key: &str,
    subject: &Subject<'_>,
    template: Option<&str>,
    form: Form,
) -> String {
    let text = match (form, template) {
        (Form::Send | Form::Relay | Form::Notify, Some(template)) => fill(template, key, subject),
        (Form::Send, None) => request(key, subject),
        (Form::Relay, None) => relay(key, subject),
        (Form::Repeat, Some(_) | None) => Text::plain(reminder(key, subject)),
        (Form::Notify, None) => notice(key, subject),
        (Form::Escalation, Some(_) | None) => escalation(key, subject),
    };
    text.render(subject.max)
}

/// Returns what the agent is asked to do.
fn request(key: &str, subject: &Subject<'_>) -> Text {
    let pr = subject.pr();
    let about =
        |sentence: String, details: Text| Text::paragraphs([Text::plain(sentence), details]);
    match key {
        "ci-failed" => {
            let sha = subject.sha();
            let what = format!("Checks fail on {pr} at commit {sha}. Fix them, commit and push.");
            about(what, Text::paragraphs([subject.check_list(), subject.log()]))
        }
        "changes-requested" => about(
            format!("There are review comments on {pr}. Address each one, commit and push."),
            subject.comment_list(),
        ),
        "bugbot-comments" => about(
            format!(
                "Programs left comments on {pr}. Fix what is right, answer what is wrong, then push."
            ),
            subject.comment_list(),
        ),
        "merge-conflicts" => Text::plain(format!(
            "{pr} conflicts with its base branch. Bring the branch up to date, resolve the \
             conflicts, run the tests and push."
        )),
        "agent-idle" => Text::plain(
            "You have been idle for a while and there is no pull request yet. Go on with your \
             task; when it is finished, open a pull request or say what you need.",
        ),
        _ => notice(key, subject),
    }
}

/// Returns one line for an agent that has the details already.
fn reminder(key: &str, subject: &Subject<'_>) -> String {
    let pr = subject.pr();
    match key {
        "ci-failed" => {
            let names = subject.checks().unwrap_or_else(|| "the same checks".to_owned());
            format!("Still failing on {pr} at commit {}: {names}.", subject.sha())
        }
        "changes-requested" | "bugbot-comments" => {
            format!("The same comments on {pr} are still unresolved.")
        }
        "merge-conflicts" => format!("{pr} still conflicts with its base branch."),
        _ => format!("Still the same: {key}."),
    }
}

/// Returns what the agent of another session is told of this one.
fn relay(key: &str, subject: &Subject<'_>) -> Text {
    let id = subject.record.id.as_ref().map_or("(unnamed)", |id| id.as_str());
    Text::paragraphs([
        Text::plain("ao: about a session that is not yours."),
        notice(key, subject),
        if key == "ci-failed" { subject.log() } else { Text::default() },
        Text::plain(format!(
            "To look: `ao output {id}`, `ao show {id}`. To instruct it: `ao send {id} TEXT`."
        )),
    ])
}

/// Returns what a person is told.
fn notice(key: &str, subject: &Subject<'_>) -> Text {
    let (id, pr) = (subject.name(), subject.pr());
    let sentence = match key {
        "agent-needs-input" => format!("{id} needs input."),
        "agent-stuck" => match subject.record.lifecycle.session.until {
            Some(until) => format!("{id} is stuck: {} until {until}.", subject.session_reason()),
            None => format!("{id} is stuck: {}.", subject.session_reason()),
        },
        "resume-after-limit" => format!("{id} met its usage limit again after it was resumed."),
        "agent-exited" => format!("{id} exited: {}.", subject.session_reason()),
        "agent-errored" => format!("{id} failed: {}.", subject.session_reason()),
        "agent-done" => format!("{id} is done."),
        "agent-idle" => format!("{id} is idle and has no pull request."),
        "ci-failed" => format!("{id}: checks fail on {pr} at commit {}.", subject.sha()),
        "changes-requested" => format!("{id}: people ask for changes on {pr}."),
        "bugbot-comments" => format!("{id}: programs left comments on {pr}."),
        "merge-conflicts" => format!("{id}: {pr} conflicts with its base branch."),
        "approved-and-green" => format!("{id}: {pr} is ready to be merged."),
        "pr-closed" => format!("{id}: {pr} was closed without being merged."),
        "all-complete" => format!("{id}: {pr} was merged."),
        _ => format!("{id}: {key}."),
    };
    let details = match key {
        "ci-failed" => subject.check_list(),
        "changes-requested" | "bugbot-comments" => subject.comment_list(),
        _ => Text::default(),
    };
    Text::paragraphs([Text::plain(sentence), details])
}

/// Returns what a person is told when the agent was asked often enough.
fn escalation(key: &str, subject: &Subject<'_>) -> Text {
    let asked = subject.attempts(key);
    Text::paragraphs([
        notice(key, subject),
        Text::plain(format!(
            "The agent was asked before (attempt {asked}) and it is not solved; please look."
        )),
    ])
}

impl Subject<'_> {
    /// Returns the session's name and title.
    fn name(&self) -> String {
        let id = self.record.id.as_ref().map_or("the session", |id| id.as_str());
        match &self.record.title {
            Some(title) => format!("{id} ({})", short(title)),
            None => id.to_owned(),
        }
    }

    fn session_reason(&self) -> String {
        self.record.lifecycle.session.reason.as_str().replace('_', " ")
    }

    fn attempts(&self, key: &str) -> u32 {
        self.record.reactions.get(key).map_or(0, |tracker| tracker.attempts)
    }

    /// Returns the pull request's number and address.
    fn pr(&self) -> String {
        let pr = &self.record.lifecycle.pr;
        let name = match pr.number {
            Some(number) => format!("pull request #{number}"),
            None => "the pull request".to_owned(),
        };
        match &pr.url {
            Some(url) => format!("{name} ({})", short(url)),
            None => name,
        }
    }

    /// Returns the commit, as short as people write it.
    fn sha(&self) -> String {
        match &self.record.lifecycle.pr.head_sha {
            Some(sha) => short(sha).chars().take(12).collect(),
            None => "(unknown)".to_owned(),
        }
    }

    /// Returns the failing checks' names, `None` where they are not known.
    fn checks(&self) -> Option<String> {
        let names: Vec<String> =
            failing_checks(self.scm?).into_iter().map(short).take(MOST_ITEMS).collect();
        if names.is_empty() { None } else { Some(names.join(", ")) }
    }

    /// Returns the failing checks with their addresses, one a line.
    fn check_list(&self) -> Text {
        let checks = self.scm.map_or(&[][..], |fact| &fact.checks);
        let failing: Vec<&Check> =
            checks.iter().filter(|check| check.conclusion == CheckConclusion::Failure).collect();
        let line = |check: &&Check| match &check.url {
            Some(url) => format!("- {}: {}", short(&check.name), short(url)),
            None => format!("- {}", short(&check.name)),
        };
        let mut lines: Vec<String> = failing.iter().take(MOST_ITEMS).map(line).collect();
        if failing.len() > MOST_ITEMS {
            lines.push(format!("- and {} more", failing.len() - MOST_ITEMS));
        }
        Text::quote("The failing checks", &lines.join("\n"))
    }

    /// Returns the end of the failing log, nothing where there is none.
    fn log(&self) -> Text {
        let log = self.scm.and_then(|fact| fact.ci_log_tail.as_deref());
        Text::quote("The end of the log", log.unwrap_or_default())
    }

    /// Returns each unresolved comment with its place and author, less those that reach the agent
    /// by another way.
    fn comment_list(&self) -> Text {
        let comments = self.scm.iter().flat_map(|fact| &fact.comments);
        let comments: Vec<&Comment> = comments.filter(|comment| !comment.delivered).collect();
        let shown = comments.iter().take(MOST_ITEMS).copied();
        let mut parts: Vec<Text> = shown.map(quoted_comment).collect();
        if comments.len() > MOST_ITEMS {
            let left = comments.len() - MOST_ITEMS;
            parts.push(Text::plain(format!("And {left} more, to be read there.")));
        }
        Text::paragraphs(parts)
    }

    /// Returns the value of a template's variable.
    fn variable(&self, name: &str, key: &str) -> Text {
        let pr = &self.record.lifecycle.pr;
        let workspace = self.record.handles.workspace.as_ref();
        let id = |text: Option<String>| text.unwrap_or_default();
        Text::plain(match name {
            "log" => return self.log(),
            "comments" => return self.comment_list(),
            "checks" => self.checks().unwrap_or_default(),
            "sha" => inline(pr.head_sha.as_deref()),
            "url" => inline(pr.url.as_deref()),
            "number" => id(pr.number.map(|number| number.to_string())),
            "id" => id(self.record.id.as_ref().map(ToString::to_string)),
            "project" => id(self.record.project.as_ref().map(ToString::to_string)),
            "title" => inline(self.record.title.as_deref()),
            "issue" => inline(self.record.issue.as_deref()),
            "status" => Status::of(&self.record.lifecycle).to_string(),
            "reason" => match reaction::lane_of(key) {
                Some(Lane::Pr) => pr.reason.as_str().replace('_', " "),
                Some(Lane::Session) | None => self.session_reason(),
            },
            "branch" => inline(workspace.and_then(|it| it.branch.as_ref()).map(|it| it.as_str())),
            "base" => inline(workspace.and_then(|it| it.base_ref.as_deref())),
            "workspace" => inline(workspace.and_then(|it| it.path.to_str())),
            "attempt" => self.attempts(key).to_string(),
            _ => String::new(),
        })
    }
}

fn quoted_comment(comment: &Comment) -> Text {
    let place = match (&comment.path, comment.line) {
        (Some(path), Some(line)) => format!(" on {}:{line}", short(path)),
        (Some(path), None) => format!(" on {}", short(path)),
        (None, Some(_) | None) => String::new(),
    };
    let author = short(&comment.author);
    let author = if author.is_empty() { "somebody".to_owned() } else { author };
    let url = comment.url.as_deref().map(short).unwrap_or_default();
    let space = if url.is_empty() { "" } else { " " };
    let label = format!("{author}{place}{space}{url}");
    // Who left no words is named all the same.
    let body = if comment.body.trim().is_empty() { "(no text)" } else { &comment.body };
    Text::quote(label, body)
}

/// Returns `text` as one line of at most [`MAX_WORD`] bytes, for a sentence.
pub(super) fn short(text: &str) -> String {
    sanitize::inline(text, MAX_WORD)
}

/// Returns what strangers may have written as one line that begins no fence.
fn inline(text: Option<&str>) -> String {
    text.map(|text| sanitize::inline(text, usize::MAX)).unwrap_or_default()
}

/// Fills the variables of `template` in one pass.
fn fill(template: &str, key: &str, subject: &Subject<'_>) -> Text {
    let mut text = Text::default();
    for part in template::parts(template) {
        text.push(match part {
            Part::Text(words) => Text::plain(words),
            Part::Variable(name) => subject.variable(name, key),
        });
    }
    text
}
