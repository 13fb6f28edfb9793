//! A Slack channel, by an incoming webhook. Its whole address is a secret.

use std::time::Duration;

use serde_json::json;

use crate::adapter::http::Client;
use crate::adapter::notify::post::post;
use crate::adapter::notify::{Notice, NotifyError};
use crate::model::effect::Priority;
use crate::model::sanitize;
use crate::model::secret::SecretSource;

/// What a channel can take without becoming unreadable.
const LONGEST: usize = 3000;

pub(super) fn deliver(
    client: &Client,
    name: &str,
    url: &SecretSource,
    notice: &Notice<'_>,
    timeout: Duration,
) -> Result<(), NotifyError> {
    // Links in a log are nobody's to fetch.
    let message = json!({ "text": text(notice), "mrkdwn": true, "unfurl_links": false });
    let headers = [("content-type", "application/json".to_owned())];
    post(client, name, url, &headers, message.to_string().as_bytes(), timeout)
}

/// Returns the notice in Slack's own markup: what, which session and its status, the text.
fn text(notice: &Notice<'_>) -> String {
    let mark = match notice.priority {
        Priority::Urgent => ":rotating_light:",
        Priority::Action => ":point_right:",
        Priority::Warning => ":warning:",
        Priority::Info => ":information_source:",
    };
    let session = match notice.link {
        Some(link) => format!("<{}|{}>", escaped(link).replace('|', "%7C"), notice.session),
        None => notice.session.to_string(),
    };
    let mut title = escaped(&sanitize::line(notice.title));
    if !title.is_empty() {
        title = format!(" *{}*", title.replace('*', "∗"));
    }
    let status = notice.status.as_str().replace('_', " ");
    let escalation = if notice.escalation { ", your turn" } else { "" };
    let head = format!("{mark} {session}{title} ({status}{escalation})");
    let message = sanitize::capped_in_its_middle(&sanitize::text(notice.message), LONGEST);
    format!("{head}\n{}", escaped(message.trim()))
}

/// Takes the meaning from the three characters that mentions, links and entities are made of.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::notify::tests::with_notice;

    #[test]
    fn a_notice_mentions_nobody_and_links_nowhere_else() {
        let texts = with_notice("x", |notice| {
            let bare = text(notice);
            let link = Some("https://forge.example/pull/7?a=1&b=<|");
            let (title, message) = ("*fix* <!channel>", "<@U1> & <https://evil.example|here>");
            [bare, text(&Notice { link, title, message, escalation: true, ..notice.clone() })]
        });
        insta::assert_snapshot!(texts.join("\n---\n"), @r#"
        :rotating_light: web-1 *web-1 needs input* (needs input)
        line 1
        line 2
        ---
        :rotating_light: <https://forge.example/pull/7?a=1&amp;b=&lt;%7C|web-1> *∗fix∗ &lt;!channel&gt;* (needs input, your turn)
        &lt;@U1&gt; &amp; &lt;https://evil.example|here&gt;
        "#);
    }
}
