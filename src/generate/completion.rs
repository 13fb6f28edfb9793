//! Completion scripts: what clap knows by itself, and names that only the machine knows.
//!
//! A name is read by the shell from ao's files: completing one starts no process.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

use super::{Page, built, shown};
use crate::model::effect::Priority;
use crate::model::policy::PERMISSIONS;
use crate::model::record::{Kind, Mode, RuntimeKind};
use crate::model::review::Verdict;
use crate::model::status::Status;

/// Names that are completed from the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Sessions that are not archived.
    Sessions,
    /// Archived ones as well.
    EverySession,
    Projects,
    Agents,
    Statuses,
}

/// Where in a command line such a name stands.
enum Slot {
    /// The value of an option, as it is typed.
    Option(String),
    /// A word by its number; each from there on, where there may be many.
    Word { number: usize, many: bool },
}

/// Commands that an archived session has an answer for.
const ARCHIVED: &[&str] = &["ao show", "ao log", "ao explain", "ao events", "ao review ls"];

/// Returns the completion script of one shell, which offers `agents` and the user's own.
pub fn completion(command: &Command, shell: Shell, agents: &[&str]) -> Vec<u8> {
    let mut hinted = hinted(command.clone(), command.get_name());
    let mut script = Vec::new();
    generate(shell, &mut hinted, command.get_name(), &mut script);
    let script = String::from_utf8(script).expect("a completion script is text");
    let pages = shown(&built(command));
    let script = match shell {
        Shell::Bash => script + &filled(include_str!("names.bash"), &pages, agents, &BASH),
        Shell::Zsh => with_zsh(script, &filled(include_str!("names.zsh"), &pages, agents, &BASH)),
        Shell::Fish => {
            with_fish(script, &filled(include_str!("names.fish"), &pages, agents, &FISH))
        }
        // No names there: nobody asked for them so far.
        Shell::Elvish | Shell::PowerShell | _ => script,
    };
    script.into_bytes()
}

/// Returns what `argument` of the command `words` names, `None` for anything else.
fn names_of(words: &str, argument: &Arg) -> Option<Names> {
    let value = argument.get_value_names()?.first()?.as_str();
    match value {
        "ID" | "WORKER" | "ID… MESSAGE" if words != "ao spawn" => {
            Some(if ARCHIVED.contains(&words) { Names::EverySession } else { Names::Sessions })
        }
        "PROJECT" => Some(Names::Projects),
        "AGENT" => Some(Names::Agents),
        "NAME" if argument.get_long() == Some("agent") || words == "ao agent show" => {
            Some(Names::Agents)
        }
        "STATUS" => Some(Names::Statuses),
        _ => None,
    }
}

impl Names {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::EverySession => "every-session",
            Self::Projects => "projects",
            Self::Agents => "agents",
            Self::Statuses => "statuses",
        }
    }

    /// Returns a hint that no argument of ao's has by itself: clap writes a call for it, which is
    /// replaced by one of ours.
    fn hint(self) -> ValueHint {
        match self {
            Self::Sessions => ValueHint::Username,
            Self::EverySession => ValueHint::CommandName,
            Self::Projects => ValueHint::Hostname,
            Self::Agents => ValueHint::EmailAddress,
            Self::Statuses => ValueHint::Url,
        }
    }
}

/// Returns the words that a value is one of and that clap does not know of: what reads them is
/// the model's.
fn words_of(argument: &Arg) -> Vec<&'static str> {
    if !argument.get_possible_values().is_empty() {
        return Vec::new();
    }
    match argument.get_long() {
        Some("kind") => Kind::ALL.iter().map(|kind| kind.as_str()).collect(),
        Some("mode") => Mode::ALL.iter().map(|mode| mode.as_str()).collect(),
        Some("permission") => PERMISSIONS.to_vec(),
        Some("priority") => Priority::ALL.iter().map(|priority| priority.as_str()).collect(),
        Some("runtime") => RuntimeKind::ALL.iter().map(|kind| kind.as_str()).collect(),
        Some("verdict") => Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect(),
        Some(_) | None => Vec::new(),
    }
}

/// Returns the tree with a hint at each argument that takes such a name.
fn hinted(command: Command, words: &str) -> Command {
    let at = words.to_owned();
    let command = command.mut_args(move |argument| match names_of(&at, &argument) {
        Some(names) => argument.value_hint(names.hint()),
        None => match words_of(&argument) {
            words if words.is_empty() => argument,
            words => argument.value_parser(PossibleValuesParser::new(words)),
        },
    });
    let words = words.to_owned();
    command.mut_subcommands(move |child| {
        let words = format!("{words} {}", child.get_name());
        hinted(child, &words)
    })
}

/// How a shell writes the parts of a `case`.
struct Syntax {
    /// Between two patterns.
    or: &'static str,
    pattern: fn(&str, bool) -> String,
    case: fn(&str, Names) -> String,
}

/// A pattern that ends in anything where it is open.
fn star(text: &str, open: bool) -> String {
    if open { format!("\"{text}\"*") } else { format!("\"{text}\"") }
}

const BASH: Syntax = Syntax {
    or: " | ",
    pattern: star,
    case: |patterns, names| format!("            {patterns}) kind={} ;;", names.as_str()),
};

const FISH: Syntax = Syntax {
    or: " ",
    pattern: |text, open| format!("'{text}{}'", if open { "*" } else { "" }),
    case: |patterns, names| {
        format!("        case {patterns}\n            set kind {}", names.as_str())
    },
};

