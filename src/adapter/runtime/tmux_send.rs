//! Sending text to an agent's pane, with proof that it was submitted.
//!
//! tmux reports success for text that nobody read, so its exit code proves nothing. Text is only
//! ever pasted into the live pane of the right launch, checked by the server in the same instant:
//! a paste into a dead pane ends a whole tmux 3.3 server.

use std::time::Duration;

use crate::adapter::clock::Deadline;
use crate::adapter::ids;
use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::tmux::{Tmux, pane_target};
use crate::model::id::{LaunchId, SessionId};
use crate::model::sanitize;

/// How many times Enter is pressed at the most.
const MOST_ENTERS: usize = 3;
/// A terminal in line mode silently drops what is longer.
const LONGEST_COOKED_LINE: usize = 4095;
/// How much of the end of the text is looked for on the screen, in characters.
const NEEDLE: usize = 24;
/// How far above the composer a submitted text may still be taken for an unsubmitted one, in
/// lines.
const COMPOSER_MARGIN: usize = 2;

/// Looks at a screen and returns why nothing may be typed into it.
pub type ScreenCheck<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// How a text is sent.
pub struct SendOptions<'a> {
    /// Press Enter after it.
    pub submit: bool,
    /// The program takes bracketed paste, so that several lines arrive as one text.
    pub bracketed: bool,
    /// Looks at the screen before anything is typed; returns why the text must wait (a dialog, a
    /// draft).
    pub blocked: Option<&'a ScreenCheck<'a>>,
    /// Waits until the deadline for a sign, other than the screen, that the agent took a prompt
    /// since this call began (its own hook); returns whether there was one.
    pub proof: &'a mut dyn FnMut(Deadline) -> bool,
}

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The agent took it; without `submit`: it is in the composer.
    Submitted,
    /// It was typed; whether the agent took it is not known.
    Unconfirmed {
        /// What is missing.
        why: String,
    },
    /// Nothing was typed, and later may be better.
    Held {
        /// What is in the way.
        why: String,
    },
    /// Nothing was typed, and never will be.
    Failed {
        /// Why not.
        why: String,
    },
}

impl Tmux {
    /// Types `text` into the live pane of `launch`, presses Enter, and looks for proof.
    ///
    /// Control characters are removed first. A server that does not answer before anything was
    /// typed is an error; afterwards the outcome is `Unconfirmed`.
    pub fn send(
        &self,
        session: &SessionId,
        launch: &LaunchId,
        text: &str,
        options: SendOptions<'_>,
    ) -> Result<SendOutcome, RuntimeError> {
        let text = sanitize::paste(text);
        let text = text.trim_end_matches('\n');
        if let Some(why) = unsendable(text, options.bracketed) {
            return Ok(SendOutcome::Failed { why: why.to_owned() });
        }
        let sending = Sending { tmux: self, session, launch, needle: needle(text) };
        match sending.run(text, options) {
            Err(RuntimeError::NotThisLaunch { why, .. }) => {
                Ok(SendOutcome::Failed { why: format!("the agent's pane is not there: {why}") })
            }
            Err(RuntimeError::ServerAbsent { .. }) => {
                Ok(SendOutcome::Failed { why: "no tmux server runs".into() })
            }
            result => result,
        }
    }
}

/// Returns why `text` would not arrive as it is.
fn unsendable(text: &str, bracketed: bool) -> Option<&'static str> {
    match text {
        "" => Some("there is nothing to send"),
        _ if bracketed => None,
        _ if text.contains('\n') => {
            Some("several lines can only be sent to a program that takes bracketed paste")
        }
        _ if text.len() > LONGEST_COOKED_LINE => {
            Some("more than 4095 bytes can only be sent to a program that takes bracketed paste")
        }
        _ => None,
    }
}

struct Sending<'a> {
    tmux: &'a Tmux,
    session: &'a SessionId,
    launch: &'a LaunchId,
    needle: String,
}

