//! The runtimes against a real tmux, each test on a server of its own.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ao::adapter::clock::{self, Deadline};
use ao::adapter::ids;
use ao::adapter::process;
use ao::adapter::runtime::tmux::{SendOptions, SendOutcome, Tmux};
use ao::adapter::runtime::{
    LaunchSpec, RuntimeError, Started, StdinSource, exit_record, launcher, process_fact,
    process_runtime, start_record,
};
use ao::model::facts::Liveness;
use ao::model::id::{LaunchId, SessionId};

/// A home of its own, with its own tmux server, gone at the end.
struct World {
    dir: tempfile::TempDir,
    tmux: Tmux,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("ao-rt-").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(dir.path().join("w")).unwrap();
        let tmux = Tmux::new(dir.path(), &dir.path().join("xdg")).unwrap();
        Self { dir, tmux }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn spec(&self, session: &str, script: &str) -> LaunchSpec {
        let session_dir = self.path().join("sessions").join(session);
        std::fs::create_dir_all(&session_dir).unwrap();
        let launch = ids::launch();
        let path = std::env::var_os("PATH").unwrap();
        LaunchSpec {
            session: session.parse().unwrap(),
            session_dir,
            cwd: self.path().join("w"),
            argv: ["sh", "-c", script].map(OsString::from).to_vec(),
            env: vec![
                ("PATH".into(), path),
                ("AO_LAUNCH".into(), launch.as_str().into()),
                ("AO_SESSION".into(), session.into()),
            ],
            stdin: StdinSource::Terminal,
            size: (80, 24),
            launch,
        }
    }

    fn start(&self, session: &str, script: &str) -> (LaunchSpec, Started) {
        let spec = self.spec(session, script);
        let started = self.tmux.start(&spec).unwrap();
        (spec, started)
    }

