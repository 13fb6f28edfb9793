//! What tmux prints, as data, and data as what tmux parses; no process is started here.

use crate::adapter::runtime::RuntimeError;
use crate::model::record::RuntimeHandle;

/// One line a pane; the session's name comes last because it may hold anything.
///
/// `@ao_launch` is a pane option: a pane that somebody splits off does not inherit it.
pub const PANE_FORMAT: &str = "#{pane_id}\t#{@ao_launch}\t#{pane_dead}\t#{pane_pid}\t#{start_time}:#{pid}\t#{pane_in_mode}\t#{session_name}";

/// Who the server is: the first line of the answer to who lives.
pub const SERVER_FORMAT: &str = "#{start_time}:#{pid}";

/// What has to be known of a pane to tell that its agent lives. Each field costs the server.
pub const LIVING_FORMAT: &str = "#{@ao_launch}\t#{pane_dead}\t#{pane_pid}";

/// The oldest tmux that has what is used here.
pub const OLDEST: (u32, u32) = (3, 2);

/// A pane of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pane {
    /// Its id (`%3`), valid for as long as its server lives.
    pub id: String,
    /// The launch it was made for; empty for a pane that somebody else made.
    pub launch: String,
    /// Its process has ended.
    pub dead: bool,
    /// Its process: the launcher.
    pub pid: u32,
    /// The server's identity: `<start_time>:<pid>`.
    pub server: String,
    /// It is in copy mode or another mode.
    pub in_mode: bool,
    /// The name of its session.
    pub session: String,
}

/// All panes of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Panes {
    /// There is no server.
    pub absent: bool,
    /// Its panes, sorted by launch.
    pub panes: Vec<Pane>,
}

impl Panes {
    /// Returns what a server that is there says it has.
    pub fn of(mut panes: Vec<Pane>) -> Self {
        panes.sort_by(|one, other| one.launch.cmp(&other.launch));
        Self { absent: false, panes }
    }

    /// Returns that there is no server.
    pub fn none() -> Self {
        Self { absent: true, panes: Vec::new() }
    }

    /// Returns the pane that was made for `launch`.
    pub fn find(&self, launch: &str) -> Option<&Pane> {
        let first = self.panes.partition_point(|pane| pane.launch.as_str() < launch);
        self.panes.get(first).filter(|pane| pane.launch == launch)
    }
}

/// The panes of the server that live, by launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Living {
    server: String,
    /// Launch and process of each, sorted.
    panes: Vec<(String, u32)>,
}

impl Living {
    /// Returns whether the pane of `launch` is certain to live: on the very server that `handle`
    /// names, with the very process.
    pub fn has(&self, launch: &str, handle: &RuntimeHandle) -> bool {
        let found = self.panes.binary_search_by(|(other, _)| other.as_str().cmp(launch));
        let same_server = handle.server.as_ref().is_none_or(|server| *server == self.server);
        let is_its = |pid| handle.pid.is_none_or(|known| known == pid);
        found.is_ok_and(|found| same_server && is_its(self.panes[found].1))
    }
}

/// Parses what was printed with [`SERVER_FORMAT`] and, line by line, [`LIVING_FORMAT`].
pub fn living(stdout: &str) -> Result<Living, RuntimeError> {
    let unreadable =
        |line: &str| RuntimeError::Unreadable { line: line.chars().take(200).collect() };
    let mut lines = stdout.lines();
    let server =
        lines.next().filter(|line| line.contains(':')).ok_or_else(|| unreadable(stdout))?;
    let mut panes = Vec::new();
    for line in lines {
        let mut fields = line.split('\t');
        let (Some(launch), Some(dead), Some(pid), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(unreadable(line));
        };
        let pid = pid.parse().map_err(|_| unreadable(line))?;
        if !launch.is_empty() && dead != "1" {
            panes.push((launch.to_owned(), pid));
        }
    }
    panes.sort_unstable();
    Ok(Living { server: server.to_owned(), panes })
}

/// What a failed tmux client says of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is none; the file says whether the socket exists.
    Absent {
        /// The socket's file is there.
        socket_exists: bool,
    },
    /// It was ending just then; asking again helps.
    Transient,
    /// The server lives and has no such session, window or pane.
    Missing,
    /// The server lives and has a session of that name.
    Duplicate,
    /// Anything else.
    Other,
}

/// Classifies the standard error of a client that failed.
pub fn classify(stderr: &str) -> Failure {
    let is_connect_error = stderr.contains("error connecting to ");
    if is_connect_error && stderr.contains("(No such file or directory)") {
        Failure::Absent { socket_exists: false }
    } else if stderr.contains("no server running on ")
        || (is_connect_error && stderr.contains("(Connection refused)"))
    {
        Failure::Absent { socket_exists: true }
    } else if stderr.contains("server exited unexpectedly") || stderr.contains("lost server") {
        Failure::Transient
    } else if stderr.contains("duplicate session") {
        Failure::Duplicate
    } else if ["can't find session", "can't find window", "can't find pane", "no such session"]
        .iter()
        .any(|text| stderr.contains(text))
    {
        Failure::Missing
    } else {
        Failure::Other
    }
}

