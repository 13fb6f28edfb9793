//! The fake agent in the ways in which real ones misbehave, and what `ao` makes of each.
//!
//! A swallowed Enter, copy mode and an open dialog are in `send.rs`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;

use serde_json::Value;

use crate::agents::{
    agent, card, gate, ledger, open, pasted, spawn, status, wait_activity, wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

const CHAT: &str = "loop {\nread\nhook user-prompt-submit\nsay answer to {message}\nhook stop\n}\n";

/// Starts an agent that is idle and then does as `script` says.
///
/// It is idle by its last hook alone; a `session-start` would make it idle before that one is heard.
fn idle(env: &TestEnvironment, script: &str) -> String {
    let repo = env.repo("app");
    agent(env, "odd", &format!("hook user-prompt-submit\nhook stop\n{script}"));
    let id = spawn(env, &repo, &["--agent", "odd", "x"]);
    wait_status(env, &id, "idle");
    id
}

/// Waits until the screen shows this.
fn shown(env: &TestEnvironment, id: &str, text: &str) {
    env.wait_for(text, || env.ao(&["output", id]).stdout.contains(text).then_some(()));
}

fn delivery(answer: &Value) -> &str {
    answer["send"]["delivery"].as_str().unwrap()
}

/// Writes a card whose `stop` hook is answered with the next instruction.
fn answering(env: &TestEnvironment, script: &str) {
    crate::agents::notify_by_file(env);
    let path = env.path("user/config/ao/config.toml");
    let config = fs::read_to_string(&path).unwrap() + "[env]\nAO_DEMO_AGENT = \"odd\"\n";
    fs::write(&path, config).unwrap();
    card(env, "odd", script, with_answers);
}

fn with_answers(text: String) -> String {
    let answer = "answer = { decision = \"block\", reason = \"{message}\" }\n";
    text.replace("[hooks.events.stop]\n", &format!("[hooks.events.stop]\n{answer}"))
}

/// Returns the reasons of all events that hold `word`.
fn reasons(env: &TestEnvironment, id: &str, word: &str) -> Vec<String> {
    let reason = |event: Value| event["reason"].as_str().map(str::to_owned);
    env.events(id).into_iter().filter_map(reason).filter(|it| it.contains(word)).collect()
}

#[test]
fn a_draft_of_a_persons_is_not_typed_over() {
    let env = TestEnvironment::new();
    let id = idle(&env, &format!("draft rm -rf\n{CHAT}"));
    shown(&env, &id, "> rm -rf");
    let outcome = env.ao(&["send", &id, "hello"]).code(5);
    assert!(outcome.stderr.contains("draft"), "{outcome}");
    assert!(outcome.stderr.contains("--force"), "{outcome}");
    assert_eq!(ledger(&env, "odd"), b"");
    assert_eq!(env.record(&id).get("outbox"), None);

    let queued = env.ao_json(&["send", &id, "--queue", "later", "--json"]);
    assert_eq!(delivery(&queued), "queued");
    let pass = env.ao_json(&["reap", "--json"]);
    assert_eq!(pass["reap"]["held"].as_array().unwrap().len(), 1, "{pass:#}");
    assert_eq!(ledger(&env, "odd"), b"");
    let key = env.record(&id)["outbox"].as_object().unwrap().keys().next().unwrap().clone();
    env.ao(&["outbox", "drop", &id, &key]).success();

    let sent = env.ao_json(&["send", &id, "--force", "hello", "--json"]);
    assert_eq!(delivery(&sent), "submitted", "{sent:#}");
    let received = String::from_utf8(ledger(&env, "odd")).unwrap();
    assert!(received.starts_with('\u{15}'), "{received:?}");
    assert!(received.contains("\u{1b}[200~hello\u{1b}[201~\r"), "{received:?}");
    shown(&env, &id, "answer to hello");
}

#[test]
fn a_draft_that_no_key_clears_stays() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = format!("hook user-prompt-submit\nhook stop\ndraft mine\n{CHAT}");
    card(&env, "odd", &script, |text| text.replace("clear = [\"C-u\"]", "clear = [\"F5\"]"));
    card(&env, "mute", &script, |text| text.replace("clear = [\"C-u\"]\n", ""));
    for name in ["odd", "mute"] {
        let id = spawn(&env, &repo, &["--agent", name, "x"]);
        wait_status(&env, &id, "idle");
        shown(&env, &id, "> mine");
        let outcome = env.ao(&["send", &id, "--force", "hello"]).code(5);
        assert!(outcome.stderr.contains("draft"), "{outcome}");
        assert!(!String::from_utf8(ledger(&env, name)).unwrap().contains("hello"));
    }
}

