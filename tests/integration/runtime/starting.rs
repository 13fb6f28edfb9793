//! Starting agents: handshake, exit records, refusals, many at once.

use super::*;

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
    let script = "trap 'exit 5' TERM; touch up; while :; do sleep 0.05; done";
    let (spec, started) = world.start("ao-1", script);
    assert!(wait(|| world.file("up").exists()));
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

#[test]
fn a_failed_start_says_why_and_leaves_nobody_whatever_became_of_the_private_file() {
    type Start = fn(&World, &LaunchSpec) -> Result<Started, RuntimeError>;
    let starts: [Start; 2] =
        [|_, spec| process_runtime::start(spec), |world, spec| world.tmux.start(spec)];
    for start in starts {
        let world = World::new();
        // The launcher stops before it says that its agent runs, and cannot say so afterwards.
        let faults = "launch/fs.rename#1=stop,launch/fs.rename#1=error:5";
        std::fs::write(world.path().join("failpoints"), faults).unwrap();
        let directory = world.path().join("sessions/ao-1");
        let script = format!(
            "sleep 600 & mkdir {}/launch.json; echo $PPID >parent; mv parent up; wait",
            directory.display()
        );
        let spec = world.spec("ao-1", &script);
        let error = std::thread::scope(|scope| {
            let started = scope.spawn(|| start(&world, &spec).unwrap_err());
            assert!(wait(|| world.file("up").exists()));
            let launcher = std::fs::read_to_string(world.file("up")).unwrap();
            signal_pid(launcher.trim().parse().unwrap(), "CONT");
            started.join().unwrap()
        });
        assert!(matches!(error, RuntimeError::StartFailed { .. }), "{error:?}");
        assert!(process::marked(&spec.launch).unwrap().is_empty());
        assert!(world.tmux.probe().unwrap().panes.is_empty());
    }
}
