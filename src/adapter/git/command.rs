//! How the `git` program is run: hermetically, without prompts, and with its errors understood.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::GitError;
use crate::adapter::cmd::{Cmd, Ending, Output};
use crate::adapter::{clock, program, remembered};
use crate::model::{sanitize, secret};

/// How long a question about refs and registrations may take.
pub(super) const QUICK: Duration = Duration::from_secs(60);

/// How long work on a whole tree may take.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// Returns a git command that runs in `directory` and nothing of the repository's.
///
/// [`Cmd`] has taken every `GIT_*` variable away: called from a git hook, `GIT_DIR` would
/// otherwise name another repository.
pub(super) fn git(directory: &Path) -> Cmd {
    bare_git(directory)
        // Hooks are the repository's code; the only one that is due is run by name.
        .args(["-c", "core.hooksPath=/dev/null"])
}

/// [`git`] that tells of every change of the files in `top`, whatever the configuration spares it.
pub(super) fn looking(top: &Path) -> Cmd {
    git(top)
        // `core.worktree` would have it look elsewhere.
        .env("GIT_WORK_TREE", top)
        // A change of the same length whose times were put back is in these numbers alone.
        .args(["-c", "core.trustctime=true", "-c", "core.checkStat=default"])
        // A file would pass for another whose name differs in upper and lower case.
        .args(["-c", "core.ignoreCase=false"])
}

/// [`git`] with the user's hooks.
pub(super) fn git_with_hooks(directory: &Path) -> Cmd {
    bare_git(directory)
}

/// [`git`] that goes on where this process is killed: what it does is worse half done, or done in
/// an instant under a lock of the whole repository. A git to which a signal comes while the system
/// makes the file of its lock leaves that for ever, and nobody else can tell whose it was.
pub(super) fn git_to_its_end(directory: &Path) -> Cmd {
    surviving_git(directory).args(["-c", "core.hooksPath=/dev/null"])
}

fn bare_git(directory: &Path) -> Cmd {
    surviving_git(directory).die_with_parent()
}

fn surviving_git(directory: &Path) -> Cmd {
    Cmd::new("git")
        .cwd(directory)
        .deadline(QUICK)
        // git removes its lock files on SIGTERM, not on SIGKILL.
        .ending(Ending::TermThenKill)
        // Hooks and filters outlive a git that is ended alone.
        .own_group()
        // Configuration is shared by all worktrees: an agent could plant a program here.
        .args(["-c", "core.fsmonitor=false", "-c", "core.pager=cat"])
        // Another's half-written maintenance is not this call's business.
        .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
        // Messages are told apart by their English text.
        .env("LC_ALL", "C")
        .env("LANGUAGE", "")
        .env("GIT_TERMINAL_PROMPT", "0")
        // Empty is none at all: a program would be told the user in its argument.
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "true")
        // A question must not take `index.lock` and make the agent's own git fail.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_CEILING_DIRECTORIES", ceiling(directory))
}

/// Returns the directory at which git stops looking upwards: a worktree that lost its `.git`
/// file must not pass for part of a repository around it.
fn ceiling(directory: &Path) -> PathBuf {
    directory.parent().unwrap_or(directory).to_owned()
}

/// Runs `command` and returns its output whatever its exit code.
pub(super) fn run(command: &Cmd) -> Result<Output, GitError> {
    Ok(command.output()?)
}

/// Runs `command`, which may be done twice, any exit code but 0 being an error; what fails by a
/// race with another git is tried again. Even a list fails while another entry is half-written.
pub(super) fn read(command: &Cmd, what: &str) -> Result<Output, GitError> {
    retried(|| once(command, what))
}

/// Runs `command`, any exit code but 0 being an error with git's last word.
pub(super) fn once(command: &Cmd, what: &str) -> Result<Output, GitError> {
    let output = run(command)?;
    if output.success() { Ok(output) } else { Err(failed(what, &output)) }
}

/// Runs `command` and returns the one path it prints.
pub(super) fn read_path(command: &Cmd, what: &str) -> Result<PathBuf, GitError> {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = read(command, what)?.stdout;
    // Only the line end that git added: a path may end in one of its own.
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

/// Returns the error of a git that exited with a failure.
pub(super) fn failed(what: &str, output: &Output) -> GitError {
    GitError::Failed { command: what.to_owned(), stderr: why(output) }
}

/// Returns the error of an answer, or a part of one, that makes no sense.
pub(super) fn unreadable(what: &str, part: &[u8]) -> GitError {
    /// How much of it is shown, in bytes.
    const SHOWN: usize = 200;
    let line = sanitize::inline(&String::from_utf8_lossy(part), SHOWN);
    GitError::Unreadable { command: what.to_owned(), line }
}

/// Returns the records of an answer, of so many fields each, in which a NUL ends every field.
pub(super) fn records<'a, const FIELDS: usize>(
    what: &str,
    bytes: &'a [u8],
) -> Result<Vec<[&'a [u8]; FIELDS]>, GitError> {
    let fields: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    // Nothing follows the last one.
    if let (records, &[b""]) = fields.as_chunks() {
        return Ok(records.to_vec());
    }
    let last = fields.into_iter().rfind(|field| !field.is_empty());
    Err(unreadable(what, last.unwrap_or_default()))
}

