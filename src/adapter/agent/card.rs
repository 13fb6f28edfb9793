//! What a card says: its sections, and why one is refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adapter::agent::pattern::Pattern;
use crate::adapter::fs::FsError;
use crate::model::lifecycle::{ActivityState, word_enum};
use crate::model::record::{Mode, Signals};

word_enum! {
    /// How the prompt reaches the agent.
    Delivery {
        Argument = "argument",
        Stdin = "stdin",
        /// Pasted into the terminal once the agent is ready.
        Paste = "paste",
        /// Written to a file of mode 0600 that the agent runs or reads.
        ScriptFile = "script_file",
    }
}

word_enum! {
    /// How the system prompt reaches the agent.
    SystemDelivery {
        /// As text in `system_args`.
        Flag = "flag",
        /// As a file named in `system_args`.
        File = "file",
        /// Before the prompt.
        Prepend = "prepend",
        /// Not at all: the agent has no use for one.
        None = "none",
    }
}

word_enum! {
    /// How hooks are installed.
    HookKind {
        None = "none",
        /// The agent calls `ao hook` by itself.
        BuiltIn = "built_in",
        /// Arguments, environment or files of ao's own: nothing is written into the workspace.
        Launch = "launch",
        /// Files in the workspace, merged with what is there and hidden from git.
        Files = "files",
    }
}

word_enum! {
    /// What a hook file is.
    FileForm {
        /// A JSON document that ao's entries are merged into.
        Json = "json",
        /// A text of ao's own, with [`SENTINEL`] in it.
        Text = "text",
    }
}

/// What a text file of ao's says of itself; one without it is somebody else's and stays.
pub const SENTINEL: &str = "Written by ao";

/// What an agent is and how it is driven.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Name and command lines.
    pub agent: AgentSection,
    /// How prompts are given.
    #[serde(default)]
    pub prompt: PromptSection,
    /// Arguments for each permission mode; a mode without an entry is not supported.
    #[serde(default)]
    pub permissions: BTreeMap<String, Vec<String>>,
    /// How it reviews; absent: it has no mode that only reads and asks nobody.
    #[serde(default)]
    pub review: Option<ReviewSection>,
    /// How a model is chosen.
    #[serde(default)]
    pub model: ModelSection,
    /// How it tells of itself.
    #[serde(default)]
    pub hooks: HookSection,
    /// What its screen looks like.
    #[serde(default)]
    pub terminal: TerminalSection,
    /// First-run dialogs that are answered ahead, for ao's own worktrees only.
    #[serde(default)]
    pub trust: Vec<TrustEntry>,
    /// Where the agent keeps its conversations.
    #[serde(default)]
    pub conversation: ConversationSection,
    /// What can be asked before it is started.
    #[serde(default)]
    pub preflight: PreflightSection,
    /// What a person would press, as tmux key names.
    #[serde(default)]
    pub keys: KeySection,
}

/// Name and command lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSection {
    /// Its name on the command line, the same as the file's.
    pub name: String,
    /// The program, looked up in PATH; `{ao}` is ao itself.
    pub binary: String,
    /// One line for listings.
    #[serde(default)]
    pub description: String,
    /// The mode it is started in unless told otherwise.
    pub mode: Mode,
    /// Not listed unless this variable is set.
    #[serde(default)]
    pub hidden_unless: Option<String>,
    /// Argument vector for mode `interactive`, a template; absent: not supported.
    #[serde(default)]
    pub interactive: Option<Vec<String>>,
    /// Argument vector for mode `one_shot`, a template; absent: not supported.
    #[serde(default)]
    pub one_shot: Option<Vec<String>>,
    /// Argument vector that continues a conversation; absent: it starts afresh.
    #[serde(default)]
    pub resume: Option<Vec<String>>,
    /// Variables set for the agent beside what the configuration sets, as templates.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// How prompts are given.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptSection {
    /// How the prompt reaches the agent.
    pub delivery: Delivery,
    /// The same for mode `one_shot`, where it differs.
    pub one_shot_delivery: Option<Delivery>,
    /// What `{prompt_args}` stands for where there is a prompt.
    pub args: Vec<String>,
    /// What the screen shows once a prompt can be pasted.
    pub ready: Option<Pattern>,
    /// How the system prompt reaches the agent.
    pub system: SystemDelivery,
    /// What `{system_args}` stands for where there is a system prompt.
    pub system_args: Vec<String>,
}

