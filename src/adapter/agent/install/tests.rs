//! Tests of what is installed and taken away, in real repositories.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::*;
use crate::adapter::agent::load_cards;
use crate::adapter::cmd::Cmd;

/// A card with every kind of file, for programs that do not exist.
const CARD: &str = r#"
[agent]
name = "filer"
binary = "filer"
mode = "interactive"
interactive = ["{binary}", "{prompt_args}"]

[hooks]
kind = "files"

[[hooks.files]]
path = "{workspace}/.filer/hooks.json"
form = "json"
content = { version = 1 }
at = "/hooks/{native}"
entry = { command = "{command}", timeout = 5 }

[[hooks.files]]
path = "{workspace}/.filer/plugins/ao.js"
form = "text"
text = "// Written by ao\nrun('{ao}')\n"

[[hooks.files]]
path = "{workspace}/.filer-cache/.gitignore"
form = "text"
text = '''
# Written by ao
*
'''
cache = true

[[hooks.files]]
path = "{session_dir}/filer/settings.json"
form = "json"
content = { hooks = { enabled = true } }

[hooks.events.stop]
native = "Stop"
activity = "idle"
boundary = true

[[trust]]
paths = ["{env:FILER_HOME}/trusted.json", "{env:HOME}/.filer.json"]
at = "/folders/{workspace}/trusted"
value = true
create = true

[[trust]]
paths = ["{env:HOME}/.filer/list.json"]
at = "/trusted/-"
value = "{workspace}"
create = true
"#;

/// A repository with a worktree of ao's, and a session.
pub(in crate::adapter::agent) struct Stage {
    root: tempfile::TempDir,
    pub(in crate::adapter::agent) workspace: PathBuf,
    pub(in crate::adapter::agent) session: PathBuf,
}