    /// Runs tmux by hand on this world's server.
    fn by_hand(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .env_remove("TMUX")
            .arg("-u")
            .arg("-S")
            .arg(self.tmux.socket())
            .args(["-f", "/dev/null"])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn server_pid(&self) -> i32 {
        self.by_hand(&["display-message", "-p", "#{pid}"]).parse().unwrap()
    }

    fn signal_server(&self, signal: &str) {
        signal_pid(self.server_pid(), signal);
    }

    fn pane(&self, spec: &LaunchSpec, started: &Started) -> Liveness {
        Tmux::fact(&self.tmux.probe(), &started.handle, &spec.launch)
    }

    fn screen(&self, spec: &LaunchSpec) -> String {
        let target = (spec.session.clone(), spec.launch.clone());
        self.tmux.capture(&[target], 200, false).unwrap().remove(&spec.session).unwrap_or_default()
    }

    fn wait_for_screen(&self, spec: &LaunchSpec, text: &str) {
        let seen = wait(|| self.screen(spec).contains(text));
        assert!(seen, "no {text:?} in:\n{}", self.screen(spec));
    }

    fn send(&self, spec: &LaunchSpec, text: &str, bracketed: bool) -> SendOutcome {
        let options =
            SendOptions { submit: true, bracketed, blocked: None, proof: &mut |_deadline| false };
        self.tmux.send(&spec.session, &spec.launch, text, options).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join("w").join(name)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(self.tmux.socket())
            .arg("kill-server")
            .stderr(Stdio::null())
            .status();
        // Each launcher still writes down how its agent ended.
        let sessions = std::fs::read_dir(self.path().join("sessions")).into_iter().flatten();
        for session in sessions.flatten() {
            wait(|| !launcher::is_held(&session.path()).unwrap_or(false));
        }
    }
}

fn signal_pid(pid: i32, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

fn wait(mut condition: impl FnMut() -> bool) -> bool {
    clock::poll_until(Deadline::after(Duration::from_secs(10)), || condition().then_some(()))
        .is_some()
}

fn process_liveness(spec: &LaunchSpec) -> Liveness {
    process_fact(&spec.session_dir, &spec.launch).liveness
}

fn wait_for_exit(spec: &LaunchSpec) -> i32 {
    assert!(wait(|| process_liveness(spec) == Liveness::Dead));
    process_fact(&spec.session_dir, &spec.launch).exit_code.unwrap()
}

fn end(spec: &LaunchSpec) {
    process::end_marked(&spec.launch, Duration::from_millis(500)).unwrap();
}

#[test]
fn an_agent_starts_in_its_directory_with_its_environment_and_its_exit_code_is_kept() {
    let world = World::new();
    let mut spec = world.spec("ao-1", "pwd; env; tty; read line; exit 7");
    spec.env.push(("TERM".into(), "vt52".into()));
    let started = world.tmux.start(&spec).unwrap();

    assert_eq!(process_liveness(&spec), Liveness::Alive);
    assert_eq!(world.pane(&spec, &started), Liveness::Alive);
    world.wait_for_screen(&spec, "/dev/pts/");
    let screen = world.screen(&spec);
    assert!(screen.contains(world.path().join("w").to_str().unwrap()), "{screen}");
    assert!(screen.contains(&format!("AO_LAUNCH={}", spec.launch)), "{screen}");
    assert!(!screen.contains("TMUX") && !screen.contains("LC_ALL"), "{screen}");
    assert!(!screen.contains("vt52") && screen.contains("TERM="), "{screen}");
    assert!(!spec.session_dir.join("launch.json").exists());
    assert_eq!(started.handle.pid, started.handle.process().map(|process| process.pid));

    world.by_hand(&["send-keys", "-t", "=ao-1:", "Enter"]);
    assert_eq!(wait_for_exit(&spec), 7);
    assert!(wait(|| world.pane(&spec, &started) == Liveness::Dead));
    // The last screen survives.
    assert!(world.screen(&spec).contains("AO_SESSION=ao-1"));
    assert_eq!(exit_record(&spec.session_dir, &spec.launch).unwrap().unwrap().code, Some(7));
}

#[test]
fn a_signal_is_an_exit_code_of_128_and_more() {
    let world = World::new();
    let (spec, _) = world.start("ao-1", "kill -9 $$");
    assert_eq!(wait_for_exit(&spec), 137);
}

#[test]
fn the_launcher_passes_signals_on_and_its_own_death_takes_the_agent() {
    let world = World::new();
    let (spec, started) = world.start("ao-1", "trap 'exit 5' TERM; while :; do sleep 0.05; done");
    signal_pid(started.handle.pid.unwrap().cast_signed(), "TERM");
    assert_eq!(wait_for_exit(&spec), 5);

    let (spec, started) = world.start("ao-2", "exec sleep 600");
    let agent = start_record(&spec.session_dir, &spec.launch).unwrap().unwrap().agent_pid;
    signal_pid(started.handle.pid.unwrap().cast_signed(), "KILL");
    assert!(wait(|| process_liveness(&spec) == Liveness::Dead));
    assert!(process_fact(&spec.session_dir, &spec.launch).confirmed);
    assert!(wait(|| process::marked(&spec.launch).unwrap().is_empty()), "{agent} lives");
}

#[test]
fn a_closed_session_ends_its_agent_and_the_end_is_recorded() {
    let world = World::new();
    let (spec, started) = world.start("ao-1", "exec sleep 600");
    world.tmux.destroy(&spec.session, &spec.launch).unwrap();
    assert_eq!(wait_for_exit(&spec), 129);
    assert_eq!(world.pane(&spec, &started), Liveness::Dead);
    assert!(!world.tmux.has(&spec.session).unwrap());
    world.tmux.destroy(&spec.session, &spec.launch).unwrap();
}

#[test]
fn a_missing_directory_or_program_is_a_failed_start_that_leaves_nothing() {
    let world = World::new();
    let mut spec = world.spec("ao-1", "true");
    spec.cwd = world.path().join("nowhere");
    let error = world.tmux.start(&spec).unwrap_err();
    let RuntimeError::StartFailed { screen, .. } = &error else { panic!("{error:?}") };
    assert!(screen.contains("launch refused: working directory"), "{screen}");
    assert!(world.tmux.probe().unwrap().panes.is_empty());
    assert!(!spec.session_dir.join("launch.json").exists());

    let mut spec = world.spec("ao-2", "true");
    spec.argv = vec!["no-such-program-here".into()];
    let error = world.tmux.start(&spec).unwrap_err();
    let RuntimeError::StartFailed { why, .. } = &error else { panic!("{error:?}") };
    assert!(why.contains("could not run `no-such-program-here`"), "{why}");
    assert!(world.tmux.probe().unwrap().panes.is_empty());
    let exit = exit_record(&spec.session_dir, &spec.launch).unwrap().unwrap();
    assert_eq!(exit.code, Some(127));
}

#[test]
fn a_second_launch_is_refused_while_the_first_lives() {
    let world = World::new();
    let (first, _) = world.start("ao-1", "exec sleep 600");
    let second = world.spec("ao-1", "true");
    assert!(matches!(world.tmux.start(&second), Err(RuntimeError::Occupied { .. })));
    assert!(matches!(process_runtime::start(&second), Err(RuntimeError::Occupied { .. })));

    // Even a launcher that was started all the same runs nothing.
    launcher::write_spec(&second).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_ao"))
        .arg("launch")
        .arg(&second.session_dir)
        .arg(second.launch.as_str())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(73));
    assert!(start_record(&first.session_dir, &first.launch).unwrap().is_some());
    assert_eq!(process_liveness(&first), Liveness::Alive);
    end(&first);
}

#[test]
fn a_dead_pane_of_an_earlier_launch_is_replaced_and_a_strangers_is_not() {
    let world = World::new();
    let (first, handle) = world.start("ao-1", "exit 0");
    wait_for_exit(&first);
    assert!(wait(|| world.pane(&first, &handle) == Liveness::Dead));
    let (second, handle) = world.start("ao-1", "exec sleep 600");
    assert_eq!(world.pane(&second, &handle), Liveness::Alive);
    assert_eq!(world.tmux.probe().unwrap().panes.len(), 1);

    world.by_hand(&["new-session", "-d", "-s", "ao-2", "cat"]);
    let spec = world.spec("ao-2", "true");
    assert!(matches!(world.tmux.start(&spec), Err(RuntimeError::NameTaken { .. })));
    assert_eq!(world.tmux.probe().unwrap().panes.len(), 2);
}

#[test]
fn every_state_of_a_pane_has_its_fact() {
    let world = World::new();
    assert!(world.tmux.probe().unwrap().absent);
    let (spec, started) = world.start("ao-1", "exec sleep 600");
    let (longer, _) = world.start("ao-12", "exec sleep 600");

    // Renamed by hand: still the same pane, but never typed into under its old name.
    world.by_hand(&["rename-session", "-t", "=ao-1", "mine"]);
    assert_eq!(world.pane(&spec, &started), Liveness::Alive);
    let outcome = world.send(&spec, "hello", false);
    assert!(matches!(outcome, SendOutcome::Failed { .. }), "{outcome:?}");
    assert!(!world.tmux.has(&spec.session).unwrap());
    world.by_hand(&["rename-session", "-t", "=mine", "ao-1"]);

    // Respawned by hand: another process.
    world.by_hand(&["respawn-pane", "-k", "-t", "=ao-1:", "cat"]);
    assert_eq!(world.pane(&spec, &started), Liveness::Indeterminate);

    // Another session of the same name.
    world.by_hand(&["kill-session", "-t", "=ao-1"]);
    assert_eq!(world.pane(&spec, &started), Liveness::Dead);
    world.by_hand(&["new-session", "-d", "-s", "ao-1", "cat"]);
    assert_eq!(world.pane(&spec, &started), Liveness::Indeterminate);
    world.tmux.destroy(&spec.session, &spec.launch).unwrap();
    assert!(world.tmux.has(&spec.session).unwrap(), "a stranger's session was closed");
    world.by_hand(&["kill-session", "-t", "=ao-1"]);

    // `ao-1` is not `ao-12`.
    world.tmux.destroy(&spec.session, &spec.launch).unwrap();
    assert!(world.tmux.has(&longer.session).unwrap());
}

#[test]
fn a_pane_split_off_by_hand_is_not_the_agents() {
    let world = World::new();
    let (spec, started) = world.start("ao-1", "read line");
    world.by_hand(&["split-window", "-t", "=ao-1:", "cat"]);
    let outcome = world.send(&spec, "hello", false);
    assert!(matches!(outcome, SendOutcome::Failed { .. }), "{outcome:?}");
    end(&spec);
    assert!(wait(|| world.pane(&spec, &started) == Liveness::Dead));
}

#[test]
fn a_stopped_server_fails_at_the_deadline_and_nobody_is_declared_dead() {
    let mut world = World::new();
    let (spec, started) = world.start("ao-1", "exec sleep 600");
    let server = world.server_pid();
    world.tmux.deadline = Duration::from_millis(300);
    signal_pid(server, "STOP");
    let panes = world.tmux.probe();
    let late = world.spec("ao-2", "touch ran");
    let start = world.tmux.start(&late);
    let fact = Tmux::fact(&panes, &started.handle, &spec.launch);
    let alive = process_liveness(&spec);
    signal_pid(server, "CONT");

    assert!(matches!(panes, Err(RuntimeError::Unresponsive { .. })), "{panes:?}");
    assert!(matches!(start, Err(RuntimeError::Unresponsive { .. })), "{start:?}");
    assert_eq!((fact, alive), (Liveness::Failed, Liveness::Alive));
    // What timed out happens later, and finds nothing to run.
    world.tmux.deadline = Duration::from_secs(5);
    assert!(wait(|| world.tmux.has(&late.session).unwrap()));
    assert!(wait(|| world.by_hand(&["list-panes", "-t", "=ao-2:", "-F", "#{pane_dead}"]) == "1"));
    assert!(!world.file("ran").exists());
}

#[test]
fn a_deleted_socket_comes_back_and_no_second_server_is_started() {
    let world = World::new();
    let (spec, started) = world.start("ao-1", "exec sleep 600");
    let server = world.server_pid();
    std::fs::remove_file(world.tmux.socket()).unwrap();
    assert_eq!(world.pane(&spec, &started), Liveness::Alive);
    std::fs::remove_file(world.tmux.socket()).unwrap();
    world.start("ao-2", "exec sleep 600");
    assert_eq!(world.server_pid(), server);
    assert_eq!(world.tmux.probe().unwrap().panes.len(), 2);
}

#[test]
fn an_agent_that_outlives_its_server_is_an_orphan_and_can_be_ended() {
    let world = World::new();
    let (spec, started) = world.start("ao-1", "trap '' HUP; while :; do sleep 0.1; done");
    world.signal_server("KILL");
    assert!(wait(|| world.tmux.probe().unwrap().absent));
    assert_eq!(world.pane(&spec, &started), Liveness::Dead);
    assert_eq!(process_liveness(&spec), Liveness::Alive);

    // A second server with a session of the same name says nothing about the first.
    world.by_hand(&["new-session", "-d", "-s", "ao-1", "cat"]);
    assert_eq!(world.pane(&spec, &started), Liveness::Indeterminate);

    end(&spec);
    assert!(wait(|| process_liveness(&spec) == Liveness::Dead));
    assert!(process::marked(&spec.launch).unwrap().is_empty());
}

#[test]
fn the_whole_tree_is_ended_by_its_marker() {
    let world = World::new();
    let script = "setsid sleep 601 & nohup sleep 602 >/dev/null 2>&1 & \
                  (trap '' HUP TERM; while :; do sleep 0.2; done) & touch up; wait";
    let (spec, _) = world.start("ao-1", script);
    assert!(
        wait(|| world.file("up").exists() && process::marked(&spec.launch).unwrap().len() >= 4)
    );
    let report = process::end_marked(&spec.launch, Duration::from_millis(200)).unwrap();
    assert!(report.left.is_empty() && report.spared.is_empty(), "{report:?}");
    assert!(process::marked(&spec.launch).unwrap().is_empty());
    world.tmux.destroy(&spec.session, &spec.launch).unwrap();
    assert!(wait(|| process_liveness(&spec) == Liveness::Dead));
}

/// Reads its terminal byte by byte, with bracketed paste, into a file; a composer that Enter
/// empties.
const RAW_READER: &str = r#"stty raw -echo; printf '\033[?2004h> '; touch ready
while c=$(dd bs=65536 count=1 2>/dev/null; echo x); c=${c%x}; [ -n "$c" ]; do
  printf '%s' "$c" >>got
  case $c in
    *"$(printf '\r')"*) printf '\033[2J\033[H> '; touch submitted;;
    *) printf '%s' "$c" | tr -d '\033' | tail -c 60;;
  esac
