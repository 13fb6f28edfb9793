//! What an agent's screen says to somebody who is about to type or to press a key.

use regex::Regex;

use crate::adapter::agent::card::{Card, TerminalSection};
use crate::adapter::agent::pattern::Pattern;
use crate::adapter::agent::screen::{end_of, read_screen};
use crate::adapter::runtime::screen::{Composer, Reading, Screen};
use crate::model::lifecycle::ActivityState;
use crate::model::screen::ScreenSign;

/// Returns what `screen` says to somebody who is about to type.
pub fn reading(card: &Card, screen: &Screen) -> Reading {
    let terminal = &card.terminal;
    let bottom = end_of(&screen.plain);
    let shows = |pattern: &Option<Pattern>| pattern.as_ref().is_some_and(|it| it.is_match(&bottom));
    Reading {
        dialog: has_dialog(card, screen),
        menu: terminal.menu.iter().any(|pattern| pattern.is_match(&bottom)),
        composer: composer(terminal, screen),
        folded: shows(&terminal.pasted),
        normal_mode: shows(&terminal.normal_mode),
        working: terminal.working.iter().any(|pattern| pattern.is_match(&bottom)),
    }
}

/// Returns whether a dialog is open.
pub fn has_dialog(card: &Card, screen: &Screen) -> bool {
    shows_dialog(card, &screen.plain)
}

fn shows_dialog(card: &Card, screen: &str) -> bool {
    let bottom = end_of(screen);
    card.terminal.dialog.iter().any(|pattern| pattern.is_match(&bottom))
}

/// Returns what the agent does, where the screen shows it; a dialog hides the rest.
pub fn activity_shown(card: &Card, screen: &Screen) -> Option<ActivityState> {
    if has_dialog(card, screen) {
        return Some(ActivityState::Blocked);
    }
    // A hint in an empty composer is no part of what an idle one looks like.
    let sign = read_screen(card, &screen.plain).or_else(|| read_screen(card, &screen.bright))?;
    Some(match sign {
        ScreenSign::Dialog => ActivityState::Blocked,
        ScreenSign::Working => ActivityState::Active,
        ScreenSign::Waiting => ActivityState::WaitingInput,
        ScreenSign::Ready => ActivityState::Ready,
        ScreenSign::Idle | ScreenSign::Limit { .. } => ActivityState::Idle,
    })
}

/// Returns what is written in the composer, `None` where the card does not say what it looks
/// like.
fn composer(terminal: &TerminalSection, screen: &Screen) -> Option<Composer> {
    let pattern = terminal.composer.as_ref()?;
    // The space after a prompt sign may be lost at the end of a line: both are looked for.
    let padded: String = screen.bright.lines().map(|line| format!("{line} \n")).collect();
    let found = [&screen.bright, &padded].map(|text| last_match(pattern, text));
    let Some((_, typed)) = found.into_iter().flatten().max_by_key(|(line, _)| *line) else {
        return Some(Composer::Unseen);
    };
    let is_hint = |text: &str| terminal.placeholder.iter().any(|hint| hint.is_match(text));
    Some(if typed.is_empty() || is_hint(&typed) {
        Composer::Empty
    } else {
        Composer::Filled(typed)
    })
}

/// Returns in which line the last match begins, and what its group holds.
fn last_match(pattern: &Regex, text: &str) -> Option<(usize, String)> {
    let captures = pattern.captures_iter(text).last()?;
    let line = text[..captures.get(0)?.start()].matches('\n').count();
    let typed = captures.get(1).map_or("", |group| group.as_str());
    Some((line, typed.trim().to_owned()))
}

