//! `ao config` tells for every key which layer set it, where, and what is refused where.

use std::fs;

use serde_json::Value;

use crate::agents::configure;
use crate::env::TestEnvironment;

/// Returns `value layer file:line` of one key, as it applies in the repository.
fn origin(env: &TestEnvironment, key: &str) -> String {
    let repo = env.path("repos/app");
    let shown = env.ao_in(&repo, &["config", "show", "--origin", "--json"]).success().json();
    let entry = &shown["config"][key];
    let got = env.ao_in(&repo, &["config", "get", key, "--origin", "--json"]).success().json();
    assert_eq!(&got["value"], entry, "{key}: `get` and `show` agree");
    let file = entry["file"].as_str().map(|file| {
        let file = file.replace(&format!("{}/", env.path("").display()), "");
        format!(" {file}:{}", entry["line"])
    });
    let (value, layer) = (&entry["value"], entry["layer"].as_str().unwrap());
    format!("{value} {layer}{}", file.unwrap_or_default())
}

#[test]
fn each_layer_is_told_with_file_and_line() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao_in(&repo, &["project", "add"]).success();
    let mut story = Vec::new();
    story.push(origin(&env, "branch"));
    configure(&env, "# mine\nbranch = \"u/{id}\"\n[check]\ntimeout = \"7m\"\n");
    story.push(origin(&env, "branch"));
    story.push(origin(&env, "check.timeout"));
    fs::create_dir_all(repo.join(".ao")).unwrap();
    fs::write(repo.join(".ao/config.toml"), "\n\nbranch = \"r/{id}\"\n").unwrap();
    story.push(origin(&env, "branch"));
    configure(&env, "branch = \"u/{id}\"\n\n[projects.app]\nbranch = \"p/{id}\"\n");
    story.push(origin(&env, "branch"));
    env.set("AO_BRANCH", "e/{id}");
    story.push(origin(&env, "branch"));
    insta::assert_snapshot!(story.join("\n"), @r#"
    "ao/{id}" built_in
    "u/{id}" user user/config/ao/config.toml:2
    "7m" user user/config/ao/config.toml:4
    "r/{id}" repository repos/app/.ao/config.toml:3
    "p/{id}" project user/config/ao/config.toml:4
    "e/{id}" environment
    "#);
    let table = env.ao_in(&repo, &["config", "show", "--origin"]).success().stdout;
    let line = table.lines().find(|line| line.starts_with("branch ")).unwrap();
    assert!(line.ends_with("  AO_BRANCH"), "{line}");
    let line = table.lines().find(|line| line.starts_with("max_sessions ")).unwrap();
    assert!(line.ends_with("  built in"), "{line}");
    // A flag wins over all of them, for the one command that takes it.
    let words = ["spawn", "-a", "shell", "--branch", "f", "--dry-run", "--json", "true"];
    let plan = env.ao_in(&repo, &words).success().json().to_string();
    assert!(plan.contains("branch f") || plan.contains("`f`"), "{plan}");
}

#[test]
fn each_kind_of_refusal_names_its_place_and_the_way_out() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let own = repo.join(".ao/config.toml");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    let refusal = |user: &str, repository: &str, variables: &[(&str, &str)]| {
        configure(&env, user);
        fs::write(&own, repository).unwrap();
        let command = env.ao_command(&["config", "show", "--json"]).cwd(&repo);
        let command =
            variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        let error = env.run(&command).code(2).json_error();
        let message = error["error"]["message"].as_str().unwrap().to_owned();
        let message = message.replace(&format!("{}/", env.path("").display()), "");
        message
            .split("; allowed")
            .next()
            .unwrap()
            .split("allowed here")
            .next()
            .unwrap()
            .trim()
            .to_owned()
    };
    let told = [
        refusal("\nmax_session = 3\n", "", &[]),
        refusal("frobnicate = 3\n", "", &[]),
        refusal("[reactions.ci-faild]\nretries = 1\n", "", &[]),
        refusal("max_sessions = \"many\"\n", "", &[]),
        refusal("max_sessions = 0\n", "", &[]),
        refusal("agent = \n", "", &[]),
        refusal("", "\n[env]\nPATH = \"/tmp\"\n", &[]),
        refusal("", "permission = \"bypass\"\n", &[]),
        refusal("[projects.app]\nmodle = \"m\"\n", "", &[]),
        refusal("", "", &[("AO_MAX_SESSIONS", "many")]),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    user/config/ao/config.toml:2: unknown key `max_session`; did you mean `max_sessions`?
    user/config/ao/config.toml:1: unknown key `frobnicate`
    user/config/ao/config.toml:1: unknown key `reactions.ci-faild`; did you mean `ci-failed`?
    user/config/ao/config.toml:1: `max_sessions` must be a whole number from 1 to 10000
    user/config/ao/config.toml:1: `max_sessions` must be a whole number from 1 to 10000
    user/config/ao/config.toml:1: string values must be quoted, expected literal string
    repos/app/.ao/config.toml:3: a repository may not set `env.PATH`; set it in your own configuration
    repos/app/.ao/config.toml:1: a repository may not set `permission = "bypass"`; set it in your own configuration
    user/config/ao/config.toml:2: unknown key `projects.app.modle`; did you mean `model`?
    $AO_MAX_SESSIONS: `max_sessions` must be a whole number from 1 to 10000
    "#);
    assert!(fs::read_dir(env.home().join("sessions")).map_or(0, Iterator::count) == 0);
    // The same is refused where it would be written.
    configure(&env, "model = \"m\"\n");
    fs::remove_file(&own).unwrap();
    for (key, value) in [("max_session", "3"), ("max_sessions", "many"), ("agent", "")] {
        env.ao(&["config", "set", key, value]).code(2);
        env.ao(&["config", "set", key, value, "--dry-run"]).code(2);
    }
    let file = env.path("user/config/ao/config.toml");
    assert_eq!(fs::read_to_string(&file).unwrap(), "model = \"m\"\n");
    let plan = env.ao_json(&["config", "set", "model", "n", "--dry-run", "--json"]);
    assert_ne!(plan["plan"], Value::Array(Vec::new()));
    assert_eq!(fs::read_to_string(&file).unwrap(), "model = \"m\"\n");
}

#[test]
fn what_a_repository_says_steers_no_terminal() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    fs::create_dir_all(repo.join(".ao")).unwrap();
    let hostile = r#"rules = "one\u009b31m \u202eowt\u001b]0;x\u0007 three""#;
    fs::write(repo.join(".ao/config.toml"), hostile).unwrap();
    for words in [
        &["config", "get", "rules"][..],
        &["config", "get", "rules", "--origin"],
        &["config", "show"],
        &["config", "show", "--origin"],
    ] {
        let told = env.ao_in(&repo, words).success().stdout;
        let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(told.contains("owt") && !told.contains(steers), "{words:?}: {told:?}");
    }
}