/// Returns the script with everything in it that is known of the command line.
fn filled(script: &str, pages: &[Page], agents: &[&str], syntax: &Syntax) -> String {
    let join = |patterns: Vec<String>| patterns.join(syntax.or);
    let commands = pages.iter().filter(|page| page.depth > 0);
    let commands = commands.map(|page| (syntax.pattern)(&page.words, false)).collect();
    let statuses: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
    script
        .replace("@COMMANDS@", &join(commands))
        .replace("@VALUED@", &join(valued(pages, syntax)))
        .replace("@SLOTS@", &cases(pages, syntax))
        .replace("@AGENTS@", &agents.join(" "))
        .replace("@STATUSES@", &statuses.join(" "))
}

/// Returns the patterns of the options that take a value: the global ones behind every command.
fn valued(pages: &[Page], syntax: &Syntax) -> Vec<String> {
    let mut patterns = Vec::new();
    for page in pages {
        for argument in page.command.get_arguments().filter(|it| takes_value(it)) {
            if argument.is_global_set() && page.depth > 0 {
                continue;
            }
            for spelling in spellings(argument) {
                let everywhere = argument.is_global_set();
                patterns.push(if everywhere {
                    any_command(syntax, &spelling)
                } else {
                    (syntax.pattern)(&format!("{} {spelling}", page.words), false)
                });
            }
        }
    }
    patterns
}

fn any_command(syntax: &Syntax, spelling: &str) -> String {
    // `*" --home"`, and in fish `'* --home'`.
    let exact = (syntax.pattern)(&format!(" {spelling}"), false);
    match exact.strip_prefix('\'') {
        Some(rest) => format!("'*{rest}"),
        None => format!("*{exact}"),
    }
}

fn takes_value(argument: &Arg) -> bool {
    !argument.is_positional() && argument.get_action().takes_values()
}

/// Returns how an option is typed: `--agent`, `-a`.
fn spellings(argument: &Arg) -> Vec<String> {
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    long.into_iter().chain(short).collect()
}

/// Returns the cases that tell which names belong where.
fn cases(pages: &[Page], syntax: &Syntax) -> String {
    let mut lines = Vec::new();
    for names in
        [Names::Sessions, Names::EverySession, Names::Projects, Names::Agents, Names::Statuses]
    {
        let mut patterns = Vec::new();
        for page in pages {
            for slot in slots(page, names) {
                patterns.push(match slot {
                    Slot::Option(option) => {
                        (syntax.pattern)(&format!("{} {option}", page.words), false)
                    }
                    Slot::Word { number, many: false } => {
                        (syntax.pattern)(&format!("{} {number}", page.words), false)
                    }
                    Slot::Word { number: 0, many: true } => every_word(&page.words, syntax),
                    Slot::Word { number, many: true } => {
                        (syntax.pattern)(&format!("{} {number}", page.words), false)
                    }
                });
            }
        }
        if !patterns.is_empty() {
            lines.push((syntax.case)(&patterns.join(syntax.or), names));
        }
    }
    lines.join("\n")
}

/// Returns the pattern of every word of a command; an option's value is none of them.
fn every_word(words: &str, syntax: &Syntax) -> String {
    let open = (syntax.pattern)(&format!("{words} "), true);
    match open.strip_suffix("\"*") {
        Some(start) => format!("{start}\"[0-9]*"),
        None => open,
    }
}

/// Returns where names of that kind stand in a command's line.
fn slots(page: &Page, names: Names) -> Vec<Slot> {
    let named = |argument: &&Arg| names_of(&page.words, argument) == Some(names);
    let options = page.command.get_arguments().filter(|it| takes_value(it)).filter(named);
    let options = options.flat_map(spellings).map(Slot::Option);
    let words = page.command.get_positionals().enumerate().filter(|(_, it)| named(it));
    let words = words.map(|(number, argument)| {
        let many = argument.get_num_args().is_some_and(|range| range.max_values() > 1);
        Slot::Word { number, many: many || is_list(argument) }
    });
    options.chain(words).collect()
}

/// Returns whether an argument collects words: a list without a fixed number.
fn is_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), clap::ArgAction::Append)
}

/// Returns zsh's script with the calls that the hints made replaced by ours, which come first.
fn with_zsh(script: String, names: &str) -> String {
    let script = script
        .replace(":_users'", ":_ao_sessions'")
        .replace(":_command_names -e'", ":_ao_every_session'")
        .replace(":_hosts'", ":_ao_projects'")
        .replace(":_email_addresses'", ":_ao_agents'")
        .replace(":_urls'", ":_ao_statuses'");
    // With two colons, nothing but names would be completed behind the first one.
    let script: String = script
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix("'*::") {
            Some(rest) if rest.contains(":_ao_") => format!("'*:{rest}"),
            Some(_) | None => line.to_owned(),
        })
        .collect();
    let end = script.rfind("if [ \"$funcstack[1]\"").unwrap_or(script.len());
    format!("{}{names}{}", &script[..end], &script[end..])
}

/// Returns fish's script with the calls that the hints made replaced by ours, which follow.
fn with_fish(script: String, names: &str) -> String {
    let no_files = |call: &str| format!("-r -f -a \"({call})\"");
    script
        .replace(&no_files("__fish_complete_users"), &no_files("__ao_sessions"))
        .replace(&no_files("__fish_complete_command"), &no_files("__ao_every_session"))
        .replace(&no_files("__fish_print_hostnames"), &no_files("__ao_projects"))
        // These two have no call in fish: what they belong to is told by their options.
        .replace(" -l agent -d", " -f -a \"(__ao_agents)\" -l agent -d")
        .replace(" -l reviewer -d", " -f -a \"(__ao_agents)\" -l reviewer -d")
        .replace(" -l status -d", " -f -a \"(__ao_statuses)\" -l status -d")
        .replace(" -l until -d", " -f -a \"(__ao_statuses)\" -l until -d")
        + names
}