/// Returns both halves of every line of an answer.
pub(super) fn pairs<'a>(
    what: &str,
    text: &'a str,
    between: char,
) -> Result<Vec<(&'a str, &'a str)>, GitError> {
    let pair =
        |line: &'a str| line.split_once(between).ok_or_else(|| unreadable(what, line.as_bytes()));
    text.lines().map(pair).collect()
}

/// Returns what git says of a failure.
pub(super) fn why(output: &Output) -> String {
    if output.stderr.trim().is_empty() {
        output.status.to_string()
    } else {
        last_word(&output.stderr)
    }
}

/// Returns the line that says what went wrong: git narrates first. An address in it is without
/// its credentials: git leaves a user there, which may be a token.
pub(super) fn last_word(stderr: &str) -> String {
    let is_error = |line: &&str| line.starts_with("fatal:") || line.starts_with("error:");
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let last = lines.clone().find(is_error).or_else(|| lines.next());
    secret::without_credentials(last.unwrap_or("it gave no reason"))
}

/// Returns whether a failure is a race with another git, known to pass when tried again.
pub(super) fn is_race(stderr: &str) -> bool {
    let held = stderr.contains(".lock': File exists");
    held || (stderr.contains("failed to read ") && stderr.contains("commondir"))
        || stderr.contains("could not lock config")
        // A prune takes away an entry that has no `locked` yet from under `worktree add`.
        || (stderr.contains("worktrees/") && stderr.contains("No such file or directory"))
        || (stderr.contains("cannot lock ref") && stderr.contains("is at "))
}

/// Runs `attempt` again, at most five times, while it fails by a race with another git.
pub(super) fn retried<T>(mut attempt: impl FnMut() -> Result<T, GitError>) -> Result<T, GitError> {
    const RETRIES: u32 = 5;
    for retry in 0..RETRIES {
        match attempt() {
            Err(GitError::Failed { stderr, .. }) if is_race(&stderr) => {
                clock::pause(Duration::from_millis(50 << retry.min(4)) + jitter());
            }
            result => return result,
        }
    }
    attempt()
}

/// Returns up to 63 ms, so that two that met once do not meet again.
fn jitter() -> Duration {
    let digits = crate::adapter::ids::hex(1);
    Duration::from_millis(u64::from_str_radix(&digits, 16).unwrap_or(0) / 4)
}

/// Returns major and minor version of the installed git.
pub fn version() -> Result<(u32, u32), GitError> {
    version_in(said()?)
}

/// [`version`] of the git that is found in `path`, remembered in `cache` while that is the same.
pub fn known_version(path: &OsStr, cache: Option<&Path>) -> Result<(u32, u32), GitError> {
    let program = program::find("git", path).ok_or(GitError::Missing)?;
    let serves = |text: &str| parse_version(text).is_some();
    version_in(remembered::answer(cache, &program, "version", serves, said)?)
}

fn said() -> Result<String, GitError> {
    Ok(read(&Cmd::new("git").arg("version"), "git version")?.text())
}

fn version_in(text: String) -> Result<(u32, u32), GitError> {
    parse_version(&text).ok_or_else(|| unreadable("git version", text.as_bytes()))
}

pub(super) fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_last_line_that_says_so() {
        let stderr = "Preparing worktree (new branch 'x')\nfatal: first\nfatal: last\nhint: no\n";
        assert_eq!(last_word(stderr), "fatal: last");
        assert_eq!(last_word("one\ntwo\n\n"), "two");
        assert_eq!(last_word(""), "it gave no reason");
        let asked = "fatal: could not read Password for 'https://s3cret@host': no prompt\n";
        let told = "fatal: could not read Password for 'https://host': no prompt";
        assert_eq!(last_word(asked), told);
    }

    #[test]
    fn races_are_known_by_gits_own_words() {
        for race in [
            "fatal: failed to read .git/worktrees/7/commondir: Success",
            "error: could not lock config file .git/config: File exists",
            "fatal: Unable to create '/r/.git/index.lock': File exists.",
            "fatal: could not open 'worktrees/s5/locked' for writing: No such file or directory",
            "error: cannot lock ref 'refs/remotes/origin/main': is at 1 but expected 2",
        ] {
            assert!(is_race(race), "{race}");
        }
        for other in ["fatal: a branch named 'x' already exists", "fatal: cannot lock ref"] {
            assert!(!is_race(other), "{other}");
        }
    }

    #[test]
    fn versions_of_every_vendor_are_read() {
        assert_eq!(parse_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(parse_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(parse_version("git version 2.45.GIT"), Some((2, 45)));
        assert_eq!(parse_version("hub version 2"), None);
    }
}
