//! Standard input, waited for only so long.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::adapter::clock::Deadline;

/// A writer that pauses longer than this may have said all it wants to say.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads standard input until it ends, until `is_whole` says of what a pausing writer has given
/// that it is all, or until `patience` is over; keeps the first `most` bytes.
///
/// What follows those is read as well: a writer must not be told that nobody listens.
pub fn read_within(most: usize, patience: Duration, is_whole: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    read_from(io::stdin(), most, patience, is_whole)
}

fn read_from(
    input: impl AsFd,
    most: usize,
    patience: Duration,
    is_whole: impl Fn(&[u8]) -> bool,
) -> Vec<u8> {
    let deadline = Deadline::after(patience);
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 8 << 10]);
    loop {
        if !has_more(&input, PAUSE.min(deadline.remaining())) {
            if deadline.passed() || is_whole(&kept) {
                return kept;
            }
            continue;
        }
        match rustix::io::read(&input, buffer.as_mut_slice()) {
            // What cannot be read says as little as what is not there.
            Ok(0) => return kept,
            Ok(length) => {
                let room = most.saturating_sub(kept.len()).min(length);
                kept.extend_from_slice(&buffer[..room]);
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => return kept,
        }
        // Somebody may write for ever.
        if deadline.passed() {
            return kept;
        }
    }
}

/// Returns whether there is something to read, its end included, within `patience`.
fn has_more(input: &impl AsFd, patience: Duration) -> bool {
    let mut fds = [PollFd::new(input, PollFlags::IN)];
    let timeout = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::clock::Stopwatch;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn it_ends_with_the_input_and_keeps_the_beginning() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&writer, b"one two three").unwrap();
        drop(writer);
        assert_eq!(read_from(&reader, 7, LONG, |_| false), b"one two");
    }

    #[test]
    fn a_writer_that_never_ends_is_not_waited_for() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&writer, b"{}").unwrap();
        let watch = Stopwatch::start();
        assert_eq!(read_from(&reader, 100, LONG, |bytes| bytes == b"{}"), b"{}");
        rustix::io::write(&writer, b"{").unwrap();
        let patience = Duration::from_millis(300);
        assert_eq!(read_from(&reader, 100, patience, |_| false), b"{");
        assert_eq!(read_from(&reader, 100, patience, |_| false), b"");
        assert!(watch.elapsed() < LONG);
    }

    #[test]
    fn a_directory_says_nothing() {
        use rustix::fs::{Mode, OFlags};
        let directory = rustix::fs::open("/", OFlags::RDONLY, Mode::empty()).unwrap();
        assert_eq!(read_from(&directory, 100, LONG, |_| false), b"");
    }
}
