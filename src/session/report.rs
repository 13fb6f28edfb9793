//! Report: what an agent says of itself, from inside its session.

use crate::invocation::{self, Applied, World};
use crate::model::facts::{ActivityFact, Confidence, Observation};
use crate::model::id::{LaunchId, SessionId};
use crate::model::lifecycle::ActivitySource;
use crate::model::record::Record;
use crate::model::report::{ReportFact, check_url, note};
use crate::model::status::Status;
use crate::session::SessionError;

/// Returns what a report is made of, cleaned.
///
/// # Errors
///
/// The address is none.
pub fn fact(report: ReportFact) -> Result<ReportFact, SessionError> {
    Ok(ReportFact {
        state: report.state,
        note: report.note.as_deref().and_then(note),
        pr: report.pr.as_deref().map(check_url).transpose()?,
    })
}

/// Returns the signal that a report is.
pub fn observation(launch: &LaunchId, report: ReportFact) -> Observation {
    Observation::Activity(ActivityFact {
        // The time under the lock: what an agent says itself is never older than its hooks.
        observed_at: None,
        confidence: Confidence::Valid,
        activity: report.state.activity(),
        source: ActivitySource::Native,
        launch: Some(launch.clone()),
        agent_session: None,
        boundary: false,
        tool: None,
        report: Some(report),
    })
}

/// Refuses a report that would be set aside: of an earlier launch, or of a session that has ended.
pub fn require_current(
    id: &SessionId,
    record: &Record,
    launch: &LaunchId,
) -> Result<(), SessionError> {
    let why = if record.handles.launch.as_ref() != Some(launch) {
        "this is an earlier start of it, whose word does not count"
    } else if record.lifecycle.is_terminal() {
        "it has ended"
    } else {
        return Ok(());
    };
    let status = Status::of(&record.lifecycle);
    Err(SessionError::WrongState { id: id.clone(), status, why })
}

/// Records a report.
pub fn report(
    world: &World,
    id: &SessionId,
    launch: &LaunchId,
    report: ReportFact,
) -> Result<Applied, SessionError> {
    let mut locked = world.home.lock_session(id, world.lock_timeout)?;
    require_current(id, locked.record(), launch)?;
    let observation = observation(launch, report);
    Ok(invocation::apply_locked(world, &mut locked, &observation, "report")?)
}
