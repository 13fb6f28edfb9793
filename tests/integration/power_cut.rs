//! What was acknowledged was synced: a disk that forgets everything else forgets nothing of it.
//!
//! The failpoints tell what a command wrote, renamed and synced, and in which order. Of that a disk
//! is made that keeps the worst the system allows: of a file what was synced, of a directory the
//! names that were there when it was synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ao::adapter::cmd::Cmd;

use crate::agent_files::filer_card;
use crate::agents::configure;
use crate::faulted::{Case, Stage, files_below};
use crate::walk::prepare::{SPAWN, at_rest, with_judge};

/// The person's file that the agent of [`filer_card`] is answered in.
const TRUSTED: &str = "user/filer/trusted.json";

/// A disk that has only what was synced.
#[derive(Default)]
struct Disk {
    /// Files with content that is not synced.
    dirty: BTreeSet<PathBuf>,
    /// Temporary files that were written and not synced, by what they will be called.
    unfinished: BTreeMap<PathBuf, bool>,
    /// Names that their directory does not have yet.
    unnamed: BTreeSet<PathBuf>,
}

impl Disk {
    /// Does what a line of a trace tells.
    fn pass(&mut self, point: &str, path: &Path) {
        match point {
            "fs.create" => {
                self.unfinished.insert(path.to_owned(), false);
                // Its directory learns of it by the rename, or here where there will be none.
                self.unnamed.insert(path.to_owned());
            }
            "fs.write" => {
                self.unfinished.insert(path.to_owned(), true);
                self.dirty.insert(path.to_owned());
            }
            "fs.sync" | "store.sync" => {
                self.unfinished.insert(path.to_owned(), false);
                self.dirty.remove(path);
            }
            "fs.rename" => {
                if self.unfinished.remove(path) == Some(true) {
                    self.dirty.insert(path.to_owned());
                }
                self.unnamed.insert(path.to_owned());
            }
            "store.write" | "fs.append" => {
                self.dirty.insert(path.to_owned());
            }
            "fs.mkdir" => {
                self.unnamed.insert(path.to_owned());
            }
            "fs.remove" => {
                self.dirty.remove(path);
                self.unnamed.remove(path);
            }
            // git syncs the refs that it writes, and no directory.
            "cmd.spawn:git" if path.to_string_lossy().contains("core.fsync=all") => {
                self.dirty.retain(|file| !file.to_string_lossy().contains("/.git/refs/"));
            }
            "fs.sync_directory" => self.unnamed.retain(|name| name.parent() != Some(path)),
            _ => {}
        }
    }

    /// Returns those of `files` that are not wholly there, with what leads to them.
    fn missing(&self, files: &[PathBuf]) -> Vec<String> {
        let mut missing = Vec::new();
        for file in files {
            if self.dirty.contains(file) {
                missing.push(format!("{}: its content", file.display()));
            }
            for above in file.ancestors().filter(|above| self.unnamed.contains(*above)) {
                missing.push(format!("{}: the name {}", file.display(), above.display()));
            }
        }
        missing
    }
}

/// Returns the files that hold what a command acknowledges, git's and the person's among them, and
/// the directories whose names do; they need not be there.
fn promised(case: &Case<'_>) -> Vec<PathBuf> {
    let (home, git, id) = (&case.home, case.stage.repo.join(".git"), &case.id);
    let session = home.join("sessions").join(id);
    let names = ["events.jsonl", "reviews.json", "started.json", "exit.json", "installed.json"];
    let mut promised = names.map(|name| session.join(name)).to_vec();
    let entry = git.join("worktrees").join(id);
    promised.extend(["HEAD", "gitdir", "commondir", "index"].map(|name| entry.join(name)));
    promised.extend([git.join("refs/heads/main"), git.join(format!("refs/heads/ao/{id}"))]);
    promised.extend(files_below(&git.join("refs/ao")));
    promised.extend([home.join("projects/app.json"), case.workspace().join(".git")]);
    promised.extend([case.stage.env.path(TRUSTED), home.join("archive").join(id)]);
    let kept = [".trash", ".pool/app"].map(|name| home.join("worktrees").join(name));
    for full in kept.into_iter().chain([git.join("ao-trash")]) {
        let entries = fs::read_dir(full).into_iter().flatten();
        promised.extend(entries.map(|entry| entry.unwrap().path()));
    }
    promised
}

