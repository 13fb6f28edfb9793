//! Hook files and answers to first-run dialogs: put there before a launch, taken away again.
//!
//! What is done is remembered in `installed.json` beside the session before it is done, with a
//! copy of every file as it was, so that whoever cleans up, and whenever, can undo it. Nothing is
//! written through a link, and nothing over a file that is somebody else's.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapter::agent::card::{Card, HookFile, TrustEntry};
use crate::adapter::agent::hook_text::{self, Addition};
use crate::adapter::agent::place::{Variables, first_place};
use crate::adapter::agent::template;
use crate::adapter::fs::{self, Durability, FsError, leftovers};
use crate::adapter::git::{self, GitError};
use crate::adapter::json_edit::{self, Document, EditError};

/// Ends a pointer to an element that an array is to have, as in RFC 6902.
const ELEMENT: &str = "/-";

/// What was put where, beside the session.
const INSTALLED: &str = "installed.json";

/// Holds a copy of each file as it was.
const ORIGINAL: &str = "original";

/// The longest file of a user's that is changed, in bytes.
const LONGEST: u64 = 16 << 20;

/// Where things are.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The program that hooks call.
    pub ao: &'a Path,
    /// `<home>/sessions/<id>`.
    pub session_dir: &'a Path,
    /// The directory the agent works in.
    pub workspace: &'a Path,
    /// It is a worktree of ao's own; nothing is written into any other.
    pub owned: bool,
}

/// Why something could not be put where it belongs, or taken away.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// git refused or failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A hook file of the user's that cannot be added to.
    #[error("could not add hooks to {}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: EditError,
    },
    /// A file of somebody else's where ao's own has to be.
    #[error("{} is in the way: ao did not write it", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// What was installed cannot be told any more.
    #[error("{} does not say what was installed", path.display())]
    Forgotten {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// What was installed is said to be where nothing of it can be.
    #[error("{} names {part:?}, which leads out of the workspace", path.display())]
    Outside {
        /// The file.
        path: PathBuf,
        /// What it names.
        part: PathBuf,
    },
    /// A link where a file or directory has to be.
    #[error("{} is a symbolic link, and hooks are not written through one", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
}

/// What was done for one launch.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Installed {
    files: Vec<InstalledFile>,
    #[serde(default)]
    values: Vec<InstalledValue>,
}

/// One file in the workspace.
#[derive(Debug, Serialize, Deserialize)]
struct InstalledFile {
    workspace: PathBuf,
    /// Relative to the workspace.
    path: PathBuf,
    addition: Addition,
    /// The name of the copy of what was there, beside `installed.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<String>,
    /// git has it, and was told to look away.
    tracked: bool,
    /// Directories that were made for it, relative to the workspace, the outermost first.
    made: Vec<PathBuf>,
}

/// One value in a file of the agent's.
#[derive(Debug, Serialize, Deserialize)]
struct InstalledValue {
    path: PathBuf,
    at: String,
    value: Value,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// The pointers to what held it already.
    holders: Vec<String>,
    /// The file was made for it.
    made: bool,
    /// Directories that were made for it, the outermost first.
    directories: Vec<PathBuf>,
}

/// Puts there what `card` needs, and returns what the person should know.
///
/// # Errors
///
/// A file that cannot be added to without harm; what was done until then is remembered.
pub fn install(
    card: &Card,
    places: &Places<'_>,
    variables: Variables<'_>,
) -> Result<Vec<String>, InstallError> {
    uninstall(places.session_dir, places.workspace)?;
    let mut work = Work { places, installed: Installed::default() };
    for file in &card.hooks.files {
        let addition = hook_text::addition(card, file, places.ao);
        match file.path.strip_prefix("{workspace}/") {
            Some(path) if places.owned => work.add(Path::new(path), addition, true)?,
            Some(_) => {}
            None => write_own(places.session_dir, file, &addition)?,
        }
    }
    let mut notes = Vec::new();
    if places.owned {
        for entry in &card.trust {
            if let Err(error) = work.trust(entry, variables) {
                let why = crate::model::sanitize::chain(&error);
                notes.push(format!("a first-run dialog could not be answered ahead: {why}"));
            }
        }
    }
    Ok(notes)
}