#[test]
fn a_hint_in_faint_letters_is_no_draft() {
    let env = TestEnvironment::new();
    let id = idle(&env, &format!("placeholder Ask for anything\n{CHAT}"));
    shown(&env, &id, "> Ask for anything");
    env.ao(&["send", &id, "hello"]).success();
    assert_eq!(ledger(&env, "odd"), pasted("hello"));
}

#[test]
fn a_paste_that_is_shown_as_one_word_is_submitted_once() {
    let env = TestEnvironment::new();
    // Without the prompt hook the composer alone is proof.
    let id = idle(&env, "fold-pastes\nloop {\nread\nsay got it\n}\n");
    shown(&env, &id, ">");
    let text = (0..200).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    let sent = env.ao_json(&["send", &id, &text, "--json"]);
    assert_eq!(delivery(&sent), "submitted", "{sent:#}");
    assert_eq!(ledger(&env, "odd"), pasted(&text));
}

#[test]
fn vis_normal_mode_is_left_first() {
    let env = TestEnvironment::new();
    let id = idle(&env, &format!("vim\n{CHAT}"));
    shown(&env, &id, "-- NORMAL --");
    let sent = env.ao_json(&["send", &id, "hello", "--json"]);
    assert_eq!(delivery(&sent), "submitted", "{sent:#}");
    assert_eq!(ledger(&env, "odd"), [b"i".to_vec(), pasted("hello")].concat());
}

#[test]
fn a_composer_that_takes_commands_gets_no_text() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = format!("hook user-prompt-submit\nhook stop\nvim\n{CHAT}");
    card(&env, "odd", &script, |text| text.replace("insert = [\"i\"]", "insert = []"));
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "idle");
    shown(&env, &id, "-- NORMAL --");
    let outcome = env.ao(&["send", &id, "hello"]).code(5);
    assert!(outcome.stderr.contains("commands"), "{outcome}");
    assert_eq!(ledger(&env, "odd"), b"");
}

#[test]
fn a_slow_start_delays_a_pasted_task_and_loses_nothing() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "start");
    let script = format!("{gate}\nhook session-start\n{CHAT}");
    card(&env, "odd", &script, |text| {
        text.replace("delivery = \"argument\"", "delivery = \"paste\"")
    });
    let spawning = env.ao_command(&["spawn", "--agent", "odd", "do it"]).cwd(&repo);
    let child = spawning.spawn(
        std::process::Stdio::null(),
        std::process::Stdio::piped(),
        std::process::Stdio::piped(),
    );
    env.wait_record("app-1", "the task waits", |record| {
        record["outbox"].as_object().is_some_and(|it| it.values().any(|it| it["claim"].is_object()))
    });
    assert_eq!(ledger(&env, "odd"), b"");
    open(&env, "start");
    assert!(child.unwrap().wait_with_output().unwrap().status.success());
    shown(&env, "app-1", "answer to do it");
    assert_eq!(ledger(&env, "odd"), pasted("do it"));
}

