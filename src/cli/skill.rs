//! `ao skill`, and what orchestrators are taught: the command line as it is, in few words.
//!
//! Everything but the prose is made from the clap tree, the table of exit codes and the model, so
//! that it cannot say what `ao` does not do.

use std::io::Write;

use clap::{Arg, Command};

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::{self, Exit};
use crate::cli::output;
use crate::model::report::ReportState;
use crate::model::status::Status;

/// Print what an agent should know of ao, as a skill file
///
/// The same text that orchestrator sessions get in their system prompt, as Markdown with the
/// front matter that Claude Code and Codex expect:
/// `ao skill > ~/.claude/skills/ao/SKILL.md`.
#[derive(Debug, clap::Args)]
pub struct SkillArgs {}

/// The commands whose options are told as well: those that drive workers.
const IN_DETAIL: &[&str] = &[
    "spawn",
    "orchestrator",
    "status",
    "send",
    "report",
    "wait",
    "output",
    "kill",
    "restore",
    "cleanup",
];

const FRONT_MATTER: &str = "\
---
name: ao
description: >-
  Run coding agents side by side with ao, each in its own tmux session and git worktree. Use when a
  task should be given to one or more other agents, or to look at, message, wait for, or end
  sessions that ao runs.
---
";

const PROSE: &str = "\
# ao, as an agent uses it

`ao` runs coding agents side by side, each in its own git worktree and branch. There is no daemon:
each command does its work and ends. A session is named by its id (`app-7`), a unique prefix of it,
its number inside the project's repository, or `.` for the session you are in.

## The usual way

1. `ao spawn --title \"what it is about\" 'the whole task'` starts a worker and prints its id. Put
   everything it has to know into the task; `-` reads a long one from standard input. What you
   spawn from inside a session has that session as its parent.
2. `ao wait ID --timeout 100s` returns when it is idle, needs input, is stuck or has ended; its exit
   code says which, and 124 that time is up: wait again. Choose a time that your own tools allow.
   `ao wait` also makes the passes that keep everything moving.
3. `ao output ID` shows its screen, `ao show ID` everything recorded, `ao explain ID` why its status
   is what it is, `ao status` all sessions at once.
4. `ao send ID 'text'` answers or instructs it; a busy agent gets the text at the end of its turn.
   Exit code 5 means that a dialog is open or that a person is typing there: look with
   `ao output ID`. `ao approve ID` and `ao deny ID` answer a dialog; leave a draft alone.
5. Look at the work: `ao exec ID -- git log -p`, or `cd \"$(ao path ID)\"`.
6. `ao kill ID` ends a worker and keeps its files; `ao cleanup ID` then removes what holds nothing
   of value, and says what it keeps.

Add `--json` to any command for one JSON document, and `--help` for everything it takes. Standard
output is the answer, standard error the narration. Never read or write ao's own files, and never
type into its tmux server yourself.
";

/// Runs `ao skill`.
pub fn run(context: &Context, out: &mut dyn Write, _: &SkillArgs) -> Result<Exit, CommandError> {
    let text = format!("{FRONT_MATTER}\n{}", guide());
    if context.global.json {
        output::json_answer(out, "skill", text)?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Returns what an agent should know of `ao`.
pub fn guide() -> String {
    let mut command = crate::cli::command();
    command.build();
    format!(
        "{PROSE}\n## Commands\n\n{}\n## Statuses\n\n{}\n## Exit codes\n\n```text\n{}```\n",
        commands(&command),
        statuses(),
        exit::table()
    )
}

fn commands(ao: &Command) -> String {
    let mut text = String::new();
    for command in ao.get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("- `{}`: {about}\n", spelling(command)));
        let detailed = IN_DETAIL.contains(&command.get_name());
        let options = command.get_arguments().filter(|option| detailed && is_told(option));
        for option in options {
            text.push_str(&told(option));
        }
    }
    text
}

/// Returns how a command is typed, without its options.
fn spelling(command: &Command) -> String {
    let mut words = vec![format!("ao {}", command.get_name())];
    words.extend(command.get_positionals().filter(|it| !it.is_hide_set()).map(ToString::to_string));
    let below: Vec<&str> = command
        .get_subcommands()
        .filter(|it| !it.is_hide_set() && it.get_name() != "help")
        .map(Command::get_name)
        .collect();
    if !below.is_empty() {
        words.push(below.join("|"));
    }
    words.join(" ")
}