done"#;

fn start_raw_reader(world: &World) -> LaunchSpec {
    let (spec, _) = world.start("ao-1", RAW_READER);
    assert!(wait(|| world.file("ready").exists()));
    spec
}

#[test]
fn several_lines_arrive_as_one_paste_and_cannot_break_out_of_it() {
    let world = World::new();
    let spec = start_raw_reader(&world);
    let outcome = world.send(&spec, "first $(touch x) `y`\n-x #{pid}\u{1b}[201~\rlast line;", true);
    assert_eq!(outcome, SendOutcome::Submitted);
    let got = std::fs::read(world.file("got")).unwrap();
    let expected = "\u{1b}[200~first $(touch x) `y`\n-x #{pid}last line;\u{1b}[201~\r";
    assert_eq!(String::from_utf8_lossy(&got), expected);
    assert!(!world.file("x").exists());
    assert_eq!(world.by_hand(&["list-buffers"]), "");
}

#[test]
fn a_large_text_arrives_whole_and_copy_mode_is_left_first() {
    let world = World::new();
    let spec = start_raw_reader(&world);
    world.by_hand(&["copy-mode", "-t", "=ao-1:"]);
    let text: String = (0..6554).map(|n| format!("{n:08} ")).collect::<String>() + "end-of-text";
    assert_eq!(world.send(&spec, &text, true), SendOutcome::Submitted);
    let expected = format!("\u{1b}[200~{text}\u{1b}[201~\r");
    assert!(wait(|| std::fs::read(world.file("got")).unwrap().len() >= expected.len()));
    assert_eq!(std::fs::read(world.file("got")).unwrap(), expected.as_bytes());
}

