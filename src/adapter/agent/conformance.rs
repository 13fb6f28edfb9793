//! One test over every card: what ao relies on, whichever agent it is.

use std::path::{Path, PathBuf};

use crate::adapter::agent::card::{Card, FileForm, HookFile};
use crate::adapter::agent::install::{tests::Stage, uninstall};
use crate::adapter::agent::render::{LaunchRequest, render};
use crate::adapter::agent::screen::read_screen;
use crate::adapter::agent::{Cards, SystemDelivery, load_cards, map_hook};
use crate::adapter::fs;
use crate::model::record::Mode;

fn cards() -> Cards {
    load_cards(Path::new("/none")).unwrap()
}

fn request(card: &Card) -> LaunchRequest<'_> {
    LaunchRequest {
        card,
        mode: card.agent.mode,
        permission: None,
        review: false,
        model: None,
        prompt: Some(b"THE TASK"),
        system: None,
        session_dir: Path::new("/home/sessions/web-1"),
        agent_session: None,
        new_session: Some("11111111-2222-4333-8444-555555555555"),
        workspace: Path::new("/work tree"),
    }
}

/// Returns everything the agent is given, as one text.
fn given(request: &LaunchRequest<'_>) -> String {
    let invocation = render(request).unwrap();
    let mut lines: Vec<String> =
        invocation.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    lines.extend(
        invocation
            .environment
            .iter()
            .map(|(name, value)| format!("env {name}={}", value.to_string_lossy())),
    );
    for (path, bytes) in &invocation.files {
        lines.push(format!("file {}: {}", path.display(), String::from_utf8_lossy(bytes)));
    }
    lines.extend(
        invocation.paste.iter().map(|text| format!("paste {}", String::from_utf8_lossy(text))),
    );
    lines.join("\n")
}

#[test]
fn launch_and_resume_of_every_card_carry_what_was_asked_for() {
    for card in cards().all() {
        let name = card.name();
        let mut request = request(card);
        let plain = given(&request);
        assert!(plain.contains("THE TASK"), "{name}: {plain}");
        let models = !card.model.args.is_empty();
        request.model = models.then_some("THE MODEL");
        let system = card.prompt.system != SystemDelivery::None;
        request.system = system.then_some("THE ROLE");
        let resumes: &[Option<&str>] =
            if card.agent.resume.is_some() { &[None, Some("THE-ID")] } else { &[None] };
        for resume in resumes {
            request.agent_session = *resume;
            for (mode, args) in &card.permissions {
                request.permission = Some(mode);
                let all = given(&request);
                assert!(!models || all.contains("THE MODEL"), "{name}: {all}");
                for word in args {
                    assert!(all.lines().any(|line| line == word), "{name}: {mode}: {all}");
                }
                // What is prepended to the first prompt is in the conversation already.
                let again = resume.is_some() && card.prompt.system == SystemDelivery::Prepend;
                assert_eq!(all.contains("THE ROLE"), system && !again, "{name}: {all}");
                assert_eq!(all.contains("THE-ID"), resume.is_some(), "{name}: {all}");
            }
        }
    }
}

