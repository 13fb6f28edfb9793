//! What runs `ao reap` regularly: a systemd user timer or a line of the user's crontab.
//!
//! Every home has a timer of its own, named after its path, so two homes never fight over one.
//! Nothing of the user's own schedule is changed: other units are not touched and the other lines
//! of a crontab stay as they are, byte for byte.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::adapter::cmd::{Cmd, CmdError, Output};
use crate::adapter::fs::{self, Durability, FsError};

/// How long one pass may take under systemd before it is ended.
///
/// A oneshot service has no limit of its own, and one that hangs is never started again.
const PASS_LIMIT: Duration = Duration::from_secs(180);

/// The longest command that every cron takes (Vixie's limit is 1000 bytes with its end).
const LONGEST_CRON_COMMAND: usize = 998;

/// What runs the passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// A service and a timer of the user's systemd manager.
    Systemd,
    /// A line of the user's crontab.
    Cron,
}

impl Scheduler {
    /// Returns the pause that it keeps where `interval` is asked for.
    pub fn kept(self, interval: Duration) -> Duration {
        match self {
            Self::Systemd => Duration::from_secs(interval.as_secs()),
            Self::Cron => cron_interval(&cron_schedule(interval)).unwrap_or(interval),
        }
    }

    /// Returns its name as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Cron => "cron",
        }
    }
}

/// The programs that are talked to, by name or path.
#[derive(Clone, Debug)]
pub struct Programs {
    /// systemd's control program.
    pub systemctl: OsString,
    /// logind's control program.
    pub loginctl: OsString,
    /// cron's editor.
    pub crontab: OsString,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            systemctl: "systemctl".into(),
            loginctl: "loginctl".into(),
            crontab: "crontab".into(),
        }
    }
}

/// A timer as it should be.
#[derive(Clone, Debug)]
pub struct Timer {
    /// Absolute path of the `ao` program.
    pub ao: PathBuf,
    /// Absolute path of the home it reaps.
    pub home: PathBuf,
    /// The PATH a pass sees: where tmux, git and the agents are found.
    pub path: String,
    /// `$XDG_CONFIG_HOME`, where it is set: a pass without it would know neither the user's
    /// notifiers nor their cards.
    pub config_home: Option<PathBuf>,
    /// The pause between two passes.
    pub interval: Duration,
    /// Where the user's systemd units are: `$XDG_CONFIG_HOME/systemd/user`.
    pub units: PathBuf,
}

/// Whether there was something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was changed.
    Made,
    /// It was already so.
    Already,
}

/// A timer as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Where it was found.
    pub scheduler: Scheduler,
    /// The pause between two passes, where it can be read.
    pub interval: Option<Duration>,
    /// Whether it is waiting for its next turn; `None` where that cannot be told (a crontab does
    /// not say whether a cron runs).
    pub active: Option<bool>,
}

/// Why a timer could not be installed, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// Neither scheduler is there.
    #[error("there is neither a systemd user manager nor a crontab program")]
    NoScheduler,
    /// A path that would mean something else in a unit or a crontab.
    #[error("{what} `{}` cannot be written into a timer: it has to be absolute, UTF-8 and without control characters or, for systemd's program, quotes", value.escape_debug())]
    Unspeakable {
        /// Which path.
        what: &'static str,
        /// The path.
        value: String,
    },
    /// A line that cron would cut off.
    #[error(
        "the crontab line would have {length} bytes, and cron takes {LONGEST_CRON_COMMAND}: use a shorter PATH"
    )]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The crontab cannot be read, so it is not replaced either.
    #[error("could not read the crontab: {reason}")]
    Crontab {
        /// What `crontab -l` said.
        reason: String,
    },
    /// A program failed.
    #[error(transparent)]
    Cmd(#[from] CmdError),
    /// A unit file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
}

/// Returns the scheduler to use here: systemd where the user's manager answers, else cron.
pub fn detect(programs: &Programs) -> Result<Scheduler, SchedulerError> {
    if systemd_answers(programs) {
        return Ok(Scheduler::Systemd);
    }
    match crontab(programs, &["-l"]).output() {
        Err(CmdError::Missing { .. }) => Err(SchedulerError::NoScheduler),
        Ok(_) | Err(_) => Ok(Scheduler::Cron),
    }
}

