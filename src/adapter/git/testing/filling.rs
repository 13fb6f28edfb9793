//! Whatever way the files of a worktree come, they are what `git worktree add` would have made.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

/// Something in a tree.
#[derive(Clone, Debug)]
enum Thing {
    File(Vec<u8>),
    Program(Vec<u8>),
    Link(String),
}

/// What a person or an agent did in the main worktree since.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Edit,
    EditUnseen,
    Stage,
    Delete,
    Leave,
    Announce,
    Commit,
}

/// What kind of repository it is, or how it came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Sha256,
    Reftable,
    /// A clone that has only the files which somebody asked for.
    Partial,
    /// A clone of the last commits.
    Shallow,
    /// A clone whose objects are another repository's.
    Shared,
    /// Its worktrees are inside of the main one, in a directory that git ignores.
    Nested,
    /// A program says what was changed.
    Watched,
}

const KINDS: [Kind; 7] = [
    Kind::Sha256,
    Kind::Reftable,
    Kind::Partial,
    Kind::Shallow,
    Kind::Shared,
    Kind::Nested,
    Kind::Watched,
];

#[derive(Clone, Debug)]
struct Case {
    things: std::collections::BTreeMap<String, Thing>,
    settings: Vec<(&'static str, &'static str)>,
    attributes: Option<(&'static str, &'static str)>,
    deeds: Vec<(Deed, prop::sample::Index)>,
    kind: Kind,
}

const NAMES: [&str; 8] =
    ["a.txt", "b c", "größe.md", "x.up", "x.id", "new\nline", "-dash", "w.utf"];
const FOLDERS: [&str; 5] = ["", "d/", "d/e/", "d/e f/", "z.txt/"];

/// Each changes what files are, or how git writes its index, or nothing.
const SETTINGS: [(&str, &str); 12] = [
    ("core.autocrlf", "true"),
    ("core.autocrlf", "input"),
    ("core.eol", "crlf"),
    ("core.symlinks", "false"),
    ("core.fileMode", "false"),
    ("core.ignoreCase", "true"),
    ("index.version", "4"),
    ("core.splitIndex", "true"),
    ("core.untrackedCache", "true"),
    ("feature.manyFiles", "true"),
    ("core.sharedRepository", "group"),
    ("core.preloadIndex", "false"),
];

const ATTRIBUTES: [(&str, &str); 7] = [
    (".gitattributes", "* text=auto\n*.md -text\n"),
    (".gitattributes", "*.txt text eol=crlf\n"),
    (".gitattributes", "*.up filter=up diff=up -text\n"),
    ("d/.gitattributes", "*.up filter=up\n"),
    (".gitattributes", "*.id ident\n"),
    (".gitattributes", "*.utf text working-tree-encoding=UTF-16LE eol=LF\n"),
    (".git/info/attributes", "[attr]loud filter=up\n*.up loud\n"),
];

