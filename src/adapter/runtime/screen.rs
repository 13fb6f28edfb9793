//! A terminal's screen as data: its text, and what of it is not faint.
//!
//! Agents draw the hint in an empty composer faint, often with the first character under a cursor
//! of their own (reversed). Only so can it be told from what a person has typed.

use crate::model::sanitize;

/// What a screen shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// All of its text.
    pub plain: String,
    /// Its text without what is faint.
    pub bright: String,
}

/// What is written in an agent's composer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Composer {
    /// None is on the screen: a dialog hides it, or the agent has not drawn it yet.
    Unseen,
    /// Nothing is written in it.
    Empty,
    /// This is.
    Filled(String),
}

/// What a screen says to somebody who is about to type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// A dialog is open.
    pub dialog: bool,
    /// It is a menu that decides nothing.
    pub menu: bool,
    /// The composer; absent where nobody knows what it looks like.
    pub composer: Option<Composer>,
    /// A long text that was pasted stands there as one word.
    pub folded: bool,
    /// The composer takes commands, not text.
    pub normal_mode: bool,
    /// The agent is seen to work.
    pub working: bool,
}

/// The looks of a character that matter here.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    faint: bool,
    reverse: bool,
}

impl Screen {
    /// Reads what `capture-pane -e` printed.
    pub fn parse(captured: &str) -> Self {
        let mut screen = Self::default();
        // How long both texts were when the reversed characters just before this one began.
        let mut reversed: Option<usize> = None;
        let mut look = Look::default();
        for (text, next) in runs(captured) {
            if look.faint {
                // A reversed character right before faint ones is the cursor upon their first.
                if let Some(start) = reversed.filter(|_| !text.is_empty()) {
                    screen.bright.truncate(start);
                }
            } else {
                let start = screen.bright.len();
                screen.bright.push_str(&text);
                if !text.is_empty() {
                    reversed = look.reverse.then_some(start);
                }
            }
            if look.faint && !text.is_empty() {
                reversed = None;
                // Lines stay lines, whatever is left out of them.
                screen.bright.extend(text.chars().filter(|c| *c == '\n'));
            }
            screen.plain.push_str(&text);
            look = next(look);
        }
        Self { plain: trimmed(&screen.plain), bright: trimmed(&screen.bright) }
    }
}

/// A change of looks.
type Change = Box<dyn FnOnce(Look) -> Look>;

/// Returns each run of text with the change of looks after it.
fn runs(captured: &str) -> Vec<(String, Change)> {
    let mut runs: Vec<(String, Change)> = Vec::new();
    let mut rest = captured;
    while let Some(at) = rest.find("\u{1b}[") {
        let (text, after) = rest.split_at(at);
        let body = &after[2..];
        let end = body.find(|c: char| ('@'..='~').contains(&c)).unwrap_or(body.len());
        let parameters = body[..end].to_owned();
        let is_look = body[end..].starts_with('m');
        let change: Change =
            Box::new(move |look| if is_look { changed(look, &parameters) } else { look });
        runs.push((sanitize::text(text), change));
        rest = body.get(end + 1..).unwrap_or_default();
    }
    runs.push((sanitize::text(rest), Box::new(|look| look)));
    runs
}

/// Returns the looks after the parameters of one `ESC [ … m`.
fn changed(mut look: Look, parameters: &str) -> Look {
    let mut words = parameters.split(';');
    while let Some(word) = words.next() {
        match word {
            "" | "0" => look = Look::default(),
            "2" => look.faint = true,
            "22" => look.faint = false,
            "7" => look.reverse = true,
            "27" => look.reverse = false,
            // A colour's own numbers must not be read as looks.
            "38" | "48" | "58" => match words.next() {
                Some("5") => drop(words.next()),
                Some("2") => drop((words.next(), words.next(), words.next())),
                Some(_) | None => {}
            },
            _ => {}
        }
    }
    look
}

/// Returns the text without spaces at the ends of its lines and lines at its end.
fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faint_text_and_the_cursor_upon_it_are_left_out() {
        let mut table = String::new();
        for captured in [
            "> plain\nnext  \n\n",
            "\u{1b}[1m› \u{1b}[0m\u{1b}[2mAsk for anything\u{1b}[0m\nfooter",
            "❯\u{a0}\u{1b}[7mP\u{1b}[0;2mress up to edit\u{1b}[0m",
            "❯\u{a0}a draft\u{1b}[7m \u{1b}[0m",
            "❯\u{a0}a dr\u{1b}[7ma\u{1b}[27mft",
            "\u{1b}[38;5;2mgreen\u{1b}[48;2;2;2;2m and \u{1b}[2mfaint\u{1b}[22m not",
            "\u{1b}[2mfaint\nstill faint\u{1b}[0m\nbright",
            "\u{1b}]8;;http://x\u{1b}\\link\u{1b}[K",
        ] {
            let screen = Screen::parse(captured);
            table += &format!("{:?} => {:?}\n", screen.plain, screen.bright);
        }
        insta::assert_snapshot!(table, @r##"
        "> plain\nnext" => "> plain\nnext"
        "› Ask for anything\nfooter" => "›\nfooter"
        "❯\u{a0}Press up to edit" => "❯"
        "❯\u{a0}a draft" => "❯\u{a0}a draft"
        "❯\u{a0}a draft" => "❯\u{a0}a draft"
        "green and faint not" => "green and  not"
        "faint\nstill faint\nbright" => "\n\nbright"
        "link" => "link"
        "##);
    }

    #[test]
    fn what_is_cut_short_is_read_to_its_end() {
        for captured in ["", "\u{1b}", "\u{1b}[", "a\u{1b}[2", "a\u{1b}[38;5", "a\u{1b}[38;2;1m"] {
            let screen = Screen::parse(captured);
            assert_eq!(screen.plain, screen.plain.trim_end(), "{captured:?}");
        }
    }
}