/// A name in a directory: the directory's number, the name, and the number of what it stands for.
type Name = (u64, PathBuf, u64);

fn name(path: &Path) -> Option<Name> {
    let number = |path: &Path| Some(fs::symlink_metadata(path).ok()?.ino());
    Some((number(path.parent()?)?, path.file_name()?.into(), number(path)?))
}

/// Returns a file's number and when it was written to.
fn content(path: &Path) -> Option<(u64, i64, i64)> {
    let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((found.ino(), found.mtime(), found.mtime_nsec()))
}

/// What was there before a command, wherever it is moved.
struct Before {
    root: PathBuf,
    names: BTreeSet<Name>,
    contents: BTreeSet<(u64, i64, i64)>,
}

impl Before {
    fn of(case: &Case<'_>) -> Self {
        let root = case.stage.env.path("");
        let all = files_below(&root);
        let names = all.iter().filter_map(|path| name(path)).collect();
        let contents = all.iter().filter_map(|path| content(path)).collect();
        Self { root, names, contents }
    }

    /// Returns a disk on which whatever differs is not synced, by whom ever it was changed: what a
    /// library or a child does passes no point.
    fn changed(&self, promised: &[PathBuf]) -> Disk {
        let mut disk = Disk::default();
        for path in promised.iter().filter(|path| path.exists()) {
            if content(path).is_some_and(|content| !self.contents.contains(&content)) {
                disk.dirty.insert(path.clone());
            }
            let above = path.ancestors().take_while(|above| **above != self.root);
            let other = above.filter(|it| name(it).is_some_and(|it| !self.names.contains(&it)));
            disk.unnamed.extend(other.map(Path::to_owned));
        }
        disk
    }
}

/// Runs a command and returns what a power cut right after it would have taken away.
fn lost(case: &Case<'_>, args: &[&str]) -> Vec<String> {
    lost_by(case, args, |command| command)
}

fn lost_by(case: &Case<'_>, args: &[&str], with: impl FnOnce(Cmd) -> Cmd) -> Vec<String> {
    let trace = case.stage.env.path("trace");
    let _ = fs::remove_file(&trace);
    let before = Before::of(case);
    let rule = format!("launch/*=trace:{}", trace.display());
    fs::write(case.home.join("failpoints"), rule).unwrap();
    let command = case.command(args).env("AO_FAILPOINT", format!("*=trace:{}", trace.display()));
    case.stage.env.run(&with(command)).success();
    fs::remove_file(case.home.join("failpoints")).unwrap();
    let promised = promised(case);
    let mut disk = before.changed(&promised);
    assert_ne!((disk.dirty.len(), disk.unnamed.len()), (0, 0), "{args:?} changes nothing");
    let text = fs::read_to_string(&trace).unwrap();
    for (point, path) in text.lines().filter_map(|line| line.split_once('\t')) {
        let point = point.rsplit_once('/').map_or(point, |(_, point)| point);
        disk.pass(point, Path::new(path));
    }
    disk.missing(&promised)
}

const NONE: [&str; 0] = [];

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let stage = Stage::new();
    let case = stage.case();
    assert_eq!(lost(&case, SPAWN), NONE, "spawn");
    assert_eq!(lost(&case, &["rename", "ID", "called so"]), NONE, "rename");
    let inside = |command: Cmd| {
        let launch = case.record()["handles"]["launch"].as_str().unwrap().to_owned();
        command.env("AO_SESSION", &case.id).env("AO_LAUNCH", launch)
    };
    assert_eq!(lost_by(&case, &["report", "waiting"], inside), NONE, "report");
    assert_eq!(lost(&case, &["kill", "ID"]), NONE, "kill");
    assert_eq!(lost(&case, &["restore", "ID"]), NONE, "restore");
    assert_eq!(lost(&case, &["kill", "ID"]), NONE, "kill again");
    assert_eq!(lost(&case, &["cleanup", "ID"]), NONE, "cleanup");
    assert_eq!(lost(&case, &["restore", "ID"]), NONE, "restore of what was cleaned up");
    let place = stage.env.repo("moved").display().to_string();
    assert_eq!(lost(&case, &["project", "set", "app", "--repo", &place]), NONE, "project set");
}

