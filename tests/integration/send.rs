//! `ao send`: proved delivery, and nothing typed where it could do harm.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};

use crate::agents::{
    agent, card, configure, gate, ledger, open, pasted, spawn, status, wait_activity, wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

/// Answers every message with a turn of its own.
const CHAT: &str = "loop {\nread\nhook user-prompt-submit\nsay answer to {message}\nhook stop\n}\n";

fn chatting(env: &TestEnvironment) -> String {
    let repo = env.repo("app");
    agent(env, "chat", &format!("hook user-prompt-submit\nhook stop\n{CHAT}"));
    let id = spawn(env, &repo, &["--agent", "chat", "x"]);
    wait_status(env, &id, "idle");
    id
}

/// Waits until the agent's composer is there, so that the terminal is in raw mode.
fn at_composer(env: &TestEnvironment, id: &str) {
    env.wait_for("the composer", || {
        let screen = env.ao(&["output", id]).stdout;
        screen.lines().any(|line| line.trim_end() == ">").then_some(())
    });
}

#[test]
fn an_idle_agent_gets_a_text_at_once() {
    let env = TestEnvironment::new();
    let id = chatting(&env);
    at_composer(&env, &id);
    let sent = env.ao_json(&["send", &id, "hello", "--json"]);
    assert_answer("SendAnswer", &sent);
    assert_eq!(sent["send"]["delivery"], "submitted");
    assert_eq!(ledger(&env, "chat"), pasted("hello"));
    assert_eq!(env.record(&id).get("outbox"), None);

    env.wait_record(&id, "idle again", |r| r["lifecycle"]["activity"]["state"] == "idle");
    env.ao_stdin(&["send", &id, "-"], "by standard input").success();
    let all = [pasted("hello"), pasted("by standard input")].concat();
    assert_eq!(ledger(&env, "chat"), all);
    env.ao(&["send", &id, "  "]).code(2);
    env.ao_stdin(&["send", &id, "-"], b"\xff".to_vec()).code(2);
    env.ao(&["send", "nobody", "x"]).code(3);
    assert_eq!(ledger(&env, "chat"), all);
}

#[test]
fn a_busy_agent_gets_a_text_at_the_end_of_its_turn() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "turn");
    agent(
        &env,
        "busy",
        &format!("hook session-start\nhook user-prompt-submit\n{gate}\nhook stop\n{CHAT}"),
    );
    let id = spawn(&env, &repo, &["--agent", "busy", "x"]);
    wait_status(&env, &id, "working");
    let sent = env.ao_json(&["send", &id, "later", "--json"]);
    assert_answer("SendAnswer", &sent);
    assert_eq!(sent["send"]["delivery"], "queued");
    let pass = env.ao_json(&["reap", "--json"]);
    assert_answer("ReapAnswer", &pass);
    assert_eq!(pass["reap"]["held"].as_array().unwrap().len(), 1, "{pass:#}");
    assert_eq!(ledger(&env, "busy"), b"");

    open(&env, "turn");
    wait_activity(&env, &id, "idle");
    at_composer(&env, &id);
    let pass = env.ao_json(&["reap", "--json"]);
    assert_eq!(pass["reap"]["delivered"].as_array().unwrap().len(), 1, "{pass:#}");
    assert_eq!(ledger(&env, "busy"), pasted("later"));
}

#[test]
fn a_busy_agent_gets_a_text_at_once_where_that_is_asked_for() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    // At work, and reading what a person types meanwhile.
    let script = "hook session-start\nhook user-prompt-submit\nread\nsay noted {message}\n\
                  say a\nsay b\nsay c\nsay d\nsay e\nsay f\nsay g\nsay h\nread\n";
    agent(&env, "busy", script);
    let id = spawn(&env, &repo, &["--agent", "busy", "x"]);
    wait_status(&env, &id, "working");
    at_composer(&env, &id);
    let sent = env.ao_json(&["send", &id, "--now", "stop that", "--json"]);
    assert_eq!(sent["send"]["delivery"], "submitted", "{sent:#}");
    assert_eq!(ledger(&env, "busy"), pasted("stop that"));
}

