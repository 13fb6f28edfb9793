//! Sending text to an agent's pane, with proof that it was submitted.
//!
//! tmux reports success for text that nobody read, so its exit code proves nothing. Text is only
//! ever pasted into the live pane of the right launch, checked by the server in the same instant:
//! a paste into a dead pane ends a whole tmux 3.3 server.

use std::path::PathBuf;
use std::time::Duration;

use crate::adapter::clock::{self, Deadline};
use crate::adapter::cmd::CmdError;
use crate::adapter::ids;
use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::screen::{Composer, Reading, Screen};
use crate::adapter::runtime::tmux::{Tmux, key_words, look_commands, pane_target};
use crate::adapter::runtime::tty::{Input, Terminal};
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

/// How many lines of a draft are cleared at the most.
const MOST_CLEARS: usize = 40;

/// Says what a screen means to somebody who is about to type.
pub type Read<'a> = dyn Fn(&Screen) -> Reading + 'a;

/// The keys of an agent's composer, by tmux's names for them.
#[derive(Clone, Debug)]
pub struct ComposerKeys {
    /// Submit what is in it.
    pub submit: Vec<String>,
    /// Clear one line of it; empty: not known.
    pub clear: Vec<String>,
    /// Leave its normal mode; empty: not known.
    pub insert: Vec<String>,
    /// Close a menu that decides nothing; empty: not known.
    pub close: Vec<String>,
}

impl Default for ComposerKeys {
    fn default() -> Self {
        let submit = vec!["Enter".to_owned()];
        Self { submit, clear: Vec::new(), insert: Vec::new(), close: Vec::new() }
    }
}

/// How a text is sent.
pub struct SendOptions<'a> {
    /// Press Enter after it.
    pub submit: bool,
    /// The program takes bracketed paste, so that several lines arrive as one text.
    pub bracketed: bool,
    /// A draft that somebody has typed is cleared first.
    pub force: bool,
    /// Nothing is known of the program but that it may read lines: what it has read it has taken.
    pub lines: bool,
    /// Says what the screen shows; absent: nobody knows.
    pub read: Option<&'a Read<'a>>,
    /// What is pressed.
    pub keys: ComposerKeys,
    /// Waits until the deadline for a sign, other than the screen, that the agent took a prompt
    /// since this call began (its own hook); returns whether there was one.
    pub proof: &'a mut dyn FnMut(Deadline) -> bool,
    /// How long that sign is waited for where the composer was seen to empty: what is recorded of
    /// the agent is then true when the next text comes.
    pub heard_within: Duration,
}

