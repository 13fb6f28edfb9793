//! The demo agent's terminal: raw while a person can type, restored at the end.
//!
//! Where standard input is no terminal, a message is a line.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use crate::demo::composer::{Composer, Habits};

/// Standard input and output, and the ledger of what came in.
pub(super) struct Terminal {
    input: OwnedFd,
    output: File,
    before: Option<Termios>,
    tty: bool,
    unread: VecDeque<u8>,
    /// Where every received byte is noted.
    pub(super) ledger: Option<File>,
    /// What its composer does; `swallow` and `draft` are for the next message only.
    pub(super) habits: Habits,
}

impl Terminal {
    /// Talks by `input` and `output`, which stay as they are until something is read.
    pub(super) fn on(input: OwnedFd, output: OwnedFd) -> Self {
        let tty = isatty(&input) && isatty(&output);
        let (before, unread, ledger) = (None, VecDeque::new(), None);
        let habits = Habits::default();
        Self { input, output: output.into(), before, tty, unread, ledger, habits }
    }

    /// Talks by this process's own standard streams.
    pub(super) fn standard() -> io::Result<Self> {
        let input = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        let output = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        Ok(Self::on(input, output))
    }

    /// Prints a line over whatever the composer showed.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        if self.before.is_some() {
            self.print(&format!("{}{}\r\n", self.erase(), text.replace('\n', "\r\n")))
        } else {
            self.print(&format!("{text}\n"))
        }
    }

    /// Takes the terminal over and draws an empty composer.
    pub(super) fn ready(&mut self) -> io::Result<()> {
        self.raw()?;
        if self.tty { self.print("\r\x1b[K> ") } else { Ok(()) }
    }

    /// Reads one message; `None` at the end of the input.
    pub(super) fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.ready()?;
        let mut composer = Composer::new(self.habits.clone());
        self.habits.swallow = 0;
        self.habits.draft.clear();
        self.draw(&composer)?;
        loop {
            let Some(byte) = self.byte()? else { return Ok(None) };
            let message = composer.push(byte);
            // Drawn once for a burst, as a real agent does.
            if self.unread.is_empty() {
                self.draw(&composer)?;
            }
            if let Some(message) = message {
                if self.tty {
                    self.line(&format!("you: {}", String::from_utf8_lossy(&message)))?;
                    self.print("> ")?;
                }
                return Ok(Some(message));
            }
        }
    }

    /// Asks, and waits for `key`; every other byte is noted as a misfire. False at the end of
    /// the input.
    pub(super) fn dialog(&mut self, text: &str, key: u8) -> io::Result<bool> {
        self.raw()?;
        let name = match key {
            b'\r' => "enter".to_owned(),
            0x1b => "escape".to_owned(),
            key => char::from(key).to_string(),
        };
        self.line(&format!("? {text} [{name}]"))?;
        loop {
            match self.byte()? {
                None => return Ok(false),
                Some(byte) if byte == key || (key == b'\r' && byte == b'\n') => {
                    // A dialog that was answered is gone from the screen.
                    self.print("\x1b[A\r\x1b[K")?;
                    return Ok(true);
                }
                Some(byte) => self.note(format!("[misfire 0x{byte:02x}]\n").as_bytes())?,
            }
        }
    }

    /// Shows `text` as work under way until Ctrl-C is pressed; every other byte is noted as a
    /// misfire. False at the end of the input.
    pub(super) fn until_interrupt(&mut self, text: &str) -> io::Result<bool> {
        const CTRL_C: u8 = 3;
        self.raw()?;
        self.line(&format!("* {text} (ctrl-c to interrupt)"))?;
        loop {
            match self.byte()? {
                None => return Ok(false),
                Some(CTRL_C) => {
                    self.print("\x1b[A\r\x1b[K")?;
                    return Ok(true);
                }
                Some(byte) => self.note(format!("[misfire 0x{byte:02x}]\n").as_bytes())?,
            }
        }
    }

    /// Draws the composer, and below it what belongs to it.
    fn draw(&mut self, composer: &Composer) -> io::Result<()> {
        if !self.tty {
            return Ok(());
        }
        let line = format!("{}> {}", self.erase(), composer.shown());
        match composer.footer() {
            None => self.print(&line),
            Some(footer) => self.print(&format!("{line}\r\n{footer}\x1b[A\r\x1b[2C")),
        }
    }

    /// Returns what takes the composer's line away, and what is below it.
    fn erase(&self) -> &'static str {
        if self.habits.vim { "\r\x1b[J" } else { "\r\x1b[K" }
    }

    /// Gives the terminal back.
    pub(super) fn restore(&mut self) {
        if let Some(before) = self.before.take() {
            let _ = self.print("\x1b[?2004l\r\x1b[K");
            let _ = tcsetattr(&self.input, OptionalActions::Now, &before);
        }
    }

    fn raw(&mut self) -> io::Result<()> {
        if !self.tty || self.before.is_some() {
            return Ok(());
        }
        let before = tcgetattr(&self.input)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&self.input, OptionalActions::Now, &raw)?;
        self.before = Some(before);
        self.print("\x1b[?2004h")
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        while self.unread.is_empty() {
            let mut buffer = [0; 4096];
            let count = match rustix::io::read(&self.input, &mut buffer) {
                // The other side of the terminal is gone.
                Ok(0) | Err(rustix::io::Errno::IO) => return Ok(None),
                Ok(count) => count,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let received = &buffer[..count];
            self.unread.extend(received);
            self.note(received)?;
        }
        Ok(self.unread.pop_front())
    }

    fn note(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.ledger.as_mut().map_or(Ok(()), |ledger| ledger.write_all(bytes))
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(text.as_bytes())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    fn pseudo_terminal() -> (File, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let person = openpt(flags).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let agent = ioctl_tiocgptpeer(&person, flags).unwrap();
        (File::from(person), agent)
    }

    /// Reads until `wanted` was printed, and returns everything up to there.
    fn read_until(person: &mut File, wanted: &str) -> String {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            let mut byte = [0];
            person.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        String::from_utf8(seen).unwrap()
    }

    #[test]
    fn a_pasted_message_is_shown_submitted_and_noted() {
        let (mut person, agent) = pseudo_terminal();
        let before = tcgetattr(&agent).unwrap().local_modes;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let ledger = crate::adapter::fs::open_append(&path).unwrap();
        let (kept, theirs) = (agent.try_clone().unwrap(), agent.try_clone().unwrap());
        let reader = std::thread::spawn(move || {
            let mut terminal = Terminal::on(theirs.try_clone().unwrap(), theirs);
            terminal.ledger = Some(ledger);
            let message = terminal.message().unwrap().unwrap();
            assert!(terminal.dialog("Run it?", b'y').unwrap());
            String::from_utf8(message).unwrap()
        });
        read_until(&mut person, "\x1b[?2004h\r\x1b[K> ");
        person.write_all(b"\x1b[200~one\rtwo\x1b[201~").unwrap();
        read_until(&mut person, "> one two");
        person.write_all(b"\r").unwrap();
        let after = read_until(&mut person, "? Run it? [y]\r\n");
        assert!(after.contains("you: one\r\ntwo\r\n> \r\x1b[K? Run it?"), "{after:?}");
        person.write_all(b"ny").unwrap();
        read_until(&mut person, "\x1b[?2004l");

        assert_eq!(reader.join().unwrap(), "one\ntwo");
        let noted = crate::adapter::fs::read_text(&path).unwrap();
        assert_eq!(noted, "\x1b[200~one\rtwo\x1b[201~\rny[misfire 0x6e]\n");
        assert_eq!(tcgetattr(&kept).unwrap().local_modes, before);
    }

    #[test]
    fn without_a_terminal_a_message_is_a_line() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (shown, output) = rustix::pipe::pipe().unwrap();
        File::from(writer).write_all(b"one\ntwo\n").unwrap();
        let mut terminal = Terminal::on(reader, output);
        assert_eq!(terminal.message().unwrap().unwrap(), b"one");
        assert_eq!(terminal.message().unwrap().unwrap(), b"two");
        assert_eq!(terminal.message().unwrap(), None);
        terminal.line("bye").unwrap();
        drop(terminal);
        let mut text = String::new();
        File::from(shown).read_to_string(&mut text).unwrap();
        assert_eq!(text, "bye\n");
    }
}
