//! GitHub's REST interface, played by a server on this machine: issues and pull requests as a
//! person handles them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::agents::{agent, spawn, wait_status};
use crate::env::TestEnvironment;
use crate::issue::IDLE;
use crate::schema::assert_answer;
use crate::server::{Reply, Request, Server, reply};

/// Answers by `<method> <path>`, the path without the repository; the first that fits.
type Answers = Arc<Mutex<Vec<(String, Reply)>>>;

/// A GitHub with the repository `octo/app`, and a clone of it.
struct GitHub {
    server: Server,
    answers: Answers,
    repo: PathBuf,
    bare: PathBuf,
}

fn fixture(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/github/rest");
    fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl GitHub {
    fn start(env: &TestEnvironment) -> Self {
        let answers: Answers = Arc::default();
        let known = Arc::clone(&answers);
        let server = Server::start(move |request, _| {
            let path = request.path.replacen("/repos/octo/app", "", 1);
            let asked = format!("{} {path}", request.method);
            let known = known.lock().unwrap();
            let found = known.iter().find(|(start, _)| asked.starts_with(start.as_str()));
            match found {
                Some((_, reply)) if is_known(request, reply) => self::reply(304, &[], ""),
                Some((_, reply)) => reply.clone(),
                None => reply(404, &[], fixture("not-found.json")),
            }
        });
        env.set("GITHUB_API_URL", server.url(""));
        env.set("AO_GITHUB_TOKEN", "t0ken-of-the-test");
        let (repo, bare) = (env.repo("app"), env.path("repos/origin.git"));
        let place = bare.to_str().unwrap();
        env.git(&env.path("repos"), &["init", "-q", "--bare", "-b", "main", place]);
        // In the place of ssh: what is asked of the host is done here.
        let there = format!("for it; do :; done\nexec ${{it%% *}} '{place}'\n");
        env.shims(&[("to-the-host", &there)]);
        env.git(&repo, &["config", "core.sshCommand", "to-the-host"]);
        env.git(&repo, &["config", "ssh.variant", "simple"]);
        env.git(&repo, &["remote", "add", "origin", "git@github.com:octo/app.git"]);
        env.git(&repo, &["push", "-q", "origin", "main"]);
        Self { server, answers, repo, bare }
    }

    fn on(&self, asked: &str, status: u16, headers: &[(&str, &str)], body: &str) {
        let answer = reply(status, headers, body);
        self.answers.lock().unwrap().insert(0, (asked.to_owned(), answer));
    }

    fn asked(&self) -> Vec<String> {
        let line = |request: &Request| {
            let path = request.path.replacen("/repos/octo/app", "", 1);
            format!("{} {path}", request.method)
        };
        self.server.requests().iter().map(line).collect()
    }

    fn body_of(&self, asked: &str) -> Value {
        let requests = self.server.requests();
        let found = requests.iter().rev().find(|it| {
            format!("{} {}", it.method, it.path.replacen("/repos/octo/app", "", 1)) == asked
        });
        serde_json::from_slice(&found.unwrap_or_else(|| panic!("no {asked}")).body).unwrap()
    }
}

fn is_known(request: &Request, reply: &Reply) -> bool {
    let etag = reply.headers.iter().find(|(name, _)| name == "etag").map(|(_, etag)| etag.as_str());
    etag.is_some() && request.header("if-none-match") == etag
}

#[test]
fn issues_are_read_to_the_last_page_and_pull_requests_are_none() {
    let env = TestEnvironment::new();
    let github = GitHub::start(&env);
    agent(&env, "waiter", IDLE);
    let next = github.server.url("/repositories/1/issues?page=2");
    let link = format!("<{next}>; rel=\"next\"");
    let first = [("link", link.as_str()), ("etag", "\"one\"")];
    github.on("GET /issues?", 200, &first, &fixture("issues-1.json"));
    github.on("GET /repositories/1/issues?page=2", 200, &[], &fixture("issues-2.json"));
    let ls = |more: &[&str]| {
        let args = ["issue", "ls", "--label", "bug", "--json"];
        let answer = env.ao_in(&github.repo, &[&args[..], more].concat()).success().json();
        assert_answer("IssuesAnswer", &answer);
        let ids = answer["issues"].as_array().unwrap().iter();
        ids.map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ls(&["--assignee", "bob"]), ["7", "9"]);
    let query = "GET /issues?state=open&sort=created&direction=asc&labels=bug&assignee=bob\
                 &per_page=100";
    assert_eq!(github.asked(), [query, "GET /repositories/1/issues?page=2"]);
    // What has not changed is not sent again; a limit reads no further than it has to.
    assert_eq!(ls(&["--assignee", "bob", "--limit", "1"]), ["7"]);
    assert_eq!(github.asked().len(), 3);
    let again = github.server.requests();
    assert_eq!(again[2].header("if-none-match"), Some("\"one\""));
    assert_eq!(again[2].header("authorization"), Some("Bearer t0ken-of-the-test"));

    let next = github.server.url("/repositories/1/issues/7/comments?page=2");
    let link = format!("<{next}>; rel=\"next\"");
    github.on("GET /issues/7", 200, &[], &fixture("issue.json"));
    github.on("GET /issues/8", 200, &[], &fixture("issue-pull-request.json"));
    github.on("GET /issues/7/comments", 200, &[("link", &link)], &fixture("comments-1.json"));
    github.on("GET /repositories/1/issues/7/comments", 200, &[], &fixture("comments-2.json"));
    let shown = env.ao_in(&github.repo, &["issue", "show", "7"]).success();
    insta::assert_snapshot!(shown.stdout, @r#"
    7: The login fails
    state: open
    author: alice
    labels: bug, ui
    assignees: bob
    address: https://github.com/octo/app/issues/7

        It fails since yesterday.

        ```
        log
        ```

    bob:
        Me too.

    ghost:
        And me.
    "#);
    let error = env.ao_in(&github.repo, &["issue", "show", "8"]).code(3);
    assert!(error.stderr.contains("pull request"), "{error}");
    env.ao_in(&github.repo, &["issue", "show", "404"]).code(3);
    env.ao_in(&github.repo, &["issue", "show", "seven"]).code(3);

    let id = spawn(&env, &github.repo, &["--agent", "waiter", "--issue", "7"]);
    assert_eq!(env.record(&id)["title"], "The login fails");
    let prompt = fs::read_to_string(env.session_directory(&id).unwrap().join("prompt.md")).unwrap();
    assert!(prompt.contains("It fails since yesterday.") && prompt.contains("ghost wrote:"));
}

#[test]
fn what_github_refuses_and_where_it_fails_is_told_by_kind() {
    let env = TestEnvironment::new();
    let github = GitHub::start(&env);
    let show = || env.ao_in(&github.repo, &["issue", "show", "7", "--json"]);
    let mut table = String::new();
    for (status, headers, body) in [
        (401, &[][..], r#"{"message":"Bad credentials"}"#),
        (403, &[], r#"{"message":"Resource not accessible by personal access token"}"#),
        (410, &[], r#"{"message":"This issue was deleted"}"#),
        (500, &[], "<html>"),
        (200, &[], "not json"),
        (200, &[], r#"{"title":"no number"}"#),
    ] {
        github.on("GET /issues/7", status, headers, body);
        let outcome = show();
        let error = outcome.json_error();
        assert_answer("ErrorAnswer", &error);
        let message = error["error"]["message"].as_str().unwrap();
        assert!(!message.contains("t0ken"), "{message}");
        let host = github.server.url("").replace("http://", "");
        let message = message.replace(&host, "[HOST]");
        table.push_str(&format!("{status} -> {} {message}\n", outcome.status));
        // Nobody is left alone for long because of an earlier row.
        let _ = fs::remove_dir_all(env.path("user/cache"));
    }
    insta::assert_snapshot!(table, @r#"
    401 -> 6 GitHub at [HOST] does not permit it: the token is refused; it may have expired (Bad credentials)
    403 -> 6 GitHub at [HOST] does not permit it: Resource not accessible by personal access token
    410 -> 3 GitHub at [HOST] has no issue #7 that this token may see (This issue was deleted)
    500 -> 7 GitHub at [HOST] failed: 500: status 500
    200 -> 7 could not read the answer of GitHub at [HOST]: expected ident at line 1 column 2
    200 -> 7 could not read the answer of GitHub at [HOST]: an issue has no number
    "#);
}

/// Spawns a session that has committed something.
fn worker(env: &TestEnvironment, github: &GitHub) -> String {
    agent(
        env,
        "worker",
        "write work.txt done\ncommit Mend it\nhook user-prompt-submit\nhook stop\nread\n",
    );
    let id = spawn(env, &github.repo, &["--agent", "worker", "x"]);
    wait_status(env, &id, "idle");
    id
}

#[test]
fn a_pull_request_is_opened_once_for_a_branch_that_is_pushed() {
    let env = TestEnvironment::new();
    let github = GitHub::start(&env);
    let id = worker(&env, &github);
    let create = |more: &[&str]| env.ao(&[&["pr", "create", id.as_str(), "--json"], more].concat());
    let away = github.bare.with_extension("away");
    std::fs::rename(&github.bare, &away).unwrap();
    let error = create(&[]).code(7).json_error();
    assert!(error["error"]["message"].as_str().unwrap().contains("git ls-remote"), "{error:#}");
    std::fs::rename(&away, &github.bare).unwrap();
    // Nobody pushes unasked.
    let error = create(&[]).code(4).json_error();
    assert!(error["error"]["hint"].as_str().unwrap().contains("--push"), "{error:#}");
    assert_eq!(env.git(&github.bare, &["branch", "--list", "ao/*"]), "");

    // A stranger's branch of the same name is not this one.
    github.on("GET /pulls?state=open", 200, &[], &fixture("pulls-of-a-stranger.json"));
    github.on("POST /pulls", 422, &[], &fixture("create-422.json"));
    let error = create(&["--push"]).code(4).json_error();
    assert!(error["error"]["message"].as_str().unwrap().contains("No commits"), "{error:#}");
    let (here, there) = (
        env.git(&github.repo, &["rev-parse", "ao/app-1"]),
        env.git(&github.bare, &["rev-parse", "ao/app-1"]),
    );
    assert_eq!(here, there, "it was pushed");

    github.on("POST /pulls", 201, &[], &fixture("pull.json"));
    let made = create(&["--draft"]).success().json();
    assert_answer("PrAnswer", &made);
    assert_eq!(made["pr"]["number"], 12);
    let asked = github.body_of("POST /pulls");
    assert_eq!(
        asked,
        json!({ "title": "Mend it", "body": "", "head": "ao/app-1", "base": "main", "draft": true })
    );
    let pr = env.record(&id)["lifecycle"]["pr"].clone();
    assert_eq!((&pr["number"], &pr["state"]), (&json!(12), &json!("open")));

    // The open one is returned, also where another made it a moment before.
    github.on("GET /pulls?state=open", 200, &[], &fixture("pulls.json"));
    let count = |what: &str| github.asked().iter().filter(|it| it.starts_with(what)).count();
    let before = count("POST");
    assert_eq!(create(&[]).success().json()["pr"]["number"], 12);
    assert_eq!(count("POST"), before);

    insta::assert_snapshot!(env.ao(&["pr", "ls"]).success().stdout, @r#"
    PR   STATE  SESSION  BRANCH    TITLE
    #12  open   app-1    ao/app-1
    "#);
    let listed = env.ao_json(&["pr", "ls", "--json"]);
    assert_answer("PrsAnswer", &listed);
    let remote = env.ao_in(&github.repo, &["pr", "ls", "--remote"]).success();
    insta::assert_snapshot!(remote.stdout, @r#"
    PR   STATE  SESSION  BRANCH    TITLE
    #11  open   -        ao/app-1  A stranger's
    #12  open   app-1    ao/app-1  Fix the login
    #14  draft  -        other     A draft
    "#);
    github.on("GET /pulls/12", 200, &[], &fixture("pull.json"));
    insta::assert_snapshot!(env.ao(&["pr", "show", &id, "--remote"]).success().stdout, @r#"
    app-1: #12 open (in_progress)
    https://github.com/octo/app/pull/12
    "#);
    env.ao(&["pr", "create", "nobody"]).code(3);
}

#[test]
fn a_merge_tells_each_refusal() {
    use ao::adapter::scm::github::{Client, GitHub as Adapter, Setup, Slug};
    use ao::adapter::scm::{ForgeError, Scm};
    use ao::model::forge::{MergeMethod, MergeRequest, Subject};
    use ao::model::lifecycle::PrState;

    let env = TestEnvironment::new();
    let github = GitHub::start(&env);
    let client = Client::new(Setup {
        api_url: Some(github.server.url("")),
        token: Some(("AO_GITHUB_TOKEN".to_owned(), "t0ken".to_owned())),
        cache: None,
        timeout: std::time::Duration::from_secs(20),
    });
    let slug = Slug::of_remote("https://github.com/octo/app").unwrap();
    let adapter = Adapter::new(std::rc::Rc::new(client.unwrap()), slug);
    let mut subject = Subject {
        id: "app-1".parse().unwrap(),
        branch: "ao/app-1".to_owned(),
        base_ref: None,
        base_sha: None,
        workspace: github.repo.clone(),
        number: Some(12),
        head_sha: None,
        state: PrState::Open,
        created_at: None,
    };
    let wanted = MergeRequest { method: MergeMethod::Squash, head_sha: "6dcb09b5".to_owned() };
    let path = "PUT /pulls/12/merge";
    let mut table = String::new();
    for (status, body) in [
        (405, fixture("merge-405.json")),
        (409, fixture("merge-409.json")),
        (403, r#"{"message":"Resource not accessible"}"#.to_owned()),
        (404, fixture("not-found.json")),
        (422, r#"{"message":"Validation Failed"}"#.to_owned()),
        (500, "oops".to_owned()),
        (200, "{}".to_owned()),
    ] {
        github.on(path, status, &[], &body);
        let error = adapter.merge(&subject, &wanted).unwrap_err();
        let kind = match &error {
            ForgeError::Conflict { .. } => "conflict",
            ForgeError::Denied { .. } => "denied",
            ForgeError::NotFound { .. } => "not_found",
            ForgeError::Failed { .. } => "failed",
            ForgeError::Unreadable { .. } => "unreadable",
            ForgeError::Unsupported { .. }
            | ForgeError::RateLimited { .. }
            | ForgeError::Http(_)
            | ForgeError::Cmd(_)
            | ForgeError::Git(_)
            | ForgeError::Fs(_) => panic!("{error:?}"),
        };
        let host = github.server.url("").replace("http://", "");
        let error = error.to_string().replace(&host, "[HOST]");
        table.push_str(&format!("{status} -> {kind}: {error}\n"));
    }
    insta::assert_snapshot!(table, @r#"
    405 -> conflict: GitHub at [HOST] refuses: Pull Request is not mergeable
    409 -> conflict: GitHub at [HOST] refuses: Head branch was modified. Review and try the merge again.
    403 -> denied: GitHub at [HOST] does not permit it: Resource not accessible
    404 -> not_found: GitHub at [HOST] has no pull request #12 that this token may see (Not Found)
    422 -> conflict: GitHub at [HOST] refuses: Validation Failed
    500 -> failed: GitHub at [HOST] failed: 500: status 500
    200 -> unreadable: could not read the answer of GitHub at [HOST]: it does not say that it was merged
    "#);
    github.on(path, 200, &[], &fixture("merged.json"));
    let merged = adapter.merge(&subject, &wanted).unwrap();
    assert_eq!(merged.sha, "6dcb09b5b57875f334f61aebed695e2e4193db5e");
    assert_eq!(github.body_of(path), json!({ "merge_method": "squash", "sha": "6dcb09b5" }));
    // A number that is not known yet is looked for by the branch.
    subject.number = None;
    github.on("GET /pulls?state=open", 200, &[], &fixture("pulls.json"));
    adapter.merge(&subject, &wanted).unwrap();
    github.on("GET /pulls?state=open", 200, &[], &fixture("pulls-of-a-stranger.json"));
    assert!(matches!(adapter.merge(&subject, &wanted), Err(ForgeError::NotFound { .. })));
}

#[test]
fn a_page_that_is_said_to_be_at_another_host_gets_no_token() {
    let env = TestEnvironment::new();
    let github = GitHub::start(&env);
    agent(&env, "waiter", IDLE);
    let other = Server::start(|_, _| reply(200, &[], "[]"));
    let link = format!("<{}>; rel=\"next\"", other.url("/repositories/1/issues?page=2"));
    github.on("GET /issues?", 200, &[("link", &link)], &fixture("issues-1.json"));
    let told = env.ao_in(&github.repo, &["issue", "ls"]).code(7).stderr;
    assert!(told.contains("another host"), "{told}");
    let asked: Vec<Option<String>> = other
        .requests()
        .iter()
        .map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(asked, [None::<String>; 0]);
}

#[test]
fn a_list_whose_pages_never_end_is_given_up() {
    let env = TestEnvironment::new();
    let github = GitHub::start(&env);
    agent(&env, "waiter", IDLE);
    let link = format!("<{}>; rel=\"next\"", github.server.url("/repositories/1/issues?page=2"));
    let pull = fixture("issue-pull-request.json");
    let page = format!("[{pull}]");
    github.on("GET /issues?", 200, &[("link", &link)], &page);
    github.on("GET /repositories/1/issues?page=2", 200, &[("link", &link)], &page);
    let told = env.ao_in(&github.repo, &["issue", "ls"]).code(7).stderr;
    assert!(told.contains("pages"), "{told}");
}
