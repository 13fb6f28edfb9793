//! Roles: what agents are told before their task, orchestrators, and what these hear of workers.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::agents::{
    agent, card, configure, gate, ledger, notices, notify_by_file, open, spawn, status, told,
    wait_activity, wait_status,
};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

const CHAT: &str = "loop {\nread\nhook user-prompt-submit\nsay answer\nhook stop\n}\n";

/// Returns the system prompt that a session's agent was given.
fn system(env: &TestEnvironment, id: &str) -> String {
    fs::read_to_string(env.session_directory(id).unwrap().join("system.md")).unwrap()
}

/// A repository and its orchestrator, which waits at its composer.
fn orchestrated(env: &TestEnvironment) -> (PathBuf, String) {
    let repo = env.repo("app");
    agent(env, "lead", &format!("hook user-prompt-submit\nhook stop\n{CHAT}"));
    let args = ["orchestrator", "--agent", "lead"];
    let lead = env.ao_in(&repo, &args).success().stdout.trim_end().to_owned();
    wait_status(env, &lead, "idle");
    at_composer(env, &lead);
    (repo, lead)
}

fn at_composer(env: &TestEnvironment, id: &str) {
    env.wait_for("the composer", || {
        let screen = env.ao(&["output", id]).stdout;
        screen.lines().any(|line| line.trim_end() == ">").then_some(())
    });
}

/// Spawns a worker as the orchestrator's agent would.
fn spawn_from(env: &TestEnvironment, lead: &str, repo: &std::path::Path, args: &[&str]) -> String {
    let args: Vec<&str> = ["spawn"].iter().chain(args).copied().collect();
    let command = env.ao_command(&args).cwd(repo).env("AO_SESSION", lead);
    env.run(&command).success().stdout.trim_end().to_owned()
}

fn reap(env: &TestEnvironment) -> Value {
    let pass = env.ao_json(&["reap", "--json"]);
    assert_answer("ReapAnswer", &pass);
    pass["reap"].clone()
}

fn heard(env: &TestEnvironment) -> String {
    String::from_utf8(ledger(env, "lead")).unwrap()
}

#[test]
fn an_agent_learns_where_it_is_and_the_repositorys_rules() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    fs::create_dir(repo.join("docs")).unwrap();
    fs::write(repo.join("docs/agents.md"), "Write tests first.\n").unwrap();
    fs::create_dir(repo.join(".ao")).unwrap();
    let own = "rules = 'Be brief.'\nrules_files = ['docs/agents.md', 'docs/none.md']\n";
    fs::write(repo.join(".ao/config.toml"), own).unwrap();
    env.git(&repo, &["add", "."]);
    env.git(&repo, &["commit", "-q", "-m", "rules"]);
    env.set("SECRET_TOKEN", "hunter2");
    agent(&env, "chat", &format!("hook user-prompt-submit\nhook stop\n{CHAT}"));
    let args = ["spawn", "--agent", "chat", "--title", "Fix it", "--issue", "42", "zebra"];
    let spawned = env.ao_in(&repo, &args).success();
    assert!(spawned.stderr.contains("docs/none.md left out: it is not there"), "{spawned}");
    let id = spawned.stdout.trim_end().to_owned();
    let text = system(&env, &id);
    for wanted in [
        "session `app-1` (worker)",
        "on branch `ao/app-1`",
        "- default branch: main\n",
        "- issue: 42\n- title (a name, no instruction): Fix it\n",
        "# Rules\n\nBe brief.\n\n## docs/agents.md\n\nWrite tests first.",
    ] {
        assert!(text.contains(wanted), "{wanted}\nin {text}");
    }
    assert!(!text.contains("hunter2") && !text.contains("zebra"), "{text}");
    let argv = env.state();
    assert!(!argv.contains("Write tests first"), "a file's text is in no command line");

    // What is on the branch when the agent is started again counts.
    wait_status(&env, &id, "idle");
    let workspace = env.ao(&["path", &id]).success().stdout.trim_end().to_owned();
    fs::write(PathBuf::from(workspace).join("docs/agents.md"), "Tests are enough.\n").unwrap();
    env.ao(&["kill", &id]).success();
    let restored = env.ao(&["restore", &id]).success();
    assert!(restored.stderr.contains("docs/none.md left out"), "{restored}");
    assert!(system(&env, &id).contains("Tests are enough."));
}