#[test]
fn launch_and_resume_of_every_card() {
    let mut table = String::new();
    for card in cards().all() {
        let mut request = request(card);
        request.model = (!card.model.args.is_empty()).then_some("MODEL");
        request.system = Some("ROLE");
        request.permission = card.permissions.contains_key("auto").then_some("auto");
        table += &format!("== {}\n{}\n", card.name(), given(&request));
        if card.agent.resume.is_some() {
            request.agent_session = Some("ID");
            request.prompt = None;
            table += &format!("-- resume\n{}\n", given(&request));
        }
        if card.agent.mode == Mode::Interactive && card.agent.one_shot.is_some() {
            request.agent_session = None;
            request.prompt = Some(b"THE TASK");
            request.mode = Mode::OneShot;
            table += &format!("-- one shot\n{}\n", given(&request));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn reviewers_of_every_card_read_only_and_ask_nobody() {
    let mut table = String::new();
    for card in cards().all() {
        let mut request = request(card);
        request.review = true;
        request.system = Some("ROLE");
        if card.review.is_none() {
            assert!(render(&request).is_err(), "{}", card.name());
            continue;
        }
        table += &format!("== {}\n{}\n", card.name(), given(&request));
        request.agent_session = Some("ID");
        request.prompt = None;
        table += &format!("-- resume\n{}\n", given(&request));
    }
    insta::assert_snapshot!(table, @r#"
    == claude-code
    claude
    --settings
    /home/sessions/web-1/claude-settings.json
    --permission-mode
    dontAsk
    --allowedTools
    Read,Grep,Glob,Bash(git diff:*),Bash(git log:*),Bash(git show:*),Bash(git status:*),Bash(ao review submit:*),Bash(ao report:*)
    --disallowedTools
    Edit,Write,NotebookEdit
    --append-system-prompt-file
    /home/sessions/web-1/system.md
    --
    THE TASK
    file /home/sessions/web-1/system.md: ROLE
    -- resume
    claude
    --settings
    /home/sessions/web-1/claude-settings.json
    --permission-mode
    dontAsk
    --allowedTools
    Read,Grep,Glob,Bash(git diff:*),Bash(git log:*),Bash(git show:*),Bash(git status:*),Bash(ao review submit:*),Bash(ao report:*)
    --disallowedTools
    Edit,Write,NotebookEdit
    --append-system-prompt-file
    /home/sessions/web-1/system.md
    --resume
    ID
    file /home/sessions/web-1/system.md: ROLE
    == demo
    /home/bin/ao
    demo-agent
    --permission
    review
    --system-file
    /home/sessions/web-1/system.md
    --
    THE TASK
    file /home/sessions/web-1/system.md: ROLE
    -- resume
    /home/bin/ao
    demo-agent
    --resume
    ID
    --permission
    review
    --system-file
    /home/sessions/web-1/system.md
    file /home/sessions/web-1/system.md: ROLE
    == opencode
    opencode
    --prompt=THE TASK
    env OPENCODE_CONFIG_CONTENT={"plugin":["file:///home/sessions/web-1/opencode.js"],"instructions":["/home/sessions/web-1/system.md"],"permission":{"*":"deny","read":"allow","list":"allow","grep":"allow","glob":"allow","bash":{"*":"deny","git diff*":"allow","git log*":"allow","git show*":"allow","git status*":"allow","ao review submit*":"allow","ao report*":"allow"}}}
    file /home/sessions/web-1/system.md: ROLE
    -- resume
    opencode
    --session
    ID
    env OPENCODE_CONFIG_CONTENT={"plugin":["file:///home/sessions/web-1/opencode.js"],"instructions":["/home/sessions/web-1/system.md"],"permission":{"*":"deny","read":"allow","list":"allow","grep":"allow","glob":"allow","bash":{"*":"deny","git diff*":"allow","git log*":"allow","git show*":"allow","git status*":"allow","ao review submit*":"allow","ao report*":"allow"}}}
    file /home/sessions/web-1/system.md: ROLE
    "#);
}

#[test]
fn hooks_of_every_card_leave_no_trace_in_the_workspace() {
    for card in cards().all() {
        let in_workspace = |file: &&HookFile| file.path.starts_with("{workspace}/");
        let paths: Vec<&str> = card
            .hooks
            .files
            .iter()
            .filter(in_workspace)
            .filter(|file| file.form == FileForm::Json)
            .filter_map(|file| file.path.strip_prefix("{workspace}/"))
            .collect();
        let users = "{\n\t// the user's own\n\t\"mine\" : [ 1,2 ],\n}\n";
        let own: Vec<(&str, &str)> = paths.iter().map(|path| (*path, users)).collect();
        for files in [Vec::new(), own] {
            let stage = Stage::new(&files);
            let before = stage.everything();
            assert_eq!(stage.install(card).unwrap(), Vec::<String>::new(), "{}", card.name());
            assert_eq!(stage.status(), "", "{}", card.name());
            if let Some((path, _)) = files.first() {
                let text = fs::read_text(&stage.workspace.join(path)).unwrap();
                let kept = users.trim_end().trim_end_matches(['}', '\n']);
                assert!(text.starts_with(kept), "{text}");
            }
            uninstall(&stage.session, &stage.workspace).unwrap();
            assert_eq!(stage.everything(), before, "{}", card.name());
        }
    }
}

#[test]
fn every_native_event_of_every_card_is_installed() {
    for card in cards().all() {
        let stage = Stage::new(&[]);
        stage.install(card).unwrap();
        let mut given = given(&request(card));
        for (path, bytes) in stage.everything() {
            if path.starts_with(&stage.workspace) {
                given += &String::from_utf8_lossy(&bytes);
            }
        }
        for file in &card.hooks.files {
            if let Some(path) = file.path.strip_prefix("{session_dir}/") {
                given += &fs::read_text(&stage.session.join(path)).unwrap();
            }
        }
        for (event, rule) in &card.hooks.events {
            let command = format!("hook {} {event}", card.name());
            let native = rule.native.as_ref();
            assert!(
                native.is_none_or(|native| given.contains(native) && given.contains(&command)),
                "{}: {event}: {given}",
                card.name()
            );
        }
    }
}

/// Returns the files in `fixtures/KIND/CARD/VERSION/`: card, file name without its ending, bytes.
fn captured(kind: &str) -> Vec<(String, String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind);
    let list = |directory: &Path| -> Vec<PathBuf> {
        let names = fs::names(directory).unwrap();
        names.iter().map(|name| directory.join(name)).collect()
    };
    let last = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut all = Vec::new();
    for card in list(&root).into_iter().filter(|path| path.is_dir()) {
        for version in list(&card) {
            for file in list(&version) {
                let payload = fs::read(&file).unwrap();
                all.push((last(&card), last(&file), payload));
            }
        }
    }
    all.sort_unstable();
    all
}

/// A file is named after its event, and what is special about it after a dot.
#[test]
fn every_captured_event_means_what_the_card_says() {
    let cards = cards();
    let mut table = String::new();
    for (name, event, payload) in captured("agent") {
        let card = cards.find(&name).unwrap();
        let kind = event.split('.').next().unwrap();
        let launch = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let at = "2026-11-21T14:30:00Z".parse().unwrap();
        let heard = card.hearing(kind);
        let heard = heard.and_then(|it| map_hook(&it, &payload, &launch, false, at));
        let told = heard.map(|heard| {
            let mut value = serde_json::to_value(heard.observation).unwrap();
            let object = value.as_object_mut().unwrap();
            // What every event has says nothing about this one.
            for key in ["launch", "observed_at", "confidence", "source"] {
                object.remove(key);
            }
            value.to_string()
        });
        table += &format!("{name} {event}\n  {}\n", told.as_deref().unwrap_or("nothing"));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn every_captured_screen_shows_what_the_card_says() {
    let cards = cards();
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let mut table = String::new();
    for (name, what, screen) in captured("screen") {
        let card = cards.find(&name).unwrap();
        let screen = String::from_utf8(screen).unwrap();
        let screen = colours.replace_all(&screen, "");
        let sign = read_screen(card, &screen).map_or("nothing".to_owned(), |it| format!("{it:?}"));
        table += &format!("{name} {what}: {sign}");
        if card.terminal.menu.iter().any(|pattern| pattern.is_match(&screen)) {
            table += "; menu";
        }
        let composer =
            card.terminal.composer.as_ref().and_then(|it| it.captures_iter(&screen).last());
        if let Some(found) = composer {
            table += &format!("; composer {:?}", &found[1]);
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}
