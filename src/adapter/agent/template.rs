//! Words with placeholders, as cards write them: `{name}`, and `{{` and `}}` for braces.

use serde_json::Value;

use crate::model::collect::Sorted;

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Itself.
    Text(String),
    /// What this placeholder stands for.
    Name(String),
}

/// Returns the pieces of `word`; `None` where a brace is not closed.
pub(super) fn parts(word: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
        } else if brace == "}" {
            text.push('}');
        } else {
            let (name, after) = rest.split_once('}')?;
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Name(name.to_owned()));
            rest = after;
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Some(parts)
}

/// Returns `word` with each placeholder replaced by what `value` gives for it.
///
/// What a placeholder stands for is not looked at again.
pub(super) fn fill(word: &str, value: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let mut filled = Vec::new();
    for part in parts(word).unwrap_or_default() {
        match part {
            Part::Text(text) => filled.extend_from_slice(text.as_bytes()),
            Part::Name(name) => filled.extend(value(&name)),
        }
    }
    filled
}

/// Returns `value` with each text in it replaced by what `filled` makes of it.
pub(super) fn fill_texts(value: Value, filled: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(filled(&text)),
        Value::Array(values) => values.into_iter().map(|value| fill_texts(value, filled)).collect(),
        Value::Object(map) => {
            let members = map.into_iter().map(|(name, value)| (name, fill_texts(value, filled)));
            Value::Object(members.into_object())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(word: &str) -> String {
        String::from_utf8(fill(word, |name| format!("<{name}>").into_bytes())).unwrap()
    }

    #[test]
    fn placeholders_and_braces() {
        assert_eq!(filled("plain"), "plain");
        assert_eq!(filled("a{b}c{d}"), "a<b>c<d>");
        assert_eq!(filled("{{{b}={{x}}}}"), "{<b>={x}}");
        assert_eq!(filled("}"), "}");
        assert_eq!(parts("{open"), None);
        assert_eq!(parts("{"), None);
    }
}
