//! Random, damaged and hostile input for every parser of bytes from outside.
//!
//! A [`Target`] is one parser: what real input looks like, words it knows, and a check that may
//! only fail by a panic. In the ordinary suite each runs a fixed number of cases within about a
//! second; `script/fuzz` gives each as long as asked for, on another seed each time. An input that
//! fails is made as small as it will get and, by `script/fuzz`, kept below `fixtures/fuzz/`, where
//! every later run reads it first.
#![expect(clippy::disallowed_methods, reason = "a test reads its fixtures and its environment")]
#![expect(clippy::print_stderr, reason = "a long run says how far it got")]

mod model;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::adapter::clock::{Deadline, Stopwatch};

/// How long one target runs where nobody says otherwise.
const SHORT: Duration = Duration::from_millis(400);

/// How many random cases it runs then, at most.
const CASES: u32 = 256;

/// How many are made before the time is looked at.
const BATCH: u32 = 16;

/// How long one case may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A parser of outside bytes.
pub(crate) struct Target {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

/// Returns the target of this name, which is its folder below `fixtures/fuzz/`.
pub(crate) fn target(name: &'static str) -> Target {
    Target { name, seeds: Vec::new(), words: Vec::new() }
}

impl Target {
    /// Adds an input as it really comes.
    pub(crate) fn seed(mut self, seed: impl Into<Vec<u8>>) -> Self {
        self.seeds.push(seed.into());
        self
    }

    /// Adds every file of a folder below `fixtures/` whose name ends in `ending`.
    pub(crate) fn fixtures(mut self, folder: &str, ending: &str) -> Self {
        let found = files(&fixtures().join(folder));
        let wanted = |path: &&PathBuf| path.to_string_lossy().ends_with(ending);
        self.seeds.extend(found.iter().filter(wanted).map(|path| std::fs::read(path).unwrap()));
        assert!(!self.seeds.is_empty(), "nothing of {ending} in fixtures/{folder}");
        self
    }

    /// Adds words that mean something to the parser.
    pub(crate) fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| word.as_bytes().to_vec()));
        self
    }

    /// Runs `check` on texts: bytes that are none are replaced.
    pub(crate) fn run_text(self, check: impl Fn(&str)) {
        self.run(|bytes| check(&String::from_utf8_lossy(bytes)));
    }

    /// Runs `check` on what was found before, on what is known to be nasty, and on random input.
    pub(crate) fn run(mut self, check: impl Fn(&[u8])) {
        self.words.extend(WORDS.iter().map(|word| word.to_vec()));
        let wanted = std::env::var("AO_FUZZ_SECONDS").ok().map(|it| it.parse().unwrap());
        let seconds = wanted.map(Duration::from_secs);
        let check = |bytes: &[u8]| {
            let time = Stopwatch::start();
            check(bytes);
            assert!(time.elapsed() < PATIENCE, "{} bytes took {:?}", bytes.len(), time.elapsed());
        };
        for file in files(&fixtures().join("fuzz").join(self.name)) {
            check(&std::fs::read(file).unwrap());
        }
        NASTY.iter().for_each(|nasty| check(nasty));
        huge(if seconds.is_some() { 1_000_000 } else { 100_000 }).iter().for_each(|it| check(it));
        let time = seconds.unwrap_or(SHORT);
        let deadline = Deadline::after(time);
        self.systematic(Deadline::after(time / 2), &check);
        self.random(deadline, seconds.is_some(), &check);
    }

    /// Every seed, cut and spoilt at places spread over it, while there is time.
    fn systematic(&self, deadline: Deadline, check: &impl Fn(&[u8])) {
        self.seeds.iter().for_each(|seed| check(seed));
        for divisor in [8, 64, 100_000] {
            for seed in &self.seeds {
                for at in (0..seed.len()).step_by((seed.len() / divisor).max(1)) {
                    if deadline.passed() {
                        return;
                    }
                    check(&seed[..at]);
                    for byte in [0, 0xff, b'"', b'9', b'-', 0x1b] {
                        let mut spoilt = seed.clone();
                        spoilt[at] = byte;
                        check(&spoilt);
                    }
                }
            }
        }
    }

    fn random(&self, deadline: Deadline, is_long: bool, check: &impl Fn(&[u8])) {
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        let seed = if is_long { getrandom_seed() } else { [7; 32] };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let batch = ProptestConfig { cases: BATCH, ..config };
        let mut source = TestRunner::new_with_rng(batch.clone(), rng);
        let strategy = inputs(self.seeds.clone(), self.words.clone());
        let mut cases = 0;
        while !deadline.passed() && (is_long || cases < CASES) {
            // One that has run so many cases runs none any more.
            let mut runner = TestRunner::new_with_rng(batch.clone(), source.new_rng());
            let ran = runner.run(&strategy, |input| {
                check(&input);
                Ok::<(), TestCaseError>(())
            });
            if let Err(TestError::Fail(why, input)) = ran {
                self.tell(&input, is_long);
                panic!("{}: {why}", self.name);
            }
            cases += BATCH;
        }
        if is_long {
            eprintln!("fuzz {}: {cases} random cases", self.name);
        }
    }

    /// Says which input failed and, in a long run, keeps it.
    fn tell(&self, input: &[u8], is_long: bool) {
        eprintln!("fuzz {}: failing input: \"{}\"", self.name, input.escape_ascii());
        if is_long {
            let directory = fixtures().join("fuzz").join(self.name);
            let sum =
                input.iter().fold(5381_u64, |sum, byte| sum.wrapping_mul(33) ^ u64::from(*byte));
            let path = directory.join(format!("{sum:016x}"));
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, input).unwrap();
            eprintln!("fuzz {}: kept as {}", self.name, path.display());
        }
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Returns every file below `directory`, sorted; none where there is no such directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn getrandom_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    seed
}

