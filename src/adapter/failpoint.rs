//! Named points at which a test can make this process die, fail or stall.
//!
//! Compiled into debug builds only. `AO_FAILPOINT` holds `name=action`, several separated by
//! commas; an action is `kill` (SIGKILL), `stop` (SIGSTOP), `exit`, `sleep:MS`, `error:ERRNO` with
//! an errno's number, or `log:FILE`, which appends the point's name to a file. A name followed by
//! `#N` acts at its N-th passing only, by `#N+` from there on; the name `*` is every point.
//!
//! Deadlines that take too long for a test can be shortened.
#![cfg_attr(
    debug_assertions,
    expect(clippy::disallowed_methods, reason = "tests steer it by an environment variable")
)]

use std::io;
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

/// Passes the point `name`: returns `Ok` unless a test asked for something else.
#[cfg(debug_assertions)]
pub fn pass(name: &str) -> io::Result<()> {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, OnceLock};
    static SPEC: OnceLock<Option<String>> = OnceLock::new();
    static PASSED: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

    let Some(spec) = SPEC.get_or_init(|| std::env::var("AO_FAILPOINT").ok()) else {
        return Ok(());
    };
    let passed = {
        let mut all = PASSED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = all.entry(name.to_owned()).or_default();
        *count += 1;
        *count
    };
    for (point, action) in spec.split(',').filter_map(|item| item.split_once('=')) {
        let (point, nth) = point.split_once('#').unwrap_or((point, "1+"));
        let reached = match nth.strip_suffix('+') {
            Some(first) => first.parse().is_ok_and(|first: u64| passed >= first),
            None => nth.parse() == Ok(passed),
        };
        if reached && (point == name || point == "*") {
            act(name, action)?;
        }
    }
    Ok(())
}

#[cfg(debug_assertions)]
fn act(name: &str, action: &str) -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    let (verb, argument) = action.split_once(':').unwrap_or((action, ""));
    match verb {
        "kill" => {
            let _ = kill_process(getpid(), Signal::KILL);
            unreachable!("SIGKILL cannot be survived")
        }
        "stop" => {
            let _ = kill_process(getpid(), Signal::STOP);
        }
        "exit" => std::process::exit(86),
        "sleep" => std::thread::sleep(std::time::Duration::from_millis(
            argument.parse().expect("AO_FAILPOINT: sleep:MILLISECONDS"),
        )),
        "error" => {
            let errno = argument.parse().expect("AO_FAILPOINT: error:ERRNO");
            return Err(io::Error::from_raw_os_error(errno));
        }
        "log" => {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(argument)?;
            file.write_all(format!("{name}\n").as_bytes())?;
        }
        _ => panic!("AO_FAILPOINT: unknown action `{action}`"),
    }
    Ok(())
}

/// Passes the point `name`, which does nothing in release builds.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn pass(_name: &str) -> io::Result<()> {
    Ok(())
}
