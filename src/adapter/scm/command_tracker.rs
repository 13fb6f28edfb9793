//! A program of the user's that answers for a tracker: one JSON question on standard input, one
//! JSON answer on standard output.
//!
//! It is started once for each question, in the repository, with the deadline that is
//! configured. Whatever it answers is outside text; an answer that does not fit the question is
//! an error, never "there is none". Its arguments may be secrets and are not repeated.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::adapter::scm::program::{Program, shortened};
use crate::adapter::scm::{ForgeError, Tracker};
use crate::model::forge::{Issue, IssueQuery, is_issue_id};

/// The program, and what it is asked about.
#[derive(Clone, Debug)]
pub struct CommandTracker {
    program: Program,
    /// The address of the remote `origin`.
    origin: Option<String>,
}

/// Why the program does not do what it is asked for, in its own answer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refusal {
    NotFound,
    Denied,
    Conflict,
    RateLimited,
    Unsupported,
    Failed,
}

/// What the program answers: what it was asked for, or why not.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) issue: Option<Issue>,
    pub(super) issues: Option<Vec<Issue>>,
    error: Option<Refused>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    kind: Refusal,
    #[serde(default)]
    message: String,
    /// In seconds, for `rate_limited`.
    #[serde(default)]
    retry_after: Option<u64>,
}

impl Tracker for CommandTracker {
    fn issue(&self, id: &str) -> Result<Issue, ForgeError> {
        let answer = self.ask("issue", json!({ "id": id }))?;
        let issue = answer.issue.ok_or_else(|| self.program.unreadable("it holds no `issue`"))?;
        self.checked(issue)
    }

    fn issues(&self, query: &IssueQuery) -> Result<Vec<Issue>, ForgeError> {
        let answer = self.ask("issues", json!({ "query": query }))?;
        let issues =
            answer.issues.ok_or_else(|| self.program.unreadable("it holds no `issues`"))?;
        let limit = query.limit.unwrap_or(usize::MAX);
        issues.into_iter().take(limit).map(|issue| self.checked(issue)).collect()
    }

    fn comment(&self, id: &str, body: &str) -> Result<(), ForgeError> {
        self.ask("comment", json!({ "id": id, "body": body })).map(drop)
    }
}

impl CommandTracker {
    /// Returns the tracker that `command` is for the repository at `repository`; it has `deadline`
    /// for each answer.
    pub fn new(
        command: &[String],
        deadline: Duration,
        repository: &Path,
        origin: Option<String>,
    ) -> Self {
        let program = Program {
            role: "tracker ",
            command: command.to_vec(),
            repository: repository.to_owned(),
            deadline,
            dies_along: true,
        };
        Self { program, origin }
    }

    fn ask(&self, op: &str, mut question: Value) -> Result<Answer, ForgeError> {
        if let Some(origin) = &self.origin {
            question["origin"] = json!(origin);
        }
        self.read(&self.program.ask(op, question)?)
    }

    pub(super) fn read(&self, bytes: &[u8]) -> Result<Answer, ForgeError> {
        // A comment needs no answer.
        if bytes.trim_ascii().is_empty() {
            return Ok(Answer::default());
        }
        let answer: Answer = serde_json::from_slice(bytes)
            .map_err(|error| self.program.unreadable(&error.to_string()))?;
        match answer.error {
            Some(refused) => Err(self.refusal(refused)),
            None => Ok(answer),
        }
    }

    fn refusal(&self, refused: Refused) -> ForgeError {
        let (forge, why) = (self.program.name(), shortened(&refused.message));
        match refused.kind {
            Refusal::NotFound => ForgeError::NotFound { forge, what: why },
            Refusal::Denied => ForgeError::Denied { forge, why },
            Refusal::Conflict => ForgeError::Conflict { forge, why },
            Refusal::Unsupported => ForgeError::Unsupported { forge, what: why },
            Refusal::Failed => ForgeError::Failed { forge, why },
            Refusal::RateLimited => {
                let wait = Duration::from_secs(refused.retry_after.unwrap_or(60).min(86_400));
                ForgeError::RateLimited { forge, wait }
            }
        }
    }

