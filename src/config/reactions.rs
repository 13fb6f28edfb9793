//! What single keys allow and a reaction as a whole does not.

use serde::Deserialize;
use toml::Value;

use crate::model::policy::{Action, Policy, ReactionPolicy};

/// Returns the setting of the reaction `key` that cannot be, and why not.
pub(super) fn fault(key: &str, value: &Value) -> Option<(&'static str, String)> {
    let set = ReactionPolicy::deserialize(value.clone()).ok()?;
    if set.after.is_some() && key != "agent-idle" {
        return Some(("after", "counts for `agent-idle` alone".to_owned()));
    }
    let policy = Policy { reactions: [(key.to_owned(), set)].into(), ..Policy::default() };
    let reaction = policy.reaction(key);
    match reaction.action {
        Some(Action::Run) if reaction.command.is_empty() => {
            Some(("action", "is `run`, which needs `command`; set that first".to_owned()))
        }
        Some(Action::Merge) if key != "approved-and-green" => {
            Some(("action", "is `merge`, which only `approved-and-green` can do".to_owned()))
        }
        Some(Action::Run | Action::Merge | Action::Send | Action::Notify | Action::None) | None => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reaction_cannot_do_is_found() {
        let fault = |key: &str, text: &str| {
            let table: toml::Table = text.parse().unwrap();
            fault(key, &Value::Table(table)).map(|(name, _)| name)
        };
        for (key, text, expected) in [
            ("ci-failed", "action = 'run'", Some("action")),
            ("ci-failed", "action = 'run'\ncommand = ['x']", None),
            ("ci-failed", "command = ['x']", None),
            ("ci-failed", "action = 'merge'", Some("action")),
            ("approved-and-green", "action = 'merge'", None),
            ("agent-idle", "after = '1m'", None),
            ("agent-stuck", "after = '1m'", Some("after")),
            ("agent-stuck", "to = 'parent'", None),
        ] {
            assert_eq!(fault(key, text), expected, "{key} {text}");
        }
    }
}
