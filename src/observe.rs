//! Adapters to facts: what is true outside, in the one shape that deciders read.

use std::path::{Path, PathBuf};

use crate::adapter::agent::{self, Cards};
use crate::adapter::runtime::tmux::{Living, Panes, Question, Tmux};
use crate::adapter::runtime::{self, ProcessFact, RuntimeError};
use crate::model::facts::{Liveness, RuntimeFact};
use crate::model::id::SessionId;
use crate::model::record::{Record, RuntimeKind};
use crate::model::screen::ScreenSign;
use crate::model::time::Timestamp;

/// A look at every pane of ao's tmux server that begins with the first session that lives there,
/// so that tmux works while the other records are read.
#[derive(Debug)]
pub struct Look {
    home: PathBuf,
    config_directory: PathBuf,
    asked: Option<Result<(Tmux, Question), RuntimeError>>,
}

impl Look {
    /// Returns a look, of which nothing has begun, at the tmux server of `home`.
    pub fn new(home: &Path, config_directory: &Path) -> Self {
        let (home, config_directory) = (home.to_owned(), config_directory.to_owned());
        Self { home, config_directory, asked: None }
    }

    /// Asks tmux who lives, where the session lives there and nobody has asked yet.
    pub fn include(&mut self, record: &Record) {
        if self.asked.is_none() && is_in_tmux(record) {
            let ask = || {
                let tmux = Tmux::new(&self.home, &self.config_directory)?;
                let question = tmux.ask();
                Ok((tmux, question))
            };
            self.asked = Some(ask());
        }
    }

    /// Returns the look of which nothing has begun: what was asked is of no use any more.
    pub fn anew(self) -> Self {
        if let Some(Ok((tmux, question))) = self.asked {
            // Waited for, so that no child is left behind.
            let _ = tmux.living(question);
        }
        Self { asked: None, ..self }
    }

    /// Waits for the answer, for the sessions of `records`: those that are looked at, as they are
    /// since they were read.
    ///
    /// A pane that was made after tmux was asked is missing from the answer, and what else it
    /// could be is not in it. So where not everybody is certain to live, tmux is asked once more.
    pub fn finish<'a>(
        mut self,
        records: impl Iterator<Item = &'a Record> + Clone,
        at: Timestamp,
    ) -> Probe {
        records.clone().for_each(|record| self.include(record));
        let panes = self.asked.map(|asked| {
            let (tmux, question) = asked?;
            match tmux.living(question)? {
                Some(living) if records.clone().all(|record| lives(&living, record)) => {
                    Ok(Answer::AllLive)
                }
                Some(_) | None => tmux.probe().map(Answer::Panes),
            }
        });
        Probe { panes, at }
    }
}

/// Returns whether nothing else has to be asked of tmux about a session.
fn lives(living: &Living, record: &Record) -> bool {
    let handles = &record.handles;
    match (&handles.runtime, &handles.launch) {
        (Some(handle), Some(launch)) if handle.kind == RuntimeKind::Tmux => {
            living.has(launch.as_str(), handle)
        }
        (Some(_) | None, _) => true,
    }
}

/// What tmux answered.
#[derive(Debug)]
enum Answer {
    /// Everybody who was asked for lives.
    AllLive,
    /// All of its panes.
    Panes(Panes),
}

fn is_in_tmux(record: &Record) -> bool {
    record.handles.runtime.as_ref().is_some_and(|runtime| runtime.kind == RuntimeKind::Tmux)
}

/// What one look at every pane of ao's tmux server found, to which the launcher's files of each
/// session are added.
///
/// One child process as a rule, and none where no session lives in tmux.
#[derive(Debug)]
pub struct Probe {
    panes: Option<Result<Answer, RuntimeError>>,
    at: Timestamp,
}

impl Probe {
    /// Returns the fact about one session, `None` where it has no runtime to look at.
    ///
    /// `directory` is the session's, where the launcher keeps its files. They are not looked at
    /// where its launcher was seen alive (`is_held`) and its pane agrees.
    pub fn fact(
        &self,
        directory: impl FnOnce() -> PathBuf,
        record: &Record,
        is_held: bool,
    ) -> Option<RuntimeFact> {
        let handle = record.handles.runtime.as_ref()?;
        let launch = record.handles.launch.as_ref()?;
        let pane = match (handle.kind, &self.panes) {
            (RuntimeKind::Process, _) => None,
            (RuntimeKind::Tmux, Some(Ok(Answer::AllLive))) => Some(Liveness::Alive),
            (RuntimeKind::Tmux, Some(Ok(Answer::Panes(panes)))) => {
                Some(Tmux::fact_in(panes, handle, launch))
            }
            (RuntimeKind::Tmux, Some(Err(_)) | None) => Some(Liveness::Failed),
        };
        let process = match pane {
            Some(Liveness::Alive) | None if is_held => ProcessFact::ALIVE,
            // What ended was seen by tmux first, if at all: the files are looked at after it.
            Some(_) | None => runtime::process_fact(&directory(), launch),
        };
        Some(RuntimeFact {
            observed_at: Some(self.at),
            runtime: pane.unwrap_or(process.liveness),
            process: process.liveness,
            confirmed: process.confirmed,
            exit_code: process.exit_code,
            launch: Some(launch.clone()),
        })
    }

    /// Returns the fact about a session whose launcher was seen alive, if its pane turns out to be
    /// alive as well: what it means can be decided while tmux is asked.
    pub fn expected(record: &Record, at: Timestamp) -> Option<RuntimeFact> {
        let launch = record.handles.launch.as_ref()?;
        record.handles.runtime.as_ref()?;
        Some(RuntimeFact {
            observed_at: Some(at),
            runtime: Liveness::Alive,
            process: Liveness::Alive,
            confirmed: false,
            exit_code: None,
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