/// Words that mean something in many formats, or have meant trouble.
const WORDS: &[&[u8]] = &[
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"=",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\0",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\x1b[",
    b"\x1b]",
    b"\x1b\\",
    b"\x9b",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\xf3\xa0\x81\x81",
    b"\xc2\x9b",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e400",
    b"NaN",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854775807",
    b"4294967295",
    b"255",
    b"-9223372036854775808",
    b"4294967296",
    b"1e308",
    b"0.1",
    b"-0",
    b"..",
    b"../",
    b"/",
    b"//",
    b"-",
    b"--",
    b";",
    b"#(touch X)",
    b"$(touch X)",
    b"`touch X`",
    b"%",
    b"{{",
    b"}}",
    b"{id}",
    b"schema",
    b"revision",
    b"seq",
    b"id",
    b"version",
    b"*",
    b"?",
    b"~",
    b"2026-11-20T10:00:00Z",
    b"+999999-01-01T00:00:00Z",
    b"0000-00-00T00:00:00Z",
    b"5m",
    b"h",
];

/// Whole inputs that have meant trouble to some parser.
const NASTY: &[&[u8]] = &[
    b"",
    b"\n",
    b"\0",
    b"\0\0\0\0\0\0\0\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf{}",
    b"{}",
    b"[]",
    b"null",
    b"{} {}",
    b"{\"a\":1,\"a\":2}",
    b"\"\\ud800\"",
    b"1e400",
    b"NaN",
    b"-",
    b"=",
    b"[[",
    b"{\"",
    b"\r",
    b"\x1b",
    b"\x1b[",
    b"\x1b]",
    b"\xc2",
    b"a=1\na=2\n",
    b"[a]\n[a]\n",
    b"[[a]]\n[a]\n",
    b"\"\"\"",
    b"'''",
    b"/*",
    b"//",
    b"#",
];

/// Inputs that are long or deep: none may take long, or end the stack.
fn huge(deep: usize) -> Vec<Vec<u8>> {
    let nested = |open: &str| open.repeat(deep / open.len()).into_bytes();
    let line = |byte: u8| vec![byte; deep];
    let mut huge: Vec<_> =
        ["[", "{\"a\":", "[[{\"a\":", "a.", "{a=", "(", "{", "/* ", "a/"].map(nested).into();
    huge.extend([b'a', b'9', b'\n', b'\0', b' ', b'-', b'\x1b', b'"'].map(line));
    huge.push(format!("a = {}", "[".repeat(deep)).into_bytes());
    huge.push(format!("a = {}", "{a=".repeat(deep / 3)).into_bytes());
    huge
}

