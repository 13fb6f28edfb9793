//! Projects: one repository each, in `projects/<id>.json`, changed under `projects/<id>.lock`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::adapter::failpoint;
use crate::adapter::fs::{self, Durability, FsError};
use crate::model::id::ProjectId;
use crate::model::patch;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::home::{self, Home};

/// The project schema that this version writes.
const SCHEMA: u64 = 1;

/// The largest project file that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// A repository that sessions work in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// The schema it was written in.
    pub schema: u64,
    /// Its name.
    pub id: ProjectId,
    /// Absolute path of the git directory that all its worktrees share: what makes it one.
    pub common_dir: PathBuf,
    /// Absolute path of the main worktree or, where bare, the git directory.
    pub repo: PathBuf,
    /// The address of the remote `origin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The branch that work starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// The number of the last session named after it.
    #[serde(default)]
    pub counter: u64,
    /// What the user approved of its configuration, by what it is about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approvals: BTreeMap<String, Value>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A repository to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProject {
    /// Absolute path of the shared git directory, links resolved.
    pub common_dir: PathBuf,
    /// Absolute path of the main worktree or, where bare, the git directory.
    pub repo: PathBuf,
    /// The address of the remote `origin`.
    pub origin: Option<String>,
    /// The branch that work starts from.
    pub default_branch: Option<String>,
    /// The folder's name, of which the id is made.
    pub folder_name: String,
}

/// A project's file: the object as stored, and its typed view.
struct Stored {
    object: Map<String, Value>,
    project: Project,
}

impl Home {
    /// Returns all projects, sorted by id.
    pub fn projects(&self) -> Result<Vec<Project>, StoreError> {
        let mut projects = Vec::new();
        for id in self.project_ids()? {
            if let Some(stored) = self.stored_project(&id)? {
                projects.push(stored.project);
            }
        }
        Ok(projects)
    }

    /// Returns the project `id`.
    pub fn project(&self, id: &ProjectId) -> Result<Project, StoreError> {
        match self.stored_project(id)? {
            Some(stored) => Ok(stored.project),
            None => Err(StoreError::NoProject { id: id.clone() }),
        }
    }

    /// Returns the project whose repository has this shared git directory.
    pub fn find_project_by_common_dir(&self, path: &Path) -> Result<Option<Project>, StoreError> {
        Ok(self.projects()?.into_iter().find(|project| project.common_dir == path))
    }

    /// Returns the project of a repository, registering it where it is not known, and whether it
    /// was made. Its id is the folder's name, with `-2`, `-3`, … where that is taken.
    pub fn register_project(
        &self,
        wanted: NewProject,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<(Project, bool), StoreError> {
        if let Some(known) = self.find_project_by_common_dir(&wanted.common_dir)? {
            return Ok((known, false));
        }
        // Two that register one repository must come to one project.
        let _lock = self.lock_file("projects.lock", timeout)?;
        home::sweep(&self.root().join("projects"), now);
        if let Some(known) = self.find_project_by_common_dir(&wanted.common_dir)? {
            return Ok((known, false));
        }
        let project = Project {
            schema: SCHEMA,
            id: self.free_project_id(&wanted.folder_name)?,
            common_dir: wanted.common_dir,
            repo: wanted.repo,
            origin: wanted.origin,
            default_branch: wanted.default_branch,
            counter: 0,
            approvals: BTreeMap::new(),
            created_at: now,
        };
        self.write_project(&project.id, &object_of(&project, &self.project_path(&project.id))?)?;
        Ok((project, true))
    }

    /// Changes a project under its lock; keys this version does not know stay.
    pub fn update_project(
        &self,
        id: &ProjectId,
        timeout: Duration,
        change: impl FnOnce(&mut Project),
    ) -> Result<Project, StoreError> {
        let _lock = self.lock_file(&format!("projects/{id}.lock"), timeout)?;
        let Some(Stored { mut object, project }) = self.stored_project(id)? else {
            return Err(StoreError::NoProject { id: id.clone() });
        };
        let path = self.project_path(id);
        if project.schema > SCHEMA {
            let why =
                format!("it has schema {}, which a newer version of ao wrote", project.schema);
            return Err(StoreError::Damaged { path, line: None, why });
        }
        let mut changed = project.clone();
        change(&mut changed);
        let difference =
            patch::difference(&object_of(&project, &path)?, &object_of(&changed, &path)?);
        if !difference.is_empty() {
            patch::apply(&mut object, &difference);
            self.write_project(id, &object)?;
        }
        Ok(changed)
    }

    /// Forgets a project; its lock file stays, as all do.
    pub fn remove_project(&self, id: &ProjectId, timeout: Duration) -> Result<(), StoreError> {
        let _lock = self.lock_file(&format!("projects/{id}.lock"), timeout)?;
        let path = self.project_path(id);
        if fs::metadata(&path)?.is_none() {
            return Err(StoreError::NoProject { id: id.clone() });
        }
        fs::remove_file(&path)?;
        Ok(fs::sync_directory(&self.root().join("projects"))?)
    }

    fn project_path(&self, id: &ProjectId) -> PathBuf {
        self.root().join("projects").join(format!("{id}.json"))
    }

    fn project_ids(&self) -> Result<Vec<ProjectId>, StoreError> {
        let names = fs::names(&self.root().join("projects"))?;
        let id = |name: &std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse().ok();
        Ok(names.iter().filter_map(id).collect())
    }

    fn free_project_id(&self, folder_name: &str) -> Result<ProjectId, StoreError> {
        let first = ProjectId::from_folder_name(folder_name);
        let mut id = first.clone();
        let mut number = 2_u64;
        while fs::metadata(&self.project_path(&id))?.is_some() {
            id = format!("{first}-{number}")
                .parse()
                .expect("an id from a folder's name leaves room for a number");
            number += 1;
        }
        Ok(id)
    }

    fn stored_project(&self, id: &ProjectId) -> Result<Option<Stored>, StoreError> {
        let path = self.project_path(id);
        let Some(bytes) = home::read_ours(&path, LIMIT)? else { return Ok(None) };
        let damaged = |why| StoreError::Damaged { path: path.clone(), line: None, why };
        let object: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let project: Project = serde_json::from_value(Value::Object(object.clone()))
            .map_err(|error| damaged(error.to_string()))?;
        if project.id != *id {
            return Err(damaged(format!("it is the file of project `{}`", project.id)));
        }
        Ok(Some(Stored { object, project }))
    }

    fn write_project(&self, id: &ProjectId, object: &Map<String, Value>) -> Result<(), StoreError> {
        let path = self.project_path(id);
        failpoint::pass("store.project").map_err(FsError::at("write", &path))?;
        let mut bytes =
            serde_json::to_vec_pretty(object).expect("JSON always serialises into memory");
        bytes.push(b'\n');
        Ok(fs::replace(&path, &bytes, Durability::PowerCut)?)
    }
}

/// Returns the project as a JSON object; a path that is not UTF-8 cannot be stored.
fn object_of(project: &Project, path: &Path) -> Result<Map<String, Value>, StoreError> {
    match serde_json::to_value(project) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => unreachable!("a struct serialises to an object, not {other}"),
        Err(error) => {
            Err(FsError::at("write", path)(std::io::Error::other(error.to_string())).into())
        }
    }
}