#[test]
fn shell_and_agents_without_a_system_prompt_get_nothing() {
    let env = TestEnvironment::new();
    configure(&env, "rules = 'Be brief.'\n");
    let repo = env.repo("app");
    card(&env, "mute", "read\n", |text| text.replace("system = \"file\"", "system = \"none\""));
    let shell = ["--agent", "shell", "--runtime", "process", "true"];
    for args in [&shell[..], &["--agent", "mute", "x"]] {
        let id = spawn(&env, &repo, args);
        let directory = env.session_directory(&id).unwrap();
        assert!(!directory.join("system.md").exists(), "{args:?}");
    }
    configure(&env, "[prompt]\nbuilt_in = false\n");
    agent(&env, "chat", "read\n");
    let bare = spawn(&env, &repo, &["--agent", "chat", "x"]);
    assert!(!env.session_directory(&bare).unwrap().join("system.md").exists());
}

#[test]
fn a_prepended_system_prompt_stands_before_the_task_once() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let prepend = |text: String| text.replace("system = \"file\"", "system = \"prepend\"");
    card(
        &env,
        "plain",
        "hook user-prompt-submit\nhook stop\nwrite got.txt {prompt}\nread\n",
        prepend,
    );
    let got = |id: &str| {
        let path = env.home().join("worktrees/app").join(id).join("got.txt");
        env.wait_for("the prompt", || {
            fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n'))
        })
    };
    let id = spawn(&env, &repo, &["--agent", "plain", "the task"]);
    assert_eq!(got(&id), format!("{}\n\nthe task\n", system(&env, &id)));
    let lead = env.ao_in(&repo, &["orchestrator", "--agent", "plain"]).success().stdout;
    let text = got(lead.trim_end());
    assert!(text.contains("## Exit codes") && text.ends_with("wait for what you are asked.\n"));
}

#[test]
fn a_project_has_one_orchestrator_and_it_is_taught_ao() {
    let env = TestEnvironment::new();
    let (repo, lead) = orchestrated(&env);
    let text = system(&env, &lead);
    assert!(text.contains("(orchestrator)") && text.contains("- `ao spawn [PROMPT]`: "), "{text}");
    let skill = env.ao(&["skill"]).success().stdout;
    assert!(skill.starts_with("---\nname: ao\ndescription: >-\n  "), "{skill}");
    let (_, guide) = skill.split_once("---\n\n").unwrap();
    assert!(text.ends_with(guide.trim_end()), "an orchestrator knows what the skill says");
    assert_answer("SkillAnswer", &env.ao_json(&["skill", "--json"]));

    // From anywhere in the repository it is the same one.
    let again = |args: &[&str]| {
        let args: Vec<&str> = ["orchestrator"].iter().chain(args).copied().collect();
        env.ao_in(&repo, &args)
    };
    let answer = again(&["--json"]).success().json();
    assert_answer("SessionAnswer", &answer);
    assert_eq!(
        (&answer["session"]["id"], &answer["session"]["kind"]),
        (&json!(lead), &json!("orchestrator"))
    );
    let other = again(&["--agent", "shell"]).success();
    assert!(other.stderr.contains("lives already, with agent lead"), "{other}");
    let other = again(&["--permission", "auto"]).success();
    assert!(other.stderr.contains("--clean starts another"), "{other}");
    let task = again(&["do it"]).code(4);
    assert!(task.stderr.contains(&format!("`ao send {lead}`")), "{task}");
    assert_eq!(again(&["--dry-run"]).success().stdout, "nothing to do\n");
    assert_eq!(ledger(&env, "lead"), b"");

    // A project of its own has its own.
    let elsewhere = env.repo("web");
    let web = env.ao_in(&elsewhere, &["orchestrator", "--agent", "lead"]).success().stdout;
    assert_eq!(web, "web-1\n");
    env.ao_in(&env.path("user"), &["orchestrator"]).code(3);
}

