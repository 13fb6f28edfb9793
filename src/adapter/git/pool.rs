//! Clean workspaces that cleanup kept, for the next spawns of their project.
//!
//! An entry is a directory of its own: `<root>/.pool/<project>/<name>/` holds the files (`tree`),
//! git's index of them (`index`) and what is to be known (`entry.json`). git itself knows nothing
//! of it: it is on no list, and nothing that git does to worktrees can meet it. Whoever takes an
//! entry moves it to a name of its session's first; what is found not to be clean goes to the
//! trash, for it may be a person's.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::{LONG, looking, read, unreadable};
use super::copy::Source;
use super::entry::Admin;
use super::fill::{self, Begun, Head};
use super::index::GITLINK;
use super::spotless::is_as_known;
use super::trash;
use super::way::{Facts, judge};
use super::worktree::NewWorktree;
use super::{GitError, Repository, Way, premises};
use crate::adapter::fs::{self, Durability, FsError};
use crate::adapter::{clock, failpoint, process};
use crate::model::id::SessionId;
use crate::model::record::WorkspaceHandle;
use crate::model::schema;

const POOLS: &str = ".pool";
const TREE: &str = "tree";
const INDEX: &str = "index";
const ENTRY: &str = "entry.json";
/// The form of that file that this version writes.
const SCHEMA: u32 = 1;
/// What was in an entry and is not git's.
const LEFT: &str = "left";
/// How the name of an entry begins that somebody took.
const TAKEN: &str = ".for-";
/// The file in a worktree's administrative directory which says that every file was made as the
/// commit has it.
const MADE: &str = "ao-made";

/// The pool of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Where all worktrees are.
    root: PathBuf,
    /// Where those of the pool are.
    directory: PathBuf,
    /// How many clean workspaces it may hold.
    size: usize,
    /// Whether ignored files stay in them.
    keep_ignored: bool,
}

/// What is to be known of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    schema: u32,
    /// The session it was made for.
    session: SessionId,
    /// The repository, by the directory that its worktrees share.
    common_dir: PathBuf,
}

/// What there is at a place where an entry should be.
enum Found {
    Whole(Entry),
    /// A newer version's: what it means is for that one to say.
    Newer,
    /// Nothing that a spawn could use, and why.
    Broken(&'static str),
}

/// What a look after a pool did.
#[derive(Debug, Default)]
pub struct Tended {
    /// What went to the trash, by the place it had in the pool.
    pub gone: Vec<PathBuf>,
    /// What was to go and could not, one error for each.
    pub failed: Vec<GitError>,
}

/// What a pool holds, for whoever is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// The project, as its directory is called.
    pub project: String,
    /// How many clean workspaces there are.
    pub kept: usize,
    /// Entries that no spawn can use, and why.
    pub broken: Vec<(PathBuf, &'static str)>,
    /// Where all that is.
    pub directory: PathBuf,
}

impl Pool {
    /// Returns the pool of the project whose workspaces are beside `workspace`, which is
    /// `<root>/<project>/<session>`.
    pub fn beside(workspace: &Path, size: usize, keep_ignored: bool) -> Option<Self> {
        let project = workspace.parent()?;
        let root = project.parent()?;
        let directory = root.join(POOLS).join(project.file_name()?);
        Some(Self { root: root.to_owned(), directory, size, keep_ignored })
    }

    /// Returns all pools below `root`.
    pub fn all(root: &Path) -> Result<Vec<Self>, GitError> {
        let pools = root.join(POOLS);
        fs::refuse_link(&pools)?;
        let names = fs::names(&pools)?;
        let pools = names.iter().map(|name| Self::beside(&root.join(name).join(TREE), 0, false));
        Ok(pools.flatten().collect())
    }

    /// Returns the same pool as it is configured.
    pub fn with(self, size: usize, keep_ignored: bool) -> Self {
        Self { size, keep_ignored, ..self }
    }

    /// Returns the repository that its workspaces are of, where it holds any.
    pub fn repository(&self) -> Result<Option<PathBuf>, GitError> {
        Ok(self.entries()?.into_iter().next().map(|(_, entry)| entry.common_dir))
    }

