//! The hash of a change that is the same wherever the change was made.
//!
//! What `git patch-id` is for, but white space counts, and so do the contents of what is not text:
//! two changes are the same only where their results would be.

use sha2::{Digest, Sha256};

/// A hash in the making. Each part is marked and measured, so that no two changes read alike.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Begins a file with its two names.
    pub(super) fn file(&mut self, old: &[u8], new: &[u8]) {
        self.part(b"file", old);
        self.part(b"to", new);
    }

    /// Adds the modes of a file.
    pub(super) fn modes(&mut self, old: u32, new: u32) {
        self.part(b"modes", format!("{old:o} {new:o}").as_bytes());
    }

    /// Adds the hashes of the contents of what is compared as a whole.
    pub(super) fn contents(&mut self, old: &[u8], new: &[u8]) {
        self.part(b"old", old);
        self.part(b"new", new);
    }

    /// Begins a hunk, wherever in the file it is.
    pub(super) fn hunk(&mut self) {
        self.part(b"hunk", b"");
    }

    /// Adds a line of a hunk.
    pub(super) fn line(&mut self, origin: char, content: &[u8]) {
        self.part(origin.to_string().as_bytes(), content);
    }

    /// Returns the hash in hexadecimal digits.
    pub(super) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn part(&mut self, mark: &[u8], content: &[u8]) {
        for bytes in [mark, content] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
    }
}
