//! Probing: what panes, processes and servers in every state say, and how a tree is ended.

use super::*;

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

#[test]
fn a_server_that_was_restarted_without_the_session_has_lost_it() {
    let world = World::new();
    let (spec, started) = world.start("ao-1", "exec sleep 600");
    world.signal_server("KILL");
    assert!(wait(|| process_liveness(&spec) == Liveness::Dead));
    world.start("ao-2", "exec sleep 600");
    assert_eq!(world.pane(&spec, &started), Liveness::Dead);
}
