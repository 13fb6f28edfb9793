//! Fetches secrets from where the configuration says they are.
#![expect(clippy::disallowed_methods, reason = "a secret may be in any variable")]

use std::path::Path;
use std::time::Duration;

use crate::adapter::cmd::{Cmd, CmdError, exit_code};
use crate::adapter::program;
use crate::model::sanitize;
use crate::model::secret::{Secret, SecretSource, is_secret_name, redacted};

/// A password store may ask an agent of its own, but nobody is there to type.
const DEADLINE: Duration = Duration::from_secs(10);

/// How much of a program's last words is shown.
const SHOWN: usize = 200;

/// Why a secret is not known.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set where this program runs.
    #[error("${0} is not set here")]
    NotSet(String),
    /// What was found has nothing in it, or is not one line of text.
    #[error("{0} holds no single line of text")]
    NotOneLine(String),
    /// The program that prints it failed.
    #[error("`{program}` failed with exit code {code}{}", if .stderr.is_empty() { String::new() } else { format!(": {}", .stderr) })]
    Failed {
        /// The program, without its arguments.
        program: String,
        /// Its exit code, 128 + n for signal n.
        code: i32,
        /// The last line of its standard error, its arguments and its output taken out.
        stderr: String,
    },
    /// The program that prints it is not installed.
    #[error("`{0}` is not installed or not in PATH")]
    Missing(String),
    /// The program that prints it could not be run.
    #[error("could not run `{program}`")]
    Run {
        /// The program, without its arguments.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The program that prints it did not end.
    #[error("`{program}` did not end within {}", humantime::format_duration(*.deadline))]
    TimedOut {
        /// The program, without its arguments.
        program: String,
        /// How long it was given.
        deadline: Duration,
    },
}

/// Returns the secret, white space around it taken away.
///
/// # Errors
///
/// It is not there, or is no single line of text.
pub fn fetch(source: &SecretSource) -> Result<Secret, SecretError> {
    let text = match source {
        SecretSource::Given(secret) => secret.reveal().to_owned(),
        SecretSource::Variable(name) => {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.ok_or_else(|| SecretError::NotSet(name.clone()))?
        }
        SecretSource::Command(command) => printed(command)?,
    };
    let line = text.trim();
    if line.is_empty() || line.contains(char::is_control) {
        return Err(SecretError::NotOneLine(source.shown()));
    }
    Ok(Secret::new(line))
}

/// Returns the values of variables that hold secrets, to judge by their names.
pub(super) fn of_environment() -> Vec<String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(name, _)| is_secret_name(name)).map(|(_, value)| value).collect()
}

/// Checks that a secret is where it is said to be, without asking a program for it.
///
/// # Errors
///
/// The variable is not set, the program is not installed.
pub fn check(source: &SecretSource) -> Result<(), SecretError> {
    match source {
        SecretSource::Given(_) | SecretSource::Variable(_) => fetch(source).map(drop),
        SecretSource::Command(command) => {
            let program = command.first().map_or("", String::as_str);
            let found = is_installed(program).then_some(());
            found.ok_or_else(|| SecretError::Missing(program.to_owned()))
        }
    }
}

/// Returns whether a program can be found.
pub(super) fn is_installed(program: &str) -> bool {
    if program.contains('/') {
        return program::is_executable(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    program::find(program, &path).is_some()
}

fn printed(command: &[String]) -> Result<String, SecretError> {
    let (program, args) = match command.split_first() {
        Some((program, args)) => (program.clone(), args),
        None => (String::new(), &[] as &[String]),
    };
    let output = Cmd::new(&program).args(args).deadline(DEADLINE).own_group().output();
    let output = output.map_err(|error| failure(error, &program))?;
    if output.success() {
        return Ok(output.text());
    }
    // It may have printed the secret before it failed, and repeat it in what it complains of.
    let text = output.text();
    let secrets = args.iter().map(String::as_str).chain(text.split_whitespace());
    let stderr = redacted(&sanitize::line(output.last_error()), secrets);
    let stderr = stderr.chars().take(SHOWN).collect();
    Err(SecretError::Failed { program, code: exit_code(output.status), stderr })
}

fn failure(error: CmdError, program: &str) -> SecretError {
    let program = program.to_owned();
    match error {
        CmdError::Missing { .. } => SecretError::Missing(program),
        CmdError::TimedOut { deadline, .. } => SecretError::TimedOut { program, deadline },
        CmdError::Spawn { source, .. } | CmdError::Io { source, .. } => {
            SecretError::Run { program, source }
        }
        CmdError::Failed { stderr, .. } => {
            SecretError::Run { program, source: std::io::Error::other(stderr) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::fs;

    fn sh(script: &str) -> SecretSource {
        let words = ["sh", "-c", script, "sh", "--key=s3cret"];
        SecretSource::Command(words.map(str::to_owned).to_vec())
    }

    #[test]
    fn what_a_program_prints_is_trimmed() {
        assert_eq!(fetch(&sh("echo; echo ' abc '")).unwrap().reveal(), "abc");
        let given = SecretSource::Given(Secret::new(" x\n"));
        assert_eq!(fetch(&given).unwrap().reveal(), "x");
    }

    #[test]
    fn a_program_that_is_a_link_is_installed() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("printer");
        let printer = SecretSource::Command(vec![link.display().to_string()]);
        assert!(matches!(check(&printer), Err(SecretError::Missing(_))));
        fs::symlink(Path::new("/bin/sh"), &link).unwrap();
        assert!(check(&printer).is_ok());
    }

    #[test]
    fn failures_name_the_place_and_hold_no_secret() {
        let told = |source: &SecretSource| fetch(source).unwrap_err().to_string();
        let unset = SecretSource::Variable("AO_TEST_NO_SUCH_VARIABLE".to_owned());
        assert_eq!(told(&unset), "$AO_TEST_NO_SUCH_VARIABLE is not set here");
        assert_eq!(told(&sh("true")), "`sh` holds no single line of text");
        assert_eq!(told(&sh("echo a; echo b")), "`sh` holds no single line of text");
        assert_eq!(
            told(&sh("echo t0ken; echo \"no t0ken for $1\" >&2; exit 4")),
            "`sh` failed with exit code 4: no [redacted] for [redacted]"
        );
        let missing = SecretSource::Command(vec!["no-such-program-here".into(), "s3cret".into()]);
        assert_eq!(told(&missing), "`no-such-program-here` is not installed or not in PATH");
    }
}