impl Sending<'_> {
    fn run(&self, text: &str, options: SendOptions<'_>) -> Result<SendOutcome, RuntimeError> {
        if let Some(blocked) = options.blocked
            && let Some(why) = blocked(&self.look(Duration::ZERO)?)
        {
            return Ok(SendOutcome::Held { why });
        }
        let pasted = match self.paste(text) {
            Err(RuntimeError::Unresponsive { .. }) => {
                return Ok(unconfirmed("tmux did not answer; the text may still arrive"));
            }
            other => other?,
        };
        let before = self.settled(pasted);
        match (options.submit, before.is_some()) {
            (true, _) => Ok(self.submit(before, options.proof)),
            (false, true) => Ok(SendOutcome::Submitted),
            (false, false) => Ok(unconfirmed("the text does not show on the screen")),
        }
    }

    /// Pastes and returns the screen a moment later.
    fn paste(&self, text: &str) -> Result<String, RuntimeError> {
        let buffer = format!("ao-{}", ids::hex(8));
        let target = pane_target(self.session);
        let commands = format!(
            "copy-mode -q -t {target} ; paste-buffer -p -r -d -b {buffer} -t {target} ; {}",
            self.look_commands(Duration::from_millis(80))
        );
        let load = ["load-buffer", "-b", &buffer, "-"].map(String::from).to_vec();
        let stdin = text.as_bytes().to_vec();
        let result = self.tmux.guarded_after(load, stdin, self.session, self.launch, &commands);
        if matches!(result, Err(RuntimeError::NotThisLaunch { .. })) {
            // The text was loaded and not pasted; nobody else is to find it.
            let delete = self.tmux.client(["delete-buffer", "-b", &buffer]);
            let _ = self.tmux.run(delete, "delete a buffer");
        }
        result
    }

    /// Waits until the screen shows the end of the text; returns where, counted in lines from the
    /// bottom, `None` where it does not show (a program may hide what is pasted).
    fn settled(&self, first: String) -> Option<usize> {
        let mut screen = first;
        for wait in [200, 500] {
            let found = position(&screen, &self.needle);
            if found.is_some() {
                return found;
            }
            screen = self.look(Duration::from_millis(wait)).ok()?;
        }
        position(&screen, &self.needle)
    }

    fn submit(
        &self,
        mut before: Option<usize>,
        proof: &mut dyn FnMut(Deadline) -> bool,
    ) -> SendOutcome {
        const PATIENCE: [u64; MOST_ENTERS] = [500, 1000, 2000];
        for wait in PATIENCE {
            let wait = Duration::from_millis(wait);
            let after = match self.enter() {
                Ok(screen) => screen,
                // The agent may have ended because of what it was told.
                Err(_) if proof(Deadline::after(wait)) => return SendOutcome::Submitted,
                Err(RuntimeError::NotThisLaunch { why, .. }) => return unconfirmed(why),
                Err(error) => return unconfirmed(&error.to_string()),
            };
            if is_emptied(before, &after, &self.needle) || proof(Deadline::after(wait)) {
                return SendOutcome::Submitted;
            }
            let Some(row) = before else {
                // Another Enter could answer a dialog that nobody has seen.
                return unconfirmed("the text never showed on the screen");
            };
            let Ok(later) = self.look(wait) else {
                return unconfirmed("tmux did not answer after Enter was pressed");
            };
            if is_emptied(Some(row), &later, &self.needle) {
                return SendOutcome::Submitted;
            }
            before = position(&later, &self.needle);
        }
        unconfirmed("the text is still on the last lines of the screen")
    }

    /// Presses Enter and returns the screen a moment later.
    fn enter(&self) -> Result<String, RuntimeError> {
        let target = pane_target(self.session);
        let commands = format!(
            "copy-mode -q -t {target} ; send-keys -t {target} Enter ; {}",
            self.look_commands(Duration::from_millis(150))
        );
        self.tmux.guarded(self.session, self.launch, &commands)
    }

    fn look(&self, wait: Duration) -> Result<String, RuntimeError> {
        self.tmux.guarded(self.session, self.launch, &self.look_commands(wait))
    }

    /// Returns the commands that wait inside the server and then print the screen.
    fn look_commands(&self, wait: Duration) -> String {
        let seconds = wait.as_secs_f64();
        let target = pane_target(self.session);
        format!("run-shell -d {seconds:.3} ; capture-pane -p -J -t {target}")
    }
}

fn unconfirmed(why: &str) -> SendOutcome {
    SendOutcome::Unconfirmed { why: why.to_owned() }
}

/// Returns the end of the text as [`position`] looks for it.
fn needle(text: &str) -> String {
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
    let all: Vec<char> = comparable(last).collect();
    all[all.len().saturating_sub(NEEDLE)..].iter().collect()
}

/// Returns the characters that survive a composer: no blanks, no lines of its frame.
fn comparable(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{2500}'..='\u{259f}' | '|'))
}

/// Returns in which line, counted from the last that is not blank, `needle` ends for the last
/// time; a composer may have broken it over several lines.
fn position(screen: &str, needle: &str) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    let mut joined = String::new();
    let mut ends = Vec::new();
    for line in screen.trim_end().lines() {
        joined.extend(comparable(line));
        ends.push(joined.len());
    }
    let end = joined.rfind(needle)? + needle.len();
    let row = ends.iter().position(|line_end| *line_end >= end)?;
    Some(ends.len() - 1 - row)
}

/// Returns whether the text that stood `before` lines above the bottom has left that place.
fn is_emptied(before: Option<usize>, after: &str, needle: &str) -> bool {
    before.is_some_and(|before| {
        position(after, needle).is_none_or(|row| row > before + COMPOSER_MARGIN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_text_is_found_in_a_frame_and_over_line_breaks() {
        let needle = needle("Fix the parser, then run every test again.\n\n");
        assert_eq!(needle, "r,thenruneverytestagain.");
        let framed = "log\n╭────╮\n│ > Fix the parser, then run ev │\n│ ery test again.  │\n╰────╯\n  hints\n\n";
        assert_eq!(position(framed, &needle), Some(2));
        assert_eq!(position("nothing here", &needle), None);
        assert_eq!(position("anything", ""), None);
    }

    #[test]
    fn an_emptied_composer_is_told_from_an_echo() {
        let needle = needle("say hello");
        let before = position("> say hello\n? for shortcuts", &needle);
        assert_eq!(before, Some(1));
        let taken = "> say hello\n\n* thinking\n\n> \n? for shortcuts";
        assert!(is_emptied(before, taken, &needle));
        assert!(is_emptied(before, "* thinking", &needle));
        assert!(!is_emptied(before, "> say hello\n? for shortcuts", &needle));
        // A terminal in line mode shows what was typed, and `cat` shows it again.
        assert!(!is_emptied(Some(0), "say hello\nsay hello", &needle));
        assert!(!is_emptied(None, "* thinking", &needle));
    }

    #[test]
    fn what_cannot_arrive_whole_is_refused() {
        assert!(unsendable("", true).is_some());
        assert!(unsendable("a\nb", false).is_some());
        assert!(unsendable(&"x".repeat(4096), false).is_some());
        assert_eq!(unsendable(&"x".repeat(4095), false), None);
        assert_eq!(unsendable(&"a\n".repeat(9000), true), None);
    }
}
