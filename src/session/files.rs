//! The files of a home beside the records: whether each is what it should be.
//!
//! Looks and changes nothing. What is wrong here stops one thing and no other, and says so where
//! it does; this finds it before.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use crate::adapter::fs;
use crate::adapter::runtime::{EXIT_FILE, STARTED_FILE};
use crate::adapter::{agent, check_run, runtime};
use crate::invocation::World;
use crate::model::id::{ProjectId, SessionId};
use crate::model::record::Record;
use crate::model::sanitize::chain;
use crate::session::agent_files::workspace_of;
use crate::session::intake;
use crate::store::{StoreError, format, home};

/// A file that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whose it is: "home", "format", "project web", "session web-1".
    pub what: String,
    /// Which it is, and what is wrong with it.
    pub detail: String,
    /// What a person can do about it.
    pub hint: &'static str,
}

/// What may stand in a home that is neither a file nor a directory.
const SOCKET: &str = "tmux.sock";

/// What an agent of the process runtime reads its messages from.
const INPUT: &str = "input.fifo";

const TWICE_HINT: &str = "move one of the two away; nothing is overwritten meanwhile";
const KIND_HINT: &str = "move it away; ao makes what it needs anew";
const NEWER_HINT: &str = "use the newer ao that wrote it";
const FORMAT_HINT: &str = "write the number of its format into it: `1` where no newer ao was here";
const MODE_HINT: &str = "take the right to write it from others (`chmod go-w`)";
const PASS_HINT: &str = "move it away; the next `ao reap` writes it anew";
const TIMER_HINT: &str = "move it away; `ao timer install` writes it anew";
const PROJECT_HINT: &str = "move it away, then `ao project add` in its repository";
const INTAKE_HINT: &str = "move it away; issues that were given up, or whose sessions nobody \
     remembers, are then tried again";
const LAUNCH_HINT: &str = "`ao kill` ends whatever is left of the agent; then move it away";
const CHECK_HINT: &str = "move it away; the next reap checks the branch again";
const HOOKS_HINT: &str =
    "move it away; `git status` in the workspace shows what of the agent's hooks is left";

/// Returns what is wrong with the files of the home itself and with its projects'.
pub fn of_home(world: &World) -> Vec<Finding> {
    let root = world.home.root();
    let mut found = kinds("home", root);
    for below in ["sessions", "archive", "projects"] {
        found.extend(kinds("home", &root.join(below)));
    }
    let is_json = |bytes: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
    for (name, hint) in [("reap.json", PASS_HINT), ("timer.json", TIMER_HINT)] {
        let path = root.join(name);
        if fs::read_own(&path).is_ok_and(|bytes| bytes.is_some_and(|bytes| !is_json(bytes))) {
            let detail = format!("{} is damaged: it is not JSON", path.display());
            found.push(Finding { what: "home".to_owned(), detail, hint });
        }
    }
    match format::read(root) {
        Ok(Some(number)) if number > format::FORMAT => {
            let detail = StoreError::NewerFormat { found: number }.to_string();
            found.push(Finding { what: "format".to_owned(), detail, hint: NEWER_HINT });
        }
        Err(error @ StoreError::Damaged { .. }) => {
            let (what, detail) = ("format".to_owned(), chain(&error));
            found.push(Finding { what, detail, hint: FORMAT_HINT });
        }
        // What is no file is told as such.
        Ok(_) | Err(_) => {}
    }
    let archived = world.home.archived_ids().unwrap_or_default();
    for id in world.home.session_ids().unwrap_or_default() {
        if archived.contains(&id) {
            let detail =
                format!("{} is in the archive as well", world.home.session_dir(&id).display());
            found.push(Finding { what: format!("session {id}"), detail, hint: TWICE_HINT });
        }
    }
    for id in world.home.project_ids().unwrap_or_default() {
        found.extend(of_project(world, &id));
    }
    found
}

fn of_project(world: &World, id: &ProjectId) -> Vec<Finding> {
    let project = world.home.project(id).err().map(|error| (chain(&error), PROJECT_HINT));
    let intake = intake::load(world, id).err().map(|error| (chain(&error), INTAKE_HINT));
    let what = || format!("project {id}");
    let found = project.into_iter().chain(intake);
    found.map(|(detail, hint)| Finding { what: what(), detail, hint }).collect()
}

/// Returns what is wrong with the files beside the record of a live session.
pub fn of_session(world: &World, id: &SessionId, record: &Record) -> Vec<Finding> {
    let directory = world.home.session_dir(id);
    let what = format!("session {id}");
    let mut found = kinds(&what, &directory);
    let mut add = |problem: Option<String>, hint| {
        let finding = problem.map(|detail| Finding { what: what.clone(), detail, hint });
        found.extend(finding.filter(|new| !found.iter().any(|it| new.detail.contains(&it.detail))));
    };
    if let Some(launch) = &record.handles.launch {
        for name in [EXIT_FILE, STARTED_FILE] {
            let read = match name {
                EXIT_FILE => runtime::exit_record(&directory, launch).map(drop),
                _ => runtime::start_record(&directory, launch).map(drop),
            };
            add(read.err().map(|error| chain(&error)), LAUNCH_HINT);
        }
    }
    add(check_run::standing(&directory).err().map(|error| chain(&error)), CHECK_HINT);
    add(
        agent::installed(&directory, workspace_of(record)).err().map(|error| chain(&error)),
        HOOKS_HINT,
    );
    found
}

/// Returns every entry of `directory` that is no file, directory or socket of ours alone.
fn kinds(what: &str, directory: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in fs::names(directory).unwrap_or_default() {
        let path = directory.join(&name);
        // What a repair kept beside is as it was found.
        let shown = name.to_string_lossy();
        let is_kept = shown.contains(".bad-") || shown.contains(".rest-");
        let Ok(Some(metadata)) = fs::metadata(&path) else { continue };
        if is_kept {
            continue;
        }
        let (kind, mode) = (metadata.file_type(), metadata.permissions().mode());
        let is_lock = name.as_encoded_bytes().ends_with(b"lock");
        let is_channel = (kind.is_socket() && name == SOCKET) || (kind.is_fifo() && name == INPUT);
        let is_wanted = kind.is_file() || (kind.is_dir() && !is_lock) || is_channel;
        let wrong = if !is_wanted {
            Some(("it is not a regular file".to_owned(), KIND_HINT))
        } else if metadata.uid() != home::own_user() {
            Some((format!("it belongs to user {}", metadata.uid()), KIND_HINT))
        } else if mode & 0o022 != 0 && !kind.is_socket() {
            Some((format!("others can write it (mode {:04o})", mode & 0o7777), MODE_HINT))
        } else {
            None
        };
        found.extend(wrong.map(|(why, hint)| Finding {
            what: what.to_owned(),
            detail: format!("{}: {why}", path.display()),
            hint,
        }));
    }
    found
}
