//! The rule that whatever the system can refuse or a kill can interrupt passes a failpoint.

use std::ops::Range;
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
    (r"File::(create\w*|options)\(|\bDirBuilder::|unix::fs::symlink|\.persist\w*\(", For::All),
    (r"\btempfile(_in|_fn)?\(|\.set_(len|permissions|modified|times)\(", For::All),
    (r"\.sync_(all|data)\(", For::All),
    (WRITES, For::Below("src/adapter/")),
    (WRITES, For::Below("src/store/")),
    (
        r"\b(f(data)?sync|syncfs|f(ch(mod|own)|truncate|allocate|lock|utimens))\(|\bflock\(|\b(rename|unlink|mkdir|symlink|link|mknod|chmod|chown|utimens)at\w*\(",
        For::All,
    ),
    (r"\b(copy_file_range|memfd_create|ioctl_ficlone\w*|sendfile|fcntl_lock)\(", For::All),
    (r"rustix::fs::(rename|unlink|rmdir|mkdir|symlink|link|ch(mod|own))\(", For::All),
    (r"rustix::io::p?writev?\(|fs2::FileExt::(try_)?lock\w*\(", For::All),
    (r"\.(spawn|exec)\(\)", For::All),
    (r"\.run\(configured|\.call\(\)|\.send_(empty|json|form|bytes)", For::Mentioning("use ureq")),
    (
        r"write_tree|\.write\(\)|\.blob\w*\(|\.reference(_matching|_symbolic\w*)?\(|\.set_(target|head)\w*\(|checkout_\w+\(|\.branch\(|\.delete\(\)",
        For::Mentioning("git2::"),
    ),
];

const WRITES: &str = r"\.write_all(_at)?\(|\.write_vectored\(|\bio::copy\(|\bwrite(ln)?!\(\s*(&mut )?(self\.)?\w*(file|log|copy|temporary|writer|pipe|stream)\b|(Buf|Line)Writer::";

/// What only describes an opening or a child: it is judged where that is done.
const DESCRIPTIONS: &str = r"\.(create|create_new|append|truncate|write)\(true\)|OFlags::(CREATE|TRUNC|TMPFILE)|\bCommand::new\(|\.command\(\)";

/// Functions that do without a point, each with the reason.
const WITHOUT: &[(&str, &str, &str)] = &[
    ("src/adapter/cmd.rs", "command", "only describes a child; who starts it passes the point"),
    ("src/adapter/cmd.rs", "spawn", "starts it through `spawn_as`, which passes the point"),
    ("src/adapter/failpoint.rs", "append", "writes down which points are passed"),
    ("src/adapter/runtime/process_runtime.rs", "spawn", "starts it through `Cmd::spawn_as`"),
    ("src/cli/attach.rs", "run", "replaces itself by it through `Cmd::exec`"),
    ("src/cli/quick.rs", "alone", "builds a parser"),
    ("src/session/forge.rs", "choose", "names a program that is asked later"),
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

/// A function: its name, and where it is in the code.
struct Function {
    name: String,
    place: Range<usize>,
}

/// Returns the code, each line where it is in the file; what is none of it is empty.
fn code(source: &Source) -> String {
    let mut code = String::new();
    let mut last = 0;
    for (number, line) in source.code() {
        code.push_str(&"\n".repeat(number - last));
        code.push_str(line);
        last = number;
    }
    code
}

/// Returns every function, those within others after them.
fn functions(code: &str) -> Vec<Function> {
    static START: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^( *)(?:pub(?:\([^)]*\))? )?(?:const |async |unsafe )*fn (\w+)").unwrap()
    });
    let function = |it: regex::Captures<'_>| {
        let first = it.get(0).unwrap().start();
        let end = format!("\n{}}}", &it[1]);
        let length = code[first..].find(&format!("{end}\n")).unwrap_or(code.len() - first);
        let place = first..(first + length + end.len()).min(code.len());
        Function { name: it[2].to_owned(), place }
    };
    START.captures_iter(code).map(function).collect()
}

/// Returns where what `open` opens is closed again.
fn closing(text: &str, open: usize) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// The points of a function: what they are around, and where one is passed before something.
struct Points {
    around: Vec<Range<usize>>,
    before: Vec<usize>,
}

