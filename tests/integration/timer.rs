//! The timers that `ao timer` installs, with a crontab and a systemctl that keep what they are
//! told, the real `systemd-analyze`, and a line run the way cron runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ao::adapter::scheduler::{
    self, Change, Installed, Programs, Scheduler, SchedulerError, Timer, cron_line, service_unit,
    timer_unit, unit_name,
};

use crate::env::{TestEnvironment, program_in_path};
use crate::schema::assert_answer;

const MINUTE: Duration = Duration::from_secs(60);

/// A directory name with everything that a unit, cron or a shell could stumble over.
const STRANGE: &str = "a b%c'd\"e$HOME\\f;g#h`i`";

fn programs(env: &TestEnvironment) -> Programs {
    Programs {
        systemctl: env.path("bin/systemctl").into(),
        loginctl: env.path("bin/loginctl").into(),
        crontab: env.path("bin/crontab").into(),
    }
}

fn timer(env: &TestEnvironment, interval: Duration) -> Timer {
    Timer {
        ao: env.path("bin/ao"),
        home: env.home(),
        path: "/usr/bin:/bin".into(),
        interval,
        config_home: None,
        units: env.path("user/config/systemd/user"),
    }
}

/// Lets a systemd manager answer that writes down what it is told.
fn manager(env: &TestEnvironment) {
    let script = "echo \"$*\" >>\"${0%/bin/*}/systemctl-calls\"\n\
                  case $* in *is-active*) echo active;; esac\n";
    env.shims(&[("systemctl", script), ("loginctl", "echo yes\n")]);
}

/// Returns what the manager was told, questions left out.
fn told(env: &TestEnvironment) -> String {
    let calls = fs::read_to_string(env.path("systemctl-calls")).unwrap_or_default();
    let orders =
        calls.lines().filter(|call| !call.contains(" show ") && !call.contains("is-active"));
    let unit = unit_name(&env.home());
    let lines = orders.map(|call| format!("{}\n", call.replace(&unit, "[UNIT]")));
    lines.collect::<String>().replace("--user --no-pager --no-ask-password ", "")
}

#[test]
fn the_packages_own_timer_is_told_for_the_home_that_it_is_for() {
    let env = TestEnvironment::new();
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/ao-reap.timer");
    let show = |state: &str| {
        let said = format!("ActiveState={state}\\nFragmentPath={unit}\\n");
        let script = format!("case $* in *' show ao-reap.timer '*) printf '{said}';; esac\n");
        env.shims(&[("systemctl", &script)]);
    };
    let home = env.path("user/.local/state/ao");
    let told = |home: &Path| {
        env.ao(&["--home", home.to_str().unwrap(), "timer", "status"]).success().stdout
    };
    show("active");
    let active = "systemd timer, every 1m, active\nlast reap: never\n";
    assert_eq!(told(&home), active);
    let none = "no timer is installed\nlast reap: never\n";
    assert_eq!(told(&env.home()), none, "its passes are in another home");
    let answer = env.ao(&["--home", home.to_str().unwrap(), "timer", "status", "--json"]);
    assert_answer("TimerAnswer", &answer.success().json());
    show("inactive");
    assert_eq!(told(&home), none);
}

#[test]
fn a_crontab_gains_one_line_and_loses_it_again() {
    let env = TestEnvironment::new();
    let (programs, timer) = (programs(&env), timer(&env, MINUTE));
    let theirs = "# mine\nMAILTO=me\n\n0 5 * * 1  tar -c ~ | ssh x\\%y\n";
    fs::write(env.path("crontab"), theirs).unwrap();
    assert_eq!(scheduler::detect(&programs).unwrap(), Scheduler::Cron);

    let install = |timer: &Timer| scheduler::install(&programs, Scheduler::Cron, timer).unwrap();
    assert_eq!(install(&timer), Change::Made);
    assert_eq!(install(&timer), Change::Already);
    let table = fs::read_to_string(env.path("crontab")).unwrap();
    let line = cron_line(&timer.ao, &timer.home, &timer.path, None, MINUTE).unwrap();
    assert_eq!(table, format!("{theirs}{line}\n"));

    let slower = Timer { interval: MINUTE * 10, ..timer.clone() };
    assert_eq!(install(&slower), Change::Made);
    let found = scheduler::status(&programs, &timer.units, &timer.home).unwrap();
    let wanted =
        Installed { scheduler: Scheduler::Cron, interval: Some(MINUTE * 10), active: None };
    assert_eq!(found, [wanted]);
    assert_eq!(scheduler::status(&programs, &timer.units, Path::new("/other")).unwrap(), []);

    let remove = || scheduler::remove(&programs, &timer.units, &timer.home).unwrap();
    assert_eq!(remove(), Change::Made);
    assert_eq!(fs::read_to_string(env.path("crontab")).unwrap(), theirs);
    assert_eq!(remove(), Change::Already);
}

