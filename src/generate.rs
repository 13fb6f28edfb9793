//! Man pages, completions, the command line's reference and the JSON Schemas, all from the clap
//! tree and the model, so that none of them can say what `ao` does not do.
//!
//! Nothing here reads or writes a file; the same input makes the same bytes.

mod completion;

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::Value;

pub use self::completion::completion;
use crate::model::answer::Answer;
use crate::model::record::Record;

/// Returns a page for the program and one for each subcommand that is shown, as file name
/// (`ao-timer-install.1`) and roff text.
///
/// # Panics
///
/// Never: memory takes every byte that is written to it.
pub fn man_pages(command: &Command) -> Vec<(String, Vec<u8>)> {
    let mut pages = Vec::new();
    let source = format!("{} {}", command.get_name(), command.get_version().unwrap_or_default());
    for page in shown(&built(command)) {
        let sections = sections(&page.command);
        // What has headings of its own becomes sections, which the renderer cannot make.
        let hidden = clap::builder::Resettable::Reset;
        let man = Man::new(match sections.is_empty() {
            true => page.command,
            false => page.command.after_help(hidden.clone()).after_long_help(hidden),
        })
        .source(&source);
        let mut text = Vec::new();
        man.render(&mut text).expect("writing to memory does not fail");
        text.extend(sections.iter().flat_map(|(heading, lines)| roff(heading, lines).into_bytes()));
        pages.push((man.get_filename(), text));
    }
    pages
}

/// Returns the completion script of each shell, under the file name that shell looks for; they
/// offer `agents` and those that the user adds.
pub fn completions(command: &Command, agents: &[&str]) -> Vec<(String, Vec<u8>)> {
    let name = command.get_name();
    [
        (Shell::Bash, format!("{name}.bash")),
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ]
    .into_iter()
    .map(|(shell, file)| (file, completion(command, shell, agents)))
    .collect()
}

/// Returns the reference of every subcommand, argument and flag in Markdown.
pub fn cli_reference(command: &Command) -> String {
    let mut text = String::from(
        "# Command line\n\n\
         <!-- Generated from the program's own definition. Do not edit: `UPDATE=1 cargo test generated`. -->\n",
    );
    let command = built(command);
    for page in shown(&command) {
        text.push_str(&format!("\n## `{}`\n\n", page.words));
        text.push_str(&paragraphs(&page.command));
        let usage = page.command.clone().render_usage().to_string();
        text.push_str(&format!("```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim()));
        let arguments: Vec<_> =
            page.command.get_arguments().filter(|it| listed(it, &page, &command)).collect();
        if !arguments.is_empty() {
            text.push('\n');
        }
        // Positions first, as they are typed.
        let (positions, options): (Vec<_>, Vec<_>) =
            arguments.into_iter().partition(|argument| argument.is_positional());
        for argument in positions.into_iter().chain(options) {
            text.push_str(&entry(argument));
        }
    }
    text
}

/// Returns the JSON Schema of a session's record.
pub fn record_schema() -> Value {
    schemars::schema_for!(Record).to_value()
}

/// Returns the JSON Schema of every answer and of the error document.
pub fn answer_schema() -> Value {
    // As they are written: what is always there is required.
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Answer>().to_value()
}

/// [`record_schema`] and [`answer_schema`] as they were last generated, for `ao schema`: making
/// them is code for every type there is, which the release binary does not have to carry. They are
/// those of `docs/` without the white space, which is half of them, and packed.
pub fn schemas() -> [Value; 2] {
    let packed: [&[u8]; 2] = [
        include_bytes!(concat!(env!("OUT_DIR"), "/record")),
        include_bytes!(concat!(env!("OUT_DIR"), "/answers")),
    ];
    packed.map(|bytes| {
        let text = std::io::BufReader::new(flate2::read::ZlibDecoder::new(bytes));
        serde_json::from_reader(text).expect("a test compares it with the types")
    })
}

/// One command as a page.
struct Page {
    /// As it is typed: `ao timer install`.
    words: String,
    /// How many words stand before the last.
    depth: usize,
    command: Command,
}

/// Returns the tree with everything that clap adds at run time (names, usages, global flags), but
/// for its `help` subcommands, which would repeat the tree at every level.
fn built(command: &Command) -> Command {
    fn without_help(command: Command) -> Command {
        command.disable_help_subcommand(true).mut_subcommands(without_help)
    }
    let mut command = without_help(command.clone());
    command.build();
    command
}

/// Returns the command and all its subcommands that are not hidden, parents first.
fn shown(command: &Command) -> Vec<Page> {
    fn collect(command: &Command, words: &str, depth: usize, pages: &mut Vec<Page>) {
        pages.push(Page { words: words.to_owned(), depth, command: command.clone() });
        for child in command.get_subcommands() {
            if !child.is_hide_set() {
                let words = format!("{words} {}", child.get_name());
                collect(child, &words, depth + 1, pages);
            }
        }
    }
    let mut pages = Vec::new();
    collect(command, command.get_name(), 0, &mut pages);
    pages
}

/// Returns whether an argument is listed: those that every command takes at the `top` only, `--help`
/// nowhere.
fn listed(argument: &Arg, page: &Page, top: &Command) -> bool {
    let everywhere = matches!(argument.get_id().as_str(), "help" | "version");
    let is_of_top = || top.get_arguments().any(|other| other.get_id() == argument.get_id());
    let repeated = page.depth > 0 && argument.is_global_set() && is_of_top();
    !argument.is_hide_set() && !everywhere && !repeated
}

/// Returns the headings of what a command's long help ends with, each with its indented lines.
fn sections(command: &Command) -> Vec<(String, Vec<String>)> {
    let text = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_suffix(':').filter(|_| !line.starts_with(' ')), sections.last_mut()) {
            (Some(heading), _) => sections.push((heading.to_owned(), Vec::new())),
            (None, Some((_, lines))) => {
                lines.extend(line.strip_prefix("  ").map(str::to_owned));
            }
            (None, None) => {}
        }
    }
    sections
}