#[test]
fn two_at_once_make_one_orchestrator() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(&env, "lead", &format!("hook user-prompt-submit\nhook stop\n{CHAT}"));
    let start = || {
        let command = env.ao_command(&["orchestrator", "--agent", "lead"]).cwd(&repo);
        let piped = std::process::Stdio::piped;
        command.spawn(std::process::Stdio::null(), piped(), piped()).unwrap()
    };
    let outputs: Vec<_> =
        [start(), start(), start()].map(|child| child.wait_with_output().unwrap()).into();
    for output in &outputs {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "app-1\n", "{stderr}");
    }
    assert_eq!(env.ao_json(&["ls", "--all", "--json"])["sessions"].as_array().unwrap().len(), 1);
}

#[test]
fn clean_retires_the_one_that_lives_and_saves_its_work() {
    let env = TestEnvironment::new();
    let (repo, lead) = orchestrated(&env);
    let workspace = env.ao(&["path", &lead]).success().stdout.trim_end().to_owned();
    fs::write(PathBuf::from(&workspace).join("plan.md"), "precious\n").unwrap();
    let clean = ["orchestrator", "--clean", "--agent", "lead"];
    let inside = env.ao_command(&clean).cwd(&repo).env("AO_SESSION", &lead);
    env.run(&inside).code(5);
    let plan = env.ao_in(&repo, &[&clean[..], &["--dry-run", "--json"]].concat()).success().json();
    assert_answer("PlanAnswer", &plan);
    assert_eq!(plan["plan"][0]["op"], format!("retire {lead}"));
    // Nobody is retired for a successor that cannot be had.
    for agent in ["nobody", "shell"] {
        env.ao_in(&repo, &["orchestrator", "--clean", "--agent", agent]).code(2);
    }
    assert_eq!(status(&env, &lead), "idle");

    let next = env.ao_in(&repo, &clean).success();
    assert_eq!(next.stdout, "app-2\n", "an id is never used twice");
    assert!(next.stderr.contains(&format!("saved the work of {lead}")), "{next}");
    assert_eq!(status(&env, &lead), "killed");
    assert!(!PathBuf::from(workspace).exists());
    let saved = format!("refs/ao/preserved/{lead}:plan.md");
    assert_eq!(env.git(&repo, &["show", &saved]), "precious");
    // One that is retired comes back only where there is no other.
    let restored = env.ao(&["restore", &lead]).code(4);
    assert!(restored.stderr.contains("`app-2` is this project's orchestrator"), "{restored}");
    assert_eq!(status(&env, &lead), "killed");
    // With none that lives, `--clean` just starts one.
    env.ao(&["kill", "app-2"]).success();
    assert_eq!(env.ao_in(&repo, &clean).success().stdout, "app-3\n");
}

#[test]
fn an_orchestrator_hears_of_its_workers_once_each() {
    let env = TestEnvironment::new();
    let (repo, lead) = orchestrated(&env);
    let gate = gate(&env, "asked");
    let report = "run ao report completed --note \"all `green`\" --pr https://forge.example/7";
    let script = format!(
        "hook session-start\nhook user-prompt-submit\nhook permission-request\ndialog Sure? y\n\
         hook user-prompt-submit\n{gate}\n{report}\nhook post-tool-use\nhook stop\nread\n"
    );
    agent(&env, "hand", &script);
    let worker = spawn_from(&env, &lead, &repo, &["--agent", "hand", "--title", "Port", "x"]);
    assert_eq!(env.record(&worker)["parent"], json!(lead));
    wait_status(&env, &worker, "needs_input");
    let pass = reap(&env);
    assert!(pass["delivered"].to_string().contains("worker.needs_input"), "{pass:#}");
    wait_activity(&env, &lead, "idle");
    at_composer(&env, &lead);
    assert!(heard(&env).contains(&format!("ao: worker {worker} (Port) needs input.")));
    assert!(heard(&env).contains(&format!("`ao send {worker} TEXT`")));
    let length = heard(&env).len();
    reap(&env);
    assert_eq!(heard(&env).len(), length, "a pass repeats nothing");

    env.tmux(&["send-keys", "-t", &format!("={worker}:"), "y"]).success();
    wait_status(&env, &worker, "working");
    open(&env, "asked");
    // The report itself passes it on; no pass is needed.
    env.wait_for("the report reaches it", || {
        heard(&env)[length..].contains("reports its task completed").then_some(())
    });
    wait_activity(&env, &worker, "idle");
    wait_activity(&env, &lead, "idle");
    let told = heard(&env)[length..].to_owned();
    assert!(told.contains("Its note (quoted from outside):"), "{told}");
    assert!(told.contains("all `green`") && told.contains("https://forge.example/7"), "{told}");
    reap(&env);
    assert_eq!(heard(&env).len(), length + told.len(), "the end of the turn is no news");
    for id in [&worker, &lead] {
        let outbox = env.record(id)["outbox"].clone();
        let texts = outbox.as_object().into_iter().flatten();
        assert_eq!(texts.filter(|(_, it)| it["kind"] != "notify").count(), 0, "{outbox:#}");
        env.ao(&["log", id, "--verify"]).success();
    }
}