impl Default for PromptSection {
    fn default() -> Self {
        Self {
            delivery: Delivery::Argument,
            one_shot_delivery: None,
            args: vec!["{prompt}".to_owned()],
            ready: None,
            system: SystemDelivery::None,
            system_args: Vec::new(),
        }
    }
}

/// How the agent is started to review: it changes nothing and asks nobody.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReviewSection {
    /// What `{permission_args}` stands for instead of a permission mode's.
    pub args: Vec<String>,
    /// Variables set instead of those of the same name in `[agent.environment]`, as templates.
    pub environment: BTreeMap<String, String>,
}

/// How a model is chosen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// What `{model_args}` stands for; empty: the agent takes no model.
    pub args: Vec<String>,
}

/// How the agent tells of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookSection {
    /// How hooks are installed.
    pub kind: HookKind,
    /// What `{hook_args}` stands for, in front of `event_args`.
    pub args: Vec<String>,
    /// Added to `{hook_args}` for each event that has a `native` name.
    pub event_args: Vec<String>,
    /// Files written before a launch.
    pub files: Vec<HookFile>,
    /// JSON pointers to the agent's own session id, the first that is there counts.
    pub agent_session: Vec<String>,
    /// A JSON pointer to the directory the agent works in; an id from elsewhere is not kept.
    pub cwd: Option<String>,
    /// What each event means, by its name in kebab case.
    pub events: BTreeMap<String, EventRule>,
}

impl Default for HookSection {
    fn default() -> Self {
        Self {
            kind: HookKind::None,
            args: Vec::new(),
            event_args: Vec::new(),
            files: Vec::new(),
            agent_session: Vec::new(),
            cwd: None,
            events: BTreeMap::new(),
        }
    }
}

/// A file that makes the agent call `ao hook`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookFile {
    /// Where, a template that begins with `{session_dir}/` or `{workspace}/`.
    pub path: String,
    /// What it is.
    pub form: FileForm,
    /// For JSON below the session's directory: a file of the machine's that it extends.
    #[serde(default)]
    pub base: Option<PathBuf>,
    /// For JSON: values that are set where there are none.
    #[serde(default)]
    pub content: toml::Table,
    /// For JSON: the pointer to the array that takes one `entry` for each event that has a
    /// `native` name, a template with `{native}` and `{event}`.
    #[serde(default)]
    pub at: Option<String>,
    /// For JSON: what is appended there; its texts are templates with `{command}` (a shell
    /// command), `{native}` and `{event}`.
    #[serde(default)]
    pub entry: toml::Table,
    /// For a text: it, `{ao}` standing for the program; it holds the words `Written by ao`.
    #[serde(default)]
    pub text: String,
    /// The directory that holds it is the agent's cache: made for it, it goes with it.
    #[serde(default)]
    pub cache: bool,
}

/// A value set in a file of the agent's, so that it does not ask whether the workspace is
/// trusted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustEntry {
    /// The file, as templates with `{env:NAME}`; the first whose variables are all set counts.
    pub paths: Vec<String>,
    /// The JSON pointer to the value, a template with `{workspace}`; `/-` at its end stands for
    /// an element of an array.
    pub at: String,
    /// The value, its texts templates with `{workspace}`.
    pub value: toml::Value,
    /// The file is made where there is none; else it is left alone.
    #[serde(default)]
    pub create: bool,
}

/// Where the agent keeps its conversations, to prove that one belongs to a workspace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConversationSection {
    /// Files, as templates with `{env:NAME}`, `{agent_session}` and `*` for one path component
    /// or a part of one; empty: a session id that a hook reported from the workspace is proof.
    pub files: Vec<String>,
    /// JSON pointers to the directory it was held in, in any of the file's lines or in the file
    /// as a whole; empty: the file's existence is proof.
    pub cwd: Vec<String>,
}

