//! Puts the files of its commit into a worktree that git has registered without any.
//!
//! Whatever way they come, git itself has the last word: where anything is left to do, or to be
//! put right, git checks it out, as `git worktree add` would have.

use std::collections::HashSet;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::command::{LONG, git, git_with_hooks, last_word, read, records, run, unreadable};
use super::copy::{Source, copy};
use super::entry::Admin;
use super::index::{Index, IndexError, WORTH_A_THREAD};
use super::proven::Note;
use super::way::{Exact, Facts, judge};
use super::worktree::{NewWorktree, own_admin};
use super::{Filled, GitError, Pool, Repository, Way, pool, premises};
use crate::adapter::fs::directory::{Directory, Stat};
use crate::adapter::fs::{Durability, FsError};
use crate::adapter::{failpoint, fs, threads, volume};

const NOTHING_NEAR: &str = "no worktree is at or near this commit";
const OTHERWISE: &str = "what the commit has otherwise";
const NOT_EXACT: &str = "what cannot be copied exactly";

/// Paths in a tree.
type Paths = HashSet<Vec<u8>>;

/// Where a copy would be from, and what of it is the commit's.
struct Near {
    source: Source,
    /// What the commit has otherwise, or not at all; `None` where the index is the commit's tree.
    differing: Option<HashSet<Vec<u8>>>,
}

/// What was put there, and whether that is everything.
pub(super) struct Begun {
    /// How it came there.
    pub(super) way: Way,
    /// Whether git has nothing left to do.
    pub(super) is_whole: bool,
    /// Whether no attribute of the commit makes anything else of a file; none where nobody looked.
    pub(super) is_exact: Option<bool>,
}

/// The commit that a worktree is to be at.
pub(super) struct Head {
    /// Its hash.
    pub(super) commit: String,
    /// The hash of its tree.
    pub(super) tree: String,
}

impl Head {
    /// Returns how long hashes are, in bytes.
    pub(super) fn hash_length(&self) -> usize {
        self.commit.len() / 2
    }
}

/// How many other worktrees are looked at for one at the same commit.
const MAX_SOURCES: usize = 8;

/// Says by which way [`fill`] would most likely make a worktree at `commit`; makes nothing, and
/// looks into no file.
pub fn foresee(repo: &Repository, commit: &str, pool: Option<&Pool>) -> Result<Way, GitError> {
    let found = foreseen(repo, commit, pool)?;
    Ok(found.unwrap_or_else(|why| Way::CheckedOut { why }))
}

fn foreseen(
    repo: &Repository,
    commit: &str,
    pool: Option<&Pool>,
) -> Result<Result<Way, String>, GitError> {
    let admin = Admin::load(&repo.common_dir)?;
    let mut facts = premises::observe(repo, &repo.main, &admin)?;
    if let Err(unfit) = judge(&facts) {
        return Ok(Err(unfit.to_string()));
    }
    let spare = pool.map(|pool| pool.first_of(repo)).transpose()?.flatten();
    if let (Some(of), None) = (spare, pool::unfit(&facts)) {
        return Ok(Ok(Way::Pooled { of: of.to_string() }));
    }
    let text =
        read(&repo.git().args(["rev-parse", &format!("{commit}^{{tree}}")]), "git rev-parse")?;
    let head = Head { commit: commit.to_owned(), tree: text.text() };
    let main = read_main(repo, &admin, head.hash_length())?;
    let near = nearest(repo, &admin, &head, main, &|_, git_dir| {
        differing_from(&repo.main, &head, &git_dir.join("index"))
    })?;
    let Some(near) = near else { return Ok(Err(NOTHING_NEAR.to_owned())) };
    premises::add_attributes_of(&near.source, &mut facts);
    let exact = match judge(&facts) {
        Ok(exact) => exact,
        Err(unfit) => return Ok(Err(unfit.to_string())),
    };
    let all = near.source.index.entries().len();
    let files = all.saturating_sub(near.differing.as_ref().map_or(0, HashSet::len));
    let rest = match (&near.differing, &exact.some_are_gits) {
        (Some(_), _) => Some(OTHERWISE),
        (None, Some(_)) => Some(NOT_EXACT),
        (None, None) => exact.index_is_gits,
    };
    Ok(Ok(Way::Copied { from: near.source.top, files, rest }))
}

