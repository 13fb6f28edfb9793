//! The script that tells the demo agent what to do, one step a line.
//!
//! | step | what it does |
//! |---|---|
//! | `say TEXT` | prints a line; `{message}` is what was read last, `{prompt}` the task |
//! | `sleep MS` | works for so many milliseconds |
//! | `ready TEXT` | prints `TEXT` and draws an empty composer |
//! | `read` | draws the composer and reads one submitted message |
//! | `await TEXT` | reads messages until one contains TEXT; without a terminal each line is one |
//! | `swallow-enter N` | the next `read` ignores the first N presses of Enter |
//! | `draft TEXT` | the next `read` begins with what a person has typed already |
//! | `vim` | the composer is vi's from here on: each `read` begins in normal mode |
//! | `fold-pastes` | it shows a paste of several lines as `[Pasted text #1 +N lines]` |
//! | `placeholder TEXT` | it shows the text, faint, while it is empty |
//! | `until-interrupt TEXT` | shows the text as work under way until Ctrl-C is pressed |
//! | `dialog TEXT KEY` | asks, and waits for KEY (a character, `enter` or `escape`); anything else is noted as a misfire |
//! | `expect TEXT` | ends with exit code 97 unless the last message contains TEXT |
//! | `hook EVENT [JSON]` | calls `ao hook` with the JSON on standard input; an instruction in its answer (`reason`) becomes the message |
//! | `write FILE TEXT` | writes the text and a line end; `\n` in it is a line end too |
//! | `commit MESSAGE` | commits everything in the working directory |
//! | `run PROGRAM ARG…` | runs a program; `"…"` keeps spaces together |
//! | `ignore SIGNAL…` | `hup`, `term` or `int` do nothing, from the start |
//! | `spawn-child` | leaves a sleeping process in a session of its own |
//! | `ledger FILE` | notes every byte that is received, instead of in `AO_DEMO_LEDGER` |
//! | `crash` | dies of SIGSEGV |
//! | `kill-self N` | dies of signal N |
//! | `exit N` | ends with exit code N |
//! | `loop {` … `}` | repeats what is between for ever |
//! | `repeat N {` … `}` | repeats it N times |
//! | `answered {` … `}` | repeats it for as long as the last `hook` was answered with an instruction |
//!
//! Empty lines and lines that begin with `#` are ignored. The end of a script is `exit 0`.

use std::path::PathBuf;

use crate::model::lifecycle::word_enum;
use schemars::JsonSchema;
use serde::Serialize;

word_enum! {
    /// A signal the agent can be deaf to.
    Deaf {
        Hup = "hup",
        Term = "term",
        Int = "int",
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Print a line.
    Say(String),
    /// Work for so many milliseconds.
    Sleep(u64),
    /// Print a line and draw the composer.
    Ready(String),
    /// Read one message.
    Read,
    /// Read messages until one contains this.
    Await(String),
    /// Ignore so many presses of Enter.
    SwallowEnter(u32),
    /// Begin the next message with this.
    Draft(String),
    /// Have a composer like vi's.
    Vim,
    /// Show long pastes as one word.
    FoldPastes,
    /// Show this in an empty composer.
    Placeholder(String),
    /// Work until Ctrl-C is pressed.
    UntilInterrupt(String),
    /// Ask, and wait for the key.
    Dialog {
        /// The question.
        text: String,
        /// The byte that answers it.
        key: u8,
    },
    /// The last message must contain this.
    Expect(String),
    /// Tell ao.
    Hook {
        /// The event.
        event: String,
        /// The payload; absent: a session id alone.
        payload: Option<String>,
    },
    /// Write a file.
    Write {
        /// Its path.
        file: PathBuf,
        /// Its content.
        text: String,
    },
    /// Commit everything.
    Commit(String),
    /// Run a program.
    Run(Vec<String>),
    /// Be deaf to signals.
    Ignore(Vec<Deaf>),
    /// Leave a process behind.
    SpawnChild,
    /// Note received bytes here.
    Ledger(PathBuf),
    /// Die of SIGSEGV.
    Crash,
    /// Die of this signal.
    KillSelf(i32),
    /// End.
    Exit(i32),
    /// Repeat.
    Repeat {
        /// How often.
        times: Times,
        /// What.
        steps: Vec<Step>,
    },
}

/// How often a block is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// For ever.
    Ever,
    /// This often.
    Number(u64),
    /// While the last hook was answered with an instruction.
    Answered,
}

