//! The agents that can be pointed at a local server, and what each needs for it.
//!
//! The files are those that a person has after the first start: a theme was chosen, a key was
//! entered. Whether a folder is trusted is not among them; that is `ao`'s affair.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::player::{Answer, Rule, Script};

/// The key that agents are given that need one.
const KEY: &str = "test-000";

/// What a tool call prints; the shell that runs it has to work for it.
pub(crate) const TOOL_SAYS: &str = "story-42";

/// One agent.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The name of its card.
    pub(crate) name: &'static str,
    /// The name it is known by.
    pub(crate) title: &'static str,
    /// Its program.
    pub(crate) binary: &'static str,
    /// Its folder in the cache.
    pub(crate) folder: &'static str,
    /// Where in that folder its program is.
    pub(crate) programs: &'static str,
    pub(crate) is_python: bool,
    /// The whole run fails with it.
    pub(crate) must_pass: bool,
    /// Variables that point it at the server.
    pub(crate) variables: fn(&str) -> Vec<(&'static str, String)>,
    /// Files below HOME, with their text.
    pub(crate) files: fn(&str) -> Vec<(&'static str, String)>,
    /// The call of its shell tool.
    pub(crate) tool: fn() -> Option<(&'static str, Value)>,
    /// It offers the model no tools at all.
    pub(crate) without_tools: bool,
    /// Whether something in HOME still says that a folder is trusted.
    pub(crate) trusts: fn(&Path, &Path) -> bool,
    /// Steps it has no means for, each with the reason.
    pub(crate) lacks: &'static [(Step, &'static str)],
}

/// What an agent may be unable to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Working,
    Dialog,
    Limit,
    LimitReset,
    /// To end a turn that met the limit.
    GivesUp,
    Restore,
    /// To go on with its earlier turns word by word.
    Verbatim,
    StopHook,
    /// To say that a turn begins; what came after a message cannot be told then.
    TurnBegin,
}

/// What the story says to an agent. The player answers by these words.
pub(crate) mod says {
    pub(crate) const START: &str = "STORY-START";
    pub(crate) const LONG: &str = "STORY-LONG";
    pub(crate) const TOOL: &str = "STORY-TOOL";
    pub(crate) const LIMIT: &str = "STORY-USAGE";
    pub(crate) const AFTER_LIMIT: &str = "STORY-RENEWED";
    pub(crate) const ENDLESS: &str = "STORY-ENDLESS";
    pub(crate) const AFTER_INTERRUPT: &str = "STORY-CALM";
    pub(crate) const BUSY: &str = "STORY-BUSY";
    pub(crate) const QUEUED: &str = "STORY-QUEUED";
    pub(crate) const ANSWER: &str = "STORY-ANSWER";
    pub(crate) const RESTORED: &str = "STORY-RESTORED";
}

impl Agent {
    /// Returns why it cannot do a step, where it cannot.
    pub(crate) fn lack(&self, step: Step) -> Option<&'static str> {
        self.lacks.iter().find(|(lacked, _)| *lacked == step).map(|(_, why)| *why)
    }

    /// Returns what the player says in its story.
    pub(crate) fn script(&self) -> Script {
        let text = |text: &str| Answer::Text { text: text.to_owned() };
        let held = |text: &str| Answer::Held { text: text.to_owned() };
        let rule = |said: &str, answer| Rule {
            said: said.to_owned(),
            after_tool: false,
            times: None,
            answer,
        };
        let told_reset = self.lack(Step::LimitReset).is_none().then(resets_at);
        let mut rules = vec![
            rule(says::START, held("The story begins. I am ready for more.")),
            rule(says::LONG, text("I have read all of it.")),
            rule(says::LIMIT, Answer::Limit { resets_at: told_reset }),
            rule(says::AFTER_LIMIT, text("The limit is behind us.")),
            rule(says::ENDLESS, Answer::Endless { text: "On and on. ".to_owned() }),
            rule(says::AFTER_INTERRUPT, text("All is calm.")),
            rule(says::BUSY, held("I was busy for a while.")),
            rule(says::QUEUED, text("The message from the queue is here.")),
            rule(says::ANSWER, text("The answer is 5417.")),
            rule(says::RESTORED, text("I remember everything.")),
        ];
        if let Some((name, input)) = (self.tool)() {
            rules.push(rule(says::TOOL, Answer::Tool { name: name.to_owned(), input }));
            let after = rule(says::TOOL, text("The tool has done its work."));
            rules.push(Rule { after_tool: true, ..after });
        }
        Script { rules, without_tools: self.without_tools }
    }
}

