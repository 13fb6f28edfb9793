//! Whether a program that reads lines has read what was typed, asked of its terminal.
//!
//! A terminal in line mode keeps a line until the program reads it, and says how much it keeps.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{LocalModes, tcgetattr};

/// What a terminal says of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Its program takes single keys; nothing can be told.
    Keys,
    /// Its program reads lines, and has read all that were finished.
    Read,
    /// Its program reads lines, and has some left.
    Waiting,
    /// The program whose terminal it was has ended; what it left is gone.
    HungUp,
}

/// A terminal, open from before something is typed until it is known to be read: one that is
/// opened anew after its program ended is empty as well.
pub(super) struct Terminal(OwnedFd);

impl Terminal {
    /// Opens the terminal at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Asks the terminal.
    pub(super) fn input(&self) -> io::Result<Input> {
        match self.ask() {
            Err(Errno::IO) => Ok(Input::HungUp),
            other => Ok(other?),
        }
    }

    /// Returns whether its program reads lines, at this moment.
    pub(super) fn reads_lines(&self) -> bool {
        matches!(self.input(), Ok(Input::Read | Input::Waiting))
    }

    fn ask(&self) -> Result<Input, Errno> {
        if !tcgetattr(&self.0)?.local_modes.contains(LocalModes::ICANON) {
            return Ok(Input::Keys);
        }
        if rustix::io::ioctl_fionread(&self.0)? > 0 {
            return Ok(Input::Waiting);
        }
        // Where a hang-up emptied it, it is one that has been hung up by now.
        tcgetattr(&self.0)?;
        Ok(Input::Read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::time::Duration;

    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};

    use super::*;
    use crate::adapter::clock::{self, Deadline};

    #[test]
    fn a_line_is_kept_until_it_is_read() {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let person = openpt(flags).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let mut program = File::from(ioctl_tiocgptpeer(&person, flags).unwrap());
        let name = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        let terminal = Terminal::open(Path::new(&name)).unwrap();
        let asked = || terminal.input().unwrap();
        let mut person = File::from(person);
        assert_eq!(asked(), Input::Read);
        person.write_all(b"a line\n").unwrap();
        // The system takes in what is typed in its own time.
        let deadline = Deadline::after(Duration::from_secs(10));
        let kept = clock::poll_until(deadline, || (asked() == Input::Waiting).then_some(()));
        assert_eq!(kept, Some(()));
        let mut line = [0; 7];
        program.read_exact(&mut line).unwrap();
        assert_eq!(asked(), Input::Read);
        let mut raw = tcgetattr(&program).unwrap();
        raw.make_raw();
        rustix::termios::tcsetattr(&program, rustix::termios::OptionalActions::Now, &raw).unwrap();
        assert_eq!(asked(), Input::Keys);
        drop(person);
        assert_eq!(asked(), Input::HungUp);
    }
}
