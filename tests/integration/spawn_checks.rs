//! What `ao spawn` and `ao orchestrator` find out before they make or end anything.

use serde_json::{Value, json};

use crate::env::TestEnvironment;

fn sessions(env: &TestEnvironment) -> Value {
    env.ao_json(&["ls", "--all", "--json"])["sessions"].clone()
}

#[test]
fn a_task_or_an_issue_without_a_word_is_refused() {
    let env = TestEnvironment::new();
    let repo = env.repo("app");
    let file = env.script("empty", " \n");
    let file = file.to_str().unwrap();
    let spawn = ["spawn", "--agent", "shell"];
    let prompt = "the prompt is empty";
    for (args, stdin, word) in [
        (&[&spawn[..], &[""]].concat(), "", prompt),
        (&[&spawn[..], &["-"]].concat(), "", prompt),
        (&[&spawn[..], &["-"]].concat(), "\n \t\n", prompt),
        (&[&spawn[..], &["--prompt-file", file]].concat(), "", prompt),
        (&[&spawn[..], &["--count", "2", ""]].concat(), "", prompt),
        (&[&spawn[..], &["--batch", "-"]].concat(), "{\"prompt\":\"\"}\n", prompt),
        (&vec!["orchestrator", "--agent", "shell", ""], "", prompt),
        (&[&spawn[..], &["--issue", "", "true"]].concat(), "", "the issue is empty"),
        (&[&spawn[..], &["--issue", " ", "true"]].concat(), "", "the issue is empty"),
    ] {
        for more in [&["--dry-run"][..], &[]] {
            let command = env.ao_command(&[&args[..], more].concat()).cwd(&repo);
            let refused = env.run(&command.stdin(stdin)).code(2);
            assert!(refused.to_string().contains(word), "{args:?} {refused}");
        }
    }
    assert_eq!(sessions(&env), json!([]));
}
