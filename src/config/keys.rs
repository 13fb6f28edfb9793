//! Every key of the configuration: its type, its default, its meaning, who may set it.
//!
//! The one definition that loading, refusing, `ao config set` and the reference are made from.

use toml::Value;

use crate::config::error::{ConfigError, Place};
use crate::model::id::ProjectId;
use crate::model::policy::PERMISSIONS;
use crate::model::template;
use crate::model::time::Window;

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// An absolute path.
    Path,
    /// Paths or patterns below the repository: relative, without `..`.
    RelativePaths,
    /// A list of agents' names.
    Agents,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A whole number within these bounds, both included.
    Number(i64, i64),
    /// `true` or `false`.
    Switch,
    /// `"90s"`, `"5m"`, `"1h 30m"`.
    Duration,
    /// One command as an argument vector.
    Command,
    /// Several commands, each an argument vector.
    Commands,
    /// Columns and rows.
    Size,
    /// A branch name with `{id}` in it.
    BranchTemplate,
    /// Any text, the empty one as well; never shown in messages.
    Secret,
    /// The name of a variable of the environment.
    Variable,
    /// A part of the day.
    Window,
    /// A text with variables.
    Template,
    /// Names of accounts at a forge.
    Accounts,
}

/// Whether a repository's own file may set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromRepository {
    /// It may.
    Allowed,
    /// It may, and it counts once the person has approved it.
    Approved,
    /// It may not.
    Refused,
}

/// One key; a segment `*` stands for a name of the user's.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The dotted path.
    pub path: &'static str,
    /// What its value must look like.
    pub kind: Kind,
    /// Its default as TOML, `None` where it has none.
    pub default: Option<&'static str>,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// Whether a repository may set it.
    pub from_repository: FromRepository,
}

/// The keys of reactions.
pub const REACTIONS: &[&str] = &[
    "agent-needs-input",
    "agent-stuck",
    "agent-exited",
    "agent-errored",
    "agent-done",
    "agent-idle",
    "ci-failed",
    "changes-requested",
    "bugbot-comments",
    "merge-conflicts",
    "approved-and-green",
    "pr-closed",
    "all-complete",
];
const NOTICES: &[&str] = &[
    "worker.done",
    "worker.needs_input",
    "worker.stuck",
    "worker.idle",
    "worker.errored",
    "worker.exited",
];
const ACTIONS: &[&str] = &["send", "notify", "run", "merge", "none"];
const PRIORITIES: &[&str] = &["urgent", "action", "warning", "info"];
const METHODS: &[&str] = &["merge", "squash", "rebase"];
const SCMS: &[&str] = &["auto", "local", "github", "command", "none"];
const TRACKERS: &[&str] = &["auto", "github", "command", "none"];
const RECIPIENTS: &[&str] = &["self", "parent", "orchestrator"];
const MANY: i64 = 1_000_000;

/// The table of the user's file that holds what differs in one project.
pub(super) const PROJECTS: &str = "projects";

/// What is one for the whole home: no project has its own.
pub const HOME_WIDE: &[&str] =
    &["max_sessions", "reap", "workspace.root", "trash.keep", "state.sync"];

