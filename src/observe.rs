//! Adapters to facts: what is true outside, in the one shape that deciders read.

use std::collections::BTreeMap;

use crate::adapter::runtime::{self, RuntimeError, tmux::Panes, tmux::Tmux};
use crate::invocation::World;
use crate::model::facts::{Liveness, RuntimeFact};
use crate::model::id::SessionId;
use crate::model::record::{Record, RuntimeKind};
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
    /// Looks, for the sessions of `records`.
    pub fn of<'a>(
        world: &World,
        records: impl IntoIterator<Item = &'a Record>,
        at: Timestamp,
    ) -> Self {
        let in_tmux = |record: &Record| {
            let runtime = record.handles.runtime.as_ref();
            runtime.is_some_and(|runtime| runtime.kind == RuntimeKind::Tmux)
        };
        let panes = records
            .into_iter()
            .any(in_tmux)
            .then(|| Tmux::new(world.home.root(), &world.config_directory)?.probe());
        Self { panes, at }
    }

    /// Returns the fact about one session, `None` where it has no runtime to look at.
    pub fn fact(&self, world: &World, id: &SessionId, record: &Record) -> Option<RuntimeFact> {
        let handle = record.handles.runtime.as_ref()?;
        let launch = record.handles.launch.as_ref()?;
        let process = runtime::process_fact(&world.home.session_dir(id), launch);
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

/// Returns whether a fact looks like a death that is not certain.
pub fn looks_dead(fact: &RuntimeFact) -> bool {
    !fact.confirmed && (fact.runtime == Liveness::Dead || fact.process == Liveness::Dead)
}

/// Turns facts into failed probes where so many deaths at once point at the prober, not at them.
pub fn calm_storm(facts: &mut BTreeMap<SessionId, RuntimeFact>) -> bool {
    let dead = facts.values().filter(|fact| looks_dead(fact)).count();
    if !crate::decide::storm(dead, facts.len()) {
        return false;
    }
    for fact in facts.values_mut().filter(|fact| looks_dead(fact)) {
        fact.runtime = Liveness::Failed;
    }
    true
}
