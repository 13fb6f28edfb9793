//! A program of the user's as a forge: JSON in, JSON out (`docs/scm.md`).
//!
//! Whatever it does not answer, or answers in a way that cannot be read, is not known.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::adapter::scm::program::Program;
use crate::adapter::scm::{ForgeError, Scm, all_unknown, unknown};
use crate::model::facts::ScmFact;
use crate::model::forge::{
    MergeMethod, MergeRequest, Merged, NewPullRequest, Observed, PullRequest, Subject,
};
use crate::model::sanitize;

/// The program, and the repository it is asked about.
#[derive(Clone, Debug)]
pub struct Command(Program);

/// What a merge came to, as the program says it.
#[derive(Deserialize)]
struct MergedAnswer {
    sha: String,
    #[serde(default)]
    method: Option<MergeMethod>,
    #[serde(default)]
    undo: Option<String>,
}

impl Command {
    /// Returns the forge that `command` is for `repository`; it has `timeout` for each answer.
    pub fn new(command: &[String], timeout: Duration, repository: &Path) -> Self {
        Self(Program {
            role: "",
            command: command.to_vec(),
            repository: repository.to_owned(),
            deadline: timeout,
            // Ended in its middle, a merge would be neither here nor there.
            dies_along: false,
        })
    }

    /// Asks for `op` and returns the answer, an object.
    fn ask(&self, op: &str, what: &str, question: Value) -> Result<Value, ForgeError> {
        let output = self.0.ask(op, question)?;
        let answer: Value = serde_json::from_slice(&output)
            .map_err(|error| self.0.unreadable(&error.to_string()))?;
        if answer.get("unsupported").and_then(Value::as_bool) == Some(true) {
            let (forge, what) = (self.0.name(), what.to_owned());
            return Err(ForgeError::Unsupported { forge, what });
        }
        if let Some(why) = answer.get("error").and_then(Value::as_str) {
            let (forge, why) = (self.0.name(), sanitize::line(why));
            return Err(ForgeError::Failed { forge, why });
        }
        Ok(answer)
    }

    /// Asks for `op` and reads `key` of the answer.
    fn read<T: for<'de> Deserialize<'de>>(
        &self,
        op: &str,
        what: &str,
        question: Value,
        key: &str,
    ) -> Result<T, ForgeError> {
        let mut answer = self.ask(op, what, question)?;
        let value = answer.get_mut(key).map(Value::take);
        let value = value.ok_or_else(|| self.0.unreadable(&format!("it has no `{key}`")))?;
        serde_json::from_value(value)
            .map_err(|error| self.0.unreadable(&format!("`{key}`: {}", sanitize::chain(&error))))
    }
}

impl Scm for Command {
    fn observe(&self, subjects: &[Subject]) -> Vec<Observed> {
        let question = json!({ "subjects": subjects });
        let facts: Result<BTreeMap<String, Value>, ForgeError> =
            self.read("observe", "look at pull requests", question, "facts");
        let facts = match facts {
            Ok(facts) => facts,
            Err(error) => return all_unknown(subjects, &sanitize::chain(&error)),
        };
        subjects
            .iter()
            .map(|subject| {
                let fact = facts
                    .get(subject.id.as_str())
                    .ok_or_else(|| "it says nothing of this session".to_owned())
                    .and_then(|fact| fact_of(fact.clone()));
                match fact {
                    Ok(fact) => Observed { id: subject.id.clone(), fact, why: None, denied: false },
                    Err(why) => {
                        let why = self.0.unreadable(&why).to_string();
                        unknown(subject, why)
                    }
                }
            })
            .collect()
    }

    fn create(
        &self,
        subject: &Subject,
        wanted: &NewPullRequest,
    ) -> Result<PullRequest, ForgeError> {
        let question = json!({
            "subject": subject, "title": wanted.title, "body": wanted.body, "base": wanted.base,
            "draft": wanted.draft,
        });
        self.read("create", "open a pull request", question, "pull_request")
    }

    fn pull_request(&self, number: u64) -> Result<PullRequest, ForgeError> {
        let question = json!({ "number": number });
        self.read("pull_request", "show a pull request", question, "pull_request")
    }

    fn pull_requests(&self) -> Result<Vec<PullRequest>, ForgeError> {
        self.read("pull_requests", "list pull requests", json!({}), "pull_requests")
    }

    fn merge(&self, subject: &Subject, wanted: &MergeRequest) -> Result<Merged, ForgeError> {
        let question =
            json!({ "subject": subject, "method": wanted.method, "head_sha": wanted.head_sha });
        let merged: MergedAnswer =
            self.read("merge", "merge a pull request", question, "merged")?;
        let method = merged.method.unwrap_or(wanted.method);
        Ok(Merged { sha: merged.sha, method, undo: merged.undo })
    }
}

