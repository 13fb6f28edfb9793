//! What `git worktree add` leaves beside the files, and what it is left without.

use std::mem::MaybeUninit;
use std::os::unix::fs::PermissionsExt;

use rustix::fs::inotify;

use super::filling::{make, pool, retire_it};
use super::*;
use crate::adapter::git::fill::told_of_room;

/// Returns what git keeps of a worktree beside its files, hashes and names as they are for `id`.
fn entry_of(place: &Place, path: &Path, id: &str) -> Vec<(String, String)> {
    let link = std_fs::read_to_string(path.join(".git")).unwrap();
    let admin = PathBuf::from(link.trim().replace("gitdir: ", ""));
    assert!(admin.starts_with(&place.repo.common_dir));
    let mut found = Vec::new();
    for (file, bytes) in tree(&admin) {
        let name = file.strip_prefix(&admin).unwrap().display().to_string();
        let mode = std_fs::metadata(&file).unwrap().permissions().mode();
        let text = String::from_utf8_lossy(&bytes).replace(id, "ID");
        let text = match name.as_str() {
            // Up to times, inodes and what git calls extensions: the entries are compared elsewhere.
            "index" => String::new(),
            "logs/HEAD" => {
                let time = |word: &str| word.len() == 10 && word.parse::<u64>().is_ok();
                let words = text.split(' ').map(|word| if time(word) { "TIME" } else { word });
                words.collect::<Vec<_>>().join(" ")
            }
            _ => text,
        };
        found.push((name, format!("{mode:o} {text}")));
    }
    found
}

/// Makes a worktree for `ours` beside one for `theirs`, which git makes, and asserts that git keeps
/// the same of both.
fn side_by_side(place: &Place, theirs: &str, ours: &str, detached: bool) -> (NewWorktree, Way) {
    let own = ("ao-made".to_owned(), "100600 as committed\n".to_owned());
    let path = place.root().join("web").join(theirs);
    let branch = format!("ao/{theirs}");
    let on: &[&str] = if detached { &["--detach"] } else { &["--no-track", "-b", &branch] };
    let commit = place.repo.base(None).unwrap().sha;
    let at = [path.to_str().unwrap(), &commit];
    plain(&place.repo.main, &[&["worktree", "add", "-q"], on, &at].concat());
    let mut new = place.new_worktree(ours);
    new.path = path.with_file_name(ours);
    if detached {
        (new.branch, new.create_branch) = (None, false);
    }
    begin_add(&place.repo, &new).unwrap();
    let filled = fill(&place.repo, &new, Some(&pool(place))).unwrap();
    finish_add(&place.repo, &new).unwrap();
    let (theirs, mut ours) = (entry_of(place, &path, theirs), entry_of(place, &new.path, ours));
    // All that is ours; git takes it away with the rest.
    ours.retain(|file| *file != own);
    assert_eq!(ours, theirs, "{}", filled.way);
    (new, filled.way)
}

#[test]
fn what_git_keeps_of_a_worktree_is_what_git_leaves_there() {
    let place = Place::new();
    let mut copied = Vec::new();
    for (number, detached) in [false, true, false, true].into_iter().enumerate() {
        if number == 2 {
            for new in &copied {
                assert_eq!(retire_it(&place, new), None);
            }
        }
        let (theirs, ours) = (format!("theirs-{number}"), format!("ours-{number}"));
        let (new, way) = side_by_side(&place, &theirs, &ours, detached);
        assert_eq!(matches!(way, Way::Pooled { .. }), number >= 2, "{way}");
        copied.push(new);
    }
}

#[test]
fn what_git_keeps_of_what_it_checks_out_is_what_git_leaves_there() {
    let place = Place::new();
    plain(&place.repo.main, &["config", "core.autocrlf", "true"]);
    for number in 0..6 {
        match number {
            2 => plain(&place.repo.main, &["config", "filter.x.process", "none"]),
            4 => plain(&place.repo.main, &["config", "core.sharedRepository", "group"]),
            _ => String::new(),
        };
        let (theirs, ours) = (format!("theirs-{number}"), format!("ours-{number}"));
        let (_, way) = side_by_side(&place, &theirs, &ours, number % 2 == 0);
        assert!(matches!(way, Way::CheckedOut { .. }), "{way}");
    }
}