impl Stage {
    pub(in crate::adapter::agent) fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let top = fs::canonical(root.path()).unwrap();
        let (repo, workspace) = (top.join("repo"), top.join("work tree"));
        let session = top.join("home/sessions/web-1");
        for directory in [&repo, &session, &top.join("user")] {
            fs::create_directories(directory).unwrap();
        }
        let stage = Self { root, workspace, session };
        stage.git(&repo, &["init", "-q", "-b", "main"]);
        for (name, text) in files {
            let path = repo.join(name);
            fs::create_directories(path.parent().unwrap()).unwrap();
            fs::rewrite(&path, text.as_bytes(), Durability::Process).unwrap();
        }
        stage.git(&repo, &["add", "-A"]);
        stage.git(&repo, &["commit", "-q", "--allow-empty", "-m", "first"]);
        stage.git(
            &repo,
            &["worktree", "add", "-q", "-b", "work", stage.workspace.to_str().unwrap()],
        );
        stage
    }

    fn git(&self, directory: &Path, args: &[&str]) -> String {
        let output = Cmd::new("git")
            .cwd(directory)
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.success(), "git {args:?}: {}", output.stderr);
        output.text()
    }

    pub(in crate::adapter::agent) fn install(
        &self,
        card: &Card,
    ) -> Result<Vec<String>, InstallError> {
        let user = self.root.path().join("user");
        let places = Places {
            ao: Path::new("/home/it's/ao"),
            session_dir: &self.session,
            workspace: &self.workspace,
            owned: true,
        };
        install(card, &places, &|name| (name == "HOME").then(|| OsString::from(&user)))
    }

    pub(in crate::adapter::agent) fn status(&self) -> String {
        self.git(&self.workspace, &["status", "--porcelain"])
    }

    /// Every file of workspace and user, with its bytes and whether git looks away.
    pub(in crate::adapter::agent) fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut pending = vec![self.workspace.clone(), self.root.path().join("user")];
        while let Some(directory) = pending.pop() {
            all.insert(directory.clone(), Vec::new());
            for name in fs::names(&directory).unwrap() {
                let path = directory.join(name);
                if path.is_dir() {
                    pending.push(path);
                } else {
                    all.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        let marks = self.git(&self.workspace, &["ls-files", "-v"]);
        all.insert(PathBuf::from("marks"), marks.into_bytes());
        all
    }
}

fn card() -> Card {
    let directory = tempfile::tempdir().unwrap();
    fs::rewrite(&directory.path().join("filer.toml"), CARD.as_bytes(), Durability::Process)
        .unwrap();
    load_cards(directory.path()).unwrap().find("filer").unwrap().clone()
}

#[test]
fn files_are_invisible_and_go_without_a_trace() {
    let tracked = "{ // mine\n\"hooks\": { \"Stop\": [ 7 ] } }\n";
    for files in [
        &[("README", "x")] as &[(&str, &str)],
        &[(".filer/hooks.json", tracked)],
        &[(".filer/hooks.json", tracked), (".filer/.gitignore", "*.log")],
        &[(".filer/.gitignore", "*\n")],
    ] {
        let stage = Stage::new(files);
        let before = stage.everything();
        assert_eq!(stage.install(&card()).unwrap(), Vec::<String>::new());
        assert_eq!(stage.status(), "", "{files:?}");
        let hooks = fs::read_text(&stage.workspace.join(".filer/hooks.json")).unwrap();
        assert!(hooks.contains(r#""'/home/it'\\''s/ao' hook filer stop""#), "{hooks}");
        assert!(
            !files.iter().any(|(_, text)| *text == tracked)
                || hooks.starts_with("{ // mine\n\"hooks\": { \"Stop\": [ 7"),
            "{hooks}"
        );
        let plugin = fs::read_text(&stage.workspace.join(".filer/plugins/ao.js")).unwrap();
        assert_eq!(plugin, "// Written by ao\nrun('/home/it's/ao')\n");
        let own = fs::read_text(&stage.session.join("filer/settings.json")).unwrap();
        assert!(own.contains("\"enabled\": true"), "{own}");
        let trusted = fs::read_text(&stage.root.path().join("user/.filer.json")).unwrap();
        assert!(trusted.contains("work tree\": {"), "{trusted}");
        let cached = stage.workspace.join(".filer-cache/deep/cached");
        fs::create_directories(cached.parent().unwrap()).unwrap();
        fs::rewrite(&cached, b"x", Durability::Process).unwrap();
        assert_eq!(stage.status(), "");
        // A second launch finds the files of the first.
        stage.install(&card()).unwrap();
        assert_eq!(stage.status(), "");
        uninstall(&stage.session, &stage.workspace).unwrap();
        assert_eq!(stage.everything(), before, "{files:?}");
        uninstall(&stage.session, &stage.workspace).unwrap();
    }
}

#[test]
fn files_that_lost_what_was_put_there_are_named() {
    let stage = Stage::new(&[]);
    assert_eq!(lost(&stage.session, &stage.workspace).unwrap(), Vec::<PathBuf>::new());
    stage.install(&card()).unwrap();
    assert_eq!(lost(&stage.session, &stage.workspace).unwrap(), Vec::<PathBuf>::new());
    let hooks = stage.workspace.join(".filer/hooks.json");
    fs::rewrite(&hooks, b"{}", Durability::Process).unwrap();
    let plugin = stage.workspace.join(".filer/plugins/ao.js");
    fs::remove_file(&plugin).unwrap();
    let mut named = lost(&stage.session, &stage.workspace).unwrap();
    named.sort();
    assert_eq!(named, [hooks, plugin]);
}

#[test]
fn what_was_installed_is_never_guessed() {
    let stage = Stage::new(&[]);
    stage.install(&card()).unwrap();
    let path = stage.session.join("installed.json");
    fs::rewrite(&path, b"{}", Durability::Process).unwrap();
    assert!(matches!(
        uninstall(&stage.session, &stage.workspace),
        Err(InstallError::Forgotten { .. })
    ));
    assert!(stage.install(&card()).is_err() && path.exists());
}

#[test]
fn what_is_in_the_way_is_refused_and_nothing_is_left() {
    let stage = Stage::new(&[(".filer/plugins/ao.js", "mine"), (".filer/hooks.json", "{}")]);
    let before = stage.everything();
    let error = stage.install(&card()).unwrap_err();
    assert!(matches!(error, InstallError::Taken { .. }), "{error}");
    uninstall(&stage.session, &stage.workspace).unwrap();
    assert_eq!(stage.everything(), before);

    let stage = Stage::new(&[(".filer/hooks.json", "hooks: yaml")]);
    assert!(matches!(stage.install(&card()), Err(InstallError::Edit { .. })));

    let stage = Stage::new(&[]);
    fs::symlink(stage.root.path(), &stage.workspace.join(".filer")).unwrap();
    assert!(matches!(stage.install(&card()), Err(InstallError::Link { .. })));
}

#[test]
fn what_the_agent_did_to_the_files_keeps_nothing_from_going() {
    let own = [(".filer/hooks.json", "{\"mine\": 1}")];
    // A branch without the file.
    let stage = Stage::new(&own);
    stage.install(&card()).unwrap();
    stage.git(&stage.workspace, &["update-index", "--force-remove", ".filer/hooks.json"]);
    uninstall(&stage.session, &stage.workspace).unwrap();
    assert!(!is_installed(&stage.session));
    // A link out of the workspace where the directory was.
    let stage = Stage::new(&own);
    stage.install(&card()).unwrap();
    let directory = stage.workspace.join(".filer");
    let outside = stage.root.path().join("outside");
    fs::rename(&directory, &outside).unwrap();
    fs::symlink(&outside, &directory).unwrap();
    let there = fs::read_text(&outside.join("hooks.json")).unwrap();
    uninstall(&stage.session, &stage.workspace).unwrap();
    assert_eq!(fs::read_text(&outside.join("hooks.json")).unwrap(), there);
    assert!(stage.status().contains(".filer"), "git says so: {}", stage.status());
    // A directory where the file was.
    let stage = Stage::new(&own);
    stage.install(&card()).unwrap();
    let path = stage.workspace.join(".filer/hooks.json");
    fs::remove_file(&path).unwrap();
    fs::create_directories(&path).unwrap();
    uninstall(&stage.session, &stage.workspace).unwrap();
    assert!(stage.status().contains(".filer/hooks.json"), "{}", stage.status());
}

#[test]
fn a_file_that_is_no_text_is_left_as_it_is() {
    let stage = Stage::new(&[]);
    let hooks = stage.workspace.join(".filer/hooks.json");
    let trust = stage.root.path().join("user/.filer.json");
    let bytes = b"{\"name\": \"caf\xe9\"}";
    fs::rewrite(&trust, bytes, Durability::Process).unwrap();
    assert_eq!(stage.install(&card()).unwrap().len(), 1);
    assert_eq!(fs::read(&trust).unwrap(), bytes);
    uninstall(&stage.session, &stage.workspace).unwrap();
    fs::create_directories(hooks.parent().unwrap()).unwrap();
    fs::rewrite(&hooks, bytes, Durability::Process).unwrap();
    assert!(matches!(stage.install(&card()), Err(InstallError::Edit { .. })));
    assert_eq!(fs::read(&hooks).unwrap(), bytes);
}

#[test]
fn a_removal_that_was_cut_short_harms_nothing_when_it_is_done_again() {
    let stage = Stage::new(&[(".filer/hooks.json", "{}"), (".filer/.gitignore", "/ao.js\n")]);
    let before = stage.everything();
    stage.install(&card()).unwrap();
    let memory = fs::read(&stage.session.join("installed.json")).unwrap();
    uninstall(&stage.session, &stage.workspace).unwrap();
    assert_eq!(stage.everything(), before);
    assert!(!stage.session.join("original").exists(), "copies go last");
    // Whoever is killed before the last step has the copies still.
    stage.install(&card()).unwrap();
    assert_eq!(fs::read(&stage.session.join("installed.json")).unwrap(), memory);
    let copies = stage.session.join("original");
    let aside: Vec<_> = fs::names(&copies)
        .unwrap()
        .into_iter()
        .map(|name| (name.clone(), fs::read(&copies.join(name)).unwrap()))
        .collect();
    uninstall(&stage.session, &stage.workspace).unwrap();
    fs::create_directories(&copies).unwrap();
    for (name, bytes) in aside {
        fs::rewrite(&copies.join(name), &bytes, Durability::Process).unwrap();
    }
    fs::rewrite(&stage.session.join("installed.json"), &memory, Durability::Process).unwrap();
    uninstall(&stage.session, &stage.workspace).unwrap();
    assert_eq!(stage.everything(), before);
}

#[test]
fn a_trust_file_that_cannot_be_read_is_told_and_stays() {
    let stage = Stage::new(&[]);
    let path = stage.root.path().join("user/.filer.json");
    fs::rewrite(&path, b"not json", Durability::Process).unwrap();
    let notes = stage.install(&card()).unwrap();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("a first-run dialog could not be answered ahead: "), "{notes:?}");
    assert_eq!(fs::read(&path).unwrap(), b"not json");
}

#[test]
fn a_trust_the_user_gave_before_stays() {
    let stage = Stage::new(&[]);
    let path = stage.root.path().join("user/.filer.json");
    let key = json_edit::escape(stage.workspace.to_str().unwrap()).replace("~1", "/");
    let own = format!("{{\"folders\": {{\"{key}\": {{\"trusted\": true}}, \"/x\": 1}}}}");
    fs::rewrite(&path, own.as_bytes(), Durability::Process).unwrap();
    stage.install(&card()).unwrap();
    uninstall(&stage.session, &stage.workspace).unwrap();
    assert_eq!(fs::read_text(&path).unwrap(), own);
    let other = "{\n  \"folders\": {\"/x\": {}}\n}";
    fs::rewrite(&path, other.as_bytes(), Durability::Process).unwrap();
    stage.install(&card()).unwrap();
    assert!(fs::read_text(&path).unwrap().contains("trusted"));
    uninstall(&stage.session, &stage.workspace).unwrap();
    let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(value, serde_json::json!({"folders": {"/x": {}}}));
}
