//! Fuzz targets for what agents and their users write: cards, payloads, screens, hook files.
#![expect(clippy::disallowed_methods, reason = "puts what is read where it is read")]

use std::path::Path;

use serde_json::Value;

use super::card::{Card, FileForm};
use super::composer::{activity_shown, answer, reading};
use super::hook::{answer_to, map_hook};
use super::hook_text::{addition, with, without};
use super::preflight::{at_least, version_in};
use super::screen::read_screen;
use super::template::{self, Part};
use super::{cards, conversation, load_cards};
use crate::adapter::json_edit::Document;
use crate::adapter::runtime::screen::Screen;
use crate::fuzz::{Target, target};
use crate::model::facts::Observation;
use crate::model::id::LaunchId;
use crate::model::time::Timestamp;

fn all() -> Vec<Card> {
    load_cards(Path::new("/none")).unwrap().all().cloned().collect()
}

fn card_texts(name: &'static str) -> Target {
    let cards = load_cards(Path::new("/none")).unwrap();
    let texts: Vec<String> = cards.all().map(|card| cards.text(card.name()).unwrap()).collect();
    texts.into_iter().fold(target(name), Target::seed)
}

#[test]
fn fuzz_cards() {
    let words =
        ["[agent]", "[hooks.events.stop]", "{prompt}", "{", "(?P<reset>", "(", "a{9999}{9999}"];
    card_texts("cards").words(&words).run(|bytes| {
        let read = cards::utf8(bytes.to_vec())
            .and_then(|text| cards::parse("own", &text).map(|card| (card, text)))
            .and_then(|(card, text)| cards::check_patterns(card, &text));
        if let Err((line, why)) = read {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            assert!((1..=lines).contains(&line), "line {line} of {lines}: {why}");
            assert!(!why.is_empty());
        }
    });
}

#[test]
fn fuzz_hook_payloads() {
    let (cards, launch) = (all(), "0123456789abcdef0123456789abcdef".parse::<LaunchId>().unwrap());
    let words =
        ["session_id", "hook_event_name", "tool_name", "resets at", "limit reached|1795255200"];
    let at = Timestamp::from_millis(1_795_000_000_000);
    target("hook-payloads").fixtures("agent", ".json").words(&words).run(|bytes| {
        for card in &cards {
            for event in card.hooks.events.keys() {
                let heard = map_hook(&card.hearing(event).unwrap(), bytes, &launch, true, at);
                let Some(heard) = heard else { continue };
                if let Observation::Activity(fact) = &heard.observation {
                    for id in fact.agent_session.iter().chain(&fact.tool) {
                        assert!(id.len() <= 256 && !id.starts_with('-'));
                        assert!(id.chars().all(|c| c.is_ascii_graphic()), "{id:?}");
                    }
                }
                assert!(heard.directory.is_none_or(|path| path.is_absolute()));
                let words = heard.words.unwrap_or_default();
                assert!(!words.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
            }
        }
    });
}

#[test]
fn fuzz_agent_screens() {
    let cards = all();
    let words = ["❯ ", "> ", "│ ", "╭", "╰", "esc to interrupt", "1. Yes", "\n\n\n", "\u{1b}[2m"];
    target("agent-screens").fixtures("screen", ".ansi").words(&words).run_text(|text| {
        let screen = Screen::parse(text);
        for card in &cards {
            read_screen(card, &screen.plain);
            reading(card, &screen);
            activity_shown(card, &screen);
            for question in ["hello", "", text.lines().next().unwrap_or_default()] {
                let said = answer(card, &screen.plain, question);
                assert!(said.is_none_or(|said| screen.plain.contains(said)));
            }
        }
    });
}

#[test]
fn fuzz_card_templates() {
    let target = target("card-templates").seed("{session_dir}/a{{b}}{env:HOME}/c").seed("{prompt}");
    target.run_text(|text| {
        if let Some(parts) = template::parts(text) {
            let named = parts.iter().filter(|part| matches!(part, Part::Name(_))).count();
            assert!(named <= text.matches('{').count());
            // What a placeholder stands for is not looked at again.
            let filled = template::fill(text, |_| b"{again}".to_vec());
            let again = filled.windows(7).filter(|window| window == b"{again}").count();
            assert!(again >= named);
        }
        let table = toml::Table::from_iter([("say".to_owned(), text.into())]);
        serde_json::from_str::<Value>(&answer_to(&table, text)).unwrap();
    });
}

#[test]
fn fuzz_hook_files() {
    let seeds = [
        r#"{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]}, "x": 1}"#,
        "// comments\n{\n  \"hooks\": {}, /* and */\n}\n",
        "{}",
    ];
    let cards = all();
    let target = seeds.iter().fold(target("hook-files"), |target, seed| target.seed(*seed));
    target.words(&["\"hooks\"", "\"Stop\"", "[]", "// ", "/*", "*/"]).run(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        for card in &cards {
            for file in card.hooks.files.iter().filter(|file| file.form == FileForm::Json) {
                let addition = addition(card, file, Path::new("/usr/bin/ao"));
                let Ok(Some(added)) = with(&addition, Some(text)) else { continue };
                assert_eq!(with(&addition, Some(&added)).unwrap().as_deref(), Some(&*added));
                let back = without(&addition, &added, Some(text)).unwrap();
                assert_eq!(back.as_deref(), Some(text), "a user's file comes back whole");
            }
        }
        if let Ok(document) = Document::parse(text) {
            assert!(text.trim().is_empty() || document.text() == text);
            document.value("/hooks/Stop");
        }
    });
}

#[test]
fn fuzz_versions_and_conversations() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("talk.jsonl");
    let (pointer, here) = (["/cwd".to_owned()], directory.path().canonicalize().unwrap());
    let line = format!("{{\"cwd\":\"{}\"}}\n", here.display());
    let cache = r#"{"/usr/bin/claude":{"identity":"1.0 2 3 --version","version":"2.1.197"}}"#;
    let seeds =
        ["2.1.197 (Claude Code)", "codex-cli 0.169.0-alpha.1", "v1.2.3+build.", cache, &line];
    let target = seeds.iter().fold(target("versions"), |target, seed| target.seed(*seed));
    target.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(version) = version_in(&text) {
            assert!(version.len() <= 64 && at_least(&version, &version));
            assert!(at_least(&version, "0"));
        }
        at_least(&text, "1.2.3");
        std::fs::write(&file, bytes).unwrap();
        if conversation::is_held_in(&file, &pointer, &here).unwrap() {
            assert!(text.contains("cwd"));
        }
    });
}