#[test]
fn a_crontab_of_nothing_else_is_removed_with_its_line() {
    let env = TestEnvironment::new();
    let (programs, timer) = (programs(&env), timer(&env, MINUTE));
    scheduler::install(&programs, Scheduler::Cron, &timer).unwrap();
    scheduler::remove(&programs, &timer.units, &timer.home).unwrap();
    assert!(!env.path("crontab").exists());
}

#[test]
fn a_crontab_that_cannot_be_read_is_not_replaced() {
    let env = TestEnvironment::new();
    let (programs, timer) = (programs(&env), timer(&env, MINUTE));
    env.shims(&[(
        "crontab",
        "[ \"$1\" = -l ] || echo written >\"${0%/bin/*}/crontab\"\n\
         echo 'You (tester) are not allowed to use this program' >&2; exit 1\n",
    )]);
    let error = scheduler::install(&programs, Scheduler::Cron, &timer).unwrap_err();
    insta::assert_snapshot!(
        error,
        @"could not read the crontab: You (tester) are not allowed to use this program"
    );
    assert!(!env.path("crontab").exists());
}

#[test]
fn without_any_scheduler_that_is_said() {
    let env = TestEnvironment::new();
    let programs = Programs { crontab: env.path("bin/none").into(), ..programs(&env) };
    let timer = timer(&env, MINUTE);
    assert!(matches!(scheduler::detect(&programs), Err(SchedulerError::NoScheduler)));
    let error = scheduler::install(&programs, Scheduler::Cron, &timer).unwrap_err();
    insta::assert_snapshot!(error, @"there is neither a systemd user manager nor a crontab program");
    assert_eq!(scheduler::status(&programs, &timer.units, &timer.home).unwrap(), []);
    let removed = scheduler::remove(&programs, &timer.units, &timer.home).unwrap();
    assert_eq!(removed, Change::Already);
}