/// Fills the worktree with its files, exactly as `git worktree add` would have: filters, sparse
/// checkout and the `post-checkout` hook included. No lock is needed. 10 min at the most.
///
/// A hook that fails or hangs is the hook's business, for the files are there: what it said is
/// returned.
pub fn fill(repo: &Repository, new: &NewWorktree, pool: Option<&Pool>) -> Result<Filled, GitError> {
    let admin = own_admin(repo, new)?;
    if !admin.is_being_made_for(new.session.as_str()) {
        // Finished, and in use: what follows would overwrite an agent's work.
        return Err(GitError::PathOccupied { path: new.path.clone() });
    }
    let head = head_of(repo, new, &admin)?;
    let observe = || premises::observe(repo, &new.path, &admin);
    let read = || read_main(repo, &admin, head.hash_length());
    // git is asked for its settings while that is read of which a copy would most likely be made.
    let is_early = is_worth_reading_early(repo, pool);
    let (facts, main) = threads::both_where(is_early, observe, || is_early.then(read));
    let facts = facts?;
    let begun = begin(repo, new, &admin, &head, &facts, pool, main)?;
    let begun = begun.unwrap_or_else(|why| Begun {
        way: Way::CheckedOut { why },
        is_whole: false,
        is_exact: None,
    });
    tracing::debug!("{}: {}", new.path.display(), begun.way);
    if begun.is_whole {
        note_reset(new, &admin, &head, &facts)?;
    } else if needs_reset(&facts) {
        reset(new)?;
    } else {
        check_out(new)?;
        note_reset(new, &admin, &head, &facts)?;
    }
    // Whatever the pool's size is today: what counts is that at the time of the cleanup.
    let is_exact = begun.is_exact;
    if is_exact.unwrap_or_else(|| is_found_exact(new, &admin, &head, facts.clone())) {
        pool::mark_made(&admin)?;
    }
    let complaint = run_hook(repo, new, &head, &facts);
    sync(new, &admin)?;
    Ok(Filled { way: begun.way, complaint })
}

/// Returns whether the index of the main worktree takes long to read, and the files will hardly be
/// of the pool, for which nobody needs it.
fn is_worth_reading_early(repo: &Repository, pool: Option<&Pool>) -> bool {
    let is_empty = |pool: &Pool| pool.first_of(repo).is_ok_and(|first| first.is_none());
    has_long_index(repo).is_ok_and(|is_long| is_long) && pool.is_none_or(is_empty)
}

fn has_long_index(repo: &Repository) -> Result<bool, FsError> {
    let index = fs::metadata(&repo.common_dir.join("index"))?;
    Ok(!repo.bare && index.is_some_and(|index| index.len() >= WORTH_A_THREAD as u64))
}