/// A line that is no step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ScriptError {
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong, and what is allowed.
    pub why: String,
}

/// How deep blocks may stand in each other.
const DEEPEST: usize = 100;

/// Parses a script.
pub fn parse(text: &str) -> Result<Vec<Step>, ScriptError> {
    let mut blocks: Vec<(usize, Times, Vec<Step>)> = vec![(0, Times::Ever, Vec::new())];
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let error = |why: String| ScriptError { line: number, why };
        let finished = if line == "}" {
            let (_, times, steps) = blocks.pop().expect("the outermost block stays");
            if blocks.is_empty() {
                return Err(error("`}` without a block".to_owned()));
            }
            Step::Repeat { times, steps }
        } else if blocks.len() > DEEPEST {
            return Err(error(format!("blocks stand in each other at most {DEEPEST} deep")));
        } else if let Some(head) = line.strip_suffix('{') {
            blocks.push((number, block(head.trim()).map_err(error)?, Vec::new()));
            continue;
        } else {
            step(line).map_err(error)?
        };
        let innermost = blocks.last_mut().expect("the outermost block stays");
        innermost.2.push(finished);
    }
    let (line, _, steps) = blocks.pop().expect("the outermost block stays");
    if blocks.is_empty() {
        Ok(steps)
    } else {
        Err(ScriptError { line, why: "the block has no `}`".to_owned() })
    }
}

/// Returns every signal the script is deaf to, wherever it says so.
pub fn ignored(steps: &[Step]) -> Vec<Deaf> {
    let mut all = Vec::new();
    for step in steps {
        if let Step::Ignore(signals) = step {
            all.extend(signals);
        } else if let Step::Repeat { steps, .. } = step {
            all.extend(ignored(steps));
        }
    }
    all
}

fn block(head: &str) -> Result<Times, String> {
    match head.split_once(' ') {
        None if head == "loop" => Ok(Times::Ever),
        None if head == "answered" => Ok(Times::Answered),
        Some(("repeat", times)) => number("repeat", times).map(Times::Number),
        None | Some(_) => {
            Err(format!("unknown block `{head}`; there are `loop`, `answered` and `repeat N`"))
        }
    }
}

fn step(line: &str) -> Result<Step, String> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let required = |what: &str| {
        if rest.is_empty() { Err(format!("`{name}` needs {what}")) } else { Ok(rest.to_owned()) }
    };
    Ok(match name {
        "say" => Step::Say(rest.to_owned()),
        "sleep" => Step::Sleep(number(name, rest)?),
        "ready" => Step::Ready(rest.to_owned()),
        "read" => Step::Read,
        "await" => Step::Await(required("a text")?),
        "swallow-enter" => Step::SwallowEnter(number(name, rest)?),
        "draft" => Step::Draft(required("a text")?),
        "vim" => Step::Vim,
        "fold-pastes" => Step::FoldPastes,
        "placeholder" => Step::Placeholder(required("a text")?),
        "until-interrupt" => Step::UntilInterrupt(required("a text")?),
        "dialog" => dialog(rest)?,
        "expect" => Step::Expect(required("a text")?),
        "hook" => hook(&required("an event")?)?,
        "write" => write(rest)?,
        "commit" => Step::Commit(required("a message")?),
        "run" => Step::Run(words(&required("a program")?)?),
        "ignore" => Step::Ignore(signals(&required("a signal: hup, term or int")?)?),
        "spawn-child" => Step::SpawnChild,
        "ledger" => Step::Ledger(required("a file")?.into()),
        "crash" => Step::Crash,
        "kill-self" => Step::KillSelf(number(name, rest)?),
        "exit" => Step::Exit(number(name, rest)?),
        _ => return Err(format!("unknown step `{name}`")),
    })
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("`{name}` needs a number"))
}

fn dialog(rest: &str) -> Result<Step, String> {
    let (text, key) = rest
        .rsplit_once(char::is_whitespace)
        .ok_or_else(|| "`dialog` needs a text and a key".to_owned())?;
    let key = match key.as_bytes() {
        b"enter" => b'\r',
        b"escape" => 0x1b,
        [key] => *key,
        _ => return Err("a key is one character, `enter` or `escape`".to_owned()),
    };
    Ok(Step::Dialog { text: text.trim().to_owned(), key })
}

