//! git at its worst, as a user of `ao` meets it: the repository stays usable, nobody's work is
//! lost, and what cannot be told is left alone and named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ao::adapter::runtime::tmux::Tmux;

use crate::env::{Outcome, TestEnvironment, program_in_path};
use crate::faulted::files_below;
use crate::tree::Tree;

struct Story {
    env: TestEnvironment,
    repo: PathBuf,
}

impl Story {
    fn new() -> Self {
        let env = TestEnvironment::new();
        let repo = env.repo("app");
        Self { env, repo }
    }

    fn ao(&self, args: &[&str]) -> Outcome {
        self.env.ao_in(&self.repo, args)
    }

    /// Starts a shell script in the process runtime.
    fn try_spawn(&self, script: &str) -> Outcome {
        self.ao(&["spawn", "-a", "shell", "--runtime", "process", script])
    }

    fn spawn(&self, script: &str) -> String {
        self.try_spawn(script).success().stdout.trim().to_owned()
    }

    /// Starts a shell script and waits until it has ended well.
    fn ended(&self, script: &str) -> String {
        let id = self.spawn(script);
        self.ao(&["wait", &id, "--until", "done", "--timeout", "20s"]).success();
        id
    }

    fn workspace(&self, id: &str) -> PathBuf {
        self.env.home().join("worktrees/app").join(id)
    }

    fn git(&self, args: &[&str]) -> String {
        self.env.git(&self.repo, args)
    }