#[test]
fn a_crash_in_the_middle_of_a_turn_ends_the_wait() {
    let env = TestEnvironment::new();
    let id = idle(&env, "read\nhook user-prompt-submit\nsay on it\ncrash\n");
    shown(&env, &id, ">");
    let outcome = env.ao(&["send", &id, "--wait", "--timeout", "30s", "go"]).code(22);
    assert!(outcome.stdout.contains("on it"), "{outcome}");
    assert_eq!(status(&env, &id), "exited");
    assert_eq!(env.record(&id)["lifecycle"]["session"]["reason"], "agent_process_exited");
}

#[test]
fn a_dialog_that_opens_upon_enter_gets_no_second_one() {
    let env = TestEnvironment::new();
    // No prompt hook, and at once a dialog that no pattern knows: nothing proves that the text was
    // taken, and nothing that it was not.
    let id = idle(&env, "read\ndialog Trust it? enter\nsay it was answered\nread\n");
    shown(&env, &id, ">");
    let outcome = env.ao(&["send", &id, "hello"]).code(1);
    assert!(outcome.stderr.contains("unconfirmed"), "{outcome}");
    assert_eq!(ledger(&env, "odd"), pasted("hello"), "a key reached the dialog");
    assert!(!env.ao(&["output", &id]).stdout.contains("it was answered"));
}

#[test]
fn hooks_of_an_earlier_launch_come_too_late() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "hook session-start\nhook user-prompt-submit\nread\n";
    answering(&env, script);
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "working");
    let old = env.record(&id)["handles"]["launch"].as_str().unwrap().to_owned();
    env.ao(&["kill", &id]).success();
    env.ao(&["restore", &id]).success();
    wait_status(&env, &id, "working");
    env.ao(&["send", &id, "--queue", "for the second launch"]).success();
    let before = env.record(&id);
    let late = [("AO_SESSION", &*id), ("AO_LAUNCH", &*old)];
    for event in ["stop", "session-end", "permission-request", "session-start"] {
        let outcome = env.ao_env(&["hook", "odd", event], &late).success();
        assert_eq!(outcome.stdout, "", "{event}");
    }
    assert_eq!(env.record(&id), before);
}

#[test]
fn a_resume_that_opens_another_conversation_is_noted() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    // Idle by its last hook alone: a session that starts is idle already.
    let script = "hook user-prompt-submit {\"session_id\":\"first\"}\n\
                  hook stop {\"session_id\":\"first\"}\nread\n";
    agent(&env, "odd", script);
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "idle");
    assert_eq!(env.record(&id)["handles"]["agent_session"], "first");
    let launch = env.record(&id)["handles"]["launch"].as_str().unwrap().to_owned();
    let own = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch)];
    let hook = env.ao_command(&["hook", "odd", "session-start"]).env(own[0].0, own[0].1);
    let hook = hook.env(own[1].0, own[1].1).stdin("{\"session_id\":\"second\"}");
    env.run(&hook).success();
    assert_eq!(env.record(&id)["handles"]["agent_session"], "second");
    let told = reasons(&env, &id, "another conversation");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("first was not continued"), "{told:?}");
    let explained = env.ao(&["explain", &id]).success();
    assert!(explained.stdout.contains("first was not continued"), "{explained}");
}

