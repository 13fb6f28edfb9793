//! The schema of a file beside the records, which every version's form of it tells.

use serde::Deserialize;

/// Returns the schema that a file tells of, where it is newer than the one that is `known`: the
/// rest of the file may have any shape then, and what this version cannot read is not damaged.
pub fn newer(bytes: &[u8], known: u64) -> Option<u64> {
    #[derive(Deserialize)]
    struct Form {
        schema: u64,
    }
    let form: Form = serde_json::from_slice(bytes).ok()?;
    (form.schema > known).then_some(form.schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_of_a_newer_schema_is_newer() {
        for (text, expected) in [
            (r#"{"schema":2,"rounds":{}}"#, Some(2)),
            (r#"{"rounds":[],"schema":3}"#, Some(3)),
            (r#"{"schema":1}"#, None),
            (r#"{"schema":"2"}"#, None),
            (r#"{"schema":2"#, None),
            ("{}", None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(newer(text.as_bytes(), 1), expected, "{text}");
        }
    }
}
