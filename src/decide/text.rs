//! A text made of sentences of ours and of quotations, laid out to fit.
//!
//! Where there is too little room quotations lose their middles, the long ones first; a fence is
//! never cut, so nothing that was quoted can end up outside of one.

use crate::model::sanitize;

/// The least of a quotation that is worth showing, in bytes.
const LEAST_QUOTE: usize = 80;

/// What stands between two paragraphs.
const BREAK: &str = "\n\n";

/// A text under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    /// Words of ours or of the user's.
    Plain(String),
    /// Words of others, cleaned.
    Quote { label: String, body: String },
}

impl Text {
    /// Returns the text of these words alone.
    pub(super) fn plain(words: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Plain(words.into())] }
    }

    /// Returns `body` as a quotation, nothing where it is blank.
    pub(super) fn quote(label: impl Into<String>, body: &str) -> Self {
        let body = sanitize::quotable(body.trim_end());
        if body.trim().is_empty() {
            return Self::default();
        }
        Self { pieces: vec![Piece::Quote { label: label.into(), body }] }
    }

    /// Adds `other` behind this.
    pub(super) fn push(&mut self, other: Self) {
        self.pieces.extend(other.pieces);
    }

    /// Returns the texts that are not empty, an empty line between them.
    pub(super) fn paragraphs(texts: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::default();
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            if !whole.is_empty() {
                whole.push(Self::plain(BREAK));
            }
            whole.push(text);
        }
        whole
    }

    fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Plain(words) if words.is_empty()))
    }

    /// Returns the text in at most `max` bytes; where not even the words fit, about that.
    pub(super) fn render(mut self, max: usize) -> String {
        let whole = self.layout(usize::MAX);
        if whole.len() <= max {
            return whole;
        }
        let mut dropped = 0;
        while self.layout(LEAST_QUOTE).len() > max {
            let is_quote = |piece: &Piece| matches!(piece, Piece::Quote { .. });
            let Some(last) = self.pieces.iter().rposition(is_quote) else {
                return cap(&self.layout(0), max);
            };
            dropped += 1;
            self.pieces[last] = Piece::Plain(String::new());
            self.note_dropped(last, dropped);
        }
        self.layout(self.room_within(max))
    }

    /// Says at `place` how many quotations had no room; those behind it are gone already.
    fn note_dropped(&mut self, place: usize, dropped: usize) {
        for piece in &mut self.pieces[place + 1..] {
            if matches!(piece, Piece::Plain(words) if words.starts_with("[no room for ")) {
                *piece = Piece::Plain(String::new());
            }
        }
        self.pieces[place] = Piece::Plain(format!("[no room for {dropped} of the quotations]"));
    }

    /// Returns the most that each quotation may have so that all fits.
    fn room_within(&self, max: usize) -> usize {
        let (mut low, mut high) = (LEAST_QUOTE, max);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.layout(middle).len() <= max { low = middle } else { high = middle - 1 }
        }
        low
    }

    /// Returns the text with at most `room` bytes of each quotation, which begins and ends on
    /// lines of its own.
    fn layout(&self, room: usize) -> String {
        let mut out = String::new();
        let mut after_quote = false;
        for piece in &self.pieces {
            match piece {
                Piece::Plain(words) if words.is_empty() => {}
                // Beside a paragraph that had no room.
                Piece::Plain(words) if words == BREAK && out.ends_with(BREAK) => {}
                Piece::Plain(words) => {
                    if after_quote && !words.starts_with('\n') {
                        out.push('\n');
                    }
                    out.push_str(words);
                    after_quote = false;
                }
                Piece::Quote { label, body } => {
                    if !out.is_empty() && !out.ends_with('\n') {
                        out.push('\n');
                    }
                    out.push_str(sanitize::fenced(label, body, room).trim_end());
                    after_quote = true;
                }
            }
        }
        out
    }
}

/// Returns `text` with its middle cut out where it has more than `max` bytes.
fn cap(text: &str, max: usize) -> String {
    const MARK: &str = "\n[… cut …]\n";
    if text.len() <= max {
        return text.to_owned();
    }
    let half = max.saturating_sub(MARK.len()) / 2;
    let mut head = half;
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    let mut tail = text.len() - half;
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}{MARK}{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns what stands outside of all fences, `None` where a fence is open at the end.
    fn outside(text: &str) -> Option<String> {
        let (mut out, mut fence): (String, Option<&str>) = (String::new(), None);
        for line in text.lines() {
            match fence {
                Some(open) if line == open => fence = None,
                Some(_) => {}
                None if line.len() >= 3 && line.chars().all(|c| c == '`') => fence = Some(line),
                None => out.push_str(line),
            }
        }
        fence.is_none().then_some(out)
    }

    #[test]
    fn what_does_not_fit_loses_its_middle_or_its_place() {
        let text = || {
            Text::paragraphs([
                Text::plain("Ours."),
                Text::quote("short", "s\n"),
                Text::default(),
                Text::quote("long", &"line\n".repeat(100)),
                Text::quote("blank", " \n"),
                Text::plain("The end."),
            ])
        };
        insta::assert_snapshot!(text().render(250), @r#"
        Ours.

        short (quoted from outside):
        ```
        s
        ```

        long (quoted from outside):
        ```
        line
        line
        line
        line
        line
        line
        line
        line
        line
        line
        line
        line
        lin
        [… 372 bytes left out …]
        line
        line
        line
        line
        line
        line
        line
        line
        line
        line
        line
        line
        line
        ```

        The end.
        "#);
        insta::assert_snapshot!(text().render(150), @r#"
        Ours.

        short (quoted from outside):
        ```
        s
        ```

        [no room for 1 of the quotations]

        The end.
        "#);
        insta::assert_snapshot!(text().render(80), @r#"
        Ours.

        [no room for 2 of the quotations]

        The end.
        "#);
        assert_eq!(text().render(20), "Ou\n[… cut …]\nd.");
    }

    #[test]
    fn a_quotation_within_a_line_gets_lines_of_its_own() {
        let mut text = Text::plain("See ");
        text.push(Text::quote("log", "x"));
        text.push(Text::plain(" and ```."));
        assert_eq!(text.render(1000), "See \nlog (quoted from outside):\n```\nx\n```\n and ```.");
    }

    proptest! {
        #[test]
        fn nothing_quoted_is_ever_outside_of_a_fence(
            bodies in proptest::collection::vec("(X|`{1,70}|~{3,5}|\n|```\n|\u{1b}\\[0m|X{200}){0,40}", 0..6),
            repeated in 1usize..200, max in 256usize..5000
        ) {
            let quotes = bodies.iter().map(|body| Text::quote("from X", &body.repeat(repeated)));
            let ours = [Text::plain("Words of ours.")].into_iter();
            let text = Text::paragraphs(ours.chain(quotes)).render(max);
            prop_assert!(text.len() <= max);
            let outside = outside(&text).expect("every fence is closed");
            let outside = outside.replace("from X (quoted from outside):", "");
            prop_assert!(!outside.contains('X'), "{}", text);
        }
    }
}
