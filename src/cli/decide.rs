//! `ao decide`: the pure reducer, JSON lines in and out.

use std::io::{BufRead, Write};

use crate::adapter::clock;
use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::decide::batch;
use crate::model::policy::Policy;

/// Ask what ao would do: records and facts in, decisions out, no state touched
///
/// Each line of standard input is {"record":{…},"observation":{…},"policy":{…},"now":"…"}; policy
/// and now may be left out. A bad line is answered by {"error":{…}}; the stream goes on, and the
/// exit code is 2 at its end.
#[derive(Debug, clap::Args)]
pub struct DecideArgs {}

/// Runs `ao decide`.
pub fn run(_: &Context, out: &mut dyn Write, _: &DecideArgs) -> Result<Exit, CommandError> {
    let mut exit = Exit::Done;
    let policy = Policy::default();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.map_err(CommandError::unread)?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // What is not UTF-8 is not JSON either, and is answered as such.
        let text = String::from_utf8_lossy(&line);
        match batch::evaluate_line(&text, &policy, clock::now()) {
            Ok(answer) => writeln!(out, "{}", output::escaped(answer))?,
            Err(answer) => {
                exit = Exit::Invalid;
                writeln!(out, "{answer}")?;
            }
        }
    }
    Ok(exit)
}
