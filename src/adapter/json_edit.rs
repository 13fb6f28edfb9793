//! Changes single values of other programs' JSON files, comments and layout kept.
//!
//! Pure: texts in, texts out. Places are JSON pointers (RFC 6901). Where an object has a name twice,
//! the last is meant, which is the one that programs read.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;

/// A document that is being changed.
#[derive(Debug)]
pub struct Document {
    root: CstRootNode,
}

/// Why a document cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is not JSON, comments and trailing commas allowed.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// Something else than what has to be there is there.
    #[error("`{at}` is no {wanted}")]
    Type {
        /// The pointer.
        at: String,
        /// "object" or "array".
        wanted: &'static str,
    },
}

impl Document {
    /// Reads a document; nothing but white space is an empty object.
    pub fn parse(text: &str) -> Result<Self, EditError> {
        let text = if text.trim().is_empty() { "{}\n" } else { text };
        let root = CstRootNode::parse(text, &ParseOptions::default())
            .map_err(|error| EditError::Syntax(error.to_string()))?;
        match root.object_value() {
            Some(_) => Ok(Self { root }),
            None => Err(EditError::Type { at: String::new(), wanted: "object" }),
        }
    }

    /// Returns the whole as it would be written.
    pub fn text(&self) -> String {
        self.root.to_string()
    }

    /// Returns the value at `pointer`.
    pub fn value(&self, pointer: &str) -> Option<Value> {
        let value = self.root.to_serde_value()?;
        value.pointer(pointer).cloned()
    }

    /// Appends `value` to the array at `pointer`, which is made where it is missing.
    pub fn append(&self, pointer: &str, value: &Value) -> Result<(), EditError> {
        let (parent, last) = self.parent(pointer)?;
        let property = property(&parent, &last)
            .unwrap_or_else(|| parent.append(&last, CstInputValue::Array(Vec::new())));
        let array = property
            .array_value()
            .ok_or_else(|| EditError::Type { at: pointer.to_owned(), wanted: "array" })?;
        array.append(input(value));
        Ok(())
    }

    /// Puts `value` at `pointer`, over what is there.
    pub fn set(&self, pointer: &str, value: &Value) -> Result<(), EditError> {
        let (parent, last) = self.parent(pointer)?;
        match property(&parent, &last) {
            Some(property) => property.set_value(input(value)),
            None => {
                parent.append(&last, input(value));
            }
        }
        Ok(())
    }

    /// Removes what `wanted` says from the array at `pointer`, and returns how many that were.
    pub fn remove_elements(&self, pointer: &str, wanted: impl Fn(&Value) -> bool) -> usize {
        let Some(array) = self.array(pointer) else { return 0 };
        let fits = |node: &CstNode| node.to_serde_value().is_some_and(|value| wanted(&value));
        let found: Vec<CstNode> = array.elements().into_iter().filter(fits).collect();
        let count = found.len();
        for node in found {
            node.remove();
        }
        count
    }

    /// Removes the value at `pointer`, if it is there.
    pub fn remove(&self, pointer: &str) {
        let mut names = names(pointer);
        let Some(last) = names.pop() else { return };
        if let Some(found) = self.object(&names).and_then(|parent| property(&parent, &last)) {
            found.remove();
        }
    }

    /// Removes the object or array at `pointer` if it is empty and `had` does not say that it was
    /// there before, and then likewise what holds it.
    pub fn prune(&self, pointer: &str, had: impl Fn(&str) -> bool) {
        let mut pointer = pointer.to_owned();
        while !pointer.is_empty() {
            let empty = match self.value(&pointer) {
                Some(Value::Object(map)) => map.is_empty(),
                Some(Value::Array(values)) => values.is_empty(),
                Some(_) => false,
                None => true,
            };
            if !empty || had(&pointer) {
                return;
            }
            self.remove(&pointer);
            pointer.truncate(parent_of(&pointer).len());
        }
    }

    /// Returns the pointers to what holds `pointer` that are there, the innermost first.
    pub fn holders(&self, pointer: &str) -> Vec<String> {
        let Some(whole) = self.value("") else { return Vec::new() };
        let mut found = Vec::new();
        let mut pointer = parent_of(pointer);
        while !pointer.is_empty() {
            found.extend(whole.pointer(pointer).is_some().then(|| pointer.to_owned()));
            pointer = parent_of(pointer);
        }
        found
    }

    /// Returns the object that holds the last name of `pointer`, made where it is missing.
    fn parent(&self, pointer: &str) -> Result<(CstObject, String), EditError> {
        let wrong = || EditError::Type { at: pointer.to_owned(), wanted: "object" };
        let mut names = names(pointer);
        let last = names.pop().ok_or_else(wrong)?;
        let mut object = self.root.object_value().ok_or_else(wrong)?;
        for name in names {
            let property = property(&object, &name)
                .unwrap_or_else(|| object.append(&name, CstInputValue::Object(Vec::new())));
            object = property.object_value().ok_or_else(wrong)?;
        }
        Ok((object, last))
    }