/// Returns the lines of `screen` between what was asked and the composer: the agent's answer.
/// A dialog stands in the composer's place and is part of it.
///
/// `None` where the question is not on the screen. It is looked for in a line of its own behind a
/// prompt sign, else behind whatever an agent puts before what its hook has told it.
pub fn answer<'a>(card: &Card, screen: &'a str, question: &str) -> Option<&'a str> {
    const LONGEST_SIGN: usize = 5;
    let last_line = question.lines().rev().find(|line| !line.trim().is_empty())?.trim();
    let after_last = |longest: usize| {
        let is_question = |line: &str| {
            let sign = line.trim_end().strip_suffix(last_line);
            sign.is_some_and(|sign| sign.chars().count() <= longest)
        };
        let mut end_of_line = 0;
        let mut start = None;
        for line in screen.split_inclusive('\n') {
            end_of_line += line.len();
            start = if is_question(line) { Some(end_of_line) } else { start };
        }
        start
    };
    let start = after_last(LONGEST_SIGN).or_else(|| after_last(usize::MAX));
    let rest = screen[start?..].trim_start_matches('\n');
    // The first choice of a dialog may look like a composer.
    let composer = card.terminal.composer.as_ref().filter(|_| !shows_dialog(card, screen));
    let end =
        composer.and_then(|pattern| pattern.find_iter(rest).last()).map(|found| found.start());
    Some(rest[..end.unwrap_or(rest.len())].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::agent::load_cards;

    fn card() -> Card {
        let cards = load_cards(std::path::Path::new("/none")).unwrap();
        cards.find("demo").unwrap().clone()
    }

    #[test]
    fn a_composer_is_read_as_the_card_says() {
        let card = card();
        let mut table = String::new();
        for captured in [
            "said\n> ",
            "said\n> a draft",
            "said\n> \u{1b}[7mA\u{1b}[0;2msk anything\u{1b}[0m",
            "said\n> Type a message",
            "you: a\n> quoted\n> ",
            "> an old line\nsaid",
            "> [Pasted text #1 +10 lines]",
            "> x\n-- NORMAL --",
            "? Run it? [y]",
            "* Thinking (ctrl-c to interrupt)\n> ",
        ] {
            let screen = Screen::parse(captured);
            let reading = reading(&card, &screen);
            let shown = activity_shown(&card, &screen);
            table += &format!("{captured:?}\n  {reading:?} {shown:?}\n");
        }
        insta::assert_snapshot!(table, @r##"
        "said\n> "
          Reading { dialog: false, menu: false, composer: Some(Empty), folded: false, normal_mode: false, working: false } Some(Idle)
        "said\n> a draft"
          Reading { dialog: false, menu: false, composer: Some(Filled("a draft")), folded: false, normal_mode: false, working: false } None
        "said\n> \u{1b}[7mA\u{1b}[0;2msk anything\u{1b}[0m"
          Reading { dialog: false, menu: false, composer: Some(Empty), folded: false, normal_mode: false, working: false } Some(Idle)
        "said\n> Type a message"
          Reading { dialog: false, menu: false, composer: Some(Empty), folded: false, normal_mode: false, working: false } None
        "you: a\n> quoted\n> "
          Reading { dialog: false, menu: false, composer: Some(Empty), folded: false, normal_mode: false, working: false } Some(Idle)
        "> an old line\nsaid"
          Reading { dialog: false, menu: false, composer: Some(Unseen), folded: false, normal_mode: false, working: false } None
        "> [Pasted text #1 +10 lines]"
          Reading { dialog: false, menu: false, composer: Some(Filled("[Pasted text #1 +10 lines]")), folded: true, normal_mode: false, working: false } None
        "> x\n-- NORMAL --"
          Reading { dialog: false, menu: false, composer: Some(Filled("x")), folded: false, normal_mode: true, working: false } None
        "? Run it? [y]"
          Reading { dialog: true, menu: false, composer: Some(Unseen), folded: false, normal_mode: false, working: false } Some(Blocked)
        "* Thinking (ctrl-c to interrupt)\n> "
          Reading { dialog: false, menu: false, composer: Some(Empty), folded: false, normal_mode: false, working: true } Some(Active)
        "##);
    }

    #[test]
    fn composers_of_real_agents_are_told_empty_from_a_draft() {
        let cards = load_cards(std::path::Path::new("/none")).unwrap();
        let rule = format!("\u{1b}[38;5;244m{}", "─".repeat(40));
        let claude = |line: &str| {
            format!(
                "\u{1b}[38;5;239m\u{1b}[48;5;237m❯ \u{1b}[38;5;231msaid before\u{1b}[39m\n● yes\n\
                 {rule}\n\u{1b}[39m{line}\n\u{1b}[0m{rule}\n\u{1b}[39m  ? for shortcuts "
            )
        };
        let codex = |line: &str| {
            format!(
                "\u{1b}[1;2m› \u{1b}[0m\u{1b}[48;5;237msaid before\u{1b}[0m\n\n{line}\n\n  gpt \
                 default · /work\n"
            )
        };
        let mut table = String::new();
        for (name, screen) in [
            ("claude-code", claude("❯\u{a0}\u{1b}[7m ")),
            ("claude-code", claude("❯\u{a0}\u{1b}[7mP\u{1b}[0;2mress up to edit queued messages")),
            ("claude-code", claude("❯\u{a0}typed here\u{1b}[7m ")),
            ("claude-code", claude("❯\u{a0}[Pasted text #1 +240 lines]")),
            ("codex", codex("\u{1b}[1m›\u{1b}[0m \u{1b}[2mAsk Codex to do anything\u{1b}[0m")),
            ("codex", codex("\u{1b}[1m› \u{1b}[0mtyped here")),
            ("codex", codex("\u{1b}[1m› \u{1b}[0m\u{1b}[36m[Pasted Content 8172 chars]")),
            (
                "gemini",
                " > said before\n > \u{1b}[7m \u{1b}[0m\u{1b}[38;5;248m  Type your message or \
                 @path/to/file\u{1b}[39m\n"
                    .to_owned(),
            ),
            ("gemini", " > said before\n > typed here\n".to_owned()),
            (
                "qwen",
                "  > said before\n> \u{1b}[4m\u{1b}[39m \u{1b}[0m\u{1b}[38;5;103m Type your message \
                 or @path/to/file\n"
                    .to_owned(),
            ),
            ("qwen", "> [Pasted Content 9069 chars]\n".to_owned()),
            ("aider", "Aider v0.86\n\u{1b}[38;5;40m>\u{1b}[39m \n".to_owned()),
            ("aider", "Aider v0.86\n> typed here\n".to_owned()),
        ] {
            let reading = reading(cards.find(name).unwrap(), &Screen::parse(&screen));
            assert!(!reading.dialog && !reading.working, "{name}: {screen}");
            table += &format!("{name}: {:?} {}\n", reading.composer.unwrap(), reading.folded);
        }
        insta::assert_snapshot!(table, @r##"
        claude-code: Empty false
        claude-code: Empty false
        claude-code: Filled("typed here") false
        claude-code: Filled("[Pasted text #1 +240 lines]") true
        codex: Empty false
        codex: Filled("typed here") false
        codex: Filled("[Pasted Content 8172 chars]") true
        gemini: Empty false
        gemini: Filled("typed here") false
        qwen: Empty false
        qwen: Filled("[Pasted Content 9069 chars]") true
        aider: Empty false
        aider: Filled("typed here") false
        "##);
    }

    #[test]
    fn a_dialog_that_was_answered_has_scrolled_up() {
        let card = card();
        let old = format!("? proceed [y]\n{}", "a line\n".repeat(30));
        assert!(!has_dialog(&card, &Screen::parse(&old)));
        let open = format!("{}? proceed [y]\n\n\n\n", "a line\n".repeat(30));
        assert!(has_dialog(&card, &Screen::parse(&open)));
    }

    #[test]
    fn an_answer_is_between_the_question_and_the_composer() {
        let card = card();
        let screen = "old\nyou: one\nwhich way?\n\nto your: which way?\nleft\n> ";
        let told = answer(&card, screen, "one\nwhich way?\n");
        assert_eq!(told, Some("to your: which way?\nleft"));
        assert_eq!(answer(&card, screen, "another"), None);
        assert_eq!(answer(&card, "> which way?\nleft", "which way?"), Some("left"));
        assert_eq!(answer(&card, "> which way?", "which way?"), Some(""));
        let by_hook = "  ⎿  Stop hook error: which way?\n\n● left";
        assert_eq!(answer(&card, by_hook, "which way?"), Some("● left"));
        let dialog = "> which way?\n? proceed [y]\n> yes\n";
        assert_eq!(answer(&card, dialog, "which way?"), Some("? proceed [y]\n> yes"));
    }
}
