//! `ao doctor --state` finds what belongs to no session.

use std::fs;

use crate::env::TestEnvironment;
use crate::schema::assert_answer;

#[test]
fn what_belongs_to_no_session_is_found_and_left_alone() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    env.ao_in(&repo, &["spawn", "-a", "shell", "sleep 600"]).success();
    assert_eq!(
        env.ao(&["doctor", "--state"]).success().stdout,
        "ok   state: 1 sessions, all consistent\n"
    );

    let (record, aside) = (env.home().join("sessions/app-1"), env.path("aside"));
    fs::rename(&record, &aside).unwrap();
    let answer = env.ao(&["doctor", "--state", "--json"]).code(1).json();
    assert_answer("DoctorAnswer", &answer);
    let checks = answer["doctor"]["checks"].as_array().unwrap();
    let found = |what: &str| checks.iter().filter(|check| check["what"] == what).count();
    assert_eq!((found("pane"), found("worktree")), (1, 1), "{answer:#}");
    assert!(found("process") >= 1, "{answer:#}");

    fs::rename(&aside, &record).unwrap();
    env.ao(&["doctor", "--state"]).success();
    env.ao(&["kill", "app-1"]).success();
    env.ao(&["cleanup", "app-1"]).success();
    env.ao(&["doctor", "--state"]).success();
}