/// Returns whether the hooks of `card` are at work in such a workspace.
pub fn has_hooks(card: &Card, owned: bool) -> bool {
    owned || !card.hooks.files.iter().any(|file| file.path.starts_with("{workspace}/"))
}

/// Returns whether [`install`] put something there, or was about to.
pub fn is_installed(session_dir: &Path) -> bool {
    [INSTALLED, ORIGINAL].iter().any(|name| session_dir.join(name).exists())
}

/// Returns the tracked files that [`install`] hid from git, relative to the workspace.
pub fn unwatched(session_dir: &Path, workspace: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let files = load(session_dir, workspace)?.map(|installed| installed.files).unwrap_or_default();
    Ok(files.into_iter().filter(|file| file.tracked).map(|file| file.path).collect())
}

/// Returns the files of a session's agent that lack what [`install`] put into them.
pub fn lost(session_dir: &Path, workspace: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let Some(installed) = load(session_dir, workspace)? else { return Ok(Vec::new()) };
    let mut lost = Vec::new();
    for file in &installed.files {
        let whole = file.workspace.join(&file.path);
        let existing = read(&whole)?;
        let wanted = hook_text::with(&file.addition, existing.as_deref());
        if existing.is_none() || !matches!(wanted, Ok(wanted) if wanted == existing) {
            lost.push(whole);
        }
    }
    Ok(lost)
}

/// Takes away what [`install`] put there; what was changed meanwhile keeps the change.
///
/// Done twice it is done once. A workspace that is gone took its files along.
pub fn uninstall(session_dir: &Path, workspace: &Path) -> Result<(), InstallError> {
    let originals = session_dir.join(ORIGINAL);
    let Some(installed) = load(session_dir, workspace)? else {
        return Ok(fs::remove_tree(&originals)?);
    };
    for file in installed.files.iter().rev() {
        remove_file(session_dir, file)?;
    }
    for value in installed.values.iter().rev() {
        match remove_value(value) {
            // A file that the agent broke is not ours to mend.
            Err(error @ InstallError::Edit { .. }) => {
                tracing::warn!("{}", crate::model::sanitize::chain(&error));
            }
            other => other?,
        }
    }
    // In this order: without the copies, a second run would take a user's lines for ao's.
    fs::remove_file(&session_dir.join(INSTALLED))?;
    Ok(fs::remove_tree(&originals)?)
}

/// Checks that what was installed can be told; what is not there was not.
pub fn installed(session_dir: &Path, workspace: &Path) -> Result<(), InstallError> {
    load(session_dir, workspace).map(drop)
}

/// Reads what was installed for the agent that works in `workspace`: files are changed and removed
/// by it, and none may be of anybody else's.
fn load(session_dir: &Path, workspace: &Path) -> Result<Option<Installed>, InstallError> {
    let path = session_dir.join(INSTALLED);
    let Some(bytes) = fs::read_own(&path)? else { return Ok(None) };
    let installed: Installed = serde_json::from_slice(&bytes)
        .map_err(|source| InstallError::Forgotten { path: path.clone(), source })?;
    let files = installed.files.iter().find_map(|file| file.outside(workspace));
    match files.or_else(|| installed.values.iter().find_map(|value| value.outside(workspace))) {
        Some(part) => Err(InstallError::Outside { part: part.to_owned(), path }),
        None => Ok(Some(installed)),
    }
}

impl InstalledFile {
    /// Returns a path of it that leads out of `workspace`.
    fn outside(&self, workspace: &Path) -> Option<&Path> {
        let leads_out =
            |part: &Path| !part.components().all(|it| matches!(it, Component::Normal(_)));
        let original = self.original.as_deref().map(Path::new);
        let mut parts = self.made.iter().map(PathBuf::as_path).chain([&*self.path]).chain(original);
        let elsewhere = (self.workspace != workspace).then_some(&*self.workspace);
        elsewhere.or_else(|| parts.find(|part| leads_out(part) || part.as_os_str().is_empty()))
    }
}