impl<'a> SendOptions<'a> {
    /// Returns the options of a text that is submitted with Enter, to a program of which nothing
    /// is known.
    pub fn new(proof: &'a mut dyn FnMut(Deadline) -> bool) -> Self {
        let keys = ComposerKeys::default();
        let (submit, bracketed, force, lines) = (true, false, false, false);
        let heard_within = Duration::ZERO;
        Self { submit, bracketed, force, lines, read: None, keys, proof, heard_within }
    }
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
    /// Nothing was typed: somebody has typed something that would be mixed up with it.
    Draft {
        /// What is to be done about it.
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
        let SendOptions { submit, force, lines, read, keys, proof, heard_within, .. } = options;
        let needle = needle(text);
        let sending = Sending { tmux: self, session, launch, needle, lines, read, keys };
        let sent = sending.run(text, submit, force, proof);
        if submit && !heard_within.is_zero() && matches!(sent, Ok(SendOutcome::Submitted)) {
            // Where the sign was the proof, it is heard again at once.
            proof(Deadline::after(heard_within));
        }
        match sent {
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
    lines: bool,
    read: Option<&'a Read<'a>>,
    keys: ComposerKeys,
}

/// Where a text that is not submitted yet is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the composer.
    Composer,
    /// On the screen, as the one word that stands for it.
    Folded,
    /// So many lines above the bottom.
    Line(usize),
}

/// A screen and what it means.
struct Seen {
    screen: Screen,
    reading: Reading,
    /// The cursor's place and the terminal, for a program that may read lines.
    terminal: Option<(String, PathBuf)>,
}

impl Seen {
    /// Opens the terminal, where one is known.
    fn opened(&self) -> Option<Terminal> {
        Terminal::open(&self.terminal.as_ref()?.1).ok()
    }
}

impl Sending<'_> {
    fn run(
        &self,
        text: &str,
        submit: bool,
        force: bool,
        proof: &mut dyn FnMut(Deadline) -> bool,
    ) -> Result<SendOutcome, RuntimeError> {
        if self.read.is_some() {
            let seen = match self.make_room(force)? {
                Ok(seen) => seen,
                Err(outcome) => return Ok(outcome),
            };
            if seen.opened().is_some_and(|terminal| terminal.reads_lines())
                && unsendable(text, false).is_some()
            {
                let why = "the program reads lines, and would take this text cut or in pieces: \
                           one line of at most 4095 bytes is all that its terminal passes on";
                return Ok(SendOutcome::Failed { why: why.to_owned() });
            }
        }
        let pasted = match self.paste(text) {
            Err(RuntimeError::Unresponsive { .. }) => {
                return Ok(unconfirmed("tmux did not answer; the text may still arrive"));
            }
            // What was pasted must never pass for what was not: that is typed again.
            Err(error) if !is_from_before(&error) => {
                return Ok(unconfirmed(&sanitize::chain(&error)));
            }
            other => other?,
        };
        let Ok(pasted) = self.seen(&pasted) else {
            return Ok(unconfirmed("the program ended while the text was typed"));
        };
        let (seen, before) = match self.settled(pasted) {
            Ok(settled) => settled,
            // Enter would answer a dialog that opened since the last look.
            Err(error) => return Ok(unseen(&error, false)),
        };
        // A text that quotes a dialog looks like one in the composer as well.
        let is_quoted = || self.read.is_some_and(|read| read(&Screen::parse(text)).dialog);
        if submit && seen.reading.dialog && !is_quoted() {
            // It opened while the text was typed, and Enter would answer it.
            return Ok(unconfirmed(
                "a dialog opened while the text was typed; nothing was pressed",
            ));
        }
        match (submit, before.is_some()) {
            (true, _) => Ok(self.submit(&seen, before, proof)),
            (false, true) => Ok(SendOutcome::Submitted),
            (false, false) => Ok(unconfirmed("the text does not show on the screen")),
        }
    }

    /// Sees to it that the composer takes a text; returns the last look at it, or why it does not.
    fn make_room(&self, force: bool) -> Result<Result<Seen, SendOutcome>, RuntimeError> {
        let mut seen = self.look(Duration::ZERO)?;
        if seen.reading.menu && !self.keys.close.is_empty() {
            seen = self.press(&self.keys.close, Duration::from_millis(300))?;
        }
        if seen.reading.normal_mode && !seen.reading.dialog && !self.keys.insert.is_empty() {
            seen = self.press(&self.keys.insert, Duration::from_millis(100))?;
        }
        let mut cleared = 0;
        loop {
            if seen.reading.dialog {
                return Ok(Err(SendOutcome::Held { why: "a dialog is open".to_owned() }));
            }
            if seen.reading.normal_mode {
                let why = "the composer takes commands, not text".to_owned();
                return Ok(Err(SendOutcome::Held { why }));
            }
            if !matches!(seen.reading.composer, Some(Composer::Filled(_))) {
                return Ok(Ok(seen));
            }
            let why = match force {
                false => "somebody's draft is in the composer",
                true if self.keys.clear.is_empty() => {
                    "somebody's draft is in the composer, and the agent's card names no key that \
                     clears it"
                }
                true if cleared == MOST_CLEARS => "somebody's draft does not go away",
                true => {
                    // One press at a time: on an empty composer the same key may mean more.
                    seen = self.press(&self.keys.clear, Duration::from_millis(100))?;
                    cleared += 1;
                    continue;
                }
            };
            return Ok(Err(SendOutcome::Draft { why: why.to_owned() }));
        }
    }

    /// Pastes and returns what a look a moment later printed.
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

