//! What the documents for people say is true: README.md, ARCHITECTURE.md, SECURITY.md and
//! docs/reliability.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::env::TestEnvironment;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Returns the commands of the recorded session and what each printed.
fn session(readme: &str) -> Vec<(String, String)> {
    let block = readme.split("```console\n").nth(1).expect("a recorded session");
    let block = block.split("```").next().unwrap();
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push((command.to_owned(), String::new())),
            None => {
                let (_, printed) = steps.last_mut().expect("a command comes first");
                printed.push_str(line);
                printed.push('\n');
            }
        }
    }
    steps
}

/// Returns `text` without what differs from one run to the next: times, ages, places, blanks.
fn filtered(text: &str) -> String {
    let rules = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "[TIME]"),
        // Whoever comes first records the end.
        (r"\((launcher|reap)\)", "([CAUSE])"),
        (r"'/[^']*/", "'[PATH]/"),
        (r"\b\d+s\b", "[AGE]"),
        (r" +", " "),
    ];
    rules.iter().fold(text.to_owned(), |text, (pattern, replacement)| {
        Regex::new(pattern).unwrap().replace_all(&text, *replacement).into_owned()
    })
}

#[test]
fn the_recorded_session_is_what_happens() {
    let env = TestEnvironment::new();
    let repository = env.repo("app");
    let program = Path::new(env!("CARGO_BIN_EXE_ao")).parent().unwrap();
    let path = env.command("sh").args(["-c", "printf %s \"$PATH\""]);
    let path = format!("{}:{}", program.display(), env.run(&path).stdout);
    let mut wanted = String::new();
    let mut found = String::new();
    for (command, printed) in session(&document("README.md")) {
        let script = format!("exec 2>&1; {command}");
        let shell = env.command("sh").args(["-c", &script]).env("PATH", &path);
        let outcome = env.run(&shell.cwd(&repository));
        wanted.push_str(&format!("$ {command}\n{printed}"));
        found.push_str(&format!("$ {command}\n{}", outcome.stdout));
    }
    assert_eq!(filtered(&found), filtered(&wanted), "found:\n{found}");
}

#[test]
fn the_exit_codes_are_those_of_the_table() {
    let readme = document("README.md");
    let section = readme.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| code"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let table = ao::cli::exit::table();
    let known: Vec<Vec<String>> = table
        .lines()
        .skip(1)
        .map(|line| {
            let (code, meaning) = line.trim().split_once(' ').unwrap();
            let kind = Regex::new(r"^ *\S+ {2,}").unwrap();
            let meaning = meaning.trim_start();
            let meaning = if code == "128+n" { meaning.into() } else { kind.replace(meaning, "") };
            vec![code.to_owned(), meaning.into_owned()]
        })
        .collect();
    assert_eq!(rows, known);
}

#[test]
fn the_two_commands_and_the_named_files_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = document("README.md");
    for path in ["script/demo", "script/test", "docs/cli-reference.md", "src/adapter/agent/cards"] {
        assert!(readme.contains(path), "{path}");
        assert!(root.join(path).exists(), "{path}");
    }
    let keys = Regex::new(r"(?m)^\| (`[^|]+`) \|").unwrap();
    let reference = TestEnvironment::new().ao(&["config", "reference"]).success().stdout;
    let key = Regex::new("`([a-z_]+)").unwrap();
    for row in keys.captures_iter(&readme) {
        for name in key.captures_iter(&row[1]) {
            assert!(reference.contains(&name[1]), "{}", &name[1]);
        }
    }
}

/// Returns every test of the tree by its last name.
fn tests() -> BTreeSet<String> {
    let declaration = Regex::new(r"#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn (\w+)").unwrap();
    // Inside `proptest!`, names stand behind the same attribute.
    let mut names = BTreeSet::new();
    let mut directories =
        ["src", "tests"].map(|it| Path::new(env!("CARGO_MANIFEST_DIR")).join(it)).to_vec();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                names.extend(declaration.captures_iter(&text).map(|it| it[1].to_owned()));
            }
        }
    }
    names
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let architecture = document("ARCHITECTURE.md");
    let invariants = architecture.split("\n## Invariants").nth(1).unwrap();
    let invariants = invariants.split("\n## ").next().unwrap();
    assert!(rows_that_name_tests(invariants) > 20);
}

#[test]
fn every_failure_names_a_test_that_exists() {
    assert!(rows_that_name_tests(&document("docs/reliability.md")) > 36);
}

#[test]
fn every_defence_names_a_test_that_exists() {
    let security = document("SECURITY.md");
    let defences = security.split("\n## What is defended").nth(1).unwrap();
    let defences = defences.split("\n## ").next().unwrap();
    let known = tests();
    // All other words in code marks are commands, files and keys, which have no underscore here.
    let name = Regex::new(r"`(\w+_\w+)`").unwrap();
    let mut silent = Vec::new();
    for defence in defences.split("\n\n**").skip(1) {
        let title = defence.split(".**").next().unwrap();
        let named: Vec<_> = name.captures_iter(defence).map(|it| it[1].to_owned()).collect();
        for test in &named {
            assert!(known.contains(test), "there is no test `{test}`: {title}");
        }
        if named.is_empty() {
            silent.push(title);
        }
    }
    // A script looks at them.
    assert_eq!(silent, ["Dependencies"]);
}

/// Returns how many rows of a table there are, each of which names tests in its last cell.
fn rows_that_name_tests(table: &str) -> usize {
    let known = tests();
    let name = Regex::new(r"`(?:\w+::)*(\w+)`").unwrap();
    let mut rows = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.contains("| test")) {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let named: Vec<_> = name.captures_iter(cell).map(|it| it[1].to_owned()).collect();
        assert!(!named.is_empty(), "no test is named: {row}");
        for test in named {
            assert!(known.contains(&test), "there is no test `{test}`: {row}");
        }
        rows += 1;
    }
    rows
}

#[test]
fn the_code_map_leaves_nothing_out() {
    let architecture = document("ARCHITECTURE.md");
    let map = architecture.split("\n## Code map").nth(1).unwrap().split("\n## ").next().unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let name = if entry.path().is_dir() { format!("{name}/") } else { name };
        assert!(map.contains(&format!("`{name}`")), "src/{name} is not in the code map");
    }
}
