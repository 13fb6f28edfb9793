//! [`Stage`]: a repository with a person's unfinished work in it, and homes to be hurt.
//!
//! Every [`Case`] has a home of its own, so that the points a command passes are the same, and
//! in the same number, whatever happened to the case before.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ao::adapter::cmd::Cmd;
use ao::model::check;
use ao::model::record::Record;
use ao::store::{Home, StoreError, lock};

use crate::env::{Outcome, TestEnvironment};

/// What the agent of a case runs: it says once that it ran, and stays.
pub(crate) const AGENT: &str = r#"echo ran >>"$AO_HOME/ran"; exec sleep 600"#;

/// One machine for all cases of a test.
pub(crate) struct Stage {
    pub(crate) env: TestEnvironment,
    pub(crate) repo: PathBuf,
    user: BTreeMap<PathBuf, Vec<u8>>,
    cases: Cell<u32>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        fs::write(repo.join("staged.txt"), "staged, not committed\n").unwrap();
        env.git(&repo, &["add", "staged.txt"]);
        fs::write(repo.join("README.md"), "# Edited, not staged\n").unwrap();
        fs::write(repo.join("untracked.txt"), "unknown to git\n").unwrap();
        let config = env.path("user/config/ao");
        fs::create_dir_all(&config).unwrap();
        let notices = env.path("notices.jsonl");
        let notifier =
            format!("[notifiers.log]\nkind = \"file\"\npath = \"{}\"\n", notices.display());
        fs::write(config.join("config.toml"), notifier).unwrap();
        let user = users_files(&repo);
        Self { env, repo, user, cases: Cell::new(0) }
    }

    /// Makes an empty home; its session is called `c1`, `c2`, …
    pub(crate) fn case(&self) -> Case<'_> {
        self.cases.set(self.cases.get() + 1);
        let id = format!("c{}", self.cases.get());
        let home = self.env.path(&id);
        fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
        Case { stage: self, home, id }
    }

    /// Returns the notices about a session, one JSON object each.
    pub(crate) fn notices(&self, id: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.env.path("notices.jsonl")).unwrap_or_default();
        let all = text.lines().map(|line| serde_json::from_str(line).unwrap());
        all.filter(|notice: &serde_json::Value| notice["session"] == id).collect()
    }
}

/// Returns what nothing that ao does may change: files, index, head, branch, configuration.
fn users_files(repo: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let names = ["README.md", "staged.txt", "untracked.txt", ".git/index", ".git/HEAD"];
    let more = [".git/refs/heads/main", ".git/config"];
    let read = |name| (PathBuf::from(name), fs::read(repo.join(name)).unwrap());
    names.into_iter().chain(more).map(read).collect()
}

/// What is left of a session once the fault is over and one reap has run.
pub(crate) enum Settled {
    Absent,
    Live(Box<Record>),
    Ended(Box<Record>),
}

/// One home with one session.
pub(crate) struct Case<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) home: PathBuf,
    pub(crate) id: String,
}

