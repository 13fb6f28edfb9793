//! `ao agent`, and what is asked of an agent's program before a spawn or a restore.

use std::fs;

use serde_json::json;

use crate::agents::{agent, agents_alive, card, configure, spawn, status, wait_status};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

const IDLE: &str = "hook user-prompt-submit\nhook stop\nread\n";

/// A program that notes each question, and answers as its two files say.
fn tool(env: &TestEnvironment, name: &str) {
    let root = env.path("scripts");
    let root = root.display();
    env.shims(&[(
        name,
        &format!(
            "echo \"$1\" >>'{root}/{name}.asked'\n\
             case $1 in\n\
             --version) cat '{root}/{name}.version';;\n\
             login) exec sh '{root}/{name}.login';;\n\
             *) shift; exec sh -c \"$*\";;\n\
             esac\n"
        ),
    )]);
    set(env, name, "version", "the tool, version 1.4.2 (stable)");
    set(env, name, "login", "exit 0");
}

fn set(env: &TestEnvironment, name: &str, what: &str, text: &str) {
    fs::write(env.path("scripts").join(format!("{name}.{what}")), text).unwrap();
}

/// Returns how often the program was asked for this.
fn asked(env: &TestEnvironment, name: &str, what: &str) -> usize {
    let path = env.path("scripts").join(format!("{name}.asked"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter(|line| *line == what).count()
}

/// Writes a card of the user's for that program, with `preflight` in its section.
fn own_card(env: &TestEnvironment, name: &str, preflight: &str) {
    let text = format!(
        "[agent]\nname = '{name}'\nbinary = '{name}'\ndescription = 'A tool'\nmode = 'one_shot'\n\
         one_shot = ['{{binary}}', 'run', '{{prompt_args}}']\n\
         [preflight]\nversion = ['--version']\n{preflight}\n"
    );
    let directory = env.path("user/config/ao/agents");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(format!("{name}.toml")), text).unwrap();
}

#[test]
fn agents_are_listed_with_what_they_say_of_themselves() {
    let env = TestEnvironment::new();
    tool(&env, "mine");
    own_card(&env, "mine", "minimum = '1.10'\nauth = ['login']\nauth_env = ['MINE_KEY']");
    own_card(&env, "absent-tool", "auth = ['login']");
    own_card(&env, "broken", "minimun = '1'");
    let answer = env.ao_json(&["agent", "ls", "--json"]);
    assert_answer("AgentsAnswer", &answer);
    let find = |name: &str| {
        let agents = answer["agents"].as_array().unwrap();
        agents.iter().find(|agent| agent["name"] == name).cloned().unwrap_or_default()
    };
    let directory = env.path("user/config/ao/agents");
    assert_eq!(
        find("mine"),
        json!({"name": "mine", "description": "A tool", "installed": true,
            "path": env.path("bin/mine"), "version": "1.4.2", "minimum": "1.10", "too_old": true,
            "login": "yes", "built_in": false, "file": directory.join("mine.toml"),
            "mode": "one_shot", "signals": "none"})
    );
    let absent = find("absent-tool");
    assert_eq!((&absent["installed"], &absent["version"]), (&json!(false), &json!(null)));
    assert_eq!((&find("shell")["built_in"], &find("demo")), (&json!(true), &json!(null)));
    let bad = answer["bad"].as_array().unwrap();
    assert_eq!((&bad[0]["name"], &bad[0]["line"]), (&json!("broken"), &json!(9)));
    assert!(bad[0]["why"].as_str().unwrap().contains("expected one of `version`, `minimum`"));
    assert_eq!((asked(&env, "mine", "--version"), asked(&env, "mine", "login")), (1, 1));

    set(&env, "mine", "login", "exit 1");
    let outcome = env.ao(&["agent", "ls"]).success();
    let row = outcome.stdout.lines().find(|line| line.starts_with("mine ")).unwrap();
    let words: Vec<&str> = row.split_whitespace().take(8).collect();
    assert_eq!(words, ["mine", "1.4.2", "(needs", "1.10)", "no", "one_shot", "your", "own"]);
    assert!(outcome.stderr.contains("broken.toml:9: unknown field `minimun`"), "{outcome}");

    env.set("MINE_KEY", "secret");
    let asked_before = asked(&env, "mine", "--version");
    let offline = env.ao_json(&["agent", "ls", "--offline", "--json"]);
    let mine =
        offline["agents"].as_array().unwrap().iter().find(|it| it["name"] == "mine").unwrap();
    assert_eq!((&mine["version"], &mine["login"]), (&json!(null), &json!("yes")));
    assert_eq!(asked(&env, "mine", "--version"), asked_before);
}

#[test]
fn a_program_that_does_not_answer_is_unknown_and_ended() {
    let env = TestEnvironment::new();
    tool(&env, "slow");
    env.shims(&[("slow", "sleep 600 & sleep 600\n")]);
    own_card(&env, "slow", "auth = ['login']");
    let answer = env.ao_json(&["agent", "ls", "--json"]);
    let slow = answer["agents"].as_array().unwrap().iter().find(|it| it["name"] == "slow").unwrap();
    assert_eq!((&slow["version"], &slow["login"]), (&json!(null), &json!("unknown")));
    env.wait_for("its children to end", || env.processes().is_empty().then_some(()));
}

#[test]
fn without_another_thread_agents_are_asked_one_after_the_other() {
    let env = TestEnvironment::new();
    tool(&env, "mine");
    own_card(&env, "mine", "auth = ['login']");
    let usual = env.ao_json(&["agent", "ls", "--json"]);
    // No machine has the memory for a stack of that size.
    let none = [("RUST_MIN_STACK", "1000000000000000")];
    let outcome = env.ao_env(&["agent", "ls", "--json"], &none).success();
    assert_eq!((outcome.json(), asked(&env, "mine", "login")), (usual, 2));
}

#[test]
fn a_card_can_be_shown_copied_and_checked() {
    let env = TestEnvironment::new();
    let shown = env.ao(&["agent", "show", "shell"]).success().stdout.clone();
    assert_eq!(shown, include_str!("../../src/adapter/agent/cards/shell.toml"));
    let answer = env.ao_json(&["agent", "show", "shell", "--json"]);
    assert_answer("CardAnswer", &answer);
    assert_eq!((&answer["card"]["text"], &answer["card"]["file"]), (&json!(shown), &json!(null)));
    env.ao(&["agent", "show", "nobody"]).code(3);

    let file = env.path("user/mine.toml");
    fs::write(&file, shown.replace("name = \"shell\"", "name = \"mine\"")).unwrap();
    let outcome = env.ao(&["agent", "check", "mine.toml"]).success();
    assert_eq!(outcome.stdout, "mine: good; starts `sh`, one_shot; signals by none\n");
    let answer = env.ao_json(&["agent", "check", "mine.toml", "--json"]);
    assert_answer("CardAnswer", &answer);

    fs::write(&file, shown).unwrap();
    let outcome = env.ao(&["agent", "check", "mine.toml"]).code(2);
    assert!(outcome.stderr.contains("mine.toml:4: the name must be \"mine\""), "{outcome}");
    fs::write(&file, "[agent]\nname = 'mine'\nbinary = 'sh'\nmode = 'one_shot'\none_shot = ['x']\n[terminal]\n# Why not?\ndialog = [\n  'fine',\n  '(unclosed',\n]\n").unwrap();
    let outcome = env.ao(&["agent", "check", "mine.toml"]).code(2);
    let line = "mine.toml:10: \"(unclosed\" is not a regular expression: unclosed group";
    assert!(outcome.stderr.contains(line), "{outcome}");
    env.ao(&["agent", "check", "none.toml"]).code(3);
    env.ao(&["agent", "check"]).code(2);
}

#[test]
fn a_users_card_takes_the_place_of_a_built_in_one_and_is_shown() {
    let env = TestEnvironment::new();
    own_card(&env, "shell", "auth = ['login']");
    let file = env.path("user/config/ao/agents/shell.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(env.ao(&["agent", "show", "shell"]).success().stdout, text);
    fs::write(&file, format!("{text}\n[oops]\n")).unwrap();
    let outcome = env.ao(&["agent", "show", "shell"]).success();
    assert_eq!(outcome.stdout, format!("{text}\n[oops]\n"));
    assert!(outcome.stderr.contains("unknown field `oops`"), "{outcome}");
}

#[test]
fn an_agent_that_is_too_old_is_refused_before_anything_is_made() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    tool(&env, "mine");
    own_card(&env, "mine", "minimum = '1.10'");
    for times in 1..=2 {
        let outcome = env.ao_in(&repo, &["spawn", "-a", "mine", "true"]).code(8);
        let line = "agent `mine` is version 1.4.2, and 1.10 or newer is needed";
        assert!(outcome.stderr.contains(line), "{outcome}");
        assert_eq!(asked(&env, "mine", "--version"), times, "nobody is refused for what was");
    }
    assert!(!env.home().join("sessions/app-1").exists());
    assert_eq!(env.git(&repo, &["branch", "--list", "ao/*"]), "");

    own_card(&env, "mine", "minimum = '1.4'");
    let id = spawn(&env, &repo, &["-a", "mine", "true"]);
    wait_status(&env, &id, "done");
    assert_eq!(asked(&env, "mine", "--version"), 2, "its version is remembered");
    // Another program: it is asked again, and one that does not say is believed to be able.
    set(&env, "mine", "version", "no idea");
    env.shims(&[("mine", "echo again >>\"$0.asked\"\n")]);
    let id = spawn(&env, &repo, &["-a", "mine", "true"]);
    wait_status(&env, &id, "done");
    own_card(&env, "mine", "minimum = '99'");
    tool(&env, "mine");
    env.ao(&["restore", &id]).code(8);
    assert_eq!(status(&env, &id), "done");
}

#[test]
fn a_restore_of_all_stops_where_nobody_is_logged_in() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    // The demo agent is ao itself, which takes `agent check FILE` for a question.
    let login = env.path("user/login.toml");
    fs::write(&login, "[agent]\n").unwrap();
    let question = format!("auth = [\"agent\", \"check\", \"{}\"]", login.display());
    card(&env, "keen", IDLE, |card| {
        card.replace(
            "[preflight]\n",
            &format!("[preflight]\nauth_env = [\"KEEN_KEY\"]\n{question}\n"),
        )
    });
    agent(&env, "other", IDLE);
    let ids: Vec<String> = ["keen", "other", "keen"]
        .iter()
        .map(|name| {
            let id = spawn(&env, &repo, &["-a", name, "x"]);
            wait_status(&env, &id, "idle");
            id
        })
        .collect();
    // As after a power cut: launchers and server first, so that nobody says how an agent ended.
    let server = env.tmux(&["display-message", "-p", "#{pid}"]).stdout.trim().parse().unwrap();
    let launcher = |id: &String| env.record(id)["handles"]["runtime"]["pid"].as_i64().unwrap();
    for pid in ids.iter().map(launcher).chain([server]) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    env.wait_for("nothing is left", || agents_alive(&env).is_empty().then_some(()));
    env.ao(&["reap"]).success();
    ids.iter().for_each(|id| assert_eq!(status(&env, id), "exited"));
    let outcome = env.ao(&["restore", "--all"]).code(6);
    assert!(outcome.stderr.contains("nobody is logged in at agent `keen`"), "{outcome}");
    assert!(outcome.stderr.contains("log in, or set KEEN_KEY"), "{outcome}");
    assert!(outcome.stderr.contains("stopped: "), "{outcome}");
    assert_eq!(agents_alive(&env), Vec::<u32>::new());
    for id in &ids {
        assert_eq!(status(&env, id), "exited");
    }
    configure(&env, "[env]\nKEEN_KEY = \"x\"\n");
    let answer = env.ao_json(&["restore", "--all", "--json"]);
    assert_eq!(answer["sessions"].as_array().unwrap().len(), 3, "{answer:#}");
}

#[test]
fn doctor_says_what_agents_say_of_themselves() {
    let env = TestEnvironment::new();
    tool(&env, "mine");
    own_card(&env, "mine", "minimum = '1.10'\nauth = ['login']");
    let outcome = env.ao(&["doctor"]).code(1);
    assert!(outcome.stdout.contains("BAD  agent mine: 1.4.2, and 1.10 or newer is needed\n"));
    own_card(&env, "mine", "auth = ['login']");
    let line = |outcome: &str| {
        outcome.lines().find(|line| line.contains("agent mine")).unwrap().to_owned()
    };
    assert_eq!(line(&env.ao(&["doctor"]).stdout), "ok   agent mine: 1.4.2, logged in");
    set(&env, "mine", "login", "exit 1");
    assert_eq!(line(&env.ao(&["doctor"]).stdout), "ok   agent mine: 1.4.2, nobody is logged in");
}
