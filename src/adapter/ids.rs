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
