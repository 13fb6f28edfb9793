//! Completion in real shells: names of sessions, projects, agents and statuses come from the files,
//! and no process is started for them.
#![expect(clippy::print_stderr, reason = "says what could not be tried")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::env::{TestEnvironment, program_in_path};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(name)
}

/// A home with sessions, archived ones, projects, and what is none of them.
fn furnished() -> TestEnvironment {
    let env = TestEnvironment::new();
    furnish(&env.home());
    fs::create_dir_all(env.path("user/config/ao/agents")).unwrap();
    fs::write(env.path("user/config/ao/agents/mine.toml"), "").unwrap();
    fs::create_dir_all(env.path("empty")).unwrap();
    env
}

fn furnish(home: &Path) {
    for name in ["sessions/app-1", "sessions/app-2", "sessions/web-1", "archive/app-0", "projects"]
    {
        fs::create_dir_all(home.join(name)).unwrap();
    }
    // A file that a killed ao left behind is no session.
    fs::create_dir_all(home.join("sessions/.ao-tmp-1-x")).unwrap();
    for name in ["app.json", "web.json", "app.lock"] {
        fs::write(home.join("projects").join(name), "").unwrap();
    }
}

/// What is typed, and what is offered: `|` between the names, and no name at all where it is empty.
const CASES: &[(&str, &str)] = &[
    ("ao kill ap", "app-1|app-2"),
    ("ao kill ", "app-1|app-2|web-1"),
    ("ao kill app-1 w", "web-1"),
    ("ao kill --keep-going-nowhere w", "web-1"),
    ("ao show app-", "app-0|app-1|app-2"),
    ("ao log app-0", "app-0"),
    ("ao send app-1 web", "web-1"),
    ("ao rename we", "web-1"),
    ("ao rename web-1 we", ""),
    ("ao outbox retry ap", "app-1|app-2"),
    ("ao events --session app-0", "app-0"),
    ("ao project show we", "web"),
    ("ao ls --project ap", "app"),
    ("ao config get agent --project ap", "app"),
    ("ao spawn --agent mi", "mine"),
    ("ao spawn -a cod", "codex"),
    ("ao agent show cla", "claude-code"),
    ("ao ls --status mergea", "mergeable"),
    ("ao wait app-1 --until errored,kill", "errored,killed"),
    ("ao --home HOME2 kill ", "two-1"),
    ("ao kill --home HOME2 ", "two-1"),
    ("ao review trigger web", "web-1"),
];

fn cases(env: &TestEnvironment) -> Vec<(String, Vec<&'static str>)> {
    let second = env.path("second");
    fs::create_dir_all(second.join("sessions/two-1")).unwrap();
    let second = second.to_str().unwrap();
    let typed = |line: &str| line.replace("HOME2", second);
    let offered = |names: &'static str| names.split('|').filter(|it| !it.is_empty()).collect();
    CASES.iter().map(|(line, names)| (typed(line), offered(names))).collect()
}

#[test]
fn bash_completes_names_from_the_files_alone() {
    let env = furnished();
    // Without a PATH nothing can be started; what would be is told on standard error.
    let drive = "PATH=; source \"$1\"; COMP_LINE=$2; COMP_WORDS=(); rest=$2\n\
         while [[ $rest == *' '* ]]; do COMP_WORDS+=(\"${rest%% *}\"); rest=${rest#* }; done\n\
         COMP_WORDS+=(\"$rest\"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n\
         _ao_names ao \"$rest\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
         printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let complete = |env: &TestEnvironment, line: &str| {
        let bash = program_in_path("bash").expect("bash is everywhere");
        let command = env.command(bash).args(["--norc", "-c", drive, "bash"]);
        let outcome = env.run(&command.arg(script("ao.bash")).arg(line)).success();
        assert_eq!(outcome.stderr, "", "{line}");
        let mut names: Vec<String> = outcome.stdout.lines().map(str::to_owned).collect();
        names.retain(|name| !name.is_empty());
        names.sort();
        names
    };
    for (line, wanted) in cases(&env) {
        assert_eq!(complete(&env, &line), wanted, "{line}");
    }
    // Everything else is as clap knows it, and a word is one of those that it may be.
    for (line, wanted) in [
        ("ao ls --kind w", "worker"),
        ("ao spawn --mode one", "one_shot"),
        ("ao spawn --runtime t", "tmux"),
        ("ao spawn --permission acc", "accept-edits"),
        ("ao review submit --verdict app", "approved"),
        ("ao notify --priority ur", "urgent"),
    ] {
        assert_eq!(complete(&env, line), [wanted], "{line}");
    }
    assert_eq!(complete(&env, "ao outb"), ["outbox"]);
    assert!(complete(&env, "ao kill --js").contains(&"--json".to_owned()));
    // The home is found as ao finds it.
    furnish(&env.path("user/state/ao"));
    fs::remove_dir_all(env.path("user/state/ao/sessions/web-1")).unwrap();
    env.unset("AO_HOME");
    assert_eq!(complete(&env, "ao kill "), ["app-1", "app-2"]);
    env.unset("XDG_STATE_HOME");
    furnish(&env.path("user/.local/state/ao"));
    assert_eq!(complete(&env, "ao kill w"), ["web-1"]);
    assert_eq!(complete(&env, "ao kill --home ~/.local/state/ao w"), ["web-1"]);
    assert_eq!(complete(&env, "ao kill --home=~/state/ao "), ["app-1", "app-2"]);
    env.set("AO_HOME", env.path("empty"));
    assert_eq!(complete(&env, "ao kill "), Vec::<String>::new());
}