fn thing() -> impl Strategy<Value = Thing> {
    let text = prop_oneof![
        Just(Vec::new()),
        Just(b"one\ntwo\n".to_vec()),
        Just(b"$Id$\r\nmixed\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..200),
        Just(b"long line\n".repeat(40_000)),
    ];
    prop_oneof![
        6 => text.clone().prop_map(Thing::File),
        2 => text.prop_map(Thing::Program),
        1 => prop_oneof![Just("a.txt"), Just("nowhere"), Just("../..")]
            .prop_map(|target| Thing::Link(target.to_owned())),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let path = (prop::sample::select(&FOLDERS[..]), prop::sample::select(&NAMES[..]));
    let path = path.prop_map(|(folder, name)| format!("{folder}{name}"));
    let deed = prop::sample::select(vec![
        Deed::Edit,
        Deed::EditUnseen,
        Deed::Stage,
        Deed::Delete,
        Deed::Leave,
        Deed::Announce,
        Deed::Commit,
    ]);
    let settings = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec(prop::sample::select(&SETTINGS[..]), 1..3),
    ];
    (
        prop::collection::btree_map(path, thing(), 1..12),
        settings,
        prop::option::weighted(0.4, prop::sample::select(&ATTRIBUTES[..])),
        prop::collection::vec((deed, any::<prop::sample::Index>()), 0..4),
        prop_oneof![1 => Just(Kind::Plain), 1 => prop::sample::select(&KINDS[..])],
    )
        .prop_map(|(things, settings, attributes, deeds, kind)| Case {
            things,
            settings,
            attributes,
            deeds,
            kind,
        })
}

fn write(top: &Path, path: &str, thing: &Thing) {
    let file = top.join(path);
    std_fs::create_dir_all(file.parent().unwrap()).unwrap();
    let _ = std_fs::remove_file(&file);
    match thing {
        Thing::File(bytes) => std_fs::write(&file, bytes).unwrap(),
        Thing::Program(bytes) => {
            std_fs::write(&file, bytes).unwrap();
            std_fs::set_permissions(&file, std_fs::Permissions::from_mode(0o755)).unwrap();
        }
        Thing::Link(target) => std::os::unix::fs::symlink(target, &file).unwrap(),
    }
}

/// Makes the repository of a case.
fn arrange(case: &Case) -> Place {
    let place = Place::with(match case.kind {
        Kind::Sha256 => &["--object-format=sha256"],
        // Older ones do not know it.
        Kind::Reftable if version().unwrap() >= (2, 45) => &["--ref-format=reftable"],
        Kind::Reftable
        | Kind::Plain
        | Kind::Partial
        | Kind::Shallow
        | Kind::Shared
        | Kind::Nested
        | Kind::Watched => &[],
    });
    let top = &place.repo.main;
    configure(top, &[]);
    for (path, thing) in &case.things {
        write(top, path, thing);
    }
    configure(top, &case.settings);
    let is_tracked = |path: &str| !path.starts_with(".git/");
    if let Some((path, text)) = case.attributes {
        write(top, path, &Thing::File(text.as_bytes().to_vec()));
    }
    plain_output(top, &["add", "-A"]);
    plain(top, &["commit", "-qm", "things", "--allow-empty"]);
    let place = cloned(place, case);
    if let Some((path, text)) = case.attributes.filter(|(path, _)| !is_tracked(path)) {
        write(&place.repo.main, path, &Thing::File(text.as_bytes().to_vec()));
    }
    if case.kind == Kind::Watched {
        watch(&place);
    }
    for (deed, which) in &case.deeds {
        act(&place, case, *deed, which);
    }
    place
}

fn configure(top: &Path, settings: &[(&str, &str)]) {
    let filters = [
        ("filter.up.clean", "tr A-Z a-z"),
        ("filter.up.smudge", "tr a-z A-Z"),
        ("filter.up.required", "true"),
    ];
    for (name, value) in filters.iter().chain(settings) {
        plain(top, &["config", name, value]);
    }
}

/// Takes a clone in the repository's place, where the case is about one.
fn cloned(place: Place, case: &Case) -> Place {
    let flags: &[&str] = match case.kind {
        Kind::Partial => &["--filter=blob:none"],
        Kind::Shallow => &["--depth=2"],
        Kind::Shared => &["--shared"],
        Kind::Plain | Kind::Sha256 | Kind::Reftable | Kind::Nested | Kind::Watched => return place,
    };
    let from = &place.repo.main;
    for name in ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"] {
        plain(from, &["config", name, "true"]);
    }
    let to = from.with_file_name("clone");
    let url = format!("file://{}", from.display());
    let url = if case.kind == Kind::Shared { from.to_str().unwrap() } else { &url };
    plain(from, &[&["clone", "-q", "--no-checkout"], flags, &[url, to.to_str().unwrap()]].concat());
    for (name, value) in [("user.name", "t"), ("user.email", "t@example.org")] {
        plain(&to, &["config", name, value]);
    }
    configure(&to, &case.settings);
    plain(&to, &["reset", "-q", "--hard"]);
    let repo = discover(&to).unwrap();
    Place { directory: place.directory, repo }
}

