//! Which repository a directory belongs to.

use std::path::{Path, PathBuf};

use super::GitError;
use super::command::{failed, git, last_word, read_path, run};
use super::refs::Shelf;
use crate::adapter::fs;

/// A repository, told by its common git directory: the same from inside any of its worktrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The main worktree; the git directory where there is none.
    pub main: PathBuf,
    /// The git directory that all worktrees share, links resolved.
    pub common_dir: PathBuf,
    /// Whether it has no main worktree.
    pub bare: bool,
    /// The top of the worktree the search began in; none inside a git directory.
    pub toplevel: Option<PathBuf>,
    /// What reads it without a child, from one question to the next.
    pub(super) shelf: Shelf,
}

/// Returns the repository that `directory` is in.
pub fn discover(directory: &Path) -> Result<Repository, GitError> {
    // libgit2 answers in a fraction of the time, but refuses some repositories (reftable,
    // sha256); what it says no to is asked again of git itself.
    match with_libgit2(directory) {
        Some(repository) => Ok(repository),
        None => with_git(directory),
    }
}

/// A repository, opened once for all that is asked of it: opening one reads every configuration
/// there is.
pub struct Opened {
    path: PathBuf,
    /// None where libgit2 refuses it.
    library: Option<git2::Repository>,
}

impl Opened {
    /// Opens the repository at `path`, its main worktree or its git directory.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), library: git2::Repository::open(path).ok() }
    }

    /// Returns the address of its remote `origin`, without a child process where libgit2 can read
    /// it.
    pub fn origin(&self) -> Option<String> {
        let Some(library) = &self.library else { return discover(&self.path).ok()?.origin() };
        let remote = library.find_remote("origin").ok()?;
        remote.url().ok().map(str::to_owned)
    }

    /// Returns what [`discover`] says of it.
    pub fn repository(&self) -> Result<Repository, GitError> {
        match self.library.as_ref().and_then(|library| described(library, &self.path)) {
            Some(repository) => Ok(repository),
            None => discover(&self.path),
        }
    }

    /// Returns what libgit2 has opened, where that is the common git directory itself.
    pub(super) fn into_library(self) -> Option<git2::Repository> {
        self.library.filter(|library| library.path() == library.commondir())
    }
}

/// Returns the address of the remote `origin` of the repository at `path`.
pub fn origin_of(path: &Path) -> Option<String> {
    Opened::at(path).origin()
}

/// Returns the name and the address of every remote of the repository at `path`, where it is
/// fetched from and where it is pushed to.
pub fn remotes_of(path: &Path) -> Vec<(String, String)> {
    let Ok(repository) = git2::Repository::open(path) else {
        return discover(path).map(|repository| repository.remotes()).unwrap_or_default();
    };
    let names = repository.remotes().ok();
    let names = names.iter().flat_map(|names| names.iter()).filter_map(|name| name.ok().flatten());
    let mut all = Vec::new();
    for name in names {
        let Ok(remote) = repository.find_remote(name) else { continue };
        let urls = [remote.url().ok(), remote.pushurl().ok().flatten()];
        all.extend(urls.into_iter().flatten().map(|url| (name.to_owned(), url.to_owned())));
    }
    all
}

impl Repository {
    /// Returns the lock that guards its worktrees, branches and fetches.
    pub fn lock_path(&self) -> PathBuf {
        self.common_dir.join("ao.lock")
    }

    /// Returns the directory where questions about the whole repository are asked.
    pub(super) fn seat(&self) -> &Path {
        &self.common_dir
    }

    fn from_parts(git_dir: &Path, common: &Path, toplevel: Option<&Path>, core: Core) -> Self {
        let in_main = git_dir == common;
        let named_git = common.file_name().is_some_and(|name| name == ".git");
        let main = match (core.bare, in_main, toplevel, core.worktree) {
            (true, _, _, _) => None,
            (false, true, Some(toplevel), _) => Some(toplevel.to_owned()),
            (false, _, _, Some(worktree)) => fs::canonical(&common.join(worktree)).ok(),
            (false, _, _, None) if named_git => common.parent().map(Path::to_owned),
            (false, _, _, None) => None,
        };
        Self {
            bare: core.bare,
            main: main.unwrap_or_else(|| common.to_owned()),
            common_dir: common.to_owned(),
            toplevel: toplevel.map(Path::to_owned),
            shelf: Shelf::default(),
        }
    }
}

/// What the shared configuration says of the main worktree.
struct Core {
    bare: bool,
    worktree: Option<PathBuf>,
}

fn with_libgit2(directory: &Path) -> Option<Repository> {
    let found = git2::Repository::discover(directory).ok()?;
    let repository = described(&found, directory)?;
    repository.keep_opened(found);
    Some(repository)
}

/// Returns what libgit2 says of the repository that was found from `directory`.
fn described(found: &git2::Repository, directory: &Path) -> Option<Repository> {
    let common = fs::canonical(found.commondir()).ok()?;
    let git_dir = fs::canonical(found.path()).ok()?;
    let toplevel = match found.workdir() {
        Some(workdir) => Some(fs::canonical(workdir).ok()?),
        None => None,
    };
    // A file that is gone is a worktree only by name; git says what is wrong with it.
    let inside = fs::canonical(directory).ok()?;
    let in_work_tree = toplevel.as_ref().is_some_and(|top| inside.starts_with(top));
    let toplevel = toplevel.filter(|_| in_work_tree && !inside.starts_with(&git_dir));
    let config = found.config().ok()?;
    let bare = if git_dir == common {
        found.is_bare()
    } else {
        config.get_bool("core.bare").unwrap_or(false)
    };
    let worktree = config.get_path("core.worktree").ok();
    Some(Repository::from_parts(&git_dir, &common, toplevel.as_deref(), Core { bare, worktree }))
}

fn with_git(directory: &Path) -> Result<Repository, GitError> {
    const WHAT: &str = "git rev-parse --git-common-dir";
    // The search goes upwards here, and only here.
    let ask = |args: &[&str]| {
        git(directory).env_remove("GIT_CEILING_DIRECTORIES").arg("rev-parse").args(args)
    };
    if !directory.is_dir() {
        return Err(GitError::Gone { path: directory.to_owned() });
    }
    let output = run(&ask(&["--path-format=absolute", "--git-common-dir"]))?;
    if !output.success() {
        let stderr = last_word(&output.stderr);
        return Err(if stderr.contains("not a git repository") {
            GitError::NotARepository { path: directory.to_owned() }
        } else if output.stderr.contains("dubious ownership") {
            let message = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            GitError::Dubious { path: directory.to_owned(), message }
        } else {
            failed(WHAT, &output)
        });
    }
    let path = |args: &[&str]| -> Result<PathBuf, GitError> {
        Ok(fs::canonical(&read_path(&ask(args), WHAT)?)?)
    };
    let common = path(&["--path-format=absolute", "--git-common-dir"])?;
    let git_dir = path(&["--path-format=absolute", "--absolute-git-dir"])?;
    let inside = run(&ask(&["--is-inside-work-tree"]))?.text() == "true";
    let toplevel = if inside { Some(path(&["--show-toplevel"])?) } else { None };
    let setting = |name: &str| {
        let command = git(&common).arg("--git-dir").arg(&common).args(["config", "--get", name]);
        run(&command).map(|output| output.success().then(|| output.text()))
    };
    let core = Core {
        bare: setting("core.bare")?.is_some_and(|value| value == "true"),
        worktree: setting("core.worktree")?.map(PathBuf::from),
    };
    Ok(Repository::from_parts(&git_dir, &common, toplevel.as_deref(), core))
}
