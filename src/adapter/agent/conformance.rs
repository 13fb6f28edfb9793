//! One test over every card: what ao relies on, whichever agent it is.

use std::path::{Path, PathBuf};

use crate::adapter::agent::card::{Card, FileForm, HookFile};
use crate::adapter::agent::install::{tests::Stage, uninstall};
use crate::adapter::agent::render::{LaunchRequest, render};
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
    insta::assert_snapshot!(table, @r#"
    == aider
    aider
    --no-check-update
    --no-show-release-notes
    --no-gitignore
    --no-show-model-warnings
    --no-detect-urls
    --chat-history-file
    /home/sessions/web-1/aider-11111111-2222-4333-8444-555555555555.md
    --input-history-file
    /home/sessions/web-1/aider.input
    --notifications
    --notifications-command
    '/home/bin/ao' hook aider waiting </dev/null
    --yes-always
    --model
    MODEL
    --read
    /home/sessions/web-1/system.md
    file /home/sessions/web-1/system.md: ROLE
    paste THE TASK
    -- resume
    aider
    --no-check-update
    --no-show-release-notes
    --no-gitignore
    --no-show-model-warnings
    --no-detect-urls
    --chat-history-file
    /home/sessions/web-1/aider-ID.md
    --restore-chat-history
    --input-history-file
    /home/sessions/web-1/aider.input
    --notifications
    --notifications-command
    '/home/bin/ao' hook aider waiting </dev/null
    --yes-always
    --model
    MODEL
    --read
    /home/sessions/web-1/system.md
    file /home/sessions/web-1/system.md: ROLE
    -- one shot
    aider
    --no-check-update
    --no-show-release-notes
    --no-gitignore
    --no-show-model-warnings
    --no-detect-urls
    --chat-history-file
    /home/sessions/web-1/aider-11111111-2222-4333-8444-555555555555.md
    --input-history-file
    /home/sessions/web-1/aider.input
    --yes-always
    --model
    MODEL
    --read
    /home/sessions/web-1/system.md
    --message-file
    /home/sessions/web-1/prompt.sh
    file /home/sessions/web-1/system.md: ROLE
    file /home/sessions/web-1/prompt.sh: THE TASK
    == amp
    amp
    --mode
    MODEL
    paste ROLE

    THE TASK
    -- resume
    amp
    threads
    continue
    --mode
    MODEL
    ID
    -- one shot
    amp
    --mode
    MODEL
    --execute=ROLE

    THE TASK
    == claude-code
    claude
    --settings
    /home/sessions/web-1/claude-settings.json
    --permission-mode
    auto
    --model
    MODEL
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
    auto
    --model
    MODEL
    --append-system-prompt-file
    /home/sessions/web-1/system.md
    --resume
    ID
    file /home/sessions/web-1/system.md: ROLE
    -- one shot
    claude
    --print
    --settings
    /home/sessions/web-1/claude-settings.json
    --permission-mode
    auto
    --model
    MODEL
    --append-system-prompt-file
    /home/sessions/web-1/system.md
    file /home/sessions/web-1/system.md: ROLE
    file /home/sessions/web-1/prompt.md: THE TASK
    == codex
    codex
    --no-daemon
    --dangerously-bypass-hook-trust
    -c
    check_for_update_on_startup=false
    -c
    projects={"/work tree"={trust_level="trusted"}}
    -c
    hooks.Interrupt=[{hooks=[{type="command",command="'/home/bin/ao' hook codex interrupt",timeout=30}]}]
    -c
    hooks.PermissionRequest=[{hooks=[{type="command",command="'/home/bin/ao' hook codex permission-request",timeout=30}]}]
    -c
    hooks.PostToolUse=[{hooks=[{type="command",command="'/home/bin/ao' hook codex post-tool-use",timeout=30}]}]
    -c
    hooks.PreToolUse=[{hooks=[{type="command",command="'/home/bin/ao' hook codex pre-tool-use",timeout=30}]}]
    -c
    hooks.SessionEnd=[{hooks=[{type="command",command="'/home/bin/ao' hook codex session-end",timeout=30}]}]
    -c
    hooks.SessionStart=[{hooks=[{type="command",command="'/home/bin/ao' hook codex session-start",timeout=30}]}]
    -c
    hooks.Stop=[{hooks=[{type="command",command="'/home/bin/ao' hook codex stop",timeout=30}]}]
    -c
    hooks.UserPromptSubmit=[{hooks=[{type="command",command="'/home/bin/ao' hook codex user-prompt-submit",timeout=30}]}]
    --approve-for-me
    --model
    MODEL
    -c
    developer_instructions="ROLE"
    --
    THE TASK
    -- resume
    codex
    resume
    --no-daemon
    --dangerously-bypass-hook-trust
    -c
    check_for_update_on_startup=false
    -c
    projects={"/work tree"={trust_level="trusted"}}
    -c
    hooks.Interrupt=[{hooks=[{type="command",command="'/home/bin/ao' hook codex interrupt",timeout=30}]}]
    -c
    hooks.PermissionRequest=[{hooks=[{type="command",command="'/home/bin/ao' hook codex permission-request",timeout=30}]}]
    -c
    hooks.PostToolUse=[{hooks=[{type="command",command="'/home/bin/ao' hook codex post-tool-use",timeout=30}]}]
    -c
    hooks.PreToolUse=[{hooks=[{type="command",command="'/home/bin/ao' hook codex pre-tool-use",timeout=30}]}]
    -c
    hooks.SessionEnd=[{hooks=[{type="command",command="'/home/bin/ao' hook codex session-end",timeout=30}]}]
    -c
    hooks.SessionStart=[{hooks=[{type="command",command="'/home/bin/ao' hook codex session-start",timeout=30}]}]
    -c
    hooks.Stop=[{hooks=[{type="command",command="'/home/bin/ao' hook codex stop",timeout=30}]}]
    -c
    hooks.UserPromptSubmit=[{hooks=[{type="command",command="'/home/bin/ao' hook codex user-prompt-submit",timeout=30}]}]
    --approve-for-me
    --model
    MODEL
    -c
    developer_instructions="ROLE"
    ID
    -- one shot
    codex
    exec
    --skip-git-repo-check
    --dangerously-bypass-hook-trust
    -c
    check_for_update_on_startup=false
    -c
    projects={"/work tree"={trust_level="trusted"}}
    -c
    hooks.Interrupt=[{hooks=[{type="command",command="'/home/bin/ao' hook codex interrupt",timeout=30}]}]
    -c
    hooks.PermissionRequest=[{hooks=[{type="command",command="'/home/bin/ao' hook codex permission-request",timeout=30}]}]
    -c
    hooks.PostToolUse=[{hooks=[{type="command",command="'/home/bin/ao' hook codex post-tool-use",timeout=30}]}]
    -c
    hooks.PreToolUse=[{hooks=[{type="command",command="'/home/bin/ao' hook codex pre-tool-use",timeout=30}]}]
    -c
    hooks.SessionEnd=[{hooks=[{type="command",command="'/home/bin/ao' hook codex session-end",timeout=30}]}]
    -c
    hooks.SessionStart=[{hooks=[{type="command",command="'/home/bin/ao' hook codex session-start",timeout=30}]}]
    -c
    hooks.Stop=[{hooks=[{type="command",command="'/home/bin/ao' hook codex stop",timeout=30}]}]
    -c
    hooks.UserPromptSubmit=[{hooks=[{type="command",command="'/home/bin/ao' hook codex user-prompt-submit",timeout=30}]}]
    --approve-for-me
    --model
    MODEL
    -c
    developer_instructions="ROLE"
    -
    file /home/sessions/web-1/prompt.md: THE TASK
    == copilot
    copilot
    --plugin-dir=/home/sessions/web-1/copilot
    --allow-all-tools
    --model=MODEL
    --session-id=11111111-2222-4333-8444-555555555555
    --interactive=ROLE

    THE TASK
    -- resume
    copilot
    --plugin-dir=/home/sessions/web-1/copilot
    --allow-all-tools
    --model=MODEL
    --resume=ID
    -- one shot
    copilot
    --plugin-dir=/home/sessions/web-1/copilot
    --allow-all-tools
    --model=MODEL
    --session-id=11111111-2222-4333-8444-555555555555
    --prompt=ROLE

    THE TASK
    == cursor
    cursor-agent
    --force
    --model
    MODEL
    --
    ROLE

    THE TASK
    -- resume
    cursor-agent
    --force
    --model
    MODEL
    --resume=ID
    -- one shot
    cursor-agent
    --print
    --force
    --model
    MODEL
    --
    ROLE

    THE TASK
    == demo
    /home/bin/ao
    demo-agent
    --permission
    auto
    --model
    MODEL
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
    auto
    --model
    MODEL
    --system-file
    /home/sessions/web-1/system.md
    file /home/sessions/web-1/system.md: ROLE
    -- one shot
    /home/bin/ao
    demo-agent
    --permission
    auto
    --model
    MODEL
    --system-file
    /home/sessions/web-1/system.md
    --
    THE TASK
    file /home/sessions/web-1/system.md: ROLE
    == gemini
    gemini
    --approval-mode
    yolo
    --model
    MODEL
    --session-id
    11111111-2222-4333-8444-555555555555
    --prompt-interactive=ROLE

    THE TASK
    -- resume
    gemini
    --approval-mode
    yolo
    --model
    MODEL
    --resume
    ID
    -- one shot
    gemini
    --approval-mode
    yolo
    --model
    MODEL
    --session-id
    11111111-2222-4333-8444-555555555555
    --prompt=ROLE

    THE TASK
    == goose
    env
    GOOSE_MODE=auto
    goose
    run
    --model
    MODEL
    --system
    ROLE
    --text

    --interactive
    paste THE TASK
    -- resume
    env
    GOOSE_MODE=auto
    goose
    run
    --model
    MODEL
    --system
    ROLE
    --resume
    --session-id
    ID
    --text

    --interactive
    -- one shot
    env
    GOOSE_MODE=auto
    goose
    run
    --model
    MODEL
    --system
    ROLE
    --instructions
    /home/sessions/web-1/prompt.sh
    file /home/sessions/web-1/prompt.sh: THE TASK
    == opencode
    opencode
    --auto
    --model
    MODEL
    --prompt=THE TASK
    env OPENCODE_CONFIG_CONTENT={"plugin":["file:///home/sessions/web-1/opencode.js"],"instructions":["/home/sessions/web-1/system.md"]}
    file /home/sessions/web-1/system.md: ROLE
    -- resume
    opencode
    --auto
    --model
    MODEL
    --session
    ID
    env OPENCODE_CONFIG_CONTENT={"plugin":["file:///home/sessions/web-1/opencode.js"],"instructions":["/home/sessions/web-1/system.md"]}
    file /home/sessions/web-1/system.md: ROLE
    -- one shot
    opencode
    run
    --auto
    --model
    MODEL
    --
    THE TASK
    env OPENCODE_CONFIG_CONTENT={"plugin":["file:///home/sessions/web-1/opencode.js"],"instructions":["/home/sessions/web-1/system.md"]}
    file /home/sessions/web-1/system.md: ROLE
    == qwen
    qwen
    --approval-mode
    auto
    --model
    MODEL
    --append-system-prompt=ROLE
    --session-id
    11111111-2222-4333-8444-555555555555
    --prompt-interactive=THE TASK
    env QWEN_CODE_SYSTEM_SETTINGS_PATH=/home/sessions/web-1/qwen/settings.json
    -- resume
    qwen
    --approval-mode
    auto
    --model
    MODEL
    --append-system-prompt=ROLE
    --resume
    ID
    env QWEN_CODE_SYSTEM_SETTINGS_PATH=/home/sessions/web-1/qwen/settings.json
    -- one shot
    qwen
    --approval-mode
    auto
    --model
    MODEL
    --append-system-prompt=ROLE
    --session-id
    11111111-2222-4333-8444-555555555555
    --prompt=THE TASK
    env QWEN_CODE_SYSTEM_SETTINGS_PATH=/home/sessions/web-1/qwen/settings.json
    == shell
    sh
    /home/sessions/web-1/prompt.sh
    file /home/sessions/web-1/prompt.sh: THE TASK
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
            uninstall(&stage.session).unwrap();
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

/// Returns the captured events: card, file name without `.json`, payload.
fn captured() -> Vec<(String, String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/agent");
    let list = |directory: &Path| -> Vec<PathBuf> {
        let names = fs::names(directory).unwrap();
        names.iter().map(|name| directory.join(name)).collect()
    };
    let last = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut all = Vec::new();
    for card in list(&root) {
        for version in list(&card) {
            for file in list(&version) {
                let payload = fs::read(&file).unwrap();
                all.push((last(&card), last(&file), payload));
            }
        }
    }
    all.sort();
    all
}

/// A file is named after its event, and what is special about it after a dot.
#[test]
fn every_captured_event_means_what_the_card_says() {
    let cards = cards();
    let mut table = String::new();
    for (name, event, payload) in captured() {
        let card = cards.find(&name).unwrap();
        let kind = event.split('.').next().unwrap();
        let fact = map_hook(card, kind, &payload);
        let shown = fact.map_or("nothing".to_owned(), |fact| serde_json::to_string(&fact).unwrap());
        table += &format!("{name} {event}\n  {shown}\n");
    }
    insta::assert_snapshot!(table, @r#"
    claude-code notification.idle
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111"}
    claude-code notification.permission
      nothing
    claude-code permission-request
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","tool":"given-7655a45e6dd654a2"}
    claude-code permission-request.plan
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"2ed86ef7-5310-4e98-896a-099a653f435c","tool":"ExitPlanMode"}
    claude-code permission-request.question
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","tool":"given-7b5de0fd1dc381c0"}
    claude-code post-tool-batch
      nothing
    claude-code post-tool-use
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","tool":"given-7655a45e6dd654a2"}
    claude-code post-tool-use-failure
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","tool":"given-c6702c11a5b4315e"}
    claude-code pre-tool-use
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111"}
    claude-code pre-tool-use.question
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111"}
    claude-code session-end
      {"confidence":"valid","activity":"exited","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","boundary":true}
    claude-code session-end.killed
      {"confidence":"valid","activity":"exited","source":"hook","agent_session":"2669eb53-51f4-43c8-a798-2cd266e0bc31","boundary":true}
    claude-code session-start
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","boundary":true}
    claude-code session-start.resume
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","boundary":true}
    claude-code stop
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","boundary":true}
    claude-code stop-failure.limit
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"22222222-1111-4111-8111-111111111111","boundary":true}
    claude-code stop-failure.no-credit
      {"confidence":"valid","activity":"waiting_input","source":"hook","agent_session":"22222222-1111-4111-8111-111111111111","boundary":true}
    claude-code stop-failure.not-logged-in
      {"confidence":"valid","activity":"waiting_input","source":"hook","agent_session":"22222222-1111-4111-8111-111111111111","boundary":true}
    claude-code stop-failure.rate-limit
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","boundary":true}
    claude-code stop-failure.session-limit
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"22222222-1111-4111-8111-111111111111","boundary":true}
    claude-code stop-failure.weekly-limit
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"22222222-1111-4111-8111-111111111111","boundary":true}
    claude-code stop.after-block
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","boundary":true}
    claude-code user-prompt-submit
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"11111111-1111-4111-8111-111111111111","boundary":true}
    codex interrupt
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"01a1ff52-67d7-74b0-b951-eda3eea12397","boundary":true}
    codex permission-request
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"01a1ff52-67d7-74b0-b951-eda3eea12397","tool":"given-7655a45e6dd654a2"}
    codex post-tool-use
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"01a1ff52-67d7-74b0-b951-eda3eea12397","tool":"given-7655a45e6dd654a2"}
    codex pre-tool-use
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"01a1ff52-67d7-74b0-b951-eda3eea12397"}
    codex session-end
      {"confidence":"valid","activity":"exited","source":"hook","agent_session":"01a1ff52-67d7-74b0-b951-eda3eea12397","boundary":true}
    codex session-start
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"01a1ff52-67d7-74b0-b951-eda3eea12397","boundary":true}
    codex session-start.resume
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"01a1ff52-67d7-74b0-b951-eda3eea12397","boundary":true}
    codex stop
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"01a1ff51-4ea1-7d11-a75a-fcaece1ded7c","boundary":true}
    codex stop.after-block
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"01a1ff52-67d7-74b0-b951-eda3eea12397","boundary":true}
    codex user-prompt-submit
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"01a1ff51-4ea1-7d11-a75a-fcaece1ded7c","boundary":true}
    codex user-prompt-submit.bypass
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"01a1ff59-708c-7420-93ac-f73c29109c81","boundary":true}
    copilot agent-stop
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"aee71f6a-fbd0-4226-acda-2fdab539b418","boundary":true}
    copilot error-occurred
      nothing
    copilot permission-request
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"aee71f6a-fbd0-4226-acda-2fdab539b418","tool":"bash"}
    copilot post-tool-use
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"aee71f6a-fbd0-4226-acda-2fdab539b418","tool":"bash"}
    copilot pre-tool-use
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"aee71f6a-fbd0-4226-acda-2fdab539b418","tool":"bash"}
    copilot session-end
      {"confidence":"valid","activity":"exited","source":"hook","agent_session":"aee71f6a-fbd0-4226-acda-2fdab539b418","boundary":true}
    copilot session-start
      nothing
    copilot user-prompt-submitted
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"aee71f6a-fbd0-4226-acda-2fdab539b418","boundary":true}
    gemini after-agent
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84","boundary":true}
    gemini after-agent.continued
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84","boundary":true}
    gemini after-tool
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84","tool":"run_shell_command"}
    gemini before-agent
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84","boundary":true}
    gemini before-tool
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84","tool":"run_shell_command"}
    gemini notification
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84"}
    gemini session-end
      {"confidence":"valid","activity":"exited","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84","boundary":true}
    gemini session-start
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84","boundary":true}
    gemini session-start.resume
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"609c9ada-bd35-4e26-83a4-a9dc992b1c84","boundary":true}
    qwen notification.idle
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","boundary":true}
    qwen notification.idle
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"b4ddca20-4898-4c6d-8fde-3672c2818327","boundary":true}
    qwen notification.permission
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","boundary":true}
    qwen notification.permission
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"b4ddca20-4898-4c6d-8fde-3672c2818327","boundary":true}
    qwen permission-request
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","tool":"run_shell_command"}
    qwen permission-request
      {"confidence":"valid","activity":"blocked","source":"hook","agent_session":"b4ddca20-4898-4c6d-8fde-3672c2818327","tool":"run_shell_command"}
    qwen post-tool-use
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","tool":"run_shell_command"}
    qwen pre-tool-use
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","tool":"run_shell_command"}
    qwen session-end
      {"confidence":"valid","activity":"exited","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","boundary":true}
    qwen session-start
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","boundary":true}
    qwen session-start
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"b4ddca20-4898-4c6d-8fde-3672c2818327","boundary":true}
    qwen session-start.resume
      {"confidence":"valid","activity":"ready","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","boundary":true}
    qwen stop
      {"confidence":"valid","activity":"idle","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","boundary":true}
    qwen user-prompt-submit
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"48d9e30e-c65f-40fe-ad91-02fce3b44ada","boundary":true}
    qwen user-prompt-submit
      {"confidence":"valid","activity":"active","source":"hook","agent_session":"b4ddca20-4898-4c6d-8fde-3672c2818327","boundary":true}
    qwen user-prompt-submit.after-tool
      nothing
    "#);
}
