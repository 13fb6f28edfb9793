//! The rules of the source tree that no compiler checks.
//!
//! Each failure names the file, the line and the rule, so that the message is enough to mend it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use regex::Regex;

/// What each part of `src/` may use of the others; itself is understood. A part that is not
/// listed may use everything but the command line.
const MAY_USE: &[(&str, &[&str])] = &[
    ("decide", &["model"]),
    ("adapter", &["model"]),
    (
        "store",
        &[
            "adapter::clock",
            "adapter::failpoint",
            "adapter::fs",
            "adapter::ids",
            "adapter::process",
            "adapter::threads",
            "model",
        ],
    ),
    ("config", &["adapter::agent", "adapter::fs", "model"]),
    ("observe", &["adapter", "config", "model"]),
    ("act", &["adapter", "config", "model"]),
    ("generate", &["model"]),
];

/// Crates that belong to one place, each with that place.
const ONE_PLACE: &[(&str, &str)] = &[("fs2", "src/store/lock.rs"), ("git2", "src/adapter/git")];

const LONGEST_FILE: usize = 700;
const LONGEST_FUNCTION: usize = 80;

/// A text file of the tree.
pub(crate) struct Source {
    /// Relative to the package.
    pub(crate) path: String,
    pub(crate) text: String,
    /// A module above it, or it itself, is only there in test builds.
    pub(crate) only_tests: bool,
}

