//! A program of the user's that reads a notice as JSON on standard input.

use std::io;
use std::time::Duration;

use crate::adapter::cmd::{Cmd, CmdError, Output, exit_code};
use crate::adapter::notify::{Notice, NotifyError, json_line};

/// A person waits for nothing here; ten seconds is long for a web hook.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn deliver(
    name: &str,
    command: &[String],
    notice: &Notice<'_>,
) -> Result<(), NotifyError> {
    run(name, command, json_line(notice), DEADLINE)
}

/// Runs `command` with `input`; anything but exit code 0 is a failure.
pub(super) fn run(
    name: &str,
    command: &[String],
    input: Vec<u8>,
    deadline: Duration,
) -> Result<(), NotifyError> {
    let (program, args) = match command.split_first() {
        Some((program, args)) => (program.as_str(), args),
        None => ("", &[] as &[String]),
    };
    let output = Cmd::new(program).args(args).stdin(input).deadline(deadline).output();
    match output {
        Ok(output) if output.success() => Ok(()),
        Ok(output) => Err(NotifyError::Failed {
            notifier: name.to_owned(),
            program: program.to_owned(),
            code: exit_code(output.status),
            stderr: redacted(&output, args),
        }),
        Err(error) => Err(failure(name, program, error)),
    }
}

/// Returns the same failure without the arguments that `CmdError` shows.
fn failure(name: &str, program: &str, error: CmdError) -> NotifyError {
    let (notifier, program) = (name.to_owned(), program.to_owned());
    match error {
        CmdError::Missing { .. } => NotifyError::Missing { notifier, program },
        CmdError::TimedOut { deadline, .. } => {
            NotifyError::TimedOut { notifier, program, deadline }
        }
        CmdError::Spawn { source, .. } | CmdError::Io { source, .. } => {
            NotifyError::Run { notifier, program, source }
        }
        CmdError::Failed { stderr, .. } => {
            NotifyError::Run { notifier, program, source: io::Error::other(stderr) }
        }
    }
}

/// Programs repeat their arguments when they fail, and a web hook's address is a password.
fn redacted(output: &Output, args: &[String]) -> String {
    const SHORTEST_SECRET: usize = 4;
    const SHOWN: usize = 200;
    let mut line: String = output.last_error().chars().filter(|c| !c.is_control()).collect();
    for arg in args {
        // `--token=x` is repeated as `x` alone, too.
        let parts = [Some(arg.as_str()), arg.split_once('=').map(|(_, value)| value)];
        for part in parts.into_iter().flatten().filter(|part| part.len() >= SHORTEST_SECRET) {
            line = line.replace(part, "[redacted]");
        }
    }
    line.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::notify::tests::with_notice;

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script, "sh", "--token=s3cret-token"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_program_reads_the_notice_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("got");
        let script = format!("cat > '{}'", path.display());
        with_notice("web-1.1.x", |notice| deliver("me", &sh(&script), notice).unwrap());
        let got = crate::adapter::fs::read(&path).unwrap();
        assert_eq!(got, with_notice("web-1.1.x", json_line));
    }

    #[test]
    fn failures_name_the_program_and_never_its_arguments() {
        let fail = |command: &[String], deadline| {
            run("me", command, Vec::new(), deadline).unwrap_err().to_string()
        };
        let long = Duration::from_secs(20);
        assert_eq!(
            fail(&sh("echo \"cannot reach $1 with s3cret-token\" >&2; exit 3"), long),
            "notifier `me`: `sh` failed with exit code 3: cannot reach [redacted] with [redacted]"
        );
        assert_eq!(fail(&sh("kill -9 $$"), long), "notifier `me`: `sh` failed with exit code 137");
        assert_eq!(
            fail(&sh("sleep 60"), Duration::from_millis(100)),
            "notifier `me`: `sh` did not end within 100ms"
        );
        assert_eq!(
            fail(&["no-such-program-here".to_owned(), "s3cret-token".to_owned()], long),
            "notifier `me`: `no-such-program-here` is not installed or not in PATH"
        );
    }

    #[test]
    fn a_program_that_reads_nothing_is_no_failure() {
        run("me", &sh("exit 0"), vec![b'x'; 1 << 20], Duration::from_secs(20)).unwrap();
    }
}