#[test]
fn a_hook_is_proof_and_an_echo_is_not() {
    let world = World::new();
    let (spec, _) = world.start("ao-1", "exec cat >got");
    let outcome = world.send(&spec, "one;", false);
    assert!(matches!(outcome, SendOutcome::Unconfirmed { .. }), "{outcome:?}");
    assert!(wait(|| std::fs::read_to_string(world.file("got")).unwrap().starts_with("one;\n")));

    let mut asked = 0;
    let mut proof = |_deadline| {
        asked += 1;
        true
    };
    let options = SendOptions { submit: true, bracketed: false, blocked: None, proof: &mut proof };
    let outcome = world.tmux.send(&spec.session, &spec.launch, "two", options).unwrap();
    assert_eq!((outcome, asked), (SendOutcome::Submitted, 1));

    let blocked = |screen: &str| screen.contains("two").then(|| "a dialog is open".to_owned());
    let options = SendOptions {
        submit: true,
        bracketed: false,
        blocked: Some(&blocked),
        proof: &mut |_deadline| true,
    };
    let outcome = world.tmux.send(&spec.session, &spec.launch, "three", options).unwrap();
    assert_eq!(outcome, SendOutcome::Held { why: "a dialog is open".into() });
    assert!(!std::fs::read_to_string(world.file("got")).unwrap().contains("three"));
}