    /// Returns what is more than it may hold, and what is no whole entry, once `is_abandoned` says
    /// that nobody is at work for the session that its name tells, or once it has been there for
    /// longer than `stale`.
    pub fn surplus(
        &self,
        stale: Duration,
        is_abandoned: &dyn Fn(&SessionId) -> bool,
    ) -> Result<Vec<PathBuf>, FsError> {
        let surplus = self.entries()?.into_iter().skip(self.size);
        let mut found: Vec<PathBuf> = surplus.map(|(path, _)| path).collect();
        for name in self.names()? {
            let path = self.directory.join(&name);
            // Asked before the look: who comes to its end in between has made it whole.
            let is_left = owner(&name).is_some_and(|session| is_abandoned(&session));
            let there = look(&path)?;
            let is_whole = is_entry(&name) && matches!(there, Found::Whole(_));
            if is_whole || matches!(there, Found::Newer) {
                continue;
            }
            if is_left || is_older(&path, stale)? {
                found.push(path);
            }
        }
        Ok(found)
    }

    /// Moves the [`surplus`](Self::surplus) to the trash. What cannot be moved is in no other's
    /// way.
    pub fn tend(
        &self,
        stale: Duration,
        is_abandoned: &dyn Fn(&SessionId) -> bool,
    ) -> Result<Tended, GitError> {
        let mut tended = Tended::default();
        for place in self.surplus(stale, is_abandoned)? {
            match self.throw_out(&place) {
                Ok(()) => tended.gone.push(place),
                Err(error) => tended.failed.push(error.into()),
            }
        }
        fs::remove_empty_directory(&self.directory);
        Ok(tended)
    }

    fn throw_out(&self, place: &Path) -> Result<(), FsError> {
        let taken = self.directory.join(format!("{TAKEN}-{}", trash::fresh_name("pool")));
        if fs::rename_if_there(place, &taken)? {
            give_up(&self.root, &taken)?;
        }
        Ok(())
    }

    /// Returns the names of what is in it, through no link.
    fn names(&self) -> Result<Vec<OsString>, FsError> {
        self.refuse_links()?;
        fs::names(&self.directory)
    }

    fn refuse_links(&self) -> Result<(), FsError> {
        fs::refuse_link(&self.root.join(POOLS))?;
        fs::refuse_link(&self.directory)
    }

    /// Returns the entries, the latest first.
    fn entries(&self) -> Result<Vec<(PathBuf, Entry)>, FsError> {
        let names = self.names()?;
        let mut found = Vec::new();
        for name in names.iter().rev().filter(|name| is_entry(name)) {
            let path = self.directory.join(name);
            if let Found::Whole(entry) = look(&path)? {
                found.push((path, entry));
            }
        }
        found.sort_by_key(|(path, _)| std::cmp::Reverse(trash::since(path)));
        Ok(found)
    }

    /// Returns the session whose workspace a spawn in `repo` would be the first to try.
    pub(super) fn first_of(&self, repo: &Repository) -> Result<Option<SessionId>, FsError> {
        let mut entries = self.entries()?.into_iter().map(|(_, entry)| entry);
        let first = entries.find(|entry| entry.common_dir == repo.common_dir);
        Ok(first.map(|entry| entry.session))
    }

    /// Returns what it holds; what was changed less than `stale` ago may be about to be made.
    pub fn stock(&self, stale: Duration) -> Result<Stock, GitError> {
        let (mut kept, mut broken) = (0, Vec::new());
        for name in self.names()? {
            let path = self.directory.join(&name);
            let why = match look(&path)? {
                Found::Whole(_) if is_entry(&name) => {
                    kept += 1;
                    continue;
                }
                Found::Newer => continue,
                Found::Whole(_) => "a spawn took it and did not come to its end",
                Found::Broken(why) => why,
            };
            if is_older(&path, stale)? {
                broken.push((path, why));
            }
        }
        let project = self.directory.file_name().unwrap_or_default();
        let project = project.to_string_lossy().into_owned();
        Ok(Stock { project, kept, broken, directory: self.directory.clone() })
    }
}

/// Returns whether what is at `path` was changed longer ago than `age`; `false` where it is gone, or
/// where the file system does not tell.
fn is_older(path: &Path, age: Duration) -> Result<bool, FsError> {
    let changed = fs::metadata(path)?.and_then(|metadata| fs::modified(&metadata));
    Ok(changed.is_some_and(|changed| clock::now().since(changed) > age))
}

fn is_entry(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| trash::parse_name(name).is_some())
}

