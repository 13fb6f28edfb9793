//! The configuration described in its own format: the reference, and the file `ao init` writes.

use std::fmt::Write;

use crate::config::keys::{FromRepository, KEYS, Key, Kind};
use crate::config::layers::VARIABLES;

/// Returns every key with its default and meaning, as a TOML file of comments.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration of ao. Later layers win: built in, the user's config.toml, the\n\
         # repository's .ao/config.toml, the environment, flags.\n",
    );
    for key in KEYS {
        describe(&mut text, key, true);
    }
    text
}

/// Returns the commented file that `ao init` writes as `.ao/config.toml`.
pub fn initial_repository_file() -> String {
    let mut text = String::from(
        "# What this repository asks of ao. Everything is optional.\n\
         # Commands run only after the person has approved them with `ao trust`.\n",
    );
    for key in KEYS.iter().filter(|key| key.from_repository != FromRepository::Refused) {
        describe(&mut text, key, false);
    }
    text
}

fn describe(text: &mut String, key: &Key, notes: bool) {
    let _ = writeln!(text, "\n# {}", key.meaning);
    let _ = writeln!(text, "# Must be {}.", key.kind.allowed());
    if notes {
        if let Some((name, _)) = VARIABLES.iter().find(|(_, path)| *path == key.path) {
            let _ = writeln!(text, "# Environment: {name}");
        }
        match key.from_repository {
            FromRepository::Allowed => text.push_str("# A repository may set it.\n"),
            FromRepository::Approved => {
                text.push_str("# A repository may set it; it counts after `ao trust`.\n");
            }
            FromRepository::Refused => {}
        }
    }
    let value = key.default.unwrap_or(example(key.kind));
    let path = key.path.replace("reactions.*", "reactions.ci-failed");
    let path = path.replace("notifiers.*", "notifiers.NAME").replace("env.*", "env.NAME");
    let mark = if key.default.is_some() { "" } else { " # unset by default" };
    let _ = writeln!(text, "# {path} = {value}{mark}");
}

/// Returns a value to show where there is no default.
fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Secret => "\"…\"",
        Kind::Path => "\"/absolute/path\"",
        Kind::RelativePaths | Kind::Words(_) | Kind::Commands => "[]",
        Kind::Word(words) => match words.first() {
            Some(&"default") => "\"default\"",
            Some(&"send") => "\"send\"",
            Some(&"urgent") => "\"urgent\"",
            Some(_) | None => "\"command\"",
        },
        Kind::Number(..) => "2",
        Kind::Switch => "true",
        Kind::Duration => "\"30m\"",
        Kind::Command => "[\"make\", \"test\"]",
        Kind::Size => "[200, 50]",
        Kind::BranchTemplate => "\"ao/{id}\"",
    }
}