#[test]
fn nothing_is_typed_into_a_dialog() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "hook session-start\nhook user-prompt-submit\n\
                  hook permission-request {\"tool_use_id\":\"t1\"}\ndialog Run it? y\n\
                  hook post-tool-use {\"tool_use_id\":\"t1\"}\nhook stop\n";
    agent(&env, "asker", &format!("{script}{CHAT}"));
    let id = spawn(&env, &repo, &["--agent", "asker", "x"]);
    wait_status(&env, &id, "needs_input");
    for flag in ["--now", "--json"] {
        let outcome = env.ao(&["send", &id, flag, "y"]).code(5);
        assert!(outcome.stderr.contains("dialog"), "{outcome}");
    }
    let outbox = env.record(&id)["outbox"].clone();
    assert_eq!(outbox.as_object().unwrap().len(), 1, "the notice to the person alone: {outbox:#}");
    let queued = env.ao_json(&["send", &id, "--queue", "afterwards", "--json"]);
    assert_eq!(queued["send"]["delivery"], "queued");
    env.ao(&["reap"]).success();
    assert_eq!(ledger(&env, "asker"), b"", "a key reached the dialog");

    env.tmux(&["send-keys", "-t", &format!("={id}:"), "y"]).success();
    wait_activity(&env, &id, "idle");
    at_composer(&env, &id);
    env.ao(&["reap"]).success();
    assert_eq!(ledger(&env, "asker"), [b"y".to_vec(), pasted("afterwards")].concat());
}

#[test]
fn a_dialog_that_only_the_screen_shows_is_not_typed_into_either() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "asker", "hook user-prompt-submit\nhook stop\ndialog Run it? y\nread\n");
    let id = spawn(&env, &repo, &["--agent", "asker", "x"]);
    wait_status(&env, &id, "idle");
    env.wait_for("the dialog", || {
        env.ao(&["output", &id]).stdout.contains("? Run it?").then_some(())
    });
    let outcome = env.ao(&["send", &id, "hello"]).code(5);
    assert!(outcome.stderr.contains("dialog"), "{outcome}");
    assert_eq!(ledger(&env, "asker"), b"");
    assert_eq!(env.record(&id).get("outbox"), None);
}

#[test]
fn a_session_that_has_ended_takes_no_text() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "shell", "true"]);
    wait_status(&env, &id, "done");
    let revision = env.record(&id)["revision"].clone();
    let error = env.ao(&["send", &id, "x", "--json"]).code(4).json_error();
    assert_answer("ErrorAnswer", &error);
    assert_eq!(error["error"]["kind"], "conflict");
    assert_eq!(env.record(&id)["revision"], revision);
}

#[test]
fn a_long_text_of_many_lines_arrives_whole() {
    let env = TestEnvironment::new();
    let id = chatting(&env);
    at_composer(&env, &id);
    let lines = (0..1100).map(|n| format!("{n:04} {} $(x) `y` é\n", "lorem ipsum ".repeat(4)));
    let text: String = lines.collect::<String>() + "the last line";
    assert!(text.len() > 64 << 10, "{}", text.len());
    let outcome = env.ao_stdin(&["send", &id, "-"], text.as_str()).success();
    assert_eq!(outcome.stdout, format!("{id} submitted\n"));
    assert!(ledger(&env, "chat") == pasted(&text), "something was lost");
}

#[test]
fn an_enter_that_is_swallowed_is_pressed_again() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script = "hook user-prompt-submit\nhook stop\nswallow-enter 2\n";
    agent(&env, "deaf", &format!("{script}{CHAT}"));
    let id = spawn(&env, &repo, &["--agent", "deaf", "x"]);
    wait_status(&env, &id, "idle");
    at_composer(&env, &id);
    env.ao(&["send", &id, "hello"]).success();
    assert_eq!(ledger(&env, "deaf"), [pasted("hello"), b"\r\r".to_vec()].concat());
}