/// Returns the session whose cleanup makes the entry of that name, or whose spawn took it.
fn owner(name: &OsStr) -> Option<SessionId> {
    let name = name.to_str()?;
    let of_entry = || trash::parse_name(name).map(|(session, _)| session);
    name.strip_prefix(TAKEN).or_else(of_entry)?.parse().ok()
}

/// Notes that every file of a worktree is as the commit has it, so that the pool may have it once.
pub(super) fn mark_made(admin: &Admin) -> Result<(), FsError> {
    fs::replace(&admin.dir.join(MADE), b"as committed\n", Durability::Process)
}

/// Returns why the worktree of `handle` cannot go into the pool, `None` where it can. The caller
/// has found it to be clean.
pub fn refuses(
    repo: &Repository,
    handle: &WorkspaceHandle,
    pool: &Pool,
) -> Result<Option<String>, GitError> {
    let no = |why: &str| Ok(Some(why.to_owned()));
    if pool.entries()?.len() >= pool.size {
        return no("the pool is full");
    }
    let Some(admin) = repo.admin_of(&handle.path)? else { return no("git does not know it") };
    if fs::metadata(&admin.dir.join(MADE))?.is_none() {
        return no("it is not known how its files were made");
    }
    let hash = handle.base_sha.as_ref().map_or(40, String::len) / 2;
    let Some(source) = fill::read_source(&handle.path, &admin.dir, hash) else {
        return no("its index cannot be read");
    };
    Ok(flaw(&source, premises::observe(repo, &handle.path, &admin)?))
}

/// Returns why the files of `source` may not be as the commit has them, even where they are as the
/// index knows them.
fn flaw(source: &Source, mut facts: Facts) -> Option<String> {
    if source.index.entries().iter().any(|entry| !entry.plain) {
        return Some("git was told not to look at some of its files".to_owned());
    }
    // Whatever is in such a directory would be the next session's.
    if source.index.entries().iter().any(|entry| entry.mode == GITLINK) {
        return Some("there is a place for another repository in it".to_owned());
    }
    premises::add_attributes_of(source, &mut facts);
    unfit(&facts)
}

/// Returns why files are not as the commit has them.
pub(super) fn unfit(facts: &Facts) -> Option<String> {
    match judge(facts) {
        Ok(exact) => exact.some_are_gits.map(|place| format!("{place} changes what files are")),
        Err(unfit) => Some(unfit.to_string()),
    }
}

/// Moves the worktree of `handle` into the pool instead of the trash; what is left of it for git
/// goes with [`unregister`](super::unregister), which the caller calls next. The caller holds the lock.
///
/// Interrupted before the move there is only a directory without a tree, which a pass takes away.
pub fn retire(
    repo: &Repository,
    handle: &WorkspaceHandle,
    session: &SessionId,
    pool: &Pool,
) -> Result<PathBuf, GitError> {
    let admin = repo.admin_of(&handle.path)?.ok_or_else(|| GitError::WrongRepository {
        path: handle.path.clone(),
        repo: repo.main.clone(),
        found: "git has not registered it".to_owned(),
    })?;
    super::status::verify(repo, handle)?;
    let place = pool.directory.join(trash::fresh_name(session.as_str()));
    pool.refuse_links()?;
    fs::create_private_directories(&place)?;
    // The very file: its time says which of the files git has to read again.
    fs::link(&admin.dir.join("index"), &place.join(INDEX))?;
    let entry =
        Entry { schema: SCHEMA, session: session.clone(), common_dir: repo.common_dir.clone() };
    write_entry(&place, &entry)?;
    failpoint::pass("pool.prepared").map_err(FsError::at("pass", &place))?;
    fs::rename(&handle.path, &place.join(TREE))?;
    // The entry that it names goes, and another may get that name.
    fs::remove_file(&place.join(TREE).join(".git"))?;
    fs::sync_directory(&place)?;
    if let Some(parent) = handle.path.parent() {
        fs::sync_directory(parent)?;
    }
    failpoint::pass("pool.retired").map_err(FsError::at("pass", &place))?;
    Ok(place)
}