/// Lets a program say of every file that it may have been changed, and git remember what it saw.
fn watch(place: &Place) {
    let top = &place.repo.main;
    let program = place.directory.path().join("watch");
    std_fs::write(&program, "#!/bin/sh\nprintf 'token\\0/\\0'\n").unwrap();
    std_fs::set_permissions(&program, std_fs::Permissions::from_mode(0o755)).unwrap();
    plain(top, &["config", "core.fsmonitor", program.to_str().unwrap()]);
    plain(top, &["config", "core.fsmonitorHookVersion", "2"]);
    plain(top, &["config", "core.untrackedCache", "true"]);
    for flag in ["--fsmonitor", "--untracked-cache"] {
        plain_output(top, &["update-index", flag]);
    }
    plain(top, &["status", "--porcelain"]);
}

fn act(place: &Place, case: &Case, deed: Deed, which: &prop::sample::Index) {
    let top = &place.repo.main;
    let paths: Vec<&String> = case.things.keys().collect();
    let path = paths[which.index(paths.len())].as_str();
    let file = top.join(path);
    let edit = || {
        if let Ok(mut bytes) = std_fs::read(&file) {
            bytes.iter_mut().for_each(|byte| *byte ^= 1);
            let _ = std_fs::remove_file(&file);
            std_fs::write(&file, bytes).unwrap();
        }
    };
    match deed {
        Deed::Edit => edit(),
        // Neither length nor time tells.
        Deed::EditUnseen => {
            let before = std_fs::symlink_metadata(&file).ok().and_then(|it| it.modified().ok());
            edit();
            if let (Some(before), Ok(file)) =
                (before, std_fs::File::options().write(true).open(&file))
            {
                file.set_modified(before).unwrap();
            }
        }
        Deed::Stage => {
            edit();
            plain_output(top, &["add", "--", path]);
        }
        Deed::Delete => drop(std_fs::remove_file(&file)),
        Deed::Leave => {
            plain_output(top, &["update-index", "--skip-worktree", "--", path]);
            let _ = std_fs::remove_file(&file);
        }
        Deed::Announce => {
            std_fs::write(top.join("announced"), "later").unwrap();
            plain_output(top, &["add", "-N", "announced"]);
        }
        Deed::Commit => {
            edit();
            plain_output(top, &["commit", "-qam", "more"]);
        }
    }
}

/// Returns everything there is to see of a worktree, by path.
fn seen(top: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(top, top, &mut found);
    found.sort();
    for args in [
        &["ls-files", "-s", "-v", "-z"][..],
        &["status", "--porcelain=v2", "-z", "--ignored"],
        &["write-tree"],
        &["config", "--list", "-z"],
        &["rev-parse", "HEAD"],
        &["ls-files", "--eol", "-z"],
        &["diff-files", "--name-only"],
    ] {
        found.push(format!("{args:?}: {}", plain(top, args)));
    }
    found
}

fn walk(top: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in std_fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name =
            path.strip_prefix(top).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
        let metadata = std_fs::symlink_metadata(&path).unwrap();
        let mode = metadata.permissions().mode();
        if name == ".git" {
        } else if metadata.is_dir() {
            found.push(format!("{name} {mode:o}"));
            walk(top, &path, found);
        } else if metadata.is_symlink() {
            found.push(format!(
                "{name} {mode:o} -> {}",
                std_fs::read_link(&path).unwrap().display()
            ));
        } else {
            let bytes = std_fs::read(&path).unwrap();
            found.push(format!("{name} {mode:o} {} {}", bytes.len(), bytes.escape_ascii()));
        }
    }
}