impl Case<'_> {
    /// Returns the command; the word `ID` is the session's name.
    pub(crate) fn command(&self, args: &[&str]) -> Cmd {
        let named: Vec<&str> =
            args.iter().map(|a| if *a == "ID" { &self.id } else { *a }).collect();
        let command = self.stage.env.ao_command(&named).cwd(&self.stage.repo);
        command.env("AO_HOME", &self.home)
    }

    pub(crate) fn ao(&self, args: &[&str]) -> Outcome {
        self.stage.env.run(&self.command(args))
    }

    pub(crate) fn faulted(&self, args: &[&str], fault: &str) -> Outcome {
        self.stage.env.run(&self.command(args).env("AO_FAILPOINT", fault))
    }

    pub(crate) fn spawn(&self, script: &str) {
        let words = ["spawn", "--agent", "shell", "--runtime", "process", "--id", "ID", script];
        self.ao(&words).success();
    }

    /// Returns every passing of a point, as `name#N`, of a command that succeeds.
    pub(crate) fn passings(&self, args: &[&str], code: i32) -> Vec<String> {
        let trace = self.stage.env.path("trace");
        let _ = fs::remove_file(&trace);
        self.faulted(args, &format!("*=log:{}", trace.display())).code(code);
        let mut count: BTreeMap<String, u32> = BTreeMap::new();
        let text = fs::read_to_string(&trace).unwrap();
        let number = |name: &str| {
            let nth = count.entry(name.to_owned()).or_default();
            *nth += 1;
            format!("{name}#{nth}")
        };
        text.lines().map(number).collect()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.home.join("worktrees/app").join(&self.id)
    }

    /// Returns what is left, after having looked that it is whole and nobody's work was touched.
    #[track_caller]
    pub(crate) fn settled(&self, fault: &str) -> Settled {
        assert_eq!(users_files(&self.stage.repo), self.stage.user, "{fault}: the user's files");
        assert_eq!(self.found(".ao-tmp-"), BTreeSet::new(), "{fault}: temporary files");
        for place in [self.stage.repo.join(".git"), self.home.clone()] {
            for path in files_below(&place).iter().filter(|path| is_lock(path)) {
                let in_git = place.ends_with(".git") && !path.ends_with("ao.lock");
                let is_agents = path.ends_with("alive.lock");
                let held = lock::is_held_shared_probe(path).unwrap();
                assert!(is_agents || !held, "{fault}: {} is held", path.display());
                assert!(!in_git || is_ours(path), "{fault}: {} is left", path.display());
            }
        }
        let home = Home::open_read(&self.home).unwrap();
        let id = self.id.parse().unwrap();
        let loaded = match home.load(&id) {
            Ok(loaded) => loaded,
            Err(StoreError::NotFound { .. }) => return Settled::Absent,
            Err(error) => panic!("{fault}: {error}"),
        };
        let record = Box::new(loaded.record);
        assert_eq!(loaded.notes, [""; 0], "{fault}");
        assert_eq!(home.verify(&id).unwrap().findings, [""; 0], "{fault}");
        let wrong: Vec<String> = check::check(&record).iter().map(ToString::to_string).collect();
        assert_eq!(wrong, [""; 0], "{fault}");
        assert!(record.intent.is_none(), "{fault}: {:?}", record.intent);
        if record.lifecycle.is_terminal() { Settled::Ended(record) } else { Settled::Live(record) }
    }

    /// Asserts that git and the machine know nothing of the session.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self, fault: &str) {
        assert_eq!(self.processes(), Vec::<String>::new(), "{fault}: processes");
        assert!(!self.workspace().exists(), "{fault}: workspace");
        let git = self.stage.repo.join(".git");
        let registered = files_below(&git.join("worktrees"));
        let ours = |path: &&PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.contains(&*self.home.to_string_lossy())
        };
        assert_eq!(registered.iter().find(ours), None, "{fault}: entry of the worktree");
        let branch = format!("refs/heads/ao/{}", self.id);
        let packed = fs::read_to_string(git.join("packed-refs")).unwrap_or_default();
        let is_packed = packed.lines().any(|line| line.ends_with(&branch));
        assert!(!git.join(&branch).exists() && !is_packed, "{fault}: branch");
    }

    /// Returns the processes that know this home, in words; a tmux server without panes aside.
    pub(crate) fn processes(&self) -> Vec<String> {
        let root = format!("{}/", self.home.display());
        let about = |pid: &u32| {
            let read = |name| {
                let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let (line, environment) = (read("cmdline"), read("environ"));
            let ours = line.contains(&root)
                || format!("{environment} ").contains(&format!("AO_HOME={} ", self.home.display()));
            (ours && !line.is_empty() && !line.starts_with("tmux")).then(|| format!("{pid} {line}"))
        };
        self.stage.env.processes().iter().filter_map(about).collect()
    }

    fn found(&self, prefix: &str) -> BTreeSet<PathBuf> {
        let mut all = files_below(&self.home);
        all.extend(files_below(&self.stage.repo.join(".git")));
        let ours = |path: &PathBuf| path.to_string_lossy().contains(prefix);
        all.into_iter().filter(ours).collect()
    }

    /// Returns the session's event log.
    pub(crate) fn events(&self) -> String {
        let log = self.home.join("sessions").join(&self.id).join("events.jsonl");
        fs::read_to_string(log).unwrap_or_default()
    }

    /// Returns every record and every event log of the home.
    pub(crate) fn records(&self) -> BTreeMap<PathBuf, String> {
        let is_record =
            |path: &PathBuf| path.ends_with("session.json") || path.ends_with("events.jsonl");
        let all = files_below(&self.home).into_iter().filter(is_record);
        all.map(|path| (path.clone(), fs::read_to_string(&path).unwrap_or_default())).collect()
    }
}

fn is_lock(path: &Path) -> bool {
    path.ends_with("lock") || path.extension().is_some_and(|extension| extension == "lock")
}

/// ao's own lock file in the repository stays for ever; git's locks are gone with their git.
fn is_ours(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ao"))
}

/// Returns every path below `directory`, directories included; links are not followed.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(files_below(&path));
        }
        all.push(path);
    }
    all
}
