//! The tmux server's own files: its socket, which nobody else may have made, and its configuration.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::adapter::clock::{self, Deadline};
use crate::adapter::fs::{self, Durability};
use crate::adapter::process;
use crate::adapter::runtime::RuntimeError;
use crate::adapter::runtime::tmux::Tmux;
use crate::adapter::runtime::tmux_parse::quoted;

/// `sockaddr_un` holds 107 bytes; the rest is left for tmux's own lock file beside it.
const LONGEST_SOCKET: usize = 100;

impl Tmux {
    pub(super) fn conf(&self) -> PathBuf {
        self.home.join("tmux.conf")
    }

    pub(super) fn prepare_files(&self) -> Result<(), RuntimeError> {
        if let Some(directory) = self.socket.parent() {
            fs::create_private_directories(directory)?;
        }
        self.check_socket()?;
        let conf = configuration(&self.user_conf);
        if fs::read_own(&self.conf())?.as_deref() != Some(conf.as_bytes()) {
            fs::replace(&self.conf(), conf.as_bytes(), Durability::Process)?;
        }
        Ok(())
    }

    /// Checks that nobody else can have put the socket, or its directory, where they are.
    pub(super) fn check_socket(&self) -> Result<(), RuntimeError> {
        let me = rustix::process::geteuid().as_raw();
        let refuse = |path: &Path, why: &str| {
            Err(RuntimeError::SocketPath { path: path.to_owned(), why: why.to_owned() })
        };
        let directory = self.socket.parent().unwrap_or(Path::new("/"));
        if let Some(found) = fs::metadata(directory)? {
            if !found.is_dir() {
                return refuse(directory, "its directory is a link or a file");
            }
            if found.uid() != me {
                return refuse(directory, "its directory belongs to somebody else");
            }
            if found.mode() & 0o022 != 0 {
                return refuse(directory, "its directory can be written by others");
            }
        }
        match fs::metadata(&self.socket)? {
            Some(found) if !found.file_type().is_socket() => {
                refuse(&self.socket, "it is not a socket")
            }
            Some(found) if found.uid() != me => refuse(&self.socket, "it belongs to somebody else"),
            Some(_) | None => Ok(()),
        }
    }

    /// Where the socket's file is gone but its server lives, has the server make it again.
    ///
    /// Another server would otherwise be started beside it, with the same sessions. Returns
    /// whether the socket is there again.
    pub(super) fn revive_server(&self) -> Result<bool, RuntimeError> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let is_there = || Ok::<_, RuntimeError>(fs::metadata(&self.socket)?.is_some());
        // A server that is only just starting has no file either, and one that is told to make its
        // socket again meanwhile lets another server in. So it must be bound first, and the file
        // be missing after that was seen.
        let is_bound = || {
            process::is_listened_on(&self.socket).map_err(RuntimeError::io("look for listeners"))
        };
        if is_there()? || !is_bound()? || is_there()? {
            return Ok(false);
        }
        let Some(server) = process::tmux_server_on(&self.socket)
            .map_err(RuntimeError::io("look for a tmux server"))?
        else {
            return Ok(false);
        };
        if let Some(directory) = self.socket.parent() {
            fs::create_private_directories(directory)?;
        }
        process::send_signal(&server, Signal::USR1)
            .map_err(RuntimeError::io("wake the tmux server"))?;
        let exists = || matches!(fs::metadata(&self.socket), Ok(Some(_))).then_some(());
        Ok(clock::poll_until(Deadline::after(PATIENCE), exists).is_some())
    }
}

/// Returns where the socket of `home` is: in it, or, where that is too long a path for a socket,
/// in a directory of the user's under `/tmp`.
///
/// The path is a function of the home and the user alone: a job of cron's must find the server
/// that a person's shell started, and it has no `XDG_RUNTIME_DIR`.
pub(super) fn socket_path(home: &Path) -> PathBuf {
    let socket = home.join("tmux.sock");
    if socket.as_os_str().len() <= LONGEST_SOCKET {
        return socket;
    }
    let digest = Sha256::digest(home.as_os_str().as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let user = rustix::process::geteuid().as_raw();
    PathBuf::from(format!("/tmp/ao-{user}-{hash}/tmux.sock"))
}

/// Returns the server's configuration. What `ao` relies on comes after the user's own.
fn configuration(user_conf: &Path) -> String {
    let pattern: String = user_conf
        .to_string_lossy()
        .chars()
        .flat_map(|c| matches!(c, '*' | '?' | '[' | '\\').then_some('\\').into_iter().chain([c]))
        .collect();
    let include = quoted(&pattern);
    format!(
        "# Written by ao; changes are lost. Your own settings belong into the file sourced below.
set -g history-limit 50000
set -g mouse on
set -g default-terminal screen-256color
set -s focus-events on
set -s escape-time 0
set -g status-left '[#S] '
set -g status-left-length 60
set -g status-right 'C-q detaches'
set -g window-status-format ''
set -g window-status-current-format ''
bind-key -n C-q detach-client
source-file -q {include}
set -g prefix None
set -g prefix2 None
set -g remain-on-exit on
set -gq remain-on-exit-format ''
set -g destroy-unattached off
set -g detach-on-destroy on
set -s exit-empty on
set -s exit-unattached off
set -g default-command ''
set -g update-environment ''
set -g set-titles off
set -g allow-rename off
set -g automatic-rename off
"
    )
}