/// Returns a section of a man page whose lines stay as they are.
fn roff(heading: &str, lines: &[String]) -> String {
    let escaped = |line: &String| format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-"));
    let lines: String = lines.iter().map(escaped).collect();
    format!(".SH \"{}\"\n.nf\n{lines}.fi\n", heading.to_uppercase())
}

fn paragraphs(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    let sections = sections(command);
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    let mut text = String::new();
    for part in [about, after.filter(|_| sections.is_empty())].into_iter().flatten() {
        text.push_str(part.to_string().trim());
        text.push_str("\n\n");
    }
    for (heading, lines) in sections {
        text.push_str(&format!("{heading}:\n\n```text\n{}\n```\n\n", lines.join("\n")));
    }
    text
}

/// Returns one item of a list: how it is written, what it means, what it may be.
fn entry(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.map(|help| help.to_string().trim().replace('\n', "\n  ")).unwrap_or_default();
    let mut sentences: Vec<String> = Vec::new();
    if !help.is_empty() {
        sentences.push(help);
    }
    // A flag's hidden values are `true` and `false`.
    if argument.get_action().takes_values() {
        let values = argument.get_possible_values();
        let shown = values.iter().filter(|value| !value.is_hide_set());
        let names: Vec<_> = shown.map(|value| format!("`{}`", value.get_name())).collect();
        if !names.is_empty() {
            sentences.push(format!("One of {}", names.join(", ")));
        }
        let defaults = argument.get_default_values().iter().map(|it| it.to_string_lossy());
        let defaults: Vec<_> = defaults.collect();
        if !defaults.is_empty() && !argument.is_hide_default_value_set() {
            sentences.push(format!("Default: `{}`", defaults.join(" ")));
        }
    }
    let colon = if sentences.is_empty() { "" } else { ": " };
    format!("- `{}`{colon}{}\n", spelling(argument), sentences.join(". "))
}