const fn key(path: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Key {
    let default = if default.is_empty() { None } else { Some(default) };
    Key { path, kind, default, meaning, from_repository: FromRepository::Refused }
}

const fn repository(key: Key) -> Key {
    Key { from_repository: FromRepository::Allowed, ..key }
}

const fn approved(key: Key) -> Key {
    Key { from_repository: FromRepository::Approved, ..key }
}

/// All keys, in the order of the reference; those without a table first.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    repository(key("agent", Kind::Text, "", "The agent that `ao spawn` starts; else the only built-in one that is installed.")),
    repository(key("permission", Kind::Word(PERMISSIONS), "", "The agent's permission mode; else the agent's own default. A repository may not set `bypass`.")),
    key("model", Kind::Text, "", "The model that the agent is told to use; else the agent's own default."),
    repository(key("base", Kind::Text, "", "What branches start from; else the remote default branch.")),
    repository(key("branch", Kind::BranchTemplate, "\"ao/{id}\"", "The name of a session's branch; `{id}` is the session's id.")),
    repository(key("rules", Kind::Text, "", "Standing instructions that every agent gets in its system prompt.")),
    repository(key("rules_files", Kind::RelativePaths, "[]", "Files of the repository whose text every agent gets in its system prompt, after `rules`.")),
    key("max_sessions", Kind::Number(1, 10_000), "50", "How many sessions may live on this machine at once."),
    key("pane_size", Kind::Size, "[200, 50]", "Columns and rows of the terminal an agent runs in."),
    key("reap", Kind::Duration, "\"60s\"", "How often the timer that `ao timer install` sets up makes a pass."),
    key("recent_window", Kind::Duration, "\"1m\"", "A signal of an agent younger than this counts as recent."),
    key("activity_coalesce", Kind::Duration, "\"5s\"", "`active` signals closer together than this are one."),
    key("start_deadline", Kind::Duration, "\"2m\"", "An agent with hooks that has not been heard of this long never started."),
    key("screen_after", Kind::Duration, "\"30s\"", "The screen of an agent is read where its hooks were silent this long while it works."),
    key("pr_stalled_after", Kind::Duration, "", "An open pull request whose agent was silent this long is stuck; unset: never."),
    key("send_when", Kind::Word(&["turn_end", "now"]), "\"turn_end\"", "When a text may be given to a busy agent."),
    key("message_max", Kind::Number(256, MANY), "16384", "The longest message to an agent in bytes; longer ones are cut in their middle."),
    key("detecting.max_attempts", Kind::Number(1, MANY), "3", "Equal evidence this many times in a row ends the quarantine."),
    key("detecting.max_duration", Kind::Duration, "\"5m\"", "A quarantine this long ends whatever its evidence."),
    key("detecting.min_interval", Kind::Duration, "\"5s\"", "Equal evidence closer together than this counts once."),
    key("detecting.max_gap", Kind::Duration, "\"15m\"", "After a gap longer than this the reaper slept, and the quarantine starts anew."),
    key("reactions.*.action", Kind::Word(ACTIONS), "", "What the reaction does."),
    key("reactions.*.priority", Kind::Word(PRIORITIES), "", "How soon a person should know."),
    repository(key("reactions.*.retries", Kind::Number(0, MANY), "", "How many messages go to the agent before a person is asked.")),
    repository(key("reactions.*.escalate_after", Kind::Duration, "", "How long after the first message a person is asked.")),
    repository(key("reactions.*.after", Kind::Duration, "", "How long the state must hold before the first message.")),
    repository(key("reactions.*.message", Kind::Template, "", "The text instead of the built-in one.")),
    key("reactions.*.to", Kind::Word(RECIPIENTS), "", "Whose agent gets the text of `send`: the session's own, its parent's, the project's orchestrator's; where none lives, a person is told. Other than `self` means `send` where no action is set."),
    key("reactions.*.command", Kind::Command, "", "The argument vector of action `run`. It reads the reaction as JSON on standard input and has AO_SESSION, AO_PROJECT, AO_REACTION, AO_STATUS, AO_PR_NUMBER, AO_PR_URL, AO_PR_HEAD."),
    key("reactions.*.timeout", Kind::Duration, "", "How long that command may take; unset: 60s. A pass waits for it."),
    key("notices.on", Kind::Words(NOTICES), "[\"worker.done\", \"worker.needs_input\", \"worker.stuck\"]", "What an orchestrator session is told of the sessions it spawned."),
    repository(key("prompt.built_in", Kind::Switch, "true", "Whether agents are told how to work under ao, and the facts of their project, before your rules.")),
    key("resume.on_limit", Kind::Switch, "false", "Whether an agent is told to go on when its usage limit has ended."),
    key("resume.window", Kind::Window, "\"00:00-24:00\"", "The hours of the day, local time, in which it may be told so; \"22:00-07:00\" goes past midnight."),
    key("resume.max", Kind::Number(1, 1000), "3", "How often it is told so until a turn ends well; then a person is asked."),
    key("resume.text", Kind::Template, "\"Your usage limit is over. Go on with your task where you stopped.\"", "What it is told."),
    key("resume.retry_after", Kind::Duration, "\"1h\"", "How long after it was met a limit is taken to be over, where nobody said when it ends."),
    key("workspace.root", Kind::Path, "", "Where worktrees are made; else below ao's home."),
    repository(key("workspace.copy", Kind::RelativePaths, "[]", "Files to copy from the main worktree into each workspace, as patterns.")),
    repository(key("workspace.symlinks", Kind::RelativePaths, "[]", "Files to link from the main worktree into each workspace.")),
    approved(key("workspace.post_create", Kind::Commands, "[]", "Commands to run in each workspace once it is made; a repository's need `ao trust`.")),
    key("workspace.keep", Kind::RelativePaths, "[\".env*\"]", "Ignored files that keep a workspace from being removed; `.env*` always does."),
    approved(key("check.command", Kind::Command, "", "The command that decides whether a branch is good; a repository's needs `ao trust`.")),
    key("check.timeout", Kind::Duration, "\"30m\"", "How long the check command may take."),
    repository(key("review.agents", Kind::Agents, "[]", "The agents that may review, the first that is installed counts; empty: every agent that has a mode that only reads and asks nobody.")),
    key("review.auto", Kind::Switch, "false", "Whether each head of an open pull request whose checks pass is reviewed by itself."),
    repository(key("review.prompt", Kind::Text, "", "Standing instructions that every reviewer gets in its system prompt.")),
    key("review.timeout", Kind::Duration, "\"1h\"", "A review that has no verdict after this long has failed."),
    key("review.rest", Kind::Duration, "\"15m\"", "How long a reviewer that has nothing left to review waits for the next head before it is ended and cleaned up."),
    key("scm.kind", Kind::Word(SCMS), "\"auto\"", "Where pull requests live; `auto`: at GitHub where the remote `origin` is there, else in the repository itself."),
    key("scm.command", Kind::Command, "", "The program that answers for kind `command`, as docs/scm.md describes."),
    key("scm.timeout", Kind::Duration, "\"10s\"", "How long one request to a forge, or one answer of that program, may take."),
    key("scm.refetch", Kind::Duration, "\"5m\"", "How long what was fetched of a pull request may stand while a forge says that nothing changed."),
    key("scm.authors", Kind::Accounts, "[]", "Accounts that open pull requests for sessions, besides the one of the token."),
    repository(key("merge.method", Kind::Word(METHODS), "\"merge\"", "How `ao merge`, and the reaction of that name, bring a branch into its base.")),
    key("tracker.kind", Kind::Word(TRACKERS), "\"auto\"", "Where issues live; `auto`: at GitHub where the remote `origin` is there, else nowhere."),
    key("tracker.command", Kind::Command, "", "The program that answers for the tracker, for kind `command`: JSON in, JSON out."),
    key("tracker.timeout", Kind::Duration, "\"10s\"", "How long that program may take for one question."),
    key("tracker.closing_comment", Kind::Switch, "false", "Whether an issue gets one comment when the pull request of its session is merged."),
    key("tracker.closing_text", Kind::Text, "\"Merged: {pr}.\"", "That comment; `{pr}` is the pull request's address or number, `{id}` the session, `{issue}` the issue."),
    // Each session costs the person money: who may write to a repository must not be the one who
    // decides that its issues are worked on.
    key("intake.label", Kind::Text, "", "Open issues with this label get a session each, by `ao reap`; unset: none do."),
    key("intake.assignee", Kind::Text, "", "Only issues assigned to this account; `none`: to nobody, `*`: to anybody."),
    key("intake.agent", Kind::Text, "", "The agent that issues are given to; else `agent`."),
    key("intake.max_live", Kind::Number(1, 10_000), "2", "How many sessions of one project's intake may live at once."),
    key("intake.interval", Kind::Duration, "\"1m\"", "How long a pass waits before it asks the same tracker again."),
    key("trash.keep", Kind::Duration, "\"1d\"", "How long a removed workspace can be brought back."),
    key("pool.size", Kind::Number(0, 1000), "0", "How many clean workspaces of a project `ao cleanup` keeps for the next spawns instead of removing them; one that is kept cannot be brought back with its ignored files."),
    key("pool.keep_ignored", Kind::Switch, "false", "Whether ignored files (what was built, say) stay in such a workspace for the next session."),
    key("cleanup.auto", Kind::Switch, "false", "Whether the reaper cleans up ended sessions by itself."),
    key("cleanup.after", Kind::Duration, "\"1d\"", "How long a session must have been ended before the reaper cleans it up."),
    key("state.sync", Kind::Word(&["on", "off"]), "\"on\"", "Whether every transition is synced to the disk before it counts."),
    key("notifiers.*.kind", Kind::Word(&["command", "file", "desktop", "webhook", "slack"]), "", "How this notifier tells a person."),
    key("notifiers.*.command", Kind::Command, "", "The program that reads a notification as JSON on standard input, for kind `command`."),
    key("notifiers.*.path", Kind::Path, "", "The file that gets one JSON line each, for kind `file`."),
    key("notifiers.*.url", Kind::Secret, "", "The address, for kinds `webhook` and `slack`: https, or http on this machine itself. Never shown."),
    key("notifiers.*.url_env", Kind::Variable, "", "The variable that holds the address, instead of `url`. A timer has fewer variables than a shell."),
    key("notifiers.*.url_command", Kind::Command, "", "The program that prints the address, instead of `url`."),
    key("notifiers.*.secret", Kind::Secret, "", "The key that signs what a `webhook` gets. Never shown."),
    key("notifiers.*.secret_env", Kind::Variable, "", "The variable that holds the key, instead of `secret`."),
    key("notifiers.*.secret_command", Kind::Command, "", "The program that prints the key, instead of `secret`."),
    key("notifiers.*.timeout", Kind::Duration, "", "How long this notifier may take, at most 5m; unset: 10s."),
    key("notifiers.*.priorities", Kind::Words(PRIORITIES), "", "What is sent to this notifier; unset: everything."),
    key("env.*", Kind::Secret, "", "A variable of every agent's environment."),
];