#[test]
fn copy_mode_is_left_first() {
    let env = TestEnvironment::new();
    let id = chatting(&env);
    at_composer(&env, &id);
    env.tmux(&["copy-mode", "-t", &format!("={id}:")]).success();
    env.ao(&["send", &id, "hello"]).success();
    assert_eq!(ledger(&env, "chat"), pasted("hello"));
}

#[test]
fn a_send_can_wait_for_the_answer() {
    let env = TestEnvironment::new();
    let id = chatting(&env);
    at_composer(&env, &id);
    let args = ["send", &id, "--wait", "--timeout", "30s"];
    let outcome = env.ao(&[&args[..], &["which way?"]].concat()).success();
    assert!(outcome.stdout.contains("answer to which way?"), "{outcome}");
    let answer = env.ao_json(&[&args[..], &["and then?", "--json"]].concat());
    assert_answer("SendAnswer", &answer);
    let screen = answer["send"]["answer"].as_str().unwrap();
    assert!(screen.contains("answer to and then?"), "{answer:#}");
}

#[test]
fn what_the_agent_itself_says_of_its_answer_is_printed_whole_and_alone() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let said = "hook stop {\"last_message\":\"one\\n\\u001b[31mtwo\"}";
    let script = format!(
        "hook user-prompt-submit\nhook stop\nread\nhook user-prompt-submit\nsay noise\n{said}\n\
         read\nhook user-prompt-submit\nsay plain\nhook stop\nread\n"
    );
    agent(&env, "teller", &script);
    let id = spawn(&env, &repo, &["--agent", "teller", "x"]);
    wait_status(&env, &id, "idle");
    at_composer(&env, &id);
    let args = ["send", &id, "--wait", "--timeout", "30s"];
    assert_eq!(env.ao(&[&args[..], &["go"]].concat()).success().stdout, "one\ntwo\n");
    // What was said to another question is not said again.
    let outcome = env.ao(&[&args[..], &["again"]].concat()).success();
    assert!(outcome.stdout.contains("plain") && !outcome.stdout.contains("two"), "{outcome}");
}

#[test]
fn one_text_goes_to_all_that_live() {
    let env = TestEnvironment::new();
    let first = chatting(&env);
    let repo = env.path("repos/app");
    agent(&env, "other", &format!("hook user-prompt-submit\nhook stop\n{CHAT}"));
    let second = spawn(&env, &repo, &["--agent", "other", "x"]);
    let gone = spawn(&env, &repo, &["--agent", "shell", "true"]);
    wait_status(&env, &second, "idle");
    wait_status(&env, &gone, "done");
    at_composer(&env, &first);
    at_composer(&env, &second);
    let answer = env.ao_json(&["send", "--all", "hello all", "--json"]);
    assert_answer("SendsAnswer", &answer);
    let sends: Vec<_> = answer["sends"].as_array().unwrap().iter().map(|s| &s["id"]).collect();
    assert_eq!(sends, [&first, &second]);
    assert_eq!(ledger(&env, "chat"), pasted("hello all"));
    assert_eq!(ledger(&env, "other"), pasted("hello all"));

    let mixed = env.ao(&["send", &second, &gone, "x", "--json"]).code(4).json();
    assert_answer("SendsAnswer", &mixed);
    assert_eq!(mixed["failed"][0]["id"], *gone);
}

#[test]
fn a_text_from_inside_a_session_says_whose_it_is() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "turn");
    agent(
        &env,
        "busy",
        &format!("hook session-start\nhook user-prompt-submit\n{gate}\nhook stop\n"),
    );
    let busy = spawn(&env, &repo, &["--agent", "busy", "x"]);
    wait_status(&env, &busy, "working");
    agent(
        &env,
        "teller",
        &format!("hook session-start\nrun ao send {busy} well?\nhook stop\nread\n"),
    );
    let teller = spawn(&env, &repo, &["--agent", "teller", "x"]);
    let record = env.wait_record(&busy, "a text waits", |record| record.get("outbox").is_some());
    let entry = record["outbox"].as_object().unwrap().values().next().unwrap();
    assert_eq!((&entry["message"], &entry["from"]), (&"well?".into(), &teller.clone().into()));
    assert_eq!(status(&env, &busy), "working");
    open(&env, "turn");
}

