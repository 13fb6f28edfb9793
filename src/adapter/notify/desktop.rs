//! The desktop's own notifications, by `notify-send`.

use std::time::Duration;

use crate::adapter::notify::{Notice, NotifyError, command};
use crate::model::effect::Priority;

/// The notification service is on this machine: it answers at once or not at all.
const DEADLINE: Duration = Duration::from_secs(5);

pub(super) fn deliver(name: &str, notice: &Notice<'_>) -> Result<(), NotifyError> {
    command::run(name, &arguments(notice), Vec::new(), DEADLINE)
}

fn arguments(notice: &Notice<'_>) -> Vec<String> {
    let urgency = match notice.priority {
        Priority::Urgent => "critical",
        Priority::Action | Priority::Warning => "normal",
        Priority::Info => "low",
    };
    let words = ["notify-send", "--app-name=ao", "--urgency", urgency, "--"].map(str::to_owned);
    let texts = [plain(notice.title), escaped(&plain(notice.message))];
    words.into_iter().chain(texts).collect()
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
        let words = with_notice("x", arguments);
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
    }
}
