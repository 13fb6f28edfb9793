//! What is generated and committed is what the program would generate.
//!
//! `UPDATE=1 cargo test generated` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ao::generate;
use serde_json::Value;

/// Compares `files` with those of a folder; with `UPDATE=1` makes the folder the same.
///
/// Where `whole`, the folder holds nothing else.
#[track_caller]
fn same(folder: &str, files: &[(String, Vec<u8>)], whole: bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let wanted: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let stray: Vec<String> = fs::read_dir(&path)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| whole && !wanted.contains(name.as_str()))
        .collect();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(&path).unwrap();
        stray.iter().for_each(|name| fs::remove_file(path.join(name)).unwrap());
        files.iter().for_each(|(name, text)| fs::write(path.join(name), text).unwrap());
        return;
    }
    assert!(stray.is_empty(), "{folder}/ has files that nothing generates: {stray:?}");
    for (name, text) in files {
        let committed = fs::read(path.join(name)).unwrap_or_default();
        assert!(
            committed == *text,
            "{folder}/{name} is not what would be generated: run UPDATE=1 cargo test generated"
        );
    }
}

fn pretty(schema: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(schema).unwrap();
    text.push(b'\n');
    text
}

#[test]
fn the_schemas_are_up_to_date() {
    let files = [
        ("record.schema.json".to_owned(), pretty(&generate::record_schema())),
        ("answers.schema.json".to_owned(), pretty(&generate::answer_schema())),
    ];
    same("docs", &files, false);
}

#[test]
fn the_man_pages_are_up_to_date() {
    same("man", &generate::man_pages(&ao::cli::command()), true);
}

#[test]
fn the_completions_are_up_to_date() {
    same("completions", &generate::completions(&ao::cli::command()), true);
}

#[test]
fn the_reference_is_up_to_date() {
    let text = generate::cli_reference(&ao::cli::command()).into_bytes();
    same("docs", &[("cli-reference.md".to_owned(), text)], false);
}