#[test]
fn systemd_units_are_written_started_and_taken_back() {
    let env = TestEnvironment::new();
    manager(&env);
    let (programs, timer) = (programs(&env), timer(&env, MINUTE));
    assert_eq!(scheduler::detect(&programs).unwrap(), Scheduler::Systemd);
    assert_eq!(scheduler::lingers(&programs, "tester"), Some(true));
    // A line from before there was systemd would make every pass twice.
    scheduler::install(&programs, Scheduler::Cron, &timer).unwrap();

    let install = || scheduler::install(&programs, Scheduler::Systemd, &timer).unwrap();
    assert_eq!(install(), Change::Made);
    assert!(!env.path("crontab").exists());
    insta::assert_snapshot!(told(&env), @r"
    daemon-reload
    enable --quiet [UNIT].timer
    restart [UNIT].timer
    ");
    assert_eq!(install(), Change::Already);
    let found = scheduler::status(&programs, &timer.units, &timer.home).unwrap();
    let wanted =
        Installed { scheduler: Scheduler::Systemd, interval: Some(MINUTE), active: Some(true) };
    assert_eq!(found, [wanted]);

    fs::remove_file(env.path("systemctl-calls")).unwrap();
    let remove = || scheduler::remove(&programs, &timer.units, &timer.home).unwrap();
    assert_eq!(remove(), Change::Made);
    assert_eq!(remove(), Change::Already);
    insta::assert_snapshot!(told(&env), @r"
    disable --quiet --now [UNIT].timer
    daemon-reload
    ");
    assert_eq!(fs::read_dir(&timer.units).unwrap().count(), 0);
}

#[test]
fn systemd_itself_finds_nothing_wrong_with_the_units() {
    let Some(analyze) = program_in_path("systemd-analyze") else { return };
    let env = TestEnvironment::new();
    // A program with a quote or a backslash in its path is refused; a home may have them.
    for (directory, home) in [("plain", "plain"), ("a b%c$HOME;g#h`i`", STRANGE)] {
        let (home, ao) = (env.path(home), fake_ao(&env, &env.path(directory)));
        let name = unit_name(&home);
        let files = [
            (
                format!("{name}.service"),
                service_unit(&ao, &home, "/bin:/x y", Some(&home)).unwrap(),
            ),
            (format!("{name}.timer"), timer_unit(&home, MINUTE).unwrap()),
        ];
        let paths = files.map(|(file, text)| {
            let path = env.path("tmp").join(file);
            fs::write(&path, text).unwrap();
            path
        });
        let verify = env.command(&analyze).args(["--user", "--man=no", "verify"]).args(paths);
        let outcome = env.run(&verify).success();
        assert!(!outcome.stderr.contains(&name), "{outcome}");
    }
}

#[test]
fn cron_runs_the_line_as_it_was_meant() {
    let env = TestEnvironment::new();
    for directory in ["plain", STRANGE] {
        let directory = env.path(directory);
        let ao = fake_ao(&env, &directory);
        let path = format!("{}:/usr/bin:/bin", directory.display());
        let line = cron_line(&ao, &directory, &path, Some(&directory), MINUTE).unwrap();
        let outcome = run_like_cron(&env, &line);
        let wanted = format!("reap --quiet\n{}\n{path}\n", directory.display());
        assert_eq!(outcome.success().stdout, wanted);
    }
}

/// Makes an `ao` that prints its arguments and the variables a pass depends on.
fn fake_ao(env: &TestEnvironment, directory: &Path) -> PathBuf {
    let script = "printf '%s\\n' \"$*\" \"$AO_HOME\" \"$PATH\"\n";
    env.shims(&[("ao", script)]);
    fs::create_dir(directory).unwrap();
    let ao = directory.join("ao");
    fs::rename(env.path("bin/ao"), &ao).unwrap();
    ao
}

/// Runs a crontab line as crond does: five fields off, `%` a line end (the first one begins the
/// standard input), `\%` a `%`, and the rest for `sh -c` with four variables.
fn run_like_cron(env: &TestEnvironment, line: &str) -> crate::env::Outcome {
    let command = line.splitn(6, ' ').nth(5).unwrap();
    let command = command.replace("\\%", "\u{1}");
    assert!(!command.contains('%'), "the rest would be standard input: {command}");
    let mut cron = env.command("/bin/sh").env_clear().args(["-c", &command.replace('\u{1}', "%")]);
    for name in ["AO_HOME", "LANG", "TERM", "TMPDIR", "TZ", "USER"] {
        cron = cron.env_remove(name);
    }
    for name in ["CACHE_HOME", "CONFIG_HOME", "DATA_HOME", "RUNTIME_DIR", "STATE_HOME"] {
        cron = cron.env_remove(format!("XDG_{name}"));
    }
    env.run(&cron.env("PATH", "/usr/bin:/bin"))
}

#[test]
fn what_cron_will_keep_is_what_is_told_and_recorded() {
    let env = TestEnvironment::new();
    for (asked, kept, seconds) in [
        ("10s", "1m", 60),
        ("90s", "1m", 60),
        ("7m", "6m", 360),
        ("45m", "30m", 1800),
        ("36h", "1day", 86_400),
    ] {
        let install = ["timer", "install", "--interval", asked];
        let planned = env.ao(&[&install[..], &["--dry-run"]].concat()).success();
        assert!(planned.stdout.contains(&format!("every {kept}")), "{asked}: {planned}");
        let told = env.ao(&install).success().stdout;
        assert!(told.ends_with(&format!(": ao reap every {kept}\n")), "{asked}: {told}");
        let record = fs::read_to_string(env.home().join("timer.json")).unwrap();
        assert!(record.contains(&format!("\"interval_s\":{seconds},")), "{asked}: {record}");
        assert!(env.ao(&["timer", "status"]).stdout.contains(&format!("every {kept}")), "{asked}");
    }
    let table = fs::read_to_string(env.path("crontab")).unwrap();
    for asked in ["0s", "900ms"] {
        env.ao(&["timer", "install", "--interval", asked]).code(2);
    }
    assert_eq!(fs::read_to_string(env.path("crontab")).unwrap(), table);
}