/// Returns the names of what is made in `directory`, and not below it, while `act` runs.
fn made_meanwhile(directory: &Path, act: impl FnOnce()) -> Vec<String> {
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, directory, inotify::WatchFlags::CREATE).unwrap();
    act();
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(watch, &mut space);
    let mut names = Vec::new();
    while let Ok(event) = reader.next() {
        names.extend(event.file_name().map(|name| name.to_str().unwrap().to_owned()));
    }
    names
}

/// A git that ends with its parent in the wrong moment would leave such a lock for ever.
#[test]
fn no_lock_of_the_whole_repository_is_taken_to_check_a_commit_out() {
    let place = Place::new();
    let commit = place.repo.base(None).unwrap().sha;
    plain(&place.repo.main, &["config", "core.autocrlf", "true"]);
    let is_lock = |name: &str| name.ends_with(".lock") && name != "ao.lock";
    let made = made_meanwhile(&place.repo.common_dir, || {
        let (_, filled) = make(&place, "web-1", &commit);
        assert!(matches!(filled.way, Way::CheckedOut { .. }), "{}", filled.way);
    });
    assert_eq!(made.iter().find(|name| is_lock(name)), None);
    // What is looked for would be found.
    let made = made_meanwhile(&place.repo.common_dir, || {
        plain(&place.repo.main, &["config", "some.name", "value"]);
    });
    assert_eq!(made.iter().find(|name| is_lock(name)).map(String::as_str), Some("config.lock"));
}

/// A filter that says all it ever says before it is asked, and notes what it is told.
const FILTER: &str = r#"#!/bin/sh
printf '0016git-filter-server\n000eversion=2\n00000016capability=smudge\n0000'
printf '0013status=success\n00000007hi\n00000000'
exec cat >>told
"#;

#[test]
fn a_filter_is_told_of_which_commit_its_files_are() {
    let place = Place::new();
    let top = &place.repo.main;
    std_fs::write(top.join(".gitattributes"), "a.txt filter=x\n").unwrap();
    plain(top, &["add", "."]);
    plain(top, &["commit", "-qm", "attributes"]);
    let commit = place.repo.base(None).unwrap().sha;
    let filter = place.directory.path().join("filter");
    std_fs::write(&filter, FILTER).unwrap();
    std_fs::set_permissions(&filter, std_fs::Permissions::from_mode(0o755)).unwrap();
    plain(top, &["config", "filter.x.process", filter.to_str().unwrap()]);
    let (new, _) = make(&place, "web-1", &commit);
    assert_eq!(std_fs::read_to_string(new.path.join("a.txt")).unwrap(), "hi\n");
    let told = std_fs::read_to_string(new.path.join("told")).unwrap();
    assert!(told.contains(&format!("treeish={commit}\n")), "{told}");
    assert!(told.contains("ref=refs/heads/ao/web-1\n"), "{told}");
}

#[test]
fn a_git_that_could_not_write_is_told_with_the_room_there_is() {
    let place = Place::new();
    let new = NewWorktree { path: place.repo.main.clone(), ..place.new_worktree("web-1") };
    let told = |stderr: &str| {
        let error = GitError::Failed { command: "git".into(), stderr: stderr.to_owned() };
        told_of_room(&new, error).to_string()
    };
    for about in ["error: unable to write file 'a'", "fatal: Could not reset index file to 'HEAD'."]
    {
        let told = told(about);
        let room =
            told.split_once(&format!("{about}; ")).unwrap().1.strip_suffix(" KiB are free there");
        assert!(room.unwrap().parse::<u64>().is_ok(), "{told}");
    }
    assert!(told("fatal: not a tree").ends_with("not a tree"));
}
