//! Whether a program that reads lines has read what was typed, asked of its terminal.
//!
//! A terminal in line mode keeps a line until the program reads it, and says how much it keeps.

use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
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
}

/// Asks the terminal at `path`.
pub(super) fn input(path: &Path) -> io::Result<Input> {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(path, flags, Mode::empty())?;
    if !tcgetattr(&terminal)?.local_modes.contains(LocalModes::ICANON) {
        return Ok(Input::Keys);
    }
    let kept = rustix::io::ioctl_fionread(&terminal)?;
    Ok(if kept == 0 { Input::Read } else { Input::Waiting })
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
        let asked = || input(Path::new(&name)).unwrap();
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
    }
}
