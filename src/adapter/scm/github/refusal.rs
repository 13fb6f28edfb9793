//! What an answer that is none means: which kind of failure a status stands for.

use serde_json::Value;

use crate::adapter::http::Response;
use crate::adapter::scm::ForgeError;

/// The longest piece of GitHub's own words in a message.
const MAX_WORDS: usize = 300;

/// Returns whether an answer limits requests instead of answering one.
pub(super) fn limits(response: &Response) -> bool {
    let used_up = response.header("x-ratelimit-remaining") == Some("0");
    let says = || words(response).to_ascii_lowercase().contains("rate limit");
    match response.status {
        429 => true,
        403 => used_up || response.header("retry-after").is_some() || says(),
        _ => false,
    }
}

/// Returns the failure that an answer of 300 or more stands for; `what` was asked for.
pub(super) fn of(response: &Response, forge: &str, what: &str) -> ForgeError {
    let forge = forge.to_owned();
    let why = words(response);
    match response.status {
        401 => ForgeError::Denied {
            forge,
            why: format!("the token is refused; it may have expired ({why})"),
        },
        404 | 410 => {
            ForgeError::NotFound { forge, what: format!("{what} that this token may see ({why})") }
        }
        403 | 451 => ForgeError::Denied { forge, why },
        405 | 409 | 412 | 422 => ForgeError::Conflict { forge, why },
        status => ForgeError::Failed { forge, why: format!("{status}: {why}") },
    }
}

/// Returns what an answer says went wrong, on one line: outside text.
fn words(response: &Response) -> String {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let mut text = match body["message"].as_str() {
        Some(message) => message.to_owned(),
        None => format!("status {}", response.status),
    };
    for error in body["errors"].as_array().into_iter().flatten() {
        let said = error.as_str().or_else(|| error["message"].as_str());
        let of_field = || Some(format!("{} {}", error["field"].as_str()?, error["code"].as_str()?));
        if let Some(more) = said.map(str::to_owned).or_else(of_field) {
            text = format!("{text}: {more}");
        }
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_kind() {
        let table = [
            (
                401,
                "GitHub does not permit it: the token is refused; it may have expired (Bad: a b)",
            ),
            (403, "GitHub does not permit it: Bad: a b"),
            (404, "GitHub has no pull request #7 that this token may see (Bad: a b)"),
            (405, "GitHub refuses: Bad: a b"),
            (422, "GitHub refuses: Bad: a b"),
            (302, "GitHub failed: 302: Bad: a b"),
            (502, "GitHub failed: 502: Bad: a b"),
        ];
        for (status, expected) in table {
            let body = r#"{"message":"Bad","errors":[{"field":"a","code":"b"}]}"#.into();
            let response = Response { status, headers: Vec::new(), body };
            assert_eq!(of(&response, "GitHub", "pull request #7").to_string(), expected);
            assert!(!limits(&response), "{status}");
        }
        let broken = Response { status: 500, headers: Vec::new(), body: b"<html>".to_vec() };
        assert_eq!(of(&broken, "GitHub", "x").to_string(), "GitHub failed: 500: status 500");
    }

    #[test]
    fn a_limit_is_told_from_a_refusal() {
        let limit = |status, name: &str, value: &str, body: &str| {
            let headers = vec![(name.to_owned(), value.to_owned())];
            limits(&Response { status, headers, body: body.as_bytes().to_vec() })
        };
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert!(limit(403, "x-ratelimit-remaining", "0", "{}"));
        assert!(limit(403, "retry-after", "60", "{}"));
        assert!(limit(403, "x", "", secondary));
        assert!(limit(429, "x", "", "{}"));
        assert!(!limit(403, "x-ratelimit-remaining", "7", r#"{"message":"no"}"#));
        assert!(!limit(404, "x-ratelimit-remaining", "0", "{}"));
    }
}