impl InstalledValue {
    /// Returns a path of it that has nothing to do with `workspace`, or with the file.
    fn outside(&self, workspace: &Path) -> Option<&Path> {
        // Its project and session: what is above them may have another name to the agent.
        let names: Vec<&OsStr> = workspace.iter().rev().take(2).collect();
        let tail: PathBuf = names.into_iter().rev().collect();
        let tail = format!("/{}", tail.display());
        let told =
            self.at.contains(&json_edit::escape(&tail)) || self.value.to_string().contains(&tail);
        let is_plain = self.path.is_absolute()
            && !self.path.components().any(|part| part == Component::ParentDir);
        let above = |directory: &&PathBuf| !self.path.starts_with(directory);
        let other = self.directories.iter().find(above).map(PathBuf::as_path);
        (!told || !is_plain).then_some(&*self.path).or(other)
    }
}

struct Work<'a> {
    places: &'a Places<'a>,
    installed: Installed,
}

impl Work<'_> {
    /// Adds to the file at `path`, relative to the workspace, and hides it from git.
    fn add(&mut self, path: &Path, addition: Addition, hide: bool) -> Result<(), InstallError> {
        let workspace = self.places.workspace;
        refuse_links(workspace, path)?;
        let whole = workspace.join(path);
        let existing = read(&whole)?;
        let text = hook_text::with(&addition, existing.as_deref())
            .map_err(|source| InstallError::Edit { path: whole.clone(), source })?
            .ok_or_else(|| InstallError::Taken { path: whole.clone() })?;
        let tracked = existing.is_some() && git::is_tracked(workspace, path)?;
        let made = missing_directories(workspace, path)?;
        let original = self.keep(existing.as_deref())?;
        self.installed.files.push(InstalledFile {
            workspace: workspace.to_owned(),
            path: path.to_owned(),
            addition,
            original,
            tracked,
            made,
        });
        self.remember(Durability::Process)?;
        if existing.as_deref() == Some(text.as_str()) {
            return Ok(());
        }
        if tracked {
            git::set_unwatched(workspace, path, true)?;
        }
        if let Some(parent) = whole.parent() {
            fs::create_directories(parent)?;
        }
        fs::rewrite(&whole, text.as_bytes(), Durability::Process)?;
        if hide && !tracked && !git::is_ignored(workspace, path)? {
            self.hide(path)?;
        }
        Ok(())
    }

    /// Has a `.gitignore` beside the file name it, and itself where it is ao's.
    fn hide(&mut self, path: &Path) -> Result<(), InstallError> {
        let ignore = path.with_file_name(".gitignore");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut lines = vec![format!("/{name}")];
        if fs::metadata(&self.places.workspace.join(&ignore))?.is_none() {
            lines.push("/.gitignore".to_owned());
        }
        self.add(&ignore, Addition::Lines(lines), false)
    }

    /// Keeps a copy of what was there, and returns its name.
    fn keep(&self, existing: Option<&str>) -> Result<Option<String>, InstallError> {
        let Some(existing) = existing else { return Ok(None) };
        let directory = self.places.session_dir.join(ORIGINAL);
        fs::create_private_directories(&directory)?;
        let name = self.installed.files.len().to_string();
        fs::replace(&directory.join(&name), existing.as_bytes(), Durability::Process)?;
        Ok(Some(name))
    }

    /// Answers one dialog ahead, for the path as it is and as the agent may see it.
    fn trust(&mut self, entry: &TrustEntry, variables: Variables<'_>) -> Result<(), InstallError> {
        let Some(path) = first_place(&entry.paths, variables) else { return Ok(()) };
        let workspace = self.places.workspace;
        let mut names = vec![workspace.to_owned()];
        names.extend(fs::canonical(workspace).ok().filter(|real| real != workspace));
        for name in names {
            self.trust_one(entry, &path, &name)?;
        }
        Ok(())
    }

    fn trust_one(
        &mut self,
        entry: &TrustEntry,
        path: &Path,
        workspace: &Path,
    ) -> Result<(), InstallError> {
        let edit = |source| InstallError::Edit { path: path.to_owned(), source };
        let existing = read(path)?;
        if existing.is_none() && !entry.create {
            return Ok(());
        }
        let workspace = workspace.to_string_lossy();
        let at = filled(&entry.at, &json_edit::escape(&workspace));
        let value = serde_json::to_value(&entry.value).expect("a TOML value is JSON");
        let value = template::fill_texts(value, &|word| filled(word, &workspace));
        let document = Document::parse(existing.as_deref().unwrap_or_default()).map_err(edit)?;
        let array = at.strip_suffix(ELEMENT);
        let before = document.value(&at);
        let elements = array.and_then(|array| document.value(array)?.as_array().cloned());
        if before.as_ref() == Some(&value) || elements.is_some_and(|have| have.contains(&value)) {
            return Ok(());
        }
        self.installed.values.push(InstalledValue {
            path: path.to_owned(),
            holders: document.holders(&at),
            at: at.clone(),
            value: value.clone(),
            before,
            made: existing.is_none(),
            directories: missing_directories(Path::new("/"), path)?,
        });
        // The file is the person's: no power cut may leave it changed and the way back forgotten.
        self.remember(Durability::PowerCut)?;
        match array {
            Some(array) => document.append(array, &value).map_err(edit)?,
            None => document.set(&at, &value).map_err(edit)?,
        }
        if let Some(parent) = path.parent() {
            fs::create_private_directories(parent)?;
        }
        Ok(fs::rewrite(path, document.text().as_bytes(), Durability::PowerCut)?)
    }

    fn remember(&self, durability: Durability) -> Result<(), InstallError> {
        let bytes = serde_json::to_vec_pretty(&self.installed).expect("it is JSON");
        let path = self.places.session_dir.join(INSTALLED);
        Ok(fs::replace(&path, &bytes, durability)?)
    }
}