impl Points {
    fn of(text: &str) -> Self {
        static POINT: LazyLock<Regex> = LazyLock::new(|| {
            let before = r"failpoint::(?:pass|pass_at|pass_child)\(|\bself\.pass\(";
            Regex::new(&format!(r#"(failpoint::through\(|\bself\.written\()|{before}"#)).unwrap()
        });
        static CLOSURE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\blet (\w+) = (?:move )?\|[^|]*\|").unwrap());
        let (mut around, mut before) = (Vec::new(), Vec::new());
        for it in POINT.captures_iter(text) {
            let whole = it.get(0).unwrap();
            match it.get(1) {
                Some(_) => around.push(whole.end()..closing(text, whole.end() - 1)),
                None => before.push(whole.end()),
            }
        }
        // A closure that is handed to one has a name.
        for it in CLOSURE.captures_iter(text) {
            let name = Regex::new(&format!(r"\b{}\b", &it[1])).unwrap();
            if around.iter().any(|place| name.is_match(&text[place.clone()])) {
                let first = it.get(0).unwrap().end();
                let rest = &text[first..];
                let block = rest.trim_start().starts_with('{');
                let end = if block { closing(text, first) } else { first + ended(rest) };
                around.push(first..end);
            }
        }
        Self { around, before }
    }

    /// Returns those of `primitives`, in their order, that are in none of it: one that is passed
    /// before something is passed before the next thing only.
    fn without(&self, primitives: Vec<usize>) -> Vec<usize> {
        let mut before = self.before.clone();
        let is_bare = |at: &usize| {
            if self.around.iter().any(|place| place.contains(at)) {
                return false;
            }
            let own = before.iter().rposition(|point| point < at);
            own.is_none_or(|own| {
                before.drain(..=own);
                false
            })
        };
        primitives.into_iter().filter(is_bare).collect()
    }
}

/// Returns how long a statement goes on.
fn ended(text: &str) -> usize {
    let mut depth = 0;
    let end = |byte: u8| {
        depth += match byte {
            b'(' | b'{' | b'[' => 1,
            b')' | b'}' | b']' => -1,
            _ => 0,
        };
        depth < 0 || depth == 0 && byte == b';'
    };
    text.bytes().position(end).unwrap_or(text.len())
}

/// Returns where what is described at `at` is done: in the same statement, or where the variable
/// is used that holds it.
fn done(text: &str, at: usize) -> Vec<usize> {
    static SUBJECT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s*(?:let (?:mut )?)?(\w+)(?: = |\.|: )").unwrap());
    static OPENED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\.(open|spawn|status|output|exec)\(").unwrap());
    let first = text[..at].rfind([';', '{', '}']).map_or(0, |end| end + 1);
    let statement = &text[first..at + ended(&text[at..])];
    if let Some(it) = OPENED.find_at(statement, at - first) {
        return vec![first + it.start()];
    }
    let Some(subject) = SUBJECT.captures(statement) else { return vec![at] };
    let name = &subject[1];
    let used = format!(
        r"\b{name}\b[^;]*?\.(?:open|spawn|status|output|exec)\(|\bopen(?:at2?)?\([^;]*\b{name}\b"
    );
    let rest = first + statement.len();
    let uses = Regex::new(&used).unwrap();
    let found: Vec<usize> = uses.find_iter(&text[rest..]).map(|it| rest + it.start()).collect();
    if found.is_empty() { vec![at] } else { found }
}

/// Returns `path:line: function` of everything that passes no point of its own.
fn without_a_point(source: &Source, used: &mut Vec<usize>) -> Vec<String> {
    static COMPILED: LazyLock<Vec<(Regex, &For)>> = LazyLock::new(|| {
        let compiled =
            |(pattern, place): &'static (&str, For)| (Regex::new(pattern).unwrap(), place);
        PRIMITIVES.iter().map(compiled).collect()
    });
    static DESCRIBED: LazyLock<Regex> = LazyLock::new(|| Regex::new(DESCRIPTIONS).unwrap());
    let code = code(source);
    let functions = functions(&code);
    let of = |at: usize| functions.iter().rposition(|function| function.place.contains(&at));
    let mut offences = Vec::new();
    for (number, Function { name, place }) in functions.iter().enumerate() {
        let text = &code[place.clone()];
        let known = COMPILED.iter().filter(|(_, place)| place.includes(source));
        let mut primitives: Vec<usize> =
            known.flat_map(|(pattern, _)| pattern.find_iter(text)).map(|it| it.start()).collect();
        primitives.extend(DESCRIBED.find_iter(text).flat_map(|it| done(text, it.start())));
        primitives.retain(|at| of(place.start + at) == Some(number));
        primitives.sort_unstable();
        primitives.dedup();
        for at in Points::of(text).without(primitives) {
            let known =
                |(path, function, _): &(&str, &str, &str)| *path == source.path && function == name;
            match WITHOUT.iter().position(known) {
                Some(number) => used.push(number),
                None => {
                    let line = code[..place.start + at].matches('\n').count();
                    let shown = source.text.lines().nth(line - 1).unwrap_or_default().trim();
                    offences.push(format!("{}:{line}: {name}: {shown}", source.path));
                }
            }
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
        "rustix::fs::futimens(file, &times)",
        "rustix::fs::fsync(file)",
        "rustix::fs::fdatasync(file)",
        "rustix::fs::fchmod(file, mode)",
        "rustix::fs::chmod(path, mode)",
        "futimens(file, &times)",
        "rustix::fs::unlinkat(&self.0, name, AtFlags::empty())",
        "rustix::fs::openat(&self.0, name, OFlags::CREATE | OFlags::RDWR, mode)",
        "rustix::io::write(&pipe, bytes)",
        "writeln!(file, \"{line}\")",
        "write!(&mut self.log, \"{line}\")",
        "io::BufWriter::new(file)",
        "agent.command().exec()",
    ] {
        let bare = format!("pub fn f() {{\n    {body};\n}}\n");
        assert_eq!(look(&bare), 1, "{body}");
        let named = format!("pub fn f() {{\n    failpoint::through(\"a.b\", p, || {body});\n}}\n");
        assert_eq!(look(&named), 0, "{body}");
        // A point in another function is none of this one's.
        let beside = format!("{bare}fn g() {{\n    failpoint::pass(\"a.b\");\n}}\n");
        assert_eq!(look(&beside), 1, "{body}");
        // Nor is what only sounds like one, or stands after it.
        for sound in ["deadline.passed()", "pass_on(a, b)", "metrics::pass(a)", "written(a)"] {
            let sounds = format!("fn f() {{\n    {sound};\n    {body};\n}}\n");
            assert_eq!(look(&sounds), 1, "{sound}: {body}");
        }
        let after = format!("fn f() {{\n    {body};\n    failpoint::pass(\"a.b\");\n}}\n");
        assert_eq!(look(&after), 1, "{body}");
    }
    let ours = "use crate::adapter::fs;\nfn f() {\n    fs::rename(a, b)\n}\n";
    assert_eq!(look(ours), 0, "ours passes one");
    let theirs = "use std::fs::{self};\nfn f() {\n    fs::rename(a, b)\n}\n";
    assert_eq!(look(theirs), 1);
    let git = "use git2::Oid;\nfn f() {\n    builder.write()\n}\n";
    assert_eq!(look(git), 1);
    let tests = "#[cfg(test)]\nmod tests {\n    fn f() {\n        file.sync_all();\n    }\n}\n";
    assert_eq!(look(tests), 0);
    let bare = "fn f() {\n    file.sync_all();\n}\n";
    for item in ["mod fuzz;\n", "use std::fs;\n", "fn g(\n    a: A,\n) -> A {\n    a\n}\n"] {
        let below = format!("{bare}#[cfg(test)]\n{item}{bare}");
        assert_eq!(look(&below), 2, "what stands below {item}");
    }
    let within = format!("fn g() {{}}\n#[cfg(test)]\n{bare}");
    assert_eq!(look(&within), 0);
}

#[test]
fn each_write_needs_a_point_of_its_own() {
    let look = |body: &str| {
        let text = format!("fn f() {{\n    {}\n}}\n", body.replace('\n', "\n    "));
        let source = Source { path: "src/adapter/x.rs".into(), text, only_tests: false };
        without_a_point(&source, &mut Vec::new()).len()
    };
    let pass = "failpoint::pass(\"a.b\")?;\n";
    let through = |what: &str| format!("failpoint::through(\"a.b\", p, {what})?;\n");
    for (body, bare) in [
        (format!("{pass}file.sync_all()?;\nfile.sync_all()"), 1),
        (format!("{pass}file.sync_all()?;\n{pass}file.sync_all()"), 0),
        (format!("{}file.sync_all()", through("|| file.set_len(0)")), 1),
        (through("|| file.set_len(0).and_then(|()| file.sync_all())"), 0),
        // A closure that is handed to one, and one that is not.
        (format!("let sync = || file.sync_all();\n{}", through("sync")), 0),
        (format!("let sync = || {{\n    file.sync_all()\n}};\n{}", through("sync")), 0),
        (format!("let sync = || file.sync_all();\n{}sync()", through("other")), 1),
        (format!("let sync = || f();\n{}file.sync_all()", through("sync")), 1),
        // What describes an opening or a child counts where that is done.
        (
            format!(
                "let mut options = O::new();\noptions.write(true);\n{}",
                through("|| options.open(p)")
            ),
            0,
        ),
        (
            format!(
                "let mut options = O::new();\noptions.write(true);\n{pass}f(a)?;\noptions.open(p)"
            ),
            0,
        ),
        (
            format!(
                "let mut options = O::new();\noptions.write(true);\n{}options.open(p)",
                through("f")
            ),
            1,
        ),
        (format!("let flags = OFlags::CREATE;\n{pass}openat(a, b, flags)"), 0),
        (
            format!(
                "let flags = OFlags::CREATE;\n{pass}f(a)?;\nfile.sync_all()?;\nopenat(a, b, flags)"
            ),
            1,
        ),
        (
            format!(
                "let mut child = agent.command();\nchild.arg(a);\n{}",
                through("|| child.spawn()")
            ),
            0,
        ),
        ("let mut child = agent.command();\nchild.arg(a);\nchild.status()".to_owned(), 1),
    ] {
        assert_eq!(look(&body), bare, "{body}");
    }
}