/// Reads one fact; one that does not say whether it was fetched was.
pub(super) fn fact_of(mut value: Value) -> Result<ScmFact, String> {
    let Value::Object(fact) = &mut value else {
        return Err("a fact is an object".to_owned());
    };
    fact.entry("fetched").or_insert(Value::Bool(true));
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::CiState;
    use crate::model::lifecycle::PrState;

    fn subject(id: &str) -> Subject {
        Subject {
            id: id.parse().unwrap(),
            branch: format!("ao/{id}"),
            base_ref: None,
            base_sha: None,
            workspace: "/w".into(),
            number: None,
            head_sha: None,
            state: PrState::None,
            created_at: None,
        }
    }

    fn forge(script: &str) -> Command {
        let command = ["sh", "-c", script].map(str::to_owned);
        Command::new(&command, Duration::from_secs(20), &std::env::temp_dir())
    }

    fn seen(script: &str) -> Vec<(bool, Option<String>)> {
        let observed = forge(script).observe(&[subject("web-1"), subject("web-2")]);
        observed.into_iter().map(|it| (it.fact.fetched, it.why)).collect()
    }

    #[test]
    fn each_session_gets_its_own_fact() {
        let answer = r#"{"facts":{
            "web-1":{"pr":{"state":"open","number":7},"ci":"failing"},
            "web-2":{"fetched":false}}}"#;
        let observed = forge(&format!("cat >/dev/null; cat <<'E'\n{answer}\nE"))
            .observe(&[subject("web-1"), subject("web-2")]);
        assert_eq!(observed[0].fact.pr.number, Some(7));
        assert_eq!(observed[0].fact.ci, Some(CiState::Failing));
        assert!(observed[0].fact.fetched && !observed[1].fact.fetched);
        assert!(observed.iter().all(|it| it.why.is_none()));
    }

    #[test]
    fn the_program_is_told_what_it_is_asked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("asked");
        let asked = || -> Value {
            serde_json::from_slice(&crate::adapter::fs::read(&path).unwrap()).unwrap()
        };
        let forge = forge(&format!("cat >{}; echo '{{}}'", path.display()));
        forge.observe(&[subject("web-1")]);
        assert_eq!(asked()["op"], "observe");
        assert_eq!(asked()["schema"], 1);
        assert_eq!(asked()["repository"], json!(std::env::temp_dir()));
        assert_eq!(asked()["subjects"][0]["branch"], "ao/web-1");
        forge.pull_request(7).unwrap_err();
        assert_eq!((&asked()["op"], &asked()["number"]), (&json!("pull_request"), &json!(7)));
    }

    #[test]
    fn what_is_no_answer_is_not_known() {
        let first = |script: &str| {
            let all = seen(script);
            assert!(all.iter().all(|(fetched, _)| !fetched), "{all:?}");
            all[0].1.clone().unwrap()
        };
        assert_eq!(first("echo no >&2; exit 3"), "`sh` failed: exit code 3: no");
        assert_eq!(first("exit 3"), "`sh` failed: exit code 3");
        assert!(first("echo '{'").starts_with("could not read the answer of `sh`: EOF"));
        assert!(first("echo '[]'").contains("it has no `facts`"));
        assert!(first("echo '{\"facts\":7}'").contains("`facts`: "));
        assert!(first("yes").contains("longer than"), "{}", first("yes"));
        assert_eq!(first("echo '{\"error\":\"down\\u001b\"}'"), "`sh` failed: down");
        let one = r#"echo '{"facts":{"web-1":{"pr":{"state":"open"}},"web-2":{"ci":"maybe"}}}'"#;
        let all = seen(one);
        assert_eq!(all[0], (true, None));
        assert!(!all[1].0 && all[1].1.as_ref().unwrap().contains("maybe"), "{all:?}");
        assert!(seen(r#"echo '{"facts":{}}'"#)[1].1.as_ref().unwrap().contains("says nothing"));
    }

    #[test]
    fn what_fails_names_no_argument() {
        let forge = |script: &str, timeout| {
            let command = ["sh", "-c", script, "sh", "--token=s3cret-token"].map(str::to_owned);
            Command::new(&command, timeout, &std::env::temp_dir())
        };
        let said = |forge: Command| forge.pull_request(7).unwrap_err().to_string();
        let failing = forge("echo \"$1: not s3cret-token\" >&2; exit 3", Duration::from_secs(20));
        assert_eq!(said(failing), "`sh` failed: exit code 3: [redacted]: not [redacted]");
        let slow = forge("sleep 60", Duration::from_millis(100));
        assert_eq!(said(slow), "`sh` did not end within 100ms");
    }

    #[test]
    fn what_it_cannot_do_it_may_say() {
        let cannot = forge("echo '{\"unsupported\":true}'");
        let error = cannot.pull_requests().unwrap_err();
        assert!(matches!(&error, ForgeError::Unsupported { .. }), "{error}");
        assert_eq!(error.to_string(), "`sh` cannot list pull requests");
        let method = MergeMethod::Squash;
        let wanted = MergeRequest { method, head_sha: "a".to_owned() };
        let merged = forge("echo '{\"merged\":{\"sha\":\"b\"}}'").merge(&subject("web-1"), &wanted);
        assert_eq!(merged.unwrap(), Merged { sha: "b".to_owned(), method, undo: None });
    }
}
