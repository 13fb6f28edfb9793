//! Fresh random names.

use crate::model::id::LaunchId;

/// Returns a new launch id: 128 random bits.
///
/// # Panics
///
/// Where the system has no randomness, which Linux guarantees it has.
pub fn launch() -> LaunchId {
    hex(16).parse().expect("32 hexadecimal digits are a launch id")
}

/// Returns `bytes` random bytes in hexadecimal.
///
/// # Panics
///
/// Where the system has no randomness.
pub fn hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the system has a source of randomness");
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns a new random UUID (version 4), as agents take for ids of conversations.
///
/// # Panics
///
/// Where the system has no randomness.
pub fn uuid() -> String {
    let mut digits = hex(16).into_bytes();
    digits[12] = b'4';
    // Two bits of the variant, `10`, are in front of what is random.
    digits[16] = b"89ab"[usize::from(digits[16] & 3)];
    let text = String::from_utf8(digits).expect("hexadecimal digits are ASCII");
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        let one = uuid();
        assert_eq!(one.len(), 36);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]), "{one}");
        assert_ne!(one, uuid());
    }
}