    /// Waits until the screen shows the text; returns it and where it shows, `None` where it does
    /// not (a program may hide what is pasted).
    fn settled(&self, first: Seen) -> Result<(Seen, Option<Place>), RuntimeError> {
        let mut seen = first;
        // Who knows the composer knows that the text will be in it, however slow the agent is.
        let known = seen.reading.composer.is_some();
        let waits: &[u64] = if known { &[100, 200, 400, 800, 1600] } else { &[200, 500] };
        for wait in waits {
            let place = self.place(&seen);
            if place.is_some() || seen.reading.dialog {
                return Ok((seen, place));
            }
            seen = self.look(Duration::from_millis(*wait))?;
        }
        let place = self.place(&seen);
        Ok((seen, place))
    }

    /// Returns where the text is seen.
    fn place(&self, seen: &Seen) -> Option<Place> {
        match &seen.reading.composer {
            Some(Composer::Filled(_)) => Some(Place::Composer),
            Some(Composer::Empty | Composer::Unseen) => None,
            None if seen.reading.folded => Some(Place::Folded),
            None => position(&seen.screen.plain, &self.needle).map(Place::Line),
        }
    }

    fn submit(
        &self,
        typed: &Seen,
        mut before: Option<Place>,
        proof: &mut dyn FnMut(Deadline) -> bool,
    ) -> SendOutcome {
        const PATIENCE: [u64; MOST_ENTERS] = [500, 1000, 2000];
        let terminal = typed.opened();
        let reads_lines = || terminal.as_ref().is_some_and(Terminal::reads_lines);
        for (turn, wait) in PATIENCE.into_iter().enumerate() {
            let wait = Duration::from_millis(wait);
            // To a program that reads lines, another Enter is another line.
            let looked = if turn > 0 && reads_lines() {
                self.look(Duration::ZERO)
            } else {
                self.press(&self.keys.submit, Duration::from_millis(150))
            };
            let after = match looked {
                Ok(seen) => seen,
                Err(error) => return unseen(&error, proof(Deadline::after(wait))),
            };
            match terminal.as_ref().map_or(Input::Keys, |it| input_after(it, typed, &after)) {
                Input::Waiting => return unconfirmed("the program has not read it yet"),
                Input::HungUp if proof(Deadline::after(wait)) => return SendOutcome::Submitted,
                Input::HungUp => {
                    return unconfirmed("the program ended, and may not have read it");
                }
                Input::Read => return SendOutcome::Submitted,
                // What it draws moves a text as well, and proves nothing of who read it.
                Input::Keys if reads_lines() => {}
                Input::Keys if self.is_emptied(before, &after) => return SendOutcome::Submitted,
                Input::Keys => {}
            }
            if proof(Deadline::after(wait)) {
                return SendOutcome::Submitted;
            }
            if before.is_none() {
                // Another Enter could answer a dialog that nobody has seen.
                return unconfirmed("the text never showed on the screen");
            }
            let later = match self.look(wait) {
                Ok(seen) => seen,
                Err(error) => return unseen(&error, proof(Deadline::after(Duration::ZERO))),
            };
            if !reads_lines() && self.is_emptied(before, &later) {
                return SendOutcome::Submitted;
            }
            if later.reading.dialog {
                return unconfirmed("a dialog opened after Enter was pressed");
            }
            before = self.place(&later);
            if before.is_none() {
                return unconfirmed(
                    "the text is gone from the composer, and no sign says where to",
                );
            }
        }
        unconfirmed("the text is still on the last lines of the screen")
    }

    /// Returns whether the text has left the place where it was.
    fn is_emptied(&self, before: Option<Place>, after: &Seen) -> bool {
        let reading = &after.reading;
        match before {
            None => false,
            Some(Place::Composer) => match &reading.composer {
                Some(Composer::Empty) => true,
                // At work, an agent may have no composer at all; a dialog may hide it.
                Some(Composer::Unseen) | None => reading.working && !reading.dialog,
                Some(Composer::Filled(_)) => false,
            },
            Some(Place::Folded) => !reading.folded && !reading.dialog,
            Some(Place::Line(row)) => is_emptied(row, &after.screen.plain, &self.needle),
        }
    }

