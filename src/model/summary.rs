//! What a listing shows of a session: a part of its record, which is read without the rest.

use std::path::PathBuf;

use serde::Deserialize;

use crate::id::{BranchName, ProjectId, SessionId};
use crate::lifecycle::Lifecycle;
use crate::record::{self, DocumentError, Kind, Mode, Record, SCHEMA};
use crate::status::Status;
use crate::time::Timestamp;

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
    schema: u64,
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
    /// Reads the bytes of a `session.json`; `None` where a newer version wrote it. Fields that a
    /// summary does not hold are not checked.
    pub fn parse(bytes: &[u8], archived: bool) -> Result<Option<Box<Self>>, DocumentError> {
        let brief: Brief = record::read(bytes)?;
        Ok((brief.schema <= SCHEMA).then(|| Box::new(brief.into_summary(archived))))
    }

    /// Returns the summary of a whole record.
    pub fn of(id: &SessionId, record: &Record, archived: bool) -> Box<Self> {
        let workspace = record.handles.workspace.as_ref();
        Box::new(Self {
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
        })
    }
}