#[test]
fn a_wait_for_a_turn_ends_with_the_code_of_its_end() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let begin = "hook user-prompt-submit\nhook stop\nread\nhook user-prompt-submit\n";
    for (name, end, code) in [
        ("done", "say all done\nhook stop\nread\n", 0),
        ("asks", "hook notification {\"notification_type\":\"agent_needs_input\"}\nread\n", 20),
        ("blocked", "hook permission-request\ndialog Sure? y\n", 20),
        ("gone", "exit 0\n", 22),
        ("busy", "say working\nsleep 60000\n", 124),
    ] {
        agent(&env, name, &format!("{begin}{end}"));
        let id = spawn(&env, &repo, &["--agent", name, "x"]);
        wait_status(&env, &id, "idle");
        at_composer(&env, &id);
        let timeout = if code == 124 { "500ms" } else { "30s" };
        let args = ["send", &id, "--wait", "--timeout", timeout, "--json", "go"];
        let outcome = env.ao(&args).code(code);
        assert_answer("SendAnswer", &outcome.json());
        assert_eq!(outcome.json()["send"]["delivery"], "submitted", "{name}: {outcome}");
    }
}

#[test]
fn a_text_that_joins_a_turn_is_proved_and_waited_for() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let gate = gate(&env, "turn");
    // It says that it took a prompt right after its last word.
    let script = format!(
        "hook session-start\nhook user-prompt-submit\nread\nhook user-prompt-submit\n{gate}\n\
         say noted {{message}}\nhook stop\nread\n"
    );
    agent(&env, "busy", &script);
    let id = spawn(&env, &repo, &["--agent", "busy", "x"]);
    wait_status(&env, &id, "working");
    at_composer(&env, &id);
    let args = ["send", &id, "--now", "--wait", "--timeout", "30s", "stop that"];
    let waiter = env.spawn_ao(&args);
    env.wait_for("the text arrives", || {
        (ledger(&env, "busy") == pasted("stop that")).then_some(())
    });
    open(&env, "turn");
    let output = waiter.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "noted stop that\n");
    assert!(output.status.success());
}

#[test]
fn a_program_that_reads_lines_has_taken_what_it_has_read() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let spawn =
        |script: &str| spawn(&env, &repo, &["--agent", "shell", "--mode", "interactive", script]);
    let reader = spawn("while read -r line; do echo \"got $line\"; done");
    env.ao(&["send", &reader, "hello"]).success();
    env.wait_for("the line", || {
        env.ao(&["output", &reader]).stdout.contains("got hello").then_some(())
    });
    let deaf = spawn("sleep 600");
    let outcome = env.ao(&["send", &deaf, "hello", "--json"]).code(1);
    assert_eq!(outcome.json_error()["error"]["retryable"], true, "{outcome}");
    assert!(outcome.stderr.contains("has not read it yet"), "{outcome}");
    // One Enter is enough for a terminal.
    assert_eq!(env.ao(&["output", &deaf]).stdout, "hello\n");
}

#[test]
fn what_a_terminal_in_line_mode_would_cut_or_split_is_not_typed() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let got = env.path("got");
    let script = format!("while read -r line; do echo ${{#line}} >>{}; done", got.display());
    let id = spawn(&env, &repo, &["--agent", "shell", "--mode", "interactive", &script]);
    for text in ["x".repeat(4096), "x".repeat(20_000), "one\ntwo".to_owned()] {
        let outcome = env.ao_stdin(&["send", &id, "-"], text.as_str()).code(1);
        assert!(outcome.stderr.contains(": failed: the program reads lines"), "{outcome}");
        assert!(outcome.stderr.contains("4095 bytes"), "{outcome}");
    }
    let other = spawn(&env, &repo, &["--agent", "shell", "--mode", "interactive", "cat"]);
    let told = env.ao(&["send", &id, &other, "one\ntwo"]).code(1).stderr;
    assert!(told.starts_with(&format!("{id}: failed: ")), "{told}");
    assert_eq!(env.record(&id).get("outbox"), None);
    // The longest that it takes arrives whole, and the screen does not have to show it.
    for text in ["x".repeat(4095), "|".repeat(3)] {
        env.ao_stdin(&["send", &id, "-"], text.as_str()).success();
    }
    env.wait_for("both lines", || (fs::read_to_string(&got).ok()? == "4095\n3\n").then_some(()));
}

