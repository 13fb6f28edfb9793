//! An example of each command that has none beside its definition, for its help and its man page.

use clap::Command;

/// Commands by their words, each with lines as they are typed.
const EXAMPLES: &[(&str, &str)] = &[
    ("agent check", "$ ao agent check ~/.config/ao/agents/mine.toml"),
    ("agent ls", "$ ao agent ls    # installed, in which version, logged in"),
    ("agent show", "$ ao agent show codex > ~/.config/ao/agents/mine.toml    # to start from"),
    ("approve", "$ ao output app-1    # what does it ask?\n$ ao approve app-1"),
    ("attach", "$ ao attach app-1    # Ctrl-Q comes back"),
    (
        "cleanup",
        "$ ao cleanup --dry-run    # what would be removed, what is kept and why\n$ ao cleanup app-1",
    ),
    ("completions", "$ ao completions bash > ~/.local/share/bash-completion/completions/ao"),
    ("config check", "$ ao config check"),
    ("config get", "$ ao config get max_sessions\n$ ao config get check.command --origin"),
    ("config path", "$ $EDITOR \"$(ao config path)\""),
    ("config reference", "$ ao config reference | less"),
    (
        "config set",
        "$ ao config set max_sessions 10\n$ ao config set --project app check.command '[\"make\", \"test\"]'",
    ),
    ("config show", "$ ao config show --origin    # with file and line of each value"),
    ("decide", "$ ao decide < facts.jsonl"),
    ("demo", "$ ao demo"),
    ("deny", "$ ao deny app-1"),
    ("events", "$ ao events --follow --json | jq -r '[.id, .status] | @tsv'"),
    ("exec", "$ ao exec app-1 -- git log --oneline -3"),
    ("explain", "$ ao explain app-1"),
    ("help", "$ ao help exit-codes\n$ ao help config set"),
    ("hook", "$ ao hook claude-code stop < payload.json    # as a hook file says it"),
    ("init", "$ ao init --yes"),
    ("interrupt", "$ ao interrupt app-1"),
    ("issue ls", "$ ao issue ls --label bug"),
    ("issue show", "$ ao issue show 7"),
    ("kill", "$ ao kill app-1 app-2    # their workspaces stay"),
    ("log", "$ ao log app-1 -n 20\n$ ao log app-1 --verify"),
    (
        "ls",
        "$ ao ls\n$ ao ls --all --status errored,killed\n$ ao ls --json | jq -r '.sessions[].id'",
    ),
    ("man", "$ ao man spawn | man -l -"),
    ("merge", "$ ao merge app-1 --dry-run\n$ ao merge app-1 --method squash"),
    ("metrics", "$ ao metrics --output /var/lib/prometheus/node-exporter/ao.prom"),
    (
        "notify",
        "$ ao notify --test    # sends each notifier a notice\n$ ao notify --test slack --priority urgent",
    ),
    (
        "observe",
        "$ echo '{\"confidence\":\"valid\",\"activity\":\"idle\",\"source\":\"hook\"}' | ao observe activity app-1",
    ),
    ("orchestrator", "$ ao orchestrator    # the one that lives, or a new one"),
    ("outbox drop", "$ ao outbox drop app-1 --dead"),
    ("outbox ls", "$ ao outbox ls --dead"),
    ("outbox retry", "$ ao outbox retry --dead"),
    (
        "output",
        "$ ao output app-1 -n 20\n$ ao output app-1 --follow\n$ ao output app-1 --follow --json | jq -r .output.text",
    ),
    ("path", "$ cd \"$(ao path app-1)\""),
    ("pr claim", "$ ao pr claim app-1 https://github.com/me/app/pull/7"),
    ("pr create", "$ ao pr create app-1 --push --draft"),
    ("pr ls", "$ ao pr ls --remote"),
    ("pr merge", "$ ao pr merge app-1"),
    ("pr show", "$ ao pr show app-1"),
    ("project add", "$ ao project add ~/src/app"),
    ("project ls", "$ ao project ls"),
    ("project rm", "$ ao project rm app"),
    ("project set", "$ ao project set app --repo ~/src/app    # it was moved"),
    ("project show", "$ ao project show app"),
    ("reap", "$ ao reap\n$ ao reap --dry-run    # what a pass would do"),
    ("rename", "$ ao rename app-1 'Mend the login'"),
    (
        "report",
        "$ ao report needs-input --note 'which port?'\n$ ao report completed --pr https://github.com/me/app/pull/7",
    ),
    ("restore", "$ ao restore app-1\n$ ao restore --all    # after a reboot, one after the other"),
    ("review cancel", "$ ao review cancel app-1-r2"),
    ("review ls", "$ ao review ls app-1"),
    (
        "review submit",
        "$ ao review submit --run app-1-r2 --verdict changes_requested --body - < findings.md",
    ),
    ("review trigger", "$ ao review trigger app-1 --reviewer opencode"),
    ("schema", "$ ao schema | jq '.commands.ls'    # what `ao ls --json` answers with"),
    ("show", "$ ao show app-1"),
    ("skill", "$ ao skill > ~/.claude/skills/ao/SKILL.md"),
    ("status", "$ ao status --git\n$ ao status -q    # how many need a person"),
    ("timer install", "$ ao timer install --interval 1m"),
    ("timer rm", "$ ao timer rm"),
    ("timer status", "$ ao timer status"),
    ("trust", "$ ao trust --show    # what would run, and its hash\n$ ao trust"),
];

/// Returns the tree with an example in each command that has none of its own.
pub fn with_examples(command: Command) -> Command {
    add(command, "")
}

fn add(command: Command, words: &str) -> Command {
    let words = words.to_owned();
    let command = command.mut_subcommands(|child| {
        let words = format!("{words} {}", child.get_name());
        add(child, words.trim_start())
    });
    let example = EXAMPLES.iter().find(|(known, _)| *known == words).map(|(_, text)| text);
    match example.filter(|_| command.get_after_long_help().is_none()) {
        Some(text) => command.after_long_help(section(text)),
        None => command,
    }
}

fn section(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    format!("Examples:\n{}", lines.join("\n"))
}
