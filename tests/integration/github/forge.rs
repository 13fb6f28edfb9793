//! A GitHub for one test: it plays the answers of `fixtures/github` about pull requests that the
//! test makes up, and counts what it is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use ao::adapter::ids;
use ao::model::record::Record;
use ao::model::time::Timestamp;
use ao::store::Home;
use serde_json::{Value, json};
use sha2::Digest;

use crate::env::TestEnvironment;
use crate::server::{Reply, Request, Server, reply};

/// The time at which every story begins; pull requests of the fixtures are a moment older.
pub(super) const START: &str = "2026-11-20T10:05:00Z";

/// The token of every story.
pub(super) const TOKEN: &str = "ghp_ThisIsNoToken0123456789";

/// Reads a fixture.
pub(super) fn fixture(name: &str) -> Value {
    serde_json::from_str(&fixture_text(name)).unwrap()
}

pub(super) fn fixture_text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/github").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// What a test puts in front of the usual answers.
type Answer = Box<dyn Fn(&Request) -> Option<Reply> + Send>;

/// What the forge has.
#[derive(Default)]
pub(super) struct State {
    /// Pull requests as GraphQL has them, with `headRepository`, by `owner/name` and number.
    pub(super) pulls: BTreeMap<(String, u64), Value>,
    /// Workflow runs by `owner/name`, newest first.
    pub(super) runs: BTreeMap<String, Vec<Value>>,
    /// Logs of jobs.
    pub(super) logs: BTreeMap<u64, String>,
    /// Pages after the first, by cursor: what `More` and `Thread` answer.
    pub(super) pages: BTreeMap<String, Value>,
    /// Old names of repositories.
    pub(super) renamed: BTreeMap<String, String>,
    /// Errors beside the data of `Whole`.
    pub(super) errors: Vec<Value>,
    /// Whose token it is.
    pub(super) login: String,
    /// What is below the address: `/api/v3` at an Enterprise.
    pub(super) root: String,
    /// Answers before all others.
    pub(super) first: Option<Answer>,
}

/// A forge that answers until it is dropped.
pub(super) struct Forge {
    state: Arc<Mutex<State>>,
    server: Server,
}

impl Forge {
    /// Starts a forge, and has `env` ask it.
    pub(super) fn start(env: &TestEnvironment) -> Self {
        let state = Arc::new(Mutex::new(State { login: "me".to_owned(), ..State::default() }));
        let played = Arc::clone(&state);
        let server = Server::start(move |request, _| played.lock().unwrap().answer(request));
        env.set("GITHUB_API_URL", server.url(""));
        env.set("GH_TOKEN", TOKEN);
        env.at(START);
        Self { state, server }
    }

    /// Returns what it has, to be looked at and changed.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns its address.
    pub(super) fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Has it answer every request by `answer` first.
    pub(super) fn first(&self, answer: impl Fn(&Request) -> Option<Reply> + Send + 'static) {
        self.state().first = Some(Box::new(answer));
    }

    /// Has it answer as usual again.
    pub(super) fn recover(&self) {
        self.state().first = None;
    }

    /// Opens a pull request for a session's branch, as `change` makes it.
    pub(super) fn open(
        &self,
        repository: &str,
        number: u64,
        id: &str,
        change: impl Fn(&mut Value),
    ) {
        let mut pull = fixture("pull-request.json");
        let head = format!("{number:040x}");
        pull["id"] = json!(format!("PR_{repository}_{number}"));
        pull["number"] = json!(number);
        pull["url"] = json!(format!("https://github.com/{repository}/pull/{number}"));
        pull["headRefName"] = json!(format!("ao/{id}"));
        pull["headRefOid"] = json!(head);
        pull["commits"]["nodes"][0]["commit"]["oid"] = json!(head);
        pull["headRepository"] = json!({ "nameWithOwner": repository });
        checks(&mut pull).push(fixture("check-run-node.json"));
        change(&mut pull);
        self.state().pulls.insert((repository.to_owned(), number), pull);
    }

    /// Changes a pull request; where `touched`, its time of change moves along.
    pub(super) fn change(
        &self,
        repository: &str,
        number: u64,
        touched: Option<&str>,
        change: impl Fn(&mut Value),
    ) {
        let mut state = self.state();
        let pull = state.pulls.get_mut(&(repository.to_owned(), number)).unwrap();
        change(pull);
        if let Some(at) = touched {
            pull["updatedAt"] = json!(at);
        }
    }

    /// Returns what it was asked so far, each as method and path, a query as its operation.
    pub(super) fn asked(&self) -> Vec<String> {
        self.server.requests().iter().map(shown).collect()
    }

    /// Returns what it was asked since it had been asked `before` times.
    pub(super) fn asked_since(&self, before: usize) -> Vec<String> {
        self.asked().split_off(before)
    }