/// Writes a file below the session's directory, which is ao's own.
fn write_own(session_dir: &Path, file: &HookFile, addition: &Addition) -> Result<(), InstallError> {
    let relative = file.path.strip_prefix("{session_dir}/").unwrap_or(&file.path);
    let path = session_dir.join(relative);
    let base = file.base.as_deref().map(read).transpose()?.flatten();
    let text = hook_text::with(addition, base.as_deref()).map_err(|source| {
        let path = file.base.clone().unwrap_or_else(|| path.clone());
        InstallError::Edit { path, source }
    })?;
    if let Some(parent) = path.parent() {
        fs::create_private_directories(parent)?;
    }
    let text = text.ok_or_else(|| InstallError::Taken { path: path.clone() })?;
    Ok(fs::replace(&path, text.as_bytes(), Durability::Process)?)
}

fn remove_file(session_dir: &Path, file: &InstalledFile) -> Result<(), InstallError> {
    if fs::metadata(&file.workspace)?.is_none() {
        return Ok(());
    }
    let path = file.workspace.join(&file.path);
    // What the agent put in the place of the file is not ao's to take away, and must not keep
    // the rest from going.
    let is_linked = match refuse_links(&file.workspace, &file.path) {
        Err(error @ InstallError::Link { .. }) => {
            tracing::warn!("{error}");
            true
        }
        other => other.map(|()| false)?,
    };
    let current = match is_linked {
        true => None,
        false => read(&path).unwrap_or_else(|error| {
            tracing::warn!("{}", crate::model::sanitize::chain(&error));
            None
        }),
    };
    let original = match &file.original {
        Some(name) => read(&session_dir.join(ORIGINAL).join(name))?,
        None => None,
    };
    if let Some(directory) = path.parent().filter(|_| !is_linked) {
        leftovers::drop_temporaries(directory)?;
    }
    if let Some(current) = current {
        match hook_text::without(&file.addition, &current, original.as_deref()) {
            Ok(Some(text)) if text != current => {
                fs::rewrite(&path, text.as_bytes(), Durability::Process)?;
            }
            Ok(Some(_)) => {}
            Ok(None) => fs::remove_file(&path)?,
            // It is no JSON any more: a person changed it, and git is to say so.
            Err(error) => tracing::warn!("{}: {error}", path.display()),
        }
    }
    // Another branch may have been checked out, without it.
    if file.tracked && git::is_tracked(&file.workspace, &file.path)? {
        git::set_unwatched(&file.workspace, &file.path, false)?;
    }
    if is_linked {
        return Ok(());
    }
    if let (Addition::Cache(_), Some(cache)) = (&file.addition, file.made.last()) {
        fs::remove_tree(&file.workspace.join(cache))?;
    }
    for directory in file.made.iter().rev() {
        fs::remove_empty_directory(&file.workspace.join(directory));
    }
    Ok(())
}

