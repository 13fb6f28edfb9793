//! Refs of refs and registrations, read without a child process where they are certain.
//!
//! libgit2 and git's own files answer in a fraction of the time that a `git` takes to start. Only
//! what they are known to answer as git does is asked of them: whatever is absent, ambiguous,
//! half-written or of a format of its own comes back as `None`, and git itself is asked.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use git2::{ErrorCode, ObjectType, Oid};

use super::Repository;
use super::base::BranchState;
use super::entry::{WorktreeEntry, settled};
use crate::adapter::fs;

/// A repository as libgit2 reads it.
pub(super) struct Refs {
    library: git2::Repository,
    common: PathBuf,
}

/// What there is of one name.
enum Found {
    /// A direct ref, and what it is at.
    At(Oid),
    /// A symbolic ref, and the full name it leads to.
    To(String),
    /// Nothing.
    Nothing,
}

/// Where a [`Repository`] keeps what reads it from one question to the next: opening it reads every
/// configuration there is. It is no part of what the repository is.
#[derive(Clone, Default)]
pub(super) struct Shelf(Arc<Mutex<Option<Refs>>>);

impl Shelf {
    fn take(&self) -> Option<Refs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, refs: Option<Refs>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refs;
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelf")
    }
}

impl PartialEq for Shelf {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Shelf {}

/// What is back on its shelf as soon as the question is answered. Who asks meanwhile opens another.
pub(super) struct Lent<'a> {
    refs: Option<Refs>,
    shelf: &'a Shelf,
}

impl Deref for Lent<'_> {
    type Target = Refs;

    fn deref(&self) -> &Refs {
        self.refs.as_ref().expect("it is taken away by the drop alone")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.shelf.put(self.refs.take());
    }
}

impl Repository {
    /// Returns what reads this repository without a child; none where libgit2 refuses it, as it
    /// does with formats that it does not know.
    pub(super) fn refs(&self) -> Option<Lent<'_>> {
        let refs = self.shelf.take().or_else(|| Refs::open(&self.common_dir))?;
        Some(Lent { refs: Some(refs), shelf: &self.shelf })
    }

    /// Keeps what found this repository for the first question, where it was opened just as it
    /// would be for that: at the common git directory, not at a worktree's or through a link.
    pub(super) fn keep_opened(&self, library: git2::Repository) {
        if library.path() == self.common_dir {
            self.shelf.put(Some(Refs { library, common: self.common_dir.clone() }));
        }
    }
}

impl Refs {
    fn open(place: &Path) -> Option<Self> {
        let library = git2::Repository::open(place).ok()?;
        let common = fs::canonical(library.commondir()).ok()?;
        (common == place).then_some(Self { library, common })
    }

    pub(super) fn library(&self) -> &git2::Repository {
        &self.library
    }

    pub(super) fn common(&self) -> &Path {
        &self.common
    }

    /// Returns whether an entry of a worktree is its few files and nothing else: no configuration
    /// of its own, and no modes for other users.
    pub(super) fn entries_are_plain(&self) -> bool {
        let config = self.library.config().and_then(|mut config| config.snapshot());
        let Ok(config) = config else { return false };
        ["extensions.worktreeconfig", "core.sharedrepository"].iter().all(|name| {
            config.get_str(name).is_err_and(|error| error.code() == ErrorCode::NotFound)
        })
    }

    /// Returns the commit that `name` means: a full hash, `HEAD`, a full name, or a short one that
    /// means one ref alone.
    pub(super) fn commit(&self, name: &str) -> Option<String> {
        let oid = match full_hash(name) {
            Some(oid) => oid,
            None if name == "HEAD" || name.starts_with("refs/") => self.resolved(name)?,
            None => self.resolved(&self.full_name(name)?)?,
        };
        self.is_commit(oid).then(|| oid.to_string())
    }

    /// Returns the remote `origin`'s address: `Some(None)` where there is no such remote.
    pub(super) fn origin(&self) -> Option<Option<String>> {
        let config = self.library.config().ok()?.snapshot().ok()?;
        match config.get_str("remote.origin.url") {
            Ok(url) => Some(Some(url.to_owned()).filter(|url| !url.is_empty())),
            Err(error) if error.code() == ErrorCode::NotFound => Some(None),
            Err(_) => None,
        }
    }

    /// Returns the short name of the main worktree's branch.
    pub(super) fn head_branch(&self) -> Option<String> {
        let Found::To(full) = self.look("HEAD")? else { return None };
        let short = full.strip_prefix("refs/heads/")?;
        // Where a tag is called the same, git's short name is a longer one.
        (self.full_name(short)? == full).then(|| short.to_owned())
    }

