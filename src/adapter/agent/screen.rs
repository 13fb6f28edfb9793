//! What an agent's screen says, by the patterns of its card.
//!
//! Pure. Only the end of the screen counts: further up is what was said and answered before.

use crate::adapter::agent::card::Card;
use crate::adapter::agent::pattern::Pattern;
use crate::model::screen::ScreenSign;

/// Lines at the end of a screen that are looked at, blank ones not counted.
const LINES: usize = 20;

/// Returns what a plain screen says; `None` where no pattern knows it.
pub fn read_screen(card: &Card, screen: &str) -> Option<ScreenSign> {
    let end = end_of(screen);
    let terminal = &card.terminal;
    let shows = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.is_match(&end));
    let works = shows(&terminal.working);
    let limit = terminal.limit.iter().find_map(|pattern| pattern.captures(&end));
    // A limit may show in a dialog of its own, and stays on the screen when work goes on.
    if let Some(found) = limit.filter(|_| !works) {
        let reset = found.name("reset").map(|text| text.as_str().trim().to_owned());
        return Some(ScreenSign::Limit { reset });
    }
    if shows(&terminal.dialog) {
        return Some(ScreenSign::Dialog);
    }
    if works {
        return Some(ScreenSign::Working);
    }
    if shows(&terminal.waiting) {
        return Some(ScreenSign::Waiting);
    }
    if shows(&terminal.idle) {
        return Some(ScreenSign::Idle);
    }
    let ready = card.prompt.ready.as_ref().is_some_and(|pattern| pattern.is_match(&end));
    ready.then_some(ScreenSign::Ready)
}

/// Returns the last lines of a screen, blank ones at its very end left out.
pub(super) fn end_of(screen: &str) -> String {
    let blank = |line: &&str| line.trim().is_empty();
    let mut written = 0;
    // Some agents keep the composer at the bottom, far below the little that was said.
    let counts = |line: &&str| {
        written += usize::from(!blank(line));
        written <= LINES
    };
    let mut lines: Vec<&str> = screen.lines().rev().skip_while(blank).take_while(counts).collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::agent::load_cards;

    #[test]
    fn the_end_of_the_screen_says_what_the_agent_does() {
        let cards = load_cards(std::path::Path::new("/none")).unwrap();
        let mut card = cards.find("demo").unwrap().clone();
        let patterns = |text: &str| vec![Pattern::from(text)];
        card.terminal.working = patterns("esc to interrupt");
        card.terminal.idle = patterns("(?m)^> $");
        card.terminal.waiting = patterns("which one");
        card.terminal.dialog = patterns("(?m)^1. Yes");
        card.terminal.limit = patterns(r"limit reached(?: until (?<reset>.*))?");
        let limit = |reset: Option<&str>| ScreenSign::Limit { reset: reset.map(str::to_owned) };
        for (screen, sign) in [
            ("", None),
            ("hello", None),
            ("> ", Some(ScreenSign::Idle)),
            ("> \n  esc to interrupt\n\n\n", Some(ScreenSign::Working)),
            ("which one?\n> ", Some(ScreenSign::Waiting)),
            ("1. Yes\nesc to interrupt", Some(ScreenSign::Dialog)),
            ("limit reached until 3pm\n> ", Some(limit(Some("3pm")))),
            ("limit reached\n1. Yes", Some(limit(None))),
            ("limit reached\nesc to interrupt", Some(ScreenSign::Working)),
            ("welcome\n>", Some(ScreenSign::Ready)),
        ] {
            assert_eq!(read_screen(&card, screen), sign, "{screen:?}");
        }
        let far = format!("which one?{}>", "\n".repeat(40));
        assert_eq!(read_screen(&card, &far), Some(ScreenSign::Waiting));
        let old = format!("1. Yes\n{}> ", "line\n".repeat(LINES));
        assert_eq!(read_screen(&card, &old), Some(ScreenSign::Idle));
    }
}