    fn object(&self, names: &[String]) -> Option<CstObject> {
        let step = |object: CstObject, name: &String| property(&object, name)?.object_value();
        names.iter().try_fold(self.root.object_value()?, step)
    }

    fn array(&self, pointer: &str) -> Option<CstArray> {
        let mut names = names(pointer);
        let last = names.pop()?;
        property(&self.object(&names)?, &last)?.array_value()
    }
}

/// Returns what `object` has under `name`.
fn property(object: &CstObject, name: &str) -> Option<CstObjectProp> {
    let is_named = |it: &CstObjectProp| it.decoded_name().as_deref() == Some(name);
    object.properties().into_iter().rev().find(is_named)
}

/// Returns `name` as a part of a JSON pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Returns the pointer to what holds `pointer`.
pub fn parent_of(pointer: &str) -> &str {
    &pointer[..pointer.rfind('/').unwrap_or(0)]
}

fn names(pointer: &str) -> Vec<String> {
    let parts = pointer.split('/').skip(1);
    parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(map) => CstInputValue::Object(
            map.iter().map(|(name, value)| (name.clone(), input(value))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "{\n  // mine\n  \"a\": {\"x\": [1, 2,],},\n\n  \"b\" : 7\n}\n";

    #[test]
    fn what_is_not_changed_stays_byte_for_byte() {
        let document = Document::parse(TEXT).unwrap();
        assert_eq!(document.text(), TEXT);
        document.append("/a/x", &json!({"c": "d"})).unwrap();
        document.append("/h/Stop", &json!("e")).unwrap();
        document.set("/p/~1w~0/t", &json!(true)).unwrap();
        let changed = document.text();
        assert!(changed.starts_with("{\n  // mine\n  \"a\": {\"x\": ["), "{changed}");
        assert!(changed.contains("\n\n  \"b\" : 7,\n"), "{changed}");
        assert_eq!(
            document.value("").unwrap(),
            json!({"a": {"x": [1, 2, {"c": "d"}]}, "b": 7, "h": {"Stop": ["e"]}, "p": {"/w~": {"t": true}}})
        );
    }

    #[test]
    fn what_was_added_goes_again_and_leaves_nothing_empty() {
        let document = Document::parse(TEXT).unwrap();
        document.append("/h/Stop", &json!("e")).unwrap();
        document.set("/p/w", &json!(true)).unwrap();
        let original = Document::parse(TEXT).unwrap().value("");
        assert_eq!(document.remove_elements("/h/Stop", |value| value == "e"), 1);
        assert_eq!(document.remove_elements("/h/Stop", |_| true), 0);
        let had = |pointer: &str| original.as_ref().is_some_and(|o| o.pointer(pointer).is_some());
        document.prune("/h/Stop", had);
        document.remove("/p/w");
        document.prune("/p", had);
        assert_eq!(document.holders("/a/x/y/z"), ["/a/x", "/a"]);
        assert_eq!(document.value(""), original);
    }

    #[test]
    fn of_a_name_that_is_there_twice_the_last_is_meant() {
        let text = r#"{"a": {"x": ["first"]}, "a": {"x": 1, "x": ["last"]}, "b": 1, "b": 2}"#;
        let document = Document::parse(text).unwrap();
        document.append("/a/x", &json!("more")).unwrap();
        document.set("/b", &json!(3)).unwrap();
        assert_eq!(document.value("").unwrap(), json!({"a": {"x": ["last", "more"]}, "b": 3}));
        assert_eq!(document.remove_elements("/a/x", |value| value == "more"), 1);
        document.set("/b", &json!(2)).unwrap();
        assert_eq!(document.text(), text);
        document.remove("/b");
        assert_eq!(document.value("/b"), Some(json!(1)));
    }

    #[test]
    fn what_is_something_else_is_refused() {
        assert!(matches!(Document::parse("{"), Err(EditError::Syntax(_))));
        assert!(matches!(Document::parse("[1]"), Err(EditError::Type { .. })));
        assert_eq!(Document::parse(" \n").unwrap().text(), "{}\n");
        let document = Document::parse(TEXT).unwrap();
        let error = document.append("/b", &json!(1)).unwrap_err().to_string();
        assert_eq!(error, "`/b` is no array");
        assert_eq!(document.set("/b/c", &json!(1)).unwrap_err().to_string(), "`/b/c` is no object");
        assert_eq!(document.text(), TEXT);
    }
}