#[test]
fn enter_is_pressed_once_where_a_terminal_takes_lines() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let got = env.path("got");
    // It draws over what the terminal shows of Enter, in the place where the text is.
    let script = format!(
        "stty -echo; printf hello; while read -r line; do echo \"<$line>\" >>{}; done",
        got.display()
    );
    let id = spawn(&env, &repo, &["--agent", "shell", "--mode", "interactive", &script]);
    env.wait_for("it is drawn", || env.ao(&["output", &id]).stdout.contains("hello").then_some(()));
    let outcome = env.ao(&["send", &id, "hello"]).code(1);
    assert!(outcome.stderr.contains(": unconfirmed: "), "{outcome}");
    assert_eq!(read_on(&env, &id, &got), "<hello>\n<x>\n");
}

#[test]
fn a_text_with_a_nul_byte_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "shell", "--mode", "interactive", "cat"]);
    let outcome = env.ao_stdin(&["send", &id, "-"], "a\0b").code(2);
    assert!(outcome.stderr.contains("NUL"), "{outcome}");
    assert_eq!(env.ao(&["output", &id]).stdout, "");
}

#[test]
fn a_text_whose_sending_failed_is_not_delivered_later() {
    let env = TestEnvironment::new();
    let (id, kept) = keeper(&env);
    configure(&env, "agnet = \"shell\"\n");
    env.ao(&["send", &id, "hello"]).code(2);
    configure(&env, "");
    assert_eq!(env.record(&id).get("outbox"), None);
    env.ao(&["reap"]).success();
    assert_eq!(read_on(&env, &id, &kept), "x\n");
}

/// Starts an agent that keeps what it is typed in a file, which is returned as well.
fn keeper(env: &TestEnvironment) -> (String, PathBuf) {
    let repo = env.repo("app");
    let kept = env.path("kept");
    let script = format!("stty -echo; exec cat >{}", kept.display());
    let id = spawn(env, &repo, &["--agent", "shell", "--mode", "interactive", &script]);
    env.wait_for("the agent", || kept.exists().then_some(()));
    (id, kept)
}

/// Sends `hello`, hurt by `fault`, and returns the first line of what is said.
fn hurt(env: &TestEnvironment, id: &str, fault: &str) -> String {
    let outcome = env.ao_env(&["send", id, "hello"], &[("AO_FAILPOINT", fault)]).code(1);
    outcome.stderr.lines().next().unwrap().to_owned()
}

/// Ends the line that is typed with an `x` of its own, and returns all that the agent has read.
fn read_on(env: &TestEnvironment, id: &str, kept: &Path) -> String {
    env.tmux(&["send-keys", "-t", &format!("={id}:"), "x", "Enter"]).success();
    env.wait_for("the line", || {
        fs::read_to_string(kept)
            .ok()
            .filter(|text| text.ends_with("x\n") || text.ends_with("<x>\n"))
    })
}

#[test]
fn a_text_whose_paste_failed_is_not_taken_for_one_that_was_never_typed() {
    let env = TestEnvironment::new();
    let (id, kept) = keeper(&env);
    // What a client is given to read is made before it is started; the second one pastes.
    let before = hurt(&env, &id, "cmd.input=error:12");
    assert!(before.contains(": failed: could not run `tmux`"), "{before}");
    let after = hurt(&env, &id, "cmd.wait:tmux#2=error:12");
    assert!(after.contains(": unconfirmed: could not talk to `tmux`"), "{after}");
    assert_eq!(read_on(&env, &id, &kept), "hellox\n");
}

