//! The whole loop: three sessions from spawn to nothing left, on real tmux, git and files.

use std::fs;

use crate::agents::{
    agent, agents_alive, assert_no_lock_is_held, configure, gate, history, json_lines, ledger,
    notices, open, pasted, spawn, status, told, tree, wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

const MESSAGE: &str = "take the second way: `x` $(touch never) \"é\"\nand then stop";

#[test]
fn three_sessions_from_spawn_to_nothing_left() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let (log, urgent) = (env.path("notices.jsonl"), env.path("urgent.jsonl"));
    configure(
        &env,
        &format!(
            "[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n\
             [notifiers.pager]\nkind = \"command\"\npriorities = [\"urgent\"]\n\
             command = [\"sh\", \"-c\", \"cat >>{}\"]\n",
            log.display(),
            urgent.display()
        ),
    );
    let gate = gate(&env, "go");
    let begin =
        format!("hook session-start\nhook user-prompt-submit\nsay working on {{prompt}}\n{gate}\n");
    let turns = "loop {\nread\nhook user-prompt-submit\nsay answer to {message}\nhook stop\n}\n";
    agent(&env, "talker", &format!("{begin}hook stop\n{turns}"));
    agent(&env, "finisher", &format!("{begin}say all is well\nexit 0\n"));
    agent(&env, "crasher", &format!("{begin}crash\n"));

    let refs = env.git(&repo, &["for-each-ref"]);
    let tracked = env.git(&repo, &["status", "--porcelain"]);
    let registered = env.ao_in(&repo, &["project", "add", ".", "--json"]).success().json();
    assert_eq!(registered["project"]["id"], "app", "{registered:#}");

    let talker = spawn(&env, &repo, &["--agent", "talker", "talk"]);
    let finisher = spawn(&env, &repo, &["--agent", "finisher", "--mode", "one_shot", "finish"]);
    let crasher = spawn(&env, &repo, &["--agent", "crasher", "crash"]);
    assert_eq!([&*talker, &finisher, &crasher], ["app-1", "app-2", "app-3"]);
    for id in [&talker, &finisher, &crasher] {
        wait_status(&env, id, "working");
    }
    let listed = env.ao_json(&["ls", "--json"]);
    assert_answer("SessionsAnswer", &listed);
    let seen: Vec<_> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| {
            format!(
                "{} {} {}",
                session["id"].as_str().unwrap(),
                session["agent"].as_str().unwrap(),
                session["status"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(seen, ["app-1 talker working", "app-2 finisher working", "app-3 crasher working"]);
    env.wait_for("the screen shows the task", || {
        env.ao(&["output", &talker]).stdout.contains("working on talk").then_some(())
    });
    assert_eq!(env.git(&repo, &["worktree", "list"]).lines().count(), 4);

    open(&env, "go");
    wait_status(&env, &talker, "idle");
    wait_status(&env, &finisher, "done");
    wait_status(&env, &crasher, "exited");

    let sent = env.ao_json(&["send", &talker, MESSAGE, "--json"]);
    assert_answer("SendAnswer", &sent);
    assert_eq!(sent["send"]["delivery"], "submitted", "{sent:#}");
    // tmux turns line ends of a bracketed paste into nothing else: they arrive as they are.
    assert_eq!(
        String::from_utf8_lossy(&ledger(&env, "talker")),
        String::from_utf8_lossy(&pasted(MESSAGE))
    );
    env.wait_record(&talker, "the turn is over", |record| {
        record["lifecycle"]["activity"]["state"] == "idle"
    });

    let killed = env.ao_json(&["kill", &talker, "--json"]);
    assert_answer("SessionsAnswer", &killed);
    let pass = env.ao_json(&["reap", "--json"]);
    assert_answer("ReapAnswer", &pass);
    assert_eq!(pass["reap"]["failed"], serde_json::json!([]));

    assert_eq!(status(&env, &talker), "killed");
    assert_eq!(status(&env, &finisher), "done");
    assert_eq!(status(&env, &crasher), "exited");
    let exit = |id: &str| {
        let bytes = fs::read(env.session_directory(id).unwrap().join("exit.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    assert_eq!(exit(&finisher)["code"], 0);
    assert_eq!(exit(&crasher)["signal"], 11);

    let begin = ["spawn - spawning", "hook activity.ready idle", "hook activity.active working"];
    let turn = ["hook activity.active working", "hook activity.idle idle"];
    let with = |rest: &str| [begin.join(", "), rest.to_owned()].join(", ");
    assert_eq!(
        history(&env, &talker).join(", "),
        [&with("hook activity.idle idle"), turn[0], turn[1], "kill kill.manual killed"].join(", ")
    );
    assert_eq!(history(&env, &finisher).join(", "), with("launcher probe.1 done"));
    assert_eq!(history(&env, &crasher).join(", "), with("launcher probe.2 exited"));

    let mut all = told(&notices(&env));
    all.sort();
    assert_eq!(all, ["app-2 agent-done info", "app-3 agent-exited urgent"]);
    assert_eq!(told(&json_lines(&urgent)), ["app-3 agent-exited urgent"]);

    for id in [&talker, &finisher, &crasher] {
        env.ao(&["log", id, "--verify"]).success();
    }
    env.ao(&["doctor", "--state"]).success();

    let cleaned = env.ao_json(&["cleanup", "--yes", "--json"]);
    assert_eq!(cleaned["cleanup"].as_array().unwrap().len(), 3, "{cleaned:#}");
    assert_eq!(env.ao_json(&["ls", "--json"])["sessions"], serde_json::json!([]));
    for id in [&talker, &finisher, &crasher] {
        env.ao(&["log", id, "--verify"]).success();
    }
    assert_eq!(env.git(&repo, &["worktree", "list"]).lines().count(), 1);
    assert_eq!(env.git(&repo, &["for-each-ref"]), refs);
    assert_eq!(env.git(&repo, &["status", "--porcelain"]), tracked);
    assert!(!repo.join(".git/worktrees").exists() || tree(&repo.join(".git/worktrees")).is_empty());
    let panes = env.tmux(&["list-panes", "-a"]);
    assert_eq!(panes.stdout, "");
    assert_eq!(agents_alive(&env), Vec::<u32>::new());
    assert_no_lock_is_held(&env.home());
    assert_no_lock_is_held(&repo.join(".git"));
    let temporary: Vec<_> = [env.home(), repo, env.path("user"), env.path("run")]
        .iter()
        .flat_map(|root| tree(root))
        .map(|(path, _)| path)
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains("tmp"))
        .collect();
    assert_eq!(temporary, Vec::<std::path::PathBuf>::new());
}