    /// Returns `origin/<default branch>` as far as the last fetch tells: where HEAD leads, else
    /// main, else master; `Some(None)` where there is none of them.
    pub(super) fn remote_default(&self) -> Option<Option<String>> {
        let short = |full: &str| Some(full.strip_prefix("refs/remotes/")?.to_owned());
        match self.look("refs/remotes/origin/HEAD")? {
            Found::To(target) => match self.look(&target)? {
                Found::At(_) => return Some(Some(short(&target)?)),
                Found::To(_) => return None,
                Found::Nothing => {}
            },
            Found::At(_) => return Some(Some("origin/HEAD".to_owned())),
            Found::Nothing => {}
        }
        for name in ["refs/remotes/origin/main", "refs/remotes/origin/master"] {
            match self.look(name)? {
                Found::At(_) => return Some(Some(short(name)?)),
                Found::To(_) => return None,
                Found::Nothing => {}
            }
        }
        Some(None)
    }

    /// Returns what there is of a branch; none where another's name may exclude it.
    pub(super) fn branch(&self, repo: &Repository, name: &str) -> Option<BranchState> {
        let ancestors = name.match_indices('/').map(|(end, _)| &name[..end]);
        for ancestor in ancestors {
            let Found::Nothing = self.look(&format!("refs/heads/{ancestor}"))? else {
                return None;
            };
        }
        let below = format!("refs/heads/{name}/*");
        if self.library.references_glob(&below).ok()?.names().next().is_some() {
            return None;
        }
        let tip = match self.look(&format!("refs/heads/{name}"))? {
            Found::At(oid) => Some(oid.to_string()),
            Found::Nothing => None,
            Found::To(_) => return None,
        };
        Some(match (tip, holder_of(repo, name)?) {
            (None, None) => BranchState::Free,
            (Some(sha), None) => BranchState::Exists { sha },
            (sha, Some(path)) => BranchState::CheckedOut { sha: sha.unwrap_or_default(), path },
        })
    }

    /// Returns the branch, if any, and the commit that the worktree of the entry `admin` stands at.
    pub(super) fn head_of(&self, admin: &Path) -> Option<(Option<String>, Oid)> {
        match read_head(admin)? {
            Head::Detached(sha) => Some((None, full_hash(&sha)?)),
            Head::Branch(name) => match self.look(&format!("refs/heads/{name}"))? {
                Found::At(oid) => Some((Some(name), oid)),
                Found::To(_) | Found::Nothing => None,
            },
        }
    }

    /// Returns the commit that the worktree of the entry `admin` stands at, and its tree; none
    /// where git may take another in its place.
    pub(super) fn commit_and_tree(&self, admin: &Path) -> Option<(Oid, Oid)> {
        if self.library.references_glob("refs/replace/*").ok()?.names().next().is_some() {
            return None;
        }
        let (_, head) = self.head_of(admin)?;
        Some((head, self.library.find_commit(head).ok()?.tree_id()))
    }

    /// Returns all worktrees, the main one first.
    pub(super) fn worktrees(&self, repo: &Repository) -> Option<Vec<WorktreeEntry>> {
        let seats = seats(repo)?;
        seats.iter().map(|seat| self.entry(&seat.entry()?)).collect()
    }

    /// Returns those of the worktrees that the entry `admin` registers or that are on `branch`.
    pub(super) fn worktrees_beside(
        &self,
        repo: &Repository,
        admin: &Path,
        branch: Option<&str>,
    ) -> Option<Vec<WorktreeEntry>> {
        let is_near = |seat: &&Seat| match &seat.head {
            Head::Branch(name) if branch == Some(name.as_str()) => true,
            Head::Branch(_) | Head::Detached(_) => seat.admin == admin,
        };
        seats(repo)?.iter().filter(is_near).map(|seat| self.entry(&seat.entry()?)).collect()
    }

    /// Returns the commit that a worktree's branch is at, which all worktrees share.
    fn entry(&self, seat: &WorktreeEntry) -> Option<WorktreeEntry> {
        let head = match &seat.branch {
            None => seat.head.clone(),
            Some(branch) => match self.look(&format!("refs/heads/{branch}"))? {
                Found::At(oid) => Some(oid.to_string()),
                Found::Nothing => None,
                Found::To(_) => return None,
            },
        };
        Some(WorktreeEntry { head, ..seat.clone() })
    }

    /// Returns the one ref that a short name can mean; none where there is no such ref, or two.
    pub(super) fn full_name(&self, short: &str) -> Option<String> {
        if !is_plain(short) || fs::metadata(&self.common.join(short)).ok()?.is_some() {
            return None;
        }
        let places = [
            format!("refs/{short}"),
            format!("refs/tags/{short}"),
            format!("refs/heads/{short}"),
            format!("refs/remotes/{short}"),
            format!("refs/remotes/{short}/HEAD"),
        ];
        let mut found = None;
        for place in places {
            match self.look(&place)? {
                Found::Nothing => {}
                Found::At(_) | Found::To(_) if found.is_some() => return None,
                Found::At(_) | Found::To(_) => found = Some(place),
            }
        }
        found
    }

    /// Returns where a ref leads in the end.
    fn resolved(&self, name: &str) -> Option<Oid> {
        const LONGEST: usize = 5;
        let mut name = name.to_owned();
        for _ in 0..LONGEST {
            match self.look(&name)? {
                Found::At(oid) => return Some(oid),
                Found::To(next) => name = next,
                Found::Nothing => return None,
            }
        }
        None
    }

