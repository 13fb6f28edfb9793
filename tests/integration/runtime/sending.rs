//! Sending texts and keys, and reading the screen.

use ao::adapter::runtime::screen::{Reading, Screen};

use super::*;

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
    let options = SendOptions::new(&mut proof);
    let outcome = world.tmux.send(&spec.session, &spec.launch, "two", options).unwrap();
    assert_eq!((outcome, asked), (SendOutcome::Submitted, 1));

    let read =
        |screen: &Screen| Reading { dialog: screen.plain.contains("two"), ..Default::default() };
    let mut proof = |_deadline| true;
    let options = SendOptions { read: Some(&read), ..SendOptions::new(&mut proof) };
    let outcome = world.tmux.send(&spec.session, &spec.launch, "three", options).unwrap();
    assert_eq!(outcome, SendOutcome::Held { why: "a dialog is open".into() });
    assert!(!std::fs::read_to_string(world.file("got")).unwrap().contains("three"));
}

#[test]
fn a_dialog_that_opens_while_a_text_is_typed_gets_no_enter() {
    let read = |screen: &Screen| Reading {
        dialog: screen.plain.contains("Run it?"),
        ..Default::default()
    };
    for (text, dialog, pressed) in [("one", "Run it?", ""), ("say Run it?", "", "\r")] {
        let world = World::new();
        let asker = format!(
            "stty raw -echo; printf '\\033[?2004h> '; touch ready
             c=$(dd bs=65536 count=1 2>/dev/null); printf '%s' \"$c\" >got
             printf '%s\\r\\n{dialog}' \"$c\" | tr -d '\\033'; cat >>got"
        );
        let (spec, _) = world.start("ao-1", &asker);
        assert!(wait(|| world.file("ready").exists()));
        let mut proof = |_deadline| true;
        let options =
            SendOptions { bracketed: true, read: Some(&read), ..SendOptions::new(&mut proof) };
        let outcome = world.tmux.send(&spec.session, &spec.launch, text, options).unwrap();
        assert_eq!(outcome == SendOutcome::Submitted, dialog.is_empty(), "{outcome:?}");
        let expected = format!("\u{1b}[200~{text}\u{1b}[201~{pressed}");
        assert!(wait(|| std::fs::read_to_string(world.file("got")).unwrap() == expected));
    }
}

#[test]
fn a_pane_that_dies_during_pastes_does_not_take_the_server_with_it() {
    let world = World::new();
    world.start("keep", "exec sleep 600");
    let server = world.server_pid();
    for round in 0..10 {
        let (spec, _) = world.start(&format!("ao-{round}"), "sleep 0.03");
        let mut proof = |_deadline| false;
        let options = SendOptions { submit: false, ..SendOptions::new(&mut proof) };
        world.tmux.send(&spec.session, &spec.launch, "hello", options).unwrap();
        wait_for_exit(&spec);
        let outcome = world.send(&spec, "hello", false);
        assert!(matches!(outcome, SendOutcome::Failed { .. }), "{outcome:?}");
    }
    assert_eq!(world.server_pid(), server);
}

#[test]
fn a_pane_that_vanishes_with_the_text_is_no_pane_that_was_never_there() {
    let world = World::new();
    world.start("keep", "exec sleep 600");
    let script = format!(
        "stty raw -echo; touch ready; dd bs=65536 count=1 of=got 2>/dev/null
         tmux -S {} kill-session -t =ao-1",
        world.tmux.socket().display()
    );
    let (spec, _) = world.start("ao-1", &script);
    assert!(wait(|| world.file("ready").exists()));
    let outcome = world.send(&spec, "hello", false);
    assert!(matches!(outcome, SendOutcome::Unconfirmed { .. }), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(world.file("got")).unwrap(), "hello");
    let outcome = world.send(&spec, "hello", false);
    assert!(matches!(outcome, SendOutcome::Failed { .. }), "{outcome:?}");
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
        .args([
            "--exact",
            "runtime::sending::several_lines_arrive_as_one_paste_and_cannot_break_out_of_it",
        ])
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