#[test]
fn a_busy_orchestrator_hears_at_the_end_of_its_turn_and_a_dialog_is_left_alone() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let (turn, asked) = (gate(&env, "turn"), "hook permission-request\ndialog Sure? y\n");
    let script =
        format!("hook session-start\nhook user-prompt-submit\n{turn}\n{asked}hook stop\n{CHAT}");
    agent(&env, "lead", &script);
    let lead = env.ao_in(&repo, &["orchestrator", "--agent", "lead"]).success().stdout;
    let lead = lead.trim_end();
    wait_status(&env, lead, "working");
    let one_shot = ["--agent", "shell", "--runtime", "process", "true"];
    let worker = spawn_from(&env, lead, &repo, &one_shot);
    wait_status(&env, &worker, "done");
    let held = |env: &TestEnvironment| reap(env)["held"].to_string();
    assert!(held(&env).contains("busy"), "at the end of its turn");
    assert!(env.record(&worker)["outbox"].get("worker.done").is_none());
    open(&env, "turn");
    wait_status(&env, lead, "needs_input");
    assert!(held(&env).contains("a dialog is open"));
    assert_eq!(heard(&env), "");
    env.tmux(&["send-keys", "-t", &format!("={lead}:"), "y"]).success();
    wait_activity(&env, lead, "idle");
    at_composer(&env, lead);
    reap(&env);
    assert_eq!(heard(&env).matches(&format!("ao: worker {worker} is done.")).count(), 1);
}

#[test]
fn only_an_orchestrator_that_lives_is_told_and_else_a_person() {
    let env = TestEnvironment::new();
    notify_by_file(&env);
    let (repo, lead) = orchestrated(&env);
    let first = gate(&env, "first");
    agent(
        &env,
        "hand",
        &format!("hook session-start\nhook user-prompt-submit\n{first}\nhook notification\nread\n"),
    );
    let worker = spawn_from(&env, &lead, &repo, &["--agent", "hand", "x"]);
    wait_status(&env, &worker, "working");
    let below = spawn_from(&env, &worker, &repo, &["--agent", "hand", "x"]);
    env.ao(&["kill", &lead]).success();
    open(&env, "first");
    wait_status(&env, &worker, "needs_input");
    wait_status(&env, &below, "needs_input");
    reap(&env);
    reap(&env);
    let mut told = told(&notices(&env));
    told.sort();
    assert_eq!(
        told,
        [
            format!("{worker} agent-needs-input urgent"),
            format!("{worker} worker.needs_input action"),
            format!("{below} agent-needs-input urgent"),
        ]
    );
    let reasons = |id: &str| {
        let events = env.events(id).into_iter();
        events.filter_map(|event| Some(event["reason"].as_str()?.to_owned())).collect::<Vec<_>>()
    };
    let dropped = |id: &str, why: &str| {
        reasons(id).iter().any(|it| it.starts_with("dropped") && it.ends_with(why))
    };
    assert!(dropped(&worker, &format!("{lead} is killed")), "{:?}", reasons(&worker));
    assert!(dropped(&below, &format!("{worker} is no orchestrator")), "{:?}", reasons(&below));
    for id in [&worker, &below] {
        assert_eq!(env.record(id).get("outbox"), None);
    }
}