/// Puts the timer in place, replacing an earlier one of the same home in either scheduler.
pub fn install(
    programs: &Programs,
    scheduler: Scheduler,
    timer: &Timer,
) -> Result<Change, SchedulerError> {
    match scheduler {
        Scheduler::Systemd => {
            let change = install_units(programs, timer)?;
            remove_cron_line(programs, &timer.home)?;
            Ok(change)
        }
        Scheduler::Cron => {
            let line = cron_line(
                &timer.ao,
                &timer.home,
                &timer.path,
                timer.config_home.as_deref(),
                timer.interval,
            )?;
            let change = edit_crontab(programs, &timer.home, Some(&line))?;
            remove_units(programs, &timer.units, &timer.home)?;
            Ok(change)
        }
    }
}

/// The timer in the package.
const PACKAGED: &str = "ao-reap.timer";

/// Returns the timers of `home`, one per scheduler at the most.
pub fn status(
    programs: &Programs,
    units: &Path,
    home: &Path,
) -> Result<Vec<Installed>, SchedulerError> {
    let mut found = Vec::new();
    let name = unit_name(home);
    if let Some(text) = fs::read_optional(&units.join(format!("{name}.timer")))? {
        let state = systemctl(programs, &["is-active", &format!("{name}.timer")]).output();
        found.push(Installed {
            scheduler: Scheduler::Systemd,
            interval: timer_interval(&String::from_utf8_lossy(&text)),
            active: state.ok().map(|output| output.text() == "active"),
        });
    }
    if let Some(text) = read_crontab(programs)? {
        let tag = cron_tag(home);
        let line = text.split(|byte| *byte == b'\n').find(|line| line.ends_with(tag.as_bytes()));
        if let Some(line) = line {
            let interval = cron_interval(&String::from_utf8_lossy(line));
            found.push(Installed { scheduler: Scheduler::Cron, interval, active: None });
        }
    }
    Ok(found)
}

/// Returns the timer that the package brings where the user has switched it on; it is for the home
/// that is nobody's choice.
pub fn packaged(programs: &Programs) -> Option<Installed> {
    let properties = "--property=ActiveState,FragmentPath";
    let output = systemctl(programs, &["show", PACKAGED, properties]).read().ok()?.text();
    let value = |name: &str| output.lines().find_map(|line| line.strip_prefix(name));
    if value("ActiveState=")? != "active" {
        return None;
    }
    let unit = value("FragmentPath=").map(Path::new).and_then(|path| fs::read_text(path).ok());
    let interval = unit.as_deref().and_then(timer_interval);
    Some(Installed { scheduler: Scheduler::Systemd, interval, active: Some(true) })
}

/// Takes the timer of `home` out of every scheduler.
pub fn remove(programs: &Programs, units: &Path, home: &Path) -> Result<Change, SchedulerError> {
    let systemd = remove_units(programs, units, home)?;
    let cron = remove_cron_line(programs, home)?;
    Ok(if systemd == Change::Made || cron == Change::Made { Change::Made } else { Change::Already })
}