/// Returns when the usage limit ends, in seconds since 1970: at a full hour, since agents show no
/// more, and far enough away that none waits for it.
pub(crate) fn resets_at() -> i64 {
    let now = ao::adapter::clock::now().as_millis() / 1000;
    (now / 3600 + 3) * 3600
}

/// A shell command that prints [`TOOL_SAYS`] and is none that agents run unasked.
fn command() -> String {
    "python3 -c 'print(\"story-\" + str(6 * 7))'".to_owned()
}

/// Returns whether a value in a JSON file of HOME is true.
fn is_true(home: &Path, file: &str, keys: &[&str]) -> bool {
    let text = fs::read(home.join(file)).unwrap_or_default();
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    keys.iter().try_fold(&value, |value, key| value.get(key)) == Some(&Value::Bool(true))
}

/// Returns whether a file of HOME names the workspace.
fn mentions(home: &Path, file: &str, workspace: &Path) -> bool {
    fs::read_to_string(home.join(file)).is_ok_and(|it| it.contains(&text(workspace)))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn owned(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Every agent, in the order of the table.
pub(crate) const ALL: &[Agent] = &[
    Agent {
        name: "claude-code",
        title: "Claude Code",
        binary: "claude",
        folder: "claude-code",
        programs: "node_modules/.bin",
        is_python: false,
        must_pass: true,
        variables: |url| {
            owned(&[
                ("ANTHROPIC_BASE_URL", url),
                ("DISABLE_TELEMETRY", "1"),
                ("DISABLE_ERROR_REPORTING", "1"),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
                ("DISABLE_AUTOUPDATER", "1"),
            ])
        },
        files: |_| {
            let answers = json!({"hasCompletedOnboarding": true, "theme": "dark"});
            // Limits that end at a time are those of a plan, not those of a key.
            let login = json!({"claudeAiOauth": {
                "accessToken": "sk-ant-oat01-test",
                "refreshToken": "test",
                "expiresAt": 4_102_444_800_000_i64,
                "scopes": ["user:inference", "user:profile"],
                "subscriptionType": "max",
                "rateLimitTier": "default_claude_max_5x",
            }});
            vec![
                (".claude.json", answers.to_string()),
                (".claude/.credentials.json", login.to_string()),
            ]
        },
        tool: || Some(("Bash", json!({"command": command(), "description": "Say something"}))),
        without_tools: false,
        trusts: |home, workspace| {
            is_true(home, ".claude.json", &["projects", &text(workspace), "hasTrustDialogAccepted"])
        },
        lacks: &[],
    },
    Agent {
        name: "codex",
        title: "Codex",
        binary: "codex",
        folder: "codex",
        programs: "node_modules/.bin",
        is_python: false,
        must_pass: true,
        variables: |_| owned(&[("STORY_KEY", KEY)]),
        files: |url| {
            let config = format!(
                "model = \"gpt-5.2-codex\"\nmodel_provider = \"player\"\n\n\
                 [model_providers.player]\nname = \"player\"\nbase_url = \"{url}/v1\"\n\
                 wire_api = \"responses\"\nenv_key = \"STORY_KEY\"\n\n\
                 [tui]\nscreen_reader_detection_done = true\n"
            );
            vec![(".codex/config.toml", config)]
        },
        tool: || {
            Some((
                "exec_command",
                json!({
                    "cmd": command(),
                    "sandbox_permissions": "require_escalated",
                    "justification": "the story wants it",
                }),
            ))
        },
        without_tools: false,
        trusts: |home, workspace| mentions(home, ".codex/config.toml", workspace),
        lacks: &[],
    },
    Agent {
        name: "gemini",
        title: "Gemini CLI",
        binary: "gemini",
        folder: "gemini-cli",
        programs: "node_modules/.bin",
        is_python: false,
        must_pass: false,
        variables: |url| owned(&[("GEMINI_API_KEY", KEY), ("GOOGLE_GEMINI_BASE_URL", url)]),
        files: |_| {
            let settings = json!({
                "security": {"auth": {"selectedType": "gemini-api-key"}},
                "general": {"disableAutoUpdate": true},
                "privacy": {"usageStatisticsEnabled": false},
            });
            vec![(".gemini/settings.json", settings.to_string())]
        },
        tool: || {
            Some(("run_shell_command", json!({"command": command(), "description": "Say it"})))
        },
        without_tools: false,
        trusts: |home, workspace| mentions(home, ".gemini/trustedFolders.json", workspace),
        lacks: &[],
    },
    Agent {
        name: "qwen",
        title: "Qwen Code",
        binary: "qwen",
        folder: "qwen-code",
        programs: "node_modules/.bin",
        is_python: false,
        must_pass: false,
        variables: |url| {
            let base = format!("{url}/v1");
            let mut all = owned(&[("OPENAI_API_KEY", KEY), ("OPENAI_MODEL", "player")]);
            all.push(("OPENAI_BASE_URL", base));
            all
        },
        files: |_| {
            let settings = json!({
                "security": {"auth": {"selectedType": "openai"}},
                "general": {"disableAutoUpdate": true, "enableAutoUpdate": false},
                "privacy": {"usageStatisticsEnabled": false},
            });
            vec![(".qwen/settings.json", settings.to_string())]
        },
        tool: || {
            let input =
                json!({"command": command(), "description": "Say it", "is_background": false});
            Some(("run_shell_command", input))
        },
        without_tools: false,
        trusts: |home, workspace| mentions(home, ".qwen/trustedFolders.json", workspace),
        lacks: &[
            (Step::Limit, "it tries again for ten minutes and says nothing of it"),
            (Step::LimitReset, "it does not tell"),
        ],
    },
    Agent {
        name: "opencode",
        title: "OpenCode",
        binary: "opencode",
        folder: "opencode-ai",
        programs: "node_modules/.bin",
        is_python: false,
        must_pass: false,
        variables: |_| Vec::new(),
        files: |url| {
            let config = json!({
                "model": "player/player",
                "small_model": "player/player",
                "autoupdate": false,
                "share": "disabled",
                "permission": {"bash": "ask", "edit": "ask"},
                "provider": {"player": {
                    "npm": "@ai-sdk/openai-compatible",
                    "name": "Player",
                    "options": {"baseURL": format!("{url}/v1"), "apiKey": KEY},
                    "models": {"player": {"name": "Player"}},
                }},
            });
            vec![(".config/opencode/opencode.json", config.to_string())]
        },
        tool: || Some(("bash", json!({"command": command(), "description": "Say something"}))),
        without_tools: false,
        trusts: |_, _| false,
        lacks: &[
            (Step::GivesUp, "it tries again until it is interrupted"),
            (Step::StopHook, "no hook of its takes an answer"),
        ],
    },
    Agent {
        name: "aider",
        title: "Aider",
        binary: "aider",
        folder: "aider",
        programs: "bin",
        is_python: true,
        must_pass: false,
        variables: |url| {
            let base = format!("{url}/v1");
            let mut all = owned(&[
                ("OPENAI_API_KEY", KEY),
                ("AIDER_MODEL", "openai/player"),
                ("AIDER_ANALYTICS", "false"),
                ("AIDER_SHOW_MODEL_WARNINGS", "false"),
                ("AIDER_CHECK_UPDATE", "false"),
                // It asks the network for prices before it starts.
                ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
            ]);
            all.push(("OPENAI_API_BASE", base));
            all
        },
        files: |_| Vec::new(),
        tool: || None,
        without_tools: true,
        trusts: |_, _| false,
        lacks: &[
            (Step::Dialog, "it has no tools and so no permission dialog"),
            (Step::Verbatim, "it asks the model for a summary of them and goes on with that"),
            (Step::TurnBegin, "its only hook is called at the end of a turn"),
            (Step::Limit, "it tries again for a minute, then gives up as for any error"),
            (Step::LimitReset, "it does not tell"),
            (Step::StopHook, "its only hook takes no answer"),
        ],
    },
];