#[test]
fn a_pane_that_dies_during_pastes_does_not_take_the_server_with_it() {
    let world = World::new();
    world.start("keep", "exec sleep 600");
    let server = world.server_pid();
    for round in 0..10 {
        let (spec, _) = world.start(&format!("ao-{round}"), "sleep 0.03");
        let options =
            SendOptions { submit: false, bracketed: false, blocked: None, proof: &mut |_| false };
        world.tmux.send(&spec.session, &spec.launch, "hello", options).unwrap();
        wait_for_exit(&spec);
        let outcome = world.send(&spec, "hello", false);
        assert!(matches!(outcome, SendOutcome::Failed { .. }), "{outcome:?}");
    }
    assert_eq!(world.server_pid(), server);
}

#[test]
fn many_starts_at_once_on_a_cold_server_all_succeed() {
    let world = World::new();
    let specs: Vec<_> = (0..8).map(|n| world.spec(&format!("ao-{n}"), "exec sleep 600")).collect();
    std::thread::scope(|scope| {
        let starts: Vec<_> =
            specs.iter().map(|spec| scope.spawn(|| world.tmux.start(spec).unwrap())).collect();
        for (start, spec) in starts.into_iter().zip(&specs) {
            assert_eq!(world.pane(spec, &start.join().unwrap()), Liveness::Alive);
        }
    });
    assert_eq!(world.tmux.probe().unwrap().panes.len(), 8);
}

