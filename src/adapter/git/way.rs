//! How the files of a worktree come to be there: the ways, and which of them is exact.
//!
//! Whatever is put into a worktree by anybody but git is put there byte for byte as the commit has
//! it. So it is exact where git would do the same, and [`judge`] says where that is: it decides
//! upon observed facts alone, and gives its reason.

use std::fmt;
use std::path::PathBuf;

/// How the files of a worktree were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a clean workspace that cleanup had kept.
    Pooled {
        /// The session it was made for.
        of: String,
    },
    /// By copying what is proved to be what the commit says.
    Copied {
        /// The worktree that was copied from.
        from: PathBuf,
        /// How many files were copied.
        files: usize,
        /// What git had to do after that, if anything.
        rest: Option<&'static str>,
    },
    /// By git alone.
    CheckedOut {
        /// Why neither of the other ways would do.
        why: String,
    },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pooled { of } => write!(f, "pool: the workspace that {of} left"),
            Self::Copied { from, files, rest } => {
                write!(f, "copy: {files} files of {}", from.display())?;
                rest.map_or(Ok(()), |rest| write!(f, "; git: {rest}"))
            }
            Self::CheckedOut { why } => write!(f, "git: {why}"),
        }
    }
}

/// A worktree with all its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// How they came there.
    pub way: Way,
    /// What the repository's `post-checkout` hook complained of.
    pub complaint: Option<String>,
}

/// What decides how git would make the files of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// git's configuration as the worktree sees it, names in lower case, the last of each counting.
    pub(super) settings: Vec<(String, String)>,
    /// Where attributes are given, and the text; none where it is there and cannot be read.
    pub(super) attributes: Vec<(String, Option<Vec<u8>>)>,
    /// Whether only a part of the tree is to be there.
    pub(super) sparse: bool,
}

impl Facts {
    /// Returns what a setting was set to last.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns whether refs, and their logs, are not files but in tables of git's own.
    pub(super) fn refs_are_in_tables(&self) -> bool {
        self.setting("extensions.refstorage").is_some_and(|it| it != "files")
    }

    /// Returns whether git gives modes that neither the commit nor the umask does.
    pub(super) fn modes_are_gits(&self) -> bool {
        let is_own = |it: &str| is_off(it) || it.eq_ignore_ascii_case("umask");
        self.setting("core.sharedrepository").is_some_and(|it| !is_own(it))
    }

    fn is_on(&self, name: &str) -> bool {
        self.setting(name).is_some_and(|value| !is_off(value))
    }
}

fn is_off(value: &str) -> bool {
    ["false", "no", "off", "0"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// What may be done where files may be put there by anybody but git.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exact {
    /// Where attributes are that change what some files are: those are git's.
    pub(super) some_are_gits: Option<String>,
    /// The setting that makes git write its index in a form of its own.
    pub(super) index_is_gits: Option<&'static str>,
}

/// Why git has to make all files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// A setting changes what every file is.
    Setting(&'static str),
    /// Only a part of the tree is to be there.
    Sparse,
    /// Attributes are given that cannot be read.
    Unreadable(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(what) => write!(f, "{what} changes what files are"),
            Self::Sparse => f.write_str("only a part of the tree is checked out"),
            Self::Unreadable(place) => write!(f, "the attributes of {place} cannot be read"),
        }
    }
}

/// Decides whether bytes as the commit has them are what git would write.
pub(super) fn judge(facts: &Facts) -> Result<Exact, Unfit> {
    // `input` and `native` change nothing on the way out, here.
    let is = |name, word: &str| facts.setting(name).is_some_and(|it| it.eq_ignore_ascii_case(word));
    if facts.is_on("core.autocrlf") && !is("core.autocrlf", "input") {
        return Err(Unfit::Setting("core.autocrlf"));
    }
    if is("core.eol", "crlf") {
        return Err(Unfit::Setting("core.eol"));
    }
    if facts.setting("core.symlinks").is_some_and(is_off) {
        return Err(Unfit::Setting("core.symlinks"));
    }
    if facts.is_on("core.ignorecase") {
        return Err(Unfit::Setting("core.ignorecase"));
    }
    if facts.modes_are_gits() {
        return Err(Unfit::Setting("core.sharedrepository"));
    }
    if facts.setting("attr.tree").is_some() {
        return Err(Unfit::Setting("attr.tree"));
    }
    if facts.sparse || facts.is_on("core.sparsecheckout") {
        return Err(Unfit::Sparse);
    }
    let mut exact = Exact::default();
    for (place, text) in &facts.attributes {
        let text = text.as_ref().ok_or_else(|| Unfit::Unreadable(place.clone()))?;
        if exact.some_are_gits.is_none() && converts(text) {
            exact.some_are_gits = Some(place.clone());
        }
    }
    const FORMS: [&str; 8] = [
        "index.version",
        "index.sparse",
        "index.skiphash",
        "index.threads",
        "feature.manyfiles",
        "core.splitindex",
        "core.untrackedcache",
        "core.sharedrepository",
    ];
    exact.index_is_gits = FORMS.into_iter().find(|name| facts.setting(name).is_some());
    Ok(exact)
}

/// Returns whether attributes may change what a file is on its way out of git. What a pattern
/// looks like does not count: rather too often yes than once too little.
fn converts(attributes: &[u8]) -> bool {
    let words = attributes.split(|byte| byte.is_ascii_whitespace() || *byte == 0);
    words.filter(|word| !word.starts_with(b"-") && !word.starts_with(b"!")).any(|word| {
        let end = word.iter().position(|byte| *byte == b'=').unwrap_or(word.len());
        let value = word.get(end + 1..).unwrap_or_default();
        match &word[..end] {
            b"filter" | b"ident" | b"working-tree-encoding" => true,
            b"eol" => !value.eq_ignore_ascii_case(b"lf"),
            _ => false,
        }
    })
}