/// Returns the key that `path` names.
pub fn find(path: &[String]) -> Option<&'static Key> {
    let (path, of_project) = within(path);
    KEYS.iter().filter(|key| !of_project || may_differ(key)).find(|key| {
        let mut segments = key.path.split('.');
        path.iter().all(|part| segments.next().is_some_and(|segment| fits(key, segment, part)))
            && segments.next().is_none()
    })
}

/// Returns what may stand directly below `path`, empty where nothing may.
pub fn below(path: &[String]) -> Vec<&'static str> {
    if path == [PROJECTS] {
        return vec!["<project>"];
    }
    let is_top = path.is_empty();
    let (path, of_project) = within(path);
    let mut names = Vec::new();
    for key in KEYS.iter().filter(|key| !of_project || may_differ(key)) {
        let segments: Vec<_> = key.path.split('.').collect();
        let within = segments.len() > path.len()
            && path.iter().zip(&segments).all(|(part, segment)| fits(key, segment, part));
        if !within {
            continue;
        }
        let next = segments[path.len()];
        if next == "*" && path == ["reactions"] {
            return REACTIONS.to_vec();
        }
        if !names.contains(&next) {
            names.push(next);
        }
    }
    if is_top {
        names.push(PROJECTS);
    }
    names
}

/// Returns the key as it is shown; a repository's file must not move the cursor.
pub(super) fn dotted(path: &[String]) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    path.join(".").chars().map(shown).collect()
}

