//! The line in which a message is written, byte by byte: typed, or pasted in brackets.

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// How many line ends a paste must have to be shown as one word.
const FOLDED_LINES: usize = 3;

/// What real composers do beside taking a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    /// It ignores the next so many presses of Enter.
    pub(super) swallow: u32,
    /// What somebody has typed already.
    pub(super) draft: String,
    /// It is vi's, and begins in normal mode.
    pub(super) vim: bool,
    /// It shows a long paste as one word.
    pub(super) fold: bool,
    /// What it shows, faint, while it is empty.
    pub(super) placeholder: String,
}

/// A message being written.
#[derive(Debug, Default)]
pub(super) struct Composer {
    text: Vec<u8>,
    pasting: bool,
    escape: Vec<u8>,
    habits: Habits,
    normal: bool,
}

impl Composer {
    /// Returns one with these habits, empty but for the draft.
    pub(super) fn new(habits: Habits) -> Self {
        let (text, normal) = (habits.draft.clone().into_bytes(), habits.vim);
        Self { text, normal, habits, ..Self::default() }
    }

    /// Takes one byte; returns the message where it submits one.
    pub(super) fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        if byte == 0x1b || !self.escape.is_empty() {
            self.push_escape(byte);
            return None;
        }
        match byte {
            b'\r' | b'\n' if self.normal && !self.pasting => return self.enter(),
            // Without insert mode, what is typed or pasted are commands.
            byte if self.normal => self.normal = self.pasting || byte != b'i',
            b'\r' if self.pasting => self.text.push(b'\n'),
            byte if self.pasting => self.text.push(byte),
            b'\r' | b'\n' => return self.enter(),
            // Ctrl-C and Ctrl-U empty the line.
            0x03 | 0x15 => self.text.clear(),
            0x7f => {
                self.text.pop();
            }
            byte => self.text.push(byte),
        }
        None
    }

    /// Returns what is written so far as one line of at most 60 characters.
    pub(super) fn shown(&self) -> String {
        const SHOWN: usize = 60;
        let lines = self.text.iter().filter(|byte| **byte == b'\n').count();
        if self.habits.fold && lines >= FOLDED_LINES {
            return format!("[Pasted text #1 +{lines} lines]");
        }
        if self.text.is_empty()
            && let Some((first, rest)) = self.habits.placeholder.split_at_checked(1)
        {
            // A cursor of its own stands on the first letter of the hint.
            return format!("\x1b[7m{first}\x1b[0;2m{rest}\x1b[0m");
        }
        let text = String::from_utf8_lossy(&self.text);
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
    }

    /// Returns what stands below the line: the mode, where there are several.
    pub(super) fn footer(&self) -> Option<&'static str> {
        let mode = if self.normal { "-- NORMAL --" } else { "-- INSERT --" };
        self.habits.vim.then_some(mode)
    }

    fn enter(&mut self) -> Option<Vec<u8>> {
        if self.text.is_empty() {
            return None;
        }
        if self.habits.swallow > 0 {
            self.habits.swallow -= 1;
            return None;
        }
        Some(std::mem::take(&mut self.text))
    }

    fn push_escape(&mut self, byte: u8) {
        if byte == 0x1b {
            self.escape.clear();
        }
        self.escape.push(byte);
        if self.escape == PASTE_BEGIN {
            self.pasting = true;
        } else if self.escape == PASTE_END {
            self.pasting = false;
        } else if PASTE_BEGIN.starts_with(&self.escape) || PASTE_END.starts_with(&self.escape) {
            return;
        } else if self.pasting {
            self.text.append(&mut self.escape);
        }
        self.escape.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(swallow: u32, bytes: &[u8]) -> Vec<String> {
        messages_of(Habits { swallow, ..Habits::default() }, bytes)
    }

    fn messages_of(habits: Habits, bytes: &[u8]) -> Vec<String> {
        let mut composer = Composer::new(habits);
        bytes
            .iter()
            .filter_map(|byte| composer.push(*byte))
            .map(|message| String::from_utf8(message).unwrap())
            .collect()
    }

    #[test]
    fn enter_submits_what_was_typed_and_never_nothing() {
        assert_eq!(messages(0, b"\rhellp\x7fo\r\rb\n"), ["hello", "b"]);
        assert_eq!(messages(0, b"no\x03yes\r"), ["yes"]);
    }

    #[test]
    fn a_paste_is_one_message_whatever_it_holds() {
        assert_eq!(messages(0, b"\x1b[200~a\rb\nc\x03\x1b[201~\r"), ["a\nb\nc\x03"]);
        assert_eq!(messages(0, b"\x1b[200~a\x1b[31mb\x1b[201~\r"), ["a\x1b[31mb"]);
    }

    #[test]
    fn keys_that_are_no_text_leave_none() {
        assert_eq!(messages(0, b"\x1b[2xa\x1bb\r"), ["a"]);
    }

    #[test]
    fn in_normal_mode_nothing_is_text_until_insert_mode_is_entered() {
        let vim = || Habits { vim: true, ..Habits::default() };
        assert_eq!(messages_of(vim(), b"\x1b[200~paste\x1b[201~\rxy\r"), [""; 0]);
        assert_eq!(messages_of(vim(), b"\rit\x1b[200~wo\x1b[201~\r"), ["two"]);
        assert_eq!(Composer::new(vim()).footer(), Some("-- NORMAL --"));
        assert_eq!(Composer::new(Habits::default()).footer(), None);
    }

    #[test]
    fn drafts_hints_and_long_pastes_are_shown_as_they_are_by_real_agents() {
        let shown = |habits: Habits, bytes: &[u8]| {
            let mut composer = Composer::new(habits);
            bytes.iter().for_each(|byte| drop(composer.push(*byte)));
            composer.shown()
        };
        let habits = Habits { placeholder: "Ask".into(), fold: true, ..Habits::default() };
        assert_eq!(shown(habits.clone(), b""), "\x1b[7mA\x1b[0;2msk\x1b[0m");
        assert_eq!(shown(habits.clone(), b"\x1b[200~a\rb\rc\x1b[201~"), "a b c");
        let long = b"\x1b[200~a\rb\rc\rd\x1b[201~";
        assert_eq!(shown(habits, long), "[Pasted text #1 +3 lines]");
        let draft = Habits { draft: "half a".into(), ..Habits::default() };
        assert_eq!(shown(draft.clone(), b""), "half a");
        assert_eq!(messages_of(draft, b" word\r"), ["half a word"]);
    }

    #[test]
    fn swallowed_enters_leave_the_text() {
        assert_eq!(messages(2, b"hi\r\r"), [""; 0]);
        assert_eq!(messages(2, b"hi\r\r\r"), ["hi"]);
    }
}