#[test]
fn a_stop_hook_is_answered_with_what_waits() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "turn");
    let script = format!(
        "hook session-start\nhook user-prompt-submit\n{gate}\nhook stop\nanswered {{\n\
         say answer to {{message}}\nhook stop\n}}\nread\n"
    );
    answering(&env, &script);
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "working");
    for text in ["one\nof \"two\" lines", "the last"] {
        assert_eq!(delivery(&env.ao_json(&["send", &id, text, "--json"])), "queued");
    }
    let waiter = env.spawn_ao(&["send", &id, "--wait", "--timeout", "30s", "and then?"]);
    env.wait_record(&id, "three texts wait", |record| {
        record["outbox"].as_object().is_some_and(|outbox| outbox.len() == 3)
    });
    open(&env, "turn");
    let output = waiter.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let screen = env.ao(&["output", &id]).stdout;
    let answers: Vec<&str> = screen.lines().filter(|line| line.starts_with("answer to ")).collect();
    assert_eq!(answers, ["answer to one", "answer to the last", "answer to and then?"]);
    assert_eq!(ledger(&env, "odd"), b"", "a key was pressed");
    let told = reasons(&env, &id, "by the agent's hook");
    assert_eq!(told.len(), 3, "{told:?}");
    wait_activity(&env, &id, "idle");
    assert_eq!(env.record(&id).get("outbox"), None);
    let moves: Vec<_> = crate::agents::history(&env, &id);
    let idle = moves.iter().filter(|line| line.ends_with(" idle")).count();
    assert_eq!(idle, 2, "at its start and at its end, and never in between: {moves:#?}");
    env.ao(&["log", &id, "--verify"]).success();
}

#[test]
fn a_hook_killed_while_it_answers_gives_no_text_twice() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    answering(&env, "hook session-start\nhook user-prompt-submit\nread\n");
    let points = ["answer.claimed#1", "answer.printed#1", "store.append#1", "store.append#2"];
    for (number, point) in points.iter().enumerate() {
        let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
        wait_status(&env, &id, "working");
        env.ao(&["send", &id, "--queue", "the instruction"]).success();
        let launch = env.record(&id)["handles"]["launch"].as_str().unwrap().to_owned();
        let own = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch)];
        let kill = format!("{point}=kill");
        let faulted = [&own[..], &[("AO_FAILPOINT", &*kill)]].concat();
        let first = env.ao_env(&["hook", "odd", "stop"], &faulted).code(137);
        let again = env.ao_env(&["hook", "odd", "stop"], &own).success();
        let printed = [&first.stdout, &again.stdout].map(|out| out.contains("the instruction"));
        assert!(printed != [true, true], "{point}: twice");
        env.ao(&["reap"]).success();
        assert_eq!(env.record(&id).get("outbox").map(|it| it.to_string()), None, "{point}");
        let told = crate::agents::notices(&env).len();
        let is_told = crate::agents::notices(&env)
            .iter()
            .any(|notice| notice["session"] == *id && notice["reaction"] == "message");
        assert!(printed[1] != is_told, "{point}: {printed:?}, told {is_told} ({told})");
        assert_eq!(number < 2 || point.ends_with("#2"), is_told, "{point}");
        env.ao(&["log", &id, "--verify"]).success();
        env.ao(&["kill", &id]).success();
        assert!(!ledger(&env, "odd").windows(5).any(|it| it == b"instr"), "{point}: typed");
    }
}

#[test]
fn a_dialog_is_answered_where_one_is_open_and_nowhere_else() {
    let env = TestEnvironment::new();
    let gate = gate(&env, "tool");
    let id = idle(
        &env,
        &format!(
            "read\nhook user-prompt-submit\nhook permission-request {{\"tool_use_id\":\"t1\"}}\n\
             dialog Run it? y\n{gate}\nhook post-tool-use {{\"tool_use_id\":\"t1\"}}\nhook stop\n\
             read\n"
        ),
    );
    shown(&env, &id, ">");
    let outcome = env.ao(&["approve", &id]).code(4);
    assert!(outcome.stderr.contains("no dialog is open"), "{outcome}");
    assert_eq!(ledger(&env, "odd"), b"");
    env.ao(&["send", &id, "go"]).success();
    wait_status(&env, &id, "needs_input");
    env.ao(&["approve", &id, "--dry-run"]).success();
    env.ao(&["interrupt", &id]).code(5);
    assert_eq!(ledger(&env, "odd"), pasted("go"));
    let answer = env.ao_json(&["approve", &id, "--json"]);
    assert_answer("PressAnswer", &answer);
    assert_eq!(answer["approve"]["result"], "approved");
    assert_eq!(ledger(&env, "odd"), [pasted("go"), b"y".to_vec()].concat());
    // No hook has said so yet: the screen has.
    let record = env.record(&id);
    assert_eq!(record["lifecycle"]["activity"]["state"], "active");
    assert_eq!(record["lifecycle"]["activity"]["source"], "terminal");
    env.ao(&["approve", &id]).code(4);
    open(&env, "tool");
    wait_activity(&env, &id, "idle");
}