    /// Returns every request as it came.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

/// Returns a pull request's checks.
pub(super) fn checks(pull: &mut Value) -> &mut Vec<Value> {
    let commit = &mut pull["commits"]["nodes"][0]["commit"];
    commit["statusCheckRollup"]["contexts"]["nodes"].as_array_mut().unwrap()
}

/// Returns a request as method and path, or as the operation of its query.
fn shown(request: &Request) -> String {
    let path = request.path.split('?').next().unwrap();
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) if path.ends_with("/graphql") => {
            body["operationName"].as_str().unwrap().to_owned()
        }
        Ok(_) | Err(_) => format!("{} {path}", request.method),
    }
}

impl State {
    fn answer(&self, request: &Request) -> Reply {
        if let Some(reply) = self.first.as_ref().and_then(|first| first(request)) {
            return reply;
        }
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return reply(401, &[], fixture_text("bad-credentials.json"));
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let graphql = format!("{}/graphql", self.root.trim_end_matches("/v3"));
        if path == graphql {
            return self.graphql(&serde_json::from_slice(&request.body).unwrap());
        }
        let Some(path) = path.strip_prefix(&self.root) else { return not_found() };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            ["repos", owner, name, rest @ ..] => {
                let repository = format!("{owner}/{name}");
                if let Some(to) = self.renamed.get(&repository) {
                    let host = request.header("host").unwrap();
                    let to =
                        format!("http://{host}{}/named/{to}/{}?{query}", self.root, rest.join("/"));
                    return reply(301, &[("location", &to)], fixture_text("moved.json"));
                }
                self.rest(&repository, rest, query, request)
            }
            ["named", owner, name, rest @ ..] => {
                self.rest(&format!("{owner}/{name}"), rest, query, request)
            }
            _ => not_found(),
        }
    }

    fn rest(&self, repository: &str, rest: &[&str], query: &str, request: &Request) -> Reply {
        match rest {
            ["pulls"] => self.list(repository, query, request),
            ["pulls", number] => {
                let number = number.parse().unwrap();
                match self.pulls.get(&(repository.to_owned(), number)) {
                    Some(pull) => reply(200, &[], list_item(repository, pull).to_string()),
                    None => not_found(),
                }
            }
            ["actions", "runs"] => {
                let runs = self.runs.get(repository).cloned().unwrap_or_default();
                let body = json!({ "total_count": runs.len(), "workflow_runs": runs });
                conditional(&body, &[], request)
            }
            ["actions", "jobs", id, "logs"] if self.logs.contains_key(&id.parse().unwrap()) => {
                let host = request.header("host").unwrap();
                reply(302, &[("location", &format!("http://{host}/elsewhere/{id}"))], "")
            }
            ["check-runs", "4002"] => reply(200, &[], fixture_text("check-run.json")),
            _ => not_found(),
        }
    }

    fn list(&self, repository: &str, query: &str, request: &Request) -> Reply {
        let number = |name: &str| -> Option<usize> {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(name));
            found.and_then(|value| value.parse().ok())
        };
        let (size, page) = (number("per_page=").unwrap(), number("page=").unwrap_or(1));
        let of_it = self.pulls.iter().filter(|((of, _), _)| of == repository);
        let mut items: Vec<Value> = of_it.map(|(_, pull)| list_item(repository, pull)).collect();
        items
            .sort_by_key(|item| std::cmp::Reverse(item["updated_at"].as_str().unwrap().to_owned()));
        let more = items.len() > page * size;
        let items: Vec<Value> = items.into_iter().skip((page - 1) * size).take(size).collect();
        let host = request.header("host").unwrap();
        let path = request.path.split('?').next().unwrap();
        let next = format!("<http://{host}{path}?per_page={size}&page={}>; rel=\"next\"", page + 1);
        let links = if more { vec![("link", next.as_str())] } else { Vec::new() };
        conditional(&json!(items), &links, request)
    }

    fn graphql(&self, body: &Value) -> Reply {
        let variables = &body["variables"];
        let data = match body["operationName"].as_str().unwrap() {
            "Viewer" => json!({ "viewer": { "login": self.login } }),
            "Whole" | "Pulse" => {
                let ids = variables["ids"].as_array().unwrap();
                json!({ "nodes": ids.iter().map(|id| self.node(id)).collect::<Vec<_>>() })
            }
            "More" => {
                let cursors = ["opinions", "reviews", "threads", "checks"];
                let mut node = json!({ "__typename": "PullRequest" });
                node["headRefOid"] = self.node(&variables["id"])["headRefOid"].clone();
                for cursor in cursors.iter().filter_map(|name| variables[*name].as_str()) {
                    for (name, page) in self.pages[cursor].as_object().unwrap() {
                        node[name] = page.clone();
                    }
                }
                json!({ "node": node })
            }
            "Thread" => {
                let page = &self.pages[variables["after"].as_str().unwrap()];
                json!({ "node": { "__typename": "PullRequestReviewThread", "comments": page } })
            }
            other => panic!("no such operation: {other}"),
        };
        let mut answer = json!({ "data": data });
        if !self.errors.is_empty() && body["operationName"] == "Whole" {
            answer["errors"] = json!(self.errors);
        }
        reply(200, &[("content-type", "application/json")], answer.to_string())
    }

    fn node(&self, id: &Value) -> Value {
        let mut node = self.pulls.values().find(|it| it["id"] == *id).cloned().unwrap_or_default();
        let contexts = &node["commits"]["nodes"][0]["commit"]["statusCheckRollup"]["contexts"];
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for check in contexts["nodes"].as_array().into_iter().flatten() {
            let words =
                [&check["status"], &check["conclusion"], &check["state"]].map(Value::to_string);
            *counts.entry(words.join(" ")).or_default() += 1;
        }
        if node.is_object() {
            node["pulse"] = json!(counts);
        }
        node
    }
}