impl Source {
    /// Returns the numbered lines that are neither comments nor in what is there in test builds
    /// alone; none of a file that is.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        // How far the item is indented that is being left out.
        let mut left_out: Option<usize> = None;
        let is_code = move |(_, line): &(usize, &str)| {
            let text = line.trim_start();
            let indent = line.len() - text.len();
            if text == "#[cfg(test)]" {
                left_out.get_or_insert(indent);
                return false;
            }
            let is_out = left_out.is_some();
            let is_last = text.starts_with('}') || text.ends_with([';', '}']);
            if left_out == Some(indent) && is_last && !text.starts_with("//") {
                left_out = None;
            }
            !is_out && !text.starts_with("//")
        };
        self.lines().filter(|_| !self.only_tests).filter(is_code)
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Returns the part of `src/` it belongs to: `model` for `src/model/id.rs` and `src/model.rs`.
    fn part(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let part = below.split('/').next()?;
        Some(part.strip_suffix(".rs").unwrap_or(part))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every file below the package that is part of it.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let hidden = name.starts_with('.') && !matches!(name.as_str(), ".ci" | ".gitignore");
            if entry.file_type().unwrap().is_dir() {
                if !hidden && name != "target" {
                    directories.push(entry.path());
                }
            } else if !hidden {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn sources(wanted: impl Fn(&str) -> bool) -> Vec<Source> {
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let read = |file: PathBuf| {
        let path = relative(&file);
        let text = wanted(&path).then(|| fs::read_to_string(&file).ok()).flatten()?;
        Some(Source { path, text, only_tests: false })
    };
    let mut sources: Vec<_> = files().into_iter().filter_map(read).collect();
    let places: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        source.only_tests = places.iter().any(|place| {
            stem.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    }
    sources
}

/// Returns the modules that `source` declares for test builds alone, each as its path without
/// the extension.
fn test_modules(source: &Source) -> Vec<String> {
    let file = source.path.trim_end_matches(".rs");
    let is_root = ["/mod", "/lib", "/main"].iter().any(|name| file.ends_with(name));
    let place = if is_root { file.rsplit_once('/').unwrap().0 } else { file };
    let lines: Vec<&str> = source.text.lines().collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    declared
        .filter_map(|pair| pair[1].rsplit_once("mod ")?.1.strip_suffix(';'))
        .map(|name| format!("{place}/{name}"))
        .collect()
}

pub(crate) fn rust(under: &str) -> Vec<Source> {
    sources(|path| path.starts_with(under) && path.ends_with(".rs"))
}

/// Fails with every offence found, none of them hiding another.
#[track_caller]
pub(crate) fn none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

/// Returns every line of `sources` in which `pattern` is found.
fn hits(sources: &[Source], pattern: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let mut hits = Vec::new();
    for source in sources {
        for (number, line) in source.lines().filter(|(_, line)| pattern.is_match(line)) {
            hits.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    hits
}

/// Returns the modules that `source` names, each as `part` or `part::module`, with its line.
fn uses(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code: Vec<_> = source.code().collect();
    for (index, (number, line)) in code.iter().enumerate() {
        for (at, prefix) in line.match_indices("crate::") {
            // A list in braces may go on below; no list is longer than this.
            let below = code[index + 1..].iter().take(40).map(|(_, line)| *line);
            let rest: Vec<_> = std::iter::once(&line[at + prefix.len()..]).chain(below).collect();
            let mut paths = Vec::new();
            expand(rest.join(" ").trim_start(), &[], &mut paths);
            found.extend(paths.into_iter().map(|path| (*number, path)));
        }
    }
    found
}

/// Reads one tree of a `use` (`a::{b, c::d}`) and returns what follows it.
fn expand<'a>(mut text: &'a str, above: &[&'a str], paths: &mut Vec<String>) -> &'a str {
    if let Some(mut inner) = text.strip_prefix('{') {
        loop {
            inner = inner.trim_start_matches([' ', ',']);
            match inner.strip_prefix('}') {
                Some(rest) => return rest,
                None if inner.is_empty() => return inner,
                None => {
                    let rest = expand(inner, above, paths);
                    // What is read must become shorter, or a strange list would be read for ever.
                    inner = if rest.len() < inner.len() { rest } else { "" };
                }
            }
        }
    }
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(text.len());
    let path = [above, &[&text[..end]]].concat();
    text = &text[end..];
    match text.strip_prefix("::") {
        Some(rest) => expand(rest, &path, paths),
        None => {
            paths.push(path[..path.len().min(2)].join("::"));
            let alias = text.find([',', '}']).filter(|_| text.starts_with(" as "));
            &text[alias.unwrap_or(0)..]
        }
    }
}

/// Returns whether a part may name `used`.
fn may_use(part: &str, used: &str) -> bool {
    let top = used.split("::").next().unwrap();
    if top == part || matches!(part, "lib" | "main" | "cli") {
        return true;
    }
    match MAY_USE.iter().find(|(listed, _)| *listed == part) {
        Some((_, allowed)) => allowed.iter().any(|allowed| used == *allowed || top == *allowed),
        None => top != "cli",
    }
}

#[test]
fn dependencies_point_one_way() {
    let mut offences = Vec::new();
    for source in rust("src/") {
        let part = source.part().unwrap();
        for (line, used) in uses(&source) {
            if !may_use(part, &used) {
                offences.push(format!("{}:{line}: {part} uses {used}", source.path));
            }
        }
    }
    none("a part of src/ uses one that it must not know", offences);
}

#[test]
fn the_parser_of_dependencies_sees_every_form() {
    let text = "use crate::model::id::SessionId;\n\
                use crate::{adapter::fs, store};\n\
                // use crate::cli;\n\
                use crate::adapter::{\n    clock,\n    cmd::Cmd,\n};\n\
                fn f() { crate::decide::reduce() }\n\
                #[cfg(test)]\nuse crate::cli::x;\n";
    let source = Source { path: "src/x.rs".into(), text: text.into(), only_tests: false };
    let mut seen: Vec<_> = uses(&source).into_iter().map(|(_, used)| used).collect();
    seen.sort();
    seen.dedup();
    let wanted =
        ["adapter::clock", "adapter::cmd", "adapter::fs", "decide::reduce", "model::id", "store"];
    assert_eq!(seen, wanted);
    assert!(may_use("store", "adapter::fs") && !may_use("store", "adapter::cmd"));
    assert!(may_use("reap", "session::kill") && !may_use("reap", "cli::ls"));
}

#[test]
fn modules_of_test_builds_are_found_by_their_declaration() {
    let module = |path: &str, text: &str| {
        test_modules(&Source { path: path.into(), text: text.into(), only_tests: false })
    };
    let declaration = "#[cfg(test)]\nmod testing;\n";
    assert_eq!(module("src/a/mod.rs", declaration), ["src/a/testing"]);
    assert_eq!(module("src/a.rs", declaration), ["src/a/testing"]);
    assert_eq!(module("src/a.rs", "#[cfg(test)]\nmod tests {\n}\nmod b;\n"), [""; 0]);
    let found = rust("src/adapter/git/");
    let of = |path: &str| found.iter().find(|it| it.path.ends_with(path)).unwrap().only_tests;
    assert!(of("/testing/making.rs") && of("/testing/mod.rs") && !of("/removal.rs"));
}

#[test]
fn some_crates_belong_to_one_place() {
    let mut offences = Vec::new();
    for (name, place) in ONE_PLACE {
        let pattern = Regex::new(&format!(r"\b{name}::")).unwrap();
        for source in rust("src/").iter().filter(|source| !source.path.starts_with(place)) {
            let lines = source.code().filter(|(_, line)| pattern.is_match(line));
            offences.extend(lines.map(|(line, _)| format!("{}:{line}: {name}", source.path)));
        }
    }
    none("a crate is used outside its place", offences);
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut offences = Vec::new();
    for source in rust("src/").into_iter().chain(rust("tests/")) {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            offences.push(format!("{}: {lines} lines", source.path));
        }
        let first = source.text.lines().find(|line| !line.starts_with("#![") && !line.is_empty());
        if !first.is_some_and(|line| line.starts_with("//!")) {
            offences.push(format!("{}: does not open with `//!`", source.path));
        }
    }
    none("files that are too long or unexplained", offences);
}

#[test]
fn functions_are_short() {
    let start = Regex::new(r"^( *)(?:pub(?:\([^)]*\))? )?(?:const |async )*fn (\w+)").unwrap();
    let mut offences = Vec::new();
    for source in rust("src/") {
        let mut open: Option<(usize, String, String)> = None;
        for (number, line) in source.lines() {
            if let Some(it) = start.captures(line) {
                open = Some((number, format!("{}}}", &it[1]), it[2].to_owned()));
            } else if open.as_ref().is_some_and(|(_, end, _)| line == end) {
                let (first, _, name) = open.take().unwrap();
                if number - first > LONGEST_FUNCTION {
                    offences.push(format!("{}:{first}: {name}", source.path));
                }
            }
        }
    }
    none("functions that are too long", offences);
}

#[test]
fn nothing_panics_on_what_was_not_thought_of() {
    let mut offences = Vec::new();
    for source in rust("src/") {
        let lines = source.code().filter(|(_, line)| line.contains(".unwrap()"));
        offences.extend(lines.map(|(line, _)| format!("{}:{line}", source.path)));
    }
    none("`unwrap` outside tests (`expect` says why it holds)", offences);
}

#[test]
fn sorted_collections_are_made_by_inserting() {
    let typed = r"collect::<[^;(]*BTree|BTree(Map|Set)<[^;{}]*\bcollect\(";
    let made = r"BTree(Map|Set)(::<[^;(]*>)?::from(_iter)?\(";
    let pattern = Regex::new(&format!("{typed}|{made}")).unwrap();
    let mut offences = Vec::new();
    for source in rust("src/") {
        let code: Vec<&str> = source.code().map(|(_, line)| line.trim()).collect();
        let code = code.join("\n");
        let found = pattern.find_iter(&code);
        offences.extend(found.map(|it| format!("{}: {}", source.path, it.as_str())));
    }
    let why = "to collect sorts, with kilobytes of code for each type; `model::collect` inserts";
    none(why, offences);
}

#[test]
fn no_shell_stands_between_ao_and_a_program() {
    // The scripted agent plays what its script says, with a shell as real agents do.
    let is_agent = |path: &str| path.starts_with("src/demo/");
    let shell = Regex::new(r#""(/bin/|/usr/bin/)?(sh|bash|dash|zsh|fish)""#).unwrap();
    let mut offences = Vec::new();
    for source in rust("src/").iter().filter(|source| !is_agent(&source.path)) {
        let lines = source.code().filter(|(_, line)| shell.is_match(line));
        offences
            .extend(lines.map(|(line, text)| format!("{}:{line}: {}", source.path, text.trim())));
    }
    none("a shell is named in code", offences);
}

#[test]
fn nothing_is_left_undone() {
    let all = rust("src/").into_iter().chain(rust("tests/")).collect::<Vec<_>>();
    // In brackets, so that this file is none of the hits.
    none("unfinished marks", hits(&all, r"tod[o]!\(|unimplemente[d]!\(|FIXM[E]|XX[X]"));
    none("ignored tests", hits(&all, r"#\[ignor[e]"));
    // The soak is no test that waits: its hands work at a pace, and its faults last for a while.
    let tests: Vec<_> =
        rust("tests/").into_iter().filter(|it| !it.path.starts_with("tests/soak/")).collect();
    none("a test sleeps instead of waiting for a condition", hits(&tests, r"thread::slee[p]"));
}

#[test]
fn names_say_what_a_thing_does() {
    let pattern = r"\b(struct|enum|trait|mod) \w*(Manager|Helper|Util)s?\b|\bfn get_\w+";
    none("names that say nothing", hits(&rust("src/"), pattern));
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let pattern = r"(^|[^\w.\]}/-])/(wor[k]|roo[t]|User[s])/|/home/(roo[t]|ubunt[u]|runne[r])\b";
    none("paths of one machine", hits(&sources(|path| path != "Cargo.lock"), pattern));
}

#[test]
fn fixtures_say_how_they_were_captured() {
    let mut offences = Vec::new();
    for path in files() {
        let below = path.strip_prefix(root()).unwrap();
        let Ok(inner) = below.strip_prefix("fixtures") else { continue };
        let folder = inner.components().next().unwrap().as_os_str().to_str().unwrap();
        let readme = fs::read_to_string(root().join("fixtures/README.md")).unwrap_or_default();
        if !readme.contains(folder) {
            offences.push(format!("{}: not in fixtures/README.md", below.display()));
        }
    }
    none("fixtures without an origin", offences);
}

#[test]
fn scripts_can_be_run() {
    let mut offences = Vec::new();
    let is_script = |path: &str| {
        (path.starts_with("script/") || path.starts_with(".ci/")) && !path.ends_with(".txt")
    };
    for script in sources(is_script) {
        let mode = fs::metadata(root().join(&script.path)).unwrap().permissions().mode();
        if mode & 0o111 == 0 || !script.text.starts_with("#!/") {
            offences.push(script.path.clone());
        }
        if !script.text.contains("set -eu") {
            offences.push(format!("{}: goes on after an error", script.path));
        }
    }
    none("scripts that cannot be run", offences);
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut offences = Vec::new();
    let (mut in_dependencies, mut before) = (false, "");
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies
            && line.starts_with(|first: char| first.is_alphanumeric())
            && !before.starts_with('#')
            // It stands with those of the workspace.
            && !line.ends_with(".workspace = true")
        {
            offences.push(line.to_owned());
        }
        before = line;
    }
    none("dependencies without a reason", offences);
}
