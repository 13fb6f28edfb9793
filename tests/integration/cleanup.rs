//! `ao cleanup`: removes what can be had again, keeps or saves everything else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::agents::{spawn, status, wait_status};
use crate::env::TestEnvironment;
use crate::schema::assert_answer;

fn ended(env: &TestEnvironment, repo: &Path, script: &str) -> (String, PathBuf) {
    let id = spawn(env, repo, &["--agent", "shell", "--runtime", "process", "--", script]);
    wait_status(env, &id, "done");
    let path = env.record(&id)["handles"]["workspace"]["path"].as_str().unwrap().into();
    (id, path)
}

#[test]
fn work_that_is_nowhere_else_is_kept_and_the_reason_told() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let (dirty, tree) = ended(&env, &repo, "echo x >new; echo y >>README.md");
    let (clean, _) = ended(&env, &repo, "true");
    let plan = env.ao_json(&["cleanup", "--dry-run", "--json"]);
    assert_answer("PlanAnswer", &plan);
    assert!(tree.exists());

    let error = env.ao(&["cleanup", &dirty, "--json"]).code(5).json_error();
    assert_answer("ErrorAnswer", &error);
    assert_eq!(error["error"]["kind"], "refused");
    assert!(error["error"]["message"].as_str().unwrap().contains("uncommitted"), "{error:#}");

    // Several are asked about; without a terminal that is a refusal that names the flag.
    let refused = env.ao(&["cleanup"]);
    assert!(refused.status != 0 && refused.stderr.contains("--yes"), "{refused}");
    let answer = env.ao_json(&["cleanup", "--all", "--yes", "--json"]);
    assert_answer("CleanupAnswer", &answer);
    let kept = &answer["cleanup"][0];
    assert_eq!(kept["id"], *dirty);
    let reasons = kept["kept"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap());
    assert_eq!(reasons.collect::<Vec<_>>().join("; "), "1 uncommitted file; 1 untracked file");
    assert_eq!(
        (&answer["cleanup"][1]["id"], &answer["cleanup"][1]["branch"]),
        (&clean.clone().into(), &"deleted".into())
    );
    assert_eq!(fs::read_to_string(tree.join("new")).unwrap(), "x\n");
    assert!(env.home().join("sessions").join(&dirty).is_dir());
    assert!(env.home().join("archive").join(&clean).is_dir());
    assert_eq!(status(&env, &clean), "done");
}

#[test]
fn force_saves_every_byte_and_says_how_to_get_it_back() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    fs::write(repo.join(".gitignore"), ".env\ntarget\n").unwrap();
    env.git(&repo, &["add", ".gitignore"]);
    env.git(&repo, &["commit", "-q", "-m", "ignore"]);
    let script = "printf 'a\\0\\377b' >binary; echo y >>README.md; mkdir d; echo z >d/deep; \
                  echo secret >.env; mkdir target; echo o >target/o; ln -s d/deep link; \
                  chmod +x binary; git add d; echo staged >>d/deep";
    let (id, tree) = ended(&env, &repo, script);
    let status_before = env.git(&repo, &["status", "--porcelain"]);
    let outcome = env.ao(&["cleanup", &id, "--force"]).success();
    assert!(!tree.exists());
    let marker = "to bring it back: ";
    let line = outcome.stderr.lines().find(|line| line.contains(marker)).expect("a command");
    let command = line.split_once(marker).unwrap().1;
    env.run(&env.command("sh").args(["-c", command])).success();

    let listed = env.git(&repo, &["worktree", "list", "--porcelain"]);
    let back = listed
        .lines()
        .filter_map(|line| line.strip_prefix("worktree "))
        .map(PathBuf::from)
        .find(|path| *path != repo)
        .expect("a worktree");
    assert_eq!(fs::read(back.join("binary")).unwrap(), b"a\0\xffb");
    assert_eq!(fs::read_to_string(back.join("README.md")).unwrap(), "# A repository\ny\n");
    assert_eq!(fs::read_to_string(back.join("d/deep")).unwrap(), "z\nstaged\n");
    assert_eq!(fs::read_to_string(back.join(".env")).unwrap(), "secret\n");
    assert_eq!(fs::read_link(back.join("link")).unwrap(), Path::new("d/deep"));
    assert_eq!(env.git(&repo, &["status", "--porcelain"]), status_before);
}

#[test]
fn commits_keep_their_branch() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let commit = "git -c user.name=A -c user.email=a@example.com commit -q --allow-empty -m work";
    let (id, tree) = ended(&env, &repo, commit);
    let tip = env.git(&tree, &["rev-parse", "HEAD"]);
    let answer = env.ao_json(&["cleanup", &id, "--json"]);
    assert_answer("CleanupAnswer", &answer);
    assert!(answer["cleanup"][0]["branch"].as_str().unwrap().starts_with("kept: "), "{answer:#}");
    assert!(!tree.exists());
    assert_eq!(env.git(&repo, &["rev-parse", &format!("ao/{id}")]), tip);
}

#[test]
fn only_what_has_ended_is_cleaned_up() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let id = spawn(&env, &repo, &["--agent", "shell", "--runtime", "process", "sleep 600"]);
    let outcome = env.ao(&["cleanup", &id]).code(4);
    assert!(outcome.stderr.contains(&id), "{outcome}");
    env.ao(&["cleanup", "--yes"]).success();
    env.ao(&["reap"]).success();
    assert_eq!(status(&env, &id), "working");
    env.ao(&["kill", &id]).success();
    env.ao(&["cleanup", &id]).success();
    let again = env.ao(&["cleanup", &id]).success();
    assert!(again.stderr.contains("already"), "{again}");
}