    fn look(&self, name: &str) -> Option<Found> {
        match self.library.find_reference(name) {
            Ok(reference) => match (reference.target(), reference.symbolic_target()) {
                (Some(oid), _) => Some(Found::At(oid)),
                (None, Ok(Some(target))) => Some(Found::To(target.to_owned())),
                (None, Ok(None) | Err(_)) => None,
            },
            Err(error) if error.code() == ErrorCode::NotFound => Some(Found::Nothing),
            Err(_) => None,
        }
    }

    /// Returns whether the object is there and a commit; a tag of one is left to git, which knows
    /// of replacements.
    fn is_commit(&self, oid: Oid) -> bool {
        let header = self.library.odb().and_then(|objects| objects.read_header(oid));
        header.is_ok_and(|(_, kind)| kind == ObjectType::Commit)
    }
}

fn full_hash(name: &str) -> Option<Oid> {
    let is_hash = name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| Oid::from_str(name).ok()).flatten()
}

/// Returns whether a name can be nothing but that of a ref: no expression, no abbreviated hash.
fn is_plain(name: &str) -> bool {
    let is_word =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    let is_hash = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    // What `git describe` prints ends in the hash itself.
    let describes = name.contains("-g");
    !name.is_empty()
        && name.bytes().all(is_word)
        && !is_hash
        && !describes
        && !name.starts_with(['-', '/', '.'])
        && !name.ends_with(['/', '.'])
        && !["..", "//", "/.", ".lock"].iter().any(|odd| name.contains(odd))
}

/// A worktree as its files say, before anything is looked up.
struct Seat {
    /// Its git directory.
    admin: PathBuf,
    /// The main worktree; none for a linked one.
    main: Option<PathBuf>,
    /// What it is on.
    head: Head,
}

/// What `HEAD` says.
pub(super) enum Head {
    Branch(String),
    Detached(String),
}

impl Seat {
    /// Reads the worktree; none where git would not list it, or not just like this.
    fn entry(&self) -> Option<WorktreeEntry> {
        let (path, locked) = match &self.main {
            Some(main) => (main.clone(), None),
            None => linked(&self.admin)?,
        };
        let (branch, head) = match &self.head {
            Head::Branch(name) => (Some(name.clone()), None),
            Head::Detached(sha) => (None, Some(sha.clone())),
        };
        Some(WorktreeEntry { path, head, branch, locked, ..WorktreeEntry::default() })
    }
}

/// Returns every worktree, the main one first; none where one of them is not as git leaves them.
fn seats(repo: &Repository) -> Option<Vec<Seat>> {
    if repo.bare || repo.main.join(".git") != repo.common_dir {
        return None;
    }
    let head = read_head(&repo.common_dir)?;
    let mut seats =
        vec![Seat { admin: repo.common_dir.clone(), main: Some(repo.main.clone()), head }];
    let root = repo.admin_root();
    for name in fs::names(&root).ok()? {
        let admin = root.join(name);
        let head = read_head(&admin)?;
        seats.push(Seat { admin, main: None, head });
    }
    Some(seats)
}

/// Returns where the branch is checked out: `Some(None)` for nowhere.
fn holder_of(repo: &Repository, branch: &str) -> Option<Option<PathBuf>> {
    let is_on = |seat: &&Seat| matches!(&seat.head, Head::Branch(name) if name == branch);
    match seats(repo)?.iter().find(is_on) {
        Some(seat) => Some(Some(seat.entry()?.path)),
        None => Some(None),
    }
}

fn read_head(git_dir: &Path) -> Option<Head> {
    // Long ago it could be a link to the branch, and no link is followed.
    head_in(&fs::read_own(&git_dir.join("HEAD")).ok()??)
}

/// Returns what a `HEAD` says; none where git would not have written it like this.
pub(super) fn head_in(bytes: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(bytes.strip_suffix(b"\n")?).ok()?;
    match text.strip_prefix("ref: ") {
        Some(full) => Some(Head::Branch(full.strip_prefix("refs/heads/")?.to_owned())),
        None => Some(Head::Detached(full_hash(text)?.to_string())),
    }
}

/// Reads where a linked worktree is and why it is locked.
pub(super) fn linked(admin: &Path) -> Option<(PathBuf, Option<String>)> {
    let text = |file: &str| fs::read_optional(&admin.join(file)).ok();
    if text("commondir")??.trim_ascii() != b"../.." {
        return None;
    }
    let gitdir = text("gitdir")??;
    let file = Path::new(OsStr::from_bytes(gitdir.strip_suffix(b"\n")?));
    if !file.is_absolute() || file.file_name() != Some(OsStr::new(".git")) {
        return None;
    }
    // What git would call prunable is for git to say.
    fs::metadata(file).ok()??;
    let locked = text("locked")?.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    Some((settled(file.parent()?), locked))
}