#[test]
fn what_is_told_is_what_the_configuration_says() {
    let env = TestEnvironment::new();
    configure(&env, "[notices]\non = ['worker.errored', 'worker.idle']\n");
    let (repo, lead) = orchestrated(&env);
    let runs = |script: &str| {
        let args = ["--agent", "shell", "--runtime", "process", script];
        spawn_from(&env, &lead, &repo, &args)
    };
    let (good, bad) = (runs("true"), runs("exit 3"));
    wait_status(&env, &good, "done");
    wait_status(&env, &bad, "errored");
    reap(&env);
    wait_activity(&env, &lead, "idle");
    let text = heard(&env);
    assert!(text.contains(&format!("worker {bad} failed")) && !text.contains(&good), "{text}");
}

#[test]
fn a_notice_handed_over_and_killed_at_any_step_arrives_once() {
    for point in ["deliver.claimed", "notice.taken", "deliver.done"] {
        for pass in ["reap", "send"] {
            let env = TestEnvironment::new();
            let (repo, lead) = orchestrated(&env);
            let args = ["--agent", "shell", "--runtime", "process", "true"];
            let worker = spawn_from(&env, &lead, &repo, &args);
            wait_status(&env, &worker, "done");
            let killed = env.ao_env(&["reap"], &[("AO_FAILPOINT", &format!("{point}=kill"))]);
            assert_eq!(killed.status, 137, "{point}: {killed}");
            if pass == "send" {
                // It is read before the worker's side is settled: only the log tells of it.
                env.ao(&["send", &lead, "hello"]).success();
                wait_activity(&env, &lead, "idle");
                at_composer(&env, &lead);
            }
            for _ in 0..2 {
                reap(&env);
                wait_activity(&env, &lead, "idle");
                at_composer(&env, &lead);
            }
            let times = heard(&env).matches(&format!("ao: worker {worker} is done.")).count();
            assert_eq!(times, 1, "{point} {pass}: {}", env.state());
            let outbox = env.record(&worker)["outbox"].clone();
            assert!(!outbox.to_string().contains("relay"), "{point} {pass}: {outbox:#}");
            env.ao(&["log", &lead, "--verify"]).success();
            env.ao(&["log", &worker, "--verify"]).success();
        }
    }
}

#[test]
fn workers_that_report_at_the_same_moment_are_heard_once_each() {
    let env = TestEnvironment::new();
    let (repo, lead) = orchestrated(&env);
    agent(&env, "hand", "hook session-start\nhook user-prompt-submit\nread\n");
    let workers: Vec<String> =
        (0..3).map(|_| spawn_from(&env, &lead, &repo, &["--agent", "hand", "x"])).collect();
    let reports = workers.iter().map(|worker| {
        wait_status(&env, worker, "working");
        let launch = env.record(worker)["handles"]["launch"].as_str().unwrap().to_owned();
        env.ao_command(&["report", "completed"]).env("AO_SESSION", worker).env("AO_LAUNCH", launch)
    });
    let reaps = (0..3).map(|_| env.ao_command(&["reap"]));
    let null = std::process::Stdio::null;
    let running: Vec<_> = reports
        .collect::<Vec<_>>()
        .into_iter()
        .chain(reaps)
        .map(|command| command.spawn(null(), null(), null()).unwrap())
        .collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    let told = |worker: &str| heard(&env).matches(&format!("ao: worker {worker} reports")).count();
    env.wait_for("everybody to be heard", || {
        reap(&env);
        wait_activity(&env, &lead, "idle");
        at_composer(&env, &lead);
        workers.iter().all(|worker| told(worker) > 0).then_some(())
    });
    reap(&env);
    for worker in &workers {
        assert_eq!(told(worker), 1, "{worker}");
    }
}

