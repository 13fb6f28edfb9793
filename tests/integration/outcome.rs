//! [`Outcome`]: what a program did, as tests assert and snapshot it.

use std::fmt;
use std::panic;
use std::path::Path;
use std::sync::{LazyLock, Once};

use ao::adapter::cmd::{Output, exit_code};
use regex::Regex;
use serde_json::Value;

/// How a program came to its end, and what it said.
#[derive(Clone)]
pub(crate) struct Outcome {
    /// Its exit code, 128 + n for signal n.
    pub(crate) status: i32,
    /// Standard output, lossily decoded.
    pub(crate) stdout: String,
    /// Standard error, lossily decoded.
    pub(crate) stderr: String,
    /// Standard output as it came.
    pub(crate) bytes: Vec<u8>,
    root: String,
}

impl Outcome {
    /// Returns the outcome of what ran in the environment at `root`.
    pub(crate) fn new(output: Output, root: &Path) -> Self {
        Self {
            status: exit_code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: output.stderr,
            bytes: output.stdout,
            root: root.to_string_lossy().into_owned(),
        }
    }

    /// Asserts that it exited 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.code(0)
    }

    /// Asserts its exit code.
    #[track_caller]
    pub(crate) fn code(self, wanted: i32) -> Self {
        assert_eq!(self.status, wanted, "unexpected exit code\n{self}");
        self
    }

    /// Returns standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// Returns standard output as one JSON document a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}\n{self}"))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// Returns standard error as the JSON document of an error.
    #[track_caller]
    pub(crate) fn json_error(&self) -> Value {
        serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// Returns the `Display` text with everything that differs from run to run replaced.
    pub(crate) fn filtered(&self) -> String {
        filtered(&self.to_string())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "status: {}", self.status)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            writeln!(f, "--- {name} ---")?;
            let text = text.replace(&self.root, "[ROOT]");
            f.write_str(&text)?;
            if !text.is_empty() && !text.ends_with('\n') {
                writeln!(f, "[no line end]")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Replaces times, object ids, random ids and measured durations.
pub(crate) fn filtered(text: &str) -> String {
    static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let filters = [
            (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "[TIME]"),
            (r"\b[0-9a-f]{64}\b", "[SHA256]"),
            (r"\b[0-9a-f]{40}\b", "[SHA]"),
            (r"\b[0-9a-f]{32}\b", "[ID]"),
            (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "[UUID]"),
            (r#""(pid|pid_start|took_ms)": ?\d+"#, r#""$1":[N]"#),
            (r"\bpid \d+", "pid [N]"),
            (r"\b\d+(\.\d+)?(ms|µs)\b", "[DURATION]"),
        ];
        filters.map(|(pattern, replacement)| (Regex::new(pattern).unwrap(), replacement)).into()
    });
    FILTERS.iter().fold(text.to_owned(), |text, (pattern, replacement)| {
        pattern.replace_all(&text, *replacement).into_owned()
    })
}

/// Lets every failure be told on standard error when it happens, in a few lines, beside what the
/// test harness keeps until all tests are done: of a long run, the end may be all that is lost.
pub(crate) fn tell_failures_at_once() {
    const LINES: usize = 8;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |failure| {
            let text = failure.to_string();
            let lines: Vec<String> =
                text.lines().take(LINES).map(|line| line.chars().take(300).collect()).collect();
            // Not by `eprintln!`, which the harness would keep as well.
            let _ =
                rustix::io::write(rustix::stdio::stderr(), (lines.join("\n") + "\n").as_bytes());
            usual(failure);
        }));
    });
}
