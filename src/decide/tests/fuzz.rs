//! Fuzz targets for lines of `ao decide`: whatever record, observation and policy they hold, the
//! answer is one, a sound record stays sound, and no text of it steers a terminal.

use serde_json::{Value, json};

use super::at;
use crate::decide::batch::evaluate_line;
use crate::fuzz::target;
use crate::model::check;
use crate::model::facts::Observation;
use crate::model::policy::Policy;
use crate::model::record::Document;

const OBSERVATIONS: &[&str] = &[
    r#"{"kind":"runtime","runtime":"dead","process":"indeterminate","confirmed":true,"exit_code":137}"#,
    r#"{"kind":"activity","confidence":"valid","activity":"waiting_input","source":"hook","boundary":true,"tool":"t","report":{"state":"completed","note":"x"}}"#,
    r#"{"kind":"scm","fetched":true,"ci":"failing","ci_log_tail":"x\n```\n","review":"changes_requested","mergeability":"conflicting","pr":{"state":"open","number":7,"head_sha":"a"},"checks":[{"name":"b\u001b[31m","conclusion":"failure","url":"u"}],"comments":[{"id":1,"author":"e","body":"b","path":"p"}]}"#,
    r#"{"kind":"limit","resets_at":"2026-11-20T11:00:00Z"}"#,
    r#"{"kind":"restore"}"#,
    r#"{"kind":"kill","reason":"manually_killed"}"#,
    r#"{"kind":"tick"}"#,
    r#"{"kind":"sent"}"#,
];

const RECORDS: &[&str] = &[
    include_str!("../../../fixtures/record/v1/full.json"),
    include_str!("../../../fixtures/record/v1/detecting.json"),
    include_str!("../../../fixtures/record/v1/report.json"),
];

#[test]
fn fuzz_decide() {
    let policy = json!({ "reactions": { "ci-failed": { "action": "send", "message": "{log}{checks}",
        "retries": 2, "escalate_after": "5m" }, "agent-idle": { "action": "notify" } } });
    let mut lines = target("decide");
    for record in RECORDS {
        for observation in OBSERVATIONS {
            let [record, observation] =
                [record, observation].map(|text| serde_json::from_str::<Value>(text).unwrap());
            let line = json!({ "record": record, "observation": observation, "policy": policy,
                "now": "2026-11-20T10:00:00Z" });
            lines = lines.seed(line.to_string());
        }
    }
    lines.words(&["detecting", "terminated", "merged", "failing", "0s", "9999d"]).run_text(
        |line| {
            let answer = evaluate_line(line, &Policy::default(), at(9));
            let Ok(answer) = answer.map_err(|error| assert!(!error.contains(char::is_control)))
            else {
                return;
            };
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let input: Value = serde_json::from_str(line).unwrap();
            let findings = |record: &Value| {
                let document = Document::from_map(record.as_object().unwrap().clone());
                check::check(&document.view().unwrap())
            };
            let before = findings(&input["record"]);
            assert!(!before.is_empty() || findings(&answer["record"]).is_empty(), "{answer}");
            assert!(Observation::from_value(input["observation"].clone()).is_ok());
            for effect in answer["effects"].as_array().unwrap() {
                let message = effect["message"].as_str().unwrap_or_default();
                let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
                assert!(!message.contains(steers), "{message:?}");
            }
        },
    );
}