#[test]
fn two_starts_of_one_session_at_once_make_one_agent() {
    let world = World::new();
    let specs = [world.spec("ao-1", "exec sleep 600"), world.spec("ao-1", "exec sleep 600")];
    let results: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> =
            specs.iter().map(|spec| scope.spawn(|| world.tmux.start(spec).is_ok())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(results.iter().filter(|started| **started).count() <= 1, "{results:?}");
    let agents: usize = specs.iter().map(|s| process::marked(&s.launch).unwrap().len()).sum();
    assert!(agents <= 1);
}

#[test]
fn keys_reach_the_agent_and_only_its_own_pane() {
    let world = World::new();
    let (spec, _) =
        world.start("ao-1", "trap 'exit 4' INT; touch up; while :; do sleep 0.05; done");
    assert!(wait(|| world.file("up").exists()));
    let press = |launch: &LaunchId, key: &str| {
        world.tmux.interrupt(&spec.session, launch, &[key.to_owned()])
    };
    assert!(matches!(press(&spec.launch, "a b"), Err(RuntimeError::InvalidKey(_))));
    assert!(matches!(press(&ids::launch(), "C-c"), Err(RuntimeError::NotThisLaunch { .. })));
    press(&spec.launch, "C-c").unwrap();
    assert_eq!(wait_for_exit(&spec), 4);
}

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
fn captures_are_clean_unless_they_are_raw() {
    let world = World::new();
    let (one, _) = world.start("ao-1", r"printf 'a\033[31mred\033[0m\nlast\n'; exec sleep 600");
    let (two, _) = world.start("ao-2", "echo two; exec sleep 600");
    world.wait_for_screen(&one, "last");
    world.wait_for_screen(&two, "two");
    let target = |spec: &LaunchSpec| (spec.session.clone(), spec.launch.clone());
    let stranger: (SessionId, LaunchId) = (two.session.clone(), ids::launch());
    let screens = world.tmux.capture(&[target(&one), target(&two)], 100, false).unwrap();
    let shown: Vec<_> = screens.values().map(String::as_str).collect();
    assert_eq!(shown, ["ared\nlast", "two"]);
    let last = world.tmux.capture(&[target(&one), stranger], 1, false).unwrap();
    assert_eq!(last.into_values().collect::<Vec<_>>(), ["last"]);
    let raw = world.tmux.capture(&[target(&one)], 100, true).unwrap();
    assert!(raw.values().any(|screen| screen.contains("\u{1b}[31mred")), "{raw:?}");
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
        .args(["--exact", "runtime::a_closed_session_ends_its_agent_and_the_end_is_recorded"])
        .env("TMUX", "garbage,1,0")
        .env("TMUX_TMPDIR", "/nonexistent")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_proved_send_starts_two_tmux_clients_and_a_start_one() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (shim, log) = (dir.path().join("tmux"), dir.path().join("log"));
    let path = std::env::var("PATH").unwrap();
    let real = path.split(':').map(|place| Path::new(place).join("tmux")).find(|p| p.exists());
    let script = format!(
        "#!/bin/sh\nprintf '%s ' \"$@\" >>{log}\necho >>{log}\nexec {real} \"$@\"\n",
        log = log.display(),
        real = real.unwrap().display()
    );
    std::fs::write(&shim, script).unwrap();
    std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "runtime::several_lines_arrive_as_one_paste_and_cannot_break_out_of_it"])
        .env("PATH", format!("{}:{path}", dir.path().display()))
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let log = std::fs::read_to_string(log).unwrap();
    // The test itself asks for the buffers and ends the server.
    let by_hand = ["list-buffers", "kill-server"];
    let ours = log.lines().filter(|line| !by_hand.iter().any(|word| line.contains(word)));
    let verbs: Vec<_> = ours
        .map(|line| {
            let verbs = ["new-session", "load-buffer", "send-keys"];
            *verbs.iter().find(|verb| line.contains(**verb)).unwrap_or(&"other")
        })
        .collect();
    assert_eq!(verbs, ["new-session", "load-buffer", "send-keys"], "{log}");
}

