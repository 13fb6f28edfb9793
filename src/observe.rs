//! Adapters to facts: what is true outside, in the one shape that deciders read.

use std::path::Path;

use crate::adapter::agent::{self, Cards};
use crate::adapter::runtime::{self, RuntimeError, tmux::Panes, tmux::Tmux};
use crate::model::facts::{Liveness, RuntimeFact};
use crate::model::id::SessionId;
use crate::model::record::{Record, RuntimeKind};
use crate::model::screen::ScreenSign;
use crate::model::time::Timestamp;

/// One look at every pane of ao's tmux server, and at the launcher's files of each session.
///
/// At most one child process, and none where no session lives in tmux.
#[derive(Debug)]
pub struct Probe {
    panes: Option<Result<Panes, RuntimeError>>,
    at: Timestamp,
}

impl Probe {
    /// Looks, for the sessions of `records`, at the tmux server of `home`.
    pub fn of<'a>(
        home: &Path,
        config_directory: &Path,
        records: impl IntoIterator<Item = &'a Record>,
        at: Timestamp,
    ) -> Self {
        let in_tmux = |record: &Record| {
            let runtime = record.handles.runtime.as_ref();
            runtime.is_some_and(|runtime| runtime.kind == RuntimeKind::Tmux)
        };
        let panes =
            records.into_iter().any(in_tmux).then(|| Tmux::new(home, config_directory)?.probe());
        Self { panes, at }
    }

    /// Returns the fact about one session, `None` where it has no runtime to look at.
    ///
    /// `directory` is the session's, where the launcher keeps its files.
    pub fn fact(&self, directory: &Path, record: &Record) -> Option<RuntimeFact> {
        let handle = record.handles.runtime.as_ref()?;
        let launch = record.handles.launch.as_ref()?;
        let process = runtime::process_fact(directory, launch);
        let pane = match (handle.kind, &self.panes) {
            (RuntimeKind::Process, _) => process.liveness,
            (RuntimeKind::Tmux, Some(panes)) => Tmux::fact(panes, handle, launch),
            (RuntimeKind::Tmux, None) => Liveness::Failed,
        };
        Some(RuntimeFact {
            observed_at: Some(self.at),
            runtime: pane,
            process: process.liveness,
            confirmed: process.confirmed,
            exit_code: process.exit_code,
            launch: Some(launch.clone()),
        })
    }

    /// Returns why the look at tmux failed, if it did.
    pub fn failure(&self) -> Option<&RuntimeError> {
        self.panes.as_ref()?.as_ref().err()
    }
}

/// Lines of a screen that are read.
const SCREEN_LINES: u32 = 50;

/// Returns what the screens of `records`' agents say, all of them asked for in one tmux call.
///
/// A session whose pane is another launch's, or whose card cannot be read or knows no screens, is
/// left out.
pub fn screens<'a>(
    home: &Path,
    config_directory: &Path,
    cards: &Cards,
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<Vec<(SessionId, ScreenSign)>, RuntimeError> {
    let mut asked = Vec::new();
    let mut targets = Vec::new();
    for record in records {
        let (Some(id), Some(launch)) = (&record.id, &record.handles.launch) else { continue };
        if let Some(card) = cards.find(&record.agent).ok().filter(|card| card.reads_screens()) {
            targets.push((id.clone(), launch.clone()));
            asked.push((id, card));
        }
    }
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let shown = Tmux::new(home, config_directory)?.capture(&targets, SCREEN_LINES, false)?;
    let read = |(id, card): (&SessionId, &agent::Card)| {
        Some((id.clone(), agent::read_screen(card, shown.get(id)?)?))
    };
    Ok(asked.into_iter().filter_map(read).collect())
}
