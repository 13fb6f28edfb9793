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
use crate::model::record::MOST_EXACT;
use crate::model::schema;
use crate::model::secret;
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
    /// The address of the remote `origin`, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The branch that work starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// The number of the last session named after it.
    #[serde(default)]
    pub counter: u64,
    /// What a person approved of its configuration, by content hash, and when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approvals: BTreeMap<String, Timestamp>,
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
            origin: wanted.origin.map(|it| secret::without_credentials(&it)),
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
        self.require_project(id)?;
        let _lock = self.lock_file(&format!("projects/{id}.lock"), timeout)?;
        let Some(Stored { mut object, project }) = self.stored_project(id)? else {
            return Err(StoreError::NoProject { id: id.clone() });
        };
        let path = self.project_path(id);
        if project.schema > SCHEMA {
            return Err(StoreError::NewerFile { path, schema: project.schema });
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
        self.require_project(id)?;
        let _lock = self.lock_file(&format!("projects/{id}.lock"), timeout)?;
        self.require_project(id)?;
        fs::remove_file(&self.project_path(id))?;
        Ok(fs::sync_directory(&self.root().join("projects"))?)
    }

    /// Fails where there is no such project: its lock file would be made, and stay.
    fn require_project(&self, id: &ProjectId) -> Result<(), StoreError> {
        match fs::metadata(&self.project_path(id))? {
            Some(_) => Ok(()),
            None => Err(StoreError::NoProject { id: id.clone() }),
        }
    }

    fn project_path(&self, id: &ProjectId) -> PathBuf {
        self.root().join("projects").join(format!("{id}.json"))
    }

    /// Returns the ids of all projects, sorted, readable or not.
    pub fn project_ids(&self) -> Result<Vec<ProjectId>, StoreError> {
        let names = fs::names(&self.root().join("projects"))?;
        let stem =
            |name: &std::ffi::OsString| Some(name.to_str()?.strip_suffix(".json")?.to_owned());
        let mut stems: Vec<String> = names.iter().filter_map(stem).collect();
        // `web-2.json` sorts before `web.json`, the ids the other way round.
        stems.sort_unstable();
        Ok(stems.iter().filter_map(|stem| stem.parse().ok()).collect())
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
        let mut object: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        // An older version kept the credentials; the next write drops them.
        if let Some(Value::String(origin)) = object.get_mut("origin") {
            *origin = secret::without_credentials(origin);
        }
        let view = serde_json::from_value(Value::Object(object.clone()));
        let project: Project = view.map_err(|error| match schema::newer(&bytes, SCHEMA) {
            Some(schema) => StoreError::NewerFile { path: path.clone(), schema },
            None => damaged(error.to_string()),
        })?;
        if project.counter > MOST_EXACT {
            return Err(damaged(format!("no session has number {}", project.counter)));
        }
        if project.id != *id {
            return Err(damaged(format!("it is the file of project `{}`", project.id)));
        }
        Ok(Some(Stored { object, project }))
    }

    fn write_project(&self, id: &ProjectId, object: &Map<String, Value>) -> Result<(), StoreError> {
        let path = self.project_path(id);
        failpoint::pass_at("store.project", &path).map_err(FsError::at("write", &path))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn wanted(common_dir: &str) -> NewProject {
        NewProject {
            common_dir: common_dir.into(),
            repo: "/src/web".into(),
            origin: None,
            default_branch: Some("main".to_owned()),
            folder_name: "Web".to_owned(),
        }
    }

    fn home() -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        (directory, home)
    }

    fn register(home: &Home, common_dir: &str) -> (Project, bool) {
        home.register_project(wanted(common_dir), SOON, Timestamp::from_millis(0)).unwrap()
    }

    #[test]
    fn a_repository_is_one_project_and_two_of_a_name_are_two() {
        let (_directory, home) = home();
        let (first, made) = register(&home, "/src/web/.git");
        assert_eq!((first.id.as_str(), made), ("web", true));
        assert_eq!(register(&home, "/src/web/.git"), (first.clone(), false));
        let (second, _) = register(&home, "/other/web/.git");
        assert_eq!(second.id.as_str(), "web-2");
        assert_eq!(home.projects().unwrap(), [first.clone(), second.clone()]);
        let found = home.find_project_by_common_dir(Path::new("/other/web/.git")).unwrap();
        assert_eq!(found, Some(second));
        home.remove_project(&first.id, SOON).unwrap();
        assert!(matches!(home.project(&first.id), Err(StoreError::NoProject { .. })));
        assert!(matches!(home.remove_project(&first.id, SOON), Err(StoreError::NoProject { .. })));
    }

    #[test]
    fn many_registrations_at_once_make_one_project_and_counters_do_not_repeat() {
        let (_directory, home) = home();
        let counters: std::collections::BTreeSet<u64> = std::thread::scope(|scope| {
            let next = || {
                let (project, _) = register(&home, "/src/web/.git");
                let counted = home.update_project(&project.id, SOON, |p| p.counter += 1);
                counted.unwrap().counter
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(next)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(counters, (1..=16).collect());
        assert_eq!(home.projects().unwrap().len(), 1);
    }

    #[test]
    fn keys_of_a_newer_version_survive_an_update() {
        let (_directory, home) = home();
        let (project, _) = register(&home, "/src/web/.git");
        let path = home.project_path(&project.id);
        let text = fs::read_text(&path).unwrap().replacen('{', "{\n  \"zeta\": 1.50,", 1);
        fs::replace(&path, text.as_bytes(), Durability::Process).unwrap();
        home.update_project(&project.id, SOON, |p| {
            p.approvals.insert("hash".to_owned(), "2026-11-20T10:00:00Z".parse().unwrap());
        })
        .unwrap();
        assert!(fs::read_text(&path).unwrap().contains("\"zeta\": 1.50"));
        assert_eq!(home.project(&project.id).unwrap().approvals.len(), 1);
    }

    #[test]
    fn the_credentials_of_a_remote_are_neither_kept_nor_told() {
        let (_directory, home) = home();
        let wanted = NewProject {
            origin: Some("https://bot:s3cret@host/o/r.git".to_owned()),
            ..wanted("/src/web/.git")
        };
        let at = Timestamp::from_millis(0);
        let (project, _) = home.register_project(wanted, SOON, at).unwrap();
        assert_eq!(project.origin.as_deref(), Some("https://host/o/r.git"));
        let path = home.project_path(&project.id);
        let kept = fs::read_text(&path).unwrap();
        assert!(!kept.contains("s3cret"), "{kept}");

        // An older version kept them.
        let old = kept.replace("https://host", "https://s3cret@host");
        fs::replace(&path, old.as_bytes(), Durability::Process).unwrap();
        assert_eq!(home.project(&project.id).unwrap(), project);
        assert_eq!(home.projects().unwrap()[0], project);
        home.update_project(&project.id, SOON, |p| p.counter += 1).unwrap();
        assert_eq!(fs::read_text(&path).unwrap(), kept.replace("\"counter\": 0", "\"counter\": 1"));
    }

    #[test]
    fn a_damaged_project_is_named() {
        let (_directory, home) = home();
        let (project, _) = register(&home, "/src/web/.git");
        let path = home.project_path(&project.id);
        for bad in ["", "{}", "[]", "{\"schema\":1"] {
            fs::replace(&path, bad.as_bytes(), Durability::Process).unwrap();
            let result = home.project(&project.id);
            assert!(matches!(result, Err(StoreError::Damaged { .. })), "{result:?}");
        }
    }

    #[test]
    fn a_path_that_is_not_utf_8_is_an_error() {
        use std::os::unix::ffi::OsStrExt;
        let (_directory, home) = home();
        let mut new = wanted("/src/web/.git");
        new.repo = Path::new(std::ffi::OsStr::from_bytes(b"/src/\xff")).to_owned();
        let result = home.register_project(new, SOON, Timestamp::from_millis(0));
        assert!(matches!(result, Err(StoreError::Fs(_))), "{result:?}");
        assert_eq!(home.projects().unwrap(), []);
    }
}