#[test]
fn an_answer_that_had_to_wait_is_not_given_to_the_next_dialog() {
    let env = TestEnvironment::new();
    let script = "read\nhook user-prompt-submit\nhook permission-request {\"tool_use_id\":\"t1\"}\n\
                  dialog Run it? y\nread\n";
    let id = idle(&env, script);
    env.ao(&["send", &id, "go"]).success();
    wait_status(&env, &id, "needs_input");
    shown(&env, &id, "Run it?");
    let launch = env.record(&id)["handles"]["launch"].as_str().unwrap().to_owned();
    let lock = env.home().join("sessions").join(&*id).join("send.lock");
    let held = ao::store::lock::acquire(&lock, std::time::Duration::ZERO).unwrap();
    let approve = env.ao_command(&["approve", &id]);
    let waiting = approve.spawn(Stdio::null(), Stdio::null(), Stdio::piped()).unwrap();
    // It has read the record once it waits for the lock.
    let inode = fs::metadata(&lock).unwrap().ino();
    let waits = |line: &str| line.contains("->") && line.contains(&format!(":{inode} "));
    env.wait_for("its wait", || {
        fs::read_to_string("/proc/locks").unwrap().lines().any(waits).then_some(())
    });
    let hook = env.ao_command(&["hook", "odd", "permission-request"]);
    let hook = hook.stdin("{\"tool_use_id\":\"t2\"}").env("AO_SESSION", &*id);
    env.run(&hook.env("AO_LAUNCH", &*launch)).success();
    drop(held);
    let output = waiting.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("the dialog that was to be answered is gone"), "{told}");
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(ledger(&env, "odd"), pasted("go"), "no key was pressed");
}

#[test]
fn a_no_ends_the_turn_of_an_agent_that_says_nothing_of_it() {
    let env = TestEnvironment::new();
    let id = idle(
        &env,
        "read\nhook user-prompt-submit\nhook permission-request {\"tool_use_id\":\"t1\"}\n\
         dialog Run it? n\nread\nhook user-prompt-submit\nsay then {message}\nhook stop\nread\n",
    );
    shown(&env, &id, ">");
    env.ao(&["send", &id, "go"]).success();
    wait_status(&env, &id, "needs_input");
    assert_eq!(env.ao(&["deny", &id]).success().stdout, format!("{id} denied\n"));
    let record = env.record(&id);
    assert_eq!(record["lifecycle"]["activity"]["state"], "idle");
    assert_eq!(record["lifecycle"]["activity"]["source"], "terminal");
    env.ao(&["send", &id, "--wait", "--timeout", "30s", "do this"]).success();
    let all = [pasted("go"), b"n".to_vec(), pasted("do this")].concat();
    assert_eq!(ledger(&env, "odd"), all);
}

#[test]
fn a_menu_that_decides_nothing_is_closed_for_a_text() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "hook user-prompt-submit\nhook stop\ndialog Wait for the limit? n\n\
                  read\nhook user-prompt-submit\nsay then {message}\nhook stop\nread\n";
    card(&env, "odd", script, |text| {
        let menu = "[terminal]\nmenu = ['(?m)^\\? Wait for the limit']\n";
        text.replace("[terminal]\n", menu).replace("[keys]\n", "[keys]\nclose = [\"n\"]\n")
    });
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "idle");
    shown(&env, &id, "? Wait for the limit?");
    let sent = env.ao_json(&["send", &id, "hello", "--json"]);
    assert_eq!(delivery(&sent), "submitted", "{sent:#}");
    shown(&env, &id, "then hello");
}