/// Puts there what is known to be what git would put there; else says why nothing was. After an
/// error there is no place any more at which git could.
///
/// `main` is what came of reading the main worktree, where that was tried already.
fn begin(
    repo: &Repository,
    new: &NewWorktree,
    admin: &Admin,
    head: &Head,
    facts: &Facts,
    pool: Option<&Pool>,
    main: Option<Result<Option<Source>, GitError>>,
) -> Result<Result<Begun, String>, GitError> {
    // A setting decides before anything is searched for.
    if let Err(unfit) = judge(facts) {
        return Ok(Err(unfit.to_string()));
    }
    if let Some(pool) = pool {
        match pool::take(repo, new, admin, head, facts, pool) {
            Ok(Some(begun)) => return Ok(Ok(begun)),
            Ok(None) => {}
            Err(error) if fs::metadata(&new.path.join(".git")).is_ok_and(|it| it.is_some()) => {
                tracing::warn!("nothing was taken from the pool: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    let main = main.unwrap_or_else(|| read_main(repo, admin, head.hash_length()));
    Ok(copy_what_is_near(repo, new, admin, head, facts, main))
}

/// Copies what another worktree has of the commit; else says why nothing was.
fn copy_what_is_near(
    repo: &Repository,
    new: &NewWorktree,
    admin: &Admin,
    head: &Head,
    facts: &Facts,
    main: Result<Option<Source>, GitError>,
) -> Result<Begun, String> {
    let compare = |source: &Source, _: &Path| differing_paths(new, admin, head, source);
    let near = main.and_then(|main| nearest(repo, admin, head, main, &compare));
    let near = near.map_err(|error| error.to_string())?.ok_or(NOTHING_NEAR)?;
    let mut facts = facts.clone();
    premises::add_attributes_of(&near.source, &mut facts);
    let exact = judge(&facts).map_err(|unfit| unfit.to_string())?;
    let converted = match &exact.some_are_gits {
        Some(_) => converted_paths(new, admin, &near.source).map_err(|error| error.to_string())?,
        None => HashSet::new(),
    };
    let begun = put(new, admin, &near, &converted, &exact);
    begun.map_err(|error| crate::model::sanitize::chain(&error))
}

fn put(
    new: &NewWorktree,
    admin: &Admin,
    near: &Near,
    converted: &HashSet<Vec<u8>>,
    exact: &Exact,
) -> Result<Begun, FsError> {
    let index = &near.source.index;
    let differing = |path: &[u8]| near.differing.as_ref().is_some_and(|paths| paths.contains(path));
    let stats = copy(&near.source, &new.path, before(new)?, &|_, path| {
        !converted.contains(path) && !differing(path)
    })
    .map_err(FsError::at("copy to", &new.path))?;
    failpoint::pass("copy.copied").map_err(FsError::at("copy to", &new.path))?;
    let files = stats.iter().flatten().count();
    write_index(admin, index, &stats)?;
    let rest = match (files == index.entries().len(), &near.differing, exact.index_is_gits) {
        (true, None, None) => None,
        (true, None, Some(setting)) => Some(setting),
        (_, Some(_), _) => Some(OTHERWISE),
        (false, None, _) => Some(NOT_EXACT),
    };
    let from = near.source.top.clone();
    // The attributes are the commit's in any case: with others nothing would be copied.
    let is_exact = Some(exact.some_are_gits.is_none());
    Ok(Begun { way: Way::Copied { from, files, rest }, is_whole: rest.is_none(), is_exact })
}

/// Returns the second before the worktree was made, by the clock of its file system.
///
/// A file whose time is not before its index's is read by each `git status` that may not write;
/// and an edit that comes later has another time, however soon it comes.
fn before(new: &NewWorktree) -> Result<i64, FsError> {
    let link = new.path.join(".git");
    Ok(fs::metadata(&link)?.map_or(0, |metadata| metadata.mtime() - 1))
}

/// Writes the index of a worktree, that of `source` as far as `stats` knows it, under the lock and
/// with the mode that git would use.
fn write_index(admin: &Admin, source: &Index, stats: &[Option<Stat>]) -> Result<(), FsError> {
    let lock = admin.dir.join("index.lock");
    let error = |source| FsError::at("write", &lock)(source);
    let directory = Directory::open_to_walk(&admin.dir).map_err(error)?;
    let file = directory.create_file(b"index.lock", 0o666).map_err(error)?;
    let parts = source.write(stats);
    // Written again, it is no longer for that.
    let write = || {
        failpoint::through("git.index_write", &lock, || {
            file.write_all_at(&parts[0], 0)?;
            file.write_all_at(&parts[1], parts[0].len() as u64)
        })
    };
    let (sum, written) = threads::both_where(source.is_long(), || source.sum(&parts), write);
    let end = parts.iter().map(Vec::len).sum::<usize>() as u64;
    let finish = || file.write_all_at(&sum, end).and_then(|()| file.sync_all());
    let finished = written.and_then(|()| failpoint::through("git.index_write", &lock, finish));
    let moved = |()| fs::rename(&lock, &admin.dir.join("index"));
    finished.map_err(error).and_then(moved).inspect_err(|_| {
        // It is this function's own, and git is to have its turn.
        let _ = fs::remove_file(&lock);
    })
}

/// Returns the worktree to copy from: one whose index is the very tree, else `main`, the main one,
/// with what the commit has otherwise, which `compare` says of it and its git directory.
fn nearest(
    repo: &Repository,
    admin: &Admin,
    head: &Head,
    main: Option<Source>,
    compare: &dyn Fn(&Source, &Path) -> Result<Paths, GitError>,
) -> Result<Option<Near>, GitError> {
    let hash = head.hash_length();
    let is_it = |source: &Source| source.index.tree().is_some_and(|tree| hex(tree) == head.tree);
    match main {
        Some(source) if is_it(&source) => return Ok(Some(Near { source, differing: None })),
        Some(_) | None => {}
    }
    for (top, git_dir) in others(repo, admin)? {
        if let Some(source) = read_source(&top, &git_dir, hash).filter(is_it) {
            return Ok(Some(Near { source, differing: None }));
        }
    }
    let Some(source) = main else { return Ok(None) };
    let differing = compare(&source, &repo.common_dir)?;
    let attributes = |path: &Vec<u8>| path.ends_with(b".gitattributes");
    // Where much is otherwise, git alone is quicker; and what files are may be otherwise too.
    if differing.len() * 4 > source.index.entries().len() || differing.iter().any(attributes) {
        return Ok(None);
    }
    Ok(Some(Near { source, differing: Some(differing) }))
}

/// Returns the linked worktrees with a finished index, the latest changed first.
fn others(
    repo: &Repository,
    admin: &Admin,
) -> Result<Vec<(std::path::PathBuf, std::path::PathBuf)>, GitError> {
    let mut found = Vec::new();
    for other in repo.admins()? {
        let is_being_made = other.locked.as_deref().is_some_and(|reason| reason.starts_with("ao:"));
        let index = fs::metadata(&other.dir.join("index"))?;
        if let (Some(top), Some(index)) = (other.worktree, index)
            && !is_being_made
            && other.dir != admin.dir
        {
            found.push((index.mtime(), top, other.dir));
        }
    }
    found.sort_by_key(|(mtime, _, _)| std::cmp::Reverse(*mtime));
    Ok(found.into_iter().take(MAX_SOURCES).map(|(_, top, dir)| (top, dir)).collect())
}

/// Returns the main worktree with its index and what is noted of its files.
fn read_main(repo: &Repository, admin: &Admin, hash: usize) -> Result<Option<Source>, GitError> {
    if repo.bare {
        return Ok(None);
    }
    let source = || read_source(&repo.main, &repo.common_dir, hash);
    let note = || Note::read(&repo.common_dir, &admin.dir, hash);
    let (source, note) = threads::both_where(has_long_index(repo)?, source, note);
    Ok(source.map(|source| Source { note: Some(note), ..source }))
}

/// Returns a worktree with its index, `None` where that cannot be read.
pub(super) fn read_source(top: &Path, git_dir: &Path, hash: usize) -> Option<Source> {
    read_source_by(Index::parse, top, git_dir, hash)
}

/// [`read_source`] by one of the ways to parse an index.
pub(super) fn read_source_by(
    parse: fn(Vec<u8>, usize) -> Result<Index, IndexError>,
    top: &Path,
    git_dir: &Path,
    hash: usize,
) -> Option<Source> {
    let path = git_dir.join("index");
    // Before it is read: one that is written meanwhile is younger.
    let written = fs::metadata(&path).ok()??.mtime();
    let bytes = fs::read_optional(&path).ok()??;
    let index = match parse(bytes, hash) {
        Ok(index) => index,
        Err(error) => {
            tracing::debug!("the index of {} is of no use: {error}", top.display());
            return None;
        }
    };
    Some(Source { top: top.to_owned(), index, written, note: None })
}

/// Returns the paths that the commit has otherwise than the index of `source`, or not at all.
pub(super) fn differing_paths(
    new: &NewWorktree,
    admin: &Admin,
    head: &Head,
    source: &Source,
) -> Result<HashSet<Vec<u8>>, GitError> {
    with_snapshot(admin, source, |index| differing_from(&new.path, head, index))
}

fn differing_from(
    directory: &Path,
    head: &Head,
    index: &Path,
) -> Result<HashSet<Vec<u8>>, GitError> {
    let flags = ["diff-index", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "-z"];
    let command = git(directory).args(flags).args([head.commit.as_str(), "--"]);
    let output = read(&command.env("GIT_INDEX_FILE", index), "git diff-index")?;
    Ok(names(&output.stdout).map(<[u8]>::to_owned).collect())
}

/// Returns the paths that attributes make something else of.
fn converted_paths(new: &NewWorktree, admin: &Admin, source: &Source) -> Result<Paths, GitError> {
    const NAMES: [&str; 4] = ["filter", "ident", "working-tree-encoding", "eol"];
    let index = &source.index;
    let paths: Vec<&[u8]> = index.entries().iter().map(|entry| index.path(entry)).collect();
    let flags = ["check-attr", "--cached", "--stdin", "-z"];
    let command = git(&new.path).deadline(LONG).args(flags).args(NAMES).stdin(paths.join(&0));
    with_snapshot(admin, source, |index| {
        let output = read(&command.clone().env("GIT_INDEX_FILE", index), "git check-attr")?;
        converted_in(&output.stdout)
    })
}

/// Returns the paths of which `git check-attr -z` tells an attribute that makes something else of
/// them.
pub(super) fn converted_in(bytes: &[u8]) -> Result<Paths, GitError> {
    let answers = records::<3>("git check-attr", bytes)?;
    let given = answers.iter().filter(|[_, name, value]| match (*name, *value) {
        (_, b"unspecified" | b"unset") => false,
        (b"eol", value) => value != b"lf",
        _ => true,
    });
    Ok(given.map(|[path, ..]| path.to_vec()).collect())
}

/// Lets git look at the index of `source` as it was read, whatever becomes of it meanwhile.
fn with_snapshot<T>(
    admin: &Admin,
    source: &Source,
    look: impl Fn(&Path) -> Result<T, GitError>,
) -> Result<T, GitError> {
    let path = admin.dir.join("ao-source-index");
    fs::replace(&path, source.index.bytes(), Durability::Process)?;
    let result = look(&path);
    fs::remove_file(&path)?;
    result
}

fn names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty())
}

pub(super) fn hex(id: &[u8]) -> String {
    use std::fmt::Write;
    id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the commit of a worktree, and its tree.
fn head_of(repo: &Repository, new: &NewWorktree, admin: &Admin) -> Result<Head, GitError> {
    if let Some((commit, tree)) = repo.refs().and_then(|refs| refs.commit_and_tree(&admin.dir)) {
        return Ok(Head { commit: commit.to_string(), tree: tree.to_string() });
    }
    let command = git(&new.path).args(["rev-parse", "HEAD", "HEAD^{tree}"]);
    let text = read(&command, "git rev-parse")?.text();
    let (commit, tree) =
        text.split_once('\n').ok_or_else(|| unreadable("git rev-parse", text.as_bytes()))?;
    Ok(Head { commit: commit.to_owned(), tree: tree.trim().to_owned() })
}

/// Returns whether every file is as the commit has it where git made it: only such a worktree can
/// serve another one.
fn is_found_exact(new: &NewWorktree, admin: &Admin, head: &Head, mut facts: Facts) -> bool {
    if pool::unfit(&facts).is_some() {
        return false;
    }
    let Some(source) = read_source(&new.path, &admin.dir, head.hash_length()) else {
        return false;
    };
    premises::add_attributes_of(&source, &mut facts);
    pool::unfit(&facts).is_none()
}

/// Leaves in the entry what [`reset`] would have left there: `ORIG_HEAD`, and on a branch a line in
/// the log of `HEAD`. Neither is synced: nothing is found by them.
fn note_reset(new: &NewWorktree, admin: &Admin, head: &Head, facts: &Facts) -> Result<(), FsError> {
    if facts.refs_are_in_tables() {
        return Ok(());
    }
    let (commit, log) = (&head.commit, admin.dir.join("logs/HEAD"));
    let (line, orig) = (format!("{commit}\n"), admin.dir.join("ORIG_HEAD"));
    fs::remove_file(&orig)?;
    fs::create_by_umask(&orig, line.as_bytes())?;
    let known = fs::read_optional(&log)?.unwrap_or_default();
    let known = String::from_utf8_lossy(&known);
    // Who and when, after two hashes.
    let who = known.lines().next().and_then(|line| line.split('\t').next()?.splitn(3, ' ').nth(2));
    let (Some(_), Some(who)) = (&new.branch, who) else { return Ok(()) };
    let text = format!("{known}{commit} {commit} {who}\treset: moving to HEAD\n");
    let aside = admin.dir.join("logs/ao-HEAD");
    fs::remove_file(&aside)?;
    fs::create_by_umask(&aside, text.as_bytes())?;
    fs::rename(&aside, &log)
}

/// Returns whether only [`reset`] leaves all that `git worktree add` does: it says what commit they
/// are of to a filter that lives through a checkout, and knows how to note it in a table of refs, or
/// for others to read and write.
fn needs_reset(facts: &Facts) -> bool {
    let is_process = |name: &str| name.starts_with("filter.") && name.ends_with(".process");
    let is_noted_otherwise = facts.refs_are_in_tables() || facts.modes_are_gits();
    is_noted_otherwise || facts.settings.iter().any(|(name, _)| is_process(name))
}

/// Lets git make, or put right, everything: nobody has worked here yet.
///
/// Unlike [`reset`] it touches no ref. To delete its `AUTO_MERGE`, which is never there, that locks
/// `packed-refs` of the whole repository, and leaves the lock where it ends with this process just
/// while the system makes the file.
fn check_out(new: &NewWorktree) -> Result<(), GitError> {
    let words = ["read-tree", "--reset", "-u", "--no-recurse-submodules", "HEAD"];
    make_all(new, "git read-tree", &words)
}

/// Does what `git worktree add` does for all files.
fn reset(new: &NewWorktree) -> Result<(), GitError> {
    let words = ["reset", "--hard", "--no-recurse-submodules", "--quiet"];
    make_all(new, "git reset", &words)
}

/// Adds what is free to the error of a git that could not write: it does not say why.
pub(super) fn told_of_room(new: &NewWorktree, error: GitError) -> GitError {
    let is_about_writing =
        |text: &str| text.contains("unable to write") || text.contains("Could not reset");
    match (error, volume::space(&new.path)) {
        (GitError::Failed { command, stderr }, Ok(space)) if is_about_writing(&stderr) => {
            let stderr = format!("{stderr}; {} KiB are free there", space.free >> 10);
            GitError::Failed { command, stderr }
        }
        (error, _) => error,
    }
}

fn make_all(new: &NewWorktree, what: &str, words: &[&str]) -> Result<(), GitError> {
    let command = git(&new.path)
        .deadline(LONG)
        .env("GIT_OPTIONAL_LOCKS", "1")
        // As many as there are processors, where that pays.
        .args(["-c", "checkout.workers=0", "-c", "checkout.thresholdForParallelism=700"])
        .args(words);
    read(&command, what).map(drop).map_err(|error| told_of_room(new, error))
}

/// Runs the hook that is due, where there is one; returns what is to be said of it.
fn run_hook(repo: &Repository, new: &NewWorktree, head: &Head, facts: &Facts) -> Option<String> {
    let hook = repo.common_dir.join("hooks/post-checkout");
    if facts.setting("core.hookspath").is_none() && matches!(fs::metadata(&hook), Ok(None)) {
        return None;
    }
    let null = "0".repeat(head.commit.len());
    let deadline = failpoint::deadline("AO_HOOK_DEADLINE_MS", LONG);
    let command = git_with_hooks(&new.path).deadline(deadline).env("GIT_OPTIONAL_LOCKS", "1");
    let command = command.args(["hook", "run", "--ignore-missing", "post-checkout", "--"]);
    let why = match run(&command.args([null.as_str(), head.commit.as_str(), "1"])) {
        Ok(output) if output.success() => return None,
        Ok(output) => last_word(&output.stderr),
        Err(error) => error.to_string(),
    };
    Some(format!("the repository's post-checkout hook failed: {why}"))
}

/// Makes what was written without syncing survive a power cut.
fn sync(new: &NewWorktree, admin: &Admin) -> Result<(), GitError> {
    fs::sync_file(&new.path.join(".git"))?;
    for file in ["HEAD", "gitdir", "commondir", "locked", "index"] {
        let path = admin.dir.join(file);
        if fs::metadata(&path)?.is_some() {
            fs::sync_file(&path)?;
        }
    }
    for directory in [admin.dir.as_path(), &new.path] {
        fs::sync_directory(directory)?;
        if let Some(parent) = directory.parent() {
            fs::sync_directory(parent)?;
        }
    }
    Ok(())
}
