//! Fuzz targets for the answers of a person's own programs: a forge, a tracker.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::command::fact_of;
use super::command_tracker::CommandTracker;
use crate::fuzz::target;
use crate::model::forge::{PullRequest, is_issue_id};
use crate::model::sanitize;

#[test]
fn fuzz_forge_answers() {
    let fact = r#"{"ci":"failing","ci_log_tail":"x","pr":{"state":"open","number":7,"head_sha":"a"},"checks":[{"name":"b","conclusion":"failure","url":"u"}],"comments":[{"id":1,"author":"e","body":"b","path":"p"}]}"#;
    let pull = r#"{"number":7,"url":"https://f/7","title":"t","state":"open","author":"a","branch":"b","base":"main","head_sha":"a1"}"#;
    target("forge-answers").seed(fact).seed(pull).words(&["\"fetched\":false"]).run(|bytes| {
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
        let said = value.get("fetched").cloned();
        match fact_of(value.clone()) {
            Ok(fact) => assert_eq!(fact.fetched, said.is_none_or(|said| said == true)),
            Err(why) => assert!(!why.is_empty()),
        }
        let _ = serde_json::from_value::<PullRequest>(value);
    });
}

#[test]
fn fuzz_tracker_answers() {
    let command = ["tracker", "--key=s3cret"].map(str::to_owned);
    let tracker = CommandTracker::new(&command, Duration::from_secs(1), Path::new("/"), None);
    let issue = r#"{"issue":{"id":"12","title":"t","body":"b","state":"open","labels":["a"],"comments":[{"author":"a","body":"b"}]}}"#;
    let error =
        r#"{"error":{"kind":"rate_limited","message":"m","retry_after":18446744073709551615}}"#;
    target("tracker-answers").seed(issue).seed(error).words(&["\"issues\"", "not_found"]).run(
        |bytes| match tracker.read(bytes) {
            Ok(answer) => {
                for issue in answer.issue.into_iter().chain(answer.issues.into_iter().flatten()) {
                    let id = issue.id.clone();
                    assert_eq!(tracker.checked(issue).is_ok(), is_issue_id(&id));
                }
            }
            Err(error) => {
                let told = sanitize::chain(&error);
                assert!(!told.contains("s3cret") && told.len() < 4000, "{told}");
            }
        },
    );
}