/// Returns what is wrong with `path`, which names neither a key nor a table, and was written at
/// `place`: told of is its first word that nothing is called, and what may stand there.
pub(super) fn unknown(place: Place, path: &[String]) -> ConfigError {
    let key = dotted(path);
    let (own, of_project) = within(path);
    if of_project && HOME_WIDE.contains(&own.join(".").as_str()) {
        let why = "is one for the whole home: no project has its own".to_owned();
        return ConfigError::Inconsistent { place, key, why };
    }
    let known = (0..path.len()).rev().find(|end| !below(&path[..*end]).is_empty()).unwrap_or(0);
    let (parent, key) = (&path[..known], dotted(&path[..path.len().min(known + 1)]));
    let allowed = match parent {
        [table] if table == "env" => vec!["[A-Za-z_][A-Za-z0-9_]*"],
        [table] if table == "notifiers" => vec!["[A-Za-z0-9_-]{1,48}"],
        [table] if table == PROJECTS => vec!["[a-z0-9][a-z0-9-]{0,47}"],
        parent => below(parent),
    };
    ConfigError::UnknownKey { place, key, allowed }
}

/// Returns what `path` names within a project's own table, and whether it is in one.
fn within(path: &[String]) -> (&[String], bool) {
    match path {
        [table, project, rest @ ..]
            if table == PROJECTS && project.parse::<ProjectId>().is_ok() =>
        {
            (rest, true)
        }
        _ => (path, false),
    }
}