#[test]
fn a_server_that_was_restarted_without_the_session_has_lost_it() {
    let world = World::new();
    let (spec, started) = world.start("ao-1", "exec sleep 600");
    world.signal_server("KILL");
    assert!(wait(|| process_liveness(&spec) == Liveness::Dead));
    world.start("ao-2", "exec sleep 600");
    assert_eq!(world.pane(&spec, &started), Liveness::Dead);
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

#[test]
fn the_process_runtime_runs_apart_and_keeps_output_and_exit_code() {
    let world = World::new();
    let mut spec = world.spec("ao-1", "cat; echo err >&2; exit 6");
    std::fs::write(world.file("prompt"), "do it\n").unwrap();
    spec.stdin = StdinSource::File(world.file("prompt").into());
    let started = process_runtime::start(&spec).unwrap();
    assert_eq!(wait_for_exit(&spec), 6);
    let output = std::fs::read_to_string(spec.session_dir.join("output.log")).unwrap();
    assert_eq!(output, "do it\nerr\n");
    assert!(started.handle.socket.is_none() && started.handle.process().is_some());

    let spec = world.spec("ao-2", "trap 'exit 5' INT; touch up; while :; do sleep 0.05; done");
    let started = process_runtime::start(&spec).unwrap();
    assert!(wait(|| world.file("up").exists()));
    let pid = started.handle.pid.unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    assert_eq!((fields[2], fields[3]), (&*pid.to_string(), &*pid.to_string()));
    signal_pid(pid.cast_signed(), "INT");
    assert_eq!(wait_for_exit(&spec), 5);
}

#[test]
fn a_failed_start_in_the_process_runtime_shows_its_output() {
    let world = World::new();
    let mut spec = world.spec("ao-1", "true");
    spec.argv = vec!["no-such-program-here".into()];
    let error = process_runtime::start(&spec).unwrap_err();
    let RuntimeError::StartFailed { why, screen, .. } = &error else { panic!("{error:?}") };
    assert!(why.contains("no-such-program-here") && screen.contains("ao launch:"), "{error:?}");
    assert!(!spec.session_dir.join("launch.json").exists());
}
