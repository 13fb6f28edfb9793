//! The rule that whatever the system can refuse or a kill can interrupt passes a failpoint.

use std::sync::LazyLock;

use regex::Regex;

use crate::tidy::{Source, none, rust};

/// What changes a file, starts a child, takes a lock or asks another machine, each with the files
/// that the pattern is for: a prefix of the path, or what the text has to mention.
const PRIMITIVES: &[(&str, For)] = &[
    (r"std::fs::(write|rename|remove_|create_dir|copy|hard_link|set_permissions)", For::All),
    (
        r"\bfs::(write|rename|remove_\w+|create_dir\w*|copy|hard_link|set_permissions)\(",
        For::Mentioning("use std::fs::{self"),
    ),
    (r"File::(create|options)\b|\bDirBuilder\b|unix::fs::symlink|\.persist\w*\(", For::All),
    (r"\.(create|create_new|append|truncate|write)\(true\)|\btempfile(_in|_fn)?\(", For::All),
    (r"\.set_(len|permissions|modified|times)\(|\.sync_(all|data)\(", For::All),
    (r"\.write_all(_at)?\(|\.write_vectored\(|io::copy\(", For::Below("src/adapter/")),
    (r"\.write_all(_at)?\(|\.write_vectored\(|io::copy\(", For::Below("src/store/")),
    (
        r"rustix::fs::(mk|rename|unlink|symlink|link|flock|ftruncate|fallocate|copy|chmod|utimens|memfd)",
        For::All,
    ),
    (
        r"rustix::fs::ioctl_ficlone|sendfile|rustix::io::p?write|OFlags::(CREATE|TRUNC|TMPFILE)",
        For::All,
    ),
    (r"fs2::FileExt::\w*lock|\bflock\(", For::All),
    (r"\bCommand::new\(|\.command\(\)|\.spawn\(\)", For::All),
    (r"\.run\(configured|\.call\(\)|\.send_(empty|json|form|bytes)", For::Mentioning("use ureq")),
    (
        r"write_tree|\.write\(\)|\.blob\w*\(|\.reference(_matching|_symbolic\w*)?\(|\.set_(target|head)\w*\(|checkout_\w+\(|\.branch\(",
        For::Mentioning("git2::"),
    ),
];

/// Functions that do without a point, each with the reason.
const WITHOUT: &[(&str, &str, &str)] = &[
    ("src/adapter/cmd.rs", "command", "only describes a child; who starts it passes the point"),
    ("src/adapter/cmd.rs", "spawn", "starts it through `spawn_as`, which passes the point"),
    ("src/adapter/failpoint.rs", "append", "writes down which points are passed"),
    ("src/adapter/runtime/process_runtime.rs", "spawn", "starts it through `Cmd::spawn_as`"),
    ("src/cli/quick.rs", "alone", "builds a parser"),
    ("src/session/forge.rs", "choose", "names a program that is asked later"),
    ("src/store/lock.rs", "drop", "closing the file lets go as well"),
];