    /// Presses keys and returns the screen a moment later.
    fn press(&self, keys: &[String], wait: Duration) -> Result<Seen, RuntimeError> {
        let target = pane_target(self.session);
        let words = key_words(keys)?;
        let commands = format!(
            "copy-mode -q -t {target} ; send-keys -t {target} -- {words} ; {}",
            self.look_commands(wait)
        );
        let captured = self.tmux.guarded(self.session, self.launch, &commands)?;
        self.seen(&captured)
    }

    fn look(&self, wait: Duration) -> Result<Seen, RuntimeError> {
        let commands = self.look_commands(wait);
        self.seen(&self.tmux.guarded(self.session, self.launch, &commands)?)
    }

    /// Looks after `wait`, and then at whether its program still lives: what is on the screen of one
    /// that ended meanwhile tells nothing of who took the text.
    fn look_commands(&self, wait: Duration) -> String {
        let look = look_commands(self.session, wait);
        let target = pane_target(self.session);
        let asked = "#{pane_dead} #{cursor_x},#{cursor_y} #{pane_tty}";
        format!("{look} ; display-message -p -t {target} \"{asked}\"")
    }

    /// Returns what the look of [`Self::look_commands`] printed.
    fn seen(&self, captured: &str) -> Result<Seen, RuntimeError> {
        let printed = captured.trim_end_matches('\n');
        let (screen, asked) = printed.rsplit_once('\n').unwrap_or(("", printed));
        let mut asked = asked.splitn(3, ' ');
        if asked.next() != Some("0") {
            let session = self.session.clone();
            return Err(RuntimeError::NotThisLaunch { session, why: "it has ended" });
        }
        let terminal = asked.next().zip(asked.next()).filter(|_| self.lines);
        let terminal = terminal.map(|(cursor, path)| (cursor.to_owned(), PathBuf::from(path)));
        let screen = Screen::parse(screen);
        let reading = self.read.map_or_else(Reading::default, |read| read(&screen));
        Ok(Seen { screen, reading, terminal })
    }
}

/// Returns what the terminal says of a line of which `typed` was seen before Enter was pressed and
/// `after` afterwards; `Keys` where nothing can be told.
fn input_after(terminal: &Terminal, typed: &Seen, after: &Seen) -> Input {
    const READING: Duration = Duration::from_secs(2);
    let cursor = |seen: &Seen| seen.terminal.as_ref().map(|(cursor, _)| cursor.clone());
    // Only once the terminal has moved the cursor on has it taken Enter for the end of a line.
    if cursor(typed) == cursor(after) {
        return Input::Keys;
    }
    let asked = clock::poll_until(Deadline::after(READING), || {
        let input = terminal.input().unwrap_or(Input::Keys);
        (input != Input::Waiting).then_some(input)
    });
    asked.unwrap_or(Input::Waiting)
}

/// Returns whether a paste that ended in `error` is certain to have typed nothing.
fn is_from_before(error: &RuntimeError) -> bool {
    matches!(
        error,
        RuntimeError::NotThisLaunch { .. }
            | RuntimeError::ServerAbsent { .. }
            | RuntimeError::Missing
            | RuntimeError::Cmd(CmdError::Missing { .. } | CmdError::Spawn { .. })
    )
}

/// Returns what is known of a text whose pane could not be looked at after it was typed: the agent
/// may have ended because of what it was told.
fn unseen(error: &RuntimeError, is_proved: bool) -> SendOutcome {
    if is_proved {
        return SendOutcome::Submitted;
    }
    if let RuntimeError::NotThisLaunch { why, .. } = error {
        return unconfirmed(why);
    }
    unconfirmed(&sanitize::chain(error))
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
fn is_emptied(before: usize, after: &str, needle: &str) -> bool {
    position(after, needle).is_none_or(|row| row > before + COMPOSER_MARGIN)
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
        let before = position("> say hello\n? for shortcuts", &needle).unwrap();
        assert_eq!(before, 1);
        let taken = "> say hello\n\n* thinking\n\n> \n? for shortcuts";
        assert!(is_emptied(before, taken, &needle));
        assert!(is_emptied(before, "* thinking", &needle));
        assert!(!is_emptied(before, "> say hello\n? for shortcuts", &needle));
        // A terminal in line mode shows what was typed, and `cat` shows it again.
        assert!(!is_emptied(0, "say hello\nsay hello", &needle));
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
