//! The line in which a message is written, byte by byte: typed, or pasted in brackets.

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// A message being written.
#[derive(Debug, Default)]
pub(super) struct Composer {
    text: Vec<u8>,
    pasting: bool,
    escape: Vec<u8>,
    swallow: u32,
}

impl Composer {
    /// Returns an empty one that ignores the first `swallow` presses of Enter.
    pub(super) fn new(swallow: u32) -> Self {
        Self { swallow, ..Self::default() }
    }

    /// Takes one byte; returns the message where it submits one.
    pub(super) fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        if byte == 0x1b || !self.escape.is_empty() {
            self.push_escape(byte);
            return None;
        }
        match byte {
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
        let text = String::from_utf8_lossy(&self.text);
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
    }

    fn enter(&mut self) -> Option<Vec<u8>> {
        if self.text.is_empty() {
            return None;
        }
        if self.swallow > 0 {
            self.swallow -= 1;
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
        let mut composer = Composer::new(swallow);
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
    fn swallowed_enters_leave_the_text() {
        assert_eq!(messages(2, b"hi\r\r"), [""; 0]);
        assert_eq!(messages(2, b"hi\r\r\r"), ["hi"]);
    }
}
