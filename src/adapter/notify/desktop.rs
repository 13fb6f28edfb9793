//! The desktop's own notifications, by `notify-send` or, on a Mac, `osascript`.

use std::time::Duration;

use crate::adapter::notify::{Notice, NotifyError, command};
use crate::model::effect::Priority;

/// What shows them on this system.
pub(super) const PROGRAM: &str =
    if cfg!(target_os = "macos") { "osascript" } else { "notify-send" };

pub(super) fn deliver(
    name: &str,
    notice: &Notice<'_>,
    timeout: Duration,
) -> Result<(), NotifyError> {
    let on_mac = cfg!(target_os = "macos");
    let words = if on_mac { by_osascript(notice) } else { by_notify_send(notice) };
    command::run(name, &words, Vec::new(), timeout)
}

fn by_notify_send(notice: &Notice<'_>) -> Vec<String> {
    let urgency = match notice.priority {
        Priority::Urgent => "critical",
        Priority::Action | Priority::Warning => "normal",
        Priority::Info => "low",
    };
    let words = ["notify-send", "--app-name=ao", "--urgency", urgency, "--"].map(str::to_owned);
    let texts = [plain(notice.title), escaped(&plain(notice.message))];
    words.into_iter().chain(texts).collect()
}

/// The texts are arguments of the script, never part of it.
fn by_osascript(notice: &Notice<'_>) -> Vec<String> {
    const SCRIPT: [&str; 7] = [
        "osascript",
        "-e",
        "on run argv",
        "-e",
        "display notification (item 2 of argv) with title (item 1 of argv)",
        "-e",
        "end run",
    ];
    // What begins with a hyphen would be taken for an option.
    let texts = [format!("ao: {}", plain(notice.title)), format!(" {}", plain(notice.message))];
    SCRIPT.map(str::to_owned).into_iter().chain(texts).collect()
}

/// Returns the text without control characters, cut to what a notification can show.
fn plain(text: &str) -> String {
    const SHOWN: usize = 400;
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(SHOWN).collect()
}

/// Notification services read the body as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::notify::tests::with_notice;

    #[test]
    fn texts_come_after_the_options_and_carry_no_escapes() {
        let words = with_notice("x", by_notify_send);
        let expected = [
            "notify-send",
            "--app-name=ao",
            "--urgency",
            "critical",
            "--",
            "web-1 needs input",
            "line 1\nline 2 [31m",
        ];
        assert_eq!(words, expected);
        assert_eq!(escaped("<b>&"), "&lt;b&gt;&amp;");
        let words = with_notice("x", by_osascript);
        assert_eq!(words[7..], ["ao: web-1 needs input", " line 1\nline 2 [31m"]);
    }
}
