//! Fuzz targets for what tmux prints and for the files that a launcher leaves.
#![expect(clippy::disallowed_methods, reason = "puts what is read where it is read")]

use super::screen::Screen;
use super::tmux_parse::{self, Failure};
use super::{EXIT_FILE, STARTED_FILE, exit_record, process_fact, start_record};
use crate::fuzz::target;
use crate::model::facts::Liveness;
use crate::model::id::LaunchId;

const LAUNCH: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn fuzz_panes() {
    let line = format!("%3\t{LAUNCH}\t0\t4242\t1795000000:77\t0\tao-web-1\n");
    target("panes").fixtures("tmux", "list-panes.txt").seed(line).words(&["%", "\t"]).run_text(
        |text| {
            if let Ok(panes) = tmux_parse::panes(text) {
                // A line that cannot be read is an error, never a pane that is not there.
                assert_eq!(panes.len(), text.lines().count());
                assert!(panes.iter().all(|pane| pane.id.starts_with('%')));
            }
        },
    );
}

/// The words by which tmux says that something is not there.
const ABSENT: &[&str] = &[
    "error connecting to ",
    "(No such file or directory)",
    "(Connection refused)",
    "no server running on ",
    "can't find session",
    "can't find window",
    "can't find pane",
    "no such session",
];

#[test]
fn fuzz_tmux_errors() {
    let target = target("tmux-errors").fixtures("tmux", "errors.txt").words(ABSENT);
    target.words(&["server exited unexpectedly", "lost server", "duplicate session"]).run_text(
        |text| match tmux_parse::classify(text) {
            Failure::Absent { .. } | Failure::Missing => {
                assert!(ABSENT.iter().any(|words| text.contains(words)), "{text:?} is no absence");
            }
            Failure::Transient | Failure::Duplicate | Failure::Other => {}
        },
    );
}

#[test]
fn fuzz_tmux_words() {
    target("tmux-words").seed("tmux 3.3a").seed("tmux next-3.6").seed("a;").run_text(|text| {
        tmux_parse::version(text);
        let argument = tmux_parse::argument(text);
        assert!(!argument.ends_with(';') || argument.ends_with("\\;"));
        let unexpanded = tmux_parse::unexpanded(text);
        assert_eq!(unexpanded.replace("##", "#"), text);
        let quoted = tmux_parse::quoted(text);
        let inner = &quoted[1..quoted.len() - 1];
        let mut chars = inner.chars();
        let mut read = String::new();
        while let Some(c) = chars.next() {
            assert!(!matches!(c, '"' | '$' | '~'), "{quoted}");
            read.push(if c == '\\' { chars.next().unwrap() } else { c });
        }
        assert_eq!(read, text);
    });
}

#[test]
fn fuzz_screens() {
    let words = ["\u{1b}[2m", "\u{1b}[7m", "\u{1b}[0m", "\u{1b}[38;5;240m", "\u{1b}[48;2;1;2;3m"];
    target("screens").fixtures("screen", ".ansi").words(&words).run_text(|text| {
        let screen = Screen::parse(text);
        for shown in [&screen.plain, &screen.bright] {
            assert!(!shown.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
        }
        assert!(screen.bright.len() <= screen.plain.len() + text.len());
    });
}

#[test]
fn fuzz_launcher_files() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    let launch: LaunchId = LAUNCH.parse().unwrap();
    let exit =
        format!(r#"{{"launch":"{LAUNCH}","code":3,"signal":null,"at":"2026-11-20T10:00:00Z"}}"#);
    let killed =
        format!(r#"{{"launch":"{LAUNCH}","code":null,"signal":9,"at":"2026-11-20T10:00:00Z"}}"#);
    let start = format!(
        r#"{{"launch":"{LAUNCH}","pid":1,"pid_start":1,"boot_id":"b","agent_pid":2,"at":"2026-11-20T10:00:00Z"}}"#
    );
    target("launcher-files").seed(exit).seed(killed).seed(start).run(|bytes| {
        for (file, other) in [(EXIT_FILE, STARTED_FILE), (STARTED_FILE, EXIT_FILE)] {
            let _ = std::fs::remove_file(dir.join(other));
            std::fs::write(dir.join(file), bytes).unwrap();
            let fact = process_fact(dir, &launch);
            let read = exit_record(dir, &launch);
            if let Ok(Some(exit)) = &read {
                exit.exit_code();
            }
            let started = start_record(dir, &launch);
            if file == EXIT_FILE && fact.liveness == Liveness::Dead {
                assert!(matches!(read, Ok(Some(_))), "what cannot be read is no death");
            }
            if read.is_err() || started.is_err() {
                assert_eq!(fact.liveness, Liveness::Failed, "what cannot be read is unknown");
            }
        }
    });
}

#[test]
fn what_is_escaped_for_tmux_comes_back_as_it_was() {
    use proptest::strategy::{Strategy, ValueTree};
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let words = "(#\\(touch pwned\\)|#\\{pid\\}|#|;|\\$HOME|`|\"|'|\\\\|~|-|[a-z ]|ä|日){1,8}";
    let texts: Vec<String> = (0..60)
        .map(|_| words.new_tree(&mut runner).unwrap().current())
        .map(|text| format!("<{text}>"))
        .chain(["x;", "#(touch pwned);", "#;"].map(str::to_owned))
        .collect();
    let mut arguments = ["new-session", "-d", "-s", "web-1", "cat"].map(str::to_owned).to_vec();
    for text in &texts {
        let escaped = tmux_parse::argument(&tmux_parse::unexpanded(text));
        arguments.extend([";", "display-message", "-p", "--", &escaped].map(str::to_owned));
    }
    let tmux = |arguments: &[String]| {
        let tmux = crate::adapter::cmd::Cmd::new("tmux").arg("-u").arg("-S").arg(&socket);
        tmux.args(["-f", "/dev/null"]).args(arguments).cwd(directory.path()).read()
    };
    let shown = tmux(&arguments).unwrap().text();
    let _ = tmux(&["kill-server".to_owned()]);
    assert_eq!(shown.lines().collect::<Vec<_>>(), texts);
    assert!(!directory.path().join("pwned").exists());
}