/// Returns whether `user`'s systemd manager goes on after the last log-out; `None` where logind
/// does not say.
pub fn lingers(programs: &Programs, user: &str) -> Option<bool> {
    let arguments = ["show-user", "--property=Linger", "--value", "--", user];
    let output = Cmd::new(&programs.loginctl).args(arguments).read().ok()?;
    match output.text().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Returns the name of the units of `home`, without their suffixes.
pub fn unit_name(home: &Path) -> String {
    let digest = Sha256::digest(home.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("ao-reap-{short}")
}

/// Returns the service that makes one pass.
pub fn service_unit(
    ao: &Path,
    home: &Path,
    path: &str,
    config_home: Option<&Path>,
) -> Result<String, SchedulerError> {
    let (ao, home) = (speakable("the program", ao)?, speakable("the home", home)?);
    // systemd takes no such program, however it is quoted.
    if ao.contains(['"', '\'', '\\']) {
        return Err(SchedulerError::Unspeakable { what: "the program", value: ao.to_owned() });
    }
    let path = without_control("PATH", path)?;
    let config = match config_home {
        Some(directory) => {
            let directory = speakable("the configuration's directory", directory)?;
            format!(" {}", systemd_quoted(&format!("XDG_CONFIG_HOME={directory}")))
        }
        None => String::new(),
    };
    let environment =
        [systemd_quoted(&format!("AO_HOME={home}")), systemd_quoted(&format!("PATH={path}"))];
    let over = format!(" over {}", home.replace('%', "%%"));
    Ok(service_text(&over, &systemd_quoted(ao), &format!("{}{config}", environment.join(" "))))
}

/// Returns the units that a package installs for every user, by file name: a timer of each one's
/// own home that nobody has to enable, for `ao timer install` does the same for any home.
pub fn packaged_units() -> [(&'static str, String); 2] {
    // A user manager's own PATH knows no programs in the user's home.
    let environment = "PATH=%h/.local/bin:/usr/local/bin:/usr/bin:/bin";
    [
        ("ao-reap.service", service_text("", "/usr/bin/ao", environment)),
        ("ao-reap.timer", timer_text("", Duration::from_secs(60))),
    ]
}

fn service_text(over: &str, ao: &str, environment: &str) -> String {
    let limit = PASS_LIMIT.as_secs();
    // KillMode: with the default, the end of a pass would kill every process it left running, a
    // tmux server with all its agents among them.
    format!(
        "[Unit]\n\
         Description=One pass of ao{over}\n\
         Documentation=man:ao(1)\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart={ao} reap --quiet\n\
         Environment={environment} LC_ALL=C.UTF-8\n\
         KillMode=process\n\
         TimeoutStartSec={limit}\n\
         UMask=0077\n"
    )
}

/// Returns the timer that starts the service of the same name.
pub fn timer_unit(home: &Path, interval: Duration) -> Result<String, SchedulerError> {
    let home = speakable("the home", home)?.replace('%', "%%");
    Ok(timer_text(&format!(" over {home}"), interval))
}

fn timer_text(over: &str, interval: Duration) -> String {
    // Measured from the end of a pass, so that a slow one is not followed by the next at once.
    // Without AccuracySec a pass may come a minute late.
    format!(
        "[Unit]\n\
         Description=Passes of ao{over}\n\
         Documentation=man:ao(1)\n\
         \n\
         [Timer]\n\
         OnStartupSec=1min\n\
         OnUnitInactiveSec={seconds}s\n\
         AccuracySec=5s\n\
         \n\
         [Install]\n\
         WantedBy=timers.target\n",
        seconds = interval.as_secs().max(1),
    )
}

/// Returns the crontab line, without its line end.
pub fn cron_line(
    ao: &Path,
    home: &Path,
    path: &str,
    config_home: Option<&Path>,
    interval: Duration,
) -> Result<String, SchedulerError> {
    let tag = cron_tag(home);
    let (ao, home) = (speakable("the program", ao)?, speakable("the home", home)?);
    let path = without_control("PATH", path)?;
    let config = match config_home {
        Some(directory) => {
            let directory = speakable("the configuration's directory", directory)?;
            format!(" XDG_CONFIG_HOME={}", shell_quoted(directory))
        }
        None => String::new(),
    };
    let command = format!(
        "AO_HOME={} PATH={}{config} LC_ALL=C.UTF-8 {} reap --quiet",
        shell_quoted(home),
        shell_quoted(path),
        shell_quoted(ao)
    );
    let command = format!("{}{tag}", cron_escaped(&command));
    if command.len() > LONGEST_CRON_COMMAND {
        return Err(SchedulerError::TooLong { length: command.len() });
    }
    Ok(format!("{} {command}", cron_schedule(interval)))
}

/// Returns cron's five fields for the longest interval it can keep that is not above `interval`;
/// a minute at the least.
fn cron_schedule(interval: Duration) -> String {
    // Only what divides an hour or a day evenly; anything else would leave a short gap at its end.
    const MINUTES: &[u64] = &[30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
    const HOURS: &[u64] = &[24, 12, 8, 6, 4, 3, 2, 1];
    let minutes = interval.as_secs() / 60;
    if let Some(hours) = HOURS.iter().find(|hours| **hours * 60 <= minutes) {
        return match hours {
            24 => "0 0 * * *".to_owned(),
            1 => "0 * * * *".to_owned(),
            hours => format!("0 */{hours} * * *"),
        };
    }
    match MINUTES.iter().find(|step| **step <= minutes) {
        None | Some(1) => "* * * * *".to_owned(),
        Some(step) => format!("*/{step} * * * *"),
    }
}

/// Returns the interval of a line that [`cron_line`] made.
pub(super) fn cron_interval(line: &str) -> Option<Duration> {
    let mut fields = line.split(' ');
    let (minute, hour) = (fields.next()?, fields.next()?);
    let step = |field: &str| match field.strip_prefix("*/") {
        Some(step) => step.parse::<u64>().ok(),
        None => (field == "*").then_some(1),
    };
    let minutes = match (minute, hour) {
        ("0", "0") => 24 * 60,
        ("0", hour) => step(hour)?.checked_mul(60)?,
        (minute, _) => step(minute)?,
    };
    minutes.checked_mul(60).map(Duration::from_secs)
}

/// Returns the interval of a unit that [`timer_unit`] made.
pub(super) fn timer_interval(unit: &str) -> Option<Duration> {
    let value = unit.lines().find_map(|line| line.strip_prefix("OnUnitInactiveSec="))?;
    humantime::parse_duration(value).ok()
}

/// Returns the shell comment by which the line of `home` is known.
fn cron_tag(home: &Path) -> String {
    format!(" # {} (ao timer)", unit_name(home))
}

/// cron turns every `%` that has no backslash into a line end.
fn cron_escaped(command: &str) -> String {
    command.replace('%', "\\%")
}

/// Returns `text` as one word for `sh`.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns `text` as one word for a unit file; `%` begins a specifier there.
///
/// `$` stays: neither the program's path nor `Environment=` expands it.
fn systemd_quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{escaped}\"")
}

fn speakable<'a>(what: &'static str, path: &'a Path) -> Result<&'a str, SchedulerError> {
    let unspeakable =
        || SchedulerError::Unspeakable { what, value: path.to_string_lossy().into_owned() };
    let text = path.to_str().filter(|_| path.is_absolute()).ok_or_else(unspeakable)?;
    without_control(what, text)
}

fn without_control<'a>(what: &'static str, text: &'a str) -> Result<&'a str, SchedulerError> {
    if text.chars().any(char::is_control) {
        return Err(SchedulerError::Unspeakable { what, value: text.to_owned() });
    }
    Ok(text)
}

fn install_units(programs: &Programs, timer: &Timer) -> Result<Change, SchedulerError> {
    let name = unit_name(&timer.home);
    let files = [
        (
            format!("{name}.service"),
            service_unit(&timer.ao, &timer.home, &timer.path, timer.config_home.as_deref())?,
        ),
        (format!("{name}.timer"), timer_unit(&timer.home, timer.interval)?),
    ];
    fs::create_private_directories(&timer.units)?;
    let mut change = Change::Already;
    for (file, text) in &files {
        let path = timer.units.join(file);
        if fs::read_optional(&path)?.as_deref() != Some(text.as_bytes()) {
            fs::replace(&path, text.as_bytes(), Durability::PowerCut)?;
            change = Change::Made;
        }
    }
    let unit = format!("{name}.timer");
    let active = systemctl(programs, &["is-active", "--quiet", &unit]).output()?.success();
    if change == Change::Made || !active {
        systemctl(programs, &["daemon-reload"]).read()?;
        systemctl(programs, &["enable", "--quiet", &unit]).read()?;
        // A running timer keeps its old interval until it is restarted.
        systemctl(programs, &["restart", &unit]).read()?;
        change = Change::Made;
    }
    Ok(change)
}

fn remove_units(programs: &Programs, units: &Path, home: &Path) -> Result<Change, SchedulerError> {
    let name = unit_name(home);
    let paths = [format!("{name}.timer"), format!("{name}.service")].map(|file| units.join(file));
    let mut there = false;
    for path in &paths {
        there |= fs::metadata(path)?.is_some();
    }
    if !there {
        return Ok(Change::Already);
    }
    // Where no manager answers there is no timer to stop, only files to remove.
    let answers = systemd_answers(programs);
    if answers {
        let unit = format!("{name}.timer");
        systemctl(programs, &["disable", "--quiet", "--now", &unit]).read()?;
    }
    for path in &paths {
        fs::remove_file(path)?;
    }
    if answers {
        systemctl(programs, &["daemon-reload"]).read()?;
    }
    Ok(Change::Made)
}

fn remove_cron_line(programs: &Programs, home: &Path) -> Result<Change, SchedulerError> {
    edit_crontab(programs, home, None)
}

/// Replaces the line of `home` by `line`, or takes it out.
fn edit_crontab(
    programs: &Programs,
    home: &Path,
    line: Option<&str>,
) -> Result<Change, SchedulerError> {
    let old = match (read_crontab(programs)?, line) {
        (Some(old), _) => old,
        (None, None) => return Ok(Change::Already),
        (None, Some(_)) => return Err(SchedulerError::NoScheduler),
    };
    let new = edited(&old, &cron_tag(home), line);
    if new == old {
        return Ok(Change::Already);
    }
    if new.is_empty() {
        crontab(programs, &["-r"]).read()?;
    } else {
        crontab(programs, &["-"]).stdin(new).read()?;
    }
    Ok(Change::Made)
}

/// Returns the table with the line that ends in `tag` replaced (in its place), added or removed.
pub(super) fn edited(table: &[u8], tag: &str, line: Option<&str>) -> Vec<u8> {
    let mut edited = Vec::with_capacity(table.len());
    let mut line = line;
    for old in table.split_inclusive(|byte| *byte == b'\n') {
        let bare = old.strip_suffix(b"\n").unwrap_or(old);
        if !bare.ends_with(tag.as_bytes()) {
            edited.extend_from_slice(old);
        } else if let Some(line) = line.take() {
            edited.extend_from_slice(line.as_bytes());
            edited.push(b'\n');
        }
    }
    if let Some(line) = line {
        if edited.last().is_some_and(|last| *last != b'\n') {
            edited.push(b'\n');
        }
        edited.extend_from_slice(line.as_bytes());
        edited.push(b'\n');
    }
    edited
}

/// Returns the user's crontab, empty where there is none; `None` where there is no cron.
fn read_crontab(programs: &Programs) -> Result<Option<Vec<u8>>, SchedulerError> {
    let output = match crontab(programs, &["-l"]).output() {
        Ok(output) => output,
        Err(CmdError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match output {
        Output { stdout, .. } if output.status.success() => Ok(Some(stdout)),
        // Every cron says it so; anything else (not allowed, spool gone) is not an empty table.
        Output { stderr, .. } if stderr.contains("no crontab for") => Ok(Some(Vec::new())),
        output => Err(SchedulerError::Crontab { reason: output.last_error().to_owned() }),
    }
}

/// Asks something that only a running manager can answer, and that changes nothing.
fn systemd_answers(programs: &Programs) -> bool {
    let answer = systemctl(programs, &["show", "--property=Version"]).output();
    answer.is_ok_and(|output| output.success())
}

fn systemctl(programs: &Programs, arguments: &[&str]) -> Cmd {
    // enable and restart wait for the manager's job.
    Cmd::new(&programs.systemctl)
        .args(["--user", "--no-pager", "--no-ask-password"])
        .args(arguments)
        .deadline(Duration::from_secs(20))
}

fn crontab(programs: &Programs, arguments: &[&str]) -> Cmd {
    // "no crontab for" is read from its standard error.
    Cmd::new(&programs.crontab).args(arguments).env("LC_ALL", "C")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    #[test]
    fn a_unit_says_everything_that_matters() {
        let unit =
            service_unit(Path::new("/opt/a b/ao"), Path::new("/h/100%/ao"), "/bin:/x\"y\\z", None);
        insta::assert_snapshot!(unit.unwrap(), @r#"
        [Unit]
        Description=One pass of ao over /h/100%%/ao
        Documentation=man:ao(1)

        [Service]
        Type=oneshot
        ExecStart="/opt/a b/ao" reap --quiet
        Environment="AO_HOME=/h/100%%/ao" "PATH=/bin:/x\"y\\z" LC_ALL=C.UTF-8
        KillMode=process
        TimeoutStartSec=180
        UMask=0077
        "#);
        let unit = timer_unit(Path::new("/h"), Duration::from_secs(90)).unwrap();
        insta::assert_snapshot!(unit, @r"
        [Unit]
        Description=Passes of ao over /h
        Documentation=man:ao(1)

        [Timer]
        OnStartupSec=1min
        OnUnitInactiveSec=90s
        AccuracySec=5s

        [Install]
        WantedBy=timers.target
        ");
        assert_eq!(timer_interval(&unit), Some(Duration::from_secs(90)));
    }

    #[test]
    fn cron_keeps_the_longest_interval_that_is_not_longer() {
        let mut table = String::new();
        for seconds in [0, 59, 60, 119, 120, 420, 1800, 3599, 3600, 7200, 18000, 86399, 900_000] {
            let line = cron_schedule(Duration::from_secs(seconds));
            let minutes = cron_interval(&line).unwrap().as_secs() / MINUTE;
            table.push_str(&format!("{seconds:>6}s => {line:<12} {minutes} min\n"));
        }
        insta::assert_snapshot!(table, @r"
             0s => * * * * *    1 min
            59s => * * * * *    1 min
            60s => * * * * *    1 min
           119s => * * * * *    1 min
           120s => */2 * * * *  2 min
           420s => */6 * * * *  6 min
          1800s => */30 * * * * 30 min
          3599s => */30 * * * * 30 min
          3600s => 0 * * * *    60 min
          7200s => 0 */2 * * *  120 min
         18000s => 0 */4 * * *  240 min
         86399s => 0 */12 * * * 720 min
        900000s => 0 0 * * *    1440 min
        ");
    }

    #[test]
    fn the_other_lines_of_a_crontab_stay_as_they_are() {
        let tag = " # tag";
        let table = b"MAILTO=\"\"\n\n\t5 4 * * * x\xff\n* * * * * old # tag\nlast without end";
        let replaced = edited(table, tag, Some("new # tag"));
        assert_eq!(replaced, b"MAILTO=\"\"\n\n\t5 4 * * * x\xff\nnew # tag\nlast without end");
        let removed = edited(&replaced, tag, None);
        assert_eq!(removed, b"MAILTO=\"\"\n\n\t5 4 * * * x\xff\nlast without end");
        let added = edited(&removed, tag, Some("new # tag"));
        assert_eq!(added, [&removed[..], b"\nnew # tag\n"].concat());
        assert_eq!(edited(b"", tag, Some("new # tag")), b"new # tag\n");
        assert_eq!(edited(b"a # tag\nb # tag\n", tag, Some("c # tag")), b"c # tag\n");
    }

    #[test]
    fn what_cannot_be_written_safely_is_refused() {
        let minute = Duration::from_secs(MINUTE);
        let good = Path::new("/h");
        for bad in ["relative/ao", "", "/a\nb", "/a\u{1b}b"] {
            let line = cron_line(Path::new(bad), good, "/bin", None, minute);
            assert!(matches!(line, Err(SchedulerError::Unspeakable { .. })), "{bad:?}");
            let unit = service_unit(good, Path::new(bad), "/bin", None);
            assert!(matches!(unit, Err(SchedulerError::Unspeakable { .. })), "{bad:?}");
        }
        for bad in ["/a'b", "/a\"b", "/a\\b"] {
            let unit = service_unit(Path::new(bad), good, "/bin", None);
            assert!(matches!(unit, Err(SchedulerError::Unspeakable { .. })), "{bad:?}");
        }
        let long = cron_line(good, good, &"/bin:".repeat(200), None, minute);
        assert!(matches!(long, Err(SchedulerError::TooLong { length: 1001.. })), "{long:?}");
    }

    #[test]
    fn two_homes_have_two_timers() {
        assert_ne!(unit_name(Path::new("/a")), unit_name(Path::new("/b")));
        assert_eq!(unit_name(Path::new("/a")), unit_name(Path::new("/a")));
        assert_eq!(unit_name(Path::new("/a")).len(), "ao-reap-01234567".len());
    }
}
