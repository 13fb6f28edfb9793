//! Makes text from outside safe to show and to give to an agent.

/// Returns `text` without control characters, line breaks and tabs apart.
pub(super) fn text(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Returns `text` as one line without control characters.
pub(super) fn line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns `outside` in a fence longer than any in it, labelled as quoted, of at most
/// `max_bytes` bytes of content; the end is kept, which is where logs say what failed.
pub(super) fn quoted(label: &str, outside: &str, max_bytes: usize) -> String {
    let clean = text(outside);
    let clean = clean.trim_end();
    let mut start = clean.len().saturating_sub(max_bytes);
    while !clean.is_char_boundary(start) {
        start += 1;
    }
    let cut = if start > 0 { "[earlier lines left out]\n" } else { "" };
    let body = &clean[start..];
    let longest = body.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{} (quoted from outside):\n{fence}\n{cut}{body}\n{fence}", line(label))
}
