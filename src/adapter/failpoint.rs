//! Named points at which a test can make this process die, fail or stall.
//!
//! Every write, rename, sync, removal, start of a child, lock and request passes one, and so does
//! each step of an operation. Compiled into debug builds only. `AO_FAILPOINT` holds `name=action`,
//! several separated by commas; an action is `kill` (SIGKILL), `stop` (SIGSTOP), `exit`,
//! `sleep:MS`, `error:ERRNO` with an errno's number, `log:FILE`, which appends the point's name to
//! a file, or `trace:FILE`, which appends what it is about as well. A name followed by `#N` acts at
//! its N-th passing only, by `#N+` from there on; the name `*` is every point.
//!
//! Processes that `ao` starts do not see its variables. The launcher, a check's supervisor and the
//! hooks of an agent find theirs in the file `failpoints` of the home, as `launch/name=action`,
//! `check-run/…` and `hook/…`.
//!
//! Deadlines that take too long for a test can be shortened.
#![cfg_attr(
    debug_assertions,
    expect(clippy::disallowed_methods, reason = "tests steer it by the environment")
)]

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Returns `default`, or so many milliseconds as a test gave in the variable `name`.
#[cfg(debug_assertions)]
pub fn deadline(name: &str, default: Duration) -> Duration {
    let milliseconds = std::env::var(name).ok().and_then(|text| text.parse().ok());
    milliseconds.map_or(default, Duration::from_millis)
}

/// Returns `default` in release builds.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn deadline(_name: &str, default: Duration) -> Duration {
    default
}

/// Does `operation`, again for as long as a signal interrupts it, and passes the point `name`
/// before each try; `path` is what it is done to.
pub fn through<T>(
    name: &str,
    path: &Path,
    mut operation: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    uninterrupted(|| pass_at(name, path).and_then(|()| operation()))
}

/// Tries again for as long as a signal interrupts it: that is nobody's fault.
fn uninterrupted<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Passes the point `name`: returns `Ok` unless a test asked for something else. One that is
/// interrupted is passed again.
#[inline(always)]
pub fn pass(name: &str) -> io::Result<()> {
    pass_at(name, Path::new(""))
}

/// Passes the point `name`, which is about `path`.
#[cfg(debug_assertions)]
pub fn pass_at(name: &str, path: &Path) -> io::Result<()> {
    uninterrupted(|| steered::pass(name, || path.display().to_string()))
}

/// Passes the point `name`, which does nothing in release builds.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn pass_at(_name: &str, _path: &Path) -> io::Result<()> {
    Ok(())
}

/// Passes the point `<name>:<program>`, at which a child is started or waited for.
#[cfg(debug_assertions)]
pub fn pass_child(name: &str, program: &OsStr, args: &[OsString]) -> io::Result<()> {
    let program = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    let about = || {
        let words: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    };
    uninterrupted(|| steered::pass(&format!("{name}:{program}"), about))
}

/// Passes the point of a child, which does nothing in release builds.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn pass_child(_name: &str, _program: &OsStr, _args: &[OsString]) -> io::Result<()> {
    Ok(())
}

#[cfg(debug_assertions)]
mod steered {
    use std::collections::BTreeMap;
    use std::io::{self, Write};
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    /// What a test asks for.
    struct Rule {
        /// Which kind of process it is for, where that is not the one that was given it.
        role: Option<String>,
        point: String,
        first: u64,
        last: u64,
        action: String,
    }

    impl Rule {
        fn parse(item: &str) -> Option<Self> {
            let (place, action) = item.trim().split_once('=')?;
            let (place, nth) = place.split_once('#').unwrap_or((place, "1+"));
            let (role, point) = match place.split_once('/') {
                Some((role, point)) => (Some(role.to_owned()), point),
                None => (None, place),
            };
            let first = nth.trim_end_matches('+').parse().ok()?;
            let last = if nth.ends_with('+') { u64::MAX } else { first };
            Some(Self { role, point: point.to_owned(), first, last, action: action.to_owned() })
        }

        /// Returns how the point is called in a list of all processes' points.
        fn name(&self, point: &str) -> String {
            self.role.as_ref().map_or_else(|| point.to_owned(), |role| format!("{role}/{point}"))
        }
    }

    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    static PASSED: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

    pub(super) fn pass(name: &str, about: impl Fn() -> String) -> io::Result<()> {
        let rules = RULES.get_or_init(rules);
        if rules.is_empty() {
            return Ok(());
        }
        let passed = {
            let mut all = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
            let count = all.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        };
        for rule in rules {
            let reached = (rule.first..=rule.last).contains(&passed);
            if reached && (rule.point == name || rule.point == "*") {
                act(&rule.name(name), &rule.action, &about)?;
            }
        }
        Ok(())
    }

    /// Returns the rules of this process's own variable, and of the home's file.
    fn rules() -> Vec<Rule> {
        let own = std::env::var("AO_FAILPOINT").unwrap_or_default();
        let mut rules: Vec<Rule> = own.split(',').filter_map(Rule::parse).collect();
        if let Some((role, home)) = role_and_home() {
            let file = std::fs::read_to_string(home.join("failpoints")).unwrap_or_default();
            let all = file.split([',', '\n']).filter_map(Rule::parse);
            rules.extend(all.filter(|rule| rule.role.as_ref() == Some(&role)));
        }
        rules
    }

    /// Returns which kind of process this is and where its home is, `None` of one that a person
    /// starts.
    fn role_and_home() -> Option<(String, PathBuf)> {
        let mut args = std::env::args_os().skip(1);
        let role = args.next()?.into_string().ok()?;
        let home = match role.as_str() {
            "launch" | "check-run" => PathBuf::from(args.next()?).parent()?.parent()?.to_owned(),
            "hook" => PathBuf::from(std::env::var_os("AO_HOME")?),
            _ => return None,
        };
        Some((role, home))
    }

    fn act(name: &str, action: &str, about: &dyn Fn() -> String) -> io::Result<()> {
        let (verb, argument) = action.split_once(':').unwrap_or((action, ""));
        match verb {
            "kill" => {
                let _ = kill_process(getpid(), Signal::KILL);
                unreachable!("SIGKILL cannot be survived")
            }
            "stop" => {
                let _ = kill_process(getpid(), Signal::STOP);
                // Another thread may have taken the signal: this one goes no further meanwhile.
                std::thread::sleep(Duration::from_millis(20));
            }
            "exit" => std::process::exit(86),
            "sleep" => std::thread::sleep(Duration::from_millis(
                argument.parse().expect("AO_FAILPOINT: sleep:MILLISECONDS"),
            )),
            "error" => {
                let errno = argument.parse().expect("AO_FAILPOINT: error:ERRNO");
                return Err(io::Error::from_raw_os_error(errno));
            }
            "log" => append(argument, &format!("{name}\n"))?,
            "trace" => append(argument, &format!("{name}\t{}\n", about().replace('\n', " ")))?,
            _ => panic!("AO_FAILPOINT: unknown action `{action}`"),
        }
        Ok(())
    }

    fn append(path: &str, line: &str) -> io::Result<()> {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(line.as_bytes())
    }
}
