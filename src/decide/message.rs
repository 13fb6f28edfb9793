//! Composes what an agent or a person is told.
//!
//! A text says what failed and how to see it. Whatever strangers wrote is labelled as quoted,
//! fenced, stripped of control characters and capped; a template is filled in one pass, so that
//! a variable inside quoted text stays text.

use crate::decide::reaction::failing_checks;
use crate::model::facts::{CheckConclusion, Comment, ScmFact};
use crate::model::record::Record;
use crate::model::sanitize;

/// Room that fences, labels and our own sentences take beside one piece of quoted text.
const FRAME: usize = 400;

/// The least of a quoted text that is worth showing, in bytes.
const LEAST_QUOTE: usize = 200;

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
        (Form::Send | Form::Notify, Some(template)) => fill(template, subject),
        (Form::Send, None) => request(key, subject),
        (Form::Repeat, Some(_) | None) => reminder(key, subject),
        (Form::Notify, None) => notice(key, subject),
        (Form::Escalation, Some(_) | None) => escalation(key, subject),
    };
    cap(text, subject.max)
}

/// Returns what the agent is asked to do.
fn request(key: &str, subject: &Subject<'_>) -> String {
    let pr = subject.pr();
    match key {
        "ci-failed" => {
            let checks = subject.check_list();
            let log = subject.log(subject.max.saturating_sub(checks.len() + FRAME));
            let sha = subject.sha();
            join(&[
                &format!("Checks fail on {pr} at commit {sha}. Fix them, commit and push."),
                &checks,
                &log,
            ])
        }
        "changes-requested" => join(&[
            &format!("There are review comments on {pr}. Address each one, commit and push."),
            &subject.comment_list(),
        ]),
        "bugbot-comments" => join(&[
            &format!(
                "Programs left comments on {pr}. Fix what is right, answer what is wrong, then push."
            ),
            &subject.comment_list(),
        ]),
        "merge-conflicts" => format!(
            "{pr} conflicts with its base branch. Bring the branch up to date, resolve the \
             conflicts, run the tests and push."
        ),
        "agent-idle" => "You have been idle for a while and there is no pull request yet. Go on \
                         with your task; when it is finished, open a pull request or say what you \
                         need."
            .to_owned(),
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

/// Returns what a person is told.
fn notice(key: &str, subject: &Subject<'_>) -> String {
    let (id, pr) = (subject.name(), subject.pr());
    match key {
        "agent-needs-input" => format!("{id} needs input."),
        "agent-stuck" => match subject.record.lifecycle.session.until {
            Some(until) => format!("{id} is stuck: {} until {until}.", subject.reason()),
            None => format!("{id} is stuck: {}.", subject.reason()),
        },
        "resume-after-limit" => format!("{id} met its usage limit again after it was resumed."),
        "agent-exited" => format!("{id} exited: {}.", subject.reason()),
        "agent-errored" => format!("{id} failed: {}.", subject.reason()),
        "agent-done" => format!("{id} is done."),
        "agent-idle" => format!("{id} is idle and has no pull request."),
        "ci-failed" => join(&[
            &format!("{id}: checks fail on {pr} at commit {}.", subject.sha()),
            &subject.check_list(),
        ]),
        "changes-requested" => {
            join(&[&format!("{id}: people ask for changes on {pr}."), &subject.comment_list()])
        }
        "bugbot-comments" => {
            join(&[&format!("{id}: programs left comments on {pr}."), &subject.comment_list()])
        }
        "merge-conflicts" => format!("{id}: {pr} conflicts with its base branch."),
        "approved-and-green" => format!("{id}: {pr} is ready to be merged."),
        "pr-closed" => format!("{id}: {pr} was closed without being merged."),
        "all-complete" => format!("{id}: {pr} was merged."),
        _ => format!("{id}: {key}."),
    }
}

/// Returns what a person is told when the agent was asked often enough.
fn escalation(key: &str, subject: &Subject<'_>) -> String {
    let asked = subject.record.reactions.get(key).map_or(0, |tracker| tracker.attempts);
    join(&[
        &notice(key, subject),
        &format!("The agent was asked before (attempt {asked}) and it is not solved; please look."),
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

    fn reason(&self) -> String {
        self.record.lifecycle.session.reason.as_str().replace('_', " ")
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
    fn check_list(&self) -> String {
        let failing: Vec<_> = self
            .scm
            .iter()
            .flat_map(|fact| &fact.checks)
            .filter(|check| check.conclusion == CheckConclusion::Failure)
            .collect();
        let mut lines: Vec<String> = failing
            .iter()
            .take(MOST_ITEMS)
            .map(|check| match &check.url {
                Some(url) => format!("- {}: {}", short(&check.name), short(url)),
                None => format!("- {}", short(&check.name)),
            })
            .collect();
        if failing.len() > MOST_ITEMS {
            lines.push(format!("- and {} more", failing.len() - MOST_ITEMS));
        }
        lines.join("\n")
    }

    /// Returns the end of the failing log in a fence, empty where there is none.
    fn log(&self, room: usize) -> String {
        match self.scm.and_then(|fact| fact.ci_log_tail.as_deref()) {
            Some(log) if !log.trim().is_empty() => {
                quote("The end of the log", log, room.max(LEAST_QUOTE))
            }
            Some(_) | None => String::new(),
        }
    }

    /// Returns each unresolved comment with its place and author, as long as there is room.
    fn comment_list(&self) -> String {
        let comments = self.scm.iter().flat_map(|fact| &fact.comments);
        let comments: Vec<&Comment> = comments.filter(|comment| !comment.delivered).collect();
        let mut room = self.max.saturating_sub(FRAME);
        let mut parts = Vec::new();
        for (shown, comment) in comments.iter().enumerate() {
            let left = comments.len() - shown;
            if shown == MOST_ITEMS || room < LEAST_QUOTE + FRAME {
                parts.push(format!("And {left} more, to be read there."));
                break;
            }
            let part = quoted_comment(comment, (room / left).max(LEAST_QUOTE));
            room = room.saturating_sub(part.len() + 2);
            parts.push(part);
        }
        parts.join("\n\n")
    }

    /// Returns the value of a template's variable, `None` for an unknown one.
    fn variable(&self, name: &str) -> Option<String> {
        let pr = &self.record.lifecycle.pr;
        let line = |text: &Option<String>| text.as_deref().map(sanitize::line).unwrap_or_default();
        match name {
            "checks" => Some(self.checks().unwrap_or_default()),
            "sha" => Some(line(&pr.head_sha)),
            "url" => Some(line(&pr.url)),
            "number" => Some(pr.number.map(|number| number.to_string()).unwrap_or_default()),
            "log" => Some(self.log(self.max / 2)),
            "comments" => Some(self.comment_list()),
            "id" => Some(self.record.id.as_ref().map(ToString::to_string).unwrap_or_default()),
            "title" => Some(line(&self.record.title)),
            _ => None,
        }
    }
}

fn quoted_comment(comment: &Comment, room: usize) -> String {
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
    quote(&label, &comment.body, room)
}

/// Returns `body` in a fence, without empty lines at its end or after it.
pub(super) fn quote(label: &str, body: &str, room: usize) -> String {
    sanitize::quoted(label, body.trim_end(), room).trim_end().to_owned()
}

/// Returns `text` as one line of at most [`MAX_WORD`] bytes.
pub(super) fn short(text: &str) -> String {
    let line = sanitize::line(text);
    if line.len() <= MAX_WORD {
        return line;
    }
    let mut end = MAX_WORD - '…'.len_utf8();
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &line[..end])
}

/// Returns the parts that are not empty, an empty line between them.
pub(super) fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

/// Fills `{name}` in one pass; what is no known variable stays as it is written.
fn fill(template: &str, subject: &Subject<'_>) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, from_brace)) = rest.find('{').map(|at| rest.split_at(at)) {
        text.push_str(before);
        let found = from_brace
            .find('}')
            .and_then(|end| Some((subject.variable(&from_brace[1..end])?, end)));
        match found {
            Some((value, end)) => {
                text.push_str(&value);
                rest = &from_brace[end + 1..];
            }
            None => {
                text.push('{');
                rest = &from_brace[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

/// Returns `text` with its middle cut out where it has more than `max` bytes.
pub(super) fn cap(text: String, max: usize) -> String {
    const MARK: &str = "\n[… cut …]\n";
    if text.len() <= max {
        return text;
    }
    let half = max.saturating_sub(MARK.len()) / 2;
    let mut head = half;
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    let mut tail = text.len() - half;
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}{MARK}{}", &text[..head], &text[tail..])
}