#[test]
fn a_dialog_that_the_screen_does_not_show_is_not_answered() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "odd", "hook session-start\nhook permission-request\nread\n");
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "needs_input");
    for verb in ["approve", "deny"] {
        let outcome = env.ao(&[verb, &id]).code(5);
        assert!(outcome.stderr.contains("its screen shows none"), "{outcome}");
    }
    assert_eq!(ledger(&env, "odd"), b"");
}

#[test]
fn a_dialog_that_stays_is_told_and_a_card_without_keys_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "hook session-start\nhook permission-request\ndialog Sure? x\n";
    agent(&env, "odd", script);
    card(&env, "mute", script, |text| text.replace("approve = [\"y\"]\n", ""));
    let stubborn = spawn(&env, &repo, &["--agent", "odd", "x"]);
    let mute = spawn(&env, &repo, &["--agent", "mute", "x"]);
    wait_status(&env, &stubborn, "needs_input");
    wait_status(&env, &mute, "needs_input");
    let outcome = env.ao(&["approve", &stubborn, "--json"]).code(1);
    assert_eq!(outcome.json_error()["error"]["retryable"], true, "{outcome}");
    let outcome = env.ao(&["approve", &mute]).code(2);
    assert!(
        outcome.stderr.contains("mute") && outcome.stderr.contains("keys.approve"),
        "{outcome}"
    );
    env.ao(&["kill", &mute]).success();
    env.ao(&["deny", &mute]).code(4);
}

#[test]
fn an_interrupt_is_over_when_the_screen_says_so() {
    let env = TestEnvironment::new();
    let id = idle(
        &env,
        "read\nhook user-prompt-submit\nuntil-interrupt Thinking\nsay Interrupted\nread\n",
    );
    shown(&env, &id, ">");
    let outcome = env.ao(&["interrupt", &id]).success();
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("at no turn"), "{outcome}");
    env.ao(&["send", &id, "go"]).success();
    shown(&env, &id, "ctrl-c to interrupt");
    let answer = env.ao_json(&["interrupt", &id, "--json"]);
    assert_answer("PressAnswer", &answer);
    assert_eq!(answer["interrupt"]["result"], "interrupted");
    let record = env.record(&id);
    assert_eq!(record["lifecycle"]["activity"]["state"], "idle");
    assert_eq!(record["lifecycle"]["activity"]["source"], "terminal");
    assert_eq!(ledger(&env, "odd"), [pasted("go"), vec![3]].concat());
}

#[test]
fn a_prompt_that_is_put_back_by_an_interrupt_is_no_draft() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "hook user-prompt-submit\nhook stop\nread\nhook user-prompt-submit\n\
                  until-interrupt Thinking\nsay Interrupted\ndraft go\n";
    card(&env, "odd", &format!("{script}{CHAT}"), |text| {
        let own = "idle = [\"(?m)^> ?";
        text.replace(own, "idle = [\"Interrupted\\\\n> go\\\\s*\\\\z\", \"(?m)^> ?")
    });
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "idle");
    env.ao(&["send", &id, "go"]).success();
    shown(&env, &id, "ctrl-c to interrupt");
    env.ao(&["interrupt", &id]).success();
    env.ao(&["send", &id, "something else"]).success();
    let received = String::from_utf8(ledger(&env, "odd")).unwrap();
    assert!(received.ends_with("something else\u{1b}[201~\r"), "{received:?}");
}

#[test]
fn an_interrupt_of_an_agent_that_tells_nothing_is_unconfirmed() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "trap : INT; echo ready >ready; while :; do sleep 1; done";
    let id = spawn(&env, &repo, &["--agent", "shell", "--mode", "interactive", script]);
    let path = env.ao(&["path", &id]).success().stdout.trim().to_owned();
    env.wait_for("the agent", || fs::read(format!("{path}/ready")).ok());
    let outcome = env.ao(&["interrupt", &id]).code(1);
    assert!(outcome.stderr.contains("unconfirmed"), "{outcome}");
    let gone = spawn(&env, &repo, &["--agent", "shell", "--mode", "interactive", "sleep 600"]);
    env.ao(&["reap"]).success();
    env.ao(&["interrupt", &gone]).success();
    wait_status(&env, &gone, "exited");
}