#[test]
fn what_the_screen_did_not_show_is_not_submitted() {
    let env = TestEnvironment::new();
    let (id, kept) = keeper(&env);
    // The third client looks for the text, which the screen does not show at once.
    let told = hurt(&env, &id, "cmd.wait:tmux#3=error:12");
    assert!(told.contains(": unconfirmed: could not talk to `tmux`"), "{told}");
    assert_eq!(read_on(&env, &id, &kept), "hellox\n");
}

#[test]
fn a_terminal_that_another_program_got_is_not_taken_for_one_that_was_read() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let over = env.path("over");
    let script = format!("until [ -e {} ]; do sleep 0.01; done", over.display());
    let id = spawn(&env, &repo, &["--agent", "shell", "--mode", "interactive", &script]);
    let ask = |what: &str| {
        let pane = format!("={id}:");
        env.tmux(&["display-message", "-p", "-t", &pane, what]).stdout.trim().to_owned()
    };
    let terminal = ask("#{pane_tty}");
    let sending = env.spawn_ao(&["send", &id, "hello", "--json"]);
    // Enter was pressed, and what it led to has been looked at.
    env.wait_for("Enter", || (ask("#{cursor_y}") == "1").then_some(()));
    let children = format!("/proc/{0}/task/{0}/children", sending.id());
    let has_looked = || fs::read_to_string(&children).unwrap().is_empty();
    env.wait_for("the look", || has_looked().then_some(()));
    // It asks the terminal again once that is another program's.
    let sender = Pid::from_child(&sending);
    kill_process(sender, Signal::STOP).unwrap();
    fs::write(&over, "").unwrap();
    env.wait_for("the end", || (ask("#{pane_dead}") == "1").then_some(()));
    // The numbers of terminals are given anew, the lowest first.
    let mut others = Vec::new();
    while others.last().is_none_or(|(_, name)| *name != terminal) && others.len() < 100 {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let other = openpt(flags).unwrap();
        unlockpt(&other).unwrap();
        let name = ptsname(&other, Vec::new()).unwrap().into_string().unwrap();
        others.push((other, name));
    }
    kill_process(sender, Signal::CONT).unwrap();
    let output = sending.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("the program ended, and may not have read it"), "{told}");
}

#[test]
fn a_card_with_patterns_and_no_composer_may_be_of_a_program_that_reads_lines() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let script =
        env.script("lines", "printf '> '; while read -r it; do printf \"got $it\\n> \"; done");
    let cards = env.path("user/config/ao/agents");
    fs::create_dir_all(&cards).unwrap();
    let card = format!(
        "[agent]\nname = \"lines\"\nbinary = \"sh\"\nmode = \"interactive\"\n\
         interactive = [\"{{binary}}\", \"{}\"]\n\
         [prompt]\ndelivery = \"paste\"\nready = '(?m)^>'\n\
         [terminal]\nidle = ['(?m)^> ?\\z']\n",
        script.display()
    );
    fs::write(cards.join("lines.toml"), card).unwrap();
    let id = spawn(&env, &repo, &["--agent", "lines", "one"]);
    env.ao(&["send", &id, "two", "--now"]).success();
    env.wait_for("both lines", || {
        let screen = env.ao(&["output", &id]).stdout;
        (screen.trim_end() == "> one\ngot one\n> two\ngot two\n>").then_some(())
    });
}

#[test]
fn a_wait_ends_with_a_code_of_its_own_where_the_usage_limit_is_reached() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    configure(&env, "screen_after = \"0s\"\n");
    let script = "hook user-prompt-submit\nhook stop\nread\nhook user-prompt-submit\nsay limit reached\n\
                  sleep 60000\n";
    card(&env, "limited", script, |text| {
        text.replace("[terminal]\n", "[terminal]\nlimit = [\"limit reached\"]\n")
    });
    let id = spawn(&env, &repo, &["--agent", "limited", "x"]);
    wait_status(&env, &id, "idle");
    at_composer(&env, &id);
    let outcome = env.ao(&["send", &id, "--wait", "--timeout", "30s", "--json", "go"]).code(23);
    assert_eq!(outcome.json()["send"]["outcome"], "usage_limited", "{outcome}");
}