/// Which files a pattern is looked for in.
enum For {
    All,
    Below(&'static str),
    Mentioning(&'static str),
}

impl For {
    fn includes(&self, source: &Source) -> bool {
        match self {
            Self::All => true,
            Self::Below(prefix) => source.path.starts_with(prefix),
            Self::Mentioning(text) => source.text.contains(text),
        }
    }
}

/// Returns `path:line: function` of everything that passes no point.
fn without_a_point(source: &Source, used: &mut Vec<usize>) -> Vec<String> {
    static START: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^( *)(?:pub(?:\([^)]*\))? )?(?:const |async )*fn (\w+)").unwrap()
    });
    static PASSES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"failpoint::\w|\b(pass\w*|written)\(").unwrap());
    static COMPILED: LazyLock<Vec<(Regex, &For)>> = LazyLock::new(|| {
        let compiled =
            |(pattern, place): &'static (&str, For)| (Regex::new(pattern).unwrap(), place);
        PRIMITIVES.iter().map(compiled).collect()
    });
    let primitives: Vec<&Regex> = COMPILED
        .iter()
        .filter(|(_, place)| place.includes(source))
        .map(|(pattern, _)| pattern)
        .collect();
    let lines: Vec<(usize, &str)> = source.code().collect();
    let mut offences = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        if !primitives.iter().any(|pattern| pattern.is_match(line)) {
            continue;
        }
        // The function that the line is in: the nearest one above that ends below it.
        let function = (0..=index).rev().find_map(|above| {
            let it = START.captures(lines[above].1)?;
            let end = format!("{}}}", &it[1]);
            let length = lines[above..].iter().position(|(_, line)| *line == end)?;
            (above + length >= index).then(|| (above, above + length, it[2].to_owned()))
        });
        let Some((first, last, name)) = function else { continue };
        if lines[first..=last].iter().any(|(_, line)| PASSES.is_match(line)) {
            continue;
        }
        let known =
            |(path, function, _): &(&str, &str, &str)| *path == source.path && *function == name;
        match WITHOUT.iter().position(known) {
            Some(number) => used.push(number),
            None => offences.push(format!("{}:{number}: {name}: {}", source.path, line.trim())),
        }
    }
    offences
}

#[test]
fn whatever_can_fail_passes_a_failpoint() {
    let mut used = Vec::new();
    let sources = rust("src/").into_iter().filter(|source| !source.path.starts_with("src/demo/"));
    let offences: Vec<String> =
        sources.flat_map(|source| without_a_point(&source, &mut used)).collect();
    none("a write, a lock, a child or a request that passes no failpoint", offences);
    let idle = WITHOUT.iter().enumerate().filter(|(number, _)| !used.contains(number));
    let idle = idle.map(|(_, (path, function, _))| format!("{path}: {function}")).collect();
    none("an exemption from failpoints that nobody needs", idle);
}

#[test]
fn a_write_without_a_point_is_found() {
    let look = |text: &str| {
        let source =
            Source { path: "src/adapter/x.rs".into(), text: text.into(), only_tests: false };
        without_a_point(&source, &mut Vec::new()).len()
    };
    for body in [
        "std::fs::write(path, bytes)",
        "std::fs::OpenOptions::new().append(true).open(path)",
        "file.set_len(0)",
        "file.sync_all()",
        "rustix::fs::renameat(a, b, c, d)",
        "fs2::FileExt::lock_exclusive(&file)",
        "rustix::fs::flock(&file, FlockOperation::LockExclusive)",
        "std::process::Command::new(program).status()",
        "cmd.command().spawn()",
        "file.write_all(b\"x\")",
    ] {
        let bare = format!("pub fn f() {{\n    {body};\n}}\n");
        assert_eq!(look(&bare), 1, "{body}");
        let named = format!("pub fn f() {{\n    failpoint::through(\"a.b\", p, || {body});\n}}\n");
        assert_eq!(look(&named), 0, "{body}");
        // A point in another function is none of this one's.
        let beside = format!("{bare}fn g() {{\n    failpoint::pass(\"a.b\");\n}}\n");
        assert_eq!(look(&beside), 1, "{body}");
    }
    let ours = "use crate::adapter::fs;\nfn f() {\n    fs::rename(a, b)\n}\n";
    assert_eq!(look(ours), 0, "ours passes one");
    let theirs = "use std::fs::{self};\nfn f() {\n    fs::rename(a, b)\n}\n";
    assert_eq!(look(theirs), 1);
    let git = "use git2::Oid;\nfn f() {\n    builder.write()\n}\n";
    assert_eq!(look(git), 1);
    let tests = "#[cfg(test)]\nmod tests {\n    fn f() {\n        file.sync_all();\n    }\n}\n";
    assert_eq!(look(tests), 0);
}