#[test]
fn what_goes_into_the_pool_and_comes_out_survives_a_power_cut() {
    let stage = Stage::with(|env, _| {
        configure(env, "[pool]\nsize = 2\n");
        None
    });
    // Twice: the first makes the directories.
    for _ in 0..2 {
        let case = stage.case();
        assert_eq!(lost(&case, SPAWN), NONE, "spawn");
        case.ao(&["kill", "ID"]).success();
        assert_eq!(lost(&case, &["cleanup", "ID"]), NONE, "cleanup");
        let kept = fs::read_dir(case.home.join("worktrees/.pool/app")).unwrap().count();
        assert_eq!(kept, 1);
        let next = Case { stage: &stage, home: case.home.clone(), id: format!("{}-next", case.id) };
        assert_eq!(lost(&next, SPAWN), NONE, "spawn from the pool");
        assert!(next.events().contains("pool: the workspace that"), "{}", next.events());
        next.ao(&["kill", "ID"]).success();
    }
}

#[test]
fn what_git_registers_itself_survives_a_power_cut() {
    let stage = Stage::with(|env, repo| {
        env.git(repo, &["config", "extensions.worktreeConfig", "true"]);
        None
    });
    let case = stage.case();
    assert_eq!(lost(&case, SPAWN), NONE, "spawn");
}

#[test]
fn what_was_merged_or_judged_or_kept_for_good_survives_a_power_cut() {
    let stage = Stage::with(with_judge);
    let case = stage.case();
    at_rest(&case);
    assert_eq!(lost(&case, &["send", "ID", "--queue", "the instruction"]), NONE, "send --queue");
    let trigger = ["review", "trigger", "ID", "--reviewer", "judge"];
    assert_eq!(lost(&case, &trigger), NONE, "review trigger");
    let run = format!("{}-r1", case.id);
    let submit = ["review", "submit", "--run", &run, "--verdict", "approved", "--body", "Yes."];
    assert_eq!(lost(&case, &submit), NONE, "review submit");
    assert_eq!(lost(&case, &["merge", "ID"]), NONE, "merge");
    fs::write(case.workspace().join("draft"), "kept").unwrap();
    case.ao(&["kill", "ID"]).success();
    assert_eq!(lost(&case, &["cleanup", "--force", "ID"]), NONE, "cleanup of a draft");
    let kept = files_below(&stage.repo.join(".git/refs/ao"));
    assert!(kept.iter().any(|path| path.ends_with(&case.id)), "{kept:?}");
}

#[test]
fn what_a_person_lets_an_agent_write_and_how_to_undo_it_survive_a_power_cut() {
    let stage = Stage::with(|env, _| {
        let (_, configuration) = filer_card(env, "hook user-prompt-submit\nread\n");
        configure(env, &configuration);
        None
    });
    let case = stage.case();
    let trusted = stage.env.path(TRUSTED);
    fs::create_dir_all(trusted.parent().unwrap()).unwrap();
    fs::write(&trusted, "{ \"/mine\": true }").unwrap();
    assert_eq!(lost(&case, &["spawn", "--agent", "filer", "--id", "ID", "x"]), NONE, "spawn");
    assert!(fs::read_to_string(&trusted).unwrap().contains(&case.id));
    case.ao(&["kill", "ID"]).success();
    assert_eq!(lost(&case, &["cleanup", "ID"]), NONE, "cleanup");
    assert!(!fs::read_to_string(&trusted).unwrap().contains(&case.id));
}

#[test]
fn a_disk_that_forgets_is_seen_to_forget() {
    let (log, other) = (Path::new("/h/s/events.jsonl"), Path::new("/h/s"));
    let after = |points: &[(&str, &Path)]| {
        let mut disk = Disk::default();
        points.iter().for_each(|(point, path)| disk.pass(point, path));
        disk.missing(&[log.to_owned()]).len()
    };
    assert_eq!(after(&[("store.write", log)]), 1, "written");
    assert_eq!(after(&[("store.write", log), ("store.sync", log)]), 0, "and synced");
    let replaced = [("fs.create", log), ("fs.write", log), ("fs.sync", log), ("fs.rename", log)];
    assert_eq!(after(&replaced), 1, "its name is not synced");
    assert_eq!(after(&[&replaced[..], &[("fs.sync_directory", other)]].concat()), 0);
    assert_eq!(after(&[("fs.mkdir", other)]), 1, "nor is the directory's own");
}
