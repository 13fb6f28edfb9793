//! Places in the agent's own directories, which its environment names.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::adapter::agent::template::{self, Part};

/// The agent's environment: a variable's value, absent where it is not set.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Returns the path that a template with `{env:NAME}` stands for; `None` where a variable is not
/// set or the path is not absolute.
pub(super) fn place(word: &str, variables: Variables<'_>) -> Option<PathBuf> {
    place_of(&template::parts(word)?, variables)
}

/// [`place`] of a template that was taken apart.
pub(super) fn place_of(parts: &[Part], variables: Variables<'_>) -> Option<PathBuf> {
    let mut path = OsString::new();
    for part in parts {
        match part {
            Part::Text(text) => path.push(text),
            Part::Name(name) => {
                let value = variables(name.strip_prefix("env:")?);
                path.push(value.filter(|value| !value.is_empty())?);
            }
        }
    }
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

/// Returns the first of `words` that is a place.
pub(super) fn first_place(words: &[String], variables: Variables<'_>) -> Option<PathBuf> {
    words.iter().find_map(|word| place(word, variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_a_place() {
        let variables = |name: &str| match name {
            "HOME" => Some(OsString::from("/home/me")),
            "RELATIVE" => Some(OsString::from("me")),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        };
        let found = |word: &str| place(word, &variables);
        assert_eq!(found("{env:HOME}/.x"), Some(PathBuf::from("/home/me/.x")));
        for word in ["{env:NONE}/.x", "{env:EMPTY}/.x", "{env:RELATIVE}/.x", "{env:HOME"] {
            assert_eq!(found(word), None, "{word}");
        }
        let words = ["{env:NONE}/a".to_owned(), "{env:HOME}/b".to_owned()];
        assert_eq!(first_place(&words, &variables), Some(PathBuf::from("/home/me/b")));
    }
}