#[test]
fn a_lost_stop_hook_leaves_an_idle_screen_behind() {
    let env = TestEnvironment::new();
    let id = idle(&env, "read\nhook user-prompt-submit\nsay answer to {message}\nread\n");
    shown(&env, &id, ">");
    let outcome = env.ao(&["send", &id, "--wait", "--timeout", "300ms", "go"]).code(124);
    assert_eq!(outcome.stdout, "answer to go\n");
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], "active");
    // What it is at can be told all the same, and made true.
    assert_eq!(env.ao(&["interrupt", &id]).success().stdout, format!("{id} interrupted\n"));
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], "idle");
}

#[test]
fn an_answer_that_nobody_reads_leaves_the_text_where_it_was() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    answering(&env, "hook session-start\nhook user-prompt-submit\nread\n");
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "working");
    env.ao(&["send", &id, "--queue", "the instruction"]).success();
    let launch = env.record(&id)["handles"]["launch"].as_str().unwrap().to_owned();
    let hook = env.ao_command(&["hook", "odd", "stop"]).env("AO_SESSION", &*id);
    let hook = hook.env("AO_LAUNCH", &*launch);
    let piped = std::process::Stdio::piped;
    let mut child = hook.spawn(piped(), piped(), piped()).unwrap();
    // The agent has given its hook up before it answers; it reads its input to the end first.
    drop(child.stdout.take());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let record = env.record(&id);
    assert_eq!(record["lifecycle"]["activity"]["state"], "idle");
    let entry = record["outbox"].as_object().unwrap().values().next().unwrap();
    assert_eq!((&entry["message"], entry.get("claim")), (&"the instruction".into(), None));
    shown(&env, &id, ">");
    env.ao(&["reap"]).success();
    assert_eq!(ledger(&env, "odd"), pasted("the instruction"));
}

#[test]
fn so_many_texts_in_a_row_and_no_more_are_given_by_hook() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    answering(&env, "hook session-start\nhook user-prompt-submit\nread\n");
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    wait_status(&env, &id, "working");
    let launch = env.record(&id)["handles"]["launch"].as_str().unwrap().to_owned();
    let own = [("AO_SESSION", &*id), ("AO_LAUNCH", &*launch)];
    let mut answered = 0;
    for _ in 0..7 {
        env.ao(&["send", &id, "--queue", "again"]).success();
        let outcome = env.ao_env(&["hook", "odd", "stop"], &own).success();
        if outcome.stdout.is_empty() {
            break;
        }
        assert_eq!(outcome.stdout, "{\"decision\":\"block\",\"reason\":\"again\"}\n");
        answered += 1;
    }
    assert_eq!(answered, 5);
    assert_eq!(env.record(&id)["lifecycle"]["activity"]["state"], "idle");
}

#[test]
fn an_agent_of_which_only_the_screen_tells_is_waited_for() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    card(&env, "odd", "loop {\nread\nsay answer to {message}\n}\n", |text| {
        text.replace("kind = \"built_in\"", "kind = \"none\"")
    });
    let id = spawn(&env, &repo, &["--agent", "odd", "x"]);
    assert_eq!(env.record(&id)["signals"], "terminal");
    shown(&env, &id, ">");
    env.wait_for("the screen is read", || {
        env.ao(&["reap"]).success();
        (status(&env, &id) == "idle").then_some(())
    });
    let outcome = env.ao(&["send", &id, "--wait", "--timeout", "30s", "go"]).success();
    assert_eq!(outcome.stdout, "answer to go\n");
}