fn may_differ(key: &Key) -> bool {
    !HOME_WIDE.contains(&key.path)
}

fn fits(key: &Key, segment: &str, part: &str) -> bool {
    match segment {
        "*" if key.path.starts_with("reactions.") => REACTIONS.contains(&part),
        "*" if key.path.starts_with("env.") => is_variable_name(part),
        "*" => is_notifier_name(part),
        segment => segment == part,
    }
}

/// Returns whether `name` is `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Notifier names are shown in messages and used as keys of the outbox.
fn is_notifier_name(name: &str) -> bool {
    (1..=48).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

impl Kind {
    /// Returns what a value of this kind must be, to follow "must be".
    pub fn allowed(self) -> String {
        let quoted = |words: &[&str]| {
            words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Text => "a text that is not empty".to_owned(),
            Self::Secret => "a text".to_owned(),
            Self::Variable => "the name of a variable such as \"AO_HOOK\"".to_owned(),
            Self::Window => "a part of the day such as \"22:00-07:00\"".to_owned(),
            Self::Template => {
                let names: Vec<String> =
                    template::VARIABLES.iter().map(|(name, _)| format!("{{{name}}}")).collect();
                format!(
                    "a text that is not empty; its variables are {}, and `{{{{` is a brace",
                    names.join(" ")
                )
            }
            Self::Path => "an absolute path".to_owned(),
            Self::RelativePaths => "a list of relative paths without `..`".to_owned(),
            Self::Agents => "a list of agents' names".to_owned(),
            Self::Word(words) => format!("one of {}", quoted(words)),
            Self::Words(words) => format!("a list of {}", quoted(words)),
            Self::Number(low, high) => format!("a whole number from {low} to {high}"),
            Self::Switch => "true or false".to_owned(),
            Self::Duration => "a duration such as \"90s\" or \"5m\"".to_owned(),
            Self::Command => {
                "a command as a list of arguments such as [\"make\", \"test\"]".to_owned()
            }
            Self::Commands => {
                "a list of commands, each a list of arguments such as [[\"npm\", \"ci\"]]"
                    .to_owned()
            }
            Self::Size => "columns and rows such as [200, 50], 10 to 1000 each".to_owned(),
            Self::BranchTemplate => "a branch name with {id} in it".to_owned(),
            Self::Accounts => "a list of account names".to_owned(),
        }
    }

    /// Returns whether `value` is of this kind.
    pub fn accepts(self, value: &Value) -> bool {
        let text = value.as_str().filter(|text| !text.contains('\0'));
        match self {
            Self::Secret => text.is_some(),
            Self::Variable => text.is_some_and(is_variable_name),
            Self::Window => text.is_some_and(|text| text.parse::<Window>().is_ok()),
            Self::Text => text.is_some_and(|text| !text.trim().is_empty()),
            Self::Template => {
                text.is_some_and(|text| !text.trim().is_empty() && template::is_valid(text))
            }
            Self::Path => text.is_some_and(|text| text.starts_with('/')),
            Self::RelativePaths => is_list(value, |item| item.as_str().is_some_and(is_relative)),
            Self::Agents => is_list(value, |item| item.as_str().is_some_and(is_agent_name)),
            Self::Word(words) => text.is_some_and(|text| words.contains(&text)),
            Self::Words(words) => {
                is_list(value, |item| item.as_str().is_some_and(|text| words.contains(&text)))
            }
            Self::Number(low, high) => {
                value.as_integer().is_some_and(|number| (low..=high).contains(&number))
            }
            Self::Switch => value.is_bool(),
            Self::Duration => text.is_some_and(|text| humantime::parse_duration(text).is_ok()),
            Self::Command => is_command(value),
            Self::Commands => is_list(value, is_command),
            Self::Size => {
                is_list(value, |item| item.as_integer().is_some_and(|n| (10..=1000).contains(&n)))
                    && value.as_array().is_some_and(|items| items.len() == 2)
            }
            Self::BranchTemplate => text.is_some_and(is_branch_template),
            Self::Accounts => is_list(value, |item| item.as_str().is_some_and(is_account)),
        }
    }
}

fn is_list(value: &Value, item: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(item))
}

