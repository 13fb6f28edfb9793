//! A program of the user's that reads a notice as JSON on standard input.

use std::io;
use std::time::Duration;

use crate::adapter::cmd::{Cmd, CmdError, Output, exit_code};
use crate::adapter::notify::{Notice, NotifyError, json_line, secret};
use crate::model::secret::redacted;

pub(super) fn deliver(
    name: &str,
    command: &[String],
    notice: &Notice<'_>,
    timeout: Duration,
) -> Result<(), NotifyError> {
    run(name, command, json_line(notice), timeout)
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
            stderr: last_words(&output, args),
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

/// Returns the program's last words. Programs repeat what they were given when they fail, and a
/// web hook's address is a password.
fn last_words(output: &Output, args: &[String]) -> String {
    const SHOWN: usize = 200;
    // `--token=x` is repeated as `x` alone, too.
    let parts = args.iter().flat_map(|arg| {
        [Some(arg.as_str()), arg.split_once('=').map(|(_, value)| value)].into_iter().flatten()
    });
    let variables = secret::of_environment();
    let secrets = parts.chain(variables.iter().map(String::as_str));
    let line: String = output.last_error().chars().filter(|c| !c.is_control()).collect();
    redacted(&line, secrets).chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::notify::tests::with_notice;

    const LONG: Duration = Duration::from_secs(20);

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script, "sh", "--token=s3cret-token"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_program_reads_the_notice_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("got");
        let script = format!("cat > '{}'", path.display());
        with_notice("web-1.1.x", |notice| deliver("me", &sh(&script), notice, LONG).unwrap());
        let got = crate::adapter::fs::read(&path).unwrap();
        assert_eq!(got, with_notice("web-1.1.x", json_line));
    }

    #[test]
    fn failures_name_the_program_and_never_its_arguments() {
        let fail = |command: &[String], deadline| {
            run("me", command, Vec::new(), deadline).unwrap_err().to_string()
        };
        assert_eq!(
            fail(&sh("echo \"cannot reach $1 with s3cret-token\" >&2; exit 3"), LONG),
            "notifier `me`: `sh` failed with exit code 3: cannot reach [redacted] with [redacted]"
        );
        assert_eq!(fail(&sh("kill -9 $$"), LONG), "notifier `me`: `sh` failed with exit code 137");
        assert_eq!(
            fail(&sh("sleep 60"), Duration::from_millis(100)),
            "notifier `me`: `sh` did not end within 100ms"
        );
        assert_eq!(
            fail(&["no-such-program-here".to_owned(), "s3cret-token".to_owned()], LONG),
            "notifier `me`: `no-such-program-here` is not installed or not in PATH"
        );
    }

    #[test]
    fn a_program_that_reads_nothing_is_no_failure() {
        run("me", &sh("exit 0"), vec![b'x'; 1 << 20], LONG).unwrap();
    }
}