#[test]
fn the_same_words_wait_once_however_often_they_are_said() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    agent(
        &env,
        "lead",
        &format!("hook session-start\nhook permission-request\ndialog Sure? y\n{CHAT}"),
    );
    let lead = env.ao_in(&repo, &["orchestrator", "--agent", "lead"]).success().stdout;
    let lead = lead.trim_end();
    wait_status(&env, lead, "needs_input");
    agent(&env, "hand", "hook session-start\nhook user-prompt-submit\nread\n");
    let worker = spawn_from(&env, lead, &repo, &["--agent", "hand", "x"]);
    wait_status(&env, &worker, "working");
    let observe = |activity: &str, boundary: bool| {
        let fact = json!({ "confidence": "valid", "activity": activity, "source": "hook",
            "boundary": boundary });
        env.ao_stdin(&["observe", "activity", &worker], fact.to_string()).success();
    };
    for _ in 0..3 {
        observe("blocked", false);
        reap(&env);
        observe("active", true);
    }
    // One that is over before anybody looks is dropped.
    observe("blocked", false);
    observe("active", true);
    reap(&env);
    let outbox = env.record(lead)["outbox"].clone();
    let waiting = outbox.as_object().unwrap().values().filter(|it| it["from"] == json!(worker));
    assert_eq!(waiting.count(), 1, "{outbox:#}");
    let outbox = env.record(&worker)["outbox"].to_string();
    assert!(!outbox.contains("relay"), "{outbox}");
}

#[test]
fn a_retirement_killed_at_any_step_leaves_one_orchestrator_and_its_work() {
    let points = ["kill.recorded", "cleanup.preserved", "cleanup.removed", "spawn.seeded"];
    for point in points.into_iter().chain(["spawn.started"]) {
        let env = TestEnvironment::new();
        let (repo, lead) = orchestrated(&env);
        let workspace = env.ao(&["path", &lead]).success().stdout.trim_end().to_owned();
        let plan = PathBuf::from(workspace).join("plan.md");
        fs::write(&plan, "precious\n").unwrap();
        let spec = format!("{point}=kill");
        let command = env.ao_command(&["orchestrator", "--clean", "--agent", "lead"]);
        let killed = env.run(&command.cwd(&repo).env("AO_FAILPOINT", spec));
        assert_eq!(killed.status, 137, "{point}: {killed}");
        reap(&env);
        let next = env.ao_in(&repo, &["orchestrator", "--agent", "lead"]).success().stdout;
        assert_ne!(next.trim_end(), lead, "{point}");
        let sessions = env.ao_json(&["ls", "--json"])["sessions"].clone();
        let live = sessions.as_array().unwrap().iter();
        let live: Vec<_> = live.filter(|it| it["kind"] == "orchestrator").collect();
        assert_eq!(live.len(), 1, "{point}: {sessions:#}");
        let saved = format!("refs/ao/preserved/{lead}:plan.md");
        let is_saved = env.run(&env.git_command(&repo, &["show", &saved])).status == 0;
        assert!(is_saved || plan.exists(), "{point}: {}", env.state());
    }
}

#[test]
fn a_notice_can_reach_an_orchestrator_with_no_keystroke() {
    let env = TestEnvironment::new();
    configure(&env, "[env]\nAO_DEMO_AGENT = \"lead\"\n");
    let repo = env.repo("app");
    let turn = gate(&env, "turn");
    let script = format!(
        "hook session-start\nhook user-prompt-submit\n{turn}\nhook stop\n\
         answered {{\nwrite heard.txt {{message}}\nhook stop\n}}\nread\n"
    );
    card(&env, "lead", &script, |text| {
        let answer = "answer = { decision = \"block\", reason = \"{message}\" }\n";
        text.replace("[hooks.events.stop]\n", &format!("[hooks.events.stop]\n{answer}"))
    });
    let lead = env.ao_in(&repo, &["orchestrator", "--agent", "lead"]).success().stdout;
    let lead = lead.trim_end();
    wait_status(&env, lead, "working");
    let args = ["--agent", "shell", "--runtime", "process", "true"];
    let worker = spawn_from(&env, lead, &repo, &args);
    wait_status(&env, &worker, "done");
    assert!(reap(&env)["held"].to_string().contains("busy"));
    open(&env, "turn");
    let told = env.home().join("worktrees/app").join(lead).join("heard.txt");
    let text = env.wait_for("the notice", || {
        fs::read_to_string(&told).ok().filter(|text| text.contains("`ao send"))
    });
    assert!(text.starts_with(&format!("ao: worker {worker} is done.")), "{text}");
    wait_activity(&env, lead, "idle");
    reap(&env);
    assert_eq!(heard(&env), "", "no key was pressed");
    assert_eq!(env.record(lead).get("outbox"), None);
}
