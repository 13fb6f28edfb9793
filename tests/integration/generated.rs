//! What is generated and committed is what the program would generate.
//!
//! `UPDATE=1 cargo test generated` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ao::generate;
use clap::{Arg, Command};
use serde_json::Value;

/// Compares `files` with those of a folder; with `UPDATE=1` makes the folder the same.
///
/// Where `whole`, the folder holds nothing else.
#[track_caller]
fn same(folder: &str, files: &[(String, Vec<u8>)], whole: bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let wanted: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let stray: Vec<String> = fs::read_dir(&path)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| whole && !wanted.contains(name.as_str()))
        .collect();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(&path).unwrap();
        stray.iter().for_each(|name| fs::remove_file(path.join(name)).unwrap());
        files.iter().for_each(|(name, text)| fs::write(path.join(name), text).unwrap());
        return;
    }
    assert!(stray.is_empty(), "{folder}/ has files that nothing generates: {stray:?}");
    for (name, text) in files {
        let committed = fs::read(path.join(name)).unwrap_or_default();
        assert!(
            committed == *text,
            "{folder}/{name} is not what would be generated: run UPDATE=1 cargo test generated"
        );
    }
}

fn pretty(schema: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(schema).unwrap();
    text.push(b'\n');
    text
}

#[test]
fn the_schemas_are_up_to_date() {
    let files = [
        ("record.schema.json".to_owned(), pretty(&generate::record_schema())),
        ("answers.schema.json".to_owned(), pretty(&generate::answer_schema())),
    ];
    same("docs", &files, false);
    let carried = [
        ("record.json".to_owned(), generate::record_schema().to_string().into_bytes()),
        ("answers.json".to_owned(), generate::answer_schema().to_string().into_bytes()),
    ];
    same("src/generate", &carried, false);
}

#[test]
fn the_man_pages_are_up_to_date() {
    same("man", &generate::man_pages(&ao::cli::command()), true);
}

#[test]
fn the_completions_are_up_to_date() {
    same(
        "completions",
        &generate::completions(&ao::cli::command(), &ao::adapter::agent::built_in_names()),
        true,
    );
}

#[test]
fn what_a_hook_reads_of_a_card_is_up_to_date() {
    let lines = ao::adapter::agent::built_in_hearings().into_bytes();
    same("src/adapter/agent/cards", &[("hearings.jsonl".to_owned(), lines)], false);
}

/// Returns every command that is shown, with its words: `config set`.
fn commands(command: &Command, words: &str) -> Vec<(String, Command)> {
    let mut found = vec![(words.to_owned(), command.clone())];
    for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
        found.extend(commands(child, format!("{words} {}", child.get_name()).trim()));
    }
    found
}

#[test]
fn every_command_and_every_argument_says_what_it_is_for() {
    let mut silent = Vec::new();
    for (words, command) in commands(&ao::cli::command(), "") {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        if about.trim().is_empty() || about.ends_with('.') {
            silent.push(format!("`ao {words}`: about"));
        }
        let help = |it: &Arg| it.get_long_help().or(it.get_help()).map(ToString::to_string);
        for argument in command.get_arguments().filter(|it| !it.is_hide_set()) {
            if help(argument).unwrap_or_default().trim().is_empty() {
                silent.push(format!("`ao {words}`: {}", argument.get_id()));
            }
        }
    }
    assert!(silent.is_empty(), "without a word of help: {silent:#?}");
}

#[test]
fn every_command_has_an_example_that_can_be_typed() {
    let tree = ao::cli::command();
    let mut offences = Vec::new();
    for (words, command) in commands(&tree, "") {
        if command.has_subcommands() && !words.is_empty() {
            continue;
        }
        let text = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> =
            text.lines().filter_map(|line| line.trim().strip_prefix("$ ")).collect();
        if examples.is_empty() {
            offences.push(format!("`ao {words} --help` shows none"));
        }
        for example in examples {
            for typed in commands_in(example) {
                if let Err(error) = tree.clone().try_get_matches_from(&typed) {
                    offences.push(format!("`ao {words}`: {example}\n{error}"));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// Returns the words of each `ao` in a line of shell.
fn commands_in(line: &str) -> Vec<Vec<String>> {
    let line = line.split("  #").next().unwrap();
    let parts = ["|", "&&", "||", ";", ">", "<"];
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    for word in shell_words(line) {
        if parts.contains(&word.as_str()) {
            commands.push(Vec::new());
        } else {
            commands.last_mut().unwrap().push(word);
        }
    }
    commands.retain(|words| words.first().is_some_and(|word| word == "ao"));
    commands
}

/// Splits at blanks outside of quotes, and takes the quotes away.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn the_units_of_the_package_are_up_to_date() {
    let units = ao::adapter::scheduler::packaged_units();
    let files = units.map(|(name, text)| (name.to_owned(), text.into_bytes()));
    same("systemd", &files, true);
}

#[test]
fn the_reference_is_up_to_date() {
    let text = generate::cli_reference(&ao::cli::command()).into_bytes();
    same("docs", &[("cli-reference.md".to_owned(), text)], false);
}