    /// An id goes into the environment of agents and into names, so not everything can be one.
    pub(super) fn checked(&self, issue: Issue) -> Result<Issue, ForgeError> {
        if is_issue_id(&issue.id) {
            return Ok(issue);
        }
        let id = shortened(&issue.id);
        Err(self.program.unreadable(&format!("`{id}` is not the id of an issue")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracker(script: &str) -> CommandTracker {
        within(Duration::from_secs(20), &["sh", "-c", script, "sh", "--token=s3cret-token"])
    }

    fn within(deadline: Duration, command: &[&str]) -> CommandTracker {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let origin = Some("https://forge.example/me/app.git".to_owned());
        CommandTracker::new(&command, deadline, &std::env::temp_dir(), origin)
    }

    fn said(script: &str) -> String {
        tracker(script).issue("7").unwrap_err().to_string()
    }

    #[test]
    fn a_question_holds_all_that_is_needed_to_answer_it() {
        let directory = tempfile::tempdir().unwrap();
        let seen = directory.path().join("seen");
        let tracker = tracker(&format!("cat >>'{}'; echo '{{\"issues\":[]}}'", seen.display()));
        let query = IssueQuery { labels: vec!["bug".to_owned()], ..IssueQuery::default() };
        assert_eq!(tracker.issues(&query).unwrap(), []);
        tracker.comment("7", "done").unwrap();
        let text = crate::adapter::fs::read_text(&seen).unwrap();
        let root = tracker.program.repository.to_string_lossy().into_owned();
        insta::assert_snapshot!(text.replace(&root, "[REPOSITORY]").replace("}{", "}\n{"), @r#"
        {"op":"issues","origin":"https://forge.example/me/app.git","query":{"labels":["bug"]},"repository":"[REPOSITORY]","schema":1}
        {"body":"done","id":"7","op":"comment","origin":"https://forge.example/me/app.git","repository":"[REPOSITORY]","schema":1}
        "#);
    }

    #[test]
    fn an_issue_comes_whole() {
        let answer = r#"{"issue":{"id":"ABC-7","title":"t","body":"b\u001b[31m","state":"open",
            "author":"eve","labels":["bug"],"comments":[{"author":"a","body":"c"}],"more":1}}"#;
        let issue = tracker(&format!("cat >/dev/null; echo '{answer}'")).issue("7").unwrap();
        assert_eq!((issue.id.as_str(), issue.comments.len()), ("ABC-7", 1));
        assert_eq!(issue.body, "b\u{1b}[31m", "outside text is kept as it came");
    }

    #[test]
    fn what_makes_no_sense_is_an_error_and_names_no_argument() {
        let refused = |kind: &str| {
            said(&format!("echo '{{\"error\":{{\"kind\":\"{kind}\",\"message\":\"issue 7\"}}}}'"))
        };
        let table = [
            said("echo nonsense"),
            said("echo '{}'"),
            said("true"),
            said("echo '[]'"),
            said("echo '{\"issue\":{\"id\":\"../x\"}}'"),
            said("echo '{\"issue\":{\"id\":7}}'"),
            said("head -c 17000000 /dev/zero"),
            said("echo \"no access with $1, I mean s3cret-token\" >&2; exit 3"),
            said("kill -9 $$"),
            refused("not_found"),
            refused("denied"),
            refused("conflict"),
            refused("rate_limited"),
            refused("whatever"),
        ];
        insta::assert_snapshot!(table.join("\n"), @r#"
        could not read the answer of tracker `sh`: expected ident at line 1 column 2
        could not read the answer of tracker `sh`: it holds no `issue`
        could not read the answer of tracker `sh`: it holds no `issue`
        could not read the answer of tracker `sh`: it holds no `issue`
        could not read the answer of tracker `sh`: `../x` is not the id of an issue
        could not read the answer of tracker `sh`: invalid type: integer `7`, expected a string at line 1 column 16
        could not read the answer of tracker `sh`: it is longer than 16777216 bytes
        tracker `sh` failed: exit code 3: no access with [redacted], I mean [redacted]
        tracker `sh` failed: exit code 137
        tracker `sh` has no issue 7
        tracker `sh` does not permit it: issue 7
        tracker `sh` refuses: issue 7
        the rate limit of tracker `sh` is used up; it takes requests again in 1m
        could not read the answer of tracker `sh`: unknown variant `whatever`, expected one of `not_found`, `denied`, `conflict`, `rate_limited`, `unsupported`, `failed` at line 1 column 27
        "#);
        let slow = within(Duration::from_millis(100), &["sh", "-c", "sleep 60"]);
        assert_eq!(slow.issue("7").unwrap_err().to_string(), "`sh` did not end within 100ms");
        let missing = within(Duration::from_secs(20), &["no-such-program-here", "s3cret"]);
        let missing = missing.issue("7").unwrap_err().to_string();
        assert_eq!(missing, "`no-such-program-here` is not installed or not in PATH");
    }
}
