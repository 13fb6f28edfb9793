//! Checks answers against the generated JSON Schemas.
//!
//! Understands what those schemas use: types, properties, items, references, alternatives,
//! enumerations, constants, limits and formats; a keyword that it does not know is a fault of the
//! schema. Stricter than the schemas themselves, which leave room for keys of later versions: a key
//! that no schema names is a fault here.

use std::collections::BTreeSet;

use ao::generate;
use serde_json::Value;

/// Asserts that `answer` is the document that the definition `name` (`SessionsAnswer`, …) describes.
#[track_caller]
pub(crate) fn assert_answer(name: &str, answer: &Value) {
    let schema = generate::answer_schema();
    let faults = faults(&schema, &schema["$defs"][name], answer, name);
    assert!(faults.is_empty(), "{}\nin {answer:#}", faults.join("\n"));
}

/// Returns whether `answer` is the document that the definition `name` describes.
pub(crate) fn is_answer(name: &str, answer: &Value) -> bool {
    let schema = generate::answer_schema();
    faults(&schema, &schema["$defs"][name], answer, name).is_empty()
}

/// Asserts that `record` is what the record's schema describes.
#[track_caller]
pub(crate) fn assert_record(record: &Value) {
    let schema = generate::record_schema();
    let faults = faults(&schema, &schema, record, "record");
    assert!(faults.is_empty(), "{}\nin {record:#}", faults.join("\n"));
}

/// Returns what is wrong with `value`, keys that nothing names among it.
fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = open_faults(root, schema, value, at);
    if let (Value::Object(object), Some(known)) = (value, keys(root, schema, value)) {
        let strange = object.keys().filter(|key| !known.contains(key.as_str()));
        found.extend(strange.map(|key| format!("{at}: no schema knows `{key}`")));
    }
    found
}

/// Returns the keys of the object `value` that `schema` describes; `None` where it leaves all of
/// them open on purpose.
fn keys<'a>(root: &'a Value, schema: &'a Value, value: &Value) -> Option<BTreeSet<&'a str>> {
    let rules = schema.as_object()?;
    let mut known = BTreeSet::new();
    let mut closed = false;
    for (rule, argument) in rules {
        let parts: Vec<&Value> = match rule.as_str() {
            "properties" => {
                known.extend(argument.as_object().unwrap().keys().map(String::as_str));
                closed = true;
                continue;
            }
            // A map of names, or anything at all: every key was looked at as such.
            "additionalProperties" if argument != &Value::Bool(false) => return None,
            "$ref" => {
                let pointer = argument.as_str().unwrap().trim_start_matches('#');
                vec![root.pointer(pointer)?]
            }
            "allOf" => argument.as_array().unwrap().iter().collect(),
            "anyOf" | "oneOf" => {
                let each = argument.as_array().unwrap().iter();
                each.filter(|one| open_faults(root, one, value, "").is_empty()).collect()
            }
            _ => continue,
        };
        for part in parts {
            known.extend(keys(root, part, value)?);
            closed = true;
        }
    }
    closed.then_some(known)
}

/// Returns what is wrong with `value` but for keys that are too many, each fault with its place.
fn open_faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Value::Object(rules) = schema else {
        // `true` allows everything; a definition that is not there allows nothing.
        let allowed = schema.as_bool() == Some(true);
        return if allowed { Vec::new() } else { vec![format!("{at}: nothing is allowed")] };
    };
    let mut found = Vec::new();
    for (rule, argument) in rules {
        match rule.as_str() {
            "$ref" => {
                let pointer = argument.as_str().unwrap().trim_start_matches('#');
                let target = root.pointer(pointer).unwrap_or(&Value::Null);
                found.extend(open_faults(root, target, value, at));
            }
            "type" if !has_type(argument, value) => {
                found.push(format!("{at}: {value} is not {argument}"));
            }
            "enum" if !argument.as_array().unwrap().contains(value) => {
                found.push(format!("{at}: {value} is none of {argument}"));
            }
            "const" if argument != value => {
                found.push(format!("{at}: {value} is not {argument}"));
            }
            "anyOf" | "oneOf" => {
                let each = argument.as_array().unwrap().iter();
                let each: Vec<_> = each.map(|one| open_faults(root, one, value, at)).collect();
                let fitting = each.iter().filter(|faults| faults.is_empty()).count();
                if fitting == 0 {
                    found.extend(each.into_iter().flatten());
                } else if rule == "oneOf" && fitting > 1 {
                    found.push(format!("{at}: {value} is {fitting} of what it may be one of"));
                }
            }
            "allOf" => {
                let each = argument.as_array().unwrap().iter();
                found.extend(each.flat_map(|one| open_faults(root, one, value, at)));
            }
            "required" => {
                let keys = argument.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                let missing = keys.filter(|key| value.is_object() && value.get(key).is_none());
                found.extend(missing.map(|key| format!("{at}: `{key}` is missing")));
            }
            "properties" => {
                for (key, schema) in argument.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        found.extend(faults(root, schema, value, &format!("{at}.{key}")));
                    }
                }
            }
            "additionalProperties" => {
                let known = rules.get("properties").and_then(Value::as_object);
                let is_known = |key: &str| known.is_some_and(|known| known.contains_key(key));
                for (key, value) in value.as_object().into_iter().flatten() {
                    if !is_known(key) {
                        found.extend(faults(root, argument, value, &format!("{at}.{key}")));
                    }
                }
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(faults(root, argument, value, &format!("{at}[{index}]")));
                }
            }
            "minimum" if value.as_f64().is_some_and(|it| it < argument.as_f64().unwrap()) => {
                found.push(format!("{at}: {value} is less than {argument}"));
            }
            "maximum" if value.as_f64().is_some_and(|it| it > argument.as_f64().unwrap()) => {
                found.push(format!("{at}: {value} is more than {argument}"));
            }
            "uniqueItems" if argument == true => {
                let all = value.as_array().map_or(&[][..], Vec::as_slice);
                let again = all.iter().enumerate().filter(|(n, one)| all[..*n].contains(one));
                found.extend(again.map(|(_, one)| format!("{at}: {one} is there twice")));
            }
            "format" if !has_format(argument.as_str().unwrap(), value) => {
                found.push(format!("{at}: {value} is no {argument}"));
            }
            "type" | "enum" | "const" | "minimum" | "maximum" | "uniqueItems" | "format" => {}
            // Nothing that a value could break.
            "$defs" | "$schema" | "$comment" | "title" | "description" | "default" => {}
            other => panic!("{at}: the schema has the keyword `{other}`"),
        }
    }
    found
}