/// Returns how an argument is typed: `-n, --lines <N>`, `[PROMPT]`, `<ID>...`.
fn spelling(argument: &Arg) -> String {
    // clap writes both for usages: the value names, their brackets and their dots.
    let long = argument.to_string();
    match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(_)) => format!("-{short}, {long}"),
        (Some(_), None) | (None, _) => long,
    }
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    fn small() -> Command {
        Command::new("tool")
            .about("Do things")
            .version("1.0.0")
            .disable_help_subcommand(true)
            .arg(Arg::new("json").long("json").global(true).action(ArgAction::SetTrue).help("JSON"))
            .subcommand(
                Command::new("make")
                    .about("Make a thing")
                    .long_about("Make a thing\n\nIt is made at once.")
                    .arg(Arg::new("id").value_name("ID").required(true).num_args(1..).help("Whose"))
                    .arg(
                        Arg::new("lines")
                            .short('n')
                            .long("lines")
                            .value_name("N")
                            .default_value("10")
                            .help("How many"),
                    )
                    .arg(Arg::new("kind").long("kind").value_parser(["a", "b"]).help("Which")),
            )
            .subcommand(
                Command::new("clock")
                    .about("Tick")
                    .arg(Arg::new("dry").long("dry").global(true).action(ArgAction::SetTrue))
                    .subcommand(Command::new("stop")),
            )
            .subcommand(Command::new("secret").hide(true))
    }

    #[test]
    fn the_reference_lists_everything_that_is_shown() {
        insta::assert_snapshot!(cli_reference(&small()), @r"
        # Command line

        <!-- Generated from the program's own definition. Do not edit: `UPDATE=1 cargo test generated`. -->

        ## `tool`

        Do things

        ```text
        tool [OPTIONS] [COMMAND]
        ```

        - `--json`: JSON

        ## `tool make`

        Make a thing

        It is made at once.

        ```text
        tool make [OPTIONS] <ID>...
        ```

        - `<ID>...`: Whose
        - `-n, --lines <N>`: How many. Default: `10`
        - `--kind <kind>`: Which. One of `a`, `b`

        ## `tool clock`

        Tick

        ```text
        tool clock [OPTIONS] [COMMAND]
        ```

        - `--dry`

        ## `tool clock stop`

        ```text
        tool clock stop [OPTIONS]
        ```

        - `--dry`
        ");
    }

    #[test]
    fn every_shown_command_has_a_page() {
        let pages = man_pages(&small());
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["tool.1", "tool-make.1", "tool-clock.1", "tool-clock-stop.1"]);
        assert!(pages.iter().all(|(_, text)| text.starts_with(b".ie")), "not roff");
        assert_eq!(pages, man_pages(&small()));
        for (name, text) in &pages {
            let text = String::from_utf8_lossy(text);
            let title = text.lines().find(|line| line.starts_with(".TH ")).unwrap();
            assert!(title.contains("\"tool 1.0.0\""), "{name}: {title}");
        }
    }

    #[test]
    fn headings_of_the_long_help_become_sections() {
        let text = "Examples:\n  $ tool --x 'a'\n  .dot \\n\n\nExit codes:\n  0  done";
        let command = small().after_help("See more.").after_long_help(text);
        let (_, page) = man_pages(&command).remove(0);
        let page = String::from_utf8(page).unwrap();
        let (_, end) = page
            .split_once(".SH EXAMPLES")
            .unwrap_or_else(|| page.split_once(".SH \"EXAMPLES\"").expect("a section of examples"));
        insta::assert_snapshot!(end.trim_start(), @r#"
        .nf
        \&$ tool \-\-x 'a'
        \&.dot \en
        .fi
        .SH "EXIT CODES"
        .nf
        \&0  done
        .fi
        "#);
        assert!(cli_reference(&command).contains("Exit codes:\n\n```text\n0  done\n```\n"));
    }

    #[test]
    fn three_shells_are_completed() {
        let scripts = completions(&small(), &["mine"]);
        let names: Vec<_> = scripts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["tool.bash", "_tool", "tool.fish"]);
        for (name, script) in scripts {
            assert!(String::from_utf8(script).unwrap().contains("make"), "{name}");
        }
    }

    #[test]
    fn the_schemas_name_what_is_in_the_record() {
        let schema = record_schema();
        let properties = schema["properties"].as_object().unwrap();
        for key in ["schema", "id", "lifecycle", "handles", "reactions", "outbox", "intent"] {
            assert!(properties.contains_key(key), "{key}");
        }
        let answers = answer_schema();
        assert!(!answers["anyOf"].as_array().unwrap().is_empty());
        assert!(answers["$defs"]["SessionAnswer"].is_object());
    }
}
