//! Submit: a reviewer's verdict, once.

use crate::adapter::{clock, failpoint};
use crate::invocation::World;
use crate::model::id::SessionId;
use crate::model::review::{Run, RunState, Verdict};
use crate::model::sanitize;
use crate::session::SessionError;
use crate::session::review::{ReviewError, change, delivery, find};

/// The longest text that is kept, in bytes; a longer one loses its middle.
pub const MAX_BODY: usize = 32 * 1024;

/// What is handed in.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The run.
    pub run: String,
    /// What the reviewer came to.
    pub verdict: Verdict,
    /// What the author gets to read.
    pub body: Vec<u8>,
    /// The session that hands it in; absent for a person.
    pub caller: Option<SessionId>,
}

/// What became of it.
#[derive(Debug)]
pub struct Submitted {
    /// The run.
    pub run: Run,
    /// It was handed in before, just so.
    pub again: bool,
    /// What the reviewer should know.
    pub notes: Vec<String>,
}

/// Returns the text as it is kept: without anything that could speak to a terminal, and capped.
fn cleaned(bytes: &[u8], notes: &mut Vec<String>) -> Result<Option<String>, ReviewError> {
    if bytes.contains(&0) {
        return Err(ReviewError::BodyNul);
    }
    let text = sanitize::paste(&String::from_utf8_lossy(bytes));
    let text = text.trim();
    if text.len() > MAX_BODY {
        notes.push(format!("the text is cut in its middle to {MAX_BODY} bytes"));
    }
    let text = sanitize::capped_in_its_middle(text, MAX_BODY);
    Ok((!text.is_empty()).then_some(text))
}

/// Refuses what would be refused, and changes nothing; returns the run.
pub fn check(world: &World, submission: &Submission) -> Result<Run, SessionError> {
    let body = cleaned(&submission.body, &mut Vec::new())?;
    let run = acceptable(world, submission, body.as_ref())?;
    settled(&run, submission.verdict, body.as_ref()).unwrap_or(Ok(()))?;
    Ok(run)
}

fn acceptable(
    world: &World,
    submission: &Submission,
    body: Option<&String>,
) -> Result<Run, SessionError> {
    if submission.verdict == Verdict::ChangesRequested && body.is_none() {
        return Err(ReviewError::NoBody.into());
    }
    let run = find(world, &submission.run)?;
    require_own(&run, submission.caller.as_ref())?;
    Ok(run)
}

/// Records a verdict, and has the worker told of the changes it asks for.
pub fn submit(world: &World, submission: &Submission) -> Result<Submitted, SessionError> {
    let mut notes = Vec::new();
    let (name, verdict) = (&submission.run, submission.verdict);
    let body = cleaned(&submission.body, &mut notes)?;
    let run = acceptable(world, submission, body.as_ref())?;
    if let Some(again) = settled(&run, verdict, body.as_ref()) {
        again?;
        return Ok(Submitted { run, again: true, notes });
    }
    let again = change(world, &run.worker, |reviews, _| {
        let gone = || ReviewError::NoRun { run: name.clone() };
        let run = reviews.find_mut(name).ok_or_else(gone)?;
        if let Some(again) = settled(run, verdict, body.as_ref()) {
            return Ok(again.map(|()| true)?);
        }
        run.state = RunState::Complete;
        run.verdict = Some(verdict);
        run.body.clone_from(&body);
        run.ended_at = Some(clock::now());
        // It was in the reviewer's hands, whatever whoever gave it got round to saying.
        run.launching = None;
        Ok(false)
    })?;
    failpoint::pass("review.submitted").map_err(SessionError::Proc)?;
    if verdict == Verdict::ChangesRequested {
        // The verdict is recorded; what cannot go out now goes out with the next pass. An agent
        // types nothing into another: its reviewer's session may be ended in the middle of that.
        let told = match submission.caller {
            Some(_) => delivery::settle(world, &run.worker).map(drop),
            None => delivery::deliver(world, &run.worker),
        };
        if let Err(error) = told {
            notes.push(format!("{} is not told yet: {}", run.worker, sanitize::chain(&error)));
        }
    }
    Ok(Submitted { run: find(world, name)?, again, notes })
}

/// Refuses the agent of another session; a person may judge any run.
fn require_own(run: &Run, caller: Option<&SessionId>) -> Result<(), ReviewError> {
    let Some(caller) = caller else { return Ok(()) };
    let is_own = match &run.session {
        Some(session) => session == caller,
        // Its reviewer is quicker than whoever started it.
        None => caller.as_str() == run.run,
    };
    let (run, caller) = (run.run.clone(), caller.clone());
    is_own.then_some(()).ok_or(ReviewError::NotYours { run, caller })
}

/// Returns whether the run is over: as handed in just now, or in another way.
fn settled(run: &Run, verdict: Verdict, body: Option<&String>) -> Option<Result<(), ReviewError>> {
    let name = run.run.clone();
    match (run.state, run.verdict) {
        (RunState::Running, _) => None,
        (RunState::Complete | RunState::Delivered, Some(known)) => {
            let same = known == verdict && run.body.as_ref() == body;
            Some(same.then_some(()).ok_or(ReviewError::Decided { run: name, verdict: known }))
        }
        (RunState::Complete | RunState::Delivered | RunState::Failed | RunState::Cancelled, _) => {
            Some(Err(ReviewError::Over { run: name, state: run.state, why: run.why.clone() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cleaned_and_capped_and_a_nul_is_refused() {
        let mut notes = Vec::new();
        let kept = cleaned(b"  Rename \x1b[31mit\x1b[0m.\r\n\n", &mut notes).unwrap();
        assert_eq!((kept.as_deref(), notes.len()), (Some("Rename it."), 0));
        assert_eq!(cleaned(b" \n\t", &mut notes).unwrap(), None);
        assert!(matches!(cleaned(b"a\0b", &mut notes), Err(ReviewError::BodyNul)));
        let long = cleaned(&vec![b'x'; MAX_BODY + 1], &mut notes).unwrap().unwrap();
        assert!(long.len() <= MAX_BODY + 50 && notes.len() == 1, "{} {notes:?}", long.len());
    }
}