/// Returns whether `value` is what the format says; of one that is for texts, no number is.
fn has_format(format: &str, value: &Value) -> bool {
    let is_within = |low: i64, high: u64| {
        let is_high = value.as_i64().is_none_or(|it| it >= low);
        !value.is_number() || is_high && value.as_u64().is_none_or(|it| it <= high)
    };
    match format {
        "uint8" => is_within(0, u8::MAX.into()),
        "uint16" => is_within(0, u16::MAX.into()),
        "uint32" => is_within(0, u32::MAX.into()),
        "uint64" | "uint" => is_within(0, u64::MAX),
        "int32" => is_within(i32::MIN.into(), i32::MAX.cast_unsigned().into()),
        "int64" => is_within(i64::MIN, i64::MAX.cast_unsigned()),
        "double" => true,
        "date-time" => value.as_str().is_none_or(|it| it.parse::<jiff::Timestamp>().is_ok()),
        other => panic!("the schema names a format `{other}`"),
    }
}

/// Returns whether `value` is of the type, or of one of the types, that `wanted` names.
fn has_type(wanted: &Value, value: &Value) -> bool {
    if let Value::Array(any) = wanted {
        return any.iter().any(|wanted| has_type(wanted, value));
    }
    match wanted.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema names a type `{other}`"),
    }
}

#[test]
fn answers_of_the_wrong_shape_are_told() {
    use serde_json::json;
    let step = json!({ "op": "make", "why": "it is not there" });
    assert_answer("PlanAnswer", &json!({ "schema": 1, "plan": [step] }));
    let faults_of = |name: &str, value: Value| {
        let schema = generate::answer_schema();
        faults(&schema, &schema["$defs"][name], &value, name).join("\n")
    };
    insta::assert_snapshot!(faults_of("PlanAnswer", json!({ "schema": "1", "plan": [{ "op": 1 }] })), @r#"
    PlanAnswer.plan[0].op: 1 is not "string"
    PlanAnswer.plan[0]: `why` is missing
    PlanAnswer.schema: "1" is not "integer"
    "#);
    assert!(faults_of("NoSuchAnswer", json!({})).contains("nothing is allowed"));
    insta::assert_snapshot!(faults_of("PlanAnswer", json!({ "schema": 1, "later": 1, "plan": [
        { "op": "make", "why": "so", "how": "quickly" }] })), @r"
    PlanAnswer.plan[0]: no schema knows `how`
    PlanAnswer: no schema knows `later`
    ");
    // Keys of a record that are absent in a part of it: an alternative that fits has to know them.
    let session = json!({ "schema": 1, "session": { "status": "idle", "frobnicated": true } });
    assert!(faults_of("SessionAnswer", session).contains("knows `frobnicated`"));
    assert!(
        faults_of(
            "WaitAnswer",
            json!({ "schema": 1, "wait": {
        "id": "a-1", "status": "asleep", "outcome": "done" } })
        )
        .contains("asleep")
    );

    assert_record(&serde_json::to_value(ao::model::record::Record::default()).unwrap());
}

#[test]
fn limits_and_formats_and_alternatives_are_checked_and_an_unknown_keyword_is_refused() {
    use serde_json::json;
    let is_fine = |schema: Value, value: Value| faults(&schema, &schema, &value, "it").is_empty();
    for (schema, good, bad) in [
        (json!({ "minimum": 1 }), json!(1), json!(0)),
        (json!({ "maximum": 255 }), json!(255), json!(256)),
        (json!({ "uniqueItems": true }), json!([1, 2]), json!([1, 2, 1])),
        (json!({ "format": "uint8" }), json!(255), json!(256)),
        (json!({ "format": "uint32" }), json!(0), json!(-1)),
        (json!({ "format": "int32" }), json!(-1), json!(1_i64 << 31)),
        (json!({ "format": "date-time" }), json!("2026-11-20T10:00:00Z"), json!("yesterday")),
        (json!({ "oneOf": [{ "type": "integer" }, { "const": 1 }] }), json!(2), json!(1)),
    ] {
        assert!(is_fine(schema.clone(), good.clone()), "{good} is {schema}");
        assert!(!is_fine(schema.clone(), bad.clone()), "{bad} is not {schema}");
    }
    let unknown = std::panic::catch_unwind(|| is_fine(json!({ "pattern": "a" }), json!("b")));
    assert!(unknown.is_err());
}
