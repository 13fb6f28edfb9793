//! The command line of one subcommand, read without building the others.
//!
//! Defining sixty subcommands with all their arguments takes longer than `ao ls` itself. What
//! this reads is what the whole tree would have read; whatever it cannot read (a mistake, a
//! question for help, a rare subcommand) is left to the whole tree, which answers for both.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command, FromArgMatches};

use super::{
    Cli, Global, approve, attach, check_run, cleanup, decide, exec, first_word, interrupt, kill,
    launch, log, ls, observe, reap, rename, report, restore, screen, send, show, spawn, status,
    wait,
};

/// Adds the arguments of a subcommand to its bare definition.
type Augment = fn(Command) -> Command;

/// The subcommands that are called by programs, or many times a day.
const SUBCOMMANDS: &[(&str, Augment)] = &[
    ("approve", approve::ApproveArgs::augment_args),
    ("attach", attach::AttachArgs::augment_args),
    ("check-run", check_run::CheckRunArgs::augment_args),
    ("cleanup", cleanup::CleanupArgs::augment_args),
    ("decide", decide::DecideArgs::augment_args),
    ("demo-agent", crate::demo::agent::DemoAgentArgs::augment_args),
    ("deny", approve::DenyArgs::augment_args),
    ("events", log::EventsArgs::augment_args),
    ("exec", exec::ExecArgs::augment_args),
    ("explain", show::ExplainArgs::augment_args),
    ("interrupt", interrupt::InterruptArgs::augment_args),
    ("kill", kill::KillArgs::augment_args),
    ("launch", launch::LaunchArgs::augment_args),
    ("log", log::LogArgs::augment_args),
    ("ls", ls::LsArgs::augment_args),
    ("observe", observe::ObserveArgs::augment_args),
    ("output", screen::OutputArgs::augment_args),
    ("path", exec::PathArgs::augment_args),
    ("reap", reap::ReapArgs::augment_args),
    ("rename", rename::RenameArgs::augment_args),
    ("report", report::ReportArgs::augment_args),
    ("restore", restore::RestoreArgs::augment_args),
    ("send", send::SendArgs::augment_args),
    ("show", show::ShowArgs::augment_args),
    ("spawn", spawn::SpawnArgs::augment_args),
    ("status", status::StatusArgs::augment_args),
    ("wait", wait::WaitArgs::augment_args),
];

/// Returns what the arguments, the program's name first, say; `None` where only the whole tree
/// can tell.
pub(super) fn parse(arguments: &[OsString]) -> Option<Cli> {
    if let Some(cli) = bare(arguments) {
        return Some(cli);
    }
    let word = first_word(arguments)?;
    let (name, augment) = SUBCOMMANDS.iter().find(|(name, _)| word == name)?;
    let matches = alone(name, *augment).try_get_matches_from(arguments).ok()?;
    Cli::from_arg_matches(&matches).ok()
}

/// Reads what scripts and timers ask for all day, which are words that need no definition:
/// `[--home DIR] ls`, `status` or `reap`.
fn bare(arguments: &[OsString]) -> Option<Cli> {
    let (home, word) = match arguments {
        [_, word] => (None, word),
        [_, flag, home, word] if flag == "--home" && is_value(home) => (Some(home), word),
        _ => return None,
    };
    let command = match word.to_str()? {
        "ls" => super::Command::Ls(ls::LsArgs::default()),
        "status" => super::Command::Status(status::StatusArgs::default()),
        "reap" => super::Command::Reap(reap::ReapArgs::default()),
        _ => return None,
    };
    let global = Global { home: home.map(PathBuf::from), ..Global::default() };
    Some(Cli { global, command })
}

/// Returns whether a word can only be the value of a flag.
fn is_value(word: &OsString) -> bool {
    !word.is_empty() && !word.as_encoded_bytes().starts_with(b"-")
}

/// Returns whether nothing but the version is asked for.
pub(super) fn asks_for_version(arguments: &[OsString]) -> bool {
    matches!(arguments, [_, flag] if flag == "--version" || flag == "-V")
}

/// Returns the program as if it had one subcommand.
fn alone(name: &'static str, augment: Augment) -> Command {
    Global::augment_args(Command::new("ao"))
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .subcommand(augment(Command::new(name)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use proptest::prelude::*;

    use super::*;

    /// Returns an argument's definition as far as it is shown and parsed.
    fn shown(command: &Command, name: &str) -> String {
        let mut command = command.clone();
        command.build();
        let found = command.find_subcommand(name).expect("it is a subcommand").clone();
        let arguments: Vec<String> = found.get_arguments().map(|it| format!("{it:?}")).collect();
        arguments.join("\n")
    }

    #[test]
    fn each_subcommand_alone_is_that_of_the_whole_tree() {
        let whole = super::super::command();
        for (name, augment) in SUBCOMMANDS {
            assert_eq!(shown(&alone(name, *augment), name), shown(&whole, name), "{name}");
        }
    }

    /// A command line, its words parted by single spaces.
    fn words(line: &str) -> Vec<OsString> {
        std::iter::once("ao").chain(line.split(' ')).map(OsString::from).collect()
    }

    #[test]
    fn bare_words_mean_what_the_whole_tree_says_they_mean() {
        for line in ["ls", "status", "reap", "--home h ls", "--home /h/x reap", "--home ls status"]
        {
            let words = words(line);
            let whole = Cli::try_parse_from(&words).unwrap();
            assert_eq!(format!("{:?}", bare(&words).unwrap()), format!("{whole:?}"), "{line}");
        }
        for line in ["kill", "ls -q", "--home -h ls", "--home  ls", "--color never ls", ""] {
            assert!(bare(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn help_mistakes_and_rare_subcommands_are_left_to_the_whole_tree() {
        for line in ["", "--version", "ls --help", "ls --nope", "nope", "help ls", "kill", "doctor"]
        {
            let words = std::iter::once("ao").chain(line.split_whitespace());
            let words: Vec<OsString> = words.map(OsString::from).collect();
            assert!(parse(&words).is_none(), "{line}");
        }
    }

    /// Words that command lines are made of, some of them of other subcommands.
    const WORDS: &[&str] = &[
        "ls",
        "kill",
        "spawn",
        "send",
        "show",
        "status",
        "exec",
        "project",
        "help",
        "a-1",
        "x",
        "--json",
        "--home",
        "--home=h",
        "--color",
        "never",
        "--color=no",
        "--lock-timeout",
        "2s",
        "--",
        "-",
        "-q",
        "-qa",
        "--all",
        "--quiet",
        "--force",
        "--agent",
        "shell",
        "--status",
        "idle",
        "--project",
        "--help",
        "-h",
        "--version",
        "-V",
        "--count",
        "3",
        "",
    ];

    proptest! {
        #[test]
        fn what_is_read_alone_is_what_the_whole_tree_reads(
            words in prop::collection::vec(prop::sample::select(WORDS), 0..6),
            name in prop::sample::select(vec!["ls", "kill", "spawn", "send", "status", "exec"]),
            at in 0_usize..3,
        ) {
            let mut line = vec!["ao"];
            line.extend(words);
            line.insert((at + 1).min(line.len()), name);
            let line: Vec<OsString> = line.into_iter().map(OsString::from).collect();
            if let Some(alone) = parse(&line) {
                let whole = Cli::try_parse_from(&line);
                prop_assert_eq!(format!("{alone:?}"), format!("{:?}", whole.expect("it is read")));
            }
        }
    }
}