/// Returns what git itself makes of a commit.
fn by_git(place: &Place, name: &str, commit: &str) -> Vec<String> {
    let path = below(place).join(name);
    std_fs::create_dir_all(below(place)).unwrap();
    let shown = path.to_str().unwrap();
    plain(&place.repo.main, &["worktree", "add", "-q", "--no-track", "-b", name, shown, commit]);
    seen(&path)
}

pub(super) fn pool(place: &Place) -> Pool {
    Pool::beside(&below(place).join("web/any"), 2, false).unwrap()
}

/// Returns where worktrees are made.
fn below(place: &Place) -> PathBuf {
    let nested = place.repo.main.join("build/root");
    if nested.exists() { nested } else { place.root() }
}

pub(super) fn make(place: &Place, id: &str, commit: &str) -> (NewWorktree, Filled) {
    let new = NewWorktree {
        path: below(place).join("web").join(id),
        base_sha: commit.to_owned(),
        ..place.new_worktree(id)
    };
    begin_add(&place.repo, &new).unwrap();
    let filled = fill(&place.repo, &new, Some(&pool(place))).unwrap();
    finish_add(&place.repo, &new).unwrap();
    (new, filled)
}

/// Puts a clean worktree into the pool as a cleanup does; returns why it did not.
pub(super) fn retire_it(place: &Place, new: &NewWorktree) -> Option<String> {
    let (handle, pool) = (place.handle(new), pool(place));
    let why = refuses(&place.repo, &handle, &pool).unwrap();
    if why.is_none() {
        retire(&place.repo, &handle, &new.session, &pool).unwrap();
        unregister(&place.repo, &handle, &new.session).unwrap();
    } else {
        remove(&place.repo, &handle, &new.session, &below(place)).unwrap();
    }
    why
}

