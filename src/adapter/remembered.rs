//! What programs say of themselves, remembered for as long as their file is the same.
//!
//! Many programs take longer to say their version than `ao` takes to do its work. An answer counts
//! only for the very file it was given by: place, time of change, size and number are compared. That
//! file may only start another one, so that nobody is refused for what is remembered.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::adapter::fs::{self, Durability};

/// The file in the cache directory.
const FILE: &str = "versions.json";

/// What a program said, and of which file.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered {
    identity: String,
    version: String,
}

/// Returns what `ask` answers of `program`, or what it answered before to the same `question` where
/// that `serves`; without a `cache` it is asked each time.
pub fn answer<E>(
    cache: Option<&Path>,
    program: &Path,
    question: &str,
    serves: impl Fn(&str) -> bool,
    ask: impl FnOnce() -> Result<String, E>,
) -> Result<String, E> {
    let (Some(cache), Some(identity)) = (cache, identity(program, question)) else { return ask() };
    let file = cache.join(FILE);
    let key = program.to_string_lossy().into_owned();
    let mut known = remembered(&file);
    let is_its = |entry: &&Remembered| entry.identity == identity && serves(&entry.version);
    if let Some(entry) = known.get(&key).filter(is_its) {
        return Ok(entry.version.clone());
    }
    let version = ask()?;
    known.insert(key, Remembered { identity, version: version.clone() });
    // Not being able to remember it costs time and nothing else.
    let _ = remember(&file, &known);
    Ok(version)
}

/// Returns what changes when the program is replaced.
fn identity(program: &Path, question: &str) -> Option<String> {
    let found = program.metadata().ok()?;
    let (seconds, nanoseconds) = (found.mtime(), found.mtime_nsec());
    Some(format!("{seconds}.{nanoseconds:09} {} {} {question}", found.size(), found.ino()))
}

pub(super) fn remembered(file: &Path) -> BTreeMap<String, Remembered> {
    let bytes = fs::read_own(file).ok().flatten().unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn remember(file: &Path, known: &BTreeMap<String, Remembered>) -> Result<(), fs::FsError> {
    if let Some(directory) = file.parent() {
        fs::create_private_directories(directory)?;
    }
    let bytes = serde_json::to_vec_pretty(known).unwrap_or_default();
    fs::replace(file, &bytes, Durability::Process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_as_long_as_the_file_is_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, program) = (directory.path().join("cache"), directory.path().join("tool"));
        let put =
            |text: &str| fs::create_new(&program, text.as_bytes(), 0o755, Durability::Process);
        put("one").unwrap();
        let ask = |says: &str| {
            let says = says.to_owned();
            let serves = |version: &str| version != "bad";
            answer(Some(&cache), &program, "-V", serves, || Ok::<_, ()>(says)).unwrap()
        };
        assert_eq!((ask("1.0"), ask("2.0")), ("1.0".to_owned(), "1.0".to_owned()));
        fs::remove_file(&program).unwrap();
        put("other").unwrap();
        assert_eq!(ask("2.0"), "2.0");
        let any = |_: &str| true;
        let says = || Ok::<_, ()>("3.0".to_owned());
        let other = answer(Some(&cache), &program, "--version", any, says);
        assert_eq!(other.as_deref(), Ok("3.0"));
        assert_eq!(answer(None, &program, "-V", any, || Err::<String, _>("asked")), Err("asked"));
        fs::replace(&cache.join(FILE), b"not json", Durability::Process).unwrap();
        assert_eq!(ask("4.0"), "4.0");
        // What the file starts may have been replaced since.
        fs::remove_file(&cache.join(FILE)).unwrap();
        assert_eq!(
            (ask("bad"), ask("5.0"), ask("6.0")),
            ("bad".into(), "5.0".into(), "5.0".into())
        );
    }
}
