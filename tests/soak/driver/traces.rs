//! What is left on the machine: processes, panes, worktrees, branches, files, locks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::Soak;
use super::verdict::Verdict;
use super::watch::{self, Seen};
use super::world::{self, World};

/// Returns what nothing that `ao` does may change: the user's files and git's own about them.
pub(crate) fn users_files(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    let app = world.path("app");
    let mut names: Vec<PathBuf> = fs::read_dir(&app)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    for name in ["index", "HEAD", "config", "refs/heads/main", "description"] {
        names.push(app.join(".git").join(name));
    }
    for entry in below(&app.join(".git/hooks")).into_iter().chain(below(&app.join(".git/info"))) {
        names.push(entry);
    }
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap_or_default();
        (path, bytes)
    };
    names.into_iter().filter(|path| !path.is_dir()).map(read).collect()
}

/// Looks while sessions live: every process and pane is one's that lives.
pub(crate) fn while_they_live(soak: &Soak, seen: &[Seen], verdict: &mut Verdict) {
    let world = &soak.world;
    let live: BTreeSet<&str> =
        seen.iter().filter(|it| !it.terminal).map(|it| it.launch.as_str()).collect();
    for one in seen.iter().filter(|it| !it.terminal) {
        verdict.check("live sessions whose agent lives");
        if watch::agent(world, one).is_none() {
            let (id, state, reason) = (&one.id, &one.state, &one.reason);
            verdict.wrong.push(format!("{id} is {state} ({reason}), and its agent is dead"));
        }
    }
    for pid in world.processes() {
        let line = world::command_line(pid);
        if line.is_empty() {
            continue;
        }
        let launch = live.iter().any(|launch| {
            world::has_variable(pid, &format!("AO_LAUNCH={launch}"))
                || line.iter().any(|word| word == launch)
        });
        if !launch {
            verdict.orphans.push(format!("process {pid}: {}", line.join(" ")));
        }
    }
    let ids: BTreeSet<&str> = seen.iter().map(|it| it.id.as_str()).collect();
    for pane in panes(world) {
        verdict.check("panes that are a session's");
        if !ids.contains(pane.as_str()) {
            verdict.orphans.push(format!("pane of {pane}, which has no record"));
        }
    }
}

fn panes(world: &World) -> Vec<String> {
    let mut tmux = world.command("tmux".as_ref());
    tmux.arg("-S").arg(world.path("home/tmux.sock"));
    let output = tmux.args(["list-panes", "-a", "-F", "#{session_name}"]).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

/// Looks when everything was ended and cleaned up: nothing is left but what is archived.
pub(crate) fn when_all_is_over(
    soak: &Soak,
    users: &BTreeMap<PathBuf, Vec<u8>>,
    verdict: &mut Verdict,
) {
    let world = &soak.world;
    for one in watch::look(world) {
        verdict.orphans.push(format!("{} was not cleaned up ({})", one.id, one.state));
    }
    for pid in world.processes() {
        verdict.orphans.push(format!("process {pid}: {}", world::command_line(pid).join(" ")));
    }
    for pane in panes(world) {
        verdict.orphans.push(format!("pane of {pane}"));
    }
    repository(world, verdict);
    files(world, verdict);
    let after = users_files(world);
    for (path, before) in users {
        verdict.check("files of the user's");
        if after.get(path) != Some(before) {
            verdict.wrong.push(format!("the user's {} was changed", path.display()));
        }
    }
    for path in after.keys().filter(|path| !users.contains_key(*path)) {
        verdict.orphans.push(format!("{} in the user's repository", path.display()));
    }
}

fn repository(world: &World, verdict: &mut Verdict) {
    let app = world.path("app");
    let worktrees = world.git(&["worktree", "list", "--porcelain"]).unwrap_or_default();
    let others = worktrees.iter().filter_map(|line| line.strip_prefix("worktree "));
    for path in others.filter(|path| Path::new(path) != app) {
        verdict.orphans.push(format!("worktree {path}"));
    }
    for entry in fs::read_dir(app.join(".git/worktrees")).into_iter().flatten().flatten() {
        verdict.orphans.push(format!("entry {}", entry.path().display()));
    }
    let known: BTreeSet<String> = ["archive", "sessions"]
        .iter()
        .flat_map(|place| fs::read_dir(world.path("home").join(place)).into_iter().flatten())
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let main = world.git(&["rev-parse", "main"]).unwrap_or_default();
    let refs = world.git(&["for-each-ref", "--format=%(objectname) %(refname)"]);
    for line in refs.unwrap_or_default() {
        let Some((commit, name)) = line.split_once(' ') else { continue };
        verdict.check("refs");
        let ours = name.strip_prefix("refs/heads/ao/").or(name.strip_prefix("refs/ao/preserved/"));
        match ours.map(|rest| rest.split('/').next().unwrap_or(rest)) {
            Some(id) if !known.contains(id) && !known.contains(numbered(id)) => {
                verdict.orphans.push(format!("{name}, which no session has"));
            }
            Some(_) if name.starts_with("refs/heads/") && main.iter().any(|it| it == commit) => {
                verdict.orphans.push(format!("{name}, in which nothing is"));
            }
            Some(_) => {}
            None if name == "refs/heads/main" => {}
            None => verdict.orphans.push(name.to_owned()),
        }
    }
}

/// Whose a second and later save is: of `app-1-2`, `app-1`.
fn numbered(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((id, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => id,
        _ => name,
    }
}

fn files(world: &World, verdict: &mut Verdict) {
    for place in [world.path("home"), world.path("app/.git"), world.path("tmp")] {
        // What was removed lies in the trash for a day, as it was.
        let is_trash = |path: &PathBuf| {
            path.components().any(|part| part.as_os_str().to_string_lossy().ends_with("trash"))
        };
        for path in below(&place).into_iter().filter(|path| !is_trash(path)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.contains(".ao-tmp-") || place.ends_with("tmp") {
                verdict.orphans.push(format!("temporary file {}", path.display()));
            }
            if name != "lock" && !name.ends_with(".lock") {
                continue;
            }
            if place.ends_with(".git") && name != "ao.lock" {
                verdict.orphans.push(format!("lock file {}", path.display()));
                continue;
            }
            verdict.check("lock files");
            if ao::store::lock::is_held_shared_probe(&path).unwrap_or(true) {
                verdict.orphans.push(format!("lock held: {}", path.display()));
            }
        }
    }
    for entry in below(&world.path("home/worktrees")) {
        if !entry.components().any(|part| part.as_os_str() == ".trash") && entry.is_file() {
            verdict.orphans.push(format!("file {}", entry.display()));
        }
    }
}

/// Returns every path below a directory; links are not followed.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(below(&entry.path()));
        }
        all.push(entry.path());
    }
    all
}