fn is_command(value: &Value) -> bool {
    let argument = |item: &Value| item.as_str().is_some_and(|text| !text.contains('\0'));
    let program = |items: &Vec<Value>| {
        items.first().and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
    };
    is_list(value, argument) && value.as_array().is_some_and(program)
}

fn is_agent_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_relative(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('/')
        && !text.contains('\0')
        && text.split('/').all(|part| part != "..")
}

/// A program's account ends in `[bot]`.
fn is_account(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.[]".contains(c))
}

fn is_branch_template(text: &str) -> bool {
    text.contains("{id}")
        && text.replace("{id}", "web-1").parse::<crate::model::id::BranchName>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::NoticeKey;

    #[test]
    fn every_default_is_of_its_own_kind() {
        for key in KEYS {
            let Some(default) = key.default else { continue };
            let table: toml::Table = format!("x = {default}").parse().unwrap();
            assert!(key.kind.accepts(&table["x"]), "{}", key.path);
        }
    }

    #[test]
    fn every_notice_can_be_configured() {
        let words: Vec<&str> = NoticeKey::ALL.iter().map(|key| key.as_str()).collect();
        assert_eq!(words, NOTICES);
    }

    #[test]
    fn a_project_may_differ_in_what_is_its_own() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        for key in KEYS.iter().filter(|key| !key.path.contains('*')) {
            let found = find(&path(&format!("projects.web.{}", key.path)));
            let expected = (!HOME_WIDE.contains(&key.path)).then_some(key.path);
            assert_eq!(found.map(|key| key.path), expected, "{}", key.path);
        }
        for key in HOME_WIDE {
            assert!(find(&path(key)).is_some(), "{key}");
        }
        assert!(find(&path("projects.web.reactions.ci-failed.retries")).is_some());
        assert!(find(&path("projects.web.projects.web.agent")).is_none());
        assert!(find(&path("projects.WEB.agent")).is_none());
        assert!(!below(&path("projects.web")).contains(&"max_sessions"));
    }

    #[test]
    fn kinds_refuse_what_would_do_harm() {
        let accepts = |kind: Kind, text: &str| {
            kind.accepts(&format!("x = {text}").parse::<toml::Table>().unwrap()["x"])
        };
        for (kind, good, bad) in [
            (Kind::RelativePaths, "['.env', 'a/b*']", "['../x']"),
            (Kind::RelativePaths, "[]", "['/etc/passwd']"),
            (Kind::BranchTemplate, "'ao/{id}'", "'ao/x'"),
            (Kind::BranchTemplate, "'{id}'", "'-{id}'"),
            (Kind::Command, "['make', '']", "['']"),
            (Kind::Command, "['make']", "[]"),
            (Kind::Commands, "[]", "['make']"),
            (Kind::Number(1, 3), "3", "4"),
            (Kind::Number(1, 3), "1", "0"),
            (Kind::Size, "[80, 24]", "[80]"),
            (Kind::Duration, "'1h 30m'", "'5'"),
            (Kind::Path, "'/a'", "'~/a'"),
            (Kind::Text, "'x'", "' '"),
            (Kind::Secret, "''", "1"),
            (Kind::Variable, "'AO_HOOK'", "'$AO_HOOK'"),
            (Kind::Window, "'22:00-07:00'", "'22-7'"),
            (Kind::Template, "'{id}: {{x}}'", "'{ids}'"),
            (Kind::Template, "'x'", "' '"),
            (Kind::Accounts, "['me', 'ci[bot]']", "['a b']"),
        ] {
            assert!(accepts(kind, good), "{kind:?} {good}");
            assert!(!accepts(kind, bad), "{kind:?} {bad}");
        }
    }
}