/// Parses what `list-panes -F` printed with [`PANE_FORMAT`]; a line that cannot be read is an
/// error, never an absence.
pub fn panes(stdout: &str) -> Result<Vec<Pane>, RuntimeError> {
    stdout.lines().map(pane).collect()
}

fn pane(line: &str) -> Result<Pane, RuntimeError> {
    let unreadable = || RuntimeError::Unreadable { line: line.chars().take(200).collect() };
    let mut fields = line.splitn(7, '\t');
    let mut next = || fields.next().ok_or_else(unreadable);
    let (id, launch, dead, pid, server, in_mode, session) =
        (next()?, next()?, next()?, next()?, next()?, next()?, next()?);
    if !id.starts_with('%') || !server.contains(':') {
        return Err(unreadable());
    }
    Ok(Pane {
        id: id.to_owned(),
        launch: launch.to_owned(),
        dead: dead == "1",
        pid: pid.parse().map_err(|_| unreadable())?,
        server: server.to_owned(),
        in_mode: !matches!(in_mode, "" | "0"),
        session: session.to_owned(),
    })
}

/// Parses `tmux -V`: "tmux 3.3a", "tmux next-3.6", "tmux openbsd-7.5"; `None` for a build without
/// a number, which is taken from a development tree.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let text = text.trim().strip_prefix("tmux ")?;
    let text = text.strip_prefix("next-").unwrap_or(text);
    let (major, rest) = text.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Quotes `word` for tmux's command parser (a configuration file, or a command given to
/// `if-shell`).
pub fn quoted(word: &str) -> String {
    let mut out = String::from("\"");
    for c in word.chars() {
        if matches!(c, '"' | '\\' | '$' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Doubles each `#`, for arguments that tmux expands as formats: `#(…)` would run a command.
pub fn unexpanded(text: &str) -> String {
    text.replace('#', "##")
}

/// Escapes a final `;`, which would end the command even in an argument vector.
pub fn argument(text: &str) -> String {
    match text.strip_suffix(';') {
        Some(rest) => format!("{rest}\\;"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_panes_are_read_whole() {
        let text = include_str!("../../../fixtures/tmux/3.3/list-panes.txt");
        let panes = panes(text).unwrap();
        let shown: Vec<_> = panes
            .iter()
            .map(|p| {
                format!("{} {} {:?} dead={} mode={}", p.id, p.session, p.launch, p.dead, p.in_mode)
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        %0 ao-1 "00000000000000aa" dead=false mode=false
        %1 ao-12 "00000000000000bb" dead=true mode=false
        %2 by hand; #x "" dead=false mode=true
        "#);
        assert!(panes.iter().all(|pane| pane.server == panes[0].server));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        for bad in [
            "",
            "x",
            "%1\tl\t0\tnotanumber\t1:2\t0\tname",
            "%1\tl\t0\t7\t1:2\t0",
            "1\t\t\t7\t1:2\t0\tn",
        ] {
            assert!(panes(&format!("{bad}\n")).is_err(), "{bad:?}");
        }
        assert_eq!(panes("").unwrap(), []);
    }

    #[test]
    fn who_lives_is_certain_or_not_said() {
        let text = "17:9\naa\t0\t31\n\t0\t32\nbb\t1\t33\n";
        let living = living(text).unwrap();
        let handle = |json: serde_json::Value| serde_json::from_value(json).unwrap();
        let has = |launch, json| living.has(launch, &handle(json));
        use serde_json::json;
        assert!(has("aa", json!({"kind": "tmux"})));
        assert!(has("aa", json!({"kind": "tmux", "server": "17:9", "pid": 31})));
        assert!(!has("aa", json!({"kind": "tmux", "server": "17:8", "pid": 31})));
        assert!(!has("aa", json!({"kind": "tmux", "server": "17:9", "pid": 30})));
        assert!(!has("bb", json!({"kind": "tmux"})), "it is dead");
        assert!(!has("cc", json!({"kind": "tmux"})) && !has("", json!({"kind": "tmux"})));
        for bad in ["", "aa\t0\t31", "17:9\naa\t0", "17:9\naa\t0\tx", "17:9\naa\t0\t1\t2"] {
            assert!(super::living(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn captured_errors_are_told_apart() {
        let text = include_str!("../../../fixtures/tmux/3.3/errors.txt");
        let shown: Vec<_> = text.lines().map(|line| format!("{:?}", classify(line))).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        Absent { socket_exists: false }
        Absent { socket_exists: true }
        Absent { socket_exists: true }
        Transient
        Missing
        Missing
        Missing
        Missing
        Duplicate
        Other
        Other
        Other
        ");
    }

    #[test]
    fn versions_of_releases_and_development_trees() {
        assert_eq!(version("tmux 3.3a\n"), Some((3, 3)));
        assert_eq!(version("tmux 3.10"), Some((3, 10)));
        assert_eq!(version("tmux next-3.6"), Some((3, 6)));
        assert_eq!(version("tmux master"), None);
        assert_eq!(version("screen 4.0"), None);
    }

    #[test]
    fn arguments_cannot_become_commands() {
        assert_eq!(argument("a;"), "a\\;");
        assert_eq!(argument("a;b"), "a;b");
        assert_eq!(unexpanded("h#(touch x)"), "h##(touch x)");
        assert_eq!(quoted("a\"b$c\\"), "\"a\\\"b\\$c\\\\\"");
    }
}
