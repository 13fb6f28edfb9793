//! The configuration as a person may see it: without the secrets in it.

use toml::{Table, Value};

use crate::config::keys::{self, Kind};
use crate::config::layers::Layered;
use crate::config::origin::Origin;
use crate::model::secret::REDACTED;

impl Layered {
    /// Returns every value with its origin, sorted by key, for showing to a person: secrets and the
    /// arguments of notifiers are redacted.
    pub fn shown(&self) -> Vec<(&str, Value, &Origin)> {
        let line = |(key, origin)| {
            let (key, origin): (&String, &Origin) = (key, origin);
            Some((key.as_str(), self.value(key)?, origin))
        };
        self.origins().iter().filter_map(line).collect()
    }

    /// Returns the value or the table at a dotted key, its secrets redacted.
    pub fn value(&self, key: &str) -> Option<Value> {
        let mut path: Vec<String> = key.split('.').map(str::to_owned).collect();
        let (first, rest) = path.split_first()?;
        let value = rest
            .iter()
            .try_fold(self.values().get(first)?, |value, part| value.as_table()?.get(part))?;
        Some(without_secrets(&mut path, value))
    }
}

/// Returns `value` without the secrets in it: texts of secret keys, and the arguments of what is
/// run to tell somebody.
fn without_secrets(path: &mut Vec<String>, value: &Value) -> Value {
    let hidden = || Value::String(REDACTED.to_owned());
    let key = keys::find(path);
    let tells = key
        .is_some_and(|key| key.path.starts_with("notifiers.") || key.path.starts_with("tracker."));
    match (key.map(|key| key.kind), value) {
        (Some(Kind::Secret), _) => hidden(),
        (Some(Kind::Command), Value::Array(command)) if tells => {
            let program = command.first().cloned();
            Value::Array(program.into_iter().chain([hidden()]).collect())
        }
        (_, Value::Table(table)) => {
            let mut shown = Table::new();
            for (name, value) in table {
                path.push(name.clone());
                shown.insert(name.clone(), without_secrets(path, value));
                path.pop();
            }
            Value::Table(shown)
        }
        (_, _) => value.clone(),
    }
}