/// What one event of an agent means, and where its payload says whose it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Hearing {
    /// JSON pointers to the agent's own session id, the first that is there counts.
    #[serde(default)]
    pub agent_session: Vec<String>,
    /// A JSON pointer to the directory the agent works in.
    #[serde(default)]
    pub cwd: Option<String>,
    /// What it means.
    pub rule: EventRule,
}

/// What one event means.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventRule {
    /// The event's name in the agent's own files; absent: nothing is installed for it.
    pub native: Option<String>,
    /// The activity; absent: it says nothing of the activity.
    pub activity: Option<ActivityState>,
    /// The activity instead, where the launch's command line held the task: an agent that says
    /// that it is up is about to begin then.
    pub with_task: Option<ActivityState>,
    /// It is a turn boundary.
    pub boundary: bool,
    /// JSON pointers to the tool's use id, its name or what it is given, the first that is there
    /// counts.
    pub tool: Vec<String>,
    /// A JSON pointer to a text that `cases` looks up.
    pub field: Option<String>,
    /// Activities by that text, instead of `activity`; `none` says nothing.
    pub cases: BTreeMap<String, CaseActivity>,
    /// At the end of a turn: JSON pointers to what the agent said last, the first that is there
    /// counts.
    pub said: Vec<String>,
    /// It tells that the usage limit is reached, where these match.
    pub limit: Option<LimitRule>,
    /// At the end of a turn: what `ao hook` prints to give the agent its next instruction, a
    /// table whose texts are templates with `{message}`; absent: it takes none.
    pub answer: Option<toml::Table>,
}

/// How an event tells of a usage limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitRule {
    /// JSON pointers to texts; one of them must match `pattern`.
    pub fields: Vec<String>,
    /// What the text looks like; its group `reset`, if any, says when the limit ends.
    pub pattern: Pattern,
}

/// An activity, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum CaseActivity {
    /// This one.
    Is(ActivityState),
    /// It says nothing of the activity.
    Nothing(Nothing),
}

/// The word `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Nothing {
    /// It.
    #[serde(rename = "none")]
    None,
}

/// What the agent's screen looks like, as regular expressions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TerminalSection {
    /// It works.
    pub working: Vec<Pattern>,
    /// It has ended its turn and takes the next instruction.
    pub idle: Vec<Pattern>,
    /// It waits for a person's answer in words.
    pub waiting: Vec<Pattern>,
    /// A dialog is open: a keystroke could answer it.
    pub dialog: Vec<Pattern>,
    /// One of these is a menu that decides nothing: a text that is sent may close it.
    pub menu: Vec<Pattern>,
    /// Its usage limit is reached; the group `reset`, if any, says when that ends.
    pub limit: Vec<Pattern>,
    /// The composer, its group 1 what is typed in it; the last match on the screen counts, drawn
    /// without what is faint.
    pub composer: Option<Pattern>,
    /// What an empty composer may show.
    pub placeholder: Vec<Pattern>,
    /// What the composer shows instead of a long text that was pasted.
    pub pasted: Option<Pattern>,
    /// The composer takes commands, not text (vi's normal mode).
    pub normal_mode: Option<Pattern>,
}

/// What can be asked before a start.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreflightSection {
    /// Arguments that print the version; empty: none do.
    pub version: Vec<String>,
    /// The oldest version that works.
    pub minimum: Option<String>,
    /// Arguments that succeed only where somebody is logged in; empty: none do.
    pub auth: Vec<String>,
    /// What `auth` must print besides, where its exit code does not tell.
    pub auth_pattern: Option<Pattern>,
    /// Variables any of which is a login.
    pub auth_env: Vec<String>,
    /// Files any of which is a login, as templates with `{env:NAME}`.
    pub auth_files: Vec<String>,
}

/// What a person would press, as tmux key names.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeySection {
    /// To stop the turn.
    pub interrupt: Vec<String>,
    /// To say yes to a dialog; empty: not known.
    pub approve: Vec<String>,
    /// To say no to a dialog; empty: not known.
    pub deny: Vec<String>,
    /// To submit what is in the composer.
    pub submit: Vec<String>,
    /// To clear one line of what is in the composer; empty: not known.
    pub clear: Vec<String>,
    /// To leave the composer's normal mode; empty: not known.
    pub insert: Vec<String>,
    /// To close a menu that decides nothing; empty: not known.
    pub close: Vec<String>,
}