#[test]
fn a_tab_in_a_terminal_completes_an_id() {
    let env = furnished();
    let bash = program_in_path("bash").unwrap();
    let typed = format!("PS1='$ ' {} --norc --noprofile -i", bash.display());
    env.tmux(&["new-session", "-d", "-s", "shell", "-x", "100", "-y", "20", &typed]).success();
    let keys = |keys: &[&str]| {
        env.tmux(&[&["send-keys", "-t", "shell:"], keys].concat()).success();
    };
    let screen = || env.tmux(&["capture-pane", "-p", "-t", "shell:"]).success().stdout;
    let shows = |what: &str| env.wait_for(what, || screen().contains(what).then_some(()));
    shows("$");
    keys(&["-l", &format!("source '{}'; echo 'rea''dy'", script("ao.bash").display())]);
    keys(&["Enter"]);
    shows("ready");
    // A number that is not unique is completed as far as it is; a unique one whole.
    keys(&["-l", "ao kill w"]);
    keys(&["Tab"]);
    shows("$ ao kill web-1");
    keys(&["-l", "ap"]);
    keys(&["Tab"]);
    shows("$ ao kill web-1 app-");
    keys(&["Tab", "Tab"]);
    shows("app-1  app-2");
}

#[test]
fn fish_completes_names_from_the_files_alone() {
    let env = furnished();
    let Some(fish) = program_in_path("fish") else {
        eprintln!("fish is not installed: its completions are not driven");
        return;
    };
    let drive = "set -l file $argv[1]; set -l line $argv[2]; set -gx PATH; source $file\n\
         complete -C $line | string replace -r '\\t.*' ''; true";
    for (line, wanted) in cases(&env) {
        let command = env.command(&fish).args(["--no-config", "-c", drive]);
        let outcome = env.run(&command.arg(script("ao.fish")).arg(&line)).success();
        assert_eq!(outcome.stderr, "", "{line}");
        let mut names: Vec<&str> = outcome.stdout.lines().collect();
        names.sort_unstable();
        if wanted.is_empty() {
            // What fish offers of its own are files.
            assert!(!names.contains(&"web-1"), "{line}: {names:?}");
        } else {
            assert_eq!(names, wanted, "{line}");
        }
    }
}

#[test]
fn zsh_completes_names_from_the_files_alone() {
    let env = furnished();
    let Some(zsh) = program_in_path("zsh") else {
        eprintln!("zsh is not installed: its completions are not driven");
        return;
    };
    // A shell in a terminal of its own, whose matches are caught where they would be shown.
    let drive = r#"
        zmodload zsh/zpty || exit 3
        zpty inner zsh -f -i
        zpty -w inner "PS1='' RPS1='' PROMPT_EOL_MARK=''; autoload -U compinit; compinit -u -D; source '$1'
        compadd () {
            if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd \"\$@\"; return \$?; fi
            typeset -a __hits
            builtin compadd -A __hits \"\$@\"
            local it
            for it in \$__hits; do print -r -- \"HIT:\$it\"; done
            builtin compadd \"\$@\"
        }
        finish () { zle complete-word; print -r -- END:OF; }
        zle -N finish; bindkey '^I' finish; print BEGIN:HERE"
        local line
        while zpty -r inner line; do [[ $line == *BEGIN:HERE* && $line != *print* ]] && break; done
        zpty -w -n inner "$2"$'\t'
        while zpty -r inner line; do
            [[ $line == *HIT:* ]] && print -r -- ${${line##*HIT:}%%[[:cntrl:]]*}
            [[ $line == *END:OF* ]] && break
        done
        zpty -d inner
    "#;
    for (line, wanted) in cases(&env).into_iter().filter(|(_, wanted)| !wanted.is_empty()) {
        let command = env.command(&zsh).args(["-f", "-c", drive, "zsh"]);
        let outcome = env.run(&command.arg(script("_ao")).arg(&line)).success();
        let mut names: Vec<&str> = outcome.stdout.lines().collect();
        names.sort_unstable();
        names.dedup();
        let wanted: Vec<&str> =
            wanted.iter().map(|name| name.rsplit(',').next().unwrap()).collect();
        assert_eq!(names, wanted, "{line}");
    }
}

#[test]
fn no_script_runs_anything_for_a_name() {
    for name in ["names.bash", "names.zsh"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generate").join(name);
        let text = fs::read_to_string(path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let runs: Vec<&str> = code.filter(|it| it.contains("$(") || it.contains('`')).collect();
        assert!(runs.iter().all(|line| line.contains("$((")), "{name}: {runs:?}");
    }
}
