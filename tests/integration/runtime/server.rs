//! The tmux server of a home: its socket, its configuration, its surroundings.

use super::*;

#[test]
fn a_path_with_a_format_in_it_runs_nothing() {
    let world = World::new();
    let cwd = world.path().join("h#(touch PWNED)$(x);");
    std::fs::create_dir(&cwd).unwrap();
    let mut spec = world.spec("ao-1", "touch here; exec sleep 600");
    spec.cwd = cwd.clone();
    world.tmux.start(&spec).unwrap();
    assert!(wait(|| cwd.join("here").exists()));
    for place in [world.path(), Path::new("/"), &cwd] {
        assert!(!place.join("PWNED").exists(), "{}", place.display());
    }
}

#[test]
fn the_server_keeps_no_file_of_ours_open_and_no_secret_in_its_command_line() {
    let world = World::new();
    let held = std::fs::File::create(world.path().join("lock")).unwrap();
    let mut spec = world.spec("ao-1", "exec sleep 600");
    spec.env.push(("TOKEN".into(), "s3cret".into()));
    spec.argv.push("the prompt".into());
    world.tmux.start(&spec).unwrap();
    let server = world.server_pid();
    let mut open = std::fs::read_dir(format!("/proc/{server}/fd")).unwrap();
    assert!(!open.any(|entry| {
        let link = std::fs::read_link(entry.unwrap().path()).unwrap_or_default();
        link == world.path().join("lock") || link.ends_with("alive.lock")
    }));
    drop(held);
    let line = std::fs::read(format!("/proc/{server}/cmdline")).unwrap();
    let environment = std::fs::read(format!("/proc/{server}/environ")).unwrap();
    for bytes in [line, environment] {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for secret in ["s3cret", "the prompt", "AO_", "TMUX"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn a_user_configuration_cannot_take_away_what_ao_relies_on() {
    let world = World::new();
    std::fs::create_dir(world.path().join("xdg")).unwrap();
    let conf = "set -g destroy-unattached on\nset -g remain-on-exit off\nset -g base-index 1\n\
                set -g default-shell /bin/false\nset -g @mine yes\nset -g no-such-option x\n";
    std::fs::write(world.path().join("xdg/tmux.conf"), conf).unwrap();
    let (spec, started) = world.start("ao-1", "read line; exit 3");
    assert_eq!(world.by_hand(&["show-options", "-gv", "@mine"]), "yes");
    world.send(&spec, "x", false);
    assert_eq!(wait_for_exit(&spec), 3);
    assert!(wait(|| world.pane(&spec, &started) == Liveness::Dead));
    assert!(world.tmux.has(&spec.session).unwrap());
}

#[test]
fn a_home_too_deep_for_a_socket_gets_a_short_one_of_its_own() {
    let deep = PathBuf::from(format!("/tmp/{}", "deep/".repeat(30)));
    let socket = Tmux::new(&deep, &deep).unwrap().socket().to_owned();
    assert!(socket.as_os_str().as_bytes().len() <= 100);
    assert!(socket.starts_with("/tmp") && socket.ends_with("tmux.sock"));
    assert_eq!(socket, Tmux::new(&deep, &deep).unwrap().socket());
    assert_ne!(socket, Tmux::new(&deep.join("x"), &deep).unwrap().socket());
}

#[test]
fn a_socket_that_is_a_link_or_in_a_shared_directory_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("tmux.sock")).unwrap();
    let refused = Tmux::new(dir.path(), dir.path());
    assert!(matches!(refused, Err(RuntimeError::SocketPath { .. })), "{refused:?}");
    let shared = dir.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = Tmux::new(&shared, dir.path());
    assert!(matches!(refused, Err(RuntimeError::SocketPath { .. })), "{refused:?}");
}

#[test]
fn a_surrounding_tmux_is_not_spoken_to() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "runtime::starting::a_closed_session_ends_its_agent_and_the_end_is_recorded",
        ])
        .env("TMUX", "garbage,1,0")
        .env("TMUX_TMPDIR", "/nonexistent")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn the_attach_command_names_the_session_exactly() {
    let world = World::new();
    let session: SessionId = "ao-1".parse().unwrap();
    let command = world.tmux.attach_command(&session, true).command();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let socket = world.tmux.socket().to_string_lossy().into_owned();
    let conf = world.path().join("tmux.conf").to_string_lossy().into_owned();
    let wanted = ["-u", "-S", &socket, "-f", &conf, "attach-session", "-t", "=ao-1", "-r"];
    assert_eq!(args, wanted);
}