fn remove_value(value: &InstalledValue) -> Result<(), InstallError> {
    let edit = |source| InstallError::Edit { path: value.path.clone(), source };
    // A link leads to where it is written.
    let target = fs::canonical(&value.path).unwrap_or_else(|_| value.path.clone());
    leftovers::drop_temporaries(target.parent().unwrap_or(&target))?;
    let Some(current) = read(&value.path)? else {
        remove_made(value);
        return Ok(());
    };
    let document = Document::parse(&current).map_err(edit)?;
    let had = |at: &str| value.holders.iter().any(|holder| holder == at);
    if let Some(array) = value.at.strip_suffix(ELEMENT) {
        if document.remove_elements(array, |element| *element == value.value) == 0 {
            return Ok(());
        }
        document.prune(array, had);
    } else if document.value(&value.at).as_ref() != Some(&value.value) {
        return Ok(());
    } else if let Some(before) = &value.before {
        document.set(&value.at, before).map_err(edit)?;
    } else {
        document.remove(&value.at);
        document.prune(json_edit::parent_of(&value.at), had);
    }
    let text = document.text();
    if value.made && text.trim().trim_matches(['{', '}']).trim().is_empty() {
        fs::remove_file(&value.path)?;
        remove_made(value);
        return Ok(());
    }
    Ok(fs::rewrite(&value.path, text.as_bytes(), Durability::PowerCut)?)
}

/// Removes the directories that were made for a file that is not there any more, or never was.
fn remove_made(value: &InstalledValue) {
    for directory in value.directories.iter().rev() {
        fs::remove_empty_directory(directory);
    }
}

/// Returns `word` with the workspace in it.
fn filled(word: &str, workspace: &str) -> String {
    let bytes = template::fill(word, |_| workspace.as_bytes().to_vec());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads a text, links followed: what a user links to is the user's choice.
fn read(path: &Path) -> Result<Option<String>, InstallError> {
    let target = match fs::canonical(path) {
        Ok(target) => target,
        Err(_) if fs::metadata(path)?.is_none() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(bytes) = fs::read_regular(&target, LONGEST)? else { return Ok(None) };
    // What cannot be read as text could not be written back as it was.
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|error| InstallError::Edit {
        path: path.to_owned(),
        source: EditError::Syntax(error.to_string()),
    })
}

/// Refuses a path below `top` that a link is part of.
fn refuse_links(top: &Path, path: &Path) -> Result<(), InstallError> {
    let mut whole = top.to_owned();
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        whole.push(OsStr::new(name));
        if fs::metadata(&whole)?.is_some_and(|found| found.is_symlink()) {
            return Err(InstallError::Link { path: whole });
        }
    }
    Ok(())
}

/// Returns the directories of `path` below `top` that are not there, the outermost first.
fn missing_directories(top: &Path, path: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let mut missing = Vec::new();
    for directory in path.ancestors().skip(1) {
        if directory.as_os_str().is_empty() || fs::metadata(&top.join(directory))?.is_some() {
            break;
        }
        missing.insert(0, directory.to_owned());
    }
    Ok(missing)
}

#[cfg(test)]
pub(super) mod tests;