    /// Writes the repository's `post-checkout` hook.
    fn hook(&self, text: &str) {
        let path = self.repo.join(".git/hooks/post-checkout");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Asserts that `ao cleanup` keeps the workspace for `reason`, and changes nothing in it.
    #[track_caller]
    fn kept(&self, id: &str, flags: &[&str], reason: &str) {
        let workspace = self.workspace(id);
        let before = Tree::of(&workspace);
        let args = [&["cleanup", id][..], flags].concat();
        let outcome = self.ao(&args).code(5);
        assert!(outcome.stderr.contains(reason), "{args:?} does not say {reason:?}\n{outcome}");
        assert!(outcome.stderr.contains("hint: "), "{outcome}");
        assert_eq!(outcome.stdout, "");
        assert_eq!(before.changes(&workspace), Vec::<String>::new());
    }
}

/// Puts a git in place that takes its time where its arguments hold `word`, and writes down how it
/// came to its end.
fn slow_git(story: &Story, word: &str) -> PathBuf {
    let (git, ended) = (program_in_path("git").unwrap(), story.env.path("ended"));
    let (git, end) = (git.display(), ended.display());
    let shim = format!(
        "case \"$*\" in *'{word}'*) sleep 0.5; '{git}' \"$@\"; code=$?; echo $code >>'{end}'\n\
         exit $code;; esac\nexec '{git}' \"$@\"\n"
    );
    story.env.shims(&[("git", &shim)]);
    ended
}

/// A git to which a signal comes while the system makes the file of its lock leaves that for ever.
#[test]
fn a_git_that_holds_a_lock_of_the_repository_is_not_cut_short() {
    for (command, word) in [("cleanup", " update-ref "), ("merge", " merge ")] {
        for (fault, code) in [("kill", 137), ("error:5", 1)] {
            let story = Story::new();
            let ids =
                [0, 1].map(|_| story.ended("echo 1 >$AO_SESSION; git add .; git commit -qm 1"));
            // Where a file and the index are of one instant, git is asked once more than elsewhere.
            for id in &ids {
                let file = fs::File::open(story.workspace(id).join(id)).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
                story.env.git(&story.workspace(id), &["status"]);
            }
            if command == "cleanup" {
                // What is elsewhere as well may go.
                let keep = |id: &String| format!("create refs/remotes/origin/{id} ao/{id}\n");
                let input = ids.iter().map(keep).collect::<String>();
                let update = story.env.git_command(&story.repo, &["update-ref", "--stdin"]);
                story.env.run(&update.stdin(input)).success();
            }
            let run = |id: &str, fault: &str| {
                let command = story.env.ao_command(&[command, id]).cwd(&story.repo);
                story.env.run(&command.env("AO_FAILPOINT", fault))
            };
            // Undisturbed, to learn when that git is waited for.
            let trace = story.env.path("trace");
            run(&ids[0], &format!("*=trace:{}", trace.display())).success();
            let text = fs::read_to_string(trace).unwrap();
            let mut waits = text.lines().filter(|line| line.starts_with("cmd.wait:git\t"));
            let nth = waits.position(|line| line.contains(word)).unwrap() + 1;

            let ended = slow_git(&story, word);
            run(&ids[1], &format!("cmd.wait:git#{nth}={fault}")).code(code);
            if fault != "kill" {
                assert_eq!(fs::read_to_string(&ended).unwrap(), "0\n", "{command}: not waited for");
            }
            let told = || fs::read_to_string(&ended).ok().filter(|text| text == "0\n");
            story.env.wait_for("git comes to its end", told);
            story.ao(&["reap"]).success();
            story.ao(&["doctor", "--state"]).success();
            let left: Vec<PathBuf> = files_below(&story.repo.join(".git"));
            let is_lock = |path: &PathBuf| path.extension().is_some_and(|it| it == "lock");
            let left: Vec<_> = left.into_iter().filter(is_lock).collect();
            assert_eq!(left, [story.repo.join(".git/ao.lock")]);
        }
    }
}

#[test]
fn worktree_add_killed_at_fifty_points_leaves_a_usable_repository() {
    let story = Story::new();
    let git = program_in_path("git").unwrap();
    let (git, delay) = (git.display(), story.env.path("delay"));
    let shim = format!(
        "case \" $* \" in *' worktree add '*)\n\
         '{git}' \"$@\" & child=$!\n\
         sleep \"$(cat '{}')\"\n\
         kill -9 $child 2>/dev/null\n\
         wait $child; code=$?\n\
         [ $code -lt 128 ] || kill -9 $$\n\
         exit $code\n\
         esac\n\
         exec '{git}' \"$@\"\n",
        delay.display()
    );
    story.env.shims(&[("git", &shim)]);
    let mut spawned = Vec::new();
    for point in 0..50 {
        fs::write(&delay, format!("0.{:05}", point * 15)).unwrap();
        let outcome = story.try_spawn("true");
        if outcome.status == 0 {
            spawned.push(outcome.stdout.trim().to_owned());
        } else {
            assert_eq!((outcome.status, &*outcome.stdout), (1, ""), "{outcome}");
            assert!(outcome.stderr.contains("git worktree add"), "{outcome}");
        }
        let wanted = spawned.len() + 1;
        let worktrees = story.git(&["worktree", "list", "--porcelain"]);
        assert_eq!(
            worktrees.matches("worktree ").count(),
            wanted,
            "{point}: {worktrees}\n{outcome}"
        );
        let branches = story.git(&["branch", "-a"]);
        assert_eq!(branches.lines().count(), wanted, "{point}: {branches}\n{outcome}");
    }
    fs::write(&delay, "9").unwrap();
    story.env.shims(&[("git", &format!("exec '{git}' \"$@\"\n"))]);
    story.ao(&["reap"]).success();
    let last = story.ended("git log --oneline -1");
    assert!(story.workspace(&last).join("README.md").exists());
    assert_eq!(story.git(&["status", "--porcelain"]), "");
    assert_eq!(story.git(&["fsck", "--connectivity-only"]), "");
    assert!(story.git(&["for-each-ref", "refs/ao"]).is_empty());
    let admins = fs::read_dir(story.repo.join(".git/worktrees")).unwrap().count();
    assert_eq!(admins, spawned.len() + 1);
    story.ao(&["doctor", "--state"]).success();
}

#[test]
fn a_hook_of_the_repository_that_fails_is_told_and_stops_nothing() {
    let story = Story::new();
    story.hook("echo 'no such lane' >&2\nexit 3\n");
    let outcome = story.try_spawn("exec sleep 600").success();
    assert!(outcome.stderr.contains("post-checkout hook failed: no such lane"), "{outcome}");
    assert!(story.workspace("app-1").join("README.md").exists());
}

#[test]
fn a_hook_of_the_repository_that_hangs_is_ended_with_its_children() {
    let story = Story::new();
    let marker = story.env.path("user/hung");
    story.hook(&format!("touch '{}'\nsleep 987654 &\nwait\n", marker.display()));
    story.env.set("AO_HOOK_DEADLINE_MS", "300");
    let outcome = story.try_spawn("true").success();
    assert!(outcome.stderr.contains("post-checkout hook failed"), "{outcome}");
    assert!(outcome.stderr.contains("did not end within 300ms"), "{outcome}");
    assert!(marker.exists());
    story.ao(&["wait", "app-1", "--timeout", "20s"]).success();
    story.env.wait_for("the hook's children to be gone", || {
        let line =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let left = story.env.processes().iter().any(|pid| line(pid).contains("987654"));
        (!left).then_some(())
    });
    assert_eq!(story.git(&["worktree", "list"]).lines().count(), 2);
}

#[test]
fn a_workspace_without_its_git_file_is_kept_and_the_repository_around_it_is_untouched() {
    let story = Story::new();
    // A repository around everything: what git would fall through to.
    let outer = story.env.home();
    story.env.git(&outer, &["init", "-q", "-b", "outer"]);
    fs::write(outer.join("precious"), "one\n").unwrap();
    story.env.git(&outer, &["add", "precious"]);
    story.env.git(&outer, &["commit", "-q", "-m", "outer"]);
    fs::write(outer.join("precious"), "uncommitted\n").unwrap();

    let id = story.ended("echo work >work");
    let workspace = story.workspace(&id);
    fs::remove_file(workspace.join(".git")).unwrap();
    let git_directory = Tree::of(&outer.join(".git"));
    story.kept(&id, &[], "it has no .git file");
    story.kept(&id, &["--force"], "it has no .git file");
    let status = story.ao(&["status", &id, "--git"]).success();
    assert!(status.stdout.contains('?'), "{status}");
    assert_eq!(git_directory.changes(&outer.join(".git")), Vec::<String>::new());
    assert_eq!(fs::read_to_string(outer.join("precious")).unwrap(), "uncommitted\n");
    assert_eq!(fs::read_to_string(workspace.join("work")).unwrap(), "work\n");
}

#[test]
fn what_could_be_lost_is_named_and_kept() {
    let story = Story::new();
    fs::write(story.repo.join(".gitignore"), ".env\nbuild/\n").unwrap();
    story.git(&["add", ".gitignore"]);
    story.git(&["commit", "-q", "-m", "ignore"]);
    let identity = "git config user.name A && git config user.email a@b.c";
    for (script, reason) in [
        ("echo x >new", "1 untracked file"),
        ("echo x >>README.md", "1 uncommitted"),
        ("echo s >.env", ".env"),
        ("git checkout -q --detach && git commit -q --allow-empty -m lone", "commit"),
    ] {
        let id = story.ended(&format!("{identity} && {script}"));
        story.kept(&id, &[], reason);
        let outcome = story.ao(&["cleanup", &id, "--force"]).success();
        assert!(outcome.stderr.contains("to bring it back: git "), "{outcome}");
        let preserved = story.git(&["for-each-ref", "--format=%(refname)", "refs/ao/preserved"]);
        assert!(preserved.contains(&format!("refs/ao/preserved/{id}")), "{preserved}");
        assert!(!story.workspace(&id).exists());
    }
    let built = story.ended("mkdir build && echo x >build/o");
    let gone = story.ao(&["cleanup", &built]).success();
    assert!(gone.stdout.contains("cleaned up, branch deleted"), "{gone}");

    let conflict = format!(
        "{identity} && echo a >f && git add f && git commit -q -m a && git checkout -q -b side HEAD~1 \
         && echo b >f && git add f && git commit -q -m b; git rebase {{0}} >/dev/null 2>&1; exit 0"
    );
    let conflict = conflict.replace("{0}", "@{-1}");
    let id = story.ended(&conflict);
    story.kept(&id, &[], "rebase");
    assert_eq!(story.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_workspace_that_somebody_uses_or_locked_stays_even_with_force() {
    let story = Story::new();
    let id = story.ended("true");
    let workspace = story.workspace(&id);
    let place = workspace.to_str().unwrap();
    story.git(&["worktree", "lock", "--reason", "on a stick", place]);
    story.kept(&id, &[], "on a stick");
    story.kept(&id, &["--force"], "on a stick");
    story.git(&["worktree", "unlock", place]);

    let sleep = story.env.command("sleep").arg("600").cwd(&workspace);
    let null = std::process::Stdio::null;
    let mut sleeper = sleep.spawn(null(), null(), null()).unwrap();
    story.env.wait_for("the sleeper to stand there", || {
        let cwd = fs::read_link(format!("/proc/{}/cwd", sleeper.id())).ok()?;
        (cwd == workspace).then_some(())
    });
    story.kept(&id, &[], &sleeper.id().to_string());
    story.kept(&id, &["--force"], &sleeper.id().to_string());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();

    let index_lock = story.git(&["-C", place, "rev-parse", "--git-path", "index.lock"]);
    let index_lock = workspace.join(index_lock);
    fs::write(&index_lock, "").unwrap();
    story.kept(&id, &[], "index.lock");
    story.kept(&id, &["--force"], "index.lock");
    assert!(index_lock.exists());
    fs::remove_file(index_lock).unwrap();
    story.ao(&["cleanup", &id]).success();
    assert!(!workspace.exists());
}

#[test]
fn an_index_lock_in_the_users_own_worktree_is_left_alone_and_stops_no_spawn() {
    let story = Story::new();
    let lock = story.repo.join(".git/index.lock");
    fs::write(&lock, "").unwrap();
    let id = story.ended("true");
    story.ao(&["cleanup", &id]).success();
    assert!(lock.exists());
}

#[test]
fn a_workspace_deleted_by_hand_is_said_to_be_gone_and_everything_goes_on() {
    let story = Story::new();
    let live = story.spawn("exec sleep 600");
    let over = story.ended("true");
    for id in [&live, &over] {
        fs::remove_dir_all(story.workspace(id)).unwrap();
    }
    let status = story.ao(&["status", &live, "--git"]).success();
    assert!(status.stdout.contains("does not exist"), "{status}");
    let path = story.ao(&["path", &live]).code(3);
    assert!(path.stderr.contains("is gone"), "{path}");
    story.ao(&["exec", &live, "--", "true"]).code(3);
    story.ao(&["kill", &live]).success();
    story.ao(&["restore", &over]).success();
    assert!(story.workspace(&over).join("README.md").exists());
    story.ao(&["wait", &over, "--timeout", "20s"]).success();
    for id in [&live, &over] {
        let cleaned = story.ao(&["cleanup", id]).success();
        assert!(cleaned.stdout.contains("cleaned up"), "{cleaned}");
    }
    assert_eq!(story.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(story.git(&["branch"]), "* main");
}

#[test]
fn a_repository_that_was_moved_or_deleted_still_lets_its_sessions_be_ended() {
    for deleted in [false, true] {
        let story = Story::new();
        let ids = [story.spawn("exec sleep 600"), story.ended("echo work >work")];
        if deleted {
            fs::remove_dir_all(&story.repo).unwrap();
        } else {
            fs::rename(&story.repo, story.env.path("repos/moved")).unwrap();
        }
        let ao = |args: &[&str]| story.env.ao(args);
        let status = ao(&["status", &ids[1], "--git"]).success();
        assert!(status.stdout.contains('?'), "{status}");
        ao(&["reap"]).success();
        ao(&["kill", &ids[0]]).success();
        let cleaned = ao(&["cleanup", "--yes"]).success();
        let work = fs::read_to_string(story.workspace(&ids[1]).join("work"));
        assert_eq!(work.unwrap(), "work\n", "{cleaned}");
        ao(&["cleanup", &ids[1]]).code(5);
        assert!(ao(&["show", &ids[1]]).success().stdout.starts_with("status: done"));
        let restore = ao(&["restore", &ids[0]]);
        assert_ne!(restore.status, 0, "{restore}");
        assert!(restore.stderr.contains("/repos/app"), "{restore}");
        ao(&["doctor", "--state"]).success();
    }
}

#[test]
fn a_repository_that_was_moved_is_found_again_by_project_set() {
    let story = Story::new();
    let id = story.ended("true");
    let moved = story.env.path("repos/moved");
    fs::rename(&story.repo, &moved).unwrap();
    story.env.ao(&["project", "set", "app", "--repo", moved.to_str().unwrap()]).success();
    let next = story.env.ao_in(&moved, &["spawn", "-a", "shell", "--runtime", "process", "true"]);
    assert_eq!(next.success().stdout, "app-2\n");
    assert!(story.workspace(&id).exists());
}

#[test]
fn files_that_git_does_not_carry_are_copied_and_linked_as_asked() {
    let story = Story::new();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(story.repo.join(name).parent().unwrap()).unwrap();
        fs::write(story.repo.join(name), text).unwrap();
    };
    write(".gitignore", ".env*\ncache/\nmodels/\n");
    write(".worktreeinclude", "# secrets\n.env*\n!.env.old\n");
    story.git(&["add", ".gitignore", ".worktreeinclude"]);
    story.git(&["commit", "-q", "-m", "include"]);
    for (name, text) in [
        (".env", "secret\n"),
        (".env.old", "old\n"),
        ("cache/big", "cached\n"),
        ("models/m", "model\n"),
    ] {
        write(name, text);
    }
    write(".ao/config.toml", "[workspace]\ncopy = [\"cache\"]\nsymlinks = [\"models\"]\n");
    story.git(&["add", ".ao"]);
    story.git(&["commit", "-q", "-m", "config"]);
    let id = story.ended("cat .env cache/big models/m >seen");
    let workspace = story.workspace(&id);
    assert_eq!(fs::read_to_string(workspace.join("seen")).unwrap(), "secret\ncached\nmodel\n");
    assert!(!workspace.join(".env.old").exists());
    assert!(fs::symlink_metadata(workspace.join("models")).unwrap().is_symlink());
    assert!(!fs::symlink_metadata(workspace.join("cache")).unwrap().is_symlink());
    story.ao(&["cleanup", "--force", &id]).success();
    assert_eq!(fs::read_to_string(story.repo.join("models/m")).unwrap(), "model\n");

    write(".ao/config.toml", "[workspace]\nsymlinks = [\"../outside\"]\n");
    let refused = story.try_spawn("true").code(2);
    assert!(refused.stderr.contains("config.toml:2: `workspace.symlinks`"), "{refused}");
    assert_eq!(story.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn paths_with_anything_in_them_work_and_run_nothing() {
    let names = [
        "with space",
        "it's \"quoted\"",
        "#(touch pwned)",
        "größe-日本",
        "ends;",
        "$(touch pwned)`touch pwned`",
        "-rf",
    ];
    for name in names {
        loop_in(name, name);
    }
    loop_in(&"d".repeat(90), "deep");
}

/// Spawns in tmux, in a home and a repository of these names, and clears everything away.
fn loop_in(home: &str, repository: &str) {
    let env = TestEnvironment::new();
    let homes = env.path("homes");
    let home = homes.join(home);
    fs::create_dir(&homes).unwrap();
    env.set("AO_HOME", &home);
    let repo = env.repo(repository);
    let before = Tree::of(&repo);
    let ao = |args: &[&str]| env.ao_in(&repo, args);
    let script = ["spawn", "-a", "shell", "--mode", "interactive", "pwd >../here; exec cat"];
    let id = ao(&script).success().stdout.trim().to_owned();
    let workspace = PathBuf::from(ao(&["path", "1"]).success().stdout.trim_end_matches('\n'));
    assert!(workspace.starts_with(&home), "{}", workspace.display());
    let here = workspace.parent().unwrap().join("here");
    let here =
        env.wait_for("the agent", || fs::read_to_string(&here).ok().filter(|it| !it.is_empty()));
    assert_eq!(Path::new(here.trim_end_matches('\n')), workspace);
    ao(&["reap"]).success();
    assert!(ao(&["status", "--git"]).success().stdout.contains("working"));
    ao(&["output", &id]).success();
    ao(&["kill", &id]).success();
    ao(&["cleanup", &id]).success();
    assert_eq!(env.git(&repo, &["worktree", "list"]).lines().count(), 1);
    let changes = before.changes(&repo);
    let unexpected: Vec<_> = changes.iter().filter(|it| !it.contains(".git")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    // A home too deep for a socket has a directory of its own for it.
    let tmux = Tmux::new(&home, &home).unwrap();
    let sockets = tmux.socket().parent().unwrap().to_owned();
    if !sockets.starts_with(&home) {
        fs::remove_dir_all(sockets).unwrap();
    }
    for place in [env.path("user"), home, workspace.parent().unwrap().to_owned(), env.path("")] {
        assert!(!place.join("pwned").exists());
    }
}

/// Returns the modes of all that is in `directory`, by their names there.
fn modes(directory: &Path) -> Vec<(PathBuf, String)> {
    let mode = |path: &PathBuf| {
        let name = path.strip_prefix(directory).unwrap().to_owned();
        (name, format!("{:o}", fs::metadata(path).unwrap().permissions().mode()))
    };
    // What is `ao`'s own git takes away with the rest.
    let mut all: Vec<_> = files_below(directory).iter().map(mode).collect();
    all.retain(|(name, _)| !name.ends_with("ao-made"));
    all.sort();
    all
}

#[test]
fn what_is_made_of_a_worktree_has_the_modes_that_the_umask_leaves() {
    let story = Story::new();
    for (setting, way) in [("false", "copy"), ("true", "git")] {
        story.env.git(&story.repo, &["config", "core.autocrlf", setting]);
        for mask in ["002", "027", "077"] {
            let (theirs, ours) = (format!("{way}-theirs-{mask}"), format!("{way}-ours-{mask}"));
            let path = story.env.path(&theirs);
            let script = format!(
                "umask {mask}; git worktree add -q -b {theirs} {} && \
                 {} spawn -a shell --runtime process --id {ours} --wait true",
                path.display(),
                env!("CARGO_BIN_EXE_ao")
            );
            let command = story.env.command("sh").args(["-c", &script]).cwd(&story.repo);
            story.env.run(&command).success();
            let made = story.env.record(&ours)["handles"]["workspace"]["made"].clone();
            assert!(made.as_str().unwrap().starts_with(&format!("{way}:")), "{made}");
            let entries = story.repo.join(".git/worktrees");
            assert_eq!(modes(&entries.join(&ours)), modes(&entries.join(&theirs)), "{mask}");
            let place = story.env.home().join("worktrees/app").join(&ours);
            assert_eq!(modes(&place), modes(&path), "{mask}");
        }
    }
}

#[test]
fn a_branch_that_could_not_be_synced_is_taken_back() {
    let story = Story::new();
    let words = ["spawn", "-a", "shell", "--runtime", "process", "--wait", "--id"];
    let spawn = |id: &str, fault: &str| {
        let command = story.env.ao_command(&[&words[..], &[id, "true"]].concat()).cwd(&story.repo);
        story.env.run(&command.env("AO_FAILPOINT", fault))
    };
    spawn("first", "").success();
    // Undisturbed, to learn when the branch is synced.
    let trace = story.env.path("trace");
    spawn("second", &format!("fs.sync=trace:{}", trace.display())).success();
    let text = fs::read_to_string(trace).unwrap();
    let nth = text.lines().position(|line| line.contains("/refs/heads/ao/")).unwrap() + 1;
    for (number, (fault, code)) in
        [("git2.unbranch=kill", 137), ("git2.unbranch#1=error:4", 1)].into_iter().enumerate()
    {
        let id = format!("next-{number}");
        spawn(&id, &format!("fs.sync#{nth}=error:5,{fault}")).code(code);
        story.ao(&["reap"]).success();
        assert_eq!(story.git(&["branch", "--list", &format!("ao/{id}")]), "", "{fault}");
        assert!(!story.workspace(&id).exists(), "{fault}");
        story.ao(&["doctor", "--state"]).success();
    }
}

#[test]
fn two_projects_do_not_share_a_repository() {
    let env = TestEnvironment::new();
    for name in ["app", "web"] {
        let repo = env.repo(name);
        env.ao_in(&repo, &["project", "add"]).success();
    }
    let app = env.path("repos/app");
    let before = env.ao(&["project", "ls", "--json"]).stdout;
    for dry_run in [&["--dry-run"][..], &[]] {
        let set = ["project", "set", "web", "--repo", app.to_str().unwrap()];
        let refused = env.ao(&[&set[..], dry_run].concat()).code(4);
        assert!(refused.stderr.contains("is project app already"), "{refused}");
    }
    assert_eq!(env.ao(&["project", "ls", "--json"]).stdout, before);
    env.ao(&["project", "set", "app", "--repo", app.to_str().unwrap()]).success();
}
