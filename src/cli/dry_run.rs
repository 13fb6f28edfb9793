//! Dry runs over several sessions, or reviews.

use std::fmt::Display;
use std::io::Write;

use crate::cli::context::Context;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::model::answer::PlanStep;

/// Answers with a step for each of them. One that would be refused is left, and the command ends
/// as it would in earnest.
pub(super) fn answer<Id: Display>(
    context: &Context,
    out: &mut dyn Write,
    ids: &[Id],
    step: impl Fn(&Id) -> Result<(String, String), CommandError>,
) -> Result<Exit, CommandError> {
    let (mut steps, mut worst) = (Vec::new(), Exit::Done);
    for id in ids {
        match step(id) {
            Ok(step) => steps.push(PlanStep::from(step)),
            Err(error) if ids.len() == 1 => return Err(error),
            Err(error) => {
                worst = error.exit;
                steps.push((format!("leave {id}"), error.one_line()).into());
            }
        }
    }
    output::plan(out, context.global.json, &steps)?;
    Ok(worst)
}