fn hook(rest: &str) -> Result<Step, String> {
    let (event, payload) = match rest.split_once(char::is_whitespace) {
        Some((event, payload)) => (event, Some(payload.trim().to_owned())),
        None => (rest, None),
    };
    Ok(Step::Hook { event: event.to_owned(), payload })
}

fn write(rest: &str) -> Result<Step, String> {
    let (file, text) = rest
        .split_once(char::is_whitespace)
        .ok_or_else(|| "`write` needs a file and a text".to_owned())?;
    Ok(Step::Write { file: file.into(), text: text.trim().replace("\\n", "\n") + "\n" })
}

fn signals(rest: &str) -> Result<Vec<Deaf>, String> {
    rest.split_whitespace()
        .map(|word| word.parse::<Deaf>().map_err(|error| error.to_string()))
        .collect()
}

/// Splits at spaces, except between double quotes.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    if text.matches('"').count() % 2 == 1 {
        Err("a quote is not closed".to_owned())
    } else {
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_blocks_are_read() {
        let script = "# a comment\n\nhook stop {\"a\": 1}\nrepeat 2 {\n  read\n  loop {\n    say {message}\n  }\n}\nwrite a.txt one\\ntwo\ndialog Run it? y\nrun git log \"-1 x\"\n";
        let steps = parse(script).unwrap();
        let say = Step::Repeat { times: Times::Ever, steps: vec![Step::Say("{message}".into())] };
        assert_eq!(
            steps,
            [
                Step::Hook { event: "stop".into(), payload: Some("{\"a\": 1}".into()) },
                Step::Repeat { times: Times::Number(2), steps: vec![Step::Read, say] },
                Step::Write { file: "a.txt".into(), text: "one\ntwo\n".into() },
                Step::Dialog { text: "Run it?".into(), key: b'y' },
                Step::Run(vec!["git".into(), "log".into(), "-1 x".into()]),
            ]
        );
    }

    #[test]
    fn every_refusal_names_its_line() {
        let table: String = [
            "jump",
            "sleep soon",
            "dialog sure",
            "dialog sure? yes",
            "await",
            "expect",
            "write a",
            "run \"a",
            "ignore quit",
            "while {",
            "repeat x {",
            "}",
            "loop {",
            "exit one",
            "kill-self",
        ]
        .iter()
        .map(|line| format!("{line:<16} => {}\n", parse(&format!("say hi\n{line}")).unwrap_err()))
        .collect();
        insta::assert_snapshot!(table, @r#"
        jump             => line 2: unknown step `jump`
        sleep soon       => line 2: `sleep` needs a number
        dialog sure      => line 2: `dialog` needs a text and a key
        dialog sure? yes => line 2: a key is one character, `enter` or `escape`
        await            => line 2: `await` needs a text
        expect           => line 2: `expect` needs a text
        write a          => line 2: `write` needs a file and a text
        run "a           => line 2: a quote is not closed
        ignore quit      => line 2: `quit` is none of hup, term, int
        while {          => line 2: unknown block `while`; there are `loop`, `answered` and `repeat N`
        repeat x {       => line 2: `repeat` needs a number
        }                => line 2: `}` without a block
        loop {           => line 2: the block has no `}`
        exit one         => line 2: `exit` needs a number
        kill-self        => line 2: `kill-self` needs a number
        "#);
    }

    #[test]
    fn deafness_is_found_in_blocks_too() {
        let steps = parse("loop {\nignore hup\n}\nignore term int").unwrap();
        assert_eq!(ignored(&steps), [Deaf::Hup, Deaf::Term, Deaf::Int]);
    }

    #[test]
    fn fuzz_demo_scripts() {
        let seeds = [include_str!("play/fix.script"), include_str!("play/ask.script")];
        let target =
            seeds.iter().fold(crate::fuzz::target("demo-scripts"), |it, seed| it.seed(*seed));
        let deep = "loop {\n".repeat(200_000) + &"}\n".repeat(200_000);
        target.seed(deep).words(&["loop {\n", "repeat 3 {\n", "}\n", "say ", "hook "]).run_text(
            |text| match parse(text) {
                Ok(steps) => drop(ignored(&steps)),
                Err(error) => assert!((1..=text.lines().count().max(1)).contains(&error.line)),
            },
        );
    }
}