/// Real input with a few things wrong with it; known words in any order; bytes.
fn inputs(seeds: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    let pieces = words.clone();
    let sentence = proptest::collection::vec(any::<Index>(), 0..40)
        .prop_map(move |places| places.iter().flat_map(|it| it.get(&pieces).clone()).collect());
    if seeds.is_empty() {
        return prop_oneof![3 => sentence, 1 => bytes].boxed();
    }
    let edits = proptest::collection::vec(edit(), 1..6);
    let spoilt = (any::<Index>(), edits).prop_map(move |(seed, edits)| {
        let seed = seed.get(&seeds).clone();
        edits.iter().fold(seed, |text, edit| edit.applied(text, &seeds, &words))
    });
    prop_oneof![8 => spoilt, 2 => sentence, 1 => bytes].boxed()
}

/// One thing that goes wrong with an input.
#[derive(Clone, Debug)]
enum Edit {
    Cut(Index),
    Set(Index, u8),
    Remove(Index, usize),
    /// A piece, that many times more.
    Repeat(Index, usize, usize),
    Word(Index, Index),
    /// A word in the place of a number or a text.
    Replace(Index, Index),
    /// The end of another input.
    Splice(Index, Index, Index),
    /// A piece, moved.
    Move(Index, usize, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = || any::<Index>();
    prop_oneof![
        place().prop_map(Edit::Cut),
        (place(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (place(), 1usize..40).prop_map(|(at, length)| Edit::Remove(at, length)),
        (place(), 1usize..60, 1usize..30).prop_map(|(at, most, n)| Edit::Repeat(at, most, n)),
        (place(), place()).prop_map(|(at, word)| Edit::Word(at, word)),
        (place(), place()).prop_map(|(at, word)| Edit::Replace(at, word)),
        (place(), place(), place()).prop_map(|(at, seed, from)| Edit::Splice(at, seed, from)),
        (place(), 1usize..60, place()).prop_map(|(at, most, to)| Edit::Move(at, most, to)),
    ]
}

impl Edit {
    fn applied(&self, mut text: Vec<u8>, seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
        let length = text.len();
        if length == 0 {
            return text;
        }
        let piece = |at: &Index, most: usize| {
            let at = at.index(length);
            at..(at + most).min(length)
        };
        match self {
            Self::Cut(at) => text.truncate(at.index(length)),
            Self::Set(at, byte) => text[at.index(length)] = *byte,
            Self::Remove(at, most) => drop(text.drain(piece(at, *most))),
            Self::Repeat(at, most, times) => {
                let range = piece(at, *most);
                let more = text[range.clone()].repeat(*times);
                text.splice(range.end..range.end, more);
            }
            Self::Word(at, word) => {
                let at = at.index(length);
                text.splice(at..at, word.get(words).iter().copied());
            }
            Self::Replace(at, word) => {
                let range = token(&text, at.index(length));
                text.splice(range, word.get(words).iter().copied());
            }
            Self::Splice(at, seed, from) => {
                let other = seed.get(seeds);
                text.truncate(at.index(length));
                text.extend(other.iter().skip(from.index(other.len().max(1))));
            }
            Self::Move(at, most, to) => {
                let piece: Vec<u8> = text.drain(piece(at, *most)).collect();
                let to = to.index(text.len() + 1);
                text.splice(to..to, piece);
            }
        }
        text
    }
}

/// Returns the word or number around `at`.
fn token(text: &[u8], at: usize) -> Range<usize> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._+-".contains(byte);
    let start = text[..at].iter().rposition(|byte| !is_part(byte)).map_or(0, |it| it + 1);
    let end = text[at..].iter().position(|byte| !is_part(byte)).map_or(text.len(), |it| at + it);
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn as_many_random_inputs_are_checked_as_there_are_to_be() {
        let seen = RefCell::new(Vec::new());
        let check = |bytes: &[u8]| seen.borrow_mut().push(bytes.to_vec());
        let target = target("none").seed("one two three").words(&["four"]);
        target.random(Deadline::after(PATIENCE), false, &check);
        let all = seen.into_inner();
        assert_eq!(all.len(), CASES as usize);
        let each: BTreeSet<_> = all.iter().collect();
        assert!(each.len() > all.len() / 2, "{} of {}", each.len(), all.len());
    }
}
