//! What a listing shows of many sessions, read without building their whole records.
//!
//! A summary comes from `session.json` alone where that is newer than the log, and from a full
//! load otherwise: a record behind its log, or unreadable, is told as [`Home::load`] tells it.
//! Fields that a summary does not hold are not checked.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::adapter::fs;
use crate::model::id::{BranchName, ProjectId, SessionId};
use crate::model::lifecycle::Lifecycle;
use crate::model::record::{Kind, Mode, Record};
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::events::LOG;
use crate::store::home::{self, Home};
use crate::store::recover::RECORD;

/// A session in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its name.
    pub id: SessionId,
    /// Whether it is archived.
    pub archived: bool,
    /// Its project.
    pub project: Option<ProjectId>,
    /// What it is for.
    pub kind: Kind,
    /// Whether the agent stays.
    pub mode: Mode,
    /// The agent card's name.
    pub agent: String,
    /// What a person calls it.
    pub title: Option<String>,
    /// The issue it works on.
    pub issue: Option<String>,
    /// The session that spawned it.
    pub parent: Option<SessionId>,
    /// When it was spawned.
    pub created_at: Option<Timestamp>,
    /// When it was last written.
    pub updated_at: Option<Timestamp>,
    /// Its revision.
    pub revision: u64,
    /// The axes.
    pub lifecycle: Lifecycle,
    /// Where it works.
    pub workspace: Option<PathBuf>,
    /// Its branch.
    pub branch: Option<BranchName>,
    /// The one word.
    pub status: Status,
}

#[derive(Deserialize)]
struct Brief {
    id: SessionId,
    #[serde(default)]
    project: Option<ProjectId>,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    issue: Option<String>,
    #[serde(default)]
    parent: Option<SessionId>,
    #[serde(default)]
    created_at: Option<Timestamp>,
    #[serde(default)]
    updated_at: Option<Timestamp>,
    #[serde(default)]
    revision: u64,
    #[serde(default)]
    lifecycle: Lifecycle,
    #[serde(default)]
    handles: BriefHandles,
}

#[derive(Default, Deserialize)]
struct BriefHandles {
    #[serde(default)]
    workspace: Option<BriefWorkspace>,
}

#[derive(Deserialize)]
struct BriefWorkspace {
    path: PathBuf,
    #[serde(default)]
    branch: Option<BranchName>,
}

impl Home {
    /// Returns a summary of every session, sorted by id, archived ones last where asked for. A
    /// session that cannot be read is told beside its id and hides no other.
    #[expect(clippy::type_complexity, reason = "an error needs the id it is about")]
    pub fn summaries(
        &self,
        include_archived: bool,
    ) -> Result<Vec<Result<Summary, (SessionId, StoreError)>>, StoreError> {
        let mut ids: Vec<(SessionId, bool)> =
            self.session_ids()?.into_iter().map(|id| (id, false)).collect();
        if include_archived {
            ids.extend(self.archived_ids()?.into_iter().map(|id| (id, true)));
        }
        Ok(ids
            .into_iter()
            .map(|(id, archived)| self.summary(&id, archived).map_err(|error| (id, error)))
            .collect())
    }

    fn summary(&self, id: &SessionId, archived: bool) -> Result<Summary, StoreError> {
        let directory = if archived { self.archive_dir(id) } else { self.session_dir(id) };
        if let Some(summary) = quick(&directory, id, archived) {
            return Ok(summary);
        }
        let loaded = self.load(id)?;
        Ok(Summary::of(id, &loaded.record, loaded.archived))
    }
}

/// Reads the record alone; `None` where that is not enough.
///
/// A writer appends to the log first, so a record that was modified later holds all of it. Where
/// clocks are too coarse to tell, a listing may miss a change whose writer was killed between.
fn quick(directory: &Path, id: &SessionId, archived: bool) -> Option<Summary> {
    let record = fs::metadata(&directory.join(RECORD)).ok()??;
    let log = fs::metadata(&directory.join(LOG)).ok()??;
    let modified = |metadata: &std::fs::Metadata| (metadata.mtime(), metadata.mtime_nsec());
    if modified(&record) < modified(&log) {
        return None;
    }
    let bytes = home::read_ours(&directory.join(RECORD), 1 << 20).ok()??;
    let brief: Brief = serde_json::from_slice(&bytes).ok()?;
    (brief.id == *id).then(|| brief.into_summary(archived))
}

impl Brief {
    fn into_summary(self, archived: bool) -> Summary {
        let (workspace, branch) = match self.handles.workspace {
            Some(workspace) => (Some(workspace.path), workspace.branch),
            None => (None, None),
        };
        Summary {
            id: self.id,
            archived,
            project: self.project,
            kind: self.kind,
            mode: self.mode,
            agent: self.agent,
            title: self.title,
            issue: self.issue,
            parent: self.parent,
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision: self.revision,
            status: Status::of(&self.lifecycle),
            lifecycle: self.lifecycle,
            workspace,
            branch,
        }
    }
}

impl Summary {
    /// Returns the summary of a whole record.
    pub fn of(id: &SessionId, record: &Record, archived: bool) -> Self {
        let workspace = record.handles.workspace.as_ref();
        Self {
            id: id.clone(),
            archived,
            project: record.project.clone(),
            kind: record.kind,
            mode: record.mode,
            agent: record.agent.clone(),
            title: record.title.clone(),
            issue: record.issue.clone(),
            parent: record.parent.clone(),
            created_at: record.created_at,
            updated_at: record.updated_at,
            revision: record.revision,
            status: Status::of(&record.lifecycle),
            lifecycle: record.lifecycle.clone(),
            workspace: workspace.map(|workspace| workspace.path.clone()),
            branch: workspace.and_then(|workspace| workspace.branch.clone()),
        }
    }
}