fn check(case: &Case) {
    let place = arrange(case);
    if case.kind == Kind::Nested {
        std_fs::create_dir_all(place.repo.main.join("build/root")).unwrap();
    }
    for (number, name) in ["HEAD", "HEAD~1"].into_iter().enumerate() {
        let commit = plain(&place.repo.main, &["rev-parse", name]);
        // Of a commit that nobody has checked out, a partial clone has no file: ours comes first.
        let (new, filled) = make(&place, &format!("web-{number}"), &commit);
        let expected = by_git(&place, &format!("theirs-{number}"), &commit);
        assert_eq!(seen(&new.path), expected, "{}: {case:?}", filled.way);
        let kept = place.kept_below(&below(&place), &place.handle(&new), new.session.as_str());
        if kept.is_empty() {
            let why = retire_it(&place, &new);
            let (again, filled) = make(&place, &format!("again-{number}"), &commit);
            assert_eq!(seen(&again.path), expected, "{}: {case:?}", filled.way);
            let pooled = matches!(filled.way, Way::Pooled { .. });
            assert_eq!(pooled, why.is_none(), "{why:?}, {}", filled.way);
            // The same workspace once more, for the other commit.
            let other = plain(&place.repo.main, &["rev-parse", "HEAD~1"]);
            let expected = by_git(&place, &format!("other-{number}"), &other);
            retire_it(&place, &again);
            let (last, filled) = make(&place, &format!("last-{number}"), &other);
            assert_eq!(seen(&last.path), expected, "{}: {case:?}", filled.way);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn every_way_makes_what_git_makes(case in case()) {
        check(&case);
    }
}

#[test]
fn every_way_makes_what_git_makes_in_every_kind_of_repository() {
    let text = |text: &str| Thing::File(text.as_bytes().to_vec());
    let things = [
        ("b c", text("two\n")),
        ("d/e/x.up", text("up\n")),
        ("d/run", Thing::Program(b"#!/bin/sh\n".to_vec())),
        ("link", Thing::Link("a.txt".to_owned())),
    ];
    for kind in KINDS {
        let things = things.iter().map(|(path, thing)| ((*path).to_owned(), thing.clone()));
        check(&Case {
            things: things.collect(),
            settings: Vec::new(),
            attributes: None,
            deeds: Vec::new(),
            kind,
        });
    }
}

#[test]
fn a_worktree_inside_of_another_keeps_it() {
    let place = Place::new();
    let commit = place.repo.base(None).unwrap().sha;
    let (new, _) = make(&place, "web-1", &commit);
    let inner = new.path.join("build/inner");
    let shown = inner.to_str().unwrap();
    plain(&place.repo.main, &["worktree", "add", "-q", "--detach", shown, &commit]);
    std_fs::write(inner.join("work"), "a person's").unwrap();
    let kept = place.kept(&place.handle(&new), "web-1");
    let inside = format!("another worktree is inside: {shown}");
    assert_eq!(kept, ["ignored file build/inner/", &inside]);
    plain(&place.repo.main, &["worktree", "remove", "--force", shown]);
    assert_eq!(place.kept(&place.handle(&new), "web-1"), [""; 0]);
}

#[test]
fn a_plain_repository_is_copied_and_then_pooled() {
    let place = Place::new();
    let commit = place.repo.base(None).unwrap().sha;
    let (new, filled) = make(&place, "web-1", &commit);
    assert_eq!(filled.way.to_string(), format!("copy: 2 files of {}", place.repo.main.display()));
    assert_eq!(filled.complaint, None);
    // git reads no file to tell that nothing was changed: each is older than the index.
    let index = new.path.join(".git");
    let admin = std_fs::read_to_string(index).unwrap().trim().replace("gitdir: ", "");
    let time = |path: &Path| std_fs::metadata(path).unwrap().modified().unwrap();
    let older = Duration::from_millis(1);
    assert!(time(&new.path.join("a.txt")) + older < time(&Path::new(&admin).join("index")));
    // What is ignored goes to the trash, not to the next session.
    std_fs::create_dir(new.path.join("build")).unwrap();
    std_fs::write(new.path.join("build/out"), "built").unwrap();
    assert_eq!(retire_it(&place, &new), None);
    let (next, filled) = make(&place, "web-2", &commit);
    assert_eq!(filled.way.to_string(), "pool: the workspace that web-1 left");
    assert!(!next.path.join("build").exists());
    assert_eq!(plain(&next.path, &["status", "--porcelain", "--ignored"]), "");
    assert_eq!(plain(&next.path, &["branch", "--show-current"]), "ao/web-2");
    let trash = tree(&place.root().join(".trash"));
    assert!(trash.iter().any(|(path, bytes)| path.ends_with("build/out") && bytes == b"built"));
    assert_eq!(pool(&place).stock(Duration::ZERO).unwrap().kept, 0);
}

#[test]
fn a_commit_that_another_replaces_has_the_files_of_that_one() {
    let place = Place::new();
    let commit = place.repo.base(None).unwrap().sha;
    std_fs::write(place.repo.main.join("a.txt"), "two\n").unwrap();
    plain(&place.repo.main, &["commit", "-qam", "second"]);
    plain(&place.repo.main, &["reset", "-q", "--hard", "HEAD~1"]);
    plain(&place.repo.main, &["replace", &commit, "HEAD@{1}"]);
    let expected = by_git(&place, "theirs", &commit);
    assert_eq!(seen(&make(&place, "web-1", &commit).0.path), expected);
}

#[test]
fn what_is_foreseen_is_what_is_done() {
    let place = Place::new();
    let top = &place.repo.main;
    let first = place.repo.base(None).unwrap().sha;
    for name in ["b", "c", "d", "e"] {
        write(top, name, &Thing::File(b"x".to_vec()));
    }
    plain(top, &["add", "-A"]);
    plain(top, &["commit", "-qm", "second"]);
    write(top, "f", &Thing::File(b"x".to_vec()));
    plain(top, &["add", "-A"]);
    plain(top, &["commit", "-qm", "third"]);
    let commits = [first, plain(top, &["rev-parse", "HEAD~1"]), plain(top, &["rev-parse", "HEAD"])];
    let before = tree(&place.repo.common_dir);
    for commit in &commits {
        foresee(&place.repo, commit, Some(&pool(&place))).unwrap();
    }
    assert_eq!(tree(&place.repo.common_dir), before, "nothing is written");
    for (number, commit) in commits.iter().enumerate() {
        let foreseen = foresee(&place.repo, commit, Some(&pool(&place))).unwrap();
        let (new, filled) = make(&place, &format!("web-{number}"), commit);
        assert_eq!(foreseen, filled.way);
        plain(top, &["worktree", "remove", "--force", new.path.to_str().unwrap()]);
    }
    let (new, _) = make(&place, "web-9", &commits[2]);
    assert_eq!(retire_it(&place, &new), None);
    let foreseen = foresee(&place.repo, &commits[0], Some(&pool(&place))).unwrap();
    assert_eq!(foreseen, make(&place, "last", &commits[0]).1.way);
}

#[test]
fn what_somebody_did_in_the_pool_is_kept_and_not_handed_out() {
    let place = Place::new();
    let commit = place.repo.base(None).unwrap().sha;
    let (new, _) = make(&place, "web-1", &commit);
    assert_eq!(retire_it(&place, &new), None);
    let entry = std_fs::read_dir(place.root().join(".pool/web")).unwrap().next().unwrap().unwrap();
    std_fs::write(entry.path().join("tree/a.txt"), "mine").unwrap();
    let (next, filled) = make(&place, "web-2", &commit);
    assert!(matches!(filled.way, Way::Copied { .. }), "{}", filled.way);
    assert_eq!(std_fs::read(next.path.join("a.txt")).unwrap(), b"one\n");
    let trash = tree(&place.root().join(".trash"));
    assert!(trash.iter().any(|(path, bytes)| path.ends_with("a.txt") && bytes == b"mine"));
}

#[test]
fn what_cannot_be_moved_out_of_the_pool_is_copied() {
    let place = Place::new();
    let commit = place.repo.base(None).unwrap().sha;
    let (first, _) = make(&place, "web-1", &commit);
    assert_eq!(retire_it(&place, &first), None);
    let new = place.new_worktree("web-2");
    let new = NewWorktree { path: place.root().join("web/web-2"), ..new };
    begin_add(&place.repo, &new).unwrap();
    // Nothing can be moved over a directory with something in it.
    std_fs::write(new.path.join("in the way"), "").unwrap();
    let filled = fill(&place.repo, &new, Some(&pool(&place))).unwrap();
    assert!(matches!(filled.way, Way::Copied { .. }), "{}", filled.way);
    finish_add(&place.repo, &new).unwrap();
    assert_eq!(plain(&new.path, &["status", "--porcelain"]), "?? \"in the way\"");
    assert_eq!(std_fs::read_dir(place.root().join(".pool/web")).unwrap().count(), 0);
}

#[test]
fn what_a_newer_version_keeps_in_the_pool_is_left_to_it() {
    let place = Place::new();
    let commit = place.repo.base(None).unwrap().sha;
    let (new, _) = make(&place, "web-1", &commit);
    assert_eq!(retire_it(&place, &new), None);
    let entry = std_fs::read_dir(place.root().join(".pool/web")).unwrap().next().unwrap().unwrap();
    let note = entry.path().join("entry.json");
    let text = std_fs::read_to_string(&note).unwrap();
    std_fs::write(&note, text.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
    let before = tree(&entry.path());
    let (_, filled) = make(&place, "web-2", &commit);
    assert!(matches!(filled.way, Way::Copied { .. }), "{}", filled.way);
    let none = Pool::beside(&place.root().join("web/any"), 0, false).unwrap();
    assert_eq!(none.tend(Duration::ZERO, &|_| true).unwrap().gone, Vec::<PathBuf>::new());
    assert_eq!(tree(&entry.path()), before);
    std_fs::write(&note, text).unwrap();
    let (_, filled) = make(&place, "web-3", &commit);
    assert_eq!(filled.way.to_string(), "pool: the workspace that web-1 left");
}

#[test]
fn what_is_half_made_goes_with_its_maker_and_no_sooner() {
    let place = Place::new();
    let directory = place.root().join(".pool/web");
    for half in ["web-1-0123456789abcdef", ".for-web-2"] {
        let half = directory.join(half);
        std_fs::create_dir_all(&half).unwrap();
        std_fs::write(half.join(".ao-tmp-entry"), "{").unwrap();
        let pool = pool(&place);
        let hour = Duration::from_secs(3600);
        assert_eq!(pool.tend(hour, &|_| false).unwrap().gone, Vec::<PathBuf>::new());
        let is_owner = |id: &SessionId| half.to_string_lossy().contains(id.as_str());
        assert_eq!(pool.tend(hour, &is_owner).unwrap().gone, [half.as_path()]);
        assert!(!half.exists());
    }
}

#[test]
fn many_are_copied_and_taken_side_by_side() {
    let place = Place::new();
    let commit = place.repo.base(None).unwrap().sha;
    let spare: Vec<_> = ["s-1", "s-2"].map(|id| make(&place, id, &commit).0).into();
    for new in &spare {
        assert_eq!(retire_it(&place, new), None);
    }
    let lock = std::sync::Mutex::new(());
    let ways: Vec<Way> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8)
            .map(|number| {
                let (place, lock, commit) = (&place, &lock, &commit);
                scope.spawn(move || {
                    let new = NewWorktree {
                        path: place.root().join("web").join(format!("w-{number}")),
                        base_sha: commit.clone(),
                        ..place.new_worktree(&format!("w-{number}"))
                    };
                    {
                        let _guard = lock.lock().unwrap();
                        begin_add(&place.repo, &new).unwrap();
                    }
                    let filled = fill(&place.repo, &new, Some(&pool(place))).unwrap();
                    let _guard = lock.lock().unwrap();
                    finish_add(&place.repo, &new).unwrap();
                    assert_eq!(plain(&new.path, &["status", "--porcelain"]), "");
                    filled.way
                })
            })
            .collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    let pooled = ways.iter().filter(|way| matches!(way, Way::Pooled { .. })).count();
    let copied = ways.iter().filter(|way| matches!(way, Way::Copied { .. })).count();
    assert_eq!((pooled, copied), (2, 6), "{ways:?}");
}

#[test]
fn sparse_worktrees_and_submodules_are_gits() {
    let place = Place::new();
    let top = &place.repo.main;
    write(top, "d/in", &Thing::File(b"in".to_vec()));
    write(top, "e/out", &Thing::File(b"out".to_vec()));
    let commit = plain(top, &["rev-parse", "HEAD"]);
    let link = format!("160000,{commit},module");
    plain(top, &["add", "."]);
    plain(top, &["update-index", "--add", "--cacheinfo", &link]);
    plain(top, &["commit", "-qm", "module"]);
    let commit = plain(top, &["rev-parse", "HEAD"]);
    let expected = by_git(&place, "theirs-1", &commit);
    let (new, filled) = make(&place, "web-1", &commit);
    assert!(matches!(filled.way, Way::Copied { rest: Some(_), .. }), "{}", filled.way);
    assert_eq!(seen(&new.path), expected);
    plain(top, &["sparse-checkout", "set", "d"]);
    let expected = by_git(&place, "theirs-2", &commit);
    let (new, filled) = make(&place, "web-2", &commit);
    assert!(matches!(filled.way, Way::CheckedOut { .. }), "{}", filled.way);
    assert_eq!(seen(&new.path), expected);
}