impl Default for KeySection {
    fn default() -> Self {
        let keys = |key: &str| vec![key.to_owned()];
        Self {
            interrupt: keys("Escape"),
            approve: Vec::new(),
            deny: Vec::new(),
            submit: keys("Enter"),
            clear: Vec::new(),
            insert: Vec::new(),
            close: Vec::new(),
        }
    }
}

impl Card {
    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.agent.name
    }

    /// Returns how the prompt is given in `mode`: one shot has nobody to paste.
    pub fn delivery(&self, mode: Mode) -> Delivery {
        match (mode, self.prompt.one_shot_delivery, self.prompt.delivery) {
            (Mode::OneShot, Some(delivery), _) => delivery,
            (Mode::OneShot, None, Delivery::Paste) => Delivery::Argument,
            (Mode::OneShot | Mode::Interactive, _, delivery) => delivery,
        }
    }

    /// Returns every pattern in it.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let terminal = &self.terminal;
        let lists = [
            &terminal.working,
            &terminal.idle,
            &terminal.waiting,
            &terminal.dialog,
            &terminal.limit,
            &terminal.placeholder,
        ];
        let single = [&terminal.composer, &terminal.pasted, &terminal.normal_mode];
        let limits = self.hooks.events.values().filter_map(|rule| rule.limit.as_ref());
        lists
            .into_iter()
            .flatten()
            .chain(single.into_iter().flatten())
            .chain(&self.prompt.ready)
            .chain(&self.preflight.auth_pattern)
            .chain(limits.map(|limit| &limit.pattern))
    }

    /// Returns whether ao chooses the id of each conversation, by `{new_session}`.
    pub fn chooses_session(&self) -> bool {
        let templates = [&self.agent.interactive, &self.agent.one_shot];
        templates.into_iter().flatten().flatten().any(|word| word.contains("{new_session}"))
    }

    /// Returns whether anything can be read from its screen.
    pub fn reads_screens(&self) -> bool {
        let terminal = &self.terminal;
        [&terminal.working, &terminal.idle, &terminal.waiting, &terminal.dialog, &terminal.limit]
            .iter()
            .any(|patterns| !patterns.is_empty())
    }

    /// Returns what `event` means, `None` where the card does not know it.
    pub fn hearing(&self, event: &str) -> Option<Hearing> {
        let HookSection { agent_session, cwd, events, .. } = &self.hooks;
        let rule = events.get(event)?.clone();
        Some(Hearing { agent_session: agent_session.clone(), cwd: cwd.clone(), rule })
    }

    /// Returns how the agent tells of itself, given whether its hooks can be installed.
    pub fn signals(&self, hooks: bool) -> Signals {
        let patterns = [&self.terminal.working, &self.terminal.idle, &self.terminal.waiting];
        if hooks && self.hooks.kind != HookKind::None {
            Signals::Hooks
        } else if patterns.iter().any(|list| !list.is_empty()) {
            Signals::Terminal
        } else {
            Signals::None
        }
    }
}

/// Why a card or a launch is refused.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// No card has this name.
    #[error("unknown agent `{name}`; known are {}", .known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A card that cannot be used.
    #[error("{}:{line}: {why}", .path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// The directory or a card could not be read.
    #[error(transparent)]
    File(#[from] FsError),
    /// The agent cannot do what is asked of it.
    #[error("agent `{agent}` has no {what}")]
    Unsupported {
        /// The agent.
        agent: String,
        /// "mode `one_shot`", "permission mode `auto`", …
        what: String,
    },
    /// The agent does nothing without a prompt.
    #[error("agent `{0}` needs a prompt in mode `one_shot`")]
    PromptNeeded(String),
    /// A NUL byte fits into no argument and no terminal.
    #[error("the {0} contains a NUL byte")]
    Nul(&'static str),
    /// It does not fit into one argument.
    #[error("the {what} has {length} bytes; at most {limit} fit")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}