fn not_found() -> Reply {
    reply(404, &[], fixture_text("not-found.json"))
}

/// Answers with an entity tag, or 304 where the client has it already.
fn conditional(body: &Value, headers: &[(&str, &str)], request: &Request) -> Reply {
    let body = body.to_string();
    let hash = sha2::Sha256::digest(body.as_bytes());
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{digits}\"");
    if request.header("if-none-match") == Some(&tag) {
        return reply(304, &[("etag", &tag)], "");
    }
    let headers: Vec<_> = headers.iter().copied().chain([("etag", tag.as_str())]).collect();
    reply(200, &headers, body)
}

/// Returns a pull request as lists have it.
fn list_item(repository: &str, pull: &Value) -> Value {
    let mut item = fixture("list-item.json");
    item["node_id"] = pull["id"].clone();
    item["number"] = pull["number"].clone();
    item["state"] = json!(if pull["state"] == "OPEN" { "open" } else { "closed" });
    item["user"]["login"] = pull["author"]["login"].clone();
    item["created_at"] = pull["createdAt"].clone();
    item["updated_at"] = pull["updatedAt"].clone();
    item["head"]["ref"] = pull["headRefName"].clone();
    item["head"]["sha"] = pull["headRefOid"].clone();
    item["head"]["repo"]["full_name"] = pull["headRepository"]["nameWithOwner"].clone();
    item["base"]["repo"]["full_name"] = json!(repository);
    item
}

/// Makes a repository whose remote is `owner/name` at github.com.
pub(super) fn repository(env: &TestEnvironment, full_name: &str) -> std::path::PathBuf {
    let (_, name) = full_name.split_once('/').unwrap();
    let path = env.repo(name);
    let url = format!("https://github.com/{full_name}.git");
    env.git(&path, &["remote", "add", "origin", &url]);
    path
}

/// Writes sessions at work on branches of their own; none of them runs.
pub(super) fn sessions<I: AsRef<str>>(env: &TestEnvironment, repository: &Path, ids: &[I]) {
    let home = Home::open(&env.home()).unwrap().with_sync(false);
    let now: Timestamp = "2026-11-20T09:50:00Z".parse().unwrap();
    for id in ids.iter().map(AsRef::as_ref) {
        let branch = format!("ao/{id}");
        let workspace = env.path("tmp").join(id);
        let record = json!({
            "id": id, "project": "app", "agent": "shell", "mode": "interactive",
            "created_at": now,
            "lifecycle": {
                "session": {"state": "working", "reason": "task_in_progress"},
                "pr": {"state": "none", "reason": "not_created"},
                "runtime": {"state": "alive", "reason": "process_running"},
            },
            "handles": {
                "launch": ids::launch(),
                "workspace": {
                    "path": workspace, "repo": repository, "branch": branch, "base_ref": "main",
                },
            },
        });
        let record: Record = serde_json::from_value(record).unwrap();
        home.create_session(&record, "test", now).unwrap();
    }
}

/// Makes one pass and returns what it did.
pub(super) fn reap(env: &TestEnvironment) -> Value {
    env.ao_json(&["reap", "--json"])["reap"].take()
}

/// Returns why looks failed in a pass.
pub(super) fn failures(report: &Value) -> Vec<String> {
    let failed = report["failed"].as_array().unwrap().iter();
    let looks = failed.filter(|item| item["what"] == "look at its pull request");
    looks.map(|item| item["why"].as_str().unwrap().to_owned()).collect()
}

/// Returns state and reason of a session's pull request, as `open/merge_ready`.
pub(super) fn pr(env: &TestEnvironment, id: &str) -> String {
    let axis = &env.record(id)["lifecycle"]["pr"];
    format!("{}/{}", axis["state"].as_str().unwrap(), axis["reason"].as_str().unwrap())
}