fn is_told(option: &Arg) -> bool {
    let everywhere = matches!(option.get_id().as_str(), "help" | "version");
    !option.is_positional() && !option.is_hide_set() && !option.is_global_set() && !everywhere
}

fn told(option: &Arg) -> String {
    let help = option.get_help().map(ToString::to_string).unwrap_or_default();
    format!("  - `{option}`: {help}\n")
}

fn statuses() -> String {
    let line = |status: &Status| format!("- `{status}`: {}\n", meaning(*status));
    let words: Vec<&str> = ReportState::ALL.iter().map(|state| state.as_str()).collect();
    let statuses: String = Status::ALL.iter().map(line).collect();
    format!("{statuses}\nAn agent says of itself, with `ao report`: {}.\n", words.join(", "))
}

/// Returns what a status asks of whoever watches.
fn meaning(status: Status) -> &'static str {
    match status {
        Status::Spawning => "being started; not heard of yet",
        Status::Working => "at work",
        Status::Idle => "its turn has ended; it takes the next instruction",
        Status::NeedsInput => "asks something, or a dialog is open",
        Status::Stuck => "does not get on by itself; `ao explain ID` says why",
        Status::Detecting => "it is not sure yet whether it lives; wait",
        Status::Draft => "its pull request is a draft",
        Status::PrOpen => "its pull request is open",
        Status::CiFailed => "checks of its pull request fail; it is told",
        Status::ReviewPending => "its pull request waits for a review",
        Status::ChangesRequested => "reviewers ask for changes; it is told",
        Status::Approved => "its pull request is approved",
        Status::Mergeable => "its pull request can be merged",
        Status::Merged => "its pull request was merged",
        Status::Done => "ended well",
        Status::Killed => "ended on purpose",
        Status::Exited => "its process is gone; `ao restore ID` starts it again",
        Status::Cleanup => "ended and cleaned up",
        Status::Errored => "ended with an error",
        Status::Terminated => "ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_subcommand_is_taught() {
        let guide = guide();
        let ao = crate::cli::command();
        let visible = ao.get_subcommands().filter(|it| !it.is_hide_set());
        let mut count = 0;
        for command in visible {
            let name = command.get_name();
            let about = command.get_about().unwrap().to_string();
            let line = guide.lines().find(|line| {
                line.strip_prefix(&format!("- `ao {name}"))
                    .is_some_and(|rest| rest.starts_with(['`', ' ']))
            });
            assert!(line.is_some_and(|line| line.ends_with(&about)), "{name}: {line:?}");
            count += 1;
        }
        assert!(count > 20, "{count}");
        for hidden in ["demo-agent", "launch"] {
            assert!(!guide.contains(hidden), "{hidden}");
        }
    }

    #[test]
    fn the_prose_names_only_what_there_is() {
        let ao = crate::cli::command();
        let names: Vec<&str> = ao.get_subcommands().map(Command::get_name).collect();
        let of_roles = include_str!("../session/role.rs");
        for text in [PROSE, FRONT_MATTER, of_roles.split("#[cfg(test)]").next().unwrap()] {
            let told = text.split("`ao ").skip(1).filter_map(|rest| rest.split([' ', '`']).next());
            for name in
                told.chain(text.split("$(ao ").skip(1).filter_map(|it| it.split(' ').next()))
            {
                assert!(names.contains(&name), "there is no `ao {name}`");
            }
        }
        for name in IN_DETAIL {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn options_codes_and_statuses_are_those_there_are() {
        let guide = guide();
        for wanted in
            ["  - `--prompt-file <FILE>`: Read", "  - `--timeout <DURATION>`: ", "  - `--clean`: "]
        {
            assert!(guide.contains(wanted), "{wanted}");
        }
        assert!(guide.contains(&exit::table()));
        for status in Status::ALL {
            assert!(guide.contains(&format!("\n- `{status}`: ")), "{status}");
        }
        assert!(guide.len() < 24 * 1024, "{} bytes are too many to read", guide.len());
        assert!(!guide.contains("--lock-timeout"), "global options are everywhere");
    }
}
