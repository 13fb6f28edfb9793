//! [`Stage`]: a repository with a person's unfinished work in it, and homes to be hurt.
//!
//! Every [`Case`] has a home of its own, so that the points a command passes are the same, and
//! in the same number, whatever happened to the case before.

use std::any::Any;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ao::adapter::clock::{Deadline, poll_until};
use ao::adapter::cmd::Cmd;
use ao::adapter::fs::temporary_owner;
use ao::adapter::process;
use ao::model::check;
use ao::model::id::SessionId;
use ao::model::record::Record;
use ao::store::{Home, Loaded, StoreError, lock};

use crate::env::{Outcome, TestEnvironment};

/// What the agent of a case runs: it says once that it ran, and stays.
pub(crate) const AGENT: &str = r#"echo ran >>"$AO_HOME/ran"; exec sleep 600"#;

/// One machine for all cases of a test.
pub(crate) struct Stage {
    /// What a setting needs to stay.
    _keep: Option<Box<dyn Any>>,
    pub(crate) env: TestEnvironment,
    pub(crate) repo: PathBuf,
    user: BTreeMap<PathBuf, Vec<u8>>,
    cases: Cell<u32>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(|_, _| None)
    }

    /// Makes a stage that `setting` has changed.
    pub(crate) fn with(setting: fn(&TestEnvironment, &Path) -> Option<Box<dyn Any>>) -> Self {
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
        let keep = setting(&env, &repo);
        let user = users_files(&repo);
        Self { _keep: keep, env, repo, user, cases: Cell::new(0) }
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
    let more = [".git/refs/heads/main", ".git/config", ".git/info/exclude"];
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

    pub(crate) fn workspace(&self) -> PathBuf {
        self.home.join("worktrees/app").join(&self.id)
    }

    /// Returns what is left, after having looked that it is whole and nobody's work was touched but
    /// the files of the repository that had to change.
    #[track_caller]
    pub(crate) fn settled(&self, fault: &str, changed: &[&str]) -> Settled {
        let now = users_files(&self.stage.repo);
        let is_other = |(path, bytes): &(&PathBuf, &Vec<u8>)| self.stage.user[*path] != **bytes;
        let touched: Vec<_> = now.iter().filter(is_other).map(|(path, _)| path).collect();
        let allowed = |path: &&PathBuf| !changed.iter().any(|it| path.ends_with(it));
        let touched: Vec<_> = touched.into_iter().filter(allowed).collect();
        assert!(touched.is_empty(), "{fault}: the user's files: {touched:?}");
        for path in self.found(".ao-tmp-") {
            // The hook of an agent may be writing at this very moment.
            let is_over = || {
                let owner = path.file_name().and_then(temporary_owner);
                owner.is_none_or(process::is_over)
            };
            let is_settled = || (!path.exists() || is_over()).then_some(());
            poll_until(Deadline::after(Duration::from_secs(10)), is_settled);
            assert!(!path.exists(), "{fault}: temporary file {}", path.display());
        }
        for place in [self.stage.repo.join(".git"), self.home.clone()] {
            for path in files_below(&place).iter().filter(|path| is_lock(path)) {
                let in_git =
                    place.ends_with(".git") && !path.ends_with("ao.lock") && !is_undone(path);
                // Held for as long as an agent lives; who lives, and may, is looked at elsewhere.
                let is_agents = path.ends_with("alive.lock");
                // A hook or some git may be at work at this very moment. What a dead one left,
                // nobody takes away meanwhile: to wait hides nothing.
                let within = |is_so: &dyn Fn() -> bool| {
                    let patience = Deadline::after(Duration::from_secs(10));
                    poll_until(patience, || is_so().then_some(())).is_some()
                };
                let is_free = || is_agents || !lock::is_held_shared_probe(path).unwrap();
                assert!(within(&is_free), "{fault}: {} is held", path.display());
                let is_gone = || !in_git || is_ours(path) || !path.exists();
                assert!(within(&is_gone), "{fault}: {} is left", path.display());
            }
        }
        let home = Home::open_read(&self.home).unwrap();
        let id = self.id.parse().unwrap();
        let loaded = match load_calmly(&home, &id) {
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

    /// Asserts that git and the machine know nothing of the session. Others may be beside it in
    /// the same repository: what belongs to none is looked for after each fault of the walk.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self, fault: &str) {
        assert_eq!(self.processes(), Vec::<String>::new(), "{fault}: processes");
        assert!(!self.workspace().exists(), "{fault}: workspace");
        let git = self.stage.repo.join(".git");
        let registered = files_below(&git.join("worktrees"));
        let place = format!("{}/", self.workspace().display());
        let ours = |path: &&PathBuf| fs::read_to_string(path).unwrap_or_default().contains(&place);
        assert_eq!(registered.iter().find(ours), None, "{fault}: entry of the worktree");
        // By its name as well, for one that was not written to the end names no place.
        assert!(!git.join("worktrees").join(&self.id).exists(), "{fault}: half an entry");
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

    /// Returns the record as JSON, `null` where there is none.
    pub(crate) fn record(&self) -> serde_json::Value {
        let read = |place: &str| {
            fs::read_to_string(self.home.join(place).join(&self.id).join("session.json"))
        };
        let text = read("sessions").or_else(|_| read("archive")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn found(&self, prefix: &str) -> BTreeSet<PathBuf> {
        let mut all = files_below(&self.home);
        all.extend(files_below(&self.stage.repo.join(".git")));
        let ours = |path: &PathBuf| path.to_string_lossy().contains(prefix) && !is_undone(path);
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

/// Loads a session in which nobody is at work, as the hook of an agent may be: between its log and
/// its record, that is no fault's doing.
pub(crate) fn load_calmly(home: &Home, id: &SessionId) -> Result<Loaded, StoreError> {
    home.look_calmly(id, |it: &Loaded| it.notes.is_empty(), || home.load(id))
}

fn is_lock(path: &Path) -> bool {
    path.ends_with("lock") || path.extension().is_some_and(|extension| extension == "lock")
}

/// What git was making of a worktree when that was taken back: it goes with the trash, and a
/// restore does not bring it back. Any other entry there may come back, and holds no lock.
fn is_undone(path: &Path) -> bool {
    let is_trash = |entry: &&Path| entry.parent().is_some_and(|it| it.ends_with(".git/ao-trash"));
    path.ancestors().find(is_trash).is_some_and(|entry| entry.join("locked").exists())
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
