//! Texts of the user's own with variables in them: `{sha}` is filled in, `{{` and `}}` are braces.

/// The variables of a reaction's text, each with its meaning. Whatever strangers wrote is made one
/// line or quoted by the variable itself.
pub const VARIABLES: &[(&str, &str)] = &[
    ("id", "the session's id"),
    ("title", "the session's title, on one line"),
    ("project", "the project's id"),
    ("status", "the session's status, as `ao ls` shows it"),
    ("reason", "why it is so: the reason of the session or of its pull request"),
    ("issue", "the issue that the session works on"),
    ("branch", "the session's branch"),
    ("base", "what the branch started from"),
    ("workspace", "the session's directory"),
    ("number", "the pull request's number"),
    ("url", "the pull request's address, on one line"),
    ("sha", "the pull request's head commit"),
    ("checks", "the failing checks' names, on one line"),
    ("log", "the end of the failing log, quoted in a fence"),
    ("comments", "the unresolved comments with place and author, each quoted in a fence"),
    ("attempt", "how often the agent has been asked, this time included"),
];

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text that stays as it is.
    Text(&'a str),
    /// The variable of this name, one of [`VARIABLES`].
    Variable(&'a str),
}

/// Returns the parts of `template`; what is no known variable is text.
pub fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        let (part, length) = match variable(brace) {
            Some(name) => (Part::Variable(name), name.len() + 2),
            None if is_doubled(brace) => (Part::Text(&brace[..1]), 2),
            None => (Part::Text(&brace[..1]), 1),
        };
        parts.push(part);
        rest = &brace[length..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// Returns whether every `{` of `template` begins a known variable or is doubled.
pub fn is_valid(template: &str) -> bool {
    let mut rest = template;
    while let Some((_, brace)) = rest.find(['{', '}']).map(|at| rest.split_at(at)) {
        let length = match variable(brace) {
            Some(name) => name.len() + 2,
            None if is_doubled(brace) => 2,
            None if brace.starts_with('}') => 1,
            None => return false,
        };
        rest = &brace[length..];
    }
    true
}

/// Returns the known variable at the start of `text`, which begins with a brace.
fn variable(text: &str) -> Option<&str> {
    // Not by the next `}`: in a text of nothing but `{` that would be looked for again and again.
    let rest = text.strip_prefix('{')?;
    let is_here = |name: &&str| rest.strip_prefix(*name).is_some_and(|rest| rest.starts_with('}'));
    VARIABLES.iter().map(|(name, _)| *name).find(is_here).map(|name| &rest[..name.len()])
}

fn is_doubled(text: &str) -> bool {
    text.starts_with("{{") || text.starts_with("}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_and_braces_stay() {
        let shown = |template: &str| {
            let part = |part: Part<'_>| match part {
                Part::Text(text) => text.to_owned(),
                Part::Variable(name) => format!("<{name}>"),
            };
            parts(template).into_iter().map(part).collect::<String>()
        };
        for (template, expected, valid) in [
            ("", "", true),
            ("plain", "plain", true),
            ("{id}", "<id>", true),
            ("a{id}b{sha}c", "a<id>b<sha>c", true),
            ("{{id}}", "{id}", true),
            ("{{{id}}}", "{<id>}", true),
            ("fn x() {{ {log} }}", "fn x() { <log> }", true),
            ("a } b", "a } b", true),
            ("{what}", "{what}", false),
            ("{Id}", "{Id}", false),
            ("{ id }", "{ id }", false),
            ("{id", "{id", false),
            ("{", "{", false),
            ("{log {} }{", "{log {} }{", false),
        ] {
            assert_eq!((shown(template).as_str(), is_valid(template)), (expected, valid));
        }
    }
}
