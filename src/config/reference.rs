//! The configuration described in its own format: the reference, and the file `ao init` writes.

use std::fmt::Write;

use crate::config::keys::{FromRepository, HOME_WIDE, KEYS, Key, Kind, REACTIONS};
use crate::config::layers::VARIABLES;
use crate::model::policy::ReactionPolicy;
use crate::model::template::VARIABLES as VARIABLES_OF_TEXTS;

/// Returns every key with its default and meaning, as a TOML file of comments.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration of ao. Later layers win: built in, the user's config.toml, the\n\
         # repository's .ao/config.toml, what the user's file says of this one project, the\n\
         # environment, flags.\n",
    );
    for key in KEYS {
        describe(&mut text, key, true);
    }
    let _ = write!(
        text,
        "\n# What differs in one project, in the user's file: any key above but {}.\n\
         # `ao config set --project ID KEY VALUE` writes it.\n\
         # projects.ID.reactions.ci-failed.retries = 3\n\
         \n# The variables of a text of your own; what strangers wrote is made one line or quoted.\n",
        HOME_WIDE.join(", ")
    );
    for (name, meaning) in VARIABLES_OF_TEXTS {
        let _ = writeln!(text, "# {{{name}}}: {meaning}");
    }
    text.push_str("\n# The reactions, and what each does where nothing is set.\n");
    for name in REACTIONS {
        let _ = writeln!(text, "# reactions.{name}: {}", built_in(name));
    }
    text
}

/// Returns what a reaction does where nothing is set.
fn built_in(name: &str) -> String {
    let row = ReactionPolicy::built_in(name);
    let duration = |(key, value)| Some(format!("{key} {}", humantime::format_duration(value?)));
    let parts = [
        row.action.map(|action| action.to_string()),
        row.priority.map(|priority| format!("priority {priority}")),
        row.retries.map(|retries| format!("retries {retries}")),
        duration(("escalate_after", row.escalate_after)),
        duration(("after", row.after)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
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
    // One that would be refused is no example.
    let own = (key.path == "notifiers.*.timeout").then_some("\"10s\"");
    let value = key.default.or(own).unwrap_or(example(key.kind));
    let path = key.path.replace("reactions.*.after", "reactions.agent-idle.after");
    let path = path.replace("reactions.*", "reactions.ci-failed");
    let path = path.replace("notifiers.*", "notifiers.NAME").replace("env.*", "env.NAME");
    let mark = if key.default.is_some() { "" } else { " # unset by default" };
    let _ = writeln!(text, "# {path} = {value}{mark}");
}

/// Returns a value to show where there is no default.
fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Secret | Kind::Template => "\"…\"",
        Kind::Variable => "\"AO_HOOK\"",
        Kind::Path => "\"/absolute/path\"",
        Kind::RelativePaths | Kind::Agents | Kind::Words(_) | Kind::Commands => "[]",
        Kind::Word(words) => match words.first() {
            Some(&"default") => "\"default\"",
            Some(&"send") => "\"send\"",
            Some(&"urgent") => "\"urgent\"",
            Some(&"self") => "\"self\"",
            Some(_) | None => "\"command\"",
        },
        Kind::Number(..) => "2",
        Kind::Switch => "true",
        Kind::Duration => "\"30m\"",
        Kind::Window => "\"22:00-07:00\"",
        Kind::Accounts => "[\"…\"]",
        Kind::Command => "[\"make\", \"test\"]",
        Kind::Size => "[200, 50]",
        Kind::BranchTemplate => "\"ao/{id}\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `text` with the comment marks of its settings taken away.
    fn uncommented(text: &str) -> String {
        let is_setting = |line: &&str| {
            KEYS.iter().any(|key| line[2..].starts_with(key.path.split(".*").next().unwrap()))
                && line.contains(" = ")
        };
        text.lines()
            .filter(|line| line.starts_with("# "))
            .filter(is_setting)
            .map(|line| format!("{}\n", &line[2..]))
            .collect()
    }

    #[test]
    fn every_key_is_there_with_its_default() {
        let text = reference();
        for key in KEYS {
            let path = key.path.replace(".*", ".");
            let stem = path.split("..").next().unwrap();
            assert!(text.contains(&format!("# {stem}")), "{}", key.path);
            assert!(text.contains(key.meaning), "{}", key.path);
            if let Some(default) = key.default {
                assert!(text.contains(&format!("\n# {} = {default}\n", key.path)), "{}", key.path);
            }
        }
    }

    #[test]
    fn every_reaction_is_there_with_what_it_does() {
        let text = reference();
        for line in [
            "# reactions.agent-needs-input: notify, priority urgent\n",
            "# reactions.agent-idle: send, priority warning, retries 2, escalate_after 15m, after 5m\n",
            "# reactions.merge-conflicts: send, priority action, escalate_after 15m\n",
            "# reactions.approved-and-green: notify, priority action\n",
        ] {
            assert!(text.contains(line), "{line}");
        }
        assert_eq!(text.matches("\n# reactions.").count(), 9 + REACTIONS.len());
    }

    #[test]
    fn both_files_are_toml_and_so_is_what_they_comment_out() {
        for text in [reference(), initial_repository_file()] {
            assert!(text.parse::<toml::Table>().unwrap().is_empty());
            uncommented(&text).parse::<toml::Table>().unwrap();
        }
    }

    #[test]
    fn the_repositorys_file_offers_only_what_a_repository_may_set() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let text = uncommented(&initial_repository_file());
        crate::adapter::fs::replace(
            &path,
            text.as_bytes(),
            crate::adapter::fs::Durability::Process,
        )
        .unwrap();
        let sources = crate::config::Sources { repository: Some(path), ..Default::default() };
        crate::config::load(&sources).unwrap();
        for refused in ["notifiers", "env.", "model", "workspace.root"] {
            assert!(!text.contains(refused), "{refused}");
        }
    }
}