fn write_entry(place: &Path, entry: &Entry) -> Result<(), FsError> {
    let mut bytes = serde_json::to_vec_pretty(entry).expect("an entry is JSON");
    bytes.push(b'\n');
    fs::replace(&place.join(ENTRY), &bytes, Durability::PowerCut)
}

/// Gives `new` the files of a clean workspace of its repository, if the pool has one.
pub(super) fn take(
    repo: &Repository,
    new: &NewWorktree,
    admin: &Admin,
    head: &Head,
    facts: &Facts,
    pool: &Pool,
) -> Result<Option<Begun>, GitError> {
    for (place, entry) in pool.entries()? {
        if entry.common_dir != repo.common_dir {
            continue;
        }
        let taken = pool.directory.join(format!("{TAKEN}{}", new.session));
        give_up(&pool.root, &taken)?;
        if !fs::rename_if_there(&place, &taken)? {
            // Somebody else was quicker.
            continue;
        }
        failpoint::pass("pool.taken").map_err(FsError::at("pass", &taken))?;
        let begun = hand_out(new, admin, head, facts, &entry, &taken, pool.keep_ignored);
        give_up(&pool.root, &taken)?;
        match begun {
            Ok(Ok(begun)) => return Ok(Some(begun)),
            Ok(Err(why)) => tracing::info!("{} is not used: {why}", place.display()),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Moves files and index of an entry into the worktree, once it is sure that they are clean; else
/// says why not.
fn hand_out(
    new: &NewWorktree,
    admin: &Admin,
    head: &Head,
    facts: &Facts,
    entry: &Entry,
    taken: &Path,
    keep_ignored: bool,
) -> Result<Result<Begun, String>, GitError> {
    let (tree, index) = (taken.join(TREE), taken.join(INDEX));
    if let Some((pid, name)) = process::inside(&tree).ok().and_then(|mut found| found.pop()) {
        return Ok(Err(format!("process {pid} ({name}) is in it")));
    }
    let Some(source) = fill::read_source(&tree, taken, head.hash_length()) else {
        return Ok(Err("its index cannot be read".to_owned()));
    };
    if let Some(why) = flaw(&source, facts.clone()) {
        return Ok(Err(why));
    }
    // Then there is nothing that git could find, and nothing to be put aside.
    if !is_as_known(&source)
        && let Some(why) = sweep(&tree, &index, &admin.dir, taken, keep_ignored)?
    {
        return Ok(Err(why));
    }
    let is_whole = source.index.tree().is_some_and(|tree| fill::hex(tree) == head.tree);
    if !is_whole {
        let differing = fill::differing_paths(new, admin, head, &source)?;
        if differing.iter().any(|path| path.ends_with(b".gitattributes")) {
            return Ok(Err("the commit has other attributes".to_owned()));
        }
    }
    failpoint::pass("pool.verified").map_err(FsError::at("pass", taken))?;
    let (own, link) = (new.path.join(".git"), tree.join(".git"));
    fs::rename(&own, &link)?;
    failpoint::pass("pool.linked").map_err(FsError::at("pass", taken))?;
    fs::remove_empty_directory(&new.path);
    fs::rename(&tree, &new.path).inspect_err(|_| {
        // By another way the files may come all the same; where not, the caller finds no link.
        let back = fs::create_directories(&new.path).and_then(|()| fs::rename(&link, &own));
        let _ = back.inspect_err(|error| tracing::warn!("{error}"));
    })?;
    fs::rename(&index, &admin.dir.join("index"))?;
    failpoint::pass("pool.moved").map_err(FsError::at("pass", taken))?;
    let way = Way::Pooled { of: entry.session.to_string() };
    Ok(Ok(Begun { way, is_whole, is_exact: Some(true) }))
}

/// Puts aside what is not git's in `tree`; returns why it cannot be used where a file of git's was
/// changed.
fn sweep(
    tree: &Path,
    index: &Path,
    git_dir: &Path,
    place: &Path,
    keep_ignored: bool,
) -> Result<Option<String>, GitError> {
    let ignored = if keep_ignored { "--ignored=no" } else { "--ignored=traditional" };
    let command = looking(tree)
        .deadline(LONG)
        .env("GIT_DIR", git_dir)
        .env("GIT_INDEX_FILE", index)
        .args(["-c", "core.untrackedCache=false", "status", "--porcelain=v1", "-z"])
        .args(["--untracked-files=normal", "--ignore-submodules=none", "--no-renames", ignored]);
    let output = read(&command, "git status")?;
    Ok(match not_gits(&output.stdout)? {
        Ok(aside) => {
            put_aside(tree, place, &aside)?;
            None
        }
        Err(changed) => Some(format!("{} was changed", String::from_utf8_lossy(changed))),
    })
}

/// Returns the paths that `git status --porcelain=v1 -z` tells are not git's; where a file of git's
/// was changed, that.
pub(super) fn not_gits(bytes: &[u8]) -> Result<Result<Vec<&[u8]>, &[u8]>, GitError> {
    let mut aside = Vec::new();
    for line in bytes.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let Some((&[first, second, b' '], path @ [_, ..])) = line.split_first_chunk() else {
            return Err(unreadable("git status", line));
        };
        match (first, second) {
            (b'?', b'?') | (b'!', b'!') => aside.push(path),
            // The second letter is about the files, the first about the commit.
            (_, b' ') => {}
            (_, _) => return Ok(Err(path)),
        }
    }
    Ok(Ok(aside))
}

fn put_aside(tree: &Path, place: &Path, paths: &[&[u8]]) -> Result<(), FsError> {
    use std::os::unix::ffi::OsStrExt;
    let left = place.join(LEFT);
    for path in paths {
        let path = Path::new(std::ffi::OsStr::from_bytes(path.strip_suffix(b"/").unwrap_or(path)));
        let to = left.join(path);
        if let Some(parent) = to.parent() {
            fs::create_directories(parent)?;
        }
        fs::rename(&tree.join(path), &to)?;
    }
    Ok(())
}

fn read_entry(place: &Path) -> Result<Option<Entry>, FsError> {
    let bytes = fs::read_optional(&place.join(ENTRY))?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Tells what there is at `place`.
fn look(place: &Path) -> Result<Found, FsError> {
    let Some(bytes) = fs::read_optional(&place.join(ENTRY))? else {
        return Ok(Found::Broken("it does not say what it is"));
    };
    if schema::newer(&bytes, SCHEMA.into()).is_some() {
        return Ok(Found::Newer);
    }
    let Ok(entry) = serde_json::from_slice::<Entry>(&bytes) else {
        return Ok(Found::Broken("what it says of itself cannot be read"));
    };
    if !fs::metadata(&place.join(TREE))?.is_some_and(|tree| tree.is_dir()) {
        return Ok(Found::Broken("its files are gone"));
    }
    if fs::metadata(&place.join(INDEX))?.is_none() {
        return Ok(Found::Broken("its index is gone"));
    }
    Ok(Found::Whole(entry))
}

/// Moves what is left of an entry to the trash, and takes the rest of it away.
fn give_up(root: &Path, place: &Path) -> Result<(), FsError> {
    if fs::metadata(place)?.is_none() {
        return Ok(());
    }
    let session = read_entry(place)?.map(|entry| entry.session);
    let session = session.unwrap_or_else(|| "pool".parse().expect("a plain word is an id"));
    for name in [TREE, LEFT] {
        let path = place.join(name);
        if fs::metadata(&path)?.is_some() {
            // Nothing must take it for the workspace that the session can have back.
            fs::remove_file(&path.join(".git"))?;
            trash::bury(root, &path, &session)?;
        }
    }
    fs::remove_tree(place)
}

/// Gives back what an unfinished spawn took from the pool.
pub(super) fn forsake(new: &NewWorktree) -> Result<(), FsError> {
    let Some(pool) = Pool::beside(&new.path, 0, false) else { return Ok(()) };
    give_up(&pool.root, &pool.directory.join(format!("{TAKEN}{}", new.session)))
}
